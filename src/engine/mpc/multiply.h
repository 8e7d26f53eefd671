/* SPDX-License-Identifier: Apache-2.0 */
/* Inside engine/mpc: products with matrices, on as many threads as the party has. */
#ifndef EIS_ENGINE_MPC_MULTIPLY_H
#define EIS_ENGINE_MPC_MULTIPLY_H

#include "base/pool.h"

#include <stdint.h>

/* y = W x for each x of a batch. Which thread computes what changes no word.
 * Shape:   y[batch][rows], w[rows][inner], x[batch][inner]. pool may be NULL. Secret: w, x. */
void eis_mpc_multiply(eis_pool *pool, uint64_t *y, const uint64_t *w, const uint64_t *x, size_t rows, size_t inner,
                      size_t batch);

#endif
