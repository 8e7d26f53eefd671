/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a classifier as gates. A value goes from step to step in whatever form and scale it was left in; a step
 * that needs a wire at the model's scale makes one. Values are [channel][height][width]. */
#include "engine/mpc/classifier.h"

#include <math.h>

#define RESOLUTION 10 /* bits of the fraction that comparisons look at */

typedef struct build {
    eis_mpc_graph *graph;
    const eis_mpc_classifier *c;
    eis_mpc_id x;
    double bound; /* of the magnitude, as a real */
} build;

static const eis_mpc_node *node_of(const build *b, eis_mpc_id id) { return eis_mpc_node_of(b->graph, id); }

static unsigned digit_bits(const build *b) { return eis_mpc_digit_bits(&b->c->tuning); }

/* What is known of x, in integers. */
static void tell_bound(const build *b)
{
    if (b->x != EIS_MPC_NONE) eis_mpc_set_bound(b->graph, b->x, ldexp(b->bound, (int)node_of(b, b->x)->frac) + 64);
}

/* x as a wire, at whatever scale. */
static void to_wire(build *b)
{
    if (b->x == EIS_MPC_NONE) return;
    tell_bound(b);
    if (node_of(b, b->x)->form == EIS_MPC_AUTH) b->x = eis_mpc_mask(b->graph, b->x);
}

/* x as a wire at the model's scale. */
static void to_narrow(build *b)
{
    to_wire(b);
    if (b->x != EIS_MPC_NONE && node_of(b, b->x)->frac > b->c->tuning.frac)
        b->x = eis_mpc_rescale(b->graph, b->x, b->c->tuning.frac);
    tell_bound(b);
}

/* ---- windows ---- */

/* index[out_height * out_width][channels][kernel]: where each pixel of each window is; `none` beyond the border. */
static uint32_t *windows_of(const build *b, const eis_mpc_layer *l, uint32_t channels, uint32_t none)
{
    uint32_t positions = l->out_height * l->out_width, kernel = l->kernel_height * l->kernel_width;
    uint32_t *index = eis_mpc_graph_new(b->graph, (size_t)positions * channels * kernel, sizeof *index);
    size_t n = 0;

    if (index == NULL) return NULL;
    for (uint32_t p = 0; p < positions; p++)
        for (uint32_t c = 0; c < channels; c++)
            for (uint32_t k = 0; k < kernel; k++, n++) {
                int64_t y = (int64_t)(p / l->out_width) * l->stride_y + k / l->kernel_width - l->pad_y;
                int64_t x = (int64_t)(p % l->out_width) * l->stride_x + k % l->kernel_width - l->pad_x;
                bool in = y >= 0 && x >= 0 && y < l->in_height && x < l->in_width;
                index[n] = in ? (uint32_t)((c * (int64_t)l->in_height + y) * l->in_width + x) : none;
            }
    return index;
}

/* Puts a zero behind the image, which padding shows. */
static void add_zero(build *b)
{
    static const int64_t zero = 0;

    if (b->x != EIS_MPC_NONE)
        b->x = eis_mpc_join(b->graph, b->x, eis_mpc_public(b->graph, &zero, 1, node_of(b, b->x)->frac));
}

/* a[outer][inner] as [inner][outer]. */
static eis_mpc_id transposed(eis_mpc_graph *graph, eis_mpc_id a, uint32_t outer, uint32_t inner)
{
    uint32_t *index;

    if (a == EIS_MPC_NONE || outer == 1 || inner == 1) return a;
    if ((index = eis_mpc_graph_new(graph, (size_t)outer * inner, sizeof *index)) == NULL) return EIS_MPC_NONE;
    for (uint32_t i = 0; i < outer * inner; i++) index[i] = i % outer * inner + i / outer;
    return eis_mpc_gather(graph, a, index, outer * inner);
}

