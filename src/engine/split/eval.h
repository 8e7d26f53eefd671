/* SPDX-License-Identifier: Apache-2.0 */
/* The server's half: a share times the weights. It sees one share of each request and nothing else. */
#ifndef EIS_ENGINE_SPLIT_EVAL_H
#define EIS_ENGINE_SPLIT_EVAL_H

#include "base/bytes.h"
#include "base/pool.h"
#include "base/status.h"
#include "engine/split/pack.h"

#include <stdint.h>

/* Work space of one connection; keeps its memory from request to request, wiped after each. One thread at a time. */
typedef struct eis_split_evaluator eis_split_evaluator;

/* Makes work space for a pack, with the planes of each layer as the client's HELLO fixed them (P8; else ignored).
 * pack and pool must outlive it; pool may be NULL. request_bytes_max bounds what one request may make it allocate.
 *
 * Errors:  EIS_ERR_SHAPE  another number of layers, or planes outside 4..8;  EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_split_evaluator_new(eis_split_evaluator **evaluator, const eis_pack *pack,
                                                const uint8_t *planes, uint32_t layer_count, eis_pool *pool,
                                                size_t request_bytes_max);

/* Wipes and frees. NULL is allowed. */
void eis_split_evaluator_free(eis_split_evaluator *evaluator);

/* Gives back what a large request made it keep: after it, at most 1.5 MiB stay. Replies are gone too. */
void eis_split_evaluator_trim(eis_split_evaluator *evaluator);

/* One request. */
typedef struct eis_split_request {
    uint32_t layer;
    size_t batch;            /* vectors; with `single_seeds` also the number of seeds */
    unsigned suite;          /* 0: payload is words; else one seed for the whole batch */
    bool single_seeds;       /* MASKS: one seed per vector */
    unsigned truncated_bits; /* of the reply */
    eis_span payload;
} eis_split_request;

/* Computes W times the share.
 *
 * Shape:   *reply is batch * m words as eis_split_reply_write makes them; it belongs to the evaluator and stays until
 *          the next call.
 * Secret:  payload and reply. Constant time in both.
 * Errors:  EIS_ERR_LAYER_NOT_FOUND, EIS_ERR_SHAPE (length), EIS_ERR_UNSUPPORTED (suite, truncation),
 *          EIS_ERR_PROTOCOL (words that are not canonical), EIS_ERR_TOO_LARGE, EIS_ERR_MEMORY. *reply is empty. */
EIS_MUST_USE eis_status eis_split_eval(eis_split_evaluator *evaluator, eis_span *reply,
                                       const eis_split_request *request);

/* Returns the bytes of the reply to a request of this batch, without computing it; 0 where the layer, batch or t is not
 * allowed or the sizes overflow. */
size_t eis_split_eval_reply_bytes(const eis_split_evaluator *evaluator, uint32_t layer, size_t batch,
                                  unsigned truncated_bits);

#endif
