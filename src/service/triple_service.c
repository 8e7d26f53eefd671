/* SPDX-License-Identifier: Apache-2.0 */
#include "service/triple_service.h"

#include "base/cpu.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/listener.h"
#include "service/mpc_model.h"
#include "service/triple_units.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define SESSIONS_MAX_DEFAULT 16
#define WAIT_FOREVER         EIS_STREAM_WAIT_FOREVER

#define POOL_MIN_DEFAULT       4
#define POOL_TARGET_DEFAULT    16
#define WAIT_MS_DEFAULT        30000
#define POOL_BYTES_MAX_DEFAULT ((uint64_t)2 << 30)

/* ---- sessions ---- */

static void free_dealt(eis_triple_dealt *d)
{
    eis_triple_units_stop(d);
    eis_triple_account_leave(d);
    eis_mpc_corrections_clear(&d->load);
    eis_mpc_cache_clear(&d->masks);
    eis_mpc_dealer_clear(&d->dealer);
    eis_mpc_session_clear(&d->session);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    eis_mem_free(d);
}

/* Takes a session for a connection, or NULL. */
static eis_triple_dealt *take(eis_triple_service *service, uint64_t number)
{
    eis_triple_dealt *d;

    pthread_mutex_lock(&service->lock);
    for (d = service->sessions; d != NULL && (d->number != number || d->over); d = d->next) {}
    if (d != NULL) d->users++;
    pthread_mutex_unlock(&service->lock);
    return d;
}

/* Gives it back; the last one of a session that is over wipes it. */
static void give_back(eis_triple_service *service, eis_triple_dealt *d, bool over)
{
    eis_triple_dealt **at;

    if (over) eis_triple_units_close(d);
    pthread_mutex_lock(&service->lock);
    d->over |= over;
    d->users--;
    if (d->users > 0 || !d->over) d = NULL;
    if (d != NULL) {
        for (at = &service->sessions; *at != d; at = &(*at)->next) {}
        *at = d->next;
        service->session_count--;
    }
    pthread_mutex_unlock(&service->lock);
    if (d != NULL) free_dealt(d);
}

static eis_status deal_load(eis_triple_dealt *d)
{
    eis_status st = EIS_OK;
    uint32_t count;
    const eis_mpc_matrix_shape *shapes = eis_mpc_model_shapes(&count, &d->session);

    EIS_TRY(eis_mpc_dealer_init(&d->dealer, d->session.party_count));
    if (d->session.master_mask != 0) {
        eis_log(EIS_LOG_WARN, "insecure", "%s: dealer.master_mask is on, and nothing is hidden", d->session.id);
        EIS_TRY(eis_mpc_dealer_master(&d->dealer, d->session.master_mask));
    }
    EIS_TRY(eis_mpc_cache_init(&d->masks, eis_mpc_model_slot_count(&d->session)));
    EIS_TRY(eis_mpc_deal_load(&d->dealer, &d->load, shapes, count));
    if (d->session.tests.level > 0) EIS_TRY(eis_mpc_deal_test_load(&d->load, &d->dealer));
out:
    return st;
}

static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t clock;

    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &clock);
    pthread_condattr_destroy(&clock);
}

