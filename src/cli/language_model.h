/* SPDX-License-Identifier: Apache-2.0 */
/* A language model with its tokenizer, and a text generated from it by whatever backend: shared by generate, demo,
 * audit and partition. */
#ifndef EIS_CLI_LANGUAGE_MODEL_H
#define EIS_CLI_LANGUAGE_MODEL_H

#include "base/status.h"
#include "model/graph.h"
#include "model/sampler.h"
#include "model/text.h"
#include "model/tokenizer.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct eis_cli_lm {
    eis_model *model;
    eis_tokenizer *tokenizer; /* NULL where there is none: ids only */
} eis_cli_lm;

/* Opens a model and the tokenizer that goes with it: the given file, else the one inside a client part, else the one
 * beside the model. Without any, tokenizer stays NULL.
 *
 * Errors: those of the loaders; EIS_ERR_MODEL where the path holds a classifier. *lm is cleared. */
EIS_MUST_USE eis_status eis_cli_lm_open(eis_cli_lm *lm, const char *model_path, const char *tokenizer_path);

/* Frees. Safe on a zeroed one. */
void eis_cli_lm_close(eis_cli_lm *lm);

/* Where a text begins: exactly one of the three. */
typedef struct eis_cli_prompt {
    const char *text, *file, *ids;
} eis_cli_prompt;

/* Turns a prompt into ids; an empty one starts from the model's BOS.
 *
 * Errors: EIS_ERR_USAGE no tokenizer, malformed --prompt-ids;  EIS_ERR_RANGE an id that the model does not have;
 *         EIS_ERR_FILE. ids is unchanged. */
EIS_MUST_USE eis_status eis_cli_prompt_read(eis_ids *ids, const eis_cli_lm *lm, const eis_cli_prompt *prompt);

/* One generated token. */
typedef struct eis_cli_token {
    uint32_t id;
    const eis_text *text; /* bytes that became ready with it */
    double ms;
} eis_cli_token;

typedef struct eis_cli_generation {
    const eis_cli_lm *lm;
    eis_linear_backend backend;
    eis_sampler_options sampling;
    uint32_t max_tokens;
    /* Called with the prompt's text first (id EIS_TOKEN_NONE), then per token; may be NULL. */
    eis_status (*emit)(void *context, const eis_cli_token *token);
    void *context;
} eis_cli_generation;

/* Appends generated ids to the prompt in `ids` until max_tokens, a stop token (not appended) or the end of the context,
 * which is logged as a warning.
 *
 * Errors: EIS_ERR_CONTEXT_LENGTH the prompt does not fit; EIS_ERR_INTERRUPTED; those of backend, sampler and emit. */
EIS_MUST_USE eis_status eis_cli_generate(eis_ids *ids, const eis_cli_generation *generation);

#endif
