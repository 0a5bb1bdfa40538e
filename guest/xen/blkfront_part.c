/* SPDX-License-Identifier: MIT */
/*
 * Parts: what one entry of the ring carries, and the pages that it lends to the back end.
 *
 * Plain: the pages of the caller's buffer themselves, granted for this part only; a segment may
 * begin in the middle of a page, at a multiple of 512 bytes. Persistent: pages of a pool that stay
 * granted as long as the device is connected, always writable (the back end keeps one mapping for
 * both directions); data is copied, every segment begins at the start of its page.
 *
 * Up to 11 segments stand in the ring's entry, more in a page of the part's own.
 */
#include "guest/xen/blkfront_priv.h"

#include "guest/xen/grants.h"

static size_t pages_for(size_t nr, size_t size)
{
    return (nr * size + PAGE_BYTES - 1) / PAGE_BYTES;
}

static struct err no_memory(size_t nr_pages)
{
    return ERR1(ERR_NO_MEMORY, "no memory for the block device's requests (%a pages)", nr_pages);
}

/* One page of segments for each part, granted as long as the device is connected. */
static struct err open_many(struct blkfront *b)
{
    struct blk_parts *p = &b->parts;

    p->many = mm_alloc(p->nr);
    if (p->many == NULL)
        return no_memory(p->nr);
    memset(p->many, 0, p->nr * PAGE_BYTES);
    for (; p->nr_many_granted < p->nr; p->nr_many_granted++) {
        struct blk_part *part = &p->part[p->nr_many_granted];
        uint8_t *page = p->many + p->nr_many_granted * PAGE_BYTES;

        TRY(grants_allow(b->backend, mm_virt_to_mfn(page), !b->persistent, &part->many_ref));
        part->many = (struct blkif_request_segment *)page;
    }
    return OK;
}

struct err blk_parts_open(struct blkfront *b)
{
    struct blk_parts *p = &b->parts;
    size_t item = b->persistent ? sizeof(struct blk_pool_page) : sizeof(grant_ref_t);
    uint8_t *list;

    *p = (struct blk_parts){.max_segments = b->max_segments};
    p->nr =
        b->indirect ? (uint32_t)min_u64(b->ring.nr_entries, BLK_MAX_BIG_PARTS) : b->ring.nr_entries;
    p->part_pages = pages_for(p->nr, sizeof(*p->part));
    p->part = mm_alloc(p->part_pages);
    if (p->part == NULL)
        return no_memory(p->part_pages);
    memset(p->part, 0, p->part_pages * PAGE_BYTES);

    p->list_pages = pages_for((size_t)p->nr * p->max_segments, item);
    p->lists = mm_alloc(p->list_pages);
    if (p->lists == NULL)
        return no_memory(p->list_pages);
    list = p->lists;
    for (uint32_t i = 0; i < p->nr; i++, list += p->max_segments * item) {
        if (b->persistent)
            p->part[i].pages = (struct blk_pool_page *)list;
        else
            p->part[i].refs = (grant_ref_t *)list;
    }

    if (b->persistent) {
        size_t nr_pages = pages_for(BLK_MAX_POOL_PAGES, sizeof(*b->pool.idle));

        b->pool.idle = mm_alloc(nr_pages);
        if (b->pool.idle == NULL)
            return no_memory(nr_pages);
    }
    return b->indirect ? open_many(b) : OK;
}

/* End the grants of the pages that can be had back; those that cannot stay in the pool. */
static struct err close_pool(struct blk_pool *pool)
{
    struct err first = OK;
    uint32_t nr_kept = 0;

    for (uint32_t i = 0; i < pool->nr_idle; i++) {
        struct err e = grants_end(pool->idle[i].ref);

        if (!failed(e)) {
            pool->nr_pages--;
            continue;
        }
        pool->idle[nr_kept++] = pool->idle[i];
        first = failed(first) ? first : e;
    }
    pool->nr_idle = nr_kept;
    TRY(first);
    if (pool->nr_pages != 0)
        return ERR1(ERR_PEER, "%a pages are still in a request", pool->nr_pages);
    for (; pool->nr_chunks > 0; pool->nr_chunks--)
        mm_free(pool->chunks[pool->nr_chunks - 1], BLK_POOL_CHUNK_PAGES);
    if (pool->idle != NULL)
        mm_free(pool->idle, pages_for(BLK_MAX_POOL_PAGES, sizeof(*pool->idle)));
    pool->idle = NULL;
    return OK;
}

