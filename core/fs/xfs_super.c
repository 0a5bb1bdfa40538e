/* SPDX-License-Identifier: MIT */
/* The superblock of the XFS reader: features and geometry, and the numbers that follow from it. */
#include <string.h>

#include "core/fs/xfs.h"

#define BLOCK_LOG_MAX  16 /* 64 KiB, of directories' blocks too */
#define SECTOR_LOG_MIN 9
#define SECTOR_LOG_MAX 15
#define AG_BLOCKS_MIN  64
#define AG_BYTES_MAX   ((uint64_t)1 << 40)
#define AG_HEADERS     4 /* sectors at the head of each group: its superblock, AGF, AGI, AGFL */

/* Incompatible features of version 5 that are read, or that do not touch what is read. */
#define INCOMPAT_READ                                                                              \
    (XFS_INCOMPAT_FTYPE | XFS_INCOMPAT_META_UUID | XFS_INCOMPAT_BIGTIME | XFS_INCOMPAT_NREXT64)
#define INCOMPAT_IGNORED                                                                           \
    (XFS_INCOMPAT_SPINODES    /* which inodes of a chunk exist; names only lead to those */        \
     | XFS_INCOMPAT_EXCHRANGE /* what the log may hold */                                          \
     | XFS_INCOMPAT_PARENT    /* extended attributes; none is read */                              \
     | XFS_INCOMPAT_METADIR)  /* quota and real-time inodes in a tree of their own */

/* What version 4 may have besides; its other bits all have a meaning that is known. */
#define FEATURES2_READ                                                                             \
    (XFS_FEATURE2_LAZYSBCOUNT | XFS_FEATURE2_ATTR2 | XFS_FEATURE2_PARENT | XFS_FEATURE2_PROJID32 | \
     XFS_FEATURE2_CRC | XFS_FEATURE2_FTYPE)

#define SUPER_DAMAGED(msg_, a_, b_) ERR_AT(ERR_FS_DAMAGED, 0, msg_, a_, b_)

uint32_t xfs_ag_size(const struct xfs *x, uint32_t agno)
{
    if (agno + 1 < x->nr_ags)
        return x->ag_blocks;
    return (uint32_t)(x->nr_blocks - (uint64_t)agno * x->ag_blocks);
}

/* Does [agbno, agbno + nr) lie in the group, behind its headers? */
static bool ag_blocks_valid(const struct xfs *x, uint64_t agno, uint64_t agbno, uint64_t nr)
{
    return agno < x->nr_ags && agbno * x->block_bytes >= (uint64_t)AG_HEADERS * x->sector_bytes &&
           in_range(agbno, nr, xfs_ag_size(x, (uint32_t)agno));
}

bool xfs_blocks_valid(const struct xfs *x, uint64_t fsblock, uint64_t nr)
{
    uint64_t agbno = fsblock & (((uint64_t)1 << x->agblk_log) - 1);

    return ag_blocks_valid(x, fsblock >> x->agblk_log, agbno, nr);
}

uint64_t xfs_block_off(const struct xfs *x, uint64_t fsblock)
{
    uint64_t agbno = fsblock & (((uint64_t)1 << x->agblk_log) - 1);

    return ((fsblock >> x->agblk_log) * x->ag_blocks + agbno) << x->block_log;
}

bool xfs_ino_valid(const struct xfs *x, uint64_t ino)
{
    return xfs_blocks_valid(x, ino >> x->inopb_log, 1);
}

uint64_t xfs_ino_off(const struct xfs *x, uint64_t ino)
{
    uint64_t index = ino & (((uint64_t)1 << x->inopb_log) - 1);

    return xfs_block_off(x, ino >> x->inopb_log) + (index << x->inode_log);
}

static struct err check_v5_features(const struct xfs *x)
{
    uint32_t rest = x->incompat & ~(uint32_t)(INCOMPAT_READ | INCOMPAT_IGNORED);

    if (rest & XFS_INCOMPAT_NEEDSREPAIR)
        return ERR(ERR_REFUSED, "the XFS feature needsrepair is set; run xfs_repair on it");
    if (rest & (XFS_INCOMPAT_ZONED | XFS_INCOMPAT_ZONE_GAPS))
        return ERR(ERR_REFUSED, "the XFS feature zoned is not read");
    if (rest != 0)
        return ERR1(ERR_REFUSED, "unknown incompatible XFS features %A", rest);
    return OK;
}

