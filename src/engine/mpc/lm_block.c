/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/lm_block.h"

#include <math.h>

static const eis_mpc_node *node_of(const eis_mpc_graph *graph, eis_mpc_id id) { return eis_mpc_node_of(graph, id); }

/* ---- rows of tokens ---- */

eis_mpc_id eis_mpc_lm_columns(eis_mpc_graph *graph, eis_mpc_id a, uint32_t width, uint32_t first, uint32_t count)
{
    uint32_t rows, *index;

    if (a == EIS_MPC_NONE) return a;
    rows = node_of(graph, a)->count / width;
    if (rows == 1) return eis_mpc_slice(graph, a, first, count);
    if ((index = eis_mpc_graph_new(graph, (size_t)rows * count, sizeof *index)) == NULL) return EIS_MPC_NONE;
    for (uint32_t i = 0; i < rows * count; i++) index[i] = i / count * width + first + i % count;
    return eis_mpc_gather(graph, a, index, rows * count);
}

eis_mpc_id eis_mpc_lm_tile(eis_mpc_graph *graph, eis_mpc_id a, uint32_t times)
{
    uint32_t n, *index;

    if (a == EIS_MPC_NONE || times == 1) return a;
    n = node_of(graph, a)->count;
    if ((index = eis_mpc_graph_new(graph, (size_t)n * times, sizeof *index)) == NULL) return EIS_MPC_NONE;
    for (uint32_t i = 0; i < n * times; i++) index[i] = i % n;
    return eis_mpc_gather(graph, a, index, n * times);
}

eis_mpc_id eis_mpc_lm_join(eis_mpc_graph *graph, eis_mpc_id *parts, uint32_t count)
{
    for (; count > 1; count = count / 2 + count % 2) {
        for (uint32_t i = 0; i < count / 2; i++) parts[i] = eis_mpc_join(graph, parts[2 * i], parts[2 * i + 1]);
        if (count % 2 != 0) parts[count / 2] = parts[count - 1];
    }
    return parts[0];
}

/* ---- norms ---- */

/* A residual wire at `frac` bits. */
static eis_mpc_id at_scale(eis_mpc_graph *graph, eis_mpc_id wire, unsigned frac)
{
    unsigned have;

    if (wire == EIS_MPC_NONE) return wire;
    have = node_of(graph, wire)->frac;
    if (have == frac) return wire;
    if (have < frac) return eis_mpc_scale(graph, wire, INT64_C(1) << (frac - have), frac - have);
    return eis_mpc_rescale(graph, wire, frac);
}

eis_mpc_id eis_mpc_lm_narrow(eis_mpc_graph *graph, const eis_mpc_residual *x, const eis_mpc_lm *lm)
{
    eis_mpc_id wire = at_scale(graph, x->wire, lm->tuning.frac);

    eis_mpc_set_bound(graph, wire, ldexp(x->norm, (int)lm->tuning.frac) + 2);
    return wire;
}

/* What a norm divides by. */
typedef struct norm_parts {
    eis_mpc_id mean;   /* mean square + eps, a wire as it was opened */
    eis_mpc_id factor; /* its reciprocal root */
} norm_parts;

/* Entries whose squares are summed, at `frac` bits: the residual, or for LayerNorm d x - sum x, divided by the power of
 * two above d: that is the centred residual times *factor. */
static eis_mpc_id centred(double *factor, eis_mpc_graph *graph, const eis_mpc_residual *x, unsigned frac,
                          const eis_mpc_lm *lm)
{
    unsigned levels = eis_mpc_levels(lm->dim), have;
    eis_mpc_id y;

    *factor = 1;
    if (lm->family != EIS_LM_GPT2) return at_scale(graph, x->wire, frac);
    if (x->wire == EIS_MPC_NONE) return x->wire;
    have = node_of(graph, x->wire)->frac;
    y = eis_mpc_sub(graph, eis_mpc_scale(graph, x->wire, lm->dim, 0),
                    eis_mpc_repeat(graph, eis_mpc_sum(graph, x->wire, lm->dim), lm->dim));
    *factor = ldexp(lm->dim, -(int)levels);
    y = eis_mpc_scale(graph, y, 1, levels);
    eis_mpc_set_bound(graph, y, ldexp(x->norm, (int)(have + levels)) * *factor * 1.01);
    return eis_mpc_rescale(graph, y, frac);
}

