/* SPDX-License-Identifier: Apache-2.0 */
/* Inner products and sums over the field of the mpc engine: the kernels where it is the shipped one. */
#ifndef EIS_RING_FP_DOT_H
#define EIS_RING_FP_DOT_H

#include "ring/f61.h"
#include "ring/fp_word.h"

/* Returns the sum of products. Range: canonical words. Secret: a, b; constant time. */
static inline uint64_t eis_fp_dot(const uint64_t *a, const uint64_t *b, size_t n)
{
#if EIS_FP_BITS == 61
    return eis_f61_dot(a, b, n);
#else
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) sum = eis_fp_add(sum, eis_fp_mul(a[i], b[i]));
    return sum;
#endif
}

/* y[v][i] = sum over j of w[i][j] x[v][j]. Shape: y[batch][rows], w[rows][inner], x[batch][inner]. As above. */
static inline void eis_fp_matmul(uint64_t *y, const uint64_t *w, const uint64_t *x, size_t rows, size_t inner,
                                 size_t batch)
{
#if EIS_FP_BITS == 61
    eis_f61_matmul(y, w, x, rows, inner, batch);
#else
    for (size_t v = 0; v < batch; v++)
        for (size_t i = 0; i < rows; i++) y[v * rows + i] = eis_fp_dot(w + i * inner, x + v * inner, inner);
#endif
}

/* y[i] = y[i] + c x[i]. Range and secrets as above. */
static inline void eis_fp_axpy(uint64_t *y, uint64_t c, const uint64_t *x, size_t n)
{
#if EIS_FP_BITS == 61
    eis_f61_axpy(y, c, x, n);
#else
    for (size_t i = 0; i < n; i++) y[i] = eis_fp_add(y[i], eis_fp_mul(c, x[i]));
#endif
}

#endif
