/* SPDX-License-Identifier: Apache-2.0 */
/* GET /metrics: counters as OpenMetrics text. Sizes, counts and times; never anything about a value. */
#include "base/clock.h"
#include "service/metrics_text.h"
#include "service/split_server_internal.h"

#include <inttypes.h>

static uint64_t load(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void write_requests(eis_writer *w, const eis_split_counters *counters)
{
    static const char *const kinds[EIS_SPLIT_REQUEST_KINDS] = {"words", "seed", "masks", "rest", "legacy_float"};

    eis_metrics_family(w, "eis_split_requests", "counter", "Requests by kind.");
    for (size_t i = 0; i < EIS_SPLIT_REQUEST_KINDS; i++)
        eis_metrics_line(w, "eis_split_requests_total{kind=\"%s\"} %" PRIu64, kinds[i], load(&counters->requests[i]));
    eis_metrics_family(w, "eis_split_legacy_float_requests", "counter",
                       "Requests in floats, each of which leaks its input.");
    eis_metrics_line(w, "eis_split_legacy_float_requests_total %" PRIu64,
                     load(&counters->requests[EIS_SPLIT_REQUEST_LEGACY]));
    eis_metrics_family(w, "eis_split_errors", "counter", "Requests that were refused or failed, by code.");
    for (unsigned i = 0; i < EIS_STATUS_COUNT; i++)
        if (load(&counters->errors[i]) > 0)
            eis_metrics_line(w, "eis_split_errors_total{code=\"%s\"} %" PRIu64, eis_status_code((eis_status)i),
                             load(&counters->errors[i]));
    eis_metrics_family(w, "eis_split_vectors", "counter", "Vectors multiplied.");
    eis_metrics_line(w, "eis_split_vectors_total %" PRIu64, load(&counters->vectors));
    eis_metrics_family(w, "eis_split_eval_seconds", "counter", "Time spent multiplying, all requests together.");
    eis_metrics_line(w, "eis_split_eval_seconds_total %.6f", (double)load(&counters->eval_ns) * 1e-9);
}

static void write_stream(eis_writer *w, eis_split_server *server)
{
    eis_listener_counts counts = {0}; /* where REST is the only door */
    unsigned inside, waiting;

    if (server->listener != NULL) eis_net_listener_counts(&counts, server->listener);
    eis_split_gate_counts(&inside, &waiting, server->gate);
    eis_metrics_family(w, "eis_split_connections", "gauge", "Connections of the binary stream that are open.");
    eis_metrics_line(w, "eis_split_connections %u", counts.connections);
    eis_metrics_family(w, "eis_split_connections_accepted", "counter", "Connections that were accepted.");
    eis_metrics_line(w, "eis_split_connections_accepted_total %" PRIu64, counts.accepted);
    eis_metrics_family(w, "eis_split_connections_refused", "counter", "Connections above the limit.");
    eis_metrics_line(w, "eis_split_connections_refused_total %" PRIu64, counts.refused);
    eis_metrics_family(w, "eis_split_handshakes_failed", "counter", "Connections whose TLS handshake failed.");
    eis_metrics_line(w, "eis_split_handshakes_failed_total %" PRIu64, counts.handshakes_failed);
    eis_metrics_family(w, "eis_split_stream_bytes", "counter", "Bytes of frames, before TLS.");
    eis_metrics_line(w, "eis_split_stream_bytes_total{direction=\"in\"} %" PRIu64, counts.stream.bytes_in);
    eis_metrics_line(w, "eis_split_stream_bytes_total{direction=\"out\"} %" PRIu64, counts.stream.bytes_out);
    eis_metrics_family(w, "eis_split_in_flight", "gauge", "Requests that are computed now.");
    eis_metrics_line(w, "eis_split_in_flight %u", inside);
    eis_metrics_family(w, "eis_split_waiting", "gauge", "Requests that wait for their turn.");
    eis_metrics_line(w, "eis_split_waiting %u", waiting);
}

eis_status eis_split_server_metrics(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    eis_split_server *server = context;
    eis_status st = EIS_OK;
    eis_writer text;

    (void)request;
    eis_wire_writer_init(&text, EIS_METRICS_BYTES_MAX);
    write_requests(&text, &server->counters);
    write_stream(&text, server);
    eis_metrics_http(&text, server->http);
    eis_metrics_family(&text, "eis_models", "gauge", "Models on offer.");
    eis_metrics_line(&text, "eis_models %zu", server->config.offer_count);
    eis_metrics_family(&text, "eis_uptime_seconds", "gauge", "Time since the start.");
    eis_metrics_line(&text, "eis_uptime_seconds %.3f", (double)(eis_clock_ns() - server->started_ns) * 1e-9);
    eis_metrics_line(&text, "# EOF");
    EIS_TRY(eis_wire_writer_status(&text));
    EIS_TRY(eis_net_http_reply_set(reply, 200, EIS_METRICS_MEDIA_TYPE, text.data, text.bytes));
out:
    eis_wire_writer_clear(&text);
    return st;
}
