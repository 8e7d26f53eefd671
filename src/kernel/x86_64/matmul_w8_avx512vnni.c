/* SPDX-License-Identifier: Apache-2.0 */
/* 8-bit weights with the 512-bit byte dot product.
 *
 * vpdpbusd adds, per lane of 32 bits, four products of an unsigned byte of x and a signed weight. A lane is a row; each
 * byte plane of x has sums of its own, and y = sum over q of 2^(8 q) (W plane_q). The layout of x is what the
 * instruction wants, so there is no scratch: a broadcast takes the 4 columns of one plane.
 *
 * A lane holds 255 * 128 * n < 2^31 for n <= 65,793. Sums go to the words of y after BLOCK_GROUPS * 4 columns, which is
 * fewer, so that the weights of a block stay in the second cache while all vectors pass.
 *
 * Up to 24 sums of 16 rows are in registers: 3 row blocks by 8 planes, of one vector or of two vectors of 4 planes; a
 * single vector of 4 planes takes two groups of columns at a time. */
#include "kernel/x86_64/avx512.h"
#include "kernel/x86_64/field_avx512.h"

#include <stdbool.h>
#include <string.h>

#define GROUP_BYTES    (4 * EIS_PANEL_ROWS_W8) /* weights of 4 columns: 3 cache lines */
#define BLOCK_GROUPS   2048
#define PLANES_MAX     8
#define PREFETCH_BYTES 3072
_Static_assert(BLOCK_GROUPS * 4 <= 65793, "32-bit sums must not wrap");
_Static_assert(BLOCK_GROUPS % 2 == 0 && EIS_PACKED_COLS_STEP % 8 == 0, "a single vector takes two groups at a time");

size_t matmul_w8_scratch_avx512vnni(const eis_matmul *job)
{
    (void)job;
    return 0;
}

void matmul_w8_prepare_avx512vnni(const eis_matmul *job) { (void)job; }

/* acc[r] += w_r . plane, four products per lane: the 48 rows of one plane. Inline assembly in the order written, with
 * operands that are changed in place: left alone, gcc 12 keeps sums on the stack, and with one statement per
 * instruction it copies them from register to register. */
static inline __attribute__((always_inline)) void dot_add(__m512i acc[3], __m512i w0, __m512i w1, __m512i w2,
                                                          __m512i plane)
{
    __asm__ volatile("vpdpbusd %[w0], %[x], %[a0]\n\t"
                     "vpdpbusd %[w1], %[x], %[a1]\n\t"
                     "vpdpbusd %[w2], %[x], %[a2]"
                     : [a0] "+&v"(acc[0]), [a1] "+&v"(acc[1]), [a2] "+&v"(acc[2])
                     : [w0] "v"(w0), [w1] "v"(w1), [w2] "v"(w2), [x] "v"(plane));
}

static inline __m512i broadcast_plane(const uint8_t *x)
{
    int four;
    memcpy(&four, x, sizeof four);
    return _mm512_set1_epi32(four);
}

/* What a strip works on. Where to prefetch: see plan_prefetch. */
typedef struct strip_job {
    const uint8_t *w, *x;
    size_t vector_bytes; /* from a vector of x to the next */
    size_t groups;
    uintptr_t ahead;
    size_t ahead_step;
} strip_job;

/* A single vector waits for memory: it asks for all the lines of a group some time before they are needed. Of several
 * vectors each asks for a part of the block that comes next. */
#define PREFETCH_NEAR(GROUPS)                                             \
    _Pragma("GCC unroll 8") for (int line = 0; line < 3 * GROUPS; line++) \
        _mm_prefetch((const char *)((uintptr_t)w + PREFETCH_BYTES + 64 * (uintptr_t)line), _MM_HINT_T0)
#define PREFETCH_NEXT(GROUPS) (_mm_prefetch((const char *)ahead, _MM_HINT_T1), ahead += ahead_step)

/* One strip: sums[VECTORS * PLANES][48] = 48 rows x VECTORS vectors over all groups of a block, GROUPS at a time. The
 * sums live in registers: the array has a literal size and every loop over it is unrolled. */
