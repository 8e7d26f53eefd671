/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/backend.h"

#include "base/clock.h"

#include <string.h>

eis_status eis_cli_backend_open(eis_cli_backend *backend, const eis_cli_split *flags, const eis_cli_common *common,
                                const eis_model *model, const char *model_path, const eis_ids *ids,
                                const double *inputs, size_t input_count)
{
    eis_status st = EIS_OK;

    memset(backend, 0, sizeof *backend);
    backend->model = model;
    if (flags->engine == EIS_ENGINE_PLAIN) {
        EIS_TRY(eis_pool_new(&backend->pool, common->threads));
        EIS_TRY(eis_plain_backend_new(&backend->plain, model, backend->pool));
        backend->seam = eis_plain_backend_seam(backend->plain);
    } else {
        backend->verified = flags->verify;
        EIS_TRY(eis_cli_split_open(&backend->session, flags, common, model, model_path, ids, inputs, input_count));
        backend->seam = eis_split_session_seam(backend->session);
    }
    backend->opened_ns = eis_clock_ns(); /* reports count from here: starting own servers is not the model's time */
out:
    if (st != EIS_OK) eis_cli_backend_close(backend);
    return st;
}

void eis_cli_backend_close(eis_cli_backend *backend)
{
    eis_split_session_close(backend->session);
    eis_plain_backend_free(backend->plain);
    eis_pool_free(backend->pool);
    memset(backend, 0, sizeof *backend);
}
