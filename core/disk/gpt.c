/* SPDX-License-Identifier: MIT */
/*
 * The GUID partition table. Source: UEFI specification 2.10, section 5.3, "GUID Partition Table
 * (GPT) Disk Layout".
 *
 * A header in sector 1 says where the array of entries lies; a second header in the disk's last
 * sector has an array of its own. Both parts carry a checksum. A disk that was made for sectors of
 * another size has its headers at other bytes, and its numbers count in that size.
 */
#include <string.h>

#include "core/base/crc32.h"
#include "core/disk/table.h"

#define ENTRY_BYTES_MAX 4096
#define ARRAY_BYTES_MAX ((uint64_t)1 << 20)
#define HEADER_LBA      1

struct gpt_header_disk {
    char signature[8];
    uint8_t revision[4];
    uint8_t header_bytes[4];
    uint8_t header_crc[4];
    uint8_t reserved[4];
    uint8_t my_lba[8];
    uint8_t alternate_lba[8];
    uint8_t first_usable_lba[8];
    uint8_t last_usable_lba[8];
    uint8_t disk_guid[16];
    uint8_t entries_lba[8];
    uint8_t nr_entries[4];
    uint8_t entry_bytes[4];
    uint8_t entries_crc[4];
};
STATIC_ASSERT(sizeof(struct gpt_header_disk) == 92, "the header is 92 bytes and may be longer");
STATIC_ASSERT(offsetof(struct gpt_header_disk, entries_lba) == 72, "the array's place");

struct gpt_entry_disk {
    uint8_t type_guid[16];
    uint8_t guid[16];
    uint8_t first_lba[8];
    uint8_t last_lba[8]; /* itself a part of the partition */
    uint8_t attributes[8];
    uint8_t name[72]; /* UTF-16, little endian */
};
STATIC_ASSERT(sizeof(struct gpt_entry_disk) == 128, "an entry is 128 bytes and may be longer");

#define LEGACY_BOOTABLE 4 /* of attributes: the active partition of a BIOS */

/* One GPT that is tried: where, and what is known of it. */
struct gpt {
    struct disk *disk;
    uint32_t unit_bytes;
    uint64_t lba, where; /* of the header; where = its byte */
    struct gpt_header_disk header;
};

static struct err damaged(const struct gpt *g, const char *msg)
{
    return ERR_AT(ERR_BAD_PART_TABLE, g->where, msg, 0, 0);
}

static struct err add_crc(const struct gpt *g, uint64_t off_bytes, uint64_t len_bytes,
                          uint32_t *crc)
{
    uint8_t buf[512];

    while (len_bytes > 0) {
        uint64_t n = min_u64(len_bytes, sizeof(buf));

        TRY(disk_read(g->disk, off_bytes, buf, n));
        *crc = crc32_ieee(*crc, buf, (size_t)n);
        off_bytes += n;
        len_bytes -= n;
    }
    return OK;
}

static struct err check_header_crc(const struct gpt *g)
{
    struct gpt_header_disk zeroed = g->header;
    uint32_t crc = CRC32_START, header_bytes = le32(g->header.header_bytes);

    if (header_bytes < sizeof(zeroed) || header_bytes > g->unit_bytes)
        return damaged(g, "the GPT header has an impossible length");
    memset(zeroed.header_crc, 0, sizeof(zeroed.header_crc));
    crc = crc32_ieee(crc, &zeroed, sizeof(zeroed));
    TRY(add_crc(g, g->where + sizeof(zeroed), header_bytes - sizeof(zeroed), &crc));
    if (~crc != le32(g->header.header_crc))
        return damaged(g, "the GPT header's checksum is wrong");
    return OK;
}

/* ERR_NOT_MINE: there is none, or never was. */
static struct err read_header(struct gpt *g)
{
    const struct gpt_header_disk *h = &g->header;

    memset(&g->header, 0, sizeof(g->header));
    if (!mul_u64(g->lba, g->unit_bytes, &g->where) ||
        !in_range(g->where, g->unit_bytes, g->disk->size_bytes))
        return ERR(ERR_NOT_MINE, "no GPT: the disk is too small");
    TRY(disk_read(g->disk, g->where, &g->header, sizeof(g->header)));
    if (memcmp(h->signature, "EFI PART", sizeof(h->signature)) != 0)
        return ERR(ERR_NOT_MINE, "no GPT header");
    TRY(check_header_crc(g));
    if (le32(h->revision) >> 16 != 1)
        return ERR_AT(ERR_REFUSED, g->where, "a GPT of version %a; 1 is known",
                      le32(h->revision) >> 16, 0);
    if (le64(h->my_lba) != g->lba)
        return damaged(g, "the GPT header belongs to another place");
    return OK;
}

