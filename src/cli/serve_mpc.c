/* SPDX-License-Identifier: Apache-2.0 */
/* eis serve party and eis serve triples: the members of a session of the engine mpc. What they serve comes with each
 * session; all that is set here is who they are and what they wait for. */
#include "base/log.h"
#include "cli/cli.h"
#include "cli/mpc_flags.h"
#include "cli/serve.h"
#include "cli/serve_flags.h"
#include "cli/slots.h"
#include "service/mpc_configs.h"
#include "service/pem_file.h"

#include <stdio.h>

#define DRAIN_MS 2000

enum { KEY_LISTEN = EIS_CLI_KEY_COMMAND, KEY_TLS_CERT, KEY_TLS_KEY, KEY_CLIENT_CA, KEY_EMBEDDED };

/* The flags that have a setting's name are that setting. */
typedef struct flags {
    eis_cli_common common;
    eis_cli_settings settings;
    const char *listen, *tls_cert, *tls_key, *client_ca;
    bool embedded;
} flags;

static const struct argp_option options[] = {
    {"listen", KEY_LISTEN, "HOST:PORT", 0,
     "Where to listen (default: port 8490 of 127.0.0.1, the Triple Service 8491; port 0 takes a free one)", 2},
    {"tls-cert", KEY_TLS_CERT, "FILE", 0, "Our certificate, good for both ends of a connection", 2},
    {"tls-key", KEY_TLS_KEY, "FILE", 0, "Its key", 2},
    {"client-ca", KEY_CLIENT_CA, "FILE", 0, "The CA of everybody else; a session then names their keys", 2},
    {"embedded", KEY_EMBEDDED, NULL, OPTION_HIDDEN, "Serve the parent process, which hands over everything", 4},
    {0},
};

static const eis_cli_slot slots[] = {
    EIS_CLI_TEXT(KEY_LISTEN, flags, listen),       EIS_CLI_TEXT(KEY_TLS_CERT, flags, tls_cert),
    EIS_CLI_TEXT(KEY_TLS_KEY, flags, tls_key),     EIS_CLI_TEXT(KEY_CLIENT_CA, flags, client_ca),
    EIS_CLI_SWITCH(KEY_EMBEDDED, flags, embedded), {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    flags *f = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &f->common;
        state->child_inputs[1] = &f->settings;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\" is no flag", arg);
        return 0;
    default:
        return eis_cli_take(slots, options, key, arg, state);
    }
}

/* ---- the two servers ---- */

typedef struct start_wish {
    eis_address listen;
    eis_tls_server_config tls;
    const eis_mpc_settings *settings;
} start_wish;

static eis_status start_party(void **server, eis_address *address, const start_wish *wish)
{
    eis_mpc_party_server_config config = {.listen = wish->listen, .tls = wish->tls};
    eis_mpc_party_server *party = NULL;
    eis_status st;

    eis_mpc_configure_party(&config, wish->settings);
    st = eis_mpc_party_server_start(&party, &config);
    if (st == EIS_OK) eis_mpc_party_server_address(address, party);
    *server = party;
    return st;
}

static void stop_party(void *server, uint32_t drain_ms) { eis_mpc_party_server_stop(server, drain_ms); }

static eis_status start_triples(void **server, eis_address *address, const start_wish *wish)
{
    eis_triple_service_config config = {.listen = wish->listen, .tls = wish->tls};
    eis_triple_service *service = NULL;
    eis_status st;

    eis_mpc_configure_triples(&config, wish->settings);
    st = eis_triple_service_start(&service, &config);
    if (st == EIS_OK) eis_triple_service_address(address, service);
    *server = service;
    return st;
}

static void stop_triples(void *server, uint32_t drain_ms) { eis_triple_service_stop(server, drain_ms); }

typedef struct role {
    const char *listen;
    int port;
    eis_status (*start)(void **server, eis_address *address, const start_wish *wish);
    void (*stop)(void *server, uint32_t drain_ms);
    eis_status (*embedded)(unsigned threads);
} role;

static const role party_role = {"127.0.0.1:8490", 8490, start_party, stop_party, eis_mpc_embedded_party_run};
static const role triples_role = {"127.0.0.1:8491", 8491, start_triples, stop_triples, eis_mpc_embedded_triples_run};

/* ---- the command ---- */

static void override_with(char *setting, const char *flag)
{
    if (flag != NULL) snprintf(setting, EIS_MPC_SETTING_TEXT_BYTES, "%s", flag);
}

