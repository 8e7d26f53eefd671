/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "engine/mpc/sacrifice.h"
#include "service/mpc_model.h"
#include "service/mpc_seat_internal.h"

#include <string.h>

/* ---- load ---- */

/* Tests the load's material. */
static eis_status test_load(eis_mpc_seat *seat, const uint64_t *material, const eis_mpc_reader *tests)
{
    eis_status st = EIS_OK;
    eis_mpc_test_size size;
    uint64_t *words;

    eis_mpc_test_size_load(&size, seat->shapes, seat->shape_count);
    words = eis_mem_new_secret(size.words, sizeof *words);
    if (words == NULL) return EIS_ERR_MEMORY;
    EIS_TRY(eis_mpc_reader_test_load(tests, words, seat->shapes, seat->shape_count));
    EIS_TRY(eis_mpc_sacrifice_load(&seat->party, material, words));
out:
    eis_mem_free_wiped(words, size.words, sizeof *words);
    return st;
}

static eis_status load_matrices(eis_mpc_seat *seat)
{
    eis_status st = EIS_OK;
    const eis_mpc_matrix_shape *shapes = seat->shapes;
    bool tested = seat->session.tests.level > 0;
    eis_mpc_reader unit = {0}, reader, tests;
    eis_mpc_test_size size;
    uint64_t *corrections = NULL, *material = NULL;
    size_t words = 0;

    eis_mpc_test_size_load(&size, seat->shapes, seat->shape_count);
    for (uint32_t i = 0; i < seat->shape_count; i++) words += eis_mpc_load_words(&shapes[i]);
    EIS_TRY(eis_mpc_seat_await_weights(seat));
    EIS_TRY(eis_mpc_seat_open_unit(&unit, &corrections, seat, EIS_MPC_UNIT_LOAD));
    material = eis_mem_new_secret(words + 1, sizeof *material);
    EIS_REQUIRE(material != NULL, EIS_ERR_MEMORY, "no memory for %zu words of material", words);
    eis_mpc_seat_split_unit(&reader, &tests, &unit, tested ? size.corrections : 0);
    EIS_TRY(eis_mpc_reader_load(&reader, material, shapes, seat->shape_count));
    for (uint32_t i = 0; i < seat->shape_count; i++)
        eis_mpc_check_note(&seat->party.check, seat->weights[i],
                           (size_t)shapes[i].rows * shapes[i].columns * sizeof(uint64_t));
    for (uint32_t i = 0; i < seat->shape_count; i++) seat->input_words += (uint64_t)shapes[i].rows * shapes[i].columns;
    EIS_TRY(eis_mpc_party_load(&seat->party, shapes, seat->weights, seat->shape_count, material));
    if (tested) EIS_TRY(test_load(seat, material, &tests));
    EIS_TRY(eis_mpc_seat_prove(seat));
out:
    eis_mem_free_wiped(material, words + 1, sizeof *material);
    eis_mem_free_wiped(corrections, unit.correction_count + 1, sizeof *corrections);
    return st;
}

static eis_status load_vectors(eis_mpc_seat *seat)
{
    eis_status st = EIS_OK;
    uint32_t count;
    const eis_mpc_lm_vector *vectors = eis_mpc_model_vectors(&count, &seat->session);
    eis_mpc_graph graph = {0};
    eis_mpc_run run = {0};
    eis_mpc_id *nodes = NULL;

    EIS_NEW(nodes, count);
    EIS_TRY(eis_mpc_model_vectors_graph(&graph, nodes, &seat->session));
    EIS_TRY(eis_mpc_seat_walk(
        &run, seat,
        &(eis_mpc_walk_wish){.graph = &graph, .kind = EIS_MPC_UNIT_VECTORS, .keep = nodes, .keep_count = count}));
    EIS_TRY(eis_mpc_seat_prove(seat));
    for (uint32_t v = 0; v < count; v++)
        EIS_TRY(
            eis_mpc_cache_keep(&seat->cache, 2 * seat->session.lm.layers + v, &run.values[nodes[v]], vectors[v].count));
out:
    eis_mpc_run_clear(&run);
    eis_mpc_graph_clear(&graph);
    eis_mem_free(nodes);
    return st;
}

static void next_step(eis_mpc_seat *seat)
{
    pthread_mutex_lock(&seat->lock);
    seat->step++;
    eis_mpc_seat_forget_inputs(seat);
    seat->counted = (eis_mpc_counters){.load_rounds = seat->counted.load_rounds,
                                       .load_bytes = seat->counted.load_bytes,
                                       .load_unit_words = seat->counted.load_unit_words,
                                       .steps = seat->step,
                                       .rounds = seat->links.links.rounds,
                                       .bytes_to_each_peer = seat->links.links.bytes_sent,
                                       .units = seat->units,
                                       .unit_words = seat->unit_words,
                                       .input_words = seat->input_words};
    memcpy(seat->counted.seen, seat->links.seen, sizeof seat->counted.seen);
    if (seat->step == 1) {
        seat->counted.load_rounds = seat->counted.rounds;
        seat->counted.load_bytes = seat->counted.bytes_to_each_peer;
        seat->counted.load_unit_words = seat->counted.unit_words;
    }
    pthread_mutex_unlock(&seat->lock);
}

