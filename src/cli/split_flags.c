/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/split_flags.h"

#include "base/mem.h"
#include "cli/slots.h"
#include "service/open_session.h"

#include <string.h>

enum {
    KEY_ENGINE = EIS_CLI_KEY_SPLIT,
    KEY_SERVERS,
    KEY_SHARES,
    KEY_THRESHOLD,
    KEY_PROFILE,
    KEY_VERIFY,
    KEY_PACK,
    KEY_PREFETCH,
    KEY_TRUNCATE,
    KEY_SERVED_NAME,
};

static const struct argp_option options[] = {
    {"engine", KEY_ENGINE, "plain|split|he|mpc", 0,
     "Who computes: this process (default), servers that see shares alone, (classify) one that sees ciphertexts "
     "alone, or (generate) parties that see nothing and trust nobody",
     20},
    {"servers", KEY_SERVERS, "HOST:PORT,...", 0, "Use these servers (default: start some on this machine)", 21},
    {"shares", KEY_SHARES, "K", 0, "Without --servers: start K servers (default 2; with --threshold T: T + 1)", 21},
    {"threshold", KEY_THRESHOLD, "T", 0, "Any T servers are enough; T - 1 together learn nothing (profile f61)", 21},
    {"profile", KEY_PROFILE, "NAME", 0, "p24 (float-grade, default), p8 (fast), f61 (field), f61-8", 21},
    {"verify", KEY_VERIFY, NULL, 0, "Check every answer; a server that cheats is named (profile f61)", 21},
    {"pack", KEY_PACK, "FILE", 0, "The server's pack of a client part, for --verify and embedded servers", 21},
    {"prefetch", KEY_PREFETCH, "N", 0, "Fetch offline masks for N vectors per layer before the first", 21},
    {"truncate", KEY_TRUNCATE, NULL, 0, "Ask for 32-bit replies (p24 keeps 24 significant bits)", 21},
    {"model-name", KEY_SERVED_NAME, "NAME", 0, "The model's name at the servers (default: their only one)", 21},
    {0},
};

static const eis_cli_slot slots[] = {
    EIS_CLI_TEXT(KEY_SERVERS, eis_cli_split, servers),
    EIS_CLI_NUMBER(KEY_SHARES, eis_cli_split, shares, 2, 64),
    EIS_CLI_NUMBER(KEY_THRESHOLD, eis_cli_split, threshold, 2, 64),
    EIS_CLI_TEXT(KEY_PROFILE, eis_cli_split, profile),
    EIS_CLI_SWITCH(KEY_VERIFY, eis_cli_split, verify),
    EIS_CLI_TEXT(KEY_PACK, eis_cli_split, pack),
    EIS_CLI_NUMBER(KEY_PREFETCH, eis_cli_split, prefetch, 1, 1000000),
    EIS_CLI_SWITCH(KEY_TRUNCATE, eis_cli_split, truncate),
    EIS_CLI_TEXT(KEY_SERVED_NAME, eis_cli_split, served_name),
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    eis_cli_split *f = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &f->access;
        f->engine = EIS_ENGINE_PLAIN;
        return 0;
    case KEY_ENGINE:
        f->engine = eis_engine_parse(arg);
        if (f->engine == EIS_ENGINE_NONE || (f->engine == EIS_ENGINE_HE && f->he == NULL) ||
            (f->engine == EIS_ENGINE_MPC && f->mpc == NULL))
            argp_error(state, "there is no engine \"%s\" here; choose plain, split%s%s", arg,
                       f->he != NULL ? ", he" : "", f->mpc != NULL ? ", mpc" : "");
        return 0;
    default:
        return eis_cli_take(slots, options, key, arg, state);
    }
}

static const struct argp_child children[] = {{&eis_cli_accesses_argp, 0, NULL, 0}, {0}};
const struct argp eis_cli_split_argp = {.options = options, .parser = parse, .children = children};

static bool any_access(const eis_cli_access *f)
{
    return f->ca != NULL || f->cert != NULL || f->pin != NULL || f->token_file != NULL;
}

/* Certificates are also for a coordinator of the engine mpc. */
static bool of_coordinator(const eis_cli_split *f)
{
    return f->engine == EIS_ENGINE_MPC && f->mpc != NULL && f->mpc->coordinator != NULL;
}

/* The flags of the engine he, and those that it does not have. */
static eis_status check_he(const eis_cli_split *f)
{
    eis_status st = EIS_OK;
    bool here = f->engine == EIS_ENGINE_HE;

    if (f->he == NULL) return EIS_OK;
    EIS_REQUIRE(here || (!eis_cli_he_any(f->he) && !eis_cli_he_own_any(f->own)), EIS_ERR_USAGE,
                "flags about URLs, keys of encryption and chains go with --engine he");
    EIS_REQUIRE(!here || f->he->url != NULL ||
                    (!any_access(&f->access) && f->served_name == NULL && f->he->tenant == NULL &&
                     f->he->key_file == NULL && !f->he->insecure_http),
                EIS_ERR_USAGE, "names, certificates, tokens, tenants and key files are for a server that --url names");
    EIS_REQUIRE(!here || f->he->url == NULL || f->served_name != NULL, EIS_ERR_USAGE,
                "--url needs --model-name: what the model is called there");
    EIS_REQUIRE(!here || f->he->url == NULL || (f->own->chain == NULL && f->own->form == NULL), EIS_ERR_USAGE,
                "--chain and --form are for an embedded server; one that --url names has chosen them");
out:
    return st;
}

