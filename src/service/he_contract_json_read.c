/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of GET /models, in. The server is not trusted: each number is bounded here, and what they mean together by
 * eis_he_contract_check. */
#include "base/mem.h"
#include "service/he_contract_names.h"
#include "wire/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define PATH           "model"
#define U32_MAX        UINT32_MAX
#define LABELS_MAX     65536
#define KEYS_BYTES_MAX ((uint64_t)1 << 40)

/* ---- Small pieces ---- */

static eis_status read_u32(uint32_t *out, eis_json_value object, const char *path, const char *name, bool required,
                           uint32_t min)
{
    uint64_t v = *out;
    eis_status st = eis_json_bind_u64(&v, object, path, name, required, min, U32_MAX);

    if (st == EIS_OK) *out = (uint32_t)v;
    return st;
}

/* Reads a number that a double holds and that is finite. */
static eis_status read_f64(double *out, eis_json_value object, const char *path, const char *name, bool required)
{
    return eis_json_bind_double(out, object, path, name, required, -1e300, 1e300);
}

static eis_status read_u32s(uint32_t *out, size_t count, eis_json_value object, const char *path, const char *name,
                            bool required)
{
    uint64_t v[3];
    eis_status st = EIS_OK;

    for (size_t i = 0; i < count; i++) v[i] = out[i];
    EIS_TRY(eis_json_bind_u64_array(v, count, object, path, name, required, 0, U32_MAX));
    for (size_t i = 0; i < count; i++) out[i] = (uint32_t)v[i];
out:
    return st;
}

/* Copies an array of finite numbers; absent: none. */
static eis_status read_f64s(double **out, uint32_t *count, eis_json_value object, const char *path, const char *name,
                            size_t count_max)
{
    eis_json_value array, value;
    eis_json_iter it;
    eis_status st = EIS_OK;
    double *made = NULL;
    uint32_t length = 0;

    if (!eis_json_find(&array, object, name)) return EIS_OK;
    EIS_TRY(eis_json_bind_array(&array, object, path, name, 1, count_max));
    EIS_NEW(made, eis_json_length(array));
    it = eis_json_iterate(array);
    while (eis_json_next_element(&it, &value))
        EIS_REQUIRE(eis_json_double(&made[length++], value), EIS_ERR_PARSE, "%s: member \"%s\" must hold numbers", path,
                    name);
    *out = made;
    *count = length;
    made = NULL;
out:
    eis_mem_free(made);
    return st;
}

static eis_status read_name(int *value, eis_json_value object, const char *path, const char *name,
                            const eis_he_name *names)
{
    eis_json_value text;
    eis_status st = EIS_OK;

    EIS_TRY(eis_json_bind_member(&text, object, path, name));
    for (; names->name != NULL; names++)
        if (eis_json_string_is(text, names->name)) {
            *value = names->value;
            return EIS_OK;
        }
    st = eis_fail(EIS_ERR_PARSE, "%s: member \"%s\" has an unknown value", path, name);
out:
    return st;
}

/* ---- Parameters ---- */

static eis_status read_bits(eis_ckks_literal *literal, eis_json_value parameters)
{
    static const char path[] = PATH ".encryption_parameters";
    eis_json_value array;
    uint64_t bits[EIS_RNS_PRIMES_MAX];
    eis_status st = EIS_OK;

    EIS_TRY(eis_json_bind_array(&array, parameters, path, "coeff_modulus_bits", 1, EIS_RNS_PRIMES_MAX));
    literal->prime_count = eis_json_length(array);
    EIS_TRY(eis_json_bind_u64_array(bits, literal->prime_count, parameters, path, "coeff_modulus_bits", true, 2, 60));
    for (size_t i = 0; i < literal->prime_count; i++) literal->bits[i] = (unsigned)bits[i];
out:
    return st;
}

