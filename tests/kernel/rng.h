/* SPDX-License-Identifier: Apache-2.0 */
/* Repeatable words for kernel tests: SplitMix64. */
#ifndef EIS_TESTS_KERNEL_RNG_H
#define EIS_TESTS_KERNEL_RNG_H

#include <stdint.h>

static inline uint64_t rng_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

#endif
