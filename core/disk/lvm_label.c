/* SPDX-License-Identifier: MIT */
/*
 * Labels of physical volumes and their metadata areas. Source: "Logical Volume Manager (LVM)
 * format specification" of the libvslvm project. All numbers are little endian.
 *
 * A metadata area is a header of 512 bytes and a ring of text behind it. The header says where in
 * the ring the newest text is; a text may run over the ring's end.
 */
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/crc32.h"
#include "core/disk/lvm.h"

#define LABEL_SECTOR 512
#define AREA_HEADER  512
#define CRC_START    0xf597a6cfu /* of CRC-32, which is not inverted at the end */

struct lvm_disk_label {
    uint8_t magic[8];  /* "LABELONE" */
    uint8_t sector[8]; /* its own */
    uint8_t crc[4];    /* of what follows, to the end of the sector */
    uint8_t header_off[4];
    uint8_t type[8]; /* "LVM2 001" */
};
STATIC_ASSERT(sizeof(struct lvm_disk_label) == 32, "a label is 32 bytes");
STATIC_ASSERT(offsetof(struct lvm_disk_label, header_off) == 20, "the checksum begins there");

struct lvm_disk_range {
    uint8_t off[8];
    uint8_t len[8];
};

/* Two lists of areas follow, each ended by one at 0: of data, then of metadata. */
struct lvm_disk_pv {
    uint8_t id[LVM_ID_LEN];
    uint8_t device_size[8];
};
STATIC_ASSERT(sizeof(struct lvm_disk_pv) == 40, "the header's fixed part is 40 bytes");

struct lvm_disk_text {
    uint8_t off[8]; /* from the area's start */
    uint8_t len[8];
    uint8_t crc[4];
    uint8_t flags[4];
};
STATIC_ASSERT(sizeof(struct lvm_disk_text) == 24, "the place of a text is 24 bytes");
#define TEXT_IGNORED 1u

struct lvm_disk_area {
    uint8_t crc[4]; /* of the rest of the header */
    uint8_t magic[16];
    uint8_t version[4];
    uint8_t start[8]; /* its own place */
    uint8_t size[8];
    struct lvm_disk_text texts[4]; /* the first one is the one that counts */
    uint8_t rest[376];
};
STATIC_ASSERT(sizeof(struct lvm_disk_area) == AREA_HEADER, "an area's header is 512 bytes");
STATIC_ASSERT(offsetof(struct lvm_disk_area, texts) == 40, "texts");

/* The lists of areas, which end with the sector at the latest. */
static struct err read_areas(const uint8_t *sector, size_t at, uint64_t where,
                             struct lvm_label *out)
{
    int list = 0;

    for (; list < 2 && at + sizeof(struct lvm_disk_range) <= LABEL_SECTOR;
         at += sizeof(struct lvm_disk_range)) {
        const struct lvm_disk_range *r = (const struct lvm_disk_range *)(sector + at);

        if (le64(r->off) == 0) {
            list++;
        } else if (list == 1) {
            if (out->nr_areas == LVM_AREAS_MAX)
                return ERR_AT(ERR_LIMIT, where,
                              "an LVM physical volume with more than %a metadata areas",
                              LVM_AREAS_MAX, 0);
            out->areas[out->nr_areas++] =
                (struct lvm_range){.off_bytes = le64(r->off), .len_bytes = le64(r->len)};
        }
    }
    if (list < 2)
        return ERR_AT(ERR_FS_DAMAGED, where, "the list of areas in an LVM label has no end", 0, 0);
    return OK;
}

struct err lvm_label_read(const uint8_t start[LVM_START_BYTES], struct lvm_label *out)
{
    struct err first = ERR(ERR_NOT_MINE, "no LVM label");

