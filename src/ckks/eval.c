/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic, levels and rotations of ciphertexts. */
#include "ckks/eval.h"

#include "base/mem.h"
#include "ring/zq.h"

#include <math.h>

/* ---- What has to fit -------------------------------------------------------------------------------------------- */

static void verify(const eis_ckks_ct *ct)
{
    EIS_ASSERT(ct->params != NULL);
#ifdef EIS_VERIFY_BUILD
    for (size_t c = 0; c < ct->polys; c++) {
        EIS_VERIFY(ct->poly[c].domain == EIS_DOMAIN_NTT && ct->poly[c].limbs == ct->limbs);
        EIS_VERIFY(eis_poly_canonical(&ct->params->rns, &ct->poly[c]));
    }
#endif
}

static eis_status check_levels(size_t a, size_t b)
{
    return a == b ? EIS_OK : eis_fail(EIS_ERR_LEVEL, "operands have %zu and %zu limbs", a, b);
}

static eis_status check_scales(double a, double b)
{
    if (eis_ckks_scale_equal(a, b)) return EIS_OK;
    return eis_fail(EIS_ERR_SCALE, "scales 2^%.9f and 2^%.9f cannot be added", log2(a), log2(b));
}

static eis_status check_product(const eis_ckks_params *params, double scale, size_t limbs)
{
    if (eis_ckks_scale_fits(params, scale, limbs)) return EIS_OK;
    return eis_fail(EIS_ERR_SCALE, "a product at scale 2^%.3f does not fit %zu limbs", log2(scale), limbs);
}

static eis_status check_plain(const eis_ckks_ct *a, const eis_ckks_plain *p)
{
    verify(a);
    EIS_ASSERT(a->params == p->params && p->poly.special == 0 && p->poly.domain == EIS_DOMAIN_NTT);
    return check_levels(a->limbs, p->poly.limbs);
}

/* ---- Sums ------------------------------------------------------------------------------------------------------- */

/* Makes r a copy of a in the shape (polys); what a lacks is zero. */
static eis_status widen(eis_ckks_ct *r, const eis_ckks_ct *a, size_t polys)
{
    eis_status st = EIS_OK;
    eis_ckks_ct wide = {0};

    if (a->polys == polys) return eis_ckks_ct_copy(r, a);
    EIS_TRY(eis_ckks_ct_init(&wide, a->params, polys, a->limbs, a->scale));
    for (size_t c = 0; c < a->polys; c++) eis_poly_copy(&a->params->rns, &wide.poly[c], &a->poly[c]);
    eis_ckks_ct_clear(r);
    *r = wide;
    wide = (eis_ckks_ct){0};
out:
    eis_ckks_ct_clear(&wide);
    return st;
}

typedef void (*poly_operation)(const eis_rns *rns, eis_poly *r, const eis_poly *a, const eis_poly *b);

static eis_status combine(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_ct *b, poly_operation operation)
{
    eis_status st = EIS_OK;
    eis_ckks_ct sum = {0};

    verify(a);
    verify(b);
    EIS_ASSERT(a->params == b->params);
    EIS_TRY(check_levels(a->limbs, b->limbs));
    EIS_TRY(check_scales(a->scale, b->scale));
    if (r == b && r != a) { /* b must outlive the copy of a */
        EIS_TRY(widen(&sum, a, a->polys > b->polys ? a->polys : b->polys));
        for (size_t c = 0; c < b->polys; c++) operation(&a->params->rns, &sum.poly[c], &sum.poly[c], &b->poly[c]);
        eis_ckks_ct_clear(r);
        *r = sum;
        sum = (eis_ckks_ct){0};
    } else {
        EIS_TRY(widen(r, a, a->polys > b->polys ? a->polys : b->polys));
        for (size_t c = 0; c < b->polys; c++) operation(&r->params->rns, &r->poly[c], &r->poly[c], &b->poly[c]);
    }
    r->generator = 0;
out:
    eis_ckks_ct_clear(&sum);
    return st;
}

