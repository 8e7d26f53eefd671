/* SPDX-License-Identifier: Apache-2.0 */
/* Encryption: under the secret key, with a seed in place of half the ciphertext (the client's default path), and under
 * the public key, for those who hold nothing else. Both are fresh every time; a retry sends the bytes it kept. */
#ifndef EIS_CKKS_ENCRYPT_H
#define EIS_CKKS_ENCRYPT_H

#include "ckks/ct.h"
#include "ckks/keys.h"
#include "ckks/secret.h"

/* Encrypts under the secret key: c1 = a from a fresh seed, c0 = -(a s + e) + m.
 *
 * Level:   the plaintext's, as is the scale.
 * Range:   plain has no special limb (asserted). It may be of coefficients (eis_slots_encode_reals_coeff), which saves
 *          its transforms.
 * Secret:  plain and key.
 * Errors:  as eis_ckks_zero_encrypt_under; *ct is zeroed. */
EIS_MUST_USE eis_status eis_ckks_encrypt_symmetric(eis_ckks_ct *ct, const eis_ckks_secret_key *key,
                                                   const eis_ckks_plain *plain);

/* Encrypts under the public key: zero at one prime more than the plaintext has, rounded by that prime, plus m.
 *
 * Level:   the plaintext's, as is the scale.
 * Range:   plain has no special limb and is in the value domain (asserted).
 * Secret:  plain and all randomness.
 * Errors:  EIS_ERR_UNSUPPORTED  the chain has no prime above the plaintext's level.
 *          EIS_ERR_ENTROPY, EIS_ERR_MEMORY, EIS_ERR_INTERNAL.  *ct is zeroed on error. */
EIS_MUST_USE eis_status eis_ckks_encrypt_public(eis_ckks_ct *ct, const eis_ckks_public_key *key,
                                                const eis_ckks_plain *plain);

#endif
