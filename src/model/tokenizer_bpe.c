/* SPDX-License-Identifier: Apache-2.0 */
/* Running a BPE in both directions; reading one from files is in tokenizer_json.c and tokenizer_files.c. */
#include "model/tokenizer_bpe.h"

#include "base/mem.h"
#include "model/tokenizer_merge.h"

#include <stdio.h>
#include <string.h>

eis_status eis_bpe_add_merge(eis_bpe *bpe, eis_span left, eis_span right, uint32_t rank)
{
    eis_status st = EIS_OK;
    uint32_t left_id = eis_vocab_find(&bpe->vocab, left.data, left.bytes);
    uint32_t right_id = eis_vocab_find(&bpe->vocab, right.data, right.bytes);
    uint32_t joined_id = EIS_TOKEN_NONE;
    eis_text joined = {0};

    EIS_TRY(eis_text_append(&joined, left.data, left.bytes));
    EIS_TRY(eis_text_append(&joined, right.data, right.bytes));
    joined_id = eis_vocab_find(&bpe->vocab, joined.data, joined.bytes);
    EIS_REQUIRE(left_id != EIS_TOKEN_NONE && right_id != EIS_TOKEN_NONE && joined_id != EIS_TOKEN_NONE, EIS_ERR_PARSE,
                "merge %u: %s is not in the vocabulary", rank,
                left_id == EIS_TOKEN_NONE    ? "its first piece"
                : right_id == EIS_TOKEN_NONE ? "its second piece"
                                             : "what it makes");
    EIS_TRY(eis_pairs_add(&bpe->merges, left_id, right_id, joined_id, rank));
out:
    eis_text_clear(&joined);
    return st;
}

eis_status eis_bpe_add_decode(eis_bpe *bpe, const eis_bpe_decode_step *step)
{
    if (bpe->decode_count == EIS_BPE_DECODE_STEPS_MAX)
        return eis_fail(EIS_ERR_UNSUPPORTED, "decoder: more than %d steps", EIS_BPE_DECODE_STEPS_MAX);
    bpe->decode[bpe->decode_count++] = *step;
    return EIS_OK;
}

void eis_bpe_clear(eis_bpe *bpe)
{
    eis_vocab_clear(&bpe->vocab);
    eis_pairs_clear(&bpe->merges);
    eis_added_clear(&bpe->raw_added);
    eis_added_clear(&bpe->added);
    eis_split_list_clear(&bpe->normaliser);
    eis_split_list_clear(&bpe->pretokenizer);
    eis_ids_clear(&bpe->prefix);
    eis_ids_clear(&bpe->suffix);
    *bpe = (eis_bpe){.unknown = EIS_TOKEN_NONE};
}

/* --- encode --------------------------------------------------------------------------------------------------- */

static bool find_merge(const void *ctx, uint32_t left, uint32_t right, uint32_t *joined, double *cost)
{
    uint32_t rank;

    if (!eis_pairs_find(ctx, left, right, joined, &rank)) return false;
    *cost = rank;
    return true;
}

/* The ids of <0xNN> for each byte of a character. Returns false where one of them is missing. */
static bool byte_ids(const eis_bpe *bpe, uint32_t *ids, const uint8_t *character, size_t bytes)
{
    char name[8];

    for (size_t i = 0; i < bytes; i++) {
        snprintf(name, sizeof name, "<0x%02X>", character[i]);
        ids[i] = eis_vocab_find(&bpe->vocab, (const uint8_t *)name, 6);
        if (ids[i] == EIS_TOKEN_NONE) return false;
    }
    return true;
}

/* One id per character, byte or unknown run; ids has room for one per byte. */
static eis_status first_ids(const eis_bpe *bpe, uint32_t *ids, size_t *count, const uint8_t *piece, size_t bytes)
{
    size_t n = 0, step;
    bool after_unknown = false;

    for (size_t at = 0; at < bytes; at += step) {
        step = eis_utf8_next(piece + at, bytes - at);
        EIS_ASSERT(step > 0);
        uint32_t id = eis_vocab_find(&bpe->vocab, piece + at, step);
        bool unknown = false;
        if (id != EIS_TOKEN_NONE) {
            ids[n++] = id;
        } else if (bpe->byte_fallback && byte_ids(bpe, ids + n, piece + at, step)) {
            n += step;
        } else {
            if (bpe->unknown == EIS_TOKEN_NONE)
                return eis_fail(EIS_ERR_RANGE, "the text holds a character for which the tokenizer has no token");
            unknown = true;
            if (!(bpe->fuse_unknown && after_unknown)) ids[n++] = bpe->unknown;
        }
        after_unknown = unknown;
    }
    *count = n;
    return EIS_OK;
}

