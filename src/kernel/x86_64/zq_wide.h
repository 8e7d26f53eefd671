/* SPDX-License-Identifier: Apache-2.0 */
/* Pointwise arithmetic modulo primes of 51 to 60 bits, for vectors of any width. Contracts: kernel/ntt.h.
 *
 * The file that includes this has included zq_<isa>.h, which defines vectors of words (zq_words) and their operations,
 * and has defined ZQ_ENTRY(name), the name of an entry here, and ZQ_REST(name), the one that takes other primes and
 * what is left of an array behind the last whole vector.
 *
 * A high half of a product is made of three 32-bit products only: what the low halves carry is left out, so it is too
 * small by at most 2. */
#ifndef EIS_KERNEL_X86_64_ZQ_WIDE_H
#define EIS_KERNEL_X86_64_ZQ_WIDE_H

#include "kernel/generic/generic.h"
#include "kernel/x86_64/zq_dot.h"

#define ZQ_WIDE_BITS_MAX 60

static inline bool is_wide(const eis_modulus *m)
{
    return m->bits > EIS_ZQ_REAL_BITS_MAX && m->bits <= ZQ_WIDE_BITS_MAX;
}

static inline size_t wide_words(size_t n, const eis_modulus *m) { return is_wide(m) ? whole(n) : 0; }

/* ---- Reductions ------------------------------------------------------------------------------------------------- */

/* q and its multiples in all lanes. */
typedef struct wide_modulus {
    zq_words q, q2, q4;
} wide_modulus;

static inline wide_modulus wide_modulus_of(const eis_modulus *m)
{
    return (wide_modulus){all_lanes(m->q), all_lanes(2 * m->q), all_lanes(4 * m->q)};
}

/* Range: below 4q, 8q. */
static inline zq_words below_4q(zq_words x, const wide_modulus *w)
{
    return subtract_once(subtract_once(x, w->q2), w->q);
}

static inline zq_words below_8q(zq_words x, const wide_modulus *w) { return below_4q(subtract_once(x, w->q4), w); }

/* ---- Products of two arrays ------------------------------------------------------------------------------------- */

/* With b bits, z = x y and the high half h of (x 2^(64-b)) (y 2^(63-b)), z / q is h inverse / 2^64, where
 * inverse = floor(2^(2b+1) / q) < 2^62 for b <= 60. The quotient is too small by less than
 *   3 2^(2b-63) / q <= 3/4  for h,  h / 2^64 <= 1/2  for the inverse,  3  for its own high half,
 * so the result is below 5.25 q. */
typedef struct wide_barrett {
    wide_modulus m;
    zq_words inverse;
    unsigned bits;
} wide_barrett;

/* The bit that floor(2^(2b) / q) lacks is that of its remainder: 2^(2b) is 0 mod 2^64. */
static inline wide_barrett wide_barrett_of(const eis_modulus *m)
{
    const uint64_t rest = (uint64_t)0 - m->barrett * m->q;

    return (wide_barrett){wide_modulus_of(m), all_lanes(2 * m->barrett + (2 * rest >= m->q)), m->bits};
}

static inline zq_words wide_product(zq_words x, zq_words y, const wide_barrett *w)
{
    const zq_words h = mul_high_less(shift_left(x, 64 - w->bits), shift_left(y, 63 - w->bits));

    return below_8q(low_difference(x, y, mul_high_less(h, w->inverse), w->m.q), &w->m);
}

void ZQ_ENTRY(mul)(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m)
{
    const wide_barrett w = wide_barrett_of(m);
    const size_t end = wide_words(n, m);

    for (size_t i = 0; i < end; i += ZQ_LANES) {
        store_words(r + i, wide_product(load_words(a + i), load_words(b + i), &w));
    }
    ZQ_REST(mul)(r + end, a + end, b + end, n - end, m);
}

void ZQ_ENTRY(mul_add)(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m)
{
    const wide_barrett w = wide_barrett_of(m);
    const size_t end = wide_words(n, m);

    for (size_t i = 0; i < end; i += ZQ_LANES) {
        const zq_words product = wide_product(load_words(a + i), load_words(b + i), &w);
        store_words(r + i, add_words(load_words(r + i), product, w.m.q));
    }
    ZQ_REST(mul_add)(r + end, a + end, b + end, n - end, m);
}

