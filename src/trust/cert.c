/* SPDX-License-Identifier: Apache-2.0 */
/* X.509 certificates on libcrypto, piece by piece. */
#include "trust/cert.h"

#include "base/mem.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

#define NAME_BYTES_MAX 64 /* upper bound of a common name in X.520 */

eis_status eis_trust_crypto_fail(eis_status st, const char *doing)
{
    char text[160] = "no reason given";
    unsigned long error = ERR_peek_last_error();

    if (error != 0) ERR_error_string_n(error, text, sizeof text);
    ERR_clear_error();
    return eis_fail(st, "%s: %s", doing, text);
}

eis_status eis_trust_key_make(EVP_PKEY **key, eis_trust_key_kind kind)
{
    EVP_PKEY *made = NULL;

    if (kind == EIS_TRUST_KEY_P256)
        made = EVP_EC_gen("P-256");
    else if (kind == EIS_TRUST_KEY_ED25519)
        made = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    else
        return eis_fail(EIS_ERR_USAGE, "unknown kind of key");
    if (made == NULL) return eis_trust_crypto_fail(EIS_ERR_INTERNAL, "making a key");
    *key = made;
    return EIS_OK;
}

static bool set_serial(X509 *cert)
{
    uint8_t bytes[16];
    BIGNUM *number = NULL;
    bool done;

    done = RAND_bytes(bytes, sizeof bytes) == 1;
    bytes[0] &= 0x7f; /* positive, and at most 20 octets in DER */
    done = done && (number = BN_bin2bn(bytes, sizeof bytes, NULL)) != NULL &&
           BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
    BN_free(number);
    return done;
}

static bool set_validity(X509 *cert, unsigned days, const ASN1_TIME *not_after_max)
{
    if (X509_gmtime_adj(X509_getm_notBefore(cert), -3600) == NULL ||
        X509_time_adj_ex(X509_getm_notAfter(cert), (int)days, 0, NULL) == NULL)
        return false;
    if (not_after_max == NULL || ASN1_TIME_compare(X509_get0_notAfter(cert), not_after_max) <= 0) return true;
    return X509_set1_notAfter(cert, not_after_max) == 1;
}

static bool name_valid(const char *name)
{
    size_t bytes = strlen(name);

    if (bytes == 0 || bytes > NAME_BYTES_MAX) return false;
    for (size_t i = 0; i < bytes; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f) return false;
    return true;
}

eis_status eis_trust_cert_begin(X509 **cert, const char *name, EVP_PKEY *key, unsigned days,
                                const ASN1_TIME *not_after_max)
{
    eis_status st = EIS_OK;
    X509 *made = NULL;
    bool done;

    EIS_REQUIRE(name_valid(name), EIS_ERR_USAGE, "a certificate's name has 1 to %d printable characters",
                NAME_BYTES_MAX);
    EIS_REQUIRE(days >= 1 && days <= EIS_TRUST_DAYS_MAX, EIS_ERR_USAGE, "a validity of %u days, 1 to %d are allowed",
                days, EIS_TRUST_DAYS_MAX);
    made = X509_new();
    done = made != NULL && X509_set_version(made, X509_VERSION_3) == 1 && set_serial(made) &&
           set_validity(made, days, not_after_max) && X509_set_pubkey(made, key) == 1 &&
           X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
                                      -1, 0) == 1;
    if (!done) {
        st = eis_trust_crypto_fail(EIS_ERR_INTERNAL, "making a certificate");
        goto out;
    }
    *cert = made;
    made = NULL;
out:
    X509_free(made);
    return st;
}

eis_status eis_trust_cert_extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509_EXTENSION *extension;
    X509V3_CTX context;
    int added;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    if (extension == NULL) return eis_trust_crypto_fail(EIS_ERR_INTERNAL, "making an extension");
    added = X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    return added == 1 ? EIS_OK : eis_trust_crypto_fail(EIS_ERR_INTERNAL, "adding an extension");
}

