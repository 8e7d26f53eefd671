/* SPDX-License-Identifier: Apache-2.0 */
/* Flags and papers of servers. */
#include "cli/serve_flags.h"

#include "base/log.h"
#include "cli/cli.h"
#include "cli/slots.h"
#include "service/pem_file.h"

#include <poll.h>

enum { KEY_TLS_CERT = EIS_CLI_KEY_SERVER, KEY_TLS_KEY, KEY_CLIENT_CA, KEY_TOKEN_FILE, KEY_DRAIN_TIMEOUT };

static const struct argp_option options[] = {
    {"tls-cert", KEY_TLS_CERT, "FILE", 0, "Our certificate with its chain", 2},
    {"tls-key", KEY_TLS_KEY, "FILE", 0, "Its key", 2},
    {"client-ca", KEY_CLIENT_CA, "FILE", 0, "Clients must show a certificate of this CA", 2},
    {"token-file", KEY_TOKEN_FILE, "FILE", 0, "Clients must send this token", 2},
    {0},
};

static const eis_cli_slot slots[] = {
    EIS_CLI_TEXT(KEY_TLS_CERT, eis_cli_serve, tls_cert),
    EIS_CLI_TEXT(KEY_TLS_KEY, eis_cli_serve, tls_key),
    EIS_CLI_TEXT(KEY_CLIENT_CA, eis_cli_serve, client_ca),
    EIS_CLI_TEXT(KEY_TOKEN_FILE, eis_cli_serve, token_file),
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    eis_cli_serve *f = state->input;

    if (key != ARGP_KEY_END) return eis_cli_take(slots, options, key, arg, state);
    if ((f->tls_cert == NULL) != (f->tls_key == NULL)) argp_error(state, "--tls-cert and --tls-key go together");
    if (f->client_ca != NULL && f->tls_cert == NULL) argp_error(state, "--client-ca goes with --tls-cert");
    return 0;
}

const struct argp eis_cli_serve_argp = {.options = options, .parser = parse};

eis_status eis_cli_papers_read(eis_cli_papers *p, const eis_cli_serve *f)
{
    eis_status st = EIS_OK;

    if (f->tls_cert != NULL) EIS_TRY(eis_pem_file_read_pair(&p->cert, &p->key, f->tls_cert, f->tls_key));
    if (f->client_ca != NULL) EIS_TRY(eis_pem_file_read(&p->client_ca, f->client_ca, false));
    if (f->token_file != NULL) EIS_TRY(eis_net_token_read_file(&p->token, f->token_file));
out:
    return st;
}

void eis_cli_papers_clear(eis_cli_papers *p)
{
    eis_pem_file_clear(&p->cert);
    eis_pem_file_clear(&p->key);
    eis_pem_file_clear(&p->client_ca);
    eis_net_token_clear(&p->token);
}

eis_tls_server_config eis_cli_papers_tls(const eis_cli_papers *p)
{
    return (eis_tls_server_config){.cert_pem = p->cert, .key_pem = p->key, .client_ca_pem = p->client_ca};
}

/* ---- the end ---- */

static const struct argp_option drain_options[] = {
    {"drain-timeout", KEY_DRAIN_TIMEOUT, "MS", 0,
     "On SIGTERM let what has begun finish for so long (default 10000; `serve api`: 30000)", 4},
    {0},
};

static error_t parse_drain(int key, char *arg, struct argp_state *state)
{
    unsigned *ms = state->input;

    if (key != KEY_DRAIN_TIMEOUT) return ARGP_ERR_UNKNOWN;
    *ms = (unsigned)eis_cli_number(state, "--drain-timeout", arg, 0, 3600000);
    return 0;
}

const struct argp eis_cli_drain_argp = {.options = drain_options, .parser = parse_drain};

void eis_cli_serve_wait(void)
{
    struct pollfd flag = {.fd = eis_net_cancel_fd(eis_cli_cancel()), .events = POLLIN};

    while (!eis_net_cancel_raised(eis_cli_cancel())) (void)poll(&flag, 1, -1);
}

void eis_cli_drain_wait(const char *what, unsigned drain_ms)
{
    eis_cli_serve_wait();
    eis_log(EIS_LOG_INFO, "draining", "%s may finish for %u ms", what, drain_ms);
}

void eis_cli_drain_end(const char *what, bool finished)
{
    if (!finished) eis_log(EIS_LOG_WARN, "cut_off", "%s were cut off", what);
    eis_log(EIS_LOG_INFO, "stopped", "stopped");
}
