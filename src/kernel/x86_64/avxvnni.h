/* SPDX-License-Identifier: Apache-2.0 */
/* The AVX-VNNI kernels (256 bits). Contracts: kernel/kernel.h. */
#ifndef EIS_KERNEL_X86_64_AVXVNNI_H
#define EIS_KERNEL_X86_64_AVXVNNI_H

#include "kernel/kernel.h"

size_t matmul_w8_scratch_avxvnni(const eis_matmul *job);
void matmul_w8_prepare_avxvnni(const eis_matmul *job);
void matmul_w8_run_avxvnni(const eis_matmul *job, size_t panel_first, size_t panel_last);

#endif