/* Letters, digits, hyphens inside labels of 1 to 63 characters; "*." in front is allowed. */
static bool dns_name_valid(const char *name)
{
    size_t label = 0, bytes = strlen(name), i = strncmp(name, "*.", 2) == 0 ? 2 : 0;

    if (bytes == 0 || bytes > 253) return false;
    for (; i < bytes; i++) {
        char c = name[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (c == '.') {
            if (label == 0 || name[i - 1] == '-') return false;
            label = 0;
        } else {
            if (!(word || (c == '-' && label > 0)) || ++label > 63) return false;
        }
    }
    return label > 0 && name[bytes - 1] != '-';
}

/* Returns the name of a host for the extension: an address where it reads as one; NULL where it is neither. */
static GENERAL_NAME *general_name(const char *host)
{
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(host);
    ASN1_IA5STRING *text = NULL;
    GENERAL_NAME *name = GENERAL_NAME_new();

    ERR_clear_error();
    if (name != NULL && address != NULL) {
        GENERAL_NAME_set0_value(name, GEN_IPADD, address);
        return name;
    }
    ASN1_OCTET_STRING_free(address);
    if (name != NULL && dns_name_valid(host) && (text = ASN1_IA5STRING_new()) != NULL &&
        ASN1_STRING_set(text, host, -1) == 1) {
        GENERAL_NAME_set0_value(name, GEN_DNS, text);
        return name;
    }
    ASN1_IA5STRING_free(text);
    GENERAL_NAME_free(name);
    return NULL;
}

eis_status eis_trust_cert_hosts(X509 *cert, const char *const *hosts, size_t host_count)
{
    GENERAL_NAMES *names = NULL;
    eis_status st = EIS_OK;

    if (host_count == 0) return EIS_OK;
    names = sk_GENERAL_NAME_new_null();
    EIS_REQUIRE(names != NULL, EIS_ERR_MEMORY, "not enough memory for a certificate");
    for (size_t i = 0; i < host_count; i++) {
        GENERAL_NAME *name = general_name(hosts[i]);

        EIS_REQUIRE(name != NULL, EIS_ERR_USAGE, "\"%.64s\" is neither a DNS name nor an IP address", hosts[i]);
        if (sk_GENERAL_NAME_push(names, name) == 0) {
            GENERAL_NAME_free(name);
            st = eis_fail(EIS_ERR_MEMORY, "not enough memory for a certificate");
            goto out;
        }
    }
    if (X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) != 1)
        st = eis_trust_crypto_fail(EIS_ERR_INTERNAL, "adding the alternative names");
out:
    GENERAL_NAMES_free(names);
    return st;
}

const EVP_MD *eis_trust_key_hash(const EVP_PKEY *key) { return EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256(); }

eis_status eis_trust_cert_sign(X509 *cert, EVP_PKEY *issuer_key)
{
    return X509_sign(cert, issuer_key, eis_trust_key_hash(issuer_key)) > 0
               ? EIS_OK
               : eis_trust_crypto_fail(EIS_ERR_INTERNAL, "signing");
}

/* Copies what a memory BIO holds into text of our own. */
static eis_status text_of(char **text, size_t *bytes, BIO *bio)
{
    char *data;
    long length = BIO_get_mem_data(bio, &data);
    char *copy = eis_mem_new_secret((size_t)length + 1, 1);

    if (copy == NULL) return EIS_ERR_MEMORY;
    memcpy(copy, data, (size_t)length);
    *text = copy;
    *bytes = (size_t)length;
    return EIS_OK;
}

eis_status eis_trust_pair_from(eis_trust_pair *pair, X509 *cert, EVP_PKEY *key)
{
    BIO *cert_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_secmem());
    eis_trust_pair made = {0};
    eis_status st = EIS_OK;

    if (cert_bio == NULL || key_bio == NULL || PEM_write_bio_X509(cert_bio, cert) != 1 ||
        PEM_write_bio_PKCS8PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
        st = eis_trust_crypto_fail(EIS_ERR_INTERNAL, "writing PEM");
        goto out;
    }
    EIS_TRY(text_of(&made.cert, &made.cert_bytes, cert_bio));
    EIS_TRY(text_of(&made.key, &made.key_bytes, key_bio));
    *pair = made;
    made = (eis_trust_pair){0};
out:
    eis_trust_pair_clear(&made);
    BIO_free(cert_bio);
    BIO_free(key_bio);
    return st;
}

static BIO *bio_over(const char *pem, size_t bytes)
{
    return bytes <= INT_MAX ? BIO_new_mem_buf(pem, (int)bytes) : NULL;
}

eis_status eis_trust_cert_from_pem(X509 **cert, const char *pem, size_t bytes)
{
    BIO *bio = bio_over(pem, bytes);
    X509 *read = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

    BIO_free(bio);
    if (read == NULL) return eis_trust_crypto_fail(EIS_ERR_PARSE, "reading a certificate (PEM)");
    *cert = read;
    return EIS_OK;
}

/* A passphrase is never asked for: a program that waits at a terminal is no server. */
static int no_passphrase(char *buffer, int bytes, int writing, void *user)
{
    (void)buffer, (void)bytes, (void)writing, (void)user;
    return -1;
}

eis_status eis_trust_key_from_pem(EVP_PKEY **key, const char *pem, size_t bytes)
{
    BIO *bio = bio_over(pem, bytes);
    EVP_PKEY *read = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

    BIO_free(bio);
    if (read == NULL) return eis_trust_crypto_fail(EIS_ERR_PARSE, "reading a private key (PEM, without passphrase)");
    *key = read;
    return EIS_OK;
}
