/* SPDX-License-Identifier: Apache-2.0 */
/* If slots stood in another order or were rounded otherwise, a client would read a stranger's sample or a wrong digit:
 * the published slots, the defining sums term by term in long double, and the accuracy that the design promises. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "encode/slots.h"
#include "kernel/rng.h"
#include "ring/zq.h"

__extension__ typedef __int128 wide;

static void make_chain(eis_rns *rns, unsigned log2n, const unsigned *bits, size_t count)
{
    uint64_t primes[8];

    assert_true(count <= 8);
    assert_int_equal(eis_zq_primes_choose(primes, bits, count, (size_t)1 << log2n), EIS_OK);
    assert_int_equal(eis_rns_init(rns, log2n, primes, count), EIS_OK);
}

static void new_poly(const eis_rns *rns, eis_poly *p, size_t limbs)
{
    memset(p, 0, sizeof *p);
    assert_int_equal(eis_poly_init(rns, p, limbs, 0, EIS_DOMAIN_COEFF), EIS_OK);
}

/* Uniform in [-1, 1). */
static double real(uint64_t *rng) { return (double)(int64_t)rng_next(rng) * 0x1p-63; }

/* 2^30 X under L1: slots 0 and 1 of the wire reference. */
static void published_slots(void **state)
{
    const unsigned bits[] = {60, 30, 30};
    eis_slots slots;
    eis_complex z[2];
    eis_poly a;
    eis_rns rns;

    (void)state;
    make_chain(&rns, 14, bits, 3);
    assert_int_equal(eis_slots_init(&slots, 14), EIS_OK);
    for (size_t limbs = 1; limbs <= 3; limbs++) {
        new_poly(&rns, &a, limbs);
        for (size_t i = 0; i < limbs; i++) eis_poly_limb(&a, i)[1] = (1 << 30) % eis_rns_modulus(&rns, i)->q;
        assert_int_equal(eis_slots_decode(&slots, &rns, z, 2, &a, 0x1p30), EIS_OK);
        assert_true(fabs(z[0].re - 0.99999998) < 0.6e-8 && fabs(z[0].im - 0.00019175) < 0.6e-8);
        assert_true(fabs(z[1].re - 0.99999983) < 0.6e-8 && fabs(z[1].im - 0.00057524) < 0.6e-8);
        eis_poly_clear(&a);
    }
    eis_slots_clear(&slots);
    eis_rns_clear(&rns);
}

/* scale * (2/n) * Re sum z_i zeta^(-3^i j), by the definition. */
static long double coefficient(const eis_complex *z, size_t count, size_t n, size_t j, double scale)
{
    const long double pi = 3.141592653589793238462643383279502884L;
    long double sum = 0;
    size_t exponent = 1;

    for (size_t i = 0; i < count; i++) {
        long double angle = pi * (long double)(exponent * j % (2 * n)) / (long double)n;
        sum += z[i].re * cosl(angle) + z[i].im * sinl(angle);
        exponent = exponent * 3 % (2 * n);
    }
    return sum * scale * 2 / (long double)n;
}

static int64_t centred(uint64_t a, uint64_t q) { return a > q / 2 ? (int64_t)(a - q) : (int64_t)a; }

static void check_definition(unsigned log2n, size_t count, bool reals)
{
    const unsigned bits[] = {60, 40};
    const size_t n = (size_t)1 << log2n;
    const double scale = 0x1p35;
    eis_complex z[128] = {{0, 0}};
    double x[128];
    uint64_t rng = log2n + count;
    eis_slots slots;
    eis_poly a;
    eis_rns rns;

    make_chain(&rns, log2n, bits, 2);
    assert_int_equal(eis_slots_init(&slots, log2n), EIS_OK);
    new_poly(&rns, &a, 2);
    for (size_t i = 0; i < count; i++) z[i] = (eis_complex){x[i] = real(&rng), reals ? 0 : real(&rng)};
    assert_int_equal(reals ? eis_slots_encode_reals(&slots, &rns, &a, x, count, scale)
                           : eis_slots_encode(&slots, &rns, &a, z, count, scale),
                     EIS_OK);
    assert_int_equal(a.domain, EIS_DOMAIN_NTT);
    eis_poly_to_coeff(&rns, &a);
    for (size_t j = 0; j < n; j++) {
        int64_t got = centred(eis_poly_limb(&a, 0)[j], eis_rns_modulus(&rns, 0)->q);

        assert_true(fabsl((long double)got - coefficient(z, count, n, j, scale)) <= 0.501L);
        assert_true(got == centred(eis_poly_limb(&a, 1)[j], eis_rns_modulus(&rns, 1)->q));
    }
    eis_poly_clear(&a);
    eis_slots_clear(&slots);
    eis_rns_clear(&rns);
}

