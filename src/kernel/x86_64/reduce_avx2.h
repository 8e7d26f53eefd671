/* SPDX-License-Identifier: Apache-2.0 */
/* Any words modulo any prime, four at a time: Barrett's quotient by 32-bit products. */
#ifndef EIS_KERNEL_X86_64_REDUCE_AVX2_H
#define EIS_KERNEL_X86_64_REDUCE_AVX2_H

#include "kernel/x86_64/zq_avx2.h"

#include <stdbool.h>

#define LANES ((size_t)4)

/* A constant by its halves. `wide` says whether the high one counts, at compile time. */
typedef struct halves {
    __m256i low, high;
} halves;

static inline halves halves_of(uint64_t v)
{
    return (halves){_mm256_set1_epi64x((long long)(v & 0xffffffff)), _mm256_set1_epi64x((long long)(v >> 32))};
}

/* The high 64 bits of a b. */
static inline __attribute__((always_inline)) __m256i mul_high(__m256i a, halves b, bool wide)
{
    const __m256i low_half = _mm256_set1_epi64x(0xffffffff), a_high = _mm256_srli_epi64(a, 32);
    const __m256i low_low = _mm256_mul_epu32(a, b.low), high_low = _mm256_mul_epu32(a_high, b.low);
    __m256i middle = _mm256_add_epi64(_mm256_srli_epi64(low_low, 32), high_low), low_high, high_high;

    if (!wide) return _mm256_srli_epi64(middle, 32);
    low_high = _mm256_mul_epu32(a, b.high);
    high_high = _mm256_mul_epu32(a_high, b.high);
    /* (2^32 - 1)^2 and two halves fit into a word. */
    middle = _mm256_add_epi64(middle, _mm256_and_si256(low_high, low_half));
    return _mm256_add_epi64(_mm256_add_epi64(high_high, _mm256_srli_epi64(low_high, 32)),
                            _mm256_srli_epi64(middle, 32));
}

/* The low 64 bits of a b, of which one fits into 32 bits: a where b is wide. */
static inline __attribute__((always_inline)) __m256i mul_low(__m256i a, halves b, bool wide)
{
    const __m256i cross = wide ? _mm256_mul_epu32(a, b.high) : _mm256_mul_epu32(_mm256_srli_epi64(a, 32), b.low);

    return _mm256_add_epi64(_mm256_mul_epu32(a, b.low), _mm256_slli_epi64(cross, 32));
}

/* As eis_zq_reduce. */
static inline __attribute__((always_inline)) __m256i reduce_word(__m256i a, halves barrett, halves q, __m256i modulus,
                                                                 bool wide)
{
    const __m256i quotient = mul_high(a, barrett, !wide);
    const __m256i r = _mm256_sub_epi64(_mm256_sub_epi64(a, mul_low(quotient, q, wide)), modulus); /* in [-q, q) */
    const __m256i back = _mm256_add_epi64(r, modulus);

    return _mm256_castpd_si256(
        _mm256_blendv_pd(_mm256_castsi256_pd(r), _mm256_castsi256_pd(back), _mm256_castsi256_pd(r)));
}

/* A prime is wide where its quotients fit into 32 bits; else it does itself. */
static inline bool is_wide(const eis_modulus *m) { return m->q >> 32 != 0; }

#endif
