/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in files. Every element is read through memcpy, since safetensors promises no alignment. Half floats are
 * widened without branches: an embedding row that is read here says which token the user wrote. */
#include "model/tensor.h"

#include "base/status.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

size_t eis_dtype_bytes(eis_dtype dtype) { return dtype == EIS_DTYPE_F64 ? 8 : dtype == EIS_DTYPE_F32 ? 4 : 2; }

eis_tensor_view eis_tensor_view_rows(const void *data, eis_dtype dtype, uint32_t rows, uint32_t columns)
{
    eis_tensor_view view = {.data = data, .dtype = dtype, .rows = rows, .columns = columns};

    view.row_stride = columns;
    view.column_stride = 1;
    return view;
}

eis_tensor_view eis_tensor_view_transposed(eis_tensor_view view)
{
    eis_tensor_view turned = view;

    turned.rows = view.columns;
    turned.columns = view.rows;
    turned.row_stride = view.column_stride;
    turned.column_stride = view.row_stride;
    return turned;
}

static inline float float_of_bits(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline double load_f64(const uint8_t *p)
{
    uint64_t bits;
    double v;

    memcpy(&bits, p, sizeof bits);
    bits = le64toh(bits);
    memcpy(&v, &bits, sizeof v);
    return v;
}

static inline float load_f32(const uint8_t *p)
{
    uint32_t bits;

    memcpy(&bits, p, sizeof bits);
    return float_of_bits(le32toh(bits));
}

static inline uint32_t load_u16(const uint8_t *p)
{
    uint16_t bits;

    memcpy(&bits, p, sizeof bits);
    return le16toh(bits);
}

static inline float load_bf16(const uint8_t *p) { return float_of_bits(load_u16(p) << 16); }

/* The 15 bits of magnitude, put where a float keeps them, mean the value times 2^-112 (exponent bias 127 against 15),
 * subnormals included; only infinity and NaN need their exponent filled up. */
static inline float load_f16(const uint8_t *p)
{
    uint32_t half = load_u16(p), magnitude = half & 0x7fffu, bits;
    uint32_t special = 0u - ((magnitude + 0x0400u) >> 15); /* all ones from 0x7c00 on */
    float scaled = float_of_bits(magnitude << 13) * 0x1p112f;

    memcpy(&bits, &scaled, sizeof bits);
    return float_of_bits(bits | (special & 0x7f800000u) | (half & 0x8000u) << 16);
}

/* One reader per element type and result type. Contiguous rows go row by row; otherwise the columns are the outer loop,
 * so that the neighbours in memory, the rows of the block, are read together. */
#define BLOCK_READER(name, result, load, element_bytes)                                                             \
    static void name(result *out, const eis_tensor_view *v, size_t row, size_t rows, size_t column, size_t columns) \
    {                                                                                                               \
        const size_t down = v->row_stride * (element_bytes), right = v->column_stride * (element_bytes);            \
        const uint8_t *from = v->data + row * down + column * right;                                                \
        if (v->column_stride == 1) {                                                                                \
            for (size_t r = 0; r < rows; r++)                                                                       \
                for (size_t c = 0; c < columns; c++)                                                                \
                    out[r * columns + c] = (result)load(from + r * down + c * (element_bytes));                     \
        } else {                                                                                                    \
            for (size_t c = 0; c < columns; c++)                                                                    \
                for (size_t r = 0; r < rows; r++) out[r * columns + c] = (result)load(from + r * down + c * right); \
        }                                                                                                           \
    }

BLOCK_READER(read_f64_as_f64, double, load_f64, 8)
BLOCK_READER(read_f32_as_f64, double, load_f32, 4)
BLOCK_READER(read_f16_as_f64, double, load_f16, 2)
BLOCK_READER(read_bf16_as_f64, double, load_bf16, 2)
BLOCK_READER(read_f64_as_f32, float, load_f64, 8)
BLOCK_READER(read_f32_as_f32, float, load_f32, 4)
BLOCK_READER(read_f16_as_f32, float, load_f16, 2)
BLOCK_READER(read_bf16_as_f32, float, load_bf16, 2)

static void assert_inside(const eis_tensor_view *view, size_t row, size_t rows, size_t column, size_t columns)
{
    EIS_ASSERT(row <= view->rows && rows <= view->rows - row);
    EIS_ASSERT(column <= view->columns && columns <= view->columns - column);
}

#define BLOCK_OF_ANY(NAME, TYPE)                                                                                      \
    void eis_tensor_read_block_##NAME(TYPE *out, const eis_tensor_view *view, size_t row, size_t rows, size_t column, \
                                      size_t columns)                                                                 \
    {                                                                                                                 \
        assert_inside(view, row, rows, column, columns);                                                              \
        switch (view->dtype) {                                                                                        \
        case EIS_DTYPE_F64:                                                                                           \
            read_f64_as_##NAME(out, view, row, rows, column, columns);                                                \
            return;                                                                                                   \
        case EIS_DTYPE_F32:                                                                                           \
            read_f32_as_##NAME(out, view, row, rows, column, columns);                                                \
            return;                                                                                                   \
        case EIS_DTYPE_F16:                                                                                           \
            read_f16_as_##NAME(out, view, row, rows, column, columns);                                                \
            return;                                                                                                   \
        case EIS_DTYPE_BF16:                                                                                          \
            read_bf16_as_##NAME(out, view, row, rows, column, columns);                                               \
            return;                                                                                                   \
        }                                                                                                             \
        EIS_ASSERT(false);                                                                                            \
    }

BLOCK_OF_ANY(f64, double)
BLOCK_OF_ANY(f32, float)

/* A transposed view is read in blocks of rows that share cache lines. */
enum { ROWS_PER_BLOCK = 16 };

void eis_tensor_read_f64(double *out, const eis_tensor_view *view, size_t first, size_t count)
{
    for (size_t r = 0; r < count; r += ROWS_PER_BLOCK)
        eis_tensor_read_block_f64(out + r * view->columns, view, first + r,
                                  count - r < ROWS_PER_BLOCK ? count - r : ROWS_PER_BLOCK, 0, view->columns);
}

void eis_tensor_read_f32(float *out, const eis_tensor_view *view, size_t first, size_t count)
{
    for (size_t r = 0; r < count; r += ROWS_PER_BLOCK)
        eis_tensor_read_block_f32(out + r * view->columns, view, first + r,
                                  count - r < ROWS_PER_BLOCK ? count - r : ROWS_PER_BLOCK, 0, view->columns);
}
