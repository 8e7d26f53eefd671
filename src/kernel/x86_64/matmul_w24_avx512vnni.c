/* SPDX-License-Identifier: Apache-2.0 */
/* 24-bit and 20-bit weights (offset binary, 3 bytes) with the 52-bit multiply-add (IFMA).
 *
 * vpmadd52luq multiplies the low 52 bits of its lanes and adds the low 52 bits of the product to a lane of 64. One
 * vpermb takes 8 weights of 3 bytes to 8 lanes; 32 rows are 4 registers, shared by up to 6 vectors: 24 sums.
 *
 *   W24  Z / 2^k, k <= 52: a word is one operand. Lanes wrap modulo 2^64, a multiple of 2^k: nothing is ever flushed.
 *   W20  GF(p): a word is two operands, its low 31 and its high 30 bits, which stand as two vectors in scratch. A
 * weight is at most 2^20 - 1, so the product is at most (2^20 - 1)(2^31 - 1) < 2^51 and the low 52 bits are all of it.
 *        BLOCK_COLS = 4096 of them stay below 2^63; 8192 would below 2^64, since 2^13 (2^20 - 1)(2^31 - 1) =
 *        2^64 - 2^44 - 2^33 + 2^13. After a block they are folded: y = low + 2^31 high - 2^19 (sum of x).
 *
 * Sums go to y after BLOCK_COLS columns also where they need not, so that the weights of a block stay in the second
 * cache while all vectors pass. */
#include "kernel/generic/generic.h"
#include "kernel/x86_64/avx512.h"
#include "kernel/x86_64/field_avx512.h"

#include "base/bytes.h"

#include <string.h>

#define BLOCK_COLS     4096
#define COLUMN_BYTES   (3 * EIS_PANEL_ROWS_W24)
#define WIDTH_MAX      6 /* operands per strip: vectors of W24, halves of W20 */
#define PREFETCH_BYTES 3072
#define LOW_BITS       31
_Static_assert(EIS_PACKED_COLS_STEP % 4 == 0, "a single vector takes four columns at a time");
_Static_assert(((UINT64_C(1) << 20) - 1) * ((UINT64_C(1) << LOW_BITS) - 1) < UINT64_C(1) << 52,
               "W20: products are whole");
_Static_assert((UINT64_C(1) << 51) * BLOCK_COLS <= UINT64_C(1) << 63, "W20: the sums of a block fit");

static inline __m512i load_weights8(const uint8_t *w, __m512i places)
{
    return _mm512_maskz_permutexvar_epi8(0x0707070707070707, places, _mm512_loadu_si512(w));
}

static inline __m512i broadcast_word(const uint8_t *x)
{
    long long word;
    memcpy(&word, x, sizeof word);
    return _mm512_set1_epi64(word);
}

/* acc[r] += low 52 bits of w_r * word: 32 rows. One statement, in the order written (see matmul_w8_avx512vnni.c). */
static inline __attribute__((always_inline)) void multiply_add(__m512i acc[4], __m512i w0, __m512i w1, __m512i w2,
                                                               __m512i w3, __m512i word)
{
    __asm__ volatile("vpmadd52luq %[w0], %[x], %[a0]\n\t"
                     "vpmadd52luq %[w1], %[x], %[a1]\n\t"
                     "vpmadd52luq %[w2], %[x], %[a2]\n\t"
                     "vpmadd52luq %[w3], %[x], %[a3]"
                     : [a0] "+&v"(acc[0]), [a1] "+&v"(acc[1]), [a2] "+&v"(acc[2]), [a3] "+&v"(acc[3])
                     : [w0] "v"(w0), [w1] "v"(w1), [w2] "v"(w2), [w3] "v"(w3), [x] "v"(word));
}

/* What a strip works on. */
typedef struct strip_job {
    const uint8_t *w, *x;
    size_t vector_bytes; /* from an operand's first column to the next one's */
    size_t cols;
    uintptr_t ahead; /* what to ask for, and how far that moves on per column */
    size_t ahead_step;
} strip_job;

