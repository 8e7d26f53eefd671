/* SPDX-License-Identifier: Apache-2.0 */
/* Plans a network: grids, levels, scales, magnitudes and noise from node to node. */
#include "engine/he/network.h"

#include "base/mem.h"
#include "engine/he/windows.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Where scales are smaller, a map's rounding counts for the squares behind it. */
#define FOLD_FIRST_SCALE 0x1p32

#define WORTH 0x1p-5 /* the largest error of an answer, in parts of what it can be */

/* ---- Magnitudes -------------------------------------------------------------------------------------------------- */

/* Takes over what is known of the numbers that a node gives: `certain` follows from norms, the node may declare less.
 */
static void settle_magnitude(const eis_he_draft *draft, eis_he_network_track *t, const eis_he_node *node,
                             double certain, double usual)
{
    t->magnitude = certain;
    t->usual = usual;
    if (eis_he_draft_declared(draft, node, &t->magnitude, &t->usual)) t->calibrated = true;
}

/* ---- Maps -------------------------------------------------------------------------------------------------------- */

/* A product with one plane, without rotations. */
static void plan_rows(eis_he_draft *draft, eis_he_plan_row *row, eis_he_track *t, double scale, double square_norm,
                      double magnitude)
{
    double x = t->magnitude;

    eis_he_track_combine(t, square_norm, magnitude);
    eis_he_track_planes(t, draft->params, 1, x, scale);
    draft->cost.passes += 2.0 * t->limbs;
    row->products++;
}

/* The sums of one target: every source's rotations and planes. *t holds one source before, the target after. */
static eis_status plan_target(eis_he_draft *draft, eis_he_plan_row *row, const eis_he_network_step *step,
                              eis_he_track *t, uint32_t sources, double square_norm, double magnitude)
{
    eis_status st = EIS_OK;
    const eis_he_product *p = &step->product;
    /* A fold adds up independent slots, so that the rows' norms come out in the end. */
    double per_slot = square_norm / ((double)p->fold * sources), variance = 0;
    eis_he_track part = *t;

    for (uint32_t i = 0; i < sources; i++) {
        part = *t;
        if (p->diagonals == 1)
            plan_rows(draft, row, &part, step->scale, per_slot, magnitude);
        else
            EIS_TRY(eis_he_bsgs_plan(draft, row, &part, p->diagonals, p->step, step->scale, per_slot, magnitude));
        variance += part.variance;
    }
    *t = part;
    t->variance = variance;
    t->magnitude = magnitude;
out:
    return st;
}

/* One target of a map, from what one source is like. */
static eis_status plan_one(eis_he_draft *draft, eis_he_plan_row *row, const eis_he_network_step *step, eis_he_track *t,
                           const eis_he_node *node, double magnitude)
{
    eis_status st = EIS_OK;
    const eis_he_product *p = &step->product;
    uint32_t sources = step->windows ? 1 : p->in.ciphertexts; /* windows have sources that stand for themselves */

    EIS_TRY(plan_target(draft, row, step, t, sources, eis_he_map_square_norm(&node->map), magnitude));
    if (step->fold_first) EIS_TRY(eis_he_fold_plan(draft, row, t, p->fold, p->fold_stride, magnitude));
    EIS_TRY(eis_he_track_check(t, draft->params, node->name));
    eis_he_cost_rescale(&draft->cost, t->limbs, 2);
    eis_he_track_rescale(t, draft->params, step->scale_out);
    row->rescales++;
    if (!step->fold_first) EIS_TRY(eis_he_fold_plan(draft, row, t, p->fold, p->fold_stride, magnitude));
    EIS_TRY(eis_he_track_check(t, draft->params, node->name));
out:
    return st;
}

