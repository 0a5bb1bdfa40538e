/* SPDX-License-Identifier: MIT */
/*
 * Inode items: the core as the writing machine had it in memory (little endian), and what was
 * changed of the two forks, which is as on the disk but for the roots of B+trees.
 */
#include <string.h>

#include "core/fs/xfs_log.h"

#define FLUSH_MAX 0xffffu /* the flush counter of version 4 begins anew after it */

struct target {
    uint32_t fields, rdev;
    uint64_t ino, off_bytes; /* of the inode on the disk */
    uint64_t buf_bb;
    uint32_t buf_nr_bb;
};

static struct err bad_inode(const struct target *t, const char *msg, uint64_t b)
{
    return ERR_AT(ERR_FS_DAMAGED, t->off_bytes, msg, t->ino, b);
}

static struct err read_target(const struct xlog *log, const struct xlog_item *item,
                              struct target *t)
{
    const struct xlog_region *g = &item->regions[0];
    const struct xlog_disk_inode *d = (const struct xlog_disk_inode *)g->bytes;
    size_t less = 0;

    if (g->len < XLOG_INODE_32_BYTES)
        return ERR1(ERR_FS_DAMAGED, "an inode item of %a bytes in the log", g->len);
    if (g->len < sizeof(*d))
        less = sizeof(*d) - XLOG_INODE_32_BYTES;
    *t = (struct target){.fields = le32(d->fields),
                         .ino = le64(d->ino - less),
                         .rdev = le32(d->rdev - less),
                         .buf_bb = le64(d->blkno - less),
                         .buf_nr_bb = le32(d->len - less)};
    uint32_t in_buf = le32(d->boffset - less);

    if (t->buf_nr_bb == 0 || t->buf_nr_bb > XLOG_BUF_MAX_BYTES / XLOG_BB ||
        !in_range(t->buf_bb, t->buf_nr_bb, log->disk->size_bytes / XLOG_BB) ||
        !in_range(in_buf, log->x->inode_bytes, t->buf_nr_bb * XLOG_BB) ||
        in_buf % log->x->inode_bytes != 0)
        return ERR2(ERR_FS_DAMAGED, "the log has inode %a in a buffer at block %b of 512 bytes",
                    t->ino, t->buf_bb);
    t->off_bytes = t->buf_bb * XLOG_BB + in_buf;
    if (t->off_bytes % log->x->inode_bytes != 0)
        return bad_inode(t, "the log has inode %a at byte %b", t->off_bytes);
    return OK;
}

/* ---- the core ---- */

static void swap(uint8_t *to, const uint8_t *from, size_t len)
{
    for (size_t i = 0; i < len; i++)
        to[i] = from[len - 1 - i];
}

#define SWAP(field) swap(to->field, from->field, sizeof(to->field))

/* With bigtime one number of 64 bits, without it two of 32. */
static void swap_time(uint8_t *to, const uint8_t *from, bool bigtime)
{
    if (bigtime) {
        swap(to, from, 8);
    } else {
        swap(to, from, 4);
        swap(to + 4, from + 4, 4);
    }
}

/*
 * The core has the same layout in the log and on the disk. Left alone are what the log does not
 * hold (unlinked list, checksum); the lsn is that of the transaction.
 */
