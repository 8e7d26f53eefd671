/* SPDX-License-Identifier: Apache-2.0 */
/* The rounds of an interactive contract. The contract is turned into a classifier whose linear layers are its stages,
 * so that the executor of all engines computes what lies between. */
#include "engine/he/interactive.h"

#include "base/bytes.h"
#include "base/ct.h"
#include "base/mem.h"
#include "model/classifier.h"

/* ---- The contract as a classifier -------------------------------------------------------------------------------- */

/* A model of this file's own making: nothing in it is mapped or owned but `steps` and `linears`. */
typedef struct shell {
    eis_model model;
    double mean, deviation;
} shell;

static void clear_shell(shell *s)
{
    eis_mem_free(s->model.linears);
    eis_mem_free(s->model.classifier.steps);
    *s = (shell){0};
}

/* The number of pixels that a pool leaves along one side. Range: a contract that is checked. */
static uint32_t pooled(uint32_t size, uint32_t pad, uint32_t kernel, uint32_t stride)
{
    return (size + 2 * pad - kernel) / stride + 1;
}

static eis_step local_step(const eis_he_local *l)
{
    eis_step s = {.op = l->op,
                  .in_channels = l->channels,
                  .in_height = l->height,
                  .in_width = l->width,
                  .out_channels = l->channels,
                  .out_height = l->height,
                  .out_width = l->width,
                  .values = l->coeff,
                  .value_count = l->coeff_count};

    if (l->op != EIS_STEP_MAX_POOL) return s;
    s.kernel_height = l->kernel_height;
    s.kernel_width = l->kernel_width;
    s.stride_y = l->stride_y;
    s.stride_x = l->stride_x;
    s.pad_y = l->pad_y;
    s.pad_x = l->pad_x;
    s.out_height = pooled(l->height, l->pad_y, l->kernel_height, l->stride_y);
    s.out_width = pooled(l->width, l->pad_x, l->kernel_width, l->stride_x);
    return s;
}

static eis_step stage_step(const eis_he_stage *stage, uint32_t i)
{
    return (eis_step){.op = EIS_STEP_LINEAR,
                      .linear = i,
                      .in_channels = stage->input.size,
                      .in_height = 1,
                      .in_width = 1,
                      .out_channels = stage->output.count,
                      .out_height = 1,
                      .out_width = 1};
}

static eis_status make_shell(shell *s, const eis_he_contract *c)
{
    eis_status st = EIS_OK;
    eis_classifier *classifier = &s->model.classifier;
    uint32_t count = c->stage_count;

    *s = (shell){.model = {.kind = EIS_MODEL_CLASSIFIER, .linear_count = c->stage_count}, .deviation = 1};
    for (uint32_t i = 0; i < c->stage_count; i++) count += c->stage[i].local_count;
    EIS_NEW(s->model.linears, c->stage_count);
    EIS_NEW(classifier->steps, count);
    classifier->channels = c->stage[0].input.size;
    classifier->height = classifier->width = 1;
    classifier->divide = 1;
    classifier->mean = &s->mean;
    classifier->deviation = &s->deviation;
    classifier->mean_count = classifier->deviation_count = 1;
    for (uint32_t i = 0; i < c->stage_count; i++) {
        const eis_he_stage *stage = &c->stage[i];

        s->model.linears[i] =
            (eis_linear){.kind = EIS_LINEAR_DENSE, .in = stage->input.size, .out = stage->output.count};
        classifier->steps[classifier->step_count++] = stage_step(stage, i);
        for (uint32_t k = 0; k < stage->local_count; k++)
            classifier->steps[classifier->step_count++] = local_step(&stage->local[k]);
    }
    classifier->class_count = eis_he_interactive_count(c);
out:
    if (st != EIS_OK) clear_shell(s);
    return st;
}

uint32_t eis_he_interactive_count(const eis_he_contract *contract)
{
    const eis_he_stage *last = &contract->stage[contract->stage_count - 1];

    return last->local_count > 0 ? eis_he_local_count(&last->local[last->local_count - 1]) : last->output.count;
}

/* ---- One round --------------------------------------------------------------------------------------------------- */

/* x, or the end of [-most, most] that it lies beyond: by its magnitude's bits, which are ordered like the magnitudes.
 */
static double clamped(double x, double most)
{
    uint64_t sign = eis_bits_of_f64(x) & (uint64_t)1 << 63, magnitude = eis_bits_of_f64(x) ^ sign,
             limit = eis_bits_of_f64(most);
    uint64_t beyond = eis_ct_barrier((uint64_t)0 - ((limit - magnitude) >> 63));

    return eis_f64_of_bits(sign | eis_ct_select(beyond, limit, magnitude));
}

typedef struct session {
    const eis_he_client *client;
    const eis_he_transport *transport;
} session;

static void clear_all(eis_ckks_ct *ct, uint32_t count)
{
    for (uint32_t i = 0; ct != NULL && i < count; i++) eis_ckks_ct_clear(&ct[i]);
    eis_mem_free(ct);
}

static eis_status round_trip(double *y, const session *s, uint32_t stage, const double *x)
{
    eis_status st = EIS_OK;
    const eis_he_stage *plan = &s->client->contract->stage[stage];
    eis_ckks_ct *request = NULL, *answer = NULL;

    EIS_NEW(request, plan->input.ciphertexts);
    EIS_NEW(answer, plan->output.ciphertexts);
    for (uint32_t i = 0; i < plan->input.ciphertexts; i++)
        EIS_TRY(eis_he_protect(&request[i], s->client, stage, i, x, 1));
    EIS_TRY(s->transport->round(s->transport->context, stage, answer, request));
    EIS_TRY(eis_he_recover(y, s->client, stage, answer, 1, NULL));
out:
    clear_all(request, plan->input.ciphertexts);
    clear_all(answer, plan->output.ciphertexts);
    return st;
}

static eis_status apply(void *ctx, uint32_t index, double *y, const double *x, size_t batch)
{
    eis_status st = EIS_OK;
    const session *s = ctx;
    const eis_he_stage *plan = &s->client->contract->stage[index];
    double *inside = NULL;

    EIS_ASSERT(batch == 1);
    inside = eis_mem_new_secret(plan->input.size, sizeof *inside);
    if (inside == NULL) return EIS_ERR_MEMORY;
    for (uint32_t i = 0; i < plan->input.size; i++) inside[i] = clamped(x[i], plan->input_max);
    EIS_TRY(round_trip(y, s, index, inside));
out:
    eis_mem_free_wiped(inside, plan->input.size, sizeof *inside);
    return st;
}

eis_status eis_he_interactive_run(double *y, const eis_he_client *client, const eis_he_transport *transport,
                                  const double *x)
{
    eis_status st = EIS_OK;
    session s = {.client = client, .transport = transport};
    eis_linear_backend backend = {.ctx = &s, .apply = apply};
    shell model = {0};

    EIS_ASSERT(client->contract->interactive);
    EIS_TRY(make_shell(&model, client->contract));
    EIS_TRY(eis_classifier_run(&model.model, &backend, y, NULL, x, 1));
out:
    clear_shell(&model);
    return st;
}
