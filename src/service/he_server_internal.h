/* SPDX-License-Identifier: Apache-2.0 */
/* Inside service/: the inference server as its files share it.
 *
 *   he_server.c            start, drain, end
 *   he_server_gate.c       who may ask: host, credentials, tenant, rate, bytes
 *   he_server_routes.c     routes, and what only tells what is served
 *   he_server_infer.c      POST /infer and GET /jobs
 *   he_server_claims.c     requests whose idempotency key is being checked
 *   he_server_queue.c      jobs that wait, and the threads that do them
 *   he_server_keys.c       PUT, HEAD and DELETE of evaluation keys
 *   he_server_plain.c      POST /infer/plain
 *   he_server_metrics.c    GET /metrics
 *   he_server_check.c      steps 2 to 6 of the validation */
#ifndef EIS_SERVICE_HE_SERVER_INTERNAL_H
#define EIS_SERVICE_HE_SERVER_INTERNAL_H

#include "net/http.h"
#include "service/he_keys_store.h"
#include "service/he_parties.h"
#include "service/he_server.h"
#include "service/he_server_check.h"
#include "store/jobs.h"
#include "wire/json_writer.h"

#include <pthread.h>
#include <stdatomic.h>

#define EIS_HE_DIGEST_TEXT_BYTES (2 * EIS_HE_DIGEST_BYTES + 1)
#define EIS_HE_WAIT_S_MAX        30

/* How routes count. */
typedef enum eis_he_route_kind { EIS_HE_ROUTE_FREE, EIS_HE_ROUTE_CALL, EIS_HE_ROUTE_POLL } eis_he_route_kind;

typedef struct eis_he_model_counters {
    atomic_uint_fast64_t requests, completed, failed, eval_ns;
} eis_he_model_counters;

typedef struct eis_he_claim eis_he_claim;

/* A job that waits or runs, with all that it holds. */
typedef struct eis_he_task {
    struct eis_he_task *next;
    char job_id[EIS_JOB_ID_BYTES];
    eis_he_caller *caller;
    uint64_t charged; /* bytes, to the caller */
    eis_he_request request;
    uint8_t *body; /* owned, where the inputs are read again from it; else NULL */
    eis_he_inputs inputs;
    eis_he_keys_entry *keys; /* pinned, or NULL */
    unsigned weight;
} eis_he_task;

typedef struct eis_he_queue {
    pthread_mutex_t lock;
    pthread_cond_t work, done; /* something to do; some job has ended */
    eis_he_task *first, **last;
    eis_he_task *running; /* linked by next */
    uint64_t weight, weight_max;
    uint64_t memory, memory_max;          /* of evaluations that run */
    unsigned waiting, computing, holders; /* holders: requests that wait for their job's end */
    bool started, stopping;               /* started: locks and lists are made; set before any thread is */
    pthread_t *threads;                   /* [thread_count] */
    unsigned thread_count;
} eis_he_queue;

struct eis_he_server {
    eis_he_server_config config;
    eis_he_tenant *tenants; /* [config.tenant_count] */
    bool checks_host, has_credentials;
    eis_http_server *http, *admin;
    eis_he_parties *parties;
    eis_he_keys_store *keys;
    eis_job_store *jobs;
    eis_he_queue queue;
    pthread_mutex_t claims_lock;
    eis_he_claim *claims;
    eis_he_request_limits request_limits;
    eis_span models_json, keys_json; /* owned: answers that never change */
    eis_he_model_counters *models;   /* [registry->count] */
    atomic_uint_fast64_t errors[EIS_STATUS_COUNT];
    uint64_t started_ns;
    atomic_bool draining;
};

/* ---- he_server_gate.c ---- */

/* The hooks of the HTTP server. */
eis_http_hooks eis_he_server_hooks(eis_he_server *server);

/* Counts a failure of a request and gives it back. Faults of ciphertexts get one text for each code; what was said goes
 * to the log. */
eis_status eis_he_server_fail(eis_he_server *server, eis_status st);

/* ---- he_server_routes.c ---- */

EIS_MUST_USE eis_status eis_he_server_start_http(eis_he_server *server);

/* Makes models_json and keys_json. */
EIS_MUST_USE eis_status eis_he_server_publish(eis_he_server *server);

/* Ends a JSON answer: moves it into the reply. *body is cleared. */
EIS_MUST_USE eis_status eis_he_server_reply(eis_http_reply *reply, int http_status, const char *media_type,
                                            eis_writer *body);

/* ---- handlers ---- */

eis_status eis_he_server_infer(void *context, eis_http_reply *reply, const eis_http_request *request);
eis_status eis_he_server_get_job(void *context, eis_http_reply *reply, const eis_http_request *request);
eis_status eis_he_server_put_keys(void *context, eis_http_reply *reply, const eis_http_request *request);
eis_status eis_he_server_head_keys(void *context, eis_http_reply *reply, const eis_http_request *request);
eis_status eis_he_server_delete_keys(void *context, eis_http_reply *reply, const eis_http_request *request);
eis_status eis_he_server_plain(void *context, eis_http_reply *reply, const eis_http_request *request);
eis_status eis_he_server_metrics(void *context, eis_http_reply *reply, const eis_http_request *request);

/* ---- he_server_claims.c ---- */

/* Marks a key of a tenant as being checked. Errors: EIS_ERR_IN_PROGRESS  it is already; EIS_ERR_MEMORY. */
EIS_MUST_USE eis_status eis_he_claim_begin(eis_he_claim **claim, eis_he_server *server, const char *tenant,
                                           const char *key);
void eis_he_claim_end(eis_he_server *server, eis_he_claim *claim); /* NULL is allowed */

/* ---- he_server_queue.c ---- */

EIS_MUST_USE eis_status eis_he_queue_start(eis_he_server *server);

/* Reserves room for a job of this weight, or gives it back. Errors: EIS_ERR_BUSY; EIS_ERR_UNAVAILABLE  draining. */
EIS_MUST_USE eis_status eis_he_queue_reserve(eis_he_server *server, unsigned weight);
void eis_he_queue_unreserve(eis_he_server *server, unsigned weight);

/* Hands a task over whose weight is reserved and whose job is in the store. */
void eis_he_queue_push(eis_he_server *server, eis_he_task *task);

/* Waits until a job has ended, at most so long, unless too many wait already. */
void eis_he_queue_wait(eis_he_server *server, const char *tenant, const char *job_id, unsigned wait_s);

/* Waits until nothing is queued or running. Then, or at the deadline, whatever is left becomes failed, retryable.
 * Returns whether nothing was left. */
bool eis_he_queue_drain(eis_he_server *server, uint32_t deadline_ms);

/* Ends the threads. */
void eis_he_queue_stop(eis_he_server *server);

/* Frees a task and gives back what it holds, but for its weight. NULL is allowed. */
void eis_he_task_free(eis_he_server *server, eis_he_task *task);

/* Returns what a job of this model counts in the queue. */
unsigned eis_he_task_weight(const eis_he_served *served);

/* Returns the counters of a model. */
eis_he_model_counters *eis_he_server_counters(const eis_he_server *server, const eis_he_served *served);

#endif