static void convert_core(struct xfs_disk_inode *to, const struct xfs_disk_inode *from, uint64_t lsn)
{
    uint64_t flags2 = from->version[0] >= 3 ? le64(from->flags2) : 0;
    bool bigtime = (flags2 & XFS_INODE2_BIGTIME) != 0;

    SWAP(magic);
    SWAP(mode);
    to->version[0] = from->version[0];
    to->format[0] = from->format[0];
    SWAP(onlink);
    SWAP(uid);
    SWAP(gid);
    SWAP(nlink);
    SWAP(projid_lo);
    SWAP(projid_hi);
    memset(to->big_nextents, 0, sizeof(to->big_nextents)); /* the flush counter begins anew */
    swap_time(to->atime, from->atime, bigtime);
    swap_time(to->mtime, from->mtime, bigtime);
    swap_time(to->ctime, from->ctime, bigtime);
    SWAP(size);
    SWAP(nblocks);
    SWAP(extsize);
    SWAP(nextents);
    SWAP(anextents);
    to->forkoff[0] = from->forkoff[0];
    to->aformat[0] = from->aformat[0];
    SWAP(dmevmask);
    SWAP(dmstate);
    SWAP(flags);
    SWAP(gen);
    if (from->version[0] < 3)
        return;
    if (flags2 & XFS_INODE2_NREXT64)
        SWAP(big_nextents);
    SWAP(changecount);
    xlog_put64(to->lsn, lsn);
    SWAP(flags2);
    SWAP(cowextsize);
    memset(to->pad2, 0, sizeof(to->pad2));
    swap_time(to->crtime, from->crtime, bigtime);
    SWAP(ino);
    memcpy(to->uuid, from->uuid, sizeof(to->uuid));
}

static bool is_older(const struct xlog *log, const struct xfs_disk_inode *di,
                     const struct xfs_disk_inode *core, uint64_t lsn)
{
    if (log->x->v5) {
        uint64_t there = di->version[0] >= 3 ? be64(di->lsn) : 0;

        return there != 0 && there != UINT64_MAX && there > lsn;
    }
    uint32_t there = be16(di->big_nextents + 6), here = le16(core->big_nextents + 6);

    return here < there && !(there == FLUSH_MAX && here < FLUSH_MAX >> 1);
}

/* ---- the forks ---- */

bool xlog_find_fork(const struct xlog *log, uint8_t *inode, bool attr, struct xlog_area *a)
{
    const struct xfs_disk_inode *di = (const struct xfs_disk_inode *)inode;
    uint32_t core = di->version[0] >= 3 ? (uint32_t)sizeof(*di) : XFS_INODE_OLD_BYTES;
    uint32_t room = log->x->inode_bytes - core, forkoff = di->forkoff[0] * 8u;

    if (forkoff > room || (attr && forkoff == 0))
        return false;
    if (attr)
        *a = (struct xlog_area){.bytes = inode + core + forkoff, .len = room - forkoff};
    else
        *a = (struct xlog_area){.bytes = inode + core, .len = forkoff != 0 ? forkoff : room};
    return true;
}

#define BMBT_V4_HEADER   24u
#define BMBT_V5_HEADER   72u
#define BMBT_PAIR        16u /* key and pointer */
#define BMBT_ROOT_HEADER 4u

/*
 * The root of an extent B+tree: in memory a whole block's header, then keys and pointers; on the
 * disk level and count, then keys, and pointers behind as many keys as there is room for.
 */
static bool convert_root(const struct xlog *log, const struct xlog_region *g,
                         const struct xlog_area *a)
{
    uint32_t header = log->x->v5 ? BMBT_V5_HEADER : BMBT_V4_HEADER;

    if (g->len < header || a->len < BMBT_ROOT_HEADER)
        return false;
    uint32_t nr = be16(g->bytes + 6), nr_from = (g->len - header) / BMBT_PAIR;
    uint32_t nr_to = (a->len - BMBT_ROOT_HEADER) / BMBT_PAIR;

    if (nr > nr_from || nr > nr_to)
        return false;
    memcpy(a->bytes, g->bytes + 4, 4); /* level and count */
    memcpy(a->bytes + BMBT_ROOT_HEADER, g->bytes + header, (size_t)nr * 8);
    memcpy(a->bytes + BMBT_ROOT_HEADER + (size_t)nr_to * 8, g->bytes + header + (size_t)nr_from * 8,
           (size_t)nr * 8);
    return true;
}

