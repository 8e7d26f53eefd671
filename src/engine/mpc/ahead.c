/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/ahead.h"

#include "base/mem.h"
#include "engine/mpc/linear.h"
#include "engine/mpc/multiply.h"
#include "engine/mpc/supply.h"

#include <string.h>

void eis_mpc_ahead_clear(eis_mpc_ahead *ahead)
{
    eis_mem_free_wiped(ahead->products, ahead->words + 1, sizeof *ahead->products);
    eis_mem_free(ahead->at);
    memset(ahead, 0, sizeof *ahead);
}

eis_status eis_mpc_ahead_place(eis_mpc_ahead *ahead, const eis_mpc_graph *graph)
{
    eis_status st = EIS_OK;

    memset(ahead, 0, sizeof *ahead);
    EIS_NEW(ahead->at, graph->node_count);
    for (eis_mpc_id id = 0; id < graph->node_count; id++) {
        ahead->at[id] = ahead->words;
        if (graph->nodes[id].op == EIS_MPC_OP_MATRIX) ahead->words += graph->nodes[id].count;
    }
    ahead->products = eis_mem_new_secret_raw(ahead->words + 1, sizeof *ahead->products);
    if (ahead->products == NULL) st = EIS_ERR_MEMORY;
out:
    if (st != EIS_OK) eis_mpc_ahead_clear(ahead);
    return st;
}

void eis_mpc_ahead_multiply(eis_mpc_ahead *ahead, const eis_mpc_party *party, const eis_mpc_graph *graph, eis_mpc_id id,
                            const uint64_t *share)
{
    const eis_mpc_node *node = &graph->nodes[id];
    const eis_mpc_matrix *matrix = &party->matrices[node->matrix];
    size_t rows = matrix->shape->rows;

    eis_mpc_multiply(party->pool, ahead->products + ahead->at[id], matrix->pub, share, rows, matrix->shape->columns,
                     node->count / rows);
}

/* Our shares of the masks that products hang on. */
typedef struct masks {
    const eis_mpc_ahead_wish *wish;
    const eis_mpc_graph *graph;
    eis_mpc_supply supply;
    bool *needed;     /* [node_count] */
    uint64_t **share; /* [node_count]; NULL: not needed */
    uint64_t *arena, *other;
    size_t words, widest;
} masks;

/* Inputs of products, and what they are linear in. */
static void mark_needed(masks *m)
{
    for (eis_mpc_id id = m->graph->node_count; id-- > 0;) {
        const eis_mpc_node *node = &m->graph->nodes[id];
        if (node->op == EIS_MPC_OP_MATRIX) m->needed[node->in[0]] = true;
        if (!m->needed[id] || !eis_mpc_is_linear(node->op)) continue;
        for (uint32_t i = 0; i < node->in_count; i++) m->needed[node->in[i]] = true;
    }
}

static eis_status place_needed(masks *m)
{
    eis_status st = EIS_OK;
    uint64_t *at;

    for (eis_mpc_id id = 0; id < m->graph->node_count; id++) {
        const eis_mpc_node *node = &m->graph->nodes[id];
        if (!m->needed[id] || eis_mpc_is_view(node)) continue;
        m->words += node->count;
        if (node->op == EIS_MPC_OP_KEPT && node->count > m->widest) m->widest = node->count;
    }
    m->arena = at = eis_mem_new_secret_raw(m->words + 1, sizeof *at);
    m->other = eis_mem_new_secret_raw(2 * m->widest + 1, sizeof *at);
    if (m->arena == NULL || m->other == NULL) return EIS_ERR_MEMORY;
    for (eis_mpc_id id = 0; id < m->graph->node_count; id++) {
        const eis_mpc_node *node = &m->graph->nodes[id];
        if (!m->needed[id]) continue;
        m->share[id] = eis_mpc_is_view(node) ? m->share[node->in[0]] + node->first : at;
        if (!eis_mpc_is_view(node)) at += node->count;
    }
    return st;
}

static eis_status make_mask(masks *m, eis_mpc_id id)
{
    const eis_mpc_node *node = &m->graph->nodes[id];
    const eis_mpc_source *source = m->wish->source;
    uint64_t *share = m->share[id];

    if (eis_mpc_is_view(node)) return EIS_OK;
    if (eis_mpc_is_linear(node->op)) {
        eis_mpc_linear(share, node, m->share[node->in[0]], m->graph->nodes[node->in[0]].count,
                       node->in_count > 1 ? m->share[node->in[1]] : NULL);
        return EIS_OK;
    }
    if (node->op == EIS_MPC_OP_KEPT)
        return source->kept(source->context, node->slot,
                            &(eis_mpc_words){.pub = m->other, .share = share, .mac = m->other + m->widest},
                            node->count);
    if (node->op != EIS_MPC_OP_PUBLIC) return eis_mpc_supply_copy(share, &m->supply, id, 0, node->count);
    memset(share, 0, node->count * sizeof *share);
    return EIS_OK;
}

static eis_status multiply(eis_mpc_ahead *ahead, const masks *m)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_mpc_ahead_place(ahead, m->graph));
    for (eis_mpc_id id = 0; id < m->graph->node_count; id++) {
        const eis_mpc_node *node = &m->graph->nodes[id];
        if (node->op == EIS_MPC_OP_MATRIX)
            eis_mpc_ahead_multiply(ahead, m->wish->party, m->graph, id, m->share[node->in[0]]);
    }
out:
    return st;
}

eis_status eis_mpc_ahead_make(eis_mpc_ahead *ahead, const eis_mpc_ahead_wish *wish)
{
    eis_status st = EIS_OK;
    const eis_mpc_links *links = wish->party->links;
    masks m = {.wish = wish, .graph = wish->graph};

    memset(ahead, 0, sizeof *ahead);
    EIS_NEW(m.needed, m.graph->node_count);
    EIS_NEW(m.share, m.graph->node_count);
    mark_needed(&m);
    EIS_TRY(place_needed(&m));
    EIS_TRY(eis_mpc_supply_masks(&m.supply, m.graph, wish->seed, links->index + 1 == links->count, wish->step));
    m.supply.reader.maskless = wish->maskless;
    for (eis_mpc_id id = 0; id < m.graph->node_count; id++)
        if (m.needed[id]) EIS_TRY(make_mask(&m, id));
    EIS_TRY(multiply(ahead, &m));
out:
    eis_mpc_supply_clear(&m.supply);
    eis_mem_free(m.needed);
    eis_mem_free(m.share);
    eis_mem_free_wiped(m.arena, m.words + 1, sizeof *m.arena);
    eis_mem_free_wiped(m.other, 2 * m.widest + 1, sizeof *m.other);
    if (st != EIS_OK) eis_mpc_ahead_clear(ahead);
    return st;
}