static void encoding_is_the_defining_sum(void **state)
{
    (void)state;
    for (unsigned log2n = 2; log2n <= 8; log2n++) {
        const size_t count = (size_t)1 << (log2n - 1);

        check_definition(log2n, count, false);
        check_definition(log2n, count, true);
        check_definition(log2n, count / 2 + 1, false);
        check_definition(log2n, 1, true);
        check_definition(log2n, 0, true);
    }
}

/* The value of a polynomial with huge coefficients at zeta^(3^i), by the definition, for 1 to 4 limbs. */
static void decoding_is_evaluation(void **state)
{
    enum { LOG2 = 6, N = 1 << LOG2 };
    const unsigned bits[] = {40, 30, 30, 25};
    const long double pi = 3.141592653589793238462643383279502884L;
    uint64_t rng = 21;
    eis_slots slots;
    eis_rns rns;

    (void)state;
    make_chain(&rns, LOG2, bits, 4);
    assert_int_equal(eis_slots_init(&slots, LOG2), EIS_OK);
    for (size_t limbs = 1; limbs <= 4; limbs++) {
        const unsigned room = eis_rns_bits(&rns, limbs) - 2;
        const double scale = 0x1p20;
        wide m[N];
        eis_complex z[N / 2];
        double x[N / 2];
        eis_poly a;

        new_poly(&rns, &a, limbs);
        for (size_t j = 0; j < N; j++) {
            m[j] = (wide)(((eis_zq_wide)rng_next(&rng) << 64 | rng_next(&rng)) >> (128 - room));
            if (j % 4 == 1) m[j] >>= room / 2; /* small ones too */
            if (j % 2 == 1) m[j] = -m[j];
            for (size_t i = 0; i < limbs; i++) {
                wide q = eis_rns_modulus(&rns, i)->q;
                eis_poly_limb(&a, i)[j] = (uint64_t)((m[j] % q + q) % q);
            }
        }
        if (limbs % 2 == 0) eis_poly_to_ntt(&rns, &a);
        assert_int_equal(eis_slots_decode(&slots, &rns, z, N / 2, &a, scale), EIS_OK);
        assert_int_equal(eis_slots_decode_reals(&slots, &rns, x, N / 2, &a, scale), EIS_OK);
        for (size_t i = 0, exponent = 1; i < N / 2; i++, exponent = exponent * 3 % (2 * N)) {
            long double re = 0, im = 0, tolerance = ldexpl(1, (int)room - 20 - 45); /* 2^-45 of the largest */

            for (size_t j = 0; j < N; j++) {
                long double angle = pi * (long double)(exponent * j % (2 * N)) / N;
                re += (long double)m[j] * cosl(angle);
                im += (long double)m[j] * sinl(angle);
            }
            assert_true(fabsl(z[i].re - re / 0x1p20L) <= tolerance && fabsl(z[i].im - im / 0x1p20L) <= tolerance);
            assert_true(x[i] == z[i].re);
        }
        eis_poly_clear(&a);
    }
    eis_slots_clear(&slots);
    eis_rns_clear(&rns);
}

/* Small negative integers beside a large modulus must come back exactly, whatever the number of limbs. */
static void signs_survive_many_limbs(void **state)
{
    enum { LOG2 = 3, N = 1 << LOG2 };
    const unsigned bits[] = {60, 40, 40, 60, 60, 30, 30, 20};
    const int64_t values[] = {0, 1, -1, 5, -7, INT64_C(1) << 50, -(INT64_C(1) << 50), -12345};
    eis_slots slots;
    eis_rns rns;

    (void)state;
    make_chain(&rns, LOG2, bits, 8);
    assert_int_equal(eis_slots_init(&slots, LOG2), EIS_OK);
    for (size_t limbs = 1; limbs <= 8; limbs++) {
        for (size_t v = 0; v < 8; v++) {
            int64_t coeff[N] = {values[v]};
            double x[N / 2];
            eis_poly a;

            new_poly(&rns, &a, limbs);
            eis_poly_set_i64(&rns, &a, coeff);
            assert_int_equal(eis_slots_decode_reals(&slots, &rns, x, N / 2, &a, 1), EIS_OK);
            for (size_t i = 0; i < N / 2; i++) assert_true(x[i] == (double)values[v]);
            eis_poly_clear(&a);
        }
    }
    eis_slots_clear(&slots);
    eis_rns_clear(&rns);
}