eis_status eis_mpc_seat_load(eis_mpc_seat *seat)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(seat->linked && !seat->loaded, EIS_ERR_PROTOCOL, "the weights are loaded once, when links are up");
    EIS_TRY(load_matrices(seat));
    EIS_TRY(load_vectors(seat));
    eis_mpc_lease_used(&seat->lease, seat->step);
    next_step(seat);
    seat->loaded = true;
out:
    return st;
}

/* ---- steps ---- */

/* Proves everything opened so far, then tells the world one number. */
static eis_status tell(uint32_t *token, eis_mpc_seat *seat, const eis_mpc_words *wire)
{
    eis_status st = EIS_OK;
    eis_mpc_party *party = &seat->party;
    uint64_t d = wire->pub[0], value = 0;

    EIS_TRY(eis_mpc_check_output(&party->check, &value, eis_fp_sub(seat->index == 0 ? d : 0, wire->share[0]),
                                 eis_fp_sub(eis_fp_mul(d, party->key), wire->mac[0]), party->key));
    EIS_REQUIRE(value < eis_mpc_model_answers(&seat->session), EIS_ERR_INTEGRITY,
                "what the parties tell is no answer of the model");
    *token = (uint32_t)value;
out:
    return st;
}

/* Lists the values of a step that are read behind it: keys and values for the cache, and what is told. */
static size_t list_kept(eis_mpc_id *keep, const eis_mpc_lm_step *step, const eis_mpc_lm *lm)
{
    size_t count = 0;

    for (uint32_t i = 0; i < eis_mpc_lm_slot_count(lm); i++) {
        keep[count] = eis_mpc_lm_step_kept(step, lm, i);
        count += keep[count] != EIS_MPC_NONE;
    }
    keep[count] = step->next;
    return count + (step->next != EIS_MPC_NONE);
}

eis_status eis_mpc_seat_step(eis_mpc_seat *seat, uint32_t *next, uint32_t secret, uint32_t left, uint32_t token)
{
    eis_status st = EIS_OK;
    const eis_mpc_lm *lm = &seat->session.lm;
    eis_mpc_lm_step step = {0};
    eis_mpc_run run = {0};
    eis_mpc_id *keep = NULL;
    bool head = secret == left;
    eis_mpc_walk_wish wish;
    eis_mpc_unit_kind kind = secret == 0 ? EIS_MPC_UNIT_NEXT : head ? EIS_MPC_UNIT_LAST : EIS_MPC_UNIT_PROMPT;

    EIS_REQUIRE(seat->loaded, EIS_ERR_PROTOCOL, "the weights are not loaded");
    EIS_TRY(eis_mpc_lease_step(&seat->lease, seat->step));
    if (secret > 0) seat->last_secret = seat->step;
    seat->count = secret > 0 ? secret : 1;
    seat->prompt = left;
    if (seat->session.kind == EIS_MPC_MODEL_CLASSIFIER) kind = EIS_MPC_UNIT_CLASSIFY;
    EIS_TRY(eis_mpc_model_step(&step, &seat->session, kind, seat->position, seat->count, &seat->sampling));
    if (secret == 0) step.graph.nodes[step.token].row = token;
    EIS_NEW(keep, (size_t)eis_mpc_lm_slot_count(lm) + 1);
    wish = (eis_mpc_walk_wish){
        .graph = &step.graph, .kind = kind, .coin = &step.coin, .keep = keep, .keep_count = list_kept(keep, &step, lm)};
    EIS_TRY(eis_mpc_seat_walk(&run, seat, &wish));
    EIS_TRY(eis_mpc_seat_prove(seat));
    if (head) EIS_TRY(tell(next, seat, &run.values[step.next]));
    for (uint32_t i = 0; i < eis_mpc_lm_slot_count(lm); i++) {
        eis_mpc_id id = eis_mpc_lm_step_kept(&step, lm, i);
        if (id != EIS_MPC_NONE)
            EIS_TRY(eis_mpc_cache_keep(&seat->cache, i, &run.values[id], step.graph.nodes[id].count));
    }
    seat->position += seat->count;
    eis_mpc_lease_used(&seat->lease, seat->step);
    next_step(seat);
out:
    eis_mpc_run_clear(&run);
    eis_mpc_lm_step_clear(&step);
    eis_mem_free(keep);
    return st;
}

void eis_mpc_seat_count(eis_mpc_counters *counters, eis_mpc_seat *seat)
{
    pthread_mutex_lock(&seat->lock);
    *counters = seat->counted;
    pthread_mutex_unlock(&seat->lock);
}
