/* SPDX-License-Identifier: MIT */
/* The tables, as numbered steps; a step that was released is never changed. */
#include "cloud/service/db_priv.h"

static const char *const steps[] = {
    /* 1: buckets. Files are named by their own random names, never by a client's. */
    "CREATE TABLE bucket(name TEXT PRIMARY KEY, account TEXT NOT NULL, created INTEGER NOT NULL)"
    " WITHOUT ROWID;"
    "CREATE TABLE object(bucket TEXT NOT NULL REFERENCES bucket(name), key TEXT NOT NULL,"
    " account TEXT NOT NULL, file TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, etag TEXT NOT NULL,"
    " type TEXT NOT NULL, meta TEXT NOT NULL, modified INTEGER NOT NULL,"
    " PRIMARY KEY(bucket, key)) WITHOUT ROWID;"
    "CREATE TABLE upload(id TEXT PRIMARY KEY, bucket TEXT NOT NULL REFERENCES bucket(name),"
    " key TEXT NOT NULL, account TEXT NOT NULL, type TEXT NOT NULL, meta TEXT NOT NULL,"
    " created INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE part(upload TEXT NOT NULL REFERENCES upload(id) ON DELETE CASCADE,"
    " number INTEGER NOT NULL, account TEXT NOT NULL, file TEXT NOT NULL UNIQUE,"
    " size INTEGER NOT NULL, etag TEXT NOT NULL, modified INTEGER NOT NULL,"
    " PRIMARY KEY(upload, number)) WITHOUT ROWID;"
    "CREATE INDEX upload_bucket ON upload(bucket, key);"
    /* What each account stores, kept by the database itself so that it cannot drift. */
    "CREATE TABLE usage(account TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TRIGGER object_in AFTER INSERT ON object BEGIN"
    " INSERT INTO usage VALUES(new.account, new.size)"
    " ON CONFLICT(account) DO UPDATE SET bytes = bytes + excluded.bytes; END;"
    "CREATE TRIGGER object_out AFTER DELETE ON object BEGIN"
    " UPDATE usage SET bytes = bytes - old.size WHERE account = old.account; END;"
    "CREATE TRIGGER part_in AFTER INSERT ON part BEGIN"
    " INSERT INTO usage VALUES(new.account, new.size)"
    " ON CONFLICT(account) DO UPDATE SET bytes = bytes + excluded.bytes; END;"
    "CREATE TRIGGER part_out AFTER DELETE ON part BEGIN"
    " UPDATE usage SET bytes = bytes - old.size WHERE account = old.account; END;",
};

#define NR_STEPS ((int64_t)(sizeof(steps) / sizeof(steps[0])))

static bool take_step(sqlite3 *c, int64_t number, struct buf *why)
{
    struct buf sql = {0};
    char *message = NULL;
    bool good;

    buf_printf(&sql, "BEGIN IMMEDIATE;%sPRAGMA user_version=%lld;COMMIT;", steps[number],
               (long long)number + 1);
    good = sqlite3_exec(c, sql.text, NULL, NULL, &message) == SQLITE_OK;
    if (!good) {
        buf_printf(why, "step %lld of the state's tables failed: %s", (long long)number + 1,
                   message ? message : "no memory");
        sqlite3_exec(c, "ROLLBACK", NULL, NULL, NULL);
    }
    sqlite3_free(message);
    buf_free(&sql);
    return good;
}

bool db_migrate(sqlite3 *c, struct buf *why)
{
    int64_t version = db_number(c, -1, "PRAGMA user_version", "");

    if (version < 0 || version > NR_STEPS) {
        buf_printf(why,
                   "the state is of version %lld, this program knows up to %lld; use the newer "
                   "program",
                   (long long)version, (long long)NR_STEPS);
        return false;
    }
    for (int64_t i = version; i < NR_STEPS; i++)
        if (!take_step(c, i, why))
            return false;
    return true;
}
