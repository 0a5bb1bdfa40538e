/* SPDX-License-Identifier: MIT */
/* core/disk/gpt.c: tables, their backups, and what is wrong with them. Checksums are zlib's. */
#include <stdlib.h>

#include <zlib.h>

#include "core/base/bytes.h"
#include "core/base/crc32.h"
#include "core/disk/part.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"

#define SIZE      ((size_t)256 * 1024)
#define NR_SLOTS  16
#define NAME_BYTE 56

static const uint8_t linux_type[16] = {0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47,
                                       0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4};

/* A disk and what its table is made of. */
struct maker {
    uint8_t *disk;
    uint32_t unit, entry_bytes, nr_slots;
    uint8_t entries[NR_SLOTS * 512];
};

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static void put64(uint8_t *p, uint64_t v)
{
    put32(p, (uint32_t)v);
    put32(p + 4, (uint32_t)(v >> 32));
}

static uint32_t zlib_crc(const uint8_t *p, size_t len)
{
    return (uint32_t)crc32(crc32(0, NULL, 0), p, (uInt)len);
}

static void put_mbr_entry(uint8_t *disk, int i, uint8_t type, uint32_t lba, uint32_t nr)
{
    uint8_t *e = disk + 446 + 16 * i;

    e[4] = type;
    put32(e + 8, lba);
    put32(e + 12, nr);
}

static struct maker maker(uint32_t unit, uint32_t entry_bytes)
{
    struct maker m = {.unit = unit, .entry_bytes = entry_bytes, .nr_slots = NR_SLOTS};

    m.disk = aligned_alloc(4096, SIZE);
    memset(m.disk, 0, SIZE);
    m.disk[510] = 0x55;
    m.disk[511] = 0xaa;
    put_mbr_entry(m.disk, 0, 0xee, 1, (uint32_t)(SIZE / unit - 1));
    return m;
}

static uint8_t *put_part(struct maker *m, uint32_t slot, uint64_t first, uint64_t last)
{
    uint8_t *e = m->entries + slot * m->entry_bytes;

    memcpy(e, linux_type, 16);
    memset(e + 16, (int)slot + 1, 16);
    put64(e + 32, first);
    put64(e + 40, last);
    return e;
}

static void seal(uint8_t *header, uint32_t header_bytes)
{
    put32(header + 16, 0);
    put32(header + 16, zlib_crc(header, header_bytes));
}

static void put_header(struct maker *m, uint64_t lba, uint64_t other, uint64_t entries_lba)
{
    static const char magic[12] = {'E', 'F', 'I', ' ', 'P', 'A', 'R', 'T', 0, 0, 1, 0};
    uint8_t *h = m->disk + lba * m->unit;
    uint32_t bytes = m->entry_bytes * m->nr_slots;

    memcpy(h, magic, sizeof(magic));
    put32(h + 12, 92);
    put64(h + 24, lba);
    put64(h + 32, other);
    put64(h + 72, entries_lba);
    put32(h + 80, m->nr_slots);
    put32(h + 84, m->entry_bytes);
    put32(h + 88, zlib_crc(m->entries, bytes));
    memcpy(m->disk + entries_lba * m->unit, m->entries, bytes);
    seal(h, 92);
}

static void put_tables(struct maker *m)
{
    uint64_t last = SIZE / m->unit - 1;

    put_header(m, 1, last, 2);
    put_header(m, last, 1, last - 16);
}

static struct err scan(struct maker *m, uint64_t size_bytes, uint32_t sector, struct part_table *t)
{
    struct mem_disk d;

    mem_disk_init(&d, m->disk, size_bytes, sector);
    return part_scan(&d.disk, t);
}

static void check_note(const struct part_table *t, uint32_t i, const char *want)
{
    char line[300] = "";
    struct text text = text_on(line, sizeof(line));

    CHECK(i < t->nr_notes);
    if (i < t->nr_notes)
        part_note_text(&text, &t->notes[i]);
    CHECK_STR(line, want);
}

