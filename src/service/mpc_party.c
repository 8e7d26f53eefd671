/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_party.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/listener.h"
#include "service/mpc_model.h"
#include "service/mpc_seat.h"
#include "service/mpc_stream.h"
#include "service/mpc_token.h"

#include <string.h>

#define SESSIONS_MAX_DEFAULT 4
#define HELLO_MS             10000
#define TOKENS_MAX           ((uint32_t)1 << 20)

struct eis_mpc_party_server {
    eis_listener *listener;
    eis_tls *tls;
    eis_tls_pin pin;        /* our own key's */
    eis_signer *signer;     /* the same key */
    eis_pool *pool;         /* all sessions take turns */
    eis_span cert, key, ca; /* copies, for calls */
    eis_mpc_party_server_config config;
    eis_material_store *records;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a session has begun */
    eis_mpc_seat *seats;
    unsigned seat_count;
};

/* ---- seats ---- */

static void give_back(eis_mpc_party_server *server, eis_mpc_seat *seat, bool over)
{
    if (over) {
        eis_mpc_seat_end(seat);
        eis_mpc_seat_finish(seat);
    }
    pthread_mutex_lock(&server->lock);
    seat->users--;
    pthread_cond_broadcast(&server->changed);
    if (over) { /* this is the session's own thread: it leaves last */
        eis_mpc_seat **at = &server->seats;
        while (seat->users > 0) pthread_cond_wait(&server->changed, &server->lock);
        while (*at != seat) at = &(*at)->next;
        *at = seat->next;
        server->seat_count--;
    }
    pthread_mutex_unlock(&server->lock);
    if (over) eis_mpc_seat_free(seat);
}

/* Takes the seat of a session for a caller, who may come a little before the coordinator has made it. */
static eis_mpc_seat *take(eis_mpc_party_server *server, uint64_t number)
{
    struct timespec until;
    eis_mpc_seat *seat = NULL;
    uint64_t until_ns = eis_clock_ns() + (uint64_t)server->config.dial_ms * 1000000u;

    until = (struct timespec){.tv_sec = (time_t)(until_ns / 1000000000u), .tv_nsec = (long)(until_ns % 1000000000u)};
    pthread_mutex_lock(&server->lock);
    for (;;) {
        for (seat = server->seats; seat != NULL && (seat->number != number || seat->over); seat = seat->next) {}
        if (seat != NULL || pthread_cond_timedwait(&server->changed, &server->lock, &until) != 0) break;
    }
    if (seat != NULL) seat->users++;
    pthread_mutex_unlock(&server->lock);
    return seat;
}

static bool pin_is(const eis_tls_pin *pin, const eis_tls_pin *named) { return memcmp(pin, named, sizeof *pin) == 0; }

static eis_status create(eis_mpc_seat **made, eis_mpc_party_server *server, eis_reader *r, const eis_tls_pin *caller)
{
    eis_status st = EIS_OK;
    eis_mpc_seat *seat = NULL;
    uint32_t index = eis_wire_reader_u32(r);
    size_t bytes = eis_wire_reader_remaining(r);
    const uint8_t *document = eis_wire_reader_bytes(r, bytes);
    bool twice = false, full;

    EIS_TRY(eis_wire_reader_status(r));
    EIS_TRY(eis_mpc_seat_new(&seat, index, document, bytes));
    EIS_REQUIRE(pin_is(caller, &seat->session.coordinator), EIS_ERR_FORBIDDEN, "the session names another coordinator");
    EIS_REQUIRE(pin_is(&server->pin, &seat->session.party[index].pin), EIS_ERR_FORBIDDEN,
                "the session names another key for party %u", index);
    seat->round_ms = server->config.round_ms;
    seat->dial_ms = server->config.dial_ms;
    seat->owner_ms = server->config.owner_ms;
    seat->pool_wait_ms = server->config.pool_wait_ms;
    seat->threads = server->pool;
    EIS_TRY(eis_mpc_lease_begin(&seat->lease, server->records, seat->session.hash));
    pthread_mutex_lock(&server->lock);
    for (const eis_mpc_seat *other = server->seats; other != NULL; other = other->next)
        twice |= other->number == seat->number;
    full = server->seat_count >= server->config.sessions_max;
    if (!twice && !full) {
        seat->users = 1;
        seat->next = server->seats;
        server->seats = *made = seat;
        server->seat_count++;
        seat = NULL;
        pthread_cond_broadcast(&server->changed);
    }
    pthread_mutex_unlock(&server->lock);
    EIS_REQUIRE(!twice, EIS_ERR_FORBIDDEN, "there is such a session already");
    EIS_REQUIRE(!full, EIS_ERR_BUSY, "this party has %u sessions", server->config.sessions_max);
out:
    eis_mpc_seat_free(seat);
    return st;
}

