/* SPDX-License-Identifier: Apache-2.0 */
/* Strangers, and clients that do not keep to the protocol: a server must refuse in words and live on, and a client must
 * know whom it talks to. */
#include "support/split_world.h"

#include "base/mem.h"

#include <unistd.h>

/* ---- who may talk to whom ---- */

static eis_status try_client(const world *w, const eis_split_client_config *config)
{
    eis_split_client *client = NULL;
    eis_status st = eis_split_client_new(&client, w->model, &w->layers.info, config);

    eis_split_client_free(client);
    return st;
}

static void credentials(void **state)
{
    static const char text[] = "a-token-of-some-length", other[] = "another-token-of-some";
    eis_trust_pair stranger_ca = {0}, stranger = {0};
    const eis_trust_ca_literal literal = {0};
    eis_split_client_config config;
    eis_token token, wrong;
    world w;

    (void)state;
    assert_int_equal(eis_net_token_set(&token, text, sizeof text - 1), EIS_OK);
    assert_int_equal(eis_net_token_set(&wrong, other, sizeof other - 1), EIS_OK);
    assert_int_equal(eis_trust_ca_make(&stranger_ca, &literal), EIS_OK);
    world_identity(&stranger, &stranger_ca, false);
    world_prepare(&w, world_lm(), EIS_SPLIT_P24, 2);
    for (size_t i = 0; i < 2; i++) {
        eis_split_offer offer;
        eis_split_server_config server = world_server_config(&w, i, &offer);
        server.token = &token;
        world_start(&w, i, &server);
    }
    config = world_client_config(&w, 0);
    assert_int_equal(try_client(&w, &config), EIS_ERR_UNAUTHENTICATED);
    config.token = &wrong;
    assert_int_equal(try_client(&w, &config), EIS_ERR_UNAUTHENTICATED);
    config.token = &token;
    if (try_client(&w, &config) != EIS_OK) fail_msg("%s", eis_error_detail());
    config.pins = NULL; /* CA and name */
    if (try_client(&w, &config) != EIS_OK) fail_msg("%s", eis_error_detail());
    /* A right token in front of servers of another CA tells them nothing: they are refused before it is sent. */
    config.ca_pem = world_span(stranger_ca.cert, stranger_ca.cert_bytes);
    assert_int_equal(try_client(&w, &config), EIS_ERR_TLS);
    config = world_client_config(&w, 0);
    config.token = &token;
    config.cert_pem = world_span(stranger.cert, stranger.cert_bytes);
    config.key_pem = world_span(stranger.key, stranger.key_bytes);
    assert_int_equal(try_client(&w, &config), EIS_ERR_TLS);
    config = world_client_config(&w, 0);
    config.token = &token;
    const eis_tls_pin swapped[2] = {w.pins[1], w.pins[0]};
    config.pins = swapped;
    assert_int_equal(try_client(&w, &config), EIS_ERR_TLS);
    world_close(&w);
    eis_trust_pair_clear(&stranger_ca);
    eis_trust_pair_clear(&stranger);
}

/* One server under two names would hold two shares: the input. */
static void one_key_twice(void **state)
{
    eis_split_client_config config;
    eis_address addresses[2];
    world w;

    (void)state;
    world_open(&w, world_lm(), EIS_SPLIT_P24, 2);
    config = world_client_config(&w, 0);
    config.pins = NULL;
    config.servers = addresses;
    addresses[0] = w.addresses[0];
    addresses[1] = w.addresses[0];
    assert_int_equal(try_client(&w, &config), EIS_ERR_USAGE);
    assert_non_null(strstr(eis_error_detail(), "one key"));
    memcpy(addresses[1].host, "localhost", sizeof "localhost");
    assert_int_equal(try_client(&w, &config), EIS_ERR_USAGE);
    /* With a threshold two servers may be enough, but not two of these three. */
    eis_split_client *client = NULL;
    eis_split_layers layers;
    const eis_split_prepare_options options = {.profile = EIS_SPLIT_F61_20};
    int fd;
    assert_int_equal(eis_split_prepare_in_memory(&layers, &fd, w.model, &options), EIS_OK);
    config.scheme.threshold = 2;
    assert_int_not_equal(eis_split_client_new(&client, w.model, &layers.info, &config), EIS_OK);
    assert_null(client);
    close(fd);
    eis_split_layers_clear(&layers);
    world_close(&w);
}

