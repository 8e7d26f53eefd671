/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/material.h"

#include "base/ct.h"
#include "engine/mpc/digest.h"

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

/* A reader at work. */
typedef struct reading {
    const eis_mpc_reader *reader;
    eis_mpc_stream main, own; /* the stream of the step or load; that of one input or matrix */
    size_t at;                /* corrections taken */
} reading;

static void end_reading(reading *r)
{
    eis_mpc_stream_clear(&r->main);
    eis_mpc_stream_clear(&r->own);
}

/* Takes corrections: from the dealer, or where we are not the last party from the stream. */
static eis_status take_corrections(reading *r, uint64_t *words, size_t count)
{
    eis_status st = EIS_OK;
    const eis_mpc_reader *from = r->reader;

    if (from->corrections == NULL) return eis_mpc_stream_words(&r->main, words, count);
    EIS_REQUIRE(from->correction_count - r->at >= count, EIS_ERR_PROTOCOL,
                "the Triple Service sent %zu words of corrections, and more are needed", from->correction_count);
    memcpy(words, from->corrections + r->at, count * sizeof *words);
    r->at += count;
out:
    return st;
}

static eis_status take(reading *r, uint64_t *words, size_t masks, size_t corrections)
{
    eis_status st = eis_mpc_stream_words(&r->main, words, masks);

    if (r->reader->maskless) memset(words, 0, masks * sizeof *words);
    return st == EIS_OK ? take_corrections(r, words + masks, corrections) : st;
}

/* Takes masks from a stream of their own. */
static eis_status take_own(reading *r, uint64_t *words, size_t count, eis_mpc_purpose purpose, uint64_t number)
{
    eis_status st = eis_mpc_stream_start(&r->own, r->reader->seed, purpose, number);

    if (st == EIS_OK) st = eis_mpc_stream_words(&r->own, words, count);
    if (r->reader->maskless) memset(words, 0, count * sizeof *words);
    return st;
}

/* The dealer's doing, and the session ends. */
static eis_status require_words(const uint64_t *words, size_t count)
{
    eis_status st = EIS_OK;
    uint64_t over = 0;

    for (size_t i = 0; i < count; i++) over |= (uint64_t)(words[i] >= EIS_FP_P);
    EIS_PUBLIC(&over, sizeof over);
    EIS_REQUIRE(over == 0, EIS_ERR_PROTOCOL, "a correction is not a word of the field");
out:
    return st;
}

eis_status eis_mpc_reader_expect(const eis_mpc_reader *reader, size_t corrections)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(reader->corrections == NULL || reader->correction_count == corrections, EIS_ERR_PROTOCOL,
                "the Triple Service sent %zu words of corrections, and %zu are needed", reader->correction_count,
                corrections);
out:
    return st;
}

eis_status eis_mpc_reader_copy(uint64_t *to, const eis_mpc_reader *reader, size_t first, size_t count)
{
    EIS_ASSERT(first <= reader->correction_count && count <= reader->correction_count - first);
    memcpy(to, reader->corrections + first, count * sizeof *to);
    return require_words(to, count);
}

/* All corrections used, each a word of the field. */
static eis_status check_corrections(const reading *r)
{
    const eis_mpc_reader *from = r->reader;
    eis_status st = eis_mpc_reader_expect(from, r->at);

    return st == EIS_OK && from->corrections != NULL ? require_words(from->corrections, from->correction_count) : st;
}

eis_status eis_mpc_reader_graph(const eis_mpc_reader *reader, uint64_t *words, const eis_mpc_graph *graph,
                                uint64_t step)
{
    eis_status st = EIS_OK;
    uint8_t digest[EIS_MPC_DIGEST_BYTES];
    reading r = {.reader = reader};
    eis_mpc_cost cost;

    EIS_TRY(eis_mpc_graph_digest(digest, graph));
    EIS_TRY(eis_mpc_stream_start_graph(&r.main, reader->seed, EIS_MPC_PURPOSE_STEP, step, digest));
    for (eis_mpc_id id = 0; id < graph->node_count; id++) {
        const eis_mpc_node *node = &graph->nodes[id];
        eis_mpc_node_cost(&cost, graph, id);
        if (node->op == EIS_MPC_OP_INPUT) {
            EIS_TRY(take_own(&r, words, cost.masks, EIS_MPC_PURPOSE_INPUT, eis_mpc_input_number(step, node->slot)));
            EIS_TRY(take_corrections(&r, words + cost.masks, cost.corrections));
        } else {
            EIS_TRY(take(&r, words, cost.masks, cost.corrections));
        }
        words += cost.masks + cost.corrections;
    }
    EIS_TRY(check_corrections(&r));
out:
    end_reading(&r);
    return st;
}

