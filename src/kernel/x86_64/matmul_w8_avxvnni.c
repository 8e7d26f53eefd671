/* SPDX-License-Identifier: Apache-2.0 */
/* 8-bit weights with the 256-bit byte dot product (vpdpbusd on ymm, without AVX-512).
 *
 * Each byte plane of each vector is a column of one integer product ("plane columns"); a lane of 32 bits is a row and
 * adds four products of an unsigned byte of x and a signed weight. y = sum over q of 2^(8 q) (W plane_q).
 *
 * A lane holds 255 * 128 * n < 2^31 for n <= 65,793; sums go to 64 bits after BLOCK_GROUPS * 4 columns, which is fewer,
 * so that the weights of a block stay in the first cache.
 *
 * A tile is up to 4 plane columns, interleaved in scratch: [tile][group of 4 columns][plane column in tile][4 columns].
 * It meets the 48 rows of a panel in strips whose sums fit into registers; a strip row is 8 weight rows: 32 bytes. */
#include "kernel/x86_64/avxvnni.h"

#include "kernel/f61_word.h"

#include <immintrin.h>
#include <string.h>

#define TILE_WIDTH   4
#define BLOCK_GROUPS 120
#define SET_VECTORS  4 /* vectors whose 64-bit sums are kept at a time: 4 p plane columns are whole tiles for any p */
#define SET_WIDTH    (SET_VECTORS * 8)
_Static_assert(BLOCK_GROUPS * 4 <= 65793, "32-bit sums must not wrap");

static size_t tile_width(size_t columns, size_t tile)
{
    size_t left = columns - tile * TILE_WIDTH;
    return left < TILE_WIDTH ? left : TILE_WIDTH;
}

size_t matmul_w8_scratch_avxvnni(const eis_matmul *job)
{
    return job->batch * eis_ring_planes(job->ring) * job->w->cols_padded;
}

void matmul_w8_prepare_avxvnni(const eis_matmul *job)
{
    size_t p = eis_ring_planes(job->ring), columns = job->batch * p, groups = job->w->cols_padded / 4;
    uint8_t *scratch = job->scratch;

    for (size_t column = 0; column < columns; column++) {
        const uint8_t *x = (const uint8_t *)job->x + column / p * groups * 4 * p + column % p * 4;
        size_t tile = column / TILE_WIDTH, step = tile_width(columns, tile) * 4;
        uint8_t *to = scratch + tile * TILE_WIDTH * groups * 4 + column % TILE_WIDTH * 4;

        for (size_t g = 0; g < groups; g++) memcpy(to + g * step, x + g * 4 * p, 4);
    }
}

/* acc += weights . plane, four products per lane. Inline assembly for the reason given in matmul_w8_avx2.c. */
static inline __attribute__((always_inline)) void dot_add(__m256i *acc, __m256i weights, __m256i plane)
{
    __asm__ volatile("%{vex%} vpdpbusd %[w], %[x], %[a]" : [a] "+x"(*acc) : [w] "x"(weights), [x] "x"(plane));
}

static inline __m256i broadcast_plane(const uint8_t *x)
{
    int four;
    memcpy(&four, x, sizeof four);
    return _mm256_set1_epi32(four);
}

static inline __m256i load_weights(const uint8_t *w) { return _mm256_loadu_si256((const __m256i *)(const void *)w); }

static inline void add_wide(int64_t *sums, __m128i lanes)
{
    __m256i old = _mm256_loadu_si256((const __m256i *)(const void *)sums);
    _mm256_storeu_si256((__m256i *)(void *)sums, _mm256_add_epi64(old, _mm256_cvtepi32_epi64(lanes)));
}

/* A single vector waits for memory: its strips ask for their part of the next block of columns. */
static inline void prefetch_block(const uint8_t *w)
{
    uintptr_t ahead = (uintptr_t)w + (uintptr_t)BLOCK_GROUPS * 4 * EIS_PANEL_ROWS_W8;

    _mm_prefetch((const char *)ahead, _MM_HINT_T0);
    _mm_prefetch((const char *)(ahead + 64), _MM_HINT_T0);
}

