/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/split/words.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "ring/word.h"
#include "wire/split_messages.h"

#include <string.h>

eis_status eis_split_layer_init(eis_split_layer *layer, const eis_linear *linear, eis_split_profile profile,
                                unsigned planes)
{
    const eis_split_profile_info *info = eis_split_profile_get(profile);

    if (info == NULL || eis_split_ring_bits(profile, planes) == 0)
        return eis_fail(EIS_ERR_SHAPE, "layer %s: %u byte planes do not go with this profile", linear->name, planes);
    layer->linear = linear;
    layer->profile = profile;
    layer->planes = planes;
    layer->ring = eis_split_profile_ring(profile, planes);
    layer->geometry = info->geometry;
    layer->form = eis_vectors_form(layer->ring, layer->geometry);
    layer->in_count = eis_linear_input_count(linear);
    layer->out_count = eis_linear_output_count(linear);
    return EIS_OK;
}

size_t eis_split_layer_request_bytes(const eis_split_layer *layer, size_t batch)
{
    size_t bytes = 0;
    eis_status st = eis_split_words_bytes(&bytes, layer->profile, layer->planes, layer->in_count, batch);

    EIS_ASSERT(st == EIS_OK);
    return bytes;
}

size_t eis_split_layer_reply_bytes(const eis_split_layer *layer, size_t batch, unsigned truncated_bits)
{
    size_t bytes = 0;
    eis_status st =
        eis_split_result_bytes(&bytes, layer->profile, layer->planes, layer->out_count, batch, truncated_bits);

    EIS_ASSERT(st == EIS_OK);
    return bytes;
}

/* Words as `width` little-endian bytes each. The loop over bytes has a constant length in every case that is hot. */
static void write_words(uint8_t *bytes, const uint64_t *words, size_t n, unsigned width)
{
    if (width == 4)
        for (size_t i = 0; i < n; i++) eis_store_le32(bytes + 4 * i, (uint32_t)words[i]);
    else if (width == 8)
        for (size_t i = 0; i < n; i++) eis_store_le64(bytes + 8 * i, words[i]);
    else
        for (size_t i = 0; i < n; i++)
            for (unsigned b = 0; b < width; b++) bytes[i * width + b] = (uint8_t)(words[i] >> (8 * b));
}

static void read_words(uint64_t *words, const uint8_t *bytes, size_t n, unsigned width)
{
    if (width == 4)
        for (size_t i = 0; i < n; i++) words[i] = eis_load_le32(bytes + 4 * i);
    else if (width == 8)
        for (size_t i = 0; i < n; i++) words[i] = eis_load_le64(bytes + 8 * i);
    else
        for (size_t i = 0; i < n; i++) {
            words[i] = 0;
            for (unsigned b = 0; b < width; b++) words[i] |= (uint64_t)bytes[i * width + b] << (8 * b);
        }
}

static eis_vectors shape_of(const eis_split_layer *layer, size_t batch)
{
    eis_vectors shape;
    eis_status st = eis_vectors_init(&shape, layer->ring, layer->form, layer->in_count, batch);

    EIS_ASSERT(st == EIS_OK);
    return shape;
}

void eis_split_request_write(uint8_t *bytes, const void *vectors, const eis_split_layer *layer, size_t batch)
{
    const eis_vectors shape = shape_of(layer, batch);
    size_t each = eis_split_layer_request_bytes(layer, 1), stride = eis_vectors_stride(&shape);

    for (size_t v = 0; v < batch; v++) {
        const uint8_t *vector = (const uint8_t *)vectors + v * stride;
        if (shape.form == EIS_FORM_PLANES)
            memcpy(bytes + v * each, vector, each);
        else if (layer->ring == EIS_RING_Z52)
            eis_kernels_get()->bytes_from_words52(bytes + v * each, (const uint64_t *)(const void *)vector, shape.n);
        else
            write_words(bytes + v * each, (const uint64_t *)(const void *)vector, shape.n, 8);
    }
}

