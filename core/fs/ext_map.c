/* SPDX-License-Identifier: MIT */
/*
 * File byte -> run, for the ext2/3/4 reader: extent trees and indirect blocks.
 *
 * Both are walked from the inode down, one block a level, to a named depth; so a tree that points
 * back into itself ends like any other. The block of each level is kept with the node: the runs
 * of a file are asked for in order, and mostly find their blocks there.
 */
#include <string.h>

#include "core/fs/crc.h"
#include "core/fs/ext.h"
#include "core/fs/ext_edits.h"

#define NR_DIRECT 12

/* The answer in blocks: `nr` of them from `first` on; a hole or from disk block `start`. */
struct span {
    uint64_t first, nr;
    bool hole;
    uint64_t start;
};

/* Bring a tree block into the level's buffer. *fresh: it was read now, and is to be checked. */
static struct err load_level(struct fs *fs, struct ext_node *en, uint32_t level, uint64_t block,
                             const uint8_t **bytes, bool *fresh)
{
    struct ext *x = ext_of(fs);
    struct ext_level *l = &en->levels[level];

    *fresh = l->block != block || l->bytes == NULL;
    if (!ext_blocks_valid(x, block, 1))
        return ERR2(ERR_FS_DAMAGED, "a file's tree points to block %a of %b", block, x->nr_blocks);
    if (l->bytes == NULL)
        l->bytes = arena_alloc(en->arena, x->block_bytes);
    if (l->bytes == NULL)
        return arena_exhausted("a tree block of %a bytes", x->block_bytes);
    *bytes = l->bytes;
    if (!*fresh)
        return OK;
    l->block = 0;
    TRY(disk_read(fs->disk, block * x->block_bytes, l->bytes, x->block_bytes));
    l->block = block;
    return OK;
}

/* ---- extent trees ------------------------------------------------------------------------------
 */

/* A node of the tree under examination. */
struct extent_block {
    const uint8_t *bytes;
    uint64_t where; /* on the disk; ERR_NOWHERE for the root in the inode */
    uint32_t nr, max, depth;
};

static uint32_t entry_block(const struct extent_block *b, uint32_t i)
{
    /* Extents and index entries both begin with their first block. */
    return le32(b->bytes + sizeof(struct ext_disk_extent_header) +
                (size_t)i * sizeof(struct ext_disk_extent));
}

static struct err parse_header(struct extent_block *b, size_t room_bytes)
{
    const struct ext_disk_extent_header *h = (const struct ext_disk_extent_header *)b->bytes;
    size_t fits = (room_bytes - sizeof(*h)) / sizeof(struct ext_disk_extent);

    if (le16(h->magic) != EXT_EXTENT_MAGIC)
        return ERR_AT(ERR_FS_DAMAGED, b->where, "an extent block begins with %A, not %B",
                      le16(h->magic), EXT_EXTENT_MAGIC);
    b->nr = le16(h->entries);
    b->max = le16(h->max);
    b->depth = le16(h->depth);
    if (b->max > fits || b->nr > b->max)
        return ERR_AT(ERR_FS_DAMAGED, b->where, "an extent block with %a entries of %b", b->nr,
                      b->max);
    return OK;
}

/* Entries must ascend, or the search below would answer at random. */
static struct err check_order(const struct extent_block *b)
{
    for (uint32_t i = 1; i < b->nr; i++) {
        if (entry_block(b, i) <= entry_block(b, i - 1))
            return ERR_AT(ERR_FS_DAMAGED, b->where, "extent entry %a is out of order", i, 0);
    }
    return OK;
}

static struct err check_csum(const struct ext *x, const struct ext_node *en,
                             const struct extent_block *b)
{
    size_t at =
        sizeof(struct ext_disk_extent_header) + (size_t)b->max * sizeof(struct ext_disk_extent);

    if (!ext_has_metadata_csum(x))
        return OK;
    if (at > x->block_bytes - 4)
        return ERR_AT(ERR_FS_DAMAGED, b->where, "an extent block has no room for its checksum", 0,
                      0);
    uint32_t want = le32(b->bytes + at);
    uint32_t got = crc32c(en->csum_seed, b->bytes, at);

    if (want != got)
        return ERR_AT(ERR_FS_DAMAGED, b->where, "extent block checksum is %A, should be %B", want,
                      got);
    return OK;
}

