/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite behind statuses. Durability is chosen here once, for all stores. */
#include "store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* What SQLite says never quotes bound values, but it may quote SQL of ours. */
static eis_status fail_db(sqlite3 *db, const char *doing)
{
    return eis_fail(EIS_ERR_STORE, "%s: %s", doing, db != NULL ? sqlite3_errmsg(db) : "not enough memory");
}

/* File systems whose fsync or locks end at another machine (numbers of linux/magic.h and the drivers). */
static int is_network_file_system(const char *path)
{
    static const unsigned long network[] = {0x6969ul,     0x517bul,     0xff534d42ul, 0xfe534d42ul, 0x5346414ful,
                                            0x01021997ul, 0x00c36400ul, 0x0bd00bd0ul, 0x73757245ul, 0x47504653ul};
    struct statfs info;

    if (statfs(path, &info) != 0) return 0;
    for (size_t i = 0; i < sizeof network / sizeof network[0]; i++)
        if (((unsigned long)info.f_type & 0xfffffffful) == network[i]) return 1;
    return 0;
}

/* Makes the file with its mode, or looks at the one that is there, before SQLite gets to it. An existing file is not
 * opened here: closing it again would drop the locks that this process may hold on it. */
static eis_status prepare_file(const char *path)
{
    struct stat info;
    eis_status st = EIS_OK;
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    EIS_REQUIRE(file >= 0 || errno == EEXIST, EIS_ERR_STORE, "%s: %s", path, strerror(errno));
    if (file >= 0) close(file);
    EIS_REQUIRE(lstat(path, &info) == 0, EIS_ERR_STORE, "%s: %s", path, strerror(errno));
    EIS_REQUIRE(S_ISREG(info.st_mode), EIS_ERR_STORE, "%s: not a regular file", path);
    EIS_REQUIRE((info.st_mode & (S_IRWXG | S_IRWXO)) == 0, EIS_ERR_STORE,
                "%s: group or others may use this file; run: chmod 600 %s", path, path);
    EIS_REQUIRE(!is_network_file_system(path), EIS_ERR_STORE, "%s: lies on a network file system; choose a local disk",
                path);
out:
    return st;
}

/* TRUNCATE and EXTRA: the end of the journal is what commits, and it is synced too, so that a power failure right
 * after a commit cannot bring the row back. */
static const char *const once_settings = "PRAGMA locking_mode=EXCLUSIVE;"
                                         "PRAGMA journal_mode=TRUNCATE;"
                                         "PRAGMA synchronous=EXTRA;"
                                         "PRAGMA secure_delete=ON;";

/* The lock comes first: in exclusive mode the log needs no memory shared with others. */
static const char *const log_settings = "PRAGMA locking_mode=EXCLUSIVE;"
                                        "PRAGMA journal_mode=WAL;"
                                        "PRAGMA synchronous=FULL;"
                                        "PRAGMA secure_delete=FAST;"
                                        "PRAGMA journal_size_limit=16777216;";

static const char *const common_settings = "PRAGMA temp_store=MEMORY;"
                                           "PRAGMA trusted_schema=OFF;"
                                           "PRAGMA cell_size_check=ON;";

static eis_status prepare_db(sqlite3 *db, const char *settings)
{
    eis_status st = EIS_OK;

    EIS_TRY(eis_store_db_exec(db, settings));
    EIS_TRY(eis_store_db_exec(db, common_settings));
    /* Takes the lock now, and shows a file that is no database. */
    EIS_TRY(eis_store_db_exec(db, "BEGIN IMMEDIATE; SELECT count(*) FROM sqlite_schema; COMMIT;"));
out:
    return st;
}

static eis_status open_db(sqlite3 **db, const char *path, const char *settings)
{
    sqlite3 *made = NULL;
    eis_status st = EIS_OK;

    if (strcmp(path, ":memory:") != 0) EIS_TRY(prepare_file(path));
    if (sqlite3_open_v2(path, &made, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK) {
        st = fail_db(made, path);
        goto out;
    }
    (void)sqlite3_db_config(made, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    st = prepare_db(made, settings);
    if (st != EIS_OK) {
        (void)eis_fail_prefix(st, "%s", path);
        goto out;
    }
    *db = made;
    made = NULL;
out:
    if (st != EIS_OK) (void)eis_fail_prefix(st, "store");
    eis_store_db_close(made);
    return st;
}

eis_status eis_store_db_open(sqlite3 **db, const char *path) { return open_db(db, path, once_settings); }

eis_status eis_store_db_open_log(sqlite3 **db, const char *path) { return open_db(db, path, log_settings); }

void eis_store_db_close(sqlite3 *db) { (void)sqlite3_close_v2(db); }

eis_status eis_store_db_exec(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? EIS_OK : fail_db(db, "database");
}

eis_status eis_store_db_prepare(sqlite3 *db, sqlite3_stmt **statement, const char *sql)
{
    sqlite3_stmt *made = NULL;

    if (sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &made, NULL) != SQLITE_OK)
        return fail_db(db, "database");
    *statement = made;
    return EIS_OK;
}

eis_status eis_store_db_step(sqlite3 *db, sqlite3_stmt *statement, int *row)
{
    int result = sqlite3_step(statement);

    if (result != SQLITE_ROW && result != SQLITE_DONE) return fail_db(db, "database");
    *row = result == SQLITE_ROW;
    return EIS_OK;
}

eis_status eis_store_db_run(sqlite3 *db, sqlite3_stmt *statement)
{
    int row;
    eis_status st = eis_store_db_step(db, statement, &row);

    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    return st;
}

eis_status eis_store_db_begin(sqlite3 *db) { return eis_store_db_exec(db, "BEGIN IMMEDIATE"); }

eis_status eis_store_db_end(sqlite3 *db, eis_status st)
{
    if (st == EIS_OK) st = eis_store_db_exec(db, "COMMIT");
    /* Not with exec above: the text of the first failure stays. */
    if (st != EIS_OK && !sqlite3_get_autocommit(db)) (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return st;
}
