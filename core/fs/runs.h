/* SPDX-License-Identifier: MIT */
/*
 * Reading by runs: what file_read and the streams share. Internal to core/fs.
 *
 * A run_reader moves a range of a file into memory. It maps the range piece by piece, merges
 * pieces that are neighbours on the disk, and keeps as many requests under way as it has slots.
 */
#ifndef PVBOOT_FS_RUNS_H
#define PVBOOT_FS_RUNS_H

#include "core/fs/fs.h"

#define RUN_REQ_BYTES ((uint64_t)4 * 1024 * 1024) /* of one request */

struct run_reader {
    struct fs *fs;
    struct node *node;
    uint64_t pos, end;   /* file bytes that have not been started yet */
    uint8_t *dst;        /* where byte pos goes */
    uint64_t room_bytes; /* writable bytes from dst on: a last sector may be read whole into them */
    struct run run;      /* the merged run around pos; len_bytes 0: none yet */
    struct run ahead;    /* the one after it, when merging met one that is no neighbour */
    struct disk_req *reqs;
    uint32_t nr_reqs, first, nr_busy; /* a ring: busy slots from first on */
    struct err err;                   /* the first error; nothing is started after it */
};

/* [off, off + len) lies inside the file; buf has room_bytes >= len. */
void run_reader_init(struct run_reader *r, struct file *f, struct disk_req *reqs, uint32_t nr_reqs);
void run_reader_start(struct run_reader *r, uint64_t off_bytes, void *buf, uint64_t len_bytes,
                      uint64_t room_bytes);

/* Start the rest, wait for everything, and return the first error. Nothing is under way after. */
struct err run_reader_finish(struct run_reader *r);

#endif
