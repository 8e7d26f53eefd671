/* SPDX-License-Identifier: Apache-2.0 */
/* CSV as in RFC 4180: fields between commas, quoted where they hold commas, quotes or line ends. Every row has as many
 * fields as the first one. A first row without any number is a header; empty lines count for nothing. */
#include "base/mem.h"
#include "model/input_internal.h"

#include <string.h>

#define NO_COLUMN SIZE_MAX

enum { FIELDS_MIN = 64, FIELDS_MAX = 1 << 24 };

typedef struct csv_reader {
    const uint8_t *at, *end;
    size_t line;     /* of the byte at `at`, from 1 */
    eis_text fields; /* the fields of one row, unquoted, under each other */
    size_t *ends;    /* [count]: field i is [ends[i - 1], ends[i]) of fields */
    size_t count, capacity;
    size_t row_line; /* where the row began */
} csv_reader;

static void csv_clear(csv_reader *csv)
{
    eis_text_clear(&csv->fields);
    eis_mem_free_wiped(csv->ends, csv->capacity, sizeof *csv->ends);
}

static eis_span field(const csv_reader *csv, size_t i)
{
    size_t start = i ? csv->ends[i - 1] : 0, bytes = csv->ends[i] - start;

    /* A row of empty fields has no text at all. */
    return bytes > 0 ? (eis_span){csv->fields.data + start, bytes} : (eis_span){(const uint8_t *)"", 0};
}

static eis_status end_field(csv_reader *csv)
{
    eis_status st = EIS_OK;
    size_t wanted;

    EIS_REQUIRE(csv->count < FIELDS_MAX, EIS_ERR_TOO_LARGE, "line %zu: more than %d fields", csv->row_line, FIELDS_MAX);
    if (csv->count == csv->capacity) {
        wanted = csv->capacity ? csv->capacity * 2 : FIELDS_MIN;
        EIS_TRY(eis_mem_resize(&csv->ends, csv->capacity, wanted, sizeof *csv->ends));
        csv->capacity = wanted;
    }
    csv->ends[csv->count++] = csv->fields.bytes;
out:
    return st;
}

/* Takes a quoted field; `at` is behind the opening quote and will be behind the closing one. */
static eis_status take_quoted(csv_reader *csv)
{
    eis_status st = EIS_OK;
    size_t opened = csv->line;
    const uint8_t *quote;

    for (;;) {
        quote = csv->at < csv->end ? memchr(csv->at, '"', (size_t)(csv->end - csv->at)) : NULL;
        EIS_REQUIRE(quote != NULL, EIS_ERR_PARSE, "line %zu: a quote is not closed", opened);
        for (const uint8_t *p = csv->at; p < quote; p++) csv->line += *p == '\n';
        EIS_TRY(eis_text_append(&csv->fields, csv->at, (size_t)(quote - csv->at)));
        csv->at = quote + 1;
        if (csv->at == csv->end || *csv->at != '"') break;
        EIS_TRY(eis_text_append(&csv->fields, "\"", 1));
        csv->at++;
    }
    EIS_REQUIRE(csv->at == csv->end || *csv->at == ',' || *csv->at == '\n' || *csv->at == '\r', EIS_ERR_PARSE,
                "line %zu: text behind a closing quote", csv->line);
out:
    return st;
}

static eis_status take_plain(csv_reader *csv)
{
    const uint8_t *start = csv->at;

    while (csv->at < csv->end && *csv->at != ',' && *csv->at != '\n' && *csv->at != '\r') {
        if (*csv->at++ == '"')
            return eis_fail(EIS_ERR_PARSE, "line %zu: a quote inside a field that is not quoted", csv->line);
    }
    return eis_text_append(&csv->fields, start, (size_t)(csv->at - start));
}

/* Steps over one line end. */
static void take_line_end(csv_reader *csv)
{
    if (csv->at < csv->end && *csv->at == '\r') csv->at++;
    if (csv->at < csv->end && *csv->at == '\n') csv->at++;
    csv->line++;
}

/* Takes the next row that is not empty; count is 0 at the end of the file. */
static eis_status next_row(csv_reader *csv)
{
    eis_status st = EIS_OK;

    csv->count = csv->fields.bytes = 0;
    while (csv->at < csv->end && (*csv->at == '\n' || *csv->at == '\r')) take_line_end(csv);
    if (csv->at == csv->end) return EIS_OK;
    csv->row_line = csv->line;
    for (;;) {
        bool quoted = csv->at < csv->end && *csv->at == '"';
        if (quoted) csv->at++;
        EIS_TRY(quoted ? take_quoted(csv) : take_plain(csv));
        EIS_TRY(end_field(csv));
        if (csv->at == csv->end || *csv->at != ',') break;
        csv->at++;
    }
    take_line_end(csv);
out:
    return st;
}

