/* SPDX-License-Identifier: Apache-2.0 */
/* What every loader of language models does after it knows the dimensions. */
#ifndef EIS_MODEL_LM_NODES_H
#define EIS_MODEL_LM_NODES_H

#include "base/status.h"
#include "model/graph.h"

/* No dimension may be larger, so that products of two and sizes in bytes stay far from overflow. */
#define EIS_LM_WIDTH_MAX      ((uint32_t)1 << 20) /* dim, hidden, heads * head_size */
#define EIS_LM_LAYERS_MAX     4096u
#define EIS_LM_VOCABULARY_MAX ((uint32_t)1 << 24)
#define EIS_LM_CONTEXT_MAX    ((uint32_t)1 << 24)

/* Checks the dimensions in model->lm against each other and the limits.
 *
 * Errors:  EIS_ERR_MODEL  the text begins with `file` and names the dimension. */
EIS_MUST_USE eis_status eis_lm_check(const eis_lm *lm, const char *file);

/* Adds the 4 * layers + 1 linear nodes with names and shapes, without weights or biases, and makes model->lm.blocks.
 * The dimensions have passed eis_lm_check.
 *
 * Errors:  EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_lm_add_nodes(eis_model *model);

/* Returns node `which` (EIS_LM_QKV ...) of a block. */
eis_linear *eis_lm_node(eis_model *model, uint32_t layer, uint32_t which);

/* Returns the vocabulary head. */
eis_linear *eis_lm_head(eis_model *model);

/* Puts a matrix under those that a node has already; the shapes fit (asserted). */
void eis_linear_add_piece(eis_linear *linear, eis_tensor_view piece);

/* Reads a vector of a file into a double array that the model owns.
 *
 * Shape:   view is one row.
 * Errors:  EIS_ERR_MODEL  an entry is not finite; the text names file and tensor. EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_model_read_vector(eis_model *model, const double **vector, const eis_tensor_view *view,
                                              const char *file, const char *tensor);

#endif
