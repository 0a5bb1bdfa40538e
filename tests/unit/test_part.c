/* SPDX-License-Identifier: MIT */
/* core/disk/part.c: what is a partition table, what is none, and what is a damaged one. */
#include <stdlib.h>

#include "core/base/bytes.h"
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
    free(d);
}

static void put_record(uint8_t *disk, uint32_t lba)
{
    disk[lba * 512 + 510] = 0x55;
    disk[lba * 512 + 511] = 0xaa;
}

/* A disk with an extended partition of the sectors 20 to 119, and its records in 20, 40 and 30. */
static uint8_t *disk_with_chain(void)
{
    uint8_t *d = empty_disk();

    put_entry(d, 0, 0x80, 0x83, 1, 7);
    put_entry(d, 1, 0, 0x05, 20, 100);
    put_entry(d, 3, 0, 0x83, 10, 5);
    put_record(d, 20);
    put_entry(d + 20 * 512, 0, 0, 0x83, 1, 5); /* 21 to 25 */
    put_entry(d + 20 * 512, 1, 0, 0x05, 20, 20);
    put_record(d, 40);
    put_entry(d + 40 * 512, 0, 0x80, 0x8e, 2, 6); /* 42 to 47 */
    put_entry(d + 40 * 512, 1, 0, 0x0f, 10, 10);
    put_record(d, 30);
    put_entry(d + 30 * 512, 0, 0, 0x82, 1, 9); /* 31 to 39 */
    return d;
}

static void reads_logicals(void)
{
    static const struct {
        uint32_t index, lba, nr;
        uint8_t type;
    } want[] = {{0, 1, 7, 0x83},  {1, 20, 100, 5},  {3, 10, 5, 0x83},
                {4, 21, 5, 0x83}, {5, 42, 6, 0x8e}, {6, 31, 9, 0x82}};
    uint8_t *d = disk_with_chain();
    struct part_table t;

    CHECK_OK(scan(d, 512, &t));
    CHECK_U64(t.nr_parts, ARRAY_LEN(want));
    CHECK_U64(t.nr_notes, 0);
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        CHECK_U64(t.parts[i].index, want[i].index);
        CHECK_U64(t.parts[i].off_bytes, want[i].lba * 512);
        CHECK_U64(t.parts[i].len_bytes, want[i].nr * 512);
        CHECK_U64(t.parts[i].mbr_type, want[i].type);
        CHECK(t.parts[i].extended == (want[i].type == 5));
        CHECK_OK(t.parts[i].bad);
    }
    CHECK(t.parts[4].active);
    /* Third and fourth entries count where they lie inside; an overlap is the later one's fault. */
    put_entry(d + 30 * 512, 2, 0, 0x83, 9, 1);
    put_entry(d + 30 * 512, 3, 0, 0x83, 9, 2);
    CHECK_OK(scan(d, 512, &t));
    CHECK_U64(t.nr_parts, ARRAY_LEN(want) + 1);
    CHECK_U64(t.parts[6].index, 7);
    check_bad(&t.parts[6], "Error 5: Partition table invalid or corrupt: hd0 (partition 7 overlaps "
                           "partition 6)");
    free(d);
}

static void check_note(const struct part_table *t, const char *want)
{
    char line[300];
    struct text text = text_on(line, sizeof(line));

    CHECK_U64(t->nr_notes, 1);
    part_note_text(&text, &t->notes[0]);
    CHECK_STR(line, want);
}

static void ends_bad_chains(void)
{
    uint8_t *d = disk_with_chain();
    struct part_table t;
    struct mem_disk m;

    put_entry(d + 30 * 512, 1, 0, 5, 20, 20); /* back to 40 */
    CHECK_OK(scan(d, 512, &t));
    CHECK_U64(t.nr_parts, 6);
    check_note(&t, "logical partitions further on are not known: Error 5: Partition table invalid "
                   "or corrupt: the chain goes back, at byte 15360");
    put_entry(d + 30 * 512, 1, 0, 5, 0, 20); /* to the first record */
    CHECK_OK(scan(d, 512, &t));
    CHECK_U64(t.nr_parts, 6);
    CHECK_U64(t.nr_notes, 1);
    d[40 * 512 + 510] = 0;
    CHECK_OK(scan(d, 512, &t));
    CHECK_U64(t.nr_parts, 4);
    check_note(&t, "the chain of logical partitions is broken: Error 5: Partition table invalid or "
                   "corrupt: a record of the extended partition does not end in 55 AA, at byte "
                   "20480");
    put_entry(d + 20 * 512, 1, 0, 5, UINT32_MAX, UINT32_MAX); /* past the end */
    CHECK_OK(scan(d, 512, &t));
    CHECK_U64(t.nr_parts, 4);
    CHECK_ERR(t.notes[0].why, ERR_OUTSIDE_PART);
    put_entry(d + 20 * 512, 1, 0, 5, 20, 20);
    mem_disk_init(&m, d, SIZE, 512);
    m.fail_off_bytes = 40 * 512;
    CHECK_OK(part_scan(&m.disk, &t));
    CHECK_U64(t.nr_parts, 4);
    CHECK_ERR(t.notes[0].why, ERR_READ);
    free(d);
}

/* As many logical partitions as fit into the table, and more; then a chain without any. */
static void caps_the_chain(void)
{
    size_t size = (size_t)512 * 512;
    uint8_t *d = aligned_alloc(4096, size);
    struct part_table t;
    struct mem_disk m;

    memset(d, 0, size);
    put_record(d, 0);
    put_entry(d, 0, 0, 0x85, 1, 511);
    for (uint32_t i = 0; i < 255; i++) {
        put_record(d, 1 + 2 * i);
        put_entry(d + (1 + 2 * i) * 512, 0, 0, 0x83, 1, 1);
        put_entry(d + (1 + 2 * i) * 512, 1, 0, 0x85, 2 * (i + 1), 2);
    }
    mem_disk_init(&m, d, size, 512);
    CHECK_OK(part_scan(&m.disk, &t));
    CHECK_U64(t.nr_parts, PART_MAX);
    CHECK_U64(t.parts[PART_MAX - 1].index, PART_MAX + 2);
    check_note(&t, "not all partitions are known: Error: Limit reached: the table has more than "
                   "128");
    for (uint32_t i = 0; i < 255; i++)
        put_entry(d + (1 + 2 * i) * 512, 0, 0, 0, 0, 0);
    CHECK_OK(part_scan(&m.disk, &t));
    CHECK_U64(t.nr_parts, 1);
    CHECK_U64(t.nr_notes, 1);
    CHECK_ERR(t.notes[0].why, ERR_LIMIT);
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
    RUN(reads_logicals);
    RUN(ends_bad_chains);
    RUN(caps_the_chain);
    RUN(survives_odd_disks);
    return test_done();
}
