/* SPDX-License-Identifier: Apache-2.0 */
/* A table of names, each with its buckets and bytes. A name that nothing uses and whose buckets are full again says
 * nothing that a new one would not, and makes room. */
#include "service/he_parties.h"

#include "base/clock.h"
#include "base/mem.h"
#include "service/he_server.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define NAMES_MAX_DEFAULT 4096
#define KINDS_BYTES       (EIS_ADDRESS_HOST_BYTES_MAX + 1)
#define NS_PER_S          1e9
#define POLL_BURST_S      4 /* polls may come in bursts of so many seconds' worth */

typedef struct party {
    char name[KINDS_BYTES]; /* 't' or 'a' in front */
    unsigned holders;
    double calls, polls; /* left in the buckets, at_ns */
    uint64_t at_ns, bytes;
} party;

struct eis_he_parties {
    eis_he_parties_config config;
    pthread_mutex_t lock;
    party **party; /* [count] */
    size_t count;
    uint64_t bytes;
};

struct eis_he_caller {
    eis_he_parties *parties;
    party *tenant, *address; /* address NULL: does not count */
    unsigned holders;
};

eis_status eis_he_parties_new(eis_he_parties **parties, const eis_he_parties_config *config)
{
    eis_he_parties *made = NULL;
    eis_status st = EIS_OK;

    *parties = NULL;
    EIS_NEW(made, 1);
    made->config = *config;
    if (made->config.names_max == 0) made->config.names_max = NAMES_MAX_DEFAULT;
    pthread_mutex_init(&made->lock, NULL);
    made->party = eis_mem_new(made->config.names_max, sizeof *made->party);
    if (made->party == NULL) {
        st = EIS_ERR_MEMORY;
        goto out;
    }
    *parties = made;
    made = NULL;
out:
    eis_he_parties_free(made);
    return st;
}

void eis_he_parties_free(eis_he_parties *p)
{
    if (p == NULL) return;
    for (size_t i = 0; i < p->count; i++) eis_mem_free(p->party[i]);
    eis_mem_free(p->party);
    pthread_mutex_destroy(&p->lock);
    eis_mem_free(p);
}

/* ---- Buckets; the lock is held ---- */

static double polls_max(const eis_he_parties *p) { return (double)p->config.polls_per_s * POLL_BURST_S; }

static void refill(const eis_he_parties *p, party *one)
{
    uint64_t now = p->config.now_ns != NULL ? p->config.now_ns(p->config.now_context) : eis_clock_ns();
    double seconds = now > one->at_ns ? (double)(now - one->at_ns) / NS_PER_S : 0;

    one->calls += seconds * p->config.calls / p->config.calls_s;
    one->polls += seconds * p->config.polls_per_s;
    if (one->calls > p->config.calls) one->calls = p->config.calls;
    if (one->polls > polls_max(p)) one->polls = polls_max(p);
    one->at_ns = now;
}

static bool is_idle(const eis_he_parties *p, party *one)
{
    if (one->holders > 0 || one->bytes > 0) return false;
    if (p->config.rate_off) return true;
    refill(p, one);
    return one->calls >= p->config.calls && one->polls >= polls_max(p);
}

static void drop_idle(eis_he_parties *p)
{
    size_t kept = 0;

    for (size_t i = 0; i < p->count; i++) {
        if (is_idle(p, p->party[i]))
            eis_mem_free(p->party[i]);
        else
            p->party[kept++] = p->party[i];
    }
    p->count = kept;
}

static eis_status find_or_add(party **found, eis_he_parties *p, char kind, const char *name)
{
    party *made = NULL;
    eis_status st = EIS_OK;

    for (size_t i = 0; i < p->count; i++)
        if (p->party[i]->name[0] == kind && strcmp(p->party[i]->name + 1, name) == 0) {
            *found = p->party[i];
            return EIS_OK;
        }
    if (p->count == p->config.names_max) drop_idle(p);
    EIS_REQUIRE(p->count < p->config.names_max, EIS_ERR_LIMIT, "too many tenants and addresses at once");
    EIS_NEW(made, 1);
    snprintf(made->name, sizeof made->name, "%c%s", kind, name);
    made->calls = p->config.calls;
    made->polls = polls_max(p);
    refill(p, made);
    p->party[p->count++] = made;
    *found = made;
out:
    return st;
}

/* ---- Callers ---- */

eis_status eis_he_caller_new(eis_he_caller **caller, eis_he_parties *parties, const char *tenant, const char *address)
{
    eis_he_caller *made = NULL;
    eis_status st = EIS_OK;

    *caller = NULL;
    EIS_NEW(made, 1);
    *made = (eis_he_caller){.parties = parties, .holders = 1};
    pthread_mutex_lock(&parties->lock);
    st = find_or_add(&made->tenant, parties, 't', tenant);
    if (st == EIS_OK) made->tenant->holders++;
    if (st == EIS_OK && address[0] != '\0') {
        st = find_or_add(&made->address, parties, 'a', address);
        if (st == EIS_OK)
            made->address->holders++;
        else
            made->tenant->holders--;
    }
    pthread_mutex_unlock(&parties->lock);
    EIS_TRY(st);
    *caller = made;
    made = NULL;
out:
    eis_mem_free(made);
    return st;
}

