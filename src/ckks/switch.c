/* SPDX-License-Identifier: Apache-2.0 */
/* Digits, their products with keys, and the mod-down. */
#include "ckks/switch.h"

#include "base/mem.h"
#include "kernel/kernel.h"
#include "ring/zq.h"

#include <string.h>

/* Number in the chain of the i-th prime of a key switch: the level's primes, then P. */
static size_t switch_prime(const eis_ckks_params *params, size_t limbs, size_t i)
{
    return i < limbs ? i : params->prime_count - 1;
}

/* Writes digit j on the i-th prime. coeff: [limbs][N], the coefficients of t; values: t itself. On its own prime a
 * digit is t's limb, in either form. */
static void digit_on(uint64_t *r, const eis_ckks_params *params, size_t limbs, const uint64_t *coeff,
                     const uint64_t *values, size_t j, size_t i, eis_ckks_digit_form form)
{
    size_t n = params->degree, prime = switch_prime(params, limbs, i);

    if (i == j) {
        memcpy(r, values + j * n, n * sizeof *r);
        return;
    }
    eis_poly_digit_raw(&params->rns, r, coeff + j * n, j, prime, form == EIS_CKKS_DIGITS_CENTRED);
    eis_ring_ntt_forward(r, &params->rns.plan[prime]);
}

/* r = the coefficients of all limbs of t. */
static void to_coefficients(uint64_t *r, const eis_ckks_params *params, const eis_poly *t)
{
    memcpy(r, t->words, t->limbs * t->degree * sizeof *r);
    for (size_t j = 0; j < t->limbs; j++) eis_ring_ntt_inverse(r + j * t->degree, &params->rns.plan[j]);
}

/* One prime of the product with a key. digits: [limbs][N]. */
static void multiply_on(eis_ckks_lifted *r, const uint64_t *digits, const eis_ckks_switch_key *key,
                        const uint32_t *order, size_t i)
{
    const eis_ckks_params *params = r->params;
    size_t n = params->degree, prime = switch_prime(params, r->limbs, i);
    const eis_modulus *m = eis_rns_modulus(&params->rns, prime);
    const uint64_t *digit[EIS_RNS_PRIMES_MAX], *b[EIS_RNS_PRIMES_MAX], *a[EIS_RNS_PRIMES_MAX];

    for (size_t j = 0; j < r->limbs; j++) {
        digit[j] = digits + j * n;
        b[j] = eis_poly_limb(&key->row[j].b, prime);
        a[j] = eis_poly_limb(&key->row[j].a, prime);
    }
    eis_kernels_get()->zq.dot(eis_poly_limb(&r->c0, i), digit, b, r->limbs, order, n, m);
    eis_kernels_get()->zq.dot(eis_poly_limb(&r->c1, i), digit, a, r->limbs, order, n, m);
}

static void check_poly(const eis_ckks_params *params, const eis_poly *t)
{
    EIS_ASSERT(params->has_special && t->special == 0 && t->domain == EIS_DOMAIN_NTT && t->limbs <= params->limbs_max);
    EIS_VERIFY(eis_poly_canonical(&params->rns, t));
}

eis_status eis_ckks_digits_init(eis_ckks_digits *digits, const eis_ckks_params *params, const eis_poly *t,
                                eis_ckks_digit_form form)
{
    eis_status st = EIS_OK;
    uint64_t *coeff = NULL;
    size_t limbs = t->limbs, n = params->degree;

    check_poly(params, t);
    eis_ckks_digits_clear(digits);
    EIS_NEW(coeff, limbs * n);
    EIS_NEW(digits->words, (limbs + 1) * limbs * n);
    digits->params = params;
    digits->limbs = limbs;
    to_coefficients(coeff, params, t);
    for (size_t i = 0; i <= limbs; i++)
        for (size_t j = 0; j < limbs; j++)
            digit_on(digits->words + (i * limbs + j) * n, params, limbs, coeff, t->words, j, i, form);
out:
    if (st != EIS_OK) eis_ckks_digits_clear(digits);
    eis_mem_free(coeff);
    return st;
}

void eis_ckks_digits_clear(eis_ckks_digits *digits)
{
    eis_mem_free(digits->words);
    *digits = (eis_ckks_digits){0};
}

