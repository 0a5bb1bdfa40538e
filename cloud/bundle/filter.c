/* SPDX-License-Identifier: MIT */
/*
 * What must not get into an image by accident. The list is that of Amazon's tool, as its reference
 * has it; what is no secret stays: links, PEM files that hold certificates alone, and keyrings of
 * public keys, without which nothing in the image could check whom it talks to and what it
 * installs.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cloud/bundle/stage.h"

#define PUBLIC_BYTES   ((size_t)1 << 20) /* a larger file is left out unread */
#define PGP_HEADER_MAX 6
#define NOTES_MAX      20u
#define WAYS           "--include takes it in, --no-filter all such files"

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

static bool ends_with(const char *path, const char *end)
{
    size_t len = strlen(path), end_len = strlen(end);

    return len >= end_len && strcmp(path + len - end_len, end) == 0;
}

/* Certificates, and no key beside them. */
static bool only_certificates(const uint8_t *bytes, size_t len)
{
    const char *text = (const char *)bytes; /* terminated */

    return strlen(text) == len && strstr(text, "CERTIFICATE-----") != NULL &&
           strstr(text, "PRIVATE KEY") == NULL;
}

/* RFC 4880, 4.2: the tag of the packet at bytes[0], *len its length with the header. -1: none.
 * PGP_HEADER_MAX bytes can be read, whatever is left. */
static int pgp_packet(const uint8_t *bytes, size_t left, size_t *len)
{
    static const uint8_t old_lengths[] = {1, 2, 4};
    bool new_form = (bytes[0] & 0x40) != 0;
    unsigned nr = 0, start = 1;
    uint64_t body = 0;

    if ((bytes[0] & 0x80) == 0)
        return -1;
    if (!new_form && (bytes[0] & 3) < 3)
        nr = old_lengths[bytes[0] & 3];
    else if (new_form && bytes[1] < 192)
        nr = 1;
    else if (new_form && bytes[1] < 224)
        body = ((uint64_t)(bytes[1] - 192) << 8) + bytes[2] + 192;
    else if (new_form && bytes[1] == 255) {
        nr = 4;
        start = 2;
    } else
        return -1; /* of unknown length */
    for (unsigned i = 0; i < nr; i++)
        body = body << 8 | bytes[start + i];
    start += nr > 0 ? nr : 2;
    *len = start + (size_t)body;
    if (start > left || body > left - start)
        return -1;
    return new_form ? bytes[0] & 0x3f : bytes[0] >> 2 & 0xf;
}

/* Those with which a package manager checks what it fetches. */
static bool only_public_keys(const uint8_t *bytes, size_t len)
{
    enum { SIGNATURE = 2, PUBLIC_KEY = 6, TRUST = 12, USER_ID = 13, SUBKEY = 14, ATTRIBUTE = 17 };
    const uint8_t *p = bytes;
    size_t left = len, n = 0;

    for (; left > 0; p += n, left -= n) {
        int tag = pgp_packet(p, left, &n);

        if (p == bytes ? tag != PUBLIC_KEY
                       : tag != PUBLIC_KEY && tag != SUBKEY && tag != USER_ID && tag != ATTRIBUTE &&
                             tag != SIGNATURE && tag != TRUST)
            return false;
    }
    return len > 0;
}

static bool is_public(const char *file, const char *path)
{
    static uint8_t bytes[PUBLIC_BYTES + PGP_HEADER_MAX];
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t n = fd >= 0 ? read(fd, bytes, sizeof(bytes)) : -1;

    if (fd >= 0)
        close(fd);
    if (n <= 0 || (size_t)n > PUBLIC_BYTES)
        return false;
    memset(bytes + n, 0, PGP_HEADER_MAX); /* also the end of a text */
    return (ends_with(path, ".pem") && only_certificates(bytes, (size_t)n)) ||
           (ends_with(path, ".gpg") && only_public_keys(bytes, (size_t)n));
}

static bool is_of_machine(const char *path)
{
    return matches(machine, sizeof(machine) / sizeof(machine[0]), path, 0);
}

static bool is_secret(const FTSENT *e, const char *path)
{
    if (e->fts_info != FTS_F && e->fts_info != FTS_D)
        return false;
    if (is_of_machine(path))
        return true;
    if (!matches(secrets, sizeof(secrets) / sizeof(secrets[0]), path, 0))
        return false;
    return e->fts_info == FTS_D || !is_public(e->fts_path, path);
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
