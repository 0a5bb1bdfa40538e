/* SPDX-License-Identifier: MIT */
/*
 * The items of a committed transaction: buffers and newly made inodes here, inodes in
 * xfs_log_inode.c, intents in xfs_log_intents.c.
 *
 * Within a transaction the order is: the superblock, then buffers and new inodes, then inodes and
 * all else, then the unlinked lists of inode buffers, then what gives buffers up.
 */
#include <string.h>

#include "core/fs/xfs_log.h"

struct buf {
    uint32_t flags, nr_bb;
    uint64_t bb;
    const uint8_t *map;
    uint32_t nr_bits;
};

static struct err bad_item(const char *msg, uint64_t a, uint64_t b)
{
    return ERR2(ERR_FS_DAMAGED, msg, a, b);
}

static struct err read_buf(const struct xlog *log, const struct xlog_item *item, struct buf *b)
{
    const struct xlog_region *g = &item->regions[0];
    const struct xlog_disk_buf *d = (const struct xlog_disk_buf *)g->bytes;
    uint64_t nr_on_disk = log->disk->size_bytes / XLOG_BB;

    if (g->len < sizeof(*d))
        return bad_item("a buffer item of %a bytes in the log", g->len, 0);
    uint32_t words = le32(d->map_size);

    if (words > (g->len - sizeof(*d)) / 4)
        return bad_item("a buffer item of %a bytes with a map of %b words in the log", g->len,
                        words);
    *b = (struct buf){.flags = le16(d->flags),
                      .nr_bb = le16(d->len),
                      .bb = le64(d->blkno),
                      .map = g->bytes + sizeof(*d),
                      .nr_bits = words * 32};
    if (b->nr_bb == 0 || b->nr_bb > XLOG_BUF_MAX_BYTES / XLOG_BB ||
        !in_range(b->bb, b->nr_bb, nr_on_disk))
        return bad_item("the log has a buffer of %a blocks of 512 bytes at block %b", b->nr_bb,
                        b->bb);
    return OK;
}

/* ---- buffers that were given up ---- */

/* One key of both: a buffer has 1 to 128 blocks. */
static uint64_t cancel_key(uint64_t bb, uint32_t nr_bb)
{
    return bb << 8 | (nr_bb - 1);
}

bool xlog_is_cancelled(const struct xlog *log, uint64_t bb, uint32_t nr_bb)
{
    const struct xlog_slot *s = xlog_table_find(&log->cancelled, cancel_key(bb, nr_bb));

    return s != NULL && s->value > 0;
}

static struct err note_cancelled(struct xlog *log, const struct xlog_item *item)
{
    struct xlog_slot *s;
    struct buf b;

    TRY(read_buf(log, item, &b));
    if (!(b.flags & XLOG_BUF_CANCEL))
        return OK;
    TRY(xlog_table_put(log, &log->cancelled, cancel_key(b.bb, b.nr_bb), &s));
    s->value++;
    return OK;
}

/* ---- buffers ---- */

static bool bit(const struct buf *b, uint32_t i)
{
    return b->map[i / 8] >> (i % 8) & 1;
}

/* The next run of bits from *at on; false: none. */
static bool next_bits(const struct buf *b, uint32_t *at, uint32_t *nr)
{
    while (*at < b->nr_bits && !bit(b, *at))
        ++*at;
    for (*nr = 0; *at + *nr < b->nr_bits && bit(b, *at + *nr);)
        ++*nr;
    return *nr > 0;
}

/*
 * Copy each region to where the map says it belongs. One run of bits may be several regions (a
 * buffer's pages were logged apart), so the region's length counts.
 */
static struct err apply_regions(const struct xlog_item *item, const struct buf *b, uint8_t *bytes)
{
    uint32_t at = 0, nr, region = 1;

