/* SPDX-License-Identifier: Apache-2.0 */
/* From the layers of model.json to linear nodes and local steps.
 *
 * A batch norm is y = s x + t per channel with s = weight / sqrt(variance + eps), t = bias - s mean. Behind a linear
 * layer it goes into that layer's rows:
 *
 *   s (W x + b) + t  =  (s W) x + (s b + t)
 *
 * Otherwise it waits, through a flatten if need be, for the next linear layer and goes into that layer's columns:
 *
 *   W (s x + t) + b  =  (W s) x + (W t + b)
 *
 * A convolution pads with zeros behind the norm, where its padding would then be t; so with padding, and before any
 * other layer, the norm becomes an affine step of its own. */
#include "model/classifier.h"

#include "base/mem.h"
#include "model/classifier_layers.h"
#include "model/files.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct shape {
    uint32_t channels, height, width;
} shape;

/* What is being built. */
typedef struct builder {
    eis_model *model;
    const eis_safetensors *weights;
    const char *file;
    size_t layer;    /* the one being built, for messages */
    shape at;        /* what comes out of the steps so far */
    eis_step *steps; /* [layer count + 1]: a waiting norm may become one more, never two */
    uint32_t step_count;
    double *scale, *shift; /* [pending_count]: a batch norm that waits, or NULL */
    uint32_t pending_count;
    double *own_weights, *own_bias; /* made for the latest node that a norm was folded into */
} builder;

static eis_status fail_layer(const builder *b, eis_status st, const char *text)
{
    return eis_fail(st, "%s: layers[%zu]: %s", b->file, b->layer, text);
}

/* Words of a shape, 0 where there are too many. */
static size_t words_of(shape s)
{
    uint64_t area = (uint64_t)s.height * s.width;

    if (area == 0 || area > EIS_CLASSIFIER_WORDS_MAX || s.channels > EIS_CLASSIFIER_WORDS_MAX / area) return 0;
    return (size_t)(area * s.channels);
}

/* --- steps ---------------------------------------------------------------------------------------------------- */

static eis_step *add_step(builder *b, eis_step_op op, shape out)
{
    eis_step *step = &b->steps[b->step_count++];

    *step = (eis_step){.op = op,
                       .layer = (uint32_t)b->layer,
                       .in_channels = b->at.channels,
                       .in_height = b->at.height,
                       .in_width = b->at.width,
                       .out_channels = out.channels,
                       .out_height = out.height,
                       .out_width = out.width};
    b->at = out;
    return step;
}

/* Reads a vector of tensor words as doubles that live with the model, all finite. */
static eis_status read_vector(builder *b, double **values, const char *name, uint32_t count)
{
    eis_status st = EIS_OK;
    eis_tensor_view view;
    double *made;

    EIS_TRY(eis_safetensors_words(&view, b->weights, name, 1, count));
    made = eis_model_new_array(b->model, count, sizeof *made);
    if (made == NULL) return EIS_ERR_MEMORY;
    eis_tensor_read_f64(made, &view, 0, 1);
    for (uint32_t i = 0; i < count; i++)
        EIS_REQUIRE(isfinite(made[i]), EIS_ERR_MODEL, "tensor %s: word %u is not finite", name, i);
    *values = made;
out:
    return st == EIS_OK ? st : eis_fail_prefix(st, "%s: layers[%zu]", b->file, b->layer);
}

/* Turns the waiting norm into a step. */
static eis_status flush_pending(builder *b)
{
    eis_step *step;
    double *values;

    if (b->scale == NULL) return EIS_OK;
    values = eis_model_new_array(b->model, 2 * (size_t)b->pending_count, sizeof *values);
    if (values == NULL) return EIS_ERR_MEMORY;
    memcpy(values, b->scale, b->pending_count * sizeof *values);
    memcpy(values + b->pending_count, b->shift, b->pending_count * sizeof *values);
    step = add_step(b, EIS_STEP_AFFINE, b->at);
    step->values = values;
    step->value_count = 2 * b->pending_count;
    b->scale = b->shift = NULL;
    return EIS_OK;
}

/* --- folding -------------------------------------------------------------------------------------------------- */

/* The node of the last step, if that is linear. */
static eis_linear *last_linear(const builder *b)
{
    const eis_step *last = b->step_count > 0 ? &b->steps[b->step_count - 1] : NULL;

    return last != NULL && last->op == EIS_STEP_LINEAR ? &b->model->linears[last->linear] : NULL;
}

