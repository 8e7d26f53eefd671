/* SPDX-License-Identifier: Apache-2.0 */
/* Uniform words of the field from a seed, in order. Parties and dealer read the same words from the same seeds, so how
 * many bytes a word takes is part of the protocol: 8 of the stream, cut to k bits; the word p is left out, and the next
 * one takes its place. */
#ifndef EIS_ENGINE_MPC_STREAM_H
#define EIS_ENGINE_MPC_STREAM_H

#include "rand/prg.h"
#include "ring/fp_word.h"

#define EIS_MPC_SEED_BYTES 32

/* A stream of words. Valid when zeroed. */
typedef struct eis_mpc_stream {
    eis_prg prg;
} eis_mpc_stream;

/* Starts the words of (seed, purpose, number): the key of the stream is SHA-256 of all three, domain separated.
 *
 * Shape:   seed[EIS_MPC_SEED_BYTES]; purpose: a constant of the protocol.
 * Secret:  seed and the words.
 * Errors:  EIS_ERR_MEMORY, EIS_ERR_INTERNAL. */
EIS_MUST_USE eis_status eis_mpc_stream_start(eis_mpc_stream *stream, const uint8_t seed[EIS_MPC_SEED_BYTES],
                                             const char *purpose, uint64_t number);

/* Reads words. Shape: words[count]. Errors: EIS_ERR_INTERNAL; words are wiped. */
EIS_MUST_USE eis_status eis_mpc_stream_words(eis_mpc_stream *stream, uint64_t *words, size_t count);

/* Wipes and frees. Safe on a zeroed stream. */
void eis_mpc_stream_clear(eis_mpc_stream *stream);

#endif
