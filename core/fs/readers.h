/* SPDX-License-Identifier: MIT */
/*
 * The readers that fs_mount knows. A new file system is a line here, one in fs.c, and its name in
 * FS_READ_LIST.
 */
#ifndef PVBOOT_FS_READERS_H
#define PVBOOT_FS_READERS_H

#include "core/fs/fs.h"

/* The end of sentences that say what is read instead. */
#define FS_READ_LIST "ext2, ext3, ext4, XFS and ReiserFS are"

extern const struct fs_ops ext_fs_ops;
extern const struct fs_ops xfs_fs_ops;
extern const struct fs_ops reiserfs_fs_ops;

/* What lies on a disk that no reader knows, as a sentence; NULL when that is not known either. */
const char *foreign_sentence(struct disk *d);

#endif
