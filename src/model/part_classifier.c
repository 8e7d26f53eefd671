/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of a client part that belong to a classifier, and the check that its steps fit each other. */
#include "model/part_fields.h"

#include "base/mem.h"
#include "model/classifier.h"

#include <math.h>
#include <string.h>

enum { LABEL_BYTES = 1024, LABELS_MAX = 1 << 20, STEP_VALUES_MAX = 1 << 26 };

/* --- one step ---------------------------------------------------------------------------------------------------- */

static void step_write(eis_writer *w, const eis_step *s)
{
    const uint32_t words[] = {s->op,           s->linear,     s->in_channels, s->in_height,     s->in_width,
                              s->out_channels, s->out_height, s->out_width,   s->kernel_height, s->kernel_width,
                              s->stride_y,     s->stride_x,   s->pad_y,       s->pad_x};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) eis_wire_writer_u32(w, words[i]);
    eis_part_vector_write(w, s->values, s->value_count);
    eis_wire_writer_f64(w, s->interval[0]);
    eis_wire_writer_f64(w, s->interval[1]);
}

static void step_read(eis_reader *r, eis_model *model, eis_step *s)
{
    const uint32_t op = eis_wire_reader_u32(r);
    uint32_t *const words[] = {&s->linear,     &s->in_channels, &s->in_height,     &s->in_width,     &s->out_channels,
                               &s->out_height, &s->out_width,   &s->kernel_height, &s->kernel_width, &s->stride_y,
                               &s->stride_x,   &s->pad_y,       &s->pad_x};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) *words[i] = eis_wire_reader_u32(r);
    s->values = eis_part_vector_read(r, model, &s->value_count, 0, STEP_VALUES_MAX);
    s->interval[0] = eis_wire_reader_f64(r);
    s->interval[1] = eis_wire_reader_f64(r);
    if (op < EIS_STEP_LINEAR || op > EIS_STEP_FLATTEN)
        eis_wire_reader_fail(r, EIS_ERR_MODEL, "a step of an unknown kind");
    s->op = (eis_step_op)op;
}

/* --- labels ------------------------------------------------------------------------------------------------------ */

static void labels_write(eis_writer *w, const eis_classifier *c)
{
    eis_wire_writer_u32(w, c->label_count);
    for (uint32_t i = 0; i < c->label_count; i++) eis_part_text_write(w, c->labels[i]);
}

static const char *label_read(eis_reader *r, eis_model *model)
{
    char text[LABEL_BYTES];
    char *label;

    eis_wire_reader_text16(r, text, sizeof text);
    if (eis_wire_reader_status(r) != EIS_OK) return NULL;
    label = eis_model_new_array(model, strlen(text) + 1, 1);
    if (label == NULL)
        eis_wire_reader_fail(r, EIS_ERR_MEMORY, "out of memory");
    else
        memcpy(label, text, strlen(text));
    return label;
}

