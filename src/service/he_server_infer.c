/* SPDX-License-Identifier: Apache-2.0 */
/* POST /infer: from a body to a job, every check before it; and GET /jobs. */
#include "base/mem.h"
#include "rand/entropy.h"
#include "service/he_envelope_internal.h"
#include "service/he_server_internal.h"
#include "wire/text.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KEPT_BYTES_MAX ((size_t)64 << 20) /* of expanded ciphertexts of one request that waits */
#define JOB_TEXT_BYTES ((size_t)64 << 10) /* of a job's JSON beside its payloads */

/* ---- Answers ---- */

/* Finds a text inside a header, whatever the case; NULL where it is not there. */
static const char *find_text(const char *header, const char *text)
{
    for (; header != NULL && *header != '\0'; header++)
        if (strncasecmp(header, text, strlen(text)) == 0) return header;
    return NULL;
}

/* Finds the form of a result: what Accept asks for, else what the request had. */
static eis_he_encoding encoding_of(const eis_http_request *request, unsigned form)
{
    const char *accept = eis_net_http_request_header(request, "Accept");
    eis_he_encoding own = form == EIS_HE_BASE64 ? EIS_HE_BASE64 : form == EIS_HE_BINARY ? EIS_HE_BINARY : EIS_HE_HEX;
    bool json = find_text(accept, EIS_HE_MEDIA_JSON_TEXT) != NULL;
    bool binary = find_text(accept, EIS_HE_MEDIA_BIN_TEXT) != NULL;

    if (json == binary) return own; /* neither or both */
    if (binary) return EIS_HE_BINARY;
    return own == EIS_HE_BINARY ? EIS_HE_HEX : own;
}

/* Fills what is written from what is stored; the payloads lie in the row. */
static eis_status fill_job(eis_he_job *job, const eis_job_row *row)
{
    static const eis_he_job_state states[] = {[EIS_JOB_QUEUED] = EIS_HE_JOB_QUEUED,
                                              [EIS_JOB_RUNNING] = EIS_HE_JOB_RUNNING,
                                              [EIS_JOB_COMPLETED] = EIS_HE_JOB_COMPLETED,
                                              [EIS_JOB_FAILED] = EIS_HE_JOB_FAILED};
    eis_status st = EIS_OK;

    EIS_REQUIRE(row->state >= EIS_JOB_QUEUED && row->state <= EIS_JOB_FAILED, EIS_ERR_STORE, "a job without a state");
    *job = (eis_he_job){.state = states[row->state],
                        .created_ms = row->created_ms,
                        .updated_ms = row->updated_ms,
                        .batch_size = row->batch,
                        .error = row->error,
                        .retryable = row->retryable};
    memcpy(job->job_id, row->id, sizeof job->job_id);
    memcpy(job->model_id, row->model, sizeof job->model_id);
    memcpy(job->version, row->version, sizeof job->version);
    memcpy(job->message, row->message, sizeof job->message);
    if (row->result_count == 0) return EIS_OK;
    EIS_NEW(job->payloads, row->result_count);
    job->payload_count = row->result_count;
    for (size_t i = 0; i < row->result_count; i++)
        job->payloads[i] =
            (eis_he_payload){.encoding = EIS_HE_BINARY, .text = row->result[i], .bytes = row->result[i].bytes};
out:
    return st;
}

static eis_status reply_job(eis_http_reply *reply, const eis_http_request *request, const eis_job_row *row)
{
    eis_he_encoding encoding = encoding_of(request, row->form);
    bool binary = encoding == EIS_HE_BINARY && row->state == EIS_JOB_COMPLETED;
    size_t bytes = JOB_TEXT_BYTES;
    eis_he_job job = {0};
    eis_writer body = {0};
    eis_status st = EIS_OK;

    EIS_TRY(fill_job(&job, row));
    for (size_t i = 0; i < row->result_count; i++) bytes += 4 * row->result[i].bytes + 128;
    eis_wire_writer_init(&body, bytes);
    eis_he_job_write(&body, &job, encoding);
    EIS_TRY(eis_he_server_reply(reply, 200, binary ? EIS_HE_MEDIA_BIN_TEXT : EIS_HE_MEDIA_JSON_TEXT, &body));
out:
    eis_wire_writer_clear(&body);
    eis_mem_free(job.payloads);
    return st;
}

