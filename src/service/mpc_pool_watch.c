/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_pool_watch.h"

#include "base/clock.h"
#include "base/mem.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define ASK_MS  2000u
#define KEPT_MS 1000u

/* A service and its thread. Under the lock, but for what never changes: `watch` and `dealer`. */
typedef struct service {
    eis_mpc_pool_watch *watch;
    eis_mpc_member dealer;
    pthread_t thread;
    bool wanted; /* somebody wants to know, and the thread asks */
    bool silent; /* it did not answer the last question, or not in time */
    bool asked, heard;
    uint64_t asked_ns, heard_ns;
    eis_mpc_pool_stats stats; /* what it said last */
} service;

struct eis_mpc_pool_watch {
    eis_mpc_caller caller;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool ending;
    size_t count, thread_count;
    service *services;
};

/* Who has no session there is told nothing, which is an answer. */
static eis_status ask(eis_mpc_pool_stats *stats, const service *s)
{
    eis_status st = eis_mpc_pool_ask(stats, &s->watch->caller, &s->dealer);

    if (st != EIS_OK) eis_error_clear();
    return st == EIS_ERR_FORBIDDEN ? EIS_OK : st;
}

static void *keep_asking(void *context)
{
    service *s = context;
    eis_mpc_pool_watch *w = s->watch;

    pthread_mutex_lock(&w->lock);
    while (!w->ending) {
        eis_mpc_pool_stats stats;
        eis_status st;
        if (!s->wanted) {
            pthread_cond_wait(&w->changed, &w->lock);
            continue;
        }
        pthread_mutex_unlock(&w->lock);
        st = ask(&stats, s);
        pthread_mutex_lock(&w->lock);
        s->asked = true;
        s->asked_ns = eis_clock_ns();
        s->silent = st != EIS_OK;
        if (st == EIS_OK) {
            s->heard = true;
            s->heard_ns = s->asked_ns;
            s->stats = stats;
        }
        s->wanted = false;
        pthread_cond_broadcast(&w->changed);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* ---- start and end ---- */

static void add_service(eis_mpc_pool_watch *w, const eis_mpc_member *dealer)
{
    for (size_t i = 0; i < w->count; i++)
        if (memcmp(&w->services[i].dealer.pin, &dealer->pin, sizeof dealer->pin) == 0) return;
    w->services[w->count++] = (service){.watch = w, .dealer = *dealer};
}

eis_status eis_mpc_pool_watch_start(eis_mpc_pool_watch **out_watch, const eis_mpc_caller *caller,
                                    const eis_mpc_member *const *dealers, size_t count)
{
    eis_status st = EIS_OK;
    eis_mpc_pool_watch *w = NULL;
    pthread_condattr_t clock;

    *out_watch = NULL;
    EIS_NEW(w, 1);
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&w->changed, &clock);
    pthread_condattr_destroy(&clock);
    w->caller = *caller;
    w->caller.timeout_ms = ASK_MS;
    EIS_NEW(w->services, count);
    for (size_t i = 0; i < count; i++) add_service(w, dealers[i]);
    for (; w->thread_count < w->count; w->thread_count++) {
        service *s = &w->services[w->thread_count];
        EIS_REQUIRE(pthread_create(&s->thread, NULL, keep_asking, s) == 0, EIS_ERR_LIMIT, "no thread is left");
    }
    *out_watch = w;
    w = NULL;
out:
    eis_mpc_pool_watch_free(w);
    return st;
}

void eis_mpc_pool_watch_free(eis_mpc_pool_watch *w)
{
    if (w == NULL) return;
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < w->thread_count; i++) pthread_join(w->services[i].thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    eis_mem_free(w->services);
    eis_mem_free(w);
}

/* ---- reading ---- */

size_t eis_mpc_pool_watch_count(const eis_mpc_pool_watch *w) { return w->count; }

/* Asks for what is old. Under the lock. */
static void want_all(eis_mpc_pool_watch *w, uint64_t now)
{
    for (size_t i = 0; i < w->count; i++) {
        service *s = &w->services[i];
        if (!s->asked || now - s->asked_ns > KEPT_MS * UINT64_C(1000000)) s->wanted = true;
    }
    pthread_cond_broadcast(&w->changed);
}

/* Whoever has not answered in time is silent, until it does. Under the lock. */
static void give_up(eis_mpc_pool_watch *w)
{
    for (size_t i = 0; i < w->count; i++) w->services[i].silent |= w->services[i].wanted;
}

/* Tells whether an answer is worth waiting for. Under the lock. */
static bool is_awaited(const eis_mpc_pool_watch *w)
{
    for (size_t i = 0; i < w->count; i++)
        if (w->services[i].wanted && !w->services[i].silent) return true;
    return false;
}

void eis_mpc_pool_watch_read(eis_mpc_pool_stats *sum, eis_mpc_pool_place *places, eis_mpc_pool_watch *w)
{
    uint64_t now = eis_clock_ns(), until_ns = now + ASK_MS * UINT64_C(1000000);
    const struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000u),
                                   .tv_nsec = (long)(until_ns % 1000000000u)};

    *sum = (eis_mpc_pool_stats){0};
    pthread_mutex_lock(&w->lock);
    want_all(w, now);
    while (!w->ending && is_awaited(w))
        if (pthread_cond_timedwait(&w->changed, &w->lock, &until) != 0) give_up(w);
    now = eis_clock_ns();
    for (size_t i = 0; i < w->count; i++) {
        const service *s = &w->services[i];
        eis_mpc_pool_add(sum, &s->stats);
        if (places == NULL) continue;
        places[i] = (eis_mpc_pool_place){.dealer = &s->dealer,
                                         .up = s->heard && !s->silent,
                                         .heard = s->heard,
                                         .age_s = s->heard ? (double)(now - s->heard_ns) * 1e-9 : 0};
    }
    pthread_mutex_unlock(&w->lock);
}
