/* SPDX-License-Identifier: Apache-2.0 */
/* The frame of our binary streams: a header of 32 bytes and a payload. Bytes 0-15 are the same for every protocol;
 * bytes 16-31 address a request. The parser does no I/O: bytes in, frames out.
 *
 *   0     4       5        6     8               16           24      28      30      31          32
 *   "EISF" version protocol type  payload length  request id   layer   batch   suite   truncated   payload...
 */
#ifndef EIS_WIRE_FRAME_H
#define EIS_WIRE_FRAME_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EIS_FRAME_HEADER_BYTES 32
#define EIS_FRAME_VERSION      1

/* What a parser accepts before HELLO has agreed on more. */
#define EIS_FRAME_HELLO_BYTES_MAX ((uint64_t)128 << 10)

typedef enum eis_frame_protocol { EIS_FRAME_PROTOCOL_SPLIT = 1, EIS_FRAME_PROTOCOL_MPC = 2 } eis_frame_protocol;

typedef struct eis_frame_header {
    uint8_t protocol; /* eis_frame_protocol */
    uint16_t type;    /* of the protocol */
    uint64_t payload_bytes;
    uint64_t request_id;
    uint32_t layer;
    uint16_t batch;
    uint8_t suite; /* 0 = words, else the stream cipher that a seed is for */
    uint8_t truncated_bits;
} eis_frame_header;

/* Writes the 32 bytes of a header. */
void eis_wire_frame_write(uint8_t out[EIS_FRAME_HEADER_BYTES], const eis_frame_header *header);

/* Reads and checks a header.
 *
 * Errors: EIS_ERR_PROTOCOL  wrong magic or protocol.
 *         EIS_ERR_VERSION   another version.
 *         EIS_ERR_TOO_LARGE the payload is longer than payload_bytes_max.  *header is untouched on error. */
EIS_MUST_USE eis_status eis_wire_frame_read(eis_frame_header *header, const uint8_t in[EIS_FRAME_HEADER_BYTES],
                                            uint8_t protocol, uint64_t payload_bytes_max);

/* Cuts a stream into frames. Fields are read by callers, written here only. */
typedef struct eis_frame_parser {
    eis_frame_header header; /* valid while ready */
    uint8_t *payload;        /* [header.payload_bytes], valid while ready */
    bool ready;              /* a whole frame lies here */
    uint8_t raw[EIS_FRAME_HEADER_BYTES];
    size_t raw_have, payload_have, payload_capacity;
    uint64_t payload_bytes_max;
    uint8_t protocol;
    eis_status st; /* sticky: a stream with a framing fault is dead */
} eis_frame_parser;

/* Starts a parser for one protocol. */
void eis_wire_frame_parser_init(eis_frame_parser *p, uint8_t protocol, uint64_t payload_bytes_max);

/* Wipes and frees the payload. */
void eis_wire_frame_parser_clear(eis_frame_parser *p);

/* Sets the limit for the frames to come: what HELLO agreed on. */
void eis_wire_frame_parser_limit(eis_frame_parser *p, uint64_t payload_bytes_max);

/* Takes bytes up to the end of the current frame, at most `bytes`, and says in *used how many.
 *
 * Errors: as eis_wire_frame_read, EIS_ERR_MEMORY; sticky.
 * Cost:   memory grows with what has arrived, not with what a header claims. */
EIS_MUST_USE eis_status eis_wire_frame_parser_feed(eis_frame_parser *p, size_t *used, const void *data, size_t bytes);

/* Says where the next bytes of the stream belong, so that a socket can be read into place: *at[*bytes], *bytes > 0.
 * Not to be called while ready. Errors: sticky ones and EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_wire_frame_parser_space(eis_frame_parser *p, uint8_t **at, size_t *bytes);

/* Says that `bytes` bytes (at most what space offered) were put there. Errors: as eis_wire_frame_read; sticky. */
EIS_MUST_USE eis_status eis_wire_frame_parser_filled(eis_frame_parser *p, size_t bytes);

/* Returns whether the stream may end here: between two frames. */
bool eis_wire_frame_parser_at_boundary(const eis_frame_parser *p);

/* Forgets the frame that is ready (wiping its payload) and goes on with the next one. */
void eis_wire_frame_parser_next(eis_frame_parser *p);

/* Gives the payload of the frame that is ready to the caller and goes on with the next one. The caller frees it with
 * eis_mem_free_wiped(payload, header.payload_bytes, 1), having copied the header before. */
uint8_t *eis_wire_frame_parser_take(eis_frame_parser *p);

#endif
