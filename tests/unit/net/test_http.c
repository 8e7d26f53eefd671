/* SPDX-License-Identifier: Apache-2.0 */
/* If this breaks, a stranger reads or uploads what the limits forbid, or a client sends its share to the wrong server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/http.h"
#include "net/http_client.h"
#include "unit/net/certificates.h"

#define BODY_MAX 100000

static identity ca, other_ca, server_id, expired_id, elsewhere_id, client_id, stranger_id;
static atomic_int slow_ms, slow_started;

static int make_certificates(void **state)
{
    (void)state;
    eis_log_configure(EIS_LOG_ERROR, false);
    make_identity(&ca, NULL, NULL);
    make_identity(&other_ca, NULL, NULL);
    make_identity(&server_id, &ca, "DNS:localhost,IP:127.0.0.1");
    make_identity_dated(&expired_id, &ca, "IP:127.0.0.1", -10, -1);
    make_identity(&elsewhere_id, &ca, "DNS:elsewhere.example");
    make_identity(&client_id, &ca, NULL);
    make_identity(&stranger_id, &other_ca, NULL);
    return 0;
}

static int free_certificates(void **state)
{
    identity *all[] = {&ca, &other_ca, &server_id, &expired_id, &elsewhere_id, &client_id, &stranger_id};

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_identity(all[i]);
    return 0;
}

static void sleep_ms(long ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

/* ---- handlers ---- */

static eis_status give_health(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    (void)context, (void)request;
    return eis_net_http_reply_set(reply, 200, "application/json", "{}", 2);
}

static eis_status echo_body(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    eis_span body = eis_net_http_request_body(request);
    eis_status st = EIS_OK;

    (void)context;
    EIS_TRY(eis_net_http_reply_set(reply, 200, "application/octet-stream", body.data, body.bytes));
    EIS_TRY(eis_net_http_reply_header(reply, "EIS-Privacy", "none"));
out:
    return st;
}

static eis_status give_param(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    const char *name = eis_net_http_request_param(request), *as = eis_net_http_request_query(request, "as");

    (void)context;
    if (as != NULL) name = as;
    return eis_net_http_reply_set(reply, 200, "text/plain", name, strlen(name));
}

static eis_status give_pin(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    eis_tls_pin pin;
    eis_status st = EIS_OK;

    (void)context;
    EIS_TRY(eis_net_http_request_pin(&pin, request));
    EIS_TRY(eis_net_http_reply_set(reply, 200, "application/octet-stream", pin.bytes, sizeof pin.bytes));
out:
    return st;
}

static eis_status refuse_shape(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    (void)context, (void)reply, (void)request;
    return eis_fail(EIS_ERR_SHAPE, "x_share has 3 words; the layer \"fc1\" takes 4");
}

static eis_status fail_inside(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    (void)context, (void)reply, (void)request;
    return eis_fail(EIS_ERR_STORE, "/var/lib/secret-path is full");
}

static eis_status say_busy(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    (void)context, (void)request;
    eis_net_http_reply_retry_after(reply, 7);
    return EIS_ERR_BUSY;
}

static eis_status take_time(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    atomic_store(&slow_started, 1);
    sleep_ms(atomic_load(&slow_ms));
    return give_health(context, reply, request);
}

static const eis_http_route routes[] = {
    {.method = "GET", .pattern = "/health", .open = true, .handle = give_health},
    {.method = "POST", .pattern = "/echo", .media_type = "application/json", .handle = echo_body},
    {.method = "GET", .pattern = "/v1/models/{name}", .handle = give_param},
    {.method = "GET", .pattern = "/pin", .handle = give_pin},
    {.method = "GET", .pattern = "/shape", .handle = refuse_shape},
    {.method = "GET", .pattern = "/inside", .handle = fail_inside},
    {.method = "GET", .pattern = "/busy", .handle = say_busy},
    {.method = "GET", .pattern = "/slow", .handle = take_time},
};

/* ---- a server and clients ---- */

typedef struct site {
    eis_http_server *server;
    eis_address address;
    char base[64];
} site;

static void start_site(site *s, eis_http_config config)
{
    config.routes = routes;
    config.route_count = sizeof routes / sizeof *routes;
    config.body_bytes_max = BODY_MAX;
    assert_int_equal(eis_net_address_parse(&config.address, "127.0.0.1:0", -1), EIS_OK);
    assert_int_equal(eis_net_http_server_start(&s->server, &config), EIS_OK);
    eis_net_http_server_address(&s->address, s->server);
    snprintf(s->base, sizeof s->base, "%s://127.0.0.1:%u", config.cert_pem.bytes > 0 ? "https" : "http",
             (unsigned)s->address.port);
}

