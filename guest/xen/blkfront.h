/* SPDX-License-Identifier: MIT */
/*
 * The block front end: the virtual disks of a Xen guest as `struct disk`.
 *
 *   blkfront.c        which devices there are; connecting and closing all of them at once
 *   blkfront_store.c  what front and back end tell each other through xenstore
 *   blkfront_io.c     the disk interface: splits requests into parts, queues, completes
 *   blkfront_part.c   a part of a request: the pages that it lends to the back end
 *   blkfront_ring.c   the ring that both ends share
 *
 * A device that cannot be used does not hinder the others: its vbd says why. Buffers of requests
 * must be in memory of mm.h or of the image itself: their pages are lent to the back end directly,
 * or, with persistent grants, copied.
 */
#ifndef PVBOOT_XEN_BLKFRONT_H
#define PVBOOT_XEN_BLKFRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/log.h"
#include "core/disk/disk.h"

struct blkfront_options {
    /* Where the back end offers persistent grants: keep a pool of pages granted and copy, instead
     * of granting and taking back each page of a request. */
    bool persistent;
    const struct log *log; /* must live as long as the devices */
};

enum vbd_kind {
    VBD_DISK,
    VBD_CDROM,  /* with a disk inside: can be read, but is not one of the machine's disks */
    VBD_EMPTY,  /* a drive without a disk */
    VBD_FAILED, /* could not be connected: `why` */
};

struct vbd {
    enum vbd_kind kind;
    uint64_t vdev;    /* virtual device number */
    struct err why;   /* of VBD_FAILED */
    struct disk disk; /* of VBD_DISK and VBD_CDROM; its name is set for every kind */
};

/* Find all devices and connect them, in parallel. Fails only when nothing can be found out. */
MUST_CHECK struct err blkfront_init(const struct blkfront_options *options);

/* All devices, in ascending virtual device number; NULL past the last. */
struct vbd *blkfront_vbd(size_t i);

/*
 * Give everything back: every front end as the toolstack left it, every back end ready for the next
 * front end. What could not be closed stays in the ledger and is one line in the log. Afterwards
 * there are no devices, and blkfront_init may be called again.
 */
MUST_CHECK struct err blkfront_close(void);

#endif
