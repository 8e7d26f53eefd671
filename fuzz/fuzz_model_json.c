/* SPDX-License-Identifier: Apache-2.0 */
/* model.json over a fixed table of weights: what loads has steps that fit each other, and runs if it is small. */
#include "base/mem.h"
#include "model/classifier.h"
#include "model/classifier_layers.h"
#include "model/plain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILE_BYTES = 4096, SMALL = 4096 };

/* The tensors a to f: vectors and matrices of 1, 2, 4 and 16 words. */
static const struct {
    const char *name, *shape;
    size_t words;
} tensors[] = {{"a", "1", 1}, {"b", "2", 2}, {"c", "4", 4}, {"d", "2,2", 4}, {"e", "4,4", 16}, {"f", "1,1", 1}};

/* Writes a safetensors file of these tensors; returns its size. */
static size_t write_weights(uint8_t *file)
{
    char *json = (char *)file + 8;
    size_t used = 0, data = 0;

    used += (size_t)snprintf(json, FILE_BYTES / 2, "{");
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        used += (size_t)snprintf(json + used, FILE_BYTES / 2 - used,
                                 "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}", i ? "," : "",
                                 tensors[i].name, tensors[i].shape, data, data + 4 * tensors[i].words);
        data += 4 * tensors[i].words;
    }
    used += (size_t)snprintf(json + used, FILE_BYTES / 2 - used, "}");
    eis_store_le64(file, used);
    for (size_t i = 0; i < data / 4; i++) {
        float v = 0.25f * (float)(i % 7) - 0.5f;
        memcpy(file + 8 + used + 4 * i, &v, sizeof v);
    }
    return 8 + used + data;
}

static bool is_small(const eis_model *model)
{
    size_t total = eis_classifier_input_count(model);

    for (uint32_t i = 0; i < model->classifier.step_count; i++) {
        const eis_step *s = &model->classifier.steps[i];
        total += (size_t)s->out_channels * s->out_height * s->out_width;
        if (s->kernel_height > SMALL || s->kernel_width > SMALL || total > SMALL) return false;
    }
    for (uint32_t i = 0; i < model->linear_count; i++)
        total += eis_linear_output_count(&model->linears[i]) * model->linears[i].in;
    return total <= SMALL * 16;
}

static void run(const eis_model *model)
{
    double x[SMALL] = {1, -2, 3}, logits[SMALL];
    eis_plain_backend *backend;
    bool replaced;

    EIS_ASSERT(eis_plain_backend_new(&backend, model, NULL) == EIS_OK);
    eis_linear_backend seam = eis_plain_backend_seam(backend);
    if (eis_classifier_run(model, &seam, logits, &replaced, x, 1) == EIS_OK)
        for (uint32_t i = 0; i < model->classifier.class_count; i++) EIS_ASSERT(isfinite(logits[i]));
    eis_plain_backend_free(backend);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t file[FILE_BYTES];
    eis_safetensors weights = {0};
    eis_layer *layers;
    eis_model *model;
    size_t layer_count;

    EIS_ASSERT(eis_safetensors_add(&weights, (eis_span){file, write_weights(file)}, "weights") == EIS_OK);
    EIS_ASSERT(eis_model_new(&model, EIS_MODEL_CLASSIFIER) == EIS_OK);
    if (eis_classifier_read_json(model, &layers, &layer_count, (eis_span){data, size}, "fuzz") == EIS_OK) {
        if (eis_classifier_build(model, layers, layer_count, &weights, "fuzz") == EIS_OK && is_small(model)) run(model);
        eis_mem_free(layers);
    }
    eis_safetensors_clear(&weights);
    eis_model_free(model);
    return 0;
}