static void start_tls_site(site *s, const identity *id, const identity *client_ca)
{
    eis_http_config config = {.cert_pem = cert_of(id), .key_pem = key_of(id)};

    if (client_ca != NULL) config.client_ca_pem = cert_of(client_ca);
    start_site(s, config);
}

static eis_http_client *new_client(eis_http_client_config config)
{
    eis_http_client *client;

    assert_int_equal(eis_net_http_client_new(&client, &config), EIS_OK);
    return client;
}

/* Makes one call and keeps its answer in *call. */
static eis_status do_call(eis_http_call *call, const eis_http_client_config *config, const site *s, const char *method,
                          const char *path, const char *media_type, eis_span body)
{
    char url[256];
    eis_http_client *client = new_client(*config);
    eis_status st;

    snprintf(url, sizeof url, "%s%s", s->base, path);
    *call = (eis_http_call){.method = method, .url = url, .media_type = media_type, .body = body};
    st = eis_net_http_client_run(client, call, 1);
    eis_net_http_client_free(client);
    return st;
}

static void expect_get(const site *s, const eis_http_client_config *config, const char *path, int http_status,
                       const char *part)
{
    eis_http_call call;

    assert_int_equal(do_call(&call, config, s, "GET", path, NULL, (eis_span){0}), EIS_OK);
    assert_int_equal(call.http_status, http_status);
    if (strstr((const char *)call.answer, part) == NULL)
        fail_msg("\"%s\" is not in %s", part, (const char *)call.answer);
    if (http_status >= 400) assert_string_equal(call.answer_media_type, "application/problem+json");
    eis_net_http_call_clear(&call);
}

static const eis_http_client_config plain = {0};

static void assert_detail(const char *part)
{
    if (strstr(eis_error_detail(), part) == NULL) fail_msg("\"%s\" is not in \"%s\"", part, eis_error_detail());
}

/* Sends raw bytes and returns all that comes back until the server closes or is silent for 2 s. */
static size_t raw_talk(const site *s, const char *request, size_t bytes, char *answer, size_t answer_max,
                       bool half_close)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 2};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    size_t have = 0;
    ssize_t got;

    to.sin_port = htons(s->address.port);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)!send(fd, request, bytes, MSG_NOSIGNAL);
    if (half_close) shutdown(fd, SHUT_WR);
    while (have < answer_max - 1 && (got = recv(fd, answer + have, answer_max - 1 - have, 0)) > 0) have += (size_t)got;
    answer[have] = '\0';
    close(fd);
    return have;
}

static void expect_raw(const site *s, const char *request, const char *first, const char *second)
{
    char answer[8192];

    (void)raw_talk(s, request, strlen(request), answer, sizeof answer, false);
    if (strstr(answer, first) == NULL || strstr(answer, second) == NULL)
        fail_msg("\"%s\" or \"%s\" is not in: %s", first, second, answer);
}

/* ---- requests and answers ---- */

static void routes_find_their_handlers(void **state)
{
    site s;

    (void)state;
    start_site(&s, (eis_http_config){0});
    expect_get(&s, &plain, "/health", 200, "{}");
    expect_get(&s, &plain, "/v1/models/org%2Fname", 200, "org/name");
    expect_get(&s, &plain, "/v1/models/x?as=other", 200, "other");
    expect_get(&s, &plain, "/v1/models/", 404, "\"code\":\"NOT_FOUND\"");
    expect_get(&s, &plain, "/nothing", 404, "\"instance\":\"/nothing\"");
    expect_get(&s, &plain, "/echo", 405, "METHOD_NOT_ALLOWED");
    expect_raw(&s, "GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 405", "Allow: POST");
    expect_raw(&s, "PUT /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 405", "Allow: GET, HEAD");
    expect_raw(&s, "HEAD /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 200",
               "Content-Length: 2");
    eis_net_http_server_free(s.server);
}

