/* SPDX-License-Identifier: MIT */
/*
 * What fast commits changed in names and in the places of blocks, kept beside the file system.
 * Linux writes it into directories and extent trees; a reader that asks here first shows the same
 * without allocating a block.
 */
#ifndef PVBOOT_FS_EXT_EDITS_H
#define PVBOOT_FS_EXT_EDITS_H

#include "core/fs/fs.h"

#define EXT_EDITS_RANGES_MAX ((size_t)16384) /* of one file */

struct ext_edits;

/* Blocks [block, block + nr) of a file: a hole, or disk blocks from `start` on. */
struct ext_range {
    uint64_t block, nr, start;
    bool hole;
};

struct err ext_edits_new(struct ext_edits **out, struct arena *a);

/* The name is to be in the directory, if none is; or it is not to be, if it is this inode's. */
struct err ext_edits_name(struct ext_edits *e, uint64_t dir_ino, const char *name, size_t len,
                          uint64_t ino, bool is_there);
/* The directory has nothing in it but "." and "..", whatever lies on the disk. */
struct err ext_edits_new_dir(struct ext_edits *e, uint64_t ino, uint64_t parent_ino);
/* Over what was said before about these blocks. */
struct err ext_edits_range(struct ext_edits *e, uint64_t ino, struct ext_range range);
/* The inode begins a new life: what was said about it before is void. */
void ext_edits_forget(struct ext_edits *e, uint64_t ino);

/*
 * What is said about the block of the file: true, and the range that holds it. Or nothing: false,
 * and the range about which nothing is said.
 */
bool ext_edits_map(const struct ext_edits *e, uint64_t ino, uint64_t block, struct ext_range *out);

/*
 * Lookup and readdir with the edits: as in fs.h. While a directory is listed, fn may not list the
 * same one: each name remembers one listing only, so the outer one would give names twice.
 */
struct err ext_edited_lookup(struct fs *fs, struct node *dir, const char *name, size_t len,
                             uint64_t *ino);
struct err ext_edited_readdir(struct fs *fs, struct node *dir, fs_entry_fn fn, void *ctx);

#endif
