/* SPDX-License-Identifier: Apache-2.0 */
/* Inside model/part*.c: how the fields of a client part are written and read. Each pair stands side by side. Readers
 * keep their first error (wire/cursor.h), so a run of fields is checked once. */
#ifndef EIS_MODEL_PART_FIELDS_H
#define EIS_MODEL_PART_FIELDS_H

#include "model/graph.h"
#include "wire/cursor.h"

/* Finite doubles: count, then values. A NULL vector has count 0. Reading makes an array that the model owns; the
 * count must be in [min, max]. */
void eis_part_vector_write(eis_writer *w, const double *vector, uint32_t count);
const double *eis_part_vector_read(eis_reader *r, eis_model *model, uint32_t *count, uint32_t min, uint32_t max);

/* A vector of exactly `count` words. */
const double *eis_part_exact_read(eis_reader *r, eis_model *model, uint32_t count);

/* Zero-terminated text behind its length. */
void eis_part_text_write(eis_writer *w, const char *text);

/* The local half of a language model: all of eis_lm. Reading adds the linear nodes too. */
void eis_part_lm_write(eis_writer *w, const eis_lm *lm);
void eis_part_lm_read(eis_reader *r, eis_model *model);

/* The local half of a classifier: all of eis_classifier. */
void eis_part_classifier_write(eis_writer *w, const eis_classifier *classifier);
void eis_part_classifier_read(eis_reader *r, eis_model *model);

/* Checks that the steps of a classifier fit each other and its linear nodes.
 *
 * Errors:  EIS_ERR_MODEL  the text names the step. */
EIS_MUST_USE eis_status eis_part_classifier_check(const eis_model *model, const char *name);

#endif
