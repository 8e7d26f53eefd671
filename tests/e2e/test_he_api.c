/* SPDX-License-Identifier: Apache-2.0 */
/* The server of the Encrypted Inference API from outside: what a stranger's client sees, request by request. */
#include "support/he_api_world.h"

#include "service/he_contract_json.h"

#include <pthread.h>

static const double sample[API_FEATURES] = {0.5, -1, 0.25, 2, -0.75, 1.5, 0, -2};

static double logistic(const double *x)
{
    static const double weights[API_FEATURES] = {0.15, -0.08, 0.11, 0.07, -0.12, 0.09, 0.05, -0.04};
    double z = -0.02;

    for (size_t i = 0; i < API_FEATURES; i++) z += weights[i] * x[i];
    return 0.5 + 0.197 * z;
}

static const char *const wait_headers[] = {"Prefer: wait=30", NULL};

/* A party of logistic_v1 that has the sample encrypted; returns the head of its requests. */
static eis_he_head begin_sample(api_party *p, const api_world *w)
{
    api_party_begin(p, w, "logistic_v1");
    api_encrypt(p, sample, 1, true);
    return api_head(p);
}

/* A request that becomes a job. */
static void be_accepted(char job_id[EIS_HE_JOB_ID_BYTES], api_world *w, const api_party *p, const eis_he_head *head,
                        const char *const *headers)
{
    eis_he_job job;

    assert_int_equal(api_infer(w, p, head, EIS_HE_BINARY, headers), 202);
    api_read_job(&job, w);
    memcpy(job_id, job.job_id, EIS_HE_JOB_ID_BYTES);
    eis_he_job_clear(&job);
}

/* ---- Happy paths ---- */

static void every_form_gives_the_plain_answer(void **state)
{
    static const eis_he_encoding forms[] = {EIS_HE_HEX, EIS_HE_BASE64, EIS_HE_BINARY};
    eis_he_head head;
    api_party p;
    api_world w;
    double y;

    (void)state;
    api_begin(&w);
    api_party_begin(&p, &w, "logistic_v1");
    head = api_head(&p);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        api_encrypt(&p, sample, 1, i != 0);
        assert_int_equal(api_infer(&w, &p, &head, forms[i], wait_headers), 200);
        api_decrypt(&y, &w, &p, 1, forms[i]);
        assert_true(fabs(y - logistic(sample)) < 1e-3);
    }
    api_party_end(&p);
    api_end(&w);
}

static void a_job_is_accepted_polled_and_keeps_its_result(void **state)
{
    static const char *const as_binary[] = {"Accept: application/vnd.eis.infer", NULL};
    static const char *const as_json[] = {"Accept: application/json", NULL};
    char location[64], path[64], *first;
    eis_he_head head;
    eis_he_job job;
    api_party p;
    api_world w;
    double x[3 * API_FEATURES], y[3];

    (void)state;
    api_begin(&w);
    api_party_begin(&p, &w, "logistic_v1");
    for (size_t i = 0; i < 3 * API_FEATURES; i++) x[i] = 0.125 * (double)i - 1;
    api_encrypt(&p, x, 3, true);
    head = api_head(&p);
    head.batch_size = 3;
    head.has_batch = true;
    assert_int_equal(api_infer(&w, &p, &head, EIS_HE_HEX, NULL), 202);
    api_read_job(&job, &w);
    assert_int_equal(job.state, EIS_HE_JOB_ACCEPTED);
    assert_true(eis_net_http_call_header(location, sizeof location, &w.call, "location"));
    snprintf(path, sizeof path, "/jobs/%s", job.job_id);
    assert_string_equal(location, path);
    api_wait(&w, job.job_id, NULL);
    api_decrypt(y, &w, &p, 3, EIS_HE_HEX);
    for (size_t i = 0; i < 3; i++) assert_true(fabs(y[i] - logistic(x + i * API_FEATURES)) < 1e-3);
    assert_non_null(strstr((const char *)w.call.answer, "\"requested_batch_size\":3"));
    /* The same bytes, however often it is asked for; another form where that is wanted. */
    first = eis_mem_strdup((const char *)w.call.answer);
    assert_int_equal(api_ask(&w, "GET", path, as_json, NULL, (eis_span){0}), 200);
    assert_string_equal((const char *)w.call.answer, first);
    eis_mem_free(first);
    assert_int_equal(api_ask(&w, "GET", path, as_binary, NULL, (eis_span){0}), 200);
    api_decrypt(y, &w, &p, 3, EIS_HE_BINARY);
    assert_true(fabs(y[2] - logistic(x + (size_t)2 * API_FEATURES)) < 1e-3);
    eis_he_job_clear(&job);
    api_party_end(&p);
    api_end(&w);
}

