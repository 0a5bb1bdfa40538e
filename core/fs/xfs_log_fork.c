/* SPDX-License-Identifier: MIT */
/*
 * The mapping of a file as a whole: read into a list, changed there, and written back. For the few
 * files whose mapping was about to change when the log ended.
 *
 * A list that does not fit into the inode becomes a B+tree, which needs blocks. Which blocks of the
 * disk are free is not known here; but the log's own are not needed any more, so the tree is laid
 * over them (in the overlay, as all else).
 */
#include <string.h>

#include "core/fs/xfs_log.h"

#define EXTENTS_MAX ((size_t)1 << 18) /* of a file that is changed here */
#define EXTENTS_MIN ((size_t)256)
#define OWNED_MAX   ((uint32_t)1 << 18) /* blocks of trees that change their owner */
#define WORK_MAX    ((uint64_t)1 << 30) /* extents that are moved aside, for all of a replay */
#define WORK_A_CALL 64u                 /* what a change costs that moves none */
#define LEVELS_MAX  XFS_LEVELS
#define PAIR_BYTES  16u /* a key and a pointer; an extent too */
#define ROOT_HEADER 4u

static struct err bad_fork(const struct xlog_fork *f, const char *msg, uint64_t b)
{
    return ERR_AT(ERR_FS_DAMAGED, f->inode_off, msg, f->ino, b);
}

static struct err make_room(struct xlog *log, struct xlog_fork *f, size_t nr)
{
    size_t cap = f->cap == 0 ? EXTENTS_MIN : f->cap;
    struct xlog_extent *longer;

    while (cap < nr)
        cap *= 2;
    if (cap == f->cap)
        return OK;
    if (cap > EXTENTS_MAX)
        return ERR2(ERR_LIMIT,
                    "the log of XFS changes the mapping of inode %a, which has more than %b "
                    "extents",
                    f->ino, EXTENTS_MAX);
    TRY(xlog_pages(log, cap * sizeof(*longer), "a mapping of %a bytes", &longer));
    if (f->nr > 0)
        memcpy(longer, f->extents, f->nr * sizeof(*longer));
    xlog_drop(log, f->extents, f->cap * sizeof(*longer));
    f->extents = longer;
    f->cap = cap;
    return OK;
}

void xlog_fork_free(struct xlog *log, struct xlog_fork *f)
{
    xlog_drop(log, f->extents, f->cap * sizeof(*f->extents));
    *f = (struct xlog_fork){0};
}

/* ---- reading ---- */

static struct err add_packed(struct xlog *log, struct xlog_fork *f, const uint8_t *bytes,
                             uint64_t nr)
{
    if (nr > EXTENTS_MAX)
        return bad_fork(f, "inode %a has %b extents in one place", nr);
    TRY(make_room(log, f, f->nr + (size_t)nr));
    for (uint64_t i = 0; i < nr; i++, bytes += PAIR_BYTES) {
        uint64_t high = be64(bytes), low = be64(bytes + 8);
        struct xlog_extent *e = &f->extents[f->nr];

        *e = (struct xlog_extent){.off = (high & (UINT64_MAX >> 1)) >> 9,
                                  .block = (high & 0x1ff) << 43 | low >> 21,
                                  .len = low & XLOG_EXTENT_BLOCKS_MAX,
                                  .unwritten = high >> 63 != 0};
        if (e->len == 0 || (f->nr > 0 && e->off < e[-1].off + e[-1].len))
            return bad_fork(f, "an extent of inode %a at block %b is out of order", e->off);
        f->nr++;
    }
    return OK;
}

/* A block of the tree, of a level that the caller expects. */
static struct err load_block(struct xlog *log, const struct xlog_fork *f, uint64_t fsblock,
                             uint32_t level)
{
    const struct xfs *x = log->x;

    if (!xfs_blocks_valid(x, fsblock, 1))
        return bad_fork(f, "the extent tree of inode %a points to block %b", fsblock);
    TRY(xlog_load(log, xfs_block_off(x, fsblock) / XLOG_BB, x->block_bytes / XLOG_BB, log->buffer));
    if (be32(log->buffer) != (x->v5 ? XFS_BMBT_MAGIC_V5 : XFS_BMBT_MAGIC) ||
        be16(log->buffer + 4) != level)
        return bad_fork(f, "block %b is none of the extent tree of inode %a's", fsblock);
    return OK;
}

/* Down the left edge to the leaves, then along them. Each adds an extent, so EXTENTS_MAX ends it.
 */
static struct err read_tree(struct xlog *log, struct xlog_fork *f, const struct xlog_area *root)
{
    uint32_t level = be16(root->bytes),
             header = log->x->v5 ? (uint32_t)sizeof(struct xfs_disk_bmbt) : XFS_BMBT_OLD_BYTES;
    uint32_t fits = (log->x->block_bytes - header) / PAIR_BYTES;
    uint32_t root_fits = root->len < ROOT_HEADER ? 0 : (root->len - ROOT_HEADER) / PAIR_BYTES;

