/* SPDX-License-Identifier: Apache-2.0 */
/* What a server asks its owner before a body is read, and what happens to the bytes that were promised. */
#include "net/http.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct owner {
    atomic_long reserved, peak, owners;
    uint8_t *kept; /* by a handler that takes bodies */
    size_t kept_bytes, kept_reserved;
    eis_http_server *server;
    eis_address address;
    eis_http_client *client;
    eis_http_call call;
} owner;

static eis_status authorize(void *context, const eis_http_request *request, bool open)
{
    (void)context;
    if (open || eis_net_http_request_header(request, "X-Pass") != NULL) return EIS_OK;
    return eis_fail(EIS_ERR_UNAUTHENTICATED, "no pass");
}

static eis_status admit(void *context, void **who, eis_http_reply *reply, const eis_http_request *request,
                        unsigned kind)
{
    owner *o = context;
    eis_status st = EIS_OK;

    if (kind == 0) return EIS_OK;
    *who = o;
    atomic_fetch_add(&o->owners, 1);
    EIS_TRY(eis_net_http_reply_header(reply, "X-Kind", kind == 1 ? "one" : "two"));
    eis_net_http_reply_retry_after(reply, 9);
    EIS_REQUIRE(eis_net_http_request_header(request, "X-Late") == NULL, EIS_ERR_RATE_LIMITED, "too late");
out:
    return st;
}

static eis_status reserve(void *context, void *who, size_t bytes)
{
    owner *o = context;
    long now = atomic_fetch_add(&o->reserved, (long)bytes) + (long)bytes;

    assert_ptr_equal(who, o);
    if (now > atomic_load(&o->peak)) atomic_store(&o->peak, now);
    if (now <= 200000) return EIS_OK;
    atomic_fetch_sub(&o->reserved, (long)bytes);
    return eis_fail(EIS_ERR_BUSY, "no room");
}

static void release(void *context, void *who, size_t bytes)
{
    owner *o = context;

    (void)who;
    atomic_fetch_sub(&o->reserved, (long)bytes);
}

static void finish(void *context, void *who)
{
    owner *o = context;

    assert_ptr_equal(who, o);
    atomic_fetch_sub(&o->owners, 1);
}

static eis_status count_body(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%zu", eis_net_http_request_body(request).bytes);

    assert_ptr_equal(eis_net_http_request_owner(request), context);
    return eis_net_http_reply_set(reply, 200, "text/plain", text, (size_t)n);
}

static eis_status take_body(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    owner *o = context;

    eis_net_http_request_take_body(request, &o->kept, &o->kept_bytes, &o->kept_reserved);
    assert_int_equal(eis_net_http_request_body(request).bytes, 0);
    return eis_net_http_reply_set(reply, 204, "", "", 0);
}

static eis_status name_method(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    eis_writer body;
    eis_status st;

    (void)context;
    eis_wire_writer_init(&body, 100);
    eis_wire_writer_bytes(&body, eis_net_http_request_method(request), strlen(eis_net_http_request_method(request)));
    st = eis_net_http_reply_take(reply, 200, "text/plain", &body);
    assert_int_equal(body.bytes, 0);
    return st;
}

static void begin(owner *o)
{
    const eis_http_route routes[] = {
        {.method = "POST",
         .pattern = "/count",
         .media_type = "text/a",
         .media_type_other = "text/b",
         .kind = 1,
         .handle = count_body,
         .context = o},
        {.method = "PUT", .pattern = "/take", .media_type = "text/a", .kind = 2, .handle = take_body, .context = o},
        {.method = "HEAD", .pattern = "/x/{name}", .open = true, .handle = name_method},
        {.method = "DELETE", .pattern = "/x/{name}", .open = true, .handle = name_method},
    };
    const eis_http_config config = {.address = {.host = "127.0.0.1"},
                                    .routes = routes,
                                    .route_count = sizeof routes / sizeof *routes,
                                    .body_bytes_max = 1000000,
                                    .api_version = "1.0.0",
                                    .hooks = {.context = o,
                                              .authorize = authorize,
                                              .admit = admit,
                                              .reserve = reserve,
                                              .release = release,
                                              .finish = finish}};
    const eis_http_client_config client = {.timeout_ms = 20000};

    memset(o, 0, sizeof *o);
    eis_log_configure(EIS_LOG_ERROR, false);
    assert_int_equal(eis_net_http_server_start(&o->server, &config), EIS_OK);
    eis_net_http_server_address(&o->address, o->server);
    assert_int_equal(eis_net_http_client_new(&o->client, &client), EIS_OK);
}