static void other_weights_and_models(void **state)
{
    eis_split_client_config config;
    eis_part_info info;
    world w;

    (void)state;
    world_open(&w, world_lm(), EIS_SPLIT_P24, 2);
    config = world_client_config(&w, 0);
    config.model_name = "made";
    assert_int_equal(try_client(&w, &config), EIS_OK);
    config.model_name = "other";
    assert_int_equal(try_client(&w, &config), EIS_ERR_MODEL_NOT_FOUND);
    config.model_name = NULL;
    info = w.layers.info;
    info.pack_digest[31] ^= 1;
    eis_split_client *client = NULL;
    assert_int_equal(eis_split_client_new(&client, w.model, &info, &config), EIS_ERR_DIGEST);
    world_close(&w);
}

/* ---- clients that do not keep to the protocol ---- */

typedef struct knocker {
    world w;
    eis_tls *tls;
    eis_stream *stream;
    uint64_t id;
} knocker;

static void knock(knocker *k)
{
    assert_int_equal(eis_net_stream_connect(&k->stream, &k->w.addresses[0], k->tls, WORLD_TIMEOUT_MS, NULL), EIS_OK);
    k->id = 0;
}

static void hang_up(knocker *k)
{
    eis_net_stream_free(k->stream);
    k->stream = NULL;
}

static void open_knocker(knocker *k, eis_split_profile profile, void (*change)(eis_split_server_config *))
{
    eis_split_offer offer;
    eis_split_server_config server;
    eis_tls_client_config tls = {.alpn = EIS_TLS_ALPN_SPLIT};

    memset(k, 0, sizeof *k);
    world_prepare(&k->w, world_lm(), profile, 1);
    server = world_server_config(&k->w, 0, &offer);
    if (change != NULL) change(&server);
    world_start(&k->w, 0, &server);
    tls.ca_pem = world_span(k->w.ca.cert, k->w.ca.cert_bytes);
    tls.cert_pem = world_span(k->w.client.cert, k->w.client.cert_bytes);
    tls.key_pem = world_span(k->w.client.key, k->w.client.key_bytes);
    assert_int_equal(eis_net_tls_client_new(&k->tls, &tls), EIS_OK);
}

static void close_knocker(knocker *k)
{
    hang_up(k);
    eis_net_tls_free(k->tls);
    world_close(&k->w);
}

static eis_status say_hello(knocker *k, void (*change)(eis_split_hello *))
{
    uint8_t planes[9] = {0};
    eis_split_hello hello = {.version_min = 1,
                             .version_max = 1,
                             .profile = (uint8_t)k->w.pack->profile,
                             .sharing = EIS_SPLIT_ADDITIVE,
                             .share_index = 1,
                             .payload_bytes_max = 1 << 16,
                             .batch_classes = {1},
                             .class_count = 1,
                             .planes = planes,
                             .layer_count = 9};
    eis_stream_frame frame;
    eis_split_error error;
    eis_writer w;

    memcpy(hello.pack_digest, k->w.pack->digest, sizeof hello.pack_digest);
    if (change != NULL) change(&hello);
    eis_wire_writer_init(&w, 1 << 16);
    eis_split_hello_write(&w, &hello);
    assert_int_equal(eis_wire_writer_status(&w), EIS_OK);
    assert_int_equal(world_send(k->stream, &(eis_frame_header){.type = EIS_SPLIT_HELLO}, w.data, w.bytes), EIS_OK);
    eis_wire_writer_clear(&w);
    assert_int_equal(eis_net_stream_recv(&frame, k->stream, WORLD_TIMEOUT_MS), EIS_OK);
    eis_net_stream_limit(k->stream, 1 << 20);
    if (frame.header.type == EIS_SPLIT_HELLO_ACK) return EIS_OK;
    assert_int_equal(frame.header.type, EIS_SPLIT_ERROR);
    assert_int_equal(eis_split_error_read(&error, frame.payload.data, frame.payload.bytes), EIS_OK);
    return error.status;
}

