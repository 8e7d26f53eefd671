/* SPDX-License-Identifier: Apache-2.0 */
/* The keys that a client gives away, made from its secret key. All are made with seeds, so that they can be written at
 * half their length. */
#ifndef EIS_CKKS_KEYGEN_H
#define EIS_CKKS_KEYGEN_H

#include "ckks/keys.h"
#include "ckks/secret.h"

/* Makes the public key: an encryption of zero at key level.
 *
 * Errors:  as eis_ckks_zero_encrypt; *key is zeroed. */
EIS_MUST_USE eis_status eis_ckks_public_key_generate(eis_ckks_public_key *key, const eis_ckks_secret_key *secret);

/* Makes the key that switches from s^2 to s.
 *
 * Cost:    limbs_max rows, each two transforms of all primes.
 * Errors:  EIS_ERR_UNSUPPORTED  the chain has no special prime; else as eis_ckks_zero_encrypt. *key is zeroed. */
EIS_MUST_USE eis_status eis_ckks_relin_key_generate(eis_ckks_switch_key *key, const eis_ckks_secret_key *secret);

/* Makes the keys that switch from s(X^element) to s.
 *
 * Shape:   element[count], any order, once each; sorted in *keys.
 * Errors:  EIS_ERR_RANGE  an element is even, 1, not below 2N, or occurs twice; else as eis_ckks_relin_key_generate.
 *          *keys is zeroed. */
EIS_MUST_USE eis_status eis_ckks_galois_keys_generate(eis_ckks_galois_keys *keys, const eis_ckks_secret_key *secret,
                                                      const uint32_t *element, size_t count);

#endif
