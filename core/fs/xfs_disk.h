/* SPDX-License-Identifier: MIT */
/*
 * XFS on the disk. Source: "XFS Algorithms & Data Structures" (3rd edition)
 * and the comments of Linux's xfs_format.h for what is newer. Numbers are big endian, except
 * checksums, which are little endian; all are byte arrays here, so that nothing depends on
 * alignment and none can be read but through bytes.h.
 */
#ifndef PVBOOT_FS_XFS_DISK_H
#define PVBOOT_FS_XFS_DISK_H

#include "core/base/bytes.h"

#define XFS_SUPER_MAGIC 0x58465342u     /* "XFSB" */
#define XFS_DADDR_BYTES ((uint64_t)512) /* the unit of "daddr", whatever the sector size */

struct xfs_disk_super {
    uint8_t magic[4];
    uint8_t blocksize[4];
    uint8_t dblocks[8];
    uint8_t rblocks[8];
    uint8_t rextents[8];
    uint8_t uuid[16];
    uint8_t logstart[8]; /* 0: the log lies on another device */
    uint8_t rootino[8];
    uint8_t rbmino[8];
    uint8_t rsumino[8];
    uint8_t rextsize[4];
    uint8_t agblocks[4];
    uint8_t agcount[4];
    uint8_t rbmblocks[4];
    uint8_t logblocks[4];
    uint8_t versionnum[2];
    uint8_t sectsize[2];
    uint8_t inodesize[2];
    uint8_t inopblock[2];
    uint8_t fname[12];
    uint8_t blocklog[1];
    uint8_t sectlog[1];
    uint8_t inodelog[1];
    uint8_t inopblog[1];
    uint8_t agblklog[1];
    uint8_t rextslog[1];
    uint8_t inprogress[1];
    uint8_t imax_pct[1];
    uint8_t icount[8];
    uint8_t ifree[8];
    uint8_t fdblocks[8];
    uint8_t frextents[8];
    uint8_t uquotino[8];
    uint8_t gquotino[8];
    uint8_t qflags[2];
    uint8_t flags[1];
    uint8_t shared_vn[1];
    uint8_t inoalignmt[4];
    uint8_t unit[4];
    uint8_t width[4];
    uint8_t dirblklog[1];
    uint8_t logsectlog[1];
    uint8_t logsectsize[2];
    uint8_t logsunit[4];
    uint8_t features2[4];
    uint8_t bad_features2[4];
    /* From here on in version 5. */
    uint8_t features_compat[4];
    uint8_t features_ro_compat[4];
    uint8_t features_incompat[4];
    uint8_t features_log_incompat[4];
    uint8_t crc[4];
    uint8_t spino_align[4];
    uint8_t pquotino[8];
    uint8_t lsn[8];
    uint8_t meta_uuid[16];
    uint8_t metadirino[8];
    uint8_t rgcount[4];
    uint8_t rgextents[4];
    uint8_t rgblklog[1];
    uint8_t pad[7];
    uint8_t rtstart[8];
    uint8_t rtreserved[8];
};
STATIC_ASSERT(sizeof(struct xfs_disk_super) == 304, "superblock");
STATIC_ASSERT(offsetof(struct xfs_disk_super, uuid) == 32, "uuid");
STATIC_ASSERT(offsetof(struct xfs_disk_super, agblocks) == 84, "agblocks");
STATIC_ASSERT(offsetof(struct xfs_disk_super, versionnum) == 100, "versionnum");
STATIC_ASSERT(offsetof(struct xfs_disk_super, blocklog) == 120, "blocklog");
STATIC_ASSERT(offsetof(struct xfs_disk_super, icount) == 128, "icount");
STATIC_ASSERT(offsetof(struct xfs_disk_super, dirblklog) == 192, "dirblklog");
STATIC_ASSERT(offsetof(struct xfs_disk_super, features2) == 200, "features2");
STATIC_ASSERT(offsetof(struct xfs_disk_super, features_incompat) == 216, "features_incompat");
STATIC_ASSERT(offsetof(struct xfs_disk_super, crc) == 224, "crc");
STATIC_ASSERT(offsetof(struct xfs_disk_super, meta_uuid) == 248, "meta_uuid");

