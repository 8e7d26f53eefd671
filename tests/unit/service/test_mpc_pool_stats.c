/* SPDX-License-Identifier: Apache-2.0 */
/* If this breaks, a pool that has run dry hides behind one that has not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/mpc_pool_stats.h"

#include <string.h>

/* Services are told in either order; the first two numbers are of sessions in progress and of the fewest ready. */
static void check(const eis_mpc_pool_stats *services, size_t count, uint64_t ready_min, double left_s)
{
    for (int backward = 0; backward < 2; backward++) {
        eis_mpc_pool_stats sum = {0};
        uint64_t running = 0;

        for (size_t i = 0; i < count; i++) {
            eis_mpc_pool_add(&sum, &services[backward ? count - 1 - i : i]);
            running += services[i].running;
        }
        assert_int_equal(sum.ready_min, ready_min);
        assert_true(sum.left_s == left_s);
        assert_int_equal(sum.running, running);
    }
}

static void a_dry_pool_is_the_least(void **state)
{
    const eis_mpc_pool_stats idle = {.produced = 9}, dry = {.running = 1},
                             full = {.running = 2, .ready_min = 7, .left_s = 3.5},
                             low = {.running = 1, .ready_min = 2, .left_s = 5}, fresh = {.running = 1, .ready_min = 5};
    (void)state;

    check((eis_mpc_pool_stats[]){idle, idle}, 2, 0, 0);
    check((eis_mpc_pool_stats[]){idle, full}, 2, 7, 3.5); /* nothing is computed there, so nothing can be lacking */
    check((eis_mpc_pool_stats[]){full, low}, 2, 2, 3.5);
    check((eis_mpc_pool_stats[]){full, dry}, 2, 0, 0);
    check((eis_mpc_pool_stats[]){full, dry, low}, 3, 0, 0);
    check((eis_mpc_pool_stats[]){full, fresh}, 2, 5, 3.5); /* no rate yet is not dry */
    check((eis_mpc_pool_stats[]){fresh, dry, fresh}, 3, 0, 0);
}

static void counts_travel(void **state)
{
    const eis_mpc_pool_stats sent = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1.5, 2.5};
    eis_mpc_pool_stats heard = {0};
    eis_writer w;
    eis_reader r;
    (void)state;

    eis_wire_writer_init(&w, 2 * sizeof sent);
    eis_mpc_pool_stats_write(&w, &sent);
    assert_int_equal(w.bytes, sizeof sent);
    eis_wire_reader_init(&r, "stats", w.data, w.bytes);
    eis_mpc_pool_stats_read(&r, &heard);
    assert_int_equal(eis_wire_reader_end(&r), EIS_OK);
    assert_memory_equal(&sent, &heard, sizeof sent);
    eis_wire_writer_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dry_pool_is_the_least),
        cmocka_unit_test(counts_travel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