/* Calls somebody whom the session names: by key, whoever signed its certificate. */
static eis_status dial(void *context, eis_stream **stream, const eis_mpc_member *member)
{
    const eis_mpc_party_server *server = context;
    const eis_tls_client_config config = {.ca_pem = server->ca,
                                          .cert_pem = server->cert,
                                          .key_pem = server->key,
                                          .pins = &member->pin,
                                          .pin_count = 1,
                                          .alpn = EIS_MPC_ALPN};
    const eis_stream_options options = {.protocol = EIS_FRAME_PROTOCOL_MPC};
    eis_tls *tls = NULL;
    eis_status st = EIS_OK;

    EIS_TRY(eis_net_tls_client_new(&tls, &config));
    EIS_TRY(eis_net_stream_connect(stream, &member->address, tls, server->config.dial_ms, &options));
out:
    eis_net_tls_free(tls);
    return st;
}

/* ---- the coordinator's connection: the thread of a session ---- */

static bool is_stop(const eis_mpc_session *session, uint32_t token)
{
    for (uint32_t i = 0; i < session->stop_count; i++)
        if (session->stop[i] == token) return true;
    return false;
}

/* Tells what the step that is just over has opened, and signs it. */
static eis_status send_token(eis_stream *stream, const eis_signer *signer, eis_mpc_seat *seat, uint32_t token,
                             uint64_t since_ns)
{
    eis_status st = EIS_OK;
    eis_signature signature;
    eis_writer w;

    eis_wire_writer_init(&w, 1024);
    EIS_TRY(eis_mpc_token_sign(&signature, signer, seat->session.hash, seat->step - 1, token));
    eis_wire_writer_u32(&w, token);
    eis_wire_writer_f64(&w, (double)(eis_clock_ns() - since_ns) / 1e6);
    eis_wire_writer_u64(&w, seat->step - 1);
    eis_wire_writer_u16(&w, (uint16_t)signature.bytes);
    eis_wire_writer_bytes(&w, signature.data, signature.bytes);
    EIS_TRY(eis_mpc_send(stream, EIS_MPC_MESSAGE_TOKEN, seat->number, &w, NULL, 0));
out:
    eis_wire_writer_clear(&w);
    return st;
}

/* Links are up; with what we sign. */
static eis_status send_created(eis_stream *stream, const eis_signer *signer, eis_mpc_seat *seat)
{
    const eis_public_key *key = eis_net_signer_public(signer);
    eis_status st;
    eis_writer w;

    eis_wire_writer_init(&w, 1024);
    eis_wire_writer_u16(&w, (uint16_t)key->bytes);
    eis_wire_writer_bytes(&w, key->data, key->bytes);
    st = eis_mpc_send(stream, EIS_MPC_MESSAGE_CREATED, seat->number, &w, NULL, 0);
    eis_wire_writer_clear(&w);
    return st;
}

