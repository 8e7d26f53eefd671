/* SPDX-License-Identifier: Apache-2.0 */
/* Offline masks. Ahead of time every server but the last gets fresh seeds r and answers W r; online only the last one
 * is asked, with x minus what the seeds stand for, and the stored products are added.
 *
 * A row of the store is one vector: the seeds of all seed servers, then the sum of their products as 64-bit words. It
 * is burnt before the share leaves. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "kernel/kernel.h"
#include "service/split_client_internal.h"
#include "share/split.h"

#include <stdio.h>
#include <string.h>

#define FETCH_BATCH 128 /* seeds per request: the batch that the kernels like best */

static unsigned suite_of(const eis_split_client *client)
{
    return client->config.scheme.suite != 0 ? client->config.scheme.suite : EIS_SUITE_AES128;
}

static size_t seed_servers(const eis_split_client *client) { return client->config.scheme.servers - 1; }

static size_t body_bytes(const eis_split_client *client, uint32_t layer)
{
    return seed_servers(client) * eis_suite_seed_bytes(suite_of(client)) + client->layers[layer].layer.out_count * 8;
}

/* ---- the kind: masks are used with exactly the servers, in exactly the roles, that they were made for ---- */

typedef struct kind_pins {
    eis_mask_pin pins[EIS_MASK_SERVERS_MAX];
} kind_pins;

/* Fills the kind of a layer. Returns false where a server has never been seen, or there are too many for the store. */
static bool fill_kind(eis_mask_kind *kind, kind_pins *pins, const eis_split_client *client, uint32_t layer)
{
    size_t count = client->config.scheme.servers;

    if (count > EIS_MASK_SERVERS_MAX) return false;
    for (size_t i = 0; i < count; i++) {
        if (!client->links[i].has_pin) return false;
        memcpy(pins->pins[i].bytes, client->links[i].pin.bytes, EIS_MASK_PIN_BYTES);
    }
    *kind = (eis_mask_kind){.layer = layer,
                            .profile = (uint8_t)client->info->profile,
                            .ring_bits = (uint8_t)client->layers[layer].layer.ring,
                            .suite = (uint8_t)suite_of(client),
                            .seed_pins = pins->pins,
                            .seed_pin_count = count - 1,
                            .use_pins = pins->pins + count - 1,
                            .use_pin_count = 1};
    memcpy(kind->pack_digest, client->info->pack_digest, sizeof kind->pack_digest);
    return true;
}

eis_status eis_split_masks_open(eis_split_client *client)
{
    if (client->masks != NULL) return EIS_OK;
    return eis_store_masks_open(&client->masks, client->config.mask_store_path, client->config.mask_key_path);
}

/* ---- fetching ---- */

/* One fetch: seeds for every seed server, and what they answer. */
typedef struct fetch {
    uint32_t layer;
    size_t count;    /* vectors */
    uint8_t *seeds;  /* [seed servers][count][seed bytes] */
    uint8_t *bodies; /* [count][body bytes] */
    uint64_t *sum;   /* [count][out_count] */
} fetch;

static const uint8_t *seeds_of(const eis_split_client *client, const fetch *f, size_t server)
{
    return f->seeds + server * f->count * eis_suite_seed_bytes(suite_of(client));
}

/* Makes the share that one seed stands for. */
static eis_status seed_share(eis_share *share, const eis_split_client *client, uint32_t layer, uint32_t index,
                             const uint8_t *seed)
{
    const eis_split_layer *shape_of = &client->layers[layer].layer;
    eis_status st = EIS_OK;
    eis_vectors shape;

    EIS_TRY(eis_vectors_init(&shape, shape_of->ring, shape_of->form, shape_of->in_count, 1));
    EIS_TRY(eis_share_init_given(share, &shape, index, suite_of(client), seed, eis_suite_seed_bytes(suite_of(client))));
out:
    return st;
}

