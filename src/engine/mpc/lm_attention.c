/* SPDX-License-Identifier: Apache-2.0 */
/* Attention of one or many tokens at once: every row of scores is as long as its token has positions up to its own. */
#include "base/mem.h"
#include "engine/mpc/lm_block.h"

#include <math.h>

#define ROPE_FRAC        14
#define STATIC_SCORE_MAX 2.7    /* exp(-2 * 2.7) is a little above 2^-8, where the reciprocal's scales end */
#define SUM_LEAST        0.0079 /* of exponentials: twice what the reciprocal's scales end at */
#define PI               3.14159265358979323846

static const eis_mpc_node *node_of(const eis_mpc_graph *graph, eis_mpc_id id) { return eis_mpc_node_of(graph, id); }

/* Turns pairs of entries of each head by the angles of positions: rows of `width` words from `position` on. */
static eis_mpc_id turn(eis_mpc_graph *graph, eis_mpc_id a, const eis_mpc_lm *lm, uint32_t width, uint32_t position)
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
        double angle = (double)(position + i / width) * pow(lm->rope_theta, -2.0 * pair / lm->head_size);
        uint32_t distance = lm->rope == EIS_ROPE_PAIRS ? 1 : half;
        partner[i] = first ? i + distance : i - distance;
        cosine[i] = llround(ldexp(cos(angle), ROPE_FRAC));
        sine[i] = llround(ldexp(first ? -sin(angle) : sin(angle), ROPE_FRAC));
    }
    return eis_mpc_add(graph, eis_mpc_weigh(graph, a, cosine, ROPE_FRAC),
                       eis_mpc_weigh(graph, eis_mpc_gather(graph, a, partner, n), sine, ROPE_FRAC));
}

/* ---- scores ---- */

/* Rows of scores, [token][head] of lengths that rise from token to token, one behind the other. */
typedef struct heads {
    uint32_t position, count; /* of the first token; tokens */
    uint32_t kv_dim, group;   /* words of a row of the cache; heads that share one */
    uint32_t rows, words;     /* all rows, all scores */
    const uint32_t *length;   /* [rows] */
    const uint32_t *begin;    /* [rows] */
    eis_mpc_id q, k, v;       /* k and v of all positions */
    eis_mpc_id valid;         /* [positions]: 1 but for those that fill a prompt up; NONE: all are */
    double q_bound, v_bound;
    double score_bound; /* by norms of heads; 0: not known */
} heads;

static uint32_t longest_of(const heads *h) { return h->position + h->count; }

static bool list_rows(heads *h, eis_mpc_graph *graph, const eis_mpc_lm *lm)
{
    uint32_t *length, *begin;

    h->rows = h->count * lm->heads;
    length = eis_mpc_graph_new(graph, h->rows, sizeof *length);
    begin = eis_mpc_graph_new(graph, h->rows, sizeof *begin);
    if (length == NULL || begin == NULL) return false;
    h->words = 0;
    for (uint32_t r = 0; r < h->rows; r++) {
        length[r] = h->position + r / lm->heads + 1;
        begin[r] = h->words;
        h->words += length[r];
        if (h->words <= EIS_MPC_COUNT_MAX) continue;
        graph->st = eis_fail(EIS_ERR_TOO_LARGE, "%u tokens in one step have too many scores", h->count);
        return false;
    }
    h->length = length;
    h->begin = begin;
    return true;
}

/* One word of each row for all words of the row. */
static eis_mpc_id over_rows(eis_mpc_graph *graph, eis_mpc_id a, const heads *h)
{
    uint32_t *index = eis_mpc_graph_new(graph, h->words, sizeof *index);

    if (index == NULL) return EIS_MPC_NONE;
    for (uint32_t r = 0; r < h->rows; r++)
        for (uint32_t i = 0; i < h->length[r]; i++) index[h->begin[r] + i] = r;
    return eis_mpc_gather(graph, a, index, h->words);
}

/* Scores of positions that only fill a prompt up become so small that their exponentials are 0 beside any other:
 * score - big (1 - valid), big = 2 (bound of a score) + cheby.range + 2. */