eis_status eis_ckks_ct_add(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_ct *b)
{
    return combine(r, a, b, eis_poly_add);
}

eis_status eis_ckks_ct_sub(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_ct *b)
{
    return combine(r, a, b, eis_poly_sub);
}

eis_status eis_ckks_ct_neg(eis_ckks_ct *r, const eis_ckks_ct *a)
{
    eis_status st = EIS_OK;

    verify(a);
    EIS_TRY(eis_ckks_ct_copy(r, a));
    for (size_t c = 0; c < r->polys; c++) eis_poly_neg(&r->params->rns, &r->poly[c], &r->poly[c]);
    r->generator = 0;
out:
    return st;
}

static eis_status combine_plain(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_plain *p, poly_operation operation)
{
    eis_status st = EIS_OK;

    EIS_TRY(check_plain(a, p));
    EIS_TRY(check_scales(a->scale, p->scale));
    EIS_TRY(eis_ckks_ct_copy(r, a));
    operation(&r->params->rns, &r->poly[0], &r->poly[0], &p->poly);
out:
    return st;
}

eis_status eis_ckks_ct_add_plain(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_plain *p)
{
    return combine_plain(r, a, p, eis_poly_add);
}

eis_status eis_ckks_ct_sub_plain(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_plain *p)
{
    return combine_plain(r, a, p, eis_poly_sub);
}

void eis_ckks_ct_add_constant(eis_ckks_ct *ct, const uint64_t *c)
{
    verify(ct);
    eis_poly_add_constant(&ct->params->rns, &ct->poly[0], c);
}

/* ---- Products --------------------------------------------------------------------------------------------------- */

eis_status eis_ckks_ct_mul_plain(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_plain *p)
{
    eis_status st = EIS_OK;
    const eis_rns *rns = &a->params->rns;
    double scale = a->scale * p->scale;

    EIS_TRY(check_plain(a, p));
    EIS_TRY(check_product(a->params, scale, a->limbs));
    EIS_TRY(eis_ckks_ct_init(r, a->params, a->polys, a->limbs, scale));
    for (size_t c = 0; c < r->polys; c++) eis_poly_mul(rns, &r->poly[c], &a->poly[c], &p->poly);
out:
    return st;
}

/* Checks that a product can be added to r. */
static eis_status check_sum_of_products(const eis_ckks_ct *r, const eis_ckks_ct *a, double scale)
{
    eis_status st = EIS_OK;

    EIS_ASSERT(r->params == a->params && r != a && r->polys == a->polys);
    EIS_TRY(check_levels(r->limbs, a->limbs));
    EIS_TRY(check_scales(r->scale, scale));
out:
    return st;
}

eis_status eis_ckks_ct_mul_plain_add(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_plain *p)
{
    eis_status st = EIS_OK;

    EIS_TRY(check_plain(a, p));
    EIS_TRY(check_sum_of_products(r, a, a->scale * p->scale));
    for (size_t c = 0; c < r->polys; c++) eis_poly_mul_add(&a->params->rns, &r->poly[c], &a->poly[c], &p->poly);
    r->generator = 0;
out:
    return st;
}

eis_status eis_ckks_ct_mul_integer(eis_ckks_ct *r, const eis_ckks_ct *a, int64_t c, double scale)
{
    eis_status st = EIS_OK;
    double product = a->scale * scale;

    verify(a);
    EIS_TRY(check_product(a->params, product, a->limbs));
    EIS_TRY(eis_ckks_ct_init(r, a->params, a->polys, a->limbs, product));
    for (size_t i = 0; i < r->polys; i++) eis_poly_mul_i64(&a->params->rns, &r->poly[i], &a->poly[i], c);
out:
    return st;
}