/* Draws every seed by a system call of its own. */
static eis_status draw_seeds(eis_split_client *client, fetch *f)
{
    const eis_split_layer *layer = &client->layers[f->layer].layer;
    size_t seed_bytes = eis_suite_seed_bytes(suite_of(client)), count = seed_servers(client) * f->count;
    eis_share share = {0};
    eis_vectors shape;
    eis_status st = EIS_OK;

    EIS_TRY(eis_vectors_init(&shape, layer->ring, layer->form, layer->in_count, 1));
    for (size_t i = 0; i < count; i++) {
        EIS_TRY(eis_share_init_seed(&share, &shape, (uint32_t)(i / f->count) + 1, suite_of(client)));
        memcpy(f->seeds + i * seed_bytes, share.seed, seed_bytes);
        EIS_TRY(eis_split_show(client, f->layer, &share, seed_bytes, NULL));
    }
out:
    eis_share_clear(&share);
    return st;
}

static eis_status ask_masks(eis_split_client *client, const eis_split_round *round, eis_split_link *link)
{
    const fetch *f = round->context;
    unsigned suite = suite_of(client);
    eis_frame_header header = {
        .type = EIS_SPLIT_MASKS, .layer = f->layer, .batch = (uint16_t)f->count, .suite = (uint8_t)suite};
    size_t seed_bytes = f->count * eis_suite_seed_bytes(suite);
    uint64_t before = link->bytes_up;
    eis_status st = EIS_OK;
    eis_writer payload;
    eis_span part;

    eis_wire_writer_init(&payload, seed_bytes + 16);
    eis_split_masks_write(&payload, seeds_of(client, f, link->index - 1), f->count, suite);
    EIS_TRY(eis_wire_writer_status(&payload));
    part = (eis_span){payload.data, payload.bytes};
    EIS_TRY(eis_split_link_ask(link, &header, &part, 1,
                               eis_split_layer_reply_bytes(&client->layers[f->layer].layer, f->count, 0),
                               round->deadline_ns));
    client->reports[f->layer].bytes_up += link->bytes_up - before;
out:
    eis_wire_writer_clear(&payload);
    return st;
}

/* Checks a server's products: a wrong one would be found only much later, and then nobody could be named. */
static eis_status check_products(eis_split_client *client, const fetch *f, eis_split_link *link)
{
    const eis_split_layer *layer = &client->layers[f->layer].layer;
    size_t seed_bytes = eis_suite_seed_bytes(suite_of(client));
    eis_share share = {0};
    eis_status st = EIS_OK;

    for (size_t v = 0; v < f->count && client->config.verifier != NULL; v++) {
        EIS_TRY(
            seed_share(&share, client, f->layer, link->index, seeds_of(client, f, link->index - 1) + v * seed_bytes));
        EIS_TRY(eis_split_verify(client->config.verifier, f->layer, layer, link->words + v * layer->out_count, &share));
    }
out:
    eis_share_clear(&share);
    return st == EIS_ERR_INTEGRITY ? eis_split_catch(client, link, f->layer) : st;
}

static eis_status add_products(eis_split_client *client, fetch *f)
{
    const eis_split_layer *layer = &client->layers[f->layer].layer;
    size_t words = f->count * layer->out_count;
    eis_status st = EIS_OK;

    for (size_t i = 0; i < seed_servers(client); i++) {
        EIS_TRY(check_products(client, f, &client->links[i]));
        eis_kernels_get()->words_add(f->sum, f->sum, client->links[i].words, words, layer->ring);
    }
out:
    return st;
}

static eis_status store(eis_split_client *client, const fetch *f)
{
    const eis_split_layer *layer = &client->layers[f->layer].layer;
    size_t seed_bytes = eis_suite_seed_bytes(suite_of(client)), each = body_bytes(client, f->layer);
    eis_span spans[FETCH_BATCH];
    eis_status st = EIS_OK;
    eis_mask_kind kind;
    kind_pins pins;

    EIS_REQUIRE(fill_kind(&kind, &pins, client, f->layer), EIS_ERR_LIMIT, "masks work with at most %d servers",
                EIS_MASK_SERVERS_MAX);
    for (size_t v = 0; v < f->count; v++) {
        uint8_t *at = f->bodies + v * each;
        spans[v] = (eis_span){at, each};
        for (size_t i = 0; i < seed_servers(client); i++, at += seed_bytes)
            memcpy(at, seeds_of(client, f, i) + v * seed_bytes, seed_bytes);
        for (size_t w = 0; w < layer->out_count; w++, at += 8) eis_store_le64(at, f->sum[v * layer->out_count + w]);
    }
    EIS_TRY(eis_store_masks_put(client->masks, &kind, spans, f->count));
    client->mask_layers[f->layer].counted = false;
out:
    return st;
}

