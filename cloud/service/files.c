/* SPDX-License-Identifier: MIT */
/* Files with random names, written once; see files.h. */
#include "cloud/service/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud/service/request.h"
#include "host/hex.h"

#define PATH_BYTES 4096
#define NR_FOLDERS 256

static bool path_tmp(char out[PATH_BYTES], const char *dir, const char *name)
{
    return snprintf(out, PATH_BYTES, "%s/tmp/%s", dir, name) < PATH_BYTES;
}

static bool path_kept(char out[PATH_BYTES], const char *dir, const char *name)
{
    return snprintf(out, PATH_BYTES, "%s/files/%.2s/%s", dir, name, name) < PATH_BYTES;
}

static bool make_folder(const char *path, struct buf *why)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return true;
    buf_printf(why, "%s: %s", path, strerror(errno));
    return false;
}

bool files_prepare(const char *dir, struct buf *why)
{
    char path[PATH_BYTES];

    if (strlen(dir) > PATH_BYTES / 2) {
        buf_puts(why, "the path of the state's directory is too long");
        return false;
    }
    snprintf(path, sizeof(path), "%s/tmp", dir);
    if (!make_folder(path, why))
        return false;
    snprintf(path, sizeof(path), "%s/files", dir);
    if (!make_folder(path, why))
        return false;
    for (unsigned i = 0; i < NR_FOLDERS; i++) {
        snprintf(path, sizeof(path), "%s/files/%02x", dir, i);
        if (!make_folder(path, why))
            return false;
    }
    return true;
}

