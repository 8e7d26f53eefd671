/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of rotations times planes, in baby steps and giant steps with two hoistings: one decomposition serves all baby
 * steps, whose products with planes are summed before any mod-down; the rotations of the giant steps are summed before
 * theirs. Source: [BMTH21, section 4]. */
#include "engine/he/program.h"

#include "base/mem.h"
#include "engine/he/turn.h"
#include "kernel/kernel.h"

#include <math.h>
#include <string.h>

/* Sums go over runs of words: of one run all planes stand one behind the other, so that they come as one stream from
 * memory, and all baby steps stay in the second-level cache for all giant steps. The gap keeps runs off each other's
 * sets in the first-level cache. */
enum { RUN = 512, GAP = 8, RUN_STEP = RUN + GAP };

/* Baby steps for `count` rotations: a baby step is one key product; a giant step has a decomposition and a mod-down
 * beside, so there are at most as many of them, and of four rotations none. */
static uint32_t baby_steps(uint32_t count)
{
    uint32_t baby = count == 4 ? 4 : 1;

    while ((uint64_t)baby * baby < count) baby *= 2;
    return baby;
}

eis_status eis_he_bsgs_init(eis_he_bsgs *bsgs, uint32_t count, uint32_t stride, uint32_t limbs, double scale)
{
    eis_status st = EIS_OK;

    *bsgs = (eis_he_bsgs){.baby = baby_steps(count), .stride = stride, .limbs = limbs, .scale = scale};
    bsgs->giant = (count + bsgs->baby - 1) / bsgs->baby;
    EIS_NEW(bsgs->plane, (size_t)bsgs->baby * bsgs->giant);
out:
    if (st != EIS_OK) *bsgs = (eis_he_bsgs){0};
    return st;
}

void eis_he_bsgs_clear(eis_he_bsgs *bsgs)
{
    for (size_t i = 0; bsgs->plane != NULL && i < (size_t)bsgs->baby * bsgs->giant; i++)
        eis_ckks_plain_clear(&bsgs->plane[i]);
    eis_mem_free(bsgs->plane);
    eis_mem_free(bsgs->words);
    *bsgs = (eis_he_bsgs){0};
}

size_t eis_he_bsgs_bytes(const eis_he_bsgs *bsgs)
{
    size_t bytes = bsgs->bytes;

    for (size_t i = 0; i < (size_t)bsgs->baby * bsgs->giant; i++)
        bytes += bsgs->plane[i].poly.limbs * bsgs->plane[i].poly.degree * sizeof(uint64_t);
    return bytes;
}

/* Where a run of a plane, or of a half of a baby step, stands among `streams` of them. */
static uint64_t *run_at(uint64_t *words, size_t runs, size_t streams, size_t limb, size_t run, size_t stream)
{
    return words + ((limb * runs + run) * streams + stream) * RUN_STEP;
}

/* Deals a polynomial out to its runs. */
static void deal(uint64_t *words, size_t streams, size_t stream, const eis_poly *poly)
{
    size_t runs = poly->degree / RUN;

    for (size_t i = 0; i < poly->limbs; i++)
        for (size_t r = 0; r < runs; r++)
            memcpy(run_at(words, runs, streams, i, r, stream), eis_poly_limb(poly, i) + r * RUN,
                   RUN * sizeof(uint64_t));
}

/* Moves the words of a plane to their place among the others. */
static eis_status place_plane(eis_he_bsgs *bsgs, uint32_t index)
{
    eis_status st = EIS_OK;
    eis_poly *poly = &bsgs->plane[index].poly;
    size_t streams = (size_t)bsgs->baby * bsgs->giant, words = poly->limbs * (poly->degree / RUN) * streams * RUN_STEP;

    if (streams == 1) return EIS_OK;
    if (bsgs->words == NULL) EIS_NEW_RAW(bsgs->words, words);
    bsgs->bytes = words * sizeof(uint64_t);
    deal(bsgs->words, streams, index, poly);
    eis_poly_clear(poly);
out:
    return st;
}