/* The primes themselves, where the server says them: then nobody has to find the same ones again. */
static eis_status read_primes(eis_ckks_literal *literal, eis_json_value entry)
{
    eis_json_value array, value;
    eis_json_iter it;
    eis_status st = EIS_OK;
    eis_span text = {0};
    size_t i = 0;

    if (!eis_json_find(&array, entry, "coeff_modulus")) return EIS_OK;
    EIS_TRY(eis_json_bind_array(&array, entry, PATH, "coeff_modulus", literal->prime_count, literal->prime_count));
    it = eis_json_iterate(array);
    while (eis_json_next_element(&it, &value)) {
        EIS_REQUIRE(eis_json_string(&text, value) &&
                        eis_wire_decimal_read(&literal->primes[i++], text.data, text.bytes, 61) == EIS_OK,
                    EIS_ERR_PARSE, PATH ": member \"coeff_modulus\" must hold primes as decimal texts");
    }
    EIS_REQUIRE(literal->primes[0] != 0, EIS_ERR_PARSE, PATH ": member \"coeff_modulus\" holds a zero");
out:
    return st;
}

static eis_status read_policy(eis_ckks_policy *policy, eis_json_value entry)
{
    eis_json_value value;
    eis_status st = EIS_OK;
    char name[40];

    *policy = EIS_CKKS_POLICY_2018_128; /* what every SEAL enforces */
    if (!eis_json_find(&value, entry, "security_policy")) return EIS_OK;
    EIS_TRY(eis_json_bind_text(name, sizeof name, entry, PATH, "security_policy", true));
    EIS_REQUIRE(eis_ckks_policy_parse(policy, name), EIS_ERR_PARSE, PATH ": unknown security_policy");
out:
    return st;
}

static eis_status read_parameters(eis_he_contract *c, eis_he_info *info, eis_json_value entry)
{
    static const char path[] = PATH ".encryption_parameters";
    eis_json_value parameters;
    eis_status st = EIS_OK;
    uint64_t degree = 0;

    EIS_TRY(eis_json_bind_member(&parameters, entry, PATH, "encryption_parameters"));
    EIS_TRY(eis_json_bind_u64(&degree, parameters, path, "poly_modulus_degree", true, EIS_CKKS_DEGREE_MIN,
                              EIS_CKKS_DEGREE_MAX));
    c->literal.degree = (size_t)degree;
    EIS_TRY(read_f64(&c->literal.scale, parameters, path, "scale", true));
    EIS_TRY(read_bits(&c->literal, parameters));
    EIS_TRY(read_u32(&info->depth_published, parameters, path, "max_multiplicative_depth", true, 0));
    c->depth = info->depth_published;
    EIS_TRY(read_primes(&c->literal, entry));
    EIS_TRY(read_policy(&c->literal.policy, entry));
out:
    return st;
}

/* ---- What the original publishes ---- */

static eis_status read_weights(eis_he_info *info, eis_json_value entry)
{
    static const char path[] = PATH ".parameters";
    eis_json_value parameters;
    eis_status st = EIS_OK;

    if (!eis_json_find(&parameters, entry, "parameters")) return EIS_OK;
    EIS_TRY(read_f64s(&info->weights, &info->weight_count, parameters, path, "weights", EIS_HE_WEIGHTS_MAX));
    EIS_TRY(read_f64(&info->bias, parameters, path, "bias", true));
out:
    return st;
}

static eis_status read_coefficients(eis_he_info *info, eis_json_value activation)
{
    static const char path[] = PATH ".activation_parameters";
    eis_status st = EIS_OK;
    double *values = NULL;
    uint32_t count = 0;

    EIS_TRY(read_f64s(&values, &count, activation, path, "coefficients", 3));
    EIS_REQUIRE(count == 3, EIS_ERR_PARSE, "%s: member \"coefficients\" must hold three numbers", path);
    memcpy(info->coefficients, values, sizeof info->coefficients);
out:
    eis_mem_free(values);
    return st;
}

