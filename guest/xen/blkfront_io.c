/* SPDX-License-Identifier: MIT */
/*
 * The disk interface of a block device. A request waits in the queue until all its parts have gone
 * into the ring; submitted_bytes says how far that is, pending_parts how many are under way. The
 * first (lowest) failure stands in the request's result, and submitted_bytes becomes PART_FAILED:
 * no more parts are sent, and the request is finished when the last one has come back. A read that
 * failed becomes a suspect first: which of its sectors was it?
 */
#include "guest/xen/blkfront_priv.h"

#include "core/base/text.h"
#include "guest/xen/events.h"

#define PART_FAILED UINT64_MAX
#define AGAIN_BYTES ((uint64_t)256 * 1024) /* a read that failed is repeated in such pieces */

static void finish(struct blkfront *b, struct disk_req *req)
{
    if (req->submitted_bytes != PART_FAILED) {
        req->result = OK;
    } else if (req != b->probe && req->result.code == ERR_READ && !failed(b->dead)) {
        /* Not done before it is known which sector failed: blk_wait looks for it. */
        req->next = b->suspects;
        b->suspects = req;
        return;
    }
    req->done = true;
}

static void record_failure(struct disk_req *req, struct err e)
{
    if (req->submitted_bytes != PART_FAILED || e.where < req->result.where)
        req->result = e;
    req->submitted_bytes = PART_FAILED;
}

static void leave_queue(struct blkfront *b, struct disk_req *req)
{
    struct disk_req *before = NULL;

    for (struct disk_req *at = b->queue; at != NULL; before = at, at = at->next) {
        if (at != req)
            continue;
        if (before == NULL)
            b->queue = req->next;
        else
            before->next = req->next;
        if (b->queue_last == req)
            b->queue_last = before;
        req->next = NULL;
        return;
    }
}

void blk_fail_all(struct blkfront *b, struct err e)
{
    b->dead = e;
    while (b->suspects != NULL) {
        b->suspects->done = true;
        b->suspects = b->suspects->next;
    }
    while (b->queue != NULL) {
        struct disk_req *req = b->queue;

        leave_queue(b, req);
        record_failure(req, e);
        if (req->pending_parts == 0)
            finish(b, req);
    }
    for (uint32_t i = 0; i < b->parts.nr; i++) {
        struct blk_part *part = &b->parts.part[i];
        struct disk_req *req = part->req;

        if (!part->busy || req == NULL)
            continue;
        /* Pages that the back end still has mapped stay lent: closing the device tries again. */
        part->req = NULL;
        if (!failed(blk_part_reclaim(b, part, false)))
            blk_part_put(b, part);
        record_failure(req, e);
        if (--req->pending_parts == 0)
            finish(b, req);
    }
}

static struct err part_error(const struct blkfront *b, const struct blk_part *part, int status)
{
    uint64_t code = status < 0 ? (uint64_t)-status : (uint64_t)status;

    if (part->req->op == DISK_READ)
        return ERR_AT(ERR_READ, part->off_bytes,
                      "the back end failed to read %a bytes (its status: -%b)", part->len_bytes,
                      code);
    if (part->req->op == DISK_WRITE)
        return ERR_AT(ERR_WRITE, part->off_bytes,
                      "the back end failed to write %a bytes (its status: -%b)", part->len_bytes,
                      code);
    return ERR1(ERR_WRITE,
                b->flush_cache ? "the back end failed to flush its cache (its status: -%a)"
                               : "the back end failed a write barrier (its status: -%a)",
                code);
}

static void say_no_flush(struct blkfront *b)
{
    char line[160];
    struct text t = text_on(line, sizeof(line));

    if (b->said_no_flush)
        return;
    b->said_no_flush = true;
    text_str(&t, b->vbd.disk.name);
    text_str(&t, ": its back end cannot flush a cache: when a write is safe is the host's affair");
    log_line(b->log, line);
}