static eis_status announce(const eis_address *address)
{
    char text[EIS_ADDRESS_TEXT_BYTES_MAX];

    eis_net_address_format(text, address);
    printf("listening %s\n", text);
    eis_log(EIS_LOG_INFO, "listening", "listening on %s", text);
    return eis_cli_flush();
}

static eis_status serve(const role *r, const eis_mpc_settings *settings)
{
    eis_status st = EIS_OK;
    eis_span cert = {0}, key = {0}, ca = {0};
    start_wish wish = {.settings = settings};
    eis_address address;
    void *server = NULL;

    EIS_TRY(eis_net_address_parse(&wish.listen, settings->listen[0] != 0 ? settings->listen : r->listen, r->port));
    EIS_REQUIRE(settings->tls_cert[0] != 0 && settings->tls_key[0] != 0 && settings->tls_client_ca[0] != 0,
                EIS_ERR_USAGE,
                "give --tls-cert, --tls-key and --client-ca: both ends of every connection show a certificate; `eis ca "
                "init` and `eis ca issue` make them");
    EIS_TRY(eis_pem_file_read_pair(&cert, &key, settings->tls_cert, settings->tls_key));
    EIS_TRY(eis_pem_file_read(&ca, settings->tls_client_ca, false));
    wish.tls = (eis_tls_server_config){.cert_pem = cert, .key_pem = key, .client_ca_pem = ca};
    EIS_TRY(r->start(&server, &address, &wish));
    EIS_TRY(announce(&address));
    eis_cli_serve_wait();
    eis_log(EIS_LOG_INFO, "stopped", "stopped: all sessions end");
out:
    if (server != NULL) r->stop(server, DRAIN_MS);
    eis_pem_file_clear(&cert);
    eis_pem_file_clear(&key);
    eis_pem_file_clear(&ca);
    return st;
}

static eis_status run_serve(const role *r, flags *f)
{
    eis_status st = EIS_OK;
    eis_mpc_settings settings;

    if (!f->common.log_level_given && !f->embedded) f->common.log_level = EIS_LOG_INFO;
    EIS_TRY(eis_cli_start(&f->common, !f->embedded));
    if (f->embedded) return r->embedded(f->common.threads);
    EIS_TRY(eis_cli_settings_read(&settings, &f->settings));
    override_with(settings.listen, f->listen);
    override_with(settings.tls_cert, f->tls_cert);
    override_with(settings.tls_key, f->tls_key);
    override_with(settings.tls_client_ca, f->client_ca);
    EIS_TRY(serve(r, &settings));
out:
    return st;
}

static int run(const struct argp *argp, const role *r, int argc, char **argv)
{
    flags f = {0};

    if (!eis_cli_parse(argp, argc, argv, &f)) return 2;
    if (f.embedded) return eis_status_exit_code(run_serve(r, &f)); /* the parent has been told, and says it once */
    return eis_cli_finish(run_serve(r, &f));
}

static const struct argp_child children[] = {
    {&eis_cli_common_argp, 0, NULL, 0}, {&eis_cli_settings_argp, 0, NULL, 0}, {0}};

int eis_cli_serve_party(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse,
        NULL,
        "Compute as one party of several that do not trust each other. It sees masked numbers and the tokens that are "
        "told; its memory alone holds its shares, so a party that was restarted is in no session any more.\v"
        "Example: one of three parties, each at a machine of its own owner:\n\n"
        "  eis serve party --listen 0.0.0.0:8490 --tls-cert party.crt \\\n"
        "      --tls-key party.key --client-ca ca.crt\n\n"
        "A session names the keys of everybody who takes part; nobody else is served. The first line on stdout is "
        "\"listening HOST:PORT\". SIGTERM and Ctrl-C end all sessions and wipe their shares.\n",
        children,
        NULL,
        NULL};

    return run(&argp, &party_role, argc, argv);
}

int eis_cli_serve_triples(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse,
        NULL,
        "Deal randomness to the parties of sessions. It sees shapes and step numbers; together with any single party "
        "it could read everything, so whoever runs it must run nothing else of the same session.\v"
        "Example: at a machine whose owner runs none of the parties:\n\n"
        "  eis serve triples --listen 0.0.0.0:8491 --tls-cert dealer.crt \\\n"
        "      --tls-key dealer.key --client-ca ca.crt\n\n"
        "The first line on stdout is \"listening HOST:PORT\". SIGTERM and Ctrl-C end all sessions and wipe their "
        "seeds.\n",
        children,
        NULL,
        NULL};

    return run(&argp, &triples_role, argc, argv);
}
