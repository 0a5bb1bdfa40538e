/* SPDX-License-Identifier: MIT */
/*
 * GRUB's block lists: a file named by where it lies, "0+1" or "100+16,200+8": [OFFSET]+LENGTH, in
 * sectors of 512 bytes from the start of the disk or partition, an offset left out being 0. No file
 * system is needed. Source: GRUB 0.97 manual, "How to specify block lists".
 */
#ifndef PVBOOT_FS_BLOCKLIST_H
#define PVBOOT_FS_BLOCKLIST_H

#include "core/fs/fs.h"

#define BLOCKLIST_PIECES_MAX 256

/* Could the name (without its device) be a block list? It begins with a digit or a plus sign. */
bool blocklist_is(const char *name);

/*
 * Open the list on the disk, which must outlive the file. ERR_BAD_FILENAME when it is no block
 * list, ERR_OUTSIDE_PART when a piece lies outside the disk, ERR_LIMIT past BLOCKLIST_PIECES_MAX.
 */
struct err blocklist_open(struct file *f, struct disk *disk, const char *list, struct arena *a);

#endif