static void part_done(struct blkfront *b, struct blk_part *part, int status)
{
    struct disk_req *req = part->req;
    /* What a back end offers its device may not have: it says so when it is asked for the first
     * time. */
    bool no_flush = req->op == DISK_FLUSH && status == BLKIF_RSP_EOPNOTSUPP;
    bool good = status == BLKIF_RSP_OKAY || no_flush;
    struct err e = blk_part_reclaim(b, part, good && req->op == DISK_READ);

    if (failed(e)) {
        /* It answered and yet keeps our pages: nothing that it says can be relied on. */
        blk_fail_all(b, e);
        return;
    }
    if (!good) {
        leave_queue(b, req);
        record_failure(req, part_error(b, part, status));
    }
    if (no_flush) {
        b->flush_cache = b->flush_barrier = false;
        say_no_flush(b);
    }
    blk_part_put(b, part);
    if (--req->pending_parts == 0 &&
        (req->submitted_bytes == PART_FAILED || req->submitted_bytes == req->len_bytes ||
         req->op == DISK_FLUSH))
        finish(b, req);
}

/* Take all responses; how many there were. */
static uint32_t collect(struct blkfront *b)
{
    uint32_t nr = 0;

    while (!failed(b->dead)) {
        struct blkif_response response;
        bool got;
        struct err e = blk_ring_get(b, &response, &got);

        if (!failed(e) && got &&
            (response.id >= b->parts.nr || b->parts.part[response.id].req == NULL))
            e = ERR1(ERR_PEER, "the back end answered request %a, which was never sent",
                     response.id);
        if (failed(e)) {
            blk_fail_all(b, e);
            break;
        }
        if (!got)
            break;
        part_done(b, &b->parts.part[response.id], response.status);
        nr++;
    }
    return nr;
}

/* The next part of a request into the ring; false when that must wait. */
static bool send_part(struct blkfront *b, struct disk_req *req)
{
    union blkif_sring_entry entry;
    struct blk_part *part = blk_part_take(b);
    uint8_t operation = req->op == DISK_READ    ? BLKIF_OP_READ
                        : req->op == DISK_WRITE ? BLKIF_OP_WRITE
                        : b->flush_cache        ? BLKIF_OP_FLUSH_DISKCACHE
                                                : BLKIF_OP_WRITE_BARRIER;
    struct err e = OK;

    if (part == NULL)
        return false;
    part->req = req;
    part->off_bytes = 0;
    part->len_bytes = 0;
    if (req->op != DISK_FLUSH) {
        part->buf = (uint8_t *)req->buf + req->submitted_bytes;
        part->off_bytes = req->off_bytes + req->submitted_bytes;
        part->len_bytes = blk_part_capacity(b, part->buf, req->len_bytes - req->submitted_bytes);
        e = blk_part_lend(b, part, req->op == DISK_WRITE);
    }
    if (failed(e)) {
        blk_part_put(b, part);
        if (e.code == ERR_LIMIT && b->parts.nr_busy > 0)
            return false; /* pages come free with the next response */
        blk_fail_all(b, e);
        return false;
    }
    blk_part_entry(b, part, operation, &entry);
    blk_ring_put(b, &entry);
    req->submitted_bytes += part->len_bytes;
    req->pending_parts++;
    return true;
}

/* From the queue into the ring, as much as fits. */
static void pump(struct blkfront *b)
{
    struct err e;

    while (b->queue != NULL && send_part(b, b->queue)) {
        struct disk_req *req = b->queue;

        if (req->op == DISK_FLUSH || req->submitted_bytes == req->len_bytes)
            leave_queue(b, req);
    }
    if (failed(b->dead))
        return;
    e = blk_ring_push(b);
    if (failed(e))
        blk_fail_all(b, e);
}

static void blk_submit(struct disk *d, struct disk_req *req)
{
    struct blkfront *b = d->ctx;

    if (failed(b->dead)) {
        req->result = b->dead;
        req->done = true;
        return;
    }
    if (req->op == DISK_FLUSH && !b->flush_cache && !b->flush_barrier) {
        say_no_flush(b);
        finish(b, req);
        return;
    }
    req->next = NULL;
    if (b->queue == NULL)
        b->queue = req;
    else
        b->queue_last->next = req;
    b->queue_last = req;
    (void)collect(b);
    pump(b);
}

