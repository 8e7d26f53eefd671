/* SPDX-License-Identifier: Apache-2.0 */
/* Stream bytes to uniform words, exactly as the wire format says: server and client must make the same words. */
#ifndef EIS_RAND_UNIFORM_H
#define EIS_RAND_UNIFORM_H

#include "base/bytes.h"
#include "kernel/kernel.h"
#include "rand/prg.h"

#include <stdbool.h>

/* How words of a share lie in memory and in a stream. PLANES is for Z / 2^(8p) with 8-bit weights: the layout that
 * their kernel reads and that travels. Everything else, F61 with 8-bit weights included, is WORDS (64 bits each). */
typedef enum eis_form { EIS_FORM_WORDS = 0, EIS_FORM_PLANES = 1 } eis_form;

/* A batch of vectors in memory, ready for a kernel: columns n .. cols_padded - 1 are zero, vector v starts at byte
 * v * eis_vectors_stride. Made by eis_vectors_init. */
typedef struct eis_vectors {
    eis_ring ring;
    eis_form form;
    size_t n;           /* columns of one vector */
    size_t cols_padded; /* n rounded up to 64 */
    size_t batch;
} eis_vectors;

/* No share is larger: products of sizes below stay far from overflow. */
#define EIS_VECTORS_N_MAX     EIS_PACKED_COLS_MAX
#define EIS_VECTORS_BYTES_MAX ((size_t)1 << 37) /* ChaCha20 with a 32-bit block counter repeats at 2^38 */

/* Checks and sets a shape.
 *
 * Errors:  EIS_ERR_SHAPE  n or batch is 0 or too large, or the ring has no such form. *shape is untouched. */
EIS_MUST_USE eis_status eis_vectors_init(eis_vectors *shape, eis_ring ring, eis_form form, size_t n, size_t batch);

/* Returns the form of shares of a ring for weights of this geometry. */
static inline eis_form eis_vectors_form(eis_ring ring, eis_geometry geometry)
{
    return geometry == EIS_GEOMETRY_W8 && ring != EIS_RING_F61 ? EIS_FORM_PLANES : EIS_FORM_WORDS;
}

/* Returns the bytes of one vector in memory, a multiple of 64. */
static inline size_t eis_vectors_stride(const eis_vectors *shape)
{
    return shape->cols_padded * (shape->form == EIS_FORM_PLANES ? eis_ring_planes(shape->ring) : 8u);
}

/* Returns the bytes of all vectors in memory. */
static inline size_t eis_vectors_bytes(const eis_vectors *shape) { return shape->batch * eis_vectors_stride(shape); }

/* Returns the bytes of one vector that hold columns: what travels, save that Z52 packs 13 bytes per pair. */
static inline size_t eis_vectors_used(const eis_vectors *shape)
{
    return shape->form == EIS_FORM_PLANES ? eis_round_up(shape->n, 4) * eis_ring_planes(shape->ring) : shape->n * 8;
}

/* Returns the bytes of the stream that one vector takes: what it uses, rounded up to 64. */
static inline size_t eis_vectors_stream_stride(const eis_vectors *shape)
{
    return eis_round_up(eis_vectors_used(shape), 64);
}

/* Fills a batch of vectors from a stream.
 *
 *   PLANES        the stream is the layout: byte ((j div 4) * p + q) * 4 + (j mod 4) is plane q of column j
 *   WORDS, Z_2^r  word i is the low r bits of the 8 little-endian bytes at 8 i
 *   WORDS, F61    the same with 61 bits; the value 2^61 - 1 is replaced by the next word behind the bulk, in the order
 *                 vector, index, and a replacement of that value is skipped
 *
 * Each vector starts at a multiple of 64 bytes of the stream; the bulk is all vectors, each filled up to 64 bytes.
 *
 * Shape:   out[eis_vectors_bytes(shape)]; padded columns are cleared.
 * Secret:  out. A word of 2^61 - 1 takes a longer way, which tells nothing: it is not part of the result.
 * Errors:  what the stream returns; out is wiped. */
EIS_MUST_USE eis_status eis_uniform_vectors(void *out, const eis_vectors *shape, const eis_byte_source *stream);

/* Fills n words, one vector without padding.
 *
 * Shape:   out[n]; reads and replaces as for a batch of one vector in the form WORDS.
 * Secret:  out.
 * Errors:  what the stream returns; out is wiped. */
EIS_MUST_USE eis_status eis_uniform_words(uint64_t *out, size_t n, eis_ring ring, const eis_byte_source *stream);

/* Clears columns n and up of one vector, after words came from somewhere else.
 * Shape: vector[eis_vectors_stride(shape)]. */
void eis_vectors_clear_padding(uint8_t *vector, const eis_vectors *shape);

#endif