static bool is_header(const csv_reader *csv)
{
    double unused;

    for (size_t i = 0; i < csv->count; i++) {
        eis_span f = field(csv, i);
        eis_status st = eis_input_parse_number(&unused, f.data, f.bytes);
        if (st == EIS_OK || st == EIS_ERR_RANGE) return false;
    }
    return true;
}

static eis_span trimmed(eis_span text)
{
    while (text.bytes > 0 && (*text.data == ' ' || *text.data == '\t')) text.data++, text.bytes--;
    while (text.bytes > 0 && (text.data[text.bytes - 1] == ' ' || text.data[text.bytes - 1] == '\t')) text.bytes--;
    return text;
}

/* Finds the column that a user named: a word of the header, or a number from 1. */
static eis_status find_label_column(size_t *column, const csv_reader *csv, bool header, const char *wanted)
{
    size_t number = 0, digits = strspn(wanted, "0123456789");

    for (size_t i = 0; header && i < csv->count; i++) {
        eis_span name = trimmed(field(csv, i));
        if (name.bytes == strlen(wanted) && memcmp(name.data, wanted, name.bytes) == 0) {
            *column = i;
            return EIS_OK;
        }
    }
    if (digits > 0 && digits < 10 && wanted[digits] == '\0')
        for (size_t i = 0; i < digits; i++) number = number * 10 + (size_t)(wanted[i] - '0');
    if (number < 1 || number > csv->count)
        return eis_fail(EIS_ERR_USAGE, "no column \"%.64s\"%s; there are %zu columns", wanted,
                        header ? "" : " (the file has no header line, so name it by its number)", csv->count);
    *column = number - 1;
    return EIS_OK;
}

/* Moves the fields of a row into the inputs. */
static eis_status add_row(eis_inputs *inputs, size_t *used, const csv_reader *csv, size_t label_column)
{
    eis_status st = EIS_OK;
    double number;

    for (size_t i = 0; i < csv->count; i++) {
        eis_span f = trimmed(field(csv, i));
        if (i == label_column)
            st = eis_labels_append(&inputs->labels, f.data, f.bytes);
        else
            st = eis_input_parse_number(&number, f.data, f.bytes);
        if (st != EIS_OK) return eis_fail_prefix(st, "line %zu, column %zu", csv->row_line, i + 1);
        if (i != label_column) EIS_TRY(eis_input_append(inputs, used, number));
    }
    inputs->count++;
out:
    return st;
}

static eis_status read_rows(eis_inputs *inputs, csv_reader *csv, size_t limit, const char *label_wanted)
{
    eis_status st = EIS_OK;
    size_t columns, label_column = NO_COLUMN, used = 0;
    bool header;

    EIS_TRY(next_row(csv));
    EIS_REQUIRE(csv->count > 0, EIS_ERR_PARSE, "no rows");
    columns = csv->count;
    header = is_header(csv);
    if (label_wanted != NULL) EIS_TRY(find_label_column(&label_column, csv, header, label_wanted));
    inputs->elements = columns - (label_column != NO_COLUMN);
    EIS_REQUIRE(inputs->elements > 0, EIS_ERR_SHAPE, "no column beside the labels");
    if (header) EIS_TRY(next_row(csv));
    while (csv->count > 0 && (limit == 0 || inputs->count < limit)) {
        EIS_REQUIRE(csv->count == columns, EIS_ERR_SHAPE, "line %zu has %zu fields, the first row has %zu",
                    csv->row_line, csv->count, columns);
        EIS_TRY(add_row(inputs, &used, csv, label_column));
        EIS_TRY(next_row(csv));
    }
    EIS_REQUIRE(inputs->count > 0, EIS_ERR_PARSE, "no rows of numbers");
out:
    return st;
}

eis_status eis_input_read_csv(eis_inputs *inputs, eis_span file, size_t limit, const char *label_column)
{
    csv_reader csv = {.at = file.data, .end = file.data + file.bytes, .line = 1};
    eis_status st;

    if (file.bytes >= 3 && memcmp(file.data, "\xEF\xBB\xBF", 3) == 0) csv.at += 3; /* a byte-order mark */
    st = read_rows(inputs, &csv, limit, label_column);
    csv_clear(&csv);
    return st;
}
