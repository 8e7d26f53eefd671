/* SPDX-License-Identifier: Apache-2.0 */
/* Reduction of any words with AVX2. Contract: kernel/ntt.h. */
#include "kernel/generic/generic.h"
#include "kernel/x86_64/avx2.h"
#include "kernel/x86_64/reduce_avx2.h"

static inline __attribute__((always_inline)) void reduce_vectors(uint64_t *r, const uint64_t *a, size_t end,
                                                                 const eis_modulus *m, bool wide)
{
    const halves barrett = halves_of(m->barrett64), q = halves_of(m->q);
    const __m256i modulus = _mm256_set1_epi64x((long long)m->q);

    for (size_t i = 0; i < end; i += LANES) {
        store_words(r + i, reduce_word(load_words(a + i), barrett, q, modulus, wide));
    }
}

void zq_reduce_avx2(uint64_t *r, const uint64_t *a, size_t n, const eis_modulus *m)
{
    const size_t end = n - n % LANES;

    if (is_wide(m)) {
        reduce_vectors(r, a, end, m, true);
    } else {
        reduce_vectors(r, a, end, m, false);
    }
    zq_reduce_generic(r + end, a + end, n - end, m);
}
