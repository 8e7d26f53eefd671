/* SPDX-License-Identifier: Apache-2.0 */
/* 24-bit and 20-bit weights (offset binary, 3 bytes) on AVX2.
 *
 * vpmuludq multiplies the low 32 bits of 64-bit lanes, so a word x = low + 2^32 high meets a weight in two products.
 * It ignores what stands above those 32 bits: x is broadcast as it lies in memory, without a mask.
 *
 *   W24  Z / 2^k, k <= 52: sums of w low wrap modulo 2^64, a multiple of 2^k, so nothing is ever flushed. Of
 *        w high only the low 20 bits count: vpmulld, 8 products at a time, wraps modulo 2^32.
 *   W20  GF(p): w low < 2^52 and w high < 2^52 (high < 2^29 for canonical words). BLOCK_COLS = 256 products stay below
 *        2^60; they are added to a running sum that is folded to at most p + 7 each time: below 2^62, no wrap.
 *
 * 8 weights are 24 bytes. Two loads of 16, the second ending with the last byte, and one shuffle make 8 lanes of 32
 * bits; lanes 0 2 4 6 are multiplied in place, 1 3 5 7 after a shift. Sums of 8 rows: [low of even rows][low of odd
 * rows][high ..]; place_of_row gives the order back. */
#include "kernel/generic/generic.h"
#include "kernel/x86_64/avx2.h"

#include "kernel/f61_word.h"

#include <immintrin.h>
#include <string.h>

#define BLOCK_COLS     256
#define SET_VECTORS    16 /* vectors whose sums are kept at a time */
#define PREFETCH_BYTES 3072
#define COLUMN_BYTES   (3 * EIS_PANEL_ROWS_W24)
_Static_assert((UINT64_C(1) << 52) * BLOCK_COLS <= UINT64_C(1) << 60,
               "W20: a block and the folded sum fit into 64 bits");

/* Sums of one panel and vector; rows as vpmuludq leaves them: [group of 8][even 4, odd 4]. For W24 `high` counts modulo
 * 2^32 only. */
typedef struct panel_sums {
    uint64_t low[EIS_PANEL_ROWS_W24], high[EIS_PANEL_ROWS_W24];
} panel_sums;

/* Where row i of a panel stands in panel_sums. */
static size_t place_of_row(size_t i) { return i / 8 * 8 + i % 2 * 4 + i % 8 / 2; }

static inline __m256i load_weights8(const uint8_t *w)
{
    __m256i order = _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1,      /* bytes 0-11 of 0-15 */
                                     4, 5, 6, -1, 7, 8, 9, -1, 10, 11, 12, -1, 13, 14, 15, -1); /* 12-23 of 8-23 */
    __m128i first = _mm_loadu_si128((const __m128i *)(const void *)w);
    __m128i second = _mm_loadu_si128((const __m128i *)(const void *)(w + 8));

    return _mm256_shuffle_epi8(_mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1), order);
}

static inline __m256i broadcast_word(const uint8_t *x)
{
    long long word;
    memcpy(&word, x, sizeof word);
    return _mm256_set1_epi64x(word);
}

static inline __m256i broadcast_high(const uint8_t *x)
{
    int high;
    memcpy(&high, x + 4, sizeof high);
    return _mm256_set1_epi32(high);
}

/* The accumulating steps, in the order written (see matmul_w8_avx2.c). */
static inline __attribute__((always_inline)) void multiply_add64(__m256i *acc, __m256i w, __m256i x)
{
    __m256i product;
    __asm__ volatile("vpmuludq %[x], %[w], %[t]\n\tvpaddq %[t], %[a], %[a]"
                     : [a] "+x"(*acc), [t] "=&x"(product)
                     : [w] "x"(w), [x] "x"(x));
}

static inline __attribute__((always_inline)) void multiply_add32(__m256i *acc, __m256i w, __m256i x)
{
    __m256i product;
    __asm__ volatile("vpmulld %[x], %[w], %[t]\n\tvpaddd %[t], %[a], %[a]"
                     : [a] "+x"(*acc), [t] "=&x"(product)
                     : [w] "x"(w), [x] "x"(x));
}

static inline void add_to(uint64_t *sums, __m256i more)
{
    __m256i old = _mm256_loadu_si256((const __m256i *)(const void *)sums);
    _mm256_storeu_si256((__m256i *)(void *)sums, _mm256_add_epi64(old, more));
}

static inline void add_folded(uint64_t *sums, __m256i more)
{
    __m256i p = _mm256_set1_epi64x((long long)EIS_F61_P);
    __m256i sum = _mm256_add_epi64(_mm256_loadu_si256((const __m256i *)(const void *)sums), more);

    sum = _mm256_add_epi64(_mm256_and_si256(sum, p), _mm256_srli_epi64(sum, EIS_F61_BITS));
    _mm256_storeu_si256((__m256i *)(void *)sums, sum);
}

