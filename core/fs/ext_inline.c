/* SPDX-License-Identifier: MIT */
/*
 * The ext4 feature inline_data: small files, directories and links whose content lies in the
 * inode. The first 60 bytes are where block numbers would be, the rest is the value of the
 * extended attribute "system.data" behind the inode's fields.
 */
#include <string.h>

#include "core/fs/ext.h"

#define XATTR_MAGIC        0xea020000u
#define XATTR_INDEX_SYSTEM 7
#define XATTR_NAME         "data"

struct ext_disk_xattr {
    uint8_t name_len[1];
    uint8_t name_index[1];
    uint8_t value_offs[2]; /* from the first entry on */
    uint8_t value_inum[4]; /* 0: the value lies here */
    uint8_t value_size[4];
    uint8_t hash[4];
};
STATIC_ASSERT(sizeof(struct ext_disk_xattr) == 16, "the name follows after 16 bytes");

/* Find the value among the attributes at area[0..size), behind their magic. len 0: there is none.
 */
static struct err find_data(const uint8_t *area, size_t size, uint64_t where, const uint8_t **value,
                            size_t *len)
{
    size_t at = 0;

    *len = 0;
    /* Each entry is at least 16 bytes long. Four zero bytes end them. */
    while (size - at >= 4 && le32(area + at) != 0) {
        const struct ext_disk_xattr *xa = (const struct ext_disk_xattr *)(area + at);

        if (size - at < sizeof(*xa) || size - at - sizeof(*xa) < xa->name_len[0])
            return ERR_AT(ERR_FS_DAMAGED, where, "an attribute of the inode is cut", 0, 0);
        if (xa->name_index[0] == XATTR_INDEX_SYSTEM && xa->name_len[0] == strlen(XATTR_NAME) &&
            memcmp(xa + 1, XATTR_NAME, strlen(XATTR_NAME)) == 0) {
            if (le32(xa->value_inum) != 0 ||
                !in_range(le16(xa->value_offs), le32(xa->value_size), size))
                return ERR_AT(ERR_FS_DAMAGED, where, "inline data of %a bytes at %b",
                              le32(xa->value_size), le16(xa->value_offs));
            *value = area + le16(xa->value_offs);
            *len = le32(xa->value_size);
            return OK;
        }
        at += (size_t)align_up(sizeof(*xa) + xa->name_len[0], 4);
        if (at > size)
            at = size;
    }
    return OK;
}

struct err ext_inline_load(const struct ext *x, const uint8_t *raw, uint64_t where,
                           struct ext_node *en)
{
    const struct ext_disk_inode *di = (const struct ext_disk_inode *)raw;
    const uint8_t *value = NULL;
    size_t len = 0;

    if (x->inode_bytes > EXT_INODE_OLD_BYTES) {
        size_t at = EXT_INODE_OLD_BYTES + (size_t)le16(di->extra_isize);

        if (at % 4 == 0 && in_range(at, 4, x->inode_bytes) && le32(raw + at) == XATTR_MAGIC)
            TRY(find_data(raw + at + 4, x->inode_bytes - at - 4, where, &value, &len));
    }
    en->inline_len = sizeof(di->block) + len;
    en->inline_bytes = arena_alloc(en->arena, en->inline_len);
    if (en->inline_bytes == NULL)
        return arena_exhausted("inline data of %a bytes", en->inline_len);
    memcpy(en->inline_bytes, di->block, sizeof(di->block));
    if (len > 0)
        memcpy(en->inline_bytes + sizeof(di->block), value, len);
    return OK;
}
