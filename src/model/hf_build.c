/* SPDX-License-Identifier: Apache-2.0 */
/* From named tensors to linear nodes.
 *
 * Llama keeps q, k, v and gate, up apart, each [out][in]; here they lie under each other in one node. GPT-2 has its
 * Conv1D, which stores [in][out]; its c_attn is q, k, v side by side already. */
#include "model/hf.h"

#include "base/mem.h"
#include "model/lm_nodes.h"

#include <stdio.h>
#include <string.h>

enum { TENSOR_NAME_BYTES = 128 };

/* What all steps of building share. */
typedef struct builder {
    eis_model *model;
    const eis_safetensors *table;
    const char *prefix; /* "model." or "transformer.", or "" for a model saved without it */
} builder;

static void tensor_name(char name[TENSOR_NAME_BYTES], const builder *b, const char *group, int64_t layer,
                        const char *rest)
{
    if (layer < 0)
        snprintf(name, TENSOR_NAME_BYTES, "%s%s", b->prefix, rest);
    else
        snprintf(name, TENSOR_NAME_BYTES, "%s%s.%lld.%s", b->prefix, group, (long long)layer, rest);
}

/* Reads the vector `rest` of a layer (layer -1: of the model). */
static eis_status read_vector(const builder *b, const double **vector, const char *group, int64_t layer,
                              const char *rest, uint32_t length)
{
    eis_status st = EIS_OK;
    eis_tensor_view view;
    char name[TENSOR_NAME_BYTES];

    tensor_name(name, b, group, layer, rest);
    EIS_TRY(eis_safetensors_vector(&view, b->table, name, length));
    EIS_TRY(eis_model_read_vector(b->model, vector, &view, eis_safetensors_find(b->table, name)->file, name));
out:
    return st;
}

static eis_status find_head(const builder *b, const char *name)
{
    eis_status st = EIS_OK;
    const eis_lm *lm = &b->model->lm;
    eis_tensor_view head = lm->token_embedding;

    if (!lm->head_tied) EIS_TRY(eis_safetensors_matrix(&head, b->table, name, lm->vocabulary, lm->dim));
    eis_linear_add_piece(eis_lm_head(b->model), head);
out:
    return st;
}

/* --- Llama ----------------------------------------------------------------------------------------------------- */

/* One of the matrices that make up a node. */
typedef struct llama_piece {
    uint32_t node, rows;
    const char *name; /* without ".weight" */
    bool bias;
} llama_piece;

/* Adds a matrix to its node, and its bias to the node's fused bias vector. */
static eis_status add_llama_piece(const builder *b, uint32_t layer, const llama_piece *piece)
{
    eis_status st = EIS_OK;
    eis_linear *node = eis_lm_node(b->model, layer, piece->node);
    char rest[64], name[TENSOR_NAME_BYTES];
    eis_tensor_view view;
    const double *bias;
    uint32_t first = 0;

    for (uint32_t i = 0; i < node->piece_count; i++) first += node->pieces[i].rows;
    snprintf(rest, sizeof rest, "%s.weight", piece->name);
    tensor_name(name, b, "layers", layer, rest);
    EIS_TRY(eis_safetensors_matrix(&view, b->table, name, piece->rows, node->in));
    eis_linear_add_piece(node, view);

    snprintf(rest, sizeof rest, "%s.bias", piece->name);
    tensor_name(name, b, "layers", layer, rest);
    const eis_safetensors_entry *undeclared = piece->bias ? NULL : eis_safetensors_find(b->table, name);
    EIS_REQUIRE(undeclared == NULL, EIS_ERR_MODEL, "%s: tensor %s is there, but config.json declares no such bias",
                undeclared->file, name);
    if (piece->bias) {
        double *fused = NULL;
        union {
            const double *read;
            double *write;
        } old = {.read = node->bias};
        EIS_TRY(read_vector(b, &bias, "layers", layer, rest, piece->rows));
        fused = old.write != NULL ? old.write : eis_model_new_array(b->model, node->out, sizeof *fused);
        if (fused == NULL) return EIS_ERR_MEMORY;
        memcpy(fused + first, bias, piece->rows * sizeof *fused);
        node->bias = fused;
    }
out:
    return st;
}

static eis_status build_llama_block(const builder *b, uint32_t layer, const eis_hf_config *c)
{
    const eis_lm *lm = &b->model->lm;
    const uint32_t q = lm->heads * lm->head_size, kv = lm->kv_heads * lm->head_size;
    const llama_piece pieces[] = {
        {EIS_LM_QKV, q, "self_attn.q_proj", c->attention_bias},
        {EIS_LM_QKV, kv, "self_attn.k_proj", c->attention_bias},
        {EIS_LM_QKV, kv, "self_attn.v_proj", c->attention_bias},
        {EIS_LM_ATTENTION_OUT, lm->dim, "self_attn.o_proj", c->attention_bias},
        {EIS_LM_GATE_UP, lm->hidden, "mlp.gate_proj", c->mlp_bias},
        {EIS_LM_GATE_UP, lm->hidden, "mlp.up_proj", c->mlp_bias},
        {EIS_LM_DOWN, lm->dim, "mlp.down_proj", c->mlp_bias},
    };
    eis_lm_block *block = &b->model->lm.blocks[layer];
    eis_status st = EIS_OK;

    EIS_TRY(read_vector(b, &block->attention_norm.weight, "layers", layer, "input_layernorm.weight", lm->dim));
    EIS_TRY(read_vector(b, &block->mlp_norm.weight, "layers", layer, "post_attention_layernorm.weight", lm->dim));
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) EIS_TRY(add_llama_piece(b, layer, &pieces[i]));
out:
    return st;
}