static struct err check_v4_features(const struct xfs *x)
{
    if (!(x->version & XFS_VERSION_DIRV2))
        return ERR(ERR_REFUSED, "XFS directories of version 1 are not read");
    if (!(x->version & XFS_VERSION_EXTFLG))
        return ERR(ERR_REFUSED, "an XFS without the feature extflg is not read");
    if (x->features2 & ~(uint32_t)FEATURES2_READ)
        return ERR1(ERR_REFUSED, "unknown XFS features2 %A", x->features2 & ~FEATURES2_READ);
    return OK;
}

/* The checksum covers the whole sector, which mount has read the beginning of. */
static struct err check_crc(const struct fs *fs, const struct xfs *x,
                            const struct xfs_disk_super *sb)
{
    struct arena scratch;
    uint32_t got = 0;

    if (x->sector_bytes > fs->disk->size_bytes)
        return SUPER_DAMAGED("sectors of %a bytes on a disk of %b", x->sector_bytes,
                             fs->disk->size_bytes);
    arena_init(&scratch, fs->arena->source);
    uint8_t *sector = arena_pages(&scratch, x->sector_bytes);

    if (sector == NULL)
        return arena_exhausted("a sector of %a bytes", x->sector_bytes);
    struct err e = disk_read(fs->disk, 0, sector, x->sector_bytes);

    if (!failed(e))
        got = xfs_crc(sector, x->sector_bytes, offsetof(struct xfs_disk_super, crc));
    arena_reset(&scratch);
    TRY(e);
    if (le32(sb->crc) != got)
        return SUPER_DAMAGED("superblock checksum is %A, should be %B", le32(sb->crc), got);
    return OK;
}

static struct err read_features(struct xfs *x, const struct xfs_disk_super *sb)
{
    uint32_t nr;

    x->version = be16(sb->versionnum);
    /* Some 64-bit kernels of long ago wrote the field 4 bytes further on; Linux joins both. */
    if (x->version & XFS_VERSION_MOREBITS)
        x->features2 = be32(sb->features2) | be32(sb->bad_features2);
    nr = x->version & XFS_VERSION_NR;
    if (nr != 4 && nr != 5)
        return ERR1(ERR_REFUSED, "XFS of version %a is not read", nr);
    x->v5 = nr == 5;
    x->read_only = (sb->flags[0] & XFS_SUPER_READONLY) != 0;
    x->ascii_ci = (x->version & XFS_VERSION_ASCII_CI) != 0;
    x->ftype = (x->features2 & XFS_FEATURE2_FTYPE) != 0;
    memcpy(x->uuid, sb->uuid, sizeof(x->uuid));
    memcpy(x->meta_uuid, sb->uuid, sizeof(x->meta_uuid));
    if (!x->v5)
        return check_v4_features(x);
    /* What is compatible, or compatible with reading only, is safe to ignore by its definition. */
    x->incompat = be32(sb->features_incompat);
    x->ro_compat = be32(sb->features_ro_compat);
    x->log_incompat = be32(sb->features_log_incompat);
    x->ftype = (x->incompat & XFS_INCOMPAT_FTYPE) != 0;
    if (x->incompat & XFS_INCOMPAT_META_UUID)
        memcpy(x->meta_uuid, sb->meta_uuid, sizeof(x->meta_uuid));
    return check_v5_features(x);
}

/* Sizes: of blocks, sectors, inodes and directories' blocks. */
static struct err read_sizes(struct xfs *x, const struct xfs_disk_super *sb)
{
    uint32_t sector_log = sb->sectlog[0], dir_log = sb->dirblklog[0];

