/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP/1.1 server for REST: routes, whole bodies with a limit, problem+json for every failure.
 *
 * Handlers run on the thread of their connection, and may wait there. */
#ifndef EIS_NET_HTTP_H
#define EIS_NET_HTTP_H

#include "base/bytes.h"
#include "base/status.h"
#include "net/address.h"
#include "net/tls.h"
#include "net/token.h"
#include "wire/cursor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct eis_http_server eis_http_server;
typedef struct eis_http_request eis_http_request;
typedef struct eis_http_reply eis_http_reply;

/* Answers one request: fills the reply and returns EIS_OK, or returns a status, which becomes a problem+json body with
 * the recorded detail (eis_fail) where the fault is the client's (HTTP 4xx), and without it elsewhere. */
typedef eis_status (*eis_http_handler)(void *context, eis_http_reply *reply, const eis_http_request *request);

typedef struct eis_http_route {
    const char *method;     /* "GET" (answers HEAD too, unless that has a route), "HEAD", "POST", "PUT", "DELETE" */
    const char *pattern;    /* "/health", or with one trailing parameter "/v1/models/{name}" */
    const char *media_type; /* what the body must be, such as "application/json"; NULL: the route takes no body */
    const char *media_type_other; /* or this; NULL: the first alone */
    bool open;                    /* true: needs no token even where the server has one */
    unsigned kind;                /* the caller's own mark, for eis_http_hooks.admit */
    eis_http_handler handle;
    void *context;
} eis_http_route;

/* What a server asks its owner about each request before the body is read. All are NULL, or `authorize` alone, or all
 * are set. They are called by many threads at once. A refusal is a status with its detail, as a handler's. */
typedef struct eis_http_hooks {
    void *context;
    /* In place of the token: may this request be here at all? Before its path is looked at; `open` as in the route,
     * false where there is none. */
    eis_status (*authorize)(void *context, const eis_http_request *request, bool open);
    /* May it be served now? Headers and Retry-After that it sets in the reply stand in whatever answer comes. *owner,
     * where it is set (also on refusal), is what the two below are told, until `finish` takes it back. */
    eis_status (*admit)(void *context, void **owner, eis_http_reply *reply, const eis_http_request *request,
                        unsigned kind);
    /* Memory for a body, before it is read: all of Content-Length at once, a chunked body as its memory grows. Called
     * where there is an owner. */
    eis_status (*reserve)(void *context, void *owner, size_t bytes);
    void (*release)(void *context, void *owner, size_t bytes);
    void (*finish)(void *context, void *owner);
} eis_http_hooks;

typedef struct eis_http_config {
    eis_address address;          /* port 0 takes a free one */
    eis_span cert_pem, key_pem;   /* TLS 1.3; both empty: plain HTTP */
    eis_span client_ca_pem;       /* not empty: clients must show a certificate issued by one of these */
    bool plain_anywhere;          /* plain HTTP beyond loopback; the caller has warned */
    const eis_token *token;       /* NULL: none is asked for; otherwise copied */
    const eis_http_route *routes; /* copied; the texts are constants of the caller's */
    size_t route_count;
    size_t body_bytes_max;      /* 0: 16 MiB */
    unsigned connections_max;   /* 0: 64 */
    unsigned idle_timeout_s;    /* a silent connection is closed; 0: 30 */
    unsigned request_timeout_s; /* from a request's headers to the end of its body; 0: 60 */
    size_t read_bytes;          /* read at once, and the longest headers; 0: 32 KiB */
    const char *api_version;    /* a constant: the member api_version of every problem+json body; NULL: none */
    eis_http_hooks hooks;
} eis_http_config;

typedef struct eis_http_counts {
    uint64_t requests, replies_2xx, replies_4xx, replies_5xx, bytes_in, bytes_out; /* bytes of bodies */
    unsigned in_flight;
} eis_http_counts;

