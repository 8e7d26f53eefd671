/* SPDX-License-Identifier: Apache-2.0 */
/* Binary data as text: what is taken as base64, hex or a decimal word has no second spelling (but for the case of hex
 * and leading zeros of words). */
#include "base/mem.h"
#include "wire/text.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_base64(const uint8_t *text, size_t length)
{
    uint8_t *out;
    size_t bytes;
    eis_writer w;

    if (eis_wire_base64_bytes(&bytes, text, length) != EIS_OK) return;
    out = eis_mem_new(bytes, 1);
    EIS_ASSERT(out != NULL);
    if (eis_wire_base64_read(out, bytes, text, length) == EIS_OK) {
        eis_wire_writer_init(&w, length + 4);
        eis_wire_base64_write(&w, out, bytes);
        EIS_ASSERT(w.bytes == length && (length == 0 || memcmp(w.data, text, length) == 0));
        eis_wire_writer_clear(&w);
    }
    eis_mem_free(out);
}

static void try_hex(const uint8_t *text, size_t length)
{
    uint8_t out[64];
    char back[129];

    if (length > 128 || eis_wire_hex_read(out, length / 2, text, length) != EIS_OK) return;
    eis_wire_hex_write(back, out, length / 2);
    for (size_t i = 0; i < length; i++)
        EIS_ASSERT(back[i] == (text[i] >= 'A' && text[i] <= 'F' ? text[i] | 0x20 : text[i]));
}

static void try_decimal(const uint8_t *text, size_t length)
{
    static const unsigned ring[] = {32, 40, 48, 52, 56, 61, 64};
    char back[EIS_DECIMAL_WIDTH_MAX];
    uint64_t word;

    for (size_t i = 0; i < sizeof ring / sizeof ring[0]; i++) {
        size_t width = eis_wire_decimal_width(ring[i]);

        if (eis_wire_decimal_read(&word, text, length, ring[i]) != EIS_OK) continue;
        EIS_ASSERT(length <= width && (ring[i] == 64 || word >> ring[i] == 0));
        eis_wire_decimal_write(back, word, ring[i]);
        EIS_ASSERT(memcmp(back + width - length, text, length) == 0);
        for (size_t j = 0; j < width - length; j++) EIS_ASSERT(back[j] == '0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_base64(data, size);
    try_hex(data, size);
    try_decimal(data, size);
    return 0;
}