/* The gate of the design: N = 8192 at 2^40, largest error 1e-8. Rounding alone gives sqrt(n/12) / 2^40 = 2.4e-11 rms
 * per slot, so the gate has room; the bound here is 20 times that rms, as tight as the slots' own tail allows. */
static void accuracy_gate(void **state)
{
    enum { COUNT = 4096 };
    const unsigned bits[] = {60, 40, 40};
    eis_complex *z = eis_mem_new(COUNT, sizeof *z), *back = eis_mem_new(COUNT, sizeof *back);
    uint64_t rng = 33;
    eis_slots slots;
    eis_poly a;
    eis_rns rns;

    (void)state;
    assert_true(z != NULL && back != NULL);
    make_chain(&rns, 13, bits, 3);
    assert_int_equal(eis_slots_init(&slots, 13), EIS_OK);
    for (size_t limbs = 1; limbs <= 3; limbs++) {
        double worst = 0;

        new_poly(&rns, &a, limbs);
        for (size_t i = 0; i < COUNT; i++) z[i] = (eis_complex){real(&rng), real(&rng)};
        assert_int_equal(eis_slots_encode(&slots, &rns, &a, z, COUNT, 0x1p40), EIS_OK);
        assert_int_equal(eis_slots_decode(&slots, &rns, back, COUNT, &a, 0x1p40), EIS_OK);
        for (size_t i = 0; i < COUNT; i++) worst = fmax(worst, hypot(z[i].re - back[i].re, z[i].im - back[i].im));
        assert_true(worst <= 1e-8);
        assert_true(worst <= 20 * 2.4e-11);
        eis_poly_clear(&a);
    }
    eis_slots_clear(&slots);
    eis_rns_clear(&rns);
    eis_mem_free(z);
    eis_mem_free(back);
}

/* Coefficients beyond 64 bits, as at the scale of a product: 2^80 and up. */
static void large_scales(void **state)
{
    enum { COUNT = 32 };
    const unsigned bits[] = {60, 60, 60};
    double x[COUNT], back[COUNT];
    uint64_t rng = 34;
    eis_slots slots;
    eis_poly a;
    eis_rns rns;

    (void)state;
    make_chain(&rns, 6, bits, 3);
    assert_int_equal(eis_slots_init(&slots, 6), EIS_OK);
    for (int log2scale = 58; log2scale <= 170; log2scale += 7) {
        new_poly(&rns, &a, 3);
        for (size_t i = 0; i < COUNT; i++) x[i] = real(&rng);
        assert_int_equal(eis_slots_encode_reals(&slots, &rns, &a, x, COUNT, ldexp(1, log2scale)), EIS_OK);
        assert_int_equal(eis_slots_decode_reals(&slots, &rns, back, COUNT, &a, ldexp(1, log2scale)), EIS_OK);
        for (size_t i = 0; i < COUNT; i++) assert_true(fabs(x[i] - back[i]) < 0x1p-45);
        eis_poly_clear(&a);
    }
    eis_slots_clear(&slots);
    eis_rns_clear(&rns);
}

