/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluation keys: upload, question, deletion, and sets that are not what they should be. */
#include "base/mem.h"
#include "cli/conform.h"
#include "engine/he/protect.h"
#include "wire/text.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#define CLAUSE "api 8"

typedef char key_path[sizeof "/keys/" + 2 * EIS_HE_DIGEST_BYTES];

static void path_of(key_path path, const uint8_t *data, size_t bytes)
{
    uint8_t digest[EVP_MAX_MD_SIZE] = {0};

    (void)EVP_Digest(data, bytes, digest, NULL, EVP_sha256(), NULL);
    memcpy(path, "/keys/", 6);
    eis_wire_hex_write(path + 6, digest, EIS_HE_DIGEST_BYTES);
}

static bool put_set(eis_conform *c, const char *path, eis_span body)
{
    return eis_conform_ask(
        c, &(eis_he_ask){.method = "PUT", .path = path, .media_type = EIS_HE_MEDIA_BIN_TEXT, .body = body});
}

/* Puts a set under its right digest. */
static void expect_set(eis_conform *c, const char *name, const char *codes, eis_span body)
{
    key_path path;

    path_of(path, body.data, body.bytes);
    put_set(c, path, body);
    eis_conform_expect(c, name, CLAUSE, codes);
}

static void expect_status(eis_conform *c, const char *name, const char *method, const char *path, int http)
{
    eis_conform_get(c, method, path);
    eis_conform_check(c, c->call.http_status == http, name, CLAUSE, "%s: %d", method, c->call.http_status);
}

/* ---- the life of a set ---- */

static void check_upload(eis_conform *c, const char *path)
{
    const eis_span body = {c->target.keys.data, c->target.keys.bytes};
    eis_json_doc *doc;
    eis_json_value value;

    expect_status(c, "keys.head-before", "HEAD", path, 404);
    eis_conform_send(c, &(eis_conform_request){.binary = true}, NULL, NULL);
    eis_conform_expect(c, "keys.required", CLAUSE, "EVALUATION_KEYS_REQUIRED");
    put_set(c, path, body);
    doc = eis_conform_json(c);
    eis_conform_check(c, c->call.http_status == 201, "keys.stored", CLAUSE, "PUT: %d", c->call.http_status);
    eis_conform_check(c,
                      doc != NULL && eis_json_find(&value, eis_json_root(doc), "digest") &&
                          eis_json_string_is(value, c->target.digest) &&
                          eis_json_find(&value, eis_json_root(doc), "expires_at"),
                      "keys.answer", CLAUSE, "digest and expires_at");
    eis_json_free(doc);
    put_set(c, path, body);
    eis_conform_check(c, c->call.http_status == 200, "keys.known", CLAUSE, "PUT again: %d", c->call.http_status);
    expect_status(c, "keys.head", "HEAD", path, 200);
    eis_conform_send(c, &(eis_conform_request){.binary = true, .no_keys = true}, NULL, NULL);
    eis_conform_expect(c, "keys.not-named", CLAUSE, "EVALUATION_KEYS_REQUIRED");
}

/* At the very end: the set is gone. */
static void check_delete(eis_conform *c, const char *path)
{
    expect_status(c, "keys.delete", "DELETE", path, 204);
    expect_status(c, "keys.head-after", "HEAD", path, 404);
    eis_conform_get(c, "DELETE", path);
    eis_conform_expect(c, "keys.delete-again", CLAUSE, "KEYS_NOT_FOUND");
}

/* ---- sets that are not what they should be ---- */

static void check_digest(eis_conform *c)
{
    key_path path;

    memcpy(path, "/keys/", 6);
    memset(path + 6, '0', 64);
    path[70] = '\0';
    put_set(c, path, (eis_span){c->target.keys.data, c->target.keys.bytes});
    eis_conform_expect(c, "keys.digest", CLAUSE, "DIGEST_MISMATCH");
    put_set(c, "/keys/abc", (eis_span){c->target.keys.data, c->target.keys.bytes});
    eis_conform_expect(c, "keys.malformed-digest", CLAUSE, "INVALID_SCHEMA|KEYS_NOT_FOUND|DIGEST_MISMATCH|NOT_FOUND");
}

