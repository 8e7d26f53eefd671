/* SPDX-License-Identifier: Apache-2.0 */
/* include/eis/split.h: the four stages on one dense layer, with byte strings between client and servers.
 *
 *   share     suite u32 | batch u32 | words, or the seed that the suite expands
 *   answer    words
 *
 * Words are those of the stream (docs/wire/split.md); numbers are little-endian. */
#define _GNU_SOURCE
#include "eis/split.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "base/status.h"
#include "engine/split/eval.h"
#include "engine/split/pack.h"
#include "engine/split/prepare.h"
#include "engine/split/protect.h"
#include "engine/split/recover.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_BYTES        ((size_t)8)
#define SERVERS_MAX       64
#define BATCH_MAX         65535 /* as in a frame of the stream */
#define REQUEST_BYTES_MAX ((size_t)64 << 20)
#define PLANES_P8         8 /* no input was measured, so nothing narrower is safe */

struct eis_split_linear {
    eis_model *model; /* of one node without weights */
    eis_split_layers layers;
    eis_pack *pack;
    eis_split_scheme scheme;
    eis_split_client_layer client;
};

struct eis_split_query {
    const eis_split_linear *linear;
    eis_split_input input;
    uint8_t **messages;        /* [servers]: what goes to each */
    size_t *message_bytes;     /* [servers] */
    uint64_t *words;           /* [servers][batch * rows]: what each answered */
    eis_split_answer *answers; /* [answer_count] */
    size_t answer_count;
};

struct eis_split_worker {
    eis_pack *pack;
    eis_split_evaluator *evaluator;
};

/* ---- prepare ---- */

static eis_status choose_scheme(eis_split_scheme *scheme, eis_split_profile *profile,
                                const eis_split_linear_options *options)
{
    eis_status st = EIS_OK;

    *scheme = (eis_split_scheme){.servers = options->servers, .threshold = options->threshold};
    *profile = options->threshold > 0 ? EIS_SPLIT_F61_20 : EIS_SPLIT_P24;
    if (options->profile != NULL) EIS_TRY(eis_split_profile_parse(profile, options->profile));
    EIS_REQUIRE(options->servers <= SERVERS_MAX && options->threshold <= SERVERS_MAX, EIS_ERR_USAGE,
                "at most %d servers", SERVERS_MAX);
    if (scheme->servers == 0) scheme->servers = scheme->threshold > 0 ? scheme->threshold + 1 : 2;
    EIS_TRY(eis_split_scheme_check(scheme, *profile));
out:
    return st;
}

/* A model of one dense node, which is what prepare and pack work on. */
static eis_status make_model(eis_model **model, const float *weights, size_t rows, size_t columns)
{
    eis_status st = EIS_OK;
    eis_linear *node;

    EIS_REQUIRE(rows > 0 && columns > 0 && rows <= INT32_MAX && columns <= INT32_MAX, EIS_ERR_SHAPE,
                "a layer of %zu x %zu is empty or too large", rows, columns);
    EIS_TRY(eis_model_new(model, EIS_MODEL_CLASSIFIER));
    node = eis_model_add_linear(*model);
    if (node == NULL) return EIS_ERR_MEMORY;
    *node = (eis_linear){
        .name = "layer", .kind = EIS_LINEAR_DENSE, .out = (uint32_t)rows, .in = (uint32_t)columns, .piece_count = 1};
    node->pieces[0] = eis_tensor_view_rows(weights, EIS_DTYPE_F32, (uint32_t)rows, (uint32_t)columns);
out:
    return st;
}

eis_status eis_split_linear_new(eis_split_linear **out_linear, const float *weights, size_t rows, size_t columns,
                                const eis_split_linear_options *options)
{
    static const eis_split_linear_options defaults;
    eis_status st = EIS_OK;
    eis_split_linear *linear = NULL;
    eis_split_profile profile = EIS_SPLIT_P24;
    int fd = -1;

    *out_linear = NULL;
    EIS_NEW(linear, 1);
    EIS_TRY(choose_scheme(&linear->scheme, &profile, options != NULL ? options : &defaults));
    EIS_TRY(make_model(&linear->model, weights, rows, columns));
    EIS_TRY(eis_split_prepare_in_memory(&linear->layers, &fd, linear->model,
                                        &(eis_split_prepare_options){.profile = profile}));
    linear->model->linears[0].piece_count = 0; /* the caller's weights may go now */
    EIS_TRY(eis_pack_open_fd(&linear->pack, fd, "prepared pack", false));
    EIS_ASSERT(profile != EIS_SPLIT_P8 || linear->layers.layers[0].planes == PLANES_P8);
    EIS_TRY(eis_split_client_layer_init(&linear->client, &linear->model->linears[0], profile,
                                        linear->layers.layers[0].planes, linear->layers.layers[0].row_norm,
                                        linear->layers.layers[0].row_scales, false, linear->scheme.servers));
    *out_linear = linear;
    linear = NULL;
out:
    if (fd >= 0) close(fd);
    eis_split_linear_free(linear);
    return st;
}

