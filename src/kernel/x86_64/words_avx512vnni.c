/* SPDX-License-Identifier: Apache-2.0 */
/* Byte forms of words with vpermb, which takes any 64 bytes to any 64 places, and dot products in GF(p) with the 52-bit
 * multiply-add. Eight words at a time, the last few in plain C. */
#include "kernel/generic/generic.h"
#include "kernel/x86_64/avx512.h"
#include "kernel/x86_64/field_avx512.h"

/* ---- Byte planes: two groups of 4 columns are 8 p bytes ---- */

/* Where byte `at` of two groups comes from in 8 words, and where byte `at` of 8 words comes from in two groups. */
#define FROM_WORD(at, p)  (((at) / (4 * (p)) * 4 + (at) % 4) * 8 + (at) % (4 * (p)) / 4)
#define FROM_PLANE(at, p) (((at) / 32 * (p) + (at) % 8) * 4 + (at) / 8 % 4)
#define FOUR(f, at, p)    f(at, p) & 63, f((at) + 1, p) & 63, f((at) + 2, p) & 63, f((at) + 3, p) & 63
#define SIXTEEN(f, at, p) FOUR(f, at, p), FOUR(f, (at) + 4, p), FOUR(f, (at) + 8, p), FOUR(f, (at) + 12, p)
#define ALL(f, p)                                                                 \
    {                                                                             \
        SIXTEEN(f, 0, p), SIXTEEN(f, 16, p), SIXTEEN(f, 32, p), SIXTEEN(f, 48, p) \
    }

/* By p - 4. Places behind the 8 p bytes are not used. */
static const uint8_t places_in_words[5][64] = {ALL(FROM_WORD, 4), ALL(FROM_WORD, 5), ALL(FROM_WORD, 6),
                                               ALL(FROM_WORD, 7), ALL(FROM_WORD, 8)};
static const uint8_t places_in_planes[5][64] = {ALL(FROM_PLANE, 4), ALL(FROM_PLANE, 5), ALL(FROM_PLANE, 6),
                                                ALL(FROM_PLANE, 7), ALL(FROM_PLANE, 8)};

static __mmask64 first_bytes(size_t count) { return UINT64_MAX >> (64 - count); }

void planes_from_words_avx512vnni(uint8_t *planes, const uint64_t *words, size_t n, unsigned p)
{
    __m512i places = _mm512_loadu_si512(places_in_words[p - 4]);
    __mmask64 used = first_bytes(8 * (size_t)p);
    size_t i = 0;

    for (; n - i >= 8; i += 8) {
        _mm512_mask_storeu_epi8(planes + i * p, used, _mm512_permutexvar_epi8(places, _mm512_loadu_si512(words + i)));
    }
    planes_from_words_generic(planes + i * p, words + i, n - i, p);
}

void words_from_planes_avx512vnni(uint64_t *words, const uint8_t *planes, size_t n, unsigned p)
{
    __m512i places = _mm512_loadu_si512(places_in_planes[p - 4]);
    __mmask64 stored = first_bytes(8 * (size_t)p), used = 0x0101010101010101 * (0xffu >> (8 - p));
    size_t i = 0;

    for (; n - i >= 8; i += 8) {
        __m512i bytes = _mm512_maskz_loadu_epi8(stored, planes + i * p);
        _mm512_storeu_si512(words + i, _mm512_maskz_permutexvar_epi8(used, places, bytes));
    }
    words_from_planes_generic(words + i, planes + i * p, n - i, p);
}

/* ---- 52-bit words: four pairs are 52 bytes ----
 *
 * Byte k of 13: 0..5 are bytes of a; 6 is the low half of byte 6 of a and, above it, the low half of byte 0 of b;
 * 7..12 are the rest of b, that is bytes 1..6 of b << 4, whose byte 0 ends up in byte 6. */

#define PAIR_BYTES 13
#define FOUR_PAIRS 0x000fffffffffffff /* 52 bytes */

/* Where byte `at` of four pairs comes from in 8 words of which the odd ones were shifted: as a part of a, and of b. */
#define FROM_A(at, unused) ((at) / PAIR_BYTES * 16 + (at) % PAIR_BYTES)
#define FROM_B(at, unused) ((at) / PAIR_BYTES * 16 + 8 + (at) % PAIR_BYTES - 6)
#define PAIR_MASK(bits)    ((uint64_t)(bits) | (uint64_t)(bits) << 13 | (uint64_t)(bits) << 26 | (uint64_t)(bits) << 39)
/* Where byte `at` of 8 words comes from: a begins with byte 0 of its pair, b with byte 6. */
#define FROM_PAIRS(at, unused) ((at) / 16 * PAIR_BYTES + (at) / 8 % 2 * 6 + (at) % 8)

static const uint8_t places_of_a[64] = ALL(FROM_A, 0), places_of_b[64] = ALL(FROM_B, 0);
static const uint8_t places_in_pairs[64] = ALL(FROM_PAIRS, 0);

static inline __m512i odd_shift(void) { return _mm512_set_epi64(4, 0, 4, 0, 4, 0, 4, 0); }

