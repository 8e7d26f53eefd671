/* SPDX-License-Identifier: Apache-2.0 */
/* Plaintexts and ciphertexts in memory: polynomials in the value domain with the exact scale of what they hold.
 *
 * Both keep a pointer to their parameters, which must outlive them. Zeroed objects are valid to clear and to be
 * outputs. Words are canonical always; the verify build checks that on the way into every operation. */
#ifndef EIS_CKKS_CT_H
#define EIS_CKKS_CT_H

#include "ckks/params.h"
#include "rand/expand.h"
#include "ring/poly.h"

/* Fresh ciphertexts have two polynomials, products three until they are relinearised. */
#define EIS_CKKS_POLYS_MAX 3

/* A message before encryption or after decryption, or a factor of a model. With poly.special > 0 it also has limbs
 * of all special primes, for products before the mod-down of a hoisted rotation. */
typedef struct eis_ckks_plain {
    const eis_ckks_params *params;
    eis_poly poly; /* NTT */
    double scale;
} eis_ckks_plain;

typedef struct eis_ckks_ct {
    const eis_ckks_params *params;
    size_t polys, limbs;
    eis_poly poly[EIS_CKKS_POLYS_MAX]; /* [polys], each [limbs][N], NTT, no special limb */
    double scale;                      /* exact, never forced to a power of two */
    unsigned generator;                /* not 0: poly[1] is the expansion of `seed`, and may be written as that */
    uint8_t seed[EIS_EXPAND_SEED_BYTES];
} eis_ckks_ct;

/* Makes a plaintext of zeros in the value domain, for eis_slots_encode to fill. What it held is wiped.
 *
 * Range:   1 <= limbs <= limbs_max; special is 0 or the chain's special_count (asserted).
 * Errors:  EIS_ERR_SCALE   the scale does not fit the level.
 *          EIS_ERR_MEMORY  *plain is zeroed on error. */
EIS_MUST_USE eis_status eis_ckks_plain_init(eis_ckks_plain *plain, const eis_ckks_params *params, size_t limbs,
                                            size_t special, double scale);

/* Wipes and frees. Safe on a zeroed plaintext. */
void eis_ckks_plain_clear(eis_ckks_plain *plain);

/* Makes a ciphertext of zeros. What it held is freed; a ciphertext of the same shape keeps its memory, and its words.
 *
 * Range:   2 <= polys <= EIS_CKKS_POLYS_MAX, 1 <= limbs <= limbs_max (asserted).
 * Errors:  EIS_ERR_SCALE   the scale does not fit the level.
 *          EIS_ERR_MEMORY  *ct is zeroed on error. */
EIS_MUST_USE eis_status eis_ckks_ct_init(eis_ckks_ct *ct, const eis_ckks_params *params, size_t polys, size_t limbs,
                                         double scale);

/* Frees. Safe on a zeroed ciphertext. */
void eis_ckks_ct_clear(eis_ckks_ct *ct);

/* Copies a ciphertext, its seed included. r may be a. Errors: EIS_ERR_MEMORY; *r is zeroed. */
EIS_MUST_USE eis_status eis_ckks_ct_copy(eis_ckks_ct *r, const eis_ckks_ct *a);

/* Returns the ciphertext at a lower level without copying: it owns no words, is only read, and is not cleared.
 * Range:   1 <= limbs <= ct->limbs (asserted). */
eis_ckks_ct eis_ckks_ct_view(const eis_ckks_ct *ct, size_t limbs);

/* Tells whether anybody can read the message, because some limb of c1 is zero. Such a ciphertext is never sent and
 * never taken. */
bool eis_ckks_ct_is_transparent(const eis_ckks_ct *ct);

#endif
