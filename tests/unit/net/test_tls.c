/* SPDX-License-Identifier: Apache-2.0 */
/* If this breaks, a client talks to the wrong server, or a server to the wrong client, and shares end up where they
 * must not. */
#include "unit/net/echo.h"

/* ---- who is at the other end ---- */

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
    assert_int_equal(eis_net_tls_check_pair(cert_of(&server_id), key_of(&server_id)), EIS_OK);
    assert_int_equal(eis_net_tls_check_pair(cert_of(&server_id), key_of(&client_id)), EIS_ERR_TLS);
    assert_detail("does not belong");
    assert_int_equal(eis_net_tls_check_pair(cert_of(&server_id), text_span("no key")), EIS_ERR_TLS);
    assert_int_equal(eis_net_tls_check_pair((eis_span){0}, key_of(&server_id)), EIS_ERR_TLS);
}

/* ---- peers that are no TLS servers ---- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests_name("net/tls", tests, make_certificates, free_certificates);
}
