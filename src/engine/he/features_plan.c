/* SPDX-License-Identifier: Apache-2.0 */
/* Plans one ciphertext per number: any graph, slot by slot, with no rotations. */
#include "engine/he/features.h"

#include "base/mem.h"
#include "ckks/polynomial.h"

#include <math.h>

/* The room that an affine model leaves for inputs of smaller scale: their constants grow. */
#define CONSTANT_LOG2_MAX 62.0

/* `usual` is the largest |value| over inputs like those of the calibration, by which noise grows; the tracker's
 * magnitude is what there must be room for. They differ by the margin of what a model declares. */
typedef struct walk {
    eis_he_draft *draft;
    eis_he_features_layout *layout;
    eis_he_track t;
    double usual;
    bool calibrated;
} walk;

static eis_ckks_polynomial polynomial_of(const eis_he_node *node)
{
    return (eis_ckks_polynomial){.basis = EIS_CKKS_BASIS_POWER, .degree = node->coeff_count - 1, .coeff = node->coeff};
}

static eis_status node_levels(unsigned *levels, const eis_he_node *node)
{
    eis_status st = EIS_OK;
    eis_ckks_polynomial p;
    eis_ckks_polynomial_cost cost;

    *levels = 1;
    if (node->kind != EIS_HE_NODE_POLYNOMIAL) return EIS_OK;
    p = polynomial_of(node);
    EIS_TRY(eis_ckks_polynomial_plan(&cost, &p));
    *levels = (unsigned)cost.levels;
out:
    return st;
}

static void settle(walk *w, const eis_he_node *node, double certain, double usual)
{
    w->t.magnitude = certain;
    w->usual = usual;
    if (eis_he_draft_declared(w->draft, node, &w->t.magnitude, &w->usual)) w->calibrated = true;
}

static bool is_last(const walk *w, uint32_t i) { return i + 1 == w->layout->node_count; }

static eis_status plan_map(walk *w, uint32_t i, eis_he_plan_row *row)
{
    eis_status st = EIS_OK;
    eis_he_draft *d = w->draft;
    const eis_he_node *node = &d->graph->node[i];
    const eis_he_map *map = &node->map;
    double x_max = w->usual, target, factor, constant;

    settle(w, node, eis_he_map_bound(map, w->t.magnitude), eis_he_map_bound(map, w->usual));
    target = is_last(w, i) ? eis_he_draft_answer_scale(d, w->t.magnitude) : eis_he_draft_scale(d);
    factor = eis_ckks_factor_scale(d->params, w->t.limbs, w->t.scale, target);
    constant = log2(fmax(eis_he_map_largest(map) * factor, 1)) - (w->layout->affine ? log2(EIS_HE_SCALE_RATIO_MIN) : 0);
    EIS_REQUIRE(constant < CONSTANT_LOG2_MAX, EIS_ERR_RANGE, "%s: weights up to %.3g are too large for this chain",
                node->name, eis_he_map_largest(map));
    row->method = "constants";
    row->products = map->start[map->rows];
    row->rescales = map->rows;
    eis_he_track_combine(&w->t, eis_he_map_square_norm(map), w->t.magnitude);
    eis_he_track_constants(&w->t, eis_he_map_terms(map), x_max, factor);
    d->cost.passes += (double)row->products * 2 * w->t.limbs;
    for (uint32_t j = 0; j < map->rows; j++) eis_he_cost_rescale(&d->cost, w->t.limbs, 2);
    eis_he_track_rescale(&w->t, d->params, target);
out:
    return st;
}

