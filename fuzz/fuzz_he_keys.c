/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a key set: refused, or read to keys that are canonical, of the levels asked for, and written back to
 * bytes that read alike. The first byte chooses the chain, what is needed, and whether the object gets the right
 * parms_id, which no fuzzer finds. Words of value 1 follow up to the length that the header claims. */
#include "base/bytes.h"
#include "base/mem.h"
#include "ckks/he_keys.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BYTES_MAX ((size_t)1 << 19)
#define ID_AT     8u
#define LENGTH_AT 48u

static const eis_ckks_params *chain(unsigned which)
{
    static const eis_ckks_params *made[2];
    static const eis_ckks_literal literals[2] = {
        {.degree = 4096, .prime_count = 3, .bits = {30, 31, 32}},
        {.degree = 4096, .prime_count = 4, .special_count = 2, .bits = {24, 25, 26, 27}},
    };

    if (made[which] == NULL) EIS_ASSERT(eis_ckks_params_new(&made[which], &literals[which]) == EIS_OK);
    return made[which];
}

static uint8_t *fill(const uint8_t *data, size_t size, const eis_ckks_params *params, size_t *bytes)
{
    const uint64_t claimed = size >= LENGTH_AT + 8 ? eis_load_le64(data + LENGTH_AT) : 0;
    uint8_t *object;

    *bytes = claimed > size && claimed <= BYTES_MAX ? (size_t)claimed : size;
    object = eis_mem_new(*bytes, 1);
    EIS_ASSERT(object != NULL);
    if (size) memcpy(object, data, size);
    for (size_t i = size; i < *bytes; i++) object[i] = i % 8 == 0;
    if (params != NULL && size >= ID_AT + EIS_CKKS_PARMS_ID_BYTES)
        memcpy(object + ID_AT, params->parms_id[params->prime_count], EIS_CKKS_PARMS_ID_BYTES);
    return object;
}

static void check_key(const eis_ckks_switch_key *key, const eis_ckks_params *params, size_t limbs)
{
    EIS_ASSERT(key->limbs == limbs && key->digits == eis_ckks_digit_count(params, limbs));
    for (size_t j = 0; j < key->digits; j++) {
        EIS_ASSERT(key->row[j].a.limbs == limbs + params->special_count);
        EIS_ASSERT(eis_poly_canonical(&params->rns, &key->row[j].a) &&
                   eis_poly_canonical(&params->rns, &key->row[j].b));
    }
}

static void check_again(const eis_ckks_key_set *set, const eis_ckks_key_need *need, size_t count)
{
    eis_writer w;
    eis_ckks_key_set back = {0};

    eis_wire_writer_init(&w, (size_t)1 << 24);
    eis_ckks_key_set_write(&w, set, true);
    EIS_ASSERT(eis_wire_writer_status(&w) == EIS_OK);
    EIS_ASSERT(eis_ckks_key_set_read(&back, set->params, need, count, w.data, w.bytes) == EIS_OK);
    EIS_ASSERT(back.galois.count == set->galois.count);
    eis_ckks_key_set_clear(&back);
    eis_wire_writer_clear(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const eis_ckks_key_need needs[4][3] = {
        {{0}},
        {{EIS_CKKS_KEY_RELIN, 1}},
        {{EIS_CKKS_KEY_RELIN, 2}, {EIS_CKKS_KEY_PUBLIC, 2}, {3, 1}},
        {{3, 1}, {5, 2}, {8191, 1}},
    };
    static const size_t counts[4] = {0, 1, 3, 3};
    const eis_ckks_params *params;
    eis_ckks_key_set set = {0};
    const unsigned which = size ? data[0] & 3 : 0;
    uint8_t *object;
    size_t bytes;

    if (size == 0) return 0;
    params = chain(data[0] >> 2 & 1);
    object = fill(data + 1, size - 1, data[0] >> 3 & 1 ? NULL : params, &bytes);
    if (eis_ckks_key_set_read(&set, params, needs[which], counts[which], object, bytes) == EIS_OK) {
        for (size_t i = 0, turns = 0; i < counts[which]; i++) {
            if (needs[which][i].id == EIS_CKKS_KEY_RELIN) check_key(&set.relin, params, needs[which][i].limbs);
            if (needs[which][i].id > EIS_CKKS_KEY_PUBLIC)
                check_key(&set.galois.key[turns++].key, params, needs[which][i].limbs);
        }
        check_again(&set, needs[which], counts[which]);
    } else {
        EIS_ASSERT(set.params == NULL && set.galois.key == NULL);
    }
    eis_ckks_key_set_clear(&set);
    eis_mem_free(object);
    return 0;
}
