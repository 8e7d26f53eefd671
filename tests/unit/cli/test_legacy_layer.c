/* SPDX-License-Identifier: Apache-2.0 */
/* Servers of the demo layer never meet: if two of them made other weights from one seed, their partial answers would
 * add up to nonsense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cli/legacy_layer.h"
#include "model/classifier.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void set(const char *inputs, const char *outputs, const char *seed)
{
    assert_int_equal(setenv("EIS_D_IN", inputs, 1), 0);
    assert_int_equal(setenv("EIS_D_OUT", outputs, 1), 0);
    assert_int_equal(setenv("EIS_SEED", seed, 1), 0);
}

/* The sizes and deviations of the original, the same numbers every time, others for another seed. */
static void the_layer(void **state)
{
    eis_cli_legacy a, b;
    double sum = 0, squares = 0;

    (void)state;
    set("", "", "");
    assert_int_equal(eis_cli_legacy_init(&a), EIS_OK);
    assert_int_equal(a.inputs, 256);
    assert_int_equal(a.outputs, 10);
    for (size_t i = 0; i < 2560; i++) {
        sum += (double)a.weights[i];
        squares += (double)a.weights[i] * (double)a.weights[i];
    }
    /* Five deviations of mean and variance of 2560 numbers about N(0, 0.1). */
    assert_true(fabs(sum / 2560) < 5 * 0.1 / sqrt(2560));
    assert_true(fabs(squares / 2560 / 0.01 - 1) < 5 * sqrt(2.0 / 2560));
    /* Seed 42 for ever: servers of two versions must agree. */
    assert_true(a.weights[0] == -0.100888245f && a.weights[1] == 0.175673082f && a.weights[2559] == 0.0259764995f);
    assert_true(a.bias[9] == -0.00558527838f);
    set("256", "10", "42");
    assert_int_equal(eis_cli_legacy_init(&b), EIS_OK);
    assert_memory_equal(a.weights, b.weights, 2560 * sizeof *a.weights);
    assert_memory_equal(a.bias, b.bias, 10 * sizeof *a.bias);
    eis_cli_legacy_clear(&b);
    set("256", "10", "43");
    assert_int_equal(eis_cli_legacy_init(&b), EIS_OK);
    assert_memory_not_equal(a.weights, b.weights, 2560 * sizeof *a.weights);
    eis_cli_legacy_clear(&b);
    eis_cli_legacy_clear(&a);
}

/* What is no number is refused by name, never taken for the default. */
static void environments_that_are_refused(void **state)
{
    static const struct {
        const char *inputs, *outputs, *seed, *named;
    } cases[] = {{"0", "10", "1", "EIS_D_IN"},      {"65537", "10", "1", "EIS_D_IN"},
                 {"-1", "10", "1", "EIS_D_IN"},     {"4", "x", "1", "EIS_D_OUT"},
                 {"4", "2 ", "1", "EIS_D_OUT"},     {"4", "2", "1e3", "EIS_SEED"},
                 {"65536", "65536", "1", "EIS_D_"}, {"4", "2", "99999999999999999999", "EIS_SEED"}};
    eis_cli_legacy layer;
    uint16_t port;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        set(cases[i].inputs, cases[i].outputs, cases[i].seed);
        assert_int_equal(eis_cli_legacy_init(&layer), EIS_ERR_USAGE);
        assert_non_null(strstr(eis_error_detail(), cases[i].named));
        assert_null(layer.weights);
    }
    assert_int_equal(unsetenv("EIS_PORT"), 0);
    assert_int_equal(eis_cli_legacy_port(&port), EIS_OK);
    assert_int_equal(port, 8001);
    assert_int_equal(setenv("EIS_PORT", "9000", 1), 0);
    assert_int_equal(eis_cli_legacy_port(&port), EIS_OK);
    assert_int_equal(port, 9000);
    assert_int_equal(setenv("EIS_PORT", "70000", 1), 0);
    assert_int_equal(eis_cli_legacy_port(&port), EIS_ERR_USAGE);
}

static eis_status multiply(void *ctx, uint32_t index, double *y, const double *x, size_t batch)
{
    const eis_model *model = ctx;
    double row[4];

    assert_int_equal(index, 0);
    assert_int_equal(batch, 1);
    for (size_t r = 0; r < 3; r++) {
        assert_int_equal(eis_model_linear_rows(model, 0, r, 1, row), EIS_OK);
        y[r] = 0;
        for (size_t c = 0; c < 4; c++) y[r] += row[c] * x[c];
    }
    return EIS_OK;
}

/* As a model it multiplies and adds the bias, nothing else. */
static void the_layer_as_a_model(void **state)
{
    const double x[4] = {1, -2, 0.5, 4};
    double logits[3];
    eis_cli_legacy layer;
    eis_model *model = NULL;
    eis_linear_backend backend;

    (void)state;
    set("4", "3", "7");
    assert_int_equal(eis_cli_legacy_init(&layer), EIS_OK);
    assert_int_equal(eis_cli_legacy_model(&model, &layer), EIS_OK);
    backend = (eis_linear_backend){.ctx = model, .apply = multiply};
    assert_int_equal(eis_classifier_run(model, &backend, logits, NULL, x, 1), EIS_OK);
    for (size_t r = 0; r < 3; r++) {
        double right = (double)layer.bias[r];
        for (size_t c = 0; c < 4; c++) right += (double)layer.weights[4 * r + c] * x[c];
        assert_true(fabs(logits[r] - right) < 1e-12);
    }
    eis_model_free(model);
    eis_cli_legacy_clear(&layer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_layer), cmocka_unit_test(environments_that_are_refused),
                                       cmocka_unit_test(the_layer_as_a_model)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
