/* SPDX-License-Identifier: Apache-2.0 */
/* request bytes or seed -> vectors for the kernel -> W x -> reply bytes. A convolution's windows are copied out of the
 * share, image by image, and multiplied as one batch. */
#include "engine/split/eval.h"

#include "base/mem.h"
#include "engine/split/words.h"
#include "rand/prg.h"
#include "ring/z2k.h"
#include "share/share.h"

#include <string.h>

#define KEPT_BYTES_MAX ((size_t)3 << 19)

/* A block that grows, and whose used part is wiped after each request: the vocabulary head's answer is a hundred times
 * that of the layers around it. */
typedef struct block {
    void *data;
    size_t bytes, used;
} block;

struct eis_split_evaluator {
    const eis_pack *pack;
    eis_split_layer *layers; /* [pack->layer_count] */
    eis_pool *pool;
    eis_prg prg;
    eis_share share; /* a seed on its way to being expanded */
    size_t request_bytes_max;
    block vectors, image, windows, input, answer, reply;
};

static eis_status reserve(block *b, size_t bytes)
{
    void *fresh;

    if (bytes > b->used) b->used = bytes;
    if (bytes <= b->bytes) return EIS_OK;
    fresh = eis_mem_new(bytes, 1);
    if (fresh == NULL) {
        b->used = b->bytes;
        return EIS_ERR_MEMORY;
    }
    eis_mem_free_wiped(b->data, b->bytes, 1);
    b->data = fresh;
    b->bytes = bytes;
    return EIS_OK;
}

static void release(block *b)
{
    eis_mem_free_wiped(b->data, b->bytes, 1);
    memset(b, 0, sizeof *b);
}

eis_status eis_split_evaluator_new(eis_split_evaluator **out_evaluator, const eis_pack *pack, const uint8_t *planes,
                                   uint32_t layer_count, eis_pool *pool, size_t request_bytes_max)
{
    eis_status st = EIS_OK;
    eis_split_evaluator *evaluator = NULL;

    *out_evaluator = NULL;
    EIS_REQUIRE(layer_count == pack->layer_count, EIS_ERR_SHAPE, "the client names %u layers, the model has %u",
                layer_count, pack->layer_count);
    EIS_NEW(evaluator, 1);
    evaluator->pack = pack;
    evaluator->pool = pool;
    evaluator->request_bytes_max = request_bytes_max;
    EIS_NEW(evaluator->layers, layer_count);
    for (uint32_t i = 0; i < layer_count; i++)
        EIS_TRY(eis_split_layer_init(&evaluator->layers[i], &pack->layers[i].linear, pack->profile, planes[i]));
    *out_evaluator = evaluator;
    evaluator = NULL;
out:
    eis_split_evaluator_free(evaluator);
    return st;
}

void eis_split_evaluator_free(eis_split_evaluator *evaluator)
{
    if (evaluator == NULL) return;
    eis_prg_clear(&evaluator->prg);
    eis_share_clear(&evaluator->share);
    release(&evaluator->vectors);
    release(&evaluator->image);
    release(&evaluator->windows);
    release(&evaluator->input);
    release(&evaluator->answer);
    release(&evaluator->reply);
    eis_mem_free(evaluator->layers);
    eis_mem_free(evaluator);
}

void eis_split_evaluator_trim(eis_split_evaluator *evaluator)
{
    block *const blocks[] = {&evaluator->vectors, &evaluator->image,  &evaluator->windows,
                             &evaluator->input,   &evaluator->answer, &evaluator->reply};
    size_t kept = evaluator->share.capacity;

    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) kept += blocks[i]->bytes;
    if (kept <= KEPT_BYTES_MAX) return;
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) release(blocks[i]);
    eis_share_clear(&evaluator->share);
}

size_t eis_split_eval_reply_bytes(const eis_split_evaluator *evaluator, uint32_t layer_index, size_t batch,
                                  unsigned truncated_bits)
{
    size_t bytes;
    const eis_split_layer *layer;

    if (layer_index >= evaluator->pack->layer_count) return 0;
    layer = &evaluator->layers[layer_index];
    if (eis_split_result_bytes(&bytes, layer->profile, layer->planes, layer->out_count, batch, truncated_bits) !=
        EIS_OK)
        return 0;
    return bytes;
}

