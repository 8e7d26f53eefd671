/* SPDX-License-Identifier: Apache-2.0 */
/* llama2.c version 0:
 *
 *   i32 dim, hidden, layers, heads, kv heads, vocabulary (negative: the head is not tied), context
 *   f32 embedding [vocabulary][dim]
 *       attention norm [layers][dim]
 *       wq [layers][dim][dim]  wk, wv [layers][kv width][dim]  wo [layers][dim][dim]
 *       ffn norm [layers][dim]
 *       w1 gate [layers][hidden][dim]  w2 down [layers][dim][hidden]  w3 up [layers][hidden][dim]
 *       final norm [dim]
 *       two rotary tables [context][head size / 2], not used: we compute our own
 *       head [vocabulary][dim] if it is not tied */
#include "model/llama2c.h"

#include "model/lm_nodes.h"

#include <stdio.h>

enum { HEADER_BYTES = 7 * 4 };

/* Where each kind of tensor begins, and what it is per layer. */
typedef struct layout {
    const uint8_t *embedding, *attention_norm, *wq, *wk, *wv, *wo, *ffn_norm, *w1, *w2, *w3, *final_norm, *head;
} layout;

static eis_status read_header(eis_lm *lm, eis_span file, const char *name)
{
    eis_status st = EIS_OK;
    int32_t word[7];

    EIS_REQUIRE(file.bytes >= HEADER_BYTES, EIS_ERR_MODEL,
                "%s: %zu bytes are too short for a model; expected a llama2.c file or a client part", name, file.bytes);
    for (int i = 0; i < 7; i++) word[i] = (int32_t)eis_load_le32(file.data + 4 * i);
    lm->head_tied = word[5] > 0;
    if (word[5] < 0 && word[5] != INT32_MIN) word[5] = -word[5];
    for (int i = 0; i < 7; i++)
        EIS_REQUIRE(word[i] > 0, EIS_ERR_MODEL, "%s: header word %d is %d; this is no llama2.c file (version 0)", name,
                    i, word[i]);
    EIS_REQUIRE(word[0] % word[3] == 0, EIS_ERR_MODEL, "%s: dimension %d is no multiple of %d heads", name, word[0],
                word[3]);
    lm->family = EIS_LM_LLAMA;
    lm->dim = (uint32_t)word[0];
    lm->hidden = (uint32_t)word[1];
    lm->layers = (uint32_t)word[2];
    lm->heads = (uint32_t)word[3];
    lm->kv_heads = (uint32_t)word[4];
    lm->head_size = lm->dim / lm->heads;
    lm->vocabulary = (uint32_t)word[5];
    lm->context = (uint32_t)word[6];
    lm->rope = EIS_ROPE_PAIRS;
    lm->rope_theta = 10000;
    lm->norm_eps = 1e-5;
    lm->bos_id = lm->vocabulary > 1 ? 1 : -1; /* the file has no ids: BOS 1, and 1 or 2 ends a text */
    for (uint32_t id = 1; id <= 2 && id < lm->vocabulary; id++) lm->stop_ids[lm->stop_count++] = id;
    EIS_TRY(eis_lm_check(lm, name));
out:
    return st;
}

/* Takes `count` matrices of rows x columns floats off the front. The limits of eis_lm_check keep each product at
 * or below 2^54 bytes and `at` below 2^58, so nothing wraps before the length is compared. */
static uint64_t take(uint64_t *at, uint64_t count, uint64_t rows, uint64_t columns)
{
    const uint64_t start = *at;

    *at += 4 * count * rows * columns;
    return start;
}

