/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_seat_internal.h"

#include "base/mem.h"
#include "service/mpc_model.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

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

eis_status eis_mpc_seat_wait(eis_mpc_seat *seat, uint64_t until_ns, const char *what)
{
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000u), .tv_nsec = (long)(until_ns % 1000000000u)};

    if (seat->refused != EIS_OK) return eis_fail(seat->refused, "an owner ends the session: %s", seat->refusal);
    if (pthread_cond_timedwait(&seat->changed, &seat->lock, &until) == ETIMEDOUT)
        return eis_fail(EIS_ERR_TIMEOUT, "no %s in time", what);
    if (seat->over) return eis_fail(EIS_ERR_CLOSED, "the session has ended");
    return EIS_OK;
}

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
    uint64_t until = eis_mpc_seat_deadline(seat->dial_ms);

    for (uint32_t p = seat->index + 1; p < seat->session.party_count; p++) {
        EIS_TRY(call(&seat->outbound[p], seat, dial, context, &seat->session.party[p]));
        seat->links.peer[p] = seat->outbound[p];
    }
    pthread_mutex_lock(&seat->lock);
    for (uint32_t p = 0; p < seat->index && st == EIS_OK;) {
        if (seat->inbound[p] == NULL) {
            st = eis_mpc_seat_wait(seat, until, "link from another party");
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
