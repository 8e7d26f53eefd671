/* SPDX-License-Identifier: Apache-2.0 */
/* If this breaks, clients of gRPC hang, are served unasked, or are told something other than what happened. */
#include "base/clock.h"
#include "net/grpc.h"
#include "unit/net/certificates.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define CALL_MS 20000

typedef struct world {
    identity ca, server, client, other_ca, stranger;
    eis_grpc_server *grpc;
    eis_tls_pin client_pin, seen_pin;
    bool pin_seen, was_cancelled, saw_drain;
    _Atomic bool entered;  /* a call of go_on or slow is at the server */
    _Atomic unsigned held; /* calls of hold that are there */
    _Atomic bool let_go;   /* they may end */
} world;

static void nap(long ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

/* ---- what the server of these tests does ---- */

static eis_status echo(void *context, eis_grpc_call *call)
{
    world *w = context;
    eis_span message;
    eis_status st;

    w->pin_seen = eis_net_grpc_peer_pin(&w->seen_pin, call) == EIS_OK;
    while ((st = eis_net_grpc_receive(&message, call)) == EIS_OK) {
        st = eis_net_grpc_send(call, message.data, message.bytes);
        if (st != EIS_OK) return st;
    }
    return st == EIS_ERR_CLOSED ? EIS_OK : st;
}

static eis_status count_up(void *context, eis_grpc_call *call)
{
    eis_span message;
    eis_status st;

    (void)context;
    st = eis_net_grpc_receive(&message, call);
    for (uint8_t i = 0; st == EIS_OK && i < message.bytes; i++) st = eis_net_grpc_send(call, &i, 1);
    return st;
}

static eis_status refuse(void *context, eis_grpc_call *call)
{
    (void)context, (void)call;
    return eis_fail(EIS_ERR_CONTEXT_LENGTH, "at most %d, \xc3\xa4\n please", 7);
}

static eis_status break_down(void *context, eis_grpc_call *call)
{
    (void)context, (void)call;
    return eis_fail(EIS_ERR_INTERNAL, "where a file lies");
}

/* Sends until nobody listens any more. */
static eis_status go_on(void *context, eis_grpc_call *call)
{
    world *w = context;
    eis_span message;
    eis_status st = eis_net_grpc_receive(&message, call);

    w->entered = true;
    while (st == EIS_OK && !eis_net_grpc_cancelled(call)) {
        w->saw_drain |= eis_net_grpc_draining(call);
        st = eis_net_grpc_send(call, "x", 1);
        nap(5);
    }
    w->was_cancelled = true;
    return EIS_ERR_INTERRUPTED;
}

static eis_status slow(void *context, eis_grpc_call *call)
{
    eis_span message;
    eis_status st = eis_net_grpc_receive(&message, call);

    ((world *)context)->entered = true;
    nap(300);
    return st == EIS_OK ? eis_net_grpc_send(call, "y", 1) : st;
}

/* Answers when the test says so. */
static eis_status hold(void *context, eis_grpc_call *call)
{
    world *w = context;
    eis_span message;
    eis_status st = eis_net_grpc_receive(&message, call);

    w->held++;
    while (st == EIS_OK && !w->let_go && !eis_net_grpc_cancelled(call)) nap(1);
    return st == EIS_OK ? eis_net_grpc_send(call, "y", 1) : st;
}

static void make_world(world *w)
{
    memset(w, 0, sizeof *w);
    make_identity(&w->ca, NULL, NULL);
    make_identity(&w->server, &w->ca, "DNS:localhost,IP:127.0.0.1");
    make_identity(&w->client, &w->ca, "DNS:client");
    make_identity(&w->other_ca, NULL, NULL);
    make_identity(&w->stranger, &w->other_ca, "DNS:client");
    assert_int_equal(eis_net_tls_pin_of_pem(&w->client_pin, cert_of(&w->client)), EIS_OK);
}

static void start_with(world *w, bool tls, unsigned calls_max, uint32_t request_ms)
{
    const eis_grpc_route routes[] = {
        {"/a.B/Echo", echo, w},  {"/a.B/Count", count_up, w}, {"/a.B/Refuse", refuse, w}, {"/a.B/Break", break_down, w},
        {"/a.B/GoOn", go_on, w}, {"/other.B/Echo", echo, w},  {"/a.B/Slow", slow, w},     {"/a.B/Hold", hold, w}};
    eis_grpc_config config = {.address = {.host = "127.0.0.1"},
                              .routes = routes,
                              .route_count = sizeof routes / sizeof routes[0],
                              .message_bytes_max = 1000,
                              .calls_max = calls_max,
                              .request_timeout_ms = request_ms};

    if (tls) {
        config.cert_pem = cert_of(&w->server);
        config.key_pem = key_of(&w->server);
        config.client_ca_pem = cert_of(&w->ca);
    }
    assert_int_equal(eis_net_grpc_server_start(&w->grpc, &config), EIS_OK);
}

static void close_world(world *w)
{
    eis_net_grpc_server_free(w->grpc);
    free_identity(&w->ca);
    free_identity(&w->server);
    free_identity(&w->client);
    free_identity(&w->other_ca);
    free_identity(&w->stranger);
}

static eis_grpc_client *client_with(const world *w, const identity *own, const identity *ca, const eis_tls_pin *pin,
                                    const eis_cancel *cancel)
{
    eis_grpc_client_config config = {.pins = pin, .pin_count = pin != NULL, .cancel = cancel};
    eis_grpc_client *client;

    eis_net_grpc_server_address(&config.address, w->grpc);
    if (ca != NULL) config.ca_pem = cert_of(ca);
    if (own != NULL) {
        config.cert_pem = cert_of(own);
        config.key_pem = key_of(own);
    }
    assert_int_equal(eis_net_grpc_client_new(&client, &config), EIS_OK);
    return client;
}

/* ---- what its clients receive ---- */

typedef struct heard {
    uint8_t data[4096];
    size_t bytes, messages, stop_after;
    eis_cancel *raise;
} heard;

static eis_status hear(void *context, eis_span message)
{
    heard *h = context;

    assert_true(h->bytes + message.bytes <= sizeof h->data);
    memcpy(h->data + h->bytes, message.data, message.bytes);
    h->bytes += message.bytes;
    h->messages++;
    if (h->raise != NULL) eis_net_cancel_raise(h->raise);
    return h->stop_after != 0 && h->messages == h->stop_after ? EIS_ERR_LIMIT : EIS_OK;
}

static void calls_and_streams_arrive_whole(void **state)
{
    uint8_t data[999];
    world w;
    heard h = {0}, s = {0};
    eis_grpc_client *client;
    eis_grpc_counts counts;

    (void)state;
    make_world(&w);
    start_with(&w, false, 0, 0);
    client = client_with(&w, NULL, NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 11);
    assert_int_equal(eis_net_grpc_call(client, "/a.B/Echo", data, sizeof data, CALL_MS, hear, &h), EIS_OK);
    assert_int_equal(h.messages, 1);
    assert_int_equal(h.bytes, sizeof data);
    assert_memory_equal(h.data, data, sizeof data);
    assert_false(w.pin_seen);
    h = (heard){0};
    assert_int_equal(eis_net_grpc_call(client, "/other.B/Echo", NULL, 0, CALL_MS, hear, &h), EIS_OK);
    assert_int_equal(h.messages, 1);
    assert_int_equal(h.bytes, 0);
    assert_int_equal(eis_net_grpc_call(client, "/a.B/Count", data, 200, CALL_MS, hear, &s), EIS_OK);
    assert_int_equal(s.messages, 200);
    for (size_t i = 0; i < 200; i++) assert_int_equal(s.data[i], i);
    eis_net_grpc_server_counts(&counts, w.grpc);
    assert_int_equal(counts.calls, 3);
    assert_int_equal(counts.failed + counts.refused, 0);
    eis_net_grpc_client_free(client);
    close_world(&w);
}

static void a_status_keeps_its_name_and_text(void **state)
{
    world w;
    heard h = {0};
    uint8_t data[1100] = {0};
    eis_grpc_client *client;

    (void)state;
    make_world(&w);
    start_with(&w, false, 0, 0);
    client = client_with(&w, NULL, NULL, NULL, NULL);
    assert_int_equal(eis_net_grpc_call(client, "/a.B/Refuse", NULL, 0, CALL_MS, hear, &h), EIS_ERR_CONTEXT_LENGTH);
    assert_string_equal(eis_error_detail(), "at most 7, \xc3\xa4\n please");
    assert_int_equal(eis_net_grpc_call(client, "/a.B/Break", NULL, 0, CALL_MS, hear, &h), EIS_ERR_INTERNAL);
    assert_string_equal(eis_error_detail(), eis_status_text(EIS_ERR_INTERNAL));
    assert_int_equal(eis_net_grpc_call(client, "/a.B/None", NULL, 0, CALL_MS, hear, &h), EIS_ERR_METHOD);
    assert_int_equal(eis_net_grpc_call(client, "/A.B/Echo", NULL, 0, CALL_MS, hear, &h), EIS_ERR_METHOD);
    assert_int_equal(eis_net_grpc_call(client, "/a.B/Echo", data, sizeof data, CALL_MS, hear, &h), EIS_ERR_BUSY);
    assert_int_equal(h.messages, 0);
    eis_net_grpc_client_free(client);
    close_world(&w);
}

static void a_receiver_that_stops_ends_the_call(void **state)
{
    world w;
    heard h = {.stop_after = 3};
    eis_grpc_client *client;

    (void)state;
    make_world(&w);
    start_with(&w, false, 0, 0);
    client = client_with(&w, NULL, NULL, NULL, NULL);
    assert_int_equal(eis_net_grpc_call(client, "/a.B/GoOn", NULL, 0, 0, hear, &h), EIS_ERR_LIMIT);
    for (int i = 0; i < 1000 && !w.was_cancelled; i++) nap(10);
    assert_true(w.was_cancelled);
    assert_int_equal(h.messages, 3);
    eis_net_grpc_client_free(client);
    close_world(&w);
}

static void deadlines_and_flags_end_calls(void **state)
{
    world w;
    heard h = {0};
    eis_cancel *cancel;
    eis_grpc_client *client;

    (void)state;
    make_world(&w);
    start_with(&w, false, 0, 0);
    assert_int_equal(eis_net_cancel_new(&cancel), EIS_OK);
    client = client_with(&w, NULL, NULL, NULL, cancel);
    assert_int_equal(eis_net_grpc_call(client, "/a.B/GoOn", NULL, 0, 200, hear, &h), EIS_ERR_TIMEOUT);
    for (int i = 0; i < 1000 && !w.was_cancelled; i++) nap(10);
    assert_true(w.was_cancelled);
    h = (heard){.raise = cancel};
    assert_int_equal(eis_net_grpc_call(client, "/a.B/GoOn", NULL, 0, 0, hear, &h), EIS_ERR_INTERRUPTED);
    eis_net_grpc_client_free(client);
    eis_net_cancel_free(cancel);
    close_world(&w);
}

static void both_ends_show_who_they_are(void **state)
{
    world w;
    heard h = {0};
    eis_tls_pin server_pin;
    eis_grpc_client *client;

    (void)state;
    make_world(&w);
    start_with(&w, true, 0, 0);
    assert_int_equal(eis_net_tls_pin_of_pem(&server_pin, cert_of(&w.server)), EIS_OK);
    client = client_with(&w, &w.client, &w.ca, &server_pin, NULL);
    assert_int_equal(eis_net_grpc_call(client, "/a.B/Echo", "a", 1, CALL_MS, hear, &h), EIS_OK);
    assert_true(w.pin_seen);
    assert_memory_equal(&w.seen_pin, &w.client_pin, sizeof w.seen_pin);
    eis_net_grpc_client_free(client);

    struct {
        const identity *own, *ca;
        const eis_tls_pin *pin;
    } const bad[] = {{NULL, &w.ca, NULL},               /* no certificate */
                     {&w.stranger, &w.ca, NULL},        /* of another CA */
                     {&w.client, &w.other_ca, NULL},    /* the server is of another CA */
                     {&w.client, &w.ca, &w.client_pin}, /* the server has another key */
                     {NULL, NULL, NULL}};               /* plaintext */
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        h = (heard){0};
        client = client_with(&w, bad[i].own, bad[i].ca, bad[i].pin, NULL);
        assert_int_equal(eis_net_grpc_call(client, "/a.B/Echo", "a", 1, CALL_MS, hear, &h), EIS_ERR_UNAVAILABLE);
        assert_int_equal(h.messages, 0);
        eis_net_grpc_client_free(client);
    }
    close_world(&w);
}