/* Makes a session from its document; it belongs to the coordinator's connection that asked for it. */
static eis_status create(eis_triple_dealt **made, eis_triple_service *service, eis_reader *r, const eis_tls_pin *caller)
{
    eis_status st = EIS_OK;
    eis_triple_dealt *d = NULL, *other;
    size_t bytes;
    const uint8_t *document;
    bool full = false, twice = false;

    (void)eis_wire_reader_u32(r);
    bytes = eis_wire_reader_remaining(r);
    document = eis_wire_reader_bytes(r, bytes);
    EIS_TRY(eis_wire_reader_status(r));
    EIS_NEW(d, 1);
    pthread_mutex_init(&d->lock, NULL);
    init_condition(&d->changed);
    d->service = service;
    d->sampling.top_k = 1;
    EIS_TRY(eis_mpc_session_read(&d->session, document, bytes));
    EIS_REQUIRE(memcmp(&d->session.coordinator, caller, sizeof *caller) == 0, EIS_ERR_FORBIDDEN,
                "the session names another coordinator");
    d->number = eis_mpc_session_number(&d->session);
    EIS_TRY(deal_load(d));
    EIS_TRY(eis_triple_account_join(d));
    EIS_TRY(eis_triple_units_start(d));
    pthread_mutex_lock(&service->lock);
    for (other = service->sessions; other != NULL; other = other->next) twice |= other->number == d->number;
    full = service->session_count >= service->sessions_max;
    if (!full && !twice) {
        d->users = 1;
        d->next = service->sessions;
        service->sessions = d;
        service->session_count++;
        *made = d;
    }
    pthread_mutex_unlock(&service->lock);
    EIS_REQUIRE(!twice, EIS_ERR_FORBIDDEN, "there is such a session already");
    EIS_REQUIRE(!full, EIS_ERR_BUSY, "the Triple Service has %u sessions", service->sessions_max);
    d = NULL;
out:
    if (d != NULL) free_dealt(d);
    return st;
}

static eis_status serve_unit(eis_triple_dealt *d, eis_stream *stream, eis_reader *r)
{
    eis_status st = EIS_OK;
    eis_mpc_corrections c = {0};
    eis_triple_request request = {0};

    request.kind = eis_wire_reader_u8(r);
    request.step = eis_wire_reader_u64(r);
    request.position = eis_wire_reader_u32(r);
    EIS_TRY(eis_mpc_sampling_read(r, &request.sampling));
    request.count = eis_wire_reader_u32(r);
    EIS_TRY(eis_wire_reader_end(r));
    st = eis_triple_units_take(&c, d, &request);
    if (st == EIS_ERR_TRIPLES_EXHAUSTED) {
        st = eis_mpc_send(stream, EIS_MPC_MESSAGE_DRY, d->number, NULL, NULL, 0);
        goto out;
    }
    if (st != EIS_OK) goto out;
    EIS_TRY(eis_mpc_send(stream, EIS_MPC_MESSAGE_UNIT_IS, d->number, NULL, c.words, c.count));
out:
    eis_mpc_corrections_clear(&c);
    return st;
}

/* ---- who calls ---- */

static bool pin_is(const eis_tls_pin *pin, const eis_tls_pin *named) { return memcmp(pin, named, sizeof *pin) == 0; }

static eis_status note_tested(eis_triple_dealt *d, eis_reader *r)
{
    eis_status st = EIS_OK;
    bool passed = eis_wire_reader_u8(r) != 0;

    EIS_TRY(eis_wire_reader_end(r));
    eis_triple_count_add(d, passed ? EIS_TRIPLE_PASSED : EIS_TRIPLE_FAILED, 1);
out:
    return st;
}

/* A party: its seed, once; then units, for the last one. */
static eis_status serve_party(eis_triple_dealt *d, eis_stream *stream, const eis_tls_pin *pin, uint32_t index)
{
    eis_status st = EIS_OK;
    eis_writer w;
    eis_reader r;
    eis_stream_frame frame;
    bool again;

    eis_wire_writer_init(&w, 4096);
    EIS_REQUIRE(index < d->session.party_count && pin_is(pin, &d->session.party[index].pin), EIS_ERR_FORBIDDEN,
                "the session names another key for party %u", index);
    pthread_mutex_lock(&d->lock);
    again = d->seeded[index];
    d->seeded[index] = true;
    pthread_mutex_unlock(&d->lock);
    EIS_REQUIRE(!again, EIS_ERR_FORBIDDEN, "party %u has its seed already", index);
    eis_wire_writer_bytes(&w, d->dealer.seed[index], EIS_MPC_SEED_BYTES);
    EIS_TRY(eis_mpc_send(stream, EIS_MPC_MESSAGE_WELCOME, d->number, &w, NULL, 0));
    for (;;) {
        EIS_TRY(eis_net_stream_recv(&frame, stream, WAIT_FOREVER));
        if (frame.header.type == EIS_MPC_MESSAGE_CLOSE) break;
        EIS_REQUIRE(index + 1 == d->session.party_count, EIS_ERR_FORBIDDEN, "units are for the last party");
        if (frame.header.type == EIS_MPC_MESSAGE_TESTED) {
            EIS_TRY(eis_mpc_open_frame(&r, &frame, EIS_MPC_MESSAGE_TESTED, d->number));
            EIS_TRY(note_tested(d, &r));
            continue;
        }
        EIS_TRY(eis_mpc_open_frame(&r, &frame, EIS_MPC_MESSAGE_UNIT, d->number));
        EIS_TRY(serve_unit(d, stream, &r));
    }
out:
    eis_wire_writer_clear(&w);
    return st;
}

