/* SPDX-License-Identifier: Apache-2.0 */
/* Discovery: what the server publishes, held against what we accept; and the secret key. */
#include "service/he_client.h"

#include "base/mem.h"
#include "ckks/seal_ct.h"
#include "ckks/seal_keys.h"
#include "ckks/seal_secret.h"
#include "engine/he/recover.h"
#include "service/he_client_internal.h"

#include <stdio.h>
#include <string.h>

#define MODELS_BYTES_MAX      ((size_t)16 << 20)
#define REQUEST_BYTES_DEFAULT ((uint64_t)1 << 30)
#define KEYS_BYTES_DEFAULT    ((uint64_t)512 << 20)
#define JOB_TIMEOUT_DEFAULT   600000u
#define WAIT_S_MAX            30u /* what servers take */

/* ---- what the server publishes ---- */

/* A server of version 1 adds members and takes none away. */
static eis_status check_version(eis_json_value root)
{
    eis_json_value value;
    eis_span text;

    if (!eis_json_find(&value, root, "api_version")) return EIS_OK; /* older servers say nothing */
    if (!eis_json_string(&text, value)) return eis_fail(EIS_ERR_PROTOCOL, "GET /models: api_version is no string");
    if (text.bytes > 0 && text.data[0] == 'v') text = (eis_span){text.data + 1, text.bytes - 1};
    if (text.bytes > 0 && text.data[0] == '1' && (text.bytes == 1 || text.data[1] == '.')) return EIS_OK;
    return eis_fail(EIS_ERR_VERSION, "the server speaks another version of the protocol than 1");
}

static eis_status read_models(eis_he_remote *r, eis_span body, const char *model_id, const char *version)
{
    eis_status st = EIS_OK;
    eis_json_doc *doc = NULL;
    eis_json_value root, entry, unused;

    EIS_TRY(eis_json_parse(&doc, "GET /models", body.data, body.bytes, MODELS_BYTES_MAX));
    root = eis_json_root(doc);
    EIS_TRY(check_version(root));
    EIS_TRY(eis_he_models_find(&entry, root, model_id, version));
    EIS_TRY(eis_he_contract_read(&r->contract, &r->info, entry));
    r->is_original = !eis_json_find(&unused, entry, "stages");
out:
    if (st == EIS_ERR_PARSE || st == EIS_ERR_TOO_LARGE) st = eis_fail_prefix(EIS_ERR_PROTOCOL, "the server's answer");
    eis_json_free(doc);
    return st;
}

static eis_status discover(eis_he_remote *r, const eis_he_remote_config *config)
{
    const eis_he_ask ask = {.method = "GET", .path = "/models", .line = {"Accept: application/json"}, .line_count = 1};
    eis_status st = EIS_OK;
    eis_http_call call = {0};

    EIS_TRY(eis_he_link_run(r->link, &call, NULL, &ask));
    EIS_TRY(read_models(r, (eis_span){call.answer, call.answer_bytes}, config->model_id, config->version));
out:
    eis_net_http_call_clear(&call);
    return st;
}

/* ---- what we accept ---- */

static uint64_t request_bytes(const eis_he_contract *c, const eis_ckks_params *params)
{
    uint64_t most = 0;

    for (uint32_t s = 0; s < c->stage_count; s++) {
        const eis_he_packing *in = &c->stage[s].input;
        uint64_t bytes = (uint64_t)in->ciphertexts * eis_ckks_ct_bytes(params, 2, in->limbs, EIS_SEAL_FORM_4_1, true);
        if (bytes > most) most = bytes;
    }
    return most;
}

/* The bytes of the set that we would make: cut where levels are given, else as SEAL objects, which zstd makes smaller.
 */
static eis_status key_bytes(uint64_t *bytes, const eis_he_contract *c, const eis_ckks_params *params)
{
    eis_status st = EIS_OK;
    eis_ckks_key_need need[EIS_HE_NEEDS_MAX];
    size_t count;

    *bytes = 0;
    if (c->has_levels) {
        count = eis_he_contract_needs(need, c, params, true);
        EIS_TRY(eis_ckks_key_needs_check(params, need, count));
        *bytes = eis_ckks_key_set_bytes(params, need, count, true);
        goto out;
    }
    if (c->needs_public) *bytes += eis_ckks_public_key_bytes(params, EIS_SEAL_FORM_4_1, true);
    if (c->needs_relin) *bytes += eis_ckks_relin_key_bytes(params, EIS_SEAL_FORM_4_1, true);
    if (c->element_count > 0)
        *bytes += eis_ckks_galois_keys_bytes(params, c->element[c->element_count - 1], c->element_count,
                                             EIS_SEAL_FORM_4_1, true);
out:
    return st;
}

