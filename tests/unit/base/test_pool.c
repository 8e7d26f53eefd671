/* SPDX-License-Identifier: Apache-2.0 */
/* If the pool lost or repeated a chunk, a server would answer with rows of zeros or sums counted twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/pool.h"

#include <pthread.h>
#include <stdatomic.h>

static void count_each(void *arg, size_t first, size_t last)
{
    _Atomic unsigned *seen = arg;

    for (size_t i = first; i < last; i++) atomic_fetch_add(&seen[i], 1);
}

static void check_once(eis_pool *pool, size_t count, size_t grain)
{
    _Atomic unsigned *seen = eis_mem_new(count, sizeof *seen);

    assert_non_null(seen);
    eis_pool_run(pool, count, grain, count_each, seen);
    for (size_t i = 0; i < count; i++) assert_int_equal(atomic_load(&seen[i]), 1);
    eis_mem_free(seen);
}

static void every_index_is_done_exactly_once(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 5; threads++) {
        eis_pool *pool;
        assert_int_equal(eis_pool_new(&pool, threads), EIS_OK);
        assert_int_equal(eis_pool_threads(pool), threads);
        for (size_t count = 0; count < 40; count++) check_once(pool, count, 1 + count % 7);
        for (int round = 0; round < 2000; round++) check_once(pool, 64, 3);
        eis_pool_free(pool);
    }
}

static void *run_many(void *pool)
{
    for (int round = 0; round < 500; round++) check_once(pool, 50, 4);
    return NULL;
}

static void callers_take_turns(void **state)
{
    eis_pool *pool;
    pthread_t callers[4];

    (void)state;
    assert_int_equal(eis_pool_new(&pool, 3), EIS_OK);
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&callers[i], NULL, run_many, pool), 0);
    for (int i = 0; i < 4; i++) pthread_join(callers[i], NULL);
    eis_pool_free(pool);
}

static void no_pool_runs_on_the_caller(void **state)
{
    (void)state;
    check_once(NULL, 10, 3);
    assert_int_equal(eis_pool_threads(NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_index_is_done_exactly_once),
        cmocka_unit_test(callers_take_turns),
        cmocka_unit_test(no_pool_runs_on_the_caller),
    };
    return cmocka_run_group_tests_name("base/pool", tests, NULL, NULL);
}
