/* SPDX-License-Identifier: Apache-2.0 */
/* Inner products over GF(p), p = 2^61 - 1, on AVX2: four products in the lanes of a register. Words are cut into limbs
 * that the 32-bit multiplier takes,
 *
 *   w = w0 + 2^30 w1,  w0 < 2^30, w1 < 2^31        x = x0 + 2^31 x1,  x0 < 2^31, x1 < 2^30
 *
 *   w x = (w0 x0 + 2^61 w1 x1) + 2^30 (w1 x0 + w0 2 x1),  and 2^61 = 1:
 *
 * two sums in place of four. A product adds less than 2^62 to the first and less than 2^62 + 2^61 to the second, so
 * that two fit behind a fold (below 2^61 + 8) into 64 bits. The 64-bit multiplier of processors with AVX2 gives a
 * product every one or two cycles; this gives one in less than one. */
#include "kernel/x86_64/f61_avx2.h"

#include "kernel/generic/generic.h"
#include "kernel/x86_64/avx2.h"

#include <string.h>

#define BLOCK_COLUMNS 1024 /* whose limbs of x have 24 KiB */
#define AHEAD         512  /* words: cold rows are asked for so early */
#define VECTORS       4    /* that a block is multiplied with */

/* Limbs of x; those of a word beyond the last are 0. */
typedef struct limbs {
    _Alignas(32) uint64_t low[BLOCK_COLUMNS], high[BLOCK_COLUMNS], twice[BLOCK_COLUMNS];
} limbs;

/* Two sums: at 2^0, at 2^30. */
typedef struct sums {
    __m256i first, second;
} sums;

static inline void add_products(sums *s, __m256i w, __m256i x_low, __m256i x_high, __m256i x_twice)
{
    __m256i low = _mm256_and_si256(w, set4((UINT64_C(1) << 30) - 1)), high = _mm256_srli_epi64(w, 30);

    s->first = _mm256_add_epi64(s->first, _mm256_mul_epu32(low, x_low));
    s->second = _mm256_add_epi64(s->second, _mm256_mul_epu32(high, x_low));
    s->first = _mm256_add_epi64(s->first, _mm256_mul_epu32(high, x_high));
    s->second = _mm256_add_epi64(s->second, _mm256_mul_epu32(low, x_twice));
}

static inline void fold(sums *s)
{
    s->first = f61_fold(s->first);
    s->second = f61_fold(s->second);
}

/* The four lanes of both, reduced. Range: both are folded. */
static inline uint64_t sum_of(const sums *s)
{
    uint64_t first[4], second[4], low = 0, high = 0;

    store4(first, s->first);
    store4(second, s->second);
    for (int i = 0; i < 4; i++) {
        low += first[i]; /* 4 (2^61 + 8) */
        high += second[i];
    }
    return eis_f61_word_add(eis_f61_word_reduce(low), eis_f61_word_shift(eis_f61_word_reduce(high), 30));
}

/* ---- two vectors ---- */

static inline void add_words(sums *s, const uint64_t *a, const uint64_t *b)
{
    __m256i x = load4(b), x_high = _mm256_srli_epi64(x, 31);

    add_products(s, load4(a), _mm256_and_si256(x, set4((UINT64_C(1) << 31) - 1)), x_high,
                 _mm256_add_epi64(x_high, x_high));
}

uint64_t f61_dot_avx2(const uint64_t *a, const uint64_t *b, size_t n)
{
    sums even = {_mm256_setzero_si256(), _mm256_setzero_si256()}, odd = even;
    size_t i = 0;

    for (; i + 16 <= n; i += 16) {
        add_words(&even, a + i, b + i);
        add_words(&odd, a + i + 4, b + i + 4);
        add_words(&even, a + i + 8, b + i + 8);
        add_words(&odd, a + i + 12, b + i + 12);
        fold(&even);
        fold(&odd);
    }
    even.first = _mm256_add_epi64(even.first, odd.first);
    even.second = _mm256_add_epi64(even.second, odd.second);
    fold(&even);
    return eis_f61_word_add(sum_of(&even), f61_dot_generic(a + i, b + i, n - i));
}