static void keys_are_uploaded_once_and_then_named(void **state)
{
    static const char *const other[] = {"X-Tenant-ID: other", NULL};
    const double x[API_DENSE_IN] = {1, -0.5, 0.25, 2};
    double y[API_DENSE_OUT];
    char path[80];
    eis_writer body;
    eis_he_head head;
    api_party p;
    api_world w;

    (void)state;
    api_begin(&w);
    api_party_begin(&p, &w, "dense-4x3");
    api_encrypt(&p, x, 1, true);
    head = api_head(&p);
    assert_int_equal(api_infer(&w, &p, &head, EIS_HE_BINARY, NULL), 409);
    api_expect_problem(&w, EIS_ERR_KEYS_REQUIRED);
    api_make_keys(&body, path, &p);
    assert_int_equal(api_ask(&w, "HEAD", path, NULL, NULL, (eis_span){0}), 404);
    assert_int_equal(api_put_keys(&w, path, &body, NULL), 201);
    assert_int_equal(api_put_keys(&w, path, &body, NULL), 200);
    assert_int_equal(api_ask(&w, "HEAD", path, NULL, NULL, (eis_span){0}), 200);
    assert_true(eis_he_digest_read(head.keys, path + 6, 64));
    head.has_keys = true;
    assert_int_equal(api_infer(&w, &p, &head, EIS_HE_BINARY, wait_headers), 200);
    api_decrypt(y, &w, &p, 1, EIS_HE_BINARY);
    for (size_t i = 0; i < API_DENSE_OUT; i++) {
        double expected = api_dense_bias[i];

        for (size_t j = 0; j < API_DENSE_IN; j++) expected += api_dense_weights[i][j] * x[j];
        assert_true(fabs(y[i] - expected) < 1e-3);
    }
    /* Another tenant neither sees nor uses them. */
    assert_int_equal(api_ask(&w, "HEAD", path, other, NULL, (eis_span){0}), 404);
    assert_int_equal(api_ask(&w, "DELETE", path, other, NULL, (eis_span){0}), 404);
    assert_int_equal(api_infer(&w, &p, &head, EIS_HE_BINARY, other), 409);
    assert_int_equal(api_ask(&w, "DELETE", path, NULL, NULL, (eis_span){0}), 204);
    assert_int_equal(w.call.answer_bytes, 0);
    assert_int_equal(api_infer(&w, &p, &head, EIS_HE_BINARY, NULL), 409);
    api_expect_problem(&w, EIS_ERR_KEYS_REQUIRED);
    eis_wire_writer_clear(&body);
    api_party_end(&p);
    api_end(&w);
}