/* Expands the one seed of a batch, or one seed per vector. */
static eis_status expand_seeds(eis_split_evaluator *evaluator, const eis_vectors *shape,
                               const eis_split_request *request)
{
    eis_status st = EIS_OK;
    size_t seed_bytes = eis_suite_seed_bytes(request->suite), stride = eis_vectors_stride(shape);
    size_t seeds = request->single_seeds ? request->batch : 1;
    eis_vectors each = *shape;

    EIS_REQUIRE(seed_bytes > 0, EIS_ERR_UNSUPPORTED, "seed suite %u is not known here", request->suite);
    EIS_REQUIRE(request->payload.bytes == seeds * seed_bytes, EIS_ERR_SHAPE, "%zu bytes of seeds where %zu belong",
                request->payload.bytes, seeds * seed_bytes);
    if (request->single_seeds) each.batch = 1;
    for (size_t v = 0; v < seeds; v++) {
        EIS_TRY(eis_share_init_given(&evaluator->share, &each, 1, request->suite,
                                     request->payload.data + v * seed_bytes, seed_bytes));
        EIS_TRY(eis_share_expand(&evaluator->prg, (uint8_t *)evaluator->vectors.data + v * stride, &evaluator->share));
    }
out:
    eis_share_wipe(&evaluator->share);
    return st;
}

static eis_status load_vectors(eis_split_evaluator *evaluator, eis_vectors *shape, const eis_split_layer *layer,
                               const eis_split_request *request)
{
    eis_status st = EIS_OK;
    size_t wanted;

    EIS_TRY(eis_vectors_init(shape, layer->ring, layer->form, layer->in_count, request->batch));
    /* A seed of 32 bytes stands for a whole batch: what it makes us allocate is bounded like a request in words. */
    EIS_TRY(eis_split_words_bytes(&wanted, layer->profile, layer->planes, layer->in_count, request->batch));
    EIS_REQUIRE(wanted <= evaluator->request_bytes_max, EIS_ERR_TOO_LARGE, "a request of %zu bytes; the limit is %zu",
                wanted, evaluator->request_bytes_max);
    EIS_TRY(reserve(&evaluator->vectors, eis_vectors_bytes(shape)));
    if (request->suite != EIS_SUITE_WORDS) {
        EIS_TRY(expand_seeds(evaluator, shape, request));
    } else {
        EIS_REQUIRE(request->payload.bytes == wanted, EIS_ERR_SHAPE, "layer %s: %zu bytes of words where %zu belong",
                    layer->linear->name, request->payload.bytes, wanted);
        EIS_TRY(eis_split_request_read(evaluator->vectors.data, request->payload.data, layer, request->batch));
    }
out:
    return st;
}

/* Returns the vectors as the kernel wants them; 8-bit weights in the field take planes where shares are words. */
static eis_status kernel_input(const void **x, eis_split_evaluator *evaluator, const eis_vectors *shape,
                               const eis_packed *weights)
{
    eis_status st = EIS_OK;
    size_t each = eis_ring_input_bytes(weights, shape->ring), stride = eis_vectors_stride(shape);

    *x = evaluator->vectors.data;
    if (weights->geometry != EIS_GEOMETRY_W8 || shape->form == EIS_FORM_PLANES) return EIS_OK;
    EIS_TRY(reserve(&evaluator->input, each * shape->batch));
    for (size_t v = 0; v < shape->batch; v++)
        eis_ring_input_write((uint8_t *)evaluator->input.data + v * each, weights, shape->ring,
                             (const uint64_t *)((const uint8_t *)evaluator->vectors.data + v * stride));
    *x = evaluator->input.data;
out:
    return st;
}

static eis_status eval_dense(eis_split_evaluator *evaluator, uint64_t *y, const eis_packed *weights,
                             const eis_vectors *shape)
{
    eis_status st = EIS_OK;
    const void *x;

    EIS_TRY(kernel_input(&x, evaluator, shape, weights));
    EIS_TRY(eis_ring_matmul(evaluator->pool, y, weights, x, shape->batch, shape->ring));
out:
    return st;
}

/* [window][channel] -> [channel][window] */
static void transpose(uint64_t *out, const uint64_t *in, size_t windows, size_t channels)
{
    for (size_t c = 0; c < channels; c++)
        for (size_t w = 0; w < windows; w++) out[c * windows + w] = in[w * channels + c];
}

