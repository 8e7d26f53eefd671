/* SPDX-License-Identifier: Apache-2.0 */
/* Pointwise arithmetic with AVX2: sums for all primes, products in doubles for primes of up to 50 bits (zq_avx2.h);
 * larger ones run in zq_wide_avx2.c, and what is left of an array behind the last whole vector in plain C. Contracts:
 * kernel/ntt.h. */
#include "kernel/x86_64/zq_avx2.h"
#include "kernel/generic/generic.h"
#include "kernel/x86_64/avx2.h"

#include "base/status.h"

void zq_add_avx2(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m)
{
    const __m256i q = _mm256_set1_epi64x((long long)m->q);
    const size_t end = whole(n);

    for (size_t i = 0; i < end; i += ZQ_LANES) store_words(r + i, add_words(load_words(a + i), load_words(b + i), q));
    zq_add_generic(r + end, a + end, b + end, n - end, m);
}

void zq_sub_avx2(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m)
{
    const __m256i q = _mm256_set1_epi64x((long long)m->q);
    const size_t end = whole(n);

    for (size_t i = 0; i < end; i += ZQ_LANES) {
        store_words(r + i, sub_words(load_words(a + i), load_words(b + i), q));
    }
    zq_sub_generic(r + end, a + end, b + end, n - end, m);
}

/* ---- Products of two arrays ------------------------------------------------------------------------------------- */

void zq_mul_avx2(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m)
{
    const __m256d q = _mm256_set1_pd(m->q_real), q_inverse = _mm256_set1_pd(m->q_inverse);
    const size_t end = fits_reals(m) ? whole(n) : 0;

    for (size_t i = 0; i < end; i += ZQ_LANES) {
        store_words(r + i, words_from_real(mul_reals(load_real(a + i), load_real(b + i), q, q_inverse), q));
    }
    zq_mul_wide_avx2(r + end, a + end, b + end, n - end, m);
}

void zq_mul_add_avx2(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m)
{
    const __m256d q = _mm256_set1_pd(m->q_real), q_inverse = _mm256_set1_pd(m->q_inverse);
    const __m256i q_word = _mm256_set1_epi64x((long long)m->q);
    const size_t end = fits_reals(m) ? whole(n) : 0;

    for (size_t i = 0; i < end; i += ZQ_LANES) {
        const __m256d product = mul_reals(load_real(a + i), load_real(b + i), q, q_inverse);
        store_words(r + i, add_words(load_words(r + i), words_from_real(product, q), q_word));
    }
    zq_mul_add_wide_avx2(r + end, a + end, b + end, n - end, m);
}

/* ---- Products by a factor --------------------------------------------------------------------------------------- */

/* The factor as a number; its quotient by q is rounded twice, which adds 3/8 at most to a half, as in mul_reals. */
static inline real_factor real_of(eis_zq_factor factor, const eis_modulus *m)
{
    const double w = (double)(int64_t)factor.value;

    return (real_factor){_mm256_set1_pd(w), _mm256_set1_pd(w * m->q_inverse)};
}

void zq_mul_factor_avx2(uint64_t *r, const uint64_t *a, size_t n, eis_zq_factor factor, const eis_modulus *m)
{
    const __m256d q = _mm256_set1_pd(m->q_real);
    const real_factor f = real_of(factor, m);
    const size_t end = fits_reals(m) ? whole(n) : 0;

    for (size_t i = 0; i < end; i += ZQ_LANES) {
        store_words(r + i, words_from_real(mul_real(load_real(a + i), f, q), q));
    }
    zq_mul_factor_wide_avx2(r + end, a + end, n - end, factor, m);
}

void zq_mul_factor_add_avx2(uint64_t *r, const uint64_t *a, size_t n, eis_zq_factor factor, const eis_modulus *m)
{
    const __m256d q = _mm256_set1_pd(m->q_real);
    const __m256i q_word = _mm256_set1_epi64x((long long)m->q);
    const real_factor f = real_of(factor, m);
    const size_t end = fits_reals(m) ? whole(n) : 0;

    for (size_t i = 0; i < end; i += ZQ_LANES) {
        const __m256i product = words_from_real(mul_real(load_real(a + i), f, q), q);
        store_words(r + i, add_words(load_words(r + i), product, q_word));
    }
    zq_mul_factor_add_wide_avx2(r + end, a + end, n - end, factor, m);
}

