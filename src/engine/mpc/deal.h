/* SPDX-License-Identifier: Apache-2.0 */
/* The dealer: walks the same graph as the parties with masks in place of values and makes the corrections for the last
 * party. It sees seeds and shapes, never an opened word. */
#ifndef EIS_ENGINE_MPC_DEAL_H
#define EIS_ENGINE_MPC_DEAL_H

#include "engine/mpc/graph.h"
#include "engine/mpc/links.h"
#include "engine/mpc/material.h"

/* What the dealer keeps of a matrix: masks in the clear. */
typedef struct eis_mpc_dealt_matrix {
    const eis_mpc_matrix_shape *shape;
    uint64_t *mask;        /* [rows][columns] */
    uint64_t *rho, *l_v;   /* products: [rows], [columns] */
    uint64_t *rho_r, *l_w; /* selection: [columns], [rows] */
} eis_mpc_dealt_matrix;

/* One session at the dealer. */
typedef struct eis_mpc_dealer {
    uint32_t count;                                        /* parties */
    uint8_t seed[EIS_MPC_PARTIES_MAX][EIS_MPC_SEED_BYTES]; /* of each party */
    uint64_t key_share[EIS_MPC_PARTIES_MAX], key;          /* shares of the MAC key, and the key */
    bool master;                                           /* all masks are those of the first party: for tests */
    eis_mpc_dealt_matrix *matrices;
    uint32_t matrix_count;
} eis_mpc_dealer;

/* Draws seeds and MAC key. Errors: EIS_ERR_ENTROPY, EIS_ERR_MEMORY, EIS_ERR_INTERNAL; *dealer is zeroed. */
EIS_MUST_USE eis_status eis_mpc_dealer_init(eis_mpc_dealer *dealer, uint32_t parties);

/* For tests: makes masks that do not hang on the number of parties nor on chance, so that the same computation opens
 * the same words among two parties and among three. All masks are those of the first party, whose seed follows from a
 * number; the shares of all others are 0. Hides nothing. Right behind the init.
 * Range:   number > 0 (asserted). Errors: as above. */
EIS_MUST_USE eis_status eis_mpc_dealer_master(eis_mpc_dealer *dealer, uint32_t number);

/* Wipes and frees. Safe on a zeroed dealer. */
void eis_mpc_dealer_clear(eis_mpc_dealer *dealer);

/* Words that go to the last party. Valid when zeroed. */
typedef struct eis_mpc_corrections {
    uint64_t *words;
    size_t count, capacity;
} eis_mpc_corrections;

void eis_mpc_corrections_clear(eis_mpc_corrections *corrections);

/* Deals the load of a session's matrices. shapes[count] is kept by reference.
 * Errors:  EIS_ERR_MEMORY, those of the streams; *corrections is cleared. */
EIS_MUST_USE eis_status eis_mpc_deal_load(eis_mpc_dealer *dealer, eis_mpc_corrections *corrections,
                                          const eis_mpc_matrix_shape *shapes, uint32_t count);

/* The masks of one walk. */
typedef struct eis_mpc_masks {
    uint64_t **of; /* [node_count]; NULL for an AUTH */
    uint64_t *arena;
    size_t arena_words;
} eis_mpc_masks;

/* Wipes and frees. Safe on zeroed masks. */
void eis_mpc_masks_clear(eis_mpc_masks *masks);

/* Gives the masks of KEPT nodes, words[count]. */
typedef struct eis_mpc_mask_source {
    void *context;
    eis_status (*kept)(void *context, uint32_t slot, uint64_t *words, uint32_t count);
} eis_mpc_mask_source;

/* Deals one step: never twice for a step.
 *
 * Errors:  EIS_ERR_MEMORY, those of streams and source; outputs are cleared. */
EIS_MUST_USE eis_status eis_mpc_deal_graph(eis_mpc_masks *masks, eis_mpc_corrections *corrections,
                                           eis_mpc_dealer *dealer, const eis_mpc_graph *graph, uint64_t step,
                                           const eis_mpc_mask_source *source);

/* Deal what a unit is tested with, behind the corrections that are there: after the unit itself, once. masks: its own.
 * Errors:  as above. */
EIS_MUST_USE eis_status eis_mpc_deal_test_graph(eis_mpc_corrections *corrections, eis_mpc_dealer *dealer,
                                                const eis_mpc_graph *graph, const eis_mpc_masks *masks,
                                                eis_mpc_tests tests, uint64_t step);
EIS_MUST_USE eis_status eis_mpc_deal_test_load(eis_mpc_corrections *corrections, eis_mpc_dealer *dealer);

#endif
