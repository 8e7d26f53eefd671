/* SPDX-License-Identifier: Apache-2.0 */
/* If a mask came out twice, two inputs would show their difference to a server; if it went to the server that knows its
 * seed, that server would read the input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/db.h"
#include "store/masks.h"

#define BODY_BYTES 40

static char dir[64], path[96], key_path[96], copy_path[96], journal_path[96];
static const eis_mask_pin pin_a = {{0xaa}}, pin_b = {{0xbb}}, pin_c = {{0xcc}};

static eis_mask_kind kind_of(const eis_mask_pin *seed, const eis_mask_pin *use)
{
    eis_mask_kind kind = {.layer = 3,
                          .profile = 1,
                          .ring_bits = 52,
                          .suite = 1,
                          .seed_pins = seed,
                          .seed_pin_count = 1,
                          .use_pins = use,
                          .use_pin_count = 1};

    memset(kind.pack_digest, 0xd1, sizeof kind.pack_digest);
    return kind;
}

static eis_mask_store *opened(const char *file, const char *key)
{
    eis_mask_store *s = NULL;

    if (eis_store_masks_open(&s, file, key) != EIS_OK) fail_msg("%s", eis_error_detail());
    return s;
}

/* Puts bodies filled with first, first + 1, ... */
static void put(eis_mask_store *s, const eis_mask_kind *kind, uint8_t first, size_t count)
{
    uint8_t bytes[16][BODY_BYTES];
    eis_span bodies[16];

    assert_true(count <= 16);
    for (size_t i = 0; i < count; i++) {
        memset(bytes[i], first + (int)i, BODY_BYTES);
        bodies[i] = (eis_span){bytes[i], BODY_BYTES};
    }
    assert_int_equal(eis_store_masks_put(s, kind, bodies, count), EIS_OK);
}

/* Takes one mask; returns its first byte, or -1 where none is left. */
static int take(eis_mask_store *s, const eis_mask_kind *kind)
{
    uint8_t body[BODY_BYTES];
    eis_status st = eis_store_masks_take(s, body, sizeof body, kind);

    if (st == EIS_ERR_MASKS_EXHAUSTED) return -1;
    if (st != EIS_OK) fail_msg("%s", eis_error_detail());
    for (size_t i = 1; i < BODY_BYTES; i++) assert_int_equal(body[i], body[0]);
    return body[0];
}

static size_t count_of(eis_mask_store *s, const eis_mask_kind *kind)
{
    size_t count = 999;

    assert_int_equal(eis_store_masks_count(s, &count, kind), EIS_OK);
    return count;
}

static void copy_file(const char *to, const char *from)
{
    static char buffer[1 << 20];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    size_t n;

    assert_non_null(in);
    assert_non_null(out);
    while ((n = fread(buffer, 1, sizeof buffer, in)) > 0) assert_int_equal(fwrite(buffer, 1, n, out), n);
    fclose(in);
    fclose(out);
    assert_int_equal(chmod(to, 0600), 0);
}

static void masks_leave_once_and_in_order(void **state)
{
    eis_mask_kind kind = kind_of(&pin_a, &pin_b);

    (void)state;
    for (int in_file = 0; in_file < 2; in_file++) {
        eis_mask_store *s = opened(in_file ? path : NULL, NULL);

        assert_int_equal(take(s, &kind), -1);
        put(s, &kind, 10, 3);
        put(s, &kind, 20, 2);
        assert_int_equal(count_of(s, &kind), 5);
        for (int i = 0; i < 3; i++) assert_int_equal(take(s, &kind), 10 + i);
        assert_int_equal(count_of(s, &kind), 2);
        assert_int_equal(take(s, &kind), 20);
        put(s, &kind, 30, 1);
        assert_int_equal(take(s, &kind), 21);
        assert_int_equal(take(s, &kind), 30);
        assert_int_equal(take(s, &kind), -1);
        eis_store_masks_close(s);
    }
}

