/* SPDX-License-Identifier: Apache-2.0 */
/* If limbs fell out of step, or a rescale rounded otherwise than SEAL's, results would be wrong at every level below:
 * each operation against integers of the whole modulus, in 128 bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kernel/rng.h"
#include "ring/poly.h"
#include "ring/zq.h"

__extension__ typedef __int128 wide;

enum { LOG2 = 5, N = 1 << LOG2, LIMBS = 4 };

/* Primes whose product of three stays below 2^126; the special one is last. */
static const unsigned sizes[LIMBS] = {41, 40, 40, 44};

static void make_chain(eis_rns *rns)
{
    uint64_t primes[LIMBS];

    assert_int_equal(eis_zq_primes_choose(primes, sizes, LIMBS, N), EIS_OK);
    assert_int_equal(eis_rns_init(rns, LOG2, primes, LIMBS), EIS_OK);
}

static uint64_t residue(wide v, uint64_t q) { return (uint64_t)((v % (wide)q + (wide)q) % (wide)q); }

/* Sets a polynomial from integers. */
static void set_wide(const eis_rns *rns, eis_poly *p, const wide *v)
{
    for (size_t i = 0; i < p->limbs; i++) {
        for (size_t j = 0; j < N; j++) eis_poly_limb(p, i)[j] = residue(v[j], eis_poly_plan(rns, p, i)->mod.q);
    }
    p->domain = EIS_DOMAIN_COEFF;
}

static void assert_is(const eis_rns *rns, const eis_poly *p, const wide *v)
{
    assert_int_equal(p->domain, EIS_DOMAIN_COEFF);
    for (size_t i = 0; i < p->limbs; i++) {
        for (size_t j = 0; j < N; j++) {
            assert_true(eis_poly_limb(p, i)[j] == residue(v[j], eis_poly_plan(rns, p, i)->mod.q));
        }
    }
}

/* Signed integers of up to `bits` bits, extremes among them. */
static void fill_wide(wide *v, unsigned bits, uint64_t *rng)
{
    for (size_t j = 0; j < N; j++) {
        uint64_t pick = rng_next(rng);
        wide w = (wide)(((eis_zq_wide)rng_next(rng) << 64 | rng_next(rng)) >> (128 - bits));

        if (pick % 8 == 0) w = ((wide)1 << bits) - 1;
        if (pick % 8 == 1) w = 0;
        v[j] = pick & 16 ? -w : w;
    }
}

static void new_poly(const eis_rns *rns, eis_poly *p, size_t limbs, size_t special)
{
    memset(p, 0, sizeof *p);
    assert_int_equal(eis_poly_init(rns, p, limbs, special, EIS_DOMAIN_COEFF), EIS_OK);
}

static void sums_differences_and_constants(void **state)
{
    eis_rns rns;
    eis_poly a, b, r;
    wide x[N], y[N], z[N];
    uint64_t rng = 1;

    (void)state;
    make_chain(&rns);
    new_poly(&rns, &a, 3, 1); /* limbs 0, 1 and the special prime: the shape of a key switch */
    new_poly(&rns, &b, 3, 1);
    new_poly(&rns, &r, 3, 1);
    assert_int_equal(eis_poly_prime(&rns, &a, 1), 1);
    assert_int_equal(eis_poly_prime(&rns, &a, 2), 3);
    for (int times = 0; times < 20; times++) {
        const int64_t c = times == 0 ? INT64_MIN : times == 1 ? -1 : (int64_t)rng_next(&rng);
        uint64_t residues[3];

        fill_wide(x, 60, &rng);
        fill_wide(y, 60, &rng);
        set_wide(&rns, &a, x);
        set_wide(&rns, &b, y);
        assert_true(eis_poly_canonical(&rns, &a));
        eis_poly_add(&rns, &r, &a, &b);
        for (size_t j = 0; j < N; j++) z[j] = x[j] + y[j];
        assert_is(&rns, &r, z);
        eis_poly_sub(&rns, &r, &a, &b);
        for (size_t j = 0; j < N; j++) z[j] = x[j] - y[j];
        assert_is(&rns, &r, z);
        eis_poly_neg(&rns, &r, &a);
        for (size_t j = 0; j < N; j++) z[j] = -x[j];
        assert_is(&rns, &r, z);
        eis_poly_mul_i64(&rns, &r, &a, c);
        for (size_t j = 0; j < N; j++) z[j] = x[j] * c;
        assert_is(&rns, &r, z);
        for (size_t i = 0; i < 3; i++) residues[i] = residue(c, eis_poly_plan(&rns, &a, i)->mod.q);
        eis_poly_mul_constant_add(&rns, &r, &b, residues);
        for (size_t j = 0; j < N; j++) z[j] += y[j] * c;
        assert_is(&rns, &r, z);
        eis_poly_add_constant(&rns, &r, residues);
        z[0] += c;
        assert_is(&rns, &r, z);
        eis_poly_to_ntt(&rns, &r); /* in the value domain a constant goes everywhere */
        eis_poly_add_constant(&rns, &r, residues);
        eis_poly_to_coeff(&rns, &r);
        z[0] += c;
        assert_is(&rns, &r, z);
    }
    eis_poly_clear(&a);
    eis_poly_clear(&b);
    eis_poly_clear(&r);
    eis_rns_clear(&rns);
}

