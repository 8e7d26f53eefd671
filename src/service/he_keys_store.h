/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluation keys of clients, in memory: by tenant and digest, within budgets, the one unused for longest leaving
 * first. None of it decrypts. Many threads may use one store. */
#ifndef EIS_SERVICE_HE_KEYS_STORE_H
#define EIS_SERVICE_HE_KEYS_STORE_H

#include "engine/he/eval.h"
#include "service/he_envelope.h"
#include "service/he_registry.h"

typedef struct eis_he_keys_store eis_he_keys_store;
typedef struct eis_he_keys_entry eis_he_keys_entry; /* a set that is in use, or being uploaded */

/* Reads a set for a model: everything that its contract asks for and nothing else; each row is checked.
 *
 * Errors:  EIS_ERR_KEYS_INSUFFICIENT  a part is missing, or not asked for; those of the readers in ckks/seal_keys.h and
 * he_keys.h. *keys is zeroed. */
EIS_MUST_USE eis_status eis_he_keys_read(eis_he_keys *keys, const eis_he_served *served, const eis_he_keys_body *body);

/* Returns the bytes that a set takes in memory; body NULL: the largest one of the model. */
size_t eis_he_keys_memory(const eis_he_served *served, const eis_he_keys_body *body);

typedef struct eis_he_keys_config {
    uint64_t bytes_max, owner_bytes_max; /* all together, and of one tenant or address */
    int64_t ttl_ms;                      /* without use */
    int64_t (*now_ms)(void *context);    /* test hook; NULL: the clock (milliseconds since 1970) */
    void *now_context;
} eis_he_keys_config;

EIS_MUST_USE eis_status eis_he_keys_store_new(eis_he_keys_store **store, const eis_he_keys_config *config);
void eis_he_keys_store_free(eis_he_keys_store *store); /* nothing is in use any more. NULL is allowed */

/* Begins an upload, or finds that the set is there: *known is then true, *expires_ms says how long. `address` is ""
 * where credentials name the tenant. Makes room by forgetting sets of this tenant that nothing uses.
 *
 * Errors:  EIS_ERR_IN_PROGRESS  the same set is being uploaded.
 *          EIS_ERR_TOO_LARGE    the set is above the budget of a tenant.
 *          EIS_ERR_UNAVAILABLE  there is no room now.  EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_he_keys_begin(eis_he_keys_entry **upload, bool *known, int64_t *expires_ms,
                                          eis_he_keys_store *store, const char *tenant, const char *address,
                                          const uint8_t digest[EIS_HE_DIGEST_BYTES], uint64_t bytes);

/* Ends an upload: *keys move into the store, which gives when they expire; NULL forgets the upload. */
int64_t eis_he_keys_end(eis_he_keys_store *store, eis_he_keys_entry *upload, eis_he_keys *keys,
                        const eis_he_served *served);

/* Pins a set for a job. Errors: EIS_ERR_KEYS_REQUIRED  there is none; EIS_ERR_KEYS_INSUFFICIENT  another model's. */
EIS_MUST_USE eis_status eis_he_keys_pin(eis_he_keys_entry **pinned, eis_he_keys_store *store, const char *tenant,
                                        const uint8_t digest[EIS_HE_DIGEST_BYTES], const eis_he_served *served);

/* Gives a pin back. NULL is allowed. */
void eis_he_keys_unpin(eis_he_keys_store *store, eis_he_keys_entry *pinned);

/* Returns the keys of a pinned set. */
const eis_he_keys *eis_he_keys_of(const eis_he_keys_entry *pinned);

/* Tells whether a set is there. Errors: EIS_ERR_KEYS_NOT_FOUND. */
EIS_MUST_USE eis_status eis_he_keys_find(eis_he_keys_store *store, const char *tenant,
                                         const uint8_t digest[EIS_HE_DIGEST_BYTES]);

/* Forgets a set; jobs that have pinned it keep it until they end. Errors: EIS_ERR_KEYS_NOT_FOUND. */
EIS_MUST_USE eis_status eis_he_keys_delete(eis_he_keys_store *store, const char *tenant,
                                           const uint8_t digest[EIS_HE_DIGEST_BYTES]);

typedef struct eis_he_keys_counts {
    uint64_t sets, bytes, evicted;
} eis_he_keys_counts;

void eis_he_keys_count(eis_he_keys_counts *counts, eis_he_keys_store *store);

#endif
