/* SPDX-License-Identifier: Apache-2.0 */
/* Pointwise products with multiply-adds of 52-bit words for primes of up to 50 bits; larger ones, and what is left of
 * an array behind the last whole vector, as without them. Contracts: kernel/ntt.h; products: zq_avx512ifma.h. */
#include "kernel/x86_64/zq_avx512ifma.h"
#include "kernel/x86_64/avx512.h"
#include "kernel/x86_64/zq_dot.h"

static inline size_t our_words(size_t n, const eis_modulus *m)
{
    return m->bits <= EIS_ZQ_REAL_BITS_MAX ? whole(n) : 0;
}

/* What reductions need: q, 2q, floor(2^52 / q), and 2^52 as a factor. */
typedef struct modulus_52 {
    __m512i q, q2, inverse, shift, shift_low;
} modulus_52;

static inline modulus_52 modulus_of(const eis_modulus *m)
{
    const eis_zq_factor52 shift = eis_zq_factor52_make(eis_zq_reduce(UINT64_C(1) << 52, m), m);

    return (modulus_52){all_lanes(m->q), all_lanes(2 * m->q), all_lanes(inverse_52(m)), all_lanes(shift.value),
                        all_lanes(shift.low)};
}

/* Returns high 2^52 + low mod q. Range: both below 2^52. Each part is brought below 2q. */
static inline __m512i reduce_parts(__m512i high, __m512i low, const modulus_52 *w)
{
    const __m512i sum =
        _mm512_add_epi64(mul_add_52(w->q, high, w->shift, w->shift_low, w->q), reduce_52(low, w->q, w->inverse));

    return subtract_once(subtract_once(sum, w->q2), w->q);
}

/* ---- Products of two arrays ------------------------------------------------------------------------------------- */

static inline __m512i product(__m512i a, __m512i b, const modulus_52 *w)
{
    return reduce_parts(mul_high_52(a, b), mul_low_52(a, b), w);
}

void zq_mul_avx512ifma(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m)
{
    const modulus_52 w = modulus_of(m);
    const size_t end = our_words(n, m);

    for (size_t i = 0; i < end; i += ZQ_LANES) store_words(r + i, product(load_words(a + i), load_words(b + i), &w));
    zq_mul_avx512(r + end, a + end, b + end, n - end, m);
}

void zq_mul_add_avx512ifma(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m)
{
    const modulus_52 w = modulus_of(m);
    const size_t end = our_words(n, m);

    for (size_t i = 0; i < end; i += ZQ_LANES) {
        store_words(r + i, add_words(load_words(r + i), product(load_words(a + i), load_words(b + i), &w), w.q));
    }
    zq_mul_add_avx512(r + end, a + end, b + end, n - end, m);
}

/* ---- Products by a factor --------------------------------------------------------------------------------------- */

typedef struct factor_52 {
    __m512i value, low, q;
} factor_52;

static inline factor_52 factor_of(eis_zq_factor factor, const eis_modulus *m)
{
    const eis_zq_factor52 f = eis_zq_factor52_make(factor.value, m);

    return (factor_52){all_lanes(f.value), all_lanes(f.low), all_lanes(m->q)};
}

static inline __m512i by_factor(__m512i x, const factor_52 *f)
{
    return subtract_once(mul_add_52(f->q, x, f->value, f->low, f->q), f->q);
}

void zq_mul_factor_avx512ifma(uint64_t *r, const uint64_t *a, size_t n, eis_zq_factor factor, const eis_modulus *m)
{
    const factor_52 f = factor_of(factor, m);
    const size_t end = our_words(n, m);

    for (size_t i = 0; i < end; i += ZQ_LANES) store_words(r + i, by_factor(load_words(a + i), &f));
    zq_mul_factor_avx512(r + end, a + end, n - end, factor, m);
}

void zq_mul_factor_add_avx512ifma(uint64_t *r, const uint64_t *a, size_t n, eis_zq_factor factor, const eis_modulus *m)
{
    const factor_52 f = factor_of(factor, m);
    const size_t end = our_words(n, m);

    for (size_t i = 0; i < end; i += ZQ_LANES) {
        store_words(r + i, add_words(load_words(r + i), by_factor(load_words(a + i), &f), f.q));
    }
    zq_mul_factor_add_avx512(r + end, a + end, n - end, factor, m);
}

void zq_sub_mul_factor_avx512ifma(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_zq_factor factor,
                                  const eis_modulus *m)
{
    const factor_52 f = factor_of(factor, m);
    const size_t end = our_words(n, m);

    for (size_t i = 0; i < end; i += ZQ_LANES) {
        const __m512i difference = plus(minus(load_words(a + i), load_words(b + i)), f.q);
        store_words(r + i, by_factor(difference, &f));
    }
    zq_sub_mul_factor_avx512(r + end, a + end, b + end, n - end, factor, m);
}