static void damaged_uploads_leave_nothing(void **state)
{
    char path[80];
    eis_writer body;
    api_party p;
    api_world w;

    (void)state;
    api_begin(&w);
    api_party_begin(&p, &w, "dense-4x3");
    api_make_keys(&body, path, &p);
    body.data[body.bytes - 1] ^= 1;
    (void)api_put_keys(&w, path, &body, NULL);
    api_expect_problem(&w, EIS_ERR_BODY_DIGEST);
    assert_int_equal(api_ask(&w, "HEAD", path, NULL, NULL, (eis_span){0}), 404);
    path[10] = path[10] == 'a' ? 'b' : 'a';
    body.data[body.bytes - 1] ^= 1;
    (void)api_put_keys(&w, path, &body, NULL);
    api_expect_problem(&w, EIS_ERR_BODY_DIGEST);
    (void)api_ask(&w, "PUT", "/keys/short", NULL, EIS_HE_MEDIA_BIN_TEXT, (eis_span){body.data, body.bytes});
    api_expect_problem(&w, EIS_ERR_KEYS_NOT_FOUND);
    eis_wire_writer_clear(&body);
    api_party_end(&p);
    api_end(&w);
}

/* ---- Discovery ---- */

/* Member by member where there is padding, which has no value. */
static void assert_stage_equal(const eis_he_stage *a, const eis_he_stage *b)
{
    assert_memory_equal(&a->input, &b->input, sizeof a->input);
    assert_memory_equal(&a->output, &b->output, offsetof(eis_he_output, limbs) + sizeof a->output.limbs);
    assert_true(a->output.scale == b->output.scale);
    assert_true(a->output.error == b->output.error);
    assert_true(a->input_max == b->input_max);
    assert_int_equal(a->local_count, b->local_count);
    for (uint32_t i = 0; i < a->local_count; i++) {
        assert_memory_equal(&a->local[i], &b->local[i], offsetof(eis_he_local, coeff_count) + sizeof(uint32_t));
        assert_memory_equal(a->local[i].coeff, b->local[i].coeff, a->local[i].coeff_count * sizeof(double));
    }
}

static void entries_read_back_as_the_contract(void **state)
{
    eis_he_contract *contract = eis_mem_new(1, sizeof *contract);
    eis_json_doc *doc = NULL;
    const eis_he_served *served;
    eis_json_value entry;
    eis_he_info info;
    api_world w;

    (void)state;
    assert_non_null(contract);
    api_begin(&w);
    assert_int_equal(api_get(&w, "/models"), 200);
    assert_int_equal(eis_json_parse(&doc, "models", w.call.answer, w.call.answer_bytes, w.call.answer_bytes), EIS_OK);
    for (size_t i = 0; i < w.registry.count; i++) {
        served = &w.registry.models[i];
        assert_int_equal(eis_he_models_find(&entry, eis_json_root(doc), served->info.model_id, "1.0.0"), EIS_OK);
        if (eis_he_contract_read(contract, &info, entry) != EIS_OK) fail_msg("%s", eis_error_detail());
        assert_int_equal(contract->stage_count, served->plan->contract.stage_count);
        assert_stage_equal(&contract->stage[0], &served->plan->contract.stage[0]);
        assert_int_equal(contract->element_count, served->plan->contract.element_count);
        assert_memory_equal(contract->element, served->plan->contract.element, sizeof contract->element);
        assert_int_equal(contract->batch_max, served->plan->contract.batch_max);
        assert_int_equal(contract->literal.policy, served->plan->contract.literal.policy);
        assert_null(info.weights); /* not published */
        assert_string_equal(info.model_id, served->info.model_id);
        eis_he_info_clear(&info);
    }
    eis_json_free(doc);
    eis_mem_free(contract);
    api_end(&w);
}

static void documents_health_and_metrics_are_there(void **state)
{
    static const char *const paths[] = {"/health",       "/health/ready",     "/keys",   "/openapi.yaml",
                                        "/openapi.json", "/schemas/job.json", "/metrics"};
    api_world w;

    (void)state;
    api_begin(&w);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) assert_int_equal(api_get(&w, paths[i]), 200);
    assert_non_null(strstr((const char *)w.call.answer, "eis_he_requests_total{model=\"logistic_v1\""));
    (void)api_get(&w, "/schemas/none.json");
    api_expect_problem(&w, EIS_ERR_NOT_FOUND);
    (void)api_post(&w, "/models", "{}");
    api_expect_problem(&w, EIS_ERR_METHOD);
    api_end(&w);
}