/* The last entry that begins at or before `block`; false when the first begins after it. */
static bool search(const struct extent_block *b, uint64_t block, uint32_t *found)
{
    uint32_t low = 0, high = b->nr; /* the answer + 1 lies in [low, high] */

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (entry_block(b, mid) <= block)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == 0)
        return false;
    *found = low - 1;
    return true;
}

/* Answer from a leaf. `limit`: the first block that the tree above leaves to another leaf. */
static struct err from_leaf(const struct ext *x, const struct extent_block *b, uint64_t block,
                            uint64_t limit, struct span *out)
{
    uint32_t i = 0;
    bool found = search(b, block, &i);
    uint32_t next = found ? i + 1 : 0;
    uint64_t next_block = next < b->nr ? min_u64(entry_block(b, next), limit) : limit;

    *out = (struct span){.first = block, .nr = next_block - block, .hole = true};
    if (!found)
        return OK;
    const struct ext_disk_extent *e =
        (const struct ext_disk_extent *)(b->bytes + sizeof(struct ext_disk_extent_header)) + i;
    uint64_t first = le32(e->block), nr = le16(e->len);
    uint64_t start = le32(e->start_lo) | (uint64_t)le16(e->start_hi) << 32;
    bool unwritten = nr > EXT_EXTENT_LEN_MAX;

    if (unwritten)
        nr -= EXT_EXTENT_LEN_MAX;
    if (nr == 0 || nr > next_block - first)
        return ERR_AT(ERR_FS_DAMAGED, b->where, "the extent of block %a has a length of %b", first,
                      nr);
    if (!ext_blocks_valid(x, start, nr))
        return ERR_AT(ERR_FS_DAMAGED, b->where, "an extent of %b blocks points to block %a", start,
                      nr);
    if (block - first < nr)
        *out = (struct span){.first = first, .nr = nr, .hole = unwritten, .start = start};
    return OK;
}

static struct err map_extents(struct fs *fs, struct ext_node *en, uint64_t block, struct span *out)
{
    struct ext *x = ext_of(fs);
    struct extent_block b = {.bytes = en->block, .where = ERR_NOWHERE};
    uint64_t limit = (uint64_t)UINT32_MAX + 1;
    bool fresh;

    TRY(parse_header(&b, sizeof(en->block)));
    TRY(check_order(&b));
    if (b.depth > EXT_EXTENT_DEPTH_MAX)
        return ERR1(ERR_FS_DAMAGED, "an extent tree of %a levels", b.depth);
    if (block >= limit)
        return ERR1(ERR_FS_DAMAGED, "block %a of a file is past what extents can reach", block);
    for (uint32_t level = 0; b.depth > 0; level++) {
        uint32_t i = 0, depth = b.depth;

        if (b.nr == 0)
            return ERR_AT(ERR_FS_DAMAGED, b.where, "an extent index without entries", 0, 0);
        /* Blocks before the first entry are a hole. */
        if (!search(&b, block, &i)) {
            *out = (struct span){.first = block, .nr = entry_block(&b, 0) - block, .hole = true};
            return OK;
        }
        if (i + 1 < b.nr)
            limit = min_u64(limit, entry_block(&b, i + 1));
        const struct ext_disk_extent_index *index =
            (const struct ext_disk_extent_index *)(b.bytes +
                                                   sizeof(struct ext_disk_extent_header)) +
            i;
        uint64_t child = le32(index->leaf_lo) | (uint64_t)le16(index->leaf_hi) << 32;

        TRY(load_level(fs, en, level, child, &b.bytes, &fresh));
        b.where = child * x->block_bytes;
        TRY(parse_header(&b, x->block_bytes));
        if (b.depth != depth - 1)
            return ERR_AT(ERR_FS_DAMAGED, b.where, "an extent block of depth %a, should be %b",
                          b.depth, depth - 1);
        if (fresh) {
            struct err e = check_csum(x, en, &b);

            if (!failed(e))
                e = check_order(&b);
            if (failed(e))
                en->levels[level].block = 0; /* not to be believed next time either */
            TRY(e);
        }
    }
    return from_leaf(x, &b, block, limit, out);
}

/* ---- indirect blocks ---------------------------------------------------------------------------
 */

/* Answer from a row of block numbers, of which the file's blocks [first, first + nr) are made. */
static struct err from_numbers(const struct ext *x, const uint8_t *numbers, uint64_t first,
                               uint64_t nr, uint64_t block, uint64_t where, struct span *out)
{
    uint64_t i = block - first;
    uint64_t start = le32(numbers + 4 * i), n = 1;
    bool hole = start == 0;

    while (i + n < nr && le32(numbers + 4 * (i + n)) == (hole ? 0 : start + n))
        n++;
    if (!hole && !ext_blocks_valid(x, start, n))
        return ERR_AT(ERR_FS_DAMAGED, where, "a file's %b blocks from block %a on", start, n);
    *out = (struct span){.first = block, .nr = n, .hole = hole, .start = start};
    return OK;
}

