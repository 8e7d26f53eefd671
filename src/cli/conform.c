/* SPDX-License-Identifier: Apache-2.0 */
/* What every part of the suite uses: results, calls with patience, and the check of an error answer. */
#include "cli/conform.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BODY_BYTES_MAX      ((size_t)64 << 20)
#define CUTS_MAX            3u
#define CUT_PAUSE_MS        100u
#define RETRY_AFTER_DEFAULT 5u /* seconds, where a server says to wait and not how long */

/* ---- results ---- */

static eis_conform_result *add_result(eis_conform *c, const char *name, const char *clause)
{
    eis_conform_result *r;

    if (c->count == c->capacity) {
        size_t more = c->capacity == 0 ? 64 : 2 * c->capacity;
        if (eis_mem_resize(&c->results, c->capacity, more, sizeof *c->results) != EIS_OK) {
            c->broken = EIS_ERR_MEMORY;
            return NULL;
        }
        c->capacity = more;
    }
    r = &c->results[c->count++];
    snprintf(r->name, sizeof r->name, "%s", name);
    r->clause = clause;
    return r;
}

bool eis_conform_check(eis_conform *c, bool good, const char *name, const char *clause, const char *format, ...)
{
    eis_conform_result *r = c->broken == EIS_OK ? add_result(c, name, clause) : NULL;
    va_list arguments;

    if (r == NULL) return false;
    r->outcome = good ? EIS_CONFORM_PASS : EIS_CONFORM_FAIL;
    *(good ? &c->passed : &c->failed) += 1;
    va_start(arguments, format);
    vsnprintf(r->note, sizeof r->note, format, arguments);
    va_end(arguments);
    return good;
}

void eis_conform_skip(eis_conform *c, const char *name, const char *clause, const char *why)
{
    eis_conform_result *r = c->broken == EIS_OK ? add_result(c, name, clause) : NULL;

    if (r == NULL) return;
    r->outcome = EIS_CONFORM_SKIP;
    c->skipped++;
    snprintf(r->note, sizeof r->note, "%s", why);
}

/* ---- calls ---- */

static bool is_quota(const eis_conform *c)
{
    eis_he_problem problem;

    if (c->call.http_status != 429 || c->rate_limit) return false;
    eis_he_problem_read(&problem, 429, c->call.retry_after_s, (eis_span){c->call.answer, c->call.answer_bytes});
    return problem.status == EIS_ERR_RATE_LIMITED;
}

/* Waits for a quota to fill up again, and says so once. */
static bool wait_for_quota(eis_conform *c)
{
    uint64_t ms = 1000ull * (c->call.retry_after_s != 0 ? c->call.retry_after_s : RETRY_AFTER_DEFAULT);

    if (c->waited_ms + ms > c->patience_ms) return false;
    if (c->waited_ms == 0 && !c->quiet)
        fprintf(stderr, "conform: the server limits calls and asks us to wait; start it with a higher --rate to make "
                        "this quick\n");
    c->waited_ms += ms;
    return eis_he_link_pause(c->link, (uint32_t)ms) == EIS_OK;
}

/* A server that refuses a long body before it has read it may cut the connection under our writing, and the answer is
 * lost with it: then the same is asked again. */
static bool may_be_cut(eis_conform *c, eis_status st, unsigned *cuts)
{
    if ((st != EIS_ERR_IO && st != EIS_ERR_CLOSED) || *cuts == CUTS_MAX) return false;
    (*cuts)++;
    return eis_he_link_pause(c->link, CUT_PAUSE_MS) == EIS_OK;
}

bool eis_conform_ask(eis_conform *c, const eis_he_ask *ask)
{
    eis_status st;
    unsigned cuts = 0;

    if (c->broken != EIS_OK) return false;
    eis_cli_progress_step(&c->progress, (double)c->count / (double)(c->count + 32));
    do {
        st = eis_he_link_once(c->link, &c->call, ask);
    } while (may_be_cut(c, st, &cuts) || (st == EIS_OK && is_quota(c) && wait_for_quota(c)));
    if (st == EIS_ERR_INTERRUPTED || st == EIS_ERR_MEMORY) c->broken = st;
    if (st != EIS_OK) c->call.http_status = 0;
    return st == EIS_OK;
}

