/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/sacrifice.h"

#include "base/mem.h"
#include "engine/mpc/sacrifice_internal.h"

#include <string.h>

typedef eis_mpc_testing testing;

/* ---- memory ---- */

/* What is public of a wire: INPUT, KEPT, PUBLIC and RANDOM nodes write it when their masks are asked for. */
static bool writes_public(const eis_mpc_node *node)
{
    return node->op == EIS_MPC_OP_INPUT || node->op == EIS_MPC_OP_KEPT || node->op == EIS_MPC_OP_PUBLIC ||
           node->op == EIS_MPC_OP_RANDOM;
}

/* Room for masks, each as long as it is needed. */
static eis_status place_masks(testing *t)
{
    eis_status st = EIS_OK;
    const eis_mpc_graph *g = t->graph;
    eis_mpc_run *run = &t->run;

    EIS_TRY(eis_mpc_layout_masks(&t->walk.layout, g));
    for (eis_mpc_id id = 0; id < g->node_count; id++)
        if (writes_public(&g->nodes[id]) && g->nodes[id].count > t->pub_words) t->pub_words = g->nodes[id].count;
    EIS_NEW(run->values, g->node_count);
    run->arena_words = t->tests.level > 0 ? t->walk.layout.words : 2 * t->pub_words; /* inputs, one after another */
    run->arena = eis_mem_new_secret_raw(run->arena_words + 1, sizeof *run->arena);
    t->pub = eis_mem_new_secret_raw(t->pub_words + 1, sizeof *t->pub);
    EIS_REQUIRE(run->arena != NULL && t->pub != NULL, EIS_ERR_MEMORY, "no memory for masks of %zu words",
                run->arena_words);
    for (eis_mpc_id id = 0; id < g->node_count; id++) {
        const eis_mpc_node *node = &g->nodes[id];
        eis_mpc_words *r = &run->values[id];
        if (node->form != EIS_MPC_WIRE) continue;
        if (eis_mpc_is_view(node)) {
            *r = (eis_mpc_words){.share = run->values[node->in[0]].share + node->first,
                                 .mac = run->values[node->in[0]].mac + node->first};
            continue;
        }
        r->pub = t->pub;
        r->share = run->arena + (t->tests.level > 0 ? t->walk.layout.at[id] : 0);
        r->mac = r->share + node->count;
    }
out:
    return st;
}

/* Room for the tests of the widest nodes, and for what has to be 0 in the end. */
static eis_status make_room(testing *t)
{
    eis_status st = EIS_OK;
    const eis_mpc_graph *g = t->graph;
    eis_mpc_test_room most = {0};
    eis_mpc_walk *w = &t->walk;
    size_t rows = 0;

    for (eis_mpc_id id = 0; id < g->node_count; id++) {
        const eis_mpc_node *node = &g->nodes[id];
        eis_mpc_test_room room;
        eis_mpc_test_room_of(&room, t, id);
        if (room.r > most.r) most.r = room.r;
        if (room.scratch > most.scratch) most.scratch = room.scratch;
        if (room.buffer > most.buffer) most.buffer = room.buffer;
        if (t->tests.inputs && node->op == EIS_MPC_OP_INPUT && node->one_hot > 0) rows += node->count / node->one_hot;
        if (t->tests.level == 0 || node->op != EIS_MPC_OP_MATRIX) continue;
        t->matrix_room++;
        if (g->matrices[node->matrix].rows > t->matrix_rows) t->matrix_rows = g->matrices[node->matrix].rows;
    }
    w->buffer_words = most.buffer;
    t->zeros = 1 + t->matrix_room;
    t->zero_room = t->zeros + rows;
    EIS_NEW(t->matrix, t->matrix_room);
    EIS_NEW(t->matrix_r, t->matrix_rows);
    t->zero = eis_mem_new_secret(t->zero_room, sizeof *t->zero);
    w->buffer = eis_mem_new_secret_raw(w->buffer_words + 1, sizeof *w->buffer);
    EIS_REQUIRE(t->zero != NULL && w->buffer != NULL, EIS_ERR_MEMORY, "no memory for material of %zu words",
                w->buffer_words);
    EIS_TRY(eis_mpc_testing_make_room(t, most.r, most.scratch));
    EIS_TRY(eis_mpc_testing_open_queue(t));
out:
    return st;
}

