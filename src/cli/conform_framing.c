/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that contradict themselves, which no HTTP library sends: written to a socket by hand. In plain HTTP alone.
 * And quotas, which are used up only where that was asked for. */
#include "cli/conform.h"
#include "net/address.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_S   5   /* for an answer, and for the close behind it */
#define RATE_CALLS 600 /* most that are made to reach a quota */

static int connect_to(const eis_address *address)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    const struct timeval limit = {.tv_sec = ANSWER_S};
    char port[8];
    int fd = -1;

    snprintf(port, sizeof port, "%u", (unsigned)address->port);
    if (getaddrinfo(address->host, port, &hints, &list) != 0) return -1;
    for (const struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    if (fd >= 0) (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return fd;
}

/* Sends bytes; gives the status of the answer (0: none) and whether the server closed behind it. */
static int send_raw(bool *closed, const eis_address *address, const char *text)
{
    char answer[16384];
    size_t have = 0;
    int fd = connect_to(address), http = 0;
    ssize_t got = -1;

    *closed = false;
    if (fd < 0) return 0;
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text))
        while (have + 1 < sizeof answer && (got = recv(fd, answer + have, sizeof answer - 1 - have, 0)) > 0)
            have += (size_t)got;
    answer[have] = '\0';
    *closed = got == 0;
    if (sscanf(answer, "HTTP/1.%*d %d", &http) != 1) http = 0;
    close(fd);
    return http;
}

void eis_conform_framing(eis_conform *c)
{
    static const struct {
        const char *name, *lines;
    } rows[] = {
        {"framing.length-and-chunked", "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"},
        {"framing.two-lengths", "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"},
    };
    const char *origin = eis_he_link_origin(c->link);
    eis_address address;
    char text[512];
    bool closed;

    if (strncmp(origin, "http://", 7) != 0 || eis_net_address_parse(&address, origin + 7, 80) != EIS_OK) {
        eis_conform_skip(c, "framing", "api 11", "the connection is not in plain");
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int http;
        snprintf(text, sizeof text, "POST /infer HTTP/1.1\r\nHost: %.200s\r\nContent-Type: application/json\r\n%s",
                 origin + 7, rows[i].lines);
        http = send_raw(&closed, &address, text);
        eis_conform_check(c, http == 400 && closed, rows[i].name, "api 11", "HTTP %d, connection %s", http,
                          closed ? "closed" : "left open");
    }
}

/* ---- quotas ---- */

void eis_conform_rate(eis_conform *c)
{
    static const uint8_t body[] = "{}";
    char limit[16], remaining[16], reset[16];
    bool all;
    int calls = 0;

    if (!c->rate_limit) {
        eis_conform_skip(c, "rate.limited", "api 11", "it uses the quota up; --rate-limit asks for it");
        return;
    }
    do {
        if (!eis_conform_post(c, false, (eis_span){body, 2}, NULL, NULL)) break;
    } while (c->call.http_status != 429 && ++calls < RATE_CALLS);
    all = eis_net_http_call_header(limit, sizeof limit, &c->call, "ratelimit-limit") &&
          eis_net_http_call_header(remaining, sizeof remaining, &c->call, "ratelimit-remaining") &&
          eis_net_http_call_header(reset, sizeof reset, &c->call, "ratelimit-reset");
    eis_conform_expect(c, "rate.limited", "api 11", "RATE_LIMITED");
    eis_conform_check(c, all, "rate.headers", "api 11", "RateLimit-Limit, -Remaining and -Reset");
}
