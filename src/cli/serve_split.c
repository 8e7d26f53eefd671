/* SPDX-License-Identifier: Apache-2.0 */
/* eis serve split: several packs by name, over the TLS stream and, if asked for, REST. */
#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"
#include "cli/cli.h"
#include "cli/legacy_layer.h"
#include "cli/serve.h"
#include "cli/serve_flags.h"
#include "cli/slots.h"
#include "engine/split/profile.h"
#include "service/embedded.h"
#include "service/served_models.h"
#include "service/split_server.h"

#include <stdio.h>
#include <string.h>

#define LISTEN_DEFAULT      "127.0.0.1:8470"
#define LISTEN_PORT_DEFAULT 8470
#define DRAIN_MS_DEFAULT    10000

enum {
    KEY_MODEL = EIS_CLI_KEY_COMMAND,
    KEY_WEIGHTS,
    KEY_PROFILE,
    KEY_VERIFY_WEIGHTS,
    KEY_DEMO_LAYER,
    KEY_LISTEN,
    KEY_HTTP,
    KEY_INSECURE_HTTP,
    KEY_LEGACY_FLOAT,
    KEY_MAX_CONNECTIONS,
    KEY_MAX_IN_FLIGHT,
    KEY_MAX_FRAME,
    KEY_MAX_BODY,
    KEY_IDLE_TIMEOUT,
    KEY_READ_TIMEOUT,
    KEY_EMBEDDED,
};

typedef struct flags {
    eis_cli_common common;
    eis_cli_serve serve;
    eis_served_request models[EIS_SERVED_MAX];
    size_t model_count;
    eis_split_profile profile;
    const char *listen, *http;
    unsigned connections_max, in_flight_max, idle_timeout_ms, read_timeout_ms, drain_ms;
    unsigned long frame_bytes_max, body_bytes_max;
    bool verify_weights, demo_layer, insecure_http, legacy_float, embedded;
} flags;

static const struct argp_option options[] = {
    {"model", KEY_MODEL, "[NAME=]PATH", 0,
     "Serve this pack or model; may be repeated (default name: that of the file or directory)", 1},
    {"weights", KEY_WEIGHTS, "FILE", 0, "Weights in place of DIR/model.safetensors, for the --model before it", 1},
    {"profile", KEY_PROFILE, "NAME", 0, "How models are packed: p24 (default), p8, f61 or f61-8; a pack brings its own",
     1},
    {"verify-weights", KEY_VERIFY_WEIGHTS, NULL, 0, "Recompute the digest of every pack before serving it", 1},
    {"demo-layer", KEY_DEMO_LAYER, NULL, 0, "Serve the original's demo layer too, under the name " EIS_CLI_LEGACY_NAME,
     1},
    {"listen", KEY_LISTEN, "HOST:PORT", 0, "The TLS stream (default " LISTEN_DEFAULT "; port 0 takes a free one)", 2},
    {"http", KEY_HTTP, "HOST[:PORT]", 0, "Open REST too (default port: EIS_PORT, otherwise 8001)", 2},
    {"insecure-http", KEY_INSECURE_HTTP, NULL, 0, "REST in plain, beyond loopback too: whoever listens sees shares", 2},
    {"legacy-float", KEY_LEGACY_FLOAT, NULL, 0,
     "Answer POST /matmul with floats as the original did: it leaks the input", 3},
    {"max-connections", KEY_MAX_CONNECTIONS, "N", 0, "At most N connections (default 64)", 4},
    {"max-in-flight", KEY_MAX_IN_FLIGHT, "N", 0, "Compute at most N requests at once (default 8)", 4},
    {"max-frame", KEY_MAX_FRAME, "BYTES", 0, "Longest message of the stream (default 64M)", 4},
    {"max-body", KEY_MAX_BODY, "BYTES", 0, "Longest body of REST (default 16M)", 4},
    {"idle-timeout", KEY_IDLE_TIMEOUT, "MS", 0, "Close a connection that asks nothing (default 600000)", 4},
    {"read-timeout", KEY_READ_TIMEOUT, "MS", 0, "Longest time for one message to arrive (default 10000)", 4},
    {"embedded", KEY_EMBEDDED, NULL, OPTION_HIDDEN, "Serve the parent process, which hands over everything", 4},
    {0},
};

static void add_model(flags *f, const struct argp_state *state, char *arg)
{
    if (f->model_count == EIS_SERVED_MAX) argp_error(state, "at most %d models", EIS_SERVED_MAX);
    if (eis_served_parse(&f->models[f->model_count], arg) != EIS_OK) argp_error(state, "%s", eis_error_detail());
    f->model_count++;
}