void zq_sub_mul_factor_avx2(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_zq_factor factor,
                            const eis_modulus *m)
{
    const __m256d q = _mm256_set1_pd(m->q_real);
    const real_factor f = real_of(factor, m);
    const size_t end = fits_reals(m) ? whole(n) : 0;

    for (size_t i = 0; i < end; i += ZQ_LANES) {
        const __m256d difference = _mm256_sub_pd(load_real(a + i), load_real(b + i));
        store_words(r + i, words_from_real(mul_real(difference, f, q), q));
    }
    zq_sub_mul_factor_wide_avx2(r + end, a + end, b + end, n - end, factor, m);
}

/* ---- Changes of modulus ----------------------------------------------------------------------------------------- */

/* A signed word below 2^61 as two numbers: its low 32 bits, and the rest over 2^32, both exact. */
static inline __m256d low_real(__m256i a)
{
    return real_from_words(_mm256_and_si256(a, _mm256_set1_epi64x(0xffffffff)));
}

/* The sign bit comes along by an offset of 2^63 / 2^32. */
static inline __m256d high_real(__m256i a)
{
    const __m256i offset = _mm256_set1_epi64x(INT64_MIN);

    return _mm256_sub_pd(real_from_words(_mm256_srli_epi64(_mm256_xor_si256(a, offset), 32)), _mm256_set1_pd(0x1p31));
}

/* Where (p - 1) / 2 is below q there is nothing to reduce: a centred residue of p gets q where it is negative. */
static size_t centre_near(uint64_t *r, const uint64_t *a, size_t n, uint64_t p, const eis_modulus *m)
{
    const __m256i half = _mm256_set1_epi64x((long long)((p - 1) / 2)),
                  shift = _mm256_set1_epi64x((long long)(m->q - p));
    const size_t end = (p - 1) / 2 < m->q ? whole(n) : 0;

    for (size_t i = 0; i < end; i += ZQ_LANES) {
        const __m256i word = load_words(a + i);

        store_words(r + i, _mm256_add_epi64(word, _mm256_and_si256(_mm256_cmpgt_epi64(word, half), shift)));
    }
    return end;
}

/* Where p has at most 51 bits a word is a double, and its quotient by q, before it is rounded, off by less than 1/4. */
static size_t centre_real(uint64_t *r, const uint64_t *a, size_t n, uint64_t p, const eis_modulus *m)
{
    const __m256d q = _mm256_set1_pd(m->q_real), q_inverse = _mm256_set1_pd(m->q_inverse);
    const __m256d modulus = _mm256_set1_pd((double)(int64_t)p), half = _mm256_set1_pd((double)(int64_t)((p - 1) / 2));
    const size_t end = p >> 51 == 0 && fits_reals(m) ? whole(n) : 0;

    for (size_t i = 0; i < end; i += ZQ_LANES) {
        const __m256d word = load_real(a + i);
        const __m256d above = _mm256_and_pd(_mm256_cmp_pd(word, half, _CMP_GT_OQ), modulus);

        store_words(r + i, words_from_real(reduce_real(_mm256_sub_pd(word, above), q, q_inverse), q));
    }
    return end;
}

void zq_reduce_centred_avx2(uint64_t *r, const uint64_t *a, size_t n, uint64_t p, const eis_modulus *m)
{
    const __m256d q = _mm256_set1_pd(m->q_real), q_inverse = _mm256_set1_pd(m->q_inverse);
    const __m256i modulus = _mm256_set1_epi64x((long long)p), half = _mm256_set1_epi64x((long long)((p - 1) / 2));
    const double shift = (double)(int64_t)eis_zq_reduce(UINT64_C(1) << 32, m);
    const real_factor f = {_mm256_set1_pd(shift), _mm256_set1_pd(shift * m->q_inverse)};
    const size_t near = centre_near(r, a, n, p, m), done = near > 0 ? near : centre_real(r, a, n, p, m);
    const size_t end = done > 0 ? done : fits_reals(m) && m->bits > 32 ? whole(n) : 0; /* low halves stay below q */

    for (size_t i = done; i < end; i += ZQ_LANES) {
        const __m256i word = load_words(a + i);
        const __m256i centred = _mm256_sub_epi64(word, _mm256_and_si256(_mm256_cmpgt_epi64(word, half), modulus));
        const __m256d sum = _mm256_add_pd(mul_real(high_real(centred), f, q), low_real(centred));

        store_words(r + i, words_from_real(reduce_real(sum, q, q_inverse), q));
    }
    zq_reduce_centred_wide_avx2(r + end, a + end, n - end, p, m);
}
