/* SPDX-License-Identifier: Apache-2.0 */
/* From entries to planned and encoded models. */
#include "service/he_registry.h"

#include "base/mem.h"
#include "ckks/seal_ct.h"
#include "ckks/seal_keys.h"
#include "engine/he/eval.h"
#include "model/files.h"
#include "service/he_registry_internal.h"

#include <dirent.h>
#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_BODY_BYTES_MAX ((size_t)64 << 20) /* above it a model's requests are binary */
#define FRAME_BYTES         ((size_t)16 << 10) /* JSON beside the payloads, */
#define FRAME_BYTES_EACH    ((size_t)256)      /* and for each of them */
#define NAME_BYTES          256

static void clear_served(eis_he_served *served)
{
    eis_he_program_free(served->program);
    eis_he_plan_free(served->plan);
    eis_model_free(served->model);
    eis_he_info_clear(&served->info);
    *served = (eis_he_served){0};
}

void eis_he_registry_clear(eis_he_registry *registry)
{
    for (size_t i = 0; i < registry->count; i++) clear_served(&registry->models[i]);
    eis_mem_free(registry->models);
    *registry = (eis_he_registry){0};
}

/* ---- What an entry publishes beside its contract ---- */

static eis_status copy_numbers(double **out, uint32_t *count, const double *from, uint32_t n)
{
    double *made = eis_mem_new(n, sizeof *made);

    if (made == NULL) return EIS_ERR_MEMORY;
    if (n > 0) memcpy(made, from, n * sizeof *made);
    *out = made;
    *count = n;
    return EIS_OK;
}

static eis_status copy_labels(eis_he_info *info, const eis_classifier *c)
{
    eis_status st = EIS_OK;

    if (c->label_count == 0) return EIS_OK;
    EIS_NEW(info->labels, c->label_count);
    info->label_count = c->label_count;
    for (uint32_t i = 0; i < c->label_count; i++) {
        size_t n = strlen(c->labels[i]);

        if (n >= EIS_HE_LABEL_BYTES) n = EIS_HE_LABEL_BYTES - 1;
        while (n > 0 && ((unsigned char)c->labels[i][n] & 0xc0) == 0x80) n--; /* not inside a character */
        memcpy(info->labels[i], c->labels[i], n);
    }
out:
    return st;
}

/* Fills what a model in a directory publishes. */
static eis_status describe(eis_he_info *info, const eis_model *model, const eis_he_contract *contract)
{
    const eis_classifier *c = &model->classifier;
    bool is_image = c->height != 1 || c->width != 1;
    eis_status st = EIS_OK;

    info->input_dimension = c->channels * c->height * c->width;
    info->output_dimension = c->class_count;
    snprintf(info->activation, sizeof info->activation, "network");
    snprintf(info->activation_kind, sizeof info->activation_kind, "none");
    info->coefficients[1] = 1;
    info->depth_published = contract->depth;
    info->batch_published = contract->batch_max;
    info->channels = c->channels;
    info->height = is_image ? c->height : 0;
    info->width = is_image ? c->width : 0;
    info->divide = c->divide;
    EIS_TRY(copy_numbers(&info->mean, &info->mean_count, c->mean, c->mean_count));
    EIS_TRY(copy_numbers(&info->deviation, &info->deviation_count, c->deviation, c->deviation_count));
    EIS_TRY(copy_labels(info, c));
out:
    return st;
}

/* ---- Limits, from the plan alone ---- */

/* The largest body of POST /infer that the model is served with: hex where that stays reasonable, else binary; and
 * where full ciphertexts are too much as well, seeded ones. */
static uint64_t request_bytes(const eis_he_plan *plan, const eis_he_stage *stage)
{
    uint64_t count = stage->input.ciphertexts, frame = FRAME_BYTES + FRAME_BYTES_EACH * count;
    size_t sizes[EIS_HE_INPUT_SIZES];
    uint64_t full = eis_he_input_sizes(sizes, plan->params, stage->input.limbs);

    if (2 * full * count + frame <= JSON_BODY_BYTES_MAX) return 2 * full * count + frame;
    if (full * count + frame <= JSON_BODY_BYTES_MAX) return full * count + frame;
    return sizes[0] * count + frame;
}

