/* SPDX-License-Identifier: Apache-2.0 */
/* If a layer were computed or folded wrongly, every engine would agree on a wrong answer, since all share this code. So
 * each net here is computed a second time, layer by layer as in a textbook, with nothing folded. */
#include "unit/model/fixture.h"

#include <math.h>

#include "base/mem.h"
#include "model/classifier.h"
#include "model/plain.h"

enum { WORDS_MAX = 4096, BATCH = 2 };

static const char *const file_names[] = {"model.json", "model.safetensors", "other.safetensors", NULL};

/* --- a net in the making, with the values that it should give --------------------------------------------------------
 */

typedef struct net {
    char json[1 << 14]; /* the layers */
    const char *input;  /* members of "input" beside the shape */
    fixture_tensors *tensors;
    uint64_t seed;
    size_t channels, height, width; /* of x */
    size_t in_channels, in_height, in_width;
    double input_values[BATCH][WORDS_MAX];
    double x[BATCH][WORDS_MAX];
    int layers;
} net;

static net *net_new(size_t channels, size_t height, size_t width, uint64_t seed)
{
    net *n = calloc(1, sizeof *n);

    assert_non_null(n);
    n->tensors = fixture_tensors_new();
    n->input = "";
    n->seed = seed;
    n->channels = n->in_channels = channels;
    n->height = n->in_height = height;
    n->width = n->in_width = width;
    for (int b = 0; b < BATCH; b++) {
        fixture_fill(n->input_values[b], channels * height * width, 2, &n->seed);
        memcpy(n->x[b], n->input_values[b], sizeof n->x[b]);
    }
    return n;
}

static void net_add(net *n, const char *layer)
{
    size_t have = strlen(n->json);

    snprintf(n->json + have, sizeof n->json - have, "%s%s", n->layers++ ? "," : "", layer);
    assert_true(strlen(n->json) + 1 < sizeof n->json);
}

/* Adds a tensor of random numbers named after the layer. */
static void net_tensor(net *n, double *values, const char *suffix, size_t rows, size_t columns, double low, double high)
{
    char name[32];
    size_t count = columns * (rows ? rows : 1);

    fixture_fill(values, count, (high - low) / 2, &n->seed);
    for (size_t i = 0; i < count; i++) values[i] = (double)(float)(values[i] + (low + high) / 2);
    snprintf(name, sizeof name, "%d.%s", n->layers, suffix);
    fixture_tensor_add(n->tensors, name, "F32", rows, columns, values);
}

static size_t area(const net *n) { return n->height * n->width; }

static void net_linear(net *n, size_t out, bool in_out)
{
    size_t in = n->channels * area(n);
    double *w = calloc(in * out, sizeof *w), *bias = calloc(out, sizeof *bias), y[BATCH][WORDS_MAX] = {{0}};
    char layer[256];

    if (in_out)
        net_tensor(n, w, "w", in, out, -0.5, 0.5);
    else
        net_tensor(n, w, "w", out, in, -0.5, 0.5);
    net_tensor(n, bias, "b", 0, out, -1, 1);
    for (size_t b = 0; b < BATCH; b++)
        for (size_t r = 0; r < out; r++) {
            y[b][r] = bias[r];
            for (size_t i = 0; i < in; i++) y[b][r] += (in_out ? w[i * out + r] : w[r * in + i]) * n->x[b][i];
        }
    memcpy(n->x, y, sizeof y);
    snprintf(layer, sizeof layer, "{\"op\":\"linear\",\"weight\":\"%d.w\",\"bias\":\"%d.b\",\"in\":%zu,\"out\":%zu%s}",
             n->layers, n->layers, in, out, in_out ? ",\"layout\":\"in_out\"" : "");
    net_add(n, layer);
    n->channels = out;
    n->height = n->width = 1;
    free(w);
    free(bias);
}

/* The value at a place that may lie in the padding. */
static double pixel(const net *n, size_t b, size_t c, size_t y, size_t x, size_t pad_y, size_t pad_x, double outside)
{
    if (y < pad_y || x < pad_x || y - pad_y >= n->height || x - pad_x >= n->width) return outside;
    return n->x[b][(c * n->height + y - pad_y) * n->width + x - pad_x];
}