/* Remove the files of a folder, or those alone that the database does not know. */
static void sweep_folder(const char *path, sqlite3 *c)
{
    DIR *d = opendir(path);
    struct dirent *e;

    while (d && (e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        if (c && db_number(c, 1,
                           "SELECT EXISTS(SELECT 1 FROM object WHERE file=?1) OR"
                           " EXISTS(SELECT 1 FROM part WHERE file=?1)",
                           "s", e->d_name) != 0)
            continue;
        if (unlinkat(dirfd(d), e->d_name, 0) == 0)
            fprintf(stderr, "pvbootd: removed %s/%s, which a request that did not end had left\n",
                    path, e->d_name);
    }
    if (d)
        closedir(d);
}

void files_sweep(const char *dir, struct db *db)
{
    char path[PATH_BYTES];
    sqlite3 *c = db_reader(db);

    snprintf(path, sizeof(path), "%s/tmp", dir);
    sweep_folder(path, NULL);
    for (unsigned i = 0; i < NR_FOLDERS; i++) {
        snprintf(path, sizeof(path), "%s/files/%02x", dir, i);
        sweep_folder(path, c);
    }
    db_done(db, c);
}

int files_nameless(const char *dir)
{
    char path[PATH_BYTES], name[FILE_NAME_BYTES];
    int fd;

    random_hex(name, (FILE_NAME_BYTES - 1) / 2);
    if (!path_tmp(path, dir, name)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        unlink(path);
    return fd;
}

struct file_in *file_begin(const char *dir)
{
    struct file_in *f = xalloc(sizeof(*f));
    char path[PATH_BYTES];
    int error;

    f->dir = dir;
    random_hex(f->name, (FILE_NAME_BYTES - 1) / 2);
    f->md5 = EVP_MD_CTX_new();
    f->sha256 = EVP_MD_CTX_new();
    f->fd =
        path_tmp(path, dir, f->name) ? open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (f->fd >= 0 && f->md5 && f->sha256 && EVP_DigestInit_ex(f->md5, EVP_md5(), NULL) == 1 &&
        EVP_DigestInit_ex(f->sha256, EVP_sha256(), NULL) == 1)
        return f;
    error = errno;
    fprintf(stderr, "pvbootd: %s/tmp: a file cannot be made: %s\n", dir, strerror(error));
    file_free(f);
    errno = error;
    return NULL;
}

static bool note_failure(struct file_in *f)
{
    f->full = errno == ENOSPC || errno == EDQUOT;
    fprintf(stderr, "pvbootd: %s: writing an object failed: %s\n", f->dir, strerror(errno));
    return false;
}

bool file_add(struct file_in *f, const void *bytes, size_t len)
{
    const char *p = bytes;

    EVP_DigestUpdate(f->md5, bytes, len);
    EVP_DigestUpdate(f->sha256, bytes, len);
    f->size += len;
    while (len > 0) {
        ssize_t n = write(f->fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return note_failure(f);
        p += n;
        len -= (size_t)n;
    }
    return true;
}

/* By reads and writes, where the kernel does not copy between these two files. */
static ssize_t copy_piece(int from, int to, uint64_t left)
{
    char piece[65536];
    size_t want = left < sizeof(piece) ? (size_t)left : sizeof(piece);
    ssize_t n = copy_file_range(from, NULL, to, NULL, left < 1 << 30 ? (size_t)left : 1 << 30, 0);

    if (n >= 0 || (errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS))
        return n;
    n = read(from, piece, want);
    return n > 0 ? write(to, piece, (size_t)n) : n;
}

bool file_append(struct file_in *f, const char *name, uint64_t size)
{
    int from = stored_open(f->dir, name);
    bool good = from >= 0;

    for (uint64_t left = size; good && left > 0;) {
        ssize_t n = copy_piece(from, f->fd, left);

        if (n == 0)
            errno = EIO; /* shorter than the database says */
        good = n > 0;
        left -= good ? (uint64_t)n : 0;
    }
    if (!good)
        note_failure(f);
    if (from >= 0)
        close(from);
    f->size += size;
    return good;
}

void file_end(struct file_in *f)
{
    unsigned char md[32];

    EVP_DigestFinal_ex(f->md5, f->md5_raw, NULL);
    hex_write(f->md5_raw, sizeof(f->md5_raw), f->md5_hex);
    EVP_DigestFinal_ex(f->sha256, md, NULL);
    hex_write(md, sizeof(md), f->sha256_hex);
}

/* A file's new name is durable when its folder is. */
static bool sync_folder(const char *path)
{
    char folder[PATH_BYTES];
    char *slash;
    int fd;
    bool good;

    snprintf(folder, sizeof(folder), "%s", path);
    slash = strrchr(folder, '/');
    *slash = 0;
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    good = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

bool file_keep(struct file_in *f)
{
    char from[PATH_BYTES], to[PATH_BYTES];

    if (!path_tmp(from, f->dir, f->name) || !path_kept(to, f->dir, f->name))
        return false;
    if (fsync(f->fd) != 0 || rename(from, to) != 0 || !sync_folder(to))
        return note_failure(f);
    close(f->fd);
    f->fd = -1;
    return true;
}

void file_free(struct file_in *f)
{
    char path[PATH_BYTES];

    if (!f)
        return;
    if (f->fd >= 0) {
        close(f->fd);
        if (path_tmp(path, f->dir, f->name))
            unlink(path);
    }
    EVP_MD_CTX_free(f->md5);
    EVP_MD_CTX_free(f->sha256);
    free(f);
}

void file_name_copy(char out[FILE_NAME_BYTES], const char *name)
{
    bool good = strlen(name) == FILE_NAME_BYTES - 1 &&
                strspn(name, "0123456789abcdef") == FILE_NAME_BYTES - 1;

    memcpy(out, good ? name : "", good ? FILE_NAME_BYTES : 1);
}

int stored_open(const char *dir, const char *name)
{
    char path[PATH_BYTES];

    if (!path_kept(path, dir, name))
        return -1;
    return open(path, O_RDONLY | O_CLOEXEC);
}

void stored_remove(const char *dir, const char *name)
{
    char path[PATH_BYTES];

    if (path_kept(path, dir, name) && unlink(path) != 0)
        fprintf(stderr, "pvbootd: %s: %s\n", path, strerror(errno));
}