eis_status eis_split_request_read(void *vectors, const uint8_t *bytes, const eis_split_layer *layer, size_t batch)
{
    const eis_vectors shape = shape_of(layer, batch);
    size_t each = eis_split_layer_request_bytes(layer, 1), stride = eis_vectors_stride(&shape);
    eis_status st = eis_split_words_check(bytes, layer->profile, layer->in_count, batch, 0);

    for (size_t v = 0; v < batch && st == EIS_OK; v++) {
        uint8_t *vector = (uint8_t *)vectors + v * stride;
        if (shape.form == EIS_FORM_PLANES)
            memcpy(vector, bytes + v * each, each);
        else if (layer->ring == EIS_RING_Z52)
            eis_kernels_get()->words52_from_bytes((uint64_t *)(void *)vector, bytes + v * each, shape.n);
        else
            read_words((uint64_t *)(void *)vector, bytes + v * each, shape.n, 8);
        eis_vectors_clear_padding(vector, &shape);
    }
    if (st != EIS_OK) eis_mem_wipe(vectors, eis_vectors_bytes(&shape));
    return st;
}

/* Bytes of one word of a reply; Z52 in full packs pairs and is handled apart. */
static unsigned reply_width(const eis_split_layer *layer, unsigned truncated_bits)
{
    return truncated_bits > 0 ? 4 : eis_ring_planes(layer->ring);
}

void eis_split_reply_write(uint8_t *bytes, const uint64_t *words, const eis_split_layer *layer, size_t batch,
                           unsigned truncated_bits)
{
    size_t each = eis_split_layer_reply_bytes(layer, 1, truncated_bits), count = layer->out_count;

    for (size_t v = 0; v < batch; v++) {
        if (truncated_bits > 0)
            for (size_t i = 0; i < count; i++)
                eis_store_le32(bytes + v * each + 4 * i, (uint32_t)(words[v * count + i] >> truncated_bits));
        else if (layer->ring == EIS_RING_Z52)
            eis_kernels_get()->bytes_from_words52(bytes + v * each, words + v * count, count);
        else
            write_words(bytes + v * each, words + v * count, count, reply_width(layer, 0));
    }
}

eis_status eis_split_reply_read(uint64_t *words, const uint8_t *bytes, const eis_split_layer *layer, size_t batch,
                                unsigned truncated_bits)
{
    size_t each = eis_split_layer_reply_bytes(layer, 1, truncated_bits), count = layer->out_count;
    eis_status st = eis_split_words_check(bytes, layer->profile, count, batch, truncated_bits);

    if (st != EIS_OK) {
        eis_mem_wipe(words, batch * count * sizeof *words);
        return st;
    }
    for (size_t v = 0; v < batch; v++) {
        if (truncated_bits == 0 && layer->ring == EIS_RING_Z52)
            eis_kernels_get()->words52_from_bytes(words + v * count, bytes + v * each, count);
        else
            read_words(words + v * count, bytes + v * each, count, reply_width(layer, truncated_bits));
    }
    return EIS_OK;
}

/* One row of a window: kernel_width words at image row y, column x, with zeros where they fall outside. */
static void copy_window_row(uint64_t *out, const eis_linear *linear, const uint64_t *plane, int64_t y, int64_t x)
{
    for (uint32_t k = 0; k < linear->kernel_width; k++, x++) {
        bool inside = y >= 0 && y < linear->height && x >= 0 && x < linear->width;
        out[k] = inside ? plane[(size_t)y * linear->width + (size_t)x] : 0;
    }
}

void eis_split_windows(uint64_t *windows, const eis_linear *linear, const uint64_t *image)
{
    size_t plane_words = (size_t)linear->height * linear->width;

    for (uint32_t oy = 0; oy < linear->out_height; oy++)
        for (uint32_t ox = 0; ox < linear->out_width; ox++)
            for (uint32_t c = 0; c < linear->channels; c++)
                for (uint32_t ky = 0; ky < linear->kernel_height; ky++) {
                    int64_t y = (int64_t)oy * linear->stride_y + ky - linear->pad_y;
                    int64_t x = (int64_t)ox * linear->stride_x - linear->pad_x;
                    copy_window_row(windows, linear, image + c * plane_words, y, x);
                    windows += linear->kernel_width;
                }
}
