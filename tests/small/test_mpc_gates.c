/* SPDX-License-Identifier: Apache-2.0 */
/* Truncation and comparison over a field so small that every value and every mask can be tried: whatever the dealer
 * draws, a truncation is the floor or one more, and a comparison is right outside its zone. Shares come from the real
 * dealer; the mask of each element is set to each number of the field in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/mpc/gates.h"
#include "support/mpc_world.h"

#include <math.h>

/* Every value of [-bound, bound] beside itself `times` times, so that masks vary: exhaustive in values, and over the
 * field of 7 bits each value meets each mask many times. */
enum { TIMES = EIS_FP_BITS == 7 ? 2048 : 16 };

static int64_t *every_value(uint32_t *count, int64_t bound)
{
    int64_t *x;

    *count = (uint32_t)(2 * bound + 1) * TIMES;
    x = malloc(*count * sizeof *x);
    for (uint32_t i = 0; i < *count; i++) x[i] = (int64_t)(i / TIMES) - bound;
    return x;
}

static void test_truncate(void **state)
{
    int64_t bound = (INT64_C(1) << (EIS_FP_BITS - 2)) - 1;
    uint32_t n;
    int64_t *x = every_value(&n, bound), *y = malloc(n * sizeof *y);
    mpc_world w;
    (void)state;

    mpc_world_open(&w, 3);
    w.input[0] = x;
    for (unsigned shift = 1; shift <= EIS_FP_BITS - 3; shift++) {
        eis_mpc_graph g;
        eis_mpc_id t;
        bool both = false, up = false;
        eis_mpc_graph_init(&g, NULL, 0);
        t = eis_mpc_truncate(&g, eis_mpc_input(&g, 0, n, EIS_FP_BITS, (double)bound), shift);
        assert_int_equal(mpc_world_walk(&w, &g, true), EIS_OK);
        mpc_world_value(y, &w, t);
        for (uint32_t i = 0; i < n; i++) {
            double exact = ldexp((double)x[i], -(int)shift);
            assert_true((double)y[i] - exact > -1 && (double)y[i] - exact <= 1);
            both |= (double)y[i] == floor(exact);
            up |= (double)y[i] == floor(exact) + 1;
        }
        assert_true(both && up);
        mpc_world_clear_walk(&w);
        eis_mpc_graph_clear(&g);
    }
    mpc_world_close(&w);
    free(x);
    free(y);
}

static void compare_all(mpc_world *w, eis_mpc_cut cut)
{
    unsigned bits = cut.digit_bits * cut.digits;
    int64_t bound = (INT64_C(1) << (cut.low + bits)) - (INT64_C(1) << cut.low) - 2, zone = INT64_C(1) << cut.low;
    uint32_t n;
    int64_t *x, *y;
    eis_mpc_graph g;
    eis_mpc_compare compare;
    eis_mpc_id bit, selected;
    static const int64_t zero = 0;

    if (bound < 1 || bound > (INT64_C(1) << (EIS_FP_BITS - 2)) - 1) return;
    x = every_value(&n, bound);
    y = malloc(n * sizeof *y);
    w->input[0] = x;
    eis_mpc_graph_init(&g, NULL, 0);
    bit = eis_mpc_input(&g, 0, n, 0, (double)bound);
    eis_mpc_compare_begin(&compare, &g, bit, cut, &zero, 1, 0);
    selected = eis_mpc_compare_select(&g, &compare, bit, 0);
    bit = eis_mpc_compare_bit(&g, &compare);
    assert_int_equal(mpc_world_walk(w, &g, true), EIS_OK);
    mpc_world_value(y, w, bit);
    for (uint32_t i = 0; i < n; i++) {
        assert_true(y[i] == 0 || y[i] == 1);
        if (x[i] >= 0) assert_int_equal(y[i], 1);
        if (x[i] < -zone) assert_int_equal(y[i], 0);
        if (cut.low == 0 && x[i] != -1) assert_int_equal(y[i], x[i] >= 0);
    }
    mpc_world_value(x, w, selected);
    for (uint32_t i = 0; i < n; i++) assert_int_equal(x[i], y[i] * ((int64_t)(i / TIMES) - bound));
    mpc_world_clear_walk(w);
    eis_mpc_graph_clear(&g);
    free(x);
    free(y);
}

static void test_compare(void **state)
{
    mpc_world w;
    (void)state;

    mpc_world_open(&w, 2);
    for (unsigned digits = 3; digits <= 9; digits += 3)
        for (unsigned b = 1; b * digits < EIS_FP_BITS; b++)
            for (unsigned low = 0; low + digits * b + 1 <= EIS_FP_BITS; low++)
                compare_all(&w, (eis_mpc_cut){low, b, digits});
    mpc_world_close(&w);
}

static void test_products(void **state)
{
    enum { N = 4096 };
    static int64_t x[3][N], y[N];
    mpc_world w;
    eis_mpc_graph g;
    eis_mpc_id in[4], id;
    (void)state;

    mpc_world_open(&w, 4);
    for (uint32_t k = 0; k < 3; k++) {
        for (uint32_t i = 0; i < N; i++) x[k][i] = (int64_t)((i * (k + 3) + i / 7) % 5) - 2;
        w.input[k] = x[k];
    }
    for (uint32_t count = 2; count <= 4; count++) {
        eis_mpc_graph_init(&g, NULL, 0);
        for (uint32_t k = 0; k < 3; k++) in[k] = eis_mpc_input(&g, k, N, 0, 2);
        in[3] = in[0]; /* a factor may repeat */
        id = eis_mpc_product(&g, in, count, 1);
        assert_int_equal(mpc_world_walk(&w, &g, true), EIS_OK);
        mpc_world_value(y, &w, id);
        for (uint32_t i = 0; i < N; i++) {
            int64_t product = x[0][i] * x[1][i] * (count > 2 ? x[2][i] : 1) * (count > 3 ? x[0][i] : 1);
            assert_int_equal(y[i], product);
        }
        mpc_world_clear_walk(&w);
        eis_mpc_graph_clear(&g);
    }
    mpc_world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncate),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_products),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
