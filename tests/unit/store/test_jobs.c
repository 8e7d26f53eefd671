/* SPDX-License-Identifier: Apache-2.0 */
/* A job that a client was promised must be found again, end once, and stay as it ended: also when the process dies, two
 * clients race for one key, or time runs out. */
#include "store/jobs.h"

#include "base/mem.h"
#include "store/db.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ID_A "0123456789abcdef0123456789abcdef"
#define ID_B "fedcba9876543210fedcba9876543210"
#define ID_C "00000000000000000000000000000001"

static int64_t fake_now;

static int64_t read_fake_clock(void *context)
{
    (void)context;
    return fake_now;
}

static eis_job_store *open_store(const char *path)
{
    const eis_job_store_config config = {.path = path, .ttl_ms = 1000, .bytes_max = 10000, .now_ms = read_fake_clock};
    eis_job_store *store = NULL;

    if (eis_store_jobs_open(&store, &config) != EIS_OK) fail_msg("%s", eis_error_detail());
    return store;
}

static eis_job_new new_job(const char *id, const char *key, const uint8_t *digest)
{
    return (eis_job_new){.id = id,
                         .tenant = "default",
                         .model = "m",
                         .version = "1.0.0",
                         .form = 2,
                         .batch = 7,
                         .result_bytes = 100,
                         .key = key,
                         .digest = digest};
}

static void add(eis_job_store *store, const char *id, const char *key, const uint8_t *digest)
{
    const eis_job_new job = new_job(id, key, digest);
    char got[EIS_JOB_ID_BYTES];
    bool fresh = false;

    assert_int_equal(eis_store_jobs_add(&fresh, got, store, &job), EIS_OK);
    assert_true(fresh);
    assert_string_equal(got, id);
}

static eis_job_state state_of(eis_job_store *store, const char *id)
{
    eis_job_row row;
    eis_job_state state;

    assert_int_equal(eis_store_jobs_read(&row, store, "default", id), EIS_OK);
    state = row.state;
    eis_store_jobs_row_clear(&row);
    return state;
}

static void make_path(char path[64])
{
    int file;

    snprintf(path, 64, "/tmp/eis-test-jobs-XXXXXX");
    file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    unlink(path);
}

static void remove_store(const char *path)
{
    char wal[80];

    snprintf(wal, sizeof wal, "%s-wal", path);
    unlink(wal);
    unlink(path);
}

static void a_job_moves_forward_and_its_result_stays(void **state)
{
    const eis_span results[] = {{(const uint8_t *)"first", 5}, {(const uint8_t *)"", 0}, {(const uint8_t *)"third", 5}};
    eis_job_store *store = open_store(NULL);
    eis_job_row row;

    (void)state;
    add(store, ID_A, NULL, NULL);
    assert_int_equal(state_of(store, ID_A), EIS_JOB_QUEUED);
    assert_int_equal(eis_store_jobs_complete(store, ID_A, results, 1), EIS_ERR_JOB_NOT_FOUND); /* not running yet */
    assert_int_equal(eis_store_jobs_start(store, ID_A), EIS_OK);
    assert_int_equal(eis_store_jobs_start(store, ID_A), EIS_ERR_JOB_NOT_FOUND);
    assert_int_equal(state_of(store, ID_A), EIS_JOB_RUNNING);
    assert_int_equal(eis_store_jobs_complete(store, ID_A, results, 3), EIS_OK);
    /* Nothing changes it any more. */
    assert_int_equal(eis_store_jobs_complete(store, ID_A, results, 1), EIS_ERR_JOB_NOT_FOUND);
    eis_store_jobs_fail(store, ID_A, EIS_ERR_INTERNAL, "too late");
    assert_int_equal(eis_store_jobs_start(store, ID_A), EIS_ERR_JOB_NOT_FOUND);
    assert_int_equal(eis_store_jobs_read(&row, store, "default", ID_A), EIS_OK);
    assert_int_equal(row.state, EIS_JOB_COMPLETED);
    assert_int_equal(row.result_count, 3);
    assert_int_equal(row.result[0].bytes, 5);
    assert_memory_equal(row.result[0].data, "first", 5);
    assert_int_equal(row.result[1].bytes, 0);
    assert_memory_equal(row.result[2].data, "third", 5);
    assert_int_equal(row.form, 2);
    assert_int_equal(row.batch, 7);
    assert_string_equal(row.model, "m");
    eis_store_jobs_row_clear(&row);
    eis_store_jobs_close(store);
}

