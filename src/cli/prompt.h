/* SPDX-License-Identifier: Apache-2.0 */
/* The three flags that say where a text begins. */
#ifndef EIS_CLI_PROMPT_H
#define EIS_CLI_PROMPT_H

#include "base/status.h"
#include "service/text_model.h"

/* Where a text begins: exactly one of the three. */
typedef struct eis_cli_prompt {
    const char *text, *file, *ids;
} eis_cli_prompt;

/* Turns a prompt into ids; an empty one starts from the model's BOS.
 *
 * Errors: EIS_ERR_USAGE no tokenizer, malformed --prompt-ids;  EIS_ERR_RANGE an id that the model does not have;
 *         EIS_ERR_FILE. ids is unchanged. */
EIS_MUST_USE eis_status eis_cli_prompt_read(eis_ids *ids, const eis_text_model *lm, const eis_cli_prompt *prompt);

#endif
