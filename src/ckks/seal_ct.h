/* SPDX-License-Identifier: Apache-2.0 */
/* Ciphertexts as SEAL objects. A reader is told what it expects: a server its model's level, a client the planned
 * reply. What is read has passed every check, so no evaluation sees anything else. */
#ifndef EIS_CKKS_SEAL_CT_H
#define EIS_CKKS_SEAL_CT_H

#include "ckks/ct.h"
#include "ckks/seal_wire.h"

/* What a reader takes. Zeroed: two polynomials, any data level, any scale that fits, seeded or full. */
typedef struct eis_ckks_ct_rules {
    size_t polys;    /* exactly these many; 0 means 2 */
    size_t limbs;    /* exactly this level; 0: any */
    double scale;    /* within 2^-20 of this; 0: any */
    bool full_only;  /* refuse seeds: a reply is never seeded */
    bool plain_only; /* refuse compression */
} eis_ckks_ct_rules;

/* Returns the bytes of an object, not compressed. Range: seeded only with two polynomials (asserted). */
size_t eis_ckks_ct_bytes(const eis_ckks_params *params, size_t polys, size_t limbs, eis_seal_form form, bool seeded);

/* Appends a ciphertext; seeded where it has a seed and `seeded` is set.
 *
 * Errors:  sticky in w; EIS_ERR_INTERNAL for a transparent ciphertext, which is never sent. */
void eis_ckks_ct_write(eis_writer *w, const eis_ckks_ct *ct, eis_seal_style style, bool seeded);

/* Reads a ciphertext.
 *
 * Shape:   data[bytes], the whole object. *form (NULL: not wanted) gets the form that answers it.
 * Cost:    memory of the expanded ciphertext, and of the decompressed object where it is compressed: both implied by
 *          the parameters and the rules, never by the input.
 * Errors:  EIS_ERR_CIPHERTEXT        malformed: all of the container, the counts, words not below their primes, a
 *                                    transparent c1 (in any limb, expanded too), an impossible scale, a number of
 *                                    polynomials, a seed or a compression that the rules refuse.
 *          EIS_ERR_CONTEXT_MISMATCH  an unknown parms_id, the key level's, another N.
 *          EIS_ERR_LEVEL, EIS_ERR_SCALE  another level or scale than the rules ask for.
 *          EIS_ERR_MEMORY            *ct is zeroed on error. */
EIS_MUST_USE eis_status eis_ckks_ct_read(eis_ckks_ct *ct, eis_seal_form *form, const eis_ckks_params *params,
                                         const eis_ckks_ct_rules *rules, const void *data, size_t bytes);

#endif