typedef struct window {
    size_t kernel[2], stride[2], pad[2];
} window;

static size_t fits(size_t size, const window *w, int i)
{
    return (size + 2 * w->pad[i] - w->kernel[i]) / w->stride[i] + 1;
}

static void net_conv(net *n, size_t out, window w)
{
    size_t in = n->channels * w.kernel[0] * w.kernel[1], oh = fits(n->height, &w, 0), ow = fits(n->width, &w, 1);
    double *weight = calloc(in * out, sizeof *weight), *bias = calloc(out, sizeof *bias), y[BATCH][WORDS_MAX];
    char layer[512];

    net_tensor(n, weight, "w", out, in, -0.5, 0.5); /* the same number of words under another shape */
    net_tensor(n, bias, "b", 0, out, -1, 1);
    for (size_t b = 0; b < BATCH; b++)
        for (size_t r = 0; r < out; r++)
            for (size_t p = 0; p < oh * ow; p++) {
                const double *at = weight + r * in;
                double sum = bias[r];
                for (size_t c = 0; c < n->channels; c++)
                    for (size_t ky = 0; ky < w.kernel[0]; ky++)
                        for (size_t kx = 0; kx < w.kernel[1]; kx++)
                            sum += *at++ * pixel(n, b, c, p / ow * w.stride[0] + ky, p % ow * w.stride[1] + kx,
                                                 w.pad[0], w.pad[1], 0);
                y[b][r * oh * ow + p] = sum;
            }
    memcpy(n->x, y, sizeof y);
    snprintf(layer, sizeof layer,
             "{\"op\":\"conv2d\",\"name\":\"c%d\",\"weight\":\"%d.w\",\"bias\":\"%d.b\",\"in\":%zu,\"out\":%zu,"
             "\"kernel\":[%zu,%zu],"
             "\"stride\":[%zu,%zu],\"padding\":[%zu,%zu]}",
             n->layers, n->layers, n->layers, n->channels, out, w.kernel[0], w.kernel[1], w.stride[0], w.stride[1],
             w.pad[0], w.pad[1]);
    net_add(n, layer);
    n->channels = out;
    n->height = oh;
    n->width = ow;
    free(weight);
    free(bias);
}

static void net_pool(net *n, bool largest, window w)
{
    size_t oh = fits(n->height, &w, 0), ow = fits(n->width, &w, 1);
    double y[BATCH][WORDS_MAX];
    char layer[256];

    for (size_t b = 0; b < BATCH; b++)
        for (size_t c = 0; c < n->channels; c++)
            for (size_t p = 0; p < oh * ow; p++) {
                double sum = 0, most = -INFINITY;
                for (size_t k = 0; k < w.kernel[0] * w.kernel[1]; k++) {
                    size_t py = p / ow * w.stride[0] + k / w.kernel[1], px = p % ow * w.stride[1] + k % w.kernel[1];
                    sum += pixel(n, b, c, py, px, w.pad[0], w.pad[1], 0);
                    most = fmax(most, pixel(n, b, c, py, px, w.pad[0], w.pad[1], -INFINITY));
                }
                y[b][c * oh * ow + p] = largest ? most : sum / (double)(w.kernel[0] * w.kernel[1]);
            }
    memcpy(n->x, y, sizeof y);
    snprintf(layer, sizeof layer, "{\"op\":\"%s\",\"kernel\":[%zu,%zu],\"stride\":[%zu,%zu],\"padding\":[%zu,%zu]}",
             largest ? "max_pool" : "avg_pool", w.kernel[0], w.kernel[1], w.stride[0], w.stride[1], w.pad[0], w.pad[1]);
    net_add(n, layer);
    n->height = oh;
    n->width = ow;
}

