/* SPDX-License-Identifier: MIT */
#include "tests/unit/support.h"

#include <stdlib.h>
#include <string.h>

static void *get(void *ctx, size_t nr_bytes)
{
    (void)ctx;
    return aligned_alloc(4096, nr_bytes);
}

static void put(void *ctx, void *p, size_t nr_bytes)
{
    (void)ctx;
    (void)nr_bytes;
    free(p);
}

const struct mem_source test_memory = {.get = get, .put = put};

static void submit(struct disk *d, struct disk_req *req)
{
    struct mem_disk *m = d->ctx;

    m->nr_reads++;
    req->done = true;
    if (m->fail_off_bytes >= req->off_bytes &&
        m->fail_off_bytes - req->off_bytes < req->len_bytes) {
        req->result = ERR_AT(ERR_READ, m->fail_off_bytes, "the test disk fails here", 0, 0);
        return;
    }
    if (req->op == DISK_READ)
        memcpy(req->buf, m->data + req->off_bytes, (size_t)req->len_bytes);
    else if (req->op == DISK_WRITE)
        memcpy(m->data + req->off_bytes, req->buf, (size_t)req->len_bytes);
    req->result = OK;
}

static void wait(struct disk *d, struct disk_req *req)
{
    (void)d;
    (void)req;
}

static const struct disk_ops mem_disk_ops = {.submit = submit, .wait = wait};

void mem_disk_init(struct mem_disk *m, void *data, uint64_t size_bytes, uint32_t sector_bytes)
{
    *m = (struct mem_disk){.data = data, .fail_off_bytes = UINT64_MAX};
    m->disk.ops = &mem_disk_ops;
    m->disk.ctx = m;
    m->disk.size_bytes = size_bytes - size_bytes % sector_bytes;
    m->disk.sector_bytes = sector_bytes;
    strcpy(m->disk.name, "mem");
}
