/* SPDX-License-Identifier: Apache-2.0 */
/* Language models as graphs: which matrices a session loads, and the graph of one step. Everything here follows from
 * the model's shapes, public norms of its weights and the tunables, so that parties and dealer build the same graph
 * without seeing a weight. */
#ifndef EIS_ENGINE_MPC_LM_H
#define EIS_ENGINE_MPC_LM_H

#include "engine/mpc/functions.h"
#include "model/graph.h"

/* What is public about a model: its manifest. */
typedef struct eis_mpc_lm {
    eis_lm_family family;
    uint32_t dim, hidden, layers, heads, kv_heads, head_size, vocabulary, context;
    eis_rope rope;
    double rope_theta, norm_eps;
    eis_mpc_tuning tuning;
    double embedding_norm;        /* the largest norm of a row of the embedding */
    double *growth;               /* [2 layers]: Frobenius norms of W_o and W_2 */
    double *value_norm;           /* [layers]: the largest norm of a row of W_v */
    eis_mpc_matrix_shape *shapes; /* [shape_count] */
    uint32_t shape_count;
} eis_mpc_lm;

/* The matrices: 0 the embedding [vocabulary][dim], for rows that are public; 1 its transpose, for secret tokens; then
 * for each block q k v (one matrix), attention output, gate and up, down; then the head. */
#define EIS_MPC_LM_EMBEDDING 0
#define EIS_MPC_LM_TOKENS    1
#define EIS_MPC_LM_BLOCKS    2

/* Reads the manifest off a model with weights: what its owner publishes.
 *
 * Errors:  EIS_ERR_UNSUPPORTED, EIS_ERR_MODEL, EIS_ERR_MEMORY; *lm is zeroed. */
EIS_MUST_USE eis_status eis_mpc_lm_init(eis_mpc_lm *lm, const eis_model *model, const eis_mpc_tuning *tuning);

/* Frees. Safe on a zeroed one. */
void eis_mpc_lm_clear(eis_mpc_lm *lm);

/* Encodes the weights of a matrix as words, gains of norms and 1/sqrt(head size) folded in: what the owner hides.
 * Shape: words[rows][columns] of that shape. Secret: words. Errors: EIS_ERR_MODEL, EIS_ERR_RANGE, EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_mpc_lm_weights(uint64_t *words, const eis_mpc_lm *lm, const eis_model *model,
                                           uint32_t matrix);

/* The graph of one step: one token at `position`. */
typedef struct eis_mpc_lm_step {
    eis_mpc_graph graph;
    eis_mpc_id token;          /* the ROW node whose row is set before the walk; NONE with a secret token */
    eis_mpc_id *keys, *values; /* [layers]: wires to keep, [kv_heads * head_size] */
    eis_mpc_id next;           /* wire: the likeliest token; NONE where no head was asked for */
} eis_mpc_lm_step;

/* KEPT slots: keys of layer i in 2 i, values in 2 i + 1, [position][kv_heads * head_size]. INPUT slot 0: a secret
 * token, as a row of zeros with a one, [vocabulary].
 *
 * Errors:  EIS_ERR_RANGE  a gate could overflow: the text names it;  EIS_ERR_CONTEXT_LENGTH, EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_mpc_lm_step_init(eis_mpc_lm_step *step, const eis_mpc_lm *lm, uint32_t position,
                                             bool secret_token, bool head);

/* Frees. Safe on a zeroed one. */
void eis_mpc_lm_step_clear(eis_mpc_lm_step *step);

#endif
