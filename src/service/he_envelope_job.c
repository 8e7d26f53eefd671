/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs: written one way, and read in every way in which a server of the protocol is known to write them. */
#include "base/mem.h"
#include "net/http.h"
#include "service/he_envelope_internal.h"
#include "wire/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define PAYLOADS_OF_JSON_MAX 8 /* long texts of a job that are no payloads: messages */

const char *eis_he_job_state_name(eis_he_job_state state)
{
    static const char *const name[] = {"", "accepted", "queued", "running", "completed", "failed"};

    return name[state];
}

void eis_he_job_clear(eis_he_job *job)
{
    eis_mem_free(job->payloads);
    eis_he_json_clear(&job->json);
    eis_he_json_clear(&job->nested_json);
    eis_mem_free(job->nested);
    *job = (eis_he_job){0};
}

/* ---- Out ---- */

void eis_he_write_time(eis_json_writer *w, const char *name, int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm date;
    char text[64];

    if (gmtime_r(&seconds, &date) == NULL) date = (struct tm){.tm_mday = 1, .tm_year = 70};
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", date.tm_year + 1900, date.tm_mon + 1,
             date.tm_mday, date.tm_hour, date.tm_min, date.tm_sec, (int)(ms % 1000));
    eis_he_write_text(w, name, text);
}

static void write_diagnostics(eis_json_writer *w, uint64_t batch_size)
{
    eis_json_writer_key(w, "diagnostics");
    eis_json_writer_begin_object(w);
    eis_json_writer_key(w, "requested_batch_size"), eis_json_writer_u64(w, batch_size);
    eis_json_writer_key(w, "processed_batch_size"), eis_json_writer_u64(w, batch_size);
    eis_json_writer_key(w, "batch_truncated"), eis_json_writer_bool(w, false);
    eis_json_writer_end_object(w);
}

static void write_payloads(eis_json_writer *w, const eis_he_job *job, eis_he_encoding encoding)
{
    if (encoding != EIS_HE_BINARY) {
        eis_json_writer_key(w, "payload");
        eis_he_payload_write_text(w, encoding, job->payloads[0].text);
        if (job->payload_count == 1) return;
    }
    eis_json_writer_key(w, encoding == EIS_HE_BINARY ? "lengths" : "payloads");
    eis_json_writer_begin_array(w);
    for (size_t i = 0; i < job->payload_count; i++) {
        if (encoding == EIS_HE_BINARY)
            eis_json_writer_u64(w, job->payloads[i].bytes);
        else
            eis_he_payload_write_text(w, encoding, job->payloads[i].text);
    }
    eis_json_writer_end_array(w);
}

static void write_result(eis_json_writer *w, const eis_he_job *job, eis_he_encoding encoding)
{
    EIS_ASSERT(job->payload_count > 0);
    eis_json_writer_key(w, "result");
    eis_json_writer_begin_object(w);
    eis_he_write_text(w, "model_id", job->model_id);
    eis_he_write_text(w, "version", job->version);
    eis_he_write_text(w, "encoding", eis_he_encoding_name(encoding));
    write_payloads(w, job, encoding);
    if (job->batch_size > 0) write_diagnostics(w, job->batch_size);
    eis_json_writer_end_object(w);
}

static void write_failure(eis_json_writer *w, const eis_he_job *job)
{
    const char *message = job->message[0] != '\0' ? job->message : eis_status_text(job->error);

    eis_json_writer_key(w, "error");
    eis_json_writer_begin_object(w);
    eis_he_write_text(w, "code", eis_status_code(job->error));
    eis_he_write_text(w, "message", message);
    eis_json_writer_key(w, "retryable"), eis_json_writer_bool(w, job->retryable);
    eis_he_write_text(w, "action", job->retryable ? "resubmit" : eis_net_http_action(job->error));
    eis_json_writer_end_object(w);
    eis_he_write_text(w, "error_message", message);
}

