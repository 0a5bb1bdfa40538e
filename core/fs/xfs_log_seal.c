/* SPDX-License-Identifier: MIT */
/*
 * The overlay as the recovery sees it, and checksums: what was changed is written down, and gets
 * its checksum once, at the end. The kind of a block is told by its first bytes, as it is then.
 */
#include <string.h>

#include "core/fs/xfs_log.h"

/* ---- a table of numbers ---- */

#define SLOTS_MIN  ((size_t)1024)
#define PROBES_MAX ((size_t)4096) /* never by chance, but the numbers are a log's own choice */

static size_t home_of(size_t nr, uint64_t key)
{
    return (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 24) & (nr - 1);
}

static struct xlog_slot *slot_in(struct xlog_slot *slots, size_t nr, uint64_t key)
{
    size_t i = home_of(nr, key);

    while (slots[i].key != UINT64_MAX && slots[i].key != key)
        i = (i + 1) & (nr - 1);
    return &slots[i];
}

struct xlog_slot *xlog_table_find(const struct xlog_table *t, uint64_t key)
{
    struct xlog_slot *s = t->nr_slots == 0 ? NULL : slot_in(t->slots, t->nr_slots, key);

    return s == NULL || s->key == UINT64_MAX ? NULL : s;
}

static struct err grow(struct xlog *log, struct xlog_table *t)
{
    size_t nr = t->nr_slots == 0 ? SLOTS_MIN : t->nr_slots * 2;
    struct xlog_slot *slots;

    TRY(xlog_pages(log, nr * sizeof(*slots), "a table of %a bytes", &slots));
    memset(slots, 0xff, nr * sizeof(*slots));
    for (size_t i = 0; i < t->nr_slots; i++) {
        if (t->slots[i].key != UINT64_MAX)
            *slot_in(slots, nr, t->slots[i].key) = t->slots[i];
    }
    xlog_drop(log, t->slots, t->nr_slots * sizeof(*slots));
    t->slots = slots;
    t->nr_slots = nr;
    return OK;
}

struct err xlog_table_put(struct xlog *log, struct xlog_table *t, uint64_t key,
                          struct xlog_slot **out)
{
    if (t->nr_used * 2 >= t->nr_slots)
        TRY(grow(log, t));
    *out = slot_in(t->slots, t->nr_slots, key);
    if ((*out)->key == UINT64_MAX) {
        size_t at = (size_t)(*out - t->slots);

        if (((at - home_of(t->nr_slots, key)) & (t->nr_slots - 1)) > PROBES_MAX)
            return ERR1(ERR_LIMIT, "the log of XFS has more than %a numbers that share a place",
                        PROBES_MAX);
        **out = (struct xlog_slot){.key = key};
        t->nr_used++;
    }
    return OK;
}

void xlog_table_free(struct xlog *log, struct xlog_table *t)
{
    xlog_drop(log, t->slots, t->nr_slots * sizeof(*t->slots));
    *t = (struct xlog_table){0};
}

/* ---- the overlay ---- */

struct err xlog_load(struct xlog *log, uint64_t bb, uint32_t nr_bb, uint8_t *bytes)
{
    return disk_read(overlay_disk(log->overlay), bb * XLOG_BB, bytes, (uint64_t)nr_bb * XLOG_BB);
}

struct err xlog_store(struct xlog *log, uint64_t off_bytes, const uint8_t *bytes, uint32_t len)
{
    uint32_t size = log->x->block_bytes;

    while (len > 0) {
        uint32_t skip = (uint32_t)(off_bytes % size), n = (uint32_t)min_u64(size - skip, len);
        uint8_t *block;

        if (n == size) { /* what was there need not be read */
            TRY(overlay_put(log->overlay, off_bytes / size, bytes));
        } else {
            TRY(overlay_edit(log->overlay, off_bytes / size, &block));
            memcpy(block + skip, bytes, n);
        }
        off_bytes += n;
        bytes += n;
        len -= n;
    }
    return OK;
}

struct err xlog_inode_at(struct xlog *log, uint64_t off_bytes, uint8_t **inode)
{
    uint8_t *block;

    TRY(overlay_edit(log->overlay, off_bytes / log->x->block_bytes, &block));
    *inode = block + off_bytes % log->x->block_bytes;
    return OK;
}

/* ---- where a block keeps its checksum, lsn and uuid ---- */

struct kind {
    uint32_t magic; /* 32 bits at 0, or 16 bits at 8 for directories' inner blocks */
    uint16_t crc_at, lsn_at, uuid_at;
};

