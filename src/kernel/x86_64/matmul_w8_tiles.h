/* SPDX-License-Identifier: Apache-2.0 */
/* 8-bit weights on registers of 256 bits, by tiles: what is the same for AVX2 and AVX-VNNI.
 *
 * x is cut into digits, and every digit of every vector is a column of one big integer product ("digit columns"):
 *
 *   x = sum over d of digit_d 2^(DIGIT_BITS d),   y = sum over d of 2^(DIGIT_BITS d) (W digit_d)
 *
 * A tile is `width` digit columns, up to TILE_WIDTH, which lie interleaved in scratch:
 * [tile][group of 4 columns of W][digit column in tile][4 digits]. It meets the 48 rows of a panel in strips whose sums
 * of 32 bits fit into registers; a strip row is one register of weights. Sums go to 64 bits after every block of
 * groups.
 *
 * A file that includes this has said before:
 *
 *   TILE_WIDTH, SET_WIDTH     digit columns of a tile, and those whose 64-bit sums are kept at a time at most
 *   DIGIT_BITS, GROUP_BYTES   of a digit, and of 4 digits in scratch
 *   ROW_BYTES, STRIP_ROWS     of one register of weights: its bytes in a panel, and its rows
 *   digit_count(ring), set_vectors(digits), block_groups(job)    set_vectors(digits) * digits is whole tiles
 *   load_weights(w), broadcast_digit(x), multiply_add(acc, weights, digit), add_sums(sums, acc),
 *   prefetch_strip(w, bytes, width)
 *
 * and says DEFINE_STRIP for each width and the table `strips` of them behind it. */
#ifndef EIS_KERNEL_X86_64_MATMUL_W8_TILES_H
#define EIS_KERNEL_X86_64_MATMUL_W8_TILES_H

#include "kernel/f61_word.h"

/* Width of a tile among all digit columns. */
static size_t tile_width(size_t columns, size_t tile)
{
    size_t left = columns - tile * TILE_WIDTH;
    return left < TILE_WIDTH ? left : TILE_WIDTH;
}

/* Where in scratch the first group of a digit column stands; the next ones follow *step bytes apart. */
static size_t column_place(size_t *step, size_t column, size_t columns, size_t groups)
{
    size_t tile = column / TILE_WIDTH;

    *step = tile_width(columns, tile) * GROUP_BYTES;
    return tile * TILE_WIDTH * groups * GROUP_BYTES + column % TILE_WIDTH * GROUP_BYTES;
}

/* One strip: sums[WIDTH][48] += HEIGHT strip rows x WIDTH digit columns over `groups` groups. The sums live in
 * registers: HEIGHT * WIDTH <= 12 leaves room for the operands, and every loop over them is unrolled. Wide tiles hold
 * the weights and stream x, narrow ones hold x and stream the weights; the compiler orders the loads by itself. */
