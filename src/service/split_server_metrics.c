/* SPDX-License-Identifier: Apache-2.0 */
/* GET /metrics: counters as OpenMetrics text. Sizes, counts and times; never anything about a value. */
#include "base/clock.h"
#include "service/split_server_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define TEXT_BYTES_MAX ((size_t)1 << 20)
#define MEDIA_TYPE     "application/openmetrics-text; version=1.0.0; charset=utf-8"

static void line(eis_writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void line(eis_writer *w, const char *format, ...)
{
    char text[256];
    va_list args;
    int bytes;

    va_start(args, format);
    bytes = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    EIS_ASSERT(bytes >= 0 && (size_t)bytes < sizeof text);
    eis_wire_writer_bytes(w, text, (size_t)bytes);
    eis_wire_writer_bytes(w, "\n", 1);
}

/* The two lines in front of a family. */
static void family(eis_writer *w, const char *name, const char *type, const char *help)
{
    line(w, "# TYPE %s %s", name, type);
    line(w, "# HELP %s %s", name, help);
}

static uint64_t load(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void write_requests(eis_writer *w, const eis_split_counters *counters)
{
    static const char *const kinds[EIS_SPLIT_REQUEST_KINDS] = {"words", "seed", "masks", "rest", "legacy_float"};

    family(w, "eis_split_requests", "counter", "Requests by kind.");
    for (size_t i = 0; i < EIS_SPLIT_REQUEST_KINDS; i++)
        line(w, "eis_split_requests_total{kind=\"%s\"} %" PRIu64, kinds[i], load(&counters->requests[i]));
    family(w, "eis_split_legacy_float_requests", "counter", "Requests in floats, each of which leaks its input.");
    line(w, "eis_split_legacy_float_requests_total %" PRIu64, load(&counters->requests[EIS_SPLIT_REQUEST_LEGACY]));
    family(w, "eis_split_errors", "counter", "Requests that were refused or failed, by code.");
    for (unsigned i = 0; i < EIS_STATUS_COUNT; i++)
        if (load(&counters->errors[i]) > 0)
            line(w, "eis_split_errors_total{code=\"%s\"} %" PRIu64, eis_status_code((eis_status)i),
                 load(&counters->errors[i]));
    family(w, "eis_split_vectors", "counter", "Vectors multiplied.");
    line(w, "eis_split_vectors_total %" PRIu64, load(&counters->vectors));
    family(w, "eis_split_eval_seconds", "counter", "Time spent multiplying, all requests together.");
    line(w, "eis_split_eval_seconds_total %.6f", (double)load(&counters->eval_ns) * 1e-9);
}

static void write_stream(eis_writer *w, eis_split_server *server)
{
    eis_listener_counts counts = {0}; /* where REST is the only door */
    unsigned inside, waiting;

    if (server->listener != NULL) eis_net_listener_counts(&counts, server->listener);
    eis_split_gate_counts(&inside, &waiting, server->gate);
    family(w, "eis_split_connections", "gauge", "Connections of the binary stream that are open.");
    line(w, "eis_split_connections %u", counts.connections);
    family(w, "eis_split_connections_accepted", "counter", "Connections that were accepted.");
    line(w, "eis_split_connections_accepted_total %" PRIu64, counts.accepted);
    family(w, "eis_split_connections_refused", "counter", "Connections above the limit.");
    line(w, "eis_split_connections_refused_total %" PRIu64, counts.refused);
    family(w, "eis_split_handshakes_failed", "counter", "Connections whose TLS handshake failed.");
    line(w, "eis_split_handshakes_failed_total %" PRIu64, counts.handshakes_failed);
    family(w, "eis_split_stream_bytes", "counter", "Bytes of frames, before TLS.");
    line(w, "eis_split_stream_bytes_total{direction=\"in\"} %" PRIu64, counts.stream.bytes_in);
    line(w, "eis_split_stream_bytes_total{direction=\"out\"} %" PRIu64, counts.stream.bytes_out);
    family(w, "eis_split_in_flight", "gauge", "Requests that are computed now.");
    line(w, "eis_split_in_flight %u", inside);
    family(w, "eis_split_waiting", "gauge", "Requests that wait for their turn.");
    line(w, "eis_split_waiting %u", waiting);
}

static void write_http(eis_writer *w, const eis_split_server *server)
{
    eis_http_counts counts = {0};

    if (server->http != NULL) eis_net_http_server_counts(&counts, server->http);
    family(w, "eis_http_replies", "counter", "Replies of REST by class of status.");
    line(w, "eis_http_replies_total{class=\"2xx\"} %" PRIu64, counts.replies_2xx);
    line(w, "eis_http_replies_total{class=\"4xx\"} %" PRIu64, counts.replies_4xx);
    line(w, "eis_http_replies_total{class=\"5xx\"} %" PRIu64, counts.replies_5xx);
    family(w, "eis_http_body_bytes", "counter", "Bytes of bodies.");
    line(w, "eis_http_body_bytes_total{direction=\"in\"} %" PRIu64, counts.bytes_in);
    line(w, "eis_http_body_bytes_total{direction=\"out\"} %" PRIu64, counts.bytes_out);
}

eis_status eis_split_server_metrics(void *context, eis_http_reply *reply, const eis_http_request *request)
{
    eis_split_server *server = context;
    eis_status st = EIS_OK;
    eis_writer text;

    (void)request;
    eis_wire_writer_init(&text, TEXT_BYTES_MAX);
    write_requests(&text, &server->counters);
    write_stream(&text, server);
    write_http(&text, server);
    family(&text, "eis_models", "gauge", "Models on offer.");
    line(&text, "eis_models %zu", server->config.offer_count);
    family(&text, "eis_uptime_seconds", "gauge", "Time since the start.");
    line(&text, "eis_uptime_seconds %.3f", (double)(eis_clock_ns() - server->started_ns) * 1e-9);
    line(&text, "# EOF");
    EIS_TRY(eis_wire_writer_status(&text));
    EIS_TRY(eis_net_http_reply_set(reply, 200, MEDIA_TYPE, text.data, text.bytes));
out:
    eis_wire_writer_clear(&text);
    return st;
}