/* How a run ended; the next step, and how much of the prompt is left. */
static eis_status send_done(eis_stream *stream, eis_mpc_seat *seat, eis_mpc_end reason)
{
    eis_status st;
    eis_writer w;

    eis_wire_writer_init(&w, 64);
    eis_wire_writer_u8(&w, (uint8_t)reason);
    eis_wire_writer_u64(&w, seat->step);
    eis_wire_writer_u32(&w, seat->position);
    eis_wire_writer_u32(&w, seat->resume.prompt);
    st = eis_mpc_send(stream, EIS_MPC_MESSAGE_DONE, seat->number, &w, NULL, 0);
    eis_wire_writer_clear(&w);
    return st;
}

static eis_status send_counters(eis_stream *stream, eis_mpc_seat *seat)
{
    eis_status st;
    eis_mpc_counters counters;
    eis_writer w;

    eis_mpc_seat_count(&counters, seat);
    eis_wire_writer_init(&w, 2 * sizeof counters);
    eis_mpc_counters_write(&w, &counters);
    st = eis_mpc_send(stream, EIS_MPC_MESSAGE_COUNTED, seat->number, &w, NULL, 0);
    eis_wire_writer_clear(&w);
    return st;
}

static eis_status send_layers(eis_stream *stream, eis_mpc_seat *seat)
{
    eis_status st;
    eis_writer w;

    eis_wire_writer_init(&w, EIS_MPC_SESSION_BYTES_MAX);
    eis_mpc_seat_write_layers(&w, seat);
    st = eis_mpc_send(stream, EIS_MPC_MESSAGE_LAYERS_ARE, seat->number, &w, NULL, 0);
    eis_wire_writer_clear(&w);
    return st;
}

/* What a run walks: how much of a prompt, and then from which token on. */
typedef struct walking {
    uint32_t prompt, most, token, told;
} walking;

/* Reads what is asked for: a prompt, or, with none, to go on with a run that ended for lack of material. */
static eis_status read_run(walking *w, eis_mpc_seat *seat, eis_reader *r)
{
    eis_status st = EIS_OK;
    eis_mpc_sampling sampling;

    w->prompt = eis_wire_reader_u32(r);
    w->most = eis_wire_reader_u32(r);
    EIS_TRY(eis_mpc_sampling_read(r, &sampling));
    EIS_TRY(eis_wire_reader_end(r));
    EIS_REQUIRE(w->most > 0 && w->most <= TOKENS_MAX, EIS_ERR_PROTOCOL, "a run of %u tokens", w->most);
    EIS_REQUIRE(seat->session.kind == EIS_MPC_MODEL_LM ||
                    (w->prompt <= 1 && w->most == 1 && eis_mpc_sampling_is_greedy(&sampling)),
                EIS_ERR_PROTOCOL, "a classifier takes one input, and tells one class: the likeliest");
    if (w->prompt == 0) {
        EIS_REQUIRE(seat->resume.possible, EIS_ERR_PROTOCOL, "a run without a prompt, and none to go on with");
        w->prompt = seat->resume.prompt;
        w->token = seat->resume.token;
    } else {
        EIS_REQUIRE(seat->resume.prompt == 0, EIS_ERR_PROTOCOL, "the prompt before has not been walked yet");
        EIS_REQUIRE(eis_mpc_model_filled(&seat->session, w->prompt) == w->prompt, EIS_ERR_PROTOCOL,
                    "a prompt of %u tokens is not filled up to scheduler.pad_bucket", w->prompt);
        seat->sampling = sampling;
    }
    EIS_REQUIRE(w->prompt <= seat->session.context - seat->position, EIS_ERR_CONTEXT_LENGTH,
                "the prompt does not fit the session's %u positions", seat->session.context);
    memset(&seat->resume, 0, sizeof seat->resume);
out:
    return st;
}