/* versionnum: the version, and in version 4 features. */
#define XFS_VERSION_NR       0x000f
#define XFS_VERSION_ATTR     0x0010
#define XFS_VERSION_NLINK    0x0020
#define XFS_VERSION_QUOTA    0x0040
#define XFS_VERSION_ALIGN    0x0080
#define XFS_VERSION_DALIGN   0x0100
#define XFS_VERSION_SHARED   0x0200
#define XFS_VERSION_LOGV2    0x0400
#define XFS_VERSION_SECTOR   0x0800
#define XFS_VERSION_EXTFLG   0x1000
#define XFS_VERSION_DIRV2    0x2000
#define XFS_VERSION_ASCII_CI 0x4000
#define XFS_VERSION_MOREBITS 0x8000 /* features2 holds more */

#define XFS_FEATURE2_LAZYSBCOUNT 0x0002u
#define XFS_FEATURE2_ATTR2       0x0008u
#define XFS_FEATURE2_PARENT      0x0010u
#define XFS_FEATURE2_PROJID32    0x0080u
#define XFS_FEATURE2_CRC         0x0100u
#define XFS_FEATURE2_FTYPE       0x0200u

#define XFS_INCOMPAT_FTYPE       0x001u
#define XFS_INCOMPAT_SPINODES    0x002u
#define XFS_INCOMPAT_META_UUID   0x004u
#define XFS_INCOMPAT_BIGTIME     0x008u
#define XFS_INCOMPAT_NEEDSREPAIR 0x010u
#define XFS_INCOMPAT_NREXT64     0x020u
#define XFS_INCOMPAT_EXCHRANGE   0x040u
#define XFS_INCOMPAT_PARENT      0x080u
#define XFS_INCOMPAT_METADIR     0x100u
#define XFS_INCOMPAT_ZONED       0x200u
#define XFS_INCOMPAT_ZONE_GAPS   0x400u

#define XFS_RO_COMPAT_FINOBT   0x1u
#define XFS_RO_COMPAT_RMAPBT   0x2u
#define XFS_RO_COMPAT_REFLINK  0x4u
#define XFS_RO_COMPAT_INOBTCNT 0x8u

#define XFS_LOG_INCOMPAT_XATTRS 0x1u

#define XFS_SUPER_READONLY 0x1 /* flags */

struct xfs_disk_inode {
    uint8_t magic[2];
    uint8_t mode[2];
    uint8_t version[1];
    uint8_t format[1];
    uint8_t onlink[2]; /* the number of links in version 1 */
    uint8_t uid[4];
    uint8_t gid[4];
    uint8_t nlink[4];
    uint8_t projid_lo[2];
    uint8_t projid_hi[2];
    uint8_t big_nextents[8]; /* with NREXT64; otherwise padding and a flush counter */
    uint8_t atime[8];
    uint8_t mtime[8];
    uint8_t ctime[8];
    uint8_t size[8];
    uint8_t nblocks[8];
    uint8_t extsize[4];
    uint8_t nextents[4]; /* with NREXT64: of the attribute fork */
    uint8_t anextents[2];
    uint8_t forkoff[1]; /* where the attribute fork begins, in units of 8 bytes; 0: none */
    uint8_t aformat[1];
    uint8_t dmevmask[4];
    uint8_t dmstate[2];
    uint8_t flags[2];
    uint8_t gen[4];
    uint8_t next_unlinked[4];
    /* From here on in version 3. */
    uint8_t crc[4];
    uint8_t changecount[8];
    uint8_t lsn[8];
    uint8_t flags2[8];
    uint8_t cowextsize[4];
    uint8_t pad2[12];
    uint8_t crtime[8];
    uint8_t ino[8];
    uint8_t uuid[16];
};
STATIC_ASSERT(offsetof(struct xfs_disk_inode, big_nextents) == 24, "big_nextents");
STATIC_ASSERT(offsetof(struct xfs_disk_inode, size) == 56, "size");
STATIC_ASSERT(offsetof(struct xfs_disk_inode, forkoff) == 82, "forkoff");
STATIC_ASSERT(offsetof(struct xfs_disk_inode, next_unlinked) == 96, "next_unlinked");
STATIC_ASSERT(offsetof(struct xfs_disk_inode, crc) == 100, "crc");
STATIC_ASSERT(offsetof(struct xfs_disk_inode, flags2) == 120, "flags2");
STATIC_ASSERT(offsetof(struct xfs_disk_inode, ino) == 152, "ino");
STATIC_ASSERT(sizeof(struct xfs_disk_inode) == 176, "an inode's core in version 3");

