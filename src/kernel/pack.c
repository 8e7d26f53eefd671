/* SPDX-License-Identifier: Apache-2.0 */
/* Integer matrices to panels and back. Plain C: weights are packed once, when a model is partitioned. */
#include "kernel/kernel.h"

#include "base/bytes.h"

size_t eis_geometry_panel_rows(eis_geometry geometry)
{
    return geometry == EIS_GEOMETRY_W8 ? EIS_PANEL_ROWS_W8 : EIS_PANEL_ROWS_W24;
}

size_t eis_geometry_weight_bytes(eis_geometry geometry) { return geometry == EIS_GEOMETRY_W8 ? 1 : 3; }

eis_status eis_packed_init(eis_packed *packed, eis_geometry geometry, size_t rows, size_t cols, const uint8_t *panels)
{
    eis_packed made = {.geometry = geometry, .rows = rows, .cols = cols, .panels = panels};

    if (geometry != EIS_GEOMETRY_W8 && geometry != EIS_GEOMETRY_W24 && geometry != EIS_GEOMETRY_W20) {
        return eis_fail(EIS_ERR_SHAPE, "packed weights: unknown geometry %d", (int)geometry);
    }
    if (rows > EIS_PACKED_ROWS_MAX || cols > EIS_PACKED_COLS_MAX) {
        return eis_fail(EIS_ERR_SHAPE, "packed weights: a matrix of %zu x %zu is too large", rows, cols);
    }
    made.rows_padded = eis_round_up(rows, eis_geometry_panel_rows(geometry));
    made.cols_padded = eis_round_up(cols, EIS_PACKED_COLS_STEP);
    if (!eis_size_mul(&made.bytes, made.rows_padded, made.cols_padded)
        || !eis_size_mul(&made.bytes, made.bytes, eis_geometry_weight_bytes(geometry))) {
        return eis_fail(EIS_ERR_SHAPE, "packed weights: a matrix of %zu x %zu does not fit into memory", rows, cols);
    }
    *packed = made;
    return EIS_OK;
}

/* Returns where the weight of a row and column begins. */
static size_t weight_offset(const eis_packed *shape, size_t row, size_t col)
{
    size_t height = eis_geometry_panel_rows(shape->geometry), in_panel = row % height;
    size_t panel = row / height * height * shape->cols_padded;

    if (shape->geometry == EIS_GEOMETRY_W8) {
        return panel + col / 4 * (4 * EIS_PANEL_ROWS_W8) + in_panel / 16 * 64 + in_panel % 16 * 4 + col % 4;
    }
    return 3 * (panel + col * EIS_PANEL_ROWS_W24 + in_panel);
}

/* Returns what is added to a weight before it is stored. */
static int32_t weight_offset_binary(eis_geometry geometry)
{
    return geometry == EIS_GEOMETRY_W24 ? 1 << 23 : geometry == EIS_GEOMETRY_W20 ? 1 << 19 : 0;
}

static void store_weight(uint8_t *panels, const eis_packed *shape, size_t row, size_t col, int32_t weight)
{
    uint8_t *at = panels + weight_offset(shape, row, col);
    uint32_t stored = (uint32_t)(weight + weight_offset_binary(shape->geometry));

    at[0] = (uint8_t)stored;
    if (shape->geometry != EIS_GEOMETRY_W8) {
        at[1] = (uint8_t)(stored >> 8);
        at[2] = (uint8_t)(stored >> 16);
    }
}

static int32_t load_weight(const eis_packed *packed, size_t row, size_t col)
{
    const uint8_t *at = packed->panels + weight_offset(packed, row, col);

    if (packed->geometry == EIS_GEOMETRY_W8) return (int8_t)at[0];
    return (int32_t)((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16)
           - weight_offset_binary(packed->geometry);
}

#ifdef EIS_VERIFY_BUILD
static bool weight_in_range(eis_geometry geometry, int32_t weight)
{
    int32_t limit = geometry == EIS_GEOMETRY_W8 ? 128 : weight_offset_binary(geometry);
    return weight >= -limit && weight < limit;
}
#endif

void eis_packed_write_rows(uint8_t *panels, const eis_packed *shape, const int32_t *w, size_t row_first,
                           size_t row_count)
{
    EIS_ASSERT(row_first <= shape->rows && row_count <= shape->rows - row_first);
    for (size_t i = 0; i < row_count; i++) {
        for (size_t j = 0; j < shape->cols; j++) {
            EIS_VERIFY(weight_in_range(shape->geometry, w[i * shape->cols + j]));
            store_weight(panels, shape, row_first + i, j, w[i * shape->cols + j]);
        }
    }
}

void eis_packed_fill_padding(uint8_t *panels, const eis_packed *shape)
{
    for (size_t i = 0; i < shape->rows_padded; i++) {
        for (size_t j = i < shape->rows ? shape->cols : 0; j < shape->cols_padded; j++) {
            store_weight(panels, shape, i, j, 0);
        }
    }
}

void eis_packed_read_rows(int32_t *w, const eis_packed *packed, size_t row_first, size_t row_count)
{
    EIS_ASSERT(row_first <= packed->rows && row_count <= packed->rows - row_first);
    for (size_t i = 0; i < row_count; i++) {
        for (size_t j = 0; j < packed->cols; j++) w[i * packed->cols + j] = load_weight(packed, row_first + i, j);
    }
}
