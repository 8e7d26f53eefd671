/* SPDX-License-Identifier: Apache-2.0 */
/* eis serve api: the Encrypted Inference API on the models of a registry. */
#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"
#include "cli/cli.h"
#include "cli/serve.h"
#include "cli/serve_flags.h"
#include "cli/slots.h"
#include "service/he_embedded.h"
#include "service/he_server.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTEN_DEFAULT      "127.0.0.1:8000"
#define LISTEN_PORT_DEFAULT 8000
#define DRAIN_MS_DEFAULT    30000

enum {
    KEY_REGISTRY = EIS_CLI_KEY_COMMAND,
    KEY_LISTEN,
    KEY_ADMIN,
    KEY_TENANTS,
    KEY_INSECURE_HTTP,
    KEY_STORE,
    KEY_JOB_TTL,
    KEY_KEYS_TTL,
    KEY_PUBLISH_WEIGHTS,
    KEY_ENABLE_PLAIN,
    KEY_STRICT_HEX,
    KEY_RATE,
    KEY_POLL_RATE,
    KEY_WORKERS,
    KEY_MAX_CONNECTIONS,
    KEY_MAX_BODY,
    KEY_MAX_QUEUE,
    KEY_INPUT_BYTES,
    KEY_EVAL_BYTES,
    KEY_STORE_BYTES,
    KEY_KEY_BYTES,
    KEY_EMBEDDED,
};

typedef struct flags {
    eis_cli_common common;
    eis_cli_serve serve;
    const char *registry, *listen, *admin, *tenants;
    bool insecure_http, publish_weights, embedded;
    unsigned drain_ms;
    eis_he_server_config server; /* what flags set directly */
} flags;

static const struct argp_option options[] = {
    {"registry", KEY_REGISTRY, "DIR", 0, "One *.json per model, read once at the start; any fault in it ends the start",
     1},
    {"publish-weights", KEY_PUBLISH_WEIGHTS, NULL, 0, "Let GET /models show the weights of entries that hold them", 1},
    {"enable-plain", KEY_ENABLE_PLAIN, NULL, 0, "Answer POST /infer/plain: inputs in the clear, for benchmarks", 1},
    {"strict-hex", KEY_STRICT_HEX, NULL, 0, "Refuse base64 as the original does", 1},
    {"listen", KEY_LISTEN, "HOST:PORT", 0, "Where to listen (default " LISTEN_DEFAULT "; port 0 takes a free one)", 2},
    {"admin", KEY_ADMIN, "HOST:PORT", 0, "GET /metrics at a loopback address of its own, and no longer beside the API",
     2},
    {"tenants", KEY_TENANTS, "FILE", 0, "Clients must send a token of this file; its lines are \"TENANT TOKEN\"", 2},
    {"insecure-http", KEY_INSECURE_HTTP, NULL, 0, "Plain HTTP beyond loopback too: anybody on the way sees and changes",
     2},
    {"store", KEY_STORE, "FILE", 0, "Keep jobs and results in this file across restarts (default: in memory)", 3},
    {"job-ttl", KEY_JOB_TTL, "SECONDS", 0, "Forget a job so long after its end (default 600)", 3},
    {"keys-ttl", KEY_KEYS_TTL, "SECONDS", 0, "Forget evaluation keys so long after their last use (default 86400)", 3},
    {"rate", KEY_RATE, "N[/SECONDS]", 0,
     "Calls of POST /infer and PUT /keys per tenant (default 20/60; 0: without limit)", 4},
    {"poll-rate", KEY_POLL_RATE, "N", 0, "Polls per second and tenant (default 5)", 4},
    {"workers", KEY_WORKERS, "N", 0, "Compute at most N jobs at once (default 2)", 4},
    {"max-connections", KEY_MAX_CONNECTIONS, "N", 0, "At most N connections (default 256)", 4},
    {"max-body", KEY_MAX_BODY, "BYTES", 0, "Longest body (default 32M; never below what a model of the registry needs)",
     4},
    {"max-queue", KEY_MAX_QUEUE, "N", 0, "Jobs that wait, large ones counting more (default 1000)", 4},
    {"input-bytes", KEY_INPUT_BYTES, "BYTES", 0, "Bodies that are read and inputs that wait, together (default 1G)", 4},
    {"eval-bytes", KEY_EVAL_BYTES, "BYTES", 0, "Memory of evaluations, together (default 4G)", 4},
    {"store-bytes", KEY_STORE_BYTES, "BYTES", 0, "Results that are kept, together (default 1G)", 4},
    {"key-bytes", KEY_KEY_BYTES, "BYTES", 0, "Evaluation keys in memory, a quarter of it per tenant (default 4G)", 4},
    {"embedded", KEY_EMBEDDED, NULL, OPTION_HIDDEN, "Serve the parent process, which hands over everything", 4},
    {0},
};

