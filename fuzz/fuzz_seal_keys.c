/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a public, relinearisation or Galois key: refused, or read to rows that are canonical. The first byte
 * chooses the reader and where the filler begins. */
#include "ckks/seal_keys.h"
#include "seal_filler.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unsigned bits[] = {30, 31};

static void check_row(const eis_ckks_params *params, const eis_ckks_row *row)
{
    EIS_ASSERT(eis_poly_canonical(&params->rns, &row->b) && eis_poly_canonical(&params->rns, &row->a));
    for (size_t i = 0; i < params->prime_count; i++) EIS_ASSERT(!eis_poly_limb_is_zero(&row->a, i));
}

static void check_key(const eis_ckks_params *params, const eis_ckks_switch_key *key)
{
    EIS_ASSERT(key->digits == params->limbs_max);
    for (size_t j = 0; j < key->digits; j++) check_row(params, &key->row[j]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t wanted[] = {3, 8191};
    const eis_ckks_params *params = small_params(2, bits);
    eis_ckks_public_key public_key = {0};
    eis_ckks_switch_key relin = {0};
    eis_ckks_galois_keys galois = {0};
    uint8_t *object;
    size_t bytes, wanted_count;

    if (size == 0) return 0;
    object = fill_object(data + 1, size - 1, data[0] & 7, &bytes);
    wanted_count = (data[0] >> 5 & 1) + 1;
    switch (data[0] >> 3 & 3) {
    case 0:
        if (eis_ckks_public_key_read(&public_key, params, object, bytes) == EIS_OK) check_row(params, &public_key.row);
        break;
    case 1:
        if (eis_ckks_relin_key_read(&relin, params, object, bytes) == EIS_OK) check_key(params, &relin);
        break;
    default:
        if (eis_ckks_galois_keys_read(&galois, params, data[0] >> 3 & 1 ? wanted : NULL, wanted_count, object, bytes,
                                      FILLED_BYTES_MAX) != EIS_OK)
            break;
        EIS_ASSERT(!(data[0] >> 3 & 1) || galois.count == wanted_count);
        for (size_t i = 0; i < galois.count; i++) check_key(params, &galois.key[i].key);
    }
    eis_ckks_public_key_clear(&public_key);
    eis_ckks_switch_key_clear(&relin);
    eis_ckks_galois_keys_clear(&galois);
    eis_mem_free(object);
    return 0;
}