static void net_norm(net *n)
{
    double g[WORDS_MAX], t[WORDS_MAX], mean[WORDS_MAX], variance[WORDS_MAX];
    char layer[256];

    net_tensor(n, g, "g", 0, n->channels, 0.5, 1.5);
    net_tensor(n, t, "t", 0, n->channels, -1, 1);
    net_tensor(n, mean, "m", 0, n->channels, -1, 1);
    net_tensor(n, variance, "v", 0, n->channels, 0.1, 2);
    for (size_t b = 0; b < BATCH; b++)
        for (size_t i = 0; i < n->channels * area(n); i++) {
            size_t c = i / area(n);
            n->x[b][i] = (n->x[b][i] - mean[c]) / sqrt(variance[c] + 1e-3) * g[c] + t[c];
        }
    snprintf(layer, sizeof layer,
             "{\"op\":\"batch_norm\",\"weight\":\"%d.g\",\"bias\":\"%d.t\",\"mean\":\"%d.m\",\"variance\":\"%d.v\","
             "\"eps\":1e-3}",
             n->layers, n->layers, n->layers, n->layers);
    net_add(n, layer);
}

static void net_each(net *n, double (*f)(double), const char *layer)
{
    for (size_t b = 0; b < BATCH; b++)
        for (size_t i = 0; i < n->channels * area(n); i++) n->x[b][i] = f(n->x[b][i]);
    net_add(n, layer);
}

static double relu(double x) { return x > 0 ? x : 0; }
static double square(double x) { return x * x; }
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double cubic(double x) { return 0.5 + 0.25 * x - 0.125 * x * x * x; }

static void net_relu(net *n) { net_each(n, relu, "{\"op\":\"relu\"}"); }

static void net_flatten(net *n)
{
    n->channels *= area(n);
    n->height = n->width = 1;
    net_add(n, "{\"op\":\"flatten\"}");
}

static eis_model *open_or_fail(const char *directory)
{
    eis_model *model;

    if (eis_model_open(&model, directory, NULL) != EIS_OK) fail_msg("%s", eis_error_detail());
    return model;
}

/* Writes the net, loads it, runs it, and compares. Doubles in another order differ by a few units in the last place,
 * times the number of summands: 1e-12 leaves room for all nets here. Returns the model to look at; freed by the caller.
 */
static eis_model *net_check(net *n)
{
    char directory[256], text[1 << 15];
    eis_plain_backend *backend;
    eis_linear_backend seam;
    eis_model *model;
    double in[BATCH * WORDS_MAX], logits[BATCH * WORDS_MAX];
    size_t in_words = n->in_channels * n->in_height * n->in_width, out_words = n->channels * area(n);
    bool replaced = true;

    fixture_directory(directory);
    snprintf(
        text, sizeof text,
        "{\"format\":\"eis-classifier/1\",\"name\":\"made\",\"input\":{\"shape\":[%zu,%zu,%zu]%s},\"layers\":[%s]}",
        n->in_channels, n->in_height, n->in_width, n->input, n->json);
    fixture_write_text(directory, "model.json", text);
    fixture_tensors_write(n->tensors, directory, "model.safetensors");
    model = open_or_fail(directory);
    fixture_remove(directory, file_names);
    assert_int_equal(eis_classifier_input_count(model), in_words);
    assert_int_equal(model->classifier.class_count, out_words);
    for (size_t b = 0; b < BATCH; b++) memcpy(in + b * in_words, n->input_values[b], in_words * sizeof *in);
    assert_int_equal(eis_plain_backend_new(&backend, model, NULL), EIS_OK);
    seam = eis_plain_backend_seam(backend);
    assert_int_equal(eis_classifier_run(model, &seam, logits, &replaced, in, BATCH), EIS_OK);
    assert_false(replaced);
    for (size_t b = 0; b < BATCH; b++)
        for (size_t i = 0; i < out_words; i++)
            assert_true(fabs(logits[b * out_words + i] - n->x[b][i]) <= 1e-12 * (1 + fabs(n->x[b][i])));
    eis_plain_backend_free(backend);
    free(n->tensors);
    free(n);
    return model;
}

static size_t count_op(const eis_model *model, eis_step_op op)
{
    size_t count = 0;

    for (uint32_t i = 0; i < model->classifier.step_count; i++) count += model->classifier.steps[i].op == op;
    return count;
}

/* --- nets ------------------------------------------------------------------------------------------------------------
 */

static void linear_reads_both_layouts(void **state)
{
    net *n = net_new(7, 1, 1, 1);

    (void)state;
    net_linear(n, 5, false);
    net_relu(n);
    net_linear(n, 4, true);
    net_each(n, sigmoid, "{\"op\":\"sigmoid\"}");
    net_linear(n, 3, true);
    eis_model *model = net_check(n);
    assert_string_equal(model->linears[0].name, "layer0");
    assert_string_equal(model->linears[2].name, "layer4");
    assert_int_equal(model->linears[1].pieces[0].dtype, EIS_DTYPE_F32); /* mapped, not copied */
    eis_model_free(model);
}

