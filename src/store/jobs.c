/* SPDX-License-Identifier: Apache-2.0 */
/* Two tables:
 *
 *   job(id, tenant, model, version, state, form, batch, created, updated, expires, attempt, error, retryable, message,
 *       bytes, result)         error is the code on the wire; result: u32 count | u64 length each | the bytes
 *   name(tenant, key, digest, job)   an idempotency key and the job that answers it now; gone with that job
 *
 * A job that runs under a key for the second time has attempt 2. What the disk refused to take stands in a short list
 * in memory, so that no reader waits for a job that nobody works on. */
#include "store/jobs.h"

#include "base/log.h"
#include "base/mem.h"
#include "store/db.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define APPLICATION_ID    "0x4549534a" /* "EISJ" */
#define TTL_MS_DEFAULT    ((int64_t)600000)
#define BYTES_MAX_DEFAULT ((uint64_t)1 << 30)
#define JOBS_MAX_DEFAULT  ((size_t)100000)
#define LOST_MAX          64 /* failures that the disk refused; more than these wait for the next start */
#define NEVER_MS          INT64_MAX

enum statement {
    ADD_JOB,
    ADD_NAME,
    FIND_NAME,
    MOVE_NAME,
    START,
    COMPLETE,
    FAIL,
    READ,
    PURGE_NAMES,
    PURGE_JOBS,
    EXPIRED,
    TOTALS,
    STATEMENTS
};

/* Only finished jobs expire. */
static const char *const sql[STATEMENTS] = {
    [ADD_JOB] = "INSERT INTO job(id,tenant,model,version,state,form,batch,created,updated,expires,attempt,bytes)"
                " VALUES(?1,?2,?3,?4,1,?5,?6,?7,?7,?8,?9,?10)",
    [ADD_NAME] = "INSERT INTO name(tenant,key,digest,job) VALUES(?1,?2,?3,?4)",
    [FIND_NAME] = "SELECT name.digest,job.id,job.state,job.retryable,job.attempt FROM name JOIN job ON job.id=name.job"
                  " WHERE name.tenant=?1 AND name.key=?2 AND job.expires>?3",
    [MOVE_NAME] = "UPDATE name SET job=?3 WHERE tenant=?1 AND key=?2 AND job=?4",
    [START] = "UPDATE job SET state=2,updated=?2 WHERE id=?1 AND state=1",
    [COMPLETE] = "UPDATE job SET state=3,updated=?2,expires=?3,result=?4 WHERE id=?1 AND state=2",
    [FAIL] = "UPDATE job SET state=4,updated=?2,expires=?3,error=?4,retryable=?5 AND attempt=1,message=?6"
             " WHERE id=?1 AND state IN (1,2)",
    [READ] = "SELECT model,version,state,form,batch,created,updated,error,retryable,message,result FROM job"
             " WHERE id=?1 AND tenant=?2 AND expires>?3",
    [PURGE_NAMES] = "DELETE FROM name WHERE job IN (SELECT id FROM job WHERE expires<=?1)",
    [PURGE_JOBS] = "DELETE FROM job WHERE expires<=?1",
    [EXPIRED] = "SELECT count(*),coalesce(sum(bytes),0) FROM job WHERE expires<=?1",
    [TOTALS] = "SELECT count(*),coalesce(sum(bytes),0) FROM job",
};

static const char *const schema =
    "PRAGMA application_id=" APPLICATION_ID ";"
    "PRAGMA user_version=1;"
    "CREATE TABLE job(id TEXT PRIMARY KEY, tenant TEXT NOT NULL, model TEXT NOT NULL, version TEXT NOT NULL,"
    " state INTEGER NOT NULL, form INTEGER NOT NULL, batch INTEGER NOT NULL, created INTEGER NOT NULL,"
    " updated INTEGER NOT NULL, expires INTEGER NOT NULL, attempt INTEGER NOT NULL, error TEXT, retryable INTEGER,"
    " message TEXT, bytes INTEGER NOT NULL, result BLOB) STRICT;"
    "CREATE INDEX job_expires ON job(expires);"
    "CREATE TABLE name(tenant TEXT NOT NULL, key TEXT NOT NULL, digest BLOB NOT NULL, job TEXT NOT NULL,"
    " PRIMARY KEY(tenant,key)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX name_job ON name(job);";

