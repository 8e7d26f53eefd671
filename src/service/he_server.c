/* SPDX-License-Identifier: Apache-2.0 */
#include "service/he_server.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/he_server_internal.h"

#include <string.h>

#define WORKERS_DEFAULT     2u
#define CONNECTIONS_DEFAULT 256u
#define BODY_BYTES_DEFAULT  ((size_t)32 << 20)
#define BUDGET_DEFAULT      ((uint64_t)1 << 30)
#define MEMORY_DEFAULT      ((uint64_t)4 << 30)
#define KEYS_DEFAULT        ((uint64_t)4 << 30)
#define KEYS_TTL_MS_DEFAULT ((int64_t)24 * 3600 * 1000)
#define QUEUE_DEFAULT       1000u
#define RATE_CALLS_DEFAULT  20u
#define RATE_S_DEFAULT      60u
#define POLLS_DEFAULT       5u
#define OWNER_SHARE         4 /* of the keys' budget that one tenant may have: a quarter */

/* ---- Configuration ---- */

static void set_defaults(eis_he_server_config *c)
{
    if (c->workers == 0) c->workers = WORKERS_DEFAULT;
    if (c->connections_max == 0) c->connections_max = CONNECTIONS_DEFAULT;
    if (c->body_bytes_max == 0) c->body_bytes_max = BODY_BYTES_DEFAULT;
    if (c->budget_bytes == 0) c->budget_bytes = BUDGET_DEFAULT;
    if (c->memory_bytes == 0) c->memory_bytes = MEMORY_DEFAULT;
    if (c->keys_bytes == 0) c->keys_bytes = KEYS_DEFAULT;
    if (c->keys_ttl_ms == 0) c->keys_ttl_ms = KEYS_TTL_MS_DEFAULT;
    if (c->queue_max == 0) c->queue_max = QUEUE_DEFAULT;
    if (c->rate_calls == 0) c->rate_calls = RATE_CALLS_DEFAULT;
    if (c->rate_s == 0) c->rate_s = RATE_S_DEFAULT;
    if (c->polls_per_s == 0) c->polls_per_s = POLLS_DEFAULT;
}

/* No limit is below what a model that is served needs: one request of the largest must get in, whatever else is set. */
static void raise_limits(eis_he_server_config *c)
{
    size_t body = eis_he_registry_body_bytes_max(c->registry);

    if (c->body_bytes_max < body) c->body_bytes_max = body;
    if (c->budget_bytes < 4 * (uint64_t)c->body_bytes_max) c->budget_bytes = 4 * (uint64_t)c->body_bytes_max;
    for (size_t i = 0; i < c->registry->count; i++) {
        size_t keys = eis_he_keys_memory(&c->registry->models[i], NULL);

        if (c->keys_bytes < OWNER_SHARE * (uint64_t)keys) c->keys_bytes = OWNER_SHARE * (uint64_t)keys;
    }
}

static eis_status copy_tenants(eis_he_server *server)
{
    size_t count = server->config.tenant_count;

    if (count == 0) return EIS_OK;
    server->tenants = eis_mem_new_secret(count, sizeof *server->tenants);
    if (server->tenants == NULL) return EIS_ERR_MEMORY;
    memcpy(server->tenants, server->config.tenants, count * sizeof *server->tenants);
    server->config.tenants = server->tenants;
    return EIS_OK;
}