/* Walks one step, and tells the token where there is one. */
static eis_status walk_one(eis_mpc_end *end, bool *done, walking *w, eis_stream *stream, const eis_signer *signer,
                           eis_mpc_seat *seat)
{
    eis_status st = EIS_OK;
    uint64_t begin = eis_clock_ns();
    uint32_t secret = 0;

    *done = false;
    *end = EIS_MPC_END_LENGTH;
    if (w->prompt > 0) EIS_TRY(eis_mpc_model_prefill(&secret, &seat->session, seat->position, w->prompt));
    EIS_TRY(eis_mpc_seat_step(seat, &w->token, secret, w->prompt, w->token));
    w->prompt -= secret;
    if (w->prompt > 0) goto out;
    w->told++;
    if (is_stop(&seat->session, w->token))
        *end = EIS_MPC_END_STOP;
    else if (seat->position == seat->session.context && w->told < w->most)
        *end = EIS_MPC_END_CONTEXT;
    *done = *end != EIS_MPC_END_LENGTH || w->told == w->most;
    EIS_TRY(send_token(stream, signer, seat, w->token, begin));
out:
    return st;
}

static eis_status run(eis_stream *stream, const eis_signer *signer, eis_mpc_seat *seat, eis_reader *r)
{
    eis_status st = EIS_OK;
    walking w = {0};
    eis_mpc_end end = EIS_MPC_END_LENGTH;

    EIS_TRY(read_run(&w, seat, r));
    for (bool done = false; !done && st == EIS_OK;) st = walk_one(&end, &done, &w, stream, signer, seat);
    if (st == EIS_ERR_TRIPLES_EXHAUSTED) { /* nothing of this step has been sent: it is there for another time */
        eis_error_clear();
        st = EIS_OK;
        end = EIS_MPC_END_DRY;
        seat->resume.possible = true;
        seat->resume.prompt = w.prompt;
        seat->resume.token = w.token;
    }
    if (st != EIS_OK) goto out;
    EIS_TRY(send_done(stream, seat, end));
out:
    return st;
}

static eis_status serve_session(eis_mpc_party_server *server, eis_stream *stream, eis_mpc_seat *seat)
{
    eis_status st = EIS_OK;
    eis_stream_frame frame;
    eis_reader r;

    EIS_TRY(eis_mpc_seat_link(seat, dial, server));
    EIS_TRY(send_created(stream, server->signer, seat));
    seat->coordinator = stream;
    for (;;) {
        EIS_TRY(eis_net_stream_recv(&frame, stream, EIS_STREAM_WAIT_FOREVER));
        if (frame.header.type == EIS_MPC_MESSAGE_CLOSE) break;
        if (frame.header.type == EIS_MPC_MESSAGE_COUNT) {
            EIS_TRY(send_counters(stream, seat));
            continue;
        }
        if (frame.header.type == EIS_MPC_MESSAGE_LOAD) {
            EIS_TRY(eis_mpc_seat_load(seat));
            EIS_TRY(eis_mpc_send(stream, EIS_MPC_MESSAGE_LOADED, seat->number, NULL, NULL, 0));
            continue;
        }
        EIS_TRY(eis_mpc_open_frame(&r, &frame, EIS_MPC_MESSAGE_RUN, seat->number));
        EIS_TRY(run(stream, server->signer, seat, &r));
    }
out:
    return st;
}

static eis_status serve_coordinator(eis_mpc_party_server *server, eis_stream *stream, const eis_tls_pin *pin)
{
    eis_status st = EIS_OK;
    eis_mpc_seat *seat = NULL;
    eis_reader r;
    uint64_t number = 0;

    EIS_TRY(eis_mpc_send(stream, EIS_MPC_MESSAGE_WELCOME, 0, NULL, NULL, 0));
    EIS_TRY(eis_mpc_await(&r, stream, EIS_MPC_MESSAGE_CREATE, 0, EIS_STREAM_WAIT_FOREVER));
    EIS_TRY(create(&seat, server, &r, pin));
    number = seat->number;
    EIS_TRY(serve_session(server, stream, seat));
out:
    if (st != EIS_OK && st != EIS_ERR_CLOSED && st != EIS_ERR_INTERRUPTED) eis_mpc_send_failure(stream, number, st);
    if (seat != NULL) give_back(server, seat, true);
    return st;
}