/* The keys of one input's masks, once and in rising order; weights to the owner of the model, tokens to that of the
 * prompt. */
static eis_status give_keys(eis_writer *w, eis_triple_dealt *d, const eis_tls_pin *pin, unsigned purpose,
                            uint64_t number)
{
    eis_status st = EIS_OK;
    uint8_t key[EIS_MPC_SEED_BYTES];
    uint32_t matrices;
    bool weights = purpose == EIS_MPC_PURPOSE_WEIGHTS, vector = purpose == EIS_MPC_PURPOSE_INPUT && number >> 16 == 0;

    EIS_REQUIRE(weights || purpose == EIS_MPC_PURPOSE_INPUT, EIS_ERR_FORBIDDEN, "these are no masks of an input");
    EIS_REQUIRE(pin_is(pin, weights || vector ? &d->session.model_owner : &d->session.prompt_owner), EIS_ERR_FORBIDDEN,
                "the session names another owner");
    (void)eis_mpc_model_shapes(&matrices, &d->session);
    if (weights) {
        EIS_REQUIRE(number == d->keys_given && number < matrices, EIS_ERR_FORBIDDEN,
                    "keys of masks are given once, in order");
        d->keys_given++;
    } else {
        EIS_REQUIRE(number >= d->input_given_before, EIS_ERR_FORBIDDEN, "keys of masks are given once, in order");
        d->input_given_before = number + 1;
    }
    for (uint32_t p = 0; p < d->session.party_count; p++) {
        EIS_TRY(eis_mpc_stream_key(key, d->dealer.seed[p], (eis_mpc_purpose)purpose, number));
        eis_wire_writer_bytes(w, key, sizeof key);
    }
out:
    eis_mem_wipe(key, sizeof key);
    return st;
}

static eis_status send_counters(eis_stream *stream, eis_triple_dealt *d)
{
    eis_status st;
    eis_mpc_counters counters = {0};
    eis_writer w;

    pthread_mutex_lock(&d->lock);
    counters.units = d->units;
    counters.unit_words = d->unit_words;
    pthread_mutex_unlock(&d->lock);
    eis_wire_writer_init(&w, 2 * sizeof counters);
    eis_mpc_counters_write(&w, &counters);
    st = eis_mpc_send(stream, EIS_MPC_MESSAGE_COUNTED, d->number, &w, NULL, 0);
    eis_wire_writer_clear(&w);
    return st;
}

static eis_status serve_owner(eis_triple_dealt *d, eis_stream *stream, const eis_tls_pin *pin)
{
    eis_status st = EIS_OK;
    eis_writer w;
    eis_reader r;
    eis_stream_frame frame;

    eis_wire_writer_init(&w, 4096);
    EIS_REQUIRE(pin_is(pin, &d->session.model_owner) || pin_is(pin, &d->session.prompt_owner), EIS_ERR_FORBIDDEN,
                "the session names other owners");
    EIS_TRY(eis_mpc_send(stream, EIS_MPC_MESSAGE_WELCOME, d->number, NULL, NULL, 0));
    for (;;) {
        unsigned purpose;
        uint64_t number;
        EIS_TRY(eis_net_stream_recv(&frame, stream, WAIT_FOREVER));
        if (frame.header.type == EIS_MPC_MESSAGE_CLOSE) break;
        if (frame.header.type == EIS_MPC_MESSAGE_COUNT) {
            EIS_TRY(send_counters(stream, d));
            continue;
        }
        EIS_TRY(eis_mpc_open_frame(&r, &frame, EIS_MPC_MESSAGE_KEYS, d->number));
        purpose = eis_wire_reader_u8(&r);
        number = eis_wire_reader_u64(&r);
        EIS_TRY(eis_wire_reader_end(&r));
        pthread_mutex_lock(&d->lock);
        st = give_keys(&w, d, pin, purpose, number);
        pthread_mutex_unlock(&d->lock);
        if (st != EIS_OK) goto out;
        EIS_TRY(eis_mpc_send(stream, EIS_MPC_MESSAGE_KEYS_ARE, d->number, &w, NULL, 0));
    }
out:
    eis_wire_writer_clear(&w);
    return st;
}

