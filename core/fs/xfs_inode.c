/* SPDX-License-Identifier: MIT */
/* Inodes of the XFS reader, and symbolic links. */
#include <string.h>

#include "core/fs/xfs.h"

#define NSEC_PER_SEC  1000000000u
#define BIGTIME_EPOCH ((int64_t)1 << 31) /* bigtime counts from that many seconds before 1970 */

/*
 * With these, data is overwritten in place. What is not known here forbids writing, by the meaning
 * of "compatible with reading only".
 */
#define RO_COMPAT_WRITABLE                                                                         \
    (XFS_RO_COMPAT_FINOBT | XFS_RO_COMPAT_RMAPBT | XFS_RO_COMPAT_REFLINK | XFS_RO_COMPAT_INOBTCNT)

#define INODE_DAMAGED(msg_, a_, b_) ERR_AT(ERR_FS_DAMAGED, where, msg_, a_, b_)

/* Is the inode what the number says? */
static struct err check_identity(const struct xfs *x, const struct xfs_disk_inode *di,
                                 uint64_t where, uint64_t ino)
{
    uint32_t version = di->version[0], crc;

    if (be16(di->magic) != XFS_INODE_MAGIC)
        return INODE_DAMAGED("inode %a begins with %B", ino, be16(di->magic));
    if (x->v5 ? version != 3 : version != 1 && version != 2)
        return INODE_DAMAGED("inode %a has the version %b", ino, version);
    if (!x->v5)
        return OK;
    crc = xfs_crc(di, x->inode_bytes, offsetof(struct xfs_disk_inode, crc));
    if (le32(di->crc) != crc)
        return INODE_DAMAGED("inode checksum is %A, should be %B", le32(di->crc), crc);
    if (be64(di->ino) != ino)
        return INODE_DAMAGED("inode %a says that it is %b", ino, be64(di->ino));
    if (memcmp(di->uuid, x->meta_uuid, sizeof(di->uuid)) != 0)
        return INODE_DAMAGED("inode %a has the UUID of another file system", ino, 0);
    return OK;
}

static uint64_t flags2(const struct xfs *x, const struct xfs_disk_inode *di)
{
    return x->v5 ? be64(di->flags2) : 0;
}

static int64_t mtime(const struct xfs *x, const struct xfs_disk_inode *di)
{
    if (flags2(x, di) & XFS_INODE2_BIGTIME)
        return (int64_t)(be64(di->mtime) / NSEC_PER_SEC) - BIGTIME_EPOCH;
    return (int32_t)be32(di->mtime);
}

/* Bring the data fork into the node: what it is, and its bytes. */
static struct err load_fork(const struct xfs *x, const struct xfs_disk_inode *di, uint64_t where,
                            const struct node *n, struct xfs_node *xn)
{
    size_t core = x->v5 ? sizeof(struct xfs_disk_inode) : XFS_INODE_OLD_BYTES;
    size_t room = x->inode_bytes - core, attr_off = (size_t)di->forkoff[0] * 8;

    if (attr_off >= room)
        return INODE_DAMAGED("inode %a has its attributes at %b", n->ino, attr_off);
    xn->fork_bytes = attr_off == 0 ? room : attr_off;
    xn->format = di->format[0];
    xn->nr_extents =
        flags2(x, di) & XFS_INODE2_NREXT64 ? be64(di->big_nextents) : be32(di->nextents);
    switch (xn->format) {
    case XFS_FORMAT_LOCAL:
        if (n->type == NODE_FILE || n->size_bytes > xn->fork_bytes)
            return INODE_DAMAGED("inode %a holds its %b bytes itself", n->ino, n->size_bytes);
        break;
    case XFS_FORMAT_EXTENTS:
        if (xn->nr_extents > xn->fork_bytes / XFS_EXTENT_BYTES)
            return INODE_DAMAGED("inode %a holds a list of %b extents", n->ino, xn->nr_extents);
        break;
    case XFS_FORMAT_BTREE:
        break;
    default:
        return INODE_DAMAGED("the content of inode %a has the format %b", n->ino, xn->format);
    }
    xn->fork = arena_alloc(xn->arena, xn->fork_bytes);
    if (xn->fork == NULL)
        return arena_exhausted("an inode's fork of %a bytes", xn->fork_bytes);
    memcpy(xn->fork, (const uint8_t *)di + core, xn->fork_bytes);
    return OK;
}

