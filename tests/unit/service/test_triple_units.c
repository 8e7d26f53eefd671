/* SPDX-License-Identifier: Apache-2.0 */
/* Two units under one line of the records, or under one stream, would be one text's mask used for another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/triple_units.h"

static void no_step_shares_a_line_with_another(void **state)
{
    static const uint64_t secrets[] = {1, 2, (1 << 24) - 1, 1 << 24, (1 << 24) + 1, EIS_MPC_STEP_MAX};
    const size_t count = sizeof secrets / sizeof secrets[0];
    (void)state;

    for (size_t i = 0; i < count; i++) {
        uint64_t kind = eis_mpc_unit_record_kind(EIS_MPC_UNIT_NEXT, secrets[i]);

        assert_true(kind <= INT64_MAX && (kind & 0xff) == EIS_MPC_UNIT_NEXT);
        for (size_t j = 0; j < i; j++) assert_true(kind != eis_mpc_unit_record_kind(EIS_MPC_UNIT_NEXT, secrets[j]));
        assert_true(eis_mpc_unit_record_kind(EIS_MPC_UNIT_LAST, secrets[i]) == EIS_MPC_UNIT_LAST);
    }
}

/* What stands behind the last number that a stream can have is not given. */
static void steps_end(void **state)
{
    eis_triple_dealt d = {.next_step = (uint64_t)EIS_MPC_STEP_MAX + 1, .session = {.context = 4}};
    const eis_triple_request request = {.kind = EIS_MPC_UNIT_LAST, .step = d.next_step, .count = 1, .sampling = {1, 0}};
    eis_mpc_corrections c = {0};
    (void)state;

    assert_int_equal(pthread_mutex_init(&d.lock, NULL), 0);
    assert_int_equal(eis_triple_units_take(&c, &d, &request), EIS_ERR_LIMIT);
    assert_null(c.words);
    pthread_mutex_destroy(&d.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_step_shares_a_line_with_another),
        cmocka_unit_test(steps_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
