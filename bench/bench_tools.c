/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench.h"

#include <stdlib.h>
#include <string.h>

/* splitmix64: one multiplication chain per word, no state to warm up. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void eis_bench_random(void *out, size_t bytes, uint64_t seed)
{
    uint8_t *at = out;

    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t word = mix(seed += UINT64_C(0x9e3779b97f4a7c15));
        memcpy(at + i, &word, bytes - i < 8 ? bytes - i : 8);
    }
}

void eis_bench_random_floats(float *out, size_t count, float scale, uint64_t seed)
{
    for (size_t i = 0; i < count; i++)
        out[i] = scale * ((float)(mix(seed += UINT64_C(0x9e3779b97f4a7c15)) >> 40) * 0x1p-23f - 1);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double eis_bench_median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return count % 2 != 0 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

size_t eis_bench_words_differ(const uint64_t *a, const uint64_t *b, size_t count)
{
    size_t differ = 0;

    for (size_t i = 0; i < count; i++) differ += a[i] != b[i];
    return differ;
}
