/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_seat.h"

#include "base/clock.h"
#include "base/mem.h"
#include "engine/mpc/ahead.h"
#include "engine/mpc/material.h"
#include "engine/mpc/plan.h"
#include "engine/mpc/sacrifice.h"
#include "service/mpc_key_hash.h"
#include "service/mpc_model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define INPUT_WORDS_MAX ((size_t)EIS_MPC_COUNT_MAX)
#define TELL_MS         1000 /* who has waited this long for a unit tells the coordinator */
#define GRACE_MS        2000 /* for the answer that there is none */

eis_status eis_mpc_seat_new(eis_mpc_seat **out_seat, uint32_t index, const void *document, size_t bytes)
{
    eis_status st = EIS_OK;
    eis_mpc_seat *seat = NULL;
    pthread_condattr_t clock;

    *out_seat = NULL;
    EIS_NEW(seat, 1);
    pthread_mutex_init(&seat->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&seat->changed, &clock);
    pthread_condattr_destroy(&clock);
    EIS_TRY(eis_mpc_session_read(&seat->session, document, bytes));
    EIS_REQUIRE(index < seat->session.party_count, EIS_ERR_PROTOCOL, "there is no party %u in this session", index);
    seat->index = index;
    seat->sampling = (eis_mpc_sampling){.top_k = 1};
    seat->number = eis_mpc_session_number(&seat->session);
    seat->shapes = eis_mpc_model_shapes(&seat->shape_count, &seat->session);
    EIS_NEW(seat->weights, seat->shape_count);
    EIS_NEW(seat->weights_sent, seat->shape_count);
    EIS_TRY(eis_mpc_cache_init(&seat->cache, eis_mpc_model_slot_count(&seat->session)));
    *out_seat = seat;
    seat = NULL;
out:
    eis_mpc_seat_free(seat);
    return st;
}

void eis_mpc_seat_free(eis_mpc_seat *seat)
{
    if (seat == NULL) return;
    eis_mpc_lease_end(&seat->lease);
    eis_mpc_party_clear(&seat->party);
    eis_mpc_cache_clear(&seat->cache);
    eis_mpc_layers_clear(&seat->layers);
    for (uint32_t i = 0; seat->weights != NULL && i < seat->shape_count; i++) eis_mem_free(seat->weights[i]);
    eis_mem_free(seat->weights);
    eis_mem_free(seat->weights_sent);
    for (eis_mpc_inbox *in = seat->inbox, *next; in != NULL; in = next) {
        next = in->next;
        eis_mem_free(in->words);
        eis_mem_free(in);
    }
    for (uint32_t p = 0; p < EIS_MPC_PARTIES_MAX; p++) eis_net_stream_free(seat->outbound[p]);
    eis_net_stream_free(seat->dealer);
    eis_mpc_session_clear(&seat->session);
    pthread_cond_destroy(&seat->changed);
    pthread_mutex_destroy(&seat->lock);
    eis_mem_wipe(seat, sizeof *seat);
    eis_mem_free(seat);
}

static void cancel(eis_stream *stream)
{
    if (stream != NULL) eis_net_stream_cancel(stream);
}

void eis_mpc_seat_end(eis_mpc_seat *seat)
{
    pthread_mutex_lock(&seat->lock);
    seat->over = true;
    for (uint32_t p = 0; p < EIS_MPC_PARTIES_MAX; p++) {
        cancel(seat->inbound[p]);
        cancel(seat->outbound[p]);
    }
    for (int i = 0; i < EIS_MPC_OWNERS_MAX; i++) cancel(seat->owner[i]);
    cancel(seat->dealer);
    pthread_cond_broadcast(&seat->changed);
    pthread_mutex_unlock(&seat->lock);
}

void eis_mpc_seat_finish(eis_mpc_seat *seat)
{
    pthread_mutex_lock(&seat->lock);
    seat->finished = true;
    pthread_cond_broadcast(&seat->changed);
    pthread_mutex_unlock(&seat->lock);
}

