/* SPDX-License-Identifier: Apache-2.0 */
/* The messages of the split engine's stream, each written and read in one place. docs/wire/split.md draws the bytes.
 * Readers check a payload against the frame header that came with it; words themselves are packed by kernels, so for
 * them only lengths and canonical form are checked here. */
#ifndef EIS_WIRE_SPLIT_MESSAGES_H
#define EIS_WIRE_SPLIT_MESSAGES_H

#include "base/bytes.h"
#include "base/status.h"
#include "wire/cursor.h"
#include "wire/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EIS_SPLIT_VERSION 1
#define EIS_SPLIT_ALPN    "eis-split/1"

typedef enum eis_split_type {
    EIS_SPLIT_HELLO = 1,
    EIS_SPLIT_HELLO_ACK = 2,
    EIS_SPLIT_EVAL_WORDS = 3,
    EIS_SPLIT_EVAL_SEED = 4,
    EIS_SPLIT_MASKS = 5,
    EIS_SPLIT_RESULT = 6,
    EIS_SPLIT_ERROR = 7,
    EIS_SPLIT_PING = 8,
    EIS_SPLIT_CLOSE = 9
} eis_split_type;

/* How weights and words are represented; these numbers stand on the wire and in packed files. */
typedef enum eis_split_profile {
    EIS_SPLIT_P24 = 1,    /* 24-bit weights, words in Z_2^52 */
    EIS_SPLIT_P8 = 2,     /* 8-bit weights, words in Z_2^(8 planes), planes 4..8 per layer */
    EIS_SPLIT_F61_20 = 3, /* 20-bit weights, words modulo 2^61 - 1 */
    EIS_SPLIT_F61_8 = 4   /* 8-bit weights, words modulo 2^61 - 1 */
} eis_split_profile;

/* The stream ciphers that expand a seed. */
typedef enum eis_split_suite {
    EIS_SPLIT_SUITE_WORDS = 0, /* no seed */
    EIS_SPLIT_SUITE_AES128 = 1,
    EIS_SPLIT_SUITE_AES256 = 2,
    EIS_SPLIT_SUITE_CHACHA20 = 3
} eis_split_suite;

#define EIS_SPLIT_DIGEST_BYTES         32
#define EIS_SPLIT_MODEL_BYTES_MAX      95 /* without the terminator */
#define EIS_SPLIT_TOKEN_BYTES_MAX      4096
#define EIS_SPLIT_LAYERS_MAX           65536
#define EIS_SPLIT_CLASSES_MAX          16
#define EIS_SPLIT_SEED_BYTES_MAX       48
#define EIS_SPLIT_ERROR_CODE_BYTES_MAX 47
#define EIS_SPLIT_ERROR_TEXT_BYTES_MAX 255

/* Returns whether a byte names a profile. */
bool eis_split_profile_valid(unsigned profile);

/* Returns the bits of a word: 52, 8 * planes or 61; 0 where profile and planes do not go together. */
unsigned eis_split_ring_bits(unsigned profile, unsigned planes);

/* Returns the length of a suite's seed: 32, 48 or 32; 0 for words and unknown suites. */
size_t eis_split_seed_bytes(unsigned suite);

/* Returns whether a server may be asked to drop t bits: 0 always, ring - 32 in the rings 2^r above 32 bits. */
bool eis_split_truncation_valid(unsigned profile, unsigned planes, unsigned truncated_bits);

/* Computes the length of b vectors of n words in a request.
 *
 * Range:  P8 planes bytes per word, n filled up to a multiple of 4; P24 13 bytes per pair and 7 for a last odd word;
 *         F61 8 bytes per word. planes is 0 except for P8.
 * Errors: EIS_ERR_SHAPE  profile and planes do not go together, n or batch is 0, or the length overflows. */
EIS_MUST_USE eis_status eis_split_words_bytes(size_t *bytes, unsigned profile, unsigned planes, size_t n, size_t batch);

/* Computes the length of b vectors of m words in a reply; full ones (t = 0) as in a request but P8 without filling up,
 * truncated ones 4 bytes per word. Errors: as above, and EIS_ERR_UNSUPPORTED for a t that is not allowed. */
EIS_MUST_USE eis_status eis_split_result_bytes(size_t *bytes, unsigned profile, unsigned planes, size_t m, size_t batch,
                                               unsigned truncated_bits);

/* Checks that words as they came are canonical: F61 below 2^61 - 1, the spare bits of an odd P24 word zero. Other forms
 * have no second spelling.
 *
 * Shape:  data[eis_split_words_bytes or eis_split_result_bytes], n words per vector.
 * Errors: EIS_ERR_PROTOCOL  without saying which word. */
EIS_MUST_USE eis_status eis_split_words_check(const uint8_t *data, unsigned profile, size_t n, size_t batch,
                                              unsigned truncated_bits);

typedef enum eis_split_sharing { EIS_SPLIT_ADDITIVE = 1, EIS_SPLIT_SHAMIR = 2 } eis_split_sharing;