/* Sends a request and returns what it was answered: EIS_OK for a RESULT (or PING). */
static eis_status request(knocker *k, eis_frame_header header, const void *data, size_t bytes)
{
    eis_stream_frame frame;
    eis_split_error error;
    eis_status st;

    if (header.request_id == 0) header.request_id = ++k->id;
    if (world_send(k->stream, &header, data, bytes) != EIS_OK) return EIS_ERR_CLOSED;
    st = eis_net_stream_recv(&frame, k->stream, WORLD_TIMEOUT_MS);
    if (st != EIS_OK) return st;
    if (frame.header.type != EIS_SPLIT_ERROR) {
        assert_int_equal(frame.header.request_id, header.request_id);
        assert_int_equal(frame.header.type, header.type == EIS_SPLIT_PING ? EIS_SPLIT_PING : EIS_SPLIT_RESULT);
        return EIS_OK;
    }
    assert_int_equal(frame.header.layer, 0);
    assert_int_equal(frame.header.batch, 0);
    assert_int_equal(eis_split_error_read(&error, frame.payload.data, frame.payload.bytes), EIS_OK);
    return error.status;
}

static bool is_over(knocker *k)
{
    eis_stream_frame frame;
    eis_status st;

    do st = eis_net_stream_recv(&frame, k->stream, WORLD_TIMEOUT_MS);
    while (st == EIS_OK);
    return st == EIS_ERR_CLOSED || st == EIS_ERR_IO || st == EIS_ERR_TLS;
}

static void wrong_layers(eis_split_hello *hello) { hello->layer_count = 8; }
static void wrong_digest(eis_split_hello *hello) { hello->pack_digest[0] ^= 1; }
static void wrong_model(eis_split_hello *hello) { memcpy(hello->model, "nobody", 7); }

static void hellos_that_are_refused(void **state)
{
    static const uint8_t garbage[40] = {1, 0, 1};
    knocker k;

    (void)state;
    open_knocker(&k, EIS_SPLIT_F61_20, NULL);
    knock(&k);
    assert_int_equal(say_hello(&k, wrong_layers), EIS_ERR_SHAPE);
    assert_true(is_over(&k));
    hang_up(&k);
    knock(&k);
    assert_int_equal(say_hello(&k, wrong_digest), EIS_ERR_DIGEST);
    hang_up(&k);
    knock(&k);
    assert_int_equal(say_hello(&k, wrong_model), EIS_ERR_MODEL_NOT_FOUND);
    hang_up(&k);
    knock(&k);
    assert_int_equal(request(&k, (eis_frame_header){.type = EIS_SPLIT_PING, .request_id = 1}, NULL, 0),
                     EIS_ERR_PROTOCOL);
    assert_true(is_over(&k));
    hang_up(&k);
    knock(&k);
    assert_int_equal(world_send(k.stream, &(eis_frame_header){.type = EIS_SPLIT_HELLO}, garbage, sizeof garbage),
                     EIS_OK);
    assert_true(is_over(&k));
    hang_up(&k);
    knock(&k);
    assert_int_equal(say_hello(&k, NULL), EIS_OK); /* the server has seen worse and lives */
    close_knocker(&k);
}

