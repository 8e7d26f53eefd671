/* SPDX-License-Identifier: Apache-2.0 */
/* What can be asked without a ciphertext: health, models, keys, documents; and what is refused for its path alone. */
#include "base/mem.h"
#include "cli/conform.h"
#include "engine/he/protect.h"
#include "wire/text.h"

#include <stdio.h>
#include <string.h>

/* ---- answers of JSON ---- */

/* Gets a path that must answer 200 with a JSON object that has api_version. The caller frees the document. */
static eis_json_doc *get_object(eis_conform *c, const char *name, const char *clause, const char *path)
{
    eis_json_doc *doc = NULL;
    eis_json_value version;
    const char *fault = NULL;

    if (!eis_conform_get(c, "GET", path)) {
        eis_conform_check(c, false, name, clause, "no answer: %s", c->call.detail);
        return NULL;
    }
    doc = eis_conform_json(c);
    if (c->call.http_status != 200)
        fault = "not 200";
    else if (strcmp(c->call.answer_media_type, "application/json") != 0)
        fault = "the media type is not application/json";
    else if (doc == NULL || eis_json_type_of(eis_json_root(doc)) != EIS_JSON_OBJECT)
        fault = "the body is no JSON object";
    else if (c->profile == EIS_CONFORM_V1 && (!eis_json_find(&version, eis_json_root(doc), "api_version") ||
                                              !eis_json_string_is(version, EIS_HE_API_VERSION)))
        fault = "api_version is not \"1.0.0\"";
    if (eis_conform_check(c, fault == NULL, name, clause, "GET %s: %d%s%s", path, c->call.http_status,
                          fault != NULL ? ", " : "", fault != NULL ? fault : ""))
        return doc;
    eis_json_free(doc);
    return NULL;
}

static void check_health(eis_conform *c)
{
    static const char *const paths[] = {"/health", "/health/ready"};
    static const char *const names[] = {"health.alive", "health.ready"};
    static const char *const says[] = {"ok", "ready"};

    for (size_t i = 0; i < (c->profile == EIS_CONFORM_V1 ? 2u : 1u); i++) {
        eis_json_doc *doc = get_object(c, names[i], "api 1", paths[i]);
        eis_json_value status;
        if (doc == NULL) continue;
        if (!eis_json_find(&status, eis_json_root(doc), "status") || !eis_json_string_is(status, says[i]))
            eis_conform_check(c, false, names[i], "api 1", "status is not \"%s\"", says[i]);
        eis_json_free(doc);
    }
}

/* ---- models ---- */

/* Every entry must be one that a client can use under the default policy, or name another policy openly. */
static void check_entry(eis_conform *c, eis_json_value entry, eis_he_contract *contract)
{
    eis_he_info info = {0};
    const eis_ckks_params *params = NULL;
    eis_status st = eis_he_contract_read(contract, &info, entry);

    if (st == EIS_OK) st = eis_ckks_params_new(&params, &contract->literal);
    eis_conform_check(c, st == EIS_OK, "models.entry", "api 12", "%.64s %.32s: %s", info.model_id, info.version,
                      st == EIS_OK ? eis_ckks_policy_name(contract->literal.policy) : eis_error_detail());
    eis_ckks_params_free(params);
    eis_he_info_clear(&info);
    eis_error_clear();
}

static bool same_answer(const eis_http_call *call, const uint8_t *body, size_t bytes)
{
    return call->answer_bytes == bytes && memcmp(call->answer, body, bytes) == 0;
}

static void check_models(eis_conform *c)
{
    eis_json_doc *doc = get_object(c, "models.list", "api 1", "/models");
    eis_he_contract *contract = eis_mem_new(1, sizeof *contract);
    eis_json_value list, entry;
    eis_json_iter it;
    uint8_t *first = NULL;
    size_t bytes = c->call.answer_bytes;

    if (doc == NULL || contract == NULL) goto out;
    if (!eis_conform_check(c, eis_json_find(&list, eis_json_root(doc), "models") && eis_json_length(list) > 0,
                           "models.some", "api 1", "models is a list with entries"))
        goto out;
    it = eis_json_iterate(list);
    while (eis_json_next_element(&it, &entry)) check_entry(c, entry, contract);
    first = c->call.answer;
    c->call.answer = NULL; /* kept for the comparison */
    c->call.answer_capacity = 0;
    if (eis_conform_get(c, "GET", "/models"))
        eis_conform_check(c, same_answer(&c->call, first, bytes), "models.stable", "api 2.7",
                          "two answers of /models are the same bytes");
out:
    eis_mem_free(first);
    eis_mem_free(contract);
    eis_json_free(doc);
}

/* ---- parameters of the target ---- */

static bool find_entry(eis_json_value *entry, eis_json_value list, const eis_conform_target *t)
{
    eis_json_iter it = eis_json_iterate(list);
    eis_json_value id, version;

    while (eis_json_next_element(&it, entry))
        if (eis_json_find(&id, *entry, "model_id") && eis_json_string_is(id, t->info->model_id) &&
            eis_json_find(&version, *entry, "version") && eis_json_string_is(version, t->info->version))
            return true;
    return false;
}

