/* SPDX-License-Identifier: Apache-2.0 */
/* Z / 2^k, and the product of a packed matrix with vectors in every ring that a profile uses. */
#ifndef EIS_RING_Z2K_H
#define EIS_RING_Z2K_H

#include "base/pool.h"
#include "base/status.h"
#include "kernel/kernel.h"

#include <stdbool.h>

/* Says whether weights of this geometry can be multiplied in this ring. */
bool eis_ring_fits_geometry(eis_ring ring, eis_geometry geometry);

/* Returns the bytes of one input vector in the layout of eis_matmul.x: cols_padded * planes for W8, cols_padded * 8 for
 * W24 and W20. A multiple of 64. */
size_t eis_ring_input_bytes(const eis_packed *w, eis_ring ring);

/* Multiplies a packed matrix by a batch of vectors, on all threads of a pool.
 *
 * Shape:   y[batch][w->rows]; x is `batch` vectors of eis_ring_input_bytes each, one behind the other, in the layout of
 *          eis_matmul.x (kernel/kernel.h). Columns w->cols .. w->cols_padded - 1 of every vector are zero.
 * Range:   canonical words of `ring` in x (a byte plane cannot be otherwise, except in F61) and in y.
 * Secret:  x, y. Constant time in both.
 * Cost:    rows * cols * batch multiply-adds; one scratch block of about the size of x, wiped before the return.
 * Errors:  EIS_ERR_SHAPE   the ring does not fit the geometry, or a size overflows.
 *          EIS_ERR_MEMORY  y is untouched on error. */
EIS_MUST_USE eis_status eis_ring_matmul(eis_pool *pool, uint64_t *y, const eis_packed *w, const void *x, size_t batch,
                                        eis_ring ring);

/* Writes words in the input layout of a matrix: planes for W8, words for the others, zeros behind the n words.
 *
 * Shape:   x[eis_ring_input_bytes(w, ring)], any alignment; words[w->cols], canonical.
 * Secret:  both. */
void eis_ring_input_write(void *x, const eis_packed *w, eis_ring ring, const uint64_t *words);

#endif
