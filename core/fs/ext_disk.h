/* SPDX-License-Identifier: MIT */
/*
 * ext2, ext3 and ext4 on the disk. Source: "Data Structures and Algorithms" in the kernel's
 * documentation (Documentation/filesystems/ext4). All numbers are little endian; they are byte
 * arrays here, so that nothing depends on alignment and none can be read but through bytes.h.
 */
#ifndef PVBOOT_FS_EXT_DISK_H
#define PVBOOT_FS_EXT_DISK_H

#include "core/base/bytes.h"

#define EXT_SUPER_OFF   ((uint64_t)1024)
#define EXT_MAGIC       0xef53
#define EXT_ROOT_INO    2
#define EXT_JOURNAL_INO 8

struct ext_disk_super {
    uint8_t inodes_count[4];
    uint8_t blocks_count_lo[4];
    uint8_t r_blocks_count_lo[4];
    uint8_t free_blocks_count_lo[4];
    uint8_t free_inodes_count[4];
    uint8_t first_data_block[4];
    uint8_t log_block_size[4];
    uint8_t log_cluster_size[4];
    uint8_t blocks_per_group[4];
    uint8_t clusters_per_group[4];
    uint8_t inodes_per_group[4];
    uint8_t mtime[4];
    uint8_t wtime[4];
    uint8_t mnt_count[2];
    uint8_t max_mnt_count[2];
    uint8_t magic[2];
    uint8_t state[2];
    uint8_t errors[2];
    uint8_t minor_rev_level[2];
    uint8_t lastcheck[4];
    uint8_t checkinterval[4];
    uint8_t creator_os[4];
    uint8_t rev_level[4];
    uint8_t def_resuid[2];
    uint8_t def_resgid[2];
    /* From here on for rev_level >= 1. */
    uint8_t first_ino[4];
    uint8_t inode_size[2];
    uint8_t block_group_nr[2];
    uint8_t feature_compat[4];
    uint8_t feature_incompat[4];
    uint8_t feature_ro_compat[4];
    uint8_t uuid[16];
    uint8_t volume_name[16];
    uint8_t last_mounted[64];
    uint8_t algorithm_usage_bitmap[4];
    uint8_t prealloc_blocks[1];
    uint8_t prealloc_dir_blocks[1];
    uint8_t reserved_gdt_blocks[2];
    uint8_t journal_uuid[16];
    uint8_t journal_inum[4];
    uint8_t journal_dev[4];
    uint8_t last_orphan[4];
    uint8_t hash_seed[16];
    uint8_t def_hash_version[1];
    uint8_t jnl_backup_type[1];
    uint8_t desc_size[2];
    uint8_t default_mount_opts[4];
    uint8_t first_meta_bg[4];
    uint8_t mkfs_time[4];
    uint8_t jnl_blocks[68];
    uint8_t blocks_count_hi[4];
    uint8_t r_blocks_count_hi[4];
    uint8_t free_blocks_count_hi[4];
    uint8_t min_extra_isize[2];
    uint8_t want_extra_isize[2];
    uint8_t flags[4];
    uint8_t raid_stride[2];
    uint8_t mmp_interval[2];
    uint8_t mmp_block[8];
    uint8_t raid_stripe_width[4];
    uint8_t log_groups_per_flex[1];
    uint8_t checksum_type[1];
    uint8_t unused_176[214];
    uint8_t backup_bgs[2][4];
    uint8_t unused_254[28];
    uint8_t checksum_seed[4];
    uint8_t unused_274[8];
    uint8_t encoding[2];
    uint8_t encoding_flags[2];
    uint8_t unused_280[380];
    uint8_t checksum[4];
};
STATIC_ASSERT(sizeof(struct ext_disk_super) == 1024, "the superblock is 1024 bytes");
STATIC_ASSERT(offsetof(struct ext_disk_super, magic) == 0x38, "magic");
STATIC_ASSERT(offsetof(struct ext_disk_super, first_ino) == 0x54, "first_ino");
STATIC_ASSERT(offsetof(struct ext_disk_super, uuid) == 0x68, "uuid");
STATIC_ASSERT(offsetof(struct ext_disk_super, journal_inum) == 0xe0, "journal_inum");
STATIC_ASSERT(offsetof(struct ext_disk_super, hash_seed) == 0xec, "hash_seed");
STATIC_ASSERT(offsetof(struct ext_disk_super, desc_size) == 0xfe, "desc_size");
STATIC_ASSERT(offsetof(struct ext_disk_super, blocks_count_hi) == 0x150, "blocks_count_hi");
STATIC_ASSERT(offsetof(struct ext_disk_super, flags) == 0x160, "flags");
STATIC_ASSERT(offsetof(struct ext_disk_super, checksum_type) == 0x175, "checksum_type");
STATIC_ASSERT(offsetof(struct ext_disk_super, backup_bgs) == 0x24c, "backup_bgs");
STATIC_ASSERT(offsetof(struct ext_disk_super, checksum_seed) == 0x270, "checksum_seed");
STATIC_ASSERT(offsetof(struct ext_disk_super, encoding) == 0x27c, "encoding");
STATIC_ASSERT(offsetof(struct ext_disk_super, checksum) == 0x3fc, "checksum");

