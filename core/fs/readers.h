/* SPDX-License-Identifier: MIT */
/* The readers that fs_mount knows. A new file system is one line here and one in fs.c. */
#ifndef PVBOOT_FS_READERS_H
#define PVBOOT_FS_READERS_H

#include "core/fs/fs.h"

extern const struct fs_ops ext_fs_ops;

/* What lies on a disk that no reader knows, as a sentence; NULL when that is not known either. */
const char *foreign_sentence(struct disk *d);

#endif