/* The first part of the set that is there: what is changed in it stands behind its header. */
static bool find_part(size_t *at, size_t *bytes, const eis_writer *body)
{
    eis_he_keys_body set;

    if (eis_he_keys_body_read(&set, (eis_span){body->data, body->bytes}) != EIS_OK) return false;
    for (unsigned i = 0; i < EIS_HE_PARTS; i++)
        if (set.part[i].bytes > 0) {
            *at = (size_t)(set.part[i].data - body->data);
            *bytes = set.part[i].bytes;
            return true;
        }
    return false;
}

/* One byte run of a body is changed for one upload. */
static void put_changed(eis_conform *c, eis_writer *body, const char *name, const char *codes, size_t at,
                        uint64_t value, size_t bytes)
{
    uint8_t *place = body->data + at, old[8], word[8];

    EIS_ASSERT(bytes <= 8);
    eis_store_le64(word, value);
    memcpy(old, place, bytes);
    memcpy(place, word, bytes);
    expect_set(c, name, codes, (eis_span){body->data, body->bytes});
    memcpy(place, old, bytes);
}

static void check_hostile(eis_conform *c)
{
    static const char *const bad = "INVALID_CIPHERTEXT", *const either = "INVALID_CIPHERTEXT|KEYS_INSUFFICIENT";
    size_t at, bytes;

    if (!find_part(&at, &bytes, &c->target.keys)) return;
    put_changed(c, &c->target.keys, "keys.magic", bad, at, 0, 2);
    put_changed(c, &c->target.keys, "keys.size", bad, at + 8, UINT64_MAX, 8);
    put_changed(c, &c->target.keys, "keys.parms", "CIPHERTEXT_INCOMPATIBLE|INVALID_CIPHERTEXT", at + 16, 1, 8);
    put_changed(c, &c->target.keys, "keys.compression", bad, at + 5, 7, 1);
    put_changed(c, &c->target.keys, "keys.dimension", either, at + 48, (uint64_t)1 << 40, 8);
    put_changed(c, &c->target.keys, "keys.last-byte", "INVALID_CIPHERTEXT|INVALID_SCHEMA",
                c->target.keys.bytes - 81 + 16, 9, 1);
    expect_set(c, "keys.cut", "INVALID_SCHEMA", (eis_span){c->target.keys.data, c->target.keys.bytes - 100});
}

/* A set that lacks all but its first part. */
static void check_part_missing(eis_conform *c)
{
    eis_he_keys_body set;
    unsigned found = 0;
    eis_writer w;

    if (eis_he_keys_body_read(&set, (eis_span){c->target.keys.data, c->target.keys.bytes}) != EIS_OK) return;
    for (unsigned i = 0; i < EIS_HE_PARTS; i++)
        if (set.part[i].bytes > 0 && found++ > 0) set.part[i] = (eis_span){0};
    if (found < 2) {
        eis_conform_skip(c, "keys.part-missing", CLAUSE, "the model needs one part alone");
        return;
    }
    eis_wire_writer_init(&w, c->target.keys.bytes);
    eis_he_keys_body_write(&w, &set);
    expect_set(c, "keys.part-missing", "KEYS_INSUFFICIENT", (eis_span){w.data, w.bytes});
    eis_wire_writer_clear(&w);
}

/* A set without its parts, for the right model and for none. */
static void check_incomplete(eis_conform *c)
{
    eis_he_keys_body set = {0};
    eis_writer w;
    char json[256];
    const eis_span nothing = {(const uint8_t *)"x", 1};

    eis_wire_writer_init(&w, 65536);
    snprintf(json, sizeof json, "{\"model_id\":\"%s\",\"version\":\"%s\",\"parts\":[]}", c->target.info->model_id,
             c->target.info->version);
    eis_conform_frame(&w, json, NULL, 0);
    expect_set(c, "keys.no-parts", "KEYS_INSUFFICIENT|INVALID_SCHEMA", (eis_span){w.data, w.bytes});
    eis_wire_writer_rewind(&w);
    snprintf(json, sizeof json,
             "{\"model_id\":\"%s\",\"version\":\"%s\",\"parts\":[{\"name\":\"secret\",\"length\":1}]}",
             c->target.info->model_id, c->target.info->version);
    eis_conform_frame(&w, json, &nothing, 1);
    expect_set(c, "keys.unknown-part", "INVALID_SCHEMA", (eis_span){w.data, w.bytes});
    eis_wire_writer_rewind(&w);
    snprintf(json, sizeof json,
             "{\"model_id\":\"%s\",\"version\":\"%s\",\"parts\":[{\"name\":\"relin\",\"length\":1},{\"name\":\"relin\","
             "\"length\":1}]}",
             c->target.info->model_id, c->target.info->version);
    eis_conform_frame(&w, json, (eis_span[]){nothing, nothing}, 2);
    expect_set(c, "keys.part-twice", "INVALID_SCHEMA", (eis_span){w.data, w.bytes});
    eis_wire_writer_rewind(&w);
    snprintf(set.model_id, sizeof set.model_id, "no-such-model");
    snprintf(set.version, sizeof set.version, "1.0.0");
    set.part[EIS_HE_PART_RELIN] = nothing;
    eis_he_keys_body_write(&w, &set);
    expect_set(c, "keys.unknown-model", "MODEL_NOT_FOUND", (eis_span){w.data, w.bytes});
    eis_wire_writer_clear(&w);
}