eis_status eis_cli_split_check(const eis_cli_split *f)
{
    eis_status st = EIS_OK;
    bool any = f->servers != NULL || f->shares || f->threshold || f->profile != NULL || f->verify || f->prefetch ||
               f->truncate || f->pack != NULL ||
               (any_access(&f->access) && f->engine != EIS_ENGINE_HE && !of_coordinator(f));

    EIS_REQUIRE(f->engine == EIS_ENGINE_SPLIT || !any, EIS_ERR_USAGE,
                "flags about servers and shares go with --engine split");
    EIS_TRY(check_he(f));
    EIS_REQUIRE(f->engine == EIS_ENGINE_MPC || f->mpc == NULL || !eis_cli_mpc_any(f->mpc), EIS_ERR_USAGE,
                "--parties, --config and --set go with --engine mpc");
    EIS_REQUIRE(f->servers == NULL || f->shares == 0, EIS_ERR_USAGE,
                "--shares is for embedded servers; --servers gives their number");
    EIS_REQUIRE(f->threshold == 0 || f->shares == 0 || f->threshold <= f->shares, EIS_ERR_USAGE,
                "--threshold %u needs at least %u servers; --shares says %u", f->threshold, f->threshold, f->shares);
    EIS_REQUIRE(f->threshold == 0 || f->profile == NULL || strncmp(f->profile, "f61", 3) == 0, EIS_ERR_USAGE,
                "--threshold needs profile f61 (or f61-8), not %s", f->profile);
    EIS_REQUIRE(!f->verify || f->profile == NULL || strncmp(f->profile, "f61", 3) == 0, EIS_ERR_USAGE,
                "--verify needs profile f61 (or f61-8), not %s", f->profile);
    EIS_REQUIRE(f->prefetch == 0 || f->threshold == 0, EIS_ERR_USAGE,
                "--prefetch goes with additive shares, not with --threshold");
    EIS_REQUIRE(f->servers != NULL || f->engine == EIS_ENGINE_HE || of_coordinator(f) || !any_access(&f->access),
                EIS_ERR_USAGE, "certificates, pins and tokens are for --servers; embedded servers have their own");
out:
    return st;
}

size_t eis_cli_split_server_count(const eis_cli_split *f)
{
    eis_address *servers = NULL;
    size_t count = 0;

    if (f->servers == NULL) return f->shares != 0 ? f->shares : f->threshold != 0 ? f->threshold + 1 : 2;
    if (eis_net_address_list_parse(&servers, &count, f->servers, EIS_SPLIT_PORT_DEFAULT) != EIS_OK) eis_error_clear();
    eis_mem_free(servers);
    return count;
}

static eis_status prefetch(eis_split_session *session, unsigned count, const eis_cli_common *common)
{
    eis_cli_progress progress;
    eis_status st;

    if (count == 0) return EIS_OK;
    eis_cli_progress_start(&progress, "fetching masks", common);
    st = eis_split_client_prefetch(eis_split_session_client(session), count, eis_cli_progress_step, &progress);
    eis_cli_progress_end(&progress);
    return st;
}

eis_status eis_cli_split_open(eis_split_session **session, const eis_cli_split *f, const eis_cli_common *common,
                              const eis_model *model, const char *model_path, const eis_ids *ids, const double *inputs,
                              size_t input_count)
{
    eis_status st = EIS_OK;
    const eis_split_wish wish = {
        .servers = f->servers,
        .ca = f->access.ca,
        .cert = f->access.cert,
        .key = f->access.key,
        .pins = f->access.pin,
        .token_file = f->access.token_file,
        .served_name = f->served_name,
        .profile = f->profile,
        .pack = f->pack,
        .shares = f->shares,
        .threshold = f->threshold,
        .timeout_ms = f->access.timeout_ms,
        .threads = common->threads,
        .verify = f->verify,
        .truncate = f->truncate,
        .calibration_ids = ids != NULL ? ids->ids : NULL,
        .calibration_inputs = inputs,
        .calibration_count = ids != NULL ? ids->count : input_count,
        .cancel = eis_cli_cancel(),
        .sight = f->sight,
        .sight_context = f->sight_context,
    };

    EIS_TRY(eis_split_session_open_wish(session, &wish, model, model_path));
    EIS_TRY(prefetch(*session, f->prefetch, common));
out:
    if (st != EIS_OK) {
        eis_split_session_close(*session);
        *session = NULL;
    }
    return st;
}
