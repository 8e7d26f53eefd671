/* SPDX-License-Identifier: Apache-2.0 */
/* What this processor can do and the operating system lets us use. */
#ifndef EIS_BASE_CPU_H
#define EIS_BASE_CPU_H

#include <stdbool.h>

typedef struct eis_cpu {
    bool aesni, vaes, avx2, fma, bmi2;
    bool avxvnni; /* 256-bit vpdpbusd without AVX-512 */
    bool avx512;  /* F, BW, DQ and VL together, with the state enabled */
    bool avx512vnni, avx512ifma, avx512vbmi;
} eis_cpu;

/* Returns the features, read once. */
const eis_cpu *eis_cpu_get(void);

/* Returns how many processors this process may use, at least 1. */
unsigned eis_cpu_count(void);

#endif
