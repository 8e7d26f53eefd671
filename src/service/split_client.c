/* SPDX-License-Identifier: Apache-2.0 */
#include "service/split_client.h"

#include "base/clock.h"
#include "base/mem.h"
#include "service/split_client_internal.h"

#include <stdio.h>
#include <string.h>

#define CONNECT_TIMEOUT_MS_DEFAULT 5000u
#define FRAME_BYTES_MAX_DEFAULT    ((uint64_t)64 << 20)

/* ---- making ---- */

static eis_status new_tls(eis_split_link *link, const eis_split_client_config *config)
{
    const eis_tls_client_config tls = {.ca_pem = config->ca_pem,
                                       .cert_pem = config->cert_pem,
                                       .key_pem = config->key_pem,
                                       .pins = config->pins != NULL ? &config->pins[link->index - 1] : NULL,
                                       .pin_count = config->pins != NULL ? 1 : 0,
                                       .alpn = EIS_TLS_ALPN_SPLIT};

    return eis_net_tls_client_new(&link->tls, &tls);
}

static eis_status new_links(eis_split_client *client)
{
    eis_status st = EIS_OK;
    size_t count = client->config.scheme.servers;

    EIS_NEW(client->links, count);
    EIS_NEW(client->streams, count);
    EIS_NEW(client->shares, count);
    EIS_NEW(client->answers, count + 1);
    for (size_t i = 0; i < count; i++) {
        eis_split_link *link = &client->links[i];
        char address[EIS_ADDRESS_TEXT_BYTES_MAX];
        link->index = (uint32_t)i + 1;
        link->address = client->config.servers[i];
        eis_net_address_format(address, &link->address);
        snprintf(link->name, sizeof link->name, "server %u (%s)", link->index, address);
        EIS_TRY(new_tls(link, &client->config));
    }
out:
    return st;
}

/* With a verifier or a threshold every bit is needed, so nothing is truncated. */
static eis_status new_layers(eis_split_client *client)
{
    const eis_split_scheme *scheme = &client->config.scheme;
    bool truncate = client->config.truncate && scheme->threshold == 0 && client->config.verifier == NULL;
    uint32_t count = client->model->linear_count;
    eis_status st = EIS_OK;

    EIS_NEW(client->planes, count);
    EIS_NEW(client->layers, count);
    EIS_NEW(client->reports, count);
    EIS_NEW(client->mask_layers, count);
    for (uint32_t i = 0; i < count; i++) {
        const eis_part_layer *part = &client->info->layers[i];
        eis_split_client_layer *layer = &client->layers[i];
        client->planes[i] = (uint8_t)part->planes;
        EIS_REQUIRE(part->planes <= 8, EIS_ERR_MODEL, "layer %u: %u byte planes", i, part->planes);
        EIS_TRY(eis_split_client_layer_init(layer, &client->model->linears[i], (eis_split_profile)client->info->profile,
                                            part->planes, part->row_norm, part->row_scales, truncate, scheme->servers));
    }
out:
    return st;
}

/* The longest frame that a single vector of any layer needs: a server must take that much. */
static eis_status measure_frames(uint64_t *needed, const eis_split_client *client)
{
    eis_status st = EIS_OK;
    size_t bytes;

    *needed = 0;
    for (uint32_t i = 0; i < client->model->linear_count; i++) {
        const eis_split_layer *layer = &client->layers[i].layer;
        EIS_TRY(eis_split_words_bytes(&bytes, layer->profile, layer->planes, layer->in_count, 1));
        if (bytes > *needed) *needed = bytes;
        EIS_TRY(eis_split_result_bytes(&bytes, layer->profile, layer->planes, layer->out_count, 1, 0));
        if (bytes > *needed) *needed = bytes;
    }
out:
    return st;
}

