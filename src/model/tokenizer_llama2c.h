/* SPDX-License-Identifier: Apache-2.0 */
/* The tokenizer file of llama2.c: u32 longest piece; per token f32 score, u32 length, bytes.
 * Its ids 0, 1 and 2 are unknown, BOS and EOS; ids 3 to 258 are the 256 bytes. */
#ifndef EIS_MODEL_TOKENIZER_LLAMA2C_H
#define EIS_MODEL_TOKENIZER_LLAMA2C_H

#include "base/status.h"
#include "model/tokenizer.h"
#include "model/tokenizer_vocab.h"

typedef struct eis_llama2c {
    eis_vocab vocab;
    float *scores; /* [vocab.count] */
} eis_llama2c;

enum { EIS_LLAMA2C_BOS = 1, EIS_LLAMA2C_EOS = 2 };

/* Reads the file; contract of eis_tokenizer_new, messages without the file's name. Cleared on error. */
EIS_MUST_USE eis_status eis_llama2c_read(eis_llama2c *t, const uint8_t *data, size_t bytes, uint32_t vocab_count);

void eis_llama2c_clear(eis_llama2c *t);

/* Contract of eis_tokenizer_encode; the text is UTF-8. */
EIS_MUST_USE eis_status eis_llama2c_encode(const eis_llama2c *t, eis_ids *ids, const uint8_t *text, size_t bytes);

/* Contract of eis_tokenizer_decode. */
EIS_MUST_USE eis_status eis_llama2c_decode(const eis_llama2c *t, eis_text *text, uint32_t previous, uint32_t id);

#endif
