/* SPDX-License-Identifier: Apache-2.0 */
/* Transforms in doubles for primes of up to 50 bits; larger ones run in ntt_wide_avx2.c, degrees below 32 in plain C.
 * Contracts: kernel/ntt.h; exact products: zq_avx2.h; the order of passes: ntt_passes.h.
 *
 * Between passes the array holds doubles in place of words; the first pass reads words, the last writes canonical ones.
 * The two stages with neighbours closer than a vector go through a transposition of 4 x 4. Loops begin their next four
 * vectors before they finish these: what waits in a processor's queues is then not one long chain.
 *
 * Ranges, in q. A product of |x| <= A q is at most 1/2 + A 2^(bits-53), that is 1/2 + A/8 for 50 bits.
 *   forward  SMALL primes (46 bits) are never reduced: a stage adds 1/2 + A/128, and from 4 seventeen stages come to
 *            less than FORWARD_SMALL = 14.
 *            LARGE ones are below FORWARD_BOUND = 5 between passes. One input of four is reduced to 1/2; the products
 *            of the first stage are at most 1.13, so its other sums are at most 6.13, products of those 1.27, results
 *            1/2 + 1.13 + 1.27 < 3. A first stage that stands alone adds 1 to words below 4: at most 5.
 *   inverse  below INVERSE_BOUND = 2 between passes. Sums of two come to 4, their products to 1, sums of two products
 * to 2 (less, as words begin at 1); sums of four come to 8 and are reduced to 1/2, their products to 3/2. */
#include "kernel/x86_64/avx2.h"
#include "kernel/x86_64/ntt_passes.h"
#include "kernel/x86_64/zq_avx2.h"

#include "base/status.h"

#define DEGREE_MIN     32 /* a node of the first pass has at least 4 nodes of 4 words */
#define FORWARD_SMALL  14
#define FORWARD_BOUND  5
#define INVERSE_BOUND  2
#define SMALL_BITS_MAX 46

/* Kinds of primes. */
#define LARGE 0
#define SMALL 1

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

static inline real_factor factor_of(double w, double over_q)
{
    return (real_factor){_mm256_set1_pd(w), _mm256_set1_pd(over_q)};
}

/* The same factor in all lanes. */
static inline real_factor root_at(const transform *f, size_t i) { return factor_of(f->roots[i], f->over_q[i]); }

/* Four neighbouring factors, one per lane. */
static inline real_factor roots_at(const transform *f, size_t i)
{
    return (real_factor){_mm256_loadu_pd(f->roots + i), _mm256_loadu_pd(f->over_q + i)};
}

/* Where the roots of node i and its halves begin; i is one of every four of n/4. */
static inline size_t end_roots(const transform *f, size_t i) { return f->plan->degree / 4 + 3 * i; }

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

static double forward_bound(const transform *f, int kind)
{
    return (kind == SMALL ? FORWARD_SMALL : FORWARD_BOUND) * f->plan->mod.q_real;
}

static inline __m256d load_either(const double *p, int words)
{
    return words ? load_real((const uint64_t *)(const void *)p) : _mm256_loadu_pd(p);
}

/* Four vectors, `quarter` numbers apart. No loops: gcc at -O2 keeps an array that a loop indexes in memory. */
static inline void load_four(__m256d v[4], const double *p, size_t quarter, int words)
{
    v[0] = load_either(p, words);
    v[1] = load_either(p + quarter, words);
    v[2] = load_either(p + 2 * quarter, words);
    v[3] = load_either(p + 3 * quarter, words);
}

static inline void store_four(double *p, const __m256d v[4], size_t quarter)
{
    _mm256_storeu_pd(p, v[0]);
    _mm256_storeu_pd(p + quarter, v[1]);
    _mm256_storeu_pd(p + 2 * quarter, v[2]);
    _mm256_storeu_pd(p + 3 * quarter, v[3]);
}

static inline void copy_four(__m256d to[4], const __m256d from[4])
{
    to[0] = from[0];
    to[1] = from[1];
    to[2] = from[2];
    to[3] = from[3];
}

/* SMALL: (x + 1/2) / q is more than 2^-48 away from integers, and computed with an error below 14 2^-52, so that its
 * floor is right for any sign of x. */