/* Mean square and factor. The squares are taken at the largest scale that fits. */
static norm_parts norm_of(eis_mpc_graph *graph, const eis_mpc_residual *x, const eis_mpc_lm *lm)
{
    double room = EIS_FP_BITS - 4.5 - 2 * log2(x->norm + 1); /* two bits of it for the shape of a comparison */
    unsigned frac = lm->tuning.frac, d = lm->dim, bits = 20;
    norm_parts parts = {EIS_MPC_NONE, EIS_MPC_NONE};
    double bound, factor, over;
    uint32_t rows, *at;
    eis_mpc_id narrow;

    if (x->wire == EIS_MPC_NONE) return parts;
    rows = node_of(graph, x->wire)->count / d;
    if ((at = eis_mpc_graph_new(graph, rows, sizeof *at)) == NULL) return parts;
    for (uint32_t i = 0; i < rows; i++) at[i] = i * d;
    if (2 * frac > room) frac = room < 2 ? 1 : (unsigned)(room / 2);
    narrow = centred(&factor, graph, x, frac, lm);
    bound = ldexp(x->norm * x->norm, (int)(2 * frac)) * 1.01 + d;
    parts.mean = eis_mpc_dot(graph, narrow, narrow,
                             &(const eis_mpc_dot_shape){.inner = d, .a_step = 1, .b_step = 1, .a_at = at, .b_at = at},
                             rows, bound);
    over = 1 / (d * factor * factor);
    if ((d & (d - 1)) == 0 && factor == 1) { /* this only renames the scale */
        parts.mean = eis_mpc_scale(graph, parts.mean, 1, eis_mpc_levels(d));
    } else {
        while (bits > 4 && bound * over * ldexp(1, (int)bits) > EIS_MPC_BOUND_TRUNCATED / 4) bits--;
        parts.mean = eis_mpc_scale(graph, parts.mean, llround(ldexp(over, (int)bits)), bits);
    }
    if (parts.mean == EIS_MPC_NONE) return parts;
    parts.mean = eis_mpc_mask(
        graph, eis_mpc_offset(graph, parts.mean, llround(ldexp(lm->norm_eps, (int)node_of(graph, parts.mean)->frac))));
    parts.factor = eis_mpc_reciprocal_root(graph, parts.mean, lm->mean_from, &lm->tuning);
    return parts;
}

eis_mpc_id eis_mpc_lm_norm_factor(eis_mpc_graph *graph, const eis_mpc_residual *x, const eis_mpc_lm *lm)
{
    return norm_of(graph, x, lm).factor;
}

double eis_mpc_lm_deviation_bound(const eis_mpc_residual *x, const eis_mpc_lm *lm)
{
    return sqrt(x->norm * x->norm / lm->dim + lm->norm_eps) * 1.01;
}

eis_mpc_id eis_mpc_lm_deviation(eis_mpc_graph *graph, const eis_mpc_residual *x, const eis_mpc_lm *lm)
{
    norm_parts parts = norm_of(graph, x, lm);
    unsigned frac = lm->tuning.frac;
    double bound = eis_mpc_lm_deviation_bound(x, lm);
    eis_mpc_id y = at_scale(graph, parts.mean, frac);

    if (y == EIS_MPC_NONE || parts.factor == EIS_MPC_NONE) return EIS_MPC_NONE;
    y = eis_mpc_product2(graph, y, parts.factor, ldexp(bound, (int)(frac + node_of(graph, parts.factor)->frac)));
    y = eis_mpc_rescale_auth(graph, y, frac);
    eis_mpc_set_bound(graph, y, ldexp(bound, (int)frac) + 2);
    return y;
}

eis_mpc_id eis_mpc_lm_bias(eis_mpc_graph *graph, const eis_mpc_lm *lm, uint32_t layer, uint32_t which)
{
    uint32_t v = 4 * layer + which;
    const eis_mpc_lm_vector *vector = &lm->vectors[v];

    if (lm->vector_count == 0) return EIS_MPC_NONE;
    return eis_mpc_kept(graph, 2 * lm->layers + v, vector->count, vector->frac,
                        ldexp(vector->bound, (int)vector->frac) + 1);
}

eis_mpc_id eis_mpc_lm_times_factor(eis_mpc_graph *graph, eis_mpc_id u, eis_mpc_id r, eis_mpc_id bias, double bound,
                                   const eis_mpc_lm *lm)
{
    unsigned full;
    uint32_t rows;
    eis_mpc_id y;

    if (u == EIS_MPC_NONE || r == EIS_MPC_NONE) return EIS_MPC_NONE;
    full = node_of(graph, u)->frac + node_of(graph, r)->frac;
    rows = node_of(graph, r)->count;
    y = eis_mpc_product2(graph, eis_mpc_repeat(graph, r, node_of(graph, u)->count / rows), u, ldexp(bound, (int)full));
    if (bias != EIS_MPC_NONE) {
        y = eis_mpc_add(graph, y, eis_mpc_lm_tile(graph, bias, rows));
        eis_mpc_set_bound(graph, y, ldexp(bound, (int)full));
    }
    y = eis_mpc_rescale_auth(graph, y, lm->tuning.frac);
    eis_mpc_set_bound(graph, y, ldexp(bound, (int)lm->tuning.frac) + 2);
    return y;
}

