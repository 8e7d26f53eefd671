/* SPDX-License-Identifier: Apache-2.0 */
/* What the byte dot product, the 52-bit multiply-add and the byte permutation of AVX-512 replace. */
#include "kernel/x86_64/avx512.h"

#include "kernel/generic/generic.h"

void eis_kernels_avx512vnni(eis_kernels *k)
{
    k->matmul_w8 =
        (eis_matmul_kernel){matmul_w8_scratch_avx512vnni, matmul_w8_prepare_avx512vnni, matmul_w8_run_avx512vnni};
    k->matmul_w24 =
        (eis_matmul_kernel){matmul_sums_scratch_generic, matmul_sums_prepare_generic, matmul_w24_run_avx512vnni};
    k->matmul_w20 =
        (eis_matmul_kernel){matmul_w20_scratch_avx512vnni, matmul_w20_prepare_avx512vnni, matmul_w20_run_avx512vnni};
    k->planes_from_words = planes_from_words_avx512vnni;
    k->words_from_planes = words_from_planes_avx512vnni;
    k->bytes_from_words52 = bytes_from_words52_avx512vnni;
    k->words52_from_bytes = words52_from_bytes_avx512vnni;
    k->f61_dot = f61_dot_avx512vnni;
    k->f61_matmul = f61_matmul_avx512vnni;
}