#define XFS_INODE_MAGIC     0x494e /* "IN" */
#define XFS_INODE_OLD_BYTES 100u   /* of the core in versions 1 and 2 */
#define XFS_INODE_BYTES_MIN 256u
#define XFS_INODE_BYTES_MAX 2048u

#define XFS_FORMAT_DEV        0
#define XFS_FORMAT_LOCAL      1
#define XFS_FORMAT_EXTENTS    2
#define XFS_FORMAT_BTREE      3
#define XFS_FORMAT_META_BTREE 5

#define XFS_INODE_REALTIME  0x0001u
#define XFS_INODE_IMMUTABLE 0x0008u
#define XFS_INODE_APPEND    0x0010u

#define XFS_INODE2_REFLINK  0x02u /* some of its blocks are, or were, other files' too */
#define XFS_INODE2_BIGTIME  0x08u
#define XFS_INODE2_NREXT64  0x10u
#define XFS_INODE2_METADATA 0x20u

/*
 * Extents: 1 bit "not written yet", 54 bits of the file's first block, 52 of the disk's, 21 of the
 * number of blocks; read by xfs_bmap.c.
 */
#define XFS_EXTENT_BYTES 16u

/* The root of an extent tree, in the inode: as many keys as have room, then as many pointers. */
struct xfs_disk_bmdr {
    uint8_t level[2];
    uint8_t numrecs[2];
};

/* Other blocks of it: at level 0 extents follow, above keys and pointers as in the root. */
struct xfs_disk_bmbt {
    uint8_t magic[4];
    uint8_t level[2];
    uint8_t numrecs[2];
    uint8_t leftsib[8];
    uint8_t rightsib[8];
    /* From here on in version 5. */
    uint8_t blkno[8];
    uint8_t lsn[8];
    uint8_t uuid[16];
    uint8_t owner[8];
    uint8_t crc[4];
    uint8_t pad[4];
};
STATIC_ASSERT(offsetof(struct xfs_disk_bmbt, blkno) == 24, "an extent tree's header");
STATIC_ASSERT(sizeof(struct xfs_disk_bmbt) == 72, "an extent tree's header in version 5");

#define XFS_BMBT_MAGIC     0x424d4150u /* "BMAP" */
#define XFS_BMBT_MAGIC_V5  0x424d4133u /* "BMA3" */
#define XFS_BMBT_OLD_BYTES 24u

/* Symbolic links outside the inode: in version 5 each of their extents begins with this. */
struct xfs_disk_symlink {
    uint8_t magic[4];
    uint8_t offset[4];
    uint8_t bytes[4];
    uint8_t crc[4];
    uint8_t uuid[16];
    uint8_t owner[8];
    uint8_t blkno[8];
    uint8_t lsn[8];
};
STATIC_ASSERT(sizeof(struct xfs_disk_symlink) == 56, "a link's header");
#define XFS_SYMLINK_MAGIC 0x58534c4du /* "XSLM" */
#define XFS_SYMLINK_MAX   1024u

/*
 * Directories. A small one lies in its inode: a header, of which the parent has 4 bytes when
 * i8count is 0, then entries of namelen, offset, the name, the type (with ftype), and an inode
 * number of as many bytes as the parent.
 */