struct err blk_parts_close(struct blkfront *b)
{
    struct blk_parts *p = &b->parts;
    struct err first = OK, e;

    for (uint32_t i = 0; p->part != NULL && i < p->nr; i++) {
        if (!p->part[i].busy)
            continue;
        e = blk_part_reclaim(b, &p->part[i], false);
        if (!failed(e))
            blk_part_put(b, &p->part[i]);
        else if (!failed(first))
            first = e;
    }
    for (e = OK; p->part != NULL && p->nr_many_granted > 0 && !failed(e);) {
        e = grants_end(p->part[p->nr_many_granted - 1].many_ref);
        if (!failed(e))
            p->nr_many_granted--;
    }
    first = failed(first) ? first : e;
    e = close_pool(&b->pool);
    TRY(failed(first) ? first : e);
    if (p->many != NULL)
        mm_free(p->many, p->nr);
    if (p->lists != NULL)
        mm_free(p->lists, p->list_pages);
    if (p->part != NULL)
        mm_free(p->part, p->part_pages);
    *p = (struct blk_parts){0};
    return OK;
}

uint32_t blk_parts_nr_lent(const struct blkfront *b)
{
    const struct blk_parts *p = &b->parts;
    uint32_t nr = p->nr_many_granted + b->pool.nr_pages;

    for (uint32_t i = 0; p->part != NULL && !b->persistent && i < p->nr; i++)
        nr += p->part[i].busy ? p->part[i].nr_lent : 0;
    return nr;
}

struct blk_part *blk_part_take(struct blkfront *b)
{
    struct blk_parts *p = &b->parts;

    for (uint32_t i = 0; i < p->nr; i++) {
        struct blk_part *part = &p->part[(p->next + i) % p->nr];

        if (part->busy)
            continue;
        p->next = (uint32_t)(part - p->part) + 1;
        part->busy = true;
        part->nr_lent = 0;
        p->nr_busy++;
        return part;
    }
    return NULL;
}

void blk_part_put(struct blkfront *b, struct blk_part *part)
{
    part->busy = false;
    part->req = NULL;
    b->parts.nr_busy--;
}

/* How far into its page a buffer's segment begins: pages of the pool are used from their start. */
static uint32_t page_offset(const struct blkfront *b, const void *buf)
{
    return b->persistent ? 0 : (uint32_t)((uintptr_t)buf & (PAGE_BYTES - 1));
}

uint32_t blk_part_capacity(const struct blkfront *b, const void *buf, uint64_t len_bytes)
{
    uint32_t room = b->parts.max_segments * (uint32_t)PAGE_BYTES - page_offset(b, buf);

    return (uint32_t)min_u64(room, len_bytes);
}

/* More pages for the pool; ERR_LIMIT when it has all that it may. */
static struct err grow_pool(struct blkfront *b)
{
    struct blk_pool *pool = &b->pool;
    uint8_t *chunk;

    if (pool->nr_chunks == ARRAY_LEN(pool->chunks) || grants_nr_free() < BLK_POOL_CHUNK_PAGES)
        return ERR1(ERR_LIMIT, "all %a pages for data are in use", pool->nr_pages);
    chunk = mm_alloc(BLK_POOL_CHUNK_PAGES);
    if (chunk == NULL)
        return ERR1(ERR_LIMIT, "no memory for more than %a pages for data", pool->nr_pages);
    memset(chunk, 0, BLK_POOL_CHUNK_PAGES * PAGE_BYTES); /* the back end sees all of it */
    pool->chunks[pool->nr_chunks++] = chunk;
    for (uint32_t i = 0; i < BLK_POOL_CHUNK_PAGES; i++, chunk += PAGE_BYTES) {
        struct blk_pool_page *slot = &pool->idle[pool->nr_idle];

        slot->page = chunk;
        TRY(grants_allow(b->backend, mm_virt_to_mfn(chunk), false, &slot->ref));
        pool->nr_idle++;
        pool->nr_pages++;
    }
    return OK;
}

