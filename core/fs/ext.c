/* SPDX-License-Identifier: MIT */
/*
 * The ext2/3/4 reader: superblock, features and group descriptors. The format's source is named in
 * ext_disk.h; the journal is ext_journal.h's affair.
 */
#include "core/fs/ext.h"

#include <string.h>

#include "core/base/text.h"
#include "core/fs/crc.h"
#include "core/fs/ext_edits.h"
#include "core/fs/readers.h"

#define LOG_BLOCK_MAX   6  /* 64 KiB blocks */
#define LOG_CLUSTER_MAX 19 /* 512 MiB clusters */

/* Incompatible features that are read, or that do not touch what is read. */
#define INCOMPAT_READ                                                                              \
    (EXT_INCOMPAT_FILETYPE | EXT_INCOMPAT_META_BG | EXT_INCOMPAT_EXTENTS | EXT_INCOMPAT_64BIT |    \
     EXT_INCOMPAT_FLEX_BG | EXT_INCOMPAT_CSUM_SEED | EXT_INCOMPAT_LARGEDIR |                       \
     EXT_INCOMPAT_INLINE_DATA | EXT_INCOMPAT_CASEFOLD)
#define INCOMPAT_IGNORED                                                                           \
    (EXT_INCOMPAT_RECOVER    /* reported, see fs.c */                                              \
     | EXT_INCOMPAT_MMP      /* guards against two writers; see ext_write.c */                     \
     | EXT_INCOMPAT_EA_INODE /* where extended attributes lie; none is read */                     \
     | EXT_INCOMPAT_ENCRYPT) /* refused at the inode that has it */

/*
 * Read-only compatible features are by their definition safe to ignore for a reader. Those of
 * ext4 only tell what to call the file system.
 */
#define RO_COMPAT_EXT23                                                                            \
    (EXT_RO_COMPAT_SPARSE_SUPER | EXT_RO_COMPAT_LARGE_FILE | EXT_RO_COMPAT_BTREE_DIR)
#define INCOMPAT_EXT23 (EXT_INCOMPAT_FILETYPE | EXT_INCOMPAT_RECOVER | EXT_INCOMPAT_META_BG)

static struct err refuse_unknown(uint32_t incompat)
{
    static const struct {
        uint32_t bit;
        const char *sentence;
    } refused[] = {
        {EXT_INCOMPAT_COMPRESSION, "the ext feature compression is not read"},
        {EXT_INCOMPAT_JOURNAL_DEV, "an external journal of ext3/4, not a file system"},
        {EXT_INCOMPAT_DIRDATA, "the ext feature dirdata is not read"},
    };
    uint32_t rest = incompat & ~(uint32_t)(INCOMPAT_READ | INCOMPAT_IGNORED);

    if (rest == 0)
        return OK;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (rest & refused[i].bit)
            return ERR(ERR_REFUSED, refused[i].sentence);
    }
    return ERR1(ERR_REFUSED, "unknown incompatible ext features %A", rest);
}

#define SUPER_DAMAGED(msg_, a_, b_) ERR_AT(ERR_FS_DAMAGED, EXT_SUPER_OFF, msg_, a_, b_)

static struct err check_super_csum(const struct ext_disk_super *sb)
{
    uint32_t want = le32(sb->checksum);
    uint32_t got = crc32c(UINT32_MAX, sb, offsetof(struct ext_disk_super, checksum));

    if (sb->checksum_type[0] != EXT_CHECKSUM_CRC32C)
        return ERR1(ERR_REFUSED, "ext checksums of type %a, not crc32c", sb->checksum_type[0]);
    if (got != want)
        return SUPER_DAMAGED("superblock checksum is %A, should be %B", want, got);
    return OK;
}

/* Sizes: of blocks, inodes and descriptors. */
static struct err read_sizes(struct ext *x, const struct ext_disk_super *sb)
{
    uint32_t log_block = le32(sb->log_block_size), log_cluster = log_block;
    bool rev0 = le32(sb->rev_level) == 0;

