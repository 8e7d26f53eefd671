/* SPDX-License-Identifier: Apache-2.0 */
/* A client and a server that lies. Every reply that is not exactly the promised object must be refused before it is
 * decrypted; and a reply that is well-formed nonsense must be decrypted without any sign of it: one visible reaction
 * for each crafted answer would give the secret key away, bit by bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "ckks/seal_ct.h"
#include "engine/he/eval.h"
#include "net/http.h"
#include "rand/entropy.h"
#include "service/he_client.h"
#include "service/he_envelope.h"
#include "service/he_registry.h"

#define MODEL       "models/breast-cancer"
#define JOB_ID      "0123456789abcdef0123456789abcdef"
#define OUTPUTS_MAX 8

enum { AT_PARMS = 16, AT_NTT = 48, AT_SCALE = 73, AT_WORDS = 113 };

typedef enum lie {
    HONEST,
    NOISE,       /* random words below their primes: a valid ciphertext of anything */
    CONSTANT_C1, /* decrypts to the secret key itself */
    OTHER_MODEL,
    OTHER_VERSION,
    OTHER_BATCH,
    ONE_MORE,
    TRAILING,
    CUT,
    PARMS,
    NOT_NTT,
    SCALE,
    SCALE_NAN,
    WORD,
    TRANSPARENT,
    COMPRESSED,
    OTHER_JOB, /* accepted, then another job is given out */
    NO_RESULT,
    LIES
} lie;

static struct {
    eis_he_registry registry;
    eis_model *model;
    const eis_he_served *served;
    eis_http_server *http;
    char url[64];
    lie lie;
    size_t batch;
    unsigned calls;
} world;

/* ---- the server ---- */

static eis_status give_models(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    const eis_he_plan *plan = world.served->plan;
    eis_status st = EIS_OK;
    eis_json_writer json;
    eis_writer w;

    (void)context, (void)request;
    world.calls++;
    eis_wire_writer_init(&w, (size_t)1 << 20);
    eis_json_writer_to_buffer(&json, &w);
    eis_json_writer_begin_object(&json);
    eis_json_writer_key(&json, "api_version");
    eis_json_writer_text(&json, "1.7.0"); /* a later minor version */
    eis_json_writer_key(&json, "models");
    eis_json_writer_begin_array(&json);
    eis_he_contract_write(&json, &plan->contract, plan->params, &world.served->info);
    eis_json_writer_end_array(&json);
    eis_json_writer_end_object(&json);
    EIS_TRY(eis_json_writer_status(&json));
    EIS_TRY(eis_net_http_reply_set(reply, 200, "application/json", w.data, w.bytes));
out:
    eis_wire_writer_clear(&w);
    return st;
}

static eis_status next_input(void *context, size_t index, eis_ckks_ct *ct)
{
    const eis_he_request *request = context;
    const eis_ckks_ct_rules rules = {.polys = 2, .limbs = world.served->plan->contract.stage[0].input.limbs};

    return eis_ckks_ct_read(ct, NULL, world.served->plan->params, &rules, request->inputs[index].text.data,
                            request->inputs[index].bytes);
}

/* Computes the answer, one object per ciphertext. Shape: object[OUTPUTS_MAX], initialised. */
static eis_status evaluate(eis_writer *object, const eis_http_request *request, eis_seal_mode mode)
{
    const uint32_t count = world.served->plan->contract.stage[0].output.ciphertexts;
    const eis_he_keys none = {0};
    eis_status st = EIS_OK;
    eis_he_request parsed = {0};
    eis_ckks_ct out[OUTPUTS_MAX] = {{0}};
    eis_he_source source = {&parsed, next_input};

    assert_true(count < OUTPUTS_MAX);
    EIS_TRY(eis_he_request_parse(&parsed, EIS_HE_MEDIA_BINARY, eis_net_http_request_body(request),
                                 &(eis_he_request_limits){0}));
    EIS_TRY(eis_he_eval(out, world.served->program, 0, &source, &none, NULL));
    for (uint32_t i = 0; i < count; i++) {
        eis_ckks_ct_write(&object[i], &out[i], (eis_seal_style){.mode = mode}, false);
        EIS_TRY(eis_wire_writer_status(&object[i]));
    }
out:
    for (uint32_t i = 0; i < OUTPUTS_MAX; i++) eis_ckks_ct_clear(&out[i]);
    eis_he_request_clear(&parsed);
    return st;
}