static uint64_t keys_bytes(const eis_he_plan *plan)
{
    const eis_he_contract *c = &plan->contract;
    uint64_t bytes = 0;

    if (c->needs_relin) bytes += eis_ckks_relin_key_bytes(plan->params, EIS_SEAL_FORM_4_1, false);
    if (c->needs_public) bytes += eis_ckks_public_key_bytes(plan->params, EIS_SEAL_FORM_4_1, false);
    if (c->element_count > 0) /* the list has room up to the highest index that there can be */
        bytes += eis_ckks_galois_keys_bytes(plan->params, (uint32_t)(2 * plan->params->degree - 1), c->element_count,
                                            EIS_SEAL_FORM_4_1, false);
    return bytes == 0 ? 0 : bytes + FRAME_BYTES;
}

static void set_limits(eis_he_served *served)
{
    const eis_he_plan *plan = served->plan;

    for (uint32_t i = 0; i < plan->contract.stage_count; i++) {
        const eis_he_stage *stage = &plan->contract.stage[i];
        size_t result = stage->output.ciphertexts * eis_ckks_ct_bytes(plan->params, stage->output.polys,
                                                                      stage->output.limbs, EIS_SEAL_FORM_4_1, false);
        size_t eval = eis_he_eval_bytes(served->program, i);
        uint64_t request = request_bytes(plan, stage);

        if (stage->input.ciphertexts > served->inputs_max) served->inputs_max = stage->input.ciphertexts;
        if (result > served->result_bytes_max) served->result_bytes_max = result;
        if (eval > served->eval_bytes) served->eval_bytes = eval;
        if (request > served->info.request_bytes_max) served->info.request_bytes_max = request;
    }
    served->info.keys_bytes_max = keys_bytes(plan);
}

static bool is_linear_step(const eis_step *step)
{
    switch (step->op) {
    case EIS_STEP_LINEAR:
    case EIS_STEP_AFFINE:
    case EIS_STEP_AVG_POOL:
    case EIS_STEP_FLATTEN:
        return true;
    case EIS_STEP_POLYNOMIAL:
        return step->value_count <= 2 || (step->value_count == 3 && step->values[2] == 0);
    default:
        return false;
    }
}

static bool takes_any_scale(const eis_he_contract *contract, const eis_model *model)
{
    if (contract->stage_count != 1 || contract->stage[0].input.kind != EIS_HE_FEATURES) return false;
    for (uint32_t i = 0; i < model->classifier.step_count; i++)
        if (!is_linear_step(&model->classifier.steps[i])) return false;
    return true;
}

/* ---- Adding ---- */

static eis_status make_room(eis_he_registry *registry)
{
    size_t capacity = registry->capacity == 0 ? 8 : 2 * registry->capacity;
    eis_status st = EIS_OK;

    EIS_REQUIRE(registry->count < EIS_HE_MODELS_MAX, EIS_ERR_MODEL, "more than %d models", EIS_HE_MODELS_MAX);
    if (registry->count < registry->capacity) return EIS_OK;
    EIS_TRY(eis_mem_resize(&registry->models, registry->capacity, capacity, sizeof *registry->models));
    registry->capacity = capacity;
out:
    return st;
}

static eis_status check_new(const eis_he_registry *registry, const eis_he_info *info)
{
    const eis_he_served *same;

    if (eis_he_registry_find(&same, registry, info->model_id, info->version) != EIS_OK) return EIS_OK;
    return eis_fail(EIS_ERR_MODEL, "semantics: model_id and version occur twice: %s %s", info->model_id, info->version);
}

/* Plans and encodes; *info moves into the registry. member: of the entry that asked for this plan, or NULL. */
static eis_status add(eis_he_registry *registry, eis_he_info *info, const eis_model *model, const eis_he_wish *wish,
                      const eis_he_registry_options *options, bool described, const char *member)
{
    eis_he_served served = {0};
    eis_status st = EIS_OK;

    EIS_TRY(make_room(registry));
    EIS_TRY(check_new(registry, info));
    st = eis_he_plan_new(&served.plan, model, wish);
    if (st == EIS_ERR_UNSUPPORTED) st = EIS_ERR_MODEL; /* the other one is said of requests */
    if (st != EIS_OK && st != EIS_ERR_MEMORY && member != NULL) (void)eis_fail_prefix(st, "semantics: %s", member);
    if (st != EIS_OK) goto out;
    if (!described) EIS_TRY(describe(info, model, &served.plan->contract));
    EIS_TRY(eis_he_program_new(&served.program, served.plan, model, options->pool));
    served.info = *info;
    *info = (eis_he_info){0};
    served.any_scale = takes_any_scale(&served.plan->contract, model);
    set_limits(&served);
    registry->models[registry->count++] = served;
    served = (eis_he_served){0};
out:
    clear_served(&served);
    return st;
}