/* Waits under the lock until something changes. Errors: EIS_ERR_TIMEOUT, EIS_ERR_CLOSED. */
static eis_status wait_for_change(eis_mpc_seat *seat, uint64_t until_ns, const char *what)
{
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000u), .tv_nsec = (long)(until_ns % 1000000000u)};

    if (seat->refused != EIS_OK) return eis_fail(seat->refused, "an owner ends the session: %s", seat->refusal);
    if (pthread_cond_timedwait(&seat->changed, &seat->lock, &until) == ETIMEDOUT)
        return eis_fail(EIS_ERR_TIMEOUT, "no %s in time", what);
    if (seat->over) return eis_fail(EIS_ERR_CLOSED, "the session has ended");
    return EIS_OK;
}

static uint64_t deadline(uint32_t ms) { return eis_clock_ns() + (uint64_t)ms * 1000000u; }

/* ---- links ---- */

static eis_status greet(eis_mpc_seat *seat, eis_stream *stream)
{
    eis_status st = EIS_OK;
    eis_writer w;

    eis_wire_writer_init(&w, 64);
    eis_wire_writer_u8(&w, EIS_MPC_ROLE_PARTY);
    eis_wire_writer_u32(&w, seat->index);
    eis_wire_writer_u64(&w, seat->number);
    st = eis_mpc_send(stream, EIS_MPC_MESSAGE_HELLO, 0, &w, NULL, 0);
    eis_wire_writer_clear(&w);
    return st;
}

/* Calls a member and keeps the stream where eis_mpc_seat_end finds it. */
static eis_status call(eis_stream **kept, eis_mpc_seat *seat, eis_mpc_dial dial, void *context,
                       const eis_mpc_member *member)
{
    eis_stream *stream = NULL;
    eis_status st = dial(context, &stream, member);

    pthread_mutex_lock(&seat->lock);
    *kept = stream;
    if (seat->over) cancel(stream);
    pthread_mutex_unlock(&seat->lock);
    return st == EIS_OK ? greet(seat, stream) : st;
}

static eis_status link_dealer(eis_mpc_seat *seat, eis_mpc_dial dial, void *context)
{
    eis_status st = EIS_OK;
    eis_reader r;
    const uint8_t *seed;

    EIS_TRY(call(&seat->dealer, seat, dial, context, &seat->session.dealer));
    EIS_TRY(eis_mpc_await(&r, seat->dealer, EIS_MPC_MESSAGE_WELCOME, seat->number, seat->round_ms));
    seed = eis_wire_reader_bytes(&r, EIS_MPC_SEED_BYTES);
    EIS_TRY(eis_wire_reader_end(&r));
    pthread_mutex_lock(&seat->lock);
    memcpy(seat->seed, seed, EIS_MPC_SEED_BYTES);
    seat->seeded = true;
    pthread_cond_broadcast(&seat->changed);
    pthread_mutex_unlock(&seat->lock);
    eis_net_stream_limit(seat->dealer, EIS_MPC_STREAM_PAYLOAD_MAX * 8);
out:
    return st;
}

/* Those with higher numbers are called; those with lower ones call. */
static eis_status link_peers(eis_mpc_seat *seat, eis_mpc_dial dial, void *context)
{
    eis_status st = EIS_OK;
    uint64_t until = deadline(seat->dial_ms);

    for (uint32_t p = seat->index + 1; p < seat->session.party_count; p++) {
        EIS_TRY(call(&seat->outbound[p], seat, dial, context, &seat->session.party[p]));
        seat->links.peer[p] = seat->outbound[p];
    }
    pthread_mutex_lock(&seat->lock);
    for (uint32_t p = 0; p < seat->index && st == EIS_OK;) {
        if (seat->inbound[p] == NULL) {
            st = wait_for_change(seat, until, "link from another party");
            continue;
        }
        seat->links.peer[p] = seat->inbound[p];
        p++;
    }
    pthread_mutex_unlock(&seat->lock);
    if (st != EIS_OK) goto out;
    for (uint32_t p = 0; p < seat->session.party_count; p++)
        if (p != seat->index) eis_net_stream_limit(seat->links.peer[p], EIS_MPC_STREAM_PAYLOAD_MAX);
out:
    return st;
}

