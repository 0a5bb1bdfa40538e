/* SPDX-License-Identifier: MIT */
/*
 * Objects of the ReiserFS reader: stat data, file byte -> run, symbolic links.
 *
 * A file's bytes are counted from 1 in keys. A tail is a run like any other: bytes of the disk that
 * happen to lie in a leaf, and seldom begin at a sector.
 *
 * What an interrupted truncation left behind (Linux notes it under the directory number 2^32 - 1,
 * and completes it when it mounts to write) lies past the end of its file, because the new size is
 * part of the note's own transaction; what an interrupted deletion left has no name any more. So
 * neither can be seen here.
 */
#include <string.h>

#include "core/fs/reiserfs.h"

#define POINTER_BYTES 4u

static struct err read_stat(const struct reiser_item *item, struct node *out)
{
    const struct reiser_disk_stat_3_5 *v1 = (const struct reiser_disk_stat_3_5 *)item->bytes;
    const struct reiser_disk_stat_3_6 *v2 = (const struct reiser_disk_stat_3_6 *)item->bytes;
    bool old = item->version == 0;
    uint32_t nr_links;

    if (item->len_bytes < (old ? sizeof(*v1) : sizeof(*v2)))
        return ERR_AT(ERR_FS_DAMAGED, item->where, "stat data of %a bytes", item->len_bytes, 0);
    if (old) {
        out->mode = le16(v1->mode);
        out->size_bytes = le32(v1->size);
        out->mtime = le32(v1->mtime);
        nr_links = le16(v1->nlink);
    } else {
        out->mode = le16(v2->mode);
        out->size_bytes = le64(v2->size);
        out->mtime = le32(v2->mtime);
        nr_links = le32(v2->nlink);
    }
    out->type = node_type_of(out->mode);
    if (out->mode == 0 || nr_links == 0)
        return ERR_AT(ERR_FS_DAMAGED, item->where,
                      "the object (%a, %b) is in use by a directory, but is free", item->key.dir_id,
                      item->key.objectid);
    if (out->size_bytes > INT64_MAX)
        return ERR_AT(ERR_FS_DAMAGED, item->where, "a size of %a bytes", out->size_bytes, 0);
    return OK;
}

struct err reiser_get_node(struct fs *fs, struct arena *a, uint64_t ino, struct node *out)
{
    struct reiser_key key = reiser_key_of(ino, 0, REISER_STAT);
    struct reiser_item item;
    bool found;

    (void)a;
    *out = (struct node){.ino = ino};
    TRY(reiser_search(fs, &reiser_of(fs)->path, &key, &item, &found));
    if (!found || reiser_key_compare(&item.key, &key) != 0)
        return ERR2(ERR_FS_DAMAGED, "the object (%a, %b) has no stat data", key.dir_id,
                    key.objectid);
    return read_stat(&item, out);
}

/* From off_bytes to the file's next item is nothing. */
static struct err map_hole(struct fs *fs, struct reiser_item *item, uint64_t off_bytes,
                           struct run *out)
{
    struct reiser_key key = item->key;
    uint64_t end = UINT64_MAX, nr_leaves = 0;
    bool found;

    TRY(reiser_next(fs, item, &found, &nr_leaves));
    if (found && reiser_same_object(&item->key, &key))
        end = item->key.offset - 1;
    if (end <= off_bytes)
        return ERR_AT(ERR_FS_DAMAGED, item->where, "an item for byte %a of a file, twice", end, 0);
    *out =
        (struct run){.kind = RUN_HOLE, .file_off_bytes = off_bytes, .len_bytes = end - off_bytes};
    return OK;
}

/* Answer from a row of block numbers; the file's byte lies in the block of number i. */
static struct err map_pointers(struct fs *fs, const struct reiser_item *item, uint64_t i,
                               struct run *out)
{
    struct reiser *r = reiser_of(fs);
    uint64_t nr = item->len_bytes / POINTER_BYTES, n = 1;
    uint64_t start = le32(item->bytes + POINTER_BYTES * i);
    bool hole = start == 0;

    while (i + n < nr && le32(item->bytes + POINTER_BYTES * (i + n)) == (hole ? 0 : start + n))
        n++;
    if (!hole && !reiser_blocks_valid(r, start, n))
        return ERR_AT(ERR_FS_DAMAGED, item->where, "a file's %b blocks from block %a on", start, n);
    *out = (struct run){.kind = hole ? RUN_HOLE : RUN_DISK,
                        .file_off_bytes = item->key.offset - 1 + i * r->block_bytes,
                        .len_bytes = n * r->block_bytes,
                        .disk_off_bytes = start * r->block_bytes};
    return OK;
}

