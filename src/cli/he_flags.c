/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/he_flags.h"

#include "base/log.h"
#include "cli/slots.h"

#include <string.h>

enum {
    KEY_URL = EIS_CLI_KEY_HE,
    KEY_TENANT,
    KEY_KEY_FILE,
    KEY_PASSPHRASE,
    KEY_POLICY,
    KEY_ENCODING,
    KEY_INSECURE,
    KEY_CHAIN,
    KEY_FORM,
    KEY_INTERACTIVE,
};

/* ---- a server that is named ---- */

static const struct argp_option server_options[] = {
    {"url", KEY_URL, "URL", 0, "A server of the Encrypted Inference API, such as http://127.0.0.1:8000", 30},
    {"tenant", KEY_TENANT, "NAME", 0, "The tenant that we are there (default: the server's default)", 30},
    {"security-policy", KEY_POLICY, "NAME", 0,
     "The security bound that parameters must keep: he-guidelines-2024-128 (default), he-guidelines-2024-192, "
     "he-guidelines-2024-256 or he-standard-2018",
     30},
    {"encoding", KEY_ENCODING, "NAME", 0, "Send ciphertexts as binary, hex or base64 (default: as the server can)", 30},
    {"insecure-http", KEY_INSECURE, NULL, 0, "Allow http:// beyond this machine", 30},
    {0},
};

static const eis_cli_slot server_slots[] = {
    EIS_CLI_TEXT(KEY_URL, eis_cli_he, url),
    EIS_CLI_TEXT(KEY_TENANT, eis_cli_he, tenant),
    EIS_CLI_SWITCH(KEY_INSECURE, eis_cli_he, insecure_http),
    {0},
};

static error_t parse_server(int key, char *arg, struct argp_state *state)
{
    eis_cli_he *f = state->input;
    eis_ckks_policy policy;

    switch (key) {
    case KEY_POLICY:
        if (!eis_ckks_policy_parse(&policy, arg)) argp_error(state, "there is no security policy \"%s\"", arg);
        f->policy = arg;
        return 0;
    case KEY_ENCODING:
        if (strcmp(arg, "binary") != 0 && strcmp(arg, "hex") != 0 && strcmp(arg, "base64") != 0)
            argp_error(state, "--encoding takes binary, hex or base64");
        f->encoding = arg;
        return 0;
    default:
        return eis_cli_take(server_slots, server_options, key, arg, state);
    }
}

const struct argp eis_cli_he_server_argp = {.options = server_options, .parser = parse_server};

static const struct argp_option key_options[] = {
    {"key-file", KEY_KEY_FILE, "FILE", 0,
     "Where the secret key is kept, made where there is none (default: one per server and chain in "
     "~/.local/share/eis/he)",
     30},
    {"passphrase-file", KEY_PASSPHRASE, "FILE", 0, "Seal the key in its file with the first line of this one", 30},
    {0},
};

static const eis_cli_slot key_slots[] = {
    EIS_CLI_TEXT(KEY_KEY_FILE, eis_cli_he, key_file),
    EIS_CLI_TEXT(KEY_PASSPHRASE, eis_cli_he, passphrase_file),
    {0},
};

static error_t parse_key(int key, char *arg, struct argp_state *state)
{
    if (key != ARGP_KEY_INIT) return eis_cli_take(key_slots, key_options, key, arg, state);
    state->child_inputs[0] = state->input;
    return 0;
}

static const struct argp_child server_child[] = {{&eis_cli_he_server_argp, 0, NULL, 0}, {0}};
const struct argp eis_cli_he_argp = {.options = key_options, .parser = parse_key, .children = server_child};

bool eis_cli_he_any(const eis_cli_he *f)
{
    return f->url != NULL || f->tenant != NULL || f->key_file != NULL || f->passphrase_file != NULL ||
           f->policy != NULL || f->encoding != NULL || f->insecure_http;
}

/* ---- a model of one's own ---- */

static const struct argp_option own_options[] = {
    {"chain", KEY_CHAIN, "NAME", 0,
     "Encryption parameters by name: P0, L1, I16, A, A1, A3, M, B1 or S (default: the cheapest that fits)", 31},
    {"form", KEY_FORM, "NAME", 0,
     "single: one input spread over slots; batch: one ciphertext per number, many inputs in its slots", 31},
    {"interactive", KEY_INTERACTIVE, NULL, 0,
     "Compute here, between rounds, the layers that ciphertexts cannot (ReLU, max pool)", 31},
    {0},
};

static const eis_cli_slot own_slots[] = {
    EIS_CLI_SWITCH(KEY_INTERACTIVE, eis_cli_he_own, interactive),
    {0},
};

static error_t parse_own(int key, char *arg, struct argp_state *state)
{
    eis_cli_he_own *f = state->input;
    eis_ckks_literal literal;

    switch (key) {
    case KEY_CHAIN:
        if (eis_he_chain_find(&literal, arg) != EIS_OK) argp_error(state, "%s", eis_error_detail());
        f->chain = arg;
        return 0;
    case KEY_FORM:
        if (strcmp(arg, "single") != 0 && strcmp(arg, "batch") != 0) argp_error(state, "--form takes single or batch");
        f->form = arg;
        return 0;
    default:
        return eis_cli_take(own_slots, own_options, key, arg, state);
    }
}

const struct argp eis_cli_he_own_argp = {.options = own_options, .parser = parse_own};

bool eis_cli_he_own_any(const eis_cli_he_own *f) { return f->chain != NULL || f->form != NULL || f->interactive; }

/* ---- the wish ---- */

void eis_cli_he_wish(eis_he_session_wish *wish, const eis_cli_he *he, const eis_cli_access *access,
                     const eis_cli_he_own *own, const eis_cli_common *common)
{
    *wish = (eis_he_session_wish){.url = he->url,
                                  .tenant = he->tenant,
                                  .ca = access->ca,
                                  .cert = access->cert,
                                  .key = access->key,
                                  .pin = access->pin,
                                  .token_file = access->token_file,
                                  .insecure_http = he->insecure_http,
                                  .key_file = he->key_file,
                                  .passphrase_file = he->passphrase_file,
                                  .policy = he->policy,
                                  .encoding = he->encoding,
                                  .timeout_ms = access->timeout_ms,
                                  .threads = common->threads,
                                  .cancel = eis_cli_cancel()};
    if (own != NULL) {
        wish->chain = own->chain;
        wish->form = own->form;
        wish->interactive = own->interactive;
    }
    if (he->insecure_http && he->url != NULL && strncmp(he->url, "http://", 7) == 0)
        eis_log(EIS_LOG_WARN, "plain_http",
                "http:// shows the network what is asked for, and lets it answer in the server's place");
}
