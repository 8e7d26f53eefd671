/* SPDX-License-Identifier: Apache-2.0 */
/* The child's side: one server on loopback, until the parent's end of the socket closes or SIGTERM comes. */
#include "base/mem.h"
#include "net/cancel.h"
#include "service/embedded_papers.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#define DRAIN_MS 500u

static eis_cancel *terminated; /* for the signal handler: there is one server in this process */

static void on_terminate(int signal_number)
{
    (void)signal_number;
    eis_net_cancel_raise(terminated);
}

/* Ctrl-C reaches the whole group; the parent decides what it means and then ends us. */
static void set_signals(void)
{
    struct sigaction terminate = {.sa_handler = on_terminate}, ignore = {.sa_handler = SIG_IGN};

    sigaction(SIGTERM, &terminate, NULL);
    sigaction(SIGINT, &ignore, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    sigaction(SIGHUP, &ignore, NULL);
}

static void wait_for_end(int socket_fd)
{
    struct pollfd items[] = {{.fd = socket_fd, .events = POLLIN},
                             {.fd = eis_net_cancel_fd(terminated), .events = POLLIN}};

    while (poll(items, 2, -1) < 0 && errno == EINTR) {}
}

eis_status eis_embedded_child_serve(const eis_embedded_service *service, unsigned threads)
{
    eis_embedded_papers papers = {0};
    void *server = NULL;
    uint8_t *memory = NULL;
    size_t bytes = 0;
    uint16_t port = 0;
    eis_status st = EIS_OK;

    EIS_TRY(eis_net_cancel_new(&terminated));
    set_signals();
    EIS_TRY(eis_embedded_papers_receive(&papers, &memory, &bytes, EIS_EMBEDDED_SOCKET_FD));
    if (threads != 0) papers.threads = threads;
    st = service->start(&server, &port, &papers);
    eis_mem_free_wiped(memory, bytes, 1);
    memory = NULL;
    eis_embedded_tell(EIS_EMBEDDED_SOCKET_FD, st, port);
    if (st != EIS_OK) goto out;
    wait_for_end(EIS_EMBEDDED_SOCKET_FD);
    service->stop(server, DRAIN_MS);
out:
    eis_mem_free_wiped(memory, bytes, 1);
    return st;
}
