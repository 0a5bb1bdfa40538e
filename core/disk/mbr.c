/* SPDX-License-Identifier: MIT */
/*
 * The IBM PC master boot record: four entries of 16 bytes at 446, 55 AA at 510. Its numbers count
 * the disk's own sectors.
 */
#include <string.h>

#include "core/disk/table.h"

#define TYPE_PROTECTIVE 0xee

/* The boot sector of a FAT or NTFS volume ends in 55 AA too, and has code where entries would be.
 */
static bool is_volume_boot_sector(const uint8_t *sector)
{
    return memcmp(sector + 3, "NTFS    ", 8) == 0 || memcmp(sector + 54, "FAT1", 4) == 0 ||
           memcmp(sector + 82, "FAT32   ", 8) == 0 || memcmp(sector + 3, "EXFAT   ", 8) == 0;
}

bool mbr_is_table(const struct mbr_disk *mbr)
{
    bool used = false;

    if (!mbr_has_signature(mbr) || is_volume_boot_sector(mbr->code))
        return false;
    for (uint32_t i = 0; i < MBR_NR_ENTRIES; i++) {
        const struct mbr_entry_disk *e = &mbr->entries[i];

        if (e->status != 0x00 && e->status != 0x80)
            return false;
        if (mbr_is_used(e))
            used = true;
    }
    return used;
}

const struct mbr_entry_disk *mbr_protective(const struct mbr_disk *mbr)
{
    for (uint32_t i = 0; i < MBR_NR_ENTRIES; i++) {
        if (mbr_is_used(&mbr->entries[i]) && mbr->entries[i].type == TYPE_PROTECTIVE)
            return &mbr->entries[i];
    }
    return NULL;
}

void mbr_scan(struct disk *d, const struct mbr_disk *mbr, struct part_table *out)
{
    uint32_t index = MBR_NR_ENTRIES;

    out->scheme = "mbr";
    out->unit_bytes = d->sector_bytes;
    for (uint32_t i = 0; i < MBR_NR_ENTRIES; i++) {
        const struct mbr_entry_disk *e = &mbr->entries[i];
        struct part p = {.index = i,
                         .mbr_type = e->type,
                         .active = e->status == 0x80,
                         .extended = mbr_is_extended(e),
                         .off_bytes = (uint64_t)le32(e->lba_first) * d->sector_bytes,
                         .len_bytes = (uint64_t)le32(e->nr_sectors) * d->sector_bytes};

        if (mbr_is_used(e))
            (void)part_add(d, out, &p); /* there is room for four */
    }
    for (uint32_t i = 0; i < MBR_NR_ENTRIES; i++) {
        const struct mbr_entry_disk *e = &mbr->entries[i];

        if (mbr_is_extended(e))
            mbr_scan_logical(d, le32(e->lba_first), le32(e->nr_sectors), &index, out);
    }
}