/* A single vector waits for memory. */
static inline void prefetch_ahead(const uint8_t *w, size_t strip_bytes)
{
    uintptr_t ahead = (uintptr_t)w + PREFETCH_BYTES;

    _mm_prefetch((const char *)ahead, _MM_HINT_T0);
    if (strip_bytes > 64) _mm_prefetch((const char *)(ahead + 64), _MM_HINT_T0);
}

/* Strips: GROUPS groups of 8 rows times VECTORS vectors over `cols` columns. w points at the first group of the first
 * column, x at the first word of the first vector; vectors stand `vector_bytes` apart. All sums are in registers. */
#define DEFINE_STRIP_W24(VECTORS, GROUPS)                                                              \
    static void strip_w24_##VECTORS(panel_sums *sums, size_t row, const uint8_t *w, const uint8_t *x,  \
                                    size_t vector_bytes, size_t cols)                                  \
    {                                                                                                  \
        __m256i even[GROUPS][VECTORS], odd[GROUPS][VECTORS], high[GROUPS][VECTORS];                    \
                                                                                                       \
        _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++)                                       \
        {                                                                                              \
            _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++)                                  \
            {                                                                                          \
                even[g][v] = odd[g][v] = high[g][v] = _mm256_setzero_si256();                          \
            }                                                                                          \
        }                                                                                              \
        for (size_t j = 0; j < cols; j++, w += COLUMN_BYTES, x += 8) {                                 \
            if (VECTORS == 1) prefetch_ahead(w, 24 * GROUPS);                                          \
            _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++)                                   \
            {                                                                                          \
                __m256i weights = load_weights8(w + 24 * g), shifted = _mm256_srli_epi64(weights, 32); \
                _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++)                              \
                {                                                                                      \
                    const uint8_t *word = x + (size_t)v * vector_bytes;                                \
                    __m256i low = broadcast_word(word);                                                \
                    multiply_add64(&even[g][v], weights, low);                                         \
                    multiply_add64(&odd[g][v], shifted, low);                                          \
                    multiply_add32(&high[g][v], weights, broadcast_high(word));                        \
                }                                                                                      \
            }                                                                                          \
        }                                                                                              \
        _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++)                                       \
        {                                                                                              \
            _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++)                                  \
            {                                                                                          \
                add_to(sums[v].low + row + 8 * g, even[g][v]);                                         \
                add_to(sums[v].low + row + 8 * g + 4, odd[g][v]);                                      \
                add_to(sums[v].high + row + 8 * g, high[g][v]);                                        \
                add_to(sums[v].high + row + 8 * g + 4, _mm256_srli_epi64(high[g][v], 32));             \
            }                                                                                          \
        }                                                                                              \
    }

#define DEFINE_STRIP_W20(VECTORS, GROUPS)                                                                   \
    static void strip_w20_##VECTORS(panel_sums *sums, size_t row, const uint8_t *w, const uint8_t *x,       \
                                    size_t vector_bytes, size_t cols)                                       \
    {                                                                                                       \
        __m256i low_even[GROUPS][VECTORS], low_odd[GROUPS][VECTORS];                                        \
        __m256i high_even[GROUPS][VECTORS], high_odd[GROUPS][VECTORS];                                      \
                                                                                                            \
        _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++)                                            \
        {                                                                                                   \
            _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++)                                       \
            {                                                                                               \
                low_even[g][v] = low_odd[g][v] = high_even[g][v] = high_odd[g][v] = _mm256_setzero_si256(); \
            }                                                                                               \
        }                                                                                                   \
        for (size_t j = 0; j < cols; j++, w += COLUMN_BYTES, x += 8) {                                      \
            if (VECTORS == 1) prefetch_ahead(w, 24 * GROUPS);                                               \
            _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++)                                        \
            {                                                                                               \
                __m256i weights = load_weights8(w + 24 * g), shifted = _mm256_srli_epi64(weights, 32);      \
                _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++)                                   \
                {                                                                                           \
                    const uint8_t *word = x + (size_t)v * vector_bytes;                                     \
                    __m256i half = broadcast_word(word);                                                    \
                    multiply_add64(&low_even[g][v], weights, half);                                         \
                    multiply_add64(&low_odd[g][v], shifted, half);                                          \
                    half = broadcast_high(word);                                                            \
                    multiply_add64(&high_even[g][v], weights, half);                                        \
                    multiply_add64(&high_odd[g][v], shifted, half);                                         \
                }                                                                                           \
            }                                                                                               \
        }                                                                                                   \
        _Pragma("GCC unroll 4") for (int g = 0; g < GROUPS; g++)                                            \
        {                                                                                                   \
            _Pragma("GCC unroll 4") for (int v = 0; v < VECTORS; v++)                                       \
            {                                                                                               \
                add_folded(sums[v].low + row + 8 * g, low_even[g][v]);                                      \
                add_folded(sums[v].low + row + 8 * g + 4, low_odd[g][v]);                                   \
                add_folded(sums[v].high + row + 8 * g, high_even[g][v]);                                    \
                add_folded(sums[v].high + row + 8 * g + 4, high_odd[g][v]);                                 \
            }                                                                                               \
        }                                                                                                   \
    }

