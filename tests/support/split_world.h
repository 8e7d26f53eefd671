/* SPDX-License-Identifier: Apache-2.0 */
/* Split servers and clients in one process, over real sockets: made models, a throw-away CA, a certificate per server.
 */
#ifndef EIS_TESTS_SUPPORT_SPLIT_WORLD_H
#define EIS_TESTS_SUPPORT_SPLIT_WORLD_H

#include "unit/model/made_lm.h"

#include "base/log.h"
#include "engine/split/pack.h"
#include "engine/split/prepare.h"
#include "model/classifier.h"
#include "model/plain.h"
#include "net/stream.h"
#include "service/split_client.h"
#include "service/split_server.h"
#include "trust/ca.h"

#define WORLD_SERVERS_MAX 5
#define WORLD_TIMEOUT_MS  20000u

/* ---- models ---- */

/* Makes a Llama-like model with weights in memory. */
static inline eis_model *world_lm(void)
{
    made_lm *m = made_lm_new(false, false, false, false);
    char directory[256];
    eis_model *model = NULL;

    fixture_directory(directory);
    made_hf(m, directory, "F32", true);
    assert_int_equal(eis_model_open(&model, directory, NULL), EIS_OK);
    fixture_remove(directory, made_hf_names());
    free(m);
    return model;
}

/* Makes a classifier: conv 3x3 of 2 channels with padding, relu, flatten, linear; 1 x 6 x 5 -> 4 classes. */
static inline eis_model *world_classifier(void)
{
    static const char json[] =
        "{\"format\":\"eis-classifier/1\",\"name\":\"made\",\"input\":{\"shape\":[1,6,5]},\"layers\":["
        "{\"op\":\"conv2d\",\"name\":\"conv\",\"weight\":\"cw\",\"bias\":\"cb\",\"in\":1,\"out\":2,\"kernel\":[3,3],"
        "\"stride\":[1,1],"
        "\"padding\":[1,1]},{\"op\":\"relu\"},{\"op\":\"flatten\"},"
        "{\"op\":\"linear\",\"name\":\"fc\",\"weight\":\"fw\",\"bias\":\"fb\",\"in\":60,\"out\":4}]}";
    static const char *const names[] = {"model.json", "model.safetensors", NULL};
    double cw[18], cb[2], fw[240], fb[4];
    uint64_t seed = 5;
    fixture_tensors *t = fixture_tensors_new();
    char directory[256];
    eis_model *model = NULL;

    fixture_fill(cw, 18, 1, &seed);
    fixture_fill(cb, 2, 1, &seed);
    fixture_fill(fw, 240, 1, &seed);
    fixture_fill(fb, 4, 1, &seed);
    fixture_tensor_add(t, "cw", "F32", 2, 9, cw);
    fixture_tensor_add(t, "cb", "F32", 0, 2, cb);
    fixture_tensor_add(t, "fw", "F32", 4, 60, fw);
    fixture_tensor_add(t, "fb", "F32", 0, 4, fb);
    fixture_directory(directory);
    fixture_write_text(directory, "model.json", json);
    fixture_tensors_write(t, directory, "model.safetensors");
    assert_int_equal(eis_model_open(&model, directory, NULL), EIS_OK);
    fixture_remove(directory, names);
    free(t);
    return model;
}

/* ---- servers ---- */

typedef struct world {
    eis_model *model;
    eis_split_layers layers;
    int pack_fd;
    eis_pack *pack;
    eis_trust_pair ca, client, leaves[WORLD_SERVERS_MAX];
    eis_split_server *servers[WORLD_SERVERS_MAX];
    eis_address addresses[WORLD_SERVERS_MAX];
    eis_tls_pin pins[WORLD_SERVERS_MAX];
    eis_split_verifier *verifier;
    size_t count;
} world;

static inline eis_span world_span(const char *text, size_t bytes) { return (eis_span){(const uint8_t *)text, bytes}; }

static inline void world_identity(eis_trust_pair *pair, const eis_trust_pair *ca, bool server)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost"};
    const eis_trust_leaf_literal literal = {
        .name = "test", .hosts = hosts, .host_count = server ? 2 : 0, .server = server, .client = !server};

    assert_int_equal(eis_trust_leaf_make(pair, ca, &literal), EIS_OK);
}

/* Gives the config of server i; a test changes it and starts the server. */
static inline eis_split_server_config world_server_config(world *w, size_t i, eis_split_offer *offer)
{
    eis_split_server_config config = {.offers = offer, .offer_count = 1, .listen = {.host = "127.0.0.1"}};

    *offer = (eis_split_offer){.name = "made", .pack = w->pack};
    config.tls.cert_pem = world_span(w->leaves[i].cert, w->leaves[i].cert_bytes);
    config.tls.key_pem = world_span(w->leaves[i].key, w->leaves[i].key_bytes);
    config.tls.client_ca_pem = world_span(w->ca.cert, w->ca.cert_bytes);
    return config;
}

static inline void world_start(world *w, size_t i, const eis_split_server_config *config)
{
    eis_address http;

    if (eis_split_server_start(&w->servers[i], config) != EIS_OK) fail_msg("server %zu: %s", i, eis_error_detail());
    eis_split_server_addresses(&w->addresses[i], &http, w->servers[i]);
}