static size_t words_of(const testing *t)
{
    return t->run.arena_words + t->pub_words + t->walk.buffer_words + t->widest + t->scratch_words + t->matrix_rows +
           3 * t->matrix_room + t->zero_room + eis_mpc_testing_queue_words(t);
}

static void clear(testing *t)
{
    eis_mpc_testing_close_queue(t);
    eis_mem_free_wiped(t->zero, t->zero_room, sizeof *t->zero);
    eis_mem_free(t->matrix);
    eis_mem_free(t->matrix_r);
    eis_mem_free_wiped(t->walk.buffer, t->walk.buffer_words + 1, sizeof *t->walk.buffer);
    eis_mem_free_wiped(t->pub, t->pub_words + 1, sizeof *t->pub);
    eis_mpc_layout_clear(&t->walk.layout);
    eis_mpc_supply_clear(&t->unit);
    eis_mpc_test_supply_clear(&t->spares);
    eis_mpc_run_clear(&t->run);
    eis_mpc_testing_clear(t);
}

/* ---- the test of a unit ---- */

/* Whoever puts something in has to have done so before the coin is tossed. */
static eis_status await_inputs(testing *t)
{
    eis_status st = EIS_OK;
    const eis_mpc_graph *g = t->graph;
    const eis_mpc_source *source = t->walk.source;

    for (eis_mpc_id id = 0; id < g->node_count; id++)
        if (g->nodes[id].op == EIS_MPC_OP_INPUT)
            EIS_TRY(source->input(source->context, g->nodes[id].slot, t->pub, g->nodes[id].count));
out:
    return st;
}

static eis_status test_nodes(testing *t)
{
    eis_status st = EIS_OK;

    for (uint32_t q = 0; q < t->graph->node_count; q++) {
        eis_mpc_id id = t->walk.layout.order[q];
        if (t->tests.level == 0 && t->graph->nodes[id].op != EIS_MPC_OP_INPUT) continue;
        EIS_TRY(eis_mpc_mask_gate(&t->walk, id));
        EIS_TRY(eis_mpc_test_node(t, id));
    }
    EIS_ASSERT(t->pair == t->size.pairs && t->square == t->size.squares);
out:
    return st;
}

/* The combination of all words, under its spare mask. */
static eis_status open_combination(testing *t)
{
    uint64_t s[2];
    eis_status st = eis_mpc_test_supply_combination(s, &t->spares);

    if (st != EIS_OK) return st;
    s[0] = eis_fp_add(s[0], t->sum[0]);
    s[1] = eis_fp_add(s[1], t->sum[1]);
    return eis_mpc_testing_words(t, (eis_mpc_auths){&s[0], &s[1], 1}, 1);
}

/* What has to be 0, now that everything is open. */
static eis_status add_zeros(testing *t)
{
    eis_status st = EIS_OK;
    eis_mpc_check *check = &t->party->check;
    uint64_t sum;

    EIS_ASSERT(t->queue.opened == t->size.opened && t->zeros == t->zero_room && t->matrices_done == t->matrix_room);
    if (t->size.pairs > 0) {
        EIS_TRY(eis_mpc_test_supply_pair_sum(&sum, &t->spares));
        eis_mpc_testing_find(t, sum);
    }
    EIS_TRY(eis_mpc_check_add(check, t->zero, t->zeros));
    EIS_TRY(eis_mpc_check_relieve(check));
out:
    return st;
}

