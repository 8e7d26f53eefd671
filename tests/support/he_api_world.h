/* SPDX-License-Identifier: Apache-2.0 */
/* A server of the Encrypted Inference API in this process, with the published model and a small dense one that needs
 * keys, and a client that speaks plain HTTP and makes ciphertexts with the engine. */
#ifndef EIS_TESTS_SUPPORT_HE_API_WORLD_H
#define EIS_TESTS_SUPPORT_HE_API_WORLD_H

#include "base/log.h"
#include "base/mem.h"
#include "ckks/seal_ct.h"
#include "ckks/seal_keys.h"
#include "engine/he/recover.h"
#include "model/dense.h"
#include "model/files.h"
#include "net/http_client.h"
#include "service/he_server.h"
#include "wire/json.h"

#include <math.h>
#include <openssl/sha.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define API_DENSE_IN  4
#define API_DENSE_OUT 3
#define API_FEATURES  8
#define API_TIMEOUT_S 60

static const double api_dense_weights[API_DENSE_OUT][API_DENSE_IN] = {
    {0.5, -0.25, 1, 0.125}, {-1, 0.75, 0.5, 0.25}, {0.1, 0.2, -0.3, 0.4}};
static const double api_dense_bias[API_DENSE_OUT] = {0.25, -0.5, 1};

typedef struct api_world {
    eis_he_registry registry;
    eis_model *dense;
    eis_he_server *server;
    eis_address http, admin;
    eis_http_client *client;
    eis_http_call call; /* the last answer */
} api_world;

/* y = W x + b as a model. */
static inline eis_model *api_dense_model(void)
{
    eis_model *model;

    assert_int_equal(eis_model_new_dense(&model, "dense", API_DENSE_IN, API_DENSE_OUT, api_dense_bias, 1), EIS_OK);
    model->linears[0].pieces[0] = eis_tensor_view_rows(api_dense_weights, EIS_DTYPE_F64, API_DENSE_OUT, API_DENSE_IN);
    return model;
}

static inline void api_add_file(eis_he_registry *registry, const char *name, const eis_he_registry_options *options)
{
    const char *root = getenv("EIS_TEST_ROOT");
    char path[2048], directory[1024];
    eis_mapping file;

    snprintf(directory, sizeof directory, "%s/models/registry", root != NULL ? root : ".");
    snprintf(path, sizeof path, "%s/%s", directory, name);
    if (eis_file_map(&file, path) != EIS_OK) fail_msg("%s", eis_error_detail());
    if (eis_he_registry_add_entry(registry, path, file.bytes, directory, options) != EIS_OK)
        fail_msg("%s", eis_error_detail());
    eis_file_unmap(&file);
}

/* Loads the models; the caller sets what else he wants in *config and calls api_start. */
static inline void api_open(api_world *w, eis_he_server_config *config)
{
    const eis_he_registry_options options = {.keep_models = true};
    const eis_he_wish wish = {.chain = "S", .form = EIS_HE_FORM_SINGLE};

    memset(w, 0, sizeof *w);
    memset(config, 0, sizeof *config);
    eis_log_configure(EIS_LOG_ERROR, false);
    api_add_file(&w->registry, "logistic_v1.json", &options);
    w->dense = api_dense_model();
    if (eis_he_registry_add_model(&w->registry, "dense-4x3", "1.0.0", w->dense, &wish, &options) != EIS_OK)
        fail_msg("%s", eis_error_detail());
    config->registry = &w->registry;
    config->listen = (eis_address){.host = "127.0.0.1"};
    config->rate_off = true;
}

static inline void api_start(api_world *w, const eis_he_server_config *config)
{
    const eis_http_client_config client = {.timeout_ms = API_TIMEOUT_S * 1000};

    if (eis_he_server_start(&w->server, config) != EIS_OK) fail_msg("%s", eis_error_detail());
    eis_he_server_addresses(&w->http, &w->admin, w->server);
    assert_int_equal(eis_net_http_client_new(&w->client, &client), EIS_OK);
}

