/* SPDX-License-Identifier: Apache-2.0 */
/* Each step reads a text in pieces and writes a new one. PCRE2 does the patterns; it gets its memory from us and limits
 * on its work, since patterns come from model files and texts from users. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "model/tokenizer_split.h"

#include "base/mem.h"

#include <pcre2.h>
#include <string.h>

enum { ENDS_MIN = 64, MATCH_LIMIT = 1000000, HEAP_LIMIT_KIB = 64 * 1024, ERROR_TEXT_BYTES = 128 };

const char eis_split_gpt2_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static void *pcre2_take(size_t bytes, void *unused)
{
    (void)unused;
    return eis_mem_new(bytes, 1);
}

static void pcre2_give(void *ptr, void *unused)
{
    (void)unused;
    eis_mem_free(ptr);
}

eis_status eis_split_add(eis_split_list *list, const eis_split_step *step)
{
    if (list->count == EIS_SPLIT_STEPS_MAX)
        return eis_fail(EIS_ERR_UNSUPPORTED, "more than %d normaliser or pre-tokenizer steps", EIS_SPLIT_STEPS_MAX);
    list->steps[list->count++] = *step;
    return EIS_OK;
}

/* \h and \H mean a hexadecimal digit in the dialect of these files and white space in PCRE2. */
static bool has_foreign_escape(const uint8_t *pattern, size_t bytes)
{
    for (size_t i = 0; i + 1 < bytes; i++) {
        if (pattern[i] != '\\') continue;
        if (pattern[i + 1] == 'h' || pattern[i + 1] == 'H') return true;
        i++;
    }
    return false;
}

eis_status eis_split_compile(pcre2_code **code, const uint8_t *pattern, size_t bytes, bool literal)
{
    eis_status st = EIS_OK;
    pcre2_general_context *memory = pcre2_general_context_create(pcre2_take, pcre2_give, NULL);
    pcre2_compile_context *compile = memory ? pcre2_compile_context_create(memory) : NULL;
    uint32_t options = PCRE2_UTF | (literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C);
    uint8_t reason[ERROR_TEXT_BYTES];
    PCRE2_SIZE where;
    int error;

    EIS_REQUIRE(compile != NULL, EIS_ERR_MEMORY, "not enough memory to compile a pattern");
    EIS_REQUIRE(literal || !has_foreign_escape(pattern, bytes), EIS_ERR_UNSUPPORTED, "the pattern uses \\h");
    *code = pcre2_compile(pattern, bytes, options, &error, &where, compile);
    if (*code == NULL) {
        if (pcre2_get_error_message(error, reason, sizeof reason) < 0) reason[0] = '\0';
        st = eis_fail(error == PCRE2_ERROR_HEAP_FAILED ? EIS_ERR_MEMORY : EIS_ERR_UNSUPPORTED,
                      "the pattern, at byte %zu: %s", where, (const char *)reason);
    }
out:
    pcre2_compile_context_free(compile);
    pcre2_general_context_free(memory);
    return st;
}

size_t eis_split_byte_char(uint8_t out[2], uint8_t byte)
{
    /* Printable Latin-1 stands for itself; the rest, in order, are U+0100 and up. */
    uint32_t c = byte;

    if (byte <= 0x20)
        c = 0x100u + byte;
    else if (byte >= 0x7F && byte <= 0xA0)
        c = 0x100u + 0x21 + (byte - 0x7Fu);
    else if (byte == 0xAD)
        c = 0x100u + 0x21 + 0x22;
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    out[0] = (uint8_t)(0xC0 | c >> 6);
    out[1] = (uint8_t)(0x80 | (c & 0x3F));
    return 2;
}

size_t eis_split_char_byte(uint8_t *byte, const uint8_t *text, size_t bytes)
{
    size_t step = eis_utf8_next(text, bytes);
    uint32_t c = step == 1 ? text[0] : step == 2 ? (text[0] & 0x1Fu) << 6 | (text[1] & 0x3Fu) : 0;
    uint32_t high = c - 0x100;

    if (c >= 0x100) {
        if (high > 0x21 + 0x22) return 0;
        *byte = (uint8_t)(high <= 0x20 ? high : high < 0x21 + 0x22 ? 0x7F + (high - 0x21) : 0xAD);
        return step;
    }
    if (c <= 0x20 || (c >= 0x7F && c <= 0xA0) || c == 0xAD) return 0;
    *byte = (uint8_t)c;
    return step;
}