static struct err lend_one(struct blkfront *b, struct blk_part *part, uint8_t *from, uint32_t len,
                           bool to_backend, grant_ref_t *ref)
{
    struct blk_pool_page *own;

    if (!b->persistent) {
        TRY(grants_allow(b->backend, mm_virt_to_mfn(from), to_backend, ref));
        part->refs[part->nr_lent++] = *ref;
        return OK;
    }
    if (b->pool.nr_idle == 0)
        TRY(grow_pool(b));
    own = &part->pages[part->nr_lent++];
    *own = b->pool.idle[--b->pool.nr_idle];
    *ref = own->ref;
    if (to_backend)
        memcpy(own->page, from, len);
    return OK;
}

static uint32_t nr_segments(const struct blkfront *b, const struct blk_part *part)
{
    uint64_t span = (uint64_t)page_offset(b, part->buf) + part->len_bytes;

    return (uint32_t)((span + PAGE_BYTES - 1) / PAGE_BYTES);
}

static struct blkif_request_segment *segments_of(struct blk_part *part, uint32_t nr)
{
    return nr > BLKIF_MAX_SEGMENTS_PER_REQUEST ? part->many : part->few;
}

struct err blk_part_lend(struct blkfront *b, struct blk_part *part, bool to_backend)
{
    struct blkif_request_segment *seg = segments_of(part, nr_segments(b, part));
    uint8_t *from = part->buf;

    for (uint32_t left = part->len_bytes; left > 0; seg++) {
        uint32_t start = page_offset(b, from);
        uint32_t len = (uint32_t)min_u64(PAGE_BYTES - start, left);
        struct err e = lend_one(b, part, from, len, to_backend, &seg->gref);

        if (failed(e)) {
            struct err back = blk_part_reclaim(b, part, false);

            return failed(back) ? back : e;
        }
        seg->first_sect = (uint8_t)(start / BLK_UNIT_BYTES);
        seg->last_sect = (uint8_t)((start + len) / BLK_UNIT_BYTES - 1);
        from += len;
        left -= len;
    }
    return OK;
}

struct err blk_part_reclaim(struct blkfront *b, struct blk_part *part, bool was_read)
{
    if (!b->persistent) {
        for (; part->nr_lent > 0; part->nr_lent--)
            TRY(grants_end(part->refs[part->nr_lent - 1]));
        return OK;
    }
    while (part->nr_lent > 0) {
        struct blk_pool_page *own = &part->pages[--part->nr_lent];
        size_t at = part->nr_lent * PAGE_BYTES;

        if (was_read)
            memcpy(part->buf + at, own->page, (size_t)min_u64(PAGE_BYTES, part->len_bytes - at));
        b->pool.idle[b->pool.nr_idle++] = *own;
    }
    return OK;
}

void blk_part_entry(const struct blkfront *b, const struct blk_part *part, uint8_t operation,
                    union blkif_sring_entry *entry)
{
    uint64_t id = (uint64_t)(part - b->parts.part);
    uint64_t first_unit = part->off_bytes / BLK_UNIT_BYTES;

    memset(entry, 0, sizeof(*entry));
    if (part->nr_lent <= BLKIF_MAX_SEGMENTS_PER_REQUEST) {
        entry->req.operation = operation;
        entry->req.nr_segments = (uint8_t)part->nr_lent;
        entry->req.handle = (blkif_vdev_t)b->vbd.vdev;
        entry->req.id = id;
        entry->req.sector_number = first_unit;
        memcpy(entry->req.seg, part->few, sizeof(part->few));
    } else {
        struct blkif_request_indirect *big = (struct blkif_request_indirect *)&entry->req;

        big->operation = BLKIF_OP_INDIRECT;
        big->indirect_op = operation;
        big->nr_segments = (uint16_t)part->nr_lent;
        big->handle = (blkif_vdev_t)b->vbd.vdev;
        big->id = id;
        big->sector_number = first_unit;
        big->indirect_grefs[0] = part->many_ref;
    }
}
