/* SPDX-License-Identifier: Apache-2.0 */
/* TCP sockets. "localhost" is held to loopback addresses here, because eis_net_is_loopback promises it. */
#include "net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 128

uint64_t eis_net_deadline_ns(uint32_t ms)
{
    return ms == UINT32_MAX ? EIS_NEVER_NS : eis_clock_ns() + ms * EIS_NS_PER_MS;
}

int eis_net_poll_ms(uint64_t deadline_ns)
{
    uint64_t now = eis_clock_ns(), ms;

    if (deadline_ns == EIS_NEVER_NS) return -1;
    if (deadline_ns <= now) return 0;
    ms = (deadline_ns - now + EIS_NS_PER_MS - 1) / EIS_NS_PER_MS;
    return ms > 1000000 ? 1000000 : (int)ms;
}

eis_status eis_net_socket_wait(int fd, short events, uint64_t deadline_ns, const eis_cancel *cancel)
{
    struct pollfd fds[2] = {{.fd = fd, .events = events}, {.fd = eis_net_cancel_fd(cancel), .events = POLLIN}};

    for (;;) {
        int ready;

        if (eis_net_cancel_raised(cancel)) return EIS_ERR_INTERRUPTED;
        ready = poll(fds, 2, eis_net_poll_ms(deadline_ns));
        if (ready < 0 && errno != EINTR) return EIS_ERR_IO;
        if (ready > 0 && fds[0].revents != 0) return EIS_OK;
        if (ready == 0 && eis_clock_ns() >= deadline_ns) return EIS_ERR_TIMEOUT;
    }
}

static eis_status resolve(struct addrinfo **found, const eis_address *address, bool passive)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    char port[8];
    int failed;

    hints.ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0);
    snprintf(port, sizeof port, "%u", (unsigned)address->port);
    failed = getaddrinfo(address->host, port, &hints, found);
    if (failed == 0) return EIS_OK;
    *found = NULL;
    if (failed == EAI_MEMORY) return eis_fail(EIS_ERR_MEMORY, "not enough memory to resolve %s", address->host);
    return eis_fail(EIS_ERR_UNAVAILABLE, "the name %s does not resolve: %s", address->host, gai_strerror(failed));
}

/* A hosts file or resolver may say anything about "localhost"; only loopback addresses count. */
static bool allowed(const struct addrinfo *candidate, const eis_address *address)
{
    char host[NI_MAXHOST];

    if (strcasecmp(address->host, "localhost") != 0) return true;
    return getnameinfo(candidate->ai_addr, candidate->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST) == 0 &&
           eis_net_is_loopback(host);
}

eis_status eis_net_socket_prepare(int fd)
{
    int one = 1, flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return eis_fail(EIS_ERR_IO, "a socket cannot be set up: %s", strerror(errno));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    return EIS_OK;
}

