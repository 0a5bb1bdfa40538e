/* SPDX-License-Identifier: MIT */
/*
 * ReiserFS 3.5 and 3.6 on the disk. Sources: "The structure of the Reiser file system" (F.
 * Buchholz), and what mkreiserfs and Linux write. All numbers are little endian; they are byte
 * arrays here, so that nothing depends on alignment and none can be read but through bytes.h.
 *
 * Everything but file content lies in one balanced tree of blocks, sorted by keys (directory,
 * object, offset, type). Leaves hold items: stat data (an inode), directory entries, pointers to
 * blocks of a file ("indirect"), and the ends of files themselves ("direct": tails).
 */
#ifndef PVBOOT_FS_REISERFS_DISK_H
#define PVBOOT_FS_REISERFS_DISK_H

#include "core/base/bytes.h"

/* The superblock's place; before 3.5.10 it lay at 8 KiB. */
#define REISER_SUPER_OFF     ((uint64_t)65536)
#define REISER_SUPER_OFF_OLD ((uint64_t)8192)

#define REISER_MAGIC_3_5 "ReIsErFs"
#define REISER_MAGIC_3_6 "ReIsEr2Fs"
#define REISER_MAGIC_JR  "ReIsEr3Fs" /* a journal elsewhere, or of another size */

#define REISER_VERSION_3_5 0
#define REISER_VERSION_3_6 2

#define REISER_ROOT_DIR_ID   1
#define REISER_ROOT_OBJECTID 2

struct reiser_disk_journal_params {
    uint8_t first_block[4];
    uint8_t dev[4]; /* 0: the file system's own */
    uint8_t size[4];
    uint8_t trans_max[4];
    uint8_t magic[4];
    uint8_t max_batch[4];
    uint8_t max_commit_age[4];
    uint8_t max_trans_age[4];
};

struct reiser_disk_super {
    uint8_t block_count[4];
    uint8_t free_blocks[4];
    uint8_t root_block[4];
    struct reiser_disk_journal_params journal;
    uint8_t blocksize[2];
    uint8_t oid_maxsize[2];
    uint8_t oid_cursize[2];
    uint8_t umount_state[2];
    uint8_t magic[10];
    uint8_t fs_state[2]; /* not 0: reiserfsck is wanted */
    uint8_t hash_code[4];
    uint8_t tree_height[2]; /* levels, and one */
    uint8_t bmap_nr[2];
    uint8_t version[2];
    uint8_t reserved_for_journal[2];
    /* 3.6 only. */
    uint8_t inode_generation[4];
    uint8_t flags[4];
    uint8_t uuid[16];
    uint8_t label[16];
};
STATIC_ASSERT(sizeof(struct reiser_disk_super) == 116, "superblock");
STATIC_ASSERT(offsetof(struct reiser_disk_super, blocksize) == 44, "superblock");
STATIC_ASSERT(offsetof(struct reiser_disk_super, magic) == 52, "superblock");
STATIC_ASSERT(offsetof(struct reiser_disk_super, uuid) == 84, "superblock");

#define REISER_FLAG_ATTRS 0x1u /* flags: stat data's attrs mean something */

#define REISER_ATTR_IMMUTABLE 0x10u
#define REISER_ATTR_APPEND    0x20u

#define REISER_ROOT_REBUILDING UINT32_MAX /* root_block while reiserfsck --rebuild-tree works */

#define REISER_HASH_UNSET 0
#define REISER_HASH_TEA   1
#define REISER_HASH_YURA  2 /* also called rupasov */
#define REISER_HASH_R5    3

/*
 * A key. The third part is an offset of 32 bits and a "uniqueness" (3.5), or an offset of 60 bits
 * below a type of 4 bits (3.6); the key itself tells which.
 */
struct reiser_disk_key {
    uint8_t dir_id[4];
    uint8_t objectid[4];
    uint8_t offset[8];
};
STATIC_ASSERT(sizeof(struct reiser_disk_key) == 16, "key");

#define REISER_UNIQUENESS_STAT     0u
#define REISER_UNIQUENESS_DIR      500u
#define REISER_UNIQUENESS_DIRECT   0xffffffffu
#define REISER_UNIQUENESS_INDIRECT 0xfffffffeu