struct xfs_disk_sf {
    uint8_t count[1];
    uint8_t i8count[1];
    uint8_t parent[8];
};
STATIC_ASSERT(sizeof(struct xfs_disk_sf) == 10, "a short directory's header");

/* A larger one is a sparse file: entries, from 32 GiB on hashes, from 64 GiB on free space. */
#define XFS_DIR_LEAF_OFF ((uint64_t)1 << 35)
#define XFS_DIR_FREE_OFF ((uint64_t)2 << 35)

struct xfs_disk_dir_data {
    uint8_t magic[4];
    uint8_t bestfree[3][4];
};
struct xfs_disk_dir_data5 {
    uint8_t magic[4];
    uint8_t crc[4];
    uint8_t blkno[8];
    uint8_t lsn[8];
    uint8_t uuid[16];
    uint8_t owner[8];
    uint8_t bestfree[3][4];
    uint8_t pad[4];
};
STATIC_ASSERT(sizeof(struct xfs_disk_dir_data) == 16, "a directory block's header");
STATIC_ASSERT(sizeof(struct xfs_disk_dir_data5) == 64, "a directory block's header in version 5");

/* "block": the only one, with its hashes at its end; "data": one of several. */
#define XFS_DIR_BLOCK_MAGIC    0x58443242u /* "XD2B" */
#define XFS_DIR_DATA_MAGIC     0x58443244u /* "XD2D" */
#define XFS_DIR_BLOCK_MAGIC_V5 0x58444233u /* "XDB3" */
#define XFS_DIR_DATA_MAGIC_V5  0x58444433u /* "XDD3" */

/*
 * An entry: inumber, namelen, the name, its type (with ftype), padding, and a tag of 2 bytes, its
 * own offset in the block; in all a multiple of 8 bytes. Free space has the same tag.
 */
struct xfs_disk_dirent {
    uint8_t inumber[8];
    uint8_t namelen[1];
};
struct xfs_disk_dirfree {
    uint8_t freetag[2];
    uint8_t length[2];
};
#define XFS_DIRENT_ALIGN 8u
#define XFS_DIRENT_FREE  0xffff
#define XFS_DIRENT_TAG   2u

/* At the end of "block": the number of hashes (4 bytes), and of stale ones among them. */
#define XFS_DIR_TAIL_BYTES 8u

/* Blocks of hashes: nodes above, leaves below; both begin alike. */
struct xfs_disk_da {
    uint8_t forw[4];
    uint8_t back[4];
    uint8_t magic[2];
    uint8_t pad[2];
    uint8_t count[2];
    uint8_t level[2]; /* of a node; in a leaf the number of stale entries */
};
struct xfs_disk_da5 {
    uint8_t forw[4];
    uint8_t back[4];
    uint8_t magic[2];
    uint8_t pad[2];
    uint8_t crc[4];
    uint8_t blkno[8];
    uint8_t lsn[8];
    uint8_t uuid[16];
    uint8_t owner[8];
    uint8_t count[2];
    uint8_t level[2];
    uint8_t pad2[4];
};
STATIC_ASSERT(sizeof(struct xfs_disk_da) == 16, "a hash block's header");
STATIC_ASSERT(sizeof(struct xfs_disk_da5) == 64, "a hash block's header in version 5");

/* A leaf's entry; stale when the address is 0. A node's: the greatest hash below, and the block. */
struct xfs_disk_hash {
    uint8_t hashval[4];
    uint8_t address[4]; /* of the entry in the directory, in units of 8 bytes */
};
STATIC_ASSERT(sizeof(struct xfs_disk_hash) == 8, "a hash");

#define XFS_DA_NODE_MAGIC    0xfebe
#define XFS_DA_NODE_MAGIC_V5 0x3ebe
#define XFS_DIR_LEAF1_MAGIC  0xd2f1 /* the only leaf */
#define XFS_DIR_LEAF1_MAGIC5 0x3df1
#define XFS_DIR_LEAFN_MAGIC  0xd2ff /* a leaf below nodes */
#define XFS_DIR_LEAFN_MAGIC5 0x3dff

#endif
