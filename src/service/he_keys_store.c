/* SPDX-License-Identifier: Apache-2.0 */
/* A list of sets under one lock: there are few, and what is done under the lock is short. A set that is deleted or
 * evicted while a job has it pinned leaves the list and is freed with its last pin. */
#include "service/he_keys_store.h"

#include "base/ct.h"
#include "base/mem.h"
#include "ckks/seal_keys.h"
#include "net/address.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SPARE_ELEMENTS 32 /* of a compressed Galois object, that the model does not need */

/* ---- Reading a set ---- */

static eis_status read_part(eis_he_keys *keys, const eis_he_served *served, eis_he_part part, eis_span object)
{
    const eis_ckks_params *params = served->plan->params;
    const eis_he_contract *c = &served->plan->contract;

    switch (part) {
    case EIS_HE_PART_RELIN:
        return eis_ckks_relin_key_read(&keys->relin, params, object.data, object.bytes);
    case EIS_HE_PART_GALOIS:
        return eis_ckks_galois_keys_read(&keys->galois, params, c->element, c->element_count, object.data, object.bytes,
                                         eis_ckks_galois_keys_bytes(params, (uint32_t)(2 * params->degree - 1),
                                                                    c->element_count + SPARE_ELEMENTS,
                                                                    EIS_SEAL_FORM_4_1, false));
    case EIS_HE_PART_PUBLIC:
        return eis_ckks_public_key_read(&keys->public_key, params, object.data, object.bytes);
    case EIS_HE_PART_SET:
    case EIS_HE_PARTS:
        break;
    }
    return EIS_OK;
}

static eis_status read_set(eis_he_keys *keys, const eis_he_served *served, eis_span object)
{
    const eis_ckks_params *params = served->plan->params;
    eis_ckks_key_need need[EIS_HE_NEEDS_MAX];
    size_t count = eis_he_contract_needs(need, &served->plan->contract, params, true);
    eis_ckks_key_set set = {0};
    eis_status st = EIS_OK;

    EIS_TRY(eis_ckks_key_set_read(&set, params, need, count, object.data, object.bytes));
    *keys = (eis_he_keys){.relin = set.relin, .galois = set.galois, .public_key = set.public_key};
out:
    return st;
}

eis_status eis_he_keys_read(eis_he_keys *keys, const eis_he_served *served, const eis_he_keys_body *body)
{
    const eis_he_contract *c = &served->plan->contract;
    const bool in_one = c->has_levels && body->part[EIS_HE_PART_SET].bytes > 0;
    const bool wanted[EIS_HE_PARTS] = {[EIS_HE_PART_RELIN] = !in_one && c->needs_relin,
                                       [EIS_HE_PART_GALOIS] = !in_one && c->element_count > 0,
                                       [EIS_HE_PART_PUBLIC] = !in_one && c->needs_public,
                                       [EIS_HE_PART_SET] = in_one};
    eis_status st = EIS_OK;

    *keys = (eis_he_keys){0};
    for (size_t i = 0; i < EIS_HE_PARTS; i++)
        EIS_REQUIRE((body->part[i].bytes > 0) == wanted[i], EIS_ERR_KEYS_INSUFFICIENT, "the model %s the part \"%s\"%s",
                    wanted[i] ? "needs" : "does not need", eis_he_part_name((eis_he_part)i),
                    in_one ? " beside the set" : "");
    if (in_one) EIS_TRY(read_set(keys, served, body->part[EIS_HE_PART_SET]));
    for (size_t i = 0; i < EIS_HE_PART_SET; i++)
        if (wanted[i]) EIS_TRY(read_part(keys, served, (eis_he_part)i, body->part[i]));
    EIS_TRY(eis_he_keys_check(keys, c));
out:
    if (st != EIS_OK) eis_he_keys_clear(keys);
    return st;
}

size_t eis_he_keys_memory(const eis_he_served *served, const eis_he_keys_body *body)
{
    const eis_ckks_params *params = served->plan->params;
    const bool cut = body != NULL && body->part[EIS_HE_PART_SET].bytes > 0;
    eis_ckks_key_need need[EIS_HE_NEEDS_MAX];
    size_t count = eis_he_contract_needs(need, &served->plan->contract, params, cut);

    return eis_ckks_key_set_memory(params, need, count);
}

/* ---- The store ---- */

struct eis_he_keys_entry {
    eis_he_keys_entry *next; /* while it is in the list */
    char tenant[EIS_HE_TENANT_BYTES], address[EIS_ADDRESS_HOST_BYTES_MAX];
    uint8_t digest[EIS_HE_DIGEST_BYTES];
    const eis_he_served *served;
    eis_he_keys keys;
    uint64_t bytes;
    int64_t expires_ms;
    uint64_t used; /* rises with each use: the lowest goes first */
    unsigned pins;
    bool ready, listed;
};