static eis_status read_published(eis_he_info *info, eis_json_value entry)
{
    eis_json_value part;
    eis_status st = EIS_OK;

    EIS_TRY(eis_json_bind_member(&part, entry, PATH, "inference"));
    EIS_TRY(read_u32(&info->input_dimension, part, PATH ".inference", "input_dimension", true, 1));
    EIS_TRY(read_u32(&info->output_dimension, part, PATH ".inference", "output_dimension", true, 1));
    EIS_TRY(eis_json_bind_text(info->activation, sizeof info->activation, part, PATH ".inference", "activation", true));
    EIS_TRY(read_weights(info, entry));
    EIS_TRY(eis_json_bind_member(&part, entry, PATH, "activation_parameters"));
    EIS_TRY(eis_json_bind_text(info->activation_kind, sizeof info->activation_kind, part, PATH ".activation_parameters",
                               "kind", false));
    EIS_TRY(read_coefficients(info, part));
    EIS_TRY(eis_json_bind_member(&part, entry, PATH, "constraints"));
    EIS_TRY(eis_json_bind_u64(&info->batch_published, part, PATH ".constraints", "max_batch_size", true, 1, U32_MAX));
out:
    return st;
}

/* ---- Input scaling and labels ---- */

static eis_status read_shape(eis_he_info *info, eis_json_value input)
{
    static const char path[] = PATH ".input";
    eis_json_value array;
    uint32_t shape[3] = {0};
    eis_status st = EIS_OK;

    if (!eis_json_find(&array, input, "shape")) return EIS_OK;
    EIS_TRY(eis_json_bind_array(&array, input, path, "shape", 1, 3));
    EIS_REQUIRE(eis_json_length(array) != 2, EIS_ERR_PARSE, "%s: member \"shape\" must hold one or three numbers",
                path);
    EIS_TRY(read_u32s(shape, eis_json_length(array), input, path, "shape", true));
    info->channels = shape[0], info->height = shape[1], info->width = shape[2];
    EIS_REQUIRE((uint64_t)shape[0] * (shape[1] == 0 ? 1 : shape[1]) <= U32_MAX &&
                    (uint64_t)shape[0] * (shape[1] == 0 ? 1 : shape[1]) * (shape[2] == 0 ? 1 : shape[2]) ==
                        info->input_dimension,
                EIS_ERR_PARSE, "%s: member \"shape\" is not that of input_dimension numbers", path);
out:
    return st;
}

/* One number, or one for each channel. */
static eis_status check_statistics(const eis_he_info *info)
{
    eis_status st = EIS_OK;

    for (uint32_t i = 0; i < info->deviation_count; i++)
        EIS_REQUIRE(info->deviation[i] > 0, EIS_ERR_PARSE, PATH ".input: member \"std\" must be above 0");
    EIS_REQUIRE(info->mean_count <= 1 || info->mean_count == info->channels, EIS_ERR_PARSE,
                PATH ".input: member \"mean\" must hold one number, or one for each channel");
    EIS_REQUIRE(info->deviation_count <= 1 || info->deviation_count == info->channels, EIS_ERR_PARSE,
                PATH ".input: member \"std\" must hold one number, or one for each channel");
out:
    return st;
}

static eis_status read_input(eis_he_info *info, eis_json_value entry)
{
    static const char path[] = PATH ".input";
    eis_json_value input;
    eis_status st = EIS_OK;

    if (!eis_json_find(&input, entry, "input")) return EIS_OK;
    EIS_TRY(read_shape(info, input));
    EIS_TRY(read_f64(&info->divide, input, path, "divide", false));
    EIS_TRY(read_f64s(&info->mean, &info->mean_count, input, path, "mean", info->input_dimension));
    EIS_TRY(read_f64s(&info->deviation, &info->deviation_count, input, path, "std", info->input_dimension));
    EIS_TRY(check_statistics(info));
out:
    return st;
}

/* Labels are shown to people: one that holds what a terminal would obey is no label. */
static bool is_label(eis_span text)
{
    for (size_t i = 0; i < text.bytes; i++)
        if (text.data[i] < 0x20 || text.data[i] == 0x7f) return false;
    return text.bytes < EIS_HE_LABEL_BYTES;
}

