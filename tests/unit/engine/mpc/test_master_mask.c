/* SPDX-License-Identifier: Apache-2.0 */
/* With all masks from one number, two, three and four parties open the same words, bit for bit, and tell the same text:
 * what is computed does not hang on how many compute it. With masks that are drawn, no two runs open the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/mpc_lm.h"
#include "support/mpc_stories.h"

#define STEPS 5

/* What was told, and a digest of everything that was opened. */
typedef struct outcome {
    uint32_t tokens[STEPS];
    uint8_t opened[EIS_MPC_DIGEST_BYTES];
} outcome;

static void run(outcome *o, uint32_t parties, uint32_t master)
{
    static mpc_lm m;
    uint32_t token = 77;

    mpc_lm_open_master(&m, model, &tuning, parties, master);
    m.look = true;
    for (uint32_t p = 0; p < parties; p++) assert_int_equal(eis_mpc_digest_start(&m.digest[p], "opened"), EIS_OK);
    for (uint32_t i = 0; i < STEPS; i++) {
        assert_int_equal(mpc_lm_feed(&m, &token, token, i == 0), EIS_OK);
        o->tokens[i] = token;
    }
    for (uint32_t p = 0; p < parties; p++) {
        uint8_t digest[EIS_MPC_DIGEST_BYTES];
        assert_int_equal(eis_mpc_digest_end(&m.digest[p], digest), EIS_OK);
        if (p == 0) memcpy(o->opened, digest, sizeof digest);
        assert_memory_equal(digest, o->opened, sizeof digest); /* all parties see the same */
        eis_mpc_digest_clear(&m.digest[p]);
    }
    mpc_lm_close(&m);
}

static void test_any_number_of_parties(void **state)
{
    outcome first, other;
    (void)state;

    run(&first, 2, 7);
    for (uint32_t parties = 2; parties <= 4; parties++) {
        run(&other, parties, 7);
        assert_memory_equal(&first, &other, sizeof first);
    }
    run(&other, 2, 8);
    assert_true(memcmp(first.opened, other.opened, sizeof first.opened) != 0);
}

static void test_masks_are_drawn(void **state)
{
    outcome first, other;
    (void)state;

    run(&first, 2, 0);
    run(&other, 2, 0);
    assert_true(memcmp(first.opened, other.opened, sizeof first.opened) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_number_of_parties),
        cmocka_unit_test(test_masks_are_drawn),
    };

    return cmocka_run_group_tests(tests, open_model, close_model);
}
