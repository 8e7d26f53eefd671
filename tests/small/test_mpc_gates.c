/* SPDX-License-Identifier: Apache-2.0 */
/* Truncation and comparison over fields so small that every case can be tried. One masked zero, times every number of
 * the field, is a zero under every mask; public numbers make every value of it. With 7 bits all pairs of value and mask
 * are tried, with 13 bits all values under some masks and all masks under some values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/mpc/gates.h"
#include "support/mpc_world.h"

#include <math.h>

/* The cases: value x[i] under mask factor[i] times that of the only input. */
typedef struct cases {
    uint32_t count, capacity;
    int64_t *x, *factor, *out;
} cases;

static void add_case(cases *c, int64_t x, int64_t factor)
{
    if (c->count == c->capacity) {
        c->capacity = c->capacity == 0 ? 4096 : 2 * c->capacity;
        c->x = realloc(c->x, c->capacity * sizeof *c->x);
        c->factor = realloc(c->factor, c->capacity * sizeof *c->factor);
        c->out = realloc(c->out, c->capacity * sizeof *c->out);
    }
    c->x[c->count] = x;
    c->factor[c->count++] = factor;
}

static void free_cases(cases *c)
{
    free(c->x);
    free(c->factor);
    free(c->out);
}

/* Values of [-bound, bound] and masks. `few`: with 13 bits one in so many. */
static cases every_case(int64_t bound, int64_t few)
{
    cases c = {0};
    int64_t p = (int64_t)EIS_FP_P, step = EIS_FP_BITS == 7 ? 1 : few, edge = EIS_FP_BITS == 7 ? 0 : 2;

    for (int64_t x = -bound; x <= bound; x++)
        for (int64_t l = (x + bound) % step; l < p; l += step) add_case(&c, x, l);
    for (int64_t l = 0; l < p && edge > 0; l++) /* zeros, ends, and what lies beside them, under every mask */
        for (int64_t d = 0; d < edge; d++) {
            add_case(&c, d, l);
            add_case(&c, -1 - d, l);
            add_case(&c, bound - d, l);
            add_case(&c, d - bound, l);
        }
    return c;
}

/* All values under the mask 0. */
static cases every_value(int64_t bound)
{
    cases c = {0};

    for (int64_t x = -bound; x <= bound; x++) add_case(&c, x, 0);
    return c;
}

/* The wire of all cases: zero, masked, times the factors, plus the values. */
static eis_mpc_id wire_of(eis_mpc_graph *g, const cases *c, unsigned frac, int64_t bound)
{
    eis_mpc_id w = eis_mpc_repeat(g, eis_mpc_input(g, 0, 1, frac, 0), c->count);

    w = eis_mpc_offset_each(g, eis_mpc_weigh(g, w, c->factor, 0), c->x);
    assert_true(w != EIS_MPC_NONE);
    assert_true(g->nodes[w].bound == (double)bound);
    return w;
}

static const int64_t zero[1];

/* A word and its MAC. */
static void shift(const mpc_world *w, uint64_t *word, uint64_t *mac, uint64_t amount)
{
    *word = eis_fp_add(*word, amount);
    *mac = eis_fp_add(*mac, eis_fp_mul(amount, w->dealer.key));
}

/* Wherever a mask is 0, what is made of its bits becomes that of p: all ones, whose sum is 0 as well. */
static void deal_p_for_0(mpc_world *w)
{
    uint64_t *c = w->corrections.words, changed = 0;
    eis_mpc_cost cost;

    for (eis_mpc_id id = 0; id < w->graph->node_count; c += cost.corrections, id++) {
        const eis_mpc_node *node = &w->graph->nodes[id];
        const eis_mpc_digits_shape *digits = &node->cmp;
        bool truncate = node->op == EIS_MPC_OP_TRUNCATE;
        size_t n = truncate ? node->count : digits->elements, values = ((size_t)1 << digits->digit_bits) - 1;
        eis_mpc_node_cost(&cost, w->graph, id);
        if (!truncate && node->op != EIS_MPC_OP_DIGITS) continue;
        for (size_t i = 0; i < n; i++) {
            if (w->masks.of[node->in[0]][i] != 0) continue;
            changed++;
            shift(w, c + i, c + n + i, truncate ? EIS_FP_P >> node->shift : 1);
            if (truncate) shift(w, c + 2 * n + i, c + 3 * n + i, 1);
            for (size_t j = 0; !truncate && j < digits->digits; j++) {
                uint64_t *entry = c + 2 * n * (1 + (j + 1) * values - 1) + i;
                shift(w, entry, entry + n, j + 1 == digits->digits ? eis_fp_neg(1) : 1);
            }
        }
    }
    assert_true(changed > 0);
}

