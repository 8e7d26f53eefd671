/* SPDX-License-Identifier: Apache-2.0 */
/* Throw-away certificates for tests of net/, made with libcrypto alone, because net/ may not know trust/. */
#ifndef EIS_TESTS_NET_CERTIFICATES_H
#define EIS_TESTS_NET_CERTIFICATES_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/status.h"

#define DAY_S 86400L

/* A certificate with its key, as objects and as PEM text. */
typedef struct identity {
    EVP_PKEY *key;
    X509 *cert;
    char *cert_pem, *key_pem;
} identity;

static inline eis_span text_span(const char *text)
{
    return (eis_span){.data = (const uint8_t *)text, .bytes = strlen(text)};
}

static inline eis_span cert_of(const identity *id) { return text_span(id->cert_pem); }
static inline eis_span key_of(const identity *id) { return text_span(id->key_pem); }

static inline char *take_text(BIO *bio)
{
    char *data, *text;
    long bytes = BIO_get_mem_data(bio, &data);

    text = calloc(1, (size_t)bytes + 1);
    EIS_ASSERT(text != NULL);
    memcpy(text, data, (size_t)bytes);
    BIO_free(bio);
    return text;
}

static inline void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    EIS_ASSERT(extension != NULL && X509_add_ext(cert, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/* Makes a certificate for `names` ("DNS:localhost,IP:127.0.0.1"), signed by `ca`, or by itself where ca is NULL: a CA
 * where it has no names either.
 * Valid from `from_days` to `to_days` around now. */
static inline void make_identity_dated(identity *id, const identity *ca, const char *names, long from_days,
                                       long to_days)
{
    static long serial = 1;
    X509_NAME *name;
    BIO *out;

    id->key = EVP_EC_gen("P-256");
    id->cert = X509_new();
    EIS_ASSERT(id->key != NULL && id->cert != NULL);
    X509_set_version(id->cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(id->cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(id->cert), from_days * DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(id->cert), to_days * DAY_S);
    X509_set_pubkey(id->cert, id->key);
    name = X509_get_subject_name(id->cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)(ca == NULL ? "test CA" : "test"), -1,
                               -1, 0);
    X509_set_issuer_name(id->cert, ca == NULL ? name : X509_get_subject_name(ca->cert));
    if (ca == NULL && names == NULL) {
        add_extension(id->cert, id->cert, NID_basic_constraints, "critical,CA:TRUE");
        add_extension(id->cert, id->cert, NID_key_usage, "critical,keyCertSign");
    }
    if (names != NULL) add_extension(id->cert, id->cert, NID_subject_alt_name, names);
    EIS_ASSERT(X509_sign(id->cert, ca == NULL ? id->key : ca->key, EVP_sha256()) > 0);
    out = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(out, id->cert);
    id->cert_pem = take_text(out);
    out = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(out, id->key, NULL, NULL, 0, NULL, NULL);
    id->key_pem = take_text(out);
}

static inline void make_identity(identity *id, const identity *ca, const char *names)
{
    make_identity_dated(id, ca, names, -1, 30);
}

static inline void free_identity(identity *id)
{
    EVP_PKEY_free(id->key);
    X509_free(id->cert);
    free(id->cert_pem);
    free(id->key_pem);
    memset(id, 0, sizeof *id);
}

#endif
