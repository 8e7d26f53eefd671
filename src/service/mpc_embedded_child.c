/* SPDX-License-Identifier: Apache-2.0 */
/* Children of the mpc engine: one Triple Service or one party, with the settings of their parent. */
#include "base/mem.h"
#include "service/embedded_papers.h"
#include "service/mpc_embedded.h"
#include "service/mpc_party.h"
#include "service/triple_service.h"

#include <string.h>

static eis_status read_settings(eis_mpc_settings *settings)
{
    eis_status st = EIS_OK;
    char *text = NULL;
    size_t bytes = 0;

    eis_mpc_settings_default(settings);
    EIS_TRY(eis_embedded_order_read(&text, &bytes));
    EIS_TRY(eis_mpc_settings_read(settings, text, bytes));
out:
    eis_mem_free(text);
    return st;
}

static eis_tls_server_config tls_of(const eis_embedded_papers *papers)
{
    return (eis_tls_server_config){
        .cert_pem = papers->cert_pem, .key_pem = papers->key_pem, .client_ca_pem = papers->client_ca_pem};
}

static eis_status start_triples(void **server, uint16_t *port, const eis_embedded_papers *papers)
{
    eis_triple_service_config config = {.listen = {.host = "127.0.0.1"}, .tls = tls_of(papers)};
    eis_triple_service *service = NULL;
    eis_mpc_settings settings;
    eis_address address;
    eis_status st = EIS_OK;

    EIS_TRY(read_settings(&settings));
    config.sessions_max = settings.dealer_sessions;
    EIS_TRY(eis_triple_service_start(&service, &config));
    eis_triple_service_address(&address, service);
    *port = address.port;
out:
    *server = service;
    return st;
}

static void stop_triples(void *server, uint32_t drain_ms) { eis_triple_service_stop(server, drain_ms); }

static eis_status start_party(void **server, uint16_t *port, const eis_embedded_papers *papers)
{
    eis_mpc_party_server_config config = {.listen = {.host = "127.0.0.1"}, .tls = tls_of(papers)};
    eis_mpc_party_server *party = NULL;
    eis_mpc_settings settings;
    eis_address address;
    eis_status st = EIS_OK;

    EIS_TRY(read_settings(&settings));
    config.sessions_max = settings.party_sessions;
    config.round_ms = settings.round_ms;
    config.dial_ms = settings.dial_ms;
    config.owner_ms = settings.owner_ms;
    EIS_TRY(eis_mpc_party_server_start(&party, &config));
    eis_mpc_party_server_address(&address, party);
    *port = address.port;
out:
    *server = party;
    return st;
}

static void stop_party(void *server, uint32_t drain_ms) { eis_mpc_party_server_stop(server, drain_ms); }

eis_status eis_mpc_embedded_triples_run(unsigned threads)
{
    static const eis_embedded_service service = {start_triples, stop_triples};

    return eis_embedded_child_serve(&service, threads);
}

eis_status eis_mpc_embedded_party_run(unsigned threads)
{
    static const eis_embedded_service service = {start_party, stop_party};

    return eis_embedded_child_serve(&service, threads);
}
