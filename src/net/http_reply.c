/* SPDX-License-Identifier: Apache-2.0 */
/* Replies: what a handler fills in, and the problem+json body of every failure (RFC 9457 with the member "error"). */
#include "base/mem.h"
#include "net/http_exchange.h"
#include "wire/json_writer.h"

#include <stdio.h>
#include <string.h>

#define PROBLEM_BYTES_MAX ((size_t)64 << 10)

eis_status eis_net_http_reply_set(eis_http_reply *reply, int http_status, const char *media_type, const void *body,
                                  size_t body_bytes)
{
    uint8_t *copy = eis_mem_new(body_bytes, 1);

    EIS_ASSERT(http_status >= 200 && http_status <= 599 && strlen(media_type) < sizeof reply->media_type);
    if (copy == NULL) return EIS_ERR_MEMORY;
    if (body_bytes > 0) memcpy(copy, body, body_bytes);
    eis_mem_free_wiped(reply->body, reply->body_bytes, 1);
    reply->body = copy;
    reply->body_bytes = body_bytes;
    reply->http_status = http_status;
    snprintf(reply->media_type, sizeof reply->media_type, "%s", media_type);
    return EIS_OK;
}

eis_status eis_net_http_reply_take(eis_http_reply *reply, int http_status, const char *media_type, eis_writer *body)
{
    eis_status st = EIS_OK;
    uint8_t *data;
    size_t bytes;

    EIS_ASSERT(http_status >= 200 && http_status <= 599 && strlen(media_type) < sizeof reply->media_type);
    EIS_TRY(eis_wire_writer_take(body, &data, &bytes));
    eis_mem_free_wiped(reply->body, reply->body_bytes, 1);
    reply->body = data;
    reply->body_bytes = bytes;
    reply->http_status = http_status;
    snprintf(reply->media_type, sizeof reply->media_type, "%s", media_type);
out:
    return st;
}

static bool is_header_text(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f) return false;
    return true;
}

eis_status eis_net_http_reply_header(eis_http_reply *reply, const char *name, const char *value)
{
    eis_http_header made;

    EIS_ASSERT(is_header_text(name) && is_header_text(value));
    if (reply->header_count == EIS_HTTP_REPLY_HEADERS_MAX)
        return eis_fail(EIS_ERR_LIMIT, "a reply has at most %d headers of its own", EIS_HTTP_REPLY_HEADERS_MAX);
    made = (eis_http_header){.name = eis_mem_strdup(name), .value = eis_mem_strdup(value)};
    if (made.name == NULL || made.value == NULL) {
        eis_mem_free(made.name);
        eis_mem_free(made.value);
        return EIS_ERR_MEMORY;
    }
    reply->headers[reply->header_count++] = made;
    return EIS_OK;
}

void eis_net_http_reply_retry_after(eis_http_reply *reply, unsigned seconds) { reply->retry_after_s = seconds; }

void eis_net_http_reply_clear(eis_http_reply *reply)
{
    for (size_t i = 0; i < reply->header_count; i++) {
        eis_mem_free(reply->headers[i].name);
        eis_mem_free(reply->headers[i].value);
    }
    eis_mem_free_wiped(reply->body, reply->body_bytes, 1);
    *reply = (eis_http_reply){0};
}

/* What the HTTP status alone does not say. NULL: it does. */
static const char *own_action(eis_status st)
{
    switch (st) {
    case EIS_ERR_DIGEST: /* other weights stay other weights */
        return "none";
    case EIS_ERR_LEGACY_FLOAT:
    case EIS_ERR_KEY_REUSED:
    case EIS_ERR_KEYS_INSUFFICIENT:
        return "fix";
    case EIS_ERR_CONTEXT_MISMATCH:
    case EIS_ERR_SCALE:
    case EIS_ERR_LEVEL:
        return "re_encrypt";
    case EIS_ERR_POLICY:
        return "other_parameters";
    case EIS_ERR_KEYS_REQUIRED:
        return "upload_keys";
    case EIS_ERR_IN_PROGRESS:
        return "wait";
    case EIS_ERR_BODY_DIGEST:
        return "send_again";
    case EIS_ERR_JOB_FAILED:
        return "resubmit";
    default:
        return NULL;
    }
}

const char *eis_net_http_action(eis_status st)
{
    const char *own = own_action(st);

    if (own != NULL) return own;
    switch (eis_status_http(st)) {
    case 401:
    case 403:
        return "credentials";
    case 413:
        return "smaller";
    case 429:
        return eis_status_retryable(st) ? "wait" : "none";
    case 503:
        return "back_off";
    case 504:
        return "retry";
    case 500:
        return eis_status_retryable(st) ? "retry" : "none";
    case 400:
    case 405:
    case 415:
        return "fix";
    default:
        return "none";
    }
}