/* Gives a node weights and bias as doubles that may be changed: copies that live with the model, made once per node. */
static eis_status own_node(builder *b, eis_linear *node)
{
    if (node->pieces[0].data == (const uint8_t *)b->own_weights && node->bias == b->own_bias) return EIS_OK;
    b->own_weights = eis_model_new_array(b->model, (size_t)node->out * node->in, sizeof *b->own_weights);
    b->own_bias = eis_model_new_array(b->model, node->out, sizeof *b->own_bias);
    if (b->own_weights == NULL || b->own_bias == NULL) return EIS_ERR_MEMORY;
    eis_tensor_read_f64(b->own_weights, &node->pieces[0], 0, node->out);
    if (node->bias != NULL) memcpy(b->own_bias, node->bias, node->out * sizeof *b->own_bias);
    node->pieces[0] = eis_tensor_view_rows(b->own_weights, EIS_DTYPE_F64, node->out, node->in);
    node->bias = b->own_bias;
    return EIS_OK;
}

static eis_status check_folded(const builder *b, const eis_linear *node)
{
    size_t words = (size_t)node->out * node->in;

    for (size_t i = 0; i < words; i++)
        if (!isfinite(b->own_weights[i]))
            return fail_layer(b, EIS_ERR_MODEL, "a weight is not finite once the batch norm is folded in");
    for (uint32_t i = 0; i < node->out; i++)
        if (!isfinite(b->own_bias[i]))
            return fail_layer(b, EIS_ERR_MODEL, "a bias is not finite once the batch norm is folded in");
    return EIS_OK;
}

/* (s W) x + (s b + t): one factor per row. */
static eis_status fold_into_rows(builder *b, eis_linear *node, const double *scale, const double *shift)
{
    eis_status st = EIS_OK;

    EIS_TRY(own_node(b, node));
    for (size_t row = 0; row < node->out; row++) {
        for (size_t i = 0; i < node->in; i++) b->own_weights[row * node->in + i] *= scale[row];
        b->own_bias[row] = scale[row] * b->own_bias[row] + shift[row];
    }
    EIS_TRY(check_folded(b, node));
out:
    return st;
}

/* (W s) x + (W t + b): one factor per input channel, which is a run of columns. */
static eis_status fold_into_columns(builder *b, eis_linear *node)
{
    eis_status st = EIS_OK;
    size_t run = node->in / b->pending_count;

    EIS_TRY(own_node(b, node));
    for (size_t row = 0; row < node->out; row++)
        for (size_t i = 0; i < node->in; i++) {
            double *w = &b->own_weights[row * node->in + i];
            b->own_bias[row] += *w * b->shift[i / run];
            *w *= b->scale[i / run];
        }
    EIS_TRY(check_folded(b, node));
    b->scale = b->shift = NULL;
out:
    return st;
}

/* Joins a norm behind the one that waits: s2 (s1 x + t1) + t2. */
static void join_pending(builder *b, const double *scale, const double *shift)
{
    for (uint32_t i = 0; i < b->pending_count; i++) {
        b->scale[i] = scale[i] * b->scale[i];
        b->shift[i] = scale[i] * b->shift[i] + shift[i];
    }
}

static eis_status build_batch_norm(builder *b, const eis_layer *layer)
{
    eis_status st = EIS_OK;
    uint32_t count = b->at.channels;
    double *scale = NULL, *shift = NULL, *mean = NULL, *variance = NULL;
    eis_linear *before = last_linear(b);

    EIS_TRY(read_vector(b, &scale, layer->weight, count));
    EIS_TRY(read_vector(b, &shift, layer->bias, count));
    EIS_TRY(read_vector(b, &mean, layer->mean, count));
    EIS_TRY(read_vector(b, &variance, layer->variance, count));
    EIS_ASSERT(scale != NULL && shift != NULL && mean != NULL && variance != NULL);
    for (uint32_t i = 0; i < count; i++) {
        double deviation = sqrt(variance[i] + layer->eps);
        scale[i] /= deviation;
        shift[i] -= scale[i] * mean[i];
        if (!(deviation > 0) || !isfinite(scale[i]) || !isfinite(shift[i]))
            return fail_layer(b, EIS_ERR_MODEL, "variance + eps is not above 0, or the norm is not finite");
    }
    if (b->scale == NULL && before != NULL) {
        b->steps[b->step_count - 1].layer = (uint32_t)b->layer;
        return fold_into_rows(b, before, scale, shift);
    }
    if (b->scale != NULL) {
        join_pending(b, scale, shift);
        return EIS_OK;
    }
    b->scale = scale;
    b->shift = shift;
    b->pending_count = count;
out:
    return st;
}

