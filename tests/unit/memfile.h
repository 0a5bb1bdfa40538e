/* SPDX-License-Identifier: MIT */
/*
 * A file whose bytes lie in memory, read through the real file layer: one run over a disk over a
 * buffer. For the readers of files, which do not care about file systems.
 */
#ifndef PVBOOT_TESTS_MEMFILE_H
#define PVBOOT_TESTS_MEMFILE_H

#include "core/fs/fs.h"
#include "tests/unit/support.h"

struct mem_file {
    struct mem_disk disk; /* disk.fail_off_bytes: a place where reading fails */
    struct fs fs;
    struct file file;
};

/* Copies data[0..len). The structure must not move. */
void mem_file_init(struct mem_file *m, const void *data, size_t len);
void mem_file_free(struct mem_file *m);

#endif