static eis_status reply_accepted(eis_http_reply *reply, const char *job_id)
{
    eis_json_writer w;
    eis_writer body;

    eis_wire_writer_init(&body, JOB_TEXT_BYTES);
    eis_json_writer_to_buffer(&w, &body);
    eis_json_writer_begin_object(&w);
    eis_he_write_text(&w, "api_version", EIS_HE_API_VERSION);
    eis_he_write_text(&w, "status", "accepted");
    eis_he_write_text(&w, "job_id", job_id);
    eis_json_writer_end_object(&w);
    eis_he_json_finish(&body, &w);
    return eis_he_server_reply(reply, 202, EIS_HE_MEDIA_JSON_TEXT, &body);
}

/* Reads "wait=N" of a Prefer header; 0: not there. */
static unsigned wait_of(const eis_http_request *request)
{
    const char *prefer = eis_net_http_request_header(request, "Prefer");
    const char *at = prefer;
    unsigned long seconds;

    while (at != NULL && (at = find_text(at, "wait=")) != NULL) {
        bool begins = at == prefer || at[-1] == ' ' || at[-1] == ',' || at[-1] == ';' || at[-1] == '\t';

        at += 5;
        if (!begins || *at < '0' || *at > '9') continue;
        seconds = strtoul(at, NULL, 10);
        return seconds > EIS_HE_WAIT_S_MAX ? EIS_HE_WAIT_S_MAX : (unsigned)seconds;
    }
    return 0;
}

/* Answers with the job: as it ended, where the client waits and it has; else with its name. */
static eis_status reply_for_job(eis_he_server *server, eis_http_reply *reply, const eis_http_request *request,
                                const char *tenant, const char *job_id)
{
    unsigned wait_s = wait_of(request);
    char location[64];
    eis_job_row row = {0};
    eis_status st = EIS_OK;

    snprintf(location, sizeof location, "/jobs/%s", job_id);
    EIS_TRY(eis_net_http_reply_header(reply, "Location", location));
    if (wait_s > 0) {
        eis_he_queue_wait(server, tenant, job_id, wait_s);
        EIS_TRY(eis_store_jobs_read(&row, server->jobs, tenant, job_id));
    }
    if (row.state == EIS_JOB_COMPLETED || row.state == EIS_JOB_FAILED)
        EIS_TRY(reply_job(reply, request, &row));
    else
        EIS_TRY(reply_accepted(reply, job_id));
out:
    eis_store_jobs_row_clear(&row);
    return st;
}

/* ---- Idempotency ---- */

/* Reads the header. *key is NULL where there is none. */
static eis_status read_key(const char **key, const eis_http_request *request)
{
    const char *text = eis_net_http_request_header(request, "Idempotency-Key");
    size_t bytes = 0;

    *key = NULL;
    if (text == NULL) return EIS_OK;
    while (text[bytes] > ' ' && text[bytes] < 0x7f) bytes++;
    if (text[bytes] != '\0' || bytes == 0 || bytes >= EIS_JOB_KEY_BYTES)
        return eis_fail(EIS_ERR_PARSE, "Idempotency-Key must be 1 to %d visible ASCII characters",
                        EIS_JOB_KEY_BYTES - 1);
    *key = text;
    return EIS_OK;
}

/* SHA-256 over what the request is: its form, how the answer is wanted, and its body. */
static eis_status digest_request(uint8_t digest[EIS_HE_DIGEST_BYTES], eis_he_media media, eis_span body)
{
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    const uint8_t form = (uint8_t)media;
    bool done = hash != NULL && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(hash, &form, 1) == 1 && EVP_DigestUpdate(hash, body.data, body.bytes) == 1 &&
                EVP_DigestFinal_ex(hash, digest, NULL) == 1;

    EVP_MD_CTX_free(hash);
    return done ? EIS_OK : eis_fail(EIS_ERR_MEMORY, "the digest of a request cannot be computed");
}

