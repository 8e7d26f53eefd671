/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/split_flags.h"

#include "base/mem.h"
#include "cli/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_PORT 8470

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
    KEY_CA,
    KEY_CERT,
    KEY_KEY,
    KEY_PIN,
    KEY_TOKEN_FILE,
    KEY_TIMEOUT,
};

static const struct argp_option options[] = {
    {"engine", KEY_ENGINE, "plain|split", 0, "Who multiplies: this process (default), or servers that see shares alone",
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
    {"ca", KEY_CA, "FILE", 0, "Trust this CA (default: the system's)", 22},
    {"cert", KEY_CERT, "FILE", 0, "Our own certificate, for servers that ask", 22},
    {"key", KEY_KEY, "FILE", 0, "Its key", 22},
    {"pin", KEY_PIN, "SHA256,...", 0, "Public keys of the servers, in their order", 22},
    {"token-file", KEY_TOKEN_FILE, "FILE", 0, "A token that tells the servers who we are", 22},
    {"timeout", KEY_TIMEOUT, "MS", 0, "Wait this long for an answer (default 30000)", 22},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    eis_cli_split *f = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        f->engine = EIS_ENGINE_PLAIN;
        return 0;
    case KEY_ENGINE:
        f->engine = eis_engine_parse(arg);
        if (f->engine == EIS_ENGINE_NONE) argp_error(state, "there is no engine \"%s\"; choose plain or split", arg);
        return 0;
    case KEY_SERVERS:
        f->servers = arg;
        return 0;
    case KEY_SHARES:
        f->shares = (unsigned)eis_cli_number(state, "--shares", arg, 2, 64);
        return 0;
    case KEY_THRESHOLD:
        f->threshold = (unsigned)eis_cli_number(state, "--threshold", arg, 2, 64);
        return 0;
    case KEY_PROFILE:
        f->profile = arg;
        return 0;
    case KEY_VERIFY:
        f->verify = true;
        return 0;
    case KEY_PACK:
        f->pack = arg;
        return 0;
    case KEY_PREFETCH:
        f->prefetch = (unsigned)eis_cli_number(state, "--prefetch", arg, 1, 1000000);
        return 0;
    case KEY_TRUNCATE:
        f->truncate = true;
        return 0;
    case KEY_SERVED_NAME:
        f->served_name = arg;
        return 0;
    case KEY_CA:
        f->ca = arg;
        return 0;
    case KEY_CERT:
        f->cert = arg;
        return 0;
    case KEY_KEY:
        f->key = arg;
        return 0;
    case KEY_PIN:
        f->pins = arg;
        return 0;
    case KEY_TOKEN_FILE:
        f->token_file = arg;
        return 0;
    case KEY_TIMEOUT:
        f->timeout_ms = (unsigned)eis_cli_number(state, "--timeout", arg, 1, 3600000);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp eis_cli_split_argp = {.options = options, .parser = parse};

eis_status eis_cli_split_check(const eis_cli_split *f)
{
    eis_status st = EIS_OK;
    bool any = f->servers != NULL || f->shares || f->threshold || f->profile != NULL || f->verify || f->prefetch ||
               f->truncate || f->pack != NULL || f->ca != NULL || f->cert != NULL || f->pins != NULL ||
               f->token_file != NULL;

    EIS_REQUIRE(f->engine == EIS_ENGINE_SPLIT || !any, EIS_ERR_USAGE,
                "flags about servers and shares go with --engine split");
    EIS_REQUIRE(f->servers == NULL || f->shares == 0, EIS_ERR_USAGE,
                "--shares is for embedded servers; --servers gives their number");
    EIS_REQUIRE((f->cert == NULL) == (f->key == NULL), EIS_ERR_USAGE, "--cert and --key go together");
    EIS_REQUIRE(f->threshold == 0 || f->shares == 0 || f->threshold <= f->shares, EIS_ERR_USAGE,
                "--threshold %u needs at least %u servers; --shares says %u", f->threshold, f->threshold, f->shares);
    EIS_REQUIRE(f->threshold == 0 || f->profile == NULL || strncmp(f->profile, "f61", 3) == 0, EIS_ERR_USAGE,
                "--threshold needs profile f61 (or f61-8), not %s", f->profile);
    EIS_REQUIRE(!f->verify || f->profile == NULL || strncmp(f->profile, "f61", 3) == 0, EIS_ERR_USAGE,
                "--verify needs profile f61 (or f61-8), not %s", f->profile);
    EIS_REQUIRE(f->prefetch == 0 || f->threshold == 0, EIS_ERR_USAGE,
                "--prefetch goes with additive shares, not with --threshold");
    EIS_REQUIRE(f->servers != NULL || (f->ca == NULL && f->cert == NULL && f->pins == NULL && f->token_file == NULL),
                EIS_ERR_USAGE, "certificates, pins and tokens are for --servers; embedded servers have their own");
out:
    return st;
}

size_t eis_cli_split_server_count(const eis_cli_split *f)
{
    eis_address *servers = NULL;
    size_t count = 0;

    if (f->servers == NULL) return f->shares != 0 ? f->shares : f->threshold != 0 ? f->threshold + 1 : 2;
    if (eis_net_address_list_parse(&servers, &count, f->servers, DEFAULT_PORT) != EIS_OK) eis_error_clear();
    eis_mem_free(servers);
    return count;
}

/* What the flags name, loaded; everything that a session's config points at. */
typedef struct loaded {
    eis_address *servers;
    size_t server_count;
    eis_tls_pin *pins;
    eis_span ca, cert, key;
    eis_token token;
    eis_split_profile profile;
    eis_pool *pool;
} loaded;

static void unload(loaded *l)
{
    eis_mem_free(l->servers);
    eis_mem_free(l->pins);
    eis_cli_file_clear(&l->ca);
    eis_cli_file_clear(&l->cert);
    eis_cli_file_clear(&l->key);
    eis_net_token_clear(&l->token);
    eis_pool_free(l->pool);
}

/* One pin per server, in their order, all different. */
static eis_status parse_pins(loaded *l, const char *text)
{
    eis_status st = EIS_OK;
    char *copy = eis_mem_strdup(text), *rest = copy, *word;
    size_t count = 0;

    EIS_REQUIRE(copy != NULL, EIS_ERR_MEMORY, "not enough memory");
    EIS_NEW(l->pins, l->server_count);
    while ((word = strsep(&rest, ",")) != NULL) {
        EIS_REQUIRE(count < l->server_count, EIS_ERR_USAGE, "--pin names more keys than there are servers");
        EIS_TRY(eis_net_tls_pin_parse(&l->pins[count], word));
        for (size_t i = 0; i < count; i++)
            EIS_REQUIRE(memcmp(&l->pins[i], &l->pins[count], sizeof l->pins[i]) != 0, EIS_ERR_USAGE,
                        "--pin names one key twice; two servers with one key would see the whole input");
        count++;
    }
    EIS_REQUIRE(count == l->server_count, EIS_ERR_USAGE, "--pin names %zu keys for %zu servers", count,
                l->server_count);
out:
    eis_mem_free(copy);
    return st;
}

static eis_status load(loaded *l, const eis_cli_split *f, const eis_cli_common *common)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_pool_new(&l->pool, common->threads));
    if (f->profile != NULL) EIS_TRY(eis_split_profile_parse(&l->profile, f->profile));
    if (f->servers != NULL)
        EIS_TRY(eis_net_address_list_parse(&l->servers, &l->server_count, f->servers, DEFAULT_PORT));
    if (f->pins != NULL) EIS_TRY(parse_pins(l, f->pins));
    if (f->ca != NULL) EIS_TRY(eis_cli_file_read(&l->ca, f->ca, false));
    if (f->cert != NULL) EIS_TRY(eis_cli_file_read(&l->cert, f->cert, false));
    if (f->key != NULL) EIS_TRY(eis_cli_file_read(&l->key, f->key, true));
    if (f->token_file != NULL) EIS_TRY(eis_net_token_read_file(&l->token, f->token_file));
out:
    return st;
}

