/* SPDX-License-Identifier: Apache-2.0 */
/* If this breaks, a client talks to the wrong server, or a single slow or broken peer stops everybody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/listener.h"
#include "net/stream.h"
#include "unit/net/certificates.h"

#define WAIT_MS 5000

static identity ca, other_ca, server_id, expired_id, early_id, client_id, stranger_id;

static int make_certificates(void **state)
{
    (void)state;
    eis_log_configure(EIS_LOG_ERROR, false);
    make_identity(&ca, NULL, NULL);
    make_identity(&other_ca, NULL, NULL);
    make_identity(&server_id, &ca, "DNS:localhost,IP:127.0.0.1");
    make_identity_dated(&expired_id, &ca, "DNS:localhost,IP:127.0.0.1", -10, -1);
    make_identity_dated(&early_id, &ca, "DNS:localhost,IP:127.0.0.1", 1, 10);
    make_identity(&client_id, &ca, NULL);
    make_identity(&stranger_id, &other_ca, NULL);
    return 0;
}

static int free_certificates(void **state)
{
    identity *all[] = {&ca, &other_ca, &server_id, &expired_id, &early_id, &client_id, &stranger_id};

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_identity(all[i]);
    return 0;
}

static void sleep_ms(long ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

/* ---- a server that answers each frame with its payload ---- */

typedef struct echo {
    eis_tls *tls;
    eis_listener *listener;
    eis_address address;
    atomic_int delay_ms;      /* before each answer */
    atomic_int requests;      /* begun */
    atomic_int last_status;   /* of the last receive that failed */
    uint64_t limit;           /* raised to this after the first frame; 0: stays */
} echo;

static eis_status serve_echo(void *context, eis_stream *stream)
{
    echo *e = context;
    eis_status st = EIS_OK;

    for (;;) {
        eis_stream_frame frame;

        st = eis_net_stream_recv(&frame, stream, WAIT_MS);
        if (st != EIS_OK) break;
        atomic_fetch_add(&e->requests, 1);
        if (e->limit != 0) eis_net_stream_limit(stream, e->limit);
        if (atomic_load(&e->delay_ms) > 0) sleep_ms(atomic_load(&e->delay_ms));
        st = eis_net_stream_send(stream, &frame.header, &frame.payload, 1);
        if (st != EIS_OK) break;
    }
    atomic_store(&e->last_status, (int)st);
    if (st == EIS_ERR_TOO_LARGE) { /* the peer is told why */
        eis_frame_header header = {.type = 7};

        st = eis_net_stream_send(stream, &header, NULL, 0);
    }
    return st;
}

static void start_echo_with(echo *e, const identity *id, const identity *client_ca, eis_listener_config config)
{
    eis_tls_server_config tls = {.cert_pem = cert_of(id), .key_pem = key_of(id), .alpn = EIS_TLS_ALPN_SPLIT};

    if (client_ca != NULL) tls.client_ca_pem = cert_of(client_ca);
    assert_int_equal(eis_net_tls_server_new(&e->tls, &tls), EIS_OK);
    assert_int_equal(eis_net_address_parse(&config.address, "127.0.0.1:0", -1), EIS_OK);
    config.tls = e->tls;
    config.serve = serve_echo;
    config.context = e;
    assert_int_equal(eis_net_listener_start(&e->listener, &config), EIS_OK);
    eis_net_listener_address(&e->address, e->listener);
    assert_true(e->address.port != 0);
}

static void start_echo(echo *e)
{
    memset(e, 0, sizeof *e);
    start_echo_with(e, &server_id, NULL, (eis_listener_config){0});
}

static void stop_echo(echo *e)
{
    eis_net_listener_free(e->listener);
    eis_net_tls_free(e->tls);
}

/* The server counts a failure after the client has noticed it. */
static void await_failed_handshakes(const echo *e, uint64_t count)
{
    eis_listener_counts counts = {0};

    for (int i = 0; i < 1000 && counts.handshakes_failed < count; i++) {
        eis_net_listener_counts(&counts, e->listener);
        if (counts.handshakes_failed < count) sleep_ms(5);
    }
    assert_int_equal(counts.handshakes_failed, count);
}

static eis_tls_client_config trusting(const identity *authority)
{
    return (eis_tls_client_config){.ca_pem = cert_of(authority), .alpn = EIS_TLS_ALPN_SPLIT};
}

static eis_status connect_with(eis_stream **stream, const eis_address *address, const eis_tls_client_config *config,
                               uint32_t timeout_ms, const eis_stream_options *options)
{
    eis_tls *tls = NULL;
    eis_status st = eis_net_tls_client_new(&tls, config);

    *stream = NULL;
    if (st == EIS_OK) st = eis_net_stream_connect(stream, address, tls, timeout_ms, options);
    eis_net_tls_free(tls);
    return st;
}

