/* SPDX-License-Identifier: Apache-2.0 */
/* A model as every engine sees it: the linear nodes that an engine may send away, and what stays local.
 *
 * One executor (model/plain.h for language models, model/classifier.h for classifiers) computes everything that
 * is not linear, in double, and asks an eis_linear_backend for each linear node. The plain backend multiplies
 * by the model's own weights; an engine supplies another one.
 *
 * Order of the linear nodes. Language model: block i has the nodes 4i + {0 qkv (rows q, k, v), 1 attention output,
 * 2 gate_up (rows gate, up; GPT-2: fc), 3 down}, and 4 * layers is the vocabulary head. Classifier: the order
 * of the steps that use them. */
#ifndef EIS_MODEL_GRAPH_H
#define EIS_MODEL_GRAPH_H

#include "base/bytes.h"
#include "base/status.h"
#include "model/tensor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EIS_LINEAR_NAME_BYTES    96
#define EIS_LINEAR_PIECES_MAX    3
#define EIS_LM_STOP_IDS_MAX      8
#define EIS_LM_LINEARS_PER_BLOCK 4

/* The nodes of one block of a language model. */
enum { EIS_LM_QKV, EIS_LM_ATTENTION_OUT, EIS_LM_GATE_UP, EIS_LM_DOWN };

typedef enum eis_model_kind { EIS_MODEL_LM = 1, EIS_MODEL_CLASSIFIER = 2 } eis_model_kind;

typedef enum eis_linear_kind { EIS_LINEAR_DENSE = 1, EIS_LINEAR_CONV2D = 2 } eis_linear_kind;

/* One linear node y = W x (+ bias): W is [out][in], and a conv2d's `in` is channels * kernel_height * kernel_width
 * (in this order). */
typedef struct eis_linear {
    char name[EIS_LINEAR_NAME_BYTES]; /* UTF-8, zero-terminated, unique in the model */
    eis_linear_kind kind;
    uint32_t out, in;                 /* rows m and columns n of W */
    uint32_t channels, height, width; /* conv2d: the image that comes in; else 0 */
    uint32_t kernel_height, kernel_width;
    uint32_t stride_y, stride_x, pad_y, pad_x;
    uint32_t out_height, out_width;
    const double *bias;                            /* [out], or NULL; added by the executor, never sent to a server */
    eis_tensor_view pieces[EIS_LINEAR_PIECES_MAX]; /* their rows under each other are W; none in a client part */
    uint32_t piece_count;
} eis_linear;

typedef enum eis_lm_family { EIS_LM_LLAMA = 1, EIS_LM_GPT2 = 2 } eis_lm_family;

/* Which two entries of a head turn together: none (learned positions), (2i, 2i+1), or (i, i + half). */
typedef enum eis_rope { EIS_ROPE_NONE = 0, EIS_ROPE_PAIRS = 1, EIS_ROPE_HALVES = 2 } eis_rope;

typedef struct eis_norm {
    const double *weight; /* [dim] */
    const double *bias;   /* [dim], or NULL (RMSNorm) */
} eis_norm;

typedef struct eis_lm_block {
    eis_norm attention_norm;
    eis_norm mlp_norm;
} eis_lm_block;

/* The local half of a language model. */
typedef struct eis_lm {
    eis_lm_family family;
    uint32_t dim, hidden, layers;
    uint32_t heads, kv_heads, head_size; /* heads * head_size may differ from dim */
    uint32_t vocabulary, context;
    eis_rope rope;
    double rope_theta, norm_eps;
    bool head_tied; /* the head's weights are token_embedding */
    int64_t bos_id; /* -1: none */
    uint32_t stop_ids[EIS_LM_STOP_IDS_MAX];
    uint32_t stop_count;
    eis_tensor_view token_embedding;    /* [vocabulary][dim] */
    eis_tensor_view position_embedding; /* [context][dim] with EIS_ROPE_NONE, else empty */
    eis_lm_block *blocks;               /* [layers] */
    eis_norm final_norm;
} eis_lm;

typedef enum eis_step_op {
    EIS_STEP_LINEAR = 1, /* dense and conv2d */
    EIS_STEP_RELU = 2,
    EIS_STEP_SQUARE = 3,
    EIS_STEP_SIGMOID = 4,
    EIS_STEP_POLYNOMIAL = 5,
    EIS_STEP_AFFINE = 6, /* a batch norm that could not be folded */
    EIS_STEP_AVG_POOL = 7,
    EIS_STEP_MAX_POOL = 8,
    EIS_STEP_FLATTEN = 9,
} eis_step_op;

/* One step of a classifier. A vector has channels = its length, height = width = 1. */
typedef struct eis_step {
    eis_step_op op;
    uint32_t linear; /* EIS_STEP_LINEAR: index of the node */
    uint32_t layer;  /* of model.json: the one whose output this step gives (a folded norm's, where there is one); 0 in
                        a client part, which plans nothing */
    uint32_t in_channels, in_height, in_width;
    uint32_t out_channels, out_height, out_width;
    uint32_t kernel_height, kernel_width, stride_y, stride_x, pad_y, pad_x; /* pools */
    const double *values; /* polynomial: coefficients of rising powers; affine: factors, then shifts,
                             one each per channel */
    uint32_t value_count;
    double interval[2]; /* polynomial: where it is meant to be used */
} eis_step;

