/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/lm_block.h"

#include <math.h>

#define ROPE_FRAC  14
#define MEAN_FROM  (0x1p-8 + 0x1p-16) /* mean squares that rsqrt is accurate for */
#define MEAN_USUAL 0x1p8
#define PI         3.14159265358979323846

static const eis_mpc_node *node_of(const eis_mpc_graph *graph, eis_mpc_id id) { return eis_mpc_node_of(graph, id); }

static uint32_t matrix_of(uint32_t layer, uint32_t which) { return EIS_MPC_LM_BLOCKS + 4 * layer + which; }

static unsigned levels_of(uint32_t count)
{
    unsigned levels = 0;

    while (((uint32_t)1 << levels) < count) levels++;
    return levels;
}

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

/* rsqrt(mean square + eps) as a wire. The squares are taken at the largest scale that fits. */
static eis_mpc_id norm_factor(eis_mpc_graph *graph, const eis_mpc_residual *x, const eis_mpc_lm *lm)
{
    double room = EIS_FP_BITS - 4.5 - 2 * log2(x->norm + 1); /* two bits of it for the shape of a comparison */
    unsigned frac = lm->tuning.frac, d = lm->dim, inverse_bits = 10 + levels_of(d);
    const eis_mpc_dot_shape shape = {
        .inner = d, .a_step = 1, .b_step = 1, .a_at = &(uint32_t){0}, .b_at = &(uint32_t){0}};
    eis_mpc_id narrow, mean;
    double bound;

    if (2 * frac > room) frac = room < 2 ? 1 : (unsigned)(room / 2);
    narrow = at_scale(graph, x->wire, frac);
    bound = ldexp(x->norm * x->norm, (int)(2 * frac)) * 1.01 + d;
    mean = eis_mpc_dot(graph, narrow, narrow, &shape, 1, bound);
    /* The mean over d entries; where d is a power of two this only renames the scale. */
    if ((d & (d - 1)) == 0) {
        mean = eis_mpc_scale(graph, mean, 1, levels_of(d));
    } else {
        while (inverse_bits > 1 && bound / d * ldexp(1, (int)inverse_bits) > EIS_MPC_BOUND_TRUNCATED) inverse_bits--;
        mean = eis_mpc_scale(graph, mean, llround(ldexp(1, (int)inverse_bits) / d), inverse_bits);
    }
    if (mean == EIS_MPC_NONE) return mean;
    mean = eis_mpc_offset(graph, mean, llround(ldexp(lm->norm_eps, (int)node_of(graph, mean)->frac)));
    return eis_mpc_reciprocal_root(graph, eis_mpc_mask(graph, mean), MEAN_FROM, MEAN_USUAL, &lm->tuning);
}

/* r u at the model's fraction. bound: of the result, as a real. */
static eis_mpc_id times_factor(eis_mpc_graph *graph, eis_mpc_id u, eis_mpc_id r, double bound, const eis_mpc_lm *lm)
{
    unsigned full;
    eis_mpc_id y;

    if (u == EIS_MPC_NONE || r == EIS_MPC_NONE) return EIS_MPC_NONE;
    full = node_of(graph, u)->frac + node_of(graph, r)->frac;
    y = eis_mpc_product2(graph, eis_mpc_repeat(graph, r, node_of(graph, u)->count), u, ldexp(bound, (int)full));
    y = eis_mpc_rescale_auth(graph, y, lm->tuning.frac);
    eis_mpc_set_bound(graph, y, ldexp(bound, (int)lm->tuning.frac) + 2);
    return y;
}

/* Turns pairs of entries of each head by the angles of a position. */
static eis_mpc_id turn(eis_mpc_graph *graph, eis_mpc_id a, const eis_mpc_lm *lm, uint32_t position)
{
    uint32_t n, half = lm->head_size / 2, *partner;
    int64_t *cosine, *sine;

    if (a == EIS_MPC_NONE || lm->rope == EIS_ROPE_NONE) return a;
    n = node_of(graph, a)->count;
    partner = eis_mpc_graph_new(graph, n, sizeof *partner);
    cosine = eis_mpc_graph_new(graph, n, sizeof *cosine);
    sine = eis_mpc_graph_new(graph, n, sizeof *sine);
    if (partner == NULL || cosine == NULL || sine == NULL) return EIS_MPC_NONE;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t in_head = i % lm->head_size;
        bool first = lm->rope == EIS_ROPE_PAIRS ? in_head % 2 == 0 : in_head < half;
        uint32_t pair = lm->rope == EIS_ROPE_PAIRS ? in_head / 2 : in_head % half;
        double angle = position * pow(lm->rope_theta, -2.0 * pair / lm->head_size);
        uint32_t distance = lm->rope == EIS_ROPE_PAIRS ? 1 : half;
        partner[i] = first ? i + distance : i - distance;
        cosine[i] = llround(ldexp(cos(angle), ROPE_FRAC));
        sine[i] = llround(ldexp(first ? -sin(angle) : sin(angle), ROPE_FRAC));
    }
    return eis_mpc_add(graph, eis_mpc_weigh(graph, a, cosine, ROPE_FRAC),
                       eis_mpc_weigh(graph, eis_mpc_gather(graph, a, partner, n), sine, ROPE_FRAC));
}

