/* SPDX-License-Identifier: Apache-2.0 */
/* 8-bit weights on AVX-512 without its byte dot product: limbs of 16 bits and vpmaddwd, as in matmul_w8_avx2.c, whose
 * scratch for one vector, [group of 4 columns][limb][4 columns], is used for each vector here.
 *
 * With 32 registers the 48 rows of a panel (6 registers of 8 rows) meet 4 limbs at once: those of one vector, or of two
 * vectors of 2 limbs. A 32-bit lane grows by at most 2 * 2^22 per group, and two lanes belong to a row: BLOCK_GROUPS <=
 * 255 groups stay below 2^31; then the sums go to the words of y. */
#include "kernel/x86_64/avx2.h"
#include "kernel/x86_64/avx512.h"
#include "kernel/x86_64/field_avx512.h"

#include <stdbool.h>
#include <string.h>

#define GROUP_BYTES     (4 * EIS_PANEL_ROWS_W8)
#define ROW_BYTES       32 /* weights of a register: 8 rows, 4 columns */
#define PANEL_REGISTERS (EIS_PANEL_ROWS_W8 / 8)
#define BLOCK_GROUPS    240
#define LIMBS_MAX       4
#define PREFETCH_BYTES  3072
_Static_assert(BLOCK_GROUPS <= 255, "32-bit sums must not wrap");

static size_t limb_count(eis_ring ring) { return (eis_ring_planes(ring) + 1) / 2; }

/* Bytes of a vector in scratch. */
static size_t vector_bytes(const eis_matmul *job) { return limb_count(job->ring) * job->w->cols_padded * 2; }

size_t matmul_w8_scratch_avx512(const eis_matmul *job) { return job->batch * vector_bytes(job); }

void matmul_w8_prepare_avx512(const eis_matmul *job)
{
    eis_matmul one = *job;

    one.batch = 1;
    for (size_t v = 0; v < job->batch; v++) {
        one.x = (const uint8_t *)job->x + v * job->w->cols_padded * eis_ring_planes(job->ring);
        one.scratch = (uint8_t *)job->scratch + v * vector_bytes(job);
        matmul_w8_prepare_avx2(&one);
    }
}

static inline __m512i load_weights(const uint8_t *w)
{
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)w));
}

static inline __m512i broadcast_limb(const uint8_t *x)
{
    long long four;
    memcpy(&four, x, sizeof four);
    return _mm512_set1_epi64(four);
}

/* acc[c] += weights * limb[c], pairs added: 8 rows of all limbs. Inline assembly for the reasons given in
 * matmul_w8_avx2.c and matmul_w8_avx512vnni.c; the product has a register by name, since gcc 12 copies sums for an
 * unnamed one too. */
#define MULTIPLY_ADD(c) "vpmaddwd %[x" #c "], %[w], %%zmm31\n\tvpaddd %%zmm31, %[a" #c "], %[a" #c "]\n\t"

static inline __attribute__((always_inline)) void multiply_add_2(__m512i *acc, __m512i weights, const __m512i *limb)
{
    __asm__ volatile(MULTIPLY_ADD(0) MULTIPLY_ADD(1)
                     : [a0] "+&v"(acc[0]), [a1] "+&v"(acc[1])
                     : [w] "v"(weights), [x0] "v"(limb[0]), [x1] "v"(limb[1])
                     : "xmm31");
}

static inline __attribute__((always_inline)) void multiply_add_3(__m512i *acc, __m512i weights, const __m512i *limb)
{
    __asm__ volatile(MULTIPLY_ADD(0) MULTIPLY_ADD(1) MULTIPLY_ADD(2)
                     : [a0] "+&v"(acc[0]), [a1] "+&v"(acc[1]), [a2] "+&v"(acc[2])
                     : [w] "v"(weights), [x0] "v"(limb[0]), [x1] "v"(limb[1]), [x2] "v"(limb[2])
                     : "xmm31");
}

