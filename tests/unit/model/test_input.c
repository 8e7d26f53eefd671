/* SPDX-License-Identifier: Apache-2.0 */
/* If a column slipped or a NaN got through, a private answer would be about other data than the user's. */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/mem.h"
#include "model/input.h"
#include "model/input_internal.h"

static eis_status parse(eis_inputs *in, const char *text, const char *label_column)
{
    return eis_inputs_parse(in, (const uint8_t *)text, strlen(text), 0, label_column, "file");
}

static void gives(const void *data, size_t bytes, size_t limit, const char *label_column, size_t count, size_t elements,
                  const double *x)
{
    eis_inputs in = {0};

    if (eis_inputs_parse(&in, data, bytes, limit, label_column, "file") != EIS_OK) fail_msg("%s", eis_error_detail());
    assert_int_equal(in.count, count);
    assert_int_equal(in.elements, elements);
    for (size_t i = 0; i < count * elements; i++) assert_true(in.x[i] == x[i]);
    eis_inputs_clear(&in);
}

#define ROWS(...) ((const double[]){__VA_ARGS__})

static void refuses_bytes(const void *data, size_t bytes, eis_status expected, const char *named)
{
    eis_inputs in = {.count = 7};

    assert_int_equal(eis_inputs_parse(&in, data, bytes, 0, NULL, "some.file"), expected);
    assert_int_equal(in.count, 7);
    if (strstr(eis_error_detail(), named) == NULL) fail_msg("\"%s\" does not name \"%s\"", eis_error_detail(), named);
    assert_non_null(strstr(eis_error_detail(), "some.file"));
}

static void refuses(const char *text, eis_status expected, const char *named)
{
    refuses_bytes(text, strlen(text), expected, named);
}

static void text_gives(const char *text, size_t count, size_t elements, const double *x)
{
    gives(text, strlen(text), 0, NULL, count, elements, x);
}

/* --- CSV ------------------------------------------------------------------------------------------------------ */

static void csv_reads_rows_with_and_without_header(void **state)
{
    (void)state;
    text_gives("1,2\n3,4\n", 2, 2, ROWS(1, 2, 3, 4));
    text_gives("a,b\r\n1.5,-2e3\r\n\r\n+3, .25 ", 2, 2, ROWS(1.5, -2000, 3, 0.25));
    text_gives("\xEF\xBB\xBF\"x \"\"1\"\"\",y\n\"1\",2\n", 1, 2, ROWS(1, 2));
    text_gives("7", 1, 1, ROWS(7));
    gives("1\n2\n3\n", 6, 2, NULL, 2, 1, ROWS(1, 2));
}

static void csv_takes_the_label_column_out(void **state)
{
    const char *named = "x,\"what, then\",y\n1,good,2\n3,\"ba\"\"d\",4\n";
    eis_inputs in = {0};

    (void)state;
    assert_int_equal(parse(&in, named, "what, then"), EIS_OK);
    assert_int_equal(in.count, 2);
    assert_int_equal(in.elements, 2);
    assert_true(in.x[1] == 2 && in.x[2] == 3);
    assert_int_equal(in.labels.count, 2);
    assert_string_equal(eis_labels_text(&in.labels, 0), "good");
    assert_string_equal(eis_labels_text(&in.labels, 1), "ba\"d");
    eis_inputs_clear(&in);
    assert_int_equal(parse(&in, "5,1,0\n6,2,1\n", "3"), EIS_OK);
    assert_int_equal(in.elements, 2);
    assert_string_equal(eis_labels_text(&in.labels, 1), "1");
    eis_inputs_clear(&in);
    assert_int_equal(parse(&in, named, "z"), EIS_ERR_USAGE);
    assert_non_null(strstr(eis_error_detail(), "\"z\""));
    assert_int_equal(parse(&in, "1,2\n", "class"), EIS_ERR_USAGE);
    assert_non_null(strstr(eis_error_detail(), "no header"));
    assert_int_equal(parse(&in, "1,2\n", "0"), EIS_ERR_USAGE);
    assert_int_equal(parse(&in, "1,2\n", "3"), EIS_ERR_USAGE);
    assert_int_equal(parse(&in, "1\n", "1"), EIS_ERR_SHAPE);
    assert_int_equal(parse(&in, "[1,2]", "1"), EIS_ERR_USAGE);
}

