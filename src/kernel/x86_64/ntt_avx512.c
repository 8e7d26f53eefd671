/* SPDX-License-Identifier: Apache-2.0 */
/* Transforms in 64-bit words for primes of 51 to 60 bits; of 61 bits and degrees below 64 run in plain C, primes of up
 * to 50 bits in doubles (ntt_avx2.c). Contracts: kernel/ntt.h; passes: ntt_avx512.h; products, and ranges, which are
 * those of ntt_wide_avx2.c: zq_wide_avx512.h. */
#include "kernel/x86_64/ntt_avx512.h"
#include "kernel/generic/generic.h"
#include "kernel/x86_64/avx2.h"
#include "kernel/x86_64/avx512.h"
#include "kernel/x86_64/zq_wide_avx512.h"

#define BITS_MAX      60
#define FORWARD_BOUND 8
#define INVERSE_BOUND 4

NTT_INLINE uint64_t forward_bound(const eis_modulus *m, int kind)
{
    (void)kind;
    return FORWARD_BOUND * m->q;
}

NTT_INLINE uint64_t inverse_bound(const eis_modulus *m, int kind)
{
    (void)kind;
    return INVERSE_BOUND * m->q;
}

/* Returns x w below 3.5 q. */
static inline __m512i mul(__m512i x, factor w, const transform *f) { return mul_wide(x, w.value, w.help, f->q); }

/* ---- Forward ---------------------------------------------------------------------------------------------------- */

NTT_INLINE __m512i first_word(__m512i x, const transform *f, int kind)
{
    (void)f;
    (void)kind;
    return x;
}

NTT_INLINE void forward_two(__m512i *x, __m512i *y, factor w, const transform *f, int kind)
{
    const __m512i u = subtract_once(*x, f->q4), v = mul(*y, w, f);

    (void)kind;
    *x = _mm512_add_epi64(u, v);
    *y = _mm512_sub_epi64(_mm512_add_epi64(u, f->q4), v);
}

NTT_INLINE __m512i last_word(__m512i x, const transform *f, int kind)
{
    (void)kind;
    return subtract_once(subtract_once(subtract_once(x, f->q4), f->q2), f->q);
}

/* ---- Inverse ---------------------------------------------------------------------------------------------------- */

NTT_INLINE void inverse_sums(__m512i *x, __m512i *y, const transform *f, int kind)
{
    const __m512i u = *x, v = *y;

    (void)kind;
    *x = _mm512_add_epi64(u, v);
    *y = _mm512_add_epi64(_mm512_sub_epi64(u, v), f->q4);
}

NTT_INLINE void inverse_two(__m512i *x, __m512i *y, factor w, unsigned stage, const transform *f, int kind)
{
    (void)stage;
    inverse_sums(x, y, f, kind);
    *x = subtract_once(*x, f->q4);
    *y = mul(*y, w, f);
}

NTT_INLINE void inverse_half(__m512i v[4], factor w2, factor w3, const transform *f, int kind)
{
    inverse_two(&v[0], &v[1], w2, 0, f, kind);
    inverse_two(&v[2], &v[3], w3, 0, f, kind);
    inverse_sums(&v[0], &v[2], f, kind);
    inverse_sums(&v[1], &v[3], f, kind);
}

NTT_INLINE void inverse_rest(__m512i v[4], factor w1, const transform *f, int kind)
{
    (void)kind;
    v[0] = subtract_once(v[0], f->q4);
    v[1] = subtract_once(v[1], f->q4);
    v[2] = mul(v[2], w1, f);
    v[3] = mul(v[3], w1, f);
}

NTT_INLINE __m512i last_product(__m512i x, factor w, const transform *f)
{
    return subtract_once(subtract_once(mul(x, w, f), f->q2), f->q);
}

NTT_INLINE factor constant_factor(eis_zq_factor w, const eis_modulus *m)
{
    (void)m;
    return (factor){all_lanes(w.value), all_lanes(w.shoup)};
}

/* ---- Both ------------------------------------------------------------------------------------------------------- */

NTT_DEFINE_PASSES(wide, 0, 3)

static bool is_ours(const eis_ntt_plan *plan)
{
    return plan->mod.bits > EIS_ZQ_REAL_BITS_MAX && plan->mod.bits <= BITS_MAX && plan->degree >= DEGREE_MIN;
}

void ntt_forward_avx512(uint64_t *a, const eis_ntt_plan *plan)
{
    const transform f = transform_of(a, plan, plan->roots, plan->roots_shoup);

    if (!is_ours(plan)) {
        ntt_forward_avx2(a, plan);
        return;
    }
    verify_bound(a, plan->degree, EIS_NTT_LAZY_BOUND * plan->mod.q);
    run_forward(&wide_forward, &f, plan);
}

void ntt_inverse_avx512(uint64_t *a, const eis_ntt_plan *plan)
{
    const transform f = transform_of(a, plan, plan->inverse_roots, plan->inverse_roots_shoup);

    if (!is_ours(plan)) {
        ntt_inverse_avx2(a, plan);
        return;
    }
    verify_bound(a, plan->degree, plan->mod.q);
    run_inverse(&wide_inverse, &f, plan);
}