/* The scale of what a map gives: the chain's, or less where an answer or the square that makes it needs the room. */
static double scale_behind(const eis_he_draft *draft, double magnitude, uint32_t behind)
{
    double scale = eis_he_draft_scale(draft), room = eis_rns_log2(&draft->params->rns, 2) - 2;

    if (behind == 0) return eis_he_draft_answer_scale(draft, magnitude);
    while (behind == 1 && scale > 2 && 2 * log2(scale * fmax(magnitude, 1)) > room) scale /= 2;
    return scale;
}

eis_status eis_he_product_plan(eis_he_draft *draft, eis_he_network_step *step, eis_he_network_track *t,
                               const char *method, uint32_t behind)
{
    eis_status st = EIS_OK;
    const eis_he_node *node = &draft->graph->node[step->node];
    const eis_ckks_params *params = draft->params;
    eis_he_track first = t->t;
    eis_he_plan_row *row;
    double any;

    first.magnitude = t->usual; /* by which the roundings of planes are multiplied */
    settle_magnitude(draft, t, node, eis_he_map_bound(&node->map, t->magnitude),
                     eis_he_map_bound(&node->map, t->usual));
    any = step->product.fold > 1 && !step->windows ? 2 * t->magnitude : t->magnitude;
    step->limbs = first.limbs;
    step->fold_first = behind > 0 && eis_he_draft_scale(draft) < FOLD_FIRST_SCALE;
    step->scale_out = scale_behind(draft, any, behind);
    step->scale = eis_ckks_factor_scale(params, first.limbs, first.scale, step->scale_out);
    EIS_TRY(eis_he_draft_row(draft, node->name, method, &row));
    row->limbs_in = first.limbs;
    for (uint32_t k = 0; k < step->product.out.ciphertexts; k++) {
        t->t = first;
        EIS_TRY(plan_one(draft, row, step, &t->t, node, any));
    }
    /* Windows are all in different slots; a grid begins anew in each ciphertext. */
    EIS_TRY(eis_he_sum_error(&t->error, &node->map, step->windows ? node->map.columns : step->product.in.per,
                             first.variance, t->t.variance - first.variance * eis_he_map_square_norm(&node->map)));
    eis_he_draft_row_end(row, &t->t);
    row->magnitude = t->magnitude;
    row->error = t->error;
out:
    return st;
}

/* The first map: as windows where it is a convolution that fits and they are wanted, else as rows. */
static eis_status shape_first(const eis_he_draft *draft, eis_he_network_step *step, eis_he_packing *packing,
                              bool windows)
{
    const eis_he_node *node = &draft->graph->node[step->node];
    size_t slots = eis_ckks_slots(draft->params);
    const eis_linear *layer = eis_he_windows_layer(draft->model, node);
    eis_he_grid in;

    if (windows && layer != NULL && eis_he_windows_shape(packing, &step->product, layer, slots, true) == EIS_OK) {
        step->windows = true;
        return EIS_OK;
    }
    in = eis_he_grid_rows(node->in, slots);
    *packing = (eis_he_packing){.kind = EIS_HE_ROWS,
                                .size = node->in,
                                .padded = in.units,
                                .copies = (uint32_t)(slots / in.units),
                                .ciphertexts = in.ciphertexts};
    step->product = eis_he_product_of(&in, node->out, slots);
    return EIS_OK;
}

static eis_status plan_map(eis_he_draft *draft, eis_he_network_step *step, eis_he_network_track *t, uint32_t behind)
{
    eis_status st = EIS_OK;
    const eis_he_node *node = &draft->graph->node[step->node];
    const char *method = step->windows                 ? "im2col windows"
                         : step->product.diagonals > 1 ? "diagonals and fold"
                                                       : "rows and fold";

    EIS_REQUIRE((uint64_t)node->out * node->in <= EIS_HE_NETWORK_TERMS_MAX || step->windows, EIS_ERR_UNSUPPORTED,
                "%s: a map of %u x %u numbers is too large for a network on one input", node->name, node->out,
                node->in);
    EIS_TRY(eis_he_product_plan(draft, step, t, method, behind));
out:
    return st;
}

