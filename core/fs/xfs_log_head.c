/* SPDX-License-Identifier: MIT */
/*
 * Where the log ends (head) and where replaying begins (tail).
 *
 * Up to XLOG_BUFFERS records are written at a time, in any order, so what lies shortly before the
 * place where the cycle falls need not be complete. Two things find that: a block that is still
 * stamped with the cycle before, and a record whose checksum is wrong. Either moves the head back;
 * what was cut off so had not been acknowledged to anybody.
 */
#include <string.h>

#include "core/fs/xfs_log.h"

#define DAMAGED(log, bb, msg, a, b) ERR_AT(ERR_FS_DAMAGED, xlog_where(log, bb), msg, a, b)

/* Blocks that can be on their way at a time, and the longest record. */
static uint32_t in_flight_bb(const struct xlog *log)
{
    uint32_t record = log->v2 ? XLOG_RECORD_MAX_BYTES : XLOG_RECORD_V1_BYTES;

    return (uint32_t)min_u64(XLOG_BUFFERS * (record / XLOG_BB), log->nr_bb);
}

static uint32_t record_bb(const struct xlog *log)
{
    uint32_t record = log->v2 ? XLOG_RECORD_MAX_BYTES : XLOG_RECORD_V1_BYTES;

    return (uint32_t)min_u64(record / XLOG_BB, log->nr_bb);
}

/* The first block of a cycle in (first, *last], where *last has it and first has not. */
static struct err cycle_start(struct xlog *log, uint32_t first, uint32_t *last, uint32_t cycle)
{
    while (*last - first > 1) {
        uint32_t mid = first + (*last - first) / 2, c;
        bool header;

        TRY(xlog_peek(log, mid, &c, &header));
        if (c == cycle)
            *last = mid;
        else
            first = mid;
    }
    return OK;
}

#define NONE UINT32_MAX

/* The first block of [from, from + nr) that is stamped with the cycle, or NONE. */
static struct err find_cycle(struct xlog *log, uint32_t from, uint32_t nr, uint32_t cycle,
                             uint32_t *found)
{
    *found = NONE;
    for (uint32_t at = 0; at < nr; at += XLOG_CYCLES) {
        uint32_t n = (uint32_t)min_u64(XLOG_CYCLES, nr - at);
        const uint8_t *b;

        TRY(xlog_view(log, from + at, n, &b));
        for (uint32_t i = 0; i < n; i++, b += XLOG_BB) {
            if (be32(b + (be32(b) == XLOG_MAGIC ? 4 : 0)) == cycle) {
                *found = from + at + i;
                return OK;
            }
        }
    }
    return OK;
}

#define SMALL_READS_BB 64u /* then large ones are worth it */

/*
 * Go back from bb over at most max_bb blocks to the count-th header. *found: how many there were;
 * *out: the last of them.
 */
static struct err headers_before(struct xlog *log, uint32_t bb, uint32_t max_bb, uint32_t count,
                                 uint32_t *out, uint32_t *found)
{
    *found = 0;
    for (uint32_t d = 1; d <= max_bb && *found < count; d++) {
        uint32_t at = xlog_add(log, bb, log->nr_bb - d), cycle;
        const uint8_t *bytes;
        bool header;

        if (d <= SMALL_READS_BB) {
            TRY(xlog_peek(log, at, &cycle, &header));
        } else {
            TRY(xlog_view_back(log, at, &bytes));
            header = be32(bytes) == XLOG_MAGIC;
        }
        if (header) {
            *out = at;
            ++*found;
        }
    }
    return OK;
}

/* The block behind the record. */
static uint32_t after(const struct xlog *log, const struct xlog_record *r)
{
    return (uint32_t)(((uint64_t)r->bb + r->nr_header_bb + r->nr_body_bb) % log->nr_bb);
}

/* The head must not point into a record: when the one before does not end there, it is cut off. */
static struct err settle(struct xlog *log, uint32_t *head)
{
    struct xlog_record r;
    uint32_t at, found;

    TRY(headers_before(log, *head % log->nr_bb, record_bb(log), 1, &at, &found));
    if (found == 0)
        return DAMAGED(log, *head % log->nr_bb, "no log record before the log's head", 0, 0);
    TRY(xlog_read_header(log, at, &r));
    if (after(log, &r) != *head % log->nr_bb)
        *head = at;
    return OK;
}

/* A log that was never filled: cycle 1, then zeros. */
static struct err head_in_fresh(struct xlog *log, uint32_t first_cycle, uint32_t *head)
{
    uint32_t at = log->nr_bb - 1, nr, found;

    if (first_cycle != 1)
        return DAMAGED(log, 0, "the log begins with cycle %a and ends with zeros", first_cycle, 0);
    TRY(cycle_start(log, 0, &at, 0));
    nr = (uint32_t)min_u64(in_flight_bb(log), at);
    TRY(find_cycle(log, at - nr, nr, 0, &found));
    if (found != NONE)
        at = found;
    if (at == 0)
        return DAMAGED(log, 0, "the log has no record", 0, 0);
    TRY(settle(log, &at));
    *head = at;
    return OK;
}

/* Look for holes among the blocks before the head that could have been on their way. */
static struct err step_back_over_holes(struct xlog *log, uint32_t cycle, uint32_t *head)
{
    uint32_t nr = in_flight_bb(log), found;

