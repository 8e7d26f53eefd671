/* SPDX-License-Identifier: Apache-2.0 */
/* Keys are the largest objects that a client sends and stay with the server: one that is wrong makes every later answer
 * wrong, and one that is hostile would be read once and used for ever. */
#include "world.h"

#include "base/bytes.h"
#include "ckks/seal_keys.h"

static const int32_t steps[] = {1, 2, 4};

static void sizes_are_those_of_seal(void **state)
{
    const eis_ckks_params *p0, *l1;

    (void)state;
    assert_int_equal(eis_ckks_params_new(&p0, &CHAIN_P0), EIS_OK);
    assert_int_equal(eis_ckks_params_new(&l1, &CHAIN_L1), EIS_OK);
    assert_int_equal(eis_ckks_public_key_bytes(p0, EIS_SEAL_FORM_4_1, false), 524401);
    assert_int_equal(eis_ckks_public_key_bytes(l1, EIS_SEAL_FORM_4_1, false), 1048689);
    assert_int_equal(eis_ckks_public_key_bytes(l1, EIS_SEAL_FORM_4_1, true), 524482);
    assert_int_equal(eis_ckks_relin_key_bytes(p0, EIS_SEAL_FORM_4_1, false), 1573267);
    assert_int_equal(eis_ckks_relin_key_bytes(p0, EIS_SEAL_FORM_4_1, true), 787078);
    assert_int_equal(eis_ckks_relin_key_bytes(l1, EIS_SEAL_FORM_4_1, false), 3146131);
    assert_int_equal(eis_ckks_relin_key_bytes(l1, EIS_SEAL_FORM_4_1, true), 1573510);
    assert_int_equal(eis_ckks_galois_keys_bytes(p0, 3, 1, EIS_SEAL_FORM_4_1, false), 1573275);
    assert_int_equal(eis_ckks_galois_keys_bytes(p0, 16383, 1, EIS_SEAL_FORM_4_1, false), 1638795);
    assert_int_equal(eis_ckks_galois_keys_bytes(p0, 16383, 1, EIS_SEAL_FORM_4_1, true), 852606);
    eis_ckks_params_free(p0);
    eis_ckks_params_free(l1);
}

static void assert_same_key(const eis_ckks_switch_key *a, const eis_ckks_switch_key *b)
{
    assert_int_equal(a->digits, b->digits);
    for (size_t j = 0; j < a->digits; j++) {
        size_t bytes = a->row[j].b.limbs * a->row[j].b.degree * 8;

        assert_memory_equal(a->row[j].b.words, b->row[j].b.words, bytes);
        assert_memory_equal(a->row[j].a.words, b->row[j].a.words, bytes);
    }
}

