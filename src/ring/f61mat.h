/* SPDX-License-Identifier: Apache-2.0 */
/* A vector from the left: z = r^T W mod p, what a Freivalds check needs of the weights. */
#ifndef EIS_RING_F61MAT_H
#define EIS_RING_F61MAT_H

#include "kernel/kernel.h"

/* Adds the contribution of panels [panel_first, panel_last) to z for several r at once: a client streams the pack and
 * forgets it.
 *
 * Shape:   z[checks][w->cols], r[checks][w->rows].
 * Range:   canonical words of GF(2^61 - 1); z starts at zero. Weights of every geometry.
 * Secret:  r, z. Constant time in both.
 * Cost:    rows * cols * checks multiply-adds, no allocation. */
void eis_f61mat_left_multiply(uint64_t *z, const eis_packed *w, const uint64_t *r, size_t checks, size_t panel_first,
                              size_t panel_last);

#endif
