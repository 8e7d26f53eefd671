/* SPDX-License-Identifier: Apache-2.0 */
/* Computing on ciphertexts. No function here knows a secret, and none aligns what does not fit: unequal levels and
 * scales are errors, and a planner places rescales and drops where it wants them.
 *
 * Everywhere: r may be an input; the parameters of all operands are the same object (asserted). On error *r is as it
 * was, or zeroed where memory ran out. Errors of all functions:
 *   EIS_ERR_LEVEL   operands at different levels, or no level below.
 *   EIS_ERR_SCALE   scales that are not equal where they are added, or a product that does not fit its level.
 *   EIS_ERR_KEYS_INSUFFICIENT  a key that is cut to a lower level.
 *   EIS_ERR_MEMORY. */
#ifndef EIS_CKKS_EVAL_H
#define EIS_CKKS_EVAL_H

#include "ckks/switch.h"

/* r = a + b, a - b, -a. Two and three polynomials may meet. Scale: a's. */
EIS_MUST_USE eis_status eis_ckks_ct_add(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_ct *b);
EIS_MUST_USE eis_status eis_ckks_ct_sub(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_ct *b);
EIS_MUST_USE eis_status eis_ckks_ct_neg(eis_ckks_ct *r, const eis_ckks_ct *a);

/* r = a + p, a - p for a plaintext. */
EIS_MUST_USE eis_status eis_ckks_ct_add_plain(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_plain *p);
EIS_MUST_USE eis_status eis_ckks_ct_sub_plain(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_plain *p);

/* Adds an integer to the constant coefficient, that is, one number to all slots.
 * Shape:   c[limbs], its residues at the scale of `ct` (eis_slots_encode_constant). */
void eis_ckks_ct_add_constant(eis_ckks_ct *ct, const uint64_t *c);

/* r = a p; r = r + a p, where r is at a's level and has the product's scale. Scale: the product. A plaintext of zeros
 * gives a transparent ciphertext, which no writer takes: the planner skips such terms. */
EIS_MUST_USE eis_status eis_ckks_ct_mul_plain(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_plain *p);
EIS_MUST_USE eis_status eis_ckks_ct_mul_plain_add(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_plain *p);

/* r = a c; r = r + a c for an integer c that stands for c / scale. Scale: a's times `scale`. */
EIS_MUST_USE eis_status eis_ckks_ct_mul_integer(eis_ckks_ct *r, const eis_ckks_ct *a, int64_t c, double scale);
EIS_MUST_USE eis_status eis_ckks_ct_mul_integer_add(eis_ckks_ct *r, const eis_ckks_ct *a, int64_t c, double scale);

/* r = a b, with three polynomials. Range: a and b have two (asserted). Scale: the product. */
EIS_MUST_USE eis_status eis_ckks_ct_mul(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_ct *b);

/* r = r + a b, where r is at their level, has the product's scale and three polynomials (asserted): sums of products
 * are relinearised once, in the end. r is neither a nor b (asserted). */
EIS_MUST_USE eis_status eis_ckks_ct_mul_add(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_ct *b);

/* r = a a, with three polynomials. */
EIS_MUST_USE eis_status eis_ckks_ct_square(eis_ckks_ct *r, const eis_ckks_ct *a);

/* r = a value; r = r + a value; r = r + value; a number for all slots, public. The result's scale is exactly `scale`,
 * or r's: the integer that stands for `value` is round(value scale / a's scale), or round(value r's scale).
 *
 * Errors:  EIS_ERR_SCALE also where value or the quotient of the scales is not finite, or 2^1000 or above. */
EIS_MUST_USE eis_status eis_ckks_ct_mul_real(eis_ckks_ct *r, const eis_ckks_ct *a, double value, double scale);
EIS_MUST_USE eis_status eis_ckks_ct_mul_real_add(eis_ckks_ct *r, const eis_ckks_ct *a, double value);
EIS_MUST_USE eis_status eis_ckks_ct_add_real(eis_ckks_ct *r, double value);

/* r = a with two polynomials. One that has two already is copied. */
EIS_MUST_USE eis_status eis_ckks_ct_relinearise(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_switch_key *key,
                                                eis_ckks_digit_form form);

/* r = a relinearised and rescaled: the words of both, one after the other, in less time. Range: a has three polynomials
 * (asserted). */
EIS_MUST_USE eis_status eis_ckks_ct_relinearise_rescale(eis_ckks_ct *r, const eis_ckks_ct *a,
                                                        const eis_ckks_switch_key *key, eis_ckks_digit_form form);

/* Divides by the last prime of the level and rounds, bit for bit as SEAL. Level: one limb less. Scale: divided by that
 * prime exactly. */
