/* SPDX-License-Identifier: Apache-2.0 */
/* 8-bit weights on AVX2.
 *
 * x is cut into limbs of 16 bits with sign, weights are widened to 16 bits, and vpmaddwd multiplies and adds pairs of
 * columns. Every limb of every vector is a column of one big integer product ("limb columns"):
 *
 *   x = sum over l of limb_l 2^(16 l),  limb_l in [-2^15, 2^15),  exact in the ring
 *   y = sum over l of 2^(16 l) (W limb_l)
 *
 * Limbs: adding 2^15 to every digit and flipping its top bit gives the balanced digit, since (d + 2^15) - 2^15 = d and
 * subtracting 2^15 from 16 bits flips bit 15. A carry out of the ring is a multiple of 2^k and falls away; the last
 * digit of F61 (13 bits) and of rings with an odd number of planes (8 bits) has room for the carry and stays as it is.
 *
 * One 32-bit lane adds two products per 4 columns, each at most 2^7 2^15 = 2^22 in size: 255 groups of 4 columns stay
 * below 2^31, the 256th may not. Sums go to 64 bits every BLOCK_GROUPS groups; for a single vector more often, so that
 * all strips of a block find it in the first cache and memory is read almost in order.
 *
 * A tile is `width` limb columns, up to 6, which lie interleaved in scratch:
 * [tile][group of 4 columns][limb column in tile][4 columns]. It meets the 48 rows of a panel in strips whose sums
 * fit into registers; a strip row is 4 weight rows: 16 bytes [4 rows][4 columns]. */
#include "kernel/x86_64/avx2.h"

#include "kernel/f61_word.h"
#include "kernel/x86_64/planes_avx2.h"

#define TILE_WIDTH          6
#define BLOCK_GROUPS        120
#define BLOCK_GROUPS_SINGLE 40
#define AHEAD_BYTES         12288 /* how far a single vector asks for weights in advance */
#define SET_WIDTH                                                                                      \
    48 /* limb columns whose 64-bit sums are kept at a time: whole tiles, and whole vectors of 2, 3, 4 \
        */
_Static_assert(BLOCK_GROUPS <= 255, "32-bit sums must not wrap");
_Static_assert(SET_WIDTH % TILE_WIDTH == 0 && SET_WIDTH % 12 == 0, "sets hold whole tiles and whole vectors");

static size_t limb_count(eis_ring ring) { return (eis_ring_planes(ring) + 1) / 2; }

/* 2^15 in every digit that is balanced. */
static uint64_t balance_word(eis_ring ring)
{
    uint64_t word = 0;
    unsigned digits = ring == EIS_RING_F61 ? 3 : (unsigned)ring / 16;

    for (unsigned l = 0; l < digits; l++) word |= UINT64_C(0x8000) << (16 * l);
    return word;
}

/* Width of a tile among all limb columns. */
static size_t tile_width(size_t columns, size_t tile)
{
    size_t left = columns - tile * TILE_WIDTH;
    return left < TILE_WIDTH ? left : TILE_WIDTH;
}

size_t matmul_w8_scratch_avx2(const eis_matmul *job)
{
    return job->batch * limb_count(job->ring) * job->w->cols_padded * sizeof(int16_t);
}

/* Writes the limbs of one vector to its places in the tiles. */
static void cut_vector(uint8_t *scratch, const uint8_t *x, const eis_matmul *job, size_t v)
{
    size_t limbs = limb_count(job->ring), columns = job->batch * limbs, groups = job->w->cols_padded / 4;
    planes_shuffles shuffles = planes_shuffles_make(eis_ring_planes(job->ring));
    __m256i balance = _mm256_set1_epi64x((long long)balance_word(job->ring));
    /* Within a half: [word][limb] to [limb][word]. */
    __m256i by_limb = _mm256_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15, 0, 1, 8, 9, 2, 3, 10, 11,
                                       4, 5, 12, 13, 6, 7, 14, 15);
    __m256i halves = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    uint8_t *to[4];
    size_t step[4];

    for (size_t l = 0; l < limbs; l++) {
        size_t column = v * limbs + l, tile = column / TILE_WIDTH;
        step[l] = tile_width(columns, tile) * 8;
        to[l] = scratch + tile * TILE_WIDTH * groups * 8 + column % TILE_WIDTH * 8;
    }
    for (size_t g = 0; g < groups; g++) {
        __m256i words = planes_load4(x + g * 4 * shuffles.p, &shuffles);
        uint64_t limb[4];

        words = _mm256_xor_si256(_mm256_add_epi64(words, balance), balance);
        words = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(words, by_limb), halves);
        _mm256_storeu_si256((__m256i *)(void *)limb, words);
        for (size_t l = 0; l < limbs; l++) memcpy(to[l] + g * step[l], &limb[l], 8);
    }
}