/* Faults of single requests leave the connection alive; faults of the stream end it. */
static void requests_that_are_refused(void **state)
{
    static const uint8_t words[12 * 8] = {1}, seed[32] = {2}, large[70000] = {0};
    uint8_t beyond[12 * 8], masks[4 + 32] = {2};
    knocker k;

    (void)state;
    memset(beyond, 0xff, sizeof beyond);
    open_knocker(&k, EIS_SPLIT_F61_20, NULL);
    knock(&k);
    assert_int_equal(say_hello(&k, NULL), EIS_OK);
    assert_int_equal(request(&k, (eis_frame_header){.type = EIS_SPLIT_EVAL_WORDS, .batch = 1}, words, sizeof words),
                     EIS_OK);
    assert_int_equal(request(&k, (eis_frame_header){.type = EIS_SPLIT_EVAL_WORDS, .batch = 1}, words, sizeof words - 8),
                     EIS_ERR_SHAPE);
    assert_int_equal(request(&k, (eis_frame_header){.type = EIS_SPLIT_EVAL_WORDS, .batch = 2}, words, sizeof words),
                     EIS_ERR_SHAPE);
    assert_int_equal(
        request(&k, (eis_frame_header){.type = EIS_SPLIT_EVAL_WORDS, .batch = 1, .layer = 9}, words, sizeof words),
        EIS_ERR_LAYER_NOT_FOUND);
    assert_int_equal(request(&k, (eis_frame_header){.type = EIS_SPLIT_EVAL_WORDS, .batch = 1, .truncated_bits = 29},
                             words, sizeof words),
                     EIS_ERR_UNSUPPORTED);
    assert_int_equal(request(&k, (eis_frame_header){.type = EIS_SPLIT_EVAL_SEED, .batch = 1, .suite = 9}, seed, 32),
                     EIS_ERR_UNSUPPORTED);
    assert_int_equal(request(&k, (eis_frame_header){.type = EIS_SPLIT_EVAL_SEED, .batch = 1, .suite = 2}, seed, 32),
                     EIS_ERR_PARSE);
    assert_int_equal(request(&k, (eis_frame_header){.type = EIS_SPLIT_EVAL_SEED, .batch = 1, .suite = 1}, seed, 32),
                     EIS_OK);
    /* 32 bytes that ask for 12 MB of words and 25 MB of answer: refused before anything is expanded. */
    assert_int_equal(request(&k, (eis_frame_header){.type = EIS_SPLIT_EVAL_SEED, .batch = 65535, .suite = 1}, seed, 32),
                     EIS_ERR_TOO_LARGE);
    assert_int_equal(
        request(&k, (eis_frame_header){.type = EIS_SPLIT_MASKS, .batch = 1, .suite = 1}, masks, sizeof masks),
        EIS_ERR_PARSE);
    assert_int_equal(request(&k, (eis_frame_header){.type = EIS_SPLIT_PING}, NULL, 0), EIS_OK);
    /* An id that does not rise. */
    assert_int_equal(request(&k, (eis_frame_header){.type = EIS_SPLIT_PING, .request_id = 1}, NULL, 0),
                     EIS_ERR_PROTOCOL);
    assert_true(is_over(&k));
    hang_up(&k);
    knock(&k);
    assert_int_equal(say_hello(&k, NULL), EIS_OK);
    assert_int_equal(request(&k, (eis_frame_header){.type = EIS_SPLIT_EVAL_WORDS, .batch = 1}, beyond, sizeof beyond),
                     EIS_ERR_PROTOCOL);
    assert_true(is_over(&k));
    hang_up(&k);
    knock(&k);
    assert_int_equal(say_hello(&k, NULL), EIS_OK); /* 65,536 bytes are agreed */
    assert_int_equal(request(&k, (eis_frame_header){.type = EIS_SPLIT_EVAL_WORDS, .batch = 1}, large, sizeof large),
                     EIS_ERR_TOO_LARGE);
    close_knocker(&k);
}

static void short_patience(eis_split_server_config *config)
{
    config->idle_timeout_ms = 100;
    config->read_timeout_ms = 100;
    config->connections_max = 2;
}

/* Whoever connects and says nothing may not hold a place for ever, and nobody gets more places than there are. */
static void places_are_limited(void **state)
{
    eis_stream *second = NULL, *third = NULL;
    eis_stream_frame frame;
    knocker k;

    (void)state;
    open_knocker(&k, EIS_SPLIT_F61_20, short_patience);
    knock(&k); /* no HELLO */
    assert_true(is_over(&k));
    hang_up(&k);
    knock(&k);
    assert_int_equal(say_hello(&k, NULL), EIS_OK); /* and then nothing: CLOSE */
    assert_int_equal(eis_net_stream_recv(&frame, k.stream, WORLD_TIMEOUT_MS), EIS_OK);
    assert_int_equal(frame.header.type, EIS_SPLIT_CLOSE);
    assert_true(is_over(&k));
    hang_up(&k);
    knock(&k);
    assert_int_equal(eis_net_stream_connect(&second, &k.w.addresses[0], k.tls, WORLD_TIMEOUT_MS, NULL), EIS_OK);
    assert_int_not_equal(eis_net_stream_connect(&third, &k.w.addresses[0], k.tls, WORLD_TIMEOUT_MS, NULL), EIS_OK);
    eis_net_stream_free(second);
    close_knocker(&k);
}

