/* SPDX-License-Identifier: Apache-2.0 */
/* Slots with AVX2. Contracts: kernel/slots.h. */
#include "kernel/x86_64/avx2.h"
#include "kernel/x86_64/zq_avx2.h"

#define LANES       ((size_t)4)
#define SLOTS_PAIRS 0

typedef __m256d lanes;
typedef __m256i word_lanes;

static inline lanes lanes_load(const double *p) { return _mm256_loadu_pd(p); }

static inline void lanes_store(double *p, lanes v) { _mm256_storeu_pd(p, v); }

static inline lanes lanes_set(double v) { return _mm256_set1_pd(v); }

static inline word_lanes words_set(uint64_t v) { return _mm256_set1_epi64x((long long)v); }

static inline lanes lanes_add(lanes a, lanes b) { return _mm256_add_pd(a, b); }

static inline lanes lanes_sub(lanes a, lanes b) { return _mm256_sub_pd(a, b); }

static inline lanes lanes_mul(lanes a, lanes b) { return _mm256_mul_pd(a, b); }

static inline lanes lanes_negate(lanes a) { return _mm256_xor_pd(a, lanes_set(-0.0)); }

/* A square of 4 x 4 numbers turned over; its own inverse. */
static inline void turn_square(lanes v[4])
{
    const lanes low01 = _mm256_unpacklo_pd(v[0], v[1]), high01 = _mm256_unpackhi_pd(v[0], v[1]);
    const lanes low23 = _mm256_unpacklo_pd(v[2], v[3]), high23 = _mm256_unpackhi_pd(v[2], v[3]);

    v[0] = _mm256_permute2f128_pd(low01, low23, 0x20);
    v[1] = _mm256_permute2f128_pd(high01, high23, 0x20);
    v[2] = _mm256_permute2f128_pd(low01, low23, 0x31);
    v[3] = _mm256_permute2f128_pd(high01, high23, 0x31);
}

static inline void lanes_load_nodes(lanes v[4], const double *p)
{
    for (size_t k = 0; k < 4; k++) v[k] = lanes_load(p + LANES * k);
    turn_square(v);
}

static inline void lanes_store_nodes(double *p, lanes v[4])
{
    turn_square(v);
    for (size_t k = 0; k < 4; k++) lanes_store(p + LANES * k, v[k]);
}

static inline lanes lanes_load_even(const double *p)
{
    return _mm256_permute4x64_pd(_mm256_unpacklo_pd(lanes_load(p), lanes_load(p + LANES)), 0xd8);
}

#include "kernel/x86_64/slots_lanes.h"

void slots_forward_avx2(double *re, double *im, const double *root_re, const double *root_im, size_t n)
{
    transform(re, im, root_re, root_im, n, true);
}

void slots_inverse_avx2(double *re, double *im, const double *root_re, const double *root_im, size_t n)
{
    transform(re, im, root_re, root_im, n, false);
}

