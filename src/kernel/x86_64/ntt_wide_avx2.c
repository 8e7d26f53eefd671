/* SPDX-License-Identifier: Apache-2.0 */
/* Transforms in 64-bit words for primes of up to 60 bits; 61 bits, and degrees below 32, run in plain C. Contracts:
 * kernel/ntt.h; the order of passes: ntt_passes.h.
 *
 * A product y w mod q takes its quotient from w' = floor(w 2^64 / q) as in plain C, but the high half of y w' is made
 * of three 32-bit products only: what the low halves carry is left out, which makes the quotient too small by at
 * most 2. So the product is below (1 + y / 2^64 + 2) q < 3.5 q for y < 2^63, and ranges are twice those of plain C:
 *
 *   forward  words below FORWARD_BOUND q = 8 q < 2^63. An input is brought below 4q by one subtraction; sum and
 * difference with a product below 3.5 q (4q added) are below 8q again. inverse  words below INVERSE_BOUND q = 4 q. Sums
 * below 8q are brought below 4q; differences, 4q added, go below 3.5 q by their product. */
#include "kernel/generic/generic.h"
#include "kernel/x86_64/avx2.h"
#include "kernel/x86_64/ntt_passes.h"
#include "kernel/x86_64/zq_wide_avx2.h"

#include "base/status.h"

#define DEGREE_MIN    32 /* a node of the first pass has at least 4 nodes of 4 words */
#define BITS_MAX      60
#define FORWARD_BOUND 8
#define INVERSE_BOUND 4

/* What all butterflies of a transform share. */
typedef struct transform {
    const eis_ntt_plan *plan;
    const uint64_t *roots, *shoup;
    uint64_t *a;
    __m256i q, q2, q4;
} transform;

/* A constant factor: w, and w'. */
typedef struct word_factor {
    __m256i w, shoup;
} word_factor;

static inline word_factor root_at(const transform *f, size_t i)
{
    return (word_factor){all_lanes(f->roots[i]), all_lanes(f->shoup[i])};
}

static inline word_factor roots_at(const transform *f, size_t i)
{
    return (word_factor){load_words(f->roots + i), load_words(f->shoup + i)};
}

static inline word_factor constant_factor(eis_zq_factor factor)
{
    return (word_factor){all_lanes(factor.value), all_lanes(factor.shoup)};
}

static transform transform_of(uint64_t *a, const eis_ntt_plan *plan, const uint64_t *roots, const uint64_t *shoup)
{
    const uint64_t q = plan->mod.q;

    return (transform){plan, roots, shoup, a, all_lanes(q), all_lanes(2 * q), all_lanes(4 * q)};
}

/* Returns y w mod q below 3.5 q, for y < 2^63. */
static inline __m256i mul_word(__m256i y, const word_factor *w, const transform *f)
{
    return mul_wide(y, w->w, w->shoup, f->q);
}

static inline __m256i even_of(const uint64_t *p)
{
    return _mm256_permute4x64_epi64(_mm256_unpacklo_epi64(load_words(p), load_words(p + 4)), 0xd8);
}

static inline __m256i odd_of(const uint64_t *p)
{
    return _mm256_permute4x64_epi64(_mm256_unpackhi_epi64(load_words(p), load_words(p + 4)), 0xd8);
}

static inline void transpose(__m256i v[4])
{
    const __m256i a = _mm256_unpacklo_epi64(v[0], v[1]), b = _mm256_unpackhi_epi64(v[0], v[1]);
    const __m256i c = _mm256_unpacklo_epi64(v[2], v[3]), d = _mm256_unpackhi_epi64(v[2], v[3]);

    v[0] = _mm256_permute2x128_si256(a, c, 0x20);
    v[1] = _mm256_permute2x128_si256(b, d, 0x20);
    v[2] = _mm256_permute2x128_si256(a, c, 0x31);
    v[3] = _mm256_permute2x128_si256(b, d, 0x31);
}

/* Four vectors, `quarter` words apart. No loops: gcc at -O2 keeps an array that a loop indexes in memory. */
static inline void load_four(__m256i v[4], const uint64_t *p, size_t quarter)
{
    v[0] = load_words(p);
    v[1] = load_words(p + quarter);
    v[2] = load_words(p + 2 * quarter);
    v[3] = load_words(p + 3 * quarter);
}

static inline void store_four(uint64_t *p, const __m256i v[4], size_t quarter)
{
    store_words(p, v[0]);
    store_words(p + quarter, v[1]);
    store_words(p + 2 * quarter, v[2]);
    store_words(p + 3 * quarter, v[3]);
}

