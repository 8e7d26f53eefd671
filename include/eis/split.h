/* SPDX-License-Identifier: Apache-2.0 */
/* The split engine's four stages on one linear layer y = W x, as byte strings, for those who bring their own network.
 *
 *   prepare   W -> a pack for the servers, and what the client keeps   eis_split_linear_new, _pack
 *   protect   x -> one share per server                                eis_split_linear_protect, eis_split_query_share
 *   eval      a share -> an answer, at a server                        eis_split_worker_eval
 *   recover   the answers -> y, at the client                          eis_split_query_add, eis_split_query_recover
 *
 * Each share goes to its own server and nowhere else, over a channel that nobody else reads: whoever holds all of them
 * (with a threshold t: any t) holds x. Answers are secret likewise. Whole models over TLS: client.h and server.h. */
#ifndef EIS_SPLIT_H
#define EIS_SPLIT_H

#include "eis/export.h"
#include "eis/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The client's side of one layer, with the pack that was made for the servers. Immutable: any number of threads. */
typedef struct eis_split_linear eis_split_linear;

/* A server's side of one layer: the pack and work space. It can multiply, and recover nothing. */
typedef struct eis_split_worker eis_split_worker;

/* One batch at the client, from protecting to recovering. Used once. */
typedef struct eis_split_query eis_split_query;

/* How a layer is shared. All zero: two servers, p24. */
typedef struct eis_split_linear_options {
    const char *profile; /* "p24" (24-bit weights), "p8" (8-bit, fast), "f61" (20-bit, a field), "f61-8"; NULL: "p24",
                            with a threshold "f61" */
    size_t servers;      /* 2 to 64; 0: 2, or threshold + 1 */
    size_t threshold;    /* 0: every server must answer; else any so many are enough, with a profile of the f61 kind */
} eis_split_linear_options;

/* Turns float weights into the integers of a profile and packs them.
 *
 * Shape:   weights[rows][columns], row-major; they may go afterwards.
 * Cost:    reads every weight once; the pack takes 4 bytes per weight or less.
 * Errors:  EIS_ERR_SHAPE  no rows or columns, or more than the format holds;  EIS_ERR_MODEL  a weight is not finite;
 *          EIS_ERR_USAGE  profile, servers and threshold do not go together;  EIS_ERR_FILE, EIS_ERR_MEMORY. */
EIS_API EIS_MUST_USE eis_status eis_split_linear_new(eis_split_linear **linear, const float *weights, size_t rows,
                                                     size_t columns, const eis_split_linear_options *options);

/* Frees, after every query of it. NULL is allowed. */
EIS_API void eis_split_linear_free(eis_split_linear *linear);

/* Gives what every server needs, the same bytes for each: the packed weights. They live as long as the layer. */
EIS_API void eis_split_linear_pack(const eis_split_linear *linear, const uint8_t **pack, size_t *bytes);

/* Encodes a batch and makes one share per server with fresh randomness. The layer must outlive the query.
 *
 * Shape:   x[batch][columns].
 * Range:   finite, below 2^400. No input can wrap around: each vector gets its own scale from a certain bound.
 * Secret:  x. Constant time; the batch is public.
 * Errors:  EIS_ERR_RANGE, EIS_ERR_SHAPE (batch 0 or too large), EIS_ERR_ENTROPY, EIS_ERR_MEMORY. */
EIS_API EIS_MUST_USE eis_status eis_split_linear_protect(const eis_split_linear *linear, eis_split_query **query,
                                                         const double *x, size_t batch);

/* Gives what goes to one server, from 1: a head of eight bytes, then words, or a seed that stands for them. The bytes
 * belong to the query.
 *
 * Secret:  the bytes.
 * Errors:  EIS_ERR_USAGE  there is no such server. */
EIS_API EIS_MUST_USE eis_status eis_split_query_share(const eis_split_query *query, const uint8_t **share,
                                                      size_t *bytes, size_t server);

/* Takes one server's answer, from 1.
 *
 * Errors:  EIS_ERR_USAGE  there is no such server, or it has answered already;
 *          EIS_ERR_PROTOCOL  another length, or a word that is not canonical. The query is as before. */
EIS_API EIS_MUST_USE eis_status eis_split_query_add(eis_split_query *query, size_t server, const uint8_t *answer,
                                                    size_t bytes);

/* Puts the answers together.
 *
 * Shape:   y[batch][rows].
 * Secret:  y. Constant time.
 * Errors:  EIS_ERR_USAGE  too few servers have answered;  EIS_ERR_INTEGRITY  more answers than the threshold, and they
 *          contradict each other;  EIS_ERR_MEMORY. y is wiped. */
EIS_API EIS_MUST_USE eis_status eis_split_query_recover(const eis_split_query *query, double *y);

/* Wipes and frees. NULL is allowed. */
EIS_API void eis_split_query_free(eis_split_query *query);

/* Opens a pack of one layer at a server; the bytes may go afterwards. Every one of them is checked, and damage is
 * found by its digest.
 *
 * Errors:  EIS_ERR_MODEL, EIS_ERR_VERSION, EIS_ERR_DIGEST  damaged, or a pack of several layers;  EIS_ERR_FILE,
 *          EIS_ERR_MEMORY. */
EIS_API EIS_MUST_USE eis_status eis_split_worker_new(eis_split_worker **worker, const uint8_t *pack, size_t bytes);

/* Multiplies one share. The answer belongs to the worker and stays until its next call.
 *
 * Secret:  share and answer. Constant time in both.
 * Errors:  EIS_ERR_SHAPE, EIS_ERR_PROTOCOL, EIS_ERR_UNSUPPORTED  no share of this layer;  EIS_ERR_TOO_LARGE,
 *          EIS_ERR_MEMORY. *answer is then NULL. */
EIS_API EIS_MUST_USE eis_status eis_split_worker_eval(eis_split_worker *worker, const uint8_t **answer,
                                                      size_t *answer_bytes, const uint8_t *share, size_t share_bytes);

/* Wipes and frees. NULL is allowed. */
EIS_API void eis_split_worker_free(eis_split_worker *worker);

#ifdef __cplusplus
}
#endif
#endif