/* Ends a piece where the text ends now; there are no empty pieces. */
static eis_status end_piece(eis_split_text *out)
{
    eis_status st = EIS_OK;
    size_t wanted, last = out->count ? out->ends[out->count - 1] : 0;

    if (out->text.bytes == last) return EIS_OK;
    if (out->count == out->capacity) {
        wanted = out->capacity ? out->capacity * 2 : ENDS_MIN;
        EIS_TRY(eis_mem_resize(&out->ends, out->capacity, wanted, sizeof *out->ends));
        out->capacity = wanted;
    }
    out->ends[out->count++] = out->text.bytes;
out:
    return st;
}

static eis_status append_piece(eis_split_text *out, const uint8_t *data, size_t bytes)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_text_append(&out->text, data, bytes));
    EIS_TRY(end_piece(out));
out:
    return st;
}

static bool starts_with(const uint8_t *data, size_t bytes, const uint8_t *prefix, size_t prefix_bytes)
{
    return bytes >= prefix_bytes && memcmp(data, prefix, prefix_bytes) == 0;
}

/* Copies data with each pattern replaced; with `cut`, every replacement begins a piece. Does not end the last piece. */
static eis_status replace(eis_split_text *out, const eis_split_step *step, const uint8_t *data, size_t bytes)
{
    eis_status st = EIS_OK;
    size_t copied = 0, at = 0;

    while (at < bytes) {
        if (!starts_with(data + at, bytes - at, step->pattern, step->pattern_bytes)) {
            at++;
            continue;
        }
        EIS_TRY(eis_text_append(&out->text, data + copied, at - copied));
        if (step->cut) EIS_TRY(end_piece(out));
        EIS_TRY(eis_text_append(&out->text, step->text, step->text_bytes));
        at += step->pattern_bytes;
        copied = at;
    }
    EIS_TRY(eis_text_append(&out->text, data + copied, bytes - copied));
out:
    return st;
}

/* The replacement may stand in the text already; cutting must see those too. So: replace first, then cut. */
static eis_status metaspace(eis_split_text *out, const eis_split_step *step, const uint8_t *data, size_t bytes,
                            bool first)
{
    eis_status st = EIS_OK;
    eis_split_step plain = *step, cutting = *step;
    eis_split_text whole = {0};
    bool prefix = step->scheme == EIS_METASPACE_ALWAYS || (step->scheme == EIS_METASPACE_FIRST && first);

    plain.cut = false;
    EIS_TRY(replace(&whole, &plain, data, bytes));
    if (prefix && !starts_with(whole.text.data, whole.text.bytes, step->text, step->text_bytes))
        EIS_TRY(eis_text_append(&out->text, step->text, step->text_bytes));
    memcpy(cutting.pattern, step->text, sizeof cutting.pattern);
    cutting.pattern_bytes = step->text_bytes;
    EIS_TRY(replace(out, &cutting, whole.text.data, whole.text.bytes));
    EIS_TRY(end_piece(out));
out:
    eis_split_text_clear(&whole);
    return st;
}

static eis_status bytes_to_chars(eis_split_text *out, const uint8_t *data, size_t bytes)
{
    eis_status st = EIS_OK;
    uint8_t chars[2];

    for (size_t i = 0; i < bytes; i++) EIS_TRY(eis_text_append(&out->text, chars, eis_split_byte_char(chars, data[i])));
    EIS_TRY(end_piece(out));
out:
    eis_mem_wipe(chars, sizeof chars);
    return st;
}

/* What one search needs; made once per step. */
typedef struct matcher {
    pcre2_general_context *memory;
    pcre2_match_context *limits;
    pcre2_match_data *found;
} matcher;

static void matcher_clear(matcher *m)
{
    pcre2_match_data_free(m->found);
    pcre2_match_context_free(m->limits);
    pcre2_general_context_free(m->memory);
    *m = (matcher){0};
}

static eis_status matcher_init(matcher *m, const pcre2_code *code)
{
    *m = (matcher){.memory = pcre2_general_context_create(pcre2_take, pcre2_give, NULL)};
    if (m->memory != NULL) m->limits = pcre2_match_context_create(m->memory);
    if (m->limits != NULL) m->found = pcre2_match_data_create_from_pattern(code, m->memory);
    if (m->found == NULL) {
        matcher_clear(m);
        return eis_fail(EIS_ERR_MEMORY, "not enough memory to search for a pattern");
    }
    pcre2_set_match_limit(m->limits, MATCH_LIMIT);
    pcre2_set_heap_limit(m->limits, HEAP_LIMIT_KIB);
    return EIS_OK;
}

