/* SPDX-License-Identifier: Apache-2.0 */
/* Models made in memory, and a client and a server in one process: what goes in, what comes out, what it should be. */
#ifndef EIS_TESTS_ENGINE_HE_WORLD_H
#define EIS_TESTS_ENGINE_HE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "engine/he/eval.h"
#include "engine/he/plan.h"
#include "engine/he/prepare.h"
#include "engine/he/protect.h"
#include "engine/he/recover.h"
#include "model/classifier.h"
#include "model/plain.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Models
 * ---------------------------------------------------------------------------------------------------------- */

static inline double made_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)(*state >> 11) / 0x1p52 - 1;
}

/* Starts a classifier of an image, or of a vector where height and width are 1. */
static inline eis_model *made_classifier(uint32_t channels, uint32_t height, uint32_t width)
{
    eis_model *model;

    assert_int_equal(eis_model_new(&model, EIS_MODEL_CLASSIFIER), EIS_OK);
    model->classifier.channels = channels;
    model->classifier.height = height;
    model->classifier.width = width;
    model->classifier.divide = 1;
    model->classifier.magnitude_margin = 1;
    double *one = eis_model_new_array(model, 1, sizeof *one), *zero = eis_model_new_array(model, 1, sizeof *zero);
    *one = 1;
    model->classifier.mean = zero;
    model->classifier.deviation = one;
    model->classifier.mean_count = model->classifier.deviation_count = 1;
    model->classifier.steps = eis_model_new_array(model, 16, sizeof(eis_step));
    return model;
}

static inline eis_step *made_step(eis_model *model, eis_step_op op, uint32_t channels, uint32_t height, uint32_t width)
{
    eis_classifier *c = &model->classifier;
    eis_step *step = &c->steps[c->step_count], *before = c->step_count > 0 ? step - 1 : NULL;

    *step = (eis_step){.op = op,
                       .layer = c->step_count,
                       .in_channels = before != NULL ? before->out_channels : c->channels,
                       .in_height = before != NULL ? before->out_height : c->height,
                       .in_width = before != NULL ? before->out_width : c->width,
                       .out_channels = channels,
                       .out_height = height,
                       .out_width = width};
    c->step_count++;
    c->class_count = channels * height * width;
    return step;
}

/* Adds a linear layer with random weights of deviation about 0.6 times `size`, and a bias likewise. */
static inline double *made_linear(eis_model *model, uint32_t out, double size, uint64_t seed)
{
    const eis_classifier *c = &model->classifier;
    uint32_t in = c->step_count > 0 ? c->class_count : (uint32_t)eis_classifier_input_count(model);
    eis_linear *node = eis_model_add_linear(model);
    double *weights = eis_model_new_array(model, (size_t)out * in, sizeof *weights);
    double *bias = eis_model_new_array(model, out, sizeof *bias);

    snprintf(node->name, sizeof node->name, "fc%u", model->linear_count);
    node->kind = EIS_LINEAR_DENSE;
    node->out = out;
    node->in = in;
    for (size_t i = 0; i < (size_t)out * in; i++) weights[i] = size * made_random(&seed);
    for (uint32_t i = 0; i < out; i++) bias[i] = size * made_random(&seed);
    node->pieces[0] = eis_tensor_view_rows(weights, EIS_DTYPE_F64, out, in);
    node->piece_count = 1;
    node->bias = bias;
    made_step(model, EIS_STEP_LINEAR, out, 1, 1)->linear = model->linear_count - 1;
    return weights;
}

static inline void made_conv(eis_model *model, uint32_t out, uint32_t kernel, uint32_t stride, uint32_t pad,
                             double size, uint64_t seed)
{
    const eis_classifier *c = &model->classifier;
    eis_linear *node = eis_model_add_linear(model);
    uint32_t in = c->channels * kernel * kernel, side = (c->height + 2 * pad - kernel) / stride + 1;
    double *weights = eis_model_new_array(model, (size_t)out * in, sizeof *weights);

    assert_int_equal(c->step_count, 0);
    for (size_t i = 0; i < (size_t)out * in; i++) weights[i] = size * made_random(&seed);
    *node = (eis_linear){.name = "conv",
                         .kind = EIS_LINEAR_CONV2D,
                         .out = out,
                         .in = in,
                         .channels = c->channels,
                         .height = c->height,
                         .width = c->width,
                         .kernel_height = kernel,
                         .kernel_width = kernel,
                         .stride_y = stride,
                         .stride_x = stride,
                         .pad_y = pad,
                         .pad_x = pad,
                         .out_height = side,
                         .out_width = side,
                         .piece_count = 1};
    node->pieces[0] = eis_tensor_view_rows(weights, EIS_DTYPE_F64, out, in);
    made_step(model, EIS_STEP_LINEAR, out, side, side)->linear = model->linear_count - 1;
}

static inline void made_pointwise(eis_model *model, eis_step_op op, const double *values, uint32_t count)
{
    const eis_step *before = &model->classifier.steps[model->classifier.step_count - 1];
    eis_step *step = made_step(model, op, before->out_channels, before->out_height, before->out_width);

    if (count == 0) return;
    double *own = eis_model_new_array(model, count, sizeof *own);
    memcpy(own, values, count * sizeof *own);
    step->values = own;
    step->value_count = count;
}

static inline eis_model *made_affine(uint32_t out, uint32_t in, double size, uint64_t seed)
{
    eis_model *model = made_classifier(in, 1, 1);

    made_linear(model, out, size, seed);
    return model;
}