#define EXT_STATE_ERRORS    0x0002
#define EXT_CHECKSUM_CRC32C 1

#define EXT_FLAG_UNSIGNED_HASH 0x0002u /* of the superblock; without it, bytes are signed */

#define EXT_ENCODING_UTF8_12_1   1
#define EXT_ENCODING_NO_FALLBACK 0x0002 /* what the index does not find is not there */

#define EXT_JNL_BACKUP_BLOCKS 1 /* jnl_blocks: i_block, size_high and size of the journal */

#define EXT_COMPAT_HAS_JOURNAL   0x0004
#define EXT_COMPAT_DIR_INDEX     0x0020
#define EXT_COMPAT_SPARSE_SUPER2 0x0200

#define EXT_INCOMPAT_COMPRESSION 0x00001
#define EXT_INCOMPAT_FILETYPE    0x00002
#define EXT_INCOMPAT_RECOVER     0x00004
#define EXT_INCOMPAT_JOURNAL_DEV 0x00008
#define EXT_INCOMPAT_META_BG     0x00010
#define EXT_INCOMPAT_EXTENTS     0x00040
#define EXT_INCOMPAT_64BIT       0x00080
#define EXT_INCOMPAT_MMP         0x00100
#define EXT_INCOMPAT_FLEX_BG     0x00200
#define EXT_INCOMPAT_EA_INODE    0x00400
#define EXT_INCOMPAT_DIRDATA     0x01000
#define EXT_INCOMPAT_CSUM_SEED   0x02000
#define EXT_INCOMPAT_LARGEDIR    0x04000
#define EXT_INCOMPAT_INLINE_DATA 0x08000
#define EXT_INCOMPAT_ENCRYPT     0x10000
#define EXT_INCOMPAT_CASEFOLD    0x20000

#define EXT_RO_COMPAT_SPARSE_SUPER   0x00001
#define EXT_RO_COMPAT_LARGE_FILE     0x00002
#define EXT_RO_COMPAT_BTREE_DIR      0x00004
#define EXT_RO_COMPAT_HUGE_FILE      0x00008
#define EXT_RO_COMPAT_GDT_CSUM       0x00010
#define EXT_RO_COMPAT_DIR_NLINK      0x00020
#define EXT_RO_COMPAT_EXTRA_ISIZE    0x00040
#define EXT_RO_COMPAT_HAS_SNAPSHOT   0x00080
#define EXT_RO_COMPAT_QUOTA          0x00100
#define EXT_RO_COMPAT_BIGALLOC       0x00200
#define EXT_RO_COMPAT_METADATA_CSUM  0x00400
#define EXT_RO_COMPAT_READONLY       0x01000
#define EXT_RO_COMPAT_PROJECT        0x02000
#define EXT_RO_COMPAT_SHARED_BLOCKS  0x04000
#define EXT_RO_COMPAT_VERITY         0x08000
#define EXT_RO_COMPAT_ORPHAN_PRESENT 0x10000

