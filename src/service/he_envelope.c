/* SPDX-License-Identifier: Apache-2.0 */
/* What all messages share: payloads as text, JSON with its long texts cut out, and the binary frame. */
#include "base/mem.h"
#include "service/he_envelope_internal.h"
#include "wire/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char magic[4] = {'E', 'I', 'S', 'I'};

#define FRAME_HEADER_BYTES (sizeof magic + 4)

const char *eis_he_encoding_name(eis_he_encoding encoding)
{
    switch (encoding) {
    case EIS_HE_BASE64:
        return "base64";
    case EIS_HE_BINARY:
        return "binary";
    case EIS_HE_HEX:
    default:
        return "hex";
    }
}

const char *eis_he_part_name(eis_he_part part)
{
    static const char *const name[EIS_HE_PARTS] = {"relin", "galois", "public", "set"};

    return name[part];
}

static bool is_media_type(const char *text, const char *wanted)
{
    size_t length = strlen(wanted);

    return strncasecmp(text, wanted, length) == 0 &&
           (text[length] == '\0' || text[length] == ';' || text[length] == ' ');
}

bool eis_he_media_parse(eis_he_media *media, const char *media_type)
{
    bool json = is_media_type(media_type, EIS_HE_MEDIA_JSON_TEXT);

    if (!json && !is_media_type(media_type, EIS_HE_MEDIA_BIN_TEXT)) return false;
    *media = json ? EIS_HE_MEDIA_JSON : EIS_HE_MEDIA_BINARY;
    return true;
}

/* ---- Payloads ---- */

eis_he_payload eis_he_payload_of(eis_he_encoding encoding, eis_span text)
{
    eis_he_payload payload = {.encoding = encoding, .text = text, .bytes = text.bytes};
    size_t padding = 0;

    if (encoding == EIS_HE_HEX) payload.bytes = text.bytes / 2;
    if (encoding == EIS_HE_BASE64) {
        while (padding < 2 && padding < text.bytes && text.data[text.bytes - 1 - padding] == '=') padding++;
        payload.bytes = text.bytes / 4 * 3 - (text.bytes < 4 ? 0 : padding);
    }
    return payload;
}

eis_status eis_he_payload_open(eis_span *bytes, uint8_t **memory, const eis_he_payload *payload)
{
    eis_status st = EIS_OK;
    uint8_t *made = NULL;
    size_t count = payload->bytes;

    *bytes = (eis_span){0};
    *memory = NULL;
    if (payload->encoding == EIS_HE_BINARY) {
        *bytes = payload->text;
        return EIS_OK;
    }
    if (payload->encoding == EIS_HE_BASE64)
        EIS_TRY(eis_wire_base64_bytes(&count, payload->text.data, payload->text.bytes));
    made = eis_mem_new_raw(count, 1);
    if (made == NULL) return EIS_ERR_MEMORY;
    if (payload->encoding == EIS_HE_HEX)
        EIS_TRY(eis_wire_hex_read(made, count, payload->text.data, payload->text.bytes));
    else
        EIS_TRY(eis_wire_base64_read(made, count, payload->text.data, payload->text.bytes));
    *bytes = (eis_span){made, count};
    *memory = made;
    made = NULL;
out:
    eis_mem_free(made);
    return st;
}

static void hex_append(eis_writer *w, eis_span bytes)
{
    enum { PIECE = 8192 };
    char piece[2 * PIECE + 1];

    for (size_t at = 0; at < bytes.bytes; at += PIECE) {
        size_t n = bytes.bytes - at < PIECE ? bytes.bytes - at : PIECE;

        eis_wire_hex_write(piece, bytes.data + at, n);
        eis_wire_writer_bytes(w, piece, 2 * n);
    }
}

void eis_he_payload_write_text(eis_json_writer *w, eis_he_encoding encoding, eis_span bytes)
{
    eis_writer *text = eis_json_writer_begin_text(w);

    if (encoding == EIS_HE_BASE64)
        eis_wire_base64_write(text, bytes.data, bytes.bytes);
    else
        hex_append(text, bytes);
    eis_json_writer_end_text(w);
}

void eis_he_json_finish(eis_writer *w, const eis_json_writer *json)
{
    if (w->st == EIS_OK) w->st = eis_json_writer_status(json);
}

void eis_he_write_text(eis_json_writer *w, const char *name, const char *text)
{
    eis_json_writer_key(w, name);
    eis_json_writer_text(w, text);
}

