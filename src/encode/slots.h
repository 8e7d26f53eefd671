/* SPDX-License-Identifier: Apache-2.0 */
/* Reals and complex numbers to integer polynomials and back: n/2 slots, slot i at the root zeta^(3^i), as on the SEAL
 * wire. A plaintext is a polynomial in the NTT domain and a scale; the scale is kept by the caller. */
#ifndef EIS_ENCODE_SLOTS_H
#define EIS_ENCODE_SLOTS_H

#include "base/status.h"
#include "ring/poly.h"

typedef struct eis_complex {
    double re, im;
} eis_complex;

/* The tables of one degree. Immutable after its constructor. */
typedef struct eis_slots {
    unsigned degree_log2;
    size_t degree, count;      /* n; n/2 slots */
    double *root_re, *root_im; /* [n/2]: the factors of the transform, in its order */
    uint32_t *place;           /* [n/2]: where slot i stands in the transform */
    uint32_t *slot;            /* [n/2]: which slot stands there, the inverse of place */
} eis_slots;

/* Makes the tables. Range: 2 <= degree_log2 <= EIS_NTT_DEGREE_LOG2_MAX (asserted).
 * Errors:  EIS_ERR_MEMORY  *slots is zeroed. */
EIS_MUST_USE eis_status eis_slots_init(eis_slots *slots, unsigned degree_log2);

/* Frees. Safe on zeroed tables. */
void eis_slots_clear(eis_slots *slots);

/* Encodes values: coefficient j = round(scale * (2/n) * Re sum z_i zeta^(-3^i j)), halves away from zero.
 *
 * Shape:   z[count] or x[count], count <= slots->count; the slots behind are 0. All limbs of *out are written; it is of
 *          the same degree (asserted), and its domain becomes NTT.
 * Range:   values finite; scale positive and normal; ceil(log2 max |coefficient|) + 1 < bits of the product of the
 * limbs that are not special. Secret:  values. Constant time, but for two answers: whether all are in range, and
 * whether the largest coefficient is below 2^62 (at usual scales it always is). Errors:  EIS_ERR_SHAPE   count is too
 * large. EIS_ERR_SCALE   the scale is not positive and normal. EIS_ERR_RANGE   a value is not finite, or too large for
 * the limbs at this scale. EIS_ERR_MEMORY  *out is untouched on error. */
EIS_MUST_USE eis_status eis_slots_encode(const eis_slots *slots, const eis_rns *rns, eis_poly *out,
                                         const eis_complex *z, size_t count, double scale);
EIS_MUST_USE eis_status eis_slots_encode_reals(const eis_slots *slots, const eis_rns *rns, eis_poly *out,
                                               const double *x, size_t count, double scale);

/* The same without the transform: the domain of *out becomes that of coefficients. For eis_ckks_encrypt_symmetric. */
EIS_MUST_USE eis_status eis_slots_encode_reals_coeff(const eis_slots *slots, const eis_rns *rns, eis_poly *out,
                                                     const double *x, size_t count, double scale);

/* Encodes one real for all slots: the integer round(value * scale) as its residue in each limb of *like, to be used
 * with eis_poly_mul_constant and eis_poly_add_constant.
 *
 * Shape:   c[like->limbs].
 * Errors:  EIS_ERR_SCALE, EIS_ERR_RANGE  as for eis_slots_encode. c is untouched. */
EIS_MUST_USE eis_status eis_slots_encode_constant(const eis_rns *rns, uint64_t *c, const eis_poly *like, double value,
                                                  double scale);

/* Decodes the first slots of a plaintext: coefficients centred, divided by the scale, evaluated.
 *
 * Shape:   z[count] or x[count] (the real parts), count <= slots->count. *in is in either domain, without special limbs
 *          (asserted), and is not changed.
 * Range:   scale positive and normal.
 * Secret:  *in and the values. Constant time.
 * Errors:  EIS_ERR_SHAPE   count is too large.
 *          EIS_ERR_SCALE   the scale is not positive and normal.
 *          EIS_ERR_MEMORY  the values are untouched on error. */
EIS_MUST_USE eis_status eis_slots_decode(const eis_slots *slots, const eis_rns *rns, eis_complex *z, size_t count,
                                         const eis_poly *in, double scale);
EIS_MUST_USE eis_status eis_slots_decode_reals(const eis_slots *slots, const eis_rns *rns, double *x, size_t count,
                                               const eis_poly *in, double scale);

#endif
