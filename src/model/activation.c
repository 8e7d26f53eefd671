/* SPDX-License-Identifier: Apache-2.0 */
/* Activations. e^x = 2^k e^r with k = round(x / ln 2) and |r| <= ln 2 / 2: k comes from adding 1.5 * 2^52, which
 * leaves the rounded integer in the low bits; e^r is its Taylor polynomial up to r^13 / 13!, whose rest is below
 * 0.3466^14 / 14! = 4.2e-18; 2^k is put together from its exponent bits.
 *
 * A comparison of doubles may become a branch (gcc keeps it one, lest a NaN traps), so limits and selections work on
 * the bits: magnitudes of doubles are ordered like their bits read as integers. */
#include "model/activation.h"

#include "base/bytes.h"
#include "base/ct.h"

#define SIGN       0x8000000000000000u
#define EXP_LIMIT  0x4086200000000000u /* the bits of 708.0; e^-708 is the last normal one */
#define TINY       0x01a56e1fc2f8f359u /* the bits of 1e-300 */
#define HUGE_LIMIT 0x7e37e43c8800759cu /* the bits of 1e300 */

/* Returns a where mask is all ones, b where it is 0. */
static inline uint64_t choose(uint64_t mask, uint64_t a, uint64_t b) { return b ^ (mask & (a ^ b)); }

/* Returns all ones where a < b, for a and b below 2^63. */
static inline uint64_t less(uint64_t a, uint64_t b) { return 0 - ((a - b) >> 63); }

static inline double exp_core(double x)
{
    const double to_integer = 0x1.8p52;
    const uint64_t bits = eis_bits_of_f64(x), magnitude = bits & ~SIGN;

    /* Infinity and NaN have the largest magnitudes of all, so they end at the limit too. */
    x = eis_f64_of_bits(choose(less(EXP_LIMIT, magnitude), EXP_LIMIT, magnitude) | (bits & SIGN));
    const double shifted = x * 1.4426950408889634 + to_integer;
    const double k = shifted - to_integer;
    /* ln 2 in two parts; the first has 32 bits, so k * part is exact. */
    const double r = (x - k * 0x1.62e42feep-1) - k * 0x1.a39ef35793c76p-33;
    double p = 1.0 / 6227020800.0;
    p = p * r + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * (r * r) + r;
    return (p + 1.0) * eis_f64_of_bits((eis_bits_of_f64(shifted) + 1023) << 52);
}

double eis_exp(double x) { return exp_core(x); }

double eis_inverse_sqrt(double x)
{
    uint64_t bits = eis_bits_of_f64(x) & ~SIGN;

    bits = choose(less(bits, TINY), TINY, bits);
    bits = choose(less(HUGE_LIMIT, bits), HUGE_LIMIT, bits);
    x = eis_f64_of_bits(bits);
    /* Halving and negating the exponent gives 1/sqrt(x) within 3.5 %; each Newton step squares the error. */
    double y = eis_f64_of_bits(0x5fe6eb50c7b537a9u - (bits >> 1));
    for (int i = 0; i < 5; i++) y = y * (1.5 - 0.5 * x * y * y);
    return y;
}

void eis_sigmoid(double *x, size_t count)
{
    for (size_t i = 0; i < count; i++) x[i] = 1.0 / (1.0 + exp_core(-x[i]));
}

void eis_silu(double *x, size_t count)
{
    for (size_t i = 0; i < count; i++) x[i] = x[i] / (1.0 + exp_core(-x[i]));
}

void eis_gelu_tanh(double *x, size_t count)
{
    /* (1 + tanh u) / 2 = 1 / (1 + e^-2u); 2 sqrt(2/pi) = 1.5957691216057308. */
    for (size_t i = 0; i < count; i++) {
        const double u2 = 1.5957691216057308 * (x[i] + 0.044715 * x[i] * x[i] * x[i]);
        x[i] = x[i] / (1.0 + exp_core(-u2));
    }
}

void eis_softmax(double *x, size_t count)
{
    double largest = x[0], sum = 0;

    for (size_t i = 1; i < count; i++) /* the sign of the difference chooses, behind a barrier: clang sees a maximum */
        largest = eis_f64_of_bits(eis_ct_select(0 - (eis_bits_of_f64(largest - x[i]) >> 63), eis_bits_of_f64(x[i]),
                                                eis_bits_of_f64(largest)));
    for (size_t i = 0; i < count; i++) x[i] = exp_core(x[i] - largest);
    for (size_t i = 0; i < count; i++) sum += x[i];
    const double factor = 1.0 / sum; /* sum >= 1: the largest entry gives e^0 */
    for (size_t i = 0; i < count; i++) x[i] *= factor;
}

uint64_t eis_zero_not_finite(double *x, size_t count)
{
    const uint64_t exponent = 0x7ff0000000000000u;
    uint64_t found = 0;

    for (size_t i = 0; i < count; i++) {
        const uint64_t bits = eis_bits_of_f64(x[i]);
        /* An exponent of all ones carries into the top bit when one is added to it. */
        const uint64_t bad = 0 - (((bits & exponent) + 0x0010000000000000u) >> 63);
        x[i] = eis_f64_of_bits(bits & ~bad);
        found |= bad;
    }
    return found;
}
