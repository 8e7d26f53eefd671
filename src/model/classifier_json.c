/* SPDX-License-Identifier: Apache-2.0 */
/* Reading model.json, format eis-classifier/1. Every object is held against the list of members that it may have. */
#include "model/classifier_layers.h"

#include "base/mem.h"
#include "wire/json.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

enum {
    FILE_BYTES_MAX = 16 << 20,
    PATH_BYTES = 400,
    SIDE_MAX = 1 << 16,
    LABEL_BYTES_MAX = 1023,
    COEFFICIENTS_MAX = 256,
    LABELS_MAX = 1 << 20
};

#define EPS_DEFAULT 1e-5

/* Names go into tables and logs, so a terminal must not find anything to obey in them. */
static bool is_printable(const char *name)
{
    for (; *name != '\0'; name++)
        if ((unsigned char)*name < 0x20 || *name == 0x7F) return false;
    return true;
}

/* --- numbers, arrays and texts that live with the model ----------------------------------------------------------- */

static eis_status read_numbers(eis_model *model, double **numbers, uint32_t *count, eis_json_value array,
                               const char *path)
{
    eis_status st = EIS_OK;
    eis_json_iter it = eis_json_iterate(array);
    eis_json_value value = {0};
    double *made = eis_model_new_array(model, eis_json_length(array), sizeof *made);

    if (made == NULL) return EIS_ERR_MEMORY;
    for (size_t i = 0; eis_json_next_element(&it, &value); i++)
        EIS_REQUIRE(eis_json_double(&made[i], value), EIS_ERR_PARSE, "%s[%zu] must be a number", path, i);
    *numbers = made;
    *count = (uint32_t)eis_json_length(array);
out:
    return st;
}

/* Copies a string that must not hold zeros. */
static eis_status read_label(eis_model *model, const char **label, eis_json_value value, const char *path)
{
    eis_status st = EIS_OK;
    eis_span text;
    char *copy;

    EIS_REQUIRE(eis_json_string(&text, value), EIS_ERR_PARSE, "%s must be a string", path);
    EIS_REQUIRE(text.bytes <= LABEL_BYTES_MAX && (text.bytes == 0 || memchr(text.data, 0, text.bytes) == NULL),
                EIS_ERR_PARSE, "%s must have at most %d bytes, none of them zero", path, LABEL_BYTES_MAX);
    copy = eis_model_new_array(model, text.bytes + 1, 1);
    if (copy == NULL) return EIS_ERR_MEMORY;
    if (text.bytes > 0) memcpy(copy, text.data, text.bytes);
    *label = copy;
out:
    return st;
}

/* --- input ---------------------------------------------------------------------------------------------------- */

static eis_status read_shape(eis_classifier *c, eis_json_value input, const char *path)
{
    eis_status st = EIS_OK;
    eis_json_value shape = {0};
    uint64_t side[3] = {0, 1, 1};

    EIS_TRY(eis_json_bind_array(&shape, input, path, "shape", 1, 3));
    EIS_REQUIRE(eis_json_length(shape) != 2, EIS_ERR_PARSE, "%s: shape must be [features] or [channels, height, width]",
                path);
    EIS_TRY(
        eis_json_bind_u64_array(side, eis_json_length(shape), input, path, "shape", true, 1, EIS_CLASSIFIER_WORDS_MAX));
    EIS_REQUIRE(side[1] <= SIDE_MAX && side[2] <= SIDE_MAX && side[0] <= EIS_CLASSIFIER_WORDS_MAX / (side[1] * side[2]),
                EIS_ERR_PARSE, "%s: shape is too large", path);
    c->channels = (uint32_t)side[0];
    c->height = (uint32_t)side[1];
    c->width = (uint32_t)side[2];
out:
    return st;
}

/* Reads a number, or an array with one number per channel. Absent: one number, `otherwise`. */
static eis_status read_per_channel(eis_model *model, const double **numbers, uint32_t *count, eis_json_value input,
                                   const char *path, const char *name, double otherwise)
{
    eis_status st = EIS_OK;
    char place[PATH_BYTES + 16];
    eis_json_value value = {0};
    double *made = NULL;
    bool found = eis_json_find(&value, input, name);

    snprintf(place, sizeof place, "%s.%s", path, name);
    if (found && eis_json_type_of(value) == EIS_JSON_ARRAY) {
        EIS_REQUIRE(eis_json_length(value) == model->classifier.channels, EIS_ERR_PARSE,
                    "%s must have one number per channel: %u, not %zu", place, model->classifier.channels,
                    eis_json_length(value));
        EIS_TRY(read_numbers(model, &made, count, value, place));
    } else {
        made = eis_model_new_array(model, 1, sizeof *made);
        if (made == NULL) return EIS_ERR_MEMORY;
        *made = otherwise;
        *count = 1;
        EIS_TRY(eis_json_bind_double(made, input, path, name, false, -DBL_MAX, DBL_MAX));
    }
    *numbers = made;
out:
    return st;
}

