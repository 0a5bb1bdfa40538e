/* SPDX-License-Identifier: MIT */
/* The formats of partition tables, which part.c asks, and what they share. */
#ifndef PVBOOT_DISK_TABLE_H
#define PVBOOT_DISK_TABLE_H

#include "core/base/bytes.h"
#include "core/disk/part.h"

#define MBR_NR_ENTRIES 4

/* An entry of a master boot record, or of a record in an extended partition. */
struct mbr_entry_disk {
    uint8_t status;
    uint8_t chs_first[3];
    uint8_t type;
    uint8_t chs_last[3];
    uint8_t lba_first[4];
    uint8_t nr_sectors[4];
};
STATIC_ASSERT(sizeof(struct mbr_entry_disk) == 16, "an entry of the table is 16 bytes");

struct mbr_disk {
    uint8_t code[446];
    struct mbr_entry_disk entries[MBR_NR_ENTRIES];
    uint8_t signature[2];
};
STATIC_ASSERT(sizeof(struct mbr_disk) == 512, "a boot record is 512 bytes");
STATIC_ASSERT(offsetof(struct mbr_disk, signature) == 510, "55 AA ends it");

static inline bool mbr_has_signature(const struct mbr_disk *mbr)
{
    return mbr->signature[0] == 0x55 && mbr->signature[1] == 0xaa;
}

static inline bool mbr_is_used(const struct mbr_entry_disk *e)
{
    return e->type != 0 && le32(e->nr_sectors) != 0;
}

static inline bool mbr_is_extended(const struct mbr_entry_disk *e)
{
    return mbr_is_used(e) && (e->type == 0x05 || e->type == 0x0f || e->type == 0x85);
}

/* Is the disk's first sector a master boot record, and not the boot sector of a volume? */
bool mbr_is_table(const struct mbr_disk *mbr);

/* The entry that announces a GPT, or NULL. */
const struct mbr_entry_disk *mbr_protective(const struct mbr_disk *mbr);

void mbr_scan(struct disk *d, const struct mbr_disk *mbr, struct part_table *out);

/* The logical partitions of the extended one that begins at first_lba; *index: the next number. */
void mbr_scan_logical(struct disk *d, uint64_t first_lba, uint64_t nr_sectors, uint32_t *index,
                      struct part_table *out);

/* mbr: the record that announces the GPT. */
struct err gpt_scan(struct disk *d, const struct mbr_disk *mbr, struct part_table *out);

/* Add an entry, and mark it as bad if it is. False: there is no room, which becomes a note. */
bool part_add(const struct disk *d, struct part_table *t, const struct part *p);

void part_say(struct part_table *t, const char *text, struct err why);

#endif
