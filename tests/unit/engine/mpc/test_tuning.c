/* SPDX-License-Identifier: Apache-2.0 */
/* Every tunable that shapes graphs does what it says, and is refused outside its range; the table of degree, range and
 * error of the documents is what the fit gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/mpc/functions.h"
#include "support/mpc_lm.h"
#include "unit/model/fixture.h"

#include <math.h>

enum { N = 200 };

static mpc_world world;
static int64_t x[N], y[N];

static int open_world(void **state)
{
    (void)state;
    mpc_world_open(&world, 2);
    world.input[0] = x;
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    mpc_world_close(&world);
    return 0;
}

static eis_mpc_tuning usual(void)
{
    eis_mpc_tuning t;

    eis_mpc_tuning_default(&t);
    return t;
}

/* What a function costs and how wrong it is. */
typedef struct measured {
    double error;
    eis_mpc_cost cost;
} measured;

typedef eis_mpc_id (*gates)(eis_mpc_graph *graph, eis_mpc_id in, const eis_mpc_tuning *tuning);

static measured measure(gates make, double (*f)(double), double from, double to, unsigned frac, bool relative,
                        const eis_mpc_tuning *tuning)
{
    measured m = {0};
    eis_mpc_graph g;
    eis_mpc_id out;

    for (int i = 0; i < N; i++) x[i] = llround(ldexp(from + (to - from) * i / (N - 1), (int)frac));
    mpc_world_clear_walk(&world);
    eis_mpc_graph_init(&g, NULL, 0);
    out = make(&g, eis_mpc_input(&g, 0, N, frac, ldexp(fmax(fabs(from), fabs(to)) + 1, (int)frac)), tuning);
    if (eis_mpc_graph_status(&g) != EIS_OK || mpc_world_walk(&world, &g, true) != EIS_OK)
        fail_msg("%s", eis_error_detail());
    mpc_world_value(y, &world, out);
    for (int i = 0; i < N; i++) {
        double wanted = f(ldexp((double)x[i], -(int)frac));
        double error = fabs(ldexp((double)y[i], -(int)g.nodes[out].frac) - wanted);
        m.error = fmax(m.error, relative ? error / fabs(wanted) : error);
    }
    eis_mpc_graph_cost(&m.cost, &g);
    eis_mpc_graph_clear(&g);
    return m;
}

static double silu(double v) { return v / (1 + exp(-v)); }
static double inverse(double v) { return 1 / v; }
static double inverse_root(double v) { return 1 / sqrt(v); }

static eis_mpc_id make_silu(eis_mpc_graph *graph, eis_mpc_id in, const eis_mpc_tuning *tuning)
{
    return eis_mpc_activate(graph, in, EIS_MPC_SILU, tuning);
}

static eis_mpc_id make_inverse(eis_mpc_graph *graph, eis_mpc_id in, const eis_mpc_tuning *tuning)
{
    return eis_mpc_reciprocal(graph, in, 0.25, 16, tuning);
}

static eis_mpc_id make_root(eis_mpc_graph *graph, eis_mpc_id in, const eis_mpc_tuning *tuning)
{
    return eis_mpc_reciprocal_root(graph, in, 0.25, tuning);
}

/* ---- the table ---- */

static double two_digits_up(double v)
{
    double unit = pow(10, floor(log10(v)) - 1);

    return (floor(v / unit) + 1.5) * unit; /* of a number rounded to two digits, and half a unit more */
}

