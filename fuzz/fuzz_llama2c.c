/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds bytes to the llama2.c loader and runs two tokens through what it lets through. */
#include "model/llama2c.h"
#include "model/plain.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(const eis_model *model)
{
    const uint32_t ids[2] = {0, model->lm.vocabulary - 1};
    eis_plain_backend *plain = NULL;
    eis_lm_session *session = NULL;

    if (model->lm.vocabulary <= 4096 && eis_plain_backend_new(&plain, model, NULL) == EIS_OK &&
        eis_lm_session_new(&session, model, model->lm.context < 2 ? 1 : 2) == EIS_OK) {
        static double room[4096];
        const eis_linear_backend backend = eis_plain_backend_seam(plain);
        (void)!eis_lm_feed(session, room, &backend, ids, model->lm.context < 2 ? 1 : 2);
    }
    eis_lm_session_free(session);
    eis_plain_backend_free(plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    eis_model *model = NULL;

    if (eis_model_new(&model, EIS_MODEL_LM) != EIS_OK) return 0;
    if (eis_llama2c_load(model, (eis_span){data, size}, "fuzz") == EIS_OK) run(model);
    eis_model_free(model);
    return 0;
}
