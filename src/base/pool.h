/* SPDX-License-Identifier: Apache-2.0 */
/* A small thread pool for parallel loops inside one call.
 *
 * OpenMP's barriers cost 147 ms on the 49 small layers of one token on a busy machine where this pool cost 4 ms: its
 * workers spin a few microseconds and then sleep on a futex, and the caller takes chunks itself, so a worker
 * that is not scheduled holds nobody up. */
#ifndef EIS_BASE_POOL_H
#define EIS_BASE_POOL_H

#include "base/status.h"

#include <stddef.h>

typedef struct eis_pool eis_pool;

/* The body of a parallel loop: does chunks [first, last). Must not call eis_pool_run on the same pool. */
typedef void (*eis_pool_body)(void *arg, size_t first, size_t last);

/* Starts a pool of thread_count threads, the caller's own included (1 starts none; 0 means one per processor).
 *
 * Errors: EIS_ERR_MEMORY, EIS_ERR_LIMIT where threads cannot be started; *pool is then NULL. */
EIS_MUST_USE eis_status eis_pool_new(eis_pool **pool, unsigned thread_count);

/* Stops the workers and frees the pool. NULL is allowed. */
void eis_pool_free(eis_pool *pool);

/* Returns the number of threads, the caller included; 1 for NULL. */
unsigned eis_pool_threads(const eis_pool *pool);

/* Runs body over [0, count) in chunks of at most `grain` and returns when all are done.
 * A NULL pool runs everything on the caller. Several threads may call it at once; they take turns. */
void eis_pool_run(eis_pool *pool, size_t count, size_t grain, eis_pool_body body, void *arg);

#endif
