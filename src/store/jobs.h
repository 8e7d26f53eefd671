/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs of a server and their results, in memory or in a file that survives a crash.
 *
 * A job moves forward only: queued, running, completed or failed; what it ended as never changes. Each change is one
 * transaction, on the disk when the call returns. Inputs are never here: a job that a crash has cut off cannot be run
 * again from what is stored, and ends as failed, retryable.
 *
 * A client may name a request by an idempotency key. The same key with the same digest is the same job; where that job
 * has failed and may be tried again, one new job is made under the key, and what that ends as stands.
 *
 * Many threads may use one store. */
#ifndef EIS_STORE_JOBS_H
#define EIS_STORE_JOBS_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EIS_JOB_ID_BYTES      33 /* 32 hex digits and a zero */
#define EIS_JOB_TENANT_BYTES  65
#define EIS_JOB_KEY_BYTES     129
#define EIS_JOB_MODEL_BYTES   65
#define EIS_JOB_VERSION_BYTES 33
#define EIS_JOB_MESSAGE_BYTES 256
#define EIS_JOB_DIGEST_BYTES  32
#define EIS_JOB_RESULTS_MAX   65536

typedef struct eis_job_store eis_job_store;

typedef enum eis_job_state {
    EIS_JOB_QUEUED = 1,
    EIS_JOB_RUNNING = 2,
    EIS_JOB_COMPLETED = 3,
    EIS_JOB_FAILED = 4
} eis_job_state;

typedef struct eis_job_store_config {
    const char *path;   /* NULL: in memory */
    int64_t ttl_ms;     /* a finished job is forgotten so long after its end; 0: 10 minutes */
    uint64_t bytes_max; /* of results, those that are expected included; 0: 1 GiB */
    size_t jobs_max;    /* that are remembered at once; 0: 100000 */
    /* Test hook: milliseconds since 1970. NULL: the clock. */
    int64_t (*now_ms)(void *context);
    void *now_context;
} eis_job_store_config;

/* Opens a store. Jobs of an earlier process that had not ended become failed, retryable.
 *
 * Errors:  EIS_ERR_STORE  cannot be opened, is in use, is damaged or no store of jobs; the text names it. It is never
 *                         made anew silently.
 *          EIS_ERR_MEMORY; *store is NULL. */
EIS_MUST_USE eis_status eis_store_jobs_open(eis_job_store **store, const eis_job_store_config *config);

/* Closes a store. NULL is allowed. */
void eis_store_jobs_close(eis_job_store *store);

/* A job to be. Texts are shorter than the sizes above (asserted). */
typedef struct eis_job_new {
    const char *id; /* random, 32 hex digits */
    const char *tenant, *model, *version;
    unsigned form; /* how its result is wanted; the caller's own number */
    uint64_t batch;
    uint64_t result_bytes; /* what the result will take */
    const char *key;       /* idempotency key; NULL: none */
    const uint8_t *digest; /* [EIS_JOB_DIGEST_BYTES] of the request, where there is a key */
} eis_job_new;

/* Looks a key up before its request is checked. *found says whether there is a job that answers the request: its id is
 * then in `id`. Where there is none, or one that may be run once more, *found is false.
 *
 * Errors:  EIS_ERR_KEY_REUSED  the key belongs to a request of another digest.  EIS_ERR_STORE. */
EIS_MUST_USE eis_status eis_store_jobs_find_key(bool *found, char id[EIS_JOB_ID_BYTES], eis_job_store *store,
                                                const char *tenant, const char *key,
                                                const uint8_t digest[EIS_JOB_DIGEST_BYTES]);

/* Adds a job with its key, queued. Where another thread was faster under the same key, *fresh is false and `id` is that
 * job's; the caller then does not run his.
 *
 * Errors:  EIS_ERR_KEY_REUSED; EIS_ERR_BUSY  the budget of bytes or jobs is spent; EIS_ERR_STORE. */
EIS_MUST_USE eis_status eis_store_jobs_add(bool *fresh, char id[EIS_JOB_ID_BYTES], eis_job_store *store,
                                           const eis_job_new *job);

/* queued -> running. Errors: EIS_ERR_JOB_NOT_FOUND  it is not queued; EIS_ERR_STORE. */
EIS_MUST_USE eis_status eis_store_jobs_start(eis_job_store *store, const char *id);

/* running -> completed, with its result in the same transaction. Where the disk refuses, the job becomes failed,
 * retryable, and the error is returned. Shape: result[count], 1 to EIS_JOB_RESULTS_MAX.
 *
 * Errors:  EIS_ERR_JOB_NOT_FOUND  it is not running; EIS_ERR_STORE. */
EIS_MUST_USE eis_status eis_store_jobs_complete(eis_job_store *store, const char *id, const eis_span *result,
                                                size_t count);

/* queued or running -> failed. A second job under one key is never retryable. The message is about sizes and names.
 * Where the disk refuses, readers are told all the same, until the process ends; the next one finds it cut off. */
void eis_store_jobs_fail(eis_job_store *store, const char *id, eis_status error, const char *message);

/* What is known about a job. Valid when zeroed. */
typedef struct eis_job_row {
    char id[EIS_JOB_ID_BYTES], model[EIS_JOB_MODEL_BYTES], version[EIS_JOB_VERSION_BYTES];
    eis_job_state state;
    unsigned form;
    uint64_t batch;
    int64_t created_ms, updated_ms;
    eis_status error; /* failed */
    bool retryable;
    char message[EIS_JOB_MESSAGE_BYTES];
    eis_span *result; /* completed: [result_count], in `memory` */
    size_t result_count;
    uint8_t *memory;
} eis_job_row;

/* Reads a job of a tenant.
 *
 * Errors:  EIS_ERR_JOB_NOT_FOUND  none of this tenant, or forgotten; EIS_ERR_STORE, EIS_ERR_MEMORY; *row is zeroed. */
EIS_MUST_USE eis_status eis_store_jobs_read(eis_job_row *row, eis_job_store *store, const char *tenant, const char *id);

/* Frees. Safe on a zeroed row. */
void eis_store_jobs_row_clear(eis_job_row *row);

/* Forgets what has outlived its time. Errors: EIS_ERR_STORE. */
EIS_MUST_USE eis_status eis_store_jobs_purge(eis_job_store *store);

typedef struct eis_job_counts {
    uint64_t jobs, bytes; /* remembered now; bytes of results, those that are expected included */
    uint64_t cut_off;     /* jobs of an earlier process that were found unfinished */
    bool healthy;         /* the last write went through */
} eis_job_counts;

void eis_store_jobs_counts(eis_job_counts *counts, eis_job_store *store);

#endif
