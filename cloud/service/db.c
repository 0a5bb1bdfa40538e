/* SPDX-License-Identifier: MIT */
/* Connections, transactions and statements; see db.h. */
#include "cloud/service/db_priv.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NR_READERS 8

struct db {
    int lock_fd; /* one service a state */
    sqlite3 *writer;
    _Atomic uint64_t commits;
    pthread_mutex_t write_lock, read_lock;
    pthread_cond_t read_free;
    sqlite3 *readers[NR_READERS]; /* the free ones */
    unsigned nr_free;
};

/* Of this thread: the connection forgets its error with the next call, as with a rollback. */
static _Thread_local bool disk_full;

/* Whose transaction this thread has begun: nobody ends that of another thread. */
static _Thread_local const struct db *writing;

static sqlite3 *connect_to(const char *path, bool write, struct buf *why)
{
    int flags = write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    sqlite3 *c = NULL;

    if (sqlite3_open_v2(path, &c, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
        sqlite3_exec(c,
                     write ? "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                             "PRAGMA foreign_keys=ON; PRAGMA recursive_triggers=ON"
                           : "PRAGMA query_only=ON",
                     NULL, NULL, NULL) != SQLITE_OK) {
        buf_printf(why, "%s: %s%s", path, c ? sqlite3_errmsg(c) : "no memory",
                   c && sqlite3_errcode(c) == SQLITE_NOTADB ? "; put a backup of the state there"
                                                            : "");
        sqlite3_close(c);
        return NULL;
    }
    sqlite3_busy_timeout(c, 5000);
    db_cache_add(c);
    return c;
}

static void disconnect(sqlite3 *c)
{
    db_cache_drop(c);
    sqlite3_close(c);
}

/* A second service on the same state would be a second writer. */
static bool take_lock(struct db *db, const char *dir, struct buf *why)
{
    struct buf path = {0};

    buf_printf(&path, "%s/lock", dir);
    db->lock_fd = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (db->lock_fd < 0 || flock(db->lock_fd, LOCK_EX | LOCK_NB) != 0)
        buf_printf(why, "%s: %s", path.text,
                   db->lock_fd >= 0 && errno == EWOULDBLOCK
                       ? "another pvbootd uses this state; stop it, or give this one another"
                       : strerror(errno));
    buf_free(&path);
    return why->len == 0;
}

/* Of a service that was started with another umask; new ones get the mode of the database. */
static bool close_to_others(const char *path, struct buf *why)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    struct buf file = {0};

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]) && why->len == 0; i++) {
        buf_clear(&file);
        buf_printf(&file, "%s%s", path, suffixes[i]);
        if (chmod(file.text, 0600) != 0 && errno != ENOENT)
            buf_printf(why, "%s: %s", file.text, strerror(errno));
    }
    buf_free(&file);
    return why->len == 0;
}

struct db *db_open(const char *dir, struct buf *why)
{
    struct db *db = xalloc(sizeof(*db));
    struct buf path = {0};
    bool good;

    pthread_mutex_init(&db->write_lock, NULL);
    pthread_mutex_init(&db->read_lock, NULL);
    pthread_cond_init(&db->read_free, NULL);
    buf_printf(&path, "%s/state.db", dir);
    good = take_lock(db, dir, why) && close_to_others(path.text, why) &&
           (db->writer = connect_to(path.text, true, why)) && db_migrate(db->writer, why);
    for (unsigned i = 0; good && i < NR_READERS; i++) {
        db->readers[i] = connect_to(path.text, false, why);
        good = db->readers[i] != NULL;
        db->nr_free += good;
    }
    buf_free(&path);
    if (good)
        return db;
    db_close(db);
    return NULL;
}

void db_close(struct db *db)
{
    for (unsigned i = 0; i < db->nr_free; i++)
        disconnect(db->readers[i]);
    disconnect(db->writer);
    if (db->lock_fd >= 0)
        close(db->lock_fd);
    free(db);
}

