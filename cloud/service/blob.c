/* SPDX-License-Identifier: MIT */
/* The folder of the disks and their rows; see blob.h. */
#include "cloud/service/blob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cloud/service/request.h"

#define FOLDER        "blobs"
#define SPARE_BYTES   (UINT64_C(16) << 20) /* a copy leaves this much for the state itself */
#define STAT_BLOCK    512                  /* what st_blocks counts */
#define CHAIN_LENGTHS 1000                 /* more would be a circle */

/* ---- files ----------------------------------------------------------------------------------- */

void blob_path(const char *dir, const char *id, struct buf *out)
{
    buf_clear(out);
    buf_printf(out, "%s/" FOLDER "/%s", dir, id);
}

bool blobs_prepare(const char *dir, struct buf *why)
{
    struct buf path = {0};

    blob_path(dir, "", &path);
    if (mkdir(path.text, 0700) != 0 && errno != EEXIST)
        buf_printf(why, "%s: %s", path.text, strerror(errno));
    buf_free(&path);
    return why->len == 0;
}

void blob_new_id(struct blob *out)
{
    random_hex(out->id, (BLOB_ID_BYTES - 1) / 2);
}

static bool id_good(const char *id)
{
    return strlen(id) == BLOB_ID_BYTES - 1 && strspn(id, "0123456789abcdef") == BLOB_ID_BYTES - 1;
}

static bool sync_path(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return good;
}

bool blob_make_durable(const char *dir, const struct blob *b, struct buf *why)
{
    struct buf path = {0}, folder = {0};
    bool good;

    blob_path(dir, b->id, &path);
    blob_path(dir, "", &folder);
    good = sync_path(path.text) && sync_path(folder.text);
    if (!good)
        blob_say(why, "written to the end", errno);
    buf_free(&path);
    buf_free(&folder);
    return good;
}

void blob_throw_away(const char *dir, const struct blob *b)
{
    struct buf path = {0};

    blob_path(dir, b->id, &path);
    unlink(path.text);
    buf_free(&path);
}

void blob_say(struct buf *why, const char *what, int error)
{
    buf_clear(why);
    if (error == ENOSPC || error == EDQUOT)
        buf_printf(why, "A disk could not be %s: the disk of the service is full.", what);
    else
        buf_printf(why, "A disk could not be %s: %s.", what, strerror(error));
}

uint64_t blob_file_bytes(const char *dir, const char *id)
{
    struct buf path = {0};
    struct stat st = {0};

    blob_path(dir, id, &path);
    if (stat(path.text, &st) != 0)
        st.st_blocks = 0;
    buf_free(&path);
    return (uint64_t)st.st_blocks * STAT_BLOCK;
}

bool blob_room_for(const char *dir, uint64_t bytes, struct buf *why)
{
    struct buf path = {0};
    struct statvfs fs;
    bool known;

    blob_path(dir, "", &path);
    known = statvfs(path.text, &fs) == 0;
    buf_free(&path);
    /* What cannot be known is found out by writing. */
    if (!known || bytes + SPARE_BYTES <= (uint64_t)fs.f_bavail * fs.f_frsize)
        return true;
    blob_say(why, "copied", ENOSPC);
    return false;
}

