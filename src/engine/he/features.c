/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluates one ciphertext per number.
 *
 * Inputs are read in groups, used and released; what lives is one group, the sums of the first map, and later the
 * numbers between two nodes. Constants are rounded per request, to the scale that the request's ciphertexts have. */
#include "engine/he/features.h"

#include "base/mem.h"
#include "ckks/polynomial.h"

#include <math.h>
#include <string.h>

enum { GROUP = 32 }; /* inputs in memory at once */

/* One node as it is evaluated. */
typedef struct op {
    eis_he_node_kind kind;
    uint32_t in, out;
    eis_he_map map;
    double factor, shift;
    double *coeff;
    uint32_t coeff_count;
} op;

typedef struct features {
    uint32_t count;
    op *op; /* [count] */
} features;

/* ---- Preparing ------------------------------------------------------------------------------------------------------
 */

static void data_free(void *data)
{
    features *f = data;

    for (uint32_t i = 0; f->op != NULL && i < f->count; i++) {
        eis_he_map_clear(&f->op[i].map);
        eis_mem_free(f->op[i].coeff);
    }
    eis_mem_free(f->op);
    eis_mem_free(f);
}

static eis_status prepare(void **data, size_t *bytes, const struct eis_he_program *program, uint32_t stage,
                          eis_he_graph *graph, eis_pool *pool)
{
    eis_status st = EIS_OK;
    features *f = NULL;

    (void)program;
    (void)stage;
    (void)pool;
    *bytes = 0;
    EIS_NEW(f, 1);
    EIS_NEW(f->op, graph->count);
    f->count = graph->count;
    for (uint32_t i = 0; i < graph->count; i++) {
        eis_he_node *node = &graph->node[i];
        op *o = &f->op[i];
        *o = (op){.kind = node->kind, .in = node->in, .out = node->out, .factor = node->factor, .shift = node->shift};
        o->map = node->map;
        node->map = (eis_he_map){0};
        if (o->map.rows > 0) *bytes += o->map.start[o->map.rows] * (sizeof(double) + sizeof(uint32_t));
        if (node->coeff_count == 0) continue;
        EIS_NEW(o->coeff, node->coeff_count);
        memcpy(o->coeff, node->coeff, node->coeff_count * sizeof *o->coeff);
        o->coeff_count = node->coeff_count;
    }
    *data = f;
    f = NULL;
out:
    if (f != NULL) data_free(f);
    return st;
}

/* ---- Ciphertexts in numbers ----------------------------------------------------------------------------------------
 */

static void free_cts(eis_ckks_ct *ct, size_t count)
{
    if (ct == NULL) return;
    for (size_t i = 0; i < count; i++) eis_ckks_ct_clear(&ct[i]);
    eis_mem_free(ct);
}

/* Makes `count` sums that are zero. */
static eis_status zero_cts(eis_ckks_ct **made, size_t count, const eis_ckks_params *params, size_t limbs, double scale)
{
    eis_status st = EIS_OK;
    eis_ckks_ct *ct = NULL;

    EIS_NEW(ct, count);
    for (size_t i = 0; i < count; i++) EIS_TRY(eis_ckks_ct_init(&ct[i], params, 2, limbs, scale));
    *made = ct;
    ct = NULL;
out:
    free_cts(ct, count);
    return st;
}

/* A loop over ciphertexts that can fail: the first failure by number is kept. */
typedef struct each {
    eis_status (*body)(void *arg, size_t i);
    void *arg;
    eis_status *status; /* [count] */
} each;

static void each_body(void *arg, size_t first, size_t last)
{
    each *e = arg;

    for (size_t i = first; i < last; i++) e->status[i] = e->body(e->arg, i);
}

static eis_status for_each(eis_pool *pool, size_t count, eis_status (*body)(void *arg, size_t i), void *arg)
{
    eis_status st = EIS_OK;
    each e = {.body = body, .arg = arg};

    EIS_NEW(e.status, count);
    eis_pool_run(pool, count, 1, each_body, &e);
    for (size_t i = 0; i < count && st == EIS_OK; i++) st = e.status[i];
out:
    eis_mem_free(e.status);
    return st;
}

/* ---- Maps ----------------------------------------------------------------------------------------------------------
 */