static struct err fill(const struct xfs *x, const struct xfs_disk_inode *di, uint64_t where,
                       struct node *out, struct xfs_node *xn)
{
    bool old_links = di->version[0] == 1;
    uint32_t nr_links = old_links ? be16(di->onlink) : be32(di->nlink);

    out->mode = be16(di->mode);
    out->type = node_type_of(out->mode);
    out->size_bytes = be64(di->size);
    out->mtime = mtime(x, di);
    xn->flags = be16(di->flags);
    xn->flags2 = flags2(x, di);
    xn->realtime = out->type == NODE_FILE && (be16(di->flags) & XFS_INODE_REALTIME);
    if (out->mode == 0 || nr_links == 0)
        return INODE_DAMAGED("inode %a is in use by a directory, but is free", out->ino, 0);
    if (flags2(x, di) & XFS_INODE2_METADATA)
        return INODE_DAMAGED("inode %a is metadata, but is in use by a directory", out->ino, 0);
    if (out->size_bytes > INT64_MAX ||
        (out->type == NODE_DIR && out->size_bytes > XFS_DIR_LEAF_OFF))
        return INODE_DAMAGED("inode %a has a size of %b bytes", out->ino, out->size_bytes);
    if (out->type == NODE_OTHER)
        return OK;
    return load_fork(x, di, where, out, xn);
}

struct err xfs_get_node(struct fs *fs, struct arena *a, uint64_t ino, struct node *out)
{
    struct xfs *x = xfs_of(fs);
    uint8_t raw[XFS_INODE_BYTES_MAX];
    const struct xfs_disk_inode *di = (const struct xfs_disk_inode *)raw;

    if (!xfs_ino_valid(x, ino))
        return ERR2(ERR_FS_DAMAGED, "inode %a was asked for; its place is none of %b blocks", ino,
                    x->nr_blocks);
    uint64_t where = xfs_ino_off(x, ino);

    TRY(disk_read(fs->disk, where, raw, x->inode_bytes));
    TRY(check_identity(x, di, where, ino));
    struct xfs_node *xn = arena_alloc(a, sizeof(*xn));

    if (xn == NULL)
        return arena_exhausted("an inode of %a bytes", sizeof(*xn));
    *out = (struct node){.ino = ino, .priv = xn};
    xn->arena = a;
    xn->where = where;
    return fill(x, di, where, out, xn);
}

struct err xfs_may_overwrite(struct fs *fs, struct node *n, uint64_t off_bytes)
{
    const struct xfs *x = xfs_of(fs);
    const struct xfs_node *xn = xfs_node_of(n);
    uint32_t unknown = x->ro_compat & ~(uint32_t)RO_COMPAT_WRITABLE;

    (void)off_bytes;
    if (unknown != 0)
        return ERR1(ERR_REFUSED, "the XFS has features (%A) with which it must not be written to",
                    unknown);
    if (x->read_only)
        return ERR(ERR_REFUSED, "the XFS is marked as one that is only read");
    if (xn->realtime)
        return ERR(ERR_REFUSED, "a real-time file of XFS");
    if (xn->flags2 & XFS_INODE2_REFLINK)
        return ERR(ERR_REFUSED,
                   "the file shares blocks with a copy of it (reflink); write it anew");
    if (xn->flags & (XFS_INODE_IMMUTABLE | XFS_INODE_APPEND))
        return ERR(ERR_REFUSED, "the file is protected against changes (chattr +i or +a)");
    return OK;
}

/* ---- symbolic links ----------------------------------------------------------------------------
 */

/*
 * A piece of a target, in one extent; its bytes from *done on go to buf. In version 5 the extent
 * begins with a header, which is checked over the extent's whole length.
 */
