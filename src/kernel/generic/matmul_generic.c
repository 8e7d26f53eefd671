/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix times vectors in plain C, to be read: what every overlay must equal word for word.
 *
 * Z / 2^k is arithmetic of uint64_t, cut to k bits at the end. GF(p) splits a word x = low + 2^32 high, adds the
 * products of each half exactly, and reduces in the epilogue:
 *
 *   W8   |w| <= 2^7,  low < 2^32:  n products stay below n 2^39 <= 2^61 for n <= EIS_PACKED_COLS_MAX = 2^22.
 *   W20  w < 2^20,    low < 2^32:  4096 products stay below 4096 (2^20 - 1)(2^32 - 1) < 2^64, so each sum is folded
 *        into the field after 4096 columns; those of the high half (29 bits) are smaller.
 *
 * Offset weights hold w + 2^s: the sum is too large by 2^s times the sum of x, which is taken away at the end. */
#include "kernel/generic/generic.h"

#include "kernel/f61_word.h"

#include <string.h>

#define FLUSH_COLS_W20 4096
_Static_assert(EIS_PACKED_COLS_MAX << 39 <= (size_t)1 << 61, "W8 in the field: sums of halves fit into 63 bits");
_Static_assert(FLUSH_COLS_W20 % EIS_PACKED_COLS_STEP == 0, "padded rows are cut into whole blocks");

/* Rows of a panel that exist. */
static size_t panel_height(const eis_packed *w, size_t panel)
{
    size_t height = eis_geometry_panel_rows(w->geometry), first = panel * height;
    return w->rows - first < height ? w->rows - first : height;
}

static uint64_t low_half(uint64_t word) { return word & 0xffffffffu; }

/* Returns low + 2^32 high mod p for exact sums of products with halves. */
static uint64_t fold_halves(int64_t low, int64_t high)
{
    return eis_f61_word_add(eis_f61_word_from_i64(low), eis_f61_word_shift(eis_f61_word_from_i64(high), 32));
}

/* ---- W8 ---- */

size_t matmul_w8_scratch_generic(const eis_matmul *job) { return job->batch * job->w->cols_padded * sizeof(uint64_t); }

void matmul_w8_prepare_generic(const eis_matmul *job)
{
    unsigned p = eis_ring_planes(job->ring);
    words_from_planes_generic(job->scratch, job->x, job->batch * job->w->cols_padded, p);
}

/* acc[48] += panel times x in Z / 2^64. x[n]. */
static void panel_w8_z2k(uint64_t *acc, const uint8_t *panel, const uint64_t *x, size_t n)
{
    for (size_t j = 0; j < n; j += 4, panel += 4 * EIS_PANEL_ROWS_W8) {
        for (size_t i = 0; i < EIS_PANEL_ROWS_W8; i++) {
            for (size_t c = 0; c < 4; c++) acc[i] += (uint64_t)(int64_t)(int8_t)panel[4 * i + c] * x[j + c];
        }
    }
}

/* low[48], high[48] += panel times the halves of x. */
static void panel_w8_f61(int64_t *low, int64_t *high, const uint8_t *panel, const uint64_t *x, size_t n)
{
    for (size_t j = 0; j < n; j += 4, panel += 4 * EIS_PANEL_ROWS_W8) {
        for (size_t i = 0; i < EIS_PANEL_ROWS_W8; i++) {
            for (size_t c = 0; c < 4; c++) {
                int64_t weight = (int8_t)panel[4 * i + c];
                low[i] += weight * (int64_t)low_half(x[j + c]);
                high[i] += weight * (int64_t)(x[j + c] >> 32);
            }
        }
    }
}

static void panel_times_vector_w8(uint64_t *y, size_t height, const uint8_t *panel, const uint64_t *x, size_t n,
                                  eis_ring ring)
{
    uint64_t acc[EIS_PANEL_ROWS_W8] = {0};
    int64_t low[EIS_PANEL_ROWS_W8] = {0}, high[EIS_PANEL_ROWS_W8] = {0};

    if (ring == EIS_RING_F61) {
        panel_w8_f61(low, high, panel, x, n);
        for (size_t i = 0; i < height; i++) y[i] = fold_halves(low[i], high[i]);
    } else {
        panel_w8_z2k(acc, panel, x, n);
        for (size_t i = 0; i < height; i++) y[i] = acc[i] & eis_ring_mask(ring);
    }
}

void matmul_w8_run_generic(const eis_matmul *job, size_t panel_first, size_t panel_last)
{
    const eis_packed *w = job->w;
    const uint64_t *x = job->scratch;
    size_t n = w->cols_padded;

    for (size_t panel = panel_first; panel < panel_last; panel++) {
        for (size_t v = 0; v < job->batch; v++) {
            panel_times_vector_w8(job->y + v * w->rows + panel * EIS_PANEL_ROWS_W8, panel_height(w, panel),
                                  w->panels + panel * EIS_PANEL_ROWS_W8 * n, x + v * n, n, job->ring);
        }
    }
}

