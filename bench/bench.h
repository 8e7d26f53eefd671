/* SPDX-License-Identifier: Apache-2.0 */
/* What the benches share: rows with their goals, conditions, clocks, random numbers.
 *
 *   bench.c             the command, the table, JSON
 *   bench_conditions.c  what the figures were taken on
 *   bench_tools.c       random numbers, medians
 *   bench_blas.c        OpenBLAS as a peer
 *   bench_int8.c        our plain int8 product as a peer
 *   bench_matmul.c      products of one matrix
 *   bench_gpt2.c        all linear layers of a GPT-2
 *   bench_share.c       sharing, recombining, checking
 *   bench_call.c        one call over TLS
 *   bench_model.c       a random GPT-2 in memory, and its local forward pass with OpenBLAS
 *   bench_end_to_end.c  a token through two servers
 *   bench_accuracy.c    errors
 *   bench_memory.c      memory of a server
 *   bench_he_chain.c    one chain with its keys, and a clock for operations
 *   bench_he_ntt.c      transforms
 *   bench_he_ops.c      operations of the scheme
 *   bench_he_model.c    models in memory
 *   bench_he_eval.c     whole models at the server
 *   bench_he_service.c  requests over HTTP
 *   bench_mpc.c         parties on threads, and a clock for their walks
 *   bench_link.c        channels as slow as a network
 *   bench_mpc_gates.c   single operations of the engine mpc
 *   bench_mpc_tokens.c  whole tokens of it */
#ifndef EIS_BENCH_BENCH_H
#define EIS_BENCH_BENCH_H

#include "base/status.h"
#include "kernel/kernel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EIS_BENCH_ROWS_MAX       256
#define EIS_BENCH_CONDITIONS_MAX 40

/* One figure; smaller is better. The goal is one for `ratio` where there is a peer, else for `value`. */
typedef struct eis_bench_row {
    char name[112], unit[16], peer[64];
    double value, peer_value; /* in the same unit */
    double goal, value_goal;  /* value_goal: what tables show in place of a goal that was turned into one for a ratio */
    bool has_peer, has_goal;
} eis_bench_row;

typedef struct eis_bench_condition {
    char name[32], text[224];
} eis_bench_condition;

struct eis_bench_blas; /* bench_blas.h */

/* One run of the command. */
typedef struct eis_bench {
    bool quick, quiet;
    const eis_kernels *level;          /* what is measured as "ours" */
    const struct eis_bench_blas *blas; /* NULL: no comparison; a condition says why */
    size_t cold_bytes; /* of each kind of weights; products walk through them so that none stay in a cache */
    eis_bench_row rows[EIS_BENCH_ROWS_MAX];
    size_t row_count;
    eis_bench_condition conditions[EIS_BENCH_CONDITIONS_MAX];
    size_t condition_count;
    size_t unequal; /* kernels that gave other words than the generic ones */
} eis_bench;

/* Adds a row without peer and goal. The pointer is valid until the end of the run. */
eis_bench_row *eis_bench_add(eis_bench *bench, double value, const char *unit, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Compares a row with a peer. Shape: value in the unit of the row. */
void eis_bench_against(eis_bench_row *row, const char *peer, double value);

/* Sets the goal of a row: for the ratio where it has a peer, else for the value. */
void eis_bench_set_goal(eis_bench_row *row, double goal);

/* Notes a condition; a second text of that name replaces the first. */
void eis_bench_condition_set(eis_bench *bench, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Tells on stderr what is being done. */
void eis_bench_say(const eis_bench *bench, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- bench_conditions.c ---- */

/* Notes processor, clock, load, compiler and the like. */
void eis_bench_conditions_read(eis_bench *bench);

/* Returns the clock of this core in GHz: measured by a chain of multiplications, 0 where that is not known. */
double eis_bench_clock_ghz(void);

/* ---- bench_tools.c ---- */

/* Fills memory with random bytes; the same seed gives the same bytes. Not for secrets. */
void eis_bench_random(void *out, size_t bytes, uint64_t seed);

/* Fills an array with random floats in [-scale, scale). */
void eis_bench_random_floats(float *out, size_t count, float scale, uint64_t seed);

/* Returns the median; sorts the array. Shape: values[count], count > 0. */
double eis_bench_median(double *values, size_t count);

/* Counts words that differ. */
size_t eis_bench_words_differ(const uint64_t *a, const uint64_t *b, size_t count);

/* ---- the groups: each adds its rows ---- */

EIS_MUST_USE eis_status eis_bench_run_matmul(eis_bench *bench); /* bench_matmul.c and bench_gpt2.c */
EIS_MUST_USE eis_status eis_bench_run_share(eis_bench *bench);
EIS_MUST_USE eis_status eis_bench_run_call(eis_bench *bench);
EIS_MUST_USE eis_status eis_bench_run_end_to_end(eis_bench *bench);
EIS_MUST_USE eis_status eis_bench_run_accuracy(eis_bench *bench);
EIS_MUST_USE eis_status eis_bench_run_memory(eis_bench *bench);

#endif
