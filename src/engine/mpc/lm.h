/* SPDX-License-Identifier: Apache-2.0 */
/* Language models as graphs: which matrices a session loads, and the graph of one step. Everything here follows from
 * the model's shapes, public norms of its weights and the tunables, so that parties and dealer build the same graph
 * without seeing a weight. */
#ifndef EIS_ENGINE_MPC_LM_H
#define EIS_ENGINE_MPC_LM_H

#include "engine/mpc/functions.h"
#include "engine/mpc/sample.h"
#include "model/graph.h"

/* A bias: a wire that is loaded once and kept. */
typedef struct eis_mpc_lm_vector {
    uint32_t count;
    unsigned frac;
    double bound; /* of the magnitude, as a real */
} eis_mpc_lm_vector;

/* What is public about a model: its manifest. */
typedef struct eis_mpc_lm {
    eis_lm_family family;
    uint32_t dim, hidden, layers, heads, kv_heads, head_size, vocabulary, context;
    eis_rope rope;
    double rope_theta, norm_eps;
    eis_mpc_tuning tuning;
    double mean_from;           /* mean squares below it count as it: a quarter of the least of an embedding */
    double embedding_norm;      /* the largest norm of a row of the embedding */
    double *growth;             /* [2 layers]: Frobenius norms of W_o and W_2 */
    double position_norm;       /* the largest norm of a row of the positions; 0 without */
    double residual_bound;      /* range.policy calibrated: the owner's word that no residual is longer, its margin
                                   included; 0: theorems alone. What is longer gives wrong tokens, never a leak */
    eis_mpc_lm_vector *vectors; /* [vector_count]: biases, secrets of the owner like the weights */
    uint32_t vector_count;
    double *value_norm;            /* [layers]: the largest norm of a row of W_v */
    double *query_norm, *key_norm; /* [layers]: the largest spectral norm of a head of W_q, W_k; 0: not told */
    eis_mpc_matrix_shape *shapes;  /* [shape_count] */
    uint32_t shape_count;
    uint32_t pad_bucket;  /* scheduler.pad_bucket: prompts are filled up to multiples of it; 0: they are not */
    uint32_t prefill_mib; /* scheduler.prefill_mib: the largest unit of many tokens */
} eis_mpc_lm;

/* The matrices: 0 the embedding [vocabulary][dim], for rows that are public; 1 its transpose, for secret tokens; then
 * for each block q k v (one matrix), attention output, gate and up (GPT-2: up), down; then the head, of GPT-2 with one
 * more column for its bias; then, of GPT-2, the positions. */
#define EIS_MPC_LM_EMBEDDING 0
#define EIS_MPC_LM_TOKENS    1
#define EIS_MPC_LM_BLOCKS    2

static inline uint32_t eis_mpc_lm_head_matrix(const eis_mpc_lm *lm) { return EIS_MPC_LM_BLOCKS + 4 * lm->layers; }

static inline uint32_t eis_mpc_lm_position_matrix(const eis_mpc_lm *lm) { return eis_mpc_lm_head_matrix(lm) + 1; }

/* Slots of KEPT: keys of layer i in 2 i, values in 2 i + 1, [position][kv_heads * head_size]; then the vectors, of
 * which GPT-2 has four for each block, in the order of its matrices; then which positions are valid, [position], which
 * only sessions with a pad_bucket use. */
static inline uint32_t eis_mpc_lm_valid_slot(const eis_mpc_lm *lm) { return 2 * lm->layers + lm->vector_count; }

static inline uint32_t eis_mpc_lm_slot_count(const eis_mpc_lm *lm) { return eis_mpc_lm_valid_slot(lm) + 1; }

/* Makes the arrays of a manifest whose numbers are set, family to vector_count: shapes with their sizes, norms of 0.
 *
 * Errors:  EIS_ERR_MODEL  numbers that do not go together; EIS_ERR_RANGE  a tunable; EIS_ERR_MEMORY. The arrays are
 * then for eis_mpc_lm_clear. */
EIS_MUST_USE eis_status eis_mpc_lm_shape(eis_mpc_lm *lm);

/* Reads the manifest off a model with weights: what its owner publishes.
 *
 * Errors:  EIS_ERR_UNSUPPORTED, EIS_ERR_MODEL, EIS_ERR_RANGE, EIS_ERR_MEMORY; *lm is zeroed. */
EIS_MUST_USE eis_status eis_mpc_lm_init(eis_mpc_lm *lm, const eis_model *model, const eis_mpc_tuning *tuning);

/* Frees. Safe on a zeroed one. */
void eis_mpc_lm_clear(eis_mpc_lm *lm);

/* Encodes the weights of a matrix as words, gains of norms and 1/sqrt(head size) folded in: what the owner hides.
 * Shape: words[rows][columns] of that shape. Secret: words. Errors: EIS_ERR_MODEL, EIS_ERR_RANGE, EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_mpc_lm_weights(uint64_t *words, const eis_mpc_lm *lm, const eis_model *model,
                                           uint32_t matrix);

/* Encodes a vector at its scale. Shape: values[count]. Errors: EIS_ERR_MODEL, EIS_ERR_RANGE, EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_mpc_lm_vector_values(int64_t *values, const eis_mpc_lm *lm, const eis_model *model,
                                                 uint32_t vector);

/* The graph that loads the vectors: INPUT slot v is vector v, and its node is to be kept in slot 2 layers + v.
 * Shape: nodes[vector_count]. Errors: EIS_ERR_MEMORY; the graph is then cleared. */