eis_status eis_ckks_ct_mul_integer_add(eis_ckks_ct *r, const eis_ckks_ct *a, int64_t c, double scale)
{
    eis_status st = EIS_OK;
    const eis_rns *rns = &a->params->rns;
    uint64_t residue[EIS_RNS_PRIMES_MAX];

    verify(a);
    EIS_TRY(check_sum_of_products(r, a, a->scale * scale));
    for (size_t i = 0; i < a->limbs; i++) residue[i] = eis_zq_from_i64(c, eis_rns_modulus(rns, i));
    for (size_t i = 0; i < r->polys; i++) eis_poly_mul_constant_add(rns, &r->poly[i], &a->poly[i], residue);
    r->generator = 0;
out:
    return st;
}

/* r, made for it, = a b. r is neither. */
static void multiply(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_ct *b)
{
    const eis_rns *rns = &a->params->rns;

    eis_poly_mul(rns, &r->poly[0], &a->poly[0], &b->poly[0]);
    eis_poly_mul(rns, &r->poly[1], &a->poly[0], &b->poly[1]);
    if (a == b)
        eis_poly_add(rns, &r->poly[1], &r->poly[1], &r->poly[1]);
    else
        eis_poly_mul_add(rns, &r->poly[1], &a->poly[1], &b->poly[0]);
    eis_poly_mul(rns, &r->poly[2], &a->poly[1], &b->poly[1]);
}

eis_status eis_ckks_ct_mul(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_ct *b)
{
    eis_status st = EIS_OK;
    double scale = a->scale * b->scale;
    eis_ckks_ct product = {0};

    verify(a);
    verify(b);
    EIS_ASSERT(a->params == b->params && a->polys == 2 && b->polys == 2);
    EIS_TRY(check_levels(a->limbs, b->limbs));
    EIS_TRY(check_product(a->params, scale, a->limbs));
    if (r != a && r != b) {
        EIS_TRY(eis_ckks_ct_init(r, a->params, 3, a->limbs, scale));
        multiply(r, a, b);
        return EIS_OK;
    }
    EIS_TRY(eis_ckks_ct_init(&product, a->params, 3, a->limbs, scale));
    multiply(&product, a, b);
    eis_ckks_ct_clear(r);
    *r = product;
    product = (eis_ckks_ct){0};
out:
    eis_ckks_ct_clear(&product);
    return st;
}

eis_status eis_ckks_ct_square(eis_ckks_ct *r, const eis_ckks_ct *a) { return eis_ckks_ct_mul(r, a, a); }

eis_status eis_ckks_ct_mul_add(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_ct *b)
{
    eis_status st = EIS_OK;
    const eis_rns *rns = &a->params->rns;

    verify(a);
    verify(b);
    EIS_ASSERT(r->params == a->params && a->params == b->params && r != a && r != b);
    EIS_ASSERT(r->polys == 3 && a->polys == 2 && b->polys == 2);
    EIS_TRY(check_levels(a->limbs, b->limbs));
    EIS_TRY(check_levels(r->limbs, a->limbs));
    EIS_TRY(check_scales(r->scale, a->scale * b->scale));
    eis_poly_mul_add(rns, &r->poly[0], &a->poly[0], &b->poly[0]);
    eis_poly_mul_add(rns, &r->poly[1], &a->poly[0], &b->poly[1]);
    eis_poly_mul_add(rns, &r->poly[1], &a->poly[1], &b->poly[0]);
    eis_poly_mul_add(rns, &r->poly[2], &a->poly[1], &b->poly[1]);
    r->generator = 0;
out:
    return st;
}

/* ---- Numbers ---------------------------------------------------------------------------------------------------- */

#define REAL_EXPONENT_MAX 1000

/* The residues of round(value factor). Public numbers: variable time in the exponent. */
static eis_status integer_residues(uint64_t *residue, const eis_ckks_ct *like, double value, double factor)
{
    eis_status st = EIS_OK;
    const double integer = rint(value * factor);
    int exponent = 0;
    int64_t mantissa;

    EIS_REQUIRE(isfinite(value) && isfinite(factor) && factor > 0 && fabs(integer) < ldexp(1, REAL_EXPONENT_MAX),
                EIS_ERR_SCALE, "a number at scale 2^%.1f", log2(factor));
    mantissa = (int64_t)ldexp(frexp(integer, &exponent), 53); /* integer = mantissa 2^(exponent - 53) */
    if (exponent <= 53) mantissa = (int64_t)integer;
    for (size_t i = 0; i < like->limbs; i++) {
        const eis_modulus *m = eis_rns_modulus(&like->params->rns, i);

        residue[i] = eis_zq_from_i64(mantissa, m);
        if (exponent > 53) residue[i] = eis_zq_mul(residue[i], eis_zq_power_var(2, (uint64_t)exponent - 53, m), m);
    }
out:
    return st;
}

