/* SPDX-License-Identifier: Apache-2.0 */
/* Rotations of lifted pairs. */
#include "engine/he/turn.h"

#include "base/mem.h"
#include "kernel/kernel.h"

#include <string.h>

eis_status eis_he_lift(eis_ckks_lifted *r, const eis_ckks_ct *ct)
{
    eis_status st = EIS_OK;

    eis_ckks_lifted_clear(r); /* so that it starts at zero */
    EIS_TRY(eis_ckks_lifted_init(r, ct->params, ct->limbs, ct->scale));
    EIS_TRY(eis_ckks_lift_add(ct->params, &r->c0, &ct->poly[0], NULL));
    EIS_TRY(eis_ckks_lift_add(ct->params, &r->c1, &ct->poly[1], NULL));
out:
    if (st != EIS_OK) eis_ckks_lifted_clear(r);
    return st;
}

/* Copies c1 to r, and rounds it there. A chain of several special primes has one way down for both halves. */
static eis_status lower_c1(eis_poly *r, const eis_ckks_lifted *a)
{
    eis_status st = EIS_OK;
    const eis_rns *rns = &a->params->rns;
    size_t special = a->c1.special;
    eis_ckks_lifted both = {0};

    if (special == 1) {
        EIS_TRY(eis_poly_init(rns, r, a->c1.limbs, 1, EIS_DOMAIN_NTT));
        eis_poly_copy(rns, r, &a->c1);
        EIS_TRY(eis_poly_rescale(rns, r));
    } else {
        EIS_TRY(eis_ckks_lifted_init(&both, a->params, a->limbs, a->scale));
        eis_poly_copy(rns, &both.c0, &a->c1);
        eis_poly_copy(rns, &both.c1, &a->c1);
        EIS_TRY(eis_ckks_lifted_down(&both));
        *r = both.c1;
        both.c1 = (eis_poly){0};
    }
out:
    eis_ckks_lifted_clear(&both);
    return st;
}

eis_status eis_he_lifted_digits(eis_ckks_digits *digits, const eis_ckks_lifted *a)
{
    eis_status st = EIS_OK;
    eis_poly low = {0};

    EIS_TRY(lower_c1(&low, a));
    EIS_TRY(eis_ckks_digits_init(digits, a->params, &low, EIS_CKKS_DIGITS_CENTRED));
out:
    eis_poly_clear(&low);
    return st;
}

/* r = r + a permuted, limb by limb, through room[N]. */
static void permute_add(const eis_rns *rns, eis_poly *r, const eis_poly *a, const uint32_t *order, uint64_t *room)
{
    const eis_zq_kernels *k = &eis_kernels_get()->zq;

    for (size_t i = 0; i < a->limbs; i++) {
        eis_ring_permute_raw(room, eis_poly_limb(a, i), order, a->degree);
        k->add(eis_poly_limb(r, i), eis_poly_limb(r, i), room, a->degree, &eis_poly_plan(rns, a, i)->mod);
    }
}

eis_status eis_he_lifted_turn(eis_ckks_lifted *r, const eis_ckks_lifted *a, const eis_ckks_digits *digits,
                              uint32_t element, const eis_ckks_galois_keys *keys, uint64_t *room)
{
    eis_status st = EIS_OK;
    const eis_ckks_galois_key *key;

    EIS_ASSERT(r != a && r->params == a->params && r->limbs == a->limbs && digits->limbs == a->limbs);
    EIS_TRY(eis_ckks_galois_key_find(&key, keys, element));
    eis_ckks_digits_multiply(r, digits, &key->key, key->order);
    permute_add(&a->params->rns, &r->c0, &a->c0, key->order, room);
out:
    return st;
}

eis_status eis_he_lifted_turn_add(eis_ckks_lifted *r, const eis_ckks_lifted *a, const eis_ckks_digits *digits,
                                  uint32_t element, const eis_ckks_galois_keys *keys, eis_ckks_lifted *turned,
                                  uint64_t *room)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_ckks_lifted_init(turned, a->params, a->limbs, a->scale));
    EIS_TRY(eis_he_lifted_turn(turned, a, digits, element, keys, room));
    EIS_TRY(eis_ckks_lifted_add(r, turned));
out:
    return st;
}