static void constants(void **state)
{
    const unsigned bits[] = {60, 40, 40};
    const struct {
        double value, scale;
        int64_t rounded;
    } cases[] = {{0.5, 1, 1},
                 {-0.5, 1, -1},
                 {2.5, 1, 3},
                 {-2.5, 1, -3},
                 {0.49999999999999994, 1, 0},
                 {1.25, 4, 5},
                 {-1, 0x1p40, -(INT64_C(1) << 40)},
                 {0, 0x1p200, 0},
                 {-3, 0x1p60, -(INT64_C(3) << 60)},
                 {0.1, 0x1p30, 107374182}};
    eis_poly like, spread;
    eis_rns rns;
    eis_slots slots;

    (void)state;
    make_chain(&rns, 4, bits, 3);
    assert_int_equal(eis_slots_init(&slots, 4), EIS_OK);
    new_poly(&rns, &like, 3);
    new_poly(&rns, &spread, 3);
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        double all[8];
        uint64_t c[3];

        for (size_t i = 0; i < 8; i++) all[i] = cases[k].value;
        assert_int_equal(eis_slots_encode_constant(&rns, c, &like, cases[k].value, cases[k].scale), EIS_OK);
        assert_int_equal(eis_slots_encode_reals(&slots, &rns, &spread, all, 8, cases[k].scale), EIS_OK);
        for (size_t i = 0; i < 3; i++) {
            assert_true(c[i] == eis_zq_from_i64(cases[k].rounded, eis_rns_modulus(&rns, i)));
            for (size_t j = 0; j < 16; j++) assert_true(eis_poly_limb(&spread, i)[j] == c[i]);
        }
    }
    eis_poly_clear(&like);
    eis_poly_clear(&spread);
    eis_slots_clear(&slots);
    eis_rns_clear(&rns);
}

/* ceil(log2 max) + 1 < bits: a one-limb plaintext of 40 bits takes 2^38 and nothing above. */
static void guards(void **state)
{
    const unsigned bits[] = {40};
    const double bad_scales[] = {0, -1, NAN, INFINITY, 0x1p-1070, -0.0};
    const double bad_values[] = {NAN, INFINITY, -INFINITY, 1e300};
    double x[9] = {0};
    uint64_t c[1] = {77};
    eis_slots slots;
    eis_poly a;
    eis_rns rns;

    (void)state;
    make_chain(&rns, 4, bits, 1);
    assert_int_equal(eis_slots_init(&slots, 4), EIS_OK);
    new_poly(&rns, &a, 1);
    a.words[3] = 5;
    assert_int_equal(eis_slots_encode_reals(&slots, &rns, &a, x, 9, 1), EIS_ERR_SHAPE);
    assert_int_equal(eis_slots_decode_reals(&slots, &rns, x, 9, &a, 1), EIS_ERR_SHAPE);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(eis_slots_encode_reals(&slots, &rns, &a, x, 8, bad_scales[i]), EIS_ERR_SCALE);
        assert_int_equal(eis_slots_decode_reals(&slots, &rns, x, 8, &a, bad_scales[i]), EIS_ERR_SCALE);
        assert_int_equal(eis_slots_encode_constant(&rns, c, &a, 1, bad_scales[i]), EIS_ERR_SCALE);
    }
    for (size_t i = 0; i < 4; i++) {
        x[5] = bad_values[i];
        assert_int_equal(eis_slots_encode_reals(&slots, &rns, &a, x, 8, 0x1p30), EIS_ERR_RANGE);
        assert_int_equal(eis_slots_encode_constant(&rns, c, &a, bad_values[i], 0x1p30), EIS_ERR_RANGE);
    }
    assert_int_equal(eis_slots_encode_constant(&rns, c, &a, 1.0000001, 0x1p38), EIS_ERR_RANGE);
    assert_true(c[0] == 77);
    assert_int_equal(a.domain, EIS_DOMAIN_COEFF);
    assert_true(a.words[3] == 5);
    assert_int_equal(eis_slots_encode_constant(&rns, c, &a, 1, 0x1p38), EIS_OK);
    assert_true(c[0] == UINT64_C(1) << 38);
    for (unsigned long n = 1; n <= 3; n++) {
        (void)eis_mem_fail_at(n);
        x[5] = 0.5;
        if (n == 1) assert_int_equal(eis_slots_encode_reals(&slots, &rns, &a, x, 8, 0x1p30), EIS_ERR_MEMORY);
        (void)eis_mem_fail_at(n);
        assert_int_equal(eis_slots_decode_reals(&slots, &rns, x, 8, &a, 0x1p30), EIS_ERR_MEMORY);
        assert_true(x[5] == 0.5);
    }
    (void)eis_mem_fail_at(0);
    eis_poly_clear(&a);
    eis_slots_clear(&slots);
    eis_rns_clear(&rns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_slots),
        cmocka_unit_test(encoding_is_the_defining_sum),
        cmocka_unit_test(decoding_is_evaluation),
        cmocka_unit_test(signs_survive_many_limbs),
        cmocka_unit_test(accuracy_gate),
        cmocka_unit_test(large_scales),
        cmocka_unit_test(constants),
        cmocka_unit_test(guards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
