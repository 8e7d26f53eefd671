/* SPDX-License-Identifier: Apache-2.0 */
/* JSON out: a streaming writer into a growable buffer or a file. Commas and escapes are its business; the nesting is
 * the caller's and checked. The first error sticks. */
#ifndef EIS_WIRE_JSON_WRITER_H
#define EIS_WIRE_JSON_WRITER_H

#include "base/status.h"
#include "wire/cursor.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define EIS_JSON_WRITER_DEPTH_MAX 64

typedef struct eis_json_writer {
    eis_writer *buffer; /* one of the two */
    FILE *file;
    uint64_t in_object; /* bit d: level d is an object */
    unsigned depth;
    bool need_comma, have_key;
    eis_status st;
} eis_json_writer;

/* Starts one value (of any kind) appended to a buffer, or printed to a file. */
void eis_json_writer_to_buffer(eis_json_writer *w, eis_writer *buffer);
void eis_json_writer_to_file(eis_json_writer *w, FILE *file);

void eis_json_writer_begin_object(eis_json_writer *w);
void eis_json_writer_end_object(eis_json_writer *w);
void eis_json_writer_begin_array(eis_json_writer *w);
void eis_json_writer_end_array(eis_json_writer *w);

/* Writes the name of the next member. */
void eis_json_writer_key(eis_json_writer *w, const char *name);

/* Write one value. Bytes that are not UTF-8 become U+FFFD. A double that is not finite is EIS_ERR_RANGE;
 * f64 writes 17 significant digits, f32 writes 9, which both read back as they were. */
void eis_json_writer_string(eis_json_writer *w, const void *data, size_t bytes);
void eis_json_writer_text(eis_json_writer *w, const char *text);
void eis_json_writer_u64(eis_json_writer *w, uint64_t v);
void eis_json_writer_i64(eis_json_writer *w, int64_t v);
void eis_json_writer_f64(eis_json_writer *w, double v);
void eis_json_writer_f32(eis_json_writer *w, float v);
void eis_json_writer_rounded(eis_json_writer *w, double v, int digits); /* 1 to 17 significant digits, for reports */
void eis_json_writer_bool(eis_json_writer *w, bool v);
void eis_json_writer_null(eis_json_writer *w);

/* Begins and ends a string whose characters the caller appends to the buffer itself, because they are many and need no
 * escape: hex, base64. Range: a writer to a buffer (asserted). */
eis_writer *eis_json_writer_begin_text(eis_json_writer *w);
void eis_json_writer_end_text(eis_json_writer *w);

/* Ends one line of a stream of values: writes a newline; the next value starts afresh. */
void eis_json_writer_newline(eis_json_writer *w);

/* Returns the first error: the sink's, EIS_ERR_RANGE for a number, EIS_ERR_FILE for a file that cannot be written. */
EIS_MUST_USE eis_status eis_json_writer_status(const eis_json_writer *w);

#endif
