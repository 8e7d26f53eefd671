/* SPDX-License-Identifier: Apache-2.0 */
#include "service/he_session.h"

#include "base/mem.h"
#include "model/classifier.h"
#include "service/he_embedded.h"
#include "service/pem_file.h"
#include "trust/key_file.h"

#include <stdio.h>
#include <string.h>

struct eis_he_session {
    eis_embedded *embedded; /* NULL: a server was named */
    eis_he_remote *remote;
    eis_pool *pool;
    char url[64]; /* of an own server */
};

void eis_he_access_clear(eis_he_access *l)
{
    eis_pem_file_clear(&l->ca);
    eis_pem_file_clear(&l->cert);
    eis_pem_file_clear(&l->key);
    eis_net_token_clear(&l->token);
    eis_mem_free_wiped(l->passphrase, l->passphrase_bytes + 1, 1);
    l->passphrase = NULL;
}

/* One line; the newline behind it is not of it. */
static eis_status read_passphrase(eis_he_access *l, eis_he_remote_config *config, const char *path)
{
    eis_status st = EIS_OK;
    size_t length;

    EIS_TRY(eis_trust_key_file_read(&l->passphrase, &l->passphrase_bytes, path));
    length = strcspn(l->passphrase, "\r\n");
    EIS_REQUIRE(length > 0, EIS_ERR_USAGE, "%s: its first line is empty", path);
    config->passphrase = (eis_span){(const uint8_t *)l->passphrase, length};
out:
    return st;
}

static eis_status check_wish(const eis_he_session_wish *wish)
{
    eis_status st = EIS_OK;
    bool access = wish->ca != NULL || wish->cert != NULL || wish->pin != NULL || wish->token_file != NULL ||
                  wish->tenant != NULL || wish->insecure_http || wish->key_file != NULL ||
                  wish->passphrase_file != NULL;

    EIS_REQUIRE((wish->cert == NULL) == (wish->key == NULL), EIS_ERR_USAGE, "a certificate and its key go together");
    EIS_REQUIRE(wish->url != NULL || !access, EIS_ERR_USAGE,
                "certificates, pins, tokens, tenants and key files are for a server that is named by its URL");
    EIS_REQUIRE(wish->url == NULL || (wish->chain == NULL && wish->form == NULL), EIS_ERR_USAGE,
                "chain and form are for an own server; one that is named has chosen them");
    EIS_REQUIRE(wish->url != NULL || wish->model_path != NULL, EIS_ERR_USAGE, "name a model or a server");
    EIS_REQUIRE(wish->url == NULL || wish->model_id != NULL, EIS_ERR_USAGE, "name the model at the server");
out:
    return st;
}

static eis_status load(eis_he_access *l, const eis_he_session_wish *wish)
{
    eis_status st = EIS_OK;

    if (wish->ca != NULL) EIS_TRY(eis_pem_file_read(&l->ca, wish->ca, false));
    if (wish->cert != NULL) EIS_TRY(eis_pem_file_read(&l->cert, wish->cert, false));
    if (wish->key != NULL) EIS_TRY(eis_pem_file_read(&l->key, wish->key, true));
    if (wish->token_file != NULL) EIS_TRY(eis_net_token_read_file(&l->token, wish->token_file));
    if (wish->pin != NULL) EIS_TRY(eis_net_tls_pin_parse(&l->pin, wish->pin));
out:
    return st;
}

static eis_status parse_encoding(eis_he_encoding *encoding, const char *name)
{
    *encoding = 0;
    if (name == NULL) return EIS_OK;
    for (eis_he_encoding e = EIS_HE_HEX; e <= EIS_HE_BINARY; e++)
        if (strcmp(name, eis_he_encoding_name(e)) == 0) {
            *encoding = e;
            return EIS_OK;
        }
    return eis_fail(EIS_ERR_USAGE, "there is no encoding \"%s\"; choose binary, hex or base64", name);
}

static eis_status parse_policy(eis_ckks_policy *policy, const char *name)
{
    *policy = EIS_CKKS_POLICY_2024_128;
    if (name == NULL || eis_ckks_policy_parse(policy, name)) return EIS_OK;
    return eis_fail(EIS_ERR_USAGE, "there is no security policy \"%s\"; the default is %s, an older one %s", name,
                    eis_ckks_policy_name(EIS_CKKS_POLICY_2024_128), eis_ckks_policy_name(EIS_CKKS_POLICY_2018_128));
}

/* How to reach a server that was named. */
static void reach_named(eis_he_remote_config *c, const eis_he_access *l, const eis_he_session_wish *wish)
{
    c->link.url = wish->url;
    c->link.tenant = wish->tenant;
    c->link.net.tls = (eis_tls_client_config){.ca_pem = l->ca, .cert_pem = l->cert, .key_pem = l->key};
    if (wish->pin != NULL) {
        c->link.net.tls.pins = &l->pin;
        c->link.net.tls.pin_count = 1;
    }
    c->link.net.token = wish->token_file != NULL ? &l->token : NULL;
    c->link.net.plain_anywhere = wish->insecure_http;
    c->model_id = wish->model_id;
    c->version = wish->version;
    c->key_file = wish->key_file;
    c->throw_away = wish->throw_away;
}

