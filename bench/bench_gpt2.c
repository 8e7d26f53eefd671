/* SPDX-License-Identifier: Apache-2.0 */
/* The linear layers of a GPT-2 small for one token, one after the other as a server gets them: 12 blocks of four and
 * the vocabulary head, 123.6 million weights, all cold. */
#include "bench/bench_product.h"

enum { BLOCKS = 12, PER_BLOCK = 4, DIM = 768, HIDDEN = 3072, VOCABULARY = 50257, LAYERS = BLOCKS * PER_BLOCK + 1 };

eis_status eis_bench_run_gpt2(eis_bench *bench, eis_bench_arena *arena)
{
    static const eis_bench_shape block[PER_BLOCK] = {{3 * DIM, DIM}, {DIM, DIM}, {HIDDEN, DIM}, {DIM, HIDDEN}};
    eis_bench_shape shapes[LAYERS];
    const eis_bench_product product = {
        .name = "GPT-2 small, 49 linear layers, cold",
        .shapes = shapes,
        .shape_count = LAYERS,
        .batch = 1,
        .in_ms = true,
        .goals = {[EIS_BENCH_P8_Z32] = 0.27, [EIS_BENCH_P8_Z64] = 0.30, [EIS_BENCH_P24] = 0.80}};

    for (size_t i = 0; i < LAYERS - 1; i++) shapes[i] = block[i % PER_BLOCK];
    shapes[LAYERS - 1] = (eis_bench_shape){VOCABULARY, DIM};
    return eis_bench_product_measure(bench, arena, &product);
}