/* Prepares a model (taken over) and makes papers for `count` servers, starting none. */
static inline void world_prepare(world *w, eis_model *model, eis_split_profile profile, size_t count)
{
    const eis_split_prepare_options options = {.profile = profile};
    const eis_trust_ca_literal ca = {0};

    *w = (world){.model = model, .count = count};
    assert_int_equal(eis_split_prepare_in_memory(&w->layers, &w->pack_fd, model, &options), EIS_OK);
    assert_int_equal(eis_pack_open_fd(&w->pack, w->pack_fd, "made pack", true), EIS_OK);
    assert_int_equal(eis_trust_ca_make(&w->ca, &ca), EIS_OK);
    world_identity(&w->client, &w->ca, false);
    for (size_t i = 0; i < count; i++) {
        world_identity(&w->leaves[i], &w->ca, true);
        assert_int_equal(eis_net_tls_pin_of_pem(&w->pins[i], world_span(w->leaves[i].cert, w->leaves[i].cert_bytes)),
                         EIS_OK);
    }
}

/* The same, and starts them all. */
static inline void world_open(world *w, eis_model *model, eis_split_profile profile, size_t count)
{
    world_prepare(w, model, profile, count);
    for (size_t i = 0; i < count; i++) {
        eis_split_offer offer;
        const eis_split_server_config config = world_server_config(w, i, &offer);
        world_start(w, i, &config);
    }
}

static inline void world_stop(world *w, size_t i)
{
    eis_split_server_free(w->servers[i]);
    w->servers[i] = NULL;
}

static inline void world_close(world *w)
{
    for (size_t i = 0; i < w->count; i++) {
        world_stop(w, i);
        eis_trust_pair_clear(&w->leaves[i]);
    }
    eis_split_verifier_free(w->verifier);
    eis_trust_pair_clear(&w->ca);
    eis_trust_pair_clear(&w->client);
    eis_pack_free(w->pack);
    close(w->pack_fd);
    eis_split_layers_clear(&w->layers);
    eis_model_free(w->model);
}

/* ---- clients ---- */

static inline eis_split_client_config world_client_config(const world *w, size_t threshold)
{
    return (eis_split_client_config){.servers = w->addresses,
                                     .pins = w->pins,
                                     .ca_pem = world_span(w->ca.cert, w->ca.cert_bytes),
                                     .cert_pem = world_span(w->client.cert, w->client.cert_bytes),
                                     .key_pem = world_span(w->client.key, w->client.key_bytes),
                                     .scheme = {.servers = w->count, .threshold = threshold},
                                     .timeout_ms = WORLD_TIMEOUT_MS,
                                     .connect_timeout_ms = WORLD_TIMEOUT_MS};
}

static inline eis_split_client *world_connect(const world *w, const eis_split_client_config *config)
{
    eis_split_client *client = NULL;

    if (eis_split_client_new(&client, w->model, &w->layers.info, config) != EIS_OK)
        fail_msg("client: %s", eis_error_detail());
    return client;
}

static inline eis_split_client *world_client(const world *w, size_t threshold)
{
    const eis_split_client_config config = world_client_config(w, threshold);

    return world_connect(w, &config);
}

static inline eis_split_verifier *world_verifier(world *w)
{
    assert_int_equal(eis_split_verifier_new(&w->verifier, w->pack, w->layers.info.pack_digest), EIS_OK);
    return w->verifier;
}

/* ---- runs ---- */

#define WORLD_IDS    8
#define WORLD_LOGITS 29
static const uint32_t world_ids[WORLD_IDS] = {3, 17, 28, 0, 17, 5, 9, 22};

/* Feeds a prompt of five ids and then three more one by one, and keeps the logits of each step: [4][WORLD_LOGITS]. */
static inline eis_status world_generate(double *logits, const eis_model *model, eis_linear_backend backend)
{
    eis_lm_session *session = NULL;
    eis_status st = EIS_OK;
    double *at = logits;

    assert_int_equal(eis_lm_session_new(&session, model, 12), EIS_OK);
    st = eis_lm_feed(session, at, &backend, world_ids, 5);
    for (size_t i = 5; i < WORLD_IDS && st == EIS_OK; i++) {
        at += WORLD_LOGITS;
        st = eis_lm_feed(session, at, &backend, &world_ids[i], 1);
    }
    eis_lm_session_free(session);
    return st;
}

#define WORLD_STEPS 4

static inline void world_generate_plain(double *logits, const eis_model *model)
{
    eis_plain_backend *plain = NULL;

    assert_int_equal(eis_plain_backend_new(&plain, model, NULL), EIS_OK);
    assert_int_equal(world_generate(logits, model, eis_plain_backend_seam(plain)), EIS_OK);
    eis_plain_backend_free(plain);
}

/* |a - b| / |b| */
static inline double world_distance(const double *a, const double *b, size_t count)
{
    double difference = 0, size = 0;

    for (size_t i = 0; i < count; i++) {
        difference += (a[i] - b[i]) * (a[i] - b[i]);
        size += b[i] * b[i];
    }
    return sqrt(difference / size);
}

/* One frame with its payload in one piece. */
static inline eis_status world_send(eis_stream *stream, const eis_frame_header *header, const void *data, size_t bytes)
{
    const eis_span part = {data, bytes};

    return eis_net_stream_send(stream, header, &part, 1);
}

/* A group's setup: what peers do wrong here need not be read. */
static inline int world_quiet(void **state)
{
    (void)state;
    eis_log_configure(EIS_LOG_ERROR, false);
    return 0;
}

#endif
