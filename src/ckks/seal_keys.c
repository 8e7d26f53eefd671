/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, written and read.
 *
 *   PublicKey    a ciphertext object of the key level, scale 1
 *   KSwitchKeys  header | parms_id | u64 dim1 | dim1 times { u64 dim2 | dim2 PublicKey objects }
 *
 * The entry of relinearisation keys is that of s^2; the entry of a Galois element is (element - 1) / 2. */
#include "ckks/seal_keys.h"

#include "base/mem.h"
#include "ckks/seal_words.h"

#include <string.h>

#define LIST_BYTES (EIS_SEAL_HEADER_BYTES + EIS_CKKS_PARMS_ID_BYTES + 8) /* of a KSwitchKeys object without entries */

static size_t row_bytes(const eis_ckks_params *params, eis_seal_form form, bool seeded)
{
    return EIS_SEAL_HEADER_BYTES + eis_seal_pair_body_bytes(params->degree, 2, params->prime_count, form, seeded);
}

/* ---- Rows ------------------------------------------------------------------------------------------------------- */

static void write_row_body(eis_writer *w, const eis_ckks_params *params, const eis_ckks_row *row, eis_seal_form form,
                           bool seeded)
{
    const eis_poly *poly[2] = {&row->b, &row->a};

    eis_seal_pair_body_write(w, params, poly, 2, 1, seeded ? row->generator : 0, row->seed, form);
}

/* Checks the fields of a row and reads its words into *row, which is made here if it is not yet. */
static eis_status read_row_body(eis_ckks_row *row, const eis_ckks_params *params, const eis_seal_pair_fields *f)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(memcmp(f->parms_id, params->parms_id[params->prime_count], EIS_CKKS_PARMS_ID_BYTES) == 0,
                EIS_ERR_CIPHERTEXT, "a row of a key that is not of the key level");
    EIS_REQUIRE(f->polys == 2 && f->degree == params->degree && f->limbs == params->prime_count && f->scale == 1,
                EIS_ERR_CIPHERTEXT, "a row of a key whose counts or scale are not those of its parameters");
    if (row->b.words == NULL) EIS_TRY(eis_ckks_row_init(row, params));
    EIS_TRY(eis_seal_pair_words_read(&row->b, &row->a, &params->rns, f));
    row->generator = f->seeded ? f->generator : 0;
    memcpy(row->seed, f->seed, sizeof row->seed);
out:
    return st;
}

/* ---- Public keys ------------------------------------------------------------------------------------------------ */

size_t eis_ckks_public_key_bytes(const eis_ckks_params *params, eis_seal_form form, bool seeded)
{
    return row_bytes(params, form, seeded);
}

void eis_ckks_public_key_write(eis_writer *w, const eis_ckks_public_key *key, eis_seal_style style, bool seeded)
{
    size_t begin = eis_seal_begin(w, style.form);

    write_row_body(w, key->params, &key->row, style.form, seeded);
    eis_seal_end_as(w, begin, style.mode);
}

eis_status eis_ckks_public_key_read(eis_ckks_public_key *key, const eis_ckks_params *params, const void *data,
                                    size_t bytes)
{
    eis_status st = EIS_OK;
    eis_seal_object object = {0};
    eis_seal_pair_fields f;

    eis_ckks_public_key_clear(key);
    EIS_TRY(eis_seal_object_open(&object, "public key", data, bytes, row_bytes(params, EIS_SEAL_FORM_4_1, false)));
    EIS_TRY(eis_seal_pair_body_open(&f, &object.body, &object));
    EIS_TRY(eis_seal_object_end(&object));
    EIS_REQUIRE(eis_ckks_parms_id_limbs(params, f.parms_id) != 0, EIS_ERR_CONTEXT_MISMATCH,
                "a public key of other parameters");
    EIS_TRY(read_row_body(&key->row, params, &f));
    key->params = params;
out:
    if (st != EIS_OK) eis_ckks_public_key_clear(key);
    eis_seal_object_close(&object);
    return st;
}

/* ---- Entries of key-switching keys ------------------------------------------------------------------------------ */

/* SEAL knows one special prime and whole keys. */
static bool is_seal_key(const eis_ckks_switch_key *key)
{
    return key->params->special_count == 1 && key->limbs == key->params->limbs_max;
}

static void refuse(eis_writer *w)
{
    if (w->st == EIS_OK)
        w->st = eis_fail(EIS_ERR_UNSUPPORTED, "a cut key, or one of several special primes, has no SEAL form");
}

static void write_entry(eis_writer *w, const eis_ckks_switch_key *key, eis_seal_form form, bool seeded)
{
    eis_wire_writer_u64(w, key->digits);
    for (size_t j = 0; j < key->digits; j++) {
        size_t begin = eis_seal_begin(w, form);

        write_row_body(w, key->params, &key->row[j], form, seeded);
        eis_seal_end(w, begin);
    }
}

static size_t entry_bytes(const eis_ckks_params *params, eis_seal_form form, bool seeded)
{
    return 8 + params->limbs_max * row_bytes(params, form, seeded);
}

