/* SPDX-License-Identifier: MIT */
/*
 * The IBM PC master boot record: four primary entries. Logical partitions are not read yet: the
 * extended partition shows up as an entry that nothing can be mounted from.
 */
#include "core/disk/mbr.h"

#include <string.h>

#include "core/base/bytes.h"

#define NR_ENTRIES      4
#define TYPE_EMPTY      0x00
#define TYPE_PROTECTIVE 0xee /* the disk has a GUID partition table */

struct mbr_disk_entry {
    uint8_t status;
    uint8_t chs_first[3];
    uint8_t type;
    uint8_t chs_last[3];
    uint8_t lba_first[4];
    uint8_t nr_sectors[4];
};
STATIC_ASSERT(sizeof(struct mbr_disk_entry) == 16, "an entry of the table is 16 bytes");

struct mbr_disk {
    uint8_t code[446];
    struct mbr_disk_entry entries[NR_ENTRIES];
    uint8_t signature[2];
};
STATIC_ASSERT(sizeof(struct mbr_disk) == 512, "a boot record is 512 bytes");
STATIC_ASSERT(offsetof(struct mbr_disk, signature) == 510, "55 AA ends it");

/* The boot sector of a FAT or NTFS volume ends in 55 AA too, and has code where entries would be.
 */
static bool is_volume_boot_sector(const uint8_t *sector)
{
    return memcmp(sector + 3, "NTFS    ", 8) == 0 || memcmp(sector + 54, "FAT1", 4) == 0 ||
           memcmp(sector + 82, "FAT32   ", 8) == 0 || memcmp(sector + 3, "EXFAT   ", 8) == 0;
}

static bool looks_like_table(const struct mbr_disk *mbr)
{
    bool used = false;

    if (mbr->signature[0] != 0x55 || mbr->signature[1] != 0xaa)
        return false;
    for (uint32_t i = 0; i < NR_ENTRIES; i++) {
        const struct mbr_disk_entry *e = &mbr->entries[i];

        if (e->status != 0x00 && e->status != 0x80)
            return false;
        if (e->type != TYPE_EMPTY && le32(e->nr_sectors) != 0)
            used = true;
    }
    return used;
}

/*
 * What makes an entry unusable, or OK. The entries before it that are usable come first: of two
 * that overlap it is the later one that is refused. Numbers in these messages are GRUB's, from 0.
 */
static struct err check(const struct disk *d, const struct part_table *t, const struct part *p)
{
    if (!in_range(p->off_bytes, p->len_bytes, d->size_bytes))
        return ERR2(ERR_BAD_PART_TABLE,
                    "partition %a reaches past the end of the disk, which has %b bytes", p->index,
                    d->size_bytes);
    for (uint32_t i = 0; i < t->nr_parts; i++) {
        const struct part *q = &t->parts[i];

        if (!failed(q->bad) && p->off_bytes < q->off_bytes + q->len_bytes &&
            q->off_bytes < p->off_bytes + p->len_bytes)
            return ERR2(ERR_BAD_PART_TABLE, "partition %b overlaps partition %a", q->index,
                        p->index);
    }
    return OK;
}

struct err mbr_scan(const struct disk *d, const uint8_t sector[512], struct part_table *out)
{
    const struct mbr_disk *mbr = (const struct mbr_disk *)sector;

    if (!looks_like_table(mbr) || is_volume_boot_sector(sector))
        return ERR(ERR_NOT_MINE, "no master boot record");
    out->scheme = "mbr";
    out->nr_parts = 0;
    for (uint32_t i = 0; i < NR_ENTRIES; i++) {
        const struct mbr_disk_entry *e = &mbr->entries[i];
        struct part p = {.index = i,
                         .mbr_type = e->type,
                         .active = e->status == 0x80,
                         .off_bytes = (uint64_t)le32(e->lba_first) * d->sector_bytes,
                         .len_bytes = (uint64_t)le32(e->nr_sectors) * d->sector_bytes};

        if (p.mbr_type == TYPE_PROTECTIVE)
            return ERR(ERR_REFUSED, "the disk has a GUID partition table (GPT), which is not read; "
                                    "use an MBR table or no table");
        if (p.mbr_type == TYPE_EMPTY || p.len_bytes == 0)
            continue;
        p.bad = check(d, out, &p);
        out->parts[out->nr_parts++] = p;
    }
    return OK;
}
