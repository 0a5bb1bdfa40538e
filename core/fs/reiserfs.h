/* SPDX-License-Identifier: MIT */
/*
 * What the files of the ReiserFS reader share.
 *
 *     reiserfs.c          superblock, the table of functions
 *     reiserfs_tree.c     search in the tree, its blocks checked
 *     reiserfs_item.c     stat data, file byte -> run, symbolic links
 *     reiserfs_dir.c      directories
 *     reiserfs_hash.c     the hashes of names
 *     reiserfs_journal.c  is there something to replay, and the replay
 */
#ifndef PVBOOT_FS_REISERFS_H
#define PVBOOT_FS_REISERFS_H

#include "core/fs/fs.h"
#include "core/fs/reiserfs_disk.h"

#define REISER_LEVELS_MAX 7 /* of the tree; Linux makes no more than 5 */

/* Where a replay begins, as the journal's header says, or a look through all of it. */
struct reiser_replay {
    uint32_t offset; /* of the first description, in blocks from the journal's first */
    uint32_t trans_id, mount_id;
};

enum reiser_type {
    REISER_STAT,
    REISER_INDIRECT,
    REISER_DIRECT,
    REISER_DIR,
    REISER_UNKNOWN = 14,
    REISER_ANY = 15, /* in searches: behind every other at its offset */
};

struct reiser_key {
    uint32_t dir_id, objectid;
    uint64_t offset;
    enum reiser_type type;
};

/* Less than, equal to or greater than 0. */
int reiser_key_compare(const struct reiser_key *a, const struct reiser_key *b);

static inline bool reiser_same_object(const struct reiser_key *a, const struct reiser_key *b)
{
    return a->dir_id == b->dir_id && a->objectid == b->objectid;
}

/* A block of the tree, as it was last read and checked. */
struct reiser_level {
    uint32_t block; /* 0: none */
    uint8_t *bytes;
};

struct reiser_path {
    struct arena *arena;                           /* for the blocks' buffers */
    struct reiser_level levels[REISER_LEVELS_MAX]; /* [0] is the leaf */
    bool has_right;                                /* there is a leaf to the right */
    struct reiser_key right;                       /* and no key in it is smaller */
};

struct reiser {
    uint32_t block_bytes;
    uint32_t nr_blocks;
    uint32_t root_block, root_level;
    uint32_t hash_code;
    bool is_3_6, standard_journal;
    bool has_errors;                        /* so says the superblock */
    bool has_attrs;                         /* files may be protected against changes */
    uint32_t journal_first, journal_blocks; /* without the header's, which follows */
    uint32_t journal_magic;
    uint32_t reserved_first, reserved_blocks; /* kept for a journal of the usual size */
    uint32_t trans_max;                       /* blocks of a transaction */
    struct reiser_replay replay;              /* when the journal is dirty */
    struct reiser_path path;                  /* of all searches but those of a readdir */
    bool long_names_said;
};

/* An item of a leaf. Valid until the path is searched again. */
struct reiser_item {
    struct reiser_path *path;
    uint32_t index, nr_items; /* in the leaf, and of it */
    struct reiser_key key;
    uint32_t version, count;
    const uint8_t *bytes;
    uint32_t len_bytes;
    uint64_t where; /* of its bytes on the disk */
};

/* The last item whose key is not greater than `key`. *found: there is one. */
struct err reiser_search(struct fs *fs, struct reiser_path *path, const struct reiser_key *key,
                         struct reiser_item *out, bool *found);

/*
 * The item after it, in the next leaf if need be. *found: there is one, and its key is greater.
 * *nr_leaves is counted up when it is in another leaf.
 */
struct err reiser_next(struct fs *fs, struct reiser_item *item, bool *found, uint64_t *nr_leaves);

/* One line about the mounted file system. */
void reiser_say(const struct fs *fs, const char *what);

static inline struct reiser *reiser_of(const struct fs *fs)
{
    return fs->priv;
}

/* An inode number is both parts of a key. */
static inline uint64_t reiser_ino(uint32_t dir_id, uint32_t objectid)
{
    return (uint64_t)dir_id << 32 | objectid;
}

static inline struct reiser_key reiser_key_of(uint64_t ino, uint64_t offset, enum reiser_type type)
{
    return (struct reiser_key){(uint32_t)(ino >> 32), (uint32_t)ino, offset, type};
}

/* May a file's or the tree's blocks lie there? */
static inline bool reiser_blocks_valid(const struct reiser *r, uint64_t block, uint64_t nr)
{
    return block != 0 && in_range(block, nr, r->nr_blocks);
}

struct err reiser_get_node(struct fs *fs, struct arena *a, uint64_t ino, struct node *out);
struct err reiser_map(struct fs *fs, struct node *n, uint64_t off_bytes, struct run *out);
struct err reiser_may_overwrite(struct fs *fs, struct node *n, uint64_t off_bytes);
struct err reiser_readlink(struct fs *fs, struct node *n, char *buf, size_t cap, size_t *len);

struct err reiser_lookup(struct fs *fs, struct node *dir, const char *name, size_t len,
                         uint64_t *ino);
struct err reiser_readdir(struct fs *fs, struct node *dir, fs_entry_fn fn, void *ctx);

/* The hash by its code in the superblock, as far as directories use it; code is a known one. */
uint32_t reiser_hash(uint32_t code, const char *name, size_t len);

/* The superblock does not say which: find the one hash that fits the names of the root. */
struct err reiser_detect_hash(struct fs *fs);

/* Are there transactions to replay? Fills in r->trans_max and r->replay. */
struct err reiser_journal_look(struct fs *fs, bool *dirty);
struct err reiser_replay(struct fs *fs, struct disk **out);

#endif
