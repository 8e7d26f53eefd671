/* SPDX-License-Identifier: Apache-2.0 */
/* Channels in memory that take as long as a wire would: a message leaves when those before it in its direction have
 * left, at the rate of the wire, and arrives after its delay. What a party computes meanwhile counts, as it does where
 * a network card sends. Headers of TCP, IP and Ethernet are counted for each 1448 bytes, those of TLS for each 16 KiB.
 */
#ifndef EIS_BENCH_BENCH_LINK_H
#define EIS_BENCH_BENCH_LINK_H

#include "wire/channel.h"

typedef struct eis_bench_link {
    double bits_per_s, delay_ms; /* of one direction */
} eis_bench_link;

/* Makes two ends. *speed is read at every message: NULL means as fast as memory. It may change while nothing is under
 * way. Errors: EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_bench_link_pair(eis_channel *a, eis_channel *b, unsigned timeout_ms,
                                            const eis_bench_link *const *speed);

#endif
