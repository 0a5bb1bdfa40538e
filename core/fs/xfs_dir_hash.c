/* SPDX-License-Identifier: MIT */
/*
 * A name in a large directory of XFS, by its hash: down through nodes, to the first leaf with that
 * hash, and to each entry that the leaf points to, until the name is the one. Leaves are chained;
 * equal hashes may go on in the next.
 */
#include <string.h>

#include "core/fs/xfs_dir.h"

#define DEPTH_MAX   5    /* of nodes, as Linux */
#define LEAVES_MAX  1024 /* looked into for one hash */
#define ENTRIES_MAX 65536
#define BLOCKS_MAX  4096 /* of entries, read for one hash: these go back and forth among them */

/* A block of hashes under examination. */
struct hashes {
    uint64_t where;
    const struct xfs_disk_hash *list;
    uint32_t nr;
    uint32_t level; /* 0: a leaf */
    uint32_t forw;  /* the next one's block, 0: none */
};

struct search {
    struct xfs_dir_io tree, data;
    struct xfs_wanted *wanted;
    uint32_t hash;
    uint64_t checked_pos; /* the block of entries that has been checked, and what it said */
    size_t first, end;
    uint32_t nr_leaves, nr_entries, nr_blocks;
};

static uint32_t rotl(uint32_t v, unsigned n)
{
    return v << n | v >> (32 - n);
}

/* Seven bits a byte, in a circle. */
static uint32_t hash_of(const struct xfs_wanted *w)
{
    uint32_t hash = 0;

    for (size_t i = 0; i < w->len; i++) {
        uint8_t c = (uint8_t)w->name[i];

        if (w->ascii_ci && xfs_is_upper(c))
            c = (uint8_t)(c + 32);
        hash = rotl(hash, 7) ^ c;
    }
    return hash;
}

static struct err parse(const struct xfs *x, const struct node *dir, const struct xfs_dir_block *b,
                        struct hashes *h)
{
    static const struct xfs_self self = {
        offsetof(struct xfs_disk_da5, crc), offsetof(struct xfs_disk_da5, blkno),
        offsetof(struct xfs_disk_da5, uuid), offsetof(struct xfs_disk_da5, owner)};
    const struct xfs_disk_da *d = (const struct xfs_disk_da *)b->bytes;
    const struct xfs_disk_da5 *d5 = (const struct xfs_disk_da5 *)b->bytes;
    size_t head = x->v5 ? sizeof(*d5) : sizeof(*d);
    size_t fits = (x->dir_block_bytes - head) / sizeof(struct xfs_disk_hash);
    uint32_t magic = be16(d->magic);
    bool node = magic == (x->v5 ? XFS_DA_NODE_MAGIC_V5 : XFS_DA_NODE_MAGIC);

    *h = (struct hashes){.where = b->where,
                         .list = (const struct xfs_disk_hash *)(b->bytes + head),
                         .nr = be16(x->v5 ? d5->count : d->count),
                         .forw = be32(d->forw)};
    if (node)
        h->level = be16(x->v5 ? d5->level : d->level);
    else if (magic != (x->v5 ? XFS_DIR_LEAF1_MAGIC5 : XFS_DIR_LEAF1_MAGIC) &&
             magic != (x->v5 ? XFS_DIR_LEAFN_MAGIC5 : XFS_DIR_LEAFN_MAGIC))
        return ERR_AT(ERR_FS_DAMAGED, b->where, "a hash block of directory inode %a begins with %B",
                      dir->ino, magic);
    if (h->nr > fits || (node && (h->level == 0 || h->level > DEPTH_MAX)))
        return ERR_AT(ERR_FS_DAMAGED, b->where, "a hash block of level %a with %b entries",
                      h->level, h->nr);
    TRY(xfs_check_self(x, &self, b->bytes, x->dir_block_bytes, b->where, dir->ino));
    for (uint32_t i = 1; i < h->nr; i++) {
        if (be32(h->list[i].hashval) < be32(h->list[i - 1].hashval))
            return ERR_AT(ERR_FS_DAMAGED, b->where, "hash %a of a block is out of order", i, 0);
    }
    return OK;
}

/* The block of hashes that a node or a leaf points to. */
static struct err load_hashes(struct search *s, uint64_t fsblock, struct hashes *h)
{
    const struct xfs *x = xfs_of(s->tree.fs);
    uint64_t pos = fsblock << x->block_log;
    struct xfs_dir_block b = {0};

    if (pos < XFS_DIR_LEAF_OFF || pos >= XFS_DIR_FREE_OFF || pos % x->dir_block_bytes != 0)
        return ERR2(ERR_FS_DAMAGED, "directory inode %a has its hashes at its block %b",
                    s->tree.dir->ino, fsblock);
    TRY(xfs_dir_load(&s->tree, pos, &b));
    if (b.bytes == NULL)
        return ERR2(ERR_FS_DAMAGED, "directory inode %a has a hole in its hashes, block %b",
                    s->tree.dir->ino, fsblock);
    return parse(x, s->tree.dir, &b, h);
}

