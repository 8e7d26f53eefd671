/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in front of a server on loopback, passes everything on and keeps it; what one of its callers is told may be
 * held back. */
#ifndef EIS_TESTS_SUPPORT_RELAY_H
#define EIS_TESTS_SUPPORT_RELAY_H

#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RELAY_LINKS_MAX 16

typedef struct relay_recording {
    uint8_t *bytes;
    size_t count, room;
} relay_recording;

typedef struct relay_link {
    pthread_t thread;
    int caller, callee;
    relay_recording up, down; /* what the caller said, and what it was told */
    atomic_bool held;         /* what it is told is not passed on */
} relay_link;

typedef struct relay {
    eis_address address; /* ours */
    uint16_t target;
    int listener;
    pthread_t thread;
    relay_link links[RELAY_LINKS_MAX];
    int link_count;
} relay;

static inline void relay_keep(relay_recording *r, const uint8_t *bytes, size_t count)
{
    if (r->count + count > r->room) {
        r->room = 2 * (r->count + count);
        r->bytes = realloc(r->bytes, r->room);
        assert_non_null(r->bytes);
    }
    memcpy(r->bytes + r->count, bytes, count);
    r->count += count;
}

/* Passes on what has come one way; false at its end. */
static inline bool relay_pass(relay_recording *r, int from, int to)
{
    static _Thread_local uint8_t bytes[65536];
    ssize_t count = recv(from, bytes, sizeof bytes, 0);

    if (count <= 0) {
        shutdown(to, SHUT_WR);
        return false;
    }
    relay_keep(r, bytes, (size_t)count);
    for (ssize_t sent = 0, n; sent < count; sent += n) {
        n = send(to, bytes + sent, (size_t)(count - sent), MSG_NOSIGNAL);
        if (n <= 0) return true; /* the other end has gone; what it says is read on */
    }
    return true;
}

static inline void *relay_serve_link(void *context)
{
    relay_link *l = context;
    struct pollfd ends[2] = {{.fd = l->caller, .events = POLLIN}, {.fd = l->callee, .events = POLLIN}};

    while (ends[0].fd >= 0 || ends[1].fd >= 0) {
        bool held = atomic_load(&l->held);
        ends[1].events = held ? 0 : POLLIN;
        if (poll(ends, 2, held ? 1 : -1) < 0) break;
        if (ends[0].fd >= 0 && ends[0].revents != 0 && !relay_pass(&l->up, l->caller, l->callee)) ends[0].fd = -1;
        if (ends[1].fd >= 0 && ends[1].revents != 0 && !atomic_load(&l->held) &&
            !relay_pass(&l->down, l->callee, l->caller))
            ends[1].fd = -1;
    }
    close(l->caller);
    close(l->callee);
    return NULL;
}

static inline struct sockaddr_in relay_loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static inline void *relay_serve(void *context)
{
    relay *r = context;
    const struct sockaddr_in to = relay_loopback(r->target);
    const int on = 1;

    for (;;) {
        relay_link *l = &r->links[r->link_count];
        int caller = accept(r->listener, NULL, NULL), callee;
        if (caller < 0) return NULL;
        callee = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (r->link_count == RELAY_LINKS_MAX || connect(callee, (const struct sockaddr *)&to, sizeof to) != 0) abort();
        setsockopt(caller, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        setsockopt(callee, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        l->caller = caller;
        l->callee = callee;
        if (pthread_create(&l->thread, NULL, relay_serve_link, l) != 0) abort();
        r->link_count++;
    }
}

static inline void relay_start(relay *r, eis_address *address)
{
    struct sockaddr_in at = relay_loopback(0);
    socklen_t bytes = sizeof at;

    *r = (relay){.target = address->port, .address = *address};
    r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(r->listener >= 0);
    assert_int_equal(bind(r->listener, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(r->listener, 64), 0);
    assert_int_equal(getsockname(r->listener, (struct sockaddr *)&at, &bytes), 0);
    r->address.port = address->port = ntohs(at.sin_port);
    assert_int_equal(pthread_create(&r->thread, NULL, relay_serve, r), 0);
}

/* Waits for the ends of all links; the two sides of each have hung up. */
static inline void relay_finish(relay *r)
{
    shutdown(r->listener, SHUT_RDWR);
    pthread_join(r->thread, NULL);
    close(r->listener);
    for (int i = 0; i < r->link_count; i++) pthread_join(r->links[i].thread, NULL);
}

static inline void relay_clear(relay *r)
{
    for (int i = 0; i < r->link_count; i++) {
        free(r->links[i].up.bytes);
        free(r->links[i].down.bytes);
    }
}

#endif