#define DEFINE_STRIP(NAME, GROUPS, VECTORS, PLANES, PREFETCH)                                                     \
    static void strip_##NAME(int32_t *sums, const strip_job *job)                                                 \
    {                                                                                                             \
        __m512i acc[GROUPS][VECTORS * PLANES][3];                                                                 \
        const uint8_t *w = job->w, *x = job->x;                                                                   \
        const size_t vector_bytes = job->vector_bytes, ahead_step = job->ahead_step;                              \
        uintptr_t ahead = job->ahead;                                                                             \
                                                                                                                  \
        _Pragma("GCC unroll 8") for (int u = 0; u < GROUPS; u++)                                                  \
        {                                                                                                         \
            _Pragma("GCC unroll 8") for (int c = 0; c < VECTORS * PLANES; c++)                                    \
            {                                                                                                     \
                _Pragma("GCC unroll 8") for (int r = 0; r < 3; r++) acc[u][c][r] = _mm512_setzero_si512();        \
            }                                                                                                     \
        }                                                                                                         \
        for (size_t g = job->groups; g > 0; g -= GROUPS) {                                                        \
            PREFETCH(GROUPS);                                                                                     \
            _Pragma("GCC unroll 8") for (int u = 0; u < GROUPS; u++)                                              \
            {                                                                                                     \
                __m512i w0 = _mm512_loadu_si512(w + GROUP_BYTES * u);                                             \
                __m512i w1 = _mm512_loadu_si512(w + GROUP_BYTES * u + 64);                                        \
                __m512i w2 = _mm512_loadu_si512(w + GROUP_BYTES * u + 128);                                       \
                _Pragma("GCC unroll 8") for (int c = 0; c < VECTORS * PLANES; c++)                                \
                {                                                                                                 \
                    size_t vector = (size_t)c / PLANES, place = 4 * (size_t)(u * PLANES + c % PLANES);            \
                    __m512i plane = broadcast_plane(x + vector * vector_bytes + place);                           \
                    dot_add(acc[u][c], w0, w1, w2, plane);                                                        \
                }                                                                                                 \
            }                                                                                                     \
            w += GROUP_BYTES * GROUPS;                                                                            \
            x += 4 * PLANES * GROUPS;                                                                             \
        }                                                                                                         \
        (void)ahead, (void)ahead_step;                                                                            \
        _Pragma("GCC unroll 8") for (int c = 0; c < VECTORS * PLANES; c++)                                        \
        {                                                                                                         \
            _Pragma("GCC unroll 8") for (int r = 0; r < 3; r++)                                                   \
            {                                                                                                     \
                __m512i sum = GROUPS == 1 ? acc[0][c][r] : _mm512_add_epi32(acc[0][c][r], acc[GROUPS - 1][c][r]); \
                _mm512_storeu_si512(sums + EIS_PANEL_ROWS_W8 * c + 16 * r, sum);                                  \
            }                                                                                                     \
        }                                                                                                         \
    }

DEFINE_STRIP(single_4, 2, 1, 4, PREFETCH_NEAR)
DEFINE_STRIP(single_5, 1, 1, 5, PREFETCH_NEAR)
DEFINE_STRIP(single_6, 1, 1, 6, PREFETCH_NEAR)
DEFINE_STRIP(single_7, 1, 1, 7, PREFETCH_NEAR)
DEFINE_STRIP(single_8, 1, 1, 8, PREFETCH_NEAR)
DEFINE_STRIP(pair_4, 1, 2, 4, PREFETCH_NEXT)
DEFINE_STRIP(batch_5, 1, 1, 5, PREFETCH_NEXT)
DEFINE_STRIP(batch_6, 1, 1, 6, PREFETCH_NEXT)
DEFINE_STRIP(batch_7, 1, 1, 7, PREFETCH_NEXT)
DEFINE_STRIP(batch_8, 1, 1, 8, PREFETCH_NEXT)

typedef void (*strip_fn)(int32_t *sums, const strip_job *job);

/* By the number of planes. */
static const strip_fn single_strips[PLANES_MAX + 1] = {
    [4] = strip_single_4, [5] = strip_single_5, [6] = strip_single_6, [7] = strip_single_7, [8] = strip_single_8};
static const strip_fn batch_strips[PLANES_MAX + 1] = {
    [4] = strip_pair_4, [5] = strip_batch_5, [6] = strip_batch_6, [7] = strip_batch_7, [8] = strip_batch_8};