/* ---- peers and owners ---- */

/* Hands the stream of a peer over, and stays until the session has ended. */
static eis_status serve_peer(eis_mpc_seat *seat, eis_stream *stream, const eis_tls_pin *pin, uint32_t index)
{
    eis_status st = EIS_OK;
    bool taken;

    EIS_REQUIRE(index < seat->index && pin_is(pin, &seat->session.party[index].pin), EIS_ERR_FORBIDDEN,
                "the session names another key for party %u", index);
    pthread_mutex_lock(&seat->lock);
    taken = seat->inbound[index] != NULL || seat->over;
    if (!taken) seat->inbound[index] = stream;
    pthread_cond_broadcast(&seat->changed);
    while (!taken && !seat->finished) pthread_cond_wait(&seat->changed, &seat->lock);
    if (!taken) seat->inbound[index] = NULL; /* the listener frees it; the seat is still to be found for a while */
    pthread_mutex_unlock(&seat->lock);
    EIS_REQUIRE(!taken, EIS_ERR_FORBIDDEN, "party %u has called already", index);
out:
    return st;
}

/* Notes an owner's stream, so that the end of the session ends its wait; or forgets it. Returns false where there is no
 * room, or no session any more. */
static bool note_owner(eis_mpc_seat *seat, const eis_stream *from, eis_stream *to)
{
    bool done = false;

    pthread_mutex_lock(&seat->lock);
    for (int i = 0; i < EIS_MPC_OWNERS_MAX && !done && (to == NULL || !seat->over); i++) {
        done = seat->owner[i] == from;
        if (done) seat->owner[i] = to;
    }
    pthread_mutex_unlock(&seat->lock);
    return done;
}

/* Shows an owner which key of its masks is ours. */
static eis_status show_key(eis_stream *stream, eis_mpc_seat *seat, eis_reader *r, bool model, bool prompt)
{
    eis_status st = EIS_OK;
    unsigned purpose = eis_wire_reader_u8(r);
    uint64_t number = eis_wire_reader_u64(r);
    bool weights = purpose == EIS_MPC_PURPOSE_WEIGHTS;
    uint8_t hash[EIS_MPC_DIGEST_BYTES];
    eis_writer w;

    eis_wire_writer_init(&w, 64);
    EIS_TRY(eis_wire_reader_end(r));
    EIS_REQUIRE(weights || purpose == EIS_MPC_PURPOSE_INPUT, EIS_ERR_FORBIDDEN, "these are no masks of an input");
    EIS_REQUIRE(weights || number >> 16 == 0 ? model : prompt, EIS_ERR_FORBIDDEN, "this input has another owner");
    EIS_TRY(eis_mpc_seat_key_hash(hash, seat, (eis_mpc_purpose)purpose, number));
    eis_wire_writer_bytes(&w, hash, sizeof hash);
    EIS_TRY(eis_mpc_send(stream, EIS_MPC_MESSAGE_KEY_HASH_IS, seat->number, &w, NULL, 0));
out:
    eis_wire_writer_clear(&w);
    return st;
}

