/* SPDX-License-Identifier: Apache-2.0 */
/* If a polynomial of a ciphertext were another polynomial, or came out at another scale or level than its plan says,
 * every network with an activation would answer wrongly. */
#include "world.h"

#include "ckks/polynomial.h"

/* Deterministic coefficients that fall like those of a smooth function. */
static void smooth_coefficients(double *c, size_t degree, unsigned seed)
{
    for (size_t k = 0; k <= degree; k++) c[k] = sin(1.7 * (double)k + seed) / (1 + 0.3 * (double)k);
}

/* Encrypts numbers of an interval, equally spread, at a level and a scale. */
static void encrypt_interval(const world *w, eis_ckks_ct *ct, double *x, double low, double high, double scale)
{
    eis_complex *z = eis_mem_new(w->count, sizeof *z);

    for (size_t i = 0; i < w->count; i++) {
        x[i] = low + (high - low) * (double)i / (double)(w->count - 1);
        z[i].re = x[i];
    }
    world_encrypt(w, ct, z, w->params->limbs_max, scale);
    eis_mem_free(z);
}

static double polynomial_error(const world *w, const eis_ckks_ct *ct, const eis_ckks_polynomial *p, const double *x)
{
    eis_complex *expected = eis_mem_new(w->count, sizeof *expected);
    double error;

    for (size_t i = 0; i < w->count; i++) expected[i].re = eis_ckks_polynomial_value(p, x[i]);
    error = world_error(w, ct, expected);
    eis_mem_free(expected);
    return error;
}

/* An error e of X_1 is one of p'(x) e, and T_k grows with k over most of its interval, x^k with less; each level adds
 * errors that are carried likewise. The terms are independent, so their squares are summed. */
static double sensitivity(const eis_ckks_polynomial *p)
{
    double sum = 1;

    for (size_t k = 1; k <= p->degree; k++) sum += pow(p->coeff[k] * (double)k, 2);
    return (1 + log2((double)p->degree)) * sqrt(sum);
}

/* Evaluates on a chain and compares with doubles. step: 15 deviations of one key switch and rescale, per slot. */
static void compare(const world *w, eis_ckks_polynomial *p, double step)
{
    double *x = eis_mem_new(w->count, sizeof *x), scale = w->params->scale;
    double low = p->basis == EIS_CKKS_BASIS_CHEBYSHEV ? p->low : -1, high = low < p->high ? p->high : 1;
    eis_ckks_ct ct = {0}, r = {0};
    eis_ckks_polynomial_cost cost;

    if (p->basis == EIS_CKKS_BASIS_POWER) high = 1;
    assert_int_equal(eis_ckks_polynomial_plan(&cost, p), EIS_OK);
    encrypt_interval(w, &ct, x, low, high, scale * 2 / (high - low));
    assert_int_equal(eis_ckks_polynomial_eval(&r, p, &ct, &w->relin, scale), EIS_OK);
    assert_int_equal(r.polys, 2);
    assert_int_equal(r.limbs, w->params->limbs_max - cost.levels);
    assert_true(r.scale == scale);
    assert_true(polynomial_error(w, &r, p, x) < step * sensitivity(p));
    /* In place, and at a scale of the caller's that is no power of two. */
    assert_int_equal(eis_ckks_polynomial_eval(&ct, p, &ct, &w->relin, 0.75 * scale), EIS_OK);
    assert_true(ct.scale == 0.75 * scale);
    assert_true(polynomial_error(w, &ct, p, x) < step * sensitivity(p) / 0.75);
    eis_ckks_ct_clear(&ct);
    eis_ckks_ct_clear(&r);
    eis_mem_free(x);
}

static void compare_degrees(eis_ckks_literal chain, const size_t *degree, size_t count, double step)
{
    double c[EIS_CKKS_POLYNOMIAL_DEGREE_MAX + 1];
    world w;

    world_open(&w, chain, NULL, 0);
    for (size_t i = 0; i < count; i++)
        for (unsigned basis = 0; basis < 2; basis++) {
            eis_ckks_polynomial p = {
                .basis = (eis_ckks_basis)basis, .degree = degree[i], .coeff = c, .low = -8, .high = 5};

            smooth_coefficients(c, degree[i], basis);
            compare(&w, &p, step);
        }
    world_close(&w);
}

/* Steps: at scale s and degree N a key switch has a deviation of 3.24 sqrt(N / 12) (q / P) sqrt(N) / s per slot, a
 * rescale of sqrt((1 + 2 N / 3) / 12) sqrt(N) / s; 15 of both together are taken. On M the first dominates. */
