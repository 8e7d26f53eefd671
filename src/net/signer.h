/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures by the key of a TLS certificate, and checks of others' by the public key that a pin names. Ed25519, and
 * ECDSA or RSA (PKCS #1) over SHA-256: what the certificate has. */
#ifndef EIS_NET_SIGNER_H
#define EIS_NET_SIGNER_H

#include "net/tls.h"

#define EIS_SIGNATURE_BYTES_MAX  512 /* RSA of 4096 bits */
#define EIS_PUBLIC_KEY_BYTES_MAX 576 /* its SubjectPublicKeyInfo */

typedef struct eis_signature {
    uint32_t bytes;
    uint8_t data[EIS_SIGNATURE_BYTES_MAX];
} eis_signature;

/* A SubjectPublicKeyInfo in DER: the SHA-256 of it is a pin. */
typedef struct eis_public_key {
    uint32_t bytes;
    uint8_t data[EIS_PUBLIC_KEY_BYTES_MAX];
} eis_public_key;

typedef struct eis_signer eis_signer;     /* immutable; many threads may use one */
typedef struct eis_verifier eis_verifier; /* the same */

/* Makes a signer from a private key in PEM. Secret: key_pem.
 * Errors:  EIS_ERR_TLS  no such key, or one of a kind or size that is not above;  EIS_ERR_MEMORY. *signer is NULL. */
EIS_MUST_USE eis_status eis_net_signer_new(eis_signer **signer, eis_span key_pem);

/* Frees. NULL is allowed. */
void eis_net_signer_free(eis_signer *signer);

/* The public half. */
const eis_public_key *eis_net_signer_public(const eis_signer *signer);

/* Signs. Cost: about 20 us with Ed25519 or P-256. Errors: EIS_ERR_INTERNAL, EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_net_signer_sign(eis_signature *signature, const eis_signer *signer, const void *data,
                                            size_t bytes);

/* Makes a verifier from the public key that a pin names.
 * Errors:  EIS_ERR_INTEGRITY  another key than that of the pin, or no key;  EIS_ERR_MEMORY. *verifier is NULL. */
EIS_MUST_USE eis_status eis_net_verifier_new(eis_verifier **verifier, const eis_public_key *key,
                                             const eis_tls_pin *pin);

/* Frees. NULL is allowed. */
void eis_net_verifier_free(eis_verifier *verifier);

/* Checks a signature. Errors: EIS_ERR_INTEGRITY, EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_net_verifier_check(const eis_verifier *verifier, const eis_signature *signature,
                                               const void *data, size_t bytes);

#endif
