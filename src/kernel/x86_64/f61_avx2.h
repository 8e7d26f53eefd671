/* SPDX-License-Identifier: Apache-2.0 */
/* Words of GF(p), four in a register: the steps of kernel/f61_word.h. */
#ifndef EIS_KERNEL_X86_64_F61_AVX2_H
#define EIS_KERNEL_X86_64_F61_AVX2_H

#include "kernel/f61_word.h"

#include <immintrin.h>

static inline __m256i load4(const uint64_t *words) { return _mm256_loadu_si256((const __m256i *)(const void *)words); }

static inline void store4(uint64_t *words, __m256i v) { _mm256_storeu_si256((__m256i *)(void *)words, v); }

static inline __m256i set4(uint64_t word) { return _mm256_set1_epi64x((long long)word); }

/* a mod p for a < 2p. */
static inline __m256i f61_subtract_p(__m256i a)
{
    __m256i low = _mm256_sub_epi64(a, set4(EIS_F61_P));
    __m256i negative = _mm256_cmpgt_epi64(_mm256_setzero_si256(), low);
    return _mm256_add_epi64(low, _mm256_and_si256(negative, set4(EIS_F61_P)));
}

/* Any 64-bit number to one below 2^61 + 8 with the same remainder. */
static inline __m256i f61_fold(__m256i a)
{
    return _mm256_add_epi64(_mm256_and_si256(a, set4(EIS_F61_P)), _mm256_srli_epi64(a, EIS_F61_BITS));
}

#endif
