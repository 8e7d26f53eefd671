/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs of classifiers from files: idx (also gzipped), PGM, JSON and CSV, recognised by what they hold, and files
 * of labels. */
#ifndef EIS_MODEL_INPUT_H
#define EIS_MODEL_INPUT_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Neither a file nor what gzip unpacks to may be larger. */
#define EIS_INPUT_BYTES_MAX ((size_t)1 << 30)

/* No more numbers than these are read from one file: 2 GiB as doubles. */
#define EIS_INPUT_ELEMENTS_MAX ((size_t)1 << 28)

/* Texts, one per input. Valid when zeroed. */
typedef struct eis_labels {
    size_t count;
    char *text;    /* [text_bytes]: all of them, each zero-terminated */
    size_t *start; /* [count] into text */
    size_t text_bytes, text_capacity, start_capacity;
} eis_labels;

/* Rows of numbers, all finite, of one length. Valid when zeroed. */
typedef struct eis_inputs {
    size_t count;
    size_t elements;   /* of one input */
    double *x;         /* [count][elements]: the numbers as they stand; PGM greys as 0 to 255 whatever its maxval */
    size_t capacity;   /* numbers that x has room for */
    eis_labels labels; /* from the label column; count 0 where there is none */
} eis_inputs;

/* Reads inputs. What the file is, is seen from its bytes: gzip (of any of the others), idx, PGM (P2, P5), a JSON array
 * (one input) or array of arrays, else CSV. The first line of a CSV is a header if none of its fields is a number.
 *
 * `limit` stops after so many inputs, 0 = all. `label_column` (CSV only, else NULL) is the name in the header line or
 * a number counted from 1; the column is left out of x and becomes labels.
 *
 * Secret:  the numbers and labels; messages name rows, columns and sizes, never a value.
 * Errors:  EIS_ERR_FILE; EIS_ERR_USAGE  a label column that is not there; EIS_ERR_PARSE (with line and column);
 * EIS_ERR_RANGE for NaN and infinity; EIS_ERR_SHAPE for rows of different lengths; EIS_ERR_UNSUPPORTED;
 * EIS_ERR_TOO_LARGE, EIS_ERR_MEMORY. inputs is untouched on error. */
EIS_MUST_USE eis_status eis_inputs_read(eis_inputs *inputs, const char *path, size_t limit, const char *label_column);

/* The same from bytes; `name` stands in messages. */
EIS_MUST_USE eis_status eis_inputs_parse(eis_inputs *inputs, const uint8_t *data, size_t bytes, size_t limit,
                                         const char *label_column, const char *name);

/* Wipes and frees. */
void eis_inputs_clear(eis_inputs *inputs);

/* Reads labels: an idx file of one dimension (also gzipped), or text with one label per line.
 *
 * Errors:  as eis_inputs_read. labels is untouched on error. */
EIS_MUST_USE eis_status eis_labels_read(eis_labels *labels, const char *path, size_t limit);

/* The same from bytes; `name` stands in messages. */
EIS_MUST_USE eis_status eis_labels_parse(eis_labels *labels, const uint8_t *data, size_t bytes, size_t limit,
                                         const char *name);

/* Returns the text of label i < labels->count. */
const char *eis_labels_text(const eis_labels *labels, size_t i);

/* Wipes and frees. */
void eis_labels_clear(eis_labels *labels);

#endif
