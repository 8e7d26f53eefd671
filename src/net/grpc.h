/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC over the C core of the gRPC project: a server whose calls are routed by their path, and a client. Messages are
 * bytes here; whoever calls encodes them.
 *
 * TLS is 1.3 alone. A status of ours travels as its gRPC status, with its text, and under "eis-code" by its own name.
 */
#ifndef EIS_NET_GRPC_H
#define EIS_NET_GRPC_H

#include "base/bytes.h"
#include "base/status.h"
#include "net/address.h"
#include "net/cancel.h"
#include "net/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct eis_grpc_server eis_grpc_server;
typedef struct eis_grpc_call eis_grpc_call;

/* Serves one call on a thread of its own: receives, sends, and returns its status. */
typedef eis_status (*eis_grpc_handler)(void *context, eis_grpc_call *call);

typedef struct eis_grpc_route {
    const char *path; /* "/package.Service/Method" */
    eis_grpc_handler handle;
    void *context;
} eis_grpc_route;

typedef struct eis_grpc_config {
    eis_address address;          /* port 0 takes a free one */
    eis_span cert_pem, key_pem;   /* both empty: plaintext, on a loopback address alone */
    eis_span client_ca_pem;       /* not empty: clients must show a certificate issued by one of these */
    const eis_grpc_route *routes; /* copied; the texts are constants of the caller's */
    size_t route_count;
    size_t message_bytes_max;       /* of one request; 0: 1 MiB */
    unsigned calls_max;             /* at once, above it a call is refused; 0: 64 */
    uint32_t request_timeout_ms;    /* until the first message of a call is here; 0: 30 s */
    void (*cut_off)(void *context); /* called when a drain loses its patience, before it cancels; NULL: nobody */
    void *context;
} eis_grpc_config;

typedef struct eis_grpc_counts {
    uint64_t calls, failed, refused; /* failed: ended with a status; refused: no room, or an unknown path */
    unsigned in_flight;
} eis_grpc_counts;

/* Binds and starts serving.
 *
 * Errors: EIS_ERR_USAGE  plaintext beyond loopback;  EIS_ERR_TLS  certificate, key or client CA are damaged;
 *         EIS_ERR_IO  the address is in use, not ours or not allowed;  EIS_ERR_MEMORY, EIS_ERR_LIMIT. *server is NULL.
 */
EIS_MUST_USE eis_status eis_net_grpc_server_start(eis_grpc_server **server, const eis_grpc_config *config);

/* Gives the address with the port that is really in use. */
void eis_net_grpc_server_address(eis_address *address, const eis_grpc_server *server);

/* Reads the counters. */
void eis_net_grpc_server_counts(eis_grpc_counts *counts, eis_grpc_server *server);

/* Takes no more calls, lets those in flight finish for at most deadline_ms, then cancels them and waits until every
 * handler has returned. Returns whether nothing had to be cancelled. A second call waits for nothing. */
bool eis_net_grpc_server_drain(eis_grpc_server *server, uint32_t deadline_ms);

/* Drains with no patience and frees. NULL is allowed. */
void eis_net_grpc_server_free(eis_grpc_server *server);

/* ---- inside a handler ---- */

/* Receives the next message, which stays until the next receive.
 *
 * Errors: EIS_ERR_CLOSED  the client has sent all;  EIS_ERR_INTERRUPTED  the call was cancelled or ran out of time;
 *         EIS_ERR_TIMEOUT  nothing came;  EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_net_grpc_receive(eis_span *message, eis_grpc_call *call);

/* Sends a message. Errors: EIS_ERR_INTERRUPTED  the client is gone; EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_net_grpc_send(eis_grpc_call *call, const void *data, size_t bytes);

/* Tells whether the client has cancelled, is gone, or the deadline of the call has passed. */
bool eis_net_grpc_cancelled(eis_grpc_call *call);

/* Tells whether the server has begun to drain. */
bool eis_net_grpc_draining(const eis_grpc_call *call);

/* Returns the path as the client asked for it. */
const char *eis_net_grpc_path(const eis_grpc_call *call);

/* Gives the pin of the client's key. Errors: EIS_ERR_NOT_FOUND  the client showed no certificate. */
EIS_MUST_USE eis_status eis_net_grpc_peer_pin(eis_tls_pin *pin, const eis_grpc_call *call);

/* ---- client ---- */

typedef struct eis_grpc_client eis_grpc_client;

typedef struct eis_grpc_client_config {
    eis_address address;
    eis_span ca_pem;            /* empty: plaintext, to a loopback address alone */
    eis_span cert_pem, key_pem; /* our own; both empty: none */
    const eis_tls_pin *pins;    /* [pin_count]: the server's key must be one of them; chain and name count too */
    size_t pin_count;
    size_t message_bytes_max; /* of one reply; 0: 4 MiB */
    const eis_cancel *cancel; /* ends calls with EIS_ERR_INTERRUPTED; NULL: none */
} eis_grpc_client_config;

/* Makes a client, which connects with its first call. May be used by many threads at once.
 * Errors: EIS_ERR_USAGE  plaintext beyond loopback; EIS_ERR_TLS, EIS_ERR_MEMORY. *client is NULL. */
EIS_MUST_USE eis_status eis_net_grpc_client_new(eis_grpc_client **client, const eis_grpc_client_config *config);

/* Receives a message of the server; a status other than EIS_OK cancels the call and is its result. */
typedef eis_status (*eis_grpc_receiver)(void *context, eis_span message);

/* Calls with one request and receives every reply: one, or a stream of them.
 *
 * Range:   timeout_ms is the deadline of the whole call; 0: none.
 * Errors:  what the server said, with its text;  EIS_ERR_UNAVAILABLE  nobody is there, or TLS failed;
 *          EIS_ERR_TIMEOUT, EIS_ERR_INTERRUPTED, EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_net_grpc_call(eis_grpc_client *client, const char *path, const void *request, size_t bytes,
                                          uint32_t timeout_ms, eis_grpc_receiver receive, void *context);

/* Frees; no call may be under way. NULL is allowed. */
void eis_net_grpc_client_free(eis_grpc_client *client);

#endif
