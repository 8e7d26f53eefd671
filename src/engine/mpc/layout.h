/* SPDX-License-Identifier: Apache-2.0 */
/* Inside engine/mpc: the order of a walk, and where its values lie in memory. */
#ifndef EIS_ENGINE_MPC_LAYOUT_H
#define EIS_ENGINE_MPC_LAYOUT_H

#include "engine/mpc/graph.h"

/* Round by round, local gates before the openings that follow them. */
typedef struct eis_mpc_layout {
    eis_mpc_id *order; /* [node_count] */
    uint32_t *begin;   /* [2 rounds + 4]: where local gates of round 0, its openings, local gates of round 1 and so on
                          begin in `order` */
    size_t *at;        /* [node_count]: where a node's words begin; views have those of their inputs */
    size_t words;      /* of all */
} eis_mpc_layout;

/* Tells whether a node opens something. */
static inline bool eis_mpc_opens(eis_mpc_op op)
{
    return op == EIS_MPC_OP_MASK || op == EIS_MPC_OP_MATRIX || op == EIS_MPC_OP_ROW;
}

/* Words that a value takes: D where it is a wire, share and MAC. */
static inline size_t eis_mpc_value_words(const eis_mpc_node *node)
{
    return eis_mpc_is_view(node) ? 0 : (size_t)node->count * (node->form == EIS_MPC_WIRE ? 3 : 2);
}

/* Every value has a place of its own. Errors: EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_mpc_layout_all(eis_mpc_layout *layout, const eis_mpc_graph *graph);

/* The place of a value is used again once its last reader is through, but for those in keep[count], which stay. What
 * comes from outside or is only moved about is fetched when it is first read, not when it could be.
 * Errors: EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_mpc_layout_reuse(eis_mpc_layout *layout, const eis_mpc_graph *graph, const eis_mpc_id *keep,
                                             size_t count);

/* For who computes shares and MACs of masks alone, node by node in `order`: only wires have room, and each until the
 * last mask, product of masks or product with a matrix is made of it. Errors: EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_mpc_layout_masks(eis_mpc_layout *layout, const eis_mpc_graph *graph);

void eis_mpc_layout_clear(eis_mpc_layout *layout);

#endif
