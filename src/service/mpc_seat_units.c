/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "engine/mpc/ahead.h"
#include "engine/mpc/plan.h"
#include "engine/mpc/sacrifice.h"
#include "service/mpc_seat_internal.h"

#include <stdio.h>
#include <string.h>

#define TELL_MS  1000 /* who has waited this long for a unit tells the coordinator */
#define GRACE_MS 2000 /* for the answer that there is none */

static bool is_last(const eis_mpc_seat *seat) { return seat->index + 1 == seat->session.party_count; }

/* Under dealer.master_mask all masks are those of the first party. */
static bool is_maskless(const eis_mpc_seat *seat) { return seat->session.master_mask != 0 && seat->index > 0; }

static eis_status dry(const eis_mpc_seat *seat)
{
    return eis_fail(EIS_ERR_TRIPLES_EXHAUSTED, "no material for step %llu in %u ms (triple_pool.wait_ms)",
                    (unsigned long long)seat->step, seat->pool_wait_ms);
}

/* Tells the coordinator that a step waits. */
static eis_status tell_waiting(eis_mpc_seat *seat)
{
    eis_status st;
    eis_writer w;

    if (seat->coordinator == NULL) return EIS_OK;
    eis_wire_writer_init(&w, 64);
    eis_wire_writer_u64(&w, seat->step);
    st = eis_mpc_send(seat->coordinator, EIS_MPC_MESSAGE_WAITING, seat->number, &w, NULL, 0);
    eis_wire_writer_clear(&w);
    return st;
}

static eis_status ask_unit(eis_mpc_seat *seat, eis_mpc_unit_kind kind)
{
    eis_status st = EIS_OK;
    eis_writer w;

    eis_wire_writer_init(&w, 64);
    EIS_REQUIRE(!seat->asked || seat->asked_kind == kind, EIS_ERR_UNAVAILABLE,
                "the Triple Service has not answered what it was asked before");
    if (seat->asked) goto out;
    eis_wire_writer_u8(&w, (uint8_t)kind);
    eis_wire_writer_u64(&w, seat->step);
    eis_wire_writer_u32(&w, seat->position);
    eis_mpc_sampling_write(&w, &seat->sampling);
    eis_wire_writer_u32(&w, seat->count);
    EIS_TRY(eis_mpc_send(seat->dealer, EIS_MPC_MESSAGE_UNIT, seat->number, &w, NULL, 0));
    seat->asked = true;
    seat->asked_kind = kind;
out:
    eis_wire_writer_clear(&w);
    return st;
}

/* Receives a whole frame of the Triple Service: what has come of it when the time is over stays for the next try. */
static eis_status recv_unit(bool *late, eis_stream_frame *frame, eis_mpc_seat *seat, uint32_t wait_ms)
{
    size_t which = 1;
    eis_status st = eis_net_stream_recv_any(&which, frame, &seat->dealer, 1, wait_ms);

    *late = st == EIS_ERR_TIMEOUT && which == 1;
    return st;
}

/* Waits for the Triple Service's answer. The others hear in time that we do, and after a while the coordinator. */
static eis_status await_unit(eis_stream_frame *frame, eis_mpc_seat *seat)
{
    eis_status st = EIS_OK;
    uint64_t begin = eis_clock_ns(), until = eis_mpc_seat_deadline(seat->pool_wait_ms + GRACE_MS);
    uint32_t slice = seat->round_ms / 2 < TELL_MS ? seat->round_ms / 2 + 1 : TELL_MS;
    bool late = true, told = false;

    for (;;) {
        st = recv_unit(&late, frame, seat, slice);
        if (!late) break;
        if (eis_clock_ns() >= until) return dry(seat);
        EIS_TRY(eis_mpc_stream_links_tell(&seat->links, EIS_MPC_HELD_LATER));
        if (!told && eis_clock_ns() - begin >= TELL_MS * UINT64_C(1000000)) {
            told = true;
            EIS_TRY(tell_waiting(seat));
        }
    }
out:
    return st;
}

/* Fetches the corrections of a unit; all but the last party need none. The reader's words stay in *words. */
static eis_status fetch_unit(eis_mpc_reader *reader, uint64_t **words, eis_mpc_seat *seat, eis_mpc_unit_kind kind)
{
    eis_status st = EIS_OK;
    eis_stream_frame frame;
    eis_reader r;

    *words = NULL;
    *reader = (eis_mpc_reader){.seed = seat->seed, .maskless = is_maskless(seat)};
    if (!is_last(seat)) return EIS_OK;
    EIS_TRY(ask_unit(seat, kind));
    EIS_TRY(await_unit(&frame, seat));
    seat->asked = false;
    if (frame.header.type == EIS_MPC_MESSAGE_DRY) {
        EIS_TRY(eis_mpc_open_frame(&r, &frame, EIS_MPC_MESSAGE_DRY, seat->number));
        return dry(seat);
    }
    EIS_TRY(eis_mpc_open_frame(&r, &frame, EIS_MPC_MESSAGE_UNIT_IS, seat->number));
    reader->correction_count = eis_wire_reader_remaining(&r) / sizeof **words;
    *words = eis_mem_new_secret(reader->correction_count + 1, sizeof **words);
    if (*words == NULL) return EIS_ERR_MEMORY;
    EIS_TRY(eis_mpc_read_words(*words, reader->correction_count, &r));
    reader->corrections = *words;
    seat->units++;
    seat->unit_words += reader->correction_count;
out:
    return st;
}