eis_he_caller *eis_he_caller_keep(eis_he_caller *caller)
{
    pthread_mutex_lock(&caller->parties->lock);
    caller->holders++;
    pthread_mutex_unlock(&caller->parties->lock);
    return caller;
}

void eis_he_caller_release(eis_he_caller *caller)
{
    eis_he_parties *parties;
    bool last;

    if (caller == NULL) return;
    parties = caller->parties;
    pthread_mutex_lock(&parties->lock);
    last = --caller->holders == 0;
    if (last) {
        caller->tenant->holders--;
        if (caller->address != NULL) caller->address->holders--;
    }
    pthread_mutex_unlock(&parties->lock);
    if (last) eis_mem_free(caller);
}

const char *eis_he_caller_tenant(const eis_he_caller *caller) { return caller->tenant->name + 1; }

const char *eis_he_caller_address(const eis_he_caller *caller)
{
    return caller->address != NULL ? caller->address->name + 1 : "";
}

/* ---- Calls and polls ---- */

/* Takes one from the buckets that count, both or none. */
static eis_status take(eis_he_caller *caller, eis_he_rate *rate, bool poll)
{
    eis_he_parties *p = caller->parties;
    double limit = poll ? polls_max(p) : p->config.calls;
    double per_s = poll ? p->config.polls_per_s : (double)p->config.calls / p->config.calls_s, least;
    double *tenant, *address;
    eis_status st = EIS_OK;

    *rate = (eis_he_rate){0};
    if (p->config.rate_off) return EIS_OK;
    pthread_mutex_lock(&p->lock);
    refill(p, caller->tenant);
    tenant = poll ? &caller->tenant->polls : &caller->tenant->calls;
    address = tenant;
    if (caller->address != NULL) {
        refill(p, caller->address);
        address = poll ? &caller->address->polls : &caller->address->calls;
    }
    least = *tenant < *address ? *tenant : *address;
    rate->limit = (unsigned)limit;
    if (least >= 1) {
        *tenant -= 1;
        if (address != tenant) *address -= 1;
        least -= 1;
    } else {
        rate->retry_s = (unsigned)ceil((1 - least) / per_s);
        if (rate->retry_s == 0) rate->retry_s = 1;
        st = EIS_ERR_RATE_LIMITED;
    }
    rate->remaining = (unsigned)least;
    rate->reset_s = (unsigned)ceil((limit - least) / per_s);
    pthread_mutex_unlock(&p->lock);
    return st == EIS_OK ? st : eis_fail(st, "Tenant rate limit exceeded");
}

eis_status eis_he_caller_call(eis_he_caller *caller, eis_he_rate *rate) { return take(caller, rate, false); }
eis_status eis_he_caller_poll(eis_he_caller *caller, eis_he_rate *rate) { return take(caller, rate, true); }

void eis_he_caller_uncall(eis_he_caller *caller)
{
    pthread_mutex_lock(&caller->parties->lock);
    caller->tenant->calls += 1;
    if (caller->address != NULL) caller->address->calls += 1;
    pthread_mutex_unlock(&caller->parties->lock);
}

/* ---- Bytes ---- */

static bool fits(const eis_he_parties *p, const party *one, uint64_t bytes)
{
    return one == NULL || (bytes <= p->config.owner_bytes_max && one->bytes <= p->config.owner_bytes_max - bytes);
}

eis_status eis_he_caller_charge(eis_he_caller *caller, uint64_t bytes)
{
    eis_he_parties *p = caller->parties;
    bool ok;

    pthread_mutex_lock(&p->lock);
    ok = bytes <= p->config.bytes_max && p->bytes <= p->config.bytes_max - bytes && fits(p, caller->tenant, bytes) &&
         fits(p, caller->address, bytes);
    if (ok) {
        p->bytes += bytes;
        caller->tenant->bytes += bytes;
        if (caller->address != NULL) caller->address->bytes += bytes;
    }
    pthread_mutex_unlock(&p->lock);
    return ok ? EIS_OK : eis_fail(EIS_ERR_BUSY, "no room for another request now");
}

void eis_he_caller_refund(eis_he_caller *caller, uint64_t bytes)
{
    eis_he_parties *p = caller->parties;

    pthread_mutex_lock(&p->lock);
    p->bytes -= bytes;
    caller->tenant->bytes -= bytes;
    if (caller->address != NULL) caller->address->bytes -= bytes;
    pthread_mutex_unlock(&p->lock);
}

uint64_t eis_he_parties_bytes(eis_he_parties *parties)
{
    uint64_t bytes;

    pthread_mutex_lock(&parties->lock);
    bytes = parties->bytes;
    pthread_mutex_unlock(&parties->lock);
    return bytes;
}
