/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the stream share: certificates, a server that answers each frame with its payload, clients for it, and
 * a peer that knows no TLS. */
#ifndef EIS_TESTS_NET_ECHO_H
#define EIS_TESTS_NET_ECHO_H

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

static inline int make_certificates(void **state)
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

static inline int free_certificates(void **state)
{
    identity *all[] = {&ca, &other_ca, &server_id, &expired_id, &early_id, &client_id, &stranger_id};

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free_identity(all[i]);
    return 0;
}

static inline void sleep_ms(long ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

/* ---- a server that answers each frame with its payload ---- */

typedef struct echo {
    eis_tls *tls;
    eis_listener *listener;
    eis_address address;
    atomic_int delay_ms;    /* before each answer */
    atomic_int requests;    /* begun */
    atomic_int last_status; /* of the last receive that failed */
    uint64_t limit;         /* raised to this after the first frame; 0: stays */
} echo;

static inline eis_status serve_echo(void *context, eis_stream *stream)
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

static inline void start_echo_with(echo *e, const identity *id, const identity *client_ca, eis_listener_config config)
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

static inline void start_echo(echo *e)
{
    memset(e, 0, sizeof *e);
    start_echo_with(e, &server_id, NULL, (eis_listener_config){0});
}

static inline void stop_echo(echo *e)
{
    eis_net_listener_free(e->listener);
    eis_net_tls_free(e->tls);
}

/* The server counts a failure after the client has noticed it. */
static inline void await_failed_handshakes(const echo *e, uint64_t count)
{
    eis_listener_counts counts = {0};

    for (int i = 0; i < 1000 && counts.handshakes_failed < count; i++) {
        eis_net_listener_counts(&counts, e->listener);
        if (counts.handshakes_failed < count) sleep_ms(5);
    }
    assert_int_equal(counts.handshakes_failed, count);
}

static inline eis_tls_client_config trusting(const identity *authority)
{
    return (eis_tls_client_config){.ca_pem = cert_of(authority), .alpn = EIS_TLS_ALPN_SPLIT};
}

static inline eis_status connect_with(eis_stream **stream, const eis_address *address,
                                      const eis_tls_client_config *config, uint32_t timeout_ms,
                                      const eis_stream_options *options)
{
    eis_tls *tls = NULL;
    eis_status st = eis_net_tls_client_new(&tls, config);

    *stream = NULL;
    if (st == EIS_OK) st = eis_net_stream_connect(stream, address, tls, timeout_ms, options);
    eis_net_tls_free(tls);
    return st;
}

static inline eis_stream *connect_to(const echo *e)
{
    eis_tls_client_config config = trusting(&ca);
    eis_stream_options options = {.payload_bytes_max = (uint64_t)1 << 30};
    eis_stream *stream;

    assert_int_equal(connect_with(&stream, &e->address, &config, WAIT_MS, &options), EIS_OK);
    return stream;
}

static inline void assert_detail(const char *part)
{
    if (strstr(eis_error_detail(), part) == NULL) fail_msg("\"%s\" is not in \"%s\"", part, eis_error_detail());
}

static inline void send_bytes(eis_stream *stream, const void *data, size_t bytes)
{
    eis_frame_header header = {.type = 3, .request_id = 7, .layer = 5, .batch = 2};
    eis_span part = {.data = data, .bytes = bytes};

    assert_int_equal(eis_net_stream_send(stream, &header, &part, 1), EIS_OK);
}

static inline eis_status dial(const eis_address *to, const eis_tls_client_config *config)
{
    eis_stream *stream;
    eis_status st = connect_with(&stream, to, config, WAIT_MS, NULL);

    eis_net_stream_free(stream);
    return st;
}

/* ---- a peer that knows no TLS ---- */

typedef struct raw_peer {
    int fd;
    eis_address address;
    const char *says; /* to whoever connects; NULL: nothing */
    bool hangs_up;
    atomic_bool done;
    pthread_t thread;
} raw_peer;

static inline void *raw_main(void *arg)
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

static inline void start_raw(raw_peer *p)
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

static inline void stop_raw(raw_peer *p)
{
    atomic_store(&p->done, true);
    shutdown(p->fd, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    close(p->fd);
}

#endif
