/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_model.h"

#include "base/mem.h"
#include "model/lm_nodes.h"

#include <stdio.h>

enum { DIM = 768, HIDDEN = 3072, HEADS = 12, HEAD_SIZE = DIM / HEADS };

#define WEIGHT_SCALE 0.035f /* uniform numbers of this size have GPT-2's standard deviation of 0.02 */

/* Random [rows][columns] that the model owns. */
static eis_status new_matrix(eis_model *model, eis_tensor_view *view, uint32_t rows, uint32_t columns, uint64_t seed)
{
    size_t count = (size_t)rows * columns;
    float *values = eis_model_new_array(model, count, sizeof *values);

    if (values == NULL) return EIS_ERR_MEMORY;
    eis_bench_random_floats(values, count, WEIGHT_SCALE, seed << 32);
    *view = eis_tensor_view_rows(values, EIS_DTYPE_F32, rows, columns);
    return EIS_OK;
}

static eis_status new_vector(eis_model *model, const double **vector, size_t count, double value)
{
    double *values = eis_model_new_array(model, count, sizeof *values);

    if (values == NULL) return EIS_ERR_MEMORY;
    for (size_t i = 0; i < count; i++) values[i] = value;
    *vector = values;
    return EIS_OK;
}

static eis_status new_norm(eis_model *model, eis_norm *norm)
{
    eis_status st = EIS_OK;

    EIS_TRY(new_vector(model, &norm->weight, DIM, 1));
    EIS_TRY(new_vector(model, &norm->bias, DIM, 0.01));
out:
    return st;
}

static eis_status fill_gpt2(eis_model *model)
{
    eis_status st = EIS_OK;
    eis_lm *lm = &model->lm;

    EIS_TRY(eis_lm_check(lm, "bench"));
    EIS_TRY(eis_lm_add_nodes(model));
    EIS_TRY(new_matrix(model, &lm->token_embedding, lm->vocabulary, DIM, 1));
    EIS_TRY(new_matrix(model, &lm->position_embedding, lm->context, DIM, 2));
    for (uint32_t i = 0; i < model->linear_count; i++) {
        eis_linear *linear = &model->linears[i];
        eis_tensor_view view = lm->token_embedding;
        if (i + 1 < model->linear_count) {
            EIS_TRY(new_matrix(model, &view, linear->out, linear->in, 3 + i));
            EIS_TRY(new_vector(model, &linear->bias, linear->out, 0.01));
        }
        eis_linear_add_piece(linear, view);
    }
    for (uint32_t i = 0; i < lm->layers; i++) {
        EIS_TRY(new_norm(model, &lm->blocks[i].attention_norm));
        EIS_TRY(new_norm(model, &lm->blocks[i].mlp_norm));
    }
    EIS_TRY(new_norm(model, &lm->final_norm));
out:
    return st;
}

eis_status eis_bench_model_gpt2(eis_model **out_model, uint32_t blocks, uint32_t vocabulary)
{
    eis_status st = EIS_OK;
    eis_model *model = NULL;

    *out_model = NULL;
    EIS_TRY(eis_model_new(&model, EIS_MODEL_LM));
    model->lm = (eis_lm){.family = EIS_LM_GPT2,
                         .dim = DIM,
                         .hidden = HIDDEN,
                         .layers = blocks,
                         .heads = HEADS,
                         .kv_heads = HEADS,
                         .head_size = HEAD_SIZE,
                         .vocabulary = vocabulary,
                         .context = EIS_BENCH_GPT2_CONTEXT,
                         .rope = EIS_ROPE_NONE,
                         .norm_eps = 1e-5,
                         .head_tied = true,
                         .bos_id = -1};
    EIS_TRY(fill_gpt2(model));
    *out_model = model;
    model = NULL;
out:
    eis_model_free(model);
    return st;
}

