/* SPDX-License-Identifier: Apache-2.0 */
/* One file of the registry: first the schema, strictly, then what the numbers mean. */
#include "base/mem.h"
#include "model/dense.h"
#include "service/he_registry_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ENTRY           "entry" /* what texts about members call the whole */
#define ENTRY_BYTES_MAX ((size_t)1 << 20)
#define ACTIVATION      "polynomial_sigmoid_v1"
#define REACH           8.0 /* of z, where a published model with a square is meant to be used */

void eis_he_entry_clear(eis_he_entry *entry)
{
    eis_he_info_clear(&entry->info);
    *entry = (eis_he_entry){0};
}

/* ---- Schema: members of both kinds ---- */

/* Whether a text may stand in a request and in a log as it is. */
static bool is_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

    return text[0] != '\0' && strchr(letters, text[0]) != NULL &&
           strspn(text + 1, "._-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == strlen(text + 1);
}

static eis_status read_names(eis_he_info *info, eis_json_value root, const char *path)
{
    eis_json_value scheme;
    eis_status st = EIS_OK;

    EIS_TRY(eis_json_bind_text(info->model_id, sizeof info->model_id, root, path, "model_id", true));
    EIS_TRY(eis_json_bind_text(info->version, sizeof info->version, root, path, "version", true));
    EIS_TRY(eis_json_bind_text(info->description, sizeof info->description, root, path, "description", true));
    EIS_TRY(eis_json_bind_member(&scheme, root, path, "he_scheme"));
    EIS_REQUIRE(eis_json_string_is(scheme, "CKKS"), EIS_ERR_PARSE, "%s: member \"he_scheme\" must be \"CKKS\"", path);
    EIS_REQUIRE(is_name(info->model_id), EIS_ERR_PARSE,
                "%s: member \"model_id\" must be made of letters, digits and ._- and begin with a letter or digit",
                path);
    EIS_REQUIRE(is_name(info->version), EIS_ERR_PARSE,
                "%s: member \"version\" must be made of letters, digits and ._- and begin with a letter or digit",
                path);
out:
    return st;
}

static eis_status read_policy(eis_he_entry *entry, eis_json_value root, const char *path)
{
    eis_json_value value;
    eis_status st = EIS_OK;
    char name[40];

    if (!eis_json_find(&value, root, "security_policy")) return EIS_OK;
    EIS_TRY(eis_json_bind_text(name, sizeof name, root, path, "security_policy", true));
    EIS_REQUIRE(eis_ckks_policy_parse(&entry->policy, name), EIS_ERR_PARSE,
                "%s: member \"security_policy\" names no policy that there is", path);
    entry->has_policy = true;
out:
    return st;
}

/* Reads finite numbers; the caller frees *out. */
static eis_status read_numbers(double **out, size_t *count, eis_json_value object, const char *path, const char *name,
                               size_t count_min, size_t count_max)
{
    eis_json_value array, value;
    eis_json_iter it;
    eis_status st = EIS_OK;
    double *made = NULL;
    size_t n = 0;

    EIS_TRY(eis_json_bind_array(&array, object, path, name, count_min, count_max));
    EIS_NEW(made, eis_json_length(array));
    it = eis_json_iterate(array);
    while (eis_json_next_element(&it, &value))
        EIS_REQUIRE(eis_json_double(&made[n++], value), EIS_ERR_PARSE, "%s: member \"%s\" must hold numbers", path,
                    name);
    *out = made;
    *count = n;
    made = NULL;
out:
    eis_mem_free(made);
    return st;
}

/* ---- Schema: the published kind ---- */

static eis_status read_parameters(eis_he_entry *entry, eis_json_value root, const char *path)
{
    static const char *const names[] = {"poly_modulus_degree", "scale", "coeff_modulus_bits",
                                        "max_multiplicative_depth", NULL};
    eis_json_value object, array;
    uint64_t degree = 0, depth = 0, bits[EIS_RNS_PRIMES_MAX];
    eis_status st = EIS_OK;
    char inner[160];

    snprintf(inner, sizeof inner, "%s.encryption_parameters", path);
    EIS_TRY(eis_json_bind_member(&object, root, path, "encryption_parameters"));
    EIS_TRY(eis_json_bind_object(object, inner, names));
    EIS_TRY(eis_json_bind_u64(&degree, object, inner, "poly_modulus_degree", true, 1, (uint64_t)1 << 30));
    EIS_TRY(eis_json_bind_double(&entry->literal.scale, object, inner, "scale", true, -1e300, 1e300));
    EIS_TRY(eis_json_bind_array(&array, object, inner, "coeff_modulus_bits", 2, EIS_RNS_PRIMES_MAX));
    entry->literal.prime_count = eis_json_length(array);
    EIS_TRY(
        eis_json_bind_u64_array(bits, entry->literal.prime_count, object, inner, "coeff_modulus_bits", true, 20, 60));
    EIS_TRY(eis_json_bind_u64(&depth, object, inner, "max_multiplicative_depth", true, 0, 1000));
    entry->literal.degree = (size_t)degree;
    entry->info.depth_published = (uint32_t)depth;
    for (size_t i = 0; i < entry->literal.prime_count; i++) entry->literal.bits[i] = (unsigned)bits[i];
out:
    return st;
}

