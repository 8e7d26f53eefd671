/* SPDX-License-Identifier: Apache-2.0 */
/* Making and clearing evaluation keys, and the search among Galois keys. */
#include "ckks/keys.h"

#include "base/mem.h"

#include <string.h>

eis_status eis_ckks_row_init(eis_ckks_row *row, const eis_ckks_params *params)
{
    return eis_ckks_row_init_cut(row, params, params->limbs_max);
}

eis_status eis_ckks_row_init_cut(eis_ckks_row *row, const eis_ckks_params *params, size_t limbs)
{
    eis_status st = EIS_OK;
    const size_t special = params->special_count;

    EIS_ASSERT(limbs >= 1 && limbs <= params->limbs_max);
    EIS_TRY(eis_poly_init(&params->rns, &row->b, limbs + special, special, EIS_DOMAIN_NTT));
    EIS_TRY(eis_poly_init(&params->rns, &row->a, limbs + special, special, EIS_DOMAIN_NTT));
    row->generator = 0;
out:
    if (st != EIS_OK) eis_ckks_row_clear(row);
    return st;
}

void eis_ckks_row_clear(eis_ckks_row *row)
{
    eis_poly_clear(&row->b);
    eis_poly_clear(&row->a);
    *row = (eis_ckks_row){0};
}

void eis_ckks_public_key_clear(eis_ckks_public_key *key)
{
    eis_ckks_row_clear(&key->row);
    key->params = NULL;
}

static eis_poly row_view(const eis_ckks_params *params, size_t limbs, uint64_t *words)
{
    const size_t special = params->special_count;

    return eis_poly_view(&params->rns, words, limbs + special, special, EIS_DOMAIN_NTT);
}

eis_status eis_ckks_switch_key_init(eis_ckks_switch_key *key, const eis_ckks_params *params)
{
    return eis_ckks_switch_key_init_cut(key, params, params->limbs_max);
}

eis_status eis_ckks_switch_key_init_cut(eis_ckks_switch_key *key, const eis_ckks_params *params, size_t limbs)
{
    eis_status st = EIS_OK;
    size_t digits, half;

    eis_ckks_switch_key_clear(key);
    EIS_ASSERT(limbs >= 1 && limbs <= params->limbs_max);
    EIS_REQUIRE(params->has_special, EIS_ERR_UNSUPPORTED, "a chain of one prime has no key switching");
    digits = eis_ckks_digit_count(params, limbs);
    EIS_NEW(key->row, digits);
    key->params = params;
    key->limbs = limbs;
    key->digits = digits;
    half = (limbs + params->special_count) * params->degree + EIS_CKKS_STREAM_GAP;
    EIS_NEW(key->block, 2 * digits * half);
    for (size_t j = 0; j < digits; j++) {
        key->row[j].b = row_view(params, limbs, key->block + 2 * j * half);
        key->row[j].a = row_view(params, limbs, key->block + (2 * j + 1) * half);
    }
out:
    if (st != EIS_OK) eis_ckks_switch_key_clear(key);
    return st;
}

/* The words of the first `limbs` primes and of the special ones. */
static void cut_poly(eis_poly *r, const eis_poly *a, size_t limbs)
{
    const size_t bytes = a->degree * sizeof *a->words;

    memcpy(r->words, a->words, limbs * bytes);
    memcpy(eis_poly_limb(r, limbs), eis_poly_limb(a, a->limbs - a->special), a->special * bytes);
}

void eis_ckks_row_cut(eis_ckks_row *r, const eis_ckks_row *row, size_t limbs)
{
    EIS_ASSERT(r->b.limbs == limbs + r->b.special && r->b.special == row->b.special && r->b.limbs <= row->b.limbs);
    cut_poly(&r->b, &row->b, limbs);
    cut_poly(&r->a, &row->a, limbs);
    r->generator = r->b.limbs == row->b.limbs ? row->generator : 0;
    if (r->generator != 0) memcpy(r->seed, row->seed, sizeof r->seed);
}

eis_status eis_ckks_switch_key_cut(eis_ckks_switch_key *r, const eis_ckks_switch_key *key, size_t limbs)
{
    eis_status st = EIS_OK;
    eis_ckks_switch_key cut = {0};

    EIS_ASSERT(limbs >= 1 && limbs <= key->limbs);
    if (r == key && limbs == key->limbs) return EIS_OK;
    EIS_TRY(eis_ckks_switch_key_init_cut(&cut, key->params, limbs));
    for (size_t j = 0; j < cut.digits; j++) eis_ckks_row_cut(&cut.row[j], &key->row[j], limbs);
    eis_ckks_switch_key_clear(r);
    *r = cut;
out:
    return st;
}

void eis_ckks_switch_key_clear(eis_ckks_switch_key *key)
{
    for (size_t j = 0; j < key->digits; j++) eis_ckks_row_clear(&key->row[j]);
    eis_mem_free(key->row);
    eis_mem_free(key->block);
    *key = (eis_ckks_switch_key){0};
}

eis_status eis_ckks_galois_keys_init(eis_ckks_galois_keys *keys, const eis_ckks_params *params, const uint32_t *element,
                                     size_t count)
{
    eis_status st = EIS_OK;

    eis_ckks_galois_keys_clear(keys);
    EIS_NEW(keys->key, count);
    keys->params = params;
    keys->count = count;
    for (size_t i = 0; i < count; i++) {
        EIS_ASSERT(element[i] % 2 == 1 && element[i] > 1 && element[i] < 2 * params->degree);
        EIS_ASSERT(i == 0 || element[i] > element[i - 1]);
        keys->key[i].element = element[i];
        EIS_NEW(keys->key[i].order, params->degree);
        eis_ntt_galois_order(keys->key[i].order, params->rns.degree_log2, element[i]);
    }
out:
    if (st != EIS_OK) eis_ckks_galois_keys_clear(keys);
    return st;
}

void eis_ckks_galois_keys_clear(eis_ckks_galois_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        eis_mem_free(keys->key[i].order);
        eis_ckks_switch_key_clear(&keys->key[i].key);
    }
    eis_mem_free(keys->key);
    *keys = (eis_ckks_galois_keys){0};
}

eis_status eis_ckks_galois_key_find(const eis_ckks_galois_key **key, const eis_ckks_galois_keys *keys, uint32_t element)
{
    size_t low = 0, high = keys->count;

    *key = NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (keys->key[middle].element < element)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == keys->count || keys->key[low].element != element || keys->key[low].key.row == NULL)
        return eis_fail(EIS_ERR_KEYS_INSUFFICIENT, "there is no key for the Galois element %u", element);
    *key = &keys->key[low];
    return EIS_OK;
}
