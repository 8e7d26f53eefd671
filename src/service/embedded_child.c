/* SPDX-License-Identifier: Apache-2.0 */
/* The child's side: one server on loopback, until the parent's end of the socket closes or SIGTERM comes. */
#include "base/mem.h"
#include "engine/split/pack.h"
#include "net/cancel.h"
#include "service/embedded.h"
#include "service/embedded_papers.h"
#include "service/split_server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
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

static eis_status start(eis_split_server **server, eis_pack **pack, eis_pool **pool, const eis_embedded_papers *papers,
                        unsigned threads)
{
    eis_split_offer offer = {.name = "model"};
    eis_split_server_config config = {
        .offers = &offer,
        .offer_count = 1,
        .tls = {.cert_pem = papers->cert_pem, .key_pem = papers->key_pem, .client_ca_pem = papers->client_ca_pem}};
    eis_status st = EIS_OK;

    EIS_TRY(eis_pack_open_fd(pack, EIS_EMBEDDED_PACK_FD, "embedded pack", false));
    if (threads == 0) threads = papers->threads;
    if (threads != 1) EIS_TRY(eis_pool_new(pool, threads));
    offer.pack = *pack;
    config.pool = *pool;
    memcpy(config.listen.host, "127.0.0.1", sizeof "127.0.0.1");
    EIS_TRY(eis_split_server_start(server, &config));
out:
    return st;
}

eis_status eis_embedded_child_run(unsigned threads)
{
    eis_split_server *server = NULL;
    eis_embedded_papers papers = {0};
    eis_pack *pack = NULL;
    eis_pool *pool = NULL;
    uint8_t *memory = NULL;
    size_t bytes = 0;
    eis_address stream = {0}, http;
    eis_status st = EIS_OK;

    EIS_TRY(eis_net_cancel_new(&terminated));
    set_signals();
    EIS_TRY(eis_embedded_papers_receive(&papers, &memory, &bytes, EIS_EMBEDDED_SOCKET_FD));
    st = start(&server, &pack, &pool, &papers, threads);
    eis_mem_free_wiped(memory, bytes, 1);
    memory = NULL;
    if (st == EIS_OK) eis_split_server_addresses(&stream, &http, server);
    eis_embedded_tell(EIS_EMBEDDED_SOCKET_FD, st, stream.port);
    if (st != EIS_OK) goto out;
    wait_for_end(EIS_EMBEDDED_SOCKET_FD);
    (void)eis_split_server_drain(server, DRAIN_MS);
out:
    eis_split_server_free(server);
    eis_pack_free(pack);
    eis_pool_free(pool);
    eis_mem_free_wiped(memory, bytes, 1);
    return st;
}
