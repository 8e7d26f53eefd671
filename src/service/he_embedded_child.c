/* SPDX-License-Identifier: Apache-2.0 */
/* A child that serves one model to its parent. It trusts nobody with a certificate of another authority, so no quota
 * stands in the parent's way. */
#include "base/mem.h"
#include "service/embedded_papers.h"
#include "service/he_embedded.h"
#include "service/he_server.h"

#include <string.h>

#define POLLS_PER_S 10000u
#define WORKERS     1u /* the pool does the work */

typedef struct served {
    eis_he_registry registry;
    eis_he_server *server;
    eis_pool *pool;
} served;

static void stop(void *context, uint32_t drain_ms)
{
    served *s = context;

    if (s->server != NULL) (void)eis_he_server_drain(s->server, drain_ms);
    eis_he_server_free(s->server);
    eis_he_registry_clear(&s->registry);
    eis_pool_free(s->pool);
    eis_mem_free(s);
}

static eis_status start_server(served *s, const eis_embedded_papers *papers)
{
    eis_he_server_config config = {
        .registry = &s->registry,
        .tls = {.cert_pem = papers->cert_pem, .key_pem = papers->key_pem, .client_ca_pem = papers->client_ca_pem},
        .pool = s->pool,
        .workers = WORKERS,
        .rate_off = true,
        .polls_per_s = POLLS_PER_S};

    memcpy(config.listen.host, "127.0.0.1", sizeof "127.0.0.1");
    return eis_he_server_start(&s->server, &config);
}

static eis_status start(void **server, uint16_t *port, const eis_embedded_papers *papers)
{
    eis_status st = EIS_OK;
    eis_he_registry_options options = {0};
    eis_address http, admin;
    served *s = NULL;
    char *text = NULL;
    size_t bytes = 0;

    *server = NULL;
    EIS_NEW(s, 1);
    if (papers->threads != 1) EIS_TRY(eis_pool_new(&s->pool, papers->threads));
    options.pool = s->pool;
    EIS_TRY(eis_embedded_order_read(&text, &bytes));
    EIS_TRY(eis_he_registry_add_entry(&s->registry, NULL, (eis_span){(const uint8_t *)text, bytes}, "/", &options));
    EIS_TRY(start_server(s, papers));
    eis_he_server_addresses(&http, &admin, s->server);
    *port = http.port;
    *server = s;
    s = NULL;
out:
    eis_mem_free(text);
    if (s != NULL) stop(s, 0);
    return st;
}

eis_status eis_he_embedded_child_run(unsigned threads)
{
    static const eis_embedded_service service = {start, stop};

    return eis_embedded_child_serve(&service, threads);
}