/* Opens a KSwitchKeys object up to its entries. */
static eis_status open_list(eis_seal_object *object, uint64_t *count, const char *what, const eis_ckks_params *params,
                            const void *data, size_t bytes, size_t object_bytes_max)
{
    eis_status st = EIS_OK;
    const uint8_t *id;
    size_t level;

    EIS_REQUIRE(params->has_special, EIS_ERR_UNSUPPORTED, "a chain of one prime has no key switching");
    EIS_REQUIRE(params->special_count == 1, EIS_ERR_UNSUPPORTED, "keys of several special primes have no SEAL form");
    EIS_TRY(eis_seal_object_open(object, what, data, bytes, object_bytes_max));
    id = eis_wire_reader_bytes(&object->body, EIS_CKKS_PARMS_ID_BYTES);
    *count = eis_wire_reader_u64(&object->body);
    EIS_TRY(eis_seal_status(eis_wire_reader_status(&object->body)));
    level = eis_ckks_parms_id_limbs(params, id);
    EIS_REQUIRE(level != 0, EIS_ERR_CONTEXT_MISMATCH, "%s of other parameters", what);
    EIS_REQUIRE(level == params->prime_count, EIS_ERR_CIPHERTEXT, "%s that are not of the key level", what);
out:
    return st;
}

/* Reads the rows of an entry behind its dim2. `spare` (a row) is overwritten for keys that are not wanted. */
static eis_status read_entry_rows(eis_ckks_switch_key *key, eis_ckks_row *spare, const eis_ckks_params *params,
                                  eis_seal_object *object)
{
    eis_status st = EIS_OK;
    eis_reader inner;
    eis_seal_pair_fields f;

    if (key != NULL) EIS_TRY(eis_ckks_switch_key_init(key, params));
    for (size_t j = 0; j < params->limbs_max; j++) {
        eis_ckks_row *row = key != NULL ? &key->row[j] : spare;

        EIS_ASSERT(row != NULL);
        eis_seal_nested(&inner, &object->body, object);
        EIS_TRY(eis_seal_pair_body_open(&f, &inner, object));
        eis_seal_nested_end(&object->body, &inner);
        EIS_TRY(eis_wire_reader_status(&object->body));
        EIS_TRY(read_row_body(row, params, &f));
    }
out:
    return st;
}

/* Reads the number of rows of an entry: 0, or the digits. */
static eis_status read_dimension(bool *present, const eis_ckks_params *params, eis_seal_object *object)
{
    eis_status st = EIS_OK;
    uint64_t rows = eis_wire_reader_u64(&object->body);

    EIS_TRY(eis_seal_status(eis_wire_reader_status(&object->body)));
    EIS_REQUIRE(rows == 0 || rows == params->limbs_max, EIS_ERR_CIPHERTEXT,
                "a key whose rows are not one for each data prime");
    *present = rows != 0;
out:
    return st;
}

/* ---- Relinearisation keys --------------------------------------------------------------------------------------- */

size_t eis_ckks_relin_key_bytes(const eis_ckks_params *params, eis_seal_form form, bool seeded)
{
    return LIST_BYTES + entry_bytes(params, form, seeded);
}

void eis_ckks_relin_key_write(eis_writer *w, const eis_ckks_switch_key *key, eis_seal_style style, bool seeded)
{
    size_t begin = eis_seal_begin(w, style.form);

    if (!is_seal_key(key)) return refuse(w);
    eis_wire_writer_bytes(w, key->params->parms_id[key->params->prime_count], EIS_CKKS_PARMS_ID_BYTES);
    eis_wire_writer_u64(w, 1);
    write_entry(w, key, style.form, seeded);
    eis_seal_end_as(w, begin, style.mode);
}

eis_status eis_ckks_relin_key_read(eis_ckks_switch_key *key, const eis_ckks_params *params, const void *data,
                                   size_t bytes)
{
    eis_status st = EIS_OK;
    eis_seal_object object = {0};
    uint64_t count = 0;
    bool present = false;

    eis_ckks_switch_key_clear(key);
    EIS_TRY(open_list(&object, &count, "relinearisation keys", params, data, bytes,
                      eis_ckks_relin_key_bytes(params, EIS_SEAL_FORM_4_1, false)));
    EIS_REQUIRE(count == 1, EIS_ERR_CIPHERTEXT, "a relinearisation object with other than one entry");
    EIS_TRY(read_dimension(&present, params, &object));
    if (present) EIS_TRY(read_entry_rows(key, NULL, params, &object));
    EIS_TRY(eis_seal_object_end(&object));
    EIS_REQUIRE(present, EIS_ERR_KEYS_INSUFFICIENT, "a relinearisation object without a key");
out:
    if (st != EIS_OK) eis_ckks_switch_key_clear(key);
    eis_seal_object_close(&object);
    return st;
}

/* ---- Galois keys ------------------------------------------------------------------------------------------------ */

size_t eis_ckks_galois_keys_bytes(const eis_ckks_params *params, uint32_t element_max, size_t count, eis_seal_form form,
                                  bool seeded)
{
    size_t entries = count == 0 ? 0 : (size_t)(element_max - 1) / 2 + 1;

    return LIST_BYTES + 8 * (entries - count) + count * entry_bytes(params, form, seeded);
}