static eis_stream *connect_to(const echo *e)
{
    eis_tls_client_config config = trusting(&ca);
    eis_stream_options options = {.payload_bytes_max = (uint64_t)1 << 30};
    eis_stream *stream;

    assert_int_equal(connect_with(&stream, &e->address, &config, WAIT_MS, &options), EIS_OK);
    return stream;
}

static void assert_detail(const char *part)
{
    if (strstr(eis_error_detail(), part) == NULL) fail_msg("\"%s\" is not in \"%s\"", part, eis_error_detail());
}

static void send_bytes(eis_stream *stream, const void *data, size_t bytes)
{
    eis_frame_header header = {.type = 3, .request_id = 7, .layer = 5, .batch = 2};
    eis_span part = {.data = data, .bytes = bytes};

    assert_int_equal(eis_net_stream_send(stream, &header, &part, 1), EIS_OK);
}

/* ---- the good path ---- */

static void frames_of_every_size_come_back(void **state)
{
    static const size_t sizes[] = {0, 1, 100, 16351, 16352, 16353, 16384, 32768, 49152 - 32, 100000, 128 << 10};
    uint8_t *data = eis_mem_new(128 << 10, 1);
    eis_stream *stream;
    eis_stream_frame frame;
    eis_stream_counts counts;
    echo e;

    (void)state;
    start_echo(&e);
    stream = connect_to(&e);
    assert_string_equal(eis_net_stream_cipher(stream), "TLS_AES_256_GCM_SHA384");
    for (size_t i = 0; i < 128 << 10; i++) data[i] = (uint8_t)(i * 7 + i / 251);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        send_bytes(stream, data, sizes[i]);
        assert_int_equal(eis_net_stream_recv(&frame, stream, WAIT_MS), EIS_OK);
        assert_int_equal(frame.payload.bytes, sizes[i]);
        assert_int_equal(frame.header.request_id, 7);
        assert_int_equal(frame.header.layer, 5);
        if (sizes[i] > 0) assert_memory_equal(frame.payload.data, data, sizes[i]);
    }
    eis_net_stream_counts(&counts, stream);
    assert_int_equal(counts.frames_in, 11);
    assert_int_equal(counts.bytes_in, counts.bytes_out);
    eis_net_stream_free(stream);
    stop_echo(&e);
    eis_mem_free(data);
}

static void parts_arrive_as_one_payload(void **state)
{
    uint8_t *data = eis_mem_new(60000, 1);
    eis_frame_header header = {.type = 3};
    eis_span parts[5];
    eis_stream_frame frame;
    eis_stream *stream;
    size_t at = 0;
    echo e;

    (void)state;
    start_echo(&e);
    stream = connect_to(&e);
    for (size_t i = 0; i < 60000; i++) data[i] = (uint8_t)(i ^ i >> 8);
    for (size_t i = 0; i < 5; i++) {
        static const size_t lengths[] = {10, 0, 40000, 1, 19989};

        parts[i] = (eis_span){.data = data + at, .bytes = lengths[i]};
        at += lengths[i];
    }
    assert_int_equal(eis_net_stream_send(stream, &header, parts, 5), EIS_OK);
    assert_int_equal(eis_net_stream_recv(&frame, stream, WAIT_MS), EIS_OK);
    assert_int_equal(frame.payload.bytes, 60000);
    assert_memory_equal(frame.payload.data, data, 60000);
    eis_net_stream_free(stream);
    stop_echo(&e);
    eis_mem_free(data);
}

/* Both ends of an 8 MiB frame fill the socket buffers; sending and receiving must be able to go on side by side. */
typedef struct sender {
    eis_stream *stream;
    const uint8_t *data;
    size_t bytes;
    eis_status st;
} sender;

static void *send_three_times(void *arg)
{
    sender *s = arg;
    eis_frame_header header = {.type = 3};
    eis_span part = {.data = s->data, .bytes = s->bytes};

    for (int i = 0; i < 3 && s->st == EIS_OK; i++) s->st = eis_net_stream_send(s->stream, &header, &part, 1);
    return NULL;
}

