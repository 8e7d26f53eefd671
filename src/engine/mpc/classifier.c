/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/classifier.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

#define ROWS_AT_ONCE 64
#define ENCODED_MAX  0x1p50 /* words are far below p/2 */

/* ---- what goes in ---- */

static eis_status encode(int64_t *value, double x, unsigned frac, const char *what)
{
    double scaled = ldexp(x, (int)frac);

    if (!(fabs(scaled) < ENCODED_MAX)) return eis_fail(EIS_ERR_RANGE, "%s is not finite or too large", what);
    *value = llround(scaled);
    return EIS_OK;
}

eis_status eis_mpc_classifier_weights(uint64_t *words, const eis_mpc_classifier *c, const eis_model *model,
                                      uint32_t matrix)
{
    eis_status st = EIS_OK;
    const eis_mpc_matrix_shape *shape = &c->shapes[matrix];
    double *block = NULL;
    int64_t value = 0;

    EIS_NEW(block, ROWS_AT_ONCE * (size_t)shape->columns);
    for (size_t first = 0; first < shape->rows; first += ROWS_AT_ONCE) {
        size_t count = shape->rows - first < ROWS_AT_ONCE ? shape->rows - first : ROWS_AT_ONCE;
        EIS_TRY(eis_model_linear_rows(model, matrix, first, count, block));
        for (size_t i = 0; i < count * shape->columns; i++) {
            EIS_TRY(encode(&value, block[i], shape->frac, "a weight"));
            words[first * shape->columns + i] = eis_fp_from_i64(value);
        }
    }
out:
    eis_mem_free_wiped(block, ROWS_AT_ONCE * (size_t)shape->columns, sizeof *block);
    return st;
}

/* The reals of a vector, inside the model. */
static const double *reals_of(const eis_mpc_classifier *c, const eis_model *model, uint32_t vector)
{
    for (uint32_t i = 0; i < c->layer_count; i++) {
        const eis_mpc_layer *l = &c->layers[i];
        if (l->op == EIS_STEP_LINEAR && l->vector == vector) return model->linears[l->matrix].bias;
        if (l->op != EIS_STEP_AFFINE) continue;
        if (l->vector == vector) return model->classifier.steps[i].values;
        if (l->vector + 1 == vector) return model->classifier.steps[i].values + l->in_channels;
    }
    EIS_ASSERT(false);
    return NULL;
}

eis_status eis_mpc_classifier_vector_values(int64_t *values, const eis_mpc_classifier *c, const eis_model *model,
                                            uint32_t vector)
{
    eis_status st = EIS_OK;
    const double *reals = reals_of(c, model, vector);

    for (uint32_t i = 0; i < c->vectors[vector].count; i++)
        EIS_TRY(encode(&values[i], reals[i], c->vectors[vector].frac, "a bias or factor"));
out:
    return st;
}

eis_status eis_mpc_classifier_input(int64_t *values, const eis_mpc_classifier *c, const eis_model *model,
                                    const double *x)
{
    eis_status st = EIS_OK;
    const eis_classifier *m = &model->classifier;
    size_t area = (size_t)m->height * m->width;

    for (uint32_t i = 0; i < c->inputs; i++) {
        double mean = m->mean[m->mean_count > 1 ? i / area : 0];
        double deviation = m->deviation[m->deviation_count > 1 ? i / area : 0];
        double y = (x[i] / m->divide - mean) / deviation;
        EIS_REQUIRE(fabs(y) <= c->input_bound, EIS_ERR_RANGE,
                    "input %u is further than %g from the middle, which is the most that the session has room for", i,
                    c->input_bound);
        EIS_TRY(encode(&values[i], y, c->tuning.frac, "an input"));
    }
out:
    return st;
}

eis_status eis_mpc_classifier_vectors_graph(eis_mpc_graph *graph, eis_mpc_id *nodes, const eis_mpc_classifier *c)
{
    eis_status st;

    eis_mpc_graph_init(graph, c->shapes, c->shape_count);
    for (uint32_t v = 0; v < c->vector_count; v++)
        nodes[v] = eis_mpc_input(graph, v, c->vectors[v].count, c->vectors[v].frac,
                                 ldexp(c->vectors[v].bound, (int)c->vectors[v].frac) + 1);
    st = eis_mpc_graph_status(graph);
    if (st != EIS_OK) eis_mpc_graph_clear(graph);
    return st;
}

/* ---- manifest ---- */

/* Pixels are in [0, 255] before `divide`, or in [0, 1] behind it; other inputs are standardised, and what is more than
 * 16 deviations away is refused. */
static double input_bound(const eis_classifier *m)
{
    double most = 0, white = m->divide == 1 ? 255 : 1;

    if (m->divide == 1 && m->height * m->width == 1) return 16;
    for (uint32_t i = 0; i < m->mean_count || i < m->deviation_count; i++) {
        double mean = m->mean[m->mean_count > 1 ? i : 0], deviation = m->deviation[m->deviation_count > 1 ? i : 0];
        most = fmax(most, fmax(fabs(mean), fabs(white - mean)) / fabs(deviation));
    }
    return most * (1 + 1e-9);
}

/* Adds a vector and returns its number. */
static uint32_t add_vector(eis_mpc_classifier *c, const double *values, uint32_t count, unsigned frac)
{
    eis_mpc_lm_vector *v = &c->vectors[c->vector_count];

    *v = (eis_mpc_lm_vector){.count = count, .frac = frac};
    for (uint32_t i = 0; i < count; i++) v->bound = fmax(v->bound, fabs(values[i]));
    return c->vector_count++;
}

