/* SPDX-License-Identifier: Apache-2.0 */
/* Words of GF(p), eight in a register: the steps of kernel/f61_word.h. */
#ifndef EIS_KERNEL_X86_64_FIELD_AVX512_H
#define EIS_KERNEL_X86_64_FIELD_AVX512_H

#include "kernel/f61_word.h"

#include <immintrin.h>

static inline __m512i set8(uint64_t word) { return _mm512_set1_epi64((long long)word); }

/* Any 64-bit number to one below 2^61 + 8 with the same remainder. */
static inline __m512i f61_fold(__m512i a)
{
    return _mm512_add_epi64(_mm512_and_si512(a, set8(EIS_F61_P)), _mm512_srli_epi64(a, EIS_F61_BITS));
}

/* a mod p for a < 2p: where a < p, a - p wraps around and is the larger one. */
static inline __m512i f61_subtract_p(__m512i a) { return _mm512_min_epu64(a, _mm512_sub_epi64(a, set8(EIS_F61_P))); }

/* Any 64-bit number to a canonical word. */
static inline __m512i f61_reduce(__m512i a) { return f61_subtract_p(f61_fold(a)); }

/* Canonical words times 2^shift. `shift` is a constant in 1..60. */
#define F61_SHIFT(a, shift)                                                             \
    _mm512_or_si512(_mm512_and_si512(_mm512_slli_epi64((a), (shift)), set8(EIS_F61_P)), \
                    _mm512_srli_epi64((a), EIS_F61_BITS - (shift)))

/* Returns which of 8 lanes exist where `left` words are left. */
static inline __mmask8 lanes8(size_t left) { return (__mmask8)(left < 8 ? (1u << left) - 1 : 0xff); }

#endif