static inline void store_canonical(double *p, __m256d x, const transform *f, int kind)
{
    uint64_t *words = (uint64_t *)(void *)p;

    if (kind == SMALL) {
        const __m256d half = _mm256_mul_pd(f->q_inverse, _mm256_set1_pd(0.5)), magic = _mm256_set1_pd(MAGIC_REAL);
        const __m256d c = _mm256_floor_pd(_mm256_fmadd_pd(x, f->q_inverse, half));
        const __m256d r = _mm256_add_pd(_mm256_fnmadd_pd(c, f->q, x), magic);

        store_words(words, _mm256_xor_si256(_mm256_castpd_si256(r), _mm256_castpd_si256(magic)));
    } else {
        store_words(words, words_from_real(reduce_real(x, f->q, f->q_inverse), f->q));
    }
}

static inline void store_canonical_four(double *p, const __m256d v[4], size_t quarter, const transform *f, int kind)
{
    store_canonical(p, v[0], f, kind);
    store_canonical(p + quarter, v[1], f, kind);
    store_canonical(p + 2 * quarter, v[2], f, kind);
    store_canonical(p + 3 * quarter, v[3], f, kind);
}

/* ---- Forward ---------------------------------------------------------------------------------------------------- */

/* Two stages on four inputs: the first pairs 0 with 2 and 1 with 3, the second 0 with 1 and 2 with 3. */
static inline void forward_first(__m256d v[4], real_factor w1, const transform *f, int kind)
{
    const __m256d r2 = mul_real(v[2], w1, f->q), r3 = mul_real(v[3], w1, f->q), a1 = v[1];
    const __m256d a0 = kind == SMALL ? v[0] : reduce_real(v[0], f->q, f->q_inverse);

    v[0] = _mm256_add_pd(a0, r2);
    v[1] = _mm256_add_pd(a1, r3);
    v[2] = _mm256_sub_pd(a0, r2);
    v[3] = _mm256_sub_pd(a1, r3);
}

static inline void forward_second(__m256d v[4], real_factor w2, real_factor w3, const transform *f)
{
    const __m256d s1 = mul_real(v[1], w2, f->q), s3 = mul_real(v[3], w3, f->q), b0 = v[0], b2 = v[2];

    v[0] = _mm256_add_pd(b0, s1);
    v[1] = _mm256_sub_pd(b0, s1);
    v[2] = _mm256_add_pd(b2, s3);
    v[3] = _mm256_sub_pd(b2, s3);
}

/* The first stage alone, for odd numbers of stages: words to doubles. */
NTT_INLINE void forward_one(const transform *f, int kind)
{
    const size_t half = f->plan->degree / 2;
    const real_factor w = root_at(f, 1);

    for (size_t j = 0; j < half; j += ZQ_LANES) {
        const __m256d x = load_either(f->a + j, 1), r = mul_real(load_either(f->a + half + j, 1), w, f->q);

        _mm256_storeu_pd(f->a + j, _mm256_add_pd(x, r));
        _mm256_storeu_pd(f->a + half + j, _mm256_sub_pd(x, r));
    }
    verify_bound(f->a, f->plan->degree, forward_bound(f, kind));
}

/* Stages m and 2m on node i of m; `first` says that the array still holds words. */
NTT_INLINE void forward_node(const transform *f, size_t m, size_t i, size_t quarter, int first, int kind)
{
    const real_factor w1 = root_at(f, m + i), w2 = root_at(f, 2 * (m + i)), w3 = root_at(f, 2 * (m + i) + 1);
    double *a = f->a + 4 * quarter * i;
    __m256d v[4], next[4];

    load_four(v, a, quarter, first);
    forward_first(v, w1, f, kind);
    for (size_t j = ZQ_LANES; j < quarter; j += ZQ_LANES) {
        load_four(next, a + j, quarter, first);
        forward_first(next, w1, f, kind);
        forward_second(v, w2, w3, f);
        store_four(a + j - ZQ_LANES, v, quarter);
        copy_four(v, next);
    }
    forward_second(v, w2, w3, f);
    store_four(a + quarter - ZQ_LANES, v, quarter);
    verify_bound(a, 4 * quarter, forward_bound(f, kind));
}

