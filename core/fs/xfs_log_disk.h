/* SPDX-License-Identifier: MIT */
/*
 * The log of XFS on the disk. Source: "XFS Algorithms & Data Structures" (3rd edition), chapter
 * "Journaling Log", and the comments of Linux's xfs_log_format.h for what is newer.
 *
 * Records and the headers of operations are big endian. What the operations carry is a copy of the
 * memory of the machine that wrote it: little endian, or the whole log is refused (h_fmt).
 */
#ifndef PVBOOT_FS_XFS_LOG_DISK_H
#define PVBOOT_FS_XFS_LOG_DISK_H

#include "core/base/bytes.h"

#define XLOG_BB               512u /* a "basic block": the unit of places in the log */
#define XLOG_MAGIC            0xfeedbabeu
#define XLOG_CYCLES           64u /* basic blocks whose first bytes a header keeps */
#define XLOG_FMT_LE           1u
#define XLOG_VERSION_OK       3u
#define XLOG_VERSION_2        2u
#define XLOG_BUFFERS          8u /* records that are written at a time, at most */
#define XLOG_RECORD_V1_BYTES  ((uint32_t)32 * 1024)
#define XLOG_RECORD_MAX_BYTES ((uint32_t)256 * 1024)

/*
 * A record: this header; with version 2 one more block of cycles for each further 32 KiB of
 * h_size; then h_len bytes of operations. On the disk the first four bytes of each block of the
 * operations are replaced by the cycle in which it was written; what stood there lies in the
 * cycle_data of the headers.
 */
struct xlog_disk_header {
    uint8_t magic[4];
    uint8_t cycle[4];
    uint8_t version[4];
    uint8_t len[4];
    uint8_t lsn[8]; /* cycle, then basic block */
    uint8_t tail_lsn[8];
    uint8_t crc[4]; /* little endian; 0: none */
    uint8_t prev_block[4];
    uint8_t nr_ops[4];
    uint8_t cycle_data[XLOG_CYCLES][4];
    uint8_t fmt[4];
    uint8_t fs_uuid[16];
    uint8_t size[4]; /* of the buffer that it was written from */
    uint8_t pad[4];
};
STATIC_ASSERT(sizeof(struct xlog_disk_header) == 328, "a log record's header");
STATIC_ASSERT(offsetof(struct xlog_disk_header, crc) == 32, "crc");
STATIC_ASSERT(offsetof(struct xlog_disk_header, fmt) == 300, "fmt");
STATIC_ASSERT(offsetof(struct xlog_disk_header, size) == 320, "size");
#define XLOG_HEADER_I386_BYTES 324u /* what a 32-bit machine takes into the checksum */

struct xlog_disk_ext_header {
    uint8_t cycle[4];
    uint8_t cycle_data[XLOG_CYCLES][4];
};
STATIC_ASSERT(sizeof(struct xlog_disk_ext_header) == 260, "more cycles");

struct xlog_disk_op {
    uint8_t tid[4];
    uint8_t len[4];
    uint8_t client[1];
    uint8_t flags[1];
    uint8_t pad[2];
};
STATIC_ASSERT(sizeof(struct xlog_disk_op) == 12, "an operation's header");

#define XLOG_CLIENT_TRANSACTION 0x69u
#define XLOG_CLIENT_LOG         0xaau

#define XLOG_OP_START    0x01u
#define XLOG_OP_COMMIT   0x02u
#define XLOG_OP_CONTINUE 0x04u /* the region goes on in another operation */
#define XLOG_OP_WAS_CONT 0x08u /* goes on from an earlier one */
#define XLOG_OP_END      0x10u
#define XLOG_OP_UNMOUNT  0x20u

#define XLOG_TRANS_MAGIC        0x5452414eu
#define XLOG_TRANS_HEADER_BYTES 16u

/* Items begin with their type (2 bytes) and the number of their regions (2 bytes). */
#define XFS_LI_EFI      0x1236u
#define XFS_LI_EFD      0x1237u
#define XFS_LI_IUNLINK  0x1238u
#define XFS_LI_INODE    0x123bu
#define XFS_LI_BUF      0x123cu
#define XFS_LI_DQUOT    0x123du
#define XFS_LI_QUOTAOFF 0x123eu
#define XFS_LI_ICREATE  0x123fu
#define XFS_LI_RUI      0x1240u
#define XFS_LI_RUD      0x1241u
#define XFS_LI_CUI      0x1242u
#define XFS_LI_CUD      0x1243u
#define XFS_LI_BUI      0x1244u
#define XFS_LI_BUD      0x1245u
#define XFS_LI_ATTRI    0x1246u
#define XFS_LI_ATTRD    0x1247u
#define XFS_LI_XMI      0x1248u
#define XFS_LI_XMD      0x1249u
#define XFS_LI_EFI_RT   0x124au
#define XFS_LI_EFD_RT   0x124bu
#define XFS_LI_RUI_RT   0x124cu
#define XFS_LI_RUD_RT   0x124du
#define XFS_LI_CUI_RT   0x124eu
#define XFS_LI_CUD_RT   0x124fu