static inline void api_begin(api_world *w)
{
    eis_he_server_config config;

    api_open(w, &config);
    config.enable_plain = true;
    api_start(w, &config);
}

static inline void api_end(api_world *w)
{
    eis_net_http_call_clear(&w->call);
    eis_net_http_client_free(w->client);
    eis_he_server_free(w->server);
    eis_he_registry_clear(&w->registry);
    eis_model_free(w->dense);
}

/* ---- HTTP ---- */

/* Asks and returns the HTTP status; the answer lies in w->call. headers: a list that ends with NULL, or NULL. */
static inline int api_ask(api_world *w, const char *method, const char *path, const char *const *headers,
                          const char *media_type, eis_span body)
{
    char url[256];

    eis_net_http_call_clear(&w->call);
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", w->http.port, path);
    w->call.method = method;
    w->call.url = url;
    w->call.media_type = media_type;
    w->call.body = body;
    w->call.headers = headers;
    while (headers != NULL && headers[w->call.header_count] != NULL) w->call.header_count++;
    if (eis_net_http_client_run(w->client, &w->call, 1) != EIS_OK) fail_msg("%s %s: %s", method, path, w->call.detail);
    return w->call.http_status;
}

static inline int api_get(api_world *w, const char *path) { return api_ask(w, "GET", path, NULL, NULL, (eis_span){0}); }

static inline int api_post(api_world *w, const char *path, const char *json)
{
    return api_ask(w, "POST", path, NULL, "application/json", (eis_span){(const uint8_t *)json, strlen(json)});
}

/* Expects a problem with this code and its HTTP status. */
static inline void api_expect_problem(const api_world *w, eis_status expected)
{
    eis_json_value error, value;
    eis_json_doc *doc = NULL;
    eis_span code;

    if (eis_json_parse(&doc, "answer", w->call.answer, w->call.answer_bytes, w->call.answer_bytes) != EIS_OK)
        fail_msg("HTTP %d: %s in %s", w->call.http_status, eis_error_detail(), (const char *)w->call.answer);
    if (!eis_json_find(&error, eis_json_root(doc), "error") || !eis_json_find(&value, error, "code") ||
        !eis_json_string(&code, value) || strlen(eis_status_code(expected)) != code.bytes ||
        memcmp(code.data, eis_status_code(expected), code.bytes) != 0)
        fail_msg("%s was expected: HTTP %d %s", eis_status_code(expected), w->call.http_status,
                 (const char *)w->call.answer);
    assert_int_equal(w->call.http_status, eis_status_http(expected));
    assert_string_equal(w->call.answer_media_type, "application/problem+json");
    assert_true(eis_json_find(&value, eis_json_root(doc), "api_version"));
    assert_true(eis_json_string_is(value, "1.0.0"));
    if (expected == EIS_ERR_RATE_LIMITED || eis_status_http(expected) == 503) assert_true(w->call.retry_after_s >= 1);
    eis_json_free(doc);
}

/* ---- Ciphertexts ---- */

/* One model's client half. */
typedef struct api_party {
    const eis_he_contract *contract;
    char model_id[EIS_HE_MODEL_ID_BYTES];
    eis_he_client he;
    eis_writer bytes; /* the ciphertexts of the latest request, one behind the other */
    eis_span *span;   /* [count] */
    size_t count;
} api_party;

static inline void api_party_begin_contract(api_party *p, const eis_he_contract *contract, const char *model_id)
{
    memset(p, 0, sizeof *p);
    p->contract = contract;
    snprintf(p->model_id, sizeof p->model_id, "%s", model_id);
    if (eis_he_client_init(&p->he, contract) != EIS_OK) fail_msg("%s", eis_error_detail());
}

static inline void api_party_begin(api_party *p, const api_world *w, const char *model_id)
{
    const eis_he_served *served;

    assert_int_equal(eis_he_registry_find(&served, &w->registry, model_id, "1.0.0"), EIS_OK);
    api_party_begin_contract(p, &served->plan->contract, model_id);
}

