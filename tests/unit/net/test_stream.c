/* SPDX-License-Identifier: Apache-2.0 */
/* If this breaks, a single slow or broken peer stops everybody, or a frame arrives other than it was sent. */
#include "unit/net/echo.h"

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
    eis_wire_frame_write(
        raw, &(eis_frame_header){.protocol = EIS_FRAME_PROTOCOL_SPLIT, .type = 3, .payload_bytes = payload_bytes});
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

/* A frame that comes at the slowest rate that is allowed takes longer than read_timeout_ms and must arrive all the
 * same. */
static void a_long_frame_has_the_time_of_its_length(void **state)
{
    uint8_t raw[32 + 2000] = {0};
    rough r;
    echo e = {0};

    (void)state;
    write_header(raw, 2000);
    start_echo_with(&e, &server_id, NULL,
                    (eis_listener_config){.stream = {.read_timeout_ms = 100, .bytes_per_s_min = 1000}});
    rough_connect(&r, &e.address);
    assert_int_equal(SSL_write(r.ssl, raw, 32), 32); /* the header in one piece, as every sender of ours writes it */
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(SSL_write(r.ssl, raw + 32 + 200 * i, 200), 200);
        sleep_ms(40);
    }
    for (int i = 0; i < 200 && atomic_load(&e.requests) == 0; i++) sleep_ms(5);
    assert_int_equal(atomic_load(&e.requests), 1);
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
    print_message(
        "[   INFO   ] 32 KiB each way over TLS on loopback: best decile %.1f us, median %.1f us, 99 %% %.1f us\n",
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
        cmocka_unit_test(garbage_ends_the_connection),
        cmocka_unit_test(a_peer_that_closes_inside_a_frame_is_noticed),
        cmocka_unit_test(a_frame_that_dribbles_is_cut_off),
        cmocka_unit_test(a_slow_loris_is_cut_off),
        cmocka_unit_test(a_long_frame_has_the_time_of_its_length),
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