EIS_MUST_USE eis_status eis_ckks_ct_rescale(eis_ckks_ct *ct);

/* The same, with a scale that is exactly `scale` afterwards: for factors that were encoded at eis_ckks_factor_scale,
 * whose product is that but for the rounding of doubles.
 * Errors:  EIS_ERR_SCALE also where the two differ by more than 2^-46 of it. *ct is untouched. */
EIS_MUST_USE eis_status eis_ckks_ct_rescale_to(eis_ckks_ct *ct, double scale);

/* Returns the scale of a factor such that a product with something at `scale`, rescaled from `limbs`, is at `target`.
 * Range:   limbs > 1. */
double eis_ckks_factor_scale(const eis_ckks_params *params, size_t limbs, double scale, double target);

/* Drops primes without rescaling. Range: 1 <= limbs. Errors: EIS_ERR_LEVEL where ct has fewer; EIS_ERR_SCALE where its
 * scale does not fit. */
EIS_MUST_USE eis_status eis_ckks_ct_drop(eis_ckks_ct *ct, size_t limbs);

/* r = a with the slots turned left by `steps`, conjugated, or mapped by a Galois element. Step 0 and element 1 copy.
 *
 * Range:   a has two polynomials; |steps| < N/2 (asserted).
 * Errors:  EIS_ERR_KEYS_INSUFFICIENT  no key for that element. */
EIS_MUST_USE eis_status eis_ckks_ct_rotate(eis_ckks_ct *r, const eis_ckks_ct *a, int32_t steps,
                                           const eis_ckks_galois_keys *keys, eis_ckks_digit_form form);
EIS_MUST_USE eis_status eis_ckks_ct_conjugate(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_galois_keys *keys,
                                              eis_ckks_digit_form form);
EIS_MUST_USE eis_status eis_ckks_ct_galois(eis_ckks_ct *r, const eis_ckks_ct *a, uint32_t element,
                                           const eis_ckks_galois_keys *keys, eis_ckks_digit_form form);

/* Sums slots: slot j of r is the sum over i < count of slot j + i stride of a (cyclic).
 *
 * Range:   count a power of two, count * stride <= N/2 (asserted).
 * Cost:    log2 count rotations, by stride * 1, 2, 4, ... */
EIS_MUST_USE eis_status eis_ckks_ct_sum_slots(eis_ckks_ct *r, const eis_ckks_ct *a, size_t count, size_t stride,
                                              const eis_ckks_galois_keys *keys);

/* ---- Hoisted rotations: one decomposition, many rotations -------------------------------------------------------- */

/* A ciphertext with its digits, centred. */
typedef struct eis_ckks_hoisted {
    eis_ckks_ct ct; /* a copy */
    eis_ckks_digits digits;
} eis_ckks_hoisted;

/* Decomposes a. Range: two polynomials, a chain with a special prime (asserted). Errors: *h is zeroed. */
EIS_MUST_USE eis_status eis_ckks_hoist(eis_ckks_hoisted *h, const eis_ckks_ct *a);

/* Frees. Safe on zeroed objects. */
void eis_ckks_hoisted_clear(eis_ckks_hoisted *h);

/* r = a mapped by an element, as eis_ckks_ct_galois in the centred form but for the last bits. */
EIS_MUST_USE eis_status eis_ckks_hoisted_galois(eis_ckks_ct *r, const eis_ckks_hoisted *h, uint32_t element,
                                                const eis_ckks_galois_keys *keys);

/* The same before its mod-down: r = P times the pair. Element 1 lifts the ciphertext as it is. */
EIS_MUST_USE eis_status eis_ckks_hoisted_lift(eis_ckks_lifted *r, const eis_ckks_hoisted *h, uint32_t element,
                                              const eis_ckks_galois_keys *keys);

/* r = r + a. */
EIS_MUST_USE eis_status eis_ckks_lifted_add(eis_ckks_lifted *r, const eis_ckks_lifted *a);

/* r = a p; r = r + a p, for a plaintext with special limbs. Scale: the product. */
EIS_MUST_USE eis_status eis_ckks_lifted_mul_plain(eis_ckks_lifted *r, const eis_ckks_lifted *a,
                                                  const eis_ckks_plain *p);
EIS_MUST_USE eis_status eis_ckks_lifted_mul_plain_add(eis_ckks_lifted *r, const eis_ckks_lifted *a,
                                                      const eis_ckks_plain *p);

/* r = the ciphertext of a lifted pair, by the mod-down. *lifted is used up. */
EIS_MUST_USE eis_status eis_ckks_lifted_lower(eis_ckks_ct *r, eis_ckks_lifted *lifted);

#endif
