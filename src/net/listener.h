/* SPDX-License-Identifier: Apache-2.0 */
/* The server's end of the stream: accepts, gives each connection a thread, and drains. */
#ifndef EIS_NET_LISTENER_H
#define EIS_NET_LISTENER_H

#include "net/stream.h"

typedef struct eis_listener eis_listener;

/* Serves one connection until it ends, on a thread of its own; the listener frees the stream afterwards. A status other
 * than EIS_OK, EIS_ERR_CLOSED and EIS_ERR_INTERRUPTED is logged and counted. */
typedef eis_status (*eis_stream_serve)(void *context, eis_stream *stream);

typedef struct eis_listener_config {
    eis_address address;           /* port 0 takes a free one */
    const eis_tls *tls;            /* must outlive the listener */
    unsigned connections_max;      /* 0: 64. A connection above it is closed at once and counted as refused */
    uint32_t handshake_timeout_ms; /* 0: 10 s */
    eis_stream_options stream;     /* its cancel, if any, ends all connections */
    eis_stream_serve serve;
    void *context;
} eis_listener_config;

typedef struct eis_listener_counts {
    uint64_t accepted, refused, handshakes_failed, serves_failed;
    unsigned connections;     /* open now */
    eis_stream_counts stream; /* closed and open connections together */
} eis_listener_counts;

/* Binds and starts accepting.
 *
 * Errors: EIS_ERR_IO  the address is in use, not ours or not allowed (the detail says which and what to do);
 *         EIS_ERR_UNAVAILABLE  the name does not resolve; EIS_ERR_MEMORY, EIS_ERR_LIMIT. *listener is then NULL. */
EIS_MUST_USE eis_status eis_net_listener_start(eis_listener **listener, const eis_listener_config *config);

/* Gives the numeric address that is really in use. */
void eis_net_listener_address(eis_address *address, const eis_listener *listener);

/* Reads the counters. */
void eis_net_listener_counts(eis_listener_counts *counts, eis_listener *listener);

/* Stops accepting, lets frames that have begun and requests in flight finish for at most deadline_ms, then cancels the
 * rest and waits until every connection's thread has left the serve callback. Returns whether nothing had to be
 * cancelled. A second call waits for nothing. */
bool eis_net_listener_drain(eis_listener *listener, uint32_t deadline_ms);

/* Drains with no patience and frees. NULL is allowed. */
void eis_net_listener_free(eis_listener *listener);

#endif
