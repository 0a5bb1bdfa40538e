/* SPDX-License-Identifier: MIT */
/* core/disk/part.c: what is a partition table, what is none, and what is a damaged one. */
#include <stdlib.h>

#include "core/disk/part.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"

#define SIZE ((size_t)64 * 1024)

static uint8_t *empty_disk(void)
{
    uint8_t *p = aligned_alloc(4096, SIZE);

    memset(p, 0, SIZE);
    p[510] = 0x55;
    p[511] = 0xaa;
    return p;
}

static void put_entry(uint8_t *disk, int i, uint8_t status, uint8_t type, uint32_t lba, uint32_t nr)
{
    uint8_t *e = disk + 446 + 16 * i;

    e[0] = status;
    e[4] = type;
    for (int b = 0; b < 4; b++) {
        e[8 + b] = (uint8_t)(lba >> 8 * b);
        e[12 + b] = (uint8_t)(nr >> 8 * b);
    }
}

static struct err scan(uint8_t *data, uint32_t sector, struct part_table *t)
{
    struct mem_disk m;

    mem_disk_init(&m, data, SIZE, sector);
    return part_scan(&m.disk, t);
}

static void reads_primaries(void)
{
    uint8_t *d = empty_disk();
    struct part_table t;

    put_entry(d, 0, 0x80, 0x83, 1, 7);
    put_entry(d, 2, 0x00, 0x82, 8, 8);
    CHECK_OK(scan(d, 512, &t));
    CHECK_STR(t.scheme, "mbr");
    CHECK_U64(t.nr_parts, 2);
    CHECK_U64(t.parts[0].index, 0);
    CHECK_U64(t.parts[0].off_bytes, 512);
    CHECK_U64(t.parts[0].len_bytes, 7 * 512);
    CHECK(t.parts[0].active);
    CHECK_U64(t.parts[1].index, 2);
    CHECK_U64(t.parts[1].mbr_type, 0x82);
    CHECK(!t.parts[1].active);
    /* The unit is the disk's sector. */
    CHECK_OK(scan(d, 4096, &t));
    CHECK_U64(t.parts[0].off_bytes, 4096);
    CHECK_U64(t.parts[1].len_bytes, 8 * 4096);
    free(d);
}

static void tells_tables_from_others(void)
{
    uint8_t *d = empty_disk();
    struct part_table t;

    CHECK_OK(scan(d, 512, &t)); /* no entries */
    CHECK_STR(t.scheme, "none");
    put_entry(d, 0, 0x80, 0x83, 1, 7);
    d[510] = 0;
    CHECK_OK(scan(d, 512, &t));
    CHECK_STR(t.scheme, "none");
    CHECK_U64(t.nr_parts, 0);
    d[510] = 0x55;
    put_entry(d, 3, 0x37, 0x20, 0x65206874, 0x6f6e6520); /* "7 the one": text of a boot sector */
    CHECK_OK(scan(d, 512, &t));
    CHECK_STR(t.scheme, "none");
    put_entry(d, 3, 0, 0, 0, 0);
    memcpy(d + 54, "FAT16   ", 8);
    CHECK_OK(scan(d, 512, &t));
    CHECK_STR(t.scheme, "none");
    free(d);
}

static void check_bad(const struct part *p, const char *want)
{
    char text[200];

    CHECK_ERR(p->bad, ERR_BAD_PART_TABLE);
    err_format(p->bad, "hd0", text, sizeof(text));
    CHECK_STR(text, want);
}

/* A bad entry costs nobody else the boot. */
static void names_the_damaged_entry(void)
{
    uint8_t *d = empty_disk();
    struct part_table t;

    put_entry(d, 0, 0x80, 0x83, 1, 7);
    put_entry(d, 1, 0, 0x83, 100, 29);
    put_entry(d, 2, 0, 0x83, 110, 2); /* inside the bad one, which does not count */
    CHECK_OK(scan(d, 512, &t));
    CHECK_U64(t.nr_parts, 3);
    CHECK_OK(t.parts[0].bad);
    CHECK_OK(t.parts[2].bad);
    check_bad(&t.parts[1],
              "Error 5: Partition table invalid or corrupt: hd0 (partition 1 reaches past the "
              "end of the disk, which has 65536 bytes)");
    put_entry(d, 2, 0, 0, 0, 0);
    put_entry(d, 1, 0, 0x83, 100, 28);
    CHECK_OK(scan(d, 512, &t));
    CHECK_OK(t.parts[1].bad);
    put_entry(d, 1, 0, 0x83, UINT32_MAX, UINT32_MAX);
    CHECK_OK(scan(d, 4096, &t));
    CHECK_OK(t.parts[0].bad);
    CHECK_ERR(t.parts[1].bad, ERR_BAD_PART_TABLE);
    put_entry(d, 1, 0, 0x83, 7, 5);
    CHECK_OK(scan(d, 512, &t));
    CHECK_OK(t.parts[0].bad);
    check_bad(&t.parts[1], "Error 5: Partition table invalid or corrupt: hd0 (partition 1 overlaps "
                           "partition 0)");
    put_entry(d, 1, 0, 0xee, 8, 5);
    CHECK_ERR(scan(d, 512, &t), ERR_REFUSED);
    free(d);
}

static void survives_odd_disks(void)
{
    uint8_t *d = empty_disk();
    struct part_table t;
    struct mem_disk m;

    mem_disk_init(&m, d, 0, 512);
    CHECK_OK(part_scan(&m.disk, &t));
    CHECK_STR(t.scheme, "none");
    mem_disk_init(&m, d, SIZE, 512);
    m.fail_off_bytes = 0;
    CHECK_ERR(part_scan(&m.disk, &t), ERR_READ);
    free(d);
}

int main(void)
{
    RUN(reads_primaries);
    RUN(tells_tables_from_others);
    RUN(names_the_damaged_entry);
    RUN(survives_odd_disks);
    return test_done();
}
