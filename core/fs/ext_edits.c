/* SPDX-License-Identifier: MIT */
/*
 * The edits of fast commits: a table of inodes, each with its ranges in order; and a table of
 * names, each with the changes that it saw. What a name is now is found when it is asked for, from
 * what the directory says and the changes: so a replay reads no directory.
 */
#include "core/fs/ext_edits.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/fs/ext.h"

#define INODE_CHAINS 4096u
#define NAME_CHAINS  4096u
/* Far more than there are in a chain by chance: so a journal cannot choose long ones. */
#define CHAIN_MAX 1024u
/* Ranges moved aside, for all of a replay: twice what a full list costs in the worst order. */
#define WORK_MAX ((uint64_t)1 << 28)

struct change {
    uint64_t ino;
    bool is_there;
};

struct edited_name {
    struct edited_name *next, *next_in_dir;
    const struct edited_inode *dir;
    uint64_t stamp; /* of the last readdir that met it in the directory */
    uint64_t life;  /* of the directory, to which the changes belong */
    struct change *changes;
    size_t nr_changes, room_changes;
    size_t len;
    char name[];
};

struct edited_inode {
    struct edited_inode *next;
    uint64_t ino;
    struct ext_range *ranges; /* ascending, apart */
    size_t nr_ranges, room_ranges;
    struct edited_name *names, **names_end;
    uint64_t nr_lives; /* how often it was made a new directory */
    uint64_t parent_ino;
};

struct ext_edits {
    struct arena *arena;
    uint64_t stamp;
    uint64_t work;
    struct edited_inode *inodes[INODE_CHAINS];
    struct edited_name *names[NAME_CHAINS];
};

struct err ext_edits_new(struct ext_edits **out, struct arena *a)
{
    *out = arena_alloc(a, sizeof(**out));
    if (*out == NULL)
        return arena_exhausted("the tables of fast commits, %a bytes", sizeof(**out));
    (*out)->arena = a;
    return OK;
}

static size_t inode_chain(uint64_t ino)
{
    return (size_t)((uint32_t)ino * 2654435769u >> 20) % INODE_CHAINS;
}

/* One more is to go into the chain, which has so many. */
static struct err check_chain(size_t len)
{
    return len < CHAIN_MAX ? OK
                           : ERR1(ERR_LIMIT,
                                  "fast commits change more than %a inodes or names that share a "
                                  "place in the tables",
                                  CHAIN_MAX);
}

static struct edited_inode *find_inode(const struct ext_edits *e, uint64_t ino)
{
    struct edited_inode *i = e->inodes[inode_chain(ino)];

    while (i != NULL && i->ino != ino)
        i = i->next;
    return i;
}

static struct err need_inode(struct ext_edits *e, uint64_t ino, struct edited_inode **out)
{
    struct edited_inode *i = find_inode(e, ino), **chain = &e->inodes[inode_chain(ino)];
    size_t len = 0;

    *out = i;
    if (i != NULL)
        return OK;
    for (i = *chain; i != NULL; i = i->next)
        len++;
    TRY(check_chain(len));
    i = arena_alloc(e->arena, sizeof(*i));
    if (i == NULL)
        return arena_exhausted("an inode of a fast commit, %a bytes", sizeof(*i));
    i->ino = ino;
    i->names_end = &i->names;
    i->next = *chain;
    *chain = i;
    *out = i;
    return OK;
}

/* A copy of the array with more room; the old one stays in the arena. */
static struct err grow(struct arena *a, void **array, size_t nr, size_t *room, size_t each)
{
    size_t more = *room == 0 ? 2 : *room * 2;
    void *bigger = arena_array(a, more, each);

    if (bigger == NULL)
        return arena_exhausted("%a changes of a fast commit", more);
    if (nr > 0)
        memcpy(bigger, *array, nr * each);
    *array = bigger;
    *room = more;
    return OK;
}

/* ---- ranges ------------------------------------------------------------------------------------
 */

