/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_links.h"

#include "base/clock.h"

#include <pthread.h>
#include <string.h>

/* Frames of this size and more are sent by a thread of their own, since both ends would otherwise wait for room in each
 * other's buffers. */
#define LARGE_BYTES ((size_t)64 << 10)

#define SEEN_WORDS_MAX 64 /* of a frame: enough to count, too few to cost */

typedef struct sending {
    eis_mpc_stream_links *links;
    eis_mpc_frame type;
    uint8_t prefix[8];
    const void *data;
    size_t bytes;
    eis_status st;
} sending;

static eis_status send_all(const sending *s)
{
    eis_status st = EIS_OK;
    const eis_mpc_stream_links *l = s->links;
    const eis_frame_header header = {
        .type = (uint16_t)s->type, .request_id = l->session, .layer = l->step, .batch = (uint16_t)l->links.index};
    const eis_span parts[2] = {{s->prefix, sizeof s->prefix}, {s->data, s->bytes}};

    for (uint32_t p = 0; p < l->links.count; p++)
        if (p != l->links.index) EIS_TRY(eis_net_stream_send(l->peer[p], &header, parts, 2));
out:
    return st;
}

static void *send_thread(void *context)
{
    sending *s = context;

    s->st = send_all(s);
    return NULL;
}

/* Counts the top bytes of some words, each of 61 bits. */
static void count_seen(eis_mpc_stream_links *l, const uint8_t *words, size_t bytes)
{
    size_t count = bytes / sizeof(uint64_t) < SEEN_WORDS_MAX ? bytes / sizeof(uint64_t) : SEEN_WORDS_MAX;

    for (size_t i = 0; i < count; i++) l->seen[(words[8 * i + 7] << 3 | words[8 * i + 6] >> 5) & 0xff]++;
}

static eis_status receive_all(const sending *s, uint8_t *theirs)
{
    eis_status st = EIS_OK;
    eis_mpc_stream_links *l = s->links;
    eis_stream_frame frame;

    for (uint32_t p = 0; p < l->links.count; p++) {
        if (p == l->links.index) continue;
        st = eis_net_stream_recv(&frame, l->peer[p], l->round_ms);
        if (st != EIS_OK) {
            st = eis_fail_prefix(st, "its link to party %u", p);
            goto out;
        }
        EIS_REQUIRE(frame.header.type == s->type && frame.header.request_id == l->session &&
                        frame.header.layer == l->step && frame.header.batch == p && frame.header.suite == 0 &&
                        frame.header.truncated_bits == 0 && frame.payload.bytes == sizeof s->prefix + s->bytes &&
                        memcmp(frame.payload.data, s->prefix, sizeof s->prefix) == 0,
                    EIS_ERR_PROTOCOL, "party %u sent another frame than this round's", p);
        memcpy(theirs + p * s->bytes, frame.payload.data + sizeof s->prefix, s->bytes);
        if (s->type == EIS_MPC_FRAME_OPEN) count_seen(l, theirs + p * s->bytes, s->bytes);
    }
out:
    return st;
}

static eis_status exchange(void *context, eis_mpc_frame type, uint32_t round, const void *mine, size_t bytes,
                           uint8_t *theirs)
{
    eis_mpc_stream_links *l = context;
    sending s = {.links = l, .type = type, .data = mine, .bytes = bytes};
    pthread_t thread;
    bool apart = bytes >= LARGE_BYTES;
    eis_status st = EIS_OK;

    for (int i = 0; i < 4; i++) s.prefix[i] = (uint8_t)(round >> (8 * i));
    if (apart && pthread_create(&thread, NULL, send_thread, &s) != 0)
        return eis_fail(EIS_ERR_LIMIT, "no thread to send a frame");
    if (!apart) st = send_all(&s);
    if (st == EIS_OK) st = receive_all(&s, theirs);
    if (apart) {
        if (st != EIS_OK)
            for (uint32_t p = 0; p < l->links.count; p++)
                if (p != l->links.index) eis_net_stream_cancel(l->peer[p]);
        pthread_join(thread, NULL);
        if (st == EIS_OK) st = s.st;
    }
    l->links.rounds++;
    l->links.bytes_sent += EIS_FRAME_HEADER_BYTES + sizeof s.prefix + bytes;
    return st;
}

eis_status eis_mpc_stream_links_tell(const eis_mpc_stream_links *l, eis_mpc_held held)
{
    eis_status st = EIS_OK;
    const uint8_t what = (uint8_t)held;
    const eis_span part = {&what, 1};
    const eis_frame_header header = {
        .type = EIS_MPC_MESSAGE_HELD, .request_id = l->session, .layer = l->step, .batch = (uint16_t)l->links.index};

    for (uint32_t p = 0; p < l->links.count; p++)
        if (p != l->links.index) EIS_TRY(eis_net_stream_send(l->peer[p], &header, &part, 1));
out:
    return st;
}

static eis_status hear_held(eis_mpc_held *held, const eis_mpc_stream_links *l, uint32_t last)
{
    eis_stream_frame frame;
    eis_status st = eis_net_stream_recv(&frame, l->peer[last], l->round_ms);

    if (st != EIS_OK) {
        st = eis_fail_prefix(st, "its link to party %u", last);
        goto out;
    }
    EIS_REQUIRE(frame.header.type == EIS_MPC_MESSAGE_HELD && frame.header.request_id == l->session &&
                    frame.header.layer == l->step && frame.header.batch == last && frame.payload.bytes == 1 &&
                    frame.payload.data[0] <= EIS_MPC_HELD_LATER,
                EIS_ERR_PROTOCOL, "party %u sent another frame than the beginning of this step", last);
    *held = (eis_mpc_held)frame.payload.data[0];
out:
    return st;
}

eis_status eis_mpc_stream_links_hear(bool *held, const eis_mpc_stream_links *l, uint32_t wait_ms)
{
    eis_status st = EIS_OK;
    uint32_t last = l->links.count - 1;
    uint64_t until = eis_clock_ns() + (uint64_t)wait_ms * 1000000u;
    eis_mpc_held heard = EIS_MPC_HELD_LATER;

    while (heard == EIS_MPC_HELD_LATER) {
        EIS_REQUIRE(eis_clock_ns() < until, EIS_ERR_TIMEOUT, "party %u has waited too long for its material", last);
        EIS_TRY(hear_held(&heard, l, last));
    }
    *held = heard == EIS_MPC_HELD_YES;
out:
    return st;
}

void eis_mpc_stream_links_init(eis_mpc_stream_links *links, uint32_t index, uint32_t count, uint64_t session,
                               uint32_t round_ms)
{
    *links = (eis_mpc_stream_links){
        .links = {.context = links, .index = index, .count = count, .exchange = exchange},
        .session = session,
        .round_ms = round_ms,
    };
}
