/* SPDX-License-Identifier: Apache-2.0 */
#include "service/he_link.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/address.h"
#include "wire/json.h"

#include <ctype.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS_DEFAULT   60000u
#define ANSWER_BYTES_DEFAULT ((size_t)256 << 20)
#define RETRIES_DEFAULT      4u
#define PATIENCE_MS_DEFAULT  90000u
#define BACK_OFF_MS          200u  /* before the first repetition; doubled for each further one */
#define BACK_OFF_MS_MAX      8000u /* where the server names no time */
#define LONG_PAUSE_MS        1000u /* from here on somebody may wonder what goes on */
#define PROBLEM_BYTES_MAX    ((size_t)64 << 10)
#define RETRY_AFTER_S_MAX    3600u

struct eis_he_link {
    eis_http_client *http;
    const eis_cancel *cancel; /* the client's; may be NULL */
    char base[EIS_HE_URL_BYTES], origin[EIS_HE_URL_BYTES];
    char tenant_line[EIS_HE_TENANT_BYTES + 16]; /* "" where none is named */
    unsigned retries;
    uint32_t patience_ms;
    eis_he_link_counts counts;
};

/* ---- error answers ---- */

static void copy_printable(char *out, size_t out_bytes, eis_span text)
{
    size_t n = text.bytes < out_bytes ? text.bytes : out_bytes - 1;

    for (size_t i = 0; i < n; i++) out[i] = text.data[i] >= 0x20 && text.data[i] < 0x7f ? (char)text.data[i] : '?';
    out[n] = '\0';
}

static bool find_text(char *out, size_t out_bytes, eis_json_value object, const char *name)
{
    eis_json_value value;
    eis_span text;

    if (!eis_json_find(&value, object, name) || !eis_json_string(&text, value)) return false;
    copy_printable(out, out_bytes, text);
    return true;
}

/* What an HTTP status means where no code says more. */
static eis_status status_of_http(int http_status)
{
    static const struct {
        int http;
        eis_status st;
    } known[] = {{400, EIS_ERR_PARSE},       {401, EIS_ERR_UNAUTHENTICATED}, {403, EIS_ERR_FORBIDDEN},
                 {404, EIS_ERR_NOT_FOUND},   {405, EIS_ERR_METHOD},          {409, EIS_ERR_CONTEXT_MISMATCH},
                 {413, EIS_ERR_TOO_LARGE},   {415, EIS_ERR_MEDIA_TYPE},      {422, EIS_ERR_PARSE},
                 {429, EIS_ERR_RATE_LIMITED}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].http == http_status) return known[i].st;
    if (http_status == 502 || http_status == 503 || http_status == 504) return EIS_ERR_UNAVAILABLE;
    return http_status >= 500 ? EIS_ERR_INTERNAL : EIS_ERR_PROTOCOL;
}

/* A code says more than the HTTP status, but it cannot turn an error into a success. */
static eis_status status_of_code(const char *code, int http_status)
{
    eis_status st;

    if (strcmp(code, "SCHEMA_VALIDATION_FAILED") == 0) return EIS_ERR_PARSE;
    st = eis_status_from_code(code);
    return st == EIS_OK || st == EIS_ERR_PROTOCOL || st == EIS_ERR_INTERRUPTED ? status_of_http(http_status) : st;
}

static void read_members(eis_he_problem *p, int http_status, eis_json_value root)
{
    eis_json_value error = root, detail;
    uint64_t seconds;

    /* A framework may put the whole object into `detail`. */
    if (eis_json_find(&detail, root, "detail") && eis_json_type_of(detail) == EIS_JSON_OBJECT) root = error = detail;
    (void)eis_json_find(&error, root, "error");
    if (eis_json_type_of(error) != EIS_JSON_OBJECT) error = root;
    p->has_code = find_text(p->code, sizeof p->code, error, "code");
    if (p->has_code) {
        p->status = status_of_code(p->code, http_status);
        p->retryable = eis_status_retryable(p->status) != 0;
    }
    if (!find_text(p->message, sizeof p->message, root, "detail") &&
        !find_text(p->message, sizeof p->message, error, "message") &&
        !find_text(p->message, sizeof p->message, root, "error"))
        (void)find_text(p->message, sizeof p->message, root, "error_message");
    if (eis_json_find(&detail, error, "retryable")) (void)eis_json_bool(&p->retryable, detail);
    if (eis_json_find(&detail, error, "retry_after_s") && eis_json_u64(&seconds, detail) && seconds > p->retry_after_s)
        p->retry_after_s = seconds < RETRY_AFTER_S_MAX ? (unsigned)seconds : RETRY_AFTER_S_MAX;
}

