/* SPDX-License-Identifier: Apache-2.0 */
/* The model object: what it owns, where its weights are, and which loader a path asks for. */
#include "model/graph.h"

#include "base/mem.h"
#include "model/files.h"
#include "model/hf.h"
#include "model/llama2c.h"
#include "model/part.h"

#include <string.h>

/* A list of everything that lives as long as the model; the newest first. */
typedef struct owned {
    struct owned *next;
    void *array;
    eis_mapping mapping;
} owned;

struct eis_model_memory {
    owned *first;
    uint32_t linear_capacity;
};

eis_status eis_model_new(eis_model **model, eis_model_kind kind)
{
    eis_status st = EIS_OK;
    eis_model *made = NULL;

    *model = NULL;
    EIS_NEW(made, 1);
    EIS_NEW(made->memory, 1);
    made->kind = kind;
    *model = made;
    made = NULL;
out:
    eis_model_free(made);
    return st;
}

void eis_model_free(eis_model *model)
{
    owned *next;

    if (model == NULL) return;
    for (owned *entry = model->memory != NULL ? model->memory->first : NULL; entry != NULL; entry = next) {
        next = entry->next;
        eis_mem_free(entry->array);
        eis_file_unmap(&entry->mapping);
        eis_mem_free(entry);
    }
    eis_mem_free(model->memory);
    eis_mem_free(model->linears);
    eis_mem_free(model);
}

static owned *new_entry(eis_model *model)
{
    owned *entry = eis_mem_new(1, sizeof *entry);

    if (entry == NULL) return NULL;
    entry->next = model->memory->first;
    model->memory->first = entry;
    return entry;
}

void *eis_model_new_array(eis_model *model, size_t count, size_t size)
{
    owned *entry = new_entry(model);

    if (entry == NULL) return NULL;
    entry->array = eis_mem_new(count, size);
    return entry->array;
}

eis_status eis_model_map_file(eis_model *model, const char *path, eis_span *file)
{
    owned *entry = new_entry(model);
    eis_status st;

    if (entry == NULL) return EIS_ERR_MEMORY;
    st = eis_file_map(&entry->mapping, path);
    if (st == EIS_OK) *file = entry->mapping.bytes;
    return st;
}

eis_linear *eis_model_add_linear(eis_model *model)
{
    const uint32_t room = model->memory->linear_capacity;

    if (model->linear_count == room) {
        const uint32_t more = room == 0 ? 16 : 2 * room;
        if (room > UINT32_MAX / 2 || eis_mem_resize(&model->linears, room, more, sizeof *model->linears) != EIS_OK)
            return NULL;
        model->memory->linear_capacity = more;
    }
    return &model->linears[model->linear_count++];
}

size_t eis_linear_input_count(const eis_linear *linear)
{
    if (linear->kind == EIS_LINEAR_DENSE) return linear->in;
    return (size_t)linear->channels * linear->height * linear->width;
}

size_t eis_linear_output_count(const eis_linear *linear)
{
    if (linear->kind == EIS_LINEAR_DENSE) return linear->out;
    return (size_t)linear->out * linear->out_height * linear->out_width;
}

/* Walks over the pieces that hold rows [first, first + count) and reads from each: as double, or as float. */
static eis_status read_rows(const eis_model *model, uint32_t index, size_t first, size_t count, double *rows,
                            float *rows_f32)
{
    EIS_ASSERT(index < model->linear_count);
    const eis_linear *linear = &model->linears[index];
    EIS_ASSERT(first <= linear->out && count <= linear->out - first);
    if (linear->piece_count == 0)
        return eis_fail(EIS_ERR_MODEL, "%s: this client part holds no weights; name the model itself", linear->name);

    for (uint32_t p = 0; p < linear->piece_count && count > 0; p++) {
        const eis_tensor_view *piece = &linear->pieces[p];
        if (first >= piece->rows) {
            first -= piece->rows;
            continue;
        }
        const size_t here = count < piece->rows - first ? count : piece->rows - first;
        if (rows != NULL) {
            eis_tensor_read_f64(rows, piece, first, here);
            rows += here * linear->in;
        } else {
            eis_tensor_read_f32(rows_f32, piece, first, here);
            rows_f32 += here * linear->in;
        }
        count -= here;
        first = 0;
    }
    EIS_ASSERT(count == 0);
    return EIS_OK;
}

