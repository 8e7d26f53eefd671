/* SPDX-License-Identifier: Apache-2.0 */
/* If two programs read one JSON text differently (a member twice, a number rounded, a lone surrogate), a hostile file
 * means one thing to the checker and another to the user. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "wire/json.h"

static eis_status parse(eis_json_doc **doc, const char *text)
{
    return eis_json_parse(doc, "test", text, strlen(text), 1 << 20);
}

static eis_json_value member(const eis_json_doc *doc, const char *name)
{
    eis_json_value v = {0};

    assert_true(eis_json_find(&v, eis_json_root(doc), name));
    return v;
}

static void values_come_out_as_written(void **state)
{
    eis_json_doc *doc = NULL;
    eis_span s;
    uint64_t u;
    int64_t i;
    double d;
    bool b;

    (void)state;
    assert_int_equal(parse(&doc,
                           " {\"max\":18446744073709551615, \"min\":-9223372036854775808, \"half\":0.5, \"e\":1e3,"
                           "\"yes\":true, \"no\":false, \"nil\":null, \"s\":\"a\\u00e9\\ud83d\\ude00\\n\\u0000z\","
                           "\"list\":[1,[2,3],{}], \"\":7 } "),
                     EIS_OK);
    assert_int_equal(eis_json_type_of(eis_json_root(doc)), EIS_JSON_OBJECT);
    assert_int_equal(eis_json_length(eis_json_root(doc)), 10);
    assert_true(eis_json_u64(&u, member(doc, "max")) && u == UINT64_MAX);
    assert_false(eis_json_i64(&i, member(doc, "max")));
    assert_true(eis_json_double(&d, member(doc, "max")) && d == 18446744073709551616.0);
    assert_true(eis_json_i64(&i, member(doc, "min")) && i == INT64_MIN);
    assert_false(eis_json_u64(&u, member(doc, "min")));
    assert_int_equal(eis_json_type_of(member(doc, "half")), EIS_JSON_DOUBLE);
    assert_int_equal(eis_json_type_of(member(doc, "e")), EIS_JSON_DOUBLE);
    assert_false(eis_json_u64(&u, member(doc, "e")));
    assert_true(eis_json_double(&d, member(doc, "half")) && d == 0.5);
    assert_true(eis_json_bool(&b, member(doc, "yes")) && b);
    assert_true(eis_json_bool(&b, member(doc, "no")) && !b);
    assert_false(eis_json_bool(&b, member(doc, "nil")));
    assert_int_equal(eis_json_type_of(member(doc, "nil")), EIS_JSON_NULL);
    assert_true(eis_json_string(&s, member(doc, "s")));
    assert_int_equal(s.bytes, 10);
    assert_memory_equal(s.data, "a\xc3\xa9\xf0\x9f\x98\x80\n\0z", 10);
    assert_int_equal(eis_json_length(member(doc, "list")), 3);
    assert_true(eis_json_u64(&u, member(doc, "")) && u == 7);
    assert_false(eis_json_find(&(eis_json_value){0}, eis_json_root(doc), "absent"));
    assert_false(eis_json_find(&(eis_json_value){0}, member(doc, "list"), "0"));
    eis_json_free(doc);
}

static void walks_see_everything_in_order(void **state)
{
    eis_json_doc *doc = NULL;
    eis_json_value v;
    eis_json_iter it;
    eis_span name;
    char seen[64] = "";

    (void)state;
    assert_int_equal(parse(&doc, "{\"a\":[10,[],\"x\",2.5],\"b\":{},\"c\":-1}"), EIS_OK);
    it = eis_json_iterate(eis_json_root(doc));
    while (eis_json_next_member(&it, &name, &v)) {
        strncat(seen, (const char *)name.data, name.bytes);
        strncat(seen, eis_json_type_name(eis_json_type_of(v)) + 3, 1);
    }
    assert_string_equal(seen, "aaboci"); /* "an array", "an object", "an integer" */
    it = eis_json_iterate(member(doc, "a"));
    for (int i = 0; i < 4; i++) assert_true(eis_json_next_element(&it, &v));
    assert_false(eis_json_next_element(&it, &v));
    it = eis_json_iterate(member(doc, "c"));
    assert_false(eis_json_next_element(&it, &v));
    assert_false(eis_json_next_member(&it, &name, &v));
    eis_json_free(doc);
}

