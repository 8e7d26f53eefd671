/* SPDX-License-Identifier: Apache-2.0 */
/* include/eis/server.h: files and texts -> a split server. */
#include "eis/server.h"

#include "base/mem.h"
#include "base/status.h"
#include "net/token.h"
#include "service/open_session.h"
#include "service/pem_file.h"
#include "service/served_models.h"

#include <string.h>

#define LISTEN_DEFAULT "127.0.0.1:8470"

struct eis_server {
    eis_served models;
    eis_pool *pool;
    eis_token token;
    eis_split_server *server;
    char address[EIS_ADDRESS_TEXT_BYTES_MAX];
};

/* The credentials while the TLS context is being made. */
typedef struct papers {
    eis_span cert, key, client_ca;
} papers;

static eis_status check(const eis_server_options *options)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(options != NULL && options->models != NULL && options->model_count > 0, EIS_ERR_USAGE,
                "name at least one model to serve");
    EIS_REQUIRE(options->cert != NULL && options->key != NULL, EIS_ERR_USAGE,
                "the stream is always TLS: name cert and key; `eis ca init` and `eis ca issue` make them");
out:
    return st;
}

static eis_status load_papers(papers *p, const eis_server_options *options)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_pem_file_read_pair(&p->cert, &p->key, options->cert, options->key));
    if (options->client_ca != NULL) EIS_TRY(eis_pem_file_read(&p->client_ca, options->client_ca, false));
out:
    return st;
}

static eis_status load_models(eis_server *server, const eis_server_options *options)
{
    eis_status st = EIS_OK;
    eis_split_profile profile = EIS_SPLIT_P24;
    eis_served_request request;

    if (options->profile != NULL) EIS_TRY(eis_split_profile_parse(&profile, options->profile));
    for (size_t i = 0; i < options->model_count; i++) {
        EIS_TRY(eis_served_parse(&request, options->models[i]));
        EIS_TRY(eis_served_add(&server->models, &request, profile, options->verify_packs, server->pool));
    }
out:
    return st;
}

static eis_status listen_on(eis_server *server, const papers *p, const eis_server_options *options)
{
    eis_status st = EIS_OK;
    eis_address stream, http;
    eis_split_server_config config = {
        .offers = server->models.offers,
        .offer_count = server->models.count,
        .tls = {.cert_pem = p->cert, .key_pem = p->key, .client_ca_pem = p->client_ca},
        .token = options->token_file != NULL ? &server->token : NULL,
        .pool = server->pool,
        .connections_max = options->connections_max,
    };

    EIS_TRY(eis_net_address_parse(&config.listen, options->listen != NULL ? options->listen : LISTEN_DEFAULT,
                                  EIS_SPLIT_PORT_DEFAULT));
    EIS_TRY(eis_split_server_start(&server->server, &config));
    eis_split_server_addresses(&stream, &http, server->server);
    eis_net_address_format(server->address, &stream);
out:
    return st;
}

eis_status eis_server_start(eis_server **out_server, const eis_server_options *options)
{
    eis_status st = EIS_OK;
    eis_server *server = NULL;
    papers p = {0};

    *out_server = NULL;
    EIS_TRY(check(options));
    EIS_NEW(server, 1);
    EIS_TRY(load_papers(&p, options));
    if (options->token_file != NULL) EIS_TRY(eis_net_token_read_file(&server->token, options->token_file));
    EIS_TRY(eis_pool_new(&server->pool, options->threads));
    EIS_TRY(load_models(server, options));
    EIS_TRY(listen_on(server, &p, options));
    *out_server = server;
    server = NULL;
out:
    eis_pem_file_clear(&p.cert);
    eis_pem_file_clear(&p.key);
    eis_pem_file_clear(&p.client_ca);
    eis_server_free(server);
    return st;
}

const char *eis_server_address(const eis_server *server) { return server->address; }

bool eis_server_drain(eis_server *server, uint32_t deadline_ms)
{
    return eis_split_server_drain(server->server, deadline_ms);
}

void eis_server_free(eis_server *server)
{
    if (server == NULL) return;
    eis_split_server_free(server->server);
    eis_served_clear(&server->models);
    eis_net_token_clear(&server->token);
    eis_pool_free(server->pool);
    eis_mem_free(server);
}
