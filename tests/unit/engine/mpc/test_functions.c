/* SPDX-License-Identifier: Apache-2.0 */
/* Functions on shares against the C library's: errors within the table of the documents, rounds and words as the
 * headers say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/mpc/functions.h"
#include "support/mpc_world.h"

#include <math.h>

enum { N = 400 };

static mpc_world world;
static int64_t x[N], y[N];

static int open_world(void **state)
{
    (void)state;
    mpc_world_open(&world, 2);
    world.again = true;
    world.input[0] = x;
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    mpc_world_close(&world);
    return 0;
}

/* Walks the graph and compares the node with f; relative: in units of |f|. */
static void check(eis_mpc_graph *g, eis_mpc_id id, unsigned x_frac, double (*f)(double), double bound, bool relative)
{
    assert_int_equal(eis_mpc_graph_status(g), EIS_OK);
    assert_int_equal(mpc_world_walk(&world, g, true), EIS_OK);
    mpc_world_value(y, &world, id);
    for (uint32_t i = 0; i < N; i++) {
        double wanted = f(ldexp((double)x[i], -(int)x_frac));
        double error = fabs(ldexp((double)y[i], -(int)g->nodes[id].frac) - wanted);
        assert_true(error <= bound * (relative ? fabs(wanted) : 1));
        assert_true(fabs((double)y[i]) <= g->nodes[id].bound);
    }
}

static void costs(eis_mpc_graph *g, uint32_t rounds, uint32_t words)
{
    eis_mpc_cost cost;

    eis_mpc_graph_cost(&cost, g);
    assert_int_equal(cost.rounds, rounds);
    assert_int_equal(cost.opened, (uint64_t)words * N);
    for (uint32_t p = 0; p < world.count; p++) assert_true(world.party[p].links.links.rounds >= rounds);
}

static eis_mpc_id input(eis_mpc_graph *g, unsigned frac, double bound)
{
    mpc_world_clear_walk(&world);
    eis_mpc_graph_init(g, NULL, 0);
    return eis_mpc_input(g, 0, N, frac, ldexp(bound, (int)frac));
}

static void test_exp(void **state)
{
    /* The interpolant's error, and 8e-4 for the fixed point: one unit of 14 bits in t alone is 5e-4 at a range of 16.
     */
    static const struct {
        unsigned degree, rounds, words;
        double range, bound;
    } rows[] = {{5, 5, 14, 8, 9.6e-3},   {7, 5, 14, 8, 5.5e-4},   {7, 5, 14, 12, 3.9e-3}, {9, 5, 14, 12, 3.0e-4},
                {11, 5, 14, 12, 1.7e-5}, {11, 5, 14, 16, 1.4e-4}, {13, 7, 16, 12, 7e-7},  {15, 7, 16, 16, 5e-7}};
    (void)state;

    for (int i = 0; i < N; i++) x[i] = -(int64_t)ldexp(i * 0.06, 32);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        eis_mpc_graph g;
        eis_mpc_tuning t;
        eis_mpc_tuning_default(&t);
        t.exp_degree = rows[i].degree;
        t.exp_range = rows[i].range;
        check(&g, eis_mpc_exp(&g, input(&g, 32, 1024), &t), 32, exp, rows[i].bound * 1.15 + 8e-4, false);
        costs(&g, rows[i].rounds, rows[i].words);
        eis_mpc_graph_clear(&g);
    }
}

static double silu(double v) { return v / (1 + exp(-v)); }
static double gelu(double v) { return v / 2 * (1 + erf(v / sqrt(2))); }
static double gelu_tanh(double v) { return v / 2 * (1 + tanh(0.7978845608028654 * (v + 0.044715 * v * v * v))); }
static double sigmoid(double v) { return 1 / (1 + exp(-v)); }
static double square_gate(double v) { return v * silu(v); }

static void test_activations(void **state)
{
    eis_mpc_graph g;
    eis_mpc_tuning t;
    eis_mpc_id in;
    (void)state;

    eis_mpc_tuning_default(&t);
    for (int i = 0; i < N; i++) x[i] = (int64_t)ldexp((i - N / 2) * 0.07, 16);
    check(&g, eis_mpc_activate(&g, input(&g, 16, 15), EIS_MPC_SILU, &t), 16, silu, 3.5e-3, false);
    costs(&g, 6, 20);
    eis_mpc_graph_clear(&g);
    check(&g, eis_mpc_activate(&g, input(&g, 16, 64), EIS_MPC_SILU, &t), 16, silu, 3.5e-3, false);
    costs(&g, 8, 22);
    eis_mpc_graph_clear(&g);
    check(&g, eis_mpc_activate(&g, input(&g, 16, 15), EIS_MPC_GELU, &t), 16, gelu, 1e-3, false);
    costs(&g, 6, 20);
    eis_mpc_graph_clear(&g);
    check(&g, eis_mpc_activate(&g, input(&g, 16, 15), EIS_MPC_GELU_TANH, &t), 16, gelu_tanh, 1.5e-3, false);
    eis_mpc_graph_clear(&g);
    check(&g, eis_mpc_sigmoid(&g, input(&g, 16, 64), &t), 16, sigmoid, 6e-4, false);
    costs(&g, 8, 22);
    eis_mpc_graph_clear(&g);
    in = input(&g, 16, 15);
    check(&g, eis_mpc_gated_unit(&g, in, in, EIS_MPC_SILU, &t), 16, square_gate, 0.05, false);
    costs(&g, 8, 22);
    eis_mpc_graph_clear(&g);
}

static double inverse(double v) { return 1 / v; }
static double inverse_root(double v) { return 1 / sqrt(v); }