/* Words between two passes. */
static inline void verify_bound(const uint64_t *a, size_t n, uint64_t bound)
{
    (void)a;
    (void)bound;
    for (size_t i = 0; i < n; i++) EIS_VERIFY(a[i] < bound);
}

/* ---- Forward ----------------------------------------------------------------------------------------------------- */

static inline void forward_two(__m256i *x, __m256i *y, const word_factor *w, const transform *f)
{
    const __m256i u = subtract_once(*x, f->q4), v = mul_word(*y, w, f);

    *x = _mm256_add_epi64(u, v);
    *y = _mm256_sub_epi64(_mm256_add_epi64(u, f->q4), v);
}

/* Two stages on four inputs: the first pairs 0 with 2 and 1 with 3, the second 0 with 1 and 2 with 3. */
static inline void forward_four(__m256i v[4], const word_factor *w1, const word_factor *w2, const word_factor *w3,
                                const transform *f)
{
    forward_two(&v[0], &v[2], w1, f);
    forward_two(&v[1], &v[3], w1, f);
    forward_two(&v[0], &v[1], w2, f);
    forward_two(&v[2], &v[3], w3, f);
}

static void forward_one(const void *ctx)
{
    const transform *f = ctx;
    const size_t half = f->plan->degree / 2;
    const word_factor w = root_at(f, 1);

    for (size_t j = 0; j < half; j += ZQ_LANES) {
        __m256i x = load_words(f->a + j), y = load_words(f->a + half + j);

        forward_two(&x, &y, &w, f);
        store_words(f->a + j, x);
        store_words(f->a + half + j, y);
    }
    verify_bound(f->a, f->plan->degree, FORWARD_BOUND * f->plan->mod.q);
}

static inline void forward_node(const void *ctx, size_t m, size_t i, size_t quarter)
{
    const transform *f = ctx;
    const word_factor w1 = root_at(f, m + i), w2 = root_at(f, 2 * (m + i)), w3 = root_at(f, 2 * (m + i) + 1);
    uint64_t *a = f->a + 4 * quarter * i;

    for (size_t j = 0; j < quarter; j += ZQ_LANES) {
        __m256i v[4];

        load_four(v, a + j, quarter);
        forward_four(v, &w1, &w2, &w3, f);
        store_four(a + j, v, quarter);
    }
    verify_bound(a, 4 * quarter, FORWARD_BOUND * f->plan->mod.q);
}

static void forward_begin(const void *ctx)
{
    const transform *f = ctx;

    forward_node(f, 1, 0, f->plan->degree / 4);
}

static inline void store_forward(uint64_t *p, __m256i x, const transform *f)
{
    store_words(p, subtract_once(subtract_once(subtract_once(x, f->q4), f->q2), f->q));
}

/* The last two stages for 4 nodes at a time, nodes [i, last) of n/4, to canonical words. */
static inline void forward_end(const void *ctx, size_t i, size_t last)
{
    const transform *f = ctx;
    const size_t m = f->plan->degree / 4;

    for (; i < last; i += ZQ_LANES) {
        const uint64_t *w = f->roots + 2 * (m + i), *shoup = f->shoup + 2 * (m + i);
        const word_factor w1 = roots_at(f, m + i), w2 = {even_of(w), even_of(shoup)};
        const word_factor w3 = {odd_of(w), odd_of(shoup)};
        uint64_t *a = f->a + 4 * i;
        __m256i v[4];

        load_four(v, a, 4);
        transpose(v);
        forward_four(v, &w1, &w2, &w3, f);
        transpose(v);
        store_forward(a, v[0], f);
        store_forward(a + 4, v[1], f);
        store_forward(a + 8, v[2], f);
        store_forward(a + 12, v[3], f);
    }
}

static const forward_passes forward = {2, forward_one, forward_begin, forward_node, forward_end};

void ntt_forward_wide_avx2(uint64_t *a, const eis_ntt_plan *plan)
{
    const transform f = transform_of(a, plan, plan->roots, plan->roots_shoup);

    if (plan->mod.bits > BITS_MAX || plan->degree < DEGREE_MIN) {
        ntt_forward_generic(a, plan);
        return;
    }
    verify_bound(a, plan->degree, EIS_NTT_LAZY_BOUND * plan->mod.q);
    run_forward(&forward, &f, plan);
}

/* ---- Inverse ----------------------------------------------------------------------------------------------------- */

/* The difference comes back before its product, below 8q. */
static inline void inverse_sums(__m256i *x, __m256i *y, const transform *f)
{
    const __m256i u = *x, v = *y;

    *x = _mm256_add_epi64(u, v);
    *y = _mm256_add_epi64(_mm256_sub_epi64(u, v), f->q4);
}