static void one_thread_sends_while_another_receives(void **state)
{
    size_t bytes = (size_t)8 << 20;
    uint8_t *data = eis_mem_new(bytes, 1);
    eis_stream_frame frame;
    pthread_t thread;
    sender s;
    echo e;

    (void)state;
    memset(&e, 0, sizeof e);
    start_echo_with(&e, &server_id, NULL, (eis_listener_config){.stream.payload_bytes_max = bytes});
    for (size_t i = 0; i < bytes; i++) data[i] = (uint8_t)(i * 31 + i / 65537);
    s = (sender){.stream = connect_to(&e), .data = data, .bytes = bytes};
    assert_int_equal(pthread_create(&thread, NULL, send_three_times, &s), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(eis_net_stream_recv(&frame, s.stream, 20000), EIS_OK);
        assert_int_equal(frame.payload.bytes, bytes);
        assert_memory_equal(frame.payload.data, data, bytes);
    }
    pthread_join(thread, NULL);
    assert_int_equal(s.st, EIS_OK);
    eis_net_stream_free(s.stream);
    stop_echo(&e);
    eis_mem_free(data);
}

/* ---- who is at the other end ---- */

static eis_status dial(const eis_address *to, const eis_tls_client_config *config)
{
    eis_stream *stream;
    eis_status st = connect_with(&stream, to, config, WAIT_MS, NULL);

    eis_net_stream_free(stream);
    return st;
}

static void a_server_of_another_ca_is_refused(void **state)
{
    eis_tls_client_config config = trusting(&other_ca);
    echo e;

    (void)state;
    start_echo(&e);
    assert_int_equal(dial(&e.address, &config), EIS_ERR_TLS);
    assert_detail("another CA");
    config.ca_pem = (eis_span){0}; /* the system's */
    assert_int_equal(dial(&e.address, &config), EIS_ERR_TLS);
    stop_echo(&e);
}

static void the_name_must_be_in_the_certificate(void **state)
{
    eis_tls_client_config config = trusting(&ca);
    eis_address by_name;
    echo e;

    (void)state;
    start_echo(&e);
    by_name = e.address;
    strcpy(by_name.host, "127.0.0.2");
    assert_int_equal(dial(&by_name, &config), EIS_ERR_UNAVAILABLE); /* bound to 127.0.0.1 only */
    strcpy(by_name.host, "localhost");
    assert_int_equal(dial(&by_name, &config), EIS_OK);
    stop_echo(&e);

    memset(&e, 0, sizeof e);
    identity elsewhere;
    make_identity(&elsewhere, &ca, "DNS:elsewhere.example,IP:10.0.0.1");
    start_echo_with(&e, &elsewhere, NULL, (eis_listener_config){0});
    by_name.port = e.address.port;
    assert_int_equal(dial(&e.address, &config), EIS_ERR_TLS);
    assert_detail("another name");
    assert_int_equal(dial(&by_name, &config), EIS_ERR_TLS);
    assert_detail("another name");
    stop_echo(&e);
    free_identity(&elsewhere);
}

static void a_pin_replaces_name_and_ca_and_is_checked(void **state)
{
    eis_tls_client_config config = {.alpn = EIS_TLS_ALPN_SPLIT, .pin_count = 1};
    eis_tls_pin pins[2], seen;
    eis_stream *stream;
    identity lone;
    echo e;

    (void)state;
    memset(&e, 0, sizeof e);
    make_identity(&lone, NULL, "DNS:elsewhere.example"); /* self-signed, of another name */
    start_echo_with(&e, &lone, NULL, (eis_listener_config){0});
    config.pins = pins;
    assert_int_equal(eis_net_tls_pin_of_pem(&pins[0], cert_of(&lone)), EIS_OK);
    assert_int_equal(connect_with(&stream, &e.address, &config, WAIT_MS, NULL), EIS_OK);
    assert_int_equal(eis_net_stream_peer_pin(&seen, stream), EIS_OK);
    assert_memory_equal(seen.bytes, pins[0].bytes, sizeof seen.bytes);
    eis_net_stream_free(stream);

    config.ca_pem = cert_of(&ca); /* given beside a pin, a CA counts too */
    assert_int_equal(dial(&e.address, &config), EIS_ERR_TLS);
    assert_detail("another CA");
    config.ca_pem = cert_of(&lone);
    assert_int_equal(dial(&e.address, &config), EIS_OK);

    pins[0].bytes[31] ^= 1;
    assert_int_equal(dial(&e.address, &config), EIS_ERR_TLS);
    assert_detail("not the pinned one");
    config.ca_pem = (eis_span){0};
    assert_int_equal(dial(&e.address, &config), EIS_ERR_TLS);
    assert_detail("not the pinned one");
    pins[1] = pins[0];
    pins[1].bytes[31] ^= 1;
    config.pin_count = 2;
    assert_int_equal(dial(&e.address, &config), EIS_OK);
    stop_echo(&e);
    free_identity(&lone);
}

