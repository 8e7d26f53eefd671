/* SPDX-License-Identifier: Apache-2.0 */
/* Residues of primes of up to 50 bits as doubles, four at a time; exact in the default rounding mode.
 *
 * A residue is an integer in a double, of either sign. With |x| <= A q and |w| <= q/2, the product x w is taken mod q
 * by
 *
 *     c = round(x * (w/q)),  h = fl(x w),  l = x w - h,  r = (h - c q) + l
 *
 * Two roundings and that of w/q put the argument of round() at most A q 2^-53 away from x w / q (A/8 for q < 2^50),
 * hence |r| <= (1/2 + A/8) q. l is exact by one fused operation, and h - c q too: it is an integer, and its magnitude
 * is at most |r| + |l| <= |r| + 2^49, below 2^53 for A <= 8. So r is exact, as long as everything is below 2^53, that
 * is 8 q. Nothing is subnormal, and no operation here has a time that depends on other numbers. Source: [HLQ16, section
 * 3]. */
#ifndef EIS_KERNEL_X86_64_ZQ_AVX2_H
#define EIS_KERNEL_X86_64_ZQ_AVX2_H

#include "kernel/zq_word.h"

#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>

#define ZQ_LANES ((size_t)4)

/* The words of n that whole vectors hold. */
static inline size_t whole(size_t n) { return n - n % ZQ_LANES; }

/* A constant that many residues are multiplied by: w in [-q/2, q/2], and w/q. */
typedef struct real_factor {
    __m256d w, over_q;
} real_factor;

