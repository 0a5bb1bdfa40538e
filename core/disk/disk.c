/* SPDX-License-Identifier: MIT */
/*
 * The checked way into a disk, byte-wise reads, and windows (a disk that is a part of another).
 * The contract is in disk.h; the cache behind disk_read is in cache.c.
 */
#include "core/disk/disk.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/disk/cache.h"

#define SECTOR_BYTES_MAX ((size_t)4096)

static struct err check(const struct disk *d, const struct disk_req *req)
{
    if (req->op != DISK_READ && d->read_only)
        return ERR_AT(ERR_WRITE, req->off_bytes, "the disk is read-only", 0, 0);
    if (req->op == DISK_FLUSH)
        return OK;
    if (!in_range(req->off_bytes, req->len_bytes, d->size_bytes))
        return ERR_AT(ERR_OUTSIDE_PART, req->off_bytes, "%a bytes, past the end of a disk of %b",
                      req->len_bytes, d->size_bytes);
    if (req->off_bytes % d->sector_bytes != 0 || req->len_bytes % d->sector_bytes != 0 ||
        (uintptr_t)req->buf % d->sector_bytes != 0)
        return ERR_AT(ERR_BAD_ARGUMENT, req->off_bytes,
                      "a request of %a bytes is not made of whole, aligned sectors of %b",
                      req->len_bytes, d->sector_bytes);
    return OK;
}

void disk_submit(struct disk *d, struct disk_req *req)
{
    struct err e = check(d, req);

    req->next = NULL;
    req->submitted_bytes = 0;
    req->pending_parts = 0;
    if (failed(e) || (req->op != DISK_FLUSH && req->len_bytes == 0)) {
        /* A result is kept in places of the lowest disk; disk_wait translates it back. */
        for (const struct disk *w = d; w->parent != NULL && e.where != ERR_NOWHERE; w = w->parent)
            e.where += w->origin_bytes;
        req->done = true;
        req->result = e;
        return;
    }
    req->done = false;
    req->result = ERR_AT(req->op == DISK_READ ? ERR_READ : ERR_WRITE, req->off_bytes,
                         "the device did not say how the request went", 0, 0);
    if (req->op == DISK_WRITE && d->cache != NULL)
        disk_cache_forget(d->cache, req->off_bytes, req->len_bytes);
    d->ops->submit(d, req);
}

struct err disk_wait(struct disk *d, struct disk_req *req)
{
    if (d->parent != NULL) {
        struct err e = disk_wait(d->parent, req);

        if (failed(e) && e.where != ERR_NOWHERE && e.where >= d->origin_bytes)
            e.where -= d->origin_bytes;
        return e;
    }
    if (!req->done)
        d->ops->wait(d, req);
    if (!req->done)
        return ERR_AT(ERR_PEER, req->off_bytes, "the device gave up waiting", 0, 0);
    return req->result;
}

static void window_submit(struct disk *d, struct disk_req *req)
{
    req->off_bytes += d->origin_bytes; /* cannot wrap: the window lies inside its parent */
    disk_submit(d->parent, req);
}

static void window_wait(struct disk *d, struct disk_req *req)
{
    (void)disk_wait(d->parent, req); /* the result stays in the request */
}

static struct err window_place(struct disk *d, uint64_t off_bytes, struct disk **below,
                               uint64_t *below_off_bytes)
{
    *below = d->parent;
    *below_off_bytes = off_bytes + d->origin_bytes;
    return OK;
}

static const struct disk_ops window_ops = {
    .submit = window_submit, .wait = window_wait, .place = window_place};

struct err disk_window(struct disk *part, struct disk *parent, uint64_t off_bytes,
                       uint64_t len_bytes, const char *name)
{
    size_t name_len = strlen(name);

    if (!in_range(off_bytes, len_bytes, parent->size_bytes))
        return ERR_AT(ERR_OUTSIDE_PART, off_bytes, "%a bytes, past the end of a disk of %b",
                      len_bytes, parent->size_bytes);
    if (off_bytes % parent->sector_bytes != 0)
        return ERR_AT(ERR_BAD_ARGUMENT, off_bytes, "does not begin on a sector of %a bytes",
                      parent->sector_bytes, 0);
    *part = (struct disk){.ops = &window_ops,
                          .size_bytes = len_bytes - len_bytes % parent->sector_bytes,
                          .sector_bytes = parent->sector_bytes,
                          .read_only = parent->read_only,
                          .parent = parent,
                          .origin_bytes = off_bytes};
    if (name_len >= sizeof(part->name))
        name_len = sizeof(part->name) - 1;
    memcpy(part->name, name, name_len);
    return OK;
}

