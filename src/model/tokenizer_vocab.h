/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of a tokenizer: piece <-> id, and the merges as (left id, right id) -> (rank, joined id). */
#ifndef EIS_MODEL_TOKENIZER_VOCAB_H
#define EIS_MODEL_TOKENIZER_VOCAB_H

#include "base/status.h"
#include "model/text.h"
#include "model/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ids are small numbers: arrays have one entry per id, and a file that claims more is hostile. */
#define EIS_TOKEN_ID_MAX    ((uint32_t)1 << 22)
#define EIS_PIECE_BYTES_MAX 65535

typedef struct eis_vocab_piece {
    uint32_t start; /* into the arena */
    uint16_t bytes;
    bool present; /* ids may have holes */
    bool special; /* has no bytes when decoded */
    bool raw;     /* an added token: its bytes are its text, no decoder looks at them */
} eis_vocab_piece;

/* Pieces by id and ids by piece. Valid when zeroed. */
typedef struct eis_vocab {
    eis_vocab_piece *pieces; /* [capacity] */
    uint32_t capacity;
    uint32_t count; /* one above the highest id */
    eis_text arena;
    uint32_t *slots; /* [slot_count], id + 1, 0 = free; a power of two, at most half full */
    size_t slot_count, used;
} eis_vocab;

/* Adds a piece under an id. Two ids may have the same piece; the one added first is found.
 *
 * Errors:  EIS_ERR_PARSE  the id is taken, or above EIS_TOKEN_ID_MAX, or the piece too long; EIS_ERR_MEMORY.
 *          The vocabulary is as before, up to unused space. */
EIS_MUST_USE eis_status eis_vocab_add(eis_vocab *vocab, uint32_t id, const uint8_t *piece, size_t bytes);

/* The same for a piece that eis_vocab_find does not find: an added token, marked raw. */
EIS_MUST_USE eis_status eis_vocab_add_raw(eis_vocab *vocab, uint32_t id, const uint8_t *piece, size_t bytes);

/* Returns the id of a piece, or EIS_TOKEN_NONE. */
uint32_t eis_vocab_find(const eis_vocab *vocab, const uint8_t *piece, size_t bytes);

/* Returns the piece of an id, or NULL where the id has none; *bytes is its length. */
const uint8_t *eis_vocab_piece_of(const eis_vocab *vocab, uint32_t id, size_t *bytes);

/* Returns whether a piece is spelled <0xNN>, and which byte it stands for. */
bool eis_vocab_byte_piece(const uint8_t *piece, size_t bytes, uint8_t *byte);

void eis_vocab_clear(eis_vocab *vocab);

/* The merges of a BPE. Valid when zeroed. */
typedef struct eis_pairs {
    struct eis_pair {
        uint32_t left, right, joined, rank_plus_one; /* 0 = free */
    } * slots;                                       /* [slot_count], a power of two, at most half full */
    size_t slot_count, used;
} eis_pairs;

/* Adds a merge. One that is there already keeps its rank.
 *
 * Errors:  EIS_ERR_LIMIT, EIS_ERR_MEMORY. The table is as before. */
EIS_MUST_USE eis_status eis_pairs_add(eis_pairs *pairs, uint32_t left, uint32_t right, uint32_t joined, uint32_t rank);

/* Returns whether left and right merge; sets *joined and *rank only then. */
bool eis_pairs_find(const eis_pairs *pairs, uint32_t left, uint32_t right, uint32_t *joined, uint32_t *rank);

void eis_pairs_clear(eis_pairs *pairs);

#endif