/* ---- Products by a factor --------------------------------------------------------------------------------------- */

static inline zq_words wide_by_factor(zq_words x, eis_zq_factor f, const wide_modulus *w)
{
    return below_4q(mul_wide(x, all_lanes(f.value), all_lanes(f.shoup), w->q), w);
}

void ZQ_ENTRY(mul_factor)(uint64_t *r, const uint64_t *a, size_t n, eis_zq_factor factor, const eis_modulus *m)
{
    const wide_modulus w = wide_modulus_of(m);
    const size_t end = wide_words(n, m);

    for (size_t i = 0; i < end; i += ZQ_LANES) store_words(r + i, wide_by_factor(load_words(a + i), factor, &w));
    ZQ_REST(mul_factor)(r + end, a + end, n - end, factor, m);
}

void ZQ_ENTRY(mul_factor_add)(uint64_t *r, const uint64_t *a, size_t n, eis_zq_factor factor, const eis_modulus *m)
{
    const wide_modulus w = wide_modulus_of(m);
    const size_t end = wide_words(n, m);

    for (size_t i = 0; i < end; i += ZQ_LANES) {
        store_words(r + i, add_words(load_words(r + i), wide_by_factor(load_words(a + i), factor, &w), w.q));
    }
    ZQ_REST(mul_factor_add)(r + end, a + end, n - end, factor, m);
}

void ZQ_ENTRY(sub_mul_factor)(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_zq_factor factor,
                              const eis_modulus *m)
{
    const wide_modulus w = wide_modulus_of(m);
    const size_t end = wide_words(n, m);

    for (size_t i = 0; i < end; i += ZQ_LANES) {
        const zq_words difference = plus(minus(load_words(a + i), load_words(b + i)), w.q);
        store_words(r + i, wide_by_factor(difference, factor, &w));
    }
    ZQ_REST(sub_mul_factor)(r + end, a + end, b + end, n - end, factor, m);
}

/* ---- Sums of products ------------------------------------------------------------------------------------------- */

/* Words are cut into halves of l = ceil(bits / 2) <= 30 bits. Eight of their products, and of the crossed ones twice as
 * many, stay below 2^64; more terms are reduced before they are added. */
#define WIDE_TERMS ((size_t)8)

typedef struct wide_sum {
    zq_words low, middle, high;
} wide_sum;

/* The modulus, and 2^(2l) mod q as a factor. */
typedef struct wide_halves {
    wide_modulus m;
    eis_zq_factor shift;
    unsigned bits;
    zq_words mask;
} wide_halves;

/* 2^(2l) is 2^bits or twice that, and 2^bits is q + (2^bits - q) < 2q. */
static inline wide_halves wide_halves_of(const eis_modulus *m)
{
    const unsigned half = (m->bits + 1) / 2;
    const uint64_t power = eis_zq_reduce(UINT64_C(1) << (2 * half), m);

    return (wide_halves){wide_modulus_of(m), eis_zq_factor_of(power, m), half, all_lanes((UINT64_C(1) << half) - 1)};
}

static inline void wide_accumulate(wide_sum *s, zq_words a, zq_words b, const wide_halves *w)
{
    const zq_words a0 = both(a, w->mask), a1 = shift_right(a, w->bits);
    const zq_words b0 = both(b, w->mask), b1 = shift_right(b, w->bits);

    s->low = plus(s->low, mul_halves(a0, b0));
    s->middle = plus(s->middle, plus(mul_halves(a0, b1), mul_halves(a1, b0)));
    s->high = plus(s->high, mul_halves(a1, b1));
}

