/* SPDX-License-Identifier: Apache-2.0 */
/* One table and a thread. Statements run on whichever thread comes, one at a time under `db_lock`; the queue has a lock
 * of its own, so that to queue is never to wait for the disk. */
#include "store/material.h"

#include "base/log.h"
#include "base/mem.h"
#include "store/db.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define APPLICATION_ID 0x4549534d /* "EISM" */

enum statement { KNOWN, ADD, MOVE, END, FORGET, TOTALS, SESSIONS, STATEMENTS };

static const char *const sql[STATEMENTS] = {
    [KNOWN] = "SELECT 1 FROM material WHERE session=?1 LIMIT 1",
    [ADD] = "INSERT INTO material VALUES(?1,?2,?3,?4,?5,?6,?7)",
    [MOVE] = "UPDATE material SET state=?4,at=?7 WHERE session=?1 AND step=?2 AND kind=?3",
    [END] = "UPDATE material SET state=5,at=?7 WHERE session=?1 AND state<3",
    [FORGET] = "DELETE FROM material WHERE session=?1 AND (step>0 OR kind NOT IN (0,255))",
    [TOTALS] = "SELECT state,count(*),sum(words) FROM material GROUP BY state",
    [SESSIONS] = "SELECT count(DISTINCT session) FROM material",
};

/* Triggers hold to the states whoever writes: a final row does not change, and an open one ends as its role has it. */
static const char *const schema =
    "CREATE TABLE IF NOT EXISTS material("
    "  session BLOB NOT NULL CHECK(length(session)=32), step INTEGER NOT NULL, kind INTEGER NOT NULL,"
    "  state INTEGER NOT NULL CHECK(state BETWEEN 1 AND 5), digest BLOB, words INTEGER NOT NULL, at INTEGER NOT NULL,"
    "  PRIMARY KEY(session,step,kind)) STRICT, WITHOUT ROWID;"
    "CREATE TRIGGER IF NOT EXISTS material_begins BEFORE INSERT ON material WHEN new.state>2"
    "  BEGIN SELECT RAISE(ABORT,'a unit begins produced or leased'); END;"
    "CREATE TRIGGER IF NOT EXISTS material_moves BEFORE UPDATE ON material WHEN"
    "  new.session<>old.session OR new.step<>old.step OR new.kind<>old.kind OR"
    "  new.digest IS NOT old.digest OR new.words<>old.words OR"
    "  NOT (old.state=1 AND new.state IN (3,5) OR old.state=2 AND new.state IN (4,5))"
    "  BEGIN SELECT RAISE(ABORT,'a unit is used once'); END;";

static const char *const file_schema = "CREATE TRIGGER IF NOT EXISTS material_stays BEFORE DELETE ON material"
                                       "  BEGIN SELECT RAISE(ABORT,'records stay'); END;";

typedef enum action { LEASE_STEPS, MOVE_UNIT, END_SESSION } action;

typedef struct queued {
    struct queued *next;
    action action;
    eis_material_unit unit; /* LEASE_STEPS: from unit.step on; END_SESSION: its session */
    uint32_t count;
    eis_material_state state;
} queued;

struct eis_material_store {
    pthread_mutex_t db_lock;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    bool in_memory;
    eis_material_totals gone; /* rows that a store in memory has let go of */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    queued *first, **end;
    uint64_t asked, done; /* numbers of queued actions */
    bool failed, ending, has_thread;
    pthread_t thread;
};

/* ---- statements, under db_lock ---- */

static sqlite3_int64 now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (sqlite3_int64)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Binds what statements have in common: ?1 to ?4 and ?7. */
static sqlite3_stmt *bound(eis_material_store *s, enum statement which, const eis_material_unit *unit, int state)
{
    sqlite3_stmt *statement = s->statements[which];

    (void)sqlite3_bind_blob(statement, 1, unit->session, sizeof unit->session, SQLITE_TRANSIENT);
    if (which == KNOWN || which == FORGET) return statement;
    (void)sqlite3_bind_int64(statement, 7, now_ms());
    if (which == END) return statement;
    (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)unit->step);
    (void)sqlite3_bind_int64(statement, 3, (sqlite3_int64)unit->kind);
    (void)sqlite3_bind_int(statement, 4, state);
    return statement;
}

