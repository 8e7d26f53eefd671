/* SPDX-License-Identifier: Apache-2.0 */
/* If a word depended on how its stream is read, a party that reads its material piece by piece would hold other shares
 * than the dealer meant; if p's place were filled unevenly, masks would not hide. Over small fields, where p comes up
 * often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/mpc/stream.h"

#define WORDS 200000u

static uint64_t whole[WORDS], piece[512];

static void pieces_are_parts_of_the_whole(void **state)
{
    static const uint8_t seed[EIS_MPC_SEED_BYTES] = {7};
    eis_mpc_stream stream = {0};
    uint64_t place = 1;

    (void)state;
    assert_int_equal(eis_mpc_stream_start(&stream, seed, EIS_MPC_PURPOSE_STEP, 3), EIS_OK);
    assert_int_equal(eis_mpc_stream_words(&stream, whole, WORDS), EIS_OK);
    for (int i = 0; i < 500; i++) {
        size_t count = 1 + place % 511;
        place = place * 48271 % (WORDS - 512);
        assert_int_equal(eis_mpc_stream_seek(&stream, place), EIS_OK);
        assert_int_equal(eis_mpc_stream_words(&stream, piece, count), EIS_OK);
        assert_memory_equal(piece, whole + place, count * sizeof *piece);
    }
    eis_mpc_stream_clear(&stream);
}

/* Each word is as likely as any other: chi-square over 127 bins (of p itself, or of words by their remainder) with 126
 * degrees of freedom, above 200 once in 30,000 seeds; this seed is fixed. */
static void words_are_uniform(void **state)
{
    double bins[127] = {0}, chi = 0, expected = (double)WORDS / 127;

    (void)state;
    for (size_t i = 0; i < WORDS; i++) {
        assert_true(whole[i] < EIS_FP_P);
        bins[whole[i] % 127]++;
    }
    for (int i = 0; i < 127; i++) chi += (bins[i] - expected) * (bins[i] - expected) / expected;
    assert_true(chi < 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_parts_of_the_whole),
        cmocka_unit_test(words_are_uniform),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
