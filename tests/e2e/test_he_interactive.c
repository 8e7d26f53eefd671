/* SPDX-License-Identifier: Apache-2.0 */
/* If a net with ReLU gave another class in rounds than in plain, the offer to compute it with the client's help would
 * be a trap. Twenty test images through our digits net and two published ones. */
#include "support/he_mnist.h"

#include "engine/he/interactive.h"

enum { IMAGES = 20 };

static eis_status serve(void *context, uint32_t stage, eis_ckks_ct *answer, eis_ckks_ct *request)
{
    return he_net_serve(context, stage, answer, request);
}

static void print_plan(const eis_he_plan *plan)
{
    const eis_he_contract *c = &plan->contract;

    print_message("  chain %s, %u rotation keys, %.1f MB keys, %.2f MB up, %.2f MB down, about %.0f ms\n", c->chain,
                  c->element_count, (double)plan->key_bytes / 1e6, (double)plan->request_bytes / 1e6,
                  (double)plan->reply_bytes / 1e6, plan->expected_ms);
    for (uint32_t i = 0; i < c->stage_count; i++)
        print_message("  %s: %s, %u in, %u out, |x| <= %.3g, error %.2g\n", plan->rows[i].name, plan->rows[i].method,
                      c->stage[i].input.ciphertexts, c->stage[i].output.ciphertexts, c->stage[i].input_max,
                      c->stage[i].output.error);
}

/* The same class for every image, and logits within `most`. */
static void check(const char *directory, const char *name, const char *weights, double input_max, double most)
{
    const char *root = getenv("EIS_TEST_ROOT");
    char path[512], weights_path[512], images[512];
    eis_model_options options = {0};
    eis_he_wish wish = {.chain = "A1", .interactive = true, .input_max = input_max};
    eis_inputs in = {0};
    eis_model *model;
    he_net net;
    double x[HE_MNIST_PIXELS], y[HE_MNIST_CLASSES], expected[HE_MNIST_CLASSES], worst = 0;
    uint64_t started;

    fixture_shared(images, "mnist/t10k-images-idx3-ubyte.gz");
    if (weights != NULL) {
        fixture_shared(weights_path, weights);
        options.weights_path = weights_path;
    }
    snprintf(path, sizeof path, "%s/%s/%s", root != NULL ? root : ".", directory, name);
    if (eis_model_open(&model, path, &options) != EIS_OK) fail_msg("%s", eis_error_detail());
    assert_int_equal(eis_inputs_read(&in, images, IMAGES, NULL), EIS_OK);
    he_net_open(&net, model, &wish);
    print_plan(net.plan);
    eis_he_transport transport = {&net, serve};
    started = eis_clock_ns();
    for (size_t i = 0; i < IMAGES; i++) {
        he_net_scale(x, model, in.x + i * HE_MNIST_PIXELS);
        if (eis_he_interactive_run(y, &net.client, &transport, x) != EIS_OK) fail_msg("%s", eis_error_detail());
        he_net_plain(expected, &net, in.x + i * HE_MNIST_PIXELS);
        for (int k = 0; k < HE_MNIST_CLASSES; k++) worst = fmax(worst, fabs(y[k] - expected[k]));
        assert_int_equal(eis_classifier_best(model, y), eis_classifier_best(model, expected));
    }
    print_message("%s: %d images in %u rounds each: logits within %.2g of plain; %.0f ms per image\n", name, IMAGES,
                  net.plan->contract.stage_count, worst, (double)(eis_clock_ns() - started) / 1e6 / IMAGES);
    assert_true(worst <= most);
    he_net_close(&net);
    eis_inputs_clear(&in);
}

static void our_digits_net(void **state)
{
    (void)state;
    check("models", "digits", NULL, 0, 1e-3);
}

static void a_dense_net(void **state)
{
    (void)state;
    check("tests/models", "crypten_tfe_a", "classifiers/crypten_tfe_a.safetensors", 0, 1e-3);
}

/* Two convolutions; its pixels are not scaled. */
static void a_convolutional_net(void **state)
{
    (void)state;
    check("tests/models", "onnx_mnist_cnn", "classifiers/onnx_mnist_cnn.safetensors", 255, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_digits_net),
        cmocka_unit_test(a_dense_net),
        cmocka_unit_test(a_convolutional_net),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