void eis_he_problem_read(eis_he_problem *p, int http_status, unsigned retry_after_s, eis_span body)
{
    eis_json_doc *doc = NULL;

    *p = (eis_he_problem){.status = status_of_http(http_status), .retry_after_s = retry_after_s};
    p->retryable = eis_status_retryable(p->status) != 0 || http_status >= 500;
    if (eis_json_parse(&doc, "error answer", body.data, body.bytes, PROBLEM_BYTES_MAX) == EIS_OK)
        read_members(p, http_status, eis_json_root(doc));
    else
        eis_error_clear();
    eis_json_free(doc);
}

/* ---- the link ---- */

/* The scheme and the host in small letters, and the port that is meant. */
static eis_status find_origin(char origin[EIS_HE_URL_BYTES], const char *url)
{
    eis_status st = EIS_OK;
    bool tls = strncmp(url, "https://", 8) == 0;
    const char *rest = url + (tls ? 8 : 7);
    size_t length;
    char text[EIS_HE_URL_BYTES], shown[EIS_ADDRESS_TEXT_BYTES_MAX];
    eis_address address;

    EIS_REQUIRE(tls || strncmp(url, "http://", 7) == 0, EIS_ERR_USAGE,
                "\"%.120s\" is no URL of a server; it begins with http:// or https://", url);
    length = strcspn(rest, "/?#");
    EIS_REQUIRE(strpbrk(rest, "?#@") == NULL, EIS_ERR_USAGE, "the URL of a server has no ?, # and @");
    EIS_REQUIRE(length < sizeof text, EIS_ERR_USAGE, "the URL is too long");
    for (size_t i = 0; i < length; i++) text[i] = (char)tolower((unsigned char)rest[i]);
    text[length] = '\0';
    EIS_TRY(eis_net_address_parse(&address, text, tls ? 443 : 80));
    eis_net_address_format(shown, &address);
    snprintf(origin, EIS_HE_URL_BYTES, "%s://%s", tls ? "https" : "http", shown);
out:
    return st;
}

static eis_status set_base(eis_he_link *link, const char *url)
{
    eis_status st = EIS_OK;
    size_t length = strlen(url);

    EIS_REQUIRE(length + 256 < sizeof link->base, EIS_ERR_USAGE, "the URL is too long");
    EIS_TRY(find_origin(link->origin, url));
    while (length > 0 && url[length - 1] == '/') length--;
    memcpy(link->base, url, length);
    link->base[length] = '\0';
out:
    return st;
}

static eis_status set_tenant(eis_he_link *link, const char *tenant)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    if (tenant == NULL) return EIS_OK;
    if (*tenant == '\0' || strlen(tenant) >= EIS_HE_TENANT_BYTES || tenant[strspn(tenant, allowed)] != '\0')
        return eis_fail(EIS_ERR_USAGE, "a tenant is 1 to %d letters, digits, dots, hyphens and underscores",
                        EIS_HE_TENANT_BYTES - 1);
    snprintf(link->tenant_line, sizeof link->tenant_line, "X-Tenant-ID: %s", tenant);
    return EIS_OK;
}

eis_status eis_he_link_new(eis_he_link **out_link, const eis_he_link_config *config)
{
    eis_status st = EIS_OK;
    eis_he_link *link = NULL;
    eis_http_client_config net = config->net;

    *out_link = NULL;
    EIS_NEW(link, 1);
    EIS_TRY(set_base(link, config->url));
    EIS_TRY(set_tenant(link, config->tenant));
    link->cancel = net.cancel;
    link->retries = config->retries == 0 ? RETRIES_DEFAULT : config->retries == EIS_HE_NO_RETRIES ? 0 : config->retries;
    link->patience_ms = config->patience_ms != 0 ? config->patience_ms : PATIENCE_MS_DEFAULT;
    if (net.timeout_ms == 0) net.timeout_ms = TIMEOUT_MS_DEFAULT;
    if (net.response_bytes_max == 0) net.response_bytes_max = ANSWER_BYTES_DEFAULT;
    EIS_TRY(eis_net_http_client_new(&link->http, &net));
    *out_link = link;
    link = NULL;
out:
    eis_he_link_free(link);
    return st;
}

void eis_he_link_free(eis_he_link *link)
{
    if (link == NULL) return;
    eis_net_http_client_free(link->http);
    eis_mem_free(link);
}

const char *eis_he_link_origin(const eis_he_link *link) { return link->origin; }

void eis_he_link_counts_get(eis_he_link_counts *counts, const eis_he_link *link) { *counts = link->counts; }