/* ---- JSON with its long texts cut out ----
 * Each text of more than 64 bytes is replaced by its number, written with 65 digits. Escapes only make a text shorter
 * when they are read, so whatever has 65 bytes in the parsed document is such a number and not something that was
 * sent. */

#define PLACEHOLDER_BYTES (EIS_HE_SHORT_TEXT_BYTES_MAX + 1)

/* Finds the end of a text that begins at `at`, behind its quote: the quote before which there is an even number of
 * backslashes. Each run of backslashes is looked at once. Returns bytes where it does not end. */
static size_t find_end(eis_span text, size_t at)
{
    const size_t begin = at;

    while (at < text.bytes) {
        const uint8_t *quote = memchr(text.data + at, '"', text.bytes - at);
        size_t end, slashes = 0;

        if (quote == NULL) break;
        end = (size_t)(quote - text.data);
        while (end - slashes > begin && text.data[end - slashes - 1] == '\\') slashes++;
        if (slashes % 2 == 0) return end;
        at = end + 1;
    }
    return text.bytes;
}

typedef struct cutter {
    eis_he_json *json;
    eis_writer rest;
    size_t cut_capacity, cuts_max;
    const char *what;
} cutter;

static eis_status cut_out(cutter *c, eis_span text)
{
    char number[PLACEHOLDER_BYTES + 1];
    eis_he_json *json = c->json;
    eis_status st = EIS_OK;

    EIS_REQUIRE(json->cut_count < c->cuts_max, EIS_ERR_PARSE, "%s: more than %zu long texts", c->what, c->cuts_max);
    if (json->cut_count == c->cut_capacity) {
        size_t capacity = c->cut_capacity == 0 ? 16 : 2 * c->cut_capacity;

        EIS_TRY(eis_mem_resize(&json->cut, c->cut_capacity, capacity, sizeof *json->cut));
        c->cut_capacity = capacity;
    }
    snprintf(number, sizeof number, "%0*zu", PLACEHOLDER_BYTES, json->cut_count);
    json->cut[json->cut_count++] = text;
    eis_wire_writer_bytes(&c->rest, number, PLACEHOLDER_BYTES);
out:
    return st;
}

static eis_status cut_texts(cutter *c, eis_span text)
{
    eis_status st = EIS_OK;
    size_t at = 0, begin, end;

    while (at < text.bytes && c->rest.st == EIS_OK) {
        const uint8_t *quote = memchr(text.data + at, '"', text.bytes - at);

        begin = quote == NULL ? text.bytes : (size_t)(quote - text.data) + 1;
        eis_wire_writer_bytes(&c->rest, text.data + at, begin - at);
        end = begin < text.bytes ? find_end(text, begin) : text.bytes;
        if (end - begin > EIS_HE_SHORT_TEXT_BYTES_MAX && end < text.bytes)
            EIS_TRY(cut_out(c, (eis_span){text.data + begin, end - begin}));
        else
            eis_wire_writer_bytes(&c->rest, text.data + begin, end - begin); /* also one that does not end: refused */
        if (end < text.bytes) eis_wire_writer_u8(&c->rest, '"');
        at = end < text.bytes ? end + 1 : end;
    }
    st = eis_wire_writer_status(&c->rest);
out:
    return st;
}

eis_status eis_he_json_parse(eis_he_json *json, const char *what, eis_span text, size_t rest_bytes_max, size_t cuts_max)
{
    eis_status st = EIS_OK;
    cutter c = {.json = json, .cuts_max = cuts_max, .what = what};

    *json = (eis_he_json){0};
    eis_wire_writer_init(&c.rest, rest_bytes_max);
    EIS_TRY(cut_texts(&c, text));
    EIS_TRY(eis_json_parse(&json->doc, what, c.rest.data, c.rest.bytes, rest_bytes_max));
out:
    eis_wire_writer_clear(&c.rest);
    if (st != EIS_OK) eis_he_json_clear(json);
    return st;
}

void eis_he_json_clear(eis_he_json *json)
{
    eis_json_free(json->doc);
    eis_mem_free(json->cut);
    *json = (eis_he_json){0};
}

bool eis_he_json_is_cut(const eis_he_json *json, eis_json_value value)
{
    eis_span short_text;

    (void)json;
    return eis_json_string(&short_text, value) && short_text.bytes == PLACEHOLDER_BYTES;
}