/* ---- W24 and W20 ---- */

size_t matmul_sums_scratch_generic(const eis_matmul *job) { return job->batch * sizeof(uint64_t); }

/* x may lie at any address, so words are read by memcpy here and below. */
static uint64_t load_word(const uint8_t *x, size_t index)
{
    uint64_t word;
    memcpy(&word, x + index * sizeof word, sizeof word);
    return word;
}

void matmul_sums_prepare_generic(const eis_matmul *job)
{
    size_t n = job->w->cols_padded;
    uint64_t *sums = job->scratch;

    for (size_t v = 0; v < job->batch; v++) {
        const uint8_t *x = (const uint8_t *)job->x + v * n * sizeof(uint64_t);
        eis_u128 sum = 0; /* n < 2^64 words do not overflow it */

        for (size_t j = 0; j < n; j++) sum += load_word(x, j);
        sums[v] = job->ring == EIS_RING_F61 ? eis_f61_word_reduce128(sum) : (uint64_t)sum;
    }
}

static uint64_t load_weight3(const uint8_t *at)
{
    return (uint64_t)at[0] | (uint64_t)at[1] << 8 | (uint64_t)at[2] << 16;
}

static void panel_times_vector_w24(uint64_t *y, size_t height, const uint8_t *panel, const uint8_t *x, size_t n,
                                   uint64_t sum, eis_ring ring)
{
    uint64_t acc[EIS_PANEL_ROWS_W24] = {0};

    for (size_t j = 0; j < n; j++, panel += 3 * EIS_PANEL_ROWS_W24) {
        uint64_t word = load_word(x, j);
        for (size_t i = 0; i < EIS_PANEL_ROWS_W24; i++) acc[i] += load_weight3(panel + 3 * i) * word;
    }
    for (size_t i = 0; i < height; i++) y[i] = (acc[i] - (sum << 23)) & eis_ring_mask(ring);
}

static void panel_times_vector_w20(uint64_t *y, size_t height, const uint8_t *panel, const uint8_t *x, size_t n,
                                   uint64_t sum)
{
    uint64_t total[EIS_PANEL_ROWS_W24] = {0};
    uint64_t correction = eis_f61_word_shift(sum, 19);

    for (size_t first = 0; first < n; first += FLUSH_COLS_W20) {
        size_t last = n - first < FLUSH_COLS_W20 ? n : first + FLUSH_COLS_W20;
        uint64_t low[EIS_PANEL_ROWS_W24] = {0}, high[EIS_PANEL_ROWS_W24] = {0};

        for (size_t j = first; j < last; j++, panel += 3 * EIS_PANEL_ROWS_W24) {
            uint64_t word = load_word(x, j);
            for (size_t i = 0; i < EIS_PANEL_ROWS_W24; i++) {
                low[i] += load_weight3(panel + 3 * i) * low_half(word);
                high[i] += load_weight3(panel + 3 * i) * (word >> 32);
            }
        }
        for (size_t i = 0; i < EIS_PANEL_ROWS_W24; i++) {
            uint64_t folded =
                eis_f61_word_add(eis_f61_word_reduce(low[i]), eis_f61_word_shift(eis_f61_word_reduce(high[i]), 32));
            total[i] = eis_f61_word_add(total[i], folded);
        }
    }
    for (size_t i = 0; i < height; i++) y[i] = eis_f61_word_sub(total[i], correction);
}

void matmul_w24_run_generic(const eis_matmul *job, size_t panel_first, size_t panel_last)
{
    const eis_packed *w = job->w;
    const uint64_t *sums = job->scratch;
    size_t n = w->cols_padded;

    for (size_t panel = panel_first; panel < panel_last; panel++) {
        for (size_t v = 0; v < job->batch; v++) {
            panel_times_vector_w24(job->y + v * w->rows + panel * EIS_PANEL_ROWS_W24, panel_height(w, panel),
                                   w->panels + panel * EIS_PANEL_ROWS_W24 * n * 3,
                                   (const uint8_t *)job->x + v * n * sizeof(uint64_t), n, sums[v], job->ring);
        }
    }
}

void matmul_w20_run_generic(const eis_matmul *job, size_t panel_first, size_t panel_last)
{
    const eis_packed *w = job->w;
    const uint64_t *sums = job->scratch;
    size_t n = w->cols_padded;

    for (size_t panel = panel_first; panel < panel_last; panel++) {
        for (size_t v = 0; v < job->batch; v++) {
            panel_times_vector_w20(job->y + v * w->rows + panel * EIS_PANEL_ROWS_W24, panel_height(w, panel),
                                   w->panels + panel * EIS_PANEL_ROWS_W24 * n * 3,
                                   (const uint8_t *)job->x + v * n * sizeof(uint64_t), n, sums[v]);
        }
    }
}
