/* SPDX-License-Identifier: Apache-2.0 */
/* The tokenizer file of llama2.c. A smaller file than 2 KiB cannot hold its 259 tokens, so the pieces of the bytes are
 * put in front and the input is what follows them. */
#include "base/bytes.h"
#include "base/mem.h"
#include "model/tokenizer.h"

#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BASE_TOKENS = 259, BASE_BYTES = 4 + BASE_TOKENS * (8 + 6) };

/* Writes the header, three empty pieces and the 256 bytes. */
static void write_base(uint8_t *out)
{
    char piece[8];

    eis_store_le32(out, 64);
    out += 4;
    for (unsigned id = 0; id < BASE_TOKENS; id++, out += 8 + 6) {
        snprintf(piece, sizeof piece, "<0x%02X>", id < 3 ? id : id - 3);
        eis_store_le32(out, 0);
        eis_store_le32(out + 4, 6);
        memcpy(out + 8, piece, 6);
    }
}

static void use(const eis_tokenizer *t)
{
    static const char text[] = "Once upon a time, \xC3\xA9\xF0\x9F\xA6\x99 aaaa";
    eis_ids ids = {0};
    eis_text out = {0};

    EIS_ASSERT(eis_tokenizer_encode(t, &ids, (const uint8_t *)text, sizeof text - 1) == EIS_OK);
    EIS_ASSERT(ids.count > 0 && ids.ids[0] == 1);
    for (size_t i = 1; i < ids.count; i++) {
        EIS_ASSERT(ids.ids[i] < eis_tokenizer_count(t));
        EIS_ASSERT(eis_tokenizer_decode(t, &out, ids.ids[i - 1], ids.ids[i]) == EIS_OK);
    }
    eis_ids_clear(&ids);
    eis_text_clear(&out);
}

static void try_file(const uint8_t *data, size_t size)
{
    eis_tokenizer *t;
    eis_status st = eis_tokenizer_new(&t, EIS_TOKENIZER_LLAMA2C, data, size, 0, "fuzz");

    EIS_ASSERT((st == EIS_OK) == (t != NULL));
    if (t != NULL) use(t);
    eis_tokenizer_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *whole = eis_mem_new(BASE_BYTES + size, 1);

    EIS_ASSERT(whole != NULL);
    write_base(whole);
    if (size > 0) memcpy(whole + BASE_BYTES, data, size);
    try_file(data, size);
    try_file(whole, BASE_BYTES + size);
    eis_mem_free(whole);
    return 0;
}