/* ---- Sums of products ------------------------------------------------------------------------------------------- */

/* The high parts of so many products, each below 2^48, stay below 2^52 with what the low ones carry. */
#define TERMS ((size_t)8)

static inline __attribute__((always_inline)) void dot_rows(const dot_job *job, size_t rows, int permuted, size_t end)
{
    const modulus_52 w = modulus_of(job->m);
    const __m512i mask = all_lanes(EIS_ZQ_MASK52), zero = _mm512_setzero_si512();

    for (size_t i = 0; i < end; i += ZQ_LANES) {
        const source from = permuted ? source_at(job->order + i) : (source){0};

        for (size_t first = 0; first < job->terms; first += TERMS) {
            const size_t last = job->terms - first < TERMS ? job->terms : first + TERMS;
            __m512i high[DOT_ROWS_MAX] = {zero, zero}, low[DOT_ROWS_MAX] = {zero, zero};

            for (size_t j = first; j < last; j++) {
                const __m512i a = permuted ? load_source(job->a[j], &from) : load_words(job->a[j] + i);
                const __m512i b0 = load_words(job->b[0][j] + i);

                high[0] = _mm512_madd52hi_epu64(high[0], a, b0);
                low[0] = _mm512_madd52lo_epu64(low[0], a, b0);
                if (rows == 2) {
                    const __m512i b1 = load_words(job->b[1][j] + i);
                    high[1] = _mm512_madd52hi_epu64(high[1], a, b1);
                    low[1] = _mm512_madd52lo_epu64(low[1], a, b1);
                }
            }
            for (size_t row = 0; row < rows; row++) {
                const __m512i carried = plus(high[row], shift_right(low[row], 52));
                const __m512i reduced = reduce_parts(carried, both(low[row], mask), &w);
                uint64_t *r = job->r[row] + i;

                store_words(r, first == 0 ? reduced : add_words(load_words(r), reduced, w.q));
            }
        }
    }
}

static void run_dot(const dot_job *job, size_t rows, size_t n)
{
    const size_t end = whole(n);

    EIS_VERIFY(job->terms > 0 && job->terms <= EIS_ZQ_DOT_TERMS_MAX);
    DOT_RUN(dot_rows, job, rows, end);
    dot_rest(job, rows, end, n, zq_dot_avx512);
}

void zq_dot_avx512ifma(uint64_t *r, const uint64_t *const *a, const uint64_t *const *b, size_t terms,
                       const uint32_t *order, size_t n, const eis_modulus *m)
{
    if (m->bits > EIS_ZQ_REAL_BITS_MAX) {
        zq_dot_avx512(r, a, b, terms, order, n, m);
    } else {
        run_dot(&(dot_job){{r}, a, {b}, terms, order, m}, 1, n);
    }
}

void zq_dot_pair_avx512ifma(uint64_t *r0, uint64_t *r1, const uint64_t *const *a, const uint64_t *const *b0,
                            const uint64_t *const *b1, size_t terms, const uint32_t *order, size_t n,
                            const eis_modulus *m)
{
    if (m->bits > EIS_ZQ_REAL_BITS_MAX) {
        zq_dot_pair_avx512(r0, r1, a, b0, b1, terms, order, n, m);
    } else {
        run_dot(&(dot_job){{r0, r1}, a, {b0, b1}, terms, order, m}, 2, n);
    }
}

/* ---- Changes of modulus ----------------------------------------------------------------------------------------- */

static inline __m512i reduce_word(__m512i x, const modulus_52 *w)
{
    return reduce_parts(shift_right(x, 52), both(x, all_lanes(EIS_ZQ_MASK52)), w);
}

void zq_reduce_avx512ifma(uint64_t *r, const uint64_t *a, size_t n, const eis_modulus *m)
{
    const modulus_52 w = modulus_of(m);
    const size_t end = our_words(n, m);

    for (size_t i = 0; i < end; i += ZQ_LANES) store_words(r + i, reduce_word(load_words(a + i), &w));
    zq_reduce_avx512(r + end, a + end, n - end, m);
}

void zq_reduce_centred_avx512ifma(uint64_t *r, const uint64_t *a, size_t n, uint64_t p, const eis_modulus *m)
{
    const modulus_52 w = modulus_of(m);
    const __m512i p_mod_q = all_lanes(eis_zq_reduce(p, m)), half = all_lanes((p - 1) / 2);
    const size_t end = our_words(n, m);

    for (size_t i = 0; i < end; i += ZQ_LANES) {
        const __m512i x = load_words(a + i);
        store_words(r + i, sub_words(reduce_word(x, &w), where_above(p_mod_q, x, half), w.q));
    }
    zq_reduce_centred_avx512(r + end, a + end, n - end, p, m);
}