static inline __attribute__((always_inline)) void multiply_add_4(__m512i *acc, __m512i weights, const __m512i *limb)
{
    __asm__ volatile(MULTIPLY_ADD(0) MULTIPLY_ADD(1) MULTIPLY_ADD(2) MULTIPLY_ADD(3)
                     : [a0] "+&v"(acc[0]), [a1] "+&v"(acc[1]), [a2] "+&v"(acc[2]), [a3] "+&v"(acc[3])
                     : [w] "v"(weights), [x0] "v"(limb[0]), [x1] "v"(limb[1]), [x2] "v"(limb[2]), [x3] "v"(limb[3])
                     : "xmm31");
}

/* One strip: sums[VECTORS * LIMBS][48][2] = 48 rows x VECTORS vectors over all groups of a block; a second vector lies
 * `apart` bytes behind the first. A single one waits for memory and asks for its weights ahead. */
#define DEFINE_STRIP(NAME, VECTORS, LIMBS, MULTIPLY)                                                              \
    static void strip_##NAME(int32_t *sums, const uint8_t *w, const uint8_t *x, size_t apart, size_t groups)      \
    {                                                                                                             \
        __m512i acc[PANEL_REGISTERS][VECTORS * LIMBS];                                                            \
                                                                                                                  \
        _Pragma("GCC unroll 8") for (int r = 0; r < PANEL_REGISTERS; r++)                                         \
        {                                                                                                         \
            _Pragma("GCC unroll 8") for (int c = 0; c < VECTORS * LIMBS; c++) acc[r][c] = _mm512_setzero_si512(); \
        }                                                                                                         \
        for (size_t g = 0; g < groups; g++, w += GROUP_BYTES, x += 8 * LIMBS) {                                   \
            _Pragma("GCC unroll 8") for (int line = 0; line < 3; line++)                                          \
                _mm_prefetch((const char *)((uintptr_t)w + PREFETCH_BYTES + 64 * (uintptr_t)line), _MM_HINT_T0);  \
            __m512i limb[VECTORS * LIMBS];                                                                        \
            _Pragma("GCC unroll 8") for (int c = 0; c < VECTORS * LIMBS; c++)                                     \
            {                                                                                                     \
                limb[c] = broadcast_limb(x + (size_t)(c / LIMBS) * apart + 8 * (c % LIMBS));                      \
            }                                                                                                     \
            _Pragma("GCC unroll 8") for (int r = 0; r < PANEL_REGISTERS; r++)                                     \
            {                                                                                                     \
                MULTIPLY(acc[r], load_weights(w + ROW_BYTES * r), limb);                                          \
            }                                                                                                     \
        }                                                                                                         \
        _Pragma("GCC unroll 8") for (int r = 0; r < PANEL_REGISTERS; r++)                                         \
        {                                                                                                         \
            _Pragma("GCC unroll 8") for (int c = 0; c < VECTORS * LIMBS; c++)                                     \
            {                                                                                                     \
                _mm512_storeu_si512(sums + 2 * EIS_PANEL_ROWS_W8 * c + 16 * r, acc[r][c]);                        \
            }                                                                                                     \
        }                                                                                                         \
    }

DEFINE_STRIP(single_2, 1, 2, multiply_add_2)
DEFINE_STRIP(single_3, 1, 3, multiply_add_3)
DEFINE_STRIP(single_4, 1, 4, multiply_add_4)
DEFINE_STRIP(pair_2, 2, 2, multiply_add_4)

typedef void (*strip_fn)(int32_t *sums, const uint8_t *w, const uint8_t *x, size_t apart, size_t groups);
static const strip_fn single_strips[LIMBS_MAX + 1] = {[2] = strip_single_2, [3] = strip_single_3, [4] = strip_single_4};

