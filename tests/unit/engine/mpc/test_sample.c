/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens drawn among parties: as often as softmax says among the k likeliest, never another one, and the coin of the
 * parties turns what the dealer drew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/mpc/sample.h"
#include "support/mpc_world.h"

#include <math.h>

enum { COUNT = 13, DRAWS = 40 };

static mpc_world world;

static int open_world(void **state)
{
    (void)state;
    mpc_world_open(&world, 2);
    world.again = true;
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    mpc_world_close(&world);
    return 0;
}

/* Places of x in falling order. */
static void order(uint32_t place[COUNT], const double *x)
{
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t at = i;
        for (; at > 0 && x[place[at - 1]] < x[i]; at--) place[at] = place[at - 1];
        place[at] = i;
    }
}

/* `walks` walks with DRAWS draws each. Returns chi^2 against the softmax of the top k, all others have probability 0.
 */
static double draw(uint32_t seen[COUNT], const double *x, const eis_mpc_sampling *sampling, int walks)
{
    eis_mpc_tuning tuning;
    eis_mpc_graph g;
    eis_mpc_id in, next[DRAWS];
    eis_mpc_sample_coin coin[DRAWS];
    int64_t values[COUNT], id;
    uint32_t place[COUNT], k = sampling->top_k < COUNT ? sampling->top_k : COUNT;
    double sum = 0, chi = 0, total = walks * DRAWS;

    eis_mpc_tuning_default(&tuning);
    for (int i = 0; i < COUNT; i++) values[i] = llround(ldexp(x[i], 16)), seen[i] = 0;
    world.input[0] = values;
    mpc_world_clear_walk(&world);
    eis_mpc_graph_init(&g, NULL, 0);
    in = eis_mpc_input(&g, 0, COUNT, 16, ldexp(16, 16));
    for (int i = 0; i < DRAWS; i++) next[i] = eis_mpc_sample(&g, &coin[i], in, sampling, &tuning);
    assert_int_equal(eis_mpc_graph_status(&g), EIS_OK);
    for (int w = 0; w < walks; w++) {
        for (int i = 0; i < DRAWS; i++)
            eis_mpc_sample_set_coin(&coin[i], (const uint8_t[]){(uint8_t)(w * 37 + i), 0x5a});
        if (mpc_world_walk(&world, &g, true) != EIS_OK) fail_msg("%s", eis_error_detail());
        for (int i = 0; i < DRAWS; i++) {
            mpc_world_value(&id, &world, next[i]);
            assert_in_range(id, 0, COUNT - 1);
            seen[id]++;
        }
    }
    mpc_world_clear_walk(&world);
    eis_mpc_graph_clear(&g);
    order(place, x);
    for (uint32_t i = 0; i < k; i++) sum += exp((x[place[i]] - x[place[0]]) / sampling->temperature) + 0x1p-9;
    for (uint32_t i = 0; i < COUNT; i++) {
        double expected = i < k ? total * (exp((x[place[i]] - x[place[0]]) / sampling->temperature) + 0x1p-9) / sum : 0;
        if (i >= k) assert_int_equal(seen[place[i]], 0);
        if (i < k) chi += pow(seen[place[i]] - expected, 2) / expected;
    }
    return chi;
}

static const double logits[COUNT] = {-3.1, 1.2, 0.4, 2.0, -7.5, 1.9, 0.1, 2.6, -0.4, 1.0, -11, 0.7, 1.5};

static void as_often_as_softmax_says(void **state)
{
    static const struct {
        eis_mpc_sampling sampling;
        int walks;
        double most; /* one of a million samples of chi^2 with k - 1 degrees of freedom is larger */
    } rows[] = {{{2, 1}, 10, 24}, {{3, 1}, 15, 28}, {{4, 0.7}, 20, 31}, {{8, 1.3}, 20, 41}, {{13, 2}, 20, 53}};
    uint32_t seen[COUNT];
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double chi = draw(seen, logits, &rows[i].sampling, rows[i].walks);
        print_message("topk %u temperature %g: chi^2 %.1f\n", rows[i].sampling.top_k, rows[i].sampling.temperature,
                      chi);
        assert_true(chi < rows[i].most);
    }
}

/* A low temperature leaves the likeliest one; with more of the list than there is, all can come. */
static void at_the_ends(void **state)
{
    uint32_t seen[COUNT], different = 0;
    const eis_mpc_sampling cold = {4, 0.05}, all = {64, 16};
    (void)state;

    (void)draw(seen, logits, &cold, 2);
    assert_true(seen[7] > DRAWS * 2 - 10);
    (void)draw(seen, logits, &all, 4);
    for (int i = 0; i < COUNT; i++) different += seen[i] > 0;
    assert_true(different > 8);
}

/* The dealer's number is the same with both coins; the sum of their draws says that the coin turns it. */
static void the_coin_turns_the_number(void **state)
{
    static const eis_mpc_sampling sampling = {4, 1};
    eis_mpc_graph g;
    eis_mpc_sample_coin coin;
    eis_mpc_tuning tuning;
    (void)state;

    eis_mpc_tuning_default(&tuning);
    eis_mpc_graph_init(&g, NULL, 0);
    assert_true(eis_mpc_sample(&g, &coin, eis_mpc_input(&g, 0, COUNT, 16, ldexp(16, 16)), &sampling, &tuning) !=
                EIS_MPC_NONE);
    for (uint32_t c = 0; c < 0x10000; c += 0x123) {
        for (uint32_t bits = 0; bits < 0x10000; bits += 0x357) { /* what the dealer may have drawn */
            uint64_t sum;
            eis_mpc_sample_set_coin(&coin, (const uint8_t[]){(uint8_t)c, (uint8_t)(c >> 8)});
            sum = *coin.offset;
            for (unsigned i = 0; i < EIS_MPC_SAMPLE_BITS; i++)
                sum = eis_fp_add(sum, eis_fp_mul(coin.signs[i], bits >> i & 1));
            assert_int_equal(sum, bits ^ c);
        }
    }
    eis_mpc_graph_clear(&g);
}

static void what_is_refused(void **state)
{
    (void)state;
    assert_int_equal(eis_mpc_sampling_check(&(eis_mpc_sampling){3, 1}), EIS_OK);
    assert_int_equal(eis_mpc_sampling_check(&(eis_mpc_sampling){1, 0}), EIS_OK);
    assert_int_equal(eis_mpc_sampling_check(&(eis_mpc_sampling){0, 1}), EIS_ERR_RANGE);
    assert_int_equal(eis_mpc_sampling_check(&(eis_mpc_sampling){65, 1}), EIS_ERR_RANGE);
    assert_int_equal(eis_mpc_sampling_check(&(eis_mpc_sampling){3, -1}), EIS_ERR_RANGE);
    assert_int_equal(eis_mpc_sampling_check(&(eis_mpc_sampling){3, 0.01}), EIS_ERR_RANGE);
    assert_int_equal(eis_mpc_sampling_check(&(eis_mpc_sampling){3, NAN}), EIS_ERR_RANGE);
    assert_true(eis_mpc_sampling_is_greedy(&(eis_mpc_sampling){1, 1}));
    assert_true(eis_mpc_sampling_is_greedy(&(eis_mpc_sampling){5, 0}));
    assert_false(eis_mpc_sampling_is_greedy(&(eis_mpc_sampling){2, 1}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_often_as_softmax_says),
        cmocka_unit_test(at_the_ends),
        cmocka_unit_test(the_coin_turns_the_number),
        cmocka_unit_test(what_is_refused),
    };

    return cmocka_run_group_tests(tests, open_world, close_world);
}