static void check(const flags *f, const struct argp_state *state)
{
    bool nothing = f->model_count == 0 && !f->demo_layer;

    if (f->embedded) return;
    if (nothing && !f->legacy_float) argp_error(state, "--model is missing");
    if (f->serve.tls_cert == NULL && !nothing)
        argp_error(
            state,
            "the stream is always TLS: give --tls-cert and --tls-key; `eis ca init` and `eis ca issue` make them");
    if (f->listen != NULL && nothing)
        argp_error(state, "without a model the stream does not start; leave out --listen");
}

static const eis_cli_slot slots[] = {
    EIS_CLI_NUMBER(KEY_MAX_CONNECTIONS, flags, connections_max, 1, 100000),
    EIS_CLI_NUMBER(KEY_MAX_IN_FLIGHT, flags, in_flight_max, 1, 10000),
    EIS_CLI_BYTES(KEY_MAX_FRAME, flags, frame_bytes_max, 4096, 1ul << 32),
    EIS_CLI_BYTES(KEY_MAX_BODY, flags, body_bytes_max, 1024, 1ul << 32),
    EIS_CLI_NUMBER(KEY_IDLE_TIMEOUT, flags, idle_timeout_ms, 1, 86400000),
    EIS_CLI_NUMBER(KEY_READ_TIMEOUT, flags, read_timeout_ms, 1, 3600000),
    EIS_CLI_SWITCH(KEY_VERIFY_WEIGHTS, flags, verify_weights),
    EIS_CLI_SWITCH(KEY_DEMO_LAYER, flags, demo_layer),
    EIS_CLI_TEXT(KEY_LISTEN, flags, listen),
    EIS_CLI_TEXT(KEY_HTTP, flags, http),
    EIS_CLI_SWITCH(KEY_INSECURE_HTTP, flags, insecure_http),
    EIS_CLI_SWITCH(KEY_LEGACY_FLOAT, flags, legacy_float),
    EIS_CLI_SWITCH(KEY_EMBEDDED, flags, embedded),
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    flags *f = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &f->common;
        state->child_inputs[1] = &f->serve;
        state->child_inputs[2] = &f->drain_ms;
        f->profile = EIS_SPLIT_P24;
        f->drain_ms = DRAIN_MS_DEFAULT;
        return 0;
    case KEY_MODEL:
        add_model(f, state, arg);
        return 0;
    case KEY_WEIGHTS:
        if (f->model_count == 0) argp_error(state, "--weights goes behind the --model that it is for");
        f->models[f->model_count - 1].weights = arg;
        return 0;
    case KEY_PROFILE:
        if (eis_split_profile_parse(&f->profile, arg) != EIS_OK) argp_error(state, "%s", eis_error_detail());
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\" is no flag; a model is given with --model", arg);
        return 0;
    case ARGP_KEY_END:
        check(f, state);
        return 0;
    default:
        return eis_cli_take(slots, options, key, arg, state);
    }
}

/* ---- what the flags name, loaded ---- */

typedef struct loaded {
    eis_cli_papers papers;
    eis_pool *pool;
    eis_served models;
    eis_cli_legacy demo;
    float *legacy_weights; /* of a served model, where that is the legacy layer */
} loaded;

static void unload(loaded *l)
{
    eis_served_clear(&l->models);
    eis_cli_legacy_clear(&l->demo);
    eis_mem_free(l->legacy_weights);
    eis_cli_papers_clear(&l->papers);
    eis_pool_free(l->pool);
}

static eis_status load_models(loaded *l, const flags *f)
{
    eis_status st = EIS_OK;
    eis_model *demo = NULL;

    for (size_t i = 0; i < f->model_count; i++)
        EIS_TRY(eis_served_add(&l->models, &f->models[i], f->profile, f->verify_weights, l->pool));
    if (f->demo_layer || (f->legacy_float && f->model_count == 0)) EIS_TRY(eis_cli_legacy_init(&l->demo));
    if (f->demo_layer) {
        EIS_TRY(eis_cli_legacy_model(&demo, &l->demo));
        EIS_TRY(eis_served_add_model(&l->models, EIS_CLI_LEGACY_NAME, demo, f->profile, l->pool));
    }
out:
    eis_model_free(demo);
    return st;
}

/* ---- the server ---- */

static eis_status choose_legacy(eis_legacy_layer *legacy, loaded *l, const flags *f)
{
    if (!f->legacy_float) return EIS_OK;
    eis_log(EIS_LOG_WARN, "legacy_float",
            "--legacy-float: float shares leak the input to whoever receives the last one; `eis audit --legacy-float` "
            "shows how");
    if (l->demo.weights == NULL) return eis_served_as_floats(legacy, &l->legacy_weights, &l->models);
    *legacy = (eis_legacy_layer){.inputs = l->demo.inputs, .outputs = l->demo.outputs, .weights = l->demo.weights};
    return EIS_OK;
}

