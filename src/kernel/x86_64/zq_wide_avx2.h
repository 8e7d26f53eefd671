/* SPDX-License-Identifier: Apache-2.0 */
/* Products modulo primes of more than 50 bits, four at a time. */
#ifndef EIS_KERNEL_X86_64_ZQ_WIDE_AVX2_H
#define EIS_KERNEL_X86_64_ZQ_WIDE_AVX2_H

#include "kernel/x86_64/zq_avx2.h"

static inline __m256i cross(__m256i v) { return _mm256_shuffle_epi32(v, 0xb1); }

static inline __m256i high_halves(__m256i a) { return _mm256_srli_epi64(a, 32); }

/* Returns the high half of a b, or up to 2 less: what the low halves carry is left out. */
static inline __m256i mul_high_less(__m256i a, __m256i b)
{
    const __m256i a_high = high_halves(a), b_high = high_halves(b);
    const __m256i middle = _mm256_add_epi64(_mm256_srli_epi64(_mm256_mul_epu32(a_high, b), 32),
                                            _mm256_srli_epi64(_mm256_mul_epu32(a, b_high), 32));

    return _mm256_add_epi64(_mm256_mul_epu32(a_high, b_high), middle);
}

/* a b - c d mod 2^64: the products of the low halves in full, of the crossed ones only what reaches the high half. */
static inline __m256i low_difference(__m256i a, __m256i b, __m256i c, __m256i d)
{
    const __m256i crossed = _mm256_sub_epi32(_mm256_mullo_epi32(a, cross(b)), _mm256_mullo_epi32(c, cross(d)));
    const __m256i high = _mm256_slli_epi64(_mm256_add_epi32(crossed, _mm256_srli_epi64(crossed, 32)), 32);

    return _mm256_add_epi64(_mm256_sub_epi64(_mm256_mul_epu32(a, b), _mm256_mul_epu32(c, d)), high);
}

/* Returns y w mod q below 3.5 q, for y < 2^63; shoup = floor(w 2^64 / q). The quotient is too small by at most 2 more
 * than in plain C. */
static inline __m256i mul_wide(__m256i y, __m256i w, __m256i shoup, __m256i q)
{
    return low_difference(y, w, mul_high_less(y, shoup), q);
}

#endif