eis_status eis_mpc_seat_link(eis_mpc_seat *seat, eis_mpc_dial dial, void *context)
{
    eis_status st = EIS_OK;
    eis_mpc_stream stream = {0};
    uint64_t key = 0;

    eis_mpc_stream_links_init(&seat->links, seat->index, seat->session.party_count, seat->number, seat->round_ms);
    EIS_TRY(link_dealer(seat, dial, context));
    EIS_TRY(link_peers(seat, dial, context));
    EIS_TRY(eis_mpc_stream_start(&stream, seat->seed, EIS_MPC_PURPOSE_KEY, 0));
    EIS_TRY(eis_mpc_stream_words(&stream, &key, 1));
    EIS_TRY(eis_mpc_party_init(&seat->party, &seat->links.links, key, seat->session.hash));
    seat->party.check.pending_max = seat->session.pending_max;
    seat->party.pool = seat->threads;
    seat->linked = true;
out:
    eis_mem_wipe(&key, sizeof key);
    eis_mpc_stream_clear(&stream);
    return st;
}

/* ---- what owners bring ---- */

eis_status eis_mpc_seat_put_weights(eis_mpc_seat *seat, uint32_t matrix, eis_reader *r)
{
    eis_status st = EIS_OK;
    uint64_t *words = NULL;
    size_t count;
    bool twice;

    EIS_REQUIRE(matrix < seat->shape_count, EIS_ERR_PROTOCOL, "the model has no matrix %u", matrix);
    count = (size_t)seat->shapes[matrix].rows * seat->shapes[matrix].columns;
    EIS_NEW(words, count);
    EIS_TRY(eis_mpc_read_words(words, count, r));
    pthread_mutex_lock(&seat->lock);
    twice = seat->weights_sent[matrix];
    if (!twice) {
        seat->weights_sent[matrix] = true;
        seat->weights[matrix] = words;
        words = NULL;
        pthread_cond_broadcast(&seat->changed);
    }
    pthread_mutex_unlock(&seat->lock);
    EIS_REQUIRE(!twice, EIS_ERR_PROTOCOL, "matrix %u was sent twice", matrix);
out:
    eis_mem_free(words);
    return st;
}

eis_status eis_mpc_seat_put_input(eis_mpc_seat *seat, uint64_t step, uint32_t slot, eis_reader *r)
{
    eis_status st = EIS_OK;
    eis_mpc_inbox *in = NULL;
    size_t count = eis_wire_reader_remaining(r) / sizeof(uint64_t);
    bool twice = false;

    EIS_REQUIRE(count > 0 && count <= INPUT_WORDS_MAX, EIS_ERR_PROTOCOL, "an input of %zu words", count);
    EIS_NEW(in, 1);
    *in = (eis_mpc_inbox){.step = step, .slot = slot, .count = (uint32_t)count};
    EIS_NEW(in->words, count);
    EIS_TRY(eis_mpc_read_words(in->words, count, r));
    pthread_mutex_lock(&seat->lock);
    for (const eis_mpc_inbox *other = seat->inbox; other != NULL; other = other->next)
        twice |= other->step == step && other->slot == slot;
    twice |= step < seat->step; /* that step is over: its masks are spent */
    if (!twice) {
        in->next = seat->inbox;
        seat->inbox = in;
        in = NULL;
        pthread_cond_broadcast(&seat->changed);
    }
    pthread_mutex_unlock(&seat->lock);
    EIS_REQUIRE(!twice, EIS_ERR_PROTOCOL, "an input was sent twice");
out:
    if (in != NULL) eis_mem_free(in->words);
    eis_mem_free(in);
    return st;
}

eis_status eis_mpc_seat_key_hash(uint8_t *hash, eis_mpc_seat *seat, eis_mpc_purpose purpose, uint64_t number)
{
    eis_status st = EIS_OK;
    uint8_t key[EIS_MPC_SEED_BYTES];
    uint64_t until = deadline(seat->dial_ms);

    pthread_mutex_lock(&seat->lock);
    while (st == EIS_OK && !seat->seeded) st = wait_for_change(seat, until, "seed from the Triple Service");
    if (st == EIS_OK) st = eis_mpc_stream_key(key, seat->seed, purpose, number);
    pthread_mutex_unlock(&seat->lock);
    if (st == EIS_OK) st = eis_mpc_key_hash(hash, &seat->session, seat->index, purpose, number, key);
    eis_mem_wipe(key, sizeof key);
    return st;
}

