/* SPDX-License-Identifier: Apache-2.0 */
/* One accepting thread and one thread per connection. The connections stand in a list under one lock; a thread moves
 * itself to the list of those that have left as its last act, and is joined from there: when the next connection comes,
 * and when the listener drains. Whoever waits for all of them waits on a condition. */
#define _GNU_SOURCE
#include "net/listener.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/socket.h"
#include "net/stream_accept.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX_DEFAULT 64u
#define HANDSHAKE_MS_DEFAULT    10000u
#define SHORTAGE_PAUSE_NS                                                                      \
    50000000 /* when descriptors or threads are short, accepting at once again only burns time \
              */

typedef struct connection {
    eis_listener *listener;
    eis_stream *stream;
    pthread_t thread;
    struct connection *previous, *next;
} connection;

struct eis_listener {
    eis_listener_config config;
    eis_address bound;
    int fd;
    pthread_t accepter;
    eis_cancel *draining;
    pthread_mutex_t lock;           /* guards what follows */
    pthread_cond_t changed;         /* a connection has left; on the monotonic clock */
    connection *connections, *left; /* served now; only waiting to be joined */
    eis_listener_counts counts;     /* stream: of closed connections only */
    bool stopped;                   /* the accepter was joined */
};

/* ---- the list ---- */

static void add_counts(eis_stream_counts *sum, const eis_stream *stream)
{
    eis_stream_counts one;

    eis_net_stream_counts(&one, stream);
    sum->frames_in += one.frames_in;
    sum->frames_out += one.frames_out;
    sum->bytes_in += one.bytes_in;
    sum->bytes_out += one.bytes_out;
}

static void link_connection(eis_listener *l, connection *c)
{
    c->next = l->connections;
    if (c->next != NULL) c->next->previous = c;
    l->connections = c;
    l->counts.connections++;
}

static void unlink_connection(eis_listener *l, connection *c)
{
    if (c->next != NULL) c->next->previous = c->previous;
    if (c->previous != NULL)
        c->previous->next = c->next;
    else
        l->connections = c->next;
    l->counts.connections--;
}

/* ---- a connection's thread ---- */

static bool is_failure(eis_status st) { return st != EIS_OK && st != EIS_ERR_CLOSED && st != EIS_ERR_INTERRUPTED; }

static void serve_connection(eis_listener *l, connection *c)
{
    eis_status st = eis_net_stream_accept_handshake(c->stream, l->config.handshake_timeout_ms);
    const char *event = st == EIS_OK ? "connection" : "handshake";
    bool greeted = st == EIS_OK;

    if (greeted) {
        eis_error_clear();
        st = l->config.serve(l->config.context, c->stream);
    }
    if (is_failure(st))
        eis_log(EIS_LOG_WARN, event, "%s: %s (%s)", eis_net_stream_peer_name(c->stream), eis_status_text(st),
                eis_error_detail());
    pthread_mutex_lock(&l->lock);
    l->counts.handshakes_failed += !greeted;
    l->counts.serves_failed += greeted && is_failure(st);
    pthread_mutex_unlock(&l->lock);
}

static void *connection_main(void *arg)
{
    connection *c = arg;
    eis_listener *l = c->listener;
    eis_stream *stream = c->stream;

    serve_connection(l, c);
    pthread_mutex_lock(&l->lock);
    add_counts(&l->counts.stream, stream);
    c->stream = NULL; /* nobody cancels or counts it from here on */
    pthread_mutex_unlock(&l->lock);
    eis_net_stream_free(stream);
    pthread_mutex_lock(&l->lock);
    unlink_connection(l, c);
    c->next = l->left;
    l->left = c;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* Joins the threads whose connections have left. */
static void join_left(eis_listener *l)
{
    connection *c, *next;

    pthread_mutex_lock(&l->lock);
    c = l->left;
    l->left = NULL;
    pthread_mutex_unlock(&l->lock);
    for (; c != NULL; c = next) {
        next = c->next;
        pthread_join(c->thread, NULL);
        eis_mem_free(c);
    }
}

/* ---- accepting ---- */

static eis_status start_thread(connection *c)
{
    int failed = pthread_create(&c->thread, NULL, connection_main, c);

    return failed == 0 ? EIS_OK : eis_fail(EIS_ERR_LIMIT, "no thread for a connection: %s", strerror(failed));
}

/* Takes the socket. */
static eis_status admit(eis_listener *l, int fd)
{
    eis_status st = EIS_OK;
    connection *c = eis_mem_new(1, sizeof *c);

    if (c == NULL) {
        close(fd);
        return EIS_ERR_MEMORY;
    }
    c->listener = l;
    EIS_TRY(eis_net_stream_accept_new(&c->stream, fd, l->config.tls, &l->config.stream, l->draining));
    pthread_mutex_lock(&l->lock);
    link_connection(l, c);
    l->counts.accepted++;
    st = start_thread(c);
    if (st != EIS_OK) unlink_connection(l, c);
    pthread_mutex_unlock(&l->lock);
    if (st == EIS_OK) return EIS_OK;
out:
    eis_net_stream_free(c->stream);
    eis_mem_free(c);
    return st;
}

static bool has_room(eis_listener *l)
{
    bool room;

    pthread_mutex_lock(&l->lock);
    room = l->counts.connections < l->config.connections_max;
    if (!room) l->counts.refused++;
    pthread_mutex_unlock(&l->lock);
    return room;
}

static void accept_one(eis_listener *l)
{
    static const struct timespec pause = {.tv_nsec = SHORTAGE_PAUSE_NS};
    int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); /* no child of ours may inherit it */
    eis_status st;

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) nanosleep(&pause, NULL);
        return;
    }
    if (!has_room(l)) {
        close(fd);
        return;
    }
    st = eis_net_socket_prepare(fd);
    if (st != EIS_OK)
        close(fd);
    else
        st = admit(l, fd);
    if (st == EIS_OK) return;
    eis_log(EIS_LOG_ERROR, "accept", "%s", eis_error_detail());
    nanosleep(&pause, NULL);
}

