/* SPDX-License-Identifier: Apache-2.0 */
/* 8-bit weights with the 256-bit byte dot product (vpdpbusd on ymm, without AVX-512), by the tiles of
 * matmul_w8_tiles.h.
 *
 * The digits of x are its byte planes; a lane of 32 bits is a row and adds four products of an unsigned byte of x and a
 * signed weight. A lane holds 255 * 128 * n < 2^31 for n <= 65,793; sums go to 64 bits after BLOCK_GROUPS * 4 columns,
 * which is fewer, so that the weights of a block stay in the first cache. */
#include "kernel/x86_64/avxvnni.h"

#include <immintrin.h>
#include <string.h>

#define TILE_WIDTH   4
#define DIGIT_BITS   8
#define GROUP_BYTES  4
#define ROW_BYTES    32
#define STRIP_ROWS   8 /* 32 bytes: [8 rows][4 columns] */
#define BLOCK_GROUPS 120
#define SET_VECTORS  4 /* 4 p plane columns are whole tiles for any p */
#define SET_WIDTH    (SET_VECTORS * 8)
_Static_assert(BLOCK_GROUPS * 4 <= 65793, "32-bit sums must not wrap");

static size_t digit_count(eis_ring ring) { return eis_ring_planes(ring); }

static size_t set_vectors(size_t digits)
{
    (void)digits;
    return SET_VECTORS;
}

static size_t block_groups(const eis_matmul *job)
{
    (void)job;
    return BLOCK_GROUPS;
}

static inline __m256i load_weights(const uint8_t *w) { return _mm256_loadu_si256((const __m256i *)(const void *)w); }

static inline __m256i broadcast_digit(const uint8_t *x)
{
    int four;
    memcpy(&four, x, sizeof four);
    return _mm256_set1_epi32(four);
}

/* acc += weights . plane, four products per lane. Inline assembly for the reason given in matmul_w8_avx2.c. */
static inline __attribute__((always_inline)) void multiply_add(__m256i *acc, __m256i weights, __m256i plane)
{
    __asm__ volatile("%{vex%} vpdpbusd %[w], %[x], %[a]" : [a] "+x"(*acc) : [w] "x"(weights), [x] "x"(plane));
}

static inline void add_wide(int64_t *sums, __m128i lanes)
{
    __m256i old = _mm256_loadu_si256((const __m256i *)(const void *)sums);
    _mm256_storeu_si256((__m256i *)(void *)sums, _mm256_add_epi64(old, _mm256_cvtepi32_epi64(lanes)));
}

static inline void add_sums(int64_t *sums, __m256i rows)
{
    add_wide(sums, _mm256_castsi256_si128(rows));
    add_wide(sums + 4, _mm256_extracti128_si256(rows, 1));
}

/* A single vector waits for memory: its strips ask for their part of the next block of columns. */
static inline void prefetch_strip(const uint8_t *w, size_t bytes, size_t width)
{
    uintptr_t ahead = (uintptr_t)w + (uintptr_t)BLOCK_GROUPS * 4 * EIS_PANEL_ROWS_W8;

    (void)bytes, (void)width;
    _mm_prefetch((const char *)ahead, _MM_HINT_T0);
    _mm_prefetch((const char *)(ahead + 64), _MM_HINT_T0);
}

#include "kernel/x86_64/matmul_w8_tiles.h"

DEFINE_STRIP(1, 6)
DEFINE_STRIP(2, 6)
DEFINE_STRIP(3, 3)
DEFINE_STRIP(4, 3)

static const strip_kind strips[TILE_WIDTH + 1] = {{NULL, 0}, {strip_1, 6}, {strip_2, 6}, {strip_3, 3}, {strip_4, 3}};

size_t matmul_w8_scratch_avxvnni(const eis_matmul *job)
{
    return job->batch * eis_ring_planes(job->ring) * job->w->cols_padded;
}

void matmul_w8_prepare_avxvnni(const eis_matmul *job)
{
    size_t p = eis_ring_planes(job->ring), columns = job->batch * p, groups = job->w->cols_padded / 4, step;

    for (size_t column = 0; column < columns; column++) {
        const uint8_t *x = (const uint8_t *)job->x + column / p * groups * 4 * p + column % p * 4;
        uint8_t *to = (uint8_t *)job->scratch + column_place(&step, column, columns, groups);

        for (size_t g = 0; g < groups; g++) memcpy(to + g * step, x + g * 4 * p, 4);
    }
}

void matmul_w8_run_avxvnni(const eis_matmul *job, size_t panel_first, size_t panel_last)
{
    run_panels(job, panel_first, panel_last);
}