/* The bytes of a GUID as it is written: its first three numbers are little endian. */
static void copy_guid(uint8_t out[16], const uint8_t in[16])
{
    static const uint8_t from[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

    for (size_t i = 0; i < sizeof(from); i++)
        out[i] = in[from[i]];
}

static void put_utf8(struct text *t, uint32_t c)
{
    char bytes[4] = {(char)c};
    size_t len = 1;

    if (c >= 0x10000) {
        bytes[len - 1] = (char)(0xf0 | c >> 18);
        bytes[len++] = (char)(0x80 | (c >> 12 & 63));
        bytes[len++] = (char)(0x80 | (c >> 6 & 63));
        bytes[len++] = (char)(0x80 | (c & 63));
    } else if (c >= 0x800) {
        bytes[len - 1] = (char)(0xe0 | c >> 12);
        bytes[len++] = (char)(0x80 | (c >> 6 & 63));
        bytes[len++] = (char)(0x80 | (c & 63));
    } else if (c >= 0x80) {
        bytes[len - 1] = (char)(0xc0 | c >> 6);
        bytes[len++] = (char)(0x80 | (c & 63));
    }
    text_mem(t, bytes, len);
}

static void copy_name(char out[PART_NAME_MAX], const uint8_t name[72])
{
    struct text t = text_on(out, PART_NAME_MAX);

    for (size_t i = 0; i < 72; i += 2) {
        uint32_t c = le16(name + i);
        uint32_t low = i + 2 < 72 ? le16(name + i + 2) : 0;

        if (c == 0)
            return;
        if (c >= 0xd800 && c < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            i += 2;
        } else if (c >= 0xd800 && c < 0xe000) {
            c = 0xfffd; /* half of a pair */
        }
        put_utf8(&t, c);
    }
}

static void add_entry(const struct gpt *g, const struct gpt_entry_disk *e, uint32_t slot,
                      struct part_table *out)
{
    static const uint8_t unused[16];
    uint64_t first = le64(e->first_lba), last = le64(e->last_lba), nr = 0;
    struct part p = {.index = slot, .active = (e->attributes[0] & LEGACY_BOOTABLE) != 0};

    if (memcmp(e->type_guid, unused, sizeof(unused)) == 0)
        return;
    copy_guid(p.type_guid, e->type_guid);
    copy_guid(p.guid, e->guid);
    copy_name(p.name, e->name);
    /* What no disk can hold is outside of this one: part_add will say so. */
    if (last < first || !add_u64(last - first, 1, &nr) ||
        !mul_u64(first, g->unit_bytes, &p.off_bytes) || !mul_u64(nr, g->unit_bytes, &p.len_bytes))
        p.off_bytes = p.len_bytes = UINT64_MAX;
    (void)part_add(g->disk, out, &p); /* the others are not known, and the notes say so */
}

static struct err read_entries(const struct gpt *g, struct part_table *out)
{
    uint32_t nr = le32(g->header.nr_entries), entry_bytes = le32(g->header.entry_bytes);
    uint64_t off_bytes, array_bytes = (uint64_t)nr * entry_bytes;
    uint32_t crc = CRC32_START;
    struct gpt_entry_disk e;

    if (entry_bytes < sizeof(e) || entry_bytes > ENTRY_BYTES_MAX ||
        (entry_bytes & (entry_bytes - 1)) != 0)
        return ERR_AT(ERR_BAD_PART_TABLE, g->where, "GPT entries of %a bytes", entry_bytes, 0);
    if (array_bytes > ARRAY_BYTES_MAX)
        return ERR_AT(ERR_LIMIT, g->where, "a GPT of %a bytes; at most %b are read", array_bytes,
                      ARRAY_BYTES_MAX);
    if (!mul_u64(le64(g->header.entries_lba), g->unit_bytes, &off_bytes) ||
        !in_range(off_bytes, array_bytes, g->disk->size_bytes))
        return damaged(g, "the GPT's entries lie past the end of the disk");
    for (uint32_t i = 0; i < nr; i++, off_bytes += entry_bytes) {
        TRY(disk_read(g->disk, off_bytes, &e, sizeof(e)));
        crc = crc32_ieee(crc, &e, sizeof(e));
        TRY(add_crc(g, off_bytes + sizeof(e), entry_bytes - sizeof(e), &crc));
        add_entry(g, &e, i, out);
    }
    if (~crc != le32(g->header.entries_crc))
        return damaged(g, "the checksum of the GPT's entries is wrong");
    return OK;
}

/* Read all of the GPT whose header is at that place into the empty table, or leave it empty. */
static struct err try_at(struct gpt *g, uint64_t lba, struct part_table *out)
{
    struct err e;

    g->lba = lba;
    e = read_header(g);
    if (!failed(e))
        e = read_entries(g, out);
    if (!failed(e)) {
        out->scheme = "gpt";
        out->unit_bytes = g->unit_bytes;
        return OK;
    }
    out->nr_parts = 0;
    out->nr_notes = 0;
    return e;
}

/*
 * The backup: in the disk's last sector; or, where the disk has grown since, where the damaged
 * header or the protective entry say that the last sector was.
 */
static bool try_backups(struct gpt *g, const struct mbr_disk *mbr, uint64_t header_says,
                        struct part_table *out)
{
    const struct mbr_entry_disk *all = mbr_protective(mbr);
    const uint64_t lbas[] = {
        g->disk->size_bytes / g->unit_bytes - 1,
        header_says,
        (uint64_t)le32(all->lba_first) + le32(all->nr_sectors) - 1,
    };

    for (size_t i = 0; i < ARRAY_LEN(lbas); i++) {
        if (lbas[i] > HEADER_LBA && !failed(try_at(g, lbas[i], out)))
            return true;
    }
    return false;
}

static void say_hybrid(const struct mbr_disk *mbr, struct part_table *out)
{
    const struct mbr_entry_disk *all = mbr_protective(mbr);

    for (uint32_t i = 0; i < MBR_NR_ENTRIES; i++) {
        if (mbr_is_used(&mbr->entries[i]) && mbr->entries[i].type != all->type) {
            part_say(out,
                     "the disk has both a GPT and partitions in its MBR: the GPT counts, the "
                     "MBR's are ignored",
                     OK);
            return;
        }
    }
}

static void say_unit(struct part_table *out, const struct disk *d)
{
    if (out->unit_bytes == d->sector_bytes)
        return;
    part_say(out,
             out->unit_bytes == 512
                 ? "the GPT was made for sectors of 512 bytes, which are not the disk's; it is "
                   "read as it was made"
                 : "the GPT was made for sectors of 4096 bytes, which are not the disk's; it is "
                   "read as it was made",
             OK);
}

struct err gpt_scan(struct disk *d, const struct mbr_disk *mbr, struct part_table *out)
{
    const uint32_t units[] = {d->sector_bytes, d->sector_bytes == 512 ? 4096 : 512};
    uint64_t header_says[ARRAY_LEN(units)];
    struct err why = ERR_AT(ERR_BAD_PART_TABLE, d->sector_bytes, "no GPT header", 0, 0);
    bool has_table = false, has_header = false;

    for (size_t i = 0; i < ARRAY_LEN(units) && !has_table; i++) {
        struct gpt g = {.disk = d, .unit_bytes = units[i]};
        struct err e = try_at(&g, HEADER_LBA, out);

        has_table = !failed(e);
        header_says[i] = le64(g.header.alternate_lba);
        if (failed(e) && e.code != ERR_NOT_MINE && !has_header) {
            has_header = true;
            why = e;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(units) && !has_table; i++) {
        struct gpt g = {.disk = d, .unit_bytes = units[i]};

        has_table = try_backups(&g, mbr, header_says[i], out);
        if (has_table)
            part_say(out, "the backup of the GPT is used", why);
    }
    if (!has_table) {
        if (why.code == ERR_BAD_PART_TABLE)
            why.msg = has_header ? "the GPT is damaged, and so is its backup, or it is not there"
                                 : "the MBR announces a GPT, but there is none, and no backup";
        return why;
    }
    say_hybrid(mbr, out);
    say_unit(out, d);
    return OK;
}