    if (log_block > LOG_BLOCK_MAX)
        return SUPER_DAMAGED("blocks of 2^%a bytes", 10 + (uint64_t)log_block, 0);
    x->block_bytes = 1024u << log_block;
    if (x->ro_compat & EXT_RO_COMPAT_BIGALLOC)
        log_cluster = le32(sb->log_cluster_size);
    if (log_cluster < log_block || log_cluster > LOG_CLUSTER_MAX)
        return SUPER_DAMAGED("clusters of 2^%a bytes, blocks of %b", 10 + (uint64_t)log_cluster,
                             x->block_bytes);
    x->cluster_bytes = 1024u << log_cluster;
    x->inode_bytes = rev0 ? EXT_INODE_OLD_BYTES : le16(sb->inode_size);
    if (x->inode_bytes < EXT_INODE_OLD_BYTES || x->inode_bytes > x->block_bytes ||
        (x->inode_bytes & (x->inode_bytes - 1)) != 0)
        return SUPER_DAMAGED("inodes of %a bytes", x->inode_bytes, 0);
    x->first_ino = rev0 ? 11 : le32(sb->first_ino);
    x->desc_bytes = EXT_GROUP_OLD_BYTES;
    if (x->incompat & EXT_INCOMPAT_64BIT) {
        x->desc_bytes = le16(sb->desc_size);
        if (x->desc_bytes < sizeof(struct ext_disk_group) || x->desc_bytes > EXT_GROUP_MAX_BYTES ||
            (x->desc_bytes & (x->desc_bytes - 1)) != 0)
            return SUPER_DAMAGED("group descriptors of %a bytes", x->desc_bytes, 0);
    }
    return OK;
}

/* Counts: of blocks, groups and inodes. */
static struct err read_counts(const struct fs *fs, struct ext *x, const struct ext_disk_super *sb)
{
    uint64_t nr_bytes;
    uint64_t bits = (uint64_t)8 * x->block_bytes;

    x->nr_blocks = le32(sb->blocks_count_lo);
    if (x->incompat & EXT_INCOMPAT_64BIT)
        x->nr_blocks |= (uint64_t)le32(sb->blocks_count_hi) << 32;
    if (!mul_u64(x->nr_blocks, x->block_bytes, &nr_bytes) || nr_bytes > fs->disk->size_bytes)
        return SUPER_DAMAGED("the file system has %a blocks, more than a disk of %b bytes holds",
                             x->nr_blocks, fs->disk->size_bytes);
    x->first_data_block = le32(sb->first_data_block);
    if (x->first_data_block > 1 || x->first_data_block >= x->nr_blocks)
        return SUPER_DAMAGED("the first data block is %a of %b", x->first_data_block, x->nr_blocks);
    x->blocks_per_group = le32(sb->blocks_per_group);
    /* With bigalloc a bit stands for a cluster. */
    if (x->blocks_per_group == 0 ||
        (x->blocks_per_group > bits && !(x->ro_compat & EXT_RO_COMPAT_BIGALLOC)))
        return SUPER_DAMAGED("groups of %a blocks", x->blocks_per_group, 0);
    x->nr_groups = (x->nr_blocks - x->first_data_block - 1) / x->blocks_per_group + 1;
    x->nr_inodes = le32(sb->inodes_count);
    x->inodes_per_group = le32(sb->inodes_per_group);
    if (x->inodes_per_group == 0 || x->inodes_per_group > bits)
        return SUPER_DAMAGED("groups of %a inodes", x->inodes_per_group, 0);
    if (x->nr_inodes < EXT_ROOT_INO || (x->nr_inodes - 1) / x->inodes_per_group >= x->nr_groups)
        return SUPER_DAMAGED("%a inodes in %b groups", x->nr_inodes, x->nr_groups);
    return OK;
}

