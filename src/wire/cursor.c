/* SPDX-License-Identifier: Apache-2.0 */
/* Reader and writer over bytes. There is one place where a reader moves (advance) and one where a writer grows (grow);
 * the rest spells numbers. */
#include "wire/cursor.h"

#include "base/mem.h"
#include "wire/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void eis_wire_reader_init(eis_reader *r, const char *what, const void *data, size_t bytes)
{
    static const uint8_t nothing[1] = {0};

    EIS_ASSERT(data != NULL || bytes == 0);
    *r = (eis_reader){.data = data != NULL ? data : nothing, .bytes = bytes, .what = what, .st = EIS_OK};
}

void eis_wire_reader_fail(eis_reader *r, eis_status st, const char *format, ...)
{
    char text[256];
    va_list args;

    if (r->st != EIS_OK) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    r->st = eis_fail(st, "%s: %s (at byte %zu)", r->what, text, r->at);
}

/* Returns the next bytes and steps over them, or NULL. */
static const uint8_t *advance(eis_reader *r, size_t bytes)
{
    const uint8_t *here;

    if (r->st != EIS_OK) return NULL;
    if (bytes > r->bytes - r->at) {
        eis_wire_reader_fail(r, EIS_ERR_PARSE, "%zu bytes expected, %zu are left", bytes, r->bytes - r->at);
        return NULL;
    }
    here = r->data + r->at;
    r->at += bytes;
    return here;
}

uint8_t eis_wire_reader_u8(eis_reader *r)
{
    const uint8_t *p = advance(r, 1);
    return p ? *p : 0;
}

uint16_t eis_wire_reader_u16(eis_reader *r)
{
    const uint8_t *p = advance(r, 2);
    return p ? eis_load_le16(p) : 0;
}

uint32_t eis_wire_reader_u32(eis_reader *r)
{
    const uint8_t *p = advance(r, 4);
    return p ? eis_load_le32(p) : 0;
}

uint64_t eis_wire_reader_u64(eis_reader *r)
{
    const uint8_t *p = advance(r, 8);
    return p ? eis_load_le64(p) : 0;
}

double eis_wire_reader_f64(eis_reader *r)
{
    const uint8_t *p = advance(r, 8);
    return p ? eis_load_le_f64(p) : 0;
}

const uint8_t *eis_wire_reader_bytes(eis_reader *r, size_t bytes) { return advance(r, bytes); }

void eis_wire_reader_copy(eis_reader *r, void *out, size_t bytes)
{
    const uint8_t *p = advance(r, bytes);

    if (bytes == 0) return;
    if (p != NULL)
        memcpy(out, p, bytes);
    else
        memset(out, 0, bytes);
}

void eis_wire_reader_skip(eis_reader *r, size_t bytes) { (void)advance(r, bytes); }

static eis_span string_of(eis_reader *r, size_t length, size_t bytes_max)
{
    eis_span span = {0};

    if (r->st == EIS_OK && length > bytes_max)
        eis_wire_reader_fail(r, EIS_ERR_PARSE, "a string of %zu bytes, at most %zu are allowed", length, bytes_max);
    span.data = advance(r, length);
    if (span.data != NULL) span.bytes = length;
    return span;
}

eis_span eis_wire_reader_string16(eis_reader *r, size_t bytes_max)
{
    size_t length = eis_wire_reader_u16(r);
    return string_of(r, length, bytes_max);
}

eis_span eis_wire_reader_string32(eis_reader *r, size_t bytes_max)
{
    size_t length = eis_wire_reader_u32(r);
    return string_of(r, length, bytes_max);
}

static int has_control_characters(eis_span text)
{
    for (size_t i = 0; i < text.bytes; i++)
        if (text.data[i] < 0x20 || text.data[i] == 0x7f) return 1;
    return 0;
}

void eis_wire_reader_text16(eis_reader *r, char *out, size_t out_bytes)
{
    eis_span text;

    EIS_ASSERT(out_bytes > 0);
    out[0] = '\0';
    text = eis_wire_reader_string16(r, out_bytes - 1);
    if (text.data == NULL) return;
    if (has_control_characters(text) || !eis_json_utf8_valid(text.data, text.bytes)) {
        eis_wire_reader_fail(r, EIS_ERR_PARSE, "a text is not UTF-8 or holds control characters");
        return;
    }
    memcpy(out, text.data, text.bytes);
    out[text.bytes] = '\0';
}

size_t eis_wire_reader_remaining(const eis_reader *r) { return r->st == EIS_OK ? r->bytes - r->at : 0; }

eis_status eis_wire_reader_status(const eis_reader *r) { return r->st; }

eis_status eis_wire_reader_end(eis_reader *r)
{
    if (r->st == EIS_OK && r->at != r->bytes)
        eis_wire_reader_fail(r, EIS_ERR_PARSE, "%zu bytes too many", r->bytes - r->at);
    return r->st;
}