eis_status eis_ckks_ct_mul_real(eis_ckks_ct *r, const eis_ckks_ct *a, double value, double scale)
{
    eis_status st = EIS_OK;
    uint64_t residue[EIS_RNS_PRIMES_MAX];

    verify(a);
    EIS_TRY(check_product(a->params, scale, a->limbs));
    EIS_TRY(integer_residues(residue, a, value, scale / a->scale));
    EIS_TRY(eis_ckks_ct_init(r, a->params, a->polys, a->limbs, scale));
    for (size_t i = 0; i < r->polys; i++) eis_poly_mul_constant(&a->params->rns, &r->poly[i], &a->poly[i], residue);
out:
    return st;
}

eis_status eis_ckks_ct_mul_real_add(eis_ckks_ct *r, const eis_ckks_ct *a, double value)
{
    eis_status st = EIS_OK;
    uint64_t residue[EIS_RNS_PRIMES_MAX];

    verify(a);
    EIS_ASSERT(r->params == a->params && r != a && r->polys >= a->polys);
    EIS_TRY(check_levels(r->limbs, a->limbs));
    EIS_TRY(integer_residues(residue, a, value, r->scale / a->scale));
    for (size_t i = 0; i < a->polys; i++) eis_poly_mul_constant_add(&a->params->rns, &r->poly[i], &a->poly[i], residue);
    r->generator = 0;
out:
    return st;
}

eis_status eis_ckks_ct_add_real(eis_ckks_ct *r, double value)
{
    eis_status st = EIS_OK;
    uint64_t residue[EIS_RNS_PRIMES_MAX];

    verify(r);
    EIS_TRY(integer_residues(residue, r, value, r->scale));
    eis_poly_add_constant(&r->params->rns, &r->poly[0], residue);
out:
    return st;
}

/* ---- Levels ----------------------------------------------------------------------------------------------------- */

eis_status eis_ckks_ct_rescale(eis_ckks_ct *ct)
{
    eis_status st = EIS_OK;
    const eis_rns *rns = &ct->params->rns;
    uint64_t *scratch = NULL;
    double scale;

    verify(ct);
    EIS_REQUIRE(ct->limbs > 1, EIS_ERR_LEVEL, "the last prime cannot be rescaled away");
    scale = ct->scale / (double)eis_ckks_last_prime(ct->params, ct->limbs);
    EIS_TRY(check_product(ct->params, scale, ct->limbs - 1));
    EIS_NEW_RAW(scratch, ct->params->degree);
    for (size_t c = 0; c < ct->polys; c++) eis_poly_rescale_raw(rns, &ct->poly[c], scratch);
    ct->limbs--;
    ct->scale = scale;
    ct->generator = 0;
out:
    eis_mem_free(scratch);
    return st;
}

double eis_ckks_factor_scale(const eis_ckks_params *params, size_t limbs, double scale, double target)
{
    EIS_ASSERT(limbs > 1);
    return target * (double)eis_ckks_last_prime(params, limbs) / scale;
}

eis_status eis_ckks_ct_rescale_to(eis_ckks_ct *ct, double scale)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(ct->limbs > 1, EIS_ERR_LEVEL, "the last prime cannot be rescaled away");
    EIS_REQUIRE(fabs(ct->scale / (double)eis_ckks_last_prime(ct->params, ct->limbs) - scale) <= ldexp(scale, -46),
                EIS_ERR_SCALE, "a rescaled product at scale 2^%.9f, not 2^%.9f",
                log2(ct->scale / (double)eis_ckks_last_prime(ct->params, ct->limbs)), log2(scale));
    EIS_TRY(eis_ckks_ct_rescale(ct));
    ct->scale = scale;