/* The parms_ids that the server publishes are those that we compute from its primes. */
static void check_keys_list(eis_conform *c)
{
    const eis_ckks_params *params = eis_he_remote_engine(c->target.remote)->params;
    eis_json_doc *doc = get_object(c, "keys.list", "api 8", "/keys");
    eis_json_value list, entry, ids, id;
    char hex[2 * EIS_CKKS_PARMS_ID_BYTES + 1];
    bool same = true;

    if (doc == NULL) return;
    if (!eis_json_find(&list, eis_json_root(doc), "models") || !find_entry(&entry, list, &c->target) ||
        !eis_json_find(&ids, entry, "parms_ids")) {
        eis_conform_check(c, false, "keys.parms-ids", "api 8", "%s is not in the list", c->target.info->model_id);
    } else {
        eis_json_iter it = eis_json_iterate(ids);
        same = eis_json_length(ids) == params->prime_count;
        for (size_t level = 1; same && level <= params->prime_count; level++) {
            eis_wire_hex_write(hex, params->parms_id[level], EIS_CKKS_PARMS_ID_BYTES);
            same = eis_json_next_element(&it, &id) && eis_json_string_is(id, hex);
        }
        eis_conform_check(c, same, "keys.parms-ids", "api 8", "one for each level, as computed from the primes");
    }
    eis_json_free(doc);
}

/* ---- documents ---- */

static void check_documents(eis_conform *c)
{
    static const char *const schemas[] = {"common",        "error", "health",      "infer-accepted",
                                          "infer-request", "job",   "keys-stored", "keys-upload",
                                          "keys",          "model", "models",      "result"};
    char path[64];
    eis_json_doc *doc;
    bool good;

    good = eis_conform_get(c, "GET", "/openapi.yaml") && c->call.http_status == 200 && c->call.answer_bytes > 0 &&
           strstr((const char *)c->call.answer, "openapi: ") != NULL;
    eis_conform_check(c, good, "documents.openapi-yaml", "api 1", "GET /openapi.yaml: %d", c->call.http_status);
    good = eis_conform_get(c, "GET", "/openapi.json") && c->call.http_status == 200;
    doc = good ? eis_conform_json(c) : NULL;
    eis_conform_check(c, doc != NULL, "documents.openapi-json", "api 1", "GET /openapi.json: %d", c->call.http_status);
    eis_json_free(doc);
    for (size_t i = 0; i < sizeof schemas / sizeof schemas[0]; i++) {
        snprintf(path, sizeof path, "/schemas/%s.json", schemas[i]);
        good = eis_conform_get(c, "GET", path) && c->call.http_status == 200;
        doc = good ? eis_conform_json(c) : NULL;
        if (doc == NULL) break;
        eis_json_free(doc);
    }
    eis_conform_check(c, doc != NULL, "documents.schemas", "api 1", "%s: %d", path, c->call.http_status);
}

static void check_metrics(eis_conform *c)
{
    if (!eis_conform_get(c, "GET", "/metrics") || c->call.http_status == 404 || c->call.http_status == 401) {
        eis_conform_skip(c, "documents.metrics", "api 1", "not at this address");
        return;
    }
    eis_conform_check(c,
                      c->call.http_status == 200 && c->call.answer_bytes > 6 &&
                          memcmp(c->call.answer + c->call.answer_bytes - 6, "# EOF\n", 6) == 0,
                      "documents.metrics", "api 1", "GET /metrics: %d, OpenMetrics ends with # EOF",
                      c->call.http_status);
}

/* ---- paths, methods, headers ---- */

static void check_paths(eis_conform *c)
{
    char value[64];

    eis_conform_get(c, "GET", "/nothing/here");
    eis_conform_expect(c, "paths.unknown", "api 9", "NOT_FOUND");
    eis_conform_get(c, "GET", "/jobs/00000000000000000000000000000000");
    eis_conform_expect(c, "paths.unknown-job", "api 7", "JOB_NOT_FOUND");
    if (c->profile != EIS_CONFORM_V1) return;
    eis_conform_get(c, "GET", "/jobs/no-such-form");
    eis_conform_expect(c, "paths.malformed-job", "api 7", "JOB_NOT_FOUND");
    eis_conform_get(c, "GET", "/schemas/none.json");
    eis_conform_expect(c, "paths.unknown-schema", "api 9", "NOT_FOUND");
    eis_conform_get(c, "GET", "/infer");
    if (eis_conform_expect(c, "paths.method", "api 9", "METHOD_NOT_ALLOWED"))
        eis_conform_check(c, eis_net_http_call_header(value, sizeof value, &c->call, "allow"), "paths.allow", "api 9",
                          "Allow: %s", value);
    eis_conform_get(c, "POST", "/health");
    eis_conform_expect(c, "paths.method-health", "api 9", "METHOD_NOT_ALLOWED");
}

static void check_headers(eis_conform *c)
{
    bool plain = strncmp(eis_he_link_origin(c->link), "http://", 7) == 0;
    char value[64];

    eis_conform_ask(
        c, &(eis_he_ask){.method = "GET", .path = "/models", .line = {"Origin: http://evil.example"}, .line_count = 1});
    eis_conform_check(c, !eis_net_http_call_header(value, sizeof value, &c->call, "access-control-allow-origin"),
                      "headers.no-cors", "api 11", "no CORS header is sent");
    if (!plain) {
        eis_conform_skip(c, "headers.host", "api 11", "the connection is not in plain");
        return;
    }
    eis_conform_ask(c,
                    &(eis_he_ask){.method = "GET", .path = "/models", .line = {"Host: evil.example"}, .line_count = 1});
    eis_conform_expect(c, "headers.host", "api 11", "FORBIDDEN");
    eis_conform_ask(c, &(eis_he_ask){.method = "GET",
                                     .path = "/jobs/00000000000000000000000000000000",
                                     .line = {"X-Tenant-ID: a b"},
                                     .line_count = 1});
    eis_conform_expect(c, "headers.tenant", "api 11", "INVALID_SCHEMA");
}

void eis_conform_discovery(eis_conform *c)
{
    check_health(c);
    check_models(c);
    check_paths(c);
    if (c->profile != EIS_CONFORM_V1) return;
    check_keys_list(c);
    check_documents(c);
    check_metrics(c);
    check_headers(c);
}
