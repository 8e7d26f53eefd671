/* SPDX-License-Identifier: Apache-2.0 */
/* What the parties open says nothing about the secrets: for fixed inputs every opened word is uniform over fresh masks,
 * and no two openings share a mask. Built over small fields, where all values can be counted, and by
 * tests/unit/engine/mpc over the shipped one, by its top bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/mpc/gates.h"
#include "support/mpc_world.h"

#include <math.h>

#define BITS 7 /* that are looked at, from the top */
#define BINS (EIS_FP_BITS == 7 ? 127u : 128u)
#ifdef EIS_VERIFY_BUILD /* with sanitizers it is the code that is looked at, not the statistics */
#define RUNS (BINS * 30u)
#else
#define RUNS (BINS * (EIS_FP_BITS == 7 ? 200u : 60u))
#endif
#define POSITIONS 64

enum { N = 2 };

static uint32_t counts[POSITIONS][128];

static unsigned bin_of(uint64_t word) { return (unsigned)(word >> (EIS_FP_BITS - BITS)); }

/* A circuit with every kind of opening that inputs have. */
static eis_mpc_id build(eis_mpc_graph *g)
{
    eis_mpc_cut cut = {0, 1, 3};
    eis_mpc_id x, y, bit;

    eis_mpc_graph_init(g, NULL, 0);
    x = eis_mpc_input(g, 0, N, 2, 3);
    y = eis_mpc_mask(g, eis_mpc_product2(g, x, x, 9));
    y = eis_mpc_rescale(g, y, 2);
    eis_mpc_set_bound(g, y, 4);
    bit = eis_mpc_mask(g, eis_mpc_at_least(g, x, cut, 0, 3));
    return eis_mpc_mask(g, eis_mpc_product2(g, bit, y, 4));
}

static bool opens(const eis_mpc_node *node) { return node->op == EIS_MPC_OP_MASK || node->op == EIS_MPC_OP_INPUT; }

/* Chi-square of one position against the uniform distribution, in deviations from its mean. */
static double excess(const uint32_t *count)
{
    double expected = (double)RUNS / BINS, sum = 0;

    for (unsigned b = 0; b < BINS; b++) sum += (count[b] - expected) * (count[b] - expected) / expected;
    return (sum - (BINS - 1)) / sqrt(2.0 * (BINS - 1));
}

static void count_openings(mpc_world *w, const eis_mpc_graph *g)
{
    size_t at = 0;

    for (eis_mpc_id id = 0; id < g->node_count; id++) {
        if (!opens(&g->nodes[id])) continue;
        for (uint32_t i = 0; i < g->nodes[id].count; i++, at++) counts[at][bin_of(w->party[0].run.values[id].pub[i])]++;
    }
}

static void test_uniform(void **state)
{
    static const int64_t secrets[2][N] = {{3, -3}, {0, 1}};
    mpc_world w;
    eis_mpc_graph g;
    size_t positions = 0;
    (void)state;

    mpc_world_open(&w, 2);
    (void)build(&g);
    assert_int_equal(eis_mpc_graph_status(&g), EIS_OK);
    for (eis_mpc_id id = 0; id < g.node_count; id++)
        if (opens(&g.nodes[id])) positions += g.nodes[id].count;
    assert_in_range(positions, 8, POSITIONS);
    for (int s = 0; s < 2; s++) {
        memset(counts, 0, sizeof counts);
        w.input[0] = secrets[s];
        for (uint32_t i = 0; i < RUNS; i++) {
            if (mpc_world_walk(&w, &g, i % 1000 == 999) != EIS_OK) fail_msg("%s", eis_error_detail());
            count_openings(&w, &g);
        }
        /* 6.5 deviations: for 126 degrees of freedom a chi-square of 230, which chance exceeds in 1e-7 of positions. */
        for (size_t at = 0; at < positions; at++)
            if (fabs(excess(counts[at])) > 6.5) fail_msg("opening %zu is %.1f deviations off", at, excess(counts[at]));
    }
    mpc_world_clear_walk(&w);
    eis_mpc_graph_clear(&g);
    mpc_world_close(&w);
}

/* The counter itself: a mask that is never above half the field shows. */
static void test_counter(void **state)
{
    (void)state;
    memset(counts, 0, sizeof counts);
    for (uint32_t i = 0; i < RUNS; i++) counts[0][i % (BINS / 2)]++;
    assert_true(excess(counts[0]) > 6.5);
    memset(counts, 0, sizeof counts);
    for (uint32_t i = 0; i < RUNS; i++) counts[0][i % BINS]++;
    assert_true(fabs(excess(counts[0])) < 10); /* all too even is no chance either */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_counter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
