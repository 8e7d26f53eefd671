/* SPDX-License-Identifier: Apache-2.0 */
/* Words of GF(p), p = 2^61 - 1: scalar arithmetic, constant time, no division.
 *
 * A word is canonical when it is below p. Because 2^61 = 1 mod p, a number is reduced by adding the bits from 61
 * upwards to the bits below. Functions take and return canonical words unless they say otherwise. Masks go through
 * a value barrier: without it clang 14 makes a branch of the last subtraction. */
#ifndef EIS_KERNEL_F61_WORD_H
#define EIS_KERNEL_F61_WORD_H

#include "base/ct.h"

#include <stdint.h>

#define EIS_F61_BITS 61
#define EIS_F61_P    ((UINT64_C(1) << EIS_F61_BITS) - 1)

__extension__ typedef unsigned __int128 eis_u128;

/* Subtracts p once where a >= p. Range: a < 2p. */
static inline uint64_t eis_f61_word_subtract_p(uint64_t a)
{
    uint64_t low = a - EIS_F61_P;
    return low + (EIS_F61_P & eis_ct_barrier((uint64_t)0 - (low >> 63)));
}

/* Reduces any 64-bit number. */
static inline uint64_t eis_f61_word_reduce(uint64_t a)
{
    return eis_f61_word_subtract_p((a & EIS_F61_P) + (a >> EIS_F61_BITS));
}

/* Reduces any 128-bit number. */
static inline uint64_t eis_f61_word_reduce128(eis_u128 a)
{
    uint64_t low = (uint64_t)a & EIS_F61_P, middle = (uint64_t)(a >> 61) & EIS_F61_P, high = (uint64_t)(a >> 122);
    return eis_f61_word_reduce(low + middle + high); /* at most 2p + 63 */
}

/* Reduces a signed 64-bit number. */
static inline uint64_t eis_f61_word_from_i64(int64_t a)
{
    /* As an unsigned word a negative number is 2^64 too large, and 2^64 = 8 mod p. */
    uint64_t negative = eis_ct_barrier((uint64_t)a >> 63);
    return eis_f61_word_subtract_p(eis_f61_word_reduce((uint64_t)a) + EIS_F61_P - 8 * negative);
}

static inline uint64_t eis_f61_word_add(uint64_t a, uint64_t b) { return eis_f61_word_subtract_p(a + b); }

static inline uint64_t eis_f61_word_sub(uint64_t a, uint64_t b) { return eis_f61_word_subtract_p(a + EIS_F61_P - b); }

static inline uint64_t eis_f61_word_neg(uint64_t a) { return eis_f61_word_subtract_p(EIS_F61_P - a); }

static inline uint64_t eis_f61_word_mul(uint64_t a, uint64_t b)
{
    eis_u128 product = (eis_u128)a * b; /* below 2^122 */
    return eis_f61_word_subtract_p(((uint64_t)product & EIS_F61_P) + (uint64_t)(product >> 61));
}

/* Returns a * 2^shift: a rotation of the 61 bits. Range: shift in 0..60. */
static inline uint64_t eis_f61_word_shift(uint64_t a, unsigned shift)
{
    return eis_f61_word_subtract_p((a << shift & EIS_F61_P) | a >> (EIS_F61_BITS - shift));
}

/* Returns the number in [-(p-1)/2, (p-1)/2] that a stands for. */
static inline int64_t eis_f61_word_centre(uint64_t a)
{
    uint64_t half = EIS_F61_P >> 1;
    uint64_t above = eis_ct_barrier((uint64_t)0 - ((half - a) >> 63));
    return (int64_t)(a - (EIS_F61_P & above));
}

#endif
