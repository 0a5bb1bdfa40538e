/* SPDX-License-Identifier: MIT */
/* What unit tests and fuzzers share: memory from malloc, a disk over a buffer. */
#ifndef PVBOOT_TESTS_SUPPORT_H
#define PVBOOT_TESTS_SUPPORT_H

#include "core/base/arena.h"
#include "core/disk/disk.h"

/* Arenas of the tests: page-aligned chunks from malloc, so that the sanitizer sees overruns. */
extern const struct mem_source test_memory;

/* A disk over data[0..size), which stays the caller's. sector_bytes 512 or 4096. */
struct mem_disk {
    struct disk disk;
    uint8_t *data;
    uint64_t fail_off_bytes; /* a request that covers this byte fails; UINT64_MAX: none */
    uint32_t nr_reads;       /* requests so far */
};
void mem_disk_init(struct mem_disk *d, void *data, uint64_t size_bytes, uint32_t sector_bytes);

#endif
