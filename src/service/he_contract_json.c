/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of GET /models, out. */
#include "service/he_contract_json.h"

#include "base/mem.h"
#include "ckks/seal_ct.h"
#include "service/he_contract_names.h"
#include "service/he_envelope_internal.h"

#include <inttypes.h>
#include <stdio.h>

const eis_he_name eis_he_packing_names[] = {{"features", EIS_HE_FEATURES},
                                            {"rows", EIS_HE_ROWS},
                                            {"blocks", EIS_HE_BLOCKS},
                                            {"windows", EIS_HE_WINDOWS},
                                            {NULL, 0}};

const eis_he_name eis_he_local_names[] = {{"relu", EIS_STEP_RELU},
                                          {"square", EIS_STEP_SQUARE},
                                          {"sigmoid", EIS_STEP_SIGMOID},
                                          {"polynomial", EIS_STEP_POLYNOMIAL},
                                          {"max_pool", EIS_STEP_MAX_POOL},
                                          {"flatten", EIS_STEP_FLATTEN},
                                          {NULL, 0}};

static const char *name_of(const eis_he_name *names, int value)
{
    while (names->name != NULL && names->value != value) names++;
    EIS_ASSERT(names->name != NULL);
    return names->name;
}

void eis_he_info_clear(eis_he_info *info)
{
    eis_mem_free(info->mean);
    eis_mem_free(info->deviation);
    eis_mem_free(info->labels);
    eis_mem_free(info->weights);
    *info = (eis_he_info){0};
}

/* ---- Small pieces ---- */

static void write_u64(eis_json_writer *w, const char *name, uint64_t v)
{
    eis_json_writer_key(w, name);
    eis_json_writer_u64(w, v);
}

static void write_f64(eis_json_writer *w, const char *name, double v)
{
    eis_json_writer_key(w, name);
    eis_json_writer_f64(w, v);
}

static void write_bool(eis_json_writer *w, const char *name, bool v)
{
    eis_json_writer_key(w, name);
    eis_json_writer_bool(w, v);
}

static void write_u32s(eis_json_writer *w, const char *name, const uint32_t *v, size_t count)
{
    eis_json_writer_key(w, name);
    eis_json_writer_begin_array(w);
    for (size_t i = 0; i < count; i++) eis_json_writer_u64(w, v[i]);
    eis_json_writer_end_array(w);
}

static void write_f64s(eis_json_writer *w, const char *name, const double *v, size_t count)
{
    eis_json_writer_key(w, name);
    eis_json_writer_begin_array(w);
    for (size_t i = 0; i < count; i++) eis_json_writer_f64(w, v[i]);
    eis_json_writer_end_array(w);
}

/* ---- Parameters ---- */

static unsigned bits_of(uint64_t prime)
{
    unsigned bits = 0;

    while (prime >> bits != 0) bits++;
    return bits;
}

void eis_he_parameters_write(eis_json_writer *w, const eis_he_contract *contract, const eis_ckks_params *params,
                             const eis_he_info *info)
{
    eis_json_writer_key(w, "encryption_parameters");
    eis_json_writer_begin_object(w);
    write_u64(w, "poly_modulus_degree", params->degree);
    write_f64(w, "scale", contract->literal.scale);
    eis_json_writer_key(w, "coeff_modulus_bits");
    eis_json_writer_begin_array(w);
    for (size_t i = 0; i < params->prime_count; i++)
        eis_json_writer_u64(w, bits_of(eis_rns_modulus(&params->rns, i)->q));
    eis_json_writer_end_array(w);
    write_u64(w, "max_multiplicative_depth", info->depth_published);
    eis_json_writer_end_object(w);
}

void eis_he_modulus_write(eis_json_writer *w, const eis_ckks_params *params)
{
    char text[24];

    eis_json_writer_key(w, "coeff_modulus");
    eis_json_writer_begin_array(w);
    for (size_t i = 0; i < params->prime_count; i++) {
        snprintf(text, sizeof text, "%" PRIu64, eis_rns_modulus(&params->rns, i)->q);
        eis_json_writer_text(w, text);
    }
    eis_json_writer_end_array(w);
}

void eis_he_keys_needed_write(eis_json_writer *w, const eis_he_contract *contract)
{
    eis_json_writer_key(w, "evaluation_keys");
    eis_json_writer_begin_object(w);
    write_bool(w, "relin", contract->needs_relin);
    write_bool(w, "public", contract->needs_public);
    write_u32s(w, "galois_elements", contract->element, contract->element_count);
    if (contract->has_levels) {
        eis_json_writer_key(w, "levels");
        eis_json_writer_begin_object(w);
        if (contract->needs_relin) write_u64(w, "relin", contract->relin_limbs);
        write_u32s(w, "galois", contract->element_limbs, contract->element_count);
        eis_json_writer_end_object(w);
    }
    eis_json_writer_end_object(w);
}

