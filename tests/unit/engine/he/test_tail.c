/* SPDX-License-Identifier: Apache-2.0 */
/* If the bound of a sum of errors were too small, answers would be further from the plain ones than a contract says; if
 * it were far too large, nobody could use it. */
#include "he_world.h"

#include "engine/he/plan_internal.h"

#define ROWS_MAX    3
#define COLUMNS_MAX 4096

/* A dense map with weights given by rows. */
typedef struct dense {
    eis_he_map map;
    uint64_t start[ROWS_MAX + 1];
    uint32_t column[ROWS_MAX * COLUMNS_MAX];
    double weight[ROWS_MAX * COLUMNS_MAX], bias[ROWS_MAX];
} dense;

static void make(dense *d, uint32_t rows, uint32_t columns)
{
    memset(d, 0, sizeof *d);
    d->map = (eis_he_map){
        .rows = rows, .columns = columns, .start = d->start, .column = d->column, .weight = d->weight, .bias = d->bias};
    for (uint32_t i = 0; i < rows; i++) {
        d->start[i + 1] = (uint64_t)(i + 1) * columns;
        for (uint32_t k = 0; k < columns; k++) d->column[i * columns + k] = k;
    }
}

static double bound(const dense *d, uint32_t apart, double variance, double own)
{
    double error = -1;

    assert_int_equal(eis_he_sum_error(&error, &d->map, apart, variance, own), EIS_OK);
    return error;
}

/* ln P(|e| > t) of a sum of n independent Laplace errors of variance 1 each, n <= 4: exp(-z) times a polynomial in
 * z = sqrt(2) t, from the density that n - 1 convolutions give. */
static double log_tail(int n, double t)
{
    static const double c[5][4] = {
        {0}, {1, 0, 0, 0}, {1, 1.0 / 2, 0, 0}, {1, 5.0 / 8, 1.0 / 8, 0}, {1, 11.0 / 16, 3.0 / 16, 1.0 / 48}};
    double z = sqrt(2) * t;

    return log(c[n][0] + z * (c[n][1] + z * (c[n][2] + z * c[n][3]))) - z;
}

/* The bound holds once in 2^40 and is no more than a seventh beyond what would. */
static void few_equal_errors(void **state)
{
    static dense d;

    (void)state;
    for (int n = 1; n <= 4; n++) {
        double exact = 20, at;

        make(&d, 1, (uint32_t)n);
        for (int k = 0; k < n; k++) d.weight[k] = k % 2 == 0 ? 3 : -3;
        at = bound(&d, 16, 0.25, 0) / (3 * 0.5);
        assert_true(log_tail(n, at) <= -40 * log(2));
        for (exact = 1; log_tail(n, exact) > -40 * log(2); exact += 0.01) {}
        assert_true(at <= exact * 8 / 7);
    }
}

/* Many small errors are nearly normal: 7.2 deviations are once in 2^40 there, and Chernoff's bound says 7.54. */
static void many_small_errors(void **state)
{
    static dense d;
    double at;

    (void)state;
    make(&d, 1, COLUMNS_MAX);
    for (int k = 0; k < COLUMNS_MAX; k++) d.weight[k] = 1.0 / 64;
    at = bound(&d, COLUMNS_MAX, 4, 0) / 2;
    assert_true(at > 7.5 && at < 7.6);
    /* One weight that is all there is makes it a single error again. */
    d.weight[17] = 100;
    at = bound(&d, COLUMNS_MAX, 4, 0) / (2 * sqrt(10000 + 4095.0 / 4096));
    assert_true(at > 19 && at <= EIS_HE_TAIL);
}

/* Errors of one slot add up to one error of that slot, and the own one counts as the worst slot's. */
static void errors_of_one_slot(void **state)
{
    static dense d;
    double apart, together;

    (void)state;
    make(&d, 1, 64);
    for (int k = 0; k < 64; k++) d.weight[k] = 1;
    assert_true(fabs(bound(&d, 1, 1, 0) - EIS_HE_TAIL * 8) < 1e-9);
    assert_true(fabs(bound(&d, 64, 0x1p-1000, 1) - EIS_HE_TAIL) < 1e-9);
    apart = bound(&d, 64, 1, 0);
    together = bound(&d, 32, 1, 0);
    assert_true(apart > 7.5 * 8 && together > apart * 1.03 && together < apart * 1.2);
    make(&d, 1, 32);
    for (int k = 0; k < 32; k++) d.weight[k] = sqrt(2);
    assert_true(fabs(bound(&d, 32, 1, 0) - together) < together * 1e-6);
    assert_true(bound(&d, 32, 1, 3) > together + 0.1);
}

/* The worst row counts, wherever it stands, and rows of zeros are allowed. */
static void the_worst_row(void **state)
{
    static dense d;
    double alone[ROWS_MAX], all;

    (void)state;
    for (int swap = 0; swap < ROWS_MAX; swap++) {
        for (int row = 0; row < ROWS_MAX; row++) {
            make(&d, 1, 16);
            for (int k = 0; k < 16; k++) d.weight[k] = row == 0 ? 0 : row == 1 ? 1 : k == 3 ? 3.9 : 0.01;
            alone[row] = bound(&d, 16, 1, 0.5);
        }
        make(&d, ROWS_MAX, 16);
        for (int row = 0; row < ROWS_MAX; row++)
            for (int k = 0; k < 16; k++) {
                int kind = (row + swap) % ROWS_MAX;
                d.weight[row * 16 + k] = kind == 0 ? 0 : kind == 1 ? 1 : k == 3 ? 3.9 : 0.01;
            }
        all = bound(&d, 16, 1, 0.5);
        assert_true(alone[2] > alone[1] && alone[1] > alone[0]);
        assert_true(fabs(all - alone[2]) < 1e-3 * all);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_equal_errors),
        cmocka_unit_test(many_small_errors),
        cmocka_unit_test(errors_of_one_slot),
        cmocka_unit_test(the_worst_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