eis_status eis_he_registry_add_model(eis_he_registry *registry, const char *model_id, const char *version,
                                     eis_model *model, const eis_he_wish *wish, const eis_he_registry_options *options)
{
    eis_he_info info = {0};
    eis_status st;

    EIS_ASSERT(strlen(model_id) < sizeof info.model_id && strlen(version) < sizeof info.version);
    snprintf(info.model_id, sizeof info.model_id, "%s", model_id);
    snprintf(info.version, sizeof info.version, "%s", version);
    snprintf(info.description, sizeof info.description, "%.400s", model->classifier.name);
    st = add(registry, &info, model, wish, options, false, NULL);
    eis_he_info_clear(&info);
    return st;
}

/* ---- Entries ---- */

/* The directory's path in front of a relative one. */
static eis_status resolve(char *out, size_t out_bytes, const char *directory, const char *path)
{
    int n = path[0] == '/' ? snprintf(out, out_bytes, "%s", path) : snprintf(out, out_bytes, "%s/%s", directory, path);

    if (n >= 0 && (size_t)n < out_bytes) return EIS_OK;
    return eis_fail(EIS_ERR_MODEL, "semantics: a path is too long");
}

static eis_status check_weights_digest(const eis_he_entry *entry, const char *model_path, const char *weights_path)
{
    uint8_t digest[EIS_HE_DIGEST_BYTES];
    char path[EIS_HE_PATH_BYTES + 32];
    eis_mapping file = {0};
    eis_status st = EIS_OK;

    if (!entry->has_digest) return EIS_OK;
    if (entry->has_weights)
        snprintf(path, sizeof path, "%s", weights_path);
    else
        snprintf(path, sizeof path, "%s/model.safetensors", model_path);
    st = eis_file_map(&file, path);
    if (st != EIS_OK) (void)eis_fail_prefix(st, "semantics: %s", entry->has_weights ? "weights" : "model");
    if (st != EIS_OK) goto out;
    EIS_REQUIRE(SHA256(file.bytes.data, file.bytes.bytes, digest) != NULL &&
                    memcmp(digest, entry->digest, sizeof digest) == 0,
                EIS_ERR_MODEL, "semantics: weights_sha256 is not the digest of %s", path);
out:
    eis_file_unmap(&file);
    return st;
}

static eis_status open_model(eis_model **model, const eis_he_entry *entry, const char *directory)
{
    char model_path[EIS_HE_PATH_BYTES], weights_path[EIS_HE_PATH_BYTES] = "";
    eis_model_options options = {0};
    eis_status st = EIS_OK;

    if (entry->published) return eis_he_entry_model(model, entry);
    EIS_TRY(resolve(model_path, sizeof model_path, directory, entry->model));
    if (entry->has_weights) {
        EIS_TRY(resolve(weights_path, sizeof weights_path, directory, entry->weights));
        options.weights_path = weights_path;
    }
    EIS_TRY(check_weights_digest(entry, model_path, weights_path));
    st = eis_model_open(model, model_path, &options);
    if (st != EIS_OK && st != EIS_ERR_MEMORY) (void)eis_fail_prefix(st, "semantics: model");
    if (st != EIS_OK) goto out;
    EIS_REQUIRE((*model)->kind == EIS_MODEL_CLASSIFIER && (*model)->part == NULL, EIS_ERR_MODEL,
                "semantics: %s is no classifier with weights", model_path);
out:
    return st;
}

static eis_he_wish wish_of(const eis_he_entry *entry)
{
    eis_he_wish wish = {.chain = entry->chain[0] != '\0' ? entry->chain : NULL,
                        .policy = entry->policy,
                        .form = entry->form,
                        .interactive = entry->interactive,
                        .batch_max = (uint32_t)entry->batch_max};

    if (!entry->published) return wish;
    wish.own = entry->literal;
    wish.own.policy = entry->policy;
    wish.form = EIS_HE_FORM_BATCH;
    return wish;
}