void eis_split_linear_free(eis_split_linear *linear)
{
    if (linear == NULL) return;
    eis_pack_free(linear->pack);
    eis_split_layers_clear(&linear->layers);
    eis_model_free(linear->model);
    eis_mem_free(linear);
}

void eis_split_linear_pack(const eis_split_linear *linear, const uint8_t **pack, size_t *bytes)
{
    *pack = linear->pack->file.data;
    *bytes = linear->pack->file.bytes;
}

/* ---- protect ---- */

/* Sizes are checked before anything is made of them. */
static eis_status check_batch(const eis_split_layer *layer, size_t batch)
{
    eis_status st = EIS_OK;
    size_t bytes;

    EIS_REQUIRE(batch > 0 && batch <= BATCH_MAX, EIS_ERR_SHAPE, "a batch has 1 to %d vectors", BATCH_MAX);
    EIS_TRY(eis_split_words_bytes(&bytes, (unsigned)layer->profile, layer->planes, layer->in_count, batch));
    EIS_REQUIRE(bytes <= REQUEST_BYTES_MAX, EIS_ERR_SHAPE, "a batch of %zu vectors is too large for one request",
                batch);
    EIS_TRY(eis_split_result_bytes(&bytes, (unsigned)layer->profile, layer->planes, layer->out_count, batch, 0));
out:
    return st;
}

static eis_status write_message(eis_split_query *query, size_t server, const eis_share *share, size_t batch)
{
    const eis_split_client_layer *client = &query->linear->client;
    size_t bytes = HEAD_BYTES + eis_split_share_bytes(share, client);
    uint8_t *message = eis_mem_new_secret(bytes, 1);

    if (message == NULL) return EIS_ERR_MEMORY;
    eis_store_le32(message, share->suite);
    eis_store_le32(message + 4, (uint32_t)batch);
    eis_split_share_write(message + HEAD_BYTES, share, client);
    query->messages[server] = message;
    query->message_bytes[server] = bytes;
    return EIS_OK;
}

static eis_status make_shares(eis_split_query *query, size_t batch)
{
    eis_status st = EIS_OK;
    const eis_split_linear *linear = query->linear;
    eis_share shares[SERVERS_MAX] = {0};
    eis_prg prg = {0};

    EIS_TRY(eis_split_protect(shares, &prg, &query->input, &linear->client, &linear->scheme));
    for (size_t s = 0; s < linear->scheme.servers; s++) EIS_TRY(write_message(query, s, &shares[s], batch));
out:
    for (size_t s = 0; s < linear->scheme.servers; s++) eis_share_clear(&shares[s]);
    eis_prg_clear(&prg);
    return st;
}

eis_status eis_split_linear_protect(const eis_split_linear *linear, eis_split_query **out_query, const double *x,
                                    size_t batch)
{
    eis_status st = EIS_OK;
    const eis_split_layer *layer = &linear->client.layer;
    size_t servers = linear->scheme.servers;
    eis_split_query *query = NULL;

    *out_query = NULL;
    EIS_TRY(check_batch(layer, batch));
    EIS_REQUIRE(eis_fixed_input_ok(x, batch * layer->in_count), EIS_ERR_RANGE, "the input is not finite, or too large");
    EIS_NEW(query, 1);
    query->linear = linear;
    EIS_NEW(query->messages, servers);
    EIS_NEW(query->message_bytes, servers);
    EIS_NEW(query->answers, servers);
    EIS_NEW(query->words, servers * batch * layer->out_count);
    EIS_TRY(eis_split_encode(&query->input, &linear->client, x, batch));
    EIS_TRY(make_shares(query, batch));
    *out_query = query;
    query = NULL;
out:
    eis_split_query_free(query);
    return st;
}

eis_status eis_split_query_share(const eis_split_query *query, const uint8_t **share, size_t *bytes, size_t server)
{
    size_t servers = query->linear->scheme.servers;

    if (server < 1 || server > servers)
        return eis_fail(EIS_ERR_USAGE, "there is no server %zu; they count from 1 to %zu", server, servers);
    *share = query->messages[server - 1];
    *bytes = query->message_bytes[server - 1];
    return EIS_OK;
}

void eis_split_query_free(eis_split_query *query)
{
    size_t servers, words;

    if (query == NULL) return;
    servers = query->linear->scheme.servers;
    words = servers * query->input.batch * query->linear->client.layer.out_count;
    for (size_t s = 0; query->messages != NULL && query->message_bytes != NULL && s < servers; s++)
        eis_mem_free_wiped(query->messages[s], query->message_bytes[s], 1);
    eis_mem_free_wiped(query->words, words, sizeof *query->words);
    eis_split_input_clear(&query->input);
    eis_mem_free(query->messages);
    eis_mem_free(query->message_bytes);
    eis_mem_free(query->answers);
    eis_mem_free(query);
}

/* ---- recover ---- */

