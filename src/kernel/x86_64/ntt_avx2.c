/* SPDX-License-Identifier: Apache-2.0 */
/* Transforms in doubles for primes of up to 50 bits; larger ones run in ntt_wide_avx2.c, degrees below 32 in plain C.
 * Contracts: kernel/ntt.h; exact products: zq_avx2.h; the order of passes: ntt_passes.h.
 *
 * Between passes the array holds doubles in place of words; the first pass reads words, the last writes canonical ones.
 * The two stages with neighbours closer than a vector go through a transposition of 4 x 4.
 *
 * Ranges, in q, with q < 2^50 (so that a product of x is at most 1/2 + |x|/8):
 *   forward  between passes FORWARD_BOUND = 5. One input of four is reduced to 1/2; the products of the first stage are
 * at most 1.13, so its other sums are at most 6.13, products of those 1.27, results 1/2 + 1.13 + 1.27 < 3. A first
 * stage that stands alone adds 1 to words below 4: at most 5. inverse  between passes INVERSE_BOUND = 1 (and a few
 * units). Sums of two 2, their products 3/4; sums of four 4, reduced to 1/2, products of differences of four 1. */
#include "kernel/x86_64/avx2.h"
#include "kernel/x86_64/ntt_passes.h"
#include "kernel/x86_64/zq_avx2.h"

#include "base/status.h"

#define LANES         ((size_t)4)
#define DEGREE_MIN    32 /* a node of the first pass has at least 4 nodes of 4 words */
#define FORWARD_BOUND 5
#define INVERSE_BOUND (1 + 0x1p-17) /* 1, and room for the few units by which a half may be rounded up */

/* What all butterflies of a transform share. */
typedef struct transform {
    const eis_ntt_plan *plan;
    const double *roots, *over_q;
    __m256d q, q_inverse;
    double *a; /* the array while it holds doubles */
} transform;

static transform transform_of(uint64_t *a, const eis_ntt_plan *plan, const double *roots, const double *over_q)
{
    return (transform){plan,
                       roots,
                       over_q,
                       _mm256_set1_pd(plan->mod.q_real),
                       _mm256_set1_pd(plan->mod.q_inverse),
                       (double *)(void *)a};
}

/* The same factor in all lanes. */
static inline real_factor root_at(const transform *f, size_t i)
{
    return (real_factor){_mm256_set1_pd(f->roots[i]), _mm256_set1_pd(f->over_q[i])};
}

static inline real_factor factor_of(double w, double over_q)
{
    return (real_factor){_mm256_set1_pd(w), _mm256_set1_pd(over_q)};
}

/* Four neighbouring factors, one per lane. */
static inline real_factor roots_at(const transform *f, size_t i)
{
    return (real_factor){_mm256_loadu_pd(f->roots + i), _mm256_loadu_pd(f->over_q + i)};
}

static inline __m256d even_of(const double *p)
{
    return _mm256_permute4x64_pd(_mm256_unpacklo_pd(_mm256_loadu_pd(p), _mm256_loadu_pd(p + 4)), 0xd8);
}

static inline __m256d odd_of(const double *p)
{
    return _mm256_permute4x64_pd(_mm256_unpackhi_pd(_mm256_loadu_pd(p), _mm256_loadu_pd(p + 4)), 0xd8);
}

static inline void transpose(__m256d v[4])
{
    const __m256d a = _mm256_unpacklo_pd(v[0], v[1]), b = _mm256_unpackhi_pd(v[0], v[1]);
    const __m256d c = _mm256_unpacklo_pd(v[2], v[3]), d = _mm256_unpackhi_pd(v[2], v[3]);

    v[0] = _mm256_permute2f128_pd(a, c, 0x20);
    v[1] = _mm256_permute2f128_pd(b, d, 0x20);
    v[2] = _mm256_permute2f128_pd(a, c, 0x31);
    v[3] = _mm256_permute2f128_pd(b, d, 0x31);
}

/* The array, or a part of it, between two passes. */
static void verify_bound(const double *a, size_t n, double bound)
{
#ifdef EIS_VERIFY_BUILD
    for (size_t i = 0; i < n; i++) EIS_VERIFY(a[i] <= bound && a[i] >= -bound);
#else
    (void)a;
    (void)n;
    (void)bound;
#endif
}

static inline __m256d load_either(const double *p, int words)
{
    return words ? load_real((const uint64_t *)(const void *)p) : _mm256_loadu_pd(p);
}

static inline void store_canonical(double *p, __m256d x, const transform *f)
{
    store_words((uint64_t *)(void *)p, words_from_real(reduce_real(x, f->q, f->q_inverse), f->q));
}

/* ---- Forward ---------------------------------------------------------------------------------------------------- */

