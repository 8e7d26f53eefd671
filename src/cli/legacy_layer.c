/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/legacy_layer.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "model/dense.h"
#include "rand/prg.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUTS_DEFAULT  256
#define OUTPUTS_DEFAULT 10
#define SEED_DEFAULT    42
#define PORT_DEFAULT    8001
#define SIDE_MAX        65536 /* of inputs and outputs, as the original's users would ever want */
#define WEIGHTS_MAX     (1u << 28)
#define SUMMANDS        12 /* the variance of a sum of twelve uniform numbers is 1 */

enum { PART_WEIGHTS = 1, PART_BIAS = 2 };

static eis_status read_number(uint64_t *value, const char *name, uint64_t otherwise, uint64_t min, uint64_t max)
{
    const char *text = getenv(name);
    char *end;

    *value = otherwise;
    if (text == NULL || *text == '\0') return EIS_OK;
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || *value < min || *value > max)
        return eis_fail(EIS_ERR_USAGE, "the environment variable %s takes a whole number from %" PRIu64 " to %" PRIu64,
                        name, min, max);
    return EIS_OK;
}

eis_status eis_cli_legacy_port(uint16_t *port)
{
    uint64_t value;
    eis_status st = read_number(&value, "EIS_PORT", PORT_DEFAULT, 0, 65535);

    if (st == EIS_OK) *port = (uint16_t)value;
    return st;
}

eis_status eis_cli_legacy_normals(float *out, size_t n, double deviation, uint64_t seed, unsigned part)
{
    eis_status st = EIS_OK;
    eis_prg prg = {0};
    uint8_t key[32] = {0}, words[4 * SUMMANDS];

    eis_store_le64(key, seed);
    eis_store_le32(key + 8, part);
    EIS_TRY(eis_prg_start(&prg, EIS_SUITE_AES128, key, sizeof key));
    for (size_t i = 0; i < n; i++) {
        uint64_t sum = 0;
        EIS_TRY(eis_prg_read(&prg, words, sizeof words));
        for (size_t j = 0; j < SUMMANDS; j++) sum += eis_load_le32(words + 4 * j);
        out[i] = (float)(deviation * ((double)sum / 4294967296.0 - SUMMANDS / 2.0));
    }
out:
    eis_prg_clear(&prg);
    return st;
}

eis_status eis_cli_legacy_init(eis_cli_legacy *layer)
{
    eis_status st = EIS_OK;
    uint64_t inputs, outputs;

    memset(layer, 0, sizeof *layer);
    EIS_TRY(read_number(&inputs, "EIS_D_IN", INPUTS_DEFAULT, 1, SIDE_MAX));
    EIS_TRY(read_number(&outputs, "EIS_D_OUT", OUTPUTS_DEFAULT, 1, SIDE_MAX));
    EIS_TRY(read_number(&layer->seed, "EIS_SEED", SEED_DEFAULT, 0, UINT64_MAX));
    EIS_REQUIRE(inputs * outputs <= WEIGHTS_MAX, EIS_ERR_USAGE, "EIS_D_IN times EIS_D_OUT is at most %u", WEIGHTS_MAX);
    layer->inputs = (uint32_t)inputs;
    layer->outputs = (uint32_t)outputs;
    EIS_NEW(layer->weights, inputs * outputs);
    EIS_NEW(layer->bias, outputs);
    EIS_TRY(eis_cli_legacy_normals(layer->weights, inputs * outputs, 0.1, layer->seed, PART_WEIGHTS));
    EIS_TRY(eis_cli_legacy_normals(layer->bias, outputs, 0.01, layer->seed, PART_BIAS));
out:
    if (st != EIS_OK) eis_cli_legacy_clear(layer);
    return st;
}

void eis_cli_legacy_clear(eis_cli_legacy *layer)
{
    eis_mem_free(layer->weights);
    eis_mem_free(layer->bias);
    memset(layer, 0, sizeof *layer);
}

eis_status eis_cli_legacy_model(eis_model **model, const eis_cli_legacy *layer)
{
    eis_status st = EIS_OK;
    double *bias = NULL;

    *model = NULL;
    EIS_NEW(bias, layer->outputs);
    for (uint32_t i = 0; i < layer->outputs; i++) bias[i] = (double)layer->bias[i];
    EIS_TRY(eis_model_new_dense(model, EIS_CLI_LEGACY_NAME, layer->inputs, layer->outputs, bias, 1));
    (*model)->linears[0].pieces[0] = eis_tensor_view_rows(layer->weights, EIS_DTYPE_F32, layer->outputs, layer->inputs);
out:
    eis_mem_free(bias);
    return st;
}
