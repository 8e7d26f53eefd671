/* SPDX-License-Identifier: Apache-2.0 */
/* A unit that is used twice gives away the difference of two texts: records move forward only, a crash leaves nothing
 * open, and a seed is nowhere in the file. */
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

#include "store/db.h"
#include "store/material.h"

static char dir[64], path[96];
static const uint8_t session_a[32] = {0xaa}, session_b[32] = {0xbb}, digest[32] = {0xd1};

static int make_place(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/eis-material-XXXXXX");
    if (mkdtemp(dir) == NULL) return -1;
    snprintf(path, sizeof path, "%s/material.db", dir);
    return 0;
}

static int remove_place(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    char name[128];
    (void)state;

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
    return rmdir(dir);
}

static eis_material_store *opened(const char *file)
{
    eis_material_store *s;

    if (eis_store_material_open(&s, file) != EIS_OK) fail_msg("%s", eis_error_detail());
    return s;
}

static eis_material_unit unit_of(const uint8_t *session, uint64_t step, uint64_t kind)
{
    eis_material_unit unit = {.step = step, .kind = kind};

    memcpy(unit.session, session, sizeof unit.session);
    return unit;
}

static eis_material_totals totals_of(eis_material_store *s)
{
    eis_material_totals totals;

    if (eis_store_material_totals(s, &totals) != EIS_OK) fail_msg("%s", eis_error_detail());
    return totals;
}

/* Reads one number from the file, with nobody else at it. */
static int64_t ask(const char *question)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *read = NULL;
    int64_t answer;

    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, question, -1, &read, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(read), SQLITE_ROW);
    answer = sqlite3_column_int64(read, 0);
    sqlite3_finalize(read);
    sqlite3_close(db);
    return answer;
}

static void a_unit_is_recorded_once(void **state)
{
    (void)state;
    for (int in_file = 0; in_file < 2; in_file++) {
        eis_material_store *s = opened(in_file ? path : NULL);
        eis_material_unit one = unit_of(session_a, 1, 4), other = unit_of(session_a, 1, 2);
        bool known = true;

        assert_int_equal(eis_store_material_known(s, &known, session_a), EIS_OK);
        assert_false(known);
        assert_int_equal(eis_store_material_add(s, &one, digest, 100), EIS_OK);
        assert_int_equal(eis_store_material_known(s, &known, session_a), EIS_OK);
        assert_true(known);
        assert_int_equal(eis_store_material_known(s, &known, session_b), EIS_OK);
        assert_false(known);
        assert_int_equal(eis_store_material_add(s, &one, digest, 100), EIS_ERR_STORE);
        assert_int_equal(eis_store_material_add(s, &other, digest, 50), EIS_OK);
        eis_store_material_move_later(s, &one, EIS_MATERIAL_GIVEN);
        eis_store_material_move_later(s, &other, EIS_MATERIAL_BURNED);
        assert_int_equal(eis_store_material_wait(s), EIS_OK);
        assert_int_equal(eis_store_material_add(s, &one, digest, 100), EIS_ERR_STORE); /* whatever its state */
        assert_int_equal(eis_store_material_add(s, &other, digest, 100), EIS_ERR_STORE);
        assert_int_equal(totals_of(s).units[EIS_MATERIAL_GIVEN], 1);
        assert_int_equal(totals_of(s).units[EIS_MATERIAL_BURNED], 1);
        assert_int_equal(totals_of(s).words_given, 100);
        eis_store_material_close(s);
    }
}

/* Kinds that differ above 32 bits are others, in the file too. */
static void kinds_are_wide(void **state)
{
    eis_material_store *s = opened(path);
    eis_material_unit narrow = unit_of(session_a, 1, 4), wide = unit_of(session_a, 1, 4 | UINT64_C(1) << 39);
    (void)state;

    assert_int_equal(eis_store_material_add(s, &narrow, digest, 1), EIS_OK);
    assert_int_equal(eis_store_material_add(s, &wide, digest, 1), EIS_OK);
    eis_store_material_move_later(s, &wide, EIS_MATERIAL_GIVEN);
    eis_store_material_close(s);
    assert_int_equal(ask("SELECT count(*) FROM material WHERE kind=549755813892 AND state=3"), 1);
    assert_int_equal(ask("SELECT count(*) FROM material WHERE kind=4 AND state=1"), 1);
}