static void malformed_texts_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "}",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "[1 2]",
        "01",
        "+1",
        "1.",
        ".5",
        "1e",
        "0x10",
        "NaN",
        "Infinity",
        "-",
        "--1",
        "1e999",
        "-1e999",
        "18446744073709551616",
        "-9223372036854775809",
        "\"\\x41\"",
        "\"\\u12g4\"",
        "\"\t\"",
        "\"abc",
        "nul",
        "tru",
        "true false",
        "[] []",
        "// x\n1",
        "/* x */ 1",
        "\xef\xbb\xbf{}",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xc3\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\\ud800x\"",
        "\"\\udfff\\ud800\"",
        "\"\\ud83d\\ud83d\\ude00\"",
        "[1}",
        "{\"a\":[}",
        "{\"a\"}",
        "{1:2}",
        "{\"a\":1 \"b\":2}",
        "[,1]",
        "\"a\"b",
        "1,2",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        eis_json_doc *doc = NULL;

        eis_error_clear();
        if (parse(&doc, bad[i]) != EIS_ERR_PARSE) fail_msg("taken: %s", bad[i]);
        assert_null(doc);
        assert_int_equal(strncmp(eis_error_detail(), "test: ", 6), 0);
    }
}

static void good_corner_cases_are_taken(void **state)
{
    static const char *const good[] = {
        "0",
        "-0",
        "1e308",
        "-1.5e-400",
        "\"\"",
        "null",
        "[]",
        "{}",
        "[[]]",
        "\"\\\\\\\"\\/\"",
        "\"\\\\ud800\"",
        "\"\\ud800\\udc00\"",
        "\"\\uDBFF\\uDFFF\\uffff\"",
        "\"\x7f\"",
        "{\"\":{\"\":{}}}",
        "[0.1,1E+2,2e-2]",
        "{\"a\":1,\"A\":2}",
        "\n\r\t true \n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        eis_json_doc *doc = NULL;

        if (parse(&doc, good[i]) != EIS_OK) fail_msg("refused: %s (%s)", good[i], eis_error_detail());
        eis_json_free(doc);
    }
    eis_json_free(NULL);
}

static void a_zero_byte_is_no_end(void **state)
{
    eis_json_doc *doc = NULL;

    (void)state;
    assert_int_equal(eis_json_parse(&doc, "test", "1\0", 2, 100), EIS_ERR_PARSE);
    assert_int_equal(eis_json_parse(&doc, "test", "\"\0\"", 3, 100), EIS_ERR_PARSE);
    assert_int_equal(eis_json_parse(&doc, "test", NULL, 0, 100), EIS_ERR_PARSE);
}

static void depth_and_size_are_limited(void **state)
{
    char text[2 * EIS_JSON_DEPTH_MAX + 32];
    eis_json_doc *doc = NULL;

    (void)state;
    for (size_t depth = EIS_JSON_DEPTH_MAX - 2; depth < EIS_JSON_DEPTH_MAX + 3; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        if (eis_json_parse(&doc, "deep", text, 2 * depth, 1000) == EIS_OK) {
            assert_true(depth < EIS_JSON_DEPTH_MAX + 1);
            eis_json_free(doc);
            doc = NULL;
        } else {
            assert_true(depth >= EIS_JSON_DEPTH_MAX);
        }
    }
    assert_int_equal(eis_json_parse(&doc, "long", "[1,2,3]", 7, 6), EIS_ERR_TOO_LARGE);
    assert_null(doc);
}

