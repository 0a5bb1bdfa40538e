/* SPDX-License-Identifier: MIT */
/*
 * Requests to a disk that is made of pieces. Each piece on another disk is a part with a request of
 * its own; parts come from a pool, and when all are under way the oldest one is waited for. A
 * request is done when its last part is; the lowest place that failed is its result.
 */
#include "core/disk/mapped.h"

#include <string.h>

#include "core/base/bytes.h"

#define NR_PARTS   64
#define COPIES_MAX 16 /* of one piece: tries before the read has failed */

struct part_req {
    struct disk_req req;
    struct disk *disk;
    struct disk_req *owner;              /* NULL: free */
    uint64_t off_bytes, owner_off_bytes; /* its place on `disk`, and on the disk of pieces */
};

struct mapped {
    struct disk disk;
    piece_fn find;
    may_write_fn may_write;
    void *ctx;
    uint32_t next; /* the pool is used in turn: this one was taken longest ago */
    struct part_req parts[NR_PARTS];
};

/* submitted_bytes of a request that has failed already; until then it means nothing here. */
#define FAILED UINT64_MAX

static void record_failure(struct disk_req *owner, struct err e)
{
    if (owner->submitted_bytes != FAILED || e.where < owner->result.where)
        owner->result = e;
    owner->submitted_bytes = FAILED;
}

static void put_part(struct disk_req *owner)
{
    if (--owner->pending_parts > 0)
        return;
    if (owner->submitted_bytes != FAILED)
        owner->result = OK;
    owner->done = true;
}

static struct err find_piece(struct mapped *m, uint64_t off, uint64_t len, uint32_t copy,
                             struct piece *out)
{
    TRY(m->find(m->ctx, off, len, copy, out));
    if (out->len_bytes < m->disk.sector_bytes)
        return ERR_AT(ERR_PEER, off, "a piece of %a bytes was given", out->len_bytes, 0);
    out->len_bytes = min_u64(align_down(out->len_bytes, m->disk.sector_bytes), len);
    return OK;
}

/* The part's piece could not be read: fill its room from another copy, piece by piece. */
static struct err read_copy(struct mapped *m, struct part_req *p)
{
    struct err e = ERR(ERR_READ, "there is no other copy");

    for (uint32_t copy = 1; copy < COPIES_MAX && failed(e); copy++) {
        uint64_t len = p->req.len_bytes;

        e = OK;
        for (uint64_t done = 0; done < len && !failed(e);) {
            struct piece piece;
            uint8_t *buf = (uint8_t *)p->req.buf + done;

            TRY(find_piece(m, p->owner_off_bytes + done, len - done, copy, &piece));
            if (piece.kind == PIECE_DISK) {
                struct disk_req req = {.op = DISK_READ,
                                       .off_bytes = piece.off_bytes,
                                       .buf = buf,
                                       .len_bytes = piece.len_bytes};

                disk_submit(piece.disk, &req);
                e = disk_wait(piece.disk, &req);
            } else if (piece.kind == PIECE_MEMORY) {
                memcpy(buf, piece.bytes, (size_t)piece.len_bytes);
            } else {
                memset(buf, 0, (size_t)piece.len_bytes);
            }
            done += piece.len_bytes;
        }
    }
    return e;
}

/* Wait for the part, and free it. */
static void settle(struct mapped *m, struct part_req *p)
{
    struct disk_req *owner = p->owner;
    struct err e = disk_wait(p->disk, &p->req);

    if (failed(e) && failed(read_copy(m, p))) {
        /* Translate the place back; one that is unknown becomes the part's first sector. */
        bool known = e.where >= p->off_bytes && e.where - p->off_bytes < p->req.len_bytes;

        e.where = p->owner_off_bytes + (known ? e.where - p->off_bytes : 0);
        record_failure(owner, e);
    }
    p->owner = NULL;
    put_part(owner);
}

static struct part_req *take_part(struct mapped *m)
{
    struct part_req *p = &m->parts[m->next];

    m->next = (m->next + 1) % NR_PARTS;
    if (p->owner != NULL)
        settle(m, p);
    return p;
}

static void start_part(struct mapped *m, struct disk_req *owner, uint64_t done,
                       const struct piece *piece)
{
    struct part_req *p = take_part(m);

    *p = (struct part_req){.disk = piece->disk,
                           .owner = owner,
                           .off_bytes = piece->off_bytes,
                           .owner_off_bytes = owner->off_bytes + done};
    p->req = (struct disk_req){.op = DISK_READ,
                               .off_bytes = piece->off_bytes,
                               .buf = (uint8_t *)owner->buf + done,
                               .len_bytes = piece->len_bytes};
    owner->pending_parts++;
    disk_submit(piece->disk, &p->req);
}

