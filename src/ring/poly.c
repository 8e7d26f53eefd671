/* SPDX-License-Identifier: Apache-2.0 */
#include "ring/poly.h"

#include "base/mem.h"
#include "kernel/kernel.h"

#include <string.h>

static size_t words_of(const eis_poly *poly) { return poly->limbs * poly->degree; }

static const eis_modulus *modulus(const eis_rns *rns, const eis_poly *poly, size_t limb)
{
    return &eis_poly_plan(rns, poly, limb)->mod;
}

static void check_shape(const eis_rns *rns, const eis_poly *poly)
{
    EIS_ASSERT(poly->words != NULL && poly->degree == rns->degree);
    EIS_ASSERT(poly->limbs > 0 && poly->limbs <= rns->count && poly->special <= poly->limbs);
}

static void check_same(const eis_rns *rns, const eis_poly *a, const eis_poly *b)
{
    check_shape(rns, a);
    EIS_ASSERT(a->degree == b->degree && a->limbs == b->limbs && a->special == b->special);
    EIS_ASSERT(a->domain == b->domain);
}

static void verify_canonical(const eis_rns *rns, const eis_poly *poly)
{
#ifdef EIS_VERIFY_BUILD
    EIS_VERIFY(eis_poly_canonical(rns, poly));
#else
    (void)rns;
    (void)poly;
#endif
}

static eis_status make(const eis_rns *rns, eis_poly *poly, size_t limbs, size_t special, eis_domain domain, bool secret)
{
    const size_t count = limbs * rns->degree;

    EIS_ASSERT(limbs > 0 && limbs <= rns->count && special <= limbs);
    eis_poly_clear(poly);
    poly->words = secret ? eis_mem_new_secret(count, sizeof *poly->words) : eis_mem_new(count, sizeof *poly->words);
    if (poly->words == NULL) return EIS_ERR_MEMORY;
    poly->limbs = poly->limbs_owned = limbs;
    poly->degree = rns->degree;
    poly->special = special;
    poly->domain = domain;
    poly->secret = secret;
    return EIS_OK;
}

eis_status eis_poly_init(const eis_rns *rns, eis_poly *poly, size_t limbs, size_t special, eis_domain domain)
{
    return make(rns, poly, limbs, special, domain, false);
}

eis_status eis_poly_init_secret(const eis_rns *rns, eis_poly *poly, size_t limbs, size_t special, eis_domain domain)
{
    return make(rns, poly, limbs, special, domain, true);
}

eis_poly eis_poly_view(const eis_rns *rns, uint64_t *words, size_t limbs, size_t special, eis_domain domain)
{
    eis_poly view = {.limbs = limbs, .degree = rns->degree, .special = special, .domain = domain, .words = words};

    EIS_ASSERT(limbs > 0 && limbs <= rns->count && special <= limbs);
    return view;
}

void eis_poly_clear(eis_poly *poly)
{
    if (poly->limbs_owned > 0 && poly->secret) {
        eis_mem_free_wiped(poly->words, poly->limbs_owned * poly->degree, sizeof *poly->words);
    } else if (poly->limbs_owned > 0) {
        eis_mem_free(poly->words);
    }
    memset(poly, 0, sizeof *poly);
}

/* a - q borrows exactly where a word is below its prime (all words count as unsigned 64-bit numbers). */
bool eis_poly_canonical(const eis_rns *rns, const eis_poly *poly)
{
    uint64_t all = UINT64_MAX;

    for (size_t limb = 0; limb < poly->limbs; limb++) {
        const uint64_t *a = eis_poly_limb(poly, limb), q = modulus(rns, poly, limb)->q;

        for (size_t i = 0; i < poly->degree; i++) all &= (a[i] - q) & ~a[i];
    }
    all >>= 63;                   /* q < 2^61, so a word with its top bit set is never canonical */
    EIS_PUBLIC(&all, sizeof all); /* a word that is too large is an error, which is told */
    return all == 1;
}

