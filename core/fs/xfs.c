/* SPDX-License-Identifier: MIT */
/*
 * The XFS reader: mounting. The format's source is named in xfs_disk.h. Nothing but the superblock
 * is read here: with a dirty log, everything else may be as it was.
 */
#include "core/fs/xfs.h"

#include <string.h>

#include "core/base/text.h"
#include "core/fs/readers.h"

static void describe(struct fs *fs, const struct xfs *x, const struct xfs_disk_super *sb)
{
    struct text t = text_on(fs->describe, sizeof(fs->describe));
    size_t len = 0;

    text_str(&t, x->v5 ? "XFS" : "XFS v4");
    if (fs->journal_replayed)
        text_str(&t, ", journal replayed");
    else if (fs->journal_dirty)
        text_str(&t, ", journal dirty");

    while (len < sizeof(sb->fname) && sb->fname[len] != 0)
        len++;
    t = text_on(fs->label, sizeof(fs->label));
    text_name(&t, (const char *)sb->fname, len);
    memcpy(fs->uuid, x->uuid, sizeof(fs->uuid));
}

static struct err xfs_mount(struct fs *fs)
{
    struct xfs_disk_super sb;

    if (fs->disk->size_bytes < sizeof(sb))
        return ERR(ERR_NOT_MINE, "too small for XFS");
    TRY(disk_read(fs->disk, 0, &sb, sizeof(sb)));
    if (be32(sb.magic) != XFS_SUPER_MAGIC)
        return ERR(ERR_NOT_MINE, "no XFS superblock");
    struct xfs *x = arena_alloc(fs->arena, sizeof(*x));

    if (x == NULL)
        return arena_exhausted("an XFS mount of %a bytes", sizeof(*x));
    TRY(xfs_read_super(fs, x, &sb));
    fs->priv = x;
    fs->root_ino = be64(sb.rootino);
    if (!xfs_ino_valid(x, fs->root_ino))
        return ERR_AT(ERR_FS_DAMAGED, 0, "the root is inode %a, which has no place", fs->root_ino,
                      0);
    if (!fs->journal_replayed)
        TRY(xfs_log_is_dirty(fs, &fs->journal_dirty));
    describe(fs, x, &sb);
    return OK;
}

const struct fs_ops xfs_fs_ops = {
    .name = "XFS",
    .mount = xfs_mount,
    .replay = xfs_replay,
    .get_node = xfs_get_node,
    .lookup = xfs_lookup,
    .readdir = xfs_readdir,
    .map = xfs_map,
    .may_overwrite = xfs_may_overwrite,
    .readlink = xfs_readlink,
};