static void dates_count_with_and_without_a_pin(void **state)
{
    const identity *wrong[] = {&expired_id, &early_id};
    static const char *const said[] = {"expired", "not valid yet"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        eis_tls_client_config config = trusting(&ca), pinned = {.alpn = EIS_TLS_ALPN_SPLIT, .pin_count = 1};
        eis_tls_pin pin;
        echo e = {0};

        start_echo_with(&e, wrong[i], NULL, (eis_listener_config){0});
        assert_int_equal(dial(&e.address, &config), EIS_ERR_TLS);
        assert_detail(said[i]);
        assert_int_equal(eis_net_tls_pin_of_pem(&pin, cert_of(wrong[i])), EIS_OK);
        pinned.pins = &pin;
        assert_int_equal(dial(&e.address, &pinned), EIS_ERR_TLS);
        assert_detail(said[i]);
        stop_echo(&e);
    }
}

/* In TLS 1.3 the client learns of a refusal only when it reads. */
static eis_status exchange_as(const echo *e, const identity *id)
{
    eis_tls_client_config config = trusting(&ca);
    eis_frame_header header = {.type = 8};
    eis_stream_frame frame;
    eis_stream *stream;
    eis_status st;

    if (id != NULL) {
        config.cert_pem = cert_of(id);
        config.key_pem = key_of(id);
    }
    st = connect_with(&stream, &e->address, &config, WAIT_MS, NULL);
    if (st == EIS_OK) st = eis_net_stream_send(stream, &header, NULL, 0);
    if (st == EIS_OK) st = eis_net_stream_recv(&frame, stream, WAIT_MS);
    eis_net_stream_free(stream);
    return st;
}

static void a_client_ca_lets_only_its_clients_in(void **state)
{
    echo e = {0};

    (void)state;
    start_echo_with(&e, &server_id, &ca, (eis_listener_config){0});
    assert_int_equal(exchange_as(&e, &client_id), EIS_OK);
    assert_int_equal(atomic_load(&e.requests), 1);
    assert_int_equal(exchange_as(&e, NULL), EIS_ERR_TLS);
    assert_detail("wants a client certificate");
    assert_int_equal(exchange_as(&e, &stranger_id), EIS_ERR_TLS);
    assert_detail("refused our certificate");
    assert_int_equal(atomic_load(&e.requests), 1);
    await_failed_handshakes(&e, 2);
    stop_echo(&e);
}

static void another_protocol_is_refused(void **state)
{
    eis_tls_client_config config = trusting(&ca);
    echo e;

    (void)state;
    start_echo(&e);
    config.alpn = "eis-other/1";
    assert_int_equal(dial(&e.address, &config), EIS_ERR_TLS);
    assert_detail("another protocol");
    stop_echo(&e);
}

static void damaged_pem_is_refused(void **state)
{
    eis_tls_client_config config = {.alpn = EIS_TLS_ALPN_SPLIT};
    eis_tls_server_config server = {.cert_pem = cert_of(&server_id), .key_pem = key_of(&client_id), .alpn = "x"};
    char cut[200];
    eis_tls *tls;

    (void)state;
    config.ca_pem = text_span("no certificate at all");
    assert_int_equal(eis_net_tls_client_new(&tls, &config), EIS_ERR_TLS);
    snprintf(cut, sizeof cut, "%s", ca.cert_pem);
    config.ca_pem = text_span(cut);
    assert_int_equal(eis_net_tls_client_new(&tls, &config), EIS_ERR_TLS);
    assert_null(tls);
    assert_int_equal(eis_net_tls_server_new(&tls, &server), EIS_ERR_TLS);
    assert_detail("does not belong");
    server.key_pem = (eis_span){0};
    assert_int_equal(eis_net_tls_server_new(&tls, &server), EIS_ERR_TLS);
}

/* ---- peers that are no TLS servers ---- */

typedef struct raw_peer {
    int fd;
    eis_address address;
    const char *says; /* to whoever connects; NULL: nothing */
    bool hangs_up;
    atomic_bool done;
    pthread_t thread;
} raw_peer;

static void *raw_main(void *arg)
{
    raw_peer *p = arg;
    int fd = accept(p->fd, NULL, NULL);
    char heard[512];

    if (fd < 0) return NULL;
    if (p->says != NULL || p->hangs_up) (void)!recv(fd, heard, sizeof heard, 0);
    if (p->says != NULL) (void)!send(fd, p->says, strlen(p->says), MSG_NOSIGNAL);
    while (!p->hangs_up && !atomic_load(&p->done)) sleep_ms(5);
    close(fd);
    return NULL;
}

static void start_raw(raw_peer *p)
{
    struct sockaddr_in on = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof on;

    p->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(p->fd, (struct sockaddr *)&on, sizeof on), 0);
    assert_int_equal(listen(p->fd, 4), 0);
    assert_int_equal(getsockname(p->fd, (struct sockaddr *)&on, &length), 0);
    p->address = (eis_address){.host = "127.0.0.1", .port = ntohs(on.sin_port)};
    assert_int_equal(pthread_create(&p->thread, NULL, raw_main, p), 0);
}

