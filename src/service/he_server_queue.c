/* SPDX-License-Identifier: Apache-2.0 */
/* Jobs in the order in which they came, done by a few threads. A large job counts more, and no job starts before the
 * memory of its evaluation is reserved. */
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "service/he_server_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MS_PER_WEIGHT      10.0 /* a job counts one, and one more for each of these */
#define TIDY_S             5    /* an idle thread forgets old jobs so often */
#define RESULT_BYTES_SPARE ((size_t)1 << 16)

/* ---- Time ---- */

static struct timespec later(uint64_t ns)
{
    uint64_t at = eis_clock_ns() + ns;

    return (struct timespec){.tv_sec = (time_t)(at / 1000000000u), .tv_nsec = (long)(at % 1000000000u)};
}

static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* ---- Tasks ---- */

unsigned eis_he_task_weight(const eis_he_served *served)
{
    double weight = 1 + served->plan->expected_ms / MS_PER_WEIGHT;

    return weight > 1e6 ? 1000000 : (unsigned)weight;
}

eis_he_model_counters *eis_he_server_counters(const eis_he_server *server, const eis_he_served *served)
{
    return &server->models[served - server->config.registry->models];
}

void eis_he_task_free(eis_he_server *server, eis_he_task *task)
{
    if (task == NULL) return;
    eis_he_inputs_clear(&task->inputs);
    eis_he_request_clear(&task->request);
    eis_mem_free(task->body);
    eis_he_keys_unpin(server->keys, task->keys);
    if (task->caller != NULL) {
        eis_he_caller_refund(task->caller, task->charged);
        eis_he_caller_release(task->caller);
    }
    eis_mem_free(task);
}

eis_status eis_he_queue_reserve(eis_he_server *server, unsigned weight)
{
    eis_he_queue *q = &server->queue;
    eis_status st = EIS_OK;

    pthread_mutex_lock(&q->lock);
    if (q->stopping || atomic_load(&server->draining))
        st = eis_fail(EIS_ERR_UNAVAILABLE, "the server is going down");
    else if (q->weight > 0 && q->weight + weight > q->weight_max) /* an empty queue takes even the largest */
        st = eis_fail(EIS_ERR_BUSY, "the queue is full");
    else
        q->weight += weight;
    pthread_mutex_unlock(&q->lock);
    return st;
}

void eis_he_queue_unreserve(eis_he_server *server, unsigned weight)
{
    pthread_mutex_lock(&server->queue.lock);
    server->queue.weight -= weight;
    pthread_mutex_unlock(&server->queue.lock);
}

void eis_he_queue_push(eis_he_server *server, eis_he_task *task)
{
    eis_he_queue *q = &server->queue;

    pthread_mutex_lock(&q->lock);
    task->next = NULL;
    *q->last = task;
    q->last = &task->next;
    q->waiting++;
    pthread_cond_signal(&q->work);
    pthread_mutex_unlock(&q->lock);
}

/* ---- One job ---- */

/* Writes the ciphertexts of an answer one behind the other; span i is where ciphertext i lies. */
static eis_status write_result(eis_writer *w, eis_span *span, const eis_ckks_ct *ct, size_t count, eis_seal_form form)
{
    const eis_seal_style style = {.form = form};
    eis_status st = EIS_OK;
    size_t at = 0;

    for (size_t i = 0; i < count; i++) eis_ckks_ct_write(w, &ct[i], style, false);
    EIS_TRY(eis_wire_writer_status(w));
    for (size_t i = 0; i < count; i++) {
        size_t bytes = eis_ckks_ct_bytes(ct[i].params, ct[i].polys, ct[i].limbs, form, false);

        span[i] = (eis_span){w->data + at, bytes};
        at += bytes;
    }
    EIS_ASSERT(at == w->bytes);
out:
    return st;
}