static struct err map_indirect(struct fs *fs, struct ext_node *en, uint64_t block, struct span *out)
{
    struct ext *x = ext_of(fs);
    uint64_t per_block = x->block_bytes / 4;
    uint64_t first = NR_DIRECT, covered = per_block; /* by the tree of the depth at hand */
    uint32_t depth = 1;

    if (block < NR_DIRECT)
        return from_numbers(x, en->block, 0, NR_DIRECT, block, ERR_NOWHERE, out);
    for (; depth <= 3 && block - first >= covered; depth++) {
        first += covered;
        covered *= per_block;
    }
    if (depth > 3)
        return ERR1(ERR_FS_DAMAGED, "block %a of a file is past what block numbers can reach",
                    block);
    uint64_t number = le32(en->block + 4 * (NR_DIRECT + depth - 1));

    /* `number` is the block whose tree holds the file's blocks [first, first + covered). */
    for (uint32_t level = 0; number != 0; level++) {
        const uint8_t *numbers;
        bool fresh;

        TRY(load_level(fs, en, level, number, &numbers, &fresh));
        if (level + 1 == depth)
            return from_numbers(x, numbers, first, per_block, block, number * x->block_bytes, out);
        covered /= per_block;
        uint64_t i = (block - first) / covered;

        first += i * covered;
        number = le32(numbers + 4 * i);
    }
    *out = (struct span){.first = block, .nr = covered - (block - first), .hole = true};
    return OK;
}

static struct err map_disk(struct fs *fs, struct ext_node *en, uint64_t block, struct span *out)
{
    if (en->flags & EXT_INODE_EXTENTS)
        return map_extents(fs, en, block, out);
    return map_indirect(fs, en, block, out);
}

/* With what fast commits say about the file's blocks; they know more than the disk. */
static struct err map_edited(struct fs *fs, const struct node *n, uint64_t block, struct span *out)
{
    struct ext *x = ext_of(fs);
    struct ext_range r;

    if (ext_edits_map(x->edits, n->ino, block, &r)) {
        *out = (struct span){.first = r.block, .nr = r.nr, .hole = r.hole, .start = r.start};
        if (!r.hole && !ext_blocks_valid(x, r.start, r.nr))
            return ERR2(ERR_FS_DAMAGED, "a fast commit's %b blocks point to block %a", r.start,
                        r.nr);
        return OK;
    }
    TRY(map_disk(fs, ext_node_of(n), block, out));
    /* Only the part about which nothing is said. */
    if (out->first < r.block) {
        out->start += r.block - out->first;
        out->nr -= r.block - out->first;
        out->first = r.block;
    }
    out->nr = min_u64(out->nr, r.nr - (out->first - r.block));
    return OK;
}

struct err ext_map(struct fs *fs, struct node *n, uint64_t off_bytes, struct run *out)
{
    struct ext *x = ext_of(fs);
    struct ext_node *en = ext_node_of(n);
    uint64_t block = off_bytes / x->block_bytes;
    struct span span;

    if ((en->flags & EXT_INODE_ENCRYPT) && n->type != NODE_DIR)
        return ERR1(ERR_REFUSED, "inode %a is encrypted", n->ino);
    if (en->inline_bytes != NULL) {
        /* What lies behind the inline content was never written. */
        if (off_bytes < en->inline_len)
            *out = (struct run){
                .kind = RUN_INLINE, .len_bytes = en->inline_len, .inline_bytes = en->inline_bytes};
        else
            *out = (struct run){.kind = RUN_HOLE,
                                .file_off_bytes = en->inline_len,
                                .len_bytes = UINT64_MAX - en->inline_len};
        return OK;
    }
    if (x->edits != NULL)
        TRY(map_edited(fs, n, block, &span));
    else
        TRY(map_disk(fs, en, block, &span));
    *out = (struct run){.kind = span.hole ? RUN_HOLE : RUN_DISK,
                        .file_off_bytes = span.first * x->block_bytes,
                        .len_bytes = span.nr * x->block_bytes,
                        .disk_off_bytes = span.hole ? 0 : span.start * x->block_bytes};
    return OK;
}
