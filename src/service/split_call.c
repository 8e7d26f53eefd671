/* SPDX-License-Identifier: Apache-2.0 */
/* One layer, one chunk: encode, protect, a round, recover. A failed attempt is repeated with fresh shares for all. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/split_client_internal.h"

#include <string.h>

#define NS_PER_MS          1000000u
#define TIMEOUT_MS_DEFAULT 30000u

/* Larger batches go in several requests, so that a server holds no more than this beside its weights. */
#define CHUNK_BYTES_MAX ((uint64_t)16 << 20)

/* ---- batches ---- */

#define LARGEST_CLASS 128
const uint16_t eis_split_batch_classes[EIS_SPLIT_BATCH_CLASSES] = {1, 8, 32, LARGEST_CLASS};

size_t eis_split_batch_class(const eis_split_client *client, size_t batch)
{
    if (!client->config.pad_batches) return batch;
    for (size_t i = 0; i < EIS_SPLIT_BATCH_CLASSES; i++)
        if (batch <= eis_split_batch_classes[i]) return eis_split_batch_classes[i];
    return eis_round_up(batch, LARGEST_CLASS);
}

size_t eis_split_batch_max(const eis_split_client *client, uint32_t layer_index)
{
    const eis_split_layer *layer = &client->layers[layer_index].layer;
    uint64_t limit = client->frame_bytes_max < CHUNK_BYTES_MAX ? client->frame_bytes_max : CHUNK_BYTES_MAX;
    uint64_t up = eis_split_layer_request_bytes(layer, 1), down = eis_split_layer_reply_bytes(layer, 1, 0);
    uint64_t batch = limit / (up > down ? up : down);

    if (batch > UINT16_MAX) batch = UINT16_MAX;
    if (batch < 1) batch = 1; /* the servers have agreed to at least one vector of every layer */
    if (!client->config.pad_batches) return (size_t)batch;
    if (batch >= LARGEST_CLASS) return (size_t)(batch / LARGEST_CLASS * LARGEST_CLASS);
    for (size_t i = EIS_SPLIT_BATCH_CLASSES; i-- > 0;)
        if (eis_split_batch_classes[i] <= batch) return eis_split_batch_classes[i];
    return 1;
}

/* ---- showing and sending ---- */

eis_status eis_split_show(eis_split_client *client, uint32_t layer, const eis_share *share, size_t payload_bytes,
                          const double *x)
{
    eis_status st = EIS_OK;
    size_t bytes = eis_vectors_bytes(&share->shape), stride = eis_vectors_stride(&share->shape);
    size_t count = share->shape.batch * share->shape.n;
    eis_split_sight sight = {.server = share->index,
                             .layer = layer,
                             .payload_bytes = payload_bytes,
                             .is_seed = share->suite != EIS_SUITE_WORDS,
                             .ring = share->shape.ring,
                             .reals = x,
                             .word_count = count};
    uint8_t *vectors = NULL;
    uint64_t *words = NULL;

    if (client->config.sight == NULL) return EIS_OK;
    EIS_NEW(vectors, bytes);
    EIS_NEW(words, count);
    EIS_TRY(eis_share_expand(&client->prg, vectors, share));
    for (size_t v = 0; v < share->shape.batch; v++)
        eis_share_words_read(words + v * share->shape.n, vectors + v * stride, &share->shape);
    sight.words = words;
    client->config.sight(client->config.sight_context, &sight);
out:
    eis_mem_free_wiped(vectors, bytes, 1);
    eis_mem_free_wiped(words, count, sizeof *words);
    return st;
}

static eis_status reserve_frame(eis_split_client *client, size_t bytes)
{
    uint8_t *fresh;

    if (client->frame_capacity >= bytes) return EIS_OK;
    fresh = eis_mem_new_secret(bytes, 1);
    if (fresh == NULL) return EIS_ERR_MEMORY;
    eis_mem_free_wiped(client->frame, client->frame_capacity, 1);
    client->frame = fresh;
    client->frame_capacity = bytes;
    return EIS_OK;
}

