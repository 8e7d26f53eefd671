/* SPDX-License-Identifier: Apache-2.0 */
/* Interactive plans: a stage for each map, and what the client computes between them. */
#include "engine/he/windows.h"

#include "engine/he/network.h"

#include <math.h>
#include <string.h>

/* Bound of what a local step makes of numbers up to x. */
static double local_bound(const eis_step *s, double x)
{
    double sum = 0;

    switch (s->op) {
    case EIS_STEP_SQUARE:
        return x * x;
    case EIS_STEP_SIGMOID:
        return 1;
    case EIS_STEP_POLYNOMIAL:
        for (uint32_t power = s->value_count; power > 0; power--) sum = sum * x + fabs(s->values[power - 1]);
        return sum;
    default: /* ReLU and the largest of several: none is larger than what came in */
        return x;
    }
}

static eis_status fill_local(eis_he_local *l, const eis_step *s, const char *name)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(s->op != EIS_STEP_POLYNOMIAL || s->value_count <= EIS_HE_COEFF_MAX, EIS_ERR_UNSUPPORTED,
                "%s: a polynomial of more than %d coefficients", name, EIS_HE_COEFF_MAX);
    *l = (eis_he_local){.op = s->op,
                        .channels = s->in_channels,
                        .height = s->in_height,
                        .width = s->in_width,
                        .kernel_height = s->kernel_height,
                        .kernel_width = s->kernel_width,
                        .stride_y = s->stride_y,
                        .stride_x = s->stride_x,
                        .pad_y = s->pad_y,
                        .pad_x = s->pad_x};
    if (s->op != EIS_STEP_POLYNOMIAL) return EIS_OK;
    l->coeff_count = s->value_count;
    memcpy(l->coeff, s->values, s->value_count * sizeof *l->coeff);
out:
    return st;
}

/* The bound of what a node gives: what is certain, or less where the model declares it. */
static void settle_bound(eis_he_draft *draft, const eis_he_node *node, double *bound, double certain)
{
    double usual = certain;

    *bound = certain;
    if (eis_he_draft_declared(draft, node, bound, &usual)) draft->plan->contract.calibrated = true;
}

/* The local steps behind map *i, and the bound of what they make; *i becomes the next map. */
static eis_status plan_locals(eis_he_draft *draft, eis_he_stage *stage, uint32_t *i, double *bound)
{
    eis_status st = EIS_OK;
    const eis_he_graph *graph = draft->graph;

    for (++*i; *i < graph->count && graph->node[*i].kind == EIS_HE_NODE_LOCAL; ++*i) {
        const eis_he_node *node = &graph->node[*i];
        const eis_step *s = &draft->model->classifier.steps[node->step_first];

        EIS_REQUIRE(stage->local_count < EIS_HE_LOCAL_MAX, EIS_ERR_UNSUPPORTED,
                    "%s: more than %d layers between two linear ones", node->name, EIS_HE_LOCAL_MAX);
        EIS_TRY(fill_local(&stage->local[stage->local_count++], s, node->name));
        settle_bound(draft, node, bound, local_bound(s, *bound));
    }
out:
    return st;
}

/* Windows for a convolution, else rows. */
static eis_status plan_map(eis_he_draft *draft, uint32_t stage, uint32_t i, double input_max)
{
    const eis_he_node *node = &draft->graph->node[i];
    const eis_linear *layer = eis_he_windows_layer(draft->model, node);
    size_t slots = eis_ckks_slots(draft->params);

    if (layer != NULL && layer->in <= slots && layer->out <= slots)
        return eis_he_plan_windows(draft, stage, i, input_max);
    return eis_he_plan_dense(draft, stage, i, input_max);
}

/* A map as a stage, and the bound of what it gives. */
static eis_status plan_stage(eis_he_draft *draft, uint32_t stage, uint32_t i, double *bound)
{
    eis_status st = EIS_OK;
    eis_he_contract *c = &draft->plan->contract;
    const eis_he_node *node = &draft->graph->node[i];
    double input_max = *bound;

    EIS_REQUIRE(node->kind == EIS_HE_NODE_MAP, EIS_ERR_UNSUPPORTED, "an interactive model starts with a linear layer");
    EIS_REQUIRE(stage < EIS_HE_STAGES_MAX, EIS_ERR_UNSUPPORTED, "the model has more than %d linear layers",
                EIS_HE_STAGES_MAX);
    EIS_TRY(plan_map(draft, stage, i, input_max));
    c->stage_count = stage + 1;
    c->stage[stage].input_max = input_max;
    settle_bound(draft, node, bound, eis_he_map_bound(&node->map, input_max));
out:
    return st;
}

static eis_status plan_interactive(eis_he_draft *draft)
{
    eis_status st = EIS_OK;
    eis_he_contract *c = &draft->plan->contract;
    double bound = draft->graph->input_max;
    uint32_t stage = 0;

    c->interactive = true;
    c->depth = 1;
    c->input_max = bound;
    for (uint32_t i = 0; i < draft->graph->count; stage++) {
        EIS_TRY(plan_stage(draft, stage, i, &bound));
        EIS_TRY(plan_locals(draft, &c->stage[stage], &i, &bound));
    }
out:
    return st;
}

const eis_he_method eis_he_method_interactive = {.name = "interactive", .plan = plan_interactive};