static void check(const flags *f, const struct argp_state *state)
{
    if (f->embedded) return;
    if (f->registry == NULL) argp_error(state, "--registry is missing");
    if (f->serve.token_file != NULL && f->tenants != NULL)
        argp_error(state, "--token-file and --tenants exclude each other: a line of the latter is a token");
    if (f->insecure_http && f->serve.tls_cert != NULL)
        argp_error(state, "--insecure-http is for servers without --tls-cert");
}

static void parse_rate(flags *f, const struct argp_state *state, const char *arg)
{
    char calls[32];
    size_t n = strcspn(arg, "/");

    if (n >= sizeof calls) argp_error(state, "--rate takes N or N/SECONDS");
    memcpy(calls, arg, n);
    calls[n] = '\0';
    f->server.rate_calls = (unsigned)eis_cli_number(state, "--rate", calls, 0, 1000000000);
    f->server.rate_s = arg[n] == '/' ? (unsigned)eis_cli_number(state, "--rate", arg + n + 1, 1, 1000000) : 0;
    f->server.rate_off = f->server.rate_calls == 0;
}

static const eis_cli_slot slots[] = {
    EIS_CLI_NUMBER(KEY_POLL_RATE, flags, server.polls_per_s, 1, 1000000),
    EIS_CLI_NUMBER(KEY_WORKERS, flags, server.workers, 1, 1024),
    EIS_CLI_NUMBER(KEY_MAX_CONNECTIONS, flags, server.connections_max, 2, 100000),
    EIS_CLI_BYTES(KEY_MAX_BODY, flags, server.body_bytes_max, 1024, 1ul << 34),
    EIS_CLI_NUMBER(KEY_MAX_QUEUE, flags, server.queue_max, 1, 1000000),
    EIS_CLI_BYTES(KEY_INPUT_BYTES, flags, server.budget_bytes, 1024, 1ul << 44),
    EIS_CLI_BYTES(KEY_EVAL_BYTES, flags, server.memory_bytes, 1024, 1ul << 44),
    EIS_CLI_BYTES(KEY_STORE_BYTES, flags, server.store_bytes, 1024, 1ul << 44),
    EIS_CLI_BYTES(KEY_KEY_BYTES, flags, server.keys_bytes, 1024, 1ul << 44),
    EIS_CLI_SWITCH(KEY_EMBEDDED, flags, embedded),
    EIS_CLI_TEXT(KEY_REGISTRY, flags, registry),
    EIS_CLI_SWITCH(KEY_PUBLISH_WEIGHTS, flags, publish_weights),
    EIS_CLI_SWITCH(KEY_ENABLE_PLAIN, flags, server.enable_plain),
    EIS_CLI_SWITCH(KEY_STRICT_HEX, flags, server.strict_hex),
    EIS_CLI_TEXT(KEY_LISTEN, flags, listen),
    EIS_CLI_TEXT(KEY_ADMIN, flags, admin),
    EIS_CLI_TEXT(KEY_TENANTS, flags, tenants),
    EIS_CLI_SWITCH(KEY_INSECURE_HTTP, flags, insecure_http),
    EIS_CLI_TEXT(KEY_STORE, flags, server.store_path),
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
        f->drain_ms = DRAIN_MS_DEFAULT;
        return 0;
    case KEY_JOB_TTL:
        f->server.job_ttl_ms = 1000 * (int64_t)eis_cli_number(state, "--job-ttl", arg, 1, 31536000);
        return 0;
    case KEY_KEYS_TTL:
        f->server.keys_ttl_ms = 1000 * (int64_t)eis_cli_number(state, "--keys-ttl", arg, 1, 31536000);
        return 0;
    case KEY_RATE:
        parse_rate(f, state, arg);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\" is no flag; models are in the directory of --registry", arg);
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
    eis_he_tenant *tenants;
    size_t tenant_count;
    eis_pool *pool;
    eis_he_registry registry;
} loaded;

static void unload(loaded *l)
{
    eis_he_registry_clear(&l->registry);
    eis_cli_papers_clear(&l->papers);
    if (l->tenants != NULL) eis_mem_free_wiped(l->tenants, l->tenant_count, sizeof *l->tenants);
    eis_pool_free(l->pool);
}

static eis_status load(loaded *l, const flags *f)
{
    eis_he_registry_options how = {.publish_weights = f->publish_weights, .keep_models = f->server.enable_plain};
    eis_status st = EIS_OK;

    EIS_TRY(eis_cli_papers_read(&l->papers, &f->serve));
    if (f->tenants != NULL) EIS_TRY(eis_he_tenants_read_file(&l->tenants, &l->tenant_count, f->tenants));
    EIS_TRY(eis_pool_new(&l->pool, f->common.threads));
    how.pool = l->pool;
    EIS_TRY(eis_he_registry_open(&l->registry, f->registry, &how));
    for (size_t i = 0; i < l->registry.count; i++)
        eis_log(EIS_LOG_INFO, "model", "%s %s", l->registry.models[i].info.model_id,
                l->registry.models[i].info.version);
out:
    return st;
}