/* A group descriptor: 32 bytes, or desc_size of them with the 64bit feature. */
struct ext_disk_group {
    uint8_t block_bitmap_lo[4];
    uint8_t inode_bitmap_lo[4];
    uint8_t inode_table_lo[4];
    uint8_t free_blocks_count_lo[2];
    uint8_t free_inodes_count_lo[2];
    uint8_t used_dirs_count_lo[2];
    uint8_t flags[2];
    uint8_t exclude_bitmap_lo[4];
    uint8_t block_bitmap_csum_lo[2];
    uint8_t inode_bitmap_csum_lo[2];
    uint8_t itable_unused_lo[2];
    uint8_t checksum[2];
    uint8_t block_bitmap_hi[4];
    uint8_t inode_bitmap_hi[4];
    uint8_t inode_table_hi[4];
    uint8_t unused_2c[20];
};
STATIC_ASSERT(sizeof(struct ext_disk_group) == 64, "a 64bit group descriptor is 64 bytes");
STATIC_ASSERT(offsetof(struct ext_disk_group, checksum) == 0x1e, "checksum");
STATIC_ASSERT(offsetof(struct ext_disk_group, inode_table_hi) == 0x28, "inode_table_hi");

#define EXT_GROUP_OLD_BYTES 32
#define EXT_GROUP_MAX_BYTES 1024

struct ext_disk_inode {
    uint8_t mode[2];
    uint8_t uid[2];
    uint8_t size_lo[4];
    uint8_t atime[4];
    uint8_t ctime[4];
    uint8_t mtime[4];
    uint8_t dtime[4];
    uint8_t gid[2];
    uint8_t links_count[2];
    uint8_t blocks_lo[4];
    uint8_t flags[4];
    uint8_t osd1[4];
    uint8_t block[60]; /* 15 block numbers, the root of the extent tree, or a link's target */
    uint8_t generation[4];
    uint8_t file_acl_lo[4];
    uint8_t size_high[4];
    uint8_t obso_faddr[4];
    uint8_t blocks_high[2];
    uint8_t file_acl_high[2];
    uint8_t uid_high[2];
    uint8_t gid_high[2];
    uint8_t checksum_lo[2];
    uint8_t reserved[2];
    /* From here on only in inodes of more than 128 bytes, as far as extra_isize says. */
    uint8_t extra_isize[2];
    uint8_t checksum_hi[2];
    uint8_t ctime_extra[4];
    uint8_t mtime_extra[4];
};
#define EXT_INODE_OLD_BYTES 128
STATIC_ASSERT(offsetof(struct ext_disk_inode, block) == 0x28, "block");
STATIC_ASSERT(offsetof(struct ext_disk_inode, generation) == 0x64, "generation");
STATIC_ASSERT(offsetof(struct ext_disk_inode, checksum_lo) == 0x7c, "checksum_lo");
STATIC_ASSERT(offsetof(struct ext_disk_inode, extra_isize) == EXT_INODE_OLD_BYTES, "extra_isize");
STATIC_ASSERT(offsetof(struct ext_disk_inode, checksum_hi) == 0x82, "checksum_hi");
STATIC_ASSERT(offsetof(struct ext_disk_inode, mtime_extra) == 0x88, "mtime_extra");

#define EXT_INODE_COMPRESSED  0x00000004u
#define EXT_INODE_IMMUTABLE   0x00000010u
#define EXT_INODE_APPEND      0x00000020u
#define EXT_INODE_COMPR_BLOCK 0x00000200u /* some of it is compressed */
#define EXT_INODE_ENCRYPT     0x00000800u
#define EXT_INODE_INDEX       0x00001000u
#define EXT_INODE_JOURNALLED  0x00004000u /* its data goes through the journal */
#define EXT_INODE_EXTENTS     0x00080000u
#define EXT_INODE_VERITY      0x00100000u
#define EXT_INODE_INLINE_DATA 0x10000000u
#define EXT_INODE_CASEFOLD    0x40000000u

