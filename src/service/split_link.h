/* SPDX-License-Identifier: Apache-2.0 */
/* Inside service/: the client's connection to one server. It has at most one request outstanding, so neither end can
 * block on the other's full buffers; an answer that comes after its round has ended is read and thrown away. */
#ifndef EIS_SERVICE_SPLIT_LINK_H
#define EIS_SERVICE_SPLIT_LINK_H

#include "base/status.h"
#include "net/address.h"
#include "net/stream.h"
#include "wire/split_messages.h"

#include <stdbool.h>
#include <stdint.h>

#define EIS_LINK_NAME_BYTES (EIS_ADDRESS_TEXT_BYTES_MAX + 32)

/* The request that a server owes an answer to. */
typedef struct eis_split_ticket {
    bool open;
    bool wanted; /* its round still runs */
    uint64_t id;
    uint32_t layer;
    uint16_t batch;
    uint8_t truncated_bits;
    size_t reply_bytes;
    uint64_t deadline_ns; /* a server that is silent beyond it is given up */
} eis_split_ticket;

typedef struct eis_split_link {
    uint32_t index; /* of the share or point: from 1, for the life of the client */
    eis_address address;
    char name[EIS_LINK_NAME_BYTES]; /* "server 2 (HOST:PORT)", for messages */
    eis_tls *tls;
    eis_stream *stream; /* NULL: not connected */
    eis_tls_pin pin;    /* of the first connection; every later one must show the same key */
    bool has_pin;
    eis_split_order order;
    uint64_t last_id;         /* rises over reconnections too: an id is never used twice */
    uint64_t frame_bytes_max; /* agreed in HELLO */
    eis_split_ticket ticket;
    bool caught; /* a wrong answer was proved; never asked again */

    /* one round */
    bool takes_part, asked, answered, lost;
    uint64_t *words; /* [words_capacity]: the answer */
    size_t words_capacity;

    /* what is told about it */
    uint64_t bytes_up, bytes_down, calls;
    eis_status last_error;
    char detail[256];
} eis_split_link;

/* What every connection begins with. */
typedef struct eis_split_terms {
    eis_split_hello hello; /* share_index is the link's own */
    uint32_t connect_timeout_ms, write_timeout_ms;
    uint64_t frame_bytes_needed; /* a server that takes less cannot serve this model */
    const eis_cancel *cancel;
} eis_split_terms;

/* Connects, authenticates and greets. On failure last_error and detail tell why, and detail is what is recorded too.
 *
 * Errors: those of eis_net_stream_connect; EIS_ERR_TLS  another key than before; what the server answered to HELLO;
 *         EIS_ERR_PROTOCOL, EIS_ERR_TOO_LARGE. */
EIS_MUST_USE eis_status eis_split_link_open(eis_split_link *link, const eis_split_terms *terms);

/* Sends a request and opens its ticket. header carries type, layer, batch, suite and t.
 *
 * Errors: those of eis_net_stream_send. */
EIS_MUST_USE eis_status eis_split_link_ask(eis_split_link *link, const eis_frame_header *header, const eis_span *parts,
                                           size_t part_count, size_t reply_bytes, uint64_t deadline_ns);

typedef enum eis_split_arrival {
    EIS_SPLIT_ARRIVED_LATE,   /* an answer that nobody waits for any more */
    EIS_SPLIT_ARRIVED_RESULT, /* to the open ticket, with its layer, batch, t and length */
    EIS_SPLIT_ARRIVED_REFUSAL /* an ERROR to the open ticket; *refused says what */
} eis_split_arrival;

/* Takes a frame that came and closes the ticket that it answers.
 *
 * Errors: EIS_ERR_PROTOCOL  a frame that may not come now: another id, layer, batch, t or length than was asked for;
 *         EIS_ERR_CLOSED    the server says good-bye; an ERROR about the connection: its status.
 *         The link is to be dropped. */
EIS_MUST_USE eis_status eis_split_link_take(eis_split_arrival *arrival, eis_status *refused, eis_split_link *link,
                                            const eis_stream_frame *frame);

/* Keeps why a server failed (the text recorded on this thread) for reports. */
void eis_split_link_note(eis_split_link *link, eis_status st);

/* Notes and hangs up. */
void eis_split_link_drop(eis_split_link *link, eis_status st);

/* Says good-bye, wipes and frees what the link holds. */
void eis_split_link_clear(eis_split_link *link);

#endif
