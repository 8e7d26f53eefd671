/* SPDX-License-Identifier: Apache-2.0 */
/* Running a classifier: linear nodes by a backend, everything else here, in double.
 *
 * Inputs and all values between are secrets of the client. The local steps take no branch and no index from them, save
 * the search for the best class at the end. */
#ifndef EIS_MODEL_CLASSIFIER_H
#define EIS_MODEL_CLASSIFIER_H

#include "base/status.h"
#include "model/graph.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No layer of a classifier may be larger: words of one image between two layers, and weights of one layer. */
#define EIS_CLASSIFIER_WORDS_MAX   ((size_t)1 << 26)
#define EIS_CLASSIFIER_WEIGHTS_MAX ((size_t)1 << 30)
#define EIS_CLASSIFIER_LAYERS_MAX  1024

/* Returns how many numbers one input has. */
size_t eis_classifier_input_count(const eis_model *model);

/* Classifies a batch.
 *
 * Shape:   logits[batch][class_count]; x[batch][eis_classifier_input_count], as read from a file: the model's own
 *          scaling is done here.
 * Range:   x finite. A value that stops being finite behind the first layer (a square of something huge) is
 *          replaced by 0 and *replaced is set to true, so that every engine gives the same answer; `replaced` may be
 * NULL. Secret:  x, logits. Errors:  EIS_ERR_RANGE  an input is not finite; nothing has been sent. EIS_ERR_MEMORY;
 * EIS_ERR_TOO_LARGE  the batch does not fit in memory's address range; whatever the backend returns.  logits are zeros
 * on error. */
EIS_MUST_USE eis_status eis_classifier_run(const eis_model *model, const eis_linear_backend *backend, double *logits,
                                           bool *replaced, const double *x, size_t batch);

/* Returns the class of the highest logit, the lowest class among equals. */
uint32_t eis_classifier_best(const eis_model *model, const double *logits);

/* Writes what a class is called: its label, or its number where the model has no labels.
 * Returns text, or the label inside the model. */
const char *eis_classifier_class_name(const eis_model *model, uint32_t class_index, char text[16]);

/* Finds the class that a label of a file means: the class of this name, else the class of this number.
 *
 * Errors:  EIS_ERR_RANGE  there is none; the text says how many classes there are.  *class_index is then untouched. */
EIS_MUST_USE eis_status eis_classifier_class_find(const eis_model *model, uint32_t *class_index, const char *label);

#endif