/* The pack beside a client part, where the user named none. */
static const char *pack_beside(char *path, size_t bytes, const eis_model *model, const char *model_path)
{
    const char *slash = strrchr(model_path, '/');
    int directory = slash == NULL ? 0 : (int)(slash - model_path + 1);

    if (model->part == NULL || snprintf(path, bytes, "%.*sserver.eispack", directory, model_path) >= (int)bytes)
        return NULL;
    return eis_pack_recognise(path) ? path : NULL;
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
    loaded l = {0};
    char beside[4096];
    eis_split_session_config config = {.model = model, .verify = f->verify, .pack_path = f->pack};

    *session = NULL;
    EIS_TRY(load(&l, f, common));
    config.profile = (unsigned)l.profile;
    if (config.pack_path == NULL) config.pack_path = pack_beside(beside, sizeof beside, model, model_path);
    config.calibration_ids = ids != NULL ? ids->ids : NULL;
    config.calibration_inputs = inputs;
    config.calibration_count = ids != NULL ? ids->count : input_count;
    config.pool = l.pool;
    config.server_threads = common->threads;
    config.client = (eis_split_client_config){
        .servers = l.servers,
        .pins = l.pins,
        .ca_pem = l.ca,
        .cert_pem = l.cert,
        .key_pem = l.key,
        .token = f->token_file != NULL ? &l.token : NULL,
        .model_name = f->served_name,
        .scheme = {.servers = f->servers != NULL ? l.server_count : f->shares, .threshold = f->threshold},
        .truncate = f->truncate,
        .timeout_ms = f->timeout_ms,
        .retries = 2,
        .pad_batches = true,
        .cancel = eis_cli_cancel(),
        .sight = f->sight,
        .sight_context = f->sight_context,
    };
    EIS_TRY(eis_split_session_open(session, &config));
    EIS_TRY(prefetch(*session, f->prefetch, common));
out:
    unload(&l);
    if (st != EIS_OK) {
        eis_split_session_close(*session);
        *session = NULL;
    }
    return st;
}
