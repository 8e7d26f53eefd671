/* SPDX-License-Identifier: Apache-2.0 */
/* What a client does for one vector of 4096 words: sharing between two servers, adding two answers and scaling them
 * back; and a Freivalds check. */
#include "base/clock.h"
#include "base/mem.h"
#include "bench/bench.h"
#include "cli/cli.h"
#include "encode/fixed.h"
#include "share/combine.h"
#include "share/freivalds.h"
#include "share/shamir.h"
#include "share/split.h"

#include <string.h>

enum { N = 4096, SERVERS = 2, CALLS = 50, SAMPLES = 201 };

#define GOAL_US 6 /* on a core of 3 GHz */

/* A vector and everything that is made of it. */
typedef struct client {
    eis_prg prg;
    eis_share shares[3];
    eis_vectors shape;
    uint64_t x[N], answers[SERVERS][N], sum[N];
    double scales[N], y[N];
    uint64_t copy_from[N], copy_to[N];
} client;

typedef eis_status (*step)(client *c);

/* Median time of a call in microseconds of processor time. */
static eis_status time_step(double *us, client *c, step run)
{
    eis_status st = EIS_OK;
    double samples[SAMPLES];

    for (size_t i = 0; i < SAMPLES; i++) {
        uint64_t start = eis_clock_thread_ns();
        for (size_t j = 0; j < CALLS; j++) EIS_TRY(run(c));
        samples[i] = (double)(eis_clock_thread_ns() - start) / 1e3 / CALLS;
    }
    *us = eis_bench_median(samples, SAMPLES);
out:
    return st;
}

static eis_status share(client *c)
{
    return eis_share_split(&c->prg, c->shares, SERVERS, c->x, &c->shape, EIS_SUITE_AES128);
}

static eis_status recombine(client *c)
{
    const eis_share_part parts[SERVERS] = {{c->answers[0], 0}, {c->answers[1], 0}};
    eis_status st = eis_share_combine(c->sum, parts, SERVERS, N, c->shape.ring);

    eis_fixed_to_reals(c->y, c->sum, c->scales, N, 12, c->shape.ring, 0, 0);
    return st;
}

static eis_status share_and_recombine(client *c)
{
    eis_status st = share(c);

    return st == EIS_OK ? recombine(c) : st;
}

static eis_status shamir(client *c)
{
    return eis_shamir_split(&c->prg, c->shares, 3, 2, c->x, &c->shape, EIS_SUITE_AES128);
}

/* The barrier keeps the compiler from dropping copies that nobody reads. */
static eis_status copy(client *c)
{
    memcpy(c->copy_to, c->copy_from, sizeof c->copy_to);
    __asm__ volatile("" : : "r"(c->copy_to) : "memory");
    return EIS_OK;
}

static void fill_words(uint64_t words[N], eis_ring ring, uint64_t seed)
{
    eis_bench_random(words, N * sizeof *words, seed);
    for (size_t i = 0; i < N; i++) words[i] &= eis_ring_mask(ring) >> (ring == EIS_RING_F61);
}

/* Sharing without randomness would be no sharing: the words must come out again. */
static eis_status check_sum(eis_bench *bench, client *c)
{
    eis_status st = EIS_OK;

    EIS_TRY(share(c));
    for (size_t i = 0; i < SERVERS; i++) {
        uint64_t *vector = eis_mem_new(1, eis_vectors_stride(&c->shape));
        if (vector == NULL) return EIS_ERR_MEMORY;
        st = eis_share_expand(&c->prg, vector, &c->shares[i]);
        if (st == EIS_OK) eis_share_words_read(c->answers[i], vector, &c->shape);
        eis_mem_free(vector);
        if (st != EIS_OK) goto out;
    }
    EIS_TRY(recombine(c));
    if (eis_bench_words_differ(c->sum, c->x, N) != 0) bench->unequal++;
out:
    return st;
}

