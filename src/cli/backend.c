/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/backend.h"

#include "base/clock.h"
#include "model/classifier.h"

#include <string.h>

static eis_status open_he(eis_he_session **session, const eis_cli_split *flags, const eis_cli_common *common,
                          const char *model_path)
{
    eis_he_session_wish wish;

    eis_cli_he_wish(&wish, flags->he, &flags->access, flags->own, common);
    wish.model_id = flags->served_name;
    wish.model_path = model_path;
    wish.weights = flags->weights;
    return eis_he_session_open(session, &wish);
}

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
    } else if (flags->engine == EIS_ENGINE_MPC) {
        EIS_TRY(eis_cli_mpc_open(&backend->mpc, flags->mpc, &flags->access, common, model));
    } else if (flags->engine == EIS_ENGINE_HE) {
        EIS_TRY(open_he(&backend->he, flags, common, model_path));
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

/* Parties tell classes, one input after the other. */
static eis_status classify_mpc(const eis_cli_backend *backend, double *logits, const double *x, size_t batch,
                               const eis_he_watch *watch)
{
    eis_status st = EIS_OK;
    size_t inputs = eis_classifier_input_count(backend->model), classes = backend->model->classifier.class_count;
    uint32_t best;

    memset(logits, 0, batch * classes * sizeof *logits);
    for (size_t i = 0; i < batch; i++) {
        EIS_TRY(eis_mpc_text_classify(&best, backend->mpc, backend->model, x + i * inputs));
        logits[i * classes + best] = 1;
        if (watch != NULL && watch->progress != NULL) watch->progress(watch->context, (double)(i + 1) / (double)batch);
    }
out:
    return st;
}

eis_status eis_cli_backend_classify(const eis_cli_backend *backend, double *logits, bool *replaced, const double *x,
                                    size_t batch, const eis_he_watch *watch)
{
    if (backend->he != NULL) return eis_he_session_classify(backend->he, logits, backend->model, x, batch, watch);
    if (backend->mpc != NULL) return classify_mpc(backend, logits, x, batch, watch);
    return eis_classifier_run(backend->model, &backend->seam, logits, replaced, x, batch);
}

void eis_cli_backend_close(eis_cli_backend *backend)
{
    eis_mpc_text_close(backend->mpc);
    eis_he_session_close(backend->he);
    eis_split_session_close(backend->session);
    eis_plain_backend_free(backend->plain);
    eis_pool_free(backend->pool);
    memset(backend, 0, sizeof *backend);
}
