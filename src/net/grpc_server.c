/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/mem.h"
#include "net/grpc_core.h"

#include <grpc/support/alloc.h>

#include <pthread.h>
#include <string.h>

#define MESSAGE_BYTES_MAX_DEFAULT ((size_t)1 << 20)
#define CALLS_MAX_DEFAULT         64
#define REQUEST_MS_DEFAULT        30000
#define STREAMS_MAX               100   /* of one connection */
#define STATUS_MS                 10000 /* for the last words of a call */

struct eis_grpc_server {
    grpc_server *core;
    grpc_completion_queue *queue; /* of new calls and of the end */
    eis_address address;
    eis_grpc_config config; /* routes: our copy; no PEM texts */
    eis_grpc_route *routes;
    pthread_t acceptor;
    bool started, draining, ended; /* ended: the core has no calls any more */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned threads;
    eis_grpc_counts counts;
    eis_tls *tls; /* where there are lists of revoked certificates; else NULL */
};

struct eis_grpc_call {
    eis_grpc_server *server;
    grpc_call *core;
    grpc_completion_queue *queue; /* of this call's own operations */
    grpc_call_details details;
    grpc_metadata_array metadata;
    char *path;
    uint8_t *message;
    size_t message_bytes;
    int cancelled;               /* written by the core when it closes */
    bool closed, greeted, heard; /* greeted: initial metadata is out; heard: a message has come */
};

/* Tags only need addresses that differ. */
static int tag_close, tag_op, tag_end;

/* ---- one call ---- */

static void call_free(eis_grpc_call *call)
{
    if (call == NULL) return;
    if (call->core != NULL) grpc_call_unref(call->core);
    if (call->queue != NULL) {
        grpc_completion_queue_shutdown(call->queue);
        grpc_completion_queue_destroy(call->queue);
    }
    grpc_call_details_destroy(&call->details);
    grpc_metadata_array_destroy(&call->metadata);
    eis_mem_free_wiped(call->message, call->message_bytes, 1);
    eis_mem_free(call->path);
    eis_mem_free(call);
}

/* Asks the core for the next call. Returns false where memory is short or the server ends. */
static bool await_call(eis_grpc_server *server)
{
    eis_grpc_call *call = eis_mem_new(1, sizeof *call);

    if (call == NULL) return false;
    call->server = server;
    grpc_call_details_init(&call->details);
    grpc_metadata_array_init(&call->metadata);
    call->queue = grpc_completion_queue_create_for_pluck(NULL);
    if (grpc_server_request_call(server->core, &call->core, &call->details, &call->metadata, call->queue, server->queue,
                                 call) == GRPC_CALL_OK)
        return true;
    call_free(call);
    return false;
}

/* Runs operations to their end; a call that takes longer is cancelled. Returns whether they succeeded. */
static bool run_ops(eis_grpc_call *call, const grpc_op *ops, size_t count, uint32_t timeout_ms, bool *late)
{
    grpc_event event;

    *late = false;
    if (grpc_call_start_batch(call->core, ops, count, &tag_op, NULL) != GRPC_CALL_OK) return false;
    event = grpc_completion_queue_pluck(
        call->queue, &tag_op, timeout_ms == 0 ? gpr_inf_future(GPR_CLOCK_MONOTONIC) : eis_net_grpc_deadline(timeout_ms),
        NULL);
    if (event.type == GRPC_QUEUE_TIMEOUT) {
        *late = true;
        grpc_call_cancel(call->core, NULL);
        event = grpc_completion_queue_pluck(call->queue, &tag_op, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    }
    return event.type == GRPC_OP_COMPLETE && event.success != 0 && !*late;
}

static bool watch_close(eis_grpc_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};

    op.data.recv_close_on_server.cancelled = &call->cancelled;
    return grpc_call_start_batch(call->core, &op, 1, &tag_close, NULL) == GRPC_CALL_OK;
}

bool eis_net_grpc_cancelled(eis_grpc_call *call)
{
    if (!call->closed)
        call->closed =
            grpc_completion_queue_pluck(call->queue, &tag_close, gpr_time_0(GPR_CLOCK_REALTIME), NULL).type ==
            GRPC_OP_COMPLETE;
    return call->closed && call->cancelled != 0;
}