EIS_MUST_USE eis_status eis_mpc_lm_vectors_graph(eis_mpc_graph *graph, eis_mpc_id *nodes, const eis_mpc_lm *lm);

#define EIS_MPC_LM_CONTEXT_MAX     ((uint32_t)1 << 20)
#define EIS_MPC_LM_PREFILL_MIB     64 /* unless the session says otherwise */
#define EIS_MPC_LM_PREFILL_MIB_MAX 1024
#define EIS_MPC_LM_PAD_BUCKET_MAX  4096

/* Returns the longest context that a softmax of these tunables is good for: over more entries, those that are too small
 * to be told from 0 could make the sum of all too small for its reciprocal, or negative. */
uint32_t eis_mpc_lm_longest(const eis_mpc_tuning *tuning);

/* Returns what the sum of exponentials of a softmax over so many entries is at least: where its reciprocal begins. */
double eis_mpc_lm_sum_least(const eis_mpc_tuning *tuning, uint32_t length);

/* Returns the context of a session that should have `most` positions: no more than the model and its softmax have. */
uint32_t eis_mpc_lm_context_for(const eis_mpc_lm *lm, uint32_t most);

/* Errors: EIS_ERR_UNSUPPORTED  prompts of this model, or with these tunables, cannot be filled up. */
EIS_MUST_USE eis_status eis_mpc_lm_check_filling(const eis_mpc_lm *lm);

/* Errors: EIS_ERR_RANGE  the context is longer than a softmax is good for; the text names both. */
EIS_MUST_USE eis_status eis_mpc_lm_check_context(const eis_mpc_tuning *tuning, uint32_t context);

/* What inputs of a step with secret tokens are for: INPUT slots. */
#define EIS_MPC_LM_INPUT_TOKENS 0 /* rows of zeros with a one, [tokens][vocabulary] */
#define EIS_MPC_LM_INPUT_VALID  1 /* [tokens]: 1, or 0 where a token only fills the prompt up; with a pad_bucket */

/* The graph of one step: tokens at `position` and behind it. */
typedef struct eis_mpc_lm_step {
    eis_mpc_graph graph;
    uint32_t position, count;  /* of the first token; tokens */
    eis_mpc_id token;          /* the ROW node whose row is set before the walk; NONE with secret tokens */
    eis_mpc_id *keys, *values; /* [layers]: wires to keep, [count][kv_heads * head_size] */
    eis_mpc_id valid;          /* wire to keep, [count]; NONE without a pad_bucket */
    eis_mpc_id all_valid;      /* with those of earlier positions */
    eis_mpc_id next;           /* wire: the token; NONE where no head was asked for */
    eis_mpc_sample_coin coin;  /* to be set before the walk of a party, where the token is drawn; else zeros */
} eis_mpc_lm_step;

/* Walks `secret_tokens` tokens of a prompt at once, or where that is 0 a public one. Each sees the positions up to its
 * own. The head is that of the last token. Rows of the ROW nodes of positions are set here.
 *
 * Cost:    the rounds of the last token alone; the words of all.
 * Errors:  EIS_ERR_RANGE  a gate could overflow: the text names it;  EIS_ERR_CONTEXT_LENGTH, EIS_ERR_TOO_LARGE,
 *          EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_mpc_lm_step_init(eis_mpc_lm_step *step, const eis_mpc_lm *lm, uint32_t position,
                                             uint32_t secret_tokens, bool head);

/* The same with a token that is drawn, or for greedy sampling the likeliest one. The dealer and all parties must agree
 * on the sampling. Errors: as above, EIS_ERR_RANGE for what eis_mpc_sampling_check refuses. */
EIS_MUST_USE eis_status eis_mpc_lm_step_draw(eis_mpc_lm_step *step, const eis_mpc_lm *lm, uint32_t position,
                                             uint32_t secret_tokens, const eis_mpc_sampling *sampling);

/* Where step `slot` of what is kept stands (eis_mpc_lm_slot_count, vectors left out): EIS_MPC_NONE where it keeps
 * nothing. Words of a slot for each position. */
eis_mpc_id eis_mpc_lm_step_kept(const eis_mpc_lm_step *step, const eis_mpc_lm *lm, uint32_t slot);
uint32_t eis_mpc_lm_slot_width(const eis_mpc_lm *lm, uint32_t slot);

/* How many of `tokens` secret ones from `position` on the next step takes: as many as keep its unit, without what it is
 * tested with, below prefill_mib; at least one. Every role asks the same. An estimate: words of a token rise with its
 * position as they do at the beginning. Range: tokens > 0. Errors: those of steps. */
EIS_MUST_USE eis_status eis_mpc_lm_prefill(uint32_t *count, const eis_mpc_lm *lm, uint32_t position, uint32_t tokens);

/* Frees. Safe on a zeroed one. */
void eis_mpc_lm_step_clear(eis_mpc_lm_step *step);

#endif
