/* SPDX-License-Identifier: Apache-2.0 */
/* Digits, their products with keys, and the mod-down. */
#include "ckks/switch.h"

#include "base/mem.h"
#include "kernel/kernel.h"
#include "ring/extend.h"
#include "ring/zq.h"

#include <string.h>

static eis_rns_group special_primes(const eis_ckks_params *params)
{
    return (eis_rns_group){params->limbs_max, params->special_count};
}

/* Number in the chain of the i-th prime of a key switch: the level's primes, then the special ones. */
static size_t switch_prime(const eis_ckks_params *params, size_t limbs, size_t i)
{
    return i < limbs ? i : params->limbs_max + (i - limbs);
}

static size_t switch_primes(const eis_ckks_params *params, size_t limbs) { return limbs + params->special_count; }

/* ---- Cutting into digits ---------------------------------------------------------------------------------------- */

/* A polynomial that is being cut. */
typedef struct cutter {
    const eis_ckks_params *params;
    size_t limbs, digits;
    eis_ckks_digit_form form;
    const uint64_t *values; /* [limbs][N], the polynomial */
    uint64_t *coeff;        /* [limbs][N], its coefficients; prepared for extension where digits have several primes */
    uint64_t *excess;       /* [digits][N], then N of scratch; NULL where digits have one prime */
} cutter;

static void cutter_clear(cutter *c)
{
    eis_mem_free(c->coeff);
    eis_mem_free(c->excess);
}

static eis_rns_group digit_primes(const cutter *c, size_t d)
{
    const size_t first = d * c->params->special_count, left = c->limbs - first;

    return (eis_rns_group){first, left < c->params->special_count ? left : c->params->special_count};
}

static eis_status cutter_begin(cutter *c, const eis_ckks_params *params, const eis_poly *t, eis_ckks_digit_form form)
{
    eis_status st = EIS_OK;
    const size_t n = params->degree;

    EIS_ASSERT(params->has_special && t->special == 0 && t->domain == EIS_DOMAIN_NTT && t->limbs <= params->limbs_max);
    EIS_VERIFY(eis_poly_canonical(&params->rns, t));
    *c = (cutter){.params = params, .limbs = t->limbs, .form = form, .values = t->words};
    c->digits = eis_ckks_digit_count(params, t->limbs);
    EIS_NEW(c->coeff, t->limbs * n);
    memcpy(c->coeff, t->words, t->limbs * n * sizeof *c->coeff);
    for (size_t i = 0; i < t->limbs; i++) eis_ring_ntt_inverse(c->coeff + i * n, &params->rns.plan[i]);
    if (params->special_count == 1) return EIS_OK;
    EIS_NEW(c->excess, (c->digits + 1) * n);
    for (size_t d = 0; d < c->digits; d++) {
        const eis_rns_group group = digit_primes(c, d);

        eis_rns_split_raw(&params->rns, c->coeff + group.first * n, c->excess + d * n, group,
                          form == EIS_CKKS_DIGITS_CENTRED);
    }
out:
    if (st != EIS_OK) cutter_clear(c);
    return st;
}

/* Returns digit d on the i-th prime: the polynomial's own limb where the prime is the digit's, in either form, or r[N],
 * which is written. */
static const uint64_t *digit_on(const cutter *c, uint64_t *r, size_t d, size_t i)
{
    const eis_rns *rns = &c->params->rns;
    const eis_rns_group group = digit_primes(c, d);
    const size_t n = rns->degree, prime = switch_prime(c->params, c->limbs, i);

    if (i >= group.first && i < group.first + group.count) return c->values + i * n;
    if (c->excess == NULL) {
        eis_poly_digit_raw(rns, r, c->coeff + d * n, d, prime, c->form == EIS_CKKS_DIGITS_CENTRED);
    } else {
        eis_rns_extend_raw(rns, r, c->coeff + group.first * n, c->excess + d * n, group, prime,
                           c->excess + c->digits * n);
    }
    eis_ring_ntt_forward(r, &rns->plan[prime]);
    return r;
}

