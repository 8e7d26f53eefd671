/* SPDX-License-Identifier: Apache-2.0 */
/* The client's half of the split engine over the network: the backend that sends linear nodes to servers. */
#ifndef EIS_SERVICE_SPLIT_CLIENT_H
#define EIS_SERVICE_SPLIT_CLIENT_H

#include "base/bytes.h"
#include "base/status.h"
#include "engine/split/protect.h"
#include "engine/split/verify.h"
#include "model/graph.h"
#include "model/part.h"
#include "net/address.h"
#include "net/cancel.h"
#include "net/tls.h"
#include "net/token.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct eis_split_client eis_split_client;

/* What one server was shown, for `eis audit` and tests: called for each share just before it leaves. The words are what
 * the server can compute from it (a seed is expanded), without padding. */
typedef struct eis_split_sight {
    uint32_t server; /* index from 1 */
    uint32_t layer;
    size_t payload_bytes; /* on the wire */
    bool is_seed;
    eis_ring ring;
    const uint64_t *words; /* [word_count] */
    const double *reals;   /* [word_count]: what was shared; NULL for the seeds of masks, which stand for nothing */
    size_t word_count;
} eis_split_sight;

typedef struct eis_split_client_config {
    const eis_address *servers;         /* [scheme.servers] */
    const eis_tls_pin *pins;            /* [scheme.servers], or NULL: CA and name decide */
    eis_span ca_pem, cert_pem, key_pem; /* empty: the system's CAs, no client certificate */
    const eis_token *token;             /* or NULL; copied */
    const char *model_name;             /* at the server; NULL or "": its only one */
    eis_split_scheme scheme;
    bool truncate;                /* ask for 32-bit replies where the ring allows it and nothing checks them */
    eis_split_verifier *verifier; /* NULL: answers are not checked. Must outlive the client */
    uint32_t timeout_ms;          /* for one call; 0: 30 s */
    uint32_t connect_timeout_ms;  /* 0: 5 s */
    unsigned retries;             /* further attempts of a call, with fresh shares and servers looked for again */
    bool pad_batches;             /* to 1, 8, 32, 128, multiples of 128 */
    const eis_cancel *cancel;
    const char *mask_store_path; /* for prefetched masks; NULL: in memory */
    const char *mask_key_path;   /* of that store; NULL: its key, and so its masks, die with the process */
    uint64_t frame_bytes_max;    /* longest reply that we take; 0: 64 MiB */
    void (*sight)(void *context, const eis_split_sight *sight);
    void *sight_context;
} eis_split_client_config;

/* Connects to all servers at once, authenticates each, checks that their keys differ and that they hold the pack that
 * `info` names. With a threshold t it is enough that t of them answer.
 *
 * model and info must outlive the client.
 * Errors: EIS_ERR_USAGE (scheme, two servers with one key), EIS_ERR_DIGEST, EIS_ERR_MODEL_NOT_FOUND, EIS_ERR_TLS,
 *         EIS_ERR_UNAVAILABLE, EIS_ERR_TIMEOUT, ...; the text names the server. *client is then NULL. */
EIS_MUST_USE eis_status eis_split_client_new(eis_split_client **client, const eis_model *model,
                                             const eis_part_info *info, const eis_split_client_config *config);

/* Closes, wipes and frees. NULL is allowed. */
void eis_split_client_free(eis_split_client *client);

/* Returns the seam for the executor: each apply is one round trip, to all servers in parallel.
 *
 * Errors of apply: EIS_ERR_RANGE  the input of node 0 is not finite (nothing was sent); with the last node: some value
 * in between was not finite and was taken as 0; EIS_ERR_UNAVAILABLE, _CLOSED, _IO, _TIMEOUT, _BUSY, _PROTOCOL, ...  too
 * few servers answer, after the retries: the first failure, whose text names the server; EIS_ERR_INTEGRITY  a wrong
 * answer (the server is named) and no spare to go on with; EIS_ERR_INTERRUPTED, EIS_ERR_MEMORY. y is wiped. */
eis_linear_backend eis_split_client_seam(eis_split_client *client);

/* Fetches offline masks for `count` vectors of every layer (additive sharing only).
 *
 * Errors: EIS_ERR_USAGE with a threshold; those of a call and of the store. What was fetched stays usable. */
EIS_MUST_USE eis_status eis_split_client_prefetch(eis_split_client *client, size_t count,
                                                  void (*progress)(void *context, double fraction), void *context);

/* What was spent on one layer so far. */
typedef struct eis_split_layer_report {
    uint64_t bytes_up, bytes_down; /* all servers, frames included */
    uint64_t round_trips;
    uint64_t nanoseconds;  /* protect to recover */
    uint64_t masked_calls; /* of them by offline masks */
} eis_split_layer_report;

typedef struct eis_split_server_report {
    eis_address address;
    uint64_t bytes_up, bytes_down, calls;
    bool alive;
    bool caught; /* a wrong answer was proved against it */
    eis_status last_error;
} eis_split_server_report;

/* Reads the counters. layers[linear_count], servers[scheme.servers]; either may be NULL. */
void eis_split_client_report(const eis_split_client *client, eis_split_layer_report *layers,
                             eis_split_server_report *servers);

/* Returns the calls that wanted a mask and found none. */
uint64_t eis_split_client_mask_misses(const eis_split_client *client);

#endif
