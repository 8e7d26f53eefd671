/* SPDX-License-Identifier: Apache-2.0 */
/* The keys that a client gives away, made from its secret key. All are made with seeds, so that they can be written at
 * half their length. */
#ifndef EIS_CKKS_KEYGEN_H
#define EIS_CKKS_KEYGEN_H

#include "ckks/he_keys.h"
#include "ckks/secret.h"

/* Makes the public key: an encryption of zero at key level.
 *
 * Errors:  as eis_ckks_zero_encrypt_under; *key is zeroed. */
EIS_MUST_USE eis_status eis_ckks_public_key_generate(eis_ckks_public_key *key, const eis_ckks_secret_key *secret);

/* Makes the key that switches from s^2 to s.
 *
 * Range:   _cut: for levels up to 1 <= limbs <= limbs_max (asserted).
 * Cost:    a row for each digit, each two transforms of all primes.
 * Errors:  EIS_ERR_UNSUPPORTED  the chain has no special prime; else as eis_ckks_zero_encrypt_under. *key is zeroed. */
EIS_MUST_USE eis_status eis_ckks_relin_key_generate(eis_ckks_switch_key *key, const eis_ckks_secret_key *secret);
EIS_MUST_USE eis_status eis_ckks_relin_key_generate_cut(eis_ckks_switch_key *key, const eis_ckks_secret_key *secret,
                                                        size_t limbs);

/* Makes the keys that switch from s(X^element) to s.
 *
 * Shape:   element[count], any order, once each; sorted in *keys. _cut: limbs[count], the highest level that each is
 *          used at, 1 <= limbs[i] <= limbs_max (asserted); there the elements rise.
 * Errors:  EIS_ERR_RANGE  an element is even, 1, not below 2N, or occurs twice; else as eis_ckks_relin_key_generate.
 *          *keys is zeroed. */
EIS_MUST_USE eis_status eis_ckks_galois_keys_generate(eis_ckks_galois_keys *keys, const eis_ckks_secret_key *secret,
                                                      const uint32_t *element, size_t count);
EIS_MUST_USE eis_status eis_ckks_galois_keys_generate_cut(eis_ckks_galois_keys *keys, const eis_ckks_secret_key *secret,
                                                          const uint32_t *element, const size_t *limbs, size_t count);

/* Makes all keys of a list.
 *
 * Errors:  as eis_ckks_key_needs_check, and as the makers of keys; *set is zeroed. */
EIS_MUST_USE eis_status eis_ckks_key_set_generate(eis_ckks_key_set *set, const eis_ckks_secret_key *secret,
                                                  const eis_ckks_key_need *need, size_t count);

#endif