/* Two stages on four inputs: the first pairs 0 with 2 and 1 with 3, the second 0 with 1 and 2 with 3. */
static inline void forward_four(__m256d v[4], real_factor w1, real_factor w2, real_factor w3, const transform *f)
{
    const __m256d r2 = mul_real(v[2], w1, f->q), r3 = mul_real(v[3], w1, f->q);
    const __m256d a0 = reduce_real(v[0], f->q, f->q_inverse);
    const __m256d b0 = _mm256_add_pd(a0, r2), b2 = _mm256_sub_pd(a0, r2);
    const __m256d s1 = mul_real(_mm256_add_pd(v[1], r3), w2, f->q), s3 = mul_real(_mm256_sub_pd(v[1], r3), w3, f->q);

    v[0] = _mm256_add_pd(b0, s1);
    v[1] = _mm256_sub_pd(b0, s1);
    v[2] = _mm256_add_pd(b2, s3);
    v[3] = _mm256_sub_pd(b2, s3);
}

/* The first stage alone, for odd numbers of stages: words to doubles. */
static void forward_one(const void *ctx)
{
    const transform *f = ctx;
    const size_t half = f->plan->degree / 2;
    const real_factor w = root_at(f, 1);

    for (size_t j = 0; j < half; j += LANES) {
        const __m256d x = load_either(f->a + j, 1), r = mul_real(load_either(f->a + half + j, 1), w, f->q);

        _mm256_storeu_pd(f->a + j, _mm256_add_pd(x, r));
        _mm256_storeu_pd(f->a + half + j, _mm256_sub_pd(x, r));
    }
    verify_bound(f->a, f->plan->degree, FORWARD_BOUND * f->plan->mod.q_real);
}

/* Stages m and 2m on node i of m; `words` says that this is the first pass. */
NTT_INLINE void forward_pair(const transform *f, size_t m, size_t i, size_t quarter, int words)
{
    const real_factor w1 = root_at(f, m + i), w2 = root_at(f, 2 * (m + i)), w3 = root_at(f, 2 * (m + i) + 1);
    double *a = f->a + 4 * quarter * i;

    for (size_t j = 0; j < quarter; j += LANES) {
        __m256d v[4];

        for (size_t k = 0; k < 4; k++) v[k] = load_either(a + k * quarter + j, words);
        forward_four(v, w1, w2, w3, f);
        for (size_t k = 0; k < 4; k++) _mm256_storeu_pd(a + k * quarter + j, v[k]);
    }
    verify_bound(a, 4 * quarter, FORWARD_BOUND * f->plan->mod.q_real);
}

static void forward_begin(const void *ctx)
{
    const transform *f = ctx;

    forward_pair(f, 1, 0, f->plan->degree / 4, 1);
}

static inline void forward_node(const void *ctx, size_t m, size_t i, size_t quarter)
{
    forward_pair(ctx, m, i, quarter, 0);
}

/* The last two stages for 4 nodes at a time, nodes [i, last) of n/4, to canonical words. */
static inline void forward_end(const void *ctx, size_t i, size_t last)
{
    const transform *f = ctx;
    const size_t m = f->plan->degree / 4;

    for (; i < last; i += LANES) {
        const double *w = f->roots + 2 * (m + i), *over_q = f->over_q + 2 * (m + i);
        double *a = f->a + 4 * i;
        __m256d v[4];

        for (size_t k = 0; k < 4; k++) v[k] = _mm256_loadu_pd(a + 4 * k);
        transpose(v);
        forward_four(v, roots_at(f, m + i), (real_factor){even_of(w), even_of(over_q)},
                     (real_factor){odd_of(w), odd_of(over_q)}, f);
        transpose(v);
        for (size_t k = 0; k < 4; k++) store_canonical(a + 4 * k, v[k], f);
    }
}

static const forward_passes forward = {2, forward_one, forward_begin, forward_node, forward_end};

void ntt_forward_avx2(uint64_t *a, const eis_ntt_plan *plan)
{
    const transform f = transform_of(a, plan, plan->roots_real, plan->roots_over_q);

    if (plan->roots_real == NULL || plan->degree < DEGREE_MIN) {
        ntt_forward_wide_avx2(a, plan);
        return;
    }
    for (size_t i = 0; i < plan->degree; i++) EIS_VERIFY(a[i] < EIS_NTT_LAZY_BOUND * plan->mod.q);
    run_forward(&forward, &f, plan);
}

/* ---- Inverse ---------------------------------------------------------------------------------------------------- */

/* The four of forward_four backwards, before the second stage is done: sums in 0 and 1, differences in 2 and 3. */
static inline void inverse_half(__m256d v[4], real_factor w2, real_factor w3, __m256d q)
{
    const __m256d b0 = _mm256_add_pd(v[0], v[1]), b1 = mul_real(_mm256_sub_pd(v[0], v[1]), w2, q);
    const __m256d b2 = _mm256_add_pd(v[2], v[3]), b3 = mul_real(_mm256_sub_pd(v[2], v[3]), w3, q);

    v[0] = _mm256_add_pd(b0, b2);
    v[1] = _mm256_add_pd(b1, b3);
    v[2] = _mm256_sub_pd(b0, b2);
    v[3] = _mm256_sub_pd(b1, b3);
}