static const struct kind kinds[] = {
    {XFS_SUPER_MAGIC, offsetof(struct xfs_disk_super, crc), 240, 32},
    {0x58414746 /* XAGF */, 216, 208, 64},
    {0x58414749 /* XAGI */, 312, 320, 296},
    {0x5841464c /* XAFL */, 32, 24, 8},
    {0x41423342 /* AB3B: free space by place */, 52, 24, 32},
    {0x41423343 /* AB3C: by size */, 52, 24, 32},
    {0x49414233 /* IAB3: inodes */, 52, 24, 32},
    {0x46494233 /* FIB3: free inodes */, 52, 24, 32},
    {0x524d4233 /* RMB3: owners */, 52, 24, 32},
    {0x52334643 /* R3FC: shared blocks */, 52, 24, 32},
    {0x424d4133 /* BMA3: extents */, 64, 32, 40},
    {0x4d415052 /* MAPR: owners of real-time blocks */, 64, 32, 40},
    {0x52434e54 /* RCNT: shared real-time blocks */, 64, 32, 40},
    {0x58534c4d /* XSLM: a symbolic link's target */, 12, 48, 16},
    {0x58444233 /* XDB3: a directory's only block */, 4, 16, 24},
    {0x58444433 /* XDD3: a directory's data */, 4, 16, 24},
    {0x58444633 /* XDF3: a directory's free space */, 4, 16, 24},
};

/* All that begin as a B+tree of names do: 16 bits of magic behind two links. */
static const struct kind names_kind = {0, 12, 24, 32};
#define KIND_BYTES_MIN 336u

static const struct kind *kind_of(const uint8_t *bytes, uint32_t len)
{
    uint32_t magic = be32(bytes);

    if (len < KIND_BYTES_MIN)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kinds[i].magic == magic)
            return &kinds[i];
    }
    switch (be16(bytes + 8)) {
    case 0x3df1: /* a directory's only leaf */
    case 0x3dff: /* a directory's leaf */
    case 0x3ebe: /* a node */
    case 0x3bee: /* attributes */
        return &names_kind;
    default:
        return NULL;
    }
}

bool xlog_block_lsn(const struct xlog *log, const uint8_t *bytes, uint32_t len, uint64_t *lsn,
                    const uint8_t **uuid)
{
    const struct kind *k = kind_of(bytes, len);

    /* Attributes have no lsn that Linux believes. */
    if (k == NULL || (k == &names_kind && be16(bytes + 8) == 0x3bee))
        return false;
    *lsn = be64(bytes + k->lsn_at);
    *uuid = bytes + k->uuid_at;
    if (k->magic == XFS_SUPER_MAGIC && (log->x->incompat & XFS_INCOMPAT_META_UUID))
        *uuid = bytes + offsetof(struct xfs_disk_super, meta_uuid);
    return true;
}

struct err xlog_note_changed(struct xlog *log, uint64_t bb, uint32_t nr_bb)
{
    struct xlog_slot *s;

    if (!log->x->v5)
        return OK;
    TRY(xlog_table_put(log, &log->changed, bb, &s));
    s->value = nr_bb;
    return OK;
}

/* As xfs_crc, in large steps. */
static uint32_t block_crc(const struct xlog *log, const uint8_t *bytes, uint32_t len,
                          uint32_t crc_at)
{
    static const uint8_t zero[4] = {0};
    uint32_t crc = crc32c_fast(log->crc, UINT32_MAX, bytes, crc_at);

    crc = crc32c(crc, zero, sizeof(zero));
    return ~crc32c_fast(log->crc, crc, bytes + crc_at + 4, len - crc_at - 4);
}

struct err xlog_seal_one(struct xlog *log, uint64_t bb, uint32_t nr_bb)
{
    uint32_t len = nr_bb * XLOG_BB, crc_at;
    uint8_t crc_bytes[4];

    TRY(xlog_load(log, bb, nr_bb, log->buffer));
    if (be16(log->buffer) == XFS_INODE_MAGIC) {
        len = (uint32_t)min_u64(len, log->x->inode_bytes);
        crc_at = offsetof(struct xfs_disk_inode, crc);
    } else {
        const struct kind *k = kind_of(log->buffer, len);

        if (k == NULL)
            return OK;
        crc_at = k->crc_at;
    }
    uint32_t crc = block_crc(log, log->buffer, len, crc_at);

    for (int i = 0; i < 4; i++)
        crc_bytes[i] = (uint8_t)(crc >> (8 * i));
    return xlog_store(log, bb * XLOG_BB + crc_at, crc_bytes, sizeof(crc_bytes));
}

struct err xlog_seal(struct xlog *log)
{
    const struct xlog_table *t = &log->changed;

    for (size_t i = 0; i < t->nr_slots; i++) {
        if (t->slots[i].key != UINT64_MAX)
            TRY(xlog_seal_one(log, t->slots[i].key, (uint32_t)t->slots[i].value));
    }
    return OK;
}