/* ---- Squares and polynomials --------------------------------------------------------------------------------------
 */

static eis_status plan_square(eis_he_draft *draft, eis_he_network_step *step, eis_he_network_track *t,
                              uint32_t ciphertexts)
{
    eis_status st = EIS_OK;
    const eis_he_node *node = &draft->graph->node[step->node];
    const eis_ckks_params *params = draft->params;
    double any = t->t.magnitude * t->t.magnitude;
    eis_he_plan_row *row;

    EIS_TRY(eis_he_draft_row(draft, node->name, "square", &row));
    row->limbs_in = step->limbs = t->t.limbs;
    t->t.magnitude = t->usual;
    eis_he_track_square(&t->t);
    t->t.magnitude = any;
    EIS_TRY(eis_he_track_check(&t->t, params, node->name));
    eis_he_track_switch(&t->t, params, 1);
    for (uint32_t k = 0; k < ciphertexts; k++) {
        draft->cost.passes += 4.0 * t->t.limbs;
        eis_he_cost_switch(&draft->cost, t->t.limbs);
        eis_he_cost_rescale(&draft->cost, t->t.limbs, 2);
    }
    row->products = row->relinearisations = row->rescales = ciphertexts;
    eis_he_track_rescale(&t->t, params, t->t.scale / (double)eis_ckks_last_prime(params, t->t.limbs));
    settle_magnitude(draft, t, node, t->magnitude * t->magnitude, t->usual * t->usual);
    EIS_TRY(eis_he_track_check(&t->t, params, node->name));
    eis_he_draft_row_end(row, &t->t);
    row->magnitude = t->magnitude;
    t->error = row->error;
    EIS_TRY(eis_he_draft_relin(draft, step->limbs));
out:
    return st;
}

static eis_ckks_polynomial polynomial_of(const eis_he_node *node)
{
    return (eis_ckks_polynomial){.basis = EIS_CKKS_BASIS_POWER, .degree = node->coeff_count - 1, .coeff = node->coeff};
}

/* The largest |p'| on [-x, x], from points that lie close. */
static double steepest(const eis_he_node *node, double x)
{
    double most = 0;

    for (int i = -128; i <= 128; i++) {
        double at = x * i / 128, sum = 0;
        for (uint32_t power = node->coeff_count - 1; power > 0; power--) sum = sum * at + power * node->coeff[power];
        most = fmax(most, fabs(sum));
    }
    return most;
}

/* Sum of |c_i| x^i: nothing between can be larger. */
static double polynomial_bound(const eis_he_node *node, double x)
{
    double sum = 0;

    for (uint32_t power = node->coeff_count; power > 0; power--) sum = sum * x + fabs(node->coeff[power - 1]);
    return sum;
}