/* The integers of a map at a factor scale. A row of which nothing is left gets the integer 1 on its first number: its
 * sum must not be transparent, and 1 / scale of an input is far below the noise. */
typedef struct integers {
    uint64_t *start;
    uint32_t *column;
    int64_t *constant;
} integers;

static void integers_clear(integers *v)
{
    eis_mem_free(v->start);
    eis_mem_free(v->column);
    eis_mem_free(v->constant);
    *v = (integers){0};
}

static eis_status integers_init(integers *v, const eis_he_map *map, double scale)
{
    eis_status st = EIS_OK;
    uint64_t at = 0;

    EIS_NEW(v->start, (size_t)map->rows + 1);
    EIS_NEW(v->column, map->start[map->rows] + map->rows);
    EIS_NEW(v->constant, map->start[map->rows] + map->rows);
    for (uint32_t i = 0; i < map->rows; i++) {
        uint64_t first = at;
        for (uint64_t k = map->start[i]; k < map->start[i + 1]; k++) {
            double c = nearbyint(map->weight[k] * scale);
            EIS_REQUIRE(fabs(c) < 0x1p62, EIS_ERR_SCALE, "the scale of the inputs is too small for the weights");
            if (c == 0) continue;
            v->column[at] = map->column[k];
            v->constant[at++] = (int64_t)c;
        }
        if (at == first) v->constant[at++] = 1; /* column 0 */
        v->start[i + 1] = at;
    }
out:
    if (st != EIS_OK) integers_clear(v);
    return st;
}

/* The terms of columns [from, to), renumbered from 0. `part` has room for all terms; cursor[rows] goes on. */
static void take_columns(integers *part, uint64_t *cursor, const integers *v, uint32_t rows, uint32_t from, uint32_t to)
{
    uint64_t at = 0;

    for (uint32_t i = 0; i < rows; i++) {
        for (; cursor[i] < v->start[i + 1] && v->column[cursor[i]] < to; cursor[i]++, at++) {
            part->column[at] = v->column[cursor[i]] - from;
            part->constant[at] = v->constant[cursor[i]];
        }
        part->start[i + 1] = at;
    }
}

static eis_he_sums sums_of(const integers *v, const eis_he_map *map)
{
    return (eis_he_sums){.rows = map->rows,
                         .start = v->start,
                         .column = v->column,
                         .constant = v->constant,
                         .terms_max = eis_he_map_terms(map) + 1};
}

/* ---- An evaluation --------------------------------------------------------------------------------------------------
 */

typedef struct run {
    const eis_he_program *program;
    const eis_he_features_layout *layout;
    const features *f;
    const eis_he_packing *input;
    const eis_he_source *source;
    const eis_he_keys *keys;
    eis_pool *pool;
    eis_ckks_ct *ct; /* [count]: the numbers between two nodes */
    uint32_t count;
    const op *op; /* the node at work */
    const eis_he_features_node *node;
    double scale, target; /* of a map's rescale */
} run;

/* An affine model takes a range of scales, others the planned one; all inputs are equal. */
static eis_status check_scale(const run *r, double scale, double first, uint32_t index)
{
    double ratio = scale / r->input->scale;
    bool fits = r->layout->affine ? ratio >= EIS_HE_SCALE_RATIO_MIN && ratio <= EIS_HE_SCALE_RATIO_MAX
                                  : fabs(ratio - 1) <= 0x1p-20;

    if (!fits)
        return eis_fail(EIS_ERR_SCALE, "input %u is at scale 2^%.6f, the model's is 2^%.6f", index, log2(scale),
                        log2(r->input->scale));
    if (memcmp(&scale, &first, sizeof scale) != 0)
        return eis_fail(EIS_ERR_SCALE, "input %u is not at the scale of those before it", index);
    return EIS_OK;
}

/* Reads inputs [from, to), dropped to the level where work starts. */
static eis_status read_group(run *r, eis_ckks_ct *group, uint32_t from, uint32_t to, double *scale)
{
    eis_status st = EIS_OK;

    for (uint32_t i = from; i < to; i++) {
        eis_ckks_ct *ct = &group[i - from];
        EIS_TRY(r->source->next(r->source->context, i, ct));
        EIS_ASSERT(ct->params == r->program->params && ct->polys == 2);
        EIS_REQUIRE(ct->limbs == r->input->limbs, EIS_ERR_LEVEL, "input %u has %zu primes, the model takes %u", i,
                    ct->limbs, r->input->limbs);
        if (i == 0) *scale = ct->scale;
        EIS_TRY(check_scale(r, ct->scale, *scale, i));
        EIS_TRY(eis_ckks_ct_drop(ct, r->layout->limbs));
    }
out:
    return st;
}

