/* SPDX-License-Identifier: Apache-2.0 */
/* The readable executor of language models, and the plain backend: the model's own weights, float64 sums.
 *
 * Together they are `--engine plain`, the oracle of every engine. With another backend the same executor is
 * the client's half of a private engine: then its input and everything it computes are secret, so nothing in it
 * branches on a value; only ids at the embedding lookup index memory, on the client's own machine. */
#ifndef EIS_MODEL_PLAIN_H
#define EIS_MODEL_PLAIN_H

#include "base/pool.h"
#include "base/status.h"
#include "model/graph.h"

#include <stddef.h>
#include <stdint.h>

/* One text in progress: the KV cache and work space. Not for two threads at once. */
typedef struct eis_lm_session eis_lm_session;

/* Starts a text of at most max_positions tokens, prompt included (0 = the model's context).
 *
 * Cost:    2 * layers * kv_heads * head_size * max_positions doubles of memory.
 * Errors:  EIS_ERR_CONTEXT_LENGTH  more than the model's context; EIS_ERR_MEMORY. *session is then NULL.
 *          A classifier is a broken contract (asserted). */
EIS_MUST_USE eis_status eis_lm_session_new(eis_lm_session **session, const eis_model *model, uint32_t max_positions);

/* Wipes and frees. NULL is allowed. */
void eis_lm_session_free(eis_lm_session *session);

/* Forgets the text and starts at position 0 again; the cache is wiped. */
void eis_lm_session_reset(eis_lm_session *session);

/* Lets attention use a pool, which must outlive the session; NULL (the default) is the caller's thread alone.
 * The numbers stay the same. */
void eis_lm_session_use_pool(eis_lm_session *session, eis_pool *pool);

/* Returns how many tokens have been fed. */
uint32_t eis_lm_session_position(const eis_lm_session *session);

/* Feeds tokens as one batch per linear node and gives the logits that follow the last of them. The head is asked for
 * the last token only.
 *
 * Shape:   ids[count], count > 0; logits[vocabulary], or NULL to leave the head out (then 4 * layers nodes).
 * Secret:  ids, logits. No branch and no address depends on the activations.
 * Cost:    4 * layers + 1 calls of the backend, in the order of the nodes.
 * Errors:  EIS_ERR_CONTEXT_LENGTH  the tokens do not fit; nothing was fed.
 *          EIS_ERR_RANGE           an id outside the vocabulary (its place is named): nothing was fed; or an
 *                                  activation was not finite: it was taken as 0, all nodes were asked as always,
 *                                  and the tokens count as fed.
 *          EIS_ERR_MEMORY, and what the backend returns: the tokens do not count as fed.
 *          logits are wiped on every error after the first node, else untouched. */
EIS_MUST_USE eis_status eis_lm_feed(eis_lm_session *session, double *logits, const eis_linear_backend *backend,
                                    const uint32_t *ids, size_t count);

/* Multiplies by the model's own weights. */
typedef struct eis_plain_backend eis_plain_backend;

/* Makes a plain backend; `pool` (may be NULL: one thread) and `model` must outlive it.
 *
 * Errors:  EIS_ERR_MODEL  a client part holds no weights; EIS_ERR_MEMORY. *backend is then NULL. */
EIS_MUST_USE eis_status eis_plain_backend_new(eis_plain_backend **backend, const eis_model *model, eis_pool *pool);

/* Frees. NULL is allowed. */
void eis_plain_backend_free(eis_plain_backend *backend);

/* Returns the seam to this backend; valid as long as it. */
eis_linear_backend eis_plain_backend_seam(eis_plain_backend *backend);

#endif
