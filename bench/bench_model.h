/* SPDX-License-Identifier: Apache-2.0 */
/* A language model of the GPT-2 architecture with random float32 weights, in memory, without files; and its linear
 * layers computed by OpenBLAS, so that the same readable executor runs beside it and beside the split engine. */
#ifndef EIS_BENCH_BENCH_MODEL_H
#define EIS_BENCH_BENCH_MODEL_H

#include "bench/bench_blas.h"
#include "engine/split/prepare.h"
#include "model/graph.h"

enum { EIS_BENCH_GPT2_BLOCKS = 12, EIS_BENCH_GPT2_VOCABULARY = 50257, EIS_BENCH_GPT2_CONTEXT = 128 };

/* Makes a model as wide as a GPT-2 small (768, 3072, 12 heads); the head is tied to the embedding. eis_model_free frees
 * it. Errors: EIS_ERR_MEMORY; *model is then NULL. */
EIS_MUST_USE eis_status eis_bench_model_gpt2(eis_model **model, uint32_t blocks, uint32_t vocabulary);

/* Makes one of the shape of stories260K: Llama, 5 blocks, width 64, 8 heads on 4 of keys and values, 512 tokens. */
EIS_MUST_USE eis_status eis_bench_model_stories260k(eis_model **model);

/* Makes a model that is one linear node. */
EIS_MUST_USE eis_status eis_bench_model_layer(eis_model **model, uint32_t out, uint32_t in);

/* Fills ids with tokens of the model. */
void eis_bench_model_ids(uint32_t *ids, size_t count, const eis_model *model);

/* The linear layers by OpenBLAS. */
typedef struct eis_bench_local {
    const eis_bench_blas *blas;
    const eis_model *model;
    float *x, *y; /* a batch */
    size_t x_count, y_count;
} eis_bench_local;

/* Returns the seam for the executor. Clear the struct afterwards. */
eis_linear_backend eis_bench_local_seam(eis_bench_local *local);

void eis_bench_local_clear(eis_bench_local *local);

#endif
