/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over slots in stages of radix 4. Between the stages only c1 comes down from P, since its digits are needed. */
#include "engine/he/program.h"

#include "base/mem.h"
#include "engine/he/turn.h"

/* How many slots the next stage adds up, when `count` are left: 4, or once 2. */
static size_t radix_of(size_t count) { return count % 4 == 0 ? 4 : 2; }

/* next = the sum of now and its rotations by stride, 2 stride, ..., (radix - 1) stride; digits are now's. */
static eis_status fold_stage(eis_ckks_lifted *next, const eis_ckks_lifted *now, const eis_ckks_digits *digits,
                             size_t radix, size_t stride, const eis_ckks_galois_keys *keys, eis_ckks_lifted *turned,
                             uint64_t *room)
{
    eis_status st = EIS_OK;
    const eis_rns *rns = &now->params->rns;

    EIS_TRY(eis_ckks_lifted_init(next, now->params, now->limbs, now->scale));
    eis_poly_copy(rns, &next->c0, &now->c0);
    eis_poly_copy(rns, &next->c1, &now->c1);
    for (size_t i = 1; i < radix; i++) {
        uint32_t element = eis_ckks_rotation_element(now->params, (int32_t)(i * stride));
        EIS_TRY(eis_he_lifted_turn_add(next, now, digits, element, keys, turned, room));
    }
out:
    return st;
}

eis_status eis_he_fold(eis_ckks_ct *ct, size_t count, size_t stride, const eis_ckks_galois_keys *keys)
{
    eis_status st = EIS_OK;
    eis_ckks_lifted pair[2] = {{0}, {0}}, turned = {0};
    eis_ckks_digits digits = {0};
    uint64_t *room = NULL;
    unsigned now = 0;

    EIS_ASSERT(count > 0 && (count & (count - 1)) == 0 && stride > 0 && stride <= eis_ckks_slots(ct->params) / count);
    if (count == 1) return EIS_OK;
    EIS_NEW_RAW(room, ct->params->degree);
    EIS_TRY(eis_he_lift(&pair[0], ct));
    EIS_TRY(eis_ckks_digits_init(&digits, ct->params, &ct->poly[1], EIS_CKKS_DIGITS_CENTRED));
    for (;;) {
        size_t radix = radix_of(count);
        EIS_TRY(fold_stage(&pair[1 - now], &pair[now], &digits, radix, stride, keys, &turned, room));
        now = 1 - now;
        count /= radix;
        stride *= radix;
        if (count == 1) break;
        EIS_TRY(eis_he_lifted_digits(&digits, &pair[now]));
    }
    EIS_TRY(eis_ckks_lifted_lower(ct, &pair[now]));
out:
    eis_ckks_lifted_clear(&pair[0]);
    eis_ckks_lifted_clear(&pair[1]);
    eis_ckks_lifted_clear(&turned);
    eis_mem_free(room);
    eis_ckks_digits_clear(&digits);
    return st;
}

eis_status eis_he_fold_plan(eis_he_draft *draft, eis_he_plan_row *row, eis_he_track *t, size_t count, size_t stride,
                            double magnitude)
{
    eis_status st = EIS_OK;

    if (count > 1) eis_he_cost_lower(&draft->cost, t->limbs);
    while (count > 1) {
        size_t radix = radix_of(count);
        for (size_t i = 1; i < radix; i++) EIS_TRY(eis_he_draft_rotation(draft, (int32_t)(i * stride), t->limbs));
        eis_he_track_combine(t, (double)radix, magnitude);
        eis_he_track_switch(t, draft->params, (double)(radix - 1));
        row->rotations += radix - 1;
        eis_he_cost_hoist(&draft->cost, t->limbs);
        for (size_t i = 1; i < radix; i++) eis_he_cost_lift(&draft->cost, t->limbs);
        draft->cost.transforms += count > radix ? t->limbs + 1 : 0; /* c1 alone */
        count /= radix;
        stride *= radix;
    }
    t->magnitude = magnitude;
out:
    return st;
}
