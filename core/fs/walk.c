/* SPDX-License-Identifier: MIT */
/*
 * The path walk: "/a/../b" and symbolic links to an inode, for all readers.
 *
 * The walk keeps the way it came (the inode of each directory and the absolute path so far), so
 * `..` is a step back along it and never needs the disk's own ".." entries. A symbolic link's
 * target is put before what is left of the path. Everything that the walk itself needs dies with
 * it; only the node that was found and the report stay in the caller's arena.
 */
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/fs/fs.h"

#define WALK_DEPTH_MAX (FS_PATH_MAX / 2) /* directories below the root: "/a/a/a..." */

struct step {
    uint64_t ino;
    size_t path_len; /* of `path` up to here */
};

struct walk {
    struct fs *fs;
    struct arena scratch;
    char path[FS_PATH_MAX]; /* of the directory reached, without a final slash; "" is the root */
    size_t path_len;
    char rest[FS_PATH_MAX]; /* what is left to walk: rest[at..len) */
    size_t rest_at, rest_len;
    char target[FS_PATH_MAX];
    struct step steps[WALK_DEPTH_MAX];
    uint32_t depth; /* steps[depth - 1] is the directory reached; 0: the root */
    uint32_t nr_symlinks, nr_steps;
    const char *name; /* the component at hand */
    size_t name_len;
};

static uint64_t dir_ino(const struct walk *w)
{
    return w->depth == 0 ? w->fs->root_ino : w->steps[w->depth - 1].ino;
}

/* The next component into w->name; false at the end. */
static bool next_name(struct walk *w)
{
    while (w->rest_at < w->rest_len && w->rest[w->rest_at] == '/')
        w->rest_at++;
    w->name = w->rest + w->rest_at;
    w->name_len = 0;
    while (w->rest_at < w->rest_len && w->rest[w->rest_at] != '/') {
        w->rest_at++;
        w->name_len++;
    }
    return w->name_len > 0;
}

static bool name_is(const struct walk *w, const char *s)
{
    return w->name_len == strlen(s) && memcmp(w->name, s, w->name_len) == 0;
}

static struct err enter(struct walk *w, uint64_t ino)
{
    if (w->depth == WALK_DEPTH_MAX)
        return ERR1(ERR_LIMIT, "more than %a directories deep", WALK_DEPTH_MAX);
    if (w->name_len + 1 > sizeof(w->path) - 1 - w->path_len)
        return ERR1(ERR_BAD_FILENAME, "the path is longer than %a bytes", FS_PATH_MAX - 1);
    w->path[w->path_len++] = '/';
    memcpy(w->path + w->path_len, w->name, w->name_len);
    w->path_len += w->name_len;
    w->steps[w->depth++] = (struct step){.ino = ino, .path_len = w->path_len};
    return OK;
}

static void leave(struct walk *w)
{
    if (w->depth > 0)
        w->depth--;
    w->path_len = w->depth == 0 ? 0 : w->steps[w->depth - 1].path_len;
}

/* Put the link's target before the rest of the path. */
static struct err follow(struct walk *w, struct node *link)
{
    size_t len = 0, left;

    if (++w->nr_symlinks > FS_SYMLINK_MAX)
        return ERR1(ERR_SYMLINK_LOOP, "more than %a links were followed", FS_SYMLINK_MAX);
    TRY(w->fs->ops->readlink(w->fs, link, w->target, sizeof(w->target), &len));
    if (len == 0 || len > sizeof(w->target))
        return ERR1(ERR_FS_DAMAGED, "a symbolic link with a target of %a bytes", len);
    left = w->rest_len - w->rest_at;
    if (left > sizeof(w->rest) - 1 || len > sizeof(w->rest) - 1 - left)
        return ERR1(ERR_BAD_FILENAME, "the path with its links is longer than %a bytes",
                    FS_PATH_MAX - 1);
    memmove(w->rest + len, w->rest + w->rest_at, left);
    memcpy(w->rest, w->target, len);
    w->rest_at = 0;
    w->rest_len = len + left;
    if (w->rest[0] == '/')
        w->depth = 0;
    w->path_len = w->depth == 0 ? 0 : w->path_len;
    return OK;
}

/* The names that the report lists: first those that begin as the missing one does, then others. */
struct listing {
    const struct walk *w;
    struct text text;
    bool alike; /* this round takes the ones that are alike */
};

#define ALIKE_BYTES 4

static bool is_alike(const struct walk *w, const char *name, size_t len)
{
    size_t n = w->name_len < ALIKE_BYTES ? w->name_len : ALIKE_BYTES;

    return len >= n && memcmp(name, w->name, n) == 0;
}