eis_status eis_split_query_add(eis_split_query *query, size_t server, const uint8_t *answer, size_t bytes)
{
    eis_status st = EIS_OK;
    const eis_split_layer *layer = &query->linear->client.layer;
    size_t servers = query->linear->scheme.servers, batch = query->input.batch;
    uint64_t *words;

    EIS_REQUIRE(server >= 1 && server <= servers, EIS_ERR_USAGE, "there is no server %zu; they count from 1 to %zu",
                server, servers);
    for (size_t i = 0; i < query->answer_count; i++)
        EIS_REQUIRE(query->answers[i].index != server, EIS_ERR_USAGE, "server %zu has answered already", server);
    EIS_REQUIRE(bytes == eis_split_layer_reply_bytes(layer, batch, 0), EIS_ERR_PROTOCOL,
                "server %zu answered with %zu bytes, not %zu", server, bytes,
                eis_split_layer_reply_bytes(layer, batch, 0));
    words = query->words + (server - 1) * batch * layer->out_count;
    EIS_TRY(eis_split_reply_read(words, answer, layer, batch, 0));
    query->answers[query->answer_count++] = (eis_split_answer){.index = (uint32_t)server, .words = words};
out:
    return st;
}

eis_status eis_split_query_recover(const eis_split_query *query, double *y)
{
    const eis_split_linear *linear = query->linear;
    size_t needed = linear->scheme.threshold > 0 ? linear->scheme.threshold : linear->scheme.servers;

    if (query->answer_count < needed) {
        eis_mem_wipe(y, query->input.batch * linear->client.layer.out_count * sizeof *y);
        return eis_fail(EIS_ERR_USAGE, "%zu servers have answered; %zu must", query->answer_count, needed);
    }
    return eis_split_recover(y, NULL, query->answers, query->answer_count, &query->input, &linear->client,
                             &linear->scheme);
}

/* ---- eval ---- */

/* A copy that nobody can change while it is mapped. */
static eis_status copy_to_memory(int *fd, const uint8_t *data, size_t bytes)
{
    eis_status st = EIS_OK;

    *fd = memfd_create("eis-pack", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    EIS_REQUIRE(*fd >= 0 && fchmod(*fd, 0600) == 0, EIS_ERR_FILE, "cannot make an anonymous file: %s", strerror(errno));
    while (bytes > 0) {
        ssize_t wrote = write(*fd, data, bytes);
        if (wrote < 0 && errno == EINTR) continue;
        EIS_REQUIRE(wrote > 0, EIS_ERR_FILE, "cannot fill an anonymous file: %s", strerror(errno));
        data += wrote;
        bytes -= (size_t)wrote;
    }
out:
    return st;
}

eis_status eis_split_worker_new(eis_split_worker **out_worker, const uint8_t *pack, size_t bytes)
{
    eis_status st = EIS_OK;
    eis_split_worker *worker = NULL;
    uint8_t planes;
    int fd = -1;

    *out_worker = NULL;
    EIS_NEW(worker, 1);
    EIS_TRY(copy_to_memory(&fd, pack, bytes));
    EIS_TRY(eis_pack_open_fd(&worker->pack, fd, "the given pack", true));
    EIS_REQUIRE(worker->pack->layer_count == 1, EIS_ERR_MODEL, "the pack has %u layers, not one",
                worker->pack->layer_count);
    planes = worker->pack->profile == EIS_SPLIT_P8 ? PLANES_P8 : 0;
    EIS_TRY(eis_split_evaluator_new(&worker->evaluator, worker->pack, &planes, 1, NULL, REQUEST_BYTES_MAX));
    *out_worker = worker;
    worker = NULL;
out:
    if (fd >= 0) close(fd);
    eis_split_worker_free(worker);
    return st;
}

eis_status eis_split_worker_eval(eis_split_worker *worker, const uint8_t **answer, size_t *answer_bytes,
                                 const uint8_t *share, size_t share_bytes)
{
    eis_status st = EIS_OK;
    eis_split_request request = {0};
    eis_span reply = {0};

    *answer = NULL;
    *answer_bytes = 0;
    EIS_REQUIRE(share_bytes >= HEAD_BYTES, EIS_ERR_PROTOCOL, "a share begins with a head of %zu bytes", HEAD_BYTES);
    request.suite = eis_load_le32(share);
    request.batch = eis_load_le32(share + 4);
    request.payload = (eis_span){share + HEAD_BYTES, share_bytes - HEAD_BYTES};
    EIS_REQUIRE(request.batch <= BATCH_MAX, EIS_ERR_PROTOCOL, "a batch has 1 to %d vectors", BATCH_MAX);
    EIS_TRY(eis_split_eval(worker->evaluator, &reply, &request));
    *answer = reply.data;
    *answer_bytes = reply.bytes;
out:
    return st;
}

void eis_split_worker_free(eis_split_worker *worker)
{
    if (worker == NULL) return;
    eis_split_evaluator_free(worker->evaluator);
    eis_pack_free(worker->pack);
    eis_mem_free(worker);
}
