/* SPDX-License-Identifier: Apache-2.0 */
/* Inside engine/mpc: a party's walk over a graph. party.c opens, local.c computes what needs no opening. */
#ifndef EIS_ENGINE_MPC_WALK_H
#define EIS_ENGINE_MPC_WALK_H

#include "engine/mpc/party.h"

typedef struct eis_mpc_walk {
    eis_mpc_party *party;
    const eis_mpc_graph *graph;
    const eis_mpc_source *source; /* while it begins */
    eis_mpc_run *run;
    const uint64_t *material;
    size_t *offset;    /* [node_count] of each node's material */
    eis_mpc_id *order; /* [node_count]: local gates of round 0, its openings, local gates of round 1, ... */
    uint32_t *begin;   /* [2 rounds + 4]: where each of these begins in `order` */
    uint64_t *frame;   /* ours, then theirs */
    size_t frame_words;
    uint64_t *scratch; /* [scratch_words]: twice the widest node */
    size_t scratch_words;
    bool first; /* are we party 0? */
} eis_mpc_walk;

static inline const eis_mpc_words *eis_mpc_walk_words(const eis_mpc_walk *w, eis_mpc_id id)
{
    return &w->run->values[id];
}

/* Before the first round: what an INPUT, KEPT or PUBLIC node holds, and our shares of the mask of any wire. Errors:
 * those of the source. */
EIS_MUST_USE eis_status eis_mpc_mask_gate(eis_mpc_walk *walk, eis_mpc_id id);

/* Computes the rest of a node that opens nothing. */
void eis_mpc_local_gate(eis_mpc_walk *walk, eis_mpc_id id);

#endif