static eis_status fetch_batch(eis_split_client *client, uint32_t layer, size_t count)
{
    size_t words = count * client->layers[layer].layer.out_count, each = body_bytes(client, layer);
    size_t seed_bytes = seed_servers(client) * count * eis_suite_seed_bytes(suite_of(client));
    fetch f = {.layer = layer, .count = count};
    eis_split_round round = {.layer = layer,
                             .batch = count,
                             .needed = seed_servers(client),
                             .ask = ask_masks,
                             .context = &f,
                             .deadline_ns = eis_split_call_deadline_ns(client)};
    eis_status st = EIS_OK;

    EIS_NEW(f.seeds, seed_bytes);
    EIS_NEW(f.bodies, count * each);
    EIS_NEW(f.sum, words);
    EIS_TRY(draw_seeds(client, &f));
    for (size_t i = 0; i < client->config.scheme.servers; i++) client->links[i].takes_part = i < seed_servers(client);
    EIS_TRY(eis_split_round_run(client, &round));
    EIS_TRY(add_products(client, &f));
    EIS_TRY(store(client, &f));
    client->reports[layer].round_trips++;
out:
    eis_split_round_forget(client, &round);
    eis_mem_free_wiped(f.seeds, seed_bytes, 1);
    eis_mem_free_wiped(f.bodies, count * each, 1);
    eis_mem_free_wiped(f.sum, words, sizeof *f.sum);
    return st;
}

/* How many seeds fit a request, by what is answered to them. */
static size_t fetch_max(const eis_split_client *client, uint32_t layer)
{
    size_t most = eis_split_batch_max(client, layer);

    return most < FETCH_BATCH ? most : FETCH_BATCH;
}

eis_status eis_split_client_prefetch(eis_split_client *client, size_t count,
                                     void (*progress)(void *context, double fraction), void *context)
{
    uint32_t layers = client->model->linear_count;
    eis_status st = EIS_OK;

    EIS_REQUIRE(client->config.scheme.threshold == 0, EIS_ERR_USAGE,
                "masks need all servers, so they do not go together with a threshold");
    EIS_TRY(eis_split_masks_open(client));
    for (uint32_t layer = 0; layer < layers; layer++) {
        uint64_t start_ns = eis_clock_ns();
        for (size_t done = 0, now; done < count; done += now) {
            now = count - done < fetch_max(client, layer) ? count - done : fetch_max(client, layer);
            EIS_TRY(fetch_batch(client, layer, now));
        }
        client->reports[layer].nanoseconds += eis_clock_ns() - start_ns;
        if (progress != NULL) progress(context, (layer + 1.0) / layers);
    }
out:
    return st;
}

/* ---- using ---- */

/* Counts the masks of a layer, once; later the client counts itself, since the store is its own. */
static uint64_t masks_left(eis_split_client *client, uint32_t layer, const eis_mask_kind *kind)
{
    eis_split_mask_layer *mask = &client->mask_layers[layer];
    size_t count = 0;

    if (!mask->counted) {
        mask->left = eis_store_masks_count(client->masks, &count, kind) == EIS_OK ? count : 0;
        mask->counted = true;
    }
    return mask->left;
}

