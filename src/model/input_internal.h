/* SPDX-License-Identifier: Apache-2.0 */
/* The readers behind input.h, one per format. Messages are without the file's name, which the caller puts in front. */
#ifndef EIS_MODEL_INPUT_INTERNAL_H
#define EIS_MODEL_INPUT_INTERNAL_H

#include "base/bytes.h"
#include "base/status.h"
#include "model/input.h"
#include "model/text.h"

#include <stdbool.h>

/* Each reads at most `limit` inputs (0 = all) into zeroed `inputs`, which is valid to clear on error. */
EIS_MUST_USE eis_status eis_input_read_idx(eis_inputs *inputs, eis_span file, size_t limit);
EIS_MUST_USE eis_status eis_input_read_pgm(eis_inputs *inputs, eis_span file);
EIS_MUST_USE eis_status eis_input_read_json(eis_inputs *inputs, eis_span file, size_t limit, const char *name);
EIS_MUST_USE eis_status eis_input_read_csv(eis_inputs *inputs, eis_span file, size_t limit, const char *label_column);

/* Reads the labels of an idx file of one dimension with whole numbers, at most `limit` (0 = all). */
EIS_MUST_USE eis_status eis_input_read_idx_labels(eis_labels *labels, eis_span file, size_t limit);

/* Whether bytes begin like an idx file. */
bool eis_input_is_idx(eis_span file);

/* Unpacks gzip, one or more members.
 *
 * Errors:  EIS_ERR_TOO_LARGE  it unpacks to more than bytes_max; EIS_ERR_PARSE damaged or cut off; EIS_ERR_MEMORY.
 *          out is empty on error. */
EIS_MUST_USE eis_status eis_input_gunzip(eis_text *out, eis_span file, size_t bytes_max);

/* Makes room for count x elements numbers.
 *
 * Errors:  EIS_ERR_TOO_LARGE  more than EIS_INPUT_ELEMENTS_MAX; EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_input_allocate(eis_inputs *inputs, size_t count, size_t elements);

/* Appends a number to x, which grows. The caller sets count and elements. Errors: as eis_input_allocate. */
EIS_MUST_USE eis_status eis_input_append(eis_inputs *inputs, size_t *used, double number);

/* Appends a label. Errors: EIS_ERR_PARSE it holds a zero byte; EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_labels_append(eis_labels *labels, const uint8_t *text, size_t bytes);

/* Reads a number that fills the whole text (white space around it allowed): decimal, with or without exponent.
 *
 * Errors:  EIS_ERR_PARSE  no number; EIS_ERR_RANGE  NaN, infinity, or too large for a double. */
EIS_MUST_USE eis_status eis_input_parse_number(double *number, const uint8_t *text, size_t bytes);

#endif