static eis_status find_tensors(layout *l, const eis_lm *lm, eis_span file, const char *name)
{
    const uint64_t dim = lm->dim, kv = (uint64_t)lm->kv_heads * lm->head_size, layers = lm->layers;
    uint64_t at = HEADER_BYTES;
    const uint64_t embedding = take(&at, 1, lm->vocabulary, dim);
    const uint64_t attention_norm = take(&at, layers, 1, dim);
    const uint64_t wq = take(&at, layers, dim, dim);
    const uint64_t wk = take(&at, layers, kv, dim);
    const uint64_t wv = take(&at, layers, kv, dim);
    const uint64_t wo = take(&at, layers, dim, dim);
    const uint64_t ffn_norm = take(&at, layers, 1, dim);
    const uint64_t w1 = take(&at, layers, lm->hidden, dim);
    const uint64_t w2 = take(&at, layers, dim, lm->hidden);
    const uint64_t w3 = take(&at, layers, lm->hidden, dim);
    const uint64_t final_norm = take(&at, 1, 1, dim);
    (void)take(&at, 2, lm->context, lm->head_size / 2);
    const uint64_t head = lm->head_tied ? embedding : take(&at, 1, lm->vocabulary, dim);

    if (at != file.bytes)
        return eis_fail(EIS_ERR_MODEL, "%s: has %zu bytes, but a llama2.c file with these dimensions has %llu", name,
                        file.bytes, (unsigned long long)at);
    const uint8_t *base = file.data;
    *l = (layout){base + embedding,  base + attention_norm,
                  base + wq,         base + wk,
                  base + wv,         base + wo,
                  base + ffn_norm,   base + w1,
                  base + w2,         base + w3,
                  base + final_norm, base + head};
    return EIS_OK;
}

/* Returns matrix `layer` of a kind of which each layer has one. */
static eis_tensor_view matrix(const uint8_t *kind, uint32_t layer, uint32_t rows, uint32_t columns)
{
    return eis_tensor_view_rows(kind + 4 * (size_t)layer * rows * columns, EIS_DTYPE_F32, rows, columns);
}

static eis_status read_norm(eis_model *model, const double **weight, const uint8_t *kind, uint32_t layer,
                            const char *file, const char *what)
{
    const eis_tensor_view view = matrix(kind, layer, 1, model->lm.dim);
    char tensor[64];

    snprintf(tensor, sizeof tensor, "%s %u", what, layer);
    return eis_model_read_vector(model, weight, &view, file, tensor);
}

static eis_status fill_block(eis_model *model, uint32_t i, const layout *l, const char *name)
{
    eis_status st = EIS_OK;
    const eis_lm *lm = &model->lm;
    const uint32_t dim = lm->dim, kv = lm->kv_heads * lm->head_size;
    eis_linear *qkv = eis_lm_node(model, i, EIS_LM_QKV), *gate_up = eis_lm_node(model, i, EIS_LM_GATE_UP);

    EIS_TRY(read_norm(model, &lm->blocks[i].attention_norm.weight, l->attention_norm, i, name, "attention norm"));
    EIS_TRY(read_norm(model, &lm->blocks[i].mlp_norm.weight, l->ffn_norm, i, name, "ffn norm"));
    eis_linear_add_piece(qkv, matrix(l->wq, i, dim, dim));
    eis_linear_add_piece(qkv, matrix(l->wk, i, kv, dim));
    eis_linear_add_piece(qkv, matrix(l->wv, i, kv, dim));
    eis_linear_add_piece(eis_lm_node(model, i, EIS_LM_ATTENTION_OUT), matrix(l->wo, i, dim, dim));
    eis_linear_add_piece(gate_up, matrix(l->w1, i, lm->hidden, dim));
    eis_linear_add_piece(gate_up, matrix(l->w3, i, lm->hidden, dim));
    eis_linear_add_piece(eis_lm_node(model, i, EIS_LM_DOWN), matrix(l->w2, i, dim, lm->hidden));
out:
    return st;
}

eis_status eis_llama2c_load(eis_model *model, eis_span file, const char *name)
{
    eis_status st = EIS_OK;
    eis_lm *lm = &model->lm;
    layout l = {0};

    EIS_TRY(read_header(lm, file, name));
    EIS_TRY(find_tensors(&l, lm, file, name));
    EIS_TRY(eis_lm_add_nodes(model));
    lm->token_embedding = matrix(l.embedding, 0, lm->vocabulary, lm->dim);
    for (uint32_t i = 0; i < lm->layers; i++) EIS_TRY(fill_block(model, i, &l, name));
    EIS_TRY(read_norm(model, &lm->final_norm.weight, l.final_norm, 0, name, "final norm"));
    eis_linear_add_piece(eis_lm_head(model), matrix(l.head, 0, lm->vocabulary, lm->dim));
out:
    return st;
}
