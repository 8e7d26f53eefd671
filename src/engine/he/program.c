/* SPDX-License-Identifier: Apache-2.0 */
/* Planes, biases, and the way in. */
#include "engine/he/program.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

#define SCALE_TOLERANCE 0x1p-20

static bool is_zero(const eis_poly *poly)
{
    for (size_t i = 0; i < poly->limbs; i++)
        if (!eis_poly_limb_is_zero(poly, i)) return false;
    return true;
}

eis_status eis_he_plane_encode(eis_ckks_plain *plane, const eis_he_program *program, const double *values, size_t count,
                               uint32_t limbs, size_t special, double scale, bool keep)
{
    eis_status st = EIS_OK;
    const eis_rns *rns = &program->params->rns;

    EIS_TRY(eis_ckks_plain_init(plane, program->params, limbs, special, scale));
    EIS_TRY(eis_slots_encode_reals(&program->slots, rns, &plane->poly, values, count, scale));
    if (keep && is_zero(&plane->poly)) { /* the server has no encryption of zero to give instead */
        uint64_t one[EIS_RNS_PRIMES_MAX];
        for (size_t i = 0; i < plane->poly.limbs; i++) one[i] = 1;
        eis_poly_add_constant(rns, &plane->poly, one);
    }
out:
    if (st != EIS_OK) eis_ckks_plain_clear(plane);
    return st;
}

eis_status eis_he_bias_init(eis_he_bias *bias, const eis_he_program *program, const eis_he_map *map, size_t stride,
                            uint32_t limbs, double scale)
{
    eis_status st = EIS_OK;
    size_t slots = eis_ckks_slots(program->params);

    EIS_NEW(bias->value, slots);
    for (uint32_t i = 0; i < map->rows; i++) {
        bias->value[i * stride] = map->bias[i];
        bias->any = bias->any || map->bias[i] != 0;
    }
    EIS_TRY(eis_he_plane_encode(&bias->plane, program, bias->value, slots, limbs, 0, scale, false));
out:
    return st;
}

void eis_he_bias_clear(eis_he_bias *bias)
{
    eis_ckks_plain_clear(&bias->plane);
    eis_mem_free(bias->value);
    *bias = (eis_he_bias){0};
}

eis_status eis_he_bias_add(eis_ckks_ct *ct, const eis_he_program *program, const eis_he_bias *bias)
{
    eis_status st = EIS_OK;
    eis_ckks_plain plane = {0};

    if (!bias->any) return EIS_OK;
    if (eis_ckks_scale_equal(ct->scale, bias->plane.scale)) return eis_ckks_ct_add_plain(ct, ct, &bias->plane);
    EIS_TRY(eis_he_plane_encode(&plane, program, bias->value, eis_ckks_slots(program->params), (uint32_t)ct->limbs, 0,
                                ct->scale, false));
    EIS_TRY(eis_ckks_ct_add_plain(ct, ct, &plane));
out:
    eis_ckks_plain_clear(&plane);
    return st;
}

eis_status eis_he_input_next(eis_ckks_ct *ct, const eis_he_program *program, uint32_t stage,
                             const eis_he_source *source, uint32_t index, uint32_t limbs)
{
    eis_status st = EIS_OK;
    const eis_he_packing *p = &program->plan->contract.stage[stage].input;

    EIS_TRY(source->next(source->context, index, ct));
    EIS_ASSERT(ct->params == program->params && ct->polys == 2);
    EIS_REQUIRE(ct->limbs == p->limbs, EIS_ERR_LEVEL, "input %u has %zu primes, the model takes %u", index, ct->limbs,
                p->limbs);
    EIS_REQUIRE(fabs(ct->scale / p->scale - 1) <= SCALE_TOLERANCE, EIS_ERR_SCALE,
                "input %u is at scale 2^%.9f, the model takes 2^%.9f", index, log2(ct->scale), log2(p->scale));
    EIS_TRY(eis_ckks_ct_drop(ct, limbs));
out:
    if (st != EIS_OK) eis_ckks_ct_clear(ct);
    return st;
}

eis_status eis_he_rescale(eis_ckks_ct *ct, double target)
{
    double scale = ct->limbs > 1 ? ct->scale / (double)eis_ckks_last_prime(ct->params, ct->limbs) : 0;

    /* An input off the planned scale, within the tolerance, stays off it: the label always tells the truth. */
    return fabs(scale / target - 1) <= 0x1p-46 ? eis_ckks_ct_rescale_to(ct, target) : eis_ckks_ct_rescale(ct);
}