static void labels_read(eis_reader *r, eis_model *model)
{
    eis_classifier *c = &model->classifier;
    const char **labels;

    c->label_count = eis_wire_reader_u32(r);
    if (c->label_count == 0) return;
    if (c->label_count > LABELS_MAX || c->label_count > eis_wire_reader_remaining(r)) {
        eis_wire_reader_fail(r, EIS_ERR_MODEL, "the number of labels is impossible");
        return;
    }
    labels = eis_model_new_array(model, c->label_count, sizeof *labels);
    if (labels == NULL) {
        eis_wire_reader_fail(r, EIS_ERR_MEMORY, "out of memory");
        return;
    }
    for (uint32_t i = 0; i < c->label_count; i++) labels[i] = label_read(r, model);
    c->labels = labels;
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

void eis_part_classifier_write(eis_writer *w, const eis_classifier *c)
{
    eis_part_text_write(w, c->name);
    eis_wire_writer_u32(w, c->channels);
    eis_wire_writer_u32(w, c->height);
    eis_wire_writer_u32(w, c->width);
    eis_wire_writer_f64(w, c->divide);
    eis_part_vector_write(w, c->mean, c->mean_count);
    eis_part_vector_write(w, c->deviation, c->deviation_count);
    eis_wire_writer_u32(w, c->class_count);
    labels_write(w, c);
    eis_part_text_write(w, c->magnitude_kind);
    eis_wire_writer_f64(w, c->magnitude_margin);
    eis_part_vector_write(w, c->magnitude_max, c->magnitude_count);
    eis_wire_writer_u32(w, c->step_count);
    for (uint32_t i = 0; i < c->step_count; i++) step_write(w, &c->steps[i]);
}

void eis_part_classifier_read(eis_reader *r, eis_model *model)
{
    eis_classifier *c = &model->classifier;

    eis_wire_reader_text16(r, c->name, sizeof c->name);
    c->channels = eis_wire_reader_u32(r);
    c->height = eis_wire_reader_u32(r);
    c->width = eis_wire_reader_u32(r);
    c->divide = eis_wire_reader_f64(r);
    c->mean = eis_part_vector_read(r, model, &c->mean_count, 1, EIS_CLASSIFIER_WORDS_MAX);
    c->deviation = eis_part_vector_read(r, model, &c->deviation_count, 1, EIS_CLASSIFIER_WORDS_MAX);
    c->class_count = eis_wire_reader_u32(r);
    labels_read(r, model);
    eis_wire_reader_text16(r, c->magnitude_kind, sizeof c->magnitude_kind);
    c->magnitude_margin = eis_wire_reader_f64(r);
    c->magnitude_max = eis_part_vector_read(r, model, &c->magnitude_count, 0, EIS_CLASSIFIER_LAYERS_MAX);
    c->step_count = eis_wire_reader_u32(r);
    if (c->step_count == 0 || c->step_count > EIS_CLASSIFIER_LAYERS_MAX) {
        eis_wire_reader_fail(r, EIS_ERR_MODEL, "the number of steps is impossible");
        return;
    }
    c->steps = eis_model_new_array(model, c->step_count, sizeof *c->steps);
    if (c->steps == NULL) {
        eis_wire_reader_fail(r, EIS_ERR_MEMORY, "out of memory");
        return;
    }
    for (uint32_t i = 0; i < c->step_count && eis_wire_reader_status(r) == EIS_OK; i++)
        step_read(r, model, &c->steps[i]);
}

/* --- do the steps fit? ------------------------------------------------------------------------------------------- */

typedef struct shape {
    uint32_t channels, height, width;
} shape;

static bool same_shape(shape a, shape b)
{
    return a.channels == b.channels && a.height == b.height && a.width == b.width;
}

/* Returns the words of a shape, or 0 where a side is 0 or there are more than a classifier may have. */
static size_t words_of(shape s)
{
    const uint64_t area = (uint64_t)s.height * s.width;

    if (s.channels == 0 || area == 0 || area > EIS_CLASSIFIER_WORDS_MAX) return 0;
    return area * s.channels > EIS_CLASSIFIER_WORDS_MAX ? 0 : (size_t)(area * s.channels);
}

/* Returns how often a window fits, or 0: floor((size + 2 pad - kernel) / stride) + 1. */
static uint32_t windows(uint32_t size, uint32_t kernel, uint32_t stride, uint32_t pad)
{
    const uint64_t padded = (uint64_t)size + 2 * (uint64_t)pad;

    if (kernel == 0 || stride == 0 || pad > EIS_CLASSIFIER_WORDS_MAX || kernel > padded) return 0;
    return (uint32_t)((padded - kernel) / stride + 1);
}

static bool linear_fits(const eis_linear *n, shape in, shape out)
{
    if ((uint64_t)n->out * n->in > EIS_CLASSIFIER_WEIGHTS_MAX) return false;
    if (n->kind == EIS_LINEAR_DENSE) return n->in == words_of(in) && same_shape(out, (shape){n->out, 1, 1});
    return same_shape(in, (shape){n->channels, n->height, n->width}) &&
           same_shape(out, (shape){n->out, n->out_height, n->out_width}) &&
           n->out_height == windows(n->height, n->kernel_height, n->stride_y, n->pad_y) &&
           n->out_width == windows(n->width, n->kernel_width, n->stride_x, n->pad_x) &&
           n->kernel_height <= EIS_CLASSIFIER_WORDS_MAX && n->kernel_width <= EIS_CLASSIFIER_WORDS_MAX &&
           (uint64_t)n->kernel_height * n->kernel_width <= EIS_CLASSIFIER_WORDS_MAX &&
           n->in == (uint64_t)n->channels * n->kernel_height * n->kernel_width;
}

/* A window of a pool must touch the image: padding is smaller than the kernel. */
static bool pool_fits(const eis_step *s, shape in, shape out)
{
    return out.channels == in.channels && s->pad_y < s->kernel_height && s->pad_x < s->kernel_width &&
           out.height == windows(in.height, s->kernel_height, s->stride_y, s->pad_y) &&
           out.width == windows(in.width, s->kernel_width, s->stride_x, s->pad_x);
}

/* `next` counts the linear nodes that were used: they come in the order of the steps. */
static bool step_fits(const eis_model *model, const eis_step *s, shape in, shape out, uint32_t *next)
{
    switch (s->op) {
    case EIS_STEP_LINEAR:
        return s->linear == *next && *next < model->linear_count && linear_fits(&model->linears[(*next)++], in, out);
    case EIS_STEP_RELU:
    case EIS_STEP_SQUARE:
    case EIS_STEP_SIGMOID:
        return same_shape(in, out);
    case EIS_STEP_POLYNOMIAL:
        return same_shape(in, out) && s->value_count > 0;
    case EIS_STEP_AFFINE:
        return same_shape(in, out) && s->value_count == 2 * (uint64_t)in.channels;
    case EIS_STEP_AVG_POOL:
    case EIS_STEP_MAX_POOL:
        return pool_fits(s, in, out);
    case EIS_STEP_FLATTEN:
        return words_of(in) == out.channels && out.height == 1 && out.width == 1;
    }
    return false;
}

static eis_status check_input(const eis_classifier *c, const char *name)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(words_of((shape){c->channels, c->height, c->width}) != 0, EIS_ERR_MODEL,
                "%s: the input's shape is impossible", name);
    EIS_REQUIRE(isfinite(c->divide) && c->divide != 0, EIS_ERR_MODEL, "%s: the input's divisor is impossible", name);
    EIS_REQUIRE((c->mean_count == 1 || c->mean_count == c->channels) &&
                    (c->deviation_count == 1 || c->deviation_count == c->channels),
                EIS_ERR_MODEL, "%s: mean or deviation do not fit the input", name);
    for (uint32_t i = 0; i < c->deviation_count; i++)
        EIS_REQUIRE(c->deviation[i] != 0, EIS_ERR_MODEL, "%s: a deviation of the input is 0", name);
    EIS_REQUIRE(isfinite(c->magnitude_margin), EIS_ERR_MODEL, "%s: the margin of the magnitudes is impossible", name);
out:
    return st;
}

