/* SPDX-License-Identifier: Apache-2.0 */
/* If the audit passed shares with a fixed bit, it would call a leak safe; if it failed good ones, nobody would believe
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "rand/uniform.h"
#include "share/uniformity.h"

#define COUNT 4096

static uint64_t words[COUNT];
static eis_prg prg;
static uint8_t seed[32];

/* Repeatable: the runs of this test always see the same streams. */
static void draw(size_t count, eis_ring ring)
{
    eis_byte_source stream = eis_prg_stream(&prg);

    seed[0]++;
    if (seed[0] == 0) seed[1]++;
    assert_int_equal(eis_prg_start(&prg, EIS_SUITE_CHACHA20, seed, 32), EIS_OK);
    assert_int_equal(eis_uniform_words(words, count, ring, &stream), EIS_OK);
}

/* Values from tables of the chi-square distribution. */
static void chi_square_matches_tables(void **state)
{
    static const struct {
        double x;
        unsigned degrees;
        double p;
    } cases[] = {{3.841458820694124, 1, 0.05},     {5.991464547107979, 2, 0.05}, {18.307038053275146, 10, 0.05},
                 {124.34211340400407, 100, 0.05},  {293.24783508, 255, 0.05},    {2.0, 2, 0.36787944117144233},
                 {60.0, 2, 9.357622968840175e-14}, {4.605170185988092, 2, 0.1}};

    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++)
        assert_true(fabs(eis_uniformity_chi2_p(cases[c].x, cases[c].degrees) / cases[c].p - 1) < 1e-6);
    assert_true(eis_uniformity_chi2_p(0, 255) == 1);
    assert_true(eis_uniformity_chi2_p(1e6, 255) < 1e-300);
}

/* 600 honest runs: p below 1/50 has at most that probability, so 40 of 600 would be far out (mean at most 12). */
static void honest_words_pass(void **state)
{
    static const eis_ring rings[] = {EIS_RING_Z32, EIS_RING_Z52, EIS_RING_F61, EIS_RING_Z64};
    static const size_t counts[] = {1, 64, 333, COUNT};
    size_t low = 0;

    (void)state;
    for (size_t run = 0; run < 600; run++) {
        size_t count = counts[run % 4];
        eis_ring ring = rings[run / 4 % 4];
        double p;

        draw(count, ring);
        p = eis_uniformity_words(words, count, (unsigned)ring);
        assert_true(p > EIS_UNIFORMITY_P_MIN && p <= 1);
        if (p < 0.02) low++;
        p = eis_uniformity_bytes((const uint8_t *)words, ring == EIS_RING_Z64 ? count * 8 : 0);
        assert_true(p > EIS_UNIFORMITY_P_MIN && p <= 1);
    }
    assert_true(low < 40);
}

/* One bit that never changes in 64 words, wherever it lies. */
static void a_bit_stuck_in_64_words_fails(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        draw(64, EIS_RING_Z64);
        for (size_t i = 0; i < 64; i++) words[i] |= 1ull << bit;
        assert_true(eis_uniformity_words(words, 64, 64) < EIS_UNIFORMITY_P_MIN);
        assert_true(eis_uniformity_bytes((const uint8_t *)words, 512) < EIS_UNIFORMITY_P_MIN);
    }
}

/* One word of each 64 has one bit that never changes; all others are honest. */
static void a_bit_stuck_in_one_word_of_64_fails(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        draw(COUNT, EIS_RING_Z64);
        for (size_t i = (bit * 29) % 64; i < COUNT; i += 64) words[i] &= ~(1ull << bit);
        assert_true(eis_uniformity_words(words, COUNT, 64) < EIS_UNIFORMITY_P_MIN);
        assert_true(eis_uniformity_words(words, 2240, 64) < EIS_UNIFORMITY_P_MIN);
    }
}

static void unmasked_values_fail(void **state)
{
    double x[64];

    (void)state;
    for (size_t i = 0; i < 64; i++) {
        x[i] = sin((double)i);
        words[i] = (uint64_t)llrint(x[i] * 1e6);
    }
    assert_true(eis_uniformity_words(words, 64, 64) < EIS_UNIFORMITY_P_MIN);
    assert_true(eis_uniformity_bytes((const uint8_t *)x, sizeof x) < EIS_UNIFORMITY_P_MIN);
    for (size_t i = 0; i < COUNT; i++) words[i] = i * 0x0101010101010101u; /* bits are fair, bytes repeat in order */
    assert_true(eis_uniformity_words(words, 1, 64) <= 1);
    assert_true(eis_uniformity_words(words, 0, 64) == 1);
}

static void correlation_is_pearsons(void **state)
{
    double a[5] = {1, 2, 3, 4, 5}, b[5] = {2, 4, 6, 8, 10}, c[5] = {5, 4, 3, 2, 1}, d[5] = {1, 0, 0, 0, 1},
           e[5] = {7, 7, 7, 7, 7};

    (void)state;
    assert_true(fabs(eis_uniformity_correlation(a, b, 5) - 1) < 1e-12);
    assert_true(fabs(eis_uniformity_correlation(a, c, 5) + 1) < 1e-12);
    assert_true(fabs(eis_uniformity_correlation(a, d, 5)) < 1e-12);
    assert_true(eis_uniformity_correlation(a, e, 5) == 0);
    assert_true(eis_uniformity_correlation(a, b, 0) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chi_square_matches_tables),     cmocka_unit_test(honest_words_pass),
        cmocka_unit_test(a_bit_stuck_in_64_words_fails), cmocka_unit_test(a_bit_stuck_in_one_word_of_64_fails),
        cmocka_unit_test(unmasked_values_fail),          cmocka_unit_test(correlation_is_pearsons),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    eis_prg_clear(&prg);
    return failed;
}
