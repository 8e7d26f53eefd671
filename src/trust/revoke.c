/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of revoked certificates: each is made from the one before, so nothing that was revoked comes back. */
#include "base/mem.h"
#include "trust/ca.h"
#include "trust/cert.h"
#include "trust/key_file.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LIST_DAYS 30

/* A list without entries, valid from an hour ago (clocks differ); its number is the time. */
static eis_status begin(X509_CRL **list, X509 *ca, unsigned days)
{
    X509_CRL *made = X509_CRL_new();
    ASN1_TIME *from = X509_gmtime_adj(NULL, -3600), *to = X509_time_adj_ex(NULL, (int)days, 0, NULL);
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    bool done = made != NULL && from != NULL && to != NULL && number != NULL &&
                ASN1_INTEGER_set_int64(number, (int64_t)time(NULL)) == 1 && X509_CRL_set_version(made, 1) == 1 &&
                X509_CRL_set_issuer_name(made, X509_get_subject_name(ca)) == 1 &&
                X509_CRL_set1_lastUpdate(made, from) == 1 && X509_CRL_set1_nextUpdate(made, to) == 1 &&
                X509_CRL_add1_ext_i2d(made, NID_crl_number, number, 0, X509V3_ADD_DEFAULT) == 1;

    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    ASN1_INTEGER_free(number);
    if (!done) {
        X509_CRL_free(made);
        return eis_trust_crypto_fail(EIS_ERR_INTERNAL, "making a list of revoked certificates");
    }
    *list = made;
    return EIS_OK;
}

/* Takes over the entries of an older list of this CA. */
static eis_status take_over(X509_CRL *list, const char *pem, size_t bytes, X509 *ca, EVP_PKEY *key)
{
    BIO *in = BIO_new_mem_buf(pem, (int)bytes);
    X509_CRL *old = in != NULL ? PEM_read_bio_X509_CRL(in, NULL, NULL, NULL) : NULL;
    eis_status st = EIS_OK;
    int count;

    EIS_REQUIRE(old != NULL && X509_NAME_cmp(X509_CRL_get_issuer(old), X509_get_subject_name(ca)) == 0 &&
                    X509_CRL_verify(old, key) == 1,
                EIS_ERR_PARSE, "ca.crl is no list of this CA; move it away to begin a new one");
    count = sk_X509_REVOKED_num(X509_CRL_get_REVOKED(old));
    for (int i = 0; i < count && st == EIS_OK; i++) {
        X509_REVOKED *copy = X509_REVOKED_dup(sk_X509_REVOKED_value(X509_CRL_get_REVOKED(old), i));
        if (copy != NULL && X509_CRL_add0_revoked(list, copy) == 1) continue;
        X509_REVOKED_free(copy);
        st = eis_fail(EIS_ERR_MEMORY, "not enough memory for a list of %d certificates", count);
    }
out:
    X509_CRL_free(old);
    BIO_free(in);
    ERR_clear_error();
    return st;
}

static eis_status add(X509_CRL *list, X509 *cert, EVP_PKEY *key)
{
    X509_REVOKED *entry = X509_REVOKED_new(), *known;
    ASN1_TIME *now = X509_gmtime_adj(NULL, 0);
    eis_status st = EIS_OK;

    EIS_REQUIRE(X509_verify(cert, key) == 1, EIS_ERR_USAGE, "the certificate comes from another CA");
    if (X509_CRL_get0_by_cert(list, &known, cert) != 0) goto out; /* it is there */
    if (entry == NULL || now == NULL || X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(cert)) != 1 ||
        X509_REVOKED_set_revocationDate(entry, now) != 1 || X509_CRL_add0_revoked(list, entry) != 1)
        st = eis_trust_crypto_fail(EIS_ERR_INTERNAL, "revoking a certificate");
    else
        entry = NULL;
out:
    X509_REVOKED_free(entry);
    ASN1_TIME_free(now);
    ERR_clear_error();
    return st;
}

/* Signs the list and puts it in the place of the old one. */
static eis_status finish(const char *path, X509_CRL *list, EVP_PKEY *key)
{
    BIO *out_bio = BIO_new(BIO_s_mem());
    eis_status st = EIS_OK;
    char *data;
    long bytes;

    if (out_bio == NULL || X509_CRL_sort(list) != 1 || X509_CRL_sign(list, key, eis_trust_key_hash(key)) <= 0 ||
        PEM_write_bio_X509_CRL(out_bio, list) != 1) {
        st = eis_trust_crypto_fail(EIS_ERR_INTERNAL, "signing a list of revoked certificates");
        goto out;
    }
    bytes = BIO_get_mem_data(out_bio, &data);
    EIS_TRY(eis_trust_key_file_replace(path, data, (size_t)bytes));
out:
    BIO_free(out_bio);
    return st;
}

eis_status eis_trust_revoke_files(const char *ca_dir, const char *cert_path, unsigned days)
{
    eis_trust_pair ca = {0}, texts = {0}; /* texts: the certificate, and in the place of a key the old list */
    char path[EIS_TRUST_PATH_BYTES];
    X509 *ca_cert = NULL, *cert = NULL;
    EVP_PKEY *key = NULL;
    X509_CRL *list = NULL;
    eis_status st = EIS_OK;

    EIS_REQUIRE(days <= EIS_TRUST_DAYS_MAX, EIS_ERR_USAGE, "a list for %u days, at most %d are allowed", days,
                EIS_TRUST_DAYS_MAX);
    EIS_TRY(eis_trust_ca_files_read(&ca, ca_dir));
    EIS_TRY(eis_trust_ca_from(&ca_cert, &key, &ca));
    EIS_TRY(begin(&list, ca_cert, days != 0 ? days : LIST_DAYS));
    EIS_TRY(eis_trust_path(path, ca_dir, "/ca.crl"));
    if (access(path, F_OK) == 0) {
        EIS_TRY(eis_trust_public_file_read(&texts.key, &texts.key_bytes, path));
        EIS_TRY(take_over(list, texts.key, texts.key_bytes, ca_cert, key));
    }
    if (cert_path != NULL) {
        EIS_TRY(eis_trust_public_file_read(&texts.cert, &texts.cert_bytes, cert_path));
        EIS_TRY(eis_trust_cert_from_pem(&cert, texts.cert, texts.cert_bytes));
        EIS_TRY(add(list, cert, key));
    }
    EIS_TRY(finish(path, list, key));
out:
    X509_CRL_free(list);
    X509_free(cert);
    X509_free(ca_cert);
    EVP_PKEY_free(key);
    eis_trust_pair_clear(&texts);
    eis_trust_pair_clear(&ca);
    return st;
}