static void crc_is_zlibs(void)
{
    uint8_t data[300];

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * i >> 3);
    for (size_t len = 0; len <= sizeof(data); len += 7)
        CHECK_U64(~crc32_ieee(CRC32_START, data, len), zlib_crc(data, len));
}

static void reads_a_table(void)
{
    /* Two bytes, three, four (a pair), half of a pair. */
    static const uint8_t name[14] = {'b',  0,    0xf6, 0,    0x22, 0x6f, 0x3d,
                                     0xd8, 0x00, 0xde, 0x00, 0xd8, '!',  0};
    struct maker m = maker(512, 128);
    struct part_table t;
    char type[64];
    struct text text = text_on(type, sizeof(type));
    uint8_t *e;

    put_part(&m, 0, 60, 69);
    e = put_part(&m, 5, 40, 49);
    e[48] = 4;
    memcpy(e + NAME_BYTE, name, sizeof(name));
    e = put_part(&m, 7, 80, 80);
    e[0] = 1;
    put_tables(&m);
    CHECK_OK(scan(&m, SIZE, 512, &t));
    CHECK_STR(t.scheme, "gpt");
    CHECK_U64(t.unit_bytes, 512);
    CHECK_U64(t.nr_notes, 0);
    CHECK_U64(t.nr_parts, 3);
    CHECK_U64(t.parts[0].index, 0);
    CHECK_U64(t.parts[0].off_bytes, 60 * 512);
    CHECK_U64(t.parts[0].len_bytes, 10 * 512);
    CHECK(!t.parts[0].active);
    CHECK_STR(t.parts[0].name, "");
    CHECK_U64(t.parts[1].index, 5);
    CHECK(t.parts[1].active);
    CHECK_STR(t.parts[1].name, "b\xc3\xb6\xe6\xbc\xa2\xf0\x9f\x98\x80\xef\xbf\xbd!");
    CHECK_U64(t.parts[1].guid[3], 6);
    CHECK_U64(t.parts[2].len_bytes, 512);
    part_type(&text, &t.parts[0]);
    CHECK_STR(type, "Linux filesystem");
    text = text_on(type, sizeof(type));
    part_type(&text, &t.parts[2]);
    CHECK_STR(type, "0fc63d01-8483-4772-8e79-3d69d8477de4");
    free(m.disk);
}

static void bad_entries_are_bad_alone(void)
{
    struct maker m = maker(512, 256);
    struct part_table t;

    put_part(&m, 0, 60, 69);
    put_part(&m, 1, 69, 80);   /* overlaps */
    put_part(&m, 2, 500, 512); /* one sector too many */
    put_part(&m, 3, 90, 89);   /* ends before it begins */
    put_part(&m, 4, 0, UINT64_MAX);
    put_part(&m, 5, UINT64_MAX, UINT64_MAX);
    put_part(&m, 6, 500, 511);
    put_tables(&m);
    CHECK_OK(scan(&m, SIZE, 512, &t));
    CHECK_U64(t.nr_parts, 7);
    for (uint32_t i = 0; i < t.nr_parts; i++) {
        CHECK_U64(t.parts[i].index, i);
        CHECK(failed(t.parts[i].bad) == (i != 0 && i != 6));
    }
    free(m.disk);
}

/* What is wrong with the first table, and what the note says of it. */
static void check_backup(struct maker *m, const char *why)
{
    struct part_table t;
    char want[300];

    snprintf(want, sizeof(want), "the backup of the GPT is used: %s", why);
    CHECK_OK(scan(m, SIZE, 512, &t));
    CHECK_U64(t.nr_parts, 1);
    CHECK_U64(t.parts[0].off_bytes, 60 * 512);
    CHECK_U64(t.nr_notes, 1);
    check_note(&t, 0, want);
}

