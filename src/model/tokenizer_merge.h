/* SPDX-License-Identifier: Apache-2.0 */
/* Byte-pair merging: again and again the cheapest neighbouring pair becomes one token, leftmost first among equals. */
#ifndef EIS_MODEL_TOKENIZER_MERGE_H
#define EIS_MODEL_TOKENIZER_MERGE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What two neighbours become, and in which order: lower cost first. */
typedef struct eis_merge_rules {
    const void *ctx;
    /* Returns whether the pair merges; sets *joined and *cost (not NaN) only then. */
    bool (*find)(const void *ctx, uint32_t left, uint32_t right, uint32_t *joined, double *cost);
} eis_merge_rules;

/* Merges ids in place until no pair is left that merges.
 *
 * Shape:   ids[*count]; *count becomes the number of ids that are left.
 * Secret:  ids; variable time; work space is wiped.
 * Cost:    O(n log n), O(n) memory.
 * Errors:  EIS_ERR_LIMIT  more than 2^30 ids; EIS_ERR_MEMORY. ids and *count are untouched on error. */
EIS_MUST_USE eis_status eis_merge_run(uint32_t *ids, size_t *count, const eis_merge_rules *rules);

#endif
