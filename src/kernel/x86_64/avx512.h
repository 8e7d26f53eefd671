/* SPDX-License-Identifier: Apache-2.0 */
/* The AVX-512 kernels: those of F, BW, DQ and VL, and those that also need VNNI, IFMA and VBMI.
 * Contracts: kernel/kernel.h. */
#ifndef EIS_KERNEL_X86_64_AVX512_H
#define EIS_KERNEL_X86_64_AVX512_H

#include "kernel/kernel.h"

/* words_avx512.c */
void words_add_avx512(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_ring ring);
void words_sub_avx512(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_ring ring);
uint64_t words_sum_avx512(const uint64_t *a, size_t n, eis_ring ring);
void words_from_reals_avx512(uint64_t *words, const double *x, size_t n, double factor, eis_ring ring);
void words_to_reals_avx512(double *out, const uint64_t *words, const double *row_scale, size_t n, double offset,
                           double factor, eis_ring ring);
void f61_axpy_avx512(uint64_t *y, uint64_t c, const uint64_t *x, size_t n);

/* matmul_w8_avx512.c */
size_t matmul_w8_scratch_avx512(const eis_matmul *job);
void matmul_w8_prepare_avx512(const eis_matmul *job);
void matmul_w8_run_avx512(const eis_matmul *job, size_t panel_first, size_t panel_last);

/* matmul_w8_avx512vnni.c */
size_t matmul_w8_scratch_avx512vnni(const eis_matmul *job);
void matmul_w8_prepare_avx512vnni(const eis_matmul *job);
void matmul_w8_run_avx512vnni(const eis_matmul *job, size_t panel_first, size_t panel_last);

/* matmul_w24_avx512vnni.c; scratch of W24 is that of generic/ */
void matmul_w24_run_avx512vnni(const eis_matmul *job, size_t panel_first, size_t panel_last);
size_t matmul_w20_scratch_avx512vnni(const eis_matmul *job);
void matmul_w20_prepare_avx512vnni(const eis_matmul *job);
void matmul_w20_run_avx512vnni(const eis_matmul *job, size_t panel_first, size_t panel_last);

/* ntt_avx512.c, ntt_avx512ifma.c */
void ntt_forward_avx512(uint64_t *a, const eis_ntt_plan *plan);
void ntt_inverse_avx512(uint64_t *a, const eis_ntt_plan *plan);
void ntt_forward_avx512ifma(uint64_t *a, const eis_ntt_plan *plan);
void ntt_inverse_avx512ifma(uint64_t *a, const eis_ntt_plan *plan);

/* words_avx512vnni.c */
void planes_from_words_avx512vnni(uint8_t *planes, const uint64_t *words, size_t n, unsigned p);
void words_from_planes_avx512vnni(uint64_t *words, const uint8_t *planes, size_t n, unsigned p);
void bytes_from_words52_avx512vnni(uint8_t *bytes, const uint64_t *words, size_t n);
void words52_from_bytes_avx512vnni(uint64_t *words, const uint8_t *bytes, size_t n);
uint64_t f61_dot_avx512vnni(const uint64_t *a, const uint64_t *b, size_t n);

#endif
