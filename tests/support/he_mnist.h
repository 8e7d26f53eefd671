/* SPDX-License-Identifier: Apache-2.0 */
/* MNIST images through encrypted nets, for test_he_mnist.c and test_he_mnist_long.c: the class must be the plain one
 * wherever the plain logits leave no room for the stated error, and all logits must be within it. */
#ifndef EIS_TESTS_SUPPORT_HE_MNIST_H
#define EIS_TESTS_SUPPORT_HE_MNIST_H

#include "support/he_net.h"

#include "base/clock.h"
#include "model/input.h"

#include <pthread.h>

enum { HE_MNIST_THREADS = 4, HE_MNIST_CLASSES = 10, HE_MNIST_PIXELS = 784 };

#define HE_MNIST_LOGITS "classifiers/%s.logits_t10k_first256.f32.npy"

/* What all threads work on. */
typedef struct he_mnist {
    const he_net *net;
    const double *image; /* [count][784], as in the file */
    double (*logits)[HE_MNIST_CLASSES];
    size_t count;
    eis_status status[HE_MNIST_THREADS];
    double ms[HE_MNIST_THREADS];
} he_mnist;

typedef struct he_mnist_worker {
    he_mnist *all;
    size_t number;
} he_mnist_worker;

static inline void *he_mnist_work(void *arg)
{
    const he_mnist_worker *w = arg;
    he_mnist *m = w->all;
    double x[HE_MNIST_PIXELS];

    for (size_t i = w->number; i < m->count && m->status[w->number] == EIS_OK; i += HE_MNIST_THREADS) {
        uint64_t started = eis_clock_ns();
        he_net_scale(x, m->net->model, m->image + i * HE_MNIST_PIXELS);
        m->status[w->number] = he_net_infer(m->logits[i], m->net, x);
        m->ms[w->number] += (double)(eis_clock_ns() - started) / 1e6;
    }
    return NULL;
}

static inline void he_mnist_run(he_mnist *m)
{
    pthread_t thread[HE_MNIST_THREADS];
    he_mnist_worker worker[HE_MNIST_THREADS];

    for (size_t t = 0; t < HE_MNIST_THREADS; t++) {
        worker[t] = (he_mnist_worker){m, t};
        assert_int_equal(pthread_create(&thread[t], NULL, he_mnist_work, &worker[t]), 0);
    }
    for (size_t t = 0; t < HE_MNIST_THREADS; t++) assert_int_equal(pthread_join(thread[t], NULL), 0);
    for (size_t t = 0; t < HE_MNIST_THREADS; t++) assert_int_equal(m->status[t], EIS_OK);
}

/* The distance of the highest logit from the next one. */
static inline double he_mnist_margin(const double *logits)
{
    double first = -INFINITY, second = -INFINITY;

    for (int i = 0; i < HE_MNIST_CLASSES; i++) {
        if (logits[i] > first) {
            second = first;
            first = logits[i];
        } else if (logits[i] > second) {
            second = logits[i];
        }
    }
    return first - second;
}

/* Compares with the plain engine. A class may differ only where two errors can exchange the first two. */
static inline void he_mnist_compare(const he_mnist *m, double bound, const char *name)
{
    double expected[HE_MNIST_CLASSES], worst = 0, squares = 0, ms = 0;
    size_t close = 0, different = 0;

    for (size_t i = 0; i < m->count; i++) {
        bool same;

        he_net_plain(expected, m->net, m->image + i * HE_MNIST_PIXELS);
        same = eis_classifier_best(m->net->model, expected) == eis_classifier_best(m->net->model, m->logits[i]);
        for (int k = 0; k < HE_MNIST_CLASSES; k++) {
            double error = fabs(expected[k] - m->logits[i][k]);
            worst = fmax(worst, error);
            squares += error * error;
        }
        if (he_mnist_margin(expected) <= 2 * bound) {
            close++;
            different += !same;
        } else if (!same) {
            fail_msg("%s: image %zu has another class than in plain", name, i);
        }
    }
    for (size_t t = 0; t < HE_MNIST_THREADS; t++) ms += m->ms[t] / (double)m->count;
    print_message("%s: %zu images, chain %s: logits within %.2g of plain (rms %.2g), stated %.2g; %zu images with the "
                  "first two closer than twice that, %zu of them with another class; %.1f ms a client and a server "
                  "with one thread each\n",
                  name, m->count, m->net->plan->contract.chain, worst,
                  sqrt(squares / (double)(m->count * HE_MNIST_CLASSES)), bound, close, different, ms);
    assert_true(worst <= bound);
    assert_true(worst <= 2e-2);
    assert_true(worst > 0);
}

