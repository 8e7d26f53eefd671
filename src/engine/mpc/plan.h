/* SPDX-License-Identifier: Apache-2.0 */
/* What a step of a language model will cost, section by section, before anything is sent: read off the graph that
 * parties and dealer will walk. */
#ifndef EIS_ENGINE_MPC_PLAN_H
#define EIS_ENGINE_MPC_PLAN_H

#include "engine/mpc/lm.h"

/* The check and the output of a step: rounds, and bytes to each peer without headers. */
#define EIS_MPC_CHECK_ROUNDS  3
#define EIS_MPC_OUTPUT_ROUNDS 3

typedef struct eis_mpc_plan_row {
    char name[32];
    uint32_t rounds;        /* openings of this section, where it does not overlap with the one before */
    uint64_t opened;        /* words that each party sends to each peer */
    uint64_t masks;         /* words of material that every party expands by itself */
    uint64_t corrections;   /* words of material from the Triple Service to the last party */
    uint64_t multiply_adds; /* of each party, about */
} eis_mpc_plan_row;

typedef struct eis_mpc_plan {
    eis_mpc_plan_row *rows; /* [row_count]: embedding, two for each block, head */
    uint32_t row_count;
    eis_mpc_plan_row total;
} eis_mpc_plan;

/* Plans the step of a public token at `position`, or of so many secret ones from there on, head included.
 * Errors: those of eis_mpc_lm_step_init; *plan is zeroed. */
EIS_MUST_USE eis_status eis_mpc_plan_make(eis_mpc_plan *plan, const eis_mpc_lm *lm, uint32_t position,
                                          uint32_t secret_tokens);

/* Bytes to each peer of one step with the head, as a carrier counts them with headers of `header` bytes. */
uint64_t eis_mpc_plan_bytes(const eis_mpc_plan *plan, uint32_t header);

/* Frees. Safe on a zeroed plan. */
void eis_mpc_plan_clear(eis_mpc_plan *plan);

#endif
