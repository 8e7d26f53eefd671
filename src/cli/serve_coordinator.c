/* SPDX-License-Identifier: Apache-2.0 */
/* eis serve coordinator: the public face of sessions of the engine mpc, by gRPC. */
#include "base/log.h"
#include "cli/cli.h"
#include "cli/mpc_flags.h"
#include "cli/serve.h"
#include "cli/serve_flags.h"
#include "cli/session_flags.h"
#include "cli/slots.h"
#include "service/mpc_coordinator.h"
#include "service/pem_file.h"

#include <stdio.h>

#define LISTEN_DEFAULT      "127.0.0.1:8080"
#define LISTEN_PORT_DEFAULT 8080
#define DRAIN_MS_DEFAULT    10000

enum {
    KEY_LISTEN = EIS_CLI_KEY_COMMAND,
    KEY_ADMIN,
    KEY_TLS_CERT,
    KEY_TLS_KEY,
    KEY_CLIENT_CA,
    KEY_PLAINTEXT_GRPC,
    KEY_PLAINTEXT_PROMPTS,
    KEY_TOKENIZER,
    KEY_MAX_SESSIONS,
    KEY_SESSION_IDLE,
    KEY_MAX_CALLS,
    KEY_WRITE_SESSION,
    KEY_EMBEDDED,
};

typedef struct flags {
    eis_cli_common common;
    eis_cli_settings settings;
    eis_cli_session_flags sessions;
    const char *listen, *admin, *tls_cert, *tls_key, *client_ca, *tokenizer, *write_session;
    bool plaintext_grpc, plaintext_prompts, embedded;
    unsigned sessions_max, session_idle_ms, calls_max, drain_ms;
} flags;

static const struct argp_option options[] = {
    {"write-session", KEY_WRITE_SESSION, "FILE", 0, "Write what --model and the flags beside it say to a file, and end",
     1},
    {"tokenizer", KEY_TOKENIZER, "PATH", 0, "Send the text of tokens too, by this tokenizer", 1},
    {"listen", KEY_LISTEN, "HOST:PORT", 0, "Where gRPC listens (default " LISTEN_DEFAULT "; port 0 takes a free one)",
     2},
    {"admin", KEY_ADMIN, "HOST:PORT", 0, "GET /healthz and GET /metrics at this loopback address", 2},
    {"tls-cert", KEY_TLS_CERT, "FILE", 0, "Our certificate, good for both ends of a connection", 2},
    {"tls-key", KEY_TLS_KEY, "FILE", 0, "Its key", 2},
    {"client-ca", KEY_CLIENT_CA, "FILE", 0, "The CA of everybody else: clients, parties and the Triple Service", 2},
    {"plaintext-grpc", KEY_PLAINTEXT_GRPC, NULL, 0,
     "gRPC without TLS, on a loopback address alone; parties are still called over TLS", 2},
    {"plaintext-prompts", KEY_PLAINTEXT_PROMPTS, NULL, 0,
     "prompt.plaintext_via_coordinator: take prompts as token_ids; this coordinator then sees them", 3},
    {"max-sessions", KEY_MAX_SESSIONS, "N", 0, "Sessions side by side (default 4)", 4},
    {"session-idle", KEY_SESSION_IDLE, "MS", 0, "An idle session gives its place away after this (default 600000)", 4},
    {"max-calls", KEY_MAX_CALLS, "N", 0, "Calls at once (default 64)", 4},
    {"embedded", KEY_EMBEDDED, NULL, OPTION_HIDDEN, "Serve the parent process, which hands over everything", 4},
    {0},
};

static const eis_cli_slot slots[] = {
    EIS_CLI_NUMBER(KEY_MAX_SESSIONS, flags, sessions_max, 1, 1024),
    EIS_CLI_NUMBER(KEY_SESSION_IDLE, flags, session_idle_ms, 1, 86400000),
    EIS_CLI_NUMBER(KEY_MAX_CALLS, flags, calls_max, 1, 10000),
    EIS_CLI_TEXT(KEY_WRITE_SESSION, flags, write_session),
    EIS_CLI_TEXT(KEY_TOKENIZER, flags, tokenizer),
    EIS_CLI_TEXT(KEY_LISTEN, flags, listen),
    EIS_CLI_TEXT(KEY_ADMIN, flags, admin),
    EIS_CLI_TEXT(KEY_TLS_CERT, flags, tls_cert),
    EIS_CLI_TEXT(KEY_TLS_KEY, flags, tls_key),
    EIS_CLI_TEXT(KEY_CLIENT_CA, flags, client_ca),
    EIS_CLI_SWITCH(KEY_PLAINTEXT_GRPC, flags, plaintext_grpc),
    EIS_CLI_SWITCH(KEY_PLAINTEXT_PROMPTS, flags, plaintext_prompts),
    EIS_CLI_SWITCH(KEY_EMBEDDED, flags, embedded),
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    flags *f = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &f->common;
        state->child_inputs[1] = &f->settings;
        state->child_inputs[2] = &f->sessions;
        state->child_inputs[3] = &f->drain_ms;
        f->drain_ms = DRAIN_MS_DEFAULT;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\" is no flag", arg);
        return 0;
    default:
        return eis_cli_take(slots, options, key, arg, state);
    }
}