/* ---- What the original publishes ---- */

static void write_published(eis_json_writer *w, const eis_he_info *info)
{
    eis_json_writer_key(w, "inference");
    eis_json_writer_begin_object(w);
    write_u64(w, "input_dimension", info->input_dimension);
    write_u64(w, "output_dimension", info->output_dimension);
    eis_he_write_text(w, "activation", info->activation);
    eis_json_writer_end_object(w);
    if (info->weights != NULL) {
        eis_json_writer_key(w, "parameters");
        eis_json_writer_begin_object(w);
        write_f64s(w, "weights", info->weights, info->weight_count);
        write_f64(w, "bias", info->bias);
        eis_json_writer_end_object(w);
    }
    eis_json_writer_key(w, "activation_parameters");
    eis_json_writer_begin_object(w);
    eis_he_write_text(w, "kind", info->activation_kind);
    write_f64s(w, "coefficients", info->coefficients, 3);
    eis_json_writer_end_object(w);
    eis_json_writer_key(w, "constraints");
    eis_json_writer_begin_object(w);
    write_u64(w, "max_batch_size", info->batch_published);
    eis_json_writer_end_object(w);
}

/* ---- What a client needs for other models ---- */

static void write_input(eis_json_writer *w, const eis_he_info *info)
{
    const uint32_t shape[3] = {info->channels, info->height, info->width};

    if (info->channels == 0) return;
    eis_json_writer_key(w, "input");
    eis_json_writer_begin_object(w);
    write_u32s(w, "shape", shape, info->height == 0 ? 1 : 3);
    if (info->divide != 0) write_f64(w, "divide", info->divide);
    if (info->mean_count > 0) write_f64s(w, "mean", info->mean, info->mean_count);
    if (info->deviation_count > 0) write_f64s(w, "std", info->deviation, info->deviation_count);
    eis_json_writer_end_object(w);
}

static void write_labels(eis_json_writer *w, const eis_he_info *info)
{
    if (info->label_count == 0) return;
    eis_json_writer_key(w, "labels");
    eis_json_writer_begin_array(w);
    for (uint32_t i = 0; i < info->label_count; i++) eis_json_writer_text(w, info->labels[i]);
    eis_json_writer_end_array(w);
}

static void write_pair(eis_json_writer *w, const char *name, uint32_t y, uint32_t x)
{
    const uint32_t pair[2] = {y, x};

    write_u32s(w, name, pair, 2);
}

static void write_packing(eis_json_writer *w, const eis_he_packing *p)
{
    const uint32_t image[3] = {p->channels, p->height, p->width};

    eis_json_writer_key(w, "packing");
    eis_json_writer_begin_object(w);
    eis_he_write_text(w, "kind", name_of(eis_he_packing_names, (int)p->kind));
    write_u64(w, "size", p->size);
    write_u64(w, "padded", p->padded);
    write_u64(w, "copies", p->copies);
    write_u64(w, "ciphertexts", p->ciphertexts);
    if (p->kind == EIS_HE_BLOCKS) write_u64(w, "shift", p->shift);
    if (p->kind == EIS_HE_WINDOWS) {
        write_u32s(w, "image", image, 3);
        write_pair(w, "kernel", p->kernel_height, p->kernel_width);
        write_pair(w, "stride", p->stride_y, p->stride_x);
        write_pair(w, "padding", p->pad_y, p->pad_x);
    }
    write_u64(w, "limbs", p->limbs);
    write_f64(w, "scale", p->scale);
    eis_json_writer_end_object(w);
}

static void write_output(eis_json_writer *w, const eis_he_output *o, bool samples)
{
    eis_json_writer_key(w, "output");
    eis_json_writer_begin_object(w);
    eis_he_write_text(w, "kind", samples ? "samples" : "slots");
    write_u64(w, "count", o->count);
    write_u64(w, "per_ciphertext", o->per_ciphertext);
    write_u64(w, "ciphertexts", o->ciphertexts);
    write_u64(w, "start", o->start);
    eis_json_writer_key(w, "stride");
    eis_json_writer_i64(w, o->stride);
    write_u64(w, "polynomials", o->polys);
    write_u64(w, "limbs", o->limbs);
    write_f64(w, "scale", o->scale);
    write_f64(w, "error", o->error);
    eis_json_writer_end_object(w);
}

