/* SPDX-License-Identifier: Apache-2.0 */
/* If the order of values, the root or the factor 1/n were another, no ciphertext of ours could be read by anyone else:
 * the published words, evaluation term by term, and products by the schoolbook. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kernel/rng.h"
#include "ring/ntt.h"
#include "ring/zq.h"

/* The polynomial 2^30 X of L1, and in passing all of its words: X is worth psi^(2 brv(i) + 1) at place i. */
static void published_words(void **state)
{
    const uint64_t primes[] = {1152921504606683137, 1073479681, 1073643521};
    const uint64_t words[3][2] = {
        {328474203758820461, 824447300847862676}, {996344103, 77135578}, {932764397, 140879124}};
    const size_t n = 16384;
    uint64_t *a = eis_mem_new(n, sizeof *a);

    (void)state;
    assert_non_null(a);
    for (size_t p = 0; p < 3; p++) {
        eis_ntt_plan plan;

        assert_int_equal(eis_ntt_plan_init(&plan, 14, primes[p]), EIS_OK);
        memset(a, 0, n * sizeof *a);
        a[1] = 1 << 30;
        eis_ring_ntt_forward(a, &plan);
        assert_true(a[0] == words[p][0]);
        assert_true(a[1] == words[p][1]);
        for (uint32_t i = 0; i < n; i++) {
            uint64_t x = eis_zq_power_var(plan.psi, 2 * eis_ntt_bit_reverse(i, 14) + 1, &plan.mod);
            assert_true(a[i] == eis_zq_mul(x, 1 << 30, &plan.mod));
        }
        eis_ntt_plan_clear(&plan);
    }
    eis_mem_free(a);
}

/* The table of roots is powers of psi in bit-reversed order. */
static void table_of_roots(void **state)
{
    eis_ntt_plan plan;

    (void)state;
    assert_int_equal(eis_ntt_plan_init(&plan, 13, 1099511480321), EIS_OK);
    assert_true(plan.psi == 30370987);
    for (uint32_t i = 0; i < 8192; i++) {
        uint64_t power = eis_zq_power_var(30370987, eis_ntt_bit_reverse(i, 13), &plan.mod);

        assert_true(plan.roots[i] == power);
        assert_true(plan.roots_shoup[i] == (uint64_t)(((eis_zq_wide)power << 64) / plan.mod.q));
        assert_true(eis_zq_mul(power, plan.inverse_roots[i], &plan.mod) == 1);
    }
    eis_ntt_plan_clear(&plan);
}

#define LARGEST_LOG2 7 /* 128: every power of two up to it, by the definition */
#define LARGEST      (1 << LARGEST_LOG2)

static uint64_t evaluate(const uint64_t *a, size_t n, uint64_t x, const eis_modulus *m)
{
    uint64_t v = 0;

    for (size_t i = n; i-- > 0;) v = (uint64_t)(((eis_zq_wide)v * x + a[i]) % m->q);
    return v;
}

/* A prime of each class of kernels: by the rule of the wire, and the largest of 61 bits. */
static uint64_t prime_of(unsigned bits, size_t n)
{
    uint64_t v = (UINT64_C(1) << bits) / (2 * n) * (2 * n) + 1;

    while (!eis_zq_is_prime_var(v) || v >> bits != 0) v -= 2 * n;
    return v;
}

static void fill(uint64_t *a, size_t n, uint64_t bound, uint64_t *rng)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t pick = rng_next(rng);
        a[i] = pick % 8 == 0 ? bound - 1 : pick % 8 == 1 ? 0 : rng_next(rng) % bound;
    }
}

