/* SPDX-License-Identifier: Apache-2.0 */
/* Loader for Hugging Face directories: config.json and safetensors, in one file or in shards with an index.
 * Architectures: Llama and GPT-2. What we do not compute is refused by name, never ignored. */
#ifndef EIS_MODEL_HF_H
#define EIS_MODEL_HF_H

#include "base/bytes.h"
#include "base/status.h"
#include "model/graph.h"
#include "model/safetensors.h"

#include <stdbool.h>

/* What config.json says beyond eis_lm. */
typedef struct eis_hf_config {
    eis_lm lm;                     /* dimensions and ids; pointers and views empty */
    bool attention_bias, mlp_bias; /* Llama: declared biases */
} eis_hf_config;

/* Reads config.json. `name` goes into messages.
 *
 * Errors:  EIS_ERR_PARSE no strict JSON or a member of a wrong type; EIS_ERR_UNSUPPORTED a member asks for something
 *          that we do not compute; EIS_ERR_MODEL impossible dimensions; EIS_ERR_MEMORY.
 *          The text names the member. *config is then untouched. */
EIS_MUST_USE eis_status eis_hf_config_read(eis_hf_config *config, eis_span text, const char *name);

/* Fills an empty model from a configuration and the tensors; their bytes must outlive the model.
 *
 * Errors:  EIS_ERR_MODEL  a tensor is missing, has another shape or type, or is a bias that config.json does not
 *          declare; EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_hf_build(eis_model *model, const eis_hf_config *config, const eis_safetensors *table);

/* Fills an empty model from a directory. Errors: EIS_ERR_FILE, and all of the above. */
EIS_MUST_USE eis_status eis_hf_load(eis_model *model, const char *directory);

#endif