static void products(void **state)
{
    eis_rns rns;
    eis_poly a, b, r;
    wide x[N], y[N], z[N];
    uint64_t rng = 2;

    (void)state;
    make_chain(&rns);
    new_poly(&rns, &a, LIMBS, 1);
    new_poly(&rns, &b, LIMBS, 1);
    new_poly(&rns, &r, LIMBS, 1);
    for (int times = 0; times < 10; times++) {
        memset(z, 0, sizeof z);
        fill_wide(x, 55, &rng);
        fill_wide(y, 60, &rng);
        for (size_t i = 0; i < N; i++) {
            for (size_t j = 0; j < N; j++) z[(i + j) % N] += i + j < N ? x[i] * y[j] : -x[i] * y[j];
        }
        set_wide(&rns, &a, x);
        set_wide(&rns, &b, y);
        eis_poly_to_ntt(&rns, &a);
        eis_poly_to_ntt(&rns, &b);
        eis_poly_copy(&rns, &r, &a);
        eis_poly_mul(&rns, &r, &r, &b);
        eis_poly_mul_add(&rns, &r, &a, &b);
        eis_poly_to_coeff(&rns, &r);
        for (size_t j = 0; j < N; j++) z[j] *= 2;
        assert_is(&rns, &r, z);
    }
    eis_poly_clear(&a);
    eis_poly_clear(&b);
    eis_poly_clear(&r);
    eis_rns_clear(&rns);
}

/* round(v / p), as (v - centred residue) / p; p is odd, so there are no ties. */
static wide divide_round(wide v, uint64_t p)
{
    wide r = residue(v, p);

    if (r > (wide)((p - 1) / 2)) r -= (wide)p;
    return (v - r) / (wide)p;
}

static void check_division(size_t limbs, size_t special, bool ntt, uint64_t *rng)
{
    eis_rns rns;
    eis_poly a;
    wide x[N];

    make_chain(&rns);
    new_poly(&rns, &a, limbs, special);
    for (int times = 0; times < 20; times++) {
        uint64_t divisor;

        assert_int_equal(eis_poly_init(&rns, &a, limbs, special, EIS_DOMAIN_COEFF), EIS_OK);
        divisor = eis_poly_plan(&rns, &a, limbs - 1)->mod.q;
        fill_wide(x, 79, rng);
        x[1] = (divisor - 1) / 2;     /* just below a half: 0 */
        x[2] = (divisor - 1) / 2 + 1; /* just above: 1 */
        x[3] = -(wide)((divisor - 1) / 2);
        x[4] = -(wide)((divisor - 1) / 2) - 1;
        set_wide(&rns, &a, x);
        if (ntt) eis_poly_to_ntt(&rns, &a);
        assert_int_equal(eis_poly_rescale(&rns, &a), EIS_OK);
        assert_int_equal(a.limbs, limbs - 1);
        assert_int_equal(a.special, 0);
        if (ntt) eis_poly_to_coeff(&rns, &a);
        for (size_t j = 0; j < N; j++) x[j] = divide_round(x[j], divisor);
        assert_true(x[1] == 0 && x[2] == 1 && x[3] == 0 && x[4] == -1);
        assert_is(&rns, &a, x);
    }
    eis_poly_clear(&a);
    eis_rns_clear(&rns);
}

