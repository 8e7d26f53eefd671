/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/split/recover.h"

#include "base/mem.h"
#include "share/combine.h"
#include "share/shamir.h"
#include "share/split.h"

#include <string.h>

/* All k servers once each, or one that a masked input was for beside the stored product (index 0): any other set adds
 * up to something that looks like an answer. */
static eis_status check_summands(const eis_split_answer *answers, size_t count, size_t servers)
{
    bool masked = count == 2 && answers[1].index == 0;
    uint8_t seen[EIS_SHARE_COUNT_MAX + 1] = {0};
    eis_status st = EIS_OK;

    EIS_REQUIRE(servers <= EIS_SHARE_COUNT_MAX && (masked || count == servers), EIS_ERR_USAGE,
                "%zu answers where %zu are needed", count, servers);
    for (size_t i = 0; i < count; i++) {
        uint32_t index = answers[i].index;

        EIS_REQUIRE(index <= servers && (index > 0 || (masked && i == 1)), EIS_ERR_USAGE, "%u is no server's index",
                    (unsigned)index);
        EIS_REQUIRE(seen[index]++ == 0, EIS_ERR_USAGE, "server %u has answered twice", (unsigned)index);
    }
out:
    return st;
}

#define PIECE_WORDS ((size_t)512)

/* Adds what additive servers answered; *truncated_count is how many summands were cut. */
static eis_status add_answers(uint64_t *words, size_t *truncated_count, const eis_split_answer *answers, size_t count,
                              size_t servers, size_t word_count, eis_ring ring)
{
    eis_share_part parts[EIS_SHARE_COUNT_MAX];
    eis_status st = check_summands(answers, count, servers);

    if (st != EIS_OK) return st;
    *truncated_count = 0;
    for (size_t i = 0; i < count; i++) {
        parts[i].words = answers[i].words;
        parts[i].truncated_bits = answers[i].truncated_bits;
        *truncated_count += answers[i].truncated_bits > 0;
    }
    return eis_share_combine(words, parts, count, word_count, ring);
}

/* Interpolates; answers beyond the threshold are checked against the first ones. */
static eis_status interpolate(uint64_t *words, uint32_t *cheat, const eis_split_answer *answers, size_t count,
                              size_t threshold, size_t word_count)
{
    eis_status st = EIS_OK;
    eis_shamir_answer points[EIS_SHAMIR_SERVERS_MAX];

    EIS_REQUIRE(count >= threshold && count <= EIS_SHAMIR_SERVERS_MAX, EIS_ERR_USAGE,
                "%zu answers where %zu are needed", count, threshold);
    for (size_t i = 0; i < count; i++) {
        points[i].point = answers[i].index;
        points[i].words = answers[i].words;
    }
    if (count > threshold) EIS_TRY(eis_shamir_agree(cheat, points, count, threshold, word_count));
    EIS_TRY(eis_shamir_recover(words, points, threshold, word_count));
out:
    return st;
}

/* Scales one vector: a row scale per output, for a convolution one per channel. */
static void scale_vector(double *y, const uint64_t *words, const eis_split_client_layer *client, int bits,
                         unsigned truncated_bits, size_t truncated_count)
{
    const eis_split_layer *layer = &client->layer;
    const eis_linear *linear = layer->linear;
    size_t pixels = layer->out_count / linear->out;

    if (pixels == 1) {
        eis_fixed_to_reals(y, words, client->row_scales, linear->out, bits, layer->ring, truncated_bits,
                           truncated_count);
        return;
    }
    for (size_t c = 0; c < linear->out; c++) {
        eis_fixed_to_reals(y + c * pixels, words + c * pixels, NULL, pixels, bits, layer->ring, truncated_bits,
                           truncated_count);
        for (size_t i = 0; i < pixels; i++) y[c * pixels + i] *= client->row_scales[c];
    }
}

/* Additive answers to one vector of a dense layer, summed and scaled in pieces that stay in the first cache, without
 * memory for the whole sum. The answers' words are moved on. */
static eis_status add_and_scale(double *y, eis_split_answer *answers, size_t count,
                                const eis_split_client_layer *client, int bits, size_t servers)
{
    eis_status st = EIS_OK;
    size_t truncated_count = 0, n;
    uint64_t sum[PIECE_WORDS];

    for (size_t row = 0; row < client->layer.out_count; row += n) {
        size_t left = client->layer.out_count - row;

        n = left < PIECE_WORDS ? left : PIECE_WORDS;
        EIS_TRY(add_answers(sum, &truncated_count, answers, count, servers, n, client->layer.ring));
        eis_fixed_to_reals(y + row, sum, client->row_scales + row, n, bits, client->layer.ring,
                           truncated_count > 0 ? client->truncated_bits : 0, truncated_count);
        for (size_t i = 0; i < count; i++) answers[i].words += n;
    }
out:
    eis_mem_wipe(sum, sizeof sum);
    return st;
}

static eis_status recover_dense(double *y, const eis_split_answer *answers, size_t count, const eis_split_input *input,
                                const eis_split_client_layer *client, size_t servers)
{
    eis_status st = EIS_OK;
    eis_split_answer parts[EIS_SHARE_COUNT_MAX];

    EIS_REQUIRE(count <= EIS_SHARE_COUNT_MAX, EIS_ERR_USAGE, "too many answers");
    memcpy(parts, answers, count * sizeof *answers);
    for (size_t v = 0; v < input->batch; v++)
        EIS_TRY(add_and_scale(y + v * client->layer.out_count, parts, count, client, input->bits[v], servers));
out:
    if (st != EIS_OK) eis_mem_wipe(y, input->batch * client->layer.out_count * sizeof *y);
    return st;
}

eis_status eis_split_recover(double *y, uint32_t *cheat, const eis_split_answer *answers, size_t count,
                             const eis_split_input *input, const eis_split_client_layer *client,
                             const eis_split_scheme *scheme)
{
    eis_status st = EIS_OK;
    const eis_split_layer *layer = &client->layer;
    size_t word_count = input->batch * layer->out_count, truncated_count = 0;
    unsigned truncated_bits = client->truncated_bits;
    uint64_t *words = NULL;
    uint32_t nobody;

    if (cheat == NULL) cheat = &nobody;
    *cheat = 0;
    if (scheme->threshold == 0 && layer->linear->kind == EIS_LINEAR_DENSE)
        return recover_dense(y, answers, count, input, client, scheme->servers);
    EIS_NEW(words, word_count);
    if (scheme->threshold > 0)
        EIS_TRY(interpolate(words, cheat, answers, count, scheme->threshold, word_count));
    else
        EIS_TRY(add_answers(words, &truncated_count, answers, count, scheme->servers, word_count, layer->ring));
    for (size_t v = 0; v < input->batch; v++)
        scale_vector(y + v * layer->out_count, words + v * layer->out_count, client, input->bits[v],
                     truncated_count > 0 ? truncated_bits : 0, truncated_count);
out:
    eis_mem_free_wiped(words, word_count, sizeof *words);
    if (st != EIS_OK) eis_mem_wipe(y, word_count * sizeof *y);
    return st;
}