static bool asks_to_wait(int http_status) { return http_status == 429 || http_status == 503; }

static void write_problem(eis_json_writer *w, eis_status st, const char *detail, const char *instance,
                          const char *api_version, unsigned wait_s)
{
    const char *code = eis_status_code(st);
    char type[96];

    snprintf(type, sizeof type, "urn:eis:error:%s", code);
    eis_json_writer_begin_object(w);
    eis_json_writer_key(w, "type"), eis_json_writer_text(w, type);
    eis_json_writer_key(w, "title"), eis_json_writer_text(w, eis_status_text(st));
    eis_json_writer_key(w, "status"), eis_json_writer_i64(w, eis_status_http(st));
    eis_json_writer_key(w, "detail"), eis_json_writer_text(w, detail);
    eis_json_writer_key(w, "instance"), eis_json_writer_text(w, instance);
    if (api_version != NULL) eis_json_writer_key(w, "api_version"), eis_json_writer_text(w, api_version);
    eis_json_writer_key(w, "error");
    eis_json_writer_begin_object(w);
    eis_json_writer_key(w, "code"), eis_json_writer_text(w, code);
    eis_json_writer_key(w, "message"), eis_json_writer_text(w, detail);
    eis_json_writer_key(w, "retryable"), eis_json_writer_bool(w, eis_status_retryable(st) != 0);
    eis_json_writer_key(w, "action"), eis_json_writer_text(w, eis_net_http_action(st));
    if (asks_to_wait(eis_status_http(st))) {
        eis_json_writer_key(w, "retry_after_s");
        eis_json_writer_u64(w, wait_s);
    }
    eis_json_writer_end_object(w);
    eis_json_writer_end_object(w);
}

eis_status eis_net_http_problem(eis_http_reply *reply, eis_status st, const char *detail, const char *instance,
                                const char *api_version)
{
    eis_status result = EIS_OK;
    eis_json_writer json;
    eis_writer text;
    char number[16];

    if (reply->retry_after_s == 0) reply->retry_after_s = 1;
    if (detail == NULL || detail[0] == '\0') detail = eis_status_text(st);
    eis_wire_writer_init(&text, PROBLEM_BYTES_MAX);
    eis_json_writer_to_buffer(&json, &text);
    write_problem(&json, st, detail, instance, api_version, reply->retry_after_s);
    result = eis_json_writer_status(&json);
    if (result == EIS_OK)
        result = eis_net_http_reply_set(reply, eis_status_http(st), "application/problem+json", text.data, text.bytes);
    eis_wire_writer_clear(&text);
    if (result != EIS_OK) return result;
    snprintf(number, sizeof number, "%u", reply->retry_after_s);
    return asks_to_wait(eis_status_http(st)) ? eis_net_http_reply_header(reply, "Retry-After", number) : EIS_OK;
}

/* A body on its way out, wiped by whoever is done with it. */
typedef struct outgoing {
    uint8_t *body;
    size_t bytes;
} outgoing;

static void free_outgoing(void *context)
{
    outgoing *o = context;

    eis_mem_free_wiped(o->body, o->bytes, 1);
    eis_mem_free(o);
}

static struct MHD_Response *take_body(eis_http_reply *reply)
{
    outgoing *o = eis_mem_new(1, sizeof *o);
    struct MHD_Response *response = NULL;

    if (o == NULL) return NULL;
    *o = (outgoing){.body = reply->body, .bytes = reply->body_bytes};
    reply->body = NULL;
    reply->body_bytes = 0;
    if (o->bytes > 0)
        response = MHD_create_response_from_buffer_with_free_callback_cls(o->bytes, o->body, free_outgoing, o);
    if (response != NULL) return response;
    if (o->bytes == 0) response = MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
    free_outgoing(o);
    return response;
}

enum MHD_Result eis_net_http_reply_queue(eis_http_reply *reply, struct MHD_Connection *connection, bool close)
{
    struct MHD_Response *response = take_body(reply);
    enum MHD_Result queued;
    bool complete;

    if (response == NULL) return MHD_NO;
    complete = MHD_add_response_header(response, "Cache-Control", "no-store") == MHD_YES &&
               MHD_add_response_header(response, "X-Content-Type-Options", "nosniff") == MHD_YES;
    if (reply->media_type[0] != '\0')
        complete = complete && MHD_add_response_header(response, "Content-Type", reply->media_type) == MHD_YES;
    if (close) complete = complete && MHD_add_response_header(response, "Connection", "close") == MHD_YES;
    for (size_t i = 0; i < reply->header_count; i++)
        complete =
            complete && MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value) == MHD_YES;
    queued = complete ? MHD_queue_response(connection, (unsigned)reply->http_status, response) : MHD_NO;
    MHD_destroy_response(response);
    return queued;
}
