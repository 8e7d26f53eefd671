/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/supply.h"

#include "base/mem.h"
#include "engine/mpc/digest.h"

#include <string.h>

static eis_status find_nodes(eis_mpc_supply *s, const eis_mpc_graph *graph, size_t *corrections)
{
    eis_status st = EIS_OK;
    size_t whole = 0, drawn = 0;
    bool last = s->reader.corrections != NULL;
    eis_mpc_cost cost;

    *corrections = 0;
    s->graph = graph;
    EIS_NEW(s->whole_at, graph->node_count);
    EIS_NEW(s->drawn_at, graph->node_count);
    EIS_NEW(s->corrected_at, graph->node_count);
    EIS_NEW(s->masks, graph->node_count);
    for (eis_mpc_id id = 0; id < graph->node_count; id++) {
        eis_mpc_node_cost(&cost, graph, id);
        s->whole_at[id] = whole;
        s->drawn_at[id] = drawn;
        s->corrected_at[id] = *corrections;
        s->masks[id] = cost.masks;
        whole += cost.masks + cost.corrections;
        *corrections += cost.corrections;
        drawn += (graph->nodes[id].op == EIS_MPC_OP_INPUT ? 0 : cost.masks) + (last ? 0 : cost.corrections);
    }
out:
    return st;
}

eis_status eis_mpc_supply_whole(eis_mpc_supply *s, const eis_mpc_graph *graph, const uint64_t *words)
{
    size_t corrections;

    *s = (eis_mpc_supply){.whole = words};
    return find_nodes(s, graph, &corrections);
}

eis_status eis_mpc_supply_read(eis_mpc_supply *s, const eis_mpc_graph *graph, const eis_mpc_reader *reader,
                               uint64_t step)
{
    eis_status st = EIS_OK;
    uint8_t digest[EIS_MPC_DIGEST_BYTES];
    size_t corrections;

    *s = (eis_mpc_supply){.reader = *reader, .step = step};
    EIS_TRY(find_nodes(s, graph, &corrections));
    EIS_TRY(eis_mpc_reader_expect(reader, corrections));
    EIS_TRY(eis_mpc_graph_digest(digest, graph));
    EIS_TRY(eis_mpc_stream_start_graph(&s->main, reader->seed, EIS_MPC_PURPOSE_STEP, step, digest));
out:
    return st;
}

eis_status eis_mpc_supply_masks(eis_mpc_supply *s, const eis_mpc_graph *graph, const uint8_t *seed, bool last,
                                uint64_t step)
{
    static const uint64_t none[1] = {0};
    eis_status st = EIS_OK;
    uint8_t digest[EIS_MPC_DIGEST_BYTES];
    size_t corrections;

    *s = (eis_mpc_supply){.reader = {.seed = seed, .corrections = last ? none : NULL}, .step = step};
    EIS_TRY(find_nodes(s, graph, &corrections));
    EIS_TRY(eis_mpc_graph_digest(digest, graph));
    EIS_TRY(eis_mpc_stream_start_graph(&s->main, seed, EIS_MPC_PURPOSE_STEP, step, digest));
out:
    return st;
}

void eis_mpc_supply_clear(eis_mpc_supply *s)
{
    eis_mem_free(s->whole_at);
    eis_mem_free(s->drawn_at);
    eis_mem_free(s->corrected_at);
    eis_mem_free(s->masks);
    eis_mpc_stream_clear(&s->main);
    eis_mpc_stream_clear(&s->own);
    memset(s, 0, sizeof *s);
}

static eis_status copy_masks(uint64_t *to, eis_mpc_supply *s, eis_mpc_id id, size_t first, size_t count)
{
    eis_status st = EIS_OK;
    const eis_mpc_node *node = &s->graph->nodes[id];
    bool own = node->op == EIS_MPC_OP_INPUT;
    eis_mpc_stream *stream = own ? &s->own : &s->main;

    if (own)
        EIS_TRY(eis_mpc_stream_start(stream, s->reader.seed, EIS_MPC_PURPOSE_INPUT,
                                     eis_mpc_input_number(s->step, node->slot)));
    EIS_TRY(eis_mpc_stream_seek(stream, (own ? 0 : s->drawn_at[id]) + first));
    EIS_TRY(eis_mpc_stream_words(stream, to, count));
    if (s->reader.maskless) memset(to, 0, count * sizeof *to);
out:
    return st;
}

static eis_status copy_corrections(uint64_t *to, eis_mpc_supply *s, eis_mpc_id id, size_t first, size_t count)
{
    eis_status st = EIS_OK;
    size_t masks = s->graph->nodes[id].op == EIS_MPC_OP_INPUT ? 0 : s->masks[id];

    if (s->reader.corrections != NULL) return eis_mpc_reader_copy(to, &s->reader, s->corrected_at[id] + first, count);
    EIS_TRY(eis_mpc_stream_seek(&s->main, s->drawn_at[id] + masks + first));
    EIS_TRY(eis_mpc_stream_words(&s->main, to, count));
out:
    return st;
}

eis_status eis_mpc_supply_copy(uint64_t *to, eis_mpc_supply *s, eis_mpc_id id, size_t first, size_t count)
{
    eis_status st = EIS_OK;
    size_t masks = s->masks[id], drawn = first >= masks ? 0 : masks - first < count ? masks - first : count;

    if (s->whole != NULL) {
        memcpy(to, s->whole + s->whole_at[id] + first, count * sizeof *to);
        return EIS_OK;
    }
    if (drawn > 0) EIS_TRY(copy_masks(to, s, id, first, drawn));
    if (drawn < count) EIS_TRY(copy_corrections(to + drawn, s, id, first + drawn - masks, count - drawn));
out:
    return st;
}

eis_status eis_mpc_supply_words(const uint64_t **words, eis_mpc_supply *s, eis_mpc_id id, size_t first, size_t count,
                                uint64_t *buffer)
{
    *words = s->whole != NULL ? s->whole + s->whole_at[id] + first : buffer;
    return s->whole != NULL ? EIS_OK : eis_mpc_supply_copy(buffer, s, id, first, count);
}