static void uses_the_backup(void)
{
    struct maker m = maker(512, 128);
    uint8_t *h = m.disk + 512;
    struct part_table t;
    struct mem_disk d;

    put_part(&m, 0, 60, 69);
    put_tables(&m);
    m.disk[1024 + 40]++;
    check_backup(&m, "Error 5: Partition table invalid or corrupt: the checksum of the GPT's "
                     "entries is wrong, at byte 512");
    put_tables(&m);
    h[56]++;
    check_backup(&m, "Error 5: Partition table invalid or corrupt: the GPT header's checksum is "
                     "wrong, at byte 512");
    h[24] = 2;
    seal(h, 92);
    check_backup(&m, "Error 5: Partition table invalid or corrupt: the GPT header belongs to "
                     "another place, at byte 512");
    put_tables(&m);
    put32(h + 12, 513);
    check_backup(&m, "Error 5: Partition table invalid or corrupt: the GPT header has an "
                     "impossible length, at byte 512");
    put_tables(&m);
    put32(h + 84, 192);
    seal(h, 92);
    check_backup(&m, "Error 5: Partition table invalid or corrupt: GPT entries of 192 bytes, at "
                     "byte 512");
    put_tables(&m);
    put32(h + 80, UINT32_MAX);
    seal(h, 92);
    check_backup(&m, "Error: Limit reached: a GPT of 549755813760 bytes; at most 1048576 "
                     "are read, at byte 512");
    put_tables(&m);
    put64(h + 72, UINT64_MAX / 512);
    seal(h, 92);
    check_backup(&m, "Error 5: Partition table invalid or corrupt: the GPT's entries lie past the "
                     "end of the disk, at byte 512");
    memset(h, 0, 512);
    check_backup(&m, "Error 5: Partition table invalid or corrupt: no GPT header, at byte 512");
    put_tables(&m);
    mem_disk_init(&d, m.disk, SIZE, 512);
    d.fail_off_bytes = 600;
    CHECK_OK(part_scan(&d.disk, &t));
    CHECK_U64(t.nr_parts, 1);
    CHECK_ERR(t.notes[0].why, ERR_READ);
    free(m.disk);
}

static void finds_the_backup_of_a_grown_disk(void)
{
    struct maker m = maker(512, 128);
    uint64_t small = SIZE / 2, last = small / 512 - 1;
    struct part_table t;

    put_part(&m, 0, 60, 69);
    put_header(&m, last, 1, last - 16);
    /* Only the protective entry knows where it is. */
    put_mbr_entry(m.disk, 0, 0xee, 1, (uint32_t)last);
    CHECK_OK(scan(&m, SIZE, 512, &t));
    CHECK_U64(t.nr_parts, 1);
    CHECK_U64(t.nr_notes, 1);
    /* Only the damaged header does. */
    put_mbr_entry(m.disk, 0, 0xee, 1, UINT32_MAX);
    CHECK_ERR(scan(&m, SIZE, 512, &t), ERR_BAD_PART_TABLE);
    put_header(&m, 1, last, 2);
    m.disk[1024]++;
    CHECK_OK(scan(&m, SIZE, 512, &t));
    CHECK_U64(t.nr_parts, 1);
    free(m.disk);
}

static void says_when_both_are_damaged(void)
{
    struct maker m = maker(512, 128);
    struct part_table t;

    CHECK_ERR(scan(&m, SIZE, 512, &t), ERR_BAD_PART_TABLE);
    CHECK_U64(t.nr_parts, 0);
    CHECK_ERR(scan(&m, 512, 512, &t), ERR_BAD_PART_TABLE);
    put_part(&m, 0, 60, 69);
    put_tables(&m);
    m.disk[512 + 60]++;
    m.disk[SIZE - 512 + 60]++;
    CHECK_ERR(scan(&m, SIZE, 512, &t), ERR_BAD_PART_TABLE);
    CHECK_U64(t.nr_parts, 0);
    put_tables(&m);
    put_mbr_entry(m.disk, 0, 0, 0, 0); /* not announced: nobody looks */
    CHECK_OK(scan(&m, SIZE, 512, &t));
    CHECK_STR(t.scheme, "none");
    free(m.disk);
}