/* ---- A client and a server ----------------------------------------------------------------------------------------
 */

typedef struct he_world {
    const eis_model *model;
    const eis_he_plan *plan;
    const eis_he_program *program;
    eis_he_client client;
    eis_he_keys keys;
} he_world;

static inline void he_open(he_world *w, const eis_model *model, const eis_he_wish *wish)
{
    memset(w, 0, sizeof *w);
    w->model = model;
    eis_status st = eis_he_plan_new(&w->plan, model, wish);
    if (st != EIS_OK) fail_msg("plan: %s", eis_error_detail());
    assert_int_equal(eis_he_program_new(&w->program, w->plan, model, NULL), EIS_OK);
    assert_int_equal(eis_he_client_init(&w->client, &w->plan->contract), EIS_OK);
    assert_int_equal(eis_he_client_keys(&w->keys, &w->client), EIS_OK);
}

static inline void he_close(he_world *w)
{
    eis_he_keys_clear(&w->keys);
    eis_he_client_clear(&w->client);
    eis_he_program_free(w->program);
    eis_he_plan_free(w->plan);
}

/* Gives the server the ciphertexts of numbers, made on the way; they are taken to the server's own parameters, as a
 * reader would. */
typedef struct he_feed {
    const he_world *w;
    const double *x;
    size_t batch, next;
    double scale; /* not 0: encrypted at this scale */
    eis_status refuse;
} he_feed;

static inline void he_adopt(eis_ckks_ct *ct, const eis_ckks_params *params) { ct->params = params; }

static inline eis_status he_feed_next(void *context, size_t index, eis_ckks_ct *ct)
{
    he_feed *f = context;
    eis_he_contract contract = f->w->plan->contract;
    eis_he_client client = f->w->client;

    if (index != f->next++) return EIS_ERR_INTERNAL;
    if (f->refuse != EIS_OK) return f->refuse;
    if (f->scale != 0) contract.stage[0].input.scale = f->scale;
    client.contract = &contract;
    eis_status st = eis_he_protect(ct, &client, 0, (uint32_t)index, f->x, f->batch);
    if (st == EIS_OK) he_adopt(ct, f->w->plan->params);
    return st;
}

/* The keys belong to the client's parameters, and are lent to the server's. */
static inline eis_he_keys he_lend(const he_world *w)
{
    eis_he_keys keys = w->keys;

    if (keys.relin.params != NULL) keys.relin.params = w->plan->params;
    if (keys.galois.params != NULL) keys.galois.params = w->plan->params;
    for (size_t i = 0; i < keys.galois.count; i++) keys.galois.key[i].key.params = w->plan->params;
    return keys;
}

static inline eis_status he_run(double *y, const he_world *w, const double *x, size_t batch, double scale,
                                eis_pool *pool)
{
    const eis_he_output *out = &w->plan->contract.stage[0].output;
    eis_ckks_ct *answer = eis_mem_new(out->ciphertexts, sizeof *answer);
    he_feed feed = {.w = w, .x = x, .batch = batch, .scale = scale};
    eis_he_source source = {&feed, he_feed_next};
    eis_he_keys keys = he_lend(w);
    eis_status st = eis_he_eval(answer, w->program, 0, &source, &keys, pool);

    if (st == EIS_OK) {
        for (uint32_t i = 0; i < out->ciphertexts; i++) {
            assert_false(eis_ckks_ct_is_transparent(&answer[i]));
            assert_int_equal(answer[i].limbs, out->limbs);
            assert_int_equal(answer[i].polys, out->polys);
            he_adopt(&answer[i], w->client.params);
        }
        st = eis_he_recover(y, &w->client, 0, answer, batch, NULL);
    }
    for (uint32_t i = 0; i < out->ciphertexts; i++) {
        if (st != EIS_OK && answer[i].params != NULL) assert_ptr_equal(answer[i].params, w->client.params);
        eis_ckks_ct_clear(&answer[i]);
    }
    eis_mem_free(answer);
    return st;
}

/* What the model says itself. */
static inline void he_expected(double *y, const eis_model *model, const double *x, size_t batch)
{
    eis_plain_backend *plain;

    assert_int_equal(eis_plain_backend_new(&plain, model, NULL), EIS_OK);
    eis_linear_backend seam = eis_plain_backend_seam(plain);
    assert_int_equal(eis_classifier_run(model, &seam, y, NULL, x, batch), EIS_OK);
    eis_plain_backend_free(plain);
}

/* Runs a batch of random inputs in [-size, size] and returns the largest error. */
static inline double he_error(const he_world *w, double size, size_t batch, uint64_t seed, double scale, eis_pool *pool)
{
    size_t in = eis_classifier_input_count(w->model), out = w->model->classifier.class_count;
    double *x = eis_mem_new(batch * in, sizeof *x), *y = eis_mem_new(batch * out, sizeof *y);
    double *expected = eis_mem_new(batch * out, sizeof *expected), worst = 0;

    for (size_t i = 0; i < batch * in; i++) x[i] = size * made_random(&seed);
    he_expected(expected, w->model, x, batch);
    eis_status st = he_run(y, w, x, batch, scale, pool);
    if (st != EIS_OK) fail_msg("run: %s: %s", eis_status_code(st), eis_error_detail());
    for (size_t i = 0; i < batch * out; i++) worst = fmax(worst, fabs(y[i] - expected[i]));
    eis_mem_free(x);
    eis_mem_free(y);
    eis_mem_free(expected);
    return worst;
}

#endif
