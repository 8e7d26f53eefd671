/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of ring words on AVX2: four words at a time, the last few in plain C. */
#include "kernel/generic/generic.h"
#include "kernel/x86_64/avx2.h"
#include "kernel/x86_64/f61_avx2.h"
#include "kernel/x86_64/planes_avx2.h"

void words_add_avx2(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_ring ring)
{
    __m256i mask = set4(eis_ring_mask(ring));
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        __m256i sum = _mm256_add_epi64(load4(a + i), load4(b + i));
        store4(r + i, ring == EIS_RING_F61 ? f61_subtract_p(sum) : _mm256_and_si256(sum, mask));
    }
    words_add_generic(r + i, a + i, b + i, n - i, ring);
}

void words_sub_avx2(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_ring ring)
{
    __m256i mask = set4(eis_ring_mask(ring));
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        __m256i difference = _mm256_sub_epi64(load4(a + i), load4(b + i));
        store4(r + i, ring == EIS_RING_F61 ? f61_subtract_p(_mm256_add_epi64(difference, mask))
                                           : _mm256_and_si256(difference, mask));
    }
    words_sub_generic(r + i, a + i, b + i, n - i, ring);
}

/* See words_generic.c for the rounding by addition, f61_word.h for the sign. */
void words_from_reals_avx2(uint64_t *words, const double *x, size_t n, double factor, eis_ring ring)
{
    __m256d rounder = _mm256_set1_pd(0x1.8p52), scale = _mm256_set1_pd(factor);
    __m256i zero = _mm256_castpd_si256(rounder), mask = set4(eis_ring_mask(ring));
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        __m256d rounded = _mm256_add_pd(_mm256_mul_pd(_mm256_loadu_pd(x + i), scale), rounder);
        __m256i integer = _mm256_sub_epi64(_mm256_castpd_si256(rounded), zero);

        if (ring == EIS_RING_F61) {
            __m256i eight = _mm256_slli_epi64(_mm256_srli_epi64(integer, 63), 3); /* where negative */
            integer = _mm256_sub_epi64(f61_subtract_p(f61_fold(integer)), eight);
            store4(words + i, f61_subtract_p(_mm256_add_epi64(integer, set4(EIS_F61_P))));
        } else {
            store4(words + i, _mm256_and_si256(integer, mask));
        }
    }
    words_from_reals_generic(words + i, x + i, n - i, factor, ring);
}

/* Signed 64-bit integers to double, rounded once: with v = h 2^32 + l, the doubles 2^84 + (h + 2^31) 2^32 and
 * 2^52 + l are made by setting bits; taking 2^84 + 2^63 + 2^52 from the first is exact, adding the second rounds. */
static inline __m256d doubles_from_i64(__m256i v)
{
    __m256i high = _mm256_xor_si256(_mm256_srli_epi64(v, 32), set4(UINT64_C(0x4530000080000000)));
    __m256i low = _mm256_blend_epi32(v, set4(UINT64_C(0x4330000000000000)), 0xaa);
    __m256d exact = _mm256_sub_pd(_mm256_castsi256_pd(high), _mm256_set1_pd(0x1p84 + 0x1p63 + 0x1p52));

    return _mm256_add_pd(exact, _mm256_castsi256_pd(low));
}

/* The same for words of at most 52 bits, not yet centred: w xor half is the centred word plus half, and setting the
 * bits of 2^52 above it makes the double 2^52 + half + centred word; taking 2^52 + half from it is exact. */
static inline __m256d centred_doubles52(__m256i word, __m256i half, __m256d shift)
{
    __m256i bits = _mm256_or_si256(_mm256_xor_si256(word, half), set4(UINT64_C(0x4330000000000000)));

    return _mm256_sub_pd(_mm256_castsi256_pd(bits), shift);
}

static inline void store_reals(double *out, __m256d value, const double *row_scale, double offset, double factor)
{
    value = _mm256_add_pd(value, _mm256_set1_pd(offset));
    if (row_scale != NULL) value = _mm256_mul_pd(value, _mm256_loadu_pd(row_scale));
    _mm256_storeu_pd(out, _mm256_mul_pd(value, _mm256_set1_pd(factor)));
}

