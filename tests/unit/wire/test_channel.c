/* SPDX-License-Identifier: Apache-2.0 */
/* If the pair counted rounds or bytes wrongly, the costs that headers promise could not be tested. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "wire/channel.h"

static void bytes_and_rounds_are_counted(void **state)
{
    eis_span parts[3] = {{(const uint8_t *)"ab", 2}, {NULL, 0}, {(const uint8_t *)"cde", 3}};
    eis_channel a, b;
    char out[8] = {0};

    (void)state;
    assert_int_equal(eis_channel_pair(&a, &b, 1000), EIS_OK);
    assert_int_equal(eis_channel_send_parts(&a, parts, 3), EIS_OK);
    assert_int_equal(eis_channel_send(&a, "fg", 2), EIS_OK);
    assert_int_equal(eis_channel_receive(&b, out, 4), EIS_OK);
    assert_int_equal(eis_channel_receive(&b, out + 4, 3), EIS_OK);
    assert_string_equal(out, "abcdefg");
    assert_int_equal(a.bytes_sent, 7);
    assert_int_equal(b.bytes_received, 7);
    assert_int_equal(b.round_count, 0);
    assert_int_equal(eis_channel_send(&b, "x", 1), EIS_OK);
    assert_int_equal(eis_channel_receive(&a, out, 1), EIS_OK);
    assert_int_equal(a.round_count, 1);
    eis_channel_clear(&a);
    eis_channel_clear(&b);
}

static void the_chosen_send_fails_and_the_channel_is_dead(void **state)
{
    eis_channel a, b;
    char out[2] = {'x', 'x'};

    (void)state;
    assert_int_equal(eis_channel_pair(&a, &b, 10), EIS_OK);
    assert_int_equal(eis_channel_send(&a, "1", 1), EIS_OK);
    eis_channel_fail_send_at(&a, 2);
    assert_int_equal(eis_channel_send(&a, "2", 1), EIS_OK);
    assert_int_equal(eis_channel_send(&a, "3", 1), EIS_ERR_IO);
    assert_int_equal(eis_channel_send(&a, "4", 1), EIS_ERR_IO);
    assert_int_equal(eis_channel_receive(&b, out, 2), EIS_OK);
    assert_memory_equal(out, "12", 2);
    assert_int_equal(eis_channel_receive(&b, out, 2), EIS_ERR_TIMEOUT);
    assert_memory_equal(out, "\0\0", 2);
    eis_channel_clear(&a);
    eis_channel_clear(&b);
}

static void a_closed_end_is_noticed(void **state)
{
    eis_channel a, b;
    char out[4];

    (void)state;
    assert_int_equal(eis_channel_pair(&a, &b, 1000), EIS_OK);
    assert_int_equal(eis_channel_send(&a, "end", 3), EIS_OK);
    eis_channel_clear(&a);
    assert_int_equal(eis_channel_receive(&b, out, 3), EIS_OK); /* what was sent before still arrives */
    assert_int_equal(eis_channel_receive(&b, out, 1), EIS_ERR_CLOSED);
    eis_channel_clear(&b);
    assert_int_equal(eis_channel_pair(&a, &b, 1000), EIS_OK);
    eis_channel_clear(&b);
    assert_int_equal(eis_channel_send(&a, "x", 1), EIS_ERR_CLOSED);
    eis_channel_clear(&a);
    eis_channel_clear(&a);
}

/* Sends back every number plus one. */
static void *answer(void *arg)
{
    eis_channel *ch = arg;
    uint8_t word[4];

    while (eis_channel_receive(ch, word, sizeof word) == EIS_OK) {
        eis_store_le32(word, eis_load_le32(word) + 1);
        if (eis_channel_send(ch, word, sizeof word) != EIS_OK) break;
    }
    return NULL;
}

static void two_threads_talk(void **state)
{
    eis_channel a, b;
    uint8_t word[4] = {0};
    pthread_t thread;

    (void)state;
    assert_int_equal(eis_channel_pair(&a, &b, 10000), EIS_OK);
    assert_int_equal(pthread_create(&thread, NULL, answer, &b), 0);
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(eis_channel_send(&a, word, sizeof word), EIS_OK);
        assert_int_equal(eis_channel_receive(&a, word, sizeof word), EIS_OK);
    }
    assert_int_equal(eis_load_le32(word), 2000);
    assert_int_equal(a.round_count, 2000);
    eis_channel_clear(&a);
    pthread_join(thread, NULL);
    eis_channel_clear(&b);
}

static void short_memory_leaves_nothing_behind(void **state)
{
    eis_channel a = {0}, b = {0};

    (void)state;
    for (unsigned long n = 1; n <= 3; n++) {
        (void)eis_mem_fail_at(n);
        assert_int_equal(eis_channel_pair(&a, &b, 10), EIS_ERR_MEMORY);
        (void)eis_mem_fail_at(0);
        assert_null(a.ops);
    }
    assert_int_equal(eis_channel_pair(&a, &b, 10), EIS_OK);
    (void)eis_mem_fail_at(1);
    assert_int_equal(eis_channel_send(&a, "x", 1), EIS_ERR_MEMORY);
    (void)eis_mem_fail_at(0);
    eis_channel_clear(&a);
    eis_channel_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_and_rounds_are_counted),
        cmocka_unit_test(the_chosen_send_fails_and_the_channel_is_dead),
        cmocka_unit_test(a_closed_end_is_noticed),
        cmocka_unit_test(two_threads_talk),
        cmocka_unit_test(short_memory_leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("wire/channel", tests, NULL, NULL);
}
