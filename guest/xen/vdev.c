/* SPDX-License-Identifier: MIT */
/* Names of virtual devices. Contract in vdev.h. */
#include "guest/xen/vdev.h"

#include <stddef.h>

#include "core/base/bytes.h"

#define VDEV_EXTENDED  ((uint64_t)1 << 28) /* 1 << 28 | disk << 8 | partition: always xvd */
#define VDEV_NR_LETTER 26u

/* Majors of Linux: each holds so many disks, of 1 << part_bits minors each. */
static const struct {
    uint16_t major;
    uint8_t part_bits;
    uint16_t first_disk, nr_disks;
    const char *prefix;
} majors[] = {
    {202, 4, 0, 16, "xvd"}, /* Xen */
    {8, 4, 0, 16, "sd"},    /* SCSI, 16 disks a major */
    {65, 4, 16, 16, "sd"},   {66, 4, 32, 16, "sd"},   {67, 4, 48, 16, "sd"},
    {68, 4, 64, 16, "sd"},   {69, 4, 80, 16, "sd"},   {70, 4, 96, 16, "sd"},
    {71, 4, 112, 16, "sd"},  {128, 4, 128, 16, "sd"}, {129, 4, 144, 16, "sd"},
    {130, 4, 160, 16, "sd"}, {131, 4, 176, 16, "sd"}, {132, 4, 192, 16, "sd"},
    {133, 4, 208, 16, "sd"}, {134, 4, 224, 16, "sd"}, {135, 4, 240, 16, "sd"},
    {3, 6, 0, 2, "hd"}, /* IDE, 2 disks a major */
    {22, 6, 2, 2, "hd"},     {33, 6, 4, 2, "hd"},     {34, 6, 6, 2, "hd"},
    {56, 6, 8, 2, "hd"},     {57, 6, 10, 2, "hd"},    {88, 6, 12, 2, "hd"},
    {89, 6, 14, 2, "hd"},    {90, 6, 16, 2, "hd"},    {91, 6, 18, 2, "hd"},
};

/* 0 = a, 25 = z, 26 = aa, 701 = zz, 702 = aaa */
static void text_letters(struct text *t, uint64_t disk)
{
    char letters[8];
    size_t n = 0;

    for (disk += 1; disk > 0 && n < sizeof(letters); disk = (disk - 1) / VDEV_NR_LETTER)
        letters[n++] = (char)('a' + (disk - 1) % VDEV_NR_LETTER);
    while (n > 0)
        text_char(t, letters[--n]);
}

static void text_disk(struct text *t, const char *prefix, uint64_t disk, uint64_t partition)
{
    text_str(t, prefix);
    text_letters(t, disk);
    if (partition != 0)
        text_u64(t, partition);
}

void vdev_name(uint64_t vdev, struct text *t)
{
    if ((vdev & ~(VDEV_EXTENDED - 1)) == VDEV_EXTENDED) {
        text_disk(t, "xvd", (vdev >> 8) & 0xfffff, vdev & 0xff);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(majors); i++) {
        uint64_t minor = vdev & 0xff;

        if (vdev >> 8 != majors[i].major || minor >> majors[i].part_bits >= majors[i].nr_disks)
            continue;
        text_disk(t, majors[i].prefix, majors[i].first_disk + (minor >> majors[i].part_bits),
                  minor & ((1u << majors[i].part_bits) - 1));
        return;
    }
    text_str(t, "vbd ");
    text_u64(t, vdev);
}
