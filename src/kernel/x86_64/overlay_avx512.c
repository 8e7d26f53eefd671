/* SPDX-License-Identifier: Apache-2.0 */
/* What AVX-512 replaces with F, BW, DQ and VL alone. */
#include "kernel/x86_64/avx512.h"

void eis_kernels_avx512(eis_kernels *k)
{
    k->matmul_w8 = (eis_matmul_kernel){matmul_w8_scratch_avx512, matmul_w8_prepare_avx512, matmul_w8_run_avx512};
    k->words_add = words_add_avx512;
    k->words_sub = words_sub_avx512;
    k->words_sum = words_sum_avx512;
    k->words_from_reals = words_from_reals_avx512;
    k->words_to_reals = words_to_reals_avx512;
    k->f61_axpy = f61_axpy_avx512;
    k->zq.ntt_forward = ntt_forward_avx512;
    k->zq.ntt_inverse = ntt_inverse_avx512;
}