static void csv_names_line_and_column(void **state)
{
    (void)state;
    refuses("1,2\n3,nan\n", EIS_ERR_RANGE, "line 2, column 2");
    refuses("a,b\n1,2\n-Inf,4\n", EIS_ERR_RANGE, "line 3, column 1");
    refuses("1,2\n3,1e999\n", EIS_ERR_RANGE, "line 2, column 2");
    refuses("1,2\n3,?\n", EIS_ERR_PARSE, "line 2, column 2");
    refuses("1,2\n3,\n", EIS_ERR_PARSE, "column 2: the field is empty");
    refuses("1,2\n3,0x10\n", EIS_ERR_PARSE, "not a number");
    refuses("1,2\n3,1.5.2\n", EIS_ERR_PARSE, "not a number");
    refuses("1,2\n3,.\n", EIS_ERR_PARSE, "not a number");
    refuses("1,2\n3,1e\n", EIS_ERR_PARSE, "not a number");
    refuses("1,2\n\n3\n", EIS_ERR_SHAPE, "line 3 has 1 fields");
    refuses("1,\"2\n", EIS_ERR_PARSE, "line 1: a quote is not closed");
    refuses("1,\"2\"x\n", EIS_ERR_PARSE, "behind a closing quote");
    refuses("1,2\"\n", EIS_ERR_PARSE, "line 1: a quote inside");
    refuses("a,b\n", EIS_ERR_PARSE, "no rows of numbers");
    refuses("\n\n", EIS_ERR_PARSE, "no rows");
    refuses("", EIS_ERR_PARSE, "empty");
}

/* A user whose language writes 1,5 reads the same file as everybody else. */
static void numbers_do_not_depend_on_the_language(void **state)
{
    (void)state;
    if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL && setlocale(LC_ALL, "fr_FR.UTF-8") == NULL) {
        print_message("skipped: no locale with a decimal comma is installed\n");
        skip();
    }
    text_gives("1.5\n", 1, 1, ROWS(1.5));
    setlocale(LC_ALL, "C");
}

/* --- idx ------------------------------------------------------------------------------------------------------ */

static void idx_reads_every_type(void **state)
{
    const uint8_t u8[] = {0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 1, 128, 255};
    const uint8_t i8[] = {0, 0, 9, 1, 0, 0, 0, 2, 0x80, 0x7F};
    const uint8_t i16[] = {0, 0, 0x0B, 1, 0, 0, 0, 2, 0xFF, 0xFE, 1, 0};
    const uint8_t i32[] = {0, 0, 0x0C, 1, 0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFD};
    const uint8_t f32[] = {0, 0, 0x0D, 1, 0, 0, 0, 1, 0x3F, 0xC0, 0, 0};
    const uint8_t f64[] = {0, 0, 0x0E, 1, 0, 0, 0, 1, 0xC0, 0x04, 0, 0, 0, 0, 0, 0};

    (void)state;
    gives(u8, sizeof u8, 0, NULL, 2, 2, ROWS(0, 1, 128, 255));
    gives(u8, sizeof u8, 1, NULL, 1, 2, ROWS(0, 1));
    gives(i8, sizeof i8, 0, NULL, 2, 1, ROWS(-128, 127));
    gives(i16, sizeof i16, 0, NULL, 2, 1, ROWS(-2, 256));
    gives(i32, sizeof i32, 0, NULL, 1, 1, ROWS(-3));
    gives(f32, sizeof f32, 0, NULL, 1, 1, ROWS(1.5));
    gives(f64, sizeof f64, 0, NULL, 1, 1, ROWS(-2.5));
}

