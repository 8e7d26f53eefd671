/* SPDX-License-Identifier: Apache-2.0 */
/* model.json as data, before weights are looked up: what classifier_json.c reads and classifier.c builds from. */
#ifndef EIS_MODEL_CLASSIFIER_LAYERS_H
#define EIS_MODEL_CLASSIFIER_LAYERS_H

#include "base/bytes.h"
#include "base/status.h"
#include "model/classifier.h"
#include "model/graph.h"
#include "model/safetensors.h"

#include <stdbool.h>

#define EIS_TENSOR_NAME_BYTES (EIS_SAFETENSORS_NAME_BYTES_MAX + 1)

/* What a file calls an op. Only batch_norm is no step of its own. */
typedef enum eis_layer_op {
    EIS_LAYER_LINEAR = 1,
    EIS_LAYER_CONV2D,
    EIS_LAYER_BATCH_NORM,
    EIS_LAYER_RELU,
    EIS_LAYER_SQUARE,
    EIS_LAYER_SIGMOID,
    EIS_LAYER_POLYNOMIAL,
    EIS_LAYER_AVG_POOL,
    EIS_LAYER_MAX_POOL,
    EIS_LAYER_FLATTEN
} eis_layer_op;

/* One entry of "layers". Pairs are [vertical, horizontal]. */
typedef struct eis_layer {
    eis_layer_op op;
    char name[EIS_LINEAR_NAME_BYTES]; /* "" where the file gives none */
    uint64_t in, out;                 /* linear: words; conv2d: channels */
    bool in_out;                      /* linear: the weight is [in][out] */
    uint64_t kernel[2], stride[2], padding[2];
    char weight[EIS_TENSOR_NAME_BYTES], bias[EIS_TENSOR_NAME_BYTES]; /* bias "": none */
    char mean[EIS_TENSOR_NAME_BYTES], variance[EIS_TENSOR_NAME_BYTES];
    double eps;
    double *coefficients; /* polynomial; belongs to the model */
    uint32_t coefficient_count;
    double interval[2];
} eis_layer;

/* Reads model.json: fills model->classifier but for its steps and class_count, and makes the list of layers, which the
 * caller frees with eis_mem_free. `file` stands in messages. Labels are not yet counted against the classes.
 *
 * Errors:  EIS_ERR_PARSE (with the member's place), EIS_ERR_UNSUPPORTED an op or format that we do not know,
 *          EIS_ERR_MEMORY. *layers is NULL on error. */
EIS_MUST_USE eis_status eis_classifier_read_json(eis_model *model, eis_layer **layers, size_t *layer_count,
                                                 eis_span text, const char *file);

/* Builds linear nodes and steps from layers and the table of weights. */
EIS_MUST_USE eis_status eis_classifier_build(eis_model *model, const eis_layer *layers, size_t layer_count,
                                             const eis_safetensors *weights, const char *file);

#endif