/* --- linear layers -------------------------------------------------------------------------------------------- */

static eis_status name_node(const builder *b, eis_linear *node, const eis_layer *layer)
{
    eis_status st = EIS_OK;
    const eis_model *m = b->model;

    if (layer->name[0] != '\0')
        memcpy(node->name, layer->name, sizeof node->name);
    else
        snprintf(node->name, sizeof node->name, "layer%zu", b->layer);
    for (uint32_t i = 0; i + 1 < m->linear_count; i++)
        EIS_REQUIRE(strcmp(m->linears[i].name, node->name) != 0, EIS_ERR_PARSE,
                    "%s: layers[%zu]: an earlier layer has the name \"%s\" too", b->file, b->layer, node->name);
out:
    return st;
}

/* How often a window fits: floor((size + 2 pad - kernel) / stride) + 1; 0 where it does not. */
static uint32_t windows(uint32_t size, uint64_t kernel, uint64_t stride, uint64_t padding)
{
    uint64_t padded = size + 2 * padding;

    return kernel > padded ? 0 : (uint32_t)((padded - kernel) / stride + 1);
}

static shape windows_of(const builder *b, const eis_layer *layer, uint32_t channels)
{
    return (shape){channels, windows(b->at.height, layer->kernel[0], layer->stride[0], layer->padding[0]),
                   windows(b->at.width, layer->kernel[1], layer->stride[1], layer->padding[1])};
}

/* Fills the geometry of a node and says what comes out of it. */
static eis_status shape_node(builder *b, eis_linear *node, const eis_layer *layer, shape *out)
{
    eis_status st = EIS_OK;
    uint64_t area = layer->kernel[0] * layer->kernel[1];

    if (layer->op == EIS_LAYER_LINEAR) {
        EIS_REQUIRE(layer->in == words_of(b->at), EIS_ERR_MODEL, "%s: layers[%zu]: in is %zu, but %zu words come in",
                    b->file, b->layer, (size_t)layer->in, words_of(b->at));
        EIS_REQUIRE(layer->in * layer->out <= EIS_CLASSIFIER_WEIGHTS_MAX, EIS_ERR_MODEL,
                    "%s: layers[%zu]: more than %zu weights", b->file, b->layer, EIS_CLASSIFIER_WEIGHTS_MAX);
        *node = (eis_linear){.kind = EIS_LINEAR_DENSE, .in = (uint32_t)layer->in, .out = (uint32_t)layer->out};
        *out = (shape){node->out, 1, 1};
        return EIS_OK;
    }
    EIS_REQUIRE(layer->in == b->at.channels, EIS_ERR_MODEL, "%s: layers[%zu]: in is %zu, but %u channels come in",
                b->file, b->layer, (size_t)layer->in, b->at.channels);
    EIS_REQUIRE(area * layer->in <= EIS_CLASSIFIER_WEIGHTS_MAX / layer->out, EIS_ERR_MODEL,
                "%s: layers[%zu]: more than %zu weights", b->file, b->layer, EIS_CLASSIFIER_WEIGHTS_MAX);
    *out = windows_of(b, layer, (uint32_t)layer->out);
    EIS_REQUIRE(out->height > 0 && out->width > 0, EIS_ERR_MODEL,
                "%s: layers[%zu]: the kernel is larger than the image of %u x %u", b->file, b->layer, b->at.height,
                b->at.width);
    *node = (eis_linear){.kind = EIS_LINEAR_CONV2D,
                         .in = (uint32_t)(area * layer->in),
                         .out = (uint32_t)layer->out,
                         .channels = b->at.channels,
                         .height = b->at.height,
                         .width = b->at.width,
                         .kernel_height = (uint32_t)layer->kernel[0],
                         .kernel_width = (uint32_t)layer->kernel[1],
                         .stride_y = (uint32_t)layer->stride[0],
                         .stride_x = (uint32_t)layer->stride[1],
                         .pad_y = (uint32_t)layer->padding[0],
                         .pad_x = (uint32_t)layer->padding[1],
                         .out_height = out->height,
                         .out_width = out->width};
out:
    return st;
}

