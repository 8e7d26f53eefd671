/* SPDX-License-Identifier: Apache-2.0 */
/* One Freivalds key per layer. A convolution is checked window by window: each is a product with the same weights. */
#include "engine/split/verify.h"

#include "base/mem.h"
#include "rand/prg.h"
#include "share/freivalds.h"

#include <string.h>

#define STRIP_ROWS 64

struct eis_split_verifier {
    eis_freivalds *keys; /* [layer_count] */
    uint32_t layer_count;
    eis_prg prg;
};

static eis_status stream_layer(eis_freivalds *keys, eis_prg *prg, const eis_packed *weights)
{
    eis_status st = EIS_OK;
    int32_t *strip = NULL;

    EIS_NEW(strip, STRIP_ROWS * weights->cols);
    EIS_TRY(eis_freivalds_init(keys, prg, weights->rows, weights->cols, 1));
    for (size_t row = 0; row < weights->rows; row += STRIP_ROWS) {
        size_t count = weights->rows - row < STRIP_ROWS ? weights->rows - row : STRIP_ROWS;
        eis_packed_read_rows(strip, weights, row, count);
        eis_freivalds_add_rows(keys, strip, count);
    }
out:
    eis_mem_free(strip);
    return st;
}

eis_status eis_split_verifier_new(eis_split_verifier **out_verifier, const eis_pack *pack,
                                  const uint8_t *expected_digest)
{
    eis_status st = EIS_OK;
    eis_split_verifier *verifier = NULL;

    *out_verifier = NULL;
    EIS_REQUIRE(eis_split_profile_get(pack->profile)->is_field, EIS_ERR_USAGE,
                "answers can be checked with profile f61 or f61-8");
    EIS_REQUIRE(memcmp(pack->digest, expected_digest, EIS_PACK_DIGEST_BYTES) == 0, EIS_ERR_DIGEST,
                "the pack to check against is not the one that the client part names");
    EIS_NEW(verifier, 1);
    verifier->layer_count = pack->layer_count;
    EIS_NEW(verifier->keys, pack->layer_count);
    for (uint32_t i = 0; i < pack->layer_count; i++)
        EIS_TRY(stream_layer(&verifier->keys[i], &verifier->prg, &pack->layers[i].weights));
    *out_verifier = verifier;
    verifier = NULL;
out:
    eis_split_verifier_free(verifier);
    return st;
}

void eis_split_verifier_free(eis_split_verifier *verifier)
{
    if (verifier == NULL) return;
    for (uint32_t i = 0; verifier->keys != NULL && i < verifier->layer_count; i++)
        eis_freivalds_clear(&verifier->keys[i]);
    eis_prg_clear(&verifier->prg);
    eis_mem_free(verifier->keys);
    eis_mem_free(verifier);
}

/* Checks each window of an image; `answer` is [channel][window]. */
static eis_status check_image(const eis_freivalds *keys, const eis_linear *linear, const uint64_t *answer,
                              const uint64_t *image, uint64_t *windows, uint64_t *column)
{
    eis_status st = EIS_OK;
    size_t count = (size_t)linear->out_height * linear->out_width;

    eis_split_windows(windows, linear, image);
    for (size_t w = 0; w < count; w++) {
        for (size_t c = 0; c < linear->out; c++) column[c] = answer[c * count + w];
        EIS_TRY(eis_freivalds_check(keys, column, windows + w * linear->in));
    }
out:
    return st;
}

eis_status eis_split_verify(eis_split_verifier *verifier, uint32_t layer_index, const eis_split_layer *layer,
                            const uint64_t *words, const eis_share *share)
{
    eis_status st = EIS_OK;
    const eis_linear *linear = layer->linear;
    size_t stride = eis_vectors_stride(&share->shape), bytes = eis_vectors_bytes(&share->shape);
    size_t window_words = (size_t)linear->out_height * linear->out_width * linear->in;
    uint8_t *vectors = NULL;
    uint64_t *vector = NULL, *windows = NULL, *column = NULL;

    EIS_ASSERT(layer_index < verifier->layer_count);
    EIS_NEW(vectors, bytes);
    EIS_NEW(vector, layer->in_count);
    EIS_NEW(windows, window_words);
    EIS_NEW(column, linear->out);
    EIS_TRY(eis_share_expand(&verifier->prg, vectors, share));
    for (size_t v = 0; v < share->shape.batch; v++) {
        const uint64_t *answer = words + v * layer->out_count;
        eis_share_words_read(vector, vectors + v * stride, &share->shape);
        if (linear->kind == EIS_LINEAR_CONV2D)
            EIS_TRY(check_image(&verifier->keys[layer_index], linear, answer, vector, windows, column));
        else
            EIS_TRY(eis_freivalds_check(&verifier->keys[layer_index], answer, vector));
    }
out:
    eis_mem_free_wiped(vectors, bytes, 1);
    eis_mem_free_wiped(vector, layer->in_count, sizeof *vector);
    eis_mem_free_wiped(windows, window_words, sizeof *windows);
    eis_mem_free_wiped(column, linear->out, sizeof *column);
    return st;
}