struct reiser_disk_block_head {
    uint8_t level[2];
    uint8_t nr_items[2];
    uint8_t free_space[2];
    uint8_t reserved[2];
    struct reiser_disk_key right_key; /* once the first key of the right neighbour; not used */
};
STATIC_ASSERT(sizeof(struct reiser_disk_block_head) == 24, "block head");

#define REISER_LEAF_LEVEL 1

/* Inner blocks: the head, nr_items keys, nr_items + 1 children. */
struct reiser_disk_child {
    uint8_t block[4];
    uint8_t size[2];
    uint8_t reserved[2];
};
STATIC_ASSERT(sizeof(struct reiser_disk_child) == 8, "child");

/* Leaves: the head, nr_items of these, and from the block's end downwards the items. */
struct reiser_disk_item_head {
    struct reiser_disk_key key;
    uint8_t count[2]; /* of a directory item: entries */
    uint8_t len[2];
    uint8_t location[2];
    uint8_t version[2]; /* of the key; of stat data also the layout: 0 is 3.5's */
};
STATIC_ASSERT(sizeof(struct reiser_disk_item_head) == 24, "item head");

struct reiser_disk_stat_3_5 {
    uint8_t mode[2];
    uint8_t nlink[2];
    uint8_t uid[2];
    uint8_t gid[2];
    uint8_t size[4];
    uint8_t atime[4];
    uint8_t mtime[4];
    uint8_t ctime[4];
    uint8_t rdev_or_blocks[4];
    uint8_t first_direct_byte[4];
};
STATIC_ASSERT(sizeof(struct reiser_disk_stat_3_5) == 32, "stat data");

struct reiser_disk_stat_3_6 {
    uint8_t mode[2];
    uint8_t attrs[2];
    uint8_t nlink[4];
    uint8_t size[8];
    uint8_t uid[4];
    uint8_t gid[4];
    uint8_t atime[4];
    uint8_t mtime[4];
    uint8_t ctime[4];
    uint8_t blocks[4];
    uint8_t rdev_or_generation[4];
};
STATIC_ASSERT(sizeof(struct reiser_disk_stat_3_6) == 44, "stat data");

/* Directory items: `count` of these, and from the item's end downwards the names. */
struct reiser_disk_dirent {
    uint8_t offset[4]; /* the name's hash, and a number that tells names of one hash apart */
    uint8_t dir_id[4];
    uint8_t objectid[4];
    uint8_t location[2];
    uint8_t state[2];
};
STATIC_ASSERT(sizeof(struct reiser_disk_dirent) == 16, "directory entry");

#define REISER_DIRENT_HAS_STAT (1u << 0) /* reserved; nothing writes it */
#define REISER_DIRENT_VISIBLE  (1u << 2)

#define REISER_DIRENT_HASH_MASK   0x7fffff80u
#define REISER_DIRENT_NUMBER_MASK 0x0000007fu /* among names of one hash */
#define REISER_DIRENT_DOT         1u
#define REISER_DIRENT_DOT_DOT     2u

/*
 * The journal: `size` blocks of transactions, used round and round, and the header behind them. A
 * transaction is a description, its blocks, and the commit; where the blocks belong stands in the
 * description and, as far as it does not fit there, in the commit.
 */
struct reiser_disk_journal_header {
    uint8_t last_flush_trans_id[4];
    uint8_t first_unflushed_offset[4]; /* blocks into the journal */
    uint8_t mount_id[4];
    struct reiser_disk_journal_params params;
};
STATIC_ASSERT(sizeof(struct reiser_disk_journal_header) == 44, "journal header");

struct reiser_disk_desc {
    uint8_t trans_id[4];
    uint8_t len[4];
    uint8_t mount_id[4];
    /* Block numbers follow, up to REISER_DESC_TAIL_BYTES before the block's end. */
};
STATIC_ASSERT(sizeof(struct reiser_disk_desc) == 12, "description");

#define REISER_DESC_MAGIC       "ReIsErLB" /* 12 bytes before the block's end */
#define REISER_DESC_MAGIC_BYTES 8u
#define REISER_DESC_TAIL_BYTES  12u

struct reiser_disk_commit {
    uint8_t trans_id[4];
    uint8_t len[4];
    /* Block numbers follow. */
};
STATIC_ASSERT(sizeof(struct reiser_disk_commit) == 8, "commit");

#endif
