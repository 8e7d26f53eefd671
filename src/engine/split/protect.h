/* SPDX-License-Identifier: Apache-2.0 */
/* The client's first half: reals -> integer words -> one share per server, ready for the wire. */
#ifndef EIS_ENGINE_SPLIT_PROTECT_H
#define EIS_ENGINE_SPLIT_PROTECT_H

#include "base/status.h"
#include "encode/fixed.h"
#include "engine/split/words.h"
#include "share/share.h"

#include <stddef.h>
#include <stdint.h>

/* A layer at the client: shape, ring and the certain bound. */
typedef struct eis_split_client_layer {
    eis_split_layer layer;
    eis_fixed_bound bound;    /* for full replies, or for truncated ones where truncated_bits is set */
    unsigned truncated_bits;  /* that this session asks for in this layer */
    const double *row_scales; /* [out], not owned */
} eis_split_client_layer;

/* Fixes a layer for a session: ring from planes, bound from R. With truncate, replies of rings above 32 bits are cut to
 * 32 bits by servers_in_sum of the summands.
 *
 * Errors: EIS_ERR_MODEL, EIS_ERR_SHAPE as eis_fixed_bound_init and eis_split_layer_init. */
EIS_MUST_USE eis_status eis_split_client_layer_init(eis_split_client_layer *client, const eis_linear *linear,
                                                    eis_split_profile profile, unsigned planes, double row_norm,
                                                    const double *row_scales, bool truncate, size_t servers_in_sum);

/* A batch of inputs as integers. Valid when zeroed; keeps its memory. */
typedef struct eis_split_input {
    uint64_t *words; /* [batch][in_count], canonical, no padding */
    int *bits;       /* [batch]: fraction bits of each vector; secret */
    size_t batch, words_capacity, bits_capacity;
} eis_split_input;

/* Encodes a batch: each vector with the most fraction bits that cannot wrap.
 *
 * Shape:   x[batch][in_count], every entry finite and below EIS_FIXED_ENTRY_MAX (the caller has sanitised it).
 * Secret:  x and input. Constant time.
 * Errors:  EIS_ERR_SHAPE, EIS_ERR_MEMORY; input is wiped. */
EIS_MUST_USE eis_status eis_split_encode(eis_split_input *input, const eis_split_client_layer *client, const double *x,
                                         size_t batch);

/* Wipes and frees. Safe on zeroed input. */
void eis_split_input_clear(eis_split_input *input);

/* How shares are made and who must answer. */
typedef struct eis_split_scheme {
    size_t servers;   /* k or n, at least 2 */
    size_t threshold; /* 0: additive, all must answer; else t of n, with a field profile */
    unsigned suite;   /* that expands seeds; 0 = AES-128 */
} eis_split_scheme;

/* Checks a scheme for a profile. Errors: EIS_ERR_USAGE  with what to do: fewer than 2 servers, t < 2 or t > n,
 * a threshold with p24 or p8. */
EIS_MUST_USE eis_status eis_split_scheme_check(const eis_split_scheme *scheme, eis_split_profile profile);

/* Makes one share per server with fresh randomness; shares[i] is for server i + 1 and no other.
 *
 * Errors: those of eis_share_split and eis_shamir_split; all shares are wiped. */
EIS_MUST_USE eis_status eis_split_protect(eis_share *shares, eis_prg *prg, const eis_split_input *input,
                                          const eis_split_client_layer *client, const eis_split_scheme *scheme);

/* Returns the bytes that carry a share: a seed, or the request's words. */
size_t eis_split_share_bytes(const eis_share *share, const eis_split_client_layer *client);

/* Writes what travels. Shape: bytes[eis_split_share_bytes]. */
void eis_split_share_write(uint8_t *bytes, const eis_share *share, const eis_split_client_layer *client);

#endif
