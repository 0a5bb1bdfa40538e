/* SPDX-License-Identifier: MIT */
#include "tests/unit/volgen.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/crc32.h"

#define LVM_CRC_START 0xf597a6cfu

void gen_le32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

void gen_le64(uint8_t *p, uint64_t v)
{
    gen_le32(p, (uint32_t)v);
    gen_le32(p + 4, (uint32_t)(v >> 32));
}

static void put_chars(uint8_t *p, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)s[i];
}

void gen_label_sum(uint8_t *disk, size_t sector)
{
    uint8_t *label = disk + sector * 512;

    gen_le32(label + 16, crc32_ieee(LVM_CRC_START, label + 20, 492));
}

void gen_area_sum(uint8_t *disk)
{
    uint8_t *area = disk + GEN_AREA_OFF;

    gen_le32(area, crc32_ieee(LVM_CRC_START, area + 4, 508));
}

void gen_pv(uint8_t *disk, const char id[32], const char *text, size_t text_off)
{
    uint8_t *label = disk + 512, *area = disk + GEN_AREA_OFF;
    size_t len = text != NULL ? strlen(text) + 1 : 0;

    memset(label, 0, 512);
    memset(area, 0, GEN_AREA_BYTES);
    put_chars(label, "LABELONE", 8);
    gen_le64(label + 8, 1);
    gen_le32(label + 20, 32);
    put_chars(label + 24, "LVM2 001", 8);
    put_chars(label + 32, id, 32);
    gen_le64(label + 64, 1 << 20);
    gen_le64(label + 72, 65536); /* data, to the end */
    gen_le64(label + 104, GEN_AREA_OFF);
    gen_le64(label + 112, GEN_AREA_BYTES);
    gen_label_sum(disk, 1);

    put_chars(area + 4, " LVM2 x[5A%r0N*>", 16);
    gen_le32(area + 20, 1);
    gen_le64(area + 24, GEN_AREA_OFF);
    gen_le64(area + 32, GEN_AREA_BYTES);
    if (text != NULL) {
        gen_le64(area + 40, text_off);
        gen_le64(area + 48, len);
        gen_le32(area + 56, crc32_ieee(LVM_CRC_START, text, len));
        for (size_t i = 0; i < len; i++) {
            size_t at = text_off + i;

            area[at < GEN_AREA_BYTES ? at : at - GEN_AREA_BYTES + 512] = (uint8_t)text[i];
        }
    }
    gen_area_sum(disk);
}

void gen_md_sum(uint8_t *super, enum md_version version)
{
    size_t at = version == MD_0_90 ? 152 : 216;
    size_t len = version == MD_0_90 ? 4096 : 256 + (size_t)le32(super + 220) * 2, i = 0;
    uint64_t sum = 0;

    gen_le32(super + at, 0);
    for (; i + 4 <= len; i += 4)
        sum += le32(super + i);
    if (i < len)
        sum += le16(super + i);
    gen_le32(super + at, (uint32_t)(sum + (sum >> 32)));
}

static void gen_md_0(uint8_t *super, const struct gen_md *md)
{
    gen_le32(super + 8, 90);
    memset(super + 20, md->uuid, 4);
    memset(super + 52, md->uuid, 12);
    gen_le32(super + 28, (uint32_t)md->level);
    gen_le32(super + 32, (uint32_t)(md->size_bytes / 1024));
    gen_le32(super + 40, md->nr_disks);
    gen_le32(super + 44, (uint32_t)atoi(md->name));
    gen_le64(super + 156, md->events);
    for (uint32_t i = 0; i < md->nr_roles; i++) {
        uint8_t *d = super + 512 + (size_t)i * 128;

        gen_le32(d, i);
        gen_le32(d + 12, md->roles[i]);
        gen_le32(d + 16, md->roles[i] < 0xff00 ? 6 : md->roles[i] == 0xfffe ? 1 : 0);
    }
    gen_le32(super + 3968, md->number);
}

static void gen_md_1(uint8_t *super, uint64_t place, const struct gen_md *md)
{
    gen_le32(super + 4, 1);
    gen_le32(super + 8, md->features);
    memset(super + 16, md->uuid, 16);
    memcpy(super + 32, md->name, strnlen(md->name, 32));
    gen_le32(super + 72, (uint32_t)md->level);
    gen_le64(super + 80, md->size_bytes / 512);
    gen_le32(super + 92, md->nr_disks);
    gen_le64(super + 128, md->data_off_bytes / 512);
    gen_le64(super + 136, md->size_bytes / 512);
    gen_le64(super + 144, place / 512);
    gen_le32(super + 160, md->number);
    gen_le64(super + 200, md->events);
    gen_le32(super + 220, md->nr_roles);
    for (uint32_t i = 0; i < md->nr_roles; i++) {
        super[256 + 2 * i] = (uint8_t)md->roles[i];
        super[257 + 2 * i] = (uint8_t)(md->roles[i] >> 8);
    }
}

uint64_t gen_md(uint8_t *disk, uint64_t disk_bytes, const struct gen_md *md)
{
    uint64_t place = 0;

    if (!md_place(md->version, disk_bytes, &place))
        abort();
    uint8_t *super = disk + place;

    memset(super, 0, MD_SUPER_BYTES);
    gen_le32(super, 0xa92b4efc);
    if (md->version == MD_0_90)
        gen_md_0(super, md);
    else
        gen_md_1(super, place, md);
    gen_md_sum(super, md->version);
    return place;
}