/* ---- the server ---- */

static eis_status configure(eis_he_server_config *c, const loaded *l, const flags *f)
{
    eis_status st = EIS_OK;

    *c = f->server;
    c->registry = &l->registry;
    c->tls = eis_cli_papers_tls(&l->papers);
    c->token = f->serve.token_file != NULL ? &l->papers.token : NULL;
    c->tenants = l->tenants;
    c->tenant_count = l->tenant_count;
    c->pool = l->pool;
    c->plain_anywhere = f->insecure_http;
    EIS_TRY(eis_net_address_parse(&c->listen, f->listen != NULL ? f->listen : LISTEN_DEFAULT, LISTEN_PORT_DEFAULT));
    EIS_REQUIRE(
        l->papers.cert.bytes > 0 || f->insecure_http || eis_net_is_loopback(c->listen.host), EIS_ERR_USAGE,
        "HTTP without a certificate is for loopback addresses; give --tls-cert and --tls-key, or --insecure-http");
    c->admin = f->admin != NULL;
    if (c->admin) {
        EIS_TRY(eis_net_address_parse(&c->admin_listen, f->admin, -1));
        EIS_REQUIRE(eis_net_is_loopback(c->admin_listen.host), EIS_ERR_USAGE, "--admin takes a loopback address");
    }
    if (f->insecure_http)
        eis_log(EIS_LOG_WARN, "insecure_http",
                "--insecure-http: whoever is on the way reads who asks what, and can change answers");
    if (c->enable_plain) eis_log(EIS_LOG_WARN, "plain", "--enable-plain: POST /infer/plain takes inputs in the clear");
out:
    return st;
}

static void print_addresses(const eis_he_server *server)
{
    eis_address http, admin;
    char text[EIS_ADDRESS_TEXT_BYTES_MAX];

    eis_he_server_addresses(&http, &admin, server);
    eis_net_address_format(text, &http);
    printf("listening %s\n", text);
    eis_log(EIS_LOG_INFO, "listening", "listens on %s", text);
    if (admin.port != 0) {
        eis_net_address_format(text, &admin);
        printf("admin %s\n", text);
        eis_log(EIS_LOG_INFO, "admin", "metrics on %s", text);
    }
    fflush(stdout);
}

static eis_status serve(const loaded *l, const flags *f)
{
    eis_he_server *server = NULL;
    eis_he_server_config config;
    eis_status st = EIS_OK;

    EIS_TRY(configure(&config, l, f));
    EIS_TRY(eis_he_server_start(&server, &config));
    print_addresses(server);
    eis_cli_drain_wait("jobs", f->drain_ms);
    eis_cli_drain_end("jobs", eis_he_server_drain(server, f->drain_ms));
out:
    eis_he_server_free(server);
    return st;
}

static eis_status run_serve(flags *f)
{
    eis_status st = EIS_OK;
    loaded l = {0};

    if (!f->common.log_level_given && !f->embedded) f->common.log_level = EIS_LOG_INFO;
    EIS_TRY(eis_cli_start(&f->common, !f->embedded));
    if (f->embedded) return eis_he_embedded_child_run(f->common.threads);
    EIS_TRY(load(&l, f));
    EIS_TRY(serve(&l, f));
out:
    unload(&l);
    return st;
}

int eis_cli_serve_api(int argc, char **argv)
{
    static const struct argp_child children[] = {
        {&eis_cli_common_argp, 0, NULL, 0}, {&eis_cli_serve_argp, 0, NULL, 0}, {&eis_cli_drain_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        options,
        parse,
        NULL,
        "Serve models to clients that encrypt: this server computes on ciphertexts and has no key that decrypts.\v"
        "Example: the models of this project on the loopback address, jobs kept across restarts:\n\n"
        "  eis serve api --registry models/registry --store jobs.db\n\n"
        "The first line on stdout is \"listening HOST:PORT\"; with --admin a second one is \"admin HOST:PORT\". Logs "
        "are "
        "JSON lines on stderr, without values. SIGTERM and Ctrl-C let jobs finish; a second signal ends at once. "
        "Without a certificate HTTP is plain and for loopback alone; with --client-ca the certificate of a client "
        "names its tenant. "
        "The contract of the API stands in docs/api.md.\n",
        children,
        NULL,
        NULL};
    flags f = {0};

    if (!eis_cli_parse(&argp, argc, argv, &f)) return 2;
    if (f.embedded) return eis_status_exit_code(run_serve(&f)); /* the parent has been told, and says it once */
    return eis_cli_finish(run_serve(&f));
}