static void metrics_move_to_the_admin_address(void **state)
{
    eis_he_server_config config;
    api_world w;

    (void)state;
    api_open(&w, &config);
    config.admin = true;
    config.admin_listen = (eis_address){.host = "127.0.0.1"};
    api_start(&w, &config);
    assert_int_equal(api_get(&w, "/metrics"), 404);
    w.http.port = w.admin.port;
    assert_int_equal(api_get(&w, "/metrics"), 200);
    assert_int_equal(api_get(&w, "/models"), 404);
    api_end(&w);
}

static void numbers_in_the_clear_only_where_enabled(void **state)
{
    static const char body[] = "{\"model_id\":\"logistic_v1\",\"version\":\"1.0.0\",\"inputs\":[1,2,3,4,5,6,7,8]}";
    eis_he_server_config config;
    api_world w;

    (void)state;
    api_begin(&w);
    assert_int_equal(api_post(&w, "/infer/plain", body), 200);
    assert_non_null(strstr((const char *)w.call.answer, "\"mode\":\"plain\""));
    assert_int_equal(
        api_post(&w, "/infer/plain", "{\"model_id\":\"logistic_v1\",\"version\":\"1.0.0\",\"inputs\":[1]}"), 400);
    api_expect_problem(&w, EIS_ERR_INPUT_COUNT);
    api_end(&w);
    api_open(&w, &config);
    api_start(&w, &config);
    assert_int_equal(api_post(&w, "/infer/plain", body), 404);
    api_end(&w);
}

/* ---- Refusals ---- */

#define HEAD_OF(id) "{\"model_id\":\"" id "\",\"version\":\"1.0.0\","

static void envelopes_are_strict(void **state)
{
    static const struct {
        const char *body;
        eis_status expected;
    } cases[] = {
        {"", EIS_ERR_PARSE},
        {"[]", EIS_ERR_PARSE},
        {"{", EIS_ERR_PARSE},
        {HEAD_OF("logistic_v1") "\"inputs\":[]}", EIS_ERR_PARSE},
        {HEAD_OF("logistic_v1") "\"inputs\":[{\"encoding\":\"hex\"}]}", EIS_ERR_PARSE},
        {HEAD_OF("logistic_v1") "\"more\":1,\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"00\"}]}", EIS_ERR_PARSE},
        {HEAD_OF("logistic_v1") "\"version\":\"1.0.0\",\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"00\"}]}",
         EIS_ERR_PARSE},
        {HEAD_OF("logistic_v1") "\"batch_size\":0,\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"00\"}]}",
         EIS_ERR_PARSE},
        {HEAD_OF("logistic_v1") "\"batch_size\":1e999,\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"00\"}]}",
         EIS_ERR_PARSE},
        {HEAD_OF("logistic_v1") "\"inputs\":[{\"encoding\":\"rot13\",\"payload\":\"00\"}]}", EIS_ERR_UNSUPPORTED},
        {HEAD_OF("logistic_v1") "\"inputs\":[{\"encoding\":\"binary\",\"payload\":\"00\"}]}", EIS_ERR_UNSUPPORTED},
        {HEAD_OF("logistic_v1") "\"api_version\":\"2\",\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"00\"}]}",
         EIS_ERR_VERSION},
        /* Which fault comes first: the version, the model, the size, the text. */
        {HEAD_OF("nothing") "\"api_version\":\"2\",\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"0\"}]}",
         EIS_ERR_VERSION},
        {HEAD_OF("nothing") "\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"0\"}]}", EIS_ERR_MODEL_NOT_FOUND},
        {HEAD_OF("logistic_v1") "\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"0\"}]}", EIS_ERR_ENCODING},
        {HEAD_OF("logistic_v1") "\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"zz\"}]}", EIS_ERR_ENCODING},
        {HEAD_OF("logistic_v1") "\"inputs\":[{\"encoding\":\"base64\",\"payload\":\"AA\"}]}", EIS_ERR_ENCODING},
        {HEAD_OF("logistic_v1") "\"batch_size\":99,\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"00\"}]}",
         EIS_ERR_CIPHERTEXT},
        {HEAD_OF("logistic_v1") "\"stage\":1,\"inputs\":[{\"encoding\":\"hex\",\"payload\":\"00\"}]}", EIS_ERR_PARSE},
    };
    api_world w;

    (void)state;
    api_begin(&w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)api_post(&w, "/infer", cases[i].body);
        api_expect_problem(&w, cases[i].expected);
    }
    (void)api_ask(&w, "POST", "/infer", NULL, "text/plain", (eis_span){(const uint8_t *)"{}", 2});
    api_expect_problem(&w, EIS_ERR_MEDIA_TYPE);
    (void)api_ask(&w, "POST", "/infer", NULL, EIS_HE_MEDIA_BIN_TEXT, (eis_span){(const uint8_t *)"EISI", 4});
    api_expect_problem(&w, EIS_ERR_PARSE);
    assert_int_equal(api_get(&w, "/health"), 200);
    api_end(&w);
}