static inline lanes round_lanes(word_lanes *largest, lanes scaled)
{
    const lanes sign = lanes_set(-0.0);
    const word_lanes magnitude = _mm256_castpd_si256(_mm256_andnot_pd(sign, scaled));
    const lanes away = lanes_add(scaled, _mm256_or_pd(_mm256_and_pd(scaled, sign), lanes_set(ALMOST_HALF)));

    *largest = _mm256_blendv_epi8(*largest, magnitude, _mm256_cmpgt_epi64(magnitude, *largest));
    return _mm256_round_pd(away, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
}

double slots_scale_and_round_avx2(double *v, size_t n, double factor) { return scale_and_round(v, n, factor); }

/* ---- Integers to residues --------------------------------------------------------------------------------------- */

#define ROUNDER 0x1.8p52 /* adding it puts an integer of either sign below 2^51 into the low bits of a double */

/* Primes that have exact arithmetic in doubles, and are large enough for the quotient's rounding not to matter: it is
 * below 2^(63 - 20), so its error is below 2^-8. */
#define REAL_BITS_MIN 20

static inline void words_from_integers_real(uint64_t *words, const double *v, size_t end, const eis_modulus *m)
{
    const lanes q = lanes_set(m->q_real), q_inverse = lanes_set(m->q_inverse);

    for (size_t i = 0; i < end; i += LANES) {
        store_words(words + i, words_from_real(reduce_real(lanes_load(v + i), q, q_inverse), q));
    }
}

/* A signed integer below 2^62 as a word, from a high part in units of 2^32 and the rest, both exact. */
static inline __m256i word_of_integer(lanes v)
{
    const lanes rounder = lanes_set(ROUNDER), unit = lanes_set(0x1p32);
    const lanes high = round_real(lanes_mul(v, lanes_set(0x1p-32))), low = _mm256_fnmadd_pd(high, unit, v);
    const __m256i high_bits = _mm256_castpd_si256(lanes_add(high, rounder));
    const __m256i low_bits = _mm256_castpd_si256(lanes_add(low, rounder));

    return _mm256_add_epi64(_mm256_slli_epi64(high_bits, 32), _mm256_sub_epi64(low_bits, _mm256_castpd_si256(rounder)));
}

/* Larger primes: the quotient, below 2^13, is rounded as a number and multiplied as a word, by parts of q of 30 and 31
 * bits. */
static inline void words_from_integers_wide(uint64_t *words, const double *v, size_t end, const eis_modulus *m)
{
    const lanes rounder = lanes_set(ROUNDER), q_inverse = lanes_set(m->q_inverse);
    const __m256i q = _mm256_set1_epi64x((long long)m->q), q_high = _mm256_set1_epi64x((long long)(m->q >> 30));
    const __m256i q_low = _mm256_set1_epi64x((long long)(m->q & ((UINT64_C(1) << 30) - 1)));

    for (size_t i = 0; i < end; i += LANES) {
        const lanes number = lanes_load(v + i);
        const __m256i quotient = _mm256_castpd_si256(lanes_add(lanes_mul(number, q_inverse), rounder));
        const __m256i product = _mm256_add_epi64(_mm256_slli_epi64(_mm256_mul_epi32(quotient, q_high), 30),
                                                 _mm256_mul_epi32(quotient, q_low));
        const __m256i r = _mm256_sub_epi64(word_of_integer(number), product);
        const __m256i negative = _mm256_cmpgt_epi64(_mm256_setzero_si256(), r);

        store_words(words + i, _mm256_add_epi64(r, _mm256_and_si256(negative, q)));
    }
}

void slots_words_from_integers_avx2(uint64_t *words, const double *v, size_t n, const eis_modulus *m)
{
    const size_t end = m->bits >= REAL_BITS_MIN ? n - n % LANES : 0;

    if (m->bits <= EIS_ZQ_REAL_BITS_MAX) {
        words_from_integers_real(words, v, end, m);
    } else {
        words_from_integers_wide(words, v, end, m);
    }
    slots_words_from_integers_generic(words + end, v + end, n - end, m);
}

/* ---- Digits to reals -------------------------------------------------------------------------------------------- */

/* A word below 2^61 as a number, rounded once: both halves stand in the low bits of numbers whose sum is exact but for
 * the last addition. */
static inline lanes real_of_word(__m256i a)
{
    const lanes high_unit = lanes_set(0x1p84), low_unit = lanes_set(0x1p52);
    const lanes high = _mm256_castsi256_pd(_mm256_or_si256(_mm256_srli_epi64(a, 32), _mm256_castpd_si256(high_unit)));
    const lanes low = _mm256_castsi256_pd(_mm256_blend_epi32(a, _mm256_castpd_si256(low_unit), 0xaa));

    return lanes_add(lanes_sub(high, lanes_set(0x1p84 + 0x1p52)), low);
}

static inline lanes centred_reals(const uint64_t *digits, size_t limbs, size_t stride, const limb_constants *c)
{
    __m256i negative = _mm256_setzero_si256();
    lanes v = lanes_set(0);

    for (size_t i = 0; i < limbs; i++) {
        const __m256i above = _mm256_sub_epi64(c[i].half, load_words(digits + i * stride));

        negative = _mm256_cmpgt_epi64(_mm256_setzero_si256(), _mm256_add_epi64(above, negative));
    }
    for (size_t i = limbs; i-- > 0;) {
        const __m256i digit = load_words(digits + i * stride);
        const __m256i magnitude = _mm256_blendv_epi8(digit, _mm256_sub_epi64(c[i].top, digit), negative);

        v = lanes_add(lanes_mul(v, c[i].q), real_of_word(magnitude));
    }
    return _mm256_xor_pd(v, _mm256_and_pd(_mm256_castsi256_pd(negative), lanes_set(-0.0)));
}

void slots_reals_from_digits_avx2(double *v, const uint64_t *digits, size_t limbs, size_t n, size_t stride,
                                  const eis_modulus *const *m, double factor)
{
    reals_from_digits(v, digits, limbs, n, stride, m, factor);
}
