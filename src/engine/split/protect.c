/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/split/protect.h"

#include "base/bytes.h"
#include "base/ct.h"
#include "base/mem.h"
#include "share/shamir.h"
#include "share/split.h"

#include <string.h>

eis_status eis_split_client_layer_init(eis_split_client_layer *client, const eis_linear *linear,
                                       eis_split_profile profile, unsigned planes, double row_norm,
                                       const double *row_scales, bool truncate, size_t servers_in_sum)
{
    eis_status st = EIS_OK;
    eis_split_layer *layer = &client->layer;

    EIS_TRY(eis_split_layer_init(layer, linear, profile, planes));
    client->row_scales = row_scales;
    client->truncated_bits = 0;
    if (truncate && layer->ring != EIS_RING_F61 && (unsigned)layer->ring > 32)
        client->truncated_bits = (unsigned)layer->ring - 32;
    EIS_TRY(eis_fixed_bound_init(&client->bound, layer->ring, row_norm, linear->in, client->truncated_bits,
                                 servers_in_sum));
out:
    return st;
}

static eis_status reserve_input(eis_split_input *input, size_t words, size_t batch)
{
    eis_status st = EIS_OK;

    if (words > input->words_capacity) {
        EIS_TRY(eis_mem_resize(&input->words, input->words_capacity, words, sizeof *input->words));
        input->words_capacity = words;
    }
    if (batch > input->bits_capacity) {
        EIS_TRY(eis_mem_resize(&input->bits, input->bits_capacity, batch, sizeof *input->bits));
        input->bits_capacity = batch;
    }
    input->batch = batch;
out:
    return st;
}

/* Returns the larger of two numbers >= 0, which are ordered like their bits: compilers turn a comparison of doubles
 * into a branch when they please. */
static double larger(double a, double b)
{
    uint64_t x, y;

    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    x = eis_ct_select(eis_ct_mask_less(x, y), y, x);
    memcpy(&a, &x, sizeof a);
    return a;
}

/* The square of the largest norm among an image's windows. Which window is the largest is secret. */
static double largest_window_norm2(const eis_linear *linear, const double *image, double *window)
{
    double largest = 0;

    for (uint32_t y = 0; y < linear->out_height; y++)
        for (uint32_t x = 0; x < linear->out_width; x++) {
            eis_linear_window(window, linear, image, y, x);
            largest = larger(largest, eis_fixed_norm2(window, linear->in));
        }
    return largest;
}

/* The exact norm of what was encoded, in dev builds; not where secrets are marked, since it branches on them. */
#if defined(EIS_VERIFY_BUILD) && !defined(EIS_CT_BUILD)
static bool bound_holds(const eis_split_client_layer *client, const uint64_t *words)
{
    const eis_linear *linear = client->layer.linear;
    size_t count = (size_t)linear->out_height * linear->out_width;
    uint64_t *windows;
    bool holds = true;

    if (linear->kind != EIS_LINEAR_CONV2D)
        return eis_fixed_bound_holds_var(&client->bound, words, client->layer.in_count);
    windows = eis_mem_new(count * linear->in, sizeof *windows);
    if (windows == NULL) return true; /* out of memory is not a broken bound */
    eis_split_windows(windows, linear, words);
    for (size_t w = 0; w < count; w++)
        holds &= eis_fixed_bound_holds_var(&client->bound, windows + w * linear->in, linear->in);
    eis_mem_free_wiped(windows, count * linear->in, sizeof *windows);
    return holds;
}
#endif

