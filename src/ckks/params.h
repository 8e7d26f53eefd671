/* SPDX-License-Identifier: Apache-2.0 */
/* Encryption parameters: a plain literal, one constructor that checks everything, and an object that never changes.
 *
 * A chain has `prime_count` primes. The last one is the special prime of key switching, or the last `special_count`
 * are; the others are data primes. A fresh ciphertext has all data primes as limbs, and a rescale drops its last one.
 * Every level has an identifier, the parms_id, that stands in each object on the wire.
 *
 * With several special primes a key switch takes as many data primes together as one digit. The noise of a key switch
 * is about 3.24 sqrt(sum over digits of N D^2 / 12) / P per coefficient, D a digit's product and P that of the special
 * primes: P should not be below the largest D. SEAL knows one special prime, so keys of such chains travel in our own
 * form (he_keys.h); ciphertexts fit the SEAL wire all the same, as those of a lower level of all primes. */
#ifndef EIS_CKKS_PARAMS_H
#define EIS_CKKS_PARAMS_H

#include "base/status.h"
#include "ring/rns.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EIS_CKKS_DEGREE_MIN     4096u
#define EIS_CKKS_DEGREE_MAX     65536u
#define EIS_CKKS_PARMS_ID_BYTES 32
#define EIS_CKKS_SCALE_LOG2_MAX 128 /* no scale reaches 2^128, whatever the chain; see eis_ckks_scale_fits */

/* Upper bounds of the total bits of all primes, the special one included, for a dense ternary secret.
 * Source: [BCC24, table 5.2] and [ACC18]. */
typedef enum eis_ckks_policy {
    EIS_CKKS_POLICY_2024_128 = 0, /* the default; implies the standard of 2018 */
    EIS_CKKS_POLICY_2024_192 = 1,
    EIS_CKKS_POLICY_2024_256 = 2,
    EIS_CKKS_POLICY_2018_128 = 3 /* "he-standard-2018": what SEAL enforces; an explicit choice of each side */
} eis_ckks_policy;

/* The secret's distribution. Only dense ternary is taken: the tables hold for nothing else that we sample. */
typedef enum eis_ckks_secret { EIS_CKKS_SECRET_TERNARY = 0, EIS_CKKS_SECRET_SPARSE = 1 } eis_ckks_secret;

/* What a user writes down. Zeroed members mean the default where there is one. */
typedef struct eis_ckks_literal {
    size_t degree;                       /* N, a power of two */
    size_t prime_count;                  /* special primes included; 1 means a chain without key switching */
    size_t special_count;                /* 0: one, where there are two primes or more */
    unsigned bits[EIS_RNS_PRIMES_MAX];   /* sizes, by the rule of SEAL; used where primes[0] is 0 */
    uint64_t primes[EIS_RNS_PRIMES_MAX]; /* or the primes themselves */
    double scale;                        /* the default scale of plaintexts; 0: none */
    eis_ckks_secret secret;
    eis_ckks_policy policy;
} eis_ckks_literal;

/* Immutable; many threads may read it. */
typedef struct eis_ckks_params {
    eis_rns rns;
    size_t degree, prime_count;
    size_t special_count; /* 0 where there is one prime */
    size_t limbs_max;     /* of a fresh ciphertext: prime_count - special_count */
    bool has_special;     /* special_count > 0 */
    double scale;         /* default, 0 for none */
    eis_ckks_policy policy;
    unsigned total_bits;                                               /* of the product of all primes */
    unsigned level_bits[EIS_RNS_PRIMES_MAX + 1];                       /* [limbs] of the product of the first primes */
    uint8_t parms_id[EIS_RNS_PRIMES_MAX + 1][EIS_CKKS_PARMS_ID_BYTES]; /* [limbs]; [prime_count] is the key level's */
} eis_ckks_params;

/* Checks a literal and makes the parameters with all their tables.
 *
 * Cost:    about 100 bytes per coefficient and prime, 5 ms for N = 8192 and four primes.
 * Errors:  EIS_ERR_POLICY  too many bits for the degree and the policy, a degree outside [4096, 65536], a secret that
 *                          is not dense ternary, an unknown policy.
 *          EIS_ERR_RANGE   the degree is no power of two; primes that do not fit or are not distinct; sizes outside
 *                          2..60 bits; no data prime; a default scale that is not normal or does not fit.
 *          EIS_ERR_MEMORY  *params is NULL on error. */
EIS_MUST_USE eis_status eis_ckks_params_new(const eis_ckks_params **params, const eis_ckks_literal *literal);

/* Frees. NULL is allowed. */
void eis_ckks_params_free(const eis_ckks_params *params);

/* Returns the bound of a policy in bits, or 0 where it knows no such degree. */
unsigned eis_ckks_policy_bits(eis_ckks_policy policy, size_t degree);

/* Returns the name of a policy, as it stands in registries: "he-guidelines-2024-128", "he-standard-2018". */
const char *eis_ckks_policy_name(eis_ckks_policy policy);

/* Finds a policy by its name. Returns false for an unknown one; *policy is then untouched. */
bool eis_ckks_policy_parse(eis_ckks_policy *policy, const char *name);

/* Returns the slots of a ciphertext: N/2. */
static inline size_t eis_ckks_slots(const eis_ckks_params *params) { return params->degree / 2; }

/* Returns the digits of a key switch at a level: as many data primes as there are special ones make one. */
static inline size_t eis_ckks_digit_count(const eis_ckks_params *params, size_t limbs)
{
    return (limbs + params->special_count - 1) / params->special_count;
}

/* Returns the prime that a rescale at this level divides by. Range: 1 < limbs <= prime_count. */
static inline uint64_t eis_ckks_last_prime(const eis_ckks_params *params, size_t limbs)
{
    return eis_rns_modulus(&params->rns, limbs - 1)->q;
}

/* Returns the limbs of a data level, prime_count for the key level, or 0 where the id is not one of ours.
 * Shape: id[EIS_CKKS_PARMS_ID_BYTES]. Where there is one prime alone, both levels are the same. */
size_t eis_ckks_parms_id_limbs(const eis_ckks_params *params, const uint8_t *id);

/* Tells whether a scale is positive, normal, below 2^EIS_CKKS_SCALE_LOG2_MAX and below the product of the limbs. */
bool eis_ckks_scale_fits(const eis_ckks_params *params, double scale, size_t limbs);

/* Tells whether two scales are equal as addition wants it: |a - b| < 2^-52 max(|a|, |b|, 1). */
bool eis_ckks_scale_equal(double a, double b);

/* Returns the element of the Galois group that turns slots left by `steps` (right where negative): slot 0 gets what was
 * in slot `steps`. Range: |steps| < N/2 (asserted); 0 gives 1, which needs no key. */
uint32_t eis_ckks_rotation_element(const eis_ckks_params *params, int32_t steps);

/* Returns the element that conjugates every slot: 2N - 1. */
static inline uint32_t eis_ckks_conjugation_element(const eis_ckks_params *params)
{
    return (uint32_t)(2 * params->degree - 1);
}

#endif
