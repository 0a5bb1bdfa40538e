/* SPDX-License-Identifier: MIT */
/*
 * A disk made of pieces of others: what a journal's overlay, a logical volume and a RAID share.
 *
 * Who makes one says, for any place, which piece lies there; splitting requests along the pieces,
 * keeping many parts in flight, and trying another copy of a piece that cannot be read are done
 * here once. Such a disk takes no writes; it can tell where one would have to go.
 */
#ifndef PVBOOT_DISK_MAPPED_H
#define PVBOOT_DISK_MAPPED_H

#include "core/base/arena.h"
#include "core/disk/disk.h"

enum piece_kind { PIECE_DISK, PIECE_MEMORY, PIECE_ZERO };

struct piece {
    enum piece_kind kind;
    uint64_t len_bytes;   /* from the place that was asked for on; whole sectors, more than 0 */
    struct disk *disk;    /* PIECE_DISK: which, and where on it */
    uint64_t off_bytes;   /* a multiple of both disks' sectors */
    const uint8_t *bytes; /* PIECE_MEMORY: len_bytes of them, as long as the disk lives */
};

/*
 * What lies at off_bytes, a multiple of the sector size inside the disk? A piece may be longer than
 * len_bytes, of which the rest is ignored. copy: 0 at first; 1, 2, ... after earlier copies could
 * not be read: a failure then means that there is no other copy, and the first copy's error stands.
 */
typedef struct err (*piece_fn)(void *ctx, uint64_t off_bytes, uint64_t len_bytes, uint32_t copy,
                               struct piece *out);

/*
 * Is the piece at off_bytes the only place of what is seen there, so that writing to it changes it
 * and nothing else? OK, or ERR_REFUSED with the reason. NULL: nowhere.
 */
typedef struct err (*may_write_fn)(void *ctx, uint64_t off_bytes);

/*
 * Make such a disk in the arena. sector_bytes: at least that of every disk that pieces come from.
 * size_bytes is rounded down to whole sectors; the name is cut to fit.
 */
struct err mapped_disk_new(struct disk **out, struct arena *a, piece_fn find,
                           may_write_fn may_write, void *ctx, uint64_t size_bytes,
                           uint32_t sector_bytes, const char *name);

#endif
