/* SPDX-License-Identifier: Apache-2.0 */
/* A branch on a value of the image, or of a layer behind it, would show in the time that the client takes between two
 * requests, which every server can measure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/ct.h"
#include "base/mem.h"
#include "model/classifier.h"

enum { SIDE = 6, WORDS = SIDE * SIDE, BATCH = 2 };

/* In place of servers: something of each value. */
static eis_status halve(void *ctx, uint32_t index, double *y, const double *x, size_t batch)
{
    (void)ctx;
    (void)index;
    for (size_t i = 0; i < batch * WORDS; i++) y[i] = 0.5 * x[i];
    return EIS_OK;
}

static eis_step step_of(eis_step_op op, const double *values, uint32_t value_count)
{
    return (eis_step){.op = op,
                      .in_channels = 1,
                      .in_height = SIDE,
                      .in_width = SIDE,
                      .out_channels = 1,
                      .out_height = SIDE,
                      .out_width = SIDE,
                      .kernel_height = 3,
                      .kernel_width = 3,
                      .stride_y = 1,
                      .stride_x = 1,
                      .pad_y = 1,
                      .pad_x = 1,
                      .values = values,
                      .value_count = value_count};
}

static void every_local_step_is_constant_time(void **state)
{
    static const double one[] = {1}, zero[] = {0}, coefficients[] = {1, -2, 0.5}, factors[] = {1.5, -1};
    eis_step steps[] = {step_of(EIS_STEP_LINEAR, NULL, 0),    step_of(EIS_STEP_RELU, NULL, 0),
                        step_of(EIS_STEP_SQUARE, NULL, 0),    step_of(EIS_STEP_SIGMOID, NULL, 0),
                        step_of(EIS_STEP_AFFINE, factors, 2), step_of(EIS_STEP_POLYNOMIAL, coefficients, 3),
                        step_of(EIS_STEP_MAX_POOL, NULL, 0),  step_of(EIS_STEP_AVG_POOL, NULL, 0),
                        step_of(EIS_STEP_FLATTEN, NULL, 0)};
    const double bias[WORDS] = {0.25};
    const eis_linear_backend backend = {.apply = halve};
    double x[BATCH * WORDS], logits[BATCH * WORDS];
    bool replaced;
    eis_linear *node;
    eis_model *model;

    (void)state;
    assert_int_equal(eis_model_new(&model, EIS_MODEL_CLASSIFIER), EIS_OK);
    node = eis_model_add_linear(model);
    assert_non_null(node);
    *node = (eis_linear){.kind = EIS_LINEAR_DENSE, .in = WORDS, .out = WORDS, .bias = bias};
    model->classifier = (eis_classifier){.channels = 1,
                                         .height = SIDE,
                                         .width = SIDE,
                                         .divide = 255,
                                         .mean = zero,
                                         .mean_count = 1,
                                         .deviation = one,
                                         .deviation_count = 1,
                                         .steps = steps,
                                         .step_count = sizeof steps / sizeof *steps,
                                         .class_count = WORDS};
    for (size_t i = 0; i < BATCH * WORDS; i++) x[i] = (double)i - 30;
    EIS_SECRET(x, sizeof x);
    assert_int_equal(eis_classifier_run(model, &backend, logits, &replaced, x, BATCH), EIS_OK);
    EIS_PUBLIC(logits, sizeof logits); /* the user's answer */
    EIS_PUBLIC(&replaced, sizeof replaced);
    eis_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_local_step_is_constant_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