/* The security bound, and how much we are ready to send, are ours to say. */
static eis_status check_bounds(const eis_he_remote *r, const eis_ckks_params *params)
{
    eis_status st = EIS_OK;
    uint64_t request = request_bytes(&r->contract, params), keys = 0;

    EIS_TRY(key_bytes(&keys, &r->contract, params));
    EIS_REQUIRE(request <= r->request_bytes_max, EIS_ERR_LIMIT,
                "the model %s asks for requests of %llu bytes; the limit is %llu", r->info.model_id,
                (unsigned long long)request, (unsigned long long)r->request_bytes_max);
    EIS_REQUIRE(keys <= r->keys_bytes_max, EIS_ERR_LIMIT,
                "the model %s asks for evaluation keys of %llu bytes; the limit is %llu", r->info.model_id,
                (unsigned long long)keys, (unsigned long long)r->keys_bytes_max);
out:
    return st;
}

static eis_status make_params(const eis_ckks_params **params, const eis_he_remote *r)
{
    eis_status st = eis_ckks_params_new(params, &r->contract.literal);

    if (st == EIS_OK) return EIS_OK;
    if (st == EIS_ERR_RANGE) st = EIS_ERR_PROTOCOL; /* primes that are none are not the user's fault */
    return eis_fail_prefix(st, "the server's parameters for %s", r->info.model_id);
}

/* ---- the secret key ---- */

static eis_status save_new_key(eis_he_remote *r)
{
    eis_status st = EIS_OK;
    eis_writer w;

    eis_wire_writer_init(&w, EIS_HE_KEY_FILE_BYTES_MAX);
    eis_ckks_secret_key_write(&w, &r->client.secret, EIS_SEAL_FORM_4_1);
    EIS_TRY(eis_wire_writer_take(&w, &r->file.secret, &r->file.secret_bytes));
    EIS_TRY(eis_he_key_file_write(&r->file, r->key_path));
out:
    eis_wire_writer_clear(&w);
    return st;
}

static eis_status open_kept_key(eis_he_remote *r, const eis_ckks_params *params, const char *wanted)
{
    eis_status st = EIS_OK;
    const char *origin = eis_he_link_origin(r->link);
    const uint8_t *id = params->parms_id[params->prime_count];
    bool found;

    if (wanted == NULL)
        EIS_TRY(eis_he_key_file_default(r->key_path, origin, id));
    else
        EIS_REQUIRE(snprintf(r->key_path, sizeof r->key_path, "%s", wanted) < (int)sizeof r->key_path, EIS_ERR_USAGE,
                    "the path of the key file is too long");
    EIS_TRY(eis_he_key_file_read(&r->file, &found, r->key_path, (eis_span){r->passphrase, r->passphrase_bytes}));
    if (found) {
        EIS_TRY(eis_he_key_file_check(&r->file, r->key_path, origin, id));
        st = eis_he_client_init_key(&r->client, &r->contract, r->file.secret, r->file.secret_bytes);
        if (st != EIS_OK && st != EIS_ERR_MEMORY) st = eis_fail_prefix(EIS_ERR_PARSE, "%s", r->key_path);
        return st;
    }
    snprintf(r->file.origin, sizeof r->file.origin, "%s", origin);
    memcpy(r->file.parms_id, id, sizeof r->file.parms_id);
    EIS_TRY(eis_he_client_init(&r->client, &r->contract));
    EIS_TRY(save_new_key(r));
out:
    return st;
}

/* Whether answers have room for the noise that is to hide theirs: asked before anything is sent. */
static eis_status check_publishing(const eis_he_remote *r)
{
    eis_status st = EIS_OK;
    double deviation;

    if (r->publish_bits == 0) return EIS_OK;
    EIS_REQUIRE(!r->contract.interactive, EIS_ERR_USAGE, "answers of a model in rounds cannot be made fit to publish");
    EIS_TRY(eis_he_publish_check(&deviation, &r->contract, 0, &(eis_he_publish){.bits = r->publish_bits}));
out:
    return st;
}

static eis_status get_key(eis_he_remote *r, const eis_he_remote_config *config)
{
    eis_status st = EIS_OK;
    const eis_ckks_params *params = NULL;

    /* More than one stage is for a client that computes in between. */
    EIS_REQUIRE(r->contract.interactive || r->contract.stage_count == 1, EIS_ERR_PROTOCOL,
                "the model %s has %u stages and says nothing of rounds", r->info.model_id, r->contract.stage_count);
    EIS_TRY(make_params(&params, r));
    EIS_TRY(check_bounds(r, params));
    EIS_TRY(check_publishing(r));
    if (config->throw_away)
        EIS_TRY(eis_he_client_init(&r->client, &r->contract));
    else
        EIS_TRY(open_kept_key(r, params, config->key_file));
out:
    eis_ckks_params_free(params);
    return st;
}

