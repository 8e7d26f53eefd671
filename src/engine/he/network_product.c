/* SPDX-License-Identifier: Apache-2.0 */
/* One map of a network, evaluated: rotations and planes, rescale, fold, bias. */
#include "engine/he/network.h"

#include "base/mem.h"

#include <float.h>
#include <string.h>

eis_status eis_he_product_data_init(eis_he_product_data *data, const eis_he_network_step *step, uint32_t sources,
                                    uint32_t targets)
{
    eis_status st = EIS_OK;
    const eis_he_product *p = &step->product;

    *data = (eis_he_product_data){.sources = sources, .targets = targets};
    EIS_NEW(data->sum, (size_t)sources * targets);
    EIS_NEW(data->bias, targets);
    for (size_t i = 0; i < (size_t)sources * targets; i++)
        EIS_TRY(eis_he_bsgs_init(&data->sum[i], p->diagonals, p->step, step->limbs, step->scale));
out:
    if (st != EIS_OK) eis_he_product_data_clear(data);
    return st;
}

void eis_he_product_data_clear(eis_he_product_data *data)
{
    if (data->sum != NULL)
        for (size_t i = 0; i < (size_t)data->sources * data->targets; i++) eis_he_bsgs_clear(&data->sum[i]);
    if (data->bias != NULL)
        for (size_t i = 0; i < data->targets; i++) eis_ckks_plain_clear(&data->bias[i]);
    eis_mem_free(data->sum);
    eis_mem_free(data->bias);
    *data = (eis_he_product_data){0};
}

bool eis_he_product_empty(const eis_he_bsgs *sum)
{
    for (size_t i = 0; i < (size_t)sum->baby * sum->giant; i++)
        if (sum->plane[i].params != NULL) return false;
    return true;
}

eis_status eis_he_product_set_nothing(eis_he_bsgs *sum, const eis_he_program *program, double *values)
{
    /* It is encoded as zeros, and a plane of zeros becomes the integer 1. */
    memset(values, 0, eis_ckks_slots(program->params) * sizeof *values);
    values[0] = DBL_MIN;
    return eis_he_bsgs_set(sum, program, 0, values);
}

static size_t plain_bytes(const eis_ckks_plain *p) { return p->poly.limbs * p->poly.degree * sizeof(uint64_t); }

size_t eis_he_product_data_bytes(const eis_he_product_data *data)
{
    size_t bytes = 0;

    for (size_t i = 0; i < (size_t)data->sources * data->targets; i++) bytes += eis_he_bsgs_bytes(&data->sum[i]);
    for (size_t i = 0; i < data->targets; i++) bytes += plain_bytes(&data->bias[i]);
    return bytes;
}

eis_status eis_he_product_input(eis_ckks_ct *ct, const eis_he_program *program, uint32_t stage,
                                const eis_he_source *source, uint32_t index, uint32_t limbs)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_he_input_next(ct, program, stage, source, index, limbs));
    ct->scale = program->plan->contract.stage[stage].input.scale;
out:
    return st;
}

/* A view of a plane without its special limb. */
static eis_ckks_plain data_limbs(const eis_ckks_plain *plane)
{
    const eis_poly *poly = &plane->poly;
    eis_ckks_plain view = {.params = plane->params, .scale = plane->scale};

    view.poly = eis_poly_view(&plane->params->rns, poly->words, poly->limbs - poly->special, 0, EIS_DOMAIN_NTT);
    return view;
}

eis_status eis_he_product_sum(eis_ckks_ct *y, bool add, const eis_he_product_data *data, uint32_t source,
                              uint32_t target, const eis_ckks_ct *x, const eis_he_keys *keys, eis_pool *pool)
{
    eis_status st = EIS_OK;
    const eis_he_bsgs *sum = &data->sum[(size_t)target * data->sources + source];
    eis_ckks_ct part = {0};

    if (eis_he_product_empty(sum)) return EIS_OK; /* never so with the first source */
    if (sum->baby * sum->giant == 1) {
        eis_ckks_plain plane = data_limbs(&sum->plane[0]);
        return add ? eis_ckks_ct_mul_plain_add(y, x, &plane) : eis_ckks_ct_mul_plain(y, x, &plane);
    }
    EIS_TRY(eis_he_bsgs_apply(add ? &part : y, sum, x, &keys->galois, pool));
    if (add) EIS_TRY(eis_ckks_ct_add(y, y, &part));
out:
    eis_ckks_ct_clear(&part);
    return st;
}

eis_status eis_he_product_finish(eis_ckks_ct *y, const eis_he_network_step *step, const eis_ckks_plain *bias,
                                 const eis_he_keys *keys)
{
    eis_status st = EIS_OK;
    const eis_he_product *p = &step->product;

    if (step->fold_first) EIS_TRY(eis_he_fold(y, p->fold, p->fold_stride, &keys->galois));
    EIS_TRY(eis_ckks_ct_rescale_to(y, step->scale_out));
    if (!step->fold_first) EIS_TRY(eis_he_fold(y, p->fold, p->fold_stride, &keys->galois));
    EIS_TRY(eis_ckks_ct_add_plain(y, y, bias));
out:
    return st;
}

size_t eis_he_product_bytes(const eis_he_network_step *step, const eis_ckks_params *params)
{
    size_t limb = params->degree * sizeof(uint64_t), limbs = step->limbs + params->special_count;
    size_t pair = 2 * limbs * limb, count = step->product.diagonals, baby = 1;

    while (baby * baby < count) baby *= 2;
    /* All baby and giant steps lifted, the digits of one ciphertext, and what a few giant steps hold at work. */
    return (baby + count / baby + 24) * pair + limbs * step->limbs * limb;
}