static void stop_raw(raw_peer *p)
{
    atomic_store(&p->done, true);
    shutdown(p->fd, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    close(p->fd);
}

static void a_plaintext_peer_is_told_apart(void **state)
{
    eis_tls_client_config config = trusting(&ca);
    raw_peer p = {.says = "HTTP/1.1 400 Bad Request\r\n\r\n"};

    (void)state;
    start_raw(&p);
    assert_int_equal(dial(&p.address, &config), EIS_ERR_TLS);
    assert_detail("does not speak TLS");
    stop_raw(&p);
}

static void a_peer_that_hangs_up_is_unavailable(void **state)
{
    eis_tls_client_config config = trusting(&ca);
    raw_peer p = {.hangs_up = true};

    (void)state;
    start_raw(&p);
    assert_int_equal(dial(&p.address, &config), EIS_ERR_UNAVAILABLE);
    assert_detail("hung up");
    stop_raw(&p);
}

static void a_silent_peer_costs_the_timeout(void **state)
{
    eis_tls_client_config config = trusting(&ca);
    eis_stream *stream;
    raw_peer p = {0};
    uint64_t start_ns = eis_clock_ns();

    (void)state;
    start_raw(&p);
    assert_int_equal(connect_with(&stream, &p.address, &config, 100, NULL), EIS_ERR_TIMEOUT);
    assert_null(stream);
    assert_true(eis_clock_ns() - start_ns < 3000000000u);
    stop_raw(&p);
}

static void nobody_there_is_said(void **state)
{
    eis_tls_client_config config = trusting(&ca);
    eis_address address;
    echo e;

    (void)state;
    start_echo(&e);
    address = e.address;
    stop_echo(&e);
    assert_int_equal(dial(&address, &config), EIS_ERR_UNAVAILABLE);
    assert_detail("is the server running");
}

static void a_client_that_talks_http_to_us_is_counted(void **state)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    echo e;

    (void)state;
    start_echo(&e);
    to.sin_port = htons(e.address.port);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    (void)!send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL);
    await_failed_handshakes(&e, 1);
    close(fd);
    stop_echo(&e);
}

/* ---- peers that break the framing: clients that speak TLS with OpenSSL alone ---- */

typedef struct rough {
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
} rough;

static void rough_connect(rough *r, const eis_address *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    static const unsigned char alpn[] = "\x0b" EIS_TLS_ALPN_SPLIT;

    to.sin_port = htons(address->port);
    r->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(r->fd, (struct sockaddr *)&to, sizeof to), 0);
    r->ctx = SSL_CTX_new(TLS_client_method());
    r->ssl = SSL_new(r->ctx);
    SSL_set_fd(r->ssl, r->fd);
    SSL_set_alpn_protos(r->ssl, alpn, sizeof alpn - 1);
    assert_int_equal(SSL_connect(r->ssl), 1);
}

static void rough_close(rough *r)
{
    SSL_free(r->ssl);
    SSL_CTX_free(r->ctx);
    close(r->fd);
}

/* Sends bytes to an echo server and returns how its receive ended. */
static eis_status after_bytes(const void *data, size_t bytes, bool hang_up, eis_stream_options options)
{
    eis_status st;
    rough r;
    echo e = {0};

    start_echo_with(&e, &server_id, NULL, (eis_listener_config){.stream = options});
    atomic_store(&e.last_status, EIS_OK);
    rough_connect(&r, &e.address);
    assert_int_equal(SSL_write(r.ssl, data, (int)bytes), (int)bytes);
    if (hang_up) rough_close(&r);
    for (int i = 0; i < 600 && atomic_load(&e.last_status) == EIS_OK; i++) sleep_ms(5);
    st = (eis_status)atomic_load(&e.last_status);
    if (!hang_up) rough_close(&r);
    stop_echo(&e);
    return st;
}

static void write_header(uint8_t raw[32], uint64_t payload_bytes)
{
    eis_wire_frame_write(raw, &(eis_frame_header){.protocol = EIS_FRAME_PROTOCOL_SPLIT, .type = 3,
                                                  .payload_bytes = payload_bytes});
}

static void garbage_ends_the_connection(void **state)
{
    uint8_t garbage[64];

    (void)state;
    memset(garbage, 'x', sizeof garbage);
    assert_int_equal(after_bytes(garbage, sizeof garbage, false, (eis_stream_options){0}), EIS_ERR_PROTOCOL);
    write_header(garbage, 0);
    garbage[4] = 9;
    assert_int_equal(after_bytes(garbage, 32, false, (eis_stream_options){0}), EIS_ERR_VERSION);
}

