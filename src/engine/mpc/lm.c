/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/lm.h"

#include "base/mem.h"
#include "engine/mpc/lm_block.h"
#include "model/tensor.h"

#include <math.h>
#include <string.h>

#define ROWS_AT_ONCE 64

/* ---- weights ---- */

/* Reads rows of a matrix as reals, with everything folded in. Matrix TOKENS is read as EMBEDDING. */
static eis_status read_rows(double *rows, const eis_mpc_lm *lm, const eis_model *model, uint32_t matrix, size_t first,
                            size_t count)
{
    eis_status st = EIS_OK;
    uint32_t blocks_end = EIS_MPC_LM_BLOCKS + 4 * lm->layers, linear, which;
    const double *gain = NULL;
    size_t columns;

    if (matrix < EIS_MPC_LM_BLOCKS) {
        eis_tensor_read_block_f64(rows, &model->lm.token_embedding, first, count, 0, lm->dim);
        return EIS_OK;
    }
    linear = matrix - EIS_MPC_LM_BLOCKS;
    which = linear % 4;
    columns = model->linears[linear].in;
    EIS_TRY(eis_model_linear_rows(model, linear, first, count, rows));
    if (matrix == blocks_end)
        gain = model->lm.final_norm.weight;
    else if (which == EIS_LM_QKV)
        gain = model->lm.blocks[linear / 4].attention_norm.weight;
    else if (which == EIS_LM_GATE_UP)
        gain = model->lm.blocks[linear / 4].mlp_norm.weight;
    for (size_t i = 0; i < count; i++) {
        double factor = matrix < blocks_end && which == EIS_LM_QKV && first + i < lm->heads * lm->head_size
                            ? 1 / sqrt((double)lm->head_size)
                            : 1;
        for (size_t j = 0; j < columns; j++) rows[i * columns + j] *= factor * (gain != NULL ? gain[j] : 1);
    }
out:
    return st;
}

eis_status eis_mpc_lm_weights(uint64_t *words, const eis_mpc_lm *lm, const eis_model *model, uint32_t matrix)
{
    eis_status st = EIS_OK;
    const eis_mpc_matrix_shape *shape = &lm->shapes[matrix];
    bool turned = matrix == EIS_MPC_LM_TOKENS;
    size_t rows = turned ? shape->columns : shape->rows, columns = turned ? shape->rows : shape->columns;
    double *block = NULL;

    EIS_NEW(block, ROWS_AT_ONCE * columns);
    for (size_t first = 0; first < rows; first += ROWS_AT_ONCE) {
        size_t count = rows - first < ROWS_AT_ONCE ? rows - first : ROWS_AT_ONCE;
        EIS_TRY(read_rows(block, lm, model, matrix, first, count));
        for (size_t i = 0; i < count * columns; i++) {
            double scaled = ldexp(block[i], (int)shape->frac);
            size_t row = first + i / columns, column = i % columns;
            EIS_REQUIRE(fabs(scaled) < 0x1p50, EIS_ERR_RANGE, "a weight is not finite or too large");
            words[turned ? column * rows + row : row * columns + column] = eis_fp_from_i64(llround(scaled));
        }
    }
out:
    eis_mem_free_wiped(block, ROWS_AT_ONCE * columns, sizeof *block);
    return st;
}

/* Norms of a matrix: of its largest row, and of all of it (Frobenius); of its rows from `from` on. */
static eis_status measure(double *largest, double *whole, const eis_mpc_lm *lm, const eis_model *model, uint32_t matrix,
                          size_t from)
{
    eis_status st = EIS_OK;
    const eis_mpc_matrix_shape *shape = &lm->shapes[matrix];
    double *block = NULL, total = 0;

    *largest = 0;
    EIS_NEW(block, ROWS_AT_ONCE * (size_t)shape->columns);
    for (size_t first = from; first < shape->rows; first += ROWS_AT_ONCE) {
        size_t count = shape->rows - first < ROWS_AT_ONCE ? shape->rows - first : ROWS_AT_ONCE;
        EIS_TRY(read_rows(block, lm, model, matrix, first, count));
        for (size_t i = 0; i < count; i++) {
            double norm = 0;
            for (size_t j = 0; j < shape->columns; j++)
                norm += block[i * shape->columns + j] * block[i * shape->columns + j];
            total += norm;
            *largest = fmax(*largest, sqrt(norm));
        }
    }
    EIS_REQUIRE(isfinite(total), EIS_ERR_MODEL, "a weight is not finite");
    if (whole != NULL) *whole = sqrt(total);
out:
    eis_mem_free_wiped(block, ROWS_AT_ONCE * (size_t)shape->columns, sizeof *block);
    return st;
}