/* Compares the first 256 with the logits that the net's makers got: float32, behind the header of an .npy file. */
static inline void he_mnist_compare_golden(const he_mnist *m, double bound, const char *name)
{
    char path[512], file[128];
    uint8_t *bytes;
    size_t size, start, count = m->count < 256 ? m->count : 256;

    snprintf(file, sizeof file, HE_MNIST_LOGITS, name);
    fixture_shared(path, file);
    bytes = fixture_read(path, &size);
    assert_memory_equal(bytes, "\x93NUMPY\x01", 7);
    start = 10 + eis_load_le16(bytes + 8);
    assert_int_equal(size, start + 256 * HE_MNIST_CLASSES * 4);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < HE_MNIST_CLASSES; k++) {
            uint32_t bits = eis_load_le32(bytes + start + 4 * (i * HE_MNIST_CLASSES + k));
            float golden;
            memcpy(&golden, &bits, sizeof golden);
            assert_true(fabs(golden - m->logits[i][k]) <= bound + 1e-4);
        }
    free(bytes);
}

/* Classifies the first `count` test images. weights: a file of the shared data, or NULL for the model's own; then the
 * goldens of the same name are compared too. */
static inline void he_mnist_check(const char *directory, const char *name, const char *weights, size_t count)
{
    const char *root = getenv("EIS_TEST_ROOT");
    char path[512], weights_path[512], images[512];
    eis_model_options options = {0};
    eis_he_wish wish = {.form = EIS_HE_FORM_SINGLE};
    eis_inputs in = {0};
    eis_model *model;
    he_net net;
    he_mnist m = {.net = &net, .count = count};

    fixture_shared(images, "mnist/t10k-images-idx3-ubyte.gz");
    if (weights != NULL) {
        fixture_shared(weights_path, weights);
        options.weights_path = weights_path;
    }
    snprintf(path, sizeof path, "%s/%s/%s", root != NULL ? root : ".", directory, name);
    if (eis_model_open(&model, path, &options) != EIS_OK) fail_msg("%s", eis_error_detail());
    assert_int_equal(eis_inputs_read(&in, images, count, NULL), EIS_OK);
    assert_true(in.count == count && in.elements == HE_MNIST_PIXELS);
    m.image = in.x;
    m.logits = calloc(count, sizeof *m.logits);
    assert_non_null(m.logits);
    he_net_open(&net, model, &wish);
    assert_int_equal(net.plan->contract.depth, 5);
    he_mnist_run(&m);
    he_mnist_compare(&m, net.plan->contract.stage[0].output.error, name);
    if (weights != NULL) he_mnist_compare_golden(&m, net.plan->contract.stage[0].output.error, name);
    he_net_close(&net);
    eis_inputs_clear(&in);
    free(m.logits);
}

static inline void he_mnist_check_tenseal(size_t count)
{
    he_mnist_check("tests/models", "tenseal_convmnist_square", "classifiers/tenseal_convmnist_square.safetensors",
                   count);
}

static inline void he_mnist_check_digits(size_t count) { he_mnist_check("models", "digits-square", NULL, count); }

#endif