/* The piece at `done`, with its neighbours on the same disk added to it. *next: the one behind it,
 * when merging met one that is no neighbour; its len_bytes is 0 otherwise. */
static struct err merged_piece(struct mapped *m, const struct disk_req *req, uint64_t done,
                               struct piece *piece, struct piece *next)
{
    if (next->len_bytes == 0)
        TRY(find_piece(m, req->off_bytes + done, req->len_bytes - done, 0, next));
    *piece = *next;
    next->len_bytes = 0;
    while (piece->kind == PIECE_DISK && done + piece->len_bytes < req->len_bytes) {
        uint64_t at = done + piece->len_bytes;

        TRY(find_piece(m, req->off_bytes + at, req->len_bytes - at, 0, next));
        if (next->kind != PIECE_DISK || next->disk != piece->disk ||
            next->off_bytes != piece->off_bytes + piece->len_bytes)
            break;
        piece->len_bytes += next->len_bytes;
        next->len_bytes = 0;
    }
    return OK;
}

static void mapped_submit(struct disk *d, struct disk_req *req)
{
    struct mapped *m = d->ctx;
    struct piece piece, next = {.len_bytes = 0};
    struct err e = OK;

    if (req->op == DISK_FLUSH) {
        req->result = OK;
        req->done = true;
        return;
    }
    req->pending_parts = 1; /* this loop's own: the request must not end before the loop does */
    for (uint64_t done = 0; done < req->len_bytes; done += piece.len_bytes) {
        uint8_t *buf = (uint8_t *)req->buf + done;

        e = merged_piece(m, req, done, &piece, &next);
        if (failed(e))
            break;
        if (piece.kind == PIECE_DISK)
            start_part(m, req, done, &piece);
        else if (piece.kind == PIECE_MEMORY)
            memcpy(buf, piece.bytes, (size_t)piece.len_bytes);
        else
            memset(buf, 0, (size_t)piece.len_bytes);
    }
    if (failed(e)) {
        if (e.where == ERR_NOWHERE)
            e.where = req->off_bytes;
        record_failure(req, e);
    }
    put_part(req);
}

static void mapped_wait(struct disk *d, struct disk_req *req)
{
    struct mapped *m = d->ctx;

    for (uint32_t i = 0; i < NR_PARTS && !req->done; i++) {
        if (m->parts[i].owner == req)
            settle(m, &m->parts[i]);
    }
}

static struct err mapped_place(struct disk *d, uint64_t off_bytes, struct disk **below,
                               uint64_t *below_off_bytes)
{
    struct mapped *m = d->ctx;
    uint64_t sector = align_down(off_bytes, d->sector_bytes);
    struct piece piece;

    if (m->may_write == NULL)
        return ERR(ERR_REFUSED, "it lies on a disk made of others, which is only read");
    TRY(m->may_write(m->ctx, sector));
    TRY(find_piece(m, sector, d->sector_bytes, 0, &piece));
    if (piece.kind != PIECE_DISK)
        return ERR_AT(ERR_REFUSED, sector, "what is seen there lies on no disk", 0, 0);
    *below = piece.disk;
    *below_off_bytes = piece.off_bytes + (off_bytes - sector);
    return OK;
}

static const struct disk_ops mapped_ops = {
    .submit = mapped_submit, .wait = mapped_wait, .place = mapped_place};

struct err mapped_disk_new(struct disk **out, struct arena *a, piece_fn find,
                           may_write_fn may_write, void *ctx, uint64_t size_bytes,
                           uint32_t sector_bytes, const char *name)
{
    struct mapped *m = arena_alloc(a, sizeof(*m));
    size_t name_len = strlen(name);

    if (m == NULL)
        return arena_exhausted("a disk of pieces, %a bytes", sizeof(*m));
    m->find = find;
    m->may_write = may_write;
    m->ctx = ctx;
    m->disk = (struct disk){.ops = &mapped_ops,
                            .ctx = m,
                            .size_bytes = align_down(size_bytes, sector_bytes),
                            .sector_bytes = sector_bytes,
                            .read_only = true};
    memcpy(m->disk.name, name, name_len < DISK_NAME_MAX ? name_len : DISK_NAME_MAX - 1);
    *out = &m->disk;
    return OK;
}
