/* SPDX-License-Identifier: Apache-2.0 */
/* Random words and coefficients in plain C. Contracts: kernel/sample.h. */
#include "kernel/generic/generic.h"

#include "base/bytes.h"
#include "base/status.h"

size_t sample_reduce_below_var_generic(uint64_t *words, size_t n, uint64_t bound, const eis_modulus *m)
{
    size_t i = 0;

    for (; i < n && words[i] < bound; i++) words[i] = eis_zq_reduce(words[i], m);
    return i;
}

#define COINS ((UINT64_C(1) << EIS_SAMPLE_PAIRS) - 1)

/* Both sums are counted at once, in the halves of a word. */
static inline int8_t error_from_bytes(const uint8_t *b)
{
    uint64_t heads = (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16;
    uint64_t tails = (uint64_t)b[3] | (uint64_t)b[4] << 8 | (uint64_t)b[5] << 16;
    uint64_t v = (heads & COINS) | (tails & COINS) << 32;

    v -= v >> 1 & UINT64_C(0x5555555555555555);
    v = (v & UINT64_C(0x3333333333333333)) + (v >> 2 & UINT64_C(0x3333333333333333));
    v = (v + (v >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    v += v >> 8;
    v += v >> 16;
    return (int8_t)((int)(v & 0xff) - (int)(v >> 32 & 0xff));
}

void sample_errors_generic(int8_t *coeff, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) coeff[i] = error_from_bytes(bytes + EIS_SAMPLE_ERROR_BYTES * i);
}

/* A word as a fraction of 2^64, times 3: the whole part is a digit in base 3, the rest gives the next one. Each set of
 * 4 digits has the probability 1/81 within 2^-64. */
void sample_trits_generic(int8_t *coeff, const uint8_t *bytes, size_t words)
{
    for (size_t w = 0; w < words; w++) {
        uint64_t fraction = eis_load_le64(bytes + 8 * w);

        for (size_t i = 0; i < EIS_SAMPLE_TRITS; i++) {
            const eis_zq_wide tripled = (eis_zq_wide)fraction * 3;

            coeff[EIS_SAMPLE_TRITS * w + i] = (int8_t)((int)(tripled >> 64) - 1);
            fraction = (uint64_t)tripled;
        }
    }
}

void sample_words_from_small_generic(uint64_t *words, const int8_t *coeff, size_t n, const eis_modulus *m)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t e = (uint64_t)(int64_t)coeff[i];

        words[i] = e + (m->q & eis_ct_barrier((uint64_t)0 - (e >> 63)));
    }
}