/* A step begins when the last party has its unit: it tells the others so, and none of them sends anything of the step
 * before. `have`: what the last party found. Errors: EIS_ERR_TRIPLES_EXHAUSTED, in all parties; those of the links. */
static eis_status begin_step(eis_mpc_seat *seat, eis_status have)
{
    eis_status st = EIS_OK;
    bool held = have == EIS_OK;

    if (have != EIS_OK && have != EIS_ERR_TRIPLES_EXHAUSTED) return have;
    if (is_last(seat))
        EIS_TRY(eis_mpc_stream_links_tell(&seat->links, held ? EIS_MPC_HELD_YES : EIS_MPC_HELD_NO));
    else
        EIS_TRY(eis_mpc_stream_links_hear(&held, &seat->links, seat->pool_wait_ms + GRACE_MS + seat->round_ms));
    if (!held) st = dry(seat);
out:
    return st;
}

eis_status eis_mpc_seat_open_unit(eis_mpc_reader *reader, uint64_t **words, eis_mpc_seat *seat, eis_mpc_unit_kind kind)
{
    return begin_step(seat, fetch_unit(reader, words, seat, kind));
}

void eis_mpc_seat_split_unit(eis_mpc_reader *material, eis_mpc_reader *tests, const eis_mpc_reader *unit,
                             size_t test_count)
{
    *material = *tests = *unit;
    if (unit->corrections == NULL) return;
    tests->correction_count = unit->correction_count < test_count ? unit->correction_count : test_count;
    material->correction_count -= tests->correction_count;
    tests->corrections += material->correction_count;
}

/* Tells the Triple Service how the tests of a unit ended. It counts them; who cannot be told need not be. */
static void tell_tested(eis_mpc_seat *seat, bool passed)
{
    char why[256];
    eis_writer w;

    snprintf(why, sizeof why, "%s", eis_error_detail());
    eis_wire_writer_init(&w, 64);
    eis_wire_writer_u8(&w, passed);
    if (eis_mpc_send(seat->dealer, EIS_MPC_MESSAGE_TESTED, seat->number, &w, NULL, 0) != EIS_OK) eis_error_clear();
    eis_wire_writer_clear(&w);
    if (!passed) (void)eis_fail(EIS_ERR_INTEGRITY, "%s", why);
}

/* A failed check does not say of what, so it counts as one of material where material is tested. */
static void tell_proved(eis_mpc_seat *seat, eis_status st)
{
    if (seat->session.tests.level > 0 && is_last(seat) && (st == EIS_OK || st == EIS_ERR_INTEGRITY))
        tell_tested(seat, st == EIS_OK);
}

eis_status eis_mpc_seat_prove(eis_mpc_seat *seat)
{
    eis_status st = eis_mpc_check_run(&seat->party.check);

    tell_proved(seat, st);
    return st;
}

/* Turns the dealer's random number by a coin that is tossed when the last party has its unit: until then nobody shows
 * what it put in, so neither a dealer nor a party chooses the token. What is drawn from enters the transcript. */
static eis_status toss(eis_mpc_seat *seat, const eis_mpc_sample_coin *place)
{
    eis_status st = EIS_OK;
    uint8_t coin[EIS_MPC_DIGEST_BYTES];

    eis_mpc_check_note(&seat->party.check, &seat->sampling.top_k, sizeof seat->sampling.top_k);
    eis_mpc_check_note(&seat->party.check, &seat->sampling.temperature, sizeof seat->sampling.temperature);
    EIS_TRY(eis_mpc_check_coin(&seat->party.check, coin));
    eis_mpc_sample_set_coin(place, coin);
out:
    return st;
}

/* Where the links and the check stand. */
typedef struct mark {
    uint64_t rounds, bytes, windows;
} mark;

static mark mark_of(const eis_mpc_seat *seat)
{
    return (mark){seat->links.links.rounds, seat->links.links.bytes_sent, seat->party.check.window};
}

