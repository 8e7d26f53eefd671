/* SPDX-License-Identifier: Apache-2.0 */
/* A round: everybody who takes part and owes nothing is asked at once, then frames are taken as they come. A server
 * that still owes an answer of an earlier round is asked as soon as that has come; with spare servers nobody waits for
 * it. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/split_client_internal.h"

#include <stdio.h>
#include <string.h>

#define NS_PER_MS     1000000u
#define CHECK_WAIT_NS (50 * (uint64_t)NS_PER_MS)

/* ---- who is out ---- */

static bool retry_may_help(eis_status st)
{
    return st == EIS_ERR_IO || st == EIS_ERR_TIMEOUT || st == EIS_ERR_CLOSED || st == EIS_ERR_UNAVAILABLE ||
           st == EIS_ERR_BUSY || st == EIS_ERR_RATE_LIMITED;
}

/* Counts a server out of the round, with the text recorded on this thread. */
static void lose(eis_split_round *round, eis_split_link *link, eis_status st)
{
    if (round->failure == EIS_OK || st == EIS_ERR_INTEGRITY) {
        round->failure = st;
        round->may_retry = retry_may_help(st);
        snprintf(round->detail, sizeof round->detail, "%s", eis_error_detail());
    }
    if (link->takes_part && !link->answered && !link->lost) {
        link->lost = true;
        round->lost++;
    }
}

static void lose_and_drop(eis_split_round *round, eis_split_link *link, eis_status st)
{
    lose(round, link, st);
    eis_log(EIS_LOG_WARN, "server", "%s", eis_error_detail());
    eis_split_link_drop(link, st);
}

static bool interrupted(const eis_split_client *client) { return eis_net_cancel_raised(client->config.cancel); }

/* ---- asking ---- */

static eis_status reserve_words(eis_split_link *link, size_t count)
{
    uint64_t *fresh;

    if (link->words_capacity >= count) return EIS_OK;
    fresh = eis_mem_new(count, sizeof *fresh);
    if (fresh == NULL) return EIS_ERR_MEMORY;
    eis_mem_free_wiped(link->words, link->words_capacity, sizeof *link->words);
    link->words = fresh;
    link->words_capacity = count;
    return EIS_OK;
}

static bool is_ours(eis_status st) { return st == EIS_ERR_MEMORY || st == EIS_ERR_ENTROPY || st == EIS_ERR_INTERNAL; }

static eis_status ask_all(eis_split_client *client, eis_split_round *round)
{
    for (size_t i = 0; i < client->config.scheme.servers; i++) {
        eis_split_link *link = &client->links[i];
        eis_status st;

        if (!link->takes_part || link->asked || link->lost || link->ticket.open || link->stream == NULL) continue;
        link->asked = true;
        st = round->ask(client, round, link);
        if (st == EIS_OK) continue;
        if (is_ours(st)) return st;
        if (interrupted(client)) return EIS_ERR_INTERRUPTED;
        lose_and_drop(round, link, st);
    }
    return EIS_OK;
}

/* ---- answers ---- */

/* Reads words and checks them before anything is combined and before the next share leaves. */
static eis_status take_answer(eis_split_client *client, eis_split_round *round, eis_split_link *link,
                              const eis_stream_frame *frame)
{
    const eis_split_layer *layer = &client->layers[round->layer].layer;
    eis_status st = eis_split_reply_read(link->words, frame->payload.data, layer, round->batch, round->truncated_bits);

    if (st != EIS_OK) {
        st = eis_fail_prefix(st, "%s", link->name);
        lose_and_drop(round, link, st);
        return EIS_OK;
    }
    if (round->is_checked && client->config.verifier != NULL) {
        st = eis_split_verify(client->config.verifier, round->layer, layer, link->words,
                              &client->shares[link->index - 1]);
        if (st == EIS_ERR_INTEGRITY) {
            st = eis_split_catch(client, link, round->layer);
            lose(round, link, st);
            return EIS_OK;
        }
        if (st != EIS_OK) return st;
    }
    link->answered = true;
    round->answered++;
    return EIS_OK;
}

static eis_status take_frame(eis_split_client *client, eis_split_round *round, eis_split_link *link,
                             const eis_stream_frame *frame)
{
    eis_split_arrival arrival = EIS_SPLIT_ARRIVED_LATE;
    uint64_t before = link->bytes_down;
    eis_status refused, st = eis_split_link_take(&arrival, &refused, link, frame);

    client->reports[round->layer].bytes_down += link->bytes_down - before;
    if (st != EIS_OK) {
        lose_and_drop(round, link, st);
        return EIS_OK;
    }
    if (arrival == EIS_SPLIT_ARRIVED_RESULT) return take_answer(client, round, link, frame);
    if (arrival == EIS_SPLIT_ARRIVED_REFUSAL) {
        lose(round, link, refused);
        eis_split_link_note(link, refused);
    }
    return EIS_OK;
}

/* ---- waiting ---- */

/* Lists the streams that owe something; returns whether there are any. */
static bool list_debtors(eis_split_client *client)
{
    bool any = false;

    for (size_t i = 0; i < client->config.scheme.servers; i++) {
        const eis_split_link *link = &client->links[i];
        client->streams[i] = link->ticket.open ? link->stream : NULL;
        any = any || client->streams[i] != NULL;
    }
    return any;
}

static uint32_t wait_ms(const eis_split_client *client, const eis_split_round *round)
{
    uint64_t now = eis_clock_ns(), deadline = round->deadline_ns;

    for (size_t i = 0; i < client->config.scheme.servers; i++) {
        const eis_split_ticket *ticket = &client->links[i].ticket;
        if (ticket->open && ticket->deadline_ns < deadline) deadline = ticket->deadline_ns;
    }
    return deadline <= now ? 0 : (uint32_t)((deadline - now + NS_PER_MS - 1) / NS_PER_MS);
}