DEFINE_STRIP_W24(1, 4)
DEFINE_STRIP_W24(2, 1)
DEFINE_STRIP_W24(3, 1)
DEFINE_STRIP_W24(4, 1)
DEFINE_STRIP_W20(1, 2)
DEFINE_STRIP_W20(2, 1)
DEFINE_STRIP_W20(3, 1)

typedef void (*strip_fn)(panel_sums *sums, size_t row, const uint8_t *w, const uint8_t *x, size_t vector_bytes,
                         size_t cols);

typedef struct strip_kind {
    strip_fn run;
    size_t rows; /* of a panel that one call does */
} strip_kind;

/* By the number of vectors; `widest` is the last. */
static const strip_kind strips_w24[] = {
    {NULL, 0}, {strip_w24_1, 32}, {strip_w24_2, 8}, {strip_w24_3, 8}, {strip_w24_4, 8}};
static const strip_kind strips_w20[] = {{NULL, 0}, {strip_w20_1, 16}, {strip_w20_2, 8}, {strip_w20_3, 8}};

/* sums[vectors] = panel times vectors. */
static void panel_times_set(panel_sums *sums, const uint8_t *panel, const uint8_t *x, size_t vectors, size_t n,
                            const strip_kind *strips, size_t widest)
{
    size_t vector_bytes = n * sizeof(uint64_t);

    memset(sums, 0, vectors * sizeof *sums);
    for (size_t j = 0; j < n; j += BLOCK_COLS) {
        size_t cols = n - j < BLOCK_COLS ? n - j : BLOCK_COLS, count;

        for (size_t v = 0; v < vectors; v += count) {
            count = vectors - v < widest ? vectors - v : widest;
            for (size_t row = 0; row < EIS_PANEL_ROWS_W24; row += strips[count].rows) {
                strips[count].run(sums + v, row, panel + j * COLUMN_BYTES + 3 * row, x + v * vector_bytes + 8 * j,
                                  vector_bytes, cols);
            }
        }
    }
}

static void finish_w24(uint64_t *y, size_t height, const panel_sums *sums, uint64_t sum_of_x, eis_ring ring)
{
    for (size_t i = 0; i < height; i++) {
        size_t at = place_of_row(i);
        y[i] = (sums->low[at] + (sums->high[at] << 32) - (sum_of_x << 23)) & eis_ring_mask(ring);
    }
}

static void finish_w20(uint64_t *y, size_t height, const panel_sums *sums, uint64_t sum_of_x)
{
    uint64_t correction = eis_f61_word_shift(sum_of_x, 19);

    for (size_t i = 0; i < height; i++) {
        size_t at = place_of_row(i);
        uint64_t high = eis_f61_word_shift(eis_f61_word_reduce(sums->high[at]), 32);
        uint64_t low = eis_f61_word_reduce(sums->low[at]);
        y[i] = eis_f61_word_sub(eis_f61_word_add(low, high), correction);
    }
}

static void run_panels(const eis_matmul *job, size_t panel_first, size_t panel_last, const strip_kind *strips,
                       size_t widest)
{
    const eis_packed *w = job->w;
    const uint64_t *sums_of_x = job->scratch;
    size_t n = w->cols_padded;
    panel_sums sums[SET_VECTORS];

    for (size_t panel = panel_first; panel < panel_last; panel++) {
        size_t row = panel * EIS_PANEL_ROWS_W24;
        size_t height = w->rows - row < EIS_PANEL_ROWS_W24 ? w->rows - row : EIS_PANEL_ROWS_W24;

        for (size_t first = 0; first < job->batch; first += SET_VECTORS) {
            size_t vectors = job->batch - first < SET_VECTORS ? job->batch - first : SET_VECTORS;

            panel_times_set(sums, w->panels + row * n * 3, (const uint8_t *)job->x + first * n * sizeof(uint64_t),
                            vectors, n, strips, widest);
            for (size_t v = 0; v < vectors; v++) {
                uint64_t *y = job->y + (first + v) * w->rows + row;
                if (job->ring == EIS_RING_F61) {
                    finish_w20(y, height, &sums[v], sums_of_x[first + v]);
                } else {
                    finish_w24(y, height, &sums[v], sums_of_x[first + v], job->ring);
                }
            }
        }
    }
}

void matmul_w24_run_avx2(const eis_matmul *job, size_t panel_first, size_t panel_last)
{
    run_panels(job, panel_first, panel_last, strips_w24, 4);
}

void matmul_w20_run_avx2(const eis_matmul *job, size_t panel_first, size_t panel_last)
{
    run_panels(job, panel_first, panel_last, strips_w20, 3);
}
