/* SPDX-License-Identifier: Apache-2.0 */
/* Valid requests: every form of question and answer, states that only move forward, keys that make a repeat harmless,
 * and tenants that do not see each other. */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/conform.h"
#include "rand/entropy.h"
#include "wire/text.h"

#include <stdio.h>
#include <string.h>

#define POLL_MS      250u
#define JOB_LIMIT_NS 120000000000ull

/* ---- one job ---- */

static bool member_text(char *out, size_t out_bytes, eis_json_value object, const char *name)
{
    eis_json_value value;
    eis_span text;

    out[0] = '\0';
    if (!eis_json_find(&value, object, name) || !eis_json_string(&text, value)) return false;
    snprintf(out, out_bytes, "%.*s", (int)(text.bytes < 200 ? text.bytes : 200), (const char *)text.data);
    return true;
}

/* The id and the state in the last answer. A binary answer has its JSON behind 8 bytes. */
static bool read_state(eis_conform *c, char id[64], char state[32])
{
    eis_span body = {c->call.answer, c->call.answer_bytes};
    eis_he_json json = {0};
    bool good;

    if (body.bytes > 8 && strcmp(c->call.answer_media_type, EIS_HE_MEDIA_BIN_TEXT) == 0) {
        uint32_t length = eis_load_le32(body.data + 4);
        body = (eis_span){body.data + 8, length <= body.bytes - 8 ? length : 0};
    }
    good = eis_he_json_parse(&json, "job", body, (size_t)1 << 20, EIS_HE_INPUTS_MAX) == EIS_OK;
    if (good) {
        good = member_text(state, 32, eis_json_root(json.doc), "status");
        (void)member_text(id, 64, eis_json_root(json.doc), "job_id");
    }
    eis_he_json_clear(&json);
    eis_error_clear();
    return good;
}

/* Gets a job with a header line (NULL: none). */
static bool get_job(eis_conform *c, const char *id, const char *line)
{
    char path[96];
    eis_he_ask ask = {.method = "GET", .path = path};

    snprintf(path, sizeof path, "/jobs/%s", id);
    if (line != NULL) ask.line[ask.line_count++] = line;
    return eis_conform_ask(c, &ask);
}

static int rank_of(const char *state)
{
    static const char *const order[] = {"queued", "running", "completed"};

    for (int i = 0; i < 3; i++)
        if (strcmp(state, order[i]) == 0) return i;
    if (strcmp(state, "pending") == 0) return 0;
    return strcmp(state, "failed") == 0 || strcmp(state, "done") == 0 ? 2 : -1;
}

/* Polls to the end. Returns false, and says why, where a state moves back or the job does not end well. */
static bool finish_job(eis_conform *c, const char *id, const char *line, char fault[96])
{
    uint64_t end = eis_clock_ns() + JOB_LIMIT_NS;
    char other[64] = "", state[32] = "";
    int rank = 0, now;

    for (;;) {
        if (!get_job(c, id, line) || c->call.http_status != 200 || !read_state(c, other, state)) {
            snprintf(fault, 96, "GET /jobs: %d", c->call.http_status);
            return false;
        }
        now = rank_of(state);
        if (now < 0 || now < rank) {
            snprintf(fault, 96, "%.24s behind a state that is %s", state,
                     rank == 0   ? "queued"
                     : rank == 1 ? "running"
                                 : "final");
            return false;
        }
        rank = now;
        if (rank == 2) break;
        if (eis_clock_ns() > end || eis_he_link_pause(c->link, POLL_MS) != EIS_OK) {
            snprintf(fault, 96, "it does not end");
            return false;
        }
    }
    snprintf(fault, 96, "%.24s", state);
    return strcmp(state, "failed") != 0;
}

/* Sends a valid request and gives the id of its job, "" where there is none. */
static bool submit(eis_conform *c, char id[64], const eis_conform_request *r, const char *line, const char *line2)
{
    char state[32];

    id[0] = '\0';
    return eis_conform_send(c, r, line, line2) && c->call.http_status >= 200 && c->call.http_status < 300 &&
           read_state(c, id, state) && id[0] != '\0';
}

static bool is_hex_id(const char *id) { return strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32; }

/* ---- happy paths ---- */

static eis_conform_request valid_request(const eis_conform *c)
{
    return (eis_conform_request){.binary = c->profile == EIS_CONFORM_V1};
}

