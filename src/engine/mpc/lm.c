/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/lm.h"

#include "base/mem.h"
#include "engine/mpc/spectral.h"
#include "model/tensor.h"

#include <math.h>
#include <string.h>

#define ROWS_AT_ONCE 64

/* ---- weights ---- */

/* The norm in front of a matrix; weight NULL where there is none. */
static eis_norm norm_before(const eis_mpc_lm *lm, const eis_model *model, uint32_t matrix)
{
    uint32_t layer = (matrix - EIS_MPC_LM_BLOCKS) / 4, which = (matrix - EIS_MPC_LM_BLOCKS) % 4;

    if (matrix == eis_mpc_lm_head_matrix(lm)) return model->lm.final_norm;
    if (which == EIS_LM_QKV) return model->lm.blocks[layer].attention_norm;
    if (which == EIS_LM_GATE_UP) return model->lm.blocks[layer].mlp_norm;
    return (eis_norm){0};
}

/* Folds a norm into a row of the matrix behind it: the gain, and for LayerNorm the projection that takes the mean off.
 * Returns what the norm's bias adds. */
static double fold_norm(double *row, size_t columns, const eis_norm *norm, double factor, bool centre)
{
    double bias = 0, mean = 0;

    for (size_t j = 0; j < columns; j++) {
        row[j] *= factor;
        if (norm->bias != NULL) bias += row[j] * norm->bias[j];
        row[j] *= norm->weight[j];
        mean += row[j];
    }
    for (size_t j = 0; centre && j < columns; j++) row[j] -= mean / (double)columns;
    return bias;
}

/* 1/sqrt(head size) for rows of the queries. */
static double row_factor(const eis_mpc_lm *lm, uint32_t matrix, size_t row)
{
    bool query = matrix < eis_mpc_lm_head_matrix(lm) && (matrix - EIS_MPC_LM_BLOCKS) % 4 == EIS_LM_QKV &&
                 row < (size_t)lm->heads * lm->head_size;

    return query ? 1 / sqrt((double)lm->head_size) : 1;
}

/* Reads rows of a matrix as reals, with everything folded in, and what folded biases add (NULL: not wanted). Matrix
 * TOKENS is read as EMBEDDING; the head of GPT-2 has its bias as its last column. */
