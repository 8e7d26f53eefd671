/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json, and the same bytes as vocab.json with its merges: whatever is taken encodes and decodes in bounds. */
#include "base/mem.h"
#include "model/tokenizer.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const texts[] = {"", "ab ab\nc", "Hello <s> w\xC3\xB6rld 123", "\xE2\x96\x81\xF0\x9F\xA6\x99  x"};

static void use(const eis_tokenizer *t)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        eis_decoder decoder;
        eis_ids ids = {0};
        eis_text out = {0};
        eis_status st = eis_tokenizer_encode(t, &ids, (const uint8_t *)texts[i], strlen(texts[i]));

        EIS_ASSERT(st == EIS_OK || ids.count == 0);
        eis_decoder_init(&decoder, t);
        for (size_t k = 0; k < ids.count; k++) {
            EIS_ASSERT(ids.ids[k] < eis_tokenizer_count(t));
            EIS_ASSERT(eis_decoder_push(&decoder, &out, ids.ids[k]) == EIS_OK);
        }
        EIS_ASSERT(eis_decoder_finish(&decoder, &out) == EIS_OK);
        eis_ids_clear(&ids);
        eis_text_clear(&out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const eis_tokenizer_kind kinds[] = {EIS_TOKENIZER_JSON, EIS_TOKENIZER_VOCAB_MERGES};

    for (size_t i = 0; i < 2; i++) {
        eis_tokenizer *t;
        eis_status st = eis_tokenizer_new(&t, kinds[i], data, size, 0, "fuzz");

        EIS_ASSERT((st == EIS_OK) == (t != NULL));
        if (t != NULL) use(t);
        eis_tokenizer_free(t);
    }
    return 0;
}
