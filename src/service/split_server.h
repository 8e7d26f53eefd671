/* SPDX-License-Identifier: Apache-2.0 */
/* The serving half of the split engine: several packs by name, over the binary stream and, if wanted, REST. */
#ifndef EIS_SERVICE_SPLIT_SERVER_H
#define EIS_SERVICE_SPLIT_SERVER_H

#include "base/bytes.h"
#include "base/pool.h"
#include "base/status.h"
#include "engine/split/pack.h"
#include "net/address.h"
#include "net/tls.h"
#include "net/token.h"
#include "wire/split_messages.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct eis_split_server eis_split_server;

/* REST: GET /health (open), /metrics, /v1/models, /v1/models/{name}; POST /matmul
 *
 *   {"mode":"ring","profile":"p24","model":NAME,"layer":NAME or index,"batch":1,"truncate_bits":0, and one of
 *    "x_share":[decimal strings] | "x_share_b64":TEXT | "seed_b64":TEXT with "suite":1..3}; p8 takes "ring_bits" too
 * (32)
 *   {"x_share":[numbers]} is the original's, refused unless `legacy` is set.
 *
 * A model on offer. */
typedef struct eis_split_offer {
    char name[EIS_SPLIT_MODEL_BYTES_MAX + 1];
    const eis_pack *pack; /* must outlive the server */
} eis_split_offer;

/* The original's float layer (POST /matmul with floats): leaks the input to whoever holds the last share. */
typedef struct eis_legacy_layer {
    uint32_t inputs, outputs;
    const float *weights; /* [outputs][inputs]; NULL: legacy floats are refused */
} eis_legacy_layer;

typedef struct eis_split_server_config {
    const eis_split_offer *offers; /* [offer_count]; copied */
    size_t offer_count;
    eis_address listen;        /* the TLS stream; port 0 takes a free one */
    eis_tls_server_config tls; /* alpn is set by the server */
    bool http;                 /* open REST too */
    eis_address http_listen;
    bool http_plain; /* REST without TLS (loopback, or http_plain_anywhere) */
    bool http_plain_anywhere;
    const eis_token *token; /* NULL: none is asked for */
    eis_legacy_layer legacy;
    eis_pool *pool;           /* may be NULL */
    unsigned connections_max; /* 0: 64 */
    unsigned in_flight_max;   /* requests computed at once, all connections together; 0: 8. Eight times as many
                                 may wait, the next is told EIS_ERR_BUSY */
    uint64_t frame_bytes_max; /* 0: 64 MiB */
    uint64_t body_bytes_max;  /* of REST; 0: 16 MiB */
    uint32_t idle_timeout_ms; /* between requests; 0: 600 s */
    uint32_t read_timeout_ms; /* 0: 10 s */
    /* Test hook: sees every reply before it leaves and may change it. NULL in every server that ships. */
    void (*after_eval)(void *context, uint32_t layer, uint8_t *reply, size_t reply_bytes);
    void *after_eval_context;
} eis_split_server_config;

/* Starts serving; packs stay the caller's. With a legacy layer and no offer the stream does not start, and `listen` and
 * `tls` are not used.
 *
 * Errors: EIS_ERR_USAGE  two offers of one name, none at all, REST in plain beyond loopback;  those of the listener and
 *         of the HTTP server. *server is then NULL. */
EIS_MUST_USE eis_status eis_split_server_start(eis_split_server **server, const eis_split_server_config *config);

/* Gives the addresses that are really in use; one that is not open has port 0. */
void eis_split_server_addresses(eis_address *stream, eis_address *http, const eis_split_server *server);

/* Stops accepting, lets requests in flight finish for at most deadline_ms, then cuts off the rest. Returns whether
 * nothing had to be cut off. */
bool eis_split_server_drain(eis_split_server *server, uint32_t deadline_ms);

/* Drains without patience and frees. NULL is allowed. */
void eis_split_server_free(eis_split_server *server);

#endif
