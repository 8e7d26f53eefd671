/* SPDX-License-Identifier: Apache-2.0 */
/* Transforms with multiply-adds of 52-bit words for primes of up to 50 bits; larger ones, and degrees below 64, run in
 * ntt_wide_avx512.c. Contracts: kernel/ntt.h; passes: ntt_avx512.h; ranges and products: zq_avx512ifma.h. */
#include "kernel/x86_64/avx512.h"
#include "kernel/x86_64/ntt_avx512.h"
#include "kernel/x86_64/zq_avx512ifma.h"

/* Kinds of the arithmetic: primes of up to NTT_52_LAZY_BITS_MAX bits, and larger ones. */
#define STRICT 0
#define LAZY   1

NTT_INLINE uint64_t forward_bound(const eis_modulus *m, int kind)
{
    return (kind == LAZY ? NTT_52_FORWARD_LAZY : NTT_52_FORWARD) * m->q;
}

NTT_INLINE uint64_t inverse_bound(const eis_modulus *m, int kind)
{
    return (kind == LAZY ? NTT_52_INVERSE_LAZY : NTT_52_INVERSE) * m->q;
}

static inline __m512i times_q(unsigned times, const transform *f) { return all_lanes(times * f->plan->mod.q); }

/* Returns x w in (-q, q), added to start. */
static inline __m512i mul_add(__m512i start, __m512i x, factor w, const transform *f)
{
    return mul_add_52(start, x, w.value, w.help, f->q);
}

/* ---- Forward ---------------------------------------------------------------------------------------------------- */

/* The offset of the first inputs of the first butterflies comes to all words. */
NTT_INLINE __m512i first_word(__m512i x, const transform *f, int kind)
{
    return kind == LAZY ? _mm512_add_epi64(x, times_q(NTT_52_OFFSET, f)) : x;
}

/* STRICT: x goes below 2q, and q more lets both results be positive. */
NTT_INLINE void forward_two(__m512i *x, __m512i *y, factor w, const transform *f, int kind)
{
    const __m512i start = kind == LAZY ? *x : _mm512_add_epi64(subtract_once(*x, f->q2), f->q);
    const __m512i sum = mul_add(start, *y, w, f);

    *x = sum;
    *y = _mm512_sub_epi64(_mm512_add_epi64(start, start), sum);
}

NTT_INLINE __m512i last_word(__m512i x, const transform *f, int kind)
{
    const __m512i low = kind == LAZY ? reduce_52(x, f->q, all_lanes(inverse_52(&f->plan->mod))) : //
                            subtract_once(x, f->q2);

    return subtract_once(low, f->q);
}

/* ---- Inverse ---------------------------------------------------------------------------------------------------- */

/* Sum and difference; `up` is a multiple of q that no y exceeds. */
static inline void sum_and_difference(__m512i *x, __m512i *y, __m512i up)
{
    const __m512i u = *x, v = *y;

    *x = _mm512_add_epi64(u, v);
    *y = _mm512_add_epi64(_mm512_sub_epi64(u, v), up);
}

/* LAZY: words are below q, 2q and 4q before stages 0, 1, 2, and products below 2q. */
NTT_INLINE void inverse_two(__m512i *x, __m512i *y, factor w, unsigned stage, const transform *f, int kind)
{
    sum_and_difference(x, y, kind == LAZY ? times_q(1u << stage, f) : f->q2);
    if (kind == STRICT) *x = subtract_once(*x, f->q2);
    *y = mul_add(f->q, *y, w, f);
}

NTT_INLINE void inverse_sums(__m512i *x, __m512i *y, const transform *f, int kind)
{
    sum_and_difference(x, y, kind == LAZY ? times_q(NTT_52_INVERSE_LAZY, f) : f->q2);
}

/* LAZY: the first product is lifted by 3q, so that the second, lifted by q, can be taken from it. */
NTT_INLINE void inverse_half(__m512i v[4], factor w2, factor w3, const transform *f, int kind)
{
    inverse_sums(&v[0], &v[1], f, kind);
    inverse_sums(&v[2], &v[3], f, kind);
    v[3] = mul_add(f->q, v[3], w3, f);
    if (kind == LAZY) {
        const __m512i product = mul_add(times_q(3, f), v[1], w2, f);

        sum_and_difference(&v[0], &v[2], times_q(2 * NTT_52_INVERSE_LAZY, f));
        v[1] = _mm512_add_epi64(product, v[3]);
        v[3] = _mm512_sub_epi64(product, v[3]);
    } else {
        v[1] = mul_add(f->q, v[1], w2, f);
        v[0] = subtract_once(v[0], f->q2);
        v[2] = subtract_once(v[2], f->q2);
        sum_and_difference(&v[0], &v[2], f->q2);
        sum_and_difference(&v[1], &v[3], f->q2);
    }
}

NTT_INLINE void inverse_rest(__m512i v[4], factor w1, const transform *f, int kind)
{
    if (kind == LAZY) {
        v[0] = reduce_52(v[0], f->q, all_lanes(inverse_52(&f->plan->mod)));
    } else {
        v[0] = subtract_once(v[0], f->q2);
        v[1] = subtract_once(v[1], f->q2);
    }
    v[2] = mul_add(f->q, v[2], w1, f);
    v[3] = mul_add(f->q, v[3], w1, f);
}

NTT_INLINE __m512i last_product(__m512i x, factor w, const transform *f)
{
    return subtract_once(mul_add(f->q, x, w, f), f->q);
}

NTT_INLINE factor constant_factor(eis_zq_factor w, const eis_modulus *m)
{
    const eis_zq_factor52 f = eis_zq_factor52_make(w.value, m);

    return (factor){all_lanes(f.value), all_lanes(f.low)};
}

/* ---- Both ------------------------------------------------------------------------------------------------------- */

NTT_DEFINE_PASSES(lazy, LAZY, 3)
NTT_DEFINE_PASSES(strict, STRICT, 3)

static bool is_ours(const eis_ntt_plan *plan) { return plan->roots_52 != NULL && plan->degree >= DEGREE_MIN; }

void ntt_forward_avx512ifma(uint64_t *a, const eis_ntt_plan *plan)
{
    const transform f = transform_of(a, plan, plan->roots_52, plan->roots_52_low);

    if (!is_ours(plan)) {
        ntt_forward_avx512(a, plan);
        return;
    }
    verify_bound(a, plan->degree, EIS_NTT_LAZY_BOUND * plan->mod.q);
    if (plan->mod.bits <= NTT_52_LAZY_BITS_MAX) {
        run_forward(&lazy_forward, &f, plan);
    } else {
        run_forward(&strict_forward, &f, plan);
    }
}

void ntt_inverse_avx512ifma(uint64_t *a, const eis_ntt_plan *plan)
{
    const transform f = transform_of(a, plan, plan->inverse_roots_52, plan->inverse_roots_52_low);

    if (!is_ours(plan)) {
        ntt_inverse_avx512(a, plan);
        return;
    }
    verify_bound(a, plan->degree, plan->mod.q);
    if (plan->mod.bits <= NTT_52_LAZY_BITS_MAX) {
        run_inverse(&lazy_inverse, &f, plan);
    } else {
        run_inverse(&strict_inverse, &f, plan);
    }
}
