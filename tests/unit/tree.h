/* SPDX-License-Identifier: MIT */
/*
 * Small disks for tests: an ext4 file system made by mke2fs from a list of files, bare or as the
 * partitions of a disk with an MBR.
 */
#ifndef PVBOOT_TESTS_TREE_H
#define PVBOOT_TESTS_TREE_H

#include "tests/unit/support.h"

#define TREE_BYTES ((size_t)2 << 20) /* of one file system */

struct tree_file {
    const char *path; /* "/boot/grub/menu.lst"; the folders are made */
    const char *text; /* its content */
};

/*
 * A disk in memory (malloc, freed by tree_free). The list ends with a path of NULL. A test that
 * cannot make it ends the program: without a disk there is nothing to test.
 */
void tree_disk(struct mem_disk *d, const struct tree_file *files);

/* The same with more options for mke2fs: "-L label -U UUID". */
void tree_disk_made(struct mem_disk *d, const struct tree_file *files, const char *options);

/*
 * A disk with an MBR; partition n holds parts[n], NULL leaves its entry empty. whole, if not NULL,
 * is a file system that begins where the disk does and ends before the first partition.
 */
void tree_disk_parts(struct mem_disk *d, const struct tree_file *whole,
                     const struct tree_file *const parts[4]);

void tree_free(struct mem_disk *d);

#endif