static void one_at_a_time(eis_split_server_config *config) { config->in_flight_max = 1; }

/* A server that drains answers what it has, says good-bye and takes no more. */
static void draining(void **state)
{
    static const uint8_t words[12 * 8] = {1};
    eis_stream_frame frame;
    knocker k;

    (void)state;
    open_knocker(&k, EIS_SPLIT_F61_20, one_at_a_time);
    knock(&k);
    assert_int_equal(say_hello(&k, NULL), EIS_OK);
    assert_int_equal(request(&k, (eis_frame_header){.type = EIS_SPLIT_EVAL_WORDS, .batch = 1}, words, sizeof words),
                     EIS_OK);
    assert_true(eis_split_server_drain(k.w.servers[0], WORLD_TIMEOUT_MS));
    assert_int_equal(eis_net_stream_recv(&frame, k.stream, WORLD_TIMEOUT_MS), EIS_OK);
    assert_int_equal(frame.header.type, EIS_SPLIT_CLOSE);
    assert_true(is_over(&k));
    hang_up(&k);
    assert_int_not_equal(eis_net_stream_connect(&k.stream, &k.w.addresses[0], k.tls, 1000, NULL), EIS_OK);
    close_knocker(&k);
}

/* ---- shortage ---- */

#define SWEEP_MAX 400

/* Memory may run out anywhere in a call: the call fails, nothing leaks, and the next one gives the right answer. A call
 * that needs no memory any more, since the work space is kept, ends the sweep. */
static void sweep_allocations(size_t threshold)
{
    double x[2 * 24], y[2 * 12], good[2 * 12];
    eis_split_client_config config;
    eis_split_client *client;
    eis_linear_backend seam;
    unsigned long n, failed = 0;
    eis_status st = EIS_ERR_MEMORY;
    world w;

    for (size_t i = 0; i < 2 * 24; i++) x[i] = (double)i / 7 - 1;
    world_open(&w, world_lm(), EIS_SPLIT_F61_20, 3);
    config = world_client_config(&w, threshold);
    config.verifier = world_verifier(&w);
    config.pad_batches = true;
    client = world_connect(&w, &config);
    seam = eis_split_client_seam(client);
    assert_int_equal(seam.apply(seam.ctx, 1, good, x, 2), EIS_OK);
    eis_split_client_free(client);
    client = world_connect(&w, &config); /* without the memory that the first one keeps */
    seam = eis_split_client_seam(client);
    for (n = 1; n < SWEEP_MAX && st != EIS_OK; n++) {
        (void)eis_mem_fail_at(n);
        st = seam.apply(seam.ctx, 1, y, x, 2);
        (void)eis_mem_fail_at(0);
        if (st != EIS_OK && st != EIS_ERR_MEMORY) fail_msg("allocation %lu: status %d, %s", n, st, eis_error_detail());
        failed += st != EIS_OK;
    }
    assert_true(n < SWEEP_MAX);
    assert_true(failed > 5);
    assert_memory_equal(y, good, sizeof good);
    assert_int_equal(seam.apply(seam.ctx, 1, y, x, 2), EIS_OK);
    assert_memory_equal(y, good, sizeof good);
    eis_split_client_free(client);
    world_close(&w);
}

static void every_allocation_of_a_call(void **state)
{
    (void)state;
    sweep_allocations(0);
    sweep_allocations(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credentials),
        cmocka_unit_test(one_key_twice),
        cmocka_unit_test(other_weights_and_models),
        cmocka_unit_test(hellos_that_are_refused),
        cmocka_unit_test(requests_that_are_refused),
        cmocka_unit_test(places_are_limited),
        cmocka_unit_test(draining),
        cmocka_unit_test(every_allocation_of_a_call),
    };

    return cmocka_run_group_tests(tests, world_quiet, NULL);
}
