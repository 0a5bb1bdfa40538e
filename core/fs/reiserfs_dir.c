/* SPDX-License-Identifier: MIT */
/*
 * Directories of the ReiserFS reader: rows of entries sorted by the hash of their names, cut into
 * items of the tree. A name is found by a search for its hash; names that share one stand next to
 * each other.
 */
#include <string.h>

#include "core/fs/reiserfs.h"

#define DIR_LEAVES_MAX ((uint64_t)1 << 19) /* read of one directory; 2 GiB with 4 KiB blocks */
#define PRIVATE_NAME   ".reiserfs_priv"    /* in the root: extended attributes; Linux hides it */

struct entry {
    uint32_t offset; /* hash and number */
    uint64_t ino;
    const char *name;
    size_t len;
};

/* Return false to stop. */
typedef bool (*entry_fn)(void *ctx, const struct entry *e);

struct dir_walk {
    struct fs *fs;
    uint64_t ino;
    uint32_t from; /* offset of the first entry that matters */
    entry_fn fn;
    void *ctx;
    bool stopped;
};

static bool is_hidden(const struct dir_walk *w, const struct reiser_disk_dirent *de,
                      const struct entry *e)
{
    size_t private_len = strlen(PRIVATE_NAME);

    if (!(le16(de->state) & REISER_DIRENT_VISIBLE))
        return true;
    if (w->ino == w->fs->root_ino && e->len == private_len &&
        memcmp(e->name, PRIVATE_NAME, private_len) == 0)
        return true;
    if (e->len <= FS_NAME_MAX)
        return false;
    if (!reiser_of(w->fs)->long_names_said)
        reiser_say(w->fs, ": names of more than 255 bytes are passed over, as Linux does");
    reiser_of(w->fs)->long_names_said = true;
    return true;
}

/* The entry's name: item bytes [at, end), filled up with NULs. */
static struct err check_name(const struct reiser_item *item, uint32_t at, uint32_t end,
                             struct entry *e)
{
    e->name = (const char *)item->bytes + at;
    e->len = end - at;
    const char *nul = memchr(e->name, '\0', e->len);

    if (nul != NULL)
        e->len = (size_t)(nul - e->name);
    if (e->len == 0)
        return ERR_AT(ERR_FS_DAMAGED, item->where + at, "a directory entry without a name", 0, 0);
    if (memchr(e->name, '/', e->len) != NULL)
        return ERR_AT(ERR_FS_DAMAGED, item->where + at, "a name with a slash in it", 0, 0);
    return OK;
}

static struct err walk_item(struct dir_walk *w, const struct reiser_item *item)
{
    const struct reiser_disk_dirent *des = (const struct reiser_disk_dirent *)item->bytes;
    uint32_t names_at = item->count * (uint32_t)sizeof(*des), end = item->len_bytes, before = 0;
    struct entry e;

    if (item->key.type != REISER_DIR || names_at > item->len_bytes)
        return ERR_AT(ERR_FS_DAMAGED, item->where, "a directory item of type %a with %b entries",
                      item->key.type, item->count);
    for (uint32_t i = 0; i < item->count && !w->stopped; i++) {
        const struct reiser_disk_dirent *de = &des[i];
        uint32_t at = le16(de->location);

        e.offset = le32(de->offset);
        e.ino = reiser_ino(le32(de->dir_id), le32(de->objectid));
        if (at < names_at || at >= end || (le16(de->state) & REISER_DIRENT_HAS_STAT))
            return ERR_AT(ERR_FS_DAMAGED, item->where, "the name of directory entry %a lies at %b",
                          i, at);
        if (e.offset < before)
            return ERR_AT(ERR_FS_DAMAGED, item->where, "directory entry %a is out of order", i, 0);
        before = e.offset;
        if (e.offset >= w->from) {
            TRY(check_name(item, at, end, &e));
            if (!is_hidden(w, de, &e) && !w->fn(w->ctx, &e))
                w->stopped = true;
        }
        end = at;
    }
    return OK;
}

static struct err walk_dir(struct dir_walk *w, struct reiser_path *path)
{
    struct reiser_key key = reiser_key_of(w->ino, w->from, REISER_ANY);
    struct reiser_item item;
    uint64_t nr_leaves = 1;
    bool found;

