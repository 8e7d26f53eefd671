/* SPDX-License-Identifier: Apache-2.0 */
/* If a prime, a root or a reduction were wrong, ciphertexts would still look like noise and decrypt to noise: the
 * published primes and roots, and every reduction against division in 128 bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel/rng.h"
#include "ring/zq.h"

static const uint64_t moduli[] = {3,
                                  5,
                                  17,
                                  257,
                                  65537,
                                  1073479681,
                                  1099510890497,
                                  1125899906629633,
                                  1125899906826241,
                                  1152921504606683137,
                                  1152921504606830593,
                                  UINT64_C(2305843009213693951)}; /* 2^61 - 1, the largest */
#define MODULI (sizeof moduli / sizeof moduli[0])

static void primality_agrees_with_a_sieve(void **state)
{
    static unsigned char composite[100000];

    (void)state;
    for (size_t i = 2; i < sizeof composite; i++) {
        for (size_t j = 2 * i; !composite[i] && j < sizeof composite; j += i) composite[j] = 1;
    }
    assert_false(eis_zq_is_prime_var(0) || eis_zq_is_prime_var(1));
    for (size_t i = 2; i < sizeof composite; i++) assert_int_equal(eis_zq_is_prime_var(i), !composite[i]);
}

/* Numbers that pass the test for the first 4, 9 and 11 bases, Carmichael numbers, squares and products of two primes.
 */
static void pseudoprimes_are_found_out(void **state)
{
    (void)state;
    assert_false(eis_zq_is_prime_var(UINT64_C(3215031751)));
    assert_false(eis_zq_is_prime_var(UINT64_C(3825123056546413051)));
    assert_false(eis_zq_is_prime_var(561));
    assert_false(eis_zq_is_prime_var(UINT64_C(1099510890497) * 37));
    assert_false(eis_zq_is_prime_var(UINT64_C(1073479681) * UINT64_C(1073479681)));
    assert_false(eis_zq_is_prime_var(UINT64_MAX));
    assert_true(eis_zq_is_prime_var(UINT64_C(18446744073709551557))); /* the largest below 2^64 */
}

static uint64_t reference_mul(uint64_t a, uint64_t b, uint64_t q) { return (uint64_t)((eis_zq_wide)a * b % q); }

static void check_pair(uint64_t a, uint64_t b, uint64_t any, const eis_modulus *m)
{
    const uint64_t q = m->q;
    const eis_zq_factor factor = eis_zq_factor_make(b, m);
    const eis_zq_wide wide = (eis_zq_wide)any << 64 | (any ^ a);

    assert_true(eis_zq_add(a, b, q) == (uint64_t)(((eis_zq_wide)a + b) % q));
    assert_true(eis_zq_sub(a, b, q) == (uint64_t)(((eis_zq_wide)a + q - b) % q));
    assert_true(eis_zq_neg(a, q) == (q - a) % q);
    assert_true(eis_zq_mul(a, b, m) == reference_mul(a, b, q));
    assert_true(eis_zq_mul_factor(any, factor, q) == reference_mul(any, b, q));
    assert_true(eis_zq_mul_shoup_lazy(any, factor.value, factor.shoup, q) < 2 * q);
    assert_true(eis_zq_reduce(any, m) == any % q);
    assert_true(eis_zq_reduce_lazy(any, m) < 2 * q);
    assert_true(eis_zq_reduce_wide(wide, m) == (uint64_t)(wide % q));
}

static void reductions_agree_with_division(void **state)
{
    uint64_t rng = 1;

    (void)state;
    for (size_t k = 0; k < MODULI; k++) {
        const uint64_t q = moduli[k];
        const uint64_t edge[] = {0, 1, 2, q / 2, q / 2 + 1, q - 2, q - 1};
        const uint64_t ends[] = {0, 1, q - 1, q, q + 1, 2 * q - 1, 4 * q - 1, UINT64_MAX - 1, UINT64_MAX};
        eis_modulus m;

        assert_int_equal(eis_modulus_init(&m, q), EIS_OK);
        for (size_t i = 0; i < 7; i++) {
            for (size_t j = 0; j < 7; j++) {
                for (size_t e = 0; e < 9; e++) check_pair(edge[i], edge[j], ends[e], &m);
            }
        }
        for (size_t i = 0; i < 5000; i++) check_pair(rng_next(&rng) % q, rng_next(&rng) % q, rng_next(&rng), &m);
    }
}

static void signs_are_kept(void **state)
{
    (void)state;
    for (size_t k = 0; k < MODULI; k++) {
        const int64_t edge[] = {0, 1, -1, 2, -2, INT64_MAX, INT64_MIN, INT64_MIN + 1, 1234567890123};
        const uint64_t q = moduli[k];
        eis_modulus m;

        assert_int_equal(eis_modulus_init(&m, q), EIS_OK);
        for (size_t i = 0; i < 9; i++) {
            __extension__ __int128 expected = ((__int128)edge[i] % (__int128)q + q) % q;
            assert_true(eis_zq_from_i64(edge[i], &m) == (uint64_t)expected);
        }
        for (size_t j = 0; j < MODULI; j++) {
            const uint64_t p = moduli[j], half = (p - 1) / 2;

            assert_true(eis_zq_centre(half, p, p % q, &m) == half % q);
            assert_true(eis_zq_centre(0, p, p % q, &m) == 0);
            assert_true(eis_zq_centre(p - 1, p, p % q, &m) == q - 1);
            if (half > 0) assert_true(eis_zq_centre(half + 1, p, p % q, &m) == (q - half % q) % q);
        }
    }
}

