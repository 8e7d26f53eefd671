/* SPDX-License-Identifier: Apache-2.0 */
/* The routes, and those of them that only tell what is served: models and parameters are written once, at the start. */
#include "base/mem.h"
#include "service/he_contract_names.h"
#include "service/he_documents.h"
#include "service/he_envelope_internal.h"
#include "service/he_server_internal.h"
#include "wire/text.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_BYTES_MAX  ((size_t)256 << 20) /* a bound for faults, not for use */
#define READ_BYTES        ((size_t)128 << 10)
#define IDLE_TIMEOUT_S    75 /* above the longest hold of an answer */
#define REQUEST_TIMEOUT_S 120

eis_status eis_he_server_reply(eis_http_reply *reply, int http_status, const char *media_type, eis_writer *body)
{
    eis_status st = eis_wire_writer_status(body);

    if (st == EIS_OK) st = eis_net_http_reply_take(reply, http_status, media_type, body);
    eis_wire_writer_clear(body);
    return st;
}

/* Begins an answer with its version. */
static void begin(eis_json_writer *w, eis_writer *body)
{
    eis_wire_writer_init(body, ANSWER_BYTES_MAX);
    eis_json_writer_to_buffer(w, body);
    eis_json_writer_begin_object(w);
    eis_he_write_text(w, "api_version", EIS_HE_API_VERSION);
}

/* ---- Health ---- */

static eis_status reply_status(eis_http_reply *reply, const char *status)
{
    eis_json_writer w;
    eis_writer body;

    begin(&w, &body);
    eis_he_write_text(&w, "status", status);
    eis_json_writer_end_object(&w);
    eis_he_json_finish(&body, &w);
    return eis_he_server_reply(reply, 200, EIS_HE_MEDIA_JSON_TEXT, &body);
}

static eis_status get_health(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    (void)context, (void)request;
    return reply_status(reply, "ok");
}

static eis_status get_ready(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    eis_he_server *server = context;
    eis_job_counts jobs;

    (void)request;
    if (atomic_load(&server->draining)) return eis_fail(EIS_ERR_UNAVAILABLE, "the server is going down");
    eis_store_jobs_counts(&jobs, server->jobs);
    if (!jobs.healthy) return eis_fail(EIS_ERR_UNAVAILABLE, "the store of jobs takes no writes");
    return reply_status(reply, "ready");
}

/* ---- Models and parameters ---- */

static eis_status keep(eis_span *kept, eis_json_writer *w, eis_writer *body)
{
    eis_status st = EIS_OK;
    uint8_t *data;
    size_t bytes;

    eis_json_writer_end_array(w);
    eis_json_writer_end_object(w);
    eis_he_json_finish(body, w);
    EIS_TRY(eis_wire_writer_take(body, &data, &bytes));
    *kept = (eis_span){data, bytes};
out:
    eis_wire_writer_clear(body);
    return st;
}

static eis_status publish_models(eis_he_server *server)
{
    eis_json_writer w;
    eis_writer body;

    begin(&w, &body);
    eis_json_writer_key(&w, "models");
    eis_json_writer_begin_array(&w);
    for (size_t i = 0; i < server->config.registry->count; i++) {
        const eis_he_served *served = &server->config.registry->models[i];
        eis_he_info shown = served->info; /* borrowed, and without what is not shown */

        if (!served->publish) shown.weights = NULL;
        eis_he_contract_write(&w, &served->plan->contract, served->plan->params, &shown);
    }
    return keep(&server->models_json, &w, &body);
}

/* Identifiers of the levels: one prime first, the key level last. */
static void write_parms_ids(eis_json_writer *w, const eis_ckks_params *params)
{
    char text[2 * EIS_CKKS_PARMS_ID_BYTES + 1];

    eis_json_writer_key(w, "parms_ids");
    eis_json_writer_begin_array(w);
    for (size_t limbs = 1; limbs <= params->prime_count; limbs++) {
        if (limbs > params->limbs_max && limbs < params->prime_count) continue;
        eis_wire_hex_write(text, params->parms_id[limbs], EIS_CKKS_PARMS_ID_BYTES);
        eis_json_writer_text(w, text);
    }
    eis_json_writer_end_array(w);
}

static eis_status publish_keys(eis_he_server *server)
{
    eis_json_writer w;
    eis_writer body;

    begin(&w, &body);
    eis_json_writer_key(&w, "models");
    eis_json_writer_begin_array(&w);
    for (size_t i = 0; i < server->config.registry->count; i++) {
        const eis_he_served *served = &server->config.registry->models[i];

        eis_json_writer_begin_object(&w);
        eis_he_write_text(&w, "model_id", served->info.model_id);
        eis_he_write_text(&w, "version", served->info.version);
        eis_he_parameters_write(&w, &served->plan->contract, served->plan->params, &served->info);
        eis_he_modulus_write(&w, served->plan->params);
        write_parms_ids(&w, served->plan->params);
        eis_he_keys_needed_write(&w, &served->plan->contract);
        eis_json_writer_end_object(&w);
    }
    return keep(&server->keys_json, &w, &body);
}

eis_status eis_he_server_publish(eis_he_server *server)
{
    eis_status st = EIS_OK;

    EIS_TRY(publish_models(server));
    EIS_TRY(publish_keys(server));
out:
    return st;
}

static eis_status get_models(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    const eis_he_server *server = context;

    (void)request;
    return eis_net_http_reply_set(reply, 200, EIS_HE_MEDIA_JSON_TEXT, server->models_json.data,
                                  server->models_json.bytes);
}

static eis_status get_keys(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    const eis_he_server *server = context;

    (void)request;
    return eis_net_http_reply_set(reply, 200, EIS_HE_MEDIA_JSON_TEXT, server->keys_json.data, server->keys_json.bytes);
}