/* A single vector waits for memory: it asks for all lines of its columns some time before they are needed. Wider strips
 * ask for every line or every other one, whose neighbour comes along. */
#define PREFETCH_NEAR(COLS)                                                             \
    _Pragma("GCC unroll 8") for (int line = 0; line < COLS * COLUMN_BYTES / 64; line++) \
        _mm_prefetch((const char *)((uintptr_t)w + PREFETCH_BYTES + 64 * (uintptr_t)line), _MM_HINT_T0)
#define PREFETCH_NEXT(COLS) (_mm_prefetch((const char *)ahead, _MM_HINT_T1), ahead += COLS * ahead_step)

/* One strip: sums[WIDTH][32] = 32 rows x WIDTH operands over the columns of a block, COLS at a time, each with sums of
 * its own in registers. 8 weights begin 24 bytes apart; the places that are taken from a load of 64 bytes begin at its
 * byte 0 or 40, whichever keeps it inside the column. */
#define DEFINE_STRIP(WIDTH, COLS, PREFETCH)                                                                       \
    static void strip_##WIDTH(uint64_t *sums, const strip_job *job)                                               \
    {                                                                                                             \
        const __m512i front =                                                                                     \
            _mm512_set_epi64(0x171615, 0x141312, 0x11100f, 0x0e0d0c, 0x0b0a09, 0x080706, 0x050403, 0x020100);     \
        const __m512i back = _mm512_add_epi8(front, _mm512_set1_epi8(40));                                        \
        __m512i acc[COLS][WIDTH][4];                                                                              \
        const uint8_t *w = job->w, *x = job->x;                                                                   \
        const size_t vector_bytes = job->vector_bytes, ahead_step = job->ahead_step;                              \
        uintptr_t ahead = job->ahead;                                                                             \
                                                                                                                  \
        _Pragma("GCC unroll 8") for (int u = 0; u < COLS; u++)                                                    \
        {                                                                                                         \
            _Pragma("GCC unroll 8") for (int v = 0; v < WIDTH; v++)                                               \
            {                                                                                                     \
                _Pragma("GCC unroll 8") for (int r = 0; r < 4; r++) acc[u][v][r] = _mm512_setzero_si512();        \
            }                                                                                                     \
        }                                                                                                         \
        for (size_t left = job->cols; left > 0; left -= COLS) {                                                   \
            PREFETCH(COLS);                                                                                       \
            _Pragma("GCC unroll 8") for (int u = 0; u < COLS; u++)                                                \
            {                                                                                                     \
                __m512i w0 = load_weights8(w + COLUMN_BYTES * u, front);                                          \
                __m512i w1 = load_weights8(w + COLUMN_BYTES * u + 24, front);                                     \
                __m512i w2 = load_weights8(w + COLUMN_BYTES * u + 8, back);                                       \
                __m512i w3 = load_weights8(w + COLUMN_BYTES * u + 32, back);                                      \
                _Pragma("GCC unroll 8") for (int v = 0; v < WIDTH; v++)                                           \
                {                                                                                                 \
                    __m512i word = broadcast_word(x + (size_t)v * vector_bytes + 8 * u);                          \
                    multiply_add(acc[u][v], w0, w1, w2, w3, word);                                                \
                }                                                                                                 \
            }                                                                                                     \
            w += COLUMN_BYTES * COLS;                                                                             \
            x += 8 * COLS;                                                                                        \
        }                                                                                                         \
        (void)ahead, (void)ahead_step;                                                                            \
        _Pragma("GCC unroll 8") for (int v = 0; v < WIDTH; v++)                                                   \
        {                                                                                                         \
            _Pragma("GCC unroll 8") for (int r = 0; r < 4; r++)                                                   \
            {                                                                                                     \
                __m512i sum = acc[0][v][r];                                                                       \
                _Pragma("GCC unroll 8") for (int u = 1; u < COLS; u++) sum = _mm512_add_epi64(sum, acc[u][v][r]); \
                _mm512_storeu_si512(sums + EIS_PANEL_ROWS_W24 * v + 8 * r, sum);                                  \
            }                                                                                                     \
        }                                                                                                         \
    }