/* ---- what the flags name, loaded ---- */

typedef struct loaded {
    eis_mpc_settings settings;
    eis_span cert, key, ca;
    eis_tls_pin pin;
    eis_mpc_session sessions[EIS_CLI_SESSIONS_MAX];
    size_t session_count;
    eis_tokenizer *tokenizer;
} loaded;

static void unload(loaded *l)
{
    for (size_t i = 0; i < EIS_CLI_SESSIONS_MAX; i++) eis_mpc_session_clear(&l->sessions[i]);
    eis_tokenizer_free(l->tokenizer);
    eis_pem_file_clear(&l->cert);
    eis_pem_file_clear(&l->key);
    eis_pem_file_clear(&l->ca);
}

/* The flag, or the setting of its name. */
static const char *either(const char *flag, const char *setting) { return flag != NULL ? flag : setting; }

static eis_status load(loaded *l, const flags *f)
{
    eis_status st = EIS_OK;
    const char *cert, *key, *ca;

    EIS_TRY(eis_cli_settings_read(&l->settings, &f->settings));
    cert = either(f->tls_cert, l->settings.tls_cert);
    key = either(f->tls_key, l->settings.tls_key);
    ca = either(f->client_ca, l->settings.tls_client_ca);
    EIS_REQUIRE(cert[0] != '\0' && (f->write_session != NULL || (key[0] != '\0' && ca[0] != '\0')), EIS_ERR_USAGE,
                f->write_session != NULL ? "--write-session needs the coordinator's certificate: --tls-cert"
                                         : "give --tls-cert, --tls-key and --client-ca; `eis ca init` and `eis ca "
                                           "issue` make them");
    if (f->write_session != NULL) {
        EIS_TRY(eis_pem_file_read(&l->cert, cert, false));
    } else {
        EIS_TRY(eis_pem_file_read_pair(&l->cert, &l->key, cert, key));
        EIS_TRY(eis_pem_file_read(&l->ca, ca, false));
    }
    EIS_TRY(eis_net_tls_pin_of_pem(&l->pin, l->cert));
    EIS_TRY(eis_cli_sessions_open(l->sessions, &l->session_count, &f->sessions, &l->settings, &l->pin));
    EIS_REQUIRE(f->tokenizer == NULL || l->sessions[0].kind == EIS_MPC_MODEL_LM, EIS_ERR_USAGE,
                "--tokenizer is for language models, and %s is a classifier", l->sessions[0].model);
    if (f->tokenizer != NULL) EIS_TRY(eis_tokenizer_open(&l->tokenizer, f->tokenizer, l->sessions[0].lm.vocabulary));
out:
    return st;
}

/* ---- the server ---- */

static void print_address(const char *what, const eis_address *address)
{
    char text[EIS_ADDRESS_TEXT_BYTES_MAX];

    eis_net_address_format(text, address);
    printf("%s %s\n", what, text);
    eis_log(EIS_LOG_INFO, what, "%s", text);
}