static eis_mpc_id without_filling(eis_mpc_graph *graph, eis_mpc_id score, const heads *h, const eis_mpc_lm *lm)
{
    uint32_t *index;
    unsigned frac;
    int64_t big;
    eis_mpc_id filling;

    if (score == EIS_MPC_NONE || h->valid == EIS_MPC_NONE) return score;
    if ((index = eis_mpc_graph_new(graph, h->words, sizeof *index)) == NULL) return EIS_MPC_NONE;
    for (uint32_t r = 0; r < h->rows; r++)
        for (uint32_t i = 0; i < h->length[r]; i++) index[h->begin[r] + i] = i;
    frac = node_of(graph, score)->frac;
    big = (int64_t)ceil(2 * node_of(graph, score)->bound + ldexp(lm->tuning.exp_range + 2, (int)frac));
    filling = eis_mpc_offset(graph, eis_mpc_scale(graph, h->valid, -1, 0), 1);
    eis_mpc_set_bound(graph, filling, 1);
    filling = eis_mpc_gather(graph, eis_mpc_scale(graph, filling, big, frac), index, h->words);
    return eis_mpc_sub(graph, score, filling);
}

static eis_mpc_id scores(eis_mpc_graph *graph, const heads *h, const eis_mpc_lm *lm)
{
    uint32_t *q_at = eis_mpc_graph_new(graph, h->words, sizeof *q_at);
    uint32_t *k_at = eis_mpc_graph_new(graph, h->words, sizeof *k_at);
    eis_mpc_id score;

    if (q_at == NULL || k_at == NULL || h->q == EIS_MPC_NONE || h->k == EIS_MPC_NONE) return EIS_MPC_NONE;
    for (uint32_t r = 0; r < h->rows; r++)
        for (uint32_t i = 0; i < h->length[r]; i++) {
            q_at[h->begin[r] + i] = r * lm->head_size;
            k_at[h->begin[r] + i] = i * h->kv_dim + r % lm->heads / h->group * lm->head_size;
        }
    const eis_mpc_dot_shape shape = {.inner = lm->head_size, .a_step = 1, .b_step = 1, .a_at = q_at, .b_at = k_at};
    unsigned frac = node_of(graph, h->q)->frac + node_of(graph, h->k)->frac;
    score = eis_mpc_mask(graph, eis_mpc_dot(graph, h->q, h->k, &shape, h->words, ldexp(h->score_bound, (int)frac)));
    return without_filling(graph, score, h, lm);
}

/* ---- softmax ---- */

/* What is known of the exponentials of a row. */
typedef struct softmax {
    double least;  /* their sum is no less */
    double spread; /* the sum of their magnitudes is no more than this times their sum */
} softmax;

/* The largest one is at least exp(-levels / 8) less its error; what is too small to be told from 0 may be `dip` below
 * it. */
static softmax softmax_over(uint32_t length, double dip, double loss)
{
    double below = (length - 1) * dip;
    softmax s = {exp(-(double)eis_mpc_levels(length) / 8) - loss - below, 1};

    if (s.least > 0) s.spread += 2 * below / s.least;
    return s;
}

/* The same; or all are at least exp(-2 score) where the largest score is taken to be `score`. */
static softmax softmax_of(uint32_t length, double score, const eis_mpc_tuning *tuning)
{
    double dip, loss;

    eis_mpc_exp_error(&dip, &loss, tuning);
    if (tuning->softmax_static == 0) return softmax_over(length, dip, loss);
    return (softmax){length * (exp(-2 * score) - loss), 1};
}

double eis_mpc_lm_sum_least(const eis_mpc_tuning *tuning, uint32_t length)
{
    return softmax_of(length, STATIC_SCORE_MAX, tuning).least;
}

uint32_t eis_mpc_lm_longest(const eis_mpc_tuning *tuning)
{
    uint32_t fits = 0, step = EIS_MPC_LM_CONTEXT_MAX;
    double dip, loss;

    if (tuning->softmax_static != 0) return EIS_MPC_LM_CONTEXT_MAX;
    eis_mpc_exp_error(&dip, &loss, tuning);
    for (; step > 0; step /= 2)
        if (fits + step <= EIS_MPC_LM_CONTEXT_MAX && softmax_over(fits + step, dip, loss).least >= SUM_LEAST)
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
                     "%s: softmax.max static: scores may be as large as %.3g, and no more than %.3g is allowed; set "
                     "softmax.max=tournament",
                     graph->section, bound, fmin(STATIC_SCORE_MAX, lm->tuning.exp_range / 2));
    return false;
}

/* Scores less the largest of their row: each level of the tournament may have lost 1/8, and with that much taken off no
 * difference is positive. */
