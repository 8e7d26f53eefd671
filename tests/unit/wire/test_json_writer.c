/* SPDX-License-Identifier: Apache-2.0 */
/* If the writer let a quote or a newline through, a model's text could forge members in a line of output. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "wire/json.h"
#include "wire/json_writer.h"

static void nesting_and_commas(void **state)
{
    static const char expected[] = "{\"a\":1,\"b\":[true,null,[],{}],\"c\":{\"d\":\"x\"},\"e\":-2}\n[1]\n";
    eis_json_writer w;
    eis_writer out;

    (void)state;
    eis_wire_writer_init(&out, 1000);
    eis_json_writer_to_buffer(&w, &out);
    eis_json_writer_begin_object(&w);
    eis_json_writer_key(&w, "a");
    eis_json_writer_u64(&w, 1);
    eis_json_writer_key(&w, "b");
    eis_json_writer_begin_array(&w);
    eis_json_writer_bool(&w, true);
    eis_json_writer_null(&w);
    eis_json_writer_begin_array(&w);
    eis_json_writer_end_array(&w);
    eis_json_writer_begin_object(&w);
    eis_json_writer_end_object(&w);
    eis_json_writer_end_array(&w);
    eis_json_writer_key(&w, "c");
    eis_json_writer_begin_object(&w);
    eis_json_writer_key(&w, "d");
    eis_json_writer_text(&w, "x");
    eis_json_writer_end_object(&w);
    eis_json_writer_key(&w, "e");
    eis_json_writer_i64(&w, -2);
    eis_json_writer_end_object(&w);
    eis_json_writer_newline(&w);
    eis_json_writer_begin_array(&w);
    eis_json_writer_u64(&w, 1);
    eis_json_writer_end_array(&w);
    eis_json_writer_newline(&w);
    assert_int_equal(eis_json_writer_status(&w), EIS_OK);
    assert_int_equal(out.bytes, strlen(expected));
    assert_memory_equal(out.data, expected, out.bytes);
    eis_wire_writer_clear(&out);
}

static void every_string_is_read_back(void **state)
{
    uint8_t all[128 + 9];
    eis_json_doc *doc = NULL;
    eis_json_writer w;
    eis_writer out;
    eis_span back;

    (void)state;
    for (int i = 0; i < 128; i++) all[i] = (uint8_t)i;
    memcpy(all + 128, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9);
    eis_wire_writer_init(&out, 2000);
    eis_json_writer_to_buffer(&w, &out);
    eis_json_writer_string(&w, all, sizeof all);
    for (size_t i = 0; i < out.bytes; i++) assert_true(out.data[i] >= 0x20 && out.data[i] != 0x7f);
    assert_int_equal(eis_json_parse(&doc, "back", out.data, out.bytes, 2000), EIS_OK);
    assert_true(eis_json_string(&back, eis_json_root(doc)));
    assert_int_equal(back.bytes, sizeof all);
    assert_memory_equal(back.data, all, sizeof all);
    eis_json_free(doc);
    eis_wire_writer_clear(&out);
}

static void foreign_bytes_become_the_replacement_character(void **state)
{
    static const char expected[] = "\"a\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"";
    eis_json_writer w;
    eis_writer out;

    (void)state;
    eis_wire_writer_init(&out, 1000);
    eis_json_writer_to_buffer(&w, &out);
    eis_json_writer_string(&w, "a\xc3(\xed\xa0\x80\xf0", 7);
    assert_int_equal(out.bytes, sizeof expected - 1);
    assert_memory_equal(out.data, expected, out.bytes);
    eis_wire_writer_clear(&out);
}

static void numbers_read_back_as_they_were(void **state)
{
    static const double corner[] = {0, -0.0, 0.1, 1.0 / 3, DBL_MAX, DBL_MIN, 5e-324, -1e100, 123456789};
    eis_json_writer w;
    eis_writer out;

    (void)state;
    eis_wire_writer_init(&out, 1000);
    for (size_t i = 0; i < sizeof corner / sizeof corner[0]; i++) {
        eis_json_doc *doc = NULL;
        double back;

        eis_wire_writer_rewind(&out);
        eis_json_writer_to_buffer(&w, &out);
        eis_json_writer_f64(&w, corner[i]);
        assert_int_equal(eis_json_parse(&doc, "back", out.data, out.bytes, 100), EIS_OK);
        assert_true(eis_json_double(&back, eis_json_root(doc)));
        assert_memory_equal(&back, &corner[i], sizeof back);
        eis_json_free(doc);
    }
    eis_wire_writer_rewind(&out);
    eis_json_writer_to_buffer(&w, &out);
    eis_json_writer_f32(&w, 0.1f);
    assert_int_equal(out.bytes, 11);
    assert_memory_equal(out.data, "0.100000001", 11);
    eis_json_writer_to_buffer(&w, &out);
    eis_json_writer_f64(&w, NAN);
    assert_int_equal(eis_json_writer_status(&w), EIS_ERR_RANGE);
    eis_json_writer_to_buffer(&w, &out);
    eis_json_writer_f32(&w, INFINITY);
    assert_int_equal(eis_json_writer_status(&w), EIS_ERR_RANGE);
    eis_wire_writer_clear(&out);
}

static void a_sink_that_fails_is_noticed(void **state)
{
    FILE *full = fopen("/dev/full", "w");
    eis_json_writer w;
    eis_writer out;

    (void)state;
    eis_wire_writer_init(&out, 3);
    eis_json_writer_to_buffer(&w, &out);
    eis_json_writer_text(&w, "longer");
    assert_int_equal(eis_json_writer_status(&w), EIS_ERR_TOO_LARGE);
    eis_wire_writer_clear(&out);
    if (full == NULL) skip();
    setvbuf(full, NULL, _IONBF, 0);
    eis_json_writer_to_file(&w, full);
    eis_json_writer_text(&w, "x");
    assert_int_equal(eis_json_writer_status(&w), EIS_ERR_FILE);
    fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nesting_and_commas),
        cmocka_unit_test(every_string_is_read_back),
        cmocka_unit_test(foreign_bytes_become_the_replacement_character),
        cmocka_unit_test(numbers_read_back_as_they_were),
        cmocka_unit_test(a_sink_that_fails_is_noticed),
    };
    return cmocka_run_group_tests_name("wire/json_writer", tests, NULL, NULL);
}