static void hostile_idx_is_refused(void **state)
{
    uint8_t f[] = {0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 1, 128, 255, 9};
    const uint8_t nan32[] = {0, 0, 0x0D, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0x7F, 0xC0, 0, 0};

    (void)state;
    refuses_bytes(f, sizeof f, EIS_ERR_PARSE, "5 bytes of numbers, but the header says 4");
    for (size_t n = 4; n < 16; n++) refuses_bytes(f, n, EIS_ERR_PARSE, "idx");
    refuses_bytes(nan32, sizeof nan32, EIS_ERR_RANGE, "input 1 is not finite");
    f[2] = 7;
    refuses_bytes(f, 16, EIS_ERR_UNSUPPORTED, "type 0x07");
    f[2] = 8;
    f[3] = 0;
    refuses_bytes(f, 16, EIS_ERR_UNSUPPORTED, "0 dimensions");
    f[3] = 9;
    refuses_bytes(f, 16, EIS_ERR_UNSUPPORTED, "9 dimensions");
    f[3] = 2;
    memset(f + 4, 0xFF, 8);
    refuses_bytes(f, 16, EIS_ERR_TOO_LARGE, "idx");
    f[3] = 3;
    memset(f + 4, 0xFF, 12);
    refuses_bytes(f, 16, EIS_ERR_TOO_LARGE, "idx");
    memset(f + 4, 0, 12);
    refuses_bytes(f, 16, EIS_ERR_PARSE, "no numbers");
}

/* --- PGM ------------------------------------------------------------------------------------------------------ */

static void pgm_reads_both_kinds(void **state)
{
    const char wide[] = "P5 1 2 65535\n\xFF\xFF\x00\x00";

    (void)state;
    text_gives("P2\n# drawn by hand\n3 1 # size\n255\n0 10 255\n", 1, 3, ROWS(0, 10, 255));
    text_gives("P2 2 1 15\n15 3", 1, 2, ROWS(255, 51)); /* maxval becomes 255 */
    text_gives("P5 2 2 255\n\x01\x02\x03\xFF", 1, 4, ROWS(1, 2, 3, 255));
    gives(wide, sizeof wide - 1, 0, NULL, 1, 2, ROWS(255, 0));
}

static void hostile_pgm_is_refused(void **state)
{
    (void)state;
    refuses("P5 2 2 255\n123", EIS_ERR_PARSE, "do not fit");
    refuses("P5 2 1 255\n123", EIS_ERR_PARSE, "1 bytes behind");
    refuses("P5 65536 65536 255\n123", EIS_ERR_PARSE, "do not fit");
    refuses("P5 65537 1 255\n123", EIS_ERR_RANGE, "the width");
    refuses("P5 99999999999999999999 1 255\n123", EIS_ERR_RANGE, "the width");
    refuses("P5 1 1 65536\n12", EIS_ERR_RANGE, "maxval");
    refuses("P5 1 1 0\n1", EIS_ERR_PARSE, "above 0");
    refuses("P5 0 1 9\n1", EIS_ERR_PARSE, "above 0");
    refuses("P5 1 1 9\n1", EIS_ERR_RANGE, "a grey value");
    refuses("P2 1 1 9\n10", EIS_ERR_RANGE, "a grey value");
    refuses("P2 2 1 9\n1 ", EIS_ERR_PARSE, "do not fit");
    refuses("P2 2 1 9\n1  ", EIS_ERR_PARSE, "a grey value is missing");
    refuses("P2 1 1 9\n-1", EIS_ERR_PARSE, "a grey value is missing");
    refuses("P5 1", EIS_ERR_PARSE, "the height is missing");
    refuses("P5 1 1 9", EIS_ERR_PARSE, "cut off");
    refuses("P5#", EIS_ERR_PARSE, "the width is missing");
}

/* --- JSON ----------------------------------------------------------------------------------------------------- */

static void json_is_one_input_or_rows(void **state)
{
    (void)state;
    text_gives(" [1, 2.5, -3e-1]", 1, 3, ROWS(1, 2.5, -0.3));
    text_gives("[[1,2],[3,4]]", 2, 2, ROWS(1, 2, 3, 4));
    gives("[[1],[2],[3]]", 13, 2, NULL, 2, 1, ROWS(1, 2));
    refuses("[]", EIS_ERR_PARSE, "empty");
    refuses("[[]]", EIS_ERR_PARSE, "empty");
    refuses("[1,[2]]", EIS_ERR_PARSE, "[1]");
    refuses("[[1],2]", EIS_ERR_PARSE, "[1] must be");
    refuses("[[1],[2,3]]", EIS_ERR_SHAPE, "[1] has 2 numbers");
    refuses("[[1,\"x\"]]", EIS_ERR_PARSE, "[0][1]");
    refuses("[1,NaN]", EIS_ERR_PARSE, "some.file");
    refuses("[1,1e999]", EIS_ERR_PARSE, "some.file");
    refuses("[1", EIS_ERR_PARSE, "some.file");
}