/* Adds `count` planes by Horner's rule, from plane `first` + count - 1 down: |result| < 2^31 (1 + 2^8 + ..). */
static inline __m512i join_planes(const int32_t *sums, int first, int count)
{
    __m512i total = _mm512_setzero_si512();

    for (int q = first + count - 1; q >= first; q--) {
        __m256i lanes = _mm256_loadu_si256((const __m256i *)(const void *)(sums + EIS_PANEL_ROWS_W8 * q));
        total = _mm512_add_epi64(_mm512_slli_epi64(total, 8), _mm512_cvtepi32_epi64(lanes));
    }
    return total;
}

/* old + 2^32 high + low in the field. Both are below 2^56 in size, so adding p makes them positive and below 2p; the
 * sum of the three terms is below 2^61 + 2^61 + 2p. */
static inline __m512i join_f61(const int32_t *sums, __m512i old)
{
    __m512i low = _mm512_add_epi64(join_planes(sums, 0, 4), set8(EIS_F61_P));
    __m512i high = f61_subtract_p(_mm512_add_epi64(join_planes(sums, 4, 4), set8(EIS_F61_P)));

    return f61_reduce(_mm512_add_epi64(_mm512_add_epi64(old, low), F61_SHIFT(high, 32)));
}

/* y[height] += what the sums of one vector stand for; y counts as zero in the first block. sums[planes][48]. */
static void finish(uint64_t *y, size_t height, const int32_t *sums, eis_ring ring, bool first)
{
    __m512i mask = set8(eis_ring_mask(ring));

    for (size_t i = 0; i < height; i += 8) {
        __mmask8 lanes = lanes8(height - i);
        __m512i word = first ? _mm512_setzero_si512() : _mm512_maskz_loadu_epi64(lanes, y + i);

        if (ring == EIS_RING_F61) {
            word = join_f61(sums + i, word);
        } else {
            word = _mm512_add_epi64(word, join_planes(sums + i, 0, (int)eis_ring_planes(ring)));
            word = _mm512_and_si512(word, mask);
        }
        _mm512_mask_storeu_epi64(y + i, lanes, word);
    }
}

/* One panel times all vectors over a block of columns. */
static void block_times_batch(const eis_matmul *job, size_t panel, size_t group_first, size_t groups)
{
    const eis_packed *w = job->w;
    size_t p = eis_ring_planes(job->ring), row = panel * EIS_PANEL_ROWS_W8;
    size_t height = w->rows - row < EIS_PANEL_ROWS_W8 ? w->rows - row : EIS_PANEL_ROWS_W8;
    size_t at_once = p == 4 && job->batch > 1 ? 2 : 1, tiles = (job->batch + at_once - 1) / at_once;
    strip_job strip = {.w = w->panels + row * w->cols_padded + group_first * GROUP_BYTES,
                       .vector_bytes = w->cols_padded * p,
                       .groups = groups,
                       .ahead_step = GROUP_BYTES / tiles};
    int32_t sums[PLANES_MAX * EIS_PANEL_ROWS_W8];

    for (size_t v = 0; v < job->batch; v += at_once) {
        size_t vectors = job->batch - v < at_once ? job->batch - v : at_once;
        bool single = job->batch == 1 || vectors < at_once;

        strip.x = (const uint8_t *)job->x + v * strip.vector_bytes + group_first * 4 * p;
        strip.ahead = (uintptr_t)strip.w + groups * (GROUP_BYTES + v / at_once * strip.ahead_step);
        (single ? single_strips : batch_strips)[p](sums, &strip);
        for (size_t i = 0; i < vectors; i++) {
            finish(job->y + (v + i) * w->rows + row, height, sums + i * p * EIS_PANEL_ROWS_W8, job->ring,
                   group_first == 0);
        }
    }
}

void matmul_w8_run_avx512vnni(const eis_matmul *job, size_t panel_first, size_t panel_last)
{
    size_t groups = job->w->cols_padded / 4;

    if (job->batch == 0) return;
    for (size_t panel = panel_first; panel < panel_last; panel++) {
        size_t g = 0;

        do { /* once for no columns at all: y becomes zero */
            size_t block = groups - g < BLOCK_GROUPS ? groups - g : BLOCK_GROUPS;
            block_times_batch(job, panel, g, block);
            g += BLOCK_GROUPS;
        } while (g < groups);
    }
}
