/* SPDX-License-Identifier: Apache-2.0 */
/* The last party alone tells the Triple Service which graph comes next. Could two graphs of one step draw the same
 * words, the corrections of one would show it shares of the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/mpc/digest.h"
#include "engine/mpc/lm.h"
#include "engine/mpc/stream.h"
#include "support/mpc_stories.h"

#include <string.h>

#define WORDS 4096

typedef struct kind {
    const char *name;
    uint32_t position, secret;
    bool head;
    eis_mpc_sampling sampling; /* top_k 0: greedy */
} kind;

static const kind kinds[] = {
    {"the last token of a prompt", 3, 1, true, {0}},
    {"a token within a prompt", 3, 1, false, {0}},
    {"two tokens", 3, 2, true, {0}},
    {"three tokens", 3, 3, true, {0}},
    {"a token that was told", 3, 0, true, {0}},
    {"the place behind it", 4, 0, true, {0}},
    {"drawn among 3", 3, 1, true, {.top_k = 3, .temperature = 1}},
    {"drawn among 5", 3, 1, true, {.top_k = 5, .temperature = 1}},
};

#define KINDS (sizeof kinds / sizeof kinds[0])

static void digest_of(uint8_t *digest, const eis_mpc_lm *lm, const kind *k, uint32_t row)
{
    eis_mpc_lm_step step = {0};
    eis_status st = k->sampling.top_k > 0 ? eis_mpc_lm_step_draw(&step, lm, k->position, k->secret, &k->sampling)
                                          : eis_mpc_lm_step_init(&step, lm, k->position, k->secret, k->head);

    assert_int_equal(st, EIS_OK);
    if (k->secret == 0) step.graph.nodes[step.token].row = row;
    assert_int_equal(eis_mpc_graph_digest(digest, &step.graph), EIS_OK);
    eis_mpc_lm_step_clear(&step);
}

static void draw(uint64_t words[WORDS], const uint8_t *digest)
{
    static const uint8_t seed[EIS_MPC_SEED_BYTES] = {1, 2, 3};
    eis_mpc_stream stream = {0};

    assert_int_equal(eis_mpc_stream_start_graph(&stream, seed, EIS_MPC_PURPOSE_STEP, 7, digest), EIS_OK);
    assert_int_equal(eis_mpc_stream_words(&stream, words, WORDS), EIS_OK);
    eis_mpc_stream_clear(&stream);
}

static void two_graphs_have_no_word_in_common(void **state)
{
    static uint64_t words[KINDS][WORDS];
    uint8_t digests[KINDS][EIS_MPC_DIGEST_BYTES];
    eis_mpc_lm lm;

    (void)state;
    assert_int_equal(eis_mpc_lm_init(&lm, model, &tuning), EIS_OK);
    for (size_t i = 0; i < KINDS; i++) {
        digest_of(digests[i], &lm, &kinds[i], 0);
        draw(words[i], digests[i]);
    }
    for (size_t i = 0; i < KINDS; i++)
        for (size_t j = 0; j < i; j++) {
            if (memcmp(digests[i], digests[j], sizeof digests[i]) == 0)
                fail_msg("%s is taken for %s", kinds[i].name, kinds[j].name);
            for (size_t w = 0; w < WORDS; w++) assert_int_not_equal(words[i][w], words[j][w]);
        }
    eis_mpc_lm_clear(&lm);
}

/* The Triple Service does not know which token was told, and must deal the same. */
static void a_token_moves_no_word(void **state)
{
    uint8_t one[EIS_MPC_DIGEST_BYTES], other[EIS_MPC_DIGEST_BYTES];
    eis_mpc_lm lm;

    (void)state;
    assert_int_equal(eis_mpc_lm_init(&lm, model, &tuning), EIS_OK);
    digest_of(one, &lm, &kinds[4], 5);
    digest_of(other, &lm, &kinds[4], 6);
    assert_memory_equal(one, other, sizeof one);
    eis_mpc_lm_clear(&lm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_graphs_have_no_word_in_common),
                                       cmocka_unit_test(a_token_moves_no_word)};

    return cmocka_run_group_tests(tests, open_model, close_model);
}
