/* SPDX-License-Identifier: Apache-2.0 */
/* Words of the field that the mpc engine computes in: GF(p), p = 2^EIS_FP_BITS - 1. It is 2^61 - 1 in everything that
 * ships; tests build the same sources with 7 and 13 bits, where every case can be tried.
 *
 * Words are canonical, below p. All functions are constant time. */
#ifndef EIS_RING_FP_WORD_H
#define EIS_RING_FP_WORD_H

#include "kernel/f61_word.h"

#include <stddef.h>

#ifndef EIS_FP_BITS
#define EIS_FP_BITS 61
#endif
#define EIS_FP_P ((UINT64_C(1) << EIS_FP_BITS) - 1)

#if EIS_FP_BITS == 61

static inline uint64_t eis_fp_reduce(uint64_t a) { return eis_f61_word_reduce(a); }
static inline uint64_t eis_fp_reduce128(eis_u128 a) { return eis_f61_word_reduce128(a); }
static inline uint64_t eis_fp_from_i64(int64_t a) { return eis_f61_word_from_i64(a); }
static inline uint64_t eis_fp_add(uint64_t a, uint64_t b) { return eis_f61_word_add(a, b); }
static inline uint64_t eis_fp_sub(uint64_t a, uint64_t b) { return eis_f61_word_sub(a, b); }
static inline uint64_t eis_fp_neg(uint64_t a) { return eis_f61_word_neg(a); }
static inline uint64_t eis_fp_mul(uint64_t a, uint64_t b) { return eis_f61_word_mul(a, b); }
static inline int64_t eis_fp_centre(uint64_t a) { return eis_f61_word_centre(a); }

#else /* a small field of the tests: plain division, which need not be fast */

static inline uint64_t eis_fp_reduce(uint64_t a) { return a % EIS_FP_P; }
static inline uint64_t eis_fp_reduce128(eis_u128 a) { return (uint64_t)(a % EIS_FP_P); }
static inline uint64_t eis_fp_add(uint64_t a, uint64_t b) { return (a + b) % EIS_FP_P; }
static inline uint64_t eis_fp_sub(uint64_t a, uint64_t b) { return (a + EIS_FP_P - b) % EIS_FP_P; }
static inline uint64_t eis_fp_neg(uint64_t a) { return (EIS_FP_P - a) % EIS_FP_P; }
static inline uint64_t eis_fp_mul(uint64_t a, uint64_t b) { return a * b % EIS_FP_P; }
static inline uint64_t eis_fp_from_i64(int64_t a)
{
    return a >= 0 ? (uint64_t)a % EIS_FP_P : eis_fp_neg((uint64_t)-a % EIS_FP_P);
}
static inline int64_t eis_fp_centre(uint64_t a)
{
    return a > EIS_FP_P / 2 ? (int64_t)a - (int64_t)EIS_FP_P : (int64_t)a;
}

#endif

/* Returns 2^shift mod p. Range: shift >= 0. */
static inline uint64_t eis_fp_power_of_2(unsigned shift) { return UINT64_C(1) << shift % EIS_FP_BITS; }

/* Returns the top bit of a word. */
static inline uint64_t eis_fp_top_bit(uint64_t a) { return a >> (EIS_FP_BITS - 1) & 1; }

#endif