static void all_degrees_that_two_levels_hold(void **state)
{
    (void)state;
    compare_degrees(CHAIN_A, (const size_t[]){1, 2, 3}, 3, 1.4e-7);
}

static void degrees_at_small_scale(void **state)
{
    (void)state;
    compare_degrees(CHAIN_M, (const size_t[]){1, 5, 7, 16, 31}, 5, 2e-4);
}

static void degrees_at_six_levels(void **state)
{
    (void)state;
    compare_degrees(CHAIN_B1, (const size_t[]){4, 12, 27, 31, 63}, 5, 2.8e-7);
}

static void even_odd_and_sparse(void **state)
{
    double c[32] = {0};
    eis_ckks_polynomial p = {.coeff = c, .low = -3, .high = 3};
    eis_ckks_polynomial_cost cost;
    world w;

    (void)state;
    world_open(&w, CHAIN_M, NULL, 0);
    for (unsigned basis = 0; basis < 2; basis++) {
        p.basis = (eis_ckks_basis)basis;
        memset(c, 0, sizeof c);
        for (size_t k = 1; k < 16; k += 2) c[k] = 1.0 / (double)k; /* odd */
        p.degree = 20;                                             /* with zeros behind */
        assert_int_equal(eis_ckks_polynomial_plan(&cost, &p), EIS_OK);
        assert_int_equal(cost.levels, 4);
        compare(&w, &p, 2e-4);
        memset(c, 0, sizeof c);
        c[16] = 0.5; /* one term alone: squares and a constant */
        assert_int_equal(eis_ckks_polynomial_plan(&cost, &p), EIS_OK);
        assert_int_equal(cost.levels, 5);
        assert_int_equal(cost.products, 4);
        compare(&w, &p, 2e-4);
        c[16] = 0;
        c[1] = -0.25, c[0] = 3; /* affine: no key */
        p.degree = 1;
        assert_int_equal(eis_ckks_polynomial_plan(&cost, &p), EIS_OK);
        assert_int_equal(cost.levels, 1);
        assert_int_equal(cost.relinearisations, 0);
        compare(&w, &p, 2e-4);
    }
    world_close(&w);
}

static void plans_are_of_least_depth(void **state)
{
    double c[EIS_CKKS_POLYNOMIAL_DEGREE_MAX + 1];
    eis_ckks_polynomial p = {.coeff = c, .low = 0, .high = 1};
    eis_ckks_polynomial_cost cost;

    (void)state;
    smooth_coefficients(c, EIS_CKKS_POLYNOMIAL_DEGREE_MAX, 3);
    for (unsigned basis = 0; basis < 2; basis++)
        for (p.basis = (eis_ckks_basis)basis, p.degree = 1; p.degree <= EIS_CKKS_POLYNOMIAL_DEGREE_MAX; p.degree++) {
            assert_int_equal(eis_ckks_polynomial_plan(&cost, &p), EIS_OK);
            assert_true((size_t)1 << cost.levels > p.degree && (size_t)1 << cost.levels <= 2 * p.degree);
            /* Paterson and Stockmeyer: sqrt(2 d) + log2 d products, and a split for each level to keep the depth */
            assert_true((double)cost.products <= 1.5 * sqrt(2 * (double)p.degree) + 2 * (double)cost.levels);
            assert_true(cost.relinearisations <= cost.products);
        }
}

static void numbers_agree_with_their_definition(void **state)
{
    const double c[] = {0.5, -1, 0.25, 2};
    eis_ckks_polynomial p = {.degree = 3, .coeff = c};

    (void)state;
    assert_true(fabs(eis_ckks_polynomial_value(&p, 0.5) - (0.5 - 0.5 + 0.0625 + 0.25)) < 1e-15);
    p.basis = EIS_CKKS_BASIS_CHEBYSHEV;
    p.low = 1;
    p.high = 4;
    for (double x = 1; x <= 4; x += 0.125) {
        double a = acos((2 * x - 5) / 3), sum = 0;

        for (unsigned k = 0; k < 4; k++) sum += c[k] * cos(k * a);
        assert_true(fabs(eis_ckks_polynomial_value(&p, x) - sum) < 1e-13);
    }
}

