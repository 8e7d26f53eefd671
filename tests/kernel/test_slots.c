/* SPDX-License-Identifier: Apache-2.0 */
/* If levels rounded otherwise, the same values would become other ciphertexts on another machine, and an error found on
 * one could not be found again on the other: plain C against the definitions, then every level against plain C, equal
 * doubles and equal words. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "encode/slots.h"
#include "kernel/kernel.h"
#include "kernel/rng.h"
#include "ring/zq.h"

__extension__ typedef __int128 wide;

#define LONGEST    75
#define GUARD      9
#define LIMBS      4
#define GUARD_REAL 123.0

static const uint64_t primes[] = {97,
                                  65537,
                                  1048571,
                                  1073479681,
                                  1099510890497,
                                  8796093022151,
                                  1125899906629633,
                                  1152921504606748673,
                                  2305843009213693951};
#define PRIMES (sizeof primes / sizeof primes[0])

/* Numbers of all sizes below 2^exponent, halves and their neighbours among them. */
static void fill_reals(double *v, size_t n, int exponent, uint64_t *rng)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t pick = rng_next(rng);
        const double x = ldexp((double)(int64_t)rng_next(rng), (int)(pick % (uint64_t)(exponent + 10)) - 73);
        const double half = trunc(ldexp(x, (int)(pick >> 8) % 8)) + 0.5;
        const double special[] = {
            0.0,        -0.0,       0.5,          -0.5,         0x1.fffffffffffffp-2, -0x1.fffffffffffffp-2,
            1.5,        -2.5,       0x1p52 - 0.5, 0.5 - 0x1p52, 0x1p51 + 0.5,         -0x1p51 - 1.5,
            0x1p52 + 1, -0x1p53 - 2};

        v[i] = pick % 4 == 0                                      ? special[(pick >> 16) % 14]
               : pick % 4 == 1 && fabs(half) < ldexp(1, exponent) ? nextafter(half, (pick >> 30) % 3 == 0   ? INFINITY
                                                                                    : (pick >> 30) % 3 == 1 ? half
                                                                                                            : -INFINITY)
                                                                  : x;
    }
}

/* ---- Rounding --------------------------------------------------------------------------------------------------- */

static void rounding_takes_halves_away_from_zero(void **state)
{
    double v[LONGEST + GUARD], before[LONGEST];
    uint64_t rng = 1;

    (void)state;
    for (size_t level = 0; level < eis_kernels_level_count(); level++) {
        for (size_t n = 0; n <= LONGEST; n++) {
            const double factor = n % 2 == 0 ? 1 : 0.7;
            double largest = 0, got;

            fill_reals(before, n, 900, &rng);
            memcpy(v, before, n * sizeof *v);
            for (size_t i = n; i < n + GUARD; i++) v[i] = GUARD_REAL;
            got = eis_kernels_level(level)->slots.scale_and_round(v, n, factor);
            for (size_t i = 0; i < n; i++) {
                const double scaled = before[i] * factor;

                if (v[i] != round(scaled)) fail_msg("%a times %a became %a", before[i], factor, v[i]);
                largest = fmax(largest, fabs(scaled));
            }
            assert_true(got == largest);
            for (size_t i = n; i < n + GUARD; i++) assert_true(v[i] == GUARD_REAL);
        }
    }
}

/* At every place, so in every lane. */
static void what_is_not_finite_is_the_largest(void **state)
{
    const double bad[] = {INFINITY, -INFINITY, NAN};

    (void)state;
    for (size_t level = 0; level < eis_kernels_level_count(); level++) {
        for (size_t b = 0; b < 3; b++) {
            for (size_t at = 0; at < 19; at++) {
                double v[19] = {1, 2, 3, 1e300};

                v[at] = bad[b];
                assert_true(!isfinite(eis_kernels_level(level)->slots.scale_and_round(v, 19, 0.5)));
            }
        }
    }
}

static void integers_become_residues(void **state)
{
    double v[LONGEST];
    uint64_t words[LONGEST + 1], rng = 2;

    (void)state;
    for (size_t level = 0; level < eis_kernels_level_count(); level++) {
        for (size_t p = 0; p < PRIMES; p++) {
            const wide q = (wide)primes[p];
            eis_modulus m;

            assert_int_equal(eis_modulus_init(&m, primes[p]), EIS_OK);
            for (size_t n = 0; n <= LONGEST; n++) {
                fill_reals(v, n, 62, &rng);
                for (size_t i = 0; i < n; i++) v[i] = round(v[i]);
                if (n > 9) v[5] = 0x1p62 - 1024; /* the largest of both signs */
                if (n > 9) v[6] = 1024 - 0x1p62;
                if (n > 9) v[7] = (double)primes[p]; /* 0, or as near as a double comes */
                if (n > 9) v[8] = -(double)primes[p];
                words[n] = 77;
                eis_kernels_level(level)->slots.words_from_integers(words, v, n, &m);
                for (size_t i = 0; i < n; i++) assert_true(words[i] == (uint64_t)(((wide)v[i] % q + q) % q));
                assert_true(words[n] == 77);
            }
        }
    }
}

/* ---- Digits ----------------------------------------------------------------------------------------------------- */

/* Digits of all kinds, of numbers around half of the product too, where the sign is decided by the last one. */
static void fill_digits(uint64_t *digits, const eis_modulus *const *m, size_t limbs, uint64_t *rng)
{
    for (size_t at = 0; at < LONGEST; at++) {
        for (size_t i = 0; i < limbs; i++) {
            const uint64_t q = m[i]->q, half = (q - 1) / 2, special[] = {0, 1, half - 1, half, half + 1, q - 1};
            const uint64_t pick = rng_next(rng);

            digits[i * LONGEST + at] = at % 3 == 0 ? half : at % 3 == 1 ? special[pick % 6] : rng_next(rng) % q;
        }
        if (at % 3 == 0) digits[at] += rng_next(rng) % 3 - 1;
    }
}