static void write_local(eis_json_writer *w, const eis_he_local *l)
{
    const uint32_t shape[3] = {l->channels, l->height, l->width};

    eis_json_writer_begin_object(w);
    eis_he_write_text(w, "op", name_of(eis_he_local_names, (int)l->op));
    write_u32s(w, "shape", shape, 3);
    if (l->op == EIS_STEP_MAX_POOL) {
        write_pair(w, "kernel", l->kernel_height, l->kernel_width);
        write_pair(w, "stride", l->stride_y, l->stride_x);
        write_pair(w, "padding", l->pad_y, l->pad_x);
    }
    if (l->op == EIS_STEP_POLYNOMIAL) write_f64s(w, "coefficients", l->coeff, l->coeff_count);
    eis_json_writer_end_object(w);
}

static void write_stages(eis_json_writer *w, const eis_he_contract *contract)
{
    eis_json_writer_key(w, "stages");
    eis_json_writer_begin_array(w);
    for (uint32_t i = 0; i < contract->stage_count; i++) {
        const eis_he_stage *stage = &contract->stage[i];

        eis_json_writer_begin_object(w);
        write_packing(w, &stage->input);
        write_output(w, &stage->output, stage->input.kind == EIS_HE_FEATURES);
        if (stage->input_max > 0) write_f64(w, "input_max", stage->input_max);
        if (stage->local_count > 0) {
            eis_json_writer_key(w, "local");
            eis_json_writer_begin_array(w);
            for (uint32_t j = 0; j < stage->local_count; j++) write_local(w, &stage->local[j]);
            eis_json_writer_end_array(w);
        }
        eis_json_writer_end_object(w);
    }
    eis_json_writer_end_array(w);
}

size_t eis_he_input_sizes(size_t sizes[EIS_HE_INPUT_SIZES], const eis_ckks_params *params, size_t limbs)
{
    sizes[0] = eis_ckks_ct_bytes(params, 2, limbs, EIS_SEAL_FORM_4_1, true);
    sizes[1] = eis_ckks_ct_bytes(params, 2, limbs, EIS_SEAL_FORM_UNIVERSAL, true);
    sizes[2] = eis_ckks_ct_bytes(params, 2, limbs, EIS_SEAL_FORM_4_1, false);
    sizes[3] = eis_ckks_ct_bytes(params, 2, limbs, EIS_SEAL_FORM_UNIVERSAL, false);
    return sizes[2];
}

static void write_limits(eis_json_writer *w, const eis_he_contract *contract, const eis_ckks_params *params,
                         const eis_he_info *info)
{
    size_t sizes[EIS_HE_INPUT_SIZES];
    uint64_t seen = 0; /* levels whose sizes stand there already */

    eis_json_writer_key(w, "limits");
    eis_json_writer_begin_object(w);
    eis_json_writer_key(w, "ciphertext_bytes");
    eis_json_writer_begin_array(w);
    for (uint32_t i = 0; i < contract->stage_count; i++) {
        uint32_t limbs = contract->stage[i].input.limbs;

        if (limbs < 64 && (seen >> limbs & 1) != 0) continue;
        seen |= limbs < 64 ? (uint64_t)1 << limbs : 0;
        (void)eis_he_input_sizes(sizes, params, limbs);
        for (size_t k = 0; k < EIS_HE_INPUT_SIZES; k++) eis_json_writer_u64(w, sizes[k]);
    }
    eis_json_writer_end_array(w);
    if (info->request_bytes_max > 0) write_u64(w, "request_bytes", info->request_bytes_max);
    write_u64(w, "keys_bytes", info->keys_bytes_max);
    eis_json_writer_end_object(w);
}

void eis_he_contract_write(eis_json_writer *w, const eis_he_contract *contract, const eis_ckks_params *params,
                           const eis_he_info *info)
{
    eis_json_writer_begin_object(w);
    eis_he_write_text(w, "model_id", info->model_id);
    eis_he_write_text(w, "version", info->version);
    eis_he_write_text(w, "description", info->description);
    eis_he_write_text(w, "he_scheme", "CKKS");
    eis_he_parameters_write(w, contract, params, info);
    write_published(w, info);
    if (contract->chain[0] != '\0') eis_he_write_text(w, "chain", contract->chain);
    eis_he_write_text(w, "security_policy", eis_ckks_policy_name(contract->literal.policy));
    eis_he_modulus_write(w, params);
    eis_he_write_text(w, "magnitudes", contract->calibrated ? "calibrated" : "certain");
    if (contract->input_max > 0) write_f64(w, "input_max", contract->input_max);
    write_bool(w, "interactive", contract->interactive);
    write_input(w, info);
    write_labels(w, info);
    write_stages(w, contract);
    eis_he_keys_needed_write(w, contract);
    write_limits(w, contract, params, info);
    eis_json_writer_end_object(w);
}