/* A failure that is not on the disk. */
typedef struct lost {
    char id[EIS_JOB_ID_BYTES];
    eis_status error;
} lost;

struct eis_job_store {
    eis_job_store_config config;
    pthread_mutex_t lock;
    sqlite3 *db;
    sqlite3_stmt *statement[STATEMENTS];
    eis_job_counts counts;
    lost lost[LOST_MAX];
    size_t lost_count;
};

static int64_t now_of(const eis_job_store *s)
{
    struct timespec now;

    if (s->config.now_ms != NULL) return s->config.now_ms(s->config.now_context);
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- Statements ---- */

static sqlite3_stmt *bind_text(sqlite3_stmt *q, int at, const char *text)
{
    (void)sqlite3_bind_text(q, at, text, -1, SQLITE_TRANSIENT);
    return q;
}

static void reset(sqlite3_stmt *q)
{
    (void)sqlite3_reset(q);
    (void)sqlite3_clear_bindings(q);
}

/* Runs a change; *changed gets the number of rows. */
static eis_status run(eis_job_store *s, enum statement which, int *changed)
{
    eis_status st = eis_store_db_run(s->db, s->statement[which]);

    *changed = st == EIS_OK ? sqlite3_changes(s->db) : 0;
    return st;
}

static void copy_column(char *out, size_t out_bytes, sqlite3_stmt *q, int column)
{
    const unsigned char *text = sqlite3_column_text(q, column);

    snprintf(out, out_bytes, "%s", text == NULL ? "" : (const char *)text);
}

/* ---- Opening ---- */

static eis_status read_number(eis_job_store *s, const char *pragma, int64_t *number)
{
    sqlite3_stmt *q = NULL;
    eis_status st = EIS_OK;
    int row = 0;

    EIS_TRY(eis_store_db_prepare(s->db, &q, pragma));
    EIS_TRY(eis_store_db_step(s->db, q, &row));
    *number = row ? sqlite3_column_int64(q, 0) : 0;
out:
    (void)sqlite3_finalize(q);
    return st;
}

static eis_status check_sound(eis_job_store *s, const char *path)
{
    sqlite3_stmt *q = NULL;
    eis_status st = EIS_OK;
    char said[128] = "";
    int row = 0;

    EIS_TRY(eis_store_db_prepare(s->db, &q, "PRAGMA quick_check(1)"));
    EIS_TRY(eis_store_db_step(s->db, q, &row));
    if (row) copy_column(said, sizeof said, q, 0);
    EIS_REQUIRE(strcmp(said, "ok") == 0, EIS_ERR_STORE,
                "%s: the store of jobs is damaged (%s); move it away to start anew", path, said);
out:
    (void)sqlite3_finalize(q);
    return st;
}

static eis_status prepare_schema(eis_job_store *s, const char *path)
{
    int64_t application = 0, version = 0, tables = 0;
    eis_status st = EIS_OK;

    EIS_TRY(read_number(s, "PRAGMA application_id", &application));
    EIS_TRY(read_number(s, "PRAGMA user_version", &version));
    EIS_TRY(read_number(s, "SELECT count(*) FROM sqlite_schema", &tables));
    if (application == 0 && version == 0 && tables == 0) {
        EIS_TRY(eis_store_db_begin(s->db));
        return eis_store_db_end(s->db, eis_store_db_exec(s->db, schema));
    }
    EIS_REQUIRE(application == strtol(APPLICATION_ID, NULL, 16) && version == 1, EIS_ERR_STORE,
                "%s: is a database, but no store of jobs of this version", path);
    EIS_TRY(check_sound(s, path));
out:
    return st;
}

static eis_status prepare_statements(eis_job_store *s)
{
    eis_status st = EIS_OK;

    for (size_t i = 0; i < STATEMENTS; i++) EIS_TRY(eis_store_db_prepare(s->db, &s->statement[i], sql[i]));
out:
    return st;
}

/* Whatever an earlier process has not finished has lost its inputs. */
static eis_status cut_off_unfinished(eis_job_store *s)
{
    sqlite3_stmt *q = NULL;
    eis_status st = EIS_OK;

    EIS_TRY(eis_store_db_prepare(s->db, &q,
                                 "UPDATE job SET state=4,updated=?1,expires=?2,error=?3,retryable=(attempt=1),"
                                 "message='the server ended while the job was unfinished' WHERE state IN (1,2)"));
    (void)sqlite3_bind_int64(q, 1, now_of(s));
    (void)sqlite3_bind_int64(q, 2, now_of(s) + s->config.ttl_ms);
    (void)bind_text(q, 3, eis_status_code(EIS_ERR_INTERRUPTED));
    EIS_TRY(eis_store_db_run(s->db, q));
    s->counts.cut_off = (uint64_t)sqlite3_changes(s->db);
out:
    (void)sqlite3_finalize(q);
    return st;
}

static eis_status read_totals(eis_job_store *s)
{
    sqlite3_stmt *q = s->statement[TOTALS];
    eis_status st = EIS_OK;
    int row = 0;

    EIS_TRY(eis_store_db_step(s->db, q, &row));
    s->counts.jobs = (uint64_t)sqlite3_column_int64(q, 0);
    s->counts.bytes = (uint64_t)sqlite3_column_int64(q, 1);
out:
    reset(q);
    return st;
}

eis_status eis_store_jobs_open(eis_job_store **store, const eis_job_store_config *config)
{
    const char *path = config->path != NULL ? config->path : ":memory:";
    eis_job_store *s = NULL;
    eis_status st = EIS_OK;

    *store = NULL;
    EIS_NEW(s, 1);
    pthread_mutex_init(&s->lock, NULL);
    s->config = *config;
    s->config.path = NULL;
    if (s->config.ttl_ms == 0) s->config.ttl_ms = TTL_MS_DEFAULT;
    if (s->config.bytes_max == 0) s->config.bytes_max = BYTES_MAX_DEFAULT;
    if (s->config.jobs_max == 0) s->config.jobs_max = JOBS_MAX_DEFAULT;
    s->counts.healthy = true;
    EIS_TRY(eis_store_db_open_log(&s->db, path));
    EIS_TRY(prepare_schema(s, path));
    EIS_TRY(prepare_statements(s));
    EIS_TRY(cut_off_unfinished(s));
    EIS_TRY(read_totals(s));
    EIS_TRY(eis_store_jobs_purge(s));
    *store = s;
    s = NULL;
out:
    eis_store_jobs_close(s);
    return st;
}

void eis_store_jobs_close(eis_job_store *s)
{
    if (s == NULL) return;
    for (size_t i = 0; i < STATEMENTS; i++) (void)sqlite3_finalize(s->statement[i]);
    eis_store_db_close(s->db);
    pthread_mutex_destroy(&s->lock);
    eis_mem_free(s);
}

/* ---- Keys and new jobs; the lock is held ---- */

/* What stands under a key. id is "" where nothing does. */
typedef struct named {
    uint8_t digest[EIS_JOB_DIGEST_BYTES];
    char id[EIS_JOB_ID_BYTES];
    bool may_rerun;
} named;

static const lost *find_lost(const eis_job_store *s, const char *id)
{
    for (size_t i = 0; i < s->lost_count; i++)
        if (strcmp(s->lost[i].id, id) == 0) return &s->lost[i];
    return NULL;
}

static eis_status look_up(named *found, eis_job_store *s, const char *tenant, const char *key)
{
    sqlite3_stmt *q = s->statement[FIND_NAME];
    eis_status st = EIS_OK;
    int row = 0;

    *found = (named){0};
    (void)bind_text(q, 1, tenant);
    (void)bind_text(q, 2, key);
    (void)sqlite3_bind_int64(q, 3, now_of(s));
    EIS_TRY(eis_store_db_step(s->db, q, &row));
    if (!row) goto out;
    if (sqlite3_column_bytes(q, 0) == (int)sizeof found->digest)
        memcpy(found->digest, sqlite3_column_blob(q, 0), sizeof found->digest);
    copy_column(found->id, sizeof found->id, q, 1);
    found->may_rerun = sqlite3_column_int(q, 4) == 1 &&
                       ((sqlite3_column_int(q, 2) == EIS_JOB_FAILED && sqlite3_column_int(q, 3) != 0) ||
                        find_lost(s, found->id) != NULL);
out:
    reset(q);
    return st;
}

static eis_status check_digest(const named *found, const uint8_t *digest)
{
    if (found->id[0] == '\0' || memcmp(found->digest, digest, EIS_JOB_DIGEST_BYTES) == 0) return EIS_OK;
    return eis_fail(EIS_ERR_KEY_REUSED, "this Idempotency-Key was used for a request with another body");
}

eis_status eis_store_jobs_find_key(bool *found, char id[EIS_JOB_ID_BYTES], eis_job_store *s, const char *tenant,
                                   const char *key, const uint8_t digest[EIS_JOB_DIGEST_BYTES])
{
    eis_status st = EIS_OK;
    named there;

    *found = false;
    id[0] = '\0';
    pthread_mutex_lock(&s->lock);
    EIS_TRY(look_up(&there, s, tenant, key));
    EIS_TRY(check_digest(&there, digest));
    *found = there.id[0] != '\0' && !there.may_rerun;
    if (*found) memcpy(id, there.id, sizeof there.id);
out:
    pthread_mutex_unlock(&s->lock);
    return st;
}

static eis_status check_budget(const eis_job_store *s, const eis_job_new *job)
{
    eis_status st = EIS_OK;

    EIS_REQUIRE(s->counts.jobs < s->config.jobs_max, EIS_ERR_BUSY, "as many jobs are remembered as can be");
    EIS_REQUIRE(job->result_bytes <= s->config.bytes_max && s->counts.bytes <= s->config.bytes_max - job->result_bytes,
                EIS_ERR_BUSY, "no room for another result");
out:
    return st;
}

static eis_status insert_job(eis_job_store *s, const eis_job_new *job, int attempt)
{
    sqlite3_stmt *q = s->statement[ADD_JOB];
    int changed;

    (void)bind_text(q, 1, job->id);
    (void)bind_text(q, 2, job->tenant);
    (void)bind_text(q, 3, job->model);
    (void)bind_text(q, 4, job->version);
    (void)sqlite3_bind_int64(q, 5, job->form);
    (void)sqlite3_bind_int64(q, 6, (sqlite3_int64)job->batch);
    (void)sqlite3_bind_int64(q, 7, now_of(s));
    (void)sqlite3_bind_int64(q, 8, NEVER_MS);
    (void)sqlite3_bind_int64(q, 9, attempt);
    (void)sqlite3_bind_int64(q, 10, (sqlite3_int64)job->result_bytes);
    return run(s, ADD_JOB, &changed);
}

/* Gives a key its job: the first one, or in place of exactly the failed one that was found. */
static eis_status insert_name(eis_job_store *s, const eis_job_new *job, const named *there)
{
    bool first = there->id[0] == '\0';
    sqlite3_stmt *q = s->statement[first ? ADD_NAME : MOVE_NAME];
    eis_status st = EIS_OK;
    int changed;

    (void)bind_text(q, 1, job->tenant);
    (void)bind_text(q, 2, job->key);
    if (first)
        (void)sqlite3_bind_blob(q, 3, job->digest, EIS_JOB_DIGEST_BYTES, SQLITE_TRANSIENT);
    else
        (void)bind_text(q, 3, job->id);
    (void)bind_text(q, 4, first ? job->id : there->id);
    EIS_TRY(run(s, first ? ADD_NAME : MOVE_NAME, &changed));
    EIS_REQUIRE(changed == 1, EIS_ERR_STORE, "the store of jobs lost a key");
out:
    return st;
}

static eis_status insert(eis_job_store *s, const eis_job_new *job, const named *there)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_store_db_begin(s->db));
    st = insert_job(s, job, there->id[0] == '\0' ? 1 : 2);
    if (st == EIS_OK && job->key != NULL) st = insert_name(s, job, there);
    st = eis_store_db_end(s->db, st);
