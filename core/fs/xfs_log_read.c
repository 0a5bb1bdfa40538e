/* SPDX-License-Identifier: MIT */
/*
 * The log as it lies on the disk: basic blocks and records. The layout's source is named in
 * xfs_log_disk.h.
 */
#include <string.h>

#include "core/fs/crc.h"
#include "core/fs/xfs_log.h"

#define WINDOW_PARTS    4u
#define WINDOW_PART_BB  512u /* 256 KiB a request */
#define WINDOW_BB       (WINDOW_PARTS * WINDOW_PART_BB)
#define WINDOW_ALIGN_BB 8u /* requests begin on 4096 bytes of the log */

#define HEADERS_MAX  (XLOG_RECORD_MAX_BYTES / XLOG_RECORD_V1_BYTES)
#define RECORD_BYTES (HEADERS_MAX * XLOG_BB + XLOG_RECORD_MAX_BYTES)

#define BAD_RECORD(log, bb, msg, a, b) ERR_AT(ERR_FS_DAMAGED, xlog_where(log, bb), msg, a, b)

struct err xlog_pages(struct xlog *log, size_t nr_bytes, const char *what, void *out)
{
    void **p = out;

    if (log->memory_bytes > XLOG_MEMORY_MAX || nr_bytes > XLOG_MEMORY_MAX - log->memory_bytes)
        return ERR1(ERR_LIMIT, "replaying the log of XFS needs more than %a bytes of memory",
                    XLOG_MEMORY_MAX);
    *p = arena_pages(log->arena, nr_bytes);
    if (*p == NULL)
        return arena_exhausted(what, nr_bytes);
    log->memory_bytes += nr_bytes;
    return OK;
}

void xlog_drop(struct xlog *log, void *pages, size_t nr_bytes)
{
    if (pages == NULL)
        return;
    arena_drop(log->arena, pages);
    log->memory_bytes -= nr_bytes;
}

struct err xlog_peek(struct xlog *log, uint32_t bb, uint32_t *cycle, bool *is_header)
{
    uint8_t start[8];

    TRY(disk_read(log->disk, xlog_where(log, bb), start, sizeof(start)));
    *is_header = be32(start) == XLOG_MAGIC;
    *cycle = be32(start + (*is_header ? 4 : 0));
    return OK;
}

/* Fill the window from bb on, its parts under way together. */
static struct err fill_window(struct xlog *log, uint32_t bb)
{
    struct xlog_window *w = &log->window;
    struct disk_req reqs[WINDOW_PARTS];
    uint32_t nr = 0, from = bb - bb % WINDOW_ALIGN_BB;
    struct err e = OK;

    if (w->bytes == NULL)
        TRY(xlog_pages(log, WINDOW_BB * XLOG_BB, "a window of %a bytes", &w->bytes));
    w->bb = from;
    w->nr_bb = (uint32_t)min_u64(WINDOW_BB, log->nr_bb - from);
    for (uint32_t at = 0; at < w->nr_bb; at += WINDOW_PART_BB, nr++) {
        uint32_t n = (uint32_t)min_u64(WINDOW_PART_BB, w->nr_bb - at);

        reqs[nr] = (struct disk_req){.op = DISK_READ,
                                     .off_bytes = xlog_where(log, from + at),
                                     .buf = w->bytes + (size_t)at * XLOG_BB,
                                     .len_bytes = (uint64_t)n * XLOG_BB};
        disk_submit(log->disk, &reqs[nr]);
    }
    for (uint32_t i = 0; i < nr; i++) {
        struct err part = disk_wait(log->disk, &reqs[i]);

        if (failed(part) && !failed(e))
            e = part;
    }
    if (failed(e))
        w->nr_bb = 0;
    return e;
}

struct err xlog_view(struct xlog *log, uint32_t bb, uint32_t nr_bb, const uint8_t **bytes)
{
    struct xlog_window *w = &log->window;