DEFINE_STRIP(1, 4, PREFETCH_NEAR)
DEFINE_STRIP(2, 2, PREFETCH_NEAR)
DEFINE_STRIP(3, 1, PREFETCH_NEXT)
DEFINE_STRIP(4, 1, PREFETCH_NEXT)
DEFINE_STRIP(5, 1, PREFETCH_NEXT)
DEFINE_STRIP(6, 1, PREFETCH_NEXT)

typedef void (*strip_fn)(uint64_t *sums, const strip_job *job);
static const strip_fn strips[WIDTH_MAX + 1] = {NULL, strip_1, strip_2, strip_3, strip_4, strip_5, strip_6};

/* y[height] += sums in Z / 2^k; in the first block y begins with what offset weights count too much. */
static void finish_w24(uint64_t *y, size_t height, const uint64_t *sums, uint64_t sum_of_x, eis_ring ring, bool first)
{
    __m512i start = set8(0 - (sum_of_x << 23)), mask = set8(eis_ring_mask(ring));

    for (size_t i = 0; i < height; i += 8) {
        __mmask8 lanes = lanes8(height - i);
        __m512i word = first ? start : _mm512_maskz_loadu_epi64(lanes, y + i);

        word = _mm512_add_epi64(word, _mm512_loadu_si512(sums + i));
        _mm512_mask_storeu_epi64(y + i, lanes, _mm512_and_si512(word, mask));
    }
}

/* The same in the field; sums[low, high][32]. The three terms are below 2^61 + 8, 2^61 and 2^61. */
static void finish_w20(uint64_t *y, size_t height, const uint64_t *sums, uint64_t sum_of_x, bool first)
{
    __m512i start = set8(eis_f61_word_neg(eis_f61_word_shift(sum_of_x, 19)));

    for (size_t i = 0; i < height; i += 8) {
        __mmask8 lanes = lanes8(height - i);
        __m512i word = first ? start : _mm512_maskz_loadu_epi64(lanes, y + i);
        __m512i low = f61_fold(_mm512_loadu_si512(sums + i));
        __m512i high = f61_reduce(_mm512_loadu_si512(sums + EIS_PANEL_ROWS_W24 + i));

        word = _mm512_add_epi64(_mm512_add_epi64(word, low), F61_SHIFT(high, LOW_BITS));
        _mm512_mask_storeu_epi64(y + i, lanes, f61_reduce(word));
    }
}

/* A product whose vectors consist of `halves` operands each. */
typedef struct operands {
    const uint8_t *x; /* [batch * halves][cols_padded] words */
    size_t halves;
    const uint64_t *sums_of_x;
} operands;

/* Finishes `count` vectors from `v` on. */
static void finish_vectors(const eis_matmul *job, const operands *in, const uint64_t *sums, size_t panel, size_t v,
                           size_t count, bool first)
{
    size_t rows = job->w->rows, row = panel * EIS_PANEL_ROWS_W24;
    size_t height = rows - row < EIS_PANEL_ROWS_W24 ? rows - row : EIS_PANEL_ROWS_W24;

    for (size_t i = 0; i < count; i++) {
        uint64_t *y = job->y + (v + i) * rows + row;
        const uint64_t *of_vector = sums + i * in->halves * EIS_PANEL_ROWS_W24;

        if (in->halves == 2) {
            finish_w20(y, height, of_vector, in->sums_of_x[v + i], first);
        } else {
            finish_w24(y, height, of_vector, in->sums_of_x[v + i], job->ring, first);
        }
    }
}