bool eis_net_grpc_draining(const eis_grpc_call *call)
{
    bool draining;

    pthread_mutex_lock(&call->server->lock);
    draining = call->server->draining;
    pthread_mutex_unlock(&call->server->lock);
    return draining;
}

const char *eis_net_grpc_path(const eis_grpc_call *call) { return call->path; }

/* What is to be done with the certificate of a client. */
typedef eis_status (*use_cert)(void *context, eis_span pem);

static eis_status with_peer(const eis_grpc_call *call, use_cert use, void *with)
{
    eis_status st = EIS_OK;
    grpc_auth_context *context = grpc_call_auth_context(call->core);
    grpc_auth_property_iterator it;
    const grpc_auth_property *pem = NULL;

    if (context != NULL) {
        it = grpc_auth_context_find_properties_by_name(context, GRPC_X509_PEM_CERT_PROPERTY_NAME);
        pem = grpc_auth_property_iterator_next(&it);
    }
    EIS_REQUIRE(pem != NULL, EIS_ERR_NOT_FOUND, "the client showed no certificate");
    EIS_TRY(use(with, (eis_span){(const uint8_t *)pem->value, pem->value_length}));
out:
    if (context != NULL) grpc_auth_context_release(context);
    return st;
}

static eis_status take_pin(void *pin, eis_span pem) { return eis_net_tls_pin_of_pem(pin, pem); }

eis_status eis_net_grpc_peer_pin(eis_tls_pin *pin, const eis_grpc_call *call) { return with_peer(call, take_pin, pin); }

/* The core has checked who issued the certificate, and knows nothing of lists. */
static eis_status look_up(void *tls, eis_span pem)
{
    return eis_net_tls_check_listed(tls, pem, "the client") == EIS_OK ? EIS_OK : EIS_ERR_UNAUTHENTICATED;
}

static eis_status check_client(const eis_grpc_call *call)
{
    return call->server->tls == NULL ? EIS_OK : with_peer(call, look_up, call->server->tls);
}

eis_status eis_net_grpc_receive(eis_span *message, eis_grpc_call *call)
{
    eis_status st = EIS_OK;
    grpc_byte_buffer *buffer = NULL;
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    bool late;

    eis_mem_free_wiped(call->message, call->message_bytes, 1);
    call->message = NULL;
    call->message_bytes = 0;
    op.data.recv_message.recv_message = &buffer;
    if (!run_ops(call, &op, 1, call->heard ? 0 : call->server->config.request_timeout_ms, &late))
        return late ? eis_fail(EIS_ERR_TIMEOUT, "no request came") : EIS_ERR_INTERRUPTED;
    if (buffer == NULL) return eis_net_grpc_cancelled(call) ? EIS_ERR_INTERRUPTED : EIS_ERR_CLOSED;
    call->heard = true;
    EIS_TRY(eis_net_grpc_bytes_of(&call->message, &call->message_bytes, buffer));
    *message = (eis_span){call->message, call->message_bytes};
out:
    grpc_byte_buffer_destroy(buffer);
    return st;
}

eis_status eis_net_grpc_send(eis_grpc_call *call, const void *data, size_t bytes)
{
    grpc_byte_buffer *buffer = eis_net_grpc_buffer_of(data, bytes);
    grpc_op ops[2] = {{.op = GRPC_OP_SEND_INITIAL_METADATA}, {.op = GRPC_OP_SEND_MESSAGE}};
    bool sent, late;

    ops[1].data.send_message.send_message = buffer;
    sent = run_ops(call, call->greeted ? ops + 1 : ops, call->greeted ? 1 : 2, 0, &late);
    call->greeted = true;
    grpc_byte_buffer_destroy(buffer);
    return sent ? EIS_OK : EIS_ERR_INTERRUPTED;
}

/* What a client is told: our own text where it is about what the client, or those whom we asked for it, did. */
static const char *text_of(eis_status st)
{
    const char *detail = eis_error_detail();
    int http = eis_status_http(st);

    return detail[0] != '\0' && (http < 500 || http == 503 || http == 504) ? detail : eis_status_text(st);
}

