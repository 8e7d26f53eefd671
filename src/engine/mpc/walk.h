/* SPDX-License-Identifier: Apache-2.0 */
/* Inside engine/mpc: a party's walk over a graph. party.c opens, local.c computes what needs no opening. */
#ifndef EIS_ENGINE_MPC_WALK_H
#define EIS_ENGINE_MPC_WALK_H

#include "engine/mpc/layout.h"
#include "engine/mpc/party.h"
#include "engine/mpc/supply.h"

#define EIS_MPC_WALK_DIGITS ((size_t)1 << 14) /* words of one digit that are read at once */

typedef struct eis_mpc_walk {
    eis_mpc_party *party;
    const eis_mpc_graph *graph;
    const eis_mpc_source *source; /* while masks are made */
    eis_mpc_run *run;
    eis_mpc_supply *supply;
    const eis_mpc_ahead *ahead; /* NULL: none */
    eis_mpc_layout layout;
    uint64_t *frame; /* ours, then theirs */
    size_t frame_words;
    uint64_t *scratch; /* [scratch_words]: twice the widest node */
    size_t scratch_words;
    uint64_t *buffer; /* [buffer_words]: of material, where it is not all there */
    size_t buffer_words;
    bool first; /* are we party 0? */
    bool late;  /* masks are made when the walk comes to them */
} eis_mpc_walk;

static inline const eis_mpc_words *eis_mpc_walk_words(const eis_mpc_walk *w, eis_mpc_id id)
{
    return &w->run->values[id];
}

/* Before the first round: what an INPUT, KEPT or PUBLIC node holds, and our shares of the mask of any wire. Errors:
 * those of the source. */
EIS_MUST_USE eis_status eis_mpc_mask_gate(eis_mpc_walk *walk, eis_mpc_id id);

/* Computes the rest of a node that opens nothing. Errors: those of the supply. */
EIS_MUST_USE eis_status eis_mpc_local_gate(eis_mpc_walk *walk, eis_mpc_id id);

#endif
