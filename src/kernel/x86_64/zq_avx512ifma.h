/* SPDX-License-Identifier: Apache-2.0 */
/* Residues of primes of up to 50 bits with the multiply-adds of 52-bit words, eight at a time.
 *
 * These add the low or the high 52 bits of a product of two 52-bit words to a 64-bit word. A product by a constant is
 * that of eis_zq_factor52: x value and t q agree in their low 52 bits, so the difference of their high parts is exact,
 * and lies in (-q, q) for any x below 2^52. */
#ifndef EIS_KERNEL_X86_64_ZQ_AVX512IFMA_H
#define EIS_KERNEL_X86_64_ZQ_AVX512IFMA_H

#include "kernel/ntt.h"
#include "kernel/x86_64/zq_avx512.h"

/* Primes of up to this many bits are transformed without corrections between the stages. */
#define NTT_52_LAZY_BITS_MAX 46

/* Forward, such primes: words begin NTT_52_OFFSET q higher and move by less than q in either direction per stage, so
 * they stay positive and below NTT_52_FORWARD_LAZY q. Larger primes: corrected in each butterfly, below 4q. */
#define NTT_52_OFFSET       (EIS_NTT_DEGREE_LOG2_MAX + 1)
#define NTT_52_FORWARD_LAZY (NTT_52_OFFSET + EIS_NTT_LAZY_BOUND + EIS_NTT_DEGREE_LOG2_MAX)
#define NTT_52_FORWARD      4

/* Inverse: such primes below 8q between passes, sums of four 32q; larger ones below 2q, sums 4q. */
#define NTT_52_INVERSE_LAZY 8
#define NTT_52_INVERSE      2

_Static_assert(NTT_52_FORWARD_LAZY <= 1 << (52 - NTT_52_LAZY_BITS_MAX), "lazy words have at most 52 bits");
_Static_assert(4 * NTT_52_INVERSE_LAZY <= 1 << (52 - NTT_52_LAZY_BITS_MAX), "lazy sums have at most 52 bits");
_Static_assert(NTT_52_FORWARD <= 1 << (52 - EIS_ZQ_REAL_BITS_MAX), "words have at most 52 bits");
_Static_assert(2 * NTT_52_INVERSE <= 1 << (52 - EIS_ZQ_REAL_BITS_MAX), "sums have at most 52 bits");
_Static_assert(EIS_NTT_LAZY_BOUND <= NTT_52_FORWARD, "what comes in is in range");

/* The low and high parts of products alone. */
static inline __m512i mul_low_52(__m512i a, __m512i b) { return _mm512_madd52lo_epu64(_mm512_setzero_si512(), a, b); }

static inline __m512i mul_high_52(__m512i a, __m512i b) { return _mm512_madd52hi_epu64(_mm512_setzero_si512(), a, b); }

/* Returns start + x times the constant, up to q less or more. Range: x < 2^52; start such that the result is positive.
 */
static inline __m512i mul_add_52(__m512i start, __m512i x, __m512i value, __m512i low, __m512i q)
{
    const __m512i t = mul_low_52(x, low);

    return keep(_mm512_sub_epi64(_mm512_madd52hi_epu64(start, x, value), mul_high_52(t, q)));
}

/* Brings x < 2^52 below 2q; inverse = floor(2^52 / q). The quotient is too small by at most 1. */
static inline __m512i reduce_52(__m512i x, __m512i q, __m512i inverse)
{
    return _mm512_sub_epi64(x, mul_low_52(mul_high_52(x, inverse), q));
}

/* Returns floor(2^52 / q). */
static inline uint64_t inverse_52(const eis_modulus *m) { return m->barrett64 >> 12; }

#endif