static void convolutions_with_stride_and_padding(void **state)
{
    static const window windows[] = {{{3, 3}, {1, 1}, {0, 0}}, {{3, 2}, {2, 1}, {1, 0}}, {{5, 5}, {3, 2}, {2, 2}},
                                     {{1, 1}, {1, 1}, {0, 0}}, {{2, 3}, {1, 3}, {4, 5}}, {{7, 6}, {1, 1}, {0, 0}}};

    (void)state;
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        net *n = net_new(3, 7, 6, 10 + i);
        net_conv(n, 4, windows[i]);
        net_each(n, square, "{\"op\":\"square\"}");
        net_flatten(n);
        net_linear(n, 3, i % 2);
        eis_model_free(net_check(n));
    }
}

static void pools_with_stride_and_padding(void **state)
{
    static const window windows[] = {{{2, 2}, {2, 2}, {0, 0}},
                                     {{3, 3}, {2, 2}, {1, 1}},
                                     {{2, 3}, {1, 2}, {1, 2}},
                                     {{6, 5}, {6, 5}, {0, 0}},
                                     {{4, 4}, {3, 3}, {3, 3}}};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof windows / sizeof *windows; i++) {
        net *n = net_new(2, 6, 5, 20 + i);
        net_pool(n, i % 2, windows[i / 2]);
        net_linear(n, 3, false); /* takes an image too: words in order */
        eis_model_free(net_check(n));
    }
}

static void a_norm_behind_a_linear_layer_goes_into_its_rows(void **state)
{
    net *n = net_new(2, 6, 6, 30);

    (void)state;
    net_conv(n, 4, (window){{3, 3}, {1, 1}, {1, 1}}); /* padding does no harm here */
    net_norm(n);
    net_norm(n);
    net_relu(n);
    net_flatten(n);
    net_linear(n, 5, true);
    net_norm(n);
    eis_model *model = net_check(n);
    assert_int_equal(count_op(model, EIS_STEP_AFFINE), 0);
    assert_int_equal(model->classifier.step_count, 4);
    assert_int_equal(model->linears[0].pieces[0].dtype, EIS_DTYPE_F64);
    eis_model_free(model);
}

static void a_norm_before_a_linear_layer_goes_into_its_columns(void **state)
{
    net *n = net_new(3, 5, 4, 40);

    (void)state;
    net_norm(n);
    net_norm(n);
    net_conv(n, 4, (window){{3, 2}, {1, 1}, {0, 0}});
    net_norm(n); /* into the same node from behind */
    net_relu(n);
    net_norm(n);
    net_flatten(n);
    net_norm(n);
    net_linear(n, 6, false);
    net_relu(n);
    net_norm(n);
    net_linear(n, 3, true);
    eis_model *model = net_check(n);
    assert_int_equal(count_op(model, EIS_STEP_AFFINE), 0);
    eis_model_free(model);
    /* An image into a linear layer without flatten: one factor per channel for a run of columns. */
    n = net_new(3, 2, 2, 41);
    net_norm(n);
    net_linear(n, 4, false);
    model = net_check(n);
    assert_int_equal(count_op(model, EIS_STEP_AFFINE), 0);
    eis_model_free(model);
}

static void a_norm_before_padding_or_something_else_stays(void **state)
{
    net *n = net_new(3, 5, 4, 50);

    (void)state;
    net_norm(n);
    net_conv(n, 4, (window){{3, 3}, {1, 1}, {1, 0}}); /* padded with zeros behind the norm: must stay */
    net_relu(n);
    net_norm(n);
    net_pool(n, true, (window){{2, 2}, {1, 1}, {0, 0}});
    net_norm(n);
    net_each(n, cubic, "{\"op\":\"polynomial\",\"coefficients\":[0.5,0.25,0,-0.125],\"interval\":[-4,4]}");
    net_flatten(n);
    net_linear(n, 3, false);
    net_relu(n);
    net_norm(n); /* nothing follows */
    eis_model *model = net_check(n);
    assert_int_equal(count_op(model, EIS_STEP_AFFINE), 4);
    assert_true(model->classifier.steps[6].interval[1] == 4);
    eis_model_free(model);
}