static eis_status compute(eis_he_server *server, eis_he_task *task, eis_pool *pool)
{
    const eis_he_served *served = task->inputs.served;
    size_t count = served->plan->contract.stage[task->inputs.stage].output.ciphertexts;
    eis_he_source source = eis_he_inputs_source(&task->inputs);
    static const eis_he_keys no_keys;
    eis_ckks_ct *out = NULL;
    eis_span *span = NULL;
    eis_writer bytes = {0};
    uint64_t start_ns;
    eis_status st = EIS_OK;

    EIS_NEW(out, count);
    EIS_NEW(span, count);
    start_ns = eis_clock_ns();
    EIS_TRY(eis_he_eval(out, served->program, task->inputs.stage, &source,
                        task->keys != NULL ? eis_he_keys_of(task->keys) : &no_keys, pool));
    atomic_fetch_add_explicit(&eis_he_server_counters(server, served)->eval_ns, eis_clock_ns() - start_ns,
                              memory_order_relaxed);
    eis_wire_writer_init(&bytes, served->result_bytes_max + RESULT_BYTES_SPARE);
    EIS_TRY(write_result(&bytes, span, out, count, task->inputs.form));
    EIS_TRY(eis_store_jobs_complete(server->jobs, task->job_id, span, count));
out:
    eis_wire_writer_clear(&bytes);
    if (out != NULL)
        for (size_t i = 0; i < count; i++) eis_ckks_ct_clear(&out[i]);
    eis_mem_free(out);
    eis_mem_free(span);
    return st;
}

static void do_task(eis_he_server *server, eis_he_task *task, eis_pool *pool)
{
    eis_he_model_counters *counters = eis_he_server_counters(server, task->inputs.served);
    eis_status st = EIS_OK;

    bool by_store = false; /* the store has failed to complete the job, and knows */

    eis_error_clear();
    EIS_TRY(eis_store_jobs_start(server->jobs, task->job_id));
    if (server->config.before_eval != NULL)
        server->config.before_eval(server->config.before_eval_context, task->job_id);
    st = compute(server, task, pool);
    by_store = st == EIS_ERR_STORE;
out:
    atomic_fetch_add_explicit(st == EIS_OK ? &counters->completed : &counters->failed, 1, memory_order_relaxed);
    if (st == EIS_OK) return;
    eis_log(EIS_LOG_WARN, "job", "failed: %s (%s)", eis_status_code(st), eis_error_detail());
    if (!by_store) eis_store_jobs_fail(server->jobs, task->job_id, st, eis_status_text(st));
}

/* ---- Threads ---- */

/* Takes the first task off the queue once there is memory for it. Called with the lock; NULL: stop. */
static eis_he_task *take(eis_he_server *server)
{
    eis_he_queue *q = &server->queue;
    eis_he_task *task;

    while (!q->stopping) {
        struct timespec until = later((uint64_t)TIDY_S * 1000000000u);

        task = q->first;
        if (task != NULL && (q->computing == 0 || q->memory + task->inputs.served->eval_bytes <= q->memory_max)) {
            q->first = task->next;
            if (q->first == NULL) q->last = &q->first;
            q->waiting--;
            q->computing++;
            q->memory += task->inputs.served->eval_bytes;
            task->next = q->running;
            q->running = task;
            return task;
        }
        if (pthread_cond_timedwait(&q->work, &q->lock, &until) == ETIMEDOUT) {
            pthread_mutex_unlock(&q->lock);
            if (eis_store_jobs_purge(server->jobs) != EIS_OK) eis_log(EIS_LOG_WARN, "store", "%s", eis_error_detail());
            pthread_mutex_lock(&q->lock);
        }
    }
    return NULL;
}