/* ---- manifest ---- */

static void shape_matrix(eis_mpc_lm *lm, uint32_t matrix, uint32_t rows, uint32_t columns)
{
    lm->shapes[matrix] = (eis_mpc_matrix_shape){.rows = rows,
                                                .columns = columns,
                                                .frac = lm->tuning.frac,
                                                .products = matrix != EIS_MPC_LM_EMBEDDING,
                                                .selection = matrix == EIS_MPC_LM_EMBEDDING};
}

static eis_status measure_all(eis_mpc_lm *lm, const eis_model *model)
{
    eis_status st = EIS_OK;
    double largest, whole;

    EIS_TRY(measure(&lm->embedding_norm, NULL, lm, model, EIS_MPC_LM_EMBEDDING, 0));
    lm->shapes[EIS_MPC_LM_EMBEDDING].row_norm = lm->shapes[EIS_MPC_LM_TOKENS].row_norm = lm->embedding_norm;
    for (uint32_t m = EIS_MPC_LM_BLOCKS; m < lm->shape_count; m++) {
        uint32_t layer = (m - EIS_MPC_LM_BLOCKS) / 4, which = (m - EIS_MPC_LM_BLOCKS) % 4;
        EIS_TRY(measure(&largest, &whole, lm, model, m, 0));
        lm->shapes[m].row_norm = largest;
        if (m + 1 == lm->shape_count) break;
        if (which == EIS_LM_QKV)
            EIS_TRY(measure(&lm->value_norm[layer], NULL, lm, model, m, (lm->heads + lm->kv_heads) * lm->head_size));
        if (which == EIS_LM_ATTENTION_OUT) lm->growth[2 * layer] = whole;
        if (which == EIS_LM_DOWN) lm->growth[2 * layer + 1] = whole;
    }
out:
    return st;
}

eis_status eis_mpc_lm_init(eis_mpc_lm *lm, const eis_model *model, const eis_mpc_tuning *tuning)
{
    eis_status st = EIS_OK;
    const eis_lm *m = &model->lm;
    uint32_t q_dim = m->heads * m->head_size, kv_dim = m->kv_heads * m->head_size;

    memset(lm, 0, sizeof *lm);
    EIS_REQUIRE(model->kind == EIS_MODEL_LM, EIS_ERR_MODEL, "this is a classifier");
    EIS_REQUIRE(m->family == EIS_LM_LLAMA, EIS_ERR_UNSUPPORTED, "engine mpc: this family of models");
    *lm = (eis_mpc_lm){.family = m->family,
                       .dim = m->dim,
                       .hidden = m->hidden,
                       .layers = m->layers,
                       .heads = m->heads,
                       .kv_heads = m->kv_heads,
                       .head_size = m->head_size,
                       .vocabulary = m->vocabulary,
                       .context = m->context,
                       .rope = m->rope,
                       .rope_theta = m->rope_theta,
                       .norm_eps = m->norm_eps,
                       .tuning = *tuning};
    lm->shape_count = EIS_MPC_LM_BLOCKS + 4 * m->layers + 1;
    EIS_NEW(lm->shapes, lm->shape_count);
    EIS_NEW(lm->growth, 2 * (size_t)m->layers);
    EIS_NEW(lm->value_norm, m->layers);
    shape_matrix(lm, EIS_MPC_LM_EMBEDDING, m->vocabulary, m->dim);
    shape_matrix(lm, EIS_MPC_LM_TOKENS, m->dim, m->vocabulary);
    for (uint32_t i = 0; i < m->layers; i++) {
        uint32_t first = EIS_MPC_LM_BLOCKS + 4 * i;
        shape_matrix(lm, first + EIS_LM_QKV, q_dim + 2 * kv_dim, m->dim);
        shape_matrix(lm, first + EIS_LM_ATTENTION_OUT, m->dim, q_dim);
        shape_matrix(lm, first + EIS_LM_GATE_UP, 2 * m->hidden, m->dim);
        shape_matrix(lm, first + EIS_LM_DOWN, m->dim, m->hidden);
    }
    shape_matrix(lm, lm->shape_count - 1, m->vocabulary, m->dim);
    EIS_TRY(measure_all(lm, model));
out:
    if (st != EIS_OK) eis_mpc_lm_clear(lm);
    return st;
}

