/* SPDX-License-Identifier: MIT */
/*
 * Names for what is not read, so that "cannot mount" says what is there. Magic numbers from the
 * formats' own documents. When a reader for one is added, its line goes.
 */
#include <string.h>

#include "core/base/bytes.h"
#include "core/fs/readers.h"

#define MAGIC_MAX 10

static const struct {
    uint32_t off_bytes;
    char magic[MAGIC_MAX + 1];
    const char *sentence;
} foreign[] = {
    {65600, "_BHRfS_M", "a Btrfs file system, which is not read; " FS_READ_LIST},
    {32768, "JFS1", "a JFS file system, which is not read; " FS_READ_LIST},
    {1024, "\x10\x20\xf5\xf2", "an F2FS file system, which is not read; " FS_READ_LIST},
    {82, "FAT32", "a FAT file system, which is not read; " FS_READ_LIST},
    {54, "FAT1", "a FAT file system, which is not read; " FS_READ_LIST},
    {3, "NTFS    ", "an NTFS file system, which is not read; " FS_READ_LIST},
    {32769, "CD001", "a CD (ISO 9660), which is not read; " FS_READ_LIST},
    {0, "hsqs", "a squashfs, which is not read; " FS_READ_LIST},
    {512, "LABELONE", "an LVM physical volume whose label is damaged"},
    {0, "LUKS\xba\xbe", "an encrypted volume (LUKS); put /boot outside it"},
    {4096, "\xfc\x4e\x2b\xa9", "a member of a RAID (md) whose superblock is damaged"},
    {4086, "SWAPSPACE2", "swap space, no file system"},
};

const char *foreign_sentence(struct disk *d)
{
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
        char bytes[MAGIC_MAX];
        size_t len = strlen(foreign[i].magic);

        /* What cannot be read is not it. */
        if (!in_range(foreign[i].off_bytes, len, d->size_bytes) ||
            failed(disk_read(d, foreign[i].off_bytes, bytes, len)))
            continue;
        if (memcmp(bytes, foreign[i].magic, len) == 0)
            return foreign[i].sentence;
    }
    return NULL;
}