static eis_status read_rows(double *rows, double *bias, const eis_mpc_lm *lm, const eis_model *model, uint32_t matrix,
                            size_t first, size_t count)
{
    eis_status st = EIS_OK;
    uint32_t linear = matrix - EIS_MPC_LM_BLOCKS;
    size_t columns = lm->shapes[matrix].columns, in = columns;
    const eis_tensor_view *table =
        matrix < EIS_MPC_LM_BLOCKS ? &model->lm.token_embedding : &model->lm.position_embedding;
    eis_norm norm;

    if (matrix < EIS_MPC_LM_BLOCKS || matrix > eis_mpc_lm_head_matrix(lm)) {
        eis_tensor_read_block_f64(rows, table, first, count, 0, lm->dim);
        return EIS_OK;
    }
    in = model->linears[linear].in;
    EIS_TRY(eis_model_linear_rows(model, linear, first, count, rows));
    norm = norm_before(lm, model, matrix);
    for (size_t i = count; i-- > 0;) { /* from the end, since rows may grow by a column */
        double *row = rows + i * columns, added = 0;
        memmove(row, rows + i * in, in * sizeof *row);
        if (norm.weight != NULL)
            added = fold_norm(row, in, &norm, row_factor(lm, matrix, first + i), lm->family == EIS_LM_GPT2);
        if (columns > in) row[in] = added;
        if (bias != NULL) bias[i] = added;
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
        EIS_TRY(read_rows(block, NULL, lm, model, matrix, first, count));
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
        EIS_TRY(read_rows(block, NULL, lm, model, matrix, first, count));
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

/* The largest spectral norm of `heads` heads of W_qkv from row `from` on. */
static eis_status measure_heads(double *largest, const eis_mpc_lm *lm, const eis_model *model, uint32_t matrix,
                                size_t from, uint32_t heads)
{
    eis_status st = EIS_OK;
    size_t columns = lm->shapes[matrix].columns, rows = lm->head_size;
    double *head = NULL, norm;

    *largest = 0;
    EIS_NEW(head, rows * columns);
    for (uint32_t h = 0; h < heads; h++) {
        EIS_TRY(read_rows(head, NULL, lm, model, matrix, from + h * rows, rows));
        EIS_TRY(eis_mpc_spectral_norm(&norm, head, rows, columns));
        *largest = fmax(*largest, norm);
    }
out:
    eis_mem_free_wiped(head, rows * columns, sizeof *head);
    return st;
}

/* The bias of a block's matrix as reals: its own, and what the norm before it adds. */
static eis_status read_vector(double *values, const eis_mpc_lm *lm, const eis_model *model, uint32_t vector)
{
    eis_status st = EIS_OK;
    uint32_t matrix = EIS_MPC_LM_BLOCKS + vector;
    const eis_mpc_matrix_shape *shape = &lm->shapes[matrix];
    const double *own = model->linears[vector].bias;
    double *block = NULL, added[ROWS_AT_ONCE];

    EIS_NEW(block, ROWS_AT_ONCE * (size_t)shape->columns);
    for (size_t first = 0; first < shape->rows; first += ROWS_AT_ONCE) {
        size_t count = shape->rows - first < ROWS_AT_ONCE ? shape->rows - first : ROWS_AT_ONCE;
        EIS_TRY(read_rows(block, added, lm, model, matrix, first, count));
        for (size_t i = 0; i < count; i++)
            values[first + i] = added[i] + (own != NULL ? own[first + i] * row_factor(lm, matrix, first + i) : 0);
    }
out:
    eis_mem_free_wiped(block, ROWS_AT_ONCE * (size_t)shape->columns, sizeof *block);
    return st;
}

eis_status eis_mpc_lm_vector_values(int64_t *values, const eis_mpc_lm *lm, const eis_model *model, uint32_t vector)
{
    eis_status st = EIS_OK;
    uint32_t count = lm->vectors[vector].count;
    double *reals = NULL;

    EIS_NEW(reals, count);
    EIS_TRY(read_vector(reals, lm, model, vector));
    for (uint32_t i = 0; i < count; i++) {
        double scaled = ldexp(reals[i], (int)lm->vectors[vector].frac);
        EIS_REQUIRE(fabs(scaled) < 0x1p58, EIS_ERR_RANGE, "a bias is not finite or too large");
        values[i] = llround(scaled);
    }
out:
    eis_mem_free_wiped(reals, count, sizeof *reals);
    return st;
}

eis_status eis_mpc_lm_vectors_graph(eis_mpc_graph *graph, eis_mpc_id *nodes, const eis_mpc_lm *lm)
{
    eis_status st;

    eis_mpc_graph_init(graph, lm->shapes, lm->shape_count);
    for (uint32_t v = 0; v < lm->vector_count; v++)
        nodes[v] = eis_mpc_input(graph, v, lm->vectors[v].count, lm->vectors[v].frac,
                                 ldexp(lm->vectors[v].bound, (int)lm->vectors[v].frac) + 1);
    st = eis_mpc_graph_status(graph);
    if (st != EIS_OK) eis_mpc_graph_clear(graph);
    return st;
}

/* ---- manifest ---- */

static void shape_matrix(eis_mpc_lm *lm, uint32_t matrix, uint32_t rows, uint32_t columns)
{
    lm->shapes[matrix] =
        (eis_mpc_matrix_shape){.rows = rows,
                               .columns = columns,
                               .frac = lm->tuning.frac,
                               .products = matrix != EIS_MPC_LM_EMBEDDING && matrix <= eis_mpc_lm_head_matrix(lm),
                               .selection = matrix == EIS_MPC_LM_EMBEDDING || matrix > eis_mpc_lm_head_matrix(lm)};
}

/* The smallest mean square of a row of a table, for LayerNorm without the mean. */
static eis_status smallest_mean_square(double *smallest, const eis_mpc_lm *lm, const eis_tensor_view *table,
                                       size_t rows)
{
    eis_status st = EIS_OK;
    double *row = NULL;

    *smallest = INFINITY;
    EIS_NEW(row, lm->dim);
    for (size_t i = 0; i < rows; i++) {
        double sum = 0, squares = 0, mean;
        eis_tensor_read_block_f64(row, table, i, 1, 0, lm->dim);
        for (uint32_t j = 0; j < lm->dim; j++) {
            sum += row[j];
            squares += row[j] * row[j];
        }
        mean = lm->family == EIS_LM_GPT2 ? sum / lm->dim : 0;
        *smallest = fmin(*smallest, squares / lm->dim - mean * mean);
    }
out:
    eis_mem_free_wiped(row, lm->dim, sizeof *row);
    return st;
}

/* What norms are made for: a residual seldom gets smaller than the embedding that it starts from. */
static eis_status measure_means(eis_mpc_lm *lm, const eis_model *model)
{
    eis_status st = EIS_OK;
    double tokens, positions = 0;

    EIS_TRY(smallest_mean_square(&tokens, lm, &model->lm.token_embedding, lm->vocabulary));
    if (lm->family == EIS_LM_GPT2)
        EIS_TRY(smallest_mean_square(&positions, lm, &model->lm.position_embedding, lm->context));
    lm->mean_from = fmin(fmax((tokens + positions) / 4, 0x1p-20), 0x1p-8 + 0x1p-16);
out:
    return st;
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
        if (m == eis_mpc_lm_position_matrix(lm)) lm->position_norm = largest;
        if (m >= eis_mpc_lm_head_matrix(lm)) continue;
        if (which == EIS_LM_QKV) {
            size_t keys = (size_t)lm->heads * lm->head_size, values = keys + (size_t)lm->kv_heads * lm->head_size;
            EIS_TRY(measure_heads(&lm->query_norm[layer], lm, model, m, 0, lm->heads));
            EIS_TRY(measure_heads(&lm->key_norm[layer], lm, model, m, keys, lm->kv_heads));
            EIS_TRY(measure(&lm->value_norm[layer], NULL, lm, model, m, values));
        }
        if (which == EIS_LM_ATTENTION_OUT) lm->growth[2 * layer] = whole;
        if (which == EIS_LM_DOWN) lm->growth[2 * layer + 1] = whole;
    }
out:
    return st;
}

static eis_status measure_vectors(eis_mpc_lm *lm, const eis_model *model)
{
    eis_status st = EIS_OK;
    double *values = NULL;
    uint32_t widest = 1;

    for (uint32_t v = 0; v < lm->vector_count; v++)
        if (lm->vectors[v].count > widest) widest = lm->vectors[v].count;
    EIS_NEW(values, widest);
    for (uint32_t v = 0; v < lm->vector_count; v++) {
        eis_mpc_lm_vector *vector = &lm->vectors[v];
        EIS_TRY(read_vector(values, lm, model, v));
        for (uint32_t i = 0; i < vector->count; i++) {
            EIS_REQUIRE(isfinite(values[i]), EIS_ERR_MODEL, "a bias is not finite");
            vector->bound = fmax(vector->bound, fabs(values[i]));
        }
    }
out:
    eis_mem_free_wiped(values, widest, sizeof *values);
    return st;
}

/* Numbers that products of two, and memory, are safe with. */
static eis_status check_numbers(const eis_mpc_lm *lm)
{
    eis_status st = EIS_OK;
    uint64_t q_dim = (uint64_t)lm->heads * lm->head_size, most = (uint64_t)1 << 22;

    EIS_REQUIRE(lm->kv_heads > 0 && lm->heads % lm->kv_heads == 0, EIS_ERR_MODEL, "manifest: heads and kv_heads");
    EIS_REQUIRE(q_dim <= most && lm->head_size % 2 == 0, EIS_ERR_MODEL, "manifest: head_size");
    EIS_REQUIRE((uint64_t)lm->dim * lm->vocabulary <= (uint64_t)1 << 30 &&
                    (uint64_t)lm->dim * lm->hidden <= (uint64_t)1 << 30 && lm->dim * q_dim <= (uint64_t)1 << 30 &&
                    (uint64_t)lm->dim * lm->context <= (uint64_t)1 << 30,
                EIS_ERR_MODEL, "manifest: a matrix of more than 2^30 weights");
    EIS_REQUIRE(lm->vector_count == (lm->family == EIS_LM_GPT2 ? 4 * lm->layers : 0), EIS_ERR_MODEL,
                "manifest: the number of biases");
    EIS_REQUIRE((lm->family == EIS_LM_GPT2) == (lm->rope == EIS_ROPE_NONE), EIS_ERR_MODEL, "manifest: positions");
out:
    return st;
}

static void shape_matrices(eis_mpc_lm *lm)
{
    uint32_t q_dim = lm->heads * lm->head_size, kv_dim = lm->kv_heads * lm->head_size;
    bool gpt2 = lm->family == EIS_LM_GPT2;

    shape_matrix(lm, EIS_MPC_LM_EMBEDDING, lm->vocabulary, lm->dim);
    shape_matrix(lm, EIS_MPC_LM_TOKENS, lm->dim, lm->vocabulary);
    for (uint32_t i = 0; i < lm->layers; i++) {
        uint32_t first = EIS_MPC_LM_BLOCKS + 4 * i;
        shape_matrix(lm, first + EIS_LM_QKV, q_dim + 2 * kv_dim, lm->dim);
        shape_matrix(lm, first + EIS_LM_ATTENTION_OUT, lm->dim, q_dim);
        shape_matrix(lm, first + EIS_LM_GATE_UP, (gpt2 ? 1 : 2) * lm->hidden, lm->dim);
        shape_matrix(lm, first + EIS_LM_DOWN, lm->dim, lm->hidden);
    }
    shape_matrix(lm, eis_mpc_lm_head_matrix(lm), lm->vocabulary, lm->dim + gpt2);
    if (gpt2) shape_matrix(lm, eis_mpc_lm_position_matrix(lm), lm->context, lm->dim);
}

/* Biases behind a deferred norm are added to the product with its factor, others to the product with the matrix. */
static void size_vectors(eis_mpc_lm *lm)
{
    for (uint32_t v = 0; v < lm->vector_count; v++) {
        bool deferred = v % 4 == EIS_LM_QKV || v % 4 == EIS_LM_GATE_UP;
        lm->vectors[v].count = lm->shapes[EIS_MPC_LM_BLOCKS + v].rows;
        lm->vectors[v].frac = lm->tuning.frac + (deferred ? eis_mpc_root_frac(lm->mean_from) : lm->tuning.frac);
    }
}

eis_status eis_mpc_lm_shape(eis_mpc_lm *lm)
{
    eis_status st = EIS_OK;

    EIS_TRY(check_numbers(lm));
    EIS_TRY(eis_mpc_tuning_check(&lm->tuning));
    lm->shape_count = EIS_MPC_LM_BLOCKS + 4 * lm->layers + (lm->family == EIS_LM_GPT2 ? 2 : 1);
    EIS_NEW(lm->shapes, lm->shape_count);
    EIS_NEW(lm->growth, 2 * (size_t)lm->layers);
    EIS_NEW(lm->value_norm, lm->layers);
    EIS_NEW(lm->query_norm, lm->layers);
    EIS_NEW(lm->key_norm, lm->layers);
    EIS_NEW(lm->vectors, lm->vector_count);
    shape_matrices(lm);
    size_vectors(lm);
out:
    return st;
}

/* Biases that no block of this family has here. */
static bool has_other_biases(const eis_model *model)
{
    for (uint32_t i = 0; i < model->linear_count; i++)
        if (model->linears[i].bias != NULL && (model->lm.family != EIS_LM_GPT2 || i + 1 == model->linear_count))
            return true;
    return false;
}

eis_status eis_mpc_lm_init(eis_mpc_lm *lm, const eis_model *model, const eis_mpc_tuning *tuning)
{
    eis_status st = EIS_OK;
    const eis_lm *m = &model->lm;
    bool gpt2 = m->family == EIS_LM_GPT2;

    memset(lm, 0, sizeof *lm);
    EIS_REQUIRE(model->kind == EIS_MODEL_LM, EIS_ERR_MODEL, "this is a classifier");
    EIS_REQUIRE(!has_other_biases(model), EIS_ERR_UNSUPPORTED, "engine mpc: biases in a model of this family");
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
                       .tuning = *tuning,
                       .prefill_mib = EIS_MPC_LM_PREFILL_MIB,
                       .vector_count = gpt2 ? 4 * m->layers : 0};
    EIS_TRY(measure_means(lm, model));
    EIS_TRY(eis_mpc_lm_shape(lm));
    EIS_TRY(measure_vectors(lm, model));
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
    eis_mem_free(lm->query_norm);
    eis_mem_free(lm->key_norm);
    eis_mem_free(lm->vectors);
    memset(lm, 0, sizeof *lm);
}