static struct err apply_fork(struct xlog *log, const struct target *t, uint8_t *inode,
                             const struct xlog_region *g, bool attr)
{
    uint32_t root = attr ? XLOG_INODE_ABROOT : XLOG_INODE_DBROOT;
    uint32_t format = ((struct xfs_disk_inode *)inode)->format[0];
    struct xlog_area a;

    /* B+trees of other things than extents, in inodes that no path leads to. */
    if (!attr && format == XFS_FORMAT_META_BTREE)
        return OK;
    if (!xlog_find_fork(log, inode, attr, &a))
        return bad_inode(t, "the log has a fork of inode %a that has no room", 0);
    if (t->fields & root) {
        if (!convert_root(log, g, &a))
            return bad_inode(t, "the log has a B+tree's root of %b bytes for inode %a", g->len);
        return OK;
    }
    if (g->len > a.len)
        return bad_inode(t, "the log has a fork of %b bytes for inode %a", g->len);
    memcpy(a.bytes, g->bytes, g->len);
    return OK;
}

static struct err apply_forks(struct xlog *log, const struct xlog_item *item,
                              const struct target *t, uint8_t *inode)
{
    struct xlog_area a;
    uint32_t next = 2;

    if ((t->fields & XLOG_INODE_DEV) && xlog_find_fork(log, inode, false, &a) && a.len >= 4)
        swap(a.bytes,
             (const uint8_t *)&(const uint8_t[4]){(uint8_t)t->rdev, (uint8_t)(t->rdev >> 8),
                                                  (uint8_t)(t->rdev >> 16),
                                                  (uint8_t)(t->rdev >> 24)},
             4);
    if ((t->fields & XLOG_INODE_DFORK) && next < item->got)
        TRY(apply_fork(log, t, inode, &item->regions[next++], false));
    if ((t->fields & XLOG_INODE_AFORK) && next < item->got)
        TRY(apply_fork(log, t, inode, &item->regions[next++], true));
    return OK;
}

static struct err check_core(const struct xlog *log, const struct target *t,
                             const struct xlog_region *g)
{
    const struct xfs_disk_inode *core = (const struct xfs_disk_inode *)g->bytes;
    size_t v3 = sizeof(*core), v2 = offsetof(struct xfs_disk_inode, next_unlinked);

    if (g->len < v2 || (core->version[0] >= 3 && g->len < v3))
        return bad_inode(t, "the log has a core of %b bytes for inode %a", g->len);
    if (le16(core->magic) != XFS_INODE_MAGIC || core->version[0] > 3 ||
        (core->version[0] >= 3) != log->x->v5)
        return bad_inode(t, "the log has a core of version %b for inode %a", core->version[0]);
    return OK;
}

struct err xlog_apply_inode(struct xlog *log, const struct xlog_item *item, uint64_t lsn)
{
    struct xfs_disk_inode *di;
    struct target t;
    uint8_t *inode;

    TRY(read_target(log, item, &t));
    if (xlog_is_cancelled(log, t.buf_bb, t.buf_nr_bb)) {
        log->n.cancelled++;
        return OK;
    }
    if (item->got < 2)
        return bad_inode(&t, "the log has inode %a without its core", 0);
    TRY(check_core(log, &t, &item->regions[1]));
    const struct xfs_disk_inode *core = (const struct xfs_disk_inode *)item->regions[1].bytes;

    /* Two files exchanged their trees: what the blocks say is put right at the end. */
    if (t.fields & XLOG_INODE_DOWNER) {
        struct xlog_slot *s;

        TRY(xlog_table_put(log, &log->new_owners, t.ino & (UINT64_MAX >> 1), &s));
    }
    TRY(xlog_inode_at(log, t.off_bytes, &inode));
    di = (struct xfs_disk_inode *)inode;
    if (be16(di->magic) != XFS_INODE_MAGIC)
        return bad_inode(&t, "the log has inode %a where there is none", 0);
    if (is_older(log, di, core, lsn)) {
        log->n.newer++;
        return OK;
    }
    convert_core(di, core, lsn);
    TRY(apply_forks(log, item, &t, inode));
    log->n.inodes++;
    return xlog_note_changed(log, t.off_bytes / XLOG_BB, log->x->inode_bytes / XLOG_BB);
}