static void what_does_not_fit_is_an_error(void **state)
{
    double c[EIS_CKKS_POLYNOMIAL_DEGREE_MAX + 1] = {1, 1, 1, 1};
    eis_ckks_polynomial p = {.degree = 3, .coeff = c, .low = -1, .high = 1};
    eis_ckks_polynomial_cost cost;
    eis_ckks_ct ct = {0}, r = {0};
    double *x;
    world w;

    (void)state;
    world_open(&w, CHAIN_A, NULL, 0);
    x = eis_mem_new(w.count, sizeof *x);
    encrypt_interval(&w, &ct, x, -1, 1, 0x1p40);
    assert_int_equal(eis_ckks_polynomial_eval(&r, &p, &ct, &w.relin, 0x1p60), EIS_ERR_SCALE); /* in 50 bits */
    assert_int_equal(eis_ckks_polynomial_eval(&r, &p, &ct, &w.relin, 0x1p-3), EIS_ERR_SCALE);
    assert_int_equal(eis_ckks_polynomial_eval(&r, &p, &ct, &w.relin, NAN), EIS_ERR_SCALE);
    p.basis = EIS_CKKS_BASIS_CHEBYSHEV;
    p.high = 0x1p80;
    assert_int_equal(eis_ckks_polynomial_eval(&r, &p, &ct, &w.relin, 0x1p40), EIS_ERR_SCALE);
    p.high = NAN;
    assert_int_equal(eis_ckks_polynomial_plan(&cost, &p), EIS_ERR_RANGE);
    p.high = p.low;
    assert_int_equal(eis_ckks_polynomial_plan(&cost, &p), EIS_ERR_RANGE);
    p.high = 1;
    c[4] = 1;
    p.degree = 4;
    assert_int_equal(eis_ckks_polynomial_eval(&r, &p, &ct, &w.relin, 0x1p40), EIS_ERR_LEVEL); /* 3 levels of 2 */
    c[2] = INFINITY;
    assert_int_equal(eis_ckks_polynomial_plan(&cost, &p), EIS_ERR_RANGE);
    memset(c, 0, sizeof c);
    c[0] = 5;
    assert_int_equal(eis_ckks_polynomial_plan(&cost, &p), EIS_ERR_RANGE);
    assert_int_equal(cost.levels, 0);
    p.degree = EIS_CKKS_POLYNOMIAL_DEGREE_MAX + 1;
    assert_int_equal(eis_ckks_polynomial_plan(&cost, &p), EIS_ERR_RANGE);
    c[2] = 1;
    p.degree = 3;
    assert_int_equal(eis_ckks_switch_key_cut(&w.relin, &w.relin, 2), EIS_OK);
    assert_int_equal(eis_ckks_polynomial_eval(&r, &p, &ct, &w.relin, 0x1p40), EIS_ERR_KEYS_INSUFFICIENT);
    assert_null(r.params);
    eis_ckks_ct_clear(&ct);
    eis_mem_free(x);
    world_close(&w);
}

static void failed_allocations_leave_nothing_behind(void **state)
{
    const double c[] = {1, 2, 3, 4};
    const eis_ckks_polynomial p = {.basis = EIS_CKKS_BASIS_CHEBYSHEV, .degree = 3, .coeff = c, .low = -1, .high = 1};
    eis_ckks_ct ct = {0}, r = {0};
    double *x;
    world w;

    (void)state;
    world_open(&w, CHAIN_A, NULL, 0);
    x = eis_mem_new(w.count, sizeof *x);
    encrypt_interval(&w, &ct, x, -1, 1, 0x1p40);
    for (unsigned long n = 1;; n++) {
        eis_status st;

        eis_mem_fail_at(n);
        st = eis_ckks_polynomial_eval(&r, &p, &ct, &w.relin, 0x1p40);
        eis_mem_fail_at(0);
        if (st == EIS_OK) break;
        assert_int_equal(st, EIS_ERR_MEMORY);
        assert_null(r.params);
    }
    assert_true(polynomial_error(&w, &r, &p, x) < 1.4e-7 * sensitivity(&p));
    eis_ckks_ct_clear(&ct);
    eis_ckks_ct_clear(&r);
    eis_mem_free(x);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_agree_with_their_definition),
        cmocka_unit_test(plans_are_of_least_depth),
        cmocka_unit_test(all_degrees_that_two_levels_hold),
        cmocka_unit_test(degrees_at_small_scale),
        cmocka_unit_test(degrees_at_six_levels),
        cmocka_unit_test(even_odd_and_sparse),
        cmocka_unit_test(what_does_not_fit_is_an_error),
        cmocka_unit_test(failed_allocations_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