static void end(owner *o)
{
    eis_net_http_call_clear(&o->call);
    eis_net_http_client_free(o->client);
    eis_net_http_server_free(o->server);
    assert_int_equal(atomic_load(&o->owners), 0);
}

static int ask(owner *o, const char *method, const char *path, const char *media_type, size_t bytes,
               const char *const *headers, size_t header_count)
{
    static const uint8_t zeros[300000];
    char url[64];

    eis_net_http_call_clear(&o->call);
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", o->address.port, path);
    o->call = (eis_http_call){.method = method,
                              .url = url,
                              .media_type = media_type,
                              .body = {zeros, bytes},
                              .headers = headers,
                              .header_count = header_count};
    assert_int_equal(eis_net_http_client_run(o->client, &o->call, 1), EIS_OK);
    return o->call.http_status;
}

static const char *const pass[] = {"X-Pass: yes", "X-Late: yes", "Transfer-Encoding: chunked"};

static void bodies_are_paid_for_before_they_are_read(void **state)
{
    char value[16];
    owner o;

    (void)state;
    begin(&o);
    assert_int_equal(ask(&o, "POST", "/count", "text/a", 150000, pass, 1), 200);
    assert_string_equal((const char *)o.call.answer, "150000");
    assert_true(eis_net_http_call_header(value, sizeof value, &o.call, "x-kind"));
    assert_string_equal(value, "one");
    assert_int_equal(ask(&o, "POST", "/count", "text/b; charset=utf-8", 10, pass, 1), 200);
    assert_int_equal(ask(&o, "POST", "/count", "text/c", 10, pass, 1), 415);
    assert_non_null(strstr((const char *)o.call.answer, "text/a or text/b"));
    assert_non_null(strstr((const char *)o.call.answer, "\"api_version\":\"1.0.0\""));
    assert_int_equal(ask(&o, "POST", "/count", "text/a", 250000, pass, 1), 503);
    assert_int_equal(o.call.retry_after_s, 9);
    end(&o);
    assert_int_equal(atomic_load(&o.reserved), 0);
    assert_int_equal(atomic_load(&o.peak), 250000);
}

/* A refusal keeps the headers that admission has set, and costs nothing. */
static void refusals_come_in_their_order(void **state)
{
    char value[16];
    owner o;

    (void)state;
    begin(&o);
    assert_int_equal(ask(&o, "POST", "/nowhere", "text/a", 10, NULL, 0), 401); /* who, before what there is */
    assert_int_equal(ask(&o, "POST", "/nowhere", "text/a", 10, pass, 1), 404);
    assert_int_equal(ask(&o, "POST", "/count", "text/c", 10, pass, 2), 429); /* rate, before the media type */
    assert_int_equal(o.call.retry_after_s, 9);
    assert_true(eis_net_http_call_header(value, sizeof value, &o.call, "x-kind"));
    assert_int_equal(atomic_load(&o.peak), 0);
    end(&o);
}

/* A connection that says what the client above would not. */
static int dial(const owner *o)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(o->address.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int s = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(s, (const struct sockaddr *)&to, sizeof to), 0);
    return s;
}

static void say(int s, const void *bytes, size_t count)
{
    assert_int_equal(send(s, bytes, count, MSG_NOSIGNAL), count);
}

