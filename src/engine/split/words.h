/* SPDX-License-Identifier: Apache-2.0 */
/* Words on the wire <-> words in memory, for requests and replies, at both ends; and the windows of a convolution,
 * which are copied out of a share just as out of an image. The lengths are those of wire/split_messages.h. */
#ifndef EIS_ENGINE_SPLIT_WORDS_H
#define EIS_ENGINE_SPLIT_WORDS_H

#include "base/status.h"
#include "engine/split/profile.h"
#include "model/graph.h"
#include "rand/uniform.h"

#include <stddef.h>
#include <stdint.h>

/* One layer as both ends see it. Made by eis_split_layer_init. */
typedef struct eis_split_layer {
    const eis_linear *linear; /* not owned */
    eis_split_profile profile;
    unsigned planes; /* P8: 4..8, else 0 */
    eis_ring ring;
    eis_form form; /* of shares */
    eis_geometry geometry;
    size_t in_count, out_count; /* words of one input and one output vector (conv2d: of an image) */
} eis_split_layer;

/* Errors: EIS_ERR_SHAPE  planes do not go with the profile. */
EIS_MUST_USE eis_status eis_split_layer_init(eis_split_layer *layer, const eis_linear *linear,
                                             eis_split_profile profile, unsigned planes);

/* Returns the bytes of a request of `batch` vectors in words, and of its reply. The batch is at least 1 and both have
 * been checked against overflow by wire/split_messages.h (asserted). */
size_t eis_split_layer_request_bytes(const eis_split_layer *layer, size_t batch);
size_t eis_split_layer_reply_bytes(const eis_split_layer *layer, size_t batch, unsigned truncated_bits);

/* Writes kernel-ready vectors (rand/uniform.h) as a request's bytes, and reads them back, padding cleared.
 *
 * Shape:   bytes[eis_split_layer_request_bytes]; vectors[eis_vectors_bytes] for n = in_count.
 * Errors of read: EIS_ERR_PROTOCOL  a word is not canonical; vectors are wiped.
 * Secret:  both. */
void eis_split_request_write(uint8_t *bytes, const void *vectors, const eis_split_layer *layer, size_t batch);
EIS_MUST_USE eis_status eis_split_request_read(void *vectors, const uint8_t *bytes, const eis_split_layer *layer,
                                               size_t batch);

/* Writes the words of a reply, cut by t bits, and reads them back (low bits stay cut: words below 2^(ring - t)).
 *
 * Shape:   bytes[eis_split_layer_reply_bytes]; words[batch * out_count].
 * Errors of read: EIS_ERR_PROTOCOL  a word is not canonical; words are wiped. */
void eis_split_reply_write(uint8_t *bytes, const uint64_t *words, const eis_split_layer *layer, size_t batch,
                           unsigned truncated_bits);
EIS_MUST_USE eis_status eis_split_reply_read(uint64_t *words, const uint8_t *bytes, const eis_split_layer *layer,
                                             size_t batch, unsigned truncated_bits);

/* Copies every window of an image of words: im2col. Padding is 0 in every share.
 *
 * Shape:   windows[out_height * out_width][in], image[channels][height][width].
 * Secret:  the words; the pattern is public. */
void eis_split_windows(uint64_t *windows, const eis_linear *linear, const uint64_t *image);

#endif
