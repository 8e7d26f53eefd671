/* SPDX-License-Identifier: Apache-2.0 */
/* Uniform words of the field from a seed. Parties and dealer read the same words from the same seeds, so what the word
 * at place i is belongs to the protocol: bytes 8 i to 8 i + 7 of the stream, cut to k bits; where that is p, which is
 * no word, the first 8 bytes of SHA-256("eis mpc place", key, i, try), cut alike, of the first try from 0 that is a
 * word. So each place can be read by itself, and words are exactly uniform. */
#ifndef EIS_ENGINE_MPC_STREAM_H
#define EIS_ENGINE_MPC_STREAM_H

#include "rand/prg.h"
#include "ring/fp_word.h"

#define EIS_MPC_SEED_BYTES 32

/* A stream of words. Valid when zeroed. */
typedef struct eis_mpc_stream {
    eis_prg prg;
    uint8_t key[EIS_MPC_SEED_BYTES];
    uint64_t place; /* of the next word */
} eis_mpc_stream;

/* What a stream is for. Each purpose has numbers of its own, and no number is used twice under one seed. */
typedef enum eis_mpc_purpose {
    EIS_MPC_PURPOSE_KEY = 1,     /* 0: the share of the MAC key */
    EIS_MPC_PURPOSE_WEIGHTS = 2, /* matrix: the masks of its weights */
    EIS_MPC_PURPOSE_LOAD = 3,    /* 0: the tags of all matrices */
    EIS_MPC_PURPOSE_INPUT = 4,   /* step * 2^16 + slot: the masks of that input */
    EIS_MPC_PURPOSE_STEP = 5,    /* step: everything else */
    EIS_MPC_PURPOSE_TEST = 6     /* step: what its material is tested with; 2^63: that of the load */
} eis_mpc_purpose;

#define EIS_MPC_TEST_LOAD ((uint64_t)1 << 63)

/* Derives the key of a stream: SHA-256 of seed, purpose and number, domain separated. An owner of an input is given the
 * keys of its masks, one per party, and learns nothing about other streams.
 *
 * Shape:   key[EIS_MPC_SEED_BYTES], seed[EIS_MPC_SEED_BYTES].
 * Secret:  all. Errors: EIS_ERR_MEMORY, EIS_ERR_INTERNAL; key is wiped. */
EIS_MUST_USE eis_status eis_mpc_stream_key(uint8_t *key, const uint8_t *seed, eis_mpc_purpose purpose, uint64_t number);

/* Starts the words of a key; or of (seed, purpose, number). Errors: EIS_ERR_MEMORY, EIS_ERR_INTERNAL. */
EIS_MUST_USE eis_status eis_mpc_stream_start_key(eis_mpc_stream *stream, const uint8_t *key);
EIS_MUST_USE eis_status eis_mpc_stream_start(eis_mpc_stream *stream, const uint8_t *seed, eis_mpc_purpose purpose,
                                             uint64_t number);

/* The same for the words of a graph. The last party tells the dealer which graph comes next, and the others never hear
 * that: were the key the same for all graphs of a step, it could have one dealt while they walk another, and the
 * corrections of the one would show shares of the other.
 * Shape: graph[32], of eis_mpc_graph_digest. */
EIS_MUST_USE eis_status eis_mpc_stream_start_graph(eis_mpc_stream *stream, const uint8_t *seed, eis_mpc_purpose purpose,
                                                   uint64_t number, const uint8_t *graph);

/* The number of an input's masks. Range: slot < 2^16. */
static inline uint64_t eis_mpc_input_number(uint64_t step, uint32_t slot) { return step << 16 | slot; }

/* Goes to the word at a place. Errors: EIS_ERR_INTERNAL. */
EIS_MUST_USE eis_status eis_mpc_stream_seek(eis_mpc_stream *stream, uint64_t place);

/* Reads words. Shape: words[count]. Errors: EIS_ERR_INTERNAL; words are wiped. */
EIS_MUST_USE eis_status eis_mpc_stream_words(eis_mpc_stream *stream, uint64_t *words, size_t count);

/* Wipes and frees. Safe on a zeroed stream. */
void eis_mpc_stream_clear(eis_mpc_stream *stream);

#endif