static void rescale_and_mod_down(void **state)
{
    uint64_t rng = 3;

    (void)state;
    for (int ntt = 0; ntt < 2; ntt++) {
        check_division(3, 0, ntt, &rng);
        check_division(2, 0, ntt, &rng);
        check_division(4, 1, ntt, &rng); /* all limbs and P */
        check_division(3, 1, ntt, &rng); /* a lower level and P */
        check_division(2, 1, ntt, &rng);
    }
}

static void digits(void **state)
{
    eis_rns rns;
    uint64_t rng = 4, t[N], r[N];

    (void)state;
    make_chain(&rns);
    for (size_t from = 0; from < LIMBS; from++) {
        const uint64_t q = eis_rns_modulus(&rns, from)->q;

        for (size_t j = 0; j < N; j++) t[j] = rng_next(&rng) % q;
        t[0] = 0;
        t[1] = q - 1;
        t[2] = (q - 1) / 2;
        t[3] = (q - 1) / 2 + 1;
        for (size_t to = 0; to < LIMBS; to++) {
            const uint64_t p = eis_rns_modulus(&rns, to)->q;

            eis_poly_digit_raw(&rns, r, t, from, to, false);
            for (size_t j = 0; j < N; j++) assert_true(r[j] == t[j] % p);
            eis_poly_digit_raw(&rns, r, t, from, to, true);
            for (size_t j = 0; j < N; j++) {
                assert_true(r[j] == residue(t[j] > (q - 1) / 2 ? (wide)t[j] - (wide)q : (wide)t[j], p));
            }
        }
    }
    eis_rns_clear(&rns);
}

static void small_and_signed_coefficients(void **state)
{
    eis_rns rns, toy;
    eis_poly a;
    int8_t small[N];
    int64_t large[N];
    wide x[N];
    const uint64_t toy_primes[] = {193, 257};

    (void)state;
    make_chain(&rns);
    assert_int_equal(eis_rns_init(&toy, LOG2, toy_primes, 2), EIS_OK);
    for (size_t j = 0; j < N; j++) small[j] = (int8_t)(j % 2 == 0 ? (int)j * 8 - 128 : 127 - (int)j * 8);
    for (size_t j = 0; j < N; j++) large[j] = j % 2 == 0 ? INT64_MIN + (int64_t)j : INT64_MAX - (int64_t)j;
    for (size_t j = 0; j < N; j++) x[j] = small[j];
    new_poly(&rns, &a, LIMBS, 1);
    eis_poly_set_small(&rns, &a, small);
    assert_is(&rns, &a, x);
    eis_poly_clear(&a);
    new_poly(&toy, &a, 2, 0);
    eis_poly_set_small(&toy, &a, small);
    assert_is(&toy, &a, x);
    for (size_t j = 0; j < N; j++) x[j] = large[j];
    eis_poly_set_i64(&toy, &a, large);
    assert_is(&toy, &a, x);
    eis_poly_clear(&a);
    eis_rns_clear(&rns);
    eis_rns_clear(&toy);
}

static void galois_in_both_domains(void **state)
{
    eis_rns rns;
    eis_poly a, r;
    wide x[N], z[N];
    uint64_t rng = 6;

    (void)state;
    make_chain(&rns);
    new_poly(&rns, &a, 3, 0);
    new_poly(&rns, &r, 3, 0);
    for (uint32_t element = 1; element < 2 * N; element += 2) {
        fill_wide(x, 100, &rng);
        for (size_t j = 0; j < N; j++) z[j * element % N] = j * element % (2 * N) < N ? x[j] : -x[j];
        set_wide(&rns, &a, x);
        r.domain = a.domain;
        assert_int_equal(eis_poly_galois(&rns, &r, &a, element), EIS_OK);
        assert_is(&rns, &r, z);
        eis_poly_to_ntt(&rns, &a);
        r.domain = a.domain;
        assert_int_equal(eis_poly_galois(&rns, &r, &a, element), EIS_OK);
        eis_poly_to_coeff(&rns, &r);
        assert_is(&rns, &r, z);
    }
    eis_poly_clear(&a);
    eis_poly_clear(&r);
    eis_rns_clear(&rns);
}

