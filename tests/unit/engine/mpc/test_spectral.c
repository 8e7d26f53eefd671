/* SPDX-License-Identifier: Apache-2.0 */
/* The bound of a spectral norm is one: never below what a vector is stretched by, and hardly above it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/mpc/spectral.h"
#include "unit/model/fixture.h"

#include <math.h>

enum { ROWS = 8, COLUMNS = 64 };

/* Stretches a vector again and again: what it converges to is never above the norm. */
static double stretched(const double *a)
{
    double x[COLUMNS], y[ROWS], length = 0;

    for (int i = 0; i < COLUMNS; i++) x[i] = 1 + 0.01 * i;
    for (int round = 0; round < 400; round++) {
        double size = 0;
        length = 0;
        for (int j = 0; j < COLUMNS; j++) size += x[j] * x[j];
        for (int i = 0; i < ROWS; i++) {
            y[i] = 0;
            for (int j = 0; j < COLUMNS; j++) y[i] += a[i * COLUMNS + j] * x[j] / sqrt(size);
            length += y[i] * y[i];
        }
        for (int j = 0; j < COLUMNS; j++) {
            x[j] = 0;
            for (int i = 0; i < ROWS; i++) x[j] += a[i * COLUMNS + j] * y[i];
        }
    }
    return sqrt(length);
}

static void a_bound_and_hardly_more(void **state)
{
    double a[ROWS * COLUMNS], norm;
    uint64_t seed = 11;
    (void)state;

    for (int t = 0; t < 20; t++) {
        double scale = exp(5 * fixture_random(&seed)), least;
        fixture_fill(a, ROWS * COLUMNS, scale, &seed);
        assert_int_equal(eis_mpc_spectral_norm(&norm, a, ROWS, COLUMNS), EIS_OK);
        least = stretched(a);
        assert_true(norm >= least && norm <= least * pow(ROWS, 1.0 / 128) * 1.0001);
    }
}

static void of_nothing_and_of_what_is_no_number(void **state)
{
    double a[ROWS * COLUMNS] = {0}, norm = 1;
    (void)state;

    assert_int_equal(eis_mpc_spectral_norm(&norm, a, ROWS, COLUMNS), EIS_OK);
    assert_true(norm == 0);
    a[3] = 7;
    assert_int_equal(eis_mpc_spectral_norm(&norm, a, ROWS, COLUMNS), EIS_OK);
    assert_true(fabs(norm - 7) < 1e-6);
    a[5] = NAN;
    assert_int_equal(eis_mpc_spectral_norm(&norm, a, ROWS, COLUMNS), EIS_ERR_MODEL);
    a[5] = 1e200;
    assert_int_equal(eis_mpc_spectral_norm(&norm, a, ROWS, COLUMNS), EIS_ERR_MODEL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bound_and_hardly_more),
        cmocka_unit_test(of_nothing_and_of_what_is_no_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
