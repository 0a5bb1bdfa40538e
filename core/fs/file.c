/* SPDX-License-Identifier: MIT */
/*
 * Files as runs: opening, and the reader that turns runs into requests. Data goes straight from
 * the device to its destination; only what is not made of whole, aligned sectors passes through
 * the metadata cache. The contracts are in fs.h and runs.h.
 */
#include <string.h>

#include "core/base/bytes.h"
#include "core/fs/fs.h"
#include "core/fs/runs.h"

#define READ_REQS_MAX 32

struct err file_open(struct file *f, struct fs *fs, struct arena *a, const char *path,
                     struct walk_report *report)
{
    f->fs = fs;
    f->path = path;
    TRY(fs_walk(fs, a, path, &f->node, report));
    if (f->node.type == NODE_DIR)
        return ERR(ERR_BAD_FILETYPE, "a directory, not a file");
    if (f->node.type != NODE_FILE)
        return ERR(ERR_BAD_FILETYPE, "not a regular file");
    return OK;
}

void run_reader_init(struct run_reader *r, struct file *f, struct disk_req *reqs, uint32_t nr_reqs)
{
    *r = (struct run_reader){
        .fs = f->fs, .node = &f->node, .reqs = reqs, .nr_reqs = nr_reqs, .err = OK};
}

static bool run_holds(const struct run *run, uint64_t pos)
{
    return pos >= run->file_off_bytes && pos - run->file_off_bytes < run->len_bytes;
}

static struct err map_at(struct run_reader *r, uint64_t pos, struct run *out)
{
    if (run_holds(&r->ahead, pos)) {
        *out = r->ahead;
        return OK;
    }
    TRY(r->fs->ops->map(r->fs, r->node, pos, out));
    if (!run_holds(out, pos))
        return ERR1(ERR_FS_DAMAGED, "no run was given for byte %a of the file", pos);
    return OK;
}

/* Make r->run the run around pos, with what follows on the disk at once added to it. */
static struct err find_run(struct run_reader *r)
{
    struct run *run = &r->run;

    TRY(map_at(r, r->pos, run));
    uint64_t skip = r->pos - run->file_off_bytes;

    run->file_off_bytes += skip;
    run->len_bytes -= skip;
    if (run->kind == RUN_DISK)
        run->disk_off_bytes += skip;
    if (run->kind == RUN_INLINE)
        run->inline_bytes += skip;
    /* Each round adds at least one byte, so the request's size bounds them. */
    while (run->kind == RUN_DISK && run->len_bytes < RUN_REQ_BYTES &&
           run->len_bytes < r->end - r->pos) {
        struct run next;
        uint64_t at = run->file_off_bytes + run->len_bytes;

        TRY(map_at(r, at, &next));
        if (next.kind != RUN_DISK || next.file_off_bytes > at ||
            next.disk_off_bytes + (at - next.file_off_bytes) !=
                run->disk_off_bytes + run->len_bytes) {
            r->ahead = next;
            break;
        }
        run->len_bytes += next.len_bytes - (at - next.file_off_bytes);
    }
    return OK;
}

static void advance(struct run_reader *r, uint64_t n)
{
    r->pos += n;
    r->dst += n;
    r->room_bytes -= n;
}

static void submit(struct run_reader *r, uint64_t disk_off_bytes, uint64_t len_bytes)
{
    struct disk_req *req = &r->reqs[(r->first + r->nr_busy) % r->nr_reqs];

    *req = (struct disk_req){
        .op = DISK_READ, .off_bytes = disk_off_bytes, .buf = r->dst, .len_bytes = len_bytes};
    r->nr_busy++;
    disk_submit(r->fs->disk, req);
}

/* Start, or do at once, what can be done in one piece at pos. A free slot is there. */
static struct err start_piece(struct run_reader *r)
{
    uint64_t sector = r->fs->disk->sector_bytes;

    if (!run_holds(&r->run, r->pos))
        TRY(find_run(r));
    uint64_t skip = r->pos - r->run.file_off_bytes;
    uint64_t in_run = r->run.len_bytes - skip;
    uint64_t want = min_u64(in_run, r->end - r->pos);

    if (r->run.kind == RUN_HOLE) {
        memset(r->dst, 0, (size_t)want);
        advance(r, want);
        return OK;
    }
    if (r->run.kind == RUN_INLINE) {
        memcpy(r->dst, r->run.inline_bytes + skip, (size_t)want);
        advance(r, want);
        return OK;
    }
    uint64_t disk_off = r->run.disk_off_bytes + skip;

    want = min_u64(want, RUN_REQ_BYTES);
    if (disk_off % sector == 0 && (uintptr_t)r->dst % sector == 0) {
        uint64_t whole = align_up(want, sector);

        if (whole > in_run || whole > r->room_bytes)
            whole = align_down(want, sector);
        if (whole != 0) {
            submit(r, disk_off, whole);
            advance(r, min_u64(whole, want));
            return OK;
        }
    } else if (((uintptr_t)r->dst + (sector - disk_off % sector)) % sector == 0) {
        /* A ragged head, after which both sides are aligned. */
        want = min_u64(want, sector - disk_off % sector);
    }
    TRY(disk_read(r->fs->disk, disk_off, r->dst, want));
    advance(r, want);
    return OK;
}

static void pump(struct run_reader *r)
{
    while (!failed(r->err) && r->pos < r->end && r->nr_busy < r->nr_reqs)
        r->err = start_piece(r);
}

void run_reader_start(struct run_reader *r, uint64_t off_bytes, void *buf, uint64_t len_bytes,
                      uint64_t room_bytes)
{
    r->pos = off_bytes;
    r->end = off_bytes + len_bytes;
    r->dst = buf;
    r->room_bytes = room_bytes;
    pump(r);
}

struct err run_reader_finish(struct run_reader *r)
{
    while (r->nr_busy > 0) {
        struct err e = disk_wait(r->fs->disk, &r->reqs[r->first]);

        r->first = (r->first + 1) % r->nr_reqs;
        r->nr_busy--;
        if (failed(e) && !failed(r->err))
            r->err = e;
        pump(r);
    }
    return r->err;
}

struct err file_read(struct file *f, uint64_t off_bytes, void *buf, uint64_t len_bytes)
{
    struct disk_req reqs[READ_REQS_MAX];
    struct run_reader r;

    if (!in_range(off_bytes, len_bytes, f->node.size_bytes))
        return ERR2(ERR_FILELENGTH, "%a bytes were asked for past the end of a file of %b bytes",
                    len_bytes, f->node.size_bytes);
    run_reader_init(&r, f, reqs, READ_REQS_MAX);
    run_reader_start(&r, off_bytes, buf, len_bytes, len_bytes);
    return run_reader_finish(&r);
}