static void a_member_that_occurs_twice_is_refused_by_name(void **state)
{
    eis_json_doc *doc = NULL;

    (void)state;
    assert_int_equal(parse(&doc, "{\"a\":1,\"b\":2,\"a\":1}"), EIS_ERR_PARSE);
    assert_string_equal(eis_error_detail(), "test: member \"a\" occurs twice");
    assert_int_equal(parse(&doc, "{\"x\":[0,{\"y\":{\"k\":1,\"\\u006b\":2}}]}"), EIS_ERR_PARSE);
    assert_string_equal(eis_error_detail(), "test: member \"k\" occurs twice in x[1].y");
    assert_int_equal(parse(&doc, "{\"\\u001b[2J\":1,\"\\u001b[2J\":1}"), EIS_ERR_PARSE);
    assert_string_equal(eis_error_detail(), "test: member \"?[2J\" occurs twice");
    assert_null(doc);
}

static void large_objects_are_fine_and_searched_for_twins(void **state)
{
    enum { COUNT = 60000 };
    size_t bytes_max = (size_t)COUNT * 24, bytes;
    char *text = eis_mem_new(bytes_max, 1);
    eis_json_doc *doc = NULL;

    (void)state;
    for (int twin = 0; twin < 2; twin++) {
        bytes = (size_t)snprintf(text, bytes_max, "{\"w0\":0");
        for (int i = 1; i < COUNT; i++) bytes += (size_t)snprintf(text + bytes, bytes_max - bytes, ",\"w%d\":%d", i, i);
        if (twin) bytes += (size_t)snprintf(text + bytes, bytes_max - bytes, ",\"w777\":1");
        bytes += (size_t)snprintf(text + bytes, bytes_max - bytes, "}");
        assert_int_equal(eis_json_parse(&doc, "vocab", text, bytes, bytes_max), twin ? EIS_ERR_PARSE : EIS_OK);
        if (!twin) assert_int_equal(eis_json_length(eis_json_root(doc)), COUNT);
        eis_json_free(doc);
        doc = NULL;
    }
    eis_mem_free(text);
}

static void short_memory_is_an_error(void **state)
{
    eis_json_doc *doc = NULL;
    unsigned long n = 0;
    eis_status st;

    (void)state;
    do {
        (void)eis_mem_fail_at(++n);
        st = parse(&doc, "{\"a\":[1,2,{\"b\":3}]}");
        (void)eis_mem_fail_at(0);
        if (st != EIS_OK) {
            assert_int_equal(st, EIS_ERR_MEMORY);
            assert_null(doc);
        }
    } while (st != EIS_OK);
    assert_true(n > 2);
    eis_json_free(doc);
}

