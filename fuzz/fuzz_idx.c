/* SPDX-License-Identifier: Apache-2.0 */
/* idx, plain and gzipped, as inputs and as labels: every number that comes out is finite, every count holds. */
#include "base/mem.h"
#include "model/input.h"

#include <math.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_inputs(const uint8_t *data, size_t size, size_t limit, const char *label_column)
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

static void try_labels(const uint8_t *data, size_t size)
{
    eis_labels labels = {0};

    if (eis_labels_parse(&labels, data, size, 3, "fuzz") == EIS_OK) {
        EIS_ASSERT(labels.count >= 1 && labels.count <= 3);
        for (size_t i = 0; i < labels.count; i++) EIS_ASSERT(eis_labels_text(&labels, i)[0] != '\0');
    }
    eis_labels_clear(&labels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A few bytes of gzip unpack to a megabyte at most, which is enough to look for trouble in. */
    if (size > 1000) return 0;
    try_inputs(data, size, 0, NULL);
    try_inputs(data, size, 1, NULL);
    try_labels(data, size);
    return 0;
}
