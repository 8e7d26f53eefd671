/* SPDX-License-Identifier: Apache-2.0 */
/* CSV with and without a label column: rows of one length, all numbers finite. */
#include "inputs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_inputs(data, size, 0, NULL);
    try_inputs(data, size, 2, "1");
    try_inputs(data, size, 0, "class");
    return 0;
}
