/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP server: one thread per connection by libmicrohttpd, which calls handle_event first with the headers, then
 * with each piece of the body, then once more when the body is complete. */
#include "net/http.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/http_exchange.h"
#include "net/socket.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BODY_BYTES_MAX_DEFAULT ((size_t)16 << 20)
#define BODY_BYTES_FIRST       ((size_t)64 << 10)
#define THROWN_BYTES_MAX       ((size_t)16 << 20) /* of a refused body, so that the client reads our answer */
#define READ_BYTES_DEFAULT     ((size_t)32 << 10)
#define PRIORITIES             "NORMAL:-VERS-ALL:+VERS-TLS1.3"

struct eis_http_server {
    eis_http_config config; /* the spans are empty; what they held is below */
    char *cert, *key, *client_ca;
    size_t key_bytes;
    eis_token token;
    eis_http_route *routes;
    eis_address bound;
    int fd; /* until the daemon quiesces */
    struct MHD_Daemon *daemon;
    atomic_bool draining;
    atomic_uint_fast64_t requests, replies[6], bytes_in, bytes_out; /* replies by hundreds */
    pthread_mutex_t lock;
    pthread_cond_t idle;
    unsigned in_flight; /* under lock */
};

/* ---- one request ---- */

static void count_in_flight(eis_http_server *s, int step)
{
    pthread_mutex_lock(&s->lock);
    s->in_flight += (unsigned)step;
    if (s->in_flight == 0) pthread_cond_broadcast(&s->idle);
    pthread_mutex_unlock(&s->lock);
}

static void free_request(const eis_http_server *s, eis_http_request *r)
{
    if (r == NULL) return;
    if (r->reserved_bytes > 0) s->config.hooks.release(s->config.hooks.context, r->owner, r->reserved_bytes);
    if (r->owner != NULL) s->config.hooks.finish(s->config.hooks.context, r->owner);
    eis_net_http_reply_clear(&r->reply);
    eis_mem_free(r->method);
    eis_mem_free(r->path);
    eis_mem_free_wiped(r->body, r->body_capacity, 1);
    eis_mem_free(r);
}

static eis_status new_request(eis_http_request **request, const eis_http_server *s, struct MHD_Connection *connection,
                              const char *method, const char *path)
{
    eis_status st = EIS_OK;
    eis_http_request *r = NULL;

    EIS_NEW(r, 1);
    r->connection = connection;
    r->param = "";
    r->deadline_ns = eis_clock_ns() + s->config.request_timeout_s * 1000 * EIS_NS_PER_MS;
    r->method = eis_mem_strdup(method);
    r->path = eis_mem_strdup(path);
    if (r->method == NULL || r->path == NULL) st = EIS_ERR_MEMORY;
out:
    if (st != EIS_OK)
        free_request(s, r);
    else
        *request = r;
    return st;
}

/* Reserves memory for so many bytes of the body in all. */
static eis_status reserve(const eis_http_server *s, eis_http_request *r, size_t bytes)
{
    const eis_http_hooks *hooks = &s->config.hooks;
    eis_status st = EIS_OK;

    if (r->owner == NULL || bytes <= r->reserved_bytes) return EIS_OK;
    EIS_TRY(hooks->reserve(hooks->context, r->owner, bytes - r->reserved_bytes));
    r->reserved_bytes = bytes;
out:
    return st;
}

static eis_status authorize(const eis_http_server *s, const eis_http_request *r)
{
    const eis_http_hooks *hooks = &s->config.hooks;
    bool open = r->route != NULL && r->route->open;

    if (hooks->authorize != NULL) {
        eis_status st = hooks->authorize(hooks->context, r, open);
        if (st != EIS_OK) return st;
    }
    if (s->config.token == NULL || open ||
        eis_net_token_authorizes(&s->token, eis_net_http_request_header(r, "Authorization")))
        return EIS_OK;
    return eis_fail(EIS_ERR_UNAUTHENTICATED, "a bearer token is needed");
}

/* Everything that the headers can decide, in the order in which a stranger may learn it: whether we serve at all and
 * who they are comes before what exists. */
static eis_status judge_headers(eis_http_server *s, eis_http_request *r)
{
    const eis_http_hooks *hooks = &s->config.hooks;
    eis_status st = EIS_OK, found;

    EIS_TRY(eis_net_http_check_framing(r, s->config.body_bytes_max));
    EIS_REQUIRE(!atomic_load(&s->draining), EIS_ERR_UNAVAILABLE, "the server is going down");
    if (s->client_ca != NULL) EIS_TRY(eis_net_http_check_client(r->connection));
    found = eis_net_http_route(r, s->routes, s->config.route_count);
    EIS_TRY(authorize(s, r));
    if (found != EIS_OK) found = eis_net_http_route(r, s->routes, s->config.route_count); /* its text once more */
    EIS_TRY(found);
    if (hooks->admit != NULL) EIS_TRY(hooks->admit(hooks->context, &r->owner, &r->reply, r, r->route->kind));
    EIS_TRY(eis_net_http_check_media_type(r));
    EIS_TRY(reserve(s, r, r->announced_bytes));
out:
    return st;
}

