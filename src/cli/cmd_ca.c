/* SPDX-License-Identifier: Apache-2.0 */
/* eis ca init | issue | revoke: the small certificate authority. */
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/slots.h"
#include "trust/ca.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_DIR = EIS_CLI_KEY_COMMAND,
    KEY_NAME,
    KEY_DAYS,
    KEY_HOST,
    KEY_OUT,
    KEY_CLIENT,
    KEY_SERVER,
    KEY_ED25519,
    KEY_CERT
};

#define HOSTS_MAX     64
#define PEM_BYTES_MAX 65536

typedef struct flags {
    eis_cli_common common;
    const char *action, *dir, *name, *out, *cert;
    const char *hosts[HOSTS_MAX];
    size_t host_count;
    unsigned days;
    bool server, client, ed25519;
} flags;

static const struct argp_option options[] = {
    {"dir", KEY_DIR, "DIR", 0, "Where ca.crt and ca.key lie (default: .)", 1},
    {"name", KEY_NAME, "NAME", 0, "Common name of the certificate", 1},
    {"days", KEY_DAYS, "N", 0, "Valid for N days (default: 3650 for the CA, 825 for what it issues, 30 for a list)", 1},
    {"ed25519", KEY_ED25519, NULL, 0, "Ed25519 keys in place of P-256", 1},
    {"host", KEY_HOST, "NAME", 0, "issue: a DNS name or address of the server; may be repeated", 2},
    {"server", KEY_SERVER, NULL, 0, "issue: for a server (the default where --host is given)", 2},
    {"client", KEY_CLIENT, NULL, 0, "issue: for a client", 2},
    {"out", KEY_OUT, "PREFIX", 0, "issue: write PREFIX.crt and PREFIX.key", 2},
    {"cert", KEY_CERT, "FILE", 0, "revoke: this certificate; without it the list is only renewed", 3},
    {0},
};

static const eis_cli_slot slots[] = {
    EIS_CLI_TEXT(KEY_DIR, flags, dir),
    EIS_CLI_TEXT(KEY_NAME, flags, name),
    EIS_CLI_NUMBER(KEY_DAYS, flags, days, 1, EIS_TRUST_DAYS_MAX),
    EIS_CLI_SWITCH(KEY_ED25519, flags, ed25519),
    EIS_CLI_SWITCH(KEY_SERVER, flags, server),
    EIS_CLI_SWITCH(KEY_CLIENT, flags, client),
    EIS_CLI_TEXT(KEY_OUT, flags, out),
    EIS_CLI_TEXT(KEY_CERT, flags, cert),
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    flags *f = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &f->common;
        f->dir = ".";
        return 0;
    case KEY_HOST:
        if (f->host_count == HOSTS_MAX) argp_error(state, "at most %d hosts", HOSTS_MAX);
        f->hosts[f->host_count++] = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (f->action != NULL) argp_error(state, "\"%s\" is one word too many", arg);
        f->action = arg;
        return 0;
    case ARGP_KEY_END:
        if (f->action == NULL ||
            (strcmp(f->action, "init") != 0 && strcmp(f->action, "issue") != 0 && strcmp(f->action, "revoke") != 0)) {
            argp_error(state, "say `ca init`, `ca issue` or `ca revoke`");
            return EINVAL;
        }
        if (strcmp(f->action, "issue") == 0 && f->out == NULL) argp_error(state, "`ca issue` needs --out PREFIX");
        if (strcmp(f->action, "issue") == 0 && f->host_count == 0 && !f->client)
            argp_error(state, "`ca issue` needs --host for a server, or --client");
        return 0;
    default:
        return eis_cli_take(slots, options, key, arg, state);
    }
}

/* Prints the pin of a certificate that has just been written: what --pin takes. */
static eis_status print_pin(const char *prefix, const char *suffix)
{
    eis_status st = EIS_OK;
    char path[4096], hex[EIS_TRUST_PIN_HEX_BYTES], *pem = NULL;
    FILE *file = NULL;
    size_t bytes;

    EIS_REQUIRE(snprintf(path, sizeof path, "%s%s", prefix, suffix) < (int)sizeof path, EIS_ERR_FILE,
                "the path is too long");
    EIS_NEW(pem, PEM_BYTES_MAX);
    file = fopen(path, "rb");
    EIS_REQUIRE(file != NULL, EIS_ERR_FILE, "%s cannot be read back", path);
    bytes = fread(pem, 1, PEM_BYTES_MAX, file);
    EIS_TRY(eis_trust_pin_hex_of_pem(hex, pem, bytes));
    printf("%s pin %s\n", path, hex);
    EIS_TRY(eis_cli_flush());
out:
    if (file != NULL) fclose(file);
    eis_mem_free(pem);
    return st;
}

static eis_status run_ca(const flags *f)
{
    eis_status st = EIS_OK;
    eis_trust_key_kind kind = f->ed25519 ? EIS_TRUST_KEY_ED25519 : EIS_TRUST_KEY_P256;

    EIS_TRY(eis_cli_start(&f->common, false));
    if (strcmp(f->action, "init") == 0) {
        EIS_TRY(eis_trust_ca_init_files(f->dir,
                                        &(eis_trust_ca_literal){.name = f->name, .days = f->days, .key_kind = kind}));
        EIS_TRY(print_pin(f->dir, "/ca.crt"));
    } else if (strcmp(f->action, "revoke") == 0) {
        EIS_TRY(eis_trust_revoke_files(f->dir, f->cert, f->days));
        printf("%s/ca.crl is written; give both to everybody: cat %s/ca.crt %s/ca.crl\n", f->dir, f->dir, f->dir);
        EIS_TRY(eis_cli_flush());
    } else {
        eis_trust_leaf_literal leaf = {.name = f->name,
                                       .hosts = f->hosts,
                                       .host_count = f->host_count,
                                       .server = f->server || f->host_count > 0,
                                       .client = f->client,
                                       .days = f->days,
                                       .key_kind = kind};
        EIS_TRY(eis_trust_leaf_issue_files(f->dir, f->out, &leaf));
        EIS_TRY(print_pin(f->out, ".crt"));
    }
out:
    return st;
}

int eis_cmd_ca(int argc, char **argv)
{
    static const struct argp_child children[] = {{&eis_cli_common_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        options,
        parse,
        "init|issue|revoke",
        "Make a certificate authority, and certificates for servers and clients.\v"
        "Example: a CA, two servers, one client:\n\n"
        "  eis ca init --dir ca\n"
        "  eis ca issue --dir ca --host a.example.org --out a\n"
        "  eis ca issue --dir ca --host b.example.org --out b\n"
        "  eis ca issue --dir ca --client --name alice --out alice\n\n"
        "Who takes a CA file also takes the CA's list of revoked certificates behind it:\n\n"
        "  eis ca revoke --dir ca --cert alice.crt\n"
        "  cat ca/ca.crt ca/ca.crl > trusted.pem\n\n"
        "Keys are written with mode 0600 and nothing is ever overwritten. The pin printed is the SHA-256 of the\n"
        "public key, as --pin takes it.\n",
        children,
        NULL,
        NULL};
    flags f = {0};

    if (!eis_cli_parse(&argp, argc, argv, &f)) return 2;
    return eis_cli_finish(run_ca(&f));
}
