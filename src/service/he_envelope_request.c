/* SPDX-License-Identifier: Apache-2.0 */
/* POST /infer and PUT /keys, both ways. */
#include "base/mem.h"
#include "service/he_envelope_internal.h"
#include "wire/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BATCH_MAX ((uint64_t)1 << 53)
#define STAGE_MAX 63

/* ---- POST /infer, in ---- */

static eis_status read_encoding(eis_he_encoding *encoding, eis_json_value object, const char *path, eis_he_media media,
                                bool strict_hex)
{
    eis_json_value value;
    eis_status st = EIS_OK;
    bool known = true;

    EIS_TRY(eis_json_bind_member(&value, object, path, "encoding"));
    EIS_REQUIRE(eis_json_type_of(value) == EIS_JSON_STRING, EIS_ERR_PARSE, "%s: member \"encoding\" must be a string",
                path);
    if (eis_json_string_is(value, "hex"))
        *encoding = EIS_HE_HEX;
    else if (eis_json_string_is(value, "base64"))
        *encoding = EIS_HE_BASE64;
    else if (eis_json_string_is(value, "binary"))
        *encoding = EIS_HE_BINARY;
    else
        known = false;
    EIS_REQUIRE(known && (media == EIS_HE_MEDIA_BINARY) == (*encoding == EIS_HE_BINARY) &&
                    !(strict_hex && *encoding == EIS_HE_BASE64),
                EIS_ERR_UNSUPPORTED, "%s: encoding must be %s", path,
                media == EIS_HE_MEDIA_BINARY ? "\"binary\" in this media type"
                : strict_hex                 ? "\"hex\""
                                             : "\"hex\" or \"base64\"");
out:
    return st;
}

static eis_status read_input(eis_he_payload *input, const eis_he_request *request, eis_json_value object, size_t index,
                             eis_he_media media, bool strict_hex)
{
    static const char *const text_names[] = {"encoding", "payload", NULL}, *const binary_names[] = {"encoding",
                                                                                                    "length", NULL};
    bool binary = media == EIS_HE_MEDIA_BINARY;
    eis_he_encoding encoding = EIS_HE_HEX;
    eis_json_value value;
    eis_status st = EIS_OK;
    eis_span text = {0};
    uint64_t length = 0;
    char path[48];

    snprintf(path, sizeof path, "body: inputs[%zu]", index);
    EIS_TRY(eis_json_bind_object(object, path, binary ? binary_names : text_names));
    EIS_TRY(read_encoding(&encoding, object, path, media, strict_hex));
    if (binary) {
        EIS_TRY(eis_json_bind_u64(&length, object, path, "length", true, 1, EIS_HE_PAYLOAD_BYTES_MAX));
        *input = (eis_he_payload){.encoding = encoding, .bytes = (size_t)length};
        return EIS_OK;
    }
    EIS_TRY(eis_json_bind_member(&value, object, path, "payload"));
    EIS_REQUIRE(eis_he_json_text(&text, &request->json, value), EIS_ERR_PARSE,
                "%s: member \"payload\" must be a string", path);
    *input = eis_he_payload_of(encoding, text);
out:
    return st;
}

static eis_status read_inputs(eis_he_request *request, eis_json_value root, eis_he_media media,
                              const eis_he_request_limits *limits, size_t inputs_max)
{
    eis_json_value array, value;
    eis_json_iter it;
    eis_status st = EIS_OK;

    EIS_TRY(eis_json_bind_array(&array, root, "body", "inputs", 1, inputs_max));
    EIS_NEW(request->inputs, eis_json_length(array));
    it = eis_json_iterate(array);
    for (size_t i = 0; eis_json_next_element(&it, &value); i++) {
        EIS_TRY(read_input(&request->inputs[i], request, value, i, media, limits->strict_hex));
        request->input_count++;
    }
out:
    return st;
}

bool eis_he_digest_read(uint8_t digest[EIS_HE_DIGEST_BYTES], const void *text, size_t length)
{
    const uint8_t *c = text;

    for (size_t i = 0; i < length; i++)
        if (c[i] >= 'A' && c[i] <= 'F') return false;
    return length == 2 * EIS_HE_DIGEST_BYTES && eis_wire_hex_read(digest, EIS_HE_DIGEST_BYTES, text, length) == EIS_OK;
}

static eis_status read_keys_digest(eis_he_head *head, eis_json_value root)
{
    eis_json_value value;
    eis_status st = EIS_OK;
    eis_span text = {0};

    if (!eis_json_find(&value, root, "evaluation_keys")) return EIS_OK;
    EIS_REQUIRE(eis_json_string(&text, value) && eis_he_digest_read(head->keys, text.data, text.bytes), EIS_ERR_PARSE,
                "body: evaluation_keys must be the SHA-256 of an uploaded set, in 64 lower-case hex digits");
    head->has_keys = true;
out:
    return st;
}

