/* SPDX-License-Identifier: Apache-2.0 */
/* The seam between json.cc, which alone knows simdjson and C++, and json.c, which makes the rest of wire/json.h out of
 * it in C. Nothing else includes this file. */
#ifndef EIS_WIRE_JSON_CORE_H
#define EIS_WIRE_JSON_CORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct eis_json_core eis_json_core;

/* A place on the tape of a parsed document. */
typedef struct eis_json_core_at {
    const void *doc;
    size_t index;
} eis_json_core_at;

typedef enum eis_json_core_result {
    EIS_JSON_CORE_OK,
    EIS_JSON_CORE_MALFORMED,
    EIS_JSON_CORE_MEMORY
} eis_json_core_result;

/* How many readable bytes must follow a text that is parsed. */
size_t eis_json_core_padding(void);

/* Parses text[bytes] with the padding behind it. On failure *message says why, as a static text, and *core is NULL. */
eis_json_core_result eis_json_core_parse(eis_json_core **core, const char **message, const uint8_t *text, size_t bytes,
                                         unsigned depth_max);

/* Wipes and frees. */
void eis_json_core_free(eis_json_core *core);

eis_json_core_at eis_json_core_root(const eis_json_core *core);

/* Returns the letter of a value: '{' '[' '"' 'l' (signed) 'u' (unsigned) 'd' (double) 't' 'f' 'n'. */
char eis_json_core_letter(eis_json_core_at at);

/* Returns the text of a string or member name. */
const uint8_t *eis_json_core_string(eis_json_core_at at, size_t *bytes);

/* Returns the 64 bits of a number. */
uint64_t eis_json_core_bits(eis_json_core_at at);

/* Walk: the first place inside a container, the place behind the last, and the place after a value. */
eis_json_core_at eis_json_core_first(eis_json_core_at container);
eis_json_core_at eis_json_core_end(eis_json_core_at container);
eis_json_core_at eis_json_core_next(eis_json_core_at at);

int eis_json_core_utf8_valid(const void *data, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