static struct err read_piece(struct fs *fs, const struct node *n, const struct run *run,
                             uint8_t *piece, size_t piece_bytes, char *buf, size_t *done)
{
    static const struct xfs_self self = {
        offsetof(struct xfs_disk_symlink, crc), offsetof(struct xfs_disk_symlink, blkno),
        offsetof(struct xfs_disk_symlink, uuid), offsetof(struct xfs_disk_symlink, owner)};
    const struct xfs *x = xfs_of(fs);
    const struct xfs_disk_symlink *h = (const struct xfs_disk_symlink *)piece;
    uint64_t where = run->disk_off_bytes;
    size_t head = x->v5 ? sizeof(*h) : 0;
    size_t len = (size_t)min_u64(piece_bytes - head, n->size_bytes - *done);

    TRY(disk_read(fs->disk, where, piece, piece_bytes));
    TRY(xfs_check_self(x, &self, piece, piece_bytes, where, n->ino));
    if (x->v5 &&
        (be32(h->magic) != XFS_SYMLINK_MAGIC || be32(h->offset) != *done || be32(h->bytes) != len))
        return ERR_AT(ERR_FS_DAMAGED, where, "a piece of a symbolic link, byte %a, of %b bytes",
                      be32(h->offset), be32(h->bytes));
    memcpy(buf + *done, piece + head, len);
    *done += len;
    return OK;
}

static struct err read_remote(struct fs *fs, struct node *n, struct arena *scratch, char *buf)
{
    const struct xfs *x = xfs_of(fs);
    size_t head = x->v5 ? sizeof(struct xfs_disk_symlink) : 0, done = 0;
    uint64_t nr_blocks = (n->size_bytes - 1) / (x->block_bytes - head) + 1;
    uint64_t all = nr_blocks * x->block_bytes;
    uint8_t *piece = arena_pages(scratch, (size_t)all);
    struct run run;

    if (piece == NULL)
        return arena_exhausted("a symbolic link of %a bytes", (size_t)all);
    /* Each round takes at least a block. */
    for (uint64_t pos = 0; pos < all && done < n->size_bytes; pos += run.len_bytes) {
        TRY(xfs_map(fs, n, pos, &run));
        if (run.kind != RUN_DISK || run.file_off_bytes != pos)
            return ERR2(ERR_FS_DAMAGED, "inode %a is a symbolic link with a hole at byte %b",
                        n->ino, pos);
        run.len_bytes = min_u64(run.len_bytes, all - pos);
        TRY(read_piece(fs, n, &run, piece, (size_t)run.len_bytes, buf, &done));
    }
    if (done < n->size_bytes)
        return ERR2(ERR_FS_DAMAGED, "inode %a is a symbolic link that ends at byte %b", n->ino,
                    done);
    return OK;
}

struct err xfs_readlink(struct fs *fs, struct node *n, char *buf, size_t cap, size_t *len)
{
    struct xfs_node *xn = xfs_node_of(n);
    struct arena scratch;
    struct err e = OK;

    if (n->size_bytes == 0 || n->size_bytes > XFS_SYMLINK_MAX || n->size_bytes > cap)
        return ERR2(ERR_FS_DAMAGED, "inode %a is a symbolic link of %b bytes", n->ino,
                    n->size_bytes);
    *len = (size_t)n->size_bytes;
    if (xn->format == XFS_FORMAT_LOCAL) {
        memcpy(buf, xn->fork, *len);
    } else {
        arena_init(&scratch, fs->arena->source);
        e = read_remote(fs, n, &scratch, buf);
        arena_reset(&scratch);
    }
    TRY(e);
    /* Linux ends a target at its first NUL. */
    const char *nul = memchr(buf, '\0', *len);

    if (nul != NULL)
        *len = (size_t)(nul - buf);
    if (*len == 0)
        return ERR1(ERR_FS_DAMAGED, "inode %a is an empty symbolic link", n->ino);
    return OK;
}
