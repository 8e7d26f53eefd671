/* SPDX-License-Identifier: Apache-2.0 */
/* eis partition: a model -> DIR/server.eispack for the servers and DIR/client.eispart for the client; and back to
 * integers with --unpack. */
#include "base/mem.h"
#include "base/pool.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/prompt.h"
#include "cli/report.h"
#include "cli/slots.h"
#include "engine/split/pack.h"
#include "engine/split/prepare.h"
#include "model/classifier.h"
#include "model/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_MODEL = EIS_CLI_KEY_COMMAND, KEY_WEIGHTS, KEY_TOKENIZER, KEY_OUT, KEY_PROFILE, KEY_CALIBRATE, KEY_UNPACK };

#define PATH_BYTES             4096
#define CALIBRATION_TOKENS_MAX 128
#define CALIBRATION_INPUTS_MAX 64

typedef struct flags {
    eis_cli_common common;
    const char *model, *weights, *tokenizer, *out, *calibrate, *unpack;
    eis_split_profile profile;
} flags;

static const struct argp_option options[] = {
    {"model", KEY_MODEL, "PATH", 0, "Model with weights", 1},
    {"weights", KEY_WEIGHTS, "FILE", 0, "Weights in place of DIR/model.safetensors", 1},
    {"tokenizer", KEY_TOKENIZER, "FILE", 0,
     "Tokenizer that goes into the client part (default: what comes with the model)", 1},
    {"out", KEY_OUT, "DIR", 0, "Where server.eispack and client.eispart go; made if need be", 2},
    {"profile", KEY_PROFILE, "NAME", 0, "p24 (default), p8, f61 or f61-8", 2},
    {"calibrate", KEY_CALIBRATE, "FILE", 0, "Text or inputs by which p8 chooses its rings (default: built in)", 2},
    {"unpack", KEY_UNPACK, "FILE", 0, "Print the integer matrices of a pack instead", 3},
    {0},
};

static const eis_cli_slot slots[] = {
    EIS_CLI_TEXT(KEY_MODEL, flags, model),
    EIS_CLI_TEXT(KEY_WEIGHTS, flags, weights),
    EIS_CLI_TEXT(KEY_TOKENIZER, flags, tokenizer),
    EIS_CLI_TEXT(KEY_OUT, flags, out),
    EIS_CLI_TEXT(KEY_CALIBRATE, flags, calibrate),
    EIS_CLI_TEXT(KEY_UNPACK, flags, unpack),
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    flags *f = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &f->common;
        f->profile = EIS_SPLIT_P24;
        return 0;
    case KEY_PROFILE:
        if (eis_split_profile_parse(&f->profile, arg) != EIS_OK) argp_error(state, "%s", eis_error_detail());
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\" is no flag", arg);
        return 0;
    case ARGP_KEY_END:
        if (f->unpack == NULL && f->model == NULL) argp_error(state, "--model is missing");
        if (f->unpack == NULL && f->out == NULL) argp_error(state, "--out is missing");
        return 0;
    default:
        return eis_cli_take(slots, options, key, arg, state);
    }
}

/* ---- calibration: which norms to expect, never what is right ---- */

static const char builtin_text[] =
    "Once upon a time there was a small village by the sea. Every morning the people opened their windows and said "
    "good "
    "day to each other, and then they went to work: some to the boats, some to the fields, and some to the school.";

static eis_status calibrate_lm(double *norms, const flags *f, const eis_text_model *lm, eis_pool *pool)
{
    eis_status st = EIS_OK;
    eis_ids ids = {0};
    eis_cli_prompt prompt = {.text = builtin_text, .file = f->calibrate};
    size_t count;

    if (f->calibrate != NULL) prompt.text = NULL;
    if (lm->tokenizer != NULL)
        EIS_TRY(eis_cli_prompt_read(&ids, lm, &prompt));
    else
        for (uint32_t i = 0; i < 32; i++) EIS_TRY(eis_ids_append(&ids, i * 31 % lm->model->lm.vocabulary));
    count = ids.count < CALIBRATION_TOKENS_MAX ? ids.count : CALIBRATION_TOKENS_MAX;
    EIS_TRY(eis_split_calibrate_lm(norms, lm->model, ids.ids, count, pool));
out:
    eis_ids_clear(&ids);
    return st;
}

