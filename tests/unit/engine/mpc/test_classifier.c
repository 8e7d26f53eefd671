/* SPDX-License-Identifier: Apache-2.0 */
/* Classifiers among parties: logits near the plain engine's, and the same class wherever the plain one is not in doubt.
 * The models of this project, a net with a step of every kind, and the three MNIST nets of the shared data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/classifier.h"
#include "model/input.h"
#include "model/plain.h"
#include "support/mpc_classifier.h"
#include "unit/model/fixture.h"

#include <math.h>

enum { CLASSES_MAX = 16 };

static eis_model *open_model(const char *path, const char *weights)
{
    eis_model *model;
    eis_model_options options = {.weights_path = weights};

    if (eis_model_open(&model, path, &options) != EIS_OK) fail_msg("%s", eis_error_detail());
    return model;
}

/* The two largest logits are this far apart. */
static double margin_of(const double *logits, uint32_t count, uint32_t best)
{
    double margin = INFINITY;

    for (uint32_t i = 0; i < count; i++)
        if (i != best) margin = fmin(margin, logits[best] - logits[i]);
    return margin;
}

/* x[count][inputs]; every logit is within `error` of the plain one. */
static void compare(const eis_model *model, const double *x, size_t count, uint32_t parties, double error)
{
    static mpc_classifier m;
    eis_plain_backend *backend;
    eis_linear_backend seam;
    double plain[CLASSES_MAX], logits[CLASSES_MAX], worst = 0;
    uint32_t sure = 0;
    eis_mpc_cost cost;

    mpc_classifier_open(&m, model, parties, 4);
    assert_true(m.c.classes <= CLASSES_MAX);
    assert_int_equal(eis_plain_backend_new(&backend, model, NULL), EIS_OK);
    seam = eis_plain_backend_seam(backend);
    for (size_t i = 0; i < count; i++) {
        const double *in = x + i * m.c.inputs;
        uint32_t best, wanted;
        assert_int_equal(eis_classifier_run(model, &seam, plain, NULL, in, 1), EIS_OK);
        if (mpc_classifier_run(&m, &best, logits, in) != EIS_OK) fail_msg("%s", eis_error_detail());
        wanted = eis_classifier_best(model, plain);
        for (uint32_t k = 0; k < m.c.classes; k++) worst = fmax(worst, fabs(logits[k] - plain[k]));
        if (margin_of(plain, m.c.classes, wanted) < 2 * error + 0x1p-8) continue;
        assert_int_equal(best, wanted);
        sure++;
    }
    eis_mpc_graph_cost(&cost, &m.graph);
    print_message("error %.2e, margin %g, %u rounds, %llu words, %u of %zu sure\n", worst, m.c.margin, cost.rounds,
                  (unsigned long long)cost.opened, sure, count);
    assert_true(worst <= error);
    assert_true(sure * 2 > count);
    /* Graph, check and the opening of the class: nothing else is sent. */
    assert_int_equal(m.rounds, cost.rounds + 6);
    eis_plain_backend_free(backend);
    mpc_classifier_close(&m);
}

static void of_this_project(const char *name, const char *const *files, size_t count, double error)
{
    char path[512];
    const char *root = getenv("EIS_TEST_ROOT");
    eis_model *model;
    double *x;
    size_t inputs;

    snprintf(path, sizeof path, "%s/models/%s", root != NULL ? root : ".", name);
    model = open_model(path, NULL);
    inputs = eis_classifier_input_count(model);
    x = malloc(count * inputs * sizeof *x);
    for (size_t i = 0; i < count; i++) {
        eis_inputs in = {0};
        snprintf(path, sizeof path, "%s/models/%s", root != NULL ? root : ".", files[i]);
        if (eis_inputs_read(&in, path, 1, NULL) != EIS_OK) fail_msg("%s", eis_error_detail());
        assert_int_equal(in.elements, inputs);
        memcpy(x + i * inputs, in.x, inputs * sizeof *x);
        eis_inputs_clear(&in);
    }
    compare(model, x, count, 2, error);
    free(x);
    eis_model_free(model);
}

static void digits(void **state)
{
    static const char *const files[] = {"digits/samples/0.pgm", "digits/samples/3.pgm", "digits/samples/8.pgm"};
    (void)state;

    of_this_project("digits", files, 3, 0.02);
    of_this_project("digits-square", files, 3, 0.02);
}

static void breast_cancer(void **state)
{
    static const double x[4][9] = {{5, 1, 1, 1, 2, 1, 3, 1, 1},
                                   {8, 10, 10, 8, 7, 10, 9, 7, 1},
                                   {1, 1, 1, 1, 2, 10, 3, 1, 1},
                                   {10, 7, 7, 6, 4, 10, 4, 1, 2}};
    double far[9] = {1e4, 1, 1, 1, 1, 1, 1, 1, 1};
    char path[512];
    const char *root = getenv("EIS_TEST_ROOT");
    eis_mpc_classifier c;
    eis_mpc_tuning tuning;
    eis_model *model;
    int64_t values[9];
    (void)state;

    snprintf(path, sizeof path, "%s/models/breast-cancer", root != NULL ? root : ".");
    model = open_model(path, NULL);
    compare(model, &x[0][0], 4, 3, 0.01);
    eis_mpc_tuning_default(&tuning);
    assert_int_equal(eis_mpc_classifier_init(&c, model, &tuning, 0), EIS_OK);
    assert_int_equal(eis_mpc_classifier_input(values, &c, model, far), EIS_ERR_RANGE);
    far[0] = NAN;
    assert_int_equal(eis_mpc_classifier_input(values, &c, model, far), EIS_ERR_RANGE);
    eis_mpc_classifier_clear(&c);
    eis_model_free(model);
}