void eis_mpc_seat_refuse(eis_mpc_seat *seat, eis_status st)
{
    pthread_mutex_lock(&seat->lock);
    if (seat->refused == EIS_OK) snprintf(seat->refusal, sizeof seat->refusal, "%s", eis_error_detail());
    seat->refused = st;
    pthread_cond_broadcast(&seat->changed);
    pthread_mutex_unlock(&seat->lock);
}

/* Waits for an input of this step and copies its words. The record stays until the step is over, so that a second one
 * is refused. */
static eis_status take_input(void *context, uint32_t slot, uint64_t *pub, uint32_t count)
{
    eis_mpc_seat *seat = context;
    eis_status st = EIS_OK;
    uint64_t until = deadline(seat->owner_ms);
    const eis_mpc_inbox *in = NULL;

    pthread_mutex_lock(&seat->lock);
    while (st == EIS_OK) {
        for (in = seat->inbox; in != NULL && (in->step != seat->step || in->slot != slot); in = in->next) {}
        if (in != NULL) break;
        st = wait_for_change(seat, until, "input from its owner");
    }
    pthread_mutex_unlock(&seat->lock);
    if (st != EIS_OK) goto out;
    EIS_REQUIRE(in->count == count, EIS_ERR_PROTOCOL, "an input has %u words where %u belong", in->count, count);
    memcpy(pub, in->words, count * sizeof *pub);
    seat->input_words += count;
    eis_mpc_check_note(&seat->party.check, pub, count * sizeof *pub);
out:
    return st;
}

static eis_status take_kept(void *context, uint32_t slot, eis_mpc_words *words, uint32_t count)
{
    return eis_mpc_cache_kept(&((eis_mpc_seat *)context)->cache, slot, words, count);
}

static eis_status wait_for_weights(eis_mpc_seat *seat)
{
    eis_status st = EIS_OK;
    uint64_t until = deadline(seat->owner_ms);

    pthread_mutex_lock(&seat->lock);
    for (uint32_t i = 0; i < seat->shape_count && st == EIS_OK;) {
        if (seat->weights_sent[i])
            i++;
        else
            st = wait_for_change(seat, until, "weights from their owner");
    }
    pthread_mutex_unlock(&seat->lock);
    return st;
}

/* ---- units ---- */

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
    uint64_t begin = eis_clock_ns(), until = deadline(seat->pool_wait_ms + GRACE_MS);
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

/* Splits a unit: what it is tested with lies behind it. What is missing is left to the readers to notice. */
static void split_unit(eis_mpc_reader *material, eis_mpc_reader *tests, const eis_mpc_reader *unit, size_t test_count)
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

/* Proves everything that was opened, tests of material among it. */
static eis_status prove(eis_mpc_seat *seat)
{
    eis_status st = eis_mpc_check_run(&seat->party.check);

    tell_proved(seat, st);
    return st;
}