void matmul_w8_prepare_avx2(const eis_matmul *job)
{
    size_t vector_bytes = job->w->cols_padded * eis_ring_planes(job->ring);

    for (size_t v = 0; v < job->batch; v++) {
        cut_vector(job->scratch, (const uint8_t *)job->x + v * vector_bytes, job, v);
    }
}

static inline __m256i load_weights(const uint8_t *w)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)w));
}

static inline __m256i broadcast_limb(const uint8_t *x)
{
    long long four;
    memcpy(&four, x, sizeof four);
    return _mm256_set1_epi64x(four);
}

/* sums[4] += the sums of 4 rows; a lane pair of `pairs` belongs to a row. */
static inline void add_pairs(int64_t *sums, __m256i pairs)
{
    __m256i low = _mm256_cvtepi32_epi64(_mm256_castsi256_si128(pairs));       /* r0a r0b | r1a r1b */
    __m256i high = _mm256_cvtepi32_epi64(_mm256_extracti128_si256(pairs, 1)); /* r2a r2b | r3a r3b */
    __m256i rows = _mm256_add_epi64(_mm256_unpacklo_epi64(low, high), _mm256_unpackhi_epi64(low, high));
    __m256i old = _mm256_loadu_si256((const __m256i *)(const void *)sums);

    rows = _mm256_permute4x64_epi64(rows, _MM_SHUFFLE(3, 1, 2, 0)); /* r0 r2 r1 r3 into order */
    _mm256_storeu_si256((__m256i *)(void *)sums, _mm256_add_epi64(old, rows));
}

/* acc += weights * limb, pairs added. Inline assembly, in the order written: left alone, gcc 12 moves the additions
 * behind the multiplications and runs out of registers. */
static inline __attribute__((always_inline)) void multiply_add(__m256i *acc, __m256i weights, __m256i limb)
{
    __m256i product;
    __asm__ volatile("vpmaddwd %[x], %[w], %[t]\n\tvpaddd %[t], %[a], %[a]"
                     : [a] "+x"(*acc), [t] "=&x"(product)
                     : [w] "x"(weights), [x] "x"(limb));
}

/* A single vector waits for memory: its strips, together, ask for every line far ahead. */
static inline void prefetch_ahead(const uint8_t *w, size_t strip_bytes)
{
    uintptr_t ahead = (uintptr_t)w + AHEAD_BYTES;

    _mm_prefetch((const char *)ahead, _MM_HINT_T0);
    if (strip_bytes > 64) _mm_prefetch((const char *)(ahead + strip_bytes / 2), _MM_HINT_T0);
}

/* One strip: sums[width][48] += HEIGHT strip rows x WIDTH limb columns over `groups` groups. The sums live in
 * registers: HEIGHT * WIDTH <= 12 leaves room for the operands, and every loop over them is unrolled. Wide tiles hold
 * the weights and stream x, narrow ones hold x and stream the weights; the compiler orders the loads by itself. */
#define DEFINE_STRIP(WIDTH, HEIGHT)                                                                             \
    static void strip_##WIDTH(int64_t *sums, const uint8_t *w, const uint8_t *x, size_t groups)                 \
    {                                                                                                           \
        __m256i acc[HEIGHT][WIDTH];                                                                             \
                                                                                                                \
        _Pragma("GCC unroll 8") for (int r = 0; r < HEIGHT; r++)                                                \
        {                                                                                                       \
            _Pragma("GCC unroll 8") for (int c = 0; c < WIDTH; c++) acc[r][c] = _mm256_setzero_si256();         \
        }                                                                                                       \
        for (size_t g = 0; g < groups; g++, w += 4 * EIS_PANEL_ROWS_W8, x += 8 * WIDTH) {                       \
            if (WIDTH <= 4) prefetch_ahead(w, 16 * HEIGHT);                                                     \
            if (HEIGHT > WIDTH) {                                                                               \
                __m256i limb[WIDTH];                                                                            \
                _Pragma("GCC unroll 8") for (int c = 0; c < WIDTH; c++) limb[c] = broadcast_limb(x + 8 * c);    \
                _Pragma("GCC unroll 8") for (int r = 0; r < HEIGHT; r++)                                        \
                {                                                                                               \
                    __m256i weights = load_weights(w + 16 * r);                                                 \
                    _Pragma("GCC unroll 8") for (int c = 0; c < WIDTH; c++)                                     \
                    {                                                                                           \
                        multiply_add(&acc[r][c], weights, limb[c]);                                             \
                    }                                                                                           \
                }                                                                                               \
            } else {                                                                                            \
                __m256i weights[HEIGHT];                                                                        \
                _Pragma("GCC unroll 8") for (int r = 0; r < HEIGHT; r++) weights[r] = load_weights(w + 16 * r); \
                _Pragma("GCC unroll 8") for (int c = 0; c < WIDTH; c++)                                         \
                {                                                                                               \
                    __m256i limb = broadcast_limb(x + 8 * c);                                                   \
                    _Pragma("GCC unroll 8") for (int r = 0; r < HEIGHT; r++)                                    \
                    {                                                                                           \
                        multiply_add(&acc[r][c], weights[r], limb);                                             \
                    }                                                                                           \
                }                                                                                               \
            }                                                                                                   \
        }                                                                                                       \
        _Pragma("GCC unroll 8") for (int r = 0; r < HEIGHT; r++)                                                \
        {                                                                                                       \
            _Pragma("GCC unroll 8") for (int c = 0; c < WIDTH; c++)                                             \
            {                                                                                                   \
                add_pairs(sums + c * EIS_PANEL_ROWS_W8 + 4 * r, acc[r][c]);                                     \
            }                                                                                                   \
        }                                                                                                       \
    }