/* Until the request is done, or there is a suspect to look at and nobody does yet. */
static void wait_done(struct blkfront *b, struct disk_req *req)
{
    uint64_t deadline_ns = clock_ns() + BLK_REPLY_PATIENCE_NS;

    while (!req->done && (b->suspects == NULL || b->probe != NULL)) {
        struct err e;

        events_take(b->port);
        if (collect(b) > 0) {
            deadline_ns = clock_ns() + BLK_REPLY_PATIENCE_NS;
            pump(b);
            continue;
        }
        if (blk_ring_arm(b))
            continue;
        e = events_wait(&b->port, 1, deadline_ns);
        if (!failed(e))
            continue;
        if (e.code == ERR_TIMEOUT)
            e = ERR1(ERR_TIMEOUT, "the block device did not answer for %a seconds",
                     BLK_REPLY_PATIENCE_NS / NS_PER_S);
        if (collect(b) == 0)
            blk_fail_all(b, e);
    }
}

/* Read [off, off + len) of a request's buffer again. */
static bool reads_well(struct blkfront *b, const struct disk_req *of, uint64_t off_bytes,
                       uint64_t len_bytes)
{
    struct disk_req req = {.op = DISK_READ, .off_bytes = off_bytes, .len_bytes = len_bytes};

    req.buf = (uint8_t *)of->buf + (off_bytes - of->off_bytes);
    req.result = ERR_AT(ERR_READ, off_bytes, "not read yet", 0, 0);
    b->probe = &req;
    blk_submit(&b->vbd.disk, &req);
    wait_done(b, &req);
    b->probe = NULL;
    return !failed(req.result);
}

/* [off, off + len) fails: by halves, which sector is the first to fail? */
static struct err find_bad_sector(struct blkfront *b, const struct disk_req *req,
                                  uint64_t off_bytes, uint64_t len_bytes)
{
    uint32_t sector_bytes = b->vbd.disk.sector_bytes;

    while (len_bytes > sector_bytes) {
        uint64_t half = align_up(len_bytes / 2, sector_bytes);

        if (reads_well(b, req, off_bytes, half)) {
            off_bytes += half;
            len_bytes -= half;
        } else {
            len_bytes = half;
        }
    }
    return ERR_AT(ERR_READ, off_bytes, "the back end failed to read sector %a of %b bytes",
                  off_bytes / sector_bytes, sector_bytes);
}

static void say_healed(const struct blkfront *b, uint64_t off_bytes)
{
    char line[160];
    struct text t = text_on(line, sizeof(line));

    text_str(&t, b->vbd.disk.name);
    text_str(&t, ": a read failed at byte ");
    text_u64(&t, off_bytes);
    text_str(&t, " and succeeded when it was repeated");
    log_line(b->log, line);
}

/*
 * The back end says only that a part failed, up to a mebibyte, and below it requests may have been
 * merged, so that a good part fails with its bad neighbour. Everything before the first part that
 * failed has been read; read the rest again, piece by piece, until the sector that fails is found,
 * or there is none.
 */
static void read_again(struct blkfront *b, struct disk_req *req)
{
    uint64_t first = req->result.where, end = req->off_bytes + req->len_bytes;
    uint64_t at = first;

    while (at < end) {
        uint64_t n = min_u64(end - at, AGAIN_BYTES);

        if (!reads_well(b, req, at, n)) {
            struct err e = find_bad_sector(b, req, at, n);

            req->result = failed(b->dead) ? b->dead : e;
            return;
        }
        at += n;
    }
    req->result = OK;
    say_healed(b, first);
}

static void blk_wait(struct disk *d, struct disk_req *req)
{
    struct blkfront *b = d->ctx;

    for (;;) {
        wait_done(b, req);
        if (b->suspects == NULL)
            return;
        while (b->suspects != NULL) {
            struct disk_req *suspect = b->suspects;

            b->suspects = suspect->next;
            suspect->next = NULL;
            read_again(b, suspect);
            suspect->done = true;
        }
    }
}

const struct disk_ops blk_disk_ops = {.submit = blk_submit, .wait = blk_wait};
