/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/material.h"

#include <string.h>

size_t eis_mpc_node_words(const eis_mpc_graph *graph, eis_mpc_id id)
{
    eis_mpc_cost cost;

    eis_mpc_node_cost(&cost, graph, id);
    return cost.masks + cost.corrections;
}

size_t eis_mpc_graph_words(const eis_mpc_graph *graph)
{
    eis_mpc_cost cost;

    eis_mpc_graph_cost(&cost, graph);
    return cost.masks + cost.corrections;
}

/* Words of one tag over vectors of `out` and `in` words: rho | a rho, l_v | a l_v, u | a u. */
static size_t tag_words(size_t out, size_t in) { return 2 * out + 4 * in; }

size_t eis_mpc_load_words(const eis_mpc_matrix_shape *shape)
{
    size_t rows = shape->rows, columns = shape->columns;

    return rows * columns + (shape->products ? tag_words(rows, columns) : 0) +
           (shape->selection ? tag_words(columns, rows) : 0);
}

eis_status eis_mpc_reader_take(eis_mpc_reader *reader, uint64_t *words, size_t masks, size_t corrections)
{
    eis_status st = EIS_OK;

    if (reader->corrections == NULL) return eis_mpc_stream_words(reader->stream, words, masks + corrections);
    EIS_TRY(eis_mpc_stream_words(reader->stream, words, masks));
    EIS_REQUIRE(reader->correction_count - reader->correction_at >= corrections, EIS_ERR_PROTOCOL,
                "the Triple Service sent %zu words of corrections, and more are needed", reader->correction_count);
    memcpy(words + masks, reader->corrections + reader->correction_at, corrections * sizeof *words);
    reader->correction_at += corrections;
out:
    return st;
}

/* All corrections used, each a word of the field. */
static eis_status check_corrections(const eis_mpc_reader *reader)
{
    eis_status st = EIS_OK;

    if (reader->corrections == NULL) return EIS_OK;
    EIS_REQUIRE(reader->correction_at == reader->correction_count, EIS_ERR_PROTOCOL,
                "the Triple Service sent %zu words of corrections, and %zu are needed", reader->correction_count,
                reader->correction_at);
    for (size_t i = 0; i < reader->correction_count; i++)
        EIS_REQUIRE(reader->corrections[i] < EIS_FP_P, EIS_ERR_PROTOCOL, "a correction is not a word of the field");
out:
    return st;
}

eis_status eis_mpc_reader_graph(eis_mpc_reader *reader, uint64_t *words, const eis_mpc_graph *graph)
{
    eis_status st = EIS_OK;
    eis_mpc_cost cost;

    for (eis_mpc_id id = 0; id < graph->node_count; id++) {
        eis_mpc_node_cost(&cost, graph, id);
        EIS_TRY(eis_mpc_reader_take(reader, words, cost.masks, cost.corrections));
        words += cost.masks + cost.corrections;
    }
    EIS_TRY(check_corrections(reader));
out:
    return st;
}

eis_status eis_mpc_reader_load(eis_mpc_reader *reader, uint64_t *words, const eis_mpc_matrix_shape *shapes,
                               uint32_t count)
{
    eis_status st = EIS_OK;

    for (uint32_t i = 0; i < count; i++) {
        const eis_mpc_matrix_shape *s = &shapes[i];
        size_t sides[2][2] = {{s->rows, s->columns}, {s->columns, s->rows}};
        bool used[2] = {s->products, s->selection};
        EIS_TRY(eis_mpc_reader_take(reader, words, (size_t)s->rows * s->columns, 0));
        words += (size_t)s->rows * s->columns;
        for (int side = 0; side < 2; side++) {
            size_t out = sides[side][0], in = sides[side][1];
            if (!used[side]) continue;
            EIS_TRY(eis_mpc_reader_take(reader, words, out, out));
            EIS_TRY(eis_mpc_reader_take(reader, words + 2 * out, in, in));
            EIS_TRY(eis_mpc_reader_take(reader, words + 2 * out + 2 * in, 0, 2 * in));
            words += tag_words(out, in);
        }
    }
    EIS_TRY(check_corrections(reader));
out:
    return st;
}
