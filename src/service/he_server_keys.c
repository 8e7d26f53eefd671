/* SPDX-License-Identifier: Apache-2.0 */
/* Evaluation keys of clients: uploaded once under the digest of their bytes. A digest is never logged. */
#include "service/he_envelope_internal.h"
#include "service/he_server_internal.h"
#include "wire/text.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ANSWER_BYTES_MAX 4096

/* The digest in the path, or the given error: a name that can be no digest names no set. */
static eis_status read_digest(uint8_t digest[EIS_HE_DIGEST_BYTES], const eis_http_request *request)
{
    const char *text = eis_net_http_request_param(request);

    if (eis_he_digest_read(digest, text, strlen(text))) return EIS_OK;
    return eis_fail(EIS_ERR_KEYS_NOT_FOUND, "a set of keys is named by 64 lower-case hex digits");
}

static eis_status reply_stored(eis_http_reply *reply, int http_status, const uint8_t digest[EIS_HE_DIGEST_BYTES],
                               int64_t expires_ms)
{
    char text[EIS_HE_DIGEST_TEXT_BYTES], location[EIS_HE_DIGEST_TEXT_BYTES + 8];
    eis_json_writer w;
    eis_writer body;
    eis_status st = EIS_OK;

    eis_wire_hex_write(text, digest, EIS_HE_DIGEST_BYTES);
    snprintf(location, sizeof location, "/keys/%s", text);
    eis_wire_writer_init(&body, ANSWER_BYTES_MAX);
    eis_json_writer_to_buffer(&w, &body);
    eis_json_writer_begin_object(&w);
    eis_he_write_text(&w, "api_version", EIS_HE_API_VERSION);
    eis_he_write_text(&w, "digest", text);
    eis_he_write_time(&w, "expires_at", expires_ms);
    eis_json_writer_end_object(&w);
    eis_he_json_finish(&body, &w);
    EIS_TRY(eis_he_server_reply(reply, http_status, EIS_HE_MEDIA_JSON_TEXT, &body));
    if (http_status == 201) EIS_TRY(eis_net_http_reply_header(reply, "Location", location));
out:
    return st;
}

static eis_status check_digest(eis_span body, const uint8_t digest[EIS_HE_DIGEST_BYTES])
{
    uint8_t real[EIS_HE_DIGEST_BYTES];

    if (SHA256(body.data, body.bytes, real) != NULL && memcmp(real, digest, sizeof real) == 0) return EIS_OK;
    return eis_fail(EIS_ERR_BODY_DIGEST, "the body is not what the digest in the path says");
}

static eis_status put_keys(eis_he_server *server, eis_http_reply *reply, const eis_http_request *request)
{
    const eis_he_caller *caller = eis_net_http_request_owner(request);
    eis_span bytes = eis_net_http_request_body(request);
    uint8_t digest[EIS_HE_DIGEST_BYTES];
    const eis_he_served *served;
    eis_he_keys_entry *upload = NULL;
    eis_he_keys_body body;
    eis_he_keys keys = {0};
    int64_t expires_ms = 0;
    bool known = false;
    eis_status st = EIS_OK;

    EIS_REQUIRE(!atomic_load(&server->draining), EIS_ERR_UNAVAILABLE, "the server is going down");
    EIS_TRY(read_digest(digest, request));
    EIS_TRY(check_digest(bytes, digest));
    EIS_TRY(eis_he_keys_body_read(&body, bytes));
    EIS_TRY(eis_he_registry_find(&served, server->config.registry, body.model_id, body.version));
    EIS_TRY(eis_he_keys_begin(&upload, &known, &expires_ms, server->keys, eis_he_caller_tenant(caller),
                              eis_he_caller_address(caller), digest, eis_he_keys_memory(served, &body)));
    if (known) return reply_stored(reply, 200, digest, expires_ms);
    EIS_TRY(eis_he_keys_read(&keys, served, &body));
    expires_ms = eis_he_keys_end(server->keys, upload, &keys, served);
    upload = NULL;
    EIS_TRY(reply_stored(reply, 201, digest, expires_ms));
out:
    if (upload != NULL) (void)eis_he_keys_end(server->keys, upload, NULL, NULL);
    return st;
}

eis_status eis_he_server_put_keys(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    return eis_he_server_fail(context, put_keys(context, reply, request));
}

eis_status eis_he_server_head_keys(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    eis_he_server *server = context;
    uint8_t digest[EIS_HE_DIGEST_BYTES];
    eis_status st = EIS_OK;

    EIS_TRY(read_digest(digest, request));
    EIS_TRY(eis_he_keys_find(server->keys, eis_he_caller_tenant(eis_net_http_request_owner(request)), digest));
    EIS_TRY(eis_net_http_reply_set(reply, 200, EIS_HE_MEDIA_JSON_TEXT, "", 0));
out:
    return eis_he_server_fail(server, st);
}

eis_status eis_he_server_delete_keys(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    eis_he_server *server = context;
    uint8_t digest[EIS_HE_DIGEST_BYTES];
    eis_status st = EIS_OK;

    EIS_TRY(read_digest(digest, request));
    EIS_TRY(eis_he_keys_delete(server->keys, eis_he_caller_tenant(eis_net_http_request_owner(request)), digest));
    EIS_TRY(eis_net_http_reply_set(reply, 204, "", "", 0));
out:
    return eis_he_server_fail(server, st);
}