static void faults_of_ciphertexts_are_told_apart(void **state)
{
    eis_he_head head;
    api_party p;
    api_world w;
    uint8_t *first;
    double scale;

    (void)state;
    api_begin(&w);
    api_party_begin(&p, &w, "logistic_v1");
    head = api_head(&p);
    api_encrypt(&p, sample, 1, false);
    /* The batch and the number of inputs come last. */
    head.batch_size = 17;
    head.has_batch = true;
    (void)api_infer(&w, &p, &head, EIS_HE_BINARY, NULL);
    api_expect_problem(&w, EIS_ERR_BATCH);
    p.count--;
    (void)api_infer(&w, &p, &head, EIS_HE_BINARY, NULL);
    api_expect_problem(&w, EIS_ERR_INPUT_COUNT);
    p.count++;
    /* A scale far off in the second input, then another parms_id in the third, then a word too large in the last. */
    scale = eis_load_le_f64(p.span[1].data + 16 + 57);
    assert_true(scale == 0x1p30);
    eis_store_le_f64((uint8_t *)(uintptr_t)p.span[1].data + 16 + 57, 0x1p40);
    (void)api_infer(&w, &p, &head, EIS_HE_BINARY, NULL);
    api_expect_problem(&w, EIS_ERR_SCALE);
    first = (uint8_t *)(uintptr_t)p.span[2].data;
    first[16] ^= 1;
    (void)api_infer(&w, &p, &head, EIS_HE_BINARY, NULL);
    api_expect_problem(&w, EIS_ERR_CONTEXT_MISMATCH);
    first = (uint8_t *)(uintptr_t)p.span[7].data;
    memset(first + p.span[7].bytes - 8, 0xff, 8);
    (void)api_infer(&w, &p, &head, EIS_HE_BINARY, NULL);
    api_expect_problem(&w, EIS_ERR_CIPHERTEXT);
    /* A double or half scale is taken by an affine model where all inputs have it. */
    head.batch_size = 1;
    api_encrypt(&p, sample, 1, false);
    eis_store_le_f64((uint8_t *)(uintptr_t)p.span[1].data + 16 + 57, 0x1p31);
    (void)api_infer(&w, &p, &head, EIS_HE_BINARY, NULL);
    api_expect_problem(&w, EIS_ERR_SCALE);
    api_party_end(&p);
    api_end(&w);
}

static void strict_hex_refuses_base64(void **state)
{
    eis_he_server_config config;
    eis_he_head head;
    api_party p;
    api_world w;

    (void)state;
    api_open(&w, &config);
    config.strict_hex = true;
    api_start(&w, &config);
    head = begin_sample(&p, &w);
    (void)api_infer(&w, &p, &head, EIS_HE_BASE64, NULL);
    api_expect_problem(&w, EIS_ERR_UNSUPPORTED);
    assert_int_equal(api_infer(&w, &p, &head, EIS_HE_HEX, NULL), 202);
    api_party_end(&p);
    api_end(&w);
}