    for (; next_bits(b, &at, &nr); at += nr, region++) {
        if (region >= item->got)
            return bad_item("the log has %a regions of the buffer at block %b, fewer than marked",
                            item->got - 1u, b->bb);
        const struct xlog_region *g = &item->regions[region];

        if (g->len < (uint64_t)nr * XLOG_BUF_CHUNK)
            nr = g->len / XLOG_BUF_CHUNK;
        if (nr == 0 || !in_range(at * XLOG_BUF_CHUNK, nr * XLOG_BUF_CHUNK, b->nr_bb * XLOG_BB))
            return bad_item("the log has a region of %a bytes that does not fit the buffer at "
                            "block %b",
                            g->len, b->bb);
        memcpy(bytes + (size_t)at * XLOG_BUF_CHUNK, g->bytes, (size_t)nr * XLOG_BUF_CHUNK);
    }
    return OK;
}

/*
 * A buffer with inodes: only the links of the lists of unlinked inodes are taken. All else of an
 * inode is logged by itself, and may be newer.
 */
static struct err apply_unlinked(struct xlog *log, const struct xlog_item *item,
                                 const struct buf *b)
{
    uint32_t at = 0, nr, region = 1, size = log->x->inode_bytes;
    size_t link = offsetof(struct xfs_disk_inode, next_unlinked);

    for (; next_bits(b, &at, &nr); at += nr, region++) {
        if (region >= item->got)
            return bad_item("the log has %a regions of the inodes at block %b, fewer than marked",
                            item->got - 1u, b->bb);
        const struct xlog_region *g = &item->regions[region];

        if (g->len < (uint64_t)nr * XLOG_BUF_CHUNK)
            nr = g->len / XLOG_BUF_CHUNK;
        uint32_t from = at * XLOG_BUF_CHUNK, to = from + nr * XLOG_BUF_CHUNK;

        if (nr == 0 || to > b->nr_bb * XLOG_BB)
            return bad_item("the log has a region of %a bytes that does not fit the inodes at "
                            "block %b",
                            g->len, b->bb);
        for (uint32_t i = from / size * size; i < to; i += size) {
            uint64_t off = b->bb * XLOG_BB + i;
            uint8_t *inode;

            if (i + link < from || i + link + 4 > to || i + size > b->nr_bb * XLOG_BB)
                continue;
            TRY(xlog_inode_at(log, off, &inode));
            memcpy(inode + link, g->bytes + (i + link - from), 4);
            TRY(xlog_note_changed(log, off / XLOG_BB, size / XLOG_BB));
        }
    }
    return OK;
}

/* Is what lies there newer than the log's? Version 4 cannot tell and does not need to. */
static bool is_newer(const struct xlog *log, const uint8_t *bytes, uint32_t len, uint64_t lsn)
{
    const uint8_t *uuid;
    uint64_t there;

    if (!log->x->v5 || !xlog_block_lsn(log, bytes, len, &there, &uuid))
        return false;
    if (memcmp(uuid, log->x->meta_uuid, sizeof(log->x->meta_uuid)) != 0)
        return false; /* left over from another file system */
    return there != 0 && there != UINT64_MAX && there >= lsn;
}

/*
 * The superblock: when the file system was made larger, what follows in the log may lie in groups
 * that the one on the disk does not know yet.
 */
static struct err take_super(struct xlog *log, uint32_t nr_bb)
{
    struct fs view = *log->fs;
    struct xfs_disk_super sb;
    struct xfs x = {0};

    if (be32(log->buffer) != XFS_SUPER_MAGIC)
        return ERR_AT(ERR_FS_DAMAGED, 0, "the log replaces the superblock by something else", 0, 0);
    if (log->x->v5)
        TRY(xlog_seal_one(log, 0, nr_bb));
    view.disk = overlay_disk(log->overlay);
    TRY(disk_read(view.disk, 0, &sb, sizeof(sb)));
    TRY(xfs_read_super(&view, &x, &sb));
    if (x.block_bytes != log->x->block_bytes || x.inode_bytes != log->x->inode_bytes)
        return ERR_AT(ERR_FS_DAMAGED, 0, "the log changes the size of blocks or inodes", 0, 0);
    log->replayed_x = x;
    log->x = &log->replayed_x;
    return OK;
}