static eis_status plan_polynomial(eis_he_draft *draft, eis_he_network_step *step, eis_he_network_track *t,
                                  uint32_t ciphertexts, bool answer)
{
    eis_status st = EIS_OK;
    const eis_he_node *node = &draft->graph->node[step->node];
    eis_ckks_polynomial p = polynomial_of(node);
    eis_ckks_polynomial_cost cost;
    double slope = fmax(steepest(node, t->usual), 1), any = polynomial_bound(node, t->t.magnitude);
    eis_he_plan_row *row;

    EIS_TRY(eis_ckks_polynomial_plan(&cost, &p));
    EIS_TRY(eis_he_draft_row(draft, node->name, "polynomial", &row));
    step->coeff_count = node->coeff_count;
    memcpy(step->coeff, node->coeff, node->coeff_count * sizeof *step->coeff);
    row->limbs_in = step->limbs = t->t.limbs;
    for (uint32_t k = 0; k < ciphertexts; k++)
        for (size_t i = 0; i < cost.products; i++) {
            draft->cost.passes += 4.0 * t->t.limbs;
            eis_he_cost_switch(&draft->cost, t->t.limbs);
            eis_he_cost_rescale(&draft->cost, t->t.limbs, 2);
        }
    row->products = cost.products * ciphertexts;
    row->relinearisations = cost.relinearisations * ciphertexts;
    row->rescales = cost.rescales * ciphertexts;
    step->scale_out = answer ? eis_he_draft_answer_scale(draft, any) : eis_he_draft_scale(draft);
    /* What comes in is multiplied by the slope; each level brings a key switch and a rescale, and their noise meets the
     * slopes behind it, which the whole's stands for. */
    for (size_t i = 0; i < cost.levels; i++) {
        eis_he_track_switch(&t->t, draft->params, 1);
        eis_he_track_rescale(&t->t, draft->params, step->scale_out);
    }
    eis_he_track_combine(&t->t, slope * slope, any);
    settle_magnitude(draft, t, node, polynomial_bound(node, t->magnitude), polynomial_bound(node, t->usual));
    EIS_TRY(eis_he_track_check(&t->t, draft->params, node->name));
    eis_he_draft_row_end(row, &t->t);
    row->magnitude = t->magnitude;
    t->error = row->error;
    EIS_TRY(eis_he_draft_relin(draft, step->limbs));
out:
    return st;
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */

/* Levels of a graph; UNSUPPORTED where it is not one for this form. */
static eis_status count_levels(uint32_t *levels, const eis_he_graph *graph)
{
    eis_status st = EIS_OK;

    *levels = 0;
    EIS_REQUIRE(graph->count > 1 && graph->node[0].kind == EIS_HE_NODE_MAP, EIS_ERR_UNSUPPORTED,
                "a network starts with a linear layer and has others behind it");
    EIS_REQUIRE(graph->count <= EIS_HE_NETWORK_STEPS_MAX, EIS_ERR_UNSUPPORTED, "the network has too many layers");
    for (uint32_t i = 0; i < graph->count; i++) {
        const eis_he_node *node = &graph->node[i];
        eis_ckks_polynomial p;
        eis_ckks_polynomial_cost cost = {.levels = 1};

        EIS_REQUIRE(node->kind != EIS_HE_NODE_LOCAL, EIS_ERR_UNSUPPORTED, "%s is computed by the client", node->name);
        if (node->kind == EIS_HE_NODE_POLYNOMIAL) {
            p = polynomial_of(node);
            EIS_TRY(eis_ckks_polynomial_plan(&cost, &p));
        }
        *levels += (uint32_t)cost.levels;
    }
out:
    return st;
}

/* A part of the graph that one stage computes. */
typedef struct span {
    uint32_t stage, first, count; /* nodes */
    uint32_t levels;
    bool windows; /* the first map may be windows */
} span;

static eis_status plan_steps(eis_he_draft *draft, eis_he_network *net, eis_he_packing *packing, eis_he_network_track *t,
                             const span *part)
{
    eis_status st = EIS_OK;
    eis_he_grid grid = {0};

    for (uint32_t i = 0; i < part->count; i++) {
        const eis_he_node *node = &draft->graph->node[part->first + i];
        eis_he_network_step *step = &net->step[i];
        uint32_t behind = part->count - 1 - i;

        step->kind = node->kind;
        step->node = part->first + i;
        step->factor = node->factor;
        step->shift = node->shift;
        net->count = i + 1;
        if (step->kind == EIS_HE_NODE_MAP) {
            if (i == 0)
                EIS_TRY(shape_first(draft, step, packing, part->windows));
            else
                step->product = eis_he_product_of(&grid, node->out, eis_ckks_slots(draft->params));
            EIS_TRY(plan_map(draft, step, t, behind));
            grid = step->product.out;
        } else if (step->kind == EIS_HE_NODE_SQUARE) {
            EIS_TRY(plan_square(draft, step, t, grid.ciphertexts));
        } else {
            EIS_TRY(plan_polynomial(draft, step, t, grid.ciphertexts, behind == 0));
        }
    }
out:
    return st;
}

static const eis_he_grid *last_grid(const eis_he_network *net)
{
    for (uint32_t i = net->count; i-- > 0;)
        if (net->step[i].kind == EIS_HE_NODE_MAP) return &net->step[i].product.out;
    return &net->step[0].product.out;
}

static void fill_stage(eis_he_stage *s, const eis_he_network *net, const eis_he_packing *packing,
                       const eis_he_network_track *t, double input_max)
{
    const eis_he_grid *grid = last_grid(net);

    *s = (eis_he_stage){.input = *packing, .input_max = input_max};
    s->output = (eis_he_output){.count = grid->count,
                                .per_ciphertext = grid->per,
                                .ciphertexts = grid->ciphertexts,
                                .stride = grid->per > 1 ? (int32_t)grid->stride : 1,
                                .polys = 2,
                                .limbs = t->t.limbs,
                                .scale = t->t.scale,
                                .error = t->error};
}

/* Answers that are mostly error are none. */
static eis_status check_worth(const eis_he_network_track *t)
{
    if (t->error <= t->magnitude * WORTH) return EIS_OK;
    return eis_fail(EIS_ERR_RANGE, "answers up to %.3g would have errors up to %.3g", t->magnitude, t->error);
}

/* Norms of squares grow quickly: who has declared nothing is told so. */
static eis_status hint_at_magnitudes(eis_status st, const eis_model *model)
{
    char text[400];

    if (st != EIS_ERR_RANGE || model->classifier.magnitude_count > 0) return st;
    snprintf(text, sizeof text, "%s", eis_error_detail());
    return eis_fail(st, "%s; magnitudes in model.json, measured on inputs, would leave more room", text);
}

static eis_status plan_span(eis_he_draft *draft, const span *part, double x)
{
    eis_status st = EIS_OK;
    const eis_ckks_params *params = draft->params;
    double scale = eis_he_draft_scale(draft);
    eis_he_network *net = NULL;
    eis_he_network_track t = {.magnitude = x, .usual = x};
    eis_he_packing packing = {0};

    EIS_REQUIRE(params->has_special, EIS_ERR_UNSUPPORTED, "the chain has no special prime for rotations");
    EIS_TRY(eis_he_draft_levels(draft, part->levels));
    EIS_NEW(net, 1);
    t.t = eis_he_track_fresh(params, part->levels + 1, scale, x);
    EIS_TRY(plan_steps(draft, net, &packing, &t, part));
    EIS_REQUIRE(last_grid(net)->run == last_grid(net)->units, EIS_ERR_UNSUPPORTED,
                "a network of one convolution has no dense layer whose answers lie evenly");
    EIS_TRY(check_worth(&t));
    packing.limbs = part->levels + 1;
    packing.scale = scale;
    fill_stage(&draft->plan->contract.stage[part->stage], net, &packing, &t, x);
    if (t.calibrated) draft->plan->contract.calibrated = true;
    draft->plan->layout->stage[part->stage] = (eis_he_stage_layout){.method = &eis_he_method_network, .data = net};
    net = NULL;
out:
    eis_mem_free(net);
    return hint_at_magnitudes(st, draft->model);
}

eis_status eis_he_network_plan(eis_he_draft *draft)
{
    eis_status st = EIS_OK;
    eis_he_contract *c = &draft->plan->contract;
    double x = draft->graph->input_max;
    span part = {.count = draft->graph->count, .windows = true};

    EIS_TRY(count_levels(&part.levels, draft->graph));
    EIS_TRY(plan_span(draft, &part, x));
    c->stage_count = 1;
    c->depth = part.levels;
    c->input_max = x;
out:
    return st;
}

eis_status eis_he_plan_dense(eis_he_draft *draft, uint32_t stage, uint32_t node, double input_max)
{
    span part = {.stage = stage, .first = node, .count = 1, .levels = 1};

    return plan_span(draft, &part, input_max);
}