void eis_ckks_galois_keys_write(eis_writer *w, const eis_ckks_galois_keys *keys, eis_seal_style style, bool seeded)
{
    size_t begin = eis_seal_begin(w, style.form), index = 0;
    size_t entries = keys->count == 0 ? 0 : (size_t)(keys->key[keys->count - 1].element - 1) / 2 + 1;

    eis_wire_writer_bytes(w, keys->params->parms_id[keys->params->prime_count], EIS_CKKS_PARMS_ID_BYTES);
    eis_wire_writer_u64(w, entries);
    for (size_t i = 0; i < keys->count; i++, index++) {
        size_t next = (size_t)(keys->key[i].element - 1) / 2;

        if (!is_seal_key(&keys->key[i].key)) return refuse(w);
        eis_wire_writer_zeros(w, 8 * (next - index));
        index = next;
        write_entry(w, &keys->key[i].key, style.form, seeded);
    }
    eis_seal_end_as(w, begin, style.mode);
}

/* Steps over an entry by the sizes that it claims, to learn which are present; the second pass checks everything. */
static void skip_entry(eis_seal_object *object, const eis_ckks_params *params)
{
    eis_reader inner;

    for (size_t j = 0; j < params->limbs_max; j++) eis_seal_nested(&inner, &object->body, object);
}

/* Lists the elements that the object has. Shape: element[N], of which *count are filled. */
static eis_status list_elements(uint32_t *element, size_t *count, eis_seal_object *object, uint64_t entries,
                                const eis_ckks_params *params)
{
    eis_status st = EIS_OK;
    size_t at = object->body.at, found = 0;
    bool present = false;

    EIS_REQUIRE(entries <= params->degree, EIS_ERR_CIPHERTEXT, "Galois keys with more entries than N");
    for (uint64_t i = 0; i < entries; i++) {
        EIS_TRY(read_dimension(&present, params, object));
        if (!present) continue;
        EIS_REQUIRE(i > 0, EIS_ERR_CIPHERTEXT, "a key for the Galois element 1");
        skip_entry(object, params);
        EIS_TRY(eis_seal_status(eis_wire_reader_status(&object->body)));
        element[found++] = (uint32_t)(2 * i + 1);
    }
    EIS_TRY(eis_seal_object_end(object));
    object->body.at = at;
    *count = found;
out:
    return st;
}

/* Whether every wanted element is there. Both lists rise. */
static eis_status check_wanted(const uint32_t *wanted, size_t wanted_count, const uint32_t *there, size_t there_count)
{
    size_t j = 0;

    for (size_t i = 0; i < wanted_count; i++) {
        while (j < there_count && there[j] < wanted[i]) j++;
        if (j == there_count || there[j] != wanted[i])
            return eis_fail(EIS_ERR_KEYS_INSUFFICIENT, "there is no key for the Galois element %u", wanted[i]);
    }
    return EIS_OK;
}

/* Reads entry after entry; those of keys->key are kept. */
static eis_status read_entries(eis_ckks_galois_keys *keys, const uint32_t *there, size_t there_count,
                               eis_seal_object *object)
{
    eis_status st = EIS_OK;
    eis_ckks_row spare = {0};
    size_t next = 0, index = 0;
    bool present = false;

    for (size_t i = 0; i < there_count; i++, index++) {
        bool wanted = next < keys->count && keys->key[next].element == there[i];

        eis_wire_reader_skip(&object->body, 8 * ((there[i] - 1) / 2 - index)); /* empty entries, seen before */
        index = (there[i] - 1) / 2;
        EIS_TRY(read_dimension(&present, keys->params, object));
        EIS_TRY(read_entry_rows(wanted ? &keys->key[next].key : NULL, &spare, keys->params, object));
        next += wanted;
    }
out:
    eis_ckks_row_clear(&spare);
    return st;
}

eis_status eis_ckks_galois_keys_read(eis_ckks_galois_keys *keys, const eis_ckks_params *params, const uint32_t *element,
                                     size_t count, const void *data, size_t bytes, size_t object_bytes_max)
{
    eis_status st = EIS_OK;
    eis_seal_object object = {0};
    uint64_t entries = 0;
    uint32_t *there = NULL;
    size_t there_count = 0;

    eis_ckks_galois_keys_clear(keys);
    EIS_NEW(there, params->degree);
    EIS_TRY(open_list(&object, &entries, "Galois keys", params, data, bytes, object_bytes_max));
    EIS_TRY(list_elements(there, &there_count, &object, entries, params));
    if (element != NULL) EIS_TRY(check_wanted(element, count, there, there_count));
    EIS_TRY(eis_ckks_galois_keys_init(keys, params, element != NULL ? element : there,
                                      element != NULL ? count : there_count));
    EIS_TRY(read_entries(keys, there, there_count, &object));
out:
    if (st != EIS_OK) eis_ckks_galois_keys_clear(keys);
    eis_seal_object_close(&object);
    eis_mem_free(there);
    return st;
}
