/* SPDX-License-Identifier: Apache-2.0 */
/* Words modulo a prime, eight at a time. */
#ifndef EIS_KERNEL_X86_64_ZQ_AVX512_H
#define EIS_KERNEL_X86_64_ZQ_AVX512_H

#include "kernel/zq_word.h"

#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>

#define ZQ_LANES ((size_t)8)

typedef __m512i zq_words;

/* The words of n that whole vectors hold. */
static inline size_t whole(size_t n) { return n - n % ZQ_LANES; }

static inline __m512i load_words(const uint64_t *p) { return _mm512_loadu_si512(p); }

static inline void store_words(uint64_t *p, __m512i v) { _mm512_storeu_si512(p, v); }

static inline __m512i all_lanes(uint64_t v) { return _mm512_set1_epi64((long long)v); }

/* Hides from the compiler how a vector was made, lest it take a sum apart that is used twice. */
static inline __m512i keep(__m512i v)
{
    __asm__("" : "+v"(v));
    return v;
}

/* Subtracts m once where a >= m: elsewhere the difference wraps and is the larger. Range: a, m < 2^63. */
static inline __m512i subtract_once(__m512i a, __m512i m) { return _mm512_min_epu64(a, _mm512_sub_epi64(a, m)); }

/* a + b and a - b mod q, canonical. */
static inline __m512i add_words(__m512i a, __m512i b, __m512i q) { return subtract_once(_mm512_add_epi64(a, b), q); }

static inline __m512i sub_words(__m512i a, __m512i b, __m512i q)
{
    const __m512i low = _mm512_sub_epi64(a, b);

    return _mm512_min_epu64(low, _mm512_add_epi64(low, q));
}

/* Plain operations, under the names that zq_wide.h knows. */
static inline __m512i plus(__m512i a, __m512i b) { return _mm512_add_epi64(a, b); }

static inline __m512i minus(__m512i a, __m512i b) { return _mm512_sub_epi64(a, b); }

static inline __m512i both(__m512i a, __m512i b) { return _mm512_and_si512(a, b); }

static inline __m512i shift_left(__m512i a, unsigned bits) { return _mm512_sll_epi64(a, _mm_cvtsi32_si128((int)bits)); }

static inline __m512i shift_right(__m512i a, unsigned bits)
{
    return _mm512_srl_epi64(a, _mm_cvtsi32_si128((int)bits));
}

/* The product of the low halves. */
static inline __m512i mul_halves(__m512i a, __m512i b) { return _mm512_mul_epu32(a, b); }

/* a where x > bound, else 0. */
static inline __m512i where_above(__m512i a, __m512i x, __m512i bound)
{
    return _mm512_maskz_mov_epi64(_mm512_cmpgt_epu64_mask(x, bound), a);
}

/* Where one vector of permuted words comes from. */
typedef struct source {
    size_t at;           /* of an aligned group */
    __m512i lanes;       /* its permutation */
    const uint32_t *any; /* eight places, or NULL where they are one group */
} source;

/* Whether eight places are one aligned group. The barriers keep these public numbers out of vector registers: what
 * leaves those is taken for secret by a test. */
static inline bool is_group(const uint32_t *order)
{
    uint64_t apart = 0;

    __asm__("" : "+r"(order));
    for (size_t k = 1; k < ZQ_LANES; k++) apart |= order[0] ^ eis_ct_barrier(order[k]);
    return apart < ZQ_LANES;
}

static inline source source_at(const uint32_t *order)
{
    const __m512i places = _mm512_cvtepu32_epi64(_mm256_loadu_si256((const __m256i *)(const void *)order));

    return (source){order[0] - order[0] % ZQ_LANES, places, is_group(order) ? NULL : order};
}

static inline __m512i load_source(const uint64_t *a, const source *s)
{
    const uint32_t *at = s->any;

    if (at == NULL) return _mm512_permutexvar_epi64(s->lanes, load_words(a + s->at)); /* of an index 3 bits count */
    return _mm512_set_epi64((long long)a[at[7]], (long long)a[at[6]], (long long)a[at[5]], (long long)a[at[4]],
                            (long long)a[at[3]], (long long)a[at[2]], (long long)a[at[1]], (long long)a[at[0]]);
}

/* The words of two vectors in turn, from their low or high halves; and back: the words at even or odd places. */
static inline __m512i interleave_low(__m512i a, __m512i b)
{
    return _mm512_permutex2var_epi64(a, _mm512_set_epi64(11, 3, 10, 2, 9, 1, 8, 0), b);
}

static inline __m512i interleave_high(__m512i a, __m512i b)
{
    return _mm512_permutex2var_epi64(a, _mm512_set_epi64(15, 7, 14, 6, 13, 5, 12, 4), b);
}

static inline __m512i even_words(__m512i a, __m512i b)
{
    return _mm512_permutex2var_epi64(a, _mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0), b);
}

static inline __m512i odd_words(__m512i a, __m512i b)
{
    return _mm512_permutex2var_epi64(a, _mm512_set_epi64(15, 13, 11, 9, 7, 5, 3, 1), b);
}

/* 2 or 4 words, repeated. */
static inline __m512i repeat_2(const uint64_t *p)
{
    return _mm512_broadcast_i64x2(_mm_loadu_si128((const __m128i *)(const void *)p));
}

static inline __m512i repeat_4(const uint64_t *p)
{
    return _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

#endif
