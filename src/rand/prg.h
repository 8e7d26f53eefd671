/* SPDX-License-Identifier: Apache-2.0 */
/* The stream that a seed stands for: a cipher in counter mode (libcrypto, or for AES-128 our own kernel where there is
 * one) whose output is read in order. Both ends of a connection expand the same seed, so the suites are part of the
 * wire format. */
#ifndef EIS_RAND_PRG_H
#define EIS_RAND_PRG_H

#include "base/status.h"
#include "kernel/aes.h"

#include <stddef.h>
#include <stdint.h>

/* The values travel in one byte.
 *
 *   AES128    32 bytes: key = bytes 0-15, first counter block = bytes 16-31, counted up as one 128-bit number,
 *             big-endian
 *   AES256    48 bytes: key = bytes 0-31, first counter block = bytes 32-47, counted the same way
 *   CHACHA20  32 bytes: the key; nonce and block counter start at zero */
typedef enum eis_suite {
    EIS_SUITE_WORDS = 0, /* no seed: the words themselves follow */
    EIS_SUITE_AES128 = 1,
    EIS_SUITE_AES256 = 2,
    EIS_SUITE_CHACHA20 = 3
} eis_suite;

#define EIS_SUITE_COUNT    4
#define EIS_SEED_BYTES_MAX 48

/* Returns the length of a seed of this suite; 0 for EIS_SUITE_WORDS and for unknown numbers. */
size_t eis_suite_seed_bytes(unsigned suite);

/* A generator that many seeds go through, one after another, because making a cipher context costs more than
 * expanding a small share. Valid when zeroed. One thread at a time. */
typedef struct eis_prg {
    void *cipher[EIS_SUITE_COUNT]; /* contexts, made when first needed; no key stays in them between stop and start */
    unsigned suite;                /* 0: stopped */
    const eis_aes128_kernel *own;  /* our AES-128, using `aes`; NULL: libcrypto runs */
    eis_aes128 aes;
    uint8_t first[EIS_AES_BLOCK_BYTES]; /* the counter block that the stream began with: not secret */
    uint8_t rest[EIS_AES_BLOCK_BYTES];  /* of `own`: a block of which the last rest_bytes are still to be read */
    unsigned rest_bytes;
} eis_prg;

/* Starts the stream of a seed at its first byte. A stream that is still running is stopped.
 *
 * Secret:  seed.
 * Cost:    one key set-up, about 0.5 us; an allocation when a suite is used for the first time.
 * Errors:  EIS_ERR_UNSUPPORTED  unknown suite, or EIS_SUITE_WORDS.
 *          EIS_ERR_PARSE        the seed's length does not fit the suite.
 *          EIS_ERR_MEMORY, EIS_ERR_INTERNAL  libcrypto failed.  The generator is stopped on error. */
EIS_MUST_USE eis_status eis_prg_start(eis_prg *prg, unsigned suite, const uint8_t *seed, size_t seed_bytes);

/* Reads the next bytes of the stream; how reads are cut does not change it.
 *
 * Shape:   out[bytes].
 * Secret:  out.
 * Errors:  EIS_ERR_INTERNAL  libcrypto failed; out is wiped and the generator stopped. */
EIS_MUST_USE eis_status eis_prg_read(eis_prg *prg, void *out, size_t bytes);

/* Goes to a byte of the stream, from where the next read begins. For the AES suites (asserted).
 *
 * Errors:  EIS_ERR_INTERNAL  libcrypto failed; the generator is stopped. */
EIS_MUST_USE eis_status eis_prg_seek(eis_prg *prg, uint64_t offset);

/* Ends a stream and wipes its key. The generator can start again. */
void eis_prg_stop(eis_prg *prg);

/* Stops and frees. Safe on a zeroed generator. */
void eis_prg_clear(eis_prg *prg);

/* Where words come from: a generator, or in tests a stream made by hand. */
typedef struct eis_byte_source {
    eis_status (*read)(void *ctx, void *out, size_t bytes); /* the contract of eis_prg_read */
    void *ctx;
} eis_byte_source;

/* Returns the running stream of a generator. */
eis_byte_source eis_prg_stream(eis_prg *prg);

#endif
