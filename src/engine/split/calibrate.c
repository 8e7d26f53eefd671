/* SPDX-License-Identifier: Apache-2.0 */
/* A plain run that watches how large the inputs of each linear node get. */
#include "engine/split/prepare.h"

#include "base/mem.h"
#include "encode/fixed.h"
#include "model/classifier.h"
#include "model/plain.h"

#include <math.h>

typedef struct watcher {
    const eis_model *model;
    eis_linear_backend inner;
    double *norms; /* [linear_count] */
    double *window;
} watcher;

static double norm_of(const watcher *watch, const eis_linear *linear, const double *x)
{
    double largest = 0;

    if (linear->kind != EIS_LINEAR_CONV2D) return sqrt(eis_fixed_norm2(x, linear->in));
    for (uint32_t oy = 0; oy < linear->out_height; oy++)
        for (uint32_t ox = 0; ox < linear->out_width; ox++) {
            eis_linear_window(watch->window, linear, x, oy, ox);
            largest = fmax(largest, sqrt(eis_fixed_norm2(watch->window, linear->in)));
        }
    return largest;
}

static eis_status watch_apply(void *ctx, uint32_t index, double *y, const double *x, size_t batch)
{
    watcher *watch = ctx;
    const eis_linear *linear = &watch->model->linears[index];
    size_t each = eis_linear_input_count(linear);

    for (size_t v = 0; v < batch; v++)
        watch->norms[index] = fmax(watch->norms[index], norm_of(watch, linear, x + v * each));
    return watch->inner.apply(watch->inner.ctx, index, y, x, batch);
}

static eis_status watcher_init(watcher *watch, eis_plain_backend **plain, const eis_model *model, double *norms,
                               eis_pool *pool)
{
    eis_status st = EIS_OK;
    size_t widest = 1;

    for (uint32_t i = 0; i < model->linear_count; i++) {
        norms[i] = 0;
        if (model->linears[i].in > widest) widest = model->linears[i].in;
    }
    watch->model = model;
    watch->norms = norms;
    EIS_NEW(watch->window, widest);
    EIS_TRY(eis_plain_backend_new(plain, model, pool));
    watch->inner = eis_plain_backend_seam(*plain);
out:
    return st;
}

eis_status eis_split_calibrate_lm(double *norms, const eis_model *model, const uint32_t *ids, size_t count,
                                  eis_pool *pool)
{
    eis_status st = EIS_OK;
    watcher watch = {0};
    eis_plain_backend *plain = NULL;
    eis_lm_session *session = NULL;
    eis_linear_backend seam = {&watch, watch_apply};
    double *logits = NULL;

    if (count > model->lm.context) count = model->lm.context;
    EIS_TRY(watcher_init(&watch, &plain, model, norms, pool));
    EIS_NEW(logits, model->lm.vocabulary);
    EIS_TRY(eis_lm_session_new(&session, model, (uint32_t)count));
    EIS_TRY(eis_lm_feed(session, logits, &seam, ids, count));
out:
    eis_lm_session_free(session);
    eis_plain_backend_free(plain);
    eis_mem_free(watch.window);
    eis_mem_free(logits);
    return st;
}

eis_status eis_split_calibrate_classifier(double *norms, const eis_model *model, const double *x, size_t count,
                                          eis_pool *pool)
{
    eis_status st = EIS_OK;
    watcher watch = {0};
    eis_plain_backend *plain = NULL;
    eis_linear_backend seam = {&watch, watch_apply};
    double *logits = NULL;

    EIS_TRY(watcher_init(&watch, &plain, model, norms, pool));
    EIS_NEW(logits, count * model->classifier.class_count);
    EIS_TRY(eis_classifier_run(model, &seam, logits, NULL, x, count));
out:
    eis_plain_backend_free(plain);
    eis_mem_free(watch.window);
    eis_mem_free(logits);
    return st;
}
