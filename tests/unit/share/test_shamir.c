/* SPDX-License-Identifier: Apache-2.0 */
/* If one set of t servers gave another answer than another set, a text would change with the server that died. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kernel/f61_word.h"
#include "rand/entropy.h"
#include "share/shamir.h"
#include "share/uniformity.h"

enum { N = 37, BATCH = 2, SERVERS_MAX = 7 };

static uint64_t x[BATCH * N];
static uint64_t words[SERVERS_MAX][BATCH * N];

static void fill_input(void)
{
    static const uint64_t edges[] = {0, 1, EIS_F61_P - 1, EIS_F61_P / 2, EIS_F61_P / 2 + 1};
    uint64_t s = 99;

    for (size_t i = 0; i < BATCH * N; i++) {
        s = s * 6364136223846793005u + 1442695040888963407u;
        x[i] = i < 5 ? edges[i] : s % EIS_F61_P;
    }
}

/* What server i would answer to the identity matrix: its share in words. */
static void open_shares(eis_prg *prg, const eis_share *shares, size_t servers)
{
    const eis_vectors *shape = &shares[0].shape;
    uint8_t *vectors = eis_mem_new(eis_vectors_bytes(shape), 1);

    for (size_t i = 0; i < servers; i++) {
        assert_int_equal(eis_share_expand(prg, vectors, &shares[i]), EIS_OK);
        for (size_t v = 0; v < BATCH; v++)
            eis_share_words_read(words[i] + v * N, vectors + v * eis_vectors_stride(shape), shape);
    }
    eis_mem_free(vectors);
}

static void split_into(eis_prg *prg, eis_share *shares, size_t servers, size_t threshold)
{
    eis_vectors shape;

    assert_int_equal(eis_vectors_init(&shape, EIS_RING_F61, EIS_FORM_WORDS, N, BATCH), EIS_OK);
    (void)eis_entropy_fail_at(0);
    assert_int_equal(eis_shamir_split(prg, shares, servers, threshold, x, &shape, EIS_SUITE_AES128), EIS_OK);
    assert_int_equal(eis_entropy_fail_at(0), threshold - 1);
    for (size_t i = 0; i < servers; i++) {
        assert_int_equal(shares[i].index, i + 1);
        assert_int_equal(shares[i].suite, i + 1 < threshold ? EIS_SUITE_AES128 : EIS_SUITE_WORDS);
    }
    open_shares(prg, shares, servers);
}

static void every_subset_of_t_agrees(void **state)
{
    eis_prg prg = {0};
    eis_share shares[SERVERS_MAX] = {0};
    uint64_t y[BATCH * N];

    (void)state;
    for (size_t servers = 2; servers <= SERVERS_MAX; servers++)
        for (size_t threshold = 2; threshold <= servers; threshold++) {
            split_into(&prg, shares, servers, threshold);
            for (unsigned set = 0; set < 1u << servers; set++) {
                eis_shamir_answer answers[SERVERS_MAX];
                size_t count = 0;

                for (unsigned i = (unsigned)servers; i-- > 0;) /* in falling order: order must not matter */
                    if (set >> i & 1) answers[count++] = (eis_shamir_answer){i + 1, words[i]};
                if (count == threshold) {
                    assert_int_equal(eis_shamir_recover(y, answers, threshold, BATCH * N), EIS_OK);
                    assert_memory_equal(y, x, sizeof y);
                } else if (count > threshold) {
                    uint32_t cheat = 9;
                    assert_int_equal(eis_shamir_agree(&cheat, answers, count, threshold, BATCH * N), EIS_OK);
                    assert_int_equal(cheat, 0);
                }
            }
        }
    for (size_t i = 0; i < SERVERS_MAX; i++) eis_share_clear(&shares[i]);
    eis_prg_clear(&prg);
}