eis_status eis_he_bsgs_set(eis_he_bsgs *bsgs, const eis_he_program *program, uint32_t index, const double *values)
{
    eis_status st = EIS_OK;
    const eis_ckks_params *params = program->params;
    size_t slots = eis_ckks_slots(params);
    size_t turn = (size_t)bsgs->stride * (index / bsgs->baby * bsgs->baby) % slots;
    double *turned = NULL;
    bool zero = true;

    for (size_t i = 0; i < slots && zero; i++) zero = values[i] == 0;
    if (zero) return EIS_OK;
    EIS_NEW_RAW(turned, slots);
    memcpy(turned + turn, values, (slots - turn) * sizeof *turned);
    memcpy(turned, values + slots - turn, turn * sizeof *turned);
    EIS_TRY(eis_he_plane_encode(&bsgs->plane[index], program, turned, slots, bsgs->limbs, params->special_count,
                                bsgs->scale, true));
    EIS_TRY(place_plane(bsgs, index));
out:
    eis_mem_free(turned);
    return st;
}

static bool is_set(const eis_he_bsgs *bsgs, uint32_t giant, uint32_t baby)
{
    return bsgs->plane[(size_t)giant * bsgs->baby + baby].params != NULL;
}

static bool giant_is_set(const eis_he_bsgs *bsgs, uint32_t giant)
{
    for (uint32_t b = 0; b < bsgs->baby; b++)
        if (is_set(bsgs, giant, b)) return true;
    return false;
}

static bool baby_is_set(const eis_he_bsgs *bsgs, uint32_t baby)
{
    for (uint32_t s = 0; s < bsgs->giant; s++)
        if (is_set(bsgs, s, baby)) return true;
    return false;
}

/* ---- Applying -------------------------------------------------------------------------------------------------------
 */

typedef struct job {
    const eis_he_bsgs *bsgs;
    const eis_ckks_galois_keys *keys;
    eis_ckks_lifted x;
    eis_ckks_digits digits; /* of x */
    size_t limbs, runs;     /* special limbs included */
    uint64_t *baby;         /* [limbs][runs][2 halves][baby][a run and a gap] */
    eis_ckks_lifted *giant; /* [bsgs->giant] */
    eis_status *status;     /* [the larger of both] */
} job;

static uint32_t element_of(const job *j, uint64_t steps)
{
    const eis_ckks_params *params = j->x.params;

    return eis_ckks_rotation_element(params, (int32_t)(steps % eis_ckks_slots(params)));
}

/* What one thread needs for rotations. */
typedef struct turner {
    eis_ckks_lifted turned;
    uint64_t *room; /* [N] */
} turner;

static eis_status turner_init(turner *t, const eis_ckks_lifted *like)
{
    eis_status st = EIS_OK;

    *t = (turner){0};
    EIS_NEW_RAW(t->room, like->params->degree);
    EIS_TRY(eis_ckks_lifted_init(&t->turned, like->params, like->limbs, like->scale));
out:
    return st;
}

static void turner_clear(turner *t)
{
    eis_ckks_lifted_clear(&t->turned);
    eis_mem_free(t->room);
}

/* A baby step: x turned, or x itself, dealt out. */
static eis_status baby_step(job *j, turner *t, size_t b)
{
    eis_status st = EIS_OK;
    const eis_ckks_lifted *baby = b > 0 ? &t->turned : &j->x;

    if (b > 0)
        EIS_TRY(
            eis_he_lifted_turn(&t->turned, &j->x, &j->digits, element_of(j, b * j->bsgs->stride), j->keys, t->room));
    deal(j->baby, 2 * (size_t)j->bsgs->baby, b, &baby->c0);
    deal(j->baby, 2 * (size_t)j->bsgs->baby, j->bsgs->baby + b, &baby->c1);
out:
    return st;
}

static void baby_chunks(void *arg, size_t first, size_t last)
{
    job *j = arg;
    turner t;

    j->status[first] = turner_init(&t, &j->x);
    for (size_t b = first; b < last && j->status[first] == EIS_OK; b++)
        if (baby_is_set(j->bsgs, (uint32_t)b)) j->status[b] = baby_step(j, &t, b);
    turner_clear(&t);
}

/* The streams of a sum: a plane, and both halves of a baby step. */
typedef struct streams {
    const uint64_t *plane[EIS_ZQ_DOT_TERMS_MAX], *c0[EIS_ZQ_DOT_TERMS_MAX], *c1[EIS_ZQ_DOT_TERMS_MAX];
    size_t count;
} streams;