static eis_status build_llama(builder *b, const eis_hf_config *c)
{
    eis_status st = EIS_OK;
    eis_lm *lm = &b->model->lm;
    char name[TENSOR_NAME_BYTES];

    b->prefix = eis_safetensors_find(b->table, "embed_tokens.weight") != NULL ? "" : "model.";
    tensor_name(name, b, "", -1, "embed_tokens.weight");
    EIS_TRY(eis_safetensors_matrix(&lm->token_embedding, b->table, name, lm->vocabulary, lm->dim));
    for (uint32_t i = 0; i < lm->layers; i++) EIS_TRY(build_llama_block(b, i, c));
    EIS_TRY(read_vector(b, &lm->final_norm.weight, "", -1, "norm.weight", lm->dim));
    EIS_TRY(find_head(b, "lm_head.weight"));
out:
    return st;
}

/* --- GPT-2 ----------------------------------------------------------------------------------------------------- */

static eis_status read_layer_norm(const builder *b, eis_norm *norm, const char *group, int64_t layer, const char *which)
{
    eis_status st = EIS_OK;
    char rest[64];

    snprintf(rest, sizeof rest, "%s.weight", which);
    EIS_TRY(read_vector(b, &norm->weight, group, layer, rest, b->model->lm.dim));
    snprintf(rest, sizeof rest, "%s.bias", which);
    EIS_TRY(read_vector(b, &norm->bias, group, layer, rest, b->model->lm.dim));
out:
    return st;
}

static eis_status add_conv1d(const builder *b, uint32_t layer, uint32_t which, const char *name_in_layer)
{
    eis_status st = EIS_OK;
    eis_linear *node = eis_lm_node(b->model, layer, which);
    char rest[64], name[TENSOR_NAME_BYTES];
    eis_tensor_view view;

    snprintf(rest, sizeof rest, "%s.weight", name_in_layer);
    tensor_name(name, b, "h", layer, rest);
    EIS_TRY(eis_safetensors_matrix(&view, b->table, name, node->in, node->out));
    eis_linear_add_piece(node, eis_tensor_view_transposed(view));
    snprintf(rest, sizeof rest, "%s.bias", name_in_layer);
    EIS_TRY(read_vector(b, &node->bias, "h", layer, rest, node->out));
out:
    return st;
}

static eis_status build_gpt2_block(const builder *b, uint32_t layer)
{
    eis_status st = EIS_OK;
    eis_lm_block *block = &b->model->lm.blocks[layer];

    EIS_TRY(read_layer_norm(b, &block->attention_norm, "h", layer, "ln_1"));
    EIS_TRY(read_layer_norm(b, &block->mlp_norm, "h", layer, "ln_2"));
    EIS_TRY(add_conv1d(b, layer, EIS_LM_QKV, "attn.c_attn"));
    EIS_TRY(add_conv1d(b, layer, EIS_LM_ATTENTION_OUT, "attn.c_proj"));
    EIS_TRY(add_conv1d(b, layer, EIS_LM_GATE_UP, "mlp.c_fc"));
    EIS_TRY(add_conv1d(b, layer, EIS_LM_DOWN, "mlp.c_proj"));
out:
    return st;
}

static eis_status build_gpt2(builder *b)
{
    eis_status st = EIS_OK;
    eis_lm *lm = &b->model->lm;
    char name[TENSOR_NAME_BYTES];

    b->prefix = eis_safetensors_find(b->table, "transformer.wte.weight") != NULL ? "transformer." : "";
    tensor_name(name, b, "", -1, "wte.weight");
    EIS_TRY(eis_safetensors_matrix(&lm->token_embedding, b->table, name, lm->vocabulary, lm->dim));
    tensor_name(name, b, "", -1, "wpe.weight");
    EIS_TRY(eis_safetensors_matrix(&lm->position_embedding, b->table, name, lm->context, lm->dim));
    for (uint32_t i = 0; i < lm->layers; i++) EIS_TRY(build_gpt2_block(b, i));
    EIS_TRY(read_layer_norm(b, &lm->final_norm, "", -1, "ln_f"));
    EIS_TRY(find_head(b, "lm_head.weight"));
out:
    return st;
}

eis_status eis_hf_build(eis_model *model, const eis_hf_config *config, const eis_safetensors *table)
{
    eis_status st = EIS_OK;
    builder b = {model, table, ""};

    model->lm = config->lm;
    EIS_TRY(eis_lm_add_nodes(model));
    if (model->lm.family == EIS_LM_LLAMA) {
        EIS_TRY(build_llama(&b, config));
    } else {
        EIS_TRY(build_gpt2(&b));
    }
out:
    return st;
}
