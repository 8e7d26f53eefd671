/* SPDX-License-Identifier: Apache-2.0 */
/* A digit of several primes that came out as another number on some prime would make every rotation on such a chain
 * noise, and one that came out beyond its range would make it noisier than the planner says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "ring/extend.h"
#include "ring/zq.h"

#define DEGREE_LOG2 7
#define DEGREE      ((size_t)1 << DEGREE_LOG2)

__extension__ typedef unsigned __int128 wide;
__extension__ typedef __int128 signed_wide;

static const unsigned bits[] = {40, 30, 35, 60, 24, 50};
#define PRIMES (sizeof bits / sizeof bits[0])

static uint64_t mod_signed(signed_wide x, uint64_t q)
{
    signed_wide r = x % (signed_wide)q;

    return (uint64_t)(r < 0 ? r + (signed_wide)q : r);
}

/* Numbers of [0, D): both ends, around the middle, and others. */
static wide sample(size_t j, wide product)
{
    const wide half = (product - 1) / 2, golden = ((wide)0x9e3779b97f4a7c15 << 64 | 0xf39cc0605cedc834);

    if (j < 8) return j;
    if (j < 16) return product - 1 - (j - 8);
    /* beside the middle, which itself is a tie for doubles */
    if (j < 32) return j % 2 ? half + (product >> 40) * (j - 15) : half - (product >> 40) * (j - 15);
    return golden * (2 * j + 1) % product;
}

static void check_group(const eis_rns *rns, eis_rns_group group, bool centred)
{
    uint64_t x[3 * DEGREE], e[DEGREE], r[DEGREE], scratch[DEGREE];
    wide product = 1;

    for (size_t i = 0; i < group.count; i++) product *= eis_rns_modulus(rns, group.first + i)->q;
    for (size_t i = 0; i < group.count; i++)
        for (size_t j = 0; j < DEGREE; j++)
            x[i * DEGREE + j] = (uint64_t)(sample(j, product) % eis_rns_modulus(rns, group.first + i)->q);
    eis_rns_split_raw(rns, x, e, group, centred);
    for (size_t to = 0; to < PRIMES; to++) {
        const uint64_t q = eis_rns_modulus(rns, to)->q;

        if (to >= group.first && to < group.first + group.count) continue;
        eis_rns_extend_raw(rns, r, x, e, group, to, scratch);
        for (size_t j = 0; j < DEGREE; j++) {
            wide value = sample(j, product);
            signed_wide number = (signed_wide)value;

            if (centred && value > (product - 1) / 2) number -= (signed_wide)product;
            /* at the ends of [0, D) a sum of doubles may fall to the other side: D more or less is allowed there */
            if (!centred && j < 16)
                assert_true(r[j] == mod_signed(number, q) || r[j] == mod_signed(number - (signed_wide)product, q) ||
                            r[j] == mod_signed(number + (signed_wide)product, q));
            else
                assert_int_equal(r[j], mod_signed(number, q));
        }
        assert_int_equal(eis_rns_group_product(rns, group, to), (uint64_t)(product % q));
        assert_int_equal(eis_zq_mul(eis_rns_group_product(rns, group, to), eis_rns_group_inverse(rns, group, to).value,
                                    eis_rns_modulus(rns, to)),
                         1);
    }
}

static void numbers_are_the_same_on_every_prime(void **state)
{
    uint64_t primes[PRIMES];
    eis_rns rns = {0};

    (void)state;
    assert_int_equal(eis_zq_primes_choose(primes, bits, PRIMES, DEGREE), EIS_OK);
    assert_int_equal(eis_rns_init(&rns, DEGREE_LOG2, primes, PRIMES), EIS_OK);
    for (unsigned centred = 0; centred < 2; centred++) {
        check_group(&rns, (eis_rns_group){0, 3}, centred); /* 105 bits */
        check_group(&rns, (eis_rns_group){1, 3}, centred); /* 125 */
        check_group(&rns, (eis_rns_group){2, 2}, centred); /* 95 */
    }
    eis_rns_clear(&rns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_the_same_on_every_prime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
