/* SPDX-License-Identifier: Apache-2.0 */
/* Inside net/: one HTTP request with its reply, as server, router and TLS check share it. */
#ifndef EIS_NET_HTTP_EXCHANGE_H
#define EIS_NET_HTTP_EXCHANGE_H

#include "net/http.h"

#include <microhttpd.h>

#define EIS_HTTP_REPLY_HEADERS_MAX    8
#define EIS_HTTP_MEDIA_TYPE_BYTES_MAX 64
#define EIS_HTTP_ALLOW_BYTES_MAX      64

typedef struct eis_http_header {
    char *name, *value;
} eis_http_header;

struct eis_http_reply {
    int http_status; /* 0: the handler has set nothing */
    char media_type[EIS_HTTP_MEDIA_TYPE_BYTES_MAX];
    uint8_t *body;
    size_t body_bytes;
    eis_http_header headers[EIS_HTTP_REPLY_HEADERS_MAX];
    size_t header_count;
    unsigned retry_after_s;
};

struct eis_http_request {
    struct MHD_Connection *connection;
    const eis_http_route *route; /* NULL: none fits */
    char *method, *path;
    const char *param; /* inside path, or "" */
    uint8_t *body;
    size_t body_bytes, body_capacity;
    size_t announced_bytes; /* Content-Length, 0 where there is none */
    size_t reserved_bytes;  /* by hooks.reserve */
    size_t thrown_bytes;    /* of a refused body */
    uint64_t deadline_ns;   /* of the body's last byte */
    eis_status verdict;     /* what was found wrong before the handler */
    char detail[256];
    char allow[EIS_HTTP_ALLOW_BYTES_MAX]; /* methods of this path, for 405 */
    bool has_body, framed, wants_close;   /* framed: where the body ends is clear, and within the limit */
    void *owner;                          /* set by hooks.admit */
    eis_http_reply reply;                 /* what admission has put into it already */
};

/* Replaces the body of a reply by the problem+json body of a status. detail and api_version may be NULL.
 * Errors: EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_net_http_problem(eis_http_reply *reply, eis_status st, const char *detail,
                                             const char *instance, const char *api_version);

/* Sends a reply, whose body moves to the HTTP library. Returns what the access handler returns. */
enum MHD_Result eis_net_http_reply_queue(eis_http_reply *reply, struct MHD_Connection *connection, bool close);

/* Wipes and frees what a reply holds. */
void eis_net_http_reply_clear(eis_http_reply *reply);

/* Finds the route of a request; where the path is known and the method is not, sets request->allow.
 * Errors: EIS_ERR_NOT_FOUND, EIS_ERR_METHOD. */
EIS_MUST_USE eis_status eis_net_http_route(eis_http_request *request, const eis_http_route *routes, size_t count);

/* Sets request->has_body and announced_bytes, and checks that its end is beyond doubt and within the limit.
 * Errors: EIS_ERR_PARSE, EIS_ERR_TOO_LARGE. */
EIS_MUST_USE eis_status eis_net_http_check_framing(eis_http_request *request, size_t body_bytes_max);

/* Checks that the body is what the request's route takes. Errors: EIS_ERR_PARSE, EIS_ERR_MEDIA_TYPE. */
EIS_MUST_USE eis_status eis_net_http_check_media_type(const eis_http_request *request);

/* Checks the client's certificate against the CAs of the server. Errors: EIS_ERR_UNAUTHENTICATED. */
EIS_MUST_USE eis_status eis_net_http_check_client(struct MHD_Connection *connection);

#endif