/* --- gzip ----------------------------------------------------------------------------------------------------- */

/* Packs bytes as one gzip member; returns its size. */
static size_t pack(uint8_t *out, size_t room, const void *data, size_t bytes)
{
    z_stream z = {0};

    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)data;
    z.avail_in = (uInt)bytes;
    z.next_out = out;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return room - z.avail_out;
}

static void gzip_is_unpacked_up_to_a_limit(void **state)
{
    enum { BOMB_BYTES = 10 << 20 };
    uint8_t packed[4096], *zeros = eis_mem_new(BOMB_BYTES, 1), *bomb = eis_mem_new(BOMB_BYTES / 100, 1);
    size_t first = pack(packed, sizeof packed, "1,2\n3,", 6);
    size_t both = first + pack(packed + first, sizeof packed - first, "4\n", 2), bomb_bytes;
    eis_text out = {0};

    (void)state;
    gives(packed, both, 0, NULL, 2, 2, ROWS(1, 2, 3, 4));
    for (size_t n = 2; n < first; n++) refuses_bytes(packed, n, EIS_ERR_PARSE, "gzip");
    packed[first - 6] ^= 1; /* the checksum */
    refuses_bytes(packed, first, EIS_ERR_PARSE, "gzip");

    bomb_bytes = pack(bomb, BOMB_BYTES / 100, zeros, BOMB_BYTES);
    assert_true(bomb_bytes < BOMB_BYTES / 500);
    assert_int_equal(eis_input_gunzip(&out, (eis_span){bomb, bomb_bytes}, BOMB_BYTES - 1), EIS_ERR_TOO_LARGE);
    assert_int_equal(out.bytes, 0);
    assert_null(out.data);
    assert_int_equal(eis_input_gunzip(&out, (eis_span){bomb, bomb_bytes}, BOMB_BYTES), EIS_OK);
    assert_int_equal(out.bytes, BOMB_BYTES);
    eis_text_clear(&out);
    eis_mem_free(zeros);
    eis_mem_free(bomb);
}

/* --- labels --------------------------------------------------------------------------------------------------- */

static void labels_are_lines_or_idx(void **state)
{
    const uint8_t idx[] = {0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 255};
    const uint8_t square[] = {0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 1, 7};
    const uint8_t floats[] = {0, 0, 0x0D, 1, 0, 0, 0, 1, 0, 0, 0, 0};
    eis_labels labels = {0};

    (void)state;
    assert_int_equal(eis_labels_parse(&labels, (const uint8_t *)"cat \r\n a dog\n", 13, 0, "l"), EIS_OK);
    assert_int_equal(labels.count, 2);
    assert_string_equal(eis_labels_text(&labels, 0), "cat");
    assert_string_equal(eis_labels_text(&labels, 1), "a dog");
    eis_labels_clear(&labels);
    assert_int_equal(eis_labels_parse(&labels, idx, sizeof idx, 2, "l"), EIS_OK);
    assert_int_equal(labels.count, 2);
    assert_string_equal(eis_labels_text(&labels, 0), "7");
    eis_labels_clear(&labels);
    assert_int_equal(eis_labels_parse(&labels, (const uint8_t *)"a\n\nb\n", 5, 0, "l"), EIS_ERR_PARSE);
    assert_non_null(strstr(eis_error_detail(), "line 2"));
    assert_int_equal(eis_labels_parse(&labels, (const uint8_t *)"a\0b\n", 4, 0, "l"), EIS_ERR_PARSE);
    assert_int_equal(eis_labels_parse(&labels, NULL, 0, 0, "l"), EIS_ERR_PARSE);
    assert_int_equal(eis_labels_parse(&labels, square, sizeof square, 0, "l"), EIS_ERR_SHAPE);
    assert_int_equal(eis_labels_parse(&labels, floats, sizeof floats, 0, "l"), EIS_ERR_UNSUPPORTED);
    assert_int_equal(eis_labels_read(&labels, "/nonexistent/labels", 0), EIS_ERR_FILE);
    assert_int_equal(labels.count, 0);
}