static void unknown_jobs_and_foreign_hosts_are_refused(void **state)
{
    static const char *const evil[] = {"Host: evil.example", NULL}, *const local[] = {"Host: localhost:1", NULL};
    static const char *const bad_tenant[] = {"X-Tenant-ID: a/b", NULL}, *const blank[] = {"X-Tenant-ID;", NULL};
    static const char *const bad_key[] = {"Idempotency-Key: a b", NULL};
    api_world w;

    (void)state;
    api_begin(&w);
    (void)api_get(&w, "/jobs/0123456789abcdef0123456789abcdef");
    api_expect_problem(&w, EIS_ERR_JOB_NOT_FOUND);
    (void)api_get(&w, "/jobs/x");
    api_expect_problem(&w, EIS_ERR_JOB_NOT_FOUND);
    (void)api_ask(&w, "GET", "/models", evil, NULL, (eis_span){0});
    api_expect_problem(&w, EIS_ERR_FORBIDDEN);
    assert_int_equal(api_ask(&w, "GET", "/models", local, NULL, (eis_span){0}), 200);
    (void)api_ask(&w, "GET", "/jobs/x", bad_tenant, NULL, (eis_span){0});
    api_expect_problem(&w, EIS_ERR_PARSE);
    (void)api_ask(&w, "GET", "/jobs/x", blank, NULL, (eis_span){0});
    api_expect_problem(&w, EIS_ERR_JOB_NOT_FOUND);
    (void)api_ask(&w, "POST", "/infer", bad_key, "application/json", (eis_span){(const uint8_t *)"{}", 2});
    api_expect_problem(&w, EIS_ERR_PARSE);
    api_end(&w);
}

/* ---- Idempotency, tenants, rates ---- */

static void one_key_is_one_job(void **state)
{
    static const char *const keyed[] = {"Idempotency-Key: first", NULL};
    static const char *const other[] = {"Idempotency-Key: first", "X-Tenant-ID: other", NULL};
    char job_id[EIS_HE_JOB_ID_BYTES], again[EIS_HE_JOB_ID_BYTES];
    eis_he_head head;
    api_party p;
    api_world w;

    (void)state;
    api_begin(&w);
    head = begin_sample(&p, &w);
    be_accepted(job_id, &w, &p, &head, keyed);
    for (int i = 0; i < 3; i++) {
        be_accepted(again, &w, &p, &head, keyed);
        assert_string_equal(again, job_id);
        if (i == 1) api_wait(&w, job_id, NULL);
    }
    /* Another tenant's key is another key; another body is not the same request. */
    be_accepted(again, &w, &p, &head, other);
    assert_string_not_equal(again, job_id);
    head.has_batch = true;
    (void)api_infer(&w, &p, &head, EIS_HE_BINARY, keyed);
    api_expect_problem(&w, EIS_ERR_KEY_REUSED);
    api_party_end(&p);
    api_end(&w);
}

static void a_refused_request_leaves_its_key_free(void **state)
{
    static const char *const keyed[] = {"Idempotency-Key: k", NULL};
    eis_he_head head;
    api_party p;
    api_world w;

    (void)state;
    api_begin(&w);
    (void)api_ask(&w, "POST", "/infer", keyed, "application/json", (eis_span){(const uint8_t *)"{}", 2});
    api_expect_problem(&w, EIS_ERR_PARSE);
    head = begin_sample(&p, &w);
    assert_int_equal(api_infer(&w, &p, &head, EIS_HE_BINARY, keyed), 202);
    api_party_end(&p);
    api_end(&w);
}

