/* SPDX-License-Identifier: Apache-2.0 */
/* What the 52-bit multiply-add of AVX-512 replaces modulo primes of up to 50 bits. */
#include "kernel/x86_64/avx512.h"

void eis_kernels_avx512ifma(eis_kernels *k)
{
    k->zq.ntt_forward = ntt_forward_avx512ifma;
    k->zq.ntt_inverse = ntt_inverse_avx512ifma;
}
