/* SPDX-License-Identifier: Apache-2.0 */
/* PGM, both kinds: one image, greys from 0 to 255. */
#include "base/mem.h"
#include "model/input.h"

#include <ctype.h>
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    eis_inputs in = {0};

    try_inputs(data, size, 0, NULL);
    if (size < 3 || data[0] != 'P' || !isspace(data[2]) || eis_inputs_parse(&in, data, size, 0, NULL, "fuzz") != EIS_OK)
        return 0;
    for (size_t i = 0; (data[1] == '2' || data[1] == '5') && i < in.count * in.elements; i++)
        EIS_ASSERT(in.x[i] >= 0 && in.x[i] <= 255);
    eis_inputs_clear(&in);
    return 0;
}
