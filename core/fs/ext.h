/* SPDX-License-Identifier: MIT */
/*
 * What the files of the ext2/3/4 reader share.
 *
 *     ext.c        superblock, features, group descriptors, the table of functions
 *     ext_inode.c  inodes and symbolic links
 *     ext_map.c    file byte -> run: extent trees and indirect blocks
 *     ext_dir.c    directories, block by block
 *     ext_htree.c  directories through their index; ext_hash.c has the hash functions
 *     ext_inline.c content that lies in the inode
 *     ext_write.c  which files may be overwritten where they lie
 *     ext_edits.c  what fast commits of the journal changed; ext_journal.h has the replay
 */
#ifndef PVBOOT_FS_EXT_H
#define PVBOOT_FS_EXT_H

#include "core/fs/ext_disk.h"
#include "core/fs/ext_hash.h"
#include "core/fs/fold.h"
#include "core/fs/fs.h"

struct ext_edits;

struct ext {
    uint32_t block_bytes, cluster_bytes;
    uint64_t nr_blocks;
    uint32_t first_data_block;
    uint32_t blocks_per_group, inodes_per_group;
    uint64_t nr_groups;
    uint32_t nr_inodes, first_ino;
    uint32_t inode_bytes, desc_bytes;
    uint32_t first_meta_bg;
    uint32_t backup_groups[2]; /* with sparse_super2: the only ones with a superblock's copy */
    uint32_t compat, incompat, ro_compat;
    uint32_t journal_ino;
    uint32_t csum_seed; /* crc32c of the uuid, or what the superblock says */
    uint8_t uuid[16];
    struct ext_edits *edits; /* of fast commits; NULL: none */
    uint32_t hash_seed[4];
    bool hash_unsigned;
    bool has_errors;   /* so says the superblock */
    bool index_is_all; /* in folding directories, too, what the index does not find is not there */
    uint64_t index_damaged;  /* inode of the last directory that was reported so; 0: none */
    uint32_t nr_index_lines; /* of such reports */
};

/* A block of an inode's tree, as it was last read and checked. */
struct ext_level {
    uint64_t block; /* 0: none */
    uint8_t *bytes;
};

#define EXT_LEVELS EXT_EXTENT_DEPTH_MAX

struct ext_node {
    uint64_t where; /* of the inode on the disk */
    uint32_t flags;
    uint32_t csum_seed; /* of what belongs to this inode */
    bool fast_symlink;
    uint8_t block[60];
    uint8_t *inline_bytes; /* the content, as far as it lies in the inode; NULL: not there */
    size_t inline_len;
    struct arena *arena; /* for the levels' buffers */
    struct ext_level levels[EXT_LEVELS];
};

static inline struct ext *ext_of(const struct fs *fs)
{
    return fs->priv;
}

static inline struct ext_node *ext_node_of(const struct node *n)
{
    return n->priv;
}

static inline bool ext_has_metadata_csum(const struct ext *x)
{
    return (x->ro_compat & EXT_RO_COMPAT_METADATA_CSUM) != 0;
}

/* May a file's [block, block + nr) lie here? Block 0 and the superblock's never belong to files. */
static inline bool ext_blocks_valid(const struct ext *x, uint64_t block, uint64_t nr)
{
    return block > x->first_data_block && in_range(block, nr, x->nr_blocks);
}

/* The first block of the inode table of a group, from its checked descriptor. */
struct err ext_inode_table(struct fs *fs, uint64_t group, uint64_t *block);

struct err ext_get_node(struct fs *fs, struct arena *a, uint64_t ino, struct node *out);
/* Make the checksum of an inode right that was changed in memory. */
void ext_inode_csum_set(const struct ext *x, uint64_t ino, uint8_t *raw);
struct err ext_readlink(struct fs *fs, struct node *n, char *buf, size_t cap, size_t *len);

/* Bring inline content into the node, from the raw inode (which lies at `where`). */
struct err ext_inline_load(const struct ext *x, const uint8_t *raw, uint64_t where,
                           struct ext_node *en);

struct err ext_map(struct fs *fs, struct node *n, uint64_t off_bytes, struct run *out);
struct err ext_may_overwrite(struct fs *fs, struct node *n, uint64_t off_bytes);

/* The folded forms of a name that is looked for and of another one. */
struct ext_folded {
    struct fold_work work;
    bool has_want; /* else it is only equal to itself */
    uint8_t want[FOLD_BYTES_MAX], other[FOLD_BYTES_MAX];
    size_t want_len;
};

/* A name that is looked for. */
struct ext_name {
    const char *name;
    size_t len;
    struct ext_folded *folded; /* in a directory without case; NULL: in any other */
};

/* Is the entry's name the one that is looked for? */
bool ext_name_is(const struct ext_name *want, const char *name, size_t len);

/* An entry's hash, in the directory where `want` is looked for. */
uint32_t ext_name_hash(const struct ext_name *want, const struct ext_hash *h, const char *name,
                       size_t len);

/* The length of an entry as it is meant: 65536 does not fit into the field. */
uint32_t ext_rec_len(const struct ext *x, const struct ext_disk_dirent *de);

/* Read the directory's block of that number into buf, and check its checksum if it has one. */
struct err ext_dir_block(struct fs *fs, struct node *dir, uint64_t block, uint8_t *buf,
                         uint64_t *where);

/* Call fn for the entries of a block (that lies at `where`), which are checked; false from fn ends
 * it. */
struct err ext_dir_entries(struct fs *fs, const uint8_t *block, uint64_t where, fs_entry_fn fn,
                           void *ctx);

/* Does the directory have an index that is to be used? */
bool ext_htree_has(const struct ext *x, const struct node *dir);

/*
 * Find the name through the directory's index. ERR_FILE_NOT_FOUND when it is not there;
 * ERR_FS_DAMAGED when the index or a leaf cannot be right, and says nothing about the name.
 */
struct err ext_htree_lookup(struct fs *fs, struct node *dir, struct arena *scratch,
                            const struct ext_name *want, uint64_t *ino);

struct err ext_lookup(struct fs *fs, struct node *dir, const char *name, size_t len, uint64_t *ino);

/* Is case nothing in that directory? */
bool ext_folds(const struct ext *x, const struct node *dir);

/* The same among what `list` lists, whatever the index says. */
struct err ext_lookup_listed(struct fs *fs, struct node *dir,
                             struct err (*list)(struct fs *fs, struct node *dir, fs_entry_fn fn,
                                                void *ctx),
                             const char *name, size_t len, uint64_t *ino);
struct err ext_readdir(struct fs *fs, struct node *dir, fs_entry_fn fn, void *ctx);

/* As in fs.h. */
struct err ext_mount(struct fs *fs);
struct err ext_replay(struct fs *fs, struct disk **out);

#endif
