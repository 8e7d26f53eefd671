/* SPDX-License-Identifier: Apache-2.0 */
#include "service/triple_counts.h"

#include "base/mem.h"
#include "service/mpc_pool_stats.h"
#include "service/triple_units.h"

#include <string.h>

#define ACCOUNTS_KEPT 1024

eis_status eis_triple_counts_start(eis_triple_service *service)
{
    eis_status st = EIS_OK;
    eis_material_totals t;
    uint64_t *counts = service->counts;

    EIS_TRY(eis_store_material_totals(service->records, &t));
    counts[EIS_TRIPLE_SESSIONS] = t.sessions;
    for (int i = 1; i <= EIS_MATERIAL_BURNED; i++) counts[EIS_TRIPLE_PRODUCED] += t.units[i];
    counts[EIS_TRIPLE_CONSUMED] = t.units[EIS_MATERIAL_GIVEN];
    counts[EIS_TRIPLE_BURNED] = t.units[EIS_MATERIAL_BURNED];
    counts[EIS_TRIPLE_WORDS] = t.words_given;
out:
    return st;
}

void eis_triple_counts_clear(eis_triple_service *service)
{
    while (service->accounts != NULL) {
        eis_triple_account *a = service->accounts;
        service->accounts = a->next;
        eis_mem_free(a);
    }
}

/* ---- accounts ---- */

/* Under the lock. */
static eis_triple_account *account_of(eis_triple_service *service, const eis_tls_pin *coordinator)
{
    eis_triple_account *a = service->accounts;

    while (a != NULL && memcmp(&a->coordinator, coordinator, sizeof *coordinator) != 0) a = a->next;
    return a;
}

/* Forgets the oldest account without a session where there are too many. Under the lock. */
static void forget_oldest(eis_triple_service *service)
{
    eis_triple_account **oldest = NULL, *gone;
    size_t count = 0;

    for (eis_triple_account **at = &service->accounts; *at != NULL; at = &(*at)->next, count++)
        if ((*at)->sessions == 0) oldest = at;
    if (count <= ACCOUNTS_KEPT || oldest == NULL) return;
    gone = *oldest;
    *oldest = gone->next;
    eis_mem_free(gone);
}

eis_status eis_triple_account_join(eis_triple_dealt *d)
{
    eis_triple_service *service = d->service;
    eis_triple_account *a, *made = eis_mem_new(1, sizeof *made);

    if (made == NULL) return EIS_ERR_MEMORY;
    made->coordinator = d->session.coordinator;
    pthread_mutex_lock(&service->lock);
    a = account_of(service, &made->coordinator);
    if (a == NULL) {
        a = made;
        made = NULL;
        a->next = service->accounts;
        service->accounts = a;
    }
    a->sessions++;
    d->account = a;
    forget_oldest(service);
    pthread_mutex_unlock(&service->lock);
    eis_mem_free(made);
    return EIS_OK;
}

void eis_triple_account_leave(eis_triple_dealt *d)
{
    if (d->account == NULL) return;
    pthread_mutex_lock(&d->service->lock);
    d->account->sessions--;
    pthread_mutex_unlock(&d->service->lock);
    d->account = NULL;
}

/* ---- counting ---- */

void eis_triple_count_add(eis_triple_dealt *d, eis_triple_count what, uint64_t n)
{
    pthread_mutex_lock(&d->service->lock);
    d->service->counts[what] += n;
    d->account->counts[what] += n;
    if (what == EIS_TRIPLE_PRODUCED) d->open += n;
    if (what == EIS_TRIPLE_CONSUMED || what == EIS_TRIPLE_BURNED) d->open -= n;
    pthread_mutex_unlock(&d->service->lock);
}

void eis_triple_count_end(eis_triple_dealt *d)
{
    uint64_t open;

    pthread_mutex_lock(&d->service->lock);
    open = d->open;
    pthread_mutex_unlock(&d->service->lock);
    eis_triple_count_add(d, EIS_TRIPLE_BURNED, open);
}

/* What waits for a session, and how long it lasts. Under the lock. */
static void add_waiting(eis_mpc_pool_stats *stats, const eis_triple_dealt *d)
{
    stats->ready += d->seen.ready;
    stats->ready_bytes += d->seen.bytes;
    if (d->seen.running) eis_mpc_pool_least(stats, 1, d->seen.ready, d->seen.ready * d->seen.pace_ns * 1e-9);
}

bool eis_triple_counts_read(eis_mpc_pool_stats *stats, eis_triple_service *service, const eis_tls_pin *coordinator)
{
    const eis_triple_account *account = NULL;
    const uint64_t *counts = service->counts;
    bool known;

    *stats = (eis_mpc_pool_stats){0};
    pthread_mutex_lock(&service->lock);
    if (coordinator != NULL) account = account_of(service, coordinator);
    known = coordinator == NULL || account != NULL;
    if (account != NULL) counts = account->counts;
    if (known) {
        stats->sessions = counts[EIS_TRIPLE_SESSIONS];
        stats->produced = counts[EIS_TRIPLE_PRODUCED];
        stats->consumed = counts[EIS_TRIPLE_CONSUMED];
        stats->burned = counts[EIS_TRIPLE_BURNED];
        stats->bytes = counts[EIS_TRIPLE_WORDS] * sizeof(uint64_t);
        stats->sac_ok = counts[EIS_TRIPLE_PASSED];
        stats->sac_fail = counts[EIS_TRIPLE_FAILED];
        stats->wait_s = (double)counts[EIS_TRIPLE_WAITED_NS] * 1e-9;
    }
    for (const eis_triple_dealt *d = service->sessions; d != NULL && known; d = d->next)
        if (account == NULL || d->account == account) add_waiting(stats, d);
    pthread_mutex_unlock(&service->lock);
    return known;
}
