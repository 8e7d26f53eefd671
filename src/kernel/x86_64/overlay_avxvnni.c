/* SPDX-License-Identifier: Apache-2.0 */
/* What the 256-bit byte dot product replaces. */
#include "kernel/x86_64/avxvnni.h"

void eis_kernels_avxvnni(eis_kernels *k)
{
    k->matmul_w8 = (eis_matmul_kernel){matmul_w8_scratch_avxvnni, matmul_w8_prepare_avxvnni, matmul_w8_run_avxvnni};
}
