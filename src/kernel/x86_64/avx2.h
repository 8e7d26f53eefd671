/* SPDX-License-Identifier: Apache-2.0 */
/* The AVX2 kernels, file by file. Contracts: kernel/kernel.h. */
#ifndef EIS_KERNEL_X86_64_AVX2_H
#define EIS_KERNEL_X86_64_AVX2_H

#include "kernel/kernel.h"

/* matmul_w8_avx2.c */
size_t matmul_w8_scratch_avx2(const eis_matmul *job);
void matmul_w8_prepare_avx2(const eis_matmul *job);
void matmul_w8_run_avx2(const eis_matmul *job, size_t panel_first, size_t panel_last);

/* matmul_w24_avx2.c; scratch is that of generic/ */
void matmul_w24_run_avx2(const eis_matmul *job, size_t panel_first, size_t panel_last);
void matmul_w20_run_avx2(const eis_matmul *job, size_t panel_first, size_t panel_last);

/* words_avx2.c */
void words_add_avx2(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_ring ring);
void words_sub_avx2(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_ring ring);
void words_from_reals_avx2(uint64_t *words, const double *x, size_t n, double factor, eis_ring ring);
void words_to_reals_avx2(double *out, const uint64_t *words, const double *row_scale, size_t n, double offset,
                         double factor, eis_ring ring);
void planes_from_words_avx2(uint8_t *planes, const uint64_t *words, size_t n, unsigned p);
void words_from_planes_avx2(uint64_t *words, const uint8_t *planes, size_t n, unsigned p);
void planes_sub_from_words_avx2(uint8_t *planes, const uint64_t *words, size_t n, unsigned p);
void bytes_from_words52_avx2(uint8_t *bytes, const uint64_t *words, size_t n);
void words52_from_bytes_avx2(uint64_t *words, const uint8_t *bytes, size_t n);
void f61_axpy_avx2(uint64_t *y, uint64_t c, const uint64_t *x, size_t n);

/* f61_dot_avx2.c */
uint64_t f61_dot_avx2(const uint64_t *a, const uint64_t *b, size_t n);
void f61_matmul_avx2(uint64_t *y, const uint64_t *w, const uint64_t *x, size_t rows, size_t inner, size_t batch);

/* ntt_avx2.c */
void ntt_forward_avx2(uint64_t *a, const eis_ntt_plan *plan);
void ntt_inverse_avx2(uint64_t *a, const eis_ntt_plan *plan);

/* ntt_wide_avx2.c: primes of 51 bits and more */
void ntt_forward_wide_avx2(uint64_t *a, const eis_ntt_plan *plan);
void ntt_inverse_wide_avx2(uint64_t *a, const eis_ntt_plan *plan);

/* zq_avx2.c */
void zq_add_avx2(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m);
void zq_sub_avx2(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m);
void zq_mul_avx2(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m);
void zq_mul_add_avx2(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m);
void zq_mul_factor_avx2(uint64_t *r, const uint64_t *a, size_t n, eis_zq_factor factor, const eis_modulus *m);
void zq_mul_factor_add_avx2(uint64_t *r, const uint64_t *a, size_t n, eis_zq_factor factor, const eis_modulus *m);
void zq_sub_mul_factor_avx2(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_zq_factor factor,
                            const eis_modulus *m);
void zq_reduce_centred_avx2(uint64_t *r, const uint64_t *a, size_t n, uint64_t p, const eis_modulus *m);

/* zq_dot_avx2.c */
void zq_dot_avx2(uint64_t *r, const uint64_t *const *a, const uint64_t *const *b, size_t terms, const uint32_t *order,
                 size_t n, const eis_modulus *m);
void zq_dot_pair_avx2(uint64_t *r0, uint64_t *r1, const uint64_t *const *a, const uint64_t *const *b0,
                      const uint64_t *const *b1, size_t terms, const uint32_t *order, size_t n, const eis_modulus *m);

/* zq_reduce_avx2.c */
void zq_reduce_avx2(uint64_t *r, const uint64_t *a, size_t n, const eis_modulus *m);

/* sample_avx2.c */
size_t sample_reduce_below_var_avx2(uint64_t *words, size_t n, uint64_t bound, const eis_modulus *m);
void sample_errors_avx2(int8_t *coeff, const uint8_t *bytes, size_t n);
void sample_words_from_small_avx2(uint64_t *words, const int8_t *coeff, size_t n, const eis_modulus *m);

/* seed_avx2.c */
void seed_blake2xb_avx2(uint8_t *out, const uint8_t *seed, uint64_t counter, size_t blocks);
void seed_shake256_avx2(uint8_t *out, const uint8_t *seed, uint64_t counter, size_t blocks);

/* slots_avx2.c */
void slots_forward_avx2(double *re, double *im, const double *root_re, const double *root_im, size_t n);
void slots_inverse_avx2(double *re, double *im, const double *root_re, const double *root_im, size_t n);
double slots_scale_and_round_avx2(double *v, size_t n, double factor);
void slots_words_from_integers_avx2(uint64_t *words, const double *v, size_t n, const eis_modulus *m);
void slots_reals_from_digits_avx2(double *v, const uint64_t *digits, size_t limbs, size_t n, size_t stride,
                                  const eis_modulus *const *m, double factor);

/* text_avx2.c */
void text_hex_write_avx2(char *text, const uint8_t *bytes, size_t n);
uint32_t text_hex_read_avx2(uint8_t *bytes, const uint8_t *text, size_t n);
void text_base64_write_avx2(char *text, const uint8_t *bytes, size_t groups);
uint32_t text_base64_read_avx2(uint8_t *bytes, const uint8_t *text, size_t groups);

/* zq_wide_avx2.c: primes of 51 bits and more */
void zq_mul_wide_avx2(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m);
void zq_mul_add_wide_avx2(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m);
void zq_mul_factor_wide_avx2(uint64_t *r, const uint64_t *a, size_t n, eis_zq_factor factor, const eis_modulus *m);
void zq_mul_factor_add_wide_avx2(uint64_t *r, const uint64_t *a, size_t n, eis_zq_factor factor, const eis_modulus *m);
void zq_sub_mul_factor_wide_avx2(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_zq_factor factor,
                                 const eis_modulus *m);
void zq_dot_wide_avx2(uint64_t *r, const uint64_t *const *a, const uint64_t *const *b, size_t terms,
                      const uint32_t *order, size_t n, const eis_modulus *m);
void zq_dot_pair_wide_avx2(uint64_t *r0, uint64_t *r1, const uint64_t *const *a, const uint64_t *const *b0,
                           const uint64_t *const *b1, size_t terms, const uint32_t *order, size_t n,
                           const eis_modulus *m);
void zq_reduce_centred_wide_avx2(uint64_t *r, const uint64_t *a, size_t n, uint64_t p, const eis_modulus *m);

#endif
