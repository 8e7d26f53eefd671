/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_link.h"

#include "base/clock.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <time.h>

#define QUEUE           64 /* messages under way in one direction: protocols in rounds have one or two */
#define SEGMENT_BYTES   1448
#define SEGMENT_HEADERS 90 /* Ethernet with its gap 38, IP 20, TCP 32 */
#define RECORD_BYTES    16384
#define RECORD_HEADERS  22

/* One direction. */
typedef struct wire {
    pthread_mutex_t lock;
    uint64_t free_ns;                   /* when the last message has left */
    uint64_t end[QUEUE], due_ns[QUEUE]; /* of each message: bytes sent up to its end, when it arrives */
    size_t first, count;
    uint64_t sent, received; /* bytes */
} wire;

typedef struct both_ends {
    wire direction[2];
    const eis_bench_link *const *speed;
    atomic_int ends;
} both_ends;

typedef struct link_end {
    eis_channel inner;
    both_ends *both;
    wire *out, *in;
} link_end;

static uint64_t bytes_on_wire(uint64_t bytes)
{
    bytes += (bytes + RECORD_BYTES - 1) / RECORD_BYTES * RECORD_HEADERS;
    return bytes + (bytes + SEGMENT_BYTES - 1) / SEGMENT_BYTES * SEGMENT_HEADERS;
}

/* Notes when a message arrives. */
static void put_under_way(wire *w, const eis_bench_link *speed, uint64_t bytes)
{
    uint64_t now = eis_clock_ns();

    pthread_mutex_lock(&w->lock);
    EIS_ASSERT(w->count < QUEUE);
    if (w->free_ns < now) w->free_ns = now;
    w->free_ns += (uint64_t)((double)bytes_on_wire(bytes) * 8e9 / speed->bits_per_s);
    w->sent += bytes;
    w->end[(w->first + w->count) % QUEUE] = w->sent;
    w->due_ns[(w->first + w->count) % QUEUE] = w->free_ns + (uint64_t)(speed->delay_ms * 1e6);
    w->count++;
    pthread_mutex_unlock(&w->lock);
}

static eis_status link_send(void *self, const eis_span *parts, size_t part_count)
{
    link_end *end = self;
    uint64_t bytes = 0;

    for (size_t i = 0; i < part_count; i++) bytes += parts[i].bytes;
    if (*end->both->speed != NULL) put_under_way(end->out, *end->both->speed, bytes);
    return eis_channel_send_parts(&end->inner, parts, part_count);
}

static void sleep_until(uint64_t due_ns)
{
    static _Thread_local bool exact;
    const struct timespec due = {(time_t)(due_ns / 1000000000), (long)(due_ns % 1000000000)};

    if (!exact) exact = prctl(PR_SET_TIMERSLACK, 1) == 0; /* 50 us otherwise, a quarter of the delay */
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) != 0) continue;
}

/* Takes bytes off the wire and returns when the message of the last of them arrives. */
static uint64_t take_off(wire *w, uint64_t bytes)
{
    uint64_t due = 0;

    pthread_mutex_lock(&w->lock);
    w->received += bytes;
    while (w->count > 0) {
        uint64_t end = w->end[w->first];
        due = w->due_ns[w->first];
        if (end <= w->received) {
            w->first = (w->first + 1) % QUEUE;
            w->count--;
        }
        if (end >= w->received) break;
    }
    pthread_mutex_unlock(&w->lock);
    return due;
}

static eis_status link_receive(void *self, void *out, size_t bytes)
{
    link_end *end = self;
    eis_status st = eis_channel_receive(&end->inner, out, bytes);

    if (st == EIS_OK && *end->both->speed != NULL) sleep_until(take_off(end->in, bytes));
    return st;
}

static void link_free(void *self)
{
    link_end *end = self;
    both_ends *both = end->both;

    eis_channel_clear(&end->inner);
    eis_mem_free(end);
    if (atomic_fetch_sub(&both->ends, 1) > 1) return;
    for (int i = 0; i < 2; i++) pthread_mutex_destroy(&both->direction[i].lock);
    eis_mem_free(both);
}

static const eis_channel_ops link_ops = {link_send, link_receive, link_free};

eis_status eis_bench_link_pair(eis_channel *a, eis_channel *b, unsigned timeout_ms, const eis_bench_link *const *speed)
{
    eis_status st = EIS_OK;
    both_ends *both = NULL;
    link_end *end[2] = {NULL, NULL};

    EIS_NEW(both, 1);
    EIS_NEW(end[0], 1);
    EIS_NEW(end[1], 1);
    EIS_TRY(eis_channel_pair(&end[0]->inner, &end[1]->inner, timeout_ms));
    both->speed = speed;
    atomic_init(&both->ends, 2);
    for (int i = 0; i < 2; i++) {
        pthread_mutex_init(&both->direction[i].lock, NULL);
        end[i]->both = both;
        end[i]->out = &both->direction[i];
        end[i]->in = &both->direction[1 - i];
    }
    eis_channel_init(a, &link_ops, end[0]);
    eis_channel_init(b, &link_ops, end[1]);
    return EIS_OK;
out:
    eis_mem_free(both);
    eis_mem_free(end[0]);
    eis_mem_free(end[1]);
    return st;
}