static void any_other_kind_gets_no_mask(void **state)
{
    eis_mask_kind kind = kind_of(&pin_a, &pin_b), other;
    eis_mask_pin two[2] = {pin_a, pin_c};
    eis_mask_store *s = opened(NULL, NULL);

    (void)state;
    put(s, &kind, 1, 1);
    other = kind_of(&pin_b, &pin_a); /* --servers named the other way round */
    assert_int_equal(take(s, &other), -1);
    other = kind_of(&pin_c, &pin_b);
    assert_int_equal(take(s, &other), -1);
    other = kind_of(&pin_a, &pin_c);
    assert_int_equal(take(s, &other), -1);
    other = kind, other.seed_pins = two, other.seed_pin_count = 2;
    assert_int_equal(take(s, &other), -1);
    other = kind, other.pack_digest[31] ^= 1;
    assert_int_equal(take(s, &other), -1);
    other = kind, other.layer = 4;
    assert_int_equal(take(s, &other), -1);
    other = kind, other.profile = 2;
    assert_int_equal(take(s, &other), -1);
    other = kind, other.ring_bits = 40;
    assert_int_equal(take(s, &other), -1);
    other = kind, other.suite = 3;
    assert_int_equal(take(s, &other), -1);
    assert_int_equal(count_of(s, &kind), 1);
    assert_int_equal(take(s, &kind), 1);
    eis_store_masks_close(s);
}

static void a_server_on_both_sides_is_refused(void **state)
{
    eis_mask_kind kind = kind_of(&pin_a, &pin_a);
    eis_mask_pin twins[2] = {pin_b, pin_b};
    eis_mask_store *s = opened(NULL, NULL);
    eis_span body = {(const uint8_t *)"x", 1};
    uint8_t out[1];

    (void)state;
    assert_int_equal(eis_store_masks_put(s, &kind, &body, 1), EIS_ERR_USAGE);
    assert_int_equal(eis_store_masks_take(s, out, 1, &kind), EIS_ERR_USAGE);
    kind = kind_of(&pin_a, twins), kind.use_pin_count = 2;
    assert_int_equal(eis_store_masks_put(s, &kind, &body, 1), EIS_ERR_USAGE);
    kind = kind_of(&pin_a, &pin_b), kind.seed_pin_count = 0;
    assert_int_equal(eis_store_masks_put(s, &kind, &body, 1), EIS_ERR_USAGE);
    kind = kind_of(&pin_a, &pin_b), kind.use_pin_count = EIS_MASK_SERVERS_MAX + 1;
    assert_int_equal(eis_store_masks_put(s, &kind, &body, 1), EIS_ERR_USAGE);
    eis_store_masks_close(s);
}

static void a_wrong_length_burns_the_mask(void **state)
{
    eis_mask_kind kind = kind_of(&pin_a, &pin_b);
    eis_mask_store *s = opened(NULL, NULL);
    uint8_t out[BODY_BYTES + 1];

    (void)state;
    put(s, &kind, 1, 2);
    memset(out, 7, sizeof out);
    assert_int_equal(eis_store_masks_take(s, out, sizeof out, &kind), EIS_ERR_STORE);
    for (size_t i = 0; i < sizeof out; i++) assert_int_equal(out[i], 0);
    assert_int_equal(take(s, &kind), 2);
    eis_store_masks_close(s);
}

/* Runs body in a child that dies without a last word; returns what it wrote to the pipe. */
static ssize_t in_dying_child(uint8_t *out, size_t out_bytes, void (*body)(int pipe_end))
{
    int ends[2], status;
    ssize_t n;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        body(ends[1]);
        raise(SIGKILL);
        _exit(1);
    }
    close(ends[1]);
    n = read(ends[0], out, out_bytes);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    return n;
}

static void take_and_die(int pipe_end)
{
    eis_mask_kind kind = kind_of(&pin_a, &pin_b);
    eis_mask_store *s = NULL;
    uint8_t body[BODY_BYTES];

    if (eis_store_masks_open(&s, path, key_path) != EIS_OK) return;
    if (eis_store_masks_take(s, body, sizeof body, &kind) == EIS_OK) (void)!write(pipe_end, body, 1);
    /* Here the share would leave; the process is killed instead. */
}

static void a_crash_never_yields_a_mask_twice(void **state)
{
    eis_mask_kind kind = kind_of(&pin_a, &pin_b);
    eis_mask_store *s = opened(path, key_path);
    bool seen[256] = {false};
    int last;

    (void)state;
    put(s, &kind, 1, 12);
    eis_store_masks_close(s);
    for (int i = 0; i < 6; i++) {
        uint8_t first = 0;

        assert_int_equal(in_dying_child(&first, 1, take_and_die), 1);
        assert_true(first >= 1 && !seen[first]);
        seen[first] = true;
    }
    s = opened(path, key_path);
    while ((last = take(s, &kind)) >= 0) {
        assert_false(seen[last]);
        seen[last] = true;
    }
    for (int i = 1; i <= 12; i++) assert_true(seen[i]);
    eis_store_masks_close(s);
}