void words_to_reals_avx2(double *out, const uint64_t *words, const double *row_scale, size_t n, double offset,
                         double factor, eis_ring ring)
{
    __m256i half = set4(UINT64_C(1) << ((unsigned)ring - 1)), p = set4(EIS_F61_P), p_half = set4(EIS_F61_P >> 1);
    __m256d shift = _mm256_set1_pd(0x1p52 + (double)(UINT64_C(1) << ((unsigned)ring - 1)));
    size_t i = 0;

    if (ring <= EIS_RING_Z52) {
        for (; i + 4 <= n; i += 4)
            store_reals(out + i, centred_doubles52(load4(words + i), half, shift),
                        row_scale != NULL ? row_scale + i : NULL, offset, factor);
    }
    for (; i + 4 <= n; i += 4) {
        __m256i word = load4(words + i);

        if (ring == EIS_RING_F61) {
            word = _mm256_sub_epi64(word, _mm256_and_si256(p, _mm256_cmpgt_epi64(word, p_half)));
        } else {
            word = _mm256_sub_epi64(_mm256_xor_si256(word, half), half);
        }
        store_reals(out + i, doubles_from_i64(word), row_scale != NULL ? row_scale + i : NULL, offset, factor);
    }
    words_to_reals_generic(out + i, words + i, row_scale != NULL ? row_scale + i : NULL, n - i, offset, factor, ring);
}

void planes_from_words_avx2(uint8_t *planes, const uint64_t *words, size_t n, unsigned p)
{
    planes_shuffles shuffles = planes_shuffles_make(p);
    size_t i = 0;

    for (; i + 4 <= n; i += 4) planes_store4(planes + i * p, load4(words + i), &shuffles);
    planes_from_words_generic(planes + i * p, words + i, n - i, p);
}

void words_from_planes_avx2(uint64_t *words, const uint8_t *planes, size_t n, unsigned p)
{
    planes_shuffles shuffles = planes_shuffles_make(p);
    size_t i = 0;

    for (; i + 4 <= n; i += 4) store4(words + i, planes_load4(planes + i * p, &shuffles));
    words_from_planes_generic(words + i, planes + i * p, n - i, p);
}

/* The low halves of 8 words in order. */
static inline __m256i low_halves8(const uint64_t *words)
{
    __m256 a = _mm256_castsi256_ps(load4(words)), b = _mm256_castsi256_ps(load4(words + 4));
    __m256i halves = _mm256_castps_si256(_mm256_shuffle_ps(a, b, _MM_SHUFFLE(2, 0, 2, 0))); /* 0 1 4 5 | 2 3 6 7 */

    return _mm256_permute4x64_epi64(halves, _MM_SHUFFLE(3, 1, 2, 0));
}

/* Transposes the 4 x 4 bytes of each half: [plane][column] <-> [column][plane]. */
static inline __m256i transpose_halves(__m256i v)
{
    return _mm256_shuffle_epi8(v, _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0, 4, 8, 12, 1,
                                                   5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
}

/* Four planes are words of 32 bits after a transposition, two groups to a register. */
static size_t sub_4_planes(uint8_t *planes, const uint64_t *words, size_t n)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        __m256i *group = (__m256i *)(void *)(planes + 4 * i);
        __m256i share = transpose_halves(_mm256_loadu_si256(group));
        _mm256_storeu_si256(group, transpose_halves(_mm256_sub_epi32(low_halves8(words + i), share)));
    }
    return i;
}

/* Eight planes are low halves of 4 words in one half of a register and high halves in the other. */
static size_t sub_8_planes(uint8_t *planes, const uint64_t *words, size_t n)
{
    const __m256i join = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7), part = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        __m256i *group = (__m256i *)(void *)(planes + 8 * i);
        __m256i share = _mm256_permutevar8x32_epi32(transpose_halves(_mm256_loadu_si256(group)), join);
        __m256i rest = _mm256_sub_epi64(load4(words + i), share);
        _mm256_storeu_si256(group, transpose_halves(_mm256_permutevar8x32_epi32(rest, part)));
    }
    return i;
}

void planes_sub_from_words_avx2(uint8_t *planes, const uint64_t *words, size_t n, unsigned p)
{
    planes_shuffles shuffles = planes_shuffles_make(p);
    size_t i = 0;

    if (p == 4) {
        i = sub_4_planes(planes, words, n);
    } else if (p == 8) {
        i = sub_8_planes(planes, words, n);
    } else {
        for (; i + 4 <= n; i += 4) {
            __m256i share = planes_load4(planes + i * p, &shuffles);
            planes_store4(planes + i * p, _mm256_sub_epi64(load4(words + i), share), &shuffles);
        }
    }
    planes_sub_from_words_generic(planes + i * p, words + i, n - i, p);
}