/* ---- Products with keys ----------------------------------------------------------------------------------------- */

/* One prime of the product with a key. Shape: digit[digits]. */
static void multiply_on(eis_ckks_lifted *r, const uint64_t *const *digit, const eis_ckks_switch_key *key,
                        const uint32_t *order, size_t i)
{
    const eis_ckks_params *params = r->params;
    const size_t digits = eis_ckks_digit_count(params, r->limbs), limb = i < r->limbs ? i : key->limbs + (i - r->limbs);
    const uint64_t *b[EIS_RNS_PRIMES_MAX], *a[EIS_RNS_PRIMES_MAX];

    for (size_t d = 0; d < digits; d++) {
        b[d] = eis_poly_limb(&key->row[d].b, limb);
        a[d] = eis_poly_limb(&key->row[d].a, limb);
    }
    eis_kernels_get()->zq.dot_pair(eis_poly_limb(&r->c0, i), eis_poly_limb(&r->c1, i), digit, b, a, digits, order,
                                   params->degree, eis_rns_modulus(&params->rns, switch_prime(params, r->limbs, i)));
}

static void check_target(const eis_ckks_lifted *r, const eis_ckks_params *params, size_t limbs,
                         const eis_ckks_switch_key *key)
{
    EIS_ASSERT(r->params == params && r->limbs == limbs && r->c0.special == params->special_count);
    EIS_ASSERT(key->params == params && key->limbs >= limbs);
}