static void jobs_belong_to_their_tenant(void **state)
{
    static const char *const north[] = {"X-Tenant-ID: north", NULL}, *const south[] = {"X-Tenant-ID: south", NULL};
    char path[64], job_id[EIS_HE_JOB_ID_BYTES];
    eis_he_head head;
    api_party p;
    api_world w;

    (void)state;
    api_begin(&w);
    head = begin_sample(&p, &w);
    be_accepted(job_id, &w, &p, &head, north);
    snprintf(path, sizeof path, "/jobs/%s", job_id);
    (void)api_ask(&w, "GET", path, south, NULL, (eis_span){0});
    api_expect_problem(&w, EIS_ERR_JOB_NOT_FOUND);
    (void)api_get(&w, path);
    api_expect_problem(&w, EIS_ERR_JOB_NOT_FOUND);
    api_wait(&w, job_id, north);
    api_party_end(&p);
    api_end(&w);
}

static void tokens_fix_their_tenant(void **state)
{
    static const char *const as_north[] = {"Authorization: Bearer north-north-north-1", NULL};
    static const char *const as_south[] = {"Authorization: Bearer north-north-north-1", "X-Tenant-ID: south", NULL};
    static const char *const wrong[] = {"Authorization: Bearer south-south-south-1", NULL};
    eis_he_server_config config;
    eis_he_tenant tenant = {.name = "north"};
    api_world w;

    (void)state;
    assert_int_equal(eis_net_token_set(&tenant.token, "north-north-north-1", 19), EIS_OK);
    api_open(&w, &config);
    config.tenants = &tenant;
    config.tenant_count = 1;
    api_start(&w, &config);
    assert_int_equal(api_get(&w, "/health"), 200);
    (void)api_get(&w, "/models");
    api_expect_problem(&w, EIS_ERR_UNAUTHENTICATED);
    (void)api_ask(&w, "GET", "/models", wrong, NULL, (eis_span){0});
    api_expect_problem(&w, EIS_ERR_UNAUTHENTICATED);
    assert_int_equal(api_ask(&w, "GET", "/models", as_north, NULL, (eis_span){0}), 200);
    (void)api_ask(&w, "GET", "/jobs/x", as_south, NULL, (eis_span){0});
    api_expect_problem(&w, EIS_ERR_FORBIDDEN);
    (void)api_ask(&w, "GET", "/jobs/x", as_north, NULL, (eis_span){0});
    api_expect_problem(&w, EIS_ERR_JOB_NOT_FOUND);
    api_end(&w);
}

static void calls_are_counted_and_labels_do_not_help(void **state)
{
    static const char *const other[] = {"X-Tenant-ID: other", NULL};
    eis_he_server_config config;
    char value[32];
    api_world w;

    (void)state;
    api_open(&w, &config);
    config.rate_off = false;
    config.rate_calls = 2;
    config.rate_s = 600;
    api_start(&w, &config);
    for (int i = 0; i < 2; i++) {
        (void)api_post(&w, "/infer", "{}");
        api_expect_problem(&w, EIS_ERR_PARSE);
        assert_true(eis_net_http_call_header(value, sizeof value, &w.call, "ratelimit-remaining"));
        assert_string_equal(value, i == 0 ? "1" : "0");
    }
    (void)api_post(&w, "/infer", "{}");
    api_expect_problem(&w, EIS_ERR_RATE_LIMITED);
    assert_true(w.call.retry_after_s > 200);
    assert_true(eis_net_http_call_header(value, sizeof value, &w.call, "ratelimit-limit"));
    assert_string_equal(value, "2");
    (void)api_ask(&w, "POST", "/infer", other, "application/json", (eis_span){(const uint8_t *)"{}", 2});
    api_expect_problem(&w, EIS_ERR_RATE_LIMITED); /* the address has had its calls */
    (void)api_get(&w, "/jobs/x");                 /* polls have a bucket of their own */
    api_expect_problem(&w, EIS_ERR_JOB_NOT_FOUND);
    assert_int_equal(api_get(&w, "/models"), 200);
    api_end(&w);
}

/* ---- Load and end ---- */

/* Holds the worker until it is let go. */
typedef struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned inside;
    bool open;
} gate;

