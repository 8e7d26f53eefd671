/* SPDX-License-Identifier: Apache-2.0 */
/* Single operations of the engine mpc, online and ahead of time apart. All are with MACs and tags: what is opened is
 * proved by the check of the token that it leads to, which the tokens' rows include. */
#include "bench/bench_mpc.h"
#include "engine/mpc/functions.h"

#include <math.h>

enum { PARTIES = 2, WIDTH = 768, BATCH = 128, COMPARISONS = 100000, HEADS = 12, LENGTH = 128 };

#define KB(bytes) ((bytes)*COMPARISONS / 1e3 + 1) /* of all comparisons, and headers */

/* One operation and what is wanted of it. Goals of 0: none. */
typedef struct operation {
    const char *name;
    eis_bench_mpc *world;
    const eis_mpc_graph *graph;
    unsigned times;
    double ms_goal, kb_goal, rounds_goal;
} operation;

/* Online is with everything ahead that does not depend on data; in one pass nothing is. */
static eis_status measure(eis_bench *bench, const operation *o)
{
    eis_status st = EIS_OK;
    eis_bench_mpc_walk ahead, pass, network;
    eis_bench_row *row;

    EIS_TRY(eis_bench_mpc_repeat(&ahead, o->world, o->graph, EIS_MPC_NONE, EIS_BENCH_MPC_AHEAD, o->times));
    EIS_TRY(eis_bench_mpc_repeat(&pass, o->world, o->graph, EIS_MPC_NONE, EIS_BENCH_MPC_PASS, o->times));
    eis_bench_mpc_set_network(o->world, true);
    EIS_TRY(eis_bench_mpc_repeat(&network, o->world, o->graph, EIS_MPC_NONE, EIS_BENCH_MPC_AHEAD, o->times));
    eis_bench_set_goal(eis_bench_add(bench, ahead.online_ms, "ms", "%s: online", o->name), o->ms_goal);
    eis_bench_add(bench, ahead.online_cpu_ms, "ms", "%s: online, processor time of a party", o->name);
    eis_bench_add(bench, network.online_ms, "ms", "%s: online, 1 Gbit/s and 0.2 ms", o->name);
    row = eis_bench_add(bench, (double)ahead.bytes_to_each_peer / 1e3, "KB", "%s: to each peer", o->name);
    if (o->kb_goal > 0) eis_bench_set_goal(row, o->kb_goal);
    row = eis_bench_add(bench, (double)ahead.rounds, "rounds", "%s: rounds", o->name);
    if (o->rounds_goal > 0) eis_bench_set_goal(row, o->rounds_goal);
    eis_bench_add(bench, ahead.expand_ms, "ms", "%s: offline, a party", o->name);
    eis_bench_add(bench, ahead.deal_ms, "ms", "%s: offline, one core of the Triple Service", o->name);
    eis_bench_add(bench, (double)ahead.material_bytes / 1e3, "KB", "%s: offline, to the last party", o->name);
    eis_bench_add(bench, pass.online_ms, "ms", "%s: both in one pass", o->name);
    eis_bench_add(bench, pass.online_ms + pass.deal_ms, "ms", "%s: total, with dealing", o->name);
out:
    return st;
}

static unsigned times_of(const eis_bench *bench, unsigned times) { return bench->quick ? (times + 3) / 4 : times; }

static eis_status run_matrix(eis_bench *bench, uint32_t batch)
{
    const eis_mpc_matrix_shape shape = {.rows = WIDTH, .columns = WIDTH, .frac = 16, .row_norm = 1, .products = true};
    eis_status st = EIS_OK;
    eis_bench_mpc *w = NULL;
    eis_mpc_graph g = {0};

    EIS_TRY(eis_bench_mpc_open(&w, PARTIES, &shape, 1, 0));
    eis_mpc_graph_init(&g, &shape, 1);
    eis_mpc_apply(&g, 0, eis_mpc_input(&g, 0, batch * WIDTH, 16, 0x1p20), NULL, 0, 0x1p45);
    EIS_TRY(measure(bench, batch == 1 ? &(operation){"matvec 768x768", w, &g, times_of(bench, 32), 1, 6.2, 1}
                                      : &(operation){"matmul 128x768x768", w, &g, times_of(bench, 8), 60, 800, 1}));
out:
    eis_mpc_graph_clear(&g);
    eis_bench_mpc_close(w);
    return st;
}