/* Gives up every server that is silent beyond its deadline. */
static void drop_silent(eis_split_client *client, eis_split_round *round)
{
    uint64_t now = eis_clock_ns();

    for (size_t i = 0; i < client->config.scheme.servers; i++) {
        eis_split_link *link = &client->links[i];
        eis_status st;
        if (!link->ticket.open || link->ticket.deadline_ns > now) continue;
        st = eis_fail(EIS_ERR_TIMEOUT, "%s did not answer in time", link->name);
        lose_and_drop(round, link, st);
    }
}

/* Takes one frame, or finds that none comes within `ms`. *came is false then. */
static eis_status receive(eis_split_client *client, eis_split_round *round, uint32_t ms, bool *came)
{
    size_t count = client->config.scheme.servers, which = count;
    eis_stream_frame frame;
    eis_status st = eis_net_stream_recv_any(&which, &frame, client->streams, count, ms);

    *came = true;
    if (st == EIS_OK) return take_frame(client, round, &client->links[which], &frame);
    if (interrupted(client)) return EIS_ERR_INTERRUPTED;
    if (which < count) {
        eis_split_link *link = &client->links[which];
        st = eis_fail_prefix(st, "%s", link->name);
        lose_and_drop(round, link, st);
        return EIS_OK;
    }
    *came = false;
    return EIS_OK;
}

/* Takes what has come already, without waiting. */
static eis_status receive_present(eis_split_client *client, eis_split_round *round)
{
    eis_status st = EIS_OK;
    bool came = true;

    while (came && list_debtors(client)) EIS_TRY(receive(client, round, 0, &came));
out:
    return st;
}

static bool somebody_still_works(const eis_split_client *client)
{
    for (size_t i = 0; i < client->config.scheme.servers; i++) {
        const eis_split_link *link = &client->links[i];
        if (link->asked && link->ticket.open && !link->answered && !link->lost) return true;
    }
    return false;
}

/* With a verifier the servers that were asked get as long again as the round took (and CHECK_WAIT_NS at most), so that
 * a lie from a spare is examined and named too. One that stays silent is not asked again until it has answered, so it
 * delays one round only. */
static eis_status receive_rest(eis_split_client *client, eis_split_round *round, uint64_t started_ns)
{
    eis_status st = EIS_OK;
    uint64_t now = eis_clock_ns(), took = now - started_ns,
             deadline = now + (took < CHECK_WAIT_NS ? took : CHECK_WAIT_NS);
    bool came;

    while (now < deadline && somebody_still_works(client) && list_debtors(client)) {
        EIS_TRY(receive(client, round, (uint32_t)((deadline - now + NS_PER_MS - 1) / NS_PER_MS), &came));
        now = eis_clock_ns();
    }
out:
    return st;
}

static eis_status fail_round(const eis_split_round *round)
{
    if (round->failure == EIS_OK)
        return eis_fail(EIS_ERR_UNAVAILABLE, "%zu servers are connected where %zu are needed", round->participants,
                        round->needed);
    return eis_fail(round->failure, "%s", round->detail);
}

static void start_round(eis_split_client *client, eis_split_round *round)
{
    for (size_t i = 0; i < client->config.scheme.servers; i++) {
        eis_split_link *link = &client->links[i];
        link->asked = link->answered = link->lost = false;
        if (link->stream == NULL) link->takes_part = false;
        round->participants += link->takes_part;
    }
}

static bool can_succeed(const eis_split_round *round) { return round->participants - round->lost >= round->needed; }

eis_status eis_split_round_run(eis_split_client *client, eis_split_round *round)
{
    const eis_split_layer *layer = &client->layers[round->layer].layer;
    eis_status st = EIS_OK;
    uint64_t started_ns = eis_clock_ns();
    bool came;

    start_round(client, round);
    round->may_retry = true; /* where too few are connected at all */
    for (size_t i = 0; i < client->config.scheme.servers; i++)
        if (client->links[i].takes_part) EIS_TRY(reserve_words(&client->links[i], round->batch * layer->out_count));
    EIS_TRY(receive_present(client, round)); /* late answers of the round before */
    while (round->answered < round->needed && can_succeed(round)) {
        EIS_TRY(ask_all(client, round));
        if (!can_succeed(round) || !list_debtors(client)) break;
        EIS_TRY(receive(client, round, wait_ms(client, round), &came));
        if (!came) drop_silent(client, round);
    }
    if (round->answered < round->needed) {
        st = fail_round(round);
        goto out;
    }
    if (round->is_checked && client->config.verifier != NULL) EIS_TRY(receive_rest(client, round, started_ns));
    if (round->answered < round->participants - round->lost) EIS_TRY(receive_present(client, round));
out:
    if (st == EIS_ERR_INTERRUPTED) st = eis_fail(st, "the call was interrupted");
    for (size_t i = 0; i < client->config.scheme.servers; i++) client->links[i].ticket.wanted = false;
    return st;
}

void eis_split_round_forget(eis_split_client *client, const eis_split_round *round)
{
    size_t words = round->batch * client->layers[round->layer].layer.out_count;

    for (size_t i = 0; i < client->config.scheme.servers; i++) {
        eis_split_link *link = &client->links[i];
        if (link->words != NULL)
            eis_mem_wipe(link->words,
                         (words < link->words_capacity ? words : link->words_capacity) * sizeof *link->words);
        link->takes_part = link->asked = link->answered = link->lost = false;
    }
}