/* Takes masks as fast as it can until it is killed from outside, each reported after it was burnt. */
static void a_kill_at_any_moment_never_yields_a_mask_twice(void **state)
{
    eis_mask_kind kind = kind_of(&pin_a, &pin_b);
    bool seen[256] = {false};
    eis_mask_store *s = opened(path, key_path);
    int last;

    (void)state;
    for (int i = 0; i < 10; i++) put(s, &kind, (uint8_t)(1 + 16 * i), 16);
    eis_store_masks_close(s);
    for (int round = 0; round < 8; round++) {
        int ends[2], status;
        uint8_t first;
        pid_t child;

        assert_int_equal(pipe(ends), 0);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            eis_mask_store *mine = NULL;
            uint8_t body[BODY_BYTES];

            if (eis_store_masks_open(&mine, path, key_path) != EIS_OK) _exit(3);
            while (eis_store_masks_take(mine, body, sizeof body, &kind) == EIS_OK) (void)!write(ends[1], body, 1);
            _exit(0);
        }
        close(ends[1]);
        usleep((useconds_t)(3000 + 5000 * round));
        kill(child, SIGKILL);
        while (read(ends[0], &first, 1) == 1) {
            assert_false(seen[first]);
            seen[first] = true;
        }
        close(ends[0]);
        assert_int_equal(waitpid(child, &status, 0), child);
    }
    s = opened(path, key_path);
    while ((last = take(s, &kind)) >= 0) {
        assert_false(seen[last]);
        seen[last] = true;
    }
    eis_store_masks_close(s);
}

static void masks_survive_in_a_file_with_a_key_only(void **state)
{
    eis_mask_kind kind = kind_of(&pin_a, &pin_b);
    eis_mask_store *s = opened(path, key_path);

    (void)state;
    put(s, &kind, 1, 3);
    assert_int_equal(take(s, &kind), 1);
    eis_store_masks_close(s);
    s = opened(path, key_path);
    assert_int_equal(count_of(s, &kind), 2);
    assert_int_equal(take(s, &kind), 2);
    eis_store_masks_close(s);
    s = opened(path, NULL); /* the key was in memory: nothing opens these rows */
    assert_int_equal(take(s, &kind), -1);
    eis_store_masks_close(s);
}

static void an_older_copy_opens_under_no_key(void **state)
{
    eis_mask_kind kind = kind_of(&pin_a, &pin_b);
    eis_mask_store *s = opened(path, key_path);

    (void)state;
    put(s, &kind, 1, 3);
    eis_store_masks_close(s);
    copy_file(copy_path, path);
    s = opened(path, key_path); /* a new opening: a new key */
    assert_int_equal(take(s, &kind), 1);
    eis_store_masks_close(s);
    copy_file(path, copy_path);
    s = opened(path, key_path);
    assert_int_equal(count_of(s, &kind), 0);
    assert_int_equal(take(s, &kind), -1);
    put(s, &kind, 50, 1); /* the store works on */
    assert_int_equal(take(s, &kind), 50);
    eis_store_masks_close(s);
}

static void each_opening_has_another_key(void **state)
{
    uint8_t first[32], second[32];
    FILE *file;

    (void)state;
    eis_store_masks_close(opened(path, key_path));
    file = fopen(key_path, "rb");
    assert_int_equal(fread(first, 1, 32, file), 32);
    fclose(file);
    eis_store_masks_close(opened(path, key_path));
    file = fopen(key_path, "rb");
    assert_int_equal(fread(second, 1, 32, file), 32);
    fclose(file);
    assert_memory_not_equal(first, second, 32);
    assert_int_equal(chmod(key_path, 0644), 0);
    assert_int_equal(eis_store_masks_open(&(eis_mask_store *){NULL}, path, key_path), EIS_ERR_FILE);
    assert_int_equal(chmod(key_path, 0600), 0);
}

static void a_row_that_comes_back_is_passed_over(void **state)
{
    eis_mask_kind kind = kind_of(&pin_a, &pin_b);
    eis_mask_store *s = opened(path, key_path);

    (void)state;
    put(s, &kind, 1, 2);
    copy_file(copy_path, path);
    assert_int_equal(take(s, &kind), 1);
    copy_file(path, copy_path); /* under the open store; SQLite may see it or a damaged file, but never mask 1 again */
    for (int i = 0; i < 3; i++) {
        uint8_t body[BODY_BYTES];

        if (eis_store_masks_take(s, body, sizeof body, &kind) == EIS_OK) assert_int_not_equal(body[0], 1);
    }
    eis_store_masks_close(s);
}

