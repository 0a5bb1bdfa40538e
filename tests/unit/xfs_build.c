/* SPDX-License-Identifier: MIT */
#include "tests/unit/xfs_build.h"

static uint64_t first_fsblock(const struct xfs_build *b, const uint8_t *inode)
{
    return be64(inode + b->core_bytes + 8) >> 21;
}

static void seal_inode(const struct xfs_build *b, uint8_t *inode)
{
    if (b->x->v5)
        seal(inode, b->x->inode_bytes, offsetof(struct xfs_disk_inode, crc));
}

static uint8_t *take_block(struct xfs_build *b, uint64_t *fsblock)
{
    uint8_t *bytes = b->free_bytes;

    *fsblock = b->free_fsblock++;
    b->free_bytes += b->x->block_bytes;
    memset(bytes, 0, b->x->block_bytes);
    return bytes;
}

void xfs_build_init(struct xfs_build *b, struct opened *o)
{
    const struct xfs *x = o->fs.priv;
    struct node n;
    uint8_t *inode = inode_at(o, "/boot/big", &n);

    *b = (struct xfs_build){
        .o = o,
        .x = x,
        .core_bytes = x->v5 ? sizeof(struct xfs_disk_inode) : XFS_INODE_OLD_BYTES,
        .head_bytes = x->v5 ? sizeof(struct xfs_disk_bmbt) : XFS_BMBT_OLD_BYTES};
    b->free_fsblock = first_fsblock(b, inode);
    b->free_bytes = block_at(o, &n, 0);
    b->per_block = (x->block_bytes - b->head_bytes) / XFS_EXTENT_BYTES;
    b->root_fits = (x->inode_bytes - b->core_bytes - 4) / 16;
}

static void put_extent(uint8_t *p, uint64_t first, uint64_t start, uint64_t nr, bool unwritten)
{
    put_be(p, (uint64_t)unwritten << 63 | first << 9 | start >> 43, 8);
    put_be(p + 8, start << 21 | nr, 8);
}

/* A new block of the tree, without entries. */
static uint8_t *take_tree_block(struct xfs_build *b, uint32_t level, uint64_t ino,
                                uint64_t *fsblock)
{
    uint8_t *bytes = take_block(b, fsblock);
    struct xfs_disk_bmbt *h = (struct xfs_disk_bmbt *)bytes;

    put_be(h->magic, b->x->v5 ? XFS_BMBT_MAGIC_V5 : XFS_BMBT_MAGIC, 4);
    put_be(h->level, level, 2);
    memset(h->leftsib, 0xff, 16); /* no neighbours */
    if (b->x->v5) {
        put_be(h->blkno, (uint64_t)(bytes - b->o->data) / XFS_DADDR_BYTES, 8);
        memcpy(h->uuid, b->x->meta_uuid, 16);
        put_be(h->owner, ino, 8);
    }
    return bytes;
}

static void seal_tree_block(const struct xfs_build *b, uint8_t *bytes)
{
    if (b->x->v5 && bytes != NULL)
        seal(bytes, b->x->block_bytes, offsetof(struct xfs_disk_bmbt, crc));
}

void xfs_build_file(struct xfs_build *b, const char *path, uint32_t nr_extents)
{
    struct node n;
    uint8_t *inode = inode_at(b->o, path, &n), *fork = inode + b->core_bytes;
    uint8_t *leaf = NULL, *middle = NULL;
    uint64_t block, start = first_fsblock(b, inode);

    put_be(inode + offsetof(struct xfs_disk_inode, size),
           (uint64_t)nr_extents * 2 * b->x->block_bytes, 8);
    inode[offsetof(struct xfs_disk_inode, format)] = XFS_FORMAT_BTREE;
    memset(fork, 0, b->x->inode_bytes - b->core_bytes);
    put_be(fork, 2, 2);
    for (uint32_t i = 0; i < nr_extents; i++) {
        uint32_t leaf_nr = i / b->per_block, at = leaf_nr % b->per_block;
        uint32_t at_root = leaf_nr / b->per_block, at_leaf = i % b->per_block;
        uint64_t first = (uint64_t)i * 2;

        if (at_leaf == 0 && at == 0) {
            seal_tree_block(b, middle);
            middle = take_tree_block(b, 1, n.ino, &block);
            put_be(fork + 2, at_root + 1, 2);
            put_be(fork + 4 + (size_t)8 * at_root, first, 8);
            put_be(fork + 4 + (size_t)8 * (b->root_fits + at_root), block, 8);
        }
        if (at_leaf == 0) {
            seal_tree_block(b, leaf);
            leaf = take_tree_block(b, 0, n.ino, &block);
            put_be(middle + 6, at + 1, 2);
            put_be(middle + b->head_bytes + (size_t)8 * at, first, 8);
            put_be(middle + b->head_bytes + (size_t)8 * (b->per_block + at), block, 8);
        }
        put_be(leaf + 6, at_leaf + 1, 2);
        put_extent(leaf + b->head_bytes + (size_t)16 * at_leaf, first, start + i % 3, 1,
                   i % 3 == 1);
    }
    seal_tree_block(b, leaf);
    seal_tree_block(b, middle);
    seal_inode(b, inode);
}

void xfs_build_link(struct xfs_build *b, const char *name, const char *target, uint32_t nr_extents)
{
    size_t len = strlen(target), done = 0, head = b->x->v5 ? sizeof(struct xfs_disk_symlink) : 0;
    struct node root;
    uint64_t ino = 0, fsblock;

    inode_at(b->o, "/", &root);
    must_be_ok(b->o->fs.ops->lookup(&b->o->fs, &root, name, strlen(name), &ino), name);
    uint8_t *inode = b->o->data + xfs_ino_off(b->x, ino), *fork = inode + b->core_bytes;

    put_be(inode + offsetof(struct xfs_disk_inode, size), len, 8);
    put_be(inode + offsetof(struct xfs_disk_inode, nextents), nr_extents, 4);
    inode[offsetof(struct xfs_disk_inode, format)] = XFS_FORMAT_EXTENTS;
    for (uint32_t i = 0; i < nr_extents; i++) {
        size_t n = (size_t)min_u64(len - done, b->x->block_bytes - head);

        if (i > 0)
            take_block(b, &fsblock); /* a gap */
        uint8_t *bytes = take_block(b, &fsblock);
        struct xfs_disk_symlink *h = (struct xfs_disk_symlink *)bytes;

        memcpy(bytes + head, target + done, n);
        put_extent(fork + (size_t)16 * i, i, fsblock, 1, false);
        if (b->x->v5) {
            put_be(h->magic, XFS_SYMLINK_MAGIC, 4);
            put_be(h->offset, done, 4);
            put_be(h->bytes, n, 4);
            memcpy(h->uuid, b->x->meta_uuid, 16);
            put_be(h->owner, ino, 8);
            put_be(h->blkno, (uint64_t)(bytes - b->o->data) / XFS_DADDR_BYTES, 8);
            seal(bytes, b->x->block_bytes, offsetof(struct xfs_disk_symlink, crc));
        }
        done += n;
    }
    seal_inode(b, inode);
}
