/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON writer: `put` is the one place that knows where bytes go, `start_value` the one that sets commas. */
#include "wire/json_writer.h"

#include "wire/json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

void eis_json_writer_to_buffer(eis_json_writer *w, eis_writer *buffer)
{
    *w = (eis_json_writer){.buffer = buffer, .st = EIS_OK};
}

void eis_json_writer_to_file(eis_json_writer *w, FILE *file) { *w = (eis_json_writer){.file = file, .st = EIS_OK}; }

static void put(eis_json_writer *w, const void *data, size_t bytes)
{
    if (w->st != EIS_OK || bytes == 0) return;
    if (w->buffer != NULL) {
        eis_wire_writer_bytes(w->buffer, data, bytes);
        w->st = eis_wire_writer_status(w->buffer);
    } else if (fwrite(data, 1, bytes, w->file) != bytes) {
        w->st = eis_fail(EIS_ERR_FILE, "JSON cannot be written");
    }
}

static bool inside_object(const eis_json_writer *w) { return w->depth > 0 && (w->in_object >> (w->depth - 1) & 1); }

static void start_value(eis_json_writer *w)
{
    EIS_ASSERT(inside_object(w) == w->have_key); /* a member has a name, an element has none */
    if (!w->have_key && w->need_comma) put(w, ",", 1);
    w->have_key = false;
    w->need_comma = true;
}

static void begin(eis_json_writer *w, const char *bracket, bool object)
{
    start_value(w);
    EIS_ASSERT(w->depth < EIS_JSON_WRITER_DEPTH_MAX);
    w->in_object = (w->in_object & ~((uint64_t)1 << w->depth)) | (uint64_t)object << w->depth;
    w->depth++;
    w->need_comma = false;
    put(w, bracket, 1);
}

static void end(eis_json_writer *w, const char *bracket, bool object)
{
    EIS_ASSERT(w->depth > 0 && inside_object(w) == object && !w->have_key);
    w->depth--;
    w->need_comma = true;
    put(w, bracket, 1);
}

void eis_json_writer_begin_object(eis_json_writer *w) { begin(w, "{", true); }
void eis_json_writer_end_object(eis_json_writer *w) { end(w, "}", true); }
void eis_json_writer_begin_array(eis_json_writer *w) { begin(w, "[", false); }
void eis_json_writer_end_array(eis_json_writer *w) { end(w, "]", false); }

/* Returns the length of the UTF-8 sequence at p, or 0 where there is none. */
static size_t sequence_length(const uint8_t *p, size_t left)
{
    size_t n = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;

    return n <= left && eis_json_utf8_valid(p, n) ? n : 0;
}

static void put_escape(eis_json_writer *w, uint8_t c)
{
    static const char letters[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    const char *known = memchr(letters, c, sizeof letters - 1);
    char text[8];

    if (known != NULL)
        snprintf(text, sizeof text, "\\%c", names[known - letters]);
    else
        snprintf(text, sizeof text, "\\u%04x", c);
    put(w, text, strlen(text));
}

static bool needs_escape(uint8_t c) { return c < 0x20 || c == '"' || c == '\\' || c == 0x7f; }

/* Writes runs of plain characters at once. */
static void put_quoted(eis_json_writer *w, const uint8_t *text, size_t bytes)
{
    size_t plain = 0, i = 0;

    put(w, "\"", 1);
    while (i < bytes) {
        size_t n = needs_escape(text[i]) ? 0 : text[i] < 0x80 ? 1 : sequence_length(text + i, bytes - i);

        if (n > 0) {
            i += n;
            continue;
        }
        put(w, text + plain, i - plain);
        if (needs_escape(text[i]))
            put_escape(w, text[i]);
        else
            put(w, "\xef\xbf\xbd", 3);
        plain = ++i;
    }
    put(w, text + plain, bytes - plain);
    put(w, "\"", 1);
}

void eis_json_writer_key(eis_json_writer *w, const char *name)
{
    EIS_ASSERT(inside_object(w) && !w->have_key);
    if (w->need_comma) put(w, ",", 1);
    put_quoted(w, (const uint8_t *)name, strlen(name));
    put(w, ":", 1);
    w->have_key = true;
}

void eis_json_writer_string(eis_json_writer *w, const void *data, size_t bytes)
{
    start_value(w);
    put_quoted(w, data, bytes);
}

eis_writer *eis_json_writer_begin_text(eis_json_writer *w)
{
    EIS_ASSERT(w->buffer != NULL);
    start_value(w);
    put(w, "\"", 1);
    return w->buffer;
}

void eis_json_writer_end_text(eis_json_writer *w) { put(w, "\"", 1); }

void eis_json_writer_text(eis_json_writer *w, const char *text) { eis_json_writer_string(w, text, strlen(text)); }

static void put_text(eis_json_writer *w, const char *text)
{
    start_value(w);
    put(w, text, strlen(text));
}

void eis_json_writer_u64(eis_json_writer *w, uint64_t v)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, v);
    put_text(w, text);
}

void eis_json_writer_i64(eis_json_writer *w, int64_t v)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRId64, v);
    put_text(w, text);
}

static void put_real(eis_json_writer *w, double v, int digits)
{
    char text[40];

    if (!isfinite(v)) {
        if (w->st == EIS_OK) w->st = eis_fail(EIS_ERR_RANGE, "a number that is not finite has no form in JSON");
        v = 0;
    }
    /* "-0" would be read back as an integer, which has no sign at zero. */
    if (v == 0 && signbit(v))
        snprintf(text, sizeof text, "-0.0");
    else
        snprintf(text, sizeof text, "%.*g", digits, v);
    /* A program that links the library may have set a locale. */
    for (char *p = text; *p; p++)
        if (*p == ',') *p = '.';
    put_text(w, text);
}

void eis_json_writer_f64(eis_json_writer *w, double v) { put_real(w, v, 17); }
void eis_json_writer_f32(eis_json_writer *w, float v) { put_real(w, (double)v, 9); }

void eis_json_writer_rounded(eis_json_writer *w, double v, int digits)
{
    EIS_ASSERT(digits > 0 && digits <= 17);
    put_real(w, v, digits);
}

void eis_json_writer_bool(eis_json_writer *w, bool v) { put_text(w, v ? "true" : "false"); }
void eis_json_writer_null(eis_json_writer *w) { put_text(w, "null"); }

void eis_json_writer_newline(eis_json_writer *w)
{
    EIS_ASSERT(w->depth == 0);
    put(w, "\n", 1);
    w->need_comma = false;
}

eis_status eis_json_writer_status(const eis_json_writer *w) { return w->st; }
