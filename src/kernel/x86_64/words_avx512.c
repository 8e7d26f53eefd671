/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of ring words on AVX-512: eight words at a time, the last few in plain C. */
#include "kernel/generic/generic.h"
#include "kernel/x86_64/avx512.h"
#include "kernel/x86_64/field_avx512.h"

void words_add_avx512(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_ring ring)
{
    __m512i mask = set8(eis_ring_mask(ring));
    size_t i = 0;

    for (; n - i >= 8; i += 8) {
        __m512i sum = _mm512_add_epi64(_mm512_loadu_si512(a + i), _mm512_loadu_si512(b + i));
        _mm512_storeu_si512(r + i, ring == EIS_RING_F61 ? f61_subtract_p(sum) : _mm512_and_si512(sum, mask));
    }
    words_add_generic(r + i, a + i, b + i, n - i, ring);
}

/* In the field a negative difference, as an unsigned number, is larger than itself + p. */
void words_sub_avx512(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_ring ring)
{
    __m512i mask = set8(eis_ring_mask(ring));
    size_t i = 0;

    for (; n - i >= 8; i += 8) {
        __m512i difference = _mm512_sub_epi64(_mm512_loadu_si512(a + i), _mm512_loadu_si512(b + i));
        _mm512_storeu_si512(r + i, ring == EIS_RING_F61
                                       ? _mm512_min_epu64(difference, _mm512_add_epi64(difference, mask))
                                       : _mm512_and_si512(difference, mask));
    }
    words_sub_generic(r + i, a + i, b + i, n - i, ring);
}

/* Words of the field are folded as they are added: a lane stays below 2^61 + 8. */
uint64_t words_sum_avx512(const uint64_t *a, size_t n, eis_ring ring)
{
    __m512i sum = _mm512_setzero_si512();
    uint64_t lanes[9];
    size_t i = 0;

    for (; n - i >= 8; i += 8) {
        sum = _mm512_add_epi64(sum, _mm512_loadu_si512(a + i));
        if (ring == EIS_RING_F61) sum = f61_fold(sum);
    }
    _mm512_storeu_si512(lanes, ring == EIS_RING_F61 ? f61_subtract_p(sum) : sum);
    lanes[8] = words_sum_generic(a + i, n - i, ring);
    return words_sum_generic(lanes, 9, ring);
}

/* See words_generic.c for the rounding by addition, f61_word.h for the sign. */
void words_from_reals_avx512(uint64_t *words, const double *x, size_t n, double factor, eis_ring ring)
{
    __m512d rounder = _mm512_set1_pd(0x1.8p52), scale = _mm512_set1_pd(factor);
    __m512i zero = _mm512_castpd_si512(rounder), mask = set8(eis_ring_mask(ring));
    size_t i = 0;

    for (; n - i >= 8; i += 8) {
        __m512d rounded = _mm512_add_pd(_mm512_mul_pd(_mm512_loadu_pd(x + i), scale), rounder);
        __m512i integer = _mm512_sub_epi64(_mm512_castpd_si512(rounded), zero);

        if (ring == EIS_RING_F61) {
            __m512i eight = _mm512_slli_epi64(_mm512_srli_epi64(integer, 63), 3); /* where negative */
            integer = _mm512_sub_epi64(f61_reduce(integer), eight);
            _mm512_storeu_si512(words + i, _mm512_min_epu64(integer, _mm512_add_epi64(integer, mask)));
        } else {
            _mm512_storeu_si512(words + i, _mm512_and_si512(integer, mask));
        }
    }
    words_from_reals_generic(words + i, x + i, n - i, factor, ring);
}

void words_to_reals_avx512(double *out, const uint64_t *words, const double *row_scale, size_t n, double offset,
                           double factor, eis_ring ring)
{
    __m512i half = set8(UINT64_C(1) << ((unsigned)ring - 1)), p = set8(EIS_F61_P), p_half = set8(EIS_F61_P >> 1);
    size_t i = 0;

    for (; n - i >= 8; i += 8) {
        __m512i word = _mm512_loadu_si512(words + i);
        __m512d value;

        if (ring == EIS_RING_F61) {
            word = _mm512_mask_sub_epi64(word, _mm512_cmpgt_epu64_mask(word, p_half), word, p);
        } else {
            word = _mm512_sub_epi64(_mm512_xor_si512(word, half), half);
        }
        value = _mm512_add_pd(_mm512_cvtepi64_pd(word), _mm512_set1_pd(offset));
        if (row_scale != NULL) value = _mm512_mul_pd(value, _mm512_loadu_pd(row_scale + i));
        _mm512_storeu_pd(out + i, _mm512_mul_pd(value, _mm512_set1_pd(factor)));
    }
    words_to_reals_generic(out + i, words + i, row_scale != NULL ? row_scale + i : NULL, n - i, offset, factor, ring);
}

/* The steps and bounds of words_avx2.c. */
void f61_axpy_avx512(uint64_t *y, uint64_t c, const uint64_t *x, size_t n)
{
    __m512i c0 = set8(c), c1 = set8(c >> 32), low29 = set8((UINT64_C(1) << 29) - 1);
    size_t i = 0;

    for (; n - i >= 8; i += 8) {
        __m512i x0 = _mm512_loadu_si512(x + i), x1 = _mm512_srli_epi64(x0, 32);
        __m512i middle = _mm512_add_epi64(_mm512_mul_epu32(x0, c1), _mm512_mul_epu32(x1, c0));
        __m512i sum = _mm512_add_epi64(_mm512_loadu_si512(y + i), f61_fold(_mm512_mul_epu32(x0, c0)));

        sum = _mm512_add_epi64(sum, _mm512_slli_epi64(_mm512_mul_epu32(x1, c1), 3));
        sum = _mm512_add_epi64(sum, _mm512_slli_epi64(_mm512_and_si512(middle, low29), 32));
        sum = _mm512_add_epi64(sum, _mm512_srli_epi64(middle, 29));
        _mm512_storeu_si512(y + i, f61_reduce(sum));
    }
    f61_axpy_generic(y + i, c, x + i, n - i);
}
