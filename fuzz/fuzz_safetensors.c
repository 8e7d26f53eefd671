/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds bytes to the safetensors reader and reads every tensor that it lets through. */
#include "model/safetensors.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    eis_safetensors table = {0};
    double row[64];

    if (eis_safetensors_add(&table, (eis_span){data, size}, "fuzz") == EIS_OK)
        for (uint32_t i = 0; i < table.count; i++) {
            const eis_safetensors_entry *entry = eis_safetensors_find(&table, table.entries[i].name);
            eis_tensor_view view;
            EIS_ASSERT(entry == &table.entries[i]);
            if (entry->count == 0 || entry->count > 64) continue;
            if (eis_safetensors_words(&view, &table, entry->name, 1, (uint32_t)entry->count) == EIS_OK)
                eis_tensor_read_f64(row, &view, 0, 1);
        }
    eis_safetensors_clear(&table);
    return 0;
}
