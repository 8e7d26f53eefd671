/* SPDX-License-Identifier: Apache-2.0 */
#include "net/signer.h"

#include "base/mem.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <string.h>

struct eis_signer {
    EVP_PKEY *key;
    eis_public_key public_key;
};

struct eis_verifier {
    EVP_PKEY *key;
};

static int no_password(char *buffer, int size, int writing, void *context)
{
    (void)buffer, (void)size, (void)writing, (void)context;
    return 0;
}

/* Ed25519 hashes by itself. NULL, true: it needs none; false: not a kind of ours. */
static bool digest_of(const EVP_MD **digest, EVP_PKEY *key)
{
    int kind = EVP_PKEY_base_id(key);

    *digest = kind == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
    return kind == EVP_PKEY_ED25519 || kind == EVP_PKEY_EC || kind == EVP_PKEY_RSA;
}

static eis_status take_public(eis_public_key *out, EVP_PKEY *key)
{
    eis_status st = EIS_OK;
    const EVP_MD *digest;
    uint8_t *at = out->data;
    int bytes = i2d_PUBKEY(key, NULL);

    EIS_REQUIRE(digest_of(&digest, key) && bytes > 0 && (size_t)bytes <= sizeof out->data &&
                    EVP_PKEY_size(key) <= EIS_SIGNATURE_BYTES_MAX,
                EIS_ERR_TLS, "a key signs with Ed25519, ECDSA or RSA of at most 4096 bits");
    out->bytes = (uint32_t)i2d_PUBKEY(key, &at);
out:
    return st;
}

eis_status eis_net_signer_new(eis_signer **out_signer, eis_span key_pem)
{
    eis_status st = EIS_OK;
    eis_signer *signer = NULL;
    BIO *in = key_pem.bytes > INT_MAX ? NULL : BIO_new_mem_buf(key_pem.data, (int)key_pem.bytes);

    *out_signer = NULL;
    ERR_clear_error();
    EIS_NEW(signer, 1);
    if (in != NULL) signer->key = PEM_read_bio_PrivateKey(in, NULL, no_password, NULL);
    EIS_REQUIRE(signer->key != NULL, EIS_ERR_TLS, "there is no unencrypted private key in PEM form");
    EIS_TRY(take_public(&signer->public_key, signer->key));
    *out_signer = signer;
    signer = NULL;
out:
    eis_net_signer_free(signer);
    BIO_free(in);
    ERR_clear_error();
    return st;
}

void eis_net_signer_free(eis_signer *signer)
{
    if (signer == NULL) return;
    EVP_PKEY_free(signer->key);
    eis_mem_free(signer);
}

const eis_public_key *eis_net_signer_public(const eis_signer *signer) { return &signer->public_key; }

eis_status eis_net_signer_sign(eis_signature *signature, const eis_signer *signer, const void *data, size_t bytes)
{
    eis_status st = EIS_OK;
    const EVP_MD *digest = NULL;
    size_t length = sizeof signature->data;
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    EIS_REQUIRE(context != NULL, EIS_ERR_MEMORY, "no memory to sign");
    (void)digest_of(&digest, signer->key);
    EIS_REQUIRE(EVP_DigestSignInit(context, NULL, digest, NULL, signer->key) == 1 &&
                    EVP_DigestSign(context, signature->data, &length, data, bytes) == 1,
                EIS_ERR_INTERNAL, "cannot sign");
    signature->bytes = (uint32_t)length;
out:
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    if (st != EIS_OK) signature->bytes = 0;
    return st;
}

eis_status eis_net_verifier_new(eis_verifier **out_verifier, const eis_public_key *key, const eis_tls_pin *pin)
{
    eis_status st = EIS_OK;
    eis_verifier *verifier = NULL;
    const uint8_t *at = key->data;
    const EVP_MD *digest;
    uint8_t hash[EIS_TLS_PIN_BYTES];

    *out_verifier = NULL;
    EIS_REQUIRE(key->bytes > 0 && key->bytes <= sizeof key->data, EIS_ERR_INTEGRITY, "there is no public key");
    SHA256(key->data, key->bytes, hash);
    EIS_REQUIRE(memcmp(hash, pin->bytes, sizeof hash) == 0, EIS_ERR_INTEGRITY,
                "a public key is not the one that its pin names");
    EIS_NEW(verifier, 1);
    ERR_clear_error();
    verifier->key = d2i_PUBKEY(NULL, &at, (long)key->bytes);
    EIS_REQUIRE(verifier->key != NULL && at == key->data + key->bytes && digest_of(&digest, verifier->key),
                EIS_ERR_INTEGRITY, "a public key is damaged, or of a kind that does not sign");
    *out_verifier = verifier;
    verifier = NULL;
out:
    eis_net_verifier_free(verifier);
    ERR_clear_error();
    return st;
}

void eis_net_verifier_free(eis_verifier *verifier)
{
    if (verifier == NULL) return;
    EVP_PKEY_free(verifier->key);
    eis_mem_free(verifier);
}

eis_status eis_net_verifier_check(const eis_verifier *verifier, const eis_signature *signature, const void *data,
                                  size_t bytes)
{
    eis_status st = EIS_OK;
    const EVP_MD *digest = NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    EIS_REQUIRE(context != NULL, EIS_ERR_MEMORY, "no memory to check a signature");
    (void)digest_of(&digest, verifier->key);
    EIS_REQUIRE(signature->bytes <= sizeof signature->data &&
                    EVP_DigestVerifyInit(context, NULL, digest, NULL, verifier->key) == 1 &&
                    EVP_DigestVerify(context, signature->data, signature->bytes, data, bytes) == 1,
                EIS_ERR_INTEGRITY, "a signature is wrong");
out:
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return st;
}