/* ---- attention ---- */

typedef struct heads {
    uint32_t length, kv_dim, group; /* positions; words of a row of the cache; heads that share one */
    eis_mpc_id q, k, v;             /* k and v of all positions */
    double q_bound, v_bound;
} heads;

static eis_mpc_id scores(eis_mpc_graph *graph, const heads *h, const eis_mpc_lm *lm)
{
    uint32_t count = lm->heads * h->length, *q_at, *k_at;

    q_at = eis_mpc_graph_new(graph, count, sizeof *q_at);
    k_at = eis_mpc_graph_new(graph, count, sizeof *k_at);
    if (q_at == NULL || k_at == NULL || h->q == EIS_MPC_NONE) return EIS_MPC_NONE;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t head = i / h->length, at = i % h->length;
        q_at[i] = head * lm->head_size;
        k_at[i] = at * h->kv_dim + head / h->group * lm->head_size;
    }
    const eis_mpc_dot_shape shape = {.inner = lm->head_size, .a_step = 1, .b_step = 1, .a_at = q_at, .b_at = k_at};
    return eis_mpc_mask(graph, eis_mpc_dot(graph, h->q, h->k, &shape, count, 0));
}

static eis_mpc_id weighted_values(eis_mpc_graph *graph, const heads *h, eis_mpc_id e, const eis_mpc_lm *lm)
{
    uint32_t count = lm->heads * lm->head_size, *e_at, *v_at;

    e_at = eis_mpc_graph_new(graph, count, sizeof *e_at);
    v_at = eis_mpc_graph_new(graph, count, sizeof *v_at);
    if (e_at == NULL || v_at == NULL || e == EIS_MPC_NONE) return EIS_MPC_NONE;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t head = i / lm->head_size;
        e_at[i] = head * h->length;
        v_at[i] = head / h->group * lm->head_size + i % lm->head_size;
    }
    const eis_mpc_dot_shape shape = {.inner = h->length, .a_step = 1, .b_step = h->kv_dim, .a_at = e_at, .b_at = v_at};
    return eis_mpc_rescale_auth(graph, eis_mpc_dot(graph, e, h->v, &shape, count, 0), lm->tuning.frac);
}

/* softmax(scores) v, as a wire [heads * head_size]. */
static eis_mpc_id attend(eis_mpc_graph *graph, const heads *h, const eis_mpc_lm *lm)
{
    eis_mpc_id score = scores(graph, h, lm), largest, e, sum, o;
    unsigned frac, levels = levels_of(h->length), full;
    double floor_of_sum = exp(-(double)levels / 8) - h->length * ldexp(64, -(int)lm->tuning.frac);

    if (score == EIS_MPC_NONE) return score;
    frac = node_of(graph, score)->frac;
    largest = eis_mpc_row_max(graph, score, h->length, frac - 3,
                              lm->tuning.digit_bits_max == 0 ? 7 : lm->tuning.digit_bits_max, NULL);
    /* Each level may have lost 1/8: with that much taken off, no difference is positive. */
    e = eis_mpc_sub(graph, score, eis_mpc_repeat(graph, largest, h->length));
    e = eis_mpc_exp(graph, eis_mpc_offset(graph, e, -(int64_t)levels * (INT64_C(1) << (frac - 3))), &lm->tuning);
    sum = eis_mpc_sum(graph, e, h->length);
    o = weighted_values(graph, h, e, lm);
    sum = eis_mpc_reciprocal(graph, sum, floor_of_sum, h->length + 1, &lm->tuning);
    if (o == EIS_MPC_NONE || sum == EIS_MPC_NONE) return EIS_MPC_NONE;
    full = lm->tuning.frac + EIS_MPC_RECIPROCAL_FRAC;
    o = eis_mpc_product2(graph, o, eis_mpc_repeat(graph, sum, lm->head_size), ldexp(h->v_bound * 1.01, (int)full));
    o = eis_mpc_rescale_auth(graph, o, lm->tuning.frac);
    eis_mpc_set_bound(graph, o, ldexp(h->v_bound * 1.01, (int)lm->tuning.frac) + 2);
    return o;
}

