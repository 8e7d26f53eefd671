/* SPDX-License-Identifier: Apache-2.0 */
/* The level that exists everywhere: all entries in plain C. */
#include "kernel/generic/generic.h"

void eis_kernels_generic(eis_kernels *k)
{
    *k = (eis_kernels){
        .name = "generic",
        .matmul_w8 = {matmul_w8_scratch_generic, matmul_w8_prepare_generic, matmul_w8_run_generic},
        .matmul_w24 = {matmul_sums_scratch_generic, matmul_sums_prepare_generic, matmul_w24_run_generic},
        .matmul_w20 = {matmul_sums_scratch_generic, matmul_sums_prepare_generic, matmul_w20_run_generic},
        .words_add = words_add_generic,
        .words_sub = words_sub_generic,
        .words_sum = words_sum_generic,
        .words_from_reals = words_from_reals_generic,
        .words_to_reals = words_to_reals_generic,
        .planes_from_words = planes_from_words_generic,
        .words_from_planes = words_from_planes_generic,
        .planes_sub_from_words = planes_sub_from_words_generic,
        .bytes_from_words52 = bytes_from_words52_generic,
        .words52_from_bytes = words52_from_bytes_generic,
        .f61_dot = f61_dot_generic,
        .f61_axpy = f61_axpy_generic,
        .f61_matmul = f61_matmul_generic,
        .zq =
            {
                .ntt_forward = ntt_forward_generic,
                .ntt_inverse = ntt_inverse_generic,
                .add = zq_add_generic,
                .sub = zq_sub_generic,
                .mul = zq_mul_generic,
                .mul_add = zq_mul_add_generic,
                .mul_factor = zq_mul_factor_generic,
                .mul_factor_add = zq_mul_factor_add_generic,
                .sub_mul_factor = zq_sub_mul_factor_generic,
                .dot = zq_dot_generic,
                .dot_pair = zq_dot_pair_generic,
                .reduce = zq_reduce_generic,
                .reduce_centred = zq_reduce_centred_generic,
            },
        .sample = {sample_reduce_below_var_generic, sample_errors_generic, sample_trits_generic,
                   sample_words_from_small_generic},
        .text = {text_hex_write_generic, text_hex_read_generic, text_base64_write_generic, text_base64_read_generic},
        .slots = {slots_forward_generic, slots_inverse_generic, slots_scale_and_round_generic,
                  slots_words_from_integers_generic, slots_reals_from_digits_generic},
        .seed = {seed_blake2xb_generic, seed_shake256_generic},
    };
}