/* ---- the rows of a matrix and vectors, whose limbs are made once for all rows ---- */

static void cut(limbs *x, const uint64_t *words, size_t count)
{
    size_t padded = (count + 7) / 8 * 8;

    for (size_t j = 0; j < count; j++) {
        x->low[j] = words[j] & ((UINT64_C(1) << 31) - 1);
        x->high[j] = words[j] >> 31;
        x->twice[j] = 2 * x->high[j];
    }
    memset(x->low + count, 0, (padded - count) * 8);
    memset(x->high + count, 0, (padded - count) * 8);
    memset(x->twice + count, 0, (padded - count) * 8);
}

static inline void add_limbs(sums *s, __m256i w, const limbs *x, size_t j)
{
    add_products(s, w, load4(x->low + j), load4(x->high + j), load4(x->twice + j));
}

/* Words that there are, then zeros: nothing behind a row is read. */
static inline __m256i load_some(const uint64_t *w, size_t from, size_t count)
{
    uint64_t words[4] = {0};

    if (from < count) memcpy(words, w + from, (count - from < 4 ? count - from : 4) * sizeof *words);
    return load4(words);
}

/* Two rows at once, so that each limb that is loaded is used twice. */
static void two_rows(uint64_t y[2], const uint64_t *w, size_t step, const limbs *x, size_t count)
{
    const uint64_t *w1 = w + step;
    sums a = {_mm256_setzero_si256(), _mm256_setzero_si256()}, b = a;
    size_t j = 0;

    for (; j + 8 <= count; j += 8) {
        _mm_prefetch((const void *)(w + j + AHEAD), _MM_HINT_T0);
        _mm_prefetch((const void *)(w1 + j + AHEAD), _MM_HINT_T0);
        add_limbs(&a, load4(w + j), x, j);
        add_limbs(&b, load4(w1 + j), x, j);
        add_limbs(&a, load4(w + j + 4), x, j + 4);
        add_limbs(&b, load4(w1 + j + 4), x, j + 4);
        fold(&a);
        fold(&b);
    }
    if (j < count) {
        for (size_t k = j; k < j + 8; k += 4) {
            add_limbs(&a, load_some(w, k, count), x, k);
            add_limbs(&b, load_some(w1, k, count), x, k);
        }
        fold(&a);
        fold(&b);
    }
    y[0] = sum_of(&a);
    y[1] = sum_of(&b);
}

/* Adds a block of columns to y for some vectors. Rows are read once for all of them. */
static void add_block(uint64_t *y, const uint64_t *w, size_t rows, size_t inner, const limbs *x, size_t vectors,
                      size_t count)
{
    for (size_t i = 0; i + 2 <= rows; i += 2) {
        for (size_t v = 0; v < vectors; v++) {
            uint64_t words[2], *at = y + v * rows + i;

            two_rows(words, w + i * inner, inner, &x[v], count);
            at[0] = eis_f61_word_add(at[0], words[0]);
            at[1] = eis_f61_word_add(at[1], words[1]);
        }
    }
}

void f61_matmul_avx2(uint64_t *y, const uint64_t *w, const uint64_t *x, size_t rows, size_t inner, size_t batch)
{
    limbs block[VECTORS];
    size_t vectors;

    memset(y, 0, batch * rows * sizeof *y);
    for (size_t v = 0; v < batch; v += vectors) {
        vectors = batch - v < VECTORS ? batch - v : VECTORS;
        for (size_t first = 0; first < inner; first += BLOCK_COLUMNS) {
            size_t count = inner - first < BLOCK_COLUMNS ? inner - first : BLOCK_COLUMNS;

            for (size_t k = 0; k < vectors; k++) cut(&block[k], x + (v + k) * inner + first, count);
            add_block(y + v * rows, w + first, rows, inner, block, vectors, count);
        }
        for (size_t k = v; rows % 2 != 0 && k < v + vectors; k++)
            y[k * rows + rows - 1] = f61_dot_avx2(w + (rows - 1) * inner, x + k * inner, inner);
    }
    explicit_bzero(block, (batch < VECTORS ? batch : VECTORS) * sizeof block[0]);
}
