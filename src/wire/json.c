/* SPDX-License-Identifier: Apache-2.0 */
/* Documents and values: what simdjson gives, and the checks it leaves out (members that occur twice, lone surrogates).
 * All of it happens at parse time; reading a value later cannot fail for any other reason than its type. */
#include "wire/json.h"

#include "base/mem.h"
#include "wire/json_core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct eis_json_doc {
    eis_json_core *core;
};

static eis_json_core_at at_of(eis_json_value v) { return (eis_json_core_at){v.doc, v.index}; }
static eis_json_value value_of(eis_json_core_at at) { return (eis_json_value){at.doc, at.index}; }

bool eis_json_utf8_valid(const void *data, size_t bytes) { return eis_json_core_utf8_valid(data, bytes) != 0; }

/* ---- Surrogates: simdjson joins what follows a high one without looking, and passes a lone low one ---- */

/* Returns the value of four hex digits that the parser has accepted. */
static unsigned hex4(const uint8_t *digits)
{
    unsigned v = 0;

    for (int i = 0; i < 4; i++) {
        unsigned c = digits[i];

        v = 16 * v + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return v;
}

/* Whether each \uD800-\uDBFF is followed by one of \uDC00-\uDFFF, and these stand nowhere else. The text has been
 * parsed: backslashes occur in strings only, and an escape is complete. */
static bool surrogates_pair_up(const uint8_t *text, size_t bytes)
{
    const uint8_t *end = text + bytes, *p = text;

    while (p < end && (p = memchr(p, '\\', (size_t)(end - p))) != NULL) {
        unsigned unit;

        if (p[1] != 'u') {
            p += 2;
            continue;
        }
        unit = hex4(p + 2);
        p += 6;
        if (unit < 0xd800 || unit > 0xdfff) continue;
        if (unit >= 0xdc00 || end - p < 6 || p[0] != '\\' || p[1] != 'u') return false;
        unit = hex4(p + 2);
        if (unit < 0xdc00 || unit > 0xdfff) return false;
        p += 6;
    }
    return true;
}

/* ---- Members that occur twice ---- */

/* Where a walk stands, for the error text only. */
typedef struct place {
    const struct place *up;
    eis_span name; /* data == NULL: the element `index` of an array */
    size_t index;
} place;

/* Appends text from the document to a message: cut, and nothing that a terminal would obey. */
static void append_shown(char *out, size_t out_bytes, eis_span text)
{
    size_t have = strlen(out);

    for (size_t i = 0; i < text.bytes && i < 64 && have + 1 < out_bytes; i++) {
        uint8_t c = text.data[i];

        out[have++] = c >= 0x20 && c < 0x7f ? (char)c : '?';
    }
    out[have] = '\0';
}

static void append_place(char *out, size_t out_bytes, const place *p)
{
    size_t have;

    if (p == NULL) return;
    append_place(out, out_bytes, p->up);
    have = strlen(out);
    if (p->name.data == NULL) {
        snprintf(out + have, out_bytes - have, "[%zu]", p->index);
    } else {
        snprintf(out + have, out_bytes - have, "%s", have ? "." : "");
        append_shown(out, out_bytes, p->name);
    }
}

static eis_status fail_twice(const char *what, const place *where, eis_span name)
{
    char path[EIS_JSON_PATH_BYTES_MAX] = "", shown[80] = "";

    append_place(path, sizeof path, where);
    append_shown(shown, sizeof shown, name);
    return eis_fail(EIS_ERR_PARSE, "%s: member \"%s\" occurs twice%s%s", what, shown, path[0] ? " in " : "", path);
}

static int compare_spans(const void *x, const void *y)
{
    const eis_span *a = x, *b = y;
    size_t common = a->bytes < b->bytes ? a->bytes : b->bytes;
    int order = common ? memcmp(a->data, b->data, common) : 0;

    return order != 0 ? order : (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

/* Sorts the names: no choice of names makes that slow, as it could a hash table. */
static eis_status check_names(const char *what, const place *where, eis_json_value object, size_t count)
{
    enum { FEW = 32 };
    eis_span few[FEW], *names = few, *many = NULL;
    eis_json_iter it = eis_json_iterate(object);
    eis_json_value value;
    eis_status st = EIS_OK;

    if (count > FEW) {
        EIS_NEW(many, count);
        names = many;
    }
    for (size_t i = 0; eis_json_next_member(&it, &names[i], &value);) i++;
    qsort(names, count, sizeof *names, compare_spans);
    for (size_t i = 1; i < count; i++)
        if (compare_spans(&names[i - 1], &names[i]) == 0) {
            st = fail_twice(what, where, names[i]);
            break;
        }
out:
    eis_mem_free(many);
    return st;
}

/* Walks containers only; the parser has limited the depth. */
static eis_status check_members(const char *what, const place *up, eis_json_value container)
{
    bool is_object = eis_json_type_of(container) == EIS_JSON_OBJECT;
    eis_json_iter it = eis_json_iterate(container);
    place here = {.up = up};
    eis_json_value value;
    eis_status st = EIS_OK;
    size_t count = 0;

    while (is_object ? eis_json_next_member(&it, &here.name, &value) : eis_json_next_element(&it, &value)) {
        eis_json_type type = eis_json_type_of(value);

        here.index = count++;
        if (type == EIS_JSON_OBJECT || type == EIS_JSON_ARRAY) EIS_TRY(check_members(what, &here, value));
    }
    if (is_object && count > 1) st = check_names(what, up, container, count);
out:
    return st;
}

/* ---- Documents ---- */

/* Parses a padded copy, which is wiped afterwards: bodies of requests are secret. */
static eis_status parse_copy(eis_json_core **core, const char *what, const void *text, size_t bytes)
{
    size_t padding = eis_json_core_padding();
    eis_json_core *made = NULL;
    eis_json_core_result result;
    const char *message;
    uint8_t *copy = eis_mem_new_secret(bytes + padding, 1);
    eis_status st = EIS_OK;

    if (copy == NULL) return EIS_ERR_MEMORY;
    if (bytes > 0) memcpy(copy, text, bytes);
    result = eis_json_core_parse(&made, &message, copy, bytes, EIS_JSON_DEPTH_MAX);
    EIS_REQUIRE(result != EIS_JSON_CORE_MEMORY, EIS_ERR_MEMORY, "%s: not enough memory for %zu bytes of JSON", what,
                bytes);
    EIS_REQUIRE(result == EIS_JSON_CORE_OK, EIS_ERR_PARSE, "%s: %s", what, message);
    EIS_REQUIRE(surrogates_pair_up(copy, bytes), EIS_ERR_PARSE, "%s: a \\u escape is a lone surrogate", what);
    *core = made;
    made = NULL;
out:
    eis_json_core_free(made);
    eis_mem_free_wiped(copy, bytes + padding, 1);
    return st;
}

eis_status eis_json_parse(eis_json_doc **doc, const char *what, const void *text, size_t bytes, size_t bytes_max)
{
    eis_json_doc *made = NULL;
    eis_status st = EIS_OK;

    EIS_ASSERT(bytes_max < UINT32_MAX);
    EIS_REQUIRE(bytes <= bytes_max, EIS_ERR_TOO_LARGE, "%s: %zu bytes of JSON, at most %zu are allowed", what, bytes,
                bytes_max);
    EIS_NEW(made, 1);
    EIS_TRY(parse_copy(&made->core, what, text, bytes));
    EIS_TRY(check_members(what, NULL, eis_json_root(made)));
    *doc = made;
    made = NULL;
out:
    eis_json_free(made);
    return st;
}

void eis_json_free(eis_json_doc *doc)
{
    if (doc == NULL) return;
    eis_json_core_free(doc->core);
    eis_mem_free(doc);
}

eis_json_value eis_json_root(const eis_json_doc *doc) { return value_of(eis_json_core_root(doc->core)); }

/* ---- Values ---- */

eis_json_type eis_json_type_of(eis_json_value value)
{
    switch (eis_json_core_letter(at_of(value))) {
    case '{':
        return EIS_JSON_OBJECT;
    case '[':
        return EIS_JSON_ARRAY;
    case '"':
        return EIS_JSON_STRING;
    case 'l':
    case 'u':
        return EIS_JSON_INTEGER;
    case 'd':
        return EIS_JSON_DOUBLE;
    case 't':
    case 'f':
        return EIS_JSON_BOOL;
    default:
        return EIS_JSON_NULL;
    }
}

const char *eis_json_type_name(eis_json_type type)
{
    static const char *const name[] = {"null",     "true or false", "an integer", "a number",
                                       "a string", "an array",      "an object"};

    return name[type];
}

eis_json_iter eis_json_iterate(eis_json_value container)
{
    eis_json_type type = eis_json_type_of(container);

    if (type != EIS_JSON_OBJECT && type != EIS_JSON_ARRAY) return (eis_json_iter){container, container};
    return (eis_json_iter){value_of(eis_json_core_first(at_of(container))),
                           value_of(eis_json_core_end(at_of(container)))};
}

bool eis_json_next_element(eis_json_iter *it, eis_json_value *value)
{
    if (it->at.index == it->end.index) return false;
    *value = it->at;
    it->at = value_of(eis_json_core_next(at_of(it->at)));
    return true;
}

bool eis_json_next_member(eis_json_iter *it, eis_span *name, eis_json_value *value)
{
    if (it->at.index == it->end.index) return false;
    name->data = eis_json_core_string(at_of(it->at), &name->bytes);
    it->at = value_of(eis_json_core_next(at_of(it->at)));
    return eis_json_next_element(it, value);
}

size_t eis_json_length(eis_json_value container)
{
    eis_json_iter it = eis_json_iterate(container);
    eis_json_value value;
    size_t places = 0;

    while (eis_json_next_element(&it, &value)) places++;
    return eis_json_type_of(container) == EIS_JSON_OBJECT ? places / 2 : places;
}

static bool span_is(eis_span text, const char *expected)
{
    size_t bytes = strlen(expected);

    return text.bytes == bytes && memcmp(text.data, expected, bytes) == 0;
}

bool eis_json_find(eis_json_value *value, eis_json_value object, const char *name)
{
    eis_json_iter it = eis_json_iterate(object);
    eis_json_value found;
    eis_span here;

    if (eis_json_type_of(object) != EIS_JSON_OBJECT) return false;
    while (eis_json_next_member(&it, &here, &found))
        if (span_is(here, name)) {
            *value = found;
            return true;
        }
    return false;
}

bool eis_json_u64(uint64_t *out, eis_json_value value)
{
    char letter = eis_json_core_letter(at_of(value));
    uint64_t bits;

    if (letter != 'l' && letter != 'u') return false;
    bits = eis_json_core_bits(at_of(value));
    if (letter == 'l' && bits >> 63) return false;
    *out = bits;
    return true;
}

bool eis_json_i64(int64_t *out, eis_json_value value)
{
    if (eis_json_core_letter(at_of(value)) != 'l') return false; /* 'u' stands for those above INT64_MAX alone */
    *out = (int64_t)eis_json_core_bits(at_of(value));
    return true;
}

bool eis_json_double(double *out, eis_json_value value)
{
    char letter = eis_json_core_letter(at_of(value));
    uint64_t bits;

    if (letter != 'l' && letter != 'u' && letter != 'd') return false;
    bits = eis_json_core_bits(at_of(value));
    if (letter == 'd')
        memcpy(out, &bits, sizeof *out);
    else
        *out = letter == 'l' ? (double)(int64_t)bits : (double)bits;
    return true;
}

bool eis_json_bool(bool *out, eis_json_value value)
{
    char letter = eis_json_core_letter(at_of(value));

    if (letter != 't' && letter != 'f') return false;
    *out = letter == 't';
    return true;
}

bool eis_json_string(eis_span *out, eis_json_value value)
{
    if (eis_json_core_letter(at_of(value)) != '"') return false;
    out->data = eis_json_core_string(at_of(value), &out->bytes);
    return true;
}

bool eis_json_string_is(eis_json_value value, const char *text)
{
    eis_span string;

    return eis_json_string(&string, value) && span_is(string, text);
}
