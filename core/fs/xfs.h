/* SPDX-License-Identifier: MIT */
/*
 * What the files of the XFS reader share.
 *
 *     xfs.c          mounting, the table of functions
 *     xfs_super.c    superblock: features, geometry, what follows from it
 *     xfs_crc.c      what a metadata block of version 5 says of itself
 *     xfs_inode.c    inodes and symbolic links
 *     xfs_bmap.c     file byte -> run: extent lists and extent B+trees
 *     xfs_dir.c      directories, as rows of entries
 *     xfs_dir_hash.c a name in a large directory, by its hash
 *     xfs_log*.c     recovery of the log
 *
 * A file system is cut into allocation groups (AGs) of ag_blocks blocks, of which the last may be
 * shorter. A block number (fsblock) holds the group above agblk_log bits and the block in the group
 * below; an inode number holds the inode in its block below that. A daddr counts 512 bytes from the
 * beginning of the disk.
 */
#ifndef PVBOOT_FS_XFS_H
#define PVBOOT_FS_XFS_H

#include "core/fs/fs.h"
#include "core/fs/xfs_disk.h"

struct xfs {
    bool v5;        /* checksums, and who owns a block, in all metadata */
    bool ftype;     /* directory entries hold the type */
    bool ascii_ci;  /* names are looked up without regard to the case of ASCII letters */
    bool read_only; /* the superblock allows reading only */
    uint32_t incompat, ro_compat, log_incompat; /* 0 in version 4 */
    uint32_t version, features2;                /* as on the disk; features2 0 without morebits */
    uint8_t uuid[16];
    uint8_t meta_uuid[16]; /* what metadata blocks say; uuid when nobody changed that */

    uint32_t block_log, block_bytes; /* 512 to 65536 */
    uint32_t sector_bytes;
    uint32_t inode_log, inode_bytes;
    uint32_t inopb_log; /* inodes in a block */
    uint32_t agblk_log; /* bits of a block's number in its group */
    uint32_t ag_blocks, nr_ags;
    uint64_t nr_blocks;
    uint32_t dir_block_bytes; /* a directory's block: one or more blocks */

    /* The log. On this disk always: an external one is refused. */
    uint64_t log_off_bytes;
    uint32_t log_blocks;
    uint32_t log_sector_bytes; /* 512 without the sector feature */
    uint32_t log_sunit_bytes;  /* 0: records are not aligned to a stripe */
};

/* A block of an inode's extent tree, as it was last read and checked. */
struct xfs_level {
    uint64_t fsblock; /* 0: none; block 0 is the superblock's */
    uint8_t *bytes;
};

/* Linux's own limit is 9; no tree of half-full blocks of 512 bytes is deeper than 10. */
#define XFS_LEVELS 10

struct xfs_node {
    uint64_t where; /* of the inode on the disk */
    uint8_t format; /* of the data fork */
    bool realtime;  /* the content lies on the real-time device */
    uint16_t flags;
    uint64_t flags2;
    uint64_t nr_extents;
    uint8_t *fork; /* the data fork, as it lies in the inode */
    size_t fork_bytes;
    struct arena *arena; /* for the levels' buffers */
    struct xfs_level levels[XFS_LEVELS];
};

static inline struct xfs *xfs_of(const struct fs *fs)
{
    return fs->priv;
}

/* Fill *x, all zeros, from the superblock. */
struct err xfs_read_super(const struct fs *fs, struct xfs *x, const struct xfs_disk_super *sb);

/* Blocks in the group; agno < nr_ags. */
uint32_t xfs_ag_size(const struct xfs *x, uint32_t agno);

/* Does fsblock [block, block + nr) lie in one group, behind the group's headers? nr > 0. */
bool xfs_blocks_valid(const struct xfs *x, uint64_t fsblock, uint64_t nr);

/* Where a valid fsblock lies on the disk. */
uint64_t xfs_block_off(const struct xfs *x, uint64_t fsblock);

/* Can there be an inode of this number? */
bool xfs_ino_valid(const struct xfs *x, uint64_t ino);

/* Where a valid inode lies on the disk. */
uint64_t xfs_ino_off(const struct xfs *x, uint64_t ino);

/* The checksum of bytes[0..len), the four at crc_off taken as 0: what le32 reads at crc_off. */
uint32_t xfs_crc(const void *bytes, size_t len, size_t crc_off);

/* Where a metadata block of version 5 says what it is: the offsets of its fields. */
struct xfs_self {
    uint8_t crc, blkno, uuid, owner;
};

/*
 * Check a metadata block of version 5, bytes[0..len) from `where` on the disk: its checksum, and
 * that it belongs to this place, this file system and inode ino. OK in version 4.
 */
struct err xfs_check_self(const struct xfs *x, const struct xfs_self *at, const uint8_t *bytes,
                          size_t len, uint64_t where, uint64_t ino);

static inline struct xfs_node *xfs_node_of(const struct node *n)
{
    return n->priv;
}

struct err xfs_get_node(struct fs *fs, struct arena *a, uint64_t ino, struct node *out);
struct err xfs_readlink(struct fs *fs, struct node *n, char *buf, size_t cap, size_t *len);

struct err xfs_map(struct fs *fs, struct node *n, uint64_t off_bytes, struct run *out);

/* As fs_ops.may_overwrite. */
struct err xfs_may_overwrite(struct fs *fs, struct node *n, uint64_t off_bytes);

struct err xfs_readdir(struct fs *fs, struct node *dir, fs_entry_fn fn, void *ctx);
struct err xfs_lookup(struct fs *fs, struct node *dir, const char *name, size_t len, uint64_t *ino);

/*
 * The log. mount asks xfs_log_is_dirty once x is complete: does the log hold transactions that have
 * not been written to their places? Only the log's head and tail are read for the answer.
 */
struct err xfs_log_is_dirty(struct fs *fs, bool *dirty);

/* As fs_ops.replay. */
struct err xfs_replay(struct fs *fs, struct disk **out);

#endif