static eis_status add_row(eis_material_store *s, const eis_material_unit *unit, eis_material_state state,
                          const uint8_t *digest, uint64_t words)
{
    sqlite3_stmt *statement = bound(s, ADD, unit, (int)state);
    eis_status st;

    if (digest != NULL) (void)sqlite3_bind_blob(statement, 5, digest, EIS_MATERIAL_DIGEST_BYTES, SQLITE_TRANSIENT);
    (void)sqlite3_bind_int64(statement, 6, (sqlite3_int64)words);
    st = eis_store_db_run(s->db, statement);
    return st == EIS_OK ? st : eis_fail_prefix(st, "material of step %llu", (unsigned long long)unit->step);
}

static eis_status lease_rows(eis_material_store *s, const eis_material_unit *first, uint32_t count)
{
    eis_material_unit unit = *first;
    eis_status st = EIS_OK;

    for (uint32_t i = 0; i < count; i++, unit.step++) EIS_TRY(add_row(s, &unit, EIS_MATERIAL_LEASED, NULL, 0));
out:
    return st;
}

static eis_status read_totals(eis_material_store *s, eis_material_totals *totals)
{
    eis_status st = EIS_OK;
    int row;

    memset(totals, 0, sizeof *totals);
    for (;;) {
        int state;
        EIS_TRY(eis_store_db_step(s->db, s->statements[TOTALS], &row));
        if (!row) break;
        state = sqlite3_column_int(s->statements[TOTALS], 0);
        EIS_REQUIRE(state >= EIS_MATERIAL_PRODUCED && state <= EIS_MATERIAL_BURNED, EIS_ERR_STORE,
                    "a record has no state");
        totals->units[state] = (uint64_t)sqlite3_column_int64(s->statements[TOTALS], 1);
        if (state == EIS_MATERIAL_GIVEN) totals->words_given = (uint64_t)sqlite3_column_int64(s->statements[TOTALS], 2);
    }
    EIS_TRY(eis_store_db_step(s->db, s->statements[SESSIONS], &row));
    totals->sessions = (uint64_t)sqlite3_column_int64(s->statements[SESSIONS], 0);
out:
    (void)sqlite3_reset(s->statements[TOTALS]);
    (void)sqlite3_reset(s->statements[SESSIONS]);
    return st;
}

static void add_totals(eis_material_totals *sum, const eis_material_totals *more, bool minus)
{
    uint64_t sign = minus ? UINT64_MAX : 1;

    for (int i = 0; i <= EIS_MATERIAL_BURNED; i++) sum->units[i] += sign * more->units[i];
    sum->sessions += sign * more->sessions;
    sum->words_given += sign * more->words_given;
}

/* A store in memory keeps one row of a session that has ended, and counts the others. */
static eis_status forget_rows(eis_material_store *s, const eis_material_unit *unit)
{
    eis_material_totals before, after;
    eis_status st = EIS_OK;

    EIS_TRY(read_totals(s, &before));
    EIS_TRY(eis_store_db_run(s->db, bound(s, FORGET, unit, 0)));
    EIS_TRY(read_totals(s, &after));
    add_totals(&s->gone, &before, false);
    add_totals(&s->gone, &after, true);
out:
    return st;
}

static eis_status run_queued(eis_material_store *s, const queued *q)
{
    eis_status st = EIS_OK;

    if (q->action == LEASE_STEPS) {
        EIS_TRY(lease_rows(s, &q->unit, q->count));
    } else if (q->action == MOVE_UNIT) {
        EIS_TRY(eis_store_db_run(s->db, bound(s, MOVE, &q->unit, (int)q->state)));
        EIS_REQUIRE(sqlite3_changes(s->db) == 1, EIS_ERR_STORE, "there is no record of this unit");
    } else {
        EIS_TRY(eis_store_db_run(s->db, bound(s, END, &q->unit, 0)));
        if (s->in_memory) EIS_TRY(forget_rows(s, &q->unit));
    }
out:
    return st;
}

/* ---- the queue ---- */

