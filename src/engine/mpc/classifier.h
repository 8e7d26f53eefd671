/* SPDX-License-Identifier: Apache-2.0 */
/* Classifiers as graphs: what is public about one, the words that its owner hides, and the graph that classifies one
 * input. Only the class comes out. As with language models, parties and dealer build the same graph from the manifest.
 *
 * Bounds are theorems where they fit the field (sums of magnitudes of each row); otherwise the largest values that the
 * model declares, times a margin, take their place, and what lies beyond gives a wrong class, never a leak. */
#ifndef EIS_ENGINE_MPC_CLASSIFIER_H
#define EIS_ENGINE_MPC_CLASSIFIER_H

#include "engine/mpc/functions.h"
#include "engine/mpc/lm.h"
#include "model/graph.h"

#define EIS_MPC_POLYNOMIAL_MAX 8 /* coefficients */

/* One step; its shapes are those of model/graph.h, kernels and strides of a conv2d included. */
typedef struct eis_mpc_layer {
    eis_step_op op;
    bool windows; /* LINEAR: a conv2d */
    uint32_t in_channels, in_height, in_width;
    uint32_t out_channels, out_height, out_width;
    uint32_t kernel_height, kernel_width, stride_y, stride_x, pad_y, pad_x;
    uint32_t matrix, vector; /* LINEAR: its weights and bias; AFFINE: factors, and shifts in the next vector */
    double row_sum;          /* LINEAR: the largest sum of magnitudes of a row */
    double declared;         /* what the model says the largest magnitude behind the step is; 0: nothing */
    double coefficient[EIS_MPC_POLYNOMIAL_MAX]; /* POLYNOMIAL, public: of rising powers */
    uint32_t coefficient_count;
} eis_mpc_layer;

/* The manifest. */
typedef struct eis_mpc_classifier {
    uint32_t inputs, classes;
    double input_bound; /* of the magnitude of an input behind the model's own scaling */
    double margin;      /* declared bounds are used with this margin; 0: theorems alone */
    eis_mpc_tuning tuning;
    eis_mpc_layer *layers; /* [layer_count] */
    uint32_t layer_count;
    eis_mpc_matrix_shape *shapes; /* [shape_count] */
    uint32_t shape_count;
    eis_mpc_lm_vector *vectors; /* [vector_count]: wires that are loaded once, kept in the slot of their number */
    uint32_t vector_count;
} eis_mpc_classifier;

/* Reads the manifest off a model. margin: of declared bounds, which are used where theorems do not fit (range.margin);
 * 0: never (range.policy static). The manifest's own margin says which it is.
 *
 * Errors:  EIS_ERR_RANGE  a gate could overflow: the text names it;  EIS_ERR_MODEL, EIS_ERR_UNSUPPORTED,
 *          EIS_ERR_MEMORY; *c is zeroed. */
EIS_MUST_USE eis_status eis_mpc_classifier_init(eis_mpc_classifier *c, const eis_model *model,
                                                const eis_mpc_tuning *tuning, double margin);

/* Frees. Safe on a zeroed one. */
void eis_mpc_classifier_clear(eis_mpc_classifier *c);

/* Encodes weights as words. Shape: words[rows][columns] of that shape. Secret: words. Errors: EIS_ERR_MODEL,
 * EIS_ERR_RANGE, EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_mpc_classifier_weights(uint64_t *words, const eis_mpc_classifier *c, const eis_model *model,
                                                   uint32_t matrix);

/* Encodes a vector. Shape: values[count]. Errors: EIS_ERR_RANGE. */
EIS_MUST_USE eis_status eis_mpc_classifier_vector_values(int64_t *values, const eis_mpc_classifier *c,
                                                         const eis_model *model, uint32_t vector);

/* Scales and encodes one input, as read from a file. Shape: values[inputs], x[inputs]. Secret: both.
 * Errors:  EIS_ERR_RANGE  a number is not finite, or beyond the bound that the manifest promises. */
EIS_MUST_USE eis_status eis_mpc_classifier_input(int64_t *values, const eis_mpc_classifier *c, const eis_model *model,
                                                 const double *x);

/* The graph that loads the vectors: INPUT slot v is vector v, and its node is to be kept in slot v.
 * Shape: nodes[vector_count]. Errors: EIS_ERR_MEMORY; the graph is then cleared. */
EIS_MUST_USE eis_status eis_mpc_classifier_vectors_graph(eis_mpc_graph *graph, eis_mpc_id *nodes,
                                                         const eis_mpc_classifier *c);

/* The graph that classifies: INPUT slot 0 is the input. *best: a wire, the class; *logits: what it was chosen by, a
 * wire of class_count words, or NULL.
 * Errors:  EIS_ERR_RANGE, EIS_ERR_MEMORY; the graph is then cleared. */
EIS_MUST_USE eis_status eis_mpc_classifier_graph(eis_mpc_graph *graph, eis_mpc_id *best, eis_mpc_id *logits,
                                                 const eis_mpc_classifier *c);

#endif
