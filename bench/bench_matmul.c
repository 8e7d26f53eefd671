/* SPDX-License-Identifier: Apache-2.0 */
/* Products of one matrix with 1 to 128 vectors, on one thread. */
#include "bench/bench_product.h"

#include "cli/cli.h"

static const eis_bench_shape square[] = {{4096, 4096}}, wide[] = {{3072, 4096}}, cached[] = {{768, 768}};

/* The goals are those of a processor with AVX-512, VNNI and IFMA; goals_avx2 those without. */
static const eis_bench_product products[] = {
    {.name = "b=1 cold, 4096x4096",
     .shapes = square,
     .shape_count = 1,
     .batch = 1,
     .small = true,
     .goals = {[EIS_BENCH_P8_Z32] = 0.27,
               [EIS_BENCH_P8_Z64] = 0.31,
               [EIS_BENCH_F61_8] = 0.31,
               [EIS_BENCH_P24] = 0.80,
               [EIS_BENCH_F61_20] = 0.80}},
    {.name = "b=1 warm, 768x768",
     .shapes = cached,
     .shape_count = 1,
     .batch = 1,
     .warm = true,
     .small = true,
     .goals = {[EIS_BENCH_P8_Z32] = 0.16, [EIS_BENCH_P8_Z64] = 0.27}},
    {.name = "b=8 cold, 3072x4096",
     .shapes = wide,
     .shape_count = 1,
     .batch = 8,
     .goals = {[EIS_BENCH_P8_Z32] = 0.22, [EIS_BENCH_P8_Z64] = 0.36, [EIS_BENCH_P24] = 0.50}},
    {.name = "b=32 cold, 4096x4096",
     .shapes = square,
     .shape_count = 1,
     .batch = 32,
     .goals = {[EIS_BENCH_P8_Z32] = 0.50, [EIS_BENCH_P8_Z64] = 0.90, [EIS_BENCH_P24] = 1.1},
     .goals_avx2 = {[EIS_BENCH_P8_Z32] = 1.1, [EIS_BENCH_P8_Z64] = 2.0}},
    {.name = "b=128 cold, 4096x4096",
     .shapes = square,
     .shape_count = 1,
     .batch = 128,
     .goals = {[EIS_BENCH_P8_Z32] = 0.72, [EIS_BENCH_P8_Z64] = 1.40, [EIS_BENCH_P24] = 1.85}},
};

eis_status eis_bench_run_matmul(eis_bench *bench)
{
    eis_status st = EIS_OK;
    eis_bench_arena arena;

    eis_bench_say(bench, "making %.0f MiB of random weights of each kind", (double)bench->cold_bytes / (1 << 20));
    EIS_TRY(eis_bench_arena_init(&arena, bench->cold_bytes));
    for (size_t i = 0; st == EIS_OK && i < sizeof products / sizeof products[0]; i++)
        st = eis_bench_product_measure(bench, &arena, &products[i]);
    if (st == EIS_OK) st = eis_bench_run_gpt2(bench, &arena);
    eis_bench_arena_clear(&arena);
out:
    return st;
}
