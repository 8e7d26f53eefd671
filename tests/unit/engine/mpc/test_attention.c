/* SPDX-License-Identifier: Apache-2.0 */
/* Attention at the far end of long contexts, one token and several at once, against the same in double: keys and values
 * of all earlier positions are put in, so that no text has to be walked up to there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/mpc/lm_block.h"
#include "support/mpc_lm.h"

#include <math.h>
#include <stdlib.h>

enum { FRAC = 16, LAYER = 1, SLOT_X = 20, SLOT_KEPT = 30, SLOT_VALID = 40 };

static const char *root(void)
{
    const char *path = getenv("EIS_TEST_ROOT");

    return path != NULL ? path : ".";
}

/* Repeatable numbers with the look of a normal distribution. */
static double noise(void)
{
    static uint64_t state = 88172645463325252;
    double sum = 0;

    for (int i = 0; i < 4; i++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        sum += (double)(state >> 11) * 0x1p-53 - 0.5;
    }
    return sum * 1.7;
}

static int64_t *noises(size_t count, double size)
{
    int64_t *values = malloc(count * sizeof *values);

    for (size_t i = 0; i < count; i++) values[i] = llround(ldexp(size * noise(), FRAC));
    return values;
}

static double real(int64_t value) { return ldexp((double)value, -FRAC); }

static double *weights(const eis_mpc_lm *lm, const eis_model *model, uint32_t which)
{
    uint32_t matrix = eis_mpc_lm_matrix_of(LAYER, which);
    size_t count = (size_t)lm->shapes[matrix].rows * lm->shapes[matrix].columns;
    uint64_t *words = malloc(count * sizeof *words);
    double *w = malloc(count * sizeof *w);

    assert_int_equal(eis_mpc_lm_weights(words, lm, model, matrix), EIS_OK);
    for (size_t i = 0; i < count; i++) w[i] = real(eis_fp_centre(words[i]));
    free(words);
    return w;
}

/* What the gates stand for, for the tokens at `position` and behind it; row by row into y. */
typedef struct plain {
    const eis_mpc_lm *lm;
    uint32_t position, count, q_dim, kv_dim;
    double *qkv, *out;         /* weights */
    double *k, *v;             /* [positions][kv_dim] */
    const int64_t *x, *kept_k; /* [count][dim] */
    const int64_t *kept_v;
    const int64_t *valid; /* [positions]; NULL: all are */
} plain;

static void apply(double *y, const double *w, const double *x, uint32_t rows, uint32_t columns)
{
    for (uint32_t i = 0; i < rows; i++) {
        y[i] = 0;
        for (uint32_t j = 0; j < columns; j++) y[i] += w[(size_t)i * columns + j] * x[j];
    }
}

static void turn(double *a, const eis_mpc_lm *lm, uint32_t words, uint32_t position)
{
    for (uint32_t i = 0; i < words; i++) {
        uint32_t in_head = i % lm->head_size, half = lm->head_size / 2;
        bool pairs = lm->rope == EIS_ROPE_PAIRS;
        uint32_t other = i + (pairs ? 1 : half), pair = pairs ? in_head / 2 : in_head % half;
        double angle = position * pow(lm->rope_theta, -2.0 * pair / lm->head_size), first = a[i];
        if (pairs ? in_head % 2 != 0 : in_head >= half) continue;
        a[i] = first * cos(angle) - a[other] * sin(angle);
        a[other] = a[other] * cos(angle) + first * sin(angle);
    }
}

static void attend(double *o, const plain *p, const double *q, uint32_t length)
{
    uint32_t size = p->lm->head_size, group = p->lm->heads / p->lm->kv_heads;
    double *e = malloc(length * sizeof *e);

    for (uint32_t h = 0; h < p->lm->heads; h++) {
        double most = -INFINITY, sum = 0;
        for (uint32_t t = 0; t < length; t++) {
            e[t] = 0;
            for (uint32_t i = 0; i < size; i++)
                e[t] += q[h * size + i] * p->k[(size_t)t * p->kv_dim + h / group * size + i];
            if (p->valid != NULL && p->valid[t] == 0) e[t] = -INFINITY;
            most = fmax(most, e[t]);
        }
        for (uint32_t t = 0; t < length; t++) sum += e[t] = exp(e[t] - most);
        for (uint32_t i = 0; i < size; i++) {
            double *to = &o[h * size + i];
            *to = 0;
            for (uint32_t t = 0; t < length; t++)
                *to += e[t] / sum * p->v[(size_t)t * p->kv_dim + h / group * size + i];
        }
    }
    free(e);
}

static void compute(double *y, plain *p)
{
    uint32_t dim = p->lm->dim, all = p->q_dim + 2 * p->kv_dim;
    double *u = malloc(all * sizeof *u), *o = malloc(p->q_dim * sizeof *o), *x = malloc(dim * sizeof *x);

    for (size_t i = 0; i < (size_t)p->position * p->kv_dim; i++)
        p->k[i] = real(p->kept_k[i]), p->v[i] = real(p->kept_v[i]);
    for (uint32_t t = 0; t < p->count; t++) {
        double squares = 0, r;
        size_t at = (size_t)(p->position + t) * p->kv_dim;
        for (uint32_t i = 0; i < dim; i++) x[i] = real(p->x[t * dim + i]), squares += x[i] * x[i];
        r = 1 / sqrt(squares / dim + p->lm->norm_eps);
        apply(u, p->qkv, x, all, dim);
        for (uint32_t i = 0; i < all; i++) u[i] *= r;
        turn(u, p->lm, p->q_dim + p->kv_dim, p->position + t);
        for (uint32_t i = 0; i < p->kv_dim; i++) p->k[at + i] = u[p->q_dim + i], p->v[at + i] = u[all - p->kv_dim + i];
        attend(o, p, u, p->position + t + 1);
        apply(y + (size_t)t * dim, p->out, o, dim, p->q_dim);
        for (uint32_t i = 0; i < dim; i++) y[t * dim + i] += x[i];
    }
    free(u);
    free(o);
    free(x);
}