struct eis_he_keys_store {
    eis_he_keys_config config;
    pthread_mutex_t lock;
    eis_he_keys_entry *first;
    eis_he_keys_counts counts; /* bytes: those of sets that are pinned and not listed any more included */
    uint64_t uses;
};

static int64_t now_of(const eis_he_keys_store *s)
{
    struct timespec now;

    if (s->config.now_ms != NULL) return s->config.now_ms(s->config.now_context);
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

eis_status eis_he_keys_store_new(eis_he_keys_store **store, const eis_he_keys_config *config)
{
    eis_he_keys_store *made = NULL;
    eis_status st = EIS_OK;

    *store = NULL;
    EIS_NEW(made, 1);
    made->config = *config;
    pthread_mutex_init(&made->lock, NULL);
    *store = made;
out:
    return st;
}

static void free_entry(eis_he_keys_store *s, eis_he_keys_entry *e)
{
    s->counts.bytes -= e->bytes;
    eis_he_keys_clear(&e->keys);
    eis_mem_free(e);
}

/* Takes an entry out of the list; the last pin frees it, or this does. */
static void forget(eis_he_keys_store *s, eis_he_keys_entry *e)
{
    eis_he_keys_entry **at = &s->first;

    while (*at != e) at = &(*at)->next;
    *at = e->next;
    e->next = NULL;
    e->listed = false;
    if (e->ready) s->counts.sets--;
    if (e->pins == 0) free_entry(s, e);
}

void eis_he_keys_store_free(eis_he_keys_store *s)
{
    if (s == NULL) return;
    while (s->first != NULL) {
        EIS_ASSERT(s->first->pins == 0);
        forget(s, s->first);
    }
    pthread_mutex_destroy(&s->lock);
    eis_mem_free(s);
}

/* The digest is a capability where there are no credentials: it is compared in constant time. */
static eis_he_keys_entry *find(eis_he_keys_store *s, const char *tenant, const uint8_t *digest)
{
    eis_he_keys_entry *e = s->first;

    while (e != NULL && (strcmp(e->tenant, tenant) != 0 || !eis_ct_bytes_equal(e->digest, digest, EIS_HE_DIGEST_BYTES)))
        e = e->next;
    return e;
}

static void forget_expired(eis_he_keys_store *s)
{
    int64_t now = now_of(s);

    for (eis_he_keys_entry *e = s->first, *next; e != NULL; e = next) {
        next = e->next;
        if (e->ready && e->pins == 0 && e->expires_ms <= now) forget(s, e);
    }
}

static eis_he_keys_entry *find_ready(eis_he_keys_store *s, const char *tenant, const uint8_t *digest)
{
    eis_he_keys_entry *e;

    forget_expired(s);
    e = find(s, tenant, digest);
    return e != NULL && e->ready ? e : NULL;
}

static void touch(eis_he_keys_store *s, eis_he_keys_entry *e)
{
    e->used = ++s->uses;
    e->expires_ms = now_of(s) + s->config.ttl_ms;
}

/* ---- Room ---- */

static bool has_room(const eis_he_keys_store *s, const char *tenant, const char *address, uint64_t bytes)
{
    uint64_t of_tenant = 0, of_address = 0;

    for (const eis_he_keys_entry *e = s->first; e != NULL; e = e->next) {
        if (strcmp(e->tenant, tenant) == 0) of_tenant += e->bytes;
        if (address[0] != '\0' && strcmp(e->address, address) == 0) of_address += e->bytes;
    }
    return s->counts.bytes + bytes <= s->config.bytes_max && of_tenant + bytes <= s->config.owner_bytes_max &&
           of_address + bytes <= s->config.owner_bytes_max;
}

/* The tenant's own set that was unused for longest, of the same address where addresses count. */
static eis_he_keys_entry *oldest_of(const eis_he_keys_store *s, const char *tenant, const char *address)
{
    eis_he_keys_entry *oldest = NULL;

    for (eis_he_keys_entry *e = s->first; e != NULL; e = e->next)
        if (e->ready && e->pins == 0 && strcmp(e->tenant, tenant) == 0 && strcmp(e->address, address) == 0 &&
            (oldest == NULL || e->used < oldest->used))
            oldest = e;
    return oldest;
}

static eis_status make_room(eis_he_keys_store *s, const char *tenant, const char *address, uint64_t bytes)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(bytes <= s->config.owner_bytes_max && bytes <= s->config.bytes_max, EIS_ERR_TOO_LARGE,
                "a set of keys that is above the budget of a tenant");
    forget_expired(s);
    while (!has_room(s, tenant, address, bytes)) {
        eis_he_keys_entry *e = oldest_of(s, tenant, address);

        EIS_REQUIRE(e != NULL, EIS_ERR_UNAVAILABLE, "no room for evaluation keys now");
        forget(s, e);
        s->counts.evicted++;
    }
out:
    return st;
}