bool eis_conform_get(eis_conform *c, const char *method, const char *path)
{
    return eis_conform_ask(c, &(eis_he_ask){.method = method, .path = path});
}

eis_json_doc *eis_conform_json(eis_conform *c)
{
    eis_json_doc *doc = NULL;

    if (c->call.answer == NULL ||
        eis_json_parse(&doc, "answer", c->call.answer, c->call.answer_bytes, BODY_BYTES_MAX) != EIS_OK)
        return NULL;
    return doc;
}

/* ---- error answers ---- */

/* Tells whether a text is one of those in "A|B". */
static bool is_listed(const char *codes, const char *text)
{
    size_t length = strlen(text);

    while (*codes != '\0') {
        size_t one = strcspn(codes, "|");
        if (one == length && memcmp(codes, text, one) == 0) return true;
        codes += one + (codes[one] == '|');
    }
    return false;
}

static bool has_text(eis_json_value object, const char *name)
{
    eis_json_value value;
    eis_span text;

    return eis_json_find(&value, object, name) && eis_json_string(&text, value) && text.bytes > 0;
}

/* Returns what is wrong with the body of an error, or NULL. */
static const char *fault_of_body(const eis_conform *c, eis_json_value root, const eis_he_problem *p)
{
    eis_json_value error, value;
    uint64_t status;
    bool retryable;

    if (strcmp(c->call.answer_media_type, "application/problem+json") != 0) return "media type is not problem+json";
    if (!eis_json_find(&value, root, "api_version") || !eis_json_string_is(value, "1.0.0"))
        return "api_version is not \"1.0.0\"";
    if (!has_text(root, "type") || !has_text(root, "title")) return "type or title is missing";
    if (!has_text(root, "detail")) return "detail is missing";
    if (!eis_json_find(&value, root, "status") || !eis_json_u64(&status, value) ||
        status != (uint64_t)c->call.http_status)
        return "status is not the HTTP status";
    if (!eis_json_find(&error, root, "error") || !has_text(error, "code") || !has_text(error, "message") ||
        !has_text(error, "action"))
        return "error has no code, message or action";
    if (!eis_json_find(&value, error, "retryable") || !eis_json_bool(&retryable, value)) return "retryable is missing";
    if (retryable != (eis_status_retryable(p->status) != 0)) return "retryable is not what the table of codes says";
    if ((c->call.http_status == 429 || c->call.http_status == 503) && c->call.retry_after_s == 0)
        return "Retry-After is missing";
    return NULL;
}

bool eis_conform_expect(eis_conform *c, const char *name, const char *clause, const char *codes)
{
    eis_he_problem p;
    eis_json_doc *doc;
    const char *fault;
    bool good;

    if (c->call.http_status == 0) return eis_conform_check(c, false, name, clause, "no answer: %s", c->call.detail);
    if (c->profile != EIS_CONFORM_V1)
        return eis_conform_check(c, c->call.http_status >= 400 && c->call.http_status < 500, name, clause, "HTTP %d",
                                 c->call.http_status);
    eis_he_problem_read(&p, c->call.http_status, c->call.retry_after_s,
                        (eis_span){c->call.answer, c->call.answer_bytes});
    if (!p.has_code || !is_listed(codes, p.code))
        return eis_conform_check(c, false, name, clause, "HTTP %d %s, wanted %s", c->call.http_status,
                                 p.has_code ? p.code : "without a code", codes);
    if (c->call.http_status != eis_status_http(eis_status_from_code(p.code)))
        return eis_conform_check(c, false, name, clause, "%s with HTTP %d, wanted %d", p.code, c->call.http_status,
                                 eis_status_http(eis_status_from_code(p.code)));
    doc = eis_conform_json(c);
    fault = doc == NULL ? "the body is no JSON" : fault_of_body(c, eis_json_root(doc), &p);
    good = eis_conform_check(c, fault == NULL, name, clause, "%d %s%s%s", c->call.http_status, p.code,
                             fault != NULL ? ": " : "", fault != NULL ? fault : "");
    eis_json_free(doc);
    return good;
}
