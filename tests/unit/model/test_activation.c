/* SPDX-License-Identifier: Apache-2.0 */
/* If an activation were off in its last digits only, a greedy text would still fork from the published one. */
#include "unit/model/fixture.h"

#include "model/activation.h"
#include "model/tensor.h"

#include <math.h>

static double relative(double is, double expected) { return fabs(is - expected) / fabs(expected); }

static void exp_equals_libm_within_two_units(void **state)
{
    uint64_t seed = 1;
    double worst = 0;

    (void)state;
    for (int i = 0; i < 400000; i++) {
        const double scale = i % 4 == 0   ? 708
                             : i % 4 == 1 ? 40
                             : i % 4 == 2 ? 1
                                          : 1e-6,
                     x = scale * fixture_random(&seed);
        const double error = relative(eis_exp(x), exp(x));
        worst = error > worst ? error : worst;
    }
    assert_true(worst < EIS_EXP_ERROR);
    assert_true(eis_exp(0) == 1);
}

static void exp_of_extremes_is_finite_and_positive(void **state)
{
    static const double extremes[] = {-INFINITY, -1e300, -709, -708, 0, 708, 709, 1e300, INFINITY, NAN, -NAN};

    (void)state;
    for (size_t i = 0; i < sizeof extremes / sizeof *extremes; i++) {
        const double y = eis_exp(extremes[i]);
        assert_true(isnormal(y) && y > 0);
    }
    assert_true(relative(eis_exp(708), exp(708)) < EIS_EXP_ERROR && relative(eis_exp(-708), exp(-708)) < EIS_EXP_ERROR);
    assert_true(eis_exp(INFINITY) == eis_exp(708) && eis_exp(-INFINITY) == eis_exp(-708));
}

static void activations_equal_their_definitions(void **state)
{
    uint64_t seed = 2;
    double x[512], silu[512], gelu[512], sigmoid[512];

    (void)state;
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 512; i++)
            x[i] = silu[i] = gelu[i] = sigmoid[i] = (round % 2 == 0 ? 30 : 2) * fixture_random(&seed);
        eis_silu(silu, 512);
        eis_gelu_tanh(gelu, 512);
        eis_sigmoid(sigmoid, 512);
        for (int i = 0; i < 512; i++) {
            const long double v = x[i], u = 0.79788456080286535588L * (v + 0.044715L * v * v * v);
            assert_true(relative(sigmoid[i], (double)(1 / (1 + expl(-v)))) < 1e-14);
            assert_true(relative(silu[i], (double)(v / (1 + expl(-v)))) < 1e-14);
            /* In the tail the argument 2u reaches 1000 and carries its rounding into e^2u. */
            assert_true(fabs(gelu[i] - (double)(v / (1 + expl(-2 * u)))) < 1e-14 * (1 + fabs(x[i])));
        }
    }
}

static void softmax_sums_to_one_and_keeps_far_apart_entries(void **state)
{
    double x[5] = {0, -225, 3, 2.5, -1e6}, sum = 0;
    double one[1] = {-4e5};

    (void)state;
    eis_softmax(x, 5);
    for (int i = 0; i < 5; i++) sum += x[i];
    assert_true(fabs(sum - 1) < 1e-15);
    assert_true(relative(x[1] / x[2], exp(-228)) < 1e-14);
    assert_true(x[4] > 0 && x[4] < 1e-300);
    eis_softmax(one, 1);
    assert_true(one[0] == 1);
}

static void inverse_sqrt_is_exact_to_rounding(void **state)
{
    uint64_t seed = 3;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        const double x = ldexp(1.5 + 0.5 * fixture_random(&seed), (int)(900 * fixture_random(&seed)));
        assert_true(relative(eis_inverse_sqrt(x), 1 / sqrt(x)) < 1e-15);
    }
    assert_true(eis_inverse_sqrt(4) == 0.5 && relative(eis_inverse_sqrt(-4), 0.5) < 1e-15);
    assert_true(isfinite(eis_inverse_sqrt(0)) && isfinite(eis_inverse_sqrt(INFINITY)) &&
                isfinite(eis_inverse_sqrt(NAN)));
}

static void what_is_not_finite_becomes_zero_and_is_reported(void **state)
{
    double x[6] = {1, INFINITY, -0.0, -INFINITY, NAN, 0x1.fffffffffffffp1023};
    double finite[3] = {1, -1e308, 4e-320};

    (void)state;
    assert_true(eis_zero_not_finite(x, 6) == UINT64_MAX);
    assert_true(x[0] == 1 && x[1] == 0 && x[2] == 0 && x[3] == 0 && x[4] == 0 && x[5] == 0x1.fffffffffffffp1023);
    assert_true(eis_zero_not_finite(finite, 3) == 0);
    assert_true(finite[2] == 4e-320);
    assert_true(eis_zero_not_finite(x, 0) == 0);
}

static void every_half_float_is_read_exactly(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        uint8_t bytes[2];
        double got;
        eis_store_le16(bytes, (uint16_t)h);
        const eis_tensor_view view = eis_tensor_view_rows(bytes, EIS_DTYPE_F16, 1, 1);
        eis_tensor_read_f64(&got, &view, 0, 1);
        const int e = (h >> 10) & 31, m = (int)(h & 1023);
        const double magnitude = e == 31 ? (m == 0 ? INFINITY : NAN) : e == 0 ? ldexp(m, -24) : ldexp(1024 + m, e - 25);
        if (isnan(magnitude)) {
            assert_true(isnan(got));
        } else {
            assert_true(got == (h & 0x8000 ? -magnitude : magnitude));
        }
    }
}

static void a_transposed_matrix_is_read_by_its_own_rows(void **state)
{
    enum { IN = 37, OUT = 41 };
    float stored[IN][OUT];
    double rows[OUT][IN];

    (void)state;
    for (int i = 0; i < IN; i++)
        for (int o = 0; o < OUT; o++) stored[i][o] = (float)(100 * i + o);
    const eis_tensor_view view = eis_tensor_view_transposed(eis_tensor_view_rows(stored, EIS_DTYPE_F32, IN, OUT));
    assert_true(view.rows == OUT && view.columns == IN);
    eis_tensor_read_f64(&rows[3][0], &view, 3, OUT - 5);
    for (int o = 3; o < OUT - 2; o++)
        for (int i = 0; i < IN; i++) assert_true(rows[o][i] == 100 * i + o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_equals_libm_within_two_units),
        cmocka_unit_test(exp_of_extremes_is_finite_and_positive),
        cmocka_unit_test(activations_equal_their_definitions),
        cmocka_unit_test(softmax_sums_to_one_and_keeps_far_apart_entries),
        cmocka_unit_test(inverse_sqrt_is_exact_to_rounding),
        cmocka_unit_test(what_is_not_finite_becomes_zero_and_is_reported),
        cmocka_unit_test(every_half_float_is_read_exactly),
        cmocka_unit_test(a_transposed_matrix_is_read_by_its_own_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
