/* SPDX-License-Identifier: MIT */
/* Whether a folder can be written, and has its state.db; see state.h. */
#include "cloud/service/state.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An empty file is what an interrupted restore leaves, and a database without tables to SQLite. */
static bool is_lost(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? S_ISREG(st.st_mode) && st.st_size == 0 : errno == ENOENT;
}

/* A name that begins with `prefix`, in the folder or, when `deep`, in the folders of it. Alone a
 * folder in a folder is nothing: they are made before the database is. */
static bool find_any(const char *folder, const char *prefix, bool deep, struct buf *out)
{
    DIR *d = opendir(folder);
    const struct dirent *e;
    bool found = false;

    while (d && !found && (e = readdir(d))) {
        if (e->d_name[0] == '.' || strncmp(e->d_name, prefix, strlen(prefix)) != 0)
            continue;
        buf_clear(out);
        buf_printf(out, "%s/%s", folder, e->d_name);
        if (deep) {
            struct buf inner = {0};

            found = find_any(out->text, "", false, &inner);
            if (found) {
                buf_clear(out);
                buf_puts(out, inner.text);
            }
            buf_free(&inner);
        } else {
            found = *prefix || e->d_type != DT_DIR;
        }
    }
    if (d)
        closedir(d);
    return found;
}

static bool is_whole(const char *dir, struct buf *why)
{
    static const struct {
        const char *name, *prefix;
        bool deep;
    } kept[] = {{"blobs", "", false}, {"files", "", true}, {"engine", "i-", false}};
    struct buf path = {0}, found = {0};
    bool whole = true;

    buf_printf(&path, "%s/state.db", dir);
    if (is_lost(path.text)) {
        for (size_t i = 0; whole && i < sizeof(kept) / sizeof(kept[0]); i++) {
            buf_clear(&path);
            buf_printf(&path, "%s/%s", dir, kept[i].name);
            whole = !find_any(path.text, kept[i].prefix, kept[i].deep, &found);
        }
    }
    if (!whole)
        buf_printf(why,
                   "%s/state.db is missing or empty, and without it %.300s and all that is beside "
                   "it would be removed; put the copy of state.db back, or, to begin anew, name "
                   "another folder as state or remove blobs, files and engine from %s",
                   dir, found.text, dir);
    buf_free(&path);
    buf_free(&found);
    return whole;
}

/* Permissions alone do not tell: /proc has all of them for root. A full disk is not meant here. */
static bool can_make(const char *folder, struct buf *why)
{
    struct buf probe = {0};
    struct stat st;
    bool good = false;

    buf_printf(&probe, "%s/.check-XXXXXX", folder);
    if (stat(folder, &st) != 0)
        buf_printf(why, "state: %s: %s", folder, strerror(errno));
    else if (!S_ISDIR(st.st_mode))
        buf_printf(why, "state: %s is no directory", folder);
    else if (!mkdtemp(probe.text) && errno != ENOSPC && errno != EDQUOT)
        buf_printf(why, "state: nothing can be made in %s: %s", folder, strerror(errno));
    else
        good = true;
    if (good)
        rmdir(probe.text);
    buf_free(&probe);
    return good;
}

bool state_check(const char *dir, struct buf *why)
{
    struct buf parent = {0};
    struct stat st;
    bool good;

    if (stat(dir, &st) == 0 || errno != ENOENT)
        return can_make(dir, why) && is_whole(dir, why);
    buf_puts(&parent, dir);
    while (parent.len > 1 && parent.text[parent.len - 1] == '/')
        parent.text[--parent.len] = 0;
    while (parent.len > 1 && parent.text[parent.len - 1] != '/')
        parent.text[--parent.len] = 0;
    good = can_make(parent.text, why);
    buf_free(&parent);
    return good;
}
