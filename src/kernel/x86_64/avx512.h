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

/* sample_avx512.c */
size_t sample_reduce_below_var_avx512(uint64_t *words, size_t n, uint64_t bound, const eis_modulus *m);
void sample_words_from_small_avx512(uint64_t *words, const int8_t *coeff, size_t n, const eis_modulus *m);

/* seed_avx512.c */
void seed_blake2xb_avx512(uint8_t *out, const uint8_t *seed, uint64_t counter, size_t blocks);
void seed_shake256_avx512(uint8_t *out, const uint8_t *seed, uint64_t counter, size_t blocks);

/* slots_avx512.c */
void slots_forward_avx512(double *re, double *im, const double *root_re, const double *root_im, size_t n);
void slots_inverse_avx512(double *re, double *im, const double *root_re, const double *root_im, size_t n);
double slots_scale_and_round_avx512(double *v, size_t n, double factor);
void slots_words_from_integers_avx512(uint64_t *words, const double *v, size_t n, const eis_modulus *m);
void slots_reals_from_digits_avx512(double *v, const uint64_t *digits, size_t limbs, size_t n, size_t stride,
                                    const eis_modulus *const *m, double factor);

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

/* zq_avx512.c, zq_avx512ifma.c */
void zq_add_avx512(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m);
void zq_sub_avx512(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m);
void zq_mul_avx512(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m);
void zq_mul_add_avx512(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m);
void zq_mul_factor_avx512(uint64_t *r, const uint64_t *a, size_t n, eis_zq_factor factor, const eis_modulus *m);
void zq_mul_factor_add_avx512(uint64_t *r, const uint64_t *a, size_t n, eis_zq_factor factor, const eis_modulus *m);
void zq_sub_mul_factor_avx512(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_zq_factor factor,
                              const eis_modulus *m);
void zq_dot_avx512(uint64_t *r, const uint64_t *const *a, const uint64_t *const *b, size_t terms, const uint32_t *order,
                   size_t n, const eis_modulus *m);
void zq_dot_pair_avx512(uint64_t *r0, uint64_t *r1, const uint64_t *const *a, const uint64_t *const *b0,
                        const uint64_t *const *b1, size_t terms, const uint32_t *order, size_t n, const eis_modulus *m);
void zq_reduce_avx512(uint64_t *r, const uint64_t *a, size_t n, const eis_modulus *m);
void zq_reduce_centred_avx512(uint64_t *r, const uint64_t *a, size_t n, uint64_t p, const eis_modulus *m);
void zq_mul_avx512ifma(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m);
void zq_mul_add_avx512ifma(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m);
void zq_mul_factor_avx512ifma(uint64_t *r, const uint64_t *a, size_t n, eis_zq_factor factor, const eis_modulus *m);
void zq_mul_factor_add_avx512ifma(uint64_t *r, const uint64_t *a, size_t n, eis_zq_factor factor, const eis_modulus *m);
void zq_sub_mul_factor_avx512ifma(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_zq_factor factor,
                                  const eis_modulus *m);
void zq_dot_avx512ifma(uint64_t *r, const uint64_t *const *a, const uint64_t *const *b, size_t terms,
                       const uint32_t *order, size_t n, const eis_modulus *m);
void zq_dot_pair_avx512ifma(uint64_t *r0, uint64_t *r1, const uint64_t *const *a, const uint64_t *const *b0,
                            const uint64_t *const *b1, size_t terms, const uint32_t *order, size_t n,
                            const eis_modulus *m);
void zq_reduce_avx512ifma(uint64_t *r, const uint64_t *a, size_t n, const eis_modulus *m);
void zq_reduce_centred_avx512ifma(uint64_t *r, const uint64_t *a, size_t n, uint64_t p, const eis_modulus *m);

/* words_avx512vnni.c */
void planes_from_words_avx512vnni(uint8_t *planes, const uint64_t *words, size_t n, unsigned p);
void words_from_planes_avx512vnni(uint64_t *words, const uint8_t *planes, size_t n, unsigned p);
void bytes_from_words52_avx512vnni(uint8_t *bytes, const uint64_t *words, size_t n);
void words52_from_bytes_avx512vnni(uint64_t *words, const uint8_t *bytes, size_t n);
uint64_t f61_dot_avx512vnni(const uint64_t *a, const uint64_t *b, size_t n);
void f61_matmul_avx512vnni(uint64_t *y, const uint64_t *w, const uint64_t *x, size_t rows, size_t inner, size_t batch);

#endif