static struct err apply_buffer(struct xlog *log, const struct xlog_item *item, uint64_t lsn)
{
    uint32_t len;
    struct buf b;

    TRY(read_buf(log, item, &b));
    if (b.flags & XLOG_BUF_CANCEL) {
        struct xlog_slot *s = xlog_table_find(&log->cancelled, cancel_key(b.bb, b.nr_bb));

        /* From its last cancellation on the buffer counts again. */
        if (s != NULL && s->value > 0)
            s->value--;
        return OK;
    }
    if (xlog_is_cancelled(log, b.bb, b.nr_bb)) {
        log->n.cancelled++;
        return OK;
    }
    if (b.flags & XLOG_BUF_DQUOTS) {
        log->n.quota++;
        return OK;
    }
    if (b.flags & XLOG_BUF_INODES) {
        log->n.buffers++;
        return apply_unlinked(log, item, &b);
    }
    len = b.nr_bb * XLOG_BB;
    TRY(xlog_load(log, b.bb, b.nr_bb, log->buffer));
    if (is_newer(log, log->buffer, len, lsn)) {
        log->n.newer++;
        return OK;
    }
    log->n.buffers++;
    TRY(apply_regions(item, &b, log->buffer));
    TRY(xlog_store(log, b.bb * XLOG_BB, log->buffer, len));
    if (b.bb == 0)
        TRY(take_super(log, b.nr_bb));
    if (be16(log->buffer) != XFS_INODE_MAGIC)
        return xlog_note_changed(log, b.bb, b.nr_bb);
    /* Inodes that were made before there were items for that: each has a checksum. */
    for (uint32_t at = 0; at < len; at += log->x->inode_bytes)
        TRY(xlog_note_changed(log, b.bb + at / XLOG_BB, log->x->inode_bytes / XLOG_BB));
    return OK;
}

/* ---- new inodes ---- */

static void make_inode(const struct xfs *x, struct xfs_disk_inode *di, uint64_t ino,
                       const uint8_t *gen)
{
    xlog_put16(di->magic, XFS_INODE_MAGIC);
    di->version[0] = x->v5 ? 3 : 2;
    memcpy(di->gen, gen, sizeof(di->gen));
    memset(di->next_unlinked, 0xff, sizeof(di->next_unlinked));
    if (x->v5) {
        xlog_put64(di->ino, ino);
        memcpy(di->uuid, x->meta_uuid, sizeof(di->uuid));
    }
}

/* Buffers of inodes that were given up: then the blocks may hold something else by now. */
static bool is_chunk_cancelled(const struct xlog *log, uint64_t bb, uint32_t nr_blocks)
{
    uint32_t block_bb = log->x->block_bytes / XLOG_BB;

    for (uint32_t i = 0; i < nr_blocks; i++) {
        for (uint32_t n = 1; n <= XLOG_BUF_MAX_BYTES / XLOG_BB; n *= 2) {
            if (xlog_is_cancelled(log, bb + (uint64_t)i * block_bb, n))
                return true;
        }
    }
    return false;
}

static struct err apply_icreate(struct xlog *log, const struct xlog_item *item)
{
    const struct xlog_region *g = &item->regions[0];
    const struct xlog_disk_icreate *d = (const struct xlog_disk_icreate *)g->bytes;
    const struct xfs *x = log->x;

    if (g->len < sizeof(*d))
        return bad_item("the log makes inodes with %a bytes", g->len, 0);
    uint32_t ag = be32(d->ag), agbno = be32(d->agbno), nr = be32(d->count), len = be32(d->length);