struct err reiser_map(struct fs *fs, struct node *n, uint64_t off_bytes, struct run *out)
{
    struct reiser *r = reiser_of(fs);
    struct reiser_key key = reiser_key_of(n->ino, off_bytes + 1, REISER_ANY);
    struct reiser_item item;
    bool found;

    TRY(reiser_search(fs, &r->path, &key, &item, &found));
    if (!found || !reiser_same_object(&item.key, &key))
        return ERR2(ERR_FS_DAMAGED, "the object (%a, %b) has no items", key.dir_id, key.objectid);
    if (item.key.type == REISER_STAT && item.key.offset == 0)
        return map_hole(fs, &item, off_bytes, out);
    if (item.key.offset == 0)
        return ERR_AT(ERR_FS_DAMAGED, item.where, "a file's item has offset 0", 0, 0);
    uint64_t start = item.key.offset - 1, skip = off_bytes - start;

    if (item.key.type == REISER_DIRECT) {
        if (skip >= item.len_bytes)
            return map_hole(fs, &item, off_bytes, out);
        *out = (struct run){.kind = RUN_DISK,
                            .file_off_bytes = start,
                            .len_bytes = item.len_bytes,
                            .disk_off_bytes = item.where};
        return OK;
    }
    if (item.key.type != REISER_INDIRECT || start % r->block_bytes != 0)
        return ERR_AT(ERR_FS_DAMAGED, item.where, "byte %a of a file lies in an item of type %b",
                      off_bytes, item.key.type);
    if (skip / r->block_bytes >= item.len_bytes / POINTER_BYTES)
        return map_hole(fs, &item, off_bytes, out);
    return map_pointers(fs, &item, skip / r->block_bytes, out);
}

/* Blocks of an indirect item are the file's own; a tail lies in a block of the tree. */
struct err reiser_may_overwrite(struct fs *fs, struct node *n, uint64_t off_bytes)
{
    struct reiser *r = reiser_of(fs);
    struct reiser_key key = reiser_key_of(n->ino, 0, REISER_STAT);
    const struct reiser_disk_stat_3_6 *stat;
    struct reiser_item item;
    bool found;

    if (r->has_errors)
        return ERR(ERR_REFUSED, "the ReiserFS is marked as having errors; run reiserfsck on it");
    TRY(reiser_search(fs, &r->path, &key, &item, &found));
    stat = (const struct reiser_disk_stat_3_6 *)item.bytes;
    if (r->has_attrs && found && item.key.type == REISER_STAT && item.version != 0 &&
        item.len_bytes >= sizeof(*stat) &&
        (le16(stat->attrs) & (REISER_ATTR_IMMUTABLE | REISER_ATTR_APPEND)))
        return ERR(ERR_REFUSED, "the file is protected against changes (chattr +i or +a)");
    key = reiser_key_of(n->ino, off_bytes + 1, REISER_ANY);
    TRY(reiser_search(fs, &r->path, &key, &item, &found));
    if (!found || !reiser_same_object(&item.key, &key) || item.key.type != REISER_INDIRECT)
        return ERR(ERR_REFUSED,
                   "the file is a tail in the tree of ReiserFS; make it larger than 16 "
                   "KiB, or mount with notail and write it anew");
    return OK;
}

struct err reiser_readlink(struct fs *fs, struct node *n, char *buf, size_t cap, size_t *len)
{
    uint64_t size = n->size_bytes;

    if (size == 0 || size > cap || size > reiser_of(fs)->block_bytes)
        return ERR1(ERR_FS_DAMAGED, "a symbolic link of %a bytes", size);
    /* Each round is at least a byte of a block. */
    for (uint64_t at = 0; at < size;) {
        struct run run;

        TRY(reiser_map(fs, n, at, &run));
        uint64_t skip = at - run.file_off_bytes;
        uint64_t piece = min_u64(run.len_bytes - skip, size - at);

        if (run.kind != RUN_DISK)
            return ERR(ERR_FS_DAMAGED, "a symbolic link without a target");
        TRY(disk_read(fs->disk, run.disk_off_bytes + skip, buf + at, piece));
        at += piece;
    }
    /* Linux ends a target at its first NUL. */
    const char *nul = memchr(buf, '\0', (size_t)size);

    *len = nul != NULL ? (size_t)(nul - buf) : (size_t)size;
    if (*len == 0)
        return ERR(ERR_FS_DAMAGED, "an empty symbolic link");
    return OK;
}
