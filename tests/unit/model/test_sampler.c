/* SPDX-License-Identifier: Apache-2.0 */
/* If ties were broken differently or a seed gave another text, two engines could not be compared. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/sampler.h"

enum { DRAWS = 20000 };

static eis_sampler_options drawing(double temperature, uint32_t top_k, double top_p, uint64_t seed)
{
    return (eis_sampler_options){.temperature = temperature, .top_k = top_k, .top_p = top_p, .seed = seed};
}

/* Counts how often each token comes. */
static void count_draws(size_t *counts, const eis_sampler_options *options, const double *logits, size_t n)
{
    eis_sampler s;
    uint32_t id;

    memset(counts, 0, n * sizeof *counts);
    assert_int_equal(eis_sampler_init(&s, options), EIS_OK);
    for (int i = 0; i < DRAWS; i++) {
        assert_int_equal(eis_sampler_pick(&s, &id, logits, n), EIS_OK);
        assert_true(id < n);
        counts[id]++;
    }
    eis_sampler_clear(&s);
}

static void greedy_takes_the_lowest_of_equals(void **state)
{
    const double ties[] = {1, 3, 2, 3}, broken[] = {NAN, -INFINITY, NAN, -5}, nothing[] = {NAN, NAN};
    eis_sampler_options o = eis_sampler_options_default();
    eis_sampler s;
    uint32_t id = 77;

    (void)state;
    assert_int_equal(eis_sampler_best(ties, 4), 1);
    assert_int_equal(eis_sampler_best(broken, 4), 3);
    assert_int_equal(eis_sampler_best((const double[]){-INFINITY, NAN}, 2), 0);
    assert_int_equal(eis_sampler_init(&s, &o), EIS_OK);
    assert_int_equal(eis_sampler_pick(&s, &id, nothing, 2), EIS_ERR_RANGE);
    assert_int_equal(id, 77);
    eis_sampler_clear(&s);
}

/* Probabilities are those of the softmax at this temperature: five standard deviations of a binomial count. */
static void draws_follow_the_softmax(void **state)
{
    const double logits[] = {0, 1, 2, -1};
    size_t counts[4];

    (void)state;
    for (int t = 0; t < 2; t++) {
        double temperature = t ? 0.5 : 1.0, sum = 0;
        eis_sampler_options o = drawing(temperature, 0, 1, 42);
        count_draws(counts, &o, logits, 4);
        for (int i = 0; i < 4; i++) sum += exp(logits[i] / temperature);
        for (int i = 0; i < 4; i++) {
            double p = exp(logits[i] / temperature) / sum;
            assert_true(fabs((double)counts[i] - DRAWS * p) < 5 * sqrt(DRAWS * p * (1 - p)));
        }
    }
}

static void top_k_and_top_p_cut_the_tail(void **state)
{
    const double logits[] = {3, 1, 3, 2, -INFINITY, NAN};
    eis_sampler_options k = drawing(1, 3, 1, 1), p = drawing(1, 0, 0.3, 1), ties = drawing(1, 1, 1, 1);
    size_t counts[6];

    (void)state;
    count_draws(counts, &k, logits, 6);
    assert_true(counts[0] > 0 && counts[2] > 0 && counts[3] > 0);
    assert_int_equal(counts[1] + counts[4] + counts[5], 0);
    /* The two highest have 0.40 each: 0.3 is reached by the first alone, and the first of equals is the lowest id. */
    count_draws(counts, &p, logits, 6);
    assert_int_equal(counts[0], DRAWS);
    count_draws(counts, &ties, logits, 6);
    assert_int_equal(counts[0], DRAWS);
}

static void a_seed_gives_one_text(void **state)
{
    double logits[100];
    eis_sampler_options o = drawing(0.8, 40, 0.95, 7);
    eis_sampler a, b, c;
    uint32_t x, y, z;
    int differ = 0;

    (void)state;
    for (int i = 0; i < 100; i++) logits[i] = sin(i);
    assert_int_equal(eis_sampler_init(&a, &o), EIS_OK);
    assert_int_equal(eis_sampler_init(&b, &o), EIS_OK);
    o.seed = 8;
    assert_int_equal(eis_sampler_init(&c, &o), EIS_OK);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(eis_sampler_pick(&a, &x, logits, 100), EIS_OK);
        assert_int_equal(eis_sampler_pick(&b, &y, logits, 100), EIS_OK);
        assert_int_equal(eis_sampler_pick(&c, &z, logits, 100), EIS_OK);
        assert_int_equal(x, y);
        differ += x != z;
    }
    assert_true(differ > 100);
    eis_sampler_clear(&a);
    eis_sampler_clear(&b);
    eis_sampler_clear(&c);
}

/* An infinite logit or a tiny temperature must not turn into NaN probabilities. */
static void extremes_stay_numbers(void **state)
{
    const double logits[] = {1, INFINITY, 5}, close[] = {1, 1.0001};
    eis_sampler_options o = drawing(1, 0, 1, 3), cold = drawing(1e-300, 0, 1, 3), hot = drawing(1e300, 0, 1, 3);
    size_t counts[3];

    (void)state;
    count_draws(counts, &o, logits, 3);
    assert_int_equal(counts[1], DRAWS);
    count_draws(counts, &cold, close, 2);
    assert_int_equal(counts[1], DRAWS);
    count_draws(counts, &hot, close, 2);
    assert_true(counts[0] > DRAWS / 3 && counts[1] > DRAWS / 3);
}

static void options_are_checked(void **state)
{
    const double bad_temperature[] = {0, -1, NAN, INFINITY}, bad_p[] = {0, -0.1, 1.1, NAN};
    eis_sampler_options o;
    eis_sampler s;

    (void)state;
    for (int i = 0; i < 4; i++) {
        o = drawing(bad_temperature[i], 0, 1, 0);
        assert_int_equal(eis_sampler_init(&s, &o), EIS_ERR_USAGE);
        assert_non_null(strstr(eis_error_detail(), "temperature"));
        o = drawing(1, 0, bad_p[i], 0);
        assert_int_equal(eis_sampler_init(&s, &o), EIS_ERR_USAGE);
        assert_non_null(strstr(eis_error_detail(), "top-p"));
    }
}

static void a_failed_allocation_leaves_the_id(void **state)
{
    const double logits[] = {1, 2};
    eis_sampler_options o = drawing(1, 0, 1, 0);
    eis_sampler s;
    uint32_t id = 99;

    (void)state;
    assert_int_equal(eis_sampler_init(&s, &o), EIS_OK);
    eis_mem_fail_at(1);
    assert_int_equal(eis_sampler_pick(&s, &id, logits, 2), EIS_ERR_MEMORY);
    eis_mem_fail_at(0);
    assert_int_equal(id, 99);
    assert_int_equal(eis_sampler_pick(&s, &id, logits, 2), EIS_OK);
    eis_sampler_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_takes_the_lowest_of_equals),
        cmocka_unit_test(draws_follow_the_softmax),
        cmocka_unit_test(top_k_and_top_p_cut_the_tail),
        cmocka_unit_test(a_seed_gives_one_text),
        cmocka_unit_test(extremes_stay_numbers),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(a_failed_allocation_leaves_the_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