    x->block_log = sb->blocklog[0];
    if (x->block_log < (x->v5 ? 10 : SECTOR_LOG_MIN) || x->block_log > BLOCK_LOG_MAX ||
        be32(sb->blocksize) != 1u << x->block_log)
        return SUPER_DAMAGED("blocks of %a bytes, or 2^%b", be32(sb->blocksize), x->block_log);
    x->block_bytes = 1u << x->block_log;
    if (sector_log < SECTOR_LOG_MIN || sector_log > SECTOR_LOG_MAX || sector_log > x->block_log ||
        be16(sb->sectsize) != 1u << sector_log)
        return SUPER_DAMAGED("sectors of %a bytes, or 2^%b", be16(sb->sectsize), sector_log);
    x->sector_bytes = 1u << sector_log;
    x->inode_log = sb->inodelog[0];
    x->inopb_log = sb->inopblog[0];
    x->inode_bytes = be16(sb->inodesize);
    if (x->inode_bytes < (x->v5 ? 2 * XFS_INODE_BYTES_MIN : XFS_INODE_BYTES_MIN) ||
        x->inode_bytes > XFS_INODE_BYTES_MAX || x->inode_bytes > x->block_bytes ||
        x->inode_log > BLOCK_LOG_MAX || x->inode_bytes != 1u << x->inode_log ||
        x->inopb_log != x->block_log - x->inode_log)
        return SUPER_DAMAGED("inodes of %a bytes in blocks of %b", x->inode_bytes, x->block_bytes);
    if (dir_log > BLOCK_LOG_MAX - x->block_log)
        return SUPER_DAMAGED("directory blocks of 2^%a blocks of %b bytes", dir_log,
                             x->block_bytes);
    x->dir_block_bytes = x->block_bytes << dir_log;
    return OK;
}

/* Counts: of blocks and groups. */
static struct err read_counts(const struct fs *fs, struct xfs *x, const struct xfs_disk_super *sb)
{
    uint64_t nr_bytes;

    x->nr_blocks = be64(sb->dblocks);
    x->ag_blocks = be32(sb->agblocks);
    x->nr_ags = be32(sb->agcount);
    x->agblk_log = sb->agblklog[0];
    if (x->ag_blocks < AG_BLOCKS_MIN || x->ag_blocks > AG_BYTES_MAX >> x->block_log ||
        x->agblk_log > 31 || x->ag_blocks > (uint32_t)1 << x->agblk_log ||
        x->ag_blocks <= (uint32_t)1 << x->agblk_log >> 1)
        return SUPER_DAMAGED("groups of %a blocks, or 2^%b", x->ag_blocks, x->agblk_log);
    if (!mul_u64(x->nr_blocks, x->block_bytes, &nr_bytes) || nr_bytes > fs->disk->size_bytes)
        return SUPER_DAMAGED("the file system has %a blocks, more than a disk of %b bytes holds",
                             x->nr_blocks, fs->disk->size_bytes);
    if (x->nr_ags == 0 || x->nr_blocks <= (uint64_t)(x->nr_ags - 1) * x->ag_blocks ||
        x->nr_blocks > (uint64_t)x->nr_ags * x->ag_blocks)
        return SUPER_DAMAGED("%a blocks in %b groups", x->nr_blocks, x->nr_ags);
    return OK;
}

static struct err read_log_place(struct xfs *x, const struct xfs_disk_super *sb)
{
    uint64_t start = be64(sb->logstart);
    uint32_t sector_log = SECTOR_LOG_MIN;

    x->log_blocks = be32(sb->logblocks);
    if (start == 0)
        return ERR(ERR_REFUSED, "the log of this XFS lies on another device (external log)");
    if (x->log_blocks == 0 || !xfs_blocks_valid(x, start, x->log_blocks))
        return SUPER_DAMAGED("a log of %a blocks at block %b", x->log_blocks, start);
    if (x->version & XFS_VERSION_SECTOR) {
        sector_log = sb->logsectlog[0];
        if (sector_log < SECTOR_LOG_MIN || sector_log > SECTOR_LOG_MAX ||
            be16(sb->logsectsize) != 1u << sector_log)
            return SUPER_DAMAGED("a log with sectors of %a bytes, or 2^%b", be16(sb->logsectsize),
                                 sector_log);
    }
    x->log_sector_bytes = 1u << sector_log;
    if (x->version & XFS_VERSION_LOGV2)
        x->log_sunit_bytes = be32(sb->logsunit) > 1 ? be32(sb->logsunit) : 0;
    x->log_off_bytes = xfs_block_off(x, start);
    return OK;
}

struct err xfs_read_super(const struct fs *fs, struct xfs *x, const struct xfs_disk_super *sb)
{
    TRY(read_features(x, sb));
    TRY(read_sizes(x, sb));
    if (x->v5)
        TRY(check_crc(fs, x, sb));
    if (sb->inprogress[0] != 0)
        return SUPER_DAMAGED("the making of this XFS (mkfs.xfs, xfs_copy) has not ended", 0, 0);
    TRY(read_counts(fs, x, sb));
    return read_log_place(x, sb);
}
