/* SPDX-License-Identifier: Apache-2.0 */
#include "service/mpc_coordinator.h"

#include "base/log.h"
#include "base/mem.h"
#include "service/mpc_coordinator_internal.h"

#include <string.h>

#define CONTEXT_MAX_DEFAULT  512
#define SESSIONS_MAX_DEFAULT 4
#define IDLE_MS_DEFAULT      600000
#define LOAD_MS_DEFAULT      60000

static const char *const services[] = {"mimir.Coordinator", "mpcprompt.Coordinator", "grpc.health.v1.Health",
                                       "grpc.reflection.v1.ServerReflection",
                                       "grpc.reflection.v1alpha.ServerReflection"};

#define SERVICE_COUNT (sizeof services / sizeof services[0])

/* ---- checks ---- */

static eis_status check(const eis_mpc_coordinator *c)
{
    eis_status st = EIS_OK;
    const eis_mpc_coordinator_config *config = &c->config;

    EIS_REQUIRE(config->model_count > 0 && config->model_count <= EIS_COORDINATOR_MODELS_MAX, EIS_ERR_USAGE,
                "a coordinator has 1 to %d models", EIS_COORDINATOR_MODELS_MAX);
    EIS_REQUIRE(!config->admin || eis_net_is_loopback(config->admin_listen.host), EIS_ERR_USAGE,
                "the admin address is to be a loopback address");
    for (size_t i = 0; i < config->model_count; i++) {
        const eis_mpc_session *session = c->models[i].session;
        EIS_REQUIRE(memcmp(&session->coordinator, &c->pin, sizeof c->pin) == 0, EIS_ERR_USAGE,
                    "model \"%s\": its sessions name another coordinator", session->model);
        EIS_REQUIRE(!config->plaintext_prompts || memcmp(&session->prompt_owner, &c->pin, sizeof c->pin) == 0,
                    EIS_ERR_USAGE,
                    "model \"%s\": with prompt.plaintext_via_coordinator its prompt owner is the coordinator's key",
                    session->model);
        for (size_t j = 0; j < i; j++)
            EIS_REQUIRE(strcmp(session->model, c->models[j].session->model) != 0, EIS_ERR_USAGE,
                        "two models are called \"%s\"", session->model);
    }
out:
    return st;
}

static void fill_defaults(eis_mpc_coordinator_config *config)
{
    if (config->sampling.top_k == 0)
        config->sampling = (eis_mpc_sampling){EIS_MPC_TOP_K_DEFAULT, EIS_MPC_TEMPERATURE_DEFAULT};
    if (config->context_max == 0) config->context_max = CONTEXT_MAX_DEFAULT;
    if (config->sessions_max == 0) config->sessions_max = SESSIONS_MAX_DEFAULT;
    if (config->session_idle_ms == 0) config->session_idle_ms = IDLE_MS_DEFAULT;
    if (config->load_ms == 0) config->load_ms = LOAD_MS_DEFAULT;
}

/* ---- servers ---- */

static void cut_off(void *context) { eis_net_cancel_raise(((eis_mpc_coordinator *)context)->cancel); }

static eis_status start_grpc(eis_mpc_coordinator *c)
{
    static const char *const reflection[] = {EIS_GRPC_REFLECTION_PATHS};
    const eis_grpc_route routes[] = {
        {"/mimir.Coordinator/RegisterParty", eis_coordinator_register, c},
        {"/mimir.Coordinator/CreateSession", eis_coordinator_create, c},
        {"/mimir.Coordinator/SubmitPrompt", eis_coordinator_submit, c},
        {"/mimir.Coordinator/RunInference", eis_coordinator_run, c},
        {"/mimir.Coordinator/FetchMetrics", eis_coordinator_fetch_metrics, c},
        {"/mpcprompt.Coordinator/RegisterParty", eis_coordinator_register, c},
        {"/mpcprompt.Coordinator/CreateSession", eis_coordinator_create, c},
        {"/mpcprompt.Coordinator/SubmitPrompt", eis_coordinator_submit, c},
        {"/mpcprompt.Coordinator/RunInference", eis_coordinator_run, c},
        {"/mpcprompt.Coordinator/FetchMetrics", eis_coordinator_fetch_metrics, c},
        {EIS_GRPC_HEALTH_CHECK, eis_grpc_health_check, &c->health},
        {EIS_GRPC_HEALTH_WATCH, eis_grpc_health_watch, &c->health},
        {reflection[0], eis_grpc_reflection_serve, c->reflection},
        {reflection[1], eis_grpc_reflection_serve, c->reflection},
    };
    const eis_grpc_config config = {.address = c->config.listen,
                                    .cert_pem = c->config.tls.cert_pem,
                                    .key_pem = c->config.tls.key_pem,
                                    .client_ca_pem = c->config.tls.client_ca_pem,
                                    .routes = routes,
                                    .route_count = sizeof routes / sizeof routes[0],
                                    .message_bytes_max = EIS_COORDINATOR_BYTES_MAX,
                                    .calls_max = c->config.calls_max,
                                    .cut_off = cut_off,
                                    .context = c};

    if (config.cert_pem.bytes == 0)
        eis_log(EIS_LOG_WARN, "insecure", "gRPC without TLS: any program on this machine may call");
    return eis_net_grpc_server_start(&c->grpc, &config);
}

