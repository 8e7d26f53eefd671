/* SPDX-License-Identifier: Apache-2.0 */
/* If this breaks, a client hammers a server that asked it to wait, gives up on one that would have answered, or shows
 * its user nothing of what the server said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/http.h"
#include "service/he_link.h"

static eis_span text_span(const char *text) { return (eis_span){(const uint8_t *)text, strlen(text)}; }

static void every_shape_of_an_error_is_read(void **state)
{
    static const struct {
        int http;
        const char *body;
        eis_status st;
        bool retryable;
        const char *code, *message;
        unsigned seconds;
    } rows[] = {
        /* ours */
        {409,
         "{\"type\":\"x\",\"detail\":\"level 2, not 3\",\"error\":{\"code\":\"LEVEL_MISMATCH\",\"message\":\"m\","
         "\"retryable\":false}}",
         EIS_ERR_LEVEL, false, "LEVEL_MISMATCH", "level 2, not 3", 0},
        {429, "{\"error\":{\"code\":\"RATE_LIMITED\",\"retryable\":true,\"retry_after_s\":3}}", EIS_ERR_RATE_LIMITED,
         true, "RATE_LIMITED", "", 3},
        /* the original's, its framework's, and the one that its SDK expects */
        {404, "{\"detail\":\"Unknown model/version\"}", EIS_ERR_NOT_FOUND, false, "", "Unknown model/version", 0},
        {422, "{\"detail\":[{\"loc\":[\"body\"]}]}", EIS_ERR_PARSE, false, "", "", 0},
        {400, "{\"error\":{\"code\":\"SCHEMA_VALIDATION_FAILED\",\"message\":\"no inputs\"}}", EIS_ERR_PARSE, false,
         "SCHEMA_VALIDATION_FAILED", "no inputs", 0},
        {400, "{\"detail\":{\"error\":{\"code\":\"INVALID_CIPHERTEXT\",\"message\":\"bad\"}}}", EIS_ERR_CIPHERTEXT,
         false, "INVALID_CIPHERTEXT", "bad", 0},
        {400, "{\"code\":\"UNSUPPORTED_API_VERSION\",\"message\":\"v9\"}", EIS_ERR_VERSION, false,
         "UNSUPPORTED_API_VERSION", "v9", 0},
        {500, "{\"error\":\"ValueError: no\"}", EIS_ERR_INTERNAL, true, "", "ValueError: no", 0},
        /* lies and noise */
        {400, "{\"error\":{\"code\":\"OK\"}}", EIS_ERR_PARSE, false, "OK", "", 0},
        {400, "{\"error\":{\"code\":\"NO_SUCH_CODE\"}}", EIS_ERR_PARSE, false, "NO_SUCH_CODE", "", 0},
        {503, "<html>", EIS_ERR_UNAVAILABLE, true, "", "", 0},
        {418, "", EIS_ERR_PROTOCOL, false, "", "", 0},
        {302, "{}", EIS_ERR_PROTOCOL, false, "", "", 0},
        {400, "{\"detail\":\"\\u001b[31mred\"}", EIS_ERR_PARSE, false, "", "?[31mred", 0},
    };
    eis_he_problem p;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        eis_he_problem_read(&p, rows[i].http, 0, text_span(rows[i].body));
        if (p.status != rows[i].st || p.retryable != rows[i].retryable || strcmp(p.code, rows[i].code) != 0 ||
            strcmp(p.message, rows[i].message) != 0 || p.retry_after_s != rows[i].seconds)
            fail_msg("%d %s: %s retryable %d code \"%s\" message \"%s\" after %u", rows[i].http, rows[i].body,
                     eis_status_code(p.status), p.retryable, p.code, p.message, p.retry_after_s);
    }
}

/* ---- a server that fails as often as it is told ---- */

static unsigned failures, calls;
static int failure_status;
static const char *failure_body;
static char first_key[64];

static eis_status answer(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    const char *key = eis_net_http_request_header(request, "Idempotency-Key");

    (void)context;
    if (calls++ == 0) snprintf(first_key, sizeof first_key, "%s", key != NULL ? key : "");
    assert_string_equal(key, first_key); /* the same request again, never a new one */
    assert_int_equal(eis_net_http_request_body(request).bytes, 5);
    if (calls <= failures)
        return eis_net_http_reply_set(reply, failure_status, "application/json", failure_body, strlen(failure_body));
    return eis_net_http_reply_set(reply, 202, "application/json", "{}", 2);
}

static const eis_http_route routes[] = {
    {.method = "POST", .pattern = "/infer", .media_type = "application/json", .handle = answer}};
static eis_http_server *server;
static char base[64];

