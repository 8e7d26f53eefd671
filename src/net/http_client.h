/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP client for REST servers: one request, or several at once.
 *
 * TLS 1.3 and the same checks as the stream (net/tls.h). http:// reaches loopback addresses only, unless the caller
 * allows it. No redirects, no proxies, no cookies, no other protocols. */
#ifndef EIS_NET_HTTP_CLIENT_H
#define EIS_NET_HTTP_CLIENT_H

#include "base/bytes.h"
#include "base/status.h"
#include "net/cancel.h"
#include "net/tls.h"
#include "net/token.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EIS_HTTP_CALLS_MAX 256

typedef struct eis_http_client eis_http_client; /* one thread at a time; keeps connections open between calls */

typedef struct eis_http_client_config {
    eis_tls_client_config tls;   /* alpn is not used; several pins: any of them is accepted */
    const eis_token *token;      /* NULL: none. Sent as a bearer token, after the server is authenticated */
    bool plain_anywhere;         /* http:// beyond loopback; the caller has warned */
    size_t response_bytes_max;   /* 0: 64 MiB */
    uint32_t connect_timeout_ms; /* 0: 5 s */
    uint32_t timeout_ms;         /* for a whole call; 0: 30 s */
    const eis_cancel *cancel;    /* NULL: none */
} eis_http_client_config;

/* One request and its answer. Zero-initialise it; clear it after use. */
typedef struct eis_http_call {
    const char *method;         /* in: "GET", "HEAD", "POST", "PUT" or "DELETE" */
    const char *url;            /* in: http://... or https://... */
    const char *media_type;     /* in: of the body; NULL without one; "" sends no Content-Type with it */
    eis_span body;              /* in: of POST and PUT; must live until the run ends */
    const char *const *headers; /* in: [header_count] further lines, "Name: value"; must live until the run ends */
    size_t header_count;
    eis_status status;          /* out: EIS_OK where an HTTP answer came, whatever its status */
    char detail[256];           /* out: what went wrong, otherwise empty */
    int http_status;            /* out: 200, 404, ... */
    char answer_media_type[64]; /* out: without parameters, in small letters; empty where absent or too long */
    unsigned retry_after_s;     /* out: what Retry-After says in seconds, at most an hour; 0 where it says nothing */
    uint8_t *answer;            /* out: body, with a zero behind it that answer_bytes does not count */
    size_t answer_bytes, answer_capacity;
    char *answer_headers; /* out: lines "name: value\n", names in small letters, the first 16 KiB of them; or NULL */
    size_t answer_header_bytes;
} eis_http_call;

/* Makes a client; pins and PEM texts are copied.
 *
 * Errors: EIS_ERR_TLS  damaged PEM; EIS_ERR_MEMORY; EIS_ERR_UNSUPPORTED  a libcurl without OpenSSL. */
EIS_MUST_USE eis_status eis_net_http_client_new(eis_http_client **client, const eis_http_client_config *config);

/* Frees a client and its connections. NULL is allowed. */
void eis_net_http_client_free(eis_http_client *client);

/* Runs all calls at once and returns when each has its answer or has failed.
 *
 * Range:  count <= EIS_HTTP_CALLS_MAX.
 * Errors: the status of the first call that failed, with its detail recorded; calls[i].status tells about each:
 *         EIS_ERR_USAGE (URL), EIS_ERR_UNAVAILABLE, EIS_ERR_TIMEOUT, EIS_ERR_TLS, EIS_ERR_TOO_LARGE, EIS_ERR_CLOSED,
 *         EIS_ERR_IO, EIS_ERR_INTERRUPTED, EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_net_http_client_run(eis_http_client *client, eis_http_call *calls, size_t count);

/* Copies the value of a header of the answer into out[out_bytes], cut where it is longer; `name` is in small letters.
 * Returns false, and leaves out empty, where there is none. The first of several counts. */
bool eis_net_http_call_header(char *out, size_t out_bytes, const eis_http_call *call, const char *name);

/* Wipes and frees the answer, and leaves the call as if zero-initialised. */
void eis_net_http_call_clear(eis_http_call *call);

#endif
