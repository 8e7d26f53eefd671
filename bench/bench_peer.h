/* SPDX-License-Identifier: Apache-2.0 */
/* Times that another program measured in the same run of a script. */
#ifndef EIS_BENCH_BENCH_PEER_H
#define EIS_BENCH_BENCH_PEER_H

#include "bench/bench.h"

/* Reads {"peer": NAME, "rows": [{"name", "value", "unit"}]} and makes NAME the peer of each row of that name and unit
 * that has none yet. The goal of such a row was one for the value; it becomes the same goal for the ratio.
 *
 * Errors: EIS_ERR_FILE, EIS_ERR_PARSE with the member, EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_bench_peer_read(eis_bench *bench, const char *path);

#endif
