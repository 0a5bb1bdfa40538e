/* SPDX-License-Identifier: MIT */
#include "cloud/bundle/work.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* The files and empty folders in a folder: none is deeper. */
static void empty_folder(int fd)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *e;

    while (d != NULL && (e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            unlinkat(fd, e->d_name, 0) != 0)
            (void)unlinkat(fd, e->d_name, AT_REMOVEDIR);
    }
    if (d != NULL)
        closedir(d);
    else if (copy >= 0)
        close(copy);
}

static void remove_it(int dir_fd, int fd, const char *name)
{
    struct stat st;
    bool folder = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);

    if (folder)
        empty_folder(fd);
    (void)unlinkat(dir_fd, name, folder ? AT_REMOVEDIR : 0);
}

/* .NAME.PID, and nothing else: NAME may have dots. */
static bool is_of(const char *name, const char *what)
{
    size_t len = strlen(what);

    return strncmp(name, what, len) == 0 && name[len] == '.' && name[len + 1] != '\0' &&
           strspn(name + len + 1, "0123456789") == strlen(name + len + 1);
}

static void remove_left(int dir_fd, const char *what)
{
    int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *e;

    while (d != NULL && (e = readdir(d)) != NULL) {
        int fd = is_of(e->d_name, what)
                     ? openat(dir_fd, e->d_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
                     : -1;

        if (fd < 0)
            continue;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            remove_it(dir_fd, fd, e->d_name);
        close(fd);
    }
    if (d != NULL)
        closedir(d);
    else if (copy >= 0)
        close(copy);
}

/* Others may take a lock that was left here, so they may open it. -1: errno. */
static int open_lock(int dir_fd, const char *name)
{
    int fd;

    do {
        fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0 || errno != ENOENT)
            return fd;
        fd = openat(dir_fd, name, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd >= 0)
            (void)fchmod(fd, 0644);
    } while (fd < 0 && errno == EEXIST);
    return fd;
}

/* Not when its holder has removed it since it was opened. */
static bool still_named(int dir_fd, int fd, const char *name)
{
    struct stat named, opened;

    return fstat(fd, &opened) == 0 && fstatat(dir_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

bool work_lock(struct work_lock *l, int dir_fd, const char *what, const char *made, char *why,
               size_t why_cap)
{
    *l = (struct work_lock){.dir_fd = dir_fd, .fd = -1};
    snprintf(l->name, sizeof(l->name), "%s", what);
    for (;;) {
        int fd = open_lock(dir_fd, what);

        if (fd < 0) {
            snprintf(why, why_cap, "%s cannot be made: %s", what, strerror(errno));
            return false;
        }
        /* A file system without locks does not keep two apart. */
        if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
            snprintf(why, why_cap,
                     "%s is being made by another run; wait for it, or choose another place", made);
            close(fd);
            return false;
        }
        if (still_named(dir_fd, fd, what)) {
            l->fd = fd;
            return true;
        }
        close(fd);
    }
}

void work_unlock(struct work_lock *l)
{
    if (l->fd < 0)
        return;
    (void)unlinkat(l->dir_fd, l->name, 0);
    close(l->fd);
    l->fd = -1;
}

static bool begin(struct work *w, int dir_fd, const char *what, bool folder, char *why,
                  size_t why_cap)
{
    *w = (struct work){.dir_fd = dir_fd, .fd = -1};
    remove_left(dir_fd, what);
    snprintf(w->name, sizeof(w->name), "%s.%ld", what, (long)getpid());
    if (folder && mkdirat(dir_fd, w->name, 0700) == 0)
        w->fd = openat(dir_fd, w->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    else if (!folder)
        w->fd = openat(dir_fd, w->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    /* A file system without locks has nothing removed that was left. */
    if (w->fd >= 0 && (flock(w->fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK))
        return true;
    snprintf(why, why_cap, "%s cannot be made: %s", w->name, strerror(errno));
    if (w->fd < 0)
        w->name[0] = '\0'; /* not ours */
    work_end(w);
    return false;
}

bool work_folder(struct work *w, int dir_fd, const char *what, char *why, size_t why_cap)
{
    return begin(w, dir_fd, what, true, why, why_cap);
}

bool work_file(struct work *w, int dir_fd, const char *what, char *why, size_t why_cap)
{
    return begin(w, dir_fd, what, false, why, why_cap);
}

void work_keep(struct work *w)
{
    w->name[0] = '\0';
}

void work_end(struct work *w)
{
    if (w->name[0] != '\0')
        remove_it(w->dir_fd, w->fd, w->name);
    if (w->fd >= 0)
        close(w->fd);
    *w = (struct work){.fd = -1};
}