out:
    return st;
}

eis_status eis_ckks_ct_drop(eis_ckks_ct *ct, size_t limbs)
{
    eis_status st = EIS_OK;

    verify(ct);
    EIS_ASSERT(limbs >= 1);
    EIS_REQUIRE(limbs <= ct->limbs, EIS_ERR_LEVEL, "no primes can be gained");
    EIS_TRY(check_product(ct->params, ct->scale, limbs));
    if (limbs == ct->limbs) return EIS_OK;
    for (size_t c = 0; c < ct->polys; c++) eis_poly_drop_limbs(&ct->poly[c], limbs);
    ct->limbs = limbs;
    ct->generator = 0; /* the stream of rejected words would not be the same */
out:
    return st;
}

/* ---- Key switches ----------------------------------------------------------------------------------------------- */

static eis_status check_key(const eis_ckks_switch_key *key, size_t limbs)
{
    if (key->limbs >= limbs) return EIS_OK;
    return eis_fail(EIS_ERR_KEYS_INSUFFICIENT, "a key for %zu limbs, used at %zu", key->limbs, limbs);
}

/* r = the pair of a switch at `limbs` and a scale; like a, which may be r, or one limb lower. */
static eis_status switch_pair(eis_ckks_ct *r, const eis_ckks_ct *a, size_t limbs, double scale,
                              const eis_ckks_switching *job)
{
    eis_status st = EIS_OK;

    if (r != a) EIS_TRY(eis_ckks_ct_init(r, a->params, 2, limbs, scale));
    EIS_TRY(eis_ckks_switch_lowered(&r->poly[0], &r->poly[1], job));
    for (size_t c = 2; c < r->polys; c++) eis_poly_clear(&r->poly[c]);
    for (size_t c = 0; c < 2; c++) eis_poly_drop_limbs(&r->poly[c], limbs);
    r->polys = 2;
    r->limbs = limbs;
    r->scale = scale;
    r->generator = 0;
out:
    if (st != EIS_OK && r != a) eis_ckks_ct_clear(r);
    return st;
}

eis_status eis_ckks_ct_relinearise(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_switch_key *key,
                                   eis_ckks_digit_form form)
{
    eis_status st = EIS_OK;

    verify(a);
    if (a->polys == 2) return eis_ckks_ct_copy(r, a);
    EIS_ASSERT(key->params == a->params);
    EIS_TRY(check_key(key, a->limbs));
    EIS_TRY(switch_pair(
        r, a, a->limbs, a->scale,
        &(eis_ckks_switching){.key = key, .t = &a->poly[2], .form = form, .a0 = &a->poly[0], .a1 = &a->poly[1]}));
out:
    return st;
}

eis_status eis_ckks_ct_relinearise_rescale(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_switch_key *key,
                                           eis_ckks_digit_form form)
{
    eis_status st = EIS_OK;
    double scale;

    verify(a);
    EIS_ASSERT(key->params == a->params && a->polys == 3);
    EIS_REQUIRE(a->limbs > 1, EIS_ERR_LEVEL, "the last prime cannot be rescaled away");
    scale = a->scale / (double)eis_ckks_last_prime(a->params, a->limbs);
    EIS_TRY(check_product(a->params, scale, a->limbs - 1));
    EIS_TRY(check_key(key, a->limbs));
    EIS_TRY(switch_pair(
        r, a, a->limbs - 1, scale,
        &(eis_ckks_switching){
            .key = key, .t = &a->poly[2], .form = form, .a0 = &a->poly[0], .a1 = &a->poly[1], .rescale = true}));
out:
    return st;
}