static void keys_travel_in_every_form(void **state)
{
    world w;

    (void)state;
    world_open(&w, CHAIN_S, steps, 3);
    for (unsigned form = 0; form < 2; form++)
        for (unsigned mode = 0; mode < 3; mode++)
            for (unsigned seeded = 0; seeded < 2; seeded++) {
                const eis_seal_style style = {(eis_seal_form)form, (eis_seal_mode)mode};
                eis_ckks_public_key public_key = {0};
                eis_ckks_switch_key relin = {0};
                eis_ckks_galois_keys galois = {0};
                eis_writer out;

                if (mode == EIS_SEAL_ZLIB && (form || seeded)) continue; /* slow, and the container's own test has it */
                eis_wire_writer_init(&out, (size_t)1 << 26);
                eis_ckks_public_key_write(&out, &w.public_key, style, seeded);
                if (mode == 0)
                    assert_int_equal(out.bytes, eis_ckks_public_key_bytes(w.params, (eis_seal_form)form, seeded));
                assert_int_equal(eis_ckks_public_key_read(&public_key, w.params, out.data, out.bytes), EIS_OK);
                assert_memory_equal(public_key.row.a.words, w.public_key.row.a.words, 3 * 4096 * 8);
                assert_memory_equal(public_key.row.b.words, w.public_key.row.b.words, 3 * 4096 * 8);
                eis_wire_writer_rewind(&out);
                eis_ckks_relin_key_write(&out, &w.relin, style, seeded);
                if (mode == 0)
                    assert_int_equal(out.bytes, eis_ckks_relin_key_bytes(w.params, (eis_seal_form)form, seeded));
                assert_int_equal(eis_ckks_relin_key_read(&relin, w.params, out.data, out.bytes), EIS_OK);
                assert_same_key(&relin, &w.relin);
                eis_wire_writer_rewind(&out);
                eis_ckks_galois_keys_write(&out, &w.galois, style, seeded);
                size_t whole = eis_ckks_galois_keys_bytes(w.params, 8191, 4, EIS_SEAL_FORM_4_1, false);
                if (mode == 0)
                    assert_int_equal(out.bytes,
                                     eis_ckks_galois_keys_bytes(w.params, 8191, 4, (eis_seal_form)form, seeded));
                assert_int_equal(eis_ckks_galois_keys_read(&galois, w.params, NULL, 0, out.data, out.bytes, whole),
                                 EIS_OK);
                assert_int_equal(galois.count, 4);
                for (size_t i = 0; i < 4; i++) {
                    assert_int_equal(galois.key[i].element, w.galois.key[i].element);
                    assert_same_key(&galois.key[i].key, &w.galois.key[i].key);
                }
                const uint32_t two[] = {9, 8191}, missing[] = {9, 27};
                assert_int_equal(eis_ckks_galois_keys_read(&galois, w.params, two, 2, out.data, out.bytes, whole),
                                 EIS_OK);
                assert_int_equal(galois.count, 2);
                assert_same_key(&galois.key[0].key, &w.galois.key[1].key);
                assert_same_key(&galois.key[1].key, &w.galois.key[3].key);
                assert_int_equal(eis_ckks_galois_keys_read(&galois, w.params, missing, 2, out.data, out.bytes, whole),
                                 EIS_ERR_KEYS_INSUFFICIENT);
                assert_null(galois.key);
                if (mode) /* a budget below the decompressed size */
                    assert_int_equal(
                        eis_ckks_galois_keys_read(&galois, w.params, two, 2, out.data, out.bytes, out.bytes / 2),
                        EIS_ERR_CIPHERTEXT);
                eis_ckks_public_key_clear(&public_key);
                eis_ckks_switch_key_clear(&relin);
                eis_ckks_galois_keys_clear(&galois);
                eis_wire_writer_clear(&out);
            }
    world_close(&w);
}

/* SEAL writes a list as long as N, with empty entries to its end. */
static void lists_as_long_as_n_are_taken(void **state)
{
    world w;
    eis_writer out;
    eis_ckks_galois_keys galois = {0};

    (void)state;
    world_open(&w, CHAIN_S, steps, 3);
    eis_ckks_galois_keys_clear(&w.galois);
    assert_int_equal(eis_ckks_galois_keys_generate(&w.galois, &w.secret, (const uint32_t[]){9, 3}, 2), EIS_OK);
    eis_wire_writer_init(&out, (size_t)1 << 26);
    eis_ckks_galois_keys_write(&out, &w.galois, (eis_seal_style){0}, true);
    assert_int_equal(eis_load_le64(out.data + 48), 5);
    eis_wire_writer_zeros(&out, 8 * (4096 - 5));
    eis_store_le64(out.data + 48, 4096);
    eis_store_le64(out.data + 8, out.bytes);
    assert_int_equal(eis_ckks_galois_keys_read(&galois, w.params, NULL, 0, out.data, out.bytes, out.bytes), EIS_OK);
    assert_int_equal(galois.count, 2);
    eis_wire_writer_zeros(&out, 8);
    eis_store_le64(out.data + 48, 4097);
    eis_store_le64(out.data + 8, out.bytes);
    assert_int_equal(eis_ckks_galois_keys_read(&galois, w.params, NULL, 0, out.data, out.bytes, out.bytes),
                     EIS_ERR_CIPHERTEXT);
    eis_ckks_galois_keys_clear(&galois);
    eis_wire_writer_clear(&out);
    world_close(&w);
}

typedef struct change {
    size_t at, bytes;
    uint64_t value;
    eis_status st;
} change;

static void store(uint8_t *data, size_t at, size_t bytes, uint64_t value)
{
    for (size_t i = 0; i < bytes; i++) data[at + i] = (uint8_t)(value >> (8 * i));
}

