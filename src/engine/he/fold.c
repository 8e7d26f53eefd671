/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over slots in stages of radix 4. */
#include "engine/he/program.h"

/* How many slots the next stage adds up, when `count` are left: 4, or once 2. */
static size_t radix_of(size_t count) { return count % 4 == 0 ? 4 : 2; }

/* r = the sum of x and its rotations by stride, 2 stride, ..., (radix - 1) stride. */
static eis_status fold_stage(eis_ckks_ct *ct, size_t radix, size_t stride, const eis_ckks_galois_keys *keys)
{
    eis_status st = EIS_OK;
    eis_ckks_hoisted hoisted = {0};
    eis_ckks_lifted sum = {0}, turned = {0};

    EIS_TRY(eis_ckks_hoist(&hoisted, ct));
    EIS_TRY(eis_ckks_hoisted_lift(&sum, &hoisted, 1, keys));
    for (size_t i = 1; i < radix; i++) {
        uint32_t element = eis_ckks_rotation_element(ct->params, (int32_t)(i * stride));
        EIS_TRY(eis_ckks_hoisted_lift(&turned, &hoisted, element, keys));
        EIS_TRY(eis_ckks_lifted_add(&sum, &turned));
    }
    EIS_TRY(eis_ckks_lifted_lower(ct, &sum));
out:
    eis_ckks_hoisted_clear(&hoisted);
    eis_ckks_lifted_clear(&sum);
    eis_ckks_lifted_clear(&turned);
    return st;
}

eis_status eis_he_fold(eis_ckks_ct *ct, size_t count, size_t stride, const eis_ckks_galois_keys *keys)
{
    eis_status st = EIS_OK;

    EIS_ASSERT(count > 0 && (count & (count - 1)) == 0 && stride > 0 && stride <= eis_ckks_slots(ct->params) / count);
    while (count > 1) {
        size_t radix = radix_of(count);
        EIS_TRY(fold_stage(ct, radix, stride, keys));
        count /= radix;
        stride *= radix;
    }
out:
    return st;
}

eis_status eis_he_fold_plan(eis_he_draft *draft, eis_he_plan_row *row, eis_he_track *t, size_t count, size_t stride,
                            double magnitude)
{
    eis_status st = EIS_OK;

    while (count > 1) {
        size_t radix = radix_of(count);
        for (size_t i = 1; i < radix; i++) EIS_TRY(eis_he_draft_rotation(draft, (int32_t)(i * stride)));
        eis_he_track_combine(t, (double)radix, magnitude);
        eis_he_track_switch(t, draft->params, (double)(radix - 1));
        row->rotations += radix - 1;
        eis_he_cost_hoist(&draft->cost, t->limbs);
        for (size_t i = 1; i < radix; i++) eis_he_cost_lift(&draft->cost, t->limbs);
        eis_he_cost_lower(&draft->cost, t->limbs);
        count /= radix;
        stride *= radix;
    }
    t->magnitude = magnitude;
out:
    return st;
}