/* Binds and starts serving.
 *
 * Errors: EIS_ERR_USAGE  plain HTTP beyond loopback without plain_anywhere;
 *         EIS_ERR_IO     the address is in use, not ours or not allowed; EIS_ERR_UNAVAILABLE as for a listener;
 *         EIS_ERR_TLS    certificate, key or client CA are damaged; EIS_ERR_MEMORY. *server is then NULL. */
EIS_MUST_USE eis_status eis_net_http_server_start(eis_http_server **server, const eis_http_config *config);

/* Gives the numeric address that is really in use. */
void eis_net_http_server_address(eis_address *address, const eis_http_server *server);

/* Reads the counters. */
void eis_net_http_server_counts(eis_http_counts *counts, const eis_http_server *server);

/* Stops accepting, answers new requests on open connections with 503, and waits at most deadline_ms for the requests in
 * flight. Returns whether all of them finished. */
bool eis_net_http_server_drain(eis_http_server *server, uint32_t deadline_ms);

/* Stops and frees; handlers that still run are waited for. NULL is allowed. */
void eis_net_http_server_free(eis_http_server *server);

/* What a handler can ask about its request; texts live as long as the request. */
const char *eis_net_http_request_method(const eis_http_request *request);
const char *eis_net_http_request_path(const eis_http_request *request);  /* decoded, without the query */
const char *eis_net_http_request_param(const eis_http_request *request); /* the pattern's {parameter}, or "" */
eis_span eis_net_http_request_body(const eis_http_request *request);
/* Gives the body to the caller, who frees *body with eis_mem_free and gives the *reserved bytes of hooks.reserve back.
 */
void eis_net_http_request_take_body(const eis_http_request *request, uint8_t **body, size_t *body_bytes,
                                    size_t *reserved);
/* Returns what hooks.admit has set as the owner, or NULL. */
void *eis_net_http_request_owner(const eis_http_request *request);
/* Gives the numeric address of the other end, without its port. */
void eis_net_http_request_peer(char peer[EIS_ADDRESS_HOST_BYTES_MAX], const eis_http_request *request);
/* Returns a header's or a query argument's value, NULL where absent; names of headers ignore case. */
const char *eis_net_http_request_header(const eis_http_request *request, const char *name);
const char *eis_net_http_request_query(const eis_http_request *request, const char *name);
/* Gives the pin of the client's key. Errors: EIS_ERR_NOT_FOUND  the client showed no certificate. */
EIS_MUST_USE eis_status eis_net_http_request_pin(eis_tls_pin *pin, const eis_http_request *request);

/* Fills a reply with a copy of the body; a second call replaces the first.
 *
 * Range:  http_status 200..599; media_type such as "application/json"; body may be empty (204).
 * Errors: EIS_ERR_MEMORY; the reply is then as before. */
EIS_MUST_USE eis_status eis_net_http_reply_set(eis_http_reply *reply, int http_status, const char *media_type,
                                               const void *body, size_t body_bytes);

/* The same with a body that the reply takes over instead of copying it; the writer is empty afterwards. */
EIS_MUST_USE eis_status eis_net_http_reply_take(eis_http_reply *reply, int http_status, const char *media_type,
                                                eis_writer *body);

/* Adds a header line, such as "EIS-Privacy: leaks-input". At most 8; the texts are copied and hold no control
 * characters (a contract). It stays where the answer becomes a problem. Errors: EIS_ERR_MEMORY, EIS_ERR_LIMIT. */
EIS_MUST_USE eis_status eis_net_http_reply_header(eis_http_reply *reply, const char *name, const char *value);

/* Sets the seconds that a 429 or 503 tells the client to wait (Retry-After and retry_after_s); 1 where not called. */
void eis_net_http_reply_retry_after(eis_http_reply *reply, unsigned seconds);

/* Returns what a client should do about a status: "fix", "credentials", "smaller", "wait", "back_off", "retry",
 * "send_again", "upload_keys", "re_encrypt", "other_parameters", "resubmit" or "none"; the member error.action of every
 * problem+json body. */
const char *eis_net_http_action(eis_status st);

#endif