static void rows_do_not_open_in_another_place(void **state)
{
    eis_mask_kind kind = kind_of(&pin_a, &pin_b), swapped = kind_of(&pin_b, &pin_a);
    eis_mask_store *s = opened(path, key_path);
    uint8_t body[BODY_BYTES];
    sqlite3 *db = NULL;

    (void)state;
    put(s, &kind, 1, 1);
    put(s, &swapped, 2, 1);
    eis_store_masks_close(s);
    assert_int_equal(eis_store_db_open(&db, path), EIS_OK);
    /* Somebody with the file relabels one row, so that it would go to the server that knows its seed. */
    assert_int_equal(eis_store_db_exec(db, "UPDATE mask SET kind = (SELECT kind FROM mask WHERE idx = "
                                           "(SELECT max(idx) FROM mask)) WHERE idx = (SELECT min(idx) FROM mask)"),
                     EIS_OK);
    eis_store_db_close(db);
    s = opened(path, key_path);
    assert_int_equal(count_of(s, &kind), 0);
    assert_int_equal(count_of(s, &swapped), 1);
    assert_int_equal(eis_store_masks_take(s, body, sizeof body, &swapped), EIS_OK);
    assert_int_equal(body[0], 2);
    eis_store_masks_close(s);
}

static void a_second_opening_and_a_child_are_refused(void **state)
{
    eis_mask_kind kind = kind_of(&pin_a, &pin_b);
    eis_mask_store *s = opened(path, key_path), *second = NULL;
    int status;
    pid_t child;

    (void)state;
    put(s, &kind, 1, 2);
    assert_int_equal(eis_store_masks_open(&second, path, key_path), EIS_ERR_STORE);
    assert_null(second);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uint8_t body[BODY_BYTES];
        size_t count;
        int right = eis_store_masks_take(s, body, sizeof body, &kind) == EIS_ERR_STORE &&
                    eis_store_masks_count(s, &count, &kind) == EIS_ERR_STORE &&
                    eis_store_masks_open(&second, path, key_path) == EIS_ERR_STORE &&
                    eis_store_masks_open(&second, NULL, NULL) == EIS_OK;

        eis_store_masks_close(second);
        eis_store_masks_close(s);
        _exit(right ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(eis_store_masks_open(&second, path, key_path), EIS_ERR_STORE); /* still ours */
    assert_int_equal(take(s, &kind), 1);
    eis_store_masks_close(s);
}

static void foreign_files_are_refused(void **state)
{
    eis_mask_store *s = NULL;
    FILE *file = fopen(path, "w");

    (void)state;
    assert_non_null(file);
    for (int i = 0; i < 200; i++) fputs("this is no database\n", file);
    fclose(file);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(eis_store_masks_open(&s, path, NULL), EIS_ERR_STORE);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(eis_store_masks_open(&s, path, NULL), EIS_ERR_STORE);
    assert_non_null(strstr(eis_error_detail(), "chmod 600"));
    assert_int_equal(remove(path), 0);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_int_equal(eis_store_masks_open(&s, path, NULL), EIS_ERR_STORE);
    assert_int_equal(eis_store_masks_open(&s, "/nonexistent/masks", NULL), EIS_ERR_STORE);
    assert_null(s);
}

static void short_memory_loses_a_mask_rather_than_repeating_it(void **state)
{
    eis_mask_kind kind = kind_of(&pin_a, &pin_b);
    eis_mask_store *s = NULL;
    uint8_t body[BODY_BYTES];
    bool seen[64] = {false};
    eis_status st = EIS_ERR_MEMORY;

    (void)state;
    for (unsigned long n = 1; st != EIS_OK; n++) {
        (void)eis_mem_fail_at(n);
        st = eis_store_masks_open(&s, path, key_path);
        (void)eis_mem_fail_at(0);
        if (st != EIS_OK) assert_null(s);
    }
    put(s, &kind, 1, 16);
    st = EIS_ERR_MEMORY;
    for (unsigned long n = 1; n < 40; n++) {
        (void)eis_mem_fail_at(n);
        st = eis_store_masks_take(s, body, sizeof body, &kind);
        (void)eis_mem_fail_at(0);
        if (st == EIS_ERR_MASKS_EXHAUSTED) break;
        if (st != EIS_OK) continue;
        assert_false(seen[body[0]]);
        seen[body[0]] = true;
    }
    assert_int_equal(st, EIS_ERR_MASKS_EXHAUSTED);
    eis_store_masks_close(s);
}

/* Takes until nothing is left and marks what came in a table of its own. */
typedef struct taker {
    eis_mask_store *store;
    uint8_t seen[256];
} taker;

static void *take_all(void *arg)
{
    eis_mask_kind kind = kind_of(&pin_a, &pin_b);
    taker *t = arg;
    uint8_t body[BODY_BYTES];

    while (eis_store_masks_take(t->store, body, sizeof body, &kind) == EIS_OK) t->seen[body[0]]++;
    return NULL;
}

static void threads_never_share_a_mask(void **state)
{
    eis_mask_kind kind = kind_of(&pin_a, &pin_b);
    taker takers[4] = {{0}};
    pthread_t thread[4];

    (void)state;
    takers[0].store = opened(NULL, NULL);
    for (int i = 0; i < 10; i++) put(takers[0].store, &kind, (uint8_t)(1 + 16 * i), 16);
    for (int i = 0; i < 4; i++) {
        takers[i].store = takers[0].store;
        assert_int_equal(pthread_create(&thread[i], NULL, take_all, &takers[i]), 0);
    }
    for (int i = 0; i < 4; i++) pthread_join(thread[i], NULL);
    for (int m = 1; m <= 160; m++)
        assert_int_equal(takers[0].seen[m] + takers[1].seen[m] + takers[2].seen[m] + takers[3].seen[m], 1);
    eis_store_masks_close(takers[0].store);
}

static int pragma(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    int row = 0, value;

    assert_int_equal(eis_store_db_prepare(db, &statement, sql), EIS_OK);
    assert_int_equal(eis_store_db_step(db, statement, &row), EIS_OK);
    assert_true(row);
    value = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static void a_commit_is_on_the_disk(void **state)
{
    sqlite3 *db = NULL;

    (void)state;
    assert_int_equal(eis_store_db_open(&db, path), EIS_OK);
    assert_int_equal(pragma(db, "PRAGMA synchronous"), 3); /* EXTRA */
    assert_int_equal(pragma(db, "PRAGMA secure_delete"), 1);
    assert_int_equal(pragma(db, "SELECT journal_mode = 'truncate' FROM pragma_journal_mode"), 1);
    eis_store_db_close(db);
}

static void bodies_are_not_in_the_file(void **state)
{
    static uint8_t bytes[1 << 20];
    eis_mask_kind kind = kind_of(&pin_a, &pin_b);
    eis_mask_store *s = opened(path, key_path);
    uint8_t needle[16];
    FILE *file;
    size_t n;

    (void)state;
    put(s, &kind, 0x5a, 1);
    eis_store_masks_close(s);
    memset(needle, 0x5a, sizeof needle);
    file = fopen(path, "rb");
    n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t i = 0; i + sizeof needle <= n; i++) assert_memory_not_equal(bytes + i, needle, sizeof needle);
}

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/eis-test-masks-XXXXXX");
    if (mkdtemp(dir) == NULL) return 1;
    snprintf(path, sizeof path, "%s/masks", dir);
    snprintf(key_path, sizeof key_path, "%s/key", dir);
    snprintf(copy_path, sizeof copy_path, "%s/copy", dir);
    snprintf(journal_path, sizeof journal_path, "%s/masks-journal", dir);
    return 0;
}