/* Begins and finishes four nodes from node i of n/4. */
static inline void begin_forward_end(__m256d v[4], const transform *f, size_t i, int kind)
{
    load_four(v, f->a + 4 * i, 4, 0);
    transpose(v);
    forward_first(v, roots_at(f, end_roots(f, i)), f, kind);
}

static inline void finish_forward_end(__m256d v[4], const transform *f, size_t i, int kind)
{
    const size_t w = end_roots(f, i);

    forward_second(v, roots_at(f, w + 4), roots_at(f, w + 8), f);
    transpose(v);
    store_canonical_four(f->a + 4 * i, v, 4, f, kind);
}

/* The last two stages for 4 nodes at a time, nodes [i, last) of n/4, to canonical words. */
NTT_INLINE void forward_end(const transform *f, size_t i, size_t last, int kind)
{
    __m256d v[4], next[4];

    begin_forward_end(v, f, i, kind);
    for (i += ZQ_LANES; i < last; i += ZQ_LANES) {
        begin_forward_end(next, f, i, kind);
        finish_forward_end(v, f, i - ZQ_LANES, kind);
        copy_four(v, next);
    }
    finish_forward_end(v, f, last - ZQ_LANES, kind);
}

/* ---- Inverse ---------------------------------------------------------------------------------------------------- */

/* forward_second backwards, then forward_first, the latter with sums in 0 and 1, and differences in 2 and 3 before
 * their products. */
static inline void inverse_first(__m256d v[4], real_factor w2, real_factor w3, __m256d q)
{
    const __m256d b0 = _mm256_add_pd(v[0], v[1]), b1 = mul_real(_mm256_sub_pd(v[0], v[1]), w2, q);
    const __m256d b2 = _mm256_add_pd(v[2], v[3]), b3 = mul_real(_mm256_sub_pd(v[2], v[3]), w3, q);

    v[0] = _mm256_add_pd(b0, b2);
    v[1] = _mm256_add_pd(b1, b3);
    v[2] = _mm256_sub_pd(b0, b2);
    v[3] = _mm256_sub_pd(b1, b3);
}

static inline void inverse_second(__m256d v[4], real_factor w1, const transform *f)
{
    v[0] = reduce_real(v[0], f->q, f->q_inverse);
    v[2] = mul_real(v[2], w1, f->q);
    v[3] = mul_real(v[3], w1, f->q);
}

/* Begins and finishes four nodes from node i of n/4. */
static inline void begin_inverse_begin(__m256d v[4], const transform *f, size_t i)
{
    const size_t w = end_roots(f, i);

    load_four(v, f->a + 4 * i, 4, 1);
    transpose(v);
    inverse_first(v, roots_at(f, w + 4), roots_at(f, w + 8), f->q);
}

static inline void finish_inverse_begin(__m256d v[4], const transform *f, size_t i)
{
    inverse_second(v, roots_at(f, end_roots(f, i)), f);
    transpose(v);
    store_four(f->a + 4 * i, v, 4);
}

/* The first two stages for 4 nodes at a time, nodes [i, last) of n/4, from words. */
NTT_INLINE void inverse_begin(const transform *f, size_t i, size_t last, int kind)
{
    const size_t from = i;
    __m256d v[4], next[4];

    (void)kind;
    begin_inverse_begin(v, f, i);
    for (i += ZQ_LANES; i < last; i += ZQ_LANES) {
        begin_inverse_begin(next, f, i);
        finish_inverse_begin(v, f, i - ZQ_LANES);
        copy_four(v, next);
    }
    finish_inverse_begin(v, f, last - ZQ_LANES);
    verify_bound(f->a + 4 * from, 4 * (last - from), INVERSE_BOUND * f->plan->mod.q_real);
}