void eis_he_job_write(eis_writer *w, const eis_he_job *job, eis_he_encoding encoding)
{
    bool binary = encoding == EIS_HE_BINARY && job->state == EIS_HE_JOB_COMPLETED;
    size_t begin_at, bytes = EIS_HE_REST_BYTES;
    eis_json_writer json;

    for (size_t i = 0; i < job->payload_count; i++)
        bytes += EIS_HE_REST_BYTES_EACH + job->payloads[i].bytes * (binary ? 1 : 2);
    eis_wire_writer_expect(w, bytes < w->bytes_max - w->bytes ? bytes : 0);
    begin_at = binary ? eis_he_frame_begin(w) : 0;
    eis_json_writer_to_buffer(&json, w);
    eis_json_writer_begin_object(&json);
    eis_he_write_text(&json, "api_version", EIS_HE_API_VERSION);
    eis_he_write_text(&json, "job_id", job->job_id);
    eis_he_write_text(&json, "status", eis_he_job_state_name(job->state));
    if (job->model_id[0] != '\0') eis_he_write_text(&json, "model_id", job->model_id);
    if (job->version[0] != '\0') eis_he_write_text(&json, "version", job->version);
    if (job->created_ms != 0) eis_he_write_time(&json, "created_at", job->created_ms);
    if (job->updated_ms != 0) eis_he_write_time(&json, "updated_at", job->updated_ms);
    if (job->state == EIS_HE_JOB_COMPLETED) write_result(&json, job, encoding);
    if (job->state == EIS_HE_JOB_FAILED) write_failure(&json, job);
    eis_json_writer_end_object(&json);
    eis_he_json_finish(w, &json);
    if (!binary) return;
    eis_he_frame_end_json(w, begin_at);
    for (size_t i = 0; i < job->payload_count; i++) eis_he_frame_write(w, begin_at, job->payloads[i].text);
}

/* ---- In ---- */

static eis_status fail_job(const char *what) { return eis_fail(EIS_ERR_PROTOCOL, "the server's job: %s", what); }

/* Copies a text for people: escapes undone where that is simple, and nothing that a terminal would obey. */
static void copy_printable(char *out, size_t out_bytes, eis_span text)
{
    size_t have = 0;

    for (size_t i = 0; i < text.bytes && have + 1 < out_bytes; i++) {
        uint8_t c = text.data[i];

        if (c == '\\' && i + 1 < text.bytes && (text.data[i + 1] == '"' || text.data[i + 1] == '\\'))
            c = text.data[++i];
        out[have++] = c >= 0x20 && c < 0x7f ? (char)c : '?';
    }
    out[have] = '\0';
}

/* Reads an optional text. Returns false where it is there and is no string that fits. */
static bool read_text(char *out, size_t out_bytes, eis_json_value object, const char *name)
{
    eis_json_value value;

    if (!eis_json_find(&value, object, name)) return true;
    return eis_json_bind_text(out, out_bytes, object, "job", name, true) == EIS_OK;
}

static eis_status read_state(eis_he_job *job, eis_json_value root)
{
    static const struct {
        const char *name;
        eis_he_job_state state;
    } known[] = {{"accepted", EIS_HE_JOB_ACCEPTED}, {"queued", EIS_HE_JOB_QUEUED},       {"pending", EIS_HE_JOB_QUEUED},
                 {"running", EIS_HE_JOB_RUNNING},   {"completed", EIS_HE_JOB_COMPLETED}, {"done", EIS_HE_JOB_COMPLETED},
                 {"failed", EIS_HE_JOB_FAILED}};
    eis_json_value value;

    if (!eis_json_find(&value, root, "status")) return fail_job("no status");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (eis_json_string_is(value, known[i].name)) {
            job->state = known[i].state;
            return EIS_OK;
        }
    return fail_job("a status that the protocol does not know");
}

static void read_error_object(eis_he_job *job, eis_json_value error)
{
    eis_json_value value;
    eis_span text;
    char code[64];

    if (eis_json_find(&value, error, "code") && eis_json_string(&text, value)) {
        copy_printable(code, sizeof code, text);
        job->error = eis_status_from_code(code);
        if (job->error == EIS_ERR_PROTOCOL || job->error == EIS_OK) job->error = EIS_ERR_JOB_FAILED;
    }
    if (eis_json_find(&value, error, "retryable")) (void)eis_json_bool(&job->retryable, value);
    if (eis_json_find(&value, error, "message") && eis_he_json_text(&text, &job->json, value))
        copy_printable(job->message, sizeof job->message, text);
}

