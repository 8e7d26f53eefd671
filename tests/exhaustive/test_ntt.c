/* SPDX-License-Identifier: Apache-2.0 */
/* If a transform were wrong for one input in a million, no test by sampling would see it. In rings so small that every
 * polynomial can be run, all are: at every kernel level. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/kernel.h"
#include "ring/ntt.h"
#include "ring/zq.h"

#define DEGREE_MAX 4

/* Polynomial number `number`: its coefficients are the digits in base q. */
static void polynomial(uint64_t *a, size_t n, uint64_t q, uint64_t number)
{
    for (size_t i = 0; i < n; i++, number /= q) a[i] = number % q;
}

static uint64_t count_polynomials(size_t n, uint64_t q)
{
    uint64_t count = 1;

    for (size_t i = 0; i < n; i++) count *= q;
    return count;
}

static uint64_t evaluate(const uint64_t *a, size_t n, uint64_t x, uint64_t q)
{
    uint64_t v = 0;

    for (size_t i = n; i-- > 0;) v = (v * x + a[i]) % q;
    return v;
}

/* Every polynomial: each value by evaluation, and back. */
static void run_every_polynomial(const eis_zq_kernels *k, const eis_ntt_plan *plan)
{
    const uint64_t q = plan->mod.q;
    const size_t n = plan->degree;
    uint64_t x[DEGREE_MAX], a[DEGREE_MAX], before[DEGREE_MAX];

    for (uint32_t i = 0; i < n; i++) {
        x[i] = eis_zq_power_var(plan->psi, 2 * eis_ntt_bit_reverse(i, plan->degree_log2) + 1, &plan->mod);
    }
    for (uint64_t number = 0; number < count_polynomials(n, q); number++) {
        polynomial(a, n, q, number);
        memcpy(before, a, sizeof a);
        k->ntt_forward(a, plan);
        for (size_t i = 0; i < n; i++) assert_true(a[i] == evaluate(before, n, x[i], q));
        k->ntt_inverse(a, plan);
        assert_memory_equal(a, before, n * sizeof *a);
    }
}

/* Every pair of polynomials: the product by values against the schoolbook. */
static void run_every_product(const eis_zq_kernels *k, const eis_ntt_plan *plan)
{
    const uint64_t q = plan->mod.q, count = count_polynomials(2, q);

    assert_int_equal(plan->degree, 2);
    for (uint64_t first = 0; first < count; first++) {
        for (uint64_t second = 0; second < count; second++) {
            uint64_t a[2], b[2], expected[2];

            polynomial(a, 2, q, first);
            polynomial(b, 2, q, second);
            expected[0] = (a[0] * b[0] + q * q - a[1] * b[1]) % q;
            expected[1] = (a[0] * b[1] + a[1] * b[0]) % q;
            k->ntt_forward(a, plan);
            k->ntt_forward(b, plan);
            k->mul(a, a, b, 2, &plan->mod);
            k->ntt_inverse(a, plan);
            assert_memory_equal(a, expected, sizeof a);
        }
    }
}

static void every_polynomial(void **state)
{
    const struct {
        unsigned degree_log2;
        uint64_t q;
    } rings[] = {{2, 17}, {1, 5}, {1, 17}, {1, 257}, {2, 41}};

    (void)state;
    for (size_t r = 0; r < sizeof rings / sizeof rings[0]; r++) {
        eis_ntt_plan plan;

        assert_int_equal(eis_ntt_plan_init(&plan, rings[r].degree_log2, rings[r].q), EIS_OK);
        for (size_t level = 0; level < eis_kernels_level_count(); level++) {
            if (r == 4 && level > 0) break; /* 41^4 polynomials once */
            run_every_polynomial(&eis_kernels_level(level)->zq, &plan);
        }
        eis_ntt_plan_clear(&plan);
    }
}

static void every_product(void **state)
{
    const uint64_t primes[] = {5, 13, 17};

    (void)state;
    for (size_t r = 0; r < 3; r++) {
        eis_ntt_plan plan;

        assert_int_equal(eis_ntt_plan_init(&plan, 1, primes[r]), EIS_OK);
        for (size_t level = 0; level < eis_kernels_level_count(); level++) {
            run_every_product(&eis_kernels_level(level)->zq, &plan);
        }
        eis_ntt_plan_clear(&plan);
    }
}

/* Every pair of residues of several primes, one of which stands for a centred value of the other. */
static void every_centred_residue(void **state)
{
    const uint64_t primes[] = {3, 5, 17, 97, 257};

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        for (size_t j = 0; j < 5; j++) {
            const uint64_t p = primes[i], q = primes[j];
            eis_modulus m;

            assert_int_equal(eis_modulus_init(&m, q), EIS_OK);
            for (uint64_t a = 0; a < p; a++) {
                int64_t value = a > (p - 1) / 2 ? (int64_t)a - (int64_t)p : (int64_t)a, back = (int64_t)q;
                uint64_t expected = (uint64_t)((value % back + back) % back), r;

                for (size_t level = 0; level < eis_kernels_level_count(); level++) {
                    eis_kernels_level(level)->zq.reduce_centred(&r, &a, 1, p, &m);
                    assert_true(r == expected);
                }
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_polynomial),
        cmocka_unit_test(every_product),
        cmocka_unit_test(every_centred_residue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