eis_status eis_he_registry_add_entry(eis_he_registry *registry, const char *what, eis_span text, const char *directory,
                                     const eis_he_registry_options *options)
{
    eis_he_entry entry = {0};
    eis_model *model = NULL;
    const char *member;
    eis_he_served *added;
    eis_he_wish wish;
    eis_status st = EIS_OK;

    EIS_TRY(eis_he_entry_read(&entry, text));
    wish = wish_of(&entry);
    EIS_TRY(open_model(&model, &entry, directory));
    member = entry.published ? "encryption_parameters" : "model";
    EIS_TRY(add(registry, &entry.info, model, &wish, options, entry.published, what != NULL ? member : NULL));
    added = &registry->models[registry->count - 1];
    added->publish = options->publish_weights && added->info.weights != NULL;
    if (options->keep_models) {
        added->model = model;
        model = NULL;
    }
out:
    if (st != EIS_OK && st != EIS_ERR_MEMORY && what != NULL) st = eis_fail_prefix(st, "%s", what);
    eis_model_free(model);
    eis_he_entry_clear(&entry);
    return st;
}

/* ---- The directory ---- */

static int is_entry(const struct dirent *file)
{
    size_t length = strlen(file->d_name);

    return file->d_name[0] != '.' && length > 5 && strcmp(file->d_name + length - 5, ".json") == 0;
}

static eis_status add_file(eis_he_registry *registry, const char *directory, const char *name,
                           const eis_he_registry_options *options)
{
    eis_mapping file = {0};
    eis_status st = EIS_OK;
    char *path = eis_file_join(directory, name);

    if (path == NULL) return EIS_ERR_MEMORY;
    EIS_TRY(eis_file_map(&file, path));
    EIS_TRY(eis_he_registry_add_entry(registry, path, file.bytes, directory, options));
out:
    eis_file_unmap(&file);
    eis_mem_free(path);
    return st;
}

eis_status eis_he_registry_open(eis_he_registry *registry, const char *directory,
                                const eis_he_registry_options *options)
{
    struct dirent **files = NULL;
    int count = scandir(directory, &files, is_entry, alphasort);
    eis_status st = EIS_OK;

    *registry = (eis_he_registry){0};
    EIS_REQUIRE(count >= 0, EIS_ERR_FILE, "%s: %s", directory, strerror(errno));
    EIS_REQUIRE(count > 0, EIS_ERR_MODEL, "%s: semantics: a registry has at least one entry (*.json)", directory);
    for (int i = 0; i < count; i++) EIS_TRY(add_file(registry, directory, files[i]->d_name, options));
out:
    for (int i = 0; i < count; i++) free(files[i]);
    free(files);
    if (st != EIS_OK) eis_he_registry_clear(registry);
    return st;
}

/* ---- Reading ---- */

eis_status eis_he_registry_find(const eis_he_served **served, const eis_he_registry *registry, const char *model_id,
                                const char *version)
{
    for (size_t i = 0; i < registry->count; i++) {
        const eis_he_info *info = &registry->models[i].info;

        if (strcmp(info->model_id, model_id) != 0 || strcmp(info->version, version) != 0) continue;
        *served = &registry->models[i];
        return EIS_OK;
    }
    return eis_fail(EIS_ERR_MODEL_NOT_FOUND, "Unknown model/version: nothing of this name is served here");
}

size_t eis_he_registry_inputs_max(const eis_he_registry *registry)
{
    size_t most = 1;

    for (size_t i = 0; i < registry->count; i++)
        if (registry->models[i].inputs_max > most) most = registry->models[i].inputs_max;
    return most;
}

size_t eis_he_registry_body_bytes_max(const eis_he_registry *registry)
{
    uint64_t most = 0;

    for (size_t i = 0; i < registry->count; i++) {
        const eis_he_info *info = &registry->models[i].info;

        if (info->request_bytes_max > most) most = info->request_bytes_max;
        if (info->keys_bytes_max > most) most = info->keys_bytes_max;
    }
    return (size_t)most;
}