eis_status eis_mpc_reader_load(const eis_mpc_reader *reader, uint64_t *words, const eis_mpc_matrix_shape *shapes,
                               uint32_t count)
{
    eis_status st = EIS_OK;
    reading r = {.reader = reader};

    EIS_TRY(eis_mpc_stream_start(&r.main, reader->seed, EIS_MPC_PURPOSE_LOAD, 0));
    for (uint32_t i = 0; i < count; i++) {
        const eis_mpc_matrix_shape *s = &shapes[i];
        size_t sides[2][2] = {{s->rows, s->columns}, {s->columns, s->rows}};
        bool used[2] = {s->products, s->selection};
        EIS_TRY(take_own(&r, words, (size_t)s->rows * s->columns, EIS_MPC_PURPOSE_WEIGHTS, i));
        words += (size_t)s->rows * s->columns;
        for (int side = 0; side < 2; side++) {
            size_t out = sides[side][0], in = sides[side][1];
            if (!used[side]) continue;
            EIS_TRY(take(&r, words, out, out));
            EIS_TRY(take(&r, words + 2 * out, in, in));
            EIS_TRY(take(&r, words + 2 * out + 2 * in, 0, 2 * in));
            words += tag_words(out, in);
        }
    }
    EIS_TRY(check_corrections(&r));
out:
    end_reading(&r);
    return st;
}

/* ---- what units are tested with ---- */

/* One pair for each factor that is the first of a set. */
static size_t product_pairs(const eis_mpc_node *node)
{
    unsigned firsts = 0;

    for (unsigned set = 1; set < 1u << node->in_count; set++)
        if (eis_mpc_product_dealt(node, set)) firsts |= set & (~set + 1);
    return node->count * (size_t)__builtin_popcount(firsts);
}

uint32_t eis_mpc_dot_run(const eis_mpc_node *node, uint32_t group)
{
    const uint32_t *at = node->dot.a_at;
    uint32_t end = group + 1;

    while (end < node->count && at[end] == at[group]) end++;
    return end - group;
}

static size_t dot_pairs(const eis_mpc_node *node)
{
    size_t runs = 0;

    for (uint32_t g = 0; g < node->count; g += eis_mpc_dot_run(node, g)) runs++;
    return runs * node->dot.inner;
}

static void count_products(eis_mpc_test_size *size, const eis_mpc_node *node, eis_mpc_tests tests)
{
    if (tests.inputs && node->op == EIS_MPC_OP_INPUT) {
        if (node->one_hot > 0) size->squares += node->count / node->one_hot;
        if (node->bits) size->squares += node->count;
    }
    if (tests.level == 0) return;
    if (node->op == EIS_MPC_OP_PRODUCT) size->pairs += product_pairs(node);
    if (node->op == EIS_MPC_OP_DOT) size->pairs += dot_pairs(node);
    if (node->op == EIS_MPC_OP_DIGITS) {
        size->pairs += node->cmp.elements;
        size->squares += (size_t)node->cmp.elements * node->cmp.digits;
    }
    if (tests.level > 1 && node->cut) size->squares += (size_t)node->count * (EIS_MPC_PART_COUNT + 1);
}

void eis_mpc_test_size_graph(eis_mpc_test_size *size, const eis_mpc_graph *graph, eis_mpc_tests tests)
{
    memset(size, 0, sizeof *size);
    if (tests.level > 0) *size = (eis_mpc_test_size){.opened = 1, .words = 2, .corrections = 1};
    for (eis_mpc_id id = 0; id < graph->node_count; id++) {
        const eis_mpc_node *node = &graph->nodes[id];
        count_products(size, node, tests);
        if (tests.level > 0 && node->op == EIS_MPC_OP_MATRIX) {
            const eis_mpc_matrix_shape *w = &graph->matrices[node->matrix];
            size->opened += w->columns;
            size->words += 2 * (size_t)w->columns + w->rows;
            size->corrections += (size_t)w->columns + w->rows;
        }
        if (tests.level > 1 && node->cut) {
            size->words += 2 * (size_t)node->count * EIS_MPC_PART_ENTRIES;
            size->corrections += 2 * (size_t)node->count * EIS_MPC_PART_ENTRIES;
        }
    }
    size->opened += 2 * size->pairs + size->squares;
    size->words += 4 * size->pairs + (size->pairs > 0) + 3 * size->squares;
    size->corrections += 2 * size->pairs + (size->pairs > 0) + 2 * size->squares;
}

void eis_mpc_test_size_load(eis_mpc_test_size *size, const eis_mpc_matrix_shape *shapes, uint32_t count)
{
    *size = (eis_mpc_test_size){.opened = 1, .words = 2, .corrections = 1};
    for (uint32_t i = 0; i < count; i++) {
        size_t out[2] = {shapes[i].products ? shapes[i].rows : 0, shapes[i].selection ? shapes[i].columns : 0};
        for (int side = 0; side < 2; side++) {
            size->opened += out[side];
            size->words += out[side] + (out[side] > 0);
            size->corrections += out[side] > 0;
        }
    }
}

eis_status eis_mpc_reader_test_load(const eis_mpc_reader *reader, uint64_t *words, const eis_mpc_matrix_shape *shapes,
                                    uint32_t count)
{
    eis_status st = EIS_OK;
    reading r = {.reader = reader};

    EIS_TRY(eis_mpc_stream_start(&r.main, reader->seed, EIS_MPC_PURPOSE_TEST, EIS_MPC_TEST_LOAD));
    EIS_TRY(take(&r, words, 1, 1));
    words += 2;
    for (uint32_t i = 0; i < count; i++) {
        size_t out[2] = {shapes[i].products ? shapes[i].rows : 0, shapes[i].selection ? shapes[i].columns : 0};
        for (int side = 0; side < 2; side++) {
            if (out[side] == 0) continue;
            EIS_TRY(take(&r, words, out[side], 1));
            words += out[side] + 1;
        }
    }
    EIS_TRY(check_corrections(&r));
out:
    end_reading(&r);
    return st;
}