    if (bb < w->bb || !in_range(bb - w->bb, nr_bb, w->nr_bb))
        TRY(fill_window(log, bb));
    if (!in_range(bb - w->bb, nr_bb, w->nr_bb))
        return BAD_RECORD(log, bb, "%a blocks of the log were asked for at once", nr_bb, 0);
    *bytes = w->bytes + (size_t)(bb - w->bb) * XLOG_BB;
    return OK;
}

struct err xlog_view_back(struct xlog *log, uint32_t bb, const uint8_t **bytes)
{
    struct xlog_window *w = &log->window;

    if (bb < w->bb || bb - w->bb >= w->nr_bb)
        TRY(fill_window(log, bb < WINDOW_PART_BB ? 0 : bb - WINDOW_PART_BB + 1));
    return xlog_view(log, bb, 1, bytes);
}

/* nr_bb blocks from bb on, around the end of the log, into `to`. */
static struct err copy_blocks(struct xlog *log, uint32_t bb, uint32_t nr_bb, uint8_t *to)
{
    while (nr_bb > 0) {
        uint32_t n = (uint32_t)min_u64(min_u64(nr_bb, log->nr_bb - bb), WINDOW_PART_BB);
        const uint8_t *from;

        TRY(xlog_view(log, bb, n, &from));
        memcpy(to, from, (size_t)n * XLOG_BB);
        to += (size_t)n * XLOG_BB;
        nr_bb -= n;
        bb = xlog_add(log, bb, n);
    }
    return OK;
}

static void fill_record(const struct xlog *log, uint32_t bb, const struct xlog_disk_header *h,
                        struct xlog_record *r)
{
    *r = (struct xlog_record){.bb = bb,
                              .version = be32(h->version),
                              .nr_header_bb = 1,
                              .len_bytes = be32(h->len),
                              .nr_body_bb = xlog_bbs(be32(h->len)),
                              .nr_ops = be32(h->nr_ops),
                              .lsn = be64(h->lsn),
                              .tail_lsn = be64(h->tail_lsn)};
    if (log->v2 && (r->version & XLOG_VERSION_2)) {
        r->size_bytes = be32(h->size);
        if (r->size_bytes > XLOG_RECORD_V1_BYTES)
            r->nr_header_bb = (uint32_t)(((uint64_t)r->size_bytes + XLOG_RECORD_V1_BYTES - 1) /
                                         XLOG_RECORD_V1_BYTES);
    }
}

static struct err check_header(const struct xlog *log, const struct xlog_record *r)
{
    if (r->version == 0 || (r->version & ~XLOG_VERSION_OK) != 0)
        return BAD_RECORD(log, r->bb, "a log record of version %A", r->version, 0);
    if (r->size_bytes > XLOG_RECORD_MAX_BYTES)
        return BAD_RECORD(log, r->bb, "a log record from a buffer of %a bytes", r->size_bytes, 0);
    if (r->len_bytes == 0 || r->len_bytes > XLOG_RECORD_MAX_BYTES ||
        r->nr_body_bb > r->nr_header_bb * XLOG_CYCLES)
        return BAD_RECORD(log, r->bb, "a log record of %a bytes with %b headers", r->len_bytes,
                          r->nr_header_bb);
    return OK;
}

struct err xlog_read_header(struct xlog *log, uint32_t bb, struct xlog_record *r)
{
    uint8_t block[XLOG_BB];

    TRY(disk_read(log->disk, xlog_where(log, bb), block, sizeof(block)));
    const struct xlog_disk_header *h = (const struct xlog_disk_header *)block;

    if (be32(h->magic) != XLOG_MAGIC)
        return BAD_RECORD(log, bb, "no log record begins here", 0, 0);
    fill_record(log, bb, h, r);
    return OK;
}