static eis_status set_terms(eis_split_client *client)
{
    const eis_split_client_config *config = &client->config;
    eis_split_hello *hello = &client->terms.hello;
    const char *name = config->model_name != NULL ? config->model_name : "";
    eis_status st = EIS_OK;

    EIS_REQUIRE(strlen(name) < sizeof hello->model, EIS_ERR_USAGE, "the name of a model has at most %d bytes",
                EIS_SPLIT_MODEL_BYTES_MAX);
    hello->version_min = hello->version_max = EIS_SPLIT_VERSION;
    hello->profile = (uint8_t)client->info->profile;
    hello->sharing = config->scheme.threshold > 0 ? EIS_SPLIT_SHAMIR : EIS_SPLIT_ADDITIVE;
    hello->payload_bytes_max = config->frame_bytes_max != 0 ? config->frame_bytes_max : FRAME_BYTES_MAX_DEFAULT;
    memcpy(hello->pack_digest, client->info->pack_digest, sizeof hello->pack_digest);
    memcpy(hello->model, name, strlen(name) + 1);
    hello->class_count = config->pad_batches ? EIS_SPLIT_BATCH_CLASSES : 1;
    memcpy(hello->batch_classes, eis_split_batch_classes, hello->class_count * sizeof eis_split_batch_classes[0]);
    hello->planes = client->planes;
    hello->layer_count = client->model->linear_count;
    if (config->token != NULL) {
        client->token = *config->token; /* it is shown again whenever a link is made anew */
        hello->token = (eis_span){(const uint8_t *)client->token.text, client->token.bytes};
    }
    client->terms.connect_timeout_ms =
        config->connect_timeout_ms != 0 ? config->connect_timeout_ms : CONNECT_TIMEOUT_MS_DEFAULT;
    client->terms.write_timeout_ms = config->timeout_ms;
    client->terms.cancel = config->cancel;
    EIS_TRY(measure_frames(&client->terms.frame_bytes_needed, client));
    EIS_REQUIRE(client->terms.frame_bytes_needed <= hello->payload_bytes_max, EIS_ERR_TOO_LARGE,
                "one vector of this model needs %llu bytes; the frame limit is %llu",
                (unsigned long long)client->terms.frame_bytes_needed, (unsigned long long)hello->payload_bytes_max);
out:
    return st;
}

/* Too few servers: the first failure tells the user most. */
static eis_status check_connected(const eis_split_client *client)
{
    const eis_split_scheme *scheme = &client->config.scheme;
    size_t connected = eis_split_connected(client),
           needed = scheme->threshold > 0 ? scheme->threshold : scheme->servers;

    if (connected >= needed) return EIS_OK;
    for (size_t i = 0; i < scheme->servers; i++)
        if (client->links[i].stream == NULL)
            return eis_fail(client->links[i].last_error, "%s", client->links[i].detail);
    return eis_fail(EIS_ERR_UNAVAILABLE, "%zu servers answer where %zu are needed", connected, needed);
}

/* What every request and reply must fit: the smallest limit that a server gave. Later connections must not give less.
 */
static void agree_frames(eis_split_client *client)
{
    client->frame_bytes_max = client->terms.hello.payload_bytes_max;
    for (size_t i = 0; i < client->config.scheme.servers; i++) {
        const eis_split_link *link = &client->links[i];
        if (link->stream != NULL && link->frame_bytes_max < client->frame_bytes_max)
            client->frame_bytes_max = link->frame_bytes_max;
    }
}

eis_status eis_split_client_new(eis_split_client **out_client, const eis_model *model, const eis_part_info *info,
                                const eis_split_client_config *config)
{
    eis_status st = EIS_OK;
    eis_split_client *client = NULL;

    *out_client = NULL;
    EIS_REQUIRE(eis_split_profile_valid(info->profile), EIS_ERR_MODEL, "the client part names an unknown profile");
    EIS_TRY(eis_split_scheme_check(&config->scheme, (eis_split_profile)info->profile));
    EIS_NEW(client, 1);
    client->config = *config;
    client->model = model;
    client->info = info;
    EIS_TRY(new_links(client));
    EIS_TRY(new_layers(client));
    EIS_TRY(set_terms(client));
    EIS_TRY(eis_split_connect(client));
    EIS_TRY(check_connected(client));
    /* A store that outlives the process may hold masks from before. */
    if (config->mask_store_path != NULL && config->scheme.threshold == 0) EIS_TRY(eis_split_masks_open(client));
    agree_frames(client);
    client->terms.frame_bytes_needed = client->frame_bytes_max;
    *out_client = client;
    client = NULL;
out:
    eis_split_client_free(client);
    return st;
}

void eis_split_client_free(eis_split_client *client)
{
    if (client == NULL) return;
    for (size_t i = 0; i < client->config.scheme.servers; i++) {
        if (client->links != NULL) eis_split_link_clear(&client->links[i]);
        if (client->shares != NULL) eis_share_clear(&client->shares[i]);
    }
    eis_store_masks_close(client->masks);
    eis_prg_clear(&client->prg);
    eis_split_input_clear(&client->input);
    eis_mem_free_wiped(client->x, client->x_capacity, sizeof *client->x);
    eis_mem_free_wiped(client->y, client->y_capacity, sizeof *client->y);
    eis_mem_free_wiped(client->frame, client->frame_capacity, 1);
    eis_mem_free(client->links);
    eis_mem_free(client->streams);
    eis_mem_free(client->shares);
    eis_mem_free(client->answers);
    eis_mem_free(client->planes);
    eis_mem_free(client->layers);
    eis_mem_free(client->reports);
    eis_mem_free(client->mask_layers);
    eis_mem_free_wiped(client, 1, sizeof *client);
}