/* Whatever sectors the table was made for, and the disk has. */
static void reads_other_sectors(void)
{
    for (int i = 0; i < 4; i++) {
        uint32_t unit = i & 1 ? 512 : 4096, sector = i & 2 ? 512 : 4096;
        struct maker m = maker(unit, 128);
        struct part_table t;

        put_part(&m, 1, 40960 / unit, 40960 / unit + 8);
        put_part(&m, 2, 102400 / unit + 1, 102400 / unit + 1);
        put_tables(&m);
        for (int damaged = 0; damaged < 2; damaged++) {
            if (damaged)
                m.disk[unit + 60]++;
            CHECK_OK(scan(&m, SIZE, sector, &t));
            CHECK_U64(t.unit_bytes, unit);
            CHECK_U64(t.nr_parts, 2);
            CHECK_U64(t.parts[0].off_bytes, 40960);
            CHECK_U64(t.parts[0].len_bytes, 9 * unit);
            CHECK_OK(t.parts[0].bad);
            /* Not at a sector's start where those of the disk are larger. */
            CHECK(failed(t.parts[1].bad) == (unit < sector));
            CHECK_U64(t.nr_notes, (unit != sector) + damaged);
            if (unit != sector)
                check_note(&t, t.nr_notes - 1,
                           unit == 512 ? "the GPT was made for sectors of 512 bytes, which are not "
                                         "the disk's; it is read as it was made"
                                       : "the GPT was made for sectors of 4096 bytes, which are "
                                         "not the disk's; it is read as it was made");
        }
        free(m.disk);
    }
}

static void a_hybrid_is_a_gpt(void)
{
    struct maker m = maker(512, 128);
    struct part_table t;

    put_part(&m, 3, 60, 69);
    put_tables(&m);
    put_mbr_entry(m.disk, 0, 0x83, 60, 10);
    put_mbr_entry(m.disk, 1, 0xee, 1, 59);
    CHECK_OK(scan(&m, SIZE, 512, &t));
    CHECK_STR(t.scheme, "gpt");
    CHECK_U64(t.nr_parts, 1);
    CHECK_U64(t.parts[0].index, 3);
    check_note(&t, 0,
               "the disk has both a GPT and partitions in its MBR: the GPT counts, the MBR's are "
               "ignored");
    free(m.disk);
}

static void caps_the_partitions(void)
{
    struct maker m = maker(512, 128);
    uint32_t bytes = 200 * 128;
    uint8_t *entries = m.disk + 2 * 512;
    struct part_table t;

    put_tables(&m);
    for (uint32_t i = 0; i < 200; i++) {
        memcpy(entries + i * 128, linux_type, 16);
        put64(entries + i * 128 + 32, 100 + i);
        put64(entries + i * 128 + 40, 100 + i);
    }
    put32(m.disk + 512 + 80, 200);
    put32(m.disk + 512 + 88, zlib_crc(entries, bytes));
    seal(m.disk + 512, 92);
    CHECK_OK(scan(&m, SIZE, 512, &t));
    CHECK_U64(t.nr_parts, PART_MAX);
    CHECK_U64(t.nr_notes, 1);
    CHECK_ERR(t.notes[0].why, ERR_LIMIT);
    free(m.disk);
}

int main(void)
{
    RUN(crc_is_zlibs);
    RUN(reads_a_table);
    RUN(bad_entries_are_bad_alone);
    RUN(uses_the_backup);
    RUN(finds_the_backup_of_a_grown_disk);
    RUN(says_when_both_are_damaged);
    RUN(reads_other_sectors);
    RUN(a_hybrid_is_a_gpt);
    RUN(caps_the_partitions);
    return test_done();
}