struct err disk_place(struct disk *d, uint64_t off_bytes, struct disk **device,
                      uint64_t *device_off_bytes)
{
    for (uint32_t depth = 0; depth < DISK_DEPTH_MAX; depth++) {
        if (off_bytes >= d->size_bytes)
            return ERR_AT(ERR_OUTSIDE_PART, off_bytes, "past the end of a disk of %a bytes",
                          d->size_bytes, 0);
        if (d->ops->place == NULL) {
            *device = d;
            *device_off_bytes = off_bytes;
            return OK;
        }
        TRY(d->ops->place(d, off_bytes, &d, &off_bytes));
    }
    return ERR1(ERR_LIMIT, "more than %a disks upon each other", DISK_DEPTH_MAX);
}

void disk_forget(struct disk *d, uint64_t off_bytes)
{
    for (uint32_t depth = 0; depth < DISK_DEPTH_MAX; depth++) {
        if (d->cache != NULL)
            disk_cache_forget(d->cache, off_bytes, 1);
        if (d->ops->place == NULL || failed(d->ops->place(d, off_bytes, &d, &off_bytes)))
            return;
    }
}

static struct err read_now(struct disk *d, uint64_t off_bytes, void *buf, uint64_t len_bytes)
{
    struct disk_req req = {
        .op = DISK_READ, .off_bytes = off_bytes, .buf = buf, .len_bytes = len_bytes};

    disk_submit(d, &req);
    return disk_wait(d, &req);
}

/* Without a cache: whole aligned sectors directly, the rest through a sector on the stack. */
static struct err read_bounced(struct disk *d, uint64_t off_bytes, uint8_t *buf, uint64_t len_bytes)
{
    uint8_t room[2 * SECTOR_BYTES_MAX];
    uint64_t sector = d->sector_bytes;
    uint8_t *bounce = room + (sector - (uintptr_t)room % sector) % sector;

    while (len_bytes > 0) {
        uint64_t skip = off_bytes % sector, n;

        if (skip == 0 && len_bytes >= sector && (uintptr_t)buf % sector == 0) {
            n = align_down(len_bytes, sector);
            TRY(read_now(d, off_bytes, buf, n));
        } else {
            n = min_u64(sector - skip, len_bytes);
            TRY(read_now(d, off_bytes - skip, bounce, sector));
            memcpy(buf, bounce + skip, (size_t)n);
        }
        off_bytes += n;
        buf += n;
        len_bytes -= n;
    }
    return OK;
}

struct err disk_read(struct disk *d, uint64_t off_bytes, void *buf, uint64_t len_bytes)
{
    if (d->sector_bytes == 0 || d->sector_bytes > SECTOR_BYTES_MAX)
        return ERR1(ERR_REFUSED, "sectors of %a bytes", d->sector_bytes);
    if (!in_range(off_bytes, len_bytes, d->size_bytes))
        return ERR_AT(ERR_OUTSIDE_PART, off_bytes, "%a bytes, past the end of a disk of %b",
                      len_bytes, d->size_bytes);
    if (d->cache != NULL)
        return disk_cache_read(d, off_bytes, buf, len_bytes);
    return read_bounced(d, off_bytes, buf, len_bytes);
}

void disk_describe(const struct disk *d, struct text *t)
{
    text_name(t, d->name, strlen(d->name));
    text_str(t, ", ");
    text_size(t, d->size_bytes);
    text_str(t, ", ");
    text_u64(t, d->size_bytes / d->sector_bytes);
    text_str(t, " sectors of ");
    text_u64(t, d->sector_bytes);
    text_str(t, d->read_only ? " bytes, read-only" : " bytes");
}
