/* SPDX-License-Identifier: Apache-2.0 */
/* The server of the Encrypted Inference API: computes on ciphertexts and never holds a key that decrypts.
 *
 * docs/api.md is its contract. Every request is checked whole before it is queued; jobs are done by worker threads and
 * their results kept in the store; what waits, what is read and what is computed is bounded. */
#ifndef EIS_SERVICE_HE_SERVER_H
#define EIS_SERVICE_HE_SERVER_H

#include "base/bytes.h"
#include "base/pool.h"
#include "net/address.h"
#include "net/tls.h"
#include "net/token.h"
#include "service/he_envelope.h"
#include "service/he_registry.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct eis_he_server eis_he_server;

/* A credential that fixes its tenant. */
typedef struct eis_he_tenant {
    char name[EIS_HE_TENANT_BYTES];
    eis_token token;
} eis_he_tenant;

/* Reads a file of lines "TENANT TOKEN" (blank lines and # pass; mode 0600 or less). The caller frees *tenants with
 * eis_mem_free_wiped. Errors: EIS_ERR_FILE, EIS_ERR_USAGE, EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_he_tenants_read_file(eis_he_tenant **tenants, size_t *count, const char *path);

typedef struct eis_he_server_config {
    const eis_he_registry *registry; /* must outlive the server */
    eis_address listen;              /* port 0 takes a free one */
    eis_tls_server_config tls;       /* alpn is not used; both texts empty: plain HTTP */
    bool plain_anywhere;             /* plain HTTP beyond loopback; the caller has warned */
    bool admin;                      /* /metrics and /health at an address of their own, in plain on loopback */
    eis_address admin_listen;
    const eis_token *token;       /* one token for all; NULL: none */
    const eis_he_tenant *tenants; /* [tenant_count] tokens that name their tenant, in place of `token`; copied */
    size_t tenant_count;
    bool enable_plain;           /* POST /infer/plain: inputs in the clear. The registry was opened with keep_models */
    bool strict_hex;             /* refuse base64, as the original does */
    const char *store_path;      /* NULL: jobs are in memory */
    int64_t job_ttl_ms;          /* 0: 10 minutes */
    int64_t keys_ttl_ms;         /* without use; 0: 24 hours */
    eis_pool *pool;              /* may be NULL */
    unsigned workers;            /* jobs computed at once; 0: 2 */
    unsigned connections_max;    /* 0: 256 */
    size_t body_bytes_max;       /* 0: 32 MiB. Never below what a model of the registry needs */
    uint64_t budget_bytes;       /* bodies that are read and inputs that wait, all together; 0: 1 GiB */
    uint64_t memory_bytes;       /* of evaluations, all together; 0: 4 GiB */
    uint64_t store_bytes;        /* of results; 0: 1 GiB */
    uint64_t keys_bytes;         /* of evaluation keys in memory; 0: 4 GiB, of which a tenant has a quarter */
    unsigned queue_max;          /* jobs that wait, large ones counting more; 0: 1000 */
    unsigned rate_calls, rate_s; /* POST /infer and PUT /keys per tenant; both 0: 20 per 60 s */
    bool rate_off;
    unsigned polls_per_s; /* 0: 5 */
    /* Test hook: called by a worker that has taken a job, before it computes. NULL in every server that ships. */
    void (*before_eval)(void *context, const char *job_id);
    void *before_eval_context;
} eis_he_server_config;

/* Starts serving.
 *
 * Errors: EIS_ERR_USAGE  plain HTTP beyond loopback; those of the HTTP server and of the store. *server is NULL. */
EIS_MUST_USE eis_status eis_he_server_start(eis_he_server **server, const eis_he_server_config *config);

/* Gives the addresses in use; admin has port 0 where there is none. */
void eis_he_server_addresses(eis_address *http, eis_address *admin, const eis_he_server *server);

/* Takes nothing new, and lets what is queued and running finish for at most deadline_ms; the rest ends as failed,
 * retryable. Answers to polls go on meanwhile. Returns whether nothing was cut off. */
bool eis_he_server_drain(eis_he_server *server, uint32_t deadline_ms);

/* Drains without patience and frees. NULL is allowed. */
void eis_he_server_free(eis_he_server *server);

#endif