eis_status eis_ckks_ct_galois(eis_ckks_ct *r, const eis_ckks_ct *a, uint32_t element, const eis_ckks_galois_keys *keys,
                              eis_ckks_digit_form form)
{
    eis_status st = EIS_OK;
    const eis_ckks_galois_key *key;

    verify(a);
    EIS_ASSERT(a->polys == 2 && keys->params == a->params);
    if (element == 1) return eis_ckks_ct_copy(r, a);
    EIS_TRY(eis_ckks_galois_key_find(&key, keys, element));
    EIS_TRY(check_key(&key->key, a->limbs));
    EIS_TRY(switch_pair(r, a, a->limbs, a->scale,
                        &(eis_ckks_switching){
                            .key = &key->key, .t = &a->poly[1], .form = form, .order = key->order, .a0 = &a->poly[0]}));
out:
    return st;
}

eis_status eis_ckks_ct_rotate(eis_ckks_ct *r, const eis_ckks_ct *a, int32_t steps, const eis_ckks_galois_keys *keys,
                              eis_ckks_digit_form form)
{
    return eis_ckks_ct_galois(r, a, eis_ckks_rotation_element(a->params, steps), keys, form);
}

eis_status eis_ckks_ct_conjugate(eis_ckks_ct *r, const eis_ckks_ct *a, const eis_ckks_galois_keys *keys,
                                 eis_ckks_digit_form form)
{
    return eis_ckks_ct_galois(r, a, eis_ckks_conjugation_element(a->params), keys, form);
}

eis_status eis_ckks_ct_sum_slots(eis_ckks_ct *r, const eis_ckks_ct *a, size_t count, size_t stride,
                                 const eis_ckks_galois_keys *keys)
{
    eis_status st = EIS_OK;
    eis_ckks_ct sum = {0}, turned = {0};

    EIS_ASSERT(count > 0 && (count & (count - 1)) == 0 && stride > 0 && stride <= eis_ckks_slots(a->params) / count);
    EIS_TRY(eis_ckks_ct_copy(&sum, a));
    for (size_t step = 1; step < count; step *= 2) {
        EIS_TRY(eis_ckks_ct_rotate(&turned, &sum, (int32_t)(step * stride), keys, EIS_CKKS_DIGITS_CENTRED));
        EIS_TRY(eis_ckks_ct_add(&sum, &sum, &turned));
    }
    eis_ckks_ct_clear(r);
    *r = sum;
    sum = (eis_ckks_ct){0};
out:
    eis_ckks_ct_clear(&sum);
    eis_ckks_ct_clear(&turned);
    return st;
}

/* ---- Hoisted rotations ------------------------------------------------------------------------------------------ */

eis_status eis_ckks_hoist(eis_ckks_hoisted *h, const eis_ckks_ct *a)
{
    eis_status st = EIS_OK;

    verify(a);
    EIS_ASSERT(a->polys == 2);
    EIS_TRY(eis_ckks_ct_copy(&h->ct, a));
    EIS_TRY(eis_ckks_digits_init(&h->digits, a->params, &a->poly[1], EIS_CKKS_DIGITS_CENTRED));
out:
    if (st != EIS_OK) eis_ckks_hoisted_clear(h);
    return st;
}

void eis_ckks_hoisted_clear(eis_ckks_hoisted *h)
{
    eis_ckks_ct_clear(&h->ct);
    eis_ckks_digits_clear(&h->digits);
}

eis_status eis_ckks_hoisted_lift(eis_ckks_lifted *r, const eis_ckks_hoisted *h, uint32_t element,
                                 const eis_ckks_galois_keys *keys)
{
    eis_status st = EIS_OK;
    const eis_ckks_params *params = h->ct.params;
    const eis_ckks_galois_key *key;

    EIS_ASSERT(keys->params == params);
    if (element == 1) {
        eis_ckks_lifted_clear(r); /* so that it starts at zero */
        EIS_TRY(eis_ckks_lifted_init(r, params, h->ct.limbs, h->ct.scale));
        EIS_TRY(eis_ckks_lift_add(params, &r->c0, &h->ct.poly[0], NULL));
        EIS_TRY(eis_ckks_lift_add(params, &r->c1, &h->ct.poly[1], NULL));
    } else {
        EIS_TRY(eis_ckks_galois_key_find(&key, keys, element));
        EIS_TRY(check_key(&key->key, h->ct.limbs));
        EIS_TRY(eis_ckks_lifted_init(r, params, h->ct.limbs, h->ct.scale));
        eis_ckks_digits_multiply(r, &h->digits, &key->key, key->order);
        EIS_TRY(eis_ckks_lift_add(params, &r->c0, &h->ct.poly[0], key->order));
    }
out:
    return st;
}