bool eis_he_json_text(eis_span *text, const eis_he_json *json, eis_json_value value)
{
    eis_span found;
    size_t number = 0;

    if (!eis_json_string(&found, value)) return false;
    if (found.bytes == PLACEHOLDER_BYTES) {
        for (size_t i = 0; i < found.bytes; i++) number = 10 * number + (size_t)(found.data[i] - '0');
        EIS_ASSERT(number < json->cut_count);
        found = json->cut[number];
    }
    *text = found;
    return true;
}

eis_status eis_he_api_version_check(const eis_he_json *json, eis_json_value object, bool any_minor)
{
    static const char *const known[] = {"v1", "1", "1.0", "1.0.0"};
    eis_json_value value;
    eis_span text;

    if (!eis_json_find(&value, object, "api_version")) return EIS_OK;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (eis_json_string_is(value, known[i])) return EIS_OK;
    if (any_minor && eis_he_json_text(&text, json, value) && text.bytes > 2 &&
        (memcmp(text.data, "1.", 2) == 0 || memcmp(text.data, "v1.", 3) == 0))
        return EIS_OK;
    return eis_fail(EIS_ERR_VERSION, "api_version must be \"%s\", or absent", EIS_HE_API_VERSION);
}

/* ---- The binary frame ---- */

eis_status eis_he_frame_open(eis_he_frame *frame, const char *what, eis_span body)
{
    eis_status st = EIS_OK;
    uint32_t json_bytes;

    *frame = (eis_he_frame){.what = what, .body = body};
    EIS_REQUIRE(body.bytes >= FRAME_HEADER_BYTES && memcmp(body.data, magic, sizeof magic) == 0, EIS_ERR_PARSE,
                "%s: does not begin with EISI and a length", what);
    json_bytes = eis_load_le32(body.data + sizeof magic);
    EIS_REQUIRE(json_bytes <= body.bytes - FRAME_HEADER_BYTES, EIS_ERR_PARSE,
                "%s: %" PRIu32 " bytes of JSON do not fit in %zu bytes", what, json_bytes, body.bytes);
    frame->json = (eis_span){body.data + FRAME_HEADER_BYTES, json_bytes};
    frame->at = FRAME_HEADER_BYTES + json_bytes;
out:
    return st;
}

eis_status eis_he_frame_payload(eis_span *payload, eis_he_frame *frame, uint64_t bytes)
{
    size_t left = frame->body.bytes - frame->at, begin = eis_round_up(frame->at, EIS_HE_PAYLOAD_ALIGN);
    eis_status st = EIS_OK;

    EIS_REQUIRE(begin - frame->at <= left && bytes <= left - (begin - frame->at), EIS_ERR_PARSE,
                "%s: a payload of %" PRIu64 " bytes is longer than what is left", frame->what, bytes);
    for (size_t i = frame->at; i < begin; i++)
        EIS_REQUIRE(frame->body.data[i] == 0, EIS_ERR_PARSE, "%s: padding that is not zero, at byte %zu", frame->what,
                    i);
    *payload = (eis_span){frame->body.data + begin, (size_t)bytes};
    frame->at = begin + (size_t)bytes;
out:
    return st;
}

eis_status eis_he_frame_end(const eis_he_frame *frame)
{
    if (frame->at == frame->body.bytes) return EIS_OK;
    return eis_fail(EIS_ERR_PARSE, "%s: %zu bytes behind the last payload", frame->what, frame->body.bytes - frame->at);
}

size_t eis_he_frame_begin(eis_writer *w)
{
    size_t at = w->bytes;

    eis_wire_writer_bytes(w, magic, sizeof magic);
    eis_wire_writer_u32(w, 0);
    return at;
}

void eis_he_frame_end_json(eis_writer *w, size_t begin_at)
{
    size_t bytes = w->bytes - begin_at - FRAME_HEADER_BYTES;

    if (w->st != EIS_OK) return;
    EIS_ASSERT(bytes <= UINT32_MAX);
    eis_store_le32(w->data + begin_at + sizeof magic, (uint32_t)bytes);
}

void eis_he_frame_write(eis_writer *w, size_t begin_at, eis_span payload)
{
    size_t at = w->bytes - begin_at;

    eis_wire_writer_zeros(w, eis_round_up(at, EIS_HE_PAYLOAD_ALIGN) - at);
    eis_wire_writer_bytes(w, payload.data, payload.bytes);
}