static int clean_dir(void **state)
{
    char lock[104];

    (void)state;
    snprintf(lock, sizeof lock, "%s.lock", path);
    (void)remove(path);
    (void)remove(key_path);
    (void)remove(copy_path);
    (void)remove(journal_path);
    (void)remove(lock);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    return rmdir(dir);
}

#define TEST(f) cmocka_unit_test_teardown(f, clean_dir)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(masks_leave_once_and_in_order),
        TEST(any_other_kind_gets_no_mask),
        TEST(a_server_on_both_sides_is_refused),
        TEST(a_wrong_length_burns_the_mask),
        TEST(a_crash_never_yields_a_mask_twice),
        TEST(a_kill_at_any_moment_never_yields_a_mask_twice),
        TEST(masks_survive_in_a_file_with_a_key_only),
        TEST(an_older_copy_opens_under_no_key),
        TEST(each_opening_has_another_key),
        TEST(a_row_that_comes_back_is_passed_over),
        TEST(rows_do_not_open_in_another_place),
        TEST(a_second_opening_and_a_child_are_refused),
        TEST(foreign_files_are_refused),
        TEST(short_memory_loses_a_mask_rather_than_repeating_it),
        TEST(threads_never_share_a_mask),
        TEST(a_commit_is_on_the_disk),
        TEST(bodies_are_not_in_the_file),
    };
    return cmocka_run_group_tests_name("store/masks", tests, make_dir, remove_dir);
}
