/* SPDX-License-Identifier: Apache-2.0 */
/* Making, copying and clearing plaintexts and ciphertexts. */
#include "ckks/ct.h"

#include "base/mem.h"

#include <string.h>

eis_status eis_ckks_plain_init(eis_ckks_plain *plain, const eis_ckks_params *params, size_t limbs, size_t special,
                               double scale)
{
    eis_status st = EIS_OK;

    EIS_ASSERT(limbs >= 1 && limbs <= params->limbs_max && (special == 0 || special == params->special_count));
    EIS_REQUIRE(eis_ckks_scale_fits(params, scale, limbs), EIS_ERR_SCALE, "the scale does not fit %zu limbs", limbs);
    EIS_TRY(eis_poly_init_secret(&params->rns, &plain->poly, limbs + special, special, EIS_DOMAIN_NTT));
    plain->params = params;
    plain->scale = scale;
out:
    if (st != EIS_OK) eis_ckks_plain_clear(plain);
    return st;
}

void eis_ckks_plain_clear(eis_ckks_plain *plain)
{
    eis_poly_clear(&plain->poly);
    *plain = (eis_ckks_plain){0};
}

static bool has_shape(const eis_ckks_ct *ct, const eis_ckks_params *params, size_t polys, size_t limbs)
{
    return ct->params == params && ct->polys == polys && ct->limbs == limbs;
}

eis_status eis_ckks_ct_init(eis_ckks_ct *ct, const eis_ckks_params *params, size_t polys, size_t limbs, double scale)
{
    eis_status st = EIS_OK;

    EIS_ASSERT(polys >= 2 && polys <= EIS_CKKS_POLYS_MAX && limbs >= 1 && limbs <= params->limbs_max);
    EIS_REQUIRE(eis_ckks_scale_fits(params, scale, limbs), EIS_ERR_SCALE, "the scale does not fit %zu limbs", limbs);
    if (!has_shape(ct, params, polys, limbs)) {
        eis_ckks_ct_clear(ct);
        for (size_t c = 0; c < polys; c++) EIS_TRY(eis_poly_init(&params->rns, &ct->poly[c], limbs, 0, EIS_DOMAIN_NTT));
    }
    ct->params = params;
    ct->polys = polys;
    ct->limbs = limbs;
    ct->scale = scale;
    ct->generator = 0;
out:
    if (st != EIS_OK) eis_ckks_ct_clear(ct);
    return st;
}

void eis_ckks_ct_clear(eis_ckks_ct *ct)
{
    for (size_t c = 0; c < EIS_CKKS_POLYS_MAX; c++) eis_poly_clear(&ct->poly[c]);
    *ct = (eis_ckks_ct){0};
}

eis_status eis_ckks_ct_copy(eis_ckks_ct *r, const eis_ckks_ct *a)
{
    eis_status st = EIS_OK;

    if (r == a) return EIS_OK;
    EIS_TRY(eis_ckks_ct_init(r, a->params, a->polys, a->limbs, a->scale));
    for (size_t c = 0; c < a->polys; c++) eis_poly_copy(&a->params->rns, &r->poly[c], &a->poly[c]);
    r->generator = a->generator;
    memcpy(r->seed, a->seed, sizeof r->seed);
out:
    return st;
}

eis_ckks_ct eis_ckks_ct_view(const eis_ckks_ct *ct, size_t limbs)
{
    eis_ckks_ct view = {.params = ct->params, .polys = ct->polys, .limbs = limbs, .scale = ct->scale};

    EIS_ASSERT(limbs >= 1 && limbs <= ct->limbs);
    for (size_t c = 0; c < ct->polys; c++)
        view.poly[c] = eis_poly_view(&ct->params->rns, ct->poly[c].words, limbs, 0, EIS_DOMAIN_NTT);
    return view;
}

bool eis_ckks_ct_is_transparent(const eis_ckks_ct *ct)
{
    for (size_t limb = 0; limb < ct->limbs; limb++)
        if (eis_poly_limb_is_zero(&ct->poly[1], limb)) return true;
    return false;
}
