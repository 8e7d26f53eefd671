/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that a server may hold: the public key and the keys that switch a polynomial from another secret to the
 * client's. They are made in keygen.h and travel in seal_keys.h and he_keys.h. All keep a pointer to their parameters.
 *
 * A switching key may be cut to a level: what is used at no higher level needs no more digits and primes, and has the
 * same words as the whole key there. */
#ifndef EIS_CKKS_KEYS_H
#define EIS_CKKS_KEYS_H

#include "ckks/params.h"
#include "rand/expand.h"
#include "ring/poly.h"

/* One encryption, b = -(a s + e) + what it carries; both polynomials in the value domain, on all primes or on those of
 * a level and the special ones. */
typedef struct eis_ckks_row {
    eis_poly b, a;
    unsigned generator; /* not 0: `a` is the expansion of `seed`, and may be written as that */
    uint8_t seed[EIS_EXPAND_SEED_BYTES];
} eis_ckks_row;

typedef struct eis_ckks_public_key {
    const eis_ckks_params *params;
    eis_ckks_row row; /* an encryption of zero */
} eis_ckks_public_key;

/* Switches from a secret s' to s. Row j carries, in the limbs of digit j alone, (P mod q_i) s'. */
typedef struct eis_ckks_switch_key {
    const eis_ckks_params *params;
    size_t limbs;      /* the highest level that it serves: limbs_max, or less where it is cut */
    size_t digits;     /* eis_ckks_digit_count(params, limbs) */
    uint64_t *block;   /* the words of all rows */
    eis_ckks_row *row; /* [digits], on the primes of that level and the special ones */
} eis_ckks_switch_key;

/* Words by which the halves of a key's rows, and digits, stand apart in memory beyond their length, which is a multiple
 * of every cache's period: a product with a key reads them all at once, and without it they would fight for the same
 * few lines. (At N = 16384 and 7 digits that took half of the time.) */
#define EIS_CKKS_STREAM_GAP ((size_t)384)

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

/* The same on the primes of a level and the special ones. Range: 1 <= limbs <= limbs_max (asserted). */
EIS_MUST_USE eis_status eis_ckks_row_init_cut(eis_ckks_row *row, const eis_ckks_params *params, size_t limbs);

/* Copies a row to one that is made on the primes of the same or a lower level. Seeds are copied where nothing is left
 * out. */
void eis_ckks_row_cut(eis_ckks_row *r, const eis_ckks_row *row, size_t limbs);

/* Allocates a key of zeros, whole or cut. What it held is freed.
 *
 * Range:   1 <= limbs <= limbs_max (asserted).
 * Errors:  EIS_ERR_UNSUPPORTED  the chain has no special prime.
 *          EIS_ERR_MEMORY       *key is zeroed on error. */
EIS_MUST_USE eis_status eis_ckks_switch_key_init(eis_ckks_switch_key *key, const eis_ckks_params *params);
EIS_MUST_USE eis_status eis_ckks_switch_key_init_cut(eis_ckks_switch_key *key, const eis_ckks_params *params,
                                                     size_t limbs);

/* r = the key, cut to a level. r may be the key, whose memory is then freed. Where something is left out, seeds are
 * too: they stand for all words of their row.
 *
 * Range:   1 <= limbs <= key->limbs (asserted).
 * Errors:  EIS_ERR_MEMORY  *r is as it was. */
EIS_MUST_USE eis_status eis_ckks_switch_key_cut(eis_ckks_switch_key *r, const eis_ckks_switch_key *key, size_t limbs);

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

/* Returns the bytes of a key's words, cut to a level or whole. Range: the chain has special primes. */
static inline size_t eis_ckks_switch_key_bytes_cut(const eis_ckks_params *params, size_t limbs)
{
    return eis_ckks_digit_count(params, limbs) * 2 * (limbs + params->special_count) * params->degree *
           sizeof(uint64_t);
}

static inline size_t eis_ckks_switch_key_bytes(const eis_ckks_params *params)
{
    return eis_ckks_switch_key_bytes_cut(params, params->limbs_max);
}

#endif
