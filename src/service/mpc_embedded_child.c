/* SPDX-License-Identifier: Apache-2.0 */
/* Children of the mpc engine: a Triple Service or a party, with the settings of their parent; a coordinator, with the
 * template of its only model. */
#include "base/mem.h"
#include "service/embedded_papers.h"
#include "service/mpc_configs.h"
#include "service/mpc_coordinator.h"
#include "service/mpc_embedded.h"

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
    eis_mpc_configure_triples(&config, &settings);
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
    eis_mpc_configure_party(&config, &settings);
    EIS_TRY(eis_mpc_party_server_start(&party, &config));
    eis_mpc_party_server_address(&address, party);
    *port = address.port;
out:
    *server = party;
    return st;
}

static void stop_party(void *server, uint32_t drain_ms) { eis_mpc_party_server_stop(server, drain_ms); }

/* A coordinator and what it points at. */
typedef struct coordinated {
    eis_mpc_coordinator *coordinator;
    eis_mpc_session session;
    eis_embedded_papers papers; /* copies */
} coordinated;

static eis_status copy(eis_span *span)
{
    uint8_t *bytes = eis_mem_new_secret(span->bytes + 1, 1);

    if (bytes == NULL) {
        *span = (eis_span){0};
        return EIS_ERR_MEMORY;
    }
    memcpy(bytes, span->data, span->bytes);
    span->data = bytes;
    return EIS_OK;
}

static void clear_copy(const eis_span *span)
{
    eis_mem_free_wiped((uint8_t *)(uintptr_t)span->data, span->bytes + 1, 1);
}

static void stop_coordinator(void *server, uint32_t drain_ms)
{
    coordinated *c = server;

    if (c->coordinator != NULL) (void)eis_mpc_coordinator_drain(c->coordinator, drain_ms);
    eis_mpc_coordinator_free(c->coordinator);
    eis_mpc_session_clear(&c->session);
    clear_copy(&c->papers.cert_pem);
    clear_copy(&c->papers.key_pem);
    clear_copy(&c->papers.client_ca_pem);
    eis_mem_free(c);
}

/* What the coordinator inherits: net.round_ms, then the document. */
static eis_status read_template(eis_mpc_session *session, uint32_t *round_ms)
{
    eis_status st = EIS_OK;
    char *text = NULL;
    size_t bytes = 0;
    eis_reader r;

    EIS_TRY(eis_embedded_order_read(&text, &bytes));
    eis_wire_reader_init(&r, "the order", text, bytes);
    *round_ms = eis_wire_reader_u32(&r);
    EIS_TRY(eis_wire_reader_status(&r));
    EIS_TRY(eis_mpc_session_read(session, text + sizeof *round_ms, bytes - sizeof *round_ms));
out:
    eis_mem_free(text);
    return st;
}

static eis_status start_coordinator(void **server, uint16_t *port, const eis_embedded_papers *papers)
{
    eis_status st = EIS_OK;
    coordinated *c = NULL;
    eis_mpc_coordinator_model model = {0};
    eis_mpc_coordinator_config config = {.listen = {.host = "127.0.0.1"}, .models = &model, .model_count = 1};
    eis_address grpc, admin;
    uint32_t round_ms;

    *server = NULL;
    EIS_NEW(c, 1);
    EIS_TRY(read_template(&c->session, &round_ms));
    c->papers = *papers;
    st = copy(&c->papers.cert_pem);
    if (copy(&c->papers.key_pem) != EIS_OK || copy(&c->papers.client_ca_pem) != EIS_OK) st = EIS_ERR_MEMORY;
    if (st != EIS_OK) goto out;
    model.session = &c->session;
    config.tls = tls_of(&c->papers);
    config.caller = (eis_mpc_caller){.cert_pem = c->papers.cert_pem,
                                     .key_pem = c->papers.key_pem,
                                     .ca_pem = c->papers.client_ca_pem,
                                     .round_ms = round_ms};
    config.context_max = c->session.context;
    EIS_TRY(eis_mpc_coordinator_start(&c->coordinator, &config));
    eis_mpc_coordinator_addresses(&grpc, &admin, c->coordinator);
    *port = grpc.port;
    *server = c;
    c = NULL;
out:
    if (c != NULL) stop_coordinator(c, 0);
    return st;
}

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

eis_status eis_mpc_embedded_coordinator_run(unsigned threads)
{
    static const eis_embedded_service service = {start_coordinator, stop_coordinator};

    return eis_embedded_child_serve(&service, threads);
}
