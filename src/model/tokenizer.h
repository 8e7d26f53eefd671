/* SPDX-License-Identifier: Apache-2.0 */
/* Text to token ids and back. Three kinds of files: `tokenizer.json` (BPE), `vocab.json` + `merges.txt`
 * (also `encoder.json` + `vocab.bpe`: the pattern of GPT-2), and the tokenizer file of llama2.c.
 *
 * Nothing that a file asks for is ignored: what we do not compute is refused and named. A tokenizer does not change
 * after it is opened; any number of threads may use it. Texts and ids are secrets of the caller (a prompt); the
 * work on them takes variable time and happens on the client only. */
#ifndef EIS_MODEL_TOKENIZER_H
#define EIS_MODEL_TOKENIZER_H

#include "base/status.h"
#include "model/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The id that no token has; as `previous` it says that nothing came before. */
#define EIS_TOKEN_NONE UINT32_MAX

/* No tokenizer file may be larger; the largest in use have about 20 MB. */
#define EIS_TOKENIZER_BYTES_MAX ((size_t)256 << 20)

/* Numbers that stand in client parts: never change one. */
typedef enum eis_tokenizer_kind {
    EIS_TOKENIZER_NONE = 0,
    EIS_TOKENIZER_LLAMA2C = 1,
    EIS_TOKENIZER_JSON = 2,
    EIS_TOKENIZER_VOCAB_MERGES =
        3 /* bytes: u64 little-endian size of the vocabulary file, that file, the merges file */
} eis_tokenizer_kind;

/* The files of a tokenizer as bytes, which is what a client part carries. Valid when zeroed (kind none). */
typedef struct eis_tokenizer_source {
    eis_tokenizer_kind kind;
    uint8_t *data; /* [bytes], owned */
    size_t bytes;
} eis_tokenizer_source;

typedef struct eis_tokenizer eis_tokenizer;

/* Token ids that grow at the end. Valid when zeroed. */
typedef struct eis_ids {
    uint32_t *ids; /* [count] */
    size_t count;
    size_t capacity;
} eis_ids;

/* Reads the files of a tokenizer without looking far into them.
 *
 * `path` is a file (tokenizer.json, vocab.json or encoder.json with its merges beside it, or a llama2.c tokenizer;
 * which one is seen from its bytes) or a directory, in which tokenizer.json, vocab.json + merges.txt,
 * encoder.json + vocab.bpe and tokenizer.bin are tried in this order.
 *
 * Errors:  EIS_ERR_NOT_FOUND  a directory without any of them.
 *          EIS_ERR_FILE, EIS_ERR_TOO_LARGE, EIS_ERR_MEMORY.  source is untouched on error. */
EIS_MUST_USE eis_status eis_tokenizer_source_read(eis_tokenizer_source *source, const char *path);

/* Returns the name under which a client part carries the bytes of this kind ("tokenizer.json", "tokenizer.bin",
 * "vocab+merges"), or NULL for EIS_TOKENIZER_NONE. */
const char *eis_tokenizer_kind_name(eis_tokenizer_kind kind);

/* Returns the kind of that name, EIS_TOKENIZER_NONE where there is none. */
eis_tokenizer_kind eis_tokenizer_kind_find(const char *name);

/* Frees the bytes; the kind is none afterwards. */
void eis_tokenizer_source_clear(eis_tokenizer_source *source);

/* Builds a tokenizer from bytes, which may be freed afterwards. `name` stands in messages (a file name).
 * `vocab_count` is the number of tokens of the model, 0 where it is not known: a llama2.c file with fewer tokens is
 * refused; more tokens than the model has are allowed everywhere, and the caller checks each id it gets.
 *
 * Errors:  EIS_ERR_PARSE        malformed bytes, a merge of unknown pieces, an id used twice.
 *          EIS_ERR_UNSUPPORTED  well-formed, and something in it that we do not compute, by name.
 *          EIS_ERR_LIMIT, EIS_ERR_MEMORY.  *tokenizer is NULL on error. */
EIS_MUST_USE eis_status eis_tokenizer_new(eis_tokenizer **tokenizer, eis_tokenizer_kind kind, const uint8_t *data,
                                          size_t bytes, uint32_t vocab_count, const char *name);

/* Reads and builds: eis_tokenizer_source_read, then eis_tokenizer_new. *tokenizer is NULL on error. */
EIS_MUST_USE eis_status eis_tokenizer_open(eis_tokenizer **tokenizer, const char *path, uint32_t vocab_count);

/* Frees a tokenizer. NULL is allowed. */
void eis_tokenizer_free(eis_tokenizer *tokenizer);

/* Returns one above the highest id. Ids below it may still have no token. */
uint32_t eis_tokenizer_count(const eis_tokenizer *tokenizer);

/* Returns whether eis_tokenizer_encode puts a BOS in front by itself, and which; *id is untouched where not. */
bool eis_tokenizer_bos(const eis_tokenizer *tokenizer, uint32_t *id);

/* Returns whether this id ends a text by the tokenizer's own knowledge: 1 and 2 of a llama2.c file; nothing else
 * (a Hugging Face directory says so in its config.json). */
bool eis_tokenizer_ends_text(const eis_tokenizer *tokenizer, uint32_t id);

/* Appends the ids of a text, with whatever the tokenizer itself puts before and after it.
 *
 * Secret:  text and ids.
 * Cost:    O(n log n) in the bytes; allocates.
 * Errors:  EIS_ERR_ENCODING  the text is not UTF-8.
 *          EIS_ERR_RANGE     a character for which the tokenizer has no token.
 *          EIS_ERR_LIMIT     the tokenizer's pattern takes too long on this text; EIS_ERR_MEMORY.
 *          ids is unchanged on error. */
EIS_MUST_USE eis_status eis_tokenizer_encode(const eis_tokenizer *tokenizer, eis_ids *ids, const uint8_t *text,
                                             size_t bytes);

/* Appends the bytes of one token, given the id before it (EIS_TOKEN_NONE at the start of a text): the first token of a
 * text loses the space that encoding put in front, where the tokenizer has such a rule (a llama2.c file: directly
 * behind BOS only). Special tokens and ids without a token have no bytes. The bytes need not end at the end of a
 * character; eis_decoder waits for it.
 *
 * Errors:  EIS_ERR_MEMORY  text is unchanged. */
EIS_MUST_USE eis_status eis_tokenizer_decode(const eis_tokenizer *tokenizer, eis_text *text, uint32_t previous,
                                             uint32_t id);

/* Appends one id. Errors: EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_ids_append(eis_ids *ids, uint32_t id);

/* Wipes and frees. */
void eis_ids_clear(eis_ids *ids);

/* A stream of ids turned into a stream of bytes that never ends within a character. */
typedef struct eis_decoder {
    const eis_tokenizer *tokenizer;
    uint32_t previous;
    uint8_t held[4]; /* the beginning of a character */
    size_t held_bytes;
} eis_decoder;

/* Starts a text. */
void eis_decoder_init(eis_decoder *decoder, const eis_tokenizer *tokenizer);

/* Appends the bytes that are ready after one more id. Errors: EIS_ERR_MEMORY; text and decoder are unchanged. */
EIS_MUST_USE eis_status eis_decoder_push(eis_decoder *decoder, eis_text *text, uint32_t id);

/* Appends what was still held back, at the end of a text. Errors: EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_decoder_finish(eis_decoder *decoder, eis_text *text);

#endif
