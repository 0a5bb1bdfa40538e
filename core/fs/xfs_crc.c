/* SPDX-License-Identifier: MIT */
/* Checksums of XFS, and what a metadata block of version 5 says of itself. */
#include "core/fs/crc.h"
#include "core/fs/xfs.h"

uint32_t xfs_crc(const void *bytes, size_t len, size_t crc_off)
{
    static const uint8_t zero[4] = {0};
    const uint8_t *p = bytes;
    uint32_t crc = crc32c(UINT32_MAX, p, crc_off);

    crc = crc32c(crc, zero, sizeof(zero));
    return ~crc32c(crc, p + crc_off + sizeof(zero), len - crc_off - sizeof(zero));
}

struct err xfs_check_self(const struct xfs *x, const struct xfs_self *at, const uint8_t *bytes,
                          size_t len, uint64_t where, uint64_t ino)
{
    if (!x->v5)
        return OK;
    uint32_t want = le32(bytes + at->crc), got = xfs_crc(bytes, len, at->crc);

    if (want != got)
        return ERR_AT(ERR_FS_DAMAGED, where, "a metadata block's checksum is %A, should be %B",
                      want, got);
    if (memcmp(bytes + at->uuid, x->meta_uuid, sizeof(x->meta_uuid)) != 0)
        return ERR_AT(ERR_FS_DAMAGED, where,
                      "a metadata block of inode %a has the UUID of another file system", ino, 0);
    if (be64(bytes + at->blkno) != where / XFS_DADDR_BYTES)
        return ERR_AT(ERR_FS_DAMAGED, where,
                      "a metadata block of inode %a says that it lies at sector %b", ino,
                      be64(bytes + at->blkno));
    if (be64(bytes + at->owner) != ino)
        return ERR_AT(ERR_FS_DAMAGED, where, "a metadata block of inode %a says that it is of %b",
                      ino, be64(bytes + at->owner));
    return OK;
}