static eis_status calibrate_classifier(double *norms, const flags *f, const eis_model *model, eis_pool *pool)
{
    eis_status st = EIS_OK;
    eis_inputs inputs = {0};
    size_t elements = eis_classifier_input_count(model);
    double *pattern = NULL;

    if (f->calibrate != NULL) {
        EIS_TRY(eis_inputs_read(&inputs, f->calibrate, CALIBRATION_INPUTS_MAX, NULL));
        EIS_REQUIRE(inputs.elements == elements, EIS_ERR_SHAPE, "%s: an input has %zu numbers, the model takes %zu",
                    f->calibrate, inputs.elements, elements);
        EIS_TRY(eis_split_calibrate_classifier(norms, model, inputs.x, inputs.count, pool));
    } else {
        /* A ramp over the range that `divide` suggests: as bright as a full image. */
        EIS_NEW(pattern, elements);
        for (size_t i = 0; i < elements; i++) pattern[i] = model->classifier.divide * (double)(i % 17) / 16;
        EIS_TRY(eis_split_calibrate_classifier(norms, model, pattern, 1, pool));
    }
out:
    eis_inputs_clear(&inputs);
    eis_mem_free(pattern);
    return st;
}

/* ---- files ---- */

static eis_status join(char *path, const char *dir, const char *name)
{
    if (snprintf(path, PATH_BYTES, "%s/%s", dir, name) >= PATH_BYTES)
        return eis_fail(EIS_ERR_FILE, "%s: the path is too long", dir);
    return EIS_OK;
}

/* Makes the pack under a temporary name and syncs it. */
static eis_status write_pack(eis_split_layers *layers, char temporary[PATH_BYTES], const flags *f,
                             const eis_model *model, const double *norms, eis_pool *pool)
{
    eis_status st = EIS_OK;
    int fd = -1;

    EIS_TRY(join(temporary, f->out, ".server.eispack.XXXXXX"));
    fd = mkstemp(temporary);
    EIS_REQUIRE(fd >= 0, EIS_ERR_FILE, "%s: %s", f->out, strerror(errno));
    EIS_TRY(eis_split_prepare(
        layers, fd, model, &(eis_split_prepare_options){.profile = f->profile, .declared_norms = norms, .pool = pool}));
    EIS_REQUIRE(fchmod(fd, 0644) == 0 && fsync(fd) == 0, EIS_ERR_FILE, "%s: %s", temporary, strerror(errno));
out:
    if (st != EIS_OK && fd >= 0) unlink(temporary);
    if (fd >= 0) close(fd);
    return st;
}

static eis_status write_part(const flags *f, const eis_model *model, eis_split_layers *layers,
                             const eis_tokenizer_source *source)
{
    eis_status st = EIS_OK;
    char path[PATH_BYTES];
    eis_part_blob blob = {.bytes = {source->data, source->bytes}};

    EIS_TRY(join(path, f->out, "client.eispart"));
    if (source->kind != EIS_TOKENIZER_NONE) {
        snprintf(blob.name, sizeof blob.name, "%s", eis_tokenizer_kind_name(source->kind));
        layers->info.blobs = &blob;
        layers->info.blob_count = 1;
    }
    st = eis_part_write(path, model, &layers->info);
    layers->info.blobs = NULL;
    layers->info.blob_count = 0;
out:
    return st;
}

/* The pack gets its name last: where the part cannot be written, the files of before still belong together. */
static eis_status write_files(eis_split_layers *layers, const flags *f, const eis_model *model, const double *norms,
                              const eis_tokenizer_source *source, eis_pool *pool)
{
    eis_status st = EIS_OK;
    char path[PATH_BYTES], temporary[PATH_BYTES];
    bool made = false;

    EIS_REQUIRE(mkdir(f->out, 0777) == 0 || errno == EEXIST, EIS_ERR_FILE, "%s: %s", f->out, strerror(errno));
    EIS_TRY(join(path, f->out, "server.eispack"));
    EIS_TRY(write_pack(layers, temporary, f, model, norms, pool));
    made = true;
    EIS_TRY(write_part(f, model, layers, source));
    EIS_REQUIRE(rename(temporary, path) == 0, EIS_ERR_FILE, "%s: %s", path, strerror(errno));
    made = false;
out:
    if (made) unlink(temporary);
    return st;
}