static void fill_with_noise(uint8_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t word = 0;
        assert_int_equal(eis_entropy_draw(&word, sizeof word), EIS_OK);
        eis_store_le64(words + 8 * i, word & 0xffffffff); /* below every prime of the chains */
    }
}

static void spoil(eis_writer *w)
{
    const size_t words = (w->bytes - AT_WORDS) / 8, half = words / 2;
    uint8_t *d = w->data;

    switch (world.lie) {
    case NOISE:
        fill_with_noise(d + AT_WORDS, words);
        break;
    case CONSTANT_C1:
        memset(d + AT_WORDS, 0, half * 8);
        for (size_t i = half; i < words; i++) eis_store_le64(d + AT_WORDS + 8 * i, 1u << 20);
        break;
    case TRAILING:
        eis_wire_writer_u8(w, 0);
        break;
    case CUT:
        w->bytes--;
        break;
    case PARMS:
        d[AT_PARMS] ^= 1;
        break;
    case NOT_NTT:
        d[AT_NTT] = 0;
        break;
    case SCALE:
        eis_store_le_f64(d + AT_SCALE, eis_load_le_f64(d + AT_SCALE) * 1.01);
        break;
    case SCALE_NAN:
        eis_store_le_f64(d + AT_SCALE, (double)NAN);
        break;
    case WORD:
        eis_store_le64(d + w->bytes - 8, UINT64_MAX);
        break;
    case TRANSPARENT:
        memset(d + AT_WORDS + half * 8, 0, half * 8);
        break;
    default:
        break;
    }
}

static eis_status answer_job(eis_http_reply *reply, const eis_writer *object)
{
    const uint32_t count = world.served->plan->contract.stage[0].output.ciphertexts;
    eis_he_payload payload[OUTPUTS_MAX];
    eis_he_job job = {.job_id = JOB_ID,
                      .state = EIS_HE_JOB_COMPLETED,
                      .model_id = "m",
                      .version = "1.0.0",
                      .payloads = payload,
                      .payload_count = world.lie == ONE_MORE ? count + 1 : count,
                      .batch_size = world.lie == OTHER_BATCH ? 2 : world.batch};
    eis_status st = EIS_OK;
    eis_writer w;

    for (uint32_t i = 0; i < OUTPUTS_MAX; i++) {
        const eis_writer *one = &object[i < count ? i : 0];
        payload[i] = (eis_he_payload){EIS_HE_BINARY, {one->data, one->bytes}, one->bytes};
    }
    eis_wire_writer_init(&w, (size_t)1 << 24);
    if (world.lie == OTHER_MODEL) memcpy(job.model_id, "n", 2);
    if (world.lie == OTHER_VERSION) memcpy(job.version, "1.0.1", 6);
    eis_he_job_write(&w, &job, EIS_HE_BINARY);
    EIS_TRY(eis_wire_writer_status(&w));
    EIS_TRY(eis_net_http_reply_set(reply, 200, EIS_HE_MEDIA_BIN_TEXT, w.data, w.bytes));
out:
    eis_wire_writer_clear(&w);
    return st;
}

static eis_status infer(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    static const char accepted[] = "{\"api_version\":\"1.0.0\",\"status\":\"accepted\",\"job_id\":\"" JOB_ID "\"}";
    const uint32_t count = world.served->plan->contract.stage[0].output.ciphertexts;
    eis_status st = EIS_OK;
    eis_writer object[OUTPUTS_MAX];

    (void)context;
    world.calls++;
    if (world.lie == OTHER_JOB || world.lie == NO_RESULT)
        return eis_net_http_reply_set(reply, 202, "application/json", accepted, sizeof accepted - 1);
    for (uint32_t i = 0; i < OUTPUTS_MAX; i++) eis_wire_writer_init(&object[i], (size_t)1 << 24);
    EIS_TRY(evaluate(object, request, world.lie == COMPRESSED ? EIS_SEAL_ZSTD : EIS_SEAL_NONE));
    spoil(&object[count - 1]);
    EIS_TRY(answer_job(reply, object));
out:
    for (uint32_t i = 0; i < OUTPUTS_MAX; i++) eis_wire_writer_clear(&object[i]);
    return st;
}

