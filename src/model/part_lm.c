/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of a client part that belong to a language model. */
#include "model/part_fields.h"

#include "model/lm_nodes.h"

/* --- a matrix as it lies in the model's file: type, rows, columns, bytes ---------------------------------------- */

static void matrix_write(eis_writer *w, const eis_tensor_view *m)
{
    EIS_ASSERT(m->column_stride == 1 && m->row_stride == m->columns);
    eis_wire_writer_u32(w, m->dtype);
    eis_wire_writer_u32(w, m->rows);
    eis_wire_writer_u32(w, m->columns);
    eis_wire_writer_bytes(w, m->data, (size_t)m->rows * m->columns * eis_dtype_bytes(m->dtype));
}

static eis_tensor_view matrix_read(eis_reader *r, uint32_t rows, uint32_t columns)
{
    const uint32_t dtype = eis_wire_reader_u32(r);
    const uint32_t has_rows = eis_wire_reader_u32(r), has_columns = eis_wire_reader_u32(r);
    eis_tensor_view view = {0};

    if (eis_wire_reader_status(r) != EIS_OK) return view;
    if (dtype < EIS_DTYPE_F64 || dtype > EIS_DTYPE_BF16 || has_rows != rows || has_columns != columns) {
        eis_wire_reader_fail(r, EIS_ERR_MODEL, "an embedding has another type or shape than the model");
        return view;
    }
    const uint8_t *data = eis_wire_reader_bytes(r, (size_t)rows * columns * eis_dtype_bytes((eis_dtype)dtype));
    return data == NULL ? view : eis_tensor_view_rows(data, (eis_dtype)dtype, rows, columns);
}

/* --- a norm ------------------------------------------------------------------------------------------------------ */

static void norm_write(eis_writer *w, const eis_norm *norm, uint32_t dim)
{
    eis_part_vector_write(w, norm->weight, dim);
    if (norm->bias != NULL) eis_part_vector_write(w, norm->bias, dim);
}

static void norm_read(eis_reader *r, eis_model *model, eis_norm *norm)
{
    norm->weight = eis_part_exact_read(r, model, model->lm.dim);
    if (model->lm.family == EIS_LM_GPT2) norm->bias = eis_part_exact_read(r, model, model->lm.dim);
}

/* --- dimensions -------------------------------------------------------------------------------------------------- */

static void dimensions_write(eis_writer *w, const eis_lm *lm)
{
    const uint32_t words[] = {lm->family,    lm->dim,        lm->hidden,  lm->layers, lm->heads,    lm->kv_heads,
                              lm->head_size, lm->vocabulary, lm->context, lm->rope,   lm->head_tied};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) eis_wire_writer_u32(w, words[i]);
    eis_wire_writer_f64(w, lm->rope_theta);
    eis_wire_writer_f64(w, lm->norm_eps);
    eis_wire_writer_u64(w, (uint64_t)lm->bos_id);
    eis_wire_writer_u32(w, lm->stop_count);
    for (uint32_t i = 0; i < lm->stop_count; i++) eis_wire_writer_u32(w, lm->stop_ids[i]);
}

static void dimensions_read(eis_reader *r, eis_lm *lm)
{
    const uint32_t family = eis_wire_reader_u32(r);
    uint32_t *const words[] = {&lm->dim,      &lm->hidden,    &lm->layers,     &lm->heads,
                               &lm->kv_heads, &lm->head_size, &lm->vocabulary, &lm->context};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) *words[i] = eis_wire_reader_u32(r);
    const uint32_t rope = eis_wire_reader_u32(r), tied = eis_wire_reader_u32(r);
    lm->rope_theta = eis_wire_reader_f64(r);
    lm->norm_eps = eis_wire_reader_f64(r);
    const uint64_t bos = eis_wire_reader_u64(r);
    lm->stop_count = eis_wire_reader_u32(r);
    const bool family_known = family == EIS_LM_LLAMA || family == EIS_LM_GPT2;
    const bool rope_fits =
        family == EIS_LM_GPT2 ? rope == EIS_ROPE_NONE : rope == EIS_ROPE_PAIRS || rope == EIS_ROPE_HALVES;
    const bool ids_fit = lm->stop_count <= EIS_LM_STOP_IDS_MAX && (bos <= UINT32_MAX || bos == UINT64_MAX);
    if (!family_known || !rope_fits || tied > 1 || !ids_fit) {
        lm->stop_count = 0;
        eis_wire_reader_fail(r, EIS_ERR_MODEL, "a field of the model's description is impossible");
    }
    lm->family = (eis_lm_family)family;
    lm->rope = (eis_rope)rope;
    lm->head_tied = tied == 1;
    lm->bos_id = bos == UINT64_MAX ? -1 : (int64_t)bos;
    for (uint32_t i = 0; i < lm->stop_count; i++) lm->stop_ids[i] = eis_wire_reader_u32(r);
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

void eis_part_lm_write(eis_writer *w, const eis_lm *lm)
{
    dimensions_write(w, lm);
    matrix_write(w, &lm->token_embedding);
    if (lm->rope == EIS_ROPE_NONE) matrix_write(w, &lm->position_embedding);
    for (uint32_t i = 0; i < lm->layers; i++) {
        norm_write(w, &lm->blocks[i].attention_norm, lm->dim);
        norm_write(w, &lm->blocks[i].mlp_norm, lm->dim);
    }
    norm_write(w, &lm->final_norm, lm->dim);
}

void eis_part_lm_read(eis_reader *r, eis_model *model)
{
    eis_lm *lm = &model->lm;

    dimensions_read(r, lm);
    if (eis_wire_reader_status(r) != EIS_OK) return;
    if (eis_lm_check(lm, r->what) != EIS_OK) {
        eis_wire_reader_fail(r, EIS_ERR_MODEL, "the dimensions of the model are impossible");
        return;
    }
    lm->token_embedding = matrix_read(r, lm->vocabulary, lm->dim);
    if (lm->rope == EIS_ROPE_NONE) lm->position_embedding = matrix_read(r, lm->context, lm->dim);
    if (eis_wire_reader_status(r) != EIS_OK) return;
    if (eis_lm_add_nodes(model) != EIS_OK) {
        eis_wire_reader_fail(r, EIS_ERR_MEMORY, "out of memory");
        return;
    }
    for (uint32_t i = 0; i < lm->layers; i++) {
        norm_read(r, model, &lm->blocks[i].attention_norm);
        norm_read(r, model, &lm->blocks[i].mlp_norm);
    }
    norm_read(r, model, &lm->final_norm);
}