/* Two pairs per step, each in half a register: [a, b] <-> 104 bits [a | b << 52, b >> 12]. Loads and stores are 16
 * bytes where 13 belong to the pair: the next pair must exist, and the last ones go through plain C. */
#define PAIR_BYTES  13
#define PAIRS_AHEAD 3

void bytes_from_words52_avx2(uint8_t *bytes, const uint64_t *words, size_t n)
{
    __m256i left = _mm256_setr_epi64x(52, 64, 52, 64), right = _mm256_setr_epi64x(64, 12, 64, 12);
    size_t i = 0;

    for (; n - i >= 2 * PAIRS_AHEAD; i += 4, bytes += 2 * PAIR_BYTES) {
        __m256i pair = load4(words + i), b = _mm256_unpackhi_epi64(pair, pair);
        __m256i a = _mm256_blend_epi32(pair, _mm256_setzero_si256(), 0xcc);

        pair = _mm256_or_si256(a, _mm256_or_si256(_mm256_sllv_epi64(b, left), _mm256_srlv_epi64(b, right)));
        _mm_storeu_si128((__m128i *)(void *)bytes, _mm256_castsi256_si128(pair));
        _mm_storeu_si128((__m128i *)(void *)(bytes + PAIR_BYTES), _mm256_extracti128_si256(pair, 1));
    }
    bytes_from_words52_generic(bytes, words + i, n - i);
}

void words52_from_bytes_avx2(uint64_t *words, const uint8_t *bytes, size_t n)
{
    __m256i right = _mm256_setr_epi64x(0, 52, 0, 52), left = _mm256_setr_epi64x(64, 12, 64, 12);
    __m256i mask = set4(eis_ring_mask(EIS_RING_Z52));
    size_t i = 0;

    for (; n - i >= 2 * PAIRS_AHEAD; i += 4, bytes += 2 * PAIR_BYTES) {
        __m128i first = _mm_loadu_si128((const __m128i *)(const void *)bytes);
        __m128i second = _mm_loadu_si128((const __m128i *)(const void *)(bytes + PAIR_BYTES));
        __m256i pair = _mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1);
        __m256i low = _mm256_srlv_epi64(_mm256_unpacklo_epi64(pair, pair), right);
        __m256i high = _mm256_sllv_epi64(_mm256_unpackhi_epi64(pair, pair), left);

        store4(words + i, _mm256_and_si256(_mm256_or_si256(low, high), mask));
    }
    words52_from_bytes_generic(words + i, bytes, n - i);
}

/* y + c x with halves of 32 and 29 bits: c x = low + 2^32 middle + 2^64 high, where
 *   low < 2^64, middle < 2 * 2^61, high < 2^58;  2^64 = 8 and 2^61 = 1 mod p;
 *   2^32 middle = 2^32 (middle mod 2^29) + (middle div 2^29).
 * The terms of the sum are below 2^61 + 8, 2^61, 2^33, 2^61 and 2^61: together below 2^64. */
void f61_axpy_avx2(uint64_t *y, uint64_t c, const uint64_t *x, size_t n)
{
    __m256i c0 = set4(c), c1 = set4(c >> 32), low29 = set4((UINT64_C(1) << 29) - 1);
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        __m256i x0 = load4(x + i), x1 = _mm256_srli_epi64(x0, 32);
        __m256i middle = _mm256_add_epi64(_mm256_mul_epu32(x0, c1), _mm256_mul_epu32(x1, c0));
        __m256i sum = _mm256_add_epi64(load4(y + i), f61_fold(_mm256_mul_epu32(x0, c0)));

        sum = _mm256_add_epi64(sum, _mm256_slli_epi64(_mm256_mul_epu32(x1, c1), 3));
        sum = _mm256_add_epi64(sum, _mm256_slli_epi64(_mm256_and_si256(middle, low29), 32));
        sum = _mm256_add_epi64(sum, _mm256_srli_epi64(middle, 29));
        store4(y + i, f61_subtract_p(f61_fold(sum)));
    }
    f61_axpy_generic(y + i, c, x + i, n - i);
}
