/* SPDX-License-Identifier: Apache-2.0 */
/* Binary data as text: strict base64 (RFC 4648, section 4, with padding), lower-case hex, and ring words as decimal
 * strings of one width per ring. */
#ifndef EIS_WIRE_TEXT_H
#define EIS_WIRE_TEXT_H

#include "base/bytes.h"
#include "base/status.h"
#include "wire/cursor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Returns the length of base64 text for `bytes` bytes, no terminator counted. bytes <= SIZE_MAX / 2. */
static inline size_t eis_wire_base64_length(size_t bytes) { return (bytes + 2) / 3 * 4; }

/* Appends base64 text of data. Errors (sticky in w): as eis_wire_writer_bytes. */
void eis_wire_base64_write(eis_writer *w, const void *data, size_t bytes);

/* Says how many bytes a base64 text holds.
 *
 * Errors: EIS_ERR_ENCODING  the length or the padding is impossible. */
EIS_MUST_USE eis_status eis_wire_base64_bytes(size_t *bytes, const void *text, size_t length);

/* Decodes base64 text into out[out_bytes]; out_bytes must be what eis_wire_base64_bytes says.
 *
 * Errors: EIS_ERR_ENCODING  another length, a foreign character (URL alphabet, white space), padding in the wrong
 *                           place, or stray bits in front of it.  out is wiped. */
EIS_MUST_USE eis_status eis_wire_base64_read(uint8_t *out, size_t out_bytes, const void *text, size_t length);

/* Writes 2 * bytes lower-case digits and a zero. Constant time in data. */
void eis_wire_hex_write(char *out, const void *data, size_t bytes);

/* Reads exactly 2 * out_bytes digits of either case.
 *
 * Errors: EIS_ERR_ENCODING  another length or character.  out is wiped. */
EIS_MUST_USE eis_status eis_wire_hex_read(uint8_t *out, size_t out_bytes, const void *text, size_t length);

#define EIS_DECIMAL_WIDTH_MAX 20

/* Returns the width of a decimal word of a ring: 10, 13, 15, 16, 17, 19, 20 digits for 32, 40, 48, 52, 56, 61, 64 bits;
 * 0 for any other ring. TLS shows lengths, so a width that followed the value would tell about it. */
unsigned eis_wire_decimal_width(unsigned ring_bits);

/* Writes a word filled with zeros to the width of its ring, no terminator.
 *
 * Shape:  out[eis_wire_decimal_width(ring_bits)].
 * Secret: word. Constant time. */
void eis_wire_decimal_write(char *out, uint64_t word, unsigned ring_bits);

/* Reads a word of 1 to width digits.
 *
 * Errors: EIS_ERR_ENCODING  empty, too long, or another character than a digit.
 *         EIS_ERR_RANGE     not below 2^ring_bits, or 2^61 - 1 for ring_bits 61.  *word is untouched. */
EIS_MUST_USE eis_status eis_wire_decimal_read(uint64_t *word, const void *text, size_t length, unsigned ring_bits);

#endif
