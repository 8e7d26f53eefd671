/* SPDX-License-Identifier: Apache-2.0 */
/* Products of matrices and vectors, ours beside OpenBLAS and plain int8, interleaved in one thread. */
#ifndef EIS_BENCH_BENCH_PRODUCT_H
#define EIS_BENCH_BENCH_PRODUCT_H

#include "bench/bench.h"

/* Random weights of a kind, through which products walk so that each finds its matrix outside the caches. */
typedef struct eis_bench_arena {
    uint8_t *floats, *bytes, *words20; /* [size] each: f32; anything; words of 20 bits in 3 bytes */
    size_t size;
    size_t floats_at, bytes_at, words20_at;
} eis_bench_arena;

/* Fills an arena. Errors: EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_bench_arena_init(eis_bench_arena *arena, size_t size);

/* Frees. Safe on a zeroed arena. */
void eis_bench_arena_clear(eis_bench_arena *arena);

/* How words and weights are represented. */
enum { EIS_BENCH_P8_Z32, EIS_BENCH_P8_Z64, EIS_BENCH_F61_8, EIS_BENCH_P24, EIS_BENCH_F61_20, EIS_BENCH_PROFILES };

typedef struct eis_bench_shape {
    size_t rows, cols; /* cols is a multiple of 64 */
} eis_bench_shape;

/* Some products that are timed as one. */
typedef struct eis_bench_product {
    const char *name;
    const eis_bench_shape *shapes; /* [shape_count] */
    size_t shape_count, batch;
    bool warm;                             /* the same weights again and again */
    bool small;                            /* generic C is timed too, and lower levels with --quick */
    bool in_ms;                            /* else in microseconds */
    double goals[EIS_BENCH_PROFILES];      /* ratio to OpenBLAS; 0: none */
    double goals_avx2[EIS_BENCH_PROFILES]; /* the same for the level avx2 */
} eis_bench_product;

/* Times a product in all profiles and on all levels that count, compares the words with the generic kernel, and adds
 * the rows.
 *
 * Errors: EIS_ERR_MEMORY, EIS_ERR_INTERRUPTED. Words that differ are counted in bench->unequal. */
EIS_MUST_USE eis_status eis_bench_product_measure(eis_bench *bench, eis_bench_arena *arena,
                                                  const eis_bench_product *product);

/* The linear layers of a GPT-2 small. */
EIS_MUST_USE eis_status eis_bench_run_gpt2(eis_bench *bench, eis_bench_arena *arena);

#endif