DEFINE_STRIP(1, 6)
DEFINE_STRIP(2, 6)
DEFINE_STRIP(3, 3)
DEFINE_STRIP(4, 2)
DEFINE_STRIP(5, 2)
DEFINE_STRIP(6, 2)

typedef void (*strip_fn)(int64_t *sums, const uint8_t *w, const uint8_t *x, size_t groups);

static const struct {
    strip_fn run;
    size_t strip_rows;
} strips[TILE_WIDTH + 1] = {{NULL, 0},    {strip_1, 6}, {strip_2, 6}, {strip_3, 3},
                            {strip_4, 2}, {strip_5, 2}, {strip_6, 2}};

/* All 48 rows of one panel times one tile over a block of columns. */
static void block_times_tile(int64_t *sums, const uint8_t *w, const uint8_t *x, size_t width, size_t groups)
{
    for (size_t row = 0; row < EIS_PANEL_ROWS_W8 / 4; row += strips[width].strip_rows) {
        strips[width].run(sums + 4 * row, w + 16 * row, x, groups);
    }
}

/* sums[column][48] = panel times the limb columns of one set: tiles [tile_first, tile_last). */
static void panel_times_set(int64_t *sums, const eis_matmul *job, const uint8_t *panel, size_t tile_first,
                            size_t tile_last)
{
    size_t groups = job->w->cols_padded / 4, columns = job->batch * limb_count(job->ring);
    size_t together = job->batch == 1 ? BLOCK_GROUPS_SINGLE : BLOCK_GROUPS;
    const uint8_t *scratch = job->scratch;

    memset(sums, 0, (tile_last - tile_first) * TILE_WIDTH * EIS_PANEL_ROWS_W8 * sizeof *sums);
    for (size_t g = 0; g < groups; g += together) {
        size_t block = groups - g < together ? groups - g : together;

        for (size_t tile = tile_first; tile < tile_last; tile++) {
            size_t width = tile_width(columns, tile);
            block_times_tile(sums + (tile - tile_first) * TILE_WIDTH * EIS_PANEL_ROWS_W8,
                             panel + g * 4 * EIS_PANEL_ROWS_W8,
                             scratch + tile * TILE_WIDTH * groups * 8 + g * width * 8, width, block);
        }
    }
}

/* Puts the limb products of one vector together. sums[limb][48]. */
static void recombine(uint64_t *y, size_t height, const int64_t *sums, eis_ring ring)
{
    size_t limbs = limb_count(ring);

    for (size_t i = 0; i < height; i++) {
        uint64_t word = 0;

        for (unsigned l = 0; l < limbs; l++) {
            int64_t sum = sums[l * EIS_PANEL_ROWS_W8 + i];
            if (ring == EIS_RING_F61) {
                word = eis_f61_word_add(word, eis_f61_word_shift(eis_f61_word_from_i64(sum), 16 * l));
            } else {
                word += (uint64_t)sum << (16 * l);
            }
        }
        y[i] = ring == EIS_RING_F61 ? word : word & eis_ring_mask(ring);
    }
}

void matmul_w8_run_avx2(const eis_matmul *job, size_t panel_first, size_t panel_last)
{
    const eis_packed *w = job->w;
    size_t limbs = limb_count(job->ring), columns = job->batch * limbs;
    int64_t sums[SET_WIDTH * EIS_PANEL_ROWS_W8];

    for (size_t panel = panel_first; panel < panel_last; panel++) {
        size_t row = panel * EIS_PANEL_ROWS_W8;
        size_t height = w->rows - row < EIS_PANEL_ROWS_W8 ? w->rows - row : EIS_PANEL_ROWS_W8;

        for (size_t column = 0; column < columns; column += SET_WIDTH) {
            size_t last = columns - column < SET_WIDTH ? columns : column + SET_WIDTH;
            size_t tile_last = (last + TILE_WIDTH - 1) / TILE_WIDTH;

            panel_times_set(sums, job, w->panels + row * w->cols_padded, column / TILE_WIDTH, tile_last);
            for (size_t v = column / limbs; v < last / limbs; v++) {
                recombine(job->y + v * w->rows + row, height, sums + (v * limbs - column) * EIS_PANEL_ROWS_W8,
                          job->ring);
            }
        }
    }
}