static void read_failure(eis_he_job *job, eis_json_value root)
{
    eis_json_value value;
    eis_span text;

    job->error = EIS_ERR_JOB_FAILED;
    if (eis_json_find(&value, root, "error_message") && eis_he_json_text(&text, &job->json, value))
        copy_printable(job->message, sizeof job->message, text);
    if (!eis_json_find(&value, root, "error")) return;
    if (eis_he_json_text(&text, &job->json, value))
        copy_printable(job->message, sizeof job->message, text);
    else
        read_error_object(job, value);
}

static bool read_result_encoding(eis_he_encoding *encoding, eis_json_value result, eis_he_media media)
{
    eis_json_value value;

    *encoding = media == EIS_HE_MEDIA_BINARY ? EIS_HE_BINARY : EIS_HE_HEX;
    if (!eis_json_find(&value, result, "encoding")) return true;
    if (eis_json_string_is(value, "hex"))
        *encoding = EIS_HE_HEX;
    else if (eis_json_string_is(value, "base64"))
        *encoding = EIS_HE_BASE64;
    else if (eis_json_string_is(value, "binary"))
        *encoding = EIS_HE_BINARY;
    else
        return false;
    return (*encoding == EIS_HE_BINARY) == (media == EIS_HE_MEDIA_BINARY);
}

static bool read_payload(eis_he_payload *payload, const eis_he_json *json, eis_he_frame *frame,
                         eis_he_encoding encoding, eis_json_value value)
{
    eis_span text = {0};
    uint64_t length = 0;

    if (encoding != EIS_HE_BINARY) {
        if (!eis_he_json_text(&text, json, value)) return false;
    } else if (!eis_json_u64(&length, value) || eis_he_frame_payload(&text, frame, length) != EIS_OK) {
        return false;
    }
    *payload = eis_he_payload_of(encoding, text);
    return true;
}

static eis_status read_payloads(eis_he_job *job, const eis_he_json *json, eis_he_frame *frame, eis_he_encoding encoding,
                                eis_json_value result, size_t payloads_max)
{
    bool binary = encoding == EIS_HE_BINARY, many;
    eis_json_value value;
    eis_json_iter it;
    eis_status st = EIS_OK;
    size_t count = 1;

    many = eis_json_find(&value, result, binary ? "lengths" : "payloads");
    if (!many && (binary || !eis_json_find(&value, result, "payload"))) return fail_job("a result without payload");
    if (many) count = eis_json_type_of(value) == EIS_JSON_ARRAY ? eis_json_length(value) : 0;
    if (count == 0 || count > payloads_max) return fail_job("another number of payloads than the model gives");
    EIS_NEW(job->payloads, count);
    job->payload_count = count;
    if (!many)
        return read_payload(&job->payloads[0], json, frame, encoding, value) ? EIS_OK
                                                                             : fail_job("a payload that is no text");
    it = eis_json_iterate(value);
    for (size_t i = 0; eis_json_next_element(&it, &value); i++)
        if (!read_payload(&job->payloads[i], json, frame, encoding, value)) return fail_job("a malformed payload");
out:
    return st;
}

static eis_status read_result_object(eis_he_job *job, const eis_he_json *json, eis_he_frame *frame,
                                     eis_json_value result, eis_he_media media, size_t payloads_max)
{
    eis_he_encoding encoding = EIS_HE_HEX;
    eis_json_value diagnostics, value;
    eis_status st = EIS_OK;

    if (eis_json_type_of(result) != EIS_JSON_OBJECT) return fail_job("a result that is no object");
    if (!read_text(job->model_id, sizeof job->model_id, result, "model_id") ||
        !read_text(job->version, sizeof job->version, result, "version"))
        return fail_job("a result with a malformed model_id or version");
    if (!read_result_encoding(&encoding, result, media)) return fail_job("a result in an unknown encoding");
    EIS_TRY(read_payloads(job, json, frame, encoding, result, payloads_max));
    if (media == EIS_HE_MEDIA_BINARY && eis_he_frame_end(frame) != EIS_OK) return fail_job("bytes behind the payloads");
    if (eis_json_find(&diagnostics, result, "diagnostics") &&
        eis_json_find(&value, diagnostics, "processed_batch_size"))
        (void)eis_json_u64(&job->batch_size, value);
out:
    return st;
}