/* Tells a coordinator what was counted of its own sessions. Any certificate of the CA makes a coordinator, so how busy
 * others are is not for everybody who is one. A coordinator that has had no session yet is refused too, and that is no
 * failure worth a line of the log. */
static eis_status send_stats(eis_stream *stream, eis_triple_service *service, const eis_tls_pin *pin)
{
    eis_status st = EIS_OK;
    eis_mpc_pool_stats stats;
    eis_writer w;

    if (!eis_triple_counts_read(&stats, service, pin)) {
        st = eis_fail(EIS_ERR_FORBIDDEN, "counts are for coordinators of sessions, and no session here has named your "
                                         "key as its coordinator");
        eis_mpc_send_failure(stream, 0, st);
        return EIS_ERR_CLOSED;
    }
    eis_wire_writer_init(&w, 2 * sizeof stats);
    eis_mpc_pool_stats_write(&w, &stats);
    EIS_TRY(eis_mpc_send(stream, EIS_MPC_MESSAGE_STATS_ARE, 0, &w, NULL, 0));
out:
    eis_wire_writer_clear(&w);
    return st;
}

/* A coordinator: may ask what the service has counted of its sessions; makes a session, which lives as long as this
 * connection. */
static eis_status serve_coordinator(eis_triple_service *service, eis_stream *stream, const eis_tls_pin *pin)
{
    eis_status st = EIS_OK;
    eis_stream_frame frame;
    eis_reader r;
    eis_triple_dealt *d = NULL;

    EIS_TRY(eis_mpc_send(stream, EIS_MPC_MESSAGE_WELCOME, 0, NULL, NULL, 0));
    for (;;) {
        EIS_TRY(eis_net_stream_recv(&frame, stream, WAIT_FOREVER));
        if (frame.header.type != EIS_MPC_MESSAGE_STATS) break;
        EIS_TRY(send_stats(stream, service, pin));
    }
    EIS_TRY(eis_mpc_open_frame(&r, &frame, EIS_MPC_MESSAGE_CREATE, 0));
    EIS_TRY(create(&d, service, &r, pin));
    EIS_ASSERT(d != NULL);
    EIS_TRY(eis_mpc_send(stream, EIS_MPC_MESSAGE_CREATED, d->number, NULL, NULL, 0));
    do {
        EIS_TRY(eis_net_stream_recv(&frame, stream, WAIT_FOREVER));
        if (frame.header.type == EIS_MPC_MESSAGE_COUNT) EIS_TRY(send_counters(stream, d));
    } while (frame.header.type == EIS_MPC_MESSAGE_COUNT);
out:
    if (d != NULL) give_back(service, d, true);
    return st;
}

