/* SPDX-License-Identifier: Apache-2.0 */
/* If the cursor could read past its end, every message of every peer could. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "wire/cursor.h"

static void what_is_written_is_read_back(void **state)
{
    eis_writer w;
    eis_reader r;
    eis_span span;
    char text[8];
    uint8_t three[3];

    (void)state;
    eis_wire_writer_init(&w, 1000);
    eis_wire_writer_u8(&w, 0x12);
    eis_wire_writer_u16(&w, 0x3456);
    eis_wire_writer_u32(&w, 0x789abcde);
    eis_wire_writer_u64(&w, 0x0123456789abcdefu);
    eis_wire_writer_f64(&w, -1.5);
    eis_wire_writer_string16(&w, "word", 4);
    eis_wire_writer_string32(&w, "", 0);
    eis_wire_writer_string16(&w, "t\xc3\xa9xt", 5);
    eis_wire_writer_zeros(&w, 2);
    eis_wire_writer_bytes(&w, "abc", 3);
    assert_int_equal(eis_wire_writer_status(&w), EIS_OK);
    assert_memory_equal(w.data, "\x12\x56\x34\xde\xbc\x9a\x78\xef\xcd\xab\x89\x67\x45\x23\x01", 15);
    eis_wire_reader_init(&r, "test", w.data, w.bytes);
    assert_int_equal(eis_wire_reader_u8(&r), 0x12);
    assert_int_equal(eis_wire_reader_u16(&r), 0x3456);
    assert_int_equal(eis_wire_reader_u32(&r), 0x789abcde);
    assert_true(eis_wire_reader_u64(&r) == 0x0123456789abcdefu);
    assert_true(eis_wire_reader_f64(&r) == -1.5);
    span = eis_wire_reader_string16(&r, 4);
    assert_int_equal(span.bytes, 4);
    assert_memory_equal(span.data, "word", 4);
    span = eis_wire_reader_string32(&r, 0);
    assert_int_equal(span.bytes, 0);
    assert_non_null(span.data);
    eis_wire_reader_text16(&r, text, sizeof text);
    assert_string_equal(text, "t\xc3\xa9xt");
    eis_wire_reader_skip(&r, 2);
    assert_int_equal(eis_wire_reader_remaining(&r), 3);
    eis_wire_reader_copy(&r, three, 3);
    assert_memory_equal(three, "abc", 3);
    assert_int_equal(eis_wire_reader_end(&r), EIS_OK);
    eis_wire_writer_clear(&w);
}

static void short_input_is_an_error_that_stays(void **state)
{
    static const uint8_t five[5] = {1, 2, 3, 4, 5};
    uint8_t out[4] = {9, 9, 9, 9};
    eis_reader r;

    (void)state;
    eis_wire_reader_init(&r, "five", five, sizeof five);
    assert_int_equal(eis_wire_reader_u32(&r), 0x04030201);
    assert_int_equal(eis_wire_reader_u16(&r), 0);
    assert_int_equal(eis_wire_reader_status(&r), EIS_ERR_PARSE);
    assert_string_equal(eis_error_detail(), "five: 2 bytes expected, 1 are left (at byte 4)");
    assert_int_equal(eis_wire_reader_u8(&r), 0); /* the byte that is left is not given out any more */
    assert_int_equal(eis_wire_reader_remaining(&r), 0);
    eis_wire_reader_copy(&r, out, sizeof out);
    assert_memory_equal(out, "\0\0\0\0", 4);
    assert_null(eis_wire_reader_bytes(&r, 0));
    assert_int_equal(eis_wire_reader_end(&r), EIS_ERR_PARSE);
}

static void huge_lengths_do_not_wrap(void **state)
{
    static const uint8_t claim[] = {0xff, 0xff, 0xff, 0xff, 'x'};
    eis_reader r;

    (void)state;
    eis_wire_reader_init(&r, "claim", claim, sizeof claim);
    assert_null(eis_wire_reader_bytes(&r, SIZE_MAX));
    eis_wire_reader_init(&r, "claim", claim, sizeof claim);
    assert_null(eis_wire_reader_string32(&r, SIZE_MAX).data);
    assert_int_equal(eis_wire_reader_status(&r), EIS_ERR_PARSE);
    eis_wire_reader_init(&r, "claim", claim, sizeof claim);
    assert_null(eis_wire_reader_string16(&r, 10).data);
    eis_wire_reader_init(&r, "nothing", NULL, 0);
    assert_int_equal(eis_wire_reader_end(&r), EIS_OK);
}