static eis_status read_tokenizer_source(eis_tokenizer_source *source, const flags *f, const eis_model *model)
{
    eis_status st;
    struct stat info;

    if (model->kind != EIS_MODEL_LM) return EIS_OK;
    if (f->tokenizer == NULL && (stat(f->model, &info) != 0 || !S_ISDIR(info.st_mode))) return EIS_OK;
    st = eis_tokenizer_source_read(source, f->tokenizer != NULL ? f->tokenizer : f->model);
    return st == EIS_ERR_NOT_FOUND && f->tokenizer == NULL ? EIS_OK : st;
}

static eis_status partition(const flags *f)
{
    eis_status st = EIS_OK;
    eis_text_model lm = {0};
    eis_split_layers layers = {0};
    eis_tokenizer_source source = {0};
    eis_pool *pool = NULL;
    double *norms = NULL;
    char digest[2 * EIS_PACK_DIGEST_BYTES + 1];

    EIS_TRY(eis_pool_new(&pool, f->common.threads));
    EIS_TRY(eis_model_open(&lm.model, f->model, &(eis_model_options){.weights_path = f->weights}));
    EIS_REQUIRE(lm.model->part == NULL, EIS_ERR_MODEL, "%s is a client part; give the model itself", f->model);
    EIS_TRY(read_tokenizer_source(&source, f, lm.model));
    if (source.kind != EIS_TOKENIZER_NONE)
        EIS_TRY(eis_tokenizer_new(&lm.tokenizer, source.kind, source.data, source.bytes, lm.model->lm.vocabulary,
                                  f->model));
    EIS_NEW(norms, lm.model->linear_count);
    EIS_TRY(lm.model->kind == EIS_MODEL_LM ? calibrate_lm(norms, f, &lm, pool)
                                           : calibrate_classifier(norms, f, lm.model, pool));
    EIS_TRY(write_files(&layers, f, lm.model, norms, &source, pool));
    for (size_t i = 0; i < EIS_PACK_DIGEST_BYTES; i++) snprintf(digest + 2 * i, 3, "%02x", layers.info.pack_digest[i]);
    printf("%s/server.eispack %s\n%s/client.eispart\n", f->out, digest, f->out);
    EIS_TRY(eis_cli_flush());
out:
    eis_split_layers_clear(&layers);
    eis_tokenizer_source_clear(&source);
    eis_text_model_close(&lm);
    eis_mem_free(norms);
    eis_pool_free(pool);
    return st;
}

/* ---- --unpack ---- */

static eis_status print_layer(const eis_pack_layer *layer)
{
    eis_status st = EIS_OK;
    int32_t *row = NULL;

    EIS_NEW(row, layer->weights.cols);
    printf("%s %zu %zu\n", layer->linear.name, layer->weights.rows, layer->weights.cols);
    for (size_t r = 0; r < layer->weights.rows; r++) {
        eis_packed_read_rows(row, &layer->weights, r, 1);
        for (size_t c = 0; c < layer->weights.cols; c++) printf("%s%d", c > 0 ? " " : "", row[c]);
        putchar('\n');
    }
    EIS_TRY(eis_cli_flush());
out:
    eis_mem_free(row);
    return st;
}

static eis_status unpack(const flags *f)
{
    eis_status st = EIS_OK;
    eis_pack *pack = NULL;

    EIS_TRY(eis_pack_open(&pack, f->unpack, true));
    for (uint32_t i = 0; i < pack->layer_count; i++) EIS_TRY(print_layer(&pack->layers[i]));
out:
    eis_pack_free(pack);
    return st;
}

static eis_status run_partition(const flags *f)
{
    eis_status st = eis_cli_start(&f->common, false);

    if (st != EIS_OK) return st;
    return f->unpack != NULL ? unpack(f) : partition(f);
}

int eis_cmd_partition(int argc, char **argv)
{
    static const struct argp_child children[] = {{&eis_cli_common_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        options,
        parse,
        NULL,
        "Split a model into what servers get (the integer weights, packed) and what the client keeps (all else).\v"
        "Example: the pack goes to two servers, the part to the client:\n\n"
        "  eis partition --model models/tiny-stories --out parts\n"
        "  eis serve split --model parts/server.eispack --listen 0.0.0.0:8470 \\\n"
        "      --tls-cert a.crt --tls-key a.key\n"
        "  eis generate --engine split --model parts/client.eispart \\\n"
        "      --servers a.example.org,b.example.org --ca ca.crt \\\n"
        "      --prompt \"Once upon a time\"\n",
        children,
        NULL,
        NULL};
    flags f = {0};

    if (!eis_cli_parse(&argp, argc, argv, &f)) return 2;
    return eis_cli_finish(run_partition(&f));
}