/* ---- Documents ---- */

static eis_status reply_document(eis_http_reply *reply, const char *name, const char *media_type)
{
    for (size_t i = 0; i < eis_he_document_count; i++)
        if (strcmp(eis_he_documents[i].name, name) == 0)
            return eis_net_http_reply_set(reply, 200, media_type, eis_he_documents[i].bytes.data,
                                          eis_he_documents[i].bytes.bytes);
    return eis_fail(EIS_ERR_NOT_FOUND, "there is nothing at this path");
}

static eis_status get_yaml(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    (void)context, (void)request;
    return reply_document(reply, "openapi.yaml", "application/yaml");
}

static eis_status get_openapi_json(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    (void)context, (void)request;
    return reply_document(reply, "openapi.json", EIS_HE_MEDIA_JSON_TEXT);
}

static eis_status get_schema(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    const char *param = eis_net_http_request_param(request);
    char name[80];
    int n = snprintf(name, sizeof name, "schemas/%s", param);

    (void)context;
    if (n < 0 || (size_t)n >= sizeof name) return eis_fail(EIS_ERR_NOT_FOUND, "there is nothing at this path");
    return reply_document(reply, name, "application/schema+json");
}

/* ---- Start ---- */

#define ROUTE_MAX 24

typedef struct routes {
    eis_http_route route[ROUTE_MAX];
    size_t count;
} routes;

static eis_http_route *add(routes *r, const char *method, const char *pattern, eis_http_handler handle,
                           eis_he_route_kind kind, eis_he_server *server)
{
    eis_http_route *made = &r->route[r->count++];

    EIS_ASSERT(r->count <= ROUTE_MAX);
    *made = (eis_http_route){.method = method, .pattern = pattern, .handle = handle, .kind = kind, .context = server};
    return made;
}

static void add_body(eis_http_route *route, const char *media_type, const char *other)
{
    route->media_type = media_type;
    route->media_type_other = other;
}

static void add_health(routes *r, eis_he_server *server)
{
    add(r, "GET", "/health", get_health, EIS_HE_ROUTE_FREE, server)->open = true;
    add(r, "GET", "/health/ready", get_ready, EIS_HE_ROUTE_FREE, server)->open = true;
}

static void add_api(routes *r, eis_he_server *server)
{
    add_health(r, server);
    add(r, "GET", "/models", get_models, EIS_HE_ROUTE_FREE, server);
    add(r, "GET", "/keys", get_keys, EIS_HE_ROUTE_FREE, server);
    add(r, "GET", "/openapi.yaml", get_yaml, EIS_HE_ROUTE_FREE, server);
    add(r, "GET", "/openapi.json", get_openapi_json, EIS_HE_ROUTE_FREE, server);
    add(r, "GET", "/schemas/{file}", get_schema, EIS_HE_ROUTE_FREE, server);
    add(r, "GET", "/jobs/{job_id}", eis_he_server_get_job, EIS_HE_ROUTE_POLL, server);
    add(r, "HEAD", "/keys/{digest}", eis_he_server_head_keys, EIS_HE_ROUTE_POLL, server);
    add(r, "DELETE", "/keys/{digest}", eis_he_server_delete_keys, EIS_HE_ROUTE_POLL, server);
    add_body(add(r, "PUT", "/keys/{digest}", eis_he_server_put_keys, EIS_HE_ROUTE_CALL, server), EIS_HE_MEDIA_BIN_TEXT,
             NULL);
    add_body(add(r, "POST", "/infer", eis_he_server_infer, EIS_HE_ROUTE_CALL, server), EIS_HE_MEDIA_JSON_TEXT,
             EIS_HE_MEDIA_BIN_TEXT);
    if (server->config.enable_plain)
        add_body(add(r, "POST", "/infer/plain", eis_he_server_plain, EIS_HE_ROUTE_CALL, server), EIS_HE_MEDIA_JSON_TEXT,
                 NULL);
    if (!server->config.admin) add(r, "GET", "/metrics", eis_he_server_metrics, EIS_HE_ROUTE_FREE, server);
}

static eis_status start_admin(eis_he_server *server)
{
    routes r = {.count = 0};
    eis_http_config http = {.address = server->config.admin_listen, .api_version = EIS_HE_API_VERSION};

    add_health(&r, server);
    add(&r, "GET", "/metrics", eis_he_server_metrics, EIS_HE_ROUTE_FREE, server);
    http.routes = r.route;
    http.route_count = r.count;
    return eis_net_http_server_start(&server->admin, &http);
}

eis_status eis_he_server_start_http(eis_he_server *server)
{
    const eis_he_server_config *c = &server->config;
    routes r = {.count = 0};
    eis_http_config http = {.address = c->listen,
                            .cert_pem = c->tls.cert_pem,
                            .key_pem = c->tls.key_pem,
                            .client_ca_pem = c->tls.client_ca_pem,
                            .plain_anywhere = c->plain_anywhere,
                            .token = c->token,
                            .body_bytes_max = c->body_bytes_max,
                            .connections_max = c->connections_max,
                            .idle_timeout_s = IDLE_TIMEOUT_S,
                            .request_timeout_s = REQUEST_TIMEOUT_S,
                            .read_bytes = READ_BYTES,
                            .api_version = EIS_HE_API_VERSION,
                            .hooks = eis_he_server_hooks(server)};
    eis_status st = EIS_OK;

    add_api(&r, server);
    http.routes = r.route;
    http.route_count = r.count;
    EIS_TRY(eis_net_http_server_start(&server->http, &http));
    if (c->admin) EIS_TRY(start_admin(server));
out:
    return st;
}
