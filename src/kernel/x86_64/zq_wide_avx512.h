/* SPDX-License-Identifier: Apache-2.0 */
/* Products modulo primes of more than 50 bits, eight at a time, without the multiply-adds of 52-bit words. */
#ifndef EIS_KERNEL_X86_64_ZQ_WIDE_AVX512_H
#define EIS_KERNEL_X86_64_ZQ_WIDE_AVX512_H

#include "kernel/x86_64/zq_avx512.h"

/* The high halves of words, in the low halves; what stands in the high ones is not said. */
static inline __m512i high_halves(__m512i a) { return _mm512_shuffle_epi32(a, _MM_PERM_DDBB); }

/* Returns the high half of a b, or up to 2 less: what the low halves carry is left out. */
static inline __m512i mul_high_less(__m512i a, __m512i b)
{
    const __m512i a_high = high_halves(a), b_high = high_halves(b);
    const __m512i middle = _mm512_add_epi64(_mm512_srli_epi64(_mm512_mul_epu32(a_high, b), 32),
                                            _mm512_srli_epi64(_mm512_mul_epu32(a, b_high), 32));

    return _mm512_add_epi64(_mm512_mul_epu32(a_high, b_high), middle);
}

/* a b - c d mod 2^64. */
static inline __m512i low_difference(__m512i a, __m512i b, __m512i c, __m512i d)
{
    return _mm512_sub_epi64(_mm512_mullo_epi64(a, b), _mm512_mullo_epi64(c, d));
}

/* Returns y w mod q below 3.5 q, for y < 2^63; shoup = floor(w 2^64 / q). The quotient is too small by at most 2 more
 * than in plain C. */
static inline __m512i mul_wide(__m512i y, __m512i w, __m512i shoup, __m512i q)
{
    return low_difference(y, w, mul_high_less(y, shoup), q);
}

#endif
