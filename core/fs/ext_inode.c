/* SPDX-License-Identifier: MIT */
/* Inodes of the ext2/3/4 reader, and symbolic links. */
#include <string.h>

#include "core/fs/crc.h"
#include "core/fs/ext.h"

#define INODE_STACK_BYTES                                                                          \
    ((size_t)4096) /* of an inode without memory of its own; a block at most */

/* Does the inode have the field that ends at `end`? */
static bool has_extra(const struct ext *x, const struct ext_disk_inode *di, size_t end)
{
    return x->inode_bytes > EXT_INODE_OLD_BYTES &&
           EXT_INODE_OLD_BYTES + (size_t)le16(di->extra_isize) >= end;
}

#define HAS_EXTRA(x, di, field)                                                                    \
    has_extra(x, di, offsetof(struct ext_disk_inode, field) + sizeof((di)->field))

/* The checksum covers the whole inode, its own two halves taken as 0. */
static uint32_t csum_of(const struct ext *x, const struct ext_disk_inode *di, uint32_t seed)
{
    static const uint8_t zero[2] = {0};
    const uint8_t *raw = (const uint8_t *)di;
    size_t at = offsetof(struct ext_disk_inode, checksum_lo);
    uint32_t got = crc32c(seed, raw, at);

    got = crc32c(got, zero, sizeof(zero));
    got = crc32c(got, raw + at + 2, EXT_INODE_OLD_BYTES - at - 2);
    if (x->inode_bytes > EXT_INODE_OLD_BYTES) {
        size_t hi = offsetof(struct ext_disk_inode, checksum_hi);

        got = crc32c(got, raw + EXT_INODE_OLD_BYTES, hi - EXT_INODE_OLD_BYTES);
        if (HAS_EXTRA(x, di, checksum_hi)) {
            got = crc32c(got, zero, sizeof(zero));
            hi += 2;
        }
        got = crc32c(got, raw + hi, x->inode_bytes - hi);
    }
    return HAS_EXTRA(x, di, checksum_hi) ? got : got & 0xffff;
}

static struct err check_csum(const struct ext *x, const struct ext_disk_inode *di, uint32_t seed,
                             uint64_t off)
{
    uint32_t want = le16(di->checksum_lo), got = csum_of(x, di, seed);

    if (HAS_EXTRA(x, di, checksum_hi))
        want |= (uint32_t)le16(di->checksum_hi) << 16;
    if (got != want)
        return ERR_AT(ERR_FS_DAMAGED, off, "inode checksum is %A, should be %B", want, got);
    return OK;
}

static uint32_t node_seed(const struct ext *x, uint64_t ino, const struct ext_disk_inode *di)
{
    uint8_t nr[4] = {(uint8_t)ino, (uint8_t)(ino >> 8), (uint8_t)(ino >> 16), (uint8_t)(ino >> 24)};

    return crc32c(crc32c(x->csum_seed, nr, sizeof(nr)), di->generation, sizeof(di->generation));
}

void ext_inode_csum_set(const struct ext *x, uint64_t ino, uint8_t *raw)
{
    struct ext_disk_inode *di = (struct ext_disk_inode *)raw;

    if (!ext_has_metadata_csum(x))
        return;
    uint32_t csum = csum_of(x, di, node_seed(x, ino, di));

    for (size_t i = 0; i < 2; i++) {
        di->checksum_lo[i] = (uint8_t)(csum >> 8 * i);
        if (HAS_EXTRA(x, di, checksum_hi))
            di->checksum_hi[i] = (uint8_t)(csum >> (16 + 8 * i));
    }
}

/*
 * A link's target lies in the inode when it fits there and the inode has no blocks but those of its
 * attributes: at most a cluster. Attributes that have inodes of their own count as blocks, too; but
 * with that feature, what fits into the inode always lies there.
 */
static bool is_fast_symlink(const struct ext *x, const struct ext_disk_inode *di, uint64_t size)
{
    bool has_acl = le32(di->file_acl_lo) != 0 || le16(di->file_acl_high) != 0;
    uint32_t acl_sectors = has_acl ? x->cluster_bytes / 512 : 0;

    return size < sizeof(di->block) && !(le32(di->flags) & EXT_INODE_INLINE_DATA) &&
           ((x->incompat & EXT_INCOMPAT_EA_INODE) || le32(di->blocks_lo) <= acl_sectors);
}