int blob_begin(const char *dir, struct blob *out, struct buf *why)
{
    struct buf path = {0};
    int fd;

    *out = (struct blob){0};
    blob_new_id(out);
    blob_path(dir, out->id, &path);
    fd = open(path.text, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        blob_say(why, "made", errno);
    buf_free(&path);
    return fd;
}

bool blob_keep(const char *dir, int fd, struct blob *b, struct buf *why)
{
    struct stat st;
    bool good = fstat(fd, &st) == 0;

    if (good)
        b->virtual_bytes = (uint64_t)st.st_size;
    else
        blob_say(why, "looked at", errno);
    close(fd);
    if (good && blob_make_durable(dir, b, why))
        return true;
    blob_throw_away(dir, b);
    return false;
}

/* ---- rows ------------------------------------------------------------------------------------ */

bool blob_insert(sqlite3 *c, const struct blob *b, const char *account)
{
    return db_run(c, "INSERT INTO blob VALUES(?,?,?,?,?)", "ssisi", b->id, account,
                  (int64_t)b->qcow2, b->parent[0] ? b->parent : NULL, (int64_t)b->virtual_bytes);
}

bool blob_find(sqlite3 *c, const char *id, struct blob *out)
{
    sqlite3_stmt *s =
        db_query(c, "SELECT id, qcow2, parent, virtual_bytes FROM blob WHERE id = ?", "s", id);
    bool found = s != NULL && sqlite3_step(s) == SQLITE_ROW;

    if (found) {
        *out = (struct blob){.qcow2 = sqlite3_column_int64(s, 1) != 0,
                             .virtual_bytes = (uint64_t)sqlite3_column_int64(s, 3)};
        snprintf(out->id, sizeof(out->id), "%s", db_text(s, 0));
        snprintf(out->parent, sizeof(out->parent), "%s", db_text(s, 2));
    }
    sqlite3_finalize(s);
    return found;
}

unsigned blob_depth(sqlite3 *c, const char *id)
{
    return (unsigned)db_number(
        c, 0,
        "WITH RECURSIVE chain(id, length) AS (SELECT ?, 0"
        " UNION ALL SELECT b.parent, length + 1 FROM chain JOIN blob b ON b.id = chain.id"
        " WHERE b.parent IS NOT NULL AND length < ?)"
        " SELECT max(length) FROM chain",
        "si", id, (int64_t)CHAIN_LENGTHS);
}

/* Does nothing tell of the file? While the state cannot say, something may. */
static bool is_left_over(sqlite3 *c, const char *name)
{
    return !id_good(name) ||
           db_number(c, 1, "SELECT EXISTS(SELECT 1 FROM blob WHERE id = ?)", "s", name) == 0;
}

void blobs_sweep(const char *dir, struct db *db)
{
    sqlite3 *c = db_reader(db);
    struct buf path = {0};
    struct dirent *entry;
    DIR *folder;

    blob_path(dir, "", &path);
    folder = opendir(path.text);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.' || !is_left_over(c, entry->d_name))
            continue;
        fprintf(stderr, "pvbootd: " FOLDER "/%.100s: removed, nothing needs it\n", entry->d_name);
        unlinkat(dirfd(folder), entry->d_name, 0);
    }
    if (folder != NULL)
        closedir(folder);
    db_done(db, c);
    buf_free(&path);
}

/* The first unused blob, taken out of the database; "" when there is none. */
static bool forget_one(struct db *db, struct blob *out)
{
    sqlite3 *c = db_begin(db);
    sqlite3_stmt *s;
    bool found;

    if (c == NULL)
        return false;
    s = db_query(c, "SELECT id FROM blob WHERE id NOT IN (SELECT id FROM blob_needed) LIMIT 1", "");
    found = s != NULL && sqlite3_step(s) == SQLITE_ROW;
    if (found)
        snprintf(out->id, sizeof(out->id), "%s", db_text(s, 0));
    sqlite3_finalize(s);
    if (found && db_run(c, "DELETE FROM blob WHERE id = ?", "s", out->id))
        return db_commit(db);
    db_rollback(db);
    return false;
}

void blobs_drop_unused(const char *dir, struct db *db)
{
    struct blob b;

    while (forget_one(db, &b))
        blob_throw_away(dir, &b);
}

bool blobs_step(struct service *svc)
{
    sqlite3 *c = db_reader(svc->db);
    bool any = db_number(c, 0,
                         "SELECT EXISTS(SELECT 1 FROM blob WHERE id NOT IN"
                         " (SELECT id FROM blob_needed))",
                         "") != 0;

    db_done(svc->db, c);
    if (any)
        blobs_drop_unused(svc->config.state_dir, svc->db);
    return false;
}
