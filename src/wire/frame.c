/* SPDX-License-Identifier: Apache-2.0 */
/* Frame headers, and the parser that cuts a stream into frames. A parser is in one of three places: in a header
 * (raw_have < 32), in a payload (payload_have < header.payload_bytes), or ready. */
#include "wire/frame.h"

#include "base/mem.h"
#include "wire/cursor.h"

#include <string.h>

/* A first piece as large as most requests; then doubling. A claim alone costs nobody memory. */
#define PIECE_BYTES ((size_t)256 << 10)
/* An idle connection gives larger buffers back: beside the 1.5 MiB that an evaluator keeps and TLS's own, it stays
 * below 2 MiB. A reply of 50257 field words still fits. */
#define KEPT_BYTES_MAX ((size_t)416 << 10)

static const uint8_t magic[4] = {'E', 'I', 'S', 'F'};

void eis_wire_frame_write(uint8_t out[EIS_FRAME_HEADER_BYTES], const eis_frame_header *h)
{
    memcpy(out, magic, 4);
    out[4] = EIS_FRAME_VERSION;
    out[5] = h->protocol;
    eis_store_le16(out + 6, h->type);
    eis_store_le64(out + 8, h->payload_bytes);
    eis_store_le64(out + 16, h->request_id);
    eis_store_le32(out + 24, h->layer);
    eis_store_le16(out + 28, h->batch);
    out[30] = h->suite;
    out[31] = h->truncated_bits;
}

eis_status eis_wire_frame_read(eis_frame_header *header, const uint8_t in[EIS_FRAME_HEADER_BYTES], uint8_t protocol,
                               uint64_t payload_bytes_max)
{
    eis_frame_header h;

    if (memcmp(in, magic, 4) != 0) return eis_fail(EIS_ERR_PROTOCOL, "the stream is none of ours (frame magic)");
    if (in[4] != EIS_FRAME_VERSION)
        return eis_fail(EIS_ERR_VERSION, "frame version %u, we speak %u", in[4], EIS_FRAME_VERSION);
    h.protocol = in[5];
    h.type = eis_load_le16(in + 6);
    h.payload_bytes = eis_load_le64(in + 8);
    h.request_id = eis_load_le64(in + 16);
    h.layer = eis_load_le32(in + 24);
    h.batch = eis_load_le16(in + 28);
    h.suite = in[30];
    h.truncated_bits = in[31];
    if (h.protocol != protocol)
        return eis_fail(EIS_ERR_PROTOCOL, "protocol %u on a stream of protocol %u", h.protocol, protocol);
    if (h.payload_bytes > payload_bytes_max || h.payload_bytes > SIZE_MAX / 2)
        return eis_fail(EIS_ERR_TOO_LARGE, "a frame of %llu bytes, at most %llu are allowed",
                        (unsigned long long)h.payload_bytes, (unsigned long long)payload_bytes_max);
    *header = h;
    return EIS_OK;
}

void eis_wire_frame_parser_init(eis_frame_parser *p, uint8_t protocol, uint64_t payload_bytes_max)
{
    *p = (eis_frame_parser){.protocol = protocol, .payload_bytes_max = payload_bytes_max, .st = EIS_OK};
}

void eis_wire_frame_parser_clear(eis_frame_parser *p)
{
    eis_mem_free_wiped(p->payload, p->payload_capacity, 1);
    eis_wire_frame_parser_init(p, p->protocol, p->payload_bytes_max);
}

void eis_wire_frame_parser_limit(eis_frame_parser *p, uint64_t payload_bytes_max)
{
    p->payload_bytes_max = payload_bytes_max;
}