#define DEFINE_STRIP(WIDTH, HEIGHT)                                                                                    \
    static void strip_##WIDTH(int64_t *sums, const uint8_t *w, const uint8_t *x, size_t groups)                        \
    {                                                                                                                  \
        __m256i acc[HEIGHT][WIDTH];                                                                                    \
                                                                                                                       \
        _Pragma("GCC unroll 8") for (int r = 0; r < HEIGHT; r++)                                                       \
        {                                                                                                              \
            _Pragma("GCC unroll 8") for (int c = 0; c < WIDTH; c++) acc[r][c] = _mm256_setzero_si256();                \
        }                                                                                                              \
        for (size_t g = 0; g < groups; g++, w += 4 * EIS_PANEL_ROWS_W8, x += GROUP_BYTES * WIDTH) {                    \
            prefetch_strip(w, (HEIGHT) * (ROW_BYTES), WIDTH);                                                          \
            if (HEIGHT > WIDTH) {                                                                                      \
                __m256i digit[WIDTH];                                                                                  \
                _Pragma("GCC unroll 8") for (int c = 0; c < WIDTH; c++) digit[c] =                                     \
                    broadcast_digit(x + GROUP_BYTES * c);                                                              \
                _Pragma("GCC unroll 8") for (int r = 0; r < HEIGHT; r++)                                               \
                {                                                                                                      \
                    __m256i weights = load_weights(w + ROW_BYTES * r);                                                 \
                    _Pragma("GCC unroll 8") for (int c = 0; c < WIDTH; c++)                                            \
                    {                                                                                                  \
                        multiply_add(&acc[r][c], weights, digit[c]);                                                   \
                    }                                                                                                  \
                }                                                                                                      \
            } else {                                                                                                   \
                __m256i weights[HEIGHT];                                                                               \
                _Pragma("GCC unroll 8") for (int r = 0; r < HEIGHT; r++) weights[r] = load_weights(w + ROW_BYTES * r); \
                _Pragma("GCC unroll 8") for (int c = 0; c < WIDTH; c++)                                                \
                {                                                                                                      \
                    __m256i digit = broadcast_digit(x + GROUP_BYTES * c);                                              \
                    _Pragma("GCC unroll 8") for (int r = 0; r < HEIGHT; r++)                                           \
                    {                                                                                                  \
                        multiply_add(&acc[r][c], weights[r], digit);                                                   \
                    }                                                                                                  \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        _Pragma("GCC unroll 8") for (int r = 0; r < HEIGHT; r++)                                                       \
        {                                                                                                              \
            _Pragma("GCC unroll 8") for (int c = 0; c < WIDTH; c++)                                                    \
            {                                                                                                          \
                add_sums(sums + c * EIS_PANEL_ROWS_W8 + STRIP_ROWS * r, acc[r][c]);                                    \
            }                                                                                                          \
        }                                                                                                              \
    }

/* A strip and how many strip rows it takes. */
typedef struct strip_kind {
    void (*run)(int64_t *sums, const uint8_t *w, const uint8_t *x, size_t groups);
    size_t height;
} strip_kind;

static const strip_kind strips[TILE_WIDTH + 1]; /* by width */

/* All 48 rows of one panel times one tile over a block of columns. */
static void block_times_tile(int64_t *sums, const uint8_t *w, const uint8_t *x, size_t width, size_t groups)
{
    for (size_t row = 0; row < EIS_PANEL_ROWS_W8 / STRIP_ROWS; row += strips[width].height) {
        strips[width].run(sums + STRIP_ROWS * row, w + ROW_BYTES * row, x, groups);
    }
}

/* sums[column][48] = panel times the digit columns of one set: tiles [tile_first, tile_last). */
static void panel_times_set(int64_t *sums, const eis_matmul *job, const uint8_t *panel, size_t tile_first,
                            size_t tile_last)
{
    size_t groups = job->w->cols_padded / 4, columns = job->batch * digit_count(job->ring),
           together = block_groups(job);
    const uint8_t *scratch = job->scratch;

    memset(sums, 0, (tile_last - tile_first) * TILE_WIDTH * EIS_PANEL_ROWS_W8 * sizeof *sums);
    for (size_t g = 0; g < groups; g += together) {
        size_t block = groups - g < together ? groups - g : together;

        for (size_t tile = tile_first; tile < tile_last; tile++) {
            size_t width = tile_width(columns, tile);
            block_times_tile(sums + (tile - tile_first) * TILE_WIDTH * EIS_PANEL_ROWS_W8,
                             panel + g * 4 * EIS_PANEL_ROWS_W8,
                             scratch + (tile * TILE_WIDTH * groups + g * width) * GROUP_BYTES, width, block);
        }
    }
}

/* Puts the digit products of one vector together. sums[digit][48]. */
static void recombine(uint64_t *y, size_t height, const int64_t *sums, eis_ring ring)
{
    const size_t digits = digit_count(ring);

    for (size_t i = 0; i < height; i++) {
        uint64_t word = 0;

        for (unsigned d = 0; d < digits; d++) {
            int64_t sum = sums[d * EIS_PANEL_ROWS_W8 + i];
            if (ring == EIS_RING_F61) {
                word = eis_f61_word_add(word, eis_f61_word_shift(eis_f61_word_from_i64(sum), DIGIT_BITS * d));
            } else {
                word += (uint64_t)sum << (DIGIT_BITS * d);
            }
        }
        y[i] = ring == EIS_RING_F61 ? word : word & eis_ring_mask(ring);
    }
}

static void run_panels(const eis_matmul *job, size_t panel_first, size_t panel_last)
{
    const eis_packed *w = job->w;
    size_t digits = digit_count(job->ring), together = set_vectors(digits);
    int64_t sums[SET_WIDTH * EIS_PANEL_ROWS_W8];

    for (size_t panel = panel_first; panel < panel_last; panel++) {
        size_t row = panel * EIS_PANEL_ROWS_W8;
        size_t height = w->rows - row < EIS_PANEL_ROWS_W8 ? w->rows - row : EIS_PANEL_ROWS_W8;

        for (size_t first = 0; first < job->batch; first += together) {
            size_t vectors = job->batch - first < together ? job->batch - first : together;
            size_t tile_last = ((first + vectors) * digits + TILE_WIDTH - 1) / TILE_WIDTH;

            panel_times_set(sums, job, w->panels + row * w->cols_padded, first * digits / TILE_WIDTH, tile_last);
            for (size_t v = 0; v < vectors; v++) {
                recombine(job->y + (first + v) * w->rows + row, height, sums + v * digits * EIS_PANEL_ROWS_W8,
                          job->ring);
            }
        }
    }
}

#endif