eis_status eis_model_linear_rows(const eis_model *model, uint32_t index, size_t first_row, size_t count, double *rows)
{
    return read_rows(model, index, first_row, count, rows, NULL);
}

eis_status eis_model_linear_rows_f32(const eis_model *model, uint32_t index, size_t first_row, size_t count,
                                     float *rows)
{
    return read_rows(model, index, first_row, count, NULL, rows);
}

void eis_linear_window(double *window, const eis_linear *linear, const double *image, uint32_t out_y, uint32_t out_x)
{
    EIS_ASSERT(linear->kind == EIS_LINEAR_CONV2D);
    for (uint32_t c = 0; c < linear->channels; c++)
        for (uint32_t ky = 0; ky < linear->kernel_height; ky++)
            for (uint32_t kx = 0; kx < linear->kernel_width; kx++) {
                /* The padding lies left and above, so the subtraction may go below 0: as unsigned, far outside. */
                const uint64_t y = (uint64_t)out_y * linear->stride_y + ky - linear->pad_y;
                const uint64_t x = (uint64_t)out_x * linear->stride_x + kx - linear->pad_x;
                const bool inside = y < linear->height && x < linear->width;
                *window++ = inside ? image[((size_t)c * linear->height + y) * linear->width + x] : 0;
            }
}

static eis_status open_directory(eis_model **model, const char *path, const eis_model_options *options)
{
    eis_status st = EIS_OK;
    const char *weights = options != NULL ? options->weights_path : NULL;

    if (eis_file_exists(path, "config.json")) {
        EIS_REQUIRE(weights == NULL, EIS_ERR_USAGE, "%s: another weights file is for classifiers only", path);
        EIS_TRY(eis_model_new(model, EIS_MODEL_LM));
        EIS_TRY(eis_hf_load(*model, path));
    } else if (eis_file_exists(path, "model.json")) {
        EIS_TRY(eis_model_new(model, EIS_MODEL_CLASSIFIER));
        EIS_TRY(eis_classifier_load(*model, path, weights));
    } else {
        st = eis_fail(EIS_ERR_FILE, "%s: holds neither config.json (a language model) nor model.json (a classifier)",
                      path);
    }
out:
    return st;
}

/* A client part says itself of which kind it is. */
static eis_status open_file(eis_model **model, const char *path)
{
    eis_status st = EIS_OK;
    eis_span file = {0};

    EIS_TRY(eis_model_new(model, EIS_MODEL_LM));
    EIS_TRY(eis_model_map_file(*model, path, &file));
    if (eis_part_recognise(file)) return eis_part_load(*model, file, path);
    EIS_REQUIRE(file.bytes < 8 || memcmp(file.data, "EISPACK1", 8) != 0, EIS_ERR_MODEL,
                "%s: is the pack of a server; a client needs the model or its client part (client.eispart)", path);
    EIS_TRY(eis_llama2c_load(*model, file, path));
out:
    return st;
}

eis_status eis_model_open(eis_model **model, const char *path, const eis_model_options *options)
{
    eis_status st;

    *model = NULL;
    if (eis_file_is_directory(path)) {
        st = open_directory(model, path, options);
    } else if (options != NULL && options->weights_path != NULL) {
        st = eis_fail(EIS_ERR_USAGE, "%s: another weights file needs a directory with model.json", path);
    } else {
        st = open_file(model, path);
    }
    if (st != EIS_OK) {
        eis_model_free(*model);
        *model = NULL;
    }
    return st;
}