static void describe(struct fs *fs, const struct ext *x, const struct ext_disk_super *sb)
{
    struct text t = text_on(fs->describe, sizeof(fs->describe));
    size_t len = 0;

    if ((x->incompat & ~(uint32_t)INCOMPAT_EXT23) || (x->ro_compat & ~(uint32_t)RO_COMPAT_EXT23))
        text_str(&t, "ext4");
    else
        text_str(&t, x->compat & EXT_COMPAT_HAS_JOURNAL ? "ext3" : "ext2");
    if (fs->journal_replayed)
        text_str(&t, ", journal replayed");
    else if (fs->journal_dirty)
        text_str(&t, ", journal dirty");

    while (len < sizeof(sb->volume_name) && sb->volume_name[len] != 0)
        len++;
    t = text_on(fs->label, sizeof(fs->label));
    text_name(&t, (const char *)sb->volume_name, len);
    memcpy(fs->uuid, sb->uuid, sizeof(fs->uuid));
}

static void say_errors(const struct fs *fs, const struct ext_disk_super *sb)
{
    char line[128];
    struct text t = fs_line(fs, line, sizeof(line));

    /* A dirty one is mounted again. */
    if (!(le16(sb->state) & EXT_STATE_ERRORS) || fs->journal_dirty)
        return;
    text_str(&t, " is marked as having errors; run e2fsck on it");
    log_line(fs->log, line);
}

struct err ext_mount(struct fs *fs)
{
    struct ext_disk_super sb;

    if (!in_range(EXT_SUPER_OFF, sizeof(sb), fs->disk->size_bytes))
        return ERR(ERR_NOT_MINE, "too small for ext2/3/4");
    TRY(disk_read(fs->disk, EXT_SUPER_OFF, &sb, sizeof(sb)));
    if (le16(sb.magic) != EXT_MAGIC)
        return ERR(ERR_NOT_MINE, "no ext2/3/4 superblock");
    struct ext *x = arena_alloc(fs->arena, sizeof(*x));

    if (x == NULL)
        return arena_exhausted("an ext mount of %a bytes", sizeof(*x));
    if (le32(sb.rev_level) != 0) {
        x->compat = le32(sb.feature_compat);
        x->incompat = le32(sb.feature_incompat);
        x->ro_compat = le32(sb.feature_ro_compat);
    }
    TRY(refuse_unknown(x->incompat));
    if (ext_has_metadata_csum(x))
        TRY(check_super_csum(&sb));
    TRY(read_sizes(x, &sb));
    TRY(read_counts(fs, x, &sb));
    x->first_meta_bg = le32(sb.first_meta_bg);
    x->backup_groups[0] = le32(sb.backup_bgs[0]);
    x->backup_groups[1] = le32(sb.backup_bgs[1]);
    x->journal_ino = le32(sb.journal_inum);
    memcpy(x->uuid, sb.uuid, sizeof(x->uuid));
    x->csum_seed = x->incompat & EXT_INCOMPAT_CSUM_SEED
                       ? le32(sb.checksum_seed)
                       : crc32c(UINT32_MAX, sb.uuid, sizeof(sb.uuid));
    for (size_t i = 0; i < ARRAY_LEN(x->hash_seed); i++)
        x->hash_seed[i] = le32(sb.hash_seed + 4 * i);
    if ((x->incompat & EXT_INCOMPAT_CASEFOLD) && le16(sb.encoding) != EXT_ENCODING_UTF8_12_1)
        return ERR1(ERR_REFUSED, "ext names in encoding %a, not UTF-8 of Unicode 12.1",
                    le16(sb.encoding));
    x->index_is_all = (le16(sb.encoding_flags) & EXT_ENCODING_NO_FALLBACK) != 0;
    x->hash_unsigned = (le32(sb.flags) & EXT_FLAG_UNSIGNED_HASH) != 0;
    x->has_errors = (le16(sb.state) & EXT_STATE_ERRORS) != 0;
    x->edits = fs->replay_state;
    fs->priv = x;
    fs->root_ino = EXT_ROOT_INO;
    /* An overlay shows the old superblock's flag still; what it stands for has been done. */
    fs->journal_dirty = (x->incompat & EXT_INCOMPAT_RECOVER) && !fs->journal_replayed;
    describe(fs, x, &sb);
    say_errors(fs, &sb);
    return OK;
}

static bool is_power_of(uint64_t v, uint64_t base)
{
    while (v % base == 0)
        v /= base;
    return v == 1;
}