/* ---- the seam ---- */

static eis_status reserve_reals(double **reals, size_t *capacity, size_t count)
{
    double *fresh;

    if (*capacity >= count) return EIS_OK;
    fresh = eis_mem_new_secret(count, sizeof *fresh);
    if (fresh == NULL) return EIS_ERR_MEMORY;
    eis_mem_free_wiped(*reals, *capacity, sizeof **reals);
    *reals = fresh;
    *capacity = count;
    return EIS_OK;
}

/* Computes up to a chunk's worth: pads, calls, unpads. */
static eis_status apply_chunk(eis_split_client *client, uint32_t index, double *y, const double *x, size_t batch)
{
    const eis_split_layer *layer = &client->layers[index].layer;
    size_t padded = eis_split_batch_class(client, batch);
    size_t used = batch * layer->in_count, whole = padded * layer->in_count, answers = padded * layer->out_count;
    double *out = y;
    bool done = false;
    eis_status st = EIS_OK;

    EIS_TRY(reserve_reals(&client->x, &client->x_capacity, whole));
    memcpy(client->x, x, used * sizeof *x);
    memset(client->x + used, 0, (whole - used) * sizeof *x);
    client->replaced |= eis_fixed_sanitise(client->x, used);
    if (padded > batch) {
        EIS_TRY(reserve_reals(&client->y, &client->y_capacity, answers));
        out = client->y;
    }
    EIS_TRY(eis_split_call_masked(client, &done, index, out, client->x, padded));
    if (!done) EIS_TRY(eis_split_call(client, index, out, client->x, padded));
    if (out != y) memcpy(y, out, batch * layer->out_count * sizeof *y);
out:
    if (client->x != NULL)
        eis_mem_wipe(client->x, (whole < client->x_capacity ? whole : client->x_capacity) * sizeof *x);
    if (out != y) eis_mem_wipe(out, answers * sizeof *out);
    return st;
}

/* The text ends with its last node, so now it may be said that something was not finite. */
static eis_status report_replaced(eis_split_client *client, uint32_t index)
{
    bool replaced;

    if (index + 1 != client->model->linear_count) return EIS_OK;
    replaced = client->replaced != 0;
    client->replaced = 0;
    return replaced ? eis_fail(EIS_ERR_RANGE, "a value between two layers was not finite or too large") : EIS_OK;
}

static eis_status apply(void *ctx, uint32_t index, double *y, const double *x, size_t batch)
{
    eis_split_client *client = ctx;
    const eis_split_layer *layer;
    uint64_t start_ns = eis_clock_ns();
    eis_status st = EIS_OK;
    size_t most, total = batch;

    EIS_ASSERT(index < client->model->linear_count);
    layer = &client->layers[index].layer;
    most = eis_split_batch_max(client, index);
    /* The user's own input is refused. After the first layer no check may look at values, since a server could watch it
     * act: such an entry becomes 0, and the last node reports it. */
    EIS_REQUIRE(index != 0 || eis_fixed_input_ok(x, batch * layer->in_count), EIS_ERR_RANGE,
                "the input is not finite, or "
                "too large");
    for (size_t done = 0, now; done < batch; done += now) {
        now = batch - done < most ? batch - done : most;
        EIS_TRY(apply_chunk(client, index, y + done * layer->out_count, x + done * layer->in_count, now));
    }
    EIS_TRY(report_replaced(client, index));
out:
    client->reports[index].nanoseconds += eis_clock_ns() - start_ns;
    if (st != EIS_OK) {
        client->replaced = 0;
        eis_mem_wipe(y, total * layer->out_count * sizeof *y);
    }
    return st;
}

eis_linear_backend eis_split_client_seam(eis_split_client *client)
{
    return (eis_linear_backend){.ctx = client, .apply = apply};
}

/* ---- reports ---- */

void eis_split_client_report(const eis_split_client *client, eis_split_layer_report *layers,
                             eis_split_server_report *servers)
{
    if (layers != NULL) memcpy(layers, client->reports, client->model->linear_count * sizeof *layers);
    for (size_t i = 0; servers != NULL && i < client->config.scheme.servers; i++) {
        const eis_split_link *link = &client->links[i];
        servers[i] = (eis_split_server_report){.address = link->address,
                                               .bytes_up = link->bytes_up,
                                               .bytes_down = link->bytes_down,
                                               .calls = link->calls,
                                               .alive = link->stream != NULL,
                                               .caught = link->caught,
                                               .last_error = link->last_error};
    }
}

uint64_t eis_split_client_mask_misses(const eis_split_client *client) { return client->mask_misses; }