eis_status eis_ckks_hoisted_galois(eis_ckks_ct *r, const eis_ckks_hoisted *h, uint32_t element,
                                   const eis_ckks_galois_keys *keys)
{
    eis_status st = EIS_OK;
    const eis_ckks_galois_key *key;

    EIS_ASSERT(keys->params == h->ct.params);
    if (element == 1) return eis_ckks_ct_copy(r, &h->ct);
    EIS_TRY(eis_ckks_galois_key_find(&key, keys, element));
    EIS_TRY(check_key(&key->key, h->ct.limbs));
    EIS_TRY(switch_pair(
        r, &h->ct, h->ct.limbs, h->ct.scale,
        &(eis_ckks_switching){.key = &key->key, .digits = &h->digits, .order = key->order, .a0 = &h->ct.poly[0]}));
out:
    return st;
}

eis_status eis_ckks_lifted_add(eis_ckks_lifted *r, const eis_ckks_lifted *a)
{
    eis_status st = EIS_OK;

    EIS_ASSERT(r->params == a->params && r->c0.special > 0 && a->c0.special > 0);
    EIS_TRY(check_levels(r->limbs, a->limbs));
    EIS_TRY(check_scales(r->scale, a->scale));
    eis_poly_add(&r->params->rns, &r->c0, &r->c0, &a->c0);
    eis_poly_add(&r->params->rns, &r->c1, &r->c1, &a->c1);
out:
    return st;
}

static eis_status check_lifted_plain(const eis_ckks_lifted *a, const eis_ckks_plain *p)
{
    EIS_ASSERT(a->params == p->params && a->c0.special > 0 && p->poly.special == a->c0.special);
    return check_levels(a->limbs, p->poly.limbs - p->poly.special);
}

eis_status eis_ckks_lifted_mul_plain(eis_ckks_lifted *r, const eis_ckks_lifted *a, const eis_ckks_plain *p)
{
    eis_status st = EIS_OK;
    double scale = a->scale * p->scale;

    EIS_TRY(check_lifted_plain(a, p));
    EIS_TRY(check_product(a->params, scale, a->limbs));
    EIS_TRY(eis_ckks_lifted_init(r, a->params, a->limbs, scale));
    eis_poly_mul(&a->params->rns, &r->c0, &a->c0, &p->poly);
    eis_poly_mul(&a->params->rns, &r->c1, &a->c1, &p->poly);
out:
    return st;
}

eis_status eis_ckks_lifted_mul_plain_add(eis_ckks_lifted *r, const eis_ckks_lifted *a, const eis_ckks_plain *p)
{
    eis_status st = EIS_OK;

    EIS_ASSERT(r->params == a->params && r != a && r->c0.special > 0);
    EIS_TRY(check_lifted_plain(a, p));
    EIS_TRY(check_levels(r->limbs, a->limbs));
    EIS_TRY(check_scales(r->scale, a->scale * p->scale));
    eis_poly_mul_add(&a->params->rns, &r->c0, &a->c0, &p->poly);
    eis_poly_mul_add(&a->params->rns, &r->c1, &a->c1, &p->poly);
out:
    return st;
}

eis_status eis_ckks_lifted_lower(eis_ckks_ct *r, eis_ckks_lifted *lifted)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_ckks_ct_init(r, lifted->params, 2, lifted->limbs, lifted->scale));
    EIS_TRY(eis_ckks_lifted_down_to(&r->poly[0], &r->poly[1], lifted));
out:
    if (st != EIS_OK) eis_ckks_ct_clear(r);
    return st;
}
