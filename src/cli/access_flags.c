/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/access_flags.h"

#include "cli/cli.h"
#include "cli/slots.h"

enum { KEY_CA = EIS_CLI_KEY_ACCESS, KEY_CERT, KEY_KEY, KEY_PIN, KEY_TOKEN_FILE, KEY_TIMEOUT };

/* The two tables differ in what is singular, and in how long one waits. */
#define OPTIONS(group, servers, pin, pin_text, timeout)                                                          \
    {                                                                                                            \
        {"ca", KEY_CA, "FILE", 0, "Trust this CA (default: the system's)", group},                               \
            {"cert", KEY_CERT, "FILE", 0, "Our own certificate, for servers that ask", group},                   \
            {"key", KEY_KEY, "FILE", 0, "Its key", group}, {"pin", KEY_PIN, pin, 0, pin_text, group},            \
            {"token-file", KEY_TOKEN_FILE, "FILE", 0, "A token that tells the " servers " who we are", group},   \
            {"timeout", KEY_TIMEOUT, "MS", 0, "Wait this long for an answer (default " timeout ")", group}, {0}, \
    }

static const struct argp_option of_one[] = OPTIONS(32, "server", "SHA256", "The server's public key", "60000");
static const struct argp_option of_several[] =
    OPTIONS(22, "servers", "SHA256,...", "Public keys of the servers, in their order", "30000; with he 60000");

static const eis_cli_slot slots[] = {
    EIS_CLI_TEXT(KEY_CA, eis_cli_access, ca),
    EIS_CLI_TEXT(KEY_CERT, eis_cli_access, cert),
    EIS_CLI_TEXT(KEY_KEY, eis_cli_access, key),
    EIS_CLI_TEXT(KEY_PIN, eis_cli_access, pin),
    EIS_CLI_TEXT(KEY_TOKEN_FILE, eis_cli_access, token_file),
    EIS_CLI_NUMBER(KEY_TIMEOUT, eis_cli_access, timeout_ms, 1, 3600000),
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    eis_cli_access *f = state->input;

    if (key != ARGP_KEY_END) return eis_cli_take(slots, of_one, key, arg, state);
    if ((f->cert == NULL) != (f->key == NULL)) argp_error(state, "--cert and --key go together");
    return 0;
}

const struct argp eis_cli_access_argp = {.options = of_one, .parser = parse};
const struct argp eis_cli_accesses_argp = {.options = of_several, .parser = parse};