/* One panel times all vectors over a block of columns. Vectors are spread evenly over the strips. */
static void block_times_batch(const eis_matmul *job, const operands *in, size_t panel, size_t col_first, size_t cols)
{
    size_t n = job->w->cols_padded, vectors_max = WIDTH_MAX / in->halves;
    size_t tiles = (job->batch + vectors_max - 1) / vectors_max, count;
    strip_job strip = {.w = job->w->panels + (panel * EIS_PANEL_ROWS_W24 * n + col_first * EIS_PANEL_ROWS_W24) * 3,
                       .vector_bytes = n * sizeof(uint64_t),
                       .cols = cols,
                       .ahead_step = COLUMN_BYTES / tiles};
    uint64_t sums[WIDTH_MAX * EIS_PANEL_ROWS_W24];

    for (size_t tile = 0, v = 0; tile < tiles; tile++, v += count) {
        count = (job->batch - v) / (tiles - tile);
        strip.x = in->x + v * in->halves * strip.vector_bytes + col_first * sizeof(uint64_t);
        /* Alone it asks for what it needs soon, else for its part of the block that comes next. */
        strip.ahead =
            (uintptr_t)strip.w + (tiles == 1 ? PREFETCH_BYTES : cols * (COLUMN_BYTES + tile * strip.ahead_step));
        strips[count * in->halves](sums, &strip);
        finish_vectors(job, in, sums, panel, v, count, col_first == 0);
    }
}

static void run_panels(const eis_matmul *job, const operands *in, size_t panel_first, size_t panel_last)
{
    size_t n = job->w->cols_padded;

    if (job->batch == 0) return;
    for (size_t panel = panel_first; panel < panel_last; panel++) {
        size_t j = 0;

        do { /* once for no columns at all: y becomes zero */
            block_times_batch(job, in, panel, j, n - j < BLOCK_COLS ? n - j : BLOCK_COLS);
            j += BLOCK_COLS;
        } while (j < n);
    }
}

void matmul_w24_run_avx512vnni(const eis_matmul *job, size_t panel_first, size_t panel_last)
{
    const operands in = {.x = job->x, .halves = 1, .sums_of_x = job->scratch};
    run_panels(job, &in, panel_first, panel_last);
}

/* Scratch of W20: the sums of the vectors, filled up to whole cache lines, then per vector its low and its high halves.
 */
static size_t halves_offset(const eis_matmul *job) { return eis_round_up(job->batch, 8) * sizeof(uint64_t); }

size_t matmul_w20_scratch_avx512vnni(const eis_matmul *job)
{
    return halves_offset(job) + 2 * job->batch * job->w->cols_padded * sizeof(uint64_t);
}

void matmul_w20_prepare_avx512vnni(const eis_matmul *job)
{
    size_t bytes = job->w->cols_padded * sizeof(uint64_t);
    __m512i low_mask = set8((UINT64_C(1) << LOW_BITS) - 1);

    matmul_sums_prepare_generic(job);
    for (size_t v = 0; v < job->batch; v++) {
        const uint8_t *x = (const uint8_t *)job->x + v * bytes;
        uint8_t *low = (uint8_t *)job->scratch + halves_offset(job) + 2 * v * bytes;

        for (size_t at = 0; at < bytes; at += 64) { /* padded columns are whole registers */
            __m512i words = _mm512_loadu_si512(x + at);
            _mm512_storeu_si512(low + at, _mm512_and_si512(words, low_mask));
            _mm512_storeu_si512(low + bytes + at, _mm512_srli_epi64(words, LOW_BITS));
        }
    }
}

void matmul_w20_run_avx512vnni(const eis_matmul *job, size_t panel_first, size_t panel_last)
{
    const operands in = {
        .x = (const uint8_t *)job->scratch + halves_offset(job), .halves = 2, .sums_of_x = job->scratch};
    run_panels(job, &in, panel_first, panel_last);
}