static void hold(void *context, const char *job_id)
{
    gate *g = context;

    (void)job_id;
    pthread_mutex_lock(&g->lock);
    g->inside++;
    pthread_cond_broadcast(&g->changed);
    while (!g->open) pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

static void await_inside(gate *g)
{
    pthread_mutex_lock(&g->lock);
    while (g->inside == 0) pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

static void let_go(gate *g)
{
    pthread_mutex_lock(&g->lock);
    g->open = true;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

static void a_full_queue_says_so_and_recovers(void **state)
{
    gate g = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    eis_he_server_config config;
    eis_he_head head;
    char job_id[EIS_HE_JOB_ID_BYTES];
    api_party p;
    api_world w;

    (void)state;
    api_open(&w, &config);
    config.workers = 1;
    config.queue_max = 1;
    config.before_eval = hold;
    config.before_eval_context = &g;
    api_start(&w, &config);
    head = begin_sample(&p, &w);
    be_accepted(job_id, &w, &p, &head, NULL);
    await_inside(&g);
    (void)api_infer(&w, &p, &head, EIS_HE_BINARY, NULL);
    api_expect_problem(&w, EIS_ERR_BUSY);
    let_go(&g);
    api_wait(&w, job_id, NULL);
    assert_int_equal(api_infer(&w, &p, &head, EIS_HE_BINARY, wait_headers), 200);
    api_party_end(&p);
    api_end(&w);
}

typedef struct drainer {
    eis_he_server *server;
    bool all;
} drainer;

static void *drain(void *context)
{
    drainer *d = context;

    d->all = eis_he_server_drain(d->server, API_TIMEOUT_S * 1000);
    return NULL;
}

static void draining_ends_what_was_accepted(void **state)
{
    gate g = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    eis_he_server_config config;
    eis_he_head head;
    char job_id[EIS_HE_JOB_ID_BYTES];
    drainer d = {0};
    pthread_t thread;
    api_party p;
    api_world w;

    (void)state;
    api_open(&w, &config);
    config.before_eval = hold;
    config.before_eval_context = &g;
    api_start(&w, &config);
    head = begin_sample(&p, &w);
    be_accepted(job_id, &w, &p, &head, NULL);
    await_inside(&g);
    d.server = w.server;
    assert_int_equal(pthread_create(&thread, NULL, drain, &d), 0);
    while (api_get(&w, "/health/ready") == 200) {}
    api_expect_problem(&w, EIS_ERR_UNAVAILABLE);
    (void)api_infer(&w, &p, &head, EIS_HE_BINARY, NULL);
    api_expect_problem(&w, EIS_ERR_UNAVAILABLE);
    assert_int_equal(api_get(&w, "/health"), 200);
    let_go(&g);
    pthread_join(thread, NULL);
    assert_true(d.all);
    api_party_end(&p);
    api_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_gives_the_plain_answer),
        cmocka_unit_test(a_job_is_accepted_polled_and_keeps_its_result),
        cmocka_unit_test(keys_are_uploaded_once_and_then_named),
        cmocka_unit_test(damaged_uploads_leave_nothing),
        cmocka_unit_test(entries_read_back_as_the_contract),
        cmocka_unit_test(documents_health_and_metrics_are_there),
        cmocka_unit_test(metrics_move_to_the_admin_address),
        cmocka_unit_test(numbers_in_the_clear_only_where_enabled),
        cmocka_unit_test(envelopes_are_strict),
        cmocka_unit_test(faults_of_ciphertexts_are_told_apart),
        cmocka_unit_test(strict_hex_refuses_base64),
        cmocka_unit_test(unknown_jobs_and_foreign_hosts_are_refused),
        cmocka_unit_test(one_key_is_one_job),
        cmocka_unit_test(a_refused_request_leaves_its_key_free),
        cmocka_unit_test(jobs_belong_to_their_tenant),
        cmocka_unit_test(tokens_fix_their_tenant),
        cmocka_unit_test(calls_are_counted_and_labels_do_not_help),
        cmocka_unit_test(a_full_queue_says_so_and_recovers),
        cmocka_unit_test(draining_ends_what_was_accepted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
