/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers to slots to seeded ciphertexts. Where a number goes depends on the contract alone, which is public; the
 * numbers are moved, scaled and encrypted without a branch on them. */
#include "engine/he/protect.h"

#include "base/ct.h"
#include "base/mem.h"
#include "ckks/encrypt.h"
#include "ckks/keygen.h"
#include "ckks/seal_secret.h"

#include <string.h>

static eis_status client_start(eis_he_client *client, const eis_he_contract *contract)
{
    eis_status st = EIS_OK;

    *client = (eis_he_client){0};
    EIS_TRY(eis_he_contract_check(contract));
    client->contract = contract;
    EIS_TRY(eis_ckks_params_new(&client->params, &contract->literal));
    EIS_TRY(eis_slots_init(&client->slots, client->params->rns.degree_log2));
out:
    return st;
}

eis_status eis_he_client_init(eis_he_client *client, const eis_he_contract *contract)
{
    eis_status st = EIS_OK;

    EIS_TRY(client_start(client, contract));
    EIS_TRY(eis_ckks_secret_key_generate(&client->secret, client->params));
out:
    if (st != EIS_OK) eis_he_client_clear(client);
    return st;
}

eis_status eis_he_client_init_key(eis_he_client *client, const eis_he_contract *contract, const void *data,
                                  size_t bytes)
{
    eis_status st = EIS_OK;

    EIS_TRY(client_start(client, contract));
    EIS_TRY(eis_ckks_secret_key_read(&client->secret, client->params, data, bytes));
out:
    if (st != EIS_OK) eis_he_client_clear(client);
    return st;
}

void eis_he_client_clear(eis_he_client *client)
{
    eis_ckks_secret_key_clear(&client->secret);
    eis_slots_clear(&client->slots);
    eis_ckks_params_free(client->params);
    *client = (eis_he_client){0};
}

eis_status eis_he_client_keys(eis_he_keys *keys, const eis_he_client *client)
{
    eis_status st = EIS_OK;
    const eis_he_contract *c = client->contract;

    *keys = (eis_he_keys){0};
    if (c->needs_relin) EIS_TRY(eis_ckks_relin_key_generate(&keys->relin, &client->secret));
    if (c->element_count > 0)
        EIS_TRY(eis_ckks_galois_keys_generate(&keys->galois, &client->secret, c->element, c->element_count));
    if (c->needs_public) EIS_TRY(eis_ckks_public_key_generate(&keys->public_key, &client->secret));
out:
    if (st != EIS_OK) eis_he_keys_clear(keys);
    return st;
}

eis_status eis_he_client_key_set(eis_ckks_key_set *set, const eis_he_client *client)
{
    eis_ckks_key_need need[EIS_HE_NEEDS_MAX];
    size_t count = eis_he_contract_needs(need, client->contract, client->params, true);

    return eis_ckks_key_set_generate(set, &client->secret, need, count);
}

/* Moves one input, or one number of each sample, to its slots. Shape: slots[count]. */
static void place_values(double *slots, size_t count, const eis_he_packing *p, uint32_t index, const double *x,
                         size_t batch)
{
    if (p->kind == EIS_HE_FEATURES) {
        for (size_t sample = 0; sample < batch; sample++) slots[sample] = x[sample * p->size + index];
        return;
    }
    for (size_t i = 0; i < count; i++) {
        int64_t from = eis_he_packing_index(p, count, index, i);
        slots[i] = from < 0 ? 0 : x[from];
    }
}

eis_status eis_he_protect(eis_ckks_ct *ct, const eis_he_client *client, uint32_t stage, uint32_t index, const double *x,
                          size_t batch)
{
    eis_status st = EIS_OK;
    const eis_he_contract *c = client->contract;
    const eis_he_packing *p;
    size_t count = client->slots.count;
    eis_ckks_plain plain = {0};
    double *slots = NULL;

    EIS_ASSERT(stage < c->stage_count && index < c->stage[stage].input.ciphertexts);
    EIS_ASSERT(batch >= 1 && batch <= c->batch_max);
    p = &c->stage[stage].input;
    slots = eis_mem_new_secret(count, sizeof *slots);
    if (slots == NULL) {
        st = EIS_ERR_MEMORY;
        goto out;
    }
    place_values(slots, count, p, index, x, batch);
    EIS_TRY(eis_ckks_plain_init(&plain, client->params, p->limbs, 0, p->scale));
    EIS_TRY(eis_slots_encode_reals_coeff(&client->slots, &client->params->rns, &plain.poly, slots, count, p->scale));
    EIS_TRY(eis_ckks_encrypt_symmetric(ct, &client->secret, &plain));
out:
    if (st != EIS_OK) eis_ckks_ct_clear(ct);
    eis_ckks_plain_clear(&plain);
    eis_mem_free_wiped(slots, count, sizeof *slots);
    return st;
}
