/* SPDX-License-Identifier: Apache-2.0 */
/* Transforms of Z_q[X]/(X^n + 1) in the order of the SEAL wire, and the order of a rotation. */
#ifndef EIS_RING_NTT_H
#define EIS_RING_NTT_H

#include "base/status.h"
#include "kernel/ntt.h"

/* Makes the tables of one prime.
 *
 * Range:   1 <= degree_log2 <= EIS_NTT_DEGREE_LOG2_MAX.
 * Cost:    32 n bytes, 64 n for primes of up to 50 bits, 96 n for these where the processor has AVX-512 IFMA.
 * Errors:  EIS_ERR_RANGE   q is no prime below 2^61 with q = 1 mod 2n, or the degree is out of range.
 *          EIS_ERR_MEMORY  *plan is zeroed on error. */
EIS_MUST_USE eis_status eis_ntt_plan_init(eis_ntt_plan *plan, unsigned degree_log2, uint64_t q);

/* Frees the tables. Safe on a zeroed plan. */
void eis_ntt_plan_clear(eis_ntt_plan *plan);

/* Transforms one limb from coefficients to values, in place.
 *
 * Shape:   a[n], n = plan->degree.
 * Range:   in  each a[i] in [0, EIS_NTT_LAZY_BOUND q), natural order.
 *          out canonical, bit-reversed order: a[i] is the value at psi^(2 brv(i) + 1).
 * Secret:  a. Constant time. */
void eis_ring_ntt_forward(uint64_t *a, const eis_ntt_plan *plan);

/* Transforms one limb from values to coefficients, in place, the factor 1/n included.
 *
 * Range:   canonical words in and out.
 * Secret:  a. Constant time. */
void eis_ring_ntt_inverse(uint64_t *a, const eis_ntt_plan *plan);

/* Reverses the lowest `bits` bits of i. Range: i < 2^bits, bits <= 32. */
uint32_t eis_ntt_bit_reverse(uint32_t i, unsigned bits);

/* Writes the order of the map X -> X^element in the value domain: value i of the image is value order[i] of the
 * argument, the same in all limbs.
 *
 * Shape:   order[n], n = 2^degree_log2.
 * Range:   element odd, below 2n (asserted). */
void eis_ntt_galois_order(uint32_t *order, unsigned degree_log2, uint32_t element);

/* Maps coefficients: r(X) = a(X^element) mod X^n + 1.
 *
 * Shape:   r[n], a[n], not overlapping.
 * Range:   canonical words; element odd, below 2n (asserted).
 * Secret:  a. Constant time; element is public. */
void eis_ring_galois_coeff_raw(uint64_t *r, const uint64_t *a, unsigned degree_log2, uint32_t element, uint64_t q);

/* Maps values: r[i] = a[order[i]]. Shape: r[n], a[n], order[n]; r and a do not overlap. Secret: a. */
void eis_ring_permute_raw(uint64_t *r, const uint64_t *a, const uint32_t *order, size_t n);

#endif