/* Encodes one piece; work has room for one id per byte. */
static eis_status encode_piece(const eis_bpe *bpe, eis_ids *ids, uint32_t *work, const uint8_t *piece, size_t bytes)
{
    eis_status st = EIS_OK;
    const eis_merge_rules rules = {.ctx = &bpe->merges, .find = find_merge};
    size_t count;
    uint32_t whole = bpe->whole_piece_first ? eis_vocab_find(&bpe->vocab, piece, bytes) : EIS_TOKEN_NONE;

    if (whole != EIS_TOKEN_NONE) return eis_ids_append(ids, whole);
    EIS_TRY(first_ids(bpe, work, &count, piece, bytes));
    EIS_TRY(eis_merge_run(work, &count, &rules));
    for (size_t i = 0; i < count; i++) EIS_TRY(eis_ids_append(ids, work[i]));
out:
    return st;
}

/* Encodes normalised text between two added tokens. */
static eis_status encode_pieces(const eis_bpe *bpe, eis_ids *ids, const uint8_t *text, size_t bytes, bool first)
{
    eis_status st = EIS_OK;
    eis_split_text pieces = {0};
    uint32_t *work = NULL;
    size_t room = 0;

    if (bytes == 0) return EIS_OK;
    EIS_TRY(eis_split_run(&bpe->pretokenizer, &pieces, text, bytes, first));
    EIS_NEW(work, pieces.text.bytes);
    room = pieces.text.bytes;
    for (size_t i = 0, start = 0; i < pieces.count; start = pieces.ends[i++])
        EIS_TRY(encode_piece(bpe, ids, work, pieces.text.data + start, pieces.ends[i] - start));
out:
    eis_mem_free_wiped(work, room, sizeof *work);
    eis_split_text_clear(&pieces);
    return st;
}

typedef eis_status (*encode_section)(const eis_bpe *bpe, eis_ids *ids, const uint8_t *text, size_t bytes, bool first);

/* Cuts the added tokens out of a text, and gives what lies between them to `encode`. */
static eis_status encode_between(const eis_bpe *bpe, eis_ids *ids, const eis_added *added, encode_section encode,
                                 const uint8_t *text, size_t bytes, bool first)
{
    eis_status st = EIS_OK;
    eis_added_match match;
    size_t at = 0;

    while (at < bytes && eis_added_find(added, &match, text, bytes, at)) {
        EIS_TRY(encode(bpe, ids, text + at, match.start - at, first && at == 0));
        EIS_TRY(eis_ids_append(ids, match.id));
        at = match.end;
    }
    EIS_TRY(encode(bpe, ids, text + at, bytes - at, first && at == 0));
out:
    return st;
}

/* Encodes text as it came, between two added tokens. */
static eis_status encode_raw(const eis_bpe *bpe, eis_ids *ids, const uint8_t *text, size_t bytes, bool first)
{
    eis_status st = EIS_OK;
    eis_split_text normal = {0};

    if (bytes == 0) return EIS_OK;
    EIS_TRY(eis_split_run(&bpe->normaliser, &normal, text, bytes, first));
    if (normal.text.bytes > 0)
        EIS_TRY(encode_between(bpe, ids, &bpe->added, encode_pieces, normal.text.data, normal.text.bytes, first));
out:
    eis_split_text_clear(&normal);
    return st;
}

eis_status eis_bpe_encode(const eis_bpe *bpe, eis_ids *ids, const uint8_t *text, size_t bytes)
{
    eis_status st = EIS_OK;
    size_t before = ids->count;

    for (size_t i = 0; i < bpe->prefix.count; i++) EIS_TRY(eis_ids_append(ids, bpe->prefix.ids[i]));
    if (bytes > 0) EIS_TRY(encode_between(bpe, ids, &bpe->raw_added, encode_raw, text, bytes, true));
    for (size_t i = 0; i < bpe->suffix.count; i++) EIS_TRY(eis_ids_append(ids, bpe->suffix.ids[i]));
out:
    if (st != EIS_OK) ids->count = before;
    return st;
}