static eis_status serve(void *context, eis_stream *stream)
{
    eis_triple_service *service = context;
    eis_status st = EIS_OK;
    eis_tls_pin pin;
    eis_reader r;
    unsigned role;
    uint32_t index;
    uint64_t number = 0;
    eis_triple_dealt *d = NULL;

    EIS_TRY(eis_net_stream_peer_pin(&pin, stream));
    EIS_TRY(eis_mpc_await(&r, stream, EIS_MPC_MESSAGE_HELLO, 0, 10000));
    role = eis_wire_reader_u8(&r);
    index = eis_wire_reader_u32(&r);
    number = eis_wire_reader_u64(&r);
    EIS_TRY(eis_wire_reader_end(&r));
    eis_net_stream_limit(stream, EIS_MPC_SESSION_BYTES_MAX);
    if (role == EIS_MPC_ROLE_COORDINATOR) {
        number = 0;
        EIS_TRY(serve_coordinator(service, stream, &pin));
        goto out;
    }
    d = take(service, number);
    EIS_REQUIRE(d != NULL, EIS_ERR_NOT_FOUND, "there is no such session");
    if (role == EIS_MPC_ROLE_PARTY)
        EIS_TRY(serve_party(d, stream, &pin, index));
    else
        EIS_TRY(serve_owner(d, stream, &pin));
out:
    if (st != EIS_OK && st != EIS_ERR_CLOSED && st != EIS_ERR_INTERRUPTED) eis_mpc_send_failure(stream, number, st);
    if (d != NULL) give_back(service, d, false);
    return st;
}

/* ---- the service ---- */

eis_status eis_triple_service_start(eis_triple_service **out_service, const eis_triple_service_config *config)
{
    eis_status st = EIS_OK;
    eis_triple_service *service = NULL;
    eis_tls_server_config tls = config->tls;
    eis_listener_config listener;

    *out_service = NULL;
    EIS_REQUIRE(tls.client_ca_pem.bytes > 0, EIS_ERR_USAGE, "the Triple Service needs a CA for its callers");
    EIS_NEW(service, 1);
    pthread_mutex_init(&service->lock, NULL);
    init_condition(&service->changed);
    service->pool_min = config->pool_min != 0 ? config->pool_min : POOL_MIN_DEFAULT;
    service->wait_ms = config->wait_ms != 0 ? config->wait_ms : WAIT_MS_DEFAULT;
    service->threads = config->threads != 0 ? config->threads : eis_cpu_count();
    service->pool_target = config->pool_target != 0 ? config->pool_target : POOL_TARGET_DEFAULT;
    service->pool_bytes_max = config->pool_bytes_max != 0 ? config->pool_bytes_max : POOL_BYTES_MAX_DEFAULT;
    service->sessions_max = config->sessions_max != 0 ? config->sessions_max : SESSIONS_MAX_DEFAULT;
    tls.alpn = EIS_MPC_ALPN;
    EIS_TRY(eis_store_material_open(&service->records, config->store_path));
    EIS_TRY(eis_triple_counts_start(service));
    EIS_TRY(eis_net_tls_server_new(&service->tls, &tls));
    listener = (eis_listener_config){.address = config->listen,
                                     .tls = service->tls,
                                     .connections_max = 1024,
                                     .stream = {.protocol = EIS_FRAME_PROTOCOL_MPC, .spin_us = EIS_STREAM_NO_SPIN},
                                     .serve = serve,
                                     .context = service};
    EIS_TRY(eis_net_listener_start(&service->listener, &listener));
    *out_service = service;
    service = NULL;
out:
    eis_triple_service_stop(service, 0);
    return st;
}

void eis_triple_service_address(eis_address *address, const eis_triple_service *service)
{
    eis_net_listener_address(address, service->listener);
}

void eis_triple_service_stats(eis_triple_stats *stats, eis_triple_service *service)
{
    (void)eis_triple_counts_read(&stats->pool, service, NULL);
    pthread_mutex_lock(&service->lock);
    stats->dealing_most = service->dealing_most;
    pthread_mutex_unlock(&service->lock);
}

void eis_triple_service_stop(eis_triple_service *service, uint32_t drain_ms)
{
    if (service == NULL) return;
    if (service->listener != NULL) (void)eis_net_listener_drain(service->listener, drain_ms);
    eis_net_listener_free(service->listener);
    eis_net_tls_free(service->tls);
    eis_store_material_close(service->records);
    eis_triple_counts_clear(service);
    pthread_cond_destroy(&service->changed);
    pthread_mutex_destroy(&service->lock);
    eis_mem_free(service);
}
