/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"
#include "engine/mpc/digest.h"
#include "engine/mpc/graph.h"

#define NODE_WORDS (20 + EIS_MPC_FACTORS_MAX)

/* Everything that says which words of material a node takes and what for. Constants and rows are left out: some are set
 * just before a walk, and none of them moves a word. */
static void add_node(eis_mpc_digest *digest, const eis_mpc_node *n)
{
    uint64_t words[NODE_WORDS] = {n->op,
                                  n->form,
                                  n->count,
                                  n->in_count,
                                  n->scalar,
                                  n->first,
                                  n->inner,
                                  n->shift,
                                  n->dot.inner,
                                  n->dot.a_step,
                                  n->dot.b_step,
                                  n->cmp.low,
                                  n->cmp.digit_bits,
                                  n->cmp.digits,
                                  n->cmp.elements,
                                  n->cmp.threshold_count,
                                  n->matrix,
                                  n->slot,
                                  n->one_hot,
                                  (uint64_t)n->bits | (uint64_t)n->cut << 1};
    uint8_t bytes[sizeof words];

    for (uint32_t i = 0; i < n->in_count && i < EIS_MPC_FACTORS_MAX; i++) words[20 + i] = n->in[i];
    for (size_t i = 0; i < NODE_WORDS; i++) eis_store_le64(bytes + 8 * i, words[i]);
    eis_mpc_digest_add(digest, bytes, sizeof bytes);
}

eis_status eis_mpc_graph_digest(uint8_t *out_digest, const eis_mpc_graph *graph)
{
    eis_status st = EIS_OK;
    eis_mpc_digest digest = {0};

    EIS_TRY(eis_mpc_digest_start(&digest, "eis mpc graph"));
    for (eis_mpc_id id = 0; id < graph->node_count; id++) add_node(&digest, &graph->nodes[id]);
    EIS_TRY(eis_mpc_digest_end(&digest, out_digest));
out:
    eis_mpc_digest_clear(&digest);
    return st;
}
