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
    if (!eis_size_mul(&made.bytes, made.rows_padded, made.cols_padded) ||
        !eis_size_mul(&made.bytes, made.bytes, eis_geometry_weight_bytes(geometry))) {
        return eis_fail(EIS_ERR_SHAPE, "packed weights: a matrix of %zu x %zu does not fit into memory", rows, cols);
    }
    *packed = made;
    return EIS_OK;
}

/* Returns what is added to a weight before it is stored. */
static int32_t weight_offset_binary(eis_geometry geometry)
{
    return geometry == EIS_GEOMETRY_W24 ? 1 << 23 : geometry == EIS_GEOMETRY_W20 ? 1 << 19 : 0;
}

/* Returns where the first weight of a row begins. */
static size_t row_offset(const eis_packed *shape, size_t row)
{
    size_t height = eis_geometry_panel_rows(shape->geometry), in_panel = row % height;
    size_t panel = (row - in_panel) * shape->cols_padded;

    if (shape->geometry == EIS_GEOMETRY_W8) return panel + in_panel / 16 * 64 + in_panel % 16 * 4;
    return 3 * (panel + in_panel);
}

/* Returns how far from a row's first weight the one of a column begins. */
static size_t column_offset_w8(size_t col) { return col / 4 * (4 * EIS_PANEL_ROWS_W8) + col % 4; }

static size_t column_offset_w24(size_t col) { return col * (3 * EIS_PANEL_ROWS_W24); }

/* Writes columns [first, last) of a row; w NULL means zeros. */
static void store_row(uint8_t *panels, const eis_packed *shape, size_t row, const int32_t *w, size_t first, size_t last)
{
    uint8_t *at = panels + row_offset(shape, row);
    int32_t offset = weight_offset_binary(shape->geometry);

    if (shape->geometry == EIS_GEOMETRY_W8) {
        for (size_t j = first; j < last; j++) at[column_offset_w8(j)] = w != NULL ? (uint8_t)w[j] : 0;
        return;
    }
    for (size_t j = first; j < last; j++) {
        uint8_t *to = at + column_offset_w24(j);
        uint32_t stored = (uint32_t)((w != NULL ? w[j] : 0) + offset);

        to[0] = (uint8_t)stored;
        to[1] = (uint8_t)(stored >> 8);
        to[2] = (uint8_t)(stored >> 16);
    }
}

static void load_row(int32_t *w, const eis_packed *packed, size_t row)
{
    const uint8_t *at = packed->panels + row_offset(packed, row);
    int32_t offset = weight_offset_binary(packed->geometry);

    if (packed->geometry == EIS_GEOMETRY_W8) {
        for (size_t j = 0; j < packed->cols; j++) w[j] = (int8_t)at[column_offset_w8(j)];
        return;
    }
    for (size_t j = 0; j < packed->cols; j++) {
        const uint8_t *from = at + column_offset_w24(j);
        w[j] = (int32_t)((uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16) - offset;
    }
}

#ifdef EIS_VERIFY_BUILD
static bool row_in_range(eis_geometry geometry, const int32_t *w, size_t cols)
{
    int32_t limit = geometry == EIS_GEOMETRY_W8 ? 128 : weight_offset_binary(geometry);
    bool inside = true;

    for (size_t j = 0; j < cols; j++) inside &= w[j] >= -limit && w[j] < limit;
    return inside;
}
#endif

void eis_packed_write_rows(uint8_t *panels, const eis_packed *shape, const int32_t *w, size_t row_first,
                           size_t row_count)
{
    EIS_ASSERT(row_first <= shape->rows && row_count <= shape->rows - row_first);
    for (size_t i = 0; i < row_count; i++) {
        EIS_VERIFY(row_in_range(shape->geometry, w + i * shape->cols, shape->cols));
        store_row(panels, shape, row_first + i, w + i * shape->cols, 0, shape->cols);
    }
}

void eis_packed_fill_padding(uint8_t *panels, const eis_packed *shape)
{
    for (size_t i = 0; i < shape->rows_padded; i++) {
        store_row(panels, shape, i, NULL, i < shape->rows ? shape->cols : 0, shape->cols_padded);
    }
}

void eis_packed_read_rows(int32_t *w, const eis_packed *packed, size_t row_first, size_t row_count)
{
    EIS_ASSERT(row_first <= packed->rows && row_count <= packed->rows - row_first);
    for (size_t i = 0; i < row_count; i++) load_row(w + i * packed->cols, packed, row_first + i);
}
