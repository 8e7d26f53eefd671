/* SPDX-License-Identifier: Apache-2.0 */
/* A child that serves a pack to the split engine. */
#include "base/mem.h"
#include "engine/split/pack.h"
#include "service/embedded.h"
#include "service/embedded_papers.h"
#include "service/split_server.h"

#include <string.h>

typedef struct packed {
    eis_split_server *server;
    eis_pack *pack;
    eis_pool *pool;
} packed;

static void stop(void *context, uint32_t drain_ms)
{
    packed *p = context;

    if (p->server != NULL) (void)eis_split_server_drain(p->server, drain_ms);
    eis_split_server_free(p->server);
    eis_pack_free(p->pack);
    eis_pool_free(p->pool);
    eis_mem_free(p);
}

static eis_status start(void **server, uint16_t *port, const eis_embedded_papers *papers)
{
    eis_split_offer offer = {.name = "model"};
    eis_split_server_config config = {
        .offers = &offer,
        .offer_count = 1,
        .tls = {.cert_pem = papers->cert_pem, .key_pem = papers->key_pem, .client_ca_pem = papers->client_ca_pem}};
    eis_status st = EIS_OK;
    eis_address stream, http;
    packed *p = NULL;

    *server = NULL;
    EIS_NEW(p, 1);
    EIS_TRY(eis_pack_open_fd(&p->pack, EIS_EMBEDDED_ORDER_FD, "embedded pack", false));
    if (papers->threads != 1) EIS_TRY(eis_pool_new(&p->pool, papers->threads));
    offer.pack = p->pack;
    config.pool = p->pool;
    memcpy(config.listen.host, "127.0.0.1", sizeof "127.0.0.1");
    EIS_TRY(eis_split_server_start(&p->server, &config));
    eis_split_server_addresses(&stream, &http, p->server);
    *port = stream.port;
    *server = p;
    p = NULL;
out:
    if (p != NULL) stop(p, 0);
    return st;
}

eis_status eis_embedded_child_run(unsigned threads)
{
    static const eis_embedded_service service = {start, stop};

    return eis_embedded_child_serve(&service, threads);
}