/* --- decode --------------------------------------------------------------------------------------------------- */

/* A piece with a character that no byte has stays as it is written. */
static eis_status chars_to_bytes(eis_text *out, const uint8_t *data, size_t bytes)
{
    eis_status st = EIS_OK;
    eis_text made = {0};
    uint8_t byte = 0;

    for (size_t at = 0, step; at < bytes; at += step) {
        step = eis_split_char_byte(&byte, data + at, bytes - at);
        if (step == 0) {
            eis_text_clear(&made);
            return eis_text_append(out, data, bytes);
        }
        EIS_TRY(eis_text_append(&made, &byte, 1));
    }
    EIS_TRY(eis_text_append(out, made.data, made.bytes));
out:
    eis_text_clear(&made);
    return st;
}

static bool begins_with(const uint8_t *data, size_t bytes, const eis_bpe_decode_step *step)
{
    return bytes >= step->pattern_bytes && memcmp(data, step->pattern, step->pattern_bytes) == 0;
}

/* Copies with each pattern replaced by text; an empty text leaves it out. */
static eis_status replace(eis_text *out, const eis_bpe_decode_step *step, const uint8_t *text, size_t text_bytes,
                          const uint8_t *data, size_t bytes)
{
    eis_status st = EIS_OK;

    for (size_t at = 0; at < bytes;) {
        if (begins_with(data + at, bytes - at, step)) {
            EIS_TRY(eis_text_append(out, text, text_bytes));
            at += step->pattern_bytes;
        } else {
            EIS_TRY(eis_text_append(out, data + at, 1));
            at++;
        }
    }
out:
    return st;
}

static eis_status decode_step(eis_text *out, const eis_bpe_decode_step *step, const uint8_t *data, size_t bytes,
                              bool first)
{
    size_t skipped;
    uint8_t byte;

    switch (step->op) {
    case EIS_BPE_DECODE_CHARS:
        return chars_to_bytes(out, data, bytes);
    case EIS_BPE_DECODE_BYTE_PIECE:
        if (eis_vocab_byte_piece(data, bytes, &byte)) return eis_text_append(out, &byte, 1);
        return eis_text_append(out, data, bytes);
    case EIS_BPE_DECODE_REPLACE:
        return replace(out, step, step->text, step->text_bytes, data, bytes);
    case EIS_BPE_DECODE_DROP_AT_START:
        if (first) return replace(out, step, NULL, 0, data, bytes);
        return eis_text_append(out, data, bytes);
    case EIS_BPE_DECODE_STRIP:
    case EIS_BPE_DECODE_STRIP_AT_START:
        skipped =
            (first || step->op == EIS_BPE_DECODE_STRIP) && begins_with(data, bytes, step) ? step->pattern_bytes : 0;
        return eis_text_append(out, data + skipped, bytes - skipped);
    }
    return EIS_OK;
}

/* The text starts here if nothing that has bytes came before. */
static bool is_first(const eis_bpe *bpe, uint32_t previous)
{
    return previous >= bpe->vocab.count || bpe->vocab.pieces[previous].special;
}

eis_status eis_bpe_decode(const eis_bpe *bpe, eis_text *text, uint32_t previous, uint32_t id)
{
    eis_status st = EIS_OK;
    eis_text now = {0}, next = {0};
    size_t bytes;
    const uint8_t *piece = eis_vocab_piece_of(&bpe->vocab, id, &bytes);

    if (piece == NULL || bpe->vocab.pieces[id].special) return EIS_OK;
    if (bpe->vocab.pieces[id].raw) return eis_text_append(text, piece, bytes);
    EIS_TRY(eis_text_append(&now, piece, bytes));
    for (size_t i = 0; i < bpe->decode_count && now.bytes > 0; i++) {
        EIS_TRY(decode_step(&next, &bpe->decode[i], now.data, now.bytes, is_first(bpe, previous)));
        eis_text_clear(&now);
        now = next;
        next = (eis_text){0};
    }
    EIS_TRY(eis_text_append(text, now.data, now.bytes));
out:
    eis_text_clear(&now);
    eis_text_clear(&next);
    return st;
}
