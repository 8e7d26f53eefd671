/* SPDX-License-Identifier: Apache-2.0 */
/* GET /metrics: names of models, counts, bytes and times. Never a tenant, a job or a digest. */
#include "base/clock.h"
#include "service/he_server_internal.h"
#include "service/metrics_text.h"

#include <inttypes.h>

static uint64_t load(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void write_models(eis_writer *w, const eis_he_server *server)
{
    const struct {
        const char *name, *help;
        size_t at;
    } families[] = {
        {"eis_he_requests", "Requests that were accepted, by model.", offsetof(eis_he_model_counters, requests)},
        {"eis_he_jobs_completed", "Jobs that completed, by model.", offsetof(eis_he_model_counters, completed)},
        {"eis_he_jobs_failed", "Jobs that failed, by model.", offsetof(eis_he_model_counters, failed)},
    };

    for (size_t f = 0; f < sizeof families / sizeof *families; f++) {
        eis_metrics_family(w, families[f].name, "counter", families[f].help);
        for (size_t i = 0; i < server->config.registry->count; i++) {
            const eis_he_info *info = &server->config.registry->models[i].info;
            const char *counters = (const char *)&server->models[i] + families[f].at;

            eis_metrics_line(w, "%s_total{model=\"%s\",version=\"%s\"} %" PRIu64, families[f].name, info->model_id,
                             info->version, load((const atomic_uint_fast64_t *)(const void *)counters));
        }
    }
    eis_metrics_family(w, "eis_he_eval_seconds", "counter", "Time spent computing, by model.");
    for (size_t i = 0; i < server->config.registry->count; i++) {
        const eis_he_info *info = &server->config.registry->models[i].info;

        eis_metrics_line(w, "eis_he_eval_seconds_total{model=\"%s\",version=\"%s\"} %.6f", info->model_id,
                         info->version, (double)load(&server->models[i].eval_ns) * 1e-9);
    }
}

static void write_errors(eis_writer *w, const eis_he_server *server)
{
    eis_metrics_family(w, "eis_he_errors", "counter", "Requests that were refused or failed, by code.");
    for (unsigned i = 0; i < EIS_STATUS_COUNT; i++)
        if (load(&server->errors[i]) > 0)
            eis_metrics_line(w, "eis_he_errors_total{code=\"%s\"} %" PRIu64, eis_status_code((eis_status)i),
                             load(&server->errors[i]));
}

static void gauge(eis_writer *w, const char *name, const char *help, uint64_t value)
{
    eis_metrics_family(w, name, "gauge", help);
    eis_metrics_line(w, "%s %" PRIu64, name, value);
}

static void write_state(eis_writer *w, eis_he_server *server)
{
    eis_he_keys_counts keys;
    eis_job_counts jobs;
    uint64_t weight, memory;
    unsigned waiting, computing;

    pthread_mutex_lock(&server->queue.lock);
    waiting = server->queue.waiting;
    computing = server->queue.computing;
    weight = server->queue.weight;
    memory = server->queue.memory;
    pthread_mutex_unlock(&server->queue.lock);
    eis_he_keys_count(&keys, server->keys);
    eis_store_jobs_counts(&jobs, server->jobs);
    gauge(w, "eis_he_queue", "Jobs that wait.", waiting);
    gauge(w, "eis_he_queue_weight", "What waiting and running jobs count together.", weight);
    gauge(w, "eis_he_running", "Jobs that are computed now.", computing);
    gauge(w, "eis_he_memory_bytes", "Memory reserved for evaluations.", memory);
    gauge(w, "eis_he_input_bytes", "Bodies that are read and inputs that wait.", eis_he_parties_bytes(server->parties));
    gauge(w, "eis_he_key_sets", "Sets of evaluation keys.", keys.sets);
    gauge(w, "eis_he_key_bytes", "Memory of evaluation keys.", keys.bytes);
    eis_metrics_family(w, "eis_he_key_sets_evicted", "counter", "Sets that made room for others.");
    eis_metrics_line(w, "eis_he_key_sets_evicted_total %" PRIu64, keys.evicted);
    gauge(w, "eis_he_store_jobs", "Jobs that are remembered.", jobs.jobs);
    gauge(w, "eis_he_store_bytes", "Results that are remembered, those that are expected included.", jobs.bytes);
    gauge(w, "eis_he_store_healthy", "1 where the last write to the store went through.", jobs.healthy);
    eis_metrics_family(w, "eis_he_jobs_cut_off", "counter", "Jobs of an earlier process that were found unfinished.");
    eis_metrics_line(w, "eis_he_jobs_cut_off_total %" PRIu64, jobs.cut_off);
}

eis_status eis_he_server_metrics(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    eis_he_server *server = context;
    eis_writer text;

    (void)request;
    eis_wire_writer_init(&text, EIS_METRICS_BYTES_MAX);
    write_models(&text, server);
    write_errors(&text, server);
    write_state(&text, server);
    eis_metrics_http(&text, server->http);
    eis_metrics_family(&text, "eis_uptime_seconds", "gauge", "Time since the start.");
    eis_metrics_line(&text, "eis_uptime_seconds %.3f", (double)(eis_clock_ns() - server->started_ns) * 1e-9);
    eis_metrics_line(&text, "# EOF");
    return eis_he_server_reply(reply, 200, EIS_METRICS_MEDIA_TYPE, &text);
}
