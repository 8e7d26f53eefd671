/* SPDX-License-Identifier: Apache-2.0 */
/* If one word of the field were off, every share, check and product over it would be: compared with division in 128
 * bits at the borders of each range and on random words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernel/f61_word.h"
#include "kernel/rng.h"

__extension__ typedef __int128 wide;

#define P EIS_F61_P

static const uint64_t borders[] = {0,
                                   1,
                                   2,
                                   7,
                                   8,
                                   9,
                                   P / 2 - 1,
                                   P / 2,
                                   P / 2 + 1,
                                   P - 2,
                                   P - 1,
                                   P,
                                   P + 1,
                                   2 * P - 1,
                                   2 * P,
                                   4 * P,
                                   8 * P,
                                   8 * P + 7,
                                   UINT64_MAX,
                                   INT64_MAX,
                                   UINT64_C(1) << 63,
                                   UINT64_C(0xffffffff)};
#define BORDERS      (sizeof borders / sizeof borders[0])
#define RANDOM_PAIRS 200000

static uint64_t mod_p(wide v) { return (uint64_t)((v % (wide)P + (wide)P) % (wide)P); }

static void check_pair(uint64_t r, uint64_t q)
{
    uint64_t a = r % P, b = q % P;
    unsigned shift = (unsigned)(q % 61);
    eis_u128 both = (eis_u128)r << 64 | q;
    int64_t centred = eis_f61_word_centre(a);

    assert_true(eis_f61_word_reduce(r) == r % P);
    assert_true(eis_f61_word_reduce128(both) == (uint64_t)(both % P));
    assert_true(eis_f61_word_from_i64((int64_t)r) == mod_p((int64_t)r));
    assert_true(eis_f61_word_add(a, b) == mod_p((wide)a + b));
    assert_true(eis_f61_word_sub(a, b) == mod_p((wide)a - b));
    assert_true(eis_f61_word_neg(a) == mod_p(-(wide)a));
    assert_true(eis_f61_word_mul(a, b) == (uint64_t)((eis_u128)a * b % P));
    assert_true(eis_f61_word_shift(a, shift) == (uint64_t)(((eis_u128)a << shift) % P));
    assert_true(centred >= -(int64_t)(P / 2) && centred <= (int64_t)(P / 2) && mod_p(centred) == a);
}

static void words_are_those_of_long_division(void **state)
{
    uint64_t rng = 61;

    (void)state;
    for (size_t i = 0; i < BORDERS; i++) {
        for (size_t j = 0; j < BORDERS; j++) check_pair(borders[i], borders[j]);
    }
    for (size_t i = 0; i < RANDOM_PAIRS; i++) {
        uint64_t r = rng_next(&rng);
        check_pair(r, rng_next(&rng));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(words_are_those_of_long_division)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
