/* SPDX-License-Identifier: Apache-2.0 */
/* Transforms of one limb, for the classes of primes that the kernels tell apart, each compared with plain C. */
#include "base/mem.h"
#include "bench/bench_he.h"
#include "ring/ntt.h"
#include "ring/zq.h"

#include <string.h>

typedef struct limb {
    eis_ntt_plan plan;
    uint64_t *a, *b;
} limb;

static eis_status forward(void *context)
{
    limb *l = context;

    eis_ring_ntt_forward(l->a, &l->plan);
    return EIS_OK;
}

static eis_status inverse(void *context)
{
    limb *l = context;

    eis_ring_ntt_inverse(l->a, &l->plan);
    return EIS_OK;
}

static void compare(eis_bench *bench, limb *l)
{
    size_t n = l->plan.degree;

    eis_bench_random(l->a, n * sizeof *l->a, n);
    for (size_t i = 0; i < n; i++) l->a[i] %= l->plan.mod.q;
    memcpy(l->b, l->a, n * sizeof *l->a);
    eis_ring_ntt_forward(l->a, &l->plan);
    eis_kernels_level(0)->zq.ntt_forward(l->b, &l->plan);
    bench->unequal += eis_bench_words_differ(l->a, l->b, n) != 0;
    eis_ring_ntt_inverse(l->a, &l->plan);
    eis_kernels_level(0)->zq.ntt_inverse(l->b, &l->plan);
    bench->unequal += eis_bench_words_differ(l->a, l->b, n) != 0;
}

static eis_status run_limb(eis_bench *bench, unsigned degree_log2, unsigned bits, double goal)
{
    eis_status st = EIS_OK;
    limb l = {0};
    size_t n = (size_t)1 << degree_log2;
    uint64_t q;
    double us, ghz = eis_bench_clock_ghz();

    EIS_TRY(eis_zq_primes_choose(&q, &bits, 1, n));
    EIS_TRY(eis_ntt_plan_init(&l.plan, degree_log2, q));
    EIS_NEW(l.a, n);
    EIS_NEW(l.b, n);
    compare(bench, &l);
    EIS_TRY(eis_bench_he_time(&us, bench, forward, &l));
    eis_bench_row *row = eis_bench_add(bench, us, "us", "forward NTT, N = %zu, %u-bit prime", n, bits);
    if (goal > 0) eis_bench_set_goal(row, goal);
    if (ghz > 0) {
        row = eis_bench_add(bench, us * 1e3 * ghz / ((double)n / 2 * degree_log2 / 8), "cycles",
                            "the same, per 8 butterflies, N = %zu, %u-bit prime", n, bits);
        if (degree_log2 == 13 && bits == 40) eis_bench_set_goal(row, 3.9);
    }
    EIS_TRY(eis_bench_he_time(&us, bench, inverse, &l));
    (void)eis_bench_add(bench, us, "us", "inverse NTT, N = %zu, %u-bit prime", n, bits);
out:
    eis_mem_free(l.a);
    eis_mem_free(l.b);
    eis_ntt_plan_clear(&l.plan);
    return st;
}

eis_status eis_bench_run_he_ntt(eis_bench *bench)
{
    static const struct {
        unsigned degree_log2, bits;
        double goal; /* us on a core of 3 GHz with IFMA */
    } limbs[] = {{13, 40, 8.5}, {13, 50, 0}, {13, 60, 25}, {14, 40, 19}, {14, 60, 0}};
    eis_status st = EIS_OK;

    eis_bench_say(bench, "transforms");
    for (size_t i = 0; i < sizeof limbs / sizeof limbs[0]; i++)
        EIS_TRY(run_limb(bench, limbs[i].degree_log2, limbs[i].bits, limbs[i].goal));
out:
    return st;
}
