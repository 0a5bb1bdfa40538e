/* SPDX-License-Identifier: MIT */
/*
 * An overlay: a disk that shows another one with some blocks replaced. Replaying a journal makes
 * one in memory; nothing is written to the disk below.
 *
 * A replaced block is either bytes in memory, or another place of the disk below (a journal holds
 * whole blocks, so most of a replay costs no memory but the index's).
 */
#ifndef PVBOOT_DISK_OVERLAY_H
#define PVBOOT_DISK_OVERLAY_H

#include "core/base/arena.h"
#include "core/disk/disk.h"

struct overlay; /* lives in the arena */

/*
 * Lay an overlay over `below`, which must outlive it. block_bytes: a power of two, the unit of
 * replacement, at least the disk's sector size (else ERR_REFUSED). bytes_max: cap on the memory of
 * replaced blocks, ERR_LIMIT past it. The disk's last part that fills no block cannot be replaced.
 */
struct err overlay_new(struct overlay **out, struct disk *below, struct arena *a,
                       uint32_t block_bytes, uint64_t bytes_max);

/* What is seen through it: a disk of the same name, size and sectors. */
struct disk *overlay_disk(struct overlay *o);

/*
 * The bytes of a block, to be changed in place: from below (or where it was redirected to) the
 * first time, then the same ones again. They stay valid and writable as long as the overlay.
 * ERR_OUTSIDE_PART when the block is not on the disk. Drop nothing that a cache of overlay_disk
 * holds: edit before it is read through.
 */
struct err overlay_edit(struct overlay *o, uint64_t block, uint8_t **bytes);

/* Replace the whole block by block_bytes bytes, which are copied. */
struct err overlay_put(struct overlay *o, uint64_t block, const void *bytes);

/* Show the block_bytes bytes of the disk below from off_bytes (a multiple of its sectors) on. */
struct err overlay_redirect(struct overlay *o, uint64_t block, uint64_t off_bytes);

/* Show the block as the disk below has it. */
void overlay_restore(struct overlay *o, uint64_t block);

uint64_t overlay_nr_blocks(const struct overlay *o); /* replaced ones */
uint64_t overlay_bytes(const struct overlay *o);     /* of memory, the index included */

#endif