static eis_status run_ring(eis_bench *bench, client *c, const char *name, eis_ring ring, eis_geometry geometry,
                           double copy_us)
{
    eis_status st = EIS_OK;
    double split_us, both_us;

    EIS_TRY(eis_vectors_init(&c->shape, ring, eis_vectors_form(ring, geometry), N, 1));
    fill_words(c->x, ring, 11);
    EIS_TRY(check_sum(bench, c));
    EIS_TRY(time_step(&split_us, c, share));
    EIS_TRY(time_step(&both_us, c, share_and_recombine));
    eis_bench_set_goal(eis_bench_add(bench, both_us, "us", "share + recombine 4096, k=2, %s", name), GOAL_US);
    eis_bench_against(eis_bench_add(bench, both_us, "us", "share + recombine 4096, k=2, %s beside a memcpy", name),
                      "memcpy of 32 KiB", copy_us);
    (void)eis_bench_add(bench, split_us, "us", "share alone 4096, k=2, %s", name);
out:
    return st;
}

static eis_status run_field(eis_bench *bench, client *c)
{
    eis_status st = EIS_OK;
    double us;

    EIS_TRY(time_step(&us, c, shamir));
    (void)eis_bench_add(bench, us, "us", "share 4096, threshold 2 of 3, F61");
out:
    return st;
}

/* The check reads its keys and two vectors, so its time does not depend on the weights: they are zero here. */
static eis_status run_freivalds(eis_bench *bench, client *c)
{
    eis_status st = EIS_OK;
    eis_freivalds keys = {0};
    int32_t *row = NULL;
    double samples[SAMPLES];

    EIS_NEW(row, N);
    EIS_TRY(eis_freivalds_init(&keys, &c->prg, N, N, 1));
    for (size_t i = 0; i < N; i++) eis_freivalds_add_rows(&keys, row, 1);
    memset(c->sum, 0, sizeof c->sum);
    fill_words(c->x, EIS_RING_F61, 12);
    for (size_t i = 0; i < SAMPLES; i++) {
        uint64_t start = eis_clock_thread_ns();
        for (size_t j = 0; j < CALLS; j++) EIS_TRY(eis_freivalds_check(&keys, c->sum, c->x));
        samples[i] = (double)(eis_clock_thread_ns() - start) / 1e3 / CALLS;
    }
    eis_bench_set_goal(
        eis_bench_add(bench, eis_bench_median(samples, SAMPLES), "us", "Freivalds check 4096x4096, one answer"),
        GOAL_US);
out:
    eis_freivalds_clear(&keys);
    eis_mem_free(row);
    return st;
}

eis_status eis_bench_run_share(eis_bench *bench)
{
    static const struct {
        const char *name;
        eis_ring ring;
        eis_geometry geometry;
    } rings[] = {{"P8 Z64", EIS_RING_Z64, EIS_GEOMETRY_W8},
                 {"P8 Z32", EIS_RING_Z32, EIS_GEOMETRY_W8},
                 {"P24", EIS_RING_Z52, EIS_GEOMETRY_W24},
                 {"F61", EIS_RING_F61, EIS_GEOMETRY_W20}};
    eis_status st = EIS_OK;
    client *c = NULL;
    double copy_us;

    EIS_NEW(c, 1);
    for (size_t i = 0; i < N; i++) c->scales[i] = 1e-3;
    eis_bench_say(bench, "sharing, recombining, checking");
    EIS_TRY(time_step(&copy_us, c, copy));
    for (size_t i = 0; i < sizeof rings / sizeof rings[0]; i++) {
        EIS_TRY(eis_cli_check_interrupted());
        EIS_TRY(run_ring(bench, c, rings[i].name, rings[i].ring, rings[i].geometry, copy_us));
    }
    EIS_TRY(run_field(bench, c));
    EIS_TRY(run_freivalds(bench, c));
out:
    if (c != NULL) {
        for (size_t i = 0; i < sizeof c->shares / sizeof c->shares[0]; i++) eis_share_clear(&c->shares[i]);
        eis_prg_clear(&c->prg);
    }
    eis_mem_free(c);
    return st;
}