eis_status eis_he_access_load(eis_he_access *access, eis_he_remote_config *config, const eis_he_session_wish *wish)
{
    eis_status st = EIS_OK;

    EIS_TRY(parse_policy(&config->policy, wish->policy));
    EIS_TRY(parse_encoding(&config->encoding, wish->encoding));
    EIS_TRY(load(access, wish));
    if (wish->passphrase_file != NULL) EIS_TRY(read_passphrase(access, config, wish->passphrase_file));
    config->publish_bits = wish->publish_bits;
    config->link.net.cancel = wish->cancel;
    config->link.net.timeout_ms = wish->timeout_ms;
    config->link.net.connect_timeout_ms = wish->timeout_ms;
    if (wish->url != NULL) reach_named(config, access, wish);
out:
    return st;
}

/* Starts a server and says how to reach it. */
static eis_status start_own(eis_he_session *s, eis_he_remote_config *c, const eis_he_session_wish *wish)
{
    const eis_he_order order = {.model = wish->model_path,
                                .weights = wish->weights,
                                .chain = wish->chain,
                                .form = wish->form,
                                .policy = wish->policy,
                                .interactive = wish->interactive};
    eis_status st = EIS_OK;
    eis_embedded_access access;

    EIS_TRY(eis_he_embedded_start(&s->embedded, wish->program, &order, wish->threads));
    eis_embedded_access_get(&access, s->embedded);
    snprintf(s->url, sizeof s->url, "https://127.0.0.1:%u", (unsigned)access.addresses[0].port);
    c->link.url = s->url;
    c->link.net.tls = (eis_tls_client_config){.ca_pem = access.ca_pem,
                                              .cert_pem = access.cert_pem,
                                              .key_pem = access.key_pem,
                                              .pins = access.pins,
                                              .pin_count = 1};
    c->model_id = EIS_HE_EMBEDDED_MODEL;
    c->throw_away = true;
out:
    return st;
}

eis_status eis_he_session_open(eis_he_session **out_session, const eis_he_session_wish *wish)
{
    eis_status st = EIS_OK;
    eis_he_session *s = NULL;
    eis_he_remote_config config = {0};
    eis_he_access access = {0};

    *out_session = NULL;
    EIS_TRY(check_wish(wish));
    EIS_NEW(s, 1);
    EIS_TRY(eis_pool_new(&s->pool, wish->threads));
    config.pool = s->pool;
    EIS_TRY(eis_he_access_load(&access, &config, wish));
    if (wish->url == NULL) EIS_TRY(start_own(s, &config, wish));
    EIS_TRY(eis_he_remote_open(&s->remote, &config));
    EIS_TRY(eis_he_remote_upload(s->remote));
    *out_session = s;
    s = NULL;
out:
    eis_he_session_close(s);
    eis_he_access_clear(&access);
    return st;
}

void eis_he_session_close(eis_he_session *s)
{
    if (s == NULL) return;
    eis_he_remote_close(s->remote);
    eis_embedded_stop(s->embedded);
    eis_pool_free(s->pool);
    eis_mem_free(s);
}

eis_he_remote *eis_he_session_remote(eis_he_session *s) { return s->remote; }

pid_t eis_he_session_process(const eis_he_session *s)
{
    eis_embedded_access access;

    if (s->embedded == NULL) return 0;
    eis_embedded_access_get(&access, s->embedded);
    return access.processes[0];
}

/* The model that lies here decides how its inputs are scaled, not what a server says about it. */
static eis_he_scaling scaling_of(const eis_classifier *c)
{
    return (eis_he_scaling){.divide = c->divide,
                            .mean = c->mean,
                            .deviation = c->deviation,
                            .mean_count = c->mean_count,
                            .deviation_count = c->deviation_count,
                            .per_channel = (size_t)c->height * c->width};
}

eis_status eis_he_session_classify(eis_he_session *s, double *logits, const eis_model *model, const double *x,
                                   size_t count, const eis_he_watch *watch)
{
    const size_t size = eis_classifier_input_count(model), classes = model->classifier.class_count;
    const eis_he_scaling scaling = scaling_of(&model->classifier);
    eis_status st = EIS_OK;
    size_t words = 0;
    double *scaled = NULL;

    EIS_REQUIRE(eis_he_remote_size(s->remote) == size && eis_he_remote_values(s->remote) == classes, EIS_ERR_SHAPE,
                "the server's model takes %zu numbers and gives %zu; this one takes %zu and gives %zu",
                eis_he_remote_size(s->remote), eis_he_remote_values(s->remote), size, classes);
    EIS_REQUIRE(eis_size_mul(&words, count, size), EIS_ERR_TOO_LARGE, "the batch is too large");
    EIS_NEW(scaled, words);
    memcpy(scaled, x, words * sizeof *scaled);
    eis_he_scale(scaled, size, count, &scaling);
    EIS_TRY(eis_he_remote_infer(s->remote, logits, scaled, count, watch));
out:
    eis_mem_free_wiped(scaled, words, sizeof *scaled);
    if (st != EIS_OK) eis_mem_wipe(logits, count * classes * sizeof *logits);
    return st;
}
