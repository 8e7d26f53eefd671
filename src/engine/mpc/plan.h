/* SPDX-License-Identifier: Apache-2.0 */
/* What a step of a language model, or an input of a classifier, will cost, section by section, before anything is sent:
 * read off the graph that parties and dealer will walk. */
#ifndef EIS_ENGINE_MPC_PLAN_H
#define EIS_ENGINE_MPC_PLAN_H

#include "engine/mpc/classifier.h"
#include "engine/mpc/lm.h"
#include "engine/mpc/material.h"

/* Rounds beside the graph: of the check and the output of a step, and of the coin of one that draws its token. */
#define EIS_MPC_CHECK_ROUNDS  3
#define EIS_MPC_OUTPUT_ROUNDS 3
#define EIS_MPC_COIN_ROUNDS   2

/* Their bytes to each peer, without headers: coin, what opens it and the transcript; two commitments; sigma and what
 * opens it. A share; a commitment; sigma and what opens it. A commitment; the coin and what opens it. */
#define EIS_MPC_CHECK_BYTES  ((32 + 32 + 32) + (32 + 32) + (8 + 32))
#define EIS_MPC_OUTPUT_BYTES (8 + 32 + (8 + 32))
#define EIS_MPC_COIN_BYTES   (32 + (32 + 32))

typedef struct eis_mpc_plan_row {
    char name[EIS_MPC_SECTION_BYTES];
    uint32_t rounds;        /* openings of this section, where it does not overlap with the one before */
    uint64_t opened;        /* words that each party sends to each peer */
    uint64_t masks;         /* words of material that every party expands by itself */
    uint64_t corrections;   /* words of material from the Triple Service to the last party */
    uint64_t multiply_adds; /* of each party, about */
} eis_mpc_plan_row;

typedef struct eis_mpc_plan {
    eis_mpc_plan_row *rows; /* [row_count]: of the graph's sections */
    uint32_t row_count;
    eis_mpc_plan_row total;
    bool drawn;  /* the token is, so a coin is tossed */
    bool silent; /* no token is told */
} eis_mpc_plan;

/* What a session tests, and how many residues it keeps: its last row where a step has any of it. */
typedef struct eis_mpc_plan_tests {
    eis_mpc_tests what;
    size_t pending_max;
} eis_mpc_plan_tests;

/* Reads the plan of a graph with sections; tests NULL: of the graph alone. Errors: EIS_ERR_MEMORY; *plan is zeroed. */
EIS_MUST_USE eis_status eis_mpc_plan_read(eis_mpc_plan *plan, const eis_mpc_graph *graph,
                                          const eis_mpc_plan_tests *tests);

/* Plans the step of a public token at `position`, or of so many secret ones from there on, whose successor is chosen as
 * `sampling` says; NULL: there is no head, since more of the prompt follows.
 * Errors: those of eis_mpc_lm_step_draw; *plan is zeroed. */
EIS_MUST_USE eis_status eis_mpc_plan_make(eis_mpc_plan *plan, const eis_mpc_lm *lm, uint32_t position,
                                          uint32_t secret_tokens, const eis_mpc_sampling *sampling,
                                          const eis_mpc_plan_tests *tests);

/* Plans an input of a classifier. Errors: those of eis_mpc_classifier_graph; *plan is zeroed. */
EIS_MUST_USE eis_status eis_mpc_plan_make_classifier(eis_mpc_plan *plan, const eis_mpc_classifier *classifier,
                                                     const eis_mpc_plan_tests *tests);

/* What a step has beside its graph, as a carrier counts it with headers of `header` bytes. */
uint32_t eis_mpc_plan_check_rounds(const eis_mpc_plan *plan);
uint64_t eis_mpc_plan_check_bytes(const eis_mpc_plan *plan, uint32_t header);

/* Frees. Safe on a zeroed plan. */
void eis_mpc_plan_clear(eis_mpc_plan *plan);

#endif
