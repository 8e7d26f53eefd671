/* SPDX-License-Identifier: Apache-2.0 */
/* The container of every SEAL object: a header of 16 bytes, then a body that may be compressed as a whole.
 *
 *   5e a1 | 10 | major | minor | mode | 00 00 | u64 size, this header included | body
 *
 * Readers of the objects (seal_params.h, seal_plain.h, seal_ct.h, seal_keys.h) open it here, and every failure of
 * theirs is EIS_ERR_CIPHERTEXT unless a header says otherwise. Nothing is allocated by what the input claims: a body
 * that is decompressed is bounded by the size that the caller's parameters imply.
 *
 * Source: [SEAL41]. */
#ifndef EIS_CKKS_SEAL_WIRE_H
#define EIS_CKKS_SEAL_WIRE_H

#include "wire/cursor.h"

#define EIS_SEAL_HEADER_BYTES     16
#define EIS_SEAL_WINDOW_BYTES     ((size_t)8 << 20) /* a zstd frame that asks for a larger window is refused */
#define EIS_SEAL_OBJECT_BYTES_MAX ((size_t)1 << 34) /* no object of ours is larger; keeps sums far from overflow */

typedef enum eis_seal_mode { EIS_SEAL_NONE = 0, EIS_SEAL_ZLIB = 1, EIS_SEAL_ZSTD = 2 } eis_seal_mode;

/* Which versions stand in the headers that we write. */
typedef enum eis_seal_form {
    EIS_SEAL_FORM_4_1 = 0,      /* (4,1): Pyfhel since 3.4.3, TenSEAL, node-seal, SEAL from 4.4 */
    EIS_SEAL_FORM_UNIVERSAL = 1 /* (3,6): SEAL 3.6 and every 4.x; no correction factor in ciphertexts */
} eis_seal_form;

/* How to write an object. Zeroed: 4.1, not compressed. */
typedef struct eis_seal_style {
    eis_seal_form form;
    eis_seal_mode mode;
} eis_seal_style;

/* An object that is being read. Valid when zeroed. */
typedef struct eis_seal_object {
    eis_reader body; /* behind the header, decompressed */
    uint8_t major, minor;
    eis_seal_mode mode;
    uint8_t *inflated; /* owned; NULL where the body is read in place */
    size_t inflated_bytes;
} eis_seal_object;

/* Returns the form that answers an object with this header: 4.1 to (4,1) and (4,4), else the universal one. */
eis_seal_form eis_seal_object_form(const eis_seal_object *object);

/* Opens the object that data[bytes] is, whole.
 *
 * Shape:   data[bytes] is read in place where it is not compressed, and must then outlive the object.
 *          object_bytes_max: what a compressed object may become, header included; one that is not compressed
 *          takes no memory here, and its reader compares sizes.
 * Secret:  nothing; use eis_seal_object_close, which wipes all the same.
 * Cost:    allocates only for compressed bodies, at most object_bytes_max.
 * Errors:  EIS_ERR_CIPHERTEXT  bad magic, header size, version, mode or reserved bytes; size unlike `bytes`; a
 *                              compressed body that becomes too large or is not one whole plain stream of its kind
 *                              (dictionary, gzip, skippable frame, bytes behind it, large window).
 *          EIS_ERR_MEMORY      *object is empty on error. */
EIS_MUST_USE eis_status eis_seal_object_open(eis_seal_object *object, const char *what, const void *data, size_t bytes,
                                             size_t object_bytes_max);

/* Ends reading: fails where bytes are left or a read failed, and maps a short body to EIS_ERR_CIPHERTEXT. */
EIS_MUST_USE eis_status eis_seal_object_end(eis_seal_object *object);

/* Wipes and frees. Safe on a zeroed object. */
void eis_seal_object_close(eis_seal_object *object);

/* Steps over the next nested object of `r` and gives a reader of its body. Its header has the version of the outer
 * object, mode none, and a size within what is left.
 *
 * Errors:  sticky in r, with EIS_ERR_CIPHERTEXT; *inner then holds the error too and reads zeros. */
void eis_seal_nested(eis_reader *inner, eis_reader *r, const eis_seal_object *object);

/* Ends a nested object: bytes left over in it, or a failed read, become the error of its parent. */
void eis_seal_nested_end(eis_reader *parent, eis_reader *inner);

/* Returns st, with EIS_ERR_PARSE (a cursor ran out of bytes) as EIS_ERR_CIPHERTEXT. */
eis_status eis_seal_status(eis_status st);

/* Begins an object and returns where; its header gets its size at the end. */
size_t eis_seal_begin(eis_writer *w, eis_seal_form form);

/* Ends an object that is not compressed: a nested one. */
void eis_seal_end(eis_writer *w, size_t begin);

/* Ends an outermost object, compressing what was written since `begin`.
 *
 * Secret:  nothing: the compressor's own memory is not wiped, so secret keys are never compressed.
 * Errors:  sticky in w: EIS_ERR_MEMORY, EIS_ERR_TOO_LARGE, EIS_ERR_INTERNAL. */
void eis_seal_end_as(eis_writer *w, size_t begin, eis_seal_mode mode);

/* Returns the most bytes that an object of this size takes when it is compressed in either mode. */
size_t eis_seal_packed_bytes_max(size_t object_bytes);

/* The DynArray of words inside plaintexts and ciphertexts: a nested object of u64 count and words. */
#define EIS_SEAL_ARRAY_BYTES (EIS_SEAL_HEADER_BYTES + 8)

/* Appends an array of count words. Shape: words[count]. */
void eis_seal_array_write(eis_writer *w, eis_seal_form form, const uint64_t *words, size_t count);

/* Opens the next array: returns its words in place and their number, which the caller compares with what it expects.
 *
 * Errors:  sticky in r; NULL. */
const uint8_t *eis_seal_array_open(eis_reader *r, const eis_seal_object *object, uint64_t *count);

#endif