static int start(void **state)
{
    eis_http_config config = {.routes = routes, .route_count = 1};
    eis_address address;

    (void)state;
    eis_log_configure(EIS_LOG_ERROR, false);
    assert_int_equal(eis_net_address_parse(&config.address, "127.0.0.1:0", -1), EIS_OK);
    assert_int_equal(eis_net_http_server_start(&server, &config), EIS_OK);
    eis_net_http_server_address(&address, server);
    snprintf(base, sizeof base, "http://127.0.0.1:%u/", (unsigned)address.port);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    eis_net_http_server_free(server);
    return 0;
}

static eis_status send_one(unsigned fail_times, int http_status, const char *body, unsigned retries)
{
    const eis_he_link_config config = {.url = base, .retries = retries, .patience_ms = 3000};
    const eis_he_ask ask = {.method = "POST",
                            .path = "/infer",
                            .media_type = "application/json",
                            .body = text_span("{\"a\":"),
                            .line = {"Idempotency-Key: 17"},
                            .line_count = 1};
    eis_he_link *link;
    eis_http_call call = {0};
    eis_status st;

    failures = fail_times;
    calls = 0;
    failure_status = http_status;
    failure_body = body;
    assert_int_equal(eis_he_link_new(&link, &config), EIS_OK);
    st = eis_he_link_run(link, &call, NULL, &ask);
    eis_net_http_call_clear(&call);
    eis_he_link_free(link);
    return st;
}

static void what_may_be_repeated_is_repeated(void **state)
{
    static const char busy[] = "{\"error\":{\"code\":\"QUEUE_FULL\",\"retryable\":true}}";

    (void)state;
    assert_int_equal(send_one(2, 503, busy, 0), EIS_OK);
    assert_int_equal(calls, 3);
    assert_int_equal(send_one(99, 503, busy, 2), EIS_ERR_BUSY);
    assert_int_equal(calls, 3);
    assert_int_equal(send_one(99, 503, busy, EIS_HE_NO_RETRIES), EIS_ERR_BUSY);
    assert_int_equal(calls, 1);
}

static void what_is_final_is_not_repeated(void **state)
{
    (void)state;
    assert_int_equal(send_one(9, 400, "{\"detail\":\"Invalid ciphertext\"}", 0), EIS_ERR_PARSE);
    assert_int_equal(calls, 1);
    assert_non_null(strstr(eis_error_detail(), "Invalid ciphertext"));
    assert_int_equal(send_one(9, 503, "{\"error\":{\"code\":\"QUEUE_FULL\",\"retryable\":false}}", 0), EIS_ERR_BUSY);
    assert_int_equal(calls, 1);
}

static void a_server_says_how_long_to_wait(void **state)
{
    uint64_t begin = eis_clock_ns();

    (void)state;
    assert_int_equal(send_one(1, 429, "{\"error\":{\"code\":\"RATE_LIMITED\",\"retry_after_s\":1}}", 0), EIS_OK);
    assert_true(eis_clock_ns() - begin >= 1000000000u);
    /* More than the patience that is left: the error, at once. */
    begin = eis_clock_ns();
    assert_int_equal(send_one(1, 429, "{\"error\":{\"code\":\"RATE_LIMITED\",\"retry_after_s\":60}}", 0),
                     EIS_ERR_RATE_LIMITED);
    assert_true(eis_clock_ns() - begin < 2000000000u);
}

static void urls_have_one_origin_each(void **state)
{
    static const struct {
        const char *url, *origin;
    } rows[] = {{"http://LocalHost:8000/", "http://localhost:8000"},
                {"https://Example.org/he/v1", "https://example.org:443"},
                {"http://127.0.0.1", "http://127.0.0.1:80"},
                {"ftp://a", NULL},
                {"http://a@b", NULL},
                {"http://a/?x", NULL},
                {"http://", NULL},
                {"", NULL}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const eis_he_link_config config = {.url = rows[i].url};
        eis_he_link *link;
        eis_status st = eis_he_link_new(&link, &config);

        assert_int_equal(st, rows[i].origin != NULL ? EIS_OK : EIS_ERR_USAGE);
        if (rows[i].origin != NULL) assert_string_equal(eis_he_link_origin(link), rows[i].origin);
        eis_he_link_free(link);
    }
    {
        const eis_he_link_config config = {.url = "http://a", .tenant = "a b"};
        eis_he_link *link;
        assert_int_equal(eis_he_link_new(&link, &config), EIS_ERR_USAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape_of_an_error_is_read), cmocka_unit_test(what_may_be_repeated_is_repeated),
        cmocka_unit_test(what_is_final_is_not_repeated),   cmocka_unit_test(a_server_says_how_long_to_wait),
        cmocka_unit_test(urls_have_one_origin_each),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
