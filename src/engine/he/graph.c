/* SPDX-License-Identifier: Apache-2.0 */
/* From the steps of a classifier to maps and what stands between them. */
#include "engine/he/graph.h"

#include "base/mem.h"
#include "model/classifier.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct builder {
    const eis_model *model;
    eis_he_graph *graph;
    bool interactive;
    eis_he_map map; /* being built; rows 0: none */
    uint32_t map_first;
    double factor, shift; /* of what comes in, from a polynomial behind the last map */
    uint32_t words;       /* what comes out of the steps so far */
    uint32_t room;        /* nodes allocated */
} builder;

static const char *const step_names[] = {"",           "linear", "relu",     "square",   "sigmoid",
                                         "polynomial", "affine", "avg_pool", "max_pool", "flatten"};

/* The bound that the model declares for what comes out of a step, its margin included; 0: none. */
static double declared(const eis_model *model, uint32_t step)
{
    const eis_classifier *c = &model->classifier;
    uint32_t layer = c->steps[step].layer;

    return layer < c->magnitude_count ? c->magnitude_max[layer] * c->magnitude_margin : 0;
}

/* What the model declares for what goes into a step, without margin: the range of the calibration. */
static double calibrated_input(const eis_model *model, uint32_t step)
{
    return step == 0 ? 0 : declared(model, step - 1) / model->classifier.magnitude_margin;
}

static eis_he_node *add_node(builder *b, eis_he_node_kind kind, uint32_t first, uint32_t end, uint32_t in)
{
    eis_he_node *node = &b->graph->node[b->graph->count];

    EIS_ASSERT(b->graph->count < b->room);
    b->graph->count++;
    *node = (eis_he_node){.kind = kind, .step_first = first, .step_count = end - first, .in = in, .factor = 1};
    if (end > first) node->declared = declared(b->model, end - 1);
    return node;
}

static void name_node(const builder *b, eis_he_node *node)
{
    for (uint32_t i = node->step_first; i < node->step_first + node->step_count; i++) {
        const eis_step *s = &b->model->classifier.steps[i];
        if (s->op == EIS_STEP_FLATTEN) continue;
        snprintf(node->name, sizeof node->name, "%s",
                 s->op == EIS_STEP_LINEAR ? b->model->linears[s->linear].name : step_names[s->op]);
        return;
    }
    snprintf(node->name, sizeof node->name, "identity");
}

/* ---- Maps ---------------------------------------------------------------------------------------------------------
 */

/* Starts an identity where something is to be added to what comes in. */
static eis_status need_map(builder *b, uint32_t step)
{
    if (b->map.rows > 0) return EIS_OK;
    b->map_first = step;
    return eis_he_map_diagonal(&b->map, b->words, b->words, &(double){1}, &(double){0});
}

/* Closes the map that is being built, if there is one. `shift` has been added to its output already. */
static void close_map(builder *b, uint32_t end, double shift)
{
    eis_he_node *node;

    if (b->map.rows == 0) return;
    node = add_node(b, EIS_HE_NODE_MAP, b->map_first, end, b->map.columns);
    node->out = b->map.rows;
    node->map = b->map;
    if (node->declared > 0) node->declared += fabs(shift);
    b->map = (eis_he_map){0};
    name_node(b, node);
}

static eis_status build_affine(builder *b, uint32_t step)
{
    eis_status st = EIS_OK;
    eis_he_map map = {0};

    EIS_TRY(eis_he_map_step(&map, b->model, &b->model->classifier.steps[step]));
    if (b->map.rows == 0) {
        eis_he_map_scale_input(&map, b->factor, b->shift);
        b->factor = 1;
        b->shift = 0;
        b->map_first = step;
        b->map = map;
        map = (eis_he_map){0};
    } else {
        EIS_TRY(eis_he_map_compose(&b->map, &map));
    }
out:
    eis_he_map_clear(&map);
    return st;
}

/* ---- What stands between ------------------------------------------------------------------------------------------
 */

/* A factor and a shift wait for a map that has not come: one of their own takes them. */
static eis_status settle(builder *b, uint32_t step)
{
    eis_status st = EIS_OK;

    if (b->factor == 1 && b->shift == 0) return EIS_OK;
    EIS_TRY(need_map(b, step));
    eis_he_map_scale_input(&b->map, b->factor, b->shift);
    b->factor = 1;
    b->shift = 0;
out:
    return st;
}

static void add_pointwise(builder *b, eis_he_node_kind kind, uint32_t step)
{
    eis_he_node *node = add_node(b, kind, step, step + 1, b->words);

    node->out = b->words;
    name_node(b, node);
}

/* c0 + c1 x + c2 x^2, c2 not 0. */
static eis_status build_quadratic(builder *b, uint32_t step, double c0, double c1, double c2)
{
    eis_status st = EIS_OK;
    double half = c1 / (2 * c2), rest = c0 - c2 * half * half;
    eis_he_node *node;

    EIS_TRY(settle(b, step));
    if (half != 0) {
        EIS_TRY(need_map(b, step));
        eis_he_map_scale_output(&b->map, 1, half);
    }
    close_map(b, step, half);
    add_pointwise(b, EIS_HE_NODE_SQUARE, step);
    node = &b->graph->node[b->graph->count - 1];
    if (node->declared > 0) node->declared = (node->declared + fabs(rest)) / fabs(c2);
    b->factor = c2;
    b->shift = rest;
out:
    return st;
}

