/* SPDX-License-Identifier: Apache-2.0 */
/* How a party speaks with the others of its session: one frame to each of them and one from each, per round. What
 * carries the frames is the service's business (or a test's: links_memory.h). */
#ifndef EIS_ENGINE_MPC_LINKS_H
#define EIS_ENGINE_MPC_LINKS_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

#define EIS_MPC_PARTIES_MIN 2
#define EIS_MPC_PARTIES_MAX 8

/* What a frame is; its number on the wire. */
typedef enum eis_mpc_frame {
    EIS_MPC_FRAME_HELLO = 1,
    EIS_MPC_FRAME_OPEN = 2,      /* shares of a round */
    EIS_MPC_FRAME_COIN_HASH = 3, /* commitment to the first coin */
    EIS_MPC_FRAME_COIN = 4,      /* coin and hash of the transcript */
    EIS_MPC_FRAME_COMMIT = 5,    /* commitments to sigma and to the next coin */
    EIS_MPC_FRAME_REVEAL = 6,    /* sigma */
    EIS_MPC_FRAME_OUT = 7,       /* shares of what is told to the world */
    EIS_MPC_FRAME_OUT_COMMIT = 8,
    EIS_MPC_FRAME_OUT_REVEAL = 9,
    EIS_MPC_FRAME_TEST_HASH = 10, /* commitment to a coin of tests of material */
    EIS_MPC_FRAME_TEST_COIN = 11
} eis_mpc_frame;

typedef struct eis_mpc_links {
    void *context;
    uint32_t index, count; /* our number and how many there are */

    /* Sends the same bytes to every other party and receives as many from each.
     *
     * Shape:   mine[bytes]; theirs[count][bytes], the row of our own number is left alone.
     * Errors:  EIS_ERR_PROTOCOL  another type, round or length than ours; those of the carrier. */
    eis_status (*exchange)(void *context, eis_mpc_frame type, uint32_t round, const void *mine, size_t bytes,
                           uint8_t *theirs);
    uint64_t rounds, bytes_sent; /* counted by the carrier: exchanges, and bytes to one peer */
} eis_mpc_links;

#endif
