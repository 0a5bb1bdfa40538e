/* SPDX-License-Identifier: MIT */
/*
 * Fuzz the partition tables: 9 bytes choose the disk's sector and size, the rest is its start.
 * Whatever is accepted must keep part.h's promises.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/disk/part.h"
#include "tests/unit/support.h"
#include "tests/fuzz/must.h"

#define START_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_table(struct disk *d, const struct part_table *t)
{
    must(strcmp(t->scheme, "mbr") == 0 ? t->nr_parts > 0 : t->nr_parts == 0, "scheme");
    must(t->nr_parts <= PART_MAX, "count");
    for (uint32_t i = 0; i < t->nr_parts; i++) {
        const struct part *p = &t->parts[i];
        struct disk w;

        must(i == 0 || p->index > t->parts[i - 1].index, "ascending");
        must(!failed(p->bad) || p->bad.code == ERR_BAD_PART_TABLE, "bad or not");
        if (failed(p->bad))
            continue;
        must(in_range(p->off_bytes, p->len_bytes, d->size_bytes), "inside the disk");
        must(!failed(disk_window(&w, d, p->off_bytes, p->len_bytes, "w")), "a window");
        must(w.size_bytes == p->len_bytes, "whole sectors");
        for (uint32_t k = 0; k < i; k++)
            must(failed(t->parts[k].bad) ||
                     p->off_bytes >= t->parts[k].off_bytes + t->parts[k].len_bytes ||
                     t->parts[k].off_bytes >= p->off_bytes + p->len_bytes,
                 "no overlap");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(4096) uint8_t start[START_BYTES];
    struct mem_disk m;
    struct part_table t;

    if (size < 9)
        return 0;
    uint32_t sector = data[0] & 1 ? 4096 : 512;
    uint64_t disk_bytes = le64(data + 1);

    if (data[0] & 2)
        disk_bytes >>= 20;
    disk_bytes -= disk_bytes % sector;
    memset(start, 0, sizeof(start));
    memcpy(start, data + 9, min_u64(size - 9, sizeof(start)));
    mem_disk_init(&m, start, disk_bytes, sector); /* only its first sector is read */
    if (!failed(part_scan(&m.disk, &t)))
        check_table(&m.disk, &t);
    return 0;
}