static eis_status start_admin(eis_mpc_coordinator *c)
{
    const eis_http_route routes[] = {
        {.method = "GET", .pattern = "/healthz", .open = true, .handle = eis_coordinator_healthz, .context = c},
        {.method = "GET", .pattern = "/metrics", .open = true, .handle = eis_coordinator_metrics, .context = c},
    };
    const eis_http_config config = {.address = c->config.admin_listen,
                                    .routes = routes,
                                    .route_count = sizeof routes / sizeof routes[0],
                                    .connections_max = 8};

    return c->config.admin ? eis_net_http_server_start(&c->admin, &config) : EIS_OK;
}

static eis_status start_pools(eis_mpc_coordinator *c)
{
    const eis_mpc_member *dealers[EIS_COORDINATOR_MODELS_MAX];

    for (size_t i = 0; i < c->config.model_count; i++) dealers[i] = &c->models[i].session->dealer;
    return eis_mpc_pool_watch_start(&c->pools, &c->config.caller, dealers, c->config.model_count);
}

/* ---- the object ---- */

eis_status eis_mpc_coordinator_start(eis_mpc_coordinator **out_coordinator, const eis_mpc_coordinator_config *config)
{
    eis_status st = EIS_OK;
    eis_mpc_coordinator *c = NULL;
    pthread_condattr_t clock;

    *out_coordinator = NULL;
    EIS_NEW(c, 1);
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&c->changed, &clock);
    pthread_condattr_destroy(&clock);
    c->config = *config;
    fill_defaults(&c->config);
    c->health = (eis_grpc_health){services, SERVICE_COUNT};
    EIS_NEW(c->models, config->model_count);
    if (config->model_count > 0) memcpy(c->models, config->models, config->model_count * sizeof *c->models);
    EIS_TRY(eis_net_tls_check_pair(config->caller.cert_pem, config->caller.key_pem)); /* parties would find it later */
    EIS_TRY(eis_net_tls_pin_of_pem(&c->pin, config->caller.cert_pem));
    EIS_TRY(check(c));
    EIS_TRY(eis_net_cancel_new(&c->cancel));
    c->config.caller.cancel = c->cancel;
    EIS_TRY(eis_grpc_reflection_new(&c->reflection, services, SERVICE_COUNT));
    EIS_TRY(start_pools(c));
    EIS_TRY(start_grpc(c));
    EIS_TRY(start_admin(c));
    if (config->plaintext_prompts)
        eis_log(EIS_LOG_WARN, "plaintext_prompts",
                "prompt.plaintext_via_coordinator is on: this coordinator sees the prompts that come as token_ids");
    *out_coordinator = c;
    c = NULL;
out:
    eis_mpc_coordinator_free(c);
    return st;
}

void eis_mpc_coordinator_addresses(eis_address *grpc, eis_address *admin, const eis_mpc_coordinator *c)
{
    memset(admin, 0, sizeof *admin);
    eis_net_grpc_server_address(grpc, c->grpc);
    if (c->admin != NULL) eis_net_http_server_address(admin, c->admin);
}

bool eis_mpc_coordinator_drain(eis_mpc_coordinator *c, uint32_t deadline_ms)
{
    bool all = true;

    pthread_mutex_lock(&c->lock);
    c->draining = true;
    pthread_mutex_unlock(&c->lock);
    if (c->grpc != NULL) all = eis_net_grpc_server_drain(c->grpc, deadline_ms);
    eis_net_cancel_raise(c->cancel); /* weights that are still awaited */
    eis_coordinator_sessions_end(c);
    if (c->admin != NULL) (void)eis_net_http_server_drain(c->admin, 100);
    return all;
}

void eis_mpc_coordinator_free(eis_mpc_coordinator *c)
{
    if (c == NULL) return;
    if (c->cancel != NULL) (void)eis_mpc_coordinator_drain(c, 0);
    eis_net_http_server_free(c->admin);
    eis_net_grpc_server_free(c->grpc);
    eis_grpc_reflection_free(c->reflection);
    eis_mpc_pool_watch_free(c->pools);
    eis_net_cancel_free(c->cancel);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    eis_mem_free(c->models);
    eis_mem_free(c);
}
