/* SPDX-License-Identifier: Apache-2.0 */
/* What forms put into a draft. */
#include "engine/he/plan_internal.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

eis_status eis_he_draft_row(eis_he_draft *draft, const char *name, const char *method, eis_he_plan_row **row)
{
    eis_status st = EIS_OK;
    eis_he_plan *plan = draft->plan;

    *row = NULL;
    EIS_TRY(eis_mem_resize(&plan->rows, plan->row_count, plan->row_count + 1, sizeof *plan->rows));
    *row = &plan->rows[plan->row_count++];
    snprintf((*row)->name, sizeof(*row)->name, "%s", name);
    (*row)->method = method;
out:
    return st;
}

void eis_he_draft_row_end(eis_he_plan_row *row, const eis_he_track *t)
{
    row->limbs_out = t->limbs;
    row->magnitude = t->magnitude;
    row->error = eis_he_track_error(t);
}

static uint32_t larger(uint32_t a, uint32_t b) { return a > b ? a : b; }

eis_status eis_he_draft_relin(eis_he_draft *draft, uint32_t limbs)
{
    eis_he_contract *c = &draft->plan->contract;

    if (!draft->params->has_special) return eis_fail(EIS_ERR_UNSUPPORTED, "the chain has no prime for evaluation keys");
    c->needs_relin = true;
    c->relin_limbs = larger(c->relin_limbs, limbs);
    return EIS_OK;
}

eis_status eis_he_draft_rotation(eis_he_draft *draft, int32_t steps, uint32_t limbs)
{
    eis_he_contract *c = &draft->plan->contract;
    uint32_t element = eis_ckks_rotation_element(draft->params, steps), i = 0;

    if (element == 1) return EIS_OK;
    while (i < c->element_count && c->element[i] < element) i++;
    if (i < c->element_count && c->element[i] == element) {
        c->element_limbs[i] = larger(c->element_limbs[i], limbs);
        return EIS_OK;
    }
    if (c->element_count == EIS_HE_ELEMENTS_MAX)
        return eis_fail(EIS_ERR_UNSUPPORTED, "the model needs more than %d rotation keys", EIS_HE_ELEMENTS_MAX);
    memmove(&c->element[i + 1], &c->element[i], (c->element_count - i) * sizeof c->element[0]);
    memmove(&c->element_limbs[i + 1], &c->element_limbs[i], (c->element_count - i) * sizeof c->element_limbs[0]);
    c->element[i] = element;
    c->element_limbs[i] = limbs;
    c->element_count++;
    return EIS_OK;
}

double eis_he_draft_scale(const eis_he_draft *draft)
{
    const eis_ckks_params *params = draft->params;

    if (params->scale > 0) return params->scale;
    return ldexp(1, (int)floor(log2((double)eis_ckks_last_prime(params, params->limbs_max))));
}

double eis_he_draft_answer_scale(const eis_he_draft *draft, double magnitude)
{
    double scale = eis_he_draft_scale(draft), room = eis_rns_log2(&draft->params->rns, 1) - 2;

    while (scale > 2 && log2(scale) + log2(fmax(magnitude, 0x1p-20)) > room) scale /= 2;
    return scale;
}

eis_status eis_he_draft_levels(const eis_he_draft *draft, unsigned depth)
{
    if (depth + 1 <= draft->params->limbs_max) return EIS_OK;
    return eis_fail(EIS_ERR_UNSUPPORTED, "the model needs %u levels, and the chain has %zu", depth,
                    draft->params->limbs_max - 1);
}

const eis_he_node *eis_he_draft_lone_map(const eis_he_draft *draft)
{
    return draft->graph->count == 1 && draft->graph->node[0].kind == EIS_HE_NODE_MAP ? &draft->graph->node[0] : NULL;
}

eis_status eis_he_draft_affine(eis_he_draft *draft, eis_status (*plan_map)(eis_he_draft *draft, uint32_t stage,
                                                                           uint32_t node, double input_max))
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(eis_he_draft_lone_map(draft) != NULL, EIS_ERR_UNSUPPORTED, "the model is not affine");
    draft->plan->contract.stage_count = 1;
    draft->plan->contract.depth = 1;
    EIS_TRY(plan_map(draft, 0, 0, draft->graph->input_max));
out:
    return st;
}

eis_he_output eis_he_draft_answer(const eis_he_track *t, uint32_t count, int32_t stride)
{
    return (eis_he_output){.count = count,
                           .per_ciphertext = count,
                           .ciphertexts = 1,
                           .stride = stride,
                           .polys = 2,
                           .limbs = t->limbs,
                           .scale = t->scale,
                           .error = eis_he_track_error(t)};
}

bool eis_he_draft_declared(const eis_he_draft *draft, const eis_he_node *node, double *magnitude, double *usual)
{
    double margin = fmax(draft->model->classifier.magnitude_margin, 1);

    *usual = fmin(*usual, *magnitude);
    if (node->declared <= 0) return false;
    *usual = fmin(*usual, node->declared / margin);
    if (node->declared >= *magnitude) return false;
    *magnitude = node->declared;
    return true;
}