sqlite3 *db_reader(struct db *db)
{
    sqlite3 *c;

    disk_full = false;
    pthread_mutex_lock(&db->read_lock);
    while (db->nr_free == 0)
        pthread_cond_wait(&db->read_free, &db->read_lock);
    c = db->readers[--db->nr_free];
    pthread_mutex_unlock(&db->read_lock);
    return c;
}

void db_done(struct db *db, sqlite3 *reader)
{
    pthread_mutex_lock(&db->read_lock);
    db->readers[db->nr_free++] = reader;
    pthread_cond_signal(&db->read_free);
    pthread_mutex_unlock(&db->read_lock);
}

sqlite3 *db_begin(struct db *db)
{
    disk_full = false;
    pthread_mutex_lock(&db->write_lock);
    if (db_run(db->writer, "BEGIN IMMEDIATE", "")) {
        writing = db;
        return db->writer;
    }
    pthread_mutex_unlock(&db->write_lock);
    return NULL;
}

bool db_commit(struct db *db)
{
    bool good;

    assert(writing == db);
    writing = NULL;
    good = db_run(db->writer, "COMMIT", "");
    if (!good && !sqlite3_get_autocommit(db->writer))
        sqlite3_exec(db->writer, "ROLLBACK", NULL, NULL, NULL);
    if (good)
        db->commits++; /* before anybody is told of the change */
    pthread_mutex_unlock(&db->write_lock);
    return good;
}

uint64_t db_commits(const struct db *db)
{
    return db->commits;
}

void db_rollback(struct db *db)
{
    assert(writing == db);
    writing = NULL;
    if (!sqlite3_get_autocommit(db->writer))
        sqlite3_exec(db->writer, "ROLLBACK", NULL, NULL, NULL);
    pthread_mutex_unlock(&db->write_lock);
}

static void complain(sqlite3 *c, const char *sql)
{
    disk_full = sqlite3_errcode(c) == SQLITE_FULL;
    fprintf(stderr, "pvbootd: the state: %s (%.60s)\n", sqlite3_errmsg(c), sql);
}

static sqlite3_stmt *query(sqlite3 *c, const char *sql, const char *types, va_list ap)
{
    sqlite3_stmt *s = db_cache_take(c, sql);
    int status = SQLITE_OK;

    if (!s && sqlite3_prepare_v3(c, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK) {
        complain(c, sql);
        return NULL;
    }
    for (int i = 1; *types && status == SQLITE_OK; i++, types++) {
        if (*types == 's')
            status = sqlite3_bind_text(s, i, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
        else
            status = sqlite3_bind_int64(s, i, va_arg(ap, int64_t));
    }
    if (status == SQLITE_OK)
        return s;
    complain(c, sql);
    db_finish(s);
    return NULL;
}

sqlite3_stmt *db_query(sqlite3 *c, const char *sql, const char *types, ...)
{
    sqlite3_stmt *s;
    va_list ap;

    va_start(ap, types);
    s = query(c, sql, types, ap);
    va_end(ap);
    return s;
}

bool db_run(sqlite3 *c, const char *sql, const char *types, ...)
{
    sqlite3_stmt *s;
    va_list ap;
    int status;

    va_start(ap, types);
    s = query(c, sql, types, ap);
    va_end(ap);
    if (!s)
        return false;
    do
        status = sqlite3_step(s);
    while (status == SQLITE_ROW);
    if (status != SQLITE_DONE)
        complain(c, sql);
    db_finish(s);
    return status == SQLITE_DONE;
}

int64_t db_number(sqlite3 *c, int64_t otherwise, const char *sql, const char *types, ...)
{
    sqlite3_stmt *s;
    va_list ap;

    va_start(ap, types);
    s = query(c, sql, types, ap);
    va_end(ap);
    if (s && sqlite3_step(s) == SQLITE_ROW)
        otherwise = sqlite3_column_int64(s, 0);
    db_finish(s);
    return otherwise;
}

const char *db_text(sqlite3_stmt *s, int column)
{
    const char *text = (const char *)sqlite3_column_text(s, column);

    return text ? text : "";
}

bool db_disk_full(void)
{
    return disk_full;
}
