/* SPDX-License-Identifier: Apache-2.0 */
/* A chain of primes with everything computed once: the ring Z_Q[X]/(X^n + 1) as limbs, Q their product. */
#ifndef EIS_RING_RNS_H
#define EIS_RING_RNS_H

#include "base/status.h"
#include "ring/ntt.h"

#include <stddef.h>
#include <stdint.h>

/* The longest chain. (SEAL's limit is 256; the security table at n = 65536 leaves room for 29 primes of 60 bits.) */
#define EIS_RNS_PRIMES_MAX 64

/* Immutable after its constructor; many threads may read it. */
typedef struct eis_rns {
    unsigned degree_log2;
    size_t degree;          /* n */
    size_t count;           /* primes */
    eis_ntt_plan *plan;     /* [count] */
    eis_zq_factor *inverse; /* [count][count]: entry d * count + i is 1/q_d mod q_i; unused where d = i */
} eis_rns;

/* Makes a chain.
 *
 * Shape:   primes[count], 1 <= count <= EIS_RNS_PRIMES_MAX.
 * Errors:  EIS_ERR_RANGE   a prime is unfit for the degree, or occurs twice, or a number is out of range.
 *          EIS_ERR_MEMORY  *rns is zeroed on error. */
EIS_MUST_USE eis_status eis_rns_init(eis_rns *rns, unsigned degree_log2, const uint64_t *primes, size_t count);

/* Frees the tables. Safe on a zeroed chain. */
void eis_rns_clear(eis_rns *rns);

/* Returns the modulus of a prime. */
static inline const eis_modulus *eis_rns_modulus(const eis_rns *rns, size_t prime) { return &rns->plan[prime].mod; }

/* Returns 1/q_divisor mod q_prime. Range: the two differ. */
static inline eis_zq_factor eis_rns_inverse(const eis_rns *rns, size_t divisor, size_t prime)
{
    return rns->inverse[divisor * rns->count + prime];
}

/* Returns log2 of the product of primes [0, limbs), rounded to double. */
double eis_rns_log2(const eis_rns *rns, size_t limbs);

/* Returns the bits of the product of primes [0, limbs): the smallest b with the product below 2^b. */
unsigned eis_rns_bits(const eis_rns *rns, size_t limbs);

#endif
