/* SPDX-License-Identifier: Apache-2.0 */
/* Polynomials of ciphertexts, in powers of x or in Chebyshev polynomials on an interval, at the least depth and at
 * exactly the scale that the caller asks for.
 *
 * p is cut again and again at X_g, g the largest power of two not above its degree: p = q X_g + r. Short polynomials
 * are sums of constants times X_1, X_2, ..., encoded at the scale that makes their product exactly what it has to be.
 * Products are summed while they have three polynomials, and relinearised once. X_k is x^k, or T_k(t) with
 * t = (2 x - low - high) / (high - low).
 *
 * Scales: t is x under another label, the scale of x times (high - low) / 2, so that going to t takes no level. All X_k
 * keep that scale (an integer factor lifts those that a rescale would bring lower), and so it should be near the primes
 * that the evaluation divides by: whoever makes x chooses its scale with regard to the interval.
 *
 * Source: [PS73]; the depth and exact scales [BMTH21, section 5.1]. */
#ifndef EIS_CKKS_POLYNOMIAL_H
#define EIS_CKKS_POLYNOMIAL_H

#include "ckks/eval.h"

#define EIS_CKKS_POLYNOMIAL_DEGREE_MAX 63

typedef enum eis_ckks_basis { EIS_CKKS_BASIS_POWER = 0, EIS_CKKS_BASIS_CHEBYSHEV = 1 } eis_ckks_basis;

/* coeff[0] + coeff[1] X_1 + ... + coeff[degree] X_degree. Public to whoever evaluates it. */
typedef struct eis_ckks_polynomial {
    eis_ckks_basis basis;
    size_t degree;       /* highest coefficients of 0 are left out of account */
    const double *coeff; /* [degree + 1] */
    double low, high;    /* the interval of x; read for the Chebyshev basis alone */
} eis_ckks_polynomial;

/* What an evaluation takes. */
typedef struct eis_ckks_polynomial_cost {
    size_t levels;           /* ceil(log2(degree + 1)) */
    size_t products;         /* of two ciphertexts */
    size_t relinearisations; /* the one of the result included; 0: no relinearisation key is needed */
    size_t rescales;
} eis_ckks_polynomial_cost;

/* Checks a polynomial and tells what it costs. The relinearisation key is used at x's level and below.
 *
 * Errors:  EIS_ERR_RANGE  a coefficient is not finite; the degree, counted without zeros, is 0 or above
 *                         EIS_CKKS_POLYNOMIAL_DEGREE_MAX; the interval is empty or not finite. *cost is zeroed. */
EIS_MUST_USE eis_status eis_ckks_polynomial_plan(eis_ckks_polynomial_cost *cost, const eis_ckks_polynomial *p);

/* Returns p(x) for one number, as the definition says. Range: a polynomial that passes eis_ckks_polynomial_plan. */
double eis_ckks_polynomial_value(const eis_ckks_polynomial *p, double x);

/* r = p(x) in every slot.
 *
 * Level:   x's limbs less cost.levels.
 * Scale:   exactly `scale`.
 * Range:   x has two polynomials (asserted). Chebyshev: values of x outside [low, high] give p all the same, but may
 *          wrap, since |T_k| grows fast there. relin may be NULL where cost.relinearisations is 0 (asserted).
 * Errors:  EIS_ERR_RANGE  as eis_ckks_polynomial_plan.
 *          EIS_ERR_LEVEL  x has not more limbs than the evaluation takes.
 *          EIS_ERR_SCALE  `scale` or something between does not fit its level, or is too small for its constants.
 *          EIS_ERR_KEYS_INSUFFICIENT  the key is cut to a lower level.
 *          EIS_ERR_MEMORY  *r is as it was, or zeroed. r may be x. */
EIS_MUST_USE eis_status eis_ckks_polynomial_eval(eis_ckks_ct *r, const eis_ckks_polynomial *p, const eis_ckks_ct *x,
                                                 const eis_ckks_switch_key *relin, double scale);

#endif