static void inputs_are_scaled_for_all_or_per_channel(void **state)
{
    static const char *const members[] = {",\"divide\":255,\"mean\":0.1307,\"std\":0.3081",
                                          ",\"mean\":[0.1,-0.2],\"std\":[2,-4]", ",\"divide\":-2,\"mean\":[1,2]"};
    const double divide[] = {255, 1, -2}, mean[][2] = {{0.1307, 0.1307}, {0.1, -0.2}, {1, 2}};
    const double deviation[][2] = {{0.3081, 0.3081}, {2, -4}, {1, 1}};

    (void)state;
    for (size_t m = 0; m < 3; m++) {
        net *n = net_new(2, 3, 2, 60 + m);
        n->input = members[m];
        for (size_t b = 0; b < BATCH; b++)
            for (size_t i = 0; i < 12; i++)
                n->x[b][i] = (n->x[b][i] / divide[m] - mean[m][i / 6]) / deviation[m][i / 6];
        net_linear(n, 3, false);
        eis_model_free(net_check(n));
    }
}

/* --- one net by hand, and what surrounds it
 * ----------------------------------------------------------------------------- */

#define HEAD "{\"format\":\"eis-classifier/1\",\"name\":\"hand\",\"input\":{\"shape\":[2]},"
#define FC   "{\"op\":\"linear\",\"name\":\"fc\",\"weight\":\"w\",\"bias\":\"b\",\"in\":2,\"out\":2}"
#define HAND                                                                  \
    HEAD "\"layers\":[" FC ",{\"op\":\"square\"}],\"labels\":[\"no\",\"7\"]," \
         "\"magnitudes\":{\"kind\":\"calibrated\",\"margin\":4,\"max\":[3.5,12]}}"

static const double hand_weight[] = {1, 2, -1, 0.5}, hand_bias[] = {0.25, -1};

/* Writes a directory with this model.json and the weights w and b; TMPDIR is cleaned by close_directory. */
static void make_directory(char directory[256], const char *json)
{
    fixture_tensors *t = fixture_tensors_new();

    fixture_directory(directory);
    fixture_write_text(directory, "model.json", json);
    fixture_tensor_add(t, "w", "F32", 2, 2, hand_weight);
    fixture_tensor_add(t, "b", "F32", 0, 2, hand_bias);
    fixture_tensors_write(t, directory, "model.safetensors");
    free(t);
}

static void a_net_computed_by_hand(void **state)
{
    char directory[256], name[16];
    const double x[] = {3, -1};
    double logits[2];
    uint32_t class_index = 9;

    (void)state;
    make_directory(directory, HAND);
    eis_model *model = open_or_fail(directory);
    fixture_remove(directory, file_names);
    eis_plain_backend *backend;
    assert_int_equal(eis_plain_backend_new(&backend, model, NULL), EIS_OK);
    eis_linear_backend seam = eis_plain_backend_seam(backend);
    assert_int_equal(eis_classifier_run(model, &seam, logits, NULL, x, 1), EIS_OK);
    assert_true(logits[0] == 1.25 * 1.25 && logits[1] == 4.5 * 4.5); /* 3 - 2 + 0.25 and -3 - 0.5 - 1 */
    assert_int_equal(eis_classifier_best(model, logits), 1);
    assert_int_equal(eis_classifier_best(model, (const double[]){2, 2}), 0);
    assert_string_equal(eis_classifier_class_name(model, 1, name), "7");
    assert_int_equal(eis_classifier_class_find(model, &class_index, "no"), EIS_OK);
    assert_int_equal(class_index, 0);
    assert_int_equal(eis_classifier_class_find(model, &class_index, "1"), EIS_OK); /* no label "1": a number */
    assert_int_equal(class_index, 1);
    assert_int_equal(eis_classifier_class_find(model, &class_index, "2"), EIS_ERR_RANGE);
    assert_int_equal(eis_classifier_class_find(model, &class_index, "maybe"), EIS_ERR_RANGE);
    assert_int_equal(class_index, 1);
    assert_string_equal(model->classifier.magnitude_kind, "calibrated");
    assert_int_equal(model->classifier.magnitude_count, 2);
    assert_true(model->classifier.magnitude_max[1] == 12 && model->classifier.magnitude_margin == 4);
    eis_plain_backend_free(backend);
    eis_model_free(model);
}