/* ---- opening ---- */

eis_status eis_he_remote_open(eis_he_remote **out_remote, const eis_he_remote_config *config)
{
    eis_status st = EIS_OK;
    eis_he_remote *r = NULL;

    *out_remote = NULL;
    EIS_NEW(r, 1);
    r->request_bytes_max = config->request_bytes_max != 0 ? config->request_bytes_max : REQUEST_BYTES_DEFAULT;
    r->keys_bytes_max = config->keys_bytes_max != 0 ? config->keys_bytes_max : KEYS_BYTES_DEFAULT;
    r->job_timeout_ms = config->job_timeout_ms != 0 ? config->job_timeout_ms : JOB_TIMEOUT_DEFAULT;
    r->wait_s = config->link.net.timeout_ms / 2000;
    if (config->link.net.timeout_ms == 0 || r->wait_s > WAIT_S_MAX) r->wait_s = WAIT_S_MAX;
    r->pool = config->pool;
    r->publish_bits = config->publish_bits;
    if (config->passphrase.bytes > 0) {
        r->passphrase = eis_mem_new_secret(config->passphrase.bytes, 1);
        EIS_REQUIRE(r->passphrase != NULL, EIS_ERR_MEMORY, "not enough memory");
        memcpy(r->passphrase, config->passphrase.data, config->passphrase.bytes);
        r->passphrase_bytes = config->passphrase.bytes;
    }
    EIS_TRY(eis_he_link_new(&r->link, &config->link));
    EIS_TRY(discover(r, config));
    r->contract.literal.policy = config->policy; /* never what the server says */
    r->encoding = config->encoding != 0 ? config->encoding : r->is_original ? EIS_HE_HEX : EIS_HE_BINARY;
    r->needs_keys = r->contract.needs_relin || r->contract.needs_public || r->contract.element_count > 0;
    EIS_TRY(get_key(r, config));
    *out_remote = r;
    r = NULL;
out:
    eis_he_remote_close(r);
    return st;
}

void eis_he_remote_close(eis_he_remote *r)
{
    if (r == NULL) return;
    eis_he_client_clear(&r->client);
    eis_he_key_file_clear(&r->file);
    eis_mem_free_wiped(r->passphrase, r->passphrase_bytes, 1);
    eis_he_info_clear(&r->info);
    eis_he_link_free(r->link);
    eis_mem_free(r);
}

const eis_he_contract *eis_he_remote_contract(const eis_he_remote *r) { return &r->contract; }
const eis_he_info *eis_he_remote_info(const eis_he_remote *r) { return &r->info; }
eis_he_link *eis_he_remote_link(eis_he_remote *r) { return r->link; }
const eis_he_client *eis_he_remote_engine(const eis_he_remote *r) { return &r->client; }
bool eis_he_remote_is_original(const eis_he_remote *r) { return r->is_original; }

void eis_he_remote_report_get(eis_he_remote_report *report, const eis_he_remote *r)
{
    eis_he_link_counts counts;

    eis_he_link_counts_get(&counts, r->link);
    *report = r->report;
    report->calls = counts.calls;
    report->retries += counts.retries;
    report->bytes_up = counts.bytes_up;
    report->bytes_down = counts.bytes_down;
}

/* ---- scaling ---- */

static double at(const double *values, uint32_t count, size_t channel, double otherwise)
{
    if (count == 1) return values[0];
    return channel < count ? values[channel] : otherwise;
}

void eis_he_scale(double *x, size_t size, size_t count, const eis_he_scaling *s)
{
    if (s->divide == 0) return;
    for (size_t i = 0; i < count * size; i++) {
        size_t channel = i % size / s->per_channel;
        x[i] = (x[i] / s->divide - at(s->mean, s->mean_count, channel, 0)) /
               at(s->deviation, s->deviation_count, channel, 1);
    }
}

eis_he_scaling eis_he_remote_scaling(const eis_he_remote *r)
{
    const eis_he_info *info = &r->info;

    return (eis_he_scaling){.divide = info->divide,
                            .mean = info->mean,
                            .deviation = info->deviation,
                            .mean_count = info->mean_count,
                            .deviation_count = info->deviation_count,
                            .per_channel =
                                info->height > 0 && info->width > 0 ? (size_t)info->height * info->width : 1};
}