/* Finds the bytes of a share in words where its memory is the wire format already: byte planes, and 64-bit words of the
 * field on a little-endian machine. Returns the number of parts, 0 where it must be packed. */
static size_t parts_in_place(eis_span *parts, const eis_share *share)
{
    const eis_vectors *shape = &share->shape;
    size_t used = eis_vectors_used(shape), stride = eis_vectors_stride(shape);

    if (shape->ring == EIS_RING_Z52 || shape->batch > EIS_STREAM_PARTS_MAX) return 0;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    if (shape->form == EIS_FORM_WORDS) return 0;
#endif
    for (size_t v = 0; v < shape->batch; v++) parts[v] = (eis_span){share->body + v * stride, used};
    return shape->batch;
}

eis_status eis_split_send_share(eis_split_client *client, const eis_split_round *round, eis_split_link *link,
                                const eis_share *share)
{
    const eis_split_client_layer *layer = &client->layers[round->layer];
    eis_frame_header header = {.layer = round->layer,
                               .batch = (uint16_t)round->batch,
                               .truncated_bits = (uint8_t)round->truncated_bits,
                               .suite = (uint8_t)share->suite};
    uint64_t before = link->bytes_up;
    eis_span parts[EIS_STREAM_PARTS_MAX];
    size_t part_count = 0, bytes = eis_split_share_bytes(share, layer);
    eis_status st = EIS_OK;

    header.type = share->suite == EIS_SUITE_WORDS ? EIS_SPLIT_EVAL_WORDS : EIS_SPLIT_EVAL_SEED;
    if (share->suite == EIS_SUITE_WORDS) part_count = parts_in_place(parts, share);
    if (part_count == 0) {
        EIS_TRY(reserve_frame(client, bytes));
        eis_split_share_write(client->frame, share, layer);
        parts[0] = (eis_span){client->frame, bytes};
        part_count = 1;
    }
    EIS_TRY(eis_split_link_ask(link, &header, parts, part_count,
                               eis_split_layer_reply_bytes(&layer->layer, round->batch, round->truncated_bits),
                               round->deadline_ns));
    client->reports[round->layer].bytes_up += link->bytes_up - before;
out:
    if (part_count > 0 && parts[0].data == client->frame) eis_mem_wipe(client->frame, bytes);
    return st;
}

eis_status eis_split_catch(eis_split_client *client, eis_split_link *link, uint32_t layer)
{
    eis_status st = eis_fail(EIS_ERR_INTEGRITY,
                             "%s gave a wrong answer for layer %s: it does not multiply by the weights "
                             "that it announced",
                             link->name, client->layers[layer].layer.linear->name);

    link->caught = true;
    eis_log(EIS_LOG_WARN, "cheat", "%s", eis_error_detail());
    eis_split_link_drop(link, st);
    return st;
}

/* ---- one attempt ---- */

eis_status eis_split_ask_share(eis_split_client *client, const eis_split_round *round, eis_split_link *link)
{
    const eis_share *share = &client->shares[link->index - 1];
    eis_status st = EIS_OK;

    EIS_TRY(eis_split_show(client, round->layer, share, eis_split_share_bytes(share, &client->layers[round->layer]),
                           round->context));
    EIS_TRY(eis_split_send_share(client, round, link, share));
out:
    return st;
}

static size_t servers_needed(const eis_split_client *client)
{
    const eis_split_scheme *scheme = &client->config.scheme;

    return scheme->threshold > 0 ? scheme->threshold : scheme->servers;
}

/* Lists the answers: all of them without a threshold; with one, and no check of each, those beyond it show a lone
 * cheat. */
static size_t list_answers(eis_split_client *client, const eis_split_round *round)
{
    bool spares_tell = client->config.verifier == NULL;
    size_t count = 0;

    for (size_t i = 0; i < client->config.scheme.servers; i++) {
        const eis_split_link *link = &client->links[i];
        if (!link->answered || (count == round->needed && !spares_tell)) continue;
        client->answers[count++] = (eis_split_answer){link->index, link->words, round->truncated_bits};
    }
    return count;
}