static eis_status finish_row(void *arg, size_t i)
{
    eis_status st = EIS_OK;
    run *r = arg;

    EIS_TRY(eis_he_rescale(&r->ct[i], r->target));
    EIS_TRY(eis_ckks_ct_add_real(&r->ct[i], r->op->map.bias[i]));
out:
    return st;
}

/* Puts `sums` in place of what there was, rescaled and with its bias. */
static eis_status finish_map(run *r, eis_ckks_ct **sums, const eis_he_sums *terms)
{
    eis_he_sums_finish(*sums, terms, r->pool);
    free_cts(r->ct, r->count);
    r->ct = *sums;
    r->count = r->op->out;
    *sums = NULL;
    r->target = r->node->scale;
    return for_each(r->pool, r->count, finish_row, r);
}

/* The scale of the constants: what takes the inputs' scale to the planned one behind the rescale. */
static double factor_scale(const run *r, double scale)
{
    return eis_ckks_factor_scale(r->program->params, r->node->limbs, scale, r->node->scale);
}

static eis_status first_map(run *r)
{
    eis_status st = EIS_OK;
    const eis_he_map *map = &r->op->map;
    eis_ckks_ct *group = NULL, *sums = NULL;
    integers all = {0}, part = {0};
    uint64_t *cursor = NULL;
    double scale = 0;
    eis_he_sums terms = {0};

    EIS_NEW(group, GROUP);
    EIS_NEW(cursor, map->rows);
    for (uint32_t from = 0; from < map->columns; from += GROUP) {
        uint32_t to = map->columns - from < GROUP ? map->columns : from + GROUP;
        EIS_TRY(read_group(r, group, from, to, &scale));
        if (from == 0) {
            double factor = factor_scale(r, scale);
            EIS_TRY(integers_init(&all, map, factor));
            EIS_TRY(zero_cts(&sums, map->rows, r->program->params, r->layout->limbs, scale * factor));
            EIS_NEW(part.start, (size_t)map->rows + 1);
            EIS_NEW(part.column, all.start[map->rows]);
            EIS_NEW(part.constant, all.start[map->rows]);
            memcpy(cursor, all.start, map->rows * sizeof *cursor);
        }
        take_columns(&part, cursor, &all, map->rows, from, to);
        terms = sums_of(&part, map);
        EIS_TRY(eis_he_sums_add(sums, &terms, group, r->pool));
    }
    EIS_TRY(finish_map(r, &sums, &terms));
out:
    free_cts(group, GROUP);
    free_cts(sums, map->rows);
    integers_clear(&all);
    integers_clear(&part);
    eis_mem_free(cursor);
    return st;
}

static eis_status later_map(run *r)
{
    eis_status st = EIS_OK;
    const eis_he_map *map = &r->op->map;
    eis_ckks_ct *sums = NULL;
    integers all = {0};
    double factor = factor_scale(r, r->ct[0].scale);
    eis_he_sums terms;

    EIS_TRY(integers_init(&all, map, factor));
    EIS_TRY(zero_cts(&sums, map->rows, r->program->params, r->ct[0].limbs, r->ct[0].scale * factor));
    terms = sums_of(&all, map);
    EIS_TRY(eis_he_sums_add(sums, &terms, r->ct, r->pool));
    EIS_TRY(finish_map(r, &sums, &terms));
out:
    free_cts(sums, map->rows);
    integers_clear(&all);
    return st;
}

/* ---- Pointwise ------------------------------------------------------------------------------------------------------
 */