/* The sum is high' 2^(2l) + low' with low' < 2^(2l) < 4q and high' < 2^63, whose product is below 3.5 q. */
static inline zq_words wide_reduce_sum(const wide_sum *s, const wide_halves *w)
{
    const zq_words middle = plus(s->middle, shift_right(s->low, w->bits));
    const zq_words high = plus(s->high, shift_right(middle, w->bits));
    const zq_words low = plus(both(s->low, w->mask), shift_left(both(middle, w->mask), w->bits));
    const zq_words product = mul_wide(high, all_lanes(w->shift.value), all_lanes(w->shift.shoup), w->m.q);

    return below_8q(plus(product, low), &w->m);
}

static inline __attribute__((always_inline)) void wide_dot_rows(const dot_job *job, size_t rows, int permuted,
                                                                size_t end)
{
    const wide_halves w = wide_halves_of(job->m);

    for (size_t i = 0; i < end; i += ZQ_LANES) {
        const source from = permuted ? source_at(job->order + i) : (source){0};

        for (size_t first = 0; first < job->terms; first += WIDE_TERMS) {
            const size_t last = job->terms - first < WIDE_TERMS ? job->terms : first + WIDE_TERMS;
            wide_sum sum[DOT_ROWS_MAX] = {{all_lanes(0), all_lanes(0), all_lanes(0)},
                                          {all_lanes(0), all_lanes(0), all_lanes(0)}};

            for (size_t j = first; j < last; j++) {
                const zq_words a = permuted ? load_source(job->a[j], &from) : load_words(job->a[j] + i);

                wide_accumulate(&sum[0], a, load_words(job->b[0][j] + i), &w);
                if (rows == 2) wide_accumulate(&sum[1], a, load_words(job->b[1][j] + i), &w);
            }
            for (size_t row = 0; row < rows; row++) {
                const zq_words reduced = wide_reduce_sum(&sum[row], &w);
                uint64_t *r = job->r[row] + i;

                store_words(r, first == 0 ? reduced : add_words(load_words(r), reduced, w.m.q));
            }
        }
    }
}

static void wide_dot(const dot_job *job, size_t rows, size_t n)
{
    const size_t end = wide_words(n, job->m);

    EIS_VERIFY(job->terms > 0 && job->terms <= EIS_ZQ_DOT_TERMS_MAX);
    DOT_RUN(wide_dot_rows, job, rows, end);
    dot_rest(job, rows, end, n, ZQ_REST(dot));
}

void ZQ_ENTRY(dot)(uint64_t *r, const uint64_t *const *a, const uint64_t *const *b, size_t terms, const uint32_t *order,
                   size_t n, const eis_modulus *m)
{
    wide_dot(&(dot_job){{r}, a, {b}, terms, order, m}, 1, n);
}

void ZQ_ENTRY(dot_pair)(uint64_t *r0, uint64_t *r1, const uint64_t *const *a, const uint64_t *const *b0,
                        const uint64_t *const *b1, size_t terms, const uint32_t *order, size_t n, const eis_modulus *m)
{
    if (is_wide(m)) {
        wide_dot(&(dot_job){{r0, r1}, a, {b0, b1}, terms, order, m}, 2, n);
    } else {
        ZQ_REST(dot_pair)(r0, r1, a, b0, b1, terms, order, n, m);
    }
}

/* ---- Changes of modulus ----------------------------------------------------------------------------------------- */

/* Any word times 1. */
static inline zq_words wide_reduce(zq_words x, const eis_modulus *m, const wide_modulus *w)
{
    return below_4q(mul_wide(x, all_lanes(1), all_lanes(m->barrett64), w->q), w);
}

void ZQ_ENTRY(reduce_centred)(uint64_t *r, const uint64_t *a, size_t n, uint64_t p, const eis_modulus *m)
{
    const wide_modulus w = wide_modulus_of(m);
    const zq_words p_mod_q = all_lanes(eis_zq_reduce(p, m)), half = all_lanes((p - 1) / 2);
    const size_t end = wide_words(n, m);

    for (size_t i = 0; i < end; i += ZQ_LANES) {
        const zq_words x = load_words(a + i);
        store_words(r + i, sub_words(wide_reduce(x, m, &w), where_above(p_mod_q, x, half), w.q));
    }
    ZQ_REST(reduce_centred)(r + end, a + end, n - end, p, m);
}

#endif