static eis_status eval_image(eis_split_evaluator *evaluator, uint64_t *y, const eis_split_layer *layer,
                             const eis_packed *weights, const eis_vectors *shape, const void *vector)
{
    eis_status st = EIS_OK;
    const eis_linear *linear = layer->linear;
    size_t windows = (size_t)linear->out_height * linear->out_width, each = eis_ring_input_bytes(weights, layer->ring);
    uint64_t *copied, *product;

    EIS_TRY(reserve(&evaluator->image, layer->in_count * 8));
    EIS_TRY(reserve(&evaluator->windows, windows * (linear->in > linear->out ? linear->in : linear->out) * 8));
    EIS_TRY(reserve(&evaluator->input, windows * each));
    copied = evaluator->windows.data;
    eis_share_words_read(evaluator->image.data, vector, shape);
    eis_split_windows(copied, linear, evaluator->image.data);
    for (size_t w = 0; w < windows; w++)
        eis_ring_input_write((uint8_t *)evaluator->input.data + w * each, weights, layer->ring,
                             copied + w * linear->in);
    product = evaluator->windows.data; /* the windows have been copied on */
    EIS_TRY(eis_ring_matmul(evaluator->pool, product, weights, evaluator->input.data, windows, layer->ring));
    transpose(y, product, windows, linear->out);
out:
    return st;
}

static eis_status eval_convolution(eis_split_evaluator *evaluator, uint64_t *y, const eis_split_layer *layer,
                                   const eis_packed *weights, const eis_vectors *shape)
{
    eis_status st = EIS_OK;
    size_t stride = eis_vectors_stride(shape);

    for (size_t v = 0; v < shape->batch; v++)
        EIS_TRY(eval_image(evaluator, y + v * layer->out_count, layer, weights, shape,
                           (const uint8_t *)evaluator->vectors.data + v * stride));
out:
    return st;
}

static eis_status multiply(eis_split_evaluator *evaluator, const eis_split_layer *layer, const eis_packed *weights,
                           const eis_split_request *request)
{
    eis_status st = EIS_OK;
    eis_vectors shape;

    EIS_TRY(load_vectors(evaluator, &shape, layer, request));
    EIS_TRY(reserve(&evaluator->answer, request->batch * layer->out_count * 8));
    if (layer->linear->kind == EIS_LINEAR_CONV2D)
        EIS_TRY(eval_convolution(evaluator, evaluator->answer.data, layer, weights, &shape));
    else
        EIS_TRY(eval_dense(evaluator, evaluator->answer.data, weights, &shape));
out:
    return st;
}

static void wipe_work(eis_split_evaluator *evaluator)
{
    block *const blocks[] = {&evaluator->vectors, &evaluator->image, &evaluator->windows, &evaluator->input,
                             &evaluator->answer};

    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        eis_mem_wipe(blocks[i]->data, blocks[i]->used);
        blocks[i]->used = 0;
    }
}

eis_status eis_split_eval(eis_split_evaluator *evaluator, eis_span *reply, const eis_split_request *request)
{
    eis_status st = EIS_OK;
    const eis_split_layer *layer;
    size_t reply_bytes;

    reply->data = NULL;
    reply->bytes = 0;
    EIS_REQUIRE(request->layer < evaluator->pack->layer_count, EIS_ERR_LAYER_NOT_FOUND,
                "there is no layer %u; the model has %u", request->layer, evaluator->pack->layer_count);
    layer = &evaluator->layers[request->layer];
    EIS_TRY(eis_split_result_bytes(&reply_bytes, layer->profile, layer->planes, layer->out_count, request->batch,
                                   request->truncated_bits));
    EIS_REQUIRE(reply_bytes <= evaluator->request_bytes_max, EIS_ERR_TOO_LARGE,
                "the reply would have %zu bytes; the limit is %zu", reply_bytes, evaluator->request_bytes_max);
    EIS_TRY(reserve(&evaluator->reply, reply_bytes));
    EIS_TRY(multiply(evaluator, layer, &evaluator->pack->layers[request->layer].weights, request));
    eis_split_reply_write(evaluator->reply.data, evaluator->answer.data, layer, request->batch,
                          request->truncated_bits);
    reply->data = evaluator->reply.data;
    reply->bytes = reply_bytes;
out:
    wipe_work(evaluator);
    return st;
}
