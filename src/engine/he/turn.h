/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the evaluator: lifted pairs that are turned again before they are lowered.
 *
 * A rotation needs the digits of c1, so c1 has to come down from P; c0 is only permuted and may stay up. So of a chain
 * of rotations and sums only the last mod-down is whole. */
#ifndef EIS_ENGINE_HE_TURN_H
#define EIS_ENGINE_HE_TURN_H

#include "ckks/eval.h"

/* r = P times the pair of a ciphertext. Errors: EIS_ERR_SCALE, EIS_ERR_MEMORY; *r is zeroed. */
EIS_MUST_USE eis_status eis_he_lift(eis_ckks_lifted *r, const eis_ckks_ct *ct);

/* The digits of the c1 of a lifted pair, rounded by P. Errors: EIS_ERR_MEMORY; *digits is zeroed. */
EIS_MUST_USE eis_status eis_he_lifted_digits(eis_ckks_digits *digits, const eis_ckks_lifted *a);

/* r = a turned by an element, with a's digits; r = r + that. r is not a and has its shape (asserted). room[N] is
 * scratch; `turned` a lifted pair of any shape, to be reused. Errors: EIS_ERR_KEYS_INSUFFICIENT, EIS_ERR_MEMORY; *r is
 * as it was. */
EIS_MUST_USE eis_status eis_he_lifted_turn(eis_ckks_lifted *r, const eis_ckks_lifted *a, const eis_ckks_digits *digits,
                                           uint32_t element, const eis_ckks_galois_keys *keys, uint64_t *room);
EIS_MUST_USE eis_status eis_he_lifted_turn_add(eis_ckks_lifted *r, const eis_ckks_lifted *a,
                                               const eis_ckks_digits *digits, uint32_t element,
                                               const eis_ckks_galois_keys *keys, eis_ckks_lifted *turned,
                                               uint64_t *room);

#endif
