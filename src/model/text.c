/* SPDX-License-Identifier: Apache-2.0 */
/* Growing bytes and the well-formedness of UTF-8. */
#include "model/text.h"

#include "base/bytes.h"
#include "base/mem.h"

#include <string.h>

enum { TEXT_CAPACITY_MIN = 64 };

eis_status eis_text_append(eis_text *text, const void *data, size_t bytes)
{
    eis_status st = EIS_OK;
    size_t needed, doubled, capacity;

    if (bytes == 0) return EIS_OK;
    EIS_REQUIRE(eis_size_add(&needed, text->bytes, bytes), EIS_ERR_MEMORY, "a text of more than 2^64 bytes");
    if (needed > text->capacity) {
        doubled = text->capacity < TEXT_CAPACITY_MIN ? TEXT_CAPACITY_MIN : text->capacity + text->capacity / 2;
        capacity = needed > doubled ? needed : doubled;
        EIS_TRY(eis_mem_resize(&text->data, text->capacity, capacity, 1));
        text->capacity = capacity;
    }
    memcpy(text->data + text->bytes, data, bytes);
    text->bytes = needed;
out:
    return st;
}

void eis_text_clear(eis_text *text)
{
    eis_mem_free_wiped(text->data, text->capacity, 1);
    *text = (eis_text){0};
}

/* How many bytes a character has that begins with this one; 0 for a byte that begins none. */
static size_t sequence_bytes(uint8_t first)
{
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF) return 2;
    if (first >= 0xE0 && first <= 0xEF) return 3;
    if (first >= 0xF0 && first <= 0xF4) return 4;
    return 0;
}

/* Whether the second byte may follow the first: this is where overlong forms, surrogates and values above U+10FFFF
 * show (Unicode 15, table 3-7). */
static int second_byte_fits(uint8_t first, uint8_t second)
{
    uint8_t low = 0x80, high = 0xBF;

    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
    return second >= low && second <= high;
}

/* How many of the bytes fit into the character that the first of them begins. */
static size_t matching_bytes(const uint8_t *data, size_t bytes, size_t needed)
{
    size_t i = 1;

    while (i < needed && i < bytes && (i == 1 ? second_byte_fits(data[0], data[1]) : (data[i] & 0xC0) == 0x80)) i++;
    return i;
}

size_t eis_utf8_next(const uint8_t *data, size_t bytes)
{
    size_t needed = bytes > 0 ? sequence_bytes(data[0]) : 0;

    if (needed == 0 || needed > bytes) return 0;
    return matching_bytes(data, bytes, needed) == needed ? needed : 0;
}

size_t eis_utf8_valid_prefix(const uint8_t *data, size_t bytes)
{
    size_t at = 0;

    while (at < bytes) {
        size_t step = eis_utf8_next(data + at, bytes - at);
        if (step == 0) break;
        at += step;
    }
    return at;
}

size_t eis_utf8_unfinished_suffix(const uint8_t *data, size_t bytes)
{
    for (size_t back = 1; back <= 3 && back <= bytes; back++) {
        const uint8_t *start = data + bytes - back;
        size_t needed = sequence_bytes(*start);
        if (needed > back && matching_bytes(start, back, needed) == back) return back;
        if ((*start & 0xC0) != 0x80) return 0;
    }
    return 0;
}
