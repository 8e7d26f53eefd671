/* SPDX-License-Identifier: Apache-2.0 */
/* The executor of classifiers. All values are secret; shapes are public. Nothing here compares values: what must be
 * chosen is chosen by the sign bit of a difference, and what is not finite becomes 0 behind each step. */
#include "model/classifier.h"

#include "base/bytes.h"
#include "base/ct.h"
#include "base/mem.h"
#include "model/activation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The values between two steps, and room for those behind the next one. */
typedef struct run {
    const eis_model *model;
    double *now, *next; /* [batch][words of the largest layer] */
    size_t words, batch;
    uint64_t not_finite; /* mask: something was */
} run;

size_t eis_classifier_input_count(const eis_model *model)
{
    const eis_classifier *c = &model->classifier;

    return (size_t)c->channels * c->height * c->width;
}

static size_t in_words(const eis_step *s) { return (size_t)s->in_channels * s->in_height * s->in_width; }
static size_t out_words(const eis_step *s) { return (size_t)s->out_channels * s->out_height * s->out_width; }

static size_t largest_layer(const eis_model *model)
{
    size_t most = eis_classifier_input_count(model);

    for (uint32_t i = 0; i < model->classifier.step_count; i++) {
        size_t words = out_words(&model->classifier.steps[i]);
        most = words > most ? words : most;
    }
    return most;
}

/* --- arithmetic without branches ---------------------------------------------------------------------------------- */

/* Returns all ones where the sign bit of x is set. */
static uint64_t sign_mask(double x) { return eis_ct_barrier((uint64_t)0 - (eis_bits_of_f64(x) >> 63)); }

static double larger(double a, double b)
{
    return eis_f64_of_bits(eis_ct_select(sign_mask(a - b), eis_bits_of_f64(b), eis_bits_of_f64(a)));
}

/* --- steps that keep the shape ------------------------------------------------------------------------------------ */

static void relu(double *x, size_t count)
{
    for (size_t i = 0; i < count; i++) x[i] = eis_f64_of_bits(eis_bits_of_f64(x[i]) & ~sign_mask(x[i]));
}

static void square(double *x, size_t count)
{
    for (size_t i = 0; i < count; i++) x[i] *= x[i];
}

static void polynomial(double *x, size_t count, const double *coefficients, uint32_t coefficient_count)
{
    for (size_t i = 0; i < count; i++) {
        double sum = coefficients[coefficient_count - 1];
        for (uint32_t power = coefficient_count - 1; power > 0; power--) sum = sum * x[i] + coefficients[power - 1];
        x[i] = sum;
    }
}

/* x[batch][channels][area] times and plus one number per channel. */
static void affine(double *x, size_t batch, size_t channels, size_t area, const double *scale, const double *shift)
{
    for (size_t b = 0; b < batch; b++)
        for (size_t c = 0; c < channels; c++, x += area)
            for (size_t i = 0; i < area; i++) x[i] = x[i] * scale[c] + shift[c];
}

/* --- pools ----------------------------------------------------------------------------------------------------------
 */

/* The part of a window that lies inside the image: [first, last). */
typedef struct extent {
    size_t first, last;
} extent;

static extent window_extent(uint32_t position, uint32_t stride, uint32_t kernel, uint32_t padding, uint32_t size)
{
    size_t start = (size_t)position * stride, end = start + kernel; /* in the padded image */
    extent e = {start > padding ? start - padding : 0, end > padding ? end - padding : 0};

    if (e.last > size) e.last = size;
    if (e.first > e.last) e.first = e.last;
    return e;
}

static double window_sum(const double *image, size_t width, extent rows, extent columns)
{
    double sum = 0;

    for (size_t y = rows.first; y < rows.last; y++)
        for (size_t x = columns.first; x < columns.last; x++) sum += image[y * width + x];
    return sum;
}

