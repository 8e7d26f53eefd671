/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds bytes to the reader of config.json and builds a model without tensors from what it lets through. */
#include "model/hf.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const eis_safetensors empty = {0};
    eis_hf_config config;
    eis_model *model = NULL;

    if (eis_hf_config_read(&config, (eis_span){data, size}, "fuzz") != EIS_OK) return 0;
    if (eis_model_new(&model, EIS_MODEL_LM) == EIS_OK) EIS_ASSERT(eis_hf_build(model, &config, &empty) != EIS_OK);
    eis_model_free(model);
    return 0;
}