/* What is not finite at the door is refused before anything leaves; behind the first layer it becomes 0. */
typedef struct spy {
    eis_linear_backend real;
    eis_status answer;
    int calls;
} spy;

static eis_status spy_apply(void *ctx, uint32_t index, double *y, const double *x, size_t batch)
{
    spy *s = ctx;

    s->calls++;
    return s->answer == EIS_OK ? s->real.apply(s->real.ctx, index, y, x, batch) : s->answer;
}

static void values_that_are_not_finite(void **state)
{
    const double bad[] = {NAN, INFINITY, -INFINITY};
    char directory[256];
    double logits[4], x[4] = {3, -1, 1e200, 0};
    eis_plain_backend *backend;
    bool replaced = false;
    spy s = {0};

    (void)state;
    make_directory(directory, HAND);
    eis_model *model = open_or_fail(directory);
    fixture_remove(directory, file_names);
    assert_int_equal(eis_plain_backend_new(&backend, model, NULL), EIS_OK);
    s.real = eis_plain_backend_seam(backend);
    eis_linear_backend seam = {.ctx = &s, .apply = spy_apply};
    assert_int_equal(eis_classifier_run(model, &seam, logits, &replaced, x, 2), EIS_OK); /* 1e200 squared */
    assert_true(replaced && logits[0] == 1.5625 && logits[2] == 0 && logits[3] == 0);
    for (int i = 0; i < 3; i++) {
        x[3] = bad[i];
        s.calls = 0;
        memset(logits, 1, sizeof logits);
        assert_int_equal(eis_classifier_run(model, &seam, logits, &replaced, x, 2), EIS_ERR_RANGE);
        assert_int_equal(s.calls, 0);
        assert_true(logits[0] == 0 && logits[3] == 0);
    }
    /* A backend's failure comes through. */
    x[3] = 0;
    s.answer = EIS_ERR_TIMEOUT;
    assert_int_equal(eis_classifier_run(model, &seam, logits, &replaced, x, 2), EIS_ERR_TIMEOUT);
    eis_plain_backend_free(backend);
    eis_model_free(model);
}

static void another_weights_file_may_be_named(void **state)
{
    const double heavier[] = {2, 4, -2, 1};
    char directory[256], path[512], missing[512];
    fixture_tensors *t = fixture_tensors_new();
    eis_model *model;
    double rows[4];

    (void)state;
    make_directory(directory, HAND);
    fixture_tensor_add(t, "w", "F64", 2, 2, heavier);
    fixture_tensor_add(t, "b", "BF16", 0, 2, hand_bias);
    fixture_tensors_write(t, directory, "other.safetensors");
    fixture_path(path, directory, "other.safetensors");
    fixture_path(missing, directory, "missing.safetensors");
    assert_int_equal(eis_model_open(&model, directory, &(eis_model_options){.weights_path = path}), EIS_OK);
    assert_int_equal(eis_model_linear_rows(model, 0, 0, 2, rows), EIS_OK);
    assert_memory_equal(rows, heavier, sizeof rows);
    eis_model_free(model);
    assert_int_equal(eis_model_open(&model, directory, &(eis_model_options){.weights_path = missing}), EIS_ERR_FILE);
    fixture_assert_said("missing.safetensors");
    fixture_remove(directory, file_names);
    free(t);
}

/* --- refusals
 * ---------------------------------------------------------------------------------------------------------- */

static void refuses(const char *json, eis_status expected, const char *named)
{
    char directory[256];
    eis_model *model;

    make_directory(directory, json);
    assert_int_equal(eis_model_open(&model, directory, NULL), expected);
    assert_null(model);
    fixture_assert_said(named);
    fixture_assert_said("model.json");
    fixture_remove(directory, file_names);
}

