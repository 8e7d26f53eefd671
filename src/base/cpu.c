/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "base/cpu.h"

#include <pthread.h>
#include <sched.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

static eis_cpu features;
static pthread_once_t once = PTHREAD_ONCE_INIT;

#if defined(__x86_64__)
static unsigned enabled_state(void)
{
    unsigned low, high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

#define XCR0_AVX    0x06u /* xmm and ymm */
#define XCR0_AVX512 0xe6u /* and opmask, upper zmm, upper 16 zmm */

static bool bit(unsigned word, unsigned index) { return (word >> index) & 1u; }

static void read_features(void)
{
    unsigned a, b, c, d, a7, b7, c7, d7, a71 = 0, b71, c71, d71, state = 0;
    bool avx;

    if (!__get_cpuid(1, &a, &b, &c, &d)) return;
    features.aesni = bit(c, 25);
    if (bit(c, 27)) state = enabled_state();
    avx = bit(c, 28) && (state & XCR0_AVX) == XCR0_AVX;
    if (!avx || !__get_cpuid_count(7, 0, &a7, &b7, &c7, &d7)) return;
    (void)__get_cpuid_count(7, 1, &a71, &b71, &c71, &d71);
    features.avx2 = bit(b7, 5);
    features.fma = bit(c, 12);
    features.bmi2 = bit(b7, 8);
    features.vaes = bit(c7, 9);
    features.avxvnni = features.avx2 && bit(a71, 4);
    features.avx512 = bit(b7, 16) && bit(b7, 17) && bit(b7, 30) && bit(b7, 31) && (state & XCR0_AVX512) == XCR0_AVX512;
    features.avx512vnni = features.avx512 && bit(c7, 11);
    features.avx512ifma = features.avx512 && bit(b7, 21);
    features.avx512vbmi = features.avx512 && bit(c7, 1);
}
#else
static void read_features(void) {}
#endif

const eis_cpu *eis_cpu_get(void)
{
    pthread_once(&once, read_features);
    return &features;
}

unsigned eis_cpu_count(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    return (unsigned)(CPU_COUNT(&set) > 0 ? CPU_COUNT(&set) : 1);
}