static eis_status choose_http(eis_split_server_config *config, const loaded *l, const flags *f)
{
    eis_status st = EIS_OK;
    uint16_t port;

    config->http = f->http != NULL || f->legacy_float;
    if (!config->http) return EIS_OK;
    EIS_TRY(eis_cli_legacy_port(&port));
    EIS_TRY(eis_net_address_parse(&config->http_listen, f->http != NULL ? f->http : "127.0.0.1", port));
    config->http_plain = l->papers.cert.bytes == 0 || f->insecure_http;
    config->http_plain_anywhere = f->insecure_http;
    EIS_REQUIRE(
        !config->http_plain || f->insecure_http || eis_net_is_loopback(config->http_listen.host), EIS_ERR_USAGE,
        "HTTP without a certificate is for loopback addresses; give --tls-cert and --tls-key, or --insecure-http");
    if (f->insecure_http)
        eis_log(EIS_LOG_WARN, "insecure_http",
                "--insecure-http: REST is not encrypted; whoever sees the traffic of all servers sees the inputs");
out:
    return st;
}

static void print_addresses(const eis_split_server *server, const eis_served *models)
{
    eis_address stream, http;
    char text[EIS_ADDRESS_TEXT_BYTES_MAX];

    eis_split_server_addresses(&stream, &http, server);
    if (models->count > 0) {
        eis_net_address_format(text, &stream);
        printf("listening %s\n", text);
        eis_log(EIS_LOG_INFO, "listening", "the stream listens on %s", text);
    }
    if (http.port != 0) {
        eis_net_address_format(text, &http);
        printf("http %s\n", text);
        eis_log(EIS_LOG_INFO, "http", "REST listens on %s", text);
    }
    fflush(stdout);
}

static eis_status serve(loaded *l, const flags *f)
{
    eis_status st = EIS_OK;
    eis_split_server *server = NULL;
    eis_split_server_config config = {
        .offers = l->models.offers,
        .offer_count = l->models.count,
        .tls = eis_cli_papers_tls(&l->papers),
        .token = f->serve.token_file != NULL ? &l->papers.token : NULL,
        .pool = l->pool,
        .connections_max = f->connections_max,
        .in_flight_max = f->in_flight_max,
        .frame_bytes_max = f->frame_bytes_max,
        .body_bytes_max = f->body_bytes_max,
        .idle_timeout_ms = f->idle_timeout_ms,
        .read_timeout_ms = f->read_timeout_ms,
    };

    EIS_TRY(eis_net_address_parse(&config.listen, f->listen != NULL ? f->listen : LISTEN_DEFAULT, LISTEN_PORT_DEFAULT));
    EIS_TRY(choose_legacy(&config.legacy, l, f));
    EIS_TRY(choose_http(&config, l, f));
    EIS_TRY(eis_split_server_start(&server, &config));
    print_addresses(server, &l->models);
    eis_cli_drain_wait("requests", f->drain_ms);
    eis_cli_drain_end("requests", eis_split_server_drain(server, f->drain_ms));
out:
    eis_split_server_free(server);
    return st;
}

static eis_status run_serve(flags *f)
{
    eis_status st = EIS_OK;
    loaded l = {0};

    if (!f->common.log_level_given && !f->embedded) f->common.log_level = EIS_LOG_INFO;
    EIS_TRY(eis_cli_start(&f->common, !f->embedded));
    if (f->embedded) return eis_embedded_child_run(f->common.threads);
    EIS_TRY(eis_cli_papers_read(&l.papers, &f->serve));
    EIS_TRY(eis_pool_new(&l.pool, f->common.threads));
    EIS_TRY(load_models(&l, f));
    EIS_TRY(serve(&l, f));
out:
    unload(&l);
    return st;
}

int eis_cli_serve_split(int argc, char **argv)
{
    static const struct argp_child children[] = {
        {&eis_cli_common_argp, 0, NULL, 0}, {&eis_cli_serve_argp, 0, NULL, 0}, {&eis_cli_drain_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        options,
        parse,
        NULL,
        "Serve models to clients that send shares: this server multiplies what it cannot read.\v"
        "Example: one of two servers, each on a machine of its own owner:\n\n"
        "  eis serve split --model stories=parts/server.eispack --listen 0.0.0.0:8470 \\\n"
        "      --tls-cert a.crt --tls-key a.key --client-ca ca.crt\n\n"
        "The first line on stdout is \"listening HOST:PORT\"; with --http a second one is \"http HOST:PORT\". Logs are "
        "JSON lines "
        "on stderr, without values. SIGTERM and Ctrl-C let requests in flight finish; a second signal ends at once.\n\n"
        "--legacy-float without a model serves the demo layer that EIS_D_IN, EIS_D_OUT and EIS_SEED describe, by REST "
        "alone. Its "
        "weights come from a generator of our own and are equal on all servers with one seed; they are not NumPy's.\n",
        children,
        NULL,
        NULL};
    flags f = {0};

    if (!eis_cli_parse(&argp, argc, argv, &f)) return 2;
    if (f.embedded) return eis_status_exit_code(run_serve(&f)); /* the parent has been told, and says it once */
    return eis_cli_finish(run_serve(&f));
}
