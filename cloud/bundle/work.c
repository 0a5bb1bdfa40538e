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