/* Applies each change to a relinearisation object, and to a Galois object with the key of element 3 alone. */
static void hostile_keys_are_refused(void **state)
{
    world w;
    eis_writer out;
    eis_ckks_switch_key relin = {0};
    eis_ckks_galois_keys galois = {0};
    const uint32_t three[] = {3};

    (void)state;
    world_open(&w, CHAIN_S, steps, 3);
    eis_ckks_galois_keys_clear(&w.galois);
    assert_int_equal(eis_ckks_galois_keys_generate(&w.galois, &w.secret, three, 1), EIS_OK);
    for (unsigned kind = 0; kind < 2; kind++)
        for (unsigned seeded = 0; seeded < 2; seeded++) {
            const size_t dim2 = kind ? 64 : 56, row = dim2 + 8; /* Galois: an empty entry for element 1 before it */
            const size_t row_bytes = eis_ckks_public_key_bytes(w.params, EIS_SEAL_FORM_4_1, seeded);
            const change changes[] = {
                {16, 1, 0x100, EIS_ERR_CONTEXT_MISMATCH}, /* its low byte is made different below */
                {48, 8, 0, EIS_ERR_CIPHERTEXT},
                {48, 8, 3, EIS_ERR_CIPHERTEXT},
                {48, 8, UINT64_MAX, EIS_ERR_CIPHERTEXT},
                {48, 8, 4097, EIS_ERR_CIPHERTEXT},
                {dim2, 8, 0, EIS_ERR_CIPHERTEXT}, /* its rows are trailing bytes then */
                {dim2, 8, 1, EIS_ERR_CIPHERTEXT},
                {dim2, 8, 3, EIS_ERR_CIPHERTEXT},
                {dim2, 8, (uint64_t)1 << 61, EIS_ERR_CIPHERTEXT},
                {row, 1, 0, EIS_ERR_CIPHERTEXT},
                {row + 4, 1, 4, EIS_ERR_CIPHERTEXT},
                {row + 5, 1, 2, EIS_ERR_CIPHERTEXT},
                {row + 8, 8, row_bytes - 1, EIS_ERR_CIPHERTEXT},
                {row + 8, 8, row_bytes + 1, EIS_ERR_CIPHERTEXT},
                {row + 8, 8, UINT64_MAX, EIS_ERR_CIPHERTEXT},
                {row + 16, 8, 0, EIS_ERR_CIPHERTEXT}, /* parms_id of the row */
                {row + 48, 1, 0, EIS_ERR_CIPHERTEXT}, /* not NTT */
                {row + 49, 8, 3, EIS_ERR_CIPHERTEXT},
                {row + 57, 8, 8192, EIS_ERR_CIPHERTEXT},
                {row + 65, 8, 2, EIS_ERR_CIPHERTEXT},
                {row + 73, 8, 0x4000000000000000u, EIS_ERR_CIPHERTEXT}, /* scale 2 */
                {row + 81, 8, 2, EIS_ERR_CIPHERTEXT},
                {row + 113, 8, UINT64_MAX, EIS_ERR_CIPHERTEXT},
                {row + row_bytes + 113 + 8 * 3 * 4096 - 8, 8, UINT64_MAX, EIS_ERR_CIPHERTEXT},
            };

            eis_wire_writer_init(&out, (size_t)1 << 24);
            if (kind)
                eis_ckks_galois_keys_write(&out, &w.galois, (eis_seal_style){0}, seeded);
            else
                eis_ckks_relin_key_write(&out, &w.relin, (eis_seal_style){0}, seeded);
            uint8_t *data = eis_mem_new(out.bytes, 1);
            for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
                memcpy(data, out.data, out.bytes);
                store(data, changes[i].at, changes[i].bytes, i == 0 ? out.data[16] ^ 1u : changes[i].value);
                assert_int_equal(
                    kind ? eis_ckks_galois_keys_read(&galois, w.params, three, 1, data, out.bytes, out.bytes)
                         : eis_ckks_relin_key_read(&relin, w.params, data, out.bytes),
                    changes[i].st);
                assert_null(kind ? (void *)galois.key : (void *)relin.row);
            }
            /* a level of ours that is not the key's; c1 of a row zero in one limb */
            memcpy(data, out.data, out.bytes);
            memcpy(data + 16, w.params->parms_id[2], 32);
            assert_int_equal(kind ? eis_ckks_galois_keys_read(&galois, w.params, three, 1, data, out.bytes, out.bytes)
                                  : eis_ckks_relin_key_read(&relin, w.params, data, out.bytes),
                             EIS_ERR_CIPHERTEXT);
            memcpy(data, out.data, out.bytes);
            memcpy(data + row + 16, w.params->parms_id[2], 32);
            assert_int_equal(kind ? eis_ckks_galois_keys_read(&galois, w.params, three, 1, data, out.bytes, out.bytes)
                                  : eis_ckks_relin_key_read(&relin, w.params, data, out.bytes),
                             EIS_ERR_CIPHERTEXT);
            memcpy(data, out.data, out.bytes);
            if (!seeded) {
                memset(data + row + 113 + 8 * 4096 * 5, 0, 8 * 4096);
                assert_int_equal(
                    kind ? eis_ckks_galois_keys_read(&galois, w.params, three, 1, data, out.bytes, out.bytes)
                         : eis_ckks_relin_key_read(&relin, w.params, data, out.bytes),
                    EIS_ERR_CIPHERTEXT);
            }
            for (size_t cut = 0; cut < out.bytes; cut += cut < 400 ? 1 : 4999)
                for (unsigned known = 0; known < 2; known++) {
                    memcpy(data, out.data, out.bytes);
                    if (known && cut >= 16) eis_store_le64(data + 8, cut);
                    assert_int_equal(kind ? eis_ckks_galois_keys_read(&galois, w.params, three, 1, data, cut, out.bytes)
                                          : eis_ckks_relin_key_read(&relin, w.params, data, cut),
                                     EIS_ERR_CIPHERTEXT);
                }
            eis_mem_free(data);
            eis_wire_writer_clear(&out);
        }
    /* A key for element 1: the Galois object of element 3 with its empty entry taken away. */
    eis_wire_writer_init(&out, (size_t)1 << 24);
    eis_ckks_galois_keys_write(&out, &w.galois, (eis_seal_style){0}, true);
    memmove(out.data + 56, out.data + 64, out.bytes - 64);
    eis_store_le64(out.data + 48, 1);
    eis_store_le64(out.data + 8, out.bytes - 8);
    assert_int_equal(eis_ckks_galois_keys_read(&galois, w.params, NULL, 0, out.data, out.bytes - 8, out.bytes),
                     EIS_ERR_CIPHERTEXT);
    /* As a relinearisation object the same bytes are well-formed. */
    assert_int_equal(eis_ckks_relin_key_read(&relin, w.params, out.data, out.bytes - 8), EIS_OK);
    eis_ckks_switch_key_clear(&relin);
    eis_wire_writer_clear(&out);
    /* An object without a key. */
    eis_wire_writer_init(&out, 1 << 10);
    size_t begin = eis_seal_begin(&out, EIS_SEAL_FORM_4_1);
    eis_wire_writer_bytes(&out, w.params->parms_id[3], 32);
    eis_wire_writer_u64(&out, 1);
    eis_wire_writer_u64(&out, 0);
    eis_seal_end(&out, begin);
    assert_int_equal(eis_ckks_relin_key_read(&relin, w.params, out.data, out.bytes), EIS_ERR_KEYS_INSUFFICIENT);
    assert_int_equal(eis_ckks_galois_keys_read(&galois, w.params, three, 1, out.data, out.bytes, out.bytes),
                     EIS_ERR_KEYS_INSUFFICIENT);
    assert_int_equal(eis_ckks_galois_keys_read(&galois, w.params, NULL, 0, out.data, out.bytes, out.bytes), EIS_OK);
    assert_int_equal(galois.count, 0);
    eis_ckks_galois_keys_clear(&galois);
    eis_wire_writer_clear(&out);
    world_close(&w);
}

static void elements_are_checked_before_keys_are_made(void **state)
{
    world w;

    (void)state;
    world_open(&w, CHAIN_S, NULL, 0);
    static const uint32_t bad[][2] = {{3, 3}, {1, 3}, {3, 4}, {3, 8193}, {0, 3}};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(eis_ckks_galois_keys_generate(&w.galois, &w.secret, bad[i], 2), EIS_ERR_RANGE);
        assert_null(w.galois.key);
    }
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_those_of_seal),
        cmocka_unit_test(keys_travel_in_every_form),
        cmocka_unit_test(lists_as_long_as_n_are_taken),
        cmocka_unit_test(hostile_keys_are_refused),
        cmocka_unit_test(elements_are_checked_before_keys_are_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