static void gather(streams *s, const job *j, uint32_t giant, size_t limb, size_t run)
{
    const eis_he_bsgs *g = j->bsgs;
    size_t baby = g->baby;

    s->count = 0;
    for (uint32_t b = 0; b < baby; b++) {
        if (!is_set(g, giant, b)) continue;
        s->plane[s->count] = run_at(g->words, j->runs, baby * g->giant, limb, run, giant * baby + b);
        s->c0[s->count] = run_at(j->baby, j->runs, 2 * baby, limb, run, b);
        s->c1[s->count++] = run_at(j->baby, j->runs, 2 * baby, limb, run, baby + b);
    }
}

/* giant s = the baby steps times the planes of giant step s, still lifted; for some runs, counted through the limbs. */
static void product_chunks(void *arg, size_t first, size_t last)
{
    job *j = arg;
    const eis_zq_kernels *k = &eis_kernels_get()->zq;
    const eis_rns *rns = &j->x.params->rns;
    streams in;

    for (size_t at = first; at < last; at++) {
        size_t limb = at / j->runs, run = at % j->runs;
        for (uint32_t s = 0; s < j->bsgs->giant; s++) {
            eis_ckks_lifted *sum = &j->giant[s];
            gather(&in, j, s, limb, run);
            if (in.count == 0) continue;
            k->dot_pair(eis_poly_limb(&sum->c0, limb) + run * RUN, eis_poly_limb(&sum->c1, limb) + run * RUN, in.plane,
                        in.c0, in.c1, in.count, NULL, RUN, &eis_poly_plan(rns, &sum->c0, limb)->mod);
        }
    }
}

static eis_status multiply(job *j, eis_pool *pool)
{
    eis_status st = EIS_OK;

    for (uint32_t s = 0; s < j->bsgs->giant; s++)
        if (giant_is_set(j->bsgs, s))
            EIS_TRY(eis_ckks_lifted_init(&j->giant[s], j->x.params, j->x.limbs, j->x.scale * j->bsgs->scale));
    eis_pool_run(pool, j->limbs * j->runs, 1, product_chunks, j);
out:
    return st;
}

/* Turns the sum of giant step s. */
static eis_status giant_step(job *j, turner *t, uint32_t s)
{
    eis_status st = EIS_OK;
    eis_ckks_digits digits = {0};
    uint64_t steps = (uint64_t)s * j->bsgs->baby * j->bsgs->stride;
    eis_ckks_lifted before = j->giant[s];

    if (s == 0) return EIS_OK;
    EIS_TRY(eis_he_lifted_digits(&digits, &before));
    EIS_TRY(eis_he_lifted_turn(&t->turned, &before, &digits, element_of(j, steps), j->keys, t->room));
    j->giant[s] = t->turned; /* and its memory serves for the next one */
    j->giant[s].scale = before.scale;
    t->turned = before;
out:
    eis_ckks_digits_clear(&digits);
    return st;
}

static void giant_chunks(void *arg, size_t first, size_t last)
{
    job *j = arg;
    turner t;

    j->status[first] = turner_init(&t, &j->x);
    for (size_t s = first; s < last && j->status[first] == EIS_OK; s++)
        if (giant_is_set(j->bsgs, (uint32_t)s)) j->status[s] = giant_step(j, &t, (uint32_t)s);
    turner_clear(&t);
}

static eis_status first_failure(const eis_status *status, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (status[i] != EIS_OK) return status[i];
    return EIS_OK;
}

static eis_status add_giants(eis_ckks_ct *y, job *j)
{
    eis_status st = EIS_OK;
    eis_ckks_lifted *sum = NULL;

    for (uint32_t s = 0; s < j->bsgs->giant; s++) {
        if (!giant_is_set(j->bsgs, s)) continue;
        if (sum == NULL)
            sum = &j->giant[s];
        else
            EIS_TRY(eis_ckks_lifted_add(sum, &j->giant[s]));
    }
    EIS_ASSERT(sum != NULL);
    EIS_TRY(eis_ckks_lifted_lower(y, sum));
out:
    return st;
}

/* One plane alone, with no rotation: a product as any other, without the special limbs. */
static eis_status multiply_alone(eis_ckks_ct *y, const eis_he_bsgs *bsgs, const eis_ckks_ct *x)
{
    const eis_poly *poly = &bsgs->plane[0].poly;
    eis_ckks_plain plane = {.params = x->params, .scale = bsgs->scale};

    EIS_ASSERT(poly->words != NULL);
    plane.poly = eis_poly_view(&x->params->rns, poly->words, poly->limbs - poly->special, 0, EIS_DOMAIN_NTT);
    return eis_ckks_ct_mul_plain(y, x, &plane);
}

