/* SPDX-License-Identifier: Apache-2.0 */
/* If the time of an encryption or a decryption depended on the key or the message, whoever can measure it would learn
 * them without breaking anything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ct.h"
#include "base/mem.h"
#include "ckks/decrypt.h"
#include "ckks/encrypt.h"
#include "ckks/keygen.h"
#include "ckks/seal_ct.h"
#include "ckks/seal_secret.h"

static const eis_ckks_literal chain = {.degree = 4096, .prime_count = 3, .bits = {38, 30, 38}};

/* A key whose words are secret, and a message that is. */
static void make_secrets(const eis_ckks_params **params, eis_ckks_secret_key *key, eis_ckks_plain *message)
{
    assert_int_equal(eis_ckks_params_new(params, &chain), EIS_OK);
    assert_int_equal(eis_ckks_secret_key_generate(key, *params), EIS_OK); /* its randomness is marked inside */
    EIS_SECRET(key->s.words, 3 * 4096 * sizeof(uint64_t));
    assert_int_equal(eis_ckks_plain_init(message, *params, 2, 0, 0x1p30), EIS_OK);
    for (size_t i = 0; i < 2 * 4096; i++) message->poly.words[i] = i * 12345;
    EIS_SECRET(message->poly.words, 2 * 4096 * sizeof(uint64_t));
}

static void encryption_and_decryption(void **state)
{
    const eis_ckks_params *params;
    eis_ckks_secret_key key = {0};
    eis_ckks_plain message = {0}, opened = {0};
    eis_ckks_public_key public_key = {0};
    eis_ckks_ct ct = {0};
    eis_writer w;

    (void)state;
    make_secrets(&params, &key, &message);
    eis_wire_writer_init(&w, 1 << 22);
    assert_int_equal(eis_ckks_encrypt_symmetric(&ct, &key, &message), EIS_OK);
    eis_ckks_ct_write(&w, &ct, (eis_seal_style){.mode = EIS_SEAL_ZSTD}, true); /* branches on all of it: it is public */
    assert_int_equal(eis_wire_writer_status(&w), EIS_OK);
    assert_int_equal(eis_ckks_decrypt(&opened, &key, &ct), EIS_OK);
    message.poly.domain = EIS_DOMAIN_COEFF; /* the other way in */
    assert_int_equal(eis_ckks_encrypt_symmetric(&ct, &key, &message), EIS_OK);
    message.poly.domain = EIS_DOMAIN_NTT;
    assert_int_equal(eis_ckks_public_key_generate(&public_key, &key), EIS_OK);
    assert_int_equal(eis_ckks_encrypt_public(&ct, &public_key, &message), EIS_OK);
    eis_ckks_ct_write(&w, &ct, (eis_seal_style){.mode = EIS_SEAL_ZSTD}, false);
    assert_int_equal(eis_wire_writer_status(&w), EIS_OK);
    eis_wire_writer_clear(&w);
    eis_ckks_public_key_clear(&public_key);
    eis_ckks_plain_clear(&message);
    eis_ckks_plain_clear(&opened);
    eis_ckks_secret_key_clear(&key);
    eis_ckks_ct_clear(&ct);
    eis_ckks_params_free(params);
}

static void evaluation_keys(void **state)
{
    const eis_ckks_params *params;
    eis_ckks_secret_key key = {0};
    eis_ckks_plain message = {0};
    eis_ckks_switch_key relin = {0};
    eis_ckks_galois_keys galois = {0};
    uint64_t sum = 0;

    (void)state;
    make_secrets(&params, &key, &message);
    assert_int_equal(eis_ckks_relin_key_generate(&relin, &key), EIS_OK);
    assert_int_equal(eis_ckks_galois_keys_generate(&galois, &key, (const uint32_t[]){3}, 1), EIS_OK);
    for (size_t i = 0; i < 3 * 4096; i++) sum += relin.row[1].b.words[i] + galois.key[0].key.row[0].b.words[i];
    assert_true(sum != 0); /* what a server gets may be branched on */
    eis_ckks_switch_key_clear(&relin);
    eis_ckks_galois_keys_clear(&galois);
    eis_ckks_plain_clear(&message);
    eis_ckks_secret_key_clear(&key);
    eis_ckks_params_free(params);
}

/* Keys that are cut, with digits of two primes: written and read back, which branches on every word. */
static void key_sets(void **state)
{
    static const eis_ckks_literal pairs = {
        .degree = 4096, .prime_count = 4, .special_count = 2, .bits = {24, 25, 26, 27}};
    static const eis_ckks_key_need need[] = {{EIS_CKKS_KEY_RELIN, 2}, {EIS_CKKS_KEY_PUBLIC, 2}, {3, 1}};
    const eis_ckks_params *params;
    eis_ckks_secret_key key = {0};
    eis_ckks_key_set set = {0}, back = {0};
    eis_writer w;

    (void)state;
    assert_int_equal(eis_ckks_params_new(&params, &pairs), EIS_OK);
    assert_int_equal(eis_ckks_secret_key_generate(&key, params), EIS_OK);
    EIS_SECRET(key.s.words, 4 * 4096 * sizeof(uint64_t));
    assert_int_equal(eis_ckks_key_set_generate(&set, &key, need, 3), EIS_OK);
    eis_wire_writer_init(&w, 1 << 22);
    eis_ckks_key_set_write(&w, &set, true);
    assert_int_equal(eis_wire_writer_status(&w), EIS_OK);
    assert_int_equal(eis_ckks_key_set_read(&back, params, need, 3, w.data, w.bytes), EIS_OK);
    eis_wire_writer_clear(&w);
    eis_ckks_key_set_clear(&set);
    eis_ckks_key_set_clear(&back);
    eis_ckks_secret_key_clear(&key);
    eis_ckks_params_free(params);
}

static void key_files(void **state)
{
    const eis_ckks_params *params;
    eis_ckks_secret_key key = {0}, back = {0};
    eis_ckks_plain message = {0};
    eis_writer w;

    (void)state;
    make_secrets(&params, &key, &message);
    eis_wire_writer_init(&w, 1 << 22);
    eis_ckks_secret_key_write(&w, &key, EIS_SEAL_FORM_4_1);
    assert_int_equal(eis_wire_writer_status(&w), EIS_OK);
    assert_int_equal(eis_ckks_secret_key_read(&back, params, w.data, w.bytes), EIS_OK);
    eis_wire_writer_clear(&w);
    eis_ckks_plain_clear(&message);
    eis_ckks_secret_key_clear(&key);
    eis_ckks_secret_key_clear(&back);
    eis_ckks_params_free(params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encryption_and_decryption),
        cmocka_unit_test(evaluation_keys),
        cmocka_unit_test(key_sets),
        cmocka_unit_test(key_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
