/* SPDX-License-Identifier: Apache-2.0 */
/* Byte-pair encoding as tokenizer.json describes it. A file becomes one eis_bpe, which is only data:
 *
 *   text -> added tokens cut out -> normaliser -> added tokens cut out -> pre-tokenizer -> pieces
 *        -> characters -> ids -> merges -> ids in a frame of special tokens
 */
#ifndef EIS_MODEL_TOKENIZER_BPE_H
#define EIS_MODEL_TOKENIZER_BPE_H

#include "base/bytes.h"
#include "base/status.h"
#include "model/tokenizer.h"
#include "model/tokenizer_added.h"
#include "model/tokenizer_split.h"
#include "model/tokenizer_vocab.h"

#include <stdbool.h>

#define EIS_BPE_DECODE_STEPS_MAX 8

typedef enum eis_bpe_decode_op {
    EIS_BPE_DECODE_CHARS = 1,     /* each character is the byte it stands for */
    EIS_BPE_DECODE_BYTE_PIECE,    /* <0xNN> is that byte */
    EIS_BPE_DECODE_REPLACE,       /* each `pattern` becomes `text` */
    EIS_BPE_DECODE_DROP_AT_START, /* at the start of a text, each `pattern` is left out */
    EIS_BPE_DECODE_STRIP,         /* one `pattern` at the beginning of the token goes */
    EIS_BPE_DECODE_STRIP_AT_START /* the same, at the start of a text only */
} eis_bpe_decode_op;

typedef struct eis_bpe_decode_step {
    eis_bpe_decode_op op;
    uint8_t pattern[EIS_SPLIT_STRING_BYTES_MAX], text[EIS_SPLIT_STRING_BYTES_MAX];
    size_t pattern_bytes, text_bytes;
} eis_bpe_decode_step;

/* Valid when zeroed, save `unknown` (EIS_TOKEN_NONE). */
typedef struct eis_bpe {
    eis_vocab vocab;
    eis_pairs merges;
    eis_added raw_added, added; /* looked for in the text as it came; in the normalised text */
    eis_split_list normaliser, pretokenizer;
    bool byte_fallback;     /* a character without a piece is its bytes as <0xNN> */
    bool whole_piece_first; /* a piece that is in the vocabulary needs no merges ("ignore_merges") */
    bool fuse_unknown;      /* neighbouring unknown characters are one unknown token */
    uint32_t unknown;       /* EIS_TOKEN_NONE: a character without a piece is an error */
    eis_ids prefix, suffix; /* what the post-processor puts around a text */
    eis_bpe_decode_step decode[EIS_BPE_DECODE_STEPS_MAX];
    size_t decode_count;
} eis_bpe;

/* Reads tokenizer.json; contract of eis_tokenizer_new. `name` stands in messages. Cleared on error. */
EIS_MUST_USE eis_status eis_bpe_read_json(eis_bpe *bpe, const uint8_t *data, size_t bytes, const char *name);

/* Reads vocab.json and merges.txt, and cuts by the pattern of GPT-2; contract of eis_tokenizer_new. Cleared on error.
 */
EIS_MUST_USE eis_status eis_bpe_read_files(eis_bpe *bpe, eis_span vocab, eis_span merges, const char *name);

/* Adds the merge "left right" by name. Errors: EIS_ERR_PARSE a piece of it is not in the vocabulary; EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_bpe_add_merge(eis_bpe *bpe, eis_span left, eis_span right, uint32_t rank);

/* Adds a decoder step. Errors: EIS_ERR_UNSUPPORTED too many. */
EIS_MUST_USE eis_status eis_bpe_add_decode(eis_bpe *bpe, const eis_bpe_decode_step *step);

void eis_bpe_clear(eis_bpe *bpe);

/* Contract of eis_tokenizer_encode; the text is UTF-8. */
EIS_MUST_USE eis_status eis_bpe_encode(const eis_bpe *bpe, eis_ids *ids, const uint8_t *text, size_t bytes);

/* Contract of eis_tokenizer_decode. */
EIS_MUST_USE eis_status eis_bpe_decode(const eis_bpe *bpe, eis_text *text, uint32_t previous, uint32_t id);

#endif