static void the_table_of_degrees_and_ranges(void **state)
{
    static const unsigned degrees[] = {5, 7, 9, 11, 13, 15};
    static const struct {
        eis_mpc_function f;
        double range, error[6];
    } rows[] = {
        {eis_mpc_function_exp, 8, {9.6e-3, 5.5e-4, 2.1e-5, 5.7e-7, 1.2e-8, 1.8e-10}},
        {eis_mpc_function_exp, 12, {3.5e-2, 3.9e-3, 3.0e-4, 1.7e-5, 7.2e-7, 2.4e-8}},
        {eis_mpc_function_exp, 16, {7.4e-2, 1.2e-2, 1.5e-3, 1.4e-4, 9.6e-6, 5.4e-7}},
        {eis_mpc_function_silu, 6, {9.7e-3, 1.3e-3, 1.7e-4, 2.3e-5, 3.1e-6, 4.2e-7}},
        {eis_mpc_function_silu, 8, {4.0e-2, 8.7e-3, 1.9e-3, 4.0e-4, 8.7e-5, 1.9e-5}},
        {eis_mpc_function_gelu, 4, {4.4e-3, 2.4e-4, 9.0e-6, 2.4e-7, 4.9e-9, 7.6e-11}},
    };
    (void)state;

    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++)
        for (size_t d = 0; d < 6; d++) {
            double c[EIS_MPC_DEGREE_MAX + 1], error;
            eis_mpc_fit(c, degrees[d], rows[r].f, rows[r].range);
            error = eis_mpc_fit_error(c, degrees[d], rows[r].f, rows[r].range, 4001);
            assert_true(error <= two_digits_up(rows[r].error[d]) && error >= 0.9 * rows[r].error[d]);
        }
}

/* On shares the error is that of the fit, and what the fixed point adds. */
static void exp_degree_and_range(void **state)
{
    static const struct {
        unsigned degree, rounds;
        double range;
    } rows[] = {{5, 5, 8}, {7, 5, 8}, {5, 5, 16}, {7, 5, 12}, {11, 5, 12}, {11, 5, 16}, {13, 7, 12}, {15, 7, 16}};
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        eis_mpc_tuning t = usual();
        double c[EIS_MPC_DEGREE_MAX + 1], fit;
        measured m;
        t.exp_degree = rows[i].degree;
        t.exp_range = rows[i].range;
        eis_mpc_fit(c, t.exp_degree, eis_mpc_function_exp, t.exp_range + 0.125);
        fit = fmax(eis_mpc_fit_error(c, t.exp_degree, eis_mpc_function_exp, t.exp_range + 0.125, 4001),
                   exp(-t.exp_range)); /* what is cut off */
        m = measure(eis_mpc_exp, exp, -20, 0, 32, false, &t);
        assert_true(m.error <= fit + 8e-4);
        assert_true(fit < 2e-3 || m.error >= fit / 3);
        assert_int_equal(m.cost.rounds, rows[i].rounds);
    }
}

static void act_degree_and_range(void **state)
{
    eis_mpc_tuning coarse = usual(), fine = usual(), narrow = usual();
    double e_coarse, e_fine, e_narrow;
    (void)state;

    coarse.act_degree = 5;
    narrow.act_range = 4;
    e_coarse = measure(make_silu, silu, -12, 12, 16, false, &coarse).error;
    e_fine = measure(make_silu, silu, -12, 12, 16, false, &fine).error;
    e_narrow = measure(make_silu, silu, -12, 12, 16, false, &narrow).error;
    assert_true(e_coarse > 0.02 && e_coarse < 0.05);
    assert_true(e_fine < 3.5e-3);
    assert_true(e_narrow > 0.05 && e_narrow < 0.08); /* silu(-4) = -0.072 is cut off */
    fine.act_degree = 13;
    assert_int_equal(measure(make_silu, silu, -12, 12, 16, false, &fine).cost.rounds,
                     measure(make_silu, silu, -12, 12, 16, false, &coarse).cost.rounds + 2);
}

static void scale_bits(void **state)
{
    eis_mpc_tuning coarse = usual(), fine = usual();
    (void)state;

    coarse.frac = 10;
    fine.frac = 18;
    fine.exp_range = coarse.exp_range = 8; /* 3.4e-4 is cut off, less than a step at 10 bits and a half */
    fine.exp_degree = coarse.exp_degree = 9;
    assert_true(measure(eis_mpc_exp, exp, -7, 0, 32, false, &coarse).error >
                2 * measure(eis_mpc_exp, exp, -7, 0, 32, false, &fine).error); /* 3.5 to 11 times in 300 runs */
}

