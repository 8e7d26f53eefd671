/* SPDX-License-Identifier: Apache-2.0 */
/* JSON in and out: whatever is taken can be walked, and written and read again it stays as it is. */
#include "wire/json.h"
#include "wire/json_writer.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BYTES_MAX ((size_t)4 << 20)

static void copy_value(eis_json_writer *w, eis_json_value value);

static void copy_members(eis_json_writer *w, eis_json_value object)
{
    eis_json_iter it = eis_json_iterate(object);
    eis_json_value value, found;
    eis_span name;
    char text[256];

    eis_json_writer_begin_object(w);
    while (eis_json_next_member(&it, &name, &value)) {
        /* A name with a zero inside has no form in C; the last member wins, so the copy stays a tree without twins. */
        if (name.bytes >= sizeof text || memchr(name.data, 0, name.bytes) != NULL) continue;
        memcpy(text, name.data, name.bytes);
        text[name.bytes] = '\0';
        EIS_ASSERT(eis_json_find(&found, object, text) && found.index == value.index);
        eis_json_writer_key(w, text);
        copy_value(w, value);
    }
    eis_json_writer_end_object(w);
}

static void copy_elements(eis_json_writer *w, eis_json_value array)
{
    eis_json_iter it = eis_json_iterate(array);
    eis_json_value value;
    size_t count = 0;

    eis_json_writer_begin_array(w);
    for (; eis_json_next_element(&it, &value); count++) copy_value(w, value);
    eis_json_writer_end_array(w);
    EIS_ASSERT(count == eis_json_length(array));
}

static void copy_number(eis_json_writer *w, eis_json_value value)
{
    uint64_t u;
    int64_t i;
    double d = 0;

    EIS_ASSERT(eis_json_double(&d, value));
    if (eis_json_u64(&u, value))
        eis_json_writer_u64(w, u);
    else if (eis_json_i64(&i, value))
        eis_json_writer_i64(w, i);
    else
        eis_json_writer_f64(w, d);
}

static void copy_value(eis_json_writer *w, eis_json_value value)
{
    eis_span text = {0};
    bool flag = false;

    switch (eis_json_type_of(value)) {
    case EIS_JSON_NULL:
        eis_json_writer_null(w);
        break;
    case EIS_JSON_BOOL:
        EIS_ASSERT(eis_json_bool(&flag, value));
        eis_json_writer_bool(w, flag);
        break;
    case EIS_JSON_INTEGER:
    case EIS_JSON_DOUBLE:
        copy_number(w, value);
        break;
    case EIS_JSON_STRING:
        EIS_ASSERT(eis_json_string(&text, value) && eis_json_utf8_valid(text.data, text.bytes));
        eis_json_writer_string(w, text.data, text.bytes);
        break;
    case EIS_JSON_ARRAY:
        copy_elements(w, value);
        break;
    case EIS_JSON_OBJECT:
        copy_members(w, value);
        break;
    }
}

/* Copies a document as text. Returns whether it could be read. */
static bool copy(eis_writer *out, const void *text, size_t bytes)
{
    eis_json_doc *doc = NULL;
    eis_json_writer w;

    if (eis_json_parse(&doc, "fuzz", text, bytes, BYTES_MAX) != EIS_OK) return false;
    eis_json_writer_to_buffer(&w, out);
    copy_value(&w, eis_json_root(doc));
    EIS_ASSERT(eis_json_writer_status(&w) == EIS_OK);
    eis_json_free(doc);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    eis_writer once, twice;

    eis_wire_writer_init(&once, BYTES_MAX);
    eis_wire_writer_init(&twice, BYTES_MAX);
    if (copy(&once, data, size)) {
        EIS_ASSERT(copy(&twice, once.data, once.bytes));
        EIS_ASSERT(once.bytes == twice.bytes && memcmp(once.data, twice.data, once.bytes) == 0);
    }
    eis_wire_writer_clear(&once);
    eis_wire_writer_clear(&twice);
    return 0;
}