/* The checksum over header (header_bytes of it), further headers and operations. */
static uint32_t record_crc(const struct xlog *log, const struct xlog_record *r,
                           uint32_t header_bytes)
{
    static const uint8_t zero[4] = {0};
    size_t at = offsetof(struct xlog_disk_header, crc);
    uint32_t crc = crc32c_fast(log->crc, UINT32_MAX, log->record, at);

    crc = crc32c_fast(log->crc, crc, zero, sizeof(zero));
    crc = crc32c_fast(log->crc, crc, log->record + at + 4, header_bytes - at - 4);
    if (log->v2) {
        uint32_t nr = (r->len_bytes + XLOG_RECORD_V1_BYTES - 1) / XLOG_RECORD_V1_BYTES;

        for (uint32_t i = 1; i < nr && i < r->nr_header_bb; i++)
            crc = crc32c_fast(log->crc, crc, log->record + (size_t)i * XLOG_BB,
                              sizeof(struct xlog_disk_ext_header));
    }
    return ~crc32c_fast(log->crc, crc, r->ops, r->len_bytes);
}

static struct err check_record_crc(const struct xlog *log, const struct xlog_record *r)
{
    const struct xlog_disk_header *h = (const struct xlog_disk_header *)log->record;
    uint32_t want = le32(h->crc);

    /* mkfs and old kernels write none. */
    if (want == 0 || record_crc(log, r, sizeof(*h)) == want ||
        record_crc(log, r, XLOG_HEADER_I386_BYTES) == want)
        return OK;
    return BAD_RECORD(log, r->bb, "log record checksum is %A, should be %B", want,
                      record_crc(log, r, sizeof(*h)));
}

/* Put back what the cycle numbers stand on. */
static void unstamp(const struct xlog *log, const struct xlog_record *r)
{
    for (uint32_t i = 0; i < r->nr_body_bb; i++) {
        const uint8_t *header = log->record + (size_t)(i / XLOG_CYCLES) * XLOG_BB;
        size_t cycles = i < XLOG_CYCLES ? offsetof(struct xlog_disk_header, cycle_data)
                                        : offsetof(struct xlog_disk_ext_header, cycle_data);

        memcpy(r->ops + (size_t)i * XLOG_BB, header + cycles + (size_t)(i % XLOG_CYCLES) * 4, 4);
    }
}

struct err xlog_read_record(struct xlog *log, uint32_t bb, uint32_t room_bb, bool check_crc,
                            struct xlog_record *r)
{
    if (log->record == NULL)
        TRY(xlog_pages(log, RECORD_BYTES, "a log record of %a bytes", &log->record));
    if (log->crc == NULL) {
        TRY(xlog_pages(log, sizeof(*log->crc), "a checksum's tables of %a bytes", &log->crc));
        crc32c_tables_init(log->crc);
    }
    TRY(copy_blocks(log, bb, 1, log->record));
    const struct xlog_disk_header *h = (const struct xlog_disk_header *)log->record;

    if (be32(h->magic) != XLOG_MAGIC)
        return BAD_RECORD(log, bb, "no log record begins here", 0, 0);
    fill_record(log, bb, h, r);
    TRY(check_header(log, r));
    if (!in_range(r->nr_header_bb, r->nr_body_bb, room_bb))
        return BAD_RECORD(log, bb, "a log record of %a blocks, %b before the log's head",
                          r->nr_header_bb + r->nr_body_bb, room_bb);
    r->ops = log->record + (size_t)r->nr_header_bb * XLOG_BB;
    TRY(copy_blocks(log, bb, r->nr_header_bb + r->nr_body_bb, log->record));
    if (check_crc)
        TRY(check_record_crc(log, r));
    unstamp(log, r);
    return OK;
}

struct err xlog_check_origin(const struct xlog *log, const struct xlog_record *r)
{
    const struct xlog_disk_header *h = (const struct xlog_disk_header *)log->record;

    if (be32(h->fmt) != XLOG_FMT_LE)
        return ERR_AT(ERR_REFUSED, xlog_where(log, r->bb),
                      "the log of XFS was written by a big-endian machine (format %a) and is dirty",
                      be32(h->fmt), 0);
    if (memcmp(h->fs_uuid, log->x->uuid, sizeof(h->fs_uuid)) != 0)
        return ERR_AT(ERR_REFUSED, xlog_where(log, r->bb),
                      "the log of XFS has another UUID than the file system", 0, 0);
    return OK;
}
