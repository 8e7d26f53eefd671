/* SPDX-License-Identifier: Apache-2.0 */
/* A growing run of bytes for prompts and decoded text, and what we need to know of UTF-8. */
#ifndef EIS_MODEL_TEXT_H
#define EIS_MODEL_TEXT_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Bytes that grow at the end. Valid when zeroed. */
typedef struct eis_text {
    uint8_t *data; /* not zero-terminated */
    size_t bytes;
    size_t capacity;
} eis_text;

/* Appends bytes. `data` may be NULL where bytes is 0.
 *
 * Secret:  the bytes; an old place is wiped when the text moves.
 * Cost:    amortised O(bytes).
 * Errors:  EIS_ERR_MEMORY  the text is unchanged. */
EIS_MUST_USE eis_status eis_text_append(eis_text *text, const void *data, size_t bytes);

/* Wipes and frees; the text is empty afterwards. */
void eis_text_clear(eis_text *text);

/* Returns how many bytes the first UTF-8 character of data has, or 0 where the bytes start no well-formed character
 * (overlong forms, surrogates and values above U+10FFFF are not well-formed), or where the character is cut off. */
size_t eis_utf8_next(const uint8_t *data, size_t bytes);

/* Returns how many bytes at the front of data are whole, well-formed UTF-8. */
size_t eis_utf8_valid_prefix(const uint8_t *data, size_t bytes);

/* Returns how many bytes at the end of data begin a character that may still be completed: 0 to 3. */
size_t eis_utf8_unfinished_suffix(const uint8_t *data, size_t bytes);

#endif
