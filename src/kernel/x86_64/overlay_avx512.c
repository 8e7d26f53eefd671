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
    k->zq.add = zq_add_avx512;
    k->zq.sub = zq_sub_avx512;
    k->zq.mul = zq_mul_avx512;
    k->zq.mul_add = zq_mul_add_avx512;
    k->zq.mul_factor = zq_mul_factor_avx512;
    k->zq.mul_factor_add = zq_mul_factor_add_avx512;
    k->zq.sub_mul_factor = zq_sub_mul_factor_avx512;
    k->zq.dot = zq_dot_avx512;
    k->zq.dot_pair = zq_dot_pair_avx512;
    k->zq.reduce = zq_reduce_avx512;
    k->zq.reduce_centred = zq_reduce_centred_avx512;
    k->sample.reduce_below_var = sample_reduce_below_var_avx512;
    k->sample.words_from_small = sample_words_from_small_avx512;
    k->seed = (eis_seed_kernels){seed_blake2xb_avx512, seed_shake256_avx512};
    k->slots = (eis_slot_kernels){slots_forward_avx512, slots_inverse_avx512, slots_scale_and_round_avx512,
                                  slots_words_from_integers_avx512, slots_reals_from_digits_avx512};
}
