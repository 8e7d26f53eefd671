/* SPDX-License-Identifier: Apache-2.0 */
/* The binder: values of a known shape out of a document, with errors that name the member. */
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Copies a name for a message; what a terminal would obey is not shown. */
static void show_name(char out[80], eis_span name)
{
    size_t n = name.bytes < 64 ? name.bytes : 64;

    for (size_t i = 0; i < n; i++) out[i] = name.data[i] >= 0x20 && name.data[i] < 0x7f ? (char)name.data[i] : '?';
    out[n] = '\0';
}

static bool is_listed(eis_span name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strlen(*names) == name.bytes && memcmp(*names, name.data, name.bytes) == 0) return true;
    return false;
}

eis_status eis_json_bind_object(eis_json_value object, const char *path, const char *const *names)
{
    eis_json_iter it = eis_json_iterate(object);
    eis_json_value value;
    eis_span name;
    char shown[80];

    if (eis_json_type_of(object) != EIS_JSON_OBJECT)
        return eis_fail(EIS_ERR_PARSE, "%s must be an object and is %s", path,
                        eis_json_type_name(eis_json_type_of(object)));
    while (eis_json_next_member(&it, &name, &value))
        if (!is_listed(name, names)) {
            show_name(shown, name);
            return eis_fail(EIS_ERR_PARSE, "%s: unknown member \"%s\"", path, shown);
        }
    return EIS_OK;
}

static eis_status fail_missing(const char *path, const char *name)
{
    return eis_fail(EIS_ERR_PARSE, "%s: member \"%s\" is missing", path, name);
}

static eis_status fail_type(const char *path, const char *name, const char *expected, eis_json_value value)
{
    return eis_fail(EIS_ERR_PARSE, "%s: member \"%s\" must be %s and is %s", path, name, expected,
                    eis_json_type_name(eis_json_type_of(value)));
}

eis_status eis_json_bind_member(eis_json_value *value, eis_json_value object, const char *path, const char *name)
{
    return eis_json_find(value, object, name) ? EIS_OK : fail_missing(path, name);
}

/* Finds a member for one of the functions below; *found says whether there is something to read. */
static eis_status look_up(eis_json_value *value, bool *found, eis_json_value object, const char *path, const char *name,
                          bool required)
{
    *found = eis_json_find(value, object, name);
    return *found || !required ? EIS_OK : fail_missing(path, name);
}

eis_status eis_json_bind_u64(uint64_t *out, eis_json_value object, const char *path, const char *name, bool required,
                             uint64_t min, uint64_t max)
{
    eis_status st = EIS_OK;
    eis_json_value value;
    uint64_t v;
    bool found;

    EIS_TRY(look_up(&value, &found, object, path, name, required));
    if (!found) return EIS_OK;
    if (eis_json_type_of(value) != EIS_JSON_INTEGER) return fail_type(path, name, "an integer", value);
    EIS_REQUIRE(eis_json_u64(&v, value) && v >= min && v <= max, EIS_ERR_PARSE,
                "%s: member \"%s\" must lie in %" PRIu64 "..%" PRIu64, path, name, min, max);
    *out = v;
out:
    return st;
}

eis_status eis_json_bind_i64(int64_t *out, eis_json_value object, const char *path, const char *name, bool required,
                             int64_t min, int64_t max)
{
    eis_status st = EIS_OK;
    eis_json_value value;
    int64_t v;
    bool found;

    EIS_TRY(look_up(&value, &found, object, path, name, required));
    if (!found) return EIS_OK;
    if (eis_json_type_of(value) != EIS_JSON_INTEGER) return fail_type(path, name, "an integer", value);
    EIS_REQUIRE(eis_json_i64(&v, value) && v >= min && v <= max, EIS_ERR_PARSE,
                "%s: member \"%s\" must lie in %" PRId64 "..%" PRId64, path, name, min, max);
    *out = v;
out:
    return st;
}