void eis_mpc_lm_clear(eis_mpc_lm *lm)
{
    eis_mem_free(lm->shapes);
    eis_mem_free(lm->growth);
    eis_mem_free(lm->value_norm);
    memset(lm, 0, sizeof *lm);
}

/* ---- steps ---- */

static void head(eis_mpc_lm_step *step, const eis_mpc_residual *x, const eis_mpc_lm *lm)
{
    eis_mpc_graph *g = &step->graph;
    uint32_t matrix = lm->shape_count - 1;
    const eis_mpc_matrix_shape *w = &lm->shapes[matrix];
    unsigned frac = lm->tuning.frac + w->frac, levels = 0;
    eis_mpc_id logits =
        eis_mpc_apply(g, matrix, eis_mpc_lm_narrow(g, x, lm), NULL, 0, ldexp(w->row_norm * x->norm, (int)frac) * 1.01);

    while (((uint32_t)1 << levels) < lm->vocabulary) levels++;
    /* The positive factor of the norm does not change which one is largest. Together all levels may lose 2^-8 of a
     * logit; before the factor, which is 16 at most, that is 2^-12. */
    (void)eis_mpc_row_max(g, logits, lm->vocabulary, frac - 12 - 4,
                          lm->tuning.digit_bits_max == 0 ? 7 : lm->tuning.digit_bits_max, &step->next);
    (void)levels;
}

eis_status eis_mpc_lm_step_init(eis_mpc_lm_step *step, const eis_mpc_lm *lm, uint32_t position, bool secret_token,
                                bool with_head)
{
    eis_status st = EIS_OK;
    eis_mpc_residual x = {.norm = lm->embedding_norm};

    memset(step, 0, sizeof *step);
    step->token = step->next = EIS_MPC_NONE;
    EIS_REQUIRE(position < lm->context, EIS_ERR_CONTEXT_LENGTH, "the model has %u positions", lm->context);
    EIS_NEW(step->keys, lm->layers);
    EIS_NEW(step->values, lm->layers);
    eis_mpc_graph_init(&step->graph, lm->shapes, lm->shape_count);
    if (secret_token) {
        x.wire = eis_mpc_apply(&step->graph, EIS_MPC_LM_TOKENS, eis_mpc_input(&step->graph, 0, lm->vocabulary, 0, 1),
                               NULL, 0, ldexp(x.norm, (int)lm->tuning.frac));
    } else {
        x.wire = step->token = eis_mpc_row(&step->graph, EIS_MPC_LM_EMBEDDING, ldexp(x.norm, (int)lm->tuning.frac));
    }
    for (uint32_t i = 0; i < lm->layers; i++) {
        eis_mpc_lm_attention(&x, step, lm, i, position);
        eis_mpc_lm_mlp(&x, step, lm, i);
    }
    if (with_head) head(step, &x, lm);
    EIS_TRY(eis_mpc_graph_status(&step->graph));
out:
    if (st != EIS_OK) eis_mpc_lm_step_clear(step);
    return st;
}

void eis_mpc_lm_step_clear(eis_mpc_lm_step *step)
{
    eis_mpc_graph_clear(&step->graph);
    eis_mem_free(step->keys);
    eis_mem_free(step->values);
    memset(step, 0, sizeof *step);
}