bool eis_poly_limb_is_zero(const eis_poly *poly, size_t limb)
{
    const uint64_t *a = eis_poly_limb(poly, limb);
    uint64_t any = 0;

    for (size_t i = 0; i < poly->degree; i++) any |= a[i];
    any = eis_ct_mask_nonzero(any);
    EIS_PUBLIC(&any, sizeof any); /* the question is asked about ciphertexts, which everyone sees */
    return any == 0;
}

void eis_poly_copy(const eis_rns *rns, eis_poly *r, const eis_poly *a)
{
    r->domain = a->domain;
    check_same(rns, r, a);
    if (r->words != a->words) memcpy(r->words, a->words, words_of(a) * sizeof *a->words);
}

void eis_poly_drop_limbs(eis_poly *poly, size_t limbs)
{
    EIS_ASSERT(limbs > 0 && limbs <= poly->limbs && poly->special == 0);
    poly->limbs = limbs; /* the words behind stay until cleared */
}

void eis_poly_to_ntt(const eis_rns *rns, eis_poly *poly)
{
    check_shape(rns, poly);
    EIS_ASSERT(poly->domain == EIS_DOMAIN_COEFF);
    for (size_t i = 0; i < poly->limbs; i++) eis_ring_ntt_forward(eis_poly_limb(poly, i), eis_poly_plan(rns, poly, i));
    poly->domain = EIS_DOMAIN_NTT;
    verify_canonical(rns, poly);
}

void eis_poly_to_coeff(const eis_rns *rns, eis_poly *poly)
{
    check_shape(rns, poly);
    EIS_ASSERT(poly->domain == EIS_DOMAIN_NTT);
    for (size_t i = 0; i < poly->limbs; i++) eis_ring_ntt_inverse(eis_poly_limb(poly, i), eis_poly_plan(rns, poly, i));
    poly->domain = EIS_DOMAIN_COEFF;
    verify_canonical(rns, poly);
}

void eis_poly_add(const eis_rns *rns, eis_poly *r, const eis_poly *a, const eis_poly *b)
{
    const eis_zq_kernels *k = &eis_kernels_get()->zq;

    check_same(rns, a, b);
    check_same(rns, r, a);
    for (size_t i = 0; i < a->limbs; i++) {
        k->add(eis_poly_limb(r, i), eis_poly_limb(a, i), eis_poly_limb(b, i), a->degree, modulus(rns, a, i));
    }
    verify_canonical(rns, r);
}

void eis_poly_sub(const eis_rns *rns, eis_poly *r, const eis_poly *a, const eis_poly *b)
{
    const eis_zq_kernels *k = &eis_kernels_get()->zq;

    check_same(rns, a, b);
    check_same(rns, r, a);
    for (size_t i = 0; i < a->limbs; i++) {
        k->sub(eis_poly_limb(r, i), eis_poly_limb(a, i), eis_poly_limb(b, i), a->degree, modulus(rns, a, i));
    }
    verify_canonical(rns, r);
}

void eis_poly_neg(const eis_rns *rns, eis_poly *r, const eis_poly *a)
{
    check_same(rns, r, a);
    for (size_t i = 0; i < a->limbs; i++) {
        const uint64_t *from = eis_poly_limb(a, i), q = modulus(rns, a, i)->q;
        uint64_t *to = eis_poly_limb(r, i);

        for (size_t j = 0; j < a->degree; j++) to[j] = eis_zq_neg(from[j], q);
    }
    verify_canonical(rns, r);
}

void eis_poly_mul(const eis_rns *rns, eis_poly *r, const eis_poly *a, const eis_poly *b)
{
    const eis_zq_kernels *k = &eis_kernels_get()->zq;

    check_same(rns, a, b);
    check_same(rns, r, a);
    EIS_ASSERT(a->domain == EIS_DOMAIN_NTT);
    for (size_t i = 0; i < a->limbs; i++) {
        k->mul(eis_poly_limb(r, i), eis_poly_limb(a, i), eis_poly_limb(b, i), a->degree, modulus(rns, a, i));
    }
    verify_canonical(rns, r);
}