/* ---- From a body to a task ---- */

/* Steps 5 (keys) and 6. */
static eis_status check_rest(eis_he_server *server, eis_he_task *task, const eis_he_served *served)
{
    const eis_he_contract *contract = &served->plan->contract;
    const eis_he_head *head = &task->request.head;
    eis_status st = EIS_OK;

    if (contract->needs_relin || contract->needs_public || contract->element_count > 0) {
        EIS_REQUIRE(head->has_keys, EIS_ERR_KEYS_REQUIRED,
                    "this model needs evaluation_keys, which are uploaded first");
        EIS_TRY(eis_he_keys_pin(&task->keys, server->keys, eis_he_caller_tenant(task->caller), head->keys, served));
    }
    EIS_TRY(eis_he_request_check_constraints(&task->request, served));
out:
    return st;
}

/* What the inputs take from now on: the ciphertexts, or the body that they are read from again. The reservation of the
 * body becomes the task's. */
static eis_status move_charge(eis_he_task *task, const eis_http_request *request)
{
    size_t kept = eis_he_inputs_bytes(&task->inputs), body_bytes, reserved;
    uint8_t *body;
    eis_status st = EIS_OK;

    eis_net_http_request_take_body(request, &body, &body_bytes, &reserved);
    task->charged = reserved;
    if (task->inputs.cts == NULL) {
        task->body = body;
        return EIS_OK;
    }
    eis_he_request_clear(&task->request);
    task->inputs.request = NULL;
    eis_mem_free(body);
    if (kept > reserved) EIS_TRY(eis_he_caller_charge(task->caller, kept - reserved));
    if (kept < reserved) eis_he_caller_refund(task->caller, reserved - kept);
    task->charged = kept;
out:
    return st;
}

/* Steps 1 to 6. The request's texts are the body's until its charge has moved. */
static eis_status check_request(eis_he_server *server, eis_he_task *task, const eis_he_served **served,
                                eis_he_media media, eis_span body)
{
    eis_status st = EIS_OK;

    st = eis_he_request_parse(&task->request, media, body, &server->request_limits);
    if (st == EIS_ERR_PARSE) (void)eis_fail_prefix(st, "Invalid infer request");
    if (st != EIS_OK) goto out;
    EIS_TRY(
        eis_he_registry_find(served, server->config.registry, task->request.head.model_id, task->request.head.version));
    EIS_TRY(eis_he_request_check(&task->inputs, &task->request, *served, KEPT_BYTES_MAX, server->config.pool));
    EIS_TRY(check_rest(server, task, *served));
out:
    return st;
}

static eis_status draw_id(char id[EIS_JOB_ID_BYTES])
{
    uint8_t bytes[(EIS_JOB_ID_BYTES - 1) / 2];
    eis_status st = eis_entropy_draw(bytes, sizeof bytes);

    if (st == EIS_OK) eis_wire_hex_write(id, bytes, sizeof bytes);
    return st;
}

/* A request on its way. */
typedef struct arrival {
    eis_he_media media;
    eis_span body;
    const char *tenant, *key;
    uint8_t digest[EIS_HE_DIGEST_BYTES];
    eis_he_claim *claim;
} arrival;