/* Servers know layers by name. */
static bool names_differ(const eis_model *model)
{
    for (uint32_t i = 0; i < model->linear_count; i++)
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(model->linears[i].name, model->linears[j].name) == 0) return false;
    return true;
}

eis_status eis_part_classifier_check(const eis_model *model, const char *name)
{
    eis_status st = EIS_OK;
    const eis_classifier *c = &model->classifier;
    shape at = {c->channels, c->height, c->width};
    uint32_t next = 0;

    EIS_TRY(check_input(c, name));
    for (uint32_t i = 0; i < c->step_count; i++) {
        const eis_step *s = &c->steps[i];
        const shape in = {s->in_channels, s->in_height, s->in_width},
                    out = {s->out_channels, s->out_height, s->out_width};
        EIS_REQUIRE(same_shape(at, in) && words_of(out) != 0 && step_fits(model, s, in, out, &next), EIS_ERR_MODEL,
                    "%s: step %u does not fit the one before it", name, i);
        EIS_REQUIRE(isfinite(s->interval[0]) && isfinite(s->interval[1]), EIS_ERR_MODEL,
                    "%s: the interval of step %u is impossible", name, i);
        at = out;
    }
    EIS_REQUIRE(next == model->linear_count, EIS_ERR_MODEL, "%s: %u linear nodes, but the steps use %u", name,
                model->linear_count, next);
    EIS_REQUIRE(names_differ(model), EIS_ERR_MODEL, "%s: two linear nodes have one name", name);
    EIS_REQUIRE(c->class_count == words_of(at), EIS_ERR_MODEL, "%s: the last step does not give one logit per class",
                name);
    EIS_REQUIRE(c->label_count == 0 || c->label_count == c->class_count, EIS_ERR_MODEL, "%s: %u labels for %u classes",
                name, c->label_count, c->class_count);
out:
    return st;
}