static eis_status find_weights(builder *b, eis_linear *node, const eis_layer *layer)
{
    eis_status st = EIS_OK;
    double *bias;

    if (layer->op == EIS_LAYER_CONV2D) {
        st = eis_safetensors_words(&node->pieces[0], b->weights, layer->weight, node->out, node->in);
    } else if (layer->in_out) {
        st = eis_safetensors_matrix(&node->pieces[0], b->weights, layer->weight, node->in, node->out);
        if (st == EIS_OK) node->pieces[0] = eis_tensor_view_transposed(node->pieces[0]);
    } else {
        st = eis_safetensors_matrix(&node->pieces[0], b->weights, layer->weight, node->out, node->in);
    }
    if (st != EIS_OK) return eis_fail_prefix(st, "%s: layers[%zu]", b->file, b->layer);
    node->piece_count = 1;
    if (layer->bias[0] == '\0') return EIS_OK;
    EIS_TRY(read_vector(b, &bias, layer->bias, node->out));
    node->bias = bias;
out:
    return st;
}

/* A norm can go into the columns unless zero padding comes between and its shift is not 0. */
static bool can_fold_forward(const builder *b, const eis_linear *node)
{
    if (node->kind == EIS_LINEAR_DENSE || (node->pad_y == 0 && node->pad_x == 0)) return true;
    for (uint32_t i = 0; i < b->pending_count; i++)
        if (b->shift[i] != 0) return false;
    return true;
}

static eis_status build_linear(builder *b, const eis_layer *layer)
{
    eis_status st = EIS_OK;
    eis_linear node = {0};
    eis_linear *added;
    shape out = {0};

    EIS_TRY(shape_node(b, &node, layer, &out));
    EIS_REQUIRE(words_of(out) > 0, EIS_ERR_MODEL, "%s: layers[%zu]: more than %zu words come out", b->file, b->layer,
                EIS_CLASSIFIER_WORDS_MAX);
    EIS_TRY(find_weights(b, &node, layer));
    if (b->scale != NULL && can_fold_forward(b, &node)) EIS_TRY(fold_into_columns(b, &node));
    EIS_TRY(flush_pending(b));
    added = eis_model_add_linear(b->model);
    if (added == NULL) return EIS_ERR_MEMORY;
    *added = node;
    EIS_TRY(name_node(b, added, layer));
    add_step(b, EIS_STEP_LINEAR, out)->linear = b->model->linear_count - 1;
out:
    return st;
}

/* --- everything else ------------------------------------------------------------------------------------------ */

/* A waiting norm of c channels becomes one of c * height * width. */
static eis_status spread_pending(builder *b, uint32_t words)
{
    double *scale, *shift;
    uint32_t run;

    if (b->scale == NULL || b->pending_count == words) return EIS_OK;
    scale = eis_model_new_array(b->model, words, sizeof *scale);
    shift = eis_model_new_array(b->model, words, sizeof *shift);
    if (scale == NULL || shift == NULL) return EIS_ERR_MEMORY;
    run = words / b->pending_count;
    for (uint32_t i = 0; i < words; i++) {
        scale[i] = b->scale[i / run];
        shift[i] = b->shift[i / run];
    }
    b->scale = scale;
    b->shift = shift;
    b->pending_count = words;
    return EIS_OK;
}

static eis_status build_flatten(builder *b)
{
    eis_status st = EIS_OK;
    uint32_t words = (uint32_t)words_of(b->at);

    EIS_TRY(spread_pending(b, words));
    add_step(b, EIS_STEP_FLATTEN, (shape){words, 1, 1});
out:
    return st;
}

static eis_status build_pool(builder *b, const eis_layer *layer)
{
    eis_status st = EIS_OK;
    eis_step *step;
    shape out = windows_of(b, layer, b->at.channels);

    EIS_REQUIRE(out.height > 0 && out.width > 0, EIS_ERR_MODEL,
                "%s: layers[%zu]: the kernel is larger than the image of %u x %u", b->file, b->layer, b->at.height,
                b->at.width);
    EIS_REQUIRE(words_of(out) > 0, EIS_ERR_MODEL, "%s: layers[%zu]: more than %zu words come out", b->file, b->layer,
                EIS_CLASSIFIER_WORDS_MAX);
    EIS_TRY(flush_pending(b));
    step = add_step(b, layer->op == EIS_LAYER_AVG_POOL ? EIS_STEP_AVG_POOL : EIS_STEP_MAX_POOL, out);
    step->kernel_height = (uint32_t)layer->kernel[0];
    step->kernel_width = (uint32_t)layer->kernel[1];
    step->stride_y = (uint32_t)layer->stride[0];
    step->stride_x = (uint32_t)layer->stride[1];
    step->pad_y = (uint32_t)layer->padding[0];
    step->pad_x = (uint32_t)layer->padding[1];
out:
    return st;
}