static void finish(eis_grpc_call *call, eis_status st)
{
    const char *code = eis_status_code(st);
    grpc_metadata trailer = {.key = grpc_slice_from_static_string(EIS_GRPC_CODE_KEY),
                             .value = grpc_slice_from_static_string(code)};
    grpc_slice details = grpc_slice_from_copied_string(st == EIS_OK ? "" : text_of(st));
    grpc_op ops[2] = {{.op = GRPC_OP_SEND_INITIAL_METADATA}, {.op = GRPC_OP_SEND_STATUS_FROM_SERVER}};
    bool late;

    ops[1].data.send_status_from_server.status = (grpc_status_code)eis_status_grpc(st);
    ops[1].data.send_status_from_server.status_details = &details;
    if (st != EIS_OK) {
        ops[1].data.send_status_from_server.trailing_metadata = &trailer;
        ops[1].data.send_status_from_server.trailing_metadata_count = 1;
    }
    (void)run_ops(call, call->greeted ? ops + 1 : ops, call->greeted ? 1 : 2, STATUS_MS, &late);
    grpc_slice_unref(details);
    if (!call->closed)
        (void)grpc_completion_queue_pluck(call->queue, &tag_close, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
}

static const eis_grpc_route *route_of(const eis_grpc_call *call)
{
    for (size_t i = 0; i < call->server->config.route_count; i++)
        if (strcmp(call->server->routes[i].path, call->path) == 0) return &call->server->routes[i];
    return NULL;
}

static void count_end(eis_grpc_server *server, eis_status st, bool refused)
{
    pthread_mutex_lock(&server->lock);
    server->counts.failed += st != EIS_OK && !refused;
    server->counts.refused += refused;
    pthread_mutex_unlock(&server->lock);
}

/* Refuses a call that no handler gets. */
static void refuse(eis_grpc_call *call, eis_status st)
{
    count_end(call->server, st, true);
    if (watch_close(call))
        finish(call, st);
    else
        grpc_call_cancel(call->core, NULL);
    call_free(call);
}

static void *serve(void *context)
{
    eis_grpc_call *call = context;
    eis_grpc_server *server = call->server;
    const eis_grpc_route *route = route_of(call);
    eis_status st;

    eis_error_clear();
    if (route == NULL) {
        refuse(call, eis_fail(EIS_ERR_METHOD, "there is no such method"));
    } else if (!watch_close(call)) {
        grpc_call_cancel(call->core, NULL);
        call_free(call);
    } else {
        st = check_client(call);
        if (st == EIS_OK) st = route->handle(route->context, call);
        count_end(server, st, false);
        if (st != EIS_OK && st != EIS_ERR_INTERRUPTED)
            eis_log(EIS_LOG_WARN, "grpc_call", "%s: %s: %s", route->path, eis_status_code(st), eis_error_detail());
        finish(call, st);
        call_free(call);
    }
    pthread_mutex_lock(&server->lock);
    server->threads--;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

/* ---- taking calls ---- */

static eis_status start_thread(eis_grpc_call *call)
{
    eis_grpc_server *server = call->server;
    eis_status st = EIS_OK;
    pthread_attr_t attributes;
    pthread_t thread;
    bool full, ending;

    pthread_mutex_lock(&server->lock);
    server->counts.calls++;
    ending = server->draining;
    full = server->threads >= server->config.calls_max;
    if (!full && !ending) server->threads++;
    pthread_mutex_unlock(&server->lock);
    EIS_REQUIRE(!ending, EIS_ERR_UNAVAILABLE, "the server is ending");
    EIS_REQUIRE(!full, EIS_ERR_BUSY, "%u calls are under way", server->config.calls_max);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, serve, call) != 0) {
        pthread_mutex_lock(&server->lock);
        server->threads--;
        pthread_mutex_unlock(&server->lock);
        st = eis_fail(EIS_ERR_BUSY, "no thread is left");
    }
    pthread_attr_destroy(&attributes);
out:
    return st;
}

static void take_call(eis_grpc_call *call)
{
    eis_status st = EIS_OK;

    call->path = grpc_slice_to_c_string(call->details.method);
    if (call->path != NULL) { /* ours, so that it is freed as everything is */
        char *copy = eis_mem_strdup(call->path);
        gpr_free(call->path);
        call->path = copy;
    }
    if (call->path == NULL) st = EIS_ERR_MEMORY;
    if (st == EIS_OK) st = start_thread(call);
    if (st != EIS_OK) refuse(call, st);
}