static inline void api_party_end(api_party *p)
{
    eis_wire_writer_clear(&p->bytes);
    eis_mem_free(p->span);
    eis_he_client_clear(&p->he);
}

/* Encrypts x[batch][input] into p->span. */
static inline void api_encrypt(api_party *p, const double *x, size_t batch, bool seeded)
{
    const eis_seal_style style = {0};
    size_t count = p->contract->stage[0].input.ciphertexts, begin;
    eis_ckks_ct ct = {0};
    size_t *at = eis_mem_new(count + 1, sizeof *at);

    assert_non_null(at);
    eis_wire_writer_clear(&p->bytes);
    eis_mem_free(p->span);
    eis_wire_writer_init(&p->bytes, (size_t)1 << 30);
    p->span = eis_mem_new(count, sizeof *p->span);
    p->count = count;
    assert_non_null(p->span);
    for (size_t i = 0; i < count; i++) {
        begin = p->bytes.bytes;
        if (eis_he_protect(&ct, &p->he, 0, (uint32_t)i, x, batch) != EIS_OK) fail_msg("%s", eis_error_detail());
        eis_ckks_ct_write(&p->bytes, &ct, style, seeded);
        at[i] = begin;
        at[i + 1] = p->bytes.bytes;
    }
    eis_ckks_ct_clear(&ct);
    assert_int_equal(eis_wire_writer_status(&p->bytes), EIS_OK);
    for (size_t i = 0; i < count; i++) p->span[i] = (eis_span){p->bytes.data + at[i], at[i + 1] - at[i]};
    eis_mem_free(at);
}

static inline eis_he_head api_head(const api_party *p)
{
    eis_he_head head = {.version = "1.0.0", .batch_size = 1};

    memcpy(head.model_id, p->model_id, sizeof head.model_id);
    return head;
}

/* Sends the latest ciphertexts. */
static inline int api_infer(api_world *w, const api_party *p, const eis_he_head *head, eis_he_encoding encoding,
                            const char *const *headers)
{
    eis_writer body;
    int status;

    eis_wire_writer_init(&body, (size_t)1 << 30);
    eis_he_request_write(&body, head, encoding, p->span, p->count);
    assert_int_equal(eis_wire_writer_status(&body), EIS_OK);
    status = api_ask(w, "POST", "/infer", headers,
                     encoding == EIS_HE_BINARY ? EIS_HE_MEDIA_BIN_TEXT : EIS_HE_MEDIA_JSON_TEXT,
                     (eis_span){body.data, body.bytes});
    eis_wire_writer_clear(&body);
    return status;
}

/* Reads the last answer as a job. */
static inline void api_read_job(eis_he_job *job, const api_world *w)
{
    eis_he_media media;

    assert_true(eis_he_media_parse(&media, w->call.answer_media_type));
    if (eis_he_job_read(job, media, (eis_span){w->call.answer, w->call.answer_bytes}, 4096) != EIS_OK)
        fail_msg("%s", eis_error_detail());
}

/* Asks until a job has ended. */
static inline void api_wait(api_world *w, const char *job_id, const char *const *headers)
{
    char path[64];

    snprintf(path, sizeof path, "/jobs/%s", job_id);
    for (int i = 0; i < API_TIMEOUT_S * 20; i++) {
        const struct timespec pause = {.tv_nsec = 50000000};
        eis_he_job_state state;
        eis_he_job job;

        assert_int_equal(api_ask(w, "GET", path, headers, NULL, (eis_span){0}), 200);
        api_read_job(&job, w);
        state = job.state;
        eis_he_job_clear(&job);
        if (state == EIS_HE_JOB_COMPLETED || state == EIS_HE_JOB_FAILED) return;
        nanosleep(&pause, NULL);
    }
    fail_msg("job %s does not end", job_id);
}

