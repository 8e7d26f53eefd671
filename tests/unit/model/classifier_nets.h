/* SPDX-License-Identifier: Apache-2.0 */
/* The three MNIST nets of the shared data: logits against the published ones, classes against the labels. */
#ifndef EIS_TESTS_CLASSIFIER_NETS_H
#define EIS_TESTS_CLASSIFIER_NETS_H

#include "unit/model/fixture.h"

#include <math.h>

#include "base/mem.h"
#include "model/classifier.h"
#include "model/input.h"
#include "model/plain.h"

enum { REFERENCE_IMAGES = 256, CLASSES = 10, PIXELS = 784 };

/* Reads a .npy file of float32 in C order, shape [256][10]. */
static inline float *read_npy(const char *path)
{
    size_t bytes;
    uint8_t *file = fixture_read(path, &bytes);
    size_t header = 10 + (size_t)eis_load_le16(file + 8);
    float *values = malloc(sizeof(float) * REFERENCE_IMAGES * CLASSES);

    assert_non_null(values);
    assert_memory_equal(file, "\x93NUMPY\x01", 7);
    assert_int_equal(bytes - header, sizeof(float) * REFERENCE_IMAGES * CLASSES);
    assert_non_null(strstr((const char *)file + 10, "'<f4'"));
    assert_non_null(strstr((const char *)file + 10, "'fortran_order': False"));
    memcpy(values, file + header, bytes - header);
    free(file);
    return values;
}

/* |logits - reference| / |reference|, over the first 256 images together. The reference is itself float32, with an
 * error of about 1e-6; the goal of 1e-5 stands in the issue. */
static inline double relative_l2(const double *logits, const float *reference)
{
    double difference = 0, size = 0;

    for (size_t i = 0; i < REFERENCE_IMAGES * CLASSES; i++) {
        double d = logits[i] - (double)reference[i];
        difference += d * d;
        size += (double)reference[i] * (double)reference[i];
    }
    return sqrt(difference / size);
}

static inline size_t count_correct(const eis_model *model, const double *logits, const eis_labels *labels)
{
    size_t correct = 0;

    for (size_t i = 0; i < labels->count; i++) {
        uint32_t expected;
        assert_int_equal(eis_classifier_class_find(model, &expected, eis_labels_text(labels, i)), EIS_OK);
        correct += eis_classifier_best(model, logits + i * CLASSES) == expected;
    }
    return correct;
}

/* Runs the first `images_count` >= 256 images. */
static inline void check_net(const char *name, size_t images_count, size_t correct_expected)
{
    char directory[512], weights[512], reference[512], images_path[512], labels_path[512], file[128];
    const char *root = getenv("EIS_TEST_ROOT");
    eis_plain_backend *backend;
    eis_inputs images = {0};
    eis_labels labels = {0};
    eis_model *model;
    double *logits;

    snprintf(directory, sizeof directory, "%s/tests/models/%s", root ? root : ".", name);
    snprintf(file, sizeof file, "classifiers/%s.safetensors", name);
    fixture_shared(weights, file);
    snprintf(file, sizeof file, "classifiers/%s.logits_t10k_first256.f32.npy", name);
    fixture_shared(reference, file);
    fixture_shared(images_path, "mnist/t10k-images-idx3-ubyte.gz");
    fixture_shared(labels_path, "mnist/t10k-labels-idx1-ubyte.gz");
    logits = eis_mem_new(images_count * CLASSES, sizeof *logits); /* what stands above may skip the test */
    assert_non_null(logits);
    if (eis_model_open(&model, directory, &(eis_model_options){.weights_path = weights}) != EIS_OK)
        fail_msg("%s", eis_error_detail());
    assert_int_equal(eis_inputs_read(&images, images_path, images_count, NULL), EIS_OK);
    assert_int_equal(eis_labels_read(&labels, labels_path, images_count), EIS_OK);
    assert_int_equal(images.elements, eis_classifier_input_count(model));
    assert_int_equal(eis_plain_backend_new(&backend, model, NULL), EIS_OK);
    eis_linear_backend seam = eis_plain_backend_seam(backend);
    assert_int_equal(eis_classifier_run(model, &seam, logits, NULL, images.x, images_count), EIS_OK);

    float *expected = read_npy(reference);
    double error = relative_l2(logits, expected);
    size_t correct = count_correct(model, logits, &labels);
    print_message("%s: relative L2 %.2e, %zu of %zu correct\n", name, error, correct, images_count);
    assert_true(error < 1e-5);
    assert_int_equal(correct, correct_expected);
    free(expected);
    eis_plain_backend_free(backend);
    eis_inputs_clear(&images);
    eis_labels_clear(&labels);
    eis_model_free(model);
    eis_mem_free(logits);
}

#endif