static void test_reciprocals(void **state)
{
    eis_mpc_graph g;
    eis_mpc_tuning t;
    (void)state;

    eis_mpc_tuning_default(&t);
    for (int i = 0; i < N; i++) x[i] = (int64_t)ldexp(exp2(-7.99 + 15.98 * i / N), 26);
    check(&g, eis_mpc_reciprocal_root(&g, input(&g, 26, 4096), 0x1p-8 + 0x1p-16, &t), 26, inverse_root, 6e-4, true);
    assert_int_equal(g.rounds, 7);
    eis_mpc_graph_clear(&g);
    for (int i = 0; i < N; i++) x[i] = (int64_t)ldexp(exp2(-2 + 11.0 * i / N), 16);
    check(&g, eis_mpc_reciprocal(&g, input(&g, 16, 512), 0.25, 512, &t), 16, inverse, 4e-4, true);
    assert_true(g.rounds <= 7);
    eis_mpc_graph_clear(&g);
    for (int i = 0; i < N; i++) x[i] = (int64_t)ldexp(exp2(-2 + 11.0 * i / N), 12);
    check(&g, eis_mpc_reciprocal(&g, input(&g, 12, 512), 0.25, 512, &t), 12, inverse, 4e-4, true);
    eis_mpc_graph_clear(&g);
}

static void test_row_max(void **state)
{
    enum { ROWS = 8, INNER = N / ROWS };
    eis_mpc_graph g;
    eis_mpc_id at, best;
    int64_t place[ROWS];
    (void)state;

    for (int i = 0; i < N; i++) x[i] = (int64_t)ldexp(sin(i * 1.7) * 100, 32);
    best = eis_mpc_row_max(&g, input(&g, 32, 128), INNER, 20, 7, &at);
    assert_int_equal(mpc_world_walk(&world, &g, true), EIS_OK);
    mpc_world_value(y, &world, best);
    mpc_world_value(place, &world, at);
    for (int r = 0; r < ROWS; r++) {
        assert_in_range(place[r], 0, INNER - 1);
        assert_true(x[r * INNER + place[r]] == y[r]);
        for (int i = 0; i < INNER; i++) assert_true(x[r * INNER + i] - y[r] <= 6 << 20); /* 6 levels */
    }
    eis_mpc_graph_clear(&g);
}

/* A graph that could overflow is refused with the bits it lacks, and everything after it is refused too. */
static void test_refused(void **state)
{
    eis_mpc_graph g;
    eis_mpc_id in, id;
    (void)state;

    in = input(&g, 16, 0x1p30);
    id = eis_mpc_mask(&g, eis_mpc_product2(&g, in, in, 0));
    assert_true(id == EIS_MPC_NONE && eis_mpc_graph_status(&g) == EIS_ERR_RANGE);
    assert_non_null(strstr(eis_error_detail(), "bits"));
    assert_true(eis_mpc_add(&g, in, in) == EIS_MPC_NONE);
    eis_mpc_graph_clear(&g);
}

static void says(eis_mpc_graph *g, eis_mpc_id id, const char *text)
{
    assert_true(id == EIS_MPC_NONE && eis_mpc_graph_status(g) == EIS_ERR_RANGE);
    if (strstr(eis_error_detail(), text) == NULL || strstr(eis_error_detail(), "nan") != NULL)
        fail_msg("%s", eis_error_detail());
    eis_mpc_graph_clear(g);
}

/* A refusal names the part of the model, the bits it needs and has, and what to change; never a number that is none. */
static void test_what_refusals_say(void **state)
{
    eis_mpc_graph g;
    eis_mpc_tuning t;
    eis_mpc_id in;
    (void)state;

    eis_mpc_tuning_default(&t);
    in = input(&g, 16, 0x1p30);
    eis_mpc_graph_section(&g, "block %d mlp", 3);
    says(&g, eis_mpc_mask(&g, eis_mpc_product2(&g, in, in, 0)),
         "block 3 mlp, gate 2 (mask): a value that is opened needs 92.0 bits and has 60.0; lower "
         "fixed_point.scale_bits, or declare");
    in = input(&g, 16, 0x1p30);
    says(&g, eis_mpc_truncate(&g, eis_mpc_scale(&g, in, 1 << 20, 10), 10),
         "gate 2 (truncate): a value that is truncated needs 66.0 bits and has 59.0");
    in = input(&g, 16, 64);
    says(&g, eis_mpc_reciprocal(&g, in, -0.5, 64, &t),
         "a reciprocal of numbers from 0 on has no bound; raise fixed_point.scale_bits");
    in = input(&g, 10, 64);
    says(&g, eis_mpc_reciprocal_root(&g, in, 0.25, &t), "needs 18.0 bits and has 10.0; raise fixed_point.scale_bits");
    in = input(&g, 16, NAN);
    says(&g, eis_mpc_mask(&g, eis_mpc_auth(&g, in)), "has no bound");
    in = input(&g, 32, 0x1p28);
    says(&g, eis_mpc_row_max(&g, in, 2, 0, 4, NULL), "a maximum needs 61.0 bits and has 54.0; lower");
    in = input(&g, 16, 0x1p40);
    t.per_octave = 8;
    says(&g, eis_mpc_reciprocal(&g, in, 0x1p-10, 0x1p40, &t), "lower spline.per_octave");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp),     cmocka_unit_test(test_activations), cmocka_unit_test(test_reciprocals),
        cmocka_unit_test(test_row_max), cmocka_unit_test(test_refused),     cmocka_unit_test(test_what_refusals_say),
    };

    return cmocka_run_group_tests(tests, open_world, close_world);
}