static void bodies_come_back_whole(void **state)
{
    static const size_t sizes[] = {0, 1, 65536, 65537, BODY_MAX};
    uint8_t *data = eis_mem_new(BODY_MAX, 1);
    eis_http_counts counts;
    eis_http_call call;
    site s;

    (void)state;
    for (size_t i = 0; i < BODY_MAX; i++) data[i] = (uint8_t)(i * 13 + i / 257);
    start_site(&s, (eis_http_config){0});
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(do_call(&call, &plain, &s, "POST", "/echo", "application/json; charset=utf-8",
                                 (eis_span){.data = data, .bytes = sizes[i]}),
                         EIS_OK);
        assert_int_equal(call.http_status, 200);
        assert_int_equal(call.answer_bytes, sizes[i]);
        if (sizes[i] > 0) assert_memory_equal(call.answer, data, sizes[i]);
        eis_net_http_call_clear(&call);
    }
    expect_raw(&s,
               "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n"
               "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
               "EIS-Privacy: none", "abcde");
    eis_net_http_server_counts(&counts, s.server);
    assert_int_equal(counts.requests, 6);
    assert_int_equal(counts.replies_2xx, 6);
    assert_int_equal(counts.bytes_in, counts.bytes_out);
    eis_net_http_server_free(s.server);
    eis_mem_free(data);
}

static void failures_become_problems(void **state)
{
    eis_http_call call;
    site s;

    (void)state;
    start_site(&s, (eis_http_config){0});
    expect_get(&s, &plain, "/shape", 400, "\"detail\":\"x_share has 3 words; the layer \\\"fc1\\\" takes 4\"");
    expect_get(&s, &plain, "/shape", 400, "\"error\":{\"code\":\"SHAPE_MISMATCH\",");
    expect_get(&s, &plain, "/shape", 400, "\"retryable\":false,\"action\":\"fix\"}");
    assert_int_equal(do_call(&call, &plain, &s, "GET", "/inside", NULL, (eis_span){0}), EIS_OK);
    assert_int_equal(call.http_status, 500);
    assert_null(strstr((const char *)call.answer, "secret-path")); /* our paths are nobody's business */
    eis_net_http_call_clear(&call);
    expect_get(&s, &plain, "/busy", 503, "\"retry_after_s\":7");
    expect_raw(&s, "GET /busy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 503", "Retry-After: 7");
    eis_net_http_server_free(s.server);
}

/* ---- limits ---- */

static void bodies_above_the_limit_are_refused_by_their_headers(void **state)
{
    char *big = eis_mem_new(3 * BODY_MAX, 1), answer[4096];
    eis_http_counts counts;
    int used;
    site s;

    (void)state;
    start_site(&s, (eis_http_config){0});
    /* Only the headers are sent: the answer cannot depend on the body. */
    expect_raw(&s, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100001\r\n\r\n",
               "HTTP/1.1 413", "PAYLOAD_TOO_LARGE");
    expect_raw(&s,
               "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
               "Content-Length: 99999999999999999999999\r\n\r\n",
               "HTTP/1.1 4", "lose");
    eis_net_http_server_counts(&counts, s.server);
    assert_int_equal(counts.bytes_in, 0);
    used = sprintf(big,
                   "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                   "Transfer-Encoding: chunked\r\n\r\n%x\r\n",
                   2 * BODY_MAX);
    memset(big + used, 'z', 2 * BODY_MAX);
    memcpy(big + used + 2 * BODY_MAX, "\r\n0\r\n\r\n", 7);
    (void)raw_talk(&s, big, (size_t)used + 2 * BODY_MAX + 7, answer, sizeof answer, false);
    assert_non_null(strstr(answer, "HTTP/1.1 413"));
    eis_net_http_server_free(s.server);
    eis_mem_free(big);
}

static void doubtful_framing_is_refused(void **state)
{
    site s;

    (void)state;
    start_site(&s, (eis_http_config){0});
    expect_raw(&s,
               "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5\r\n"
               "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n",
               "HTTP/1.1 400", "lose");
    expect_raw(&s,
               "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5\r\n"
               "Content-Length: 6\r\n\r\nabcdef",
               "HTTP/1.1 400", "lose");
    expect_raw(&s, "GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 400", "lose");
    eis_net_http_server_free(s.server);
}

static void other_media_types_and_encodings_are_refused(void **state)
{
    static const char *const bodies[] = {"Content-Type: text/plain\r\n", "", "Content-Type: application/jsonx\r\n",
                                         "Content-Type: application/json\r\nContent-Encoding: gzip\r\n"};
    char request[512];
    site s;

    (void)state;
    start_site(&s, (eis_http_config){0});
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        snprintf(request, sizeof request, "POST /echo HTTP/1.1\r\nHost: x\r\n%sContent-Length: 2\r\n\r\n{}", bodies[i]);
        expect_raw(&s, request, "HTTP/1.1 415", "UNSUPPORTED_MEDIA_TYPE");
    }
    eis_net_http_server_free(s.server);
}