void eis_mpc_lm_attention(eis_mpc_residual *x, eis_mpc_lm_step *step, const eis_mpc_lm *lm, uint32_t layer,
                          uint32_t position)
{
    eis_mpc_graph *g = &step->graph;
    uint32_t q_dim = lm->heads * lm->head_size, kv_dim = lm->kv_heads * lm->head_size;
    const eis_mpc_matrix_shape *w = &lm->shapes[matrix_of(layer, EIS_LM_QKV)];
    double root = sqrt((double)lm->dim) * 1.01, q_bound = w->row_norm * root, v_bound = lm->value_norm[layer] * root;
    eis_mpc_id narrow = eis_mpc_lm_narrow(g, x, lm), r = norm_factor(g, x, lm), u, qk, wide;
    unsigned frac = lm->tuning.frac;
    heads h = {.length = position + 1, .kv_dim = kv_dim, .group = lm->heads / lm->kv_heads, .v_bound = v_bound};

    u = eis_mpc_rescale(g,
                        eis_mpc_apply(g, matrix_of(layer, EIS_LM_QKV), narrow, NULL, 0,
                                      ldexp(w->row_norm * x->norm, (int)(frac + w->frac)) * 1.01),
                        frac);
    qk = turn(g, eis_mpc_slice(g, u, 0, q_dim + kv_dim), lm, position);
    qk = times_factor(g, qk, r, q_bound * 1.42, lm);
    step->values[layer] = times_factor(g, eis_mpc_slice(g, u, q_dim + kv_dim, kv_dim), r, v_bound, lm);
    step->keys[layer] = eis_mpc_slice(g, qk, q_dim, kv_dim);
    h.q = eis_mpc_slice(g, qk, 0, q_dim);
    h.k = step->keys[layer];
    h.v = step->values[layer];
    if (position > 0) {
        h.k = eis_mpc_join(g, eis_mpc_kept(g, 2 * layer, position * kv_dim, frac, ldexp(q_bound * 1.42, (int)frac) + 2),
                           h.k);
        h.v = eis_mpc_join(g, eis_mpc_kept(g, 2 * layer + 1, position * kv_dim, frac, ldexp(v_bound, (int)frac) + 2),
                           h.v);
    }
    w = &lm->shapes[matrix_of(layer, EIS_LM_ATTENTION_OUT)];
    wide = at_scale(g, x->wire, frac + w->frac);
    x->norm += lm->growth[2 * layer] * v_bound * sqrt((double)q_dim) * 1.02;
    x->wire = eis_mpc_apply(g, matrix_of(layer, EIS_LM_ATTENTION_OUT), attend(g, &h, lm), &wide, 1,
                            ldexp(x->norm, (int)(frac + w->frac)));
}

void eis_mpc_lm_mlp(eis_mpc_residual *x, eis_mpc_lm_step *step, const eis_mpc_lm *lm, uint32_t layer)
{
    eis_mpc_graph *g = &step->graph;
    const eis_mpc_matrix_shape *w = &lm->shapes[matrix_of(layer, EIS_LM_GATE_UP)];
    double bound = w->row_norm * sqrt((double)lm->dim) * 1.01;
    eis_mpc_id narrow = eis_mpc_lm_narrow(g, x, lm), r = norm_factor(g, x, lm), u, y, wide;
    unsigned frac = lm->tuning.frac;

    u = eis_mpc_rescale(g,
                        eis_mpc_apply(g, matrix_of(layer, EIS_LM_GATE_UP), narrow, NULL, 0,
                                      ldexp(w->row_norm * x->norm, (int)(frac + w->frac)) * 1.01),
                        frac);
    u = times_factor(g, u, r, bound, lm);
    y = eis_mpc_gated_unit(g, eis_mpc_slice(g, u, 0, lm->hidden), eis_mpc_slice(g, u, lm->hidden, lm->hidden),
                           EIS_MPC_SILU, &lm->tuning);
    w = &lm->shapes[matrix_of(layer, EIS_LM_DOWN)];
    wide = at_scale(g, x->wire, frac + w->frac);
    x->norm += lm->growth[2 * layer + 1] * bound * bound * sqrt((double)lm->hidden) * 1.02;
    x->wire = eis_mpc_apply(g, matrix_of(layer, EIS_LM_DOWN), y, &wide, 1, ldexp(x->norm, (int)(frac + w->frac)));
}
