/* SPDX-License-Identifier: MIT */
/* Finds out which partition table a disk has; the formats are in files of their own. */
#include "core/disk/part.h"

#include "core/disk/mbr.h"

struct err part_scan(struct disk *d, struct part_table *out)
{
    uint8_t sector[512];

    out->scheme = "none";
    out->nr_parts = 0;
    if (d->size_bytes < sizeof(sector))
        return OK;
    TRY(disk_read(d, 0, sector, sizeof(sector)));
    struct err e = mbr_scan(d, sector, out);

    return e.code == ERR_NOT_MINE ? OK : e;
}
