/* SPDX-License-Identifier: Apache-2.0 */
/* Parties of the engine mpc on threads of one process, over channels in memory: protocol and arithmetic without TLS. */
#ifndef EIS_BENCH_BENCH_MPC_H
#define EIS_BENCH_BENCH_MPC_H

#include "bench/bench.h"
#include "engine/mpc/graph.h"

typedef struct eis_bench_mpc eis_bench_mpc;

/* How a party walks. */
typedef enum eis_bench_mpc_mode {
    EIS_BENCH_MPC_AHEAD, /* material is expanded, and multiplied with public matrices, before the step begins */
    EIS_BENCH_MPC_PASS,  /* nothing is ahead: material is expanded gate by gate, with as little memory as that takes */
    EIS_BENCH_MPC_PRODUCTS, /* the same, but products with public matrices are ahead: as parties on processes do it */
    EIS_BENCH_MPC_TESTED    /* and the unit is tested at sacrifice.level 1 before it is walked */
} eis_bench_mpc_mode;

/* What a walk took. Online: from when all parties may begin to when the last one is done. */
typedef struct eis_bench_mpc_walk {
    double online_ms, online_cpu_ms;     /* wall clock; processor time of the party that took most */
    double deal_ms, expand_ms;           /* ahead of time: the Triple Service (one core), a party */
    uint64_t rounds, bytes_to_each_peer; /* headers included */
    uint64_t material_bytes;             /* to the last party */
    uint64_t memory_bytes;               /* of a party: values, frames, scratch and what it expanded ahead, at most */
} eis_bench_mpc_walk;

/* Starts parties and their dealer, and loads random matrices. shapes[shape_count] stay the caller's; slots: of KEPT. */
EIS_MUST_USE eis_status eis_bench_mpc_open(eis_bench_mpc **world, uint32_t parties, const eis_mpc_matrix_shape *shapes,
                                           uint32_t shape_count, uint32_t slots);

/* Fills a slot with so many words. */
EIS_MUST_USE eis_status eis_bench_mpc_fill(eis_bench_mpc *world, uint32_t slot, uint32_t count);

/* Deals a graph and walks it with random inputs. With `output` (a wire of one word, else EIS_MPC_NONE) the check and
 * the output of a token follow. */
EIS_MUST_USE eis_status eis_bench_mpc_run(eis_bench_mpc_walk *walk, eis_bench_mpc *world, const eis_mpc_graph *graph,
                                          eis_mpc_id output, eis_bench_mpc_mode mode);

/* The same several times; times are medians. */
EIS_MUST_USE eis_status eis_bench_mpc_repeat(eis_bench_mpc_walk *walk, eis_bench_mpc *world, const eis_mpc_graph *graph,
                                             eis_mpc_id output, eis_bench_mpc_mode mode, unsigned times);

/* Links that take as long as a local network from now on: 1 Gbit/s, 0.2 ms in each direction; or as memory. */
void eis_bench_mpc_set_network(eis_bench_mpc *world, bool network);

void eis_bench_mpc_close(eis_bench_mpc *world);

EIS_MUST_USE eis_status eis_bench_run_mpc_gates(eis_bench *bench);  /* bench_mpc_gates.c */
EIS_MUST_USE eis_status eis_bench_run_mpc_tokens(eis_bench *bench); /* bench_mpc_tokens.c */

#endif