eis_status eis_json_bind_double(double *out, eis_json_value object, const char *path, const char *name, bool required,
                                double min, double max)
{
    eis_status st = EIS_OK;
    eis_json_value value;
    bool found;
    double v;

    EIS_TRY(look_up(&value, &found, object, path, name, required));
    if (!found) return EIS_OK;
    if (!eis_json_double(&v, value)) return fail_type(path, name, "a number", value);
    EIS_REQUIRE(v >= min && v <= max, EIS_ERR_PARSE, "%s: member \"%s\" must lie in %g..%g", path, name, min, max);
    *out = v;
out:
    return st;
}

eis_status eis_json_bind_bool(bool *out, eis_json_value object, const char *path, const char *name, bool required)
{
    eis_status st = EIS_OK;
    eis_json_value value;
    bool found;

    EIS_TRY(look_up(&value, &found, object, path, name, required));
    if (found && !eis_json_bool(out, value)) st = fail_type(path, name, "true or false", value);
out:
    return st;
}

eis_status eis_json_bind_string(eis_span *out, eis_json_value object, const char *path, const char *name, bool required)
{
    eis_status st = EIS_OK;
    eis_json_value value;
    bool found;

    EIS_TRY(look_up(&value, &found, object, path, name, required));
    if (found && !eis_json_string(out, value)) st = fail_type(path, name, "a string", value);
out:
    return st;
}

eis_status eis_json_bind_text(char *out, size_t out_bytes, eis_json_value object, const char *path, const char *name,
                              bool required)
{
    eis_span text = {0};
    eis_status st = EIS_OK;

    EIS_TRY(eis_json_bind_string(&text, object, path, name, required));
    if (text.data == NULL) return EIS_OK;
    EIS_REQUIRE(text.bytes < out_bytes, EIS_ERR_PARSE, "%s: member \"%s\" is longer than %zu bytes", path, name,
                out_bytes - 1);
    EIS_REQUIRE(memchr(text.data, 0, text.bytes) == NULL, EIS_ERR_PARSE, "%s: member \"%s\" holds a zero character",
                path, name);
    memcpy(out, text.data, text.bytes);
    out[text.bytes] = '\0';
out:
    return st;
}

eis_status eis_json_bind_array(eis_json_value *out, eis_json_value object, const char *path, const char *name,
                               size_t length_min, size_t length_max)
{
    eis_status st = EIS_OK;
    eis_json_value value;
    size_t length;

    EIS_TRY(eis_json_bind_member(&value, object, path, name));
    if (eis_json_type_of(value) != EIS_JSON_ARRAY) return fail_type(path, name, "an array", value);
    length = eis_json_length(value);
    EIS_REQUIRE(length >= length_min && length <= length_max, EIS_ERR_PARSE,
                "%s: member \"%s\" has %zu entries, %zu..%zu are allowed", path, name, length, length_min, length_max);
    *out = value;
out:
    return st;
}

/* Whether all elements are integers in range; the second pass copies them, so that `out` is all or nothing. */
static bool copy_u64_elements(uint64_t *out, eis_json_value array, uint64_t min, uint64_t max)
{
    eis_json_iter it = eis_json_iterate(array);
    eis_json_value value;
    uint64_t v;

    for (size_t i = 0; eis_json_next_element(&it, &value); i++) {
        if (!eis_json_u64(&v, value) || v < min || v > max) return false;
        if (out != NULL) out[i] = v;
    }
    return true;
}

eis_status eis_json_bind_u64_array(uint64_t *out, size_t count, eis_json_value object, const char *path,
                                   const char *name, bool required, uint64_t min, uint64_t max)
{
    eis_status st = EIS_OK;
    eis_json_value value;
    bool found;

    EIS_TRY(look_up(&value, &found, object, path, name, required));
    if (!found) return EIS_OK;
    if (eis_json_type_of(value) != EIS_JSON_ARRAY) return fail_type(path, name, "an array", value);
    EIS_REQUIRE(eis_json_length(value) == count, EIS_ERR_PARSE, "%s: member \"%s\" must have %zu entries and has %zu",
                path, name, count, eis_json_length(value));
    EIS_REQUIRE(copy_u64_elements(NULL, value, min, max), EIS_ERR_PARSE,
                "%s: member \"%s\" must hold integers in %" PRIu64 "..%" PRIu64, path, name, min, max);
    (void)copy_u64_elements(out, value, min, max);
out:
    return st;
}