/* Tests a unit's material, before anything is opened that was computed with it. */
static eis_status test_unit(eis_mpc_seat *seat, const eis_mpc_graph *graph, const eis_mpc_run *run,
                            const uint64_t *material, const eis_mpc_reader *tests, const eis_mpc_test_size *size,
                            uint64_t number)
{
    eis_status st = EIS_OK;
    const eis_mpc_tests what = seat->session.tests;
    uint64_t *words;

    if (size->opened == 0) return EIS_OK;
    words = eis_mem_new_secret(size->words, sizeof *words);
    if (words == NULL) return EIS_ERR_MEMORY;
    EIS_TRY(eis_mpc_reader_test_graph(tests, words, graph, what, number));
    EIS_TRY(eis_mpc_sacrifice_run(&seat->party, graph, run, material, words, what));
out:
    eis_mem_free_wiped(words, size->words, sizeof *words);
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

/* What a walk is for. */
typedef struct walk_wish {
    const eis_mpc_graph *graph;
    eis_mpc_unit_kind kind;
    const eis_mpc_sample_coin *coin; /* where it takes one; NULL or zeros: nowhere */
    const eis_mpc_id *keep;          /* [keep_count]: the values that are read behind it */
    size_t keep_count;
} walk_wish;

/* Tests need all of a unit before its walk, and what follows of it. */
static eis_status walk_tested(eis_mpc_run *run, eis_mpc_seat *seat, const walk_wish *wish, const eis_mpc_reader *unit,
                              const eis_mpc_test_size *size, uint64_t number)
{
    eis_status st = EIS_OK;
    const eis_mpc_source source = {.context = seat, .input = take_input, .kept = take_kept};
    eis_mpc_reader reader, tests;
    size_t words = eis_mpc_graph_words(wish->graph);
    uint64_t *material = eis_mem_new_secret(words + 1, sizeof *material);
    mark begin;

    if (material == NULL) return EIS_ERR_MEMORY;
    split_unit(&reader, &tests, unit, size->corrections);
    EIS_TRY(eis_mpc_reader_graph(&reader, material, wish->graph, number));
    EIS_TRY(eis_mpc_party_begin(run, &seat->party, wish->graph, material, &source));
    EIS_TRY(test_unit(seat, wish->graph, run, material, &tests, size, number));
    begin = mark_of(seat);
    EIS_TRY(eis_mpc_party_walk(run, &seat->party, wish->graph, material));
    EIS_TRY(count_walk(seat, wish->graph, &begin));
out:
    eis_mem_free_wiped(material, words + 1, sizeof *material);
    return st;
}

/* Where the dealer is trusted a unit is read gate by gate, and values that nobody needs any more make room: a tenth of
 * the memory. Inputs that have to be tested stay. */
static eis_status walk_in_one_pass(eis_mpc_run *run, eis_mpc_seat *seat, const walk_wish *wish,
                                   const eis_mpc_reader *unit, const eis_mpc_ahead *ahead,
                                   const eis_mpc_test_size *size, uint64_t number)
{
    eis_status st = EIS_OK;
    const eis_mpc_source source = {.context = seat, .input = take_input, .kept = take_kept};
    const eis_mpc_graph *g = wish->graph;
    const mark begin = mark_of(seat);
    eis_mpc_reader reader, tests;
    eis_mpc_pass pass = {
        .reader = &reader, .step = number, .source = &source, .ahead = ahead, .keep_count = wish->keep_count};
    eis_mpc_id *keep = NULL;

    EIS_NEW(keep, wish->keep_count + g->node_count);
    if (wish->keep_count > 0) memcpy(keep, wish->keep, wish->keep_count * sizeof *keep);
    for (eis_mpc_id id = 0; size->opened > 0 && id < g->node_count; id++)
        if (g->nodes[id].op == EIS_MPC_OP_INPUT) keep[pass.keep_count++] = id;
    pass.keep = keep;
    split_unit(&reader, &tests, unit, size->corrections);
    EIS_TRY(eis_mpc_party_pass(run, &seat->party, g, &pass));
    EIS_TRY(count_walk(seat, g, &begin));
    EIS_TRY(test_unit(seat, g, run, NULL, &tests, size, number));
out:
    eis_mem_free(keep);
    return st;
}

/* While a unit is on its way, all that needs our own seed alone. */
static eis_status get_ahead(eis_mpc_ahead *ahead, eis_mpc_seat *seat, const walk_wish *wish, uint64_t number)
{
    eis_status st = EIS_OK;
    const eis_mpc_source source = {.context = seat, .input = take_input, .kept = take_kept};

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

/* Walks a graph with the unit of its kind. */
static eis_status walk(eis_mpc_run *run, eis_mpc_seat *seat, const walk_wish *wish)
{
    eis_status st = EIS_OK;
    eis_mpc_reader unit = {0};
    eis_mpc_test_size size;
    eis_mpc_ahead ahead = {0};
    uint64_t *corrections = NULL, number = eis_mpc_unit_number(wish->kind, seat->step, seat->last_secret);

    eis_mpc_test_size_graph(&size, wish->graph, seat->session.tests);
    seat->links.step = (uint32_t)seat->step;
    if (seat->session.tests.level == 0) EIS_TRY(get_ahead(&ahead, seat, wish, number));
    EIS_TRY(begin_step(seat, fetch_unit(&unit, &corrections, seat, wish->kind)));
    if (wish->coin != NULL && wish->coin->signs != NULL) EIS_TRY(toss(seat, wish->coin));
    if (seat->session.tests.level > 0)
        EIS_TRY(walk_tested(run, seat, wish, &unit, &size, number));
    else
        EIS_TRY(walk_in_one_pass(run, seat, wish, &unit, &ahead, &size, number));
out:
    if (st == EIS_ERR_INTEGRITY) tell_proved(seat, st);
    eis_mpc_ahead_clear(&ahead);
    eis_mem_free_wiped(corrections, unit.correction_count + 1, sizeof *corrections);
    return st;
}

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
    EIS_TRY(wait_for_weights(seat));
    EIS_TRY(begin_step(seat, fetch_unit(&unit, &corrections, seat, EIS_MPC_UNIT_LOAD)));
    material = eis_mem_new_secret(words + 1, sizeof *material);
    EIS_REQUIRE(material != NULL, EIS_ERR_MEMORY, "no memory for %zu words of material", words);
    split_unit(&reader, &tests, &unit, tested ? size.corrections : 0);
    EIS_TRY(eis_mpc_reader_load(&reader, material, shapes, seat->shape_count));
    for (uint32_t i = 0; i < seat->shape_count; i++)
        eis_mpc_check_note(&seat->party.check, seat->weights[i],
                           (size_t)shapes[i].rows * shapes[i].columns * sizeof(uint64_t));
    for (uint32_t i = 0; i < seat->shape_count; i++) seat->input_words += (uint64_t)shapes[i].rows * shapes[i].columns;
    EIS_TRY(eis_mpc_party_load(&seat->party, shapes, seat->weights, seat->shape_count, material));
    if (tested) EIS_TRY(test_load(seat, material, &tests));
    EIS_TRY(prove(seat));
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
    EIS_TRY(walk(&run, seat,
                 &(walk_wish){.graph = &graph, .kind = EIS_MPC_UNIT_VECTORS, .keep = nodes, .keep_count = count}));
    EIS_TRY(prove(seat));
    for (uint32_t v = 0; v < count; v++)
        EIS_TRY(
            eis_mpc_cache_keep(&seat->cache, 2 * seat->session.lm.layers + v, &run.values[nodes[v]], vectors[v].count));
out:
    eis_mpc_run_clear(&run);
    eis_mpc_graph_clear(&graph);
    eis_mem_free(nodes);
    return st;
}

/* Forgets the inputs of steps that are over: their numbers are refused from now on. Under the lock. */
static void forget_inputs(eis_mpc_seat *seat)
{
    for (eis_mpc_inbox **at = &seat->inbox; *at != NULL;) {
        eis_mpc_inbox *in = *at;
        if (in->step >= seat->step) {
            at = &in->next;
            continue;
        }
        *at = in->next;
        eis_mem_free(in->words);
        eis_mem_free(in);
    }
}

static void next_step(eis_mpc_seat *seat)
{
    pthread_mutex_lock(&seat->lock);
    seat->step++;
    forget_inputs(seat);
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

eis_status eis_mpc_seat_step(eis_mpc_seat *seat, uint32_t *next, uint32_t secret, uint32_t token, bool head)
{
    eis_status st = EIS_OK;
    const eis_mpc_lm *lm = &seat->session.lm;
    eis_mpc_lm_step step = {0};
    eis_mpc_run run = {0};
    eis_mpc_id *keep = NULL;
    walk_wish wish;
    eis_mpc_unit_kind kind = secret == 0 ? EIS_MPC_UNIT_NEXT : head ? EIS_MPC_UNIT_LAST : EIS_MPC_UNIT_PROMPT;

    EIS_REQUIRE(seat->loaded, EIS_ERR_PROTOCOL, "the weights are not loaded");
    EIS_TRY(eis_mpc_lease_step(&seat->lease, seat->step));
    if (secret > 0) seat->last_secret = seat->step;
    seat->count = secret > 0 ? secret : 1;
    if (seat->session.kind == EIS_MPC_MODEL_CLASSIFIER) kind = EIS_MPC_UNIT_CLASSIFY;
    EIS_TRY(eis_mpc_model_step(&step, &seat->session, kind, seat->position, seat->count, &seat->sampling));
    if (secret == 0) step.graph.nodes[step.token].row = token;
    EIS_NEW(keep, (size_t)eis_mpc_lm_slot_count(lm) + 1);
    wish = (walk_wish){
        .graph = &step.graph, .kind = kind, .coin = &step.coin, .keep = keep, .keep_count = list_kept(keep, &step, lm)};
    EIS_TRY(walk(&run, seat, &wish));
    EIS_TRY(prove(seat));
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