static void questions_about_words(void **state)
{
    eis_rns rns;
    eis_poly a;

    (void)state;
    make_chain(&rns);
    new_poly(&rns, &a, LIMBS, 1);
    for (size_t i = 0; i < LIMBS; i++) {
        const uint64_t q = eis_poly_plan(&rns, &a, i)->mod.q;
        const uint64_t bad[] = {q, q + 1, UINT64_C(1) << 63, (UINT64_C(1) << 63) + q, UINT64_MAX};

        for (size_t b = 0; b < 5; b++) {
            eis_poly_limb(&a, i)[N - 1] = bad[b];
            assert_false(eis_poly_canonical(&rns, &a));
            assert_false(eis_poly_limb_is_zero(&a, i));
        }
        eis_poly_limb(&a, i)[N - 1] = q - 1;
        assert_true(eis_poly_canonical(&rns, &a));
        eis_poly_limb(&a, i)[N - 1] = 0;
        assert_true(eis_poly_limb_is_zero(&a, i));
    }
    eis_poly_clear(&a);
    eis_rns_clear(&rns);
}

static void chains_are_checked(void **state)
{
    const uint64_t twice[] = {193, 257, 193}, unfit[] = {193, 101}, good[] = {193, 257};
    uint64_t many[EIS_RNS_PRIMES_MAX + 1] = {193};
    eis_rns rns;

    (void)state;
    assert_int_equal(eis_rns_init(&rns, LOG2, twice, 3), EIS_ERR_RANGE);
    assert_int_equal(eis_rns_init(&rns, LOG2, unfit, 2), EIS_ERR_RANGE);
    assert_int_equal(eis_rns_init(&rns, LOG2, good, 0), EIS_ERR_RANGE);
    assert_int_equal(eis_rns_init(&rns, LOG2, many, EIS_RNS_PRIMES_MAX + 1), EIS_ERR_RANGE);
    assert_int_equal(eis_rns_init(&rns, 0, good, 2), EIS_ERR_RANGE);
    assert_null(rns.plan);
    for (unsigned long n = 1; n <= 4; n++) { /* every allocation may fail */
        (void)eis_mem_fail_at(n);
        assert_int_equal(eis_rns_init(&rns, LOG2, good, 2), EIS_ERR_MEMORY);
        (void)eis_mem_fail_at(0);
    }
    assert_int_equal(eis_rns_init(&rns, LOG2, good, 2), EIS_OK);
    assert_int_equal(eis_rns_bits(&rns, 0), 1);
    assert_int_equal(eis_rns_bits(&rns, 1), 8);
    assert_int_equal(eis_rns_bits(&rns, 2), 16); /* 49601 */
    assert_true(eis_rns_log2(&rns, 2) > 15.59 && eis_rns_log2(&rns, 2) < 15.60);
    eis_rns_clear(&rns);
}

static void memory_is_reported(void **state)
{
    eis_rns rns;
    eis_poly a = {0};

    (void)state;
    make_chain(&rns);
    (void)eis_mem_fail_at(1);
    assert_int_equal(eis_poly_init_secret(&rns, &a, 2, 0, EIS_DOMAIN_COEFF), EIS_ERR_MEMORY);
    assert_null(a.words);
    assert_int_equal(eis_poly_init_secret(&rns, &a, 2, 0, EIS_DOMAIN_COEFF), EIS_OK);
    eis_poly_limb(&a, 1)[0] = 5;
    (void)eis_mem_fail_at(1);
    assert_int_equal(eis_poly_rescale(&rns, &a), EIS_ERR_MEMORY);
    (void)eis_mem_fail_at(0);
    assert_int_equal(a.limbs, 2);
    assert_true(eis_poly_limb(&a, 1)[0] == 5);
    eis_poly_drop_limbs(&a, 1);
    assert_int_equal(a.limbs, 1);
    eis_poly_clear(&a);
    eis_rns_clear(&rns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_differences_and_constants),
        cmocka_unit_test(products),
        cmocka_unit_test(rescale_and_mod_down),
        cmocka_unit_test(digits),
        cmocka_unit_test(small_and_signed_coefficients),
        cmocka_unit_test(galois_in_both_domains),
        cmocka_unit_test(questions_about_words),
        cmocka_unit_test(chains_are_checked),
        cmocka_unit_test(memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
