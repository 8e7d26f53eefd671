/* SPDX-License-Identifier: Apache-2.0 */
#include "ring/ntt.h"

#include "base/cpu.h"
#include "base/mem.h"
#include "kernel/kernel.h"
#include "ring/zq.h"

#include <string.h>

uint32_t eis_ntt_bit_reverse(uint32_t i, unsigned bits)
{
    uint32_t r = 0;

    for (unsigned b = 0; b < bits; b++) r |= (i >> b & 1) << (bits - 1 - b);
    return r;
}

/* The tables while they are being filled. */
typedef struct tables {
    uint64_t *value, *shoup;
    double *real, *over_q; /* NULL for large primes */
    uint64_t *value52, *low52;
} tables;

static double centred(uint64_t w, uint64_t q) { return w > q / 2 ? -(double)(q - w) : (double)w; }

/* Where factor `at` of n stands in the tables of doubles; see eis_ntt_plan. */
static size_t real_place(size_t at, size_t n)
{
    const size_t node = at < n / 2 ? at - n / 4 : (at - n / 2) / 2; /* of the second last stage */
    const size_t kind = at < n / 2 ? 0 : 1 + at % 2;

    return n < 16 || at < n / 4 ? at : n / 4 + node / 4 * 12 + kind * 4 + node % 4;
}

/* Entry brv(i) = root^i. */
static void fill_tables(const tables *t, uint64_t root, unsigned degree_log2, const eis_modulus *m)
{
    const eis_zq_factor step = eis_zq_factor_make(root, m);
    uint64_t power = 1;

    for (uint32_t i = 0; i < (uint32_t)1 << degree_log2; i++) {
        const uint32_t at = eis_ntt_bit_reverse(i, degree_log2);
        const eis_zq_factor factor = eis_zq_factor_make(power, m);

        t->value[at] = factor.value;
        t->shoup[at] = factor.shoup;
        if (t->real != NULL) {
            const size_t place = real_place(at, (size_t)1 << degree_log2);

            t->real[place] = centred(power, m->q);
            t->over_q[place] = centred(power, m->q) / m->q_real;
        }
        if (t->value52 != NULL) {
            const eis_zq_factor52 factor52 = eis_zq_factor52_make(factor.value, m);

            t->value52[at] = factor52.value;
            t->low52[at] = factor52.low;
        }
        power = eis_zq_mul_factor(power, step, m->q);
    }
}

/* Factors of the last inverse stage. */
static void fill_last(eis_ntt_plan *plan)
{
    const eis_modulus *m = &plan->mod;
    const uint64_t inverse = eis_zq_inverse_var(plan->degree, m);

    plan->degree_inverse = eis_zq_factor_make(inverse, m);
    plan->last_inverse = eis_zq_factor_make(eis_zq_mul(inverse, plan->inverse_roots[1], m), m);
    plan->degree_inverse_real = centred(plan->degree_inverse.value, m->q);
    plan->degree_inverse_over_q = plan->degree_inverse_real / m->q_real;
    plan->last_inverse_real = centred(plan->last_inverse.value, m->q);
    plan->last_inverse_over_q = plan->last_inverse_real / m->q_real;
}

/* The tables of one direction, in turn out of the block. */
static tables take_tables(uint64_t **words, size_t n, bool real, bool words52)
{
    tables t = {.value = *words, .shoup = *words + n};

    *words += 2 * n;
    if (real) {
        t.real = (double *)(void *)*words;
        t.over_q = t.real + n;
        *words += 2 * n;
    }
    if (real && words52) {
        t.value52 = *words;
        t.low52 = *words + n;
        *words += 2 * n;
    }
    return t;
}

eis_status eis_ntt_plan_init(eis_ntt_plan *plan, unsigned degree_log2, uint64_t q)
{
    const size_t n = (size_t)1 << (degree_log2 <= EIS_NTT_DEGREE_LOG2_MAX ? degree_log2 : 0);
    const bool words52 = eis_cpu_get()->avx512ifma;
    eis_status st = EIS_OK;
    uint64_t *words = NULL;
    tables forward, inverse;
    bool real;

    memset(plan, 0, sizeof *plan);
    EIS_REQUIRE(n > 1, EIS_ERR_RANGE, "the degree of a ring must be 2^1 to 2^%d", EIS_NTT_DEGREE_LOG2_MAX);
    EIS_TRY(eis_modulus_init(&plan->mod, q));
    EIS_TRY(eis_zq_root_find_var(&plan->psi, n, &plan->mod));
    real = plan->mod.bits <= EIS_ZQ_REAL_BITS_MAX;
    EIS_NEW(words, n * (real ? words52 ? 12 : 8 : 4));
    plan->block = words;
    plan->degree_log2 = degree_log2;
    plan->degree = n;
    forward = take_tables(&words, n, real, words52);
    inverse = take_tables(&words, n, real, words52);
    fill_tables(&forward, plan->psi, degree_log2, &plan->mod);
    fill_tables(&inverse, eis_zq_inverse_var(plan->psi, &plan->mod), degree_log2, &plan->mod);
    plan->roots = forward.value;
    plan->roots_shoup = forward.shoup;
    plan->inverse_roots = inverse.value;
    plan->inverse_roots_shoup = inverse.shoup;
    plan->roots_real = forward.real;
    plan->roots_over_q = forward.over_q;
    plan->inverse_roots_real = inverse.real;
    plan->inverse_roots_over_q = inverse.over_q;
    plan->roots_52 = forward.value52;
    plan->roots_52_low = forward.low52;
    plan->inverse_roots_52 = inverse.value52;
    plan->inverse_roots_52_low = inverse.low52;
    fill_last(plan);
out:
    if (st != EIS_OK) memset(plan, 0, sizeof *plan);
    return st;
}

void eis_ntt_plan_clear(eis_ntt_plan *plan)
{
    eis_mem_free(plan->block);
    memset(plan, 0, sizeof *plan);
}

void eis_ring_ntt_forward(uint64_t *a, const eis_ntt_plan *plan) { eis_kernels_get()->zq.ntt_forward(a, plan); }

void eis_ring_ntt_inverse(uint64_t *a, const eis_ntt_plan *plan) { eis_kernels_get()->zq.ntt_inverse(a, plan); }

/* Value i stands at psi^(2 brv(i) + 1); the image there is the argument at psi^(element (2 brv(i) + 1)). */
void eis_ntt_galois_order(uint32_t *order, unsigned degree_log2, uint32_t element)
{
    const uint32_t n = (uint32_t)1 << degree_log2;

    EIS_ASSERT(element % 2 == 1 && element < 2 * n);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t exponent = (uint64_t)element * (2 * eis_ntt_bit_reverse(i, degree_log2) + 1);
        order[i] = eis_ntt_bit_reverse((uint32_t)(exponent % (2 * n)) / 2, degree_log2);
    }
}

/* X^i goes to X^(i element), and X^n = -1. */
void eis_ring_galois_coeff_raw(uint64_t *r, const uint64_t *a, unsigned degree_log2, uint32_t element, uint64_t q)
{
    const size_t n = (size_t)1 << degree_log2;
    size_t to = 0;

    EIS_ASSERT(element % 2 == 1 && element < 2 * n);
    for (size_t i = 0; i < n; i++) {
        if (to < n) {
            r[to] = a[i];
        } else {
            r[to - n] = eis_zq_neg(a[i], q);
        }
        to = (to + element) % (2 * n);
    }
}

void eis_ring_permute_raw(uint64_t *r, const uint64_t *a, const uint32_t *order, size_t n)
{
    for (size_t i = 0; i < n; i++) r[i] = a[order[i]];
}