static struct err fill(const struct ext *x, const struct ext_disk_inode *di, uint64_t off,
                       struct node *out, struct ext_node *en)
{
    out->mode = le16(di->mode);
    out->type = node_type_of(out->mode);
    out->size_bytes = le32(di->size_lo);
    if (out->type == NODE_FILE || (out->type == NODE_DIR && (x->incompat & EXT_INCOMPAT_LARGEDIR)))
        out->size_bytes |= (uint64_t)le32(di->size_high) << 32;
    out->mtime = (int32_t)le32(di->mtime);
    if (HAS_EXTRA(x, di, mtime_extra))
        out->mtime += (int64_t)(le32(di->mtime_extra) & 3) << 32;
    en->flags = le32(di->flags);
    memcpy(en->block, di->block, sizeof(en->block));
    en->fast_symlink = out->type == NODE_SYMLINK && is_fast_symlink(x, di, out->size_bytes);
    if (out->mode == 0 || le16(di->links_count) == 0)
        return ERR_AT(ERR_FS_DAMAGED, off, "inode %a is in use by a directory, but is free",
                      out->ino, 0);
    if (out->size_bytes > INT64_MAX)
        return ERR_AT(ERR_FS_DAMAGED, off, "inode %a has a size of %b bytes", out->ino,
                      out->size_bytes);
    return OK;
}

/* Make a node of the inode that lies at `off` and is in raw. */
static struct err make_node(const struct ext *x, struct arena *a, uint64_t ino, const uint8_t *raw,
                            uint64_t off, struct node *out)
{
    const struct ext_disk_inode *di = (const struct ext_disk_inode *)raw;
    struct ext_node *en = arena_alloc(a, sizeof(*en));

    if (en == NULL)
        return arena_exhausted("an inode of %a bytes", sizeof(*en));
    *out = (struct node){.ino = ino, .priv = en};
    en->arena = a;
    en->where = off;
    if (ext_has_metadata_csum(x)) {
        en->csum_seed = node_seed(x, ino, di);
        TRY(check_csum(x, di, en->csum_seed, off));
    }
    if (le32(di->flags) & EXT_INODE_INLINE_DATA)
        TRY(ext_inline_load(x, raw, off, en));
    return fill(x, di, off, out, en);
}

struct err ext_get_node(struct fs *fs, struct arena *a, uint64_t ino, struct node *out)
{
    struct ext *x = ext_of(fs);
    uint8_t stack[INODE_STACK_BYTES], *raw = stack;
    struct arena scratch;
    uint64_t table, off;

    if (ino == 0 || ino > x->nr_inodes)
        return ERR2(ERR_FS_DAMAGED, "inode %a was asked for; there are %b", ino, x->nr_inodes);
    TRY(ext_inode_table(fs, (ino - 1) / x->inodes_per_group, &table));
    off = table * x->block_bytes + (ino - 1) % x->inodes_per_group * x->inode_bytes;
    arena_init(&scratch, a->source);
    if (x->inode_bytes > sizeof(stack))
        raw = arena_alloc(&scratch, x->inode_bytes);
    if (raw == NULL)
        return arena_exhausted("an inode of %a bytes", x->inode_bytes);
    memset(raw, 0, sizeof(struct ext_disk_inode)); /* an old inode is shorter than the struct */
    struct err e = disk_read(fs->disk, off, raw, x->inode_bytes);

    if (!failed(e))
        e = make_node(x, a, ino, raw, off, out);
    arena_reset(&scratch);
    return e;
}

struct err ext_readlink(struct fs *fs, struct node *n, char *buf, size_t cap, size_t *len)
{
    struct ext *x = ext_of(fs);
    struct ext_node *en = ext_node_of(n);
    struct run run;

    if (en->flags & EXT_INODE_ENCRYPT)
        return ERR1(ERR_REFUSED, "inode %a is an encrypted symbolic link", n->ino);
    if (n->size_bytes == 0 || n->size_bytes >= x->block_bytes || n->size_bytes > cap)
        return ERR2(ERR_FS_DAMAGED, "inode %a is a symbolic link of %b bytes", n->ino,
                    n->size_bytes);
    *len = (size_t)n->size_bytes;
    if (en->fast_symlink) {
        memcpy(buf, en->block, *len);
    } else {
        TRY(ext_map(fs, n, 0, &run));
        if (run.kind == RUN_INLINE && *len <= run.len_bytes)
            memcpy(buf, run.inline_bytes, *len);
        else if (run.kind == RUN_DISK)
            TRY(disk_read(fs->disk, run.disk_off_bytes, buf, *len));
        else
            return ERR1(ERR_FS_DAMAGED, "inode %a is a symbolic link without a target", n->ino);
    }
    /* Linux ends a target at its first NUL. */
    const char *nul = memchr(buf, '\0', *len);

    if (nul != NULL)
        *len = (size_t)(nul - buf);
    if (*len == 0)
        return ERR1(ERR_FS_DAMAGED, "inode %a is an empty symbolic link", n->ino);
    return OK;
}
