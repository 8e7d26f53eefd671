/* SPDX-License-Identifier: Apache-2.0 */
/* Polynomials in residues: limb-major words over some primes of a chain, and the domain that they are in.
 *
 * A polynomial has `limbs` limbs. The last `special` of them belong to the last primes of the chain, the others to the
 * first primes: so a ciphertext at level L has L limbs and no special ones, a key has all limbs, and the sum of a key
 * switch at level L has L + 1 limbs with one special. Which and how many is public; words may be secret.
 *
 * Shapes, domains and primes that do not agree are a broken contract (EIS_ASSERT). Every word in memory is canonical.
 * All functions are constant time in words. `_raw` cores, one limb each, stand in ring/ntt.h, kernel/ntt.h and below,
 * so that callers can split limbs among threads. */
#ifndef EIS_RING_POLY_H
#define EIS_RING_POLY_H

#include "base/status.h"
#include "ring/rns.h"

#include <stdbool.h>

typedef enum eis_domain { EIS_DOMAIN_COEFF = 0, EIS_DOMAIN_NTT = 1 } eis_domain;

typedef struct eis_poly {
    size_t limbs, degree;
    size_t special; /* how many of the limbs are at the end of the chain */
    eis_domain domain;
    uint64_t *words;    /* [limbs][degree] */
    size_t limbs_owned; /* of the allocation; 0: the words belong to somebody else */
    bool secret;        /* wiped when cleared */
} eis_poly;

/* Allocates a polynomial of zeros. What it held before is cleared first (so it is valid zeroed or made).
 *
 * Range:   special <= limbs <= rns->count, limbs > 0 (asserted).
 * Errors:  EIS_ERR_MEMORY  *poly is zeroed. */
EIS_MUST_USE eis_status eis_poly_init(const eis_rns *rns, eis_poly *poly, size_t limbs, size_t special,
                                      eis_domain domain);

/* The same for secrets: out of core dumps, wiped when cleared. */
EIS_MUST_USE eis_status eis_poly_init_secret(const eis_rns *rns, eis_poly *poly, size_t limbs, size_t special,
                                             eis_domain domain);

/* Returns a polynomial over words that somebody else owns. Shape: words[limbs][rns->degree]. */
eis_poly eis_poly_view(const eis_rns *rns, uint64_t *words, size_t limbs, size_t special, eis_domain domain);

/* Frees; wipes what is secret. Safe on a zeroed polynomial. */
void eis_poly_clear(eis_poly *poly);

/* Returns the number in the chain of the prime of a limb. */
static inline size_t eis_poly_prime(const eis_rns *rns, const eis_poly *poly, size_t limb)
{
    return limb < poly->limbs - poly->special ? limb : rns->count - poly->limbs + limb;
}

/* Returns the tables of a limb's prime. */
static inline const eis_ntt_plan *eis_poly_plan(const eis_rns *rns, const eis_poly *poly, size_t limb)
{
    return &rns->plan[eis_poly_prime(rns, poly, limb)];
}

/* Returns the words of a limb. */
static inline uint64_t *eis_poly_limb(const eis_poly *poly, size_t limb) { return poly->words + limb * poly->degree; }

/* Tells whether every word is below its prime. Secret: words; only the answer for all together is looked at. */
bool eis_poly_canonical(const eis_rns *rns, const eis_poly *poly);

/* Tells whether a limb has only zeros. Variable time only in the answer. */
bool eis_poly_limb_is_zero(const eis_poly *poly, size_t limb);

/* r = a, for equal shapes; the domain is taken over. */
void eis_poly_copy(const eis_rns *rns, eis_poly *r, const eis_poly *a);

/* Cuts the polynomial to its first limbs: a change to fewer primes without rescaling. Range: limbs <= poly->limbs,
 * poly->special = 0 (asserted). */
void eis_poly_drop_limbs(eis_poly *poly, size_t limbs);