/* Extent trees: a header, then entries of the same size. */
struct ext_disk_extent_header {
    uint8_t magic[2];
    uint8_t entries[2];
    uint8_t max[2];
    uint8_t depth[2]; /* 0: leaves follow */
    uint8_t generation[4];
};

struct ext_disk_extent {
    uint8_t block[4];
    uint8_t len[2]; /* more than 32768: not written yet, minus 32768 */
    uint8_t start_hi[2];
    uint8_t start_lo[4];
};

struct ext_disk_extent_index {
    uint8_t block[4];
    uint8_t leaf_lo[4];
    uint8_t leaf_hi[2];
    uint8_t unused[2];
};
STATIC_ASSERT(sizeof(struct ext_disk_extent_header) == 12, "header");
STATIC_ASSERT(sizeof(struct ext_disk_extent) == 12, "extent");
STATIC_ASSERT(sizeof(struct ext_disk_extent_index) == 12, "index");

#define EXT_EXTENT_MAGIC     0xf30a
#define EXT_EXTENT_DEPTH_MAX 5
#define EXT_EXTENT_LEN_MAX   32768u

/* Directory entries; the name follows. */
struct ext_disk_dirent {
    uint8_t inode[4]; /* 0: unused */
    uint8_t rec_len[2];
    uint8_t name_len[1];
    uint8_t file_type[1];
};
STATIC_ASSERT(sizeof(struct ext_disk_dirent) == 8, "entry");

/* With metadata_csum, the last entry of a leaf block is this one. */
struct ext_disk_dirent_tail {
    uint8_t inode[4];    /* 0 */
    uint8_t rec_len[2];  /* 12 */
    uint8_t name_len[1]; /* 0 */
    uint8_t file_type[1];
    uint8_t checksum[4];
};
STATIC_ASSERT(sizeof(struct ext_disk_dirent_tail) == 12, "tail");
#define EXT_DIRENT_TAIL_TYPE 0xde

/*
 * Hash trees. The root is the directory's first block: "." and "..", of which the latter reaches to
 * the block's end, then this. Other nodes begin with one unused entry of a whole block. In both,
 * entries follow, the first without a hash: limit and count stand there.
 */
struct ext_disk_dx_root {
    uint8_t dot[12];
    uint8_t dotdot[12];
    uint8_t reserved[4]; /* 0 */
    uint8_t hash_version[1];
    uint8_t info_bytes[1]; /* from `reserved` on: 8 */
    uint8_t levels[1];     /* of nodes between root and leaves */
    uint8_t flags[1];
};
STATIC_ASSERT(sizeof(struct ext_disk_dx_root) == 32, "root");

struct ext_disk_dx_countlimit {
    uint8_t limit[2];
    uint8_t count[2];
};

struct ext_disk_dx_entry {
    uint8_t hash[4]; /* lowest below; the lowest bit: names of the entry before have it, too */
    uint8_t block[4];
};
STATIC_ASSERT(sizeof(struct ext_disk_dx_entry) == 8, "entry");

#define EXT_DX_ENTRY_BYTES  8
#define EXT_DX_NODE_OFF     8  /* of the countlimit, behind one unused entry of a whole block */
#define EXT_DX_ROOT_OFF     32 /* the same in the root: behind ".", ".." and the root's own facts */
#define EXT_DX_INFO_BYTES   8
#define EXT_DX_BLOCK_MASK   0x0fffffffu
#define EXT_DX_LEVELS_MAX   3 /* the root is one */
#define EXT_DX_LEVELS_SMALL 2 /* the same without the feature large_dir */

struct ext_disk_dx_tail {
    uint8_t reserved[4];
    uint8_t checksum[4];
};

#endif