static eis_status serve_owner(eis_mpc_seat *seat, eis_stream *stream, const eis_tls_pin *pin)
{
    eis_status st = EIS_OK;
    eis_stream_frame frame;
    eis_reader r;
    bool noted = false, model = pin_is(pin, &seat->session.model_owner),
         prompt = pin_is(pin, &seat->session.prompt_owner);

    EIS_REQUIRE(model || prompt, EIS_ERR_FORBIDDEN, "the session names other owners");
    noted = note_owner(seat, NULL, stream);
    EIS_REQUIRE(noted, EIS_ERR_BUSY, "too many owners are connected, or the session has ended");
    eis_net_stream_limit(stream, EIS_MPC_STREAM_PAYLOAD_MAX * 8);
    EIS_TRY(eis_mpc_send(stream, EIS_MPC_MESSAGE_WELCOME, seat->number, NULL, NULL, 0));
    for (;;) {
        EIS_TRY(eis_net_stream_recv(&frame, stream, EIS_STREAM_WAIT_FOREVER));
        if (frame.header.type == EIS_MPC_MESSAGE_CLOSE) break;
        if (frame.header.type == EIS_MPC_MESSAGE_COUNT) {
            EIS_TRY(send_counters(stream, seat));
            continue;
        }
        if (frame.header.type == EIS_MPC_MESSAGE_LAYERS) {
            EIS_TRY(send_layers(stream, seat));
            continue;
        }
        if (frame.header.type == EIS_MPC_MESSAGE_FAILED) {
            st = eis_mpc_open_frame(&r, &frame, EIS_MPC_MESSAGE_FAILED, seat->number);
            eis_mpc_seat_refuse(seat, st);
            goto out;
        }
        if (frame.header.type == EIS_MPC_MESSAGE_KEY_HASH) {
            EIS_TRY(eis_mpc_open_frame(&r, &frame, EIS_MPC_MESSAGE_KEY_HASH, seat->number));
            EIS_TRY(show_key(stream, seat, &r, model, prompt));
            continue;
        }
        if (frame.header.type == EIS_MPC_MESSAGE_WEIGHTS) {
            uint32_t matrix;
            EIS_REQUIRE(model, EIS_ERR_FORBIDDEN, "weights come from the model's owner");
            EIS_TRY(eis_mpc_open_frame(&r, &frame, EIS_MPC_MESSAGE_WEIGHTS, seat->number));
            matrix = eis_wire_reader_u32(&r);
            EIS_TRY(eis_mpc_seat_put_weights(seat, matrix, &r));
        } else {
            uint64_t step;
            uint32_t slot;
            EIS_TRY(eis_mpc_open_frame(&r, &frame, EIS_MPC_MESSAGE_INPUT, seat->number));
            step = eis_wire_reader_u64(&r);
            slot = eis_wire_reader_u32(&r);
            EIS_REQUIRE(step == 0 ? model : prompt, EIS_ERR_FORBIDDEN, "this input has another owner");
            EIS_TRY(eis_mpc_seat_put_input(seat, step, slot, &r));
        }
        EIS_TRY(eis_mpc_send(stream, EIS_MPC_MESSAGE_TAKEN, seat->number, NULL, NULL, 0));
    }
out:
    if (noted) (void)note_owner(seat, stream, NULL);
    return st;
}

static eis_status serve(void *context, eis_stream *stream)
{
    eis_mpc_party_server *server = context;
    eis_status st = EIS_OK;
    eis_tls_pin pin;
    eis_reader r;
    unsigned role;
    uint32_t index;
    uint64_t number = 0;
    eis_mpc_seat *seat = NULL;

    EIS_TRY(eis_net_stream_peer_pin(&pin, stream));
    EIS_TRY(eis_mpc_await(&r, stream, EIS_MPC_MESSAGE_HELLO, 0, HELLO_MS));
    role = eis_wire_reader_u8(&r);
    index = eis_wire_reader_u32(&r);
    number = eis_wire_reader_u64(&r);
    EIS_TRY(eis_wire_reader_end(&r));
    if (role == EIS_MPC_ROLE_COORDINATOR) {
        eis_net_stream_limit(stream, EIS_MPC_SESSION_BYTES_MAX);
        return serve_coordinator(server, stream, &pin);
    }
    seat = take(server, number);
    EIS_REQUIRE(seat != NULL, EIS_ERR_NOT_FOUND, "there is no such session");
    st = role == EIS_MPC_ROLE_PARTY ? serve_peer(seat, stream, &pin, index) : serve_owner(seat, stream, &pin);
out:
    if (st != EIS_OK && st != EIS_ERR_CLOSED && st != EIS_ERR_INTERRUPTED) eis_mpc_send_failure(stream, number, st);
    if (seat != NULL) give_back(server, seat, false);
    return st;
}

