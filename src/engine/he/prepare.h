/* SPDX-License-Identifier: Apache-2.0 */
/* Server, once per model: weights encoded as the plan says, at the levels where they are used. */
#ifndef EIS_ENGINE_HE_PREPARE_H
#define EIS_ENGINE_HE_PREPARE_H

#include "base/pool.h"
#include "engine/he/plan.h"

/* Immutable; many threads may evaluate it. Keeps the plan's parameters, so the plan outlives it. */
typedef struct eis_he_program eis_he_program;

/* Encodes the weights of a planned model. The model may be freed afterwards.
 *
 * Cost:    one plaintext per product of the plan; eis_he_program_bytes tells what it holds.
 * Errors:  EIS_ERR_MODEL, EIS_ERR_MEMORY; *program is NULL. */
EIS_MUST_USE eis_status eis_he_program_new(const eis_he_program **program, const eis_he_plan *plan,
                                           const eis_model *model, eis_pool *pool);

/* Frees. NULL is allowed. */
void eis_he_program_free(const eis_he_program *program);

/* Returns the bytes of encoded weights. */
size_t eis_he_program_bytes(const eis_he_program *program);

#endif