/* The local half of a classifier; filled by model/classifier.c, serialised by model/part.c. */
typedef struct eis_classifier {
    char name[EIS_LINEAR_NAME_BYTES];
    uint32_t channels, height, width;     /* input; a vector has height = width = 1 */
    double divide;                        /* real input = (x / divide - mean) / deviation */
    const double *mean, *deviation;       /* [mean_count], [deviation_count] */
    uint32_t mean_count, deviation_count; /* 1, or one per channel (vector: per feature) */
    eis_step *steps;                      /* [step_count] */
    uint32_t step_count;
    uint32_t class_count;      /* logits */
    const char *const *labels; /* [label_count], or NULL */
    uint32_t label_count;      /* 0 or class_count */
    char magnitude_kind[32];   /* "" = no magnitudes given */
    double magnitude_margin;
    const double *magnitude_max; /* [magnitude_count], one per layer of model.json */
    uint32_t magnitude_count;
} eis_classifier;

struct eis_part_info; /* model/part.h */
struct eis_model_memory;

/* A loaded model. Immutable after loading; any number of threads may read it. */
typedef struct eis_model {
    eis_model_kind kind;
    eis_linear *linears; /* [linear_count] */
    uint32_t linear_count;
    eis_lm lm;                        /* kind EIS_MODEL_LM */
    eis_classifier classifier;        /* kind EIS_MODEL_CLASSIFIER */
    const struct eis_part_info *part; /* what a client part says about its pack; NULL for a model with weights */
    struct eis_model_memory *memory;  /* mappings and arrays that are freed with the model */
} eis_model;

typedef struct eis_model_options {
    const char *weights_path; /* classifier: use this file in place of model.safetensors; NULL = default */
} eis_model_options;

/* Opens a model, told by content: a directory with config.json (language model) or model.json (classifier), a
 * llama2.c file, or a client part. `options` may be NULL.
 *
 * Cost:    weights are mapped, not read; norms and biases are converted.
 * Errors:  EIS_ERR_FILE, EIS_ERR_MODEL, EIS_ERR_UNSUPPORTED, EIS_ERR_PARSE, EIS_ERR_DIGEST, EIS_ERR_MEMORY, each with a
 *          text that names file and member or tensor. *model is then NULL. */
EIS_MUST_USE eis_status eis_model_open(eis_model **model, const char *path, const eis_model_options *options);

/* Frees a model and unmaps its files. NULL is allowed. */
void eis_model_free(eis_model *model);

/* Returns how many words one input vector of a linear node has: in, or channels * height * width. */
size_t eis_linear_input_count(const eis_linear *linear);

/* Returns how many words one output vector of a linear node has: out, or out * out_height * out_width. */
size_t eis_linear_output_count(const eis_linear *linear);

/* Reads weight rows of a linear node: fused pieces, transposed layouts and half floats are resolved.
 *
 * Shape:   rows[count][in]; first_row + count <= out (asserted). Read 16 rows or more at a time: a transposed
 *          weight is then read by whole cache lines.
 * Errors:  EIS_ERR_MODEL  this is a client part, which holds no weights. */
EIS_MUST_USE eis_status eis_model_linear_rows(const eis_model *model, uint32_t index, size_t first_row, size_t count,
                                              double *rows);

/* The same in float; exact for every weight type but F64. */
EIS_MUST_USE eis_status eis_model_linear_rows_f32(const eis_model *model, uint32_t index, size_t first_row,
                                                  size_t count, float *rows);

/* Finds the input window of a conv2d that belongs to one output position: im2col, one window.
 *
 * Shape:   window[in] in the order channel, kernel row, kernel column; image[channels][height][width];
 *          out_y < out_height, out_x < out_width. Padding is 0.
 * Secret:  image. Constant time in it. */
void eis_linear_window(double *window, const eis_linear *linear, const double *image, uint32_t out_y, uint32_t out_x);

/* Whoever computes the linear nodes.
 *
 * apply: y = W x without bias, for a batch. Dense: x[batch][in], y[batch][out]; conv2d:
 * x[batch][channels][height][width], y[batch][out][out_height][out_width]. All of y is written or an error is
 * returned. x is secret. */
typedef struct eis_linear_backend {
    void *ctx;
    eis_status (*apply)(void *ctx, uint32_t index, double *y, const double *x, size_t batch);
} eis_linear_backend;

/* --- for loaders ---------------------------------------------------------------------------------------------- */

/* Makes an empty model. Errors: EIS_ERR_MEMORY; *model is then NULL. */
EIS_MUST_USE eis_status eis_model_new(eis_model **model, eis_model_kind kind);

/* Makes a zeroed array that is freed with the model. Errors: NULL as for eis_mem_new. */
EIS_MUST_USE void *eis_model_new_array(eis_model *model, size_t count, size_t size);

/* Maps a file for the life of the model. Errors: EIS_ERR_FILE, EIS_ERR_MEMORY; *file is then untouched. */
EIS_MUST_USE eis_status eis_model_map_file(eis_model *model, const char *path, eis_span *file);

/* Adds a zeroed linear node at the end. The pointer is valid until the next one is added. Errors: NULL, memory. */
EIS_MUST_USE eis_linear *eis_model_add_linear(eis_model *model);

/* Fills a classifier (made by eis_model_new) from a directory with model.json, weights and all; in
 * model/classifier.c. Arrays come from eis_model_new_array. weights_path may be NULL. */
EIS_MUST_USE eis_status eis_classifier_load(eis_model *model, const char *directory, const char *weights_path);

#endif