static eis_status read_inference(eis_he_entry *entry, eis_json_value root, const char *path)
{
    static const char *const names[] = {"input_dimension", "output_dimension", "activation", NULL};
    eis_json_value object;
    uint64_t inputs = 0, outputs = 0;
    eis_status st = EIS_OK;
    char inner[160];

    snprintf(inner, sizeof inner, "%s.inference", path);
    EIS_TRY(eis_json_bind_member(&object, root, path, "inference"));
    EIS_TRY(eis_json_bind_object(object, inner, names));
    EIS_TRY(eis_json_bind_u64(&inputs, object, inner, "input_dimension", true, 1, UINT32_MAX));
    EIS_TRY(eis_json_bind_u64(&outputs, object, inner, "output_dimension", true, 1, UINT32_MAX));
    EIS_TRY(
        eis_json_bind_text(entry->info.activation, sizeof entry->info.activation, object, inner, "activation", true));
    EIS_REQUIRE(strcmp(entry->info.activation, ACTIVATION) == 0, EIS_ERR_PARSE,
                "%s: member \"activation\" must be \"" ACTIVATION "\"", inner);
    entry->info.input_dimension = (uint32_t)inputs;
    entry->info.output_dimension = (uint32_t)outputs;
out:
    return st;
}

static eis_status read_weights(eis_he_entry *entry, eis_json_value root, const char *path)
{
    static const char *const names[] = {"weights", "bias", NULL};
    eis_json_value object;
    eis_status st = EIS_OK;
    size_t count = 0;
    char inner[160];

    snprintf(inner, sizeof inner, "%s.parameters", path);
    EIS_TRY(eis_json_bind_member(&object, root, path, "parameters"));
    EIS_TRY(eis_json_bind_object(object, inner, names));
    EIS_TRY(read_numbers(&entry->info.weights, &count, object, inner, "weights", 1, EIS_HE_WEIGHTS_MAX));
    entry->info.weight_count = (uint32_t)count;
    EIS_TRY(eis_json_bind_double(&entry->info.bias, object, inner, "bias", true, -1e300, 1e300));
out:
    return st;
}

static eis_status read_activation(eis_he_entry *entry, eis_json_value root, const char *path)
{
    static const char *const names[] = {"kind", "coefficients", NULL};
    eis_json_value object;
    eis_status st = EIS_OK;
    double *values = NULL;
    size_t count = 0;
    char inner[160];

    snprintf(inner, sizeof inner, "%s.activation_parameters", path);
    EIS_TRY(eis_json_bind_member(&object, root, path, "activation_parameters"));
    EIS_TRY(eis_json_bind_object(object, inner, names));
    EIS_TRY(eis_json_bind_text(entry->info.activation_kind, sizeof entry->info.activation_kind, object, inner, "kind",
                               true));
    EIS_TRY(read_numbers(&values, &count, object, inner, "coefficients", 3, 3));
    memcpy(entry->info.coefficients, values, sizeof entry->info.coefficients);
out:
    eis_mem_free(values);
    return st;
}

static eis_status read_published(eis_he_entry *entry, eis_json_value root, const char *path)
{
    static const char *const names[] =
        {"model_id",  "version",    "description",           "he_scheme",   "encryption_parameters",
         "inference", "parameters", "activation_parameters", "constraints", "security_policy",
         NULL},
                             *const constraints[] = {"max_batch_size", NULL};
    eis_json_value object;
    eis_status st = EIS_OK;
    char inner[160];

    snprintf(inner, sizeof inner, "%s.constraints", path);
    EIS_TRY(eis_json_bind_object(root, path, names));
    EIS_TRY(read_parameters(entry, root, path));
    EIS_TRY(read_inference(entry, root, path));
    EIS_TRY(read_weights(entry, root, path));
    EIS_TRY(read_activation(entry, root, path));
    EIS_TRY(eis_json_bind_member(&object, root, path, "constraints"));
    EIS_TRY(eis_json_bind_object(object, inner, constraints));
    EIS_TRY(eis_json_bind_u64(&entry->info.batch_published, object, inner, "max_batch_size", true, 1, UINT32_MAX));
    entry->batch_max = entry->info.batch_published;
out:
    return st;
}