static inline void inverse_four(__m256d v[4], real_factor w1, real_factor w2, real_factor w3, const transform *f)
{
    inverse_half(v, w2, w3, f->q);
    v[0] = reduce_real(v[0], f->q, f->q_inverse);
    v[1] = reduce_real(v[1], f->q, f->q_inverse);
    v[2] = mul_real(v[2], w1, f->q);
    v[3] = mul_real(v[3], w1, f->q);
}

/* The first two stages for 4 nodes at a time, nodes [i, last) of n/4, from words. */
static inline void inverse_begin(const void *ctx, size_t i, size_t last)
{
    const transform *f = ctx;
    const size_t m = f->plan->degree / 4, from = i;

    for (; i < last; i += LANES) {
        const double *w = f->roots + 2 * (m + i), *over_q = f->over_q + 2 * (m + i);
        double *a = f->a + 4 * i;
        __m256d v[4];

        for (size_t k = 0; k < 4; k++) v[k] = load_either(a + 4 * k, 1);
        transpose(v);
        inverse_four(v, roots_at(f, m + i), (real_factor){even_of(w), even_of(over_q)},
                     (real_factor){odd_of(w), odd_of(over_q)}, f);
        transpose(v);
        for (size_t k = 0; k < 4; k++) _mm256_storeu_pd(a + 4 * k, v[k]);
    }
    verify_bound(f->a + 4 * from, 4 * (last - from), INVERSE_BOUND * f->plan->mod.q_real);
}

static inline void inverse_node(const void *ctx, size_t m, size_t i, size_t quarter)
{
    const transform *f = ctx;
    const real_factor w1 = root_at(f, m + i), w2 = root_at(f, 2 * (m + i)), w3 = root_at(f, 2 * (m + i) + 1);
    double *a = f->a + 4 * quarter * i;

    for (size_t j = 0; j < quarter; j += LANES) {
        __m256d v[4];

        for (size_t k = 0; k < 4; k++) v[k] = _mm256_loadu_pd(a + k * quarter + j);
        inverse_four(v, w1, w2, w3, f);
        for (size_t k = 0; k < 4; k++) _mm256_storeu_pd(a + k * quarter + j, v[k]);
    }
    verify_bound(a, 4 * quarter, INVERSE_BOUND * f->plan->mod.q_real);
}

/* The last stage, or the last two, with the factor 1/n, to canonical words. */
static void inverse_one(const void *ctx)
{
    const transform *f = ctx;
    const eis_ntt_plan *plan = f->plan;
    const real_factor sum = factor_of(plan->degree_inverse_real, plan->degree_inverse_over_q);
    const real_factor difference = factor_of(plan->last_inverse_real, plan->last_inverse_over_q);
    const size_t half = plan->degree / 2;

    for (size_t j = 0; j < half; j += LANES) {
        const __m256d x = _mm256_loadu_pd(f->a + j), y = _mm256_loadu_pd(f->a + half + j);

        store_canonical(f->a + j, mul_real(_mm256_add_pd(x, y), sum, f->q), f);
        store_canonical(f->a + half + j, mul_real(_mm256_sub_pd(x, y), difference, f->q), f);
    }
}

static void inverse_end(const void *ctx)
{
    const transform *f = ctx;
    const eis_ntt_plan *plan = f->plan;
    const real_factor sum = factor_of(plan->degree_inverse_real, plan->degree_inverse_over_q);
    const real_factor difference = factor_of(plan->last_inverse_real, plan->last_inverse_over_q);
    const real_factor w2 = root_at(f, 2), w3 = root_at(f, 3);
    const size_t quarter = plan->degree / 4;

    for (size_t j = 0; j < quarter; j += LANES) {
        __m256d v[4];

        for (size_t k = 0; k < 4; k++) v[k] = _mm256_loadu_pd(f->a + k * quarter + j);
        inverse_half(v, w2, w3, f->q);
        for (size_t k = 0; k < 4; k++) {
            store_canonical(f->a + k * quarter + j, mul_real(v[k], k < 2 ? sum : difference, f->q), f);
        }
    }
}

static const inverse_passes inverse = {2, inverse_begin, inverse_node, inverse_one, inverse_end};

void ntt_inverse_avx2(uint64_t *a, const eis_ntt_plan *plan)
{
    const transform f = transform_of(a, plan, plan->inverse_roots_real, plan->inverse_roots_over_q);

    if (plan->roots_real == NULL || plan->degree < DEGREE_MIN) {
        ntt_inverse_wide_avx2(a, plan);
        return;
    }
    for (size_t i = 0; i < plan->degree; i++) EIS_VERIFY(a[i] < plan->mod.q);
    run_inverse(&inverse, &f, plan);
}