    if (root_fits == 0 || level == 0 || level > LEVELS_MAX)
        return bad_fork(f, "inode %a has an extent tree of %b levels", level);
    uint64_t child = be64(root->bytes + ROOT_HEADER + (size_t)root_fits * 8);

    while (--level > 0) {
        TRY(load_block(log, f, child, level));
        child = be64(log->buffer + header + (size_t)fits * 8);
    }
    while (child != UINT64_MAX) {
        TRY(load_block(log, f, child, 0));
        const struct xfs_disk_bmbt *h = (const struct xfs_disk_bmbt *)log->buffer;
        uint32_t nr = be16(h->numrecs);

        if (nr == 0 || nr > fits)
            return bad_fork(f, "a block of the extent tree of inode %a has %b extents", nr);
        child = be64(log->buffer + 16);
        TRY(add_packed(log, f, log->buffer + header, nr));
    }
    return OK;
}

static bool has_nrext64(const struct xfs_disk_inode *di)
{
    return di->version[0] >= 3 && (be64(di->flags2) & XFS_INODE2_NREXT64) != 0;
}

struct err xlog_fork_read(struct xlog *log, uint64_t ino, struct xlog_fork *f)
{
    const struct xfs_disk_inode *di;
    struct xlog_area a;
    uint8_t *inode;

    *f = (struct xlog_fork){.ino = ino};
    if (!xfs_ino_valid(log->x, ino))
        return ERR1(ERR_FS_DAMAGED, "the log of XFS changes the mapping of inode %a", ino);
    f->inode_off = xfs_ino_off(log->x, ino);
    TRY(xlog_inode_at(log, f->inode_off, &inode));
    di = (const struct xfs_disk_inode *)inode;
    if (be16(di->magic) != XFS_INODE_MAGIC || be16(di->mode) == 0 ||
        !xlog_find_fork(log, inode, false, &a))
        return bad_fork(f, "the log changes the mapping of inode %a, which is none", 0);
    if (di->format[0] == XFS_FORMAT_BTREE)
        return read_tree(log, f, &a);
    if (di->format[0] != XFS_FORMAT_EXTENTS)
        return bad_fork(f, "the log changes the mapping of inode %a, which has none", 0);
    uint64_t nr = has_nrext64(di) ? be64(di->big_nextents) : be32(di->nextents);

    if (nr > a.len / PAIR_BYTES)
        return bad_fork(f, "inode %a has %b extents in itself", nr);
    return add_packed(log, f, a.bytes, nr);
}

/* ---- whose it is ---- */

static struct err own_block(struct xlog *log, const struct xlog_fork *f, uint64_t fsblock,
                            uint32_t level, uint64_t *right, uint64_t *child)
{
    uint32_t fits = (log->x->block_bytes - (uint32_t)sizeof(struct xfs_disk_bmbt)) / PAIR_BYTES;
    uint64_t off = xfs_block_off(log->x, fsblock);
    uint8_t owner[8];

    TRY(load_block(log, f, fsblock, level));
    *right = be64(log->buffer + offsetof(struct xfs_disk_bmbt, rightsib));
    *child = be64(log->buffer + sizeof(struct xfs_disk_bmbt) + (size_t)fits * 8);
    xlog_put64(owner, f->ino);
    TRY(xlog_store(log, off + offsetof(struct xfs_disk_bmbt, owner), owner, sizeof(owner)));
    return xlog_note_changed(log, off / XLOG_BB, log->x->block_bytes / XLOG_BB);
}

/* Level by level, from left to right. */
static struct err own_tree(struct xlog *log, const struct xlog_fork *f,
                           const struct xlog_area *root)
{
    uint32_t level = be16(root->bytes);
    uint32_t root_fits = root->len < ROOT_HEADER ? 0 : (root->len - ROOT_HEADER) / PAIR_BYTES;

    if (root_fits == 0 || level == 0 || level > LEVELS_MAX)
        return bad_fork(f, "inode %a has an extent tree of %b levels", level);
    uint64_t first = be64(root->bytes + ROOT_HEADER + (size_t)root_fits * 8), at, child, below = 0;

    for (; level > 0; level--, first = below) {
        for (at = first; at != UINT64_MAX;) {
            if (log->nr_owned++ == OWNED_MAX)
                return ERR1(ERR_LIMIT, "the log of XFS gives more than %a blocks to other inodes",
                            OWNED_MAX);
            uint64_t here = at;

            TRY(own_block(log, f, here, level - 1, &at, &child));
            if (here == first)
                below = child;
        }
    }
    return OK;
}