NTT_INLINE void inverse_node(const transform *f, size_t m, size_t i, size_t quarter, int kind)
{
    const real_factor w1 = root_at(f, m + i), w2 = root_at(f, 2 * (m + i)), w3 = root_at(f, 2 * (m + i) + 1);
    double *a = f->a + 4 * quarter * i;
    __m256d v[4], next[4];

    (void)kind;
    load_four(v, a, quarter, 0);
    inverse_first(v, w2, w3, f->q);
    for (size_t j = ZQ_LANES; j < quarter; j += ZQ_LANES) {
        load_four(next, a + j, quarter, 0);
        inverse_first(next, w2, w3, f->q);
        inverse_second(v, w1, f);
        store_four(a + j - ZQ_LANES, v, quarter);
        copy_four(v, next);
    }
    inverse_second(v, w1, f);
    store_four(a + quarter - ZQ_LANES, v, quarter);
    verify_bound(a, 4 * quarter, INVERSE_BOUND * f->plan->mod.q_real);
}

/* The last stage, or the last two, with the factor 1/n, to canonical words. */
NTT_INLINE void inverse_one(const transform *f, int kind)
{
    const eis_ntt_plan *plan = f->plan;
    const real_factor sum = factor_of(plan->degree_inverse_real, plan->degree_inverse_over_q);
    const real_factor difference = factor_of(plan->last_inverse_real, plan->last_inverse_over_q);
    const size_t half = plan->degree / 2;

    for (size_t j = 0; j < half; j += ZQ_LANES) {
        const __m256d x = _mm256_loadu_pd(f->a + j), y = _mm256_loadu_pd(f->a + half + j);

        store_canonical(f->a + j, mul_real(_mm256_add_pd(x, y), sum, f->q), f, kind);
        store_canonical(f->a + half + j, mul_real(_mm256_sub_pd(x, y), difference, f->q), f, kind);
    }
}

NTT_INLINE void inverse_end(const transform *f, int kind)
{
    const eis_ntt_plan *plan = f->plan;
    const real_factor sum = factor_of(plan->degree_inverse_real, plan->degree_inverse_over_q);
    const real_factor difference = factor_of(plan->last_inverse_real, plan->last_inverse_over_q);
    const real_factor w2 = root_at(f, 2), w3 = root_at(f, 3);
    const size_t quarter = plan->degree / 4;

    for (size_t j = 0; j < quarter; j += ZQ_LANES) {
        __m256d v[4];

        load_four(v, f->a + j, quarter, 0);
        inverse_first(v, w2, w3, f->q);
        v[0] = mul_real(v[0], sum, f->q);
        v[1] = mul_real(v[1], sum, f->q);
        v[2] = mul_real(v[2], difference, f->q);
        v[3] = mul_real(v[3], difference, f->q);
        store_canonical_four(f->a + j, v, quarter, f, kind);
    }
}

/* ---- Both ------------------------------------------------------------------------------------------------------- */

NTT_DEFINE_PASSES(small, SMALL, 2)
NTT_DEFINE_PASSES(large, LARGE, 2)

static bool is_ours(const eis_ntt_plan *plan) { return plan->roots_real != NULL && plan->degree >= DEGREE_MIN; }

void ntt_forward_avx2(uint64_t *a, const eis_ntt_plan *plan)
{
    const transform f = transform_of(a, plan, plan->roots_real, plan->roots_over_q);

    if (!is_ours(plan)) {
        ntt_forward_wide_avx2(a, plan);
        return;
    }
    for (size_t i = 0; i < plan->degree; i++) EIS_VERIFY(a[i] < EIS_NTT_LAZY_BOUND * plan->mod.q);
    if (plan->mod.bits <= SMALL_BITS_MAX) {
        run_forward(&small_forward, &f, plan);
    } else {
        run_forward(&large_forward, &f, plan);
    }
}

void ntt_inverse_avx2(uint64_t *a, const eis_ntt_plan *plan)
{
    const transform f = transform_of(a, plan, plan->inverse_roots_real, plan->inverse_roots_over_q);

    if (!is_ours(plan)) {
        ntt_inverse_wide_avx2(a, plan);
        return;
    }
    for (size_t i = 0; i < plan->degree; i++) EIS_VERIFY(a[i] < plan->mod.q);
    if (plan->mod.bits <= SMALL_BITS_MAX) {
        run_inverse(&small_inverse, &f, plan);
    } else {
        run_inverse(&large_inverse, &f, plan);
    }
}