/* Puts a checked request into store and queue. *task is NULL afterwards where it was taken. */
static eis_status submit(char job_id[EIS_JOB_ID_BYTES], eis_he_server *server, eis_he_task **task,
                         const eis_he_served *served, uint64_t batch, const arrival *a)
{
    const eis_job_new job = {.id = (*task)->job_id,
                             .tenant = a->tenant,
                             .model = served->info.model_id,
                             .version = served->info.version,
                             .form = (unsigned)(*task)->inputs.encoding,
                             .batch = batch,
                             .result_bytes = served->result_bytes_max,
                             .key = a->key,
                             .digest = a->digest};
    eis_status st = EIS_OK;
    bool fresh = false, reserved = false;

    EIS_TRY(draw_id((*task)->job_id));
    (*task)->weight = eis_he_task_weight(served);
    EIS_TRY(eis_he_queue_reserve(server, (*task)->weight));
    reserved = true;
    EIS_TRY(eis_store_jobs_add(&fresh, job_id, server->jobs, &job));
    if (!fresh) goto out;
    atomic_fetch_add_explicit(&eis_he_server_counters(server, served)->requests, 1, memory_order_relaxed);
    eis_he_queue_push(server, *task);
    *task = NULL;
    reserved = false;
out:
    if (reserved) eis_he_queue_unreserve(server, (*task)->weight);
    return st;
}

static eis_status accept_new(char job_id[EIS_JOB_ID_BYTES], eis_he_server *server, const eis_http_request *request,
                             const arrival *a)
{
    const eis_he_served *served = NULL;
    eis_he_task *task = NULL;
    eis_status st = EIS_OK;
    uint64_t batch;

    EIS_NEW(task, 1);
    task->caller = eis_he_caller_keep(eis_net_http_request_owner(request));
    EIS_TRY(check_request(server, task, &served, a->media, a->body));
    batch = task->request.head.batch_size;
    EIS_TRY(move_charge(task, request));
    EIS_TRY(submit(job_id, server, &task, served, batch, a));
out:
    eis_he_task_free(server, task);
    return st;
}

/* Finds the job that answers already, or makes one. */
static eis_status accept(char job_id[EIS_JOB_ID_BYTES], eis_he_server *server, const eis_http_request *request,
                         arrival *a)
{
    eis_status st = EIS_OK;
    bool found = false;

    if (a->key != NULL) {
        EIS_TRY(digest_request(a->digest, a->media, a->body));
        EIS_TRY(eis_he_claim_begin(&a->claim, server, a->tenant, a->key));
        EIS_TRY(eis_store_jobs_find_key(&found, job_id, server->jobs, a->tenant, a->key, a->digest));
        if (found) {
            eis_he_caller_uncall(eis_net_http_request_owner(request));
            goto out;
        }
    }
    EIS_TRY(accept_new(job_id, server, request, a));
out:
    eis_he_claim_end(server, a->claim);
    a->claim = NULL;
    return st;
}

eis_status eis_he_server_infer(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    eis_he_server *server = context;
    const char *type = eis_net_http_request_header(request, "Content-Type");
    arrival a = {.body = eis_net_http_request_body(request),
                 .tenant = eis_he_caller_tenant(eis_net_http_request_owner(request))};
    char job_id[EIS_JOB_ID_BYTES];
    eis_status st = EIS_OK;

    EIS_REQUIRE(!atomic_load(&server->draining), EIS_ERR_UNAVAILABLE, "the server is going down");
    EIS_TRY(read_key(&a.key, request));
    EIS_REQUIRE(type != NULL && eis_he_media_parse(&a.media, type), EIS_ERR_PARSE, "Invalid infer request: no body");
    EIS_TRY(accept(job_id, server, request, &a));
    EIS_TRY(reply_for_job(server, reply, request, a.tenant, job_id));
out:
    return eis_he_server_fail(server, st);
}

/* ---- GET /jobs ---- */

eis_status eis_he_server_get_job(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    eis_he_server *server = context;
    const char *tenant = eis_he_caller_tenant(eis_net_http_request_owner(request));
    const char *id = eis_net_http_request_param(request);
    eis_job_row row = {0};
    eis_status st = EIS_OK;

    EIS_REQUIRE(strlen(id) == EIS_JOB_ID_BYTES - 1, EIS_ERR_JOB_NOT_FOUND, "no such job");
    EIS_TRY(eis_store_jobs_read(&row, server->jobs, tenant, id));
    EIS_TRY(reply_job(reply, request, &row));
out:
    eis_store_jobs_row_clear(&row);
    return eis_he_server_fail(server, st);
}