static void a_failed_job_says_why(void **state)
{
    eis_job_store *store = open_store(NULL);
    eis_job_row row;

    (void)state;
    add(store, ID_A, NULL, NULL);
    eis_store_jobs_fail(store, ID_A, EIS_ERR_KEYS_REQUIRED, "the keys are gone");
    assert_int_equal(eis_store_jobs_read(&row, store, "default", ID_A), EIS_OK);
    assert_int_equal(row.state, EIS_JOB_FAILED);
    assert_int_equal(row.error, EIS_ERR_KEYS_REQUIRED);
    assert_false(row.retryable);
    assert_string_equal(row.message, "the keys are gone");
    eis_store_jobs_row_clear(&row);
    eis_store_jobs_close(store);
}

static void other_tenants_find_nothing(void **state)
{
    eis_job_store *store = open_store(NULL);
    eis_job_row row;

    (void)state;
    add(store, ID_A, NULL, NULL);
    assert_int_equal(eis_store_jobs_read(&row, store, "other", ID_A), EIS_ERR_JOB_NOT_FOUND);
    assert_int_equal(eis_store_jobs_read(&row, store, "default", ID_B), EIS_ERR_JOB_NOT_FOUND);
    eis_store_jobs_close(store);
}

static void a_key_gives_one_job(void **state)
{
    const uint8_t digest[EIS_JOB_DIGEST_BYTES] = {1}, other[EIS_JOB_DIGEST_BYTES] = {2};
    eis_job_new again = new_job(ID_B, "key", digest);
    eis_job_store *store = open_store(NULL);
    char id[EIS_JOB_ID_BYTES];
    bool found, fresh;

    (void)state;
    assert_int_equal(eis_store_jobs_find_key(&found, id, store, "default", "key", digest), EIS_OK);
    assert_false(found);
    add(store, ID_A, "key", digest);
    assert_int_equal(eis_store_jobs_find_key(&found, id, store, "default", "key", digest), EIS_OK);
    assert_true(found);
    assert_string_equal(id, ID_A);
    /* The same again, by somebody who did not look first. */
    assert_int_equal(eis_store_jobs_add(&fresh, id, store, &again), EIS_OK);
    assert_false(fresh);
    assert_string_equal(id, ID_A);
    /* Another body, or another tenant. */
    assert_int_equal(eis_store_jobs_find_key(&found, id, store, "default", "key", other), EIS_ERR_KEY_REUSED);
    again.digest = other;
    assert_int_equal(eis_store_jobs_add(&fresh, id, store, &again), EIS_ERR_KEY_REUSED);
    assert_int_equal(eis_store_jobs_find_key(&found, id, store, "other", "key", other), EIS_OK);
    assert_false(found);
    eis_store_jobs_close(store);
}

static void a_retryable_failure_is_run_once_more_and_then_stands(void **state)
{
    const uint8_t digest[EIS_JOB_DIGEST_BYTES] = {1};
    eis_job_store *store = open_store(NULL);
    char id[EIS_JOB_ID_BYTES];
    eis_job_row row;
    bool found;

    (void)state;
    add(store, ID_A, "key", digest);
    eis_store_jobs_fail(store, ID_A, EIS_ERR_MEMORY, "");
    assert_int_equal(eis_store_jobs_find_key(&found, id, store, "default", "key", digest), EIS_OK);
    assert_false(found);
    add(store, ID_B, "key", digest);
    assert_int_equal(eis_store_jobs_find_key(&found, id, store, "default", "key", digest), EIS_OK);
    assert_true(found);
    assert_string_equal(id, ID_B);
    eis_store_jobs_fail(store, ID_B, EIS_ERR_MEMORY, "");
    assert_int_equal(eis_store_jobs_find_key(&found, id, store, "default", "key", digest), EIS_OK);
    assert_true(found);
    assert_string_equal(id, ID_B);
    assert_int_equal(eis_store_jobs_read(&row, store, "default", ID_B), EIS_OK);
    assert_false(row.retryable);
    eis_store_jobs_row_clear(&row);
    assert_int_equal(eis_store_jobs_read(&row, store, "default", ID_A), EIS_OK);
    assert_true(row.retryable);
    eis_store_jobs_row_clear(&row);
    eis_store_jobs_close(store);
}

