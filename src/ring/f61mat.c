/* SPDX-License-Identifier: Apache-2.0 */
/* Panels are read column by column. A word r = low + 2^32 high; per panel and column the products of up to 48 weights
 * (stored unsigned, below 2^24) with low (32 bits) add to less than 2^62, so one reduction per column is enough.
 * Weights are stored or made non-negative by an offset 2^s; 2^s times the sum of r is taken away. */
#include "ring/f61mat.h"

#include "base/mem.h"
#include "kernel/f61_word.h"

/* The rows of r that belong to one panel, cut into halves, zero beyond the last row. */
typedef struct panel_rows {
    uint64_t low[EIS_PANEL_ROWS_W8], high[EIS_PANEL_ROWS_W8];
    uint64_t correction; /* 2^s * sum r */
} panel_rows;

static unsigned offset_log2(eis_geometry geometry)
{
    return geometry == EIS_GEOMETRY_W8 ? 7 : geometry == EIS_GEOMETRY_W24 ? 23 : 19;
}

static void cut_rows(panel_rows *rows, const eis_packed *w, const uint64_t *r, size_t panel)
{
    size_t height = eis_geometry_panel_rows(w->geometry), first = panel * height;
    uint64_t sum = 0;

    *rows = (panel_rows){{0}, {0}, 0};
    for (size_t i = 0; i < height && first + i < w->rows; i++) {
        rows->low[i] = r[first + i] & 0xffffffffu;
        rows->high[i] = r[first + i] >> 32;
        sum = eis_f61_word_add(sum, r[first + i]);
    }
    rows->correction = eis_f61_word_shift(sum, offset_log2(w->geometry));
}

/* Weights of one column as non-negative numbers. */
static void load_column_w8(uint64_t *column, const uint8_t *panel, size_t col)
{
    const uint8_t *at = panel + col / 4 * (4 * EIS_PANEL_ROWS_W8) + col % 4;

    for (size_t i = 0; i < EIS_PANEL_ROWS_W8; i++) column[i] = at[4 * i] ^ 0x80u; /* w + 128 */
}

static void load_column_w24(uint64_t *column, const uint8_t *panel, size_t col)
{
    const uint8_t *at = panel + col * (3 * EIS_PANEL_ROWS_W24);

    for (size_t i = 0; i < EIS_PANEL_ROWS_W24; i++) {
        column[i] = (uint64_t)at[3 * i] | (uint64_t)at[3 * i + 1] << 8 | (uint64_t)at[3 * i + 2] << 16;
    }
}

/* Returns sum r_i w_i mod p over one column. */
static uint64_t dot_column(const panel_rows *rows, const uint64_t *column, size_t height)
{
    uint64_t low = 0, high = 0;

    for (size_t i = 0; i < height; i++) {
        low += column[i] * rows->low[i];
        high += column[i] * rows->high[i];
    }
    low = eis_f61_word_add(eis_f61_word_reduce(low), eis_f61_word_shift(eis_f61_word_reduce(high), 32));
    return eis_f61_word_sub(low, rows->correction);
}

static void add_panel(uint64_t *z, const eis_packed *w, const panel_rows *rows, size_t panel)
{
    size_t height = eis_geometry_panel_rows(w->geometry);
    const uint8_t *at = w->panels + panel * height * w->cols_padded * eis_geometry_weight_bytes(w->geometry);
    uint64_t column[EIS_PANEL_ROWS_W8];

    for (size_t j = 0; j < w->cols; j++) {
        if (w->geometry == EIS_GEOMETRY_W8) {
            load_column_w8(column, at, j);
        } else {
            load_column_w24(column, at, j);
        }
        z[j] = eis_f61_word_add(z[j], dot_column(rows, column, height));
    }
}

void eis_f61mat_left_multiply(uint64_t *z, const eis_packed *w, const uint64_t *r, size_t checks, size_t panel_first,
                              size_t panel_last)
{
    panel_rows rows;

    for (size_t panel = panel_first; panel < panel_last; panel++) {
        for (size_t c = 0; c < checks; c++) {
            cut_rows(&rows, w, r + c * w->rows, panel);
            add_panel(z + c * w->cols, w, &rows, panel);
        }
    }
    eis_mem_wipe(&rows, sizeof rows);
}
