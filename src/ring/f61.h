/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors over GF(p), p = 2^61 - 1, and the coefficients that interpolate between public points. Scalars stand in
 * kernel/f61_word.h. */
#ifndef EIS_RING_F61_H
#define EIS_RING_F61_H

#include "base/status.h"
#include "kernel/f61_word.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Returns the sum of a vector. Range: canonical words. Secret: a. */
uint64_t eis_f61_sum(const uint64_t *a, size_t n);

/* Returns the sum of products. Range: canonical words. Secret: a, b. */
uint64_t eis_f61_dot(const uint64_t *a, const uint64_t *b, size_t n);

/* y[i] = y[i] + c * x[i]. Range: canonical words. Secret: all. */
void eis_f61_axpy(uint64_t *y, uint64_t c, const uint64_t *x, size_t n);

/* y[v][i] = sum over j of w[i][j] * x[v][j]: a matrix times a batch of vectors.
 *
 * Shape:   y[batch][rows], w[rows][inner], x[batch][inner]; y overlaps neither.
 * Range:   canonical words.
 * Secret:  all. */
void eis_f61_matmul(uint64_t *y, const uint64_t *w, const uint64_t *x, size_t rows, size_t inner, size_t batch);

/* y[i] = sum over j of c[j] * x[j][i].
 *
 * Shape:   y[n], x[terms][n] by pointers, none of them y; c[terms]; terms > 0.
 * Range:   canonical words.
 * Secret:  x, y, c. */
void eis_f61_combine(uint64_t *y, const uint64_t *const *x, const uint64_t *c, size_t terms, size_t n);

/* Returns a^-1. Range: 0 < a < p (asserted). Variable time: a is public. */
uint64_t eis_f61_inverse_var(uint64_t a);

/* Computes the coefficients by which values at `from` give the value of their polynomial at `at`: f(at) = sum of
 * coefficients[j] * f(from[j]) for every f of degree below `count`.
 *
 * Shape:   coefficients[count], from[count].
 * Range:   points canonical and distinct (asserted); `at` may be one of them.
 *          Variable time: points are public. */
void eis_f61_lagrange_var(uint64_t *coefficients, const uint64_t *from, size_t count, uint64_t at);

#endif