static eis_status read_labels(eis_he_info *info, eis_json_value entry)
{
    eis_json_value array, value;
    eis_json_iter it;
    eis_status st = EIS_OK;
    eis_span text = {0};

    if (!eis_json_find(&array, entry, "labels")) return EIS_OK;
    EIS_TRY(eis_json_bind_array(&array, entry, PATH, "labels", 0, LABELS_MAX));
    if (eis_json_length(array) == 0) return EIS_OK;
    EIS_NEW(info->labels, eis_json_length(array));
    it = eis_json_iterate(array);
    while (eis_json_next_element(&it, &value)) {
        EIS_REQUIRE(eis_json_string(&text, value) && is_label(text), EIS_ERR_PARSE,
                    PATH ": member \"labels\" must hold texts of at most %d bytes", EIS_HE_LABEL_BYTES - 1);
        memcpy(info->labels[info->label_count++], text.data, text.bytes);
    }
out:
    return st;
}

/* ---- Stages ---- */

static eis_status read_image(eis_he_packing *p, eis_json_value object, const char *path)
{
    uint32_t image[3] = {0}, kernel[2] = {0}, stride[2] = {0}, padding[2] = {0};
    eis_status st = EIS_OK;

    EIS_TRY(read_u32s(image, 3, object, path, "image", true));
    EIS_TRY(read_u32s(kernel, 2, object, path, "kernel", true));
    EIS_TRY(read_u32s(stride, 2, object, path, "stride", true));
    EIS_TRY(read_u32s(padding, 2, object, path, "padding", true));
    p->channels = image[0], p->height = image[1], p->width = image[2];
    p->kernel_height = kernel[0], p->kernel_width = kernel[1];
    p->stride_y = stride[0], p->stride_x = stride[1];
    p->pad_y = padding[0], p->pad_x = padding[1];
out:
    return st;
}

static eis_status read_packing(eis_he_packing *p, eis_json_value stage, uint32_t index)
{
    eis_json_value object;
    eis_status st = EIS_OK;
    char path[40];
    int kind = 0;

    snprintf(path, sizeof path, PATH ".stages[%u].packing", index);
    EIS_TRY(eis_json_bind_member(&object, stage, PATH ".stages", "packing"));
    EIS_TRY(read_name(&kind, object, path, "kind", eis_he_packing_names));
    p->kind = (eis_he_packing_kind)kind;
    EIS_TRY(read_u32(&p->size, object, path, "size", true, 1));
    EIS_TRY(read_u32(&p->padded, object, path, "padded", true, 0));
    EIS_TRY(read_u32(&p->copies, object, path, "copies", true, 1));
    EIS_TRY(read_u32(&p->ciphertexts, object, path, "ciphertexts", true, 1));
    EIS_TRY(read_u32(&p->limbs, object, path, "limbs", true, 1));
    EIS_TRY(read_f64(&p->scale, object, path, "scale", true));
    if (p->kind == EIS_HE_BLOCKS) EIS_TRY(read_u32(&p->shift, object, path, "shift", true, 0));
    if (p->kind == EIS_HE_WINDOWS) EIS_TRY(read_image(p, object, path));
out:
    return st;
}

static eis_status read_output(eis_he_output *o, eis_json_value stage, uint32_t index, bool samples)
{
    eis_json_value object;
    eis_status st = EIS_OK;
    int64_t stride = samples ? 0 : 1;
    char path[40];

    snprintf(path, sizeof path, PATH ".stages[%u].output", index);
    EIS_TRY(eis_json_bind_member(&object, stage, PATH ".stages", "output"));
    EIS_TRY(read_u32(&o->count, object, path, "count", true, 1));
    o->per_ciphertext = 1;
    EIS_TRY(read_u32(&o->per_ciphertext, object, path, "per_ciphertext", !samples, 1));
    EIS_TRY(read_u32(&o->ciphertexts, object, path, "ciphertexts", true, 1));
    EIS_TRY(read_u32(&o->start, object, path, "start", !samples, 0));
    EIS_TRY(eis_json_bind_i64(&stride, object, path, "stride", !samples, INT32_MIN, INT32_MAX));
    o->stride = (int32_t)stride;
    EIS_TRY(read_u32(&o->polys, object, path, "polynomials", true, 2));
    EIS_TRY(read_u32(&o->limbs, object, path, "limbs", true, 1));
    EIS_TRY(read_f64(&o->scale, object, path, "scale", true));
    EIS_TRY(read_f64(&o->error, object, path, "error", true));
out:
    return st;
}