/* ---- Schema: a model in a directory ---- */

static eis_status read_digest(eis_he_entry *entry, eis_json_value root, const char *path)
{
    eis_json_value value;
    eis_status st = EIS_OK;
    eis_span text = {0};

    entry->has_digest = eis_json_find(&value, root, "weights_sha256");
    if (!entry->has_digest) return EIS_OK;
    EIS_REQUIRE(eis_json_string(&text, value) && eis_he_digest_read(entry->digest, text.data, text.bytes),
                EIS_ERR_PARSE, "%s: member \"weights_sha256\" must be 64 lower-case hex digits", path);
out:
    return st;
}

static eis_status read_form(eis_he_entry *entry, eis_json_value root, const char *path)
{
    eis_json_value value;

    if (!eis_json_find(&value, root, "form")) return EIS_OK;
    if (eis_json_string_is(value, "single"))
        entry->form = EIS_HE_FORM_SINGLE;
    else if (eis_json_string_is(value, "batch"))
        entry->form = EIS_HE_FORM_BATCH;
    else
        return eis_fail(EIS_ERR_PARSE, "%s: member \"form\" must be \"single\" or \"batch\"", path);
    return EIS_OK;
}

static eis_status read_planned(eis_he_entry *entry, eis_json_value root, const char *path)
{
    static const char *const names[] = {
        "model_id", "version",     "description",    "he_scheme",       "model",          "weights", "chain",
        "form",     "interactive", "max_batch_size", "security_policy", "weights_sha256", NULL};
    eis_json_value value;
    eis_status st = EIS_OK;

    EIS_TRY(eis_json_bind_object(root, path, names));
    EIS_TRY(eis_json_bind_text(entry->model, sizeof entry->model, root, path, "model", true));
    EIS_REQUIRE(entry->model[0] != '\0', EIS_ERR_PARSE, "%s: member \"model\" is empty", path);
    entry->has_weights = eis_json_find(&value, root, "weights");
    EIS_TRY(eis_json_bind_text(entry->weights, sizeof entry->weights, root, path, "weights", false));
    EIS_REQUIRE(!entry->has_weights || entry->weights[0] != '\0', EIS_ERR_PARSE, "%s: member \"weights\" is empty",
                path);
    EIS_TRY(eis_json_bind_text(entry->chain, sizeof entry->chain, root, path, "chain", false));
    EIS_TRY(eis_json_bind_u64(&entry->batch_max, root, path, "max_batch_size", false, 1, UINT32_MAX));
    EIS_TRY(eis_json_bind_bool(&entry->interactive, root, path, "interactive", false));
    EIS_TRY(read_form(entry, root, path));
    EIS_TRY(read_digest(entry, root, path));
out:
    return st;
}

/* ---- Semantics ---- */

/* The rules that the original has, and ours: a slot for each sample. */
static eis_status check_published(const eis_he_entry *entry)
{
    const eis_ckks_literal *l = &entry->literal;
    const double *c = entry->info.coefficients;
    eis_status st = EIS_OK;

    EIS_REQUIRE(l->degree >= EIS_CKKS_DEGREE_MIN && l->degree <= EIS_CKKS_DEGREE_MAX &&
                    (l->degree & (l->degree - 1)) == 0,
                EIS_ERR_MODEL, "encryption_parameters: poly_modulus_degree must be a power of two from %u to %u",
                EIS_CKKS_DEGREE_MIN, EIS_CKKS_DEGREE_MAX);
    EIS_REQUIRE(l->scale > 0 && isnormal(l->scale), EIS_ERR_MODEL, "encryption_parameters: scale must be above 0");
    EIS_REQUIRE(entry->info.depth_published < l->prime_count, EIS_ERR_MODEL,
                "encryption_parameters: max_multiplicative_depth must be below the number of primes");
    EIS_REQUIRE(entry->info.depth_published >= (c[2] != 0 ? 2u : 1u), EIS_ERR_MODEL,
                "encryption_parameters: max_multiplicative_depth must be at least %d for these coefficients",
                c[2] != 0 ? 2 : 1);
    EIS_REQUIRE(entry->info.output_dimension == 1, EIS_ERR_MODEL, "inference: output_dimension must be 1");
    EIS_REQUIRE(entry->info.weight_count == entry->info.input_dimension, EIS_ERR_MODEL,
                "parameters: weights must be as many as inference.input_dimension");
    EIS_REQUIRE(entry->info.batch_published <= l->degree / 2, EIS_ERR_MODEL,
                "constraints: max_batch_size must be at most %zu: a ciphertext has no more slots", l->degree / 2);
out:
    return st;
}

