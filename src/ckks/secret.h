/* SPDX-License-Identifier: Apache-2.0 */
/* The secret key, and encryptions of zero under it: what client code alone links. */
#ifndef EIS_CKKS_SECRET_H
#define EIS_CKKS_SECRET_H

#include "ckks/params.h"
#include "rand/expand.h"
#include "rand/prg.h"
#include "ring/poly.h"

typedef struct eis_ckks_secret_key {
    const eis_ckks_params *params;
    eis_poly s; /* ternary; value domain, all primes; wiped when cleared */
} eis_ckks_secret_key;

/* Draws a key.
 *
 * Errors:  EIS_ERR_ENTROPY, EIS_ERR_MEMORY, EIS_ERR_INTERNAL  *key is zeroed on error. */
EIS_MUST_USE eis_status eis_ckks_secret_key_generate(eis_ckks_secret_key *key, const eis_ckks_params *params);

/* Wipes and frees. Safe on a zeroed key. */
void eis_ckks_secret_key_clear(eis_ckks_secret_key *key);

/* Returns a view of the key on the first `limbs` primes, or on all with the special one. */
eis_poly eis_ckks_secret_key_view(const eis_ckks_secret_key *key, size_t limbs, size_t special);

/* Starts a generator for secret randomness on a fresh seed of the system; no state outlives one operation, so neither a
 * fork nor a snapshot can double it. Errors: EIS_ERR_ENTROPY, EIS_ERR_MEMORY, EIS_ERR_INTERNAL. */
EIS_MUST_USE eis_status eis_ckks_secret_stream(eis_prg *prg);

/* Draws a ternary polynomial in the value domain. Shape: u has its limbs. Secret: u.
 * Errors:  EIS_ERR_MEMORY, EIS_ERR_INTERNAL  u is zeros. */
EIS_MUST_USE eis_status eis_ckks_ternary_draw(const eis_rns *rns, eis_poly *u, eis_prg *prg);

/* Encrypts zero under a secret polynomial in the value domain: a is the expansion of a fresh public seed,
 * b = -(a s + e).
 *
 * Shape:   b, a and s have equal limbs and special; seed[64] is out.
 * Secret:  s and e. The seed is 64 bytes of the system for this object alone: two objects on one seed would publish the
 *          difference of their messages.
 * Errors:  EIS_ERR_ENTROPY, EIS_ERR_MEMORY, EIS_ERR_INTERNAL  b, a and seed are zeros. */
EIS_MUST_USE eis_status eis_ckks_zero_encrypt_under(eis_poly *b, eis_poly *a, uint8_t seed[EIS_EXPAND_SEED_BYTES],
                                                    const eis_rns *rns, const eis_poly *s);

/* The same with a message, b = message - (a s + e). Shape: message as b, in either domain; as coefficients it costs no
 * transform of its own. Secret: message too. */
EIS_MUST_USE eis_status eis_ckks_message_encrypt_under(eis_poly *b, eis_poly *a, uint8_t seed[EIS_EXPAND_SEED_BYTES],
                                                       const eis_rns *rns, const eis_poly *s, const eis_poly *message);

/* The generator of our seeds: read by every SEAL that reads seeds at all. */
#define EIS_CKKS_GENERATOR EIS_EXPAND_SHAKE256

#endif