static void *work(void *context)
{
    eis_he_server *server = context;
    eis_he_queue *q = &server->queue;
    eis_he_task *task;

    pthread_mutex_lock(&q->lock);
    while ((task = take(server)) != NULL) {
        /* A job that is alone has all threads of the pool; several have one each. */
        eis_pool *pool = q->computing == 1 && q->waiting == 0 ? server->config.pool : NULL;
        size_t memory = task->inputs.served->eval_bytes;
        unsigned weight = task->weight;
        eis_he_task **at = &q->running;

        pthread_mutex_unlock(&q->lock);
        do_task(server, task, pool);
        pthread_mutex_lock(&q->lock);
        while (*at != task) at = &(*at)->next;
        *at = task->next;
        q->computing--;
        q->memory -= memory;
        q->weight -= weight;
        pthread_cond_broadcast(&q->done);
        pthread_cond_broadcast(&q->work);
        pthread_mutex_unlock(&q->lock);
        eis_he_task_free(server, task);
        pthread_mutex_lock(&q->lock);
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

eis_status eis_he_queue_start(eis_he_server *server)
{
    eis_he_queue *q = &server->queue;
    unsigned wanted = server->config.workers;
    eis_status st = EIS_OK;

    pthread_mutex_init(&q->lock, NULL);
    init_condition(&q->work);
    init_condition(&q->done);
    q->last = &q->first;
    q->started = true;
    q->weight_max = server->config.queue_max;
    q->memory_max = server->config.memory_bytes;
    EIS_NEW(q->threads, wanted);
    while (q->thread_count < wanted) {
        EIS_REQUIRE(pthread_create(&q->threads[q->thread_count], NULL, work, server) == 0, EIS_ERR_LIMIT,
                    "threads cannot be started");
        q->thread_count++;
    }
out:
    return st;
}

/* ---- Waiting ---- */

static bool has_ended(eis_he_server *server, const char *tenant, const char *job_id)
{
    eis_job_row row;
    bool ended = eis_store_jobs_read(&row, server->jobs, tenant, job_id) != EIS_OK || row.state >= EIS_JOB_COMPLETED;

    eis_store_jobs_row_clear(&row);
    return ended;
}

/* Holders are counted against the connections: at most half of them wait here. */
void eis_he_queue_wait(eis_he_server *server, const char *tenant, const char *job_id, unsigned wait_s)
{
    eis_he_queue *q = &server->queue;
    struct timespec until = later((uint64_t)(wait_s < EIS_HE_WAIT_S_MAX ? wait_s : EIS_HE_WAIT_S_MAX) * 1000000000u);
    bool ended = false;

    pthread_mutex_lock(&q->lock);
    if (q->holders >= server->config.connections_max / 2) wait_s = 0;
    q->holders++;
    while (wait_s > 0 && !ended && !q->stopping) {
        const eis_he_task *t = q->first;

        while (t != NULL && strcmp(t->job_id, job_id) != 0) t = t->next;
        for (const eis_he_task *r = q->running; t == NULL && r != NULL; r = r->next)
            if (strcmp(r->job_id, job_id) == 0) t = r;
        if (t == NULL) { /* neither waiting nor running: it has ended, or is being added */
            pthread_mutex_unlock(&q->lock);
            ended = has_ended(server, tenant, job_id);
            pthread_mutex_lock(&q->lock);
            if (ended) break;
        }
        if (pthread_cond_timedwait(&q->done, &q->lock, &until) == ETIMEDOUT) break;
    }
    q->holders--;
    pthread_mutex_unlock(&q->lock);
}

/* ---- The end ---- */

/* What nobody will compute any more. */
static bool cut_off(eis_he_server *server)
{
    eis_he_queue *q = &server->queue;
    eis_he_task *left, *next;
    bool any;

    pthread_mutex_lock(&q->lock);
    q->stopping = true;
    left = q->first;
    q->first = NULL;
    q->last = &q->first;
    q->waiting = 0;
    any = left != NULL || q->running != NULL;
    for (const eis_he_task *r = q->running; r != NULL; r = r->next)
        eis_store_jobs_fail(server->jobs, r->job_id, EIS_ERR_INTERRUPTED, "the server ended while the job was running");
    pthread_cond_broadcast(&q->work);
    pthread_cond_broadcast(&q->done);
    pthread_mutex_unlock(&q->lock);
    for (; left != NULL; left = next) {
        next = left->next;
        eis_store_jobs_fail(server->jobs, left->job_id, EIS_ERR_INTERRUPTED,
                            "the server ended while the job was waiting");
        eis_he_task_free(server, left);
    }
    return any;
}

bool eis_he_queue_drain(eis_he_server *server, uint32_t deadline_ms)
{
    eis_he_queue *q = &server->queue;
    struct timespec until = later((uint64_t)deadline_ms * 1000000u);

    pthread_mutex_lock(&q->lock);
    while (q->first != NULL || q->running != NULL)
        if (pthread_cond_timedwait(&q->done, &q->lock, &until) == ETIMEDOUT) break;
    pthread_mutex_unlock(&q->lock);
    return !cut_off(server);
}

void eis_he_queue_stop(eis_he_server *server)
{
    eis_he_queue *q = &server->queue;

    if (!q->started) return;
    (void)cut_off(server);
    for (unsigned i = 0; i < q->thread_count; i++) pthread_join(q->threads[i], NULL);
    eis_mem_free(q->threads);
    pthread_cond_destroy(&q->work);
    pthread_cond_destroy(&q->done);
    pthread_mutex_destroy(&q->lock);
    q->started = false;
}