static void a_failure_for_good_is_not_run_again(void **state)
{
    const uint8_t digest[EIS_JOB_DIGEST_BYTES] = {1};
    eis_job_store *store = open_store(NULL);
    char id[EIS_JOB_ID_BYTES];
    bool found;

    (void)state;
    add(store, ID_A, "key", digest);
    eis_store_jobs_fail(store, ID_A, EIS_ERR_SCALE, "");
    assert_int_equal(eis_store_jobs_find_key(&found, id, store, "default", "key", digest), EIS_OK);
    assert_true(found);
    eis_store_jobs_close(store);
}

typedef struct racer {
    eis_job_store *store;
    char id[EIS_JOB_ID_BYTES], got[EIS_JOB_ID_BYTES];
    bool fresh;
} racer;

static void *race(void *context)
{
    static const uint8_t digest[EIS_JOB_DIGEST_BYTES] = {1};
    racer *r = context;
    const eis_job_new job = new_job(r->id, "key", digest);

    (void)!eis_store_jobs_add(&r->fresh, r->got, r->store, &job);
    return NULL;
}

static void two_retries_at_once_start_one_job(void **state)
{
    enum { RACERS = 8 };
    const uint8_t digest[EIS_JOB_DIGEST_BYTES] = {1};
    eis_job_store *store = open_store(NULL);
    pthread_t threads[RACERS];
    racer racers[RACERS];
    size_t fresh = 0;

    (void)state;
    add(store, ID_A, "key", digest);
    eis_store_jobs_fail(store, ID_A, EIS_ERR_INTERNAL, "");
    for (size_t i = 0; i < RACERS; i++) {
        racers[i] = (racer){.store = store};
        snprintf(racers[i].id, sizeof racers[i].id, "%032zu", i + 10);
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (size_t i = 0; i < RACERS; i++) {
        pthread_join(threads[i], NULL);
        fresh += racers[i].fresh;
    }
    assert_int_equal(fresh, 1);
    for (size_t i = 1; i < RACERS; i++) assert_string_equal(racers[i].got, racers[0].got);
    eis_store_jobs_close(store);
}

static void jobs_are_forgotten_in_time(void **state)
{
    const uint8_t digest[EIS_JOB_DIGEST_BYTES] = {1}, other[EIS_JOB_DIGEST_BYTES] = {2};
    const eis_span result = {(const uint8_t *)"r", 1};
    eis_job_store *store = open_store(NULL);
    eis_job_counts counts;
    eis_job_row row;

    (void)state;
    fake_now = 5000;
    add(store, ID_A, "key", digest);
    fake_now += 100000; /* it waits: no time runs for it */
    assert_int_equal(eis_store_jobs_start(store, ID_A), EIS_OK);
    assert_int_equal(eis_store_jobs_complete(store, ID_A, &result, 1), EIS_OK);
    fake_now += 999;
    assert_int_equal(state_of(store, ID_A), EIS_JOB_COMPLETED);
    fake_now += 1;
    assert_int_equal(eis_store_jobs_read(&row, store, "default", ID_A), EIS_ERR_JOB_NOT_FOUND); /* before any purge */
    eis_store_jobs_counts(&counts, store);
    assert_int_equal(counts.jobs, 1);
    add(store, ID_B, "key", other); /* the key is free again */
    eis_store_jobs_counts(&counts, store);
    assert_int_equal(counts.jobs, 1);
    assert_int_equal(counts.bytes, 100);
    eis_store_jobs_close(store);
}

static void the_budget_of_bytes_holds(void **state)
{
    eis_job_new large = new_job(ID_B, NULL, NULL);
    eis_job_store *store = open_store(NULL);
    char id[EIS_JOB_ID_BYTES];
    bool fresh;

    (void)state;
    add(store, ID_A, NULL, NULL);
    large.result_bytes = 9901;
    assert_int_equal(eis_store_jobs_add(&fresh, id, store, &large), EIS_ERR_BUSY);
    large.result_bytes = 9900;
    assert_int_equal(eis_store_jobs_add(&fresh, id, store, &large), EIS_OK);
    assert_true(fresh);
    eis_store_jobs_close(store);
}

/* The child dies where it stands, as kill -9 does; what it had promised is found by the next process. */
static void a_crash_leaves_failed_and_retryable_jobs(void **state)
{
    const uint8_t digest[EIS_JOB_DIGEST_BYTES] = {1};
    const eis_span result = {(const uint8_t *)"kept", 4};
    eis_job_store *store;
    eis_job_counts counts;
    char path[64], id[EIS_JOB_ID_BYTES];
    struct stat info;
    eis_job_row row;
    bool found;
    pid_t child;
    int status;

    (void)state;
    fake_now = 1000;
    make_path(path);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        store = open_store(path);
        add(store, ID_A, "key", digest);
        add(store, ID_B, NULL, NULL);
        add(store, ID_C, NULL, NULL);
        if (eis_store_jobs_start(store, ID_A) != EIS_OK || eis_store_jobs_start(store, ID_C) != EIS_OK ||
            eis_store_jobs_complete(store, ID_C, &result, 1) != EIS_OK)
            _exit(1);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    store = open_store(path);
    eis_store_jobs_counts(&counts, store);
    assert_int_equal(counts.cut_off, 2);
    assert_int_equal(eis_store_jobs_read(&row, store, "default", ID_A), EIS_OK);
    assert_int_equal(row.state, EIS_JOB_FAILED);
    assert_int_equal(row.error, EIS_ERR_INTERRUPTED);
    assert_true(row.retryable);
    eis_store_jobs_row_clear(&row);
    assert_int_equal(state_of(store, ID_B), EIS_JOB_FAILED);
    assert_int_equal(eis_store_jobs_read(&row, store, "default", ID_C), EIS_OK);
    assert_int_equal(row.state, EIS_JOB_COMPLETED);
    assert_memory_equal(row.result[0].data, "kept", 4);
    eis_store_jobs_row_clear(&row);
    /* The same key runs it once more; a second crash is the last. */
    assert_int_equal(eis_store_jobs_find_key(&found, id, store, "default", "key", digest), EIS_OK);
    assert_false(found);
    eis_store_jobs_close(store);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        store = open_store(path);
        add(store, "11111111111111111111111111111111", "key", digest);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    store = open_store(path);
    assert_int_equal(eis_store_jobs_find_key(&found, id, store, "default", "key", digest), EIS_OK);
    assert_true(found);
    assert_string_equal(id, "11111111111111111111111111111111");
    assert_int_equal(eis_store_jobs_read(&row, store, "default", id), EIS_OK);
    assert_int_equal(row.state, EIS_JOB_FAILED);
    assert_false(row.retryable);
    eis_store_jobs_row_clear(&row);
    eis_store_jobs_close(store);
    remove_store(path);
}

static void a_store_has_one_owner(void **state)
{
    const eis_job_store_config config = {0};
    eis_job_store_config same = config;
    eis_job_store *first, *second = NULL;
    char path[64];

    (void)state;
    make_path(path);
    same.path = path;
    assert_int_equal(eis_store_jobs_open(&first, &same), EIS_OK);
    assert_int_equal(eis_store_jobs_open(&second, &same), EIS_ERR_STORE);
    assert_null(second);
    eis_store_jobs_close(first);
    remove_store(path);
}

/* A disk that takes no more: the job has failed for whoever asks, readiness is off, and comes back with the disk. */
static void a_full_disk_fails_the_job_and_not_its_readers(void **state)
{
    static uint8_t large[4 << 20];
    const eis_span result = {large, sizeof large};
    const struct rlimit small = {65536, RLIM_INFINITY}, unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    eis_job_store *store;
    eis_job_counts counts;
    char path[64];
    eis_job_row row;

    (void)state;
    make_path(path);
    store = open_store(path);
    add(store, ID_A, NULL, NULL);
    assert_int_equal(eis_store_jobs_start(store, ID_A), EIS_OK);
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &small) != 0) skip();
    assert_int_equal(eis_store_jobs_complete(store, ID_A, &result, 1), EIS_ERR_STORE);
    assert_int_equal(eis_store_jobs_read(&row, store, "default", ID_A), EIS_OK);
    assert_int_equal(row.state, EIS_JOB_FAILED);
    assert_int_equal(row.error, EIS_ERR_STORE);
    assert_true(row.retryable);
    eis_store_jobs_row_clear(&row);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
    assert_int_equal(eis_store_jobs_purge(store), EIS_OK);
    eis_store_jobs_counts(&counts, store);
    assert_true(counts.healthy);
    eis_store_jobs_close(store);
    store = open_store(path); /* it was written down after all */
    assert_int_equal(state_of(store, ID_A), EIS_JOB_FAILED);
    eis_store_jobs_close(store);
    remove_store(path);
}

