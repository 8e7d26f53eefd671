/* SPDX-License-Identifier: Apache-2.0 */
/* Slots with AVX-512 (F and DQ). No masks: selections are by sign words. Contracts: kernel/slots.h. */
#include "kernel/x86_64/avx512.h"

#include <immintrin.h>

#define LANES       ((size_t)8)
#define SLOTS_PAIRS 1

typedef __m512d lanes;
typedef __m512i word_lanes;

static inline lanes lanes_load(const double *p) { return _mm512_loadu_pd(p); }

static inline void lanes_store(double *p, lanes v) { _mm512_storeu_pd(p, v); }

static inline lanes lanes_set(double v) { return _mm512_set1_pd(v); }

static inline word_lanes words_set(uint64_t v) { return _mm512_set1_epi64((long long)v); }

static inline lanes lanes_add(lanes a, lanes b) { return _mm512_add_pd(a, b); }

static inline lanes lanes_sub(lanes a, lanes b) { return _mm512_sub_pd(a, b); }

static inline lanes lanes_mul(lanes a, lanes b) { return _mm512_mul_pd(a, b); }

static inline lanes lanes_negate(lanes a) { return _mm512_xor_pd(a, lanes_set(-0.0)); }

static inline lanes lanes_load_pair(const double *p, const double *q)
{
    return _mm512_insertf64x4(_mm512_castpd256_pd512(_mm256_loadu_pd(p)), _mm256_loadu_pd(q), 1);
}

static inline void lanes_store_pair(double *p, double *q, lanes v)
{
    _mm256_storeu_pd(p, _mm512_castpd512_pd256(v));
    _mm256_storeu_pd(q, _mm512_extractf64x4_pd(v, 1));
}

static inline lanes lanes_set_pair(double a, double b)
{
    return _mm512_insertf64x4(lanes_set(a), _mm256_set1_pd(b), 1);
}

/* Elements 0 and 1, and 2 and 3, of four nodes; from two vectors of two nodes and back. */
static inline __m512i low_elements(void) { return _mm512_setr_epi64(0, 4, 8, 12, 1, 5, 9, 13); }

static inline __m512i high_elements(void) { return _mm512_setr_epi64(2, 6, 10, 14, 3, 7, 11, 15); }

static inline void lanes_load_nodes(lanes v[4], const double *p)
{
    const lanes a = lanes_load(p), b = lanes_load(p + 8), c = lanes_load(p + 16), d = lanes_load(p + 24);
    const lanes low_ab = _mm512_permutex2var_pd(a, low_elements(), b);
    const lanes high_ab = _mm512_permutex2var_pd(a, high_elements(), b);
    const lanes low_cd = _mm512_permutex2var_pd(c, low_elements(), d);
    const lanes high_cd = _mm512_permutex2var_pd(c, high_elements(), d);

    v[0] = _mm512_shuffle_f64x2(low_ab, low_cd, 0x44);
    v[1] = _mm512_shuffle_f64x2(low_ab, low_cd, 0xee);
    v[2] = _mm512_shuffle_f64x2(high_ab, high_cd, 0x44);
    v[3] = _mm512_shuffle_f64x2(high_ab, high_cd, 0xee);
}

static inline void lanes_store_nodes(double *p, const lanes v[4])
{
    const lanes low_ab = _mm512_shuffle_f64x2(v[0], v[1], 0x44), low_cd = _mm512_shuffle_f64x2(v[0], v[1], 0xee);
    const lanes high_ab = _mm512_shuffle_f64x2(v[2], v[3], 0x44), high_cd = _mm512_shuffle_f64x2(v[2], v[3], 0xee);

    lanes_store(p, _mm512_permutex2var_pd(low_ab, low_elements(), high_ab));
    lanes_store(p + 8, _mm512_permutex2var_pd(low_ab, high_elements(), high_ab));
    lanes_store(p + 16, _mm512_permutex2var_pd(low_cd, low_elements(), high_cd));
    lanes_store(p + 24, _mm512_permutex2var_pd(low_cd, high_elements(), high_cd));
}

static inline lanes lanes_load_even(const double *p)
{
    return _mm512_permutex2var_pd(lanes_load(p), _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14), lanes_load(p + LANES));
}

#include "kernel/x86_64/slots_lanes.h"

void slots_forward_avx512(double *re, double *im, const double *root_re, const double *root_im, size_t n)
{
    transform(re, im, root_re, root_im, n, true);
}

void slots_inverse_avx512(double *re, double *im, const double *root_re, const double *root_im, size_t n)
{
    transform(re, im, root_re, root_im, n, false);
}

static inline lanes round_lanes(word_lanes *largest, lanes scaled)
{
    const lanes sign = lanes_set(-0.0);
    const lanes away = lanes_add(scaled, _mm512_or_pd(_mm512_and_pd(scaled, sign), lanes_set(ALMOST_HALF)));

    *largest = _mm512_max_epu64(*largest, _mm512_castpd_si512(_mm512_andnot_pd(sign, scaled)));
    return _mm512_roundscale_pd(away, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
}

double slots_scale_and_round_avx512(double *v, size_t n, double factor) { return scale_and_round(v, n, factor); }

/* ---- Integers to residues --------------------------------------------------------------------------------------- */

/* From primes of this size on the quotient is below 2^(63 - 20), so that its rounding does not matter. */
#define BITS_MIN 20

void slots_words_from_integers_avx512(uint64_t *words, const double *v, size_t n, const eis_modulus *m)
{
    const __m512i q = _mm512_set1_epi64((long long)m->q);
    const size_t end = m->bits >= BITS_MIN ? n - n % LANES : 0;

    for (size_t i = 0; i < end; i += LANES) {
        const lanes number = lanes_load(v + i);
        const __m512i quotient = _mm512_cvtpd_epi64(lanes_mul(number, lanes_set(m->q_inverse)));
        const __m512i r = _mm512_sub_epi64(_mm512_cvtpd_epi64(number), _mm512_mullo_epi64(quotient, q));

        /* r is in (-q, q); a negative one is the larger as an unsigned number. */
        _mm512_storeu_si512(words + i, _mm512_min_epu64(r, _mm512_add_epi64(r, q)));
    }
    slots_words_from_integers_generic(words + end, v + end, n - end, m);
}

/* ---- Digits to reals -------------------------------------------------------------------------------------------- */

static inline lanes centred_reals(const uint64_t *digits, size_t limbs, size_t stride, const limb_constants *c)
{
    __m512i negative = _mm512_setzero_si512();
    lanes v = lanes_set(0);

    for (size_t i = 0; i < limbs; i++) {
        const __m512i above = _mm512_sub_epi64(c[i].half, _mm512_loadu_si512(digits + i * stride));

        negative = _mm512_srai_epi64(_mm512_add_epi64(above, negative), 63);
    }
    for (size_t i = limbs; i-- > 0;) {
        const __m512i digit = _mm512_loadu_si512(digits + i * stride);
        const __m512i magnitude = _mm512_ternarylogic_epi64(negative, _mm512_sub_epi64(c[i].top, digit), digit, 0xca);

        v = lanes_add(lanes_mul(v, c[i].q), _mm512_cvtepu64_pd(magnitude));
    }
    return _mm512_xor_pd(v, _mm512_and_pd(_mm512_castsi512_pd(negative), lanes_set(-0.0)));
}

void slots_reals_from_digits_avx512(double *v, const uint64_t *digits, size_t limbs, size_t n, size_t stride,
                                    const eis_modulus *const *m, double factor)
{
    reals_from_digits(v, digits, limbs, n, stride, m, factor);
}
