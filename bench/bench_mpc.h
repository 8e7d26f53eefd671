/* SPDX-License-Identifier: Apache-2.0 */
/* Parties of the engine mpc on threads of one process, over channels in memory: protocol and arithmetic without TLS. */
#ifndef EIS_BENCH_BENCH_MPC_H
#define EIS_BENCH_BENCH_MPC_H

#include "bench/bench.h"
#include "engine/mpc/graph.h"

typedef struct eis_bench_mpc eis_bench_mpc;

/* What a walk took. Online: from when all parties have their material to when the last one is done. */
typedef struct eis_bench_mpc_walk {
    double online_ms;
    double deal_ms, expand_ms;           /* ahead of time: the Triple Service, a party's material */
    uint64_t rounds, bytes_to_each_peer; /* headers included */
    uint64_t material_bytes;             /* to the last party */
} eis_bench_mpc_walk;

/* Starts parties and their dealer, and loads random matrices. shapes[shape_count] stay the caller's; slots: of KEPT. */
EIS_MUST_USE eis_status eis_bench_mpc_open(eis_bench_mpc **world, uint32_t parties, const eis_mpc_matrix_shape *shapes,
                                           uint32_t shape_count, uint32_t slots);

/* Fills a slot with so many words. */
EIS_MUST_USE eis_status eis_bench_mpc_fill(eis_bench_mpc *world, uint32_t slot, uint32_t count);

/* Deals a graph and walks it with random inputs. With `output` (a wire of one word, else EIS_MPC_NONE) the check and
 * the output of a token follow. */
EIS_MUST_USE eis_status eis_bench_mpc_run(eis_bench_mpc_walk *walk, eis_bench_mpc *world, const eis_mpc_graph *graph,
                                          eis_mpc_id output);

/* The same several times; online_ms is the median. */
EIS_MUST_USE eis_status eis_bench_mpc_repeat(eis_bench_mpc_walk *walk, eis_bench_mpc *world, const eis_mpc_graph *graph,
                                             eis_mpc_id output, unsigned times);

void eis_bench_mpc_close(eis_bench_mpc *world);

EIS_MUST_USE eis_status eis_bench_run_mpc_gates(eis_bench *bench);  /* bench_mpc_gates.c */
EIS_MUST_USE eis_status eis_bench_run_mpc_tokens(eis_bench *bench); /* bench_mpc_tokens.c */

#endif