static eis_mpc_id below_maximum(eis_mpc_graph *graph, eis_mpc_id score, const heads *h, const eis_mpc_lm *lm)
{
    unsigned frac = node_of(graph, score)->frac;
    int64_t *slack = eis_mpc_graph_new(graph, h->words, sizeof *slack);
    eis_mpc_id largest =
        eis_mpc_rows_max(graph, score, h->length, h->rows, frac - 3, eis_mpc_digit_bits(&lm->tuning), NULL);

    if (slack == NULL) return EIS_MPC_NONE;
    for (uint32_t r = 0; r < h->rows; r++)
        for (uint32_t i = 0; i < h->length[r]; i++)
            slack[h->begin[r] + i] = -(int64_t)eis_mpc_levels(h->length[r]) * (INT64_C(1) << (frac - 3));
    score = eis_mpc_sub(graph, score, over_rows(graph, largest, h));
    return eis_mpc_offset_each(graph, score, slack);
}

/* Scores less what no score exceeds, so that no exponential is of a positive number. */
static eis_mpc_id exponents(softmax *s, eis_mpc_graph *graph, eis_mpc_id score, const heads *h, const eis_mpc_lm *lm)
{
    double bound = node_of(graph, score)->bound, most = ldexp(bound, -(int)node_of(graph, score)->frac);

    if (lm->tuning.softmax_static == 0) {
        *s = softmax_of(longest_of(h), most, &lm->tuning);
        if (s->least < SUM_LEAST && graph->st == EIS_OK)
            graph->st = eis_mpc_lm_check_context(&lm->tuning, longest_of(h));
        return below_maximum(graph, score, h, lm);
    }
    *s = softmax_of(h->position + 1, most, &lm->tuning);
    if (!static_maximum_fits(graph, most, lm)) return EIS_MPC_NONE;
    return eis_mpc_offset(graph, score, -(int64_t)ceil(bound));
}

/* ---- values ---- */

/* Sums of the rows, [rows]. parts[count]. */
static eis_mpc_id sums_of(eis_mpc_graph *graph, eis_mpc_id *parts, const heads *h, eis_mpc_id e, const eis_mpc_lm *lm)
{
    for (uint32_t t = 0; t < h->count; t++) {
        uint32_t r = t * lm->heads, length = h->length[r];
        parts[t] = eis_mpc_sum(graph, eis_mpc_slice(graph, e, h->begin[r], lm->heads * length), length);
    }
    return eis_mpc_lm_join(graph, parts, h->count);
}

/* The products of rows with values, [rows][head_size]. */
static eis_mpc_id weighted_values(eis_mpc_graph *graph, eis_mpc_id *parts, const heads *h, eis_mpc_id e,
                                  const eis_mpc_lm *lm)
{
    uint32_t count = lm->heads * lm->head_size, *e_at, *v_at;

    e_at = eis_mpc_graph_new(graph, count, sizeof *e_at);
    v_at = eis_mpc_graph_new(graph, count, sizeof *v_at);
    if (e_at == NULL || v_at == NULL || e == EIS_MPC_NONE || h->v == EIS_MPC_NONE) return EIS_MPC_NONE;
    for (uint32_t i = 0; i < count; i++) v_at[i] = i / lm->head_size / h->group * lm->head_size + i % lm->head_size;
    for (uint32_t t = 0; t < h->count; t++) {
        const eis_mpc_dot_shape shape = {
            .inner = h->length[t * lm->heads], .a_step = 1, .b_step = h->kv_dim, .a_at = e_at, .b_at = v_at};
        for (uint32_t i = 0; i < count; i++) e_at[i] = h->begin[t * lm->heads + i / lm->head_size];
        parts[t] = eis_mpc_mask(graph, eis_mpc_dot(graph, e, h->v, &shape, count, 0));
        if (parts[t] == EIS_MPC_NONE) return EIS_MPC_NONE;
    }
    return eis_mpc_rescale(graph, eis_mpc_lm_join(graph, parts, h->count), lm->tuning.frac);
}

