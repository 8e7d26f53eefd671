/* SPDX-License-Identifier: Apache-2.0 */
/* The plain C kernels that other files of the level, or an overlay that shares a step, refer to.
 * Contracts: kernel/kernel.h. */
#ifndef EIS_KERNEL_GENERIC_GENERIC_H
#define EIS_KERNEL_GENERIC_GENERIC_H

#include "kernel/kernel.h"

/* matmul_generic.c */
size_t matmul_w8_scratch_generic(const eis_matmul *job);
void matmul_w8_prepare_generic(const eis_matmul *job);
void matmul_w8_run_generic(const eis_matmul *job, size_t panel_first, size_t panel_last);

/* Scratch of both offset-binary kernels: the sum of every vector in the ring, one word each. */
size_t matmul_sums_scratch_generic(const eis_matmul *job);
void matmul_sums_prepare_generic(const eis_matmul *job);
void matmul_w24_run_generic(const eis_matmul *job, size_t panel_first, size_t panel_last);
void matmul_w20_run_generic(const eis_matmul *job, size_t panel_first, size_t panel_last);

/* words_generic.c */
void words_add_generic(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_ring ring);
void words_sub_generic(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_ring ring);
uint64_t words_sum_generic(const uint64_t *a, size_t n, eis_ring ring);
void words_from_reals_generic(uint64_t *words, const double *x, size_t n, double factor, eis_ring ring);
void words_to_reals_generic(double *out, const uint64_t *words, const double *row_scale, size_t n, double offset,
                            double factor, eis_ring ring);
void planes_from_words_generic(uint8_t *planes, const uint64_t *words, size_t n, unsigned p);
void words_from_planes_generic(uint64_t *words, const uint8_t *planes, size_t n, unsigned p);
void planes_sub_from_words_generic(uint8_t *planes, const uint64_t *words, size_t n, unsigned p);
void bytes_from_words52_generic(uint8_t *bytes, const uint64_t *words, size_t n);
void words52_from_bytes_generic(uint64_t *words, const uint8_t *bytes, size_t n);
uint64_t f61_dot_generic(const uint64_t *a, const uint64_t *b, size_t n);
void f61_axpy_generic(uint64_t *y, uint64_t c, const uint64_t *x, size_t n);
void f61_matmul_generic(uint64_t *y, const uint64_t *w, const uint64_t *x, size_t rows, size_t inner, size_t batch);

/* ntt_generic.c */
void ntt_forward_generic(uint64_t *a, const eis_ntt_plan *plan);
void ntt_inverse_generic(uint64_t *a, const eis_ntt_plan *plan);

/* zq_generic.c */
void zq_add_generic(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m);
void zq_sub_generic(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m);
void zq_mul_generic(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m);
void zq_mul_add_generic(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m);
void zq_mul_factor_generic(uint64_t *r, const uint64_t *a, size_t n, eis_zq_factor factor, const eis_modulus *m);
void zq_mul_factor_add_generic(uint64_t *r, const uint64_t *a, size_t n, eis_zq_factor factor, const eis_modulus *m);
void zq_sub_mul_factor_generic(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, eis_zq_factor factor,
                               const eis_modulus *m);
void zq_dot_generic(uint64_t *r, const uint64_t *const *a, const uint64_t *const *b, size_t terms,
                    const uint32_t *order, size_t n, const eis_modulus *m);
void zq_dot_pair_generic(uint64_t *r0, uint64_t *r1, const uint64_t *const *a, const uint64_t *const *b0,
                         const uint64_t *const *b1, size_t terms, const uint32_t *order, size_t n,
                         const eis_modulus *m);
void zq_reduce_generic(uint64_t *r, const uint64_t *a, size_t n, const eis_modulus *m);
void zq_reduce_centred_generic(uint64_t *r, const uint64_t *a, size_t n, uint64_t p, const eis_modulus *m);

/* sample_generic.c */
size_t sample_reduce_below_var_generic(uint64_t *words, size_t n, uint64_t bound, const eis_modulus *m);
void sample_errors_generic(int8_t *coeff, const uint8_t *bytes, size_t n);
void sample_trits_generic(int8_t *coeff, const uint8_t *bytes, size_t words);
void sample_words_from_small_generic(uint64_t *words, const int8_t *coeff, size_t n, const eis_modulus *m);

/* seed_generic.c */
void seed_blake2xb_generic(uint8_t *out, const uint8_t *seed, uint64_t counter, size_t blocks);
void seed_shake256_generic(uint8_t *out, const uint8_t *seed, uint64_t counter, size_t blocks);

/* slots_generic.c */
void slots_forward_generic(double *re, double *im, const double *root_re, const double *root_im, size_t n);
void slots_inverse_generic(double *re, double *im, const double *root_re, const double *root_im, size_t n);
double slots_scale_and_round_generic(double *v, size_t n, double factor);
void slots_words_from_integers_generic(uint64_t *words, const double *v, size_t n, const eis_modulus *m);
void slots_reals_from_digits_generic(double *v, const uint64_t *digits, size_t limbs, size_t n, size_t stride,
                                     const eis_modulus *const *m, double factor);

/* text_generic.c */
void text_hex_write_generic(char *text, const uint8_t *bytes, size_t n);
uint32_t text_hex_read_generic(uint8_t *bytes, const uint8_t *text, size_t n);
void text_base64_write_generic(char *text, const uint8_t *bytes, size_t groups);
uint32_t text_base64_read_generic(uint8_t *bytes, const uint8_t *text, size_t groups);

#endif
