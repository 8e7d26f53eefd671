/* SPDX-License-Identifier: Apache-2.0 */
/* If this breaks, a client's retries ignore what a server asks for, or its headers never arrive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "net/http.h"
#include "net/http_client.h"

static eis_status echo_headers(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    const char *tenant = eis_net_http_request_header(request, "X-Tenant-ID");
    char text[128];
    eis_status st = EIS_OK;

    (void)context;
    snprintf(text, sizeof text, "%s %s", eis_net_http_request_method(request), tenant != NULL ? tenant : "-");
    EIS_TRY(eis_net_http_reply_set(reply, 200, "text/plain", text, strlen(text)));
    EIS_TRY(eis_net_http_reply_header(reply, "X-Colour", "blue"));
out:
    return st;
}

static eis_status say_busy(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    (void)context, (void)request;
    eis_net_http_reply_retry_after(reply, 7);
    return EIS_ERR_BUSY;
}

static const eis_http_route routes[] = {
    {.method = "GET", .pattern = "/echo", .handle = echo_headers},
    {.method = "DELETE", .pattern = "/echo", .handle = echo_headers},
    {.method = "GET", .pattern = "/busy", .handle = say_busy},
};

static eis_http_server *server;
static eis_http_client *client;
static char base[64];

static int start(void **state)
{
    eis_http_config config = {.routes = routes, .route_count = sizeof routes / sizeof *routes};
    eis_http_client_config none = {0};
    eis_address address;

    (void)state;
    eis_log_configure(EIS_LOG_ERROR, false);
    assert_int_equal(eis_net_address_parse(&config.address, "127.0.0.1:0", -1), EIS_OK);
    assert_int_equal(eis_net_http_server_start(&server, &config), EIS_OK);
    eis_net_http_server_address(&address, server);
    snprintf(base, sizeof base, "http://127.0.0.1:%u", (unsigned)address.port);
    assert_int_equal(eis_net_http_client_new(&client, &none), EIS_OK);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    eis_net_http_client_free(client);
    eis_net_http_server_free(server);
    return 0;
}

static void run(eis_http_call *call, const char *method, const char *path, const char *const *headers, size_t count)
{
    char url[128];

    snprintf(url, sizeof url, "%s%s", base, path);
    *call = (eis_http_call){.method = method, .url = url, .headers = headers, .header_count = count};
    assert_int_equal(eis_net_http_client_run(client, call, 1), EIS_OK);
}

static void headers_go_both_ways(void **state)
{
    static const char *const lines[] = {"X-Tenant-ID: anna", "Accept: text/plain"};
    static const char *const methods[] = {"GET", "DELETE"};
    eis_http_call call;
    char value[16], wanted[32];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        run(&call, methods[i], "/echo", lines, 2);
        snprintf(wanted, sizeof wanted, "%s anna", methods[i]);
        assert_int_equal(call.http_status, 200);
        assert_string_equal((const char *)call.answer, wanted);
        assert_true(eis_net_http_call_header(value, sizeof value, &call, "x-colour"));
        assert_string_equal(value, "blue");
        assert_false(eis_net_http_call_header(value, sizeof value, &call, "x-col"));
        assert_string_equal(value, "");
        assert_true(eis_net_http_call_header(value, 3, &call, "x-colour")); /* cut, never overrun */
        assert_string_equal(value, "bl");
        eis_net_http_call_clear(&call);
    }
}

static void a_head_has_headers_and_no_body(void **state)
{
    eis_http_call call;
    char value[16];

    (void)state;
    run(&call, "HEAD", "/echo", NULL, 0);
    assert_int_equal(call.http_status, 200);
    assert_int_equal(call.answer_bytes, 0);
    assert_true(eis_net_http_call_header(value, sizeof value, &call, "x-colour"));
    eis_net_http_call_clear(&call);
}

static void retry_after_is_heard_and_forgotten(void **state)
{
    eis_http_call call;

    (void)state;
    run(&call, "GET", "/busy", NULL, 0);
    assert_int_equal(call.http_status, 503);
    assert_int_equal(call.retry_after_s, 7);
    eis_net_http_call_clear(&call);
    run(&call, "GET", "/echo", NULL, 0);
    assert_int_equal(call.retry_after_s, 0);
    eis_net_http_call_clear(&call);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_go_both_ways),
        cmocka_unit_test(a_head_has_headers_and_no_body),
        cmocka_unit_test(retry_after_is_heard_and_forgotten),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
