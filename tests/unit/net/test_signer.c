/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures of all kinds of certificate keys; other data, other keys and damaged signatures are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/signer.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <string.h>

static const char text[] = "what is said";

/* A private key as PEM. */
static eis_span key_of(BIO *out, EVP_PKEY *key)
{
    char *data;
    long bytes;

    assert_non_null(key);
    assert_int_equal(PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
    EVP_PKEY_free(key);
    bytes = BIO_get_mem_data(out, &data);
    return (eis_span){(const uint8_t *)data, (size_t)bytes};
}

static void pin_of(eis_tls_pin *pin, const eis_public_key *key) { SHA256(key->data, key->bytes, pin->bytes); }

static void check_kind(EVP_PKEY *key)
{
    BIO *pem = BIO_new(BIO_s_mem());
    eis_signer *signer;
    eis_verifier *verifier;
    eis_signature signature, bad;
    eis_public_key wrong;
    eis_tls_pin pin;

    assert_int_equal(eis_net_signer_new(&signer, key_of(pem, key)), EIS_OK);
    pin_of(&pin, eis_net_signer_public(signer));
    assert_int_equal(eis_net_verifier_new(&verifier, eis_net_signer_public(signer), &pin), EIS_OK);
    assert_int_equal(eis_net_signer_sign(&signature, signer, text, sizeof text), EIS_OK);
    assert_int_equal(eis_net_verifier_check(verifier, &signature, text, sizeof text), EIS_OK);
    assert_int_equal(eis_net_verifier_check(verifier, &signature, text, sizeof text - 1), EIS_ERR_INTEGRITY);
    for (uint32_t i = 0; i < signature.bytes; i += 7) {
        bad = signature;
        bad.data[i] ^= 1;
        assert_int_equal(eis_net_verifier_check(verifier, &bad, text, sizeof text), EIS_ERR_INTEGRITY);
    }
    bad = signature;
    bad.bytes--;
    assert_int_equal(eis_net_verifier_check(verifier, &bad, text, sizeof text), EIS_ERR_INTEGRITY);
    bad.bytes = 0;
    assert_int_equal(eis_net_verifier_check(verifier, &bad, text, sizeof text), EIS_ERR_INTEGRITY);
    bad.bytes = UINT32_MAX;
    assert_int_equal(eis_net_verifier_check(verifier, &bad, text, sizeof text), EIS_ERR_INTEGRITY);
    eis_net_verifier_free(verifier);

    wrong = *eis_net_signer_public(signer);
    wrong.data[wrong.bytes - 1] ^= 1;
    assert_int_equal(eis_net_verifier_new(&verifier, &wrong, &pin), EIS_ERR_INTEGRITY);
    assert_null(verifier);
    wrong.bytes--;
    pin_of(&pin, &wrong); /* the pin fits, and there is no key behind it */
    assert_int_equal(eis_net_verifier_new(&verifier, &wrong, &pin), EIS_ERR_INTEGRITY);
    wrong.bytes = 0;
    assert_int_equal(eis_net_verifier_new(&verifier, &wrong, &pin), EIS_ERR_INTEGRITY);
    eis_net_signer_free(signer);
    BIO_free(pem);
}

static void test_kinds(void **state)
{
    (void)state;
    check_kind(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
    check_kind(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"));
    check_kind(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-384"));
    check_kind(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048));
}

static void test_refused(void **state)
{
    BIO *pem = BIO_new(BIO_s_mem());
    eis_signer *signer;
    (void)state;

    assert_int_equal(eis_net_signer_new(&signer, key_of(pem, EVP_PKEY_Q_keygen(NULL, NULL, "X25519"))), EIS_ERR_TLS);
    assert_null(signer);
    assert_int_equal(eis_net_signer_new(&signer, (eis_span){(const uint8_t *)text, sizeof text}), EIS_ERR_TLS);
    assert_null(signer);
    eis_net_signer_free(NULL);
    eis_net_verifier_free(NULL);
    BIO_free(pem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