static eis_status square_one(void *arg, size_t i)
{
    eis_status st = EIS_OK;
    run *r = arg;
    eis_ckks_ct *ct = &r->ct[i];
    bool last = r->op == &r->f->op[r->f->count - 1];

    EIS_TRY(eis_ckks_ct_square(ct, ct));
    if (last && r->layout->three)
        EIS_TRY(eis_ckks_ct_rescale(ct));
    else
        EIS_TRY(eis_ckks_ct_relinearise_rescale(ct, ct, &r->keys->relin, EIS_CKKS_DIGITS_CENTRED));
    if (r->op->factor < 0) EIS_TRY(eis_ckks_ct_neg(ct, ct));
    if (r->op->shift != 0) EIS_TRY(eis_ckks_ct_add_real(ct, r->op->shift));
out:
    return st;
}

static eis_status polynomial_one(void *arg, size_t i)
{
    const run *r = arg;
    eis_ckks_polynomial p = {.basis = EIS_CKKS_BASIS_POWER, .degree = r->op->coeff_count - 1, .coeff = r->op->coeff};

    return eis_ckks_polynomial_eval(&r->ct[i], &p, &r->ct[i], &r->keys->relin, r->node->scale);
}

/* A graph that does not start with a map: all inputs are read at once. */
static eis_status read_all(run *r)
{
    eis_status st = EIS_OK;
    double scale = 0;

    EIS_NEW(r->ct, r->input->ciphertexts);
    r->count = r->input->ciphertexts;
    EIS_TRY(read_group(r, r->ct, 0, r->count, &scale));
out:
    return st;
}

static eis_status run_op(run *r, uint32_t i)
{
    eis_status st = EIS_OK;

    r->op = &r->f->op[i];
    r->node = &r->layout->node[i];
    if (r->op->kind == EIS_HE_NODE_MAP) return i == 0 ? first_map(r) : later_map(r);
    if (i == 0) EIS_TRY(read_all(r));
    st = for_each(r->pool, r->count, r->op->kind == EIS_HE_NODE_SQUARE ? square_one : polynomial_one, r);
out:
    return st;
}

static eis_status eval(eis_ckks_ct *out, const struct eis_he_program *program, uint32_t stage,
                       const eis_he_source *source, const eis_he_keys *keys, eis_pool *pool)
{
    eis_status st = EIS_OK;
    const eis_he_contract *c = &program->plan->contract;
    run r = {.program = program,
             .layout = program->plan->layout->stage[stage].data,
             .f = program->data[stage],
             .input = &c->stage[stage].input,
             .source = source,
             .keys = keys,
             .pool = pool};

    for (uint32_t i = 0; i < r.f->count; i++) EIS_TRY(run_op(&r, i));
    EIS_ASSERT(r.count == c->stage[stage].output.ciphertexts);
    for (uint32_t i = 0; i < r.count; i++) {
        eis_ckks_ct_clear(&out[i]);
        out[i] = r.ct[i];
        r.ct[i] = (eis_ckks_ct){0};
    }
out:
    free_cts(r.ct, r.count);
    return st;
}

static size_t eval_bytes(const struct eis_he_program *program, uint32_t stage)
{
    const eis_he_features_layout *layout = program->plan->layout->stage[stage].data;
    const features *f = program->data[stage];
    const eis_ckks_params *params = program->params;
    size_t limb = params->degree * sizeof(uint64_t), most = 0;
    uint32_t fresh = program->plan->contract.stage[stage].input.limbs;

    for (uint32_t i = 0; i < f->count; i++) {
        size_t limbs = layout->node[i].limbs, pair = 2 * limbs * limb, now = f->op[i].in * pair;
        if (f->op[i].kind == EIS_HE_NODE_MAP) {
            if (i == 0) now = (f->op[i].in < GROUP ? f->op[i].in : GROUP) * 2 * fresh * limb;
            now += f->op[i].out * pair;
            now += f->op[i].map.start[f->op[i].map.rows] * 40 + (limbs << 20); /* integers twice; factors */
        } else { /* per thread: three polynomials, digits, a lifted pair; powers of a polynomial */
            now += 8 * (f->op[i].coeff_count + 4) * pair;
        }
        most = now > most ? now : most;
    }
    return most;
}

const eis_he_method eis_he_method_features = {.name = "one ciphertext per feature",
                                              .plan = eis_he_features_plan,
                                              .layout_free = eis_he_features_layout_free,
                                              .prepare = prepare,
                                              .data_free = data_free,
                                              .eval = eval,
                                              .eval_bytes = eval_bytes};