static eis_status read_head(eis_he_head *head, eis_json_value root)
{
    eis_json_value value;
    eis_status st = EIS_OK;
    uint64_t stage = 0;

    head->batch_size = 1;
    EIS_TRY(eis_json_bind_text(head->model_id, sizeof head->model_id, root, "body", "model_id", true));
    EIS_TRY(eis_json_bind_text(head->version, sizeof head->version, root, "body", "version", true));
    EIS_TRY(eis_json_bind_u64(&head->batch_size, root, "body", "batch_size", false, 1, BATCH_MAX));
    EIS_TRY(eis_json_bind_u64(&stage, root, "body", "stage", false, 0, STAGE_MAX));
    EIS_TRY(read_keys_digest(head, root));
    head->has_batch = eis_json_find(&value, root, "batch_size");
    head->has_stage = eis_json_find(&value, root, "stage");
    head->stage = (uint32_t)stage;
out:
    return st;
}

/* Gives each input of a binary body its place. */
static eis_status place_inputs(eis_he_request *request, eis_he_frame *frame)
{
    eis_status st = EIS_OK;

    for (size_t i = 0; i < request->input_count; i++)
        EIS_TRY(eis_he_frame_payload(&request->inputs[i].text, frame, request->inputs[i].bytes));
    EIS_TRY(eis_he_frame_end(frame));
out:
    return st;
}

eis_status eis_he_request_parse(eis_he_request *request, eis_he_media media, eis_span body,
                                const eis_he_request_limits *limits)
{
    static const char *const names[] = {"api_version", "model_id", "version",         "batch_size",
                                        "inputs",      "stage",    "evaluation_keys", NULL};
    size_t inputs_max =
        limits->inputs_max == 0 || limits->inputs_max > EIS_HE_INPUTS_MAX ? EIS_HE_INPUTS_MAX : limits->inputs_max;
    eis_he_frame frame = {.json = body};
    eis_json_value root;
    eis_status st = EIS_OK;

    *request = (eis_he_request){0};
    if (media == EIS_HE_MEDIA_BINARY) EIS_TRY(eis_he_frame_open(&frame, "body", body));
    EIS_TRY(eis_he_json_parse(&request->json, "body", frame.json,
                              EIS_HE_REST_BYTES + EIS_HE_REST_BYTES_EACH * inputs_max, inputs_max + 8));
    root = eis_json_root(request->json.doc);
    EIS_TRY(eis_json_bind_object(root, "body", names));
    EIS_TRY(read_head(&request->head, root));
    EIS_TRY(read_inputs(request, root, media, limits, inputs_max));
    if (media == EIS_HE_MEDIA_BINARY) EIS_TRY(place_inputs(request, &frame));
    EIS_TRY(eis_he_api_version_check(&request->json, root, false));
out:
    if (st == EIS_ERR_TOO_LARGE) st = eis_fail(EIS_ERR_PARSE, "body: too much JSON beside the payloads");
    if (st != EIS_OK) eis_he_request_clear(request);
    return st;
}

void eis_he_request_clear(eis_he_request *request)
{
    eis_mem_free(request->inputs);
    eis_he_json_clear(&request->json);
    *request = (eis_he_request){0};
}

/* ---- POST /infer, out ---- */

static void write_input(eis_json_writer *w, eis_he_encoding encoding, eis_span payload)
{
    eis_json_writer_begin_object(w);
    eis_he_write_text(w, "encoding", eis_he_encoding_name(encoding));
    if (encoding == EIS_HE_BINARY) {
        eis_json_writer_key(w, "length");
        eis_json_writer_u64(w, payload.bytes);
    } else {
        eis_json_writer_key(w, "payload");
        eis_he_payload_write_text(w, encoding, payload);
    }
    eis_json_writer_end_object(w);
}

static void write_head(eis_json_writer *w, const eis_he_head *head)
{
    char digest[2 * EIS_HE_DIGEST_BYTES + 1];

    eis_he_write_text(w, "model_id", head->model_id);
    eis_he_write_text(w, "version", head->version);
    if (head->has_batch) eis_json_writer_key(w, "batch_size"), eis_json_writer_u64(w, head->batch_size);
    if (head->has_stage) eis_json_writer_key(w, "stage"), eis_json_writer_u64(w, head->stage);
    if (!head->has_keys) return;
    eis_wire_hex_write(digest, head->keys, sizeof head->keys);
    eis_he_write_text(w, "evaluation_keys", digest);
}