static void *accept_calls(void *context)
{
    eis_grpc_server *server = context;

    for (;;) {
        grpc_event event = grpc_completion_queue_next(server->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN) break;
        if (event.tag == &tag_end) {
            pthread_mutex_lock(&server->lock);
            server->ended = true;
            pthread_cond_broadcast(&server->changed);
            pthread_mutex_unlock(&server->lock);
        } else if (event.success == 0) {
            call_free(event.tag);
        } else {
            if (!await_call(server)) eis_log(EIS_LOG_ERROR, "grpc", "no memory for further calls");
            take_call(event.tag);
        }
    }
    return NULL;
}

/* ---- the server ---- */

static eis_status make_credentials(grpc_server_credentials **credentials, eis_grpc_server *server,
                                   const eis_grpc_config *config)
{
    eis_status st = EIS_OK;
    eis_grpc_papers papers = {0};
    grpc_ssl_pem_key_cert_pair pair;
    eis_tls *tls = NULL;
    bool mutual = config->client_ca_pem.bytes > 0;

    if (config->cert_pem.bytes == 0) {
        EIS_REQUIRE(eis_net_is_loopback(config->address.host), EIS_ERR_USAGE,
                    "gRPC without a certificate is for loopback addresses");
        *credentials = grpc_insecure_server_credentials_create();
        goto out;
    }
    /* The core says nothing about damaged texts; our own TLS does. */
    EIS_TRY(eis_net_tls_server_new(&tls, &(eis_tls_server_config){.cert_pem = config->cert_pem,
                                                                  .key_pem = config->key_pem,
                                                                  .client_ca_pem = config->client_ca_pem,
                                                                  .alpn = "h2"}));
    EIS_TRY(eis_net_grpc_papers_copy(&papers, config->client_ca_pem, config->cert_pem, config->key_pem));
    pair = (grpc_ssl_pem_key_cert_pair){.private_key = papers.key, .cert_chain = papers.cert};
    *credentials = grpc_ssl_server_credentials_create_ex(
        mutual ? papers.ca : NULL, &pair, 1,
        mutual ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
        NULL);
    if (mutual && eis_net_tls_has_lists(tls)) {
        server->tls = tls;
        tls = NULL;
    }
out:
    if (st == EIS_OK && *credentials == NULL) st = EIS_ERR_TLS;
    eis_net_grpc_papers_clear(&papers);
    eis_net_tls_free(tls);
    return st;
}

static eis_status bind_core(eis_grpc_server *server, const eis_grpc_config *config)
{
    eis_status st = EIS_OK;
    grpc_server_credentials *credentials = NULL;
    char text[EIS_ADDRESS_TEXT_BYTES_MAX];
    grpc_arg list[] = {
        eis_net_grpc_number(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)server->config.message_bytes_max),
        eis_net_grpc_number(GRPC_ARG_MAX_CONCURRENT_STREAMS, STREAMS_MAX),
        eis_net_grpc_number(GRPC_ARG_MAX_METADATA_SIZE, 16 << 10),
        eis_net_grpc_number(GRPC_ARG_ALLOW_REUSEPORT, 0),
        eis_net_grpc_number(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 10000),
        eis_net_grpc_number(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, EIS_GRPC_KEEPALIVE_MS / 2)};
    grpc_channel_args args = {sizeof list / sizeof list[0], list};
    int port;

    EIS_TRY(make_credentials(&credentials, server, config));
    server->core = grpc_server_create(&args, NULL);
    server->queue = grpc_completion_queue_create_for_next(NULL);
    grpc_server_register_completion_queue(server->core, server->queue, NULL);
    eis_net_address_format(text, &config->address);
    port = grpc_server_add_http2_port(server->core, text, credentials);
    EIS_REQUIRE(port > 0 && port <= UINT16_MAX, EIS_ERR_IO, "%s is in use, not ours or not allowed", text);
    server->address = config->address;
    server->address.port = (uint16_t)port;
    grpc_server_start(server->core);
    server->started = true;
    EIS_REQUIRE(await_call(server), EIS_ERR_MEMORY, "no memory for calls");
out:
    if (credentials != NULL) grpc_server_credentials_release(credentials);
    return st;
}