static eis_status build_pointwise(builder *b, const eis_layer *layer)
{
    eis_status st = EIS_OK;
    eis_step_op op = layer->op == EIS_LAYER_RELU      ? EIS_STEP_RELU
                     : layer->op == EIS_LAYER_SQUARE  ? EIS_STEP_SQUARE
                     : layer->op == EIS_LAYER_SIGMOID ? EIS_STEP_SIGMOID
                                                      : EIS_STEP_POLYNOMIAL;
    eis_step *step;

    EIS_TRY(flush_pending(b));
    step = add_step(b, op, b->at);
    step->values = layer->coefficients;
    step->value_count = layer->coefficient_count;
    memcpy(step->interval, layer->interval, sizeof step->interval);
out:
    return st;
}

static eis_status build_layer(builder *b, const eis_layer *layer)
{
    switch (layer->op) {
    case EIS_LAYER_LINEAR:
    case EIS_LAYER_CONV2D:
        return build_linear(b, layer);
    case EIS_LAYER_BATCH_NORM:
        return build_batch_norm(b, layer);
    case EIS_LAYER_AVG_POOL:
    case EIS_LAYER_MAX_POOL:
        return build_pool(b, layer);
    case EIS_LAYER_FLATTEN:
        return build_flatten(b);
    case EIS_LAYER_RELU:
    case EIS_LAYER_SQUARE:
    case EIS_LAYER_SIGMOID:
    case EIS_LAYER_POLYNOMIAL:
        return build_pointwise(b, layer);
    }
    return EIS_OK;
}

eis_status eis_classifier_build(eis_model *model, const eis_layer *layers, size_t layer_count,
                                const eis_safetensors *weights, const char *file)
{
    eis_status st = EIS_OK;
    eis_classifier *c = &model->classifier;
    builder b = {.model = model, .weights = weights, .file = file, .at = {c->channels, c->height, c->width}};

    b.steps = eis_model_new_array(model, 2 * layer_count + 1, sizeof *b.steps);
    if (b.steps == NULL) return EIS_ERR_MEMORY;
    for (; b.layer < layer_count; b.layer++) EIS_TRY(build_layer(&b, &layers[b.layer]));
    EIS_TRY(flush_pending(&b));
    EIS_REQUIRE(b.step_count > 0 && b.step_count <= EIS_CLASSIFIER_LAYERS_MAX, EIS_ERR_MODEL, "%s: too many layers",
                file);
    EIS_REQUIRE(model->linear_count > 0, EIS_ERR_MODEL, "%s: there is no linear layer", file);
    c->steps = b.steps;
    c->step_count = b.step_count;
    c->class_count = (uint32_t)words_of(b.at);
    EIS_REQUIRE(c->label_count == 0 || c->label_count == c->class_count, EIS_ERR_MODEL, "%s: %u labels, but %u classes",
                file, c->label_count, c->class_count);
out:
    return st;
}

eis_status eis_classifier_load(eis_model *model, const char *directory, const char *weights_path)
{
    eis_status st = EIS_OK;
    char *json_path = eis_file_join(directory, "model.json"),
         *default_path = eis_file_join(directory, "model.safetensors");
    eis_safetensors weights = {0};
    eis_layer *layers = NULL;
    eis_mapping json = {0};
    size_t layer_count;

    if (json_path == NULL || default_path == NULL) {
        st = EIS_ERR_MEMORY;
        goto out;
    }
    EIS_TRY(eis_file_map(&json, json_path));
    EIS_TRY(eis_classifier_read_json(model, &layers, &layer_count, json.bytes, json_path));
    EIS_TRY(eis_safetensors_open(&weights, model, weights_path != NULL ? weights_path : default_path));
    EIS_TRY(eis_classifier_build(model, layers, layer_count, &weights, json_path));
out:
    eis_safetensors_clear(&weights);
    eis_file_unmap(&json);
    eis_mem_free(layers);
    eis_mem_free(json_path);
    eis_mem_free(default_path);
    return st;
}
