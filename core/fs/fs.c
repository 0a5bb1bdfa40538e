/* SPDX-License-Identifier: MIT */
/*
 * Mounting, and the journal seam: who reads what lies on a disk. Path walking is in walk.c,
 * reading in file.c and stream.c.
 */
#include "core/fs/fs.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/fs/readers.h"

#define METADATA_CACHE_BLOCKS 64

static const struct fs_ops *const readers[] = {&ext_fs_ops, &xfs_fs_ops, &reiserfs_fs_ops};

const char *fs_reader_name(uint32_t n)
{
    return n < ARRAY_LEN(readers) ? readers[n]->name : NULL;
}

struct text fs_line(const struct fs *fs, char *line, size_t cap)
{
    struct text t = text_on(line, cap);
    size_t len = 0; /* without ", journal dirty" */

    while (fs->describe[len] != '\0' && fs->describe[len] != ',')
        len++;
    text_str(&t, fs->disk->name);
    text_str(&t, ": ");
    text_mem(&t, fs->describe, len);
    return t;
}

static struct err mount_with(struct fs *fs, const struct fs_ops *ops, struct disk *disk)
{
    fs->ops = ops;
    fs->disk = disk;
    fs->priv = NULL;
    fs->journal_dirty = false;
    TRY(disk_cache_attach(disk, fs->arena, METADATA_CACHE_BLOCKS));
    return ops->mount(fs);
}

/*
 * The journal is dirty: lay it over the disk and mount that. Without a replay, mounting goes on
 * with the disk as it stands, and somebody is told what that may mean.
 */
static struct err take_journal_in(struct fs *fs)
{
    struct disk *overlay = NULL;
    char line[256];

    if (fs->ops->replay != NULL) {
        TRY(fs->ops->replay(fs, &overlay));
        fs->journal_replayed = true;
        return mount_with(fs, fs->ops, overlay);
    }
    struct text t = fs_line(fs, line, sizeof(line));

    text_str(&t, ": journal not replayed: files changed shortly before the crash may be seen as "
                 "they were");
    log_line(fs->log, line);
    return OK;
}

struct err fs_mount(struct fs *fs, struct disk *disk, struct arena *a, const struct log *log)
{
    *fs = (struct fs){.arena = a, .log = log};
    for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
        struct err e = mount_with(fs, readers[i], disk);

        if (e.code == ERR_NOT_MINE)
            continue;
        if (!failed(e) && fs->journal_dirty)
            e = take_journal_in(fs);
        return e;
    }
    const char *foreign = foreign_sentence(disk);

    return ERR(ERR_FS_MOUNT,
               foreign != NULL ? foreign : "no known file system; " FS_READ_LIST " read");
}
