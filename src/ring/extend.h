/* SPDX-License-Identifier: Apache-2.0 */
/* Taking a number from some primes to another: a digit of several primes, or the remainder of several special primes.
 *
 * Of a group of neighbouring primes with product D, x is the sum of y_i D / q_i less e D, with y_i = x (D / q_i)^-1 mod
 * q_i, centred, and e found from the sum of y_i / q_i in doubles. A sum that rounds to the wrong side leaves x beyond
 * its range by less than 2^-40 D, never elsewhere: e is rounded where x is centred, and rounded down where it is in [0,
 * D).
 *
 * Source: [HPS19, section 2.2]. */
#ifndef EIS_RING_EXTEND_H
#define EIS_RING_EXTEND_H

#include "ring/rns.h"

#include <stdbool.h>

/* Primes [first, first + count) of a chain. */
typedef struct eis_rns_group {
    size_t first, count;
} eis_rns_group;

/* e is kept as a residue of this number, which is more than twice as large. */
#define EIS_RNS_EXCESS_MODULUS (2 * EIS_RNS_PRIMES_MAX + 1)

/* Prepares residues: y_i in place of x's, and e.
 *
 * Shape:   x[count][n], coefficients; e[n].
 * Range:   canonical in and out, e modulo EIS_RNS_EXCESS_MODULUS.
 * Secret:  x. Constant time. */
void eis_rns_split_raw(const eis_rns *rns, uint64_t *x, uint64_t *e, eis_rns_group group, bool centred);

/* r = x mod the prime `to`, from what eis_rns_split_raw made.
 *
 * Shape:   r[n], y[count][n], e[n], scratch[n], none overlapping.
 * Range:   canonical; `to` is not in the group (asserted).
 * Secret:  y and e. Constant time. */
void eis_rns_extend_raw(const eis_rns *rns, uint64_t *r, const uint64_t *y, const uint64_t *e, eis_rns_group group,
                        size_t to, uint64_t *scratch);

/* Returns the product of the group's primes mod the prime `to`, and the inverse. Range: `to` is not in the group. */
uint64_t eis_rns_group_product(const eis_rns *rns, eis_rns_group group, size_t to);
eis_zq_factor eis_rns_group_inverse(const eis_rns *rns, eis_rns_group group, size_t to);

#endif