static eis_status build_polynomial(builder *b, uint32_t step)
{
    eis_status st = EIS_OK;
    const eis_step *s = &b->model->classifier.steps[step];
    uint32_t count = s->value_count;
    eis_he_node *node;

    while (count > 1 && s->values[count - 1] == 0) count--;
    if (count <= 2) return build_affine(b, step);
    if (count == 3) return build_quadratic(b, step, s->values[0], s->values[1], s->values[2]);
    EIS_TRY(settle(b, step));
    close_map(b, step, 0);
    add_pointwise(b, EIS_HE_NODE_POLYNOMIAL, step);
    node = &b->graph->node[b->graph->count - 1];
    node->coeff = s->values;
    node->coeff_count = count;
    memcpy(node->interval, s->interval, sizeof node->interval);
out:
    return st;
}

static eis_status build_step(builder *b, uint32_t step)
{
    eis_status st = EIS_OK;
    const eis_step *s = &b->model->classifier.steps[step];
    char place[64];

    if (s->op == EIS_STEP_FLATTEN) return EIS_OK;
    if (s->op == EIS_STEP_LINEAR || s->op == EIS_STEP_AFFINE || s->op == EIS_STEP_AVG_POOL) {
        EIS_TRY(build_affine(b, step));
    } else if (b->interactive) {
        close_map(b, step, 0);
        add_pointwise(b, EIS_HE_NODE_LOCAL, step);
        b->graph->node[b->graph->count - 1].out = s->out_channels * s->out_height * s->out_width;
    } else if (s->op == EIS_STEP_SQUARE) {
        EIS_TRY(build_quadratic(b, step, 0, 0, 1));
    } else if (s->op == EIS_STEP_POLYNOMIAL) {
        EIS_TRY(build_polynomial(b, step));
    } else {
        snprintf(place, sizeof place, "layer %u (%s)", s->layer + 1, step_names[s->op]);
        st = eis_he_offer(s, place, calibrated_input(b->model, step));
    }
out:
    return st;
}

/* ---- The end ------------------------------------------------------------------------------------------------------
 */

/* A square that ends a graph keeps factor and shift: |c2| goes into the map before it as its root, the sign stays. */
static eis_status finish(builder *b)
{
    eis_status st = EIS_OK;
    eis_he_graph *g = b->graph;
    uint32_t steps = b->model->classifier.step_count;
    eis_he_node *last = g->count > 0 ? &g->node[g->count - 1] : NULL;
    double root = sqrt(fabs(b->factor));

    if (b->map.rows == 0 && last != NULL && last->kind == EIS_HE_NODE_SQUARE && g->count >= 2 &&
        last[-1].kind == EIS_HE_NODE_MAP) {
        eis_he_map_scale_output(&last[-1].map, root, 0);
        last[-1].declared *= root;
        last->factor = b->factor < 0 ? -1 : 1;
        last->shift = b->shift;
        if (last->declared > 0) last->declared = last->declared * fabs(b->factor) + fabs(b->shift);
        return EIS_OK;
    }
    EIS_TRY(settle(b, steps));
    close_map(b, steps, 0);
    EIS_REQUIRE(g->count > 0, EIS_ERR_UNSUPPORTED, "the model has no layer that computes anything");
out:
    return st;
}

/* |x| behind the model's scaling: pixels behind `divide` are in [0, 1]; else 8, eight deviations where x is
 * standardised. */
static double input_max(const eis_classifier *c)
{
    double most = 0;
    uint32_t count = c->mean_count > c->deviation_count ? c->mean_count : c->deviation_count;

    if (c->divide == 1 || c->divide == 0) return 8;
    for (uint32_t i = 0; i < (count > 0 ? count : 1); i++) {
        double mean = c->mean_count > 0 ? c->mean[i % c->mean_count] : 0;
        double deviation = c->deviation_count > 0 ? c->deviation[i % c->deviation_count] : 1;
        most = fmax(most, fmax(fabs(mean), fabs(1 - mean)) / fabs(deviation));
    }
    return most;
}

eis_status eis_he_graph_new(eis_he_graph **graph, const eis_model *model, bool interactive)
{
    eis_status st = EIS_OK;
    const eis_classifier *c = &model->classifier;
    builder b = {.model = model, .interactive = interactive, .factor = 1};

    *graph = NULL;
    EIS_REQUIRE(model->kind == EIS_MODEL_CLASSIFIER, EIS_ERR_MODEL, "the engine he computes classifiers only");
    EIS_NEW(b.graph, 1);
    b.room = 2 * c->step_count + 2;
    EIS_NEW(b.graph->node, b.room);
    b.words = b.graph->in = (uint32_t)eis_classifier_input_count(model);
    b.graph->input_max = input_max(c);
    for (uint32_t i = 0; i < c->step_count; i++) {
        EIS_TRY(build_step(&b, i));
        b.words = c->steps[i].out_channels * c->steps[i].out_height * c->steps[i].out_width;
    }
    EIS_TRY(finish(&b));
    b.graph->out = b.graph->node[b.graph->count - 1].out;
    *graph = b.graph;
    b.graph = NULL;
out:
    eis_he_map_clear(&b.map);
    eis_he_graph_free(b.graph);
    return st;
}

void eis_he_graph_free(eis_he_graph *graph)
{
    if (graph == NULL) return;
    for (uint32_t i = 0; i < graph->count; i++) eis_he_map_clear(&graph->node[i].map);
    eis_mem_free(graph->node);
    eis_mem_free(graph);
}
