/* SPDX-License-Identifier: MIT */
/*
 * Logical partitions: a chain of records, each like a master boot record, inside an extended
 * partition. As Linux and GRUB read them:
 *
 *   - an entry of an ordinary type is a logical partition; it counts from its own record;
 *   - the first entry of an extended type leads to the next record; it counts from the start of
 *     the (outermost) extended partition;
 *   - the third and fourth entry are used by few tools; they count only if they lie inside both.
 *
 * The numbers 4, 5, ... follow the chain, not the disk.
 */
#include "core/disk/table.h"

#define CHAIN_MAX 128 /* records in an extended partition */

struct chain {
    struct disk *disk;
    uint64_t first_lba, nr_sectors;    /* the extended partition */
    uint64_t lba, nr_here;             /* the record at hand, and what belongs to it */
    uint32_t nr_seen, seen[CHAIN_MAX]; /* records so far, from first_lba */
};

static bool is_logical(const struct chain *c, const struct mbr_entry_disk *e, uint32_t slot)
{
    uint64_t first = le32(e->lba_first), nr = le32(e->nr_sectors);

    if (!mbr_is_used(e) || mbr_is_extended(e))
        return false;
    return slot < 2 || (in_range(first, nr, c->nr_here) &&
                        in_range(c->lba - c->first_lba + first, nr, c->nr_sectors));
}

/* To the next record; false at the end of the chain, which is in the notes if it is no good one. */
static bool next_record(struct chain *c, const struct mbr_disk *record, struct part_table *out)
{
    static const char cut[] = "logical partitions further on are not known";
    const struct mbr_entry_disk *link = NULL;
    uint64_t here_bytes = c->lba * c->disk->sector_bytes;

    for (uint32_t i = 0; i < MBR_NR_ENTRIES && link == NULL; i++) {
        if (mbr_is_extended(&record->entries[i]))
            link = &record->entries[i];
    }
    if (link == NULL)
        return false;
    if (c->nr_seen == CHAIN_MAX) {
        part_say(out, cut, ERR_AT(ERR_LIMIT, here_bytes, "a chain of more than %a", CHAIN_MAX, 0));
        return false;
    }
    for (uint32_t i = 0; i < c->nr_seen; i++) {
        if (c->seen[i] == le32(link->lba_first)) {
            part_say(out, cut, ERR_AT(ERR_BAD_PART_TABLE, here_bytes, "the chain goes back", 0, 0));
            return false;
        }
    }
    c->seen[c->nr_seen++] = le32(link->lba_first);
    c->lba = c->first_lba + le32(link->lba_first);
    c->nr_here = le32(link->nr_sectors);
    return true;
}

void mbr_scan_logical(struct disk *d, uint64_t first_lba, uint64_t nr_sectors, uint32_t *index,
                      struct part_table *out)
{
    struct chain c = {.disk = d,
                      .first_lba = first_lba,
                      .nr_sectors = nr_sectors,
                      .lba = first_lba,
                      .nr_here = nr_sectors,
                      .nr_seen = 1};
    struct mbr_disk record;

    do {
        struct err e = disk_read(d, c.lba * d->sector_bytes, &record, sizeof(record));

        if (!failed(e) && !mbr_has_signature(&record))
            e = ERR_AT(ERR_BAD_PART_TABLE, c.lba * d->sector_bytes,
                       "a record of the extended partition does not end in 55 AA", 0, 0);
        if (failed(e)) {
            part_say(out, "the chain of logical partitions is broken", e);
            return;
        }
        for (uint32_t i = 0; i < MBR_NR_ENTRIES; i++) {
            const struct mbr_entry_disk *entry = &record.entries[i];
            struct part p = {.index = *index,
                             .mbr_type = entry->type,
                             .active = entry->status == 0x80,
                             .off_bytes = (c.lba + le32(entry->lba_first)) * d->sector_bytes,
                             .len_bytes = (uint64_t)le32(entry->nr_sectors) * d->sector_bytes};

            if (!is_logical(&c, entry, i))
                continue;
            if (!part_add(d, out, &p))
                return;
            (*index)++;
        }
    } while (next_record(&c, &record, out));
}