/* Returns whether a handshake of one version of TLS alone succeeds. */
static bool handshakes(const world *w, int version)
{
    eis_address address;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl;
    bool done;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    eis_net_grpc_server_address(&address, w->grpc);
    to.sin_port = htons(address.port);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(SSL_CTX_set_min_proto_version(context, version), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(context, version), 1);
    assert_int_equal(SSL_CTX_use_certificate(context, w->client.cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, w->client.key), 1);
    assert_int_equal(SSL_CTX_set_alpn_protos(context, (const unsigned char *)"\x02h2", 3), 0);
    ssl = SSL_new(context);
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    done = SSL_connect(ssl) == 1;
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
    return done;
}

static void only_tls_1_3_is_spoken(void **state)
{
    world w;

    (void)state;
    make_world(&w);
    start_with(&w, true, 0, 0);
    assert_true(handshakes(&w, TLS1_3_VERSION));
    assert_false(handshakes(&w, TLS1_2_VERSION));
    close_world(&w);
}

static void what_cannot_be_served_is_refused_at_the_start(void **state)
{
    world w;
    eis_grpc_server *server = NULL;
    eis_grpc_client *client = NULL;
    eis_grpc_config config = {.address = {.host = "0.0.0.0"}};
    const eis_grpc_client_config far = {.address = {.host = "192.0.2.1", .port = 1}};

    (void)state;
    make_world(&w);
    assert_int_equal(eis_net_grpc_server_start(&server, &config), EIS_ERR_USAGE);
    assert_null(server);
    assert_int_equal(eis_net_grpc_client_new(&client, &far), EIS_ERR_USAGE);
    assert_null(client);
    config.cert_pem = cert_of(&w.server);
    config.key_pem = key_of(&w.client);
    assert_int_equal(eis_net_grpc_server_start(&server, &config), EIS_ERR_TLS);
    start_with(&w, false, 0, 0);
    config = (eis_grpc_config){.address = {.host = "127.0.0.1"}};
    eis_net_grpc_server_address(&config.address, w.grpc);
    assert_int_equal(eis_net_grpc_server_start(&server, &config), EIS_ERR_IO);
    assert_null(server);
    close_world(&w);
}

