/* SPDX-License-Identifier: MIT */
/*
 * What must not get into an image by accident. The list is that of Amazon's tool, as its reference
 * has it; what is no secret stays: links, and PEM files that hold certificates alone, without which
 * nothing in the image could check whom it talks to.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cloud/bundle/stage.h"

#define PEM_BYTES ((size_t)1 << 20) /* of certificates; a larger file is left out */
#define NOTES_MAX 20u
#define WAYS      "--include takes it in, --no-filter all such files"

static const char *const secrets[] = {
    "*.sw",
    "*.swo",
    "*.swp",
    "*.pem",
    "*.priv",
    "*id_rsa*",
    "*id_dsa*",
    "*.gpg",
    "*.jks",
    "*/.ssh/authorized_keys",
    "*/.bash_history",
};

/* The network cards of this machine, by their addresses: an instance has others. */
static const char *const machine[] = {
    "/etc/udev/rules.d/70-persistent-net.rules",
    "/etc/udev/rules.d/z25_persistent-net.rules",
};

struct filtering {
    struct staging *s;
    uint32_t nr_notes; /* also those that were not shown */
};

bool filter_is_pattern(const char *path)
{
    return strpbrk(path, "*?[") != NULL;
}

static bool matches(const char *const *patterns, size_t nr, const char *path, int flags)
{
    for (size_t i = 0; i < nr; i++) {
        if (fnmatch(patterns[i], path, flags) == 0)
            return true;
    }
    return false;
}

static bool is_excluded(const struct volume *v, const char *path)
{
    for (uint32_t i = 0; i < v->nr_excludes; i++) {
        if (filter_is_pattern(v->excludes[i]) && fnmatch(v->excludes[i], path, FNM_PATHNAME) == 0)
            return true;
    }
    return false;
}

static bool is_included(const struct volume *v, const char *path)
{
    for (uint32_t i = 0; i < v->nr_includes; i++) {
        if (strcmp(v->includes[i], path) == 0)
            return true;
    }
    return false;
}

/* Certificates, and no key beside them. */
static bool only_certificates(const char *path)
{
    static char text[PEM_BYTES + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text)) : -1;

    if (fd >= 0)
        close(fd);
    if (n <= 0 || (size_t)n == sizeof(text))
        return false;
    text[n] = '\0';
    return strlen(text) == (size_t)n && strstr(text, "CERTIFICATE-----") != NULL &&
           strstr(text, "PRIVATE KEY") == NULL;
}

static bool is_of_machine(const char *path)
{
    return matches(machine, sizeof(machine) / sizeof(machine[0]), path, 0);
}

static bool is_secret(const FTSENT *e, const char *path)
{
    static const char pem[] = ".pem";
    size_t len = strlen(path), end = sizeof(pem) - 1;

    if (e->fts_info != FTS_F && e->fts_info != FTS_D)
        return false;
    if (is_of_machine(path))
        return true;
    if (!matches(secrets, sizeof(secrets) / sizeof(secrets[0]), path, 0))
        return false;
    return e->fts_info == FTS_D || len < end || strcmp(path + len - end, pem) != 0 ||
           !only_certificates(e->fts_path);
}

static void say(struct filtering *f, const char *path)
{
    char line[VOLUME_PATH_MAX + 128];
    bool of_machine = is_of_machine(path);

    if (++f->nr_notes > NOTES_MAX)
        return;
    snprintf(line, sizeof(line), "%s is left out: it %s; " WAYS, path,
             of_machine ? "names the network cards of this machine" : "may hold a secret");
    f->s->v->note(line);
}

/* What walks the tree goes on below a folder only when nothing was done with it. */
static bool one(struct filtering *f, FTS *fts, FTSENT *e, const char *path)
{
    struct staging *s = f->s;
    bool there;

    if (is_excluded(s->v, path)) {
        if (e->fts_info != FTS_D)
            return stage_remove(s, path);
        fts_set(fts, e, FTS_SKIP);
        return stage_cover(s, path, &there);
    }
    if (!s->v->filter || is_included(s->v, path) || !is_secret(e, path))
        return true;
    fts_set(fts, e, FTS_SKIP);
    say(f, path);
    return stage_remove(s, path);
}

static bool needs_no_walk(const struct volume *v)
{
    for (uint32_t i = 0; i < v->nr_excludes; i++) {
        if (filter_is_pattern(v->excludes[i]))
            return false;
    }
    return !v->filter;
}

bool filter_files(struct staging *s)
{
    char *const top[] = {(char *)(uintptr_t)s->at, NULL};
    struct filtering f = {.s = s};
    size_t top_len = strlen(s->at);
    bool good = true;
    FTSENT *e;

    if (needs_no_walk(s->v))
        return true;
    FTS *fts = fts_open(top, FTS_PHYSICAL | FTS_NOCHDIR, NULL);

    while (good && fts != NULL && (errno = 0, e = fts_read(fts)) != NULL) {
        const char *path = e->fts_path + top_len;

        if (*s->v->stop != 0) {
            snprintf(s->why, s->why_cap, "interrupted; nothing of the bundle was left");
            good = false;
        } else if ((e->fts_info == FTS_DNR || e->fts_info == FTS_ERR) && e->fts_errno != ENOENT) {
            snprintf(s->why, s->why_cap, "%s%s cannot be read: %s", s->v->real, path,
                     strerror(e->fts_errno));
            good = false;
        } else if (e->fts_info != FTS_DP && path[0] != '\0') {
            good = one(&f, fts, e, path);
        }
    }
    if (good && (fts == NULL || errno != 0)) {
        snprintf(s->why, s->why_cap, "%s cannot be read: %s", s->v->real, strerror(errno));
        good = false;
    }
    if (fts != NULL)
        fts_close(fts);
    if (f.nr_notes > NOTES_MAX) {
        char line[128];

        snprintf(line, sizeof(line), "%u more files are left out for such reasons; " WAYS,
                 f.nr_notes - NOTES_MAX);
        s->v->note(line);
    }
    return good;
}
