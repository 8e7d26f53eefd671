/* SPDX-License-Identifier: Apache-2.0 */
/* Without the gate a burst of requests would take all memory and all processors at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/split_gate.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#define INSIDE  2
#define WAITING 3
#define THREADS 12
#define ROUNDS  200

static eis_split_gate *gate;
static atomic_int inside, most, refused, served;

static void nap(void)
{
    static const struct timespec pause = {.tv_nsec = 100000};

    nanosleep(&pause, NULL);
}

static void *work(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        int now, seen;
        if (eis_split_gate_enter(gate) == EIS_ERR_BUSY) {
            atomic_fetch_add(&refused, 1);
            nap();
            continue;
        }
        now = atomic_fetch_add(&inside, 1) + 1;
        for (seen = atomic_load(&most); now > seen && !atomic_compare_exchange_weak(&most, &seen, now);) {}
        nap();
        atomic_fetch_sub(&inside, 1);
        atomic_fetch_add(&served, 1);
        eis_split_gate_leave(gate);
    }
    return NULL;
}

/* No more than the limit are inside at any time; who finds the queue full is told so and nobody is lost. */
static void a_crowd(void **state)
{
    pthread_t threads[THREADS];
    unsigned now, waiting;

    (void)state;
    assert_int_equal(eis_split_gate_new(&gate, INSIDE, WAITING), EIS_OK);
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, work, NULL), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&most), INSIDE);
    assert_int_equal(atomic_load(&served) + atomic_load(&refused), THREADS * ROUNDS);
    assert_true(atomic_load(&refused) > 0);
    eis_split_gate_counts(&now, &waiting, gate);
    assert_int_equal(now, 0);
    assert_int_equal(waiting, 0);
    eis_split_gate_free(gate);
}

static void no_queue(void **state)
{
    eis_split_gate *small;

    (void)state;
    assert_int_equal(eis_split_gate_new(&small, 1, 0), EIS_OK);
    assert_int_equal(eis_split_gate_enter(small), EIS_OK);
    assert_int_equal(eis_split_gate_enter(small), EIS_ERR_BUSY);
    eis_split_gate_leave(small);
    assert_int_equal(eis_split_gate_enter(small), EIS_OK);
    eis_split_gate_leave(small);
    eis_split_gate_free(small);
    eis_split_gate_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_crowd), cmocka_unit_test(no_queue)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
