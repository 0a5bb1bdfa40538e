/* SPDX-License-Identifier: MIT */
/*
 * File byte -> run, for the XFS reader: a list of extents in the inode, or a B+tree of them.
 *
 * A tree is walked from the inode down, one block a level, to a named depth; so one that points
 * back into itself ends like any other. The block of each level is kept with the node: the runs of
 * a file are asked for in order, and mostly find their blocks there.
 */
#include <string.h>

#include "core/fs/xfs.h"

#define KEY_BYTES     8u
#define POINTER_BYTES 8u

/* The answer in blocks: `nr` of them from `first` on; a hole or from disk block `start`. */
struct span {
    uint64_t first, nr;
    bool hole;
    uint64_t start;
};

/* A row of extents, or of keys with their pointers, under examination. */
struct row {
    const uint8_t *bytes;    /* extents, or keys */
    const uint8_t *pointers; /* NULL: extents */
    uint64_t where;          /* of their block, or the inode */
    uint64_t nr;
    uint32_t level; /* 0: extents */
};

struct extent {
    uint64_t first, start, nr;
    bool unwritten;
};

/* The first of the file's blocks in the extent, or below the key. */
static uint64_t row_first(const struct row *r, uint64_t i)
{
    if (r->pointers != NULL)
        return be64(r->bytes + i * KEY_BYTES);
    return (be64(r->bytes + i * XFS_EXTENT_BYTES) & ~((uint64_t)1 << 63)) >> 9;
}

static struct extent row_extent(const struct row *r, uint64_t i)
{
    uint64_t high = be64(r->bytes + i * XFS_EXTENT_BYTES);
    uint64_t low = be64(r->bytes + i * XFS_EXTENT_BYTES + 8);

    return (struct extent){.first = row_first(r, i),
                           .start = (high & 0x1ff) << 43 | low >> 21,
                           .nr = low & 0x1fffff,
                           .unwritten = high >> 63 != 0};
}

/* They must ascend, or the search below would answer at random. */
static struct err check_order(const struct row *r)
{
    for (uint64_t i = 1; i < r->nr; i++) {
        if (row_first(r, i) <= row_first(r, i - 1))
            return ERR_AT(ERR_FS_DAMAGED, r->where, "extent or key %a is out of order", i, 0);
    }
    return OK;
}

/* The last one that begins at or before `block`; false when the first begins after it. */
static bool search(const struct row *r, uint64_t block, uint64_t *found)
{
    uint64_t low = 0, high = r->nr; /* the answer + 1 lies in [low, high] */

    while (low < high) {
        uint64_t mid = low + (high - low) / 2;

        if (row_first(r, mid) <= block)
            low = mid + 1;
        else
            high = mid;
    }
    *found = low - 1;
    return low > 0;
}

/* Answer from extents. `limit`: the first block that the tree above leaves to another leaf. */
static struct err from_extents(const struct xfs *x, const struct row *r, uint64_t block,
                               uint64_t limit, struct span *out)
{
    uint64_t i = 0;
    bool found = search(r, block, &i);
    uint64_t next = found ? i + 1 : 0;
    uint64_t next_block = next < r->nr ? min_u64(row_first(r, next), limit) : limit;

    *out = (struct span){.first = block, .nr = next_block - block, .hole = true};
    if (!found)
        return OK;
    struct extent e = row_extent(r, i);

    if (e.nr == 0 || e.nr > next_block - e.first)
        return ERR_AT(ERR_FS_DAMAGED, r->where, "the extent of block %a has a length of %b",
                      e.first, e.nr);
    if (!xfs_blocks_valid(x, e.start, e.nr))
        return ERR_AT(ERR_FS_DAMAGED, r->where, "an extent of %b blocks points to block %a",
                      e.start, e.nr);
    if (block - e.first < e.nr)
        *out = (struct span){.first = e.first, .nr = e.nr, .hole = e.unwritten, .start = e.start};
    return OK;
}

/* Keys and pointers from bytes[0..room): as many keys as fit, then as many pointers. */
static struct err row_of_pointers(struct row *r, const uint8_t *bytes, size_t room)
{
    size_t fits = room / (KEY_BYTES + POINTER_BYTES);

    if (r->nr == 0 || r->nr > fits)
        return ERR_AT(ERR_FS_DAMAGED, r->where, "%a keys of an extent tree, where %b have room",
                      r->nr, fits);
    r->bytes = bytes;
    r->pointers = bytes + fits * KEY_BYTES;
    return OK;
}

static struct err parse_root(const struct xfs_node *xn, struct row *r)
{
    const struct xfs_disk_bmdr *root = (const struct xfs_disk_bmdr *)xn->fork;

    if (xn->fork_bytes < sizeof(*root))
        return ERR_AT(ERR_FS_DAMAGED, xn->where, "an extent tree in %a bytes", xn->fork_bytes, 0);
    *r = (struct row){.where = xn->where, .nr = be16(root->numrecs), .level = be16(root->level)};
    if (r->level == 0 || r->level > XFS_LEVELS)
        return ERR_AT(ERR_FS_DAMAGED, xn->where, "an extent tree of %a levels", r->level, 0);
    return row_of_pointers(r, xn->fork + sizeof(*root), xn->fork_bytes - sizeof(*root));
}

