/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that a server may hold: the public key and the keys that switch a polynomial from another secret to the
 * client's. They are made in keygen.h and travel in seal_keys.h. All keep a pointer to their parameters. */
#ifndef EIS_CKKS_KEYS_H
#define EIS_CKKS_KEYS_H

#include "ckks/params.h"
#include "rand/expand.h"
#include "ring/poly.h"

/* One encryption at key level, b = -(a s + e) + what it carries; both polynomials in the value domain on all primes. */
typedef struct eis_ckks_row {
    eis_poly b, a;
    unsigned generator; /* not 0: `a` is the expansion of `seed`, and may be written as that */
    uint8_t seed[EIS_EXPAND_SEED_BYTES];
} eis_ckks_row;

typedef struct eis_ckks_public_key {
    const eis_ckks_params *params;
    eis_ckks_row row; /* an encryption of zero */
} eis_ckks_public_key;

/* Switches from a secret s' to s. Row j carries, in limb j alone, (P mod q_j) s'. */
typedef struct eis_ckks_switch_key {
    const eis_ckks_params *params;
    size_t digits;     /* the data primes: limbs_max */
    eis_ckks_row *row; /* [digits] */
} eis_ckks_switch_key;

/* The key of one element of the Galois group, with the order of values that X -> X^element brings. */
typedef struct eis_ckks_galois_key {
    uint32_t element;
    uint32_t *order; /* [N] */
    eis_ckks_switch_key key;
} eis_ckks_galois_key;

/* Keys for some elements, in rising order. */
typedef struct eis_ckks_galois_keys {
    const eis_ckks_params *params;
    size_t count;
    eis_ckks_galois_key *key; /* [count] */
} eis_ckks_galois_keys;

/* Allocates a row of zeros at key level. What it held is freed. Errors: EIS_ERR_MEMORY; *row is zeroed. */
EIS_MUST_USE eis_status eis_ckks_row_init(eis_ckks_row *row, const eis_ckks_params *params);

/* Allocates a key of zeros. What it held is freed.
 *
 * Errors:  EIS_ERR_UNSUPPORTED  the chain has no special prime.
 *          EIS_ERR_MEMORY       *key is zeroed on error. */
EIS_MUST_USE eis_status eis_ckks_switch_key_init(eis_ckks_switch_key *key, const eis_ckks_params *params);

/* Makes a set for `count` elements, whose switching keys are still zeroed.
 *
 * Shape:   element[count].
 * Range:   elements odd, above 1, below 2N, strictly rising (asserted).
 * Errors:  EIS_ERR_MEMORY  *keys is zeroed on error. */
EIS_MUST_USE eis_status eis_ckks_galois_keys_init(eis_ckks_galois_keys *keys, const eis_ckks_params *params,
                                                  const uint32_t *element, size_t count);

/* Free. Safe on zeroed objects. */
void eis_ckks_row_clear(eis_ckks_row *row);
void eis_ckks_public_key_clear(eis_ckks_public_key *key);
void eis_ckks_switch_key_clear(eis_ckks_switch_key *key);
void eis_ckks_galois_keys_clear(eis_ckks_galois_keys *keys);

/* Finds the key of an element.
 *
 * Errors:  EIS_ERR_KEYS_INSUFFICIENT  there is none; *key is NULL. Rotations are never composed silently. */
EIS_MUST_USE eis_status eis_ckks_galois_key_find(const eis_ckks_galois_key **key, const eis_ckks_galois_keys *keys,
                                                 uint32_t element);

/* Returns the bytes that a key takes in memory. */
static inline size_t eis_ckks_switch_key_bytes(const eis_ckks_params *params)
{
    return params->limbs_max * 2 * params->prime_count * params->degree * sizeof(uint64_t);
}

#endif
