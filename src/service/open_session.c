/* SPDX-License-Identifier: Apache-2.0 */
#include "service/open_session.h"

#include "base/mem.h"
#include "engine/split/pack.h"
#include "service/pem_file.h"

#include <stdio.h>
#include <string.h>

/* What a wish names, loaded; everything that a session's config points at. */
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
    eis_pem_file_clear(&l->ca);
    eis_pem_file_clear(&l->cert);
    eis_pem_file_clear(&l->key);
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
        EIS_REQUIRE(count < l->server_count, EIS_ERR_USAGE, "the list of pins names more keys than there are servers");
        EIS_TRY(eis_net_tls_pin_parse(&l->pins[count], word));
        for (size_t i = 0; i < count; i++)
            EIS_REQUIRE(memcmp(&l->pins[i], &l->pins[count], sizeof l->pins[i]) != 0, EIS_ERR_USAGE,
                        "the list of pins names one key twice; two servers with one key would see the whole input");
        count++;
    }
    EIS_REQUIRE(count == l->server_count, EIS_ERR_USAGE, "the list of pins names %zu keys for %zu servers", count,
                l->server_count);
out:
    eis_mem_free(copy);
    return st;
}

static eis_status load(loaded *l, const eis_split_wish *wish)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE((wish->cert == NULL) == (wish->key == NULL), EIS_ERR_USAGE, "a certificate and its key go together");
    EIS_REQUIRE(wish->servers == NULL || wish->shares == 0, EIS_ERR_USAGE,
                "a number of shares is for own servers; those that are named give their number");
    EIS_REQUIRE(wish->servers != NULL ||
                    (wish->ca == NULL && wish->cert == NULL && wish->pins == NULL && wish->token_file == NULL),
                EIS_ERR_USAGE, "certificates, pins and tokens are for servers that are named; own ones have their own");
    EIS_TRY(eis_pool_new(&l->pool, wish->threads));
    if (wish->profile != NULL) EIS_TRY(eis_split_profile_parse(&l->profile, wish->profile));
    if (wish->servers != NULL)
        EIS_TRY(eis_net_address_list_parse(&l->servers, &l->server_count, wish->servers, EIS_SPLIT_PORT_DEFAULT));
    if (wish->pins != NULL) EIS_TRY(parse_pins(l, wish->pins));
    if (wish->ca != NULL) EIS_TRY(eis_pem_file_read(&l->ca, wish->ca, false));
    if (wish->cert != NULL) EIS_TRY(eis_pem_file_read(&l->cert, wish->cert, false));
    if (wish->key != NULL) EIS_TRY(eis_pem_file_read(&l->key, wish->key, true));
    if (wish->token_file != NULL) EIS_TRY(eis_net_token_read_file(&l->token, wish->token_file));
out:
    return st;
}

/* The pack beside a client part, where the wish names none. */
static const char *pack_beside(char *path, size_t bytes, const eis_model *model, const char *model_path)
{
    const char *slash = strrchr(model_path, '/');
    int directory = slash == NULL ? 0 : (int)(slash - model_path + 1);

    if (model->part == NULL || snprintf(path, bytes, "%.*sserver.eispack", directory, model_path) >= (int)bytes)
        return NULL;
    return eis_pack_recognise(path) ? path : NULL;
}

eis_status eis_split_session_open_wish(eis_split_session **session, const eis_split_wish *wish, const eis_model *model,
                                       const char *model_path)
{
    eis_status st = EIS_OK;
    loaded l = {0};
    char beside[4096];
    eis_split_session_config config = {.model = model, .verify = wish->verify, .pack_path = wish->pack};

    *session = NULL;
    EIS_TRY(load(&l, wish));
    config.profile = (unsigned)l.profile;
    if (config.pack_path == NULL) config.pack_path = pack_beside(beside, sizeof beside, model, model_path);
    config.calibration_ids = wish->calibration_ids;
    config.calibration_inputs = wish->calibration_inputs;
    config.calibration_count = wish->calibration_count;
    config.program = wish->program;
    config.pool = l.pool;
    config.server_threads = wish->threads;
    config.client = (eis_split_client_config){
        .servers = l.servers,
        .pins = l.pins,
        .ca_pem = l.ca,
        .cert_pem = l.cert,
        .key_pem = l.key,
        .token = wish->token_file != NULL ? &l.token : NULL,
        .model_name = wish->served_name,
        .scheme = {.servers = wish->servers != NULL ? l.server_count : wish->shares, .threshold = wish->threshold},
        .truncate = wish->truncate,
        .timeout_ms = wish->timeout_ms,
        .connect_timeout_ms = wish->timeout_ms,
        .retries = 2,
        .pad_batches = true,
        .cancel = wish->cancel,
        .sight = wish->sight,
        .sight_context = wish->sight_context,
    };
    EIS_TRY(eis_split_session_open(session, &config));
out:
    unload(&l);
    return st;
}