/* Padding counts for nothing. It is smaller than the kernel, so each window has a pixel. */
static double window_max(const double *image, size_t width, extent rows, extent columns)
{
    double most;

    EIS_ASSERT(rows.first < rows.last && columns.first < columns.last);
    most = image[rows.first * width + columns.first];
    for (size_t y = rows.first; y < rows.last; y++)
        for (size_t x = columns.first; x < columns.last; x++) most = larger(most, image[y * width + x]);
    return most;
}

/* One channel of one image. The average counts padding as zeros: its divisor is always the kernel. */
static void pool(double *out, const double *image, const eis_step *s)
{
    double share = 1.0 / ((double)s->kernel_height * s->kernel_width);

    for (uint32_t y = 0; y < s->out_height; y++) {
        extent rows = window_extent(y, s->stride_y, s->kernel_height, s->pad_y, s->in_height);
        for (uint32_t x = 0; x < s->out_width; x++) {
            extent columns = window_extent(x, s->stride_x, s->kernel_width, s->pad_x, s->in_width);
            *out++ = s->op == EIS_STEP_MAX_POOL ? window_max(image, s->in_width, rows, columns)
                                                : window_sum(image, s->in_width, rows, columns) * share;
        }
    }
}

static void pool_all(double *out, const double *x, const eis_step *s, size_t batch)
{
    size_t in_area = (size_t)s->in_height * s->in_width, out_area = (size_t)s->out_height * s->out_width;

    for (size_t i = 0; i < batch * s->in_channels; i++) pool(out + i * out_area, x + i * in_area, s);
}

/* --- running --------------------------------------------------------------------------------------------------------
 */

static void swap_buffers(run *r)
{
    double *now = r->now;

    r->now = r->next;
    r->next = now;
}

/* y[batch][out][area] plus one bias per row. */
static void add_bias(double *y, const double *bias, size_t batch, size_t out, size_t area)
{
    for (size_t b = 0; b < batch; b++)
        for (size_t row = 0; row < out; row++, y += area)
            for (size_t i = 0; i < area; i++) y[i] += bias[row];
}

static eis_status run_linear(run *r, const eis_linear_backend *backend, const eis_step *s)
{
    const eis_linear *node = &r->model->linears[s->linear];
    eis_status st = backend->apply(backend->ctx, s->linear, r->next, r->now, r->batch);

    if (st != EIS_OK) return st;
    if (node->bias != NULL) add_bias(r->next, node->bias, r->batch, node->out, out_words(s) / node->out);
    swap_buffers(r);
    return EIS_OK;
}

static eis_status run_step(run *r, const eis_linear_backend *backend, const eis_step *s)
{
    eis_status st = EIS_OK;
    size_t count = r->batch * in_words(s);

    switch (s->op) {
    case EIS_STEP_LINEAR:
        EIS_TRY(run_linear(r, backend, s));
        break;
    case EIS_STEP_RELU:
        relu(r->now, count);
        break;
    case EIS_STEP_SQUARE:
        square(r->now, count);
        break;
    case EIS_STEP_SIGMOID:
        eis_sigmoid(r->now, count);
        break;
    case EIS_STEP_POLYNOMIAL:
        polynomial(r->now, count, s->values, s->value_count);
        break;
    case EIS_STEP_AFFINE:
        affine(r->now, r->batch, s->in_channels, (size_t)s->in_height * s->in_width, s->values,
               s->values + s->in_channels);
        break;
    case EIS_STEP_AVG_POOL:
    case EIS_STEP_MAX_POOL:
        pool_all(r->next, r->now, s, r->batch);
        swap_buffers(r);
        break;
    case EIS_STEP_FLATTEN:
        break;
    }
    r->not_finite |= eis_zero_not_finite(r->now, r->batch * out_words(s));
out:
    return st;
}

