/* SPDX-License-Identifier: Apache-2.0 */
/* What the 52-bit multiply-add of AVX-512 replaces modulo primes of up to 50 bits. */
#include "kernel/x86_64/avx512.h"

void eis_kernels_avx512ifma(eis_kernels *k)
{
    k->zq.ntt_forward = ntt_forward_avx512ifma;
    k->zq.ntt_inverse = ntt_inverse_avx512ifma;
    k->zq.mul = zq_mul_avx512ifma;
    k->zq.mul_add = zq_mul_add_avx512ifma;
    k->zq.mul_factor = zq_mul_factor_avx512ifma;
    k->zq.mul_factor_add = zq_mul_factor_add_avx512ifma;
    k->zq.sub_mul_factor = zq_sub_mul_factor_avx512ifma;
    k->zq.dot = zq_dot_avx512ifma;
    k->zq.dot_pair = zq_dot_pair_avx512ifma;
    k->zq.reduce = zq_reduce_avx512ifma;
    k->zq.reduce_centred = zq_reduce_centred_avx512ifma;
}