static eis_status plan_square(walk *w, uint32_t i, eis_he_plan_row *row)
{
    eis_status st = EIS_OK;
    eis_he_draft *d = w->draft;
    const eis_he_node *node = &d->graph->node[i];
    bool three = is_last(w, i) && d->wish->three_polynomials;
    double prime = (double)eis_ckks_last_prime(d->params, w->t.limbs), any = w->t.magnitude;

    row->method = "square";
    row->products = row->rescales = node->in;
    row->relinearisations = three ? 0 : node->in;
    w->t.magnitude = w->usual;
    eis_he_track_square(&w->t);
    settle(w, node, any * any + fabs(node->shift), w->usual * w->usual + fabs(node->shift));
    if (three)
        w->layout->three = true;
    else {
        EIS_TRY(eis_he_draft_relin(d, w->t.limbs));
        eis_he_track_switch(&w->t, d->params, 1);
    }
    for (uint32_t j = 0; j < node->in; j++) {
        d->cost.passes += 4.0 * w->t.limbs;
        if (!three) eis_he_cost_switch(&d->cost, w->t.limbs);
        eis_he_cost_rescale(&d->cost, w->t.limbs, three ? 3 : 2);
    }
    if (three)
        eis_he_track_rescale_three(&w->t, d->params, w->t.scale / prime);
    else
        eis_he_track_rescale(&w->t, d->params, w->t.scale / prime);
out:
    return st;
}

/* Bounds of p and of its slope on [-x, x], by its coefficients. */
static void polynomial_bounds(const eis_he_node *node, double x, double *value, double *noise_gain)
{
    double power = 1;

    *value = *noise_gain = 0;
    for (uint32_t k = 0; k < node->coeff_count; k++) {
        *value += fabs(node->coeff[k]) * power;
        if (k > 0) *noise_gain += k * fabs(node->coeff[k]) * power / fmax(x, 0x1p-20);
        power *= x;
    }
}

/* The parts of a polynomial's evaluation err like rescaled, switched products; each goes into the result with at most
 * the weight that x itself has, so that all of them together are bounded by that many errors of the input's kind. */
static eis_status plan_polynomial(walk *w, uint32_t i, eis_he_plan_row *row)
{
    eis_status st = EIS_OK;
    eis_he_draft *d = w->draft;
    const eis_he_node *node = &d->graph->node[i];
    eis_ckks_polynomial p = polynomial_of(node);
    eis_ckks_polynomial_cost cost;
    double any = w->t.magnitude, usual, gain, value, unused, target;
    double interval = fmax(fabs(node->interval[0]), fabs(node->interval[1]));

    EIS_TRY(eis_ckks_polynomial_plan(&cost, &p));
    EIS_REQUIRE(d->params->has_special, EIS_ERR_UNSUPPORTED, "the chain has no prime for evaluation keys");
    if (interval > 0 && interval < any) {
        w->calibrated = true;
        any = interval;
    }
    polynomial_bounds(node, fmin(w->usual, any), &usual, &gain);
    polynomial_bounds(node, any, &value, &unused);
    row->method = "polynomial";
    row->products = node->in * (uint64_t)cost.products;
    row->relinearisations = node->in * (uint64_t)cost.relinearisations;
    row->rescales = node->in * (uint64_t)cost.rescales;
    if (cost.relinearisations > 0) EIS_TRY(eis_he_draft_relin(d, w->t.limbs));
    for (uint64_t j = 0; j < row->relinearisations; j++) eis_he_cost_switch(&d->cost, w->t.limbs);
    for (uint64_t j = 0; j < row->rescales; j++) eis_he_cost_rescale(&d->cost, w->t.limbs, 2);
    for (size_t level = 0; level < cost.levels; level++) {
        eis_he_track_switch(&w->t, d->params, (double)cost.products);
        eis_he_track_rescale(&w->t, d->params, w->t.scale);
    }
    eis_he_track_combine(&w->t, fmax(1, gain * gain), value);
    settle(w, node, value, usual);
    target = is_last(w, i) ? eis_he_draft_answer_scale(d, w->t.magnitude) : eis_he_draft_scale(d);
    w->t.scale = target;
out:
    return st;
}

