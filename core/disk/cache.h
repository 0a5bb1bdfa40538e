/* SPDX-License-Identifier: MIT */
/* What disk.c needs of cache.c, and who edits an overlay that is read; all others use disk_read. */
#ifndef PVBOOT_DISK_CACHE_H
#define PVBOOT_DISK_CACHE_H

#include "core/disk/disk.h"

/* disk_read of a disk that has a cache; the range has been checked. */
struct err disk_cache_read(struct disk *d, uint64_t off_bytes, uint8_t *buf, uint64_t len_bytes);

/* Drop the blocks that the range touches. */
void disk_cache_forget(struct disk_cache *c, uint64_t off_bytes, uint64_t len_bytes);

#endif