    for (size_t off = 0; off < LVM_START_BYTES; off += LABEL_SECTOR) {
        const uint8_t *sector = start + off;
        const struct lvm_disk_label *l = (const struct lvm_disk_label *)sector;
        uint32_t want, got, header = le32(l->header_off);

        if (memcmp(l->magic, "LABELONE", 8) != 0 || memcmp(l->type, "LVM2 001", 8) != 0)
            continue;
        want = le32(l->crc);
        got = crc32_ieee(CRC_START, sector + 20, LABEL_SECTOR - 20);
        if (want != got) {
            first = ERR_AT(ERR_FS_DAMAGED, off, "the checksum of an LVM label is %A, should be %B",
                           want, got);
            continue;
        }
        if (le64(l->sector) != off / LABEL_SECTOR)
            continue; /* a copy of another sector's */
        if (header < sizeof(*l) || !in_range(header, sizeof(struct lvm_disk_pv), LABEL_SECTOR))
            return ERR_AT(ERR_FS_DAMAGED, off, "the header of an LVM label lies at %a", header, 0);
        *out = (struct lvm_label){0};
        memcpy(out->id, sector + header, LVM_ID_LEN);
        return read_areas(sector, header + sizeof(struct lvm_disk_pv), off, out);
    }
    return first;
}

static struct err check_header(const struct lvm_disk_area *h, struct lvm_range area)
{
    uint32_t want = le32(h->crc), got = crc32_ieee(CRC_START, h->magic, AREA_HEADER - 4);

    if (memcmp(h->magic, " LVM2 x[5A%r0N*>", sizeof(h->magic)) != 0)
        return ERR_AT(ERR_FS_DAMAGED, area.off_bytes, "no LVM metadata where it should begin", 0,
                      0);
    if (want != got)
        return ERR_AT(ERR_FS_DAMAGED, area.off_bytes,
                      "the checksum of LVM metadata is %A, should be %B", want, got);
    if (le32(h->version) != 1)
        return ERR_AT(ERR_REFUSED, area.off_bytes, "LVM metadata of version %a", le32(h->version),
                      0);
    if (le64(h->start) != area.off_bytes)
        return ERR_AT(ERR_FS_DAMAGED, area.off_bytes, "LVM metadata that belongs to byte %a",
                      le64(h->start), 0);
    return OK;
}

/* Copy the text out of the ring, in two pieces where it runs over the end. */
static struct err read_ring(struct disk *d, struct lvm_range area, uint64_t off,
                            struct lvm_text *out)
{
    uint64_t first = min_u64(out->len_bytes, area.len_bytes - off);

    TRY(disk_read(d, area.off_bytes + off, out->bytes, first));
    return disk_read(d, area.off_bytes + AREA_HEADER, out->bytes + first, out->len_bytes - first);
}

struct err lvm_area_read(struct disk *d, struct lvm_range area, struct arena *a,
                         struct lvm_text *out)
{
    struct lvm_disk_area header;
    const struct lvm_disk_text *text = &header.texts[0];
    uint64_t off;

    *out = (struct lvm_text){0};
    if (area.len_bytes <= AREA_HEADER || !in_range(area.off_bytes, area.len_bytes, d->size_bytes))
        return ERR2(ERR_FS_DAMAGED, "LVM metadata of %a bytes at byte %b", area.len_bytes,
                    area.off_bytes);
    TRY(disk_read(d, area.off_bytes, &header, sizeof(header)));
    TRY(check_header(&header, area));
    off = le64(text->off);
    if (off == 0 || (le32(text->flags) & TEXT_IGNORED))
        return OK;
    out->len_bytes = le64(text->len);
    if (out->len_bytes > LVM_TEXT_MAX)
        return ERR_AT(ERR_LIMIT, area.off_bytes, "LVM metadata of %a bytes; at most %b are read",
                      out->len_bytes, LVM_TEXT_MAX);
    if (off < AREA_HEADER || off >= area.len_bytes || out->len_bytes == 0 ||
        out->len_bytes > area.len_bytes - AREA_HEADER)
        return ERR_AT(ERR_FS_DAMAGED, area.off_bytes, "LVM metadata: %a bytes of text at %b",
                      out->len_bytes, off);
    out->bytes = arena_pages(a, (size_t)out->len_bytes);
    if (out->bytes == NULL)
        return arena_exhausted("LVM metadata of %a bytes", (size_t)out->len_bytes);
    TRY(read_ring(d, area, off, out));
    out->crc = crc32_ieee(CRC_START, out->bytes, (size_t)out->len_bytes);
    if (out->crc != le32(text->crc))
        return ERR_AT(ERR_FS_DAMAGED, area.off_bytes + off,
                      "the checksum of LVM metadata is %A, should be %B", le32(text->crc),
                      out->crc);
    return OK;
}
