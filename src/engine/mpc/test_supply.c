/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/test_supply.h"

#include "base/mem.h"
#include "engine/mpc/digest.h"

#include <string.h>

typedef eis_mpc_test_place place;

/* ---- where everything is ---- */

static place pairs_at(const eis_mpc_test_supply *s, size_t first)
{
    size_t before = s->level > 0;

    return (place){before + 2 * first, before + 2 * first};
}

static place squares_at(const eis_mpc_test_supply *s, size_t first)
{
    place p = pairs_at(s, s->size.pairs);

    return (place){p.masks + first, p.corrections + (s->size.pairs > 0) + 2 * first};
}

static eis_status find_nodes(eis_mpc_test_supply *s, const eis_mpc_graph *g)
{
    eis_status st = EIS_OK;
    place at = squares_at(s, s->size.squares);
    size_t parts = 0;

    s->graph = g;
    EIS_NEW(s->matrix, g->node_count);
    EIS_NEW(s->parts, g->node_count);
    for (eis_mpc_id id = 0; id < g->node_count; id++) {
        const eis_mpc_node *node = &g->nodes[id];
        s->matrix[id] = at;
        s->parts[id] = parts;
        if (node->op == EIS_MPC_OP_MATRIX) {
            const eis_mpc_matrix_shape *w = &g->matrices[node->matrix];
            at.masks += w->columns;
            at.corrections += (size_t)w->columns + w->rows;
        }
        if (node->cut) parts += 2 * (size_t)node->count * EIS_MPC_PART_ENTRIES;
    }
    s->parts_at = at;
out:
    return st;
}

eis_status eis_mpc_test_supply_start(eis_mpc_test_supply *s, const eis_mpc_graph *graph, const eis_mpc_reader *reader,
                                     eis_mpc_tests tests, uint64_t step)
{
    eis_status st = EIS_OK;
    uint8_t digest[EIS_MPC_DIGEST_BYTES];

    *s = (eis_mpc_test_supply){.reader = *reader, .level = tests.level};
    eis_mpc_test_size_graph(&s->size, graph, tests);
    EIS_TRY(eis_mpc_reader_expect(reader, s->size.corrections));
    EIS_TRY(find_nodes(s, graph));
    EIS_TRY(eis_mpc_graph_digest(digest, graph));
    EIS_TRY(eis_mpc_stream_start_graph(&s->main, reader->seed, EIS_MPC_PURPOSE_TEST, step, digest));
out:
    return st;
}

void eis_mpc_test_supply_clear(eis_mpc_test_supply *s)
{
    eis_mem_free(s->matrix);
    eis_mem_free(s->parts);
    eis_mpc_stream_clear(&s->main);
    memset(s, 0, sizeof *s);
}

/* ---- reading ---- */

/* The stream has all words of all parties but the last, and the masks alone of that one. */
static eis_status take_stream(uint64_t *to, eis_mpc_test_supply *s, const place *p, size_t count)
{
    eis_status st = eis_mpc_stream_seek(&s->main, p->masks + (s->reader.corrections == NULL ? p->corrections : 0));

    return st == EIS_OK ? eis_mpc_stream_words(&s->main, to, count) : st;
}

/* Reads masks, then corrections. */
static eis_status take(uint64_t *to, eis_mpc_test_supply *s, place *p, size_t masks, size_t corrections)
{
    eis_status st = EIS_OK;

    if (masks > 0) EIS_TRY(take_stream(to, s, p, masks));
    if (s->reader.maskless) memset(to, 0, masks * sizeof *to);
    p->masks += masks;
    to += masks;
    if (corrections > 0)
        EIS_TRY(s->reader.corrections != NULL ? eis_mpc_reader_copy(to, &s->reader, p->corrections, corrections)
                                              : take_stream(to, s, p, corrections));
    p->corrections += corrections;
out:
    return st;
}

eis_status eis_mpc_test_supply_combination(uint64_t *to, eis_mpc_test_supply *s)
{
    place p = {0};

    return take(to, s, &p, 1, 1);
}

eis_status eis_mpc_test_supply_pairs(uint64_t *to, eis_mpc_test_supply *s, size_t first, size_t n)
{
    place p = pairs_at(s, first);
    eis_status st = take(to, s, &p, n, n);

    return st == EIS_OK ? take(to + 2 * n, s, &p, n, n) : st;
}

eis_status eis_mpc_test_supply_pair_sum(uint64_t *to, eis_mpc_test_supply *s)
{
    place p = pairs_at(s, s->size.pairs);

    return take(to, s, &p, 0, 1);
}

eis_status eis_mpc_test_supply_squares(uint64_t *to, eis_mpc_test_supply *s, size_t first, size_t n)
{
    place p = squares_at(s, first);

    return take(to, s, &p, n, 2 * n);
}

eis_status eis_mpc_test_supply_matrix(uint64_t *to, eis_mpc_test_supply *s, eis_mpc_id id)
{
    const eis_mpc_matrix_shape *w = &s->graph->matrices[s->graph->nodes[id].matrix];
    place p = s->matrix[id];

    return take(to, s, &p, w->columns, (size_t)w->columns + w->rows);
}

eis_status eis_mpc_test_supply_parts(uint64_t *to, eis_mpc_test_supply *s, eis_mpc_id wire, size_t at, size_t count)
{
    place p = {s->parts_at.masks, s->parts_at.corrections + s->parts[wire] + at};

    return take(to, s, &p, 0, count);
}
