/* SPDX-License-Identifier: Apache-2.0 */
/* Words modulo a prime of up to 61 bits: scalar arithmetic, constant time in the words, no division.
 *
 * A word is canonical when it is below q. Moduli and constant factors are public; ring/zq.h makes them. Masks go
 * through a value barrier, so that no compiler makes a branch of the last subtraction. */
#ifndef EIS_KERNEL_ZQ_WORD_H
#define EIS_KERNEL_ZQ_WORD_H

#include "base/ct.h"

#include <stdint.h>

/* The largest prime has this many bits: 4q stays below 2^63, so that a borrow shows in the top bit. */
#define EIS_ZQ_BITS_MAX 61

/* Primes of up to this many bits also have exact arithmetic in doubles; see x86_64/zq_avx2.h. */
#define EIS_ZQ_REAL_BITS_MAX 50

__extension__ typedef unsigned __int128 eis_zq_wide;

/* A modulus and what its reductions need. Made by eis_modulus_init, then constant. */
typedef struct eis_modulus {
    uint64_t q;
    unsigned bits;             /* 2^(bits-1) < q < 2^bits */
    uint64_t barrett;          /* floor(2^(2 bits) / q), at most bits + 1 bits */
    uint64_t barrett64;        /* floor(2^64 / q) */
    uint64_t wrap, wrap_shoup; /* 2^64 mod q as a factor */
    double q_real, q_inverse;  /* q, and 1/q rounded; exact q for bits <= 53 */
} eis_modulus;

/* A constant that many words are multiplied by. Made by eis_zq_factor_make. */
typedef struct eis_zq_factor {
    uint64_t value; /* canonical */
    uint64_t shoup; /* floor(value * 2^64 / q) */
} eis_zq_factor;

/* Subtracts m once where a >= m. Range: a < 2m, m < 2^63. */
static inline uint64_t eis_zq_subtract_once(uint64_t a, uint64_t m)
{
    uint64_t low = a - m;
    return low + (m & eis_ct_barrier((uint64_t)0 - (low >> 63)));
}

/* Returns a + b, a - b, -a. Range: canonical words. */
static inline uint64_t eis_zq_add(uint64_t a, uint64_t b, uint64_t q) { return eis_zq_subtract_once(a + b, q); }

static inline uint64_t eis_zq_sub(uint64_t a, uint64_t b, uint64_t q)
{
    uint64_t low = a - b;
    return low + (q & eis_ct_barrier((uint64_t)0 - (low >> 63)));
}

static inline uint64_t eis_zq_neg(uint64_t a, uint64_t q) { return eis_zq_subtract_once(q - a, q); }

/* Reduces a < 2^64 once: the result is below 2q. The quotient is too small by at most 1. */
static inline uint64_t eis_zq_reduce_lazy(uint64_t a, const eis_modulus *m)
{
    return a - (uint64_t)(((eis_zq_wide)a * m->barrett64) >> 64) * m->q;
}

/* Reduces any 64-bit word. */
static inline uint64_t eis_zq_reduce(uint64_t a, const eis_modulus *m)
{
    return eis_zq_subtract_once(eis_zq_reduce_lazy(a, m), m->q);
}

/* Returns y * w in [0, 2q). Range: any y; w canonical. Source: [Har14, algorithm 2]. */
static inline uint64_t eis_zq_mul_shoup_lazy(uint64_t y, uint64_t w, uint64_t w_shoup, uint64_t q)
{
    return y * w - (uint64_t)(((eis_zq_wide)y * w_shoup) >> 64) * q;
}

/* Returns y * factor. Range: any y. */
static inline uint64_t eis_zq_mul_factor(uint64_t y, eis_zq_factor factor, uint64_t q)
{
    return eis_zq_subtract_once(eis_zq_mul_shoup_lazy(y, factor.value, factor.shoup, q), q);
}

/* Makes a factor from a canonical word without the division of eis_zq_factor_make, since a constant may be secret. With
 * 2^64 = barrett64 q + wrap, c 2^64 / q is c barrett64 + c wrap / q; the estimate is too small by at most 1. */
