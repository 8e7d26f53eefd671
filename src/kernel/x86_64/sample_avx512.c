/* SPDX-License-Identifier: Apache-2.0 */
/* Random words and small coefficients with AVX-512 (F and DQ). Contracts: kernel/sample.h. */
#include "kernel/generic/generic.h"
#include "kernel/x86_64/avx512.h"

#include <immintrin.h>
#include <stdbool.h>

#define LANES ((size_t)8)

/* Words that are looked at together: one comparison per so many. */
#define AT_ONCE ((size_t)64)

static uint64_t largest_of(const uint64_t *words)
{
    __m512i largest = _mm512_loadu_si512(words);

    for (size_t i = LANES; i < AT_ONCE; i += LANES) {
        largest = _mm512_max_epu64(largest, _mm512_loadu_si512(words + i));
    }
    return _mm512_reduce_max_epu64(largest);
}

/* The high 64 bits of a b, for a constant b below 2^32 (wide primes), or of any size. */
static inline __attribute__((always_inline)) __m512i mul_high(__m512i a, __m512i b, bool wide)
{
    const __m512i a_high = _mm512_srli_epi64(a, 32), b_high = _mm512_srli_epi64(b, 32);
    const __m512i low_low = _mm512_mul_epu32(a, b), high_low = _mm512_mul_epu32(a_high, b);
    __m512i middle = _mm512_add_epi64(_mm512_srli_epi64(low_low, 32), high_low), low_high, high_high;

    if (wide) return _mm512_srli_epi64(middle, 32);
    low_high = _mm512_mul_epu32(a, b_high);
    high_high = _mm512_mul_epu32(a_high, b_high);
    middle = _mm512_add_epi64(middle, _mm512_and_si512(low_high, _mm512_set1_epi64(0xffffffff)));
    return _mm512_add_epi64(_mm512_add_epi64(high_high, _mm512_srli_epi64(low_high, 32)),
                            _mm512_srli_epi64(middle, 32));
}

/* As eis_zq_reduce: what is below q becomes huge when q is subtracted. */
static inline __attribute__((always_inline)) void reduce_words(uint64_t *words, const eis_modulus *m, bool wide)
{
    const __m512i barrett = _mm512_set1_epi64((long long)m->barrett64), q = _mm512_set1_epi64((long long)m->q);

    for (size_t i = 0; i < AT_ONCE; i += LANES) {
        const __m512i a = _mm512_loadu_si512(words + i);
        const __m512i r = _mm512_sub_epi64(a, _mm512_mullo_epi64(mul_high(a, barrett, wide), q));

        _mm512_storeu_si512(words + i, _mm512_min_epu64(r, _mm512_sub_epi64(r, q)));
    }
}

/* A run with a refused word is left to plain C. */
size_t sample_reduce_below_var_avx512(uint64_t *words, size_t n, uint64_t bound, const eis_modulus *m)
{
    const bool wide = m->q >> 32 != 0;
    size_t done = 0;

    for (; n - done >= AT_ONCE && largest_of(words + done) < bound; done += AT_ONCE) {
        if (wide) {
            reduce_words(words + done, m, true);
        } else {
            reduce_words(words + done, m, false);
        }
    }
    return done + sample_reduce_below_var_generic(words + done, n - done < AT_ONCE ? n - done : AT_ONCE, bound, m);
}

void sample_words_from_small_avx512(uint64_t *words, const int8_t *coeff, size_t n, const eis_modulus *m)
{
    const __m512i q = _mm512_set1_epi64((long long)m->q);
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        const __m512i e = _mm512_cvtepi8_epi64(_mm_loadl_epi64((const void *)(coeff + i)));

        /* A negative one is the larger as an unsigned number, unless q is added. */
        _mm512_storeu_si512(words + i, _mm512_min_epu64(e, _mm512_add_epi64(e, q)));
    }
    sample_words_from_small_generic(words + i, coeff + i, n - i, m);
}