/* v[count] `times` times in a row; or with `each` every element so often. */
static eis_mpc_id spread(eis_mpc_graph *graph, eis_mpc_id v, uint32_t times, bool each)
{
    uint32_t n, *index;

    if (v == EIS_MPC_NONE || times == 1) return v;
    if (each) return eis_mpc_repeat(graph, v, times);
    n = eis_mpc_node_of(graph, v)->count;
    if ((index = eis_mpc_graph_new(graph, (size_t)n * times, sizeof *index)) == NULL) return EIS_MPC_NONE;
    for (uint32_t i = 0; i < n * times; i++) index[i] = i % n;
    return eis_mpc_gather(graph, v, index, n * times);
}

static eis_mpc_id vector_of(const build *b, uint32_t vector)
{
    const eis_mpc_lm_vector *v = &b->c->vectors[vector];

    return eis_mpc_kept(b->graph, vector, v->count, v->frac, ldexp(v->bound, (int)v->frac) + 1);
}

/* ---- steps ---- */

/* What the model declares of the values behind a step takes the place of a theorem that says less. */
static void take_declared(build *b, const eis_mpc_layer *l)
{
    double declared = l->declared * b->c->margin;

    if (!(declared > 0) || declared >= b->bound) return;
    b->bound = declared;
    eis_mpc_graph_declare(b->graph);
}

static void linear(build *b, const eis_mpc_layer *l)
{
    const eis_mpc_matrix_shape *w = &b->c->shapes[l->matrix];
    uint32_t positions = l->windows ? l->out_height * l->out_width : 1;
    eis_mpc_id addend = EIS_MPC_NONE;
    bool biased = l->vector != EIS_MPC_NONE;

    to_narrow(b);
    if (l->windows) {
        uint32_t words = l->in_channels * l->in_height * l->in_width, *index = windows_of(b, l, l->in_channels, words);
        if (l->pad_y > 0 || l->pad_x > 0) add_zero(b);
        if (index != NULL) b->x = eis_mpc_gather(b->graph, b->x, index, positions * w->columns);
    }
    b->bound = b->bound * l->row_sum;
    if (biased) {
        b->bound += b->c->vectors[l->vector].bound;
        addend = spread(b->graph, vector_of(b, l->vector), positions, false);
    }
    take_declared(b, l);
    b->x = eis_mpc_apply(b->graph, l->matrix, b->x, &addend, biased ? 1 : 0,
                         ldexp(b->bound, (int)(b->c->tuning.frac + w->frac)) + 64);
    b->x = transposed(b->graph, b->x, positions, w->rows);
}

/* A cut that looks at about RESOLUTION bits of the fraction: at two more or less, where that saves a round. */
static bool cut_for(eis_mpc_cut *cut, const build *b, double bound)
{
    unsigned frac = node_of(b, b->x)->frac;

    for (unsigned bits = RESOLUTION + 2; bits + 2 >= RESOLUTION; bits--)
        if (frac >= bits && eis_mpc_cut_choose(cut, bound, frac - bits, digit_bits(b)) && cut->digits == 3) return true;
    if (eis_mpc_cut_choose(cut, bound, frac > RESOLUTION ? frac - RESOLUTION : 0, digit_bits(b))) return true;
    eis_mpc_cut_refuse(b->graph, "a comparison", bound, frac > RESOLUTION ? frac - RESOLUTION : 0);
    return false;
}

static void relu(build *b)
{
    static const int64_t zero = 0;
    eis_mpc_compare compare;
    eis_mpc_cut cut;
    eis_mpc_id narrow;

    to_wire(b);
    if (b->x == EIS_MPC_NONE || !cut_for(&cut, b, node_of(b, b->x)->bound)) {
        b->x = EIS_MPC_NONE;
        return;
    }
    eis_mpc_compare_begin(&compare, b->graph, b->x, cut, &zero, 1, 0);
    narrow = b->x;
    if (node_of(b, narrow)->frac > b->c->tuning.frac) narrow = eis_mpc_rescale(b->graph, narrow, b->c->tuning.frac);
    b->x = eis_mpc_compare_select(b->graph, &compare, narrow, 0);
}

static void square(build *b)
{
    to_narrow(b);
    b->bound *= b->bound;
    b->x = eis_mpc_product2(b->graph, b->x, b->x, 0);
}

