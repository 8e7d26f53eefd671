/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of rotations times planes, in baby steps and giant steps with two hoistings: one decomposition serves all baby
 * steps, whose products with planes are summed before any mod-down; the rotations of the giant steps are summed before
 * theirs. Source: [BMTH21, section 4]. */
#include "engine/he/program.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

/* Baby steps for `count` rotations: a baby step is one key product; a giant step has a decomposition and a mod-down
 * beside, so there are at most as many of them. */
static uint32_t baby_steps(uint32_t count)
{
    uint32_t baby = 1;

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
    *bsgs = (eis_he_bsgs){0};
}

size_t eis_he_bsgs_bytes(const eis_he_bsgs *bsgs)
{
    size_t bytes = 0;

    for (size_t i = 0; i < (size_t)bsgs->baby * bsgs->giant; i++)
        bytes += bsgs->plane[i].poly.limbs * bsgs->plane[i].poly.degree * sizeof(uint64_t);
    return bytes;
}

eis_status eis_he_bsgs_set(eis_he_bsgs *bsgs, const eis_he_program *program, uint32_t index, const double *values)
{
    eis_status st = EIS_OK;
    size_t slots = eis_ckks_slots(program->params);
    size_t turn = (size_t)bsgs->stride * (index / bsgs->baby * bsgs->baby) % slots;
    double *turned = NULL;
    bool zero = true;

    for (size_t i = 0; i < slots && zero; i++) zero = values[i] == 0;
    if (zero) return EIS_OK;
    EIS_NEW(turned, slots);
    memcpy(turned + turn, values, (slots - turn) * sizeof *turned);
    memcpy(turned, values + slots - turn, turn * sizeof *turned);
    EIS_TRY(eis_he_plane_encode(&bsgs->plane[index], program, turned, slots, bsgs->limbs, 1, bsgs->scale, true));
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
    eis_ckks_hoisted x;
    eis_ckks_lifted *baby;  /* [bsgs->baby] */
    eis_ckks_lifted *giant; /* [bsgs->giant] */
    eis_status *status;     /* [the larger of both] */
} job;

static uint32_t element_of(const job *j, uint64_t steps)
{
    const eis_ckks_params *params = j->x.ct.params;

    return eis_ckks_rotation_element(params, (int32_t)(steps % eis_ckks_slots(params)));
}

static void baby_chunks(void *arg, size_t first, size_t last)
{
    job *j = arg;

    for (size_t b = first; b < last; b++)
        if (baby_is_set(j->bsgs, (uint32_t)b))
            j->status[b] = eis_ckks_hoisted_lift(&j->baby[b], &j->x, element_of(j, b * j->bsgs->stride), j->keys);
}

/* sum = the baby steps times the planes of giant step s, still lifted. */
static eis_status sum_products(eis_ckks_lifted *sum, const job *j, uint32_t s)
{
    eis_status st = EIS_OK;
    bool first = true;

    for (uint32_t b = 0; b < j->bsgs->baby; b++) {
        const eis_ckks_plain *plane = &j->bsgs->plane[(size_t)s * j->bsgs->baby + b];
        if (plane->params == NULL) continue;
        if (first)
            EIS_TRY(eis_ckks_lifted_mul_plain(sum, &j->baby[b], plane));
        else
            EIS_TRY(eis_ckks_lifted_mul_plain_add(sum, &j->baby[b], plane));
        first = false;
    }
out:
    return st;
}

static eis_status giant_step(job *j, uint32_t s)
{
    eis_status st = EIS_OK;
    eis_ckks_lifted sum = {0};
    eis_ckks_ct lowered = {0};
    eis_ckks_hoisted hoisted = {0};

    if (s == 0) return sum_products(&j->giant[0], j, 0);
    EIS_TRY(sum_products(&sum, j, s));
    EIS_TRY(eis_ckks_lifted_lower(&lowered, &sum));
    EIS_TRY(eis_ckks_hoist(&hoisted, &lowered));
    EIS_TRY(eis_ckks_hoisted_lift(&j->giant[s], &hoisted, element_of(j, (uint64_t)s * j->bsgs->baby * j->bsgs->stride),
                                  j->keys));
out:
    eis_ckks_lifted_clear(&sum);
    eis_ckks_ct_clear(&lowered);
    eis_ckks_hoisted_clear(&hoisted);
    return st;
}

static void giant_chunks(void *arg, size_t first, size_t last)
{
    job *j = arg;

    for (size_t s = first; s < last; s++)
        if (giant_is_set(j->bsgs, (uint32_t)s)) j->status[s] = giant_step(j, (uint32_t)s);
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

eis_status eis_he_bsgs_apply(eis_ckks_ct *y, const eis_he_bsgs *bsgs, const eis_ckks_ct *x,
                             const eis_ckks_galois_keys *keys, eis_pool *pool)
{
    eis_status st = EIS_OK;
    job j = {.bsgs = bsgs, .keys = keys};
    uint32_t most = bsgs->baby > bsgs->giant ? bsgs->baby : bsgs->giant;

    EIS_NEW(j.baby, bsgs->baby);
    EIS_NEW(j.giant, bsgs->giant);
    EIS_NEW(j.status, most);
    EIS_TRY(eis_ckks_hoist(&j.x, x));
    eis_pool_run(pool, bsgs->baby, 1, baby_chunks, &j);
    EIS_TRY(first_failure(j.status, bsgs->baby));
    eis_pool_run(pool, bsgs->giant, 1, giant_chunks, &j);
    EIS_TRY(first_failure(j.status, bsgs->giant));
    EIS_TRY(add_giants(y, &j));
out:
    for (uint32_t b = 0; j.baby != NULL && b < bsgs->baby; b++) eis_ckks_lifted_clear(&j.baby[b]);
    for (uint32_t s = 0; j.giant != NULL && s < bsgs->giant; s++) eis_ckks_lifted_clear(&j.giant[s]);
    eis_mem_free(j.baby);
    eis_mem_free(j.giant);
    eis_mem_free(j.status);
    eis_ckks_hoisted_clear(&j.x);
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

    for (uint64_t b = 1; b < baby; b++) EIS_TRY(eis_he_draft_rotation(draft, (int32_t)(b * stride % slots)));
    for (uint64_t s = 1; s < giant; s++) EIS_TRY(eis_he_draft_rotation(draft, (int32_t)(s * baby * stride % slots)));
    row->products += count;
    row->rotations += baby - 1 + giant - 1;
    eis_he_track_switch(t, draft->params, 1); /* of the baby steps, before the planes */
    eis_he_track_combine(t, square_norm, magnitude);
    eis_he_track_planes(t, draft->params, count, x_max, scale);
    eis_he_track_switch(t, draft->params, giant); /* at the product's scale, where it hardly shows */
    eis_he_cost_hoist(&draft->cost, limbs);
    for (uint32_t b = 0; b < baby; b++) eis_he_cost_lift(&draft->cost, limbs);
    draft->cost.passes += 2.0 * (limbs + 1) * count;
    for (uint32_t s = 1; s < giant; s++) eis_he_cost_switch(&draft->cost, limbs);
    eis_he_cost_lower(&draft->cost, limbs);
out:
    return st;
}