static eis_status give_job(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    static const char other[] = "{\"job_id\":\"ffffffffffffffffffffffffffffffff\",\"status\":\"queued\"}";
    static const char empty[] = "{\"job_id\":\"" JOB_ID "\",\"status\":\"completed\"}";
    const char *text = world.lie == OTHER_JOB ? other : empty;

    (void)context, (void)request;
    world.calls++;
    return eis_net_http_reply_set(reply, 200, "application/json", text, strlen(text));
}

static const eis_http_route routes[] = {
    {.method = "GET", .pattern = "/models", .handle = give_models},
    {.method = "POST", .pattern = "/infer", .media_type = EIS_HE_MEDIA_BIN_TEXT, .handle = infer},
    {.method = "GET", .pattern = "/jobs/{id}", .handle = give_job},
};

static int start(void **state)
{
    const char *root = getenv("EIS_TEST_ROOT");
    const eis_he_wish wish = {.form = EIS_HE_FORM_BATCH};
    eis_http_config config = {.routes = routes, .route_count = sizeof routes / sizeof *routes};
    eis_address address;

    (void)state;
    if (root != NULL && chdir(root) != 0) return -1;
    eis_log_configure(EIS_LOG_ERROR, false);
    assert_int_equal(eis_model_open(&world.model, MODEL, NULL), EIS_OK);
    assert_int_equal(
        eis_he_registry_add_model(&world.registry, "m", "1.0.0", world.model, &wish, &(eis_he_registry_options){0}),
        EIS_OK);
    world.served = &world.registry.models[0];
    assert_int_equal(eis_net_address_parse(&config.address, "127.0.0.1:0", -1), EIS_OK);
    assert_int_equal(eis_net_http_server_start(&world.http, &config), EIS_OK);
    eis_net_http_server_address(&address, world.http);
    snprintf(world.url, sizeof world.url, "http://127.0.0.1:%u", (unsigned)address.port);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    eis_net_http_server_free(world.http);
    eis_he_registry_clear(&world.registry);
    eis_model_free(world.model);
    return 0;
}

/* ---- the client ---- */

static eis_he_remote *open_remote(void)
{
    const eis_he_remote_config config = {.link = {.url = world.url}, .model_id = "m", .throw_away = true};
    eis_he_remote *remote = NULL;
    eis_status st = eis_he_remote_open(&remote, &config);

    if (st != EIS_OK) fail_msg("%s", eis_error_detail());
    return remote;
}

/* Three inputs in one request. Returns the number of calls that the server saw. */
static unsigned run(eis_status *st, double *y, eis_he_remote *remote, lie what)
{
    const size_t size = eis_he_remote_size(remote);
    double x[3 * 32];

    assert_true(size <= 32);
    for (size_t i = 0; i < 3 * size; i++) x[i] = (double)(i % 7) / 7 - 0.4;
    world.lie = what;
    world.calls = 0;
    world.batch = 3;
    *st = eis_he_remote_infer(remote, y, x, 3, NULL);
    return world.calls;
}

static void what_was_not_promised_is_refused(void **state)
{
    static const lie lies[] = {OTHER_MODEL, OTHER_VERSION, OTHER_BATCH, ONE_MORE, TRAILING,    CUT,       PARMS,
                               NOT_NTT,     SCALE,         SCALE_NAN,   WORD,     TRANSPARENT, COMPRESSED};
    eis_he_remote *remote = open_remote();
    double y[3 * 8];
    eis_status st;

    (void)state;
    assert_true(eis_he_remote_values(remote) <= 8);
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        memset(y, 1, sizeof y);
        assert_int_equal(run(&st, y, remote, lies[i]), 1); /* and not asked again */
        if (st != EIS_ERR_INTEGRITY && st != EIS_ERR_PROTOCOL)
            fail_msg("lie %d: %s, %s", (int)lies[i], eis_status_code(st), eis_error_detail());
        for (size_t k = 0; k < 3 * eis_he_remote_values(remote); k++) assert_true(y[k] == 0); /* wiped */
    }
    assert_int_equal(run(&st, y, remote, OTHER_JOB), 2);
    assert_int_equal(st, EIS_ERR_INTEGRITY);
    assert_int_equal(run(&st, y, remote, NO_RESULT), 2);
    assert_int_equal(st, EIS_ERR_PROTOCOL);
    eis_he_remote_close(remote);
}