void eis_poly_mul_add(const eis_rns *rns, eis_poly *r, const eis_poly *a, const eis_poly *b)
{
    const eis_zq_kernels *k = &eis_kernels_get()->zq;

    check_same(rns, a, b);
    check_same(rns, r, a);
    EIS_ASSERT(a->domain == EIS_DOMAIN_NTT);
    for (size_t i = 0; i < a->limbs; i++) {
        k->mul_add(eis_poly_limb(r, i), eis_poly_limb(a, i), eis_poly_limb(b, i), a->degree, modulus(rns, a, i));
    }
    verify_canonical(rns, r);
}

void eis_poly_mul_constant(const eis_rns *rns, eis_poly *r, const eis_poly *a, const uint64_t *c)
{
    const eis_zq_kernels *k = &eis_kernels_get()->zq;

    check_same(rns, r, a);
    for (size_t i = 0; i < a->limbs; i++) {
        const eis_modulus *m = modulus(rns, a, i);
        k->mul_factor(eis_poly_limb(r, i), eis_poly_limb(a, i), a->degree, eis_zq_factor_of(c[i], m), m);
    }
    verify_canonical(rns, r);
}

void eis_poly_mul_constant_add(const eis_rns *rns, eis_poly *r, const eis_poly *a, const uint64_t *c)
{
    const eis_zq_kernels *k = &eis_kernels_get()->zq;

    check_same(rns, r, a);
    for (size_t i = 0; i < a->limbs; i++) {
        const eis_modulus *m = modulus(rns, a, i);
        k->mul_factor_add(eis_poly_limb(r, i), eis_poly_limb(a, i), a->degree, eis_zq_factor_of(c[i], m), m);
    }
    verify_canonical(rns, r);
}

void eis_poly_mul_i64(const eis_rns *rns, eis_poly *r, const eis_poly *a, int64_t c)
{
    uint64_t residues[EIS_RNS_PRIMES_MAX];

    for (size_t i = 0; i < a->limbs; i++) residues[i] = eis_zq_from_i64(c, modulus(rns, a, i));
    eis_poly_mul_constant(rns, r, a, residues);
    eis_mem_wipe(residues, sizeof residues);
}

void eis_poly_add_constant(const eis_rns *rns, eis_poly *r, const uint64_t *c)
{
    check_shape(rns, r);
    for (size_t i = 0; i < r->limbs; i++) {
        const size_t count = r->domain == EIS_DOMAIN_NTT ? r->degree : 1;
        const uint64_t q = modulus(rns, r, i)->q;
        uint64_t *words = eis_poly_limb(r, i);

        for (size_t j = 0; j < count; j++) words[j] = eis_zq_add(words[j], c[i], q);
    }
    verify_canonical(rns, r);
}

void eis_poly_permute(const eis_rns *rns, eis_poly *r, const eis_poly *a, const uint32_t *order)
{
    check_same(rns, r, a);
    EIS_ASSERT(a->domain == EIS_DOMAIN_NTT && r->words != a->words);
    for (size_t i = 0; i < a->limbs; i++) {
        eis_ring_permute_raw(eis_poly_limb(r, i), eis_poly_limb(a, i), order, a->degree);
    }
}

eis_status eis_poly_galois(const eis_rns *rns, eis_poly *r, const eis_poly *a, uint32_t element)
{
    eis_status st = EIS_OK;
    uint32_t *order = NULL;

    check_same(rns, r, a);
    EIS_ASSERT(r->words != a->words && element % 2 == 1 && element < 2 * rns->degree);
    if (a->domain == EIS_DOMAIN_NTT) {
        EIS_NEW(order, a->degree);
        eis_ntt_galois_order(order, rns->degree_log2, element);
        eis_poly_permute(rns, r, a, order);
    } else {
        for (size_t i = 0; i < a->limbs; i++) {
            eis_ring_galois_coeff_raw(eis_poly_limb(r, i), eis_poly_limb(a, i), rns->degree_log2, element,
                                      modulus(rns, a, i)->q);
        }
    }
out:
    eis_mem_free(order);
    return st;
}