struct err xlog_fork_own(struct xlog *log, uint64_t ino)
{
    struct xlog_fork f = {.ino = ino};
    struct xlog_area a;
    uint8_t *inode;

    if (!log->x->v5 || !xfs_ino_valid(log->x, ino))
        return OK;
    f.inode_off = xfs_ino_off(log->x, ino);
    TRY(xlog_inode_at(log, f.inode_off, &inode));
    const struct xfs_disk_inode *di = (const struct xfs_disk_inode *)inode;

    if (be16(di->magic) != XFS_INODE_MAGIC || be16(di->mode) == 0 ||
        di->format[0] != XFS_FORMAT_BTREE || !xlog_find_fork(log, inode, false, &a))
        return OK;
    return own_tree(log, &f, &a);
}

/* ---- changing ---- */

/* The first extent that ends behind block off. */
static size_t first_behind(const struct xlog_fork *f, uint64_t off)
{
    size_t low = 0, high = f->nr;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (f->extents[mid].off + f->extents[mid].len <= off)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* What lies from `from` on goes to `to`. Files of many extents, changed at many places, end here.
 */
static struct err move(struct xlog *log, struct xlog_fork *f, size_t to, size_t from)
{
    size_t nr = f->nr - from;

    log->fork_work += nr + WORK_A_CALL;
    if (log->fork_work > WORK_MAX)
        return ERR1(ERR_LIMIT,
                    "the changes that the log of XFS left unfinished move more than %a extents",
                    WORK_MAX);
    memmove(&f->extents[to], &f->extents[from], nr * sizeof(*f->extents));
    return OK;
}

static struct err insert(struct xlog *log, struct xlog_fork *f, size_t at,
                         const struct xlog_extent *e)
{
    struct xlog_extent copy = *e;

    TRY(make_room(log, f, f->nr + 1));
    TRY(move(log, f, at + 1, at));
    f->extents[at] = copy;
    f->nr++;
    return OK;
}

struct err xlog_fork_unmap(struct xlog *log, struct xlog_fork *f, uint64_t off, uint64_t len)
{
    size_t at = first_behind(f, off), to;
    uint64_t end = off + len;

    if (at < f->nr && f->extents[at].off < off) {
        struct xlog_extent *e = &f->extents[at], rest = *e;

        e->len = off - e->off;
        at++;
        if (rest.off + rest.len > end) {
            rest.block += end - rest.off;
            rest.len -= end - rest.off;
            rest.off = end;
            return insert(log, f, at, &rest);
        }
    }
    for (to = at; to < f->nr && f->extents[to].off + f->extents[to].len <= end;)
        to++;
    if (to < f->nr && f->extents[to].off < end) {
        struct xlog_extent *e = &f->extents[to];

        e->block += end - e->off;
        e->len -= end - e->off;
        e->off = end;
    }
    if (to > at)
        TRY(move(log, f, at, to));
    f->nr -= to - at;
    return OK;
}

struct err xlog_fork_map(struct xlog *log, struct xlog_fork *f, const struct xlog_extent *e)
{
    TRY(xlog_fork_unmap(log, f, e->off, e->len));
    return insert(log, f, first_behind(f, e->off), e);
}

size_t xlog_fork_find(const struct xlog_fork *f, uint64_t off)
{
    return first_behind(f, off);
}

/* ---- writing ---- */

static void pack(uint8_t *bytes, const struct xlog_extent *e)
{
    xlog_put64(bytes, (uint64_t)e->unwritten << 63 | e->off << 9 | e->block >> 43);
    xlog_put64(bytes + 8, e->block << 21 | e->len);
}

/* The n-th block of the log, as an fsblock. */
static uint64_t log_fsblock(const struct xlog *log, uint32_t n)
{
    uint64_t block = log->off_bytes / log->x->block_bytes + n;

    return block / log->x->ag_blocks << log->x->agblk_log | block % log->x->ag_blocks;
}

static struct err store_block(struct xlog *log, const struct xlog_fork *f, uint32_t n,
                              uint32_t level, uint32_t nr, bool first, bool last)
{
    const struct xfs *x = log->x;
    struct xfs_disk_bmbt *h = (struct xfs_disk_bmbt *)log->buffer;
    uint64_t off = log->off_bytes + (uint64_t)n * x->block_bytes;

    xlog_put64(log->buffer, (uint64_t)(x->v5 ? XFS_BMBT_MAGIC_V5 : XFS_BMBT_MAGIC) << 32);
    xlog_put16(h->level, level);
    xlog_put16(h->numrecs, nr);
    xlog_put64(log->buffer + 8, first ? UINT64_MAX : log_fsblock(log, n - 1));
    xlog_put64(log->buffer + 16, last ? UINT64_MAX : log_fsblock(log, n + 1));
    if (x->v5) {
        xlog_put64(h->blkno, off / XLOG_BB);
        memcpy(h->uuid, x->meta_uuid, sizeof(h->uuid));
        xlog_put64(h->owner, f->ino);
    }
    TRY(xlog_store(log, off, log->buffer, x->block_bytes));
    return xlog_note_changed(log, off / XLOG_BB, x->block_bytes / XLOG_BB);
}

/*
 * One level of the tree over `nr` things below: extents (level 0), or the blocks of the level below
 * from the log's block `below` on, `step` extents apart. *out: the first block of it, and how many.
 */
static struct err write_level(struct xlog *log, const struct xlog_fork *f, uint32_t level,
                              uint32_t below, size_t nr, size_t step, uint32_t *first,
                              size_t *nr_out)
{
    uint32_t header = log->x->v5 ? (uint32_t)sizeof(struct xfs_disk_bmbt) : XFS_BMBT_OLD_BYTES;
    size_t fits = (log->x->block_bytes - header) / PAIR_BYTES, at = 0;

    *first = log->next_log_block;
    *nr_out = (nr + fits - 1) / fits;
    if (*nr_out > log->x->log_blocks - log->next_log_block)
        return ERR1(ERR_LIMIT, "no room for the new extent tree of inode %a", f->ino);
    for (size_t b = 0; b < *nr_out; b++) {
        size_t n = nr - at < fits ? nr - at : fits;
        uint8_t *p = log->buffer + header;

        memset(log->buffer, 0, log->x->block_bytes);
        for (size_t i = 0; i < n; i++, at++) {
            if (level == 0) {
                pack(p + i * PAIR_BYTES, &f->extents[at]);
            } else {
                xlog_put64(p + i * 8, f->extents[at * step].off);
                xlog_put64(p + (fits + i) * 8, log_fsblock(log, below + (uint32_t)at));
            }
        }
        TRY(store_block(log, f, log->next_log_block++, level, (uint32_t)n, b == 0,
                        b + 1 == *nr_out));
    }
    return OK;
}

static struct err write_tree(struct xlog *log, const struct xlog_fork *f,
                             const struct xlog_area *root)
{
    uint32_t header = log->x->v5 ? (uint32_t)sizeof(struct xfs_disk_bmbt) : XFS_BMBT_OLD_BYTES;
    size_t fits = (log->x->block_bytes - header) / PAIR_BYTES;
    size_t root_fits = root->len < ROOT_HEADER ? 0 : (root->len - ROOT_HEADER) / PAIR_BYTES;
    size_t nr = f->nr, step = 1, above;
    uint32_t level = 0, below = 0, first;

    if (root_fits == 0)
        return bad_fork(f, "inode %a has no room for an extent tree", 0);
    do {
        TRY(write_level(log, f, level, below, nr, step, &first, &above));
        step *= fits;
        nr = above;
        below = first;
        level++;
    } while (nr > root_fits && level < LEVELS_MAX);
    if (nr > root_fits)
        return bad_fork(f, "the extent tree of inode %a is too high", 0);
    memset(root->bytes, 0, root->len);
    xlog_put16(root->bytes, level);
    xlog_put16(root->bytes + 2, (uint32_t)nr);
    for (size_t i = 0; i < nr; i++) {
        xlog_put64(root->bytes + ROOT_HEADER + i * 8, f->extents[i * step].off);
        xlog_put64(root->bytes + ROOT_HEADER + (root_fits + i) * 8,
                   log_fsblock(log, below + (uint32_t)i));
    }
    return OK;
}

struct err xlog_fork_write(struct xlog *log, struct xlog_fork *f)
{
    struct xfs_disk_inode *di;
    struct xlog_area a;
    uint8_t *inode;

    TRY(xlog_inode_at(log, f->inode_off, &inode));
    di = (struct xfs_disk_inode *)inode;
    if (!xlog_find_fork(log, inode, false, &a))
        return bad_fork(f, "inode %a has no room for its mapping", 0);
    if (f->nr <= a.len / PAIR_BYTES) {
        for (size_t i = 0; i < f->nr; i++)
            pack(a.bytes + i * PAIR_BYTES, &f->extents[i]);
        di->format[0] = XFS_FORMAT_EXTENTS;
    } else {
        TRY(write_tree(log, f, &a));
        di->format[0] = XFS_FORMAT_BTREE;
    }
    if (has_nrext64(di)) {
        xlog_put64(di->big_nextents, f->nr);
    } else {
        xlog_put16(di->nextents, (uint32_t)(f->nr >> 16));
        xlog_put16(di->nextents + 2, (uint32_t)f->nr & 0xffff);
    }
    return xlog_note_changed(log, f->inode_off / XLOG_BB, log->x->inode_bytes / XLOG_BB);
}