static void expect_answer(int s, const char *part)
{
    char answer[1000];
    ssize_t n = recv(s, answer, sizeof answer - 1, 0);

    assert_true(n > 0);
    answer[n] = '\0';
    assert_non_null(strstr(answer, part));
    close(s);
}

static void chunked_bodies_pay_as_they_grow(void **state)
{
    static const char head[] = "POST /count HTTP/1.1\r\nHost: x\r\nX-Pass: y\r\nContent-Type: text/a\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";
    static char piece[70010];
    owner o;
    int s;

    (void)state;
    begin(&o);
    s = dial(&o);
    say(s, head, sizeof head - 1);
    memset(piece, 'x', sizeof piece);
    memcpy(piece, "11170\r\n", 7); /* 70000 */
    memcpy(piece + 7 + 70000, "\r\n", 2);
    for (int i = 0; i < 5; i++) say(s, piece, 70009); /* refused, it is still read */
    say(s, "0\r\n\r\n", 5);
    expect_answer(s, "HTTP/1.1 503");
    end(&o);
    assert_int_equal(atomic_load(&o.reserved), 0);
    assert_true(atomic_load(&o.peak) > 70000);
}

/* A client that sends all of its body before it reads, as most do, gets the answer to a refusal; one that waits for our
 * word gets it before it has sent any. */
static void refusals_reach_whoever_still_sends(void **state)
{
    static const char body[250000];
    char head[300];
    owner o;
    int s;

    (void)state;
    begin(&o);
    for (int expects = 0; expects < 2; expects++) {
        int length = snprintf(head, sizeof head,
                              "POST /count HTTP/1.1\r\nHost: x\r\nX-Pass: y\r\nContent-Type: text/c\r\n"
                              "%sContent-Length: %zu\r\n\r\n",
                              expects ? "Expect: 100-continue\r\n" : "", sizeof body);
        s = dial(&o);
        say(s, head, (size_t)length);
        for (size_t sent = 0; !expects && sent < sizeof body; sent += 50000) {
            usleep(20000); /* the server has long made up its mind */
            say(s, body, 50000);
        }
        expect_answer(s, "HTTP/1.1 415");
    }
    end(&o);
    assert_int_equal(atomic_load(&o.peak), 0);
}

static void a_body_can_change_hands_with_its_price(void **state)
{
    owner o;

    (void)state;
    begin(&o);
    assert_int_equal(ask(&o, "PUT", "/take", "text/a", 5000, pass, 1), 204);
    assert_int_equal(o.call.answer_bytes, 0);
    end(&o);
    assert_int_equal(o.kept_bytes, 5000);
    assert_int_equal(o.kept_reserved, 5000);
    assert_int_equal(atomic_load(&o.reserved), 5000);
    eis_mem_free(o.kept);
}

static void head_and_delete_have_routes_of_their_own(void **state)
{
    char value[64];
    owner o;

    (void)state;
    begin(&o);
    assert_int_equal(ask(&o, "HEAD", "/x/1", NULL, 0, NULL, 0), 200);
    assert_int_equal(o.call.answer_bytes, 0);
    assert_int_equal(ask(&o, "DELETE", "/x/1", NULL, 0, NULL, 0), 200);
    assert_string_equal((const char *)o.call.answer, "DELETE");
    assert_int_equal(ask(&o, "GET", "/x/1", NULL, 0, pass, 1), 405);
    assert_true(eis_net_http_call_header(value, sizeof value, &o.call, "allow"));
    assert_string_equal(value, "HEAD, DELETE");
    end(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_paid_for_before_they_are_read),
        cmocka_unit_test(refusals_come_in_their_order),
        cmocka_unit_test(chunked_bodies_pay_as_they_grow),
        cmocka_unit_test(refusals_reach_whoever_still_sends),
        cmocka_unit_test(a_body_can_change_hands_with_its_price),
        cmocka_unit_test(head_and_delete_have_routes_of_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
