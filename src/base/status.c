/* SPDX-License-Identifier: Apache-2.0 */
/* The status list as tables, and the text that goes with the last failure on each thread. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct status_row {
    const char *code;
    int http, grpc, exit_code, retry;
    const char *text;
} status_row;

static const status_row rows[] = {
#define X(name, code, http, grpc, exit_code, retry, text) {code, http, grpc, exit_code, retry, text},
    EIS_STATUS_LIST(X)
#undef X
};

static const status_row *row_of(eis_status st)
{
    return &rows[(unsigned)st < EIS_STATUS_COUNT ? st : EIS_ERR_INTERNAL];
}

const char *eis_status_code(eis_status st) { return row_of(st)->code; }
const char *eis_status_text(eis_status st) { return row_of(st)->text; }
int eis_status_http(eis_status st) { return row_of(st)->http; }
int eis_status_grpc(eis_status st) { return row_of(st)->grpc; }
int eis_status_exit_code(eis_status st) { return row_of(st)->exit_code; }
int eis_status_retryable(eis_status st) { return row_of(st)->retry; }

eis_status eis_status_from_code(const char *code)
{
    for (unsigned i = 0; i < EIS_STATUS_COUNT; i++)
        if (strcmp(rows[i].code, code) == 0) return (eis_status)i;
    return EIS_ERR_PROTOCOL;
}

#define DETAIL_BYTES_MAX 512
static _Thread_local char detail[DETAIL_BYTES_MAX];

const char *eis_error_detail(void) { return detail; }
void eis_error_clear(void) { detail[0] = '\0'; }

eis_status eis_fail(eis_status st, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    return st;
}

eis_status eis_fail_prefix(eis_status st, const char *format, ...)
{
    char prefix[DETAIL_BYTES_MAX], joined[2 * DETAIL_BYTES_MAX + 2];
    va_list args;

    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    snprintf(joined, sizeof joined, "%s: %s", prefix, detail[0] ? detail : eis_status_text(st));
    memcpy(detail, joined, sizeof detail - 1);
    detail[sizeof detail - 1] = '\0';
    return st;
}

void eis_assert_failed(const char *expression, const char *file, int line)
{
    fprintf(stderr, "eis: contract broken: %s (%s:%d)\n", expression, file, line);
    abort();
}