static void silent_connections_are_closed(void **state)
{
    char answer[1024];
    uint64_t start_ns = eis_clock_ns();
    site s;

    (void)state;
    start_site(&s, (eis_http_config){.idle_timeout_s = 1});
    (void)raw_talk(&s, "POST /echo HTTP/1.1\r\nHost", 26, answer, sizeof answer, false);
    assert_true(eis_clock_ns() - start_ns < 4000000000u);
    eis_net_http_server_free(s.server);
}

/* A byte now and then keeps a connection from being idle; the request as a whole has a deadline. */
static void a_dribbling_body_is_cut_off(void **state)
{
    static const char head[] =
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n";
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), steps = 0;
    site s;

    (void)state;
    start_site(&s, (eis_http_config){.request_timeout_s = 1});
    to.sin_port = htons(s.address.port);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_true(send(fd, head, sizeof head - 1, MSG_NOSIGNAL) > 0);
    while (steps < 100 && send(fd, "x", 1, MSG_NOSIGNAL) == 1) {
        sleep_ms(50);
        steps++;
    }
    assert_true(steps < 100);
    close(fd);
    eis_net_http_server_free(s.server);
}

static void tokens_open_what_is_not_open(void **state)
{
    eis_http_client_config with = {0}, wrong = {0};
    eis_token token, other;
    site s;

    (void)state;
    assert_int_equal(eis_net_token_set(&token, "a-token-of-the-test", 19), EIS_OK);
    assert_int_equal(eis_net_token_set(&other, "a-token-of-the-tesT", 19), EIS_OK);
    start_site(&s, (eis_http_config){.token = &token});
    with.token = &token;
    wrong.token = &other;
    expect_get(&s, &plain, "/health", 200, "{}");
    expect_get(&s, &plain, "/v1/models/x", 401, "\"code\":\"UNAUTHENTICATED\"");
    expect_get(&s, &plain, "/nothing", 401, "\"action\":\"credentials\""); /* strangers learn no paths */
    expect_get(&s, &wrong, "/v1/models/x", 401, "UNAUTHENTICATED");
    expect_get(&s, &with, "/v1/models/x", 200, "x");
    expect_raw(&s, "GET /pin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 401",
               "WWW-Authenticate: Bearer");
    eis_net_http_server_free(s.server);
}

/* ---- who is at the other end ---- */

static void https_checks_ca_name_pin_and_date(void **state)
{
    eis_http_client_config trusting = {.tls.ca_pem = cert_of(&ca)}, misled = {.tls.ca_pem = cert_of(&other_ca)};
    eis_http_client_config pinned = {.tls.pin_count = 1};
    eis_http_call call;
    eis_tls_pin pin;
    site s;

    (void)state;
    pinned.tls.pins = &pin;
    start_tls_site(&s, &server_id, NULL);
    expect_get(&s, &trusting, "/health", 200, "{}");
    assert_int_equal(do_call(&call, &misled, &s, "GET", "/health", NULL, (eis_span){0}), EIS_ERR_TLS);
    assert_detail("another CA");
    assert_int_equal(eis_net_tls_pin_of_pem(&pin, cert_of(&server_id)), EIS_OK);
    expect_get(&s, &pinned, "/health", 200, "{}");
    pinned.tls.ca_pem = cert_of(&ca);
    expect_get(&s, &pinned, "/health", 200, "{}");
    pinned.tls.ca_pem = cert_of(&other_ca);
    assert_int_equal(do_call(&call, &pinned, &s, "GET", "/health", NULL, (eis_span){0}), EIS_ERR_TLS);
    pinned.tls.ca_pem = (eis_span){0};
    pin.bytes[0] ^= 1;
    assert_int_equal(do_call(&call, &pinned, &s, "GET", "/health", NULL, (eis_span){0}), EIS_ERR_TLS);
    assert_detail("not the pinned one");
    eis_net_http_server_free(s.server);

    start_tls_site(&s, &elsewhere_id, NULL);
    assert_int_equal(do_call(&call, &trusting, &s, "GET", "/health", NULL, (eis_span){0}), EIS_ERR_TLS);
    assert_detail("another name");
    assert_int_equal(eis_net_tls_pin_of_pem(&pin, cert_of(&elsewhere_id)), EIS_OK);
    expect_get(&s, &pinned, "/health", 200, "{}");
    eis_net_http_server_free(s.server);

    start_tls_site(&s, &expired_id, NULL);
    assert_int_equal(do_call(&call, &trusting, &s, "GET", "/health", NULL, (eis_span){0}), EIS_ERR_TLS);
    assert_detail("expired");
    assert_int_equal(eis_net_tls_pin_of_pem(&pin, cert_of(&expired_id)), EIS_OK);
    assert_int_equal(do_call(&call, &pinned, &s, "GET", "/health", NULL, (eis_span){0}), EIS_ERR_TLS);
    assert_detail("expired");
    eis_net_http_server_free(s.server);
}