/* softmax(scores) v, as a wire [token][heads * head_size]; *bound: of its magnitude, as a real. */
static eis_mpc_id attend(double *bound, eis_mpc_graph *graph, const heads *h, const eis_mpc_lm *lm)
{
    eis_mpc_id score = scores(graph, h, lm), *parts = eis_mpc_graph_new(graph, h->count, sizeof *parts), e, sum, o;
    unsigned full = lm->tuning.frac + EIS_MPC_RECIPROCAL_FRAC;
    softmax s;

    *bound = h->v_bound;
    if (score == EIS_MPC_NONE || parts == NULL) return EIS_MPC_NONE;
    e = eis_mpc_exp(graph, exponents(&s, graph, score, h, lm), &lm->tuning);
    sum = sums_of(graph, parts, h, e, lm);
    o = weighted_values(graph, parts, h, e, lm);
    sum = eis_mpc_reciprocal(graph, sum, s.least, longest_of(h) + 1, &lm->tuning);
    if (o == EIS_MPC_NONE || sum == EIS_MPC_NONE) return EIS_MPC_NONE;
    *bound *= s.spread * 1.01;
    o = eis_mpc_product2(graph, o, eis_mpc_repeat(graph, sum, lm->head_size), ldexp(*bound, (int)full));
    o = eis_mpc_rescale_auth(graph, o, lm->tuning.frac);
    eis_mpc_set_bound(graph, o, ldexp(*bound, (int)lm->tuning.frac) + 2);
    return o;
}

/* ---- the half of a block ---- */

/* Keys and values of all positions, those of earlier ones from the cache. */
static void join_cache(heads *h, eis_mpc_graph *graph, const eis_mpc_lm *lm, uint32_t layer)
{
    uint32_t words = h->position * h->kv_dim;
    unsigned frac = lm->tuning.frac;

    if (h->position == 0) return;
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

void eis_mpc_lm_attention(eis_mpc_residual *x, eis_mpc_lm_step *step, const eis_mpc_lm *lm, uint32_t layer)
{
    eis_mpc_graph *g = &step->graph;
    uint32_t q_dim = lm->heads * lm->head_size, kv_dim = lm->kv_heads * lm->head_size, all = q_dim + 2 * kv_dim,
             matrix = eis_mpc_lm_matrix_of(layer, EIS_LM_QKV);
    double root = sqrt((double)lm->dim) * 1.01, bound;
    eis_mpc_id u = eis_mpc_lm_apply_to_residual(g, x, lm, matrix), r = eis_mpc_lm_norm_factor(g, x, lm), qk, v, y,
               bias = eis_mpc_lm_bias(g, lm, layer, EIS_LM_QKV), bias_qk = EIS_MPC_NONE, bias_v = EIS_MPC_NONE;
    heads h = {.position = step->position,
               .count = step->count,
               .kv_dim = kv_dim,
               .group = lm->heads / lm->kv_heads,
               .valid = step->all_valid,
               .q_bound = lm->shapes[matrix].row_norm * root * (lm->rope == EIS_ROPE_NONE ? 1 : 1.42),
               .v_bound = lm->value_norm[layer] * root,
               .score_bound = lm->query_norm[layer] > 0 ? score_bound(lm, layer) : 0};

    if (!list_rows(&h, g, lm)) return;
    if (lm->vector_count > 0) {
        h.q_bound += lm->vectors[4 * layer].bound;
        h.v_bound += lm->vectors[4 * layer].bound;
        bias_qk = eis_mpc_slice(g, bias, 0, q_dim + kv_dim);
        bias_v = eis_mpc_slice(g, bias, q_dim + kv_dim, kv_dim);
    }
    qk = turn(g, eis_mpc_lm_columns(g, u, all, 0, q_dim + kv_dim), lm, q_dim + kv_dim, step->position);
    qk = eis_mpc_lm_times_factor(g, qk, r, bias_qk, h.q_bound, lm);
    v = eis_mpc_lm_times_factor(g, eis_mpc_lm_columns(g, u, all, q_dim + kv_dim, kv_dim), r, bias_v, h.v_bound, lm);
    h.q = eis_mpc_lm_columns(g, qk, q_dim + kv_dim, 0, q_dim);
    step->keys[layer] = h.k = eis_mpc_lm_columns(g, qk, q_dim + kv_dim, q_dim, kv_dim);
    step->values[layer] = h.v = v;
    join_cache(&h, g, lm, layer);
    y = attend(&bound, g, &h, lm);
    eis_mpc_lm_add_to_residual(x, g, lm, layer, EIS_LM_ATTENTION_OUT, y,
                               lm->growth[2 * layer] * bound * sqrt((double)q_dim) * 1.01);
}
