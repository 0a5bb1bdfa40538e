/* SPDX-License-Identifier: MIT */
/* What the two ways through a directory of XFS share: along its entries, and by a name's hash. */
#ifndef PVBOOT_FS_XFS_DIR_H
#define PVBOOT_FS_XFS_DIR_H

#include "core/fs/xfs.h"

#define XFS_DIR_BLOCK_MAX ((size_t)65536)

/* A directory's blocks through a buffer. */
struct xfs_dir_io {
    struct fs *fs;
    struct node *dir;
    uint8_t *buf;
    size_t buf_bytes;    /* of buf: one or more directory blocks are read at once */
    uint64_t pos, where; /* what lies in it: the directory's bytes from pos on */
    size_t len;
};

/* One block: bytes is NULL in a hole, which ends at hole_end. */
struct xfs_dir_block {
    const uint8_t *bytes;
    uint64_t where;
    uint64_t hole_end;
};

struct xfs_dir_entry {
    const char *name;
    size_t name_len;
    uint64_t ino; /* 0: free space */
    size_t bytes; /* of the entry */
};

/* Bring in the block at byte pos of the directory, a multiple of its size. */
struct err xfs_dir_load(struct xfs_dir_io *io, uint64_t pos, struct xfs_dir_block *out);

/* Check a block of entries; they lie in bytes[*at..*end). */
struct err xfs_dir_check(const struct xfs *x, const struct node *dir, const struct xfs_dir_block *b,
                         size_t *at, size_t *end);

/* Check the entry at `at` < end; at and end as xfs_dir_check gave them, or an entry's end. */
struct err xfs_dir_entry(const struct xfs *x, const struct xfs_dir_block *b, size_t at, size_t end,
                         struct xfs_dir_entry *out);

/* A name that is looked for. */
struct xfs_wanted {
    const char *name;
    size_t len;
    bool ascii_ci;
    uint64_t ino;        /* found */
    uint64_t folded_ino; /* found but for the case of letters; the exact name goes before it */
};

/* Remember the entry if it is the one. true: nothing better can come. */
bool xfs_dir_match(struct xfs_wanted *w, const char *name, size_t len, uint64_t ino);

/* Letters that directories with ascii-ci take for equal: those of Latin-1 too, as Linux does. */
static inline bool xfs_is_upper(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7);
}

/* Look through the hashes of a directory that has some; w->ino stays 0 when it is not there. */
struct err xfs_dir_find(struct fs *fs, struct node *dir, struct xfs_wanted *w);

#endif