static void a_client_ca_lets_only_its_clients_in(void **state)
{
    eis_http_client_config config = {.tls.ca_pem = cert_of(&ca)};
    eis_tls_pin pin;
    eis_http_call call;
    eis_status st;
    site s;

    (void)state;
    start_tls_site(&s, &server_id, &ca);
    expect_get(&s, &config, "/health", 401, "wants a client certificate");
    config.tls.cert_pem = cert_of(&stranger_id);
    config.tls.key_pem = key_of(&stranger_id);
    st = do_call(&call, &config, &s, "GET", "/health", NULL, (eis_span){0});
    if (st == EIS_OK)
        assert_int_equal(call.http_status, 401);
    else
        assert_int_equal(st, EIS_ERR_TLS);
    eis_net_http_call_clear(&call);
    config.tls.cert_pem = cert_of(&client_id);
    config.tls.key_pem = key_of(&client_id);
    assert_int_equal(do_call(&call, &config, &s, "GET", "/pin", NULL, (eis_span){0}), EIS_OK);
    assert_int_equal(call.http_status, 200);
    assert_int_equal(eis_net_tls_pin_of_pem(&pin, cert_of(&client_id)), EIS_OK);
    assert_memory_equal(call.answer, pin.bytes, sizeof pin.bytes);
    eis_net_http_call_clear(&call);
    eis_net_http_server_free(s.server);
}

static void plain_http_stays_on_this_machine(void **state)
{
    eis_http_config config = {.routes = routes, .route_count = 1, .address.host = "0.0.0.0"};
    eis_http_client *client = new_client(plain);
    static const char *const bad[] = {"http://192.0.2.1/x", "ftp://127.0.0.1/x",     "file:///etc/passwd",
                                      "nonsense://",        "http://a:b@127.0.0.1/", ""};
    eis_http_server *server;

    (void)state;
    assert_int_equal(eis_net_http_server_start(&server, &config), EIS_ERR_USAGE);
    assert_null(server);
    config.plain_anywhere = true;
    assert_int_equal(eis_net_http_server_start(&server, &config), EIS_OK);
    eis_net_http_server_free(server);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        eis_http_call call = {.method = "GET", .url = bad[i]};

        assert_int_equal(eis_net_http_client_run(client, &call, 1), EIS_ERR_USAGE);
        eis_net_http_call_clear(&call);
    }
    eis_net_http_client_free(client);
}

static void a_port_in_use_is_said(void **state)
{
    eis_http_config config = {.routes = routes, .route_count = 1};
    eis_http_server *second;
    site s;

    (void)state;
    start_site(&s, (eis_http_config){0});
    config.address = s.address;
    assert_int_equal(eis_net_http_server_start(&second, &config), EIS_ERR_IO);
    assert_detail("already in use");
    eis_net_http_server_free(s.server);
}

/* ---- the client's side ---- */

static void calls_run_side_by_side(void **state)
{
    enum { N = 6 };
    char urls[N][96];
    eis_http_call calls[N] = {{0}};
    eis_http_client *client = new_client(plain);
    uint64_t start_ns;
    site s;

    (void)state;
    start_site(&s, (eis_http_config){0});
    atomic_store(&slow_ms, 300);
    for (size_t i = 0; i < N; i++) {
        snprintf(urls[i], sizeof urls[i], "%s%s", s.base, i == 3 ? "/nothing" : "/slow");
        calls[i] = (eis_http_call){.method = "GET", .url = urls[i]};
    }
    snprintf(urls[5], sizeof urls[5], "http://127.0.0.1:1/closed");
    start_ns = eis_clock_ns();
    assert_int_equal(eis_net_http_client_run(client, calls, N), EIS_ERR_UNAVAILABLE);
    assert_true(eis_clock_ns() - start_ns < 1400000000u); /* one after the other they take 1.2 s and more */
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(calls[i].status, i == 5 ? EIS_ERR_UNAVAILABLE : EIS_OK);
        assert_int_equal(calls[i].http_status, i == 5 ? 0 : i == 3 ? 404 : 200);
        eis_net_http_call_clear(&calls[i]);
    }
    eis_net_http_client_free(client);
    eis_net_http_server_free(s.server);
}

