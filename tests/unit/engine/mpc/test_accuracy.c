/* SPDX-License-Identifier: Apache-2.0 */
/* What is said about errors is true: the tables of degree, range and error in docs/mpc.md are what is fitted and what
 * shares give, and the bounds that the program prints are not exceeded and not far away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/mpc/accuracy.h"
#include "support/mpc_world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 2000, DEGREES = 6 };

static const unsigned degrees[DEGREES] = {5, 7, 9, 11, 13, 15};
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

/* ---- measuring ---- */

typedef eis_mpc_id (*gates)(eis_mpc_graph *graph, eis_mpc_id in, const eis_mpc_tuning *tuning);

static double measure(gates make, double (*f)(double), double from, double to, unsigned frac, bool relative,
                      const eis_mpc_tuning *tuning)
{
    eis_mpc_graph g;
    eis_mpc_id out;
    double worst = 0;

    for (int i = 0; i < N; i++) {
        double part = (double)i / (N - 1), v = relative ? from * pow(to / from, part) : from + (to - from) * part;
        x[i] = llround(ldexp(v, (int)frac));
    }
    mpc_world_clear_walk(&world);
    eis_mpc_graph_init(&g, NULL, 0);
    out = make(&g, eis_mpc_input(&g, 0, N, frac, ldexp(fmax(fabs(from), fabs(to)) + 1, (int)frac)), tuning);
    if (eis_mpc_graph_status(&g) != EIS_OK || mpc_world_walk(&world, &g, true) != EIS_OK)
        fail_msg("%s", eis_error_detail());
    mpc_world_value(y, &world, out);
    for (int i = 0; i < N; i++) {
        double wanted = f(ldexp((double)x[i], -(int)frac));
        double error = fabs(ldexp((double)y[i], -(int)g.nodes[out].frac) - wanted);
        worst = fmax(worst, relative ? error / fabs(wanted) : error);
    }
    eis_mpc_graph_clear(&g);
    return worst;
}

static double silu(double v) { return v / (1 + exp(-v)); }
static double gelu(double v) { return v / 2 * (1 + erf(v / sqrt(2))); }
static double gelu_tanh(double v) { return v / 2 * (1 + tanh(0.7978845608028654 * (v + 0.044715 * v * v * v))); }
static double sigmoid(double v) { return 1 / (1 + exp(-v)); }
static double inverse(double v) { return 1 / v; }
static double inverse_root(double v) { return 1 / sqrt(v); }

static eis_mpc_id make_silu(eis_mpc_graph *graph, eis_mpc_id in, const eis_mpc_tuning *tuning)
{
    return eis_mpc_activate(graph, in, EIS_MPC_SILU, tuning);
}

static eis_mpc_id make_gelu(eis_mpc_graph *graph, eis_mpc_id in, const eis_mpc_tuning *tuning)
{
    return eis_mpc_activate(graph, in, EIS_MPC_GELU, tuning);
}

static eis_mpc_id make_gelu_tanh(eis_mpc_graph *graph, eis_mpc_id in, const eis_mpc_tuning *tuning)
{
    return eis_mpc_activate(graph, in, EIS_MPC_GELU_TANH, tuning);
}

static eis_mpc_id make_inverse(eis_mpc_graph *graph, eis_mpc_id in, const eis_mpc_tuning *tuning)
{
    return eis_mpc_reciprocal(graph, in, 0.25, 512, tuning);
}

static eis_mpc_id make_root(eis_mpc_graph *graph, eis_mpc_id in, const eis_mpc_tuning *tuning)
{
    return eis_mpc_reciprocal_root(graph, in, 0x1p-8 + 0x1p-16, tuning);
}

static const struct {
    const char *row; /* in the documents */
    eis_mpc_activation kind;
    double range;
    gates make;
    double (*f)(double);
} activations[] = {{"SiLU 6", EIS_MPC_SILU, 6, make_silu, silu},
                   {"SiLU 8", EIS_MPC_SILU, 8, make_silu, silu},
                   {"GELU 4", EIS_MPC_GELU, 4, make_gelu, gelu},
                   {"tanh-GELU 4", EIS_MPC_GELU_TANH, 4, make_gelu_tanh, gelu_tanh}};

/* ---- the documents ---- */

/* The numbers behind the first cell of the table row that starts with `name`; bold ones count too. */
static size_t read_row(double *values, size_t most, const char *name)
{
    const char *root = getenv("EIS_TEST_ROOT");
    char path[512], line[1024], wanted[64];
    FILE *file;
    size_t count = 0;

    snprintf(path, sizeof path, "%s/docs/mpc.md", root != NULL ? root : ".");
    snprintf(wanted, sizeof wanted, "| %s", name);
    file = fopen(path, "r");
    assert_non_null(file);
    while (count == 0 && fgets(line, sizeof line, file) != NULL) {
        const char *at = strncmp(line, wanted, strlen(wanted)) == 0 ? strchr(line + 2, '|') : NULL;
        while (at != NULL && *(at += strspn(at, "|*, \n")) != 0) {
            char *end;
            assert_true(count < most);
            values[count++] = strtod(at, &end);
            assert_true(end > at);
            at = end;
        }
    }
    fclose(file);
    if (count != most) fail_msg("docs/mpc.md has %zu numbers in the row \"%s\", not %zu", count, name, most);
    return count;
}

