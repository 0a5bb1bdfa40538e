/* SPDX-License-Identifier: MIT */
/*
 * XFS's log: is it dirty, and its replay into an overlay. The files that share the work are listed
 * in xfs_log.h; what is applied, what is left out and why that is right stands in docs/recovery.md.
 */
#include "core/fs/xfs_log.h"

#include <string.h>

#include "core/base/text.h"

static struct err open_log(struct xlog *log, struct fs *fs)
{
    const struct xfs *x = xfs_of(fs);
    uint64_t len = (uint64_t)x->log_blocks * x->block_bytes;

    *log = (struct xlog){.fs = fs,
                         .x = x,
                         .disk = fs->disk,
                         .arena = fs->arena,
                         .off_bytes = x->log_off_bytes,
                         .nr_bb = (uint32_t)(len / XLOG_BB),
                         .v2 = (x->version & XFS_VERSION_LOGV2) != 0};
    log->intents_end = &log->intents;
    if (len < 2 * XLOG_RECORD_V1_BYTES || len > XLOG_BYTES_MAX ||
        !in_range(log->off_bytes, len, fs->disk->size_bytes))
        return ERR2(ERR_FS_DAMAGED, "a log of %a bytes at byte %b", len, log->off_bytes);
    if (log->off_bytes % fs->disk->sector_bytes != 0 || x->block_bytes < fs->disk->sector_bytes)
        return ERR2(ERR_REFUSED, "XFS with blocks of %a bytes on a disk with sectors of %b",
                    x->block_bytes, fs->disk->sector_bytes);
    return OK;
}

static void close_log(struct xlog *log)
{
    xlog_forget_open(log);
    xlog_drop_chunks(log);
    xlog_table_free(log, &log->cancelled);
    xlog_table_free(log, &log->changed);
    xlog_table_free(log, &log->open_intents);
    xlog_table_free(log, &log->new_owners);
    arena_drop(log->arena, log->window.bytes);
    arena_drop(log->arena, log->record);
    arena_drop(log->arena, log->crc);
    arena_drop(log->arena, log->buffer);
}

struct err xfs_log_is_dirty(struct fs *fs, bool *dirty)
{
    struct xlog log;
    struct err e = open_log(&log, fs);

    if (!failed(e))
        e = xlog_find_ends(&log);
    *dirty = !failed(e) && log.head != log.tail;
    close_log(&log);
    return e;
}

/* The records from tail to head. *bad: where a record is damaged, when the error says that. */
static struct err go_through(struct xlog *log, int pass, uint32_t *bad)
{
    uint32_t at = log->tail;

    log->pass = pass;
    while (at != log->head) {
        struct xlog_record r;

        *bad = at;
        TRY(xlog_read_record(log, at, xlog_distance(log, at, log->head), pass == 1, &r));
        *bad = UINT32_MAX;
        TRY(xlog_check_origin(log, &r));
        TRY(xlog_take_record(log, &r));
        at = xlog_add(log, at, r.nr_header_bb + r.nr_body_bb);
    }
    if (pass == 2)
        log->n.incomplete = log->nr_open;
    xlog_forget_open(log);
    return OK;
}

/*
 * The first time through: checksums, and what was given up. When records were cut off at the head,
 * the first ones after the tail may have been overwritten by those: then the tail that the last
 * good record names is out of date, and replaying begins behind the damage.
 */
static struct err first_pass(struct xlog *log)
{
    uint32_t bad, in_flight = XLOG_BUFFERS * XLOG_RECORD_MAX_BYTES / XLOG_BB;
    struct err e;

    TRY(xlog_next_header(log, log->tail, &log->tail));
    for (;;) {
        e = go_through(log, 1, &bad);
        if (e.code != ERR_FS_DAMAGED || bad == UINT32_MAX)
            return e;
        if (bad == log->head || xlog_distance(log, log->head, bad) > in_flight)
            return e;
        xlog_forget_open(log);
        xlog_table_free(log, &log->cancelled);
        if (failed(xlog_next_header(log, xlog_add(log, bad, 1), &log->tail)))
            return e;
    }
}

static void count(struct text *t, uint64_t nr, const char *one, const char *many)
{
    if (nr == 0)
        return;
    text_str(t, ", ");
    text_u64(t, nr);
    text_str(t, nr == 1 ? one : many);
}

static void say_replayed(const struct xlog *log)
{
    const struct xlog_counts *n = &log->n;
    char line[400];
    struct text t = text_on(line, sizeof(line));

    text_str(&t, log->disk->name);
    text_str(&t, ": XFS log replayed in memory: ");
    text_u64(&t, n->records);
    text_str(&t, n->records == 1 ? " record" : " records");
    count(&t, n->transactions, " transaction", " transactions");
    count(&t, n->buffers, " buffer", " buffers");
    count(&t, n->inodes, " inode", " inodes");
    count(&t, n->new_inodes, " new inode", " new inodes");
    count(&t, n->intents_done, " intent finished", " intents finished");
    count(&t, n->cancelled, " item given up later", " items given up later");
    count(&t, n->newer, " item older than the disk", " items older than the disk");
    count(&t, n->quota, " quota item left out", " quota items left out");
    count(&t, n->intents_left, " intent left out that files do not need",
          " intents left out that files do not need");
    count(&t, n->incomplete, " unfinished transaction discarded",
          " unfinished transactions discarded");
    if (log->torn)
        text_str(&t, ", torn records at its end discarded");
    log_line(log->fs->log, line);
}

static struct err replay(struct xlog *log, struct disk **out)
{
    uint32_t bad;

    TRY(xlog_find_ends(log));
    TRY(overlay_new(&log->overlay, log->disk, log->arena, log->x->block_bytes, XLOG_REPLACED_MAX));
    *out = overlay_disk(log->overlay);
    if (log->head == log->tail)
        return OK;
    if (log->x->log_incompat & ~XFS_LOG_INCOMPAT_XATTRS)
        return ERR1(ERR_REFUSED, "the log of XFS is dirty and has unknown features %A",
                    log->x->log_incompat & ~XFS_LOG_INCOMPAT_XATTRS);
    TRY(xlog_pages(log, XLOG_BUF_MAX_BYTES, "a buffer of %a bytes", &log->buffer));
    TRY(first_pass(log));
    TRY(go_through(log, 2, &bad));
    for (size_t i = 0; i < log->new_owners.nr_slots; i++) {
        if (log->new_owners.slots[i].key != UINT64_MAX)
            TRY(xlog_fork_own(log, log->new_owners.slots[i].key));
    }
    TRY(xlog_finish_intents(log));
    TRY(xlog_seal(log));
    say_replayed(log);
    return OK;
}

struct err xfs_replay(struct fs *fs, struct disk **out)
{
    struct xlog log;
    struct err e = open_log(&log, fs);

    if (!failed(e))
        e = replay(&log, out);
    close_log(&log);
    return e;
}