typedef struct side {
    const world *w;
    heard h;
    const char *path;
    eis_status st;
} side;

static void *call_beside(void *context)
{
    side *s = context;
    eis_grpc_client *client = client_with(s->w, NULL, NULL, NULL, NULL);

    s->st = eis_net_grpc_call(client, s->path, "a", 1, CALL_MS, hear, &s->h);
    eis_net_grpc_client_free(client);
    return NULL;
}

/* Two calls take both places and keep them while others are refused; a place that is free again is given away. */
static void calls_above_the_limit_are_refused(void **state)
{
    world w;
    side held[2], more = {.w = &w, .path = "/a.B/Hold"};
    pthread_t thread[2];
    eis_grpc_counts counts;

    (void)state;
    make_world(&w);
    start_with(&w, false, 2, 0);
    for (unsigned i = 0; i < 2; i++) {
        held[i] = more;
        assert_int_equal(pthread_create(&thread[i], NULL, call_beside, &held[i]), 0);
    }
    for (int i = 0; i < 6000 && w.held < 2; i++) nap(10);
    assert_int_equal(w.held, 2);
    for (unsigned i = 0; i < 2; i++) {
        call_beside(&more);
        assert_int_equal(more.st, EIS_ERR_BUSY);
    }
    w.let_go = true;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_int_equal(held[i].st, EIS_OK);
    }
    for (int i = 0; i < 6000; i++) {
        eis_net_grpc_server_counts(&counts, w.grpc);
        if (counts.in_flight == 0) break;
        nap(10);
    }
    assert_int_equal(counts.in_flight, 0);
    call_beside(&more);
    assert_int_equal(more.st, EIS_OK);
    eis_net_grpc_server_counts(&counts, w.grpc);
    assert_int_equal(counts.refused, 2);
    close_world(&w);
}