/* Regions of an item: every other 128 bytes of the largest buffer, and the item itself. */
#define XLOG_REGIONS_MAX 257u

struct xlog_disk_buf {
    uint8_t type[2];
    uint8_t size[2];
    uint8_t flags[2];
    uint8_t len[2]; /* basic blocks */
    uint8_t blkno[8];
    uint8_t map_size[4]; /* words of the map that follows: a bit for each 128 bytes */
};
STATIC_ASSERT(sizeof(struct xlog_disk_buf) == 20, "a buffer item");
#define XLOG_BUF_CHUNK     128u
#define XLOG_BUF_INODES    0x01u
#define XLOG_BUF_CANCEL    0x02u
#define XLOG_BUF_DQUOTS    0x1cu /* of users, projects, groups */
#define XLOG_BUF_MAX_BYTES ((uint32_t)64 * 1024)

struct xlog_disk_inode {
    uint8_t type[2];
    uint8_t size[2];
    uint8_t fields[4];
    uint8_t asize[2];
    uint8_t dsize[2];
    uint8_t pad[4]; /* not there when a 32-bit machine wrote it */
    uint8_t ino[8];
    uint8_t rdev[16];
    uint8_t blkno[8];
    uint8_t len[4];
    uint8_t boffset[4];
};
STATIC_ASSERT(sizeof(struct xlog_disk_inode) == 56, "an inode item");
STATIC_ASSERT(offsetof(struct xlog_disk_inode, blkno) == 40, "blkno");
#define XLOG_INODE_32_BYTES 52u

#define XLOG_INODE_CORE   0x001u
#define XLOG_INODE_DDATA  0x002u
#define XLOG_INODE_DEXT   0x004u
#define XLOG_INODE_DBROOT 0x008u
#define XLOG_INODE_DEV    0x010u
#define XLOG_INODE_ADATA  0x040u
#define XLOG_INODE_AEXT   0x080u
#define XLOG_INODE_ABROOT 0x100u
#define XLOG_INODE_DOWNER 0x200u
#define XLOG_INODE_AOWNER 0x400u
#define XLOG_INODE_DFORK  (XLOG_INODE_DDATA | XLOG_INODE_DEXT | XLOG_INODE_DBROOT)
#define XLOG_INODE_AFORK  (XLOG_INODE_ADATA | XLOG_INODE_AEXT | XLOG_INODE_ABROOT)

struct xlog_disk_icreate {
    uint8_t type[2]; /* these two little endian, the others big endian */
    uint8_t size[2];
    uint8_t ag[4];
    uint8_t agbno[4];
    uint8_t count[4];
    uint8_t isize[4];
    uint8_t length[4];
    uint8_t gen[4];
};
STATIC_ASSERT(sizeof(struct xlog_disk_icreate) == 28, "an inode creation");

/* Every intent and every "done" carries the intent's id at byte 8. */
#define XLOG_INTENT_ID_OFF 8u

/* A bmap intent: type, size, number of extents (always 1), id, and the extent. */
struct xlog_disk_bmap_intent {
    uint8_t type[2];
    uint8_t size[2];
    uint8_t nr_extents[4];
    uint8_t id[8];
    uint8_t owner[8];
    uint8_t startblock[8];
    uint8_t startoff[8];
    uint8_t len[4];
    uint8_t flags[4];
};
STATIC_ASSERT(sizeof(struct xlog_disk_bmap_intent) == 48, "a bmap intent");
#define XLOG_BMAP_MAP       1u
#define XLOG_BMAP_UNMAP     2u
#define XLOG_BMAP_TYPE      0xffu
#define XLOG_BMAP_ATTR      0x80000000u
#define XLOG_BMAP_UNWRITTEN 0x40000000u
#define XLOG_BMAP_REALTIME  0x20000000u

#define XLOG_EXTENT_BLOCKS_MAX 0x1fffffu

/* A mapping exchange intent. */
struct xlog_disk_exchange_intent {
    uint8_t type[2];
    uint8_t size[2];
    uint8_t pad[4];
    uint8_t id[8];
    uint8_t inode1[8];
    uint8_t inode2[8];
    uint8_t gen1[4];
    uint8_t gen2[4];
    uint8_t startoff1[8];
    uint8_t startoff2[8];
    uint8_t blockcount[8];
    uint8_t flags[8];
    uint8_t isize1[8];
    uint8_t isize2[8];
};
STATIC_ASSERT(sizeof(struct xlog_disk_exchange_intent) == 88, "an exchange intent");
#define XLOG_EXCHANGE_ATTR      0x1u
#define XLOG_EXCHANGE_SET_SIZES 0x2u
#define XLOG_EXCHANGE_WRITTEN   0x4u

#endif
