/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/legacy_leak.h"

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/legacy_layer.h"
#include "net/http_client.h"
#include "rand/entropy.h"
#include "service/split_server.h"
#include "share/uniformity.h"
#include "wire/json.h"
#include "wire/json_writer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SERVERS_MAX      16
#define OWN_SERVERS      2
#define URL_BYTES        512
#define ANSWER_BYTES_MAX ((size_t)16 << 20)

enum { PART_INPUT = 3, PART_SHARES = 4 };

typedef struct leak {
    eis_cli_legacy layer;
    eis_split_server *own[OWN_SERVERS];
    char urls[SERVERS_MAX][URL_BYTES];
    size_t servers;
    eis_http_client *http;
    eis_http_call calls[SERVERS_MAX];
    eis_writer bodies[SERVERS_MAX];
    float *x, *share, *noise; /* [inputs]; the noise is all shares but the last */
    double *average, *input;  /* [inputs]: what the last server keeps, and x */
    float *y;                 /* [outputs] */
} leak;

/* ---- servers ---- */

static eis_status start_own(leak *l)
{
    eis_status st = EIS_OK;
    eis_split_server_config config = {
        .http = true,
        .http_plain = true,
        .http_listen = {.host = "127.0.0.1"},
        .legacy = {.inputs = l->layer.inputs, .outputs = l->layer.outputs, .weights = l->layer.weights},
    };

    for (l->servers = 0; l->servers < OWN_SERVERS; l->servers++) {
        eis_address stream, http;
        EIS_TRY(eis_split_server_start(&l->own[l->servers], &config));
        eis_split_server_addresses(&stream, &http, l->own[l->servers]);
        snprintf(l->urls[l->servers], URL_BYTES, "http://127.0.0.1:%u/matmul", http.port);
    }
out:
    return st;
}

/* "host:port" or a URL, with or without its path, to the URL of the route. */
static eis_status set_url(char *url, const char *text)
{
    eis_status st = EIS_OK;
    const char *host = strstr(text, "://");
    const char *path = strchr(host != NULL ? host + 3 : text, '/');
    int length = snprintf(url, URL_BYTES, "%s%s%s", host != NULL ? "" : "http://", text,
                          path == NULL      ? "/matmul"
                          : path[1] == '\0' ? "matmul"
                                            : "");

    EIS_REQUIRE(length < URL_BYTES, EIS_ERR_USAGE, "--servers: an address is too long");
out:
    return st;
}

static eis_status name_servers(leak *l, const char *text)
{
    eis_status st = EIS_OK;
    char *copy = eis_mem_strdup(text), *rest = copy, *word;

    EIS_REQUIRE(copy != NULL, EIS_ERR_MEMORY, "not enough memory");
    while ((word = strsep(&rest, ",")) != NULL) {
        EIS_REQUIRE(l->servers < SERVERS_MAX && *word != '\0', EIS_ERR_USAGE, "--servers takes 2 to %d addresses",
                    SERVERS_MAX);
        EIS_TRY(set_url(l->urls[l->servers++], word));
    }
    EIS_REQUIRE(l->servers >= 2, EIS_ERR_USAGE, "--servers needs two addresses or more: one share is the input itself");
out:
    eis_mem_free(copy);
    return st;
}

static eis_status open_leak(leak *l, const char *servers)
{
    eis_status st = EIS_OK;
    eis_http_client_config config = {.response_bytes_max = ANSWER_BYTES_MAX, .cancel = eis_cli_cancel()};
    uint64_t seed;
    size_t n;

    EIS_TRY(eis_cli_legacy_init(&l->layer));
    n = l->layer.inputs;
    EIS_TRY(servers != NULL ? name_servers(l, servers) : start_own(l));
    EIS_TRY(eis_net_http_client_new(&l->http, &config));
    EIS_NEW(l->x, n);
    EIS_NEW(l->share, n);
    EIS_NEW(l->noise, n);
    EIS_NEW(l->average, n);
    EIS_NEW(l->input, n);
    EIS_NEW(l->y, l->layer.outputs);
    for (size_t s = 0; s < l->servers; s++) eis_wire_writer_init(&l->bodies[s], ANSWER_BYTES_MAX);
    EIS_TRY(eis_entropy_draw(&seed, sizeof seed));
    EIS_TRY(eis_cli_legacy_normals(l->x, n, 1, seed, PART_INPUT));
    for (size_t i = 0; i < n; i++) l->input[i] = (double)l->x[i];
out:
    return st;
}

static void close_leak(leak *l)
{
    for (size_t i = 0; i < SERVERS_MAX; i++) {
        eis_net_http_call_clear(&l->calls[i]);
        eis_wire_writer_clear(&l->bodies[i]);
    }
    eis_net_http_client_free(l->http);
    for (size_t i = 0; i < OWN_SERVERS; i++) eis_split_server_free(l->own[i]);
    eis_mem_free(l->x);
    eis_mem_free(l->share);
    eis_mem_free(l->noise);
    eis_mem_free(l->average);
    eis_mem_free(l->input);
    eis_mem_free(l->y);
    eis_cli_legacy_clear(&l->layer);
}

/* ---- one request, as the original made it ---- */