/* The first entry with the hash or a greater one; h->nr when there is none. */
static uint32_t lower_bound(const struct hashes *h, uint32_t hash)
{
    uint32_t low = 0, high = h->nr;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (be32(h->list[mid].hashval) < hash)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* Down to the first leaf that may have the hash. h->nr is 0 when all are smaller. */
static struct err descend(struct search *s, struct hashes *h)
{
    TRY(load_hashes(s, XFS_DIR_LEAF_OFF >> xfs_of(s->tree.fs)->block_log, h));
    while (h->level > 0) {
        uint32_t i = lower_bound(h, s->hash), level = h->level;

        if (i == h->nr) {
            *h = (struct hashes){0};
            return OK;
        }
        TRY(load_hashes(s, be32(h->list[i].address), h));
        if (h->level != level - 1)
            return ERR_AT(ERR_FS_DAMAGED, h->where, "a hash block of level %a, should be %b",
                          h->level, level - 1);
    }
    return OK;
}

/* Look at the entry that a leaf points to. *done: it is the one. */
static struct err try_entry(struct search *s, uint64_t pos, bool *done)
{
    const struct xfs *x = xfs_of(s->data.fs);
    uint64_t block_pos = align_down(pos, x->dir_block_bytes);
    size_t at = (size_t)(pos - block_pos);
    struct xfs_dir_block b = {0};
    struct xfs_dir_entry e;

    if (++s->nr_entries > ENTRIES_MAX)
        return ERR2(ERR_LIMIT, "the directory (inode %a) has more than %b names of one hash",
                    s->data.dir->ino, ENTRIES_MAX);
    if (s->checked_pos != block_pos && ++s->nr_blocks > BLOCKS_MAX)
        return ERR2(ERR_LIMIT,
                    "names of one hash in directory inode %a need more than %b blocks to be read",
                    s->data.dir->ino, BLOCKS_MAX);
    if (pos < s->data.dir->size_bytes)
        TRY(xfs_dir_load(&s->data, block_pos, &b));
    if (b.bytes == NULL)
        return ERR2(ERR_FS_DAMAGED, "a hash of directory inode %a points to its byte %b",
                    s->data.dir->ino, pos);
    if (s->checked_pos != block_pos)
        TRY(xfs_dir_check(x, s->data.dir, &b, &s->first, &s->end));
    s->checked_pos = block_pos;
    if (at < s->first || at >= s->end)
        return ERR_AT(ERR_FS_DAMAGED, b.where, "a hash of directory inode %a points to byte %b",
                      s->data.dir->ino, at);
    TRY(xfs_dir_entry(x, &b, at, s->end, &e));
    *done = e.ino != 0 && xfs_dir_match(s->wanted, e.name, e.name_len, e.ino);
    return OK;
}

static struct err search(struct search *s)
{
    struct hashes h;
    bool done = false;

    TRY(descend(s, &h));
    for (uint32_t i = lower_bound(&h, s->hash); !done; i++) {
        while (i >= h.nr && h.forw != 0) {
            if (++s->nr_leaves > LEAVES_MAX)
                return ERR2(ERR_LIMIT, "the directory (inode %a) has more than %b leaves of a hash",
                            s->tree.dir->ino, LEAVES_MAX);
            TRY(load_hashes(s, h.forw, &h));
            if (h.level != 0)
                return ERR_AT(ERR_FS_DAMAGED, h.where, "a leaf is followed by a node", 0, 0);
            i = 0;
        }
        if (i >= h.nr || be32(h.list[i].hashval) != s->hash)
            return OK;
        uint64_t address = be32(h.list[i].address);

        if (address != 0)
            TRY(try_entry(s, address * XFS_DIRENT_ALIGN, &done));
    }
    return OK;
}

struct err xfs_dir_find(struct fs *fs, struct node *dir, struct xfs_wanted *w)
{
    size_t size = xfs_of(fs)->dir_block_bytes, pages = (size_t)align_up(size, 4096);
    struct search s = {.wanted = w, .hash = hash_of(w), .checked_pos = UINT64_MAX};
    struct arena scratch;

    arena_init(&scratch, fs->arena->source);
    uint8_t *buf = arena_pages(&scratch, 2 * pages);

    if (buf == NULL)
        return arena_exhausted("a directory's buffers of %a bytes", 2 * pages);
    s.tree = (struct xfs_dir_io){.fs = fs, .dir = dir, .buf = buf, .buf_bytes = size};
    s.data = (struct xfs_dir_io){.fs = fs, .dir = dir, .buf = buf + pages, .buf_bytes = size};
    struct err e = search(&s);

    arena_reset(&scratch);
    return e;
}