static eis_status read_local(eis_he_local *l, eis_json_value object, const char *path)
{
    uint32_t shape[3] = {0}, kernel[2] = {0}, stride[2] = {0}, padding[2] = {0}, count = 0;
    eis_status st = EIS_OK;
    double *coefficients = NULL;
    int op = 0;

    EIS_TRY(read_name(&op, object, path, "op", eis_he_local_names));
    l->op = (eis_step_op)op;
    EIS_TRY(read_u32s(shape, 3, object, path, "shape", true));
    l->channels = shape[0], l->height = shape[1], l->width = shape[2];
    if (l->op == EIS_STEP_MAX_POOL) {
        EIS_TRY(read_u32s(kernel, 2, object, path, "kernel", true));
        EIS_TRY(read_u32s(stride, 2, object, path, "stride", true));
        EIS_TRY(read_u32s(padding, 2, object, path, "padding", true));
    }
    l->kernel_height = kernel[0], l->kernel_width = kernel[1];
    l->stride_y = stride[0], l->stride_x = stride[1];
    l->pad_y = padding[0], l->pad_x = padding[1];
    EIS_TRY(read_f64s(&coefficients, &count, object, path, "coefficients", EIS_HE_COEFF_MAX));
    if (count > 0) memcpy(l->coeff, coefficients, count * sizeof *coefficients);
    l->coeff_count = count;
out:
    eis_mem_free(coefficients);
    return st;
}

static eis_status read_locals(eis_he_stage *s, eis_json_value stage, uint32_t index)
{
    eis_json_value array, value;
    eis_json_iter it;
    eis_status st = EIS_OK;
    char path[40];

    if (!eis_json_find(&array, stage, "local")) return EIS_OK;
    snprintf(path, sizeof path, PATH ".stages[%u].local", index);
    EIS_TRY(eis_json_bind_array(&array, stage, PATH ".stages", "local", 0, EIS_HE_LOCAL_MAX));
    it = eis_json_iterate(array);
    while (eis_json_next_element(&it, &value)) EIS_TRY(read_local(&s->local[s->local_count++], value, path));
out:
    return st;
}

static eis_status read_stages(eis_he_contract *c, eis_json_value stages)
{
    eis_json_iter it = eis_json_iterate(stages);
    eis_json_value stage;
    eis_status st = EIS_OK;

    EIS_REQUIRE(eis_json_type_of(stages) == EIS_JSON_ARRAY && eis_json_length(stages) <= EIS_HE_STAGES_MAX,
                EIS_ERR_PARSE, PATH ": member \"stages\" must be an array of at most %d", EIS_HE_STAGES_MAX);
    while (eis_json_next_element(&it, &stage)) {
        eis_he_stage *s = &c->stage[c->stage_count];

        EIS_TRY(read_packing(&s->input, stage, c->stage_count));
        EIS_TRY(read_output(&s->output, stage, c->stage_count, s->input.kind == EIS_HE_FEATURES));
        EIS_TRY(read_f64(&s->input_max, stage, PATH ".stages", "input_max", false));
        EIS_TRY(read_locals(s, stage, c->stage_count));
        c->stage_count++;
    }
out:
    return st;
}

/* The published kind of model, where a server says nothing about stages: one ciphertext per number; the answer has been
 * rescaled twice, and its scale is set back to the model's. */
static eis_status derive_stage(eis_he_contract *c, const eis_he_info *info)
{
    eis_he_stage *s = &c->stage[0];
    uint32_t limbs = (uint32_t)(c->literal.prime_count > 1 ? c->literal.prime_count - 1 : 1);
    eis_status st = EIS_OK;

    EIS_REQUIRE(strcmp(info->activation, "polynomial_sigmoid_v1") == 0 && info->output_dimension == 1, EIS_ERR_PARSE,
                PATH ": no stages, and not of the published kind that needs none");
    c->stage_count = 1;
    s->input = (eis_he_packing){.kind = EIS_HE_FEATURES,
                                .size = info->input_dimension,
                                .copies = 1,
                                .ciphertexts = info->input_dimension,
                                .limbs = limbs,
                                .scale = c->literal.scale};
    s->output = (eis_he_output){.count = 1,
                                .per_ciphertext = 1,
                                .ciphertexts = 1,
                                .polys = 2,
                                .limbs = limbs > 2 ? limbs - 2 : 1,
                                .scale = c->literal.scale,
                                .error = 1e-3};
out:
    return st;
}