static void free_queue(queued *q)
{
    for (queued *next; q != NULL; q = next) {
        next = q->next;
        eis_mem_free(q);
    }
}

/* Writes a run of actions with one commit. */
static eis_status write_queue(eis_material_store *s, const queued *q)
{
    eis_status st;

    pthread_mutex_lock(&s->db_lock);
    st = eis_store_db_begin(s->db);
    for (; q != NULL && st == EIS_OK; q = q->next) st = run_queued(s, q);
    st = eis_store_db_end(s->db, st);
    pthread_mutex_unlock(&s->db_lock);
    return st;
}

static void *write_behind(void *context)
{
    eis_material_store *s = context;

    pthread_mutex_lock(&s->lock);
    while (s->first != NULL || !s->ending) {
        queued *q = s->first;
        uint64_t upto = s->asked;
        eis_status st;
        if (q == NULL) {
            pthread_cond_wait(&s->changed, &s->lock);
            continue;
        }
        s->first = NULL;
        s->end = &s->first;
        pthread_mutex_unlock(&s->lock);
        st = write_queue(s, q);
        if (st != EIS_OK) eis_log(EIS_LOG_ERROR, "material", "records are not written: %s", eis_error_detail());
        free_queue(q);
        pthread_mutex_lock(&s->lock);
        s->failed |= st != EIS_OK;
        s->done = upto;
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void enqueue(eis_material_store *s, const queued *wish)
{
    queued *q = eis_mem_new(1, sizeof *q);

    pthread_mutex_lock(&s->lock);
    if (q != NULL) {
        *q = *wish;
        *s->end = q;
        s->end = &q->next;
        s->asked++;
    }
    s->failed |= q == NULL;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

static eis_status refuse_failed(eis_material_store *s)
{
    bool failed;

    pthread_mutex_lock(&s->lock);
    failed = s->failed;
    pthread_mutex_unlock(&s->lock);
    return failed ? eis_fail(EIS_ERR_STORE, "earlier records of material could not be written") : EIS_OK;
}

eis_status eis_store_material_wait(eis_material_store *s)
{
    uint64_t upto;

    pthread_mutex_lock(&s->lock);
    upto = s->asked;
    while (s->done < upto) pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
    return refuse_failed(s);
}

/* ---- opening ---- */

static eis_status check_kind_of_file(sqlite3 *db)
{
    sqlite3_stmt *read = NULL;
    eis_status st = EIS_OK;
    int row, id, tables;

    EIS_TRY(eis_store_db_prepare(db, &read,
                                 "SELECT (SELECT application_id FROM pragma_application_id),"
                                 " (SELECT count(*) FROM sqlite_schema)"));
    EIS_TRY(eis_store_db_step(db, read, &row));
    id = sqlite3_column_int(read, 0);
    tables = sqlite3_column_int(read, 1);
    EIS_REQUIRE(id == APPLICATION_ID || (id == 0 && tables == 0), EIS_ERR_STORE, "this is no store of material");
out:
    (void)sqlite3_finalize(read);
    return st;
}

static eis_status prepare(eis_material_store *s)
{
    eis_status st = EIS_OK;
    char application[64];

    EIS_TRY(check_kind_of_file(s->db));
    snprintf(application, sizeof application, "PRAGMA application_id=%d", APPLICATION_ID);
    EIS_TRY(eis_store_db_exec(s->db, application));
    EIS_TRY(eis_store_db_exec(s->db, schema));
    if (!s->in_memory) EIS_TRY(eis_store_db_exec(s->db, file_schema));
    EIS_TRY(eis_store_db_exec(s->db, "UPDATE material SET state=5 WHERE state<3"));
    for (int i = 0; i < STATEMENTS; i++) EIS_TRY(eis_store_db_prepare(s->db, &s->statements[i], sql[i]));
out:
    return st;
}

eis_status eis_store_material_open(eis_material_store **store, const char *path)
{
    eis_status st = EIS_OK;
    eis_material_store *s = NULL;

    *store = NULL;
    EIS_NEW(s, 1);
    pthread_mutex_init(&s->db_lock, NULL);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->end = &s->first;
    s->in_memory = path == NULL;
    EIS_TRY(eis_store_db_open_log(&s->db, path != NULL ? path : ":memory:"));
    EIS_TRY(prepare(s));
    s->has_thread = pthread_create(&s->thread, NULL, write_behind, s) == 0;
    EIS_REQUIRE(s->has_thread, EIS_ERR_LIMIT, "no thread for the store of material");
    *store = s;
    s = NULL;
out:
    eis_store_material_close(s);
    return st;
}

void eis_store_material_close(eis_material_store *s)
{
    if (s == NULL) return;
    pthread_mutex_lock(&s->lock);
    s->ending = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    if (s->has_thread) pthread_join(s->thread, NULL);
    for (int i = 0; i < STATEMENTS; i++) (void)sqlite3_finalize(s->statements[i]);
    eis_store_db_close(s->db);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->db_lock);
    eis_mem_free(s);
}

/* ---- what callers see ---- */

static eis_material_unit steps_of(const uint8_t *session, uint64_t first)
{
    eis_material_unit unit = {.step = first, .kind = EIS_MATERIAL_ANY_KIND};

    memcpy(unit.session, session, sizeof unit.session);
    return unit;
}

eis_status eis_store_material_known(eis_material_store *s, bool *known,
                                    const uint8_t session[EIS_MATERIAL_SESSION_BYTES])
{
    const eis_material_unit unit = steps_of(session, 0);
    eis_status st;
    int row = 0;

    pthread_mutex_lock(&s->db_lock);
    st = eis_store_db_step(s->db, bound(s, KNOWN, &unit, 0), &row);
    (void)sqlite3_reset(s->statements[KNOWN]);
    pthread_mutex_unlock(&s->db_lock);
    if (st == EIS_OK) *known = row != 0;
    return st;
}

eis_status eis_store_material_add(eis_material_store *s, const eis_material_unit *unit,
                                  const uint8_t digest[EIS_MATERIAL_DIGEST_BYTES], uint64_t words)
{
    eis_status st = refuse_failed(s);

    if (st != EIS_OK) return st;
    pthread_mutex_lock(&s->db_lock);
    st = add_row(s, unit, EIS_MATERIAL_PRODUCED, digest, words);
    pthread_mutex_unlock(&s->db_lock);
    return st;
}

eis_status eis_store_material_lease(eis_material_store *s, const uint8_t session[EIS_MATERIAL_SESSION_BYTES],
                                    uint64_t first, uint32_t count)
{
    const eis_material_unit unit = steps_of(session, first);
    eis_status st = refuse_failed(s);

    if (st != EIS_OK) return st;
    pthread_mutex_lock(&s->db_lock);
    st = eis_store_db_begin(s->db);
    if (st == EIS_OK) st = lease_rows(s, &unit, count);
    st = eis_store_db_end(s->db, st);
    pthread_mutex_unlock(&s->db_lock);
    return st;
}

void eis_store_material_lease_later(eis_material_store *s, const uint8_t session[EIS_MATERIAL_SESSION_BYTES],
                                    uint64_t first, uint32_t count)
{
    enqueue(s, &(queued){.action = LEASE_STEPS, .unit = steps_of(session, first), .count = count});
}

void eis_store_material_move_later(eis_material_store *s, const eis_material_unit *unit, eis_material_state state)
{
    EIS_ASSERT(state >= EIS_MATERIAL_GIVEN && state <= EIS_MATERIAL_BURNED);
    enqueue(s, &(queued){.action = MOVE_UNIT, .unit = *unit, .state = state});
}

void eis_store_material_end_later(eis_material_store *s, const uint8_t session[EIS_MATERIAL_SESSION_BYTES])
{
    enqueue(s, &(queued){.action = END_SESSION, .unit = steps_of(session, 0)});
}

eis_status eis_store_material_totals(eis_material_store *s, eis_material_totals *totals)
{
    eis_status st = eis_store_material_wait(s);

    if (st != EIS_OK) return st;
    pthread_mutex_lock(&s->db_lock);
    st = read_totals(s, totals);
    if (st == EIS_OK) add_totals(totals, &s->gone, false);
    pthread_mutex_unlock(&s->db_lock);
    return st;
}