/* Every pair of states: allowed are the three moves of the header, and what is refused poisons the store. */
static void states_move_forward_only(void **state)
{
    (void)state;
    for (int leased = 0; leased < 2; leased++)
        for (int first = EIS_MATERIAL_GIVEN; first <= EIS_MATERIAL_BURNED; first++)
            for (int second = 0; second <= EIS_MATERIAL_BURNED; second++) {
                eis_material_store *s = opened(NULL);
                eis_material_unit unit = unit_of(session_a, 7, leased ? EIS_MATERIAL_ANY_KIND : 4);
                bool allowed =
                    first == EIS_MATERIAL_BURNED || first == (leased ? EIS_MATERIAL_CONSUMED : EIS_MATERIAL_GIVEN);
                if (second != 0 && second < EIS_MATERIAL_GIVEN) {
                    eis_store_material_close(s);
                    continue;
                }
                if (leased)
                    assert_int_equal(eis_store_material_lease(s, session_a, 7, 1), EIS_OK);
                else
                    assert_int_equal(eis_store_material_add(s, &unit, digest, 1), EIS_OK);
                eis_store_material_move_later(s, &unit, (eis_material_state)first);
                if (second != 0) eis_store_material_move_later(s, &unit, (eis_material_state)second);
                assert_int_equal(eis_store_material_wait(s), allowed && second == 0 ? EIS_OK : EIS_ERR_STORE);
                eis_store_material_close(s);
            }
}

static void a_move_needs_a_record(void **state)
{
    eis_material_store *s = opened(NULL);
    eis_material_unit unit = unit_of(session_a, 1, 4);
    (void)state;

    eis_store_material_move_later(s, &unit, EIS_MATERIAL_GIVEN);
    assert_int_equal(eis_store_material_wait(s), EIS_ERR_STORE);
    assert_int_equal(eis_store_material_add(s, &unit, digest, 1), EIS_ERR_STORE); /* nothing works after a failure */
    eis_store_material_close(s);
}

static void leases_come_in_runs(void **state)
{
    eis_material_store *s = opened(path);
    (void)state;

    assert_int_equal(eis_store_material_lease(s, session_a, 0, 64), EIS_OK);
    assert_int_equal(eis_store_material_lease(s, session_a, 63, 2), EIS_ERR_STORE);
    assert_int_equal(totals_of(s).units[EIS_MATERIAL_LEASED], 64); /* all or none */
    eis_store_material_lease_later(s, session_a, 64, 64);
    for (uint64_t step = 0; step < 70; step++) {
        eis_material_unit unit = unit_of(session_a, step, EIS_MATERIAL_ANY_KIND);
        eis_store_material_move_later(s, &unit, EIS_MATERIAL_CONSUMED);
    }
    assert_int_equal(eis_store_material_lease(s, session_b, 0, 3), EIS_OK);
    eis_store_material_end_later(s, session_a);
    assert_int_equal(totals_of(s).units[EIS_MATERIAL_CONSUMED], 70);
    assert_int_equal(totals_of(s).units[EIS_MATERIAL_BURNED], 58);
    assert_int_equal(totals_of(s).units[EIS_MATERIAL_LEASED], 3); /* the other session goes on */
    assert_int_equal(totals_of(s).sessions, 2);
    eis_store_material_close(s);
    s = opened(path);
    assert_int_equal(totals_of(s).units[EIS_MATERIAL_LEASED], 0); /* what was open is burned */
    assert_int_equal(totals_of(s).units[EIS_MATERIAL_BURNED], 61);
    assert_int_equal(eis_store_material_lease(s, session_b, 2, 1), EIS_ERR_STORE);
    eis_store_material_close(s);
}

/* Whoever writes to the file with another program cannot turn a record back either. */
static void the_database_holds_to_it(void **state)
{
    static const char *const wrongs[] = {"UPDATE material SET state=1",
                                         "UPDATE material SET state=2",
                                         "UPDATE material SET state=3 WHERE step=2",
                                         "UPDATE material SET state=5 WHERE step=1",
                                         "UPDATE material SET step=9 WHERE step=1",
                                         "UPDATE material SET digest=NULL",
                                         "DELETE FROM material",
                                         "INSERT INTO material VALUES(zeroblob(32),5,4,3,NULL,1,1)",
                                         "INSERT INTO material VALUES(zeroblob(31),5,4,1,NULL,1,1)"};
    eis_material_store *s = opened(path);
    eis_material_unit one = unit_of(session_a, 1, 4), two = unit_of(session_a, 2, 4);
    sqlite3 *db = NULL;
    struct stat info;
    (void)state;

    assert_int_equal(eis_store_material_add(s, &one, digest, 1), EIS_OK);
    assert_int_equal(eis_store_material_add(s, &two, digest, 1), EIS_OK);
    eis_store_material_move_later(s, &one, EIS_MATERIAL_GIVEN);
    eis_store_material_move_later(s, &two, EIS_MATERIAL_BURNED);
    eis_store_material_close(s);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++)
        if (sqlite3_exec(db, wrongs[i], NULL, NULL, NULL) != SQLITE_CONSTRAINT) fail_msg("%s", wrongs[i]);
    sqlite3_close(db);
    assert_int_equal(ask("SELECT count(*) FROM material WHERE step=1 AND state=3 OR step=2 AND state=5"), 2);
}