/* Transforms all limbs in place. Range: the other domain (asserted). */
void eis_poly_to_ntt(const eis_rns *rns, eis_poly *poly);
void eis_poly_to_coeff(const eis_rns *rns, eis_poly *poly);

/* r = a + b, a - b, -a. Shape: equal limbs, special and domain; r may be a or b. */
void eis_poly_add(const eis_rns *rns, eis_poly *r, const eis_poly *a, const eis_poly *b);
void eis_poly_sub(const eis_rns *rns, eis_poly *r, const eis_poly *a, const eis_poly *b);
void eis_poly_neg(const eis_rns *rns, eis_poly *r, const eis_poly *a);

/* r = a * b, r = r + a * b in the ring. Range: the domain is NTT (asserted). */
void eis_poly_mul(const eis_rns *rns, eis_poly *r, const eis_poly *a, const eis_poly *b);
void eis_poly_mul_add(const eis_rns *rns, eis_poly *r, const eis_poly *a, const eis_poly *b);

/* r = a * c, r = r + a * c for an integer c, given as its residue in each limb. Shape: c[limbs], canonical. */
void eis_poly_mul_constant(const eis_rns *rns, eis_poly *r, const eis_poly *a, const uint64_t *c);
void eis_poly_mul_constant_add(const eis_rns *rns, eis_poly *r, const eis_poly *a, const uint64_t *c);

/* r = a * c for a signed integer c. */
void eis_poly_mul_i64(const eis_rns *rns, eis_poly *r, const eis_poly *a, int64_t c);

/* Adds the integer c[limb] to the polynomial: to coefficient 0, or to all values. Shape: c[limbs], canonical. */
void eis_poly_add_constant(const eis_rns *rns, eis_poly *r, const uint64_t *c);

/* r = a(X^element), in either domain. Shape: as a; r is not a. Range: element odd, below 2n (asserted).
 * Errors:  EIS_ERR_MEMORY  (the order of the value domain). r is untouched. */
EIS_MUST_USE eis_status eis_poly_galois(const eis_rns *rns, eis_poly *r, const eis_poly *a, uint32_t element);

/* The same in the value domain with an order from eis_ntt_galois_order. Shape: order[n]. */
void eis_poly_permute(const eis_rns *rns, eis_poly *r, const eis_poly *a, const uint32_t *order);

/* Sets a polynomial from small signed coefficients; its domain becomes COEFF.
 *
 * Shape:   coeff[n].
 * Secret:  coeff. */
void eis_poly_set_small(const eis_rns *rns, eis_poly *r, const int8_t *coeff);
void eis_poly_set_i64(const eis_rns *rns, eis_poly *r, const int64_t *coeff);

/* Divides by the last prime and rounds: a becomes (a - r) / q_last with r the residue in [-(q-1)/2, (q-1)/2], bit for
 * bit as SEAL. Either domain, which stays. poly->special stays: it is 0, or 1 (the mod-down by the single special
 * prime; then it becomes 0), both by the same rule. In place; the last limb is used up.
 *
 * Shape:   limbs > 1, special <= 1 (asserted). scratch[n], holds secrets: the caller wipes it.
 * Cost:    in the value domain one inverse transform and limbs - 1 forward ones. */
void eis_poly_rescale_raw(const eis_rns *rns, eis_poly *poly, uint64_t *scratch);

/* The same with scratch of its own, wiped.
 * Errors:  EIS_ERR_MEMORY  poly is untouched. */
EIS_MUST_USE eis_status eis_poly_rescale(const eis_rns *rns, eis_poly *poly);

/* One limb of a digit: the coefficients t of prime `from`, taken into prime `to`.
 *
 * Shape:   r[n], t[n]; may be equal.
 * Range:   t canonical mod `from`; r canonical mod `to`. centred: t stands for its value in [-(q-1)/2, (q-1)/2]; else
 *          in [0, q), the reference form. */
void eis_poly_digit_raw(const eis_rns *rns, uint64_t *r, const uint64_t *t, size_t from, size_t to, bool centred);

#endif
