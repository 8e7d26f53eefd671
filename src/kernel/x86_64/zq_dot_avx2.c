/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of products with AVX2, for primes of up to 50 bits in doubles (zq_avx2.h); larger ones, and what is left of the
 * arrays behind the last whole vector, run in zq_wide_avx2.c and plain C. Contracts: kernel/ntt.h. */
#include "kernel/generic/generic.h"
#include "kernel/x86_64/avx2.h"
#include "kernel/x86_64/zq_avx2.h"
#include "kernel/x86_64/zq_dot.h"

/* Sums of products below 7/8 q are reduced every 8 terms: with a half from before they stay below 7.5 q. */
#define TERMS_UNREDUCED ((size_t)8)

/* Words at a time: a line of the cache. Arrays that are a power of two apart share a set, which may not hold a line of
 * each until the next time. */
#define STEP ((size_t)8)

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
        __m256d sum[DOT_ROWS_MAX][2];

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

static void run_dot(const dot_job *job, size_t rows, size_t n)
{
    const size_t end = n - n % STEP;

    EIS_VERIFY(job->terms > 0 && job->terms <= EIS_ZQ_DOT_TERMS_MAX);
    DOT_RUN(dot_rows, job, rows, end);
    dot_rest(job, rows, end, n, zq_dot_generic);
}

void zq_dot_avx2(uint64_t *r, const uint64_t *const *a, const uint64_t *const *b, size_t terms, const uint32_t *order,
                 size_t n, const eis_modulus *m)
{
    if (!fits_reals(m)) {
        zq_dot_wide_avx2(r, a, b, terms, order, n, m);
        return;
    }
    run_dot(&(dot_job){{r}, a, {b}, terms, order, m}, 1, n);
}

void zq_dot_pair_avx2(uint64_t *r0, uint64_t *r1, const uint64_t *const *a, const uint64_t *const *b0,
                      const uint64_t *const *b1, size_t terms, const uint32_t *order, size_t n, const eis_modulus *m)
{
    if (!fits_reals(m)) {
        zq_dot_pair_wide_avx2(r0, r1, a, b0, b1, terms, order, n, m);
        return;
    }
    run_dot(&(dot_job){{r0, r1}, a, {b0, b1}, terms, order, m}, 2, n);
}
