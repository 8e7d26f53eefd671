/* SPDX-License-Identifier: Apache-2.0 */
/* Links between parties over streams: a frame of the round to each peer and one from each. */
#ifndef EIS_SERVICE_MPC_LINKS_H
#define EIS_SERVICE_MPC_LINKS_H

#include "engine/mpc/links.h"
#include "net/stream.h"
#include "service/mpc_stream.h"

typedef struct eis_mpc_stream_links {
    eis_mpc_links links;
    eis_stream *peer[EIS_MPC_PARTIES_MAX]; /* NULL for ourselves; the caller's */
    uint64_t session;
    uint32_t step, round_ms;
    uint64_t seen[EIS_MPC_SEEN_BINS]; /* top bytes of the first words of every frame of openings */
} eis_mpc_stream_links;

/* Makes links; peers are filled in by the caller before the first exchange. */
void eis_mpc_stream_links_init(eis_mpc_stream_links *links, uint32_t index, uint32_t count, uint64_t session,
                               uint32_t round_ms);

/* Tells the others whether a step begins, as the last party: *held; or hears it from the last party. Counts as no
 * round. Errors: EIS_ERR_PROTOCOL, EIS_ERR_TIMEOUT  nothing in wait_ms; those of streams. */
EIS_MUST_USE eis_status eis_mpc_stream_links_hold(eis_mpc_stream_links *links, bool *held, uint32_t wait_ms);

#endif