void bytes_from_words52_avx512vnni(uint8_t *bytes, const uint64_t *words, size_t n)
{
    __m512i of_a = _mm512_loadu_si512(places_of_a), of_b = _mm512_loadu_si512(places_of_b), shift = odd_shift();
    size_t i = 0;

    for (; n - i >= 8; i += 8, bytes += 4 * PAIR_BYTES) {
        __m512i shifted = _mm512_sllv_epi64(_mm512_loadu_si512(words + i), shift);
        __m512i a = _mm512_maskz_permutexvar_epi8(PAIR_MASK(0x007f), of_a, shifted);
        __m512i b = _mm512_maskz_permutexvar_epi8(PAIR_MASK(0x1fc0), of_b, shifted);

        _mm512_mask_storeu_epi8(bytes, FOUR_PAIRS, _mm512_or_si512(a, b));
    }
    bytes_from_words52_generic(bytes, words + i, n - i);
}

void words52_from_bytes_avx512vnni(uint64_t *words, const uint8_t *bytes, size_t n)
{
    __m512i places = _mm512_loadu_si512(places_in_pairs), shift = odd_shift(), mask = set8(eis_ring_mask(EIS_RING_Z52));
    size_t i = 0;

    for (; n - i >= 8; i += 8, bytes += 4 * PAIR_BYTES) {
        __m512i pairs = _mm512_permutexvar_epi8(places, _mm512_maskz_loadu_epi8(FOUR_PAIRS, bytes));
        _mm512_storeu_si512(words + i, _mm512_and_si512(_mm512_srlv_epi64(pairs, shift), mask));
    }
    words52_from_bytes_generic(words + i, bytes, n - i);
}

/* ---- Dot products in the field ----
 *
 * a = a0 + 2^52 a1 with a1 < 2^9, b alike, and the 52-bit halves of each product are added where they count:
 *
 *   2^0    low(a0 b0)
 *   2^52   high(a0 b0)   low(a0 b1)   low(a1 b0)
 *   2^104  high(a0 b1)   high(a1 b0)  low(a1 b1)
 *
 * Each has a lane sum of its own, below 2^52 per step: DOT_STEPS = 4096 steps fit into 64 bits. */

#define DOT_STEPS 4096

/* Sum of the lanes, reduced; times 2^shift. */
static uint64_t sum_lanes(__m512i lanes, unsigned shift)
{
    uint64_t words[8];

    _mm512_storeu_si512(words, f61_reduce(lanes));
    return eis_f61_word_shift(words_sum_generic(words, 8, EIS_RING_F61), shift);
}

/* Returns the sum over n words, a multiple of 8, at most 8 DOT_STEPS. */
static uint64_t dot_block(const uint64_t *a, const uint64_t *b, size_t n)
{
    __m512i low00 = _mm512_setzero_si512(), high00 = low00, low01 = low00, low10 = low00, high01 = low00,
            high10 = low00;
    __m512i low11 = low00, middle, top;

    for (size_t i = 0; i < n; i += 8) {
        __m512i a0 = _mm512_loadu_si512(a + i), a1 = _mm512_srli_epi64(a0, 52);
        __m512i b0 = _mm512_loadu_si512(b + i), b1 = _mm512_srli_epi64(b0, 52);

        low00 = _mm512_madd52lo_epu64(low00, a0, b0);
        high00 = _mm512_madd52hi_epu64(high00, a0, b0);
        low01 = _mm512_madd52lo_epu64(low01, a0, b1);
        high01 = _mm512_madd52hi_epu64(high01, a0, b1);
        low10 = _mm512_madd52lo_epu64(low10, a1, b0);
        high10 = _mm512_madd52hi_epu64(high10, a1, b0);
        low11 = _mm512_madd52lo_epu64(low11, a1, b1);
    }
    middle = _mm512_add_epi64(f61_fold(high00), _mm512_add_epi64(f61_fold(low01), f61_fold(low10)));
    top = _mm512_add_epi64(high01, _mm512_add_epi64(high10, low11)); /* below 2^9, 2^9 and 2^18 per step */
    return eis_f61_word_add(sum_lanes(low00, 0), eis_f61_word_add(sum_lanes(middle, 52), sum_lanes(top, 104 - 61)));
}

uint64_t f61_dot_avx512vnni(const uint64_t *a, const uint64_t *b, size_t n)
{
    uint64_t total = 0;
    size_t i = 0;

    while (n - i >= 8) {
        size_t whole = (n - i) / 8 * 8, count = whole < 8 * DOT_STEPS ? whole : 8 * DOT_STEPS;
        total = eis_f61_word_add(total, dot_block(a + i, b + i, count));
        i += count;
    }
    return eis_f61_word_add(total, f61_dot_generic(a + i, b + i, n - i));
}

/* A row at a time, which stays in the first cache for all vectors. */
void f61_matmul_avx512vnni(uint64_t *y, const uint64_t *w, const uint64_t *x, size_t rows, size_t inner, size_t batch)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t v = 0; v < batch; v++) y[v * rows + i] = f61_dot_avx512vnni(w + i * inner, x + v * inner, inner);
}
