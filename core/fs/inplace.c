/* SPDX-License-Identifier: MIT */
/* Changing bytes of a file where they lie. Why this is safe, and where not, is in inplace.h. */
#include "core/fs/inplace.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"

#define SECTOR_BYTES_MAX ((uint32_t)4096)

/* Where the bytes are. */
struct place {
    uint64_t fs_off_bytes; /* on the file system's disk */
    struct disk *device;
    uint64_t sector_off_bytes; /* on the device */
    size_t skip;               /* of the bytes in the sector */
};

static struct err find_place(struct file *f, uint64_t off_bytes, size_t len, struct place *out)
{
    struct fs *fs = f->fs;
    struct run run;
    uint64_t device_off;

    if (len == 0 || !in_range(off_bytes, len, f->node.size_bytes))
        return ERR2(ERR_FILELENGTH, "%a bytes do not fit into a file of %b, which cannot grow", len,
                    f->node.size_bytes);
    if (f->node.type != NODE_FILE || fs->ops->may_overwrite == NULL)
        return ERR(ERR_REFUSED, "not a file of a file system: it is not written to");
    TRY(fs->ops->may_overwrite(fs, &f->node, off_bytes));
    TRY(fs->ops->map(fs, &f->node, off_bytes, &run));
    if (run.kind == RUN_INLINE)
        return ERR(ERR_REFUSED, "the file has no block of its own");
    if (run.kind != RUN_DISK)
        return ERR(ERR_REFUSED, "the file's block has never been written (a hole); write it anew");
    uint64_t in_run = off_bytes - run.file_off_bytes; /* wraps for a run that begins later */

    if (!in_range(in_run, len, run.len_bytes))
        return ERR(ERR_REFUSED, "the bytes lie in two places of the disk");
    out->fs_off_bytes = run.disk_off_bytes + in_run;
    TRY(disk_place(fs->disk, out->fs_off_bytes, &out->device, &device_off));
    uint32_t sector = out->device->sector_bytes;

    if (sector == 0 || sector > SECTOR_BYTES_MAX)
        return ERR1(ERR_REFUSED, "sectors of %a bytes", sector);
    out->skip = (size_t)(device_off % sector);
    out->sector_off_bytes = device_off - out->skip;
    if (len > sector - out->skip)
        return ERR(ERR_REFUSED, "the bytes lie in two sectors, which are not written at once");
    return OK;
}

struct err file_may_overwrite(struct file *f, uint64_t off_bytes, size_t len)
{
    struct place p;

    return find_place(f, off_bytes, len, &p);
}

/* Past every cache of ours. */
static struct err transfer(const struct place *p, enum disk_op op, uint8_t *sector)
{
    struct disk_req req = {.op = op, .off_bytes = p->sector_off_bytes, .buf = sector};

    if (op != DISK_FLUSH)
        req.len_bytes = p->device->sector_bytes;
    disk_submit(p->device, &req);
    return disk_wait(p->device, &req);
}

static void say_journal(const struct file *f, size_t len)
{
    char line[200];
    struct text t = fs_line(f->fs, line, sizeof(line));

    if (!f->fs->journal_replayed)
        return;
    text_str(&t, ": ");
    text_u64(&t, len);
    text_str(&t, len == 1 ? " byte is" : " bytes are");
    text_str(&t, " written to a block that the journal does not hold; the journal stays as it is");
    log_line(f->fs->log, line);
}

/* sector, check: a sector's room each. */
static struct err overwrite(struct file *f, const struct place *p, uint64_t off_bytes,
                            const void *bytes, size_t len, uint8_t *sector, uint8_t *check)
{
    uint32_t sector_bytes = p->device->sector_bytes;

    TRY(file_read(f, off_bytes, check, len));
    TRY(transfer(p, DISK_READ, sector));
    if (memcmp(sector + p->skip, check, len) != 0)
        return ERR(ERR_WRITE, "the disk does not hold what the file says; nothing was written");
    if (memcmp(sector + p->skip, bytes, len) == 0)
        return OK;
    say_journal(f, len);
    memcpy(sector + p->skip, bytes, len);
    struct err e = transfer(p, DISK_WRITE, sector);

    /* Whatever came of it: what the caches hold is not to be believed any more. */
    disk_forget(f->fs->disk, p->fs_off_bytes);
    TRY(e);
    TRY(transfer(p, DISK_FLUSH, sector));
    TRY(transfer(p, DISK_READ, check));
    if (memcmp(sector, check, sector_bytes) != 0)
        return ERR_AT(ERR_WRITE, p->sector_off_bytes, "the sector was written, and reads otherwise",
                      0, 0);
    return OK;
}

struct err file_overwrite(struct file *f, uint64_t off_bytes, const void *bytes, size_t len)
{
    struct place p;
    struct arena scratch;

    TRY(find_place(f, off_bytes, len, &p));
    if (p.device->read_only)
        return ERR(ERR_WRITE, "the disk is read-only");
    arena_init(&scratch, f->fs->arena->source);
    uint8_t *room = arena_pages(&scratch, (size_t)2 * SECTOR_BYTES_MAX);
    struct err e = room == NULL
                       ? arena_exhausted("two sectors of %a bytes", SECTOR_BYTES_MAX)
                       : overwrite(f, &p, off_bytes, bytes, len, room, room + SECTOR_BYTES_MAX);

    arena_reset(&scratch);
    return e;
}
