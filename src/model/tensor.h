/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in files: matrices of F64, F32, F16 or BF16 at any alignment and in either layout, read as float or double.
 */
#ifndef EIS_MODEL_TENSOR_H
#define EIS_MODEL_TENSOR_H

#include <stddef.h>
#include <stdint.h>

typedef enum eis_dtype { EIS_DTYPE_F64 = 1, EIS_DTYPE_F32 = 2, EIS_DTYPE_F16 = 3, EIS_DTYPE_BF16 = 4 } eis_dtype;

/* A matrix that somebody else owns, little-endian. A vector is one row. Zeroed = empty. */
typedef struct eis_tensor_view {
    const uint8_t *data; /* element (0, 0) */
    eis_dtype dtype;
    uint32_t rows, columns;
    size_t row_stride, column_stride; /* in elements: [out][in] has (in, 1), [in][out] has (1, out) */
} eis_tensor_view;

/* Returns the bytes of one element. */
size_t eis_dtype_bytes(eis_dtype dtype);

/* Returns a view of a matrix stored row by row. */
eis_tensor_view eis_tensor_view_rows(const void *data, eis_dtype dtype, uint32_t rows, uint32_t columns);

/* Returns the transpose of a view: the same bytes, rows and columns exchanged. */
eis_tensor_view eis_tensor_view_transposed(eis_tensor_view view);

/* Reads rows [first, first + count) of a view.
 *
 * Shape:   out[count][columns], row-major; first + count <= rows (asserted). */
void eis_tensor_read_f64(double *out, const eis_tensor_view *view, size_t first, size_t count);

/* The same in float; rounds F64 to nearest. */
void eis_tensor_read_f32(float *out, const eis_tensor_view *view, size_t first, size_t count);

/* Reads the block of rows [row, row + rows) and columns [column, column + columns), inside the view (asserted).
 *
 * Shape:   out[rows][columns], row-major. */
void eis_tensor_read_block_f64(double *out, const eis_tensor_view *view, size_t row, size_t rows, size_t column,
                               size_t columns);

/* The same in float; rounds F64 to nearest. */
void eis_tensor_read_block_f32(float *out, const eis_tensor_view *view, size_t row, size_t rows, size_t column,
                               size_t columns);

#endif