/* What was recorded before SIGKILL is there after it, whenever it comes, and nothing is open. */
static void a_kill_at_any_moment_leaves_nothing_open(void **state)
{
    (void)state;
    for (int turn = 0; turn < 8; turn++) {
        int pipes[2], status;
        uint64_t step, told = 0;
        uint8_t session[32] = {(uint8_t)(turn + 1)};
        eis_material_store *s;
        pid_t child;

        assert_int_equal(pipe(pipes), 0);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            s = opened(path);
            for (step = 1;; step++) {
                eis_material_unit unit = unit_of(session, step, 4);
                if (eis_store_material_add(s, &unit, digest, step) != EIS_OK) _exit(1);
                if (write(pipes[1], &step, sizeof step) != sizeof step) _exit(1);
                eis_store_material_move_later(s, &unit, EIS_MATERIAL_GIVEN);
            }
        }
        close(pipes[1]);
        for (int i = 0; i < 5 + 7 * turn; i++) assert_int_equal(read(pipes[0], &told, sizeof told), sizeof told);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        while (read(pipes[0], &step, sizeof step) == sizeof step) told = step;
        close(pipes[0]);
        s = opened(path);
        for (step = 1; step <= told; step++) {
            eis_material_unit unit = unit_of(session, step, 4);
            assert_int_equal(eis_store_material_add(s, &unit, digest, step), EIS_ERR_STORE);
        }
        assert_int_equal(totals_of(s).units[EIS_MATERIAL_PRODUCED], 0);
        assert_true(totals_of(s).units[EIS_MATERIAL_GIVEN] + totals_of(s).units[EIS_MATERIAL_BURNED] >= told);
        eis_store_material_close(s);
    }
}

/* A store in memory lets go of sessions that have ended, and still refuses them. */
static void memory_keeps_little(void **state)
{
    eis_material_store *s = opened(NULL);
    eis_material_unit load = unit_of(session_a, 0, 0);
    bool known = false;
    (void)state;

    assert_int_equal(eis_store_material_add(s, &load, digest, 10), EIS_OK);
    eis_store_material_move_later(s, &load, EIS_MATERIAL_GIVEN);
    for (uint64_t step = 1; step <= 100; step++) {
        eis_material_unit unit = unit_of(session_a, step, 4);
        assert_int_equal(eis_store_material_add(s, &unit, digest, 1), EIS_OK);
        if (step <= 60) eis_store_material_move_later(s, &unit, EIS_MATERIAL_GIVEN);
    }
    eis_store_material_end_later(s, session_a);
    assert_int_equal(totals_of(s).units[EIS_MATERIAL_GIVEN], 61);
    assert_int_equal(totals_of(s).units[EIS_MATERIAL_BURNED], 40);
    assert_int_equal(totals_of(s).words_given, 70);
    assert_int_equal(totals_of(s).sessions, 1);
    assert_int_equal(eis_store_material_known(s, &known, session_a), EIS_OK);
    assert_true(known);
    assert_int_equal(eis_store_material_add(s, &load, digest, 10), EIS_ERR_STORE);
    eis_store_material_close(s);
}

static void other_files_are_refused(void **state)
{
    eis_material_store *s = opened(path), *second = NULL;
    sqlite3 *db = NULL;
    (void)state;

    assert_int_equal(eis_store_material_open(&second, path), EIS_ERR_STORE); /* in use */
    assert_null(second);
    eis_store_material_close(s);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA application_id=7", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(eis_store_material_open(&second, path), EIS_ERR_STORE);
    assert_null(second);
}

typedef struct racer {
    pthread_t thread;
    eis_material_store *store;
    uint64_t won;
} racer;

static void *race(void *context)
{
    racer *r = context;

    for (uint64_t step = 1; step <= 200; step++) {
        eis_material_unit unit = unit_of(session_a, step, 4);
        if (eis_store_material_add(r->store, &unit, digest, 1) != EIS_OK) continue;
        eis_store_material_move_later(r->store, &unit, EIS_MATERIAL_GIVEN);
        r->won++;
    }
    return NULL;
}

static void threads_never_share_a_unit(void **state)
{
    racer racers[4];
    uint64_t sum = 0;
    eis_material_store *s = opened(NULL);
    (void)state;

    for (int i = 0; i < 4; i++) {
        racers[i] = (racer){.store = s};
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(racers[i].thread, NULL);
        sum += racers[i].won;
    }
    assert_int_equal(sum, 200);
    assert_int_equal(totals_of(s).units[EIS_MATERIAL_GIVEN], 200);
    eis_store_material_close(s);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(a_unit_is_recorded_once),
        IN_PLACE(kinds_are_wide),
        IN_PLACE(states_move_forward_only),
        IN_PLACE(a_move_needs_a_record),
        IN_PLACE(leases_come_in_runs),
        IN_PLACE(the_database_holds_to_it),
        IN_PLACE(a_kill_at_any_moment_leaves_nothing_open),
        IN_PLACE(memory_keeps_little),
        IN_PLACE(other_files_are_refused),
        IN_PLACE(threads_never_share_a_unit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