eis_status eis_ckks_lifted_init(eis_ckks_lifted *r, const eis_ckks_params *params, size_t limbs, double scale)
{
    eis_status st = EIS_OK;

    EIS_ASSERT(params->has_special && limbs >= 1 && limbs <= params->limbs_max);
    EIS_REQUIRE(eis_ckks_scale_fits(params, scale, limbs), EIS_ERR_SCALE, "the scale does not fit %zu limbs", limbs);
    if (r->params != params || r->limbs != limbs || r->c0.special != 1) {
        eis_ckks_lifted_clear(r);
        EIS_TRY(eis_poly_init(&params->rns, &r->c0, limbs + 1, 1, EIS_DOMAIN_NTT));
        EIS_TRY(eis_poly_init(&params->rns, &r->c1, limbs + 1, 1, EIS_DOMAIN_NTT));
    }
    r->params = params;
    r->limbs = limbs;
    r->scale = scale;
out:
    if (st != EIS_OK) eis_ckks_lifted_clear(r);
    return st;
}

void eis_ckks_lifted_clear(eis_ckks_lifted *r)
{
    eis_poly_clear(&r->c0);
    eis_poly_clear(&r->c1);
    *r = (eis_ckks_lifted){0};
}

void eis_ckks_digits_multiply(eis_ckks_lifted *r, const eis_ckks_digits *digits, const eis_ckks_switch_key *key,
                              const uint32_t *order)
{
    size_t limbs = digits->limbs, n = digits->params->degree;

    EIS_ASSERT(r->params == digits->params && r->limbs == limbs && r->c0.special == 1 && key->params == r->params);
    for (size_t i = 0; i <= limbs; i++) multiply_on(r, digits->words + i * limbs * n, key, order, i);
}

eis_status eis_ckks_switch(eis_ckks_lifted *r, const eis_poly *t, const eis_ckks_switch_key *key,
                           eis_ckks_digit_form form)
{
    eis_status st = EIS_OK;
    const eis_ckks_params *params = r->params;
    uint64_t *coeff = NULL, *digits = NULL;
    size_t limbs = t->limbs, n = params->degree;

    check_poly(params, t);
    EIS_ASSERT(r->limbs == limbs && r->c0.special == 1 && key->params == params);
    EIS_NEW(coeff, limbs * n);
    EIS_NEW(digits, limbs * n);
    to_coefficients(coeff, params, t);
    for (size_t i = 0; i <= limbs; i++) {
        for (size_t j = 0; j < limbs; j++) digit_on(digits + j * n, params, limbs, coeff, t->words, j, i, form);
        multiply_on(r, digits, key, NULL, i);
    }
out:
    eis_mem_free(coeff);
    eis_mem_free(digits);
    return st;
}

eis_status eis_ckks_lift_add(const eis_ckks_params *params, eis_poly *half, const eis_poly *a, const uint32_t *order)
{
    eis_status st = EIS_OK;
    const eis_zq_kernels *k = &eis_kernels_get()->zq;
    uint64_t special = eis_rns_modulus(&params->rns, params->prime_count - 1)->q, *turned = NULL;
    size_t n = params->degree;

    EIS_ASSERT(half->special == 1 && half->limbs == a->limbs + 1 && a->special == 0 && a->domain == EIS_DOMAIN_NTT);
    if (order != NULL) EIS_NEW(turned, n);
    for (size_t i = 0; i < a->limbs; i++) { /* on P itself the product is 0 */
        const eis_modulus *m = eis_rns_modulus(&params->rns, i);
        const uint64_t *words = eis_poly_limb(a, i);

        if (order != NULL) {
            eis_ring_permute_raw(turned, words, order, n);
            words = turned;
        }
        k->mul_factor_add(eis_poly_limb(half, i), words, n, eis_zq_factor_make(special, m), m);
    }
out:
    eis_mem_free(turned);
    return st;
}

eis_status eis_ckks_lifted_down(eis_ckks_lifted *lifted)
{
    eis_status st = EIS_OK;
    uint64_t *scratch = NULL;

    EIS_ASSERT(lifted->c0.special == 1 && lifted->c1.special == 1);
    EIS_NEW(scratch, lifted->params->degree);
    eis_poly_rescale_raw(&lifted->params->rns, &lifted->c0, scratch);
    eis_poly_rescale_raw(&lifted->params->rns, &lifted->c1, scratch);
out:
    eis_mem_free(scratch);
    return st;
}