    TRY(reiser_search(w->fs, path, &key, &item, &found));
    if (!found || !reiser_same_object(&item.key, &key))
        return ERR2(ERR_FS_DAMAGED, "the directory (%a, %b) has no items", key.dir_id,
                    key.objectid);
    while (found && reiser_same_object(&item.key, &key) && !w->stopped) {
        if (nr_leaves > DIR_LEAVES_MAX)
            return ERR1(ERR_LIMIT, "a directory has more than %a blocks", DIR_LEAVES_MAX);
        if (item.key.type != REISER_STAT)
            TRY(walk_item(w, &item));
        TRY(reiser_next(w->fs, &item, &found, &nr_leaves));
    }
    return OK;
}

struct reading {
    fs_entry_fn fn;
    void *ctx;
};

static bool hand_on(void *ctx, const struct entry *e)
{
    struct reading *r = ctx;

    return r->fn(r->ctx, e->name, e->len, e->ino);
}

/* With a path of its own: whoever is called back may search, too. */
struct err reiser_readdir(struct fs *fs, struct node *dir, fs_entry_fn fn, void *ctx)
{
    struct reading r = {.fn = fn, .ctx = ctx};
    struct dir_walk w = {.fs = fs, .ino = dir->ino, .fn = hand_on, .ctx = &r};
    struct arena scratch;
    struct reiser_path path = {.arena = &scratch};

    arena_init(&scratch, fs->arena->source);
    struct err e = walk_dir(&w, &path);

    arena_reset(&scratch);
    return e;
}

struct wanted {
    const char *name;
    size_t len;
    uint32_t hash;
    uint64_t ino;
    bool found;
};

static bool compare(void *ctx, const struct entry *e)
{
    struct wanted *w = ctx;

    if ((e->offset & ~REISER_DIRENT_NUMBER_MASK) > w->hash)
        return false;
    if (e->len != w->len || memcmp(e->name, w->name, w->len) != 0)
        return true;
    w->ino = e->ino;
    w->found = true;
    return false;
}

struct err reiser_lookup(struct fs *fs, struct node *dir, const char *name, size_t len,
                         uint64_t *ino)
{
    struct reiser *r = reiser_of(fs);
    bool dots = (len == 1 || len == 2) && memcmp(name, "..", len) == 0;
    struct wanted wanted = {
        .name = name, .len = len, .hash = dots ? 0 : reiser_hash(r->hash_code, name, len)};
    struct dir_walk w = {
        .fs = fs, .ino = dir->ino, .from = wanted.hash, .fn = compare, .ctx = &wanted};

    TRY(walk_dir(&w, &r->path));
    if (!wanted.found)
        return ERR(ERR_FILE_NOT_FOUND, "");
    *ino = wanted.ino;
    return OK;
}

/* Hashes that fit all names so far, a bit each. */
struct candidates {
    uint32_t bits;
    bool names_seen;
};

static bool fits(uint32_t bits, uint32_t code)
{
    return (bits & 1u << code) != 0;
}

static bool exclude(void *ctx, const struct entry *e)
{
    struct candidates *c = ctx;

    if (e->offset == REISER_DIRENT_DOT || e->offset == REISER_DIRENT_DOT_DOT)
        return true;
    c->names_seen = true;
    for (uint32_t code = REISER_HASH_TEA; code <= REISER_HASH_R5; code++) {
        if (reiser_hash(code, e->name, e->len) != (e->offset & REISER_DIRENT_HASH_MASK))
            c->bits &= ~(1u << code);
    }
    return (c->bits & (c->bits - 1)) != 0; /* more than one */
}

struct err reiser_detect_hash(struct fs *fs)
{
    static const char *const said[] = {
        [REISER_HASH_TEA] = ": its names are found to be hashed by TEA",
        [REISER_HASH_YURA] = ": its names are found to be hashed by Yura's hash",
        [REISER_HASH_R5] = ": its names are found to be hashed by R5"};
    struct reiser *r = reiser_of(fs);
    struct candidates c = {.bits = 1u << REISER_HASH_TEA | 1u << REISER_HASH_YURA |
                                   1u << REISER_HASH_R5};
    struct dir_walk w = {.fs = fs, .ino = fs->root_ino, .fn = exclude, .ctx = &c};

    TRY(walk_dir(&w, &r->path));
    if (!c.names_seen)
        c.bits = 1u << REISER_HASH_R5; /* what Linux takes for an empty root */
    for (uint32_t code = REISER_HASH_TEA; code <= REISER_HASH_R5; code++) {
        if (fits(c.bits, code) && (c.bits & (c.bits - 1)) == 0) {
            r->hash_code = code;
            reiser_say(fs, said[code]);
            return OK;
        }
    }
    return ERR(ERR_REFUSED, c.bits == 0 ? "its names are hashed in an unknown way"
                                        : "its names do not tell how they are hashed");
}
