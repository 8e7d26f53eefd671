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

/* A polynomial that is being cut. Its words belong to whoever began it. */
typedef struct cutter {
    const eis_ckks_params *params;
    size_t limbs, digits;
    eis_ckks_digit_form form;
    const uint64_t *values; /* [limbs][N], the polynomial */
    uint64_t *coeff;        /* [limbs][N], its coefficients; prepared for extension where digits have several primes */
    uint64_t *excess;       /* [digits][N], then N of scratch; NULL where digits have one prime */
} cutter;

static eis_rns_group digit_primes(const cutter *c, size_t d)
{
    const size_t first = d * c->params->special_count, left = c->limbs - first;

    return (eis_rns_group){first, left < c->params->special_count ? left : c->params->special_count};
}

/* Returns the words that a cutter takes; more where the polynomial is to be permuted. */
static size_t cutter_words(const eis_ckks_params *params, size_t limbs, bool permuted)
{
    const size_t excess = params->special_count == 1 ? 0 : eis_ckks_digit_count(params, limbs) + 1;

    return ((permuted ? 2 : 1) * limbs + excess) * params->degree;
}

/* Begins to cut t, permuted first where `order` is given. Shape: words[cutter_words]. */
static void cutter_begin(cutter *c, const eis_ckks_params *params, const eis_poly *t, const uint32_t *order,
                         eis_ckks_digit_form form, uint64_t *words)
{
    const size_t n = params->degree, limbs = t->limbs;

    EIS_ASSERT(params->has_special && t->special == 0 && t->domain == EIS_DOMAIN_NTT && limbs <= params->limbs_max);
    EIS_VERIFY(eis_poly_canonical(&params->rns, t));
    *c = (cutter){.params = params, .limbs = limbs, .form = form, .values = t->words, .coeff = words};
    c->digits = eis_ckks_digit_count(params, limbs);
    words += limbs * n;
    if (order != NULL) { /* once here: permuting each digit on each prime would cost more */
        for (size_t i = 0; i < limbs; i++) eis_ring_permute_raw(words + i * n, eis_poly_limb(t, i), order, n);
        c->values = words;
        words += limbs * n;
    }
    memcpy(c->coeff, c->values, limbs * n * sizeof *c->coeff);
    for (size_t i = 0; i < limbs; i++) eis_ring_ntt_inverse(c->coeff + i * n, &params->rns.plan[i]);
    if (params->special_count == 1) return;
    c->excess = words;
    for (size_t d = 0; d < c->digits; d++) {
        const eis_rns_group group = digit_primes(c, d);

        eis_rns_split_raw(&params->rns, c->coeff + group.first * n, c->excess + d * n, group,
                          form == EIS_CKKS_DIGITS_CENTRED);
    }
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

/* ---- Digits, from either place ----------------------------------------------------------------------------------- */

/* From one digit to the next: see EIS_CKKS_STREAM_GAP. */
static size_t digit_stride(const eis_ckks_params *params) { return params->degree + EIS_CKKS_STREAM_GAP; }

/* Digits that are cut as they are asked for, or were computed before. */
typedef struct digit_source {
    size_t digits;
    const cutter *cutter;          /* NULL: stored */
    const eis_ckks_digits *stored; /* NULL: cut */
    uint64_t *words;               /* [digits][digit_stride], for those that are cut */
} digit_source;

/* Fills pointers to all digits on the i-th prime. Shape: digit[digits]. */
static void digits_on(const uint64_t **digit, const digit_source *from, size_t i)
{
    for (size_t d = 0; d < from->digits; d++) {
        if (from->stored != NULL)
            digit[d] = from->stored->words + (i * from->digits + d) * digit_stride(from->stored->params);
        else
            digit[d] = digit_on(from->cutter, from->words + d * digit_stride(from->cutter->params), d, i);
    }
}

eis_status eis_ckks_digits_init(eis_ckks_digits *digits, const eis_ckks_params *params, const eis_poly *t,
                                eis_ckks_digit_form form)
{
    eis_status st = EIS_OK;
    cutter c;
    uint64_t *work = NULL;
    const size_t n = params->degree, stride = digit_stride(params), primes = switch_primes(params, t->limbs);

    eis_ckks_digits_clear(digits);
    EIS_NEW_RAW(work, cutter_words(params, t->limbs, false));
    cutter_begin(&c, params, t, NULL, form, work);
    EIS_NEW_RAW(digits->words, primes * c.digits * stride);
    digits->params = params;
    digits->limbs = c.limbs;
    for (size_t i = 0; i < primes; i++)
        for (size_t d = 0; d < c.digits; d++) {
            uint64_t *r = digits->words + (i * c.digits + d) * stride;
            const uint64_t *digit = digit_on(&c, r, d, i);

            if (digit != r) memcpy(r, digit, n * sizeof *r);
        }
out:
    if (st != EIS_OK) eis_ckks_digits_clear(digits);
    eis_mem_free(work);
    return st;
}

void eis_ckks_digits_clear(eis_ckks_digits *digits)
{
    eis_mem_free(digits->words);
    *digits = (eis_ckks_digits){0};
}

/* ---- Products with keys ------------------------------------------------------------------------------------------ */

/* One prime of the product with a key at a level. Shape: r0[N], r1[N]. */
static void multiply_on(uint64_t *r0, uint64_t *r1, const digit_source *from, const eis_ckks_switch_key *key,
                        const uint32_t *order, size_t limbs, size_t i)
{
    const eis_ckks_params *params = key->params;
    const size_t limb = i < limbs ? i : key->limbs + (i - limbs);
    const uint64_t *digit[EIS_RNS_PRIMES_MAX], *b[EIS_RNS_PRIMES_MAX], *a[EIS_RNS_PRIMES_MAX];

    digits_on(digit, from, i);
    for (size_t d = 0; d < from->digits; d++) {
        b[d] = eis_poly_limb(&key->row[d].b, limb);
        a[d] = eis_poly_limb(&key->row[d].a, limb);
    }
    eis_kernels_get()->zq.dot_pair(r0, r1, digit, b, a, from->digits, order, params->degree,
                                   eis_rns_modulus(&params->rns, switch_prime(params, limbs, i)));
}

static void multiply(eis_ckks_lifted *r, const digit_source *from, const eis_ckks_switch_key *key,
                     const uint32_t *order)
{
    for (size_t i = 0; i < switch_primes(r->params, r->limbs); i++)
        multiply_on(eis_poly_limb(&r->c0, i), eis_poly_limb(&r->c1, i), from, key, order, r->limbs, i);
}

static void check_target(const eis_ckks_lifted *r, const eis_ckks_params *params, size_t limbs,
                         const eis_ckks_switch_key *key)
{
    EIS_ASSERT(r->params == params && r->limbs == limbs && r->c0.special == params->special_count);
    EIS_ASSERT(key->params == params && key->limbs >= limbs);
}

void eis_ckks_digits_multiply(eis_ckks_lifted *r, const eis_ckks_digits *digits, const eis_ckks_switch_key *key,
                              const uint32_t *order)
{
    const digit_source from = {.digits = eis_ckks_digit_count(digits->params, digits->limbs), .stored = digits};

    check_target(r, digits->params, digits->limbs, key);
    multiply(r, &from, key, order);
}

eis_status eis_ckks_switch(eis_ckks_lifted *r, const eis_poly *t, const eis_ckks_switch_key *key,
                           eis_ckks_digit_form form)
{
    eis_status st = EIS_OK;
    const eis_ckks_params *params = r->params;
    const size_t cut = cutter_words(params, t->limbs, false), digits = eis_ckks_digit_count(params, t->limbs);
    cutter c;
    uint64_t *work = NULL;

    check_target(r, params, t->limbs, key);
    EIS_NEW_RAW(work, cut + digits * digit_stride(params));
    cutter_begin(&c, params, t, NULL, form, work);
    multiply(r, &(digit_source){.digits = digits, .cutter = &c, .words = work + cut}, key, NULL);
out:
    eis_mem_free(work);
    return st;
}

/* ---- Pairs times P ----------------------------------------------------------------------------------------------- */

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

/* What is above P of one half: its limbs on the special primes, as coefficients, prepared for extension. */
typedef struct remainder {
    uint64_t *words;  /* [special_count][N] */
    uint64_t *excess; /* [N], for several special primes */
    /* Where a rescale follows: what is left on the last prime of the level. */
    const uint64_t *last; /* [N], coefficients; else NULL */
    size_t last_prime;
} remainder;

#define LOWER_SCRATCH 2 /* limbs */

static void remainder_begin(remainder *r, const eis_ckks_params *params)
{
    const eis_rns_group group = special_primes(params);

    for (size_t i = 0; i < group.count; i++)
        eis_ring_ntt_inverse(r->words + i * params->degree, &params->rns.plan[group.first + i]);
    if (group.count > 1) eis_rns_split_raw(&params->rns, r->words, r->excess, group, true);
}

/* r = the remainder on prime i, centred. Shape: r[N], scratch[N] (for several special primes). */
static void remainder_on(uint64_t *r, const remainder *rest, const eis_ckks_params *params, size_t i, uint64_t *scratch)
{
    const eis_rns_group group = special_primes(params);

    if (group.count == 1)
        eis_poly_digit_raw(&params->rns, r, rest->words, group.first, i, true);
    else
        eis_rns_extend_raw(&params->rns, r, rest->words, rest->excess, group, i, scratch);
}

/* Turns `a` into scratch[N] where an order is given, and returns where it is. */
static const uint64_t *turned(const uint64_t *a, const uint32_t *order, uint64_t *scratch, size_t n)
{
    if (a == NULL || order == NULL) return a;
    eis_ring_permute_raw(scratch, a, order, n);
    return scratch;
}

/* Begins a rescale by prime i behind the mod-down: x, the half on that prime, becomes what is left of it, as
 * coefficients. Shape: as lower_limb. */
static void remainder_rescale(remainder *rest, uint64_t *x, const eis_ckks_params *params, size_t i, const uint64_t *a,
                              const uint32_t *order, uint64_t *scratch)
{
    const eis_zq_kernels *k = &eis_kernels_get()->zq;
    const eis_modulus *m = eis_rns_modulus(&params->rns, i);
    const eis_rns_group group = special_primes(params);
    const size_t n = params->degree;

    a = turned(a, order, scratch, n);
    if (a != NULL) k->mul_factor_add(x, a, n, eis_zq_factor_make(eis_rns_group_product(&params->rns, group, i), m), m);
    eis_ring_ntt_inverse(x, &params->rns.plan[i]);
    remainder_on(scratch, rest, params, i, scratch + n);
    k->sub_mul_factor(x, x, scratch, n, eis_rns_group_inverse(&params->rns, group, i), m);
    rest->last = x;
    rest->last_prime = i;
}

/* One limb of the mod-down: r = (x - remainder) / P + a, a permuted first where `order` is given; or that, less what is
 * left on the last prime, over that prime.
 * Shape:   r[N], x[N]; a[N] or NULL; scratch[LOWER_SCRATCH][N]. r may be x or a. */
static void lower_limb(uint64_t *r, const uint64_t *x, const remainder *rest, const eis_ckks_params *params, size_t i,
                       const uint64_t *a, const uint32_t *order, uint64_t *scratch)
{
    const eis_zq_kernels *k = &eis_kernels_get()->zq;
    const eis_rns *rns = &params->rns;
    const eis_modulus *m = eis_rns_modulus(rns, i);
    const eis_rns_group group = special_primes(params);
    const size_t n = rns->degree;
    eis_zq_factor inverse = eis_rns_group_inverse(rns, group, i);

    remainder_on(scratch, rest, params, i, scratch + n);
    if (rest->last != NULL) { /* the remainder by P times the last prime */
        inverse =
            eis_zq_factor_make(eis_zq_mul_factor(inverse.value, eis_rns_inverse(rns, rest->last_prime, i), m->q), m);
        eis_poly_digit_raw(rns, scratch + n, rest->last, rest->last_prime, i, true);
        k->mul_factor_add(scratch, scratch + n, n, eis_zq_factor_make(eis_rns_group_product(rns, group, i), m), m);
    }
    eis_ring_ntt_forward(scratch, &rns->plan[i]);
    k->sub_mul_factor(a == NULL ? r : scratch, x, scratch, n, inverse, m);
    if (a == NULL) return;
    a = turned(a, order, scratch + n, n);
    if (rest->last != NULL) {
        k->mul_factor_add(scratch, a, n, eis_rns_inverse(rns, rest->last_prime, i), m);
        memcpy(r, scratch, n * sizeof *r);
    } else {
        k->add(r, scratch, a, n, m);
    }
}

static void verify_lowered(const eis_ckks_params *params, const eis_poly *r)
{
    (void)params; /* unused where EIS_VERIFY is nothing */
    (void)r;
    EIS_VERIFY(eis_poly_canonical(&params->rns, r));
}

/* r = half / P, rounded; r may have half's words. Shape: scratch[LOWER_SCRATCH + 1][N]. */
static void lower_half(eis_poly *r, const eis_poly *half, const eis_ckks_params *params, uint64_t *scratch)
{
    const size_t n = params->degree, limbs = half->limbs - half->special;
    remainder rest = {.words = eis_poly_limb(half, limbs), .excess = scratch + LOWER_SCRATCH * n};

    remainder_begin(&rest, params);
    for (size_t i = 0; i < limbs; i++)
        lower_limb(eis_poly_limb(r, i), eis_poly_limb(half, i), &rest, params, i, NULL, NULL, scratch);
}

eis_status eis_ckks_lifted_down_to(eis_poly *r0, eis_poly *r1, eis_ckks_lifted *lifted)
{
    eis_status st = EIS_OK;
    const eis_ckks_params *params = lifted->params;
    uint64_t *scratch = NULL;

    EIS_ASSERT(lifted->c0.special == params->special_count && lifted->c1.special == params->special_count);
    EIS_ASSERT(r0->limbs >= lifted->limbs && r1->limbs >= lifted->limbs);
    EIS_NEW_RAW(scratch, (LOWER_SCRATCH + 1) * params->degree);
    lower_half(r0, &lifted->c0, params, scratch);
    lower_half(r1, &lifted->c1, params, scratch);
    lifted->c0.limbs = lifted->c1.limbs = lifted->limbs;
    lifted->c0.special = lifted->c1.special = 0;
    verify_lowered(params, r0);
    verify_lowered(params, r1);
out:
    eis_mem_free(scratch);
    return st;
}

eis_status eis_ckks_lifted_down(eis_ckks_lifted *lifted)
{
    return eis_ckks_lifted_down_to(&lifted->c0, &lifted->c1, lifted);
}

/* ---- Whole switches ---------------------------------------------------------------------------------------------- */

#define FINISH_LIMBS(special) (2 * (special) + 6 + LOWER_SCRATCH)

/* The special primes come first: with both remainders there, each other prime is finished while its sums are in the
 * cache. Shape: work[FINISH_LIMBS(special_count)][N]. */
static void switch_and_lower(eis_poly *r0, eis_poly *r1, const eis_ckks_switching *job, const digit_source *from,
                             size_t limbs, uint64_t *work)
{
    const eis_ckks_params *params = job->key->params;
    const size_t n = params->degree, special = params->special_count;
    const uint32_t *order = from->stored != NULL ? job->order : NULL; /* of digits; t is permuted */
    uint64_t *pair = work + 2 * special * n, *last = pair + 4 * n, *scratch = last + 2 * n;
    remainder rest[2] = {{.words = work, .excess = pair + 2 * n},
                         {.words = work + special * n, .excess = pair + 3 * n}};
    const eis_poly *a[2] = {job->a0, job->a1};
    eis_poly *r[2] = {r0, r1};
    const size_t kept = limbs - job->rescale;

    for (size_t i = 0; i < special; i++)
        multiply_on(rest[0].words + i * n, rest[1].words + i * n, from, job->key, order, limbs, limbs + i);
    for (size_t half = 0; half < 2; half++) remainder_begin(&rest[half], params);
    if (job->rescale) multiply_on(last, last + n, from, job->key, order, limbs, kept);
    for (size_t half = 0; half < 2 && job->rescale; half++)
        remainder_rescale(&rest[half], last + half * n, params, kept,
                          a[half] == NULL ? NULL : eis_poly_limb(a[half], kept), job->order, scratch);
    for (size_t i = 0; i < kept; i++) {
        multiply_on(pair, pair + n, from, job->key, order, limbs, i);
        for (size_t half = 0; half < 2; half++)
            lower_limb(eis_poly_limb(r[half], i), pair + half * n, &rest[half], params, i,
                       a[half] == NULL ? NULL : eis_poly_limb(a[half], i), job->order, scratch);
    }
    verify_lowered(params, r0);
    verify_lowered(params, r1);
}

/* All scratch is one block: freed and taken again, it stays with the process, where several might be given back. */
eis_status eis_ckks_switch_lowered(eis_poly *r0, eis_poly *r1, const eis_ckks_switching *job)
{
    eis_status st = EIS_OK;
    const eis_ckks_params *params = job->key->params;
    const bool stored = job->digits != NULL;
    const size_t limbs = stored ? job->digits->limbs : job->t->limbs, digits = eis_ckks_digit_count(params, limbs);
    const size_t finish = FINISH_LIMBS(params->special_count) * params->degree;
    const size_t cut = stored ? 0 : cutter_words(params, limbs, job->order != NULL);
    digit_source from = {.digits = digits, .stored = job->digits};
    cutter c;
    uint64_t *work = NULL;

    EIS_ASSERT(job->key->limbs >= limbs && limbs > job->rescale);
    EIS_ASSERT(r0->limbs >= limbs - job->rescale && r1->limbs >= limbs - job->rescale);
    EIS_NEW_RAW(work, finish + cut + (stored ? 0 : digits * digit_stride(params)));
    if (!stored) {
        cutter_begin(&c, params, job->t, job->order, job->form, work + finish);
        from.cutter = &c;
        from.words = work + finish + cut;
    }
    switch_and_lower(r0, r1, job, &from, limbs, work);
out:
    eis_mem_free(work);
    return st;
}
