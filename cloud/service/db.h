/* SPDX-License-Identifier: MIT */
/*
 * The service's state: one SQLite file in WAL mode.
 *
 * One connection writes, behind a lock; a few others read, each seeing the last whole commit. The
 * tables come from numbered migrations, and a file of a newer program is refused.
 *
 * Arguments of a statement follow a text of their types: s text (NULL is NULL), i int64_t.
 */
#ifndef PVBOOT_CLOUD_SERVICE_DB_H
#define PVBOOT_CLOUD_SERVICE_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/xenhost/buf.h"

struct db;

/*
 * Locks `dir` for this service alone, until db_close, and opens state.db in it, bringing its tables
 * up to date. NULL: `why` holds one sentence.
 */
struct db *db_open(const char *dir, struct buf *why);
void db_close(struct db *db);

/* A reader's connection; waits for one. Each db_reader needs its db_done. */
sqlite3 *db_reader(struct db *db);
void db_done(struct db *db, sqlite3 *reader);

/*
 * The writer's connection with a transaction begun; NULL: it could not be begun, and nothing is
 * held. End with db_commit or db_rollback. A commit that fails has rolled back.
 */
sqlite3 *db_begin(struct db *db);
bool db_commit(struct db *db);
void db_rollback(struct db *db);

/* How many commits there were since the start: what was read before the next one is still so. */
uint64_t db_commits(const struct db *db);

/* A statement with its arguments; NULL: a line on standard error tells why. End with db_finish. */
sqlite3_stmt *db_query(sqlite3 *c, const char *sql, const char *types, ...);

/* The statement is not needed now; it may be NULL. */
void db_finish(sqlite3_stmt *s);

/* Run a statement that gives no rows. */
bool db_run(sqlite3 *c, const char *sql, const char *types, ...);

/* The one number that a statement gives; `otherwise` when it gives no row or fails. */
int64_t db_number(sqlite3 *c, int64_t otherwise, const char *sql, const char *types, ...);

/* A column of text as it is; "" for NULL. Valid until the statement moves on. */
const char *db_text(sqlite3_stmt *s, int column);

/* Did the last failure since this thread's last db_begin or db_reader come of a full disk? */
bool db_disk_full(void);

#endif