/* Counts a walk: its layers by the graph, and what went over the links since `from`, less the checks in between. */
static eis_status count_walk(eis_mpc_seat *seat, const eis_mpc_graph *graph, const mark *from)
{
    const mark now = mark_of(seat);
    uint64_t checks = now.windows - from->windows, rounds = EIS_MPC_CHECK_ROUNDS * checks;
    eis_status st;

    if (graph->section_count == 0) return EIS_OK;
    pthread_mutex_lock(&seat->lock);
    st = eis_mpc_layers_add(&seat->layers, graph);
    seat->layers.rounds += now.rounds - from->rounds - rounds;
    seat->layers.bytes += now.bytes - from->bytes - EIS_MPC_CHECK_BYTES * checks -
                          rounds * (EIS_FRAME_HEADER_BYTES + EIS_MPC_FRAME_BYTES);
    pthread_mutex_unlock(&seat->lock);
    return st;
}

void eis_mpc_seat_write_layers(eis_writer *w, eis_mpc_seat *seat)
{
    pthread_mutex_lock(&seat->lock);
    eis_mpc_layers_write(w, &seat->layers);
    pthread_mutex_unlock(&seat->lock);
}

/* Tests a unit before its walk opens anything; where the dealer is trusted, its inputs behind it. Both read the unit
 * gate by gate, and values that nobody needs any more make room. */
static eis_status walk_unit(eis_mpc_run *run, eis_mpc_seat *seat, const eis_mpc_walk_wish *wish,
                            const eis_mpc_reader *unit, const eis_mpc_ahead *ahead, uint64_t number)
{
    eis_status st = EIS_OK;
    const eis_mpc_source source = {.context = seat, .input = eis_mpc_seat_take_input, .kept = eis_mpc_seat_take_kept};
    const eis_mpc_tests what = seat->session.tests;
    eis_mpc_reader reader, spares;
    const eis_mpc_pass pass = {.reader = &reader,
                               .step = number,
                               .source = &source,
                               .ahead = ahead,
                               .keep = wish->keep,
                               .keep_count = wish->keep_count};
    const eis_mpc_sacrifice test = {
        .graph = wish->graph, .unit = &reader, .spares = &spares, .step = number, .source = &source, .tests = what};
    eis_mpc_test_size size;
    mark begin;

    eis_mpc_test_size_graph(&size, wish->graph, what);
    eis_mpc_seat_split_unit(&reader, &spares, unit, size.corrections);
    if (what.level > 0) EIS_TRY(eis_mpc_sacrifice_run(NULL, &seat->party, &test));
    begin = mark_of(seat);
    EIS_TRY(eis_mpc_party_pass(run, &seat->party, wish->graph, &pass));
    EIS_TRY(count_walk(seat, wish->graph, &begin));
    if (what.level == 0) EIS_TRY(eis_mpc_sacrifice_run(NULL, &seat->party, &test));
out:
    return st;
}

/* While a unit is on its way, all that needs our own seed alone. */
static eis_status get_ahead(eis_mpc_ahead *ahead, eis_mpc_seat *seat, const eis_mpc_walk_wish *wish, uint64_t number)
{
    eis_status st = EIS_OK;
    const eis_mpc_source source = {.context = seat, .input = eis_mpc_seat_take_input, .kept = eis_mpc_seat_take_kept};

    if (is_last(seat)) EIS_TRY(ask_unit(seat, wish->kind));
    EIS_TRY(eis_mpc_ahead_make(ahead, &(eis_mpc_ahead_wish){.party = &seat->party,
                                                            .graph = wish->graph,
                                                            .seed = seat->seed,
                                                            .step = number,
                                                            .maskless = is_maskless(seat),
                                                            .source = &source}));
out:
    return st;
}

eis_status eis_mpc_seat_walk(eis_mpc_run *run, eis_mpc_seat *seat, const eis_mpc_walk_wish *wish)
{
    eis_status st = EIS_OK;
    eis_mpc_reader unit = {0};
    eis_mpc_ahead ahead = {0};
    uint64_t *corrections = NULL, number = eis_mpc_unit_number(wish->kind, seat->step, seat->last_secret);

    seat->links.step = (uint32_t)seat->step;
    EIS_TRY(get_ahead(&ahead, seat, wish, number));
    EIS_TRY(eis_mpc_seat_open_unit(&unit, &corrections, seat, wish->kind));
    if (wish->coin != NULL && wish->coin->signs != NULL) EIS_TRY(toss(seat, wish->coin));
    EIS_TRY(walk_unit(run, seat, wish, &unit, &ahead, number));
out:
    if (st == EIS_ERR_INTEGRITY) tell_proved(seat, st);
    eis_mpc_ahead_clear(&ahead);
    eis_mem_free_wiped(corrections, unit.correction_count + 1, sizeof *corrections);
    return st;
}
