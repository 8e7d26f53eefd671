/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds bytes to the reader of client parts. Length and digest are made right first: they stop accidents, and what an
 * enemy sends comes with right ones. */
#include "model/part.h"

#include <openssl/sha.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *file = malloc(size > 0 ? size : 1);
    uint8_t digest[32];
    eis_model *model = NULL;

    if (file == NULL) return 0;
    if (size > 0) memcpy(file, data, size);
    if (size >= 96) {
        eis_store_le64(file + 16, size);
        memset(file + 24, 0, sizeof digest);
        SHA256(file, size, digest);
        memcpy(file + 24, digest, sizeof digest);
    }
    if (eis_model_new(&model, EIS_MODEL_LM) == EIS_OK && eis_part_load(model, (eis_span){file, size}, "fuzz") == EIS_OK)
        (void)eis_part_find_blob(model->part, "tokenizer.json");
    eis_model_free(model);
    free(file);
    return 0;
}