#define LAYERS(l) HEAD "\"layers\":[" l "]}"
#define IMAGE(l)  "{\"format\":\"eis-classifier/1\",\"name\":\"i\",\"input\":{\"shape\":[1,4,4]},\"layers\":[" l "]}"
#define INPUT(i)  "{\"format\":\"eis-classifier/1\",\"name\":\"i\",\"input\":" i ",\"layers\":[" FC "]}"
#define CONV(k, s, p) \
    "{\"op\":\"conv2d\",\"weight\":\"w\",\"in\":1,\"out\":1,\"kernel\":" k ",\"stride\":" s ",\"padding\":" p "}"
#define NORM "{\"op\":\"batch_norm\",\"weight\":\"b\",\"bias\":\"b\",\"mean\":\"b\",\"variance\":\"b\"}"

static void what_does_not_fit_is_named(void **state)
{
    const eis_status parse = EIS_ERR_PARSE, bad = EIS_ERR_MODEL, no = EIS_ERR_UNSUPPORTED;

    (void)state;
    refuses("", parse, "model.json");
    refuses("[]", parse, "object");
    refuses("{\"format\":\"eis-classifier/2\"}", no, "format");
    refuses("{\"format\":\"eis-classifier/1\",\"name\":\"x\",\"colour\":1}", parse, "colour");
    refuses(LAYERS("{\"op\":\"softmax\"}"), no, "layers[0]: there is no op \"softmax\"");
    refuses(LAYERS("{\"op\":\"relu\",\"alpha\":1}"), parse, "alpha");
    refuses(LAYERS("7"), parse, "layers[0]");
    refuses(LAYERS(""), parse, "layers");
    refuses(HEAD "\"layers\":{\"op\":1}}", parse, "layers");
    refuses(LAYERS("{\"op\":\"relu\"}"), bad, "no linear layer");
    refuses(LAYERS("{\"op\":\"linear\",\"weight\":\"w\",\"in\":3,\"out\":2}"), bad, "layers[0]: in is 3");
    refuses(LAYERS("{\"op\":\"linear\",\"weight\":\"w\",\"in\":2,\"out\":3}"), bad, "tensor w has shape [2, 2]");
    refuses(LAYERS("{\"op\":\"linear\",\"weight\":\"v\",\"in\":2,\"out\":2}"), bad, "tensor v is missing");
    refuses(LAYERS("{\"op\":\"linear\",\"weight\":\"w\",\"bias\":\"w\",\"in\":2,\"out\":2}"), bad, "tensor w");
    refuses(LAYERS("{\"op\":\"linear\",\"weight\":\"w\",\"in\":2,\"out\":2,\"layout\":\"out\"}"), parse, "layout");
    refuses(LAYERS("{\"op\":\"linear\",\"weight\":\"w\",\"in\":2,\"out\":0}"), parse, "out");
    refuses(LAYERS("{\"op\":\"linear\",\"weight\":\"w\",\"in\":2,\"out\":67108864}"), bad, "w");
    refuses(LAYERS(FC "," FC), parse, "layers[1]: an earlier layer has the name \"fc\"");
    refuses(LAYERS(FC ",{\"op\":\"polynomial\",\"coefficients\":[],\"interval\":[0,1]}"), parse, "coefficients");
    refuses(LAYERS(FC ",{\"op\":\"polynomial\",\"coefficients\":[1],\"interval\":[1,1]}"), parse, "interval");
    refuses(LAYERS(FC ",{\"op\":\"polynomial\",\"coefficients\":[1],\"interval\":{\"a\":0,\"b\":1}}"), parse,
            "interval");
    refuses(LAYERS(FC "," NORM), bad, "layers[1]: variance");
    refuses(LAYERS("{\"op\":\"linear\",\"name\":\"a\\u001bb\",\"weight\":\"w\",\"in\":2,\"out\":2}"), parse, "control");
    refuses(HEAD "\"layers\":[" FC "],\"labels\":[\"a\"]}", bad, "1 labels, but 2 classes");
    refuses(HEAD "\"layers\":[" FC "],\"labels\":[\"a\",7]}", parse, "labels[1]");
    refuses(HEAD "\"layers\":[" FC "],\"labels\":[\"a\",\"\\u0000\"]}", parse, "labels[1]");
    refuses(HEAD "\"layers\":[" FC "],\"magnitudes\":{\"kind\":\"x\",\"max\":[1,2]}}", parse, "max");
    refuses(HEAD "\"layers\":[" FC "],\"magnitudes\":{\"kind\":\"x\",\"max\":[-1]}}", parse, "max[0]");
    refuses(IMAGE(CONV("[5,5]", "[1,1]", "[0,0]")), bad, "larger than the image");
    refuses(IMAGE(CONV("[2,0]", "[1,1]", "[0,0]")), parse, "kernel");
    refuses(IMAGE(CONV("[2,2]", "[0,1]", "[0,0]")), parse, "stride");
    refuses(IMAGE(CONV("[2,2]", "[1,1]", "[65536,65536]")), bad, "words come out");
    refuses(IMAGE(CONV("[65536,65536]", "[1,1]", "[65536,65536]")), bad, "weights");
    refuses(IMAGE("{\"op\":\"max_pool\",\"kernel\":[2,2],\"padding\":[2,2]}"), parse, "padding");
    refuses(IMAGE("{\"op\":\"avg_pool\",\"kernel\":[5,5]}"), bad, "larger than the image");
    refuses(INPUT("{\"shape\":[2,2]}"), parse, "shape");
    refuses(INPUT("{\"shape\":[0]}"), parse, "shape");
    refuses(INPUT("{\"shape\":[65536,65536,65536]}"), parse, "shape");
    refuses(INPUT("{\"shape\":[2],\"divide\":0}"), parse, "divide");
    refuses(INPUT("{\"shape\":[2],\"mean\":[1,2,3]}"), parse, "mean");
    refuses(INPUT("{\"shape\":[2],\"std\":[1,0]}"), parse, "std");
    refuses(INPUT("{\"shape\":[2],\"std\":\"1\"}"), parse, "std");
}

