/* SPDX-License-Identifier: Apache-2.0 */
#include "service/served_models.h"

#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "engine/split/pack.h"
#include "engine/split/prepare.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PACK_SUFFIX ".eispack"

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
}

static eis_status set_name(char *name, const char *text, size_t bytes)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(bytes > 0 && bytes <= EIS_SPLIT_MODEL_BYTES_MAX, EIS_ERR_USAGE,
                "a model's name has 1 to %d characters; give NAME=PATH", EIS_SPLIT_MODEL_BYTES_MAX);
    for (size_t i = 0; i < bytes; i++)
        EIS_REQUIRE(is_name_character(text[i]), EIS_ERR_USAGE,
                    "a model's name is made of letters, digits, '.', '_' and '-'; give NAME=PATH");
    memcpy(name, text, bytes);
    name[bytes] = '\0';
out:
    return st;
}

/* The last part of a path, whatever number of slashes ends it. */
static eis_status name_of_path(char *name, const char *path)
{
    size_t end = strlen(path), start, suffix = strlen(PACK_SUFFIX);

    while (end > 0 && path[end - 1] == '/') end--;
    for (start = end; start > 0 && path[start - 1] != '/';) start--;
    if (end - start > suffix && memcmp(path + end - suffix, PACK_SUFFIX, suffix) == 0) end -= suffix;
    return set_name(name, path + start, end - start);
}

eis_status eis_served_parse(eis_served_request *request, const char *text)
{
    eis_status st = EIS_OK;
    const char *equals = strchr(text, '=');

    if (equals != NULL && memchr(text, '/', (size_t)(equals - text)) != NULL) equals = NULL;
    *request = (eis_served_request){.path = equals != NULL ? equals + 1 : text};
    EIS_REQUIRE(request->path[0] != '\0', EIS_ERR_USAGE, "a model is given as [NAME=]PATH");
    EIS_TRY(equals != NULL ? set_name(request->name, text, (size_t)(equals - text))
                           : name_of_path(request->name, request->path));
out:
    return st;
}

static void put(eis_served *served, const char *name, const eis_pack *pack)
{
    eis_split_offer *offer = &served->offers[served->count++];
    char digest[2 * EIS_PACK_DIGEST_BYTES + 1];

    snprintf(offer->name, sizeof offer->name, "%s", name);
    offer->pack = pack;
    for (size_t i = 0; i < EIS_PACK_DIGEST_BYTES; i++) snprintf(digest + 2 * i, 3, "%02x", pack->digest[i]);
    eis_log(EIS_LOG_INFO, "model", "%s: %u matrices, profile %s, digest %s", name, pack->layer_count,
            eis_split_profile_get((unsigned)pack->profile)->name, digest);
}

eis_status eis_served_add_model(eis_served *served, const char *name, const eis_model *model, eis_split_profile profile,
                                eis_pool *pool)
{
    eis_status st = EIS_OK;
    eis_split_layers layers = {0};
    eis_pack *pack = NULL;
    int fd = -1;

    EIS_REQUIRE(served->count < EIS_SERVED_MAX, EIS_ERR_USAGE, "at most %d models", EIS_SERVED_MAX);
    EIS_TRY(eis_split_prepare_in_memory(&layers, &fd, model,
                                        &(eis_split_prepare_options){.profile = profile, .pool = pool}));
    EIS_TRY(eis_pack_open_fd(&pack, fd, name, false));
    put(served, name, pack);
out:
    if (fd >= 0) close(fd);
    eis_split_layers_clear(&layers);
    return st;
}

eis_status eis_served_add(eis_served *served, const eis_served_request *request, eis_split_profile profile, bool verify,
                          eis_pool *pool)
{
    eis_status st = EIS_OK;
    eis_model *model = NULL;
    eis_pack *pack = NULL;

    EIS_REQUIRE(served->count < EIS_SERVED_MAX, EIS_ERR_USAGE, "at most %d models", EIS_SERVED_MAX);
    if (eis_pack_recognise(request->path)) {
        EIS_REQUIRE(request->weights == NULL, EIS_ERR_USAGE,
                    "%s is a pack, which holds its weights; leave out --weights", request->path);
        EIS_TRY(eis_pack_open(&pack, request->path, verify));
        put(served, request->name, pack);
        return EIS_OK;
    }
    EIS_TRY(eis_model_open(&model, request->path, &(eis_model_options){.weights_path = request->weights}));
    EIS_REQUIRE(model->part == NULL, EIS_ERR_MODEL,
                "%s is a client part, which holds no weights; serve the pack that was made with it", request->path);
    EIS_TRY(eis_served_add_model(served, request->name, model, profile, pool));
out:
    eis_model_free(model);
    return st;
}

eis_status eis_served_as_floats(eis_legacy_layer *layer, float **weights, const eis_served *served)
{
    eis_status st = EIS_OK;
    const eis_pack_layer *matrix = served->offers[0].pack->layers;
    int32_t *row = NULL;
    size_t rows, cols;

    EIS_REQUIRE(
        served->count == 1 && served->offers[0].pack->layer_count == 1 && matrix->linear.kind == EIS_LINEAR_DENSE,
        EIS_ERR_USAGE, "--legacy-float serves one matrix: give one model that has no more, or none for the demo layer");
    rows = matrix->weights.rows;
    cols = matrix->weights.cols;
    EIS_NEW(*weights, rows * cols);
    EIS_NEW(row, cols);
    for (size_t r = 0; r < rows; r++) {
        double scale = eis_load_le_f64(matrix->row_scales.data + 8 * r);
        eis_packed_read_rows(row, &matrix->weights, r, 1);
        for (size_t c = 0; c < cols; c++) (*weights)[r * cols + c] = (float)(row[c] * scale);
    }
    *layer = (eis_legacy_layer){.inputs = (uint32_t)cols, .outputs = (uint32_t)rows, .weights = *weights};
out:
    eis_mem_free(row);
    return st;
}

void eis_served_clear(eis_served *served)
{
    for (size_t i = 0; i < served->count; i++) eis_pack_free((eis_pack *)(uintptr_t)served->offers[i].pack);
    served->count = 0;
}
