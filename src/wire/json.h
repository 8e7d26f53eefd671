/* SPDX-License-Identifier: Apache-2.0 */
/* JSON in: strict RFC 8259 and UTF-8, by simdjson behind this C header. A document is checked as a whole when it is
 * parsed (depth, size, surrogates, members that occur twice, numbers out of range); after that handles into it cannot
 * dangle as long as the document lives. Errors name the member: "model.json: layers[2].kernel must be ...". */
#ifndef EIS_WIRE_JSON_H
#define EIS_WIRE_JSON_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define EIS_JSON_DEPTH_MAX      64
#define EIS_JSON_PATH_BYTES_MAX 256

typedef struct eis_json_doc eis_json_doc;

typedef enum eis_json_type {
    EIS_JSON_NULL,
    EIS_JSON_BOOL,
    EIS_JSON_INTEGER, /* written without fraction and exponent, in [-2^63, 2^64) */
    EIS_JSON_DOUBLE,  /* any other number, finite as a double */
    EIS_JSON_STRING,
    EIS_JSON_ARRAY,
    EIS_JSON_OBJECT
} eis_json_type;

/* A value inside a document; passed by value, valid while the document lives. The fields belong to json.cc. */
typedef struct eis_json_value {
    const void *doc;
    size_t index;
} eis_json_value;

/* A walk over the members of an object or the elements of an array. */
typedef struct eis_json_iter {
    eis_json_value at, end;
} eis_json_iter;

/* Parses a whole document. The text may go away afterwards.
 *
 * Shape:  text[bytes], bytes <= bytes_max < 2^32; no byte-order mark.
 * Errors: EIS_ERR_PARSE      what is wrong and, where known, at which member; `what` names the input.
 *         EIS_ERR_TOO_LARGE  longer than bytes_max.
 *         EIS_ERR_MEMORY     *doc is untouched on error. */
EIS_MUST_USE eis_status eis_json_parse(eis_json_doc **doc, const char *what, const void *text, size_t bytes,
                                       size_t bytes_max);

/* Wipes and frees a document. NULL is allowed. */
void eis_json_free(eis_json_doc *doc);

/* Returns the outermost value. */
eis_json_value eis_json_root(const eis_json_doc *doc);

/* Returns the type of a value. */
eis_json_type eis_json_type_of(eis_json_value value);

/* Returns the name of a type for messages: "an object". */
const char *eis_json_type_name(eis_json_type type);

/* Finds a member. Returns false where there is none, or `object` is none; *value is then untouched.
 * Cost: one comparison per member before it; walk large objects with an iterator. */
bool eis_json_find(eis_json_value *value, eis_json_value object, const char *name);

/* Returns the number of members or elements; 0 for other values. */
size_t eis_json_length(eis_json_value container);

/* Starts a walk; over anything but an object or array it is empty. */
eis_json_iter eis_json_iterate(eis_json_value container);

/* Steps to the next member of an object. Returns false at the end. The name is UTF-8, not zero-terminated. */
bool eis_json_next_member(eis_json_iter *it, eis_span *name, eis_json_value *value);

/* Steps to the next element of an array. Returns false at the end. */
bool eis_json_next_element(eis_json_iter *it, eis_json_value *value);

/* Read a value of a known type. Return false, leaving *out alone, where the type is another one or the number does
 * not fit; eis_json_double takes integers too (rounded to nearest). */
bool eis_json_u64(uint64_t *out, eis_json_value value);
bool eis_json_i64(int64_t *out, eis_json_value value);
bool eis_json_double(double *out, eis_json_value value);
bool eis_json_bool(bool *out, eis_json_value value);
bool eis_json_string(eis_span *out, eis_json_value value);

/* Returns whether a string value equals a zero-terminated text. */
bool eis_json_string_is(eis_json_value value, const char *text);

/* Returns whether bytes are valid UTF-8 (no surrogates, no overlong forms). */
bool eis_json_utf8_valid(const void *data, size_t bytes);

/* ---- The binder: values of a known shape, with errors that name the member ----
 * `path` is the place of the object or value in words: "model.json: layers[2]" or just "config.json". All of them fail
 * with EIS_ERR_PARSE and leave their outputs alone. */

/* Refuses a value that is no object, and any member that is not in the NULL-terminated list of names. */
EIS_MUST_USE eis_status eis_json_bind_object(eis_json_value object, const char *path, const char *const *names);

/* Finds a member that must be there. */
EIS_MUST_USE eis_status eis_json_bind_member(eis_json_value *value, eis_json_value object, const char *path,
                                             const char *name);

/* Read a member of an object. Where it is absent: an error if `required`, else *out keeps what it held. An explicit
 * null is refused like any other wrong type. The number must lie in [min, max]. */
EIS_MUST_USE eis_status eis_json_bind_u64(uint64_t *out, eis_json_value object, const char *path, const char *name,
                                          bool required, uint64_t min, uint64_t max);
EIS_MUST_USE eis_status eis_json_bind_i64(int64_t *out, eis_json_value object, const char *path, const char *name,
                                          bool required, int64_t min, int64_t max);
EIS_MUST_USE eis_status eis_json_bind_double(double *out, eis_json_value object, const char *path, const char *name,
                                             bool required, double min, double max);
EIS_MUST_USE eis_status eis_json_bind_bool(bool *out, eis_json_value object, const char *path, const char *name,
                                           bool required);
EIS_MUST_USE eis_status eis_json_bind_string(eis_span *out, eis_json_value object, const char *path, const char *name,
                                             bool required);

/* Copies a string member into out[out_bytes], zero-terminated; one that is too long or holds a zero is refused. */
EIS_MUST_USE eis_status eis_json_bind_text(char *out, size_t out_bytes, eis_json_value object, const char *path,
                                           const char *name, bool required);

/* Finds an array member whose number of elements lies in [min, max]. */
EIS_MUST_USE eis_status eis_json_bind_array(eis_json_value *out, eis_json_value object, const char *path,
                                            const char *name, size_t length_min, size_t length_max);

/* Reads an array of exactly `count` (a member `name`) numbers in [min, max]. */
EIS_MUST_USE eis_status eis_json_bind_u64_array(uint64_t *out, size_t count, eis_json_value object, const char *path,
                                                const char *name, bool required, uint64_t min, uint64_t max);

#ifdef __cplusplus
}
#endif
#endif