static void every_failing_allocation_is_survived(void **state)
{
    static const double x[] = {1, 2};
    char directory[256];

    (void)state;
    make_directory(
        directory,
        HEAD "\"layers\":[{\"op\":\"batch_norm\",\"weight\":\"b\",\"bias\":\"b\",\"mean\":\"b\",\"variance\":\"p\"}," FC
             "],\"labels\":[\"a\",\"b\"],\"magnitudes\":{\"kind\":\"x\",\"max\":[1,2]}}");
    fixture_tensors *t = fixture_tensors_new();
    const double positive[] = {1, 2};
    fixture_tensor_add(t, "w", "F32", 2, 2, hand_weight);
    fixture_tensor_add(t, "b", "F32", 0, 2, hand_bias);
    fixture_tensor_add(t, "p", "F32", 0, 2, positive);
    fixture_tensors_write(t, directory, "model.safetensors");
    free(t);
    for (unsigned long n = 1;; n++) {
        eis_model *model = NULL;
        eis_plain_backend *backend = NULL;
        double logits[2] = {1, 1};
        eis_mem_fail_at(n);
        eis_status st = eis_model_open(&model, directory, NULL);
        if (st == EIS_OK) st = eis_plain_backend_new(&backend, model, NULL);
        if (st == EIS_OK) {
            eis_linear_backend seam = eis_plain_backend_seam(backend);
            st = eis_classifier_run(model, &seam, logits, NULL, x, 1);
            if (st != EIS_OK) assert_true(logits[0] == 0 && logits[1] == 0);
        }
        eis_mem_fail_at(0);
        eis_plain_backend_free(backend);
        eis_model_free(model);
        if (st == EIS_OK) break;
        assert_int_equal(st, EIS_ERR_MEMORY);
    }
    fixture_remove(directory, file_names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_reads_both_layouts),
        cmocka_unit_test(convolutions_with_stride_and_padding),
        cmocka_unit_test(pools_with_stride_and_padding),
        cmocka_unit_test(a_norm_behind_a_linear_layer_goes_into_its_rows),
        cmocka_unit_test(a_norm_before_a_linear_layer_goes_into_its_columns),
        cmocka_unit_test(a_norm_before_padding_or_something_else_stays),
        cmocka_unit_test(inputs_are_scaled_for_all_or_per_channel),
        cmocka_unit_test(a_net_computed_by_hand),
        cmocka_unit_test(values_that_are_not_finite),
        cmocka_unit_test(another_weights_file_may_be_named),
        cmocka_unit_test(what_does_not_fit_is_named),
        cmocka_unit_test(every_failing_allocation_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
