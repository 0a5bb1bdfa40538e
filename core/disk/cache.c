/* SPDX-License-Identifier: MIT */
/*
 * The cache of metadata blocks behind disk_read.
 *
 * A read is served in batches: the blocks of a batch are found or, all at once, requested; then
 * each is waited for and copied. Blocks of the batch at hand carry the newest stamp, and a block
 * with that stamp is never the one to be reused. There are so few blocks that finding one is a
 * walk over all.
 */
#include "core/disk/cache.h"

#include <string.h>

#include "core/base/bytes.h"

#define BATCH_MAX      16
#define CACHE_MIN      4
#define CACHE_MAX      1024
#define CACHE_NO_PLACE UINT64_MAX

struct cache_block {
    uint64_t off_bytes; /* CACHE_NO_PLACE: holds nothing */
    uint64_t stamp;
    uint8_t *data; /* NULL until it is first used */
};

struct disk_cache {
    struct arena *arena;
    uint64_t stamp;
    uint32_t nr_blocks;
    struct cache_block blocks[];
};

struct err disk_cache_attach(struct disk *d, struct arena *a, uint32_t nr_blocks)
{
    if (d->cache != NULL)
        return OK;
    if (nr_blocks < CACHE_MIN)
        nr_blocks = CACHE_MIN;
    if (nr_blocks > CACHE_MAX)
        nr_blocks = CACHE_MAX;
    size_t nr_bytes = sizeof(struct disk_cache) + nr_blocks * sizeof(struct cache_block);
    struct disk_cache *c = arena_alloc(a, nr_bytes);

    if (c == NULL)
        return arena_exhausted("a disk cache of %a bytes", nr_bytes);
    c->arena = a;
    c->nr_blocks = nr_blocks;
    for (uint32_t i = 0; i < nr_blocks; i++)
        c->blocks[i].off_bytes = CACHE_NO_PLACE;
    d->cache = c;
    return OK;
}

void disk_cache_forget(struct disk_cache *c, uint64_t off_bytes, uint64_t len_bytes)
{
    for (uint32_t i = 0; i < c->nr_blocks; i++) {
        struct cache_block *b = &c->blocks[i];

        if (b->off_bytes != CACHE_NO_PLACE && b->off_bytes < off_bytes + len_bytes &&
            off_bytes < b->off_bytes + DISK_CACHE_BLOCK)
            b->off_bytes = CACHE_NO_PLACE;
    }
}

static struct cache_block *find(struct disk_cache *c, uint64_t off_bytes)
{
    for (uint32_t i = 0; i < c->nr_blocks; i++) {
        if (c->blocks[i].off_bytes == off_bytes)
            return &c->blocks[i];
    }
    return NULL;
}

/* The block to reuse: the least recently used one with memory, or one that can get some. */
static struct cache_block *victim(struct disk_cache *c)
{
    struct cache_block *oldest = NULL;

    for (uint32_t i = 0; i < c->nr_blocks; i++) {
        struct cache_block *b = &c->blocks[i];

        if (b->data == NULL && (b->data = arena_pages(c->arena, DISK_CACHE_BLOCK)) != NULL)
            return b;
        if (b->data != NULL && b->stamp != c->stamp && (oldest == NULL || b->stamp < oldest->stamp))
            oldest = b;
    }
    return oldest;
}

struct batch {
    uint32_t nr;
    struct cache_block *blocks[BATCH_MAX];
    bool asked[BATCH_MAX]; /* reqs[i] is under way */
    struct disk_req reqs[BATCH_MAX];
};

/* Find or request the blocks from off_bytes (a block's start) on, as many as fit. */
static void start_batch(struct disk *d, struct batch *batch, uint64_t off_bytes, uint64_t end)
{
    struct disk_cache *c = d->cache;

    c->stamp++;
    batch->nr = 0;
    for (; batch->nr < BATCH_MAX && off_bytes < end; off_bytes += DISK_CACHE_BLOCK) {
        struct cache_block *b = find(c, off_bytes);

        batch->asked[batch->nr] = b == NULL;
        if (b == NULL) {
            struct disk_req *req = &batch->reqs[batch->nr];

            b = victim(c);
            if (b == NULL)
                return;
            b->off_bytes = off_bytes;
            *req = (struct disk_req){.op = DISK_READ,
                                     .off_bytes = off_bytes,
                                     .buf = b->data,
                                     .len_bytes =
                                         min_u64(DISK_CACHE_BLOCK, d->size_bytes - off_bytes)};
            disk_submit(d, req);
        }
        b->stamp = c->stamp;
        batch->blocks[batch->nr++] = b;
    }
}

struct err disk_cache_read(struct disk *d, uint64_t off_bytes, uint8_t *buf, uint64_t len_bytes)
{
    struct batch batch;
    struct err first = OK;

    while (len_bytes > 0 && !failed(first)) {
        uint64_t skip = off_bytes % DISK_CACHE_BLOCK;

        start_batch(d, &batch, off_bytes - skip, off_bytes + len_bytes);
        if (batch.nr == 0)
            return arena_exhausted("a cache block of %a bytes", DISK_CACHE_BLOCK);
        /* After an error too: every request must have ended before its buffer is used again. */
        for (uint32_t i = 0; i < batch.nr; i++) {
            struct err e = batch.asked[i] ? disk_wait(d, &batch.reqs[i]) : OK;

            if (failed(e))
                batch.blocks[i]->off_bytes = CACHE_NO_PLACE;
            if (failed(e) && !failed(first))
                first = e;
            if (failed(first))
                continue;
            uint64_t n = min_u64(DISK_CACHE_BLOCK - skip, len_bytes);

            memcpy(buf, batch.blocks[i]->data + skip, (size_t)n);
            buf += n;
            off_bytes += n;
            len_bytes -= n;
            skip = 0;
        }
    }
    return first;
}