static void a_lone_cheat_is_named_with_two_to_spare(void **state)
{
    eis_prg prg = {0};
    eis_share shares[SERVERS_MAX] = {0};

    (void)state;
    for (size_t threshold = 2; threshold <= 4; threshold++) {
        for (size_t servers = threshold + 1; servers <= SERVERS_MAX; servers++) {
            eis_shamir_answer answers[SERVERS_MAX];

            split_into(&prg, shares, servers, threshold);
            for (size_t i = 0; i < servers; i++) answers[i] = (eis_shamir_answer){(uint32_t)i + 1, words[i]};
            for (size_t liar = 0; liar < servers; liar++) {
                uint32_t cheat = 9;
                uint64_t *word = &words[liar][(liar * 11) % (BATCH * N)], was = *word;

                *word = (was + 1) % EIS_F61_P;
                assert_int_equal(eis_shamir_agree(&cheat, answers, servers, threshold, BATCH * N), EIS_ERR_INTEGRITY);
                assert_int_equal(cheat, servers >= threshold + 2 ? liar + 1 : 0);
                *word = was;
            }
        }
    }
    for (size_t i = 0; i < SERVERS_MAX; i++) eis_share_clear(&shares[i]);
    eis_prg_clear(&prg);
}

static void shares_look_uniform_for_an_input_of_zeros(void **state)
{
    enum { LONG = 4096 };
    static uint64_t zero[LONG];
    static uint8_t vectors[LONG * 8];
    eis_prg prg = {0};
    eis_share shares[5] = {0};
    eis_vectors shape;

    (void)state;
    assert_int_equal(eis_vectors_init(&shape, EIS_RING_F61, EIS_FORM_WORDS, LONG, 1), EIS_OK);
    assert_int_equal(eis_shamir_split(&prg, shares, 5, 3, zero, &shape, EIS_SUITE_CHACHA20), EIS_OK);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(eis_share_expand(&prg, vectors, &shares[i]), EIS_OK);
        assert_true(eis_uniformity_words((uint64_t *)(void *)vectors, LONG, 61) > EIS_UNIFORMITY_P_MIN);
        eis_share_clear(&shares[i]);
    }
    eis_prg_clear(&prg);
}

static void wrong_numbers_are_refused(void **state)
{
    eis_prg prg = {0};
    eis_share shares[3] = {0};
    eis_vectors shape;
    uint64_t y[4] = {9, 9, 9, 9}, a[4] = {0};
    uint32_t cheat = 5;
    eis_shamir_answer answers[3] = {{1, a}, {2, a}, {2, a}}, zero[2] = {{0, a}, {1, a}}, far[2] = {{1, a}, {65, a}};

    (void)state;
    assert_int_equal(eis_vectors_init(&shape, EIS_RING_F61, EIS_FORM_WORDS, 4, 1), EIS_OK);
    assert_int_equal(eis_shamir_split(&prg, shares, 3, 1, x, &shape, 1), EIS_ERR_USAGE);
    assert_int_equal(eis_shamir_split(&prg, shares, 3, 0, x, &shape, 1), EIS_ERR_USAGE);
    assert_int_equal(eis_shamir_split(&prg, shares, 3, 4, x, &shape, 1), EIS_ERR_USAGE);
    assert_int_equal(eis_shamir_split(&prg, shares, 1, 1, x, &shape, 1), EIS_ERR_USAGE);
    assert_int_equal(eis_shamir_split(&prg, shares, 3, 2, x, &shape, 7), EIS_ERR_UNSUPPORTED);
    assert_int_equal(eis_shamir_recover(y, answers, 1, 4), EIS_ERR_USAGE);
    assert_int_equal(eis_shamir_recover(y, answers, 0, 4), EIS_ERR_USAGE);
    assert_int_equal(eis_shamir_recover(y, answers, 3, 4), EIS_ERR_USAGE);
    assert_int_equal(eis_shamir_recover(y, zero, 2, 4), EIS_ERR_USAGE);
    assert_int_equal(eis_shamir_recover(y, far, 2, 4), EIS_ERR_USAGE);
    assert_int_equal(eis_shamir_agree(&cheat, answers, 2, 2, 4), EIS_ERR_USAGE);
    assert_int_equal(y[0], 9);
    assert_int_equal(cheat, 0);
    for (size_t i = 0; i < 3; i++) eis_share_clear(&shares[i]);
    eis_prg_clear(&prg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_subset_of_t_agrees),
        cmocka_unit_test(a_lone_cheat_is_named_with_two_to_spare),
        cmocka_unit_test(shares_look_uniform_for_an_input_of_zeros),
        cmocka_unit_test(wrong_numbers_are_refused),
    };
    fill_input();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