/* Burns one mask per vector and makes the share of the last server from them; the stored products go to `stored`. */
static eis_status take_masks(eis_split_client *client, uint64_t *stored, uint32_t layer_index, size_t batch,
                             const eis_mask_kind *kind)
{
    const eis_split_layer *layer = &client->layers[layer_index].layer;
    size_t each = body_bytes(client, layer_index), servers = seed_servers(client);
    size_t seed_bytes = eis_suite_seed_bytes(suite_of(client));
    eis_share *target = &client->shares[servers];
    uint8_t *body = NULL;
    eis_vectors shape;
    eis_status st = EIS_OK;

    EIS_NEW(body, each);
    EIS_TRY(eis_vectors_init(&shape, layer->ring, layer->form, layer->in_count, batch));
    EIS_TRY(eis_share_init_words(target, &shape, (uint32_t)servers + 1));
    for (size_t v = 0; v < batch; v++) {
        const uint8_t *product = body + servers * seed_bytes;
        st = eis_store_masks_take(client->masks, body, each, kind);
        if (st != EIS_OK) client->mask_layers[layer_index].counted = false; /* the store knows better */
        EIS_TRY(st);
        client->mask_layers[layer_index].left--;
        for (size_t i = 0; i < servers; i++)
            EIS_TRY(seed_share(&client->shares[i], client, layer_index, (uint32_t)i + 1, body + i * seed_bytes));
        EIS_TRY(eis_share_split_masked(&client->prg, target, v, client->input.words + v * layer->in_count,
                                       client->shares, servers));
        for (size_t w = 0; w < layer->out_count; w++) stored[v * layer->out_count + w] = eis_load_le64(product + 8 * w);
    }
out:
    eis_mem_free_wiped(body, each, 1);
    for (size_t i = 0; i < servers; i++) eis_share_wipe(&client->shares[i]);
    return st;
}

/* Sends the masked input to the one server that saw no seed, and adds the stored product to its answer. */
static eis_status run_masked(eis_split_client *client, uint32_t layer_index, double *y, const double *x, size_t batch,
                             const uint64_t *stored)
{
    const eis_split_client_layer *layer = &client->layers[layer_index];
    size_t last = seed_servers(client);
    eis_split_round round = {.layer = layer_index,
                             .batch = batch,
                             .truncated_bits = layer->truncated_bits,
                             .needed = 1,
                             .is_checked = true,
                             .ask = eis_split_ask_share,
                             .context = (void *)(uintptr_t)x,
                             .deadline_ns = eis_split_call_deadline_ns(client)};
    eis_status st = EIS_OK;

    for (size_t i = 0; i <= last; i++) client->links[i].takes_part = i == last;
    EIS_TRY(eis_split_round_run(client, &round));
    client->answers[0] = (eis_split_answer){client->links[last].index, client->links[last].words, round.truncated_bits};
    client->answers[1] = (eis_split_answer){0, stored, 0};
    EIS_TRY(eis_split_recover(y, NULL, client->answers, 2, &client->input, layer, &client->config.scheme));
    client->reports[layer_index].round_trips++;
    client->reports[layer_index].masked_calls++;
out:
    eis_split_round_forget(client, &round);
    return st;
}

/* Whether a failure leaves the usual way open: everything but proof of a cheat, an interruption and a lack of memory.
 */
static bool may_go_on(eis_status st)
{
    return st != EIS_ERR_INTEGRITY && st != EIS_ERR_INTERRUPTED && st != EIS_ERR_MEMORY && st != EIS_ERR_PROTOCOL;
}

eis_status eis_split_call_masked(eis_split_client *client, bool *done, uint32_t layer_index, double *y, const double *x,
                                 size_t batch)
{
    const eis_split_client_layer *layer = &client->layers[layer_index];
    size_t words = batch * layer->layer.out_count;
    uint64_t *stored = NULL;
    eis_status st = EIS_OK;
    eis_mask_kind kind;
    kind_pins pins;

    *done = false;
    if (client->masks == NULL || client->config.scheme.threshold > 0) return EIS_OK;
    if (!fill_kind(&kind, &pins, client, layer_index) || masks_left(client, layer_index, &kind) < batch) {
        client->mask_misses++;
        return EIS_OK;
    }
    EIS_NEW(stored, words);
    EIS_TRY(eis_split_encode(&client->input, layer, x, batch));
    EIS_TRY(take_masks(client, stored, layer_index, batch, &kind));
    EIS_TRY(run_masked(client, layer_index, y, x, batch, stored));
    *done = true;
out:
    eis_mem_free_wiped(stored, words, sizeof *stored);
    eis_split_wipe_call(client);
    if (st == EIS_OK || !may_go_on(st)) return st;
    /* The masks are burnt; fresh shares go the usual way. */
    eis_log(EIS_LOG_INFO, "mask", "%s", eis_error_detail());
    client->mask_misses++;
    return EIS_OK;
}
