/* SPDX-License-Identifier: Apache-2.0 */
/* A plain int8 product, as a peer: how much of our speed is that a weight has one byte? */
#ifndef EIS_BENCH_BENCH_INT8_H
#define EIS_BENCH_BENCH_INT8_H

#include <stddef.h>
#include <stdint.h>

/* y[batch][rows] = x[batch][cols] times the transpose of w[rows][cols], summed in 32 bits. Range: |x| <= 255, inputs of
 * 8 bits in a wider type. */
void eis_bench_int8_multiply(int32_t *y, const int8_t *w, const int16_t *x, size_t rows, size_t cols, size_t batch);

#endif
