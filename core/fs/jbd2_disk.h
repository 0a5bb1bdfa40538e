/* SPDX-License-Identifier: MIT */
/*
 * The journal of ext3 and ext4 on the disk. Source: "Journal (jbd2)" and "Fast commits" in the
 * kernel's documentation (Documentation/filesystems/ext4/journal.rst). The journal's numbers are
 * big endian, those of fast commits little endian; all are byte arrays, as in ext_disk.h.
 */
#ifndef PVBOOT_FS_JBD2_DISK_H
#define PVBOOT_FS_JBD2_DISK_H

#include "core/base/bytes.h"

#define JBD2_MAGIC 0xc03b3998u

enum jbd2_block_type {
    JBD2_DESCRIPTOR = 1,
    JBD2_COMMIT = 2,
    JBD2_SUPER_V1 = 3,
    JBD2_SUPER_V2 = 4,
    JBD2_REVOKE = 5,
};

struct jbd2_disk_header {
    uint8_t magic[4];
    uint8_t type[4];
    uint8_t sequence[4];
};
STATIC_ASSERT(sizeof(struct jbd2_disk_header) == 12, "header");

struct jbd2_disk_super {
    struct jbd2_disk_header header;
    uint8_t block_size[4];
    uint8_t max_len[4];  /* blocks of the journal */
    uint8_t first[4];    /* first block of the log */
    uint8_t sequence[4]; /* of the first transaction in the log */
    uint8_t start[4];    /* where it begins; 0: the log is empty */
    uint8_t error[4];
    /* From here on in version 2. */
    uint8_t feature_compat[4];
    uint8_t feature_incompat[4];
    uint8_t feature_ro_compat[4];
    uint8_t uuid[16];
    uint8_t nr_users[4];
    uint8_t dynsuper[4];
    uint8_t max_transaction[4];
    uint8_t max_trans_data[4];
    uint8_t checksum_type[1];
    uint8_t unused_51[3];
    uint8_t nr_fc_blocks[4];
    uint8_t head[4];
    uint8_t unused_5c[160];
    uint8_t checksum[4];
    uint8_t users[768];
};
STATIC_ASSERT(sizeof(struct jbd2_disk_super) == 1024, "the superblock is 1024 bytes");
STATIC_ASSERT(offsetof(struct jbd2_disk_super, start) == 0x1c, "start");
STATIC_ASSERT(offsetof(struct jbd2_disk_super, uuid) == 0x30, "uuid");
STATIC_ASSERT(offsetof(struct jbd2_disk_super, checksum_type) == 0x50, "checksum_type");
STATIC_ASSERT(offsetof(struct jbd2_disk_super, nr_fc_blocks) == 0x54, "nr_fc_blocks");
STATIC_ASSERT(offsetof(struct jbd2_disk_super, checksum) == 0xfc, "checksum");

#define JBD2_COMPAT_CHECKSUM 0x01 /* one CRC-32 over all of a transaction: "v1" */

#define JBD2_INCOMPAT_REVOKE       0x01
#define JBD2_INCOMPAT_64BIT        0x02
#define JBD2_INCOMPAT_ASYNC_COMMIT 0x04
#define JBD2_INCOMPAT_CSUM_V2      0x08 /* a CRC-32C for each block, its tag has 16 bits of it */
#define JBD2_INCOMPAT_CSUM_V3      0x10 /* the same with all 32 bits */
#define JBD2_INCOMPAT_FAST_COMMIT  0x20

#define JBD2_CHECKSUM_CRC32  1
#define JBD2_CHECKSUM_CRC32C 4

#define JBD2_FC_BLOCKS_DEFAULT 256

/* A tag of a descriptor block names where a block belongs. Its length depends on the features. */
struct jbd2_disk_tag {
    uint8_t block[4];
    uint8_t checksum[2];
    uint8_t flags[2];
    uint8_t block_high[4]; /* with 64BIT */
};
STATIC_ASSERT(sizeof(struct jbd2_disk_tag) == 12, "tag");

struct jbd2_disk_tag3 { /* with CSUM_V3 */
    uint8_t block[4];
    uint8_t flags[4];
    uint8_t block_high[4];
    uint8_t checksum[4];
};
STATIC_ASSERT(sizeof(struct jbd2_disk_tag3) == 16, "tag of version 3");

#define JBD2_TAG_ESCAPED   0x1 /* the block begins with the magic number; 0 stands for it */
#define JBD2_TAG_SAME_UUID 0x2 /* no UUID follows the tag */
#define JBD2_TAG_LAST      0x8
#define JBD2_UUID_BYTES    16

/* With CSUM_V2 and V3: the last 4 bytes of descriptor and revoke blocks. */
#define JBD2_TAIL_BYTES 4

struct jbd2_disk_revoke {
    struct jbd2_disk_header header;
    uint8_t nr_bytes[4]; /* used, this header included; block numbers of 4 or 8 bytes follow */
};
STATIC_ASSERT(sizeof(struct jbd2_disk_revoke) == 16, "revoke");

struct jbd2_disk_commit {
    struct jbd2_disk_header header;
    uint8_t checksum_type[1];
    uint8_t checksum_size[1];
    uint8_t unused_0e[2];
    uint8_t checksum[32]; /* 4 bytes of them are used */
    uint8_t seconds[8];
    uint8_t nanoseconds[4];
};
STATIC_ASSERT(offsetof(struct jbd2_disk_commit, checksum) == 16, "checksum");
STATIC_ASSERT(offsetof(struct jbd2_disk_commit, seconds) == 48, "seconds");
STATIC_ASSERT(sizeof(struct jbd2_disk_commit) == 60, "commit");

/* ---- fast commits: a row of tags ---------------------------------------------------------------
 */

enum ext_fc_tag {
    EXT_FC_ADD_RANGE = 1,
    EXT_FC_DEL_RANGE = 2,
    EXT_FC_CREAT = 3,
    EXT_FC_LINK = 4,
    EXT_FC_UNLINK = 5,
    EXT_FC_INODE = 6,
    EXT_FC_PAD = 7,
    EXT_FC_TAIL = 8,
    EXT_FC_HEAD = 9,
};

struct ext_disk_fc_tag {
    uint8_t tag[2];
    uint8_t len[2]; /* of the value that follows */
};

struct ext_disk_fc_head {
    uint8_t features[4];
    uint8_t sequence[4];
};

struct ext_disk_fc_tail {
    uint8_t sequence[4];
    uint8_t checksum[4];
};

struct ext_disk_fc_add_range {
    uint8_t ino[4];
    uint8_t extent[12]; /* struct ext_disk_extent */
};

struct ext_disk_fc_del_range {
    uint8_t ino[4];
    uint8_t block[4];
    uint8_t nr_blocks[4];
};

struct ext_disk_fc_name { /* of CREAT, LINK and UNLINK; the name follows */
    uint8_t parent_ino[4];
    uint8_t ino[4];
};
STATIC_ASSERT(sizeof(struct ext_disk_fc_tag) == 4, "tag");
STATIC_ASSERT(sizeof(struct ext_disk_fc_add_range) == 16, "range");
STATIC_ASSERT(sizeof(struct ext_disk_fc_del_range) == 12, "range");
STATIC_ASSERT(sizeof(struct ext_disk_fc_name) == 8, "name");

#define EXT_FC_INO_BYTES 4 /* before the inode of an INODE tag */

#endif