static void check_definition(unsigned log2n, uint64_t q, uint64_t *rng)
{
    const size_t n = (size_t)1 << log2n;
    uint64_t a[LARGEST], before[LARGEST];
    eis_ntt_plan plan;

    assert_int_equal(eis_ntt_plan_init(&plan, log2n, q), EIS_OK);
    fill(a, n, EIS_NTT_LAZY_BOUND * q, rng); /* the whole lazy range */
    memcpy(before, a, sizeof a);
    eis_ring_ntt_forward(a, &plan);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t x = eis_zq_power_var(plan.psi, 2 * eis_ntt_bit_reverse(i, log2n) + 1, &plan.mod);
        assert_true(a[i] == evaluate(before, n, x, &plan.mod));
    }
    eis_ring_ntt_inverse(a, &plan);
    for (size_t i = 0; i < n; i++) assert_true(a[i] == before[i] % q);
    eis_ntt_plan_clear(&plan);
}

static void transforms_are_evaluations(void **state)
{
    const unsigned bits[] = {20, 30, 40, 45, 46, 49, 50, 51, 55, 60, 61};
    uint64_t rng = 5;

    (void)state;
    for (unsigned log2n = 1; log2n <= LARGEST_LOG2; log2n++) {
        for (size_t b = 0; b < sizeof bits / sizeof bits[0]; b++) {
            check_definition(log2n, prime_of(bits[b], (size_t)1 << log2n), &rng);
        }
    }
}

static void schoolbook(uint64_t *r, const uint64_t *a, const uint64_t *b, size_t n, const eis_modulus *m)
{
    memset(r, 0, n * sizeof *r);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            uint64_t p = (uint64_t)((eis_zq_wide)a[i] * b[j] % m->q);
            size_t k = (i + j) % n;
            r[k] = i + j < n ? (r[k] + p) % m->q : (r[k] + m->q - p) % m->q;
        }
    }
}

static void check_product(unsigned log2n, uint64_t q, uint64_t *rng)
{
    const size_t n = (size_t)1 << log2n;
    uint64_t *a = eis_mem_new(n, sizeof *a), *b = eis_mem_new(n, sizeof *b), *expected = eis_mem_new(n, sizeof *b);
    eis_ntt_plan plan;

    assert_true(a != NULL && b != NULL && expected != NULL);
    assert_int_equal(eis_ntt_plan_init(&plan, log2n, q), EIS_OK);
    fill(a, n, q, rng);
    fill(b, n, q, rng);
    schoolbook(expected, a, b, n, &plan.mod);
    eis_ring_ntt_forward(a, &plan);
    eis_ring_ntt_forward(b, &plan);
    for (size_t i = 0; i < n; i++) a[i] = (uint64_t)((eis_zq_wide)a[i] * b[i] % q);
    eis_ring_ntt_inverse(a, &plan);
    assert_memory_equal(a, expected, n * sizeof *a);
    eis_ntt_plan_clear(&plan);
    eis_mem_free(a);
    eis_mem_free(b);
    eis_mem_free(expected);
}

/* Long enough for every path of a kernel: odd and even numbers of stages, more than one block. */
static void products_are_those_of_the_ring(void **state)
{
    uint64_t rng = 9;

    (void)state;
    for (unsigned log2n = 8; log2n <= 11; log2n++) {
        check_product(log2n, prime_of(40, (size_t)1 << log2n), &rng);
        check_product(log2n, prime_of(50, (size_t)1 << log2n), &rng);
        check_product(log2n, prime_of(61, (size_t)1 << log2n), &rng);
    }
}