typedef struct raiser {
    eis_cancel *cancel;
} raiser;

static void *raise_soon(void *arg)
{
    sleep_ms(50);
    eis_net_cancel_raise(((raiser *)arg)->cancel);
    return NULL;
}

static void calls_end_by_time_size_and_flag(void **state)
{
    eis_http_client_config hasty = {.timeout_ms = 100}, small = {.response_bytes_max = 10}, flagged = {0};
    uint8_t body[64] = {0};
    eis_http_call call;
    pthread_t thread;
    raiser r;
    site s;

    (void)state;
    start_site(&s, (eis_http_config){0});
    atomic_store(&slow_ms, 600);
    assert_int_equal(do_call(&call, &hasty, &s, "GET", "/slow", NULL, (eis_span){0}), EIS_ERR_TIMEOUT);
    assert_int_equal(
        do_call(&call, &small, &s, "POST", "/echo", "application/json", (eis_span){.data = body, .bytes = sizeof body}),
        EIS_ERR_TOO_LARGE);
    assert_null(call.answer);
    assert_int_equal(eis_net_cancel_new(&r.cancel), EIS_OK);
    flagged.cancel = r.cancel;
    assert_int_equal(pthread_create(&thread, NULL, raise_soon, &r), 0);
    assert_int_equal(do_call(&call, &flagged, &s, "GET", "/slow", NULL, (eis_span){0}), EIS_ERR_INTERRUPTED);
    pthread_join(thread, NULL);
    eis_net_cancel_free(r.cancel);
    eis_net_http_server_free(s.server);
}

/* ---- going down ---- */

typedef struct caller {
    const site *site;
    eis_http_call call;
    eis_status st;
} caller;

static void *call_slow(void *arg)
{
    caller *c = arg;

    c->st = do_call(&c->call, &plain, c->site, "GET", "/slow", NULL, (eis_span){0});
    return NULL;
}

static void draining_lets_a_request_in_flight_finish(void **state)
{
    eis_http_counts counts;
    eis_http_call late;
    pthread_t thread;
    caller c = {0};
    site s;

    (void)state;
    start_site(&s, (eis_http_config){0});
    atomic_store(&slow_ms, 300);
    atomic_store(&slow_started, 0);
    c.site = &s;
    assert_int_equal(pthread_create(&thread, NULL, call_slow, &c), 0);
    while (atomic_load(&slow_started) == 0) sleep_ms(1);
    assert_false(eis_net_http_server_drain(s.server, 10));
    assert_true(eis_net_http_server_drain(s.server, 5000));
    pthread_join(thread, NULL);
    assert_int_equal(c.st, EIS_OK);
    assert_int_equal(c.call.http_status, 200);
    eis_net_http_call_clear(&c.call);
    eis_net_http_server_counts(&counts, s.server);
    assert_int_equal(counts.in_flight, 0);
    assert_int_equal(do_call(&late, &plain, &s, "GET", "/health", NULL, (eis_span){0}), EIS_ERR_UNAVAILABLE);
    eis_net_http_server_free(s.server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_find_their_handlers),
        cmocka_unit_test(bodies_come_back_whole),
        cmocka_unit_test(failures_become_problems),
        cmocka_unit_test(bodies_above_the_limit_are_refused_by_their_headers),
        cmocka_unit_test(doubtful_framing_is_refused),
        cmocka_unit_test(other_media_types_and_encodings_are_refused),
        cmocka_unit_test(silent_connections_are_closed),
        cmocka_unit_test(a_dribbling_body_is_cut_off),
        cmocka_unit_test(tokens_open_what_is_not_open),
        cmocka_unit_test(https_checks_ca_name_pin_and_date),
        cmocka_unit_test(a_client_ca_lets_only_its_clients_in),
        cmocka_unit_test(plain_http_stays_on_this_machine),
        cmocka_unit_test(a_port_in_use_is_said),
        cmocka_unit_test(calls_run_side_by_side),
        cmocka_unit_test(calls_end_by_time_size_and_flag),
        cmocka_unit_test(draining_lets_a_request_in_flight_finish),
    };
    return cmocka_run_group_tests_name("net/http", tests, make_certificates, free_certificates);
}