/* How much memory a body gets when it has outgrown what it had: what it announced, or twice as much as before. */
static size_t next_capacity(const eis_http_request *r, size_t needed)
{
    size_t capacity = r->body_capacity < BODY_BYTES_FIRST ? BODY_BYTES_FIRST : 2 * r->body_capacity;

    if (r->announced_bytes > 0) capacity = r->announced_bytes;
    return capacity < needed ? needed : capacity;
}

/* The first memory of a body, mostly all of it: what is not read into it is never looked at. */
static eis_status new_body(eis_http_request *r, size_t capacity)
{
    r->body = eis_mem_new_raw(capacity, 1);
    return r->body != NULL ? EIS_OK : EIS_ERR_MEMORY;
}

static eis_status keep_piece(eis_http_server *s, eis_http_request *r, const char *data, size_t bytes)
{
    eis_status st = EIS_OK;
    size_t needed, capacity;

    EIS_REQUIRE(eis_size_add(&needed, r->body_bytes, bytes) && needed <= s->config.body_bytes_max, EIS_ERR_TOO_LARGE,
                "the body is above the limit of %zu bytes", s->config.body_bytes_max);
    if (needed > r->body_capacity) {
        capacity = next_capacity(r, needed);
        EIS_TRY(reserve(s, r, capacity));
        if (r->body == NULL)
            EIS_TRY(new_body(r, capacity));
        else
            EIS_TRY(eis_mem_resize(&r->body, r->body_capacity, capacity, 1));
        r->body_capacity = capacity;
    }
    memcpy(r->body + r->body_bytes, data, bytes);
    r->body_bytes = needed;
out:
    return st;
}

static void note_verdict(eis_http_request *r, eis_status st)
{
    r->verdict = st;
    snprintf(r->detail, sizeof r->detail, "%s", eis_error_detail());
}

/* Takes a piece of the body. MHD_NO closes the connection: too slow, or too much after it was refused. */
static enum MHD_Result take_piece(eis_http_server *s, eis_http_request *r, const char *data, size_t bytes)
{
    eis_status st;

    if (eis_clock_ns() >= r->deadline_ns) return MHD_NO;
    atomic_fetch_add_explicit(&s->bytes_in, bytes, memory_order_relaxed);
    if (r->verdict != EIS_OK) {
        r->thrown_bytes += bytes;
        return r->thrown_bytes > THROWN_BYTES_MAX ? MHD_NO : MHD_YES;
    }
    st = keep_piece(s, r, data, bytes);
    if (st != EIS_OK) {
        note_verdict(r, st);
        r->wants_close = true;
        r->thrown_bytes = bytes;
    }
    return MHD_YES;
}

static eis_status add_refusal_headers(eis_http_reply *reply, const eis_http_request *r, eis_status st)
{
    if (st == EIS_ERR_METHOD) return eis_net_http_reply_header(reply, "Allow", r->allow);
    if (st == EIS_ERR_UNAUTHENTICATED)
        return eis_net_http_reply_header(reply, "WWW-Authenticate", "Bearer realm=\"eis\"");
    return EIS_OK;
}

/* A fault of ours is told in general words; its detail, which may name files, is for the log. */
static eis_status turn_into_problem(const eis_http_server *s, const eis_http_request *r, eis_http_reply *reply,
                                    eis_status st, const char *detail)
{
    bool ours = eis_status_http(st) >= 500;

    if (ours) eis_log(EIS_LOG_WARN, "request", "%s: %s (%s)", r->method, eis_status_text(st), detail);
    return eis_net_http_problem(reply, st, ours ? NULL : detail, r->path, s->config.api_version);
}

static enum MHD_Result answer(eis_http_server *s, eis_http_request *r)
{
    eis_http_reply *reply = &r->reply;
    eis_status st = r->verdict;
    enum MHD_Result queued = MHD_NO;
    size_t bytes;
    int hundreds;

    if (st == EIS_OK) {
        eis_error_clear();
        st = r->route->handle(r->route->context, reply, r);
        if (st == EIS_OK && reply->http_status == 0) st = eis_fail(EIS_ERR_INTERNAL, "a handler gave no answer");
        if (st != EIS_OK) note_verdict(r, st);
    }
    if (st != EIS_OK &&
        (turn_into_problem(s, r, reply, st, r->detail) != EIS_OK || add_refusal_headers(reply, r, st) != EIS_OK))
        goto out; /* not even memory for a problem: the connection is closed */
    bytes = reply->body_bytes;
    hundreds = reply->http_status / 100;
    queued = eis_net_http_reply_queue(reply, r->connection, r->wants_close || atomic_load(&s->draining));
    atomic_fetch_add_explicit(&s->replies[hundreds], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->bytes_out, bytes, memory_order_relaxed);
out:
    eis_net_http_reply_clear(reply);
    return queued;
}

