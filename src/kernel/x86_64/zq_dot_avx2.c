/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of products with AVX2, for primes of up to 50 bits in doubles (zq_avx2.h); larger ones, and what is left of the
 * arrays behind the last whole vector, run in plain C. Contracts: kernel/ntt.h.
 *
 * A permutation of values by a rotation takes aligned groups of 4 to aligned groups of 4 (their exponents 2 brv(i) + 1
 * are a class modulo n/2, and odd multiples of a class are a class). So a permuted vector is mostly one load and a
 * permutation of its lanes; groups of which this is not true are gathered. The order is public. */
#include "kernel/generic/generic.h"
#include "kernel/x86_64/avx2.h"
#include "kernel/x86_64/zq_avx2.h"

#include "base/status.h"

/* Sums of products below 7/8 q are reduced every 8 terms: with a half from before they stay below 7.5 q. */
#define TERMS_UNREDUCED ((size_t)8)

#define ROWS_MAX 2

/* Words at a time: a line of the cache. Arrays that are a power of two apart share a set, which may not hold a line of
 * each until the next time. */
#define STEP ((size_t)8)

/* `rows` sums with the same a; b[row][terms]. */
typedef struct dot_job {
    uint64_t *r[ROWS_MAX];
    const uint64_t *const *a;
    const uint64_t *const *b[ROWS_MAX];
    size_t terms;
    const uint32_t *order;
    const eis_modulus *m;
} dot_job;

/* Where one vector of a comes from. */
typedef struct source {
    size_t at;           /* of the group */
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

static inline void store_reduced(uint64_t *r, __m256d sum, __m256d q, __m256d q_inverse)
{
    store_words(r, words_from_real(reduce_real(sum, q, q_inverse), q));
}

static inline __m256d load_permuted(const uint64_t *a, size_t i, const source *from, int permuted)
{
    return real_from_words(permuted ? load_source(a, from) : load_words(a + i));
}

static inline __attribute__((always_inline)) void dot_rows(const dot_job *job, size_t rows, int permuted, size_t end)
{
    const __m256d q = _mm256_set1_pd(job->m->q_real), q_inverse = _mm256_set1_pd(job->m->q_inverse);

    for (size_t i = 0; i < end; i += STEP) {
        const source from[2] = {permuted ? source_at(job->order + i) : (source){0},
                                permuted ? source_at(job->order + i + ZQ_LANES) : (source){0}};
        __m256d sum[ROWS_MAX][2];

        for (size_t row = 0; row < rows; row++) sum[row][0] = sum[row][1] = _mm256_setzero_pd();
        for (size_t j = 0; j < job->terms; j++) {
            for (size_t half = 0; half < 2; half++) {
                const __m256d a = load_permuted(job->a[j], i + half * ZQ_LANES, &from[half], permuted);

                for (size_t row = 0; row < rows; row++) {
                    const __m256d b = load_real(job->b[row][j] + i + half * ZQ_LANES);
                    if (j != 0 && j % TERMS_UNREDUCED == 0) sum[row][half] = reduce_real(sum[row][half], q, q_inverse);
                    sum[row][half] = _mm256_add_pd(sum[row][half], mul_reals(a, b, q, q_inverse));
                }
            }
        }
        for (size_t row = 0; row < rows; row++) {
            store_reduced(job->r[row] + i, sum[row][0], q, q_inverse);
            store_reduced(job->r[row] + i + ZQ_LANES, sum[row][1], q, q_inverse);
        }
    }
}

static void dot_whole(const dot_job *job, size_t rows, size_t end)
{
    if (rows == 2 && job->order != NULL) {
        dot_rows(job, 2, 1, end);
    } else if (rows == 2) {
        dot_rows(job, 2, 0, end);
    } else if (job->order != NULL) {
        dot_rows(job, 1, 1, end);
    } else {
        dot_rows(job, 1, 0, end);
    }
}

/* What whole vectors have left; permuted places are counted from the beginning. */
static void dot_rest(const dot_job *job, size_t row, size_t end, size_t n)
{
    const uint64_t *a[EIS_ZQ_DOT_TERMS_MAX], *b[EIS_ZQ_DOT_TERMS_MAX];

    if (end == n) return;
    for (size_t j = 0; j < job->terms; j++) {
        a[j] = job->order == NULL ? job->a[j] + end : job->a[j];
        b[j] = job->b[row][j] + end;
    }
    zq_dot_generic(job->r[row] + end, a, b, job->terms, job->order == NULL ? NULL : job->order + end, n - end, job->m);
}

static void run_dot(const dot_job *job, size_t rows, size_t n)
{
    const size_t end = fits_reals(job->m) ? n - n % STEP : 0;

    EIS_VERIFY(job->terms > 0 && job->terms <= EIS_ZQ_DOT_TERMS_MAX);
    dot_whole(job, rows, end);
    for (size_t row = 0; row < rows; row++) dot_rest(job, row, end, n);
}

void zq_dot_avx2(uint64_t *r, const uint64_t *const *a, const uint64_t *const *b, size_t terms, const uint32_t *order,
                 size_t n, const eis_modulus *m)
{
    run_dot(&(dot_job){{r}, a, {b}, terms, order, m}, 1, n);
}

void zq_dot_pair_avx2(uint64_t *r0, uint64_t *r1, const uint64_t *const *a, const uint64_t *const *b0,
                      const uint64_t *const *b1, size_t terms, const uint32_t *order, size_t n, const eis_modulus *m)
{
    run_dot(&(dot_job){{r0, r1}, a, {b0, b1}, terms, order, m}, 2, n);
}