eis_status eis_he_bsgs_apply(eis_ckks_ct *y, const eis_he_bsgs *bsgs, const eis_ckks_ct *x,
                             const eis_ckks_galois_keys *keys, eis_pool *pool)
{
    eis_status st = EIS_OK;
    job j = {.bsgs = bsgs, .keys = keys};
    uint32_t most = bsgs->baby > bsgs->giant ? bsgs->baby : bsgs->giant;

    EIS_ASSERT(bsgs->baby <= EIS_ZQ_DOT_TERMS_MAX && x->limbs == bsgs->limbs && x->params->degree % RUN == 0);
    if (bsgs->words == NULL) return multiply_alone(y, bsgs, x);
    EIS_REQUIRE(eis_ckks_scale_fits(x->params, x->scale * bsgs->scale, x->limbs), EIS_ERR_SCALE,
                "a product with planes does not fit its level");
    EIS_TRY(eis_he_lift(&j.x, x));
    EIS_TRY(eis_ckks_digits_init(&j.digits, x->params, &x->poly[1], EIS_CKKS_DIGITS_CENTRED));
    j.limbs = j.x.c0.limbs;
    j.runs = x->params->degree / RUN;
    EIS_NEW(j.giant, bsgs->giant);
    EIS_NEW(j.status, most);
    EIS_NEW_RAW(j.baby, j.limbs * j.runs * 2 * bsgs->baby * RUN_STEP);
    eis_pool_run(pool, bsgs->baby, 1, baby_chunks, &j);
    EIS_TRY(first_failure(j.status, bsgs->baby));
    EIS_TRY(multiply(&j, pool));
    eis_pool_run(pool, bsgs->giant, 1, giant_chunks, &j);
    EIS_TRY(first_failure(j.status, bsgs->giant));
    EIS_TRY(add_giants(y, &j));
out:
    for (uint32_t s = 0; j.giant != NULL && s < bsgs->giant; s++) eis_ckks_lifted_clear(&j.giant[s]);
    eis_mem_free(j.baby);
    eis_mem_free(j.giant);
    eis_mem_free(j.status);
    eis_ckks_digits_clear(&j.digits);
    eis_ckks_lifted_clear(&j.x);
    return st;
}

/* ---- Planning -------------------------------------------------------------------------------------------------------
 */

eis_status eis_he_bsgs_plan(eis_he_draft *draft, eis_he_plan_row *row, eis_he_track *t, uint32_t count, uint32_t stride,
                            double scale, double square_norm, double magnitude)
{
    eis_status st = EIS_OK;
    uint32_t baby = baby_steps(count), giant = (count + baby - 1) / baby, limbs = t->limbs;
    size_t slots = eis_ckks_slots(draft->params);
    double x_max = t->magnitude;

    for (uint64_t b = 1; b < baby; b++) EIS_TRY(eis_he_draft_rotation(draft, (int32_t)(b * stride % slots), limbs));
    for (uint64_t s = 1; s < giant; s++)
        EIS_TRY(eis_he_draft_rotation(draft, (int32_t)(s * baby * stride % slots), limbs));
    row->products += count;
    row->rotations += baby - 1 + giant - 1;
    eis_he_track_switch(t, draft->params, 1); /* of the baby steps, before the planes */
    eis_he_track_combine(t, square_norm, magnitude);
    eis_he_track_planes(t, draft->params, count, x_max, scale);
    eis_he_track_switch(t, draft->params, giant); /* at the product's scale, where it hardly shows */
    eis_he_cost_hoist(&draft->cost, limbs);
    for (uint32_t b = 0; b < baby; b++) eis_he_cost_lift(&draft->cost, limbs);
    draft->cost.passes += 2.0 * (limbs + 1) * count;
    for (uint32_t s = 1; s < giant; s++) {
        draft->cost.transforms += limbs + 1; /* c1 alone */
        eis_he_cost_hoist(&draft->cost, limbs);
        eis_he_cost_lift(&draft->cost, limbs);
    }
    eis_he_cost_lower(&draft->cost, limbs);
out:
    return st;
}
