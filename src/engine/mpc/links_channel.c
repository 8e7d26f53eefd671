/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/links_channel.h"

#include "wire/frame.h"

#include <string.h>

static void put(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) at[i] = (uint8_t)(value >> (8 * i));
}

/* "EISF" | version | protocol | type u16 | length u64 | session u64 | step u32 | round u32 | sender u16 | flags u16 |
 * reserved u32. What a receiver expects is the sender's header byte for byte. */
static void write_header(uint8_t out[EIS_MPC_HEADER_BYTES], const eis_mpc_links_channel *l, eis_mpc_frame type,
                         uint32_t round, size_t bytes, uint32_t sender)
{
    memset(out, 0, EIS_MPC_HEADER_BYTES);
    memcpy(out, "EISF", 4);
    out[4] = EIS_FRAME_VERSION;
    out[5] = EIS_FRAME_PROTOCOL_MPC;
    put(out + 6, type, 2);
    put(out + 8, bytes, 8);
    put(out + 16, l->session, 8);
    put(out + 24, l->step, 4);
    put(out + 28, round, 4);
    put(out + 32, sender, 2);
}

static eis_status exchange(void *context, eis_mpc_frame type, uint32_t round, const void *mine, size_t bytes,
                           uint8_t *theirs)
{
    eis_status st = EIS_OK;
    eis_mpc_links_channel *l = context;
    uint8_t header[EIS_MPC_HEADER_BYTES], expected[EIS_MPC_HEADER_BYTES];

    EIS_ASSERT(bytes <= EIS_MPC_FRAME_BYTES_MAX);
    write_header(header, l, type, round, bytes, l->links.index);
    for (uint32_t p = 0; p < l->links.count; p++) {
        const eis_span parts[2] = {{header, sizeof header}, {mine, bytes}};
        if (p != l->links.index) EIS_TRY(eis_channel_send_parts(&l->peer[p], parts, 2));
    }
    for (uint32_t p = 0; p < l->links.count; p++) {
        if (p == l->links.index) continue;
        EIS_TRY(eis_channel_receive(&l->peer[p], header, sizeof header));
        write_header(expected, l, type, round, bytes, p);
        EIS_REQUIRE(memcmp(header, expected, sizeof header) == 0, EIS_ERR_PROTOCOL,
                    "party %u sent another frame than this round's", p);
        EIS_TRY(eis_channel_receive(&l->peer[p], theirs + p * bytes, bytes));
    }
    l->links.rounds++;
    l->links.bytes_sent += sizeof header + bytes;
out:
    return st;
}

void eis_mpc_links_channel_init(eis_mpc_links_channel *links, eis_channel *peer, uint32_t index, uint32_t count,
                                uint64_t session)
{
    *links = (eis_mpc_links_channel){
        .links = {.context = links, .index = index, .count = count, .exchange = exchange},
        .peer = peer,
        .session = session,
    };
}
