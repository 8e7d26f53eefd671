/* SPDX-License-Identifier: Apache-2.0 */
/* Four columns of byte planes as four words, in registers. */
#ifndef EIS_KERNEL_X86_64_PLANES_AVX2_H
#define EIS_KERNEL_X86_64_PLANES_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Byte shuffles for a group of 4 columns x p planes, made once per call:
 * `low` turns planes 0-3, bytes [plane][column], into 4 low halves [column][plane], and back (it is a transposition);
 * `high` does so for planes 4 and up, read by one load that ends with the group. */
typedef struct planes_shuffles {
    __m128i low, high;
    unsigned p;
} planes_shuffles;

static inline planes_shuffles planes_shuffles_make(unsigned p)
{
    planes_shuffles s = {.low = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), .p = p};
    int8_t high[16];

    for (unsigned column = 0; column < 4; column++) {
        for (unsigned q = 4; q < 8; q++) { /* plane q begins 4 (q - p) + 16 bytes into the load */
            high[4 * column + q - 4] = (int8_t)(q < p ? 4 * (q + 4 - p) + column : 0x80);
        }
    }
    s.high = _mm_loadu_si128((const __m128i *)(const void *)high);
    return s;
}

/* Returns the words of 4 columns. Reads the 4 p bytes of the group and none beyond. */
static inline __m256i planes_load4(const uint8_t *group, const planes_shuffles *s)
{
    __m128i low = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)group), s->low), high;

    if (s->p == 4) return _mm256_cvtepu32_epi64(low);
    high = _mm_loadu_si128((const __m128i *)(const void *)(group + 4 * s->p - 16));
    high = _mm_shuffle_epi8(high, s->high);
    return _mm256_set_m128i(_mm_unpackhi_epi32(low, high), _mm_unpacklo_epi32(low, high));
}

/* Writes 4 words as a group of 4 p bytes and none beyond. */
static inline void planes_store4(uint8_t *group, __m256i words, const planes_shuffles *s)
{
    __m128 a = _mm_castsi128_ps(_mm256_castsi256_si128(words)),
           b = _mm_castsi128_ps(_mm256_extracti128_si256(words, 1));
    __m128i low = _mm_castps_si128(_mm_shuffle_ps(a, b, _MM_SHUFFLE(2, 0, 2, 0)));
    __m128i high = _mm_castps_si128(_mm_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 3, 1)));
    uint8_t rest[16];

    _mm_storeu_si128((__m128i *)(void *)group, _mm_shuffle_epi8(low, s->low));
    high = _mm_shuffle_epi8(high, s->low);
    switch (s->p) {
    case 8:
        _mm_storeu_si128((__m128i *)(void *)(group + 16), high);
        break;
    case 6:
        _mm_storel_epi64((__m128i *)(void *)(group + 16), high);
        break;
    case 7:
    case 5:
        _mm_storeu_si128((__m128i *)(void *)rest, high);
        memcpy(group + 16, rest, 4 * (s->p - 4));
        break;
    default:
        break;
    }
}

#endif
