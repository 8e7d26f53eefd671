/* SPDX-License-Identifier: Apache-2.0 */
/* A small certificate authority, so that TLS between our own programs needs no other tool: one self-signed CA, leaf
 * certificates for servers and clients, in memory or as files. */
#ifndef EIS_TRUST_CA_H
#define EIS_TRUST_CA_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EIS_TRUST_PIN_BYTES     32
#define EIS_TRUST_PIN_HEX_BYTES (2 * EIS_TRUST_PIN_BYTES + 1)
#define EIS_TRUST_DAYS_MAX      36500

typedef enum eis_trust_key_kind { EIS_TRUST_KEY_P256 = 0, EIS_TRUST_KEY_ED25519 } eis_trust_key_kind;

/* A certificate and its private key as PEM text, zero-terminated. Zero-initialised it is valid to clear. */
typedef struct eis_trust_pair {
    char *cert, *key;
    size_t cert_bytes, key_bytes; /* without the terminator */
} eis_trust_pair;

/* Wipes and frees both texts. */
void eis_trust_pair_clear(eis_trust_pair *pair);

typedef struct eis_trust_ca_literal {
    const char *name; /* common name; NULL = "EIS CA" */
    unsigned days;    /* validity; 0 = 3650 */
    eis_trust_key_kind key_kind;
} eis_trust_ca_literal;

typedef struct eis_trust_leaf_literal {
    const char *name;         /* common name; NULL = the first host, or "eis" */
    const char *const *hosts; /* [host_count] DNS names and IP addresses for the SAN extension */
    size_t host_count;
    bool server, client; /* extended key usage; at least one. A server needs a host */
    unsigned days;       /* validity; 0 = 825. Cut to the end of the CA's own validity */
    eis_trust_key_kind key_kind;
} eis_trust_leaf_literal;

/* Makes a CA in memory.
 *
 * Errors: EIS_ERR_USAGE (a field), EIS_ERR_MEMORY, EIS_ERR_INTERNAL (libcrypto); *ca is untouched. */
EIS_MUST_USE eis_status eis_trust_ca_make(eis_trust_pair *ca, const eis_trust_ca_literal *literal);

/* Issues a leaf certificate with a fresh key, in memory. `ca` holds the CA's certificate and key.
 *
 * Errors: EIS_ERR_USAGE   a host that is neither a DNS name nor an IP address, no use, no host for a server.
 *         EIS_ERR_PARSE   `ca` is no PEM, or no CA, or certificate and key do not belong together.
 *         EIS_ERR_MEMORY, EIS_ERR_INTERNAL; *leaf is untouched. */
EIS_MUST_USE eis_status eis_trust_leaf_make(eis_trust_pair *leaf, const eis_trust_pair *ca,
                                            const eis_trust_leaf_literal *literal);

/* `eis ca init`: makes a CA and writes dir/ca.crt and dir/ca.key (mode 0600); makes the directory (0700) if need be.
 *
 * Errors: EIS_ERR_FILE   either file exists already (it is never overwritten) or cannot be written; what was begun is
 *                        removed again. */
EIS_MUST_USE eis_status eis_trust_ca_init_files(const char *dir, const eis_trust_ca_literal *literal);

/* `eis ca issue`: reads dir/ca.crt and dir/ca.key and writes PREFIX.crt and PREFIX.key (mode 0600, never overwritten).
 *
 * Errors: as eis_trust_leaf_make and eis_trust_ca_init_files; EIS_ERR_FILE for a CA key that others may read. */
EIS_MUST_USE eis_status eis_trust_leaf_issue_files(const char *ca_dir, const char *prefix,
                                                   const eis_trust_leaf_literal *literal);

/* `eis ca revoke`: makes dir/ca.crl anew, with what it held and the serial number of the certificate in cert_path
 * (NULL: none; the list is renewed), good for `days` (0 = 30).
 *
 * Errors: EIS_ERR_USAGE  a certificate of another CA;  EIS_ERR_PARSE  a ca.crl that this CA has not signed; as above.
 */
EIS_MUST_USE eis_status eis_trust_revoke_files(const char *ca_dir, const char *cert_path, unsigned days);

/* Computes the pin of a certificate: SHA-256 of its SubjectPublicKeyInfo (DER).
 *
 * Errors: EIS_ERR_PARSE  no PEM certificate.  Outputs are untouched. */
EIS_MUST_USE eis_status eis_trust_pin_of_pem(uint8_t pin[EIS_TRUST_PIN_BYTES], const char *pem, size_t bytes);

/* The same as 64 lower-case hex digits. */
EIS_MUST_USE eis_status eis_trust_pin_hex_of_pem(char hex[EIS_TRUST_PIN_HEX_BYTES], const char *pem, size_t bytes);

#endif
