/* SPDX-License-Identifier: Apache-2.0 */
/* The hot path: frames (wire/frame.h) over TLS over TCP.
 *
 * A stream may be used by one sending and one receiving thread at once; cancel and the counters from any thread. After
 * a failure, other than a timeout before a frame began, the same direction gives the same status for ever; a framing
 * fault of the peer (EIS_ERR_PROTOCOL, _VERSION, _TOO_LARGE) still lets us send an answer, everything else ends both.
 *
 * A thread that sends large frames ahead of the replies to earlier ones needs a second thread that receives: otherwise
 * both ends may wait for each other's buffers until the write timeout. */
#ifndef EIS_NET_STREAM_H
#define EIS_NET_STREAM_H

#include "base/bytes.h"
#include "base/status.h"
#include "net/address.h"
#include "net/cancel.h"
#include "net/tls.h"
#include "wire/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EIS_STREAM_PARTS_MAX 16
#define EIS_STREAM_ANY_MAX   256

typedef struct eis_stream eis_stream;

typedef struct eis_stream_options {
    uint8_t protocol; /* eis_frame_protocol of both directions; 0: split */
    uint64_t
        payload_bytes_max;     /* of one received frame; 0: EIS_FRAME_HELLO_BYTES_MAX, until HELLO has agreed on more */
    uint32_t read_timeout_ms;  /* from a frame's first byte to its last, plus the time its length takes at */
    uint32_t bytes_per_s_min;  /* this rate; 0: 10 s and 256 KiB/s. Slow peers are cut off by both together */
    uint32_t write_timeout_ms; /* for one frame, lengthened in the same way; 0: 10 s */
    uint32_t spin_us;          /* how long a receiver looks without sleeping; 0: 100 us; EIS_STREAM_NO_SPIN: never */
    const eis_cancel *cancel;  /* ends waits with EIS_ERR_INTERRUPTED; NULL: none. Must outlive the stream */
} eis_stream_options;

#define EIS_STREAM_NO_SPIN      UINT32_MAX
#define EIS_STREAM_WAIT_FOREVER UINT32_MAX

/* A received frame. The payload belongs to the stream and stays until the next receive on it. */
typedef struct eis_stream_frame {
    eis_frame_header header;
    eis_span payload;
} eis_stream_frame;

typedef struct eis_stream_counts {
    uint64_t frames_in, frames_out, bytes_in, bytes_out; /* bytes of headers and payloads, before TLS */
} eis_stream_counts;

/* Connects, authenticates the server and agrees on the protocol. options may be NULL.
 *
 * Range:   timeout_ms covers TCP and TLS together (a resolver has its own time).
 * Errors:  EIS_ERR_UNAVAILABLE  the name does not resolve, nobody listens, or the peer hung up before TLS was up;
 *          EIS_ERR_TIMEOUT, EIS_ERR_INTERRUPTED, EIS_ERR_IO, EIS_ERR_MEMORY;
 *          EIS_ERR_TLS  the detail tells a wrong CA, a wrong name, a wrong pin, an expired certificate and a peer
 *                       without TLS apart. *stream is then NULL. A server that refuses our certificate says so only
 *                       when we first receive: EIS_ERR_TLS there. */
EIS_MUST_USE eis_status eis_net_stream_connect(eis_stream **stream, const eis_address *address, const eis_tls *tls,
                                               uint32_t timeout_ms, const eis_stream_options *options);

/* Closes politely where that needs no waiting, wipes and frees. NULL is allowed. */
void eis_net_stream_free(eis_stream *stream);

/* Sets the limit for the frames to come, on the receiving thread: what HELLO agreed on. */
void eis_net_stream_limit(eis_stream *stream, uint64_t payload_bytes_max);

/* Sends one frame whose payload is the parts one after the other; the header's payload_bytes is
 * taken from them and its protocol from the stream.
 *
 * Shape:   at most EIS_STREAM_PARTS_MAX parts; empty ones are allowed.
 * Cost:    one TLS record and one system call up to 16 KiB, header included; no copy of whole records beyond TLS's own.
 * Errors:  EIS_ERR_TIMEOUT, EIS_ERR_CLOSED, EIS_ERR_IO, EIS_ERR_INTERRUPTED, EIS_ERR_TLS; the stream is then dead. */
EIS_MUST_USE eis_status eis_net_stream_send(eis_stream *stream, const eis_frame_header *header, const eis_span *parts,
                                            size_t part_count);

/* Receives one frame.
 *
 * Range:   wait_ms limits the time until the frame's first byte; after that read_timeout_ms counts.
 * Errors:  EIS_ERR_TIMEOUT      nothing came within wait_ms: the stream goes on living; or the frame came too slowly;
 *          EIS_ERR_CLOSED       the peer closed, between frames or (see the detail) inside one;
 *          EIS_ERR_INTERRUPTED  cancelled, or the listener drains and no frame has begun;
 *          EIS_ERR_PROTOCOL, EIS_ERR_VERSION  not a frame of ours;  EIS_ERR_TOO_LARGE  above payload_bytes_max, before
 * any of it is read; EIS_ERR_TLS, EIS_ERR_IO, EIS_ERR_MEMORY. *frame is then untouched. */
EIS_MUST_USE eis_status eis_net_stream_recv(eis_stream_frame *frame, eis_stream *stream, uint32_t wait_ms);

/* Receives the next whole frame from any of several streams, reading from all of them meanwhile: a client with k
 * servers waits on one thread and pays no wake-up per server. NULL entries are skipped; one is not NULL.
 *
 * Range:   count <= EIS_STREAM_ANY_MAX; wait_ms covers the whole call; 0 only looks.
 * Errors:  EIS_ERR_TIMEOUT with *which == count: none is complete; all go on living, parts of frames are kept.
 *          Any other failure, with *which < count, is that stream's own, as in eis_net_stream_recv;
 *          the others are untouched. EIS_ERR_INTERRUPTED may come with *which == count. */
EIS_MUST_USE eis_status eis_net_stream_recv_any(size_t *which, eis_stream_frame *frame, eis_stream *const *streams,
                                                size_t count, uint32_t wait_ms);

/* Ends every wait on the stream, in any thread, with EIS_ERR_INTERRUPTED; the stream is then dead. */
void eis_net_stream_cancel(eis_stream *stream);

/* Gives the pin of the peer's key. Errors: EIS_ERR_NOT_FOUND  the peer showed no certificate (a client without one). */
EIS_MUST_USE eis_status eis_net_stream_peer_pin(eis_tls_pin *pin, const eis_stream *stream);

/* Returns the peer's numeric address and port, for logs. */
const char *eis_net_stream_peer_name(const eis_stream *stream);

/* Returns the name of the TLS 1.3 cipher, for reports. */
const char *eis_net_stream_cipher(const eis_stream *stream);

/* Reads the counters. */
void eis_net_stream_counts(eis_stream_counts *counts, const eis_stream *stream);

#endif
