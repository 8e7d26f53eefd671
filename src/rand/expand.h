/* SPDX-License-Identifier: Apache-2.0 */
/* The stream that a public 64-byte seed stands for on the SEAL wire: blocks of 4096 bytes for the counters 0, 1, 2, ...
 */
#ifndef EIS_RAND_EXPAND_H
#define EIS_RAND_EXPAND_H

#include "base/status.h"
#include "rand/prg.h"

#include <stddef.h>
#include <stdint.h>

#define EIS_EXPAND_SEED_BYTES  64
#define EIS_EXPAND_BLOCK_BYTES 4096

/* The values travel in one byte. */
typedef enum eis_expand_generator {
    EIS_EXPAND_BLAKE2XB = 1, /* block c = BLAKE2xb, 4096 bytes, key = seed, message = u64 c */
    EIS_EXPAND_SHAKE256 = 2  /* block c = SHAKE256(seed | u64 c), 4096 bytes */
} eis_expand_generator;

/* A stream that is being read. Valid when zeroed. One thread at a time. */
typedef struct eis_expand {
    unsigned generator; /* 0: stopped */
    uint8_t seed[EIS_EXPAND_SEED_BYTES];
    uint64_t counter;  /* of the next block */
    size_t rest_bytes; /* of `rest`, at its end, not yet read */
    uint8_t rest[EIS_EXPAND_BLOCK_BYTES];
} eis_expand;

/* Starts the stream of a seed at its first byte.
 *
 * Errors:  EIS_ERR_UNSUPPORTED  unknown generator.  The stream is stopped on error. */
EIS_MUST_USE eis_status eis_expand_start(eis_expand *expand, unsigned generator,
                                         const uint8_t seed[EIS_EXPAND_SEED_BYTES]);

/* Reads the next bytes; how reads are cut does not change the stream. Long reads are faster: whole blocks are made
 * side by side.
 *
 * Shape:   out[bytes].
 * Errors:  none; the status is that of all streams. */
EIS_MUST_USE eis_status eis_expand_read(eis_expand *expand, void *out, size_t bytes);

/* Forgets the stream. Safe on a zeroed one. */
void eis_expand_clear(eis_expand *expand);

/* Returns the running stream for those who read words from it. */
eis_byte_source eis_expand_stream(eis_expand *expand);

#endif
