/* SPDX-License-Identifier: MIT */
/*
 * Partition tables: the IBM PC's master boot record with primary and logical partitions, and the
 * GUID partition table (GPT) with its backup. A table more is a file more beside mbr.c and gpt.c.
 */
#ifndef PVBOOT_DISK_PART_H
#define PVBOOT_DISK_PART_H

#include "core/base/text.h"
#include "core/disk/disk.h"

#define PART_MAX       128
#define PART_NAME_MAX  112 /* 36 UTF-16 units as UTF-8, and the terminator */
#define PART_NOTES_MAX 6

struct part {
    uint32_t index; /* GRUB 0.97's number: MBR 0..3 primary, from 4 on logical; GPT: the slot */
    bool active;
    bool extended; /* an MBR entry that only holds logical partitions */
    uint64_t off_bytes, len_bytes;
    struct err bad; /* OK, or ERR_BAD_PART_TABLE naming the entry: not to be used */

    uint8_t mbr_type; /* 0 in a GPT */
    /* In a GPT only; the bytes of GUIDs as they are written. */
    uint8_t type_guid[16], guid[16];
    char name[PART_NAME_MAX];
};

/* What there is to say about a table that can be used all the same. */
struct part_note {
    const char *text;
    struct err why; /* OK: the text says it all */
};

struct part_table {
    const char *scheme;  /* "mbr", "gpt", or "none": a whole-disk file system or nothing */
    uint32_t unit_bytes; /* the sector that the table counts in; "none": 0 */
    uint32_t nr_parts;   /* used entries, ascending index */
    struct part parts[PART_MAX];
    uint32_t nr_notes;
    struct part_note notes[PART_NOTES_MAX];
};

/*
 * Read the disk's partition table. No table is success with scheme "none". A boot sector of a file
 * system that merely carries 55 AA (FAT, NTFS, ext with a boot loader) is told from a table by its
 * entries: their status bytes are 0x00 or 0x80. An entry that reaches past the end of the disk, or
 * overlaps a usable one before it, is in the table and marked as bad: the others stay usable.
 *
 * An MBR with an entry of type 0xee announces a GPT; then its other entries (a hybrid) mean
 * nothing, as in Linux and GRUB. A GPT is found where the disk's sector size puts it, or where the
 * other usual one (512, 4096) would; the backup counts when the first is damaged. Which of these
 * was so is in the notes. ERR_BAD_PART_TABLE when neither can be used.
 */
struct err part_scan(struct disk *d, struct part_table *out);

/* The entry's type for people: "0x83", "Linux filesystem", or a GUID that is not well known. */
void part_type(struct text *t, const struct part *p);

/* A note as one line, without the disk's name. */
void part_note_text(struct text *t, const struct part_note *note);

#endif