eis_status eis_mpc_sacrifice_run(size_t *most_words, eis_mpc_party *party, const eis_mpc_sacrifice *wish)
{
    eis_status st = EIS_OK;
    const eis_mpc_graph *graph = wish->graph;
    bool first = party->links->index == 0;
    testing t = {.party = party, .graph = graph, .tests = wish->tests, .one = first};

    t.walk = (eis_mpc_walk){
        .party = party, .graph = graph, .source = wish->source, .run = &t.run, .supply = &t.unit, .first = first};
    eis_mpc_test_size_graph(&t.size, graph, wish->tests);
    if (most_words != NULL) *most_words = 0;
    if (t.size.opened == 0) return EIS_OK;
    EIS_TRY(eis_mpc_supply_read(&t.unit, graph, wish->unit, wish->step));
    EIS_TRY(eis_mpc_test_supply_start(&t.spares, graph, wish->spares, wish->tests, wish->step));
    EIS_TRY(place_masks(&t));
    EIS_TRY(make_room(&t));
    if (most_words != NULL) *most_words = words_of(&t);
    EIS_TRY(await_inputs(&t));
    EIS_TRY(eis_mpc_testing_toss(&t));
    EIS_TRY(eis_mpc_testing_begin_queue(&t));
    EIS_TRY(test_nodes(&t));
    if (wish->tests.level > 0) EIS_TRY(open_combination(&t));
    EIS_TRY(add_zeros(&t));
out:
    clear(&t);
    return st;
}

/* ---- costs ---- */

/* Adds residues; counts a check where it has to run. */
static void count_residues(size_t *pending, uint32_t *checks, size_t more, size_t pending_max)
{
    *pending += more;
    if (*pending < pending_max) return;
    *pending = 0;
    ++*checks;
}

static void count_tests(size_t *pending, uint32_t *checks, const eis_mpc_graph *graph, eis_mpc_tests tests,
                        size_t pending_max)
{
    eis_mpc_test_size size;
    size_t zeros = 1;

    eis_mpc_test_size_graph(&size, graph, tests);
    if (size.opened == 0) return;
    for (eis_mpc_id id = 0; id < graph->node_count; id++) {
        const eis_mpc_node *node = &graph->nodes[id];
        if (tests.inputs && node->op == EIS_MPC_OP_INPUT && node->one_hot > 0) zeros += node->count / node->one_hot;
        if (tests.level > 0) zeros += node->op == EIS_MPC_OP_MATRIX;
    }
    for (size_t left = size.opened, n; left > 0; left -= n) {
        n = left < EIS_MPC_TEST_FRAME_WORDS ? left : EIS_MPC_TEST_FRAME_WORDS;
        count_residues(pending, checks, n, pending_max);
    }
    count_residues(pending, checks, zeros, pending_max);
}

eis_status eis_mpc_checks_between(uint32_t *checks, const eis_mpc_graph *graph, eis_mpc_tests tests, size_t pending_max)
{
    eis_status st = EIS_OK;
    size_t pending = 0, *residues = NULL;

    *checks = 0;
    EIS_NEW(residues, (size_t)graph->rounds + 1);
    for (eis_mpc_id id = 0; id < graph->node_count; id++) {
        const eis_mpc_node *node = &graph->nodes[id];
        if (node->op == EIS_MPC_OP_MASK) residues[node->round] += node->count;
        if (node->op == EIS_MPC_OP_MATRIX) residues[node->round] += node->count / graph->matrices[node->matrix].rows;
        if (node->op == EIS_MPC_OP_ROW) residues[node->round]++;
    }
    if (tests.level > 0) count_tests(&pending, checks, graph, tests, pending_max);
    for (uint32_t r = 1; r <= graph->rounds; r++) count_residues(&pending, checks, residues[r], pending_max);
    if (tests.level == 0) count_tests(&pending, checks, graph, tests, pending_max);
out:
    eis_mem_free(residues);
    return st;
}
