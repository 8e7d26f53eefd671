/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite with errors as statuses: what must survive a crash, or be used only once, lies in one of these. */
#ifndef EIS_STORE_DB_H
#define EIS_STORE_DB_H

#include "base/status.h"

#include <sqlite3.h>
#include <stdint.h>

/* Opens (or makes, with mode 0600) a database; ":memory:" lives and dies with the handle.
 *
 * The file is locked for this handle alone, a commit is on the disk when it returns (synchronous=EXTRA: also the
 * journal's end), and deleted content is overwritten.
 * Errors: EIS_ERR_STORE  cannot be opened, is in use, is no database, or lies on a network file system.
 *         *db is untouched. */
EIS_MUST_USE eis_status eis_store_db_open(sqlite3 **db, const char *path);

/* The same for what is written often: a write-ahead log with synchronous=FULL, so that a commit is on the disk when it
 * returns and costs one sync, and deleted content is overwritten where that costs nothing more. */
EIS_MUST_USE eis_status eis_store_db_open_log(sqlite3 **db, const char *path);

/* Closes a database. NULL is allowed. */
void eis_store_db_close(sqlite3 *db);

/* Runs statements without results. Errors: EIS_ERR_STORE. */
EIS_MUST_USE eis_status eis_store_db_exec(sqlite3 *db, const char *sql);

/* Prepares a statement. Errors: EIS_ERR_STORE; *statement is untouched. */
EIS_MUST_USE eis_status eis_store_db_prepare(sqlite3 *db, sqlite3_stmt **statement, const char *sql);

/* Steps a statement; *row says whether there is a row. Errors: EIS_ERR_STORE. */
EIS_MUST_USE eis_status eis_store_db_step(sqlite3 *db, sqlite3_stmt *statement, int *row);

/* Runs a prepared statement that gives no rows and makes it ready to be used again, bindings cleared. */
EIS_MUST_USE eis_status eis_store_db_run(sqlite3 *db, sqlite3_stmt *statement);

/* Begins a transaction that writes (BEGIN IMMEDIATE). */
EIS_MUST_USE eis_status eis_store_db_begin(sqlite3 *db);

/* Ends a transaction: commits where st is EIS_OK, else rolls back. Returns st, or why the commit failed. */
EIS_MUST_USE eis_status eis_store_db_end(sqlite3 *db, eis_status st);

#endif
