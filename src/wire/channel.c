/* SPDX-License-Identifier: Apache-2.0 */
/* Channels: the counting front, and the pair in memory. A pair shares one block with a queue for each direction; each
 * end adds to its peer's queue and drains its own. */
#include "wire/channel.h"

#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

void eis_channel_init(eis_channel *ch, const eis_channel_ops *ops, void *self)
{
    *ch = (eis_channel){.ops = ops, .self = self, .st = EIS_OK};
}

void eis_channel_clear(eis_channel *ch)
{
    if (ch->ops != NULL) ch->ops->free(ch->self);
    *ch = (eis_channel){0};
}

void eis_channel_fail_send_at(eis_channel *ch, uint64_t n) { ch->fail_send_at = n ? ch->send_count + n : 0; }

eis_status eis_channel_send_parts(eis_channel *ch, const eis_span *parts, size_t part_count)
{
    uint64_t bytes = 0;

    if (ch->st != EIS_OK) return ch->st;
    ch->send_count++;
    if (ch->send_count == ch->fail_send_at) return ch->st = eis_fail(EIS_ERR_IO, "this send was made to fail");
    ch->st = ch->ops->send(ch->self, parts, part_count);
    if (ch->st != EIS_OK) return ch->st;
    for (size_t i = 0; i < part_count; i++) bytes += parts[i].bytes;
    ch->bytes_sent += bytes;
    ch->sent_since_receive = 1;
    return EIS_OK;
}

eis_status eis_channel_send(eis_channel *ch, const void *data, size_t bytes)
{
    eis_span part = {data, bytes};

    return eis_channel_send_parts(ch, &part, 1);
}

eis_status eis_channel_receive(eis_channel *ch, void *out, size_t bytes)
{
    if (ch->st == EIS_OK) ch->st = ch->ops->receive(ch->self, out, bytes);
    if (ch->st != EIS_OK) {
        eis_mem_wipe(out, bytes);
        return ch->st;
    }
    ch->bytes_received += bytes;
    ch->round_count += (uint64_t)ch->sent_since_receive;
    ch->sent_since_receive = 0;
    return EIS_OK;
}

/* ---- The pair in memory ---- */

typedef struct queue {
    uint8_t *data; /* [capacity], bytes [at, end) wait */
    size_t at, end, capacity;
} queue;

typedef struct pair {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    queue to[2]; /* what waits for end 0 and for end 1 */
    int closed, ends_open;
    unsigned timeout_ms;
} pair;

typedef struct pair_end {
    pair *both;
    int side;
} pair_end;

/* Makes room for `bytes` more behind q->end: moves what waits to the front, and grows. */
static eis_status queue_room(queue *q, size_t bytes)
{
    size_t waiting = q->end - q->at, need, capacity;
    uint8_t *fresh;

    if (q->data != NULL && bytes <= q->capacity - q->end) return EIS_OK;
    if (!eis_size_add(&need, waiting, bytes)) return eis_fail(EIS_ERR_TOO_LARGE, "a message is too long");
    if (q->data != NULL && need <= q->capacity) {
        memmove(q->data, q->data + q->at, waiting);
    } else {
        capacity = q->capacity <= SIZE_MAX / 2 && 2 * q->capacity > need ? 2 * q->capacity : need;
        fresh = eis_mem_new_secret(capacity, 1);
        if (fresh == NULL) return EIS_ERR_MEMORY;
        if (q->data != NULL) memcpy(fresh, q->data + q->at, waiting);
        eis_mem_free_wiped(q->data, q->capacity, 1);
        q->data = fresh;
        q->capacity = capacity;
    }
    q->at = 0;
    q->end = waiting;
    return EIS_OK;
}

static eis_status pair_send(void *self, const eis_span *parts, size_t part_count)
{
    pair_end *end = self;
    pair *both = end->both;
    queue *q = &both->to[1 - end->side];
    size_t bytes = 0;
    eis_status st = EIS_OK;

    pthread_mutex_lock(&both->lock);
    EIS_REQUIRE(!both->closed, EIS_ERR_CLOSED, "the other end of the pair is closed");
    for (size_t i = 0; i < part_count; i++)
        EIS_REQUIRE(eis_size_add(&bytes, bytes, parts[i].bytes), EIS_ERR_TOO_LARGE, "a message is too long");
    EIS_TRY(queue_room(q, bytes));
    for (size_t i = 0; i < part_count; i++) {
        if (parts[i].bytes == 0) continue;
        EIS_ASSERT(parts[i].data != NULL);
        memcpy(q->data + q->end, parts[i].data, parts[i].bytes);
        q->end += parts[i].bytes;
    }
    pthread_cond_broadcast(&both->changed);
out:
    pthread_mutex_unlock(&both->lock);
    return st;
}

static struct timespec deadline_in(unsigned timeout_ms)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += (time_t)(timeout_ms / 1000);
    t.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

static eis_status pair_receive(void *self, void *out, size_t bytes)
{
    pair_end *end = self;
    pair *both = end->both;
    queue *q = &both->to[end->side];
    struct timespec deadline = deadline_in(both->timeout_ms);
    eis_status st = EIS_OK;
    int late = 0;

    pthread_mutex_lock(&both->lock);
    while (q->end - q->at < bytes) {
        EIS_REQUIRE(!both->closed, EIS_ERR_CLOSED, "the other end of the pair is closed");
        EIS_REQUIRE(!late, EIS_ERR_TIMEOUT, "nothing came within %u ms", both->timeout_ms);
        late = pthread_cond_timedwait(&both->changed, &both->lock, &deadline) == ETIMEDOUT;
    }
    if (bytes > 0) {
        memcpy(out, q->data + q->at, bytes);
        eis_mem_wipe(q->data + q->at, bytes);
    }
    q->at += bytes;
out:
    pthread_mutex_unlock(&both->lock);
    return st;
}

static void pair_free(void *self)
{
    pair_end *end = self;
    pair *both = end->both;
    int last;

    pthread_mutex_lock(&both->lock);
    both->closed = 1;
    last = --both->ends_open == 0;
    pthread_cond_broadcast(&both->changed);
    pthread_mutex_unlock(&both->lock);
    eis_mem_free(end);
    if (!last) return;
    for (int i = 0; i < 2; i++) eis_mem_free_wiped(both->to[i].data, both->to[i].capacity, 1);
    pthread_cond_destroy(&both->changed);
    pthread_mutex_destroy(&both->lock);
    eis_mem_free(both);
}

static const eis_channel_ops pair_ops = {pair_send, pair_receive, pair_free};

eis_status eis_channel_pair(eis_channel *a, eis_channel *b, unsigned timeout_ms)
{
    eis_status st = EIS_OK;
    pair_end *end[2] = {NULL, NULL};
    pair *both = NULL;
    pthread_condattr_t attr;

    EIS_NEW(both, 1);
    EIS_NEW(end[0], 1);
    EIS_NEW(end[1], 1);
    both->ends_open = 2;
    both->timeout_ms = timeout_ms;
    pthread_mutex_init(&both->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&both->changed, &attr);
    pthread_condattr_destroy(&attr);
    *end[0] = (pair_end){both, 0};
    *end[1] = (pair_end){both, 1};
    eis_channel_init(a, &pair_ops, end[0]);
    eis_channel_init(b, &pair_ops, end[1]);
    return EIS_OK;
out:
    eis_mem_free(end[0]);
    eis_mem_free(end[1]);
    eis_mem_free(both);
    return st;
}
