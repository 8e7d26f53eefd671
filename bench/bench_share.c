/* SPDX-License-Identifier: Apache-2.0 */
/* What a client does for one vector of 4096 words: sharing between two servers, adding two answers and scaling them
 * back; and a Freivalds check. */
#include "base/clock.h"
#include "base/mem.h"
#include "bench/bench.h"
#include "cli/cli.h"
#include "engine/split/recover.h"
#include "share/freivalds.h"
#include "share/shamir.h"
#include "share/split.h"

#include <string.h>

enum { N = 4096, SERVERS = 2, CALLS = 50, SAMPLES = 201 };

#define GOAL_US 6 /* on a core of 3 GHz */

/* A layer at the client, a vector and everything that is made of it. */
typedef struct client {
    eis_prg prg;
    eis_linear linear;
    eis_split_client_layer layer;
    eis_split_input input;
    int bits;
    eis_share shares[3];
    eis_vectors shape;
    uint64_t x[N], sum[N], answers[SERVERS][N];
    double scales[N], y[N];
    uint64_t copy_from[N], copy_to[N];
} client;

static const eis_split_scheme scheme = {.servers = SERVERS, .suite = EIS_SUITE_AES128};

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

static eis_status share(client *c) { return eis_split_protect(c->shares, &c->prg, &c->input, &c->layer, &scheme); }

static eis_status recombine(client *c)
{
    const eis_split_answer answers[SERVERS] = {{.index = 1, .words = c->answers[0]},
                                               {.index = 2, .words = c->answers[1]}};

    return eis_split_recover(c->y, NULL, answers, SERVERS, &c->input, &c->layer, &scheme);
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

/* Servers that answer with their shares give the input back: the words must come out again. */
static eis_status check_sum(eis_bench *bench, client *c)
{
    eis_status st = EIS_OK;
    uint64_t *vector = eis_mem_new(1, eis_vectors_stride(&c->shape));

    if (vector == NULL) return EIS_ERR_MEMORY;
    EIS_TRY(share(c));
    for (size_t i = 0; i < SERVERS; i++) {
        EIS_TRY(eis_share_expand(&c->prg, vector, &c->shares[i]));
        eis_share_words_read(c->answers[i], vector, &c->shape);
    }
    eis_kernels_get()->words_add(c->sum, c->answers[0], c->answers[1], N, c->shape.ring);
    if (eis_bench_words_differ(c->sum, c->x, N) != 0) bench->unequal++;
out:
    eis_mem_free(vector);
    return st;
}

static eis_status set_layer(client *c, eis_split_profile profile, unsigned planes)
{
    eis_status st = EIS_OK;

    c->linear = (eis_linear){.kind = EIS_LINEAR_DENSE, .out = N, .in = N};
    c->input = (eis_split_input){.words = c->x, .bits = &c->bits, .batch = 1};
    c->bits = 12;
    EIS_TRY(eis_split_client_layer_init(&c->layer, &c->linear, profile, planes, 1, c->scales, false, SERVERS));
    EIS_TRY(eis_vectors_init(&c->shape, c->layer.layer.ring, c->layer.layer.form, N, 1));
    fill_words(c->x, c->shape.ring, 11);
out:
    return st;
}

static eis_status run_ring(eis_bench *bench, client *c, const char *name, double copy_us)
{
    eis_status st = EIS_OK;
    double split_us, both_us;

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
        eis_split_profile profile;
        unsigned planes;
    } rings[] = {{"P8 Z64", EIS_SPLIT_P8, 8},
                 {"P8 Z32", EIS_SPLIT_P8, 4},
                 {"P24", EIS_SPLIT_P24, 0},
                 {"F61", EIS_SPLIT_F61_20, 0}};
    eis_status st = EIS_OK;
    client *c = NULL;
    double copy_us;

    EIS_NEW(c, 1);
    for (size_t i = 0; i < N; i++) c->scales[i] = 1e-3;
    eis_bench_say(bench, "sharing, recombining, checking");
    EIS_TRY(time_step(&copy_us, c, copy));
    for (size_t i = 0; i < sizeof rings / sizeof rings[0]; i++) {
        EIS_TRY(eis_cli_check_interrupted());
        EIS_TRY(set_layer(c, rings[i].profile, rings[i].planes));
        EIS_TRY(run_ring(bench, c, rings[i].name, copy_us));
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