void eis_wire_writer_init(eis_writer *w, size_t bytes_max) { *w = (eis_writer){.bytes_max = bytes_max, .st = EIS_OK}; }

void eis_wire_writer_clear(eis_writer *w)
{
    eis_mem_free_wiped(w->data, w->capacity, 1);
    *w = (eis_writer){.bytes_max = w->bytes_max, .st = EIS_OK};
}

void eis_wire_writer_rewind(eis_writer *w)
{
    eis_mem_wipe(w->data, w->bytes);
    w->bytes = 0;
    w->st = EIS_OK;
}

/* Makes room for at least `bytes` more. Doubles, so that appending stays linear; messages may be secret, so the memory
 * is kept out of core dumps and wiped when it moves. */
static int grow(eis_writer *w, size_t bytes)
{
    size_t need, capacity;
    uint8_t *fresh;

    if (w->st != EIS_OK) return 0;
    if (!eis_size_add(&need, w->bytes, bytes) || need > w->bytes_max) {
        w->st = eis_fail(EIS_ERR_TOO_LARGE, "a message would be longer than %zu bytes", w->bytes_max);
        return 0;
    }
    if (need <= w->capacity && w->data != NULL) return 1;
    capacity = w->capacity < 128 ? 256 : w->capacity > SIZE_MAX / 2 ? need : 2 * w->capacity;
    if (capacity > w->bytes_max) capacity = w->bytes_max;
    if (capacity < need) capacity = need;
    fresh = eis_mem_new_secret(capacity, 1);
    if (fresh == NULL) {
        w->st = EIS_ERR_MEMORY;
        return 0;
    }
    if (w->data != NULL) memcpy(fresh, w->data, w->bytes);
    eis_mem_free_wiped(w->data, w->capacity, 1);
    w->data = fresh;
    w->capacity = capacity;
    return 1;
}

void eis_wire_writer_expect(eis_writer *w, size_t bytes) { (void)grow(w, bytes); }

uint8_t *eis_wire_writer_reserve(eis_writer *w, size_t bytes)
{
    uint8_t *here;

    if (!grow(w, bytes)) return NULL;
    here = w->data + w->bytes;
    memset(here, 0, bytes);
    w->bytes += bytes;
    return here;
}

void eis_wire_writer_u8(eis_writer *w, uint8_t v)
{
    uint8_t *p = eis_wire_writer_reserve(w, 1);
    if (p) *p = v;
}

void eis_wire_writer_u16(eis_writer *w, uint16_t v)
{
    uint8_t *p = eis_wire_writer_reserve(w, 2);
    if (p) eis_store_le16(p, v);
}

void eis_wire_writer_u32(eis_writer *w, uint32_t v)
{
    uint8_t *p = eis_wire_writer_reserve(w, 4);
    if (p) eis_store_le32(p, v);
}

void eis_wire_writer_u64(eis_writer *w, uint64_t v)
{
    uint8_t *p = eis_wire_writer_reserve(w, 8);
    if (p) eis_store_le64(p, v);
}

void eis_wire_writer_f64(eis_writer *w, double v)
{
    uint8_t *p = eis_wire_writer_reserve(w, 8);
    if (p) eis_store_le_f64(p, v);
}

void eis_wire_writer_bytes(eis_writer *w, const void *data, size_t bytes)
{
    if (!grow(w, bytes) || bytes == 0) return;
    memcpy(w->data + w->bytes, data, bytes);
    w->bytes += bytes;
}

void eis_wire_writer_zeros(eis_writer *w, size_t bytes) { (void)eis_wire_writer_reserve(w, bytes); }

static int length_fits(eis_writer *w, size_t bytes, size_t bytes_max)
{
    if (w->st == EIS_OK && bytes > bytes_max)
        w->st = eis_fail(EIS_ERR_TOO_LARGE, "a string of %zu bytes, at most %zu can be written", bytes, bytes_max);
    return w->st == EIS_OK;
}

void eis_wire_writer_string16(eis_writer *w, const void *data, size_t bytes)
{
    if (!length_fits(w, bytes, UINT16_MAX)) return;
    eis_wire_writer_u16(w, (uint16_t)bytes);
    eis_wire_writer_bytes(w, data, bytes);
}

void eis_wire_writer_string32(eis_writer *w, const void *data, size_t bytes)
{
    if (!length_fits(w, bytes, UINT32_MAX)) return;
    eis_wire_writer_u32(w, (uint32_t)bytes);
    eis_wire_writer_bytes(w, data, bytes);
}

eis_status eis_wire_writer_status(const eis_writer *w) { return w->st; }

eis_status eis_wire_writer_take(eis_writer *w, uint8_t **data, size_t *bytes)
{
    if (!grow(w, 0)) return w->st; /* gives an empty message a valid pointer as well */
    *data = w->data;
    *bytes = w->bytes;
    w->data = NULL;
    w->bytes = w->capacity = 0;
    return EIS_OK;
}
