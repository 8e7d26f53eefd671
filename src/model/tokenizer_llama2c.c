/* SPDX-License-Identifier: Apache-2.0 */
/* Encode: BOS; a leading space if the text is not empty; one piece per UTF-8 character, a character without a piece as
 * its bytes; then merge the neighbours whose joined piece has the highest score. */
#include "model/tokenizer_llama2c.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "model/tokenizer_merge.h"

#include <math.h>
#include <string.h>

enum { FIRST_BYTE_ID = 3, IDS_MIN = FIRST_BYTE_ID + 256, HEADER_BYTES = 4, ENTRY_BYTES = 8, LONGEST_MAX = 1024 };

static eis_status read_entry(eis_llama2c *t, size_t *capacity, const uint8_t *data, size_t bytes, size_t *at,
                             uint32_t longest)
{
    eis_status st = EIS_OK;
    uint32_t id = t->vocab.count, word, length;
    float score;

    EIS_REQUIRE(bytes - *at >= ENTRY_BYTES, EIS_ERR_PARSE, "cut off in token %u", id);
    word = eis_load_le32(data + *at);
    length = eis_load_le32(data + *at + 4);
    memcpy(&score, &word, sizeof score);
    EIS_REQUIRE(isfinite(score), EIS_ERR_PARSE, "the score of token %u is not finite", id);
    EIS_REQUIRE(length <= longest, EIS_ERR_PARSE, "token %u has %u bytes, the longest should have %u", id, length,
                longest);
    EIS_REQUIRE(bytes - *at - ENTRY_BYTES >= length, EIS_ERR_PARSE, "cut off in token %u", id);
    if (id >= *capacity) {
        size_t wanted = *capacity ? *capacity * 2 : IDS_MIN;
        EIS_TRY(eis_mem_resize(&t->scores, *capacity, wanted, sizeof *t->scores));
        *capacity = wanted;
    }
    EIS_TRY(eis_vocab_add(&t->vocab, id, data + *at + ENTRY_BYTES, length));
    t->scores[id] = score;
    *at += ENTRY_BYTES + length;
out:
    return st;
}

eis_status eis_llama2c_read(eis_llama2c *t, const uint8_t *data, size_t bytes, uint32_t vocab_count)
{
    eis_status st = EIS_OK;
    size_t at = HEADER_BYTES, capacity = 0;
    uint32_t longest;

    *t = (eis_llama2c){0};
    EIS_REQUIRE(bytes >= HEADER_BYTES, EIS_ERR_PARSE, "%zu bytes are no tokenizer file", bytes);
    longest = eis_load_le32(data);
    EIS_REQUIRE(
        longest > 0 && longest <= LONGEST_MAX, EIS_ERR_PARSE,
        "neither JSON nor a llama2.c tokenizer file (a SentencePiece .model file must be exported to one of them)");
    while (at < bytes) EIS_TRY(read_entry(t, &capacity, data, bytes, &at, longest));
    EIS_REQUIRE(t->vocab.count >= IDS_MIN, EIS_ERR_PARSE, "%u tokens; ids 3 to 258 must be the 256 bytes",
                t->vocab.count);
    EIS_REQUIRE(t->vocab.count >= vocab_count, EIS_ERR_MODEL,
                "%u tokens, but the model has %u: another model's tokenizer?", t->vocab.count, vocab_count);
    t->vocab.pieces[EIS_LLAMA2C_BOS].special = t->vocab.pieces[EIS_LLAMA2C_EOS].special = true;
out:
    if (st != EIS_OK) eis_llama2c_clear(t);
    return st;
}

void eis_llama2c_clear(eis_llama2c *t)
{
    eis_vocab_clear(&t->vocab);
    eis_mem_free(t->scores);
    *t = (eis_llama2c){0};
}

/* Two neighbours merge where their pieces under each other are a piece; the one with the highest score goes first. */
static bool find_merge(const void *ctx, uint32_t left, uint32_t right, uint32_t *joined, double *cost)
{
    const eis_llama2c *t = ctx;
    uint8_t text[2 * LONGEST_MAX];
    size_t left_bytes, right_bytes;
    const uint8_t *left_piece = eis_vocab_piece_of(&t->vocab, left, &left_bytes);
    const uint8_t *right_piece = eis_vocab_piece_of(&t->vocab, right, &right_bytes);
    uint32_t id;

    memcpy(text, left_piece, left_bytes);
    memcpy(text + left_bytes, right_piece, right_bytes);
    id = eis_vocab_find(&t->vocab, text, left_bytes + right_bytes);
    eis_mem_wipe(text, left_bytes + right_bytes);
    if (id == EIS_TOKEN_NONE) return false;
    *joined = id;
    *cost = -(double)t->scores[id];
    return true;
}

/* One piece per character; a character without a piece becomes its bytes. ids has room for one per byte. */
static size_t first_ids(const eis_llama2c *t, uint32_t *ids, const uint8_t *text, size_t bytes)
{
    size_t count = 0, step;

    for (size_t at = 0; at < bytes; at += step) {
        step = eis_utf8_next(text + at, bytes - at);
        EIS_ASSERT(step > 0);
        uint32_t id = eis_vocab_find(&t->vocab, text + at, step);
        if (id != EIS_TOKEN_NONE) {
            ids[count++] = id;
        } else {
            for (size_t i = 0; i < step; i++) ids[count++] = (uint32_t)text[at + i] + FIRST_BYTE_ID;
        }
    }
    return count;
}

eis_status eis_llama2c_encode(const eis_llama2c *t, eis_ids *ids, const uint8_t *text, size_t bytes)
{
    eis_status st = EIS_OK;
    const eis_merge_rules rules = {.ctx = t, .find = find_merge};
    size_t count = 0, before = ids->count, room = bytes + 1; /* the leading space */
    uint32_t *work = NULL;

    EIS_NEW(work, room);
    if (bytes > 0) {
        count = first_ids(t, work, (const uint8_t *)" ", 1);
        count += first_ids(t, work + count, text, bytes);
    }
    EIS_TRY(eis_merge_run(work, &count, &rules));
    EIS_TRY(eis_ids_append(ids, EIS_LLAMA2C_BOS));
    for (size_t i = 0; i < count; i++) EIS_TRY(eis_ids_append(ids, work[i]));
out:
    if (st != EIS_OK) ids->count = before;
    eis_mem_free_wiped(work, room, sizeof *work);
    return st;
}

eis_status eis_llama2c_decode(const eis_llama2c *t, eis_text *text, uint32_t previous, uint32_t id)
{
    size_t bytes;
    const uint8_t *piece = eis_vocab_piece_of(&t->vocab, id, &bytes);
    uint8_t byte;

    if (piece == NULL || t->vocab.pieces[id].special) return EIS_OK;
    if (previous == EIS_LLAMA2C_BOS && bytes > 0 && piece[0] == ' ') {
        piece++;
        bytes--;
    }
    if (eis_vocab_byte_piece(piece, bytes, &byte)) return eis_text_append(text, &byte, 1);
    return eis_text_append(text, piece, bytes);
}