eis_status eis_net_grpc_server_start(eis_grpc_server **out_server, const eis_grpc_config *config)
{
    eis_status st = EIS_OK;
    eis_grpc_server *server = NULL;
    pthread_condattr_t clock;

    *out_server = NULL;
    EIS_NEW(server, 1);
    eis_net_grpc_core_start();
    server->config = *config;
    if (server->config.message_bytes_max == 0) server->config.message_bytes_max = MESSAGE_BYTES_MAX_DEFAULT;
    if (server->config.calls_max == 0) server->config.calls_max = CALLS_MAX_DEFAULT;
    if (server->config.request_timeout_ms == 0) server->config.request_timeout_ms = REQUEST_MS_DEFAULT;
    server->config.cert_pem = server->config.key_pem = server->config.client_ca_pem = (eis_span){NULL, 0};
    pthread_mutex_init(&server->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&server->changed, &clock);
    pthread_condattr_destroy(&clock);
    EIS_NEW(server->routes, config->route_count);
    if (config->route_count > 0) memcpy(server->routes, config->routes, config->route_count * sizeof *server->routes);
    EIS_TRY(bind_core(server, config));
    EIS_REQUIRE(pthread_create(&server->acceptor, NULL, accept_calls, server) == 0, EIS_ERR_LIMIT, "no thread is left");
    *out_server = server;
    server = NULL;
out:
    if (server != NULL) { /* without an acceptor nothing answers: the core's end is awaited here */
        if (server->started) {
            grpc_server_shutdown_and_notify(server->core, server->queue, &tag_end);
            for (grpc_event e = {0}; e.tag != &tag_end;) {
                e = grpc_completion_queue_next(server->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
                if (e.tag != &tag_end) call_free(e.tag);
            }
        }
        server->draining = server->ended = true;
        server->started = false;
        eis_net_grpc_server_free(server);
    }
    return st;
}

void eis_net_grpc_server_address(eis_address *address, const eis_grpc_server *server) { *address = server->address; }

void eis_net_grpc_server_counts(eis_grpc_counts *counts, eis_grpc_server *server)
{
    pthread_mutex_lock(&server->lock);
    *counts = server->counts;
    counts->in_flight = server->threads;
    pthread_mutex_unlock(&server->lock);
}

static bool idle(const eis_grpc_server *server) { return server->threads == 0; }

static bool over(const eis_grpc_server *server) { return server->ended && idle(server); }

/* Waits until this holds, or the time has come. Returns whether it holds. */
static bool wait_until(eis_grpc_server *server, bool (*holds)(const eis_grpc_server *), const struct timespec *at)
{
    bool held;

    pthread_mutex_lock(&server->lock);
    while (!holds(server))
        if (pthread_cond_timedwait(&server->changed, &server->lock, at) != 0) break;
    held = holds(server);
    pthread_mutex_unlock(&server->lock);
    return held;
}

bool eis_net_grpc_server_drain(eis_grpc_server *server, uint32_t deadline_ms)
{
    gpr_timespec until = eis_net_grpc_deadline(deadline_ms);
    const struct timespec at = {.tv_sec = (time_t)until.tv_sec, .tv_nsec = until.tv_nsec};
    bool again, all;

    pthread_mutex_lock(&server->lock);
    again = server->draining;
    server->draining = true;
    pthread_mutex_unlock(&server->lock);
    if (again) return true;
    /* Calls end before connections: a connection that has said goodbye closes with its last call, and a client that is
     * writing just then loses an answer it has not read yet. Afterwards the goodbye waits for each client's ping. */
    (void)wait_until(server, idle, &at);
    grpc_server_shutdown_and_notify(server->core, server->queue, &tag_end);
    all = wait_until(server, over, &at);
    if (!all && server->config.cut_off != NULL) server->config.cut_off(server->config.context);
    if (!all) grpc_server_cancel_all_calls(server->core);
    pthread_mutex_lock(&server->lock);
    while (!over(server)) pthread_cond_wait(&server->changed, &server->lock);
    pthread_mutex_unlock(&server->lock);
    return all;
}

void eis_net_grpc_server_free(eis_grpc_server *server)
{
    if (server == NULL) return;
    if (server->started) {
        (void)eis_net_grpc_server_drain(server, 0);
        grpc_completion_queue_shutdown(server->queue);
        pthread_join(server->acceptor, NULL);
    } else if (server->queue != NULL) {
        grpc_completion_queue_shutdown(server->queue);
        (void)grpc_completion_queue_next(server->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    }
    if (server->core != NULL) grpc_server_destroy(server->core);
    if (server->queue != NULL) grpc_completion_queue_destroy(server->queue);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    eis_net_tls_free(server->tls);
    eis_mem_free(server->routes);
    eis_mem_free(server);
    eis_net_grpc_core_stop();
}