/* There and back at the degrees in use; and the largest words everywhere, which drive lazy ranges to their ends. */
static void large_degrees_come_back(void **state)
{
    const unsigned bits[] = {30, 46, 50, 61};
    uint64_t rng = 11;

    (void)state;
    for (unsigned log2n = 12; log2n <= EIS_NTT_DEGREE_LOG2_MAX; log2n++) {
        const size_t n = (size_t)1 << log2n;
        uint64_t *a = eis_mem_new(n, sizeof *a), *before = eis_mem_new(n, sizeof *a);

        assert_true(a != NULL && before != NULL);
        for (size_t b = 0; b < 4; b++) {
            eis_ntt_plan plan;

            assert_int_equal(eis_ntt_plan_init(&plan, log2n, prime_of(bits[b], n)), EIS_OK);
            fill(a, n, plan.mod.q, &rng);
            memcpy(before, a, n * sizeof *a);
            eis_ring_ntt_forward(a, &plan);
            for (size_t i = 0; i < n; i++) assert_true(a[i] < plan.mod.q);
            assert_true(a[7] == evaluate(before, n,
                                         eis_zq_power_var(plan.psi, 2 * eis_ntt_bit_reverse(7, log2n) + 1, &plan.mod),
                                         &plan.mod));
            eis_ring_ntt_inverse(a, &plan);
            assert_memory_equal(a, before, n * sizeof *a);
            for (size_t i = 0; i < n; i++) a[i] = before[i] = plan.mod.q - 1;
            eis_ring_ntt_forward(a, &plan);
            eis_ring_ntt_inverse(a, &plan);
            assert_memory_equal(a, before, n * sizeof *a);
            eis_ring_ntt_inverse(a, &plan); /* and all largest words as values */
            eis_ring_ntt_forward(a, &plan);
            assert_memory_equal(a, before, n * sizeof *a);
            eis_ntt_plan_clear(&plan);
        }
        eis_mem_free(a);
        eis_mem_free(before);
    }
}

/* X -> X^element by its definition on coefficients, and the permutation of values against it. */
static void galois_maps(void **state)
{
    enum { LOG2 = 6, N = 1 << LOG2 };
    uint64_t rng = 13, a[N], mapped[N], permuted[N];
    uint32_t order[N];
    eis_ntt_plan plan;

    (void)state;
    assert_int_equal(eis_ntt_plan_init(&plan, LOG2, prime_of(40, N)), EIS_OK);
    for (uint32_t element = 1; element < 2 * N; element += 2) {
        uint64_t expected[N] = {0};

        fill(a, N, plan.mod.q, &rng);
        for (size_t i = 0; i < N; i++) {
            size_t to = i * element % (2 * N);
            expected[to % N] = to < N ? a[i] : (plan.mod.q - a[i]) % plan.mod.q;
        }
        eis_ring_galois_coeff_raw(mapped, a, LOG2, element, plan.mod.q);
        assert_memory_equal(mapped, expected, sizeof mapped);
        eis_ring_ntt_forward(mapped, &plan);
        eis_ring_ntt_forward(a, &plan);
        eis_ntt_galois_order(order, LOG2, element);
        eis_ring_permute_raw(permuted, a, order, N);
        assert_memory_equal(permuted, mapped, sizeof mapped);
    }
    eis_ntt_plan_clear(&plan);
}

static void refused_plans(void **state)
{
    eis_ntt_plan plan;

    (void)state;
    assert_int_equal(eis_ntt_plan_init(&plan, 0, 17), EIS_ERR_RANGE);
    assert_int_equal(eis_ntt_plan_init(&plan, 18, 17), EIS_ERR_RANGE);
    assert_int_equal(eis_ntt_plan_init(&plan, 13, 1099511480323), EIS_ERR_RANGE);
    assert_int_equal(eis_ntt_plan_init(&plan, 13, 1), EIS_ERR_RANGE);
    assert_null(plan.block);
    eis_ntt_plan_clear(&plan);
    (void)eis_mem_fail_at(1);
    assert_int_equal(eis_ntt_plan_init(&plan, 13, 1099511480321), EIS_ERR_MEMORY);
    (void)eis_mem_fail_at(0);
    assert_null(plan.block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_words),
        cmocka_unit_test(table_of_roots),
        cmocka_unit_test(transforms_are_evaluations),
        cmocka_unit_test(products_are_those_of_the_ring),
        cmocka_unit_test(large_degrees_come_back),
        cmocka_unit_test(galois_maps),
        cmocka_unit_test(refused_plans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