/* Reads an array of at most `most` integers of 32 bits. */
static eis_status read_list(uint32_t *v, uint32_t *count, eis_json_value object, const char *path, const char *name,
                            size_t most)
{
    eis_json_value array, value;
    eis_json_iter it;
    eis_status st = EIS_OK;
    uint64_t number = 0;

    *count = 0;
    EIS_TRY(eis_json_bind_array(&array, object, path, name, 0, most));
    it = eis_json_iterate(array);
    while (eis_json_next_element(&it, &value)) {
        EIS_REQUIRE(eis_json_u64(&number, value) && number <= U32_MAX, EIS_ERR_PARSE,
                    "%s: member \"%s\" must hold integers", path, name);
        v[(*count)++] = (uint32_t)number;
    }
out:
    return st;
}

static eis_status read_levels(eis_he_contract *c, eis_json_value keys)
{
    static const char path[] = PATH ".evaluation_keys.levels";
    eis_json_value levels;
    eis_status st = EIS_OK;
    uint64_t relin = 0;
    uint32_t count = 0;

    if (!eis_json_find(&levels, keys, "levels")) return EIS_OK;
    EIS_TRY(eis_json_bind_u64(&relin, levels, path, "relin", c->needs_relin, 0, EIS_RNS_PRIMES_MAX));
    EIS_TRY(read_list(c->element_limbs, &count, levels, path, "galois", EIS_HE_ELEMENTS_MAX));
    EIS_REQUIRE(count == c->element_count, EIS_ERR_PARSE, "%s: member \"galois\" must have a level for each element",
                path);
    c->relin_limbs = (uint32_t)relin;
    c->has_levels = true;
out:
    return st;
}

static eis_status read_evaluation_keys(eis_he_contract *c, eis_json_value entry)
{
    static const char path[] = PATH ".evaluation_keys";
    eis_json_value keys;
    eis_status st = EIS_OK;

    if (!eis_json_find(&keys, entry, "evaluation_keys")) return EIS_OK;
    EIS_TRY(eis_json_bind_bool(&c->needs_relin, keys, path, "relin", true));
    EIS_TRY(eis_json_bind_bool(&c->needs_public, keys, path, "public", true));
    EIS_TRY(read_list(c->element, &c->element_count, keys, path, "galois_elements", EIS_HE_ELEMENTS_MAX));
    EIS_TRY(read_levels(c, keys));
out:
    return st;
}

/* ---- The whole ---- */

static eis_status read_rest(eis_he_contract *c, eis_he_info *info, eis_json_value entry)
{
    eis_json_value part;
    eis_status st = EIS_OK;
    char magnitudes[16] = "certain";
    uint64_t slots = c->literal.degree / 2;

    c->batch_max = (uint32_t)(info->batch_published < slots ? info->batch_published : slots);
    EIS_TRY(eis_json_bind_text(c->chain, sizeof c->chain, entry, PATH, "chain", false));
    EIS_TRY(eis_json_bind_bool(&c->interactive, entry, PATH, "interactive", false));
    EIS_TRY(eis_json_bind_text(magnitudes, sizeof magnitudes, entry, PATH, "magnitudes", false));
    c->calibrated = strcmp(magnitudes, "calibrated") == 0;
    EIS_TRY(read_f64(&c->input_max, entry, PATH, "input_max", false));
    EIS_TRY(read_evaluation_keys(c, entry));
    if (eis_json_find(&part, entry, "stages"))
        EIS_TRY(read_stages(c, part));
    else
        EIS_TRY(derive_stage(c, info));
    if (!eis_json_find(&part, entry, "limits")) return EIS_OK;
    EIS_TRY(
        eis_json_bind_u64(&info->request_bytes_max, part, PATH ".limits", "request_bytes", false, 0, KEYS_BYTES_MAX));
    EIS_TRY(eis_json_bind_u64(&info->keys_bytes_max, part, PATH ".limits", "keys_bytes", false, 0, KEYS_BYTES_MAX));
out:
    return st;
}

