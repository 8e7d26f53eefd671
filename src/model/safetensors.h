/* SPDX-License-Identifier: Apache-2.0 */
/* Reader of safetensors files: a length, a JSON table of named tensors, their bytes. One table may hold several files,
 * as the shards of a large model. The bytes are not copied and need not be aligned. */
#ifndef EIS_MODEL_SAFETENSORS_H
#define EIS_MODEL_SAFETENSORS_H

#include "base/bytes.h"
#include "base/status.h"
#include "model/graph.h"
#include "model/tensor.h"

#include <stdint.h>

#define EIS_SAFETENSORS_HEADER_BYTES_MAX 100000000u /* as the format's own reader */
#define EIS_SAFETENSORS_NAME_BYTES_MAX   255
#define EIS_SAFETENSORS_RANK_MAX         8

typedef struct eis_safetensors_entry {
    const char *name; /* UTF-8 without control characters */
    const char *file; /* for messages */
    char dtype[12];   /* as in the file: "F32", "I64", ... */
    uint32_t rank;
    uint64_t shape[EIS_SAFETENSORS_RANK_MAX];
    uint64_t count; /* elements */
    eis_span data;
} eis_safetensors_entry;

/* A table of tensors, sorted by name. Zeroed = empty. */
typedef struct eis_safetensors {
    eis_safetensors_entry *entries; /* [count] */
    uint32_t count;
    struct eis_safetensors_names *names; /* memory of names and file names */
} eis_safetensors;

/* Adds the tensors of one file. The bytes must outlive every view; file_name is copied.
 *
 * Errors:  EIS_ERR_PARSE        the table is no strict JSON or has other members than the format's;
 *          EIS_ERR_MODEL        offsets outside the file, overlapping, with holes, or not those of type and shape;
 *                               a name twice; EIS_ERR_UNSUPPORTED an unknown type; EIS_ERR_MEMORY.
 *          The text names file and tensor. The table is then as before, valid to clear. */
EIS_MUST_USE eis_status eis_safetensors_add(eis_safetensors *table, eis_span file, const char *file_name);

/* Maps a file for the life of the model and adds its tensors. Errors: EIS_ERR_FILE, and as eis_safetensors_add. */
EIS_MUST_USE eis_status eis_safetensors_open(eis_safetensors *table, eis_model *model, const char *path);

/* Frees the table; views into the files stay valid. */
void eis_safetensors_clear(eis_safetensors *table);

/* Returns the tensor of this name, or NULL. */
const eis_safetensors_entry *eis_safetensors_find(const eis_safetensors *table, const char *name);

/* Finds a float tensor of shape [rows][columns].
 *
 * Errors:  EIS_ERR_MODEL  missing, another shape, or no float type; the text names the tensor and both shapes.
 *          *view is then untouched. */
EIS_MUST_USE eis_status eis_safetensors_matrix(eis_tensor_view *view, const eis_safetensors *table, const char *name,
                                               uint32_t rows, uint32_t columns);

/* Finds a float tensor of shape [length] as one row. Errors: as eis_safetensors_matrix. */
EIS_MUST_USE eis_status eis_safetensors_vector(eis_tensor_view *view, const eis_safetensors *table, const char *name,
                                               uint32_t length);

/* Finds a float tensor of any shape with rows * columns elements, read as [rows][columns]. Errors: the same. */
EIS_MUST_USE eis_status eis_safetensors_words(eis_tensor_view *view, const eis_safetensors *table, const char *name,
                                              uint32_t rows, uint32_t columns);

#endif
