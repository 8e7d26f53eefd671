/* SPDX-License-Identifier: Apache-2.0 */
/* idx (the format of MNIST), PGM and JSON. */
#include "base/mem.h"
#include "model/input_internal.h"
#include "wire/json.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- idx: two zeros, type, number of dimensions, dimensions as big-endian u32, numbers big-endian ----------------- */

enum { IDX_HEADER_BYTES = 4, IDX_RANK_MAX = 8 };
enum { IDX_U8 = 0x08, IDX_I8 = 0x09, IDX_I16 = 0x0B, IDX_I32 = 0x0C, IDX_F32 = 0x0D, IDX_F64 = 0x0E };

typedef struct idx_header {
    unsigned type;
    size_t number_bytes, count, elements;
    unsigned rank;
    const uint8_t *data;
} idx_header;

static size_t idx_number_bytes(unsigned type)
{
    switch (type) {
    case IDX_U8:
    case IDX_I8:
        return 1;
    case IDX_I16:
        return 2;
    case IDX_I32:
    case IDX_F32:
        return 4;
    case IDX_F64:
        return 8;
    default:
        return 0;
    }
}

bool eis_input_is_idx(eis_span file)
{
    return file.bytes >= IDX_HEADER_BYTES && file.data[0] == 0 && file.data[1] == 0;
}

static eis_status read_idx_header(idx_header *h, eis_span file)
{
    eis_status st = EIS_OK;
    size_t bytes, numbers;

    *h = (idx_header){.type = file.data[2], .rank = file.data[3], .elements = 1};
    h->number_bytes = idx_number_bytes(h->type);
    EIS_REQUIRE(h->number_bytes > 0, EIS_ERR_UNSUPPORTED, "idx: unknown type 0x%02x", h->type);
    EIS_REQUIRE(h->rank >= 1 && h->rank <= IDX_RANK_MAX, EIS_ERR_UNSUPPORTED,
                "idx: %u dimensions; 1 to %d are possible", h->rank, IDX_RANK_MAX);
    EIS_REQUIRE(file.bytes - IDX_HEADER_BYTES >= 4 * (size_t)h->rank, EIS_ERR_PARSE, "idx: cut off in the header");
    h->count = eis_load_be32(file.data + IDX_HEADER_BYTES);
    for (unsigned i = 1; i < h->rank; i++) {
        uint32_t dimension = eis_load_be32(file.data + IDX_HEADER_BYTES + 4 * (size_t)i);
        EIS_REQUIRE(eis_size_mul(&h->elements, h->elements, dimension), EIS_ERR_TOO_LARGE,
                    "idx: dimension %u is too large", i);
    }
    h->data = file.data + IDX_HEADER_BYTES + 4 * (size_t)h->rank;
    bytes = file.bytes - (size_t)(h->data - file.data);
    EIS_REQUIRE(h->count > 0 && h->elements > 0, EIS_ERR_PARSE, "idx: no numbers");
    EIS_REQUIRE(eis_size_mul(&numbers, h->count, h->elements) && numbers <= SIZE_MAX / 8, EIS_ERR_TOO_LARGE,
                "idx: %zu x %zu numbers are too many", h->count, h->elements);
    EIS_REQUIRE(numbers * h->number_bytes == bytes, EIS_ERR_PARSE, "idx: %zu bytes of numbers, but the header says %zu",
                bytes, numbers * h->number_bytes);
out:
    return st;
}

static double idx_number(unsigned type, const uint8_t *p)
{
    uint32_t word;
    uint64_t wide;
    float f;
    double d;

    switch (type) {
    case IDX_U8:
        return p[0];
    case IDX_I8:
        return (int8_t)p[0];
    case IDX_I16:
        return (int16_t)(uint16_t)(p[0] << 8 | p[1]);
    case IDX_I32:
        return (int32_t)eis_load_be32(p);
    case IDX_F32:
        word = eis_load_be32(p);
        memcpy(&f, &word, sizeof f);
        return f;
    default:
        wide = eis_load_be64(p);
        memcpy(&d, &wide, sizeof d);
        return d;
    }
}