/* The first message, client to server. */
typedef struct eis_split_hello {
    uint16_t version_min, version_max;
    uint8_t profile;            /* eis_split_profile */
    uint8_t sharing;            /* eis_split_sharing */
    uint16_t share_index;       /* from 1: the index of an additive share, or the Shamir point */
    uint64_t payload_bytes_max; /* longest reply that the client takes */
    uint8_t pack_digest[EIS_SPLIT_DIGEST_BYTES];
    char model[EIS_SPLIT_MODEL_BYTES_MAX + 1];     /* "" = the only model of the server */
    uint16_t batch_classes[EIS_SPLIT_CLASSES_MAX]; /* rising: the batch sizes that requests are padded to */
    size_t class_count;
    const uint8_t *planes; /* [layer_count]: 4..8 for P8, 0 otherwise; not owned */
    uint32_t layer_count;
    eis_span token; /* who the client is; empty = none; not owned */
} eis_split_hello;

/* Appends a HELLO payload. Errors (sticky in w): EIS_ERR_PARSE where a field breaks the rules of the reader. */
void eis_split_hello_write(eis_writer *w, const eis_split_hello *hello);

/* Reads a HELLO payload; `planes` and `token` point into it.
 *
 * Errors: EIS_ERR_PARSE, EIS_ERR_VERSION (no common version), EIS_ERR_UNSUPPORTED (profile or sharing unknown);
 *         *hello is zeroed. */
EIS_MUST_USE eis_status eis_split_hello_read(eis_split_hello *hello, const void *payload, size_t bytes);

/* The answer to HELLO. */
typedef struct eis_split_hello_ack {
    uint16_t version;                            /* the one that is spoken from now on */
    uint8_t profile;                             /* as in HELLO */
    uint8_t pack_digest[EIS_SPLIT_DIGEST_BYTES]; /* as in HELLO */
    uint64_t payload_bytes_max;                  /* longest payload either side may send from now on */
    uint32_t layer_count;
} eis_split_hello_ack;

/* Appends a HELLO_ACK payload. */
void eis_split_hello_ack_write(eis_writer *w, const eis_split_hello_ack *ack);

/* Reads a HELLO_ACK payload. Errors: EIS_ERR_PARSE; *ack is zeroed. */
EIS_MUST_USE eis_status eis_split_hello_ack_read(eis_split_hello_ack *ack, const void *payload, size_t bytes);

/* Checks an answer against the question, at the client: no downgrade.
 *
 * Errors: EIS_ERR_DIGEST for another digest, EIS_ERR_PROTOCOL for any other difference. */
EIS_MUST_USE eis_status eis_split_hello_ack_check(const eis_split_hello_ack *ack, const eis_split_hello *hello);

/* Returns the seed of an EVAL_SEED payload in place.
 *
 * Errors: EIS_ERR_UNSUPPORTED (unknown suite), EIS_ERR_PARSE (length); *seed is untouched. */
EIS_MUST_USE eis_status eis_split_eval_seed_read(const uint8_t **seed, const eis_frame_header *header,
                                                 const void *payload, size_t bytes);

/* Appends a MASKS payload: `count` seeds of the suite's length, one after the other. count in 1..65535 and equal to the
 * batch in the frame header. The answer is one RESULT with that batch, never truncated. */
void eis_split_masks_write(eis_writer *w, const uint8_t *seeds, size_t count, unsigned suite);

/* Returns the seeds of a MASKS payload in place. Errors: as eis_split_eval_seed_read. */
EIS_MUST_USE eis_status eis_split_masks_read(const uint8_t **seeds, size_t *count, const eis_frame_header *header,
                                             const void *payload, size_t bytes);

/* An ERROR as it was received. */
typedef struct eis_split_error {
    eis_status status; /* of the code; EIS_ERR_PROTOCOL for one that we do not know. Never EIS_OK */
    bool retryable;
    char code[EIS_SPLIT_ERROR_CODE_BYTES_MAX + 1];
    char text[EIS_SPLIT_ERROR_TEXT_BYTES_MAX + 1];
} eis_split_error;

/* Appends an ERROR payload: code and retryable flag of the status, and a text about names and sizes (cut to
 * EIS_SPLIT_ERROR_TEXT_BYTES_MAX; NULL = the text of the status). st != EIS_OK. */
void eis_split_error_write(eis_writer *w, eis_status st, const char *text);

/* Reads an ERROR payload. Errors: EIS_ERR_PARSE; *error is zeroed. */
EIS_MUST_USE eis_status eis_split_error_read(eis_split_error *error, const void *payload, size_t bytes);

/* ---- Which frame may come when ---- */

typedef enum eis_split_role { EIS_SPLIT_AT_SERVER, EIS_SPLIT_AT_CLIENT } eis_split_role;

/* One end's view of a connection. Zero-initialised it waits for the first message. */
typedef struct eis_split_order {
    uint64_t last_request_id; /* at the server: requests rise */
    bool greeted, closed;
} eis_split_order;

/* Checks the header of a frame that has arrived against what may come at this end now, and steps the state: first HELLO
 * (or its answer), then requests with rising ids (or replies), nothing after CLOSE; fields that a type does not use are
 * zero. Which requests are outstanding, with which layer, batch and t, is the client's own list.
 *
 * Errors: EIS_ERR_PROTOCOL  the connection is to be closed; *order is untouched. */
EIS_MUST_USE eis_status eis_split_order_accept(eis_split_order *order, eis_split_role role,
                                               const eis_frame_header *header);

#endif
