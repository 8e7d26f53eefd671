/* SPDX-License-Identifier: Apache-2.0 */
/* In C that compilers turn into vectors, once for every processor, once with AVX2 and once with AVX-512 allowed. Inputs
 * come as 16-bit integers: products of pairs are then one instruction (vpmaddwd), which gcc finds where it finds none
 * for bytes. It is not tuned beyond reading each weight once per four vectors (b = 1: four rows at a time) and keeping
 * the sums in registers. */
#include "bench/bench_int8.h"

#include "base/cpu.h"

#define TOGETHER 4 /* sums that one pass keeps */

static inline __attribute__((always_inline)) int32_t dot(const int8_t *w, const int16_t *x, size_t n)
{
    int32_t sum = 0;

    for (size_t j = 0; j < n; j++) {
        int16_t weight = w[j];
        sum += (int32_t)weight * x[j];
    }
    return sum;
}

/* One row and four vectors. */
static inline __attribute__((always_inline)) void dot_vectors(int32_t sums[TOGETHER], const int8_t *w, const int16_t *x,
                                                              size_t n)
{
    int32_t a = 0, b = 0, c = 0, d = 0;

    for (size_t j = 0; j < n; j++) {
        int16_t weight = w[j];
        a += (int32_t)weight * x[j];
        b += (int32_t)weight * x[n + j];
        c += (int32_t)weight * x[2 * n + j];
        d += (int32_t)weight * x[3 * n + j];
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}

/* Four rows and one vector: four sums that do not wait for each other, four streams from memory. */
static inline __attribute__((always_inline)) void dot_rows(int32_t sums[TOGETHER], const int8_t *w, const int16_t *x,
                                                           size_t n)
{
    int32_t a = 0, b = 0, c = 0, d = 0;

    for (size_t j = 0; j < n; j++) {
        int16_t one = w[j], two = w[n + j], three = w[2 * n + j], four = w[3 * n + j];
        a += (int32_t)one * x[j];
        b += (int32_t)two * x[j];
        c += (int32_t)three * x[j];
        d += (int32_t)four * x[j];
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}

static inline __attribute__((always_inline)) void multiply_one(int32_t *y, const int8_t *w, const int16_t *x,
                                                               size_t rows, size_t cols)
{
    size_t r = 0;

    for (; r + TOGETHER <= rows; r += TOGETHER) dot_rows(y + r, w + r * cols, x, cols);
    for (; r < rows; r++) y[r] = dot(w + r * cols, x, cols);
}

static inline __attribute__((always_inline)) void multiply(int32_t *y, const int8_t *w, const int16_t *x, size_t rows,
                                                           size_t cols, size_t batch)
{
    if (batch == 1) {
        multiply_one(y, w, x, rows, cols);
        return;
    }
    for (size_t r = 0; r < rows; r++, w += cols) {
        size_t v = 0;
        for (; v + TOGETHER <= batch; v += TOGETHER) {
            int32_t sums[TOGETHER];
            dot_vectors(sums, w, x + v * cols, cols);
            for (size_t i = 0; i < TOGETHER; i++) y[(v + i) * rows + r] = sums[i];
        }
        for (; v < batch; v++) y[v * rows + r] = dot(w, x + v * cols, cols);
    }
}

static void multiply_plain(int32_t *y, const int8_t *w, const int16_t *x, size_t rows, size_t cols, size_t batch)
{
    multiply(y, w, x, rows, cols, batch);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void multiply_avx2(int32_t *y, const int8_t *w, const int16_t *x, size_t rows,
                                                          size_t cols, size_t batch)
{
    multiply(y, w, x, rows, cols, batch);
}

__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni"))) static void multiply_vnni(int32_t *y, const int8_t *w,
                                                                                          const int16_t *x, size_t rows,
                                                                                          size_t cols, size_t batch)
{
    multiply(y, w, x, rows, cols, batch);
}
#endif

void eis_bench_int8_multiply(int32_t *y, const int8_t *w, const int16_t *x, size_t rows, size_t cols, size_t batch)
{
#if defined(__x86_64__)
    if (eis_cpu_get()->avx512vnni) {
        multiply_vnni(y, w, x, rows, cols, batch);
        return;
    }
    if (eis_cpu_get()->avx2) {
        multiply_avx2(y, w, x, rows, cols, batch);
        return;
    }
#endif
    multiply_plain(y, w, x, rows, cols, batch);
}
