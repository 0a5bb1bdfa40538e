/* SPDX-License-Identifier: MIT */
/*
 * The disk interface: all that the layers above see of a device.
 *
 * A disk is a row of bytes with a sector size. Who provides it (a block front end, a file on a
 * host, a partition or an overlay over another disk) fills in `struct disk_ops`. Disks stack: a
 * partition is a disk over a disk.
 *
 * Requests are asynchronous, so that many can be in flight: submit them all, then wait for each.
 * A provider that cannot do better completes them in submit.
 */
#ifndef PVBOOT_DISK_DISK_H
#define PVBOOT_DISK_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/base/text.h"

#define DISK_NAME_MAX 144 /* "(lvm/VG-LV)" fits */

enum disk_op { DISK_READ, DISK_WRITE, DISK_FLUSH };

/*
 * One request. The caller owns it and its buffer, and leaves both alone from submit until done.
 * off_bytes and len_bytes are multiples of the disk's sector size, buf is aligned to the sector
 * size (a page-aligned buffer always is), and [off, off + len) lies inside the disk: the checked
 * way in is disk_submit. FLUSH has neither offset nor buffer.
 */
struct disk_req {
    enum disk_op op;
    uint64_t off_bytes; /* stacked disks change it on the way down */
    void *buf;
    uint64_t len_bytes;

    bool done;
    struct err result; /* valid once done; starts out as a failure, never as success */

    /* For the provider while the request is under way. */
    struct disk_req *next;
    uint64_t submitted_bytes, pending_parts;
};

struct disk;

struct disk_ops {
    /* Start the request, or complete it at once. Never fails: an error is the request's result. */
    void (*submit)(struct disk *d, struct disk_req *req);
    /* Return when req->done. A device that stays silent completes it with ERR_TIMEOUT. */
    void (*wait)(struct disk *d, struct disk_req *req);
    /*
     * Where on which disk below do the bytes at off_bytes lie, if writing there is all that it
     * takes to change them? ERR_REFUSED, and why, if it is not. NULL: there is no disk below.
     */
    struct err (*place)(struct disk *d, uint64_t off_bytes, struct disk **below,
                        uint64_t *below_off_bytes);
};

struct disk_cache;

struct disk {
    const struct disk_ops *ops;
    void *ctx;                /* the provider's */
    char name[DISK_NAME_MAX]; /* as people name it: "xvda", "(hd0,1)" */
    uint64_t size_bytes;      /* a multiple of sector_bytes */
    uint32_t sector_bytes;    /* 512 or 4096: the unit of requests */
    bool read_only;
    struct disk_cache *cache; /* of metadata, made by disk_cache_attach; NULL: disk_read bounces */
    struct disk *parent;      /* of a window; NULL for any other disk */
    uint64_t origin_bytes;    /* where a window begins on its parent */
};

/* Check the request against the disk (range, alignment, read-only) and start it. */
void disk_submit(struct disk *d, struct disk_req *req);

/*
 * Wait until the request is done and return its result. Use this, not req->result, when the disk
 * may be a window: `where` is then a place on the window, not on the disk below it.
 */
struct err disk_wait(struct disk *d, struct disk_req *req);

/*
 * Give the disk a cache for disk_read: nr_blocks blocks of DISK_CACHE_BLOCK bytes, least recently
 * used out first; their memory is taken when they are first needed. Only disk_read goes through
 * it; reads by request do not, and a write by request to this disk drops what it touches.
 */
#define DISK_CACHE_BLOCK ((uint32_t)4096)
struct err disk_cache_attach(struct disk *d, struct arena *a, uint32_t nr_blocks);

/*
 * Read any byte range into buf, through the cache where there is one: for metadata. Any offset,
 * length and alignment. ERR_OUTSIDE_PART past the end of the disk, ERR_READ with `where` = byte
 * offset on this disk when the device fails.
 */
struct err disk_read(struct disk *d, uint64_t off_bytes, void *buf, uint64_t len_bytes);

/*
 * Follow the byte at off_bytes down to the device that holds it. ERR_REFUSED when a disk on the way
 * keeps it in more than one place, or shows something else there than what lies below it. Whether
 * the device is read-only is not looked at.
 */
#define DISK_DEPTH_MAX 32
struct err disk_place(struct disk *d, uint64_t off_bytes, struct disk **device,
                      uint64_t *device_off_bytes);

/*
 * The same way down: what the caches of the disks on it hold of the sector is forgotten. After a
 * write to the device, which only drops what the device's own cache holds.
 */
void disk_forget(struct disk *d, uint64_t off_bytes);

/* "xvda, 8 GiB, 16777216 sectors of 512 bytes, read-only" */
void disk_describe(const struct disk *d, struct text *t);

/* Make `part` a window of [off, off + len) over `parent`, which must outlive it. */
struct err disk_window(struct disk *part, struct disk *parent, uint64_t off_bytes,
                       uint64_t len_bytes, const char *name);

#endif
