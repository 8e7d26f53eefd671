/* SPDX-License-Identifier: Apache-2.0 */
/* Inside service/: what the members of a session ask of its manifest, whatever kind of model it tells of. */
#ifndef EIS_SERVICE_MPC_MODEL_H
#define EIS_SERVICE_MPC_MODEL_H

#include "service/mpc_session.h"
#include "service/mpc_stream.h"

/* Returns the matrices and the vectors that a session loads; vector v is kept in slot 2 layers + v, where a classifier
 * has no layers. */
const eis_mpc_matrix_shape *eis_mpc_model_shapes(uint32_t *count, const eis_mpc_session *session);
const eis_mpc_lm_vector *eis_mpc_model_vectors(uint32_t *count, const eis_mpc_session *session);

/* Returns how many slots are kept from step to step. */
uint32_t eis_mpc_model_slot_count(const eis_mpc_session *session);

/* Returns how many numbers can be told: tokens or classes. */
uint32_t eis_mpc_model_answers(const eis_mpc_session *session);

/* As the functions of the engine for each kind. */
EIS_MUST_USE eis_status eis_mpc_model_weights(uint64_t *words, const eis_mpc_session *session, const eis_model *model,
                                              uint32_t matrix);
EIS_MUST_USE eis_status eis_mpc_model_vector_values(int64_t *values, const eis_mpc_session *session,
                                                    const eis_model *model, uint32_t vector);
EIS_MUST_USE eis_status eis_mpc_model_vectors_graph(eis_mpc_graph *graph, eis_mpc_id *nodes,
                                                    const eis_mpc_session *session);

/* The graph of a step of `count` tokens; `sampling` says how the token is chosen, where there is a head. That of a
 * classifier keeps nothing (keys and values are NULL), and is the same at each position. Errors:  EIS_ERR_PROTOCOL  a
 * kind that this model has not; those of the engine; *step is zeroed. */
EIS_MUST_USE eis_status eis_mpc_model_step(eis_mpc_lm_step *step, const eis_mpc_session *session,
                                           eis_mpc_unit_kind kind, uint32_t position, uint32_t count,
                                           const eis_mpc_sampling *sampling);

/* How many of `tokens` tokens of a prompt the step at `position` takes: everybody says the same. Errors: those of the
 * engine. */
EIS_MUST_USE eis_status eis_mpc_model_prefill(uint32_t *count, const eis_mpc_session *session, uint32_t position,
                                              uint32_t tokens);

/* Returns how long a prompt is when it is filled up (scheduler.pad_bucket), at most UINT32_MAX. */
uint32_t eis_mpc_model_filled(const eis_mpc_session *session, uint32_t tokens);

#endif