static void *accept_main(void *arg)
{
    eis_listener *l = arg;

    while (!eis_net_cancel_raised(l->draining))
        if (eis_net_socket_wait(l->fd, POLLIN, EIS_NEVER_NS, l->draining) == EIS_OK) {
            join_left(l);
            accept_one(l);
        }
    return NULL;
}

/* ---- start, drain, end ---- */

static void set_defaults(eis_listener_config *c)
{
    if (c->connections_max == 0) c->connections_max = CONNECTIONS_MAX_DEFAULT;
    if (c->handshake_timeout_ms == 0) c->handshake_timeout_ms = HANDSHAKE_MS_DEFAULT;
}

static void init_locks(eis_listener *l)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&l->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void release(eis_listener *l)
{
    if (l == NULL) return;
    if (l->fd >= 0) close(l->fd);
    eis_net_cancel_free(l->draining);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    eis_mem_free(l);
}

eis_status eis_net_listener_start(eis_listener **listener, const eis_listener_config *config)
{
    eis_status st = EIS_OK;
    eis_listener *l = NULL;
    int failed;

    *listener = NULL;
    EIS_NEW(l, 1);
    l->fd = -1;
    l->config = *config;
    set_defaults(&l->config);
    init_locks(l);
    EIS_TRY(eis_net_cancel_new(&l->draining));
    EIS_TRY(eis_net_socket_listen(&l->fd, &l->bound, &config->address));
    failed = pthread_create(&l->accepter, NULL, accept_main, l);
    EIS_REQUIRE(failed == 0, EIS_ERR_LIMIT, "no thread to accept connections: %s", strerror(failed));
    *listener = l;
    l = NULL;
out:
    release(l);
    return st;
}

void eis_net_listener_address(eis_address *address, const eis_listener *listener) { *address = listener->bound; }

void eis_net_listener_counts(eis_listener_counts *counts, eis_listener *l)
{
    pthread_mutex_lock(&l->lock);
    *counts = l->counts;
    for (const connection *c = l->connections; c != NULL; c = c->next)
        if (c->stream != NULL) add_counts(&counts->stream, c->stream);
    pthread_mutex_unlock(&l->lock);
}

static void stop_accepting(eis_listener *l)
{
    bool first;

    eis_net_cancel_raise(l->draining);
    pthread_mutex_lock(&l->lock);
    first = !l->stopped;
    l->stopped = true;
    pthread_mutex_unlock(&l->lock);
    if (!first) return;
    pthread_join(l->accepter, NULL);
    close(l->fd);
    l->fd = -1;
}

/* Waits, under the lock, until all connections have left. Returns false at the deadline. */
static bool wait_for_all(eis_listener *l, uint64_t deadline_ns)
{
    struct timespec until = {.tv_sec = (time_t)(deadline_ns / 1000000000u),
                             .tv_nsec = (long)(deadline_ns % 1000000000u)};

    while (l->counts.connections > 0) {
        if (deadline_ns == EIS_NEVER_NS)
            pthread_cond_wait(&l->changed, &l->lock);
        else if (pthread_cond_timedwait(&l->changed, &l->lock, &until) == ETIMEDOUT)
            return l->counts.connections == 0;
    }
    return true;
}

bool eis_net_listener_drain(eis_listener *l, uint32_t deadline_ms)
{
    bool all;

    stop_accepting(l);
    pthread_mutex_lock(&l->lock);
    all = wait_for_all(l, eis_net_deadline_ns(deadline_ms));
    if (!all) {
        for (connection *c = l->connections; c != NULL; c = c->next)
            if (c->stream != NULL) eis_net_stream_cancel(c->stream);
        (void)wait_for_all(l, EIS_NEVER_NS);
    }
    pthread_mutex_unlock(&l->lock);
    join_left(l);
    return all;
}

void eis_net_listener_free(eis_listener *listener)
{
    if (listener == NULL) return;
    (void)eis_net_listener_drain(listener, 0);
    release(listener);
}
