/* SPDX-License-Identifier: Apache-2.0 */
/* Loader for the .bin file of llama2.c, version 0: seven integers and float32 tensors, without names. */
#ifndef EIS_MODEL_LLAMA2C_H
#define EIS_MODEL_LLAMA2C_H

#include "base/bytes.h"
#include "base/status.h"
#include "model/graph.h"

/* Fills an empty model from the bytes of a file, which must outlive it. `name` goes into messages.
 *
 * Errors:  EIS_ERR_MODEL  a dimension is impossible, or the length is not exactly that of its tensors;
 *          EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_llama2c_load(eis_model *model, eis_span file, const char *name);

#endif