static void the_binder_names_what_it_refuses(void **state)
{
    static const char *const names[] = {"n", "i", "x", "flag", "name", "kernel", "more", NULL};
    eis_json_doc *doc = NULL;
    eis_json_value root, v;
    uint64_t u = 5, pair[2] = {8, 9};
    int64_t i = 6;
    double x = 0.25;
    bool flag = false;
    char name[5] = "keep";

    (void)state;
    assert_int_equal(parse(&doc, "{\"n\":3,\"i\":-4,\"x\":2,\"flag\":true,\"name\":\"abcd\",\"kernel\":[7,7]}"),
                     EIS_OK);
    root = eis_json_root(doc);
    assert_int_equal(eis_json_bind_object(root, "f", names), EIS_OK);
    assert_int_equal(eis_json_bind_object(root, "f", names + 1), EIS_ERR_PARSE);
    assert_string_equal(eis_error_detail(), "f: unknown member \"n\"");
    assert_int_equal(eis_json_bind_u64(&u, root, "f", "n", true, 1, 3), EIS_OK);
    assert_int_equal(u, 3);
    assert_int_equal(eis_json_bind_u64(&u, root, "f", "n", true, 4, 9), EIS_ERR_PARSE);
    assert_string_equal(eis_error_detail(), "f: member \"n\" must lie in 4..9");
    assert_int_equal(eis_json_bind_u64(&u, root, "f", "i", true, 0, 9), EIS_ERR_PARSE);
    assert_int_equal(eis_json_bind_u64(&u, root, "f", "more", false, 0, 9), EIS_OK);
    assert_int_equal(eis_json_bind_u64(&u, root, "layers[2]", "more", true, 0, 9), EIS_ERR_PARSE);
    assert_string_equal(eis_error_detail(), "layers[2]: member \"more\" is missing");
    assert_int_equal(eis_json_bind_u64(&u, root, "f", "name", true, 0, 9), EIS_ERR_PARSE);
    assert_string_equal(eis_error_detail(), "f: member \"name\" must be an integer and is a string");
    assert_int_equal(u, 3);
    assert_int_equal(eis_json_bind_i64(&i, root, "f", "i", true, -4, 0), EIS_OK);
    assert_int_equal(i, -4);
    assert_int_equal(eis_json_bind_i64(&i, root, "f", "i", true, -3, 0), EIS_ERR_PARSE);
    assert_int_equal(eis_json_bind_double(&x, root, "f", "x", true, 0, 2), EIS_OK);
    assert_true(x == 2);
    assert_int_equal(eis_json_bind_double(&x, root, "f", "x", true, 0, 1), EIS_ERR_PARSE);
    assert_int_equal(eis_json_bind_bool(&flag, root, "f", "flag", true), EIS_OK);
    assert_true(flag);
    assert_int_equal(eis_json_bind_bool(&flag, root, "f", "n", true), EIS_ERR_PARSE);
    assert_int_equal(eis_json_bind_text(name, sizeof name, root, "f", "name", true), EIS_OK);
    assert_string_equal(name, "abcd");
    assert_int_equal(eis_json_bind_text(name, 4, root, "f", "name", true), EIS_ERR_PARSE);
    assert_string_equal(name, "abcd");
    assert_int_equal(eis_json_bind_u64_array(pair, 2, root, "f", "kernel", true, 1, 7), EIS_OK);
    assert_int_equal(pair[0], 7);
    assert_int_equal(eis_json_bind_u64_array(pair, 3, root, "f", "kernel", true, 1, 7), EIS_ERR_PARSE);
    assert_int_equal(eis_json_bind_u64_array(pair, 2, root, "f", "kernel", true, 1, 6), EIS_ERR_PARSE);
    assert_int_equal(eis_json_bind_u64_array(pair, 2, root, "f", "more", false, 1, 6), EIS_OK);
    assert_int_equal(eis_json_bind_array(&v, root, "f", "kernel", 1, 2), EIS_OK);
    assert_int_equal(eis_json_bind_array(&v, root, "f", "kernel", 3, 9), EIS_ERR_PARSE);
    assert_int_equal(eis_json_bind_array(&v, root, "f", "n", 3, 9), EIS_ERR_PARSE);
    assert_int_equal(eis_json_bind_member(&v, root, "f", "more"), EIS_ERR_PARSE);
    assert_int_equal(eis_json_bind_object(v, "f.kernel", names), EIS_ERR_PARSE);
    assert_string_equal(eis_error_detail(), "f.kernel must be an object and is an array");
    eis_json_free(doc);
    assert_int_equal(parse(&doc, "{\"o\":{\"a\":1}}"), EIS_OK); /* members are no elements */
    assert_int_equal(eis_json_bind_array(&v, eis_json_root(doc), "f", "o", 1, 2), EIS_ERR_PARSE);
    eis_json_free(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_out_as_written),
        cmocka_unit_test(walks_see_everything_in_order),
        cmocka_unit_test(malformed_texts_are_refused),
        cmocka_unit_test(good_corner_cases_are_taken),
        cmocka_unit_test(a_zero_byte_is_no_end),
        cmocka_unit_test(depth_and_size_are_limited),
        cmocka_unit_test(a_member_that_occurs_twice_is_refused_by_name),
        cmocka_unit_test(large_objects_are_fine_and_searched_for_twins),
        cmocka_unit_test(short_memory_is_an_error),
        cmocka_unit_test(the_binder_names_what_it_refuses),
    };
    return cmocka_run_group_tests_name("wire/json", tests, NULL, NULL);
}
