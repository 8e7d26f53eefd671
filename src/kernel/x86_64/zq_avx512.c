/* SPDX-License-Identifier: Apache-2.0 */
/* Pointwise arithmetic with AVX-512: sums for all primes, products for primes of 51 to 60 bits (zq_wide.h); those of
 * smaller primes stay with AVX2. Contracts: kernel/ntt.h. */
#include "kernel/x86_64/avx2.h"
#include "kernel/x86_64/avx512.h"
#include "kernel/x86_64/zq_wide_avx512.h"

#define ZQ_ENTRY(name) zq_##name##_avx512
#define ZQ_REST(name)  zq_##name##_avx2
#include "kernel/x86_64/zq_wide.h"

void zq_add_avx512(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m)
{
    const __m512i q = all_lanes(m->q);
    const size_t end = whole(n);

    for (size_t i = 0; i < end; i += ZQ_LANES) store_words(r + i, add_words(load_words(a + i), load_words(b + i), q));
    zq_add_avx2(r + end, a + end, b + end, n - end, m);
}

void zq_sub_avx512(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m)
{
    const __m512i q = all_lanes(m->q);
    const size_t end = whole(n);

    for (size_t i = 0; i < end; i += ZQ_LANES) store_words(r + i, sub_words(load_words(a + i), load_words(b + i), q));
    zq_sub_avx2(r + end, a + end, b + end, n - end, m);
}

void zq_reduce_avx512(uint64_t *r, const uint64_t *a, size_t n, const eis_modulus *m)
{
    const wide_modulus w = wide_modulus_of(m);
    const size_t end = wide_words(n, m);

    for (size_t i = 0; i < end; i += ZQ_LANES) store_words(r + i, wide_reduce(load_words(a + i), m, &w));
    zq_reduce_avx2(r + end, a + end, n - end, m);
}