static eis_status combine(eis_split_client *client, const eis_split_round *round, double *y)
{
    uint32_t cheat = 0;
    size_t count = list_answers(client, round);
    eis_status st = eis_split_recover(y, &cheat, client->answers, count, &client->input, &client->layers[round->layer],
                                      &client->config.scheme);

    if (st != EIS_ERR_INTEGRITY) return st;
    if (cheat > 0) return eis_split_catch(client, &client->links[cheat - 1], round->layer);
    return eis_fail(st, "layer %s: the servers' answers do not agree, and without --verify nobody can be named",
                    client->layers[round->layer].layer.linear->name);
}

void eis_split_wipe_call(eis_split_client *client)
{
    for (size_t i = 0; i < client->config.scheme.servers; i++) eis_share_wipe(&client->shares[i]);
    eis_mem_wipe(client->input.words, client->input.words_capacity * sizeof *client->input.words);
    eis_mem_wipe(client->input.bits, client->input.bits_capacity * sizeof *client->input.bits);
}

static eis_status attempt(eis_split_client *client, eis_split_round *round, double *y, const double *x)
{
    const eis_split_client_layer *layer = &client->layers[round->layer];
    eis_status st = EIS_OK;

    EIS_TRY(eis_split_encode(&client->input, layer, x, round->batch));
    EIS_TRY(eis_split_protect(client->shares, &client->prg, &client->input, layer, &client->config.scheme));
    for (size_t i = 0; i < client->config.scheme.servers; i++) client->links[i].takes_part = true;
    EIS_TRY(eis_split_round_run(client, round));
    EIS_TRY(combine(client, round, y));
out:
    if (st != EIS_OK && round->failure == EIS_OK && round->answered >= round->needed) round->may_retry = false;
    eis_split_round_forget(client, round);
    eis_split_wipe_call(client);
    return st;
}

/* Says why too few servers are there: in the words of the first that is missing. */
static eis_status fail_unconnected(const eis_split_client *client)
{
    for (size_t i = 0; i < client->config.scheme.servers; i++) {
        const eis_split_link *link = &client->links[i];
        if (link->stream == NULL && link->last_error != EIS_OK) return eis_fail(link->last_error, "%s", link->detail);
    }
    return eis_fail(EIS_ERR_UNAVAILABLE, "too few servers are connected");
}

uint64_t eis_split_call_deadline_ns(const eis_split_client *client)
{
    uint32_t timeout_ms = client->config.timeout_ms != 0 ? client->config.timeout_ms : TIMEOUT_MS_DEFAULT;

    return eis_clock_ns() + (uint64_t)timeout_ms * NS_PER_MS;
}

eis_status eis_split_call(eis_split_client *client, uint32_t layer, double *y, const double *x, size_t batch)
{
    eis_status st = EIS_OK;

    for (unsigned tries = 0;; tries++) {
        eis_split_round round = {.layer = layer,
                                 .batch = batch,
                                 .truncated_bits = client->layers[layer].truncated_bits,
                                 .needed = servers_needed(client),
                                 .is_checked = true,
                                 .ask = eis_split_ask_share,
                                 .context = (void *)(uintptr_t)x,
                                 .deadline_ns = eis_split_call_deadline_ns(client)};
        /* A retry looks for everybody again; a first attempt only where it could not succeed otherwise. */
        if (eis_split_connected(client) < (tries > 0 ? client->config.scheme.servers : round.needed))
            EIS_TRY(eis_split_connect(client));
        round.may_retry = eis_split_connected(client) < round.needed;
        st = round.may_retry ? fail_unconnected(client) : attempt(client, &round, y, x);
        client->reports[layer].round_trips += round.answered > 0;
        if (st == EIS_OK || st == EIS_ERR_MEMORY || !round.may_retry || tries >= client->config.retries) goto out;
        if (eis_net_cancel_raised(client->config.cancel)) goto out;
    }
out:
    return st;
}