out:
    s->counts.healthy = st == EIS_OK;
    return st;
}

static eis_status purge(eis_job_store *s);

eis_status eis_store_jobs_add(bool *fresh, char id[EIS_JOB_ID_BYTES], eis_job_store *s, const eis_job_new *job)
{
    eis_status st = EIS_OK;
    named there = {0};

    EIS_ASSERT(strlen(job->id) == EIS_JOB_ID_BYTES - 1 && strlen(job->tenant) < EIS_JOB_TENANT_BYTES &&
               strlen(job->model) < EIS_JOB_MODEL_BYTES && strlen(job->version) < EIS_JOB_VERSION_BYTES &&
               (job->key == NULL || strlen(job->key) < EIS_JOB_KEY_BYTES));
    *fresh = false;
    id[0] = '\0';
    pthread_mutex_lock(&s->lock);
    if (job->key != NULL) {
        EIS_TRY(look_up(&there, s, job->tenant, job->key));
        EIS_TRY(check_digest(&there, job->digest));
        if (there.id[0] != '\0' && !there.may_rerun) {
            memcpy(id, there.id, sizeof there.id);
            goto out;
        }
    }
    if (check_budget(s, job) != EIS_OK) EIS_TRY(purge(s));
    EIS_TRY(check_budget(s, job));
    /* A key whose job is past its time, and not purged yet, is free. */
    if (job->key != NULL && there.id[0] == '\0') EIS_TRY(purge(s));
    EIS_TRY(insert(s, job, &there));
    s->counts.jobs++;
    s->counts.bytes += job->result_bytes;
    memcpy(id, job->id, EIS_JOB_ID_BYTES);
    *fresh = true;
out:
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* ---- The way of a job ---- */

eis_status eis_store_jobs_start(eis_job_store *s, const char *id)
{
    sqlite3_stmt *q = s->statement[START];
    eis_status st = EIS_OK;
    int changed;

    pthread_mutex_lock(&s->lock);
    (void)bind_text(q, 1, id);
    (void)sqlite3_bind_int64(q, 2, now_of(s));
    EIS_TRY(run(s, START, &changed));
    EIS_REQUIRE(changed == 1, EIS_ERR_JOB_NOT_FOUND, "this job is not queued");
out:
    if (st != EIS_ERR_JOB_NOT_FOUND) s->counts.healthy = st == EIS_OK;
    pthread_mutex_unlock(&s->lock);
    return st;
}

/* Puts a result together: u32 count | u64 lengths | bytes. */
static eis_status pack(uint8_t **blob, size_t *blob_bytes, const eis_span *result, size_t count)
{
    size_t bytes = 4 + 8 * count, at;
    eis_status st = EIS_OK;
    uint8_t *made = NULL;

    EIS_ASSERT(count >= 1 && count <= EIS_JOB_RESULTS_MAX);
    for (size_t i = 0; i < count; i++)
        EIS_REQUIRE(eis_size_add(&bytes, bytes, result[i].bytes), EIS_ERR_TOO_LARGE, "a result too large to store");
    made = eis_mem_new_raw(bytes, 1);
    if (made == NULL) return EIS_ERR_MEMORY;
    eis_store_le32(made, (uint32_t)count);
    at = 4 + 8 * count;
    for (size_t i = 0; i < count; i++) {
        eis_store_le64(made + 4 + 8 * i, result[i].bytes);
        memcpy(made + at, result[i].data, result[i].bytes);
        at += result[i].bytes;
    }
    *blob = made;
    *blob_bytes = bytes;
out:
    return st;
}

static void fail_locked(eis_job_store *s, const char *id, eis_status error, bool retryable, const char *message)
{
    sqlite3_stmt *q = s->statement[FAIL];
    int64_t now = now_of(s);
    int changed;

    (void)bind_text(q, 1, id);
    (void)sqlite3_bind_int64(q, 2, now);
    (void)sqlite3_bind_int64(q, 3, now + s->config.ttl_ms);
    (void)bind_text(q, 4, eis_status_code(error));
    (void)sqlite3_bind_int(q, 5, retryable);
    (void)bind_text(q, 6, message);
    if (run(s, FAIL, &changed) == EIS_OK) return;
    s->counts.healthy = false;
    eis_log(EIS_LOG_ERROR, "store", "a failed job cannot be written down: %s", eis_error_detail());
    if (s->lost_count == LOST_MAX) return;
    snprintf(s->lost[s->lost_count].id, sizeof s->lost[0].id, "%s", id);
    s->lost[s->lost_count++].error = error;
}

eis_status eis_store_jobs_complete(eis_job_store *s, const char *id, const eis_span *result, size_t count)
{
    sqlite3_stmt *q = s->statement[COMPLETE];
    eis_status st = EIS_OK;
    uint8_t *blob = NULL;
    size_t bytes = 0;
    int64_t now;
    int changed;

    pthread_mutex_lock(&s->lock);
    EIS_TRY(pack(&blob, &bytes, result, count));
    now = now_of(s);
    (void)bind_text(q, 1, id);
    (void)sqlite3_bind_int64(q, 2, now);
    (void)sqlite3_bind_int64(q, 3, now + s->config.ttl_ms);
    (void)sqlite3_bind_blob64(q, 4, blob, bytes, SQLITE_STATIC);
    EIS_TRY(run(s, COMPLETE, &changed));
    EIS_REQUIRE(changed == 1, EIS_ERR_JOB_NOT_FOUND, "this job is not running");
    s->counts.healthy = true;
out:
    if (st != EIS_OK && st != EIS_ERR_JOB_NOT_FOUND)
        fail_locked(s, id, EIS_ERR_STORE, true, "the result could not be stored");
    pthread_mutex_unlock(&s->lock);
    eis_mem_free(blob);
    return st;
}

void eis_store_jobs_fail(eis_job_store *s, const char *id, eis_status error, const char *message)
{
    pthread_mutex_lock(&s->lock);
    fail_locked(s, id, error, eis_status_retryable(error) != 0, message);
    pthread_mutex_unlock(&s->lock);
}

/* ---- Reading ---- */

static eis_status unpack(eis_job_row *row, const uint8_t *blob, size_t bytes)
{
    size_t count = bytes >= 4 ? eis_load_le32(blob) : 0, at = 4 + 8 * count;
    eis_status st = EIS_OK;

    EIS_REQUIRE(count >= 1 && count <= EIS_JOB_RESULTS_MAX && at <= bytes, EIS_ERR_STORE, "a stored result is damaged");
    EIS_NEW(row->memory, bytes);
    EIS_NEW(row->result, count);
    memcpy(row->memory, blob, bytes);
    for (size_t i = 0; i < count; i++) {
        uint64_t length = eis_load_le64(blob + 4 + 8 * i);

        EIS_REQUIRE(length <= bytes - at, EIS_ERR_STORE, "a stored result is damaged");
        row->result[i] = (eis_span){row->memory + at, (size_t)length};
        at += (size_t)length;
    }
    row->result_count = count;
out:
    return st;
}

static eis_status read_columns(eis_job_row *row, sqlite3_stmt *q)
{
    eis_status st = EIS_OK;

    copy_column(row->model, sizeof row->model, q, 0);
    copy_column(row->version, sizeof row->version, q, 1);
    row->state = (eis_job_state)sqlite3_column_int(q, 2);
    row->form = (unsigned)sqlite3_column_int(q, 3);
    row->batch = (uint64_t)sqlite3_column_int64(q, 4);
    row->created_ms = sqlite3_column_int64(q, 5);
    row->updated_ms = sqlite3_column_int64(q, 6);
    if (row->state == EIS_JOB_FAILED) {
        char code[64];

        copy_column(code, sizeof code, q, 7);
        row->error = eis_status_from_code(code);
        row->retryable = sqlite3_column_int(q, 8) != 0;
        copy_column(row->message, sizeof row->message, q, 9);
    }
    if (row->state == EIS_JOB_COMPLETED)
        st = unpack(row, sqlite3_column_blob(q, 10), (size_t)sqlite3_column_bytes(q, 10));
    return st;
}

/* Tells what the disk was never told. */
static void read_lost(eis_job_row *row, const eis_job_store *s)
{
    const lost *l = find_lost(s, row->id);

    if (l == NULL || row->state > EIS_JOB_RUNNING) return;
    row->state = EIS_JOB_FAILED;
    row->error = l->error;
    row->retryable = true;
    snprintf(row->message, sizeof row->message, "the result could not be stored");
}

eis_status eis_store_jobs_read(eis_job_row *row, eis_job_store *s, const char *tenant, const char *id)
{
    sqlite3_stmt *q = s->statement[READ];
    eis_status st = EIS_OK;
    int there = 0;

    *row = (eis_job_row){0};
    pthread_mutex_lock(&s->lock);
    (void)bind_text(q, 1, id);
    (void)bind_text(q, 2, tenant);
    (void)sqlite3_bind_int64(q, 3, now_of(s));
    EIS_TRY(eis_store_db_step(s->db, q, &there));
    EIS_REQUIRE(there, EIS_ERR_JOB_NOT_FOUND, "no such job");
    snprintf(row->id, sizeof row->id, "%s", id);
    EIS_TRY(read_columns(row, q));
    read_lost(row, s);
out:
    reset(q);
    pthread_mutex_unlock(&s->lock);
    if (st != EIS_OK) eis_store_jobs_row_clear(row);
    return st;
}

void eis_store_jobs_row_clear(eis_job_row *row)
{
    eis_mem_free(row->result);
    eis_mem_free(row->memory);
    *row = (eis_job_row){0};
}

/* ---- Forgetting ---- */

static eis_status delete_expired(eis_job_store *s, int64_t now)
{
    eis_status st = EIS_OK;
    int changed;

    EIS_TRY(eis_store_db_begin(s->db));
    (void)sqlite3_bind_int64(s->statement[PURGE_NAMES], 1, now);
    st = run(s, PURGE_NAMES, &changed);
    if (st == EIS_OK) {
        (void)sqlite3_bind_int64(s->statement[PURGE_JOBS], 1, now);
        st = run(s, PURGE_JOBS, &changed);
    }
    st = eis_store_db_end(s->db, st);
out:
    return st;
}

static eis_status purge(eis_job_store *s)
{
    sqlite3_stmt *q = s->statement[EXPIRED];
    int64_t now = now_of(s);
    eis_status st = EIS_OK;
    uint64_t jobs, bytes;
    int row = 0;

    (void)sqlite3_bind_int64(q, 1, now);
    EIS_TRY(eis_store_db_step(s->db, q, &row));
    jobs = (uint64_t)sqlite3_column_int64(q, 0);
    bytes = (uint64_t)sqlite3_column_int64(q, 1);
    reset(q);
    if (jobs == 0) return EIS_OK;
    EIS_TRY(delete_expired(s, now));
    s->counts.jobs -= jobs;
    s->counts.bytes -= bytes;
out:
    reset(q);
    return st;
}

/* After a write that the disk refused, a real one shows whether it takes them again. */
static eis_status probe(eis_job_store *s)
{
    return s->counts.healthy ? EIS_OK : eis_store_db_exec(s->db, "PRAGMA user_version=1");
}

/* Writes down what the disk has missed, as far as it takes it. */
static void flush_lost(eis_job_store *s)
{
    while (s->lost_count > 0) {
        lost l = s->lost[--s->lost_count];
        size_t left = s->lost_count;

        fail_locked(s, l.id, l.error, true, "the result could not be stored");
        if (s->lost_count > left) return;
    }
}

eis_status eis_store_jobs_purge(eis_job_store *s)
{
    eis_status st = EIS_OK;

    pthread_mutex_lock(&s->lock);
    EIS_TRY(probe(s));
    EIS_TRY(purge(s));
    s->counts.healthy = true;
    flush_lost(s);
out:
    if (st != EIS_OK) s->counts.healthy = false;
    pthread_mutex_unlock(&s->lock);
    return st;
}

void eis_store_jobs_counts(eis_job_counts *counts, eis_job_store *s)
{
    pthread_mutex_lock(&s->lock);
    *counts = s->counts;
    pthread_mutex_unlock(&s->lock);
}