eis_status eis_split_encode(eis_split_input *input, const eis_split_client_layer *client, const double *x, size_t batch)
{
    eis_status st = EIS_OK;
    const eis_split_layer *layer = &client->layer;
    const eis_linear *linear = layer->linear;
    double *window = NULL;
    size_t words;

    EIS_REQUIRE(batch > 0 && eis_size_mul(&words, batch, layer->in_count), EIS_ERR_SHAPE,
                "layer %s: an empty or too large batch", linear->name);
    EIS_TRY(reserve_input(input, words, batch));
    if (linear->kind == EIS_LINEAR_CONV2D) EIS_NEW(window, linear->in);
    for (size_t v = 0; v < batch; v++) {
        const double *vector = x + v * layer->in_count;
        double norm2 =
            window != NULL ? largest_window_norm2(linear, vector, window) : eis_fixed_norm2(vector, layer->in_count);
        input->bits[v] = eis_fixed_bits(&client->bound, norm2);
        eis_fixed_from_reals(input->words + v * layer->in_count, vector, layer->in_count, input->bits[v], layer->ring);
#if defined(EIS_VERIFY_BUILD) && !defined(EIS_CT_BUILD)
        EIS_VERIFY(bound_holds(client, input->words + v * layer->in_count));
#endif
    }
out:
    eis_mem_free_wiped(window, linear->in, sizeof *window);
    if (st != EIS_OK) eis_split_input_clear(input);
    return st;
}

void eis_split_input_clear(eis_split_input *input)
{
    eis_mem_free_wiped(input->words, input->words_capacity, sizeof *input->words);
    eis_mem_free_wiped(input->bits, input->bits_capacity, sizeof *input->bits);
    memset(input, 0, sizeof *input);
}

eis_status eis_split_scheme_check(const eis_split_scheme *scheme, eis_split_profile profile)
{
    const eis_split_profile_info *info = eis_split_profile_get(profile);

    if (info == NULL) return eis_fail(EIS_ERR_USAGE, "unknown profile");
    if (scheme->servers < 2)
        return eis_fail(EIS_ERR_USAGE, "at least 2 servers are needed: one share alone would be the input itself");
    if (scheme->threshold == 0)
        return scheme->servers <= EIS_SHARE_COUNT_MAX
                   ? EIS_OK
                   : eis_fail(EIS_ERR_USAGE, "at most %d servers", EIS_SHARE_COUNT_MAX);
    if (!info->is_field) return eis_fail(EIS_ERR_USAGE, "a threshold needs profile f61 (or f61-8), not %s", info->name);
    if (scheme->threshold < 2 || scheme->threshold > scheme->servers || scheme->servers > EIS_SHAMIR_SERVERS_MAX)
        return eis_fail(EIS_ERR_USAGE, "a threshold lies between 2 and the number of servers (here %zu, at most %d)",
                        scheme->servers, EIS_SHAMIR_SERVERS_MAX);
    return EIS_OK;
}

eis_status eis_split_protect(eis_share *shares, eis_prg *prg, const eis_split_input *input,
                             const eis_split_client_layer *client, const eis_split_scheme *scheme)
{
    eis_status st = EIS_OK;
    const eis_split_layer *layer = &client->layer;
    unsigned suite = scheme->suite == 0 ? EIS_SUITE_AES128 : scheme->suite;
    eis_vectors shape;

    EIS_TRY(eis_vectors_init(&shape, layer->ring, layer->form, layer->in_count, input->batch));
    if (scheme->threshold > 0)
        EIS_TRY(eis_shamir_split(prg, shares, scheme->servers, scheme->threshold, input->words, &shape, suite));
    else
        EIS_TRY(eis_share_split(prg, shares, scheme->servers, input->words, &shape, suite));
out:
    return st;
}

size_t eis_split_share_bytes(const eis_share *share, const eis_split_client_layer *client)
{
    if (share->suite != EIS_SUITE_WORDS) return eis_suite_seed_bytes(share->suite);
    return eis_split_layer_request_bytes(&client->layer, share->shape.batch);
}

void eis_split_share_write(uint8_t *bytes, const eis_share *share, const eis_split_client_layer *client)
{
    if (share->suite != EIS_SUITE_WORDS)
        memcpy(bytes, share->seed, eis_suite_seed_bytes(share->suite));
    else
        eis_split_request_write(bytes, share->body, &client->layer, share->shape.batch);
}