static eis_status configure(eis_mpc_coordinator_config *config, eis_mpc_coordinator_model *models, const loaded *l,
                            const flags *f)
{
    eis_status st = EIS_OK;
    const char *listen = either(f->listen, l->settings.listen);

    for (size_t i = 0; i < l->session_count; i++)
        models[i] = (eis_mpc_coordinator_model){.session = &l->sessions[i], .tokenizer = l->tokenizer};
    *config = (eis_mpc_coordinator_config){
        .admin = f->admin != NULL,
        .models = models,
        .model_count = l->session_count,
        .caller = {.cert_pem = l->cert, .key_pem = l->key, .ca_pem = l->ca, .round_ms = l->settings.round_ms},
        .plaintext_prompts = f->plaintext_prompts,
        .sampling = l->settings.sampling,
        .context_max = l->settings.context_max,
        .sessions_max = f->sessions_max,
        .session_idle_ms = f->session_idle_ms,
        .load_ms = l->settings.owner_ms,
        .calls_max = f->calls_max,
    };
    if (l->settings.plaintext_prompts != 0) config->plaintext_prompts = true;
    if (!f->plaintext_grpc)
        config->tls = (eis_tls_server_config){.cert_pem = l->cert, .key_pem = l->key, .client_ca_pem = l->ca};
    EIS_TRY(eis_net_address_parse(&config->listen, listen[0] != '\0' ? listen : LISTEN_DEFAULT, LISTEN_PORT_DEFAULT));
    if (f->admin != NULL) EIS_TRY(eis_net_address_parse(&config->admin_listen, f->admin, -1));
out:
    return st;
}

static eis_status serve(const loaded *l, const flags *f)
{
    eis_status st = EIS_OK;
    eis_mpc_coordinator *coordinator = NULL;
    eis_mpc_coordinator_model models[EIS_CLI_SESSIONS_MAX];
    eis_mpc_coordinator_config config;
    eis_address grpc, admin;

    EIS_TRY(configure(&config, models, l, f));
    EIS_TRY(eis_mpc_coordinator_start(&coordinator, &config));
    eis_mpc_coordinator_addresses(&grpc, &admin, coordinator);
    print_address("listening", &grpc);
    if (f->admin != NULL) print_address("admin", &admin);
    EIS_TRY(eis_cli_flush());
    eis_cli_drain_wait("calls", f->drain_ms);
    eis_cli_drain_end("calls", eis_mpc_coordinator_drain(coordinator, f->drain_ms));
out:
    eis_mpc_coordinator_free(coordinator);
    return st;
}

static eis_status run_serve(flags *f)
{
    eis_status st = EIS_OK;
    loaded l = {0};

    if (!f->common.log_level_given && !f->embedded) f->common.log_level = EIS_LOG_INFO;
    if (!f->common.log_level_given && f->embedded) f->common.log_level = EIS_LOG_ERROR; /* the parent says it */
    EIS_TRY(eis_cli_start(&f->common, !f->embedded));
    if (f->embedded) return eis_mpc_embedded_coordinator_run(f->common.threads);
    EIS_TRY(load(&l, f));
    if (f->write_session != NULL)
        EIS_TRY(eis_cli_session_save(f->write_session, &l.sessions[0]));
    else
        EIS_TRY(serve(&l, f));
out:
    unload(&l);
    return st;
}

int eis_cli_serve_coordinator(int argc, char **argv)
{
    static const struct argp_child children[] = {{&eis_cli_common_argp, 0, NULL, 0},
                                                 {&eis_cli_settings_argp, 0, NULL, 0},
                                                 {&eis_cli_session_argp, 0, NULL, 0},
                                                 {&eis_cli_drain_argp, 0, NULL, 0},
                                                 {0}};
    static const struct argp argp = {
        options,
        parse,
        NULL,
        "Open sessions among parties for clients that speak gRPC, and relay the tokens that all parties tell. It holds "
        "no share and no key; it sees names, shapes, lengths, times and the tokens.\v"
        "Example: the model's owner writes down who takes part, and the coordinator serves it:\n\n"
        "  eis serve coordinator --write-session stories.session --model stories=models/tiny-stories \\\n"
        "      --party a.example:8490=a.crt --party b.example:8490=b.crt \\\n"
        "      --triples t.example:8491=t.crt --model-owner owner.crt \\\n"
        "      --prompt-owner reader.crt --tls-cert coordinator.crt\n"
        "  eis serve coordinator --session stories.session --listen 0.0.0.0:8080 \\\n"
        "      --admin 127.0.0.1:8081 --tls-cert coordinator.crt --tls-key coordinator.key \\\n"
        "      --client-ca ca.crt\n\n"
        "The first line on stdout is \"listening HOST:PORT\"; with --admin a second one is \"admin HOST:PORT\". "
        "SIGTERM and Ctrl-C let calls finish and then end all sessions. The messages stand in spec/mimir.proto and "
        "spec/coordinator.proto.\n",
        children,
        NULL,
        NULL};
    flags f = {0};

    if (!eis_cli_parse(&argp, argc, argv, &f)) return 2;
    if (f.embedded) return eis_status_exit_code(run_serve(&f)); /* the parent has been told, and says it once */
    return eis_cli_finish(run_serve(&f));
}
