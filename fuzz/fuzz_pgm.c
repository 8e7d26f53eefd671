/* SPDX-License-Identifier: Apache-2.0 */
/* PGM, both kinds: one image, greys from 0 to 255. */
#include "inputs.h"

#include <ctype.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