static void every_failing_allocation_is_survived(void **state)
{
    static const char *const files[] = {"a,b\n1,\"x\"\n2,y\n", "[[1,2],[3,4]]", "P2 1 1 1\n1"};
    uint8_t packed[256];
    size_t packed_bytes = pack(packed, sizeof packed, "1\n2\n", 4);

    (void)state;
    for (int f = 0; f < 4; f++) {
        for (unsigned long n = 1;; n++) {
            eis_inputs in = {0};
            eis_status st;
            eis_mem_fail_at(n);
            st = f < 3 ? parse(&in, files[f], f == 0 ? "b" : NULL)
                       : eis_inputs_parse(&in, packed, packed_bytes, 0, NULL, "z");
            eis_mem_fail_at(0);
            eis_inputs_clear(&in);
            if (st == EIS_OK) break;
            assert_int_equal(st, EIS_ERR_MEMORY);
        }
    }
}

/* --- real files ----------------------------------------------------------------------------------------------- */

static void mnist_and_tables_are_read(void **state)
{
    char path[4096];
    const char *root = getenv("EIS_TEST_ROOT");
    eis_inputs in = {0};
    eis_labels labels = {0};
    FILE *probe;

    (void)state;
    snprintf(path, sizeof path, "%s/../shared/data/mnist/t10k-images-idx3-ubyte.gz", root ? root : ".");
    probe = fopen(path, "rb");
    if (probe == NULL) {
        print_message("skipped: ../shared/data/mnist is not there\n");
        skip();
    }
    fclose(probe);
    assert_int_equal(eis_inputs_read(&in, path, 0, NULL), EIS_OK);
    assert_int_equal(in.count, 10000);
    assert_int_equal(in.elements, 784);
    assert_true(in.x[7 * 28 + 6] == 84); /* first stroke of the first seven */
    eis_inputs_clear(&in);
    snprintf(path, sizeof path, "%s/../shared/data/mnist/t10k-labels-idx1-ubyte.gz", root ? root : ".");
    assert_int_equal(eis_labels_read(&labels, path, 0), EIS_OK);
    assert_int_equal(labels.count, 10000);
    assert_string_equal(eis_labels_text(&labels, 0), "7");
    eis_labels_clear(&labels);
    snprintf(path, sizeof path, "%s/../shared/data/tabular/banknote_authentication.csv", root ? root : ".");
    assert_int_equal(eis_inputs_read(&in, path, 0, "5"), EIS_OK);
    assert_int_equal(in.count, 1372);
    assert_int_equal(in.elements, 4);
    eis_inputs_clear(&in);
    snprintf(path, sizeof path, "%s/../shared/data/tabular/breast-cancer-wisconsin.data", root ? root : ".");
    assert_int_equal(eis_inputs_read(&in, path, 0, "11"), EIS_ERR_PARSE);
    assert_non_null(strstr(eis_error_detail(), "line 24, column 7"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_reads_rows_with_and_without_header),
        cmocka_unit_test(csv_takes_the_label_column_out),
        cmocka_unit_test(csv_names_line_and_column),
        cmocka_unit_test(numbers_do_not_depend_on_the_language),
        cmocka_unit_test(idx_reads_every_type),
        cmocka_unit_test(hostile_idx_is_refused),
        cmocka_unit_test(pgm_reads_both_kinds),
        cmocka_unit_test(hostile_pgm_is_refused),
        cmocka_unit_test(json_is_one_input_or_rows),
        cmocka_unit_test(gzip_is_unpacked_up_to_a_limit),
        cmocka_unit_test(labels_are_lines_or_idx),
        cmocka_unit_test(every_failing_allocation_is_survived),
        cmocka_unit_test(mnist_and_tables_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
