/* SPDX-License-Identifier: Apache-2.0 */
/* The linear nodes of a language model, from its dimensions. */
#include "model/lm_nodes.h"

#include "base/mem.h"
#include "model/activation.h"

#include <math.h>
#include <stdio.h>

eis_status eis_lm_check(const eis_lm *lm, const char *file)
{
    eis_status st = EIS_OK;
    const struct {
        const char *name;
        uint64_t value, most;
    } limits[] = {
        {"model width", lm->dim, EIS_LM_WIDTH_MAX},
        {"hidden width", lm->hidden, EIS_LM_WIDTH_MAX},
        {"number of layers", lm->layers, EIS_LM_LAYERS_MAX},
        {"number of heads", lm->heads, EIS_LM_WIDTH_MAX},
        {"number of key-value heads", lm->kv_heads, lm->heads},
        {"head size", lm->head_size, EIS_LM_WIDTH_MAX},
        {"heads times head size", (uint64_t)lm->heads * lm->head_size, EIS_LM_WIDTH_MAX},
        {"vocabulary", lm->vocabulary, EIS_LM_VOCABULARY_MAX},
        {"context", lm->context, EIS_LM_CONTEXT_MAX},
    };

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        EIS_REQUIRE(limits[i].value > 0 && limits[i].value <= limits[i].most, EIS_ERR_MODEL,
                    "%s: %s is %llu, must be 1...%llu", file, limits[i].name, (unsigned long long)limits[i].value,
                    (unsigned long long)limits[i].most);
    EIS_REQUIRE(lm->heads % lm->kv_heads == 0, EIS_ERR_MODEL, "%s: %u heads are no multiple of %u key-value heads",
                file, lm->heads, lm->kv_heads);
    EIS_REQUIRE(lm->rope == EIS_ROPE_NONE || lm->head_size % 2 == 0, EIS_ERR_MODEL,
                "%s: a head size of %u is odd; rotary positions turn pairs", file, lm->head_size);
    EIS_REQUIRE(isfinite(lm->norm_eps) && lm->norm_eps >= 0 && lm->norm_eps <= 1, EIS_ERR_MODEL,
                "%s: the epsilon of the norms must be 0...1", file);
    EIS_REQUIRE(lm->rope == EIS_ROPE_NONE || (isfinite(lm->rope_theta) && lm->rope_theta >= 1), EIS_ERR_MODEL,
                "%s: rope_theta must be a number of at least 1", file);
out:
    return st;
}

static eis_status add_node(eis_model *model, uint32_t out, uint32_t in, const char *format, uint32_t layer)
{
    eis_linear *linear = eis_model_add_linear(model);

    if (linear == NULL) return EIS_ERR_MEMORY;
    linear->kind = EIS_LINEAR_DENSE;
    linear->out = out;
    linear->in = in;
    snprintf(linear->name, sizeof linear->name, "layers.%u.%s", layer, format);
    return EIS_OK;
}

eis_status eis_lm_add_nodes(eis_model *model)
{
    eis_status st = EIS_OK;
    eis_lm *lm = &model->lm;
    const uint32_t heads_width = lm->heads * lm->head_size, kv_width = lm->kv_heads * lm->head_size;
    const bool gated = lm->family == EIS_LM_LLAMA;

    lm->blocks = eis_model_new_array(model, lm->layers, sizeof *lm->blocks);
    if (lm->blocks == NULL) return EIS_ERR_MEMORY;
    for (uint32_t i = 0; i < lm->layers; i++) {
        EIS_TRY(add_node(model, heads_width + 2 * kv_width, lm->dim, "qkv", i));
        EIS_TRY(add_node(model, lm->dim, heads_width, "attention_out", i));
        EIS_TRY(add_node(model, gated ? 2 * lm->hidden : lm->hidden, lm->dim, gated ? "gate_up" : "fc", i));
        EIS_TRY(add_node(model, lm->dim, lm->hidden, "down", i));
    }
    EIS_TRY(add_node(model, lm->vocabulary, lm->dim, "head", lm->layers));
    snprintf(eis_lm_head(model)->name, EIS_LINEAR_NAME_BYTES, "head");
out:
    return st;
}

eis_linear *eis_lm_node(eis_model *model, uint32_t layer, uint32_t which)
{
    return &model->linears[EIS_LM_LINEARS_PER_BLOCK * layer + which];
}

eis_linear *eis_lm_head(eis_model *model) { return &model->linears[EIS_LM_LINEARS_PER_BLOCK * model->lm.layers]; }

void eis_linear_add_piece(eis_linear *linear, eis_tensor_view piece)
{
    uint64_t rows = piece.rows;

    for (uint32_t i = 0; i < linear->piece_count; i++) rows += linear->pieces[i].rows;
    EIS_ASSERT(linear->piece_count < EIS_LINEAR_PIECES_MAX && piece.columns == linear->in && rows <= linear->out);
    linear->pieces[linear->piece_count++] = piece;
}

eis_status eis_model_read_vector(eis_model *model, const double **vector, const eis_tensor_view *view, const char *file,
                                 const char *tensor)
{
    double *values = eis_model_new_array(model, view->columns, sizeof *values);

    EIS_ASSERT(view->rows == 1);
    if (values == NULL) return EIS_ERR_MEMORY;
    eis_tensor_read_f64(values, view, 0, 1);
    if (eis_zero_not_finite(values, view->columns) != 0)
        return eis_fail(EIS_ERR_MODEL, "%s: tensor %s has an entry that is not finite", file, tensor);
    *vector = values;
    return EIS_OK;
}
