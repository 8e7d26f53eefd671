/* SPDX-License-Identifier: Apache-2.0 */
/* A language model with its tokenizer, and a text generated from it by whatever backend: for the commands
 * and for include/eis/client.h. */
#ifndef EIS_SERVICE_TEXT_MODEL_H
#define EIS_SERVICE_TEXT_MODEL_H

#include "base/status.h"
#include "model/graph.h"
#include "model/sampler.h"
#include "model/text.h"
#include "model/tokenizer.h"
#include "net/cancel.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct eis_text_model {
    eis_model *model;
    eis_tokenizer *tokenizer; /* NULL where there is none: ids only */
} eis_text_model;

/* Opens a model and the tokenizer that goes with it: the given file, else the one inside a client part, else the one
 * beside the model. Without any, tokenizer stays NULL.
 *
 * Errors: those of the loaders; EIS_ERR_MODEL where the path holds a classifier. *lm is cleared. */
EIS_MUST_USE eis_status eis_text_model_open(eis_text_model *lm, const char *model_path, const char *tokenizer_path);

/* The second half of it, for whoever has opened lm->model. Errors: those of the tokenizer; it then stays NULL. */
EIS_MUST_USE eis_status eis_text_model_open_tokenizer(eis_text_model *lm, const char *model_path,
                                                      const char *tokenizer_path);

/* Frees. Safe on a zeroed one. */
void eis_text_model_close(eis_text_model *lm);

/* Appends the ids of a text with whatever the tokenizer puts around them; where that is nothing, the model's BOS.
 *
 * Errors: EIS_ERR_USAGE no tokenizer, or an empty text and no BOS; those of the tokenizer. */
EIS_MUST_USE eis_status eis_text_model_encode(eis_ids *ids, const eis_text_model *lm, const uint8_t *data,
                                              size_t bytes);

/* Checks that the model knows every id. Errors: EIS_ERR_RANGE. */
EIS_MUST_USE eis_status eis_text_model_check_ids(const eis_text_model *lm, const eis_ids *ids);

/* One generated token. */
typedef struct eis_text_token {
    uint32_t id;
    const eis_text *text; /* bytes that became ready with it */
    double ms;
} eis_text_token;

typedef struct eis_text_generation {
    const eis_text_model *lm;
    eis_linear_backend backend;   /* not looked at by eis_text_growth */
    eis_sampler_options sampling; /* neither */
    uint32_t max_tokens;
    const eis_cancel *cancel; /* looked at before every token; may be NULL */
    /* Called with the prompt's text first (id EIS_TOKEN_NONE), then per token; may be NULL. */
    eis_status (*emit)(void *context, const eis_text_token *token);
    void *context;
} eis_text_generation;

/* Appends generated ids to the prompt in `ids` until max_tokens, a stop token (not appended) or the end of the context,
 * which is logged as a warning.
 *
 * Errors: EIS_ERR_CONTEXT_LENGTH the prompt does not fit; EIS_ERR_INTERRUPTED; those of backend, sampler and emit. */
EIS_MUST_USE eis_status eis_text_generate(eis_ids *ids, const eis_text_generation *generation);

/* A text whose tokens somebody else computes: what eis_text_generate does around them. */
typedef struct eis_text_growth {
    const eis_text_generation *generation;
    eis_decoder decoder;
    eis_text text;
    uint32_t most; /* tokens that fit */
} eis_text_growth;

/* Checks that prompt and tokens fit a context, which is logged where they do not, and emits the prompt.
 * Errors: EIS_ERR_CONTEXT_LENGTH, those of emit; the growth is then for eis_text_growth_clear. */
EIS_MUST_USE eis_status eis_text_growth_begin(eis_text_growth *growth, const eis_text_generation *generation,
                                              const eis_ids *ids, uint32_t context);

/* Takes the next token: appends and emits it. *stop: it ends the text, and is not appended. */
EIS_MUST_USE eis_status eis_text_growth_add(eis_text_growth *growth, eis_ids *ids, bool *stop, uint32_t id, double ms);

/* Emits what waited for more bytes. */
EIS_MUST_USE eis_status eis_text_growth_end(eis_text_growth *growth);

/* Frees. Safe on a zeroed one. */
void eis_text_growth_clear(eis_text_growth *growth);

#endif