/* A refused body is read and forgotten before the answer: to hang up on a client that still sends takes the answer from
 * it, too. Not where nobody knows where it ends, or it is long, or the client waits for our word before it sends it:
 * then the answer goes out now and the connection ends. */
static bool is_thrown_away(const eis_http_request *r)
{
    return r->framed && r->announced_bytes <= THROWN_BYTES_MAX && eis_net_http_request_header(r, "Expect") == NULL;
}

static enum MHD_Result handle_event(void *context, struct MHD_Connection *connection, const char *path,
                                    const char *method, const char *version, const char *data, size_t *bytes,
                                    void **state)
{
    eis_http_server *s = context;
    eis_http_request *r = *state;
    enum MHD_Result result;

    (void)version;
    if (r == NULL) {
        eis_error_clear();
        if (new_request(&r, s, connection, method, path) != EIS_OK) return MHD_NO;
        *state = r;
        count_in_flight(s, 1);
        atomic_fetch_add_explicit(&s->requests, 1, memory_order_relaxed);
        note_verdict(r, judge_headers(s, r));
        r->wants_close = r->verdict != EIS_OK && r->has_body;
        return r->wants_close && !is_thrown_away(r) ? answer(s, r) : MHD_YES;
    }
    if (*bytes == 0) return answer(s, r);
    result = take_piece(s, r, data, *bytes);
    *bytes = 0;
    return result;
}

static void request_completed(void *context, struct MHD_Connection *connection, void **state,
                              enum MHD_RequestTerminationCode code)
{
    (void)connection, (void)code;
    if (*state == NULL) return;
    free_request(context, *state);
    *state = NULL;
    count_in_flight(context, -1);
}

static void log_library(void *context, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
static void log_library(void *context, const char *format, va_list args)
{
    char line[256];

    (void)context;
    vsnprintf(line, sizeof line, format, args);
    line[strcspn(line, "\r\n")] = '\0';
    eis_log(EIS_LOG_DEBUG, "http", "%s", line);
}

/* ---- start and end ---- */

/* PEM as the HTTP library wants it. Sets *text to NULL for an empty span. */
static eis_status copy_text(char **text, eis_span span)
{
    *text = NULL;
    if (span.bytes == 0) return EIS_OK;
    *text = eis_mem_new_secret(span.bytes + 1, 1);
    if (*text == NULL) return EIS_ERR_MEMORY;
    memcpy(*text, span.data, span.bytes);
    return EIS_OK;
}

/* The stream's loader reads the same texts first, because its complaints are clearer than the HTTP library's. */
static eis_status check_pem(const eis_http_config *c)
{
    eis_tls_server_config tls = {
        .cert_pem = c->cert_pem, .key_pem = c->key_pem, .client_ca_pem = c->client_ca_pem, .alpn = "http/1.1"};
    eis_status st = EIS_OK;
    eis_tls *made = NULL;

    if (c->cert_pem.bytes == 0 && c->key_pem.bytes == 0) {
        EIS_REQUIRE(c->client_ca_pem.bytes == 0, EIS_ERR_USAGE, "a client CA needs a server certificate");
        EIS_REQUIRE(c->plain_anywhere || eis_net_is_loopback(c->address.host), EIS_ERR_USAGE,
                    "plain HTTP on %s would show requests to the network; give a certificate", c->address.host);
    } else {
        EIS_TRY(eis_net_tls_server_new(&made, &tls));
        EIS_REQUIRE(!eis_net_tls_has_lists(made), EIS_ERR_UNSUPPORTED,
                    "the HTTP server looks no certificate up in lists of revoked ones: take the list out of the client "
                    "CA file, and give tokens to those who may call");
    }
out:
    eis_net_tls_free(made);
    return st;
}

static eis_status copy_config(eis_http_server *s, const eis_http_config *c)
{
    eis_status st = EIS_OK;

    s->config = *c;
    s->config.cert_pem = s->config.key_pem = s->config.client_ca_pem = (eis_span){0};
    if (s->config.body_bytes_max == 0) s->config.body_bytes_max = BODY_BYTES_MAX_DEFAULT;
    if (s->config.connections_max == 0) s->config.connections_max = 64;
    if (s->config.idle_timeout_s == 0) s->config.idle_timeout_s = 30;
    if (s->config.request_timeout_s == 0) s->config.request_timeout_s = 60;
    if (s->config.read_bytes == 0) s->config.read_bytes = READ_BYTES_DEFAULT;
    if (c->token != NULL) s->token = *c->token;
    EIS_NEW(s->routes, c->route_count);
    if (c->route_count > 0) memcpy(s->routes, c->routes, c->route_count * sizeof *c->routes);
    s->key_bytes = c->key_pem.bytes;
    EIS_TRY(copy_text(&s->cert, c->cert_pem));
    EIS_TRY(copy_text(&s->key, c->key_pem));
    EIS_TRY(copy_text(&s->client_ca, c->client_ca_pem));
out:
    return st;
}

static eis_status start_daemon(eis_http_server *s)
{
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC |
                     MHD_USE_ERROR_LOG;
    struct MHD_OptionItem options[16] = {{0}};
    size_t n = 0;

    options[n++] = (struct MHD_OptionItem){MHD_OPTION_LISTEN_SOCKET, s->fd, NULL};
    options[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_LIMIT, (intptr_t)s->config.connections_max, NULL};
    options[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)s->config.idle_timeout_s, NULL};
    options[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)s->config.read_bytes, NULL};
    options[n++] = (struct MHD_OptionItem){MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL};
    if (s->cert != NULL) {
        flags |= MHD_USE_TLS;
        options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, s->cert};
        options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, s->key};
        options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)PRIORITIES};
    }
    if (s->client_ca != NULL) options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0, s->client_ca};
    options[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    s->daemon =
        MHD_start_daemon(flags, 0, NULL, NULL, handle_event, s, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
                         MHD_OPTION_NOTIFY_COMPLETED, request_completed, s, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    return s->daemon != NULL ? EIS_OK
                             : eis_fail(EIS_ERR_LIMIT, "the HTTP server does not start (threads or descriptors?)");
}

static void init_locks(eis_http_server *s)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&s->idle, &attributes);
    pthread_condattr_destroy(&attributes);
}

