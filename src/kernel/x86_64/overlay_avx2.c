/* SPDX-License-Identifier: Apache-2.0 */
/* What AVX2 replaces. Sums stay in plain C. */
#include "kernel/x86_64/avx2.h"

void eis_kernels_avx2(eis_kernels *k)
{
    k->matmul_w8 = (eis_matmul_kernel){matmul_w8_scratch_avx2, matmul_w8_prepare_avx2, matmul_w8_run_avx2};
    k->matmul_w24.run = matmul_w24_run_avx2;
    k->matmul_w20.run = matmul_w20_run_avx2;
    k->words_add = words_add_avx2;
    k->words_sub = words_sub_avx2;
    k->words_from_reals = words_from_reals_avx2;
    k->words_to_reals = words_to_reals_avx2;
    k->planes_from_words = planes_from_words_avx2;
    k->words_from_planes = words_from_planes_avx2;
    k->planes_sub_from_words = planes_sub_from_words_avx2;
    k->bytes_from_words52 = bytes_from_words52_avx2;
    k->words52_from_bytes = words52_from_bytes_avx2;
    k->f61_dot = f61_dot_avx2;
    k->f61_axpy = f61_axpy_avx2;
    k->f61_matmul = f61_matmul_avx2;
    k->zq.ntt_forward = ntt_forward_avx2;
    k->zq.ntt_inverse = ntt_inverse_avx2;
    k->zq.add = zq_add_avx2;
    k->zq.sub = zq_sub_avx2;
    k->zq.mul = zq_mul_avx2;
    k->zq.mul_add = zq_mul_add_avx2;
    k->zq.mul_factor = zq_mul_factor_avx2;
    k->zq.mul_factor_add = zq_mul_factor_add_avx2;
    k->zq.sub_mul_factor = zq_sub_mul_factor_avx2;
    k->zq.dot = zq_dot_avx2;
    k->zq.dot_pair = zq_dot_pair_avx2;
    k->zq.reduce = zq_reduce_avx2;
    k->zq.reduce_centred = zq_reduce_centred_avx2;
    k->sample.reduce_below_var = sample_reduce_below_var_avx2;
    k->sample.errors = sample_errors_avx2;
    k->sample.words_from_small = sample_words_from_small_avx2;
    k->text =
        (eis_text_kernels){text_hex_write_avx2, text_hex_read_avx2, text_base64_write_avx2, text_base64_read_avx2};
    k->slots = (eis_slot_kernels){slots_forward_avx2, slots_inverse_avx2, slots_scale_and_round_avx2,
                                  slots_words_from_integers_avx2, slots_reals_from_digits_avx2};
    k->seed = (eis_seed_kernels){seed_blake2xb_avx2, seed_shake256_avx2};
}