static inline eis_zq_factor eis_zq_factor_of(uint64_t c, const eis_modulus *m)
{
    eis_zq_factor factor = {.value = c};
    uint64_t quotient = c * m->barrett64 + (uint64_t)(((eis_zq_wide)c * m->wrap_shoup) >> 64);
    uint64_t rest = (uint64_t)0 - quotient * m->q; /* c 2^64 - quotient q, below 2q */

    factor.shoup = quotient + (~eis_ct_mask_less(rest, m->q) & 1);
    return factor;
}

/* Returns a * b. Range: a * b < 2^(2 bits), so canonical words, or one of them below 2^bits.
 * With z = a b: the quotient floor(floor(z / 2^(bits-1)) * barrett / 2^(bits+1)) is too small by at most 2.
 * Source: [MOV96, algorithm 14.42]. */
static inline uint64_t eis_zq_mul(uint64_t a, uint64_t b, const eis_modulus *m)
{
    eis_zq_wide z = (eis_zq_wide)a * b;
    uint64_t top = (uint64_t)(z >> (m->bits - 1));
    uint64_t quotient = (uint64_t)(((eis_zq_wide)top * m->barrett) >> (m->bits + 1));
    uint64_t r = (uint64_t)z - quotient * m->q;

    return eis_zq_subtract_once(eis_zq_subtract_once(r, m->q * 2), m->q);
}

/* Reduces any 128-bit number: high * 2^64 + low. */
static inline uint64_t eis_zq_reduce_wide(eis_zq_wide a, const eis_modulus *m)
{
    uint64_t high = eis_zq_mul_shoup_lazy((uint64_t)(a >> 64), m->wrap, m->wrap_shoup, m->q);
    uint64_t low = eis_zq_reduce_lazy((uint64_t)a, m);

    return eis_zq_subtract_once(eis_zq_subtract_once(high + low, m->q * 2), m->q);
}

/* Returns a mod q, taken as the centred residue of another modulus p: a in [0, p) stands for a, or for a - p where
 * a > (p - 1) / 2. p_mod_q is p reduced. */
static inline uint64_t eis_zq_centre(uint64_t a, uint64_t p, uint64_t p_mod_q, const eis_modulus *m)
{
    uint64_t negative = eis_ct_mask_less((p - 1) / 2, a);

    return eis_zq_sub(eis_zq_reduce(a, m), p_mod_q & negative, m->q);
}

/* A constant for products of 52-bit words: with t = y low mod 2^52, (y value - t q) / 2^52 is an integer congruent to y
 * times the constant. Source: [Mon85]. */
typedef struct eis_zq_factor52 {
    uint64_t value; /* the constant times 2^52, canonical */
    uint64_t low;   /* value / q mod 2^52 */
} eis_zq_factor52;

#define EIS_ZQ_MASK52 (UINT64_MAX >> 12)

/* Makes such a constant. Range: w canonical. Each step of Newton's doubles the right bits of 1/q, of which q has 3. */
static inline eis_zq_factor52 eis_zq_factor52_make(uint64_t w, const eis_modulus *m)
{
    eis_zq_factor52 f = {.value = eis_zq_mul(w, eis_zq_reduce(UINT64_C(1) << 52, m), m)};
    uint64_t inverse = m->q;

    for (int step = 0; step < 5; step++) inverse *= 2 - m->q * inverse;
    f.low = f.value * inverse & EIS_ZQ_MASK52;
    return f;
}

/* Reduces a signed 64-bit number: |a| is reduced, then negated where a < 0. */
static inline uint64_t eis_zq_from_i64(int64_t a, const eis_modulus *m)
{
    uint64_t sign = eis_ct_barrier((uint64_t)0 - ((uint64_t)a >> 63));
    uint64_t r = eis_zq_reduce(((uint64_t)a ^ sign) - sign, m);

    return eis_zq_sub(r & ~sign, r & sign, m->q);
}

#endif
