/* SPDX-License-Identifier: Apache-2.0 */
#include "service/split_server.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/spin.h"
#include "service/split_server_internal.h"

#include <string.h>

#define IN_FLIGHT_MAX_DEFAULT 8u
#define WAITING_PER_PLACE     8u

static eis_status copy_offers(eis_split_server *server, const eis_split_server_config *config)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(config->offer_count > 0 || config->legacy.weights != NULL, EIS_ERR_USAGE, "there is no model to serve");
    EIS_NEW(server->offers, config->offer_count);
    for (size_t i = 0; i < config->offer_count; i++) {
        server->offers[i] = config->offers[i];
        for (size_t j = 0; j < i; j++)
            EIS_REQUIRE(strcmp(server->offers[i].name, server->offers[j].name) != 0, EIS_ERR_USAGE,
                        "two models are called \"%s\"; give one another name with NAME=PATH", server->offers[i].name);
    }
    server->config.offers = server->offers;
out:
    return st;
}

static eis_status start_stream(eis_split_server *server)
{
    const eis_split_server_config *config = &server->config;
    eis_tls_server_config tls = config->tls;
    eis_listener_config listener = {
        .address = config->listen,
        .connections_max = config->connections_max,
        .stream = {.read_timeout_ms = config->read_timeout_ms, .spin_us = EIS_SERVICE_SPIN_US},
        .serve = eis_split_server_serve,
        .context = server};
    eis_status st = EIS_OK;

    if (config->offer_count == 0) return EIS_OK; /* the original's layer alone: REST is the only door */
    tls.alpn = EIS_TLS_ALPN_SPLIT;
    EIS_TRY(eis_net_tls_server_new(&server->tls, &tls));
    listener.tls = server->tls;
    EIS_TRY(eis_net_listener_start(&server->listener, &listener));
out:
    return st;
}

eis_status eis_split_server_start(eis_split_server **out_server, const eis_split_server_config *config)
{
    unsigned in_flight = config->in_flight_max != 0 ? config->in_flight_max : IN_FLIGHT_MAX_DEFAULT;
    eis_status st = EIS_OK;
    eis_split_server *server = NULL;

    *out_server = NULL;
    EIS_NEW(server, 1);
    server->config = *config;
    server->started_ns = eis_clock_ns();
    EIS_TRY(copy_offers(server, config));
    EIS_TRY(eis_split_gate_new(&server->gate, in_flight, in_flight * WAITING_PER_PLACE));
    EIS_TRY(start_stream(server));
    if (config->http) EIS_TRY(eis_split_server_rest_start(server));
    *out_server = server;
    server = NULL;
out:
    eis_split_server_free(server);
    return st;
}

void eis_split_server_addresses(eis_address *stream, eis_address *http, const eis_split_server *server)
{
    *stream = *http = (eis_address){0};
    if (server->listener != NULL) eis_net_listener_address(stream, server->listener);
    if (server->http != NULL) eis_net_http_server_address(http, server->http);
}

bool eis_split_server_drain(eis_split_server *server, uint32_t deadline_ms)
{
    uint64_t start_ns = eis_clock_ns(), spent_ms;
    bool all = true;

    atomic_store(&server->draining, true);
    if (server->listener != NULL) all = eis_net_listener_drain(server->listener, deadline_ms);
    spent_ms = (eis_clock_ns() - start_ns) / 1000000u;
    if (server->http == NULL) return all;
    return eis_net_http_server_drain(server->http, spent_ms < deadline_ms ? deadline_ms - (uint32_t)spent_ms : 0) &&
           all;
}

void eis_split_server_free(eis_split_server *server)
{
    if (server == NULL) return;
    atomic_store(&server->draining, true);
    eis_net_http_server_free(server->http);
    eis_net_listener_free(server->listener);
    eis_net_tls_free(server->tls);
    eis_split_gate_free(server->gate);
    eis_mem_free(server->offers);
    eis_mem_free_wiped(server, 1, sizeof *server);
}

eis_status eis_split_server_find(const eis_split_offer **offer, const eis_split_server *server, const char *name)
{
    size_t count = server->config.offer_count;

    for (size_t i = 0; i < count; i++) {
        if (strcmp(server->offers[i].name, name) != 0 && (name[0] != '\0' || count != 1)) continue;
        *offer = &server->offers[i];
        return EIS_OK;
    }
    if (name[0] == '\0') return eis_fail(EIS_ERR_MODEL_NOT_FOUND, "%zu models are served here; name one", count);
    return eis_fail(EIS_ERR_MODEL_NOT_FOUND, "no model \"%s\" is served here", name);
}

eis_status eis_split_server_eval(eis_split_server *server, eis_span *reply, eis_split_evaluator *evaluator,
                                 const eis_split_request *request, eis_split_request_kind kind)
{
    uint64_t start_ns;
    eis_status st;

    reply->data = NULL;
    reply->bytes = 0;
    atomic_fetch_add_explicit(&server->counters.requests[kind], 1, memory_order_relaxed);
    st = eis_split_gate_enter(server->gate);
    if (st != EIS_OK) return st;
    start_ns = eis_clock_ns();
    st = eis_split_eval(evaluator, reply, request);
    atomic_fetch_add_explicit(&server->counters.eval_ns, eis_clock_ns() - start_ns, memory_order_relaxed);
    eis_split_gate_leave(server->gate);
    if (st != EIS_OK) return st;
    atomic_fetch_add_explicit(&server->counters.vectors, request->batch, memory_order_relaxed);
    if (server->config.after_eval != NULL) /* the reply lies in the evaluator's own memory */
        server->config.after_eval(server->config.after_eval_context, request->layer, (uint8_t *)(uintptr_t)reply->data,
                                  reply->bytes);
    return EIS_OK;
}

void eis_split_server_count_error(eis_split_server *server, eis_status st)
{
    atomic_fetch_add_explicit(&server->counters.errors[(unsigned)st < EIS_STATUS_COUNT ? st : EIS_ERR_INTERNAL], 1,
                              memory_order_relaxed);
}