static void truncate_all(void (*after_deal)(mpc_world *w))
{
    int64_t bound = (INT64_C(1) << (EIS_FP_BITS - 2)) - 1;
    cases c = after_deal != NULL ? every_value(bound) : every_case(bound, 509);
    mpc_world w;

    mpc_world_open(&w, 3);
    w.after_deal = after_deal;
    w.again = true;
    w.input[0] = zero;
    for (unsigned shift = 1; shift <= EIS_FP_BITS - 3; shift++) {
        eis_mpc_graph g;
        eis_mpc_id t;
        bool down = false, up = false, both;
        eis_mpc_graph_init(&g, NULL, 0);
        t = eis_mpc_truncate(&g, wire_of(&g, &c, EIS_FP_BITS, bound), shift);
        assert_int_equal(mpc_world_walk(&w, &g, true), EIS_OK);
        mpc_world_value(c.out, &w, t);
        for (uint32_t i = 0; i < c.count; i++) {
            double exact = ldexp((double)c.x[i], -(int)shift), error = (double)c.out[i] - exact;
            assert_true(error > -1 && error <= 1);
            down |= (double)c.out[i] == floor(exact);
            up |= (double)c.out[i] == floor(exact) + 1;
        }
        /* Under the mask 0 all values round one way: by chance, which a field so small has often; up, where it is p. */
        both = after_deal == NULL && w.masks.of[0][0] != 0;
        assert_true(both ? down && up : down != up);
        assert_true(up || after_deal == NULL);
        mpc_world_clear_walk(&w);
        eis_mpc_graph_clear(&g);
    }
    mpc_world_close(&w);
    free_cases(&c);
}

static void test_truncate(void **state)
{
    (void)state;
    truncate_all(NULL);
}

/* A comparison and a selection under it; returns false where the cut does not fit the field. */
static bool compare_all(mpc_world *w, eis_mpc_cut cut)
{
    unsigned bits = cut.digit_bits * cut.digits;
    int64_t bound = (INT64_C(1) << (cut.low + bits)) - (INT64_C(1) << cut.low) - 2, zone = INT64_C(1) << cut.low;
    cases c;
    int64_t *chosen;
    eis_mpc_graph g;
    eis_mpc_compare compare;
    eis_mpc_id x, bit, selected;

    if (bound < 1 || bound > (INT64_C(1) << (EIS_FP_BITS - 2)) - 1) return false;
    c = w->after_deal != NULL ? every_value(bound) : every_case(bound, 2039);
    chosen = malloc(c.count * sizeof *chosen);
    eis_mpc_graph_init(&g, NULL, 0);
    x = wire_of(&g, &c, 0, bound);
    eis_mpc_compare_begin(&compare, &g, x, cut, zero, 1, 0);
    selected = eis_mpc_compare_select(&g, &compare, x, 0);
    bit = eis_mpc_compare_bit(&g, &compare);
    assert_int_equal(mpc_world_walk(w, &g, true), EIS_OK);
    mpc_world_value(c.out, w, bit);
    mpc_world_value(chosen, w, selected);
    for (uint32_t i = 0; i < c.count; i++) {
        assert_true(c.out[i] == 0 || c.out[i] == 1);
        if (c.x[i] >= 0) assert_int_equal(c.out[i], 1);
        if (c.x[i] < -zone) assert_int_equal(c.out[i], 0);
        assert_int_equal(chosen[i], c.out[i] * c.x[i]);
    }
    mpc_world_clear_walk(w);
    eis_mpc_graph_clear(&g);
    free(chosen);
    free_cases(&c);
    return true;
}

static void compare_shapes(void (*after_deal)(mpc_world *w))
{
    mpc_world w;
    unsigned shapes = 0;

    mpc_world_open(&w, 2);
    w.after_deal = after_deal;
    w.again = true;
    w.input[0] = zero;
    for (unsigned digits = 3; digits <= 9; digits += 3)
        for (unsigned b = 1; b * digits < EIS_FP_BITS; b++)
            for (unsigned low = 0; low + digits * b + 1 <= EIS_FP_BITS; low++)
                shapes += compare_all(&w, (eis_mpc_cut){low, b, digits});
    assert_true(shapes >= (EIS_FP_BITS == 7 ? 2 : 10));
    mpc_world_close(&w);
}

static void test_compare(void **state)
{
    (void)state;
    compare_shapes(NULL);
}

/* The bits of a mask of 0 may be those of p, which a sum of bits does not tell from it: truncations and comparisons are
 * right with them too. */
static void test_alias(void **state)
{
    (void)state;
    truncate_all(deal_p_for_0);
    compare_shapes(deal_p_for_0);
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
    w.again = true;
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
        cmocka_unit_test(test_alias),
        cmocka_unit_test(test_products),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
