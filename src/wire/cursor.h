/* SPDX-License-Identifier: Apache-2.0 */
/* The byte cursor through which every untrusted byte passes: a reader over bytes that somebody else owns, and a writer
 * that grows. Both keep their first error, so that a run of reads looks like the table of the message and is checked
 * once at the end. All numbers are little-endian. */
#ifndef EIS_WIRE_CURSOR_H
#define EIS_WIRE_CURSOR_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads forward through data[0, bytes). After the first error every read gives zeros and stays where it is. */
typedef struct eis_reader {
    const uint8_t *data;
    size_t bytes, at;
    const char *what; /* names the input in error texts: "HELLO", "tok512.bin" */
    eis_status st;
} eis_reader;

/* Starts a reader. `what` and `data` must outlive it; data may be NULL where bytes is 0. */
void eis_wire_reader_init(eis_reader *r, const char *what, const void *data, size_t bytes);

/* Read one number. Errors (sticky): EIS_ERR_PARSE with the offset; the value is then 0. */
uint8_t eis_wire_reader_u8(eis_reader *r);
uint16_t eis_wire_reader_u16(eis_reader *r);
uint32_t eis_wire_reader_u32(eis_reader *r);
uint64_t eis_wire_reader_u64(eis_reader *r);
double eis_wire_reader_f64(eis_reader *r);

/* Returns the next `bytes` bytes in place, or NULL on error; bytes == 0 gives a valid pointer. */
const uint8_t *eis_wire_reader_bytes(eis_reader *r, size_t bytes);

/* Copies the next `bytes` bytes; on error `out` is filled with zeros. */
void eis_wire_reader_copy(eis_reader *r, void *out, size_t bytes);

/* Returns a run of bytes behind its length (u16 or u32) of at most bytes_max; an empty span on error. */
eis_span eis_wire_reader_string16(eis_reader *r, size_t bytes_max);
eis_span eis_wire_reader_string32(eis_reader *r, size_t bytes_max);

/* Copies text behind its u16 length into out[out_bytes], zero-terminated.
 *
 * Errors: EIS_ERR_PARSE (sticky) where it does not fit, is not UTF-8 or holds a control character; out is "". */
void eis_wire_reader_text16(eis_reader *r, char *out, size_t out_bytes);

/* Steps over bytes. */
void eis_wire_reader_skip(eis_reader *r, size_t bytes);

/* Returns how many bytes are left; 0 after an error. */
size_t eis_wire_reader_remaining(const eis_reader *r);

/* Records an error of the caller's own, unless there is one already: "HELLO: <text> (at byte 12)". */
void eis_wire_reader_fail(eis_reader *r, eis_status st, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Returns the first error, or EIS_OK. */
EIS_MUST_USE eis_status eis_wire_reader_status(const eis_reader *r);

/* Returns the first error; bytes left over are one. */
EIS_MUST_USE eis_status eis_wire_reader_end(eis_reader *r);

/* Collects bytes. Zero-initialised it is valid to clear. */
typedef struct eis_writer {
    uint8_t *data;
    size_t bytes, capacity, bytes_max;
    eis_status st;
} eis_writer;

/* Starts an empty writer that refuses to grow beyond bytes_max. */
void eis_wire_writer_init(eis_writer *w, size_t bytes_max);

/* Wipes and frees what was written. */
void eis_wire_writer_clear(eis_writer *w);

/* Wipes what was written, forgets the error and keeps the memory for the next message. */
void eis_wire_writer_rewind(eis_writer *w);

/* Makes room for so many bytes more, so that appending them moves nothing. Errors (sticky): as appending. */
void eis_wire_writer_expect(eis_writer *w, size_t bytes);

/* Append. Errors (sticky): EIS_ERR_MEMORY, EIS_ERR_TOO_LARGE. */
void eis_wire_writer_u8(eis_writer *w, uint8_t v);
void eis_wire_writer_u16(eis_writer *w, uint16_t v);
void eis_wire_writer_u32(eis_writer *w, uint32_t v);
void eis_wire_writer_u64(eis_writer *w, uint64_t v);
void eis_wire_writer_f64(eis_writer *w, double v);
void eis_wire_writer_bytes(eis_writer *w, const void *data, size_t bytes);
void eis_wire_writer_zeros(eis_writer *w, size_t bytes);

/* Appends a run of bytes behind its length. Errors: also EIS_ERR_TOO_LARGE where the length does not fit. */
void eis_wire_writer_string16(eis_writer *w, const void *data, size_t bytes);
void eis_wire_writer_string32(eis_writer *w, const void *data, size_t bytes);

/* Appends `bytes` zero bytes and returns where they are, for a kernel to fill, or NULL on error. Valid until the
 * next append. */
uint8_t *eis_wire_writer_reserve(eis_writer *w, size_t bytes);

/* Returns the first error, or EIS_OK. */
EIS_MUST_USE eis_status eis_wire_writer_status(const eis_writer *w);

/* Hands the bytes to the caller, who frees them with eis_mem_free_wiped(*data, *bytes, 1); the writer is empty then.
 *
 * Errors: the first error; outputs are untouched and the writer keeps what it has. */
EIS_MUST_USE eis_status eis_wire_writer_take(eis_writer *w, uint8_t **data, size_t *bytes);

#endif