/* The first range that ends behind the block. */
static size_t find_range(const struct edited_inode *i, uint64_t block)
{
    size_t low = 0, high = i->nr_ranges;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (i->ranges[mid].block + i->ranges[mid].nr <= block)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* The ranges from `from` on go to `to`. */
static struct err move_ranges(struct ext_edits *e, struct edited_inode *i, size_t to, size_t from)
{
    size_t nr = i->nr_ranges - from;

    e->work += nr;
    if (e->work > WORK_MAX)
        return ERR1(ERR_LIMIT, "fast commits move more than %a ranges", WORK_MAX);
    memmove(i->ranges + to, i->ranges + from, nr * sizeof(*i->ranges));
    return OK;
}

static struct err insert_range(struct ext_edits *e, struct edited_inode *i, size_t at,
                               struct ext_range range)
{
    void *array = i->ranges;

    if (i->nr_ranges == EXT_EDITS_RANGES_MAX)
        return ERR2(ERR_LIMIT, "fast commits change more than %b ranges of inode %a", i->ino,
                    EXT_EDITS_RANGES_MAX);
    if (i->nr_ranges == i->room_ranges)
        TRY(grow(e->arena, &array, i->nr_ranges, &i->room_ranges, sizeof(range)));
    i->ranges = array;
    TRY(move_ranges(e, i, at + 1, at));
    i->ranges[at] = range;
    i->nr_ranges++;
    return OK;
}

struct err ext_edits_range(struct ext_edits *e, uint64_t ino, struct ext_range range)
{
    struct edited_inode *i;
    uint64_t end = range.block + range.nr;

    TRY(need_inode(e, ino, &i));
    size_t at = find_range(i, range.block), last = at;

    /* What begins before it keeps its head, what ends behind it its tail. */
    if (at < i->nr_ranges && i->ranges[at].block < range.block) {
        struct ext_range tail = i->ranges[at];

        i->ranges[at].nr = range.block - tail.block;
        tail.start += range.block - tail.block;
        tail.nr -= range.block - tail.block;
        tail.block = range.block;
        last = ++at;
        if (tail.nr > range.nr)
            TRY(insert_range(e, i, at, tail));
    }
    while (last < i->nr_ranges && i->ranges[last].block + i->ranges[last].nr <= end)
        last++;
    if (last < i->nr_ranges && i->ranges[last].block < end) {
        uint64_t cut = end - i->ranges[last].block;

        i->ranges[last].block += cut;
        i->ranges[last].start += cut;
        i->ranges[last].nr -= cut;
    }
    if (last > at)
        TRY(move_ranges(e, i, at, last));
    i->nr_ranges -= last - at;
    return insert_range(e, i, at, range);
}

void ext_edits_forget(struct ext_edits *e, uint64_t ino)
{
    struct edited_inode *i = find_inode(e, ino);

    if (i != NULL)
        i->nr_ranges = 0;
}

bool ext_edits_map(const struct ext_edits *e, uint64_t ino, uint64_t block, struct ext_range *out)
{
    const struct edited_inode *i = find_inode(e, ino);
    uint64_t end;

    *out = (struct ext_range){.nr = UINT64_MAX};
    if (i == NULL)
        return false;
    size_t at = find_range(i, block);

    if (at < i->nr_ranges && i->ranges[at].block <= block) {
        *out = i->ranges[at];
        return true;
    }
    out->block = at == 0 ? 0 : i->ranges[at - 1].block + i->ranges[at - 1].nr;
    end = at == i->nr_ranges ? UINT64_MAX : i->ranges[at].block;
    out->nr = end - out->block;
    return false;
}

/* ---- names -------------------------------------------------------------------------------------
 */

static uint32_t name_chain(uint64_t dir_ino, const char *name, size_t len)
{
    uint32_t h = 2166136261u ^ (uint32_t)dir_ino;

    for (size_t i = 0; i < len; i++)
        h = (h ^ (uint8_t)name[i]) * 16777619u;
    return (h ^ h >> 15) % NAME_CHAINS;
}

static struct edited_name *find_name(const struct ext_edits *e, uint64_t dir_ino, const char *name,
                                     size_t len)
{
    struct edited_name *n = e->names[name_chain(dir_ino, name, len)];

    while (n != NULL &&
           (n->dir->ino != dir_ino || n->len != len || memcmp(n->name, name, len) != 0))
        n = n->next;
    return n;
}

static struct err need_name(struct ext_edits *e, uint64_t dir_ino, const char *name, size_t len,
                            struct edited_name **out)
{
    struct edited_name *n = find_name(e, dir_ino, name, len);
    struct edited_name **chain = &e->names[name_chain(dir_ino, name, len)];
    struct edited_inode *dir;
    size_t nr = 0;

    *out = n;
    if (n != NULL)
        return OK;
    for (n = *chain; n != NULL; n = n->next)
        nr++;
    TRY(check_chain(nr));
    TRY(need_inode(e, dir_ino, &dir));
    n = arena_alloc(e->arena, sizeof(*n) + len);
    if (n == NULL)
        return arena_exhausted("a name of a fast commit, %a bytes", len);
    memcpy(n->name, name, len);
    n->len = len;
    n->dir = dir;
    *dir->names_end = n;
    dir->names_end = &n->next_in_dir;
    n->next = *chain;
    *chain = n;
    *out = n;
    return OK;
}

struct err ext_edits_name(struct ext_edits *e, uint64_t dir_ino, const char *name, size_t len,
                          uint64_t ino, bool is_there)
{
    struct edited_name *n;
    void *array;

    TRY(need_name(e, dir_ino, name, len, &n));
    if (n->life != n->dir->nr_lives)
        n->nr_changes = 0;
    n->life = n->dir->nr_lives;
    array = n->changes;
    if (n->nr_changes == n->room_changes)
        TRY(grow(e->arena, &array, n->nr_changes, &n->room_changes, sizeof(*n->changes)));
    n->changes = array;
    n->changes[n->nr_changes++] = (struct change){ino, is_there};
    return OK;
}

struct err ext_edits_new_dir(struct ext_edits *e, uint64_t ino, uint64_t parent_ino)
{
    struct edited_inode *i;

    TRY(need_inode(e, ino, &i));
    /* A directory of that number may have been removed before: what its names saw is void. */
    i->nr_lives++;
    i->parent_ino = parent_ino;
    return OK;
}

/* What the name stands for, when the directory says `ino` (0: it is not there). */
static uint64_t changed(const struct edited_name *n, uint64_t ino)
{
    for (size_t i = 0; i < n->nr_changes && n->life == n->dir->nr_lives; i++) {
        const struct change *c = &n->changes[i];

        if (c->is_there && ino == 0)
            ino = c->ino;
        else if (!c->is_there && ino == c->ino)
            ino = 0;
    }
    return ino;
}

/* ---- the reader --------------------------------------------------------------------------------
 */

static const struct edited_inode *new_dir(const struct edited_inode *i)
{
    return i != NULL && i->nr_lives > 0 ? i : NULL;
}

static struct err lookup_below(struct fs *fs, struct node *dir, const char *name, size_t len,
                               uint64_t *ino)
{
    const struct edited_inode *i = new_dir(find_inode(ext_of(fs)->edits, dir->ino));

    if (i == NULL)
        return ext_lookup(fs, dir, name, len, ino);
    *ino = len == 1 && name[0] == '.' ? i->ino : i->parent_ino;
    if (len == 0 || len > 2 || name[0] != '.' || name[len - 1] != '.')
        return ERR(ERR_FILE_NOT_FOUND, "");
    return OK;
}

struct err ext_edited_lookup(struct fs *fs, struct node *dir, const char *name, size_t len,
                             uint64_t *ino)
{
    struct ext *x = ext_of(fs);

    if (x->edits == NULL)
        return ext_lookup(fs, dir, name, len, ino);
    /* An edited name may be meant in another case. */
    if (ext_folds(x, dir) && find_inode(x->edits, dir->ino) != NULL)
        return ext_lookup_listed(fs, dir, ext_edited_readdir, name, len, ino);
    const struct edited_name *n = find_name(x->edits, dir->ino, name, len);
    struct err e = lookup_below(fs, dir, name, len, ino);

    if (n == NULL || (failed(e) && e.code != ERR_FILE_NOT_FOUND))
        return e;
    *ino = changed(n, failed(e) ? 0 : *ino);
    return *ino == 0 ? ERR(ERR_FILE_NOT_FOUND, "") : OK;
}

struct listing {
    struct ext_edits *edits;
    uint64_t dir_ino, stamp;
    fs_entry_fn fn;
    void *ctx;
    bool stopped;
};

static bool pass_on(struct listing *l, const char *name, size_t len, uint64_t ino)
{
    if (ino != 0 && !l->fn(l->ctx, name, len, ino))
        l->stopped = true;
    return !l->stopped;
}

static bool on_entry(void *ctx, const char *name, size_t len, uint64_t ino)
{
    struct listing *l = ctx;
    struct edited_name *n = find_name(l->edits, l->dir_ino, name, len);

    /* A name that the directory has twice: only the first one was meant. */
    if (n != NULL && n->stamp != l->stamp) {
        n->stamp = l->stamp;
        ino = changed(n, ino);
    }
    return pass_on(l, name, len, ino);
}

struct err ext_edited_readdir(struct fs *fs, struct node *dir, fs_entry_fn fn, void *ctx)
{
    struct ext_edits *e = ext_of(fs)->edits;
    struct edited_inode *i = e == NULL ? NULL : find_inode(e, dir->ino);

    if (i == NULL)
        return ext_readdir(fs, dir, fn, ctx);
    struct listing l = {.edits = e, .dir_ino = dir->ino, .stamp = ++e->stamp, .fn = fn, .ctx = ctx};

    if (new_dir(i) == NULL)
        TRY(ext_readdir(fs, dir, on_entry, &l));
    else if (on_entry(&l, ".", 1, i->ino))
        on_entry(&l, "..", 2, i->parent_ino);
    for (struct edited_name *n = i->names; n != NULL && !l.stopped; n = n->next_in_dir) {
        if (n->stamp != l.stamp)
            pass_on(&l, n->name, n->len, changed(n, 0));
    }
    return OK;
}