static eis_status measure(eis_mpc_classifier *c, eis_mpc_layer *l, const eis_model *model)
{
    eis_status st = EIS_OK;
    eis_mpc_matrix_shape *shape = &c->shapes[l->matrix];
    double *row = NULL;

    EIS_NEW(row, shape->columns);
    for (uint32_t i = 0; i < shape->rows; i++) {
        double sum = 0, squares = 0;
        EIS_TRY(eis_model_linear_rows(model, l->matrix, i, 1, row));
        for (uint32_t j = 0; j < shape->columns; j++) {
            sum += fabs(row[j]);
            squares += row[j] * row[j];
        }
        EIS_REQUIRE(isfinite(sum), EIS_ERR_MODEL, "a weight is not finite");
        l->row_sum = fmax(l->row_sum, sum + ldexp(shape->columns, -(int)shape->frac)); /* rounded up */
        shape->row_norm = fmax(shape->row_norm, sqrt(squares));
    }
out:
    eis_mem_free_wiped(row, shape->columns, sizeof *row);
    return st;
}

static eis_status take_linear(eis_mpc_classifier *c, eis_mpc_layer *l, const eis_step *step, const eis_model *model)
{
    const eis_linear *node = &model->linears[step->linear];

    l->matrix = step->linear;
    l->windows = node->kind == EIS_LINEAR_CONV2D;
    if (l->windows) {
        l->kernel_height = node->kernel_height, l->kernel_width = node->kernel_width;
        l->stride_y = node->stride_y, l->stride_x = node->stride_x;
        l->pad_y = node->pad_y, l->pad_x = node->pad_x;
    }
    c->shapes[l->matrix] =
        (eis_mpc_matrix_shape){.rows = node->out, .columns = node->in, .frac = c->tuning.frac, .products = true};
    if (node->bias != NULL) l->vector = add_vector(c, node->bias, node->out, 2 * c->tuning.frac);
    return measure(c, l, model);
}

static eis_status take_step(eis_mpc_classifier *c, eis_mpc_layer *l, const eis_step *step, const eis_model *model)
{
    eis_status st = EIS_OK;
    const eis_classifier *m = &model->classifier;

    *l = (eis_mpc_layer){.op = step->op,
                         .in_channels = step->in_channels,
                         .in_height = step->in_height,
                         .in_width = step->in_width,
                         .out_channels = step->out_channels,
                         .out_height = step->out_height,
                         .out_width = step->out_width,
                         .kernel_height = step->kernel_height,
                         .kernel_width = step->kernel_width,
                         .stride_y = step->stride_y,
                         .stride_x = step->stride_x,
                         .pad_y = step->pad_y,
                         .pad_x = step->pad_x,
                         .matrix = EIS_MPC_NONE,
                         .vector = EIS_MPC_NONE};
    if (step->layer < m->magnitude_count) l->declared = m->magnitude_max[step->layer];
    if (step->op == EIS_STEP_LINEAR) EIS_TRY(take_linear(c, l, step, model));
    if (step->op == EIS_STEP_AFFINE) {
        l->vector = add_vector(c, step->values, step->in_channels, c->tuning.frac);
        (void)add_vector(c, step->values + step->in_channels, step->in_channels, 2 * c->tuning.frac);
    }
    if (step->op == EIS_STEP_POLYNOMIAL) {
        EIS_REQUIRE(step->value_count >= 1 && step->value_count <= EIS_MPC_POLYNOMIAL_MAX, EIS_ERR_UNSUPPORTED,
                    "engine mpc: a polynomial of %u coefficients, and %u are allowed", step->value_count,
                    EIS_MPC_POLYNOMIAL_MAX);
        l->coefficient_count = step->value_count;
        memcpy(l->coefficient, step->values, step->value_count * sizeof *l->coefficient);
    }
out:
    return st;
}

/* Tells whether the graph fits the field with this margin. */
static eis_status try_margin(eis_mpc_classifier *c, double margin)
{
    eis_mpc_graph graph;
    eis_mpc_id best;
    eis_status st;

    c->margin = margin;
    st = eis_mpc_classifier_graph(&graph, &best, NULL, c);
    if (st == EIS_OK) eis_mpc_graph_clear(&graph);
    return st;
}

eis_status eis_mpc_classifier_init(eis_mpc_classifier *c, const eis_model *model, const eis_mpc_tuning *tuning,
                                   double margin)
{
    eis_status st = EIS_OK;
    const eis_classifier *m = &model->classifier;

    memset(c, 0, sizeof *c);
    EIS_REQUIRE(model->kind == EIS_MODEL_CLASSIFIER, EIS_ERR_MODEL, "this is a language model");
    EIS_TRY(eis_mpc_tuning_check(tuning));
    c->inputs = m->channels * m->height * m->width;
    c->classes = m->class_count;
    c->input_bound = input_bound(m);
    c->tuning = *tuning;
    c->layer_count = m->step_count;
    c->shape_count = model->linear_count;
    EIS_NEW(c->layers, c->layer_count);
    EIS_NEW(c->shapes, c->shape_count);
    EIS_NEW(c->vectors, 2 * (size_t)c->layer_count);
    for (uint32_t i = 0; i < c->layer_count; i++) EIS_TRY(take_step(c, &c->layers[i], &m->steps[i], model));
    st = try_margin(c, 0);
    if (st == EIS_ERR_RANGE && margin > 0 && m->magnitude_count > 0) st = try_margin(c, margin);
out:
    if (st != EIS_OK) eis_mpc_classifier_clear(c);
    return st;
}

void eis_mpc_classifier_clear(eis_mpc_classifier *c)
{
    eis_mem_free(c->layers);
    eis_mem_free(c->shapes);
    eis_mem_free(c->vectors);
    memset(c, 0, sizeof *c);
}