static void lines_per_octave_and_newton_steps(void **state)
{
    eis_mpc_tuning one = usual(), four = usual(), twice = usual();
    measured a, b, c;
    (void)state;

    one.per_octave = 1;
    twice.per_octave = 1;
    twice.newton_steps = 2;
    a = measure(make_root, inverse_root, 0.3, 8, 26, true, &one);
    b = measure(make_root, inverse_root, 0.3, 8, 26, true, &four);
    c = measure(make_root, inverse_root, 0.3, 8, 26, true, &twice);
    assert_true(a.error > 3 * b.error && a.error > 3 * c.error);
    assert_true(a.cost.opened < b.cost.opened);
    assert_int_equal(a.cost.rounds, b.cost.rounds);
    assert_int_equal(a.cost.rounds + 2, c.cost.rounds);
    a = measure(make_inverse, inverse, 0.3, 15, 16, true, &one);
    b = measure(make_inverse, inverse, 0.3, 15, 16, true, &four);
    assert_true(a.error > 3 * b.error && a.cost.opened < b.cost.opened);
}

/* Smaller digits need less material, and more openings where three of them are not enough. */
static void digit_bits(void **state)
{
    eis_mpc_tuning small = usual(), chosen = usual();
    eis_mpc_cut cut;
    measured a, b;
    (void)state;

    small.digit_bits_max = 4;
    a = measure(eis_mpc_exp, exp, -20000, 0, 32, false, &small);
    b = measure(eis_mpc_exp, exp, -20000, 0, 32, false, &chosen);
    assert_true(a.error < 8e-4 && b.error < 8e-4);
    assert_true(a.cost.corrections < b.cost.corrections);
    assert_true(a.cost.opened > b.cost.opened);
    /* 36 bits are the most; where they are not enough, digits are wider */
    assert_true(eis_mpc_cut_choose(&cut, 0x1p35, 18, 4) && cut.digit_bits <= 4);
    assert_true(eis_mpc_cut_choose(&cut, 0x1p57, 18, 4) && cut.digit_bits == 7);
    assert_false(eis_mpc_cut_choose(&cut, 0x1p61, 18, 4));
}

/* ---- language models ---- */

static void softmax_of_a_static_maximum(void **state)
{
    static const uint32_t ids[] = {0, 0, 0, 52, 204, 204, 204, 204, 204, 204}; /* published */
    static mpc_lm m;
    char path[512];
    const char *root = getenv("EIS_TEST_ROOT");
    eis_mpc_tuning t = usual();
    eis_mpc_lm lm;
    eis_mpc_lm_step step;
    eis_model *model;
    uint32_t rounds[2];
    (void)state;

    snprintf(path, sizeof path, "%s/models/tiny-stories", root != NULL ? root : ".");
    assert_int_equal(eis_model_open(&model, path, NULL), EIS_OK);
    t.softmax_static = 1;
    assert_int_equal(eis_mpc_lm_init(&lm, model, &t), EIS_OK);
    assert_int_equal(eis_mpc_lm_step_init(&step, &lm, 3, false, true), EIS_ERR_RANGE);
    assert_non_null(strstr(eis_error_detail(), "block 0 attention: softmax.max static: scores may be as large as"));
    eis_mpc_lm_clear(&lm);
    eis_model_free(model);

    fixture_shared(path, "lm/tiny-random-gpt2");
    assert_int_equal(eis_model_open(&model, path, NULL), EIS_OK);
    for (int with = 0; with < 2; with++) {
        t.softmax_static = (unsigned)with;
        assert_int_equal(eis_mpc_lm_init(&lm, model, &t), EIS_OK);
        assert_int_equal(eis_mpc_lm_step_init(&step, &lm, 15, false, true), EIS_OK);
        rounds[with] = step.graph.rounds;
        eis_mpc_lm_step_clear(&step);
        eis_mpc_lm_clear(&lm);
    }
    assert_int_equal(rounds[0] - rounds[1], 2 * 4 * model->lm.layers); /* a tournament of 16 scores */
    mpc_lm_open(&m, model, &t, 2);
    for (uint32_t i = 0; i < 9; i++) {
        uint32_t next = 0;
        if (mpc_lm_feed(&m, &next, ids[i], i < 4) != EIS_OK) fail_msg("%s", eis_error_detail());
        if (i >= 3) assert_int_equal(next, ids[i + 1]);
    }
    mpc_lm_close(&m);
    eis_model_free(model);
}