static void wait_for_a_call(const world *w)
{
    for (int i = 0; i < 6000 && !w->entered; i++) nap(10);
    assert_true(w->entered);
}

static void draining_waits_and_then_cancels(void **state)
{
    world w;
    side s;
    pthread_t thread;

    (void)state;
    make_world(&w);
    start_with(&w, false, 0, 0);
    s = (side){.w = &w, .path = "/a.B/Slow"};
    assert_int_equal(pthread_create(&thread, NULL, call_beside, &s), 0);
    wait_for_a_call(&w);
    assert_true(eis_net_grpc_server_drain(w.grpc, 10000));
    pthread_join(thread, NULL);
    assert_int_equal(s.st, EIS_OK);
    close_world(&w);
    make_world(&w);
    start_with(&w, false, 0, 0);
    s = (side){.w = &w, .path = "/a.B/GoOn"};
    assert_int_equal(pthread_create(&thread, NULL, call_beside, &s), 0);
    wait_for_a_call(&w);
    assert_false(eis_net_grpc_server_drain(w.grpc, 100));
    assert_true(w.was_cancelled);
    assert_true(w.saw_drain);
    pthread_join(thread, NULL);
    assert_int_not_equal(s.st, EIS_OK);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_and_streams_arrive_whole),
        cmocka_unit_test(a_status_keeps_its_name_and_text),
        cmocka_unit_test(a_receiver_that_stops_ends_the_call),
        cmocka_unit_test(deadlines_and_flags_end_calls),
        cmocka_unit_test(both_ends_show_who_they_are),
        cmocka_unit_test(only_tls_1_3_is_spoken),
        cmocka_unit_test(what_cannot_be_served_is_refused_at_the_start),
        cmocka_unit_test(calls_above_the_limit_are_refused),
        cmocka_unit_test(draining_waits_and_then_cancels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
