/* SPDX-License-Identifier: Apache-2.0 */
/* If a branch or an address depended on a secret key, an error or a plaintext, the time of an encryption would tell
 * about it: every step between secret randomness and words on the wire, with secrets as undefined memory, at every
 * kernel level. The results are looked at too: the marks must not make the code idle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "base/ct.h"
#include "base/mem.h"
#include "encode/slots.h"
#include "kernel/kernel.h"
#include "kernel/rng.h"
#include "ring/ntt.h"
#include "ring/sampler.h"
#include "ring/zq.h"

enum { LOG2 = 6, N = 1 << LOG2, LIMBS = 4 };

static const unsigned sizes[LIMBS] = {60, 40, 50, 60}; /* a prime of every class; the last is special */

static void make_chain(eis_rns *rns)
{
    uint64_t primes[LIMBS];

    assert_int_equal(eis_zq_primes_choose(primes, sizes, LIMBS, N), EIS_OK);
    assert_int_equal(eis_rns_init(rns, LOG2, primes, LIMBS), EIS_OK);
}

/* A stream of secret bytes. */
static eis_status read_secret(void *ctx, void *out, size_t bytes)
{
    uint8_t *to = out;

    for (size_t i = 0; i < bytes; i++) to[i] = (uint8_t)rng_next(ctx);
    EIS_SECRET(out, bytes);
    return EIS_OK;
}

static void new_poly(const eis_rns *rns, eis_poly *p, size_t limbs, size_t special, eis_domain domain)
{
    memset(p, 0, sizeof *p);
    assert_int_equal(eis_poly_init_secret(rns, p, limbs, special, domain), EIS_OK);
}

/* Sums of products of secrets, permuted by a rotation and straight. */
static void run_sums(const eis_rns *rns, const eis_poly *s, const eis_poly *e)
{
    const eis_zq_kernels *k = &eis_kernels_get()->zq;
    uint64_t r0[N], r1[N];
    uint32_t order[N];

    eis_ntt_galois_order(order, LOG2, 5);
    for (size_t i = 0; i < LIMBS; i++) {
        const uint64_t *a[] = {eis_poly_limb(s, i), eis_poly_limb(e, i)}, *b[] = {a[1], a[0]};
        const eis_modulus *m = eis_rns_modulus(rns, i);

        k->dot(r0, a, b, 2, order, N, m);
        k->dot_pair(r0, r1, a, b, a, 2, order, N, m);
        k->dot_pair(r0, r1, a, b, a, 2, NULL, N, m);
    }
}

/* Secret key and error, and their way through every operation of a key and a ciphertext. */
static void run_ring(const eis_rns *rns)
{
    uint64_t rng = 1, c[LIMBS], scratch[N];
    eis_byte_source stream = {read_secret, &rng};
    int8_t secret[N], error[N];
    int64_t wide[N];
    eis_poly s, e, r;

    new_poly(rns, &s, LIMBS, 1, EIS_DOMAIN_COEFF);
    new_poly(rns, &e, LIMBS, 1, EIS_DOMAIN_COEFF);
    new_poly(rns, &r, LIMBS, 1, EIS_DOMAIN_NTT);
    assert_int_equal(eis_sampler_ternary(secret, N, &stream), EIS_OK);
    assert_int_equal(eis_sampler_error(error, N, &stream), EIS_OK);
    eis_poly_set_small(rns, &s, secret);
    for (size_t i = 0; i < N; i++) wide[i] = error[i];
    eis_poly_set_i64(rns, &e, wide);
    assert_true(eis_poly_canonical(rns, &s));
    eis_poly_to_ntt(rns, &s);
    eis_poly_to_ntt(rns, &e);
    run_sums(rns, &s, &e);
    eis_poly_mul(rns, &r, &s, &e);
    eis_poly_mul_add(rns, &r, &s, &s);
    eis_poly_add(rns, &r, &r, &e);
    eis_poly_sub(rns, &r, &r, &s);
    eis_poly_neg(rns, &r, &r);
    for (size_t i = 0; i < LIMBS; i++) c[i] = 12345 + i;
    EIS_SECRET(c, sizeof c);
    eis_poly_mul_constant(rns, &r, &r, c);
    eis_poly_mul_constant_add(rns, &r, &s, c);
    eis_poly_add_constant(rns, &r, c);
    eis_poly_mul_i64(rns, &r, &r, wide[0]);
    assert_int_equal(eis_poly_galois(rns, &e, &r, 5), EIS_OK);
    eis_poly_to_coeff(rns, &r);
    e.domain = EIS_DOMAIN_COEFF;
    assert_int_equal(eis_poly_galois(rns, &e, &r, 5), EIS_OK);
    for (size_t to = 1; to < LIMBS; to++) {
        eis_poly_digit_raw(rns, scratch, eis_poly_limb(&r, 0), 0, to, false);
        eis_poly_digit_raw(rns, scratch, eis_poly_limb(&r, 0), 0, to, true);
    }
    eis_poly_to_ntt(rns, &r);
    assert_int_equal(eis_poly_rescale(rns, &r), EIS_OK);
    assert_int_equal(eis_poly_rescale(rns, &r), EIS_OK);
    assert_true(eis_poly_canonical(rns, &r));
    EIS_PUBLIC(error, sizeof error); /* the test looks at it */
    for (size_t i = 0; i < N; i++) assert_in_range(error[i] + 21, 0, 42);
    eis_poly_clear(&s);
    eis_poly_clear(&e);
    eis_poly_clear(&r);
}

/* Values to a plaintext and back. */
static void run_slots(const eis_rns *rns, size_t limbs, double scale)
{
    eis_complex z[N / 2], back[N / 2];
    uint64_t c[LIMBS];
    double constant = 0.75;
    eis_slots slots;
    eis_poly m;

    assert_int_equal(eis_slots_init(&slots, LOG2), EIS_OK);
    new_poly(rns, &m, limbs, 0, EIS_DOMAIN_COEFF);
    for (size_t i = 0; i < N / 2; i++) z[i] = (eis_complex){(double)i / 7, 1 - (double)i / 9};
    EIS_SECRET(z, sizeof z);
    EIS_SECRET(&constant, sizeof constant);
    assert_int_equal(eis_slots_encode(&slots, rns, &m, z, N / 2, scale), EIS_OK);
    assert_int_equal(eis_slots_encode_constant(rns, c, &m, constant, scale), EIS_OK);
    assert_int_equal(eis_slots_decode(&slots, rns, back, N / 2, &m, scale), EIS_OK);
    EIS_PUBLIC(z, sizeof z); /* the test looks at both */
    EIS_PUBLIC(back, sizeof back);
    for (size_t i = 0; i < N / 2; i++) assert_true(fabs(z[i].re - back[i].re) + fabs(z[i].im - back[i].im) < 1e-6);
    eis_poly_clear(&m);
    eis_slots_clear(&slots);
}

static void at_every_level(void **state)
{
    eis_rns rns;

    (void)state;
    make_chain(&rns);
    for (size_t level = 0; level < eis_kernels_level_count(); level++) {
        assert_int_equal(eis_kernels_use(eis_kernels_level_name(level)), EIS_OK);
        run_ring(&rns);
        for (size_t limbs = 1; limbs <= 3; limbs++) run_slots(&rns, limbs, 0x1p30);
        run_slots(&rns, 3, 0x1p90);
    }
    eis_rns_clear(&rns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(at_every_level)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
