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

/* Whether the last party has the unit of a step. The numbers are those of the frame. */
typedef enum eis_mpc_held {
    EIS_MPC_HELD_NO = 0,   /* it does not come in time: the step does not begin */
    EIS_MPC_HELD_YES = 1,  /* it begins */
    EIS_MPC_HELD_LATER = 2 /* it is waited for; said often enough for nobody to think that we stand still */
} eis_mpc_held;

/* Tells all others, as the last party. Counts as no round. Errors: those of streams. */
EIS_MUST_USE eis_status eis_mpc_stream_links_tell(const eis_mpc_stream_links *links, eis_mpc_held held);

/* Hears from the last party whether a step begins.
 * Errors: EIS_ERR_TIMEOUT  it says nothing for round_ms, or nothing final in wait_ms;  EIS_ERR_PROTOCOL; those of
 *         streams. */
EIS_MUST_USE eis_status eis_mpc_stream_links_hear(bool *held, const eis_mpc_stream_links *links, uint32_t wait_ms);

#endif