static void check_accepted(eis_conform *c)
{
    const eis_conform_request r = valid_request(c);
    char id[64], state[32], location[96], wanted[96];

    if (!eis_conform_check(c, submit(c, id, &r, NULL, NULL), "infer.accepted", "api 3", "POST /infer: %d",
                           c->call.http_status))
        return;
    if (c->profile != EIS_CONFORM_V1) {
        const int want = c->profile == EIS_CONFORM_DOCUMENTED ? 202 : 200;
        if (c->profile != EIS_CONFORM_SDK)
            eis_conform_check(c, c->call.http_status == want, "infer.status", "api 14", "%d", c->call.http_status);
        return;
    }
    read_state(c, id, state);
    snprintf(wanted, sizeof wanted, "/jobs/%s", id);
    eis_net_http_call_header(location, sizeof location, &c->call, "location");
    eis_conform_check(c, c->call.http_status == 202 && strcmp(state, "accepted") == 0, "infer.status", "api 3", "%d %s",
                      c->call.http_status, state);
    eis_conform_check(c, is_hex_id(id), "infer.job-id", "api 7", "32 hex digits: %s", id);
    eis_conform_check(c, strcmp(location, wanted) == 0, "infer.location", "api 3", "Location: %s", location);
}

/* Reads the finished job in c->call as a client does. */
static bool read_job(eis_conform *c, eis_he_job *job)
{
    eis_he_media media;
    const eis_span body = {c->call.answer, c->call.answer_bytes};

    return eis_he_media_parse(&media, c->call.answer_media_type) &&
           eis_he_job_read(job, media, body, c->target.contract->stage[0].output.ciphertexts) == EIS_OK;
}

/* One form of question with the answer that belongs to it. */
static void check_form(eis_conform *c, const char *name, const eis_conform_request *r, const char *accept,
                       eis_he_encoding wanted)
{
    char id[64], fault[96] = "not accepted";
    eis_he_job job = {0};
    bool good = submit(c, id, r, accept, NULL) && finish_job(c, id, accept, fault);

    if (good) {
        good = read_job(c, &job) && job.payload_count > 0 && job.payloads[0].encoding == wanted;
        snprintf(fault, sizeof fault, "%s",
                 good ? eis_he_encoding_name(wanted) : "the result is not in the form that it should have");
    }
    eis_conform_check(c, good, name, "api 4", "%s", fault);
    eis_he_job_clear(&job);
    eis_error_clear();
}

static void check_forms(eis_conform *c)
{
    check_form(c, "forms.hex", &(eis_conform_request){.encoding = "hex"}, NULL, EIS_HE_HEX);
    if (c->profile != EIS_CONFORM_V1) return;
    check_form(c, "forms.base64", &(eis_conform_request){.encoding = "base64"}, NULL, EIS_HE_BASE64);
    check_form(c, "forms.binary", &(eis_conform_request){.binary = true}, "Accept: " EIS_HE_MEDIA_BIN_TEXT,
               EIS_HE_BINARY);
    check_form(c, "forms.binary-as-json", &(eis_conform_request){.binary = true}, "Accept: " EIS_HE_MEDIA_JSON_TEXT,
               EIS_HE_HEX);
    check_form(c, "forms.full", &(eis_conform_request){.binary = true, .payload = c->target.full},
               "Accept: " EIS_HE_MEDIA_BIN_TEXT, EIS_HE_BINARY);
}

static void check_versions(eis_conform *c)
{
    static const char *const taken[] = {"v1", "1", "1.0", "1.0.0"};
    char extra[48], name[48], id[64];

    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        snprintf(extra, sizeof extra, "\"api_version\":\"%s\",", taken[i]);
        snprintf(name, sizeof name, "versions.taken-%s", taken[i]);
        eis_conform_check(c, submit(c, id, &(eis_conform_request){.binary = true, .extra = extra}, NULL, NULL), name,
                          "api 13", "POST /infer: %d", c->call.http_status);
    }
}

static void check_wait(eis_conform *c)
{
    const eis_conform_request r = valid_request(c);
    char id[64], state[32];
    bool good =
        eis_conform_send(c, &r, "Prefer: wait=30", "Accept: " EIS_HE_MEDIA_BIN_TEXT) && read_state(c, id, state);

    eis_conform_check(c,
                      good && ((c->call.http_status == 200 && strcmp(state, "completed") == 0) ||
                               (c->call.http_status == 202 && strcmp(state, "accepted") == 0)),
                      "infer.prefer-wait", "api 3", "%d %s", c->call.http_status, good ? state : "");
}

