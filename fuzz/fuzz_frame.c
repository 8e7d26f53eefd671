/* SPDX-License-Identifier: Apache-2.0 */
/* The frame parser: the first byte chooses how the rest is cut, and every cut gives the same frames. */
#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PAYLOAD_BYTES_MAX 4096

/* Feeds a stream in pieces of `chunk` bytes. Returns a sum over all frames, their order and the final state. */
static uint64_t sum_of_frames(const uint8_t *data, size_t size, size_t chunk)
{
    uint64_t sum = 0;
    eis_frame_parser p;
    eis_status st = EIS_OK;

    eis_wire_frame_parser_init(&p, EIS_FRAME_PROTOCOL_SPLIT, PAYLOAD_BYTES_MAX);
    while (size > 0 && st == EIS_OK) {
        size_t n = chunk < size ? chunk : size, used = 0;

        st = eis_wire_frame_parser_feed(&p, &used, data, n);
        EIS_ASSERT(used <= n && (st != EIS_OK || used > 0));
        data += used;
        size -= used;
        if (st != EIS_OK || !p.ready) continue;
        EIS_ASSERT(p.header.payload_bytes <= PAYLOAD_BYTES_MAX);
        sum = sum * 31 + p.header.type + p.header.request_id + p.header.layer;
        for (size_t i = 0; i < p.header.payload_bytes; i++) sum = sum * 31 + p.payload[i];
        eis_wire_frame_parser_next(&p);
    }
    sum = sum * 31 + (uint64_t)st * 2 + eis_wire_frame_parser_at_boundary(&p);
    eis_wire_frame_parser_clear(&p);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    EIS_ASSERT(sum_of_frames(data + 1, size - 1, (size_t)data[0] + 1) == sum_of_frames(data + 1, size - 1, SIZE_MAX));
    return 0;
}
