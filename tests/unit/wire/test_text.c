/* SPDX-License-Identifier: Apache-2.0 */
/* If two texts stood for the same bytes, digests and audits could be answered with something else than was sent; if a
 * word's text were shorter for small words, its length would tell about the share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "wire/text.h"

static void base64_goes_there_and_back(void **state)
{
    static const char *const known[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    uint8_t data[3000], back[3000];

    (void)state;
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * i + 3 * i);
    for (size_t n = 0; n < 7; n++) {
        eis_writer w;

        eis_wire_writer_init(&w, 100);
        eis_wire_base64_write(&w, "foobar", n);
        assert_int_equal(w.bytes, strlen(known[n]));
        if (n > 0) assert_memory_equal(w.data, known[n], w.bytes);
        eis_wire_writer_clear(&w);
    }
    for (size_t n = 0; n <= sizeof data; n += n < 20 ? 1 : 149) {
        size_t bytes;
        eis_writer w;

        eis_wire_writer_init(&w, 5000);
        eis_wire_base64_write(&w, data, n);
        assert_int_equal(w.bytes, eis_wire_base64_length(n));
        assert_int_equal(eis_wire_base64_bytes(&bytes, w.data, w.bytes), EIS_OK);
        assert_int_equal(bytes, n);
        assert_int_equal(eis_wire_base64_read(back, n, w.data, w.bytes), EIS_OK);
        assert_memory_equal(back, data, n);
        eis_wire_writer_clear(&w);
    }
}

static void other_spellings_are_refused(void **state)
{
    static const char *const bad[] = {
        "Zg",   "Zg=",  "Zg===",    "Z===",     "====",     "Zh==", "Zm9=",   "Zm-_",    "Zm9v\nZg=",
        "Zm 9", "Z=9v", "Zg==Zg==", "Zm9vZh==", " Zm9vZg=", "=g==", "Zm9v\0", "Zm9vYm=y"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t out[64] = {0};
        size_t length = strlen(bad[i]), bytes = 0;
        eis_status st;

        if (i == 15) length = 5;
        st = eis_wire_base64_bytes(&bytes, bad[i], length);
        if (st == EIS_OK) st = eis_wire_base64_read(out, bytes, bad[i], length);
        assert_int_equal(st, EIS_ERR_ENCODING);
        for (size_t j = 0; j < sizeof out; j++) assert_int_equal(out[j], 0);
    }
    assert_int_equal(eis_wire_base64_read((uint8_t[4]){0}, 4, "Zm9v", 4), EIS_ERR_ENCODING);
}

/* Of the spellings of a last group exactly one per value is taken: 256 of one byte, 65536 of two. */
static void last_groups_have_one_spelling(void **state)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t taken[3] = {0};

    (void)state;
    for (size_t spelling = 0; spelling < (size_t)1 << 18; spelling++) {
        for (size_t bytes = spelling >> 12 == 0 ? 1 : 2; bytes <= 2; bytes++) { /* two digits, or three */
            const size_t digits = bytes == 1 ? spelling << 6 : spelling;
            char text[4] = {alphabet[digits >> 12], alphabet[digits >> 6 & 63], '=', '='};
            uint8_t out[2];

            if (bytes == 2) text[2] = alphabet[digits & 63];
            if (eis_wire_base64_read(out, bytes, text, 4) != EIS_OK) continue;
            taken[bytes]++;
            for (size_t i = 0; i < bytes; i++) assert_int_equal(out[i], digits >> (10 - 8 * i) & 255);
        }
    }
    assert_int_equal(taken[1], 256);
    assert_int_equal(taken[2], 65536);
}

static void hex_goes_there_and_back(void **state)
{
    uint8_t back[4];
    char text[9];

    (void)state;
    eis_wire_hex_write(text, "\x00\x9a\xbc\xff", 4);
    assert_string_equal(text, "009abcff");
    assert_int_equal(eis_wire_hex_read(back, 4, "009aBCff", 8), EIS_OK);
    assert_memory_equal(back, "\x00\x9a\xbc\xff", 4);
    assert_int_equal(eis_wire_hex_read(back, 4, "009abcfg", 8), EIS_ERR_ENCODING);
    assert_int_equal(eis_wire_hex_read(back, 4, "009abcf", 7), EIS_ERR_ENCODING);
    assert_int_equal(eis_wire_hex_read(back, 3, "009abcff", 8), EIS_ERR_ENCODING);
}

static void words_have_one_width_per_ring(void **state)
{
    static const unsigned ring[] = {32, 40, 48, 52, 56, 61, 64}, width[] = {10, 13, 15, 16, 17, 19, 20};

    (void)state;
    for (size_t i = 0; i < 7; i++) {
        uint64_t top = ring[i] == 64 ? UINT64_MAX : ((uint64_t)1 << ring[i]) - (ring[i] == 61 ? 2 : 1);
        uint64_t corner[] = {0, 1, 9, 10, top / 2, top - 1, top};

        assert_int_equal(eis_wire_decimal_width(ring[i]), width[i]);
        for (size_t j = 0; j < 7; j++) {
            char text[EIS_DECIMAL_WIDTH_MAX], expected[32];
            uint64_t back = 0;

            eis_wire_decimal_write(text, corner[j], ring[i]);
            snprintf(expected, sizeof expected, "%0*llu", (int)width[i], (unsigned long long)corner[j]);
            assert_memory_equal(text, expected, width[i]);
            assert_int_equal(eis_wire_decimal_read(&back, text, width[i], ring[i]), EIS_OK);
            assert_true(back == corner[j]);
        }
        if (ring[i] < 64) {
            char above[32];
            uint64_t untouched = 7;

            snprintf(above, sizeof above, "%llu", (unsigned long long)top + 1);
            assert_int_equal(eis_wire_decimal_read(&untouched, above, strlen(above), ring[i]), EIS_ERR_RANGE);
            assert_true(untouched == 7);
        }
    }
    assert_int_equal(eis_wire_decimal_width(33), 0);
}

static void malformed_words_are_refused(void **state)
{
    uint64_t v = 7;

    (void)state;
    assert_int_equal(eis_wire_decimal_read(&v, "42", 2, 64), EIS_OK); /* readers accept shorter ones */
    assert_true(v == 42);
    assert_int_equal(eis_wire_decimal_read(&v, "", 0, 64), EIS_ERR_ENCODING);
    assert_int_equal(eis_wire_decimal_read(&v, "000000000000000000001", 21, 64), EIS_ERR_ENCODING);
    assert_int_equal(eis_wire_decimal_read(&v, "18446744073709551616", 20, 64), EIS_ERR_RANGE);
    assert_int_equal(eis_wire_decimal_read(&v, "99999999999999999999", 20, 64), EIS_ERR_RANGE);
    assert_int_equal(eis_wire_decimal_read(&v, "-1", 2, 64), EIS_ERR_ENCODING);
    assert_int_equal(eis_wire_decimal_read(&v, "1e3", 3, 64), EIS_ERR_ENCODING);
    assert_int_equal(eis_wire_decimal_read(&v, " 1", 2, 64), EIS_ERR_ENCODING);
    assert_true(v == 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_goes_there_and_back),    cmocka_unit_test(other_spellings_are_refused),
        cmocka_unit_test(last_groups_have_one_spelling), cmocka_unit_test(hex_goes_there_and_back),
        cmocka_unit_test(words_have_one_width_per_ring), cmocka_unit_test(malformed_words_are_refused),
    };
    return cmocka_run_group_tests_name("wire/text", tests, NULL, NULL);
}