eis_status eis_input_read_idx(eis_inputs *inputs, eis_span file, size_t limit)
{
    eis_status st = EIS_OK;
    idx_header h;

    EIS_TRY(read_idx_header(&h, file));
    if (limit > 0 && limit < h.count) h.count = limit;
    EIS_TRY(eis_input_allocate(inputs, h.count, h.elements));
    for (size_t i = 0; i < h.count * h.elements; i++) {
        inputs->x[i] = idx_number(h.type, h.data + i * h.number_bytes);
        EIS_REQUIRE(isfinite(inputs->x[i]), EIS_ERR_RANGE, "idx: number %zu of input %zu is not finite", i % h.elements,
                    i / h.elements);
    }
out:
    return st;
}

eis_status eis_input_read_idx_labels(eis_labels *labels, eis_span file, size_t limit)
{
    eis_status st = EIS_OK;
    idx_header h;
    char text[32];

    EIS_TRY(read_idx_header(&h, file));
    EIS_REQUIRE(h.rank == 1, EIS_ERR_SHAPE, "idx: labels have one dimension, this file has %u", h.rank);
    EIS_REQUIRE(h.type != IDX_F32 && h.type != IDX_F64, EIS_ERR_UNSUPPORTED, "idx: labels must be whole numbers");
    if (limit > 0 && limit < h.count) h.count = limit;
    for (size_t i = 0; i < h.count; i++) {
        int n = snprintf(text, sizeof text, "%.0f", idx_number(h.type, h.data + i * h.number_bytes));
        EIS_TRY(eis_labels_append(labels, (const uint8_t *)text, (size_t)n));
    }
out:
    return st;
}

/* --- PGM: P2 or P5, width, height, maxval; a comment runs from # to the end of its line --------------------------- */

enum { PGM_SIDE_MAX = 1 << 16, PGM_VALUE_MAX = 65535 };

typedef struct pgm_cursor {
    const uint8_t *at, *end;
} pgm_cursor;

static void skip_space_and_comments(pgm_cursor *c)
{
    while (c->at < c->end && (isspace(*c->at) || *c->at == '#')) {
        if (*c->at++ != '#') continue;
        while (c->at < c->end && *c->at != '\n') c->at++;
    }
}

static eis_status read_pgm_number(pgm_cursor *c, uint32_t *number, uint32_t max, const char *what)
{
    eis_status st = EIS_OK;
    uint32_t value = 0;
    const uint8_t *start;

    skip_space_and_comments(c);
    start = c->at;
    for (; c->at < c->end && isdigit(*c->at); c->at++) {
        value = value * 10 + (uint32_t)(*c->at - '0');
        EIS_REQUIRE(value <= max, EIS_ERR_RANGE, "PGM: %s is above %u", what, max);
    }
    EIS_REQUIRE(c->at > start, EIS_ERR_PARSE, "PGM: %s is missing", what);
    *number = value;
out:
    return st;
}

/* 0..maxval to 0..255, the range that models are made for; exact for maxval 255. */
static double pgm_grey(uint32_t value, uint32_t maxval) { return value * 255.0 / maxval; }

static eis_status read_pgm_text(eis_inputs *inputs, pgm_cursor *c, uint32_t maxval)
{
    eis_status st = EIS_OK;
    uint32_t value;

    for (size_t i = 0; i < inputs->elements; i++) {
        EIS_TRY(read_pgm_number(c, &value, maxval, "a grey value"));
        inputs->x[i] = pgm_grey(value, maxval);
    }
out:
    return st;
}

static eis_status read_pgm_bytes(eis_inputs *inputs, pgm_cursor *c, uint32_t maxval)
{
    eis_status st = EIS_OK;
    size_t wide = maxval > 255;

    for (size_t i = 0; i < inputs->elements; i++, c->at += 1 + wide) {
        uint32_t value = wide ? (uint32_t)(c->at[0] << 8 | c->at[1]) : c->at[0];
        EIS_REQUIRE(value <= maxval, EIS_ERR_RANGE, "PGM: a grey value is above %u", maxval);
        inputs->x[i] = pgm_grey(value, maxval);
    }
out:
    return st;
}