/* Decrypts a completed job, which is the last answer. Shape: y[batch][output]. */
static inline void api_decrypt(double *y, const api_world *w, const api_party *p, size_t batch,
                               eis_he_encoding expected)
{
    const eis_he_output *out = &p->contract->stage[0].output;
    const eis_ckks_ct_rules rules = {.polys = out->polys, .limbs = out->limbs, .full_only = true, .plain_only = true};
    eis_ckks_ct *ct = eis_mem_new(out->ciphertexts, sizeof *ct);
    eis_he_job job;

    assert_non_null(ct);
    api_read_job(&job, w);
    if (job.state != EIS_HE_JOB_COMPLETED) fail_msg("%s", (const char *)w->call.answer);
    assert_int_equal(job.payload_count, out->ciphertexts);
    for (size_t i = 0; i < job.payload_count; i++) {
        uint8_t *memory;
        eis_span bytes;

        assert_int_equal(job.payloads[i].encoding, expected);
        assert_int_equal(eis_he_payload_open(&bytes, &memory, &job.payloads[i]), EIS_OK);
        if (eis_ckks_ct_read(&ct[i], NULL, p->he.params, &rules, bytes.data, bytes.bytes) != EIS_OK)
            fail_msg("%s", eis_error_detail());
        eis_mem_free(memory);
    }
    if (eis_he_recover(y, &p->he, 0, ct, batch, NULL) != EIS_OK) fail_msg("%s", eis_error_detail());
    for (size_t i = 0; i < job.payload_count; i++) eis_ckks_ct_clear(&ct[i]);
    eis_mem_free(ct);
    eis_he_job_clear(&job);
}

/* ---- Keys ---- */

/* Makes the body of an upload and the path of its digest. */
static inline void api_make_keys(eis_writer *body, char path[80], const api_party *p)
{
    const eis_he_contract *c = p->contract;
    const eis_seal_style style = {0};
    eis_writer part[EIS_HE_PARTS];
    eis_he_keys_body set = {0};
    uint8_t digest[32];
    eis_he_keys keys;

    if (eis_he_client_keys(&keys, &p->he) != EIS_OK) fail_msg("%s", eis_error_detail());
    for (size_t i = 0; i < EIS_HE_PARTS; i++) eis_wire_writer_init(&part[i], (size_t)1 << 30);
    if (c->needs_relin) eis_ckks_relin_key_write(&part[EIS_HE_PART_RELIN], &keys.relin, style, true);
    if (c->element_count > 0) eis_ckks_galois_keys_write(&part[EIS_HE_PART_GALOIS], &keys.galois, style, true);
    if (c->needs_public) eis_ckks_public_key_write(&part[EIS_HE_PART_PUBLIC], &keys.public_key, style, true);
    for (size_t i = 0; i < EIS_HE_PARTS; i++) {
        assert_int_equal(eis_wire_writer_status(&part[i]), EIS_OK);
        set.part[i] = (eis_span){part[i].data, part[i].bytes};
    }
    snprintf(set.model_id, sizeof set.model_id, "%s", p->model_id);
    snprintf(set.version, sizeof set.version, "1.0.0");
    eis_wire_writer_init(body, (size_t)1 << 30);
    eis_he_keys_body_write(body, &set);
    assert_int_equal(eis_wire_writer_status(body), EIS_OK);
    SHA256(body->data, body->bytes, digest);
    snprintf(path, 80, "/keys/");
    for (size_t i = 0; i < sizeof digest; i++) snprintf(path + 6 + 2 * i, 3, "%02x", digest[i]);
    for (size_t i = 0; i < EIS_HE_PARTS; i++) eis_wire_writer_clear(&part[i]);
    eis_he_keys_clear(&keys);
}

static inline int api_put_keys(api_world *w, const char *path, const eis_writer *body, const char *const *headers)
{
    return api_ask(w, "PUT", path, headers, EIS_HE_MEDIA_BIN_TEXT, (eis_span){body->data, body->bytes});
}

#endif