/* Makes room behind what has arrived of the payload. */
static eis_status grow_payload(eis_frame_parser *p)
{
    size_t whole = (size_t)p->header.payload_bytes, capacity = 2 * p->payload_capacity;
    uint8_t *fresh;

    if (p->payload_have < p->payload_capacity) return EIS_OK;
    if (capacity < PIECE_BYTES) capacity = PIECE_BYTES;
    if (capacity > whole) capacity = whole;
    fresh = eis_mem_new_secret(capacity, 1);
    if (fresh == NULL) return p->st = EIS_ERR_MEMORY;
    if (p->payload != NULL) memcpy(fresh, p->payload, p->payload_have);
    eis_mem_free_wiped(p->payload, p->payload_capacity, 1);
    p->payload = fresh;
    p->payload_capacity = capacity;
    return EIS_OK;
}

eis_status eis_wire_frame_parser_space(eis_frame_parser *p, uint8_t **at, size_t *bytes)
{
    size_t rest;

    EIS_ASSERT(!p->ready);
    if (p->st != EIS_OK) return p->st;
    if (p->raw_have < EIS_FRAME_HEADER_BYTES) {
        *at = p->raw + p->raw_have;
        *bytes = EIS_FRAME_HEADER_BYTES - p->raw_have;
        return EIS_OK;
    }
    if (grow_payload(p) != EIS_OK) return p->st;
    rest = (size_t)p->header.payload_bytes - p->payload_have;
    *at = p->payload + p->payload_have;
    *bytes = p->payload_capacity - p->payload_have < rest ? p->payload_capacity - p->payload_have : rest;
    return EIS_OK;
}

eis_status eis_wire_frame_parser_filled(eis_frame_parser *p, size_t bytes)
{
    EIS_ASSERT(!p->ready);
    if (p->st != EIS_OK) return p->st;
    if (p->raw_have < EIS_FRAME_HEADER_BYTES) {
        EIS_ASSERT(bytes <= EIS_FRAME_HEADER_BYTES - p->raw_have);
        p->raw_have += bytes;
        if (p->raw_have < EIS_FRAME_HEADER_BYTES) return EIS_OK;
        p->st = eis_wire_frame_read(&p->header, p->raw, p->protocol, p->payload_bytes_max);
        if (p->st != EIS_OK) return p->st;
    } else {
        EIS_ASSERT(bytes <= p->payload_capacity - p->payload_have);
        p->payload_have += bytes;
    }
    p->ready = p->payload_have == p->header.payload_bytes;
    return EIS_OK;
}

eis_status eis_wire_frame_parser_feed(eis_frame_parser *p, size_t *used, const void *data, size_t bytes)
{
    const uint8_t *from = data;
    size_t done = 0, room;
    uint8_t *at;

    *used = 0;
    if (p->st != EIS_OK) return p->st;
    while (done < bytes && !p->ready) {
        if (eis_wire_frame_parser_space(p, &at, &room) != EIS_OK) return p->st;
        if (room > bytes - done) room = bytes - done;
        memcpy(at, from + done, room);
        done += room;
        if (eis_wire_frame_parser_filled(p, room) != EIS_OK) return p->st;
    }
    *used = done;
    return EIS_OK;
}

bool eis_wire_frame_parser_at_boundary(const eis_frame_parser *p) { return p->raw_have == 0; }

static void start_frame(eis_frame_parser *p)
{
    p->ready = false;
    p->raw_have = p->payload_have = 0;
    p->header = (eis_frame_header){0};
}

void eis_wire_frame_parser_next(eis_frame_parser *p)
{
    EIS_ASSERT(p->ready);
    if (p->payload_capacity > KEPT_BYTES_MAX) {
        eis_mem_free_wiped(p->payload, p->payload_capacity, 1);
        p->payload = NULL;
        p->payload_capacity = 0;
    } else {
        eis_mem_wipe(p->payload, p->payload_have);
    }
    start_frame(p);
}

uint8_t *eis_wire_frame_parser_take(eis_frame_parser *p)
{
    uint8_t *payload = p->payload;

    EIS_ASSERT(p->ready);
    p->payload = NULL;
    p->payload_capacity = 0;
    start_frame(p);
    return payload;
}