static eis_status fill_llama(eis_model *model)
{
    eis_status st = EIS_OK;
    eis_lm *lm = &model->lm;

    EIS_TRY(eis_lm_check(lm, "bench"));
    EIS_TRY(eis_lm_add_nodes(model));
    EIS_TRY(new_matrix(model, &lm->token_embedding, lm->vocabulary, lm->dim, 1));
    for (uint32_t i = 0; i < model->linear_count; i++) {
        eis_tensor_view view = lm->token_embedding;
        if (i + 1 < model->linear_count)
            EIS_TRY(new_matrix(model, &view, model->linears[i].out, model->linears[i].in, 3 + i));
        eis_linear_add_piece(&model->linears[i], view);
    }
    for (uint32_t i = 0; i < lm->layers; i++) {
        EIS_TRY(new_vector(model, &lm->blocks[i].attention_norm.weight, lm->dim, 1));
        EIS_TRY(new_vector(model, &lm->blocks[i].mlp_norm.weight, lm->dim, 1));
    }
    EIS_TRY(new_vector(model, &lm->final_norm.weight, lm->dim, 1));
out:
    return st;
}

eis_status eis_bench_model_stories260k(eis_model **out_model)
{
    eis_status st = EIS_OK;
    eis_model *model = NULL;

    *out_model = NULL;
    EIS_TRY(eis_model_new(&model, EIS_MODEL_LM));
    model->lm = (eis_lm){.family = EIS_LM_LLAMA,
                         .dim = 64,
                         .hidden = 172,
                         .layers = 5,
                         .heads = 8,
                         .kv_heads = 4,
                         .head_size = 8,
                         .vocabulary = 512,
                         .context = 512,
                         .rope = EIS_ROPE_PAIRS,
                         .rope_theta = 10000,
                         .norm_eps = 1e-5,
                         .head_tied = true,
                         .bos_id = 1};
    EIS_TRY(fill_llama(model));
    *out_model = model;
    model = NULL;
out:
    eis_model_free(model);
    return st;
}

eis_status eis_bench_model_layer(eis_model **out_model, uint32_t out_count, uint32_t in_count)
{
    eis_status st = EIS_OK;
    eis_model *model = NULL;
    eis_linear *linear;
    eis_tensor_view view;

    *out_model = NULL;
    EIS_TRY(eis_model_new(&model, EIS_MODEL_CLASSIFIER));
    linear = eis_model_add_linear(model);
    if (linear == NULL) st = EIS_ERR_MEMORY;
    if (st != EIS_OK) goto out;
    linear->kind = EIS_LINEAR_DENSE;
    linear->out = out_count;
    linear->in = in_count;
    snprintf(linear->name, sizeof linear->name, "layer");
    EIS_TRY(new_matrix(model, &view, out_count, in_count, 1));
    eis_linear_add_piece(linear, view);
    *out_model = model;
    model = NULL;
out:
    eis_model_free(model);
    return st;
}

void eis_bench_model_ids(uint32_t *ids, size_t count, const eis_model *model)
{
    for (size_t i = 0; i < count; i++) ids[i] = (uint32_t)((7919 * (i + 1)) % model->lm.vocabulary);
}

/* ---- OpenBLAS in the executor ---- */

static eis_status reserve(float **at, size_t *have, size_t wanted)
{
    eis_status st = EIS_OK;

    if (wanted <= *have) return EIS_OK;
    EIS_TRY(eis_mem_resize(at, *have, wanted, sizeof **at));
    *have = wanted;
out:
    return st;
}

static eis_status apply(void *ctx, uint32_t index, double *y, const double *x, size_t batch)
{
    eis_status st = EIS_OK;
    eis_bench_local *local = ctx;
    const eis_linear *linear = &local->model->linears[index];
    size_t in_count = batch * linear->in, out_count = batch * linear->out;

    EIS_TRY(reserve(&local->x, &local->x_count, in_count));
    EIS_TRY(reserve(&local->y, &local->y_count, out_count));
    for (size_t i = 0; i < in_count; i++) local->x[i] = (float)x[i];
    eis_bench_blas_multiply(local->blas, local->y, (const float *)(const void *)linear->pieces[0].data, local->x,
                            linear->out, linear->in, batch);
    for (size_t i = 0; i < out_count; i++) y[i] = (double)local->y[i];
out:
    return st;
}

eis_linear_backend eis_bench_local_seam(eis_bench_local *local) { return (eis_linear_backend){local, apply}; }

void eis_bench_local_clear(eis_bench_local *local)
{
    eis_mem_free(local->x);
    eis_mem_free(local->y);
    local->x = local->y = NULL;
    local->x_count = local->y_count = 0;
}