/* A description is for people; what does not fit is cut, and no control character gets through. */
static void read_description(eis_he_info *info, eis_json_value entry)
{
    eis_json_value value;
    eis_span text = {0};
    size_t n;

    if (!eis_json_find(&value, entry, "description") || !eis_json_string(&text, value)) return;
    n = text.bytes < sizeof info->description - 1 ? text.bytes : sizeof info->description - 1;
    while (n < text.bytes && n > 0 && (text.data[n] & 0xc0) == 0x80) n--;
    for (size_t i = 0; i < n; i++)
        info->description[i] = text.data[i] < 0x20 || text.data[i] == 0x7f ? '?' : (char)text.data[i];
}

eis_status eis_he_contract_read(eis_he_contract *contract, eis_he_info *info, eis_json_value entry)
{
    eis_json_value scheme;
    eis_status st = EIS_OK;

    *contract = (eis_he_contract){0};
    *info = (eis_he_info){0};
    EIS_TRY(eis_json_bind_text(info->model_id, sizeof info->model_id, entry, PATH, "model_id", true));
    EIS_TRY(eis_json_bind_text(info->version, sizeof info->version, entry, PATH, "version", true));
    read_description(info, entry);
    EIS_TRY(eis_json_bind_member(&scheme, entry, PATH, "he_scheme"));
    EIS_REQUIRE(eis_json_string_is(scheme, "CKKS"), EIS_ERR_PARSE, PATH ": he_scheme is not CKKS");
    EIS_TRY(read_parameters(contract, info, entry));
    EIS_TRY(read_published(info, entry));
    EIS_TRY(read_input(info, entry));
    EIS_TRY(read_labels(info, entry));
    EIS_TRY(read_rest(contract, info, entry));
    EIS_TRY(eis_he_contract_check(contract));
out:
    if (st != EIS_OK && st != EIS_ERR_MEMORY) st = eis_fail_prefix(EIS_ERR_PROTOCOL, "the server's list of models");
    if (st != EIS_OK) {
        *contract = (eis_he_contract){0};
        eis_he_info_clear(info);
    }
    return st;
}

/* ---- Finding an entry ---- */

static void append_name(char *list, size_t list_bytes, eis_json_value entry)
{
    char name[EIS_HE_MODEL_ID_BYTES];
    size_t have = strlen(list);

    if (eis_json_bind_text(name, sizeof name, entry, PATH, "model_id", true) != EIS_OK) return;
    for (char *c = name; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f) *c = '?';
    snprintf(list + have, list_bytes - have, "%s%s", have > 0 ? ", " : "", name);
}

eis_status eis_he_models_find(eis_json_value *entry, eis_json_value models, const char *model_id, const char *version)
{
    char there[256] = "";
    eis_json_value list, one, value;
    eis_json_iter it;
    bool found = false;

    if (!eis_json_find(&list, models, "models") || eis_json_type_of(list) != EIS_JSON_ARRAY)
        return eis_fail(EIS_ERR_PROTOCOL, "the server's list of models is no list");
    it = eis_json_iterate(list);
    while (eis_json_next_element(&it, &one)) {
        append_name(there, sizeof there, one);
        if (!eis_json_find(&value, one, "model_id") || !eis_json_string_is(value, model_id)) continue;
        if (version != NULL && !(eis_json_find(&value, one, "version") && eis_json_string_is(value, version))) continue;
        *entry = one;
        found = true;
    }
    if (found) return EIS_OK;
    return eis_fail(EIS_ERR_MODEL_NOT_FOUND, "the server has no model \"%.64s\"%s%.32s; it has: %s", model_id,
                    version != NULL ? " of version " : "", version != NULL ? version : "", there);
}