/* ---- all keys in one object ---- */

static void check_set_hostile(eis_conform *c, eis_writer *body)
{
    static const char *const bad = "INVALID_CIPHERTEXT";
    const eis_span other = {c->target.keys.data, c->target.keys.bytes};
    eis_he_keys_body set, both;
    size_t at, bytes;
    eis_writer w;

    if (!find_part(&at, &bytes, body)) return;
    put_changed(c, body, "keys.set-magic", bad, at, 0, 4);
    put_changed(c, body, "keys.set-parms", "CIPHERTEXT_INCOMPATIBLE|INVALID_CIPHERTEXT", at + 8, 1, 8);
    put_changed(c, body, "keys.set-entries", "INVALID_CIPHERTEXT|KEYS_INSUFFICIENT", at + 40, 0, 4);
    put_changed(c, body, "keys.set-length", bad, at + 48, UINT64_MAX, 8);
    put_changed(c, body, "keys.set-element", bad, at + 56, 4, 4);
    put_changed(c, body, "keys.set-level", bad, at + 60, 0xffff, 2);
    if (eis_he_keys_body_read(&set, (eis_span){body->data, body->bytes}) != EIS_OK) return;
    if (eis_he_keys_body_read(&both, other) != EIS_OK) return;
    both.part[EIS_HE_PART_SET] = set.part[EIS_HE_PART_SET];
    eis_wire_writer_init(&w, body->bytes + other.bytes + 65536);
    eis_he_keys_body_write(&w, &both);
    expect_set(c, "keys.set-beside", "KEYS_INSUFFICIENT|INVALID_SCHEMA", (eis_span){w.data, w.bytes});
    eis_wire_writer_clear(&w);
}

/* Where levels are published, keys may come cut to them. */
static void check_key_set(eis_conform *c)
{
    key_path path;
    eis_writer body;

    if (!c->target.contract->has_levels) {
        eis_conform_skip(c, "keys.set", CLAUSE, "the model gives no levels");
        return;
    }
    eis_wire_writer_init(&body, (size_t)1 << 32);
    if (eis_he_remote_keys_body(&body, c->target.remote, EIS_HE_KEYS_SMALL) == EIS_OK) {
        path_of(path, body.data, body.bytes);
        put_set(c, path, (eis_span){body.data, body.bytes});
        eis_conform_check(c, c->call.http_status == 201, "keys.set", CLAUSE, "PUT: %d", c->call.http_status);
        eis_conform_send(c, &(eis_conform_request){.binary = true, .keys = path + 6}, "Prefer: wait=30", NULL);
        eis_conform_check(c, c->call.http_status == 200 || c->call.http_status == 202, "keys.set-named", CLAUSE,
                          "POST: %d", c->call.http_status);
        expect_status(c, "keys.set-delete", "DELETE", path, 204);
        check_set_hostile(c, &body);
    } else {
        c->broken = EIS_ERR_MEMORY;
    }
    eis_wire_writer_clear(&body);
}

/* The first call uploads, so that all other parts of the suite can ask; the second one takes the set away. */
void eis_conform_keys(eis_conform *c)
{
    key_path path;

    if (!c->target.needs_keys) {
        eis_conform_skip(c, "keys.life", CLAUSE, "the model needs no keys");
        return;
    }
    path_of(path, c->target.keys.data, c->target.keys.bytes);
    check_upload(c, path);
    check_digest(c);
    check_hostile(c);
    check_part_missing(c);
    check_incomplete(c);
    check_key_set(c);
}

void eis_conform_keys_end(eis_conform *c)
{
    key_path path;

    if (!c->target.needs_keys) return;
    path_of(path, c->target.keys.data, c->target.keys.bytes);
    check_delete(c, path);
}