/* The shape of GPT-2 small with weights of its initialisation: theorems alone leave no room, a declared bound does. */
static void a_declared_residual(void **state)
{
    eis_mpc_lm lm = {.family = EIS_LM_GPT2,
                     .dim = 768,
                     .hidden = 3072,
                     .layers = 12,
                     .heads = 12,
                     .kv_heads = 12,
                     .head_size = 64,
                     .vocabulary = 50257,
                     .context = 1024,
                     .rope = EIS_ROPE_NONE,
                     .norm_eps = 1e-5,
                     .tuning = usual(),
                     .vector_count = 48,
                     .mean_from = 0x1p-13};
    const double s = 0.02;
    eis_mpc_lm_step step;
    eis_mpc_cost cost;
    (void)state;

    assert_int_equal(eis_mpc_lm_shape(&lm), EIS_OK);
    lm.embedding_norm = lm.position_norm = s * sqrt(768) * 1.2;
    for (uint32_t i = 0; i < lm.shape_count; i++) lm.shapes[i].row_norm = s * sqrt(lm.shapes[i].columns) * 1.15;
    for (uint32_t i = 0; i < lm.layers; i++) {
        lm.value_norm[i] = s * sqrt(768) * 1.15;
        lm.key_norm[i] = s * (sqrt(768) + 8) * 1.05;
        lm.query_norm[i] = lm.key_norm[i] / 8;
        lm.growth[2 * i] = s * 768;
        lm.growth[2 * i + 1] = s * sqrt(768 * 3072);
    }
    assert_int_equal(eis_mpc_lm_step_init(&step, &lm, 127, false, true), EIS_ERR_RANGE);
    assert_non_null(strstr(eis_error_detail(), "bits"));
    lm.residual_bound = 4000;
    assert_int_equal(eis_mpc_lm_step_init(&step, &lm, 127, false, true), EIS_OK);
    eis_mpc_graph_cost(&cost, &step.graph);
    /* Check and output add 6 rounds. */
    assert_true(cost.rounds + 6 <= 800 && cost.opened * 8 <= 20000000);
    eis_mpc_lm_step_clear(&step);
    assert_int_equal(eis_mpc_lm_step_init(&step, &lm, 1023, false, true), EIS_OK); /* its whole context */
    eis_mpc_lm_step_clear(&step);
    lm.tuning.exp_degree = 7;
    assert_int_equal(eis_mpc_lm_step_init(&step, &lm, 1023, false, true), EIS_ERR_RANGE);
    assert_non_null(strstr(eis_error_detail(), "softmax over 256;"));
    eis_mpc_lm_clear(&lm);
}

/* ---- contexts ---- */

static eis_mpc_id exp_of(eis_mpc_graph *graph, eis_mpc_id in, const eis_mpc_tuning *tuning)
{
    return eis_mpc_exp(graph, in, tuning);
}

