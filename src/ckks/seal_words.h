/* SPDX-License-Identifier: Apache-2.0 */
/* What plaintexts and secret keys, and what ciphertexts and rows of keys, have in common on the wire. Used by seal_*.c
 * alone. */
#ifndef EIS_CKKS_SEAL_WORDS_H
#define EIS_CKKS_SEAL_WORDS_H

#include "ckks/params.h"
#include "ckks/seal_wire.h"
#include "rand/expand.h"
#include "ring/poly.h"

/* Copies words from the wire into all limbs of a polynomial. Shape: words[limbs * N * 8 bytes].
 * Errors:  EIS_ERR_CIPHERTEXT  a word is not below its prime. */
EIS_MUST_USE eis_status eis_seal_words_read(eis_poly *poly, const eis_rns *rns, const uint8_t *words);

/* ---- Plaintext body: parms_id | u64 coeff_count | f64 scale | array ---------------------------------------------- */

typedef struct eis_seal_plain_fields {
    const uint8_t *parms_id, *words; /* in place; words[count * 8] */
    uint64_t coeff_count, count;
    double scale;
} eis_seal_plain_fields;

void eis_seal_plain_body_write(eis_writer *w, const eis_ckks_params *params, const eis_poly *poly, double scale,
                               eis_seal_form form);

/* Reads the body to its end. Errors: EIS_ERR_CIPHERTEXT. */
EIS_MUST_USE eis_status eis_seal_plain_body_open(eis_seal_plain_fields *f, eis_seal_object *object);

/* ---- Ciphertext body: parms_id | u8 is_ntt | u64 polys | u64 N | u64 limbs | f64 scale | u64 correction | array ----
 * * The correction factor is absent when the header's major is 3. Where the array has the words of one polynomial
 * alone, a generator and its seed stand behind it, as a nested object, in place of the second. */

typedef struct eis_seal_pair_fields {
    const uint8_t *parms_id, *words; /* in place; words[count * 8] */
    bool is_ntt;
    uint64_t polys, degree, limbs, correction, count;
    double scale;
    bool seeded; /* then generator and seed hold it; the words are the first polynomial's */
    uint8_t generator;
    uint8_t seed[EIS_EXPAND_SEED_BYTES];
} eis_seal_pair_fields;

/* Returns the bytes of a body. Range: seeded only with two polynomials. */
size_t eis_seal_pair_body_bytes(size_t degree, size_t polys, size_t limbs, eis_seal_form form, bool seeded);

/* Appends a body. Shape: poly[polys]. generator 0: all polynomials; else the first one and the seed. */
void eis_seal_pair_body_write(eis_writer *w, const eis_ckks_params *params, const eis_poly *poly[], size_t polys,
                              double scale, unsigned generator, const uint8_t *seed, eis_seal_form form);

/* Reads the fields of a body, and the seed where the words are one polynomial's; checks what holds for every CKKS
 * object (NTT form, correction factor 1, a scale that is positive, normal and below 2^128, 2 to 16 polynomials, the
 * product of the counts, the generator).
 *
 * Errors:  sticky in r, with EIS_ERR_CIPHERTEXT; also returned. */
EIS_MUST_USE eis_status eis_seal_pair_body_open(eis_seal_pair_fields *f, eis_reader *r, const eis_seal_object *object);

/* Fills two polynomials of equal shape from the fields: words, or words and the expansion of the seed.
 * Errors:  EIS_ERR_CIPHERTEXT  a word is not below its prime, or some limb of the second is zero.
 *          EIS_ERR_MEMORY, EIS_ERR_INTERNAL. */
EIS_MUST_USE eis_status eis_seal_pair_words_read(eis_poly *c0, eis_poly *c1, const eis_rns *rns,
                                                 const eis_seal_pair_fields *f);

#endif
