/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs as a JSON array or array of arrays. */
#include "inputs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_inputs(data, size, 0, NULL);
    try_inputs(data, size, 2, NULL);
    return 0;
}