/* The sum of 8 rows' pairs of lanes. */
static inline __m512i add_pairs(const int32_t *pairs)
{
    __m512i v = _mm512_loadu_si512(pairs);
    return _mm512_add_epi64(_mm512_srai_epi64(_mm512_slli_epi64(v, 32), 32), _mm512_srai_epi64(v, 32));
}

/* Limbs `first` and the one behind it, if there are so many: below 2^32 (1 + 2^16) in size. */
static inline __m512i join_limbs(const int32_t *sums, size_t first, size_t limbs)
{
    __m512i low = add_pairs(sums + 2 * EIS_PANEL_ROWS_W8 * first);

    if (first + 1 == limbs) return low;
    return _mm512_add_epi64(low, _mm512_slli_epi64(add_pairs(sums + 2 * EIS_PANEL_ROWS_W8 * (first + 1)), 16));
}

/* y[height] += what the sums of one vector stand for; y counts as zero in the first block. In the field, adding p makes
 * both parts positive and below 2p, as in matmul_w8_avx512vnni.c. */
static void finish(uint64_t *y, size_t height, const int32_t *sums, eis_ring ring, bool first)
{
    __m512i p = set8(EIS_F61_P), mask = set8(eis_ring_mask(ring));
    size_t limbs = limb_count(ring);

    for (size_t i = 0; i < height; i += 8) {
        __mmask8 lanes = lanes8(height - i);
        __m512i word = first ? _mm512_setzero_si512() : _mm512_maskz_loadu_epi64(lanes, y + i);
        __m512i low = join_limbs(sums + 2 * i, 0, limbs);
        __m512i high = limbs > 2 ? join_limbs(sums + 2 * i, 2, limbs) : _mm512_setzero_si512();

        if (ring == EIS_RING_F61) {
            high = F61_SHIFT(f61_subtract_p(_mm512_add_epi64(high, p)), 32);
            word = f61_reduce(_mm512_add_epi64(word, _mm512_add_epi64(_mm512_add_epi64(low, p), high)));
        } else {
            word = _mm512_add_epi64(word, _mm512_add_epi64(low, _mm512_slli_epi64(high, 32)));
            word = _mm512_and_si512(word, mask);
        }
        _mm512_mask_storeu_epi64(y + i, lanes, word);
    }
}

/* One panel times all vectors over a block of columns. */
static void block_times_batch(const eis_matmul *job, size_t panel, size_t group_first, size_t groups)
{
    const eis_packed *w = job->w;
    size_t limbs = limb_count(job->ring), row = panel * EIS_PANEL_ROWS_W8, apart = vector_bytes(job), count;
    size_t height = w->rows - row < EIS_PANEL_ROWS_W8 ? w->rows - row : EIS_PANEL_ROWS_W8;
    const uint8_t *weights = w->panels + row * w->cols_padded + group_first * GROUP_BYTES;
    int32_t sums[LIMBS_MAX * 2 * EIS_PANEL_ROWS_W8];

    for (size_t v = 0; v < job->batch; v += count) {
        const uint8_t *x = (const uint8_t *)job->scratch + v * apart + group_first * 8 * limbs;

        count = limbs == 2 && job->batch - v > 1 ? 2 : 1;
        (count == 2 ? strip_pair_2 : single_strips[limbs])(sums, weights, x, apart, groups);
        for (size_t i = 0; i < count; i++) {
            finish(job->y + (v + i) * w->rows + row, height, sums + i * limbs * 2 * EIS_PANEL_ROWS_W8, job->ring,
                   group_first == 0);
        }
    }
}

void matmul_w8_run_avx512(const eis_matmul *job, size_t panel_first, size_t panel_last)
{
    size_t groups = job->w->cols_padded / 4;

    for (size_t panel = panel_first; panel < panel_last; panel++) {
        size_t g = 0;

        do { /* once for no columns at all: y becomes zero */
            block_times_batch(job, panel, g, groups - g < BLOCK_GROUPS ? groups - g : BLOCK_GROUPS);
            g += BLOCK_GROUPS;
        } while (g < groups);
    }
}
