/* SPDX-License-Identifier: Apache-2.0 */
/* Random polynomials: uniform from a public seed, ternary and centred binomial from secret randomness. */
#ifndef EIS_RING_SAMPLER_H
#define EIS_RING_SAMPLER_H

#include "base/status.h"
#include "kernel/sample.h"
#include "rand/expand.h"
#include "rand/prg.h"
#include "ring/poly.h"

/* Coin pairs of an error coefficient: |e| <= 21, sigma = sqrt(21/2) = 3.24. */
#define EIS_SAMPLER_ERROR_PAIRS EIS_SAMPLE_PAIRS

/* Expands a public seed to a uniform polynomial, as the SEAL wire says: the bulk limb by limb, then replacements for
 * rejected words from the stream behind it. Used as it is, in the NTT domain, which the polynomial gets.
 *
 * Shape:   all limbs of *poly are written, in order; so a seeded key has all primes, a ciphertext those of its level.
 * Range:   out canonical.
 * Cost:    8 n limbs bytes of the stream. Variable time in the seed's words, which are public.
 * Errors:  EIS_ERR_UNSUPPORTED  unknown generator.
 *          EIS_ERR_MEMORY, EIS_ERR_INTERNAL  the words are zeros on error. */
EIS_MUST_USE eis_status eis_sampler_uniform_seeded(const eis_rns *rns, eis_poly *poly, unsigned generator,
                                                   const uint8_t seed[EIS_EXPAND_SEED_BYTES]);

/* The same from any stream: for tests, and for uniform polynomials without a seed.
 * Errors:  what the stream returns; the words are zeros on error. */
EIS_MUST_USE eis_status eis_sampler_uniform_stream(const eis_rns *rns, eis_poly *poly, const eis_byte_source *stream);

/* Draws coefficients from {-1, 0, 1}, each with probability 1/3 up to 2^-57.
 *
 * Shape:   coeff[n].
 * Secret:  coeff and the stream. Constant time, no rejection.
 * Errors:  what the stream returns; coeff is wiped. */
EIS_MUST_USE eis_status eis_sampler_ternary(int8_t *coeff, size_t n, const eis_byte_source *stream);

/* Draws coefficients as the difference of two sums of 21 coins: 6 bytes of the stream each.
 *
 * Shape:   coeff[n].
 * Secret:  coeff and the stream. Constant time, no rejection.
 * Errors:  what the stream returns; coeff is wiped. */
EIS_MUST_USE eis_status eis_sampler_error(int8_t *coeff, size_t n, const eis_byte_source *stream);

#endif