    if (*head >= nr) {
        TRY(find_cycle(log, *head - nr, nr, cycle, &found));
    } else {
        /* Around the end: there, a hole has the cycle before. */
        TRY(find_cycle(log, log->nr_bb - (nr - *head), nr - *head, cycle - 1, &found));
        if (found == NONE)
            TRY(find_cycle(log, 0, *head, cycle, &found));
    }
    if (found != NONE)
        *head = found;
    return OK;
}

static struct err is_unmount(struct xlog *log, uint32_t head, const struct xlog_record *r,
                             bool *unmount)
{
    struct xlog_disk_op op;
    uint32_t at = xlog_add(log, r->bb, r->nr_header_bb);

    *unmount = false;
    if (r->nr_ops != 1 || after(log, r) != head)
        return OK;
    TRY(disk_read(log->disk, xlog_where(log, at), &op, sizeof(op)));
    *unmount = (op.flags[0] & XLOG_OP_UNMOUNT) != 0;
    return OK;
}

/*
 * Does an unmount record end right at `head`? Unmounting waits for all that was on its way, so then
 * there are no holes to look for, and a clean log costs a few small reads.
 */
static struct err ends_with_unmount(struct xlog *log, uint32_t head, bool *yes)
{
    struct xlog_record r;
    uint32_t at, found;

    *yes = false;
    TRY(headers_before(log, head % log->nr_bb, record_bb(log), 1, &at, &found));
    if (found == 0)
        return OK;
    TRY(xlog_read_header(log, at, &r));
    return is_unmount(log, head % log->nr_bb, &r, yes);
}

static struct err find_head(struct xlog *log, bool *fresh)
{
    uint32_t first, last, head = log->nr_bb - 1, hole;
    bool header, unmounted;

    TRY(xlog_peek(log, 0, &first, &header));
    TRY(xlog_peek(log, log->nr_bb - 1, &last, &header));
    *fresh = first == 0;
    if (first == 0 || last == 0) {
        log->head = 0;
        return first == 0 ? OK : head_in_fresh(log, first, &log->head);
    }
    if (first == last) {
        /* One cycle all over: the head is the end, unless there is a hole of the cycle before. */
        head = log->nr_bb;
        hole = last - 1;
    } else {
        TRY(cycle_start(log, 0, &head, last));
        hole = last;
    }
    TRY(ends_with_unmount(log, head, &unmounted));
    if (!unmounted) {
        TRY(step_back_over_holes(log, hole, &head));
        TRY(settle(log, &head));
    }
    log->head = head % log->nr_bb;
    return OK;
}

/* The tail that the record names; head == tail when the record is that of an unmount. */
static struct err take_tail(struct xlog *log, const struct xlog_record *r)
{
    uint64_t tail = r->tail_lsn & UINT32_MAX;

    if (tail >= log->nr_bb)
        return DAMAGED(log, r->bb, "a log record names block %a as the tail of a log of %b", tail,
                       log->nr_bb);
    log->tail = (uint32_t)tail;
    TRY(is_unmount(log, log->head, r, &log->clean));
    if (log->clean)
        log->tail = log->head;
    return OK;
}

struct err xlog_next_header(struct xlog *log, uint32_t bb, uint32_t *out)
{
    for (uint32_t d = 0; bb != log->head || d == 0; d++) {
        uint32_t cycle;
        bool header;

        TRY(xlog_peek(log, bb, &cycle, &header));
        if (header) {
            *out = bb;
            return OK;
        }
        if (d == log->nr_bb)
            break;
        bb = xlog_add(log, bb, 1);
    }
    return DAMAGED(log, bb, "no log record between the log's tail and its head", 0, 0);
}

/*
 * Check the records that could have been on their way when writing ended. From the first bad one
 * on the log is not trusted: that record is the new head, and the one before it tells the tail.
 */
static struct err cut_torn(struct xlog *log)
{
    uint32_t max_bb =
        log->tail == log->head ? log->nr_bb : xlog_distance(log, log->tail, log->head);
    uint32_t at, found, room;
    struct xlog_record r;

    TRY(headers_before(log, log->head, max_bb, XLOG_BUFFERS, &at, &found));
    for (; found > 0 && at != log->head; at = after(log, &r)) {
        room = xlog_distance(log, at, log->head);
        struct err e = xlog_read_record(log, at, room, true, &r);

        if (!failed(e))
            continue;
        if (e.code != ERR_FS_DAMAGED)
            return e;
        TRY(headers_before(log, at, log->nr_bb - room, 1, &found, &room));
        if (room == 0)
            return e;
        log->head = at;
        TRY(xlog_read_header(log, found, &r));
        TRY(take_tail(log, &r));
        log->torn = true;
        if (log->tail == log->head && !log->clean)
            return e;
        return OK;
    }
    return OK;
}

struct err xlog_find_ends(struct xlog *log)
{
    struct xlog_record r;
    uint32_t at, found;
    bool fresh;

    TRY(find_head(log, &fresh));
    if (fresh) {
        log->head = log->tail = 0;
        log->clean = true;
        return OK;
    }
    TRY(headers_before(log, log->head, log->nr_bb, 1, &at, &found));
    if (found == 0)
        return DAMAGED(log, 0, "the log has no record", 0, 0);
    TRY(xlog_read_header(log, at, &r));
    TRY(take_tail(log, &r));
    return log->clean ? OK : cut_torn(log);
}
