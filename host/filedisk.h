/* SPDX-License-Identifier: MIT */
/*
 * An image file as a `struct disk`, for the commands that look into images: raw or qcow2, read
 * only. Nothing is ever written to the file.
 */
#ifndef PVBOOT_HOST_FILEDISK_H
#define PVBOOT_HOST_FILEDISK_H

#include "core/base/arena.h"
#include "core/disk/disk.h"
#include "host/memory.h"
#include "host/qcow2.h"

struct file_disk {
    struct disk disk; /* name: the file's last component */
    int fd;
    const char *path;
    uint64_t whole_bytes;    /* of the disk, before it is rounded to sectors */
    struct qcow2 *qcow2;     /* NULL: a raw image */
    const char *format;      /* "raw", "qcow2"; set before the start, the file is not asked */
    struct file_disk *below; /* what shows where a qcow2 image holds nothing; NULL */
};

/* Open the image; not a byte of it is read. False: `why` is one sentence that names the file. */
bool file_disk_open(struct file_disk *d, const char *path, char *why, size_t why_cap);

/*
 * Make a disk of the open image; behind the fence (fence.h), because its header is read.
 * sector_bytes 512 or 4096: what the guest's disk would have. A size that is not made of whole
 * sectors is rounded down. What lies below is started with it, and closed with it. False: `why` is
 * one sentence that names the file.
 */
bool file_disk_start(struct file_disk *d, uint32_t sector_bytes, char *why, size_t why_cap);
void file_disk_close(struct file_disk *d);

#endif