/* Horner's rule: c_n x + c_(n-1), then times x, plus the next. */
static void polynomial(build *b, const eis_mpc_layer *l)
{
    unsigned frac = b->c->tuning.frac;
    uint32_t k = l->coefficient_count - 1;
    double x_bound = b->bound, y_bound;
    eis_mpc_id x, y;

    to_narrow(b);
    x = b->x;
    if (x == EIS_MPC_NONE) return;
    y_bound = fabs(l->coefficient[k]);
    if (k == 0) { /* a constant */
        b->bound = y_bound;
        b->x = eis_mpc_offset(b->graph, eis_mpc_scale(b->graph, x, 0, 0), llround(ldexp(l->coefficient[0], (int)frac)));
        return;
    }
    y = eis_mpc_scale(b->graph, x, llround(ldexp(l->coefficient[k], (int)frac)), frac);
    for (; k > 0; k--) {
        y_bound = y_bound * x_bound + fabs(l->coefficient[k - 1]) + ldexp(x_bound + 2, -(int)frac);
        y = eis_mpc_offset(b->graph, y, llround(ldexp(l->coefficient[k - 1], 2 * (int)frac)));
        eis_mpc_set_bound(b->graph, y, ldexp(y_bound, 2 * (int)frac));
        if (k == 1 || y == EIS_MPC_NONE) break;
        y = node_of(b, y)->form == EIS_MPC_WIRE ? eis_mpc_rescale(b->graph, y, frac)
                                                : eis_mpc_rescale_auth(b->graph, y, frac);
        y = eis_mpc_product2(b->graph, y, x, 0);
    }
    b->x = y;
    b->bound = y_bound;
}

static void affine(build *b, const eis_mpc_layer *l)
{
    uint32_t area = l->in_height * l->in_width;

    to_narrow(b);
    b->bound = b->bound * b->c->vectors[l->vector].bound + b->c->vectors[l->vector + 1].bound;
    b->x = eis_mpc_product2(b->graph, b->x, spread(b->graph, vector_of(b, l->vector), area, true), 0);
    b->x = eis_mpc_add(b->graph, b->x, spread(b->graph, vector_of(b, l->vector + 1), area, true));
}

/* Divides by n: a power of two only renames the scale. */
static void divide(build *b, uint32_t n)
{
    unsigned bits = 0;

    if (b->x == EIS_MPC_NONE) return;
    if ((n & (n - 1)) == 0) {
        b->x = eis_mpc_scale(b->graph, b->x, 1, eis_mpc_levels(n));
        return;
    }
    while (bits < 20 && ldexp(node_of(b, b->x)->bound, (int)bits + 1) < EIS_MPC_BOUND_TRUNCATED * n / 2) bits++;
    b->x = eis_mpc_scale(b->graph, b->x, llround(ldexp(1, (int)bits) / n), bits);
}

static void average(build *b, const eis_mpc_layer *l)
{
    uint32_t positions = l->out_height * l->out_width, kernel = l->kernel_height * l->kernel_width;
    uint32_t words = l->in_channels * l->in_height * l->in_width, *index = windows_of(b, l, l->in_channels, words);

    if (l->pad_y > 0 || l->pad_x > 0) {
        to_narrow(b);
        add_zero(b);
    }
    if (index == NULL || b->x == EIS_MPC_NONE) return;
    b->x = eis_mpc_sum(b->graph, eis_mpc_gather(b->graph, b->x, index, positions * l->in_channels * kernel), kernel);
    divide(b, kernel);
    b->x = transposed(b->graph, b->x, positions, l->in_channels);
}