/* (x / divide - mean) / deviation, one of each for all or one per channel. */
static void scale_input(double *out, const double *x, const eis_classifier *c, size_t batch)
{
    size_t area = (size_t)c->height * c->width;

    for (size_t b = 0; b < batch; b++)
        for (uint32_t channel = 0; channel < c->channels; channel++, x += area, out += area) {
            double mean = c->mean[c->mean_count > 1 ? channel : 0];
            double deviation = c->deviation[c->deviation_count > 1 ? channel : 0];
            for (size_t i = 0; i < area; i++) out[i] = (x[i] / c->divide - mean) / deviation;
        }
}

/* Scales the input; what is not finite, or becomes so, is refused before anything is sent. */
static eis_status take_input(run *r, const double *x)
{
    eis_status st = EIS_OK;
    uint64_t bad;

    scale_input(r->now, x, &r->model->classifier, r->batch);
    bad = eis_zero_not_finite(r->now, r->batch * eis_classifier_input_count(r->model));
    EIS_PUBLIC(&bad, sizeof bad); /* the user's own input, and only the user is told */
    EIS_REQUIRE(bad == 0, EIS_ERR_RANGE, "an input holds a number that is not finite, or is not once it is scaled");
out:
    return st;
}

static eis_status allocate(run *r)
{
    eis_status st = EIS_OK;
    size_t words;

    EIS_REQUIRE(eis_size_mul(&words, r->batch, r->words) && words <= SIZE_MAX / sizeof *r->now, EIS_ERR_TOO_LARGE,
                "a batch of %zu inputs with %zu words per layer", r->batch, r->words);
    r->now = eis_mem_new_secret(words, sizeof *r->now);
    r->next = eis_mem_new_secret(words, sizeof *r->next);
    if (r->now == NULL || r->next == NULL) st = EIS_ERR_MEMORY;
out:
    return st;
}

eis_status eis_classifier_run(const eis_model *model, const eis_linear_backend *backend, double *logits, bool *replaced,
                              const double *x, size_t batch)
{
    const eis_classifier *c = &model->classifier;
    eis_status st = EIS_OK;
    run r = {.model = model, .batch = batch, .words = largest_layer(model)};

    EIS_ASSERT(model->kind == EIS_MODEL_CLASSIFIER);
    EIS_TRY(allocate(&r));
    EIS_ASSERT(r.now != NULL && r.next != NULL);
    EIS_TRY(take_input(&r, x));
    for (uint32_t i = 0; i < c->step_count; i++) EIS_TRY(run_step(&r, backend, &c->steps[i]));
    memcpy(logits, r.now, batch * c->class_count * sizeof *logits);
    if (replaced != NULL) *replaced = (bool)(r.not_finite & 1);
out:
    if (st != EIS_OK) memset(logits, 0, batch * c->class_count * sizeof *logits);
    eis_mem_free_wiped(r.now, batch * r.words, sizeof *r.now);
    eis_mem_free_wiped(r.next, batch * r.words, sizeof *r.next);
    return st;
}

/* --- classes --------------------------------------------------------------------------------------------------------
 */

uint32_t eis_classifier_best(const eis_model *model, const double *logits)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < model->classifier.class_count; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

const char *eis_classifier_class_name(const eis_model *model, uint32_t class_index, char text[16])
{
    if (class_index < model->classifier.label_count) return model->classifier.labels[class_index];
    snprintf(text, 16, "%u", class_index);
    return text;
}

eis_status eis_classifier_class_find(const eis_model *model, uint32_t *class_index, const char *label)
{
    const eis_classifier *c = &model->classifier;
    size_t digits = strspn(label, "0123456789");
    unsigned long number;

    for (uint32_t i = 0; i < c->label_count; i++) {
        if (strcmp(c->labels[i], label) != 0) continue;
        *class_index = i;
        return EIS_OK;
    }
    number = digits > 0 && digits < 10 && label[digits] == '\0' ? strtoul(label, NULL, 10) : c->class_count;
    if (number >= c->class_count)
        return eis_fail(EIS_ERR_RANGE, "a label names none of the %u classes", c->class_count);
    *class_index = (uint32_t)number;
    return EIS_OK;
}