static eis_status read_input(eis_model *model, eis_json_value root, const char *file)
{
    static const char *const members[] = {"shape", "divide", "mean", "std", NULL};
    eis_classifier *c = &model->classifier;
    eis_status st = EIS_OK;
    char path[PATH_BYTES];
    eis_json_value input = {0};

    snprintf(path, sizeof path, "%.300s: input", file);
    EIS_TRY(eis_json_bind_member(&input, root, file, "input"));
    EIS_TRY(eis_json_bind_object(input, path, members));
    EIS_TRY(read_shape(c, input, path));
    c->divide = 1;
    EIS_TRY(eis_json_bind_double(&c->divide, input, path, "divide", false, -DBL_MAX, DBL_MAX));
    EIS_REQUIRE(c->divide != 0, EIS_ERR_PARSE, "%s: divide must not be 0", path);
    EIS_TRY(read_per_channel(model, &c->mean, &c->mean_count, input, path, "mean", 0));
    EIS_TRY(read_per_channel(model, &c->deviation, &c->deviation_count, input, path, "std", 1));
    EIS_ASSERT(c->mean != NULL && c->deviation != NULL);
    for (uint32_t i = 0; i < c->deviation_count; i++)
        EIS_REQUIRE(c->deviation[i] != 0, EIS_ERR_PARSE, "%s: std must not be 0", path);
out:
    return st;
}

/* --- layers --------------------------------------------------------------------------------------------------- */

static eis_status read_tensor_name(char *out, eis_json_value layer, const char *path, const char *name, bool required)
{
    return eis_json_bind_text(out, EIS_TENSOR_NAME_BYTES, layer, path, name, required);
}

/* kernel, stride and padding of a convolution or a pool; a pool's stride is its kernel where the file gives none. */
static eis_status read_window(eis_layer *layer, eis_json_value value, const char *path, bool pool)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_json_bind_u64_array(layer->kernel, 2, value, path, "kernel", true, 1, SIDE_MAX));
    for (int i = 0; i < 2; i++) layer->stride[i] = pool ? layer->kernel[i] : 1;
    EIS_TRY(eis_json_bind_u64_array(layer->stride, 2, value, path, "stride", false, 1, SIDE_MAX));
    EIS_TRY(eis_json_bind_u64_array(layer->padding, 2, value, path, "padding", false, 0, SIDE_MAX));
    EIS_REQUIRE(!pool || (layer->padding[0] < layer->kernel[0] && layer->padding[1] < layer->kernel[1]), EIS_ERR_PARSE,
                "%s: padding must be smaller than the kernel", path);
out:
    return st;
}

static eis_status read_linear(eis_model *model, eis_layer *layer, eis_json_value value, const char *path)
{
    eis_status st = EIS_OK;
    eis_json_value layout = {0};
    bool conv = layer->op == EIS_LAYER_CONV2D;

    (void)model;
    EIS_TRY(eis_json_bind_u64(&layer->in, value, path, "in", true, 1, EIS_CLASSIFIER_WORDS_MAX));
    EIS_TRY(eis_json_bind_u64(&layer->out, value, path, "out", true, 1, EIS_CLASSIFIER_WORDS_MAX));
    EIS_TRY(read_tensor_name(layer->weight, value, path, "weight", true));
    EIS_TRY(read_tensor_name(layer->bias, value, path, "bias", false));
    if (conv) return read_window(layer, value, path, false);
    if (!eis_json_find(&layout, value, "layout")) return EIS_OK;
    layer->in_out = eis_json_string_is(layout, "in_out");
    EIS_REQUIRE(layer->in_out || eis_json_string_is(layout, "out_in"), EIS_ERR_PARSE,
                "%s: layout must be \"out_in\" or \"in_out\"", path);
out:
    return st;
}

static eis_status read_batch_norm(eis_model *model, eis_layer *layer, eis_json_value value, const char *path)
{
    eis_status st = EIS_OK;

    (void)model;
    EIS_TRY(read_tensor_name(layer->weight, value, path, "weight", true));
    EIS_TRY(read_tensor_name(layer->bias, value, path, "bias", true));
    EIS_TRY(read_tensor_name(layer->mean, value, path, "mean", true));
    EIS_TRY(read_tensor_name(layer->variance, value, path, "variance", true));
    layer->eps = EPS_DEFAULT;
    EIS_TRY(eis_json_bind_double(&layer->eps, value, path, "eps", false, 0, 1));
out:
    return st;
}