static bool list_entry(void *ctx, const char *name, size_t len, uint64_t ino)
{
    static const char more[] = ", ...";
    struct listing *l = ctx;

    (void)ino;
    if ((len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.') ||
        is_alike(l->w, name, len) != l->alike)
        return true;
    /* Keep room for the dots. */
    if (text_name_len(name, len) + 2 + sizeof(more) > l->text.cap - l->text.len) {
        text_str(&l->text, text_len(&l->text) == 0 ? "..." : more);
        l->text.cut = true;
        return false;
    }
    if (text_len(&l->text) > 0)
        text_str(&l->text, ", ");
    text_name(&l->text, name, len);
    return true;
}

static void fill_report(struct walk *w, struct arena *a, struct walk_report *report)
{
    struct listing l = {
        .w = w, .text = text_on(report->holds, sizeof(report->holds)), .alike = true};
    struct node dir;

    report->failed_at = arena_strndup(a, w->name, w->name_len);
    report->in_dir = w->path_len == 0 ? "/" : arena_strndup(a, w->path, w->path_len);
    if (report->failed_at == NULL)
        report->failed_at = "";
    if (report->in_dir == NULL)
        report->in_dir = "";
    if (failed(w->fs->ops->get_node(w->fs, &w->scratch, dir_ino(w), &dir)) || dir.type != NODE_DIR)
        return;
    for (int round = 0; round < 2 && !l.text.cut; round++, l.alike = false) {
        if (failed(w->fs->ops->readdir(w->fs, &dir, list_entry, &l)))
            report->holds[0] = '\0';
    }
}

/* One component. *is_dir: what was reached is the directory that w is in. */
static struct err take_step(struct walk *w, uint64_t *ino, bool *is_dir)
{
    struct node dir, node;

    *is_dir = true;
    if (name_is(w, "."))
        return OK;
    if (name_is(w, "..")) {
        leave(w);
        return OK;
    }
    if (w->name_len > FS_NAME_MAX)
        return ERR1(ERR_BAD_FILENAME, "a name is longer than %a bytes", FS_NAME_MAX);
    /* Each may read a large directory. */
    if (++w->nr_steps > FS_WALK_STEPS_MAX)
        return ERR1(ERR_LIMIT, "the path and its links look up more than %a names",
                    FS_WALK_STEPS_MAX);
    TRY(w->fs->ops->get_node(w->fs, &w->scratch, dir_ino(w), &dir));
    if (dir.type != NODE_DIR)
        return ERR(ERR_FS_DAMAGED, "the root is not a directory");
    TRY(w->fs->ops->lookup(w->fs, &dir, w->name, w->name_len, ino));
    TRY(w->fs->ops->get_node(w->fs, &w->scratch, *ino, &node));
    if (node.type == NODE_SYMLINK)
        return follow(w, &node);
    if (node.type == NODE_DIR)
        return enter(w, *ino);
    *is_dir = false;
    return OK;
}

static struct err walk(struct walk *w, uint64_t *ino)
{
    bool is_dir = true;

    /* Ends: each round shortens the rest, and only FS_SYMLINK_MAX of them make it longer. */
    while (next_name(w)) {
        TRY(take_step(w, ino, &is_dir));
        if (!is_dir && w->rest_at < w->rest_len)
            return ERR(ERR_BAD_FILETYPE, "a file is used as a directory");
    }
    if (is_dir)
        *ino = dir_ino(w);
    return OK;
}

struct err fs_walk(struct fs *fs, struct arena *a, const char *path, struct node *out,
                   struct walk_report *report)
{
    struct arena scratch;
    size_t len = strlen(path);
    uint64_t ino = 0;

    if (report != NULL)
        *report = (struct walk_report){.failed_at = "", .in_dir = ""};
    if (path[0] != '/')
        return ERR(ERR_BAD_FILENAME, "the path does not begin with /");
    if (len >= FS_PATH_MAX)
        return ERR1(ERR_BAD_FILENAME, "the path is longer than %a bytes", FS_PATH_MAX - 1);
    arena_init(&scratch, a->source);
    struct walk *w = arena_alloc(&scratch, sizeof(*w));

    if (w == NULL)
        return arena_exhausted("a path walk of %a bytes", sizeof(*w));
    w->fs = fs;
    w->scratch = scratch;
    memcpy(w->rest, path, len);
    w->rest_len = len;
    struct err e = walk(w, &ino);

    if (failed(e) && report != NULL)
        fill_report(w, a, report);
    scratch = w->scratch; /* w itself lies in it */
    arena_reset(&scratch);
    if (failed(e))
        return e;
    return fs->ops->get_node(fs, a, ino, out);
}