static eis_status start_parts(eis_he_server *server)
{
    const eis_he_server_config *c = &server->config;
    const eis_he_parties_config parties = {.rate_off = c->rate_off,
                                           .calls = c->rate_calls,
                                           .calls_s = c->rate_s,
                                           .polls_per_s = c->polls_per_s,
                                           .bytes_max = c->budget_bytes,
                                           .owner_bytes_max = c->budget_bytes / 2};
    const eis_he_keys_config keys = {
        .bytes_max = c->keys_bytes, .owner_bytes_max = c->keys_bytes / OWNER_SHARE, .ttl_ms = c->keys_ttl_ms};
    const eis_job_store_config jobs = {.path = c->store_path, .ttl_ms = c->job_ttl_ms, .bytes_max = c->store_bytes};
    eis_job_counts counts;
    eis_status st = EIS_OK;

    EIS_TRY(eis_he_parties_new(&server->parties, &parties));
    EIS_TRY(eis_he_keys_store_new(&server->keys, &keys));
    EIS_TRY(eis_store_jobs_open(&server->jobs, &jobs));
    eis_store_jobs_counts(&counts, server->jobs);
    if (counts.cut_off > 0)
        eis_log(EIS_LOG_WARN, "cut_off", "%llu jobs of an earlier process were unfinished, and are failed now",
                (unsigned long long)counts.cut_off);
out:
    return st;
}

/* ---- Start and end ---- */

eis_status eis_he_server_start(eis_he_server **out_server, const eis_he_server_config *config)
{
    eis_he_server *server = NULL;
    eis_status st = EIS_OK;

    *out_server = NULL;
    EIS_REQUIRE(config->registry->count > 0, EIS_ERR_USAGE, "there is no model to serve");
    EIS_NEW(server, 1);
    pthread_mutex_init(&server->claims_lock, NULL);
    server->started_ns = eis_clock_ns();
    server->config = *config;
    set_defaults(&server->config);
    raise_limits(&server->config);
    server->checks_host = config->tls.cert_pem.bytes == 0 && eis_net_is_loopback(config->listen.host);
    server->has_credentials = config->token != NULL || config->tenant_count > 0 || config->tls.client_ca_pem.bytes > 0;
    server->request_limits = (eis_he_request_limits){.inputs_max = eis_he_registry_inputs_max(config->registry),
                                                     .strict_hex = config->strict_hex};
    EIS_NEW(server->models, config->registry->count);
    EIS_TRY(copy_tenants(server));
    EIS_TRY(eis_he_server_publish(server));
    EIS_TRY(start_parts(server));
    EIS_TRY(eis_he_queue_start(server));
    EIS_TRY(eis_he_server_start_http(server));
    *out_server = server;
    server = NULL;
out:
    eis_he_server_free(server);
    return st;
}

void eis_he_server_addresses(eis_address *http, eis_address *admin, const eis_he_server *server)
{
    *admin = (eis_address){0};
    eis_net_http_server_address(http, server->http);
    if (server->admin != NULL) eis_net_http_server_address(admin, server->admin);
}

bool eis_he_server_drain(eis_he_server *server, uint32_t deadline_ms)
{
    uint64_t start_ns = eis_clock_ns(), spent_ms;
    bool all;

    atomic_store(&server->draining, true);
    all = eis_he_queue_drain(server, deadline_ms);
    spent_ms = (eis_clock_ns() - start_ns) / 1000000u;
    if (server->admin != NULL) (void)eis_net_http_server_drain(server->admin, 0);
    return eis_net_http_server_drain(server->http, spent_ms < deadline_ms ? deadline_ms - (uint32_t)spent_ms : 0) &&
           all;
}

void eis_he_server_free(eis_he_server *server)
{
    if (server == NULL) return;
    atomic_store(&server->draining, true);
    eis_net_http_server_free(server->admin);
    if (server->queue.started) (void)eis_he_queue_drain(server, 0); /* wakes who waits for a job */
    eis_net_http_server_free(server->http);
    eis_he_queue_stop(server);
    eis_he_keys_store_free(server->keys);
    eis_store_jobs_close(server->jobs);
    eis_he_parties_free(server->parties);
    eis_mem_free((void *)(uintptr_t)server->models_json.data);
    eis_mem_free((void *)(uintptr_t)server->keys_json.data);
    eis_mem_free(server->models);
    if (server->tenants != NULL)
        eis_mem_free_wiped(server->tenants, server->config.tenant_count, sizeof *server->tenants);
    pthread_mutex_destroy(&server->claims_lock);
    eis_mem_free(server);
}
