/* SPDX-License-Identifier: Apache-2.0 */
/* What AVX2 replaces. */
#include "kernel/x86_64/avx2.h"

void eis_kernels_avx2(eis_kernels *k)
{
    k->matmul_w8 = (eis_matmul_kernel){matmul_w8_scratch_avx2, matmul_w8_prepare_avx2, matmul_w8_run_avx2};
    k->matmul_w24.run = matmul_w24_run_avx2;
    k->matmul_w20.run = matmul_w20_run_avx2;
}