/* Makes inputs of what would come from the cache. */
static void feed_cache(mpc_lm *m, eis_mpc_graph *g, const plain *p)
{
    for (eis_mpc_id id = 0; id < g->node_count; id++) {
        eis_mpc_node *node = &g->nodes[id];
        if (node->op != EIS_MPC_OP_KEPT) continue;
        node->op = EIS_MPC_OP_INPUT;
        m->world.input[SLOT_KEPT + node->slot % 2] = node->slot % 2 == 0 ? p->kept_k : p->kept_v;
        node->slot = SLOT_KEPT + node->slot % 2;
    }
}

static void compare(mpc_lm *m, plain *p, const double *wanted)
{
    uint32_t words = p->count * m->lm.dim;
    double largest = 0, matters = 0;
    int64_t *got = malloc(words * sizeof *got);
    eis_mpc_lm_step step = {.position = p->position, .count = p->count, .all_valid = EIS_MPC_NONE};
    eis_mpc_graph *g = &step.graph;
    eis_mpc_residual x = {.norm = 32};

    step.keys = eis_mem_new(m->lm.layers, sizeof *step.keys);
    step.values = eis_mem_new(m->lm.layers, sizeof *step.values);
    eis_mpc_graph_init(g, m->lm.shapes, m->lm.shape_count);
    x.wire = eis_mpc_input(g, SLOT_X, words, FRAC, ldexp(x.norm, FRAC));
    if (p->valid != NULL) step.all_valid = eis_mpc_input(g, SLOT_VALID, p->position + p->count, 0, 1);
    eis_mpc_lm_attention(&x, &step, &m->lm, LAYER);
    if (eis_mpc_graph_status(g) != EIS_OK) fail_msg("%s", eis_error_detail());
    feed_cache(m, g, p);
    m->world.input[SLOT_X] = p->x;
    m->world.input[SLOT_VALID] = p->valid;
    assert_int_equal(mpc_world_walk(&m->world, g, true), EIS_OK);
    mpc_world_value(got, &m->world, x.wire);
    for (uint32_t i = 0; i < words; i++) {
        largest = fmax(largest, fabs(ldexp((double)got[i], -(int)g->nodes[x.wire].frac) - wanted[i]));
        matters = fmax(matters, fabs(wanted[i] - real(p->x[i])));
    }
    if (!(largest < 4e-3 * matters)) fail_msg("position %u: an error of %g in %g", p->position, largest, matters);
    eis_mpc_lm_step_clear(&step);
    free(got);
}

/* `filling`: so many positions at the beginning are not valid. */
static void last_positions(mpc_lm *m, const eis_model *model, uint32_t context, uint32_t count, uint32_t filling)
{
    const eis_mpc_lm *lm = &m->lm;
    plain p = {.lm = lm,
               .position = context - count,
               .count = count,
               .q_dim = lm->heads * lm->head_size,
               .kv_dim = lm->kv_heads * lm->head_size};
    size_t kept = (size_t)p.position * p.kv_dim, all = (size_t)context * p.kv_dim;
    int64_t *x = noises((size_t)count * lm->dim, 1), *k = noises(kept, 12), *v = noises(kept, 4);
    int64_t *valid = calloc(context, sizeof *valid);
    double *wanted = malloc((size_t)count * lm->dim * sizeof *wanted);

    for (uint32_t i = filling; i < context; i++) valid[i] = 1;
    p.x = x, p.kept_k = k, p.kept_v = v;
    p.valid = filling > 0 ? valid : NULL;
    p.k = malloc(all * sizeof *p.k), p.v = malloc(all * sizeof *p.v);
    p.qkv = weights(lm, model, EIS_LM_QKV), p.out = weights(lm, model, EIS_LM_ATTENTION_OUT);
    compute(wanted, &p);
    compare(m, &p, wanted);
    free(x), free(k), free(v), free(valid), free(wanted);
    free(p.k), free(p.v), free(p.qkv), free(p.out);
}

static void long_contexts(void **state)
{
    char path[1024];
    static mpc_lm m;
    eis_mpc_tuning tuning;
    eis_model *model;
    (void)state;

    snprintf(path, sizeof path, "%s/models/tiny-stories", root());
    assert_int_equal(eis_model_open(&model, path, NULL), EIS_OK);
    model->lm.context = 2048; /* its positions are turned by angles, of which there is no end */
    eis_mpc_tuning_default(&tuning);
    mpc_lm_open(&m, model, &tuning, 2);
    last_positions(&m, model, 512, 1, 0);
    last_positions(&m, model, 1024, 1, 0);
    last_positions(&m, model, 2048, 1, 0);
    last_positions(&m, model, 515, 3, 0);
    last_positions(&m, model, 40, 40, 0); /* a whole prompt */
    last_positions(&m, model, 515, 3, 400);
    last_positions(&m, model, 33, 2, 30);
    mpc_lm_close(&m);
    eis_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(long_contexts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
