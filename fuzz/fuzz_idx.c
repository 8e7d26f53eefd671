/* SPDX-License-Identifier: Apache-2.0 */
/* idx, plain and gzipped, as inputs and as labels: every number that comes out is finite, every count holds. */
#include "inputs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