static void a_peer_that_closes_inside_a_frame_is_noticed(void **state)
{
    uint8_t raw[40];

    (void)state;
    write_header(raw, 100);
    assert_int_equal(after_bytes(raw, 40, true, (eis_stream_options){0}), EIS_ERR_CLOSED);
    assert_int_equal(after_bytes(raw, 7, true, (eis_stream_options){0}), EIS_ERR_CLOSED);
}

static void a_frame_that_dribbles_is_cut_off(void **state)
{
    uint8_t raw[40];

    (void)state;
    write_header(raw, 100);
    assert_int_equal(after_bytes(raw, 40, false, (eis_stream_options){.read_timeout_ms = 50}), EIS_ERR_TIMEOUT);
    assert_int_equal(after_bytes(raw, 1, false, (eis_stream_options){.read_timeout_ms = 50}), EIS_ERR_TIMEOUT);
}

/* One byte at a time, each well within any idle time-out: the frame as a whole still has a deadline. */
static void a_slow_loris_is_cut_off(void **state)
{
    uint8_t raw[64] = {0};
    uint64_t start_ns = eis_clock_ns();
    rough r;
    echo e = {0};

    (void)state;
    write_header(raw, 32);
    start_echo_with(&e, &server_id, NULL, (eis_listener_config){.stream.read_timeout_ms = 100});
    rough_connect(&r, &e.address);
    for (size_t i = 0; i < 60 && atomic_load(&e.last_status) == EIS_OK; i++) {
        (void)SSL_write(r.ssl, raw + i, 1);
        sleep_ms(20);
    }
    assert_int_equal(atomic_load(&e.last_status), EIS_ERR_TIMEOUT);
    assert_true(eis_clock_ns() - start_ns < 1000000000u);
    rough_close(&r);
    stop_echo(&e);
}

static void an_oversize_frame_is_refused_and_answered(void **state)
{
    size_t bytes = (size_t)1 << 20;
    uint8_t *data = eis_mem_new(bytes, 1);
    eis_frame_header header = {.type = 3};
    eis_span part = {.data = data, .bytes = bytes};
    eis_stream_frame frame;
    eis_stream *stream;
    echo e = {.limit = 2000};

    (void)state;
    start_echo_with(&e, &server_id, NULL, (eis_listener_config){0});
    stream = connect_to(&e);
    send_bytes(stream, data, 2001); /* below the limit before HELLO */
    assert_int_equal(eis_net_stream_recv(&frame, stream, WAIT_MS), EIS_OK);
    assert_int_equal(eis_net_stream_send(stream, &header, &part, 1), EIS_OK);
    assert_int_equal(eis_net_stream_recv(&frame, stream, WAIT_MS), EIS_OK);
    assert_int_equal(frame.header.type, 7);
    assert_int_equal(eis_net_stream_recv(&frame, stream, WAIT_MS), EIS_ERR_CLOSED);
    assert_int_equal(eis_net_stream_recv(&frame, stream, WAIT_MS), EIS_ERR_CLOSED); /* for ever */
    assert_int_equal(atomic_load(&e.last_status), EIS_ERR_TOO_LARGE);
    eis_net_stream_free(stream);
    stop_echo(&e);
    eis_mem_free(data);
}

/* ---- waiting, cancelling, draining ---- */

static void a_timeout_before_a_frame_leaves_the_stream_alive(void **state)
{
    eis_stream_frame frame;
    eis_stream *stream;
    echo e;

    (void)state;
    start_echo(&e);
    atomic_store(&e.delay_ms, 100);
    stream = connect_to(&e);
    send_bytes(stream, "hello", 5);
    assert_int_equal(eis_net_stream_recv(&frame, stream, 10), EIS_ERR_TIMEOUT);
    assert_int_equal(eis_net_stream_recv(&frame, stream, WAIT_MS), EIS_OK);
    assert_int_equal(frame.payload.bytes, 5);
    eis_net_stream_free(stream);
    stop_echo(&e);
}

