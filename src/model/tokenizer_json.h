/* SPDX-License-Identifier: Apache-2.0 */
/* The members of tokenizer.json that describe steps around the merges. Messages name the member; the caller puts the
 * file in front. */
#ifndef EIS_MODEL_TOKENIZER_JSON_H
#define EIS_MODEL_TOKENIZER_JSON_H

#include "base/status.h"
#include "model/tokenizer_bpe.h"
#include "wire/json.h"

#define EIS_TOKENIZER_TYPE_BYTES 48

/* Each reads one top-level member into its part of bpe (a null is an empty list; not so for the decoder).
 *
 * Errors:  EIS_ERR_UNSUPPORTED  a type or setting that we do not compute, by name.
 *          EIS_ERR_PARSE, EIS_ERR_MEMORY. bpe is valid to clear. */
EIS_MUST_USE eis_status eis_tokenizer_json_normaliser(eis_bpe *bpe, eis_json_value value);
EIS_MUST_USE eis_status eis_tokenizer_json_pretokenizer(eis_bpe *bpe, eis_json_value value);
EIS_MUST_USE eis_status eis_tokenizer_json_postprocessor(eis_bpe *bpe, eis_json_value value);
EIS_MUST_USE eis_status eis_tokenizer_json_decoder(eis_bpe *bpe, eis_json_value value);

/* Copies a string for a message: cut to the buffer, without characters that a terminal would obey. */
void eis_tokenizer_json_show(char out[EIS_TOKENIZER_TYPE_BYTES], eis_span text);

#endif
