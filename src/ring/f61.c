/* SPDX-License-Identifier: Apache-2.0 */
#include "ring/f61.h"

#include "kernel/kernel.h"

uint64_t eis_f61_sum(const uint64_t *a, size_t n) { return eis_kernels_get()->words_sum(a, n, EIS_RING_F61); }

uint64_t eis_f61_dot(const uint64_t *a, const uint64_t *b, size_t n) { return eis_kernels_get()->f61_dot(a, b, n); }

void eis_f61_axpy(uint64_t *y, uint64_t c, const uint64_t *x, size_t n) { eis_kernels_get()->f61_axpy(y, c, x, n); }

/* Products of canonical words are below 2^122: this many sums of them, and one carried-over word, fit 128 bits. */
#define TERMS_AT_ONCE 63

/* Two and three terms are what thresholds in use need; fixed counts let the compiler keep everything in registers. */
static void combine_two(uint64_t *y, const uint64_t *a, const uint64_t *b, const uint64_t *c, size_t n)
{
    uint64_t c0 = c[0], c1 = c[1];

    for (size_t i = 0; i < n; i++) y[i] = eis_f61_word_reduce128((eis_u128)c0 * a[i] + (eis_u128)c1 * b[i]);
}

static void combine_three(uint64_t *y, const uint64_t *const *x, const uint64_t *c, size_t n)
{
    const uint64_t *x0 = x[0], *x1 = x[1], *x2 = x[2];
    uint64_t c0 = c[0], c1 = c[1], c2 = c[2];

    for (size_t i = 0; i < n; i++)
        y[i] = eis_f61_word_reduce128((eis_u128)c0 * x0[i] + (eis_u128)c1 * x1[i] + (eis_u128)c2 * x2[i]);
}

static uint64_t combine_word(const uint64_t *const *x, const uint64_t *c, size_t terms, size_t i)
{
    uint64_t total = 0;

    for (size_t first = 0; first < terms; first += TERMS_AT_ONCE) {
        size_t last = terms - first < TERMS_AT_ONCE ? terms : first + TERMS_AT_ONCE;
        eis_u128 sum = total;

        for (size_t j = first; j < last; j++) sum += (eis_u128)c[j] * x[j][i];
        total = eis_f61_word_reduce128(sum);
    }
    return total;
}

void eis_f61_combine(uint64_t *y, const uint64_t *const *x, const uint64_t *c, size_t terms, size_t n)
{
    EIS_ASSERT(terms > 0);
    if (terms == 2) {
        combine_two(y, x[0], x[1], c, n);
    } else if (terms == 3) {
        combine_three(y, x, c, n);
    } else {
        for (size_t i = 0; i < n; i++) y[i] = combine_word(x, c, terms, i);
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
