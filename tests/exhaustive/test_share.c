/* SPDX-License-Identifier: Apache-2.0 */
/* If a share's distribution depended on x in any way, some server could tell two inputs apart. In rings so small that
 * every input, every random choice and every weight can be run, uniformity is counted instead of estimated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "share/shamir.h"
#include "share/split.h"

#define RING_BITS  4u
#define RING       16u
#define FIELD_BITS 3u
#define FIELD      7u
#define POINTS     6u

/* Every x and every r: r is uniform by choice, x - r takes each value once for each x. */
static void two_shares_of_the_ring(void **state)
{
    (void)state;
    for (uint64_t x = 0; x < RING; x++) {
        unsigned seen[RING] = {0};

        for (uint64_t r = 0; r < RING; r++) {
            uint64_t last;

            eis_share_subtract_raw(&last, &x, &r, 1, RING_BITS);
            assert_true(last < RING);
            assert_int_equal((last + r) % RING, x);
            seen[last]++;
        }
        for (size_t v = 0; v < RING; v++) assert_int_equal(seen[v], 1);
    }
}

/* Three shares: every pair of them takes each pair of values exactly once, for every x. */
static void three_shares_of_the_ring(void **state)
{
    (void)state;
    for (uint64_t x = 0; x < RING; x++) {
        unsigned seen[3][RING][RING] = {0};

        for (uint64_t a = 0; a < RING; a++)
            for (uint64_t b = 0; b < RING; b++) {
                uint64_t last;

                eis_share_subtract_raw(&last, &x, &a, 1, RING_BITS);
                eis_share_subtract_raw(&last, &last, &b, 1, RING_BITS);
                assert_int_equal((a + b + last) % RING, x);
                seen[0][a][b]++;
                seen[1][a][last]++;
                seen[2][b][last]++;
            }
        for (size_t pair = 0; pair < 3; pair++)
            for (size_t i = 0; i < RING * RING; i++) assert_int_equal(seen[pair][i / RING][i % RING], 1);
    }
}

/* The kernels that split in the rings in use do the same step: low bits of a difference depend on low bits alone. */
static void kernels_do_the_same_step(void **state)
{
    static const eis_ring rings[] = {EIS_RING_Z32, EIS_RING_Z40, EIS_RING_Z48,
                                     EIS_RING_Z52, EIS_RING_Z56, EIS_RING_Z64};
    uint64_t a[RING * RING], b[RING * RING], small[RING * RING], large[RING * RING];

    (void)state;
    for (uint64_t i = 0; i < RING * RING; i++) {
        a[i] = i % RING;
        b[i] = i / RING;
    }
    eis_share_subtract_raw(small, a, b, RING * RING, RING_BITS);
    for (size_t level = 0; level < eis_kernels_level_count(); level++)
        for (size_t r = 0; r < sizeof rings / sizeof rings[0]; r++) {
            eis_kernels_level(level)->words_sub(large, a, b, RING * RING, rings[r]);
            for (size_t i = 0; i < RING * RING; i++) assert_int_equal(large[i] % RING, small[i]);
        }
}

/* Every weight row of two, every x, every share: the servers' products add up to the product. */
static void products_of_the_ring(void **state)
{
    size_t wrong = 0;

    (void)state;
    for (unsigned w = 0; w < RING * RING; w++)
        for (unsigned input = 0; input < RING * RING; input++)
            for (unsigned random = 0; random < RING * RING; random++) {
                uint64_t x[2] = {input % RING, input / RING}, r[2] = {random % RING, random / RING}, last[2];
                uint64_t w0 = w % RING, w1 = w / RING, answer;

                eis_share_subtract_raw(last, x, r, 2, RING_BITS);
                answer = (w0 * r[0] + w1 * r[1]) % RING + (w0 * last[0] + w1 * last[1]) % RING;
                wrong += answer % RING != (w0 * x[0] + w1 * x[1]) % RING;
            }
    assert_int_equal(wrong, 0);
}

/* All six servers' words for x and the words of the first t - 1, as the split makes them. */
static void field_shares(uint64_t shares[POINTS], uint64_t x, const uint64_t *seeds, size_t t)
{
    uint64_t from[POINTS], c[POINTS];
    const uint64_t *values[POINTS];

    for (size_t j = 0; j < t; j++) {
        from[j] = j;
        values[j] = j == 0 ? &x : &seeds[j - 1];
    }
    for (size_t i = 1; i <= POINTS; i++) {
        eis_shamir_lagrange_raw_var(c, from, t, i, FIELD_BITS);
        eis_shamir_combine_raw(&shares[i - 1], values, c, t, 1, FIELD_BITS);
        if (i < t) assert_int_equal(shares[i - 1], seeds[i - 1]);
        assert_true(shares[i - 1] < FIELD);
    }
}

/* Every set of t servers gives w x for every weight w. */
static void check_recovery(const uint64_t shares[POINTS], uint64_t x, size_t t)
{
    for (unsigned set = 0; set < 1u << POINTS; set++) {
        uint64_t from[POINTS], c[POINTS], got;
        size_t used = 0;

        for (unsigned i = 0; i < POINTS; i++)
            if (set >> i & 1) from[used++] = i + 1;
        if (used != t) continue;
        eis_shamir_lagrange_raw_var(c, from, t, 0, FIELD_BITS);
        for (uint64_t w = 0; w < FIELD; w++) {
            uint64_t answers[POINTS];
            const uint64_t *values[POINTS];

            for (size_t j = 0; j < t; j++) {
                answers[j] = w * shares[from[j] - 1] % FIELD;
                values[j] = &answers[j];
            }
            eis_shamir_combine_raw(&got, values, c, t, 1, FIELD_BITS);
            assert_int_equal(got, w * x % FIELD);
        }
    }
}

/* Every set of t - 1 servers sees each combination of values exactly once, for every x. */
static void thresholds_of_the_field(void **state)
{
    (void)state;
    for (size_t t = 2; t <= 4; t++) {
        size_t choices = t == 2 ? 7 : t == 3 ? 49 : 343;

        for (uint64_t x = 0; x < FIELD; x++) {
            static unsigned seen[1u << POINTS][343];

            memset(seen, 0, sizeof seen);
            for (size_t choice = 0; choice < choices; choice++) {
                uint64_t seeds[3] = {choice % 7, choice / 7 % 7, choice / 49}, shares[POINTS];

                field_shares(shares, x, seeds, t);
                check_recovery(shares, x, t);
                for (unsigned set = 0; set < 1u << POINTS; set++) {
                    size_t used = 0, place = 0;

                    for (unsigned i = 0; i < POINTS; i++)
                        if (set >> i & 1) {
                            used++;
                            if (used < t) place = place * 7 + shares[i];
                        }
                    if (used == t - 1) seen[set][place]++;
                }
            }
            for (unsigned set = 0; set < 1u << POINTS; set++)
                if ((size_t)__builtin_popcount(set) == t - 1)
                    for (size_t i = 0; i < choices; i++) assert_int_equal(seen[set][i], 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_shares_of_the_ring),   cmocka_unit_test(three_shares_of_the_ring),
        cmocka_unit_test(kernels_do_the_same_step), cmocka_unit_test(products_of_the_ring),
        cmocka_unit_test(thresholds_of_the_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