static eis_status run_comparisons(eis_bench *bench, bool wide)
{
    static const eis_mpc_cut narrow_cut = {0, 4, 3}, wide_cut = {0, 4, 6};
    static const int64_t zero = 0;
    eis_status st = EIS_OK;
    eis_bench_mpc *w = NULL;
    eis_mpc_graph g = {0};
    eis_mpc_compare compare;
    eis_mpc_id x;

    EIS_TRY(eis_bench_mpc_open(&w, PARTIES, NULL, 0, 0));
    eis_mpc_graph_init(&g, NULL, 0);
    x = eis_mpc_input(&g, 0, COMPARISONS, 0, wide ? 0x1p23 : 0x1p11);
    eis_mpc_compare_begin(&compare, &g, x, wide ? wide_cut : narrow_cut, &zero, 1, 0);
    (void)eis_mpc_compare_bit(&g, &compare);
    EIS_TRY(measure(bench, wide ? &(operation){"1e5 comparisons, wide", w, &g, times_of(bench, 8), 250, KB(88), 2}
                                : &(operation){"1e5 comparisons, narrow", w, &g, times_of(bench, 8), 100, KB(32), 1}));
out:
    eis_mpc_graph_clear(&g);
    eis_bench_mpc_close(w);
    return st;
}

/* As attention does it: the largest of each row, exp, sum, reciprocal, product. */
static void build_softmax(eis_mpc_graph *g, const eis_mpc_tuning *tuning)
{
    const unsigned levels = 7, frac = 32;
    eis_mpc_id score = eis_mpc_input(g, 0, HEADS * LENGTH, frac, ldexp(32, (int)frac)), e, sum;

    e = eis_mpc_sub(g, score, eis_mpc_repeat(g, eis_mpc_row_max(g, score, LENGTH, frac - 3, 7, NULL), LENGTH));
    e = eis_mpc_exp(g, eis_mpc_offset(g, e, -(int64_t)levels * (INT64_C(1) << (frac - 3))), tuning);
    sum = eis_mpc_reciprocal(g, eis_mpc_sum(g, e, LENGTH), exp(-(double)levels / 8) - 0.13, LENGTH + 1, tuning);
    e = eis_mpc_product2(g, e, eis_mpc_repeat(g, sum, LENGTH),
                         ldexp(1.01, (int)tuning->frac + EIS_MPC_RECIPROCAL_FRAC));
    (void)eis_mpc_rescale_auth(g, e, tuning->frac);
}

static eis_status run_softmax(eis_bench *bench)
{
    eis_status st = EIS_OK;
    eis_bench_mpc *w = NULL;
    eis_mpc_graph g = {0};
    eis_mpc_tuning tuning;

    eis_mpc_tuning_default(&tuning);
    EIS_TRY(eis_bench_mpc_open(&w, PARTIES, NULL, 0, 0));
    eis_mpc_graph_init(&g, NULL, 0);
    build_softmax(&g, &tuning);
    EIS_TRY(measure(bench, &(operation){"softmax 12x128", w, &g, times_of(bench, 16), 30, 0, 35}));
out:
    eis_mpc_graph_clear(&g);
    eis_bench_mpc_close(w);
    return st;
}

eis_status eis_bench_run_mpc_gates(eis_bench *bench)
{
    eis_status st = EIS_OK;

    eis_bench_say(bench, "gates of the engine mpc");
    EIS_TRY(run_matrix(bench, 1));
    EIS_TRY(run_matrix(bench, BATCH));
    EIS_TRY(run_comparisons(bench, false));
    EIS_TRY(run_comparisons(bench, true));
    EIS_TRY(run_softmax(bench));
out:
    return st;
}
