/* SPDX-License-Identifier: MIT */
/*
 * Partition tables. For now MBR primary partitions; more tables are more files beside mbr.c.
 * Format: the IBM PC master boot record: four 16-byte entries at 446, 55 AA at 510.
 */
#ifndef PVBOOT_DISK_PART_H
#define PVBOOT_DISK_PART_H

#include "core/disk/disk.h"

#define PART_MAX 128

struct part {
    uint32_t index; /* GRUB 0.97's number: 0..3 for primaries */
    uint8_t mbr_type;
    bool active;
    uint64_t off_bytes, len_bytes;
    struct err bad; /* OK, or ERR_BAD_PART_TABLE naming the entry: not to be used */
};

struct part_table {
    const char *scheme; /* "mbr", or "none": a whole-disk file system or nothing */
    uint32_t nr_parts;  /* used entries, ascending index */
    struct part parts[PART_MAX];
};

/*
 * Read the disk's partition table. No table is success with scheme "none". A boot sector of a file
 * system that merely carries 55 AA (FAT, NTFS, ext with a boot loader) is told from a table by its
 * entries: their status bytes are 0x00 or 0x80. An entry that reaches past the end of the disk, or
 * overlaps a usable one before it, is in the table and marked as bad: the others stay usable. LBA
 * unit = the disk's sector size.
 */
struct err part_scan(struct disk *d, struct part_table *out);

#endif
