/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of X.509 on libcrypto that ca.c puts together. */
#ifndef EIS_TRUST_CERT_H
#define EIS_TRUST_CERT_H

#include "trust/ca.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

#define EIS_TRUST_PATH_BYTES 4096

/* Records what libcrypto says and empties its queue. Returns st. */
eis_status eis_trust_crypto_fail(eis_status st, const char *doing);

/* Makes a private key. Errors: EIS_ERR_USAGE (kind), EIS_ERR_INTERNAL. */
EIS_MUST_USE eis_status eis_trust_key_make(EVP_PKEY **key, eis_trust_key_kind kind);

/* Starts a certificate: version 3, random 128-bit serial, subject, public key, valid from an hour ago (clocks differ)
 * for `days`, cut to `not_after_max` unless NULL. Errors: EIS_ERR_USAGE (name), EIS_ERR_INTERNAL. */
EIS_MUST_USE eis_status eis_trust_cert_begin(X509 **cert, const char *name, EVP_PKEY *key, unsigned days,
                                             const ASN1_TIME *not_after_max);

/* Adds an extension in the words of openssl.cnf; issuer may be cert itself. Errors: EIS_ERR_INTERNAL. */
EIS_MUST_USE eis_status eis_trust_cert_extend(X509 *cert, X509 *issuer, int nid, const char *value);

/* Adds the alternative names. Errors: EIS_ERR_USAGE names the host that is neither a DNS name nor an IP address. */
EIS_MUST_USE eis_status eis_trust_cert_hosts(X509 *cert, const char *const *hosts, size_t host_count);

/* Signs with the hash that the key wants. Errors: EIS_ERR_INTERNAL. */
EIS_MUST_USE eis_status eis_trust_cert_sign(X509 *cert, EVP_PKEY *issuer_key);

/* Turns certificate and key into PEM text. Errors: EIS_ERR_MEMORY, EIS_ERR_INTERNAL; *pair is untouched. */
EIS_MUST_USE eis_status eis_trust_pair_from(eis_trust_pair *pair, X509 *cert, EVP_PKEY *key);

/* Reads the first certificate, or private key (never asking for a passphrase), of a PEM text. Errors: EIS_ERR_PARSE. */
EIS_MUST_USE eis_status eis_trust_cert_from_pem(X509 **cert, const char *pem, size_t bytes);
EIS_MUST_USE eis_status eis_trust_key_from_pem(EVP_PKEY **key, const char *pem, size_t bytes);

/* The hash that a key signs with: NULL for Ed25519, which hashes by itself. */
const EVP_MD *eis_trust_key_hash(const EVP_PKEY *key);

/* Reads a CA back and checks that it is one. Errors: as eis_trust_leaf_make; what was read is the caller's to free. */
EIS_MUST_USE eis_status eis_trust_ca_from(X509 **cert, EVP_PKEY **key, const eis_trust_pair *ca);

/* Reads dir/ca.crt and dir/ca.key. Errors: those of key_file.h; *ca is for eis_trust_pair_clear. */
EIS_MUST_USE eis_status eis_trust_ca_files_read(eis_trust_pair *ca, const char *dir);

/* Joins two pieces of a path. Errors: EIS_ERR_FILE  it is too long. */
EIS_MUST_USE eis_status eis_trust_path(char out_path[EIS_TRUST_PATH_BYTES], const char *front, const char *back);

#endif
