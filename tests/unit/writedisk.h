/* SPDX-License-Identifier: MIT */
/*
 * A disk in memory that keeps account of what is written to it, and can fail as disks do: for the
 * tests of what is written in place.
 */
#ifndef PVBOOT_TESTS_WRITEDISK_H
#define PVBOOT_TESTS_WRITEDISK_H

#include "tests/unit/support.h"

enum write_fault {
    WRITES_WELL,
    WRITE_FAILS,    /* and the old sector stays */
    WRITE_LIES,     /* says that it went well, and the old sector stays */
    FLUSH_FAILS,    /* after a write that is done */
    READ_BACK_FAILS /* the read after the flush */
};

struct write_disk {
    struct disk disk;
    uint8_t *data, *before; /* before: a copy, made by write_disk_init */
    enum write_fault fault;
    uint32_t nr_writes, nr_flushes;
    uint64_t off_bytes, len_bytes; /* of the last write */
    char order[32];                /* "rwfr": the requests since the first write, and one before */
};

void write_disk_init(struct write_disk *w, uint8_t *data, uint64_t size_bytes,
                     uint32_t sector_bytes);
void write_disk_free(struct write_disk *w); /* the data stays the caller's */

/* Begin a new account from what is there now. */
void write_disk_restart(struct write_disk *w);

/* Is the disk as it was, but for bytes[0..len) at off_bytes? */
bool write_disk_changed_only(const struct write_disk *w, uint64_t off_bytes, const void *bytes,
                             size_t len);

#endif