/* Tries one address. Returns 0 or an errno; the status is set for what must end the search. */
static int connect_one(int *fd, eis_status *st, const struct addrinfo *to, uint64_t deadline_ns,
                       const eis_cancel *cancel)
{
    int made = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, to->ai_protocol), error = 0;
    socklen_t length = sizeof error;

    if (made < 0) return errno;
    if (eis_net_socket_prepare(made) != EIS_OK) {
        error = EIO;
    } else if (connect(made, to->ai_addr, to->ai_addrlen) != 0) {
        error = errno;
        if (error == EINPROGRESS) {
            *st = eis_net_socket_wait(made, POLLOUT, deadline_ns, cancel);
            if (*st != EIS_OK)
                error = ETIMEDOUT;
            else if (getsockopt(made, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
                error = errno;
        }
    }
    if (error != 0)
        close(made);
    else
        *fd = made;
    return error;
}

/* Leaves each address its fair part of the time that is left, so that a dead one does not eat it all. */
static uint64_t part_of(uint64_t deadline_ns, const struct addrinfo *from)
{
    uint64_t now = eis_clock_ns(), left = 0;

    if (deadline_ns == EIS_NEVER_NS || deadline_ns <= now) return deadline_ns;
    for (; from != NULL; from = from->ai_next) left++;
    return now + (deadline_ns - now) / left;
}

eis_status eis_net_socket_connect(int *fd, const eis_address *address, uint64_t deadline_ns, const eis_cancel *cancel)
{
    char text[EIS_ADDRESS_TEXT_BYTES_MAX];
    struct addrinfo *found = NULL;
    eis_status st = EIS_OK, wait = EIS_OK;
    int error = EADDRNOTAVAIL;

    eis_net_address_format(text, address);
    EIS_TRY(resolve(&found, address, false));
    for (const struct addrinfo *to = found; to != NULL && error != 0; to = to->ai_next) {
        if (!allowed(to, address)) continue;
        wait = EIS_OK;
        error = connect_one(fd, &wait, to, part_of(deadline_ns, to), cancel);
        if (wait == EIS_ERR_INTERRUPTED) break;
    }
    if (wait == EIS_ERR_INTERRUPTED)
        st = eis_fail(wait, "interrupted while connecting to %s", text);
    else if (wait == EIS_ERR_TIMEOUT)
        st = eis_fail(wait, "%s did not answer in time", text);
    else if (error != 0)
        st = eis_fail(EIS_ERR_UNAVAILABLE, "cannot connect to %s: %s%s", text, strerror(error),
                      error == ECONNREFUSED ? "; is the server running?" : "");
out:
    if (found != NULL) freeaddrinfo(found);
    return st;
}

static eis_status fail_listen(int error, const char *text)
{
    switch (error) {
    case EADDRINUSE:
        return eis_fail(EIS_ERR_IO,
                        "%s is already in use; stop the program that has it, or choose another port "
                        "(port 0 takes a free one)",
                        text);
    case EADDRNOTAVAIL:
        return eis_fail(EIS_ERR_IO, "%s is no address of this machine", text);
    case EACCES:
        return eis_fail(EIS_ERR_IO, "no permission to listen on %s; choose a port above 1023", text);
    default:
        return eis_fail(EIS_ERR_IO, "cannot listen on %s: %s", text, strerror(error));
    }
}

static int listen_one(int *fd, const struct addrinfo *on)
{
    int made = socket(on->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, on->ai_protocol), one = 1, error;

    if (made < 0) return errno;
    (void)setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(made, on->ai_addr, on->ai_addrlen) == 0 && listen(made, BACKLOG) == 0) {
        *fd = made;
        return 0;
    }
    error = errno;
    close(made);
    return error;
}

eis_status eis_net_socket_listen(int *fd, eis_address *bound, const eis_address *address)
{
    char text[EIS_ADDRESS_TEXT_BYTES_MAX];
    struct addrinfo *found = NULL;
    eis_status st = EIS_OK;
    int error = EADDRNOTAVAIL;

    eis_net_address_format(text, address);
    EIS_TRY(resolve(&found, address, true));
    /* A port that is taken on the first address is taken: the next one would listen where nobody expects it. */
    for (const struct addrinfo *on = found; on != NULL && error != 0 && error != EADDRINUSE; on = on->ai_next)
        if (allowed(on, address)) error = listen_one(fd, on);
    if (error != 0)
        st = fail_listen(error, text);
    else
        eis_net_socket_name(bound, *fd, false);
out:
    if (found != NULL) freeaddrinfo(found);
    return st;
}

void eis_net_socket_name(eis_address *address, int fd, bool of_peer)
{
    struct sockaddr_storage raw;
    socklen_t length = sizeof raw;
    struct sockaddr *name = (struct sockaddr *)&raw;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&raw;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&raw;

    memset(address, 0, sizeof *address);
    address->host[0] = '?';
    if ((of_peer ? getpeername(fd, name, &length) : getsockname(fd, name, &length)) != 0) return;
    (void)getnameinfo(name, length, address->host, sizeof address->host, NULL, 0, NI_NUMERICHOST);
    if (raw.ss_family == AF_INET) address->port = ntohs(v4->sin_port);
    if (raw.ss_family == AF_INET6) address->port = ntohs(v6->sin6_port);
}