/* Padding shows a pixel of the same window, which changes no maximum. */
static void maximum(build *b, const eis_mpc_layer *l)
{
    uint32_t positions = l->out_height * l->out_width, kernel = l->kernel_height * l->kernel_width;
    uint32_t *index = windows_of(b, l, l->in_channels, EIS_MPC_NONE);
    eis_mpc_cut cut;

    to_wire(b);
    if (index == NULL || b->x == EIS_MPC_NONE) return;
    for (uint32_t w = 0; w < positions * l->in_channels; w++) {
        uint32_t *pixel = index + (size_t)w * kernel, some = EIS_MPC_NONE;
        for (uint32_t k = 0; k < kernel; k++)
            if (pixel[k] != EIS_MPC_NONE) some = pixel[k];
        for (uint32_t k = 0; k < kernel; k++)
            if (pixel[k] == EIS_MPC_NONE) pixel[k] = some;
    }
    if (!cut_for(&cut, b, 2 * node_of(b, b->x)->bound)) {
        b->x = EIS_MPC_NONE;
        return;
    }
    b->x = eis_mpc_gather(b->graph, b->x, index, positions * l->in_channels * kernel);
    b->x = eis_mpc_row_max(b->graph, b->x, kernel, cut.low, digit_bits(b), NULL);
    b->x = transposed(b->graph, b->x, positions, l->in_channels);
}

static void step(build *b, const eis_mpc_layer *l)
{
    switch (l->op) {
    case EIS_STEP_LINEAR:
        linear(b, l);
        break;
    case EIS_STEP_RELU:
        relu(b);
        break;
    case EIS_STEP_SQUARE:
        square(b);
        break;
    case EIS_STEP_SIGMOID:
        to_narrow(b);
        b->x = eis_mpc_sigmoid(b->graph, b->x, &b->c->tuning);
        b->bound = 1.01;
        break;
    case EIS_STEP_POLYNOMIAL:
        polynomial(b, l);
        break;
    case EIS_STEP_AFFINE:
        affine(b, l);
        break;
    case EIS_STEP_AVG_POOL:
        average(b, l);
        break;
    case EIS_STEP_MAX_POOL:
        maximum(b, l);
        break;
    case EIS_STEP_FLATTEN:
        break;
    }
    take_declared(b, l);
    tell_bound(b);
}

static const char *name_of(const eis_mpc_layer *l)
{
    static const char *const names[] = {[EIS_STEP_LINEAR] = "linear",         [EIS_STEP_RELU] = "relu",
                                        [EIS_STEP_SQUARE] = "square",         [EIS_STEP_SIGMOID] = "sigmoid",
                                        [EIS_STEP_POLYNOMIAL] = "polynomial", [EIS_STEP_AFFINE] = "affine",
                                        [EIS_STEP_AVG_POOL] = "average pool", [EIS_STEP_MAX_POOL] = "max pool",
                                        [EIS_STEP_FLATTEN] = "flatten"};

    return l->windows ? "conv2d" : names[l->op];
}

/* The class: levels together may lose 2^-8 of a logit. */
static eis_mpc_id best_of(build *b)
{
    unsigned bits = 8 + eis_mpc_levels(eis_mpc_levels(b->c->classes)), frac;
    eis_mpc_id best = EIS_MPC_NONE;

    to_wire(b);
    if (b->x == EIS_MPC_NONE) return b->x;
    frac = node_of(b, b->x)->frac;
    (void)eis_mpc_row_max(b->graph, b->x, b->c->classes, frac > bits ? frac - bits : 0, digit_bits(b), &best);
    return best;
}

eis_status eis_mpc_classifier_graph(eis_mpc_graph *graph, eis_mpc_id *best, eis_mpc_id *logits,
                                    const eis_mpc_classifier *c)
{
    build b = {.graph = graph, .c = c, .bound = c->input_bound};
    eis_status st;

    eis_mpc_graph_init(graph, c->shapes, c->shape_count);
    b.x = eis_mpc_input(graph, 0, c->inputs, c->tuning.frac, ldexp(b.bound, (int)c->tuning.frac) + 1);
    for (uint32_t i = 0; i < c->layer_count; i++) {
        eis_mpc_graph_section(graph, "step %u (%s)", i, name_of(&c->layers[i]));
        step(&b, &c->layers[i]);
    }
    eis_mpc_graph_section(graph, "the largest logit");
    *best = best_of(&b);
    if (logits != NULL) *logits = b.x;
    st = eis_mpc_graph_status(graph);
    if (st != EIS_OK) eis_mpc_graph_clear(graph);
    return st;
}
