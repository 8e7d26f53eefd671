/* SPDX-License-Identifier: Apache-2.0 */
/* Links over channels, one to each other party: frames with a header that every receiver checks whole. */
#ifndef EIS_ENGINE_MPC_LINKS_CHANNEL_H
#define EIS_ENGINE_MPC_LINKS_CHANNEL_H

#include "engine/mpc/links.h"
#include "wire/channel.h"

#define EIS_MPC_HEADER_BYTES    40
#define EIS_MPC_FRAME_BYTES_MAX ((uint64_t)256 << 20)

typedef struct eis_mpc_links_channel {
    eis_mpc_links links;
    eis_channel *peer; /* [count]; that of our own number is not used. The caller's */
    uint64_t session;  /* the first bytes of its hash */
    uint32_t step;     /* set by the caller before each step */
} eis_mpc_links_channel;

/* Makes links over channels that are open. Shape: peer[count]. */
void eis_mpc_links_channel_init(eis_mpc_links_channel *links, eis_channel *peer, uint32_t index, uint32_t count,
                                uint64_t session);

#endif