/* Finds the next match that is not empty. *start = bytes where there is none. */
static eis_status next_match(matcher *m, const pcre2_code *code, const uint8_t *data, size_t bytes, size_t from,
                             size_t *start, size_t *end)
{
    int rc = pcre2_match(code, data, bytes, from, PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, m->found, m->limits);

    *start = *end = bytes;
    if (rc == PCRE2_ERROR_NOMATCH) return EIS_OK;
    if (rc == PCRE2_ERROR_NOMEMORY) return eis_fail(EIS_ERR_MEMORY, "not enough memory to search for a pattern");
    if (rc < 0) return eis_fail(EIS_ERR_LIMIT, "the tokenizer's pattern takes too long on this text");
    *start = pcre2_get_ovector_pointer(m->found)[0];
    *end = pcre2_get_ovector_pointer(m->found)[1];
    /* \K inside a lookaround can put the ends in any order, which no pattern of a tokenizer needs. */
    if (*start < from || *end <= *start)
        return eis_fail(EIS_ERR_UNSUPPORTED, "the tokenizer's pattern moves its own start");
    return EIS_OK;
}

static eis_status cut(eis_split_text *out, matcher *m, const eis_split_step *step, const uint8_t *data, size_t bytes)
{
    eis_status st = EIS_OK;
    size_t at = 0, start, end;

    while (at < bytes) {
        EIS_TRY(next_match(m, step->code, data, bytes, at, &start, &end));
        if (step->op != EIS_SPLIT_KEEP_MATCHES) EIS_TRY(append_piece(out, data + at, start - at));
        if (step->op != EIS_SPLIT_KEEP_GAPS) EIS_TRY(append_piece(out, data + start, end - start));
        at = end;
    }
out:
    return st;
}

static eis_status run_on_piece(eis_split_text *out, matcher *m, const eis_split_step *step, const uint8_t *data,
                               size_t bytes, bool first)
{
    eis_status st = EIS_OK;

    switch (step->op) {
    case EIS_SPLIT_PREPEND:
        EIS_TRY(eis_text_append(&out->text, step->text, step->text_bytes));
        return append_piece(out, data, bytes);
    case EIS_SPLIT_PREFIX_SPACE:
        if (data[0] != ' ') EIS_TRY(eis_text_append(&out->text, " ", 1));
        return append_piece(out, data, bytes);
    case EIS_SPLIT_REPLACE:
        EIS_TRY(replace(out, step, data, bytes));
        return end_piece(out);
    case EIS_SPLIT_BYTES_TO_CHARS:
        return bytes_to_chars(out, data, bytes);
    case EIS_SPLIT_METASPACE:
        return metaspace(out, step, data, bytes, first);
    case EIS_SPLIT_ISOLATE:
    case EIS_SPLIT_KEEP_MATCHES:
    case EIS_SPLIT_KEEP_GAPS:
        return cut(out, m, step, data, bytes);
    }
out:
    return st;
}

static eis_status run_step(eis_split_text *out, const eis_split_step *step, const eis_split_text *in, bool first)
{
    eis_status st = EIS_OK;
    matcher m = {0};

    if (step->code != NULL) EIS_TRY(matcher_init(&m, step->code));
    for (size_t i = 0, start = 0; i < in->count; start = in->ends[i++])
        EIS_TRY(run_on_piece(out, &m, step, in->text.data + start, in->ends[i] - start, first && i == 0));
out:
    matcher_clear(&m);
    return st;
}

eis_status eis_split_run(const eis_split_list *list, eis_split_text *out, const uint8_t *text, size_t bytes, bool first)
{
    eis_status st = EIS_OK;
    eis_split_text now = {0}, next = {0};

    *out = (eis_split_text){0};
    EIS_TRY(append_piece(&now, text, bytes));
    for (size_t i = 0; i < list->count; i++) {
        EIS_TRY(run_step(&next, &list->steps[i], &now, first));
        eis_split_text_clear(&now);
        now = next;
        next = (eis_split_text){0};
    }
    *out = now;
    return EIS_OK;
out:
    eis_split_text_clear(&now);
    eis_split_text_clear(&next);
    return st;
}

void eis_split_text_clear(eis_split_text *text)
{
    eis_text_clear(&text->text);
    eis_mem_free_wiped(text->ends, text->capacity, sizeof *text->ends);
    *text = (eis_split_text){0};
}

void eis_split_list_clear(eis_split_list *list)
{
    for (size_t i = 0; i < list->count; i++) pcre2_code_free(list->steps[i].code);
    *list = (eis_split_list){0};
}