/* ---- states and results ---- */

static bool has_time(eis_json_value root, const char *name, char out[32])
{
    return member_text(out, 32, root, name) && strlen(out) >= 20 && out[4] == '-' && out[10] == 'T' &&
           out[strlen(out) - 1] == 'Z';
}

static void check_members(eis_conform *c, const char *id)
{
    char text[64], created[32], updated[32];
    eis_he_json json = {0};
    eis_json_value root, result, diagnostics, value;
    const eis_span body = {c->call.answer, c->call.answer_bytes};
    const char *fault = NULL;
    uint64_t number;

    if (eis_he_json_parse(&json, "job", body, (size_t)1 << 20, EIS_HE_INPUTS_MAX) != EIS_OK) {
        eis_conform_check(c, false, "jobs.members", "api 7", "the job is no JSON");
        return;
    }
    root = eis_json_root(json.doc);
    if (!member_text(text, sizeof text, root, "api_version") || strcmp(text, "1.0.0") != 0)
        fault = "api_version";
    else if (!member_text(text, sizeof text, root, "job_id") || strcmp(text, id) != 0)
        fault = "job_id";
    else if (!has_time(root, "created_at", created) || !has_time(root, "updated_at", updated) ||
             strcmp(created, updated) > 0)
        fault = "created_at or updated_at";
    else if (!eis_json_find(&result, root, "result") || eis_json_type_of(result) != EIS_JSON_OBJECT)
        fault = "result";
    else if (!member_text(text, sizeof text, result, "model_id") || strcmp(text, c->target.info->model_id) != 0)
        fault = "result.model_id";
    else if (!eis_json_find(&diagnostics, result, "diagnostics") ||
             !eis_json_find(&value, diagnostics, "processed_batch_size") || !eis_json_u64(&number, value) ||
             number != 1)
        fault = "result.diagnostics";
    eis_conform_check(c, fault == NULL, "jobs.members", "api 7", "%s%s", fault != NULL ? "wrong: " : "all there",
                      fault != NULL ? fault : "");
    eis_he_json_clear(&json);
}

static void check_states(eis_conform *c)
{
    const eis_conform_request r = valid_request(c);
    static const char *const as_json = "Accept: " EIS_HE_MEDIA_JSON_TEXT;
    char id[64], fault[96] = "not accepted";
    uint8_t *first = NULL;
    size_t bytes;

    if (!eis_conform_check(c, submit(c, id, &r, as_json, NULL) && finish_job(c, id, as_json, fault), "jobs.forward",
                           "api 2.4", "%s", fault))
        return;
    if (c->profile == EIS_CONFORM_V1) check_members(c, id);
    first = c->call.answer;
    bytes = c->call.answer_bytes;
    c->call.answer = NULL;
    c->call.answer_capacity = 0;
    for (int i = 0; i < 2; i++) {
        if (eis_he_link_pause(c->link, POLL_MS) != EIS_OK) break;
        if (!get_job(c, id, as_json) || c->call.answer_bytes != bytes || memcmp(c->call.answer, first, bytes) != 0) {
            snprintf(fault, sizeof fault, "answer %d is another one", i + 2);
            break;
        }
        snprintf(fault, sizeof fault, "the same bytes each time");
    }
    eis_conform_check(c, fault[0] == 't', "jobs.immutable", "api 2.4", "%s", fault);
    eis_mem_free(first);
}

/* ---- the same request again ---- */

static void draw_line(char line[64])
{
    uint8_t random[16] = {0};
    char hex[33];

    if (eis_entropy_draw(random, sizeof random) != EIS_OK) eis_error_clear();
    eis_wire_hex_write(hex, random, sizeof random);
    snprintf(line, 64, "Idempotency-Key: %s", hex);
}

