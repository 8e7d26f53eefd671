/* SPDX-License-Identifier: Apache-2.0 */
/* 8-bit weights on AVX2, by the tiles of matmul_w8_tiles.h.
 *
 * x is cut into limbs of 16 bits with sign, limb_l in [-2^15, 2^15), exact in the ring; weights are widened to 16 bits,
 * and vpmaddwd multiplies and adds pairs of columns.
 *
 * Limbs: adding 2^15 to every digit and flipping its top bit gives the balanced digit, since (d + 2^15) - 2^15 = d and
 * subtracting 2^15 from 16 bits flips bit 15. A carry out of the ring is a multiple of 2^k and falls away; the last
 * digit of F61 (13 bits) and of rings with an odd number of planes (8 bits) has room for the carry and stays as it is.
 *
 * One 32-bit lane adds two products per 4 columns, each at most 2^7 2^15 = 2^22 in size: 255 groups of 4 columns stay
 * below 2^31, the 256th may not. Sums go to 64 bits every BLOCK_GROUPS groups; for a single vector more often, so that
 * all strips of a block find it in the first cache and memory is read almost in order. */
#include "kernel/x86_64/avx2.h"

#include "kernel/x86_64/planes_avx2.h"

#define TILE_WIDTH          6
#define DIGIT_BITS          16
#define GROUP_BYTES         8
#define ROW_BYTES           16
#define STRIP_ROWS          4 /* 16 bytes: [4 rows][4 columns] */
#define BLOCK_GROUPS        120
#define BLOCK_GROUPS_SINGLE 40
#define AHEAD_BYTES         12288 /* how far a single vector asks for weights in advance */
#define SET_WIDTH           48    /* whole tiles, and whole vectors of 2, 3 and 4 limbs */
_Static_assert(BLOCK_GROUPS <= 255, "32-bit sums must not wrap");
_Static_assert(SET_WIDTH % TILE_WIDTH == 0 && SET_WIDTH % 12 == 0, "sets hold whole tiles and whole vectors");

static size_t digit_count(eis_ring ring) { return (eis_ring_planes(ring) + 1) / 2; }

static size_t set_vectors(size_t digits) { return SET_WIDTH / digits; }

static size_t block_groups(const eis_matmul *job) { return job->batch == 1 ? BLOCK_GROUPS_SINGLE : BLOCK_GROUPS; }

static inline __m256i load_weights(const uint8_t *w)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)w));
}

static inline __m256i broadcast_digit(const uint8_t *x)
{
    long long four;
    memcpy(&four, x, sizeof four);
    return _mm256_set1_epi64x(four);
}

/* sums[4] += the sums of 4 rows; a lane pair of `pairs` belongs to a row. */
static inline void add_sums(int64_t *sums, __m256i pairs)
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
static inline __attribute__((always_inline)) void prefetch_strip(const uint8_t *w, size_t bytes, size_t width)
{
    uintptr_t ahead = (uintptr_t)w + AHEAD_BYTES;

    if (width > 4) return;
    _mm_prefetch((const char *)ahead, _MM_HINT_T0);
    if (bytes > 64) _mm_prefetch((const char *)(ahead + bytes / 2), _MM_HINT_T0);
}

#include "kernel/x86_64/matmul_w8_tiles.h"

DEFINE_STRIP(1, 6)
DEFINE_STRIP(2, 6)
DEFINE_STRIP(3, 3)
DEFINE_STRIP(4, 2)
DEFINE_STRIP(5, 2)
DEFINE_STRIP(6, 2)

static const strip_kind strips[TILE_WIDTH + 1] = {{NULL, 0},    {strip_1, 6}, {strip_2, 6}, {strip_3, 3},
                                                  {strip_4, 2}, {strip_5, 2}, {strip_6, 2}};

/* ---- x ---- */

/* 2^15 in every digit that is balanced. */
static uint64_t balance_word(eis_ring ring)
{
    uint64_t word = 0;
    unsigned digits = ring == EIS_RING_F61 ? 3 : (unsigned)ring / 16;

    for (unsigned l = 0; l < digits; l++) word |= UINT64_C(0x8000) << (16 * l);
    return word;
}

size_t matmul_w8_scratch_avx2(const eis_matmul *job)
{
    return job->batch * digit_count(job->ring) * job->w->cols_padded * sizeof(int16_t);
}

/* Writes the limbs of one vector to its places in the tiles. */
static void cut_vector(uint8_t *scratch, const uint8_t *x, const eis_matmul *job, size_t v)
{
    size_t limbs = digit_count(job->ring), columns = job->batch * limbs, groups = job->w->cols_padded / 4;
    planes_shuffles shuffles = planes_shuffles_make(eis_ring_planes(job->ring));
    __m256i balance = _mm256_set1_epi64x((long long)balance_word(job->ring));
    /* Within a half: [word][limb] to [limb][word]. */
    __m256i by_limb = _mm256_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15, 0, 1, 8, 9, 2, 3, 10, 11,
                                       4, 5, 12, 13, 6, 7, 14, 15);
    __m256i halves = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    uint8_t *to[4];
    size_t step[4];

    for (size_t l = 0; l < limbs; l++) to[l] = scratch + column_place(&step[l], v * limbs + l, columns, groups);
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

void matmul_w8_run_avx2(const eis_matmul *job, size_t panel_first, size_t panel_last)
{
    run_panels(job, panel_first, panel_last);
}