static void left_over_bytes_are_an_error(void **state)
{
    eis_reader r;

    (void)state;
    eis_wire_reader_init(&r, "two", "ab", 2);
    (void)eis_wire_reader_u8(&r);
    assert_int_equal(eis_wire_reader_end(&r), EIS_ERR_PARSE);
}

static void texts_are_clean_and_fit(void **state)
{
    static const struct {
        const char *bytes;
        size_t length;
    } bad[] = {
        {"\x03\0a\x1b[", 5},       {"\x01\0\0", 3},   {"\x02\0\xc3(", 4},
        {"\x03\0\xed\xa0\x80", 5}, {"\x04\0abcd", 6}, {"\x05\0ab", 4},
    };
    char out[4];
    eis_reader r;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        eis_wire_reader_init(&r, "text", bad[i].bytes, bad[i].length);
        eis_wire_reader_text16(&r, out, sizeof out);
        assert_int_equal(eis_wire_reader_status(&r), EIS_ERR_PARSE);
        assert_string_equal(out, "");
    }
}

static void a_writer_keeps_its_limit_and_its_error(void **state)
{
    uint8_t *data = NULL;
    size_t bytes = 7;
    eis_writer w;

    (void)state;
    eis_wire_writer_init(&w, 4);
    eis_wire_writer_u32(&w, 1);
    eis_wire_writer_u8(&w, 1);
    eis_wire_writer_bytes(&w, "x", 1);
    assert_int_equal(eis_wire_writer_take(&w, &data, &bytes), EIS_ERR_TOO_LARGE);
    assert_null(data);
    assert_int_equal(w.bytes, 4);
    eis_wire_writer_rewind(&w);
    assert_int_equal(eis_wire_writer_status(&w), EIS_OK);
    assert_int_equal(eis_wire_writer_take(&w, &data, &bytes), EIS_OK);
    assert_int_equal(bytes, 0);
    assert_non_null(data);
    eis_mem_free_wiped(data, bytes, 1);
    eis_wire_writer_clear(&w);
    eis_wire_writer_init(&w, SIZE_MAX);
    eis_wire_writer_u8(&w, 1);
    assert_null(eis_wire_writer_reserve(&w, SIZE_MAX));
    assert_int_equal(eis_wire_writer_status(&w), EIS_ERR_TOO_LARGE);
    eis_wire_writer_clear(&w);
    eis_wire_writer_string16(&w, "", 65536);
    assert_int_equal(eis_wire_writer_status(&w), EIS_ERR_TOO_LARGE);
    eis_wire_writer_clear(&w);
}

static void a_writer_grows_and_survives_short_memory(void **state)
{
    eis_writer w;

    (void)state;
    eis_wire_writer_init(&w, 1 << 20);
    for (uint32_t i = 0; i < 10000; i++) eis_wire_writer_u32(&w, i);
    assert_int_equal(w.bytes, 40000);
    for (uint32_t i = 0; i < 10000; i++) assert_int_equal(eis_load_le32(w.data + 4 * i), i);
    (void)eis_mem_fail_at(1);
    eis_wire_writer_zeros(&w, 100000);
    (void)eis_mem_fail_at(0);
    assert_int_equal(eis_wire_writer_status(&w), EIS_ERR_MEMORY);
    assert_int_equal(w.bytes, 40000);
    eis_wire_writer_clear(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(short_input_is_an_error_that_stays),
        cmocka_unit_test(huge_lengths_do_not_wrap),
        cmocka_unit_test(left_over_bytes_are_an_error),
        cmocka_unit_test(texts_are_clean_and_fit),
        cmocka_unit_test(a_writer_keeps_its_limit_and_its_error),
        cmocka_unit_test(a_writer_grows_and_survives_short_memory),
    };
    return cmocka_run_group_tests_name("wire/cursor", tests, NULL, NULL);
}