/* Does the group begin with a copy of the superblock? (Only asked for groups of meta_bg.) */
static bool has_super(const struct ext *x, uint64_t group)
{
    if (x->compat & EXT_COMPAT_SPARSE_SUPER2)
        return group == 0 || group == x->backup_groups[0] || group == x->backup_groups[1];
    if (group <= 1 || !(x->ro_compat & EXT_RO_COMPAT_SPARSE_SUPER))
        return true;
    return is_power_of(group, 3) || is_power_of(group, 5) || is_power_of(group, 7);
}

/* Where the descriptor lies: all in a row behind the superblock, or with meta_bg, in the first
 * group of each set whose descriptors fill one block. */
static uint64_t desc_off(const struct ext *x, uint64_t group)
{
    uint64_t per_block = x->block_bytes / x->desc_bytes;
    uint64_t set = group / per_block;
    uint64_t block = EXT_SUPER_OFF / x->block_bytes + 1 + set;

    if ((x->incompat & EXT_INCOMPAT_META_BG) && set >= x->first_meta_bg) {
        uint64_t first = set * per_block;

        block = x->first_data_block + first * x->blocks_per_group + has_super(x, first);
        /* 1 KiB blocks that are counted from 0 (bigalloc): block 0 is the boot block. */
        if (first == 0 && x->block_bytes == 1024 && x->first_data_block == 0)
            block++;
    }
    return block * x->block_bytes + group % per_block * x->desc_bytes;
}

static uint16_t desc_csum(const struct ext *x, uint64_t group, const uint8_t *desc)
{
    static const uint8_t zero[2] = {0};
    uint8_t nr[4] = {(uint8_t)group, (uint8_t)(group >> 8), (uint8_t)(group >> 16),
                     (uint8_t)(group >> 24)};
    size_t at = offsetof(struct ext_disk_group, checksum);
    size_t rest = x->desc_bytes - at - 2;

    if (ext_has_metadata_csum(x)) {
        uint32_t crc = crc32c(x->csum_seed, nr, sizeof(nr));

        crc = crc32c(crc, desc, at);
        crc = crc32c(crc, zero, sizeof(zero));
        return (uint16_t)crc32c(crc, desc + at + 2, rest);
    }
    uint16_t crc = crc16(UINT16_MAX, x->uuid, sizeof(x->uuid));

    crc = crc16(crc, nr, sizeof(nr));
    crc = crc16(crc, desc, at);
    return crc16(crc, desc + at + 2, rest);
}

struct err ext_inode_table(struct fs *fs, uint64_t group, uint64_t *block)
{
    struct ext *x = ext_of(fs);
    uint8_t desc[EXT_GROUP_MAX_BYTES];
    const struct ext_disk_group *g = (const struct ext_disk_group *)desc;
    uint64_t off = desc_off(x, group);
    uint64_t table_blocks =
        ((uint64_t)x->inodes_per_group * x->inode_bytes + x->block_bytes - 1) / x->block_bytes;

    TRY(disk_read(fs->disk, off, desc, x->desc_bytes));
    if ((x->ro_compat & EXT_RO_COMPAT_GDT_CSUM) || ext_has_metadata_csum(x)) {
        uint16_t want = le16(g->checksum), got = desc_csum(x, group, desc);

        if (got != want)
            return ERR_AT(ERR_FS_DAMAGED, off, "group descriptor checksum is %A, should be %B",
                          want, got);
    }
    *block = le32(g->inode_table_lo);
    if (x->desc_bytes >= sizeof(*g))
        *block |= (uint64_t)le32(g->inode_table_hi) << 32;
    if (!ext_blocks_valid(x, *block, table_blocks))
        return ERR_AT(ERR_FS_DAMAGED, off, "the inode table of group %a lies at block %b", group,
                      *block);
    return OK;
}

const struct fs_ops ext_fs_ops = {
    .name = "ext2/3/4",
    .mount = ext_mount,
    .replay = ext_replay,
    .get_node = ext_get_node,
    .lookup = ext_edited_lookup,
    .readdir = ext_edited_readdir,
    .map = ext_map,
    .may_overwrite = ext_may_overwrite,
    .readlink = ext_readlink,
};
