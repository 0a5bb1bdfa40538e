/* SPDX-License-Identifier: MIT */
#include "tests/unit/writedisk.h"

#include <stdlib.h>
#include <string.h>

static void note(struct write_disk *w, char c)
{
    size_t len = strlen(w->order);

    if (c == 'r' && w->nr_writes == 0)
        len = 0;
    if (len + 1 < sizeof(w->order)) {
        w->order[len] = c;
        w->order[len + 1] = '\0';
    }
}

static void submit(struct disk *d, struct disk_req *req)
{
    struct write_disk *w = d->ctx;

    req->done = true;
    req->result = OK;
    if (req->op == DISK_READ) {
        note(w, 'r');
        memcpy(req->buf, w->data + req->off_bytes, (size_t)req->len_bytes);
        if (w->fault == READ_BACK_FAILS && w->nr_flushes > 0)
            req->result = ERR_AT(ERR_READ, req->off_bytes, "the test disk fails here", 0, 0);
    } else if (req->op == DISK_WRITE) {
        note(w, 'w');
        w->nr_writes++;
        w->off_bytes = req->off_bytes;
        w->len_bytes = req->len_bytes;
        if (w->fault == WRITE_FAILS)
            req->result = ERR_AT(ERR_WRITE, req->off_bytes, "the test disk fails here", 0, 0);
        else if (w->fault != WRITE_LIES)
            memcpy(w->data + req->off_bytes, req->buf, (size_t)req->len_bytes);
    } else {
        note(w, 'f');
        w->nr_flushes++;
        if (w->fault == FLUSH_FAILS)
            req->result = ERR(ERR_WRITE, "the test disk cannot flush");
    }
}

static void wait(struct disk *d, struct disk_req *req)
{
    (void)d;
    (void)req;
}

static const struct disk_ops ops = {.submit = submit, .wait = wait};

void write_disk_init(struct write_disk *w, uint8_t *data, uint64_t size_bytes,
                     uint32_t sector_bytes)
{
    *w = (struct write_disk){.data = data};
    w->disk = (struct disk){.ops = &ops,
                            .ctx = w,
                            .name = "disk",
                            .size_bytes = size_bytes - size_bytes % sector_bytes,
                            .sector_bytes = sector_bytes};
    w->before = malloc((size_t)w->disk.size_bytes);
    write_disk_restart(w);
}

void write_disk_free(struct write_disk *w)
{
    free(w->before);
}

void write_disk_restart(struct write_disk *w)
{
    memcpy(w->before, w->data, (size_t)w->disk.size_bytes);
    w->nr_writes = w->nr_flushes = 0;
    w->order[0] = '\0';
}

bool write_disk_changed_only(const struct write_disk *w, uint64_t off_bytes, const void *bytes,
                             size_t len)
{
    size_t off = (size_t)off_bytes, end = off + len;

    return memcmp(w->data, w->before, off) == 0 && memcmp(w->data + off, bytes, len) == 0 &&
           memcmp(w->data + end, w->before + end, (size_t)w->disk.size_bytes - end) == 0;
}
