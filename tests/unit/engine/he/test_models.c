/* SPDX-License-Identifier: Apache-2.0 */
/* The models of this project as batches, whole: if a batch gave another class than the plain engine, or an error beyond
 * what its contract promises, the promise would be worth nothing. */
#include "he_world.h"

#include "model/input.h"

static eis_model *open_model(const char *name)
{
    const char *root = getenv("EIS_TEST_ROOT");
    char path[1024];
    eis_model *model;

    snprintf(path, sizeof path, "%s/models/%s", root != NULL ? root : ".", name);
    if (eis_model_open(&model, path, NULL) != EIS_OK) fail_msg("%s", eis_error_detail());
    return model;
}

/* Encrypted answers of raw inputs against the plain ones; the classes must be equal. */
static void check_batch(const eis_model *model, const double *raw, size_t batch, eis_pool *pool)
{
    const eis_classifier *c = &model->classifier;
    size_t in = eis_classifier_input_count(model), out = c->class_count, per = in / c->channels;
    double *x = malloc(batch * in * sizeof *x), *y = malloc(batch * out * sizeof *y), worst = 0;
    double *expected = malloc(batch * out * sizeof *y);
    eis_he_wish wish = {.form = EIS_HE_FORM_BATCH, .input_max = c->divide == 1 ? 5 : 0};
    he_world w;

    for (size_t i = 0; i < batch * in; i++) {
        size_t channel = i % in / per;
        x[i] = (raw[i] / c->divide - c->mean[channel % c->mean_count]) / c->deviation[channel % c->deviation_count];
    }
    he_open(&w, model, &wish);
    he_expected(expected, model, raw, batch);
    assert_int_equal(he_run(y, &w, x, batch, 0, pool), EIS_OK);
    for (size_t i = 0; i < batch * out; i++) worst = fmax(worst, fabs(y[i] - expected[i]));
    print_message("%s on chain %s: error %.3g, bound %.3g\n", c->name, w.plan->contract.chain, worst,
                  w.plan->contract.stage[0].output.error);
    assert_true(worst <= w.plan->contract.stage[0].output.error);
    for (size_t i = 0; i < batch; i++)
        assert_int_equal(eis_classifier_best(model, y + i * out), eis_classifier_best(model, expected + i * out));
    he_close(&w);
    free(x);
    free(y);
    free(expected);
}

/* Rows of cells' marks, whole numbers from 1 to 10, as the data set has them. */
static void breast_cancer(void **state)
{
    eis_model *model = open_model("breast-cancer");
    double raw[500 * 9];
    uint64_t seed = 1;

    (void)state;
    for (size_t i = 0; i < 500 * 9; i++) raw[i] = 1 + floor(5 * (made_random(&seed) + 1));
    check_batch(model, raw, 500, NULL);
    eis_model_free(model);
}

/* Ten drawn digits, one in each of the first ten slots of 784 ciphertexts. */
static void digits_square(void **state)
{
    eis_model *model = open_model("digits-square");
    const char *root = getenv("EIS_TEST_ROOT");
    double raw[10 * 784];
    eis_pool *pool;

    (void)state;
    for (int digit = 0; digit < 10; digit++) {
        eis_inputs image = {0};
        char path[1024];
        snprintf(path, sizeof path, "%s/models/digits/samples/%d.pgm", root != NULL ? root : ".", digit);
        assert_int_equal(eis_inputs_read(&image, path, 1, NULL), EIS_OK);
        assert_int_equal(image.elements, 784);
        memcpy(raw + (size_t)digit * 784, image.x, 784 * sizeof *raw);
        eis_inputs_clear(&image);
    }
    assert_int_equal(eis_pool_new(&pool, 0), EIS_OK);
    check_batch(model, raw, 10, pool);
    eis_pool_free(pool);
    eis_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(breast_cancer), cmocka_unit_test(digits_square)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