/* Two limbs fit into 128 bits. */
static double by_definition(const uint64_t *digits, const eis_modulus *const *m, size_t at)
{
    const wide q0 = (wide)m[0]->q, q1 = (wide)m[1]->q;
    const wide x = (wide)digits[at] + (wide)digits[LONGEST + at] * q0;

    return (double)(x > (q0 * q1 - 1) / 2 ? x - q0 * q1 : x);
}

static void digits_become_centred_numbers(void **state)
{
    static const size_t chains[][LIMBS] = {{7, 4, 4, 8}, {4, 7, 3, 1}, {8, 7, 8, 7}, {0, 0, 0, 0}, {3, 3, 6, 6}};
    uint64_t digits[LIMBS * LONGEST], rng = 3;
    double expected[LONGEST], got[LONGEST + 1];

    (void)state;
    for (size_t c = 0; c < 5; c++) {
        eis_modulus modulus[LIMBS];
        const eis_modulus *m[LIMBS];

        for (size_t i = 0; i < LIMBS; i++) {
            assert_int_equal(eis_modulus_init(&modulus[i], primes[chains[c][i]]), EIS_OK);
            m[i] = &modulus[i];
        }
        for (size_t limbs = 1; limbs <= LIMBS; limbs++) {
            fill_digits(digits, m, limbs, &rng);
            eis_kernels_level(0)->slots.reals_from_digits(expected, digits, limbs, LONGEST, LONGEST, m, 1);
            for (size_t at = 0; at < LONGEST && limbs == 2; at++) {
                const double x = by_definition(digits, m, at);
                assert_true(fabs(expected[at] - x) <= ldexp(fabs(x), -51));
            }
            eis_kernels_level(0)->slots.reals_from_digits(expected, digits, limbs, LONGEST, LONGEST, m, 0.3);
            for (size_t level = 0; level < eis_kernels_level_count(); level++) {
                for (size_t n = 0; n <= LONGEST; n++) {
                    got[n] = GUARD_REAL;
                    eis_kernels_level(level)->slots.reals_from_digits(got, digits, limbs, n, LONGEST, m, 0.3);
                    for (size_t i = 0; i < n; i++) assert_true(got[i] == expected[i]);
                    assert_true(got[n] == GUARD_REAL);
                }
            }
        }
    }
}

/* ---- The transform ---------------------------------------------------------------------------------------------- */

typedef void (*transform)(double *re, double *im, const double *root_re, const double *root_im, size_t n);

static void compare_transforms(transform plain, transform run, const eis_slots *slots, size_t shift, const char *level)
{
    const size_t n = slots->count;
    double *v = eis_mem_new(4 * n + 2, sizeof *v), *expected = v + shift, *got = expected + 2 * n;
    uint64_t rng = n;

    assert_non_null(v);
    for (size_t i = 0; i < 2 * n; i++) expected[i] = got[i] = (double)(int64_t)rng_next(&rng);
    plain(expected, expected + n, slots->root_re, slots->root_im, n);
    run(got, got + n, slots->root_re, slots->root_im, n);
    for (size_t i = 0; i < 2 * n; i++) {
        if (got[i] != expected[i]) fail_msg("%s: number %zu of %zu differs", level, i, n);
    }
    eis_mem_free(v);
}

static void transforms_are_equal_at_every_level(void **state)
{
    (void)state;
    for (unsigned log2n = 2; log2n <= 15; log2n++) {
        const eis_slot_kernels *plain = &eis_kernels_level(0)->slots;
        eis_slots slots;

        assert_int_equal(eis_slots_init(&slots, log2n), EIS_OK);
        for (size_t level = 1; level < eis_kernels_level_count(); level++) {
            const eis_kernels *k = eis_kernels_level(level);

            compare_transforms(plain->forward, k->slots.forward, &slots, level % 2, k->name);
            compare_transforms(plain->inverse, k->slots.inverse, &slots, level % 2, k->name);
        }
        eis_slots_clear(&slots);
    }
}

/* Forward, then inverse, is n times what it was, up to rounding: 15 stages of half a unit in the last place each. */
static void transforms_are_inverse(void **state)
{
    (void)state;
    for (unsigned log2n = 2; log2n <= 15; log2n++) {
        const eis_slot_kernels *k = &eis_kernels_level(0)->slots;
        eis_slots s;
        double *v;

        assert_int_equal(eis_slots_init(&s, log2n), EIS_OK);
        v = eis_mem_new(2 * s.count, sizeof *v);
        assert_non_null(v);
        for (size_t i = 0; i < 2 * s.count; i++) v[i] = (double)(i % 101) - 50;
        k->forward(v, v + s.count, s.root_re, s.root_im, s.count);
        k->inverse(v, v + s.count, s.root_re, s.root_im, s.count);
        for (size_t i = 0; i < 2 * s.count; i++) {
            assert_true(fabs(v[i] / (double)s.count - ((double)(i % 101) - 50)) < 1e-12);
        }
        eis_mem_free(v);
        eis_slots_clear(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounding_takes_halves_away_from_zero),
        cmocka_unit_test(what_is_not_finite_is_the_largest),
        cmocka_unit_test(integers_become_residues),
        cmocka_unit_test(digits_become_centred_numbers),
        cmocka_unit_test(transforms_are_equal_at_every_level),
        cmocka_unit_test(transforms_are_inverse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