static eis_status write_body(eis_writer *body, const float *share, size_t n)
{
    eis_json_writer w;

    eis_wire_writer_rewind(body);
    eis_json_writer_to_buffer(&w, body);
    eis_json_writer_begin_object(&w);
    eis_json_writer_key(&w, "x_share");
    eis_json_writer_begin_array(&w);
    for (size_t i = 0; i < n; i++) eis_json_writer_f32(&w, share[i]);
    eis_json_writer_end_array(&w);
    eis_json_writer_end_object(&w);
    return eis_json_writer_status(&w);
}

/* Shares 1 .. m - 1 are noise, the last is the input minus their sum. */
static eis_status make_shares(leak *l)
{
    eis_status st = EIS_OK;
    size_t n = l->layer.inputs;
    uint64_t seed;

    memcpy(l->share, l->x, n * sizeof *l->share);
    for (size_t s = 0; s + 1 < l->servers; s++) {
        EIS_TRY(eis_entropy_draw(&seed, sizeof seed));
        EIS_TRY(eis_cli_legacy_normals(l->noise, n, 1, seed, PART_SHARES));
        for (size_t i = 0; i < n; i++) l->share[i] -= l->noise[i];
        EIS_TRY(write_body(&l->bodies[s], l->noise, n));
    }
    EIS_TRY(write_body(&l->bodies[l->servers - 1], l->share, n));
out:
    return st;
}

static eis_status add_answer(leak *l, const eis_http_call *call)
{
    eis_status st = EIS_OK;
    eis_json_doc *doc = NULL;
    eis_json_value y, element;
    eis_json_iter it;
    double value;

    EIS_REQUIRE(call->http_status != 403, EIS_ERR_LEGACY_FLOAT,
                "%s: the server refuses floats; it needs --legacy-float", call->url);
    EIS_REQUIRE(call->http_status == 200, EIS_ERR_PROTOCOL, "%s answers with HTTP status %d", call->url,
                call->http_status);
    EIS_TRY(eis_json_parse(&doc, "y_partial", call->answer, call->answer_bytes, ANSWER_BYTES_MAX));
    EIS_TRY(eis_json_bind_array(&y, eis_json_root(doc), "answer", "y_partial", l->layer.outputs, l->layer.outputs));
    it = eis_json_iterate(y);
    for (size_t i = 0; eis_json_next_element(&it, &element); i++) {
        EIS_REQUIRE(eis_json_double(&value, element), EIS_ERR_PROTOCOL,
                    "%s: y_partial holds something that is no number", call->url);
        l->y[i] += (float)value;
    }
out:
    eis_json_free(doc);
    return st;
}

static eis_status ask(leak *l)
{
    eis_status st = EIS_OK;

    EIS_TRY(make_shares(l));
    for (size_t s = 0; s < l->servers; s++) {
        eis_net_http_call_clear(&l->calls[s]);
        l->calls[s] = (eis_http_call){.method = "POST",
                                      .url = l->urls[s],
                                      .media_type = "application/json",
                                      .body = {l->bodies[s].data, l->bodies[s].bytes}};
    }
    EIS_TRY(eis_net_http_client_run(l->http, l->calls, l->servers));
    memset(l->y, 0, l->layer.outputs * sizeof *l->y);
    for (size_t s = 0; s < l->servers; s++) EIS_TRY(add_answer(l, &l->calls[s]));
out:
    return st;
}

/* ---- what comes of it ---- */

static double answer_error(const leak *l)
{
    double error = 0, size = 0;

    for (size_t o = 0; o < l->layer.outputs; o++) {
        double right = 0;
        for (size_t i = 0; i < l->layer.inputs; i++)
            right += (double)l->layer.weights[o * l->layer.inputs + i] * l->input[i];
        error += ((double)l->y[o] - right) * ((double)l->y[o] - right);
        size += right * right;
    }
    return size > 0 ? sqrt(error / size) : 0;
}

static void look(eis_cli_leak *out, const leak *l, unsigned repetitions)
{
    eis_cli_leak_point *point = &out->points[out->point_count++];
    double error = 0, size = 0;

    for (size_t i = 0; i < l->layer.inputs; i++) {
        error += (l->average[i] - l->input[i]) * (l->average[i] - l->input[i]);
        size += l->input[i] * l->input[i];
    }
    *point = (eis_cli_leak_point){.repetitions = repetitions,
                                  .correlation = eis_uniformity_correlation(l->average, l->input, l->layer.inputs),
                                  .relative_error = size > 0 ? sqrt(error / size) : 0};
}

eis_status eis_cli_leak_run(eis_cli_leak *out, const char *servers, unsigned repetitions)
{
    eis_status st = EIS_OK;
    leak l = {0};
    unsigned next = 1;

    memset(out, 0, sizeof *out);
    EIS_TRY(open_leak(&l, servers));
    out->servers = l.servers;
    out->inputs = l.layer.inputs;
    for (unsigned r = 1; r <= repetitions; r++) {
        EIS_TRY(eis_cli_check_interrupted());
        EIS_TRY(ask(&l));
        if (r == 1) out->answer_error = answer_error(&l);
        out->bytes_sent += l.bodies[l.servers - 1].bytes;
        for (size_t i = 0; i < l.layer.inputs; i++) l.average[i] += ((double)l.share[i] - l.average[i]) / r;
        if (r != next && r != repetitions) continue;
        look(out, &l, r);
        if (r == next) next *= 4;
    }
out:
    close_leak(&l);
    return st;
}
