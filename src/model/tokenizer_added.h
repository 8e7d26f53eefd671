/* SPDX-License-Identifier: Apache-2.0 */
/* Added tokens: texts that become one token wherever they stand, before anything else looks at the text. */
#ifndef EIS_MODEL_TOKENIZER_ADDED_H
#define EIS_MODEL_TOKENIZER_ADDED_H

#include "base/status.h"
#include "model/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EIS_ADDED_BYTES_MAX 1024

typedef struct eis_added_token {
    uint32_t id;
    size_t start, bytes;          /* into the arena */
    bool left_space, right_space; /* white space beside it belongs to it */
} eis_added_token;

/* A set of added tokens. Valid when zeroed. */
typedef struct eis_added {
    eis_added_token *tokens; /* [capacity]; sorted by text once sealed */
    size_t count, capacity;
    eis_text arena;
    bool first_byte[256]; /* does any token begin with this byte */
} eis_added;

/* One added token found in a text: bytes [start, end). */
typedef struct eis_added_match {
    size_t start, end;
    uint32_t id;
} eis_added_match;

/* Adds a token. Errors: EIS_ERR_PARSE empty or longer than EIS_ADDED_BYTES_MAX; EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_added_add(eis_added *added, uint32_t id, const uint8_t *text, size_t bytes, bool left_space,
                                      bool right_space);

/* Sorts; to be called once, after the last eis_added_add. Errors: EIS_ERR_PARSE a text that is there twice. */
EIS_MUST_USE eis_status eis_added_seal(eis_added *added);

/* Finds the next added token at or behind `from`: the leftmost, and of those the longest.
 * Returns false where there is none. White space that belongs to it is inside [start, end), never left of `from`. */
bool eis_added_find(const eis_added *added, eis_added_match *match, const uint8_t *text, size_t bytes, size_t from);

void eis_added_clear(eis_added *added);

#endif