/* ---- Uploads ---- */

eis_status eis_he_keys_begin(eis_he_keys_entry **upload, bool *known, int64_t *expires_ms, eis_he_keys_store *s,
                             const char *tenant, const char *address, const uint8_t digest[EIS_HE_DIGEST_BYTES],
                             uint64_t bytes)
{
    eis_he_keys_entry *e;
    eis_status st = EIS_OK;

    *upload = NULL;
    *known = false;
    *expires_ms = 0;
    EIS_ASSERT(strlen(tenant) < sizeof e->tenant && strlen(address) < sizeof e->address);
    pthread_mutex_lock(&s->lock);
    forget_expired(s);
    e = find(s, tenant, digest);
    if (e != NULL && e->ready) {
        touch(s, e);
        *known = true;
        *expires_ms = e->expires_ms;
        goto out;
    }
    EIS_REQUIRE(e == NULL, EIS_ERR_IN_PROGRESS, "this set is being uploaded");
    EIS_TRY(make_room(s, tenant, address, bytes));
    EIS_NEW(e, 1);
    snprintf(e->tenant, sizeof e->tenant, "%s", tenant);
    snprintf(e->address, sizeof e->address, "%s", address);
    memcpy(e->digest, digest, sizeof e->digest);
    e->bytes = bytes;
    e->listed = true;
    e->next = s->first;
    s->first = e;
    s->counts.bytes += bytes;
    *upload = e;
out:
    pthread_mutex_unlock(&s->lock);
    return st;
}

int64_t eis_he_keys_end(eis_he_keys_store *s, eis_he_keys_entry *upload, eis_he_keys *keys, const eis_he_served *served)
{
    int64_t expires_ms = 0;

    pthread_mutex_lock(&s->lock);
    if (keys == NULL) {
        forget(s, upload);
    } else {
        upload->keys = *keys;
        *keys = (eis_he_keys){0};
        upload->served = served;
        upload->ready = true;
        s->counts.sets++;
        touch(s, upload);
        expires_ms = upload->expires_ms;
    }
    pthread_mutex_unlock(&s->lock);
    return expires_ms;
}

/* ---- Use ---- */

eis_status eis_he_keys_pin(eis_he_keys_entry **pinned, eis_he_keys_store *s, const char *tenant,
                           const uint8_t digest[EIS_HE_DIGEST_BYTES], const eis_he_served *served)
{
    eis_he_keys_entry *e;
    eis_status st = EIS_OK;

    *pinned = NULL;
    pthread_mutex_lock(&s->lock);
    e = find_ready(s, tenant, digest);
    EIS_REQUIRE(e != NULL, EIS_ERR_KEYS_REQUIRED, "the evaluation keys of this model must be uploaded first");
    EIS_REQUIRE(e->served == served, EIS_ERR_KEYS_INSUFFICIENT, "these evaluation keys are another model's");
    touch(s, e);
    e->pins++;
    *pinned = e;
out:
    pthread_mutex_unlock(&s->lock);
    return st;
}

void eis_he_keys_unpin(eis_he_keys_store *s, eis_he_keys_entry *e)
{
    if (e == NULL) return;
    pthread_mutex_lock(&s->lock);
    e->pins--;
    if (e->listed)
        touch(s, e);
    else if (e->pins == 0)
        free_entry(s, e);
    pthread_mutex_unlock(&s->lock);
}

const eis_he_keys *eis_he_keys_of(const eis_he_keys_entry *pinned) { return &pinned->keys; }

eis_status eis_he_keys_find(eis_he_keys_store *s, const char *tenant, const uint8_t digest[EIS_HE_DIGEST_BYTES])
{
    bool there;

    pthread_mutex_lock(&s->lock);
    there = find_ready(s, tenant, digest) != NULL;
    pthread_mutex_unlock(&s->lock);
    return there ? EIS_OK : eis_fail(EIS_ERR_KEYS_NOT_FOUND, "no such evaluation keys");
}

eis_status eis_he_keys_delete(eis_he_keys_store *s, const char *tenant, const uint8_t digest[EIS_HE_DIGEST_BYTES])
{
    eis_he_keys_entry *e;
    eis_status st = EIS_OK;

    pthread_mutex_lock(&s->lock);
    e = find_ready(s, tenant, digest);
    EIS_REQUIRE(e != NULL, EIS_ERR_KEYS_NOT_FOUND, "no such evaluation keys");
    forget(s, e);
out:
    pthread_mutex_unlock(&s->lock);
    return st;
}

void eis_he_keys_count(eis_he_keys_counts *counts, eis_he_keys_store *s)
{
    pthread_mutex_lock(&s->lock);
    *counts = s->counts;
    pthread_mutex_unlock(&s->lock);
}