static void the_first_of_several_servers_is_heard(void **state)
{
    eis_stream_frame frame;
    eis_stream *streams[3];
    size_t which;
    echo slow, fast;

    (void)state;
    start_echo(&slow);
    start_echo(&fast);
    atomic_store(&slow.delay_ms, 150);
    streams[0] = connect_to(&slow);
    streams[1] = NULL;
    streams[2] = connect_to(&fast);
    send_bytes(streams[0], "slow", 4);
    send_bytes(streams[2], "fast!", 5);
    assert_int_equal(eis_net_stream_recv_any(&which, &frame, streams, 3, WAIT_MS), EIS_OK);
    assert_int_equal(which, 2);
    assert_memory_equal(frame.payload.data, "fast!", 5);
    assert_int_equal(eis_net_stream_recv_any(&which, &frame, streams, 3, 5), EIS_ERR_TIMEOUT);
    assert_int_equal(which, 3);
    assert_int_equal(eis_net_stream_recv_any(&which, &frame, streams, 3, WAIT_MS), EIS_OK);
    assert_int_equal(which, 0);
    assert_memory_equal(frame.payload.data, "slow", 4);
    stop_echo(&fast);
    assert_int_equal(eis_net_stream_recv_any(&which, &frame, streams, 3, WAIT_MS), EIS_ERR_CLOSED);
    assert_int_equal(which, 2);
    eis_net_stream_free(streams[0]);
    eis_net_stream_free(streams[2]);
    stop_echo(&slow);
}

typedef struct canceller {
    eis_stream *stream;
    eis_cancel *cancel;
} canceller;

static void *cancel_soon(void *arg)
{
    canceller *c = arg;

    sleep_ms(30);
    if (c->stream != NULL) eis_net_stream_cancel(c->stream);
    eis_net_cancel_raise(c->cancel);
    return NULL;
}

static void waits_end_when_cancelled(void **state)
{
    eis_tls_client_config config = trusting(&ca);
    eis_stream_frame frame;
    eis_stream_options options = {0};
    canceller c = {0};
    pthread_t thread;
    raw_peer silent = {0};
    eis_stream *stream;
    echo e;

    (void)state;
    start_echo(&e);
    stream = c.stream = connect_to(&e);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &c), 0);
    assert_int_equal(eis_net_stream_recv(&frame, stream, EIS_STREAM_WAIT_FOREVER), EIS_ERR_INTERRUPTED);
    pthread_join(thread, NULL);
    eis_net_stream_free(stream);

    c.stream = NULL;
    assert_int_equal(eis_net_cancel_new(&c.cancel), EIS_OK);
    options.cancel = c.cancel;
    assert_int_equal(connect_with(&stream, &e.address, &config, WAIT_MS, &options), EIS_OK);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &c), 0);
    assert_int_equal(eis_net_stream_recv(&frame, stream, EIS_STREAM_WAIT_FOREVER), EIS_ERR_INTERRUPTED);
    pthread_join(thread, NULL);
    assert_int_equal(eis_net_stream_send(stream, &(eis_frame_header){0}, NULL, 0), EIS_ERR_INTERRUPTED);
    eis_net_stream_free(stream);
    eis_net_cancel_free(c.cancel);

    assert_int_equal(eis_net_cancel_new(&c.cancel), EIS_OK);
    options.cancel = c.cancel;
    start_raw(&silent);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &c), 0);
    assert_int_equal(connect_with(&stream, &silent.address, &config, 60000, &options), EIS_ERR_INTERRUPTED);
    pthread_join(thread, NULL);
    stop_raw(&silent);
    eis_net_cancel_free(c.cancel);
    stop_echo(&e);
}

static void draining_lets_a_request_in_flight_finish(void **state)
{
    eis_stream_frame frame;
    eis_stream *busy, *idle;
    echo e;

    (void)state;
    start_echo(&e);
    atomic_store(&e.delay_ms, 200);
    busy = connect_to(&e);
    idle = connect_to(&e);
    send_bytes(busy, "work", 4);
    while (atomic_load(&e.requests) == 0) sleep_ms(1);
    assert_true(eis_net_listener_drain(e.listener, WAIT_MS));
    assert_int_equal(eis_net_stream_recv(&frame, busy, WAIT_MS), EIS_OK);
    assert_memory_equal(frame.payload.data, "work", 4);
    assert_int_equal(eis_net_stream_recv(&frame, busy, WAIT_MS), EIS_ERR_CLOSED);
    assert_int_equal(eis_net_stream_recv(&frame, idle, WAIT_MS), EIS_ERR_CLOSED);
    eis_net_stream_free(busy);
    eis_net_stream_free(idle);
    stop_echo(&e);
}

static void draining_cuts_off_what_takes_too_long(void **state)
{
    uint8_t raw[40];
    uint64_t start_ns;
    rough r;
    echo e;

    (void)state;
    start_echo(&e);
    write_header(raw, 100); /* a frame that has begun and never ends */
    rough_connect(&r, &e.address);
    assert_int_equal(SSL_write(r.ssl, raw, 40), 40);
    sleep_ms(50);
    start_ns = eis_clock_ns();
    assert_false(eis_net_listener_drain(e.listener, 100));
    assert_true(eis_clock_ns() - start_ns < 2000000000u);
    assert_int_equal(atomic_load(&e.last_status), EIS_ERR_INTERRUPTED);
    rough_close(&r);
    stop_echo(&e);
}