static eis_status check_planned(const eis_he_entry *entry)
{
    eis_ckks_literal literal;
    eis_status st = EIS_OK;

    if (entry->chain[0] != '\0' && eis_he_chain_find(&literal, entry->chain) != EIS_OK)
        return eis_fail_prefix(EIS_ERR_MODEL, "chain");
    EIS_REQUIRE(!(entry->interactive && entry->form == EIS_HE_FORM_BATCH), EIS_ERR_MODEL,
                "interactive models take one input, which form \"batch\" contradicts");
out:
    return st;
}

/* ---- The whole ---- */

static eis_status read_schema(eis_he_entry *entry, eis_json_value root, const char *path)
{
    eis_json_value value;
    eis_status st = EIS_OK;

    EIS_REQUIRE(eis_json_type_of(root) == EIS_JSON_OBJECT, EIS_ERR_PARSE, "%s must be an object", path);
    entry->published = !eis_json_find(&value, root, "model");
    if (entry->published)
        EIS_TRY(read_published(entry, root, path));
    else
        EIS_TRY(read_planned(entry, root, path));
    EIS_TRY(read_names(&entry->info, root, path));
    EIS_TRY(read_policy(entry, root, path));
out:
    return st;
}

eis_status eis_he_entry_read(eis_he_entry *entry, eis_span text)
{
    eis_json_doc *doc = NULL;
    eis_status st = EIS_OK;

    *entry = (eis_he_entry){0};
    st = eis_json_parse(&doc, ENTRY, text.data, text.bytes, ENTRY_BYTES_MAX);
    if (st == EIS_OK) st = read_schema(entry, eis_json_root(doc), ENTRY);
    if (st != EIS_OK) {
        if (st != EIS_ERR_MEMORY) st = eis_fail_prefix(EIS_ERR_MODEL, "schema");
        goto out;
    }
    st = entry->published ? check_published(entry) : check_planned(entry);
    if (st != EIS_OK) st = eis_fail_prefix(EIS_ERR_MODEL, "semantics");
out:
    eis_json_free(doc);
    if (st != EIS_OK) eis_he_entry_clear(entry);
    return st;
}

/* ---- The published kind as a model ---- */

eis_status eis_he_entry_model(eis_model **out_model, const eis_he_entry *entry)
{
    const eis_he_info *info = &entry->info;
    eis_status st = EIS_OK;
    eis_model *model = NULL;
    double *numbers; /* weights, then three coefficients */

    *out_model = NULL;
    EIS_TRY(eis_model_new_dense(&model, "weights", info->weight_count, 1, &info->bias, 2));
    numbers = eis_model_new_array(model, (size_t)info->weight_count + 3, sizeof *numbers);
    if (numbers == NULL) {
        st = EIS_ERR_MEMORY;
        goto out;
    }
    memcpy(numbers, info->weights, info->weight_count * sizeof *numbers);
    memcpy(numbers + info->weight_count, info->coefficients, sizeof info->coefficients);
    model->linears[0].pieces[0] = eis_tensor_view_rows(numbers, EIS_DTYPE_F64, 1, info->weight_count);
    model->classifier.steps[1] = eis_step_of_vectors(EIS_STEP_POLYNOMIAL, 1, 1);
    model->classifier.steps[1].values = numbers + info->weight_count;
    model->classifier.steps[1].value_count = info->coefficients[2] != 0 ? 3 : 2;
    model->classifier.steps[1].interval[0] = -REACH;
    model->classifier.steps[1].interval[1] = REACH;
    model->classifier.step_count = 2;
    snprintf(model->classifier.name, sizeof model->classifier.name, "%s", info->model_id);
    *out_model = model;
    model = NULL;
out:
    eis_model_free(model);
    return st;
}