static eis_status plan_node(walk *w, uint32_t i)
{
    eis_status st = EIS_OK;
    const eis_he_node *node = &w->draft->graph->node[i];
    eis_he_features_node *at = &w->layout->node[i];
    eis_he_plan_row *row;

    EIS_TRY(eis_he_draft_row(w->draft, node->name, "", &row));
    *at = (eis_he_features_node){.limbs = w->t.limbs, .scale_in = w->t.scale};
    row->limbs_in = w->t.limbs;
    switch (node->kind) {
    case EIS_HE_NODE_MAP:
        EIS_TRY(plan_map(w, i, row));
        break;
    case EIS_HE_NODE_SQUARE:
        EIS_TRY(plan_square(w, i, row));
        break;
    case EIS_HE_NODE_POLYNOMIAL:
        EIS_TRY(plan_polynomial(w, i, row));
        break;
    case EIS_HE_NODE_LOCAL:
        return eis_fail(EIS_ERR_UNSUPPORTED, "%s: a batch is not computed interactively", node->name);
    }
    EIS_TRY(eis_he_track_check(&w->t, w->draft->params, node->name));
    at->scale = w->t.scale;
    eis_he_draft_row_end(row, &w->t);
out:
    return st;
}

void eis_he_features_layout_free(void *data)
{
    eis_he_features_layout *layout = data;

    eis_mem_free(layout->node);
    eis_mem_free(layout);
}

static eis_status layout_new(eis_he_features_layout **layout, const eis_he_draft *draft)
{
    eis_status st = EIS_OK;
    eis_he_features_layout *l = NULL;
    unsigned depth = 0, levels;

    EIS_NEW(l, 1);
    EIS_NEW(l->node, draft->graph->count);
    l->node_count = draft->graph->count;
    l->affine = eis_he_draft_lone_map(draft) != NULL;
    for (uint32_t i = 0; i < l->node_count; i++) {
        EIS_TRY(node_levels(&levels, &draft->graph->node[i]));
        depth += levels;
    }
    EIS_TRY(eis_he_draft_levels(draft, depth));
    l->limbs = depth + 1;
    *layout = l;
    l = NULL;
out:
    if (l != NULL) eis_he_features_layout_free(l);
    return st;
}

static void fill_contract(const walk *w)
{
    eis_he_draft *d = w->draft;
    eis_he_contract *c = &d->plan->contract;
    uint32_t slots = (uint32_t)eis_ckks_slots(d->params);
    eis_he_stage *s = &c->stage[0];

    c->stage_count = 1;
    c->depth = w->layout->limbs - 1;
    c->calibrated = w->calibrated;
    c->batch_max = d->wish->batch_max > 0 && d->wish->batch_max < slots ? d->wish->batch_max : slots;
    s->input = (eis_he_packing){.kind = EIS_HE_FEATURES,
                                .size = d->graph->in,
                                .padded = 1,
                                .copies = 1,
                                .ciphertexts = d->graph->in,
                                .limbs = (uint32_t)d->params->limbs_max,
                                .scale = eis_he_draft_scale(d)};
    s->input_max = d->graph->input_max;
    s->output = (eis_he_output){.count = d->graph->out,
                                .per_ciphertext = 1,
                                .ciphertexts = d->graph->out,
                                .stride = 1,
                                .polys = w->layout->three ? 3 : 2,
                                .limbs = w->t.limbs,
                                .scale = w->t.scale,
                                .error = eis_he_track_error(&w->t)};
}

eis_status eis_he_features_plan(eis_he_draft *draft)
{
    eis_status st = EIS_OK;
    walk w = {.draft = draft};

    EIS_TRY(layout_new(&w.layout, draft));
    draft->plan->layout->stage[0] = (eis_he_stage_layout){&eis_he_method_features, w.layout};
    w.t = eis_he_track_fresh(draft->params, w.layout->limbs, eis_he_draft_scale(draft), draft->graph->input_max);
    w.usual = w.t.magnitude;
    for (uint32_t i = 0; i < w.layout->node_count; i++) EIS_TRY(plan_node(&w, i));
    fill_contract(&w);
out:
    return st;
}