/* ---- the server ---- */

static eis_status copy_span(eis_span *to, eis_span from)
{
    uint8_t *copy = eis_mem_new_secret(from.bytes + 1, 1);

    if (copy == NULL) return EIS_ERR_MEMORY;
    memcpy(copy, from.data, from.bytes);
    *to = (eis_span){copy, from.bytes};
    return EIS_OK;
}

static void clear_span(eis_span *span) { eis_mem_free_wiped((uint8_t *)(uintptr_t)span->data, span->bytes + 1, 1); }

static eis_status prepare(eis_mpc_party_server *server, const eis_mpc_party_server_config *config)
{
    eis_status st = EIS_OK;
    pthread_condattr_t clock;

    server->config = *config;
    if (server->config.sessions_max == 0) server->config.sessions_max = SESSIONS_MAX_DEFAULT;
    if (server->config.round_ms == 0) server->config.round_ms = 10000;
    if (server->config.dial_ms == 0) server->config.dial_ms = 5000;
    if (server->config.owner_ms == 0) server->config.owner_ms = 60000;
    if (server->config.pool_wait_ms == 0) server->config.pool_wait_ms = 30000;
    pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&server->changed, &clock);
    pthread_condattr_destroy(&clock);
    EIS_TRY(copy_span(&server->cert, config->tls.cert_pem));
    EIS_TRY(copy_span(&server->key, config->tls.key_pem));
    EIS_TRY(copy_span(&server->ca, config->tls.client_ca_pem));
    EIS_TRY(eis_net_tls_pin_of_pem(&server->pin, server->cert));
    EIS_TRY(eis_store_material_open(&server->records, config->store_path));
    EIS_TRY(eis_pool_new(&server->pool, config->threads));
out:
    return st;
}

eis_status eis_mpc_party_server_start(eis_mpc_party_server **out_server, const eis_mpc_party_server_config *config)
{
    eis_status st = EIS_OK;
    eis_mpc_party_server *server = NULL;
    eis_tls_server_config tls = config->tls;
    eis_listener_config listener;

    *out_server = NULL;
    EIS_REQUIRE(tls.client_ca_pem.bytes > 0, EIS_ERR_USAGE, "a party needs a CA for its callers");
    EIS_NEW(server, 1);
    EIS_TRY(prepare(server, config));
    tls.alpn = EIS_MPC_ALPN;
    EIS_TRY(eis_net_tls_server_new(&server->tls, &tls));
    EIS_TRY(eis_net_signer_new(&server->signer, server->key));
    listener = (eis_listener_config){.address = config->listen,
                                     .tls = server->tls,
                                     .connections_max = 1024,
                                     .stream = {.protocol = EIS_FRAME_PROTOCOL_MPC},
                                     .serve = serve,
                                     .context = server};
    EIS_TRY(eis_net_listener_start(&server->listener, &listener));
    *out_server = server;
    server = NULL;
out:
    eis_mpc_party_server_stop(server, 0);
    return st;
}

void eis_mpc_party_server_address(eis_address *address, const eis_mpc_party_server *server)
{
    eis_net_listener_address(address, server->listener);
}

void eis_mpc_party_server_stop(eis_mpc_party_server *server, uint32_t drain_ms)
{
    if (server == NULL) return;
    pthread_mutex_lock(&server->lock);
    for (eis_mpc_seat *seat = server->seats; seat != NULL; seat = seat->next) eis_mpc_seat_end(seat);
    pthread_mutex_unlock(&server->lock);
    if (server->listener != NULL) (void)eis_net_listener_drain(server->listener, drain_ms);
    eis_net_listener_free(server->listener);
    eis_net_tls_free(server->tls);
    eis_net_signer_free(server->signer);
    eis_store_material_close(server->records);
    eis_pool_free(server->pool);
    clear_span(&server->cert);
    clear_span(&server->key);
    clear_span(&server->ca);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    eis_mem_free(server);
}
