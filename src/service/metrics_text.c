/* SPDX-License-Identifier: Apache-2.0 */
#include "service/metrics_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void eis_metrics_line(eis_writer *w, const char *format, ...)
{
    char text[512];
    va_list args;
    int bytes;

    va_start(args, format);
    bytes = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    EIS_ASSERT(bytes >= 0 && (size_t)bytes < sizeof text);
    eis_wire_writer_bytes(w, text, (size_t)bytes);
    eis_wire_writer_bytes(w, "\n", 1);
}

void eis_metrics_family(eis_writer *w, const char *name, const char *type, const char *help)
{
    eis_metrics_line(w, "# TYPE %s %s", name, type);
    eis_metrics_line(w, "# HELP %s %s", name, help);
}

void eis_metrics_http(eis_writer *w, const eis_http_server *http)
{
    eis_http_counts counts = {0};

    if (http != NULL) eis_net_http_server_counts(&counts, http);
    eis_metrics_family(w, "eis_http_replies", "counter", "Replies of REST by class of status.");
    eis_metrics_line(w, "eis_http_replies_total{class=\"2xx\"} %" PRIu64, counts.replies_2xx);
    eis_metrics_line(w, "eis_http_replies_total{class=\"4xx\"} %" PRIu64, counts.replies_4xx);
    eis_metrics_line(w, "eis_http_replies_total{class=\"5xx\"} %" PRIu64, counts.replies_5xx);
    eis_metrics_family(w, "eis_http_body_bytes", "counter", "Bytes of bodies.");
    eis_metrics_line(w, "eis_http_body_bytes_total{direction=\"in\"} %" PRIu64, counts.bytes_in);
    eis_metrics_line(w, "eis_http_body_bytes_total{direction=\"out\"} %" PRIu64, counts.bytes_out);
}