static void connections_above_the_limit_are_refused(void **state)
{
    eis_tls_client_config config = trusting(&ca);
    eis_listener_counts counts;
    eis_stream *first;
    echo e = {0};

    (void)state;
    start_echo_with(&e, &server_id, NULL, (eis_listener_config){.connections_max = 1});
    first = connect_to(&e);
    assert_int_equal(dial(&e.address, &config), EIS_ERR_UNAVAILABLE);
    eis_net_listener_counts(&counts, e.listener);
    assert_int_equal(counts.refused, 1);
    assert_int_equal(counts.connections, 1);
    eis_net_stream_free(first);
    for (int i = 0; i < 400 && counts.connections > 0; i++) {
        sleep_ms(5);
        eis_net_listener_counts(&counts, e.listener);
    }
    assert_int_equal(dial(&e.address, &config), EIS_OK);
    stop_echo(&e);
}

static void a_port_in_use_is_said(void **state)
{
    eis_listener_config config = {.serve = serve_echo};
    eis_listener *second;
    echo e;

    (void)state;
    start_echo(&e);
    config.address = e.address;
    config.tls = e.tls;
    assert_int_equal(eis_net_listener_start(&second, &config), EIS_ERR_IO);
    assert_null(second);
    assert_detail("already in use");
    stop_echo(&e);
}

/* ---- a measurement, for information ---- */

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void measure_a_call_of_32_kib_each_way(void **state)
{
    enum { ROUNDS = 3000 };
    static uint64_t ns[ROUNDS];
    uint8_t *data = eis_mem_new(32 << 10, 1);
    eis_stream_frame frame;
    eis_stream *stream;
    echo e;

    (void)state;
    start_echo(&e);
    stream = connect_to(&e);
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t start_ns = eis_clock_ns();

        send_bytes(stream, data, 32 << 10);
        assert_int_equal(eis_net_stream_recv(&frame, stream, WAIT_MS), EIS_OK);
        ns[i] = eis_clock_ns() - start_ns;
    }
    qsort(ns, ROUNDS, sizeof *ns, by_value);
    print_message("[   INFO   ] 32 KiB each way over TLS on loopback: best decile %.1f us, median %.1f us, 99 %% %.1f us\n",
                  (double)ns[ROUNDS / 10] / 1e3, (double)ns[ROUNDS / 2] / 1e3, (double)ns[ROUNDS * 99 / 100] / 1e3);
    eis_net_stream_free(stream);
    stop_echo(&e);
    eis_mem_free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_of_every_size_come_back),
        cmocka_unit_test(parts_arrive_as_one_payload),
        cmocka_unit_test(one_thread_sends_while_another_receives),
        cmocka_unit_test(a_server_of_another_ca_is_refused),
        cmocka_unit_test(the_name_must_be_in_the_certificate),
        cmocka_unit_test(a_pin_replaces_name_and_ca_and_is_checked),
        cmocka_unit_test(dates_count_with_and_without_a_pin),
        cmocka_unit_test(a_client_ca_lets_only_its_clients_in),
        cmocka_unit_test(another_protocol_is_refused),
        cmocka_unit_test(damaged_pem_is_refused),
        cmocka_unit_test(a_plaintext_peer_is_told_apart),
        cmocka_unit_test(a_peer_that_hangs_up_is_unavailable),
        cmocka_unit_test(a_silent_peer_costs_the_timeout),
        cmocka_unit_test(nobody_there_is_said),
        cmocka_unit_test(a_client_that_talks_http_to_us_is_counted),
        cmocka_unit_test(garbage_ends_the_connection),
        cmocka_unit_test(a_peer_that_closes_inside_a_frame_is_noticed),
        cmocka_unit_test(a_frame_that_dribbles_is_cut_off),
        cmocka_unit_test(a_slow_loris_is_cut_off),
        cmocka_unit_test(an_oversize_frame_is_refused_and_answered),
        cmocka_unit_test(a_timeout_before_a_frame_leaves_the_stream_alive),
        cmocka_unit_test(the_first_of_several_servers_is_heard),
        cmocka_unit_test(waits_end_when_cancelled),
        cmocka_unit_test(draining_lets_a_request_in_flight_finish),
        cmocka_unit_test(draining_cuts_off_what_takes_too_long),
        cmocka_unit_test(connections_above_the_limit_are_refused),
        cmocka_unit_test(a_port_in_use_is_said),
        cmocka_unit_test(measure_a_call_of_32_kib_each_way),
    };
    return cmocka_run_group_tests_name("net/stream", tests, make_certificates, free_certificates);
}