/* What is proved of the error of exp holds, and says how long a context may be. */
static void how_long_a_context_may_be(void **state)
{
    static const struct {
        unsigned frac, degree;
        double range;
        uint32_t from, to; /* the longest context is between */
    } rows[] = {{16, 11, 12, 2048, 4096},     {16, 9, 12, 1024, 2048}, {16, 7, 12, 128, 512},    {16, 5, 12, 16, 64},
                {16, 9, 8, 1 << 20, 1 << 20}, {12, 11, 12, 512, 1024}, {20, 15, 12, 4096, 16384}};
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        eis_mpc_tuning t = usual();
        double dip, loss;
        uint32_t longest;
        t.frac = rows[i].frac, t.exp_degree = rows[i].degree, t.exp_range = rows[i].range;
        eis_mpc_exp_error(&dip, &loss, &t);
        double error = measure(exp_of, exp, -t.exp_range, 0, 2 * t.frac, false, &t).error;
        if (error > loss) fail_msg("row %zu: an error of %g, and %g was proved", i, error, loss);
        for (int k = 0; k < N; k++) assert_true(ldexp((double)y[k], -(int)t.frac) >= -dip);
        longest = eis_mpc_lm_longest(&t);
        if (longest < rows[i].from || longest > rows[i].to) fail_msg("row %zu: %u positions", i, longest);
        assert_int_equal(eis_mpc_lm_check_context(&t, longest), EIS_OK);
        if (longest == EIS_MPC_LM_CONTEXT_MAX) continue;
        assert_int_equal(eis_mpc_lm_check_context(&t, longest + 1), EIS_ERR_RANGE);
        assert_non_null(strstr(eis_error_detail(), "scheduler.max_context"));
    }
}

/* ---- ranges ---- */

static void refused(eis_mpc_tuning t, const char *name)
{
    assert_int_equal(eis_mpc_tuning_check(&t), EIS_ERR_RANGE);
    assert_non_null(strstr(eis_error_detail(), name));
}

#define REFUSED(member, value, name)      \
    do {                                  \
        eis_mpc_tuning changed = usual(); \
        changed.member = (value);         \
        refused(changed, name);           \
    } while (0)

static void what_is_out_of_range(void **state)
{
    eis_mpc_tuning t = usual();
    (void)state;

    assert_int_equal(eis_mpc_tuning_check(&t), EIS_OK);
    REFUSED(frac, 11, "fixed_point.scale_bits");
    REFUSED(frac, 21, "fixed_point.scale_bits");
    REFUSED(exp_degree, 4, "cheby.deg");
    REFUSED(exp_degree, 16, "cheby.deg");
    REFUSED(exp_range, 7.9, "cheby.range");
    REFUSED(exp_range, 17, "cheby.range");
    REFUSED(exp_range, NAN, "cheby.range");
    REFUSED(act_degree, 4, "act.deg");
    REFUSED(act_degree, 16, "act.deg");
    REFUSED(act_range, 1, "act.range");
    REFUSED(act_range, NAN, "act.range");
    REFUSED(per_octave, 0, "spline.per_octave");
    REFUSED(per_octave, 9, "spline.per_octave");
    REFUSED(newton_steps, 0, "newton.steps");
    REFUSED(newton_steps, 3, "newton.steps");
    REFUSED(digit_bits_max, 3, "compare.digit_bits");
    REFUSED(digit_bits_max, 8, "compare.digit_bits");
    REFUSED(softmax_static, 2, "softmax.max");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_degrees_and_ranges),
        cmocka_unit_test(exp_degree_and_range),
        cmocka_unit_test(act_degree_and_range),
        cmocka_unit_test(scale_bits),
        cmocka_unit_test(lines_per_octave_and_newton_steps),
        cmocka_unit_test(digit_bits),
        cmocka_unit_test(softmax_of_a_static_maximum),
        cmocka_unit_test(a_declared_residual),
        cmocka_unit_test(how_long_a_context_may_be),
        cmocka_unit_test(what_is_out_of_range),
    };

    return cmocka_run_group_tests(tests, open_world, close_world);
}