static void check_idempotency(eis_conform *c)
{
    const eis_conform_request r = {.binary = true};
    char line[64], first[64], again[64], long_line[192];

    draw_line(line);
    if (!eis_conform_check(c, submit(c, first, &r, line, NULL), "idempotency.first", "api 10", "POST /infer: %d",
                           c->call.http_status))
        return;
    for (int i = 0; i < 2; i++)
        eis_conform_check(c, submit(c, again, &r, line, NULL) && strcmp(first, again) == 0, "idempotency.same-job",
                          "api 10", "%d %.32s", c->call.http_status, again);
    eis_conform_send(c, &(eis_conform_request){.binary = true, .payload = c->target.full}, line, NULL);
    eis_conform_expect(c, "idempotency.other-body", "api 10", "IDEMPOTENCY_REUSED");
    /* A request that is refused leaves no trace. */
    draw_line(line);
    eis_conform_send(c, &(eis_conform_request){.binary = true, .model_id = "no-such-model"}, line, NULL);
    eis_conform_expect(c, "idempotency.refused", "api 10", "MODEL_NOT_FOUND");
    eis_conform_check(c, submit(c, again, &r, line, NULL), "idempotency.free-again", "api 10", "POST /infer: %d",
                      c->call.http_status);
    memset(long_line, 'a', sizeof long_line);
    memcpy(long_line, "Idempotency-Key: ", 17);
    long_line[17 + 129] = '\0';
    eis_conform_send(c, &r, long_line, NULL);
    eis_conform_expect(c, "idempotency.too-long", "api 10", "INVALID_SCHEMA");
}

/* ---- tenants ---- */

static void check_tenants(eis_conform *c)
{
    const eis_conform_request r = {.binary = true};
    static const char *const north = "X-Tenant-ID: conform-north", *const south = "X-Tenant-ID: conform-south";
    char path[96], id[64], fault[96] = "";
    bool accepted;

    if (c->target.needs_keys) { /* a set belongs to its tenant */
        snprintf(path, sizeof path, "/keys/%s", c->target.digest);
        eis_conform_ask(c, &(eis_he_ask){.method = "PUT",
                                         .path = path,
                                         .media_type = EIS_HE_MEDIA_BIN_TEXT,
                                         .body = {c->target.keys.data, c->target.keys.bytes},
                                         .line = {north},
                                         .line_count = 1});
    }
    accepted = submit(c, id, &r, north, NULL);
    if (!accepted && (c->call.http_status == 403 || c->call.http_status == 429)) {
        eis_conform_skip(c, "tenants.separate", "api 11", "our credentials fix the tenant, or labels are used up");
        return;
    }
    if (!eis_conform_check(c, accepted, "tenants.accepted", "api 11", "POST /infer: %d", c->call.http_status)) return;
    get_job(c, id, south);
    eis_conform_expect(c, "tenants.separate", "api 2.6", "JOB_NOT_FOUND");
    get_job(c, id, NULL);
    eis_conform_expect(c, "tenants.default", "api 2.6", "JOB_NOT_FOUND");
    eis_conform_check(c, finish_job(c, id, north, fault), "tenants.own", "api 2.6", "%s", fault);
    if (!c->target.needs_keys) return;
    eis_conform_send(c, &r, south, NULL);
    eis_conform_expect(c, "tenants.keys", "api 8", "EVALUATION_KEYS_REQUIRED");
    eis_conform_ask(c, &(eis_he_ask){.method = "HEAD", .path = path, .line = {south}, .line_count = 1});
    eis_conform_check(c, c->call.http_status == 404, "tenants.keys-head", "api 8", "HEAD: %d", c->call.http_status);
}

/* ---- what the older descriptions say of an answer ---- */

static void check_older(eis_conform *c)
{
    const eis_conform_request r = valid_request(c);
    char id[64], fault[96] = "not accepted", state[32] = "", other[64];
    eis_json_doc *doc;
    eis_json_value result;
    bool object;

    if (!submit(c, id, &r, NULL, NULL) || !finish_job(c, id, NULL, fault) || !read_state(c, other, state)) {
        eis_conform_check(c, false, "older.final-state", "api 14", "%s", fault);
        return;
    }
    eis_conform_check(c, strcmp(state, c->profile == EIS_CONFORM_DOCUMENTED ? "done" : "completed") == 0,
                      "older.final-state", "api 14", "%s", state);
    doc = eis_conform_json(c);
    object = doc != NULL && eis_json_find(&result, eis_json_root(doc), "result") &&
             eis_json_type_of(result) == EIS_JSON_OBJECT;
    eis_conform_check(c, object == (c->profile != EIS_CONFORM_DOCUMENTED), "older.result", "api 14", "result is %s",
                      object ? "an object" : "no object");
    eis_json_free(doc);
}

void eis_conform_jobs(eis_conform *c)
{
    check_accepted(c);
    check_forms(c);
    check_states(c);
    if (c->profile != EIS_CONFORM_V1) {
        check_older(c);
        return;
    }
    check_versions(c);
    check_wait(c);
    check_idempotency(c);
    check_tenants(c);
}