static void add_random(fixture_tensors *t, const char *name, size_t rows, size_t columns, double low, double high,
                       uint64_t *seed)
{
    double values[4096];

    assert_true((rows > 0 ? rows : 1) * columns <= 4096);
    fixture_fill(values, (rows > 0 ? rows : 1) * columns, (high - low) / 2, seed);
    for (size_t i = 0; i < (rows > 0 ? rows : 1) * columns; i++)
        values[i] = (double)(float)(values[i] + (low + high) / 2);
    fixture_tensor_add(t, name, "F32", rows, columns, values);
}

/* Every kind of step, padding everywhere, a batch norm that no linear layer takes in. */
static void a_step_of_every_kind(void **state)
{
    static const char json[] =
        "{\"format\":\"eis-classifier/1\",\"name\":\"made\",\"input\":{\"shape\":[2,7,6],\"divide\":4},\"layers\":["
        "{\"op\":\"conv2d\",\"name\":\"c\",\"weight\":\"c.w\",\"bias\":\"c.b\",\"in\":2,\"out\":3,\"kernel\":[3,2],"
        "\"stride\":[1,1],\"padding\":[1,1]},{\"op\":\"relu\"},"
        "{\"op\":\"batch_norm\",\"name\":\"n\",\"weight\":\"n.w\",\"bias\":\"n.b\",\"mean\":\"n.m\","
        "\"variance\":\"n.v\",\"eps\":1e-05},{\"op\":\"sigmoid\"},"
        "{\"op\":\"max_pool\",\"kernel\":[3,3],\"stride\":[2,2],\"padding\":[1,1]},"
        "{\"op\":\"polynomial\",\"coefficients\":[0.5,-1,0.25,2],\"interval\":[-1,2]},"
        "{\"op\":\"avg_pool\",\"kernel\":[3,2],\"stride\":[1,1],\"padding\":[1,0]},{\"op\":\"square\"},"
        "{\"op\":\"avg_pool\",\"kernel\":[2,2],\"stride\":[1,1]},"
        "{\"op\":\"flatten\"},{\"op\":\"linear\",\"name\":\"f\",\"weight\":\"f.w\",\"in\":18,\"out\":5}]}";
    static const char *const names[] = {"model.json", "model.safetensors", NULL};
    char directory[256];
    double x[6][84];
    uint64_t seed = 4711;
    fixture_tensors *t = fixture_tensors_new();
    eis_model *model;
    (void)state;

    add_random(t, "c.w", 3, 12, -0.7, 0.7, &seed);
    add_random(t, "c.b", 0, 3, -0.5, 0.5, &seed);
    add_random(t, "n.w", 0, 3, -2, 2, &seed);
    add_random(t, "n.b", 0, 3, -1, 1, &seed);
    add_random(t, "n.m", 0, 3, -0.5, 0.5, &seed);
    add_random(t, "n.v", 0, 3, 0.2, 2, &seed);
    add_random(t, "f.w", 5, 18, -3, 3, &seed);
    fixture_directory(directory);
    fixture_write_text(directory, "model.json", json);
    fixture_tensors_write(t, directory, "model.safetensors");
    free(t);
    model = open_model(directory, NULL);
    fixture_remove(directory, names);
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 84; j++) x[i][j] = 2 + 2 * fixture_random(&seed);
    compare(model, &x[0][0], 6, 2, 0.03);
    eis_model_free(model);
}

static void mnist(const char *name, size_t count, double error)
{
    char path[512], weights[512], file[128];
    const char *root = getenv("EIS_TEST_ROOT");
    eis_inputs images = {0};
    eis_model *model;

    snprintf(file, sizeof file, "classifiers/%s.safetensors", name);
    fixture_shared(weights, file);
    fixture_shared(path, "mnist/t10k-images-idx3-ubyte.gz");
    assert_int_equal(eis_inputs_read(&images, path, count, NULL), EIS_OK);
    snprintf(path, sizeof path, "%s/tests/models/%s", root != NULL ? root : ".", name);
    model = open_model(path, weights);
    compare(model, images.x, count, 2, error);
    eis_inputs_clear(&images);
    eis_model_free(model);
}

static void a_perceptron(void **state)
{
    (void)state;
    mnist("crypten_tfe_a", 3, 0.05);
}

static void a_convolutional_net(void **state)
{
    (void)state;
    mnist("onnx_mnist_cnn", 2, 0.3);
}

static void a_net_of_squares(void **state)
{
    (void)state;
    mnist("tenseal_convmnist_square", 3, 0.05);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits),       cmocka_unit_test(breast_cancer),       cmocka_unit_test(a_step_of_every_kind),
        cmocka_unit_test(a_perceptron), cmocka_unit_test(a_convolutional_net), cmocka_unit_test(a_net_of_squares),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
