/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to a text before the merges: normalisers change it, pre-tokenizers change it and cut it in pieces that
 * no merge crosses. A tokenizer has a short list of such steps. */
#ifndef EIS_MODEL_TOKENIZER_SPLIT_H
#define EIS_MODEL_TOKENIZER_SPLIT_H

#include "base/status.h"
#include "model/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EIS_SPLIT_STEPS_MAX        16
#define EIS_SPLIT_STRING_BYTES_MAX 64

struct pcre2_real_code_8; /* PCRE2's compiled pattern */

typedef enum eis_split_op {
    EIS_SPLIT_PREPEND = 1,    /* normaliser: `text` in front of a section that is not empty */
    EIS_SPLIT_REPLACE,        /* normaliser: each `pattern` becomes `text` */
    EIS_SPLIT_ISOLATE,        /* cut before and after each match of `code` */
    EIS_SPLIT_KEEP_MATCHES,   /* the matches are the pieces, the rest is dropped */
    EIS_SPLIT_KEEP_GAPS,      /* the matches are dropped */
    EIS_SPLIT_PREFIX_SPACE,   /* a space in front of each piece that does not begin with one */
    EIS_SPLIT_BYTES_TO_CHARS, /* each byte becomes the character that stands for it (eis_split_byte_char) */
    EIS_SPLIT_METASPACE       /* spaces become `text`; in front too, as `scheme` says; cut before each */
} eis_split_op;

typedef enum eis_metaspace_scheme {
    EIS_METASPACE_NEVER,
    EIS_METASPACE_FIRST,
    EIS_METASPACE_ALWAYS
} eis_metaspace_scheme;

typedef struct eis_split_step {
    eis_split_op op;
    uint8_t text[EIS_SPLIT_STRING_BYTES_MAX], pattern[EIS_SPLIT_STRING_BYTES_MAX];
    size_t text_bytes, pattern_bytes;
    eis_metaspace_scheme scheme;
    bool cut;                       /* metaspace: cut before each */
    struct pcre2_real_code_8 *code; /* of the first three ways to cut */
} eis_split_step;

/* Valid when zeroed. */
typedef struct eis_split_list {
    eis_split_step steps[EIS_SPLIT_STEPS_MAX];
    size_t count;
} eis_split_list;

/* A text in pieces: piece i is bytes [end of piece i - 1, ends[i]) of text. Valid when zeroed. */
typedef struct eis_split_text {
    eis_text text;
    size_t *ends; /* [count] */
    size_t count, capacity;
} eis_split_text;

/* The pattern of GPT-2 [RWC19, encoder.py]. */
extern const char eis_split_gpt2_pattern[];

/* Adds a step. Errors: EIS_ERR_UNSUPPORTED too many steps. The step's code then still belongs to the caller. */
EIS_MUST_USE eis_status eis_split_add(eis_split_list *list, const eis_split_step *step);

/* Compiles a pattern; `literal` for one that is no regular expression.
 *
 * Errors:  EIS_ERR_UNSUPPORTED  PCRE2 does not take it, or would read it differently from the files' own dialect. */
EIS_MUST_USE eis_status eis_split_compile(struct pcre2_real_code_8 **code, const uint8_t *pattern, size_t bytes,
                                          bool literal);

/* Runs all steps over one section of a text. `first` says that the section begins the whole text.
 *
 * Secret:  text; variable time.
 * Errors:  EIS_ERR_LIMIT  a pattern takes too long; EIS_ERR_MEMORY. out is empty then. */
EIS_MUST_USE eis_status eis_split_run(const eis_split_list *list, eis_split_text *out, const uint8_t *text,
                                      size_t bytes, bool first);

/* Wipes and frees. */
void eis_split_text_clear(eis_split_text *text);
void eis_split_list_clear(eis_split_list *list);

/* Writes the character that stands for a byte in byte-level vocabularies; returns its length, 1 or 2. */
size_t eis_split_byte_char(uint8_t out[2], uint8_t byte);

/* Reads such a character back. Returns its length, 0 where no byte has this character. */
size_t eis_split_char_byte(uint8_t *byte, const uint8_t *text, size_t bytes);

#endif
