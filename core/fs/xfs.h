/* SPDX-License-Identifier: MIT */
/*
 * What the files of the XFS reader share.
 *
 *     xfs.c          mounting, the table of functions
 *     xfs_super.c    superblock: features, geometry, what follows from it
 *     xfs_inode.c    inodes
 *     xfs_bmap.c     file byte -> run: extent lists and extent B+trees
 *     xfs_dir.c      directories, as rows of entries
 *     xfs_dir_hash.c a name in a large directory, by its hash
 *     xfs_symlink.c  symbolic links
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
    bool v5;       /* checksums, and who owns a block, in all metadata */
    bool ftype;    /* directory entries hold the type */
    bool ascii_ci; /* names are looked up without regard to the case of ASCII letters */
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

/*
 * The log. mount asks xfs_log_is_dirty once x is complete: does the log hold transactions that have
 * not been written to their places? Only the log's head and tail are read for the answer.
 */
struct err xfs_log_is_dirty(struct fs *fs, bool *dirty);

/* As fs_ops.replay. */
struct err xfs_replay(struct fs *fs, struct disk **out);

#endif
