/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mpc/lm_block.h"

#include <math.h>

#define ROPE_FRAC        14
#define STATIC_SCORE_MAX 2.7    /* exp(-2 * 2.7) is a little above 2^-8, where the reciprocal's scales end */
#define SUM_LEAST        0.0079 /* of exponentials: twice what the reciprocal's scales end at */
#define PI               3.14159265358979323846

static const eis_mpc_node *node_of(const eis_mpc_graph *graph, eis_mpc_id id) { return eis_mpc_node_of(graph, id); }

static uint32_t matrix_of(uint32_t layer, uint32_t which) { return EIS_MPC_LM_BLOCKS + 4 * layer + which; }

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
    const eis_mpc_dot_shape shape = {
        .inner = d, .a_step = 1, .b_step = 1, .a_at = &(uint32_t){0}, .b_at = &(uint32_t){0}};
    norm_parts parts = {EIS_MPC_NONE, EIS_MPC_NONE};
    double bound, factor, over;
    eis_mpc_id narrow;

    if (2 * frac > room) frac = room < 2 ? 1 : (unsigned)(room / 2);
    narrow = centred(&factor, graph, x, frac, lm);
    bound = ldexp(x->norm * x->norm, (int)(2 * frac)) * 1.01 + d;
    parts.mean = eis_mpc_dot(graph, narrow, narrow, &shape, 1, bound);
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

static eis_mpc_id norm_factor(eis_mpc_graph *graph, const eis_mpc_residual *x, const eis_mpc_lm *lm)
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

/* Vector `which` of a block as a wire; NONE where the family has none. */
static eis_mpc_id bias_of(eis_mpc_graph *graph, const eis_mpc_lm *lm, uint32_t layer, uint32_t which)
{
    uint32_t v = 4 * layer + which;
    const eis_mpc_lm_vector *vector = &lm->vectors[v];

    if (lm->vector_count == 0) return EIS_MPC_NONE;
    return eis_mpc_kept(graph, 2 * lm->layers + v, vector->count, vector->frac,
                        ldexp(vector->bound, (int)vector->frac) + 1);
}

/* r u + bias at the model's fraction; bias EIS_MPC_NONE: none. bound: of the result, as a real. */
static eis_mpc_id times_factor(eis_mpc_graph *graph, eis_mpc_id u, eis_mpc_id r, eis_mpc_id bias, double bound,
                               const eis_mpc_lm *lm)
{
    unsigned full;
    eis_mpc_id y;

    if (u == EIS_MPC_NONE || r == EIS_MPC_NONE) return EIS_MPC_NONE;
    full = node_of(graph, u)->frac + node_of(graph, r)->frac;
    y = eis_mpc_product2(graph, eis_mpc_repeat(graph, r, node_of(graph, u)->count), u, ldexp(bound, (int)full));
    if (bias != EIS_MPC_NONE) {
        y = eis_mpc_add(graph, y, bias);
        eis_mpc_set_bound(graph, y, ldexp(bound, (int)full));
    }
    y = eis_mpc_rescale_auth(graph, y, lm->tuning.frac);
    eis_mpc_set_bound(graph, y, ldexp(bound, (int)lm->tuning.frac) + 2);
    return y;
}

