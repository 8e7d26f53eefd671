/* SPDX-License-Identifier: Apache-2.0 */
/* Primes, moduli and roots: everything about Z/q that is public and done once. Words stand in kernel/zq_word.h. */
#ifndef EIS_RING_ZQ_H
#define EIS_RING_ZQ_H

#include "base/status.h"
#include "kernel/ntt.h"

#include <stdbool.h>

/* The smallest prime that a ring takes has 2 bits (q = 3 has no transform of degree 2, but is a modulus). */
#define EIS_ZQ_BITS_MIN 2

/* Tests whether n is prime: Miller-Rabin with the first twelve primes as bases, which is certain below 2^64.
 * Variable time. Source: [SW17]. */
bool eis_zq_is_prime_var(uint64_t n);

/* Makes a modulus.
 *
 * Range:   2 < q < 2^61, odd; a prime, where inverses or roots are asked for.
 * Errors:  EIS_ERR_RANGE  q is even or out of range. *m is untouched. */
EIS_MUST_USE eis_status eis_modulus_init(eis_modulus *m, uint64_t q);

/* Makes a factor from any word. */
eis_zq_factor eis_zq_factor_make(uint64_t value, const eis_modulus *m);

/* Returns a^exponent. Variable time in the exponent. */
uint64_t eis_zq_power_var(uint64_t a, uint64_t exponent, const eis_modulus *m);

/* Returns 1/a. Range: a reduced is not 0 (asserted), q prime. Variable time: a is public. */
uint64_t eis_zq_inverse_var(uint64_t a, const eis_modulus *m);

/* Finds the numerically smallest primitive 2n-th root of 1.
 *
 * Range:   n a power of two, 1 <= n <= 2^EIS_NTT_DEGREE_LOG2_MAX (asserted).
 * Cost:    n multiplications.
 * Errors:  EIS_ERR_RANGE  q is no prime that is 1 mod 2n. *root is untouched. */
EIS_MUST_USE eis_status eis_zq_root_find_var(uint64_t *root, size_t n, const eis_modulus *m);

/* Chooses primes of given sizes that are 1 mod 2n, by the rule of SEAL's CoeffModulus::Create: for a size that occurs c
 * times, the c largest primes of that size, handed out from left to right in rising order.
 *
 * Shape:   primes[count], bits[count].
 * Range:   bits 2..60, as SEAL; n a power of two (asserted).
 * Errors:  EIS_ERR_RANGE  a size is out of range, or there are not so many primes of it. primes is untouched. */
EIS_MUST_USE eis_status eis_zq_primes_choose(uint64_t *primes, const unsigned *bits, size_t count, size_t n);

#endif