/* A block of the tree, which is to be of the given level. */
static struct err parse_block(const struct xfs *x, const uint8_t *bytes, uint64_t where,
                              uint32_t level, struct row *r)
{
    const struct xfs_disk_bmbt *h = (const struct xfs_disk_bmbt *)bytes;
    size_t head = x->v5 ? sizeof(*h) : XFS_BMBT_OLD_BYTES, room = x->block_bytes - head;
    uint32_t magic = x->v5 ? XFS_BMBT_MAGIC_V5 : XFS_BMBT_MAGIC;

    if (be32(h->magic) != magic)
        return ERR_AT(ERR_FS_DAMAGED, where, "an extent tree's block begins with %A, not %B",
                      be32(h->magic), magic);
    if (be16(h->level) != level)
        return ERR_AT(ERR_FS_DAMAGED, where, "an extent tree's block of level %a, should be %b",
                      be16(h->level), level);
    *r = (struct row){.where = where, .nr = be16(h->numrecs), .level = level};
    if (level > 0)
        return row_of_pointers(r, bytes + head, room);
    r->bytes = bytes + head;
    if (r->nr > room / XFS_EXTENT_BYTES)
        return ERR_AT(ERR_FS_DAMAGED, where, "%a extents, where %b have room", r->nr,
                      room / XFS_EXTENT_BYTES);
    return OK;
}

/* Read the block into the level's buffer, and check it. */
static struct err read_level(struct fs *fs, const struct node *n, struct xfs_level *l,
                             uint64_t fsblock, uint32_t level, struct row *r)
{
    static const struct xfs_self self = {
        offsetof(struct xfs_disk_bmbt, crc), offsetof(struct xfs_disk_bmbt, blkno),
        offsetof(struct xfs_disk_bmbt, uuid), offsetof(struct xfs_disk_bmbt, owner)};
    const struct xfs *x = xfs_of(fs);
    uint64_t where = xfs_block_off(x, fsblock);

    if (l->bytes == NULL)
        l->bytes = arena_alloc(xfs_node_of(n)->arena, x->block_bytes);
    if (l->bytes == NULL)
        return arena_exhausted("a tree block of %a bytes", x->block_bytes);
    l->fsblock = 0; /* until it has been checked */
    TRY(disk_read(fs->disk, where, l->bytes, x->block_bytes));
    TRY(xfs_check_self(x, &self, l->bytes, x->block_bytes, where, n->ino));
    TRY(parse_block(x, l->bytes, where, level, r));
    TRY(check_order(r));
    l->fsblock = fsblock;
    return OK;
}

static struct err map_tree(struct fs *fs, const struct node *n, uint64_t block, uint64_t limit,
                           struct span *out)
{
    const struct xfs *x = xfs_of(fs);
    struct xfs_node *xn = xfs_node_of(n);
    struct row r;

    TRY(parse_root(xn, &r));
    TRY(check_order(&r));
    while (r.level > 0) {
        uint64_t i = 0;

        /* Blocks before the first key are a hole. */
        if (!search(&r, block, &i)) {
            limit = min_u64(limit, row_first(&r, 0));
            *out = (struct span){.first = block, .nr = limit - block, .hole = true};
            return OK;
        }
        if (i + 1 < r.nr)
            limit = min_u64(limit, row_first(&r, i + 1));
        uint64_t child = be64(r.pointers + i * POINTER_BYTES);
        uint32_t level = r.level - 1;
        struct xfs_level *l = &xn->levels[level];

        if (!xfs_blocks_valid(x, child, 1))
            return ERR_AT(ERR_FS_DAMAGED, r.where, "an extent tree points to block %a of %b", child,
                          x->nr_blocks);
        if (l->fsblock == child)
            TRY(parse_block(x, l->bytes, xfs_block_off(x, child), level, &r));
        else
            TRY(read_level(fs, n, l, child, level, &r));
    }
    return from_extents(x, &r, block, limit, out);
}

struct err xfs_map(struct fs *fs, struct node *n, uint64_t off_bytes, struct run *out)
{
    const struct xfs *x = xfs_of(fs);
    const struct xfs_node *xn = xfs_node_of(n);
    uint64_t block = off_bytes >> x->block_log;
    uint64_t limit = ((uint64_t)1 << 63) >> x->block_log; /* no file reaches further */
    struct span span;

    if (xn->realtime)
        return ERR1(ERR_REFUSED, "inode %a is a real-time file of XFS", n->ino);
    if (off_bytes > INT64_MAX)
        return ERR2(ERR_FS_DAMAGED, "byte %b of inode %a was asked for", n->ino, off_bytes);
    if (xn->format == XFS_FORMAT_EXTENTS) {
        struct row r = {.bytes = xn->fork, .where = xn->where, .nr = xn->nr_extents};

        TRY(check_order(&r));
        TRY(from_extents(x, &r, block, limit, &span));
    } else if (xn->format == XFS_FORMAT_BTREE) {
        TRY(map_tree(fs, n, block, limit, &span));
    } else {
        return ERR1(ERR_FS_DAMAGED, "inode %a has no blocks", n->ino);
    }
    *out = (struct run){.kind = span.hole ? RUN_HOLE : RUN_DISK,
                        .file_off_bytes = span.first << x->block_log,
                        .len_bytes = span.nr << x->block_log,
                        .disk_off_bytes = span.hole ? 0 : xfs_block_off(x, span.start)};
    return OK;
}