static eis_status read_polynomial(eis_model *model, eis_layer *layer, eis_json_value value, const char *path)
{
    eis_status st = EIS_OK;
    char place[PATH_BYTES + 16];
    eis_json_value array = {0};
    double *interval = NULL;
    uint32_t two;

    snprintf(place, sizeof place, "%s.coefficients", path);
    EIS_TRY(eis_json_bind_array(&array, value, path, "coefficients", 1, COEFFICIENTS_MAX));
    EIS_TRY(read_numbers(model, &layer->coefficients, &layer->coefficient_count, array, place));
    snprintf(place, sizeof place, "%s.interval", path);
    EIS_TRY(eis_json_bind_array(&array, value, path, "interval", 2, 2));
    EIS_TRY(read_numbers(model, &interval, &two, array, place));
    EIS_ASSERT(interval != NULL);
    EIS_REQUIRE(interval[0] < interval[1], EIS_ERR_PARSE, "%s must be two rising numbers", place);
    memcpy(layer->interval, interval, sizeof layer->interval);
out:
    return st;
}

static eis_status read_pool(eis_model *model, eis_layer *layer, eis_json_value value, const char *path)
{
    (void)model;
    return read_window(layer, value, path, true);
}

static eis_status read_nothing(eis_model *model, eis_layer *layer, eis_json_value value, const char *path)
{
    (void)model;
    (void)layer;
    (void)value;
    (void)path;
    return EIS_OK;
}

/* What each op is called, may say, and is read by. */
static const struct op_row {
    const char *name;
    eis_layer_op op;
    const char *members[10];
    eis_status (*read)(eis_model *model, eis_layer *layer, eis_json_value value, const char *path);
} op_rows[] = {
    {"linear", EIS_LAYER_LINEAR, {"op", "name", "weight", "bias", "in", "out", "layout"}, read_linear},
    {"conv2d",
     EIS_LAYER_CONV2D,
     {"op", "name", "weight", "bias", "in", "out", "kernel", "stride", "padding"},
     read_linear},
    {"batch_norm", EIS_LAYER_BATCH_NORM, {"op", "name", "weight", "bias", "mean", "variance", "eps"}, read_batch_norm},
    {"relu", EIS_LAYER_RELU, {"op", "name"}, read_nothing},
    {"square", EIS_LAYER_SQUARE, {"op", "name"}, read_nothing},
    {"sigmoid", EIS_LAYER_SIGMOID, {"op", "name"}, read_nothing},
    {"polynomial", EIS_LAYER_POLYNOMIAL, {"op", "name", "coefficients", "interval"}, read_polynomial},
    {"avg_pool", EIS_LAYER_AVG_POOL, {"op", "name", "kernel", "stride", "padding"}, read_pool},
    {"max_pool", EIS_LAYER_MAX_POOL, {"op", "name", "kernel", "stride", "padding"}, read_pool},
    {"flatten", EIS_LAYER_FLATTEN, {"op", "name"}, read_nothing},
};

static eis_status read_layer(eis_model *model, eis_layer *layer, eis_json_value value, const char *path)
{
    eis_status st = EIS_OK;
    const struct op_row *row = NULL;
    char op[32] = "";

    EIS_REQUIRE(eis_json_type_of(value) == EIS_JSON_OBJECT, EIS_ERR_PARSE, "%s must be an object", path);
    EIS_TRY(eis_json_bind_text(op, sizeof op, value, path, "op", true));
    for (size_t i = 0; i < sizeof op_rows / sizeof *op_rows; i++)
        if (strcmp(op_rows[i].name, op) == 0) row = &op_rows[i];
    EIS_REQUIRE(row != NULL, EIS_ERR_UNSUPPORTED,
                "%s: there is no op \"%s\"; known are linear, conv2d, batch_norm, relu, "
                "square, sigmoid, polynomial, avg_pool, max_pool and flatten",
                path, is_printable(op) ? op : "?");
    layer->op = row->op;
    EIS_TRY(eis_json_bind_object(value, path, row->members));
    EIS_TRY(eis_json_bind_text(layer->name, sizeof layer->name, value, path, "name", false));
    EIS_REQUIRE(is_printable(layer->name), EIS_ERR_PARSE, "%s: the name holds control characters", path);
    EIS_TRY(row->read(model, layer, value, path));
out:
    return st;
}

static eis_status read_layers(eis_model *model, eis_layer **layers, size_t *layer_count, eis_json_value root,
                              const char *file)
{
    eis_status st = EIS_OK;
    char path[PATH_BYTES];
    eis_json_value array = {0}, value = {0};
    eis_json_iter it;

    EIS_TRY(eis_json_bind_array(&array, root, file, "layers", 1, EIS_CLASSIFIER_LAYERS_MAX));
    *layer_count = eis_json_length(array);
    EIS_NEW(*layers, *layer_count);
    it = eis_json_iterate(array);
    for (size_t i = 0; eis_json_next_element(&it, &value); i++) {
        snprintf(path, sizeof path, "%.300s: layers[%zu]", file, i);
        EIS_TRY(read_layer(model, &(*layers)[i], value, path));
    }
out:
    return st;
}