/* One strip: sums[width][48] += HEIGHT strip rows x WIDTH plane columns over `groups` groups. */
#define DEFINE_STRIP(WIDTH, HEIGHT)                                                                             \
    static void strip_##WIDTH(int64_t *sums, const uint8_t *w, const uint8_t *x, size_t groups)                 \
    {                                                                                                           \
        __m256i acc[HEIGHT][WIDTH];                                                                             \
                                                                                                                \
        _Pragma("GCC unroll 8") for (int r = 0; r < HEIGHT; r++)                                                \
        {                                                                                                       \
            _Pragma("GCC unroll 8") for (int c = 0; c < WIDTH; c++) acc[r][c] = _mm256_setzero_si256();         \
        }                                                                                                       \
        for (size_t g = 0; g < groups; g++, w += 4 * EIS_PANEL_ROWS_W8, x += 4 * WIDTH) {                       \
            prefetch_block(w);                                                                                  \
            if (HEIGHT > WIDTH) {                                                                               \
                __m256i plane[WIDTH];                                                                           \
                _Pragma("GCC unroll 8") for (int c = 0; c < WIDTH; c++) plane[c] = broadcast_plane(x + 4 * c);  \
                _Pragma("GCC unroll 8") for (int r = 0; r < HEIGHT; r++)                                        \
                {                                                                                               \
                    __m256i weights = load_weights(w + 32 * r);                                                 \
                    _Pragma("GCC unroll 8") for (int c = 0; c < WIDTH; c++)                                     \
                    {                                                                                           \
                        dot_add(&acc[r][c], weights, plane[c]);                                                 \
                    }                                                                                           \
                }                                                                                               \
            } else {                                                                                            \
                __m256i weights[HEIGHT];                                                                        \
                _Pragma("GCC unroll 8") for (int r = 0; r < HEIGHT; r++) weights[r] = load_weights(w + 32 * r); \
                _Pragma("GCC unroll 8") for (int c = 0; c < WIDTH; c++)                                         \
                {                                                                                               \
                    __m256i plane = broadcast_plane(x + 4 * c);                                                 \
                    _Pragma("GCC unroll 8") for (int r = 0; r < HEIGHT; r++)                                    \
                    {                                                                                           \
                        dot_add(&acc[r][c], weights[r], plane);                                                 \
                    }                                                                                           \
                }                                                                                               \
            }                                                                                                   \
        }                                                                                                       \
        _Pragma("GCC unroll 8") for (int r = 0; r < HEIGHT; r++)                                                \
        {                                                                                                       \
            _Pragma("GCC unroll 8") for (int c = 0; c < WIDTH; c++)                                             \
            {                                                                                                   \
                int64_t *rows = sums + c * EIS_PANEL_ROWS_W8 + 8 * r;                                           \
                add_wide(rows, _mm256_castsi256_si128(acc[r][c]));                                              \
                add_wide(rows + 4, _mm256_extracti128_si256(acc[r][c], 1));                                     \
            }                                                                                                   \
        }                                                                                                       \
    }

DEFINE_STRIP(1, 6)
DEFINE_STRIP(2, 6)
DEFINE_STRIP(3, 3)
DEFINE_STRIP(4, 3)

typedef void (*strip_fn)(int64_t *sums, const uint8_t *w, const uint8_t *x, size_t groups);

static const struct {
    strip_fn run;
    size_t strip_rows;
} strips[TILE_WIDTH + 1] = {{NULL, 0}, {strip_1, 6}, {strip_2, 6}, {strip_3, 3}, {strip_4, 3}};

/* sums[column][48] = panel times the plane columns of tiles [tile_first, tile_last). */
static void panel_times_set(int64_t *sums, const eis_matmul *job, const uint8_t *panel, size_t tile_first,
                            size_t tile_last)
{
    size_t groups = job->w->cols_padded / 4, columns = job->batch * eis_ring_planes(job->ring);
    const uint8_t *scratch = job->scratch;

    memset(sums, 0, SET_WIDTH * EIS_PANEL_ROWS_W8 * sizeof *sums);
    for (size_t g = 0; g < groups; g += BLOCK_GROUPS) {
        size_t block = groups - g < BLOCK_GROUPS ? groups - g : BLOCK_GROUPS;

        for (size_t tile = tile_first; tile < tile_last; tile++) {
            size_t width = tile_width(columns, tile);
            const uint8_t *x = scratch + tile * TILE_WIDTH * groups * 4 + g * width * 4;
            int64_t *tile_sums = sums + (tile - tile_first) * TILE_WIDTH * EIS_PANEL_ROWS_W8;

            for (size_t row = 0; row < EIS_PANEL_ROWS_W8 / 8; row += strips[width].strip_rows) {
                strips[width].run(tile_sums + 8 * row, panel + g * 4 * EIS_PANEL_ROWS_W8 + 32 * row, x, block);
            }
        }
    }
}

/* Puts the plane products of one vector together. sums[plane][48]. */
static void recombine(uint64_t *y, size_t height, const int64_t *sums, eis_ring ring)
{
    for (size_t i = 0; i < height; i++) {
        uint64_t word = 0;

        for (unsigned q = 0; q < eis_ring_planes(ring); q++) {
            int64_t sum = sums[q * EIS_PANEL_ROWS_W8 + i];
            if (ring == EIS_RING_F61) {
                word = eis_f61_word_add(word, eis_f61_word_shift(eis_f61_word_from_i64(sum), 8 * q));
            } else {
                word += (uint64_t)sum << (8 * q);
            }
        }
        y[i] = ring == EIS_RING_F61 ? word : word & eis_ring_mask(ring);
    }
}

void matmul_w8_run_avxvnni(const eis_matmul *job, size_t panel_first, size_t panel_last)
{
    const eis_packed *w = job->w;
    size_t p = eis_ring_planes(job->ring);
    int64_t sums[SET_WIDTH * EIS_PANEL_ROWS_W8];

    for (size_t panel = panel_first; panel < panel_last; panel++) {
        size_t row = panel * EIS_PANEL_ROWS_W8;
        size_t height = w->rows - row < EIS_PANEL_ROWS_W8 ? w->rows - row : EIS_PANEL_ROWS_W8;

        for (size_t first = 0; first < job->batch; first += SET_VECTORS) {
            size_t vectors = job->batch - first < SET_VECTORS ? job->batch - first : SET_VECTORS;
            size_t tile_last = ((first + vectors) * p + TILE_WIDTH - 1) / TILE_WIDTH;

            panel_times_set(sums, job, w->panels + row * w->cols_padded, first * p / TILE_WIDTH, tile_last);
            for (size_t v = 0; v < vectors; v++) {
                recombine(job->y + (first + v) * w->rows + row, height, sums + v * p * EIS_PANEL_ROWS_W8, job->ring);
            }
        }
    }
}
