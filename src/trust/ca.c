/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate authority: a self-signed CA, leaves under it, and both as files. */
#include "trust/ca.h"

#include "base/mem.h"
#include "trust/cert.h"
#include "trust/key_file.h"
#include "wire/text.h"

#include <errno.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CA_DAYS   3650
#define LEAF_DAYS 825

void eis_trust_pair_clear(eis_trust_pair *pair)
{
    eis_mem_free_wiped(pair->cert, pair->cert_bytes + 1, 1);
    eis_mem_free_wiped(pair->key, pair->key_bytes + 1, 1);
    *pair = (eis_trust_pair){0};
}

eis_status eis_trust_ca_make(eis_trust_pair *ca, const eis_trust_ca_literal *literal)
{
    const char *name = literal->name ? literal->name : "EIS CA";
    EVP_PKEY *key = NULL;
    X509 *cert = NULL;
    eis_status st = EIS_OK;

    EIS_TRY(eis_trust_key_make(&key, literal->key_kind));
    EIS_TRY(eis_trust_cert_begin(&cert, name, key, literal->days ? literal->days : CA_DAYS, NULL));
    if (X509_set_issuer_name(cert, X509_get_subject_name(cert)) != 1) {
        st = eis_trust_crypto_fail(EIS_ERR_INTERNAL, "naming the issuer");
        goto out;
    }
    EIS_TRY(eis_trust_cert_extend(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
    EIS_TRY(eis_trust_cert_extend(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign"));
    EIS_TRY(eis_trust_cert_extend(cert, cert, NID_subject_key_identifier, "hash"));
    EIS_TRY(eis_trust_cert_sign(cert, key));
    EIS_TRY(eis_trust_pair_from(ca, cert, key));
out:
    X509_free(cert);
    EVP_PKEY_free(key);
    return st;
}

eis_status eis_trust_ca_from(X509 **cert, EVP_PKEY **key, const eis_trust_pair *ca)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_trust_cert_from_pem(cert, ca->cert, ca->cert_bytes));
    EIS_TRY(eis_trust_key_from_pem(key, ca->key, ca->key_bytes));
    EIS_REQUIRE(X509_check_ca(*cert) == 1, EIS_ERR_PARSE, "the issuing certificate is not one of a CA");
    if (X509_check_private_key(*cert, *key) != 1)
        st = eis_trust_crypto_fail(EIS_ERR_PARSE, "the CA's certificate and key do not belong together");
out:
    return st;
}

static eis_status check_leaf_literal(const eis_trust_leaf_literal *literal)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(literal->server || literal->client, EIS_ERR_USAGE, "a certificate is for a server, a client or both");
    EIS_REQUIRE(!literal->server || literal->host_count > 0, EIS_ERR_USAGE,
                "a server's certificate needs at least one host name or address");
out:
    return st;
}

/* The extensions of a leaf. The use is critical: a client's key must not stand for a server. */
static eis_status extend_leaf(X509 *cert, X509 *issuer, const eis_trust_leaf_literal *literal)
{
    const char *use = literal->server && literal->client ? "critical,serverAuth,clientAuth"
                      : literal->server                  ? "critical,serverAuth"
                                                         : "critical,clientAuth";
    eis_status st = EIS_OK;

    EIS_TRY(eis_trust_cert_extend(cert, issuer, NID_basic_constraints, "critical,CA:FALSE"));
    EIS_TRY(eis_trust_cert_extend(cert, issuer, NID_key_usage, "critical,digitalSignature"));
    EIS_TRY(eis_trust_cert_extend(cert, issuer, NID_ext_key_usage, use));
    EIS_TRY(eis_trust_cert_extend(cert, issuer, NID_subject_key_identifier, "hash"));
    EIS_TRY(eis_trust_cert_extend(cert, issuer, NID_authority_key_identifier, "keyid:always"));
    EIS_TRY(eis_trust_cert_hosts(cert, literal->hosts, literal->host_count));
out:
    return st;
}

eis_status eis_trust_leaf_make(eis_trust_pair *leaf, const eis_trust_pair *ca, const eis_trust_leaf_literal *literal)
{
    const char *name = literal->name ? literal->name : literal->host_count > 0 ? literal->hosts[0] : "eis";
    EVP_PKEY *key = NULL, *ca_key = NULL;
    X509 *cert = NULL, *ca_cert = NULL;
    eis_status st = EIS_OK;
    char cut[65];

    /* The common name is for people; hosts are checked against the alternative names, which may be longer. */
    if (literal->name == NULL) {
        snprintf(cut, sizeof cut, "%.64s", name);
        name = cut;
    }
    EIS_TRY(check_leaf_literal(literal));
    EIS_TRY(eis_trust_ca_from(&ca_cert, &ca_key, ca));
    EIS_TRY(eis_trust_key_make(&key, literal->key_kind));
    EIS_TRY(
        eis_trust_cert_begin(&cert, name, key, literal->days ? literal->days : LEAF_DAYS, X509_get0_notAfter(ca_cert)));
    if (X509_set_issuer_name(cert, X509_get_subject_name(ca_cert)) != 1) {
        st = eis_trust_crypto_fail(EIS_ERR_INTERNAL, "naming the issuer");
        goto out;
    }
    EIS_TRY(extend_leaf(cert, ca_cert, literal));
    EIS_TRY(eis_trust_cert_sign(cert, ca_key));
    EIS_TRY(eis_trust_pair_from(leaf, cert, key));
out:
    X509_free(cert);
    X509_free(ca_cert);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    return st;
}

/* ---- Files ---- */

eis_status eis_trust_path(char out_path[EIS_TRUST_PATH_BYTES], const char *front, const char *back)
{
    int length = snprintf(out_path, EIS_TRUST_PATH_BYTES, "%s%s", front, back);

    return length > 0 && length < EIS_TRUST_PATH_BYTES ? EIS_OK : eis_fail(EIS_ERR_FILE, "a path is too long");
}

/* Writes PREFIX.crt and PREFIX.key, both or none. */
static eis_status write_pair(const char *prefix, const eis_trust_pair *pair)
{
    char cert_path[EIS_TRUST_PATH_BYTES], key_path[EIS_TRUST_PATH_BYTES];
    eis_status st = EIS_OK;

    EIS_TRY(eis_trust_path(cert_path, prefix, ".crt"));
    EIS_TRY(eis_trust_path(key_path, prefix, ".key"));
    EIS_REQUIRE(access(cert_path, F_OK) != 0, EIS_ERR_FILE,
                "%s: exists already and is not overwritten; choose another place", cert_path);
    EIS_TRY(eis_trust_new_file_write(key_path, 0600, pair->key, pair->key_bytes));
    st = eis_trust_new_file_write(cert_path, 0644, pair->cert, pair->cert_bytes);
    if (st != EIS_OK) unlink(key_path);
out:
    return st;
}

eis_status eis_trust_ca_init_files(const char *dir, const eis_trust_ca_literal *literal)
{
    eis_trust_pair ca = {0};
    char prefix[EIS_TRUST_PATH_BYTES];
    eis_status st = EIS_OK;

    EIS_TRY(eis_trust_path(prefix, dir, "/ca"));
    EIS_TRY(eis_trust_ca_make(&ca, literal));
    EIS_REQUIRE(mkdir(dir, 0700) == 0 || errno == EEXIST, EIS_ERR_FILE, "%s: %s", dir, strerror(errno));
    EIS_TRY(write_pair(prefix, &ca));
out:
    eis_trust_pair_clear(&ca);
    return st;
}

eis_status eis_trust_ca_files_read(eis_trust_pair *ca, const char *dir)
{
    char path[EIS_TRUST_PATH_BYTES];
    eis_status st = EIS_OK;

    EIS_TRY(eis_trust_path(path, dir, "/ca.crt"));
    EIS_TRY(eis_trust_public_file_read(&ca->cert, &ca->cert_bytes, path));
    EIS_TRY(eis_trust_path(path, dir, "/ca.key"));
    EIS_TRY(eis_trust_key_file_read(&ca->key, &ca->key_bytes, path));
out:
    return st;
}

eis_status eis_trust_leaf_issue_files(const char *ca_dir, const char *prefix, const eis_trust_leaf_literal *literal)
{
    eis_trust_pair ca = {0}, leaf = {0};
    eis_status st = EIS_OK;

    EIS_TRY(eis_trust_ca_files_read(&ca, ca_dir));
    EIS_TRY(eis_trust_leaf_make(&leaf, &ca, literal));
    EIS_TRY(write_pair(prefix, &leaf));
out:
    eis_trust_pair_clear(&ca);
    eis_trust_pair_clear(&leaf);
    return st;
}

/* ---- Pins ---- */

eis_status eis_trust_pin_of_pem(uint8_t pin[EIS_TRUST_PIN_BYTES], const char *pem, size_t bytes)
{
    unsigned char *der = NULL;
    X509 *cert = NULL;
    eis_status st = EIS_OK;
    int length;

    EIS_TRY(eis_trust_cert_from_pem(&cert, pem, bytes));
    length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);
    if (length <= 0 || EVP_Digest(der, (size_t)length, pin, NULL, EVP_sha256(), NULL) != 1)
        st = eis_trust_crypto_fail(EIS_ERR_INTERNAL, "hashing a public key");
out:
    OPENSSL_free(der);
    X509_free(cert);
    return st;
}

eis_status eis_trust_pin_hex_of_pem(char hex[EIS_TRUST_PIN_HEX_BYTES], const char *pem, size_t bytes)
{
    uint8_t pin[EIS_TRUST_PIN_BYTES];
    eis_status st = eis_trust_pin_of_pem(pin, pem, bytes);

    if (st == EIS_OK) eis_wire_hex_write(hex, pin, sizeof pin);
    return st;
}