/* --- labels and magnitudes ------------------------------------------------------------------------------------ */

static eis_status read_labels(eis_model *model, eis_json_value root, const char *file)
{
    eis_status st = EIS_OK;
    char path[PATH_BYTES];
    eis_json_value array = {0}, value = {0};
    eis_json_iter it;
    const char **labels;

    if (!eis_json_find(&array, root, "labels")) return EIS_OK;
    EIS_TRY(eis_json_bind_array(&array, root, file, "labels", 1, LABELS_MAX));
    labels = eis_model_new_array(model, eis_json_length(array), sizeof *labels);
    if (labels == NULL) return EIS_ERR_MEMORY;
    it = eis_json_iterate(array);
    for (size_t i = 0; eis_json_next_element(&it, &value); i++) {
        snprintf(path, sizeof path, "%.300s: labels[%zu]", file, i);
        EIS_TRY(read_label(model, &labels[i], value, path));
    }
    model->classifier.labels = labels;
    model->classifier.label_count = (uint32_t)eis_json_length(array);
out:
    return st;
}

static eis_status read_magnitudes(eis_model *model, eis_json_value root, size_t layer_count, const char *file)
{
    static const char *const members[] = {"kind", "margin", "max", NULL};
    eis_classifier *c = &model->classifier;
    eis_status st = EIS_OK;
    char path[PATH_BYTES], place[PATH_BYTES + 16];
    eis_json_value object = {0}, array = {0};
    double *bounds = NULL;

    if (!eis_json_find(&object, root, "magnitudes")) return EIS_OK;
    snprintf(path, sizeof path, "%.300s: magnitudes", file);
    snprintf(place, sizeof place, "%s.max", path);
    EIS_TRY(eis_json_bind_object(object, path, members));
    EIS_TRY(eis_json_bind_text(c->magnitude_kind, sizeof c->magnitude_kind, object, path, "kind", true));
    EIS_REQUIRE(c->magnitude_kind[0] != '\0', EIS_ERR_PARSE, "%s: kind is empty", path);
    c->magnitude_margin = 1;
    EIS_TRY(eis_json_bind_double(&c->magnitude_margin, object, path, "margin", false, 1, DBL_MAX));
    EIS_TRY(eis_json_bind_array(&array, object, path, "max", layer_count, layer_count));
    EIS_TRY(read_numbers(model, &bounds, &c->magnitude_count, array, place));
    EIS_ASSERT(bounds != NULL);
    for (uint32_t i = 0; i < c->magnitude_count; i++)
        EIS_REQUIRE(bounds[i] > 0, EIS_ERR_PARSE, "%s[%u] must be above 0", place, i);
    c->magnitude_max = bounds;
out:
    return st;
}

static eis_status read_root(eis_model *model, eis_layer **layers, size_t *layer_count, eis_json_value root,
                            const char *file)
{
    static const char *const members[] = {"format", "name", "input", "layers", "labels", "magnitudes", NULL};
    eis_status st = EIS_OK;
    char format[32];

    EIS_REQUIRE(eis_json_type_of(root) == EIS_JSON_OBJECT, EIS_ERR_PARSE, "%s: must be an object", file);
    EIS_TRY(eis_json_bind_text(format, sizeof format, root, file, "format", true));
    EIS_REQUIRE(strcmp(format, "eis-classifier/1") == 0, EIS_ERR_UNSUPPORTED, "%s: format must be \"eis-classifier/1\"",
                file);
    EIS_TRY(eis_json_bind_object(root, file, members));
    EIS_TRY(eis_json_bind_text(model->classifier.name, sizeof model->classifier.name, root, file, "name", true));
    EIS_REQUIRE(is_printable(model->classifier.name), EIS_ERR_PARSE, "%s: the name holds control characters", file);
    EIS_TRY(read_input(model, root, file));
    EIS_TRY(read_layers(model, layers, layer_count, root, file));
    EIS_TRY(read_labels(model, root, file));
    EIS_TRY(read_magnitudes(model, root, *layer_count, file));
out:
    return st;
}

eis_status eis_classifier_read_json(eis_model *model, eis_layer **layers, size_t *layer_count, eis_span text,
                                    const char *file)
{
    eis_status st = EIS_OK;
    eis_json_doc *doc = NULL;

    *layers = NULL;
    EIS_TRY(eis_json_parse(&doc, file, text.data, text.bytes, FILE_BYTES_MAX));
    EIS_TRY(read_root(model, layers, layer_count, eis_json_root(doc), file));
out:
    eis_json_free(doc);
    if (st != EIS_OK) {
        eis_mem_free(*layers);
        *layers = NULL;
    }
    return st;
}