/* ---- calls ---- */

eis_status eis_he_link_pause(eis_he_link *link, uint32_t ms)
{
    struct pollfd flag = {.fd = eis_net_cancel_fd(link->cancel), .events = POLLIN};
    uint64_t end = eis_clock_ns() + (uint64_t)ms * 1000000, now;

    while (!eis_net_cancel_raised(link->cancel) && (now = eis_clock_ns()) < end)
        (void)poll(&flag, 1, (int)((end - now + 999999) / 1000000));
    return eis_net_cancel_raised(link->cancel) ? eis_fail(EIS_ERR_INTERRUPTED, "interrupted") : EIS_OK;
}

eis_status eis_he_link_once(eis_he_link *link, eis_http_call *call, const eis_he_ask *ask)
{
    eis_status st = EIS_OK;
    char url[EIS_HE_URL_BYTES];
    const char *lines[EIS_HE_LINES_MAX + 1];
    size_t count = ask->line_count;

    EIS_ASSERT(count <= EIS_HE_LINES_MAX);
    memcpy(lines, ask->line, count * sizeof *lines);
    if (link->tenant_line[0] != '\0') lines[count++] = link->tenant_line;
    EIS_REQUIRE(snprintf(url, sizeof url, "%s%s", link->base, ask->path) < (int)sizeof url, EIS_ERR_USAGE,
                "the URL is too long");
    eis_net_http_call_clear(call);
    *call = (eis_http_call){.method = ask->method,
                            .url = url,
                            .media_type = ask->media_type,
                            .body = ask->body,
                            .headers = lines,
                            .header_count = count};
    link->counts.calls++;
    link->counts.bytes_up += ask->body.bytes;
    st = eis_net_http_client_run(link->http, call, 1);
    link->counts.bytes_down += call->answer_bytes;
    call->url = NULL; /* it and the lines end with this call */
    call->headers = NULL;
    call->header_count = 0;
out:
    return st;
}

static bool is_network_fault(eis_status st)
{
    return st == EIS_ERR_UNAVAILABLE || st == EIS_ERR_TIMEOUT || st == EIS_ERR_CLOSED || st == EIS_ERR_IO;
}

/* One attempt: EIS_OK for 2xx, else what went wrong; *again says whether the same may be tried once more. */
static eis_status attempt(eis_he_link *link, eis_http_call *call, eis_he_problem *problem, bool *again,
                          const eis_he_ask *ask)
{
    eis_status st = eis_he_link_once(link, call, ask);

    *problem = (eis_he_problem){0};
    *again = is_network_fault(st);
    if (st != EIS_OK || (call->http_status >= 200 && call->http_status < 300)) return st;
    eis_he_problem_read(problem, call->http_status, call->retry_after_s,
                        (eis_span){.data = call->answer, .bytes = call->answer_bytes});
    *again = problem->retryable;
    return eis_fail(problem->status, "%s %s: HTTP %d%s%s%s%s", ask->method, ask->path, call->http_status,
                    problem->has_code ? " " : "", problem->code, problem->message[0] != '\0' ? ": " : "",
                    problem->message);
}

/* Waits longer each time, and at least as long as the server asks for. */
static uint32_t pause_before(unsigned repetition, const eis_he_problem *problem)
{
    uint32_t ms = BACK_OFF_MS << (repetition < 6 ? repetition : 6), wanted = problem->retry_after_s * 1000u;

    if (ms > BACK_OFF_MS_MAX) ms = BACK_OFF_MS_MAX;
    return wanted > ms ? wanted : ms;
}

eis_status eis_he_link_run(eis_he_link *link, eis_http_call *call, eis_he_problem *out_problem, const eis_he_ask *ask)
{
    eis_he_problem problem = {0};
    uint32_t patience_ms = link->patience_ms;
    eis_status st;
    bool again;

    for (unsigned repetition = 0;; repetition++) {
        uint32_t ms;

        st = attempt(link, call, &problem, &again, ask);
        if (st == EIS_OK || !again || repetition >= link->retries) break;
        ms = pause_before(repetition, &problem);
        if (ms > patience_ms) break; /* the last error stands */
        patience_ms -= ms;
        link->counts.retries++;
        if (ms >= LONG_PAUSE_MS)
            eis_log(EIS_LOG_WARN, "waiting", "%s; asking again in %u s", eis_error_detail(), (ms + 999) / 1000);
        if (eis_he_link_pause(link, ms) != EIS_OK) {
            st = EIS_ERR_INTERRUPTED;
            break;
        }
    }
    if (out_problem != NULL) *out_problem = problem;
    return st;
}
