/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for the inputs of a classifier in any format. */
#ifndef EIS_FUZZ_INPUTS_H
#define EIS_FUZZ_INPUTS_H

#include "base/mem.h"
#include "model/input.h"

#include <math.h>
#include <string.h>

/* Parses them, with and without a column of labels: what comes out is whole, finite and as much as was asked for. */
static inline void try_inputs(const uint8_t *data, size_t size, size_t limit, const char *label_column)
{
    eis_inputs in = {0};

    if (eis_inputs_parse(&in, data, size, limit, label_column, "fuzz") == EIS_OK) {
        EIS_ASSERT(in.count > 0 && in.elements > 0 && in.count <= in.capacity / in.elements);
        EIS_ASSERT(limit == 0 || in.count <= limit);
        EIS_ASSERT(in.labels.count == (label_column != NULL ? in.count : 0));
        for (size_t i = 0; i < in.count * in.elements; i++) EIS_ASSERT(isfinite(in.x[i]));
        for (size_t i = 0; i < in.labels.count; i++) EIS_ASSERT(strlen(eis_labels_text(&in.labels, i)) <= size);
    } else {
        EIS_ASSERT(in.x == NULL && in.labels.count == 0);
    }
    eis_inputs_clear(&in);
}

#endif