void eis_he_request_write(eis_writer *w, const eis_he_head *head, eis_he_encoding encoding, const eis_span *payload,
                          size_t count)
{
    bool binary = encoding == EIS_HE_BINARY;
    size_t begin_at, bytes = EIS_HE_REST_BYTES;
    eis_json_writer json;

    for (size_t i = 0; i < count; i++) bytes += EIS_HE_REST_BYTES_EACH + payload[i].bytes * (binary ? 1 : 2);
    eis_wire_writer_expect(w, bytes < w->bytes_max - w->bytes ? bytes : 0);
    begin_at = binary ? eis_he_frame_begin(w) : 0;
    eis_json_writer_to_buffer(&json, w);
    eis_json_writer_begin_object(&json);
    write_head(&json, head);
    eis_json_writer_key(&json, "inputs");
    eis_json_writer_begin_array(&json);
    for (size_t i = 0; i < count; i++) write_input(&json, encoding, payload[i]);
    eis_json_writer_end_array(&json);
    eis_json_writer_end_object(&json);
    eis_he_json_finish(w, &json);
    if (!binary) return;
    eis_he_frame_end_json(w, begin_at);
    for (size_t i = 0; i < count; i++) eis_he_frame_write(w, begin_at, payload[i]);
}

/* ---- PUT /keys ---- */

static eis_status read_part(eis_he_keys_body *keys, eis_he_frame *frame, eis_json_value object, size_t index)
{
    static const char *const names[] = {"name", "length", NULL};
    char path[48], name[16];
    eis_status st = EIS_OK;
    uint64_t length = 0;
    size_t part = 0;

    snprintf(path, sizeof path, "body: parts[%zu]", index);
    EIS_TRY(eis_json_bind_object(object, path, names));
    EIS_TRY(eis_json_bind_text(name, sizeof name, object, path, "name", true));
    EIS_TRY(eis_json_bind_u64(&length, object, path, "length", true, 1, EIS_HE_PAYLOAD_BYTES_MAX));
    while (part < EIS_HE_PARTS && strcmp(name, eis_he_part_name((eis_he_part)part)) != 0) part++;
    EIS_REQUIRE(part < EIS_HE_PARTS, EIS_ERR_PARSE, "%s: name must be \"relin\", \"galois\", \"public\" or \"set\"",
                path);
    EIS_REQUIRE(keys->part[part].data == NULL, EIS_ERR_PARSE, "%s: part \"%s\" occurs twice", path, name);
    EIS_TRY(eis_he_frame_payload(&keys->part[part], frame, length));
out:
    return st;
}

eis_status eis_he_keys_body_read(eis_he_keys_body *keys, eis_span body)
{
    static const char *const names[] = {"api_version", "model_id", "version", "parts", NULL};
    eis_he_json json = {0};
    eis_json_value root, parts, value;
    eis_he_frame frame;
    eis_json_iter it;
    eis_status st = EIS_OK;

    *keys = (eis_he_keys_body){0};
    EIS_TRY(eis_he_frame_open(&frame, "body", body));
    EIS_TRY(eis_he_json_parse(&json, "body", frame.json, EIS_HE_REST_BYTES, 8));
    root = eis_json_root(json.doc);
    EIS_TRY(eis_json_bind_object(root, "body", names));
    EIS_TRY(eis_json_bind_text(keys->model_id, sizeof keys->model_id, root, "body", "model_id", true));
    EIS_TRY(eis_json_bind_text(keys->version, sizeof keys->version, root, "body", "version", true));
    EIS_TRY(eis_json_bind_array(&parts, root, "body", "parts", 1, EIS_HE_PARTS));
    it = eis_json_iterate(parts);
    for (size_t i = 0; eis_json_next_element(&it, &value); i++) EIS_TRY(read_part(keys, &frame, value, i));
    EIS_TRY(eis_he_frame_end(&frame));
    EIS_TRY(eis_he_api_version_check(&json, root, false));
out:
    eis_he_json_clear(&json);
    if (st == EIS_ERR_TOO_LARGE) st = eis_fail(EIS_ERR_PARSE, "body: too much JSON beside the parts");
    if (st != EIS_OK) *keys = (eis_he_keys_body){0};
    return st;
}

void eis_he_keys_body_write(eis_writer *w, const eis_he_keys_body *keys)
{
    size_t begin_at = eis_he_frame_begin(w);
    eis_json_writer json;

    eis_json_writer_to_buffer(&json, w);
    eis_json_writer_begin_object(&json);
    eis_he_write_text(&json, "model_id", keys->model_id);
    eis_he_write_text(&json, "version", keys->version);
    eis_json_writer_key(&json, "parts");
    eis_json_writer_begin_array(&json);
    for (size_t i = 0; i < EIS_HE_PARTS; i++) {
        if (keys->part[i].bytes == 0) continue;
        eis_json_writer_begin_object(&json);
        eis_he_write_text(&json, "name", eis_he_part_name((eis_he_part)i));
        eis_json_writer_key(&json, "length"), eis_json_writer_u64(&json, keys->part[i].bytes);
        eis_json_writer_end_object(&json);
    }
    eis_json_writer_end_array(&json);
    eis_json_writer_end_object(&json);
    eis_he_json_finish(w, &json);
    eis_he_frame_end_json(w, begin_at);
    for (size_t i = 0; i < EIS_HE_PARTS; i++)
        if (keys->part[i].bytes > 0) eis_he_frame_write(w, begin_at, keys->part[i]);
}