eis_status eis_net_http_server_start(eis_http_server **server, const eis_http_config *config)
{
    eis_status st = EIS_OK;
    eis_http_server *s = NULL;

    *server = NULL;
    EIS_TRY(check_pem(config));
    EIS_NEW(s, 1);
    s->fd = -1;
    init_locks(s);
    EIS_TRY(copy_config(s, config));
    EIS_TRY(eis_net_socket_listen(&s->fd, &s->bound, &config->address));
    EIS_TRY(start_daemon(s));
    *server = s;
    s = NULL;
out:
    eis_net_http_server_free(s);
    return st;
}

void eis_net_http_server_address(eis_address *address, const eis_http_server *server) { *address = server->bound; }

void eis_net_http_server_counts(eis_http_counts *counts, const eis_http_server *server)
{
    eis_http_server *s = (eis_http_server *)(uintptr_t)server; /* its lock */

    *counts = (eis_http_counts){.requests = atomic_load(&s->requests),
                                .replies_2xx = atomic_load(&s->replies[2]),
                                .replies_4xx = atomic_load(&s->replies[4]),
                                .replies_5xx = atomic_load(&s->replies[5]),
                                .bytes_in = atomic_load(&s->bytes_in),
                                .bytes_out = atomic_load(&s->bytes_out)};
    pthread_mutex_lock(&s->lock);
    counts->in_flight = s->in_flight;
    pthread_mutex_unlock(&s->lock);
}

static void stop_accepting(eis_http_server *s)
{
    if (s->fd < 0) return;
    if (s->daemon == NULL || MHD_quiesce_daemon(s->daemon) != MHD_INVALID_SOCKET) close(s->fd);
    s->fd = -1;
}

bool eis_net_http_server_drain(eis_http_server *s, uint32_t deadline_ms)
{
    uint64_t deadline_ns = eis_clock_ns() + deadline_ms * EIS_NS_PER_MS;
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                             .tv_nsec = (long)(deadline_ns % 1000000000u)};
    bool idle;

    atomic_store(&s->draining, true);
    stop_accepting(s);
    pthread_mutex_lock(&s->lock);
    while (s->in_flight > 0)
        if (pthread_cond_timedwait(&s->idle, &s->lock, &until) != 0) break;
    idle = s->in_flight == 0;
    pthread_mutex_unlock(&s->lock);
    return idle;
}

void eis_net_http_server_free(eis_http_server *s)
{
    if (s == NULL) return;
    atomic_store(&s->draining, true);
    stop_accepting(s);
    if (s->daemon != NULL) MHD_stop_daemon(s->daemon);
    eis_mem_free(s->cert);
    eis_mem_free_wiped(s->key, s->key_bytes, 1);
    eis_mem_free(s->client_ca);
    eis_mem_free(s->routes);
    eis_net_token_clear(&s->token);
    pthread_cond_destroy(&s->idle);
    pthread_mutex_destroy(&s->lock);
    eis_mem_free(s);
}
