/* SPDX-License-Identifier: Apache-2.0 */
/* Step 1 of the validation: JSON, its members, encodings, versions, and the frame of the binary media type. */
#include "cli/conform.h"

#include <stdio.h>
#include <string.h>

#define API1 "api 3"

static void post_text(eis_conform *c, const char *name, const char *text, const char *codes)
{
    eis_conform_post(c, false, (eis_span){(const uint8_t *)text, strlen(text)}, NULL, NULL);
    eis_conform_expect(c, name, API1, codes);
}

static void send(eis_conform *c, const char *name, const char *codes, const eis_conform_request *r)
{
    eis_conform_send(c, r, NULL, NULL);
    eis_conform_expect(c, name, API1, codes);
}

/* ---- bodies that are no requests ---- */

static void check_json(eis_conform *c)
{
    static const struct {
        const char *name, *text;
    } rows[] = {{"envelope.empty", ""},
                {"envelope.no-json", "{\"model_id\":"},
                {"envelope.array", "[]"},
                {"envelope.string", "\"infer\""},
                {"envelope.nothing-in-it", "{}"},
                {"envelope.utf8", "{\"model_id\":\"\xc3\x28\",\"version\":\"1\",\"inputs\":[]}"},
                {"envelope.huge-number", "{\"model_id\":\"a\",\"version\":\"1\",\"batch_size\":1e999,\"inputs\":[]}"},
                {"envelope.null", "{\"model_id\":null,\"version\":\"1\",\"inputs\":[]}"},
                {"envelope.no-inputs", "{\"model_id\":\"a\",\"version\":\"1\"}"},
                {"envelope.inputs-object", "{\"model_id\":\"a\",\"version\":\"1\",\"inputs\":{}}"},
                {"envelope.deep", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["},
                {"envelope.behind", "{\"model_id\":\"a\",\"version\":\"1\",\"inputs\":[]} x"}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        post_text(c, rows[i].name, rows[i].text, "INVALID_SCHEMA");
}

static void check_members(eis_conform *c)
{
    eis_span none = {(const uint8_t *)"", 0};

    send(c, "envelope.no-model", "INVALID_SCHEMA", &(eis_conform_request){.model_id = ""});
    send(c, "envelope.no-version", "INVALID_SCHEMA", &(eis_conform_request){.version = ""});
    send(c, "envelope.no-encoding", "INVALID_SCHEMA", &(eis_conform_request){.encoding = ""});
    send(c, "envelope.unknown-model", "MODEL_NOT_FOUND", &(eis_conform_request){.model_id = "no-such-model"});
    send(c, "envelope.unknown-version", "MODEL_NOT_FOUND", &(eis_conform_request){.version = "9.9.9"});
    if (c->profile == EIS_CONFORM_DOCUMENTED) return;
    send(c, "envelope.unknown-member", "INVALID_SCHEMA", &(eis_conform_request){.extra = "\"colour\":\"blue\","});
    if (c->profile != EIS_CONFORM_V1) return;
    send(c, "envelope.twice", "INVALID_SCHEMA", &(eis_conform_request){.extra = "\"version\":\"1.0.0\","});
    send(c, "envelope.batch-fraction", "INVALID_SCHEMA", &(eis_conform_request){.extra = "\"stage\":0.5,"});
    send(c, "envelope.stage", "INVALID_SCHEMA", &(eis_conform_request){.extra = "\"stage\":7,"});
    send(c, "envelope.keys-no-digest", "INVALID_SCHEMA",
         &(eis_conform_request){.no_keys = true, .extra = "\"evaluation_keys\":\"abc\","});
    send(c, "envelope.payload-empty", "INVALID_SCHEMA|INVALID_CIPHERTEXT|INVALID_ENCODING",
         &(eis_conform_request){.payload = &none, .payload_count = 1, .count = 1});
}

static void check_versions(eis_conform *c)
{
    static const char *const wrong[] = {"v2", "2.0.0", "0.9", "1.0.0-x", ""};
    char extra[64], name[64];

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(extra, sizeof extra, "\"api_version\":\"%s\",", wrong[i]);
        snprintf(name, sizeof name, "versions.refused-%s", *wrong[i] != '\0' ? wrong[i] : "empty");
        eis_conform_send(c, &(eis_conform_request){.extra = extra}, NULL, NULL);
        eis_conform_expect(c, name, "api 13", "UNSUPPORTED_API_VERSION");
    }
}

/* ---- texts ---- */

static void check_encodings(eis_conform *c)
{
    send(c, "encoding.unknown", "UNSUPPORTED_ENCODING", &(eis_conform_request){.encoding = "rot13"});
    send(c, "encoding.odd-hex", "INVALID_ENCODING", &(eis_conform_request){.encoding = "hex", .text = "5ea11"});
    if (c->profile == EIS_CONFORM_NEWEST) {
        send(c, "encoding.base64", "UNSUPPORTED_ENCODING",
             &(eis_conform_request){.encoding = "base64", .text = "XqEQ"});
        return;
    }
    if (c->profile != EIS_CONFORM_V1) return;
    send(c, "encoding.binary-in-json", "UNSUPPORTED_ENCODING|INVALID_SCHEMA",
         &(eis_conform_request){.encoding = "binary", .text = "5ea1"});
    send(c, "encoding.hex-in-binary", "UNSUPPORTED_ENCODING|INVALID_SCHEMA",
         &(eis_conform_request){.binary = true, .encoding = "hex"});
    send(c, "encoding.unpadded", "INVALID_ENCODING", &(eis_conform_request){.encoding = "base64", .text = "XqEQBAE"});
}

/* Faults that need a text of the right length: one character of a whole ciphertext. */
static void check_characters(eis_conform *c)
{
    static const struct {
        const char *name, *encoding;
        char bad;
    } rows[] = {{"encoding.no-hex-digit", "hex", 'g'},
                {"encoding.blank-in-hex", "hex", ' '},
                {"encoding.url-alphabet", "base64", '-'},
                {"encoding.padding-inside", "base64", '='}};
    eis_conform_request valid = {.encoding = NULL};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        eis_writer w;
        char *payload;

        eis_wire_writer_init(&w, (size_t)1 << 30);
        valid.encoding = rows[i].encoding;
        eis_conform_write(&w, c, &valid);
        eis_wire_writer_u8(&w, 0);
        payload = w.st == EIS_OK ? strstr((char *)w.data, "\"payload\":\"") : NULL;
        if (payload != NULL) {
            payload[11 + 400] = rows[i].bad; /* well inside the first ciphertext */
            eis_conform_post(c, false, (eis_span){w.data, w.bytes - 1}, NULL, NULL);
            eis_conform_expect(c, rows[i].name, API1, "INVALID_ENCODING");
        }
        eis_wire_writer_clear(&w);
    }
}

/* ---- the binary frame ---- */

static void post_frame(eis_conform *c, const char *name, eis_span body, const char *codes)
{
    eis_conform_post(c, true, body, NULL, NULL);
    eis_conform_expect(c, name, "api 4", codes);
}

static void check_frames(eis_conform *c)
{
    eis_writer w;
    uint32_t json_bytes;
    uint8_t *d;

    eis_wire_writer_init(&w, (size_t)1 << 30);
    eis_conform_write(&w, c, &(eis_conform_request){.binary = true});
    eis_wire_writer_zeros(&w, 1); /* room for one byte too many */
    if (w.st != EIS_OK) goto out;
    d = w.data;
    json_bytes = eis_load_le32(d + 4);
    post_frame(c, "frame.trailing", (eis_span){d, w.bytes}, "INVALID_SCHEMA");
    post_frame(c, "frame.short", (eis_span){d, w.bytes - 2}, "INVALID_SCHEMA");
    post_frame(c, "frame.header-alone", (eis_span){d, 8}, "INVALID_SCHEMA");
    post_frame(c, "frame.half-header", (eis_span){d, 5}, "INVALID_SCHEMA");
    d[0] ^= 1;
    post_frame(c, "frame.magic", (eis_span){d, w.bytes - 1}, "INVALID_SCHEMA");
    d[0] ^= 1;
    eis_store_le32(d + 4, UINT32_MAX);
    post_frame(c, "frame.json-beyond", (eis_span){d, w.bytes - 1}, "INVALID_SCHEMA");
    eis_store_le32(d + 4, json_bytes);
    if ((8 + json_bytes) % 64 != 0) {
        d[8 + json_bytes] = 1;
        post_frame(c, "frame.padding", (eis_span){d, w.bytes - 1}, "INVALID_SCHEMA");
        d[8 + json_bytes] = 0;
    } else {
        eis_conform_skip(c, "frame.padding", "api 4", "this request has no padding");
    }
out:
    eis_wire_writer_clear(&w);
}

/* ---- step 0 ---- */

static void check_media(eis_conform *c)
{
    static const uint8_t body[] = "{}";
    const eis_span two = {body, 2};

    eis_conform_ask(c, &(eis_he_ask){.method = "POST", .path = "/infer", .media_type = "text/plain", .body = two});
    eis_conform_expect(c, "media.text", "api 6", "UNSUPPORTED_MEDIA_TYPE");
    eis_conform_ask(c, &(eis_he_ask){.method = "POST", .path = "/infer", .media_type = "", .body = two});
    eis_conform_expect(c, "media.none", "api 6", "UNSUPPORTED_MEDIA_TYPE");
    eis_conform_post(c, false, two, "Content-Encoding: gzip", NULL);
    eis_conform_expect(c, "media.content-encoding", "api 4", "UNSUPPORTED_MEDIA_TYPE");
}

void eis_conform_envelope(eis_conform *c)
{
    check_json(c);
    check_members(c);
    check_encodings(c);
    if (c->profile != EIS_CONFORM_V1) return;
    check_versions(c);
    check_characters(c);
    check_frames(c);
    check_media(c);
}
