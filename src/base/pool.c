/* SPDX-License-Identifier: Apache-2.0 */
/* One job at a time. The job's claim word holds its generation and the chunks not yet taken in one atomic, so that a
 * worker that wakes late cannot take a chunk of a job that is over:
 *
 *     claim = generation << 32 | chunks left to take          (taken by compare-exchange)
 *
 * A chunk once taken keeps its job alive until it is done, so the job's plain fields are read only after a claim.
 * Workers sleep on `generation`; the caller waits for `left` to reach 0, and only chunks that were already claimed
 * by others can keep it waiting. */
#define _GNU_SOURCE
#include "base/pool.h"

#include "base/cpu.h"
#include "base/mem.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SPIN_PAUSES 4000
#define THREADS_MAX 256

struct eis_pool {
    pthread_mutex_t turn; /* callers take turns */
    pthread_t *workers;
    unsigned worker_count;
    _Atomic uint32_t generation; /* futex: rises with every job */
    _Atomic uint32_t sleepers;
    _Atomic uint32_t left; /* futex: chunks not yet done */
    _Atomic int stop;
    _Atomic uint64_t claim;
    /* The job; written before the generation rises, read after. */
    eis_pool_body body;
    void *arg;
    size_t count, grain;
    uint32_t chunk_count;
};

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
    (void)syscall(SYS_futex, (uint32_t *)word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, int threads)
{
    (void)syscall(SYS_futex, (uint32_t *)word, FUTEX_WAKE_PRIVATE, threads, NULL, NULL, 0);
}

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Takes one chunk of job `generation`; *untaken counts it and those behind it. Returns 0 when none is left. */
static int claim_chunk(eis_pool *pool, uint32_t generation, uint32_t *untaken)
{
    uint64_t seen = atomic_load_explicit(&pool->claim, memory_order_acquire);

    for (;;) {
        if ((uint32_t)(seen >> 32) != generation || (uint32_t)seen == 0) return 0;
        if (atomic_compare_exchange_weak_explicit(&pool->claim, &seen, seen - 1, memory_order_acq_rel,
                                                  memory_order_acquire)) {
            *untaken = (uint32_t)seen;
            return 1;
        }
    }
}

static void work(eis_pool *pool, uint32_t generation)
{
    uint32_t untaken;

    while (claim_chunk(pool, generation, &untaken)) {
        size_t first = (size_t)(pool->chunk_count - untaken) * pool->grain;
        size_t last = first + pool->grain < pool->count ? first + pool->grain : pool->count;

        pool->body(pool->arg, first, last);
        if (atomic_fetch_sub_explicit(&pool->left, 1, memory_order_acq_rel) == 1) futex_wake(&pool->left, INT32_MAX);
    }
}

static uint32_t await_generation(eis_pool *pool, uint32_t known)
{
    uint32_t seen;

    for (int i = 0; i < SPIN_PAUSES; i++) {
        seen = atomic_load_explicit(&pool->generation, memory_order_acquire);
        if (seen != known) return seen;
        relax();
    }
    atomic_fetch_add(&pool->sleepers, 1);
    while ((seen = atomic_load(&pool->generation)) == known) futex_wait(&pool->generation, known);
    atomic_fetch_sub(&pool->sleepers, 1);
    return seen;
}

static void *worker_main(void *arg)
{
    eis_pool *pool = arg;
    uint32_t known = 0;

    for (;;) {
        known = await_generation(pool, known);
        if (atomic_load(&pool->stop)) return NULL;
        work(pool, known);
    }
}

eis_status eis_pool_new(eis_pool **out_pool, unsigned thread_count)
{
    eis_status st = EIS_OK;
    eis_pool *pool = NULL;

    *out_pool = NULL;
    if (thread_count == 0) thread_count = eis_cpu_count();
    if (thread_count > THREADS_MAX) thread_count = THREADS_MAX;
    EIS_NEW(pool, 1);
    pthread_mutex_init(&pool->turn, NULL);
    EIS_NEW(pool->workers, thread_count);
    for (unsigned i = 1; i < thread_count; i++) {
        EIS_REQUIRE(pthread_create(&pool->workers[pool->worker_count], NULL, worker_main, pool) == 0, EIS_ERR_LIMIT,
                    "cannot start thread %u of %u; use fewer (--threads)", i, thread_count);
        pool->worker_count++;
    }
    *out_pool = pool;
    pool = NULL;
out:
    eis_pool_free(pool);
    return st;
}

void eis_pool_free(eis_pool *pool)
{
    if (pool == NULL) return;
    atomic_store(&pool->stop, 1);
    atomic_fetch_add(&pool->generation, 1);
    futex_wake(&pool->generation, INT32_MAX);
    for (unsigned i = 0; i < pool->worker_count; i++) pthread_join(pool->workers[i], NULL);
    pthread_mutex_destroy(&pool->turn);
    eis_mem_free(pool->workers);
    eis_mem_free(pool);
}

unsigned eis_pool_threads(const eis_pool *pool) { return pool == NULL ? 1 : pool->worker_count + 1; }

static void start_job(eis_pool *pool, uint32_t generation)
{
    atomic_store_explicit(&pool->left, pool->chunk_count, memory_order_relaxed);
    atomic_store_explicit(&pool->claim, (uint64_t)generation << 32 | pool->chunk_count, memory_order_release);
    atomic_store(&pool->generation, generation);
    if (atomic_load(&pool->sleepers) > 0) futex_wake(&pool->generation, INT32_MAX);
}

static void await_done(eis_pool *pool)
{
    uint32_t left;

    for (int i = 0; i < SPIN_PAUSES; i++) {
        if (atomic_load_explicit(&pool->left, memory_order_acquire) == 0) return;
        relax();
    }
    while ((left = atomic_load_explicit(&pool->left, memory_order_acquire)) != 0) futex_wait(&pool->left, left);
}

void eis_pool_run(eis_pool *pool, size_t count, size_t grain, eis_pool_body body, void *arg)
{
    uint32_t generation;
    size_t chunks;

    EIS_ASSERT(grain > 0);
    if (count == 0) return;
    chunks = (count - 1) / grain + 1;
    EIS_ASSERT(chunks < UINT32_MAX);
    if (pool == NULL || pool->worker_count == 0 || chunks == 1) {
        body(arg, 0, count);
        return;
    }
    pthread_mutex_lock(&pool->turn);
    pool->body = body;
    pool->arg = arg;
    pool->count = count;
    pool->grain = grain;
    pool->chunk_count = (uint32_t)chunks;
    generation = atomic_load(&pool->generation) + 1;
    start_job(pool, generation);
    work(pool, generation);
    await_done(pool);
    pthread_mutex_unlock(&pool->turn);
}