eis_status eis_input_read_pgm(eis_inputs *inputs, eis_span file)
{
    eis_status st = EIS_OK;
    pgm_cursor c = {file.data + 2, file.data + file.bytes};
    bool binary = file.data[1] == '5';
    uint32_t width = 0, height = 0, maxval = 0;
    size_t needed;

    EIS_TRY(read_pgm_number(&c, &width, PGM_SIDE_MAX, "the width"));
    EIS_TRY(read_pgm_number(&c, &height, PGM_SIDE_MAX, "the height"));
    EIS_TRY(read_pgm_number(&c, &maxval, PGM_VALUE_MAX, "maxval"));
    EIS_REQUIRE(width > 0 && height > 0 && maxval > 0, EIS_ERR_PARSE, "PGM: width, height and maxval must be above 0");
    EIS_REQUIRE(c.at < c.end && isspace(*c.at), EIS_ERR_PARSE, "PGM: cut off in the header");
    c.at++;
    /* At least one byte per pixel, two where each is wide or has a separator: a small file claims no large image. */
    needed = (size_t)width * height * (binary && maxval <= 255 ? 1u : 2u) - (binary ? 0 : 1);
    EIS_REQUIRE((size_t)(c.end - c.at) >= needed, EIS_ERR_PARSE, "PGM: %u x %u pixels do not fit in %zu bytes", width,
                height, (size_t)(c.end - c.at));
    EIS_TRY(eis_input_allocate(inputs, 1, (size_t)width * height));
    if (binary)
        EIS_TRY(read_pgm_bytes(inputs, &c, maxval));
    else
        EIS_TRY(read_pgm_text(inputs, &c, maxval));
    skip_space_and_comments(&c);
    EIS_REQUIRE(c.at == c.end, EIS_ERR_PARSE, "PGM: %zu bytes behind the image", (size_t)(c.end - c.at));
out:
    return st;
}

/* --- JSON ----------------------------------------------------------------------------------------------------- */

static eis_status read_json_row(double *x, eis_json_value row, size_t elements, const char *place)
{
    eis_status st = EIS_OK;
    eis_json_iter it = eis_json_iterate(row);
    eis_json_value value = {0};

    EIS_REQUIRE(eis_json_type_of(row) == EIS_JSON_ARRAY, EIS_ERR_PARSE, "%s must be an array of numbers", place);
    EIS_REQUIRE(eis_json_length(row) == elements, EIS_ERR_SHAPE, "%s has %zu numbers, the first input has %zu", place,
                eis_json_length(row), elements);
    for (size_t i = 0; eis_json_next_element(&it, &value); i++)
        EIS_REQUIRE(eis_json_double(&x[i], value), EIS_ERR_PARSE, "%s[%zu] must be a number", place, i);
out:
    return st;
}

static eis_status read_json_root(eis_inputs *inputs, eis_json_value root, size_t limit)
{
    eis_status st = EIS_OK;
    eis_json_iter it = eis_json_iterate(root);
    eis_json_value first = {0}, row = {0};
    size_t count = eis_json_length(root);
    char place[32];

    EIS_REQUIRE(eis_json_next_element(&it, &first), EIS_ERR_PARSE, "the array is empty");
    if (eis_json_type_of(first) != EIS_JSON_ARRAY) {
        EIS_TRY(eis_input_allocate(inputs, 1, count));
        return read_json_row(inputs->x, root, count, "the input");
    }
    EIS_REQUIRE(eis_json_length(first) > 0, EIS_ERR_PARSE, "[0] is empty");
    if (limit > 0 && limit < count) count = limit;
    EIS_TRY(eis_input_allocate(inputs, count, eis_json_length(first)));
    it = eis_json_iterate(root);
    for (size_t i = 0; i < count && eis_json_next_element(&it, &row); i++) {
        snprintf(place, sizeof place, "[%zu]", i);
        EIS_TRY(read_json_row(inputs->x + i * inputs->elements, row, inputs->elements, place));
    }
out:
    return st;
}

eis_status eis_input_read_json(eis_inputs *inputs, eis_span file, size_t limit, const char *name)
{
    eis_status st = EIS_OK;
    eis_json_doc *doc = NULL;

    EIS_TRY(eis_json_parse(&doc, name, file.data, file.bytes, EIS_INPUT_BYTES_MAX));
    st = read_json_root(inputs, eis_json_root(doc), limit);
    if (st != EIS_OK) (void)eis_fail_prefix(st, "%s", name);
out:
    eis_json_free(doc);
    return st;
}
