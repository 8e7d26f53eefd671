/* SPDX-License-Identifier: Apache-2.0 */
/* The texts are sorted. While the search reads on from one place, the tokens that still fit are a range [low, high) of
 * them, and a text that ends here stands first in its range:
 *
 *   <|end|>      after "<|e": low = 0, high = 2        after "<|end|>": token 0 ends here, remembered
 *   <|endtext|>  after "<|endt": low = 1, high = 2
 *   <|start|>    no token goes on: the last one remembered is the longest match */
#include "model/tokenizer_added.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { TOKENS_MIN = 64 };

eis_status eis_added_add(eis_added *added, uint32_t id, const uint8_t *text, size_t bytes, bool left_space,
                         bool right_space)
{
    eis_status st = EIS_OK;
    size_t wanted;

    EIS_REQUIRE(bytes > 0 && bytes <= EIS_ADDED_BYTES_MAX, EIS_ERR_PARSE,
                "the text of added token %u has %zu bytes; 1 to %d are possible", id, bytes, EIS_ADDED_BYTES_MAX);
    if (added->count == added->capacity) {
        wanted = added->capacity ? added->capacity * 2 : TOKENS_MIN;
        EIS_TRY(eis_mem_resize(&added->tokens, added->capacity, wanted, sizeof *added->tokens));
        added->capacity = wanted;
    }
    added->tokens[added->count] = (eis_added_token){
        .id = id, .start = added->arena.bytes, .bytes = bytes, .left_space = left_space, .right_space = right_space};
    EIS_TRY(eis_text_append(&added->arena, text, bytes));
    added->count++;
    added->first_byte[text[0]] = true;
out:
    return st;
}

/* qsort has no context argument in C11; the arena of the set being sorted, per thread. */
static _Thread_local const uint8_t *sorted_arena;

static int by_text(const void *a, const void *b)
{
    const eis_added_token *x = a, *y = b;
    size_t shorter = x->bytes < y->bytes ? x->bytes : y->bytes;
    int order = memcmp(sorted_arena + x->start, sorted_arena + y->start, shorter);

    return order != 0 ? order : x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

eis_status eis_added_seal(eis_added *added)
{
    eis_status st = EIS_OK;

    if (added->count < 2) return EIS_OK;
    sorted_arena = added->arena.data;
    qsort(added->tokens, added->count, sizeof *added->tokens, by_text);
    for (size_t i = 1; i < added->count; i++) {
        EIS_REQUIRE(by_text(&added->tokens[i - 1], &added->tokens[i]) != 0, EIS_ERR_PARSE,
                    "the added tokens %u and %u have the same text", added->tokens[i - 1].id, added->tokens[i].id);
    }
out:
    return st;
}

/* The first token in [low, high) whose byte at this depth is `byte` or more. Their first `depth` bytes are equal, and a
 * token that has no byte there comes before all that have. */
static size_t lower_bound(const eis_added *added, size_t low, size_t high, size_t depth, unsigned byte)
{
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const eis_added_token *t = &added->tokens[middle];
        bool less = t->bytes <= depth || added->arena.data[t->start + depth] < byte;
        if (less)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The longest token that the text begins with, or NULL. */
static const eis_added_token *longest_at(const eis_added *added, const uint8_t *text, size_t bytes)
{
    const eis_added_token *found = NULL;
    size_t low = 0, high = added->count;

    for (size_t depth = 0; depth < bytes && low < high; depth++) {
        high = lower_bound(added, low, high, depth, text[depth] + 1u);
        low = lower_bound(added, low, high, depth, text[depth]);
        if (low < high && added->tokens[low].bytes == depth + 1) found = &added->tokens[low];
    }
    return found;
}

static uint32_t code_point(const uint8_t *c, size_t bytes)
{
    if (bytes == 1) return c[0];
    if (bytes == 2) return (c[0] & 0x1Fu) << 6 | (c[1] & 0x3Fu);
    if (bytes == 3) return (c[0] & 0x0Fu) << 12 | (c[1] & 0x3Fu) << 6 | (c[2] & 0x3Fu);
    return (c[0] & 0x07u) << 18 | (c[1] & 0x3Fu) << 12 | (c[2] & 0x3Fu) << 6 | (c[3] & 0x3Fu);
}

/* The White_Space property of Unicode 15. */
static bool is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

static size_t skip_space_right(const uint8_t *text, size_t bytes, size_t at)
{
    size_t step;

    while ((step = eis_utf8_next(text + at, bytes - at)) > 0 && is_space(code_point(text + at, step))) at += step;
    return at;
}

static size_t skip_space_left(const uint8_t *text, size_t from, size_t at)
{
    while (at > from) {
        size_t start = at - 1;
        while (start > from && (text[start] & 0xC0) == 0x80) start--;
        if (eis_utf8_next(text + start, at - start) != at - start) break;
        if (!is_space(code_point(text + start, at - start))) break;
        at = start;
    }
    return at;
}

bool eis_added_find(const eis_added *added, eis_added_match *match, const uint8_t *text, size_t bytes, size_t from)
{
    for (size_t at = from; added->count > 0 && at < bytes; at++) {
        if (!added->first_byte[text[at]]) continue;
        const eis_added_token *t = longest_at(added, text + at, bytes - at);
        if (t == NULL) continue;
        match->id = t->id;
        match->start = t->left_space ? skip_space_left(text, from, at) : at;
        match->end = t->right_space ? skip_space_right(text, bytes, at + t->bytes) : at + t->bytes;
        return true;
    }
    return false;
}

void eis_added_clear(eis_added *added)
{
    eis_mem_free(added->tokens);
    eis_text_clear(&added->arena);
    *added = (eis_added){0};
}