/* To the two digits that are written. */
static void is_written(double documented, double value, const char *what)
{
    char ours[32], theirs[32];

    snprintf(ours, sizeof ours, "%.1e", value);
    snprintf(theirs, sizeof theirs, "%.1e", documented);
    if (strcmp(ours, theirs) != 0) fail_msg("%s is %s, and docs/mpc.md says %s", what, ours, theirs);
}

/* Masks change what is rounded up, so a largest error that was measured once is met again within a factor of two. */
static void is_near(double documented, double value, const char *what)
{
    if (value > documented * 2 || value < documented / 2)
        fail_msg("%s is %.2e, and docs/mpc.md says %.2e", what, value, documented);
}

/* ---- tests ---- */

static void the_table_of_exp(void **state)
{
    static const double ranges[] = {8, 12, 16};
    (void)state;

    for (size_t r = 0; r < 3; r++) {
        double fit[DEGREES], measured[DEGREES], most[DEGREES];
        char name[64];
        snprintf(name, sizeof name, "%g: fit", ranges[r]);
        read_row(fit, DEGREES, name);
        snprintf(name, sizeof name, "%g: measured", ranges[r]);
        read_row(measured, DEGREES, name);
        snprintf(name, sizeof name, "%g: at most", ranges[r]);
        read_row(most, DEGREES, name);
        for (size_t d = 0; d < DEGREES; d++) {
            eis_mpc_tuning t;
            double error, bound;
            eis_mpc_tuning_default(&t);
            t.exp_range = ranges[r];
            t.exp_degree = degrees[d];
            snprintf(name, sizeof name, "exp at %g by degree %u", ranges[r], degrees[d]);
            is_written(fit[d], eis_mpc_exp_fit_error(&t), name);
            error = measure(eis_mpc_exp, exp, -20, 0, 32, false, &t);
            is_near(measured[d], error, name);
            bound = eis_mpc_exp_bound(&t);
            is_written(most[d], bound, name);
            if (error > bound || bound > 8 * error) fail_msg("%s: bound %g, measured %g", name, bound, error);
        }
    }
}

static void the_table_of_activations(void **state)
{
    (void)state;
    for (size_t a = 0; a < sizeof activations / sizeof activations[0]; a++) {
        double cells[2 * DEGREES];
        read_row(cells, 2 * DEGREES, activations[a].row);
        for (size_t d = 0; d < DEGREES; d++) {
            eis_mpc_tuning t;
            char name[64];
            double error, bound;
            eis_mpc_tuning_default(&t);
            t.act_range = activations[a].range;
            t.act_degree = degrees[d];
            snprintf(name, sizeof name, "%s by degree %u", activations[a].row, degrees[d]);
            is_written(cells[2 * d], eis_mpc_activation_fit_error(activations[a].kind, &t), name);
            error = measure(activations[a].make, activations[a].f, -14, 14, 16, false, &t);
            is_near(cells[2 * d + 1], error, name);
            bound = eis_mpc_activation_bound(activations[a].kind, &t);
            if (error > bound || bound > 8 * error) fail_msg("%s: bound %g, measured %g", name, bound, error);
        }
    }
}

static void sigmoids(void **state)
{
    eis_mpc_tuning t;
    (void)state;

    for (size_t d = 0; d < DEGREES; d++) {
        double error, bound;
        eis_mpc_tuning_default(&t);
        t.act_degree = degrees[d];
        error = measure(eis_mpc_sigmoid, sigmoid, -14, 14, 16, false, &t);
        bound = eis_mpc_activation_bound(EIS_MPC_SIGMOID, &t);
        if (error > bound || bound > 16 * error) fail_msg("degree %u: bound %g, measured %g", degrees[d], bound, error);
    }
}

static void reciprocals(void **state)
{
    static const unsigned lines[] = {1, 2, 4, 8};
    (void)state;

    for (size_t l = 0; l < 4; l++)
        for (unsigned steps = 1; steps <= 2; steps++) {
            eis_mpc_tuning t;
            double error, bound;
            eis_mpc_tuning_default(&t);
            t.per_octave = lines[l];
            t.newton_steps = steps;
            error = measure(make_inverse, inverse, 0.25, 511, 16, true, &t);
            bound = eis_mpc_reciprocal_bound(0.25, 512, &t);
            if (error > bound || bound > (lines[l] < 4 ? 12 : 4) * error)
                fail_msg("1/x, %u lines: %g, not %g", lines[l], error, bound);
            error = measure(make_root, inverse_root, 0x1p-8 + 0x1p-16, 255, 26, true, &t);
            bound = eis_mpc_root_bound(&t);
            if (error > bound || bound > (lines[l] < 4 ? 12 : 4) * error)
                fail_msg("x^-1/2, %u lines: %g, not %g", lines[l], error, bound);
        }
    assert_true(isinf(eis_mpc_reciprocal_bound(0, 1, &(eis_mpc_tuning){.per_octave = 4, .newton_steps = 1})));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_exp),
        cmocka_unit_test(the_table_of_activations),
        cmocka_unit_test(sigmoids),
        cmocka_unit_test(reciprocals),
    };

    return cmocka_run_group_tests(tests, open_world, close_world);
}
