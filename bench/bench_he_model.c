/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_he_model.h"

#include "base/mem.h"
#include "bench/bench.h"
#include "model/classifier.h"
#include "model/plain.h"

#include <math.h>
#include <stdio.h>

eis_status eis_bench_model_dense(eis_model **out_model, uint32_t out, uint32_t in)
{
    eis_status st = EIS_OK;
    eis_model *model = NULL;
    eis_linear *node;
    float *weights;
    double *scaling;
    eis_step *step;

    *out_model = NULL;
    EIS_TRY(eis_model_new(&model, EIS_MODEL_CLASSIFIER));
    node = eis_model_add_linear(model);
    weights = eis_model_new_array(model, (size_t)out * in, sizeof *weights);
    scaling = eis_model_new_array(model, 2, sizeof *scaling);
    step = eis_model_new_array(model, 1, sizeof *step);
    if (node == NULL || weights == NULL || scaling == NULL || step == NULL) {
        st = EIS_ERR_MEMORY;
        goto out;
    }
    eis_bench_random_floats(weights, (size_t)out * in, (float)(1 / sqrt((double)in)), 7);
    *node = (eis_linear){.name = "fc", .kind = EIS_LINEAR_DENSE, .out = out, .in = in, .piece_count = 1};
    node->pieces[0] = eis_tensor_view_rows(weights, EIS_DTYPE_F32, out, in);
    scaling[1] = 1;
    *step = (eis_step){.op = EIS_STEP_LINEAR,
                       .in_channels = in,
                       .in_height = 1,
                       .in_width = 1,
                       .out_channels = out,
                       .out_height = 1,
                       .out_width = 1};
    model->classifier = (eis_classifier){.name = "dense",
                                         .channels = in,
                                         .height = 1,
                                         .width = 1,
                                         .divide = 1,
                                         .mean = &scaling[0],
                                         .deviation = &scaling[1],
                                         .mean_count = 1,
                                         .deviation_count = 1,
                                         .steps = step,
                                         .step_count = 1,
                                         .class_count = out,
                                         .magnitude_margin = 1};
    *out_model = model;
    model = NULL;
out:
    eis_model_free(model);
    return st;
}

eis_status eis_bench_plain(double *y, const eis_model *model, const double *x, size_t batch)
{
    eis_status st = EIS_OK;
    size_t count = eis_classifier_input_count(model), per_channel = count / model->classifier.channels;
    const eis_classifier *c = &model->classifier;
    eis_plain_backend *plain = NULL;
    eis_linear_backend seam;
    double *raw = NULL;

    EIS_NEW(raw, batch * count);
    for (size_t i = 0; i < batch * count; i++) { /* what the file would have held */
        size_t channel = i % count / per_channel;
        double mean = c->mean[c->mean_count > 1 ? channel : 0];
        double deviation = c->deviation[c->deviation_count > 1 ? channel : 0];
        raw[i] = (x[i] * deviation + mean) * c->divide;
    }
    EIS_TRY(eis_plain_backend_new(&plain, model, NULL));
    seam = eis_plain_backend_seam(plain);
    EIS_TRY(eis_classifier_run(model, &seam, y, NULL, raw, batch));
out:
    eis_plain_backend_free(plain);
    eis_mem_free(raw);
    return st;
}