/* A result as older documents have it: base64 of the object. */
static eis_status read_nested(eis_he_job *job, eis_span text, size_t payloads_max)
{
    eis_he_frame none = {0};
    eis_status st = EIS_OK;

    if (eis_wire_base64_bytes(&job->nested_bytes, text.data, text.bytes) != EIS_OK)
        return fail_job("a malformed result");
    EIS_NEW(job->nested, job->nested_bytes);
    if (eis_wire_base64_read(job->nested, job->nested_bytes, text.data, text.bytes) != EIS_OK ||
        eis_he_json_parse(&job->nested_json, "result", (eis_span){job->nested, job->nested_bytes}, EIS_HE_REST_BYTES,
                          payloads_max + PAYLOADS_OF_JSON_MAX) != EIS_OK)
        return fail_job("a malformed result");
    return read_result_object(job, &job->nested_json, &none, eis_json_root(job->nested_json.doc), EIS_HE_MEDIA_JSON,
                              payloads_max);
out:
    return st;
}

static eis_status read_result(eis_he_job *job, eis_he_frame *frame, eis_json_value root, eis_he_media media,
                              size_t payloads_max)
{
    eis_json_value result;
    eis_span text;

    if (!eis_json_find(&result, root, "result")) return fail_job("completed without a result");
    if (media == EIS_HE_MEDIA_JSON && eis_he_json_text(&text, &job->json, result))
        return read_nested(job, text, payloads_max);
    return read_result_object(job, &job->json, frame, result, media, payloads_max);
}

static eis_status read_job(eis_he_job *job, eis_he_frame *frame, eis_he_media media, size_t payloads_max)
{
    eis_json_value root = eis_json_root(job->json.doc), value;
    eis_status st = EIS_OK;

    if (eis_json_type_of(root) != EIS_JSON_OBJECT) return fail_job("no JSON object");
    EIS_TRY(eis_he_api_version_check(&job->json, root, true));
    if (!read_text(job->job_id, sizeof job->job_id, root, "job_id")) return fail_job("a malformed job_id");
    /* A bare result is a completed job to the original's client. */
    if (!eis_json_find(&value, root, "status") && eis_json_find(&value, root, "payload")) {
        job->state = EIS_HE_JOB_COMPLETED;
        return read_result_object(job, &job->json, frame, root, media, payloads_max);
    }
    EIS_TRY(read_state(job, root));
    if (!read_text(job->model_id, sizeof job->model_id, root, "model_id") ||
        !read_text(job->version, sizeof job->version, root, "version"))
        return fail_job("a malformed model_id or version");
    if (job->state == EIS_HE_JOB_FAILED) read_failure(job, root);
    /* The answer of POST /infer is "completed" without its result where the original sends it. */
    if (job->state == EIS_HE_JOB_COMPLETED && eis_json_find(&value, root, "result"))
        EIS_TRY(read_result(job, frame, root, media, payloads_max));
out:
    return st;
}

eis_status eis_he_job_read(eis_he_job *job, eis_he_media media, eis_span body, size_t payloads_max)
{
    eis_he_frame frame = {.json = body};
    eis_status st = EIS_OK;

    *job = (eis_he_job){0};
    if (payloads_max > EIS_HE_INPUTS_MAX) payloads_max = EIS_HE_INPUTS_MAX;
    if (media == EIS_HE_MEDIA_BINARY) EIS_TRY(eis_he_frame_open(&frame, "job", body));
    EIS_TRY(eis_he_json_parse(&job->json, "job", frame.json, EIS_HE_REST_BYTES + EIS_HE_REST_BYTES_EACH * payloads_max,
                              2 * payloads_max + PAYLOADS_OF_JSON_MAX));
    EIS_TRY(read_job(job, &frame, media, payloads_max));
out:
    if (st == EIS_ERR_PARSE || st == EIS_ERR_TOO_LARGE || st == EIS_ERR_ENCODING) st = fail_job("malformed");
    if (st != EIS_OK) eis_he_job_clear(job);
    return st;
}