    if (ag >= x->nr_ags || agbno == 0 || !in_range(agbno, len, xfs_ag_size(x, ag)))
        return bad_item("the log makes inodes in group %a at block %b", ag, agbno);
    if (be32(d->isize) != x->inode_bytes || nr == 0 || nr > 64 + (1u << x->inopb_log) ||
        nr != (uint64_t)len << x->inopb_log)
        return bad_item("the log makes %a inodes of %b bytes", nr, be32(d->isize));
    uint64_t fsblock = (uint64_t)ag << x->agblk_log | agbno;
    uint64_t off = xfs_block_off(x, fsblock);

    if (is_chunk_cancelled(log, off / XLOG_BB, len)) {
        log->n.cancelled++;
        return OK;
    }
    memset(log->buffer, 0, x->block_bytes);
    for (uint32_t block = 0; block < len; block++, off += x->block_bytes) {
        for (uint32_t i = 0; i < 1u << x->inopb_log; i++) {
            uint32_t at = i << x->inode_log;

            make_inode(x, (struct xfs_disk_inode *)(log->buffer + at),
                       ((fsblock + block) << x->inopb_log) + i, d->gen);
            TRY(xlog_note_changed(log, (off + at) / XLOG_BB, x->inode_bytes / XLOG_BB));
        }
        TRY(xlog_store(log, off, log->buffer, x->block_bytes));
    }
    log->n.new_inodes += nr;
    return OK;
}

/* ---- the order within a transaction ---- */

enum stage {
    STAGE_SUPER,
    STAGE_BUFFERS,
    STAGE_OTHERS,
    STAGE_INODE_BUFFERS,
    STAGE_CANCELS,
    NR_STAGES
};

static enum stage stage_of(const struct xlog_item *item)
{
    const struct xlog_region *g = &item->regions[0];

    if (item->type == XFS_LI_ICREATE)
        return STAGE_BUFFERS;
    if (item->type != XFS_LI_BUF)
        return STAGE_OTHERS;
    const struct xlog_disk_buf *d = (const struct xlog_disk_buf *)g->bytes;

    if (g->len < sizeof(*d))
        return STAGE_BUFFERS;
    uint32_t flags = le16(d->flags);

    if (flags & XLOG_BUF_CANCEL)
        return STAGE_CANCELS;
    if (le64(d->blkno) == 0)
        return STAGE_SUPER;
    return flags & XLOG_BUF_INODES ? STAGE_INODE_BUFFERS : STAGE_BUFFERS;
}

static struct err apply(struct xlog *log, const struct xlog_item *item, uint64_t lsn)
{
    switch (item->type) {
    case XFS_LI_BUF:
        return apply_buffer(log, item, lsn);
    case XFS_LI_INODE:
        return xlog_apply_inode(log, item, lsn);
    case XFS_LI_ICREATE:
        return apply_icreate(log, item);
    case XFS_LI_DQUOT:
    case XFS_LI_QUOTAOFF:
        log->n.quota++;
        return OK;
    default:
        return xlog_take_intent(log, item);
    }
}

struct err xlog_commit(struct xlog *log, struct xlog_item *items, uint64_t lsn)
{
    for (const struct xlog_item *i = items; i != NULL; i = i->next) {
        bool known = i->type == XFS_LI_BUF || i->type == XFS_LI_INODE ||
                     i->type == XFS_LI_ICREATE || i->type == XFS_LI_DQUOT ||
                     i->type == XFS_LI_QUOTAOFF || xlog_is_intent(i->type);

        if (!known)
            return ERR1(ERR_REFUSED, "the log of XFS has items of type %A", i->type);
        if (log->pass == 1 && i->type == XFS_LI_BUF)
            TRY(note_cancelled(log, i));
    }
    if (log->pass == 1)
        return OK;
    for (int stage = 0; stage < NR_STAGES; stage++) {
        for (const struct xlog_item *i = items; i != NULL; i = i->next) {
            if (stage_of(i) == (enum stage)stage)
                TRY(apply(log, i, lsn));
        }
    }
    return OK;
}
