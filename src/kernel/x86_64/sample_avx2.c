/* SPDX-License-Identifier: Apache-2.0 */
/* Random words and coefficients with AVX2; what is left of an array behind the last whole vector runs in plain C.
 * Contracts: kernel/sample.h. */
#include "kernel/generic/generic.h"
#include "kernel/x86_64/avx2.h"
#include "kernel/x86_64/reduce_avx2.h"

#include <stdbool.h>

/* ---- Words below a prime ---------------------------------------------------------------------------------------- */

/* Whether any word is not below the bound, both with their top bits turned over: there is no unsigned comparison. */
static inline int any_refused(__m256i a, __m256i last_good)
{
    const __m256i turned = _mm256_xor_si256(a, _mm256_set1_epi64x(INT64_MIN));

    return _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpgt_epi64(turned, last_good)));
}

static inline __attribute__((always_inline)) size_t reduce_vectors(uint64_t *words, size_t end, uint64_t bound,
                                                                   const eis_modulus *m, bool wide)
{
    const halves barrett = halves_of(m->barrett64), q = halves_of(m->q);
    const __m256i modulus = _mm256_set1_epi64x((long long)m->q);
    const __m256i last_good = _mm256_set1_epi64x((long long)((bound - 1) ^ UINT64_C(1) << 63));
    size_t i = 0;

    for (; i < end; i += LANES) {
        const __m256i a = load_words(words + i);

        if (any_refused(a, last_good)) break;
        store_words(words + i, reduce_word(a, barrett, q, modulus, wide));
    }
    return i;
}

size_t sample_reduce_below_var_avx2(uint64_t *words, size_t n, uint64_t bound, const eis_modulus *m)
{
    const size_t end = n - n % LANES;
    const size_t done =
        m->q >> 32 != 0 ? reduce_vectors(words, end, bound, m, true) : reduce_vectors(words, end, bound, m, false);

    return done + sample_reduce_below_var_generic(words + done, n - done, bound, m);
}

/* ---- Errors ----------------------------------------------------------------------------------------------------- */

#define AT_ONCE ((size_t)32) /* errors */

/* Two errors from 12 bytes in each half: heads in the low three bytes of a word, tails in the next but one. */
static inline __m256i load_coins(const uint8_t *low, const uint8_t *high, __m256i order)
{
    const __m128i a = _mm_loadu_si128((const __m128i *)(const void *)low);
    const __m128i b = _mm_loadu_si128((const __m128i *)(const void *)high);

    return _mm256_shuffle_epi8(_mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1), order);
}

/* Per word, 21 + heads - tails: the tails are turned over, then all are counted. */
static inline __m256i count_coins(__m256i v)
{
    const __m256i ones = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2,
                                          2, 3, 2, 3, 3, 4);
    const __m256i nibble = _mm256_set1_epi8(15);
    const __m256i coins = _mm256_set1_epi64x(0x001fffff001fffff), tails = _mm256_set1_epi64x(0x001fffff00000000);
    const __m256i up = _mm256_xor_si256(_mm256_and_si256(v, coins), tails);
    const __m256i low = _mm256_shuffle_epi8(ones, _mm256_and_si256(up, nibble));
    const __m256i high = _mm256_shuffle_epi8(ones, _mm256_and_si256(_mm256_srli_epi16(up, 4), nibble));

    return _mm256_sad_epu8(_mm256_add_epi8(low, high), _mm256_setzero_si256());
}

/* 16 errors in each half, two of each at a time. All loads but the first begin 4 bytes early, so that none goes beyond
 * the end. */
static inline void errors_at_once(int8_t *coeff, const uint8_t *bytes)
{
    const __m256i first = _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1, 0, 1, 2, -1, 3, 4, 5,
                                           -1, 6, 7, 8, -1, 9, 10, 11, -1);
    const __m256i early = _mm256_add_epi8(first, _mm256_set1_epi32(0x00040404));
    const __m256i pairs = _mm256_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15, 0, 8, 1, 9, 2, 10, 3,
                                           11, 4, 12, 5, 13, 6, 14, 7, 15);
    const size_t half = AT_ONCE / 2 * EIS_SAMPLE_ERROR_BYTES;
    __m256i sums = count_coins(load_coins(bytes, bytes + half, first));

    for (int j = 1; j < 8; j++) {
        const uint8_t *at = bytes + 12 * j - 4;

        sums = _mm256_or_si256(sums, _mm256_slli_epi64(count_coins(load_coins(at, at + half, early)), 8 * j));
    }
    sums = _mm256_sub_epi8(_mm256_shuffle_epi8(sums, pairs), _mm256_set1_epi8(EIS_SAMPLE_PAIRS));
    _mm256_storeu_si256((__m256i *)(void *)coeff, sums);
}

void sample_errors_avx2(int8_t *coeff, const uint8_t *bytes, size_t n)
{
    size_t i = 0;

    for (; i + AT_ONCE <= n; i += AT_ONCE) errors_at_once(coeff + i, bytes + EIS_SAMPLE_ERROR_BYTES * i);
    sample_errors_generic(coeff + i, bytes + EIS_SAMPLE_ERROR_BYTES * i, n - i);
}

/* ---- Small coefficients ----------------------------------------------------------------------------------------- */

void sample_words_from_small_avx2(uint64_t *words, const int8_t *coeff, size_t n, const eis_modulus *m)
{
    const __m256i q = _mm256_set1_epi64x((long long)m->q), zero = _mm256_setzero_si256();
    size_t i = 0;

    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        const __m128i small = _mm_loadl_epi64((const __m128i *)(const void *)(coeff + i));
        const __m256i a = _mm256_cvtepi8_epi64(small), b = _mm256_cvtepi8_epi64(_mm_srli_si128(small, 4));

        store_words(words + i, _mm256_add_epi64(a, _mm256_and_si256(_mm256_cmpgt_epi64(zero, a), q)));
        store_words(words + i + LANES, _mm256_add_epi64(b, _mm256_and_si256(_mm256_cmpgt_epi64(zero, b), q)));
    }
    sample_words_from_small_generic(words + i, coeff + i, n - i, m);
}
