/* SPDX-License-Identifier: Apache-2.0 */
/* What of a walk's products no data touch: D_W l_x, the public matrix times our share of its input's mask. Half of the
 * work of a product can so be done before the step, or while its material is on the way: masks come from our own seed,
 * corrections are not needed. */
#ifndef EIS_ENGINE_MPC_AHEAD_H
#define EIS_ENGINE_MPC_AHEAD_H

#include "engine/mpc/party.h"

/* Makes room for the products of all MATRIX nodes; computes those of one node, whose input's mask we have `share` of.
 * Errors: EIS_ERR_MEMORY; *ahead is cleared. */
EIS_MUST_USE eis_status eis_mpc_ahead_place(eis_mpc_ahead *ahead, const eis_mpc_graph *graph);
void eis_mpc_ahead_multiply(eis_mpc_ahead *ahead, const eis_mpc_party *party, const eis_mpc_graph *graph, eis_mpc_id id,
                            const uint64_t *share);

/* Who computes ahead, and of what. */
typedef struct eis_mpc_ahead_wish {
    const eis_mpc_party *party;
    const eis_mpc_graph *graph;
    const uint8_t *seed; /* our own, [EIS_MPC_SEED_BYTES] */
    uint64_t step;
    bool maskless;                /* as of eis_mpc_reader */
    const eis_mpc_source *source; /* of kept rows; inputs are not asked for */
} eis_mpc_ahead_wish;

/* Computes the products of all MATRIX nodes.
 *
 * Secret:  all of *ahead. Cost: a multiply-add for each weight and row of its input; little memory.
 * Errors:  EIS_ERR_MEMORY, those of streams and source; *ahead is cleared. */
EIS_MUST_USE eis_status eis_mpc_ahead_make(eis_mpc_ahead *ahead, const eis_mpc_ahead_wish *wish);

#endif