static inline __m256d round_real(__m256d x)
{
    return _mm256_round_pd(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* Returns x w mod q, of a magnitude up to (1/2 + A/8) q. Range: |x| <= A q, A <= 8. */
static inline __m256d mul_real(__m256d x, real_factor f, __m256d q)
{
    const __m256d c = round_real(_mm256_mul_pd(x, f.over_q)), h = _mm256_mul_pd(x, f.w);
    const __m256d l = _mm256_fmsub_pd(x, f.w, h);

    return _mm256_add_pd(_mm256_fnmadd_pd(c, q, h), l);
}

/* Brings |x| <= 8 q to q/2, or a few units more. */
static inline __m256d reduce_real(__m256d x, __m256d q, __m256d q_inverse)
{
    return _mm256_fnmadd_pd(round_real(_mm256_mul_pd(x, q_inverse)), q, x);
}

#define MAGIC_REAL 0x1p52 /* adding it puts an integer below 2^52 into the low bits of a double */

/* Words below 2^52 to doubles. */
static inline __m256d real_from_words(__m256i a)
{
    const __m256d magic = _mm256_set1_pd(MAGIC_REAL);

    return _mm256_sub_pd(_mm256_castsi256_pd(_mm256_or_si256(a, _mm256_castpd_si256(magic))), magic);
}

/* Residues in (-q, q) to canonical words. The comparison is with a number, so that -0 is not negative. */
static inline __m256i words_from_real(__m256d x, __m256d q)
{
    const __m256d magic = _mm256_set1_pd(MAGIC_REAL);
    const __m256d negative = _mm256_cmp_pd(x, _mm256_setzero_pd(), _CMP_LT_OQ);
    const __m256d canonical = _mm256_add_pd(x, _mm256_and_pd(negative, q));

    return _mm256_xor_si256(_mm256_castpd_si256(_mm256_add_pd(canonical, magic)), _mm256_castpd_si256(magic));
}

static inline __m256i load_words(const uint64_t *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }

static inline void store_words(uint64_t *p, __m256i v) { _mm256_storeu_si256((__m256i *)(void *)p, v); }

/* Returns a b mod q below 7/8 q: here the quotient comes from a rounded product and a rounded 1/q, with an error of at
 * most three halves of 2^-52 of it, 3/8 for canonical words of 50 bits. */
static inline __m256d mul_reals(__m256d a, __m256d b, __m256d q, __m256d q_inverse)
{
    const __m256d h = _mm256_mul_pd(a, b), l = _mm256_fmsub_pd(a, b, h);
    const __m256d c = round_real(_mm256_mul_pd(h, q_inverse));

    return _mm256_add_pd(_mm256_fnmadd_pd(c, q, h), l);
}

static inline __m256d load_real(const uint64_t *p) { return real_from_words(load_words(p)); }

static inline bool fits_reals(const eis_modulus *m) { return m->bits <= EIS_ZQ_REAL_BITS_MAX; }

/* ---- Words of any size below 2^63, also under the names that zq_wide.h knows ------------------------------------ */

typedef __m256i zq_words;

static inline __m256i all_lanes(uint64_t v) { return _mm256_set1_epi64x((long long)v); }

static inline __m256i plus(__m256i a, __m256i b) { return _mm256_add_epi64(a, b); }

static inline __m256i minus(__m256i a, __m256i b) { return _mm256_sub_epi64(a, b); }

static inline __m256i both(__m256i a, __m256i b) { return _mm256_and_si256(a, b); }

static inline __m256i shift_left(__m256i a, unsigned bits) { return _mm256_sll_epi64(a, _mm_cvtsi32_si128((int)bits)); }

static inline __m256i shift_right(__m256i a, unsigned bits)
{
    return _mm256_srl_epi64(a, _mm_cvtsi32_si128((int)bits));
}

/* The product of the low halves. */
static inline __m256i mul_halves(__m256i a, __m256i b) { return _mm256_mul_epu32(a, b); }

/* a where x > bound, else 0. */
static inline __m256i where_above(__m256i a, __m256i x, __m256i bound)
{
    return _mm256_and_si256(_mm256_cmpgt_epi64(x, bound), a);
}

/* Returns the one of a and b that the top bit of b chooses: a where it is set. */
static inline __m256i unless_negative(__m256i a, __m256i b)
{
    return _mm256_castpd_si256(
        _mm256_blendv_pd(_mm256_castsi256_pd(b), _mm256_castsi256_pd(a), _mm256_castsi256_pd(b)));
}

/* Subtracts m once where a >= m. Range: a < 2m, m < 2^63. */
static inline __m256i subtract_once(__m256i a, __m256i m) { return unless_negative(a, _mm256_sub_epi64(a, m)); }

/* a + b and a - b mod q, canonical. */
static inline __m256i add_words(__m256i a, __m256i b, __m256i q) { return subtract_once(_mm256_add_epi64(a, b), q); }

static inline __m256i sub_words(__m256i a, __m256i b, __m256i q)
{
    const __m256i low = _mm256_sub_epi64(a, b);

    return unless_negative(_mm256_add_epi64(low, q), low);
}

/* Where one vector of permuted words comes from. */
typedef struct source {
    size_t at;           /* of an aligned group */
    __m256i lanes;       /* its permutation, as pairs of 32-bit lanes */
    const uint32_t *any; /* four places, or NULL where they are one group */
} source;

static inline source source_at(const uint32_t *order)
{
    const uint32_t apart = (order[0] ^ order[1]) | (order[0] ^ order[2]) | (order[0] ^ order[3]);
    const __m256i places = _mm256_cvtepu32_epi64(_mm_loadu_si128((const __m128i *)(const void *)order));
    const __m256i low = _mm256_add_epi64(places, places);
    const __m256i high = _mm256_slli_epi64(_mm256_add_epi64(low, _mm256_set1_epi64x(1)), 32);

    return (source){order[0] - order[0] % ZQ_LANES, _mm256_or_si256(low, high), apart < ZQ_LANES ? NULL : order};
}

static inline __m256i load_source(const uint64_t *a, const source *s)
{
    if (s->any != NULL) {
        return _mm256_set_epi64x((long long)a[s->any[3]], (long long)a[s->any[2]], (long long)a[s->any[1]],
                                 (long long)a[s->any[0]]);
    }
    return _mm256_permutevar8x32_epi32(load_words(a + s->at), s->lanes); /* of an index 3 bits count */
}

#endif