void eis_poly_set_i64(const eis_rns *rns, eis_poly *r, const int64_t *coeff)
{
    check_shape(rns, r);
    for (size_t i = 0; i < r->limbs; i++) {
        const eis_modulus *m = modulus(rns, r, i);
        uint64_t *words = eis_poly_limb(r, i);

        for (size_t j = 0; j < r->degree; j++) words[j] = eis_zq_from_i64(coeff[j], m);
    }
    r->domain = EIS_DOMAIN_COEFF;
}

/* |e| < 128 may exceed a prime only in toy rings, so one addition of q does not do for all: the general way there. */
void eis_poly_set_small(const eis_rns *rns, eis_poly *r, const int8_t *coeff)
{
    check_shape(rns, r);
    for (size_t i = 0; i < r->limbs; i++) {
        const eis_modulus *m = modulus(rns, r, i);
        uint64_t *words = eis_poly_limb(r, i);

        if (m->bits <= 8) {
            for (size_t j = 0; j < r->degree; j++) words[j] = eis_zq_from_i64(coeff[j], m);
        } else {
            eis_kernels_get()->sample.words_from_small(words, coeff, r->degree, m);
        }
    }
    r->domain = EIS_DOMAIN_COEFF;
}

/* ((x + h) mod q) - h with h = (q - 1) / 2 is the centred residue, so rounding is a subtraction and a factor. */
void eis_poly_rescale_raw(const eis_rns *rns, eis_poly *poly, uint64_t *scratch)
{
    const eis_zq_kernels *k = &eis_kernels_get()->zq;
    const size_t last = poly->limbs - 1, divisor = eis_poly_prime(rns, poly, last);
    uint64_t *rest = eis_poly_limb(poly, last);

    check_shape(rns, poly);
    EIS_ASSERT(poly->limbs > 1 && poly->special <= 1);
    if (poly->domain == EIS_DOMAIN_NTT) k->ntt_inverse(rest, &rns->plan[divisor]);
    for (size_t i = 0; i < last; i++) {
        const eis_ntt_plan *plan = &rns->plan[i];

        k->reduce_centred(scratch, rest, poly->degree, rns->plan[divisor].mod.q, &plan->mod);
        if (poly->domain == EIS_DOMAIN_NTT) k->ntt_forward(scratch, plan);
        k->sub_mul_factor(eis_poly_limb(poly, i), eis_poly_limb(poly, i), scratch, poly->degree,
                          eis_rns_inverse(rns, divisor, i), &plan->mod);
    }
    poly->limbs = last;
    poly->special = 0;
    verify_canonical(rns, poly);
}

eis_status eis_poly_rescale(const eis_rns *rns, eis_poly *poly)
{
    uint64_t *scratch = NULL;
    eis_status st = EIS_OK;

    EIS_NEW(scratch, poly->degree);
    eis_poly_rescale_raw(rns, poly, scratch);
out:
    eis_mem_free_wiped(scratch, poly->degree, sizeof *scratch);
    return st;
}

void eis_poly_digit_raw(const eis_rns *rns, uint64_t *r, const uint64_t *t, size_t from, size_t to, bool centred)
{
    const eis_zq_kernels *k = &eis_kernels_get()->zq;
    const eis_modulus *m = eis_rns_modulus(rns, to);

    EIS_ASSERT(from < rns->count && to < rns->count);
    if (centred) {
        k->reduce_centred(r, t, rns->degree, eis_rns_modulus(rns, from)->q, m);
    } else {
        k->reduce(r, t, rns->degree, m);
    }
}
