/* SPDX-License-Identifier: Apache-2.0 */
#include "ring/f61.h"

#include "kernel/kernel.h"

#include <string.h>

uint64_t eis_f61_sum(const uint64_t *a, size_t n) { return eis_kernels_get()->words_sum(a, n, EIS_RING_F61); }

uint64_t eis_f61_dot(const uint64_t *a, const uint64_t *b, size_t n) { return eis_kernels_get()->f61_dot(a, b, n); }

void eis_f61_axpy(uint64_t *y, uint64_t c, const uint64_t *x, size_t n) { eis_kernels_get()->f61_axpy(y, c, x, n); }

void eis_f61_matmul(uint64_t *y, const uint64_t *w, const uint64_t *x, size_t rows, size_t inner, size_t batch)
{
    eis_kernels_get()->f61_matmul(y, w, x, rows, inner, batch);
}

/* Sums are kept in the first cache while the terms pass. */
#define PIECE_WORDS ((size_t)512)

void eis_f61_combine(uint64_t *y, const uint64_t *const *x, const uint64_t *c, size_t terms, size_t n)
{
    const eis_kernels *k = eis_kernels_get();

    EIS_ASSERT(terms > 0);
    for (size_t first = 0; first < n; first += PIECE_WORDS) {
        size_t count = n - first < PIECE_WORDS ? n - first : PIECE_WORDS;

        memset(y + first, 0, count * sizeof *y);
        for (size_t j = 0; j < terms; j++) k->f61_axpy(y + first, c[j], x[j] + first, count);
    }
}

/* a^(p-2) with p - 2 = 2^61 - 3: every bit of the exponent but the second is 1. */
uint64_t eis_f61_inverse_var(uint64_t a)
{
    uint64_t r = a;

    EIS_ASSERT(a > 0 && a < EIS_F61_P);
    for (int bit = EIS_F61_BITS - 2; bit >= 0; bit--) {
        r = eis_f61_word_mul(r, r);
        if (bit != 1) r = eis_f61_word_mul(r, a);
    }
    return r;
}

void eis_f61_lagrange_var(uint64_t *coefficients, const uint64_t *from, size_t count, uint64_t at)
{
    for (size_t j = 0; j < count; j++) {
        uint64_t above = 1, below = 1;

        for (size_t i = 0; i < count; i++) {
            if (i == j) continue;
            EIS_ASSERT(from[i] != from[j]);
            above = eis_f61_word_mul(above, eis_f61_word_sub(at, from[i]));
            below = eis_f61_word_mul(below, eis_f61_word_sub(from[j], from[i]));
        }
        coefficients[j] = eis_f61_word_mul(above, eis_f61_inverse_var(below));
    }
}