static inline void inverse_two(__m256i *x, __m256i *y, const word_factor *w, const transform *f)
{
    inverse_sums(x, y, f);
    *x = subtract_once(*x, f->q4);
    *y = mul_word(*y, w, f);
}

static inline void inverse_four(__m256i v[4], const word_factor *w1, const word_factor *w2, const word_factor *w3,
                                const transform *f)
{
    inverse_two(&v[0], &v[1], w2, f);
    inverse_two(&v[2], &v[3], w3, f);
    inverse_two(&v[0], &v[2], w1, f);
    inverse_two(&v[1], &v[3], w1, f);
}

/* The first two stages for 4 nodes at a time, nodes [i, last) of n/4. */
static inline void inverse_begin(const void *ctx, size_t i, size_t last)
{
    const transform *f = ctx;
    const size_t m = f->plan->degree / 4, from = i;

    for (; i < last; i += ZQ_LANES) {
        const uint64_t *w = f->roots + 2 * (m + i), *shoup = f->shoup + 2 * (m + i);
        const word_factor w1 = roots_at(f, m + i), w2 = {even_of(w), even_of(shoup)};
        const word_factor w3 = {odd_of(w), odd_of(shoup)};
        uint64_t *a = f->a + 4 * i;
        __m256i v[4];

        load_four(v, a, 4);
        transpose(v);
        inverse_four(v, &w1, &w2, &w3, f);
        transpose(v);
        store_four(a, v, 4);
    }
    verify_bound(f->a + 4 * from, 4 * (last - from), INVERSE_BOUND * f->plan->mod.q);
}

static inline void inverse_node(const void *ctx, size_t m, size_t i, size_t quarter)
{
    const transform *f = ctx;
    const word_factor w1 = root_at(f, m + i), w2 = root_at(f, 2 * (m + i)), w3 = root_at(f, 2 * (m + i) + 1);
    uint64_t *a = f->a + 4 * quarter * i;

    for (size_t j = 0; j < quarter; j += ZQ_LANES) {
        __m256i v[4];

        load_four(v, a + j, quarter);
        inverse_four(v, &w1, &w2, &w3, f);
        store_four(a + j, v, quarter);
    }
    verify_bound(a, 4 * quarter, INVERSE_BOUND * f->plan->mod.q);
}

/* A product by a last factor is below 3.5 q; two subtractions make it canonical. */
static inline void store_last(uint64_t *p, __m256i x, const word_factor *w, const transform *f)
{
    store_words(p, subtract_once(subtract_once(mul_word(x, w, f), f->q2), f->q));
}

/* The last stage, or the last two, with the factor 1/n, to canonical words. */
static void inverse_one(const void *ctx)
{
    const transform *f = ctx;
    const word_factor sum = constant_factor(f->plan->degree_inverse),
                      difference = constant_factor(f->plan->last_inverse);
    const size_t half = f->plan->degree / 2;

    for (size_t j = 0; j < half; j += ZQ_LANES) {
        __m256i x = load_words(f->a + j), y = load_words(f->a + half + j);

        inverse_sums(&x, &y, f);
        store_last(f->a + j, x, &sum, f);
        store_last(f->a + half + j, y, &difference, f);
    }
}

static void inverse_end(const void *ctx)
{
    const transform *f = ctx;
    const word_factor sum = constant_factor(f->plan->degree_inverse),
                      difference = constant_factor(f->plan->last_inverse);
    const word_factor w2 = root_at(f, 2), w3 = root_at(f, 3);
    const size_t quarter = f->plan->degree / 4;

    for (size_t j = 0; j < quarter; j += ZQ_LANES) {
        __m256i v[4];

        load_four(v, f->a + j, quarter);
        inverse_two(&v[0], &v[1], &w2, f);
        inverse_two(&v[2], &v[3], &w3, f);
        inverse_sums(&v[0], &v[2], f);
        inverse_sums(&v[1], &v[3], f);
        store_last(f->a + j, v[0], &sum, f);
        store_last(f->a + quarter + j, v[1], &sum, f);
        store_last(f->a + 2 * quarter + j, v[2], &difference, f);
        store_last(f->a + 3 * quarter + j, v[3], &difference, f);
    }
}

static const inverse_passes inverse = {2, inverse_begin, inverse_node, inverse_one, inverse_end};

void ntt_inverse_wide_avx2(uint64_t *a, const eis_ntt_plan *plan)
{
    const transform f = transform_of(a, plan, plan->inverse_roots, plan->inverse_roots_shoup);

    if (plan->mod.bits > BITS_MAX || plan->degree < DEGREE_MIN) {
        ntt_inverse_generic(a, plan);
        return;
    }
    verify_bound(a, plan->degree, plan->mod.q);
    run_inverse(&inverse, &f, plan);
}
