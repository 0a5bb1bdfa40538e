/* SPDX-License-Identifier: MIT */
/* A bundle in a folder, to an image in a folder. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud/bundle/unpack.h"
#include "cloud/bundle/work.h"

struct folders {
    const struct manifest *m;
    const char *to;
    int from_fd, to_fd;
    struct work work; /* the image, until it has its name */
    struct work_lock lock;
    char *why;
    size_t why_cap;
};

static bool bad(struct folders *f, const char *what, const char *path)
{
    snprintf(f->why, f->why_cap, "%s %s: %s", path, what, strerror(errno));
    return false;
}

static int open_part(void *ctx, uint32_t i)
{
    const struct folders *f = ctx;

    return openat(f->from_fd, f->m->parts[i].filename, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

static bool open_all(struct folders *f, const char *from)
{
    char what[MANIFEST_NAME_MAX + 32], why[512];
    struct stat st;

    f->from_fd = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->from_fd < 0)
        return bad(f, "cannot be opened", from);
    f->to_fd = open(f->to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->to_fd < 0)
        return bad(f, "cannot be opened", f->to);
    snprintf(what, sizeof(what), ".%s.unbundling", f->m->name);
    if (!work_lock(&f->lock, f->to_fd, what, f->m->name, why, sizeof(why))) {
        snprintf(f->why, f->why_cap, "%s/%s", f->to, why);
        return false;
    }
    if (fstatat(f->to_fd, f->m->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        snprintf(f->why, f->why_cap, "%s/%s is there already; remove it, or choose another folder",
                 f->to, f->m->name);
        return false;
    }
    if (work_file(&f->work, f->to_fd, what, why, sizeof(why)))
        return true;
    snprintf(f->why, f->why_cap, "%s/%s", f->to, why);
    return false;
}

static bool give_name(struct folders *f)
{
    if (fsync(f->work.fd) != 0 || renameat(f->to_fd, f->work.name, f->to_fd, f->m->name) != 0)
        return bad(f, "cannot be written", f->m->name);
    work_keep(&f->work);
    return true;
}

bool bundle_unpack_folder(const struct manifest *m, const char *from, const char *to,
                          const struct bundle_key *key, const struct bundle_job *job, char *why,
                          size_t why_cap)
{
    struct folders f = {.m = m,
                        .to = to,
                        .from_fd = -1,
                        .to_fd = -1,
                        .work = {.fd = -1},
                        .lock = {.fd = -1},
                        .why = why,
                        .why_cap = why_cap};
    const struct bundle_source source = {.open_part = open_part, .ctx = &f, .place = from};
    bool good = open_all(&f, from) &&
                bundle_unpack(m, &source, key, f.work.fd, job, why, why_cap) && give_name(&f);

    work_end(&f.work);
    work_unlock(&f.lock);
    if (f.to_fd >= 0)
        close(f.to_fd);
    if (f.from_fd >= 0)
        close(f.from_fd);
    return good;
}