/* Honest answers, noise and an attack look the same from outside: as many calls, and no error. */
static void what_is_decrypted_leaves_no_trace(void **state)
{
    static const lie answers[] = {HONEST, NOISE, CONSTANT_C1};
    eis_he_remote *remote = open_remote();
    double y[3 * 8];
    eis_status st;

    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        assert_int_equal(run(&st, y, remote, answers[i]), 1);
        assert_int_equal(st, EIS_OK);
    }
    eis_he_remote_close(remote);
}

/* The scale, the policy and the sizes are the client's to judge. */
static void what_a_server_asks_for_has_limits(void **state)
{
    eis_he_remote_config config = {.link = {.url = world.url}, .model_id = "m", .throw_away = true};
    eis_he_remote *remote;

    (void)state;
    config.policy = EIS_CKKS_POLICY_2024_256;
    assert_int_equal(eis_he_remote_open(&remote, &config), EIS_ERR_POLICY);
    assert_null(remote);
    config.policy = EIS_CKKS_POLICY_2024_128;
    config.request_bytes_max = 1000;
    assert_int_equal(eis_he_remote_open(&remote, &config), EIS_ERR_LIMIT);
    config.request_bytes_max = 0;
    config.model_id = "nobody";
    assert_int_equal(eis_he_remote_open(&remote, &config), EIS_ERR_MODEL_NOT_FOUND);
    config.model_id = "m";
    config.publish_bits = 120; /* no room for so much noise */
    assert_int_equal(eis_he_remote_open(&remote, &config), EIS_ERR_RANGE);
    assert_null(remote);
}

static void inputs_are_looked_at_first(void **state)
{
    eis_he_remote *remote = open_remote();
    eis_he_remote_report report;
    double x[32] = {0}, y[8];

    (void)state;
    world.lie = HONEST;
    world.calls = 0;
    x[3] = HUGE_VAL;
    assert_int_equal(eis_he_remote_infer(remote, y, x, 1, NULL), EIS_ERR_RANGE);
    assert_int_equal(world.calls, 0);
    eis_he_remote_report_get(&report, remote);
    assert_int_equal(report.requests, 0);
    world.batch = 1;
    x[3] = 2 * eis_he_remote_contract(remote)->input_max;
    assert_int_equal(eis_he_remote_infer(remote, y, x, 1, NULL), EIS_OK);
    eis_he_remote_report_get(&report, remote);
    assert_int_equal(report.beyond, 1); /* told to the user, not refused */
    eis_he_remote_close(remote);
}

/* Every allocation of a client fails once: a status, nothing half done, nothing leaked. */
static void memory_may_run_out_anywhere(void **state)
{
    const eis_he_remote_config config = {.link = {.url = world.url}, .model_id = "m", .throw_away = true};
    double x[32] = {0}, y[8];
    unsigned long n = 1;

    (void)state;
    world.lie = HONEST;
    world.batch = 1;
    for (bool done = false; !done && n < 2000; n += n < 60 ? 1 : 7) {
        eis_he_remote *remote = NULL;
        eis_status st;
        eis_mem_fail_at(n);
        st = eis_he_remote_open(&remote, &config);
        assert_true((st == EIS_OK) == (remote != NULL));
        if (st == EIS_OK) st = eis_he_remote_infer(remote, y, x, 1, NULL);
        eis_mem_fail_at(0);
        if (st != EIS_OK && st != EIS_ERR_MEMORY) fail_msg("%lu: %s, %s", n, eis_status_code(st), eis_error_detail());
        done = st == EIS_OK;
        eis_he_remote_close(remote);
    }
    assert_in_range(n, 40, 1999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_not_promised_is_refused),  cmocka_unit_test(what_is_decrypted_leaves_no_trace),
        cmocka_unit_test(what_a_server_asks_for_has_limits), cmocka_unit_test(inputs_are_looked_at_first),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