eis_mpc_id eis_mpc_lm_normalised(eis_mpc_graph *graph, const eis_mpc_residual *x, eis_mpc_id u, double bound,
                                 const eis_mpc_lm *lm)
{
    return eis_mpc_lm_times_factor(graph, eis_mpc_rescale(graph, u, lm->tuning.frac),
                                   eis_mpc_lm_norm_factor(graph, x, lm), EIS_MPC_NONE, bound, lm);
}

void eis_mpc_lm_add_to_residual(eis_mpc_residual *x, eis_mpc_graph *graph, const eis_mpc_lm *lm, uint32_t layer,
                                uint32_t which, eis_mpc_id y, double growth)
{
    uint32_t matrix = eis_mpc_lm_matrix_of(layer, which);
    unsigned frac = lm->tuning.frac + lm->shapes[matrix].frac;
    eis_mpc_id addends[2] = {at_scale(graph, x->wire, frac), EIS_MPC_NONE};
    uint32_t count = lm->vector_count > 0 ? 2 : 1;

    if (addends[0] != EIS_MPC_NONE && count == 2)
        addends[1] = eis_mpc_lm_tile(graph, eis_mpc_lm_bias(graph, lm, layer, which),
                                     node_of(graph, addends[0])->count / lm->dim);

    x->norm += growth;
    if (count == 2) x->norm += lm->vectors[4 * layer + which].bound * sqrt((double)lm->dim);
    if (lm->residual_bound > 0 && lm->residual_bound < x->norm) {
        x->norm = lm->residual_bound;
        eis_mpc_graph_declare(graph);
    }
    x->wire = eis_mpc_apply(graph, matrix, y, addends, count, ldexp(x->norm, (int)frac));
}

eis_mpc_id eis_mpc_lm_apply_to_residual(eis_mpc_graph *graph, const eis_mpc_residual *x, const eis_mpc_lm *lm,
                                        uint32_t matrix)
{
    const eis_mpc_matrix_shape *w = &lm->shapes[matrix];
    unsigned frac = lm->tuning.frac;
    eis_mpc_id u = eis_mpc_apply(graph, matrix, eis_mpc_lm_narrow(graph, x, lm), NULL, 0,
                                 ldexp(w->row_norm * x->norm, (int)(frac + w->frac)) * 1.01);

    return eis_mpc_rescale(graph, u, frac);
}

void eis_mpc_lm_mlp(eis_mpc_residual *x, eis_mpc_lm_step *step, const eis_mpc_lm *lm, uint32_t layer)
{
    eis_mpc_graph *g = &step->graph;
    uint32_t matrix = eis_mpc_lm_matrix_of(layer, EIS_LM_GATE_UP);
    double bound = lm->shapes[matrix].row_norm * sqrt((double)lm->dim) * 1.01, largest;
    eis_mpc_id u = eis_mpc_lm_apply_to_residual(g, x, lm, matrix), r = eis_mpc_lm_norm_factor(g, x, lm), y;

    if (lm->family == EIS_LM_GPT2) {
        bound += lm->vectors[4 * layer + EIS_LM_GATE_UP].bound;
        u = eis_mpc_lm_times_factor(g, u, r, eis_mpc_lm_bias(g, lm, layer, EIS_LM_GATE_UP), bound, lm);
        y = eis_mpc_activate(g, u, EIS_MPC_GELU_TANH, &lm->tuning);
        largest = bound;
    } else {
        u = eis_mpc_lm_times_factor(g, u, r, EIS_MPC_NONE, bound, lm);
        y = eis_mpc_gated_unit(g, eis_mpc_lm_columns(g, u, 2 * lm->hidden, 0, lm->hidden),
                               eis_mpc_lm_columns(g, u, 2 * lm->hidden, lm->hidden, lm->hidden), EIS_MPC_SILU,
                               &lm->tuning);
        largest = bound * bound;
    }
    eis_mpc_lm_add_to_residual(x, g, lm, layer, EIS_LM_DOWN, y,
                               lm->growth[2 * layer + 1] * largest * sqrt((double)lm->hidden) * 1.02);
}
