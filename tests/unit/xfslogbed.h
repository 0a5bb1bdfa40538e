/* SPDX-License-Identifier: MIT */
/* An image of mkfs.xfs with a log of our own, mounted through the replay: for tests of the log. */
#ifndef PVBOOT_TESTS_XFSLOGBED_H
#define PVBOOT_TESTS_XFSLOGBED_H

#include "core/fs/fs.h"
#include "core/fs/xfs.h"
#include "tests/unit/support.h"
#include "tests/unit/xfsloggen.h"

#define BED_DATA_BYTES ((size_t)96 * 1024)

enum bed_kind { BED_V5, BED_V4, BED_V4_LOG_V1, NR_BEDS };

struct bed {
    bool v5;
    uint8_t *image;
    size_t len;
    struct loggen g;
    /* /data, a file of BED_DATA_BYTES that lie in a row; /other, one as long */
    uint64_t data_ino, data_ino_off, data_off;
    uint64_t other_ino, other_ino_off, other_off;
    uint8_t data[BED_DATA_BYTES], other[BED_DATA_BYTES];

    struct mem_disk disk;
    struct arena arena;
    struct fs fs;
    bool mounted;
    char said[1024];
};

/* A fresh copy of the image, with an empty log of the generator's. buf_bytes as in loggen. */
struct bed *bed_new(enum bed_kind kind, uint32_t buf_bytes);
void bed_free(struct bed *b);

/* Mount what is in the image now. */
struct err bed_mount(struct bed *b);

/* Read /data or /other of the mounted image: BED_DATA_BYTES into buf. */
struct err bed_read(struct bed *b, const char *path, uint8_t *buf);

/* Is the content of /data as it is in `data`, or byte `at` on `len` bytes as in `bytes`? */
bool bed_data_is(struct bed *b, size_t at, const void *bytes, size_t len);

/* An inode item with the core of the inode as it is on the disk, changed by `change`. */
void bed_log_inode(struct bed *b, uint32_t tid, uint64_t ino, uint32_t fields,
                   void (*change)(struct xfs_disk_inode *core), const void *fork, size_t fork_len);

/* An item of one region: intents and their ends. */
void bed_log_bmap(struct bed *b, uint32_t tid, uint64_t id, uint64_t ino, uint32_t flags,
                  uint64_t off, uint64_t disk_off, uint32_t nr_blocks);
void bed_log_done(struct bed *b, uint32_t tid, uint32_t type, uint64_t id);

#endif