static void inverses_and_powers(void **state)
{
    uint64_t rng = 3;

    (void)state;
    for (size_t k = 0; k < MODULI; k++) {
        eis_modulus m;

        assert_int_equal(eis_modulus_init(&m, moduli[k]), EIS_OK);
        for (size_t i = 0; i < 50; i++) {
            uint64_t a = rng_next(&rng) % (m.q - 1) + 1;
            assert_true(eis_zq_mul(a, eis_zq_inverse_var(a, &m), &m) == 1);
            assert_true(eis_zq_power_var(a, 3, &m) == eis_zq_mul(a, eis_zq_mul(a, a, &m), &m));
        }
        assert_true(eis_zq_power_var(2, 0, &m) == 1);
    }
}

static void refused_moduli(void **state)
{
    eis_modulus m = {.q = 7};
    uint64_t root = 99;

    (void)state;
    assert_int_equal(eis_modulus_init(&m, 0), EIS_ERR_RANGE);
    assert_int_equal(eis_modulus_init(&m, 1), EIS_ERR_RANGE);
    assert_int_equal(eis_modulus_init(&m, 2), EIS_ERR_RANGE);
    assert_int_equal(eis_modulus_init(&m, 1024), EIS_ERR_RANGE);
    assert_int_equal(eis_modulus_init(&m, (UINT64_C(1) << 61) + 1), EIS_ERR_RANGE);
    assert_true(m.q == 7);
    assert_int_equal(eis_modulus_init(&m, 65537), EIS_OK);
    assert_int_equal(eis_zq_root_find_var(&root, 65536, &m), EIS_ERR_RANGE); /* 2n does not divide q - 1 */
    assert_int_equal(eis_modulus_init(&m, 33), EIS_OK);                      /* 1 mod 32, but 3 * 11 */
    assert_int_equal(eis_zq_root_find_var(&root, 16, &m), EIS_ERR_RANGE);
    assert_true(root == 99);
}

/* The smallest element of order 2n by trying all. */
static void roots_are_the_smallest(void **state)
{
    const uint64_t primes[] = {17, 97, 193, 257, 769, 7681, 12289};

    (void)state;
    for (size_t k = 0; k < 7; k++) {
        eis_modulus m;

        assert_int_equal(eis_modulus_init(&m, primes[k]), EIS_OK);
        for (size_t n = 1; (m.q - 1) % (2 * n) == 0; n *= 2) {
            uint64_t expected = 2, root = 0;

            while (expected < m.q - 1 && eis_zq_power_var(expected, n, &m) != m.q - 1) expected++;
            assert_int_equal(eis_zq_root_find_var(&root, n, &m), EIS_OK);
            assert_true(root == expected);
        }
    }
}

typedef struct published {
    size_t n, count;
    unsigned bits[4];
    uint64_t primes[4], roots[4];
} published;

/* The chains of the wire reference, section 11. */
static const published chains[] = {
    {8192,
     4,
     {60, 40, 40, 60},
     {1152921504606748673, 1099510890497, 1099511480321, 1152921504606830593},
     {100406242475323, 5405730, 30370987, 25959043411404}},
    {16384,
     4,
     {60, 30, 30, 60},
     {1152921504606683137, 1073479681, 1073643521, 1152921504606748673},
     {212089012217363, 65226, 238846, 62213374832584}},
    {8192,
     4,
     {50, 40, 40, 50},
     {1125899906629633, 1099510890497, 1099511480321, 1125899906826241},
     {126325704370, 5405730, 30370987, 11286399139}},
    {8192, 3, {50, 40, 50}, {1125899906629633, 1099511480321, 1125899906826241}, {126325704370, 30370987, 11286399139}},
    {8192,
     3,
     {60, 40, 60},
     {1152921504606748673, 1099511480321, 1152921504606830593},
     {100406242475323, 30370987, 25959043411404}},
};

static void published_primes_and_roots(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof chains / sizeof chains[0]; c++) {
        const published *p = &chains[c];
        uint64_t primes[4];

        assert_int_equal(eis_zq_primes_choose(primes, p->bits, p->count, p->n), EIS_OK);
        for (size_t i = 0; i < p->count; i++) {
            eis_modulus m;
            uint64_t root;

            assert_true(primes[i] == p->primes[i]);
            assert_int_equal(eis_modulus_init(&m, primes[i]), EIS_OK);
            assert_int_equal(eis_zq_root_find_var(&root, p->n, &m), EIS_OK);
            assert_true(root == p->roots[i]);
        }
    }
}

static void sizes_without_primes_are_refused(void **state)
{
    const unsigned too_many[] = {18, 18, 18, 18, 18, 18, 18, 18, 18, 18}, below[] = {1}, above[] = {61};
    uint64_t primes[10] = {5};

    (void)state;
    assert_int_equal(eis_zq_primes_choose(primes, too_many, 10, 8192), EIS_ERR_RANGE);
    assert_int_equal(eis_zq_primes_choose(primes, below, 1, 8192), EIS_ERR_RANGE);
    assert_int_equal(eis_zq_primes_choose(primes, above, 1, 8192), EIS_ERR_RANGE);
    assert_true(primes[0] == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(primality_agrees_with_a_sieve),
        cmocka_unit_test(pseudoprimes_are_found_out),
        cmocka_unit_test(reductions_agree_with_division),
        cmocka_unit_test(signs_are_kept),
        cmocka_unit_test(inverses_and_powers),
        cmocka_unit_test(refused_moduli),
        cmocka_unit_test(roots_are_the_smallest),
        cmocka_unit_test(published_primes_and_roots),
        cmocka_unit_test(sizes_without_primes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
