/* SPDX-License-Identifier: Apache-2.0 */
/* The audit's verdict: if it could not fail, or failed honest shares, nobody could rely on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cli/sight.h"
#include "rand/prg.h"
#include "rand/uniform.h"

#include <math.h>
#include <string.h>

#define WORDS 6400

static void draw(uint64_t *words, eis_ring ring, uint8_t seed_byte)
{
    uint8_t seed[32];
    eis_prg prg = {0};
    eis_byte_source stream;

    memset(seed, seed_byte, sizeof seed);
    assert_int_equal(eis_prg_start(&prg, EIS_SUITE_AES128, seed, sizeof seed), EIS_OK);
    stream = eis_prg_stream(&prg);
    assert_int_equal(eis_uniform_words(words, WORDS, ring, &stream), EIS_OK);
    eis_prg_clear(&prg);
}

static void show(eis_cli_sight *sight, uint32_t server, eis_ring ring, const uint64_t *words, const double *reals)
{
    eis_cli_sight_collect(sight, &(eis_split_sight){.server = server,
                                                    .ring = ring,
                                                    .words = words,
                                                    .reals = reals,
                                                    .word_count = WORDS,
                                                    .payload_bytes = 100,
                                                    .is_seed = server == 1});
}

/* Uniform words pass in every ring, two rings at a server are tested apart, and a bias planted in the last server
 * fails. */
static void verdicts(void **state)
{
    static const eis_ring rings[] = {EIS_RING_Z32, EIS_RING_Z40, EIS_RING_Z48, EIS_RING_Z52,
                                     EIS_RING_Z56, EIS_RING_F61, EIS_RING_Z64};
    static uint64_t words[WORDS];
    eis_cli_sight sight;

    (void)state;
    assert_int_equal(eis_cli_sight_init(&sight, 2), EIS_OK);
    for (size_t i = 0; i < sizeof rings / sizeof rings[0]; i++) {
        draw(words, rings[i], (uint8_t)(i + 1));
        for (uint32_t server = 1; server <= 2; server++) show(&sight, server, rings[i], words, NULL);
    }
    assert_int_equal(sight.st, EIS_OK);
    assert_int_equal(eis_cli_sight_fewest_words(&sight), 7 * WORDS);
    for (size_t i = 0; i < 2; i++) assert_true(eis_cli_sight_judge(&sight.servers[i]).passed);
    assert_int_equal(sight.servers[0].seeds, 7);
    assert_int_equal(sight.servers[1].seeds, 0);
    assert_int_equal(sight.servers[1].payload_bytes, 700);
    eis_cli_sight_plant_bias(&sight);
    assert_true(eis_cli_sight_judge(&sight.servers[0]).passed);
    assert_false(eis_cli_sight_judge(&sight.servers[1]).passed);
    eis_cli_sight_clear(&sight);
}

/* A server that was sent the numbers themselves fails, and its words go along with them. */
static void the_input_itself_is_seen(void **state)
{
    static uint64_t words[WORDS];
    static double reals[WORDS];
    eis_cli_sight sight;
    eis_cli_sight_verdict verdict;

    (void)state;
    draw(words, EIS_RING_Z32, 9);
    for (size_t i = 0; i < WORDS; i++) {
        reals[i] = ((double)(words[i] % 2001) - 1000) / 1000;
        words[i] = (uint64_t)(int64_t)(reals[i] * 1048576) & eis_ring_mask(EIS_RING_Z52);
    }
    assert_int_equal(eis_cli_sight_init(&sight, 1), EIS_OK);
    show(&sight, 1, EIS_RING_Z52, words, reals);
    verdict = eis_cli_sight_judge(&sight.servers[0]);
    assert_false(verdict.passed);
    assert_true(verdict.correlation > 0.999);
    eis_cli_sight_clear(&sight);
}

/* A server that the collection has no place for is not written anywhere. */
static void strangers_are_left_out(void **state)
{
    static uint64_t words[WORDS];
    eis_cli_sight sight;

    (void)state;
    assert_int_equal(eis_cli_sight_init(&sight, 1), EIS_OK);
    show(&sight, 0, EIS_RING_Z64, words, NULL);
    show(&sight, 2, EIS_RING_Z64, words, NULL);
    assert_int_equal(eis_cli_sight_fewest_words(&sight), 0);
    assert_true(eis_cli_sight_judge(&sight.servers[0]).p >= 1);
    eis_cli_sight_clear(&sight);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(verdicts), cmocka_unit_test(the_input_itself_is_seen),
                                       cmocka_unit_test(strangers_are_left_out)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