eis_mpc_id eis_mpc_lm_normalised(eis_mpc_graph *graph, const eis_mpc_residual *x, eis_mpc_id u, double bound,
                                 const eis_mpc_lm *lm)
{
    return times_factor(graph, eis_mpc_rescale(graph, u, lm->tuning.frac), norm_factor(graph, x, lm), EIS_MPC_NONE,
                        bound, lm);
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
    double score_bound; /* by norms of heads; 0: not known */
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
    unsigned frac = node_of(graph, h->q)->frac + node_of(graph, h->k)->frac;
    return eis_mpc_mask(graph, eis_mpc_dot(graph, h->q, h->k, &shape, count, ldexp(h->score_bound, (int)frac)));
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

/* Scores less the largest of their row: each level of the tournament may have lost 1/8, and with that much taken off no
 * difference is positive. */
static eis_mpc_id below_maximum(eis_mpc_graph *graph, eis_mpc_id score, uint32_t length, unsigned levels,
                                const eis_mpc_lm *lm)
{
    unsigned frac = node_of(graph, score)->frac;
    eis_mpc_id largest = eis_mpc_row_max(graph, score, length, frac - 3, eis_mpc_digit_bits(&lm->tuning), NULL);

    score = eis_mpc_sub(graph, score, eis_mpc_repeat(graph, largest, length));
    return eis_mpc_offset(graph, score, -(int64_t)levels * (INT64_C(1) << (frac - 3)));
}

/* What is known of the exponentials of a row. */
typedef struct softmax {
    double least;  /* their sum is no less */
    double spread; /* the sum of their magnitudes is no more than this times their sum */
} softmax;

/* The largest one is at least exp(-levels / 8), or all at least exp(-2 score) where the largest score is taken to be
 * `score`; what is too small to be told from 0 may be below it. */
static softmax softmax_of(uint32_t length, double score, const eis_mpc_tuning *tuning)
{
    double dip, loss, below;
    softmax s;

    eis_mpc_exp_error(&dip, &loss, tuning);
    below = (length - 1) * dip;
    if (tuning->softmax_static != 0)
        s = (softmax){length * (exp(-2 * score) - loss), 1};
    else
        s = (softmax){exp(-(double)eis_mpc_levels(length) / 8) - loss - below, 1};
    if (s.least > 0 && tuning->softmax_static == 0) s.spread += 2 * below / s.least;
    return s;
}

uint32_t eis_mpc_lm_longest(const eis_mpc_tuning *tuning)
{
    uint32_t fits = 0, step = EIS_MPC_LM_CONTEXT_MAX;

    if (tuning->softmax_static != 0) return EIS_MPC_LM_CONTEXT_MAX;
    for (; step > 0; step /= 2)
        if (fits + step <= EIS_MPC_LM_CONTEXT_MAX && softmax_of(fits + step, 0, tuning).least >= SUM_LEAST)
            fits += step;
    return fits;
}

uint32_t eis_mpc_lm_context_for(const eis_mpc_lm *lm, uint32_t most)
{
    uint32_t longest = eis_mpc_lm_longest(&lm->tuning);

    if (most > lm->context) most = lm->context;
    return most < longest ? most : longest;
}

eis_status eis_mpc_lm_check_context(const eis_mpc_tuning *tuning, uint32_t context)
{
    eis_status st = EIS_OK;
    uint32_t longest = eis_mpc_lm_longest(tuning);

    EIS_REQUIRE(
        context <= longest, EIS_ERR_RANGE,
        "a context of %u positions: exp with cheby.deg %u, cheby.range %g and fixed_point.scale_bits %u is good "
        "for a softmax over %u; set scheduler.max_context to that, or make exp more precise",
        context, tuning->exp_degree, tuning->exp_range, tuning->frac, longest);
out:
    return st;
}

/* With the bound of all scores in place of the largest one, no exponential may be cut off, and their sum not be too
 * small for its reciprocal. */
static bool static_maximum_fits(eis_mpc_graph *graph, double bound, const eis_mpc_lm *lm)
{
    if (2 * bound <= lm->tuning.exp_range && bound <= STATIC_SCORE_MAX) return true;
    if (graph->st == EIS_OK)
        graph->st =
            eis_fail(EIS_ERR_RANGE,
                     "softmax.max static: scores may be as large as %.1f, and no more than %.1f is allowed; use "
                     "tournament",
                     bound, fmin(STATIC_SCORE_MAX, lm->tuning.exp_range / 2));
    return false;
}

/* Scores less what no score exceeds, so that no exponential is of a positive number. */
static eis_mpc_id exponents(softmax *s, eis_mpc_graph *graph, eis_mpc_id score, const heads *h, const eis_mpc_lm *lm)
{
    double bound = node_of(graph, score)->bound, most = ldexp(bound, -(int)node_of(graph, score)->frac);

    if (graph->st == EIS_OK) graph->st = eis_mpc_lm_check_context(&lm->tuning, h->length);
    *s = softmax_of(h->length, most, &lm->tuning);
    if (lm->tuning.softmax_static == 0) return below_maximum(graph, score, h->length, eis_mpc_levels(h->length), lm);
    if (!static_maximum_fits(graph, most, lm)) return EIS_MPC_NONE;
    return eis_mpc_offset(graph, score, -(int64_t)ceil(bound));
}

/* softmax(scores) v, as a wire [heads * head_size]; *bound: of its magnitude, as a real. */
static eis_mpc_id attend(double *bound, eis_mpc_graph *graph, const heads *h, const eis_mpc_lm *lm)
{
    eis_mpc_id score = scores(graph, h, lm), e, sum, o;
    unsigned full = lm->tuning.frac + EIS_MPC_RECIPROCAL_FRAC;
    softmax s;

    *bound = h->v_bound;
    if (score == EIS_MPC_NONE) return score;
    e = eis_mpc_exp(graph, exponents(&s, graph, score, h, lm), &lm->tuning);
    sum = eis_mpc_sum(graph, e, h->length);
    o = weighted_values(graph, h, e, lm);
    sum = eis_mpc_reciprocal(graph, sum, s.least, h->length + 1, &lm->tuning);
    if (o == EIS_MPC_NONE || sum == EIS_MPC_NONE) return EIS_MPC_NONE;
    *bound *= s.spread * 1.01;
    o = eis_mpc_product2(graph, o, eis_mpc_repeat(graph, sum, lm->head_size), ldexp(*bound, (int)full));
    o = eis_mpc_rescale_auth(graph, o, lm->tuning.frac);
    eis_mpc_set_bound(graph, o, ldexp(*bound, (int)lm->tuning.frac) + 2);
    return o;
}

/* A matrix applied to the residual, wide, with the residual added (and the bias): what leaves a half of a block. */
static void add_to_residual(eis_mpc_residual *x, eis_mpc_graph *graph, const eis_mpc_lm *lm, uint32_t layer,
                            uint32_t which, eis_mpc_id y, double growth)
{
    uint32_t matrix = matrix_of(layer, which);
    unsigned frac = lm->tuning.frac + lm->shapes[matrix].frac;
    eis_mpc_id addends[2] = {at_scale(graph, x->wire, frac), bias_of(graph, lm, layer, which)};
    uint32_t count = lm->vector_count > 0 ? 2 : 1;

    x->norm += growth;
    if (count == 2) x->norm += lm->vectors[4 * layer + which].bound * sqrt((double)lm->dim);
    if (lm->residual_bound > 0) x->norm = fmin(x->norm, lm->residual_bound);
    x->wire = eis_mpc_apply(graph, matrix, y, addends, count, ldexp(x->norm, (int)frac));
}

/* u = W x for the residual before its norm, at the model's fraction. */
static eis_mpc_id apply_to_residual(eis_mpc_graph *graph, const eis_mpc_residual *x, const eis_mpc_lm *lm,
                                    uint32_t matrix)
{
    const eis_mpc_matrix_shape *w = &lm->shapes[matrix];
    unsigned frac = lm->tuning.frac;
    eis_mpc_id u = eis_mpc_apply(graph, matrix, eis_mpc_lm_narrow(graph, x, lm), NULL, 0,
                                 ldexp(w->row_norm * x->norm, (int)(frac + w->frac)) * 1.01);

    return eis_mpc_rescale(graph, u, frac);
}

/* Keys and values of all positions, those of earlier ones from the cache. */
static void join_cache(heads *h, eis_mpc_graph *graph, const eis_mpc_lm *lm, uint32_t layer, uint32_t position)
{
    uint32_t words = position * h->kv_dim;
    unsigned frac = lm->tuning.frac;

    if (position == 0) return;
    h->k = eis_mpc_join(graph, eis_mpc_kept(graph, 2 * layer, words, frac, ldexp(h->q_bound, (int)frac) + 2), h->k);
    h->v = eis_mpc_join(graph, eis_mpc_kept(graph, 2 * layer + 1, words, frac, ldexp(h->v_bound, (int)frac) + 2), h->v);
}

/* |q k| <= |q| |k|, and turning pairs keeps lengths. */
static double score_bound(const eis_mpc_lm *lm, uint32_t layer)
{
    double root = sqrt((double)lm->dim) * 1.01,
           bias = lm->vector_count > 0 ? lm->vectors[4 * layer].bound * sqrt((double)lm->head_size) : 0;

    return (lm->query_norm[layer] * root + bias) * (lm->key_norm[layer] * root + bias) * 1.01;
}

void eis_mpc_lm_attention(eis_mpc_residual *x, eis_mpc_lm_step *step, const eis_mpc_lm *lm, uint32_t layer,
                          uint32_t position)
{
    eis_mpc_graph *g = &step->graph;
    uint32_t q_dim = lm->heads * lm->head_size, kv_dim = lm->kv_heads * lm->head_size,
             matrix = matrix_of(layer, EIS_LM_QKV);
    double root = sqrt((double)lm->dim) * 1.01, bound;
    eis_mpc_id u = apply_to_residual(g, x, lm, matrix), r = norm_factor(g, x, lm), qk, v, y,
               bias = bias_of(g, lm, layer, EIS_LM_QKV), bias_qk = EIS_MPC_NONE, bias_v = EIS_MPC_NONE;
    heads h = {.length = position + 1,
               .kv_dim = kv_dim,
               .group = lm->heads / lm->kv_heads,
               .q_bound = lm->shapes[matrix].row_norm * root * (lm->rope == EIS_ROPE_NONE ? 1 : 1.42),
               .v_bound = lm->value_norm[layer] * root,
               .score_bound = lm->query_norm[layer] > 0 ? score_bound(lm, layer) : 0};

    if (lm->vector_count > 0) {
        h.q_bound += lm->vectors[4 * layer].bound;
        h.v_bound += lm->vectors[4 * layer].bound;
        bias_qk = eis_mpc_slice(g, bias, 0, q_dim + kv_dim);
        bias_v = eis_mpc_slice(g, bias, q_dim + kv_dim, kv_dim);
    }
    qk = turn(g, eis_mpc_slice(g, u, 0, q_dim + kv_dim), lm, position);
    qk = times_factor(g, qk, r, bias_qk, h.q_bound, lm);
    v = times_factor(g, eis_mpc_slice(g, u, q_dim + kv_dim, kv_dim), r, bias_v, h.v_bound, lm);
    h.q = eis_mpc_slice(g, qk, 0, q_dim);
    step->keys[layer] = h.k = eis_mpc_slice(g, qk, q_dim, kv_dim);
    step->values[layer] = h.v = v;
    join_cache(&h, g, lm, layer, position);
    y = attend(&bound, g, &h, lm);
    add_to_residual(x, g, lm, layer, EIS_LM_ATTENTION_OUT, y,
                    lm->growth[2 * layer] * bound * sqrt((double)q_dim) * 1.01);
}

void eis_mpc_lm_mlp(eis_mpc_residual *x, eis_mpc_lm_step *step, const eis_mpc_lm *lm, uint32_t layer)
{
    eis_mpc_graph *g = &step->graph;
    uint32_t matrix = matrix_of(layer, EIS_LM_GATE_UP);
    double bound = lm->shapes[matrix].row_norm * sqrt((double)lm->dim) * 1.01, largest;
    eis_mpc_id u = apply_to_residual(g, x, lm, matrix), r = norm_factor(g, x, lm), y;

    if (lm->family == EIS_LM_GPT2) {
        bound += lm->vectors[4 * layer + EIS_LM_GATE_UP].bound;
        u = times_factor(g, u, r, bias_of(g, lm, layer, EIS_LM_GATE_UP), bound, lm);
        y = eis_mpc_activate(g, u, EIS_MPC_GELU_TANH, &lm->tuning);
        largest = bound;
    } else {
        u = times_factor(g, u, r, EIS_MPC_NONE, bound, lm);
        y = eis_mpc_gated_unit(g, eis_mpc_slice(g, u, 0, lm->hidden), eis_mpc_slice(g, u, lm->hidden, lm->hidden),
                               EIS_MPC_SILU, &lm->tuning);
        largest = bound * bound;
    }
    add_to_residual(x, g, lm, layer, EIS_LM_DOWN, y,
                    lm->growth[2 * layer + 1] * largest * sqrt((double)lm->hidden) * 1.02);
}