eis_status eis_ckks_digits_init(eis_ckks_digits *digits, const eis_ckks_params *params, const eis_poly *t,
                                eis_ckks_digit_form form)
{
    eis_status st = EIS_OK;
    cutter c = {0};
    const size_t n = params->degree, primes = switch_primes(params, t->limbs);

    eis_ckks_digits_clear(digits);
    EIS_TRY(cutter_begin(&c, params, t, form));
    EIS_NEW(digits->words, primes * c.digits * n);
    digits->params = params;
    digits->limbs = c.limbs;
    for (size_t i = 0; i < primes; i++)
        for (size_t d = 0; d < c.digits; d++) {
            uint64_t *r = digits->words + (i * c.digits + d) * n;
            const uint64_t *digit = digit_on(&c, r, d, i);

            if (digit != r) memcpy(r, digit, n * sizeof *r);
        }
out:
    if (st != EIS_OK) eis_ckks_digits_clear(digits);
    cutter_clear(&c);
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
    const size_t special = params->special_count;

    EIS_ASSERT(params->has_special && limbs >= 1 && limbs <= params->limbs_max);
    EIS_REQUIRE(eis_ckks_scale_fits(params, scale, limbs), EIS_ERR_SCALE, "the scale does not fit %zu limbs", limbs);
    if (r->params != params || r->limbs != limbs || r->c0.special != special) {
        eis_ckks_lifted_clear(r);
        EIS_TRY(eis_poly_init(&params->rns, &r->c0, limbs + special, special, EIS_DOMAIN_NTT));
        EIS_TRY(eis_poly_init(&params->rns, &r->c1, limbs + special, special, EIS_DOMAIN_NTT));
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
    const size_t n = digits->params->degree, count = eis_ckks_digit_count(digits->params, digits->limbs);
    const uint64_t *digit[EIS_RNS_PRIMES_MAX];

    check_target(r, digits->params, digits->limbs, key);
    for (size_t i = 0; i < switch_primes(r->params, r->limbs); i++) {
        for (size_t d = 0; d < count; d++) digit[d] = digits->words + (i * count + d) * n;
        multiply_on(r, digit, key, order, i);
    }
}

eis_status eis_ckks_switch(eis_ckks_lifted *r, const eis_poly *t, const eis_ckks_switch_key *key,
                           eis_ckks_digit_form form)
{
    eis_status st = EIS_OK;
    const eis_ckks_params *params = r->params;
    const size_t n = params->degree;
    cutter c = {0};
    uint64_t *words = NULL;
    const uint64_t *digit[EIS_RNS_PRIMES_MAX];

    check_target(r, params, t->limbs, key);
    EIS_TRY(cutter_begin(&c, params, t, form));
    EIS_NEW(words, c.digits * n);
    for (size_t i = 0; i < switch_primes(params, c.limbs); i++) {
        for (size_t d = 0; d < c.digits; d++) digit[d] = digit_on(&c, words + d * n, d, i);
        multiply_on(r, digit, key, NULL, i);
    }
out:
    cutter_clear(&c);
    eis_mem_free(words);
    return st;
}

/* ---- Up and down by P ------------------------------------------------------------------------------------------- */

eis_status eis_ckks_lift_add(const eis_ckks_params *params, eis_poly *half, const eis_poly *a, const uint32_t *order)
{
    eis_status st = EIS_OK;
    const eis_zq_kernels *k = &eis_kernels_get()->zq;
    const size_t n = params->degree;
    uint64_t *turned = NULL;

    EIS_ASSERT(half->special == params->special_count && half->limbs == a->limbs + half->special);
    EIS_ASSERT(a->special == 0 && a->domain == EIS_DOMAIN_NTT);
    if (order != NULL) EIS_NEW(turned, n);
    for (size_t i = 0; i < a->limbs; i++) { /* on the special primes the product is 0 */
        const eis_modulus *m = eis_rns_modulus(&params->rns, i);
        const uint64_t *words = eis_poly_limb(a, i);

        if (order != NULL) {
            eis_ring_permute_raw(turned, words, order, n);
            words = turned;
        }
        k->mul_factor_add(eis_poly_limb(half, i), words, n,
                          eis_zq_factor_make(eis_rns_group_product(&params->rns, special_primes(params), i), m), m);
    }
out:
    eis_mem_free(turned);
    return st;
}

/* (x - (x centred mod P)) / P for several special primes. Shape: scratch[3][N]. */
static void down_by_several(const eis_ckks_params *params, eis_poly *half, uint64_t *scratch)
{
    const eis_zq_kernels *k = &eis_kernels_get()->zq;
    const eis_rns *rns = &params->rns;
    const eis_rns_group group = special_primes(params);
    const size_t n = rns->degree, limbs = half->limbs - half->special;
    uint64_t *rest = eis_poly_limb(half, limbs);

    for (size_t i = 0; i < group.count; i++) eis_ring_ntt_inverse(rest + i * n, &rns->plan[group.first + i]);
    eis_rns_split_raw(rns, rest, scratch, group, true);
    for (size_t i = 0; i < limbs; i++) {
        eis_rns_extend_raw(rns, scratch + n, rest, scratch, group, i, scratch + 2 * n);
        eis_ring_ntt_forward(scratch + n, &rns->plan[i]);
        k->sub_mul_factor(eis_poly_limb(half, i), eis_poly_limb(half, i), scratch + n, n,
                          eis_rns_group_inverse(rns, group, i), eis_rns_modulus(rns, i));
    }
    half->limbs = limbs;
    half->special = 0;
}

eis_status eis_ckks_lifted_down(eis_ckks_lifted *lifted)
{
    eis_status st = EIS_OK;
    const eis_ckks_params *params = lifted->params;
    eis_poly *half[2] = {&lifted->c0, &lifted->c1};
    uint64_t *scratch = NULL;

    EIS_ASSERT(lifted->c0.special == params->special_count && lifted->c1.special == params->special_count);
    EIS_NEW(scratch, (params->special_count == 1 ? 1 : 3) * params->degree);
    for (size_t i = 0; i < 2; i++) {
        if (params->special_count == 1)
            eis_poly_rescale_raw(&params->rns, half[i], scratch);
        else
            down_by_several(params, half[i], scratch);
    }
out:
    eis_mem_free(scratch);
    return st;
}