static void write_file(const char *path, const void *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    fclose(file);
}

static void what_is_no_store_is_refused_by_name(void **state)
{
    eis_job_store_config config = {0};
    eis_job_store *store = NULL;
    char path[64], noise[4096];
    sqlite3 *db = NULL;

    (void)state;
    make_path(path);
    config.path = path;
    memset(noise, 'x', sizeof noise);
    write_file(path, noise, sizeof noise);
    assert_int_equal(eis_store_jobs_open(&store, &config), EIS_ERR_STORE);
    assert_non_null(strstr(eis_error_detail(), "store"));
    remove_store(path);
    /* A database of somebody else's. */
    assert_int_equal(eis_store_db_open(&db, path), EIS_OK);
    assert_int_equal(eis_store_db_exec(db, "CREATE TABLE job(x)"), EIS_OK);
    eis_store_db_close(db);
    assert_int_equal(eis_store_jobs_open(&store, &config), EIS_ERR_STORE);
    assert_non_null(strstr(eis_error_detail(), path));
    remove_store(path);
}

static void a_damaged_store_is_refused(void **state)
{
    const eis_job_store_config none = {0};
    eis_job_store_config config = none;
    eis_job_store *store = NULL;
    char path[64], zeros[4096];
    FILE *file;

    (void)state;
    memset(zeros, 0xff, sizeof zeros);
    make_path(path);
    config.path = path;
    assert_int_equal(eis_store_jobs_open(&store, &config), EIS_OK);
    for (size_t i = 0; i < 50; i++) {
        char id[EIS_JOB_ID_BYTES];

        snprintf(id, sizeof id, "%032zu", i);
        add(store, id, NULL, NULL);
    }
    eis_store_jobs_close(store);
    file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 4096, SEEK_SET), 0);
    assert_int_equal(fwrite(zeros, 1, sizeof zeros, file), sizeof zeros);
    fclose(file);
    assert_int_equal(eis_store_jobs_open(&store, &config), EIS_ERR_STORE);
    assert_null(store);
    remove_store(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_moves_forward_and_its_result_stays),
        cmocka_unit_test(a_failed_job_says_why),
        cmocka_unit_test(other_tenants_find_nothing),
        cmocka_unit_test(a_key_gives_one_job),
        cmocka_unit_test(a_retryable_failure_is_run_once_more_and_then_stands),
        cmocka_unit_test(a_failure_for_good_is_not_run_again),
        cmocka_unit_test(two_retries_at_once_start_one_job),
        cmocka_unit_test(jobs_are_forgotten_in_time),
        cmocka_unit_test(the_budget_of_bytes_holds),
        cmocka_unit_test(a_crash_leaves_failed_and_retryable_jobs),
        cmocka_unit_test(a_store_has_one_owner),
        cmocka_unit_test(a_full_disk_fails_the_job_and_not_its_readers),
        cmocka_unit_test(what_is_no_store_is_refused_by_name),
        cmocka_unit_test(a_damaged_store_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
