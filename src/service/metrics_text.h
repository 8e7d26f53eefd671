/* SPDX-License-Identifier: Apache-2.0 */
/* OpenMetrics text, as all servers write it. */
#ifndef EIS_SERVICE_METRICS_TEXT_H
#define EIS_SERVICE_METRICS_TEXT_H

#include "net/http.h"
#include "wire/cursor.h"

#define EIS_METRICS_BYTES_MAX  ((size_t)1 << 20)
#define EIS_METRICS_MEDIA_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* Writes one line of at most 511 characters. */
void eis_metrics_line(eis_writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes the two lines in front of a family. */
void eis_metrics_family(eis_writer *w, const char *name, const char *type, const char *help);

/* Writes what every HTTP server counts; NULL: zeros. */
void eis_metrics_http(eis_writer *w, const eis_http_server *http);

#endif
