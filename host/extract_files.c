/* SPDX-License-Identifier: MIT */
/* The output of `pvboot extract`: under temporary names until all of it is there. */
#include "host/extract.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/cmd.h"

static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static void change_signals(int how)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        sigaddset(&set, ends[i]);
    sigprocmask(how, &set, NULL);
}

void extract_hold_signals(void)
{
    change_signals(SIG_BLOCK);
}

void extract_release_signals(void)
{
    change_signals(SIG_UNBLOCK);
}

/* "DIR/NAME" into buf; false: too long. */
static bool join(char *buf, size_t cap, const char *dir, const char *name)
{
    int len = snprintf(buf, cap, "%s/%s", dir, name);

    return len > 0 && (size_t)len < cap;
}

static bool failed_at(const char *what, const char *path)
{
    fprintf(stderr, "pvboot: %s %s: %s\n", what, path, strerror(errno));
    return false;
}

bool extract_create(struct extract_output *out, const char *dir, const char *prefix)
{
    int len = snprintf(out->temporary, sizeof(out->temporary), "%s/%s.XXXXXX", dir, prefix);

    out->fd = -1;
    if (len < 0 || (size_t)len >= sizeof(out->temporary)) {
        fprintf(stderr, "pvboot: the folder's name is too long: %s\n", dir);
        out->temporary[0] = '\0';
        return false;
    }
    out->fd = mkostemp(out->temporary, O_CLOEXEC);
    if (out->fd >= 0)
        return true;
    failed_at("making a file in", dir);
    out->temporary[0] = '\0';
    return false;
}

/* Its length, mode and content, on the disk. */
static bool settle(struct extract_output *out, uint64_t nr_bytes)
{
    mode_t mask = umask(0);

    umask(mask);
    if (ftruncate(out->fd, (off_t)nr_bytes) < 0 || fchmod(out->fd, 0666 & ~mask) < 0 ||
        fsync(out->fd) < 0)
        return failed_at("writing", out->temporary);
    return true;
}

/* The final name. Not `force`: never over another file, not even one that has just come. */
static bool give_name(struct extract_output *out, const char *path, bool force)
{
    if (force) {
        if (rename(out->temporary, path) < 0)
            return failed_at("naming", path);
        out->temporary[0] = '\0';
        return true;
    }
    /* A second name fails where there is one already. */
    int rc = link(out->temporary, path);

    if (rc < 0 && (errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS)) {
        /* A file system without second names. */
        rc = access(path, F_OK) < 0 ? rename(out->temporary, path) : -1;
        if (rc == 0)
            out->temporary[0] = '\0';
        else if (access(path, F_OK) == 0)
            errno = EEXIST;
    }
    if (rc == 0)
        return true; /* the temporary name goes with the clean-up */
    if (errno == EEXIST)
        fprintf(stderr, "pvboot: %s is there already; --force overwrites it\n", path);
    else
        failed_at("naming", path);
    return false;
}

static bool sync_folder(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (!ok)
        failed_at("writing the folder", dir);
    if (fd >= 0)
        close(fd);
    return ok;
}

bool extract_publish(struct extract_job *job, const char *dir, bool force)
{
    /* The kernel last: who finds it finds the others. */
    static const enum extract_file order[] = {EXTRACT_CMDLINE, EXTRACT_INITRD, EXTRACT_KERNEL};
    char path[EXTRACT_FILES][4096];
    size_t nr_named = 0;
    bool ok = true;

    for (size_t i = 0; i < EXTRACT_FILES && ok; i++)
        ok = settle(&job->out[i], job->result->file_bytes[i]);
    for (size_t i = 0; i < EXTRACT_FILES && ok; i++) {
        struct extract_output *out = &job->out[order[i]];

        ok = join(path[i], sizeof(path[i]), dir, out->name);
        if (!ok)
            fprintf(stderr, "pvboot: the folder's name is too long: %s\n", dir);
        else if (order[i] == EXTRACT_INITRD && job->result->nr_initrds == 0)
            ok =
                !force || unlink(path[i]) == 0 || errno == ENOENT || failed_at("removing", path[i]);
        else
            ok = give_name(out, path[i], force);
        nr_named += ok ? 1 : 0;
    }
    if (ok)
        return sync_folder(dir);
    /* All or nothing, as far as nothing has been overwritten. */
    for (size_t i = 0; i < nr_named && !force; i++) {
        if (order[i] != EXTRACT_INITRD || job->result->nr_initrds != 0)
            unlink(path[i]);
    }
    return false;
}

void extract_clean_up(struct extract_job *job)
{
    for (size_t i = 0; i < EXTRACT_FILES; i++) {
        struct extract_output *out = &job->out[i];

        if (out->fd >= 0)
            close(out->fd);
        if (out->temporary[0] != '\0')
            unlink(out->temporary);
        out->fd = -1;
        out->temporary[0] = '\0';
    }
    machine_close(&job->machine);
}
