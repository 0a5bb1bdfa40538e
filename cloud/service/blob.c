/* SPDX-License-Identifier: MIT */
/* Files of disks; see blob.h. qemu-img makes and knows the qcow2 ones. */
#include "cloud/service/blob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud/bundle/program.h"
#include "cloud/service/request.h"

#define FOLDER "blobs"

static const volatile sig_atomic_t never;

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

/* The file and its name. */
static bool make_durable(const char *dir, const struct blob *b, struct buf *why)
{
    struct buf path = {0}, folder = {0};
    bool good;

    blob_path(dir, b->id, &path);
    blob_path(dir, "", &folder);
    good = sync_path(path.text) && sync_path(folder.text);
    if (!good)
        buf_printf(why, "A disk could not be written to the end: %s.", strerror(errno));
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

/* Run the program on the new blob's file; nothing of it stays when that fails. */
static bool make_by(const char *dir, const char *const *argv, const struct blob *b, struct buf *why)
{
    char said[512];

    if (program_run(argv, &never, NULL, 0, said, sizeof(said))) {
        if (make_durable(dir, b, why))
            return true;
    } else {
        fprintf(stderr, "pvbootd: %s: %s\n", argv[0], said);
        buf_printf(why, "A disk could not be made%s.",
                   strstr(said, strerror(ENOSPC)) ? ": the disk of the service is full" : "");
    }
    blob_throw_away(dir, b);
    return false;
}

bool blob_make_empty(const char *dir, uint64_t virtual_bytes, struct blob *out, struct buf *why)
{
    int fd = blob_begin(dir, out, why);

    if (fd < 0)
        return false;
    if (ftruncate(fd, (off_t)virtual_bytes) == 0)
        return blob_keep(dir, fd, out, why);
    buf_printf(why, "A disk of %llu bytes could not be made: %s.",
               (unsigned long long)virtual_bytes, strerror(errno));
    close(fd);
    blob_throw_away(dir, out);
    return false;
}

bool blob_make_child(const char *dir, const struct blob *parent, uint64_t virtual_bytes,
                     struct blob *out, struct buf *why)
{
    struct buf path = {0};
    char size[32];
    bool good;

    *out = (struct blob){.qcow2 = true, .virtual_bytes = virtual_bytes};
    blob_new_id(out);
    memcpy(out->parent, parent->id, sizeof(out->parent));
    blob_path(dir, out->id, &path);
    snprintf(size, sizeof(size), "%llu", (unsigned long long)virtual_bytes);
    /* The parent by its bare name: it lies in the same folder, wherever that is moved to. */
    good =
        make_by(dir,
                (const char *const[]){"qemu-img", "create", "-q", "-f", "qcow2", "-b", parent->id,
                                      "-F", parent->qcow2 ? "qcow2" : "raw", path.text, size, NULL},
                out, why);
    buf_free(&path);
    return good;
}

bool blob_make_copy(const char *dir, const struct blob *from, struct blob *out, struct buf *why)
{
    struct buf source = {0}, path = {0};
    bool good;

    *out = *from;
    blob_new_id(out);
    blob_path(dir, from->id, &source);
    blob_path(dir, out->id, &path);
    good = make_by(dir,
                   (const char *const[]){"cp", "--reflink=auto", "--sparse=always", source.text,
                                         path.text, NULL},
                   out, why);
    buf_free(&source);
    buf_free(&path);
    return good;
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
        buf_printf(why, "A disk could not be made: %s.", strerror(errno));
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
        buf_printf(why, "A disk could not be looked at: %s.", strerror(errno));
    close(fd);
    if (good && make_durable(dir, b, why))
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

void blobs_sweep(const char *dir, struct db *db)
{
    sqlite3 *c = db_reader(db);
    struct buf path = {0};
    struct blob unused;
    struct dirent *entry;
    DIR *folder;

    blob_path(dir, "", &path);
    folder = opendir(path.text);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] == '.' ||
            (id_good(entry->d_name) && blob_find(c, entry->d_name, &unused)))
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
